/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of kubesim: file descriptors by epoll, timers by a heap, one thread.
 *
 * Thread: the one that runs it.  Owns: the epoll descriptor and the heap; sources and timers stay
 * their owners'. Limits: LOOP_TIMERS_MAX timers.
 *
 * After each round of events and timers the loop calls its flush function: the only place where
 * connections write and die, so that no handler ever frees what another handler of the same round
 * still needs.
 */
#ifndef KUBESIM_LOOP_H
#define KUBESIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sim_loop;

struct sim_source {
    int fd;
    void (*on_ready)(struct sim_source *source, uint32_t epoll_events);
};

struct sim_timer {
    void (*on_due)(struct sim_timer *timer);
    /* private */
    int64_t due_ms;
    size_t slot; /* place in the heap plus one; 0 = not started */
};

KS_MUST_USE ks_rc sim_loop_new(struct sim_loop **out, struct ks_error *err);
struct sim_loop *sim_loop_free(struct sim_loop *l);

KS_MUST_USE ks_rc sim_loop_add(struct sim_loop *l, struct sim_source *s, uint32_t epoll_events);
void sim_loop_change(struct sim_loop *l, struct sim_source *s, uint32_t epoll_events);
void sim_loop_remove(struct sim_loop *l, struct sim_source *s);

/* Starts or moves the timer. When memory for it is short the timer stays stopped and false comes
 * back. */
bool sim_timer_start(struct sim_loop *l, struct sim_timer *t, int64_t delay_ms);
void sim_timer_stop(struct sim_loop *l, struct sim_timer *t);
bool sim_timer_is_started(const struct sim_timer *t);

/* Monotonic time. */
int64_t sim_loop_now_ms(const struct sim_loop *l);
/* Runs until sim_loop_stop. flush tells whether it wants to be called again at once. */
void sim_loop_run(struct sim_loop *l, bool (*flush)(void *ctx), void *ctx);
void sim_loop_stop(struct sim_loop *l);

#endif
