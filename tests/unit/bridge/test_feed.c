/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_session.c */
/*
 * The feed: what a session tells becomes what waits in the outbox; its ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"

#include "watcher/vigil.h"

#include "bridge/feed.h"

#include "support/torture.h"
#include "unit/bridge/fake_session.h"

struct fixture {
    struct ks_outbox *outbox;
    struct ks_feed *feed;
    struct ks_feed_stats stats;
    struct ks_clock_test clock;
    unsigned rings;
    unsigned synced;
    unsigned decided;
    unsigned changes;
    ks_rc failed_rc;
    bool frees_itself;
};

static void on_ring(void *ctx)
{
    struct fixture *f = ctx;

    f->rings++;
}

static void on_synced(void *ctx)
{
    struct fixture *f = ctx;

    f->synced++;
    if (f->frees_itself)
        f->feed = ks_feed_free(f->feed);
}

static void on_failed(void *ctx, const struct ks_error *err)
{
    struct fixture *f = ctx;

    assert_int_equal(f->failed_rc, KS_RC_OK); /* once */
    f->failed_rc = err->rc;
    if (f->frees_itself)
        f->feed = ks_feed_free(f->feed);
}

static void on_outcome(void *ctx)
{
    struct fixture *f = ctx;

    f->decided++;
    if (f->frees_itself)
        f->feed = ks_feed_free(f->feed);
}

static void on_change(void *ctx)
{
    struct fixture *f = ctx;

    f->changes++;
}

static const struct ks_feed_ops ops = {.on_synced = on_synced,
                                       .on_outcome = on_outcome,
                                       .on_change = on_change,
                                       .on_failed = on_failed};

static ks_rc open_feed(struct fixture *f, struct ks_error *err)
{
    const struct ks_session_config session = {0};
    const struct ks_feed_config config = {
        .session = &session,
        .outbox = f->outbox,
        .stats = &f->stats,
        .clock = &f->clock.clock,
    };

    return ks_feed_new(&config, &ops, f, &f->feed, err);
}

static void fixture_init(struct fixture *f, size_t max_control)
{
    *f = (struct fixture){0};
    ks_clock_test_init(&f->clock, 0);
    fake_session_refuse(NULL);
    assert_int_equal(ks_outbox_new(max_control, on_ring, f, &f->outbox, NULL), KS_RC_OK);
    assert_int_equal(open_feed(f, NULL), KS_RC_OK);
    assert_int_equal(f->stats.sessions, 1);
}

static void fixture_fini(struct fixture *f)
{
    f->feed = ks_feed_free(f->feed);
    assert_false(fake_session_is_open());
    assert_int_equal(f->stats.sessions, 0);
    assert_int_equal(f->stats.objects, 0);
    f->outbox = ks_outbox_unref(f->outbox);
}

/* The kinds of what waits, by their numbers, and the updates' messages. */
static void expect_waiting(struct fixture *f, const int *kinds, size_t count)
{
    struct ks_outbox_taken taken = {0};
    Kstatus__V1__WatchResponse *m;
    struct ks_buf buf;

    ks_buf_init(&buf, 1u << 16);
    assert_int_equal(ks_outbox_take(f->outbox, 64, 1u << 16, 0, &buf, &taken), KS_RC_OK);
    assert_int_equal(taken.events, count);
    m = kstatus__v1__watch_response__unpack(NULL, buf.len, (const uint8_t *)buf.data);
    assert_non_null(m);
    assert_int_equal(m->n_events, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(m->events[i]->event_case, kinds[i]);
    kstatus__v1__watch_response__free_unpacked(m, NULL);
    ks_buf_fini(&buf);
}

static void events_wait_in_order(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    fake_target_change(1);
    fake_update(0, "a");
    fake_update(1, "b");
    fake_update(0, "a again"); /* in its slot */
    fake_synced();
    fake_removed(1);
    fake_forget(1);
    assert_int_equal(f.synced, 1);
    assert_int_equal(f.rings, 1);
    assert_int_equal(f.stats.events_total, 6);
    assert_int_equal(f.stats.updates_total, 3);
    assert_int_equal(f.stats.objects, 1);
    expect_waiting(&f, (const int[]){3, 2, 2, 4, 8}, 5);
    fake_update(1, "another life");
    assert_int_equal(f.stats.objects, 2);
    fixture_fini(&f);
}

/* An object that stays with another target: its next update must not be read before the removal. */
static void nothing_overtakes_a_removal(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    fake_update(0, "in both");
    fake_removed(0);
    fake_update(0, "back in both");
    fake_update(0, "and on");
    assert_int_equal(f.stats.objects, 1);
    expect_waiting(&f, (const int[]){2, 8, 2}, 3);
    fake_removed(0);
    fake_forget(0);
    assert_int_equal(f.stats.objects, 0);
    expect_waiting(&f, (const int[]){8}, 1);
    fixture_fini(&f);
}

static void an_update_with_other_targets_is_not_merged(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    fake_update(0, "for one target");
    fake_update(1, "of another object");
    fake_update_of(0, 2, "for two");
    fake_update_of(0, 2, "for two, again"); /* merged */
    assert_int_equal(f.stats.objects, 2);
    expect_waiting(&f, (const int[]){2, 2, 2}, 3);
    fixture_fini(&f);
}

/* As the configuration says beside the fixture's own. */
static void reopen(struct fixture *f, const struct ks_until_config *until,
                   struct ks_feed_config config)
{
    const struct ks_session_config session = {.until = until};

    config.session = &session;
    config.outbox = f->outbox;
    config.stats = &f->stats;
    config.clock = &f->clock.clock;
    f->feed = ks_feed_free(f->feed);
    assert_int_equal(ks_feed_new(&config, &ops, f, &f->feed, NULL), KS_RC_OK);
}

static void reopen_with_goal(struct fixture *f, ks_feed_want want)
{
    static const struct ks_until_config until = {.goal = KS_GOAL_ALL_CURRENT};

    reopen(f, &until, (struct ks_feed_config){.want = want});
}

static void a_snapshot_has_each_object_once(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    reopen(&f, NULL, (struct ks_feed_config){.want = KS_FEED_SNAPSHOT});
    fake_update(0, "for one target");
    fake_update_of(0, 2, "for two");
    expect_waiting(&f, (const int[]){2}, 1);
    fixture_fini(&f);
}

static void the_owner_may_free_it_when_synced(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    f.frees_itself = true;
    fake_update(0, "a");
    fake_synced();
    assert_null(f.feed);
    expect_waiting(&f, (const int[]){2, 4}, 2); /* what waits stays */
    fixture_fini(&f);
}

static void too_much_control_ends_it(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 2);
    fake_target_change(1);
    fake_target_change(2);
    fake_target_change(3);
    assert_int_equal(f.failed_rc, KS_RC_LIMIT);
    fake_update(0, "not told any more");
    fake_failed(KS_RC_NOMEM, "neither is this");
    expect_waiting(&f, (const int[]){3, 3}, 2);
    fixture_fini(&f);
}

static void the_sessions_end_is_passed_on(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 2);
    f.frees_itself = true;
    fake_update(0, "a");
    fake_failed(KS_RC_LIMIT, "too many objects");
    assert_int_equal(f.failed_rc, KS_RC_LIMIT);
    assert_null(f.feed);
    fixture_fini(&f);
}

static void a_refused_session_is_no_feed(void **state)
{
    struct fixture f = {0};
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(ks_outbox_new(1, on_ring, &f, &f.outbox, NULL), KS_RC_OK);
    fake_session_refuse("targets: there is none");
    assert_int_equal(open_feed(&f, &err), KS_RC_INVALID);
    assert_string_equal(err.msg, "targets: there is none");
    assert_null(f.feed);
    fixture_fini(&f);
}

static void an_outcome_is_the_last(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    reopen_with_goal(&f, KS_FEED_CHANGES);
    fake_update(0, "a");
    fake_synced();
    fake_outcome(KS_OUTCOME_REACHED);
    assert_int_equal(f.decided, 1);
    fake_update(0, "not told any more");
    fake_failed(KS_RC_NOMEM, "neither is this");
    ks_feed_beat(f.feed);
    assert_int_equal(f.failed_rc, KS_RC_OK);
    expect_waiting(&f, (const int[]){2, 4, 6}, 3);
    ks_feed_beat(f.feed); /* nothing waits, and still */
    expect_waiting(&f, NULL, 0);
    reopen_with_goal(&f, KS_FEED_CHANGES);
    f.frees_itself = true;
    fake_outcome(KS_OUTCOME_FAILED);
    assert_null(f.feed);
    fixture_fini(&f);
}

static void the_outcome_alone_can_be_had(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    reopen_with_goal(&f, KS_FEED_OUTCOME);
    fake_target_change(1);
    fake_update(0, "a");
    fake_synced();
    fake_removed(0);
    assert_int_equal(f.synced, 1);
    fake_outcome(KS_OUTCOME_TIMED_OUT);
    expect_waiting(&f, (const int[]){6}, 1);
    fixture_fini(&f);
}

static void a_blind_feed_is_synced_at_once(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    reopen(&f, NULL, (struct ks_feed_config){.is_blind = true});
    assert_false(fake_session_is_open());
    expect_waiting(&f, (const int[]){4}, 1);
    ks_feed_beat(f.feed);
    expect_waiting(&f, (const int[]){5}, 1);
    ks_feed_repeat(f.feed);
    expect_waiting(&f, NULL, 0);
    fixture_fini(&f);
}

static void a_summary_tells_counts_alone(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    reopen(&f, NULL, (struct ks_feed_config){.is_summary = true});
    fake_update(0, "a");
    assert_int_equal(f.changes, 0); /* SYNCED will tell */
    fake_synced();
    fake_update(0, "b");
    fake_removed(0);
    assert_int_equal(f.changes, 2);
    assert_false(ks_feed_summarize(f.feed)); /* the client has not even taken SYNCED */
    expect_waiting(&f, (const int[]){4}, 1);
    assert_true(ks_feed_summarize(f.feed)); /* two have Failed, since SYNCED told of none */
    expect_waiting(&f, (const int[]){5}, 1);
    assert_true(ks_feed_summarize(f.feed)); /* that is known */
    expect_waiting(&f, NULL, 0);
    fake_failed(KS_RC_LIMIT, "over");
    assert_true(ks_feed_summarize(f.feed));
    fixture_fini(&f);
}

static void objects_are_told_again(void **state)
{
    struct fixture f;

    (void)state;
    for (int round = 0; round < 2; round++) {
        fixture_init(&f, 10);
        if (round)
            reopen_with_goal(&f, KS_FEED_CHANGES);
        fake_update(0, "a");
        fake_update(1, "b");
        fake_synced();
        expect_waiting(&f, (const int[]){2, 2, 4}, 3);
        ks_feed_repeat(f.feed);
        ks_feed_repeat(f.feed); /* in their slots */
        expect_waiting(&f, (const int[]){2, 2}, 2);
        fake_failed(KS_RC_LIMIT, "over");
        ks_feed_repeat(f.feed);
        expect_waiting(&f, NULL, 0);
        fixture_fini(&f);
    }
}

static void live(void *ctx)
{
    struct fixture f = {0};

    (void)ctx;
    ks_clock_test_init(&f.clock, 0);
    fake_session_refuse(NULL);
    if (ks_outbox_new(10, on_ring, &f, &f.outbox, NULL))
        return;
    if (!open_feed(&f, NULL)) {
        fake_target_change(1);
        fake_update(0, "a");
        fake_synced();
        ks_feed_beat(f.feed);
        if (!f.failed_rc)
            ks_feed_repeat(f.feed);
        assert_int_equal(f.failed_rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    }
    fixture_fini(&f);
}

static void short_memory_ends_it(void **state)
{
    (void)state;
    assert_true(ks_torture(live, NULL) >= 7);
}

static Kstatus__V1__WatchResponse *take(struct fixture *f)
{
    struct ks_outbox_taken taken = {0};
    Kstatus__V1__WatchResponse *m;
    struct ks_buf buf;

    ks_buf_init(&buf, 1u << 16);
    assert_int_equal(ks_outbox_take(f->outbox, 64, 1u << 16, 0, &buf, &taken), KS_RC_OK);
    m = kstatus__v1__watch_response__unpack(NULL, buf.len, (const uint8_t *)buf.data);
    assert_non_null(m);
    ks_buf_fini(&buf);
    return m;
}

/* How stale the only waiting event, a heartbeat, says that things are. */
static int64_t take_staleness_ms(struct fixture *f)
{
    Kstatus__V1__WatchResponse *m = take(f);
    const Kstatus__V1__Heartbeat *h;
    int64_t ms;

    assert_int_equal(m->n_events, 1);
    assert_int_equal(m->events[0]->event_case, KSTATUS__V1__EVENT__EVENT_HEARTBEAT);
    h = m->events[0]->heartbeat;
    assert_int_equal(h->counts->failed, 2);
    assert_int_equal(h->aggregate_status, KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED);
    ms = h->staleness->seconds * 1000 + h->staleness->nanos / 1000000;
    kstatus__v1__watch_response__free_unpacked(m, NULL);
    return ms;
}

static void a_heartbeat_tells_how_things_stand(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 16);
    ks_feed_beat(f.feed);
    assert_int_equal(take_staleness_ms(&f), 0);
    fake_target_change(7);
    ks_clock_test_advance(&f.clock, 1200);
    fake_target_change(9);
    ks_clock_test_advance(&f.clock, 300);
    kstatus__v1__watch_response__free_unpacked(take(&f), NULL);
    ks_feed_beat(f.feed);
    assert_int_equal(take_staleness_ms(&f), 1500);
    fake_target_synced(7);
    kstatus__v1__watch_response__free_unpacked(take(&f), NULL);
    ks_feed_beat(f.feed);
    assert_int_equal(take_staleness_ms(&f), 300);
    fake_target_synced(9);
    fake_target_synced(9);
    kstatus__v1__watch_response__free_unpacked(take(&f), NULL);
    ks_feed_beat(f.feed);
    assert_int_equal(take_staleness_ms(&f), 0);
    fixture_fini(&f);
}

static void no_heartbeat_behind_what_waits(void **state)
{
    const int kinds[] = {KSTATUS__V1__EVENT__EVENT_UPDATE};
    const int beat[] = {KSTATUS__V1__EVENT__EVENT_HEARTBEAT};
    struct fixture f;

    (void)state;
    fixture_init(&f, 16);
    fake_update(0, "a");
    ks_feed_beat(f.feed);
    expect_waiting(&f, kinds, 1);
    ks_feed_beat(f.feed);
    ks_feed_beat(f.feed); /* nobody took the first */
    expect_waiting(&f, beat, 1);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_wait_in_order),
        cmocka_unit_test(nothing_overtakes_a_removal),
        cmocka_unit_test(an_update_with_other_targets_is_not_merged),
        cmocka_unit_test(a_snapshot_has_each_object_once),
        cmocka_unit_test(a_heartbeat_tells_how_things_stand),
        cmocka_unit_test(no_heartbeat_behind_what_waits),
        cmocka_unit_test(the_owner_may_free_it_when_synced),
        cmocka_unit_test(too_much_control_ends_it),
        cmocka_unit_test(the_sessions_end_is_passed_on),
        cmocka_unit_test(a_refused_session_is_no_feed),
        cmocka_unit_test(an_outcome_is_the_last),
        cmocka_unit_test(the_outcome_alone_can_be_had),
        cmocka_unit_test(a_blind_feed_is_synced_at_once),
        cmocka_unit_test(a_summary_tells_counts_alone),
        cmocka_unit_test(objects_are_told_again),
        cmocka_unit_test(short_memory_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
