/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table as it was at an earlier resourceVersion.
 *
 * The model: start from the present and undo. Of the events behind rv, the oldest one of each key
 * tells the state at rv (its `before`). Those states make an overlay, sorted by key; merging it
 * over the present gives the past.
 *
 * 1. Cost is the range plus the events behind rv, not the whole history.
 * 2. What history no longer holds is KS_RC_GONE, never a guess.
 *
 * Thread: one.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "store.h"

struct undo {
    struct ks_str key;
    struct sim_rev *state; /* NULL: it did not exist */
    uint64_t order;
};

static int undo_compare(const void *a, const void *b)
{
    const struct undo *x = a;
    const struct undo *y = b;
    int c = ks_str_cmp(x->key, y->key);

    if (c != 0)
        return c;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool in_range(struct ks_str key, struct ks_str lo, struct ks_str hi)
{
    return ks_str_cmp(key, lo) >= 0 && (hi.len == 0 || ks_str_cmp(key, hi) < 0);
}

/* The overlay for events behind rv within the range, one entry a key; NULL with *out_len 0 when
 * there is none. */
static ks_rc undo_collect(struct sim_table *t, uint64_t rv, const struct ks_str range[2],
                          struct undo **out, size_t *out_len)
{
    uint64_t from = sim_table_events_after(t, rv);
    uint64_t end = sim_table_events_end(t);
    struct undo *undo;
    size_t n = 0;
    size_t kept = 0;

    *out = NULL;
    *out_len = 0;
    if (from == end)
        return KS_RC_OK;
    undo = ks_alloc_array((size_t)(end - from), sizeof(*undo));
    if (!undo)
        return KS_RC_NOMEM;
    for (uint64_t i = from; i < end; i++) {
        const struct sim_event *e = sim_table_event(t, i);

        if (in_range(e->now->key, range[0], range[1]))
            undo[n++] = (struct undo){.key = e->now->key, .state = e->before, .order = i};
    }
    qsort(undo, n, sizeof(*undo), undo_compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !ks_str_eq(undo[kept - 1].key, undo[i].key))
            undo[kept++] = undo[i];
    }
    *out = undo;
    *out_len = kept;
    return KS_RC_OK;
}

static void snapshot_add(struct sim_snapshot *s, struct sim_rev *rev)
{
    if (rev)
        s->revs[s->len++] = sim_rev_ref(rev);
}

/* Merges both sorted sequences; the overlay wins where keys are equal. */
static void merge(const struct sim_table *t, const size_t present[2], const struct undo *undo,
                  size_t undo_len, struct sim_snapshot *out)
{
    size_t i = present[0];
    size_t u = 0;

    while (i < present[1] || u < undo_len) {
        int c;

        if (i == present[1])
            c = 1;
        else if (u == undo_len)
            c = -1;
        else
            c = ks_str_cmp(sim_table_at(t, i)->key, undo[u].key);
        if (c < 0) {
            snapshot_add(out, sim_table_at(t, i++));
            continue;
        }
        snapshot_add(out, undo[u++].state);
        if (c == 0)
            i++;
    }
}

ks_rc sim_table_snapshot(struct sim_table *t, uint64_t rv, struct ks_str lo, struct ks_str hi,
                         struct sim_snapshot *out)
{
    const struct ks_str range[2] = {lo, hi};
    size_t present[2] = {sim_table_lower_bound(t, lo),
                         hi.len ? sim_table_lower_bound(t, hi) : sim_table_count(t)};
    struct sim_snapshot s = {.len = 0};
    struct undo *undo;
    size_t undo_len;
    ks_rc rc;

    if (rv < sim_table_window_rv(t))
        return KS_RC_GONE;
    rc = undo_collect(t, rv, range, &undo, &undo_len);
    if (rc)
        return rc;
    s.revs = ks_alloc_array(present[1] - present[0] + undo_len + 1, sizeof(struct sim_rev *));
    if (!s.revs) {
        ks_free(undo);
        return KS_RC_NOMEM;
    }
    merge(t, present, undo, undo_len, &s);
    ks_free(undo);
    *out = s;
    return KS_RC_OK;
}

void sim_snapshot_fini(struct sim_snapshot *s)
{
    for (size_t i = 0; i < s->len; i++)
        sim_rev_unref(s->revs[i]);
    ks_free(s->revs);
    *s = (struct sim_snapshot){.len = 0};
}
