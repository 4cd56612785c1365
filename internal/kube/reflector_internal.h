/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/kube: what the files of the reflector share. reflector.c is the life cycle
 * and the only writer of `state`; reflector_list.c, reflector_watch.c and reflector_probe.c are
 * the kinds of work; reflector_policy.c decides.
 *
 * Thread: the loop's.
 *
 * Every entry from outside (request, timer, resolve) is bracketed by pin and unpin; what an owner
 * frees in a callback lives until the unpin. After each call that may reach the owner:
 * ks_reflector_is_closed().
 */
#ifndef KS_KUBE_REFLECTOR_INTERNAL_H
#define KS_KUBE_REFLECTOR_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/str.h"
#include "loop/loop.h"
#include "json/items.h"
#include "http/lines.h"
#include "kube/client.h"
#include "kube/collection_path.h"
#include "kube/fleet.h"
#include "kube/mapper.h"
#include "kube/reflector.h"
#include "kube/reflector_policy.h"

/*
 *            ┌────────────────────── page, retried page ─────────┐
 *            │                                                   ▼
 *   IDLE ─start─► WAITING ─due─► LISTING ───── last page ──┬─► WATCHING ─── end, error ──► WAITING
 *                  ▲  │ │                                  │     ▲  │
 *                  │  │ └─due──► STREAMING ── bookmark ────┘     │  └─ probe due ─► PROBING
 *                  │  │            │ refused, silent: LISTING    │                   │
 *                  │  └─due──────► PROBING ───── passed ─────────┘ ◄─────────────────┘
 *                  │               │ too large: LISTING | STREAMING
 *                  └── failed ─────┴── 404 from any ──► LOCATING ──► WAITING | LISTING | STREAMING
 *
 *   WATCHING ── a single object whose request waited for the endpoint ──► LISTING
 *   any ── ks_reflector_free ──► CLOSED
 *
 * What can be said of the collection (ks_source_state) is a machine of its own, told by
 * ks_reflector_tell alone: WAITING, for one, may be FRESH (between two watches), STALE, DENIED,
 * ABSENT or FAILED.
 */
#define KS_REFLECTOR_STATES(X)                                                                     \
    X(IDLE, "idle", TO(WAITING))                                                                   \
    X(WAITING, "waiting",                                                                          \
      TO(LISTING) | TO(STREAMING) | TO(WATCHING) | TO(PROBING) | TO(LOCATING) | TO(WAITING))       \
    X(LISTING, "listing", TO(LISTING) | TO(WATCHING) | TO(WAITING) | TO(LOCATING))                 \
    X(STREAMING, "streaming",                                                                      \
      TO(STREAMING) | TO(WATCHING) | TO(LISTING) | TO(WAITING) | TO(LOCATING))                     \
    X(WATCHING, "watching", TO(PROBING) | TO(LISTING) | TO(WAITING) | TO(LOCATING))                \
    X(PROBING, "probing", TO(WATCHING) | TO(LISTING) | TO(STREAMING) | TO(WAITING) | TO(LOCATING)) \
    X(LOCATING, "locating", TO(WAITING) | TO(LISTING) | TO(STREAMING))                             \
    X(CLOSED, "closed", 0)

typedef enum {
#define X(name, text, next) KS_REFLECTOR_##name,
    KS_REFLECTOR_STATES(X)
#undef X
} ks_reflector_state;

struct ks_reflector {
    struct ks_kube *kube;
    struct ks_loop *loop;
    struct ks_fleet *fleet;
    struct ks_resource *resource;
    struct ks_collection collection; /* its strings lie behind the struct */
    const struct ks_reflector_ops *ops;
    void *ctx;

    ks_reflector_state state; /* written by ks_reflector_set_state alone */
    ks_next next;             /* WAITING: what comes after */
    unsigned pins;
    ks_source_state source; /* written by ks_reflector_tell alone */
    uint64_t told_hash;     /* of the reason told last */

    struct ks_policy policy;
    struct ks_backoff backoff;
    struct ks_timer timer; /* WAITING: the pause; STREAMING: silence; WATCHING: settling */
    struct ks_kube_request *request;
    struct ks_resolve *resolve;
    struct ks_buf rv_last;

    int64_t probed_at_ms;
    uint32_t closures; /* of the endpoint, when something last ended in order */
    int64_t probe_begun_ms;
    int64_t ended_at_ms;    /* what it did last; a connection may have been lost then */
    struct ks_list probing; /* PROBING: in the fleet's list */
    int64_t absent_pause_ms;
    bool has_just_missed; /* LOCATING follows a 404, not a pause */
    bool is_new_sync;     /* a sync has completed and its watch has not ended yet */

    struct ks_list_run *list;    /* LISTING */
    struct ks_json_items *probe; /* PROBING: its answer; NULL when that is no list */
    struct ks_lines lines;       /* STREAMING, WATCHING */
    struct ks_watch_feed *feed;  /* while bytes are being taken in */
    int64_t head_at_ms;          /* 0: no answer yet */
    int64_t last_event_at_ms;
    bool had_event;
};

/* reflector.c */
void ks_reflector_set_state(struct ks_reflector *r, ks_reflector_state to);
static inline bool ks_reflector_is_closed(const struct ks_reflector *r)
{
    return r->state == KS_REFLECTOR_CLOSED;
}
/* Whether requests ask for one object by name: the policy says so, and the server takes it. */
static inline bool ks_reflector_is_single(const struct ks_reflector *r)
{
    return r->policy.is_single && !r->policy.drops_name;
}
/* Whether the owner may not want all that comes. */
static inline bool ks_reflector_has_filter(const struct ks_reflector *r)
{
    return r->ops->wants || (r->policy.is_single && r->policy.drops_name);
}
/* Whether objects that are kept of the one belong to the other. */
bool ks_reflector_is_same(const struct ks_resource *a, const struct ks_resource *b);
void ks_reflector_pin(struct ks_reflector *r);
/* May free r. */
void ks_reflector_unpin(struct ks_reflector *r);
/* The owner may free r in it. */
void ks_reflector_tell(struct ks_reflector *r, ks_source_state source, const struct ks_error *err);
/* Ends what is going on and does what the plan says. why may be NULL when the plan tells nothing.
 * The owner may free r in it. */
void ks_reflector_follow(struct ks_reflector *r, struct ks_plan plan,
                         const struct ks_kube_failure *why);
/* The sync that on_sync_begin announced is complete at this resource version. May free. False, and
 * nothing is done: that lies before the resume position, so the server's past was replaced;
 * ks_reflector_went_back says so, and after ks_reflector_reset one more sync is due. */
KS_MUST_USE bool ks_reflector_sync_done(struct ks_reflector *r, struct ks_str resource_version);
void ks_reflector_went_back(struct ks_reflector *r, struct ks_str resource_version,
                            struct ks_kube_failure *out);
/* Versions from before mean nothing any more. The owner may free r in it. */
void ks_reflector_reset(struct ks_reflector *r);
void ks_reflector_failure_of(struct ks_kube_failure *out, const struct ks_error *err);
KS_MUST_USE ks_rc ks_reflector_send(struct ks_reflector *r, const struct ks_collection_query *query,
                                    struct ks_kube_request_config *config, struct ks_error *err);
/* The same for another collection than r's own. */
KS_MUST_USE ks_rc ks_reflector_send_for(struct ks_reflector *r,
                                        const struct ks_collection *collection,
                                        const struct ks_collection_query *query,
                                        struct ks_kube_request_config *config,
                                        struct ks_error *err);
/* For the requests' on_waiting. */
void ks_reflector_on_waiting(void *ctx, const struct ks_error *err);

/* An event at this resource version was handed out. */
void ks_reflector_advance(struct ks_reflector *r, struct ks_str resource_version);

/* Hands an object to the owner. KS_RC_CANCELLED when the owner freed r; KS_RC_NOMEM. Sets
 * *out_is_ours to false for an object that does not belong here (another kind, namespace or name,
 * or no name at all): it was not handed out. */
KS_MUST_USE ks_rc ks_reflector_deliver(struct ks_reflector *r, struct ks_json_value object,
                                       void (*handler)(void *ctx, struct ks_json_value object),
                                       bool *out_is_ours);
/* An object that cannot be parsed. KS_RC_CANCELLED when the owner freed r. */
KS_MUST_USE ks_rc ks_reflector_deliver_bad(struct ks_reflector *r, struct ks_str ns,
                                           struct ks_str name, const struct ks_error *err);
bool ks_reflector_wants(const struct ks_reflector *r, struct ks_str ns, struct ks_str name);

/* reflector_list.c: begin sends the first page. */
KS_MUST_USE ks_rc ks_reflector_list_begin(struct ks_reflector *r, struct ks_error *err);
void ks_reflector_list_end(struct ks_reflector *r);

/* reflector_probe.c: begin sends the request. */
bool ks_reflector_can_probe(const struct ks_reflector *r);
bool ks_reflector_probe_is_due(const struct ks_reflector *r);
KS_MUST_USE ks_rc ks_reflector_probe_begin(struct ks_reflector *r, struct ks_error *err);
void ks_reflector_probe_end(struct ks_reflector *r);

/* reflector_watch.c: begin sends the request. */
typedef enum { KS_STREAM_INITIAL, KS_STREAM_RESUMED } ks_stream_kind;
KS_MUST_USE ks_rc ks_reflector_watch_begin(struct ks_reflector *r, ks_stream_kind kind,
                                           struct ks_error *err);
void ks_reflector_watch_end(struct ks_reflector *r);
void ks_reflector_watch_on_timer(struct ks_reflector *r);

#endif
