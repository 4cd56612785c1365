/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.health.v1.Health: Check and Watch. SERVING from the first call on, NOT_SERVING from the
 * drain's start.
 *
 * The names answered for are "" (the server), kstatus.v1.StatusService and grpc.health.v1.Health.
 * An API server that cannot be reached does not make it NOT_SERVING: streams are served, and their
 * targets say DISCONNECTED.
 *
 * Thread: the lane's.
 */
#ifndef KS_SERVER_RPC_HEALTH_H
#define KS_SERVER_RPC_HEALTH_H

#include "server/rpc/call.h"

extern const struct ks_call_ops ks_health_check_ops;
extern const struct ks_call_ops ks_health_watch_ops;

/* Tells a health Watch call that the server has begun to drain; other calls are left alone. */
void ks_health_tell(struct ks_call *call);

#endif
