/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP port: /healthz, /readyz and /metrics, on libmicrohttpd with one epoll thread of its own.
 *
 *   /healthz  200 while the gRPC ports answer (asked every 10 s), 503 when they twice did not:
 * start it anew /readyz   200 from the first call on, 503 while it drains. An API server that
 * cannot be reached does not make it unready: streams are served and say so; /metrics shows it
 * (kstatusd_upstream_reachable). /metrics  Prometheus text
 *
 * Thread: made and freed on the main one; answers come from its own.  Owns: the listener and its
 * thread.  Limits: 64 connections, 8 per address, 10 s of idleness, requests of 8 KiB, GET and HEAD
 * alone.
 */
#ifndef KS_SERVER_WEB_HTTP_H
#define KS_SERVER_WEB_HTTP_H

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "server/address.h"
#include "server/web/metrics.h"

struct ks_http_port;

struct ks_http_port_config {
    const struct ks_address *address;
    struct ks_metrics *metrics;
    /* Brings the metrics up to date before they are rendered. Thread: the port's. */
    void (*collect)(void *ctx);
    void *ctx;
    const struct ks_log *log;
};

KS_MUST_USE ks_rc ks_http_port_new(const struct ks_http_port_config *config,
                                   struct ks_http_port **out, struct ks_error *err);
/* The bound address. */
const char *ks_http_port_address(const struct ks_http_port *port);
/* Returns NULL; NULL is allowed. No collect after it returns. */
struct ks_http_port *ks_http_port_free(struct ks_http_port *port);

#endif
