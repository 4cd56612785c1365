/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups hold versions, versions hold resources; all in lists, in the order in which discovery
 * shows them.
 *
 * 1. Resources of one group and plural share one table whatever their version: the same objects are
 * served in each.
 * 2. A removed resource leaves its version at once, but its memory stays until the catalog goes: a
 * request or a watch may still point to it. CRDs come and go rarely enough.
 * 3. The built-in events.k8s.io/v1 events are those of the core group, in the core group's shape.
 *
 * Thread: one. Printing discovery documents is discovery.c's business.
 */
#include "catalog.h"

#include <stdio.h>

#include "base/alloc.h"
#include "store.h"

#define GROUPS_MAX 1024
#define RESOURCES_MAX 1024

const char *const sim_verb_texts[SIM_VERB_COUNT] = {
#define X(name, text) text,
    SIM_VERBS(X)
#undef X
};

struct sim_catalog {
    struct sim_store *store;
    struct ks_list groups;
    struct ks_list removed;
    size_t groups_len;
    uint64_t generation;
};

bool sim_resource_has(const struct sim_resource *r, unsigned flag)
{
    return (r->flags & flag) != 0;
}

bool sim_resource_has_subresource(const struct sim_resource *r, struct ks_str name)
{
    struct ks_str rest = ks_str_from(r->subresources);
    struct ks_str part;

    while (ks_str_split(&rest, ',', &part)) {
        if (ks_str_eq(part, name))
            return true;
    }
    return false;
}

static struct sim_resource *resource_free(struct sim_resource *r)
{
    ks_free(r->group);
    ks_free(r->version);
    ks_free(r->group_version);
    ks_free(r->plural);
    ks_free(r->singular);
    ks_free(r->kind);
    ks_free(r->list_kind);
    ks_free(r->short_names);
    ks_free(r->categories);
    ks_free(r->subresources);
    ks_free(r->prefix);
    ks_free(r);
    return NULL;
}

static char *text3(const char *a, const char *b, const char *c)
{
    struct ks_buf text;

    ks_buf_init(&text, 4096);
    if (ks_buf_appendf(&text, "%s%s%s", a, b, c))
        ks_buf_clear(&text);
    return ks_buf_take(&text);
}

static char *prefix_text(const struct sim_resource *r)
{
    struct ks_buf text;
    ks_rc rc;

    ks_buf_init(&text, 4096);
    if (sim_resource_has(r, SIM_CUSTOM))
        rc = ks_buf_appendf(&text, "{\"apiVersion\":\"%s\",", r->group_version);
    else
        rc = ks_buf_appendf(&text, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", r->kind,
                            r->group_version);
    if (rc)
        ks_buf_clear(&text);
    return ks_buf_take(&text);
}

static bool resource_fill(struct sim_resource *r, const struct sim_kind *row)
{
    r->group = ks_strdup(row->group);
    r->version = ks_strdup(row->version);
    r->group_version = text3(row->group, row->group[0] ? "/" : "", row->version);
    r->plural = ks_strdup(row->plural);
    r->singular = ks_strdup(row->singular);
    r->kind = ks_strdup(row->kind);
    r->list_kind = text3(row->kind, "List", "");
    r->short_names = ks_strdup(row->short_names);
    r->categories = ks_strdup(row->categories);
    r->subresources = ks_strdup(row->subresources);
    r->bookmark = row->bookmark;
    r->flags = row->flags;
    r->verbs = row->verbs;
    r->is_served = true;
    if (!r->group || !r->version || !r->group_version || !r->plural || !r->singular || !r->kind ||
        !r->list_kind || !r->short_names || !r->categories || !r->subresources)
        return false;
    r->prefix = prefix_text(r);
    return r->prefix != NULL;
}

static struct sim_table *table_of(struct sim_catalog *c, const struct sim_kind *row)
{
    bool is_event = ks_str_is(ks_str_from(row->group), "events.k8s.io");
    char name[384];

    snprintf(name, sizeof(name), "%s/%s", is_event ? "" : row->group, row->plural);
    return sim_store_table(c->store, name);
}

static struct sim_group *group_ensure(struct sim_catalog *c, const char *name)
{
    struct sim_group *g = sim_catalog_find_group(c, ks_str_from(name));

    if (g || c->groups_len >= GROUPS_MAX)
        return g;
    g = ks_alloc0(sizeof(*g));
    if (!g)
        return NULL;
    ks_list_init(&g->versions);
    g->name = ks_strdup(name);
    if (!g->name) {
        ks_free(g);
        return NULL;
    }
    ks_list_push(&c->groups, &g->link);
    c->groups_len++;
    return g;
}

static struct sim_version *version_ensure(struct sim_group *g, const char *name)
{
    struct sim_version *v;

    KS_LIST_FOREACH(link, &g->versions)
    {
        v = KS_CONTAINER_OF(link, struct sim_version, link);
        if (ks_str_is(ks_str_from(v->name), name))
            return v;
    }
    v = ks_alloc0(sizeof(*v));
    if (!v)
        return NULL;
    ks_list_init(&v->resources);
    v->name = ks_strdup(name);
    if (!v->name) {
        ks_free(v);
        return NULL;
    }
    ks_list_push(&g->versions, &v->link);
    return v;
}

/* Before the first plural that sorts behind it. */
static void resource_link(struct sim_version *v, struct sim_resource *r)
{
    struct ks_list *at = v->resources.next;

    while (at != &v->resources &&
           ks_str_cmp(ks_str_from(KS_CONTAINER_OF(at, struct sim_resource, link)->plural),
                      ks_str_from(r->plural)) < 0)
        at = at->next;
    ks_list_push(at, &r->link);
}

ks_rc sim_catalog_add(struct sim_catalog *c, const struct sim_kind *row, struct ks_error *err)
{
    struct sim_group *g = group_ensure(c, row->group);
    struct sim_version *v = g ? version_ensure(g, row->version) : NULL;
    struct sim_resource *r = v ? ks_alloc0(sizeof(*r)) : NULL;

    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "registering %s", row->plural);
    ks_list_init(&r->link);
    if (!resource_fill(r, row)) {
        resource_free(r);
        return ks_fail(err, KS_RC_NOMEM, "registering %s", row->plural);
    }
    if (!sim_resource_has(r, SIM_VIRTUAL)) {
        r->table = table_of(c, row);
        if (!r->table) {
            resource_free(r);
            return ks_fail(err, KS_RC_NOMEM, "registering %s", row->plural);
        }
    }
    resource_link(v, r);
    c->generation++;
    return KS_RC_OK;
}

static void version_drop_if_empty(struct sim_version *v)
{
    if (!ks_list_is_empty(&v->resources))
        return;
    ks_list_remove(&v->link);
    ks_free(v->name);
    ks_free(v);
}

static struct sim_resource *resource_find(const struct sim_version *v, struct ks_str plural,
                                          struct ks_str kind)
{
    KS_LIST_FOREACH(link, &v->resources)
    {
        struct sim_resource *r = KS_CONTAINER_OF(link, struct sim_resource, link);

        if (plural.len > 0 ? ks_str_eq(ks_str_from(r->plural), plural)
                           : ks_str_eq(ks_str_from(r->kind), kind))
            return r;
    }
    return NULL;
}

static void resource_retire(struct sim_catalog *c, struct sim_version *v, struct ks_str plural)
{
    struct sim_resource *r = resource_find(v, plural, KS_LIT(""));

    if (r) {
        ks_list_remove(&r->link);
        ks_list_push(&c->removed, &r->link);
        r->is_served = false;
    }
    version_drop_if_empty(v);
}

void sim_catalog_remove(struct sim_catalog *c, struct ks_str group, struct ks_str plural)
{
    struct sim_group *g = sim_catalog_find_group(c, group);

    if (!g)
        return;
    KS_LIST_FOREACH(link, &g->versions)
    resource_retire(c, KS_CONTAINER_OF(link, struct sim_version, link), plural);
    c->generation++;
    if (!ks_list_is_empty(&g->versions))
        return;
    ks_list_remove(&g->link);
    ks_free(g->name);
    ks_free(g);
    c->groups_len--;
}

ks_rc sim_catalog_new(struct sim_store *store, struct sim_catalog **out, struct ks_error *err)
{
    struct sim_catalog *c = ks_alloc0(sizeof(*c));

    if (!c)
        return ks_fail(err, KS_RC_NOMEM, "catalog");
    c->store = store;
    ks_list_init(&c->groups);
    ks_list_init(&c->removed);
    for (size_t i = 0; i < sim_kinds_len; i++) {
        ks_rc rc = sim_catalog_add(c, &sim_kinds[i], err);

        if (rc) {
            sim_catalog_free(c);
            return rc;
        }
    }
    *out = c;
    return KS_RC_OK;
}

static void resources_free(struct ks_list *resources)
{
    struct ks_list *link;

    while ((link = ks_list_pop(resources)))
        resource_free(KS_CONTAINER_OF(link, struct sim_resource, link));
}

static void group_free(struct sim_group *g)
{
    struct ks_list *link;

    while ((link = ks_list_pop(&g->versions))) {
        struct sim_version *v = KS_CONTAINER_OF(link, struct sim_version, link);

        resources_free(&v->resources);
        ks_free(v->name);
        ks_free(v);
    }
    ks_free(g->name);
    ks_free(g);
}

struct sim_catalog *sim_catalog_free(struct sim_catalog *c)
{
    struct ks_list *link;

    if (!c)
        return NULL;
    while ((link = ks_list_pop(&c->groups)))
        group_free(KS_CONTAINER_OF(link, struct sim_group, link));
    resources_free(&c->removed);
    ks_free(c);
    return NULL;
}

const struct ks_list *sim_catalog_groups(const struct sim_catalog *c)
{
    return &c->groups;
}

uint64_t sim_catalog_generation(const struct sim_catalog *c)
{
    return c->generation;
}

struct sim_group *sim_catalog_find_group(const struct sim_catalog *c, struct ks_str group)
{
    KS_LIST_FOREACH(link, &c->groups)
    {
        struct sim_group *g = KS_CONTAINER_OF(link, struct sim_group, link);

        if (ks_str_eq(ks_str_from(g->name), group))
            return g;
    }
    return NULL;
}

struct sim_version *sim_catalog_find_version(const struct sim_catalog *c, struct ks_str group,
                                             struct ks_str version)
{
    const struct sim_group *g = sim_catalog_find_group(c, group);

    if (!g)
        return NULL;
    KS_LIST_FOREACH(link, &g->versions)
    {
        struct sim_version *v = KS_CONTAINER_OF(link, struct sim_version, link);

        if (ks_str_eq(ks_str_from(v->name), version))
            return v;
    }
    return NULL;
}

struct sim_resource *sim_catalog_find(const struct sim_catalog *c, struct ks_str group,
                                      struct ks_str version, struct ks_str plural)
{
    const struct sim_version *v = sim_catalog_find_version(c, group, version);

    return v && plural.len > 0 ? resource_find(v, plural, KS_LIT("")) : NULL;
}

struct sim_resource *sim_catalog_find_kind(const struct sim_catalog *c, struct ks_str api_version,
                                           struct ks_str kind)
{
    ptrdiff_t slash = ks_str_chr(api_version, '/');
    size_t group_len = slash < 0 ? 0 : (size_t)slash;
    const struct sim_version *v = sim_catalog_find_version(
        c, ks_str_sub(api_version, 0, group_len),
        ks_str_sub(api_version, slash < 0 ? 0 : group_len + 1, api_version.len));

    return v && kind.len > 0 ? resource_find(v, KS_LIT(""), kind) : NULL;
}

struct sim_resource *sim_catalog_find_any(const struct sim_catalog *c, struct ks_str group,
                                          struct ks_str plural)
{
    const struct sim_group *g = sim_catalog_find_group(c, group);

    if (!g)
        return NULL;
    KS_LIST_FOREACH(link, &g->versions)
    {
        struct sim_resource *r =
            resource_find(KS_CONTAINER_OF(link, struct sim_version, link), plural, KS_LIT(""));

        if (r)
            return r;
    }
    return NULL;
}

static const struct sim_resource *version_nth(const struct sim_version *v, size_t *n)
{
    KS_LIST_FOREACH(link, &v->resources)
    {
        if ((*n)-- == 0)
            return KS_CONTAINER_OF(link, struct sim_resource, link);
    }
    return NULL;
}

static const struct sim_resource *group_nth(const struct sim_group *g, size_t *n)
{
    const struct sim_resource *r = NULL;

    KS_LIST_FOREACH(link, &g->versions)
    {
        r = version_nth(KS_CONTAINER_OF(link, struct sim_version, link), n);
        if (r)
            break;
    }
    return r;
}

const struct sim_resource *sim_catalog_nth(const struct sim_catalog *c, size_t n)
{
    const struct sim_resource *r = NULL;

    KS_LIST_FOREACH(link, &c->groups)
    {
        r = group_nth(KS_CONTAINER_OF(link, struct sim_group, link), &n);
        if (r)
            break;
    }
    return r;
}

bool sim_catalog_is_builtin(struct ks_str group, struct ks_str version)
{
    for (size_t i = 0; i < sim_kinds_len; i++) {
        if (ks_str_is(group, sim_kinds[i].group) && ks_str_is(version, sim_kinds[i].version))
            return true;
    }
    return false;
}
