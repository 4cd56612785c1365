/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to catalog.c and catalog_find.c: how the catalog lies in memory.
 *
 * Thread: one at a time.
 */
#ifndef KS_KUBE_CATALOG_STATE_H
#define KS_KUBE_CATALOG_STATE_H

#include "kube/catalog.h"

struct ks_catalog_entry {
    struct ks_resource *resource;
    /* Singular, then the short names, each with a NUL behind it; an empty singular stays in its
     * place. */
    char *aliases;
    size_t aliases_len;
};

struct ks_catalog_version {
    char *group;
    char *version;
    ks_catalog_freshness freshness;
    struct ks_catalog_entry *entries;
    size_t count;
};

/* Versions of one group stand together, preferred first; groups in server order. */
struct ks_catalog_versions {
    struct ks_catalog_version *at;
    size_t count;
    size_t resources; /* of all of them */
};

struct ks_catalog {
    struct ks_catalog_versions halves[2]; /* by ks_catalog_half: the core group first */
};

/* The n-th group version over both halves, or NULL. */
struct ks_catalog_version *ks_catalog_version_get(const struct ks_catalog *catalog, size_t n);

#endif
