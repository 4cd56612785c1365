/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One epoll set and one binary heap of timers.
 *
 * The model: a round waits for the nearest timer or for events, calls the sources that are ready,
 * then the timers that are due, then flush. Level-triggered throughout.
 *
 * 1. heap[0] is the timer that is due first; a started timer knows its place (slot - 1).
 * 2. A timer is stopped before its callback runs, so that the callback may start it again.
 * 3. A source may be removed in any callback, but its memory lives until flush: epoll may still
 * hand it out in the same round.
 *
 * Thread: one. It does not know what a connection or a request is.
 */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define LOOP_TIMERS_MAX ((size_t)1 << 20)
#define LOOP_EVENTS_PER_ROUND 256
#define LOOP_WAIT_MAX_MS 60000

struct sim_loop {
    int epoll_fd;
    bool stopping;
    struct sim_timer **heap;
    size_t heap_len;
    size_t heap_cap;
};

ks_rc sim_loop_new(struct sim_loop **out, struct ks_error *err)
{
    struct sim_loop *l = ks_alloc0(sizeof(*l));

    if (!l)
        return ks_fail(err, KS_RC_NOMEM, "event loop");
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0) {
        ks_free(l);
        return ks_fail_errno(err, KS_RC_IO, errno, "epoll");
    }
    *out = l;
    return KS_RC_OK;
}

struct sim_loop *sim_loop_free(struct sim_loop *l)
{
    if (!l)
        return NULL;
    close(l->epoll_fd);
    ks_free(l->heap);
    ks_free(l);
    return NULL;
}

ks_rc sim_loop_add(struct sim_loop *l, struct sim_source *s, uint32_t epoll_events)
{
    struct epoll_event ev = {.events = epoll_events, .data.ptr = s};

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) == 0 ? KS_RC_OK : KS_RC_IO;
}

void sim_loop_change(struct sim_loop *l, struct sim_source *s, uint32_t epoll_events)
{
    struct epoll_event ev = {.events = epoll_events, .data.ptr = s};

    /* Cannot fail for a descriptor that is in the set. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev);
}

void sim_loop_remove(struct sim_loop *l, struct sim_source *s)
{
    /* Not being in the set is what was wanted. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

int64_t sim_loop_now_ms(const struct sim_loop *l KS_UNUSED)
{
    return ks_clock_real.mono_ms(&ks_clock_real);
}

static void heap_place(struct sim_loop *l, struct sim_timer *t, size_t at)
{
    l->heap[at] = t;
    t->slot = at + 1;
}

static void heap_rise(struct sim_loop *l, struct sim_timer *t, size_t at)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (l->heap[parent]->due_ms <= t->due_ms)
            break;
        heap_place(l, l->heap[parent], at);
        at = parent;
    }
    heap_place(l, t, at);
}

static void heap_sink(struct sim_loop *l, struct sim_timer *t, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= l->heap_len)
            break;
        if (child + 1 < l->heap_len && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
            child++;
        if (l->heap[child]->due_ms >= t->due_ms)
            break;
        heap_place(l, l->heap[child], at);
        at = child;
    }
    heap_place(l, t, at);
}

static bool heap_grow(struct sim_loop *l)
{
    size_t cap = l->heap_cap ? l->heap_cap * 2 : 64;
    struct sim_timer **grown;

    if (l->heap_len < l->heap_cap)
        return true;
    if (cap > LOOP_TIMERS_MAX)
        return false;
    grown = ks_realloc_array(l->heap, cap, sizeof(struct sim_timer *));
    if (!grown)
        return false;
    l->heap = grown;
    l->heap_cap = cap;
    return true;
}

bool sim_timer_start(struct sim_loop *l, struct sim_timer *t, int64_t delay_ms)
{
    sim_timer_stop(l, t);
    if (!heap_grow(l))
        return false;
    t->due_ms = sim_loop_now_ms(l) + (delay_ms > 0 ? delay_ms : 0);
    heap_rise(l, t, l->heap_len++);
    return true;
}

void sim_timer_stop(struct sim_loop *l, struct sim_timer *t)
{
    struct sim_timer *last;
    size_t at;

    if (!t->slot)
        return;
    at = t->slot - 1;
    t->slot = 0;
    last = l->heap[--l->heap_len];
    if (last == t)
        return;
    if (at > 0 && l->heap[(at - 1) / 2]->due_ms > last->due_ms)
        heap_rise(l, last, at);
    else
        heap_sink(l, last, at);
}

bool sim_timer_is_started(const struct sim_timer *t)
{
    return t->slot != 0;
}

static int wait_ms(const struct sim_loop *l)
{
    int64_t left;

    if (l->heap_len == 0)
        return LOOP_WAIT_MAX_MS;
    left = l->heap[0]->due_ms - sim_loop_now_ms(l);
    if (left < 0)
        return 0;
    return left > LOOP_WAIT_MAX_MS ? LOOP_WAIT_MAX_MS : (int)left;
}

static void run_timers(struct sim_loop *l)
{
    int64_t now_ms = sim_loop_now_ms(l);

    while (l->heap_len > 0 && l->heap[0]->due_ms <= now_ms) {
        struct sim_timer *t = l->heap[0];

        sim_timer_stop(l, t);
        t->on_due(t);
    }
}

void sim_loop_run(struct sim_loop *l, bool (*flush)(void *ctx), void *ctx)
{
    struct epoll_event events[LOOP_EVENTS_PER_ROUND];
    bool hurry = false;

    while (!l->stopping) {
        int n = epoll_wait(l->epoll_fd, events, LOOP_EVENTS_PER_ROUND, hurry ? 0 : wait_ms(l));

        for (int i = 0; i < n; i++) {
            struct sim_source *s = events[i].data.ptr;

            s->on_ready(s, events[i].events);
        }
        run_timers(l);
        hurry = flush(ctx);
    }
}

void sim_loop_stop(struct sim_loop *l)
{
    l->stopping = true;
}
