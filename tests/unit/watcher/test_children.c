/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Generated objects: what their events do to the object that generated them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "unit/watcher/session_fixture.h"

static char text[2048];

static const char *stateful_set(const char *uid, unsigned version, unsigned ready)
{
    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{"
                   "\"namespace\":\"demo\",\"name\":\"web\",\"uid\":\"%s\",\"resourceVersion\":"
                   "\"%u\",\"generation\":1},\"spec\":{\"replicas\":2},\"status\":{"
                   "\"observedGeneration\":1,\"replicas\":2,\"readyReplicas\":%u,"
                   "\"currentReplicas\":2,\"updatedReplicas\":2,\"currentRevision\":\"web-2\","
                   "\"updateRevision\":\"web-2\"}}",
                   uid, version, ready);
    return text;
}

static const char *deployment(const char *uid, unsigned version)
{
    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{"
                   "\"namespace\":\"demo\",\"name\":\"web\",\"uid\":\"%s\",\"resourceVersion\":"
                   "\"%u\",\"generation\":1},\"spec\":{\"replicas\":2},\"status\":{"
                   "\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":2,"
                   "\"availableReplicas\":0,\"conditions\":[{\"type\":\"Progressing\","
                   "\"status\":\"True\",\"reason\":\"ReplicaSetUpdated\"}]}}",
                   uid, version);
    return text;
}

static const char *replica_set(const char *name, const char *uid, unsigned revision)
{
    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{"
                   "\"namespace\":\"demo\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":"
                   "\"1\",\"generation\":1,\"annotations\":{\"deployment.kubernetes.io/revision\":"
                   "\"%u\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"
                   "\"Deployment\",\"name\":\"web\",\"uid\":\"d1\",\"controller\":true}]},\"spec\":"
                   "{\"replicas\":2},\"status\":{\"observedGeneration\":1,\"replicas\":2}}",
                   name, uid, revision);
    return text;
}

/* An owner "r..." is a ReplicaSet, "j..." a Job. */
static const char *owner_kind_of(const char *owner)
{
    if (owner[0] == 'r')
        return "ReplicaSet";
    return owner[0] == 'j' ? "Job" : "StatefulSet";
}

/* phase: "Crash" or "Ready". */
static const char *member(const char *name, const char *uid, unsigned version, const char *phase,
                          const char *owner, const char *revision)
{
    const char *owner_kind = owner_kind_of(owner);
    bool is_ready = phase[0] == 'R';

    (void)snprintf(
        text, sizeof(text),
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":"
        "\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\",\"labels\":{\"controller-revision-hash\":"
        "\"%s\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"%s\",\"name\":\"web\","
        "\"uid\":\"%s\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\"}]},"
        "\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\","
        "\"lastTransitionTime\":\"2026-09-21T14:13:20Z\"}],\"containerStatuses\":[{\"name\":\"c\","
        "\"state\":{\"%s\":{\"reason\":\"CrashLoopBackOff\",\"message\":\"back-off\"}}}]}}",
        name, uid, version, revision, owner_kind, owner, is_ready ? "True" : "False",
        is_ready ? "running" : "waiting");
    return text;
}

static const char *set_member(const char *name, const char *uid, unsigned version,
                              const char *phase)
{
    return member(name, uid, version, phase, "s1", "web-2");
}

static void begin(struct fixture *f, ks_profile profile)
{
    fixture_init(f);
    fake_serve("apps", "v1", "StatefulSet", "statefulsets", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f->config.profile = profile;
}

static const struct ks_target set_target = {
    .target_id = 1,
    .kind = KS_TARGET_OBJECT,
    .resource = {"statefulsets", 12},
    .ns = {"demo", 4},
    .name = {"web", 3},
};

static const struct ks_target deployment_target = {
    .target_id = 1,
    .kind = KS_TARGET_OBJECT,
    .resource = {"deployments", 11},
    .ns = {"demo", 4},
    .name = {"web", 3},
};

#define SET "statefulsets@demo/web"
#define DEPLOYMENT "deployments@demo/web"

/* A StatefulSet that is not ready yet, with one Pod that is. */
static void open_set(struct fixture *f, ks_profile profile)
{
    begin(f, profile);
    fixture_open(f, &set_target, 1);
    fixture_expect(f, "1 LISTING\n");
    fake_put(fake_find(SET), stateful_set("s1", 1, 1));
    fixture_run(f);
    fake_synced(fake_find(SET));
    fixture_expect(f, "1 SYNCED\n"); /* its Pods are waited for */
    fake_put(fake_find("pods@demo"), set_member("web-0", "p0", 1, "Ready"));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(f, "StatefulSet demo/web s1 InProgress LessReady [1]\nSYNCED InProgress 1\n");
}

static void a_pod_fails_its_set_without_its_event(void **state)
{
    struct fixture f;

    (void)state;
    open_set(&f, KS_PROFILE_KSTATUS);
    assert_string_equal(fake_open_informers(), SET " pods@demo");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 1, "Crash"));
    fixture_expect(&f, "StatefulSet demo/web s1 Failed<-InProgress PodsFailed [1]\n");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 2, "Crash"));
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo"), member("x", "px", 1, "Crash", "other", "a"));
    fixture_expect(&f, "");
    fake_put(fake_find(SET), stateful_set("s1", 2, 1)); /* its own event changes nothing of that */
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 3, "Ready"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-Failed LessReady [1]\n");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 4, "Crash"));
    fake_gone(fake_find("pods@demo"), "demo", "web-1", KS_GONE_SEEN);
    fixture_expect(&f, "StatefulSet demo/web s1 Failed<-InProgress PodsFailed [1]\n"
                       "StatefulSet demo/web s1 InProgress<-Failed LessReady [1]\n");
    fixture_fini(&f);
}

static void a_child_may_come_before_its_parent_or_change_it(void **state)
{
    struct fixture f;

    (void)state;
    open_set(&f, KS_PROFILE_KSTATUS);
    fake_put(fake_find("pods@demo"), member("a", "pa", 1, "Crash", "s2", "web-2"));
    fixture_expect(&f, "");
    fake_put(fake_find(SET), stateful_set("s2", 3, 1));
    fixture_expect(&f, "StatefulSet demo/web s1 NotFound<-InProgress Deleted [1]\n"
                       "forget StatefulSet demo/web s1\n"
                       "StatefulSet demo/web s2 Failed<-NotFound PodsFailed [1]\n");
    /* another owner takes it */
    fake_put(fake_find("pods@demo"), member("a", "pa", 2, "Crash", "s9", "web-2"));
    fixture_expect(&f, "StatefulSet demo/web s2 InProgress<-Failed LessReady [1]\n");
    fixture_fini(&f);
}

static void informers_are_closed_when_nobody_needs_them(void **state)
{
    struct fixture f;

    (void)state;
    open_set(&f, KS_PROFILE_KSTATUS);
    fake_gone(fake_find(SET), "demo", "web", KS_GONE_SEEN);
    assert_string_equal(fake_open_informers(), SET " pods@demo");
    fixture_wait(&f, 4999);
    assert_string_equal(fake_open_informers(), SET " pods@demo");
    fixture_wait(&f, 1);
    assert_string_equal(fake_open_informers(), SET);
    fake_put(fake_find(SET), stateful_set("s2", 5, 2));
    fixture_run(&f);
    assert_string_equal(fake_open_informers(), SET " pods@demo");
    fixture_fini(&f);

    /* What children cannot change needs none. */
    begin(&f, KS_PROFILE_KSTATUS);
    fixture_open(&f, &deployment_target, 1);
    fake_put(fake_find(DEPLOYMENT), deployment("d1", 1));
    fixture_run(&f);
    assert_string_equal(fake_open_informers(), DEPLOYMENT);
    fixture_fini(&f);
}

static void without_rights_the_verdict_is_the_objects_own(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    fixture_open(&f, &set_target, 1);
    fake_put(fake_find(SET), stateful_set("s1", 1, 1));
    fake_synced(fake_find(SET));
    fixture_run(&f);
    fake_state(fake_find("pods@demo"), KS_SOURCE_DENIED, KS_RC_DENIED, "pods is forbidden");
    fixture_expect(&f, "1 LISTING\n1 SYNCED\n"
                       "StatefulSet demo/web s1 InProgress LessReady [1]\nSYNCED InProgress 1\n");
    assert_non_null(strstr(f.last_message, "(its Pods may not be read: pods is forbidden)"));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-InProgress LessReady [1]\n");
    assert_null(strstr(f.last_message, "may not be read"));
    fixture_fini(&f);
}

static void patience_with_children_ends(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    f.config.first_answer_ms = 1000;
    fixture_open(&f, &set_target, 1);
    fake_put(fake_find(SET), stateful_set("s1", 1, 1));
    fake_synced(fake_find(SET));
    fixture_wait(&f, 1000);
    fixture_expect(&f, "1 LISTING\n1 SYNCED\n"
                       "StatefulSet demo/web s1 InProgress LessReady [1]\nSYNCED InProgress 1\n");
    assert_non_null(strstr(f.last_message, "(its Pods are not known yet)"));
    fixture_fini(&f);
}

/* The set had been told NotFound; one watch brings it, and it waits for its Pods; another brings an
 * older state of it. */
static void an_older_state_does_not_tell_what_waits(void **state)
{
    struct ks_target targets[] = {
        set_target, {.target_id = 2, .kind = KS_TARGET_SELECTOR, .resource = {"statefulsets", 12}}};
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    fixture_open(&f, targets, 2);
    fake_synced(fake_find(SET));
    fake_synced(fake_find("statefulsets"));
    fixture_expect(&f, "1 LISTING\n2 LISTING\nStatefulSet demo/web NotFound NotFound [1]\n"
                       "1 SYNCED\n2 SYNCED\nSYNCED InProgress 1\n");
    fake_put(fake_find(SET), stateful_set("s1", 2, 1));
    fixture_run(&f);
    fake_put(fake_find("statefulsets"), stateful_set("s1", 1, 2));
    fixture_expect(&f, "");
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-NotFound LessReady [1,2]\n");
    fixture_fini(&f);
}

/* It has left one of its targets, and is looked for, when its Pods become known and when they
 * change. */
static void a_doubt_keeps_no_target_waiting(void **state)
{
    const struct ks_target targets[] = {
        {.target_id = 1, .kind = KS_TARGET_SELECTOR, .resource = {"statefulsets", 12}},
        {.target_id = 2,
         .kind = KS_TARGET_SELECTOR,
         .resource = {"statefulsets", 12},
         .label_selector = {"tier=a", 6}}};
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("statefulsets"), stateful_set("s1", 1, 1));
    fixture_run(&f);
    fake_put(fake_find("statefulsets?tier=a"), stateful_set("s1", 1, 1));
    fake_synced(fake_find("statefulsets"));
    fake_synced(fake_find("statefulsets?tier=a"));
    fake_gone(fake_find("statefulsets?tier=a"), "demo", "web", KS_GONE_SEEN);
    fixture_expect(&f, "1 LISTING\n2 LISTING\n1 SYNCED\n2 SYNCED\n");
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress LessReady [1,2]\nSYNCED InProgress 1\n");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 1, "Crash"));
    fixture_expect(&f, "");
    fake_put(fake_find("statefulsets@demo/web"), stateful_set("s1", 1, 1));
    fake_synced(fake_find("statefulsets@demo/web"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-InProgress LessReady [1]\n"
                       "StatefulSet demo/web s1 Failed<-InProgress PodsFailed [1]\n");
    fixture_fini(&f);
}

static void strict_gives_a_failed_pod_of_the_new_revision_a_grace(void **state)
{
    struct fixture f;

    (void)state;
    open_set(&f, KS_PROFILE_STRICT);
    fake_put(fake_find("pods@demo"), member("old", "p9", 1, "Crash", "s1", "web-1"));
    fixture_expect(&f, ""); /* it does not fail the new one */
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 1, "Crash"));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-InProgress CrashLoopBackOff [1]\n");
    fixture_wait(&f, 29999);
    fixture_expect(&f, "");
    fixture_wait(&f, 1);
    fixture_expect(&f, "StatefulSet demo/web s1 Failed<-InProgress CrashLoopBackOff [1]\n");
    assert_non_null(strstr(f.last_message, "Pod web-1: "));
    fake_gone(fake_find("pods@demo"), "demo", "web-1", KS_GONE_SEEN);
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress<-Failed LessReady [1]\n");
    fixture_fini(&f);
}

static void open_deployment(struct fixture *f, ks_profile profile)
{
    begin(f, profile);
    fixture_open(f, &deployment_target, 1);
    fake_put(fake_find(DEPLOYMENT), deployment("d1", 1));
    fake_synced(fake_find(DEPLOYMENT));
    fixture_run(f);
    fake_put(fake_find("pods@demo"), member("n-1", "p1", 1, "Crash", "r2", ""));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(f, "1 LISTING\n1 SYNCED\n"); /* ReplicaSets are still unknown */
    fake_put(fake_find("replicasets@demo"), replica_set("web-a", "r1", 1));
    fake_put(fake_find("replicasets@demo"), replica_set("web-b", "r2", 2));
    fake_synced(fake_find("replicasets@demo"));
}

static void strict_looks_at_the_newest_replica_set(void **state)
{
    struct fixture f;

    (void)state;
    open_deployment(&f, KS_PROFILE_STRICT);
    fixture_expect(&f, "Deployment demo/web d1 InProgress CrashLoopBackOff [1]\n"
                       "SYNCED InProgress 1\n");
    fixture_wait(&f, 30000);
    fixture_expect(&f, "Deployment demo/web d1 Failed<-InProgress CrashLoopBackOff [1]\n");
    fake_put(fake_find("pods@demo"), member("n-2", "p2", 1, "Ready", "r2", ""));
    fixture_expect(&f, "Deployment demo/web d1 InProgress<-Failed LessAvailable [1]\n");
    fake_put(fake_find("replicasets@demo"), replica_set("web-a", "r1", 3)); /* rolled back */
    fake_put(fake_find("pods@demo"), member("o-1", "p3", 1, "Crash", "r1", ""));
    fixture_expect(&f, "Deployment demo/web d1 Failed<-InProgress CrashLoopBackOff [1]\n");
    fixture_fini(&f);
}

/* A Pod of an owner, and what its status says. */
static const char *member_in(const char *name, const char *owner, const char *status)
{
    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\","
                   "\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"1\",\"ownerReferences\":["
                   "{\"kind\":\"%s\",\"uid\":\"%s\",\"controller\":true}]},\"status\":{%s}}",
                   name, name, owner_kind_of(owner), owner, status);
    return text;
}

#define NOT_PULLED                                                                                 \
    "\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{"        \
    "\"reason\":\"InvalidImageName\",\"message\":\"bad name\"}}}]"
#define LOOPS                                                                                      \
    "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{"        \
    "\"reason\":\"CrashLoopBackOff\"}}}]"
#define EVICTED "\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"no memory\""

static void strict_fails_a_replica_set_by_its_pods(void **state)
{
    struct ks_target target = set_target;
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    target.resource = KS_LIT("replicasets");
    fixture_open(&f, &target, 1);
    fixture_expect(&f, "1 LISTING\n");
    fake_put(fake_find("replicasets@demo/web"), replica_set("web", "r1", 1));
    fake_synced(fake_find("replicasets@demo/web"));
    fixture_run(&f);
    fake_put(fake_find("pods@demo"), member_in("gone", "r1", EVICTED));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "1 SYNCED\n"
                       "ReplicaSet demo/web r1 InProgress LessAvailable [1]\n"
                       "SYNCED InProgress 1\n");
    fake_put(fake_find("pods@demo"), member_in("loops", "r1", LOOPS));
    fixture_expect(&f, "ReplicaSet demo/web r1 InProgress<-InProgress CrashLoopBackOff [1]\n");
    fixture_wait(&f, 30000);
    fixture_expect(&f, "ReplicaSet demo/web r1 Failed<-InProgress CrashLoopBackOff [1]\n");
    fake_gone(fake_find("pods@demo"), "demo", "loops", KS_GONE_SEEN);
    fixture_expect(&f, "ReplicaSet demo/web r1 InProgress<-Failed LessAvailable [1]\n");
    fixture_fini(&f);
}

static void strict_fails_a_job_by_a_pod_that_does_not_start(void **state)
{
    static const char *const job =
        "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"namespace\":\"demo\","
        "\"name\":\"web\",\"uid\":\"j1\",\"resourceVersion\":\"1\"},\"status\":{\"active\":1,"
        "\"startTime\":\"2026-09-21T14:13:20Z\"}}";
    struct ks_target target = set_target;
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    fake_serve("batch", "v1", "Job", "jobs", true);
    target.resource = KS_LIT("jobs");
    fixture_open(&f, &target, 1);
    fixture_expect(&f, "1 LISTING\n");
    fake_put(fake_find("jobs@demo/web"), job);
    fake_synced(fake_find("jobs@demo/web"));
    fixture_run(&f);
    fake_put(fake_find("pods@demo"), member_in("gone", "j1", EVICTED));
    fake_put(fake_find("pods@demo"), member_in("loops", "j1", LOOPS));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "1 SYNCED\n"
                       "Job demo/web j1 InProgress JobRunning [1]\n"
                       "SYNCED InProgress 1\n");
    fixture_wait(&f, 60000);
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo"), member_in("stuck", "j1", NOT_PULLED));
    fixture_expect(&f, "Job demo/web j1 InProgress<-InProgress InvalidImageName [1]\n");
    fixture_wait(&f, 30000);
    fixture_expect(&f, "Job demo/web j1 Failed<-InProgress InvalidImageName [1]\n");
    fixture_fini(&f);
}

static void children_are_told_as_deep_as_asked(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_fini(&f);
    begin(&f, KS_PROFILE_KSTATUS);
    f.config.generated_depth = 1;
    fixture_open(&f, &set_target, 1);
    fake_put(fake_find(SET), stateful_set("s1", 1, 1));
    fake_synced(fake_find(SET));
    fixture_run(&f);
    fake_put(fake_find("pods@demo"), set_member("web-0", "p0", 1, "Ready"));
    fake_put(fake_find("pods@demo"), member("x", "px", 1, "Ready", "other", "a"));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "1 LISTING\n1 SYNCED\nStatefulSet demo/web s1 InProgress LessReady [1]\n"
                       "Pod demo/web-0 p0 Current [1]\nSYNCED InProgress 1\n");
    assert_true(f.last.has_owner);
    fake_put(fake_find("pods@demo"), set_member("web-0", "p0", 2, "Crash"));
    fixture_expect(&f, "StatefulSet demo/web s1 Failed<-InProgress PodsFailed [1]\n"
                       "Pod demo/web-0 p0 Failed<-Current ContainerCrashLooping [1]\n");
    fake_put(fake_find("pods@demo"), set_member("web-1", "p1", 1, "Ready"));
    fake_gone(fake_find("pods@demo"), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-1 p1 Current [1]\n"
                       "Pod demo/web-0 p0 NotFound<-Failed Deleted [1]\n"
                       "forget Pod demo/web-0 p0\n"
                       "StatefulSet demo/web s1 InProgress<-Failed LessReady [1]\n");
    fake_gone(fake_find(SET), "demo", "web", KS_GONE_SEEN);
    fixture_expect(&f, "REMOVED Pod demo/web-1 p1 [1]\nforget Pod demo/web-1 p1\n"
                       "StatefulSet demo/web s1 NotFound<-InProgress Deleted [1]\n");
    fixture_fini(&f);
}

static void what_is_disowned_is_removed_with_its_members(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    f.config.generated_depth = 2;
    fixture_open(&f, &deployment_target, 1);
    fake_put(fake_find(DEPLOYMENT), deployment("d1", 1));
    fake_synced(fake_find(DEPLOYMENT));
    fixture_run(&f);
    fake_put(fake_find("replicasets@demo"), replica_set("web-a", "r1", 1));
    fake_put(fake_find("replicasets@demo"), replica_set("web-b", "r2", 2));
    fake_synced(fake_find("replicasets@demo"));
    fake_put(fake_find("pods@demo"), member("a-0", "p1", 1, "Ready", "r1", ""));
    fake_put(fake_find("pods@demo"), member("b-0", "p2", 1, "Ready", "r2", ""));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);
    fake_put(fake_find("pods@demo"), member("b-0", "p2", 2, "Ready", "other", ""));
    fixture_expect(&f, "REMOVED Pod demo/b-0 p2 [1]\nforget Pod demo/b-0 p2\n");
    fake_gone(fake_find("pods@demo"), "demo", "b-0", KS_GONE_SEEN); /* nobody asked for it */
    fixture_expect(&f, "");
    fake_gone(fake_find("replicasets@demo"), "demo", "web-a", KS_GONE_SEEN);
    fixture_expect(&f, "REMOVED Pod demo/a-0 p1 [1]\nforget Pod demo/a-0 p1\n"
                       "ReplicaSet demo/web-a r1 NotFound<-InProgress Deleted [1]\n"
                       "forget ReplicaSet demo/web-a r1\n");
    fixture_fini(&f);
}

static void beyond_some_namespaces_all_are_watched_at_once(void **state)
{
    struct ks_target targets[20];
    char names[20][16];
    char informer[400];
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%02u", i);
        targets[i] = target_object(i + 1, "statefulsets", names[i], "web");
    }
    fixture_open(&f, targets, 20);
    for (unsigned i = 0; i < 20; i++) {
        char json[1024];

        (void)snprintf(json, sizeof(json),
                       "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"web\",\"uid\":\"u%u\","
                       "\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":1}}",
                       names[i], i);
        (void)snprintf(informer, sizeof(informer), "statefulsets@%s/web", names[i]);
        fake_put(fake_find(informer), json);
    }
    fixture_run(&f);
    assert_non_null(fake_find("pods@n15"));
    assert_null(fake_find("pods@n16"));
    assert_non_null(fake_find("pods"));
    fixture_fini(&f);
}

static const char *cron_job(unsigned version)
{
    (void)snprintf(text, sizeof(text),
                   "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"tick\",\"uid\":\"c1\","
                   "\"resourceVersion\":\"%u\"},\"spec\":{},\"status\":{\"lastScheduleTime\":"
                   "\"2026-09-21T14:00:00Z\"}}",
                   version);
    return text;
}

static const char *job(const char *name, const char *created, const char *condition)
{
    (void)snprintf(text, sizeof(text),
                   "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"%s\",\"uid\":\"%s\","
                   "\"resourceVersion\":\"1\",\"creationTimestamp\":\"%s\",\"ownerReferences\":[{"
                   "\"kind\":\"CronJob\",\"uid\":\"c1\",\"controller\":true}]},\"spec\":{},"
                   "\"status\":{\"conditions\":[{\"type\":\"%s\",\"status\":\"True\",\"reason\":"
                   "\"BackoffLimitExceeded\"}]}}",
                   name, name, created, condition);
    return text;
}

static void the_newest_job_decides_for_its_cron_job(void **state)
{
    const struct ks_target targets[] = {target_object(1, "cronjobs", "demo", "tick")};
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    fake_serve("batch", "v1", "CronJob", "cronjobs", true);
    fake_serve("batch", "v1", "Job", "jobs", true);
    fixture_open(&f, targets, 1);
    fake_put(fake_find("cronjobs@demo/tick"), cron_job(1));
    fake_synced(fake_find("cronjobs@demo/tick"));
    fixture_run(&f);
    fake_synced(fake_find("jobs@demo"));
    fixture_expect(&f, "1 LISTING\n1 SYNCED\nCronJob demo/tick c1 Failed LastRunFailed [1]\n"
                       "SYNCED Failed 1\n");
    fake_put(fake_find("jobs@demo"), job("a", "2026-09-21T13:00:00Z", "Failed"));
    fixture_expect(&f, "CronJob demo/tick c1 Failed<-Failed BackoffLimitExceeded [1]\n");
    fake_put(fake_find("jobs@demo"), job("b", "2026-09-21T14:00:00Z", "Complete"));
    fixture_expect(&f, "CronJob demo/tick c1 Current<-Failed [1]\n");
    fake_gone(fake_find("jobs@demo"), "demo", "b", KS_GONE_SEEN);
    fixture_expect(&f, "CronJob demo/tick c1 Failed<-Current BackoffLimitExceeded [1]\n");
    fixture_fini(&f);
}

static void causes_are_sought_in_the_pods(void **state)
{
    struct fixture f;
    size_t own;

    (void)state;
    begin(&f, KS_PROFILE_KSTATUS);
    fake_serve("", "v1", "Event", "events", true);
    f.config.include_causes = true;
    fixture_open(&f, &deployment_target, 1);
    fake_put(fake_find(DEPLOYMENT), deployment("d1", 1));
    fake_synced(fake_find(DEPLOYMENT));
    fixture_run(&f);
    fake_synced(fake_find("pods@demo"));
    fake_put(fake_find("replicasets@demo"), replica_set("web-b", "r2", 2));
    fake_synced(fake_find("replicasets@demo"));
    fixture_run(&f);
    fake_synced(fake_find("events@demo??type=Warning"));
    fixture_expect(&f, "1 LISTING\n1 SYNCED\nDeployment demo/web d1 InProgress LessAvailable [1]\n"
                       "SYNCED InProgress 1\n");
    own = f.last.cause_count;
    fake_put(fake_find("pods@demo"), member("n-1", "p1", 1, "Crash", "r2", ""));
    fixture_expect(&f, "Deployment demo/web d1 InProgress<-InProgress LessAvailable [1]\n");
    assert_int_equal(f.last.cause_count, own + 1);
    fake_put(fake_find("pods@demo"), member("n-1", "p1", 2, "Ready", "r2", ""));
    fixture_expect(&f, "Deployment demo/web d1 InProgress<-InProgress LessAvailable [1]\n");
    assert_int_equal(f.last.cause_count, own);
    fixture_fini(&f);
}

static void the_sink_may_end_it_at_any_word(void **state)
{
    struct fixture f;

    (void)state;
    for (size_t end = 1; end < 9; end++) {
        begin(&f, KS_PROFILE_KSTATUS);
        f.config.generated_depth = 2;
        f.free_at = end;
        fixture_open(&f, &set_target, 1);
        if (f.session)
            fake_put(fake_find(SET), stateful_set("s1", 1, 1));
        if (f.session)
            fake_synced(fake_find(SET));
        fixture_run(&f);
        if (f.session)
            fake_put(fake_find("pods@demo"), set_member("web-0", "p0", 1, "Crash"));
        if (f.session)
            fake_synced(fake_find("pods@demo"));
        if (f.session)
            fake_put(fake_find("pods@demo"), set_member("web-0", "p0", 2, "Ready"));
        if (f.session)
            fake_gone(fake_find(SET), "demo", "web", KS_GONE_SEEN);
        fixture_skip(&f);
        fixture_fini(&f);
    }
}

/* Returns whether the n-th allocation was reached. */
static bool play_tortured(uint64_t fail_at)
{
    struct fixture f;
    struct ks_error err = {0};
    bool has_failed;

    begin(&f, KS_PROFILE_STRICT);
    f.config.generated_depth = 2;
    ks_alloc_fail_at(fail_at);
    if (!fixture_try_open(&f, &deployment_target, 1, &err)) {
        fixture_run(&f);
        if (fake_find(DEPLOYMENT))
            fake_put(fake_find(DEPLOYMENT), deployment("d1", 1));
        fixture_run(&f);
        if (fake_find("pods@demo"))
            fake_put(fake_find("pods@demo"), member("a", "p", 1, "Crash", "r", ""));
        if (fake_find("replicasets@demo"))
            fake_put(fake_find("replicasets@demo"), replica_set("web-a", "r", 1));
        if (fake_find("replicasets@demo"))
            fake_synced(fake_find("replicasets@demo"));
        if (fake_find("pods@demo"))
            fake_synced(fake_find("pods@demo"));
        if (fake_find(DEPLOYMENT))
            fake_gone(fake_find(DEPLOYMENT), "demo", "web", KS_GONE_SEEN);
    }
    has_failed = ks_alloc_failed();
    ks_alloc_fail_at(0);
    fixture_skip(&f);
    fixture_fini(&f);
    return has_failed;
}

static void it_survives_the_lack_of_memory(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (play_tortured(n))
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_fails_its_set_without_its_event),
        cmocka_unit_test(a_child_may_come_before_its_parent_or_change_it),
        cmocka_unit_test(informers_are_closed_when_nobody_needs_them),
        cmocka_unit_test(without_rights_the_verdict_is_the_objects_own),
        cmocka_unit_test(patience_with_children_ends),
        cmocka_unit_test(an_older_state_does_not_tell_what_waits),
        cmocka_unit_test(a_doubt_keeps_no_target_waiting),
        cmocka_unit_test(strict_gives_a_failed_pod_of_the_new_revision_a_grace),
        cmocka_unit_test(strict_looks_at_the_newest_replica_set),
        cmocka_unit_test(strict_fails_a_replica_set_by_its_pods),
        cmocka_unit_test(strict_fails_a_job_by_a_pod_that_does_not_start),
        cmocka_unit_test(children_are_told_as_deep_as_asked),
        cmocka_unit_test(what_is_disowned_is_removed_with_its_members),
        cmocka_unit_test(beyond_some_namespaces_all_are_watched_at_once),
        cmocka_unit_test(the_newest_job_decides_for_its_cron_job),
        cmocka_unit_test(causes_are_sought_in_the_pods),
        cmocka_unit_test(the_sink_may_end_it_at_any_word),
        cmocka_unit_test(it_survives_the_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
