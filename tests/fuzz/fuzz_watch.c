/* SPDX-License-Identifier: Apache-2.0 */
/* layer: kube */
/*
 * A watch's body on any bytes, cut at any places: framing, peeking, decoding.
 *
 * Property: nothing that is handed out lies outside its line; what can be decoded and peeked agrees
 * unless a name stands in it twice; cutting the body elsewhere gives the same lines; comparing
 * versions is an order.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "json/json.h"
#include "http/lines.h"
#include "kube/peek.h"
#include "kube/rv.h"
#include "kube/watch_decode.h"

/* Small, so that the ceilings are met. */
#define MAX_LINE 4096
#define MAX_SKIP 65536

struct run {
    struct ks_json *parser;
    uint64_t digest; /* of all lines, in order */
    char last_rv[64];
    size_t last_rv_len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_within(struct ks_str part, struct ks_str line)
{
    require(part.len == 0 || (part.ptr >= line.ptr && part.ptr + part.len <= line.ptr + line.len));
}

static void digest(struct run *run, struct ks_str line)
{
    for (size_t i = 0; i < line.len; i++)
        run->digest = run->digest * 1099511628211u + (unsigned char)line.ptr[i] + 1;
    run->digest = run->digest * 31 + line.len;
}

static bool occurs_once(struct ks_str text, const char *word)
{
    size_t len = strlen(word);
    unsigned count = 0;

    for (size_t i = 0; i + len <= text.len; i++)
        count += memcmp(text.ptr + i, word, len) == 0;
    return count == 1;
}

static void compare_rv(struct run *run, struct ks_str rv)
{
    struct ks_str last = ks_str_make(run->last_rv, run->last_rv_len);

    require(!(ks_rv_is_older(rv, last) && ks_rv_is_older(last, rv)));
    require(!ks_rv_is_older(rv, rv));
    if (rv.len > sizeof(run->last_rv))
        return;
    if (rv.len)
        memcpy(run->last_rv, rv.ptr, rv.len);
    run->last_rv_len = rv.len;
}

static void decode(struct run *run, struct ks_str line, const struct ks_peek *peek)
{
    struct ks_watch_event event;
    struct ks_kube_failure failure;
    struct ks_identity id;

    if (ks_watch_decode(run->parser, line, &event, NULL))
        return;
    if (event.type == KS_WATCH_ERROR) {
        ks_watch_failure_of(event.object, &failure);
        require(failure.rc != KS_RC_OK && failure.error.msg[0]);
    }
    (void)ks_watch_is_initial_end(event.object); /* whatever it says */
    if (!ks_identity_of(event.object, &id))
        return;
    compare_rv(run, id.resource_version);
    if (peek->is_complete && occurs_once(line, "\"object\"") && occurs_once(line, "\"metadata\"") &&
        occurs_once(line, "\"name\"") && !memchr(line.ptr, '\\', line.len) && ks_str_is_utf8(line))
        require(ks_str_eq(peek->name, id.name));
}

static ks_rc on_line(void *ctx, struct ks_str line)
{
    struct run *run = ctx;
    struct ks_peek peek;

    require(line.len > 0 && line.len <= MAX_LINE);
    digest(run, line);
    ks_peek_object(line, &peek);
    require_within(peek.name, line);
    ks_peek_event(line, &peek);
    require_within(peek.type, line);
    require_within(peek.kind, line);
    require_within(peek.ns, line);
    require_within(peek.name, line);
    require_within(peek.resource_version, line);
    decode(run, line, &peek);
    return KS_RC_OK;
}

static ks_rc on_too_long(void *ctx, struct ks_str head, size_t len)
{
    struct run *run = ctx;
    struct ks_peek peek;

    require(len > MAX_LINE && head.len <= len);
    run->digest = run->digest * 31 + len;
    ks_peek_event(head, &peek);
    require_within(peek.name, head);
    return KS_RC_OK;
}

/* step 0: in one piece. */
static uint64_t feed(struct ks_json *parser, struct ks_str body, size_t step)
{
    static const struct ks_lines_ops ops = {.on_line = on_line, .on_too_long = on_too_long};
    struct run run = {.parser = parser};
    struct ks_lines lines;
    ks_rc rc = KS_RC_OK;

    ks_lines_init(&lines, MAX_LINE, MAX_SKIP, &ops, &run);
    for (size_t at = 0; !rc && at < body.len; at += step ? step : body.len)
        rc = ks_lines_feed(&lines, ks_str_sub(body, at, step ? step : body.len));
    ks_lines_fini(&lines);
    return rc ? 0 : run.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_json *parser;
    struct ks_str body;
    uint64_t whole;

    if (size < 1)
        return 0;
    body = ks_str_make((const char *)data + 1, size - 1);
    if (ks_json_new(&ks_json_limits_object, &parser, NULL))
        return 0;
    whole = feed(parser, body, 0);
    require(feed(parser, body, (size_t)data[0] + 1) == whole);
    ks_json_free(parser);
    return 0;
}
