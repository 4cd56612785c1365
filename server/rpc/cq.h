/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC completion queue and the thread that serves it.
 *
 * What completes is a tag embedded in its owner. Anything can be made to complete at once, from any
 * thread (ks_cq_post): that is the doorbell into gRPC's world, which has neither alarm nor post
 * call of its own.
 *
 * Thread: made and freed on any; tags and timeouts run on the queue's own thread.  Owns: the queue,
 * its thread, its doorbell.  Limits: none; a tag is outstanding at most once, so its owners bound
 * it.
 */
#ifndef KS_SERVER_RPC_CQ_H
#define KS_SERVER_RPC_CQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <grpc/grpc.h>

#include "base/base.h"
#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

struct ks_cq;

struct ks_tag {
    void (*fn)(struct ks_tag *tag, bool ok);
    /* private */
    _Atomic uint32_t armed;
};
static inline void ks_tag_init(struct ks_tag *tag, void (*fn)(struct ks_tag *tag, bool ok))
{
    tag->fn = fn;
    atomic_init(&tag->armed, 0);
}

typedef enum {
    KS_CQ_POLLING, /* serves gRPC's sockets too; new calls arrive here */
    KS_CQ_WORKING, /* serves its calls alone */
} ks_cq_kind;

KS_MUST_USE ks_rc ks_cq_new(ks_cq_kind kind, const char *thread_name, struct ks_cq **out,
                            struct ks_error *err);
grpc_completion_queue *ks_cq_raw(struct ks_cq *cq);
/* Whether the caller runs on its thread. */
bool ks_cq_is_here(const struct ks_cq *cq);

/* Before a tag is handed to gRPC by another way than the two below (grpc_server_request_call, ...).
 */
void ks_tag_arm(struct ks_tag *tag);
/* Starts a batch on a call bound to this queue. A refusal by gRPC would be our own mistake: it is
 * asserted. */
void ks_cq_start(grpc_call *call, const grpc_op *ops, size_t count, struct ks_tag *tag);
/* Thread: any, but not after ks_cq_free has begun. Runs the tag soon, with ok true; in order for
 * one poster. */
void ks_cq_post(struct ks_cq *cq, struct ks_tag *tag);

/* The thread's own buffer, empty; for what is built and handed on at once. */
struct ks_buf *ks_cq_scratch(struct ks_cq *cq);

/* Timeouts all have the same length, KS_CQ_TIMEOUT_MS: enough for what a peer must do soon, and no
 * heap is needed. */
#define KS_CQ_TIMEOUT_MS 10000
struct ks_cq_timeout {
    struct ks_list link; /* private */
    int64_t due_ms;      /* private */
    void (*fn)(struct ks_cq_timeout *timeout);
};
void ks_cq_timeout_start(struct ks_cq *cq, struct ks_cq_timeout *timeout,
                         void (*fn)(struct ks_cq_timeout *timeout));
/* Idempotent. */
void ks_cq_timeout_stop(struct ks_cq_timeout *timeout);

/* Runs what is still outstanding, then ends the thread. All that could post has ended. Returns
 * NULL; NULL is allowed. */
struct ks_cq *ks_cq_free(struct ks_cq *cq);

#endif
