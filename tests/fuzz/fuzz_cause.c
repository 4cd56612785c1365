/* SPDX-License-Identifier: Apache-2.0 */
/* layer: status json */
/*
 * Object and Event to causes, on any JSON.
 *
 * Properties: a set is sorted, within its ceilings, and of clean text; reading twice gives the
 * same; a set merged into an empty one gives itself, and so does its copy at rest.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "status/cause.h"

#define NOW_MS INT64_C(1767225660000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(struct ks_str s)
{
    require(ks_str_is_utf8(s));
    for (size_t i = 0; i < s.len; i++)
        require((unsigned char)s.ptr[i] >= 0x20 && s.ptr[i] != 0x7f);
}

static void check(const struct ks_causes *c)
{
    size_t total = 0;

    require(c->count <= KS_CAUSES_MAX);
    for (size_t i = 0; i < c->count; i++) {
        const struct ks_cause *cause = &c->items[i];

        require(cause->code < KS_CAUSE_COUNT && cause->count >= 1);
        require(i == 0 || c->items[i - 1].code <= cause->code);
        require(cause->message.len <= KS_CAUSE_MESSAGE_MAX);
        check_text(cause->message);
        check_text(cause->container);
        check_text(cause->source.name);
        check_text(cause->source.kind);
        total += cause->message.len + cause->container.len + cause->source.group.len +
                 cause->source.kind.len + cause->source.ns.len + cause->source.name.len;
    }
    require(total == c->text_len && total <= KS_CAUSES_TEXT_MAX);
}

static void check_copies(const struct ks_causes *c)
{
    struct ks_cause_list *list = ks_cause_list_dup(c->items, c->count);
    static struct ks_causes again;

    require(list && ks_causes_equal(list->items, list->count, c->items, c->count));
    ks_causes_init(&again);
    ks_causes_merge(&again, list->items, list->count);
    ks_free(list);
    check(&again);
    require(again.count <= c->count);
}

static void read_both(struct ks_json_value object, struct ks_causes *out)
{
    ks_causes_init(out);
    require(ks_causes_read(object, NULL, NOW_MS, out) == KS_RC_OK);
    check(out);
    require(ks_causes_read_event(object, out) == KS_RC_OK);
    check(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ks_json_limits limits = {
        .max_bytes = 1u << 20, .max_tokens = 1u << 16, .max_depth = 64};
    static struct ks_causes once;
    static struct ks_causes twice;
    struct ks_json *json = NULL;

    require(ks_json_new(&limits, &json, NULL) == KS_RC_OK);
    if (ks_json_parse(json, ks_str_make((const char *)data, size), NULL) == KS_RC_OK) {
        read_both(ks_json_root(json), &once);
        read_both(ks_json_root(json), &twice);
        require(ks_causes_equal(once.items, once.count, twice.items, twice.count));
        check_copies(&once);
    }
    json = ks_json_free(json);
    return 0;
}
