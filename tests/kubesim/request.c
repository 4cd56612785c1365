/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handler sees of a request, and the simplest body of an answer.
 *
 * Thread: one. How requests come and answers go is the stream's business.
 */
#include "stream.h"

#include <string.h>

#include "base/alloc.h"

struct bytes_body {
    struct sim_body body;
    char *bytes;
    size_t len;
    size_t at;
};

static size_t bytes_read(struct sim_body *b, uint8_t *out, size_t len, bool *eof)
{
    struct bytes_body *bytes = KS_CONTAINER_OF(b, struct bytes_body, body);
    size_t left = bytes->len - bytes->at;
    size_t n = left < len ? left : len;

    if (n > 0)
        memcpy(out, bytes->bytes + bytes->at, n);
    bytes->at += n;
    *eof = bytes->at == bytes->len;
    return n;
}

static void bytes_free(struct sim_body *b)
{
    struct bytes_body *bytes = KS_CONTAINER_OF(b, struct bytes_body, body);

    ks_free(bytes->bytes);
    ks_free(bytes);
}

struct sim_body *sim_body_bytes_new(char *bytes, size_t len)
{
    static const struct sim_body_ops ops = {.read = bytes_read, .free = bytes_free};
    struct bytes_body *b = ks_alloc0(sizeof(*b));

    if (!b) {
        ks_free(bytes);
        return NULL;
    }
    b->body.ops = &ops;
    b->bytes = bytes;
    b->len = len;
    return &b->body;
}

void sim_body_free(struct sim_body *b)
{
    if (b)
        b->ops->free(b);
}

bool sim_request_header_at(const struct sim_request *r, const char *name, size_t n,
                           struct ks_str *out)
{
    struct ks_str rest = ks_buf_str(&r->stream->headers);

    while (rest.len > 0) {
        struct ks_str key = ks_str_from(rest.ptr);
        struct ks_str value;

        rest = ks_str_sub(rest, key.len + 1, rest.len);
        value = ks_str_from(rest.ptr);
        rest = ks_str_sub(rest, value.len + 1, rest.len);
        if (ks_str_is(key, name) && n-- == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

struct ks_str sim_request_header(const struct sim_request *r, const char *name)
{
    struct ks_str value = {.ptr = NULL, .len = 0};

    (void)sim_request_header_at(r, name, 0, &value); /* absent is the empty view */
    return value;
}
