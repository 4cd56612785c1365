/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resourceVersion: opaque when sent, comparable in one well-defined case (shared/spec:
 * informers 2.6).
 *
 * Well-formed is: decimal digits alone, no leading zero, not "0". Two well-formed ones of one
 * resource type of one server compare as numbers of any length. For all others only equality is
 * defined.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_KUBE_RV_H
#define KS_KUBE_RV_H

#include <stdbool.h>

#include "base/base.h"
#include "base/str.h"

#define KS_RV_MAX_BYTES 256

bool ks_rv_is_well_formed(struct ks_str rv);
/* Whether both are well-formed and a < b. */
bool ks_rv_is_older(struct ks_str a, struct ks_str b);
/* Whether it is min, or newer. */
bool ks_rv_reaches(struct ks_str rv, struct ks_str min);
/* Whether a watch may be resumed from it: not "", not "0", not longer than KS_RV_MAX_BYTES. */
bool ks_rv_is_resumable(struct ks_str rv);

#endif
