/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Species: the kinds of a run, and bodies for their objects: well-formed ones of every status, and
 * now and then one on which the status rules give up.
 *
 * Thread: one.  Owns: nothing.
 */
#ifndef CONVERGENCE_SPECIES_H
#define CONVERGENCE_SPECIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#include "convergence/dice.h"

enum species_id {
    SPECIES_CONFIG_MAP,
    SPECIES_POD,
    SPECIES_DEPLOYMENT,
    SPECIES_REPLICA_SET,
    SPECIES_STATEFUL_SET,
    SPECIES_JOB,
    SPECIES_CLAIM,
    SPECIES_WIDGET, /* custom */
    SPECIES_GADGET, /* custom, of the cluster */
    SPECIES_COUNT
};

struct species {
    const char *group;
    const char *version;
    const char *api_version;
    const char *kind;
    const char *plural;
    bool is_namespaced;
    bool is_custom;
    int owner; /* the species that may generate it, or -1 */
    ks_rc (*body)(struct dice *d, int64_t wall_ms, struct ks_buf *out);
};
extern const struct species species[SPECIES_COUNT];

/* The CustomResourceDefinition of a custom one, as JSON. */
KS_MUST_USE ks_rc species_crd(const struct species *s, struct ks_buf *out);
/* -1: none. */
int species_find(struct ks_str group, struct ks_str kind);

#endif
