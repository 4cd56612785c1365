/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * A session with a goal: when the outcome comes, what is in the way and why, and the end at any
 * moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "unit/watcher/session_fixture.h"

static void open_with(struct fixture *f, const struct ks_until_config *until,
                      const struct ks_target *targets, size_t count)
{
    fixture_init(f);
    f->config.until = until;
    fixture_open(f, targets, count);
    fixture_skip(f);
}

static void the_outcome_is_the_last_word(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};
    const struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    open_with(&f, &until, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Pending"));
    fake_synced(fake_find("pods@demo/a"));
    fixture_run(&f);
    fixture_expect(&f, "Pod demo/a u1 InProgress PodPending [1]\n1 SYNCED\nSYNCED InProgress 1\n");
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 2, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current<-InProgress [1]\n"); /* not from within */
    fixture_run(&f);
    fixture_expect(&f, "OUTCOME reached 1\n");
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 3, "Unschedulable"));
    fixture_run(&f);
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void a_passing_state_decides_nothing(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};
    const struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    open_with(&f, &until, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 2, "Pending")); /* by the same read */
    fixture_skip(&f);
    fixture_run(&f);
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void what_is_in_the_way_is_told(void **state)
{
    const struct ks_until_config until = {
        .goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 60000, .min_basis = KS_BASIS_STANDARD_CONDITION};
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),        target_object(2, "pods", "demo", "b"),
        target_object(3, "widgets", "demo", "w"),     target_selector(4, "nodes", "", ""),
        target_object(5, "configmaps", "demo", "c"),  target_selector(6, "gadgets", "demo", "x=y"),
        target_object(7, "deployments", "demo", "d"),
    };
    struct fixture f;

    (void)state;
    open_with(&f, &until, targets, KS_ARRAY_LEN(targets));
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Unschedulable"));
    fake_synced(fake_find("pods@demo/a"));
    fake_synced(fake_find("pods@demo/b"));
    fake_put(fake_find("configmaps@demo/c"), config_map("c", "u5", 4));
    fake_synced(fake_find("configmaps@demo/c"));
    fake_state(fake_find("nodes"), KS_SOURCE_DENIED, KS_RC_DENIED, "no rights");
    fake_state(fake_find("deployments@demo/d"), KS_SOURCE_SYNCING, KS_RC_IO, "connection refused");
    fixture_wait(&f, 15000); /* a becomes Failed */
    fixture_wait(&f, 15000); /* d is answered late */
    fixture_skip(&f);
    fixture_wait(&f, 30000);
    fixture_expect(&f,
                   "OUTCOME timed out 5\n"
                   "  Pod demo/a u1 Failed [1]\n"
                   "  gadgets demo/ Unknown not found: the cluster does not serve gadgets [6]\n"
                   "  nodes  Unknown not permitted: no rights [4]\n"
                   "  widgets demo/w Unknown not found: the cluster does not serve widgets [3]\n"
                   "  Deployment demo/d Unknown temporarily unavailable: not known after 30 s: "
                   "connection refused [7]\n"
                   "  Pod demo/b NotFound [2]\n");
    fixture_fini(&f);
}

static void what_was_applied_is_waited_for(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000};
    struct ks_target target = target_object(1, "configmaps", "demo", "c");
    struct fixture f;

    (void)state;
    target.min_version = KS_LIT("100");
    open_with(&f, &until, &target, 1);
    fake_put(fake_find("configmaps@demo/c"), config_map("c", "u1", 99));
    fake_synced(fake_find("configmaps@demo/c"));
    fixture_skip(&f);
    fake_put(fake_find("configmaps@demo/c"),
             config_map("c", "u1", 100)); /* its state is the same */
    fixture_run(&f);
    fixture_expect(&f, "ConfigMap demo/c u1 Current<-Current [1]\nOUTCOME reached 1\n");
    fixture_fini(&f);

    open_with(&f, &until, &target, 1);
    fake_put(fake_find("configmaps@demo/c"), config_map("c", "u1", 99));
    fake_synced(fake_find("configmaps@demo/c"));
    fixture_skip(&f);
    fixture_wait(&f, 5000);
    fixture_expect(&f,
                   "OUTCOME timed out 1\n"
                   "  ConfigMap demo/c u1 Current OLDER_RESOURCE_VERSION: resourceVersion 99 is "
                   "there; 100 or later is waited for [1]\n");
    fixture_fini(&f);
}

static void what_cannot_be_confirmed_is_said(void **state)
{
    const struct ks_until_config until = {
        .goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000, .stable_for_ms = 1000};
    const struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    open_with(&f, &until, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_STALE, KS_RC_IO, "connection reset");
    fixture_skip(&f);
    fixture_wait(&f, 5000);
    fixture_expect(&f, "OUTCOME timed out 1\n"
                       "  Pod demo/a u1 Current NOT_CONFIRMED: this was last seen before it could "
                       "not be read any more: connection reset [1]\n");
    fixture_fini(&f);
}

static void many_in_the_way_are_counted(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT, .fail_fast = true};
    const struct ks_target target = target_selector(1, "pods", "demo", "");
    struct fixture f;
    char name[8];

    (void)state;
    open_with(&f, &until, &target, 1);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "p%02u", i);
        fake_put(fake_find("pods@demo"), pod(name, name, i + 1, "Pending"));
    }
    fake_put(fake_find("pods@demo"), pod("z", "z", 30, "Unschedulable"));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);
    fixture_wait(&f, 15000);
    assert_non_null(strstr(f.log, "OUTCOME failed 21\n  Pod demo/z z Failed [1]\n"
                                  "  Pod demo/p00 p00 InProgress [1]\n"));
    assert_non_null(strstr(f.log, "  and 5 more\n"));
    fixture_fini(&f);
}

static void a_new_life_is_followed(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};
    const struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    open_with(&f, &until, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Pending"));
    fake_synced(fake_find("pods@demo/a"));
    fake_put(fake_find("pods@demo/a"), pod("a", "u2", 2, "Pending"));
    fixture_run(&f);
    fixture_skip(&f);
    fake_put(fake_find("pods@demo/a"), pod("a", "u2", 3, "Running"));
    fixture_run(&f);
    fixture_expect(&f, "Pod demo/a u2 Current<-InProgress [1]\nOUTCOME reached 1\n");
    fixture_fini(&f);
}

static const char *deployment(const char *name)
{
    static char text[512];

    (void)snprintf(
        text, sizeof(text),
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"namespace\":"
        "\"demo\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"7\",\"generation\":"
        "1},\"spec\":{\"replicas\":2},\"status\":{\"observedGeneration\":1,\"replicas\":2,"
        "\"updatedReplicas\":2,\"availableReplicas\":0}}",
        name, name);
    return text;
}

/* A selection heals, and brings an object that is told only when its Pods are known. */
static void what_waits_for_its_children_is_waited_for(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};
    const struct ks_target targets[] = {target_object(1, "pods", "demo", "a"),
                                        target_selector(2, "deployments", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    f.config.until = &until;
    f.config.profile = KS_PROFILE_STRICT;
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_state(fake_find("deployments@demo"), KS_SOURCE_DENIED, KS_RC_DENIED, "no rights");
    fixture_run(&f);
    fake_put(fake_find("deployments@demo"), deployment("d"));
    fake_synced(fake_find("deployments@demo"));
    fixture_skip(&f);
    fixture_wait(&f, 1000);
    fixture_wait(&f, 1000);
    fixture_expect(&f, "");
    fake_synced(fake_find("replicasets@demo"));
    fake_synced(fake_find("pods@demo"));
    fixture_wait(&f, 1000);
    fixture_expect(&f, "Deployment demo/d d InProgress LessAvailable [2]\n");
    fixture_fini(&f);
}

/* Everything once: lives, selections, faults, and an outcome. Each step does nothing once what it
 * speaks of is gone. */
static void put(const char *informer, const char *json)
{
    if (fake_find(informer))
        fake_put(fake_find(informer), json);
}

static void synced(const char *informer)
{
    if (fake_find(informer))
        fake_synced(fake_find(informer));
}

static void act(struct fixture *f)
{
    put("pods@demo/a", pod("a", "u1", 1, "Pending"));
    put("pods@demo?app=web", pod("a", "u1", 1, "Pending"));
    put("pods@demo?app=web", pod("b", "u2", 2, "Running"));
    synced("pods@demo/a");
    synced("pods@demo?app=web");
    put("pods@demo/a", pod("a", "u3", 3, "Running"));
    if (fake_find("pods@demo?app=web"))
        fake_gone(fake_find("pods@demo?app=web"), "demo", "b", KS_GONE_SEEN);
    synced("pods@demo/b");
    if (fake_find("pods@demo/a"))
        fake_state(fake_find("pods@demo/a"), KS_SOURCE_STALE, KS_RC_IO, "because");
    fixture_wait(f, 40000);
    put("pods@demo/a", pod("a", "u3", 4, "Pending"));
}

/* A cluster of three Pods: `a` is named and selected, `b` and `c` are selected. */
#define PODS 3
#define SELECTING "pods@demo?app=web"

enum { ABSENT, PENDING, RUNNING };

struct cluster {
    int pods[PODS];
    unsigned lives[PODS];
    unsigned version;
    bool is_stale[2]; /* the watches: of the name, of the selection */
};

static const char *const watches[2] = {"pods@demo/a", SELECTING};
static const char *const pod_names[PODS] = {"a", "b", "c"};

static void cluster_set(struct cluster *c, unsigned n, int to)
{
    char uid[16];

    if (c->pods[n] == ABSENT && to != ABSENT)
        c->lives[n]++;
    (void)snprintf(uid, sizeof(uid), "%s%u", pod_names[n], c->lives[n]);
    c->version++;
    for (int w = n == 0 ? 0 : 1; w < 2; w++) {
        if (to != ABSENT)
            put(watches[w],
                pod(pod_names[n], uid, c->version, to == RUNNING ? "Running" : "Pending"));
        else if (c->pods[n] != ABSENT && fake_find(watches[w]))
            fake_gone(fake_find(watches[w]), "demo", pod_names[n], KS_GONE_SEEN);
    }
    if (to == ABSENT && c->pods[n] != ABSENT && n > 0) { /* deleted, or only not selected? */
        char doubt[32];

        (void)snprintf(doubt, sizeof(doubt), "pods@demo/%s", pod_names[n]);
        synced(doubt);
    }
    c->pods[n] = to;
}

static void cluster_step(struct cluster *c, uint32_t dice)
{
    unsigned w = (dice >> 4) % 2;

    if (c->is_stale[0] || c->is_stale[1] || dice % 8 == 0) {
        if (c->is_stale[!w])
            w = !w;
        c->is_stale[w] = !c->is_stale[w];
        fake_state(fake_find(watches[w]), c->is_stale[w] ? KS_SOURCE_STALE : KS_SOURCE_FRESH,
                   c->is_stale[w] ? KS_RC_IO : KS_RC_OK, "because");
        return;
    }
    cluster_set(c, (dice >> 8) % PODS, (int)((dice >> 12) % 3));
}

static bool cluster_is_current(const struct cluster *c)
{
    for (unsigned n = 0; n < PODS; n++) {
        if (c->pods[n] == PENDING || (n == 0 && c->pods[n] == ABSENT))
            return false;
    }
    return !c->is_stale[0] && !c->is_stale[1];
}

static uint32_t roll(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed ^ (*seed >> 15);
}

/* The goal is reached at the very step at which the cluster is as wanted, and no sooner. */
static void a_random_cluster_is_judged_as_it_is(void **state)
{
    const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};
    const struct ks_target targets[] = {target_object(1, "pods", "demo", "a"),
                                        target_selector(2, "pods", "demo", "app=web")};
    uint32_t seed = 7;
    unsigned reached = 0;
    unsigned steps = 0;

    (void)state;
    for (int run = 0; run < 400; run++) {
        struct fixture f;
        struct cluster c = {.version = 1};

        open_with(&f, &until, targets, 2);
        for (unsigned n = 0; n < PODS; n++)
            cluster_set(&c, n, (int)(roll(&seed) % 3));
        synced(watches[0]);
        synced(watches[1]);
        fixture_run(&f);
        for (int step = 0; step < 40 && !cluster_is_current(&c); step++, steps++) {
            assert_null(strstr(f.log, "OUTCOME"));
            fixture_skip(&f);
            cluster_step(&c, roll(&seed));
            fixture_run(&f);
        }
        reached += cluster_is_current(&c);
        assert_int_equal(strstr(f.log, "OUTCOME reached") != NULL, cluster_is_current(&c));
        fixture_fini(&f);
    }
    assert_true(reached > 200 && steps > 1000);
}

static const struct ks_until_config playing = {
    .goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 40000, .stable_for_ms = 100};

static void cast(struct ks_target targets[3])
{
    targets[0] = target_object(1, "pods", "demo", "a");
    targets[1] = target_selector(2, "pods", "demo", "app=web");
    targets[2] = target_object(3, "widgets", "demo", "g");
}

static void any_callback_may_be_the_last(void **state)
{
    struct ks_target targets[3];
    struct fixture f;
    size_t cut = 0;

    (void)state;
    cast(targets);
    do {
        struct ks_error err = {0};

        fixture_init(&f);
        f.config.until = &playing;
        f.free_at = ++cut;
        assert_int_equal(fixture_try_open(&f, targets, 3, &err), KS_RC_OK);
        fixture_run(&f);
        act(&f);
        if (f.events >= cut)
            assert_null(f.vigil);
        else
            assert_non_null(strstr(f.log, "OUTCOME timed out"));
        fixture_fini(&f);
    } while (f.events >= cut);
    assert_true(cut > 15);
}

static bool act_tortured(uint64_t fail_at)
{
    struct ks_target targets[3];
    struct ks_error err = {0};
    struct fixture f;
    bool was_hit;

    cast(targets);
    fixture_init(&f);
    f.config.until = &playing;
    ks_alloc_fail_at(fail_at);
    if (fixture_try_open(&f, targets, 3, &err)) {
        assert_int_equal(err.rc, KS_RC_NOMEM);
    } else {
        fixture_run(&f);
        act(&f);
        assert_true(f.has_failed || strstr(f.log, "OUTCOME timed out"));
    }
    was_hit = ks_alloc_failed();
    ks_alloc_fail_at(0);
    fixture_fini(&f);
    return was_hit;
}

static void any_allocation_may_fail(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (act_tortured(n))
        n++;
    assert_true(n > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_is_the_last_word),
        cmocka_unit_test(a_passing_state_decides_nothing),
        cmocka_unit_test(what_is_in_the_way_is_told),
        cmocka_unit_test(what_was_applied_is_waited_for),
        cmocka_unit_test(what_cannot_be_confirmed_is_said),
        cmocka_unit_test(many_in_the_way_are_counted),
        cmocka_unit_test(a_new_life_is_followed),
        cmocka_unit_test(what_waits_for_its_children_is_waited_for),
        cmocka_unit_test(a_random_cluster_is_judged_as_it_is),
        cmocka_unit_test(any_callback_may_be_the_last),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
