/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Informer: a reflector and the store of small records it keeps: identity and what the owner hangs
 * on it, never the object. Turns syncs into deletions by sweeping, filters duplicates and older
 * versions, tells delete-and-recreate apart by UID. shared/spec: informers 2.
 *
 * Thread: the loop's.  Owns: the records.  Limits: max_objects; beyond it on_limit is called once
 * per sync and further objects are not kept.
 */
#ifndef KS_KUBE_INFORMER_H
#define KS_KUBE_INFORMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "kube/reflector.h"

struct ks_informer;

/* One object, about 120 bytes and its strings. Read-only for the owner but for `user`. */
struct ks_record {
    struct ks_str ns;
    struct ks_str name;
    struct ks_str uid;
    struct ks_str resource_version;
    void *user; /* the owner's; NULL in a new record */
};

typedef enum {
    KS_GONE_SEEN,     /* a watch event told it: the last state is known */
    KS_GONE_MISSED,   /* a later list did not contain it: it went while we did not look */
    KS_GONE_REPLACED, /* another UID stands under its name; an upsert of the new one follows */
} ks_gone;

struct ks_informer_ops {
    /* New or changed object; both lent for the call. The record stays until on_gone. */
    void (*on_upsert)(void *ctx, struct ks_record *record, struct ks_json_value object);
    /* The record is freed when this returns; the owner frees what it hung on it. */
    void (*on_gone)(void *ctx, struct ks_record *record, ks_gone how);
    /* An object that cannot be read; the record is NULL when there is none for its name. */
    void (*on_bad_object)(void *ctx, struct ks_record *record, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err);
    /* Such an object is gone, or left the selectors, and was never readable: there is no record of
     * it. May be NULL. */
    void (*on_bad_gone)(void *ctx, struct ks_str ns, struct ks_str name);
    /* The first complete state is known and has been reported; once in a life. */
    void (*on_synced)(void *ctx);
    void (*on_state)(void *ctx, ks_source_state state, const struct ks_error *err);
    void (*on_limit)(void *ctx);
    /* The server's state was replaced, by an older one or by another world: resource versions, and
     * what is known to be gone, are from before and prove nothing against what comes. May be NULL;
     * the informer is not freed in it. */
    void (*on_reset)(void *ctx);
};

struct ks_informer_config {
    struct ks_reflector_config source;
    size_t max_objects;
    /* Only these names are kept (a sorted array, borrowed and constant); NULL: all. Others are
     * rejected from their metadata.name before anything else is looked at. */
    const struct ks_str *names;
    size_t name_count;
};

KS_MUST_USE ks_rc ks_informer_new(struct ks_kube *kube, const struct ks_informer_config *config,
                                  const struct ks_informer_ops *ops, void *ctx,
                                  struct ks_informer **out, struct ks_error *err);
void ks_informer_start(struct ks_informer *informer);
/* Frees all records after calling on_release (may be NULL) for each, so that the owner can free
 * what it hung there. Allowed within its own callbacks. No callback but on_release comes from here
 * or later. Returns NULL. */
struct ks_informer *ks_informer_free(struct ks_informer *informer,
                                     void (*on_release)(void *ctx, struct ks_record *record));

bool ks_informer_is_synced(const struct ks_informer *informer);
/* How far it has come: see ks_reflector_version. */
struct ks_str ks_informer_version(const struct ks_informer *informer);
ks_source_state ks_informer_state(const struct ks_informer *informer);
size_t ks_informer_count(const struct ks_informer *informer);
struct ks_record *ks_informer_find(const struct ks_informer *informer, struct ks_str ns,
                                   struct ks_str name);
void ks_informer_foreach(struct ks_informer *informer,
                         void (*fn)(void *ctx, struct ks_record *record), void *ctx);

#endif
