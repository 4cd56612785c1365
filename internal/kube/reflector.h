/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reflector: mirrors one collection of the API server by list and watch. shared/spec: informers 1.
 *
 * Thread: the loop's.  Owns: its request and its resume position.  Borrows: the client (must
 * outlive it). Limits: one event or list item of at most 16 MiB; one list page at a time. Strings
 * of the configuration are copied.
 *
 * Guarantees, in order of importance:
 *   1. every object is reported at least once after start, and again after each change;
 *   2. nothing is reported gone on an incomplete list: a sync that did not complete sweeps nothing;
 *   3. changes of one object arrive in order; changes of different objects may not;
 *   4. no callback after ks_reflector_free returns.
 */
#ifndef KS_KUBE_REFLECTOR_H
#define KS_KUBE_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "kube/client.h"
#include "kube/gvk.h"

struct ks_reflector;

/* What can be said of the collection as a whole. */
typedef enum {
    KS_SOURCE_SYNCING, /* no complete state yet */
    KS_SOURCE_FRESH,   /* synced, watch established */
    KS_SOURCE_STALE,   /* synced once, now not confirmed: disconnected, refused, overloaded; healing
                          by itself */
    KS_SOURCE_DENIED,  /* 403; tried again, <= 60 s apart */
    KS_SOURCE_ABSENT,  /* 404: the server does not serve this collection (any more) */
    KS_SOURCE_UNAUTHENTICATED, /* 401 that a refresh did not mend */
    KS_SOURCE_FAILED, /* refused for a reason that repeating will not mend (400, 405, 422 on a
                         selector, ...) */
} ks_source_state;
const char *ks_source_state_text(ks_source_state state);

struct ks_reflector_ops {
    /* Whether an object of this name is wanted at all; asked before it is parsed. NULL: all are. */
    bool (*wants)(void *ctx, struct ks_str ns, struct ks_str name);
    /* An object as listed or as a watch event brought it; lent for the call. deletionTimestamp is
     * not a deletion. */
    void (*on_object)(void *ctx, struct ks_json_value object);
    /* A watch event told that it is gone (or left the selector): its last state, lent. */
    void (*on_deleted)(void *ctx, struct ks_json_value object);
    /* An object that cannot be read (too big, too deep, no JSON). The name is empty when it is not
     * known either. */
    void (*on_bad_object)(void *ctx, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err);
    /* A watch event told that an object is gone whose last state cannot be read. NULL: a sync is
     * made instead. */
    void (*on_bad_deleted)(void *ctx, struct ks_str ns, struct ks_str name,
                           struct ks_str resource_version);
    /* A sync starts: what follows up to on_sync_end confirms objects. */
    void (*on_sync_begin)(void *ctx);
    /* The sync is complete: what it did not confirm is gone. */
    void (*on_sync_end)(void *ctx);
    /* The server's state was replaced, by an older one or by another world: the resource versions
     * that came before do not compare with those that come. A whole sync follows. May be NULL. */
    void (*on_reset)(void *ctx);
    /* Called when the state changes, or its reason does. err is NULL for FRESH, and for SYNCING as
     * long as nothing has failed. */
    void (*on_state)(void *ctx, ks_source_state state, const struct ks_error *err);
};

struct ks_reflector_config {
    struct ks_resource *resource; /* a reference is taken */
    struct ks_str ns;             /* empty: all namespaces, or a cluster-scoped resource */
    struct ks_str name; /* not empty: metadata.name=<name>: list + watch, no streaming list */
    struct ks_str label_selector; /* validated by the caller */
    struct ks_str field_selector;
};

/* KS_RC_INVALID when the namespace or name cannot stand in a URL. */
KS_MUST_USE ks_rc ks_reflector_new(struct ks_kube *kube, const struct ks_reflector_config *config,
                                   const struct ks_reflector_ops *ops, void *ctx,
                                   struct ks_reflector **out, struct ks_error *err);
/* Callbacks never come from within the call. Once. */
void ks_reflector_start(struct ks_reflector *r);
/* How far it has come: the resource version of the last sync or event; empty: not known. */
struct ks_str ks_reflector_version(const struct ks_reflector *r);
/* Allowed within its own callbacks (T6: the callback's caller does not touch the reflector
 * afterwards). Returns NULL; NULL is allowed. */
struct ks_reflector *ks_reflector_free(struct ks_reflector *r);

#endif
