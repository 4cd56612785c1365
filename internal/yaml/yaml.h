/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to JSON, as Kubernetes reads manifests and kubeconfigs (the YAML 1.1 core that
 * sigs.k8s.io/yaml accepts): yes/no/on/off are booleans, 0x/0o/0b and leading-zero octal are
 * integers, .inf and .nan are refused, keys are turned into strings, a duplicate key's last value
 * wins, timestamps stay strings, << merges. JSON is a subset.
 *
 * A layer of its own because two need it: kube reads kubeconfigs, the client reads manifests.
 *
 * Thread: any.  Owns: nothing after a call.  Limits: struct ks_yaml_limits, checked before
 * libyaml's own parser can go quadratic on them; anchors and aliases expand within max_json_bytes.
 */
#ifndef KS_YAML_YAML_H
#define KS_YAML_YAML_H

#include "base/str.h"

struct ks_yaml_limits {
    size_t max_bytes;
    size_t max_json_bytes;
    unsigned max_depth;
};
extern const struct ks_yaml_limits ks_yaml_limits_kubeconfig; /* 1 MiB, 4 MiB, 32 levels */
extern const struct ks_yaml_limits ks_yaml_limits_manifest;   /* 16 MiB, 64 MiB, 64 levels */

/* json: one whole document as JSON text, lent for the call; line: where it starts (1 = first).
 * Empty documents are skipped. A result other than OK ends the run and is returned. */
typedef ks_rc (*ks_yaml_document_fn)(void *ctx, struct ks_str json, size_t line);

/* KS_RC_PARSE with line and column in the message, KS_RC_LIMIT, KS_RC_NOMEM. */
KS_MUST_USE ks_rc ks_yaml_to_json(struct ks_str text, const struct ks_yaml_limits *limits,
                                  ks_yaml_document_fn on_document, void *ctx, struct ks_error *err);

#endif
