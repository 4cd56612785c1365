/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Verdicts that change by themselves: a Pod that no node fits gets 15 s.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

/* The Pod of the fixture is created at FIXTURE_NOW_MS. */
static struct ks_informer *open_unschedulable(struct fixture *f)
{
    static const struct ks_target targets[] = {{
        .target_id = 1,
        .kind = KS_TARGET_OBJECT,
        .resource = {"pods", 4},
        .ns = {"demo", 4},
        .name = {"a", 1},
    }};

    fixture_init(f);
    fixture_open(f, targets, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Unschedulable"));
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(f, "1 LISTING\nPod demo/a u1 InProgress PodNotScheduled [1]\n1 SYNCED\n"
                      "SYNCED InProgress 1\n");
    return fake_find("pods@demo/a");
}

static void patience_ends_without_an_event(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_unschedulable(&f);
    fixture_wait(&f, 14999);
    fixture_expect(&f, "");
    fixture_wait(&f, 1);
    fixture_expect(&f, "Pod demo/a u1 Failed<-InProgress PodUnschedulable [1]\n");
    assert_int_equal(f.last.transition_time_ms, FIXTURE_NOW_MS + 15000);
    assert_int_equal(f.last.observe_time_ms, FIXTURE_NOW_MS + 15000);
    fixture_wait(&f, 60000);
    fixture_expect(&f, ""); /* once */
    fixture_fini(&f);
}

static void an_update_renews_it_from_the_creation_time(void **state)
{
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    pods = open_unschedulable(&f);
    fixture_wait(&f, 10000);
    fake_put(pods, pod("a", "u1", 2, "Unschedulable"));
    fixture_expect(&f, "");
    fixture_wait(&f, 5000);
    fixture_expect(&f, "Pod demo/a u1 Failed<-InProgress PodUnschedulable [1]\n");
    fake_put(pods, pod("a", "u1", 3, "Unschedulable")); /* it is late now: Failed at once */
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void what_happens_to_the_object_cancels_it(void **state)
{
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    pods = open_unschedulable(&f);
    fake_put(pods, pod("a", "u1", 2, "Running"));
    fixture_wait(&f, 60000);
    fixture_expect(&f, "Pod demo/a u1 Current<-InProgress [1]\n");
    fixture_fini(&f);

    pods = open_unschedulable(&f);
    fake_gone(pods, "demo", "a", KS_GONE_SEEN);
    fixture_wait(&f, 60000);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-InProgress Deleted [1]\n");
    fixture_fini(&f);

    pods = open_unschedulable(&f);
    fake_bad(pods, "demo", "a", "too long");
    fixture_wait(&f, 60000);
    fixture_expect(&f, "Pod demo/a u1 Unknown<-InProgress Unreadable [1]\n");
    fixture_fini(&f);

    pods = open_unschedulable(&f);
    fake_state(pods, KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404");
    fake_unserve("pods");
    fixture_wait(&f, 60000);
    fixture_expect(&f, "1 KIND_MISSING not found: 404\n"
                       "Pod demo/a u1 Unknown<-InProgress KindNotServed [1]\n"
                       "1 KIND_MISSING not found: the cluster does not serve pods\n");
    fixture_fini(&f);

    (void)open_unschedulable(&f);
    fixture_fini(&f); /* with the timer pending */
}

static void the_wall_clock_decides(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_unschedulable(&f);
    f.clock.now_mono_ms += 15000;
    f.clock.now_wall_ms += 9000; /* set back by 6 s meanwhile */
    fixture_run(&f);
    fixture_expect(&f, "");
    fixture_wait(&f, 6000);
    fixture_expect(&f, "Pod demo/a u1 Failed<-InProgress PodUnschedulable [1]\n");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_ends_without_an_event),
        cmocka_unit_test(an_update_renews_it_from_the_creation_time),
        cmocka_unit_test(what_happens_to_the_object_cancels_it),
        cmocka_unit_test(the_wall_clock_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
