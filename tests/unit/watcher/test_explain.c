/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Causes as a session tells them: for who asked, of what is not Current, its own and those of the
 * generated objects that fail it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

#define POD(status)                                                                                \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\"," \
    "\"uid\":\"u1\",\"resourceVersion\":\"1\"},\"status\":{" status "}}"
#define WAITING(name, reason)                                                                      \
    "{\"name\":\"" name "\",\"state\":{\"waiting\":{\"reason\":\"" reason "\"}}}"

static const char pulling[] =
    POD("\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("app", "ImagePullBackOff") "]");
static const char misconfigured[] = POD("\"phase\":\"Pending\",\"containerStatuses\":[" WAITING(
    "app", "ImagePullBackOff") "," WAITING("b", "CreateContainerConfigError") "]");
static const char ready[] =
    POD("\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]");

static const char set[] =
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"namespace\":\"demo\","
    "\"name\":\"web\",\"uid\":\"s1\",\"resourceVersion\":\"1\",\"generation\":1},\"spec\":{"
    "\"replicas\":2},\"status\":{\"observedGeneration\":1,\"replicas\":2,\"readyReplicas\":1}}";
static const char crashing[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"web-"
    "1\","
    "\"uid\":\"p1\",\"resourceVersion\":\"1\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
    "\"kind\":\"StatefulSet\",\"name\":\"web\",\"uid\":\"s1\",\"controller\":true}]},\"status\":{"
    "\"phase\":\"Running\",\"containerStatuses\":[" WAITING("app", "CrashLoopBackOff") "]}}";
static const char starting_child[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"web-"
    "1\","
    "\"uid\":\"p1\",\"resourceVersion\":\"1\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
    "\"kind\":\"StatefulSet\",\"name\":\"web\",\"uid\":\"s1\",\"controller\":true}]},\"status\":{"
    "\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("app", "ContainerCreating") "]}}";
static const char pulling_child[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"web-"
    "1\","
    "\"uid\":\"p1\",\"resourceVersion\":\"2\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
    "\"kind\":\"StatefulSet\",\"name\":\"web\",\"uid\":\"s1\",\"controller\":true}]},\"status\":{"
    "\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("app", "ImagePullBackOff") "]}}";

static struct ks_informer *open_pod(struct fixture *f, bool include_causes)
{
    struct ks_target target = target_object(1, "pods", "demo", "a");
    struct ks_informer *pods;

    fixture_init(f);
    f->config.include_causes = include_causes;
    fixture_open(f, &target, 1);
    pods = fake_find("pods@demo/a");
    fake_put(pods, pulling);
    fake_synced(pods);
    fixture_skip(f);
    return pods;
}

static void tells_causes_only_to_who_asked(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pod(&f, false);
    assert_string_equal(f.last_causes, "");
    assert_null(f.last.decision);
    fixture_fini(&f);
    (void)open_pod(&f, true);
    assert_string_equal(f.last_causes, "IMAGE_PULL_ERROR Pod/a");
    assert_non_null(f.last.decision);
    assert_true(ks_str_is(f.last.decision->field, "status.phase"));
    assert_true(ks_str_is(f.last.decision->value, "Pending"));
    fixture_fini(&f);
}

static void a_new_cause_is_news(void **state)
{
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    pods = open_pod(&f, true);
    fake_put(pods, pulling);
    fixture_expect(&f, "");
    fake_put(pods, misconfigured);
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "IMAGE_PULL_ERROR Pod/a, CONTAINER_CONFIG_ERROR Pod/a");
    fake_put(pods, ready);
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_CURRENT);
    assert_string_equal(f.last_causes, "");
    fixture_fini(&f);
}

static void a_failing_child_explains_its_owner(void **state)
{
    struct ks_target target = target_object(1, "statefulsets", "demo", "web");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("apps", "v1", "StatefulSet", "statefulsets", true);
    f.config.include_causes = true;
    fixture_open(&f, &target, 1);
    fake_put(fake_find("statefulsets@demo/web"), set);
    fixture_run(&f);
    fake_synced(fake_find("statefulsets@demo/web"));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "REPLICAS_NOT_READY StatefulSet/web");
    assert_non_null(f.last.decision);
    assert_true(ks_str_is(f.last.decision->comparison, "<"));
    fake_put(fake_find("pods@demo"), crashing);
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_FAILED);
    assert_null(f.last.decision); /* the Pod decided */
    assert_string_equal(f.last_causes, "CRASH_LOOP Pod/web-1, REPLICAS_NOT_READY StatefulSet/web");
    fixture_fini(&f);
}

static const char failed_job[] =
    "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"namespace\":\"demo\",\"name\":"
    "\"job\",\"uid\":\"j1\",\"resourceVersion\":\"1\"},\"spec\":{},\"status\":{\"conditions\":[{"
    "\"type\":\"Failed\",\"status\":\"True\",\"reason\":\"BackoffLimitExceeded\"}]}}";
static const char ended[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"job-"
    "x\","
    "\"uid\":\"p1\",\"resourceVersion\":\"1\",\"ownerReferences\":[{\"kind\":\"Job\",\"name\":"
    "\"job\",\"uid\":\"j1\",\"controller\":true}]},\"status\":{\"phase\":\"Failed\","
    "\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"terminated\":{\"exitCode\":3,"
    "\"reason\":\"Error\"}}}]}}";

/* Under kstatus a Pod that has ended is Current, however it has. */
static void an_ended_pod_explains_its_job(void **state)
{
    const ks_profile profiles[] = {KS_PROFILE_KSTATUS, KS_PROFILE_STRICT};
    struct ks_target target = target_object(1, "jobs", "demo", "job");

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(profiles); i++) {
        struct fixture f;

        fixture_init(&f);
        fake_serve("batch", "v1", "Job", "jobs", true);
        f.config.include_causes = true;
        f.config.profile = profiles[i];
        fixture_open(&f, &target, 1);
        fake_put(fake_find("jobs@demo/job"), failed_job);
        fixture_run(&f);
        fake_synced(fake_find("jobs@demo/job"));
        fake_put(fake_find("pods@demo"), ended);
        fake_synced(fake_find("pods@demo"));
        fixture_skip(&f);
        assert_string_equal(f.last_causes,
                            "CONTAINER_FAILED Pod/job-x, BACKOFF_LIMIT_EXCEEDED Job/job");
        fixture_fini(&f);
    }
}

/* It has not failed, under kstatus, and yet nothing gets on without it. */
static void a_hindered_child_explains_its_owner(void **state)
{
    struct ks_target target = target_object(1, "statefulsets", "demo", "web");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("apps", "v1", "StatefulSet", "statefulsets", true);
    f.config.include_causes = true;
    fixture_open(&f, &target, 1);
    fake_put(fake_find("statefulsets@demo/web"), set);
    fixture_run(&f);
    fake_synced(fake_find("statefulsets@demo/web"));
    fake_put(fake_find("pods@demo"), starting_child);
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "REPLICAS_NOT_READY StatefulSet/web");
    fake_put(fake_find("pods@demo"), pulling_child);
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_IN_PROGRESS);
    assert_string_equal(f.last_causes,
                        "IMAGE_PULL_ERROR Pod/web-1, REPLICAS_NOT_READY StatefulSet/web");
    assert_non_null(f.last.decision);
    fake_put(fake_find("pods@demo"), starting_child);
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "REPLICAS_NOT_READY StatefulSet/web");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_causes_only_to_who_asked),
        cmocka_unit_test(a_new_cause_is_news),
        cmocka_unit_test(a_failing_child_explains_its_owner),
        cmocka_unit_test(an_ended_pod_explains_its_job),
        cmocka_unit_test(a_hindered_child_explains_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
