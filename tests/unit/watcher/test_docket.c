/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * What Warning Events add to the causes: asked for only while something is not Current and causes
 * are wanted, told with the object that they are about or with its parent, forgotten with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "watcher/children.h"

#include "unit/watcher/session_fixture.h"

#define EVENTS "events@demo??type=Warning"
#define RECENT "2026-09-21T14:10:00Z"
#define LONG_AGO "2026-09-21T13:00:00Z"

static const char ready_pod[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\","
    "\"uid\":\"u1\",\"resourceVersion\":\"9\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{"
    "\"type\":\"Ready\",\"status\":\"True\"}]}}";
static const char deployment[] =
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"namespace\":\"demo\","
    "\"name\":\"web\",\"uid\":\"d1\",\"resourceVersion\":\"1\",\"generation\":1},\"spec\":{"
    "\"replicas\":1},\"status\":{\"observedGeneration\":1,\"replicas\":1,\"updatedReplicas\":1,"
    "\"unavailableReplicas\":1}}";

#define OWNED(kind, owner, uid)                                                                    \
    "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"" kind "\",\"name\":\"" owner     \
    "\",\"uid\":\"" uid "\",\"controller\":true}]"

static const char replica_set[] =
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{\"namespace\":\"demo\","
    "\"name\":\"web-1\",\"uid\":\"r1\",\"resourceVersion\":\"1\",\"generation\":1,\"annotations\":{"
    "\"deployment.kubernetes.io/revision\":\"1\"}," OWNED(
        "Deployment", "web",
        "d1") "},"
              "\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":1,\"replicas\":1}}";
#define POD_OF_SET(version, ready)                                                                 \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":"       \
    "\"web-1-x\",\"uid\":\"p1\",\"resourceVersion\":\"" version                                    \
    "\"," OWNED("ReplicaSet", "web-1",                                                             \
                "r1") "},\"status\":{\"phase\":\"Running\","                                       \
                      "\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready "\"}]}}"

static const char *event(const char *name, const char *kind, const char *about, const char *uid,
                         const char *what)
{
    static char texts[4][1024];
    static size_t turn;
    char *out = texts[turn++ % 4];

    assert_true(snprintf(out, sizeof(texts[0]),
                         "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"namespace\":"
                         "\"demo\",\"name\":\"%s\",\"uid\":\"e-%s\",\"resourceVersion\":\"1\"},"
                         "\"type\":\"Warning\",\"involvedObject\":{\"apiVersion\":\"%s\",\"kind\":"
                         "\"%s\",\"namespace\":\"demo\",\"name\":\"%s\",\"uid\":\"%s\"},%s}",
                         name, name, kind[0] == 'P' ? "v1" : "apps/v1", kind, about, uid,
                         what) < (int)sizeof(texts[0]));
    return out;
}

#define UNHEALTHY(time)                                                                            \
    "\"reason\":\"Unhealthy\",\"message\":\"Readiness probe failed: 503\",\"lastTimestamp\":"      \
    "\"" time "\""
#define MOUNT(time)                                                                                \
    "\"reason\":\"FailedMount\",\"message\":\"no such volume\",\"lastTimestamp\":\"" time "\""

static void begin(struct fixture *f, const struct ks_target *target)
{
    fixture_init(f);
    fake_serve("", "v1", "Event", "events", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f->config.include_causes = true;
    fixture_open(f, target, 1);
}

static struct ks_informer *open_pod(struct fixture *f, const char *json)
{
    struct ks_target target = target_object(1, "pods", "demo", "a");
    struct ks_informer *pods;

    begin(f, &target);
    pods = fake_find("pods@demo/a");
    fake_put(pods, json);
    fake_synced(pods);
    fixture_run(f);
    return pods;
}

static void an_event_explains_its_object(void **state)
{
    struct fixture f;
    struct ks_informer *pods;
    struct ks_informer *events;

    (void)state;
    pods = open_pod(&f, pod("a", "u1", 1, "Pending"));
    events = fake_find(EVENTS);
    assert_non_null(events);
    fixture_skip(&f);
    fake_put(events, event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
    fixture_expect(&f, ""); /* not before all are known */
    fake_synced(events);
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/a"));
    fake_put(events, event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT) ",\"count\":2"));
    fixture_expect(&f, ""); /* that it was seen again is no news */
    fake_put(pods, pod("a", "u1", 2, "Pending"));
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/a"));
    fake_gone(events, "demo", "e1", KS_GONE_SEEN);
    fixture_skip(&f);
    assert_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    fixture_fini(&f);
}

static void who_asks_once_does_not_miss_them(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    fixture_expect(&f, "1 LISTING\nPod demo/a u1 InProgress PodPending [1]\n1 SYNCED\n");
    fake_put(fake_find(EVENTS), event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
    fake_synced(fake_find(EVENTS));
    fixture_expect(&f, "Pod demo/a u1 InProgress<-InProgress PodPending [1]\n"
                       "SYNCED InProgress 1\n");
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/a"));
    fixture_fini(&f);
}

static void nobody_waits_long_for_them(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    fixture_wait(&f, 1900);
    fixture_expect(&f, "1 LISTING\nPod demo/a u1 InProgress PodPending [1]\n1 SYNCED\n");
    fixture_wait(&f, 200);
    fixture_expect(&f, "SYNCED InProgress 1\n");
    fixture_fini(&f);
}

static void only_recent_events_about_this_life_count(void **state)
{
    struct fixture f;
    struct ks_informer *events;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    events = fake_find(EVENTS);
    fake_synced(events);
    fixture_skip(&f);
    fake_put(events, event("e1", "Pod", "a", "u0", UNHEALTHY(RECENT)));
    fake_put(events, event("e2", "Pod", "a", "u1", UNHEALTHY(LONG_AGO)));
    fake_put(events, event("e3", "Pod", "a", "", UNHEALTHY(RECENT)));
    fake_put(events, "{\"kind\":\"Event\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"e4\","
                     "\"uid\":\"e-e4\"},\"involvedObject\":7}");
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void the_two_newest_events_are_kept(void **state)
{
    struct fixture f;
    struct ks_informer *events;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    events = fake_find(EVENTS);
    fake_synced(events);
    fake_put(events, event("e1", "Pod", "a", "u1", UNHEALTHY("2026-09-21T14:01:00Z")));
    fake_put(events, event("e2", "Pod", "a", "u1", MOUNT("2026-09-21T14:02:00Z")));
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    fake_put(events, event("e3", "Pod", "a", "u1",
                           "\"reason\":\"OOMKilling\",\"lastTimestamp\":\"2026-09-21T14:03:00Z\""));
    fixture_skip(&f);
    assert_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    assert_non_null(strstr(f.last_causes, "OUT_OF_MEMORY"));
    assert_non_null(strstr(f.last_causes, "VOLUME_NOT_MOUNTED"));
    fake_put(events, event("e4", "Pod", "a", "u1", UNHEALTHY("2026-09-21T14:00:00Z")));
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void nothing_is_opened_for_what_is_current_or_not_asked(void **state)
{
    struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    (void)open_pod(&f, ready_pod);
    assert_string_equal(fake_open_informers(), "pods@demo/a");
    fixture_fini(&f);

    fixture_init(&f);
    fake_serve("", "v1", "Event", "events", true);
    fixture_open(&f, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Pending"));
    fixture_run(&f);
    assert_string_equal(fake_open_informers(), "pods@demo/a");
    fixture_fini(&f);
}

static void events_are_closed_when_nobody_needs_them(void **state)
{
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    pods = open_pod(&f, pod("a", "u1", 1, "Pending"));
    fake_synced(fake_find(EVENTS));
    fake_put(fake_find(EVENTS), event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
    fake_put(pods, ready_pod);
    assert_string_equal(f.last_causes, "");
    fixture_wait(&f, KS_BROOD_LINGER_MS - 1);
    assert_non_null(fake_find(EVENTS));
    fixture_wait(&f, 1);
    assert_null(fake_find(EVENTS));
    fake_put(pods, pod("a", "u1", 10, "Pending"));
    fixture_run(&f);
    assert_non_null(fake_find(EVENTS));
    fixture_fini(&f);
}

static void without_permission_only_the_detail_is_lost(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    fixture_skip(&f);
    fake_state(fake_find(EVENTS), KS_SOURCE_DENIED, KS_RC_DENIED, "no rights");
    fixture_expect(&f, "SYNCED InProgress 1\n"); /* it has waited for them */
    fake_synced(fake_find(EVENTS));              /* it heals */
    fake_put(fake_find(EVENTS), event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    fixture_fini(&f);
}

static void open_family(struct fixture *f)
{
    struct ks_target target = target_object(1, "deployments", "demo", "web");

    begin(f, &target);
    fake_put(fake_find("deployments@demo/web"), deployment);
    fixture_run(f);
    fake_synced(fake_find("deployments@demo/web"));
    fake_put(fake_find("replicasets@demo"), replica_set);
    fake_synced(fake_find("replicasets@demo"));
    fake_put(fake_find("pods@demo"), POD_OF_SET("1", "False"));
    fake_synced(fake_find("pods@demo"));
    fixture_run(f);
    fake_synced(fake_find(EVENTS));
    fixture_skip(f);
}

static void an_event_about_a_child_explains_its_parent(void **state)
{
    struct fixture f;

    (void)state;
    open_family(&f);
    fake_put(fake_find(EVENTS), event("e1", "Pod", "web-1-x", "p1", UNHEALTHY(RECENT)));
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_IN_PROGRESS);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/web-1-x"));
    fake_put(fake_find(EVENTS),
             event("e2", "ReplicaSet", "web-1", "r1",
                   "\"reason\":\"FailedCreate\",\"message\":\"exceeded quota: q\","
                   "\"lastTimestamp\":\"" RECENT "\""));
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "QUOTA_EXCEEDED ReplicaSet/web-1"));
    fake_put(fake_find("pods@demo"), POD_OF_SET("2", "True"));
    fixture_skip(&f);
    assert_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    fixture_fini(&f);
}

static void an_event_may_come_before_its_child(void **state)
{
    struct fixture f;

    (void)state;
    open_family(&f);
    fake_gone(fake_find("pods@demo"), "demo", "web-1-x", KS_GONE_SEEN);
    fake_put(fake_find(EVENTS), event("e1", "Pod", "web-1-x", "p1", UNHEALTHY(RECENT)));
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo"), POD_OF_SET("3", "False"));
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/web-1-x"));
    fake_gone(fake_find("pods@demo"), "demo", "web-1-x", KS_GONE_SEEN);
    fixture_skip(&f);
    assert_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    fixture_fini(&f);
}

static void events_of_objects_without_a_namespace_are_in_default(void **state)
{
    struct ks_target target = target_object(1, "nodes", "", "n1");
    struct fixture f;

    (void)state;
    begin(&f, &target);
    fake_put(fake_find("nodes/n1"),
             "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"uid\":"
             "\"n1\",\"resourceVersion\":\"1\",\"deletionTimestamp\":\"2026-09-21T14:00:00Z\"}}");
    fixture_run(&f);
    assert_non_null(fake_find("events@default??type=Warning"));
    fixture_fini(&f);
}

/* A kubelet gives its Node's name as the UID. */
static void a_kubelet_names_its_node(void **state)
{
    struct ks_target target = target_object(1, "nodes", "", "n1");
    struct ks_informer *events;
    struct fixture f;

    (void)state;
    begin(&f, &target);
    fake_put(fake_find("nodes/n1"),
             "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\",\"uid\":"
             "\"u1\",\"resourceVersion\":\"1\",\"deletionTimestamp\":\"2026-09-21T14:00:00Z\"}}");
    fixture_run(&f);
    events = fake_find("events@default??type=Warning");
    fake_synced(events);
    for (unsigned i = 0; i < 2; i++) {
        char text[512];

        (void)snprintf(
            text, sizeof(text),
            "{\"kind\":\"Event\",\"metadata\":{\"namespace\":\"default\",\"name\":\"e%u\","
            "\"uid\":\"e%u\"},\"type\":\"Warning\",\"involvedObject\":{\"kind\":\"Node\","
            "\"name\":\"n1\",\"uid\":\"%s\"},\"reason\":\"%s\",\"message\":\"m\","
            "\"lastTimestamp\":\"" RECENT "\"}",
            i, i, i ? "u1" : "n1", i ? "SystemOOM" : "InvalidDiskCapacity");
        fake_put(events, text);
    }
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "NODE_PRESSURE Node/n1"));
    assert_non_null(strstr(f.last_causes, "WARNING Node/n1"));
    fixture_fini(&f);
}

static const char pulling[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\","
    "\"uid\":\"u1\",\"resourceVersion\":\"9\"},\"status\":{\"phase\":\"Pending\","
    "\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"waiting\":{\"reason\":"
    "\"ErrImagePull\",\"message\":\"x: not found\"}}}]}}";

/* The container waits for its image, and an Event says the same of it. */
static void a_state_and_its_event_are_one_cause(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pod(&f, pulling);
    fake_synced(fake_find(EVENTS));
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "IMAGE_NOT_FOUND Pod/a");
    fake_put(
        fake_find(EVENTS),
        "{\"kind\":\"Event\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"e1\",\"uid\":\"e1\"},"
        "\"type\":\"Warning\",\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"demo\","
        "\"name\":\"a\",\"uid\":\"u1\",\"fieldPath\":\"spec.containers{app}\"},\"reason\":"
        "\"Failed\",\"message\":\"Failed to pull image x: registry says: x: not found\","
        "\"count\":4,\"lastTimestamp\":\"" RECENT "\"}");
    fixture_skip(&f);
    assert_string_equal(f.last_causes, "IMAGE_NOT_FOUND Pod/a");
    fixture_fini(&f);
}

/* What was noted longest ago makes room. */
static void all_notes_have_a_ceiling(void **state)
{
    const size_t used = KS_NOTES_BYTES_MAX - 2000; /* room for a few */
    struct fixture f;
    struct ks_informer *events;

    (void)state;
    (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
    events = fake_find(EVENTS);
    fake_synced(events);
    f.session->note_bytes += used;
    fake_put(events, event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
    fixture_skip(&f);
    assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    for (unsigned i = 0; i < 12; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "x%u", i);
        fake_put(events, event(name, "Pod", name, name, MOUNT(RECENT)));
        assert_true(f.session->note_bytes <= KS_NOTES_BYTES_MAX);
    }
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 2, "Pending"));
    fixture_skip(&f);
    assert_null(strstr(f.last_causes, "READINESS_PROBE_FAILED"));
    f.session->note_bytes -= used;
    fixture_fini(&f);
}

static void a_sink_may_leave_at_an_event(void **state)
{
    struct fixture f;

    (void)state;
    for (size_t after = 1; after <= 2; after++) {
        (void)open_pod(&f, pod("a", "u1", 1, "Pending"));
        fake_put(fake_find(EVENTS), event("e1", "Pod", "a", "u1", UNHEALTHY(RECENT)));
        if (after == 2)
            fake_synced(fake_find(EVENTS));
        f.free_at = f.events + 1;
        if (after == 1)
            fake_synced(fake_find(EVENTS));
        else
            fake_put(fake_find(EVENTS), event("e2", "Pod", "a", "u1", MOUNT(RECENT)));
        assert_null(f.session);
        fixture_fini(&f);
    }
}

static void play(struct fixture *f)
{
    static const char *const names[] = {"deployments@demo/web", "replicasets@demo", "pods@demo",
                                        EVENTS};
    const char *const objects[] = {deployment, replica_set, POD_OF_SET("1", "False"),
                                   event("e1", "Pod", "web-1-x", "p1", UNHEALTHY(RECENT))};

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        fixture_run(f);
        if (fake_find(names[i]))
            fake_put(fake_find(names[i]), objects[i]);
        if (fake_find(names[i]))
            fake_synced(fake_find(names[i]));
    }
    fixture_run(f);
}

/* Returns whether the n-th allocation was reached. */
static bool play_tortured(uint64_t fail_at)
{
    struct ks_target target = target_object(1, "deployments", "demo", "web");
    struct ks_error err = {0};
    struct fixture f;
    bool has_failed;

    fixture_init(&f);
    fake_serve("", "v1", "Event", "events", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f.config.include_causes = true;
    f.config.generated_depth = 2;
    ks_alloc_fail_at(fail_at);
    if (!fixture_try_open(&f, &target, 1, &err))
        play(&f);
    has_failed = ks_alloc_failed();
    ks_alloc_fail_at(0);
    if (!has_failed)
        assert_non_null(strstr(f.last_causes, "READINESS_PROBE_FAILED Pod/web-1-x"));
    fixture_fini(&f);
    return has_failed;
}

static void survives_the_lack_of_memory(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (play_tortured(n))
        n++;
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_explains_its_object),
        cmocka_unit_test(who_asks_once_does_not_miss_them),
        cmocka_unit_test(nobody_waits_long_for_them),
        cmocka_unit_test(only_recent_events_about_this_life_count),
        cmocka_unit_test(the_two_newest_events_are_kept),
        cmocka_unit_test(nothing_is_opened_for_what_is_current_or_not_asked),
        cmocka_unit_test(events_are_closed_when_nobody_needs_them),
        cmocka_unit_test(without_permission_only_the_detail_is_lost),
        cmocka_unit_test(an_event_about_a_child_explains_its_parent),
        cmocka_unit_test(an_event_may_come_before_its_child),
        cmocka_unit_test(events_of_objects_without_a_namespace_are_in_default),
        cmocka_unit_test(a_kubelet_names_its_node),
        cmocka_unit_test(a_state_and_its_event_are_one_cause),
        cmocka_unit_test(all_notes_have_a_ceiling),
        cmocka_unit_test(a_sink_may_leave_at_an_event),
        cmocka_unit_test(survives_the_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
