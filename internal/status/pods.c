/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: the phase decides, container states and the scheduling window refine (shared/spec:
 * kstatus 1.4.9).
 *
 * A Pod that no node fits gets 15 s before it counts as failed, by the object's creation time; a
 * verdict within them carries recheck_at_ms, for the Pod changes its status then without any event.
 *
 * Invariants:
 *   1. containerStatuses is read strictly when the crash-loop rule looks at it, as deep as the
 * reference looks and no deeper: where the reference would crash, this is KS_RC_INVALID.
 *   2. What only the message needs is read leniently and decides nothing.
 *
 * Thread: the document's.  It does not: look at init or ephemeral containers.
 */
#include "status/rules.h"

#include <inttypes.h>

#include "base/rfc3339.h"
#include "json/path.h"

#define SCHEDULE_WINDOW_MS 15000
/* Room for container names in a message. */
#define NAMES_MAX 160

struct names {
    char text[NAMES_MAX];
    size_t len;
    size_t count;
    bool is_full;
};

static void names_add(struct names *n, struct ks_str name)
{
    static const char separator[] = ", ";
    size_t gap = n->len ? sizeof(separator) - 1 : 0;

    n->count++;
    if (n->is_full || n->len + gap + name.len > sizeof(n->text)) {
        n->is_full = true;
        return;
    }
    memcpy(n->text + n->len, separator, gap);
    if (name.len)
        memcpy(n->text + n->len + gap, name.ptr, name.len);
    n->len += gap + name.len;
}

static ks_rc wrong_member(struct ks_error *err, size_t index, const char *member,
                          const char *wanted)
{
    return ks_fail(err, KS_RC_INVALID,
                   "status.containerStatuses[%zu]%s is not %s, so no status can be computed", index,
                   member, wanted);
}

/* Whether one entry is in a crash loop. A missing member ends the look: what follows it is then
 * never judged. */
static ks_rc check_crash_loop(struct ks_json_value entry, size_t index, struct names *looping,
                              struct ks_error *err)
{
    struct ks_json_value state;
    struct ks_json_value waiting;
    struct ks_json_value text;
    struct ks_str name;
    struct ks_str reason;

    if (ks_json_type_of(entry) != KS_JSON_MAP)
        return wrong_member(err, index, "", "a map");
    text = ks_json_get(entry, "name");
    if (ks_json_is_absent(text))
        return KS_RC_OK;
    if (!ks_json_to_str(text, &name))
        return wrong_member(err, index, ".name", "a string");
    state = ks_json_get(entry, "state");
    if (ks_json_is_absent(state))
        return KS_RC_OK;
    if (ks_json_type_of(state) != KS_JSON_MAP)
        return wrong_member(err, index, ".state", "a map");
    waiting = ks_json_get(state, "waiting");
    if (ks_json_is_absent(waiting))
        return KS_RC_OK;
    if (ks_json_type_of(waiting) != KS_JSON_MAP)
        return wrong_member(err, index, ".state.waiting", "a map");
    text = ks_json_get(waiting, "reason");
    if (ks_json_is_absent(text))
        return KS_RC_OK;
    if (!ks_json_to_str(text, &reason))
        return wrong_member(err, index, ".state.waiting.reason", "a string");
    if (ks_str_is(reason, "CrashLoopBackOff"))
        names_add(looping, name);
    return KS_RC_OK;
}

/* For messages: how many containers are ready, and what the first one that is not waits for. */
struct containers {
    size_t total;
    size_t ready;
    struct ks_str blocked_name;
    struct ks_str blocked_reason;
};

static void count_containers(struct ks_json_value list, struct containers *c)
{
    for (struct ks_json_value e = ks_json_first(list); !ks_json_is_absent(e); e = ks_json_next(e)) {
        struct ks_str reason = ks_json_lenient_str(e, "state.waiting.reason", "");

        c->total++;
        if (ks_json_lenient_bool(e, "ready", false))
            c->ready++;
        else if (c->blocked_reason.len == 0 && reason.len > 0) {
            c->blocked_name = ks_str_cut_utf8(ks_json_lenient_str(e, "name", ""), 63);
            c->blocked_reason = ks_str_cut_utf8(reason, 63);
        }
    }
}

static ks_rc running(const struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err)
{
    struct ks_json_value list = {0};
    struct containers count = {0};
    struct names looping = {0};
    struct ks_condition ready;
    size_t index = 0;
    ks_rc rc;

    if (ks_condition_find(subject, "Ready", "True", &ready))
        return ks_verdict_current(out, KS_BASIS_KIND_RULE, "Pod is running and ready");
    if (ks_json_strict_list(subject->object, "status.containerStatuses", &list) == KS_LOOKUP_ERROR)
        return ks_fail(err, KS_RC_INVALID,
                       "status.containerStatuses is not a list, so no status can be computed");
    for (struct ks_json_value e = ks_json_first(list); !ks_json_is_absent(e); e = ks_json_next(e)) {
        rc = check_crash_loop(e, index++, &looping, err);
        if (rc)
            return rc;
    }
    if (looping.count > 0)
        return ks_verdict_failed(
            out, "ContainerCrashLooping", "%zu of %zu containers crash again and again: %.*s%s",
            looping.count, index, (int)looping.len, looping.text, looping.is_full ? ", ..." : "");
    count_containers(list, &count);
    if (count.blocked_reason.len > 0)
        return ks_verdict_in_progress(
            out, "PodRunningNotReady", "%zu of %zu containers ready; %.*s waits: %.*s", count.ready,
            count.total, KS_STR_ARGS(count.blocked_name), KS_STR_ARGS(count.blocked_reason));
    return ks_verdict_in_progress(out, "PodRunningNotReady",
                                  "Pod is running but not ready; %zu of %zu containers ready",
                                  count.ready, count.total);
}

static ks_rc unschedulable(const struct ks_subject *subject, const struct ks_condition *scheduled,
                           struct ks_verdict *out)
{
    struct ks_str text = ks_json_lenient_str(subject->object, "metadata.creationTimestamp", "");
    struct ks_str why = scheduled->message;
    int64_t created_ms;

    /* Absent, "null" and unreadable: the reference's zero time, the year 1. */
    if (!ks_rfc3339_parse_up(text, &created_ms))
        created_ms = KS_TIME_GO_ZERO_MS;
    if (why.len == 0)
        why = KS_LIT("the scheduler gives no reason");
    if (subject->now_wall_ms - SCHEDULE_WINDOW_MS < created_ms) {
        (void)ks_verdict_in_progress(out, "PodNotScheduled", "No node fits so far: %.*s",
                                     KS_STR_ARGS(why));
        out->recheck_at_ms = created_ms + SCHEDULE_WINDOW_MS;
        return KS_RC_OK;
    }
    return ks_verdict_failed(out, "PodUnschedulable", "No node fits: %.*s", KS_STR_ARGS(why));
}

static ks_rc pending(const struct ks_subject *subject, struct ks_verdict *out)
{
    struct containers count = {0};
    struct ks_condition scheduled;
    struct ks_json_value list;

    if (ks_condition_find(subject, "PodScheduled", "False", &scheduled)) {
        if (ks_str_is(scheduled.reason, "Unschedulable"))
            return unschedulable(subject, &scheduled, out);
        return ks_verdict_in_progress(out, "PodPending", "Pod is not scheduled yet (%.*s)",
                                      KS_STR_ARGS(ks_str_cut_utf8(scheduled.reason, 63)));
    }
    if (ks_json_strict_list(subject->object, "status.initContainerStatuses", &list) ==
        KS_LOOKUP_FOUND)
        count_containers(list, &count);
    if (ks_json_strict_list(subject->object, "status.containerStatuses", &list) == KS_LOOKUP_FOUND)
        count_containers(list, &count);
    if (count.blocked_reason.len > 0)
        return ks_verdict_in_progress(
            out, "PodPending", "Pod is pending; container %.*s waits: %.*s",
            KS_STR_ARGS(count.blocked_name), KS_STR_ARGS(count.blocked_reason));
    return ks_verdict_in_progress(out, "PodPending", "Pod is pending");
}

ks_rc ks_rule_pod(const struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err)
{
    struct ks_str phase = ks_json_lenient_str(subject->object, "status.phase", "");

    if (ks_str_is(phase, "Succeeded"))
        return ks_verdict_current(out, KS_BASIS_KIND_RULE, "Pod has completed");
    if (ks_str_is(phase, "Failed"))
        return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                                  "Pod has ended with a failure, and stays so");
    if (ks_str_is(phase, "Running"))
        return running(subject, out, err);
    if (ks_str_is(phase, "Pending"))
        return pending(subject, out);
    if (phase.len == 0)
        return ks_verdict_in_progress(out, "PodNotObserved", "Pod has no phase yet");
    return ks_fail(err, KS_RC_INVALID, "the Pod's phase \"%.*s\" is not known",
                   KS_STR_ARGS(ks_str_cut_utf8(phase, 63)));
}
