/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: what happens, and when. tests/scenarios/README.md describes the format.
 *
 * Thread: one.  Owns: the operations that are still to come.  Limits: SCENARIO_OPS_MAX operations,
 * SCENARIO_MAX_BYTES a file.
 */
#ifndef KUBESIM_SCENARIO_H
#define KUBESIM_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct sim;
struct sim_scenario;

struct sim_scenario_stats {
    uint64_t done;
    uint64_t failed;
    size_t waiting;
    uint64_t rounds; /* with --loop */
    char last_error[512];
};

KS_MUST_USE ks_rc sim_scenario_new(struct sim *sim, struct sim_scenario **out,
                                   struct ks_error *err);
struct sim_scenario *sim_scenario_free(struct sim_scenario *s);

/* The file's operations, from now on; times in it are moved to the present. */
KS_MUST_USE ks_rc sim_scenario_load(struct sim_scenario *s, const char *path, struct ks_error *err);
/*
 * Lines that came in at run time. All of them are read before any is carried out; those that are
 * due are carried out before it returns. *out_failed counts those among them that failed;
 * sim_scenario_stats has the last sentence.
 */
KS_MUST_USE ks_rc sim_scenario_add(struct sim_scenario *s, struct ks_str lines,
                                   size_t *out_accepted, size_t *out_failed, struct ks_error *err);
void sim_scenario_stats(const struct sim_scenario *s, struct sim_scenario_stats *out);

#endif
