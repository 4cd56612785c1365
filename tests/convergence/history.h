/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History: every state that an object of the run's species has had, in the order of writing.
 *
 * Thread: one.  Owns: references to kubesim's revisions.
 */
#ifndef CONVERGENCE_HISTORY_H
#define CONVERGENCE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/str.h"

#include "kubesim/selector.h"
#include "kubesim/store.h"

#include "convergence/species.h"

struct history;
struct ks_clock;

struct history_state {
    struct sim_rev *rev;
    int64_t wall_ms;
    int species;
    bool is_deletion; /* rev is the last state, with the deletion's version */
};

/* A name of a species. */
struct history_name {
    int species;
    struct ks_str ns;
    struct ks_str name;
};

/* Listens to the store from now on; NULL: no memory. */
KS_MUST_USE struct history *history_new(struct sim_store *store, const struct ks_clock *clock);
struct history *history_free(struct history *h);

/* NULL: it never was. */
const struct history_state *history_find(const struct history *h, const struct history_name *name,
                                         struct ks_str uid, uint64_t rv);
/* Whether no object stood under the name at some time from since_ms on. */
bool history_was_absent(const struct history *h, const struct history_name *name, int64_t since_ms);
bool history_was_deleted(const struct history *h, const struct history_name *name,
                         struct ks_str uid);
/* Whether another UID than that stood under the name at some time from since_ms on. */
bool history_was_other(const struct history *h, const struct history_name *name, struct ks_str uid,
                       int64_t since_ms);
/* Whether it was deleted, or did not match, in a state newer than rv. */
bool history_has_left(const struct history *h, const struct history_name *name, struct ks_str uid,
                      uint64_t rv, const struct sim_selector *selector);

#endif
