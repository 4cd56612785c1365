/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tasks go over to the kube thread, open and close; two tags come back, the bell and closed.
 *
 *   rpc thread:   new ── open ─ ─ ─ ─ ─ ─ on_wake ... ── close ─ ─ ─ ─ ─ ─ ─ on_closed ── free
 *   kube thread:          └─> feed made, events, bell ─┘     └─> feed freed, farewell ─┘
 *
 * Invariants:
 *   1. the bell is outstanding at most once (is_rung), whoever rings it;
 *   2. feed is the kube thread's alone; failure is written before has_failed is set and constant
 *      afterwards;
 *   3. the outbox has one producer at a time: the rpc thread until open, the kube thread from then
 *      to closed;
 *   4. closed is posted last, by the thread that rang last, and tags of one poster come in order:
 *      when on_closed runs, no bell is outstanding and the kube thread has let go.
 *
 * Thread: see source.h.
 */
#include "server/rpc/source.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watcher/until.h"

#include "bridge/feed.h"

#define FIRST_ANSWER_MS 30000
/* What an answer needs to get to its client in time. */
#define MARGIN_MIN_MS 100
/* A summary waits so long for more changes, unless the client names an interval. */
#define SUMMARY_MS 100
/* Target changes and removals that wait for a slow client; a target that flaps makes a few an hour.
 */
#define MAX_CONTROL 8192

struct ks_source {
    struct ks_lane *lane;
    const struct ks_source_ops *ops;
    void *ctx;
    struct ks_outbox *outbox;
    struct ks_rpc_request *request; /* rpc thread until open, then the kube thread's */
    int64_t first_answer_ms;        /* likewise, as is what follows */
    bool has_until;
    ks_feed_want want;
    struct ks_until_config until;
    struct ks_packet *farewell; /* rpc thread until close, then the kube thread's */
    ks_source_rest rest;
    bool is_open;
    bool is_closing;

    /* kube thread */
    struct ks_feed *feed;
    struct ks_rpc_pace pace;
    struct ks_timer heartbeat;
    struct ks_timer release;
    struct ks_timer resync;
    struct ks_timer summary;
    int64_t life_ms; /* 0: no end */
    struct ks_timer life;
    struct ks_task open_task;
    struct ks_task close_task;

    struct ks_tag bell;
    struct ks_tag closed;
    atomic_bool is_rung;
    atomic_bool is_synced;
    atomic_bool is_decided;
    atomic_bool is_aged;
    atomic_bool has_failed;
    struct ks_error failure;
    bool has_too_many; /* likewise constant once has_failed */
};

/* Thread: the producer's. */
static void source_ring(void *ctx)
{
    struct ks_source *s = ctx;

    if (!atomic_exchange(&s->is_rung, true))
        ks_cq_post(s->lane->cq, &s->bell);
}

static void on_bell(struct ks_tag *tag, bool ok)
{
    struct ks_source *s = KS_CONTAINER_OF(tag, struct ks_source, bell);

    (void)ok; /* posted, so it is */
    /* Before anything is looked at: what comes later rings again. */
    atomic_store(&s->is_rung, false);
    if (!s->is_closing)
        s->ops->on_wake(
            s->ctx); /* may close the source; it is freed no earlier than in on_closed */
}

static void on_closed_tag(struct ks_tag *tag, bool ok)
{
    struct ks_source *s = KS_CONTAINER_OF(tag, struct ks_source, closed);

    (void)ok; /* posted, so it is */
    s->is_open = false;
    s->ops->on_closed(s->ctx); /* may free the source */
}

static void source_fail(struct ks_source *s, const struct ks_error *err)
{
    s->failure = *err;
    atomic_store(&s->has_failed, true);
    source_ring(s);
}

static void on_feed_synced(void *ctx)
{
    struct ks_source *s = ctx;

    atomic_store(&s->is_synced, true);
    source_ring(s);
}

static void on_feed_outcome(void *ctx)
{
    struct ks_source *s = ctx;

    atomic_store(&s->is_decided, true);
    source_ring(s);
}

static void on_feed_failed(void *ctx, const struct ks_error *err)
{
    struct ks_source *s = ctx;
    struct ks_outbox_stats stats;

    /* Two ceilings end a feed: objects, and what waits for a client that does not read. */
    ks_outbox_get_stats(s->outbox, &stats);
    s->has_too_many = err->rc == KS_RC_LIMIT && !stats.is_full;
    source_fail(s, err); /* the rpc thread answers with close, and that frees the feed */
}

static void on_heartbeat(struct ks_timer *timer)
{
    struct ks_source *s = KS_CONTAINER_OF(timer, struct ks_source, heartbeat);

    ks_timer_start(timer, s->pace.heartbeat_ms);
    ks_feed_beat(s->feed);
}

/* What is held goes a quarter of the interval late at most. */
static void start_release(struct ks_source *s)
{
    ks_timer_start(&s->release, s->pace.min_update_ms / 4);
}

static void on_release(struct ks_timer *timer)
{
    struct ks_source *s = KS_CONTAINER_OF(timer, struct ks_source, release);

    start_release(s);
    ks_outbox_release(s->outbox);
}

static void on_resync(struct ks_timer *timer)
{
    struct ks_source *s = KS_CONTAINER_OF(timer, struct ks_source, resync);

    ks_timer_start(timer, s->pace.resync_ms);
    ks_feed_repeat(s->feed);
}

static void on_feed_change(void *ctx)
{
    struct ks_source *s = ctx;

    if (!ks_timer_is_pending(&s->summary))
        ks_timer_start(&s->summary, s->pace.min_update_ms ? s->pace.min_update_ms : SUMMARY_MS);
}

static void on_summary(struct ks_timer *timer)
{
    struct ks_source *s = KS_CONTAINER_OF(timer, struct ks_source, summary);

    if (!ks_feed_summarize(s->feed))
        on_feed_change(s);
}

static void start_pace(struct ks_source *s)
{
    if (s->pace.heartbeat_ms)
        ks_timer_start(&s->heartbeat, s->pace.heartbeat_ms);
    if (s->pace.min_update_ms)
        start_release(s);
    if (s->pace.resync_ms)
        ks_timer_start(&s->resync, s->pace.resync_ms);
    if (s->pace.is_blind)
        on_feed_synced(s);
}

static void on_aged(struct ks_timer *timer)
{
    struct ks_source *s = KS_CONTAINER_OF(timer, struct ks_source, life);

    atomic_store(&s->is_aged, true);
    source_ring(s);
}

static void on_open(struct ks_task *task)
{
    static const struct ks_feed_ops ops = {.on_synced = on_feed_synced,
                                           .on_outcome = on_feed_outcome,
                                           .on_change = on_feed_change,
                                           .on_failed = on_feed_failed};
    struct ks_source *s = KS_CONTAINER_OF(task, struct ks_source, open_task);
    struct ks_session_config session = {
        .max_objects = (size_t)s->lane->shared->limits->values[KS_LIMIT_OBJECTS],
        .first_answer_ms = s->first_answer_ms,
    };
    const struct ks_feed_config config = {
        .kube = ks_worker_kube(s->lane->worker),
        .session = &session,
        .outbox = s->outbox,
        .stats = ks_worker_feed_stats(s->lane->worker),
        .clock = &ks_clock_real,
        .want = s->want,
        .is_blind = ks_rpc_request_pace(s->request)->is_blind,
        .is_summary = ks_rpc_request_pace(s->request)->is_summary,
    };
    struct ks_error err = {0};

    ks_rpc_request_configure(s->request, &session);
    session.until = s->has_until ? &s->until : NULL;
    s->pace = *ks_rpc_request_pace(s->request);
    ks_outbox_set_interval(s->outbox, s->pace.min_update_ms);
    if (ks_feed_new(&config, &ops, s, &s->feed, &err))
        source_fail(s, &err);
    else
        start_pace(s);
    if (s->life_ms)
        ks_timer_start(&s->life, s->life_ms);
    s->request = ks_rpc_request_free(s->request);
}

static void on_close(struct ks_task *task)
{
    struct ks_source *s = KS_CONTAINER_OF(task, struct ks_source, close_task);
    ks_rc rc = KS_RC_OK;

    ks_timer_stop(&s->heartbeat);
    ks_timer_stop(&s->release);
    ks_timer_stop(&s->resync);
    ks_timer_stop(&s->summary);
    ks_timer_stop(&s->life);
    s->feed = ks_feed_free(s->feed);
    if (s->farewell && !atomic_load(&s->is_decided))
        rc = ks_outbox_push(s->outbox, s->farewell);
    s->farewell = ks_packet_unref(s->farewell);
    /* A stream without its farewell still gets its status: only the hint in it is lost. */
    if (rc || s->rest == KS_SOURCE_DROP)
        ks_outbox_close(s->outbox);
    ks_cq_post(s->lane->cq, &s->closed);
}

ks_rc ks_source_new(struct ks_lane *lane, const struct ks_source_ops *ops, void *ctx,
                    struct ks_source **out, struct ks_error *err)
{
    struct ks_source *s = ks_alloc0(sizeof(*s));
    ks_rc rc;

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "the server is out of memory");
    rc = ks_outbox_new(MAX_CONTROL, source_ring, s, &s->outbox, err);
    if (rc) {
        ks_free(s);
        return rc;
    }
    s->lane = lane;
    s->ops = ops;
    s->ctx = ctx;
    ks_task_init(&s->open_task, on_open);
    ks_task_init(&s->close_task, on_close);
    ks_timer_init(&s->heartbeat, ks_worker_loop(lane->worker), on_heartbeat);
    ks_timer_init(&s->release, ks_worker_loop(lane->worker), on_release);
    ks_timer_init(&s->resync, ks_worker_loop(lane->worker), on_resync);
    ks_timer_init(&s->summary, ks_worker_loop(lane->worker), on_summary);
    ks_timer_init(&s->life, ks_worker_loop(lane->worker), on_aged);
    ks_tag_init(&s->bell, on_bell);
    ks_tag_init(&s->closed, on_closed_tag);
    *out = s;
    return KS_RC_OK;
}

struct ks_outbox *ks_source_outbox(struct ks_source *s)
{
    return s->outbox;
}

/* A little less than what is left. */
static int64_t in_time_ms(int64_t left_ms)
{
    int64_t margin_ms = left_ms / 10;

    if (margin_ms < MARGIN_MIN_MS)
        margin_ms = MARGIN_MIN_MS;
    return left_ms > margin_ms ? left_ms - margin_ms : 1;
}

int64_t ks_source_first_answer_ms(int64_t left_ms)
{
    int64_t in_time = in_time_ms(left_ms);

    return in_time < FIRST_ANSWER_MS ? in_time : FIRST_ANSWER_MS;
}

/* A client that stops waiting is told the outcome before it does. Returns how long there is for
 * first answers, so that the outcome can say what became of every target. */
static int64_t bound_until(struct ks_until_config *until, int64_t left_ms)
{
    int64_t in_time = in_time_ms(left_ms);

    if (left_ms != INT64_MAX && (!until->timeout_ms || until->timeout_ms > in_time))
        until->timeout_ms = in_time;
    return until->timeout_ms ? until->timeout_ms : left_ms;
}

void ks_source_want(struct ks_source *s, ks_feed_want want)
{
    assert(!s->is_open);
    s->want = want;
}

void ks_source_open(struct ks_source *s, struct ks_rpc_request *request, int64_t left_ms)
{
    const struct ks_until_config *until = ks_rpc_request_until(request);

    assert(!s->is_open && !s->is_closing);
    s->request = request;
    if (until) {
        s->has_until = true;
        s->until = *until;
        left_ms = bound_until(&s->until, left_ms);
    }
    s->first_answer_ms = ks_source_first_answer_ms(left_ms);
    s->is_open = true;
    ks_loop_post(ks_worker_loop(s->lane->worker), &s->open_task);
}

bool ks_source_is_synced(const struct ks_source *s)
{
    return atomic_load(&s->is_synced);
}

bool ks_source_is_decided(const struct ks_source *s)
{
    return atomic_load(&s->is_decided);
}

const struct ks_error *ks_source_failure(const struct ks_source *s)
{
    return atomic_load(&s->has_failed) ? &s->failure : NULL;
}

void ks_source_limit_life(struct ks_source *s, int64_t life_ms)
{
    s->life_ms = life_ms;
}

bool ks_source_is_aged(const struct ks_source *s)
{
    return atomic_load(&s->is_aged);
}

uint32_t ks_source_weight(struct ks_source *s)
{
    struct ks_outbox_stats stats;

    ks_outbox_get_stats(s->outbox, &stats);
    return stats.slots;
}

bool ks_source_has_too_many(const struct ks_source *s)
{
    return atomic_load(&s->has_failed) && s->has_too_many;
}

void ks_source_close(struct ks_source *s, ks_source_rest rest, struct ks_packet *farewell)
{
    assert(s->is_open && !s->is_closing);
    s->is_closing = true;
    s->rest = rest;
    s->farewell = farewell;
    ks_loop_post(ks_worker_loop(s->lane->worker), &s->close_task);
}

struct ks_source *ks_source_free(struct ks_source *s)
{
    if (!s)
        return NULL;
    assert(!s->is_open);
    ks_outbox_close(s->outbox);
    s->outbox = ks_outbox_unref(s->outbox);
    s->request = ks_rpc_request_free(s->request);
    s->farewell = ks_packet_unref(s->farewell);
    ks_free(s);
    return NULL;
}
