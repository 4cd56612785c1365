/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are made in one go, with the headers that the API server sends along.
 *
 * The model: a handler names what it wants to say; the text is printed into one buffer, which
 * becomes the body. Bodies end with a newline, as the server's encoder leaves one.
 *
 * Thread: one. Long answers (lists, watches) bring their own bodies.
 */
#include "reply.h"

#include <stdio.h>

#include "base/alloc.h"
#include "object.h"
#include "reqlog.h"
#include "sim.h"

#define REPLY_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define JSON_TYPE "application/json"

void sim_reply_body(struct sim_request *r, int status, struct sim_body *body, int64_t length)
{
    struct sim_reply reply = {
        .status = status,
        .content_type = JSON_TYPE,
        .body = body,
        .content_length = length,
        .headers = {{"cache-control", "no-cache, private"}},
    };

    if (!body) {
        reply.status = 500;
        reply.content_length = -1;
    }
    sim_stream_reply(r->stream, &reply);
}

/* The buffer's bytes become the body. */
static void reply_buf(struct sim_request *r, int status, struct ks_buf *text)
{
    size_t len = text->len;

    sim_reply_body(r, status, sim_body_bytes_new(ks_buf_take(text), len), (int64_t)len);
}

void sim_reply_json(struct sim_request *r, int status, json_t *value)
{
    struct ks_buf text;

    ks_buf_init(&text, REPLY_MAX_BYTES);
    if (!value || sim_json_print(value, SIM_AS_IS, &text) || ks_buf_append_byte(&text, '\n')) {
        ks_buf_fini(&text);
        json_decref(value);
        sim_reply_body(r, 500, NULL, -1);
        return;
    }
    json_decref(value);
    reply_buf(r, status, &text);
}

void sim_reply_text(struct sim_request *r, int status, const char *content_type, struct ks_str text)
{
    struct sim_reply reply = {
        .status = status,
        .content_type = content_type,
        .content_length = (int64_t)text.len,
        .headers = {{"cache-control", "no-cache, private"}, {"x-content-type-options", "nosniff"}},
    };

    reply.body = sim_body_bytes_new(ks_str_dup(text), text.len);
    if (!reply.body)
        reply.content_length = -1;
    sim_stream_reply(r->stream, &reply);
}

void sim_reply_404_page(struct sim_request *r)
{
    sim_reply_text(r, 404, "text/plain; charset=utf-8", KS_LIT("404 page not found\n"));
}

void sim_reply_404_resource(struct sim_request *r)
{
    struct sim_problem p;

    sim_problem_set(&p, 404, "the server could not find the requested resource");
    p.has_details = true;
    sim_reply_problem(r, &p);
}

void sim_reply_problem(struct sim_request *r, const struct sim_problem *p)
{
    struct ks_buf text;
    char retry[16];
    struct sim_reply reply = {
        .status = p->code,
        .content_type = JSON_TYPE,
        .content_length = -1,
        .headers = {{"cache-control", "no-cache, private"}},
    };
    json_t *value = sim_problem_json(p);
    size_t n = 1;

    ks_buf_init(&text, REPLY_MAX_BYTES);
    if (p->code == 403)
        reply.headers[n++] = (struct sim_reply_header){"x-content-type-options", "nosniff"};
    if (p->retry_after_s > 0) {
        snprintf(retry, sizeof(retry), "%d", p->retry_after_s);
        reply.headers[n] = (struct sim_reply_header){"retry-after", retry};
    }
    if (value && !sim_json_print(value, SIM_AS_IS, &text) && !ks_buf_append_byte(&text, '\n')) {
        reply.content_length = (int64_t)text.len;
        reply.body = sim_body_bytes_new(ks_buf_take(&text), (size_t)reply.content_length);
    }
    if (!reply.body)
        reply.content_length = -1;
    ks_buf_fini(&text);
    json_decref(value);
    sim_stream_reply(r->stream, &reply);
}

void sim_pieces_of(const struct sim_resource *res, const struct sim_rev *rev, enum sim_shape shape,
                   enum sim_place place, struct sim_pieces *out)
{
    if (shape == SIM_SHAPE_METADATA) {
        out->part[0] = KS_LIT("{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":"
                              "\"meta.k8s.io/v1\",\"metadata\":");
        out->part[1] = rev->metadata;
        out->part[2] = KS_LIT("}");
        out->len = 3;
        return;
    }
    if (place == SIM_IN_LIST && !sim_resource_has(res, SIM_CUSTOM)) {
        out->part[0] = rev->body;
        out->len = 1;
        return;
    }
    out->part[0] = ks_str_from(res->prefix);
    out->part[1] = ks_str_sub(rev->body, 1, rev->body.len);
    out->len = 2;
}

static bool range_is_json(struct ks_str type)
{
    return ks_str_is(type, JSON_TYPE) || ks_str_is(type, "*/*") || ks_str_is(type, "application/*");
}

/* One entry of an Accept header: whether we can serve it, and in which shape. */
static bool accept_take(struct ks_str entry, enum sim_shape *out)
{
    struct ks_str part;
    enum sim_shape shape = SIM_SHAPE_FULL;
    bool is_first = true;

    while (ks_str_split(&entry, ';', &part)) {
        part = ks_str_trim(part);
        if (is_first && !range_is_json(part))
            return false;
        is_first = false;
        if (ks_str_is(part, "as=PartialObjectMetadata") ||
            ks_str_is(part, "as=PartialObjectMetadataList"))
            shape = SIM_SHAPE_METADATA;
        else if (ks_str_starts(part, KS_LIT("as=")))
            return false;
    }
    *out = shape;
    return true;
}

static void reply_406(struct sim_request *r)
{
    struct ks_buf text;
    ks_rc rc;

    ks_buf_init(&text, REPLY_MAX_BYTES);
    rc = ks_buf_appendf(
        &text, "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n"
               "  \"status\": \"Failure\",\n  \"message\": \"406: Not Acceptable\\n\\nAvailable "
               "representations: application/json\",\n  \"reason\": \"NotAcceptable\",\n"
               "  \"details\": {},\n  \"code\": 406\n}");
    if (rc)
        ks_buf_clear(&text);
    reply_buf(r, 406, &text);
}

bool sim_accept_shape(struct sim_request *r, enum sim_shape *out)
{
    struct ks_str rest = sim_request_header(r, "accept");
    struct ks_str entry;

    *out = SIM_SHAPE_FULL;
    if (rest.len == 0)
        return true;
    while (ks_str_split(&rest, ',', &entry)) {
        if (accept_take(entry, out))
            return true;
    }
    reply_406(r);
    return false;
}

void sim_reply_rev(struct sim_request *r, int status, const struct sim_resource *res,
                   const struct sim_rev *rev)
{
    struct sim_pieces pieces;
    enum sim_shape shape;
    struct ks_buf text;

    if (!sim_accept_shape(r, &shape))
        return;
    ks_buf_init(&text, REPLY_MAX_BYTES);
    sim_pieces_of(res, rev, shape, SIM_ALONE, &pieces);
    for (size_t i = 0; i < pieces.len; i++) {
        if (ks_buf_append_str(&text, pieces.part[i]))
            ks_buf_clear(&text);
    }
    if (ks_buf_append_byte(&text, '\n'))
        ks_buf_clear(&text);
    reply_buf(r, status, &text);
}
