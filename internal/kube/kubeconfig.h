/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubeconfig files of one configuration, in order of precedence, and the context that is chosen
 * from them. shared/spec: informers 4.1, 4.2. Private to the configuration.
 *
 * Merging: of each name the first file that defines it wins, whole; the first current-context that
 * is not empty counts. Relative paths start from the folder of the file that defined the entry.
 *
 * Thread: any.  Owns: the files' texts, wiped at the end.  Limits: 16 files of 1 MiB, 32 levels.
 */
#ifndef KS_KUBE_KUBECONFIG_H
#define KS_KUBE_KUBECONFIG_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/config.h"

#define KS_KUBECONFIG_MAX_FILES 16

struct ks_kubeconfig;

KS_MUST_USE ks_rc ks_kubeconfig_new(struct ks_kubeconfig **out, struct ks_error *err);
struct ks_kubeconfig *ks_kubeconfig_free(struct ks_kubeconfig *k);

/* Adds a file's text (YAML or JSON) behind the others. KS_RC_CONFIG names the file and the place.
 */
KS_MUST_USE ks_rc ks_kubeconfig_add(struct ks_kubeconfig *k, struct ks_str text, const char *path,
                                    struct ks_error *err);
/* Whether a file names a current-context. */
bool ks_kubeconfig_has_current(const struct ks_kubeconfig *k);

/* context: NULL for the current one. */
KS_MUST_USE ks_rc ks_kubeconfig_resolve(const struct ks_kubeconfig *k, const char *context,
                                        bool may_read_files, struct ks_kube_config **out,
                                        struct ks_error *err);

#endif
