/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes half of a call: a feed on the worker's loop that fills the call's outbox, and the
 * way there and back.
 *
 * Thread: everything here is called on the call's own (rpc) thread; callbacks come there too. The
 * feed itself lives on the worker's loop.  Owns: the feed, the outbox.  Limits: one wake-up
 * outstanding; those of outbox and session.
 */
#ifndef KS_SERVER_RPC_SOURCE_H
#define KS_SERVER_RPC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "bridge/feed.h"
#include "bridge/outbox.h"
#include "server/rpc/call.h"
#include "server/rpc/request.h"

struct ks_source;

struct ks_source_ops {
    /* Something is in the outbox, or the source is synced, decided or aged, or has failed.
     */
    void (*on_wake)(void *ctx);
    /* Once, after ks_source_close: the feed is gone, nothing wakes any more. What is in the outbox
     * stays. */
    void (*on_closed)(void *ctx);
};

/* For a call of this lane; ops and ctx are borrowed. KS_RC_NOMEM. Nothing has started yet. */
KS_MUST_USE ks_rc ks_source_new(struct ks_lane *lane, const struct ks_source_ops *ops, void *ctx,
                                struct ks_source **out, struct ks_error *err);
struct ks_outbox *ks_source_outbox(struct ks_source *s);
/* Takes the request. left_ms: until the client stops waiting, INT64_MAX if it does not; what cannot
 * be told by then is answered with its reason, a little earlier. Once. */
void ks_source_open(struct ks_source *s, struct ks_rpc_request *request, int64_t left_ms);
/* For who does not want all changes: before ks_source_open. */
void ks_source_want(struct ks_source *s, ks_feed_want want);
/* After this time it is aged, and on_wake comes: before ks_source_open. */
void ks_source_limit_life(struct ks_source *s, int64_t life_ms);
bool ks_source_is_aged(const struct ks_source *s);
/* How many objects it holds. */
uint32_t ks_source_weight(struct ks_source *s);
/* How long the first answers may take for a client that waits left_ms more. */
int64_t ks_source_first_answer_ms(int64_t left_ms);
/* The feed has told Synced, and it is in the outbox. */
bool ks_source_is_synced(const struct ks_source *s);
/* The outcome is in the outbox, and nothing will follow it. */
bool ks_source_is_decided(const struct ks_source *s);
/* NULL: none. The source then is to be closed. */
const struct ks_error *ks_source_failure(const struct ks_source *s);
/* Whether that is because there are more objects than KS_LIMIT_OBJECTS. */
bool ks_source_has_too_many(const struct ks_source *s);

typedef enum {
    KS_SOURCE_KEEP, /* what waits in the outbox will still be sent */
    KS_SOURCE_DROP, /* nobody takes it any more */
} ks_source_rest;
/* Ends the feed; on_closed follows. farewell (may be NULL; taken) becomes the last packet in the
 * outbox, unless an outcome is. Once. */
void ks_source_close(struct ks_source *s, ks_source_rest rest, struct ks_packet *farewell);

/* Never opened, or closed. Returns NULL; NULL is allowed. */
struct ks_source *ks_source_free(struct ks_source *s);

#endif
