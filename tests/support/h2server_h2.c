/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2server's HTTP/2: frames through nghttp2, bodies as they become due.
 *
 * Thread: the server's own.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "support/h2server_internal.h"

/* nghttp2 takes names and values as bytes that it does not change. */
static nghttp2_nv header(const char *name, const char *value)
{
    union {
        const char *from;
        uint8_t *to;
    } n = {.from = name}, v = {.from = value};

    return (nghttp2_nv){
        .name = n.to, .namelen = strlen(name), .value = v.to, .valuelen = strlen(value)};
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct conn *conn = ctx;

    if (frame->hd.type == NGHTTP2_HEADERS)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id,
                                             h2server_stream_new(conn, frame->hd.stream_id));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    ks_rc rc;

    (void)flags; /* nghttp2's form */
    (void)ctx;
    if (!stream)
        return 0;
    if (name_len == 5 && memcmp(name, ":path", 5) == 0 && value_len < sizeof(stream->path))
        memcpy(stream->path, value, value_len);
    rc = ks_buf_appendf(&stream->request, "%.*s: %.*s\n", (int)name_len, (const char *)name,
                        (int)value_len, (const char *)value);
    assert(rc == KS_RC_OK);
    (void)rc;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct conn *conn = ctx;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        conn->server->counts.resets++;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && stream &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        h2server_request(stream);
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                    size_t len, void *ctx)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    ks_rc rc = KS_RC_OK;

    (void)flags; /* nghttp2's form */
    (void)ctx;
    if (stream)
        rc = ks_buf_append(&stream->request, data, len);
    assert(rc == KS_RC_OK);
    (void)rc;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)code; /* nghttp2's form */
    (void)ctx;
    if (stream)
        h2server_stream_free(stream);
    return 0;
}

void h2server_h2_open(struct conn *conn)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
         conn->server->config.max_streams ? conn->server->config.max_streams : 250},
    };
    nghttp2_session_callbacks *callbacks;
    int rc = nghttp2_session_callbacks_new(&callbacks);

    assert(rc == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    rc = nghttp2_session_server_new(&conn->session, callbacks, conn);
    assert(rc == 0);
    nghttp2_session_callbacks_del(callbacks);
    rc =
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, KS_ARRAY_LEN(settings));
    assert(rc == 0);
    (void)rc;
}

bool h2server_h2_take(struct conn *conn, const uint8_t *data, size_t len)
{
    return nghttp2_session_mem_recv(conn->session, data, len) >= 0;
}

void h2server_h2_pump(struct conn *conn)
{
    const uint8_t *data;
    ssize_t len;

    while ((len = nghttp2_session_mem_send(conn->session, &data)) > 0) {
        const ks_rc rc = ks_buf_append(&conn->out, data, (size_t)len);

        assert(rc == KS_RC_OK);
        (void)rc;
    }
}

static void submit_trailers(struct stream *stream)
{
    const nghttp2_nv trailers[] = {header("x-checksum", "none"), header("retry-after", "99")};
    const int rc =
        nghttp2_submit_trailer(stream->conn->session, stream->id, trailers, KS_ARRAY_LEN(trailers));

    assert(rc == 0);
    (void)rc;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
                       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct stream *stream = source->ptr;
    const struct ks_str left = ks_str_sub(ks_buf_str(&stream->body), stream->body_sent, len);

    (void)session; /* nghttp2's form */
    (void)id;
    (void)ctx;
    if (left.len) {
        memcpy(to, left.ptr, left.len);
        stream->body_sent += left.len;
    }
    if (stream->body_sent < stream->body.len)
        return (ssize_t)left.len;
    if (stream->is_complete)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (left.len == 0)
        return NGHTTP2_ERR_DEFERRED;
    if (stream->is_complete && stream->has_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(stream);
    }
    return (ssize_t)left.len;
}

void h2server_h2_answer(struct stream *stream)
{
    const nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read};
    nghttp2_session *session = stream->conn->session;
    char status[4];
    nghttp2_nv headers[6];
    size_t count = 0;
    int rc = 0;

    if (stream->wants_interim) {
        const nghttp2_nv interim[] = {header(":status", "103"), header("link", "</x>")};

        rc = nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream->id, NULL, interim,
                                    KS_ARRAY_LEN(interim), NULL);
        assert(rc == 0);
    }
    (void)snprintf(status, sizeof(status), "%03u", (unsigned)stream->status % 1000); /* fits */
    headers[count++] = header(":status", status);
    headers[count++] = header("content-type", "application/json");
    if (stream->etag[0])
        headers[count++] = header("etag", stream->etag);
    if (stream->location[0])
        headers[count++] = header("location", stream->location);
    if (stream->is_encoded)
        headers[count++] = header("content-encoding", "gzip");
    if (stream->wants_retry)
        headers[count++] = header("retry-after", "7");
    rc = nghttp2_submit_response(session, stream->id, headers, count, &provider);
    assert(rc == 0);
    (void)rc;
}

void h2server_h2_resume(struct stream *stream)
{
    /* It may not be waiting: then there is nothing to do. */
    (void)nghttp2_session_resume_data(stream->conn->session, stream->id);
}

void h2server_h2_reset(struct stream *stream)
{
    const int rc = nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE, stream->id,
                                             (uint32_t)stream->reset_code);

    assert(rc == 0);
    (void)rc;
}

void h2server_h2_goaway(struct conn *conn, int32_t last_stream_id)
{
    int rc;

    /* The first of the two that an orderly end has: streams on their way are still welcome. */
    if (last_stream_id == INT32_MAX)
        rc = nghttp2_submit_shutdown_notice(conn->session);
    else
        rc = nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last_stream_id,
                                   NGHTTP2_NO_ERROR, NULL, 0);
    assert(rc == 0);
    (void)rc;
}
