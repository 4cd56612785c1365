/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the way of a goal when it is given up: the most telling objects, and targets that
 * are in the way without any. Private to the watcher.
 *
 * Thread: the caller's.  Owns: texts of its own; all else is borrowed from the session, until it
 * changes.  Limits: KS_OBSTACLES_MAX are kept, all are counted.
 */
#ifndef KS_WATCHER_OBSTACLES_H
#define KS_WATCHER_OBSTACLES_H

#include "base/base.h"
#include "base/error.h"
#include "watcher/session.h"
#include "watcher/until.h"

#define KS_OBSTACLES_MAX 16

struct ks_obstacles;

/* NULL when out of memory; ks_free. */
KS_MUST_USE struct ks_obstacles *ks_obstacles_new(const struct ks_until *until);

/* An object, if it is in the way. trouble: what is the matter with its targets; NULL: nothing. */
void ks_obstacles_add(struct ks_obstacles *list, const struct ks_update *update,
                      const struct ks_until_object *object, const struct ks_error *trouble);
/* A target, if it is. */
void ks_obstacles_add_target(struct ks_obstacles *list, size_t index,
                             const struct ks_target *target, const struct ks_error *trouble);

/* Most telling first; lives as long as the list. */
const struct ks_update *ks_obstacles_updates(struct ks_obstacles *list, size_t *out_count,
                                             uint32_t *out_total);

#endif
