/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kstatus.v1.StatusService/Wait: a session with a goal, whose outcome is the answer.
 *
 * Thread: the lane's.  Limits: those of a session; nothing is kept for the client but the outcome.
 */
#ifndef KS_SERVER_RPC_WAIT_CALL_H
#define KS_SERVER_RPC_WAIT_CALL_H

#include "server/rpc/call.h"

extern const struct ks_call_ops ks_wait_call_ops;

#endif
