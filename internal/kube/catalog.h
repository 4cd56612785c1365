/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog: what an API server serves, extracted from its discovery documents, and looked up by
 * name or kind. shared/spec: informers 3.1, 3.3, 3.4.
 *
 * Thread: one at a time.  Owns: its resources (references).  Limits: 20 000 resources and 2 000
 * group versions a half; documents of 32 MiB.
 *
 * A group version is CURRENT when its resources are known, STALE when the server behind it does not
 * answer (resources may be known from before), PENDING when a legacy server has named it and its
 * resources have not been added yet.
 */
#ifndef KS_KUBE_CATALOG_H
#define KS_KUBE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/gvk.h"
#include "kube/mapper.h"

#define KS_CATALOG_MAX_RESOURCES 20000
#define KS_CATALOG_MAX_VERSIONS 2000
#define KS_CATALOG_MAX_DOCUMENT ((size_t)32 << 20)

struct ks_catalog;

/* The two halves come from two documents: /api has the core group, /apis all others. */
typedef enum { KS_CATALOG_CORE, KS_CATALOG_GROUPS } ks_catalog_half;

KS_MUST_USE ks_rc ks_catalog_new(struct ks_catalog **out, struct ks_error *err);
struct ks_catalog *ks_catalog_free(struct ks_catalog *catalog);

/*
 * Adds what /api or /apis answered: APIGroupDiscoveryList, APIVersions or APIGroupList, told apart
 * by kind. Of the last two, every group version is PENDING afterwards. KS_RC_PROTOCOL for anything
 * else.
 */
KS_MUST_USE ks_rc ks_catalog_add_document(struct ks_catalog *catalog, ks_catalog_half half,
                                          struct ks_str text, struct ks_error *err);
/* The n-th group version, in server order; false when there are no more. path (may be NULL) is
 * where a legacy server tells its resources: "/api/v1", "/apis/apps/v1". */
typedef enum { KS_CATALOG_CURRENT, KS_CATALOG_STALE, KS_CATALOG_PENDING } ks_catalog_freshness;
bool ks_catalog_version_at(const struct ks_catalog *catalog, size_t n,
                           ks_catalog_freshness *out_freshness);
KS_MUST_USE ks_rc ks_catalog_version_path(const struct ks_catalog *catalog, size_t n,
                                          struct ks_buf *out);
/* Adds an APIResourceList; the n-th group version is CURRENT afterwards. */
KS_MUST_USE ks_rc ks_catalog_add_resources(struct ks_catalog *catalog, size_t n, struct ks_str text,
                                           struct ks_error *err);
/* The n-th group version could not be asked. */
void ks_catalog_set_stale(struct ks_catalog *catalog, size_t n);

/* Moves that half of `from` here, which has none yet: the server said that it has not changed. */
void ks_catalog_move_half(struct ks_catalog *catalog, struct ks_catalog *from,
                          ks_catalog_half half);
/* Takes over the resources of each group version that is STALE and empty here and was known there.
 */
KS_MUST_USE ks_rc ks_catalog_keep_stale(struct ks_catalog *catalog, const struct ks_catalog *before,
                                        struct ks_error *err);

size_t ks_catalog_count(const struct ks_catalog *catalog);

/* OK (lent), NOTFOUND, AMBIGUOUS, UNAVAILABLE (a group that does not answer may serve it). */
KS_MUST_USE ks_rc ks_catalog_find(const struct ks_catalog *catalog,
                                  const struct ks_mapper_query *query, struct ks_resource **out,
                                  struct ks_error *err);

#endif
