/* SPDX-License-Identifier: Apache-2.0 */
/* with: decision_check.c */
/*
 * Runs the vectors of tests/conformance/strict.ndjson: status, reason and, where the vector names
 * them, basis and the time of the next look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"
#include "json/path.h"
#include "status/status.h"
#include "support/vectors.h"

#include "decision_check.h"

#define LEAST_VECTORS 593

static ks_fact read_fact(struct ks_json_value context, const char *member)
{
    bool truth;

    if (!ks_json_to_bool(ks_json_get(context, member), &truth))
        return KS_FACT_UNKNOWN;
    return truth ? KS_FACT_YES : KS_FACT_NO;
}

static void read_context(struct ks_json_value context, struct ks_status_evidence *failure,
                         struct ks_status_context *out)
{
    *out = (struct ks_status_context){
        .first_seen_ms = ks_vector_time(context, "first_seen"),
        .unschedulable_grace_ms = ks_json_lenient_int(context, "unschedulable_grace_ms", 0),
        .declares_status = read_fact(context, "declares_status"),
        .siblings_have_ready = ks_json_lenient_bool(context, "siblings_have_ready", false),
        .pod_ready_since_roll = read_fact(context, "pod_ready_since_roll"),
        .last_job_known = read_fact(context, "last_job_known"),
        .waits_for_consumer = read_fact(context, "waits_for_consumer"),
        .may_lack_address = ks_json_lenient_bool(context, "may_lack_address", false),
    };
    if (ks_json_is_absent(ks_json_get(context, "failure")))
        return;
    *failure = (struct ks_status_evidence){
        .reason = ks_json_lenient_str(context, "failure.reason", ""),
        .message = ks_json_lenient_str(context, "failure.message", ""),
        .since_ms = ks_vector_time(context, "failure.since"),
    };
    out->failure = failure;
}

static void check_form(const struct ks_vector *v, const struct ks_verdict *verdict)
{
    bool is_bad = verdict->status == KS_STATUS_FAILED || verdict->status == KS_STATUS_IN_PROGRESS;

    assert_true(verdict->message.len > 0);
    assert_int_not_equal(verdict->basis, KS_BASIS_UNSPECIFIED);
    if (verdict->has_condition != is_bad)
        fail_msg("%.*s: condition and status disagree", KS_STR_ARGS(v->name));
    if (is_bad)
        assert_true(ks_str_eq(verdict->reason, verdict->condition.reason));
    if (is_bad || verdict->status == KS_STATUS_UNKNOWN)
        assert_true(verdict->reason.len > 0);
}

static void check_recheck(const struct ks_vector *v, const struct ks_verdict *verdict)
{
    int64_t recheck_ms = ks_vector_time(v->root, "strict.recheck");

    if (recheck_ms ? verdict->recheck_at_ms != recheck_ms
                   : verdict->recheck_at_ms != 0 && verdict->recheck_at_ms <= v->now_ms)
        fail_msg("%.*s: is to be looked at again at the wrong time", KS_STR_ARGS(v->name));
}

static void run_vector(const struct ks_vector *v, struct ks_json *json)
{
    int64_t basis = ks_json_lenient_int(v->root, "strict.basis", 0); /* 0: any */
    struct ks_status_evidence failure;
    struct ks_status_context context;
    struct ks_error err = {0};
    struct ks_verdict verdict;

    read_context(ks_json_get(v->root, "context"), &failure, &context);
    if (ks_json_parse(json, v->object, &err) ||
        ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(json), v->now_ms, &context,
                                  &verdict, &err))
        fail_msg("%.*s: fails: %s", KS_STR_ARGS(v->name), err.msg);
    ks_vector_expect(v, "strict", ks_status_text(verdict.status), verdict.reason);
    check_recheck(v, &verdict);
    if (basis && basis != (int64_t)verdict.basis)
        fail_msg("%.*s: rests on %d", KS_STR_ARGS(v->name), (int)verdict.basis);
    check_form(v, &verdict);
    ks_decision_check(v, KS_PROFILE_STRICT, ks_json_root(json), &verdict);
}

static void says_what_a_user_would(void **state)
{
    (void)state;
    ks_vectors_run(KS_TESTS_DIR "/conformance/strict.ndjson", LEAST_VECTORS, run_vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_user_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
