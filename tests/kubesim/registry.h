/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating, changing and deleting objects by the API server's rules. Used by requests and by
 * scenarios alike.
 *
 * Thread: one.  Owns: nothing.
 *
 * Every function returns the object's new state (or its last) as a reference of the caller's, or
 * NULL with the reason in *problem. Trees given in are changed freely.
 */
#ifndef KUBESIM_REGISTRY_H
#define KUBESIM_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "catalog.h"
#include "status_body.h"
#include "store.h"

struct sim;

enum sim_part { SIM_PART_MAIN, SIM_PART_STATUS };
enum sim_mode { SIM_COMMIT, SIM_DRY_RUN };

/* The object that a request is about. */
struct sim_target {
    struct sim *sim;
    const struct sim_resource *res;
    struct ks_str ns;
    struct ks_str name; /* empty when creating */
    enum sim_mode mode;
};

struct sim_rev *sim_create(const struct sim_target *t, json_t *obj, struct sim_problem *problem);
struct sim_rev *sim_update(const struct sim_target *t, json_t *obj, enum sim_part part,
                           struct sim_problem *problem);

struct sim_delete_options {
    const char *uid; /* preconditions; NULL: none */
    const char *rv;
};
/* *out_gone: it is gone; otherwise finalizers hold it. */
struct sim_rev *sim_delete(const struct sim_target *t, const struct sim_delete_options *options,
                           bool *out_gone, struct sim_problem *problem);

/* Puts obj in as it is (uid, generation, status and all), whether it was there or not: for
 * scenarios. */
struct sim_rev *sim_record(const struct sim_target *t, json_t *obj, struct sim_problem *problem);
/* Takes it out whatever holds it; last (may be NULL) is its last state. False when it was not
 * there. */
bool sim_erase(const struct sim_target *t, json_t *last);

/* The namespaces that every cluster has. */
KS_MUST_USE ks_rc sim_registry_populate(struct sim *sim, struct ks_error *err);

#endif
