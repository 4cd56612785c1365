/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubesim's loop on ours: its timers fire from one of ours, so that both see one clock.
 *
 * Thread: the loop's.  Owns: a list of the timers that are started.  Limits: SIMLOOP_TIMERS_MAX.
 */
#ifndef CONVERGENCE_SIMLOOP_H
#define CONVERGENCE_SIMLOOP_H

#include "base/base.h"
#include "loop/loop.h"

struct sim_loop;

/* NULL: no memory. Free with sim_loop_free. */
KS_MUST_USE struct sim_loop *simloop_new(struct ks_loop *loop);

#endif
