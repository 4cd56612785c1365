/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States as values: causes are part of what is news, and a copy holds its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "watcher/shown.h"
#include "support/torture.h"

static struct ks_causes causes;
static const struct ks_decision_view *decision;

static struct ks_shown make(void)
{
    return (struct ks_shown){
        .status = KS_STATUS_FAILED,
        .reason = KS_LIT("CrashLoopBackOff"),
        .message = KS_LIT("Container app does not start"),
        .has_condition = true,
        .condition = {.type = KS_LIT("Stalled"),
                      .status = KS_LIT("True"),
                      .reason = KS_LIT("CrashLoopBackOff"),
                      .message = KS_LIT("Another message")},
        .causes = causes.items,
        .cause_count = causes.count,
        .decision = decision,
    };
}

static void add(const char *message)
{
    const struct ks_cause cause = {.code = KS_CAUSE_CRASH_LOOP,
                                   .message = ks_str_from(message),
                                   .source = {.kind = KS_LIT("Pod"), .name = KS_LIT("web")}};

    ks_causes_add(&causes, &cause);
}

static int setup(void **state)
{
    (void)state;
    ks_causes_init(&causes);
    decision = NULL;
    return 0;
}

static const struct ks_decision_view two_of_three = {.field = {"status.readyReplicas", 20},
                                                     .value = {"2", 1},
                                                     .comparison = {"<", 1},
                                                     .other_field = {"spec.replicas", 13},
                                                     .other_value = {"3", 1}};

static void run_dup(void *ctx)
{
    struct ks_shown shown = make();
    struct ks_shown *copy = ks_shown_dup(&shown);

    (void)ctx;
    if (ks_alloc_failed()) {
        assert_null(copy);
        return;
    }
    assert_true(ks_shown_equal(copy, &shown));
    assert_true(copy->cause_count == 0 || copy->causes != shown.causes);
    ks_free(copy);
}

static void copies_causes(void **state)
{
    (void)state;
    assert_int_equal(ks_torture(run_dup, NULL), 1);
    add("odd");
    add("Ended with code 1");
    assert_int_equal(ks_torture(run_dup, NULL), 1);
    decision = &two_of_three;
    assert_int_equal(ks_torture(run_dup, NULL), 1);
}

static void keeps_its_own(void **state)
{
    struct ks_shown shown;
    struct ks_shown *copy;

    (void)state;
    add("Ended with code 1");
    shown = make();
    copy = ks_shown_dup(&shown);
    assert_non_null(copy);
    ks_causes_init(&causes);
    add("Something else that is said");
    assert_int_equal(copy->cause_count, 1);
    assert_true(ks_str_is(copy->causes[0].message, "Ended with code 1"));
    assert_true(ks_str_is(copy->message, "Container app does not start"));
    assert_true(ks_str_is(copy->condition.message, "Another message"));
    ks_free(copy);
}

static void takes_causes_for_news(void **state)
{
    struct ks_shown a = make();
    struct ks_shown b;

    (void)state;
    add("Ended with code 1");
    b = make();
    assert_false(ks_shown_equal(&a, &b));
    a = b;
    assert_true(ks_shown_equal(&a, &b));
}

static void takes_the_decision_for_news(void **state)
{
    struct ks_decision_view one_of_three = two_of_three;
    struct ks_shown a = make();
    struct ks_shown b = a;
    struct ks_shown *copy;

    (void)state;
    b.decision = &two_of_three;
    assert_false(ks_shown_equal(&a, &b));
    one_of_three.value = KS_LIT("1");
    a.decision = &one_of_three;
    assert_false(ks_shown_equal(&a, &b));
    copy = ks_shown_dup(&a);
    assert_non_null(copy);
    one_of_three.value = KS_LIT("0");
    assert_true(ks_str_is(copy->decision->value, "1"));
    assert_true(ks_str_is(copy->decision->other_field, "spec.replicas"));
    ks_free(copy);
}

static void says_why_a_status_is_unknown(void **state)
{
    struct ks_verdict verdict = {.status = KS_STATUS_UNKNOWN,
                                 .basis = KS_BASIS_ASSUMED,
                                 .reason = KS_LIT("StatusMalformed"),
                                 .message = KS_LIT("The object's status is not a map")};
    struct ks_error err = {0};
    struct ks_shown shown;

    (void)state;
    ks_shown_from_verdict(&verdict, KS_RC_OK, &err, &shown);
    assert_int_equal(shown.status, KS_STATUS_UNKNOWN);
    assert_true(ks_str_is(shown.reason, "StatusMalformed"));
    assert_int_equal(shown.error_rc, KS_RC_INVALID);
    assert_true(ks_str_eq(shown.error_message, verdict.message));
    verdict.status = KS_STATUS_CURRENT;
    ks_shown_from_verdict(&verdict, KS_RC_OK, &err, &shown);
    assert_int_equal(shown.error_rc, KS_RC_OK);
    assert_int_equal(shown.error_message.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(copies_causes, setup),
        cmocka_unit_test_setup(keeps_its_own, setup),
        cmocka_unit_test_setup(takes_causes_for_news, setup),
        cmocka_unit_test_setup(takes_the_decision_for_news, setup),
        cmocka_unit_test(says_why_a_status_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
