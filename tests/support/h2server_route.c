/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which path gets what; the table is in h2server.h.
 *
 * Thread: the server's own.
 */
#include <assert.h>
#include <stdio.h>

#include "support/h2server_internal.h"

static bool path_number(const struct stream *stream, const char *prefix, int64_t *out)
{
    const struct ks_str path = ks_str_from(stream->path);
    const struct ks_str start = ks_str_from(prefix);

    return ks_str_starts(path, start) &&
           ks_str_to_int64(ks_str_sub(path, start.len, path.len), out);
}

static void body_set(struct stream *stream, struct ks_str text)
{
    const ks_rc rc = ks_buf_append_str(&stream->body, text);

    assert(rc == KS_RC_OK);
    (void)rc;
}

static void route_numbered(struct stream *stream, int64_t size, int64_t status)
{
    if (status > 0) {
        stream->status = (int)status;
        if (status >= 300 && status < 400)
            (void)snprintf(stream->location, sizeof(stream->location), "https://127.0.0.1:%d/echo",
                           stream->conn->server->port); /* fits */
    }
    for (int64_t i = 0; i < size; i += 100)
        body_set(stream, ks_str_sub(KS_LIT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
                                    0, (size_t)(size - i)));
}

void h2server_route(struct stream *stream)
{
    const struct ks_str path = ks_str_from(stream->path);
    int64_t number = 0;

    stream->status = 200;
    stream->is_complete = true;
    stream->reset_code = -1;
    if (ks_str_starts(path, KS_LIT("/watch")) || ks_str_is(path, "/endless")) {
        stream->is_complete = false;
    } else if (ks_str_is(path, "/echo")) {
        body_set(stream, ks_buf_str(&stream->request));
    } else if (path_number(stream, "/status/", &number)) {
        route_numbered(stream, 0, number);
    } else if (path_number(stream, "/size/", &number)) {
        route_numbered(stream, number, 0);
    } else if (path_number(stream, "/rst/", &number)) {
        body_set(stream, KS_LIT("{\"half\":"));
        stream->reset_code = number;
        stream->is_complete = false;
    } else {
        body_set(stream, KS_LIT("{}"));
    }
    stream->wants_interim = ks_str_is(path, "/interim");
    stream->has_trailers = ks_str_is(path, "/trailers");
    stream->is_encoded = ks_str_is(path, "/encoded");
    if (ks_str_is(path, "/retry")) {
        stream->status = 429;
        stream->wants_retry = true;
    }
    if (ks_str_is(path, "/etag"))
        (void)snprintf(stream->etag, sizeof(stream->etag), "\"v1\""); /* fits */
}
