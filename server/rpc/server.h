/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC server: listeners, the poller, the lanes, the method table, and the drain.
 *
 * Thread: made, started, drained and freed on the main one.  Owns: the grpc_server, poller and
 * lanes.  Borrows: workers, metrics, log.  Limits: see server.c.
 *
 * The drain, once begun, goes by itself: health says NOT_SERVING; then no new connections, and
 * GOAWAY; then each stream gets what waits for it, Draining, and UNAVAILABLE. on_drained comes when
 * the last call and the last connection are gone. A client that answers closes its connection at
 * once; one that does not (stopped, or no gRPC client at all) keeps it until ks_rpc_server_hurry.
 */
#ifndef KS_SERVER_RPC_SERVER_H
#define KS_SERVER_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "server/address.h"
#include "server/limits.h"
#include "server/web/metrics.h"
#include "server/worker.h"

struct ks_rpc_server;

struct ks_rpc_server_config {
    const struct ks_address *listen;
    size_t listen_count;
    bool may_listen_unsafely;
    struct ks_worker *const *workers;
    size_t worker_count;
    struct ks_metrics *metrics;
    const struct ks_log *log;
    const char *instance;
    const struct ks_limits *limits;
    /* During a drain, when no call is left: only connections hold the server up. Then, or without
     * it, on_drained. Each once; thread: any. */
    void (*on_quiet)(void *ctx);
    void (*on_drained)(void *ctx);
    void *ctx;
};

/* Before any other use of gRPC, and after the last. */
void ks_rpc_init(const struct ks_log *log);
void ks_rpc_fini(void);

/* The core's version ("29.0.0" is gRPC 1.51). */
const char *ks_rpc_core_version(void);
/* Whether a core of this version may face peers that are not trusted (DESIGN 8): gRPC 1.60 or
 * later. */
bool ks_rpc_is_exposable(const char *core_version);

/* Binds all addresses; the config's texts are borrowed for as long as it lives. KS_RC_CONFIG: an
 * address is refused; the sentence says why and what to do. */
KS_MUST_USE ks_rc ks_rpc_server_new(const struct ks_rpc_server_config *config,
                                    struct ks_rpc_server **out, struct ks_error *err);
KS_MUST_USE ks_rc ks_rpc_server_start(struct ks_rpc_server *server, struct ks_error *err);
/* As they were bound, with the ports that were picked. */
const struct ks_address *ks_rpc_server_bound(const struct ks_rpc_server *server, size_t *out_count);
/* The same, comma separated. */
const char *ks_rpc_server_addresses(const struct ks_rpc_server *server);

/* Once. */
void ks_rpc_server_drain(struct ks_rpc_server *server);
/* During a drain: breaks off all calls, and closes all connections. */
void ks_rpc_server_hurry(struct ks_rpc_server *server);

/* Whether new calls are refused for want of memory. Thread: any. */
void ks_rpc_server_set_memory_short(struct ks_rpc_server *server, bool is_short);
/* Ends the call that holds the most objects, soon. Not after ks_rpc_server_drain. */
void ks_rpc_server_shed(struct ks_rpc_server *server);

/* Never started, or drained; the workers' threads have been joined (they ring our bells). Returns
 * NULL; NULL is allowed. */
struct ks_rpc_server *ks_rpc_server_free(struct ks_rpc_server *server);

#endif
