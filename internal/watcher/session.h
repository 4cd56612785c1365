/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: what one Watch or Get call watches, with its own informers. Targets in, events out.
 *
 * Promises, in this order for every session (DESIGN 5):
 *   1. each named object gets a first answer: its status, NotFound once a complete list proves it
 * absent, or Unknown with the reason (forbidden, kind not served, not synced within
 * first_answer_ms);
 *   2. SYNCED comes once, after all first answers;
 *   3. then changes, as they come; equal verdicts are not repeated;
 *   4. a fault of one target stays with that target (TARGET_CHANGE), and heals by itself;
 *   5. deletion is told by evidence; delete and re-create under one name are two facts, told in
 * order;
 *   6. no callback after ks_session_free returns.
 *
 * Thread: the loop's.  Owns: informers, object records, timers.  Borrows: the ks_kube, which must
 * outlive it. Limits: KS_SESSION_MAX_TARGETS, max_objects; beyond max_objects the session ends with
 * KS_RC_LIMIT.
 */
#ifndef KS_WATCHER_SESSION_H
#define KS_WATCHER_SESSION_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/client.h"
#include "watcher/event.h"

#define KS_SESSION_MAX_TARGETS 64
/* Levels of generated objects that are known: CronJob, Job, Pod. */
#define KS_SESSION_MAX_DEPTH 2

struct ks_session;
struct ks_until_config;

typedef enum {
    KS_TARGET_OBJECT,
    KS_TARGET_SELECTOR,
} ks_target_kind;

/* Strings are borrowed for the call that takes them. */
struct ks_target {
    uint32_t target_id;
    ks_target_kind kind;
    /* Which collection: `resource` as a user types it to kubectl, or group + kind with optional
     * version. */
    struct ks_str resource;
    struct ks_str group;
    struct ks_str version;
    struct ks_str object_kind;
    struct ks_str ns;   /* OBJECT: empty for cluster scope, or the configuration's default namespace
                           for a namespaced   kind; SELECTOR: empty for all */
    struct ks_str name; /* OBJECT */
    struct ks_str uid;  /* OBJECT: empty, or the only UID that counts: another one is NotFound for
                           this target */
    struct ks_str label_selector; /* SELECTOR */
    struct ks_str field_selector; /* SELECTOR */
    /* For a vigil: it never holds up the goal; the oldest that counts, of an OBJECT. */
    bool is_best_effort;
    int64_t min_generation; /* 0: any */
    /* Empty: any. That it is there is told even if nothing else is news. */
    struct ks_str min_version;
};

struct ks_session_config {
    const struct ks_target *targets;
    size_t target_count;
    size_t max_objects;      /* 50 000 */
    int64_t first_answer_ms; /* 30 000: a target not synced by then answers Unknown and goes on
                                trying */
    ks_profile profile;
    /* Levels of generated objects (ReplicaSets, Jobs, Pods) that are told of too, as updates with
     * an owner, after the object at the top. They are in no counts and not in the aggregate; when
     * the object at the top goes, they are REMOVED. */
    uint32_t generated_depth;
    bool include_causes;
    bool include_objects; /* updates carry the object's JSON, as last seen (excerpt.h) */
    const struct ks_until_config *until; /* of a vigil (vigil.h); a session has no goal */
};

struct ks_session_ops {
    void (*on_event)(void *ctx, const struct ks_event *event);
    /* The object is dropped: the sink's pointer for it comes back. Also called from
     * ks_session_free. */
    void (*on_forget)(void *ctx, void *sink_slot);
    /* The session cannot go on (LIMIT, NOMEM, UNAUTHENTICATED for a caller's identity). At most
     * once, last; the owner then calls ks_session_free, from within it or later. */
    void (*on_failed)(void *ctx, const struct ks_error *err);
};

/* KS_RC_INVALID when a target is not well-formed; err names the field as "targets[2].object.name".
 * Callbacks never come from within the call. */
KS_MUST_USE ks_rc ks_session_new(struct ks_kube *kube, const struct ks_session_config *config,
                                 const struct ks_session_ops *ops, void *ctx,
                                 struct ks_session **out, struct ks_error *err);
/* Allowed within its own callbacks. Returns NULL; NULL is allowed. */
struct ks_session *ks_session_free(struct ks_session *session);

size_t ks_session_object_count(const struct ks_session *session);
/* How things stand now, as SYNCED tells it once; costs a walk over all objects. */
void ks_session_tally(const struct ks_session *session, struct ks_synced *out);
/* All that has been shown of the objects that are asked about, as updates, in no order. fn must not
 * touch the session. */
void ks_session_each(const struct ks_session *session,
                     void (*fn)(void *ctx, const struct ks_event *update), void *ctx);
/* Whether an object is there, of a target that is no best_effort, of which nothing has been shown:
 * it waits for what it generated. */
bool ks_session_awaits(const struct ks_session *session);
/* By index, as in the config. */
const struct ks_target *ks_session_target(const struct ks_session *session, size_t index);

#endif
