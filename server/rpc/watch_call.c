/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Watch stream.
 *
 *   NEW ──request is good──> STREAMING ──end──> FLUSHING ──outbox empty──> ENDED
 *                                └────────── client gone ──────────> ENDED <─────┘
 *
 * What ends it: a drain, a failure, or the outcome, when there is a goal.
 *
 * The stream is driven by three things only: the bell (something waits), a completed send (the next
 * may go), and the end of the call. Each leads to pump(), which takes what has queued meanwhile, as
 * one response.
 *
 * Invariants:
 *   1. only the lane's thread touches the call;
 *   2. at most one send and one ring are outstanding, so a slow client costs one slot an object,
 *      never a queue;
 *   3. Accepted is in the outbox before the feed is opened: it is the first event of every stream;
 *   4. Synced follows every object of the snapshot (the session's promise; the outbox keeps order);
 *   5. the status follows all that was in the outbox when the stream was ended, Draining or the
 *      outcome last;
 *   6. after the client is gone nothing is sent, the feed is freed at once, and the last reference
 *      is dropped on the lane's thread.
 *
 * Thread: the lane's.  Does not: know Kubernetes, or what is in an event.
 */
#include "server/rpc/watch_call.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "watcher/selector.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"
#include "server/rpc/request.h"
#include "server/rpc/source.h"

#define CORK_MAX_EVENTS 64
#define RESPONSE_MAX_BYTES (1u << 20)
#define RECONNECT_AFTER_MS 1000
/* What the Kubernetes layer takes of one; told only. */
#define OBJECT_MAX_BYTES (16u << 20)

#define TO(state) (1u << WATCH_##state)
#define WATCH_STATES(X)                                                                            \
    X(NEW, "new", TO(STREAMING) | TO(ENDED))                                                       \
    X(STREAMING, "streaming", TO(FLUSHING) | TO(ENDED))                                            \
    X(FLUSHING, "flushing", TO(ENDED))                                                             \
    X(ENDED, "ended", 0)

typedef enum {
#define X(name, text, next) WATCH_##name,
    WATCH_STATES(X)
#undef X
} watch_state;

static const struct {
    const char *text;
    unsigned next;
} watch_states[] = {
#define X(name, text, next) [WATCH_##name] = {text, next},
    WATCH_STATES(X)
#undef X
};

struct watch {
    struct ks_call *call;
    struct ks_source *source;
    watch_state state;
    bool is_source_closed;
    uint64_t coalesced;  /* counted so far */
    struct ks_error end; /* FLUSHING: what the status will say */
};

/* The outcome has been told: all is well, whatever it is. */
static const struct ks_error decided = {.rc = KS_RC_OK};

static struct ks_metrics *metrics_of(const struct watch *w)
{
    return ks_call_lane(w->call)->shared->metrics;
}

static void watch_set_state(struct watch *w, watch_state to)
{
    assert(watch_states[w->state].next & (1u << to));
    ks_log(ks_call_lane(w->call)->shared->log, KS_LOG_DEBUG, "watch state",
           KS_F_STR("from", watch_states[w->state].text), KS_F_STR("to", watch_states[to].text));
    if (w->state == WATCH_NEW && to == WATCH_STREAMING)
        ks_metrics_add(metrics_of(w), KS_METRIC_STREAMS_OPEN, 1);
    if (w->state != WATCH_NEW && to == WATCH_ENDED)
        ks_metrics_add(metrics_of(w), KS_METRIC_STREAMS_OPEN, -1);
    w->state = to;
}

/* From here on, what is in the outbox goes out, and then the status. */
static void watch_end(struct watch *w, const struct ks_error *why, struct ks_packet *farewell)
{
    watch_set_state(w, WATCH_FLUSHING);
    w->end = *why;
    ks_source_close(w->source, KS_SOURCE_KEEP, farewell);
}

static void count_coalesced(struct watch *w)
{
    struct ks_outbox_stats stats;

    ks_outbox_get_stats(ks_source_outbox(w->source), &stats);
    ks_metrics_add(metrics_of(w), KS_METRIC_COALESCED_TOTAL,
                   (int64_t)(stats.coalesced_total - w->coalesced));
    w->coalesced = stats.coalesced_total;
}

static void watch_finish(struct watch *w, const struct ks_error *why)
{
    watch_set_state(w, WATCH_ENDED);
    if (w->source && ks_source_has_too_many(w->source))
        ks_call_finish_limit(w->call, KS_LIMIT_OBJECTS, why->msg);
    else
        ks_call_finish(w->call, ks_rpc_code(why->rc), why->msg, (struct ks_str){.ptr = NULL});
}

/* Sends what waits; when nothing does and the stream is ending, ends it. */
static void watch_pump(struct watch *w)
{
    struct ks_outbox_taken taken = {0};
    struct ks_buf *bytes;
    ks_rc rc;

    if ((w->state != WATCH_STREAMING && w->state != WATCH_FLUSHING) || !ks_call_can_send(w->call))
        return;
    bytes = ks_cq_scratch(ks_call_lane(w->call)->cq);
    rc = ks_outbox_take(ks_source_outbox(w->source), CORK_MAX_EVENTS, RESPONSE_MAX_BYTES,
                        ks_clock_real.wall_ms(&ks_clock_real), bytes, &taken);
    if (rc) {
        /* Nothing was taken, and the sequence must stay gapless: the stream cannot go on. */
        struct ks_error why;

        (void)ks_fail(&why, rc, "the server cannot encode the next response: %s; reconnect",
                      ks_rc_text(rc));
        if (w->state == WATCH_STREAMING)
            ks_source_close(w->source, KS_SOURCE_DROP, NULL);
        watch_finish(w, &why);
    } else if (taken.events > 0) {
        ks_metrics_add(metrics_of(w), KS_METRIC_RESPONSES_TOTAL, 1);
        ks_metrics_add(metrics_of(w), KS_METRIC_EVENTS_SENT_TOTAL, taken.events);
        ks_metrics_add(metrics_of(w), KS_METRIC_BYTES_SENT_TOTAL, (int64_t)bytes->len);
        ks_call_send(w->call, ks_buf_str(bytes));
        count_coalesced(w);
    } else if (w->state == WATCH_FLUSHING && w->is_source_closed) {
        watch_finish(w, &w->end);
    }
}

/* The client is to open the stream again: what waits for it, Draining, and UNAVAILABLE. */
static void watch_part(struct watch *w, const char *text)
{
    struct ks_packet *farewell = NULL;
    struct ks_error why;

    (void)ks_fail(&why, KS_RC_UNAVAILABLE, "%s", text);
    if (ks_encode_draining(RECONNECT_AFTER_MS, &farewell, NULL))
        farewell = NULL; /* without memory for it the status alone says so */
    watch_end(w, &why, farewell);
}

static void on_wake(void *ctx)
{
    struct watch *w = ctx;
    const struct ks_error *failure = ks_source_failure(w->source);

    if (w->state == WATCH_STREAMING && ks_source_is_decided(w->source))
        watch_end(w, &decided, NULL);
    else if (w->state == WATCH_STREAMING && failure)
        watch_end(w, failure, NULL);
    else if (w->state == WATCH_STREAMING && ks_source_is_aged(w->source))
        watch_part(w,
                   "the stream has lasted as long as it may (see Accepted.limits); open it again");
    watch_pump(w);
}

static void on_source_closed(void *ctx)
{
    struct watch *w = ctx;

    w->is_source_closed = true;
    if (ks_source_is_decided(w->source)) /* it may have been while the stream was being ended */
        w->end = decided;
    watch_pump(w);
    ks_call_unref(w->call); /* the source's; may free w */
}

static struct ks_accepted_limits limits_of(const struct watch *w)
{
    const int64_t *set = ks_call_lane(w->call)->shared->limits->values;

    return (struct ks_accepted_limits){
        .streams = (uint32_t)set[KS_LIMIT_STREAMS],
        .streams_per_connection = (uint32_t)set[KS_LIMIT_STREAMS_PER_CONNECTION],
        .connections = (uint32_t)set[KS_LIMIT_CONNECTIONS],
        .connections_per_address = (uint32_t)set[KS_LIMIT_CONNECTIONS_PER_ADDRESS],
        .objects_per_stream = (uint32_t)set[KS_LIMIT_OBJECTS],
        .targets = KS_SESSION_MAX_TARGETS,
        .request_bytes = KS_RPC_REQUEST_MAX_BYTES,
        .metadata_bytes = KS_CALL_METADATA_MAX,
        .selector_bytes = KS_SELECTOR_MAX_BYTES,
        .response_bytes = RESPONSE_MAX_BYTES,
        .object_bytes = OBJECT_MAX_BYTES,
        .stream_life_ms = set[KS_LIMIT_STREAM_SECONDS] * 1000,
        .connection_life_ms = set[KS_LIMIT_CONNECTION_SECONDS] * 1000,
    };
}

static ks_rc push_accepted(struct watch *w, const struct ks_rpc_request *request,
                           struct ks_error *err)
{
    const struct ks_rpc_pace *pace = ks_rpc_request_pace(request);
    struct ks_session_config config = {0};
    struct ks_accepted accepted = {
        .server_instance = ks_call_lane(w->call)->shared->instance,
        .server_version = KS_VERSION,
    };
    struct ks_packet *packet = NULL;
    ks_rc rc;

    ks_rpc_request_configure(request, &config);
    accepted.profile = ks_profile_text(config.profile);
    accepted.generated_depth = config.generated_depth;
    accepted.include_causes = config.include_causes;
    accepted.include_objects = config.include_objects;
    accepted.heartbeat_ms = pace->heartbeat_ms;
    accepted.min_update_ms = pace->min_update_ms;
    accepted.resync_ms = pace->resync_ms;
    accepted.is_blind = pace->is_blind;
    accepted.is_summary = pace->is_summary;
    accepted.limits = limits_of(w);
    rc = ks_encode_accepted(&accepted, &packet, err);
    if (rc)
        return rc;
    rc = ks_outbox_push(ks_source_outbox(w->source), packet);
    (void)ks_packet_unref(packet);
    return rc ? ks_fail(err, rc, "the server is out of memory") : KS_RC_OK;
}

static ks_rc watch_open(struct watch *w, struct ks_rpc_request **request, struct ks_error *err)
{
    static const struct ks_source_ops ops = {.on_wake = on_wake, .on_closed = on_source_closed};
    ks_rc rc = ks_source_new(ks_call_lane(w->call), &ops, w, &w->source, err);

    if (rc)
        return rc;
    rc = push_accepted(w, *request, err);
    if (rc)
        return rc;
    (void)ks_call_ref(w->call);
    ks_source_limit_life(w->source, ks_call_life_ms(w->call));
    ks_source_open(w->source, KS_TAKE(*request), ks_call_left_ms(w->call));
    watch_set_state(w, WATCH_STREAMING);
    ks_metrics_add(metrics_of(w), KS_METRIC_STREAMS_TOTAL, 1);
    return KS_RC_OK;
}

static void on_request(struct ks_call *call, struct ks_str message)
{
    struct watch *w = ks_call_state(call);
    KS_CLEANUP(ks_refusal_fini) struct ks_refusal refusal = {0};
    struct ks_rpc_request *request = NULL;
    struct ks_error err = {0};
    ks_rc rc;

    w->call = call;
    ks_refusal_init(&refusal);
    rc = ks_rpc_request_decode(KS_RPC_REQUEST_WATCH, message, &request, &refusal);
    if (rc) {
        watch_set_state(w, WATCH_ENDED);
        ks_call_finish(call, refusal.code, refusal.error.msg, ks_buf_str(&refusal.details));
        return;
    }
    rc = watch_open(w, &request, &err);
    if (rc) {
        (void)ks_rpc_request_free(request);
        watch_finish(w, &err);
        return;
    }
    ks_call_send_headers(call);
    watch_pump(w);
}

static void on_sent(struct ks_call *call)
{
    watch_pump(ks_call_state(call));
}

static void on_drain(struct ks_call *call)
{
    struct watch *w = ks_call_state(call);

    if (w->state == WATCH_STREAMING)
        watch_part(w, "server is shutting down; reconnect");
}

static uint32_t weigh(struct ks_call *call)
{
    struct watch *w = ks_call_state(call);

    return w->state == WATCH_STREAMING ? ks_source_weight(w->source) : 0;
}

static void on_shed(struct ks_call *call, const char *text)
{
    struct watch *w = ks_call_state(call);

    ks_source_close(w->source, KS_SOURCE_DROP, NULL);
    watch_set_state(w, WATCH_ENDED);
    ks_call_finish_limit(call, KS_LIMIT_MEMORY_MIB, text);
}

static void on_closed(struct ks_call *call)
{
    struct watch *w = ks_call_state(call);

    if (w->state == WATCH_NEW || w->state == WATCH_ENDED)
        return;
    if (w->state == WATCH_STREAMING)
        ks_source_close(w->source, KS_SOURCE_DROP, NULL);
    watch_set_state(w, WATCH_ENDED);
}

static void on_free(struct ks_call *call)
{
    struct watch *w = ks_call_state(call);

    if (w->source && w->state != WATCH_NEW)
        count_coalesced(w);
    w->source = ks_source_free(w->source);
}

const struct ks_call_ops ks_watch_call_ops = {
    .method = KS_METHOD_WATCH,
    .state_bytes = sizeof(struct watch),
    .on_request = on_request,
    .on_sent = on_sent,
    .on_drain = on_drain,
    .weigh = weigh,
    .on_shed = on_shed,
    .on_closed = on_closed,
    .on_free = on_free,
};
