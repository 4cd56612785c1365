/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds with a life of their own: CustomResourceDefinitions, which bring and take resources, and
 * Namespaces, which take their content with them. Also the defaults that the server fills in.
 *
 * Thread: one.
 */
#ifndef KUBESIM_LIFECYCLE_H
#define KUBESIM_LIFECYCLE_H

#include <stdbool.h>

#include <jansson.h>

#include "registry.h"

/* Before a write: refuses what the kind does not allow, with the reason in *problem. */
bool sim_lifecycle_check(const struct sim_resource *res, const json_t *obj,
                         struct sim_problem *problem);
/* Whether something can be created in the target's namespace. */
bool sim_lifecycle_namespace_is_open(const struct sim_target *t, struct sim_problem *problem);
/* Fills in what the server adds to a new object; false when memory is short. */
bool sim_lifecycle_defaults(const struct sim_resource *res, json_t *obj);

/* After a write. */
void sim_lifecycle_on_put(struct sim *sim, const struct sim_resource *res, struct sim_rev *rev);
void sim_lifecycle_on_removed(struct sim *sim, const struct sim_resource *res,
                              struct sim_rev *last);

/* A delete was asked for: takes the object's content away first; true when some of it stays. */
bool sim_lifecycle_holds(struct sim *sim, const struct sim_resource *res, struct sim_rev *rev);
/* Takes away the finalizers that stand for our own cleaning up. */
void sim_lifecycle_release(const struct sim_resource *res, json_t *obj);
/* The object is being marked as deleted. */
void sim_lifecycle_on_deletion(const struct sim_resource *res, json_t *obj);

#endif
