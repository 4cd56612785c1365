/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of kstatus.v1.StatusService with one answer: Get, a session until it is synced, and
 * Wait, a session with a goal, whose outcome is the answer.
 *
 * Thread: the lane's.  Limits: those of a session; an answer to a Get of 4 MiB, what clients take
 * by default; of a Wait nothing is kept for the client but the outcome.
 */
#ifndef KS_SERVER_RPC_UNARY_CALL_H
#define KS_SERVER_RPC_UNARY_CALL_H

#include "server/rpc/call.h"

extern const struct ks_call_ops ks_get_call_ops;
extern const struct ks_call_ops ks_wait_call_ops;

#endif
