/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2server's HTTP/1.1: one request at a time, chunked bodies.
 *
 * Thread: the server's own.
 */
#include <assert.h>
#include <string.h>

#include "support/h2server_internal.h"

static void out(struct conn *conn, struct ks_str text)
{
    const ks_rc rc = ks_buf_append_str(&conn->out, text);

    assert(rc == KS_RC_OK);
    (void)rc;
}

void h2server_http1_resume(struct stream *stream)
{
    struct conn *conn = stream->conn;
    const struct ks_str left =
        ks_str_sub(ks_buf_str(&stream->body), stream->body_sent, stream->body.len);
    ks_rc rc = KS_RC_OK;

    if (left.len) {
        rc = ks_buf_appendf(&conn->out, "%zx\r\n%.*s\r\n", left.len, KS_STR_ARGS(left));
        assert(rc == KS_RC_OK);
        (void)rc;
        stream->body_sent = stream->body.len;
    }
    if (!stream->is_complete)
        return;
    out(conn, KS_LIT("0\r\n\r\n"));
    h2server_stream_free(stream);
}

void h2server_http1_answer(struct stream *stream)
{
    const ks_rc rc = ks_buf_appendf(&stream->conn->out,
                                    "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n"
                                    "Transfer-Encoding: chunked\r\n%s%s%s\r\n",
                                    stream->status, stream->location[0] ? "Location: " : "",
                                    stream->location, stream->location[0] ? "\r\n" : "");

    assert(rc == KS_RC_OK);
    (void)rc;
    h2server_http1_resume(stream);
}

void h2server_http1_take(struct conn *conn, const uint8_t *data, size_t len)
{
    struct stream *stream;
    struct ks_str path;
    struct ks_str rest;
    ks_rc rc = ks_buf_append(&conn->in, data, len);

    assert(rc == KS_RC_OK);
    if (conn->in.len < 4 || !strstr(conn->in.data, "\r\n\r\n"))
        return;
    rest = ks_buf_str(&conn->in);
    stream = h2server_stream_new(conn, 1);
    rc = ks_buf_append_str(&stream->request, rest);
    assert(rc == KS_RC_OK);
    (void)rc;
    if (ks_str_split(&rest, ' ', &path) && ks_str_split(&rest, ' ', &path) &&
        path.len < sizeof(stream->path))
        memcpy(stream->path, path.ptr, path.len);
    ks_buf_clear(&conn->in);
    h2server_request(stream);
}
