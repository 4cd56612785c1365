/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects, their history, and who wants to hear of changes.
 *
 * Thread: one.  Owns: tables and revisions (reference-counted, immutable).  Limits:
 * STORE_OBJECTS_MAX objects and the history window (set when the store is made) events in each
 * table.
 *
 * One counter numbers all changes of all tables, as etcd does: the resourceVersion.
 */
#ifndef KUBESIM_STORE_H
#define KUBESIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

struct sim_store;
struct sim_table;

struct sim_pair {
    struct ks_str key;
    struct ks_str value;
};

/* One state of one object. Everything lies in one block of memory. */
struct sim_rev {
    unsigned refs;
    uint64_t rv;
    struct ks_str key;  /* "namespace/name", or "name" */
    struct ks_str ns;   /* part of key; empty for cluster scope */
    struct ks_str name; /* part of key */
    struct ks_str uid;
    struct ks_str body;     /* JSON object without the fields that sim_resource.prefix brings */
    struct ks_str metadata; /* part of body: the value of "metadata" */
    const struct sim_pair *labels;
    size_t labels_len;
    const struct sim_pair *fields; /* what field selectors may ask for, beyond name and namespace */
    size_t fields_len;
};

struct sim_rev *sim_rev_ref(struct sim_rev *r);
void sim_rev_unref(struct sim_rev *r); /* NULL is allowed */

enum sim_change { SIM_ADDED, SIM_MODIFIED, SIM_DELETED };

struct sim_event {
    enum sim_change change;
    uint64_t rv;
    struct sim_rev *now;    /* for SIM_DELETED: the last state, with the deletion's rv */
    struct sim_rev *before; /* NULL for SIM_ADDED */
    struct sim_rev *left;   /* the state before with this event's rv, made on demand */
};

/* Told of each event of a table. It may not change the table, nor stop a listener, while it is
 * told. */
struct sim_listener {
    struct ks_list link;
    void (*on_event)(struct sim_listener *l, struct sim_table *t, const struct sim_event *e);
    /* private */
    struct sim_table *table;
    struct sim_keyed *keyed;
};

KS_MUST_USE ks_rc sim_store_new(size_t history, struct sim_store **out, struct ks_error *err);
struct sim_store *sim_store_free(struct sim_store *s);
uint64_t sim_store_rv(const struct sim_store *s);
/* What the next change must put into its object. */
uint64_t sim_store_next_rv(const struct sim_store *s);
/* Called after each change. */
void sim_store_set_hook(struct sim_store *s, void (*on_change)(void *ctx), void *ctx);
/* Forgets all history up to now: older resourceVersions are gone. */
void sim_store_compact(struct sim_store *s);
size_t sim_store_objects(const struct sim_store *s);

/* The table of "group/plural", made on the first call; NULL when memory is short. Lives as long as
 * the store. */
struct sim_table *sim_store_table(struct sim_store *s, const char *name);

/* NULL when absent; a borrowed reference. */
struct sim_rev *sim_table_find(const struct sim_table *t, struct ks_str key);
/*
 * Puts an object's new state (taken; its rv must be sim_store_next_rv) in, as ADDED or MODIFIED.
 * The state before is found by key. KS_RC_LIMIT, KS_RC_NOMEM: nothing has changed, rev is given
 * back.
 */
KS_MUST_USE ks_rc sim_table_put(struct sim_table *t, struct sim_rev *rev);
/* Takes the object out; last (taken) is its last state with the deletion's rv. */
KS_MUST_USE ks_rc sim_table_remove(struct sim_table *t, struct sim_rev *last);

/* From now on nothing up to now can be resumed from, though running watches may still read it (a
 * CRD was removed). */
void sim_table_seal(struct sim_table *t);
size_t sim_table_count(const struct sim_table *t);
/* The position of the first object whose key is >= key. */
size_t sim_table_lower_bound(const struct sim_table *t, struct ks_str key);
struct sim_rev *sim_table_at(const struct sim_table *t, size_t i);

/* History: events have consecutive numbers; those in [first, end) are still there. */
uint64_t sim_table_events_first(const struct sim_table *t);
uint64_t sim_table_events_end(const struct sim_table *t);
struct sim_event *sim_table_event(struct sim_table *t, uint64_t number);
/* The number of the first event with an rv above it. */
uint64_t sim_table_events_after(const struct sim_table *t, uint64_t rv);
/* The highest resourceVersion that can no longer be resumed from; resuming from it or above works.
 */
uint64_t sim_table_window_rv(const struct sim_table *t);

/*
 * The objects with lo <= key < hi (hi empty: no end) as they were at rv, in key order; references
 * are the caller's. KS_RC_GONE when history does not reach back that far.
 */
struct sim_snapshot {
    struct sim_rev **revs;
    size_t len;
};
KS_MUST_USE ks_rc sim_table_snapshot(struct sim_table *t, uint64_t rv, struct ks_str lo,
                                     struct ks_str hi, struct sim_snapshot *out);
void sim_snapshot_fini(struct sim_snapshot *s);

void sim_table_listen(struct sim_table *t, struct sim_listener *l);
/* Only events of that key. KS_RC_NOMEM. */
KS_MUST_USE ks_rc sim_table_listen_key(struct sim_table *t, struct ks_str key,
                                       struct sim_listener *l);
void sim_listener_stop(struct sim_listener *l);

#endif
