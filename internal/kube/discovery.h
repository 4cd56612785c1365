/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of discovery: asks an API server what it serves and makes a catalog of it. Two requests
 * on a current server, one more for each group version on an old one. shared/spec: informers 3.1
 * to 3.3.
 *
 * Thread: the loop's.  Owns: its requests.  Limits: 32 MiB a document, 32 s for each, 8 requests at
 * once.
 */
#ifndef KS_KUBE_DISCOVERY_H
#define KS_KUBE_DISCOVERY_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "kube/catalog.h"
#include "kube/client.h"

struct ks_discovery;

#define KS_DISCOVERY_HALVES 2

/* All of it is lent for the call; a taken pointer is replaced by NULL. */
struct ks_discovery_result {
    const struct ks_kube_failure *failure; /* NULL: complete */
    struct ks_catalog *catalog;            /* may be taken; an unchanged half is empty */
    bool is_unchanged[KS_DISCOVERY_HALVES];
    char *etags[KS_DISCOVERY_HALVES]; /* may be taken; NULL when the server sends none */
};

struct ks_discovery_ops {
    /* The endpoint cannot be reached; the run goes on when it can. At most once. */
    void (*on_waiting)(void *ctx, const struct ks_error *err);
    /* Once, last. The handle is dead when it returns. */
    void (*on_done)(void *ctx, struct ks_discovery_result *result);
};

/* etags: what to compare with, each may be NULL. Callbacks never come from within the call. */
KS_MUST_USE ks_rc ks_discovery_start(struct ks_kube *kube,
                                     const char *const etags[KS_DISCOVERY_HALVES],
                                     const struct ks_discovery_ops *ops, void *ctx,
                                     struct ks_discovery **out, struct ks_error *err);
/* NULL is allowed. */
void ks_discovery_cancel(struct ks_discovery *discovery);

#endif
