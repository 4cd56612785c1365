/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet: what all reflectors of one client share: their JSON parser, and what they learned
 * about the server.
 *
 * Thread: the loop's.  Owns: the parser and the memory.  Limits: 4096 remembered resources.
 */
#ifndef KS_KUBE_FLEET_H
#define KS_KUBE_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/list.h"
#include "json/json.h"
#include "kube/client.h"
#include "kube/gvk.h"

struct ks_fleet;

/* The client's fleet, made at the first call. */
KS_MUST_USE ks_rc ks_fleet_of(struct ks_kube *kube, struct ks_fleet **out, struct ks_error *err);
/* All reflectors must have been freed. Returns NULL; NULL is allowed. */
struct ks_fleet *ks_fleet_free(struct ks_fleet *fleet);

/* A document lives until the callback that it was parsed for returns. */
struct ks_json *ks_fleet_parser(struct ks_fleet *fleet);

/* The reflectors that ask whether the server is still in the same world: a list of theirs alone. */
struct ks_list *ks_fleet_probing(struct ks_fleet *fleet);

/*
 * Features that a server may lack for a resource. Absence is remembered for a while, so that not
 * each of a thousand calls has to find it out.
 */
typedef enum {
    KS_FEATURE_STREAMING_LIST, /* sendInitialEvents */
    KS_FEATURE_NAME_SELECTOR,  /* fieldSelector=metadata.name */
    KS_FEATURE_COUNT,
} ks_feature;
bool ks_fleet_may_use(const struct ks_fleet *fleet, const struct ks_resource *resource,
                      ks_feature feature);
/* Never fails: what cannot be remembered is found out again. */
void ks_fleet_remember_absence(struct ks_fleet *fleet, const struct ks_resource *resource,
                               ks_feature feature, int64_t for_ms);

#endif
