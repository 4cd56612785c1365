/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking a resource up: by what a user types to kubectl, or by kind.
 *
 * A name is read in up to two ways, as NAME.VERSION.GROUP and as NAME.GROUP (a group may look like
 * a version and its rest), and the first reading that finds something counts. Plural, singular and
 * kind are equals, whatever their case, and come before short names. In each group one version
 * stands for it: the one asked for, or else the first that answers and has it, in server order.
 *
 * Several groups: those that can be listed and watched win; for names the core group wins, as with
 * kubectl; what is left is AMBIGUOUS, because a guess would be wrong for somebody. No plural is
 * ever computed from a kind.
 *
 * Nothing found is NOTFOUND only if every group that could have it has answered, else UNAVAILABLE.
 *
 * Thread: one at a time.
 */
#include <strings.h>

#include "kube/catalog.h"
#include "kube/catalog_state.h"

#define MAX_CANDIDATES 16
#define MAX_HINTS 3
#define MAX_COMPARED 48

/* One reading of a query. */
struct pattern {
    struct ks_str name; /* empty: by kind */
    struct ks_str kind;
    struct ks_str group;
    struct ks_str version; /* empty: any */
    bool has_group;
};

/* How well an entry fits; higher wins. */
enum fit { FIT_NONE, FIT_ALIAS, FIT_NAME };

struct candidates {
    const struct ks_catalog_entry *at[MAX_CANDIDATES];
    size_t count;
};

static bool same_name(struct ks_str a, struct ks_str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static struct ks_str singular_of(const struct ks_catalog_entry *e)
{
    return ks_str_from(e->aliases);
}

static bool is_short_name(const struct ks_catalog_entry *e, struct ks_str name)
{
    size_t at = strlen(e->aliases) + 1;

    while (at < e->aliases_len) {
        struct ks_str alias = ks_str_from(e->aliases + at);

        if (same_name(alias, name))
            return true;
        at += alias.len + 1;
    }
    return false;
}

static enum fit entry_fit(const struct ks_catalog_entry *e, const struct pattern *p)
{
    const struct ks_resource *r = e->resource;

    if (!p->name.len)
        return ks_str_eq(r->kind, p->kind) ? FIT_NAME : FIT_NONE;
    if (same_name(r->plural, p->name) || same_name(singular_of(e), p->name) ||
        same_name(r->kind, p->name))
        return FIT_NAME;
    return is_short_name(e, p->name) ? FIT_ALIAS : FIT_NONE;
}

static bool is_watchable(const struct ks_catalog_entry *e)
{
    return e->resource->can_list && e->resource->can_watch;
}

/* The best entry of one group version, or NULL. */
static const struct ks_catalog_entry *version_find(const struct ks_catalog_version *v,
                                                   const struct pattern *p, enum fit fit)
{
    const struct ks_catalog_entry *best = NULL;

    for (size_t i = 0; i < v->count; i++) {
        const struct ks_catalog_entry *e = &v->entries[i];

        if (entry_fit(e, p) == fit && (!best || (is_watchable(e) && !is_watchable(best))))
            best = e;
    }
    return best;
}

static bool version_matches(const struct ks_catalog_version *v, const struct pattern *p)
{
    if (p->has_group && !ks_str_is(p->group, v->group))
        return false;
    return !p->version.len || ks_str_is(p->version, v->version);
}

static bool same_group(const struct ks_catalog_entry *a, const struct ks_catalog_entry *b)
{
    return ks_str_eq(a->resource->group, b->resource->group);
}

/* One candidate a group: the first version that answers, or the first stale one when none does. */
static void candidates_collect(const struct ks_catalog *catalog, const struct pattern *p,
                               enum fit fit, ks_catalog_freshness freshness, struct candidates *out)
{
    const struct ks_catalog_version *v;

    for (size_t n = 0; (v = ks_catalog_version_get(catalog, n)); n++) {
        const struct ks_catalog_entry *e = NULL;
        bool is_known = false;

        if (v->freshness == freshness && version_matches(v, p))
            e = version_find(v, p, fit);
        for (size_t i = 0; e && i < out->count; i++)
            is_known = is_known || same_group(out->at[i], e);
        if (e && !is_known && out->count < MAX_CANDIDATES)
            out->at[out->count++] = e;
    }
}

/* Drops those that cannot be watched, unless that leaves none. */
static void candidates_sift(struct candidates *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (is_watchable(c->at[i]))
            c->at[kept++] = c->at[i];
    }
    if (kept)
        c->count = kept;
}

/* "deployments.apps", or "pods" for the core group. False when it does not fit: the list is long
 * enough then. */
static bool name_append(struct ks_buf *out, const struct ks_resource *r)
{
    return !ks_buf_appendf(out, "%s%.*s%s%.*s", out->len ? ", " : "", KS_STR_ARGS(r->plural),
                           r->group.len ? "." : "", KS_STR_ARGS(r->group));
}

static struct ks_str subject_of(const struct ks_mapper_query *query)
{
    return query->name.len ? query->name : query->kind;
}

static ks_rc candidates_decide(const struct candidates *c, const struct pattern *p,
                               struct ks_resource **out, struct ks_error *err)
{
    struct ks_buf names;

    if (c->count == 1 || (p->name.len && !c->at[0]->resource->group.len)) {
        *out = c->at[0]->resource;
        return KS_RC_OK;
    }
    ks_buf_init(&names, 300);
    for (size_t i = 0; i < c->count && name_append(&names, c->at[i]->resource); i++)
        continue;
    ks_fail(err, KS_RC_AMBIGUOUS, "\"%.*s\" is served by several groups (%s): name the group",
            KS_STR_ARGS(p->name.len ? p->name : p->kind), names.data ? names.data : "");
    ks_buf_fini(&names);
    return KS_RC_AMBIGUOUS;
}

static ks_rc pattern_find(const struct ks_catalog *catalog, const struct pattern *p,
                          struct ks_resource **out, struct ks_error *err)
{
    struct candidates c = {.count = 0};

    for (int fit = FIT_NAME; fit > FIT_NONE && !c.count; fit--) {
        candidates_collect(catalog, p, (enum fit)fit, KS_CATALOG_CURRENT, &c);
        candidates_collect(catalog, p, (enum fit)fit, KS_CATALOG_STALE, &c);
    }
    if (!c.count)
        return KS_RC_NOTFOUND;
    candidates_sift(&c);
    return candidates_decide(&c, p, out, err);
}

/* Fills up to two readings; returns how many. */
static size_t patterns_read(const struct ks_mapper_query *q, struct pattern out[2])
{
    struct pattern base = {
        .kind = q->kind, .group = q->group, .version = q->version, .has_group = q->has_group};
    ptrdiff_t dot = ks_str_chr(q->name, '.');
    struct ks_str rest;
    size_t n = 0;

    if (q->group.len)
        base.has_group = true;
    base.name = dot < 0 ? q->name : ks_str_sub(q->name, 0, (size_t)dot);
    if (dot < 0) {
        out[n++] = base;
        return n;
    }
    rest = ks_str_sub(q->name, (size_t)dot + 1, q->name.len);
    base.has_group = true;
    dot = ks_str_chr(rest, '.');
    if (dot >= 0) {
        out[n] = base;
        out[n].version = ks_str_sub(rest, 0, (size_t)dot);
        out[n++].group = ks_str_sub(rest, (size_t)dot + 1, rest.len);
    }
    out[n] = base;
    out[n++].group = rest;
    return n;
}

/* Whether a group that does not answer may have what was asked for. */
static const struct ks_catalog_version *silent_find(const struct ks_catalog *catalog,
                                                    const struct pattern *p)
{
    const struct ks_catalog_version *v;

    for (size_t n = 0; (v = ks_catalog_version_get(catalog, n)); n++) {
        if (v->freshness != KS_CATALOG_CURRENT && !v->count && version_matches(v, p))
            return v;
    }
    return NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Levenshtein's distance; more than MAX_COMPARED bytes count as far away. */
static size_t distance(struct ks_str a, struct ks_str b)
{
    size_t row[MAX_COMPARED + 1];

    if (a.len > MAX_COMPARED || b.len > MAX_COMPARED)
        return MAX_COMPARED;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t swap = diagonal + (lower(a.ptr[i]) != lower(b.ptr[j]));

            diagonal = row[j + 1];
            row[j + 1] = smaller(swap, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[b.len];
}

static bool is_near(struct ks_str name, struct ks_str other)
{
    /* Almost every short word is near some kind. */
    size_t most = name.len < 5 ? 0 : name.len < 8 ? 1 : 2;

    return other.len && name.len <= other.len + most && other.len <= name.len + most &&
           distance(name, other) <= most;
}

static void hints_append(const struct ks_catalog_version *v, struct ks_str name, size_t *hints,
                         struct ks_buf *out)
{
    for (size_t i = 0; i < v->count && *hints < MAX_HINTS; i++) {
        const struct ks_resource *r = v->entries[i].resource;

        if (!is_near(name, r->plural) && !is_near(name, r->kind) &&
            !is_near(name, singular_of(&v->entries[i])))
            continue;
        if (!name_append(out, r))
            return;
        ++*hints;
    }
}

/* The versions of a group that have it, when only the version asked for does not. */
static void versions_append(const struct ks_catalog *catalog, const struct pattern *p,
                            struct ks_buf *out)
{
    struct pattern any = *p;
    const struct ks_catalog_version *v;

    any.version = KS_LIT("");
    for (size_t n = 0; (v = ks_catalog_version_get(catalog, n)); n++) {
        if (version_matches(v, &any) && version_find(v, &any, FIT_NAME) &&
            ks_buf_appendf(out, "%s%s", out->len ? ", " : "", v->version))
            return;
    }
}

static ks_rc fail_not_found(const struct ks_catalog *catalog, const struct ks_mapper_query *query,
                            const struct pattern *p, struct ks_error *err)
{
    struct ks_str subject = subject_of(query);
    const struct ks_catalog_version *v;
    struct ks_buf text;
    size_t hints = 0;

    ks_buf_init(&text, 300);
    versions_append(catalog, p, &text);
    if (text.len) {
        ks_fail(err, KS_RC_NOTFOUND, "the cluster serves \"%.*s\" in version %s, not in %.*s",
                KS_STR_ARGS(subject), text.data, KS_STR_ARGS(p->version));
        ks_buf_fini(&text);
        return KS_RC_NOTFOUND;
    }
    for (size_t n = 0; (v = ks_catalog_version_get(catalog, n)); n++)
        hints_append(v, p->name.len ? p->name : p->kind, &hints, &text);
    ks_fail(err, KS_RC_NOTFOUND, "the cluster does not serve \"%.*s\"%s%.*s%s%s%s",
            KS_STR_ARGS(subject), query->group.len ? " in group " : "", KS_STR_ARGS(query->group),
            text.len ? "; did you mean " : "", text.len ? text.data : "", text.len ? "?" : "");
    ks_buf_fini(&text);
    return KS_RC_NOTFOUND;
}

ks_rc ks_catalog_find(const struct ks_catalog *catalog, const struct ks_mapper_query *query,
                      struct ks_resource **out, struct ks_error *err)
{
    struct pattern patterns[2];
    size_t count = patterns_read(query, patterns);
    const struct ks_catalog_version *silent;

    if (!subject_of(query).len)
        return ks_fail(err, KS_RC_NOTFOUND, "neither a kind nor a resource is named");
    for (size_t i = 0; i < count; i++) {
        ks_rc rc = pattern_find(catalog, &patterns[i], out, err);

        if (rc != KS_RC_NOTFOUND)
            return rc;
    }
    for (size_t i = 0; i < count; i++) {
        silent = silent_find(catalog, &patterns[i]);
        if (silent)
            return ks_fail(err, KS_RC_UNAVAILABLE,
                           "\"%.*s\" may be served by %s/%s, whose API server does not answer",
                           KS_STR_ARGS(subject_of(query)), silent->group, silent->version);
    }
    return fail_not_found(catalog, query, &patterns[count - 1], err);
}
