/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop per thread: timers, tasks posted from other threads, thread assertion. On libuv.
 *
 * Thread: made on any thread; the thread that first runs it owns it; everything here belongs to
 * that thread, except ks_loop_post and ks_loop_quit (any thread).  Owns: the uv loop.  Limits: none
 * of its own; timers and tasks are embedded in their owners and cost no allocation.
 */
#ifndef KS_LOOP_LOOP_H
#define KS_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"

struct ks_loop;
struct uv_loop_s;

/* clock is borrowed and must outlive the loop; &ks_clock_real outside tests. */
KS_MUST_USE ks_rc ks_loop_new(const struct ks_clock *clock, struct ks_loop **out,
                              struct ks_error *err);
/* Runs until ks_loop_quit. Claims the loop for the calling thread. */
void ks_loop_run(struct ks_loop *loop);
/* One turn without waiting: due timers, posted tasks, ready sockets. Returns whether anything may
 * still come. Claims the loop for the calling thread. For tests and for teardown. */
bool ks_loop_turn(struct ks_loop *loop);
/* One turn that waits at most wait_ms for something to happen. */
bool ks_loop_turn_wait(struct ks_loop *loop, int64_t wait_ms);
/* Thread: any. Makes ks_loop_run return after the turn it is in. */
void ks_loop_quit(struct ks_loop *loop);
/* All timers must be stopped, all transports and processes closed. Tasks still queued are dropped
 * unrun. Returns NULL; NULL is allowed. */
struct ks_loop *ks_loop_free(struct ks_loop *loop);

/* Monotonic and wall time from the loop's clock, read anew at each call. */
int64_t ks_loop_now_ms(const struct ks_loop *loop);
int64_t ks_loop_wall_ms(const struct ks_loop *loop);
/* Aborts when called on another thread than the owner's (once there is one). */
void ks_loop_assert_here(const struct ks_loop *loop);
/* When the loop has something to do of its own: now while tasks are posted, else the time of the
 * earliest timer; INT64_MAX: neither. For tests, which move their clock there. */
int64_t ks_loop_due_ms(struct ks_loop *loop);
/* The libuv loop, for internal/http alone. */
struct uv_loop_s *ks_loop_uv(struct ks_loop *loop);

/*
 * A task is embedded in what it is about. Posted tasks run in order of posting, on the loop's
 * thread, each once; the task may be freed or posted again from within its own fn. Posting a task
 * that is still queued is an error (asserted).
 */
struct ks_task {
    void (*fn)(struct ks_task *task);
    /* private */
    struct ks_list link;
    bool is_queued;
};
static inline void ks_task_init(struct ks_task *task, void (*fn)(struct ks_task *task))
{
    task->fn = fn;
    ks_list_init(&task->link);
    task->is_queued = false;
}
/* Thread: any. Never fails. */
void ks_loop_post(struct ks_loop *loop, struct ks_task *task);

/*
 * A timer is embedded too: a node in the loop's pairing heap. Fires once per start; start moves a
 * pending timer; stop is immediate (fn does not run after it) and idempotent. fn may start, stop or
 * free the timer.
 */
struct ks_timer {
    void (*fn)(struct ks_timer *timer);
    /* private */
    struct ks_loop *loop;
    int64_t due_ms;
    uint64_t order; /* ties fire in order of starting */
    struct ks_timer *child;
    struct ks_timer *next;
    struct ks_timer *prev; /* left sibling, or parent of the first child */
    bool is_pending;
};
void ks_timer_init(struct ks_timer *timer, struct ks_loop *loop,
                   void (*fn)(struct ks_timer *timer));
void ks_timer_start(struct ks_timer *timer, int64_t delay_ms);
void ks_timer_stop(struct ks_timer *timer);
static inline bool ks_timer_is_pending(const struct ks_timer *timer)
{
    return timer->is_pending;
}

#endif
