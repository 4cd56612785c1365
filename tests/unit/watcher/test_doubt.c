/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Objects that vanish from a watch with selectors: deleted, or only not selected any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

static void open_web(struct fixture *f, const struct ks_target *targets, size_t count)
{
    fixture_init(f);
    fixture_open(f, targets, count);
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo?app=web"));
    fixture_skip(f);
}

static void leaving_is_not_deletion(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;

    (void)state;
    open_web(&f, targets, 1);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web pods@demo/a");
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 2, "Running"));
    fixture_expect(&f, "");
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "REMOVED Pod demo/a u1 [1]\nforget Pod demo/a u1\n");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web");
    assert_int_equal(ks_session_object_count(f.session), 0);
    /* It is selected again: a first answer again. */
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 3, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current [1]\n");
    fixture_fini(&f);
}

static void deletion_is_found_out(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;

    (void)state;
    open_web(&f, targets, 1);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_MISSED);
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\nforget Pod demo/a u1\n");
    fixture_fini(&f);

    open_web(&f, targets, 1); /* another object under its name */
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_put(fake_find("pods@demo/a"), pod("a", "u2", 2, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\nforget Pod demo/a u1\n");
    fixture_fini(&f);
}

/* Its finalizers hold it, and it changes before it goes. */
static void what_is_being_deleted_may_leave_too(void **state)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", "app=web"),
        target_object(2, "pods", "demo", "a"),
    };
    struct fixture f;

    (void)state;
    open_web(&f, targets, 2);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 2, "Terminating"));
    fixture_skip(&f);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web pods@demo/a pods@demo/a");
    fake_gone(fake_find("pods@demo/a"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Terminating Deleted [1,2]\n");
    fixture_fini(&f);
}

static void some_ends_leave_no_doubt(void **state)
{
    struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;

    (void)state;
    targets[0].label_selector = KS_LIT("");
    targets[0].field_selector = KS_LIT("metadata.name!=x"); /* names do not change */
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fake_put(fake_find("pods@demo??metadata.name!=x"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_gone(fake_find("pods@demo??metadata.name!=x"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\nforget Pod demo/a u1\n");
    fixture_fini(&f);

    targets[0].field_selector = KS_LIT("status.phase=Running"); /* phases do */
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fake_put(fake_find("pods@demo??status.phase=Running"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_gone(fake_find("pods@demo??status.phase=Running"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    assert_non_null(fake_find("pods@demo/a"));
    fixture_fini(&f); /* in doubt */
}

static void coming_back_ends_the_doubt(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;

    (void)state;
    open_web(&f, targets, 1);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 3, "Running"));
    fixture_expect(&f, "");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web");
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u2", 5, "Running"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\nforget Pod demo/a u1\n"
                       "Pod demo/a u2 Current [1]\n");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web");
    fixture_fini(&f);
}

static void a_new_life_waits_for_its_targets_own_watch(void **state)
{
    struct ks_target targets[] = {
        target_selector(1, "pods", "demo", ""),
        target_object(2, "pods", "demo", "a"),
    };
    struct fixture f;

    (void)state;
    targets[1].uid = KS_LIT("u1");
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_put(fake_find("pods@demo/a"), pod("a", "u2", 5, "Running"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [2]\n"
                       "Pod demo/a u1 NotFound<-Current Deleted [1]\n"
                       "Pod demo/a u1 NotFound<-NotFound OtherUID [2]\nforget Pod demo/a u1\n");
    fake_put(fake_find("pods@demo"), pod("a", "u2", 5, "Running"));
    fixture_expect(&f, "Pod demo/a u2 Current [1]\n");
    fixture_fini(&f);
}

static void an_old_life_does_not_select_the_new_one(void **state)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", ""),
        target_selector(2, "pods", "demo", "app=web"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u2", 5, "Running"));
    fixture_skip(&f);
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 2, "Running"));
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo"), pod("a", "u2", 6, "Terminating"));
    fixture_expect(&f, "Pod demo/a u2 Terminating<-Current [1]\n");
    fixture_fini(&f);
}

static void an_old_life_does_not_come_back(void **state)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", ""),
        target_selector(2, "pods", "demo", "app=web"),
    };
    struct fixture f;

    (void)state;
    open_web(&f, (const struct ks_target[]){targets[0], targets[1]}, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_put(fake_find("pods@demo"), pod("a", "u2", 5, "Running"));
    fake_gone(fake_find("pods@demo"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1,2]\nforget Pod demo/a u1\n"
                       "Pod demo/a u2 Current [1]\n"
                       "Pod demo/a u2 NotFound<-Current Deleted [1]\nforget Pod demo/a u2\n");
    fake_put(fake_find("pods@demo?app=web"), pod("a", "u1", 3, "Terminating"));
    fixture_expect(&f, "");
    fixture_fini(&f);
}

/* Its name was listed before it was made, and another watch has brought it already. */
static void an_older_list_does_not_deny_it(void **state)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", ""),
        target_object(2, "pods", "demo", "a"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 33, "Running"));
    fake_set_version(fake_find("pods@demo/a"), "32");
    fixture_skip(&f);
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "2 SYNCED\n");
    fixture_fini(&f);

    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 33, "Running"));
    fake_set_version(fake_find("pods@demo/a"), "34");
    fixture_skip(&f);
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current NotFound [1,2]\n2 SYNCED\n");
    fixture_fini(&f);
}

static void another_watch_may_know(void **state)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", "app=web"),
        target_selector(2, "pods", "demo", ""),
    };
    struct fixture f;

    (void)state;
    open_web(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fake_gone(fake_find("pods@demo"), "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1,2]\nforget Pod demo/a u1\n");
    assert_string_equal(fake_open_informers(), "pods@demo?app=web pods@demo");
    fixture_fini(&f);

    open_web(&f, targets, 2);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fixture_skip(&f);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 2, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a u1 Current<-Current [2]\n"); /* it still is target 2's */
    fake_put(fake_find("pods@demo"), pod("a", "u1", 3, "Pending"));
    fixture_expect(&f, "Pod demo/a u1 InProgress<-Current PodPending [2]\n");
    fixture_fini(&f);
}

static void what_cannot_be_found_out_is_not_called_deleted(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;

    (void)state;
    open_web(&f, targets, 1);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_SYNCING, KS_RC_IO, "reset");
    fixture_expect(&f, "");
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_DENIED, KS_RC_DENIED, "no");
    fixture_expect(&f, "REMOVED Pod demo/a u1 [1]\nforget Pod demo/a u1\n");
    fixture_fini(&f);

    open_web(&f, targets, 1);
    fake_gone(fake_find("pods@demo?app=web"), "demo", "a", KS_GONE_SEEN);
    fake_bad(fake_find("pods@demo/a"), "demo", "a", "too long");
    fixture_expect(&f, "REMOVED Pod demo/a u1 [1]\nforget Pod demo/a u1\n");
    fixture_fini(&f);
}

static void many_doubts_wait_their_turn(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "app=web")};
    struct fixture f;
    char name[16];
    unsigned open = 0;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    for (unsigned i = 10; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        fake_put(fake_find("pods@demo?app=web"), pod(name, name, 1, "Running"));
    }
    for (unsigned i = 10; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        fake_gone(fake_find("pods@demo?app=web"), "demo", name, KS_GONE_MISSED);
    }
    fixture_skip(&f);
    for (unsigned i = 10; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "pods@demo/p%u", i);
        open += fake_find(name) != NULL;
    }
    assert_int_equal(open, 8);
    for (unsigned i = 10; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "pods@demo/p%u", i);
        fake_synced(fake_find(name));
    }
    assert_int_equal(ks_session_object_count(f.session), 0);
    assert_int_equal(f.slots, 0);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_is_not_deletion),
        cmocka_unit_test(deletion_is_found_out),
        cmocka_unit_test(what_is_being_deleted_may_leave_too),
        cmocka_unit_test(some_ends_leave_no_doubt),
        cmocka_unit_test(coming_back_ends_the_doubt),
        cmocka_unit_test(a_new_life_waits_for_its_targets_own_watch),
        cmocka_unit_test(an_old_life_does_not_select_the_new_one),
        cmocka_unit_test(an_old_life_does_not_come_back),
        cmocka_unit_test(an_older_list_does_not_deny_it),
        cmocka_unit_test(another_watch_may_know),
        cmocka_unit_test(what_cannot_be_found_out_is_not_called_deleted),
        cmocka_unit_test(many_doubts_wait_their_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
