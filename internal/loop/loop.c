/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop per thread, on libuv: sockets are libuv's, timers and the mailbox are ours.
 *
 * The model: a turn is "wait for sockets, tasks or the earliest timer; handle sockets and tasks;
 * fire the timers that are due by our clock". libuv knows one timer only, and all that does is end
 * the wait: what is due is decided by the injected clock, so that a test that moves its clock needs
 * no real time at all.
 *
 * Invariants:
 *   1. a turn fires each timer that was due when its firing began at most once; a timer started
 *      from within a firing waits for the next turn, however short its delay: no timer can starve
 *      the sockets;
 *   2. `posted` is touched under `lock` only, and no task runs under it;
 *   3. the doorbell rings on the empty-to-non-empty edge only; whoever empties the list runs what
 *      was in it, so no posted task waits without a ring under way;
 *   4. the doorbell is the one handle that keeps uv_run polling; whether the loop has anything left
 *      to do is asked with the doorbell left out.
 *
 * Thread: the one that last entered ks_loop_run or ks_loop_turn; ks_loop_post and ks_loop_quit:
 * any.
 *
 * Does not: log, or own anything that hangs on its lists.
 */
#include "loop/loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <uv.h>

#include "base/alloc.h"
#include "loop/heap.h"

/* No timer waits longer than this in one go; keeps sums of times far from overflow. */
#define DELAY_MAX_MS (INT64_C(1) << 40)

struct ks_loop {
    uv_loop_t uv;
    uv_timer_t wake;
    uv_async_t bell;
    const struct ks_clock *clock;
    struct ks_timer *timers; /* root of the heap */
    uint64_t order;          /* of the last timer started */
    int64_t wake_due_ms;     /* what wake is set for, while it is active */
    pthread_t owner;
    bool has_owner;
    bool is_in_uv; /* uv_run is on the stack */
    atomic_bool is_quitting;
    pthread_mutex_t lock; /* guards posted, and is_queued and link of the tasks in it */
    struct ks_list posted;
};

/* Ends the wait. By uv_stop, because a timer that libuv finds due before it polls would not keep it
 * from polling. */
static void on_wake(uv_timer_t *wake)
{
    uv_stop(wake->loop);
}

static void on_bell(uv_async_t *bell)
{
    struct ks_loop *loop = bell->data;
    struct ks_list batch;

    ks_list_init(&batch);
    pthread_mutex_lock(&loop->lock);
    ks_list_splice(&batch, &loop->posted);
    pthread_mutex_unlock(&loop->lock);

    for (;;) {
        struct ks_list *link;
        struct ks_task *task;

        pthread_mutex_lock(&loop->lock);
        link = ks_list_pop(&batch);
        task = link ? KS_CONTAINER_OF(link, struct ks_task, link) : NULL;
        if (task)
            task->is_queued = false;
        pthread_mutex_unlock(&loop->lock);
        if (!task)
            return;
        task->fn(task); /* may have freed or posted the task again */
    }
}

ks_rc ks_loop_new(const struct ks_clock *clock, struct ks_loop **out, struct ks_error *err)
{
    struct ks_loop *loop = ks_alloc0(sizeof(*loop));
    int rc;

    if (!loop)
        return ks_fail(err, KS_RC_NOMEM, "event loop: out of memory");
    rc = uv_loop_init(&loop->uv);
    if (rc) {
        ks_free(loop);
        return ks_fail(err, rc == UV_ENOMEM ? KS_RC_NOMEM : KS_RC_IO, "event loop: %s",
                       uv_strerror(rc));
    }
    rc = uv_async_init(&loop->uv, &loop->bell, on_bell);
    if (rc) {
        (void)uv_loop_close(&loop->uv); /* it has no handle, so it cannot refuse */
        ks_free(loop);
        return ks_fail(err, rc == UV_ENOMEM ? KS_RC_NOMEM : KS_RC_IO, "event loop: doorbell: %s",
                       uv_strerror(rc));
    }
    loop->bell.data = loop;
    (void)uv_timer_init(&loop->uv, &loop->wake); /* documented to return 0 */
    uv_unref((uv_handle_t *)&loop->wake);
    loop->clock = clock;
    atomic_init(&loop->is_quitting, false);
    pthread_mutex_init(&loop->lock, NULL);
    ks_list_init(&loop->posted);
    *out = loop;
    return KS_RC_OK;
}

/* Also takes the signals of children, which the program may have blocked for all other threads. */
static void loop_claim(struct ks_loop *loop)
{
    sigset_t children;

    loop->owner = pthread_self();
    loop->has_owner = true;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)pthread_sigmask(SIG_UNBLOCK, &children, NULL);
}

/* Sets wake for due_ms and returns how long the next wait may be: a mode of uv_run. */
static uv_run_mode loop_arm(struct ks_loop *loop, int64_t now_ms, int64_t due_ms)
{
    if (due_ms <= now_ms)
        return UV_RUN_NOWAIT;
    if (uv_is_active((uv_handle_t *)&loop->wake) && loop->wake_due_ms == due_ms)
        return UV_RUN_ONCE;
    uv_update_time(&loop->uv); /* delays count from here, not from when the last wait ended */
    (void)uv_timer_start(&loop->wake, on_wake, (uint64_t)(due_ms - now_ms), 0);
    loop->wake_due_ms = due_ms;
    return UV_RUN_ONCE;
}

static void loop_fire(struct ks_loop *loop)
{
    const int64_t now_ms = loop->timers ? ks_loop_now_ms(loop) : 0;
    const uint64_t last = loop->order;

    /* A timer started meanwhile is due at now_ms or later and has a later order: it sorts behind
     * all others that are due, so the first such timer ends the round. */
    while (loop->timers && loop->timers->due_ms <= now_ms && loop->timers->order <= last) {
        struct ks_timer *timer = loop->timers;

        ks_heap_remove(&loop->timers, timer);
        timer->is_pending = false;
        timer->fn(timer); /* may have freed the timer */
    }
}

/* wait_ms < 0: as long as it takes. */
static void loop_turn(struct ks_loop *loop, int64_t wait_ms)
{
    uv_run_mode mode = UV_RUN_ONCE;
    int64_t due_ms = INT64_MAX;
    int64_t now_ms = 0;

    if (loop->timers || wait_ms >= 0)
        now_ms = ks_loop_now_ms(loop);
    if (wait_ms >= 0)
        due_ms = now_ms + wait_ms;
    if (loop->timers && loop->timers->due_ms < due_ms)
        due_ms = loop->timers->due_ms;
    if (due_ms != INT64_MAX)
        mode = loop_arm(loop, now_ms, due_ms);
    else
        (void)uv_timer_stop(&loop->wake); /* documented to return 0 */
    loop->is_in_uv = true;
    (void)uv_run(&loop->uv, mode); /* tells whether handles are active: the doorbell always is */
    loop->is_in_uv = false;
    loop_fire(loop);
}

void ks_loop_run(struct ks_loop *loop)
{
    loop_claim(loop);
    do
        loop_turn(loop, -1);
    while (!atomic_exchange(&loop->is_quitting, false));
}

static bool loop_is_alive(struct ks_loop *loop)
{
    bool is_alive;

    pthread_mutex_lock(&loop->lock);
    is_alive = !ks_list_is_empty(&loop->posted);
    pthread_mutex_unlock(&loop->lock);
    uv_unref((uv_handle_t *)&loop->bell);
    is_alive = uv_loop_alive(&loop->uv) || is_alive;
    uv_ref((uv_handle_t *)&loop->bell);
    return is_alive || loop->timers;
}

bool ks_loop_turn(struct ks_loop *loop)
{
    return ks_loop_turn_wait(loop, 0);
}

bool ks_loop_turn_wait(struct ks_loop *loop, int64_t wait_ms)
{
    assert(wait_ms >= 0 && wait_ms <= DELAY_MAX_MS);
    loop_claim(loop);
    loop_turn(loop, wait_ms);
    return loop_is_alive(loop);
}

void ks_loop_quit(struct ks_loop *loop)
{
    atomic_store(&loop->is_quitting, true);
    (void)uv_async_send(&loop->bell); /* fails only on a handle of another type */
}

/* What its owners have closed, and children killed and not yet reaped, may still be finishing;
 * nothing else may be here any more. */
static void assert_is_leaving(uv_handle_t *handle, void *ctx)
{
    (void)ctx; /* uv_walk's form */
    assert(uv_is_closing(handle) || handle->type == UV_PROCESS || !uv_is_active(handle));
    (void)handle;
}

struct ks_loop *ks_loop_free(struct ks_loop *loop)
{
    int rc;

    if (!loop)
        return NULL;
    loop_claim(loop);
    assert(!loop->timers);
    uv_close((uv_handle_t *)&loop->bell, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_walk(&loop->uv, assert_is_leaving, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* until the last handle is closed */
    rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
    pthread_mutex_destroy(&loop->lock);
    ks_free(loop);
    return NULL;
}

int64_t ks_loop_now_ms(const struct ks_loop *loop)
{
    return loop->clock->mono_ms(loop->clock);
}

int64_t ks_loop_wall_ms(const struct ks_loop *loop)
{
    return loop->clock->wall_ms(loop->clock);
}

int64_t ks_loop_due_ms(struct ks_loop *loop)
{
    bool has_tasks;

    pthread_mutex_lock(&loop->lock);
    has_tasks = !ks_list_is_empty(&loop->posted);
    pthread_mutex_unlock(&loop->lock);
    if (has_tasks)
        return ks_loop_now_ms(loop);
    return loop->timers ? loop->timers->due_ms : INT64_MAX;
}

void ks_loop_assert_here(const struct ks_loop *loop)
{
    if (loop->has_owner && !pthread_equal(loop->owner, pthread_self()))
        abort();
}

struct uv_loop_s *ks_loop_uv(struct ks_loop *loop)
{
    return &loop->uv;
}

void ks_loop_post(struct ks_loop *loop, struct ks_task *task)
{
    bool is_edge;

    pthread_mutex_lock(&loop->lock);
    assert(!task->is_queued);
    task->is_queued = true;
    is_edge = ks_list_is_empty(&loop->posted);
    ks_list_push(&loop->posted, &task->link);
    pthread_mutex_unlock(&loop->lock);
    /* The task may be running, or freed, from here on. */
    if (is_edge)
        (void)uv_async_send(&loop->bell); /* fails only on a handle of another type */
}

void ks_timer_init(struct ks_timer *timer, struct ks_loop *loop, void (*fn)(struct ks_timer *timer))
{
    *timer = (struct ks_timer){.fn = fn, .loop = loop};
}

void ks_timer_start(struct ks_timer *timer, int64_t delay_ms)
{
    struct ks_loop *loop = timer->loop;

    ks_loop_assert_here(loop);
    if (delay_ms < 0)
        delay_ms = 0;
    if (delay_ms > DELAY_MAX_MS)
        delay_ms = DELAY_MAX_MS;
    ks_timer_stop(timer);
    timer->due_ms = ks_loop_now_ms(loop) + delay_ms;
    timer->order = ++loop->order;
    timer->is_pending = true;
    ks_heap_push(&loop->timers, timer);
    /* libuv runs its own timers (libcurl's among them) before it polls: what they start here must
     * shorten that poll. */
    if (loop->is_in_uv && loop->timers == timer)
        uv_stop(&loop->uv);
}

void ks_timer_stop(struct ks_timer *timer)
{
    if (!timer->is_pending)
        return;
    ks_loop_assert_here(timer->loop);
    ks_heap_remove(&timer->loop->timers, timer);
    timer->is_pending = false;
}
