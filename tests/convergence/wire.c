/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: ks_http_* of internal/http on the one side, sim_stream_* of kubesim on the other.
 *
 * A request moves when its `step` timer fires: it reaches the server, its head arrives, a piece of
 * its body arrives. The server's part of that is done in the same moment, so that what is on the
 * way is what the server said then.
 *
 * Invariants:
 *   1. no callback from within ks_http_start, and none after ks_http_cancel;
 *   2. a request is freed by the step that ends it, or by ks_http_cancel outside of its callbacks;
 *   3. a dead connection is found out at last: what hangs ends after HANG_MS at the latest.
 *
 * Thread: the loop's.  It does not: limit connections, queue, probe, decompress.
 */
#include "convergence/wire.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#include "kubesim/reqlog.h"
#include "kubesim/router.h"
#include "kubesim/sim.h"

#include "convergence/wire_internal.h"

#define HEADERS_MAX_BYTES ((size_t)64 * 1024)
#define BODY_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define READ_BYTES ((size_t)64 * 1024)
#define HANG_MS 45000
#define HEAD_TIMEOUT_MS 65000
#define TOTAL_TIMEOUT_MS 75000

struct wire the_wire;

void wire_start(struct ks_loop *loop, struct sim *sim, struct dice dice)
{
    the_wire = (struct wire){.loop = loop, .sim = sim, .dice = dice, .latency_ms = 5};
    ks_list_init(&the_wire.clients);
}

void wire_set_odds(const struct wire_odds *odds)
{
    the_wire.odds = *odds;
}

static void client_calm(struct ks_http *http)
{
    KS_LIST_FOREACH(link, &http->requests)
    {
        struct ks_http_request *r = KS_CONTAINER_OF(link, struct ks_http_request, link);

        r->fate = (struct wire_fate){.cut_at = UINT64_MAX};
    }
}

void wire_calm(void)
{
    KS_LIST_FOREACH(link, &the_wire.clients)
    {
        client_calm(KS_CONTAINER_OF(link, struct ks_http, link));
    }
}

void wire_set_verbose(bool is_verbose)
{
    the_wire.is_verbose = is_verbose;
}

static void say(const struct ks_http_request *r, const char *what, int status)
{
    struct ks_str path = sim_request_header(&r->stream.request, ":path");

    if (the_wire.is_verbose)
        printf("%8lld request %d %s %d %.*s\n", (long long)ks_loop_now_ms(the_wire.loop),
               (int)r->stream.id, what, status, KS_STR_ARGS(path));
}

void wire_set_latency(int64_t max_ms)
{
    the_wire.latency_ms = max_ms;
}

struct wire_stats wire_stats(void)
{
    return the_wire.stats;
}

ks_rc ks_http_new(struct ks_loop *loop KS_UNUSED, const struct ks_http_config *config,
                  struct ks_http **out, struct ks_error *err)
{
    struct ks_http *http = ks_alloc0(sizeof(*http));

    if (!http)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a client of the wire");
    ks_list_init(&http->requests);
    ks_list_push(&the_wire.clients, &http->link);
    snprintf(http->user_agent, sizeof(http->user_agent), "%s",
             config->user_agent ? config->user_agent : "");
    *out = http;
    return KS_RC_OK;
}

static void request_free(struct ks_http_request *r)
{
    struct sim_stream *s = &r->stream;

    ks_timer_stop(&r->step);
    ks_timer_stop(&r->deadline);
    sim_timer_stop(the_wire.sim->loop, &s->timer);
    ks_list_remove(&s->parked);
    ks_list_remove(&r->link);
    sim_body_free(s->body);
    sim_log_entry_end(s->entry, s->sent_bytes, s->sent_events);
    ks_buf_fini(&s->headers);
    ks_buf_fini(&s->content);
    ks_buf_fini(&r->body);
    ks_free(r);
    the_wire.stats.open--;
}

struct ks_http *ks_http_free(struct ks_http *http)
{
    if (!http)
        return NULL;
    KS_LIST_FOREACH(link, &http->requests)
    {
        request_free(KS_CONTAINER_OF(link, struct ks_http_request, link));
    }
    ks_list_remove(&http->link);
    ks_free(http);
    return NULL;
}

void ks_http_get_stats(const struct ks_http *http KS_UNUSED, struct ks_http_stats *out)
{
    *out = (struct ks_http_stats){.requests = the_wire.stats.open};
}

void ks_http_cancel(struct ks_http_request *r)
{
    if (!r)
        return;
    say(r, "is cancelled", 0);
    r->is_dead = true;
    if (!r->is_in_callback)
        request_free(r);
}

static void request_end(struct ks_http_request *r, ks_rc rc, const char *why)
{
    struct ks_http_result result = {
        .rc = rc,
        .is_before_head = !r->has_head,
    };
    const struct ks_http_ops *ops = r->ops;
    void *ctx = r->ctx;

    if (rc)
        (void)ks_fail(&result.error, rc, "%s", why); /* passed on */
    say(r, rc ? why : "ends", 0);
    request_free(r);
    ops->on_end(ctx, &result);
}

void wire_request_break(struct ks_http_request *r)
{
    r->phase = WIRE_BROKEN;
    ks_timer_start(&r->step, 0);
}

static void on_deadline(struct ks_timer *timer)
{
    struct ks_http_request *r = KS_CONTAINER_OF(timer, struct ks_http_request, deadline);

    request_end(r, KS_RC_TIMEOUT, "the wire: no answer in time");
}

static bool odds_of(uint32_t permille)
{
    bool is_hit = dice_permille(&the_wire.dice, permille);

    the_wire.stats.faults += is_hit;
    return is_hit;
}

static int64_t fate_draw(struct ks_http_request *r)
{
    static const int statuses[] = {429, 500, 503, 403, 504};
    const struct wire_odds *odds = &the_wire.odds;
    struct dice *d = &the_wire.dice;
    struct wire_fate *f = &r->fate;
    bool is_long = dice_permille(d, 500);
    bool is_cut = true;

    f->cut_at = UINT64_MAX;
    f->is_refused = the_wire.is_down || odds_of(odds->refuse);
    if (odds_of(odds->status))
        f->status = statuses[dice_below(d, KS_ARRAY_LEN(statuses))];
    if (odds_of(odds->gone)) {
        f->is_gone_event = r->is_watch && dice_permille(d, 500);
        f->status = f->is_gone_event ? 0 : 410;
    }
    /* A list is seldom asked for, a watch is often renewed. */
    if (odds_of(r->is_watch ? odds->cut : odds->cut * 3))
        f->then = WIRE_CUT;
    else if (odds_of(odds->end))
        f->then = WIRE_END;
    else if (odds_of(odds->hang))
        f->then = WIRE_HANG;
    else
        is_cut = f->is_gone_event;
    if (is_cut)
        f->cut_at = dice_below(d, is_long ? 20000 : 1500);
    f->is_slow = odds_of(odds->slow);
    f->hides_bookmarks = odds_of(odds->no_bookmarks);
    return odds_of(odds->delay) ? dice_between(d, 100, 20000)
                                : dice_between(d, 0, the_wire.latency_ms);
}

static ks_rc header_add(struct ks_buf *b, const char *name, struct ks_str value)
{
    ks_rc rc;

    if (!value.len)
        return KS_RC_OK;
    rc = ks_buf_append(b, name, strlen(name) + 1);
    rc = rc ? rc : ks_buf_append_str(b, value);
    return rc ? rc : ks_buf_append_byte(b, '\0');
}

/* A page may be as short as the server likes. */
static ks_rc path_add(struct ks_buf *b, const char *path)
{
    static const char wanted[] = "limit=500";
    const char *limit = strstr(path, wanted);
    char text[4096];

    if (!limit || !odds_of(the_wire.odds.short_pages))
        return header_add(b, ":path", ks_str_from(path));
    snprintf(text, sizeof(text), "%.*slimit=%u%s", (int)(limit - path), path,
             1 + dice_below(&the_wire.dice, 6), limit + sizeof(wanted) - 1);
    return header_add(b, ":path", ks_str_from(text));
}

static ks_rc headers_fill(struct ks_http_request *r, const struct ks_http_request_config *c)
{
    struct ks_buf *b = &r->stream.headers;
    ks_rc rc = header_add(b, ":method", ks_str_from(c->method));

    rc = rc ? rc : path_add(b, c->path);
    rc = rc ? rc : header_add(b, "accept", ks_str_from(c->accept ? c->accept : "application/json"));
    rc = rc ? rc : header_add(b, "user-agent", ks_str_from(r->http->user_agent));
    rc = rc ? rc : header_add(b, "authorization", c->authorization);
    rc = rc ? rc : header_add(b, "if-none-match", ks_str_from(c->if_none_match));
    rc = rc ? rc : header_add(b, "content-type", ks_str_from(c->body.len ? c->content_type : ""));
    for (size_t i = 0; i < c->extra_count && !rc; i++)
        rc = header_add(b, c->extra[i].name, c->extra[i].value);
    return rc ? rc : ks_buf_append_str(&r->stream.content, c->body);
}

static void on_stream_timer(struct sim_timer *timer)
{
    struct sim_stream *s = KS_CONTAINER_OF(timer, struct sim_stream, timer);

    ks_list_remove(&s->parked);
    sim_route(&s->request);
}

static void request_route(struct ks_http_request *r)
{
    struct sim_stream *s = &r->stream;
    struct ks_str target = sim_request_header(&s->request, ":path");
    ptrdiff_t mark = ks_str_chr(target, '?');

    r->phase = WIRE_ROUTED;
    s->is_dispatched = true;
    s->request.method = sim_request_header(&s->request, ":method");
    s->request.path = mark < 0 ? target : ks_str_sub(target, 0, (size_t)mark);
    s->request.query = mark < 0 ? KS_LIT("") : ks_str_sub(target, (size_t)mark + 1, target.len);
    s->request.content = ks_buf_str(&s->content);
    s->entry = sim_reqlog_add(the_wire.sim->reqlog, &s->request);
    sim_route(&s->request);
}

static void answer_fate(struct ks_http_request *r)
{
    char text[256];
    int n =
        snprintf(text, sizeof(text),
                 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                 "\"Failure\",\"message\":\"the wire's fault\",\"reason\":\"%s\",\"code\":%d}\n",
                 r->fate.status == 410 ? "Expired" : "", r->fate.status);
    struct sim_reply reply = {.status = r->fate.status, .content_type = "application/json"};

    reply.body = sim_body_bytes_new(ks_memdup0(text, (size_t)n), (size_t)n);
    r->retry_after_s = r->fate.status == 429 ? 1 : -1;
    sim_stream_reply(&r->stream, &reply);
}

static void deliver_head(struct ks_http_request *r)
{
    struct ks_http_head head = {
        .status = r->reply.status,
        .content_type = ks_str_from(r->content_type),
        .etag = ks_str_from(r->etag),
        .retry_after_s = r->retry_after_s,
    };

    say(r, "is answered", r->reply.status);
    r->phase = WIRE_BODY;
    r->has_head = true;
    ks_timer_start(&r->deadline, r->total_ms);
    ks_timer_start(&r->step, 0);
    r->is_in_callback = true;
    r->ops->on_head(r->ctx, &head);
    r->is_in_callback = false;
    if (r->is_dead)
        request_free(r);
}

static bool is_bookmark(struct ks_str line)
{
    return ks_str_starts(line, KS_LIT("{\"type\":\"BOOKMARK\""));
}

/* Takes what the server has to say now. */
static bool body_pull(struct ks_http_request *r)
{
    static uint8_t bytes[READ_BYTES];
    struct sim_stream *s = &r->stream;
    size_t n;

    ks_buf_clear(&r->body);
    r->body_at = 0;
    if (r->is_eof || !s->body)
        return false;
    n = s->body->ops->read(s->body, bytes, sizeof(bytes), &r->is_eof);
    s->sent_bytes += n;
    if (r->fate.hides_bookmarks && is_bookmark(ks_str_make((const char *)bytes, n)))
        return body_pull(r);
    if (n && ks_buf_append(&r->body, bytes, n))
        wire_request_break(r);
    return n > 0;
}

static void body_cut(struct ks_http_request *r)
{
    static const char gone[] =
        "\n{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{"
        "},"
        "\"status\":\"Failure\",\"message\":\"too old resource version: 1 (2)\",\"reason\":"
        "\"Expired\",\"code\":410}}\n";

    if (r->fate.is_gone_event) {
        r->is_in_callback = true;
        r->ops->on_data(r->ctx, ks_str_make(gone, sizeof(gone) - 1));
        r->is_in_callback = false;
        if (r->is_dead)
            request_free(r);
        else
            request_end(r, KS_RC_OK, "");
        return;
    }
    if (r->fate.then == WIRE_END) {
        request_end(r, KS_RC_OK, "");
        return;
    }
    r->phase = WIRE_BROKEN;
    ks_timer_start(&r->step, r->fate.then == WIRE_HANG ? HANG_MS : 0);
}

/* The size of the next piece that arrives; 0: the cut is here. */
static size_t piece_size(struct ks_http_request *r)
{
    size_t left = r->body.len - r->body_at;
    size_t most = r->fate.is_slow ? 40 : dice_permille(&the_wire.dice, 800) ? READ_BYTES : 700;
    size_t n = 1 + dice_below(&the_wire.dice, (uint32_t)most);
    bool is_line = r->fate.is_gone_event && r->body_at == 0;

    if (most == READ_BYTES || n > left)
        n = left;
    if (is_line && r->arrived >= r->fate.cut_at)
        return 0;
    if (!r->fate.is_gone_event && r->arrived + n > r->fate.cut_at)
        n = r->fate.cut_at > r->arrived ? (size_t)(r->fate.cut_at - r->arrived) : 0;
    return n;
}

static void deliver_body(struct ks_http_request *r)
{
    struct ks_str piece;
    size_t n;

    if (r->body_at == r->body.len && !body_pull(r)) {
        if (r->is_eof || !r->stream.body)
            request_end(r, KS_RC_OK, "");
        else
            r->stream.is_deferred = true;
        return;
    }
    n = piece_size(r);
    if (n == 0) {
        body_cut(r);
        return;
    }
    piece = ks_str_make(r->body.data + r->body_at, n);
    r->body_at += n;
    r->arrived += n;
    ks_timer_start(&r->step, r->fate.is_slow ? dice_between(&the_wire.dice, 1, 60) : 0);
    r->is_in_callback = true;
    r->ops->on_data(r->ctx, piece);
    r->is_in_callback = false;
    if (r->is_dead)
        request_free(r);
}

static void on_step(struct ks_timer *timer)
{
    struct ks_http_request *r = KS_CONTAINER_OF(timer, struct ks_http_request, step);

    switch (r->phase) {
    case WIRE_SENT:
        if (r->fate.is_refused)
            request_end(r, KS_RC_IO, "the wire: connection refused");
        else if (r->fate.status)
            answer_fate(r);
        else
            request_route(r);
        return;
    case WIRE_ROUTED:
        return;
    case WIRE_REPLIED:
        deliver_head(r);
        return;
    case WIRE_BODY:
        deliver_body(r);
        return;
    case WIRE_BROKEN:
        request_end(r, KS_RC_IO, "the wire: connection reset");
        return;
    }
}

static struct ks_http_request *request_new(struct ks_http *http,
                                           const struct ks_http_request_config *config)
{
    struct ks_http_request *r = ks_alloc0(sizeof(*r));

    if (!r)
        return NULL;
    r->http = http;
    r->ops = config->ops;
    r->ctx = config->ctx;
    r->retry_after_s = -1;
    r->total_ms = config->timeout_ms ? config->timeout_ms : TOTAL_TIMEOUT_MS;
    r->is_watch = config->lane == KS_HTTP_LANE_WATCH;
    ks_timer_init(&r->step, the_wire.loop, on_step);
    ks_timer_init(&r->deadline, the_wire.loop, on_deadline);
    ks_buf_init(&r->body, BODY_MAX_BYTES);
    r->stream.conn = &http->conn;
    r->stream.id = (int32_t)the_wire.stats.requests;
    r->stream.request.sim = the_wire.sim;
    r->stream.request.stream = &r->stream;
    r->stream.timer.on_due = on_stream_timer;
    ks_list_init(&r->stream.link);
    ks_list_init(&r->stream.parked);
    ks_buf_init(&r->stream.headers, HEADERS_MAX_BYTES);
    ks_buf_init(&r->stream.content, BODY_MAX_BYTES);
    ks_list_push(&http->requests, &r->link);
    the_wire.stats.open++;
    return r;
}

ks_rc ks_http_start(struct ks_http *http, const struct ks_http_request_config *config,
                    struct ks_http_request **out, struct ks_error *err)
{
    struct ks_http_request *r = request_new(http, config);

    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a request");
    if (headers_fill(r, config)) {
        request_free(r);
        return ks_fail(err, KS_RC_NOMEM, "no memory for a request");
    }
    the_wire.stats.requests++;
    the_wire.stats.watches += r->is_watch;
    the_wire.stats.lists += !r->is_watch && strstr(config->path, "limit=") != NULL;
    say(r, "starts", 0);
    ks_timer_start(&r->step, fate_draw(r));
    ks_timer_start(&r->deadline,
                   config->head_timeout_ms ? config->head_timeout_ms : HEAD_TIMEOUT_MS);
    *out = r;
    return KS_RC_OK;
}

void sim_stream_reply(struct sim_stream *s, struct sim_reply *reply)
{
    struct ks_http_request *r = KS_CONTAINER_OF(s, struct ks_http_request, stream);

    assert(!s->is_replied);
    s->is_replied = true;
    s->body = KS_TAKE(reply->body);
    r->reply = *reply;
    snprintf(r->content_type, sizeof(r->content_type), "%s",
             reply->content_type ? reply->content_type : "");
    for (size_t i = 0; i < SIM_REPLY_HEADERS_MAX && reply->headers[i].name; i++) {
        if (strcmp(reply->headers[i].name, "etag") == 0)
            snprintf(r->etag, sizeof(r->etag), "%s", reply->headers[i].value);
    }
    sim_log_entry_set_status(s->entry, reply->status);
    if (r->phase == WIRE_BROKEN)
        return;
    r->phase = WIRE_REPLIED;
    ks_timer_start(&r->step, dice_between(&the_wire.dice, 0, the_wire.latency_ms));
}

void sim_stream_wake(struct sim_stream *s)
{
    struct ks_http_request *r = KS_CONTAINER_OF(s, struct ks_http_request, stream);

    if (!s->is_deferred || r->phase != WIRE_BODY)
        return;
    s->is_deferred = false;
    ks_timer_start(&r->step, dice_between(&the_wire.dice, 0, the_wire.latency_ms));
}

void sim_stream_park(struct sim_stream *s, int64_t delay_ms, uint64_t rv)
{
    s->parked_for_rv = rv;
    if (rv)
        ks_list_push(&the_wire.sim->parked, &s->parked);
    if (!sim_timer_start(the_wire.sim->loop, &s->timer, delay_ms))
        sim_stream_reset(s, 0);
}

void sim_stream_reset(struct sim_stream *s, uint32_t h2_error_code KS_UNUSED)
{
    wire_request_break(KS_CONTAINER_OF(s, struct ks_http_request, stream));
}
