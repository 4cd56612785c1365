/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One server call: its batches, its references, its end. What a method does with it is a struct
 * ks_call_ops.
 *
 * Every method here takes exactly one request message, then sends none, one or many, then a status.
 *
 * Thread: the lane's completion queue thread, but for ks_call_await and ks_call_hand_over (the
 * poller's). Owns: the grpc_call, the method's state.  Limits: KS_CALL_METADATA_MAX bytes of
 * metadata; KS_CQ_TIMEOUT_MS to the request.
 */
#ifndef KS_SERVER_RPC_CALL_H
#define KS_SERVER_RPC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <grpc/grpc.h>

#include "base/base.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "server/limits.h"
#include "server/rpc/cq.h"
#include "server/rpc/door.h"
#include "server/web/metrics.h"
#include "server/worker.h"

#define KS_CALL_METADATA_MAX 8192u

struct ks_call;

/* Calls are counted apart by what they cost: a probe of the health is answered also when no stream
 * is taken any more. */
typedef enum { KS_CALL_STREAM, KS_CALL_HEALTH, KS_CALL_KINDS } ks_call_kind;

#define KS_CALL_HEALTH_MAX 256

struct ks_call_ops {
    ks_method method;
    ks_call_kind kind;
    size_t state_bytes; /* zeroed; see ks_call_state */
    /* Once. message is lent. */
    void (*on_request)(struct ks_call *call, struct ks_str message);
    /* The message that was being sent has passed flow control: the next one may go. May be NULL. */
    void (*on_sent)(struct ks_call *call);
    /* The server goes away: finish soon. Only between on_request and ks_call_finish. */
    void (*on_drain)(struct ks_call *call);
    /* Memory is out: how many objects it holds, and that it is to be ended with
     * ks_call_finish_limit and this text. Only between on_request and ks_call_finish; NULL for what
     * holds none. */
    uint32_t (*weigh)(struct ks_call *call);
    void (*on_shed)(struct ks_call *call, const char *text);
    /* Once, also when the client just vanished: nothing can be sent any more. May be NULL. */
    void (*on_closed)(struct ks_call *call);
    /* Last. May be NULL. */
    void (*on_free)(struct ks_call *call);
};

/* What all calls of a server share. */
struct ks_call_shared {
    const struct ks_log *log;
    struct ks_metrics *metrics;
    const char *instance; /* unique for each start of the process */
    const struct ks_limits *limits;
    struct ks_door *door;
    _Atomic int64_t open[KS_CALL_KINDS];
    _Atomic bool is_draining;
    _Atomic bool is_memory_short;
    const struct ks_call_ops *(*find)(struct ks_str path); /* NULL: no such method */
    void (*on_gone)(struct ks_call_shared *shared);        /* a call has been freed; thread: any */
};

/* Calls of one completion queue thread, all with their sessions on one worker. */
struct ks_lane {
    struct ks_call_shared *shared;
    struct ks_cq *cq;
    struct ks_worker *worker;
    struct ks_list calls;          /* lane's thread */
    _Atomic uint32_t load;         /* calls open or awaited */
    struct ks_tag walk;            /* the server's: see server.c */
    struct ks_tag weighing;        /* likewise */
    _Atomic uint32_t heaviest;     /* what it found */
    struct ks_log_limit log_limit; /* of lines about limits; lane's thread */
};

/* Calls fn for each call that has begun and not ended. Thread: the lane's. */
void ks_lane_walk(struct ks_lane *lane, void (*fn)(struct ks_call *call));

/* The lane's calls one by one, from NULL to NULL. Thread: the lane's. */
struct ks_call *ks_lane_next(struct ks_lane *lane, struct ks_call *call);

/* NULL when out of memory. Freed by itself after its end. */
KS_MUST_USE struct ks_call *ks_call_new(struct ks_lane *lane);
/* Waits for the next call that arrives at the server. on_arrived runs on the poller's thread; ok is
 * false when the server shuts down, and then the call is freed after it returns. */
void ks_call_await(struct ks_call *call, grpc_server *server, struct ks_cq *poller,
                   void (*on_arrived)(struct ks_lane *lane, struct ks_call *call, bool ok));
/* To its lane's thread, where everything else happens. */
void ks_call_hand_over(struct ks_call *call);

struct ks_lane *ks_call_lane(struct ks_call *call);
/* NULL before its request has been read. */
void *ks_call_state(struct ks_call *call);
/* Until the client's deadline, 0 at least; INT64_MAX when it set none. */
int64_t ks_call_left_ms(const struct ks_call *call);
/* NULL for an unknown method. */
const struct ks_call_ops *ks_call_ops_of(const struct ks_call *call);
struct ks_call *ks_call_ref(struct ks_call *call);
void ks_call_unref(struct ks_call *call);

/* Whether ks_call_send may be called now: the call goes on, and no message is in flight. */
bool ks_call_can_send(const struct ks_call *call);
/* Whether ks_call_finish and ks_call_reply may be called. */
bool ks_call_is_open(const struct ks_call *call);
/* Response headers, once, before the first message: so that the client sees them on a stream that
 * is silent yet. */
void ks_call_send_headers(struct ks_call *call);
void ks_call_send(struct ks_call *call, struct ks_str message);
/* details: an encoded google.rpc.Status for grpc-status-details-bin; may be empty. */
void ks_call_finish(struct ks_call *call, int code, const char *message, struct ks_str details);
/* Ends it with RESOURCE_EXHAUSTED because a limit was met: google.rpc details, a count, a line in
 * the log. */
void ks_call_finish_limit(struct ks_call *call, ks_limit limit, const char *message);
/* The only message and status OK, in one go. */
void ks_call_reply(struct ks_call *call, struct ks_str message);

void ks_call_drain(struct ks_call *call);
/* How long it may last from now: a share of KS_LIMIT_STREAM_SECONDS, and no longer than its
 * connection. */
int64_t ks_call_life_ms(const struct ks_call *call);
/* By when a connection that may last that long has no calls any more: gRPC sends GOAWAY within 10 %
 * of the time, and a minute of grace follows (or as long again, when that is shorter). */
int64_t ks_call_connection_max_ms(int64_t seconds);
/* 0 for one that holds nothing, or is ending. */
uint32_t ks_call_weigh(struct ks_call *call);
void ks_call_shed(struct ks_call *call, const char *text);

#endif
