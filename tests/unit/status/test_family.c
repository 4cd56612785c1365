/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How members change their owner's verdict. That it is as the reference's readers have it, is shown
 * by scripts/verdicts; here stands what each line of it is for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"
#include "status/family.h"
#include "support/torture.h"

/* 2026-01-01T00:01:00Z */
#define NOW_MS INT64_C(1767225660000)

static struct ks_json *json;
static struct ks_verdict verdict;
static struct ks_error error;

static const struct ks_status_kind pod = {.kind = KS_LIT("Pod")};
static const struct ks_status_kind deployment = {KS_LIT("apps"), KS_LIT("Deployment")};
static const struct ks_status_kind replica_set = {KS_LIT("apps"), KS_LIT("ReplicaSet")};
static const struct ks_status_kind stateful_set = {KS_LIT("apps"), KS_LIT("StatefulSet")};

static int setup(void **state)
{
    (void)state;
    return ks_json_new(&ks_json_limits_object, &json, &error) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    json = ks_json_free(json);
    return 0;
}

static void judge(const struct ks_status_kind *kind, const char *object)
{
    if (ks_json_parse(json, ks_str_from(object), &error) ||
        ks_status_compute_as(ks_json_root(json), kind, NOW_MS, &verdict, &error))
        fail_msg("%s: %s", error.msg, object);
}

static bool fails_owner(const struct ks_status_kind *kind, const char *object)
{
    judge(kind, object);
    return ks_member_fails_owner(ks_json_root(json), kind, &verdict);
}

#define POD(metadata, status) "{\"metadata\":{" metadata "},\"status\":{" status "}}"
#define CONDITION(type, status, reason)                                                            \
    "{\"type\":\"" type "\",\"status\":\"" status "\",\"reason\":\"" reason "\"}"
#define CRASHING                                                                                   \
    "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"state\":{\"waiting\":{"        \
    "\"reason\":\"CrashLoopBackOff\"}}}]"

static void a_crashing_pod_counts(void **state)
{
    (void)state;
    assert_true(fails_owner(&pod, POD("", CRASHING)));
    assert_true(fails_owner(&pod, POD("\"deletionTimestamp\":\"\"", CRASHING)));
}

static void a_pod_that_may_yet_come_does_not(void **state)
{
    (void)state;
    assert_false(fails_owner(&pod, POD("", "\"phase\":\"Running\"")));
    assert_false(fails_owner(&pod, POD("", "\"phase\":\"Failed\"")));
    assert_false(fails_owner(&pod, POD("", "\"phase\":\"Pending\",\"conditions\":[" CONDITION(
                                               "PodScheduled", "False", "Unschedulable") "]")));
    assert_int_equal(verdict.status, KS_STATUS_FAILED);
    /* Its own verdict looks at the first such condition, this at all of them. */
    assert_false(fails_owner(
        &pod,
        POD("", CRASHING
            ",\"conditions\":[" CONDITION("PodScheduled", "False", "SchedulingGated") "," CONDITION(
                "PodScheduled", "False", "Unschedulable") "]")));
    assert_true(fails_owner(&pod, POD("", CRASHING ",\"conditions\":[null," CONDITION(
                                              "PodScheduled", "True", "Unschedulable") "]")));
}

static void a_member_that_is_going_does_not(void **state)
{
    static const struct {
        const char *object;
        bool counts;
    } cases[] = {
        {POD("\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", CRASHING), false},
        {POD("\"deletionTimestamp\":\"soon\"", CRASHING), true},
        {POD("\"deletionTimestamp\":\"0001-01-01T00:00:00Z\"", CRASHING), true},
        {POD("\"deletionTimestamp\":5", CRASHING), true},
    };

    (void)state;
    judge(&pod, POD("", CRASHING));
    assert_int_equal(verdict.status, KS_STATUS_FAILED);
    for (size_t i = 0; i < KS_ARRAY_LEN(cases); i++) {
        assert_int_equal(ks_json_parse(json, ks_str_from(cases[i].object), &error), KS_RC_OK);
        assert_int_equal(ks_member_fails_owner(ks_json_root(json), &pod, &verdict),
                         cases[i].counts);
    }
}

/* Only a Pod waits for a node, whatever else has such a condition. */
static void another_kind_waits_for_no_node(void **state)
{
    static const char stalled[] = "{\"status\":{\"conditions\":[" CONDITION(
        "PodScheduled", "False", "Unschedulable") "," CONDITION("Stalled", "True", "Broken") "]}}";
    static const struct ks_status_kind other = {KS_LIT("example.com"), KS_LIT("Pod")};

    (void)state;
    assert_false(fails_owner(&pod, stalled));
    assert_true(fails_owner(&other, stalled));
    assert_true(fails_owner(&replica_set, stalled));
}

static void failed_members_fail_what_is_in_progress(void **state)
{
    (void)state;
    judge(&stateful_set, "{\"spec\":{\"replicas\":3}}");
    ks_status_count_failed(&stateful_set, 0, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    verdict.recheck_at_ms = NOW_MS + 1;
    ks_status_count_failed(&stateful_set, 1, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_FAILED);
    assert_int_equal(verdict.basis, KS_BASIS_KIND_RULE);
    assert_true(ks_str_is(verdict.reason, "PodsFailed"));
    assert_true(ks_str_is(verdict.message, "1 of its Pods has failed"));
    assert_true(verdict.has_condition);
    assert_true(ks_str_is(verdict.condition.type, "Stalled"));
    assert_true(ks_str_eq(verdict.condition.reason, verdict.reason));
    assert_int_equal(verdict.recheck_at_ms, 0);
    assert_int_equal(verdict.desired_count, 3);
    judge(&replica_set, "{\"spec\":{\"replicas\":3}}");
    ks_status_count_failed(&replica_set, UINT32_MAX, &verdict);
    assert_true(ks_str_is(verdict.message, "4294967295 of its Pods have failed"));
}

static void failed_members_change_nothing_else(void **state)
{
    static const struct ks_status_kind extensions = {KS_LIT("extensions"), KS_LIT("ReplicaSet")};

    (void)state;
    judge(&replica_set, "{\"spec\":{\"replicas\":0}}");
    ks_status_count_failed(&replica_set, 2, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_CURRENT);
    judge(&replica_set, "{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
    ks_status_count_failed(&replica_set, 2, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_TERMINATING);
    judge(&replica_set, "{\"status\":{\"conditions\":[" CONDITION("Stalled", "True", "X") "]}}");
    ks_status_count_failed(&replica_set, 2, &verdict);
    assert_true(ks_str_is(verdict.reason, "X"));
    judge(&deployment, "{}");
    ks_status_count_failed(&deployment, 2, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    judge(&extensions, "{}");
    ks_status_count_failed(&extensions, 2, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    verdict = (struct ks_verdict){0};
    ks_status_count_failed(&replica_set, 2, &verdict);
    assert_int_equal(verdict.status, KS_STATUS_UNSPECIFIED);
}

static void generations_are_known(void **state)
{
    static const struct {
        struct ks_status_kind owner;
        const char *group;
        const char *kind;
    } rows[] = {
        {{KS_LIT("apps"), KS_LIT("Deployment")}, "apps", "ReplicaSet"},
        {{KS_LIT("apps"), KS_LIT("ReplicaSet")}, "", "Pod"},
        {{KS_LIT("apps"), KS_LIT("StatefulSet")}, "", "Pod"},
        {{KS_LIT("apps"), KS_LIT("DaemonSet")}, "", "Pod"},
        {{KS_LIT("batch"), KS_LIT("Job")}, "", "Pod"},
        {{KS_LIT("batch"), KS_LIT("CronJob")}, "batch", "Job"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        const struct ks_status_kind *member = ks_status_member_kind(&rows[i].owner);

        assert_non_null(member);
        assert_true(ks_str_is(member->group, rows[i].group));
        assert_true(ks_str_is(member->kind, rows[i].kind));
    }
    assert_null(ks_status_member_kind(&pod));
    assert_null(ks_status_member_kind(&(struct ks_status_kind){.kind = KS_LIT("Deployment")}));
    assert_true(ks_status_fails_by_members(&stateful_set));
    assert_false(ks_status_fails_by_members(&deployment));
    assert_false(ks_status_fails_by_members(&pod));
}

static void count_short_of_memory(void *ctx)
{
    struct ks_error err = {0};

    (void)ctx;
    verdict = (struct ks_verdict){.status = KS_STATUS_FAILED};
    if (ks_json_parse(json,
                      KS_LIT("{\"status\":{\"conditions\":[{\"type\":\"Pod\\u0053cheduled\"}]}}"),
                      &err) == KS_RC_OK)
        (void)ks_member_fails_owner(ks_json_root(json), &pod, &verdict);
}

static void bears_want_of_memory(void **state)
{
    (void)state;
    (void)ks_torture(count_short_of_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crashing_pod_counts),
        cmocka_unit_test(a_pod_that_may_yet_come_does_not),
        cmocka_unit_test(a_member_that_is_going_does_not),
        cmocka_unit_test(another_kind_waits_for_no_node),
        cmocka_unit_test(failed_members_fail_what_is_in_progress),
        cmocka_unit_test(failed_members_change_nothing_else),
        cmocka_unit_test(generations_are_known),
        cmocka_unit_test(bears_want_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
