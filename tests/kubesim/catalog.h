/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which groups, versions and resources are served: the built-in ones from one table (kinds.c), and
 * those that CustomResourceDefinitions bring.
 *
 * Thread: one.  Owns: groups and resources; the tables behind them are the store's.  Limits:
 * GROUPS_MAX groups, RESOURCES_MAX resources a group version.
 */
#ifndef KUBESIM_CATALOG_H
#define KUBESIM_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

struct sim_store;
struct sim_table;

#define SIM_VERBS(X)                                                                               \
    X(CREATE, "create")                                                                            \
    X(DELETE, "delete")                                                                            \
    X(DELETECOLLECTION, "deletecollection")                                                        \
    X(GET, "get")                                                                                  \
    X(LIST, "list")                                                                                \
    X(PATCH, "patch")                                                                              \
    X(UPDATE, "update")                                                                            \
    X(WATCH, "watch")

enum sim_verb {
#define X(name, text) SIM_VERB_##name,
    SIM_VERBS(X)
#undef X
        SIM_VERB_COUNT
};
extern const char *const sim_verb_texts[SIM_VERB_COUNT];

#define SIM_VERBS_ALL 0xffu
#define SIM_VERB_BIT(name) (1u << SIM_VERB_##name)

enum {
    SIM_NAMESPACED = 1 << 0,
    SIM_STATUS =
        1 << 1, /* has /status: the main resource leaves .status alone and the other way round */
    SIM_GENERATION = 1 << 2, /* metadata.generation counts changes of the spec */
    SIM_CUSTOM = 1 << 3,     /* keys are sorted, items carry their kind */
    SIM_VIRTUAL = 1 << 4,    /* nothing is stored: reviews */
    SIM_UPDATE_NEEDS_RV = 1 << 5,
};

/* A row of the table of built-in kinds. */
struct sim_kind {
    const char *group;
    const char *version;
    const char *plural;
    const char *singular;
    const char *kind;
    const char *short_names; /* comma separated */
    const char *categories;
    unsigned flags;
    unsigned verbs;
    const char *subresources; /* comma separated names of sim_subresources */
    const char *bookmark;     /* what a bookmark's object carries behind its metadata */
};
extern const struct sim_kind sim_kinds[];
extern const size_t sim_kinds_len;

struct sim_subresource {
    const char *name;
    const char *group; /* of what it answers; NULL: its resource's own kind */
    const char *version;
    const char *kind;
    unsigned verbs;
};
/* NULL when there is none of that name. */
const struct sim_subresource *sim_subresource_find(struct ks_str plural, struct ks_str name);

/* A resource as one group version serves it. */
struct sim_resource {
    struct ks_list link; /* in its version, by plural */
    char *group;
    char *version;
    char *group_version; /* "v1", "apps/v1" */
    char *plural;
    char *singular;
    char *kind;
    char *list_kind;
    char *short_names;
    char *categories;
    char *subresources;
    const char *bookmark; /* a literal */
    unsigned flags;
    unsigned verbs;
    struct sim_table *table; /* NULL when virtual */
    char *prefix;            /* what goes before a stored body: {"kind":...,"apiVersion":..., */
    bool is_served;          /* false once its CRD is gone; memory stays while requests run */
};

struct sim_version {
    struct ks_list link; /* in its group, by preference */
    char *name;
    struct ks_list resources;
};

struct sim_group {
    struct ks_list link;
    char *name; /* "" = core */
    struct ks_list versions;
};

struct sim_catalog;

KS_MUST_USE ks_rc sim_catalog_new(struct sim_store *store, struct sim_catalog **out,
                                  struct ks_error *err);
struct sim_catalog *sim_catalog_free(struct sim_catalog *c);

const struct ks_list *sim_catalog_groups(const struct sim_catalog *c);
/* Counts up with every change. */
uint64_t sim_catalog_generation(const struct sim_catalog *c);

struct sim_group *sim_catalog_find_group(const struct sim_catalog *c, struct ks_str group);
struct sim_version *sim_catalog_find_version(const struct sim_catalog *c, struct ks_str group,
                                             struct ks_str version);
struct sim_resource *sim_catalog_find(const struct sim_catalog *c, struct ks_str group,
                                      struct ks_str version, struct ks_str plural);
/* By an object's own "apiVersion" and "kind". */
struct sim_resource *sim_catalog_find_kind(const struct sim_catalog *c, struct ks_str api_version,
                                           struct ks_str kind);
/* Whether the group version has built-in kinds. */
bool sim_catalog_is_builtin(struct ks_str group, struct ks_str version);
/* All resources in order, one by one; NULL behind the last. */
const struct sim_resource *sim_catalog_nth(const struct sim_catalog *c, size_t n);
/* The first version that serves it. */
struct sim_resource *sim_catalog_find_any(const struct sim_catalog *c, struct ks_str group,
                                          struct ks_str plural);

/* Serves a custom resource from now on. The row's texts are copied. */
KS_MUST_USE ks_rc sim_catalog_add(struct sim_catalog *c, const struct sim_kind *row,
                                  struct ks_error *err);
/* Serves nothing of group and plural any more, in any version. */
void sim_catalog_remove(struct sim_catalog *c, struct ks_str group, struct ks_str plural);

bool sim_resource_has(const struct sim_resource *r, unsigned flag);
bool sim_resource_has_subresource(const struct sim_resource *r, struct ks_str name);

#endif
