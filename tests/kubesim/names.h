/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names objects may have.
 *
 * Thread: any.
 */
#ifndef KUBESIM_NAMES_H
#define KUBESIM_NAMES_H

#include <stdbool.h>

struct sim_problem;
struct sim_resource;

/* false: *problem is the 422 that says why not. */
bool sim_name_check(const struct sim_resource *res, const char *name, struct sim_problem *problem);

#endif
