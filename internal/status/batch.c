/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs (shared/spec: kstatus 1.4.8). A Job that runs is Current: in the reference's eyes it has
 * reached what its object asks for. Whoever waits for completion needs another rule. CronJob is
 * always current: see infra.c.
 *
 * Thread: the document's.  It does not: read spec.suspend, which the reference ignores too, but for
 * the message.
 */
#include "status/rules.h"

#include <inttypes.h>

#include "json/path.h"

ks_rc ks_rule_job(const struct ks_subject *subject, struct ks_verdict *out,
                  struct ks_error *err KS_UNUSED)
{
    struct ks_json_value o = subject->object;
    struct ks_json_value at = ks_json_first(subject->conditions);
    int64_t parallelism = ks_json_lenient_int(o, "spec.parallelism", 1);
    int64_t completions = ks_json_lenient_int(o, "spec.completions", parallelism);
    int64_t succeeded = ks_json_lenient_int(o, "status.succeeded", 0);
    int64_t active = ks_json_lenient_int(o, "status.active", 0);
    int64_t failed = ks_json_lenient_int(o, "status.failed", 0);
    struct ks_condition c;

    for (; ks_condition_read(at, &c); at = ks_json_next(at)) {
        if (!ks_str_is(c.status, "True"))
            continue;
        if (ks_str_is(c.type, "Complete"))
            return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                                      "Job has completed: %" PRId64 " of %" PRId64 " completions",
                                      succeeded, completions);
        if (ks_str_is(c.type, "Failed"))
            return ks_verdict_failed(out, "JobFailed",
                                     "Job has failed (%.*s): %" PRId64 " of %" PRId64
                                     " completions, %" PRId64 " failed Pods",
                                     KS_STR_ARGS(ks_str_cut_utf8(c.reason, 63)), succeeded,
                                     completions, failed);
    }
    if (ks_json_lenient_str(o, "status.startTime", "").len == 0)
        return ks_verdict_in_progress(out, "JobNotStarted", "%s",
                                      ks_json_lenient_bool(o, "spec.suspend", false)
                                          ? "Job is suspended and has not started"
                                          : "Job has not started yet");
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "Job is running: %" PRId64 " of %" PRId64 " completions, %" PRId64
                              " Pods active, %" PRId64 " failed",
                              succeeded, completions, active, failed);
}
