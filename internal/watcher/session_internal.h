/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a session, and who may call whom. Private to the watcher.
 *
 *   session   one call: its targets, kinds, watches; speaks to the sink
 *   pursuit   one target on its way: resolve its kind, get a watch, be answered
 *   kind      one resource as the cluster serves it, and the objects of it that this session knows
 *   watch     one informer and the targets that it serves
 *   object    what one name of one kind is known to be, and what the sink was shown of it
 *   recheck   a timer for a verdict that changes by itself
 *   doubt     an object that vanished from a filtered watch: was it deleted, or did it only leave?
 *
 * Sets of targets are bits, by index. Everything that speaks to the sink may find the session over
 * when the call returns (the sink may free it): such functions return whether it goes on, and a
 * caller that hears false touches nothing of the session any more.
 *
 * Thread: the loop's.  Owns: see each.
 */
#ifndef KS_WATCHER_SESSION_INTERNAL_H
#define KS_WATCHER_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include "loop/loop.h"

#include "kube/informer.h"
#include "kube/mapper.h"

#include "watcher/session.h"
#include "watcher/shown.h"

/* Names of one collection that are still watched one by one. */
#define KS_WATCH_NAMES_MAX 4
/* Doubts that are looked into at once. */
#define KS_DOUBTS_MAX 8

/* No API server gives longer names out. */
static inline bool ks_name_fits(struct ks_str ns, struct ks_str name)
{
    return ns.len <= 63 && name.len <= 253;
}

typedef uint64_t ks_target_bits;

struct ks_facts;
struct ks_stake;

struct ks_kind {
    struct ks_list link; /* in session->kinds */
    struct ks_resource *resource;
    struct ks_map *objects; /* "ns/name" -> the first object of that name */
    struct ks_facts *facts; /* NULL: none are asked for */
    uint32_t ready_count;   /* objects that carry Ready, or have */
};

/* A string that is replaced now and then. */
struct ks_text {
    char *ptr;
    uint32_t len;
    uint32_t cap;
};

static inline struct ks_str ks_text_str(const struct ks_text *t)
{
    return ks_str_make(t->ptr, t->len);
}

struct ks_pursuit;
struct ks_doubt;
struct ks_recheck;
struct ks_parent;
struct ks_inquiry;

struct ks_object {
    struct ks_kind *kind; /* NULL as long as the kind of the target that names it is not resolved */
    const struct ks_pursuit *origin; /* then: that target */
    struct ks_object *sibling;       /* same name, other pin */
    struct ks_str key;               /* "ns/name", in text */
    size_t ns_len;
    struct ks_str pin; /* the only UID that counts, or empty; the target's string */
    struct ks_text uid;
    struct ks_text version;
    struct ks_text excerpt; /* its JSON, when the client wants it (excerpt.h) */
    struct ks_shown *shown; /* NULL: the sink knows nothing of it yet */
    void *sink_slot;
    struct ks_recheck *recheck;
    struct ks_doubt *doubt;
    struct ks_stake *stake;     /* NULL: no fact beside it would change its verdict */
    struct ks_parent *parent;   /* of the first of a name; NULL: no children would change it */
    struct ks_inquiry *inquiry; /* NULL: no Event would explain it */
    ks_target_bits named;       /* targets that name it */
    ks_target_bits selected;    /* targets that select it */
    ks_target_bits held;        /* of these: those whose watch holds it now */
    ks_target_bits generated;   /* targets whose objects have generated it */
    ks_target_bits told;        /* what the sink knows of all these */
    int64_t transition_wall_ms;
    int64_t first_seen_wall_ms; /* of the first of a name: when a watch began to hold it */
    uint32_t holders; /* informer records that point to it; the first of a name alone counts them */
    bool is_gone;     /* its UID was proven gone, and cannot come back in this world */
    bool is_unreadable;
    bool has_carried_ready; /* counted in its kind; of the first of a name */
    char text[];
};

static inline ks_target_bits ks_object_targets(const struct ks_object *o)
{
    return o->named | o->selected;
}

struct ks_watch {
    struct ks_list link; /* in session->watches */
    struct ks_session *session;
    struct ks_kind *kind;
    struct ks_informer *informer;
    struct ks_str *names; /* sorted; NULL: all, or one by field selector */
    size_t name_count;
    ks_target_bits named;     /* targets that name objects of it */
    ks_target_bits selecting; /* targets that are what it selects */
    ks_rc unnamed_rc;         /* why objects without a name could not be read; OK: none were met */
    bool is_synced;
    bool is_exact; /* an object leaves it only by deletion */
};

/*
 *   RESOLVING ──ok──> RESOLVED ──all have answered──> WATCHING
 *       ^  │└──never──> REFUSED                          │
 *       │  └─ failed, not served ──> MISSING <──absent───┘
 *       └───────────── retry ──────────┘
 */
#define KS_PURSUIT_PHASES(X)                                                                       \
    X(RESOLVING, "resolving", TO(RESOLVED) | TO(REFUSED) | TO(MISSING))                            \
    X(RESOLVED, "resolved", TO(WATCHING))                                                          \
    X(WATCHING, "watching", TO(MISSING))                                                           \
    X(MISSING, "missing", TO(RESOLVING))                                                           \
    X(REFUSED, "refused", 0)

typedef enum {
#define X(name, text, next) KS_PURSUIT_##name,
    KS_PURSUIT_PHASES(X)
#undef X
} ks_pursuit_phase;

struct ks_pursuit {
    struct ks_session *session;
    struct ks_target target; /* its strings lie in the session's text */
    ks_pursuit_phase phase;
    bool awaits_children; /* settled as soon as those are known */
    bool is_settled;      /* it has had its first answer, good or bad; for ever */
    struct ks_str ns;     /* where to look, once resolved */
    struct ks_resolve *resolve;
    struct ks_resource *resource;
    struct ks_watch *watch;
    struct ks_object *object; /* of a target that names one; NULL before its first answer */
    /* What the sink was told last; 0: nothing. */
    ks_target_state told;
    ks_rc told_rc;
    uint64_t told_hash;
    char *told_why; /* NULL: for no reason, or it is settled and nobody will ask */
};

#define KS_SESSION_STATES(X)                                                                       \
    X(SNAPSHOT, "snapshot", TO(LIVE) | TO(FAILED) | TO(CLOSED))                                    \
    X(LIVE, "live", TO(FAILED) | TO(CLOSED))                                                       \
    X(FAILED, "failed", TO(CLOSED))                                                                \
    X(CLOSED, "closed", 0)

typedef enum {
#define X(name, text, next) KS_SESSION_##name,
    KS_SESSION_STATES(X)
#undef X
} ks_session_state;

struct ks_session {
    struct ks_kube *kube;
    struct ks_loop *loop;
    struct ks_session_ops ops;
    void *ctx;
    ks_session_state state;
    unsigned depth; /* callbacks that are on the stack */
    char *text;     /* all strings of the targets */
    struct ks_pursuit *pursuits;
    size_t pursuit_count;
    size_t max_objects;
    int64_t first_answer_ms;
    ks_profile profile;
    struct ks_causes *causes;      /* to work in; NULL: none are wanted */
    struct ks_causes *told_causes; /* to merge in what Events say; NULL as well */
    size_t note_bytes;             /* of what is kept of Events */
    size_t excerpt_bytes;          /* of objects' JSON */
    bool includes_objects;
    uint32_t generated_depth;
    size_t object_count;
    struct ks_list kinds;
    struct ks_list watches;
    struct ks_list doubts;
    struct ks_list rechecks;
    struct ks_list nurseries; /* children.h */
    size_t doubts_running;
    struct ks_timer first_answer;
    struct ks_timer retry;
    struct ks_timer pulse; /* tells why resolving takes long */
    struct ks_backoff backoff;
    ks_target_bits lost; /* their collection has been absent: what they selected may be gone */
};

/* session.c */
static inline bool ks_session_is_open(const struct ks_session *s)
{
    return s->state == KS_SESSION_SNAPSHOT || s->state == KS_SESSION_LIVE;
}
/* Around every callback from below. Between them the struct stays, open or not. */
void ks_session_enter(struct ks_session *s);
void ks_session_leave(struct ks_session *s);
/* Stops everything and tells the owner. Returns false, for the caller to pass on. */
bool ks_session_fail(struct ks_session *s, const struct ks_error *err);
bool ks_session_fail_nomem(struct ks_session *s);
KS_MUST_USE bool ks_session_emit(struct ks_session *s, const struct ks_event *event);
/* A target has had its first answer: tells SYNCED when it was the last. */
KS_MUST_USE bool ks_session_settle(struct ks_session *s, struct ks_pursuit *p);
static inline ks_target_bits ks_pursuit_bit(const struct ks_pursuit *p)
{
    return (ks_target_bits)1 << (p - p->session->pursuits);
}
/* The target ids of the bits; the array has KS_SESSION_MAX_TARGETS places. Returns their number. */
size_t ks_session_ids(const struct ks_session *s, ks_target_bits bits, uint32_t *out);

/* pursuit.c */
KS_MUST_USE ks_rc ks_pursuit_start(struct ks_pursuit *p, struct ks_error *err);
void ks_pursuit_stop(struct ks_pursuit *p);
/* Not told again when nothing of it is new. cause: NULL for none. */
KS_MUST_USE bool ks_pursuit_tell(struct ks_pursuit *p, ks_target_state state,
                                 const struct ks_error *cause);
/* The target cannot be answered now: what it names becomes Unknown, if nothing is known of it; it
 * is settled. */
KS_MUST_USE bool ks_pursuit_excuse(struct ks_pursuit *p, struct ks_str reason,
                                   const struct ks_error *err);
/* Its collection is not served any more: back to resolving, after a while. Its watch is gone. */
KS_MUST_USE bool ks_pursuit_lose(struct ks_pursuit *p, const struct ks_error *err);
void ks_pursuit_on_retry(struct ks_timer *timer);
void ks_pursuit_on_pulse(struct ks_timer *timer);

/* Its target has a watch now. */
void ks_pursuit_is_watched(struct ks_pursuit *p);

/* watch.c: takes over all targets that are resolved. */
KS_MUST_USE bool ks_watches_plan(struct ks_session *s);
void ks_watch_free(struct ks_watch *w);
/* Begins to list; its kind's facts (facts.h) are known, or will not be. */
void ks_watch_begin(struct ks_watch *w);

/* object.c */
KS_MUST_USE struct ks_kind *ks_kind_get(struct ks_session *s, struct ks_resource *resource);
void ks_kind_free(struct ks_session *s, struct ks_kind *kind);
/* The API server is in another world: what a watch that has noticed it brings is not older than
 * what is known, and what was proven gone may be back. */
void ks_kind_reset(struct ks_kind *kind);
/* The first object of that name; NULL when there is none. */
struct ks_object *ks_object_find(const struct ks_kind *kind, struct ks_str ns, struct ks_str name);
/* The object of that name and pin; made if need be. NULL: the session has failed (NOMEM, LIMIT). */
KS_MUST_USE struct ks_object *ks_object_get(struct ks_session *s, struct ks_kind *kind,
                                            struct ks_str ns, struct ks_str name,
                                            struct ks_str pin);
/* The object that stands for a target whose kind is not resolved. */
KS_MUST_USE struct ks_object *ks_object_get_unresolved(struct ks_session *s,
                                                       const struct ks_pursuit *p);
/* Moves a target from the object that stood for it to the one that it names; the latter goes on
 * from what the former showed, unless it has shown something already. */
void ks_object_rebind(struct ks_session *s, struct ks_pursuit *p, struct ks_object *to);
/* Frees all objects of this name when nothing holds or concerns them any more. */
void ks_object_reap(struct ks_session *s, struct ks_object *first);
void ks_object_free(struct ks_session *s, struct ks_object *o);
/* All objects that these targets select, in an array of its own (ks_free). False: the session has
 * failed. */
KS_MUST_USE bool ks_objects_collect(struct ks_session *s, ks_target_bits bits,
                                    struct ks_object ***out, size_t *out_count);
struct ks_str ks_object_ns(const struct ks_object *o);
struct ks_str ks_object_name(const struct ks_object *o);
struct ks_str ks_object_uid(const struct ks_object *o);
void ks_object_id_of(const struct ks_object *o, struct ks_object_id *out);

/* show.c: what the sink is shown. */
struct ks_sighting {
    struct ks_str uid;
    struct ks_str version;
    const struct ks_shown *now;   /* NULL: not known yet, its children are waited for */
    const struct ks_shown *later; /* NULL: the verdict does not change by itself */
    int64_t later_wall_ms;
    ks_target_bits via; /* targets that select through the watch that saw it */
    struct ks_str excerpt;
};
KS_MUST_USE bool ks_object_see(struct ks_session *s, struct ks_object *o,
                               const struct ks_sighting *seen);
/* Its UID may be known, and nothing has been said of that life: it waits for its children. What was
 * said is that there was none. */
bool ks_object_is_untold(const struct ks_object *o);
/* The object itself has not changed, but what is known of its children has. */
KS_MUST_USE bool ks_object_reconsider(struct ks_session *s, struct ks_object *o,
                                      const struct ks_sighting *seen);
/* Gives a state what decided its verdict, if causes are wanted; it is borrowed from the room. */
struct ks_decision_room {
    struct ks_decision decision;
    struct ks_decision_view view;
};
void ks_session_decide(const struct ks_session *s, const struct ks_status_kind *kind,
                       struct ks_json_value json, const struct ks_verdict *verdict,
                       struct ks_decision_room *room, struct ks_shown *shown);
/* Gives the states (later may be NULL) the causes that the object shows, if causes are wanted;
 * they are borrowed until the next call. */
KS_MUST_USE bool ks_session_explain(struct ks_session *s, const struct ks_status_kind *kind,
                                    struct ks_json_value json, struct ks_shown *now,
                                    struct ks_shown *later);
/* What is shown of it, as an update; the array has KS_SESSION_MAX_TARGETS places. */
void ks_object_event(const struct ks_session *s, struct ks_object *o, uint32_t *ids,
                     struct ks_event *out);
/* The part of an update that says how an object is. */
void ks_update_of(const struct ks_shown *shown, struct ks_update *out);
KS_MUST_USE bool ks_text_set(struct ks_text *t, struct ks_str s);
/* Told only when it differs from what was shown. */
KS_MUST_USE bool ks_object_show(struct ks_session *s, struct ks_object *o,
                                const struct ks_shown *now);
/* What one sighting says, now and later; both owned. */
struct ks_outlook {
    struct ks_shown *now;
    struct ks_shown *later; /* NULL: its verdict does not change by itself */
    int64_t later_wall_ms;
};
/* The sighting that it shows means this, by what was learned beside it. */
KS_MUST_USE bool ks_object_reshow(struct ks_session *s, struct ks_object *o,
                                  const struct ks_outlook *outlook);
/* This UID is gone for good. */
KS_MUST_USE bool ks_object_show_gone(struct ks_session *s, struct ks_object *o, ks_gone how);
/* Of targets that were lost and are listed again: what they selected and was not found any more is
 * gone. */
KS_MUST_USE bool ks_objects_sweep(struct ks_session *s, ks_target_bits bits);
/* It has left the selection of these targets without being deleted. Told again for the targets that
 * are left, or as the child that it is, or as REMOVED. */
KS_MUST_USE bool ks_object_leave(struct ks_session *s, struct ks_object *o, ks_target_bits bits);
/* It concerns these selecting targets no more; the sink forgets it if it concerns nobody. Nothing
 * is told. */
void ks_object_deselect(struct ks_session *s, struct ks_object *o, ks_target_bits bits);
void ks_object_forget(struct ks_session *s, struct ks_object *o);
/* Its last sighting says nothing any more: neither by itself nor if facts change. */
void ks_recheck_cancel(struct ks_object *o);
void ks_rechecks_cancel(struct ks_session *s);

/* overlap.c: an object that is a child, too (generated_depth). */
/* Before it is shown: which targets it is generated for. What its child was told to be is what it
 * was before, then, and its slot is the object's. */
void ks_object_meet_child(struct ks_session *s, struct ks_object *o, ks_status *previous);
/* It was shown gone: nobody is told of the child any more. */
void ks_object_end_child(struct ks_session *s, const struct ks_object *o);

/* inquiry.c */
/* It is to be shown like this. What Events say of it is added if it is not Current and causes are
 * wanted; that is borrowed until the next call. */
KS_MUST_USE bool ks_inquiry_see(struct ks_session *s, struct ks_object *o, struct ks_shown *now);
void ks_inquiry_end(struct ks_object *o);
/* What it shows, without what Events say. */
const struct ks_shown *ks_object_said(const struct ks_object *o);

/* stake.c */
void ks_stake_drop(struct ks_object *o);

/* doubt.c */
KS_MUST_USE bool ks_doubt_raise(struct ks_session *s, struct ks_object *o, ks_target_bits bits);
/* The object was seen again by these, or nothing is left to find out. */
void ks_doubt_withdraw(struct ks_object *o, ks_target_bits bits);
void ks_doubts_free(struct ks_session *s);

#endif
