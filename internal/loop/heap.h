/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairing heap of timers by (due, order of starting), private to internal/loop.
 *
 * Thread: the loop's.  Owns: nothing; the nodes are the timers themselves.  Limits: none; push is
 * O(1), remove is O(log n) amortised, nothing recurses.
 */
#ifndef KS_LOOP_HEAP_H
#define KS_LOOP_HEAP_H

struct ks_timer;

/* The timer must not be in a heap. Only its links are written. */
void ks_heap_push(struct ks_timer **root, struct ks_timer *timer);
/* The timer must be in this heap. */
void ks_heap_remove(struct ks_timer **root, struct ks_timer *timer);

#endif
