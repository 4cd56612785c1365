/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of one run: clock, loop, kubesim's cluster, wire, history; and what can be done to the
 * objects in it.
 *
 * Thread: the loop's.  Owns: all its parts.  Limits: WORLD_TROUBLES_MAX findings are kept.
 */
#ifndef CONVERGENCE_WORLD_H
#define CONVERGENCE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include "json/json.h"

#include "kube/client.h"

#include "kubesim/registry.h"
#include "kubesim/sim.h"

#include "convergence/dice.h"
#include "convergence/history.h"

#define WORLD_NAMESPACES 3
#define WORLD_NAMES 6
#define WORLD_IDENTITIES 3
#define WORLD_TEXT_MAX 1024

struct world {
    uint64_t seed;
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct sim sim;
    struct history *history;
    struct dice dice;
    struct ks_kube_config configs[WORLD_IDENTITIES];
    struct ks_kube *kubes[WORLD_IDENTITIES];
    struct ks_json *json; /* to judge with; one document at a time */
    struct ks_json *json_member;
    bool is_verbose;
    bool has_trouble;
    char trouble[WORLD_TEXT_MAX]; /* the first */
    int cast[SPECIES_COUNT];      /* the species of this run: few, so that they meet often */
    uint32_t cast_size;
    /* Times at which something that may explain an answer was last so; 0: never. */
    int64_t crd_absent_ms[SPECIES_COUNT];
};

KS_MUST_USE ks_rc world_new(uint64_t seed, bool is_verbose, struct world **out,
                            struct ks_error *err);
struct world *world_free(struct world *w);

/* Lets time pass. False: something keeps the loop busy without end. */
KS_MUST_USE bool world_run(struct world *w, int64_t for_ms);
int64_t world_now_ms(const struct world *w);
/* The first finding ends the run. */
void world_fail(struct world *w, const char *fmt, ...) KS_PRINTF(2, 3);
/* Said when the run is verbose. */
void world_say(const struct world *w, const char *fmt, ...) KS_PRINTF(2, 3);

extern const char *const world_namespaces[WORLD_NAMESPACES];
extern const char *const world_names[WORLD_NAMES];

/* Which object; ns is "" for those of the cluster. */
struct world_name {
    int species;
    const char *ns;
    const char *name;
};
struct world_name world_pick(struct world *w, int species);
/* One of the run's species. */
int world_cast(struct world *w);

struct sim_rev *world_find(const struct world *w, const struct world_name *n);
bool world_serves(const struct world *w, int species);
/* Made, or given a new body; labels, owner and deletion stay as they are. */
void world_put(struct world *w, const struct world_name *n);
void world_relabel(struct world *w, const struct world_name *n);
void world_reown(struct world *w, const struct world_name *n);
/* With a finalizer: marked as being deleted first. */
void world_mark(struct world *w, const struct world_name *n);
void world_erase(struct world *w, const struct world_name *n);
void world_crd(struct world *w, int species, bool is_there);
/* One line of a scenario. */
void world_op(struct world *w, const char *fmt, ...) KS_PRINTF(2, 3);

#endif
