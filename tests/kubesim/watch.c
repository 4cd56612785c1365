/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch is the body of an answer that ends late.
 *
 *   start --initial events wanted--> snapshot --all sent--> live --timeout, teardown--> ended
 *     |                                                      ^
 *     +--resourceVersion in the window----------------------+
 *     +--resourceVersion too old--> one ERROR line, ended
 *
 * 1. While nothing is pending the position in the history means nothing; the first event that
 * matches sets it and wakes the stream. So an idle watch costs nothing when others' objects change,
 * however often.
 * 2. An event is sent as the selector sees it: entering it is ADDED, leaving it is DELETED with the
 * state before and the event's resourceVersion.
 * 3. Bodies are shared; only the few bytes around them are the watch's own.
 * 4. A line is finished before a bookmark or the end is looked at.
 * 5. What a bookmark promises has been sent before it.
 *
 * Thread: one.
 */
#include "watch.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "object.h"
#include "params.h"
#include "read.h"
#include "selector.h"
#include "sim.h"

#define WATCH_EXTRA_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define WATCH_DEFAULT_MIN_MS 1800000
#define WATCH_PARTS_MAX 8
/* How long before its end a watch gets a last bookmark. */
#define WATCH_FAREWELL_MS 2000

struct watch {
    struct sim_body body;
    struct ks_list link;
    struct sim_listener listener;
    struct sim_timer timer;
    struct sim *sim;
    struct sim_stream *stream;
    const struct sim_resource *res;
    struct sim_selector *selector;
    char *ns; /* NULL: all */
    enum sim_shape shape;
    bool wants_bookmarks;
    bool wants_initial_end;
    bool is_bookmark_due;
    bool has_pending;
    bool has_ended;
    struct sim_snapshot initial;
    size_t initial_next;
    bool is_initial;
    uint64_t initial_rv;
    uint64_t after_rv; /* events up to it are not wanted */
    uint64_t cursor;   /* event number; meaningful while has_pending */
    int64_t ends_at_ms;
    int64_t bookmark_at_ms;
    /* the line that is being sent */
    struct sim_rev *sending;
    struct ks_str parts[WATCH_PARTS_MAX];
    size_t parts_len;
    size_t part;
    size_t offset;
    struct ks_buf extra; /* lines that are no object's: bookmarks, errors, injected text */
};

static struct sim_loop *watch_loop(const struct watch *w)
{
    return w->sim->loop;
}

static bool watch_matches(const struct watch *w, const struct sim_rev *rev)
{
    if (!rev || (w->ns && !ks_str_is(rev->ns, w->ns)))
        return false;
    return sim_selector_matches(w->selector, rev);
}

static void on_event(struct sim_listener *l, struct sim_table *t, const struct sim_event *e)
{
    struct watch *w = KS_CONTAINER_OF(l, struct watch, listener);

    if (w->has_ended || w->has_pending || e->rv <= w->after_rv)
        return;
    if (!watch_matches(w, e->now) && !watch_matches(w, e->before))
        return;
    w->has_pending = true;
    w->cursor = sim_table_events_end(t) - 1;
    sim_stream_wake(w->stream);
}

static void line_start(struct watch *w, const char *type, struct sim_rev *rev)
{
    struct sim_pieces pieces;

    w->sending = sim_rev_ref(rev);
    w->parts[0] = KS_LIT("{\"type\":\"");
    w->parts[1] = ks_str_from(type);
    w->parts[2] = KS_LIT("\",\"object\":");
    sim_pieces_of(w->res, rev, w->shape, SIM_ALONE, &pieces);
    w->parts_len = 3;
    for (size_t i = 0; i + 1 < pieces.len; i++)
        w->parts[w->parts_len++] = pieces.part[i];
    w->parts[w->parts_len++] = pieces.part[pieces.len - 1];
    w->parts[w->parts_len++] = KS_LIT("}\n");
    w->part = 0;
    w->offset = 0;
}

/* What the extra buffer holds is sent as it is. */
static void extra_start(struct watch *w)
{
    w->parts[0] = ks_buf_str(&w->extra);
    w->parts_len = 1;
    w->part = 0;
    w->offset = 0;
}

static ks_rc bookmark_print(struct watch *w, uint64_t rv, bool is_initial_end)
{
    const char *mark = "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
    struct ks_buf *out = &w->extra;
    bool is_custom = sim_resource_has(w->res, SIM_CUSTOM) && w->shape == SIM_SHAPE_FULL;
    ks_rc rc;

    if (is_custom)
        rc = ks_buf_appendf(out,
                            "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"%s\",\"kind\":"
                            "\"%s\",\"metadata\":{%s%s\"resourceVersion\":\"%llu\"}}}\n",
                            w->res->group_version, w->res->kind, is_initial_end ? mark : "",
                            is_initial_end ? "," : "", (unsigned long long)rv);
    else
        rc = ks_buf_appendf(
            out,
            "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
            "\"metadata\":{\"resourceVersion\":\"%llu\"%s%s}%s%s}}\n",
            w->shape == SIM_SHAPE_FULL ? w->res->kind : "PartialObjectMetadata",
            w->shape == SIM_SHAPE_FULL ? w->res->group_version : "meta.k8s.io/v1",
            (unsigned long long)rv, is_initial_end ? "," : "", is_initial_end ? mark : "",
            w->shape == SIM_SHAPE_FULL && w->res->bookmark[0] ? "," : "",
            w->shape == SIM_SHAPE_FULL ? w->res->bookmark : "");
    return rc;
}

/* The snapshot's next object, then the bookmark that ends it; false when that phase is over. */
static bool initial_advance(struct watch *w)
{
    struct sim_snapshot *s = &w->initial;

    while (w->initial_next < s->len) {
        struct sim_rev *rev = s->revs[w->initial_next++];

        if (watch_matches(w, rev)) {
            line_start(w, "ADDED", rev);
            return true;
        }
    }
    sim_snapshot_fini(s);
    w->is_initial = false;
    if (!w->wants_initial_end || w->stream->plan.drop_initial_end ||
        bookmark_print(w, w->initial_rv, /* is_initial_end= */ true))
        return false;
    extra_start(w);
    return true;
}

/* How the event looks through the selector; NULL: not at all. *rev is what to show. */
static const char *event_view(const struct watch *w, struct sim_event *e, struct sim_rev **rev)
{
    bool is_in = e->change != SIM_DELETED && watch_matches(w, e->now);
    bool was_in = watch_matches(w, e->before);

    *rev = e->now;
    if (is_in)
        return was_in ? "MODIFIED" : "ADDED";
    if (!was_in)
        return NULL;
    if (e->change == SIM_DELETED)
        return "DELETED";
    if (!e->left)
        e->left = sim_rev_clone(e->before, e->rv);
    *rev = e->left;
    return e->left ? "DELETED" : NULL;
}

/* The next event that concerns this watch; false when there is none, or the place in history is
 * lost. */
static bool live_advance(struct watch *w)
{
    struct sim_table *t = w->res->table;

    if (!w->has_pending)
        return false;
    if (w->cursor < sim_table_events_first(t)) {
        w->has_ended = true;
        return false;
    }
    while (w->cursor < sim_table_events_end(t)) {
        struct sim_event *e = sim_table_event(t, w->cursor++);
        struct sim_rev *rev;
        const char *type = e->rv > w->after_rv ? event_view(w, e, &rev) : NULL;

        if (type) {
            line_start(w, type, rev);
            return true;
        }
    }
    w->has_pending = false;
    return false;
}

static bool bookmark_advance(struct watch *w)
{
    uint64_t rv = sim_store_rv(w->sim->store);

    if (!w->is_bookmark_due || w->has_ended)
        return false;
    w->is_bookmark_due = false;
    if (!w->wants_bookmarks || rv <= w->after_rv || bookmark_print(w, rv, false))
        return false;
    extra_start(w);
    return true;
}

/* Prepares the next line; false when there is none for now. */
static bool line_advance(struct watch *w)
{
    if (w->extra.len > 0) {
        extra_start(w);
        return true;
    }
    if (w->is_initial && initial_advance(w))
        return true;
    return live_advance(w) || bookmark_advance(w);
}

static void line_finish(struct watch *w)
{
    if (w->sending)
        w->stream->sent_events++;
    sim_rev_unref(w->sending);
    w->sending = NULL;
    if (w->parts_len == 1)
        ks_buf_shrink(&w->extra, 0);
    w->parts_len = 0;
    w->part = 0;
}

static size_t watch_read(struct sim_body *b, uint8_t *out, size_t len, bool *eof)
{
    struct watch *w = KS_CONTAINER_OF(b, struct watch, body);
    size_t done = 0;

    if (w->parts_len == 0 && !line_advance(w)) {
        *eof = w->has_ended;
        return 0;
    }
    while (w->part < w->parts_len && done < len) {
        struct ks_str part = ks_str_sub(w->parts[w->part], w->offset, len - done);

        if (part.len > 0)
            memcpy(out + done, part.ptr, part.len);
        done += part.len;
        w->offset += part.len;
        if (w->offset == w->parts[w->part].len) {
            w->part++;
            w->offset = 0;
        }
    }
    if (w->part == w->parts_len)
        line_finish(w);
    return done;
}

static void watch_free(struct sim_body *b)
{
    struct watch *w = KS_CONTAINER_OF(b, struct watch, body);

    sim_timer_stop(watch_loop(w), &w->timer);
    sim_listener_stop(&w->listener);
    ks_list_remove(&w->link);
    sim_snapshot_fini(&w->initial);
    sim_rev_unref(w->sending);
    sim_selector_free(w->selector);
    ks_buf_fini(&w->extra);
    ks_free(w->ns);
    ks_free(w);
}

/* The next bookmark or the end, whichever comes first. */
static void timer_set(struct watch *w)
{
    int64_t now_ms = sim_loop_now_ms(watch_loop(w));
    int64_t farewell_ms = w->ends_at_ms - WATCH_FAREWELL_MS;
    int64_t due_ms = w->ends_at_ms;

    if (w->bookmark_at_ms < due_ms)
        due_ms = w->bookmark_at_ms;
    if (farewell_ms > now_ms && farewell_ms < due_ms)
        due_ms = farewell_ms;
    if (!sim_timer_start(watch_loop(w), &w->timer, due_ms - now_ms))
        w->has_ended = true;
}

static void on_timer(struct sim_timer *timer)
{
    struct watch *w = KS_CONTAINER_OF(timer, struct watch, timer);
    int64_t now_ms = sim_loop_now_ms(watch_loop(w));

    if (now_ms >= w->ends_at_ms) {
        w->has_ended = true;
        sim_stream_wake(w->stream);
        return;
    }
    if (now_ms >= w->bookmark_at_ms)
        w->bookmark_at_ms = now_ms + w->sim->config.bookmark_ms;
    w->is_bookmark_due = true;
    timer_set(w);
    sim_stream_wake(w->stream);
}

static int64_t lifetime_ms(const struct sim_call *call)
{
    int64_t seconds;

    if (ks_str_to_int64(sim_url_param(call->url, "timeoutSeconds"), &seconds) && seconds > 0 &&
        seconds < INT32_MAX)
        return seconds * 1000;
    return WATCH_DEFAULT_MIN_MS + (int64_t)(sim_random(call->sim) % WATCH_DEFAULT_MIN_MS);
}

/* One ERROR line, and the end. */
static void watch_fail(struct watch *w, const struct sim_problem *p)
{
    json_t *status = sim_problem_json(p);

    w->has_ended = true;
    w->is_initial = false;
    if (!status || ks_buf_append_str(&w->extra, KS_LIT("{\"type\":\"ERROR\",\"object\":")) ||
        sim_json_print(status, SIM_AS_IS, &w->extra) || ks_buf_append_str(&w->extra, KS_LIT("}\n")))
        ks_buf_clear(&w->extra);
    json_decref(status);
}

static ks_rc initial_take(struct watch *w, const struct sim_key_range *range)
{
    w->initial_rv = sim_store_rv(w->sim->store);
    w->after_rv = w->initial_rv;
    w->is_initial = true;
    return sim_table_snapshot(w->res->table, w->initial_rv, ks_str_make(range->lo, range->lo_len),
                              ks_str_make(range->hi, range->hi_len), &w->initial);
}

/* Finds the place to go on from, or ends the watch with 410. */
static void resume_take(struct watch *w, uint64_t rv)
{
    struct sim_table *t = w->res->table;
    struct sim_problem p;

    w->after_rv = rv;
    if (rv < sim_table_window_rv(t)) {
        sim_problem_expired(&p, rv, sim_table_window_rv(t));
        watch_fail(w, &p);
        return;
    }
    w->cursor = sim_table_events_after(t, rv);
    w->has_pending = w->cursor < sim_table_events_end(t);
}

static ks_rc watch_listen(struct watch *w, const struct sim_key_range *range)
{
    bool is_one_key = range->hi_len > range->ns_len && range->hi_len == range->lo_len + 1 &&
                      range->hi[range->hi_len - 1] == '\x01';

    w->listener.on_event = on_event;
    ks_list_push(&w->sim->watches, &w->link);
    if (is_one_key)
        return sim_table_listen_key(w->res->table, ks_str_make(range->lo, range->lo_len),
                                    &w->listener);
    sim_table_listen(w->res->table, &w->listener);
    return KS_RC_OK;
}

static struct watch *watch_new(const struct sim_call *call, struct sim_selector *selector)
{
    static const struct sim_body_ops ops = {.read = watch_read, .free = watch_free};
    struct watch *w = ks_alloc0(sizeof(*w));

    if (!w) {
        sim_selector_free(selector);
        return NULL;
    }
    w->body.ops = &ops;
    w->sim = call->sim;
    w->stream = call->req->stream;
    w->res = call->res;
    w->selector = selector;
    w->timer.on_due = on_timer;
    ks_list_init(&w->link);
    ks_list_init(&w->listener.link);
    ks_buf_init(&w->extra, WATCH_EXTRA_MAX_BYTES);
    w->wants_bookmarks = sim_url_flag(call->url, "allowWatchBookmarks");
    w->ends_at_ms = sim_loop_now_ms(call->sim->loop) + lifetime_ms(call);
    w->bookmark_at_ms = sim_loop_now_ms(call->sim->loop) + call->sim->config.bookmark_ms;
    return w;
}

/* What the watch begins with. */
static ks_rc watch_begin(struct watch *w, const struct sim_call *call,
                         const struct sim_rv_param *rv, const struct sim_key_range *range)
{
    bool is_any = !rv->is_set || rv->is_zero;
    bool is_streaming = sim_url_flag(call->url, "sendInitialEvents");
    struct sim_problem p;

    /* With WatchList on, a watch from "any" version is a streaming one even if it does not say so.
     */
    if (!sim_url_has(call->url, "sendInitialEvents") && is_any && call->sim->has_watch_list)
        is_streaming = true;
    if (is_streaming && rv->value > sim_store_rv(call->sim->store)) {
        sim_problem_too_large_rv(&p, rv->value, sim_store_rv(call->sim->store));
        watch_fail(w, &p);
        return KS_RC_OK;
    }
    w->wants_initial_end = is_streaming && w->wants_bookmarks;
    if (is_streaming || (is_any && !sim_url_has(call->url, "sendInitialEvents")))
        return initial_take(w, range);
    resume_take(w, is_any ? sim_store_rv(call->sim->store) : rv->value);
    return KS_RC_OK;
}

static bool must_wait(struct sim_call *call, const struct sim_rv_param *rv)
{
    if (!sim_url_flag(call->url, "sendInitialEvents") || call->req->has_waited ||
        rv->value <= sim_store_rv(call->sim->store))
        return false;
    call->req->has_waited = true;
    sim_stream_park(call->req->stream, SIM_FRESH_WAIT_MS, rv->value);
    return true;
}

void sim_watch_start(struct sim_call *call)
{
    struct sim_selector *selector;
    struct sim_key_range range;
    struct sim_rv_param rv;
    enum sim_shape shape;
    struct watch *w;

    if (!sim_accept_shape(call->req, &shape) || !sim_params_check_watch(call) ||
        !sim_rv_param_read(call, &rv) || must_wait(call, &rv) ||
        !sim_selector_read(call, &selector))
        return;
    sim_key_range_of(call, selector, &range);
    w = watch_new(call, selector);
    if (!w) {
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    w->shape = shape;
    if (call->ns.len > 0)
        w->ns = ks_str_dup(call->ns);
    if ((call->ns.len > 0 && !w->ns) || watch_begin(w, call, &rv, &range) ||
        watch_listen(w, &range)) {
        watch_free(&w->body);
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    timer_set(w);
    sim_reply_body(call->req, 200, &w->body, -1);
}

void sim_watch_end_all(struct sim *sim, const struct sim_table *table)
{
    KS_LIST_FOREACH(link, &sim->watches)
    {
        struct watch *w = KS_CONTAINER_OF(link, struct watch, link);

        if (w->res->table != table)
            continue;
        w->has_ended = true;
        sim_stream_wake(w->stream);
    }
}

size_t sim_watch_inject(struct sim *sim, struct ks_str path_prefix, struct ks_str text)
{
    size_t n = 0;

    KS_LIST_FOREACH(link, &sim->watches)
    {
        struct watch *w = KS_CONTAINER_OF(link, struct watch, link);

        if (!ks_str_starts(w->stream->request.path, path_prefix))
            continue;
        if (ks_buf_append_str(&w->extra, text))
            continue;
        if (w->parts_len == 1)
            w->parts[0] = ks_buf_str(&w->extra); /* it is being sent, and has moved */
        sim_stream_wake(w->stream);
        n++;
    }
    return n;
}

size_t sim_watch_count(const struct sim *sim)
{
    size_t n = 0;

    KS_LIST_FOREACH(link, &sim->watches)
    n += link != NULL;
    return n;
}
