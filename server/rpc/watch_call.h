/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kstatus.v1.StatusService/Watch. See watch_call.c for its state machine.
 *
 * Thread: the lane's.  Limits: 64 events and 1 MiB a response, one response in flight.
 */
#ifndef KS_SERVER_RPC_WATCH_CALL_H
#define KS_SERVER_RPC_WATCH_CALL_H

#include "server/rpc/call.h"

extern const struct ks_call_ops ks_watch_call_ops;

#endif
