/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks for: WatchRequest, GetRequest and WaitRequest decoded, checked and turned into
 * a session's targets.
 *
 * Nothing is dropped silently: what is wrong is refused with INVALID_ARGUMENT, what a later version
 * will do with UNIMPLEMENTED, both naming the fields, in the message and as google.rpc.BadRequest.
 *
 * Thread: any.  Owns: the targets' texts.  Limits: KS_RPC_REQUEST_MAX_BYTES a message,
 * KS_SESSION_MAX_TARGETS targets.
 */
#ifndef KS_SERVER_RPC_REQUEST_H
#define KS_SERVER_RPC_REQUEST_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "watcher/session.h"

#define KS_RPC_REQUEST_MAX_BYTES 65536u

typedef enum {
    KS_RPC_REQUEST_WATCH,
    KS_RPC_REQUEST_GET,
    KS_RPC_REQUEST_WAIT,
} ks_rpc_request_kind;

struct ks_rpc_request;

/* How a call is refused. */
struct ks_refusal {
    int code; /* gRPC's */
    struct ks_error error;
    struct ks_buf details; /* encoded google.rpc.Status; empty when there is nothing to add */
};
void ks_refusal_init(struct ks_refusal *r);
void ks_refusal_fini(struct ks_refusal *r);

/* KS_RC_INVALID, KS_RC_UNSUPPORTED or KS_RC_NOMEM, and the refusal is filled in. */
KS_MUST_USE ks_rc ks_rpc_request_decode(ks_rpc_request_kind kind, struct ks_str bytes,
                                        struct ks_rpc_request **out, struct ks_refusal *refusal);
const struct ks_target *ks_rpc_request_targets(const struct ks_rpc_request *r, size_t *out_count);
/* How the stream is to go. */
struct ks_rpc_pace {
    int64_t heartbeat_ms;  /* 0: no heartbeats */
    int64_t min_update_ms; /* 0: no interval is kept */
    int64_t resync_ms;     /* 0: never */
    bool is_blind;
    bool is_summary; /* counts instead of updates */
};
const struct ks_rpc_pace *ks_rpc_request_pace(const struct ks_rpc_request *r);
/* NULL: the call has no goal. */
const struct ks_until_config *ks_rpc_request_until(const struct ks_rpc_request *r);
/* Sets what the client decides: targets, profile, and what else is to be told; not the goal. */
void ks_rpc_request_configure(const struct ks_rpc_request *r, struct ks_session_config *config);
/* Returns NULL; NULL is allowed. */
struct ks_rpc_request *ks_rpc_request_free(struct ks_rpc_request *r);

#endif
