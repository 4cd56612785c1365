/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Targets whose kind is not served, not yet, not any more; discovery that fails; answers that come
 * too late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

static const char widget[] =
    "{\"apiVersion\":\"example.dev/v1\",\"kind\":\"Widget\",\"metadata\":{\"namespace\":\"demo\","
    "\"name\":\"g\",\"uid\":\"w1\",\"resourceVersion\":\"3\"},\"status\":{\"conditions\":[{"
    "\"type\":\"Ready\",\"status\":\"True\"}]}}";

static void a_kind_that_appears_is_found(void **state)
{
    struct ks_target targets[] = {
        target_object(1, "", "demo", "g"),
        target_selector(2, "widgets", "", ""),
        target_object(3, "pods", "demo", "p"),
    };
    struct fixture f;

    (void)state;
    targets[0].group = KS_LIT("example.dev");
    targets[0].object_kind = KS_LIT("Widget");
    fixture_init(&f);
    fixture_open(&f, targets, 3);
    fixture_expect(&f, "1 KIND_MISSING not found: the cluster does not serve Widget\n"
                       "Widget demo/g Unknown KindNotServed [1]\n"
                       "2 KIND_MISSING not found: the cluster does not serve widgets\n"
                       "3 LISTING\n");
    fake_synced(fake_find("pods@demo/p"));
    fixture_expect(&f, "Pod demo/p NotFound NotFound [3]\n3 SYNCED\nSYNCED Unknown 2\n");
    fixture_wait(&f, 10000);
    fixture_expect(&f, ""); /* asked again, and still not there */
    assert_true(fake_invalidations() > 0);

    fake_serve("example.dev", "v1", "Widget", "widgets", true);
    fixture_wait(&f, 10000);
    fixture_expect(&f, "");
    assert_string_equal(fake_open_informers(), "pods@demo/p widgets@demo/g widgets");
    fake_put(fake_find("widgets@demo/g"), widget);
    fixture_expect(&f, "Widget demo/g w1 Current<-Unknown [1]\n");
    fake_synced(fake_find("widgets@demo/g"));
    fake_put(fake_find("widgets"), widget);
    fake_synced(fake_find("widgets"));
    fixture_expect(&f, "1 SYNCED\nWidget demo/g w1 Current<-Current [1,2]\n2 SYNCED\n");
    fixture_fini(&f);
}

static void two_targets_that_turn_out_to_name_the_same_are_one(void **state)
{
    struct ks_target targets[] = {
        target_object(1, "widgets", "demo", "g"),
        target_object(2, "widgets", "demo", "g"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fixture_skip(&f);
    assert_int_equal(ks_session_object_count(f.session), 2);
    fake_serve("example.dev", "v1", "Widget", "widgets", true);
    fixture_wait(&f, 10000);
    fixture_expect(&f, "forget widgets demo/g \n");
    assert_int_equal(ks_session_object_count(f.session), 1);
    fake_synced(fake_find("widgets@demo/g"));
    fixture_expect(&f, "Widget demo/g NotFound<-Unknown NotFound [1,2]\n1 SYNCED\n2 SYNCED\n");
    fixture_fini(&f);
}

static void a_kind_that_goes_takes_no_facts_with_it(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_object(2, "pods", "demo", "b"),
        target_selector(3, "pods", "demo", ""),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 3);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_synced(fake_find("pods@demo/b"));
    fake_put(fake_find("pods@demo"), pod("c", "u3", 1, "Running"));
    fake_put(fake_find("pods@demo"), pod("d", "u4", 1, "Running"));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);

    fake_state(fake_find("pods@demo/a"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404");
    fake_state(fake_find("pods@demo/b"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404");
    fake_state(fake_find("pods@demo"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404");
    fixture_expect(&f, "1 KIND_MISSING not found: 404\n"
                       "Pod demo/a u1 Unknown<-Current KindNotServed [1]\n"
                       "2 KIND_MISSING not found: 404\n" /* b was NotFound, and is */
                       "3 KIND_MISSING not found: 404\n"
                       "Pod demo/c u3 Unknown<-Current KindNotServed [3]\n"
                       "Pod demo/d u4 Unknown<-Current KindNotServed [3]\n");
    assert_string_equal(fake_open_informers(), "");

    /* It comes back under another version, and with less in it. */
    fake_unserve("pods");
    fake_serve("", "v2", "Pod", "pods", true);
    fixture_wait(&f, 20000);
    assert_string_equal(fake_open_informers(), "pods@demo/a pods@demo/b pods@demo");
    fixture_skip(&f);
    fake_put(fake_find("pods@demo"), pod("d", "u4", 7, "Running"));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "Pod demo/d u4 Current [3]\n"
                       "Pod demo/c u3 NotFound<-Unknown Deleted [3]\nforget Pod demo/c u3\n"
                       "Pod demo/d u4 NotFound<-Unknown Deleted [3]\nforget Pod demo/d u4\n"
                       "3 SYNCED\n");
    fake_synced(fake_find("pods@demo/a"));
    fake_synced(fake_find("pods@demo/b"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Unknown NotFound [1]\n1 SYNCED\n"
                       "Pod demo/b NotFound<-NotFound NotFound [2]\n2 SYNCED\n");
    fixture_fini(&f);
}

static void a_kind_that_flickers_costs_nothing(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fake_put(fake_find("pods@demo"), pod("b", "u2", 1, "Running"));
    fake_synced(fake_find("pods@demo"));
    fixture_skip(&f);
    fake_state(fake_find("pods@demo"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "404");
    fixture_wait(&f, 10000);
    fixture_skip(&f);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current<-Unknown [1]\n");
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "Pod demo/b u2 NotFound<-Unknown Deleted [1]\nforget Pod demo/b u2\n"
                       "1 SYNCED\n");
    fixture_fini(&f);
}

static void failing_discovery_is_told_and_asked_again(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", ""),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_fail_discovery(KS_RC_UNAVAILABLE, "503");
    fixture_open(&f, targets, 2);
    fixture_expect(&f, "1 DISCONNECTED temporarily unavailable: 503\n"
                       "2 DISCONNECTED temporarily unavailable: 503\n");
    fake_fail_discovery(KS_RC_DENIED, "you may not look");
    fixture_wait(&f, 2000);
    fixture_expect(&f, "1 FORBIDDEN not permitted: you may not look\n"
                       "pods demo/a Unknown Forbidden [1]\n"
                       "2 FORBIDDEN not permitted: you may not look\nSYNCED Unknown 1\n");
    fake_fail_discovery(KS_RC_OK, "");
    fixture_wait(&f, 5000);
    fixture_expect(&f, "");
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a NotFound<-Unknown NotFound [1]\n1 SYNCED\n");
    fixture_fini(&f);
}

static void lost_identity_and_ambiguity_settle(void **state)
{
    const struct ks_target targets[] = {target_object(1, "pods", "demo", "a")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_fail_discovery(KS_RC_UNAUTHENTICATED, "401");
    fixture_open(&f, targets, 1);
    fixture_expect(&f, "1 DISCONNECTED credentials not accepted: 401\n"
                       "pods demo/a Unknown Unauthenticated [1]\nSYNCED Unknown 1\n");
    fixture_fini(&f);

    fixture_init(&f);
    fake_fail_discovery(KS_RC_AMBIGUOUS, "ev.x or ev.y");
    fixture_open(&f, targets, 1);
    fixture_expect(&f, "1 KIND_MISSING ambiguous: ev.x or ev.y\n"
                       "pods demo/a Unknown KindNotServed [1]\nSYNCED Unknown 1\n");
    fixture_fini(&f);

    fixture_init(&f);
    fake_fail_discovery(KS_RC_NOMEM, "no memory");
    fixture_open(&f, targets, 1);
    fixture_expect(&f, "FAILED out of memory\n");
    fixture_fini(&f);
}

static void an_api_server_that_is_away_is_named(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", ""),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_hold_discovery(true);
    f.config.first_answer_ms = 5000;
    fixture_open(&f, targets, 2);
    fixture_wait(&f, 1000);
    fixture_expect(&f, "");
    fake_set_unreachable("connection refused");
    fixture_wait(&f, 1000);
    fixture_expect(&f, "1 DISCONNECTED transport failure: connection refused\n"
                       "2 DISCONNECTED transport failure: connection refused\n");
    fixture_wait(&f, 3000);
    fixture_expect(&f, "pods demo/a Unknown NotSynced [1]\nSYNCED Unknown 1\n");
    assert_string_equal(f.last_message, "not known after 5 s: connection refused");
    fake_set_unreachable("");
    fake_hold_discovery(false);
    fixture_run(&f);
    fixture_expect(&f, "");
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "Pod demo/a u1 Current<-Unknown [1]\n1 SYNCED\n2 SYNCED\n");
    fixture_fini(&f);
}

static void slow_lists_answer_unknown_in_time(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_object(2, "pods", "demo", "b"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_put(fake_find("pods@demo/b"), pod("b", "u2", 1, "Running"));
    fixture_skip(&f);
    fixture_wait(&f, 29999);
    fixture_expect(&f, "");
    fixture_wait(&f, 1);
    fixture_expect(&f, "1 DISCONNECTED timed out: the API server has not listed it within 30 s\n"
                       "Pod demo/a Unknown NotSynced [1]\n"
                       "2 DISCONNECTED timed out: the API server has not listed it within 30 s\n"
                       "SYNCED Unknown 2\n");
    fake_synced(fake_find("pods@demo/b"));
    fixture_expect(&f, "2 SYNCED\n");
    fixture_fini(&f);
}

/* What was told of its target, and not that it has not been listed. */
static void a_late_answer_carries_its_own_reason(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_object(2, "pods", "demo", "b"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_state(fake_find("pods@demo/b"), KS_SOURCE_SYNCING, KS_RC_UNAVAILABLE, "a web page");
    fixture_wait(&f, 29999);
    fixture_skip(&f);
    fixture_wait(&f, 1);
    fixture_expect(&f, "1 DISCONNECTED timed out: the API server has not listed it within 30 s\n"
                       "Pod demo/a Unknown NotSynced [1]\nPod demo/b Unknown NotSynced [2]\n"
                       "SYNCED Unknown 2\n");
    assert_string_equal(f.last_message, "not known after 30 s: a web page");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_that_appears_is_found),
        cmocka_unit_test(two_targets_that_turn_out_to_name_the_same_are_one),
        cmocka_unit_test(a_kind_that_goes_takes_no_facts_with_it),
        cmocka_unit_test(a_kind_that_flickers_costs_nothing),
        cmocka_unit_test(failing_discovery_is_told_and_asked_again),
        cmocka_unit_test(lost_identity_and_ambiguity_settle),
        cmocka_unit_test(an_api_server_that_is_away_is_named),
        cmocka_unit_test(slow_lists_answer_unknown_in_time),
        cmocka_unit_test(a_late_answer_carries_its_own_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
