/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server URL of a kubeconfig, checked and brought into the form that the transport takes.
 *
 * Thread: any.
 */
#ifndef KS_KUBE_SERVER_URL_H
#define KS_KUBE_SERVER_URL_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* What a host without a scheme is taken for. */
typedef enum { KS_SERVER_URL_HTTP, KS_SERVER_URL_HTTPS } ks_server_url_scheme;

/*
 * scheme://host[:port][/prefix]: the prefix is kept, slashes at its end, query and fragment are
 * dropped. To be freed with ks_free. KS_RC_CONFIG for anything that is no such URL, and for one
 * with a user name in it.
 */
KS_MUST_USE ks_rc ks_server_url_normalize(struct ks_str text, ks_server_url_scheme fallback,
                                          char **out, struct ks_error *err);

#endif
