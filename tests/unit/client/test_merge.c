/* SPDX-License-Identifier: Apache-2.0 */
/* Several streams as one: what passes, what shows once, and what is added up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/cli/merge.h"

static Kstatus__V1__Event event_of(Kstatus__V1__Event__EventCase what)
{
    Kstatus__V1__Event event = KSTATUS__V1__EVENT__INIT;

    event.event_case = what;
    return event;
}

static void one_stream_passes_unchanged(void **state)
{
    struct ks_merge merge = {.call_count = 1};
    Kstatus__V1__Event event = event_of(KSTATUS__V1__EVENT__EVENT_SYNCED);

    (void)state;
    assert_ptr_equal(ks_merge_take(&merge, &event), &event);
    event = event_of(KSTATUS__V1__EVENT__EVENT_ACCEPTED);
    assert_ptr_equal(ks_merge_take(&merge, &event), &event);
    assert_ptr_equal(ks_merge_take(&merge, &event), &event);
}

static void synced_comes_when_all_have(void **state)
{
    struct ks_merge merge = {.call_count = 2};
    Kstatus__V1__Counts counts = KSTATUS__V1__COUNTS__INIT;
    Kstatus__V1__Synced synced = KSTATUS__V1__SYNCED__INIT;
    Kstatus__V1__Event event = event_of(KSTATUS__V1__EVENT__EVENT_SYNCED);
    const Kstatus__V1__Event *merged;

    (void)state;
    event.synced = &synced;
    synced.counts = &counts;
    counts.current = 3;
    counts.failed = 1;
    synced.aggregate_status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED;
    assert_null(ks_merge_take(&merge, &event));
    counts.failed = 0;
    counts.unknown = 2;
    synced.aggregate_status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN;
    merged = ks_merge_take(&merge, &event);
    assert_non_null(merged);
    assert_int_equal(merged->synced->counts->current, 6);
    assert_int_equal(merged->synced->counts->failed, 1);
    assert_int_equal(merged->synced->counts->unknown, 2);
    assert_int_equal(merged->synced->aggregate_status,
                     KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED);
}

static void a_stream_says_it_once(void **state)
{
    static const Kstatus__V1__Event__EventCase once[] = {KSTATUS__V1__EVENT__EVENT_ACCEPTED,
                                                         KSTATUS__V1__EVENT__EVENT_DRAINING};
    struct ks_merge merge = {.call_count = 2};
    Kstatus__V1__Event update = event_of(KSTATUS__V1__EVENT__EVENT_UPDATE);

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(once); i++) {
        Kstatus__V1__Event event = event_of(once[i]);

        assert_ptr_equal(ks_merge_take(&merge, &event), &event);
        assert_null(ks_merge_take(&merge, &event));
    }
    assert_ptr_equal(ks_merge_take(&merge, &update), &update);
    assert_ptr_equal(ks_merge_take(&merge, &update), &update);
}

static void aggregates_join(void **state)
{
    enum {
        P = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS,
        F = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED,
        C = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT,
        U = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN,
    };
    static const int rows[][3] = {{C, C, C}, {C, P, P}, {P, F, F}, {U, F, F}, {C, U, U}};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        Kstatus__V1__ReconcileStatus a = (Kstatus__V1__ReconcileStatus)rows[i][0];
        Kstatus__V1__ReconcileStatus b = (Kstatus__V1__ReconcileStatus)rows[i][1];

        assert_int_equal(ks_aggregate_join(a, b), rows[i][2]);
        assert_int_equal(ks_aggregate_join(b, a), rows[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_passes_unchanged),
        cmocka_unit_test(synced_comes_when_all_have),
        cmocka_unit_test(a_stream_says_it_once),
        cmocka_unit_test(aggregates_join),
    };

    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
