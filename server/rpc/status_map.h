/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC status codes by name, for metrics and log lines. Which code a ks_rc becomes is ks_rpc_code's
 * matter (bridge/encode.h): messages and trailers share that one table.
 *
 * Thread: any.
 */
#ifndef KS_SERVER_RPC_STATUS_MAP_H
#define KS_SERVER_RPC_STATUS_MAP_H

#define KS_RPC_CODE_COUNT 17

/* "OK", "CANCELLED", ...; "UNKNOWN" for a number that is no code. */
const char *ks_rpc_code_text(int code);

#endif
