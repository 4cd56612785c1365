/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Children as nobody wants them: of an old revision, malformed, owned in a circle, or not to be
 * read for a while.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

#define SET "daemonsets@demo/agent"

static const char *text_of(const char *fmt, ...) KS_PRINTF(1, 2);
static const char *text_of(const char *fmt, ...)
{
    static char texts[4][1024];
    static size_t turn;
    char *out = texts[turn++ % 4];
    va_list args;

    va_start(args, fmt);
    assert_true(vsnprintf(out, sizeof(texts[0]), fmt, args) < (int)sizeof(texts[0]));
    va_end(args);
    return out;
}

static const char *daemon_set(unsigned version, unsigned template_generation, unsigned ready)
{
    return text_of("{\"apiVersion\":\"apps/v1\",\"kind\":\"DaemonSet\",\"metadata\":{\"namespace\":"
                   "\"demo\",\"name\":\"agent\",\"uid\":\"d1\",\"resourceVersion\":\"%u\","
                   "\"generation\":1,\"annotations\":{\"deprecated.daemonset.template.generation\":"
                   "\"%u\"}},\"spec\":{},\"status\":{\"observedGeneration\":1,"
                   "\"desiredNumberScheduled\":2,\"currentNumberScheduled\":2,"
                   "\"updatedNumberScheduled\":2,\"numberAvailable\":%u,\"numberReady\":%u}}",
                   version, template_generation, ready, ready);
}

/* status: of the Pod, as JSON. */
static const char *child(const char *name, const char *uid, unsigned version, const char *owner,
                         unsigned template_generation, const char *status)
{
    return text_of("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\","
                   "\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\",\"labels\":{"
                   "\"pod-template-generation\":\"%u\"},\"ownerReferences\":[{\"kind\":"
                   "\"DaemonSet\",\"name\":\"agent\",\"uid\":\"%s\",\"controller\":true}]},"
                   "\"status\":%s}",
                   name, uid, version, template_generation, owner, status);
}

#define CRASH                                                                                      \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{"       \
    "\"reason\":\"CrashLoopBackOff\"}}}]}"

static void begin(struct fixture *f, ks_profile profile)
{
    const struct ks_target target = target_object(1, "daemonsets", "demo", "agent");

    fixture_init(f);
    fake_serve("apps", "v1", "DaemonSet", "daemonsets", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f->config.profile = profile;
    fixture_open(f, &target, 1);
    fake_put(fake_find(SET), daemon_set(1, 2, 1));
    fake_synced(fake_find(SET));
    fixture_run(f);
}

static void an_old_revision_of_a_daemon_set_does_not_fail_the_new_one(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    fake_put(fake_find("pods@demo"), child("old", "p0", 1, "d1", 1, CRASH));
    fake_synced(fake_find("pods@demo"));
    fixture_wait(&f, 60000);
    fixture_expect(&f, "1 LISTING\n1 SYNCED\nDaemonSet demo/agent d1 InProgress LessAvailable [1]\n"
                       "SYNCED InProgress 1\n");
    fake_put(fake_find("pods@demo"), child("new", "p1", 1, "d1", 2, CRASH));
    fixture_wait(&f, 60000);
    fixture_expect(&f, "DaemonSet demo/agent d1 InProgress<-InProgress CrashLoopBackOff [1]\n"
                       "DaemonSet demo/agent d1 Failed<-InProgress CrashLoopBackOff [1]\n");
    fake_put(fake_find(SET), daemon_set(2, 3, 1)); /* the new one is old, too */
    fixture_expect(&f, "DaemonSet demo/agent d1 InProgress<-Failed LessAvailable [1]\n");
    fixture_fini(&f);
}

static void malformed_children_change_nothing(void **state)
{
    static const char *const bad[] = {
        "null",
        "7",
        "[]",
        "{\"phase\":7}",
        "{\"phase\":\"Running\",\"conditions\":{}}",
        "{\"phase\":\"Running\",\"conditions\":[7]}",
        "{\"phase\":\"Running\",\"containerStatuses\":7}",
        "{\"phase\":\"Running\",\"containerStatuses\":[7,{\"state\":[]}]}",
    };

    (void)state;
    for (ks_profile profile = KS_PROFILE_KSTATUS; profile <= KS_PROFILE_STRICT; profile++) {
        struct fixture f;

        begin(&f, profile);
        if (fake_find("pods@demo"))
            fake_synced(fake_find("pods@demo"));
        fixture_skip(&f);
        for (size_t i = 0; i < KS_ARRAY_LEN(bad) && fake_find("pods@demo"); i++) {
            fake_put(fake_find("pods@demo"), child("bad", "p0", (unsigned)i + 1, "d1", 2, bad[i]));
            fixture_expect(&f, "");
        }
        if (fake_find("pods@demo")) {
            fake_bad(fake_find("pods@demo"), "demo", "bad", "too long");
            fixture_expect(&f, "");
            fake_gone(fake_find("pods@demo"), "demo", "bad", KS_GONE_SEEN);
        }
        fixture_expect(&f, "");
        fixture_fini(&f);
    }
}

static void a_circle_of_owners_ends(void **state)
{
    const struct ks_target targets[] = {target_object(1, "replicasets", "demo", "a"),
                                        target_object(2, "replicasets", "demo", "b")};
    static const char json[] =
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"metadata\":{\"namespace\":\"demo\","
        "\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\",\"ownerReferences\":[{\"kind\":"
        "\"ReplicaSet\",\"uid\":\"%s\",\"controller\":true}]},\"spec\":{\"replicas\":1}}";
    static const char *const uids[] = {"a", "b", "a"};

    (void)state;
    for (size_t deployments = 0; deployments < 2; deployments++) {
        struct ks_target all[] = {targets[0], targets[1],
                                  target_object(3, "deployments", "demo", "top")};
        struct fixture f;

        fixture_init(&f);
        fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
        f.config.generated_depth = 2;
        fixture_open(&f, all, 2 + deployments);
        if (deployments) /* opens the brood of ReplicaSets */
            fake_put(fake_find("deployments@demo/top"),
                     "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"top\",\"uid\":\"top\"}}");
        fixture_run(&f);
        for (size_t i = 0; i < 2; i++) {
            const char *informer = i ? "replicasets@demo/b" : "replicasets@demo/a";
            const char *rs = text_of(json, uids[i], uids[i], 1U, uids[i + 1]);

            fake_put(fake_find(informer), rs);
            fixture_run(&f);
            if (fake_find("replicasets@demo"))
                fake_put(fake_find("replicasets@demo"), rs);
            fake_put(fake_find("pods@demo"), child(uids[i], i ? "pb" : "pa", 1, uids[i], 2, CRASH));
        }
        fake_put(fake_find("pods@demo"), child("self", "self", 1, "self", 2, CRASH));
        fixture_skip(&f);
        fake_gone(fake_find("replicasets@demo/a"), "demo", "a", KS_GONE_SEEN);
        if (fake_find("replicasets@demo"))
            fake_gone(fake_find("replicasets@demo"), "demo", "a", KS_GONE_SEEN);
        fixture_skip(&f);
        fixture_fini(&f);
    }
}

/* 404, and then not: the set's own verdict, which says so. */
static void children_that_are_not_served_are_missed_and_found(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    fake_synced(fake_find("pods@demo"));
    fake_put(fake_find("pods@demo"), child("new", "p1", 1, "d1", 2, CRASH));
    fixture_wait(&f, 60000);
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_FAILED);
    fake_state(fake_find("pods@demo"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404 page not found");
    fixture_expect(&f, "DaemonSet demo/agent d1 InProgress<-Failed LessAvailable [1]\n");
    assert_non_null(strstr(f.last_message, "(its Pods may not be read: 404 page not found)"));
    fake_state(fake_find("pods@demo"), KS_SOURCE_FRESH, KS_RC_OK, "");
    fixture_expect(&f, "DaemonSet demo/agent d1 Failed<-InProgress CrashLoopBackOff [1]\n");
    fixture_fini(&f);
}

/* 500 and 429 pass: what is known of the children stays, and nothing is told. */
static void an_outage_takes_nothing_back(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, KS_PROFILE_STRICT);
    fake_state(fake_find("pods@demo"), KS_SOURCE_SYNCING, KS_RC_UNAVAILABLE, "500");
    fixture_expect(&f, "1 LISTING\n1 SYNCED\n"); /* the Pods are waited for */
    fake_put(fake_find("pods@demo"), child("new", "p1", 1, "d1", 2, CRASH));
    fake_synced(fake_find("pods@demo"));
    fixture_wait(&f, 60000);
    fixture_skip(&f);
    assert_int_equal(f.last.status, KS_STATUS_FAILED);
    fake_state(fake_find("pods@demo"), KS_SOURCE_STALE, KS_RC_UNAVAILABLE, "429");
    fake_put(fake_find(SET), daemon_set(2, 2, 1));
    fixture_expect(&f, "");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_revision_of_a_daemon_set_does_not_fail_the_new_one),
        cmocka_unit_test(malformed_children_change_nothing),
        cmocka_unit_test(a_circle_of_owners_ends),
        cmocka_unit_test(children_that_are_not_served_are_missed_and_found),
        cmocka_unit_test(an_outage_takes_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
