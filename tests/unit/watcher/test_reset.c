/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * The API server is in another world than before: restored from a backup, or made anew. Several
 * watches see the same object, and do not notice at the same time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

#define BY_NAME "pods@demo/a"
#define BY_LABEL "pods@demo?app=web"

/* One object, which a target selects and another one names, at a version that the new world has
 * not reached. */
static void open_both(struct fixture *f)
{
    const struct ks_target targets[] = {
        target_selector(1, "pods", "demo", "app=web"),
        target_object(2, "pods", "demo", "a"),
    };

    fixture_init(f);
    fixture_open(f, targets, 2);
    fake_put(fake_find(BY_LABEL), pod("a", "u1", 505, "Running"));
    fake_synced(fake_find(BY_LABEL));
    fake_put(fake_find(BY_NAME), pod("a", "u1", 505, "Running"));
    fake_synced(fake_find(BY_NAME));
    fixture_skip(f);
}

/* The other watch still holds the old object, at a version that looks newer. */
static void a_recreated_object_is_told_by_the_watch_that_finds_it(void **state)
{
    struct fixture f;

    (void)state;
    open_both(&f);
    fake_reset(fake_find(BY_NAME));
    fake_gone(fake_find(BY_NAME), "demo", "a", KS_GONE_REPLACED);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1,2]\n");
    fake_put(fake_find(BY_NAME), pod("a", "u2", 9, "Running"));
    fixture_expect(&f, "forget Pod demo/a u1\nPod demo/a u2 Current<-NotFound [2]\n");
    fake_reset(fake_find(BY_LABEL));
    fake_gone(fake_find(BY_LABEL), "demo", "a", KS_GONE_REPLACED);
    fake_put(fake_find(BY_LABEL), pod("a", "u2", 9, "Running"));
    fixture_expect(&f, "Pod demo/a u2 Current<-Current [1,2]\n");
    fixture_fini(&f);
}

static void the_selector_may_notice_first(void **state)
{
    struct fixture f;

    (void)state;
    open_both(&f);
    fake_reset(fake_find(BY_LABEL));
    fake_gone(fake_find(BY_LABEL), "demo", "a", KS_GONE_REPLACED);
    fake_put(fake_find(BY_LABEL), pod("a", "u2", 9, "Running"));
    fixture_skip(&f);
    fake_reset(fake_find(BY_NAME));
    fake_gone(fake_find(BY_NAME), "demo", "a", KS_GONE_REPLACED);
    fake_put(fake_find(BY_NAME), pod("a", "u2", 9, "Pending"));
    assert_int_equal(f.last.status, KS_STATUS_IN_PROGRESS);
    assert_int_equal(f.last.target_count, 2);
    fixture_fini(&f);
}

/* Within one world a version still tells who lags behind. */
static void a_watch_that_lags_is_still_told_apart(void **state)
{
    struct fixture f;

    (void)state;
    open_both(&f);
    fake_gone(fake_find(BY_NAME), "demo", "a", KS_GONE_REPLACED);
    fake_put(fake_find(BY_NAME), pod("a", "u2", 600, "Running"));
    fixture_skip(&f);
    fake_put(fake_find(BY_LABEL), pod("a", "u1", 599, "Running"));
    fixture_expect(&f, "");
    fixture_fini(&f);
}

/* Deleted behind the backup, and so alive again. */
static void what_was_deleted_may_be_back(void **state)
{
    const struct ks_target targets[] = {target_object(1, "pods", "demo", "a")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fake_put(fake_find(BY_NAME), pod("a", "u1", 505, "Running"));
    fake_synced(fake_find(BY_NAME));
    fake_gone(fake_find(BY_NAME), "demo", "a", KS_GONE_SEEN);
    fake_put(fake_find(BY_NAME), pod("a", "u1", 300, "Running")); /* a replay, for all we know */
    assert_int_equal(f.last.status, KS_STATUS_NOT_FOUND);
    fake_gone(fake_find(BY_NAME), "demo", "a", KS_GONE_SEEN);
    fixture_skip(&f);
    fake_reset(fake_find(BY_NAME));
    fake_put(fake_find(BY_NAME), pod("a", "u1", 300, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current<-NotFound [1]\n");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recreated_object_is_told_by_the_watch_that_finds_it),
        cmocka_unit_test(the_selector_may_notice_first),
        cmocka_unit_test(a_watch_that_lags_is_still_told_apart),
        cmocka_unit_test(what_was_deleted_may_be_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
