/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From discovery documents to a flat table of group versions and their resources.
 *
 * Documents are foreign: an entry that cannot be used (no kind, a name that cannot stand in a URL,
 * a subresource) is left out, and only a document of the wrong kind, or one over a ceiling, fails
 * as a whole.
 *
 * Invariants: (1) every entry's resource has a group, version, kind and plural that are plain and
 * can be put into a URL; (2) a half's `resources` is the sum of its versions' counts; (3) a half is
 * added or moved in once.
 *
 * Thread: one at a time.  It does not fetch and does not decide what is fresh: discovery.c and
 * mapper.c do.
 */
#include "kube/catalog.h"

#include <assert.h>

#include "base/alloc.h"
#include "json/json.h"
#include "json/path.h"
#include "kube/catalog_state.h"

#define MAX_ALIASES ((size_t)4096)
#define MAX_NAME 253

static const struct ks_json_limits document_limits = {
    .max_bytes = KS_CATALOG_MAX_DOCUMENT, .max_tokens = (size_t)2 << 20, .max_depth = 64};

static void json_freep(struct ks_json **json)
{
    ks_json_free(*json);
}

static void entry_fini(struct ks_catalog_entry *e)
{
    ks_resource_unref(e->resource);
    ks_free(e->aliases);
}

static void version_fini(struct ks_catalog_version *v)
{
    for (size_t i = 0; i < v->count; i++)
        entry_fini(&v->entries[i]);
    ks_free(v->entries);
    ks_free(v->group);
    ks_free(v->version);
}

static void versions_fini(struct ks_catalog_versions *half)
{
    for (size_t i = 0; i < half->count; i++)
        version_fini(&half->at[i]);
    ks_free(half->at);
    *half = (struct ks_catalog_versions){0};
}

ks_rc ks_catalog_new(struct ks_catalog **out, struct ks_error *err)
{
    struct ks_catalog *catalog = ks_alloc0(sizeof(*catalog));

    if (!catalog)
        return ks_fail(err, KS_RC_NOMEM, "no memory for discovery");
    *out = catalog;
    return KS_RC_OK;
}

struct ks_catalog *ks_catalog_free(struct ks_catalog *catalog)
{
    if (!catalog)
        return NULL;
    versions_fini(&catalog->halves[KS_CATALOG_CORE]);
    versions_fini(&catalog->halves[KS_CATALOG_GROUPS]);
    ks_free(catalog);
    return NULL;
}

static ks_rc no_memory(struct ks_error *err)
{
    return ks_fail(err, KS_RC_NOMEM, "no memory for a discovery document");
}

/* Names go into URLs and messages. */
static bool is_plain(struct ks_str name)
{
    if (!name.len || name.len > MAX_NAME)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (c <= ' ' || c >= 0x7f || strchr("/%\"\\?#", c))
            return false;
    }
    return !ks_str_is(name, ".") && !ks_str_is(name, "..");
}

static bool has_verb(struct ks_json_value verbs, const char *verb)
{
    struct ks_str text;

    for (struct ks_json_value v = ks_json_first(verbs); !ks_json_is_absent(v);
         v = ks_json_next(v)) {
        if (ks_json_to_str(v, &text) && ks_str_is(text, verb))
            return true;
    }
    return false;
}

static ks_rc aliases_build(struct ks_str singular, struct ks_json_value short_names,
                           struct ks_buf *out)
{
    struct ks_str name;
    ks_rc rc = ks_buf_append_str(out, is_plain(singular) ? singular : KS_LIT(""));

    if (!rc)
        rc = ks_buf_append_byte(out, '\0');
    for (struct ks_json_value v = ks_json_first(short_names); !rc && !ks_json_is_absent(v);
         v = ks_json_next(v)) {
        if (!ks_json_to_str(v, &name) || !is_plain(name))
            continue;
        rc = ks_buf_append_str(out, name);
        if (!rc)
            rc = ks_buf_append_byte(out, '\0');
    }
    return rc == KS_RC_LIMIT ? KS_RC_OK : rc; /* a few aliases too many are not worth failing for */
}

/* Makes room for one more in an array that grows by doubling. */
static bool array_grow(void **array, size_t count, size_t size)
{
    void *grown;

    if (count & (count - 1))
        return true;
    grown = ks_realloc_array(*array, count ? count * 2 : 1, size);
    if (grown)
        *array = grown;
    return grown != NULL;
}

static ks_rc entry_add(struct ks_catalog_versions *half, struct ks_catalog_version *v,
                       const struct ks_catalog_entry *entry, struct ks_error *err)
{
    void *entries = v->entries;

    if (half->resources >= KS_CATALOG_MAX_RESOURCES)
        return ks_fail(err, KS_RC_LIMIT, "the API server has more than %d resources",
                       KS_CATALOG_MAX_RESOURCES);
    if (!array_grow(&entries, v->count, sizeof(*v->entries)))
        return no_memory(err);
    v->entries = entries;
    v->entries[v->count++] = *entry;
    half->resources++;
    return KS_RC_OK;
}

/* What both forms say about a resource, in their own words. */
struct resource_text {
    struct ks_str plural;
    struct ks_str singular;
    struct ks_str kind;
    bool is_namespaced;
    struct ks_json_value verbs;
    struct ks_json_value short_names;
};

static ks_rc resource_add(struct ks_catalog_versions *half, struct ks_catalog_version *v,
                          const struct resource_text *text, struct ks_error *err)
{
    struct ks_catalog_entry entry = {0};
    struct ks_buf aliases;
    ks_rc rc;

    if (!is_plain(text->plural) || !is_plain(text->kind))
        return KS_RC_OK;
    ks_buf_init(&aliases, MAX_ALIASES);
    rc = aliases_build(text->singular, text->short_names, &aliases);
    entry.aliases_len = aliases.len;
    entry.aliases = ks_buf_take(&aliases);
    entry.resource = ks_resource_new(&(struct ks_resource){
        .group = ks_str_from(v->group),
        .version = ks_str_from(v->version),
        .kind = text->kind,
        .plural = text->plural,
        .is_namespaced = text->is_namespaced,
        .can_list = has_verb(text->verbs, "list"),
        .can_watch = has_verb(text->verbs, "watch"),
    });
    if (rc || !entry.resource)
        rc = no_memory(err);
    else
        rc = entry_add(half, v, &entry, err);
    if (rc)
        entry_fini(&entry);
    return rc;
}

/* Adds a group version at the end; *out is valid until the next one is added. */
static ks_rc version_add(struct ks_catalog_versions *half, struct ks_str group,
                         struct ks_str version, struct ks_catalog_version **out,
                         struct ks_error *err)
{
    void *versions = half->at;
    struct ks_catalog_version v = {.freshness = KS_CATALOG_PENDING};

    if (half->count >= KS_CATALOG_MAX_VERSIONS)
        return ks_fail(err, KS_RC_LIMIT, "the API server has more than %d group versions",
                       KS_CATALOG_MAX_VERSIONS);
    if (!array_grow(&versions, half->count, sizeof(*half->at)))
        return no_memory(err);
    half->at = versions;
    v.group = ks_str_dup(group);
    v.version = ks_str_dup(version);
    if (!v.group || !v.version) {
        version_fini(&v);
        return no_memory(err);
    }
    *out = &half->at[half->count++];
    **out = v;
    return KS_RC_OK;
}

static ks_rc aggregated_version_add(struct ks_catalog_versions *half, struct ks_str group,
                                    struct ks_json_value version, struct ks_error *err)
{
    struct ks_str name = ks_json_lenient_str(version, "version", "");
    bool is_stale = ks_str_is(ks_json_lenient_str(version, "freshness", ""), "Stale");
    struct ks_catalog_version *v = NULL;
    struct ks_json_value list = ks_json_get(version, "resources");
    ks_rc rc;

    if (!is_plain(name))
        return KS_RC_OK;
    rc = version_add(half, group, name, &v, err);
    if (!v)
        return rc;
    v->freshness = is_stale ? KS_CATALOG_STALE : KS_CATALOG_CURRENT;
    for (struct ks_json_value r = ks_json_first(list); !rc && !ks_json_is_absent(r);
         r = ks_json_next(r)) {
        struct resource_text text = {
            .plural = ks_json_lenient_str(r, "resource", ""),
            .singular = ks_json_lenient_str(r, "singularResource", ""),
            .kind = ks_json_lenient_str(r, "responseKind.kind", ""),
            .is_namespaced = ks_str_is(ks_json_lenient_str(r, "scope", ""), "Namespaced"),
            .verbs = ks_json_get(r, "verbs"),
            .short_names = ks_json_get(r, "shortNames"),
        };

        rc = resource_add(half, v, &text, err);
    }
    return rc;
}

static ks_rc aggregated_add(struct ks_catalog_versions *half, struct ks_json_value root,
                            struct ks_error *err)
{
    struct ks_json_value items = ks_json_get(root, "items");
    ks_rc rc = KS_RC_OK;

    for (struct ks_json_value g = ks_json_first(items); !rc && !ks_json_is_absent(g);
         g = ks_json_next(g)) {
        struct ks_str group = ks_json_lenient_str(g, "metadata.name", "");
        struct ks_json_value versions = ks_json_get(g, "versions");

        if (group.len && !is_plain(group))
            continue;
        for (struct ks_json_value v = ks_json_first(versions); !rc && !ks_json_is_absent(v);
             v = ks_json_next(v))
            rc = aggregated_version_add(half, group, v, err);
    }
    return rc;
}

/* /api: the versions of the core group, as plain strings. */
static ks_rc core_versions_add(struct ks_catalog_versions *half, struct ks_json_value root,
                               struct ks_error *err)
{
    struct ks_json_value versions = ks_json_get(root, "versions");
    struct ks_catalog_version *unused;
    struct ks_str name;
    ks_rc rc = KS_RC_OK;

    for (struct ks_json_value v = ks_json_first(versions); !rc && !ks_json_is_absent(v);
         v = ks_json_next(v)) {
        if (ks_json_to_str(v, &name) && is_plain(name))
            rc = version_add(half, KS_LIT(""), name, &unused, err);
    }
    return rc;
}

static ks_rc group_versions_add(struct ks_catalog_versions *half, struct ks_json_value group,
                                struct ks_error *err)
{
    struct ks_str name = ks_json_lenient_str(group, "name", "");
    struct ks_str preferred = ks_json_lenient_str(group, "preferredVersion.version", "");
    struct ks_json_value versions = ks_json_get(group, "versions");
    struct ks_catalog_version *unused;
    ks_rc rc = KS_RC_OK;

    if (!is_plain(name))
        return KS_RC_OK;
    if (is_plain(preferred))
        rc = version_add(half, name, preferred, &unused, err);
    for (struct ks_json_value v = ks_json_first(versions); !rc && !ks_json_is_absent(v);
         v = ks_json_next(v)) {
        struct ks_str version = ks_json_lenient_str(v, "version", "");

        if (is_plain(version) && !ks_str_eq(version, preferred))
            rc = version_add(half, name, version, &unused, err);
    }
    return rc;
}

static ks_rc groups_add(struct ks_catalog_versions *half, struct ks_json_value root,
                        struct ks_error *err)
{
    struct ks_json_value groups = ks_json_get(root, "groups");
    ks_rc rc = KS_RC_OK;

    for (struct ks_json_value g = ks_json_first(groups); !rc && !ks_json_is_absent(g);
         g = ks_json_next(g))
        rc = group_versions_add(half, g, err);
    return rc;
}

static ks_rc document_parse(struct ks_str text, struct ks_json **out, struct ks_error *err)
{
    KS_CLEANUP(json_freep) struct ks_json *json = NULL;
    struct ks_error why = {0};
    ks_rc rc = ks_json_new(&document_limits, &json, err);

    if (rc)
        return rc;
    rc = ks_json_parse(json, text, &why);
    if (rc)
        return ks_fail(err, rc == KS_RC_PARSE ? KS_RC_PROTOCOL : rc,
                       "a discovery document cannot be read: %s", why.msg);
    *out = KS_TAKE(json);
    return KS_RC_OK;
}

ks_rc ks_catalog_add_document(struct ks_catalog *catalog, ks_catalog_half half, struct ks_str text,
                              struct ks_error *err)
{
    KS_CLEANUP(json_freep) struct ks_json *json = NULL;
    struct ks_catalog_versions *versions = &catalog->halves[half];
    struct ks_json_value root;
    struct ks_str kind;
    ks_rc rc = document_parse(text, &json, err);

    if (rc)
        return rc;
    root = ks_json_root(json);
    kind = ks_json_lenient_str(root, "kind", "");
    if (ks_str_is(kind, "APIGroupDiscoveryList"))
        rc = aggregated_add(versions, root, err);
    else if (ks_str_is(kind, "APIVersions") && half == KS_CATALOG_CORE)
        rc = core_versions_add(versions, root, err);
    else if (ks_str_is(kind, "APIGroupList") && half == KS_CATALOG_GROUPS)
        rc = groups_add(versions, root, err);
    else
        return ks_fail(
            err, KS_RC_PROTOCOL,
            "%s answered something that is no discovery document: is this an API server?",
            half == KS_CATALOG_CORE ? "/api" : "/apis");
    return !rc && ks_json_out_of_memory(json) ? no_memory(err) : rc;
}

struct ks_catalog_version *ks_catalog_version_get(const struct ks_catalog *catalog, size_t n)
{
    const struct ks_catalog_versions *core = &catalog->halves[KS_CATALOG_CORE];
    const struct ks_catalog_versions *groups = &catalog->halves[KS_CATALOG_GROUPS];

    if (n < core->count)
        return &core->at[n];
    n -= core->count;
    return n < groups->count ? &groups->at[n] : NULL;
}

bool ks_catalog_version_at(const struct ks_catalog *catalog, size_t n,
                           ks_catalog_freshness *out_freshness)
{
    const struct ks_catalog_version *v = ks_catalog_version_get(catalog, n);

    if (v)
        *out_freshness = v->freshness;
    return v != NULL;
}

ks_rc ks_catalog_version_path(const struct ks_catalog *catalog, size_t n, struct ks_buf *out)
{
    const struct ks_catalog_version *v = ks_catalog_version_get(catalog, n);
    ks_rc rc = ks_buf_append_str(out, v->group[0] ? KS_LIT("/apis/") : KS_LIT("/api"));

    if (!rc)
        rc = ks_buf_append_url(out, ks_str_from(v->group));
    if (!rc)
        rc = ks_buf_append_byte(out, '/');
    return rc ? rc : ks_buf_append_url(out, ks_str_from(v->version));
}

ks_rc ks_catalog_add_resources(struct ks_catalog *catalog, size_t n, struct ks_str text,
                               struct ks_error *err)
{
    KS_CLEANUP(json_freep) struct ks_json *json = NULL;
    struct ks_catalog_version *v = ks_catalog_version_get(catalog, n);
    struct ks_catalog_versions *half =
        &catalog->halves[v->group[0] ? KS_CATALOG_GROUPS : KS_CATALOG_CORE];
    struct ks_json_value root, list;
    ks_rc rc = document_parse(text, &json, err);

    if (rc)
        return rc;
    root = ks_json_root(json);
    if (!ks_str_is(ks_json_lenient_str(root, "kind", ""), "APIResourceList"))
        return ks_fail(err, KS_RC_PROTOCOL, "%s/%s answered something that is no APIResourceList",
                       v->group, v->version);
    list = ks_json_get(root, "resources");
    for (struct ks_json_value r = ks_json_first(list); !rc && !ks_json_is_absent(r);
         r = ks_json_next(r)) {
        struct resource_text resource = {
            .plural = ks_json_lenient_str(r, "name", ""),
            .singular = ks_json_lenient_str(r, "singularName", ""),
            .kind = ks_json_lenient_str(r, "kind", ""),
            .is_namespaced = ks_json_lenient_bool(r, "namespaced", false),
            .verbs = ks_json_get(r, "verbs"),
            .short_names = ks_json_get(r, "shortNames"),
        };

        rc = resource_add(half, v, &resource, err);
    }
    if (!rc && ks_json_out_of_memory(json))
        rc = no_memory(err);
    if (!rc)
        v->freshness = KS_CATALOG_CURRENT;
    return rc;
}

void ks_catalog_set_stale(struct ks_catalog *catalog, size_t n)
{
    ks_catalog_version_get(catalog, n)->freshness = KS_CATALOG_STALE;
}

void ks_catalog_move_half(struct ks_catalog *catalog, struct ks_catalog *from, ks_catalog_half half)
{
    assert(!catalog->halves[half].at);
    catalog->halves[half] = from->halves[half];
    from->halves[half] = (struct ks_catalog_versions){0};
}

static const struct ks_catalog_version *version_like(const struct ks_catalog *catalog,
                                                     const struct ks_catalog_version *like)
{
    const struct ks_catalog_version *v;

    for (size_t n = 0; (v = ks_catalog_version_get(catalog, n)); n++) {
        if (strcmp(v->group, like->group) == 0 && strcmp(v->version, like->version) == 0)
            return v;
    }
    return NULL;
}

static ks_rc entries_copy(struct ks_catalog_versions *half, struct ks_catalog_version *to,
                          const struct ks_catalog_version *from, struct ks_error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        struct ks_catalog_entry copy = from->entries[i];
        ks_rc rc;

        copy.aliases = ks_memdup0(copy.aliases, copy.aliases_len);
        if (!copy.aliases)
            return no_memory(err);
        copy.resource = ks_resource_ref(copy.resource);
        rc = entry_add(half, to, &copy, err);
        if (rc) {
            entry_fini(&copy);
            return rc;
        }
    }
    return KS_RC_OK;
}

ks_rc ks_catalog_keep_stale(struct ks_catalog *catalog, const struct ks_catalog *before,
                            struct ks_error *err)
{
    struct ks_catalog_versions *half = &catalog->halves[KS_CATALOG_GROUPS];
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < half->count; i++) {
        struct ks_catalog_version *v = &half->at[i];
        const struct ks_catalog_version *known;

        if (v->freshness != KS_CATALOG_STALE || v->count)
            continue;
        known = version_like(before, v);
        if (known)
            rc = entries_copy(half, v, known, err);
    }
    return rc;
}

size_t ks_catalog_count(const struct ks_catalog *catalog)
{
    return catalog->halves[KS_CATALOG_CORE].resources +
           catalog->halves[KS_CATALOG_GROUPS].resources;
}
