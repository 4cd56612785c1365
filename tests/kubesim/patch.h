/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patches of JSON trees.
 *
 * Thread: any.  Limits: PATCH_DEPTH_MAX levels.
 */
#ifndef KUBESIM_PATCH_H
#define KUBESIM_PATCH_H

#include <jansson.h>

#include "base/error.h"

enum sim_patch_kind {
    SIM_PATCH_MERGE,     /* RFC 7386 */
    SIM_PATCH_STRATEGIC, /* lists of named things are merged by name, as far as kubectl's own
                            patches need it */
};

/* Applies the patch to target in place. KS_RC_LIMIT, KS_RC_NOMEM. */
KS_MUST_USE ks_rc sim_patch_apply(json_t *target, json_t *patch, enum sim_patch_kind kind);

#endif
