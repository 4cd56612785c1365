/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind or resource name -> served resource, from the API server's discovery (aggregated v2, legacy
 * as fallback). shared/spec: informers 3.
 *
 * Thread: the loop's.  Owns: the discovery documents' extract; reference counted ks_resource.
 * Limits: 32 MiB a document, 20 000 resources. A refetch at most every 5 s (single-flight); a miss
 * refetches once, unless the last fetch began within these 5 s, and is then
 * remembered for 10 s; the extract is refreshed when older than 10 min.
 */
#ifndef KS_KUBE_MAPPER_H
#define KS_KUBE_MAPPER_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/gvk.h"

struct ks_kube;
struct ks_mapper;
struct ks_resolve;

/* Either `name` (what a user types to kubectl: "deploy", "deployments", "deployment.apps",
 * "deployments.v1.apps", "po"), or kind with optional group and version. */
struct ks_mapper_query {
    struct ks_str name;
    struct ks_str group;
    struct ks_str version;
    struct ks_str kind;
    bool has_group; /* with kind: group "" means the core group, not "any" */
    bool is_repeat; /* asked before: an answer of the last 5 s is the one that is doubted */
};

/*
 * rc: OK; NOTFOUND (the cluster does not serve it: the message names what was looked for and the
 * nearest names); AMBIGUOUS (lists the candidates); UNAVAILABLE, DENIED, UNAUTHENTICATED, IO
 * (discovery itself failed: try again). resource is lent: take a reference to keep it. Never called
 * from within ks_mapper_resolve.
 */
typedef void (*ks_resolve_done)(void *ctx, ks_rc rc, struct ks_resource *resource,
                                const struct ks_error *err);

KS_MUST_USE ks_rc ks_mapper_resolve(struct ks_mapper *mapper, const struct ks_mapper_query *query,
                                    ks_resolve_done done, void *ctx, struct ks_resolve **out,
                                    struct ks_error *err);
/* done is not called. NULL is allowed. */
void ks_resolve_cancel(struct ks_resolve *resolve);

/* The next resolve asks the server again (floor: 5 s): for what a watch on CRDs or a 404 tells. */
void ks_mapper_invalidate(struct ks_mapper *mapper);

/* Made and freed by ks_kube. */
KS_MUST_USE ks_rc ks_mapper_new(struct ks_kube *kube, struct ks_mapper **out, struct ks_error *err);
struct ks_mapper *ks_mapper_free(struct ks_mapper *mapper);

#endif
