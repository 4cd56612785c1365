/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairing heap of timers.
 *
 * The model: a node points to its first child; siblings form a list through `next`; `prev` is the
 * left sibling or, for a first child, the parent. That one back link is what makes removal from the
 * middle possible, which is what almost every timer of ours ends with: most of them are deadlines
 * that are stopped in time.
 *
 * Invariants:
 *   1. no child is due before its parent; among equals the one started first is above;
 *   2. the root has neither prev nor next;
 *   3. a node's links mean nothing while it is in no heap.
 *
 * Both passes of a removal are loops: depth is bounded by nothing but the number of timers.
 *
 * Thread: the loop's.  Does not: know about time, or whether a timer is pending.
 */
#include "loop/heap.h"

#include <stddef.h>

#include "loop/loop.h"

static bool timer_is_before(const struct ks_timer *a, const struct ks_timer *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->order < b->order;
}

/* Both are roots (or NULL); the later one becomes the first child of the earlier one. */
static struct ks_timer *heap_merge(struct ks_timer *a, struct ks_timer *b)
{
    struct ks_timer *top = a;
    struct ks_timer *low = b;

    if (!a || !b)
        return a ? a : b;
    if (timer_is_before(b, a)) {
        top = b;
        low = a;
    }
    low->prev = top;
    low->next = top->child;
    if (top->child)
        top->child->prev = low;
    top->child = low;
    top->next = NULL;
    top->prev = NULL;
    return top;
}

/* Makes one heap of a list of siblings: pairs from left to right, then all pairs from right to
 * left. */
static struct ks_timer *heap_join(struct ks_timer *first)
{
    struct ks_timer *pairs = NULL; /* linked through next, rightmost first */
    struct ks_timer *joined = NULL;

    while (first) {
        struct ks_timer *second = first->next;
        struct ks_timer *rest = second ? second->next : NULL;
        struct ks_timer *pair;

        first->next = NULL;
        first->prev = NULL;
        if (second) {
            second->next = NULL;
            second->prev = NULL;
        }
        pair = heap_merge(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs) {
        struct ks_timer *rest = pairs->next;

        pairs->next = NULL;
        joined = heap_merge(joined, pairs);
        pairs = rest;
    }
    return joined;
}

void ks_heap_push(struct ks_timer **root, struct ks_timer *timer)
{
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
    *root = heap_merge(*root, timer);
}

void ks_heap_remove(struct ks_timer **root, struct ks_timer *timer)
{
    struct ks_timer *below = heap_join(timer->child);

    if (timer == *root) {
        *root = below;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        *root = heap_merge(*root, below);
    }
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
}
