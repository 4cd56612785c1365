/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: bytes of the socket through OpenSSL into nghttp2 and back.
 *
 *   HANDSHAKE --TLS done--> OPEN --nothing left to say--> DEAD_FIN
 *        any --peer gone, protocol broken, fault--> DEAD_FIN | DEAD_RESET
 *        OPEN --end wanted--> FINISHING --all sent--> DEAD_FIN
 *
 * 1. Input is handled as it comes; output is made in sim_conn_flush alone, from nghttp2 when the
 * socket has taken what was made before: at most CONN_OUT_MAX_BYTES wait.
 * 2. A dead connection is only marked and touched; the server frees it after the round.
 * 3. A stalled connection has left the event loop, so that the kernel's buffers fill as before a
 * dead process.
 *
 * Thread: one. What a request means is none of its business: streams go to stream.c.
 */
#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/alloc.h"
#include "sim.h"
#include "stream.h"
#include "tls.h"

#define CONN_OUT_MAX_BYTES ((size_t)256 * 1024)
#define CONN_OUT_FILL_BYTES ((size_t)64 * 1024)
#define CONN_OUT_KEEP_BYTES ((size_t)4 * 1024)
#define CONN_FILLS_PER_ROUND 16
#define CONN_READS_PER_ROUND 16
#define CONN_READ_BYTES (16 * 1024)
#define CONN_HANDSHAKE_MS 10000

static struct sim_loop *conn_loop(const struct sim_conn *c)
{
    return sim_server_sim(c->server)->loop;
}

void sim_conn_kill(struct sim_conn *c, enum sim_conn_state how)
{
    if (c->state == SIM_CONN_DEAD_FIN || c->state == SIM_CONN_DEAD_RESET)
        return;
    c->state = how;
    sim_conn_touch(c);
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct sim_conn *c = user;
    struct sim_stream *s;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    s = sim_stream_new(c, frame->hd.stream_id);
    if (!s)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    ks_list_push(&c->streams, &s->link);
    sim_server_count_stream(c->server, 1);
    return nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, s);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len,
                     uint8_t flags KS_UNUSED, void *user KS_UNUSED)
{
    struct sim_stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);

    if (s)
        sim_stream_on_header(s, ks_str_make((const char *)name, name_len),
                             ks_str_make((const char *)value, value_len));
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags KS_UNUSED, int32_t id, const uint8_t *data,
                   size_t len, void *user KS_UNUSED)
{
    struct sim_stream *s = nghttp2_session_get_stream_user_data(h2, id);

    if (s)
        sim_stream_on_content(s, data, len);
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user KS_UNUSED)
{
    struct sim_stream *s;

    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (s)
        sim_stream_on_complete(s);
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error_code KS_UNUSED,
                           void *user)
{
    struct sim_conn *c = user;
    struct sim_stream *s = nghttp2_session_get_stream_user_data(h2, id);

    if (!s)
        return 0;
    ks_list_remove(&s->link);
    sim_server_count_stream(c->server, -1);
    sim_stream_free(s);
    return 0;
}

static bool session_make(struct sim_conn *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, sim_server_max_streams(c->server)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 256 * 1024},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 1024 * 1024},
    };
    int rc;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    rc = nghttp2_session_server_new(&c->h2, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    return rc == 0 &&
           nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, entries, KS_ARRAY_LEN(entries)) == 0;
}

static void handshake_step(struct sim_conn *c)
{
    int rc = SSL_accept(c->ssl);

    if (rc == 1) {
        sim_timer_stop(conn_loop(c), &c->timer);
        c->state = SIM_CONN_OPEN;
        if (!session_make(c))
            sim_conn_kill(c, SIM_CONN_DEAD_FIN);
        sim_conn_touch(c);
        return;
    }
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    default:
        sim_conn_kill(c, SIM_CONN_DEAD_FIN);
    }
    ERR_clear_error();
}

static void input_take(struct sim_conn *c)
{
    uint8_t chunk[CONN_READ_BYTES];

    for (int i = 0; i < CONN_READS_PER_ROUND && c->state == SIM_CONN_OPEN; i++) {
        int n = SSL_read(c->ssl, chunk, sizeof(chunk));

        if (n <= 0) {
            int why = SSL_get_error(c->ssl, n);

            ERR_clear_error();
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                sim_conn_kill(c, SIM_CONN_DEAD_FIN);
            break;
        }
        sim_server_count(c->server, (size_t)n, 0);
        if (nghttp2_session_mem_recv(c->h2, chunk, (size_t)n) < 0)
            c->state = SIM_CONN_FINISHING;
    }
    sim_conn_touch(c);
}

static void on_ready(struct sim_source *source, uint32_t events KS_UNUSED)
{
    struct sim_conn *c = KS_CONTAINER_OF(source, struct sim_conn, source);

    if (c->is_stalled)
        return;
    if (c->state == SIM_CONN_HANDSHAKE)
        handshake_step(c);
    if (c->state == SIM_CONN_OPEN)
        input_take(c);
    else
        sim_conn_touch(c);
}

static void on_timer(struct sim_timer *timer)
{
    struct sim_conn *c = KS_CONTAINER_OF(timer, struct sim_conn, timer);

    if (!c->is_stalled || sim_loop_add(conn_loop(c), &c->source, c->interest))
        sim_conn_kill(c, SIM_CONN_DEAD_FIN);
    c->is_stalled = false;
    sim_conn_touch(c);
}

struct sim_conn *sim_conn_new(struct sim_server *server, int fd, uint64_t id)
{
    struct sim_conn *c = ks_alloc0(sizeof(*c));
    int on = 1;

    if (!c) {
        close(fd);
        return NULL;
    }
    c->server = server;
    c->id = id;
    c->source = (struct sim_source){.fd = fd, .on_ready = on_ready};
    c->timer.on_due = on_timer;
    ks_list_init(&c->link);
    ks_list_init(&c->dirty);
    ks_list_init(&c->streams);
    ks_buf_init(&c->out, CONN_OUT_MAX_BYTES);
    /* Without it only latency suffers. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->ssl = sim_tls_session_new(sim_server_sim(server)->tls, fd);
    c->interest = EPOLLIN;
    if (!c->ssl || sim_loop_add(conn_loop(c), &c->source, c->interest) ||
        !sim_timer_start(conn_loop(c), &c->timer, CONN_HANDSHAKE_MS))
        return sim_conn_free(c);
    return c;
}

static void socket_close(struct sim_conn *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (c->state == SIM_CONN_DEAD_RESET)
        (void)setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* else: FIN */
    else if (c->state == SIM_CONN_DEAD_FIN && c->ssl && SSL_is_init_finished(c->ssl))
        (void)SSL_shutdown(c->ssl); /* a courtesy */
    ERR_clear_error();
    close(c->source.fd);
}

struct sim_conn *sim_conn_free(struct sim_conn *c)
{
    if (!c)
        return NULL;
    sim_timer_stop(conn_loop(c), &c->timer);
    sim_loop_remove(conn_loop(c), &c->source);
    ks_list_remove(&c->link);
    ks_list_remove(&c->dirty);
    KS_LIST_FOREACH(link, &c->streams)
    {
        ks_list_remove(link);
        sim_server_count_stream(c->server, -1);
        sim_stream_free(KS_CONTAINER_OF(link, struct sim_stream, link));
    }
    nghttp2_session_del(c->h2);
    socket_close(c);
    SSL_free(c->ssl);
    ks_buf_fini(&c->out);
    ks_free(c);
    return NULL;
}

/* Refills the output from nghttp2; false when there is nothing to send. */
static bool output_fill(struct sim_conn *c)
{
    if (c->out_at < c->out.len)
        return true;
    ks_buf_clear(&c->out);
    c->out_at = 0;
    while (c->h2 && c->out.len < CONN_OUT_FILL_BYTES) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(c->h2, &data);

        if (n < 0 || (n > 0 && ks_buf_append(&c->out, data, (size_t)n))) {
            sim_conn_kill(c, SIM_CONN_DEAD_FIN);
            return false;
        }
        if (n == 0)
            break;
    }
    return c->out.len > 0;
}

/* Writes until the socket is full (false) or nothing is left or the round's share is used up
 * (true). */
static bool output_send(struct sim_conn *c)
{
    for (int i = 0; i < CONN_FILLS_PER_ROUND && output_fill(c); i++) {
        int n = SSL_write(c->ssl, c->out.data + c->out_at, (int)(c->out.len - c->out_at));

        if (n <= 0) {
            int why = SSL_get_error(c->ssl, n);

            ERR_clear_error();
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
                return false;
            sim_conn_kill(c, SIM_CONN_DEAD_FIN);
            return true;
        }
        sim_server_count(c->server, 0, (size_t)n);
        c->out_at += (size_t)n;
    }
    return c->out_at == c->out.len;
}

static void interest_set(struct sim_conn *c, uint32_t interest)
{
    if (c->interest == interest)
        return;
    c->interest = interest;
    sim_loop_change(conn_loop(c), &c->source, interest);
}

static bool has_more(const struct sim_conn *c)
{
    return c->out_at < c->out.len || (c->h2 && nghttp2_session_want_write(c->h2));
}

void sim_conn_flush(struct sim_conn *c)
{
    bool drained;

    if (c->is_stalled || c->state == SIM_CONN_HANDSHAKE || c->state >= SIM_CONN_DEAD_FIN)
        return;
    drained = output_send(c);
    if (c->state >= SIM_CONN_DEAD_FIN)
        return;
    if (drained && !has_more(c)) {
        ks_buf_shrink(&c->out, CONN_OUT_KEEP_BYTES);
        if (c->state == SIM_CONN_FINISHING || !nghttp2_session_want_read(c->h2))
            c->state = c->resets ? SIM_CONN_DEAD_RESET : SIM_CONN_DEAD_FIN;
        interest_set(c, EPOLLIN);
        return;
    }
    interest_set(c, c->state == SIM_CONN_OPEN ? EPOLLIN | EPOLLOUT : EPOLLOUT);
}

void sim_conn_goaway(struct sim_conn *c, uint32_t h2_error_code, int32_t last_stream_id)
{
    if (!c->h2)
        return;
    if (last_stream_id < 0)
        last_stream_id = nghttp2_session_get_last_proc_stream_id(c->h2);
    if (nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, last_stream_id, h2_error_code, NULL, 0))
        sim_conn_kill(c, SIM_CONN_DEAD_FIN);
    sim_conn_touch(c);
}

void sim_conn_stall(struct sim_conn *c, int64_t for_ms)
{
    if (c->is_stalled || c->state >= SIM_CONN_FINISHING)
        return;
    c->is_stalled = true;
    sim_loop_remove(conn_loop(c), &c->source);
    if (for_ms > 0)
        (void)sim_timer_start(conn_loop(c), &c->timer, for_ms); /* else it stalls for ever */
    else
        sim_timer_stop(conn_loop(c), &c->timer);
}
