/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feed: joins a session to an outbox. Each event is encoded as it arises and put or pushed.
 *
 * Thread: the kube loop's.  Owns: the session.  Holds a reference to the outbox.
 */
#ifndef KS_BRIDGE_FEED_H
#define KS_BRIDGE_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"

#include "watcher/session.h"

#include "bridge/outbox.h"

struct ks_feed;

struct ks_feed_ops {
    /* Once: SYNCED has been put into the outbox. May be NULL. */
    void (*on_synced)(void *ctx);
    /* Once: the outcome has been put into the outbox, behind everything; nothing follows. Only of a
     * session with a goal; may be NULL. */
    void (*on_outcome)(void *ctx);
    /* Counts may have changed that only a summary tells: ks_feed_summarize is due, soon. */
    void (*on_change)(void *ctx);
    /* At most once, last: the stream cannot go on. The owner then calls ks_feed_free, from within
     * it or later. */
    void (*on_failed)(void *ctx, const struct ks_error *err);
};

/* Counters shared by all feeds of a worker, readable from any thread. */
struct ks_feed_stats {
    _Atomic uint64_t events_total;
    _Atomic uint64_t updates_total;
    _Atomic uint32_t sessions;
    _Atomic int64_t objects;
};

/* What is to go into the outbox. */
typedef enum {
    KS_FEED_CHANGES,
    KS_FEED_SNAPSHOT, /* read at once when it is synced: each object once, with its last state */
    KS_FEED_OUTCOME,  /* and nothing else */
} ks_feed_want;

/* All borrowed; kube and stats must outlive the feed. */
struct ks_feed_config {
    struct ks_kube *kube;
    const struct ks_session_config *session; /* with `until`: it ends with an outcome */
    struct ks_outbox *outbox;
    struct ks_feed_stats *stats;
    const struct ks_clock *clock;
    ks_feed_want want;
    bool is_summary; /* counts instead of updates and removals; then on_change is there */
    bool is_blind;   /* there is no session; SYNCED goes into the outbox at once */
};

KS_MUST_USE ks_rc ks_feed_new(const struct ks_feed_config *config, const struct ks_feed_ops *ops,
                              void *ctx, struct ks_feed **out, struct ks_error *err);
/* A sign of life with the counts and the age of what is not confirmed; nothing when something waits
 * for the client anyway: a slow one must not be sent what it will find stale. */
void ks_feed_beat(struct ks_feed *feed);
/* Tells the counts if they are not what was told last. False: something waits for the client
 * already, and it is due still. */
KS_MUST_USE bool ks_feed_summarize(struct ks_feed *feed);
/* Tells all objects that are asked about again, as they are. */
void ks_feed_repeat(struct ks_feed *feed);
/* Ends the session and its informers. Returns NULL; NULL is allowed. */
struct ks_feed *ks_feed_free(struct ks_feed *feed);

#endif
