/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table is a sorted array of the objects' current revisions, a ring of its latest events, and its
 * listeners.
 *
 * The model: an object's state is immutable and shared: by the table, by the events that made and
 * ended it, by the lists and watches that are sending it. Nothing is copied for a watch, and
 * nothing queues for one: a watch keeps a position in the ring, and one that falls out of the ring
 * has lost its place, as with the real server.
 *
 * 1. objects[] is sorted by key (namespace/name), byte-wise, as etcd's keys are.
 * 2. Events of a table have consecutive numbers and growing resourceVersions; the ring holds
 * [first, end).
 * 3. window_rv is the rv of the newest event that has left the ring, or that compaction declared
 * lost.
 * 4. Listeners are called after the table has changed, and may not change it.
 *
 * Thread: one. What is inside a body is object.c's business.
 */
#include "store.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

#define STORE_OBJECTS_MAX ((size_t)1 << 20)
#define STORE_TABLES_MAX 4096
#define STORE_KEYS_MAX ((size_t)1 << 20)

struct sim_keyed {
    struct ks_list head;
    char *key;
};

struct sim_table {
    struct sim_store *store;
    char *name;
    struct sim_rev **objects;
    size_t objects_len;
    size_t objects_cap;
    struct sim_event *ring;
    size_t ring_cap;
    uint64_t first;
    uint64_t end;
    uint64_t window_rv;
    struct ks_list listeners;
    struct ks_map *by_key; /* struct sim_keyed */
};

struct sim_store {
    struct ks_map *tables;
    uint64_t rv;
    size_t history;
    size_t objects;
    void (*on_change)(void *ctx);
    void *ctx;
};

struct sim_rev *sim_rev_ref(struct sim_rev *r)
{
    r->refs++;
    return r;
}

void sim_rev_unref(struct sim_rev *r)
{
    if (r && --r->refs == 0)
        ks_free(r);
}

ks_rc sim_store_new(size_t history, struct sim_store **out, struct ks_error *err)
{
    struct sim_store *s = ks_alloc0(sizeof(*s));

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "store");
    s->history = history;
    s->rv =
        1; /* an object's resourceVersion is never "0" or "1": both have a meaning of their own */
    s->tables = ks_map_new(STORE_TABLES_MAX);
    if (!s->tables) {
        ks_free(s);
        return ks_fail(err, KS_RC_NOMEM, "store");
    }
    *out = s;
    return KS_RC_OK;
}

static void event_fini(struct sim_event *e)
{
    sim_rev_unref(e->now);
    sim_rev_unref(e->before);
    sim_rev_unref(e->left);
    memset(e, 0, sizeof(*e));
}

static void ring_drop_oldest(struct sim_table *t)
{
    struct sim_event *e = sim_table_event(t, t->first);

    if (e->rv > t->window_rv)
        t->window_rv = e->rv;
    event_fini(e);
    t->first++;
}

static void keyed_free(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    struct sim_keyed *k = value;

    ks_free(k->key);
    ks_free(k);
}

static void table_free(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    struct sim_table *t = value;

    while (t->first < t->end)
        ring_drop_oldest(t);
    for (size_t i = 0; i < t->objects_len; i++)
        sim_rev_unref(t->objects[i]);
    if (t->by_key)
        ks_map_foreach(t->by_key, keyed_free, NULL);
    ks_map_free(t->by_key);
    ks_free(t->objects);
    ks_free(t->ring);
    ks_free(t->name);
    ks_free(t);
}

struct sim_store *sim_store_free(struct sim_store *s)
{
    if (!s)
        return NULL;
    ks_map_foreach(s->tables, table_free, NULL);
    ks_map_free(s->tables);
    ks_free(s);
    return NULL;
}

uint64_t sim_store_rv(const struct sim_store *s)
{
    return s->rv;
}

uint64_t sim_store_next_rv(const struct sim_store *s)
{
    return s->rv + 1;
}

void sim_store_set_hook(struct sim_store *s, void (*on_change)(void *ctx), void *ctx)
{
    s->on_change = on_change;
    s->ctx = ctx;
}

size_t sim_store_objects(const struct sim_store *s)
{
    return s->objects;
}

void sim_table_seal(struct sim_table *t)
{
    t->window_rv = t->store->rv;
}

/* What running watches have not read yet stays, as in the real server's watch cache. */
static void table_compact(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    sim_table_seal(value);
}

void sim_store_compact(struct sim_store *s)
{
    ks_map_foreach(s->tables, table_compact, NULL);
}

struct sim_table *sim_store_table(struct sim_store *s, const char *name)
{
    struct sim_table *t = ks_map_find(s->tables, ks_str_from(name));

    if (t)
        return t;
    t = ks_alloc0(sizeof(*t));
    if (!t)
        return NULL;
    t->store = s;
    t->window_rv = s->rv;
    ks_list_init(&t->listeners);
    t->name = ks_strdup(name);
    t->by_key = ks_map_new(STORE_KEYS_MAX);
    if (t->name && t->by_key && !ks_map_put(s->tables, ks_str_from(t->name), t))
        return t;
    table_free(NULL, KS_LIT(""), t);
    return NULL;
}

size_t sim_table_lower_bound(const struct sim_table *t, struct ks_str key)
{
    size_t lo = 0;
    size_t hi = t->objects_len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (ks_str_cmp(t->objects[mid]->key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct sim_rev *sim_table_find(const struct sim_table *t, struct ks_str key)
{
    size_t i = sim_table_lower_bound(t, key);

    return i < t->objects_len && ks_str_eq(t->objects[i]->key, key) ? t->objects[i] : NULL;
}

size_t sim_table_count(const struct sim_table *t)
{
    return t->objects_len;
}

struct sim_rev *sim_table_at(const struct sim_table *t, size_t i)
{
    return t->objects[i];
}

uint64_t sim_table_events_first(const struct sim_table *t)
{
    return t->first;
}

uint64_t sim_table_events_end(const struct sim_table *t)
{
    return t->end;
}

uint64_t sim_table_window_rv(const struct sim_table *t)
{
    return t->window_rv;
}

struct sim_event *sim_table_event(struct sim_table *t, uint64_t number)
{
    assert(number >= t->first && number < t->end);
    return &t->ring[number % t->ring_cap];
}

uint64_t sim_table_events_after(const struct sim_table *t, uint64_t rv)
{
    uint64_t lo = t->first;
    uint64_t hi = t->end;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;

        if (t->ring[mid % t->ring_cap].rv <= rv)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Room for one event: the ring grows up to the store's window, then drops its oldest. */
static ks_rc ring_make_room(struct sim_table *t)
{
    size_t used = (size_t)(t->end - t->first);
    size_t cap = t->ring_cap ? t->ring_cap * 2 : 16;
    struct sim_event *grown;

    if (used < t->ring_cap)
        return KS_RC_OK;
    if (t->ring_cap >= t->store->history) {
        ring_drop_oldest(t);
        return KS_RC_OK;
    }
    if (cap > t->store->history)
        cap = t->store->history;
    grown = ks_alloc_array(cap, sizeof(*grown));
    if (!grown)
        return KS_RC_NOMEM;
    for (uint64_t i = t->first; i < t->end; i++)
        grown[i % cap] = t->ring[i % t->ring_cap];
    ks_free(t->ring);
    t->ring = grown;
    t->ring_cap = cap;
    return KS_RC_OK;
}

static ks_rc objects_make_room(struct sim_table *t)
{
    size_t cap = t->objects_cap ? t->objects_cap * 2 : 16;
    struct sim_rev **grown;

    if (t->objects_len < t->objects_cap)
        return KS_RC_OK;
    grown = ks_realloc_array(t->objects, cap, sizeof(struct sim_rev *));
    if (!grown)
        return KS_RC_NOMEM;
    t->objects = grown;
    t->objects_cap = cap;
    return KS_RC_OK;
}

static void listeners_call(struct sim_table *t, struct ks_list *head, const struct sim_event *e)
{
    KS_LIST_FOREACH(link, head)
    {
        struct sim_listener *l = KS_CONTAINER_OF(link, struct sim_listener, link);

        l->on_event(l, t, e);
    }
}

/* The event takes over both references. */
static void event_emit(struct sim_table *t, enum sim_change change, struct sim_rev *now,
                       struct sim_rev *before)
{
    struct sim_event *e = &t->ring[t->end % t->ring_cap];
    struct sim_keyed *keyed;

    t->end++;
    t->store->rv = now->rv;
    *e = (struct sim_event){.change = change, .rv = now->rv, .now = now, .before = before};
    listeners_call(t, &t->listeners, e);
    keyed = ks_map_find(t->by_key, now->key);
    if (keyed)
        listeners_call(t, &keyed->head, e);
    if (t->store->on_change)
        t->store->on_change(t->store->ctx);
}

static ks_rc put_prepare(struct sim_table *t, bool is_new)
{
    ks_rc rc;

    if (is_new && t->store->objects >= STORE_OBJECTS_MAX)
        return KS_RC_LIMIT;
    if (is_new) {
        rc = objects_make_room(t);
        if (rc)
            return rc;
    }
    return ring_make_room(t);
}

ks_rc sim_table_put(struct sim_table *t, struct sim_rev *rev)
{
    size_t i = sim_table_lower_bound(t, rev->key);
    bool is_new = i == t->objects_len || !ks_str_eq(t->objects[i]->key, rev->key);
    ks_rc rc = put_prepare(t, is_new);

    assert(rev->rv > t->store->rv);
    if (rc) {
        sim_rev_unref(rev);
        return rc;
    }
    if (is_new) {
        memmove(t->objects + i + 1, t->objects + i,
                (t->objects_len - i) * sizeof(struct sim_rev *));
        t->objects[i] = sim_rev_ref(rev);
        t->objects_len++;
        t->store->objects++;
        event_emit(t, SIM_ADDED, rev, NULL);
    } else {
        struct sim_rev *before = t->objects[i];

        t->objects[i] = sim_rev_ref(rev);
        event_emit(t, SIM_MODIFIED, rev, before);
    }
    return KS_RC_OK;
}

ks_rc sim_table_remove(struct sim_table *t, struct sim_rev *last)
{
    size_t i = sim_table_lower_bound(t, last->key);
    struct sim_rev *before;
    ks_rc rc = ring_make_room(t);

    if (!rc && (i == t->objects_len || !ks_str_eq(t->objects[i]->key, last->key)))
        rc = KS_RC_NOTFOUND;
    if (rc) {
        sim_rev_unref(last);
        return rc;
    }
    before = t->objects[i];
    memmove(t->objects + i, t->objects + i + 1,
            (t->objects_len - i - 1) * sizeof(struct sim_rev *));
    t->objects_len--;
    t->store->objects--;
    event_emit(t, SIM_DELETED, last, before);
    return KS_RC_OK;
}

void sim_table_listen(struct sim_table *t, struct sim_listener *l)
{
    l->table = t;
    l->keyed = NULL;
    ks_list_push(&t->listeners, &l->link);
}

static struct sim_keyed *keyed_ensure(struct sim_table *t, struct ks_str key)
{
    struct sim_keyed *k = ks_map_find(t->by_key, key);

    if (k)
        return k;
    k = ks_alloc0(sizeof(*k));
    if (!k)
        return NULL;
    ks_list_init(&k->head);
    k->key = ks_str_dup(key);
    if (k->key && !ks_map_put(t->by_key, ks_str_make(k->key, key.len), k))
        return k;
    keyed_free(NULL, key, k);
    return NULL;
}

ks_rc sim_table_listen_key(struct sim_table *t, struct ks_str key, struct sim_listener *l)
{
    struct sim_keyed *k = keyed_ensure(t, key);

    if (!k)
        return KS_RC_NOMEM;
    l->table = t;
    l->keyed = k;
    ks_list_push(&k->head, &l->link);
    return KS_RC_OK;
}

void sim_listener_stop(struct sim_listener *l)
{
    struct sim_keyed *k = l->keyed;

    ks_list_remove(&l->link);
    l->keyed = NULL;
    if (!k || !ks_list_is_empty(&k->head))
        return;
    ks_map_remove(l->table->by_key, ks_str_from(k->key));
    keyed_free(NULL, KS_LIT(""), k);
}
