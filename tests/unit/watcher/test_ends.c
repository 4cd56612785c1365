/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * The end at any moment: a play in which everything happens once is cut off within its first,
 * second, third... callback, and is run with its first, second, third... allocation failing. The
 * sanitizers watch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "unit/watcher/session_fixture.h"

struct play {
    struct fixture *f;
    const struct ks_target *targets;
    size_t target_count;
};

/* Each step does nothing once the session, or what it speaks of, is gone. */
static void put(const char *informer, const char *json)
{
    if (fake_find(informer))
        fake_put(fake_find(informer), json);
}

static void gone(const char *informer, const char *name, ks_gone how)
{
    struct ks_informer *inf = fake_find(informer);

    if (inf && ks_informer_find(inf, KS_LIT("demo"), ks_str_from(name)))
        fake_gone(inf, "demo", name, how);
}

static void bad(const char *informer, const char *name)
{
    if (fake_find(informer))
        fake_bad(fake_find(informer), "demo", name, "too deep");
}

static void synced(const char *informer)
{
    if (fake_find(informer))
        fake_synced(fake_find(informer));
}

static void source(const char *informer, ks_source_state state, ks_rc rc)
{
    if (fake_find(informer))
        fake_state(fake_find(informer), state, rc, "because");
}

static void first_act(struct fixture *f)
{
    put("pods@demo/a", pod("a", "u1", 1, "Unschedulable"));
    put("pods@demo?app=web", pod("a", "u1", 1, "Unschedulable"));
    put("pods@demo?app=web", pod("b", "u2", 2, "Running"));
    put("pods@demo?app=web", pod("c", "u3", 2, "Running"));
    put("pods@demo?app=web", pod("d", "u4", 2, "Nonsense"));
    bad("pods@demo?app=web", "e");
    source("configmaps@demo[v,w,x,y,z]", KS_SOURCE_DENIED, KS_RC_DENIED);
    put("configmaps@demo/v", config_map("v", "c1", 3));
    synced("configmaps@demo/v");
    synced("configmaps@demo/w");
    source("configmaps@demo/x", KS_SOURCE_DENIED, KS_RC_DENIED);
    source("configmaps@demo/y", KS_SOURCE_FAILED, KS_RC_INVALID);
    source("configmaps@demo/z", KS_SOURCE_SYNCING, KS_RC_IO);
    synced("pods@demo/a");
    fixture_wait(f, 15000); /* a becomes Failed */
    synced("pods@demo?app=web");
    fixture_wait(f, 15000); /* z is answered late: SYNCED */
}

static void second_act(struct fixture *f)
{
    gone("pods@demo?app=web", "b", KS_GONE_SEEN); /* doubts */
    gone("pods@demo?app=web", "c", KS_GONE_MISSED);
    put("pods@demo/b", pod("b", "u2", 9, "Running"));
    synced("pods@demo/b");
    synced("pods@demo/c");
    put("pods@demo/a", pod("a", "u9", 10, "Running")); /* another life */
    put("pods@demo?app=web", pod("a", "u9", 10, "Terminating"));
    gone("pods@demo/a", "a", KS_GONE_SEEN);
    gone("pods@demo?app=web", "a", KS_GONE_SEEN);
    source("pods@demo?app=web", KS_SOURCE_STALE, KS_RC_IO);
    source("pods@demo?app=web", KS_SOURCE_FRESH, KS_RC_OK);
    source("pods@demo?app=web", KS_SOURCE_ABSENT, KS_RC_NOTFOUND);
    fake_serve("example.dev", "v1", "Widget", "widgets", true);
    fixture_wait(f, 10000);
    synced("widgets@demo/g");
    put("pods@demo?app=web", pod("d", "u4", 12, "Running"));
    synced("pods@demo?app=web");
    if (fake_find("pods@demo?app=web"))
        fake_limit(fake_find("pods@demo?app=web"));
}

static void play(const struct play *p)
{
    struct fixture *f = p->f;
    struct ks_error err = {0};

    if (fixture_try_open(f, p->targets, p->target_count, &err)) {
        assert_int_equal(err.rc, KS_RC_NOMEM);
        assert_true(ks_alloc_failed());
        return;
    }
    fixture_run(f);
    first_act(f);
    second_act(f);
}

static const char *const names[] = {"v", "w", "x", "y", "z"};
#define TARGETS 10

static void cast(struct ks_target targets[TARGETS])
{
    targets[0] = target_object(1, "pods", "demo", "a");
    targets[1] = target_selector(2, "pods", "demo", "app=web");
    targets[2] = target_object(3, "widgets", "demo", "g");
    targets[3] = target_object(4, "pods", "demo", "a");
    targets[3].uid = KS_LIT("u1");
    for (uint32_t i = 0; i < 5; i++)
        targets[4 + i] = target_object(5 + i, "configmaps", "demo", names[i]);
    targets[9] = target_selector(10, "nodes", "demo", "");
}

static void any_callback_may_be_the_last(void **state)
{
    struct ks_target targets[TARGETS];
    struct fixture f;
    size_t cut = 0;

    (void)state;
    cast(targets);
    do {
        struct play p = {.f = &f, .targets = targets, .target_count = TARGETS};

        fixture_init(&f);
        f.free_at = ++cut;
        play(&p);
        if (f.events >= cut) {
            assert_null(f.session);
            assert_int_equal(f.events, cut);
        }
        fixture_fini(&f);
    } while (f.events >= cut);
    assert_true(cut > 40); /* the play has been played */
    assert_true(f.has_failed);
}

/* Whether an allocation was made to fail. */
static bool play_tortured(uint64_t fail_at)
{
    struct ks_target targets[TARGETS];
    struct fixture f;
    struct play p = {.f = &f, .targets = targets, .target_count = TARGETS};
    bool was_hit;

    cast(targets);
    fixture_init(&f); /* its own allocations do not fail */
    ks_alloc_fail_at(fail_at);
    play(&p);
    was_hit = ks_alloc_failed();
    ks_alloc_fail_at(0);
    if (!was_hit)
        assert_true(f.has_failed); /* as the play ends */
    fixture_fini(&f);
    return was_hit;
}

static void any_allocation_may_fail(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (play_tortured(n))
        n++;
    assert_true(n > 100); /* the play needs that many */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_callback_may_be_the_last),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
