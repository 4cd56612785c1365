/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a file is a kubeconfig at all: what a person has named by mistake is told apart from a
 * kubeconfig that lacks something. Private to the kubeconfig reader.
 *
 * Thread: any.  Owns: nothing.
 *
 * A failure is KS_RC_CONFIG; it names the file, what is wrong, and what to do.
 */
#ifndef KS_KUBE_KUBECONFIG_FORM_H
#define KS_KUBE_KUBECONFIG_FORM_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"

/* Before it is parsed: binary data, another encoding. */
KS_MUST_USE ks_rc ks_kubeconfig_check_bytes(struct ks_str text, const char *path,
                                            struct ks_error *err);
/* Its JSON: another kind of object, members of a wrong type. */
KS_MUST_USE ks_rc ks_kubeconfig_check_form(struct ks_json_value root, const char *path,
                                           struct ks_error *err);
/* Whether any of a kubeconfig's own members is there. */
bool ks_kubeconfig_has_members(struct ks_json_value root);

#endif
