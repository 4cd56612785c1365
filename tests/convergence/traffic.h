/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic: one run, from the seed to the comparison.
 *
 * Thread: the loop's.  Limits: RUN_READERS_MAX streams at a time.
 */
#ifndef CONVERGENCE_TRAFFIC_H
#define CONVERGENCE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "convergence/world.h"

struct run_result {
    bool is_good;
    char trouble[WORLD_TEXT_MAX];
    uint64_t writes;
    uint64_t updates;
    uint64_t requests;
    uint64_t faults;
    uint64_t streams;
    int64_t virtual_ms;
};

void run_seed(uint64_t seed, bool is_verbose, struct run_result *out);

#endif
