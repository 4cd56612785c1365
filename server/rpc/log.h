/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's own log lines, through ours: escaped, cut, rate limited.
 *
 * Thread: install before grpc_init, on the main thread; lines come from any.  Owns: nothing; the
 * log is borrowed for the rest of the process.  Limits: 10 lines in 10 s.
 */
#ifndef KS_SERVER_RPC_LOG_H
#define KS_SERVER_RPC_LOG_H

#include "base/log.h"

/* NULL: gRPC is silent. */
void ks_grpc_log_install(const struct ks_log *log);

#endif
