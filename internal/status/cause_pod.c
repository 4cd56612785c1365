/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes of Pods: what its containers wait for or how they ended, what the scheduler found, what
 * the node did.
 *
 * Invariants:
 *   1. A container has at most one cause of its own state: the one that tells most.
 *   2. Numbers that change while the cause stays (restarts, back-off times) are not in a message.
 *
 * Thread: the document's.  It does not: know probes, which stand in Events only.
 */
#include "status/cause_read.h"

#include <inttypes.h>
#include <stdio.h>

#include "json/path.h"

/* A container that runs, is not ready, and ended badly so short a time ago, is in a crash loop. */
#define RECENT_MS 600000
#define CONTAINERS_MAX 256

struct container {
    struct ks_json_value status;
    struct ks_cause cause; /* name, restarts */
    bool is_init;
};

struct waiting_row {
    const char *reason;
    ks_cause_code code;
};

static const struct waiting_row waiting_rows[] = {
    {"CreateContainerConfigError", KS_CAUSE_CONTAINER_CONFIG_ERROR},
    {"CreateContainerError", KS_CAUSE_CONTAINER_CREATE_ERROR},
    {"RunContainerError", KS_CAUSE_CONTAINER_CREATE_ERROR},
    {"PreCreateHookError", KS_CAUSE_HOOK_FAILED},
    {"PreStartHookError", KS_CAUSE_HOOK_FAILED},
    {"PostStartHookError", KS_CAUSE_HOOK_FAILED},
    {"ContainerCreating", KS_CAUSE_CONTAINER_STARTING},
    {"PodInitializing", KS_CAUSE_CONTAINER_STARTING},
};

static const char *signal_name(int64_t number)
{
    static const struct {
        int64_t number;
        const char *name;
    } names[] = {{1, " (SIGHUP)"},   {2, " (SIGINT)"},  {4, " (SIGILL)"},  {6, " (SIGABRT)"},
                 {7, " (SIGBUS)"},   {8, " (SIGFPE)"},  {9, " (SIGKILL)"}, {11, " (SIGSEGV)"},
                 {13, " (SIGPIPE)"}, {15, " (SIGTERM)"}};

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return "";
}

/* "Ended with code 1 (Error): last words"; gives the bytes written. */
static size_t write_end(char out[KS_CAUSE_MESSAGE_MAX], struct ks_json_value ended, int64_t code)
{
    struct ks_str reason = ks_str_cut_utf8(ks_json_lenient_str(ended, "reason", ""), 63);
    struct ks_str words = ks_str_trim(ks_json_lenient_str(ended, "message", ""));
    int64_t number =
        ks_json_lenient_int(ended, "signal", code > 128 && code <= 192 ? code - 128 : 0);
    char how[64];
    int len;

    if (number > 0)
        (void)snprintf(how, sizeof(how), "Ended by signal %" PRId64 "%s", number,
                       signal_name(number));
    else
        (void)snprintf(how, sizeof(how), "Ended with code %" PRId64, code);
    words = ks_str_cut_utf8(words, KS_CAUSE_MESSAGE_MAX - 160);
    len = snprintf(out, KS_CAUSE_MESSAGE_MAX, "%s%s%.*s%s%.*s", how, reason.len ? ", " : "",
                   KS_STR_ARGS(reason), words.len ? ": " : "", KS_STR_ARGS(words));
    return len < 0                              ? 0
           : (size_t)len < KS_CAUSE_MESSAGE_MAX ? (size_t)len
                                                : KS_CAUSE_MESSAGE_MAX - 1;
}

/* A container has ended: the state that says so, and the code if it was not out of memory. */
static void tell_end(struct ks_cause_reader *r, const struct container *container,
                     struct ks_json_value ended, ks_cause_code code)
{
    struct ks_cause cause = container->cause;
    int64_t exit_code = ks_json_lenient_int(ended, "exitCode", 0);
    char text[KS_CAUSE_MESSAGE_MAX];

    cause.code = code;
    if (ks_str_is(ks_json_lenient_str(ended, "reason", ""), "OOMKilled"))
        cause.code = KS_CAUSE_OUT_OF_MEMORY;
    if (ks_json_type_of(ended) == KS_JSON_MAP) {
        cause.has_exit = exit_code >= INT32_MIN && exit_code <= INT32_MAX;
        cause.exit_code = cause.has_exit ? (int32_t)exit_code : 0;
        cause.message = ks_str_make(text, write_end(text, ended, exit_code));
        cause.last_seen_ms = ks_cause_time(ended, "finishedAt");
    } else {
        cause.message = KS_LIT("The container ends again and again");
    }
    ks_cause_tell(r, &cause);
}

static ks_cause_code end_code(const struct container *c)
{
    if (c->is_init)
        return KS_CAUSE_INIT_CONTAINER_FAILED;
    return c->cause.restart_count > 0 ? KS_CAUSE_CRASH_LOOP : KS_CAUSE_CONTAINER_FAILED;
}

static void tell_waiting(struct ks_cause_reader *r, const struct container *c, struct ks_str reason)
{
    struct ks_str words = ks_json_lenient_str(c->status, "state.waiting.message", "");
    struct ks_cause cause = c->cause;
    char text[KS_CAUSE_MESSAGE_MAX];

    if (ks_str_is(reason, "CrashLoopBackOff")) {
        struct ks_json_value last = ks_json_get(ks_json_get(c->status, "lastState"), "terminated");

        tell_end(r, c, last, c->is_init ? KS_CAUSE_INIT_CONTAINER_FAILED : KS_CAUSE_CRASH_LOOP);
        return;
    }
    cause.code = KS_CAUSE_CONTAINER_STARTING;
    for (size_t i = 0; i < KS_ARRAY_LEN(waiting_rows); i++) {
        if (ks_str_is(reason, waiting_rows[i].reason))
            cause.code = waiting_rows[i].code;
    }
    if (ks_cause_is_image_reason(reason))
        cause.code = ks_cause_of_image(reason, words);
    else if (cause.code == KS_CAUSE_CONTAINER_CONFIG_ERROR ||
             cause.code == KS_CAUSE_CONTAINER_CREATE_ERROR)
        cause.code = ks_cause_of_reference(words, cause.code);
    cause.message = ks_cause_join(text, reason, words);
    ks_cause_tell(r, &cause);
}

/* Runs, and is not ready. */
static void tell_running(struct ks_cause_reader *r, const struct container *c)
{
    struct ks_json_value last = ks_json_get(ks_json_get(c->status, "lastState"), "terminated");
    int64_t ended_ms = ks_cause_time(last, "finishedAt");
    struct ks_cause cause = c->cause;

    if (c->cause.restart_count > 0 && ks_json_lenient_int(last, "exitCode", 0) != 0 &&
        r->now_ms - RECENT_MS < ended_ms) {
        tell_end(r, c, last, end_code(c));
        return;
    }
    cause.code = KS_CAUSE_CONTAINER_NOT_READY;
    cause.message = c->is_init ? KS_LIT("The init container runs, the others wait for its end")
                               : KS_LIT("The container runs but is not ready");
    cause.first_seen_ms = ks_cause_time(c->status, "state.running.startedAt");
    ks_cause_tell(r, &cause);
}

static void read_container(struct ks_cause_reader *r, struct ks_json_value status, bool is_init)
{
    struct container c = {
        .status = status,
        .cause = {.container = ks_json_lenient_str(status, "name", "")},
        .is_init = is_init,
    };
    struct ks_json_value state = ks_json_get(status, "state");
    struct ks_json_value ended = ks_json_get(state, "terminated");
    int64_t restarts = ks_json_lenient_int(status, "restartCount", 0);

    if (restarts > 0)
        c.cause.restart_count = restarts > UINT32_MAX ? UINT32_MAX : (uint32_t)restarts;
    if (ks_json_type_of(ended) == KS_JSON_MAP) {
        if (ks_json_lenient_int(ended, "exitCode", 0) != 0)
            tell_end(r, &c, ended, end_code(&c));
        return;
    }
    if (ks_json_type_of(ks_json_get(state, "waiting")) == KS_JSON_MAP)
        tell_waiting(r, &c, ks_json_lenient_str(state, "waiting.reason", ""));
    else if (ks_json_type_of(ks_json_get(state, "running")) == KS_JSON_MAP &&
             !ks_json_lenient_bool(status, "ready", false) &&
             !(is_init && ks_json_lenient_bool(status, "started", false)))
        tell_running(r, &c);
}

static void read_containers(struct ks_cause_reader *r, const char *member, bool is_init)
{
    struct ks_json_value at = ks_json_first(ks_json_get(r->strict.status, member));

    for (int i = 0; i < CONTAINERS_MAX && !ks_json_is_absent(at); i++) {
        read_container(r, at, is_init);
        at = ks_json_next(at);
    }
}

static void read_scheduling(struct ks_cause_reader *r)
{
    struct ks_strict_condition c;
    struct ks_cause like = {0};

    if (!ks_strict_condition_find(&r->strict, r->strict.conditions, "PodScheduled", &c) ||
        c.truth != KS_TRUTH_FALSE)
        return;
    if (ks_str_is(c.reason, "SchedulingGated")) {
        ks_cause_pass_condition(r, KS_CAUSE_SCHEDULING_GATED, &c);
        return;
    }
    like.message = c.message;
    like.first_seen_ms = ks_cause_time(c.value, "lastTransitionTime");
    ks_cause_tell_scheduling(r, &like);
}

static void read_conditions(struct ks_cause_reader *r)
{
    struct ks_strict_condition c;

    if (ks_strict_condition_find(&r->strict, r->strict.conditions, "DisruptionTarget", &c) &&
        c.truth == KS_TRUTH_TRUE)
        ks_cause_pass_condition(r, ks_cause_of_failed_pod(c.reason, KS_CAUSE_EVICTED), &c);
    if (ks_strict_condition_find(&r->strict, r->strict.conditions, "Ready", &c) &&
        c.truth == KS_TRUTH_FALSE && ks_str_is(c.reason, "ReadinessGatesNotReady"))
        ks_cause_pass_condition(r, KS_CAUSE_CONTAINER_NOT_READY, &c);
}

void ks_cause_pod(struct ks_cause_reader *r)
{
    struct ks_str phase = ks_json_lenient_str(r->strict.status, "phase", "");
    struct ks_str reason = ks_json_lenient_str(r->strict.status, "reason", "");
    struct ks_str message = ks_json_lenient_str(r->strict.status, "message", "");
    ks_cause_code code;

    if (ks_str_is(phase, "Succeeded"))
        return;
    read_scheduling(r);
    read_conditions(r);
    read_containers(r, "initContainerStatuses", true);
    read_containers(r, "containerStatuses", false);
    code = ks_cause_of_failed_pod(reason, KS_CAUSE_POD_FAILED);
    if (ks_str_is(phase, "Failed") && (code != KS_CAUSE_POD_FAILED || r->out->count == 0))
        ks_cause_pass(r, code, 0, message.len ? message : reason, "The Pod has failed");
    else if (ks_str_is(phase, "Unknown") || ks_str_is(reason, "NodeLost"))
        ks_cause_pass(r, KS_CAUSE_NODE_LOST, 0, message, "The Pod's node does not report");
    else if (ks_str_is(phase, "Running") && r->out->count == 0)
        ks_cause_say(r, KS_CAUSE_NOT_FINISHED, ks_cause_time(r->strict.status, "startTime"),
                     "The Pod runs");
    else if (r->out->count == 0)
        ks_cause_say(r, KS_CAUSE_CONTAINER_STARTING, 0, "The Pod's containers have not started");
}
