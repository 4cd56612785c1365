/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers by which a kubeconfig's `as` fields ask the API server to treat us as somebody else.
 * shared/spec: informers 5.4.
 *
 * Thread: any; immutable once made.  Owns: its strings.  Limits: those of the configuration (128
 * groups, 64 extras).
 */
#ifndef KS_KUBE_IMPERSONATION_H
#define KS_KUBE_IMPERSONATION_H

#include "base/base.h"
#include "base/error.h"
#include "http/transport.h"
#include "kube/config.h"

struct ks_impersonation;

/* NULL comes out when nobody is impersonated. config is borrowed and must outlive it. */
KS_MUST_USE ks_rc ks_impersonation_new(const struct ks_kube_config *config,
                                       struct ks_impersonation **out, struct ks_error *err);
struct ks_impersonation *ks_impersonation_free(struct ks_impersonation *im);

/* For each request. NULL gives none. */
const struct ks_http_header *ks_impersonation_headers(const struct ks_impersonation *im,
                                                      size_t *out_count);

#endif
