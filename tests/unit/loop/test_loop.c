/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers against a model on a clock that the test moves, tasks from several threads, and the loop's
 * life.
 *
 * Thread: the test's is the loop's; posters have their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "support/torture.h"

#define MODEL_TIMERS 200
#define MODEL_STEPS 30000
#define FIRED_MAX 64
#define POSTERS 4
#define POSTS 5000

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_timer *fired[FIRED_MAX];
    int fired_count;
};

static struct fixture *current; /* for timer callbacks */

static int set_up(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    assert_non_null(f);
    ks_clock_test_init(&f->clock, 0);
    assert_int_equal(ks_loop_new(&f->clock.clock, &f->loop, NULL), KS_RC_OK);
    current = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->loop = ks_loop_free(f->loop);
    ks_free(f);
    return 0;
}

static void note_fired(struct ks_timer *timer)
{
    assert_false(ks_timer_is_pending(timer));
    assert_true(current->fired_count < FIRED_MAX);
    current->fired[current->fired_count++] = timer;
}

static void fires_in_order_of_time_and_start(void **state)
{
    struct fixture *f = *state;
    struct ks_timer timers[5];
    static const int64_t delays[] = {30, 10, 20, 10, 0};
    static const int expected[] = {4, 1, 3, 2, 0};

    for (int i = 0; i < 5; i++) {
        ks_timer_init(&timers[i], f->loop, note_fired);
        assert_false(ks_timer_is_pending(&timers[i]));
        ks_timer_start(&timers[i], delays[i]);
        assert_true(ks_timer_is_pending(&timers[i]));
    }
    ks_clock_test_advance(&f->clock, 100);
    assert_false(ks_loop_turn(f->loop));
    assert_int_equal(f->fired_count, 5);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(f->fired[i], &timers[expected[i]]);
}

static void fires_what_is_due_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct ks_timer a;
    struct ks_timer b;

    ks_timer_init(&a, f->loop, note_fired);
    ks_timer_init(&b, f->loop, note_fired);
    ks_timer_start(&a, 10);
    ks_timer_start(&b, 11);
    ks_clock_test_advance(&f->clock, 9);
    assert_true(ks_loop_turn(f->loop));
    assert_int_equal(f->fired_count, 0);
    ks_clock_test_advance(&f->clock, 1);
    assert_true(ks_loop_turn(f->loop));
    assert_int_equal(f->fired_count, 1);
    assert_true(ks_loop_turn(f->loop)); /* once per start */
    assert_int_equal(f->fired_count, 1);
    ks_timer_stop(&b);
    ks_timer_stop(&b);
    ks_clock_test_advance(&f->clock, 100);
    assert_false(ks_loop_turn(f->loop));
    assert_int_equal(f->fired_count, 1);
}

static void moves_a_pending_timer(void **state)
{
    struct fixture *f = *state;
    struct ks_timer a;

    ks_timer_init(&a, f->loop, note_fired);
    ks_timer_start(&a, 10);
    ks_timer_start(&a, 50);
    ks_clock_test_advance(&f->clock, 20);
    (void)ks_loop_turn(f->loop);
    assert_int_equal(f->fired_count, 0);
    ks_timer_start(&a, -5); /* at once */
    (void)ks_loop_turn(f->loop);
    assert_int_equal(f->fired_count, 1);
    ks_timer_start(&a, INT64_MAX); /* far, but no overflow */
    ks_clock_test_advance(&f->clock, 1000);
    (void)ks_loop_turn(f->loop);
    assert_int_equal(f->fired_count, 1);
    ks_timer_stop(&a);
}

struct pair {
    struct ks_timer timer;
    struct ks_timer *other;
    int restarts;
};

static void restart_and_stop_other(struct ks_timer *timer)
{
    struct pair *p = KS_CONTAINER_OF(timer, struct pair, timer);

    note_fired(timer);
    if (p->other)
        ks_timer_stop(p->other);
    if (p->restarts-- > 0)
        ks_timer_start(timer, 0);
}

static void lets_callbacks_start_stop_and_free(void **state)
{
    struct fixture *f = *state;
    struct pair *heap = ks_alloc0(sizeof(*heap));
    struct pair a = {.restarts = 3};
    struct pair b = {.restarts = 0};
    struct ks_timer victim;

    assert_non_null(heap);
    ks_timer_init(&a.timer, f->loop, restart_and_stop_other);
    ks_timer_init(&b.timer, f->loop, restart_and_stop_other);
    ks_timer_init(&victim, f->loop, note_fired);
    b.other = &victim; /* due at the same time, started later */
    ks_timer_start(&a.timer, 5);
    ks_timer_start(&b.timer, 5);
    ks_timer_start(&victim, 5);
    ks_clock_test_advance(&f->clock, 5);
    (void)ks_loop_turn(f->loop);
    /* The restart waits for the next turn, so that nobody starves. */
    assert_int_equal(f->fired_count, 2);
    for (int i = 0; i < 5; i++)
        (void)ks_loop_turn(f->loop);
    assert_int_equal(f->fired_count, 5);
    ks_free(heap);
}

static void free_the_timer(struct ks_timer *timer)
{
    note_fired(timer);
    ks_free(KS_CONTAINER_OF(timer, struct pair, timer));
}

static void lets_a_callback_free_its_timer(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10; i++) {
        struct pair *p = ks_alloc0(sizeof(*p));

        assert_non_null(p);
        ks_timer_init(&p->timer, f->loop, free_the_timer);
        ks_timer_start(&p->timer, i % 3);
    }
    ks_clock_test_advance(&f->clock, 5);
    assert_false(ks_loop_turn(f->loop));
    assert_int_equal(f->fired_count, 10);
}

/* The model: an array. */
struct model_timer {
    struct ks_timer timer;
    int64_t due_ms; /* -1: not pending */
    uint64_t order;
};

struct model {
    struct model_timer timers[MODEL_TIMERS];
    uint64_t order;
    int64_t last_due_ms; /* of the one fired before, in this turn */
    uint64_t last_order;
    int fired;
};

static struct model model;

static void model_start(struct model_timer *t, int64_t delay_ms)
{
    ks_timer_start(&t->timer, delay_ms);
    t->due_ms = current->clock.now_mono_ms + delay_ms;
    t->order = ++model.order;
}

static void model_fired(struct ks_timer *timer)
{
    struct model_timer *t = KS_CONTAINER_OF(timer, struct model_timer, timer);
    struct model_timer *other = &model.timers[ks_random_below(MODEL_TIMERS)];

    assert_true(t->due_ms >= 0 && t->due_ms <= current->clock.now_mono_ms);
    assert_true(t->due_ms > model.last_due_ms ||
                (t->due_ms == model.last_due_ms && t->order > model.last_order));
    model.last_due_ms = t->due_ms;
    model.last_order = t->order;
    model.fired++;
    t->due_ms = -1;
    if (ks_random_below(4) == 0) {
        model_start(other, (int64_t)ks_random_below(50));
    } else if (ks_random_below(4) == 0) {
        ks_timer_stop(&other->timer);
        other->due_ms = -1;
    }
}

static void agrees_with_the_model(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MODEL_TIMERS; i++) {
        ks_timer_init(&model.timers[i].timer, f->loop, model_fired);
        model.timers[i].due_ms = -1;
    }
    for (int step = 0; step < MODEL_STEPS; step++) {
        struct model_timer *t = &model.timers[ks_random_below(MODEL_TIMERS)];
        const uint64_t what = ks_random_below(10);

        if (what < 6) {
            model_start(t, (int64_t)ks_random_below(300));
        } else if (what < 8) {
            ks_timer_stop(&t->timer);
            t->due_ms = -1;
        } else {
            ks_clock_test_advance(&f->clock, (int64_t)ks_random_below(20));
            model.last_due_ms = -1;
            (void)ks_loop_turn(f->loop);
        }
        assert_int_equal(ks_timer_is_pending(&t->timer), t->due_ms >= 0);
    }
    assert_true(model.fired > 1000);
    for (int i = 0; i < MODEL_TIMERS; i++) {
        assert_int_equal(ks_timer_is_pending(&model.timers[i].timer), model.timers[i].due_ms >= 0);
        ks_timer_stop(&model.timers[i].timer);
    }
    assert_false(ks_loop_turn(f->loop));
}

static void misses_nothing_that_is_due(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MODEL_TIMERS; i++)
        ks_timer_init(&model.timers[i].timer, f->loop, model_fired);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MODEL_TIMERS; i++)
            model_start(&model.timers[i], (int64_t)ks_random_below(1000));
        for (int turn = 0; turn < 40; turn++) {
            ks_clock_test_advance(&f->clock, 100);
            model.last_due_ms = -1;
            (void)ks_loop_turn(f->loop);
        }
        for (int i = 0; i < MODEL_TIMERS; i++)
            assert_true(model.timers[i].due_ms < 0 ||
                        model.timers[i].due_ms >= f->clock.now_mono_ms);
    }
    for (int i = 0; i < MODEL_TIMERS; i++)
        ks_timer_stop(&model.timers[i].timer);
}

struct posted {
    struct ks_task task;
    struct ks_loop *loop;
    int value;
    int again;
};

static int ran[16];
static int ran_count;

static void note_ran(struct ks_task *task)
{
    struct posted *p = KS_CONTAINER_OF(task, struct posted, task);

    assert_true(ran_count < 16);
    ran[ran_count++] = p->value;
    if (p->again-- > 0)
        ks_loop_post(p->loop, task);
}

static void runs_tasks_in_order(void **state)
{
    struct fixture *f = *state;
    struct posted p[3];

    ran_count = 0;
    for (int i = 0; i < 3; i++) {
        p[i] = (struct posted){.loop = f->loop, .value = i, .again = i == 0 ? 2 : 0};
        ks_task_init(&p[i].task, note_ran);
        ks_loop_post(f->loop, &p[i].task);
    }
    while (ks_loop_turn(f->loop))
        continue;
    assert_int_equal(ran_count, 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ran[i], i);
    assert_int_equal(ran[3], 0);
    assert_int_equal(ran[4], 0);
}

static void run_and_free(struct ks_task *task)
{
    ran_count++;
    ks_free(KS_CONTAINER_OF(task, struct posted, task));
}

static void lets_a_task_free_itself_and_drops_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct posted left = {.value = 1};

    ran_count = 0;
    for (int i = 0; i < 5; i++) {
        struct posted *p = ks_alloc0(sizeof(*p));

        assert_non_null(p);
        ks_task_init(&p->task, run_and_free);
        ks_loop_post(f->loop, &p->task);
    }
    (void)ks_loop_turn(f->loop);
    assert_int_equal(ran_count, 5);
    ks_task_init(&left.task, note_ran);
    ks_loop_post(f->loop, &left.task); /* tear_down frees the loop with it */
}

/* One poster: its own tasks, each posted again only after it has run. */
struct poster {
    pthread_t thread;
    struct ks_loop *loop;
    struct ks_task task;
    atomic_int pending;
    int runs; /* the loop's */
    int last;
    atomic_int *left;
};

static void poster_task(struct ks_task *task)
{
    struct poster *p = KS_CONTAINER_OF(task, struct poster, task);

    ks_loop_assert_here(p->loop);
    p->runs++;
    atomic_store(&p->pending, 0);
}

static void *poster_main(void *ctx)
{
    struct poster *p = ctx;

    for (int i = 0; i < POSTS; i++) {
        while (atomic_exchange(&p->pending, 1))
            (void)sched_yield();
        ks_loop_post(p->loop, &p->task);
    }
    while (atomic_load(&p->pending))
        (void)sched_yield();
    if (atomic_fetch_sub(p->left, 1) == 1)
        ks_loop_quit(p->loop);
    return NULL;
}

static void takes_tasks_from_many_threads(void **state)
{
    struct fixture *f = *state;
    struct poster posters[POSTERS];
    atomic_int left = POSTERS;

    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.loop = f->loop, .left = &left};
        ks_task_init(&posters[i].task, poster_task);
        assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_main, &posters[i]), 0);
    }
    ks_loop_run(f->loop);
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        assert_int_equal(posters[i].runs, POSTS);
    }
}

static void *run_elsewhere(void *ctx)
{
    ks_loop_run(ctx);
    return NULL;
}

static void runs_on_the_thread_that_runs_it(void **state)
{
    struct fixture *f = *state;
    struct poster p = {.loop = f->loop};
    atomic_int left = 1;
    pthread_t thread;

    p.left = &left;
    ks_task_init(&p.task, poster_task);
    ks_loop_assert_here(f->loop); /* nobody's yet */
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, f->loop), 0);
    (void)poster_main(&p);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(p.runs, POSTS);
}

static void returns_when_told_to_quit_beforehand(void **state)
{
    struct fixture *f = *state;

    ks_loop_quit(f->loop);
    ks_loop_run(f->loop);
    ks_loop_quit(f->loop);
    ks_loop_run(f->loop);
}

static void quit_from_timer(struct ks_timer *timer)
{
    note_fired(timer);
    ks_loop_quit(timer->loop);
}

static void wakes_by_itself_on_the_real_clock(void **state)
{
    struct fixture *f = *state;
    struct ks_loop *loop;
    struct ks_timer a;
    struct ks_timer b;

    assert_int_equal(ks_loop_new(&ks_clock_real, &loop, NULL), KS_RC_OK);
    ks_timer_init(&a, loop, note_fired);
    ks_timer_init(&b, loop, quit_from_timer);
    ks_timer_start(&b, 20);
    ks_timer_start(&a, 5);
    ks_loop_run(loop);
    assert_int_equal(f->fired_count, 2);
    assert_ptr_equal(f->fired[0], &a);
    ks_timer_start(&a, 3);
    while (ks_loop_turn_wait(loop, 1000))
        continue;
    assert_int_equal(f->fired_count, 3);
    assert_false(ks_loop_turn_wait(loop, 1));
    loop = ks_loop_free(loop);
}

static void tells_the_time_of_its_clock(void **state)
{
    struct fixture *f = *state;
    const int64_t mono_ms = ks_loop_now_ms(f->loop);
    const int64_t wall_ms = ks_loop_wall_ms(f->loop);

    ks_clock_test_advance(&f->clock, 1234);
    assert_int_equal(ks_loop_now_ms(f->loop), mono_ms + 1234);
    assert_int_equal(ks_loop_wall_ms(f->loop), wall_ms + 1234);
}

static void ignore_task(struct ks_task *task KS_UNUSED)
{
}

static void tells_when_it_has_something_to_do(void **state)
{
    struct fixture *f = *state;
    struct ks_timer timer;
    struct ks_task task;

    assert_int_equal(ks_loop_due_ms(f->loop), INT64_MAX);
    ks_timer_init(&timer, f->loop, note_fired);
    ks_timer_start(&timer, 30);
    assert_int_equal(ks_loop_due_ms(f->loop), f->clock.now_mono_ms + 30);
    ks_task_init(&task, ignore_task);
    ks_loop_post(f->loop, &task);
    assert_int_equal(ks_loop_due_ms(f->loop), f->clock.now_mono_ms);
    (void)ks_loop_turn(f->loop);
    assert_int_equal(ks_loop_due_ms(f->loop), f->clock.now_mono_ms + 30);
    ks_timer_stop(&timer);
    assert_int_equal(ks_loop_due_ms(f->loop), INT64_MAX);
}

static void torture_new(void *ctx)
{
    struct ks_loop *loop = NULL;
    struct ks_error err;

    (void)ctx;
    if (ks_loop_new(&ks_clock_real, &loop, &err))
        assert_int_equal(err.rc, KS_RC_NOMEM);
    loop = ks_loop_free(loop);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    assert_int_equal(ks_torture(torture_new, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        TEST(fires_in_order_of_time_and_start),
        TEST(fires_what_is_due_and_nothing_else),
        TEST(moves_a_pending_timer),
        TEST(lets_callbacks_start_stop_and_free),
        TEST(lets_a_callback_free_its_timer),
        TEST(agrees_with_the_model),
        TEST(misses_nothing_that_is_due),
        TEST(runs_tasks_in_order),
        TEST(lets_a_task_free_itself_and_drops_what_is_queued),
        TEST(takes_tasks_from_many_threads),
        TEST(runs_on_the_thread_that_runs_it),
        TEST(returns_when_told_to_quit_beforehand),
        TEST(wakes_by_itself_on_the_real_clock),
        TEST(tells_the_time_of_its_clock),
        TEST(tells_when_it_has_something_to_do),
        TEST(survives_lack_of_memory),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
