/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladders of the reflector, without the reflector.
 *
 * Three rules stand above the tables:
 *   1. Resume from the last resource version after whatever may heal by itself; bring the whole
 *      state again only when the server says that the history is gone, or when resuming has failed
 *      again and again.
 *   2. A repeat without a pause is allowed at most MAX_REPEATS times between two pauses, so that no
 *      chain of answers can make a hot loop.
 *   3. What repeating cannot mend is told as FAILED and tried again every 5 minutes only.
 *
 * Refusals that may mean "you sent a parameter that I do not know" first cost that parameter.
 *
 * Thread: any.  It does not: send, wait, or report.
 */
#include "kube/reflector_policy.h"

#include "base/plant.h"

#define MAX_REPEATS 2
#define MAX_STREAM_ENDS 2
#define MAX_SERVER_ERRORS 5
#define MAX_UNKNOWN_ERRORS 2
#define MAX_BAD_LINES 3
#define DOUBTED_AFTER 3
#define STREAMING_REFUSED_MS ((int64_t)3600 * 1000)
#define STREAMING_BROKEN_MS ((int64_t)300 * 1000)

static struct ks_plan plan(ks_next next, ks_pause pause, ks_tell tell)
{
    return (struct ks_plan){.next = next, .pause = pause, .tell = tell};
}

static struct ks_plan sync_later(void)
{
    return plan(KS_NEXT_SYNC, KS_PAUSE_BACKOFF, KS_TELL_LOST);
}

static struct ks_plan sync_now(void)
{
    return plan(KS_NEXT_SYNC, KS_PAUSE_NONE, KS_TELL_NOTHING);
}

/* Counts; true when the limit is reached, and then begins anew. */
static bool reaches(uint8_t *counter, uint8_t limit)
{
    if (++*counter < limit)
        return false;
    *counter = 0;
    return true;
}

static bool may_repeat(struct ks_policy *p)
{
    if (p->repeats >= MAX_REPEATS)
        return false;
    p->repeats++;
    return true;
}

static ks_next resume(const struct ks_policy *p)
{
    return p->is_single || !p->can_resume ? KS_NEXT_SYNC : KS_NEXT_WATCH;
}

static struct ks_plan resume_later(const struct ks_policy *p)
{
    return plan(resume(p), KS_PAUSE_BACKOFF, KS_TELL_LOST);
}

/* API servers answer 403 for some seconds after a restart, until their RBAC informers are warm
 * (k8s#121635). */
static struct ks_plan denied(struct ks_policy *p, ks_next next)
{
    bool is_first = p->denials == 0;

    if (p->denials < UINT8_MAX)
        p->denials++;
    if (p->has_synced && is_first)
        return plan(next, KS_PAUSE_SHORT, KS_TELL_LOST);
    return plan(next, KS_PAUSE_BACKOFF, KS_TELL_DENIED);
}

/* What means the same wherever it is said; false when it does not. */
static bool plan_for_all(struct ks_policy *p, const struct ks_kube_failure *failure, ks_next next,
                         struct ks_plan *out)
{
    switch (failure->rc) {
    case KS_RC_UNAUTHENTICATED:
        *out = plan(next, KS_PAUSE_BACKOFF, KS_TELL_UNAUTHENTICATED);
        return true;
    case KS_RC_DENIED:
        *out = denied(p, next);
        return true;
    case KS_RC_NOTFOUND:
        *out = plan(KS_NEXT_LOCATE, KS_PAUSE_NONE, KS_TELL_LOST);
        return true;
    case KS_RC_UNSUPPORTED:
    case KS_RC_LIMIT:
        *out = plan(next, KS_PAUSE_LONG, KS_TELL_FAILED);
        return true;
    case KS_RC_OK:
    case KS_RC_AGAIN:
    case KS_RC_NOMEM:
    case KS_RC_INVALID:
    case KS_RC_PARSE:
    case KS_RC_IO:
    case KS_RC_TIMEOUT:
    case KS_RC_CANCELLED:
    case KS_RC_UNAVAILABLE:
    case KS_RC_AMBIGUOUS:
    case KS_RC_CONFLICT:
    case KS_RC_GONE:
    case KS_RC_CONFIG:
    case KS_RC_PROTOCOL:
    case KS_RC_INTERNAL:
        break;
    }
    return false;
}

/* Old servers refuse a resource version that they cannot read, or that lies ahead, with a plain
 * 500. */
static bool is_rv_refused(const struct ks_kube_failure *failure)
{
    struct ks_str message = ks_str_from(failure->error.msg);

    return failure->http_status == 500 &&
           (ks_str_starts(message, KS_LIT("resourceVersion: Invalid value")) ||
            ks_str_starts(message, KS_LIT("required revision is a future revision")) ||
            ks_str_starts(message, KS_LIT("strconv.ParseUint")));
}

/* The sync was refused for its resource version: again without one, and then through the
 * backoff. */
static struct ks_plan rv_refused(struct ks_policy *p)
{
    bool was_bad = p->is_rv_bad;

    p->is_rv_bad = true;
    return !was_bad && may_repeat(p) ? sync_now() : sync_later();
}

static struct ks_plan list_expired(struct ks_policy *p)
{
    if (p->is_later_page && !p->is_unpaged && may_repeat(p)) {
        p->is_unpaged = true;
        return sync_now();
    }
    p->is_unpaged = false;
    return rv_refused(p);
}

/* Takes out what the server may not know, one after the other. */
static struct ks_plan list_invalid(struct ks_policy *p)
{
    if (p->is_sync_told_rv && !p->drops_match && may_repeat(p)) {
        p->drops_match = true;
        p->is_rv_bad = true;
        return sync_now();
    }
    if (p->is_single && !p->drops_name && may_repeat(p)) {
        p->drops_name = true;
        return sync_now();
    }
    return plan(KS_NEXT_SYNC, KS_PAUSE_LONG, KS_TELL_FAILED);
}

struct ks_plan ks_policy_list_failed(struct ks_policy *p, const struct ks_kube_failure *failure)
{
    struct ks_plan result;

    if (plan_for_all(p, failure, KS_NEXT_SYNC, &result))
        return result;
    if (failure->rc == KS_RC_GONE)
        return list_expired(p);
    if (failure->rc == KS_RC_INVALID)
        return list_invalid(p);
    if (failure->is_rv_too_large || is_rv_refused(failure))
        return rv_refused(p);
    return sync_later();
}

static struct ks_plan list_instead(struct ks_policy *p, ks_pause pause)
{
    p->must_list = true;
    return plan(KS_NEXT_SYNC, pause, pause == KS_PAUSE_NONE ? KS_TELL_NOTHING : KS_TELL_LOST);
}

struct ks_plan ks_policy_stream_failed(struct ks_policy *p, const struct ks_kube_failure *failure,
                                       bool is_event)
{
    struct ks_plan result;

    /* A server that does not stream says so in several ways; which of them was meant, the list
     * tells. */
    if (failure->rc == KS_RC_INVALID || failure->rc == KS_RC_UNSUPPORTED) {
        p->streaming_absent_ms = STREAMING_REFUSED_MS;
        return list_instead(p, KS_PAUSE_NONE);
    }
    if (plan_for_all(p, failure, KS_NEXT_SYNC, &result))
        return result;
    if (failure->rc == KS_RC_GONE || failure->is_rv_too_large)
        return rv_refused(p);
    if (is_event && failure->http_status == 500) {
        p->streaming_absent_ms = STREAMING_BROKEN_MS;
        return list_instead(p, KS_PAUSE_NONE);
    }
    if (failure->rc == KS_RC_AGAIN || failure->is_before_head)
        return sync_later();
    return list_instead(p, KS_PAUSE_BACKOFF);
}

struct ks_plan ks_policy_stream_ended(struct ks_policy *p)
{
    return reaches(&p->stream_ends, MAX_STREAM_ENDS) ? list_instead(p, KS_PAUSE_BACKOFF)
                                                     : sync_later();
}

struct ks_plan ks_policy_stream_silent(struct ks_policy *p)
{
    p->streaming_absent_ms = STREAMING_REFUSED_MS;
    return list_instead(p, KS_PAUSE_NONE);
}

void ks_policy_synced(struct ks_policy *p)
{
    p->has_synced = true;
    p->is_rv_bad = false;
    p->is_unpaged = false;
    p->must_list = false;
    p->must_probe = false;
    p->was_severed = false;
    p->streaming_absent_ms = 0;
    p->repeats = 0;
    p->stream_ends = 0;
    p->bad_lines = 0;
}

/* A watch was refused as malformed: first the bookmarks are suspected, then the resource
 * version. */
static struct ks_plan watch_invalid(struct ks_policy *p)
{
    if (!p->drops_bookmarks) {
        p->drops_bookmarks = true;
        return resume_later(p);
    }
    if (reaches(&p->refusals, 2))
        return plan(KS_NEXT_SYNC, KS_PAUSE_LONG, KS_TELL_FAILED);
    p->is_rv_bad = true;
    return sync_later();
}

/* After a restart of the API server this is how most watches learn that it is back, so the backoff
 * of the outage does not count; but once only, until a watch has brought something. */
static struct ks_plan history_lost(struct ks_policy *p)
{
    bool is_first = p->expirations == 0;

    p->expirations = 1;
    /* What heals at once is not told. */
    return is_first ? plan(KS_NEXT_SYNC, KS_PAUSE_SHORT, KS_TELL_NOTHING) : sync_later();
}

static struct ks_plan server_failed(struct ks_policy *p)
{
    return reaches(&p->server_errors, MAX_SERVER_ERRORS) ? sync_later() : resume_later(p);
}

/* Nobody answered, the answer broke off, or somebody answered for a server that is away. */
static bool is_severance(const struct ks_kube_failure *failure)
{
    if (failure->rc == KS_RC_UNAVAILABLE)
        return failure->http_status != 500; /* that is the server's own word */
    return failure->rc == KS_RC_IO || failure->rc == KS_RC_TIMEOUT || failure->is_before_head;
}

struct ks_plan ks_policy_watch_failed(struct ks_policy *p, const struct ks_kube_failure *failure,
                                      int64_t lived_ms)
{
    struct ks_plan result;

    if (is_severance(failure))
        ks_policy_severed(p);
    if (lived_ms >= KS_WATCH_SHORT_MS)
        ks_policy_watch_healthy(p);
    if (plan_for_all(p, failure, resume(p), &result))
        return result;
    if (failure->is_rv_too_large || is_rv_refused(failure)) {
        p->is_rv_bad = true;
        return history_lost(p);
    }
    if (failure->rc == KS_RC_GONE && !KS_PLANTED(4))
        return history_lost(p);
    if (failure->rc == KS_RC_INVALID)
        return watch_invalid(p);
    if (failure->rc == KS_RC_UNAVAILABLE || failure->rc == KS_RC_CONFLICT)
        return server_failed(p);
    if (failure->rc == KS_RC_PROTOCOL)
        return reaches(&p->unknown_errors, MAX_UNKNOWN_ERRORS) ? sync_later() : resume_later(p);
    if ((failure->rc == KS_RC_IO || failure->rc == KS_RC_TIMEOUT) && lived_ms >= KS_WATCH_SHORT_MS)
        return plan(resume(p), KS_PAUSE_SPREAD, KS_TELL_LOST);
    return resume_later(p);
}

struct ks_plan ks_policy_watch_ended(struct ks_policy *p, int64_t lived_ms, bool had_event)
{
    if (lived_ms >= KS_WATCH_SHORT_MS) {
        ks_policy_watch_healthy(p);
        return plan(resume(p), KS_PAUSE_SPREAD, KS_TELL_NOTHING);
    }
    if (had_event)
        return plan(resume(p), KS_PAUSE_BACKOFF, KS_TELL_NOTHING);
    if (reaches(&p->short_watches, KS_WATCH_STRIKES))
        p->must_probe = true;
    if (p->must_probe || p->short_watches >= DOUBTED_AFTER)
        p->is_doubted = true;
    return plan(resume(p), KS_PAUSE_BACKOFF, p->is_doubted ? KS_TELL_LOST : KS_TELL_NOTHING);
}

void ks_policy_watch_healthy(struct ks_policy *p)
{
    p->server_errors = 0;
    p->unknown_errors = 0;
    p->refusals = 0;
    p->denials = 0;
    p->expirations = 0;
    p->short_watches = 0;
    p->must_probe = false;
    p->is_doubted = false;
}

void ks_policy_advanced(struct ks_policy *p)
{
    p->bad_lines = 0;
}

struct ks_plan ks_policy_bad_line(struct ks_policy *p)
{
    if (reaches(&p->bad_lines, MAX_BAD_LINES))
        return sync_later();
    /* The first of a row was an accident, most likely. */
    return p->bad_lines == 1 ? plan(resume(p), KS_PAUSE_SHORT, KS_TELL_LOST) : resume_later(p);
}

struct ks_plan ks_policy_went_back(struct ks_policy *p)
{
    p->is_rv_bad = true;
    return history_lost(p);
}

void ks_policy_severed(struct ks_policy *p)
{
    p->was_severed = true;
}

struct ks_plan ks_policy_probe_behind(struct ks_policy *p)
{
    p->is_rv_bad = true;
    return sync_now();
}

struct ks_plan ks_policy_probe_passed(struct ks_policy *p)
{
    bool was_in_doubt = p->must_probe;

    p->must_probe = false;
    p->was_severed = false;
    return plan(was_in_doubt ? KS_NEXT_SYNC : KS_NEXT_WATCH, KS_PAUSE_NONE, KS_TELL_NOTHING);
}

struct ks_plan ks_policy_probe_failed(struct ks_policy *p, const struct ks_kube_failure *failure)
{
    struct ks_plan result;

    /* The probe asked for more than the selectors do: only the sync can tell what is permitted. */
    if (failure->rc == KS_RC_DENIED && p->is_filtered)
        return plan(KS_NEXT_SYNC, KS_PAUSE_SPREAD, KS_TELL_NOTHING);
    if (plan_for_all(p, failure, KS_NEXT_WATCH, &result))
        return result;
    if (failure->is_rv_too_large || is_rv_refused(failure))
        return ks_policy_probe_behind(p);
    if (failure->rc == KS_RC_GONE)
        return sync_now();
    /* A server that does not know the parameters cannot be probed. */
    if (failure->rc == KS_RC_INVALID)
        return ks_policy_probe_passed(p);
    return resume_later(p);
}

void ks_policy_paused(struct ks_policy *p)
{
    p->repeats = 0;
    p->is_unpaged = false;
}
