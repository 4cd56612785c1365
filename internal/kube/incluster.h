/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration that Kubernetes gives to a Pod: environment and service account. shared/spec:
 * informers 4.3.
 *
 * Thread: any; reads files.  Limits: 1 MiB for the CA bundle.
 */
#ifndef KS_KUBE_INCLUSTER_H
#define KS_KUBE_INCLUSTER_H

#include "base/base.h"
#include "base/error.h"
#include "kube/config.h"

#define KS_INCLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* KS_RC_NOTFOUND when the environment does not say that this is a Pod; KS_RC_CONFIG when it is one
 * whose service account cannot be read. */
KS_MUST_USE ks_rc ks_incluster_load(const char *(*getenv_fn)(const char *name), const char *dir,
                                    struct ks_kube_config **out, struct ks_error *err);

#endif
