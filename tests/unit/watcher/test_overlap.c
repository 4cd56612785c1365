/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * What a target asks for, and another target's object has generated: one slot, with the targets of
 * both, in any order of arrival and of ending.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "unit/watcher/session_fixture.h"

#define SET "statefulsets@demo/web"
#define SELECTED "pods@demo?app=web"
#define CHILDREN "pods@demo"

static const char *owned(const char *api_kind, const char *name, const char *uid, unsigned version,
                         const char *owner, const char *rest)
{
    static char texts[8][1024];
    static size_t turn;
    char *out = texts[turn++ % 8];
    char reference[160] = "";

    if (owner[0])
        (void)snprintf(reference, sizeof(reference),
                       ",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\","
                       "\"name\":\"web\",\"uid\":\"%s\",\"controller\":true}]",
                       owner);
    assert_true(snprintf(out, sizeof(texts[0]),
                         "{%s,\"metadata\":{\"namespace\":\"demo\",\"name\":\"%s\",\"uid\":\"%s\","
                         "\"resourceVersion\":\"%u\",\"generation\":1,\"annotations\":{"
                         "\"deployment.kubernetes.io/revision\":\"1\"}%s},%s}",
                         api_kind, name, uid, version, reference, rest) < (int)sizeof(texts[0]));
    return out;
}

static const char *set(const char *uid, unsigned version)
{
    return owned("\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\"", "web", uid, version, "",
                 "\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":1,\"replicas\":2,"
                 "\"readyReplicas\":1,\"currentReplicas\":2,\"updatedReplicas\":2}");
}

static const char *member(const char *uid, unsigned version, const char *owner)
{
    return owned("\"apiVersion\":\"v1\",\"kind\":\"Pod\"", "web-0", uid, version, owner,
                 "\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
                 "\"status\":\"True\"}]}");
}

static void begin(struct fixture *f, const struct ks_target *targets, size_t count)
{
    fixture_init(f);
    fake_serve("apps", "v1", "StatefulSet", "statefulsets", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f->config.generated_depth = 1;
    fixture_open(f, targets, count);
}

static void open_both(struct fixture *f)
{
    const struct ks_target targets[] = {target_object(1, "statefulsets", "demo", "web"),
                                        target_selector(2, "pods", "demo", "app=web")};

    begin(f, targets, KS_ARRAY_LEN(targets));
}

static void put_set(struct fixture *f)
{
    fake_put(fake_find(SET), set("s1", 1));
    fake_synced(fake_find(SET));
    fixture_run(f);
}

/* The Pod is told as an object, with both targets. */
static void open_overlap(struct fixture *f)
{
    open_both(f);
    put_set(f);
    fake_put(fake_find(SELECTED), member("p0", 1, "s1"));
    fake_synced(fake_find(SELECTED));
    fake_put(fake_find(CHILDREN), member("p0", 1, "s1"));
    fake_synced(fake_find(CHILDREN));
    fixture_skip(f);
    assert_int_equal(f->last.target_count, 2);
    assert_false(f->last.has_owner);
}

static void the_object_may_come_first(void **state)
{
    struct fixture f;

    (void)state;
    open_both(&f);
    fake_put(fake_find(SELECTED), member("p0", 1, "s1"));
    fake_synced(fake_find(SELECTED));
    put_set(&f);
    fixture_expect(&f, "1 LISTING\n2 LISTING\nPod demo/web-0 p0 Current [2]\n2 SYNCED\n1 SYNCED\n");
    fake_put(fake_find(CHILDREN), member("p0", 1, "s1"));
    fixture_expect(&f, ""); /* its parent was not told yet */
    fake_synced(fake_find(CHILDREN));
    fixture_expect(&f, "StatefulSet demo/web s1 InProgress LessReady [1]\n"
                       "Pod demo/web-0 p0 Current<-Current [1,2]\nSYNCED InProgress 2\n");
    assert_false(f.last.has_owner);
    fake_put(fake_find(CHILDREN), member("p0", 2, "s1"));
    fake_put(fake_find(SELECTED), member("p0", 2, "s1"));
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void the_child_may_come_first(void **state)
{
    struct fixture f;

    (void)state;
    open_both(&f);
    put_set(&f);
    fake_put(fake_find(CHILDREN), member("p0", 1, "s1"));
    fake_synced(fake_find(CHILDREN));
    fixture_expect(&f, "1 LISTING\n2 LISTING\n1 SYNCED\n"
                       "StatefulSet demo/web s1 InProgress LessReady [1]\n"
                       "Pod demo/web-0 p0 Current [1]\n");
    assert_true(f.last.has_owner);
    fake_put(fake_find(SELECTED), member("p0", 1, "s1"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1,2]\n");
    assert_false(f.last.has_owner);
    fake_synced(fake_find(SELECTED));
    fixture_expect(&f, "2 SYNCED\nSYNCED InProgress 2\n");
    assert_int_equal(f.slots, 2);
    fixture_fini(&f);
}

static void the_selection_may_end(void **state)
{
    struct fixture f;

    (void)state;
    open_overlap(&f);
    fake_gone(fake_find(SELECTED), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo/web-0"), member("p0", 2, "s1"));
    fake_synced(fake_find("pods@demo/web-0"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1]\n");
    assert_true(f.last.has_owner);
    fake_put(fake_find(SELECTED), member("p0", 3, "s1")); /* and begin again */
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1,2]\n");
    assert_false(f.last.has_owner);
    assert_int_equal(f.slots, 2);
    fixture_fini(&f);
}

static void its_owner_may_end(void **state)
{
    struct fixture f;

    (void)state;
    open_overlap(&f);
    fake_gone(fake_find(SET), "demo", "web", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [2]\n"
                       "StatefulSet demo/web s1 NotFound<-InProgress Deleted [1]\n");
    fake_gone(fake_find(CHILDREN), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-0 p0 NotFound<-Current Deleted [2]\n");
    fake_gone(fake_find(SELECTED), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "forget Pod demo/web-0 p0\n");
    fixture_fini(&f);
}

static void it_may_leave_its_owner(void **state)
{
    struct fixture f;

    (void)state;
    open_overlap(&f);
    fake_put(fake_find(CHILDREN), member("p0", 2, ""));
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [2]\n");
    fake_put(fake_find(CHILDREN), member("p0", 3, "s1"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1,2]\n");
    fixture_fini(&f);

    open_both(&f); /* a child alone exists, but belongs to no target then */
    put_set(&f);
    fake_put(fake_find(CHILDREN), member("p0", 1, "s1"));
    fake_synced(fake_find(CHILDREN));
    fixture_skip(&f);
    fake_put(fake_find(CHILDREN), member("p0", 2, "s9"));
    fixture_expect(&f, "REMOVED Pod demo/web-0 p0 [1]\nforget Pod demo/web-0 p0\n");
    fixture_fini(&f);
}

static void its_end_is_told_once_whoever_sees_it_first(void **state)
{
    struct fixture f;

    (void)state;
    open_overlap(&f);
    fake_gone(fake_find(CHILDREN), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-0 p0 NotFound<-Current Deleted [1,2]\n");
    fake_put(fake_find(SELECTED), member("p0", 2, "s1")); /* it lags behind */
    fixture_expect(&f, "");
    fake_gone(fake_find(SELECTED), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "forget Pod demo/web-0 p0\n");
    assert_null(fake_find("pods@demo/web-0")); /* nothing was left to be found out */
    fixture_fini(&f);

    open_overlap(&f);
    fake_gone(fake_find(SELECTED), "demo", "web-0", KS_GONE_SEEN);
    fake_synced(fake_find("pods@demo/web-0")); /* there is none */
    fixture_expect(&f, "Pod demo/web-0 p0 NotFound<-Current Deleted [1,2]\n"
                       "forget Pod demo/web-0 p0\n");
    fake_put(fake_find(CHILDREN), member("p0", 2, "s1")); /* it lags behind */
    fake_gone(fake_find(CHILDREN), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fake_put(fake_find(CHILDREN), member("p1", 3, "s1"));
    fixture_expect(&f, "Pod demo/web-0 p1 Current [1]\n");
    fixture_fini(&f);
}

static void another_life_is_another_object(void **state)
{
    struct fixture f;

    (void)state;
    open_overlap(&f);
    fake_gone(fake_find(CHILDREN), "demo", "web-0", KS_GONE_REPLACED);
    fake_put(fake_find(CHILDREN), member("p1", 5, "s1"));
    fixture_expect(&f, "Pod demo/web-0 p0 NotFound<-Current Deleted [1,2]\n"
                       "Pod demo/web-0 p1 Current [1]\n");
    fake_gone(fake_find(SELECTED), "demo", "web-0", KS_GONE_REPLACED);
    fake_put(fake_find(SELECTED), member("p1", 5, "s1"));
    fixture_expect(&f, "forget Pod demo/web-0 p0\nPod demo/web-0 p1 Current<-Current [1,2]\n");
    assert_int_equal(f.slots, 2);
    fixture_fini(&f);
}

static void a_named_object_stays_one(void **state)
{
    const struct ks_target targets[] = {target_object(1, "statefulsets", "demo", "web"),
                                        target_object(2, "pods", "demo", "web-0")};
    struct fixture f;

    (void)state;
    begin(&f, targets, KS_ARRAY_LEN(targets));
    put_set(&f);
    fake_put(fake_find(CHILDREN), member("p0", 1, "s1"));
    fake_synced(fake_find(CHILDREN));
    fixture_skip(&f);
    fake_put(fake_find("pods@demo/web-0"), member("p0", 1, "s1"));
    fake_synced(fake_find("pods@demo/web-0"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1,2]\n2 SYNCED\nSYNCED InProgress 2\n");
    fake_gone(fake_find("pods@demo/web-0"), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-0 p0 NotFound<-Current Deleted [1,2]\n");
    fake_gone(fake_find(CHILDREN), "demo", "web-0", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fixture_fini(&f);
}

#define REPLICA_SET                                                                                \
    "\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":1,\"replicas\":1,"               \
    "\"fullyLabeledReplicas\":1}"
#define CRASH                                                                                      \
    "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{"         \
    "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}"

/* A Deployment, and its ReplicaSet asked for as well; both generate the Pod. */
static void open_generations(struct fixture *f, uint32_t depth, ks_profile profile)
{
    const struct ks_target targets[] = {target_object(1, "deployments", "demo", "web"),
                                        target_object(2, "replicasets", "demo", "web-a")};

    fixture_init(f);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f->config.generated_depth = depth;
    f->config.profile = profile;
    fixture_open(f, targets, KS_ARRAY_LEN(targets));
    fake_put(fake_find("deployments@demo/web"),
             owned("\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"", "web", "d1", 1, "",
                   "\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":1}"));
    fake_synced(fake_find("deployments@demo/web"));
    fake_put(fake_find("replicasets@demo/web-a"),
             owned("\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\"", "web-a", "r1", 1, "d1",
                   REPLICA_SET));
    fake_synced(fake_find("replicasets@demo/web-a"));
    fixture_run(f);
    fake_put(fake_find("replicasets@demo"),
             owned("\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\"", "web-a", "r1", 1, "d1",
                   REPLICA_SET));
    fake_synced(fake_find("replicasets@demo"));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(f);
}

static void all_that_stand_above_count(void **state)
{
    struct fixture f;

    (void)state;
    open_generations(&f, 2, KS_PROFILE_KSTATUS);
    fake_put(fake_find("pods@demo"), member("p0", 1, "r1"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current [1,2]\n");
    assert_true(f.last.has_owner);
    fake_gone(fake_find("replicasets@demo/web-a"), "demo", "web-a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/web-0 p0 Current<-Current [1]\n"
                       "ReplicaSet demo/web-a r1 NotFound<-InProgress Deleted [1,2]\n");
    fixture_fini(&f);

    open_generations(&f, 1, KS_PROFILE_KSTATUS);
    fake_put(fake_find("pods@demo"), member("p0", 1, "r1"));
    fixture_expect(&f, "Pod demo/web-0 p0 Current [2]\n");
    fixture_fini(&f);
}

static void a_pod_is_news_for_all_that_stand_above(void **state)
{
    struct fixture f;

    (void)state;
    open_generations(&f, 0, KS_PROFILE_STRICT);
    fake_put(fake_find("pods@demo"),
             owned("\"apiVersion\":\"v1\",\"kind\":\"Pod\"", "web-0", "p0", 1, "r1", CRASH));
    fixture_expect(&f, "ReplicaSet demo/web-a r1 InProgress<-InProgress CrashLoopBackOff [2]\n"
                       "Deployment demo/web d1 InProgress<-InProgress CrashLoopBackOff [1]\n");
    fixture_fini(&f);
}

static void play(struct fixture *f)
{
    static const char *const names[] = {SET,      SELECTED, CHILDREN, SELECTED,
                                        CHILDREN, SELECTED, SET,      CHILDREN};
    const char *const objects[] = {set("s1", 1),
                                   member("p0", 1, "s1"),
                                   member("p0", 1, "s1"),
                                   NULL,
                                   member("p0", 2, "s1"),
                                   member("p0", 3, "s1"),
                                   NULL,
                                   NULL};

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        if (f->session)
            fixture_run(f);
        if (!f->session || !fake_find(names[i]))
            continue;
        if (objects[i])
            fake_put(fake_find(names[i]), objects[i]);
        else
            fake_gone(fake_find(names[i]), "demo", i == 6 ? "web" : "web-0", KS_GONE_SEEN);
        if (i < 3 && f->session && fake_find(names[i])) /* each the first time */
            fake_synced(fake_find(names[i]));
        if (f->session && fake_find("pods@demo/web-0"))
            fake_put(fake_find("pods@demo/web-0"), member("p0", 2, "s1"));
        if (f->session && fake_find("pods@demo/web-0"))
            fake_synced(fake_find("pods@demo/web-0"));
    }
}

static void the_sink_may_end_it_at_any_word(void **state)
{
    struct fixture f;
    size_t first;
    size_t words;

    (void)state;
    open_both(&f);
    first = f.events + 1;
    play(&f);
    words = f.events;
    fixture_skip(&f);
    fixture_fini(&f);
    assert_true(words > 8);
    for (size_t end = first; end <= words; end++) {
        open_both(&f);
        f.free_at = end;
        play(&f);
        assert_null(f.session);
        fixture_skip(&f);
        fixture_fini(&f);
    }
}

/* Returns whether the n-th allocation was reached. */
static bool play_tortured(uint64_t fail_at)
{
    struct fixture f;
    bool has_failed;

    open_both(&f);
    ks_alloc_fail_at(fail_at);
    play(&f);
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
        cmocka_unit_test(the_object_may_come_first),
        cmocka_unit_test(the_child_may_come_first),
        cmocka_unit_test(the_selection_may_end),
        cmocka_unit_test(its_owner_may_end),
        cmocka_unit_test(it_may_leave_its_owner),
        cmocka_unit_test(its_end_is_told_once_whoever_sees_it_first),
        cmocka_unit_test(another_life_is_another_object),
        cmocka_unit_test(a_named_object_stays_one),
        cmocka_unit_test(all_that_stand_above_count),
        cmocka_unit_test(a_pod_is_news_for_all_that_stand_above),
        cmocka_unit_test(the_sink_may_end_it_at_any_word),
        cmocka_unit_test(it_survives_the_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
