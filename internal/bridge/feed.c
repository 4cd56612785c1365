/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed: the sink of one session. An update goes into its object's slot, everything else is
 * pushed behind.
 *
 *   session ──on_event──> encode ──update──> slot of the object (latest wins)
 *                             └── others ──> control packet (never merged)
 *
 * Invariants:
 *   1. the session's sink pointer of an object is its outbox slot, made at its first update,
 * retired at on_forget, or when its targets change: what comes then must not overtake, in the place
 * of what waits from before, a removal or what another object was told of these targets;
 *   2. the owner hears on_failed at most once, whether the session or the feed gave up, and nothing
 * after it;
 *   3. an owner may free the feed from within on_synced, on_outcome and on_failed: nothing is
 * touched after these;
 *   4. an outcome is the last that goes into the outbox.
 *
 * Thread: the kube loop's.  It does not: wait, send, or know who reads the outbox.
 */
#include "bridge/feed.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/plant.h"
#include "watcher/vigil.h"

#include "bridge/encode.h"

struct ks_feed {
    struct ks_session *session; /* or, when it has a goal, */
    struct ks_vigil *vigil;
    struct ks_outbox *outbox;
    struct ks_feed_stats *stats;
    struct ks_feed_ops ops;
    void *ctx;
    enum { FEED_OPEN, FEED_FAILED, FEED_DECIDED } state;
    ks_feed_want want;
    bool is_summary;
    bool has_summary; /* SYNCED was told */
    struct ks_counts summary;
    const struct ks_clock *clock;
    size_t doubtful_count;
    struct {
        uint32_t target_id;
        int64_t since_ms;
    } doubtful[KS_SESSION_MAX_TARGETS]; /* targets that are not synced, oldest first */
};

static void add_objects(struct ks_feed *feed, int64_t by)
{
    /* The counters are gauges for people: no order is needed (and the old value is of no use). */
    (void)atomic_fetch_add_explicit(&feed->stats->objects, by, memory_order_relaxed);
}

static void retire(struct ks_feed *feed, void *slot)
{
    if (!slot)
        return;
    ks_outbox_slot_retire(feed->outbox, slot);
    add_objects(feed, -1);
}

static ks_rc put_update(struct ks_feed *feed, const struct ks_event *event,
                        struct ks_packet *packet, struct ks_error *err)
{
    const struct ks_update *update = &event->update;
    uint64_t targets = ks_hash(update->target_ids, update->target_count * sizeof(uint32_t));
    struct ks_outbox_slot *slot = *event->sink_slot;

    if (slot && feed->want == KS_FEED_CHANGES && ks_outbox_slot_tag(slot) != targets &&
        !KS_PLANTED(17)) {
        retire(feed, KS_TAKE(*event->sink_slot));
        slot = NULL;
    }
    if (!slot) {
        slot = ks_outbox_slot_new(feed->outbox);
        if (!slot)
            return ks_fail(err, KS_RC_NOMEM, "no memory to follow one more object");
        ks_outbox_slot_set_tag(slot, targets);
        *event->sink_slot = slot;
        add_objects(feed, 1);
    }
    (void)atomic_fetch_add_explicit(&feed->stats->updates_total, 1, memory_order_relaxed);
    ks_outbox_put(feed->outbox, slot, packet);
    return KS_RC_OK;
}

static ks_rc push(struct ks_feed *feed, struct ks_packet *packet, struct ks_error *err)
{
    ks_rc rc = ks_outbox_push(feed->outbox, packet);

    if (rc == KS_RC_LIMIT)
        return ks_fail(err, rc,
                       "the client does not read, and too many changes wait for it: watch again");
    if (rc)
        return ks_fail(err, rc, "no memory for an event");
    return KS_RC_OK;
}

static void feed_fail(struct ks_feed *feed, const struct ks_error *err)
{
    if (feed->state != FEED_OPEN)
        return;
    feed->state = FEED_FAILED;
    feed->ops.on_failed(feed->ctx, err);
    /* Careful: the feed may be gone here. */
}

static void note_target(struct ks_feed *feed, const struct ks_target_change *change)
{
    size_t at = 0;

    while (at < feed->doubtful_count && feed->doubtful[at].target_id != change->target_id)
        at++;
    if (change->state == KS_TARGET_SYNCED) {
        if (at == feed->doubtful_count)
            return;
        feed->doubtful_count--;
        memmove(&feed->doubtful[at], &feed->doubtful[at + 1],
                (feed->doubtful_count - at) * sizeof(feed->doubtful[0]));
    } else if (at == feed->doubtful_count && at < KS_SESSION_MAX_TARGETS) {
        feed->doubtful[at].target_id = change->target_id;
        feed->doubtful[at].since_ms = feed->clock->mono_ms(feed->clock);
        feed->doubtful_count++;
    }
}

static bool is_of_object(const struct ks_event *event)
{
    return event->kind == KS_EVENT_UPDATE || event->kind == KS_EVENT_REMOVED;
}

static ks_rc deliver(struct ks_feed *feed, const struct ks_event *event, struct ks_error *err)
{
    struct ks_packet *packet = NULL;
    ks_rc rc;

    if (feed->want == KS_FEED_OUTCOME && event->kind != KS_EVENT_OUTCOME)
        return KS_RC_OK;
    if (feed->is_summary && is_of_object(event)) {
        if (feed->has_summary)
            feed->ops.on_change(feed->ctx);
        return KS_RC_OK;
    }
    rc = ks_encode_event(event, &packet, err);
    if (rc)
        return rc;
    (void)atomic_fetch_add_explicit(&feed->stats->events_total, 1, memory_order_relaxed);
    rc = event->kind == KS_EVENT_UPDATE ? put_update(feed, event, packet, err)
                                        : push(feed, packet, err);
    (void)ks_packet_unref(packet); /* always NULL */
    if (event->kind == KS_EVENT_REMOVED && !KS_PLANTED(17))
        retire(feed, KS_TAKE(*event->sink_slot));
    return rc;
}

static void feed_decide(struct ks_feed *feed)
{
    feed->state = FEED_DECIDED;
    if (feed->ops.on_outcome)
        feed->ops.on_outcome(feed->ctx);
}

static void on_event(void *ctx, const struct ks_event *event)
{
    struct ks_feed *feed = ctx;
    struct ks_error err = {0};

    if (feed->state != FEED_OPEN)
        return;
    if (event->kind == KS_EVENT_TARGET_CHANGE)
        note_target(feed, &event->target_change);
    if (deliver(feed, event, &err)) {
        feed_fail(feed, &err);
        return; /* the feed may be gone */
    }
    if (event->kind == KS_EVENT_SYNCED) {
        feed->has_summary = true;
        feed->summary = event->synced.counts;
    }
    if (event->kind == KS_EVENT_OUTCOME)
        feed_decide(feed);
    else if (event->kind == KS_EVENT_SYNCED && feed->ops.on_synced)
        feed->ops.on_synced(feed->ctx);
    /* The feed may be gone here. */
}

static void on_forget(void *ctx, void *sink_slot)
{
    retire(ctx, sink_slot);
}

static void on_failed(void *ctx, const struct ks_error *err)
{
    feed_fail(ctx, err);
}

static const struct ks_session_ops session_ops = {
    .on_event = on_event,
    .on_forget = on_forget,
    .on_failed = on_failed,
};

static ks_rc feed_open(struct ks_feed *feed, const struct ks_feed_config *config,
                       struct ks_error *err)
{
    struct ks_event synced = {.kind = KS_EVENT_SYNCED};

    if (config->is_blind) {
        synced.synced.aggregate = ks_counts_aggregate(&synced.synced.counts, KS_STATUS_CURRENT);
        return deliver(feed, &synced, err);
    }
    if (config->session->until)
        return ks_vigil_new(config->kube, config->session, &session_ops, feed, &feed->vigil, err);
    return ks_session_new(config->kube, config->session, &session_ops, feed, &feed->session, err);
}

ks_rc ks_feed_new(const struct ks_feed_config *config, const struct ks_feed_ops *ops, void *ctx,
                  struct ks_feed **out, struct ks_error *err)
{
    struct ks_feed *feed = ks_alloc0(sizeof(*feed));
    ks_rc rc;

    if (!feed)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a stream's feed");
    feed->outbox = ks_outbox_ref(config->outbox);
    feed->stats = config->stats;
    feed->clock = config->clock;
    feed->want = config->want;
    feed->is_summary = config->is_summary;
    feed->ops = *ops;
    feed->ctx = ctx;
    rc = feed_open(feed, config, err);
    if (rc) {
        feed->outbox = ks_outbox_unref(feed->outbox);
        ks_free(feed);
        return rc;
    }
    (void)atomic_fetch_add_explicit(&feed->stats->sessions, 1, memory_order_relaxed);
    *out = feed;
    return KS_RC_OK;
}

static void tally(const struct ks_feed *feed, struct ks_synced *out)
{
    if (feed->vigil)
        ks_session_tally(ks_vigil_session(feed->vigil), out);
    else if (feed->session)
        ks_session_tally(feed->session, out);
    else
        out->aggregate = ks_counts_aggregate(&out->counts, KS_STATUS_CURRENT);
}

/* Whether there was memory for it. */
static bool tell_tally(struct ks_feed *feed, struct ks_heartbeat *heartbeat)
{
    struct ks_packet *packet = NULL;
    ks_rc rc;

    if (feed->doubtful_count > 0)
        heartbeat->staleness_ms = feed->clock->mono_ms(feed->clock) - feed->doubtful[0].since_ms;
    rc = ks_encode_heartbeat(heartbeat, &packet, NULL);
    if (rc == KS_RC_OK)
        rc = ks_outbox_push(feed->outbox, packet);
    (void)ks_packet_unref(packet); /* always NULL */
    if (rc)
        return false;
    feed->summary = heartbeat->tally.counts;
    return true;
}

void ks_feed_beat(struct ks_feed *feed)
{
    struct ks_heartbeat heartbeat = {0};
    struct ks_outbox_stats stats;
    bool is_told;

    ks_outbox_get_stats(feed->outbox, &stats);
    if (feed->state != FEED_OPEN || stats.waiting > 0)
        return;
    heartbeat.coalesced_total = stats.coalesced_total;
    tally(feed, &heartbeat.tally);
    is_told = tell_tally(feed, &heartbeat);
    (void)is_told; /* if not, the next one may be */
}

bool ks_feed_summarize(struct ks_feed *feed)
{
    struct ks_heartbeat heartbeat = {0};
    struct ks_outbox_stats stats;

    ks_outbox_get_stats(feed->outbox, &stats);
    if (feed->state != FEED_OPEN)
        return true;
    if (stats.waiting > 0)
        return false;
    heartbeat.coalesced_total = stats.coalesced_total;
    tally(feed, &heartbeat.tally);
    if (memcmp(&feed->summary, &heartbeat.tally.counts, sizeof(feed->summary)) == 0)
        return true;
    return tell_tally(feed, &heartbeat);
}

struct repetition {
    struct ks_feed *feed;
    struct ks_error err; /* OK, or of the first update that failed */
};

static void repeat(void *ctx, const struct ks_event *update)
{
    struct repetition *r = ctx;
    struct ks_event again = *update;

    if (r->err.rc || !*update->sink_slot)
        return;
    again.update.previous_status = again.update.status;
    if (deliver(r->feed, &again, &r->err))
        assert(r->err.rc);
}

void ks_feed_repeat(struct ks_feed *feed)
{
    struct repetition r = {.feed = feed};

    if (feed->state != FEED_OPEN)
        return;
    if (feed->vigil)
        ks_vigil_each(feed->vigil, repeat, &r);
    else if (feed->session)
        ks_session_each(feed->session, repeat, &r);
    if (r.err.rc)
        feed_fail(feed, &r.err); /* the feed may be gone */
}

struct ks_feed *ks_feed_free(struct ks_feed *feed)
{
    if (!feed)
        return NULL;
    feed->session = ks_session_free(feed->session);
    feed->vigil = ks_vigil_free(feed->vigil);
    (void)atomic_fetch_sub_explicit(&feed->stats->sessions, 1, memory_order_relaxed);
    feed->outbox = ks_outbox_unref(feed->outbox);
    ks_free(feed);
    return NULL;
}
