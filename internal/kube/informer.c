/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Informer: what a reflector reports, against the store of what is known. shared/spec: informers 2.
 *
 * The model: `generation` counts syncs. What a sync confirms is stamped with its generation; at the
 * sync's end whatever carries an older stamp is gone. Between sync begin and end some records are
 * confirmed and others not, and only a complete sync tells them apart.
 *
 * Invariants:
 *   1. A record's address is the owner's handle from its first on_upsert to its on_gone.
 *   2. One name, one record; another UID under the name is told as gone and then as new.
 *   3. During a sync what comes wins, whatever its version: after a restore of etcd smaller
 *      versions are the truth. Outside a sync, a version older than the record's is a replay and is
 *      dropped, whatever its UID.
 *   4. A sync in which some object could not be named sweeps nothing.
 *   5. The owner may free the informer in any callback: what is used after a callback is looked at
 *      first.
 *
 * Thread: the loop's.  It does not: parse, talk to servers, or know what an owner hangs on a
 * record.
 */
#include "kube/informer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/plant.h"
#include "kube/rv.h"
#include "kube/store.h"
#include "kube/watch_decode.h"

struct ks_informer {
    struct ks_reflector *reflector; /* NULL when freed and waiting for its last pin */
    const struct ks_informer_ops *ops;
    void *ctx;
    const struct ks_str *names;
    size_t name_count;
    struct ks_store store;
    uint32_t generation;
    uint32_t unnamed; /* objects of this sync that nobody could name */
    unsigned pins;
    ks_source_state source;
    bool is_syncing; /* between a sync's begin and its end */
    bool has_synced;
    bool is_limit_told; /* since the last sync's begin */
};

static bool is_closed(const struct ks_informer *informer)
{
    return !informer->reflector;
}

static void pin(struct ks_informer *informer)
{
    informer->pins++;
}

static void unpin(struct ks_informer *informer)
{
    if (--informer->pins == 0 && is_closed(informer))
        ks_free(informer);
}

static int compare_names(const void *a, const void *b)
{
    return ks_str_cmp(*(const struct ks_str *)a, *(const struct ks_str *)b);
}

static bool on_wants(void *ctx, struct ks_str ns, struct ks_str name)
{
    const struct ks_informer *informer = ctx;

    (void)ns; /* names are of one namespace */
    return bsearch(&name, informer->names, informer->name_count, sizeof(name), compare_names);
}

static void tell_limit(struct ks_informer *informer)
{
    if (informer->is_limit_told)
        return;
    informer->is_limit_told = true;
    informer->ops->on_limit(informer->ctx);
}

/* Takes the record out and tells it; the informer may be gone afterwards. */
static void drop(struct ks_informer *informer, struct ks_record *record, ks_gone how)
{
    ks_store_remove(&informer->store, record);
    informer->ops->on_gone(informer->ctx, record, how);
    ks_store_release(record);
}

/* Whether what comes was overtaken by what is known, be it of the same object or of its
 * predecessor. */
static bool is_replay(const struct ks_informer *informer, const struct ks_record *record,
                      const struct ks_identity *id)
{
    return !informer->is_syncing && ks_rv_is_older(id->resource_version, record->resource_version);
}

/* The versions that are known are of another world than those that come. */
static void forget_versions(struct ks_informer *informer)
{
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;

    while ((record = ks_store_next(&informer->store, &cursor)))
        record->resource_version.len = 0;
    if (informer->ops->on_reset)
        informer->ops->on_reset(informer->ctx);
}

/* A list is never older than what was told before it. In one world an object's version only grows,
 * and who follows under its name is younger still: a smaller one is of another world. */
static bool is_of_other_world(const struct ks_informer *informer, const struct ks_record *record,
                              const struct ks_identity *id)
{
    return informer->is_syncing && ks_rv_is_older(id->resource_version, record->resource_version);
}

/* Stamps the record and tells whether the object is news. */
static bool confirm(struct ks_informer *informer, struct ks_record *record,
                    const struct ks_identity *id)
{
    if (!KS_PLANTED(3))
        ks_store_set_generation(record, informer->generation);
    return !id->resource_version.len || !ks_str_eq(record->resource_version, id->resource_version);
}

static struct ks_record *add(struct ks_informer *informer, const struct ks_identity *id)
{
    struct ks_record *record;
    ks_rc rc = ks_store_add(&informer->store, id->ns, id->name, id->uid, &record);

    if (rc) {
        /* Out of memory is a ceiling too: what cannot be kept is told the same way. */
        tell_limit(informer);
        return NULL;
    }
    ks_store_set_generation(record, informer->generation);
    return record;
}

static void upsert(struct ks_informer *informer, const struct ks_identity *id,
                   struct ks_json_value object)
{
    struct ks_record *record = ks_store_find(&informer->store, id->ns, id->name);

    if (record && is_replay(informer, record, id))
        return;
    if (record && is_of_other_world(informer, record, id))
        forget_versions(informer);
    if (record && !ks_str_eq(record->uid, id->uid) && !KS_PLANTED(2)) {
        drop(informer, record, KS_GONE_REPLACED);
        record = NULL;
        if (is_closed(informer))
            return;
    }
    if (record && !confirm(informer, record, id))
        return;
    if (!record)
        record = add(informer, id);
    if (!record)
        return;
    /* Without memory for the version the record keeps an old one: the next event is told once more
     * than needed. */
    if (ks_store_set_rv(record, id->resource_version))
        record->resource_version.len = 0;
    informer->ops->on_upsert(informer->ctx, record, object);
}

static void on_object(void *ctx, struct ks_json_value object)
{
    struct ks_informer *informer = ctx;
    struct ks_identity id;

    if (!ks_identity_of(object, &id))
        return;
    pin(informer);
    upsert(informer, &id, object);
    unpin(informer);
}

static void on_deleted(void *ctx, struct ks_json_value object)
{
    struct ks_informer *informer = ctx;
    struct ks_identity id;
    struct ks_record *record;

    if (!ks_identity_of(object, &id))
        return;
    record = ks_store_find(&informer->store, id.ns, id.name);
    /* A predecessor's end, or a replay of what has been told. */
    if (!record || !ks_str_eq(record->uid, id.uid) ||
        ks_rv_is_older(id.resource_version, record->resource_version))
        return;
    pin(informer);
    drop(informer, record, KS_GONE_SEEN);
    unpin(informer);
}

static void on_bad_object(void *ctx, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err)
{
    struct ks_informer *informer = ctx;
    struct ks_record *record = name.len ? ks_store_find(&informer->store, ns, name) : NULL;

    if (record)
        ks_store_set_generation(record, informer->generation);
    if (!name.len)
        informer->unnamed++;
    informer->ops->on_bad_object(informer->ctx, record, ns, name, err);
}

static void on_bad_deleted(void *ctx, struct ks_str ns, struct ks_str name,
                           struct ks_str resource_version)
{
    struct ks_informer *informer = ctx;
    struct ks_record *record = ks_store_find(&informer->store, ns, name);

    if (record && ks_rv_is_older(resource_version, record->resource_version))
        return;
    pin(informer);
    if (record)
        drop(informer, record, KS_GONE_SEEN);
    else if (informer->ops->on_bad_gone)
        informer->ops->on_bad_gone(informer->ctx, ns, name);
    unpin(informer);
}

static void on_sync_begin(void *ctx)
{
    struct ks_informer *informer = ctx;

    informer->generation++;
    informer->unnamed = 0;
    informer->is_syncing = true;
    informer->is_limit_told = false;
}

static void sweep(struct ks_informer *informer)
{
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;

    while ((record = ks_store_next(&informer->store, &cursor))) {
        if (ks_store_generation(record) == informer->generation)
            continue;
        drop(informer, record, KS_GONE_MISSED);
        if (is_closed(informer))
            return;
    }
}

static void on_sync_end(void *ctx)
{
    struct ks_informer *informer = ctx;

    pin(informer);
    informer->is_syncing = false;
    if (informer->unnamed == 0 && !KS_PLANTED(1))
        sweep(informer);
    if (!is_closed(informer) && !informer->has_synced) {
        informer->has_synced = true;
        informer->ops->on_synced(informer->ctx);
    }
    unpin(informer);
}

static void on_reset(void *ctx)
{
    forget_versions(ctx);
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err)
{
    struct ks_informer *informer = ctx;

    informer->source = state;
    informer->ops->on_state(informer->ctx, state, err);
}

#define REFLECTOR_OPS                                                                              \
    .on_object = on_object, .on_deleted = on_deleted, .on_bad_object = on_bad_object,              \
    .on_bad_deleted = on_bad_deleted, .on_sync_begin = on_sync_begin, .on_sync_end = on_sync_end,  \
    .on_reset = on_reset, .on_state = on_state

static const struct ks_reflector_ops ops_for_all = {REFLECTOR_OPS};
static const struct ks_reflector_ops ops_for_names = {.wants = on_wants, REFLECTOR_OPS};

ks_rc ks_informer_new(struct ks_kube *kube, const struct ks_informer_config *config,
                      const struct ks_informer_ops *ops, void *ctx, struct ks_informer **out,
                      struct ks_error *err)
{
    struct ks_informer *informer = ks_alloc0(sizeof(*informer));
    ks_rc rc;

    if (!informer)
        return ks_fail(err, KS_RC_NOMEM, "no memory for an informer");
    informer->ops = ops;
    informer->ctx = ctx;
    informer->names = config->names;
    informer->name_count = config->name_count;
    informer->source = KS_SOURCE_SYNCING;
    ks_store_init(&informer->store, config->max_objects);
    rc = ks_reflector_new(kube, &config->source, config->names ? &ops_for_names : &ops_for_all,
                          informer, &informer->reflector, err);
    if (rc) {
        ks_free(informer);
        return rc;
    }
    *out = informer;
    return KS_RC_OK;
}

void ks_informer_start(struct ks_informer *informer)
{
    ks_reflector_start(informer->reflector);
}

struct ks_informer *ks_informer_free(struct ks_informer *informer,
                                     void (*on_release)(void *ctx, struct ks_record *record))
{
    if (!informer)
        return NULL;
    assert(!is_closed(informer));
    pin(informer);
    informer->reflector = ks_reflector_free(informer->reflector);
    if (on_release)
        ks_informer_foreach(informer, on_release, informer->ctx);
    ks_store_fini(&informer->store);
    unpin(informer);
    return NULL;
}

bool ks_informer_is_synced(const struct ks_informer *informer)
{
    return informer->has_synced;
}

struct ks_str ks_informer_version(const struct ks_informer *informer)
{
    return ks_reflector_version(informer->reflector);
}

ks_source_state ks_informer_state(const struct ks_informer *informer)
{
    return informer->source;
}

size_t ks_informer_count(const struct ks_informer *informer)
{
    return ks_store_count(&informer->store);
}

struct ks_record *ks_informer_find(const struct ks_informer *informer, struct ks_str ns,
                                   struct ks_str name)
{
    return ks_store_find(&informer->store, ns, name);
}

void ks_informer_foreach(struct ks_informer *informer,
                         void (*fn)(void *ctx, struct ks_record *record), void *ctx)
{
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;

    while ((record = ks_store_next(&informer->store, &cursor)))
        fn(ctx, record);
}
