/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates made at start, the TLS side of connections, and the kubeconfig that leads clients
 * here.
 *
 * Thread: one.  Owns: the keys and the context; nothing of them touches the disk but the CA's
 * certificate, inside the kubeconfig.
 */
#ifndef KUBESIM_TLS_H
#define KUBESIM_TLS_H

#include <openssl/types.h>

#include "base/error.h"
#include "base/str.h"

struct sim_tls;

/* Makes a CA and a certificate for 127.0.0.1, ::1, localhost and host (may be NULL). */
KS_MUST_USE ks_rc sim_tls_new(const char *host, struct sim_tls **out, struct ks_error *err);
struct sim_tls *sim_tls_free(struct sim_tls *t);

/* A server-side session on the socket; NULL when memory is short. */
SSL *sim_tls_session_new(struct sim_tls *t, int fd);
/* The sentence of OpenSSL's latest error; clears its queue. */
void sim_tls_error_take(char *out, size_t size);

struct sim_kubeconfig {
    const char *path;
    const char *url;
    const char *token;
};
/* Mode 0600, written atomically. */
KS_MUST_USE ks_rc sim_kubeconfig_write(const struct sim_tls *t, const struct sim_kubeconfig *k,
                                       struct ks_error *err);

#endif
