/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is our own about a verdict: words, basis, generations, progress, the time of the next look,
 * and behaviour when memory is short. Statuses and reasons are the reference's: test_conformance.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"
#include "status/status.h"
#include "support/torture.h"

/* 2026-01-01T00:01:00Z */
#define NOW_MS INT64_C(1767225660000)

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

static ks_rc compute(const char *object)
{
    if (ks_json_parse(json, ks_str_from(object), &error))
        fail_msg("%s: %s", error.msg, object);
    return ks_status_compute(ks_json_root(json), NOW_MS, &verdict, &error);
}

static void assert_computes(const char *object)
{
    if (compute(object))
        fail_msg("%s: %s", error.msg, object);
}

#define DEPLOYMENT(spec, status)                                                                   \
    "{\"apiVersion\":\"apps/"                                                                      \
    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"generation\":2},\"spec\":{" spec                 \
    "},\"status\":{\"observedGeneration\":2," status "}}"
#define STATEFUL_SET(spec, status)                                                                 \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"spec\":{" spec "},\"status\":{" status \
    "}}"
#define REPLICA_SET(spec, status)                                                                  \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"spec\":{" spec "},\"status\":{" status  \
    "}}"
#define DAEMON_SET(status)                                                                         \
    "{\"apiVersion\":\"apps/"                                                                      \
    "v1\",\"kind\":\"DaemonSet\",\"metadata\":{\"generation\":1},\"status\":{"                     \
    "\"observedGeneration\":1," status "}}"
#define JOB(spec, status)                                                                          \
    "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{" spec "},\"status\":{" status "}}"
#define POD(status)                                                                                \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"creationTimestamp\":"                 \
    "\"2026-01-01T00:00:50Z\"},\"status\":{" status "}}"
#define WIDGET(meta, status)                                                                       \
    "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\",\"metadata\":{" meta                   \
    "},\"status\":{" status "}}"
#define UP(n)                                                                                      \
    "\"replicas\":" n ",\"updatedReplicas\":" n ",\"readyReplicas\":" n ",\"availableReplicas\""   \
    ":" n
#define UNSCHEDULABLE                                                                              \
    "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","       \
    "\"reason\":"                                                                                  \
    "\"Unschedulable\",\"message\":\"0/3 nodes are available\"}]"

static void says_what_is_missing(void **state)
{
    static const struct {
        const char *object;
        const char *message;
    } rows[] = {
        {DEPLOYMENT("\"replicas\":3", "\"replicas\":1"), "1 of 3 replicas created"},
        {DEPLOYMENT("\"replicas\":3,\"paused\":true", "\"replicas\":3,\"updatedReplicas\":1"),
         "1 of 3 replicas updated (rollout is paused)"},
        {DEPLOYMENT("\"replicas\":3", "\"replicas\":5,\"updatedReplicas\":3"),
         "5 replicas exist, 3 are wanted; the rest is still to be removed"},
        {DEPLOYMENT("\"replicas\":3",
                    "\"replicas\":3,\"updatedReplicas\":3,\"availableReplicas\":2"),
         "2 of 3 updated replicas available"},
        {DEPLOYMENT(
             "\"replicas\":3",
             "\"replicas\":3,\"updatedReplicas\":3,\"availableReplicas\":3,\"readyReplicas\":1"),
         "1 of 3 replicas ready"},
        {DEPLOYMENT("\"replicas\":3,\"progressDeadlineSeconds\":600", UP("3")),
         "3 of 3 replicas ready; the controller has not reported the new ReplicaSet as "
         "available"},
        {DEPLOYMENT("\"replicas\":3", UP("3")),
         "3 of 3 replicas ready; condition Available is not True"},
        {DEPLOYMENT("\"replicas\":3",
                    UP("3") ",\"conditions\":[{\"type\":\"Available\",\"status\":\"True\"}]"),
         "3 of 3 replicas updated and available"},
        {DEPLOYMENT(
             "\"replicas\":3,\"progressDeadlineSeconds\":60",
             "\"updatedReplicas\":1,\"conditions\":[{\"type\":\"Progressing\",\"status\":\"False\","
             "\"reason\":\"ProgressDeadlineExceeded\",\"message\":\"timed out\"}]"),
         "No progress within the deadline of 60 s: of 3 replicas 1 are updated, 0 available"},
        {DEPLOYMENT(
             "\"replicas\":3",
             "\"conditions\":[{\"type\":\"Progressing\",\"reason\":\"ProgressDeadlineExceeded\"}]"),
         "No progress within the deadline: of 3 replicas 0 are updated, 0 available"},
        {REPLICA_SET("\"replicas\":2",
                     "\"replicas\":1,\"conditions\":[{\"type\":\"ReplicaFailure\","
                     "\"status\":\"True\",\"message\":\"exceeded quota\"}]"),
         "Pods cannot be created or deleted: exceeded quota"},
        {REPLICA_SET(
             "\"replicas\":2",
             "\"replicas\":1,\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":\"True\"}]"),
         "Pods cannot be created or deleted; 1 of 2 exist"},
        {STATEFUL_SET("\"replicas\":3,\"updateStrategy\":{\"rollingUpdate\":{\"partition\":1}}",
                      "\"replicas\":3,\"readyReplicas\":3,\"updatedReplicas\":1"),
         "1 of 2 replicas from partition 1 on updated"},
        {STATEFUL_SET("\"replicas\":3",
                      "\"replicas\":3,\"readyReplicas\":3,\"currentReplicas\":3,"
                      "\"updatedReplicas\":1,\"currentRevision\":\"a\",\"updateRevision\":\"b\""),
         "Rolling from revision a to b: 1 of 3 replicas updated"},
        {STATEFUL_SET("\"replicas\":3,\"updateStrategy\":{\"type\":\"OnDelete\"}",
                      "\"updatedReplicas\":1"),
         "Update strategy is OnDelete: Pods are updated when somebody deletes them (1 of 3 are)"},
        {REPLICA_SET("\"replicas\":1", UP("1") ",\"fullyLabeledReplicas\":1"),
         "1 of 1 replicas available"},
        {STATEFUL_SET("\"replicas\":2,\"updateStrategy\":{\"rollingUpdate\":{\"partition\":0}}",
                      UP("2")),
         "2 of 2 replicas updated and ready"},
        {STATEFUL_SET("\"replicas\":2,\"updateStrategy\":{\"rollingUpdate\":{\"partition\":1}}",
                      UP("2")),
         "2 of 2 replicas ready; 2 updated, as many as partition 1 wants"},
        {STATEFUL_SET("\"replicas\":2", UP("2") ",\"currentReplicas\":2"),
         "2 of 2 replicas ready and at the current revision"},
        {DAEMON_SET("\"desiredNumberScheduled\":1,\"currentNumberScheduled\":1,"
                    "\"updatedNumberScheduled\":1,\"numberAvailable\":1,\"numberReady\":1"),
         "1 of 1 nodes have an updated, available Pod"},
        {DAEMON_SET("\"desiredNumberScheduled\":2,\"currentNumberScheduled\":1"),
         "1 of 2 nodes have a Pod"},
        {"{\"apiVersion\":\"apps/v1\",\"kind\":\"DaemonSet\",\"metadata\":{\"generation\":4}}",
         "The DaemonSet controller has not observed generation 4 yet"},
        {JOB("\"completions\":4,\"suspend\":true", "\"x\":1"),
         "Job is suspended and has not started"},
        {JOB("\"completions\":4", "\"startTime\":\"t\",\"succeeded\":1,\"active\":2,\"failed\":3"),
         "Job is running: 1 of 4 completions, 2 Pods active, 3 failed"},
        {JOB("\"completions\":4", "\"succeeded\":1,\"failed\":6,\"conditions\":[{\"type\":"
                                  "\"Failed\",\"status\":\"True\",\"reason\":"
                                  "\"BackoffLimitExceeded\"}]"),
         "Job has failed (BackoffLimitExceeded): 1 of 4 completions, 6 failed Pods"},
        {POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"state\":{\"waiting\":{"
             "\"reason\":"
             "\"CrashLoopBackOff\"}}},{\"name\":\"b\",\"ready\":true},{\"name\":\"c\",\"state\":{"
             "\"waiting\":{"
             "\"reason\":\"CrashLoopBackOff\"}}}]"),
         "2 of 3 containers crash again and again: a, c"},
        {POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"ready\":true},{"
             "\"name\":\"b\","
             "\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\"}}}]"),
         "1 of 2 containers ready; b waits: ErrImagePull"},
        {POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"state\":{\"running\":{"
             "}}}]"),
         "Pod is running but not ready; 0 of 1 containers ready"},
        {POD("\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{"
             "\"waiting\":{\"reason\":"
             "\"ImagePullBackOff\"}}}],\"containerStatuses\":[{\"name\":\"a\",\"state\":{"
             "\"waiting\":{\"reason\":"
             "\"PodInitializing\"}}}]"),
         "Pod is pending; container i waits: ImagePullBackOff"},
        {POD(UNSCHEDULABLE), "No node fits so far: 0/3 nodes are available"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"status\":{" UNSCHEDULABLE "}}",
         "No node fits: 0/3 nodes are available"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"status\":{\"phase\":\"Pending\",\"conditions\":"
         "[{\"type\":"
         "\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\"}]}}",
         "No node fits: the scheduler gives no reason"},
        {WIDGET("\"generation\":3", "\"observedGeneration\":2"),
         "Widget is at generation 3, its controller has observed generation 2"},
        {WIDGET("\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", ""),
         "Deletion was requested at 2026-01-01T00:00:00Z"},
        {WIDGET("", "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"R\"}]"),
         "Condition Ready is False; it gives no message"},
        {WIDGET("",
                "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"message\":\"why\"}]"),
         "why"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"status\":{\"phase\":\"Lost\"}"
         "}",
         "Claim is not bound to a volume; its phase is Lost"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        assert_computes(rows[i].object);
        if (!ks_str_is(verdict.message, rows[i].message))
            fail_msg("says \"%.*s\", must say \"%s\"", KS_STR_ARGS(verdict.message),
                     rows[i].message);
    }
}

static void passed_conditions_keep_their_message(void **state)
{
    (void)state;
    assert_computes(
        WIDGET("", "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"R\"}]"));
    assert_int_equal(verdict.condition.message.len, 0);
    assert_computes(DEPLOYMENT(
        "\"replicas\":3",
        "\"conditions\":[{\"type\":\"Progressing\",\"reason\":\"ProgressDeadlineExceeded\","
        "\"message\":\"timed out\"}]"));
    assert_true(ks_str_is(verdict.condition.message, "timed out"));
    assert_computes(POD("\"phase\":\"Pending\""));
    assert_true(ks_str_eq(verdict.condition.message, verdict.message));
}

static void names_what_it_refuses(void **state)
{
    static const struct {
        const char *object;
        const char *message;
    } rows[] = {
        {"[]", "what should be a Kubernetes object is not a map"},
        {WIDGET("\"generation\":\"1\"", ""),
         "metadata.generation is not an integer, so no status can be computed"},
        {WIDGET("\"generation\":1", "\"observedGeneration\":\"1\""),
         "status.observedGeneration is not an integer, so no status can be computed"},
        {WIDGET("\"deletionTimestamp\":1", ""),
         "metadata.deletionTimestamp is not a string, so no status can be computed"},
        {"{\"kind\":\"Widget\",\"metadata\":[]}",
         "metadata is not a map, so no status can be computed"},
        {WIDGET("", "\"conditions\":[null,{\"status\":true}]"),
         "status.conditions[1].status is not a string, so no status can be computed"},
        {WIDGET("", "\"conditions\":[1]"),
         "status.conditions[0] is not a map, so no status can be computed"},
        {WIDGET("", "\"conditions\":{}"),
         "status.conditions is not a list, so no status can be computed"},
        {POD("\"phase\":\"Odd\""), "the Pod's phase \"Odd\" is not known"},
        {POD("\"phase\":\"Running\",\"containerStatuses\":[{},{\"name\":5}]"),
         "status.containerStatuses[1].name is not a string, so no status can be computed"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        assert_int_equal(compute(rows[i].object), KS_RC_INVALID);
        assert_string_equal(error.msg, rows[i].message);
        assert_int_equal(verdict.status, KS_STATUS_UNSPECIFIED);
    }
}

static void says_what_it_rests_on(void **state)
{
    static const struct {
        const char *object;
        ks_basis basis;
    } rows[] = {
        {DEPLOYMENT("\"replicas\":3", UP("3")), KS_BASIS_KIND_RULE},
        {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}", KS_BASIS_KIND_RULE},
        {WIDGET("\"deletionTimestamp\":\"x\"", ""), KS_BASIS_KIND_RULE},
        {WIDGET("", "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]"),
         KS_BASIS_STANDARD_CONDITION},
        {WIDGET("", "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]"),
         KS_BASIS_STANDARD_CONDITION},
        {WIDGET("", "\"conditions\":[{\"type\":\"Stalled\",\"status\":\"True\"}]"),
         KS_BASIS_STANDARD_CONDITION},
        {WIDGET("\"generation\":1", "\"observedGeneration\":1"), KS_BASIS_GENERATION_ONLY},
        {WIDGET("\"generation\":2", "\"observedGeneration\":1"), KS_BASIS_GENERATION_ONLY},
        {WIDGET("\"generation\":1", ""), KS_BASIS_ASSUMED},
        {WIDGET("", "\"observedGeneration\":1"), KS_BASIS_ASSUMED},
        {"{}", KS_BASIS_ASSUMED},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        assert_computes(rows[i].object);
        if (verdict.basis != rows[i].basis)
            fail_msg("%s", rows[i].object);
    }
}

static void tells_generations(void **state)
{
    (void)state;
    assert_computes(WIDGET("\"generation\":3", "\"observedGeneration\":2"));
    assert_true(verdict.has_generation && verdict.generation == 3);
    assert_true(verdict.has_observed_generation && verdict.observed_generation == 2);
    assert_computes(
        WIDGET("\"deletionTimestamp\":\"x\",\"generation\":3", "\"observedGeneration\":\"2\""));
    assert_true(verdict.has_generation);
    assert_false(verdict.has_observed_generation);
    assert_int_equal(compute(WIDGET("\"generation\":7", "\"observedGeneration\":{}")),
                     KS_RC_INVALID);
    assert_true(verdict.has_generation && verdict.generation == 7);
}

static void tells_progress(void **state)
{
    static const struct {
        const char *object;
        bool has_progress;
        uint32_t desired;
        uint32_t ready;
    } rows[] = {
        {DEPLOYMENT("\"replicas\":3", "\"readyReplicas\":2"), true, 3, 2},
        {DEPLOYMENT("\"x\":0", "\"x\":0"), true, 1, 0},
        {REPLICA_SET("\"replicas\":0", "\"x\":0"), true, 0, 0},
        {STATEFUL_SET("\"replicas\":5", "\"readyReplicas\":4"), true, 5, 4},
        {DAEMON_SET("\"desiredNumberScheduled\":7,\"numberReady\":6"), true, 7, 6},
        {DAEMON_SET("\"numberReady\":6"), false, 0, 0},
        {JOB("\"parallelism\":2", "\"succeeded\":1"), true, 2, 1},
        {JOB("\"parallelism\":2,\"completions\":9", "\"succeeded\":1"), true, 9, 1},
        {DEPLOYMENT("\"replicas\":-3", "\"readyReplicas\":9999999999"), true, 0, UINT32_MAX},
        {"{\"apiVersion\":\"apps/"
         "v1\",\"kind\":\"Deployment\",\"metadata\":{\"deletionTimestamp\":\"x\"},"
         "\"spec\":{\"replicas\":2}}",
         true, 2, 0},
        {POD("\"phase\":\"Running\""), false, 0, 0},
        {WIDGET("", "\"replicas\":1"), false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        assert_computes(rows[i].object);
        if (verdict.has_progress != rows[i].has_progress ||
            verdict.desired_count != rows[i].desired || verdict.ready_count != rows[i].ready)
            fail_msg("%s: %u of %u", rows[i].object, verdict.ready_count, verdict.desired_count);
    }
}

/* The API server leaves apiVersion and kind out of a list's items. */
static void takes_the_kind_from_where_it_was_read(void **state)
{
    const struct ks_status_kind deployment = {KS_LIT("apps"), KS_LIT("Deployment")};
    const struct ks_status_kind other = {KS_LIT("example.dev"), KS_LIT("Deployment")};

    (void)state;
    if (ks_json_parse(json, KS_LIT("{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":2}}"),
                      &error))
        fail_msg("%s", error.msg);
    assert_int_equal(
        ks_status_compute_as(ks_json_root(json), &deployment, NOW_MS, &verdict, &error), KS_RC_OK);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    assert_int_equal(verdict.basis, KS_BASIS_KIND_RULE);
    assert_int_equal(verdict.desired_count, 2);
    assert_int_equal(ks_status_compute_as(ks_json_root(json), &other, NOW_MS, &verdict, &error),
                     KS_RC_OK);
    assert_int_equal(verdict.basis, KS_BASIS_ASSUMED);
}

static void tells_when_to_look_again(void **state)
{
    (void)state;
    assert_computes(POD(UNSCHEDULABLE));
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    assert_int_equal(verdict.recheck_at_ms, NOW_MS + 5000);
    /* At that very time, and not before, the verdict is another. */
    assert_int_equal(ks_status_compute(ks_json_root(json), NOW_MS + 4999, &verdict, &error),
                     KS_RC_OK);
    assert_int_equal(verdict.status, KS_STATUS_IN_PROGRESS);
    assert_int_equal(ks_status_compute(ks_json_root(json), NOW_MS + 5000, &verdict, &error),
                     KS_RC_OK);
    assert_int_equal(verdict.status, KS_STATUS_FAILED);
    assert_int_equal(verdict.recheck_at_ms, 0);
    assert_computes(POD("\"phase\":\"Pending\""));
    assert_int_equal(verdict.recheck_at_ms, 0);
}

static void cuts_long_messages_at_a_character(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf object = KS_BUF(8192);

    (void)state;
    assert_int_equal(
        ks_buf_append_str(&object, KS_LIT("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"status\":{"
                                          "\"phase\":\"Running\",\"containerStatuses\":[")),
        KS_RC_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(
            ks_buf_appendf(&object,
                           "%s{\"name\":\"\xc3\xa9\xc3\xa9\xc3\xa9\",\"state\":{\"waiting\":{"
                           "\"reason\":\"CrashLoopBackOff\"}}}",
                           i ? "," : ""),
            KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&object, KS_LIT("]}}")), KS_RC_OK);
    assert_computes(object.data);
    assert_true(verdict.message.len < KS_VERDICT_TEXT_MAX);
    assert_true(ks_str_is_utf8(verdict.message));
    assert_true(ks_str_ends(verdict.message, KS_LIT(", ...")));
    assert_true(ks_str_starts(verdict.message, KS_LIT("50 of 50 ")));

    ks_buf_clear(&object);
    assert_int_equal(ks_buf_append_str(
                         &object, KS_LIT("{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\","
                                         "\"status\":{\"conditions\":[{\"type\":\"ReplicaFailure\","
                                         "\"status\":\"True\",\"message\":\"")),
                     KS_RC_OK);
    for (int i = 0; i < 400; i++)
        assert_int_equal(ks_buf_append_str(&object, KS_LIT("\xe2\x82\xac")), KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&object, KS_LIT("\"}]}}")), KS_RC_OK);
    assert_computes(object.data);
    assert_true(verdict.message.len > KS_VERDICT_TEXT_MAX - 5);
    assert_true(verdict.message.len < KS_VERDICT_TEXT_MAX);
    assert_true(ks_str_is_utf8(verdict.message));
}

static void names_statuses(void **state)
{
    static const char *const names[] = {"InProgress",  "Failed",   "Current",
                                        "Terminating", "NotFound", "Unknown"};

    (void)state;
    for (unsigned i = 0; i < KS_ARRAY_LEN(names); i++) {
        ks_status status = KS_STATUS_UNSPECIFIED;

        assert_true(ks_status_parse(ks_str_from(names[i]), &status));
        assert_int_equal(status, i + 1);
        assert_string_equal(ks_status_text(status), names[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        static const char *const others[] = {"", "current", "Unspecified"};
        ks_status status = KS_STATUS_FAILED;

        assert_false(ks_status_parse(ks_str_from(others[i]), &status));
        assert_int_equal(status, KS_STATUS_FAILED);
    }
    assert_non_null(ks_status_text((ks_status)99));
    assert_non_null(ks_status_text(KS_STATUS_UNSPECIFIED));
}

static void short_memory(void *ctx)
{
    static const char object[] =
        "{\"apiVersion\":\"example.com\\/v1\",\"kind\":\"W\\u0069dget\",\"status\":{"
        "\"conditions\":[{\"type\":\"Re\\u0061dy\",\"status\":\"Fals\\u0065\","
        "\"reason\":\"R\\u0061\",\"message\":\"\\n\"}]}}";
    struct ks_error err = {0};
    struct ks_verdict v;
    struct ks_json *doc;
    ks_rc rc;

    (void)ctx;
    if (ks_json_new(&ks_json_limits_object, &doc, &err))
        return;
    rc = ks_json_parse(doc, ks_str_from(object), &err);
    if (!rc) {
        rc = ks_status_compute(ks_json_root(doc), NOW_MS, &v, &err);
        if (!rc) {
            assert_int_equal(v.status, KS_STATUS_IN_PROGRESS);
            assert_true(ks_str_is(v.reason, "Ra"));
        } else {
            assert_int_equal(v.status, KS_STATUS_UNSPECIFIED);
        }
    }
    assert_true(rc == KS_RC_OK || rc == KS_RC_NOMEM);
    ks_json_free(doc);
}

static void gives_no_verdict_when_memory_is_short(void **state)
{
    (void)state;
    assert_true(ks_torture(short_memory, NULL) >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(passed_conditions_keep_their_message),
        cmocka_unit_test(names_what_it_refuses),
        cmocka_unit_test(says_what_it_rests_on),
        cmocka_unit_test(tells_generations),
        cmocka_unit_test(tells_progress),
        cmocka_unit_test(takes_the_kind_from_where_it_was_read),
        cmocka_unit_test(tells_when_to_look_again),
        cmocka_unit_test(cuts_long_messages_at_a_character),
        cmocka_unit_test(names_statuses),
        cmocka_unit_test(gives_no_verdict_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
