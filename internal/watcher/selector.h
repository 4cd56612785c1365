/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of what a caller may put into a URL: names, namespaces, label and field selectors, in
 * Kubernetes' own syntax.
 *
 * Thread: any.  Owns: nothing.  Limits: 4 KiB a selector, 253 bytes a name (RFC 1123 subdomain) or
 * any path segment without '/' and '%', 63 bytes a namespace.
 */
#ifndef KS_WATCHER_SELECTOR_H
#define KS_WATCHER_SELECTOR_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define KS_SELECTOR_MAX_BYTES 4096

/* "a=b", "a==b", "a!=b", "a", "!a", "a in (b,c)", "a notin (b)", "a>1", joined by commas.
 * KS_RC_INVALID says what is wrong and where. The empty selector is fine. */
KS_MUST_USE ks_rc ks_label_selector_check(struct ks_str text, struct ks_error *err);
/* "metadata.name=x", "metadata.namespace!=y", any field with =, == or !=, joined by commas. */
KS_MUST_USE ks_rc ks_field_selector_check(struct ks_str text, struct ks_error *err);
KS_MUST_USE ks_rc ks_object_name_check(struct ks_str text, struct ks_error *err);
KS_MUST_USE ks_rc ks_namespace_check(struct ks_str text, struct ks_error *err);

/* Whether a field selector that passed the check looks only at fields that an object keeps for
 * life (its name and namespace): an object never leaves such a selector but by deletion. */
bool ks_field_selector_is_lasting(struct ks_str text);

#endif
