/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs and CronJobs under profile strict: done is done, failed is failed, running is neither.
 *
 * Thread: the document's.  It does not: look at the Jobs of a CronJob; that their failure is theirs
 * is in the context.
 */
#include "status/strict.h"

#include <inttypes.h>

#include "json/path.h"

static bool is_true(const struct ks_strict *s, const char *type, struct ks_strict_condition *out)
{
    return ks_strict_condition_find(s, s->conditions, type, out) && out->truth == KS_TRUTH_TRUE;
}

static void tell_failed_job(struct ks_strict *s, const struct ks_strict_condition *c)
{
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);

    if (c->reason.len == 0)
        finding.reason = KS_LIT("JobFailed");
    ks_strict_condition_tell(s, c, &finding);
}

/* A Job counts Pods that end badly, but one that does not start never ends. When others do start,
 * it is not the Job that is wrong. */
static void tell_running(struct ks_strict *s, int64_t succeeded)
{
    if (succeeded == 0 && ks_json_lenient_int(s->status, "ready", 0) == 0)
        ks_strict_check_pods(s);
    ks_strict_progress(s, "JobRunning",
                       "Job is running: %" PRId64 " Pods active, %" PRId64 " succeeded",
                       ks_json_lenient_int(s->status, "active", 0), succeeded);
}

void ks_strict_job(struct ks_strict *s)
{
    int64_t succeeded = ks_json_lenient_int(s->status, "succeeded", 0);
    struct ks_strict_condition c;

    if (is_true(s, "Complete", &c))
        ks_strict_current(s, "", "Job has completed, %" PRId64 " Pods succeeded", succeeded);
    else if (is_true(s, "Failed", &c) || is_true(s, "FailureTarget", &c))
        tell_failed_job(s, &c);
    else if (ks_json_lenient_bool(s->object, "spec.suspend", false))
        ks_strict_current(s, "Suspended", "Job is suspended");
    else if (ks_json_lenient_str(s->status, "startTime", "").len > 0)
        tell_running(s, succeeded);
    else
        ks_strict_progress(s, "JobNotStarted", "Job has not been started yet");
}

static void tell_failed_run(struct ks_strict *s, struct ks_str scheduled)
{
    const struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = KS_LIT("LastRunFailed"),
        .grace_ms = KS_STRICT_GRACE_MS,
        .since_ms = ks_strict_time(scheduled),
    };

    ks_strict_find(s, &finding, "The run scheduled at %.*s has not succeeded",
                   KS_STR_ARGS(ks_str_cut_utf8(scheduled, 40)));
}

void ks_strict_cron_job(struct ks_strict *s)
{
    struct ks_str scheduled = ks_json_lenient_str(s->status, "lastScheduleTime", "");
    struct ks_str succeeded = ks_json_lenient_str(s->status, "lastSuccessfulTime", "");
    struct ks_json_value active = ks_json_get(s->status, "active");

    if (ks_json_lenient_bool(s->object, "spec.suspend", false))
        ks_strict_current(s, "Suspended", "CronJob is suspended");
    else if (scheduled.len == 0)
        ks_strict_current(s, "", "CronJob has not come to its first run yet");
    else if (ks_json_type_of(active) == KS_JSON_LIST && ks_json_count(active) > 0)
        ks_strict_current(s, "", "%zu runs are active", ks_json_count(active));
    else if (s->context->last_job_known == KS_FACT_YES ||
             (succeeded.len > 0 && ks_strict_time(succeeded) >= ks_strict_time(scheduled)))
        ks_strict_current(s, "", "CronJob waits for its next run");
    else
        tell_failed_run(s, scheduled);
}
