/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether targets are well-formed: what can be told without asking the API server.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_WATCHER_TARGET_CHECK_H
#define KS_WATCHER_TARGET_CHECK_H

#include "base/base.h"
#include "base/error.h"
#include "watcher/session.h"

/* KS_RC_INVALID; err begins with the field: "targets[2].object.name: ...". */
KS_MUST_USE ks_rc ks_targets_check(const struct ks_target *targets, size_t count,
                                   struct ks_error *err);

#endif
