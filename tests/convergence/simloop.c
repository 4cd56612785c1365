/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for kubesim's loop.c. The timers stand in a row in order of starting; the first that is
 * due goes first, so that ties are decided the same way in every run.
 *
 * Thread: the loop's.  It does not: watch descriptors; there are none.
 */
#include "convergence/simloop.h"

#include "base/alloc.h"

#include "kubesim/loop.h"

#define SIMLOOP_TIMERS_MAX 4096

struct sim_loop {
    struct ks_timer timer;
    struct ks_loop *loop;
    struct sim_timer *row[SIMLOOP_TIMERS_MAX];
    size_t len;
};

static struct sim_timer *earliest(const struct sim_loop *l)
{
    struct sim_timer *first = NULL;

    for (size_t i = 0; i < l->len; i++) {
        if (!first || l->row[i]->due_ms < first->due_ms)
            first = l->row[i];
    }
    return first;
}

static void arm(struct sim_loop *l)
{
    const struct sim_timer *first = earliest(l);

    if (first)
        ks_timer_start(&l->timer, first->due_ms - ks_loop_now_ms(l->loop));
    else
        ks_timer_stop(&l->timer);
}

static void on_due(struct ks_timer *timer)
{
    struct sim_loop *l = KS_CONTAINER_OF(timer, struct sim_loop, timer);
    struct sim_timer *t = earliest(l);

    if (t && t->due_ms <= ks_loop_now_ms(l->loop)) {
        sim_timer_stop(l, t);
        t->on_due(t);
    }
    arm(l);
}

struct sim_loop *simloop_new(struct ks_loop *loop)
{
    struct sim_loop *l = ks_alloc0(sizeof(*l));

    if (!l)
        return NULL;
    l->loop = loop;
    ks_timer_init(&l->timer, loop, on_due);
    return l;
}

struct sim_loop *sim_loop_free(struct sim_loop *l)
{
    if (!l)
        return NULL;
    ks_timer_stop(&l->timer);
    ks_free(l);
    return NULL;
}

bool sim_timer_start(struct sim_loop *l, struct sim_timer *t, int64_t delay_ms)
{
    sim_timer_stop(l, t);
    if (l->len == SIMLOOP_TIMERS_MAX)
        return false;
    t->due_ms = ks_loop_now_ms(l->loop) + (delay_ms > 0 ? delay_ms : 0);
    t->slot = 1;
    l->row[l->len++] = t;
    arm(l);
    return true;
}

void sim_timer_stop(struct sim_loop *l, struct sim_timer *t)
{
    size_t at = 0;

    if (!t->slot)
        return;
    t->slot = 0;
    while (l->row[at] != t)
        at++;
    l->len--;
    for (; at < l->len; at++)
        l->row[at] = l->row[at + 1];
    arm(l);
}

bool sim_timer_is_started(const struct sim_timer *t)
{
    return t->slot != 0;
}

int64_t sim_loop_now_ms(const struct sim_loop *l)
{
    return ks_loop_now_ms(l->loop);
}
