/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vectors of profile strict do not say: words for people, what surrounds a verdict, the
 * other profile through the same entry, hostile sizes, and behaviour when memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/json.h"
#include "status/status.h"
#include "support/torture.h"

/* 2026-01-01T00:01:00Z */
#define NOW_MS INT64_C(1767225660000)
#define RECENT "2026-01-01T00:00:50Z"

static struct ks_json *json;
static struct ks_verdict verdict;
static struct ks_error error;

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

static void judge(struct ks_str object)
{
    if (ks_json_parse(json, object, &error) ||
        ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(json), NOW_MS, NULL, &verdict,
                                  &error))
        fail_msg("%s", error.msg);
}

static void assert_judged(const char *object, ks_status status, const char *reason)
{
    judge(ks_str_from(object));
    if (verdict.status != status || !ks_str_is(verdict.reason, reason))
        fail_msg("is %s/%.*s: %s", ks_status_text(verdict.status), KS_STR_ARGS(verdict.reason),
                 object);
}

#define OBJECT(api, kind, rest) "{\"apiVersion\":\"" api "\",\"kind\":\"" kind "\"," rest "}"
#define FOO(status) OBJECT("example.com/v1", "Foo", "\"status\":{" status "}")
#define CONDITION(type, status, rest) "{\"type\":\"" type "\",\"status\":\"" status "\"" rest "}"

static void says_what_decided(void **state)
{
    static const struct {
        const char *object;
        const char *message;
    } rows[] = {
        {FOO("\"conditions\":[" CONDITION("Ready", "False", "") "]"), "Condition Ready is False"},
        {FOO("\"conditions\":[" CONDITION("Ready", "False", ",\"message\":\"no disk\"") "]"),
         "no disk"},
        {FOO("\"phase\":\"Pending\""), "phase is Pending"},
        {FOO("\"health\":{\"status\":\"Degraded\"}"), "status is Degraded"},
        {FOO("\"errorMessage\":\"no disk\""), "no disk"},
        {FOO("\"replicas\":3,\"readyReplicas\":1"), "readyReplicas is 1 of 3"},
        {FOO("\"ready\":false"), "ready is false"},
        {OBJECT("v1", "Foo", "\"status\":5"), "The object's status is not a map"},
        {OBJECT("v1", "Foo",
                "\"metadata\":{\"generation\":3},\"status\":{\"observedGeneration\":\"2\"}"),
         "The object is at generation 3, its controller has observed generation 2"},
        {OBJECT("v1", "Foo", "\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}"),
         "Deletion was requested at 2026-01-01T00:00:00Z"},
        {OBJECT("apps/v1", "Deployment",
                "\"spec\":{\"replicas\":3,\"paused\":true},\"status\":{\"updatedReplicas\":1}"),
         "1 of 3 replicas updated; the rollout is paused"},
        {OBJECT("apps/v1", "StatefulSet",
                "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"OnDelete\"}},\"status\":{"
                "\"replicas\":3,\"readyReplicas\":3,\"updatedReplicas\":1}"),
         "1 of 3 replicas updated; the others are when somebody deletes them"},
        {OBJECT("v1", "Pod",
                "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"app\","
                "\"restartCount\":4,\"state\":{\"terminated\":{\"exitCode\":137}}}]}"),
         "Container app ended with code 137 after 4 restarts"},
        {OBJECT("v1", "Pod",
                "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"init\","
                "\"state\":{\"waiting\":{\"reason\":\"InvalidImageName\"}}}]}"),
         "Container init does not start"},
        {OBJECT("batch/v1", "CronJob",
                "\"status\":{\"lastScheduleTime\":\"2025-01-01T00:00:00Z\"}"),
         "The run scheduled at 2025-01-01T00:00:00Z has not succeeded"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        judge(ks_str_from(rows[i].object));
        if (!ks_str_is(verdict.message, rows[i].message))
            fail_msg("\"%.*s\" instead of \"%s\"", KS_STR_ARGS(verdict.message), rows[i].message);
    }
}

static void fills_what_surrounds_a_verdict(void **state)
{
    (void)state;
    judge(KS_LIT(OBJECT(
        "apps/v1", "Deployment",
        "\"metadata\":{\"generation\":7},\"spec\":{\"replicas\":3},\"status\":{"
        "\"observedGeneration\":7,\"replicas\":3,\"updatedReplicas\":3,\"readyReplicas\":2}")));
    assert_true(verdict.has_generation && verdict.generation == 7);
    assert_true(verdict.has_observed_generation && verdict.observed_generation == 7);
    assert_true(verdict.has_progress);
    assert_int_equal(verdict.desired_count, 3);
    assert_int_equal(verdict.ready_count, 2);
    assert_true(ks_str_is(verdict.condition.type, "Reconciling"));
    assert_true(ks_str_is(verdict.condition.reason, "LessAvailable"));
    assert_true(ks_str_eq(verdict.condition.message, verdict.message));
}

static void rests_on_something(void **state)
{
    static const struct {
        const char *object;
        ks_basis basis;
    } rows[] = {
        {OBJECT("v1", "ConfigMap", "\"data\":{}"), KS_BASIS_KIND_RULE},
        {FOO("\"conditions\":[" CONDITION("Synced", "True", "") "]"), KS_BASIS_STANDARD_CONDITION},
        {FOO("\"phase\":\"Ready\""), KS_BASIS_CUSTOM_RULE},
        {FOO("\"url\":\"x\""), KS_BASIS_ASSUMED},
        {OBJECT("v1", "Foo", "\"spec\":{}"), KS_BASIS_ASSUMED},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        judge(ks_str_from(rows[i].object));
        assert_int_equal(verdict.basis, rows[i].basis);
    }
}

static void first_of_several_graces_ends_first(void **state)
{
    static const char object[] =
        FOO("\"conditions\":[" CONDITION("Ready", "False",
                                         ",\"reason\":\"Failed\",\"lastTransitionTime\":\"2026-01-"
                                         "01T00:00:55Z\"") "," CONDITION("Database", "False",
                                                                         ",\"reason\":\"Refused\","
                                                                         "\"lastTransitionTime\":"
                                                                         "\"" RECENT "\"") "]");

    (void)state;
    assert_judged(object, KS_STATUS_IN_PROGRESS, "Failed");
    assert_int_equal(verdict.recheck_at_ms, NOW_MS + 50000);
}

static void a_waiting_failure_is_no_suspension(void **state)
{
    (void)state;
    assert_judged(OBJECT("example.com/v1", "Foo",
                         "\"spec\":{\"suspend\":true},\"status\":{\"conditions\":[" CONDITION(
                             "Ready", "False",
                             ",\"reason\":\"Failed\",\"lastTransitionTime\":\"" RECENT "\"") "]}"),
                  KS_STATUS_IN_PROGRESS, "Failed");
}

static void reads_what_is_no_object(void **state)
{
    (void)state;
    assert_judged("[]", KS_STATUS_UNKNOWN, "ObjectMalformed");
    assert_judged("{}", KS_STATUS_IN_PROGRESS, "NotYetObserved");
    assert_judged("{\"apiVersion\":\"a/b/c\",\"kind\":\"Pod\"}", KS_STATUS_IN_PROGRESS,
                  "NotYetObserved");
}

static void a_later_member_shadows_an_earlier_one(void **state)
{
    (void)state;
    assert_judged(FOO("\"phase\":\"Failed\",\"phase\":\"Ready\""), KS_STATUS_CURRENT, "Ready");
    assert_judged(FOO("\"health\":{\"state\":\"Failed\"},\"health\":{\"state\":\"ok\"}"),
                  KS_STATUS_CURRENT, "ok");
    assert_judged(FOO("\"error\":\"x\",\"error\":\"\",\"ready\":true"), KS_STATUS_CURRENT, "ready");
}

static void copies_what_an_annotation_says(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);
    const char *message = "why not";

    (void)state;
    assert_int_equal(
        ks_buf_appendf(&text,
                       OBJECT("autoscaling/v1", "HorizontalPodAutoscaler",
                              "\"metadata\":{\"annotations\":{"
                              "\"autoscaling.alpha.kubernetes.io/conditions\":\""
                              "[{\\\"type\\\":\\\"AbleToScale\\\",\\\"status\\\":\\\"False\\\","
                              "\\\"reason\\\":\\\"Failed_%0300d\\\",\\\"message\\\":\\\"%s\\\"}]"
                              "\"}}"),
                       1, message),
        KS_RC_OK);
    judge(ks_buf_str(&text));
    assert_int_equal(verdict.status, KS_STATUS_FAILED);
    assert_true(ks_str_starts(verdict.reason, KS_LIT("Failed_000")));
    assert_int_equal(verdict.reason.len, 100);
    assert_true(ks_str_is(verdict.message, message));
    assert_true(ks_str_eq(verdict.condition.reason, verdict.reason));
}

static void profiles_have_names(void **state)
{
    ks_profile profile;

    (void)state;
    assert_true(ks_profile_parse(KS_LIT("strict"), &profile) && profile == KS_PROFILE_STRICT);
    assert_true(ks_profile_parse(KS_LIT("kstatus"), &profile) && profile == KS_PROFILE_KSTATUS);
    assert_false(ks_profile_parse(KS_LIT("Strict"), &profile));
    assert_string_equal(ks_profile_text(KS_PROFILE_STRICT), "strict");
}

static void the_other_profile_is_the_reference(void **state)
{
    const struct ks_status_kind kind = {KS_LIT("batch"), KS_LIT("Job")};
    const struct ks_status_context context = {.kind = &kind};

    (void)state;
    assert_int_equal(ks_json_parse(json, KS_LIT("{\"status\":{\"startTime\":\"x\"}}"), &error),
                     KS_RC_OK);
    assert_int_equal(ks_status_compute_profile(KS_PROFILE_KSTATUS, ks_json_root(json), NOW_MS,
                                               &context, &verdict, &error),
                     KS_RC_OK);
    assert_int_equal(verdict.status, KS_STATUS_CURRENT);
    assert_int_equal(ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(json), NOW_MS,
                                               &context, &verdict, &error),
                     KS_RC_OK);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    assert_true(ks_str_is(verdict.reason, "JobRunning"));
    assert_int_equal(ks_json_parse(json, KS_LIT("[]"), &error), KS_RC_OK);
    assert_int_equal(ks_status_compute_profile(KS_PROFILE_KSTATUS, ks_json_root(json), NOW_MS, NULL,
                                               &verdict, &error),
                     KS_RC_INVALID);
}

/* Quadratic work on these would take minutes. */
static void size_is_no_trouble(void **state)
{
    static const struct {
        const char *before;
        const char *each;
        const char *after;
        ks_status status;
    } rows[] = {
        {"{\"metadata\":{\"generation\":2},\"status\":{\"conditions\":[",
         "{\"type\":\"Ready\",\"status\":\"True\",\"observedGeneration\":1},", "{}]}}",
         KS_STATUS_IN_PROGRESS},
        {"{\"status\":{", "\"xState\":\"Failed\",", "\"xState\":\"Ready\"}}", KS_STATUS_CURRENT},
        {"{\"status\":{", "\"errorText\":\"x\",", "\"errorText\":\"\",\"phase\":\"Ready\"}}",
         KS_STATUS_CURRENT},
        {"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"status\":{\"initContainerStatuses\":[",
         "{\"name\":\"x\"},", "{}]},\"spec\":{\"initContainers\":[{},{},{},{},{},{},{},{}]}}",
         KS_STATUS_IN_PROGRESS},
        {"{\"status\":{\"phase\":\"", "Not Ready ", "\"}}", KS_STATUS_IN_PROGRESS},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(8u << 20);

        assert_int_equal(ks_buf_append_str(&text, ks_str_from(rows[i].before)), KS_RC_OK);
        for (int n = 0; n < 10000; n++)
            assert_int_equal(ks_buf_append_str(&text, ks_str_from(rows[i].each)), KS_RC_OK);
        assert_int_equal(ks_buf_append_str(&text, ks_str_from(rows[i].after)), KS_RC_OK);
        judge(ks_buf_str(&text));
        assert_int_equal(verdict.status, rows[i].status);
    }
}

static void compute_scarcely(void *ctx)
{
    struct ks_json *own = NULL;
    ks_rc rc = ks_json_new(&ks_json_limits_object, &own, &error);

    if (!rc)
        rc = ks_json_parse(own, ks_str_from(ctx), &error);
    if (!rc)
        rc = ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(own), NOW_MS, NULL, &verdict,
                                       &error);
    if (ks_alloc_failed())
        assert_int_equal(rc, KS_RC_NOMEM);
    else
        assert_int_equal(rc, KS_RC_OK);
    ks_json_free(own);
}

static void gives_no_verdict_when_memory_is_short(void **state)
{
    static const char *const objects[] = {
        FOO("\"conditions\":[" CONDITION(
            "Re\\u0061dy", "F\\u0061lse",
            ",\"message\":\"\\u00e9\"") "],\"pha\\u0073e\":\"\\u0041\""),
        OBJECT("autoscaling/v1", "HorizontalPodAutoscaler",
               "\"metadata\":{\"annotations\":{\"autoscaling.alpha.kubernetes.io/conditions\":"
               "\"[{\\\"type\\\":\\\"AbleToScale\\\",\\\"status\\\":\\\"False\\\","
               "\\\"reason\\\":\\\"F\\\\u0061iled\\\"}]\"}}"),
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(objects); i++)
        assert_true(ks_torture(compute_scarcely, (void *)(uintptr_t)objects[i]) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_decided),
        cmocka_unit_test(fills_what_surrounds_a_verdict),
        cmocka_unit_test(rests_on_something),
        cmocka_unit_test(first_of_several_graces_ends_first),
        cmocka_unit_test(a_waiting_failure_is_no_suspension),
        cmocka_unit_test(reads_what_is_no_object),
        cmocka_unit_test(a_later_member_shadows_an_earlier_one),
        cmocka_unit_test(copies_what_an_annotation_says),
        cmocka_unit_test(profiles_have_names),
        cmocka_unit_test(the_other_profile_is_the_reference),
        cmocka_unit_test(size_is_no_trouble),
        cmocka_unit_test(gives_no_verdict_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
