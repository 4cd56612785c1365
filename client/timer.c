/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of timers, looked through each time: a client has one for each stream that is lost.
 *
 * Thread: the lock guards the list; fn runs without it.
 */
#include "client/timer.h"

#include "base/base.h"
#include "base/clock.h"

void ks_client_timers_init(struct ks_client_timers *timers)
{
    (void)pthread_mutex_init(&timers->lock, NULL); /* default attributes do not fail on Linux */
    ks_list_init(&timers->list);
}

void ks_client_timers_fini(struct ks_client_timers *timers)
{
    (void)pthread_mutex_destroy(&timers->lock); /* nobody is left to hold it */
}

void ks_client_timer_start(struct ks_client_timers *timers, struct ks_client_timer *timer,
                           int64_t delay_ms)
{
    pthread_mutex_lock(&timers->lock);
    timer->at_ms = ks_mono_ms() + delay_ms;
    ks_list_push(&timers->list, &timer->link);
    pthread_mutex_unlock(&timers->lock);
}

bool ks_client_timer_stop(struct ks_client_timers *timers, struct ks_client_timer *timer)
{
    bool is_waiting;

    pthread_mutex_lock(&timers->lock);
    is_waiting = !ks_list_is_empty(&timer->link);
    ks_list_remove(&timer->link);
    pthread_mutex_unlock(&timers->lock);
    return is_waiting;
}

/* Holds the lock. The first one that is due, or else *out_left_ms until one is. */
static struct ks_client_timer *find_due(struct ks_client_timers *timers, int64_t *out_left_ms)
{
    int64_t now_ms = ks_mono_ms();

    *out_left_ms = -1;
    KS_LIST_FOREACH(link, &timers->list)
    {
        struct ks_client_timer *timer = KS_CONTAINER_OF(link, struct ks_client_timer, link);
        int64_t left_ms = timer->at_ms - now_ms;

        if (left_ms <= 0)
            return timer;
        if (*out_left_ms < 0 || left_ms < *out_left_ms)
            *out_left_ms = left_ms;
    }
    return NULL;
}

int64_t ks_client_timers_run(struct ks_client_timers *timers)
{
    struct ks_client_timer *timer;
    int64_t left_ms;

    pthread_mutex_lock(&timers->lock);
    while ((timer = find_due(timers, &left_ms))) {
        ks_list_remove(&timer->link);
        pthread_mutex_unlock(&timers->lock);
        timer->fn(timer); /* it may be gone then */
        pthread_mutex_lock(&timers->lock);
    }
    pthread_mutex_unlock(&timers->lock);
    return left_ms;
}
