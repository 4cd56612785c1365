/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group, version, kind; and what one collection of the API server is called.
 *
 * Thread: any.  Owns: ks_resource its strings (one allocation, reference counted, not atomic: one
 * thread).
 */
#ifndef KS_KUBE_GVK_H
#define KS_KUBE_GVK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* Borrowed views. group "" is the core group; version "" means any. */
struct ks_gvk {
    struct ks_str group;
    struct ks_str version;
    struct ks_str kind;
};

/* Splits an apiVersion: "v1" -> ("", "v1"), "apps/v1" -> ("apps", "v1"). False for two or more
 * slashes. */
bool ks_api_version_split(struct ks_str api_version, struct ks_str *out_group,
                          struct ks_str *out_version);

/* A served resource, as discovery told it. Immutable. */
struct ks_resource {
    struct ks_str group;
    struct ks_str version;
    struct ks_str kind;
    struct ks_str plural; /* "deployments": the name in URLs */
    bool is_namespaced;
    bool can_list;
    bool can_watch;
    /* private */
    uint32_t refs;
};
/* Copies what `from` says; one reference; NULL when out of memory. */
KS_MUST_USE struct ks_resource *ks_resource_new(const struct ks_resource *from);
struct ks_resource *ks_resource_ref(struct ks_resource *r);
/* Returns NULL; NULL is allowed. */
struct ks_resource *ks_resource_unref(struct ks_resource *r);

#endif
