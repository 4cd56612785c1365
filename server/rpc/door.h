/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: takes connections in, before gRPC sees them, and knows which are open and how many
 * calls each has.
 *
 * It is ours and not gRPC's because gRPC 1.51's listener dies when file descriptors run out
 * (CVE-2023-4785), counts neither connections nor calls, and hands on what is no HTTP/2.
 *
 * Thread: made and freed on the main one, with a thread of its own in between; calls enter and
 * leave on any.  Owns: listening sockets, connections that have not been handed on, and a duplicate
 * of each that has.  Limits: KS_LIMIT_CONNECTIONS, KS_LIMIT_CONNECTIONS_PER_ADDRESS;
 * KS_DOOR_PENDING_MAX that have not said what they are, for KS_DOOR_PREFACE_MS each.
 */
#ifndef KS_SERVER_RPC_DOOR_H
#define KS_SERVER_RPC_DOOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "server/address.h"
#include "server/limits.h"
#include "server/web/metrics.h"

#define KS_DOOR_PENDING_MAX 256
#define KS_DOOR_PREFACE_MS 5000
#define KS_DOOR_COURTESY_MAX 64
#define KS_DOOR_COURTESY_MS 2000

struct ks_door;
struct ks_conn;

struct ks_door_config {
    const struct ks_limits *limits;
    struct ks_metrics *metrics;
    const struct ks_log *log;
    /* Takes the file descriptor of a connection that has begun to speak HTTP/2. Thread: the door's.
     */
    void (*on_open)(void *ctx, int fd);
    /* Once, after ks_door_shut: nothing comes in any more. Thread: the door's. */
    void (*on_shut)(void *ctx);
    void *ctx;
};

KS_MUST_USE ks_rc ks_door_new(const struct ks_door_config *config, struct ks_door **out,
                              struct ks_error *err);
/* Listens on one address more, but takes nobody in yet; *out_port is the port that was bound.
 * Before ks_door_start. */
KS_MUST_USE ks_rc ks_door_listen(struct ks_door *d, const struct ks_address *address,
                                 uint16_t *out_port, struct ks_error *err);
KS_MUST_USE ks_rc ks_door_start(struct ks_door *d, struct ks_error *err);

/* A call has come on the connection that gRPC names "fd:N". KS_RC_NOTFOUND: that one is gone
 * already; *out_conn is NULL also for a peer that came by another way. Thread: any. */
KS_MUST_USE ks_rc ks_door_enter(struct ks_door *d, const char *peer, struct ks_conn **out_conn,
                                uint32_t *out_calls);
/* The call is over. NULL is allowed. Thread: any. */
void ks_door_leave(struct ks_door *d, struct ks_conn *conn);
/* Which limit the connection is over: its calls are to be refused, and it is closed soon.
 * KS_LIMIT_COUNT: none. Thread: any. */
ks_limit ks_conn_over(const struct ks_conn *conn);
/* For how long the connection has been open. Thread: any. */
int64_t ks_conn_age_ms(const struct ks_conn *conn);

/* Closes the listening sockets and what has not been handed on; on_shut follows. Once, after start.
 * Thread: any. */
void ks_door_shut(struct ks_door *d);
/* All calls have left. Returns NULL; NULL is allowed. */
struct ks_door *ks_door_free(struct ks_door *d);

#endif
