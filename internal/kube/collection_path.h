/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/kube: the path and query of a list or watch. shared/spec: informers 1.2.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_KUBE_COLLECTION_PATH_H
#define KS_KUBE_COLLECTION_PATH_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/gvk.h"

#define KS_COLLECTION_PATH_MAX_BYTES ((size_t)128 << 10)

/* What is the same in all requests for one collection. */
struct ks_collection {
    const struct ks_resource *resource;
    struct ks_str ns;
    struct ks_str name; /* not empty: the selector metadata.name=<name> */
    struct ks_str label_selector;
    struct ks_str field_selector;
};

struct ks_collection_query {
    struct ks_str resource_version; /* empty: not sent */
    struct ks_str continue_token;
    unsigned limit;         /* 0: none */
    unsigned timeout_s;     /* of a watch */
    bool is_not_older_than; /* resourceVersionMatch */
    bool is_watch;
    bool wants_bookmarks;
    bool wants_initial_events;
};

/* Whether text may stand as one segment of a path: not empty, not "." or "..", without '/' and
 * '%'. */
bool ks_path_segment_is_safe(struct ks_str text);
/* KS_RC_LIMIT when it would be longer than out may grow. */
KS_MUST_USE ks_rc ks_collection_path(const struct ks_collection *collection,
                                     const struct ks_collection_query *query, struct ks_buf *out,
                                     struct ks_error *err);

#endif
