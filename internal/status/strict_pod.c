/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods under profile strict: the phase, the containers' states, the scheduler's word.
 *
 * Invariants:
 *   1. A container that will not come up by waiting fails the Pod, whatever its phase; init
 * containers count as the main ones do.
 *   2. A sidecar (an init container with restartPolicy Always) is a main container that is
 * restarted whatever the Pod's own policy says.
 *
 * Thread: the document's.  It does not: look at ephemeral containers, which serve debugging.
 */
#include "status/strict.h"

#include <inttypes.h>

#include "json/path.h"
#include "status/family.h"

/* Of the spec's init containers, so many are looked at to find a sidecar's policy. */
#define INIT_CONTAINERS_MAX 64

struct waiting_row {
    const char *reason;
    int64_t grace_ms;
    bool has_started; /* and ended, again and again */
};

static const struct waiting_row waiting_rows[] = {
    {"CrashLoopBackOff", 0, true},
    {"InvalidImageName", 0, false},
    {"ErrImageNeverPull", 0, false},
    {"ErrImagePull", KS_STRICT_GRACE_MS, false},
    {"ImagePullBackOff", KS_STRICT_GRACE_MS, false},
    {"CreateContainerConfigError", KS_STRICT_GRACE_MS, false},
    {"CreateContainerError", KS_STRICT_GRACE_MS, false},
    {"RunContainerError", KS_STRICT_GRACE_MS, false},
};

static const struct waiting_row *find_waiting(struct ks_str reason)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(waiting_rows); i++) {
        if (ks_str_is(reason, waiting_rows[i].reason))
            return &waiting_rows[i];
    }
    return NULL;
}

struct init_container {
    struct ks_str name;
    bool is_sidecar;
};

struct pod {
    struct ks_strict *s;
    struct ks_str restart_policy;
    int64_t scheduled_ms; /* 0: unknown */
    size_t main_count;
    size_t ready_count;
    struct ks_str ended_badly; /* the name of a container that did, and will not come again */
    int64_t exit_code;
    size_t init_count;
    struct init_container inits[INIT_CONTAINERS_MAX];
};

static void read_init_containers(struct pod *pod)
{
    struct ks_json_value spec = ks_json_get(pod->s->object, "spec");
    struct ks_json_value at = ks_json_first(ks_json_get(spec, "initContainers"));

    while (pod->init_count < INIT_CONTAINERS_MAX && !ks_json_is_absent(at)) {
        pod->inits[pod->init_count++] = (struct init_container){
            .name = ks_json_lenient_str(at, "name", ""),
            .is_sidecar = ks_str_is(ks_json_lenient_str(at, "restartPolicy", ""), "Always"),
        };
        at = ks_json_next(at);
    }
}

static bool is_sidecar(const struct pod *pod, struct ks_str name)
{
    for (size_t i = 0; i < pod->init_count; i++) {
        if (ks_str_eq(pod->inits[i].name, name))
            return pod->inits[i].is_sidecar;
    }
    return false;
}

static void check_waiting(const struct pod *pod, struct ks_json_value container, struct ks_str name)
{
    struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = ks_json_lenient_str(container, "state.waiting.reason", ""),
        .message = ks_json_lenient_str(container, "state.waiting.message", ""),
        .since_ms = pod->scheduled_ms,
    };
    const struct waiting_row *row = find_waiting(finding.reason);

    if (!row)
        return;
    finding.grace_ms = row->grace_ms;
    ks_strict_find(pod->s, &finding, "Container %.*s does not start",
                   KS_STR_ARGS(ks_str_cut_utf8(name, 63)));
}

/* A main container that has ended badly: it comes again, or it does not. */
static void check_ended(struct pod *pod, struct ks_json_value container, struct ks_str name,
                        bool sidecar)
{
    static const struct ks_finding finding = {.status = KS_STATUS_FAILED,
                                              .basis = KS_BASIS_KIND_RULE,
                                              .reason = {"ContainerCrashLooping", 21}};
    int64_t exit_code = ks_json_lenient_int(container, "state.terminated.exitCode", 0);
    int64_t restarts = ks_json_lenient_int(container, "restartCount", 0);

    if (exit_code == 0)
        return;
    if (sidecar || ks_str_is(pod->restart_policy, "Always")) {
        if (restarts >= 2)
            ks_strict_find(pod->s, &finding,
                           "Container %.*s ended with code %" PRId64 " after %" PRId64 " restarts",
                           KS_STR_ARGS(ks_str_cut_utf8(name, 63)), exit_code, restarts);
    } else if (ks_str_is(pod->restart_policy, "Never")) {
        pod->ended_badly = name;
        pod->exit_code = exit_code;
    }
}

static void check_containers(struct pod *pod, const char *member, bool is_init)
{
    struct ks_json_value list = ks_json_get(pod->s->status, member);

    if (ks_json_type_of(list) != KS_JSON_LIST)
        return;
    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        struct ks_str name = ks_json_lenient_str(at, "name", "");
        bool sidecar = is_init && is_sidecar(pod, name);

        check_waiting(pod, at, name);
        if (is_init && !sidecar)
            continue;
        pod->main_count++;
        if (ks_json_lenient_bool(at, "ready", false))
            pod->ready_count++;
        check_ended(pod, at, name, sidecar);
    }
}

/* A Pod of several containers goes on running when one has failed for good. */
static void check_partial_failure(const struct pod *pod)
{
    static const struct ks_finding finding = {
        .status = KS_STATUS_FAILED, .basis = KS_BASIS_KIND_RULE, .reason = {"PodFailed", 9}};

    if (pod->ended_badly.len > 0 && pod->main_count > 1)
        ks_strict_find(pod->s, &finding, "Container %.*s ended with code %" PRId64,
                       KS_STR_ARGS(ks_str_cut_utf8(pod->ended_badly, 63)), pod->exit_code);
}

static void check_scheduling(struct ks_strict *s, const struct ks_strict_condition *c)
{
    struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = KS_LIT("PodUnschedulable"),
        .reason_until = KS_LIT("PodNotScheduled"),
        .message = c->message,
        .grace_ms = s->context->unschedulable_grace_ms ? s->context->unschedulable_grace_ms
                                                       : KS_STRICT_SCHEDULE_GRACE_MS,
        .since_ms =
            ks_strict_time(ks_json_lenient_str(s->object, "metadata.creationTimestamp", "")),
    };

    if (c->truth == KS_TRUTH_FALSE && ks_str_is(c->reason, "Unschedulable"))
        ks_strict_find(s, &finding, "No node fits the Pod");
}

static void check_phase(const struct pod *pod, struct ks_str phase, bool is_gated)
{
    static const struct ks_finding unknown = {
        .status = KS_STATUS_UNKNOWN, .basis = KS_BASIS_KIND_RULE, .reason = {"PodUnknown", 10}};
    struct ks_strict *s = pod->s;

    if (is_gated)
        ks_strict_progress(s, "SchedulingGated", "Pod is held back by its scheduling gates");
    else if (phase.len == 0)
        ks_strict_progress(s, "PodNotObserved", "Pod has no phase yet");
    else if (ks_str_is(phase, "Pending"))
        ks_strict_progress(s, "PodPending", "Pod is pending");
    else if (ks_str_is(phase, "Running"))
        ks_strict_progress(s, "PodRunningNotReady", "%zu of %zu containers ready", pod->ready_count,
                           pod->main_count);
    else
        ks_strict_find(s, &unknown, "The Pod's node does not report: phase %.*s",
                       KS_STR_ARGS(ks_str_cut_utf8(phase, 63)));
}

static void check_failed_phase(struct ks_strict *s)
{
    struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = ks_json_lenient_str(s->status, "reason", ""),
        .message = ks_json_lenient_str(s->status, "message", ""),
    };

    if (finding.reason.len == 0)
        finding.reason = KS_LIT("PodFailed");
    ks_strict_find(s, &finding, "Pod has ended with a failure");
}

/* Running and ready; false when it is not. */
static bool check_ready(const struct pod *pod)
{
    struct ks_strict *s = pod->s;
    struct ks_strict_condition c;

    if (!ks_strict_condition_find(s, s->conditions, "Ready", &c) || c.truth != KS_TRUTH_TRUE)
        return false;
    if (ks_strict_condition_outdated(s, &c))
        return true;
    if (ks_str_is(pod->restart_policy, "Always"))
        ks_strict_current(s, "", "Pod is running and ready");
    else
        ks_strict_progress(s, "PodRunning", "Pod is running; it is done when it ends");
    return true;
}

void ks_strict_pod(struct ks_strict *s)
{
    struct ks_str phase = ks_json_lenient_str(s->status, "phase", "");
    struct pod pod = {
        .s = s, .restart_policy = ks_json_lenient_str(s->object, "spec.restartPolicy", "Always")};
    struct ks_strict_condition c = {0};

    if (ks_str_is(phase, "Succeeded")) {
        ks_strict_current(s, "", "Pod has completed");
        return;
    }
    if (ks_str_is(phase, "Failed")) {
        check_failed_phase(s);
        return;
    }
    if (ks_str_is(phase, "Running") && check_ready(&pod))
        return;
    if (ks_strict_condition_find(s, s->conditions, "PodScheduled", &c))
        pod.scheduled_ms = ks_strict_time(ks_json_lenient_str(c.value, "lastTransitionTime", ""));
    read_init_containers(&pod);
    check_containers(&pod, "initContainerStatuses", true);
    check_containers(&pod, "containerStatuses", false);
    check_scheduling(s, &c);
    check_partial_failure(&pod);
    if (!ks_strict_is_bad(s))
        check_phase(&pod, phase,
                    c.truth == KS_TRUTH_FALSE && ks_str_is(c.reason, "SchedulingGated"));
}

bool ks_strict_pod_fails_owner(struct ks_json_value pod, struct ks_str owner_kind,
                               const struct ks_verdict *verdict)
{
    const struct waiting_row *row = find_waiting(verdict->reason);

    if (verdict->status != KS_STATUS_FAILED)
        return false;
    if (ks_str_is(owner_kind, "Job"))
        return row && !row->has_started;
    return !ks_str_is(owner_kind, "ReplicaSet") ||
           !ks_str_is(ks_json_lenient_str(pod, "status.phase", ""), "Failed");
}
