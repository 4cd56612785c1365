/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The goal as a state machine: what counts, what is in the way, when it is decided; and the
 * counting against a walk over all objects, for random histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watcher/until.h"

#define OBJECTS 6

struct play {
    struct ks_until u;
    struct ks_until_target targets[3];
    struct ks_until_object objects[OBJECTS];
    int64_t now_ms;
};

/* Targets 1 and 2 name objects, 3 selects; they have been heard of, but are not read. */
static void play_start(struct play *p, struct ks_until_config config, size_t target_count)
{
    *p = (struct play){.now_ms = 1000};
    for (size_t i = 0; i < target_count; i++)
        p->targets[i] = (struct ks_until_target){.target_id = (uint32_t)i + 1, .is_named = i < 2};
    ks_until_init(&p->u, &config, p->targets, target_count, p->now_ms);
}

static void target_cause(struct play *p, uint32_t id, ks_target_state state, ks_rc rc)
{
    const struct ks_target_change change = {.target_id = id, .state = state, .cause_rc = rc};

    ks_until_target_change(&p->u, &change, p->now_ms);
}

static void target(struct play *p, uint32_t id, ks_target_state state)
{
    target_cause(p, id, state, KS_RC_OK);
}

/* An object of the target of the same number, or of the last one. */
static struct ks_update update_of(struct play *p, unsigned n, ks_status status)
{
    static uint32_t id;

    id = n < p->u.target_count ? n + 1 : (uint32_t)p->u.target_count;
    return (struct ks_update){.status = status,
                              .basis = KS_BASIS_KIND_RULE,
                              .object = {.uid = KS_LIT("u")},
                              .target_ids = &id,
                              .target_count = 1};
}

static void feed(struct play *p, unsigned n, const struct ks_update *update)
{
    ks_until_update(&p->u, &p->objects[n], update, p->now_ms);
}

static void object(struct play *p, unsigned n, ks_status status)
{
    struct ks_update update = update_of(p, n, status);

    feed(p, n, &update);
}

static void forget(struct play *p, unsigned n)
{
    ks_until_forget(&p->u, &p->objects[n], p->now_ms);
    p->objects[n] = (struct ks_until_object){0};
}

static void synced(struct play *p)
{
    ks_until_synced(&p->u, p->now_ms);
}

static ks_outcome_verdict decide(struct play *p)
{
    return ks_until_decide(&p->u, p->now_ms, /* knows_all= */ true);
}

static void expect(struct play *p, ks_outcome_verdict verdict)
{
    assert_int_equal(decide(p), verdict);
}

/* All targets are read, all objects known, SYNCED. */
static void all_read(struct play *p)
{
    for (uint32_t i = 1; i <= p->u.target_count; i++)
        target(p, i, KS_TARGET_SYNCED);
    synced(p);
}

static const struct ks_until_config current = {.goal = KS_GOAL_ALL_CURRENT};
static const struct ks_until_config gone = {.goal = KS_GOAL_ALL_NOT_FOUND};
static const struct ks_until_config terminal = {.goal = KS_GOAL_ALL_TERMINAL};

static void what_counts_for_which_goal(void **state)
{
    static const struct {
        ks_status status;
        bool is_current, is_gone, is_terminal;
    } rows[] = {
        {KS_STATUS_IN_PROGRESS, false, false, false}, {KS_STATUS_FAILED, false, false, true},
        {KS_STATUS_CURRENT, true, false, true},       {KS_STATUS_TERMINATING, false, false, false},
        {KS_STATUS_NOT_FOUND, false, true, false},    {KS_STATUS_UNKNOWN, false, false, false},
    };
    struct play p;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        const struct ks_until_config *const goals[] = {&current, &gone, &terminal};
        const bool counts[] = {rows[i].is_current, rows[i].is_gone, rows[i].is_terminal};

        for (size_t g = 0; g < KS_ARRAY_LEN(goals); g++) {
            play_start(&p, *goals[g], 1);
            object(&p, 0, rows[i].status);
            all_read(&p);
            expect(&p, counts[g] ? KS_OUTCOME_REACHED : KS_OUTCOME_NONE);
            assert_int_equal(ks_until_object_why(&p.u, &p.objects[0]),
                             counts[g] ? KS_UNTIL_COUNTS : KS_UNTIL_STATUS);
        }
    }
}

static void nothing_is_decided_before_synced(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, current, 2);
    object(&p, 0, KS_STATUS_CURRENT);
    object(&p, 1, KS_STATUS_CURRENT);
    target(&p, 1, KS_TARGET_SYNCED);
    target(&p, 2, KS_TARGET_SYNCED);
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_wake_ms(&p.u), -1);
    synced(&p);
    assert_int_equal(ks_until_wake_ms(&p.u), p.now_ms);
    expect(&p, KS_OUTCOME_REACHED);
    assert_int_equal(ks_until_wake_ms(&p.u), -1); /* it is final */
    object(&p, 0, KS_STATUS_FAILED);
    expect(&p, KS_OUTCOME_REACHED);
}

static void an_object_that_never_appears_is_in_the_way(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000}, 2);
    object(&p, 0, KS_STATUS_CURRENT);
    object(&p, 1, KS_STATUS_NOT_FOUND);
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_wake_ms(&p.u), 6000);
    p.now_ms = 5999;
    expect(&p, KS_OUTCOME_NONE);
    p.now_ms = 6000;
    expect(&p, KS_OUTCOME_TIMED_OUT);
}

static void the_timeout_needs_no_synced(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000}, 3);
    p.now_ms = 6000;
    expect(&p, KS_OUTCOME_TIMED_OUT);
    assert_true(ks_until_target_is_in_way(&p.u, 0));
    assert_true(ks_until_target_is_in_way(&p.u, 2));
}

static void a_goal_that_is_reached_in_the_last_moment_is_reached(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000}, 1);
    object(&p, 0, KS_STATUS_IN_PROGRESS);
    all_read(&p);
    p.now_ms = 6000;
    object(&p, 0, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_REACHED);
}

static void fail_fast_ends_on_evidence(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .fail_fast = true}, 2);
    object(&p, 0, KS_STATUS_IN_PROGRESS);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 1, KS_STATUS_FAILED); /* before SYNCED */
    assert_int_equal(ks_until_wake_ms(&p.u), 0);
    object(&p, 1, KS_STATUS_CURRENT); /* it was seen, all the same */
    expect(&p, KS_OUTCOME_FAILED);

    play_start(&p, current, 2); /* without it, Failed may mend */
    object(&p, 0, KS_STATUS_FAILED);
    object(&p, 1, KS_STATUS_CURRENT);
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 0, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_TERMINAL, .fail_fast = true}, 1);
    object(&p, 0, KS_STATUS_FAILED);
    expect(&p, KS_OUTCOME_FAILED);
}

static void stable_for_starts_anew_at_a_break(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .stable_for_ms = 3000}, 1);
    object(&p, 0, KS_STATUS_CURRENT);
    all_read(&p);
    assert_int_equal(ks_until_wake_ms(&p.u), 4000);
    p.now_ms = 3999;
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 0, KS_STATUS_IN_PROGRESS); /* and back at once: nobody asked in between */
    object(&p, 0, KS_STATUS_CURRENT);
    p.now_ms = 4000;
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_wake_ms(&p.u), 6999);
    target(&p, 1, KS_TARGET_DISCONNECTED); /* nor does it hold while nobody can see */
    assert_int_equal(ks_until_wake_ms(&p.u), -1);
    p.now_ms = 8000;
    target(&p, 1, KS_TARGET_SYNCED);
    assert_int_equal(ks_until_wake_ms(&p.u), 11000);
    p.now_ms = 11000;
    expect(&p, KS_OUTCOME_REACHED);
}

static void evidence_must_be_fresh(void **state)
{
    static const ks_target_state states[] = {KS_TARGET_LISTING, KS_TARGET_DISCONNECTED,
                                             KS_TARGET_FORBIDDEN, KS_TARGET_KIND_MISSING};
    struct play p;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(states); i++) {
        play_start(&p, current, 1);
        object(&p, 0, KS_STATUS_CURRENT);
        target(&p, 1, states[i]);
        synced(&p);
        expect(&p, KS_OUTCOME_NONE);
        assert_int_equal(ks_until_object_why(&p.u, &p.objects[0]), KS_UNTIL_UNCONFIRMED);
        assert_false(ks_until_target_is_in_way(&p.u, 0)); /* its object is */
        target(&p, 1, KS_TARGET_SYNCED);
        expect(&p, KS_OUTCOME_REACHED);
    }
}

static void best_effort_targets_hold_up_nothing(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .fail_fast = true}, 2);
    p.targets[1].is_best_effort = true;
    ks_until_init(&p.u, &p.u.config, p.targets, 2, p.now_ms);
    object(&p, 0, KS_STATUS_IN_PROGRESS);
    object(&p, 1, KS_STATUS_FAILED);
    target(&p, 1, KS_TARGET_SYNCED);
    target_cause(&p, 2, KS_TARGET_REFUSED, KS_RC_INVALID);
    synced(&p);
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_object_why(&p.u, &p.objects[1]), KS_UNTIL_COUNTS);
    assert_false(ks_until_target_is_in_way(&p.u, 1));
    object(&p, 0, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_REACHED);
}

static void what_can_never_be_loses_the_goal(void **state)
{
    static const struct {
        ks_target_state state;
        ks_rc rc;
        ks_outcome_verdict verdict;
    } rows[] = {
        {KS_TARGET_REFUSED, KS_RC_INVALID, KS_OUTCOME_FAILED},
        {KS_TARGET_KIND_MISSING, KS_RC_INVALID, KS_OUTCOME_FAILED},
        {KS_TARGET_KIND_MISSING, KS_RC_UNSUPPORTED, KS_OUTCOME_FAILED},
        {KS_TARGET_KIND_MISSING, KS_RC_NOTFOUND, KS_OUTCOME_NONE}, /* these may heal */
        {KS_TARGET_KIND_MISSING, KS_RC_AMBIGUOUS, KS_OUTCOME_NONE},
        {KS_TARGET_FORBIDDEN, KS_RC_DENIED, KS_OUTCOME_NONE},
    };
    struct play p;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        play_start(&p, current, 1);
        object(&p, 0, KS_STATUS_UNKNOWN);
        target_cause(&p, 1, rows[i].state, rows[i].rc);
        expect(&p, KS_OUTCOME_NONE);
        synced(&p);
        expect(&p, rows[i].verdict);
    }
}

static void a_weak_basis_does_not_count(void **state)
{
    struct ks_until_config config = {.goal = KS_GOAL_ALL_CURRENT,
                                     .min_basis = KS_BASIS_STANDARD_CONDITION};
    struct ks_update update;
    struct play p;

    (void)state;
    for (int round = 0; round < 2; round++) {
        play_start(&p, config, 1);
        update = update_of(&p, 0, KS_STATUS_CURRENT);
        update.basis = KS_BASIS_GENERATION_ONLY;
        feed(&p, 0, &update);
        all_read(&p);
        expect(&p, KS_OUTCOME_NONE);
        assert_int_equal(ks_until_object_why(&p.u, &p.objects[0]), KS_UNTIL_WEAK_BASIS);
        update.basis = KS_BASIS_STANDARD_CONDITION;
        feed(&p, 0, &update);
        expect(&p, KS_OUTCOME_REACHED);
        config.goal = KS_GOAL_ALL_TERMINAL;
    }
    play_start(&p, config, 1); /* Failed rests on what it rests on */
    update = update_of(&p, 0, KS_STATUS_FAILED);
    update.basis = KS_BASIS_ASSUMED;
    feed(&p, 0, &update);
    all_read(&p);
    expect(&p, KS_OUTCOME_REACHED);
}

static void an_older_object_does_not_count(void **state)
{
    struct ks_update update;
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .fail_fast = true}, 1);
    p.targets[0].min_generation = 3;
    update = update_of(&p, 0, KS_STATUS_FAILED);
    update.has_generation = true;
    update.generation = 2;
    feed(&p, 0, &update); /* Failed, but not what was applied */
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_object_why(&p.u, &p.objects[0]), KS_UNTIL_OLD_GENERATION);
    update.status = KS_STATUS_CURRENT;
    feed(&p, 0, &update);
    expect(&p, KS_OUTCOME_NONE);
    update.generation = 4;
    feed(&p, 0, &update);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, current, 1);
    p.targets[0].min_version = KS_LIT("100");
    update = update_of(&p, 0, KS_STATUS_CURRENT);
    update.resource_version = KS_LIT("99");
    feed(&p, 0, &update);
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    assert_int_equal(ks_until_object_why(&p.u, &p.objects[0]), KS_UNTIL_OLD_VERSION);
    update.resource_version = KS_LIT("100");
    feed(&p, 0, &update);
    expect(&p, KS_OUTCOME_REACHED);
}

static void a_selection_counts_what_it_holds(void **state)
{
    const uint32_t id = 3;
    const struct ks_removed removed = {.target_ids = &id, .target_count = 1};
    struct play p;

    (void)state;
    play_start(&p, current, 3);
    object(&p, 0, KS_STATUS_CURRENT);
    object(&p, 1, KS_STATUS_CURRENT);
    all_read(&p);
    object(&p, 2, KS_STATUS_IN_PROGRESS);
    object(&p, 3, KS_STATUS_FAILED);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 2, KS_STATUS_NOT_FOUND); /* gone, and so selected no more */
    forget(&p, 2);
    expect(&p, KS_OUTCOME_NONE);
    ks_until_removed(&p.u, &p.objects[3], &removed, p.now_ms);
    forget(&p, 3);
    expect(&p, KS_OUTCOME_REACHED);
}

static void a_selection_of_nothing_is_no_success(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, current, 3);
    p.targets[0].is_best_effort = p.targets[1].is_best_effort = true;
    ks_until_init(&p.u, &current, p.targets, 3, p.now_ms);
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    assert_true(ks_until_target_is_in_way(&p.u, 2));
    object(&p, 2, KS_STATUS_CURRENT);
    assert_false(ks_until_target_is_in_way(&p.u, 2));
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, gone, 3); /* but nothing is there, then */
    object(&p, 0, KS_STATUS_NOT_FOUND);
    object(&p, 1, KS_STATUS_NOT_FOUND);
    all_read(&p);
    assert_false(ks_until_target_is_in_way(&p.u, 2));
    expect(&p, KS_OUTCOME_REACHED);
}

static void the_next_life_is_waited_for(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, current, 2);
    object(&p, 0, KS_STATUS_IN_PROGRESS);
    object(&p, 1, KS_STATUS_CURRENT);
    all_read(&p);
    object(&p, 0, KS_STATUS_NOT_FOUND);
    forget(&p, 0); /* the next one is there, but its children are not known */
    expect(&p, KS_OUTCOME_NONE);
    assert_true(ks_until_target_is_in_way(&p.u, 0));
    object(&p, 0, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_REACHED);
}

static void who_comes_later_is_another_one(void **state)
{
    struct ks_until_config stable = {.goal = KS_GOAL_ALL_NOT_FOUND, .stable_for_ms = 1000};
    struct play p;

    (void)state;
    play_start(&p, gone, 2);
    object(&p, 0, KS_STATUS_TERMINATING);
    object(&p, 1, KS_STATUS_CURRENT);
    all_read(&p);
    object(&p, 0, KS_STATUS_NOT_FOUND);
    forget(&p, 0);
    object(&p, 0, KS_STATUS_CURRENT); /* created anew */
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 1, KS_STATUS_NOT_FOUND);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, stable, 1); /* the name is to stay free */
    object(&p, 0, KS_STATUS_NOT_FOUND);
    all_read(&p);
    object(&p, 0, KS_STATUS_CURRENT);
    p.now_ms = 3000;
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 0, KS_STATUS_NOT_FOUND);
    p.now_ms = 4000;
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, gone, 1); /* it could not be read at first, so it may have been there */
    object(&p, 0, KS_STATUS_UNKNOWN);
    target_cause(&p, 1, KS_TARGET_FORBIDDEN, KS_RC_DENIED);
    synced(&p);
    object(&p, 0, KS_STATUS_CURRENT);
    target(&p, 1, KS_TARGET_SYNCED);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 0, KS_STATUS_NOT_FOUND);
    expect(&p, KS_OUTCOME_REACHED);
}

static void a_first_answer_after_its_target_is_no_newcomer(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, gone, 3); /* what generates others is told when those are known */
    for (uint32_t i = 1; i <= 3; i++)
        target(&p, i, KS_TARGET_SYNCED);
    object(&p, 0, KS_STATUS_CURRENT);
    object(&p, 1, KS_STATUS_NOT_FOUND);
    object(&p, 2, KS_STATUS_CURRENT);
    synced(&p);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 3, KS_STATUS_CURRENT); /* this one is */
    object(&p, 0, KS_STATUS_NOT_FOUND);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 2, KS_STATUS_NOT_FOUND);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, gone, 3); /* a selection that could be read late only may have had all of it */
    p.targets[0].is_best_effort = p.targets[1].is_best_effort = true;
    ks_until_init(&p.u, &gone, p.targets, 3, p.now_ms);
    target_cause(&p, 3, KS_TARGET_FORBIDDEN, KS_RC_DENIED);
    synced(&p);
    target(&p, 3, KS_TARGET_SYNCED);
    object(&p, 2, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_NONE);
}

static void what_is_not_told_yet_holds_it_up(void **state)
{
    struct ks_until_config config = {
        .goal = KS_GOAL_ALL_CURRENT, .timeout_ms = 5000, .stable_for_ms = 1000};
    struct play p;

    (void)state;
    play_start(&p, config, 1);
    object(&p, 0, KS_STATUS_CURRENT);
    all_read(&p);
    p.now_ms = 2000;
    assert_int_equal(ks_until_decide(&p.u, p.now_ms, false), KS_OUTCOME_NONE);
    assert_int_equal(ks_until_wake_ms(&p.u), 3000);
    p.now_ms = 3000;
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, config, 1);
    object(&p, 0, KS_STATUS_CURRENT);
    all_read(&p);
    p.now_ms = 6000;
    assert_int_equal(ks_until_decide(&p.u, p.now_ms, false), KS_OUTCOME_TIMED_OUT);
}

static void a_kind_that_goes_takes_its_objects_with_it(void **state)
{
    struct ks_update update;
    struct play p;

    (void)state;
    play_start(&p, gone, 1);
    object(&p, 0, KS_STATUS_TERMINATING);
    all_read(&p);
    target_cause(&p, 1, KS_TARGET_KIND_MISSING, KS_RC_NOTFOUND);
    update = update_of(&p, 0, KS_STATUS_UNKNOWN);
    update.error_rc = KS_RC_NOTFOUND;
    feed(&p, 0, &update);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, gone, 1); /* never served: perhaps a typing error */
    update = update_of(&p, 0, KS_STATUS_UNKNOWN);
    update.error_rc = KS_RC_NOTFOUND;
    update.object.uid = (struct ks_str){0};
    feed(&p, 0, &update);
    target_cause(&p, 1, KS_TARGET_KIND_MISSING, KS_RC_NOTFOUND);
    synced(&p);
    expect(&p, KS_OUTCOME_NONE);
}

static void job(struct play *p, unsigned n, ks_status status, uint32_t ready)
{
    struct ks_update update = update_of(p, n, status);

    update.object.kind = KS_LIT("Job");
    update.object.group = KS_LIT("batch");
    update.has_progress = status != KS_STATUS_NOT_FOUND;
    update.desired_count = 2;
    update.ready_count = ready;
    feed(p, n, &update);
}

static void a_job_that_had_ended_may_go(void **state)
{
    struct play p;

    (void)state;
    play_start(&p, current, 2);
    object(&p, 1, KS_STATUS_IN_PROGRESS);
    job(&p, 0, KS_STATUS_CURRENT, 2);
    all_read(&p);
    job(&p, 0, KS_STATUS_TERMINATING, 2);
    job(&p, 0, KS_STATUS_NOT_FOUND, 0);
    expect(&p, KS_OUTCOME_NONE);
    object(&p, 1, KS_STATUS_CURRENT);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, current, 1); /* it was running */
    job(&p, 0, KS_STATUS_CURRENT, 1);
    all_read(&p);
    job(&p, 0, KS_STATUS_NOT_FOUND, 0);
    expect(&p, KS_OUTCOME_NONE);

    play_start(&p, terminal, 1);
    job(&p, 0, KS_STATUS_FAILED, 0);
    job(&p, 0, KS_STATUS_NOT_FOUND, 0);
    all_read(&p);
    expect(&p, KS_OUTCOME_REACHED);
}

static void generated_objects_are_not_asked_for(void **state)
{
    struct ks_update update;
    struct play p;

    (void)state;
    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT, .fail_fast = true}, 1);
    object(&p, 0, KS_STATUS_CURRENT);
    update = update_of(&p, 0, KS_STATUS_FAILED);
    update.unasked = UINT64_MAX;
    feed(&p, 1, &update);
    all_read(&p);
    expect(&p, KS_OUTCOME_REACHED);

    play_start(&p, (struct ks_until_config){.goal = KS_GOAL_ALL_CURRENT}, 3);
    object(&p, 0, KS_STATUS_CURRENT);
    object(&p, 1, KS_STATUS_CURRENT);
    object(&p, 2, KS_STATUS_CURRENT);
    object(&p, 3, KS_STATUS_IN_PROGRESS); /* selected, and in the way */
    all_read(&p);
    expect(&p, KS_OUTCOME_NONE);
    update = update_of(&p, 3, KS_STATUS_IN_PROGRESS); /* not selected any more */
    update.unasked = UINT64_MAX;
    feed(&p, 3, &update);
    expect(&p, KS_OUTCOME_REACHED);
}

/* The same question, by a walk. */
static bool holds_by_walk(const struct play *p, const ks_status statuses[OBJECTS])
{
    size_t members = 0;

    for (size_t i = 0; i < 3; i++) {
        if (p->targets[i].is_best_effort)
            continue;
        if (p->targets[i].state != KS_TARGET_SYNCED)
            return false;
        if (i < 2 && statuses[i] != KS_STATUS_CURRENT)
            return false;
        members += i < 2;
    }
    for (size_t i = 2; i < OBJECTS; i++) {
        if (p->targets[2].is_best_effort || statuses[i] == KS_STATUS_UNSPECIFIED ||
            statuses[i] == KS_STATUS_NOT_FOUND)
            continue;
        if (statuses[i] != KS_STATUS_CURRENT)
            return false;
        members++;
    }
    return members > 0;
}

static void random_step(struct play *p, ks_status statuses[OBJECTS], uint32_t dice)
{
    unsigned n = (dice >> 8) % OBJECTS;

    p->now_ms += (dice >> 12) % 3;
    if (dice % 16 == 0) {
        target(p, (dice >> 16) % 3 + 1,
               (dice >> 20) % 3 ? KS_TARGET_SYNCED : KS_TARGET_DISCONNECTED);
    } else if (dice % 16 == 1) {
        forget(p, n);
        statuses[n] = KS_STATUS_UNSPECIFIED;
    } else {
        statuses[n] = (dice >> 16) % 2 ? KS_STATUS_CURRENT : (ks_status)((dice >> 20) % 6 + 1);
        object(p, n, statuses[n]);
    }
}

static void counting_equals_walking(void **state)
{
    uint32_t seed = 1;
    size_t held = 0;

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct ks_until_config config = {.goal = KS_GOAL_ALL_CURRENT, .stable_for_ms = 1000000};
        ks_status statuses[OBJECTS] = {KS_STATUS_UNSPECIFIED};
        struct play p;

        play_start(&p, config, 3);
        p.targets[run % 3].is_best_effort = run % 2 == 0;
        ks_until_init(&p.u, &config, p.targets, 3, p.now_ms);
        all_read(&p);
        for (int step = 0; step < 200; step++) {
            bool holds;

            seed = seed * 1664525u + 1013904223u;
            random_step(&p, statuses, seed ^ (seed >> 13));
            holds = holds_by_walk(&p, statuses);
            assert_int_equal(ks_until_wake_ms(&p.u) != -1, holds);
            held += holds;
        }
        for (unsigned n = 0; n < OBJECTS; n++)
            forget(&p, n);
        assert_int_equal(p.u.members, 0);
        assert_int_equal(p.u.in_way, 0);
    }
    assert_true(held > 1000); /* the walk has seen both */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counts_for_which_goal),
        cmocka_unit_test(nothing_is_decided_before_synced),
        cmocka_unit_test(an_object_that_never_appears_is_in_the_way),
        cmocka_unit_test(the_timeout_needs_no_synced),
        cmocka_unit_test(a_goal_that_is_reached_in_the_last_moment_is_reached),
        cmocka_unit_test(fail_fast_ends_on_evidence),
        cmocka_unit_test(stable_for_starts_anew_at_a_break),
        cmocka_unit_test(evidence_must_be_fresh),
        cmocka_unit_test(best_effort_targets_hold_up_nothing),
        cmocka_unit_test(what_can_never_be_loses_the_goal),
        cmocka_unit_test(a_weak_basis_does_not_count),
        cmocka_unit_test(an_older_object_does_not_count),
        cmocka_unit_test(a_selection_counts_what_it_holds),
        cmocka_unit_test(a_selection_of_nothing_is_no_success),
        cmocka_unit_test(the_next_life_is_waited_for),
        cmocka_unit_test(who_comes_later_is_another_one),
        cmocka_unit_test(a_first_answer_after_its_target_is_no_newcomer),
        cmocka_unit_test(what_is_not_told_yet_holds_it_up),
        cmocka_unit_test(a_kind_that_goes_takes_its_objects_with_it),
        cmocka_unit_test(a_job_that_had_ended_may_go),
        cmocka_unit_test(generated_objects_are_not_asked_for),
        cmocka_unit_test(counting_equals_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
