/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of a client's thread: it waits for its completion queue no longer than until the first of
 * them.
 *
 * Thread: started on the client's thread, as what starts them is a callback; stopped on any.  Owns:
 * nothing: a timer lies in what it is for.
 */
#ifndef KS_CLIENT_TIMER_H
#define KS_CLIENT_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct ks_client_timer {
    struct ks_list link;
    int64_t at_ms;
    void (*fn)(struct ks_client_timer *timer); /* on the client's thread */
};

struct ks_client_timers {
    pthread_mutex_t lock;
    struct ks_list list;
};

void ks_client_timers_init(struct ks_client_timers *timers);
/* None may be running. */
void ks_client_timers_fini(struct ks_client_timers *timers);

void ks_client_timer_start(struct ks_client_timers *timers, struct ks_client_timer *timer,
                           int64_t delay_ms);
/* Whether it was waiting: then fn is not called for it. */
bool ks_client_timer_stop(struct ks_client_timers *timers, struct ks_client_timer *timer);

/* Calls what is due. Returns how long until the next one is; negative: there is none. */
int64_t ks_client_timers_run(struct ks_client_timers *timers);

#endif
