/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transports to one API server. A transport is bound to its certificates for life, so that a
 * new certificate means a new transport; the old one retires with its last request.
 *
 * CA, certificate and key files are read again every 5 min (shared/spec: informers 4.3, 4.5).
 *
 * Thread: the loop's; reads files.  Owns: the transports.  Limits: 8 transports that still have
 * requests; beyond them a new certificate has to wait.
 */
#ifndef KS_KUBE_ENDPOINT_H
#define KS_KUBE_ENDPOINT_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "loop/loop.h"
#include "kube/client.h"
#include "kube/config.h"

struct ks_endpoint;
struct ks_http;
struct ks_transport;

/* config and options are borrowed. KS_RC_CONFIG when URL or certificates are unusable. */
KS_MUST_USE ks_rc ks_endpoint_new(struct ks_loop *loop, const struct ks_kube_config *config,
                                  const struct ks_kube_options *options, struct ks_endpoint **out,
                                  struct ks_error *err);
/* No transport may be in use. Closes all sockets. Returns NULL; NULL is allowed. */
struct ks_endpoint *ks_endpoint_free(struct ks_endpoint *endpoint);

/* The transport for a request that starts now, with that client certificate, or the configuration's
 * own when it is NULL. To be given back with ks_endpoint_leave when the request has ended; that may
 * be within its last callback. */
KS_MUST_USE ks_rc ks_endpoint_enter(struct ks_endpoint *endpoint, const char *cert_pem,
                                    const char *key_pem, struct ks_transport **out,
                                    struct ks_error *err);
void ks_endpoint_leave(struct ks_endpoint *endpoint, struct ks_transport *transport);
/* A handshake failed for its certificates: files are read again after 10 s instead of 5 min. */
void ks_endpoint_suspect(struct ks_endpoint *endpoint);
struct ks_http *ks_transport_http(struct ks_transport *transport);

struct ks_endpoint_stats {
    uint32_t connections; /* open sockets */
    uint64_t connects;    /* ever */
};
void ks_endpoint_get_stats(const struct ks_endpoint *endpoint, struct ks_endpoint_stats *out);

#endif
