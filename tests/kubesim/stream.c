/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request gathers, is routed, and its answer's body is pulled by nghttp2 as the client's window
 * allows.
 *
 *   gathering --END_STREAM--> routed --sim_stream_reply--> answering --body ended or reset--> freed
 *                               |  ^
 *                               +--+ parked
 *
 * 1. The answer is submitted once; a second one is our mistake.
 * 2. The body is read only inside nghttp2's read callback. When it has nothing, the stream is
 * deferred until sim_stream_wake.
 * 3. A fault's trigger point is looked at before each read, and a read never goes across it.
 *
 * Thread: one. What paths mean is the router's business.
 */
#include "stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "conn.h"
#include "reqlog.h"
#include "router.h"
#include "sim.h"

#define STREAM_HEADERS_MAX_BYTES ((size_t)64 * 1024)
#define STREAM_CONTENT_MAX_BYTES ((size_t)16 * 1024 * 1024)

static struct sim *stream_sim(const struct sim_stream *s)
{
    return sim_server_sim(s->conn->server);
}

static void on_timer(struct sim_timer *timer)
{
    struct sim_stream *s = KS_CONTAINER_OF(timer, struct sim_stream, timer);

    if (s->is_replied) {
        sim_stream_wake(s);
        return;
    }
    ks_list_remove(&s->parked);
    sim_route(&s->request);
}

struct sim_stream *sim_stream_new(struct sim_conn *conn, int32_t id)
{
    struct sim_stream *s = ks_alloc0(sizeof(*s));

    if (!s)
        return NULL;
    s->conn = conn;
    s->id = id;
    ks_list_init(&s->link);
    ks_list_init(&s->parked);
    ks_buf_init(&s->headers, STREAM_HEADERS_MAX_BYTES);
    ks_buf_init(&s->content, STREAM_CONTENT_MAX_BYTES);
    s->timer.on_due = on_timer;
    s->plan.base_bytes = UINT64_MAX;
    s->request.sim = stream_sim(s);
    s->request.stream = s;
    return s;
}

void sim_stream_free(struct sim_stream *s)
{
    sim_timer_stop(stream_sim(s)->loop, &s->timer);
    ks_list_remove(&s->parked);
    sim_body_free(s->body);
    sim_log_entry_end(s->entry, s->sent_bytes, s->sent_events);
    sim_fault_plan_fini(&s->plan);
    ks_buf_fini(&s->headers);
    ks_buf_fini(&s->content);
    ks_free(s);
}

void sim_stream_on_header(struct sim_stream *s, struct ks_str name, struct ks_str value)
{
    if (s->is_dispatched)
        return;
    if (ks_buf_append_str(&s->headers, name) || ks_buf_append_byte(&s->headers, '\0') ||
        ks_buf_append_str(&s->headers, value) || ks_buf_append_byte(&s->headers, '\0'))
        s->is_too_large = true;
}

void sim_stream_on_content(struct sim_stream *s, const void *data, size_t len)
{
    if (s->is_dispatched || s->is_too_large)
        return;
    if (ks_buf_append(&s->content, data, len))
        s->is_too_large = true;
}

void sim_stream_on_complete(struct sim_stream *s)
{
    struct ks_str target;
    ptrdiff_t mark;

    if (s->is_dispatched)
        return;
    s->is_dispatched = true;
    s->request.method = sim_request_header(&s->request, ":method");
    target = sim_request_header(&s->request, ":path");
    mark = ks_str_chr(target, '?');
    s->request.path = mark < 0 ? target : ks_str_sub(target, 0, (size_t)mark);
    s->request.query = mark < 0 ? KS_LIT("") : ks_str_sub(target, (size_t)mark + 1, target.len);
    s->request.content = ks_buf_str(&s->content);
    s->entry = sim_reqlog_add(stream_sim(s)->reqlog, &s->request);
    sim_route(&s->request);
}

void sim_stream_wake(struct sim_stream *s)
{
    if (!s->is_deferred || sim_timer_is_started(&s->timer))
        return;
    s->is_deferred = false;
    if (nghttp2_session_resume_data(s->conn->h2, s->id))
        sim_conn_kill(s->conn, SIM_CONN_DEAD_FIN);
    sim_conn_touch(s->conn);
}

void sim_stream_park(struct sim_stream *s, int64_t delay_ms, uint64_t rv)
{
    s->parked_for_rv = rv;
    if (rv)
        ks_list_push(&stream_sim(s)->parked, &s->parked);
    if (!sim_timer_start(stream_sim(s)->loop, &s->timer, delay_ms))
        sim_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

void sim_stream_reset(struct sim_stream *s, uint32_t h2_error_code)
{
    if (nghttp2_submit_rst_stream(s->conn->h2, NGHTTP2_FLAG_NONE, s->id, h2_error_code))
        sim_conn_kill(s->conn, SIM_CONN_DEAD_FIN);
    sim_conn_touch(s->conn);
}

enum trigger { TRIGGER_FAR, TRIGGER_NEAR, TRIGGER_HERE };

/* Where the fault's trigger point lies; when near, *limit shrinks to the bytes before it. */
static enum trigger trigger_find(struct sim_stream *s, size_t *limit)
{
    struct sim_fault_plan *p = &s->plan;
    uint64_t done;

    if (p->act == SIM_FAULT_NONE || s->sent_events < p->after_events)
        return TRIGGER_FAR;
    if (p->base_bytes == UINT64_MAX)
        p->base_bytes = s->sent_bytes;
    done = s->sent_bytes - p->base_bytes;
    if (done >= p->after_bytes)
        return TRIGGER_HERE;
    if (p->after_bytes - done < *limit)
        *limit = (size_t)(p->after_bytes - done);
    return TRIGGER_NEAR;
}

static ssize_t defer(struct sim_stream *s)
{
    s->is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

static ssize_t text_send(struct sim_stream *s, uint8_t *out, size_t limit, uint32_t *flags)
{
    struct sim_fault_plan *p = &s->plan;
    size_t left = p->text_len - p->text_at;
    size_t n = left < limit ? left : limit;

    if (n > 0)
        memcpy(out, p->text + p->text_at, n);
    p->text_at += n;
    if (p->text_at < p->text_len)
        return (ssize_t)n;
    if (p->act == SIM_FAULT_LAST_TEXT)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    p->act = SIM_FAULT_NONE;
    return (ssize_t)n;
}

/* At the trigger point: what the read callback returns, or -1 = go on with the body. */
static ssize_t trigger_act(struct sim_stream *s, uint8_t *out, size_t limit, uint32_t *flags)
{
    if (s->plan.wait_ms > 0) {
        bool waits = sim_timer_start(stream_sim(s)->loop, &s->timer, s->plan.wait_ms);

        s->plan.wait_ms = 0;
        if (waits)
            return defer(s);
    }
    switch (s->plan.act) {
    case SIM_FAULT_END:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    case SIM_FAULT_RESET:
        sim_stream_reset(s, s->plan.h2_error);
        return defer(s);
    case SIM_FAULT_FIN:
        s->conn->state = SIM_CONN_FINISHING;
        sim_conn_touch(s->conn);
        return defer(s);
    case SIM_FAULT_RST:
        s->conn->state = SIM_CONN_FINISHING;
        s->conn->resets = true;
        sim_conn_touch(s->conn);
        return defer(s);
    case SIM_FAULT_GOAWAY:
        sim_conn_goaway(s->conn, s->plan.h2_error, s->plan.last_stream_id);
        s->plan.act = SIM_FAULT_NONE;
        return -1;
    case SIM_FAULT_HANG:
        s->is_deferred = false; /* nothing wakes it */
        return NGHTTP2_ERR_DEFERRED;
    case SIM_FAULT_TEXT:
    case SIM_FAULT_LAST_TEXT:
        return text_send(s, out, limit, flags);
    case SIM_FAULT_NONE:
        break;
    }
    return -1;
}

static ssize_t on_read(nghttp2_session *h2 KS_UNUSED, int32_t id KS_UNUSED, uint8_t *out,
                       size_t limit, uint32_t *flags, nghttp2_data_source *source,
                       void *user KS_UNUSED)
{
    struct sim_stream *s = source->ptr;
    bool eof = false;
    size_t n;

    if (sim_timer_is_started(&s->timer))
        return defer(s);
    if (s->plan.pace_bytes > 0 && s->plan.pace_bytes < limit)
        limit = s->plan.pace_bytes;
    if (trigger_find(s, &limit) == TRIGGER_HERE) {
        ssize_t done = trigger_act(s, out, limit, flags);

        if (done != -1)
            return done;
    }
    n = s->body ? s->body->ops->read(s->body, out, limit, &eof) : 0;
    s->sent_bytes += n;
    if (eof || !s->body)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return defer(s);
    if (s->plan.pace_bytes > 0)
        (void)sim_timer_start(stream_sim(s)->loop, &s->timer, s->plan.pace_ms); /* else unpaced */
    return (ssize_t)n;
}

static size_t header_put(nghttp2_nv *nv, const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes; /* nghttp2 copies them; its struct has no const */
    } n = {.text = name}, v = {.text = value};

    *nv = (nghttp2_nv){n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
    return 1;
}

static bool is_cut(const struct sim_fault_plan *p)
{
    return p->act != SIM_FAULT_NONE && p->act != SIM_FAULT_GOAWAY && !p->keep_length;
}

void sim_stream_reply(struct sim_stream *s, struct sim_reply *reply)
{
    nghttp2_nv nv[SIM_REPLY_HEADERS_MAX + 4];
    nghttp2_data_provider provider = {.source.ptr = s, .read_callback = on_read};
    char status[16];
    char length[24];
    size_t n = 0;
    bool has_body = reply->body || s->plan.act != SIM_FAULT_NONE;

    assert(!s->is_replied);
    s->is_replied = true;
    s->body = KS_TAKE(reply->body);
    snprintf(status, sizeof(status), "%d", reply->status);
    n += header_put(&nv[n], ":status", status);
    for (size_t i = 0; i < SIM_REPLY_HEADERS_MAX && reply->headers[i].name; i++)
        n += header_put(&nv[n], reply->headers[i].name, reply->headers[i].value);
    if (reply->content_type)
        n += header_put(&nv[n], "content-type", reply->content_type);
    if (reply->content_length >= 0 && !is_cut(&s->plan)) {
        snprintf(length, sizeof(length), "%lld", (long long)reply->content_length);
        n += header_put(&nv[n], "content-length", length);
    }
    sim_log_entry_set_status(s->entry, reply->status);
    if (nghttp2_submit_response(s->conn->h2, s->id, nv, n, has_body ? &provider : NULL))
        sim_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
    sim_conn_touch(s->conn);
}
