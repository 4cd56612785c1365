/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, and what they may.
 *
 * Thread: one.  Owns: identities (they live as long as it does, for running requests point to
 * them), tokens, rules.  Limits: AUTH_IDENTITIES_MAX, AUTH_RULES_MAX.
 *
 * A user for whom no rule exists, neither by name nor through a group, may do everything; from the
 * first rule on, only what some rule allows. Group system:masters may always do everything.
 */
#ifndef KUBESIM_AUTH_H
#define KUBESIM_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"

#define SIM_ADMIN_TOKEN "admin"
#define SIM_GROUPS_MAX 16

struct sim_auth;
struct sim_problem;
struct sim_request;

struct sim_identity {
    char *user;
    char *uid;
    char *groups[SIM_GROUPS_MAX];
    size_t groups_len;
};
bool sim_identity_has_group(const struct sim_identity *id, const char *group);
bool sim_identity_is_admin(const struct sim_identity *id);

/* What is asked for. Empty views where it does not apply. */
struct sim_access {
    const char *verb;
    struct ks_str group;
    struct ks_str resource;
    struct ks_str sub;
    struct ks_str ns;
    struct ks_str name;
    struct ks_str path; /* of a request to no resource; all the above is then empty but verb */
};

KS_MUST_USE ks_rc sim_auth_new(struct sim_auth **out, struct ks_error *err);
struct sim_auth *sim_auth_free(struct sim_auth *a);

/* {"op":"token"}, {"op":"token-revoke"}, {"op":"rbac"}, {"op":"rbac-clear"}. */
KS_MUST_USE ks_rc sim_auth_token_add(struct sim_auth *a, const json_t *op, struct ks_error *err);
void sim_auth_token_revoke(struct sim_auth *a, const char *token);
KS_MUST_USE ks_rc sim_auth_rule_add(struct sim_auth *a, const json_t *op, struct ks_error *err);
/* The rules of that user or group; both NULL: all. */
void sim_auth_rules_clear(struct sim_auth *a, const char *user, const char *group);

/* NULL: the token is not known. */
const struct sim_identity *sim_auth_find_token(const struct sim_auth *a, struct ks_str token);
/* The same identity for the same user and groups; NULL when there is no room. */
const struct sim_identity *sim_auth_identity(struct sim_auth *a, const char *user,
                                             char *const *groups, size_t groups_len);
/*
 * The request's identity: by its bearer token, anonymous without one, impersonated when it asks for
 * that. NULL: *problem says why not.
 */
const struct sim_identity *sim_auth_identify(struct sim_auth *a, const struct sim_request *r,
                                             struct sim_problem *problem);
bool sim_auth_allows(const struct sim_auth *a, const struct sim_identity *id,
                     const struct sim_access *access);
/* "User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"". */
void sim_access_sentence(const struct sim_identity *id, const struct sim_access *access, char *out,
                         size_t size);

#endif
