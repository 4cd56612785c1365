/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kstatus.v1.StatusService/Get: a session until it is synced, then one answer.
 *
 * Thread: the lane's.  Limits: an answer of 4 MiB, what clients take by default.
 */
#ifndef KS_SERVER_RPC_GET_CALL_H
#define KS_SERVER_RPC_GET_CALL_H

#include "server/rpc/call.h"

extern const struct ks_call_ops ks_get_call_ops;

#endif
