/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CustomResourceDefinitions: what they serve.
 *
 * Thread: one.  Owns: nothing; what is served stands in the catalog.
 */
#ifndef KUBESIM_CRD_H
#define KUBESIM_CRD_H

#include <stdbool.h>

#include <jansson.h>

#include "base/str.h"

struct sim;
struct sim_problem;
struct sim_resource;

bool sim_crd_is(const struct sim_resource *res);
/* false: *problem says why it is not valid. */
bool sim_crd_check(const json_t *crd, struct sim_problem *problem);
bool sim_crd_is_established(const json_t *crd);
/* Adds the conditions NamesAccepted and Established, and what goes with them; false when memory is
 * short. */
bool sim_crd_accept(const struct sim *sim, json_t *crd);
/* Serves what the CRD says; watches of what it served before end. before may be NULL: the CRD is
 * new. */
void sim_crd_serve(struct sim *sim, const json_t *crd, const json_t *before);
void sim_crd_unserve(struct sim *sim, const json_t *crd);
/* The resource that the CRD serves in any version; NULL when none. */
struct sim_resource *sim_crd_resource(const struct sim *sim, const json_t *crd);
/* The name of the CRD of a custom resource: "plural.group". */
void sim_crd_name(const struct sim_resource *res, char *out, size_t size);

#endif
