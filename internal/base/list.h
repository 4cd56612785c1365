/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list. A head and a link are the same struct; an empty head points to
 * itself, and a link that is in no list too, so that ks_list_remove is idempotent.
 *
 * Thread: one at a time.  Owns: nothing.
 */
#ifndef KS_BASE_LIST_H
#define KS_BASE_LIST_H

#include <stdbool.h>

#include "base/base.h"

struct ks_list {
    struct ks_list *next;
    struct ks_list *prev;
};

static inline void ks_list_init(struct ks_list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool ks_list_is_empty(const struct ks_list *l)
{
    return l->next == l;
}

/* Adds at the end. */
static inline void ks_list_push(struct ks_list *head, struct ks_list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void ks_list_remove(struct ks_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    ks_list_init(link);
}

/* Removes and returns the first link; NULL when empty. */
static inline struct ks_list *ks_list_pop(struct ks_list *head)
{
    struct ks_list *first = head->next;

    if (first == head)
        return NULL;
    ks_list_remove(first);
    return first;
}

/* Moves all links of from (order kept) to the end of to. */
static inline void ks_list_splice(struct ks_list *to, struct ks_list *from)
{
    if (ks_list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    ks_list_init(from);
}

/* The body may remove `pos`, nothing else. */
#define KS_LIST_FOREACH(pos, head)                                                                 \
    for (struct ks_list *pos = (head)->next, *ks_next_ = pos->next; pos != (head);                 \
         pos = ks_next_, ks_next_ = pos->next)

#endif
