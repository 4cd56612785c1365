/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of events: the initial ones up to their bookmark (STREAMING), and the changes after it
 * (WATCHING). shared/spec: informers 1.4 and 1.5.
 *
 * Invariants:
 *   1. While STREAMING the resume position stays: only the bookmark that ends the initial events
 *      sets it. While WATCHING it follows each event, after the owner has had the event, and never
 *      moves back.
 *   2. What ends the stream from within (an ERROR event, a bad line) is noted in the feed and
 *      carried out when the framer is off the stack.
 *   3. The line buffer holds no memory between events.
 *
 * A server that takes sendInitialEvents for an unknown word never sends the bookmark, and nothing
 * in the protocol says so: silence is what tells, hence the timer.
 *
 * Thread: the loop's.
 */
#include <stdatomic.h>

#include "base/plant.h"

#include "json/json.h"
#include "kube/peek.h"
#include "kube/reflector_internal.h"
#include "kube/rv.h"
#include "kube/watch_decode.h"

#define TIMEOUT_MIN_S 300
#define TIMEOUT_SPREAD_S 300
/* How much longer than asked for a watch may live before its connection is suspect. */
#define TIMEOUT_GRACE_S 15
/* No bookmark: so long after the last event, and so long after the head. */
#define SILENCE_EVENT_MS 15000
#define SILENCE_HEAD_MS 30000
/* A watch that is refused by an ERROR event looks established until that event is read. Right after
 * a sync its state is proven all the same. */
#define SETTLE_MS 1000
#define BIG_LINE_BYTES ((size_t)64 << 10)

enum verdict { VERDICT_FAILED, VERDICT_BAD_LINE, VERDICT_NEEDS_SYNC, VERDICT_RESET };

/* Lives on the stack of on_data. */
struct ks_watch_feed {
    enum verdict verdict;
    bool is_event; /* an ERROR event said it */
    struct ks_kube_failure failure;
};

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status);
static void on_data(void *ctx, struct ks_str bytes);
static void on_end(void *ctx, const struct ks_kube_failure *failure);
static ks_rc on_line(void *ctx, struct ks_str line);
static ks_rc on_too_long(void *ctx, struct ks_str head, size_t len);

static const struct ks_kube_request_ops watch_ops = {
    .on_waiting = ks_reflector_on_waiting,
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
};
static const struct ks_lines_ops line_ops = {.on_line = on_line, .on_too_long = on_too_long};

static void init_lines(struct ks_reflector *r)
{
    ks_lines_init(&r->lines, KS_LINES_DEFAULT_MAX_LINE, KS_LINES_DEFAULT_MAX_SKIP, &line_ops, r);
}

ks_rc ks_reflector_watch_begin(struct ks_reflector *r, ks_stream_kind kind, struct ks_error *err)
{
    bool is_initial = kind == KS_STREAM_INITIAL;
    unsigned timeout_s = TIMEOUT_MIN_S + (unsigned)ks_random_below(TIMEOUT_SPREAD_S);
    struct ks_collection_query query = {
        .is_watch = true,
        .timeout_s = timeout_s,
        .wants_bookmarks = is_initial || !r->policy.drops_bookmarks,
        .wants_initial_events = is_initial,
        .is_not_older_than = is_initial,
    };
    struct ks_kube_request_config config = {
        .kind = KS_KUBE_REQUEST_WATCH,
        .pace = is_initial ? KS_KUBE_PACE_COLLECTION : KS_KUBE_PACE_DEFAULT,
        .timeout_ms = (int64_t)(timeout_s + TIMEOUT_GRACE_S) * 1000,
        .ops = &watch_ops,
    };

    ks_reflector_set_state(r, is_initial ? KS_REFLECTOR_STREAMING : KS_REFLECTOR_WATCHING);
    if (!is_initial || (r->policy.can_resume && !r->policy.is_rv_bad))
        query.resource_version = ks_buf_str(&r->rv_last);
    init_lines(r);
    r->head_at_ms = 0;
    r->had_event = false;
    return ks_reflector_send(r, &query, &config, err);
}

void ks_reflector_watch_end(struct ks_reflector *r)
{
    ks_lines_fini(&r->lines);
    r->head_at_ms = 0;
}

static void tell_fresh(struct ks_reflector *r)
{
    ks_timer_stop(&r->timer);
    ks_reflector_tell(r, KS_SOURCE_FRESH, NULL);
}

static void watch_on_head(struct ks_reflector *r)
{
    struct ks_plan probe = {.next = KS_NEXT_WATCH, .pause = KS_PAUSE_NONE};
    struct ks_plan list = {.next = KS_NEXT_SYNC, .pause = KS_PAUSE_NONE};

    /* The request may have waited while the endpoint was away, and who answers may be another
     * server. */
    if (ks_kube_closures(r->kube) != r->closures)
        ks_policy_severed(&r->policy);
    if (r->policy.is_single && r->policy.was_severed)
        ks_reflector_follow(r, list, NULL);
    else if (ks_reflector_probe_is_due(r) && !r->policy.must_probe)
        ks_reflector_follow(r, probe, NULL);
    else if (r->policy.is_doubted)
        ks_timer_start(&r->timer, KS_WATCH_SHORT_MS);
    else if (r->source == KS_SOURCE_SYNCING || r->is_new_sync)
        tell_fresh(r);
    else if (r->source != KS_SOURCE_FRESH)
        ks_timer_start(&r->timer, SETTLE_MS);
}

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status)
{
    struct ks_reflector *r = ctx;

    (void)content_type; /* the lines decide */
    (void)etag;
    (void)http_status;
    ks_reflector_pin(r);
    r->head_at_ms = ks_loop_now_ms(r->loop);
    r->last_event_at_ms = r->head_at_ms;
    if (r->state == KS_REFLECTOR_STREAMING) {
        ks_timer_start(&r->timer, SILENCE_HEAD_MS);
        r->ops->on_sync_begin(r->ctx);
    } else {
        watch_on_head(r);
    }
    ks_reflector_unpin(r);
}

void ks_reflector_watch_on_timer(struct ks_reflector *r)
{
    int64_t now_ms = ks_loop_now_ms(r->loop);
    int64_t silent_ms = now_ms - r->last_event_at_ms;

    if (r->state == KS_REFLECTOR_WATCHING)
        tell_fresh(r);
    else if (silent_ms < SILENCE_EVENT_MS)
        ks_timer_start(&r->timer, SILENCE_EVENT_MS - silent_ms);
    else
        ks_reflector_follow(r, ks_policy_stream_silent(&r->policy), NULL);
}

/* Ends the stream with a verdict that on_data carries out. Only the server's own word is a code to
 * decide on. */
static ks_rc give_verdict(struct ks_reflector *r, enum verdict verdict, const struct ks_error *err)
{
    r->feed->verdict = verdict;
    ks_reflector_failure_of(&r->feed->failure, err);
    if (verdict != VERDICT_FAILED)
        r->feed->failure.rc = KS_RC_PARSE;
    return r->feed->failure.rc;
}

static ks_rc fail_nomem(struct ks_reflector *r)
{
    struct ks_error err;

    ks_fail(&err, KS_RC_NOMEM, "no memory for a watch event");
    return give_verdict(r, VERDICT_FAILED, &err);
}

/* Something came that makes sense. May close r. */
static ks_rc note_event(struct ks_reflector *r)
{
    r->had_event = true;
    if (r->state == KS_REFLECTOR_STREAMING) {
        r->last_event_at_ms = ks_loop_now_ms(r->loop);
        return KS_RC_OK;
    }
    ks_policy_watch_healthy(&r->policy);
    if (r->source != KS_SOURCE_FRESH)
        tell_fresh(r);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : KS_RC_OK;
}

/* No server is behind a position that it has served, unless its past was replaced: by a backup,
 * mostly. What comes after the old position would be waited for in vain. */
static ks_rc on_reset(struct ks_reflector *r, struct ks_str resource_version)
{
    struct ks_kube_failure why;

    ks_reflector_went_back(r, resource_version, &why);
    ks_reflector_reset(r);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : give_verdict(r, VERDICT_RESET, &why.error);
}

static ks_rc finish_streaming(struct ks_reflector *r, struct ks_str resource_version)
{
    ks_timer_stop(&r->timer);
    ks_kube_request_synced(r->request);
    ks_reflector_set_state(r, KS_REFLECTOR_WATCHING);
    if (!ks_reflector_sync_done(r, resource_version))
        return on_reset(r, resource_version);
    if (!ks_reflector_is_closed(r))
        ks_reflector_tell(r, KS_SOURCE_FRESH, NULL);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : KS_RC_OK;
}

static ks_rc on_bookmark(struct ks_reflector *r, struct ks_json_value object)
{
    struct ks_identity id;

    if (!ks_identity_of(object, &id) || id.resource_version.len == 0)
        return KS_RC_OK;
    if (r->state == KS_REFLECTOR_STREAMING)
        return ks_watch_is_initial_end(object) ? finish_streaming(r, id.resource_version)
                                               : note_event(r);
    if (ks_rv_is_older(id.resource_version, ks_buf_str(&r->rv_last)))
        return on_reset(r, id.resource_version);
    ks_reflector_advance(r, id.resource_version);
    return note_event(r);
}

static ks_rc on_error_event(struct ks_reflector *r, struct ks_json_value status)
{
    r->feed->verdict = VERDICT_FAILED;
    r->feed->is_event = true;
    ks_watch_failure_of(status, &r->feed->failure);
    return r->feed->failure.rc;
}

static ks_rc deliver_bad_deleted(struct ks_reflector *r, const struct ks_peek *peek)
{
    atomic_fetch_add(&ks_kube_stats_of(r->kube)->bad_lines_total, 1);
    if (ks_reflector_wants(r, peek->ns, peek->name))
        r->ops->on_bad_deleted(r->ctx, peek->ns, peek->name, peek->resource_version);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : KS_RC_OK;
}

/* An event about an object that nobody can read, told by what its beginning shows. */
static ks_rc on_unreadable(struct ks_reflector *r, struct ks_str head, const struct ks_error *err)
{
    struct ks_peek peek;
    ks_rc rc;

    ks_peek_event(head, &peek);
    if (ks_watch_type_parse(peek.type) == KS_WATCH_DELETED) {
        if (!peek.is_complete || !r->ops->on_bad_deleted)
            return give_verdict(r, VERDICT_NEEDS_SYNC, err);
        rc = deliver_bad_deleted(r, &peek);
    } else {
        rc = ks_reflector_deliver_bad(r, peek.ns, peek.name, err);
    }
    if (!rc && peek.is_complete && peek.resource_version.len)
        ks_reflector_advance(r, peek.resource_version);
    return rc ? rc : note_event(r);
}

static ks_rc on_too_long(void *ctx, struct ks_str head, size_t len)
{
    struct ks_reflector *r = ctx;
    struct ks_error err;

    ks_fail(&err, KS_RC_LIMIT, "the object is too large (%zu bytes)", len);
    return on_unreadable(r, head, &err);
}

/* It may have been damaged on its way, so it says nothing of an object: the server is asked for the
 * same again, and at last for a list, whose items tell whom they spoil. */
static ks_rc on_bad_line(struct ks_reflector *r, const struct ks_error *err)
{
    struct ks_error why;

    atomic_fetch_add(&ks_kube_stats_of(r->kube)->bad_lines_total, 1);
    /* Nobody's argument was malformed: it is the server that answers oddly. */
    ks_fail(&why, KS_RC_PROTOCOL,
            "the API server %s, or a proxy before it, sent a watch event that cannot be read (%s): "
            "it is asked for again",
            ks_kube_config_of(r->kube)->server, err->msg);
    return give_verdict(r, VERDICT_BAD_LINE, &why);
}

static ks_rc on_object_event(struct ks_reflector *r, const struct ks_watch_event *event)
{
    bool is_deleted = event->type == KS_WATCH_DELETED && !KS_PLANTED(5);
    struct ks_identity id;
    struct ks_error err;
    bool is_ours = false;
    ks_rc rc = ks_reflector_deliver(r, event->object,
                                    is_deleted ? r->ops->on_deleted : r->ops->on_object, &is_ours);

    if (rc == KS_RC_NOMEM)
        return fail_nomem(r);
    if (rc == KS_RC_PARSE) {
        ks_fail(&err, rc, "the metadata of the object in a watch event cannot be read");
        return on_bad_line(r, &err);
    }
    if (rc || !is_ours)
        return rc;
    if (ks_identity_of(event->object, &id))
        ks_reflector_advance(r, id.resource_version);
    return note_event(r);
}

static ks_rc on_event(struct ks_reflector *r, const struct ks_watch_event *event)
{
    switch (event->type) {
    case KS_WATCH_ADDED:
    case KS_WATCH_MODIFIED:
    case KS_WATCH_DELETED:
        return on_object_event(r, event);
    case KS_WATCH_BOOKMARK:
        return on_bookmark(r, event->object);
    case KS_WATCH_ERROR:
        return on_error_event(r, event->object);
    case KS_WATCH_UNKNOWN:
        break;
    }
    atomic_fetch_add(&ks_kube_stats_of(r->kube)->bad_lines_total, 1);
    return KS_RC_OK;
}

/* Whether the line is about an object that nobody asked for, as far as its beginning tells. */
static bool is_unwanted(struct ks_reflector *r, const struct ks_peek *peek)
{
    switch (ks_watch_type_parse(peek->type)) {
    case KS_WATCH_ADDED:
    case KS_WATCH_MODIFIED:
    case KS_WATCH_DELETED:
        return peek->is_complete && ks_str_eq(peek->kind, r->resource->kind) &&
               !ks_reflector_wants(r, peek->ns, peek->name);
    case KS_WATCH_BOOKMARK:
    case KS_WATCH_ERROR:
    case KS_WATCH_UNKNOWN:
        break;
    }
    return false;
}

static ks_rc on_line(void *ctx, struct ks_str line)
{
    struct ks_reflector *r = ctx;
    struct ks_json *parser = ks_fleet_parser(r->fleet);
    struct ks_watch_event event;
    struct ks_error err;
    struct ks_peek peek;
    ks_rc rc;

    atomic_fetch_add(&ks_kube_stats_of(r->kube)->events_total, 1);
    if (ks_reflector_has_filter(r)) {
        ks_peek_event(line, &peek);
        if (is_unwanted(r, &peek)) {
            ks_reflector_advance(r, peek.resource_version);
            return note_event(r);
        }
    }
    rc = ks_watch_decode(parser, line, &event, &err);
    if (rc == KS_RC_NOMEM)
        return fail_nomem(r);
    if (rc == KS_RC_LIMIT)
        return on_unreadable(r, line, &err);
    if (rc)
        return on_bad_line(r, &err);
    rc = on_event(r, &event);
    if (line.len > BIG_LINE_BYTES)
        ks_json_trim(parser);
    return rc;
}

static struct ks_plan plan_of(struct ks_reflector *r, const struct ks_watch_feed *feed)
{
    struct ks_plan sync = {.next = KS_NEXT_SYNC, .pause = KS_PAUSE_BACKOFF, .tell = KS_TELL_LOST};
    int64_t lived_ms = r->head_at_ms ? ks_loop_now_ms(r->loop) - r->head_at_ms : 0;

    if (r->state == KS_REFLECTOR_STREAMING)
        return ks_policy_stream_failed(&r->policy, &feed->failure, feed->is_event);
    switch (feed->verdict) {
    case VERDICT_FAILED:
        return ks_policy_watch_failed(&r->policy, &feed->failure, lived_ms);
    case VERDICT_BAD_LINE:
        return ks_policy_bad_line(&r->policy);
    case VERDICT_RESET:
        return ks_policy_went_back(&r->policy);
    case VERDICT_NEEDS_SYNC:
        break;
    }
    return sync;
}

static void after_feed(struct ks_reflector *r, struct ks_watch_feed *feed, ks_rc rc)
{
    struct ks_error err;

    if (ks_reflector_is_closed(r))
        return;
    if (!rc) {
        if (!ks_lines_has_part(&r->lines)) {
            ks_lines_fini(&r->lines);
            init_lines(r);
        }
        return;
    }
    /* The framer's own failure: a line without an end, or no memory for its beginning. */
    if (feed->failure.rc == KS_RC_OK) {
        ks_fail(&err, rc, "a watch event could not be taken in: %s", ks_rc_text(rc));
        r->feed = feed;
        (void)give_verdict(r, rc == KS_RC_NOMEM ? VERDICT_FAILED : VERDICT_BAD_LINE, &err);
        r->feed = NULL;
    }
    ks_reflector_follow(r, plan_of(r, feed), &feed->failure);
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct ks_reflector *r = ctx;
    struct ks_watch_feed feed = {0};
    ks_rc rc;

    ks_reflector_pin(r);
    r->feed = &feed;
    rc = ks_lines_feed(&r->lines, bytes);
    r->feed = NULL;
    after_feed(r, &feed, rc);
    ks_reflector_unpin(r);
}

static void on_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct ks_reflector *r = ctx;
    int64_t lived_ms = r->head_at_ms ? ks_loop_now_ms(r->loop) - r->head_at_ms : 0;
    struct ks_kube_failure ended;
    struct ks_error err;
    struct ks_plan plan;

    ks_reflector_pin(r);
    r->request = NULL;
    if (r->state == KS_REFLECTOR_STREAMING)
        plan = failure ? ks_policy_stream_failed(&r->policy, failure, /* is_event= */ false)
                       : ks_policy_stream_ended(&r->policy);
    else
        plan = failure ? ks_policy_watch_failed(&r->policy, failure, lived_ms)
                       : ks_policy_watch_ended(&r->policy, lived_ms, r->had_event);
    if (!failure) {
        ks_fail(&err, KS_RC_UNAVAILABLE, "the API server closes the watch again and again");
        ks_reflector_failure_of(&ended, &err);
        failure = &ended;
    }
    ks_reflector_follow(r, plan, failure);
    ks_reflector_unpin(r);
}
