/* SPDX-License-Identifier: Apache-2.0 */
/* with: decision_check.c */
/*
 * Runs the vectors of tests/conformance: status, and the emitted condition's type, status and
 * reason, must be the reference's; where it fails, we fail too.
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

#define LEAST_VECTORS 370

static void check_condition(const struct ks_vector *v, const struct ks_verdict *verdict)
{
    bool is_failed = verdict->status == KS_STATUS_FAILED;

    if (!is_failed && verdict->status != KS_STATUS_IN_PROGRESS) {
        if (verdict->has_condition || verdict->reason.len)
            fail_msg("%.*s: emits a condition", KS_STR_ARGS(v->name));
        return;
    }
    if (!verdict->has_condition ||
        !ks_str_is(verdict->condition.type, is_failed ? "Stalled" : "Reconciling") ||
        !ks_str_is(verdict->condition.status, "True") ||
        !ks_str_eq(verdict->condition.reason, verdict->reason))
        fail_msg("%.*s: emits the wrong condition", KS_STR_ARGS(v->name));
}

static void run_vector(const struct ks_vector *v, struct ks_json *json)
{
    bool is_error = ks_json_lenient_bool(v->root, "kstatus.error", false);
    struct ks_error err = {0};
    struct ks_verdict verdict;
    ks_rc rc = ks_json_parse(json, v->object, &err);

    if (!rc)
        rc = ks_status_compute(ks_json_root(json), v->now_ms, &verdict, &err);
    if (rc) {
        if (!is_error)
            fail_msg("%.*s: fails: %s", KS_STR_ARGS(v->name), err.msg);
        assert_true(rc == KS_RC_INVALID || rc == KS_RC_PARSE);
        assert_true(err.msg[0] != '\0');
        return;
    }
    if (is_error)
        fail_msg("%.*s: must fail, is %s", KS_STR_ARGS(v->name), ks_status_text(verdict.status));
    ks_vector_expect(v, "kstatus", ks_status_text(verdict.status), verdict.reason);
    check_condition(v, &verdict);
    assert_true(verdict.message.len > 0);
    assert_int_not_equal(verdict.basis, KS_BASIS_UNSPECIFIED);
    ks_decision_check(v, KS_PROFILE_KSTATUS, ks_json_root(json), &verdict);
}

static void equals_the_reference(void **state)
{
    (void)state;
    ks_vectors_run(KS_TESTS_DIR "/conformance/kstatus.ndjson", LEAST_VECTORS, run_vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
