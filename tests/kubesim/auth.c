/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens lead to identities, rules to decisions.
 *
 * The model: identities are interned: one for each user with its groups. A rule names a user or a
 * group, and lists of verbs, API groups, resources ("pods", "pods/status"), namespaces and names;
 * an absent list allows any, "*" in a list too. An absent namespaces list also covers the cluster
 * scope.
 *
 * 1. Identities are never freed before the end: requests and logs point to them.
 * 2. Revoking a token or a rule leaves running watches alone, as the API server does.
 * 3. Discovery and health are open to every authenticated user.
 *
 * Thread: one.
 */
#include "auth.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "status_body.h"
#include "stream.h"

#define AUTH_IDENTITIES_MAX 20000
#define AUTH_RULES_MAX 20000
#define AUTH_KEY_MAX_BYTES ((size_t)8 * 1024)
#define MASTERS "system:masters"
#define AUTHENTICATED "system:authenticated"
#define ANONYMOUS "system:anonymous"
#define UNAUTHENTICATED "system:unauthenticated"

struct rule {
    struct ks_list link;
    json_t *op;
};

struct sim_auth {
    struct ks_map *identities; /* by user and groups */
    struct ks_map *tokens;     /* struct token */
    struct ks_list rules;
    size_t rules_len;
    const struct sim_identity *anonymous;
};

struct token {
    char *text;
    const struct sim_identity *identity;
};

struct identity_entry {
    struct sim_identity identity;
    char *key;
};

bool sim_identity_has_group(const struct sim_identity *id, const char *group)
{
    for (size_t i = 0; i < id->groups_len; i++) {
        if (strcmp(id->groups[i], group) == 0)
            return true;
    }
    return false;
}

bool sim_identity_is_admin(const struct sim_identity *id)
{
    return sim_identity_has_group(id, MASTERS);
}

static void identity_free(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    struct identity_entry *e = value;

    for (size_t i = 0; i < e->identity.groups_len; i++)
        ks_free(e->identity.groups[i]);
    ks_free(e->identity.user);
    ks_free(e->identity.uid);
    ks_free(e->key);
    ks_free(e);
}

static void token_free(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    struct token *t = value;

    ks_free(t->text);
    ks_free(t);
}

static char *identity_key(const char *user, char *const *groups, size_t groups_len)
{
    struct ks_buf key;
    ks_rc rc;

    ks_buf_init(&key, AUTH_KEY_MAX_BYTES);
    rc = ks_buf_append_str(&key, ks_str_from(user));
    for (size_t i = 0; i < groups_len && !rc; i++)
        rc = ks_buf_appendf(&key, "\n%s", groups[i]);
    if (rc)
        ks_buf_clear(&key);
    return ks_buf_take(&key);
}

static bool identity_fill(struct sim_identity *id, const char *user, char *const *groups,
                          size_t groups_len)
{
    char uid[32];

    snprintf(uid, sizeof(uid), "uid-%016llx", (unsigned long long)ks_hash(user, strlen(user)));
    id->user = ks_strdup(user);
    id->uid = ks_strdup(uid);
    if (!id->user || !id->uid)
        return false;
    for (size_t i = 0; i < groups_len && i < SIM_GROUPS_MAX; i++) {
        id->groups[i] = ks_strdup(groups[i]);
        if (!id->groups[i])
            return false;
        id->groups_len = i + 1;
    }
    return true;
}

const struct sim_identity *sim_auth_identity(struct sim_auth *a, const char *user,
                                             char *const *groups, size_t groups_len)
{
    char *key = identity_key(user, groups, groups_len);
    struct identity_entry *e = key ? ks_map_find(a->identities, ks_str_from(key)) : NULL;

    if (e || !key) {
        ks_free(key);
        return e ? &e->identity : NULL;
    }
    e = ks_alloc0(sizeof(*e));
    if (!e) {
        ks_free(key);
        return NULL;
    }
    e->key = key;
    if (identity_fill(&e->identity, user, groups, groups_len) &&
        !ks_map_put(a->identities, ks_str_from(key), e))
        return &e->identity;
    identity_free(NULL, KS_LIT(""), e);
    return NULL;
}

static ks_rc token_put(struct sim_auth *a, const char *text, const struct sim_identity *id)
{
    struct token *t = ks_map_find(a->tokens, ks_str_from(text));

    if (t) {
        t->identity = id;
        return KS_RC_OK;
    }
    t = ks_alloc0(sizeof(*t));
    if (!t)
        return KS_RC_NOMEM;
    t->identity = id;
    t->text = ks_strdup(text);
    if (t->text && !ks_map_put(a->tokens, ks_str_from(t->text), t))
        return KS_RC_OK;
    token_free(NULL, KS_LIT(""), t);
    return KS_RC_NOMEM;
}

/* A literal as the element of an array of char *, which nobody writes to. */
static char *literal(const char *text)
{
    union {
        const char *from;
        char *to;
    } u = {.from = text};

    return u.to;
}

static ks_rc first_identities(struct sim_auth *a)
{
    char *admin_groups[] = {literal(MASTERS), literal(AUTHENTICATED)};
    char *anonymous_groups[] = {literal(UNAUTHENTICATED)};
    const struct sim_identity *admin = sim_auth_identity(a, "admin", admin_groups, 2);

    a->anonymous = sim_auth_identity(a, ANONYMOUS, anonymous_groups, 1);
    if (!admin || !a->anonymous)
        return KS_RC_NOMEM;
    return token_put(a, SIM_ADMIN_TOKEN, admin);
}

ks_rc sim_auth_new(struct sim_auth **out, struct ks_error *err)
{
    struct sim_auth *a = ks_alloc0(sizeof(*a));

    if (!a)
        return ks_fail(err, KS_RC_NOMEM, "authentication");
    ks_list_init(&a->rules);
    a->identities = ks_map_new(AUTH_IDENTITIES_MAX);
    a->tokens = ks_map_new(AUTH_IDENTITIES_MAX);
    if (!a->identities || !a->tokens || first_identities(a)) {
        sim_auth_free(a);
        return ks_fail(err, KS_RC_NOMEM, "authentication");
    }
    *out = a;
    return KS_RC_OK;
}

static void rule_free(struct sim_auth *a, struct rule *r)
{
    ks_list_remove(&r->link);
    a->rules_len--;
    json_decref(r->op);
    ks_free(r);
}

struct sim_auth *sim_auth_free(struct sim_auth *a)
{
    if (!a)
        return NULL;
    sim_auth_rules_clear(a, NULL, NULL);
    if (a->tokens)
        ks_map_foreach(a->tokens, token_free, NULL);
    if (a->identities)
        ks_map_foreach(a->identities, identity_free, NULL);
    ks_map_free(a->tokens);
    ks_map_free(a->identities);
    ks_free(a);
    return NULL;
}

ks_rc sim_auth_token_add(struct sim_auth *a, const json_t *op, struct ks_error *err)
{
    const char *text = json_string_value(json_object_get(op, "token"));
    const char *user = json_string_value(json_object_get(op, "user"));
    const json_t *list = json_object_get(op, "groups");
    char *groups[SIM_GROUPS_MAX];
    size_t n = 0;
    const struct sim_identity *id;

    if (!text || !user)
        return ks_fail(err, KS_RC_INVALID, "op token: \"token\" and \"user\" are wanted");
    for (size_t i = 0; i < json_array_size(list) && n + 1 < SIM_GROUPS_MAX; i++) {
        const char *group = json_string_value(json_array_get(list, i));

        if (group)
            groups[n++] = literal(group);
    }
    groups[n++] = literal(AUTHENTICATED);
    id = sim_auth_identity(a, user, groups, n);
    if (!id || token_put(a, text, id))
        return ks_fail(err, KS_RC_NOMEM, "op token: no room for user %s", user);
    return KS_RC_OK;
}

void sim_auth_token_revoke(struct sim_auth *a, const char *token)
{
    struct token *t = ks_map_remove(a->tokens, ks_str_from(token));

    if (t)
        token_free(NULL, KS_LIT(""), t);
}

ks_rc sim_auth_rule_add(struct sim_auth *a, const json_t *op, struct ks_error *err)
{
    struct rule *r;

    if (!json_is_string(json_object_get(op, "user")) &&
        !json_is_string(json_object_get(op, "group")))
        return ks_fail(err, KS_RC_INVALID, "op rbac: \"user\" or \"group\" is wanted");
    if (a->rules_len >= AUTH_RULES_MAX)
        return ks_fail(err, KS_RC_LIMIT, "op rbac: there are %d rules already", AUTH_RULES_MAX);
    r = ks_alloc0(sizeof(*r));
    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "op rbac");
    r->op = json_deep_copy(op);
    ks_list_push(&a->rules, &r->link);
    a->rules_len++;
    if (r->op)
        return KS_RC_OK;
    rule_free(a, r);
    return ks_fail(err, KS_RC_NOMEM, "op rbac");
}

static bool text_is(const json_t *op, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(op, key));

    return value && text && strcmp(value, text) == 0;
}

void sim_auth_rules_clear(struct sim_auth *a, const char *user, const char *group)
{
    KS_LIST_FOREACH(link, &a->rules)
    {
        struct rule *r = KS_CONTAINER_OF(link, struct rule, link);

        if ((!user && !group) || text_is(r->op, "user", user) || text_is(r->op, "group", group))
            rule_free(a, r);
    }
}

const struct sim_identity *sim_auth_find_token(const struct sim_auth *a, struct ks_str token)
{
    const struct token *t = ks_map_find(a->tokens, token);

    return t ? t->identity : NULL;
}

static bool rule_is_for(const struct rule *r, const struct sim_identity *id)
{
    const char *group = json_string_value(json_object_get(r->op, "group"));

    return text_is(r->op, "user", id->user) || (group && sim_identity_has_group(id, group));
}

/* An absent list allows anything. */
static bool list_has(const json_t *op, const char *key, struct ks_str wanted)
{
    const json_t *list = json_object_get(op, key);

    if (!list)
        return true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct ks_str item = ks_str_from(json_string_value(json_array_get(list, i)));

        if (ks_str_eq(item, wanted) || ks_str_is(item, "*"))
            return true;
    }
    return false;
}

static bool resource_is_listed(const json_t *op, const struct sim_access *access)
{
    char path[512];

    if (access->sub.len == 0)
        return list_has(op, "resources", access->resource);
    snprintf(path, sizeof(path), "%.*s/%.*s", KS_STR_ARGS(access->resource),
             KS_STR_ARGS(access->sub));
    return list_has(op, "resources", ks_str_from(path));
}

static bool rule_allows(const struct rule *r, const struct sim_access *access)
{
    return list_has(r->op, "verbs", ks_str_from(access->verb)) &&
           list_has(r->op, "groups", access->group) && resource_is_listed(r->op, access) &&
           list_has(r->op, "namespaces", access->ns) && list_has(r->op, "names", access->name);
}

static bool path_is_open(struct ks_str path)
{
    return ks_str_is(path, "/api") || ks_str_starts(path, KS_LIT("/api/")) ||
           ks_str_is(path, "/apis") || ks_str_starts(path, KS_LIT("/apis/")) ||
           ks_str_is(path, "/version") || ks_str_starts(path, KS_LIT("/openapi"));
}

/* Asking about oneself is everybody's right, as the role system:basic-user has it. */
static bool is_about_oneself(const struct sim_access *access)
{
    return ks_str_is(ks_str_from(access->verb), "create") &&
           ks_str_starts(access->resource, KS_LIT("selfsubject"));
}

bool sim_auth_allows(const struct sim_auth *a, const struct sim_identity *id,
                     const struct sim_access *access)
{
    bool is_limited = id == a->anonymous;

    if (sim_identity_is_admin(id))
        return true;
    if (!is_limited && (path_is_open(access->path) || is_about_oneself(access)))
        return true;
    KS_LIST_FOREACH(link, &a->rules)
    {
        const struct rule *r = KS_CONTAINER_OF(link, struct rule, link);

        if (!rule_is_for(r, id))
            continue;
        is_limited = true;
        if (access->path.len == 0 && rule_allows(r, access))
            return true;
    }
    return !is_limited;
}

void sim_access_sentence(const struct sim_identity *id, const struct sim_access *access, char *out,
                         size_t size)
{
    char what[512];
    char where[320];

    if (access->path.len > 0) {
        snprintf(out, size, "User \"%s\" cannot %s path \"%.*s\"", id->user, access->verb,
                 KS_STR_ARGS(access->path));
        return;
    }
    snprintf(what, sizeof(what), "%.*s%s%.*s", KS_STR_ARGS(access->resource),
             access->sub.len ? "/" : "", KS_STR_ARGS(access->sub));
    if (access->ns.len > 0)
        snprintf(where, sizeof(where), "in the namespace \"%.*s\"", KS_STR_ARGS(access->ns));
    else
        snprintf(where, sizeof(where), "at the cluster scope");
    snprintf(out, size, "User \"%s\" cannot %s resource \"%s\" in API group \"%.*s\" %s", id->user,
             access->verb, what, KS_STR_ARGS(access->group), where);
}

static const struct sim_identity *impersonate(struct sim_auth *a, const struct sim_request *r,
                                              const struct sim_identity *by,
                                              struct sim_problem *problem)
{
    struct ks_str user = sim_request_header(r, "impersonate-user");
    struct sim_access access = {
        .verb = "impersonate", .resource = KS_LIT("users"), .name = user, .group = KS_LIT("")};
    char *groups[SIM_GROUPS_MAX];
    char why[1024];
    struct ks_str group;
    size_t n = 0;
    const struct sim_identity *id;

    if (!sim_auth_allows(a, by, &access)) {
        sim_access_sentence(by, &access, why, sizeof(why));
        sim_problem_set(problem, 403, "users \"%.*s\" is forbidden: %s", KS_STR_ARGS(user), why);
        return NULL;
    }
    while (n + 1 < SIM_GROUPS_MAX && sim_request_header_at(r, "impersonate-group", n, &group))
        groups[n++] = literal(group.ptr);
    groups[n++] = literal(AUTHENTICATED);
    id = sim_auth_identity(a, user.ptr, groups, n);
    if (!id)
        sim_problem_set(problem, 500, "Internal error occurred: too many identities");
    return id;
}

const struct sim_identity *sim_auth_identify(struct sim_auth *a, const struct sim_request *r,
                                             struct sim_problem *problem)
{
    struct ks_str header = sim_request_header(r, "authorization");
    const struct sim_identity *id = a->anonymous;
    struct ks_str any;

    if (header.len > 0) {
        id = ks_str_starts(header, KS_LIT("Bearer "))
                 ? sim_auth_find_token(a, ks_str_trim(ks_str_sub(header, 7, header.len)))
                 : NULL;
        if (!id) {
            sim_problem_unauthorized(problem);
            return NULL;
        }
    }
    if (sim_request_header(r, "impersonate-user").len > 0)
        return impersonate(a, r, id, problem);
    if (sim_request_header_at(r, "impersonate-group", 0, &any) ||
        sim_request_header_at(r, "impersonate-uid", 0, &any)) {
        sim_problem_set(problem, 400, "requested impersonation without impersonating a user");
        return NULL;
    }
    return id;
}
