/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts of a kind: asked for, kept, and what happens when they change.
 *
 *   asked ──resolved──> listed ──synced──────────────────> settled
 *     └─ not served, no rights, refused, out of patience ──^
 *
 * Invariants:
 *   1. settled is for ever: what changes later shows objects anew, and holds nothing up;
 *   2. what cannot be read is unknown, and quietly so: it is no fault of the target;
 *   3. a kind without a CRD, another server's, may get one: its name is watched all the same;
 *   4. that a kind's controller writes Ready is learned for the life of the session: deletions do
 *      not take it back.
 *
 * Thread: the loop's.  It does not: look at Pods to tell whether a claim has a consumer; the
 * scheduler's annotation on the claim tells it to the rule.
 */
#include "watcher/facts.h"

#include <stdio.h>

#include "base/alloc.h"

#include "json/path.h"

#include "kube/client.h"

#define READY_SIBLINGS 2
/* A CRD is called "<plural>.<group>". */
#define CRD_NAME_MAX 253

/* Bits of a case. */
#define CASE_OF_CLAIM_WAITS 1U
#define CASE_LACKS_STATUS 1U
#define CASE_HAS_READY_SIBLINGS 2U

struct ks_facts {
    struct ks_session *session;
    struct ks_kind *kind;
    bool is_of_claims;
    bool is_settled;
    bool is_synced;
    bool is_blind; /* what the informer knows is not to be relied on */
    ks_fact declares_status;
    struct ks_resolve *resolve;
    struct ks_informer *informer; /* a class that waits has its record's `user` set */
    struct ks_timer patience;
};

static bool is_claim(const struct ks_resource *r)
{
    return r->group.len == 0 && ks_str_is(r->kind, "PersistentVolumeClaim");
}

/* The group of a CRD has a dot. */
static bool may_be_custom(const struct ks_resource *r)
{
    const struct ks_status_kind kind = {r->group, r->kind};

    return memchr(r->group.ptr ? r->group.ptr : "", '.', r->group.len) != NULL &&
           !ks_status_has_rule(&kind);
}

static unsigned case_of(const struct ks_facts *f, struct ks_str class_name)
{
    const struct ks_record *record;
    unsigned bits = 0;

    if (!f->is_of_claims) {
        if (!f->is_blind && f->declares_status == KS_FACT_NO)
            bits |= CASE_LACKS_STATUS;
        if (f->kind->ready_count >= READY_SIBLINGS)
            bits |= CASE_HAS_READY_SIBLINGS;
        return bits;
    }
    if (f->is_blind || !f->informer || class_name.len == 0)
        return 0;
    record = ks_informer_find(f->informer, (struct ks_str){0}, class_name);
    return record && record->user ? CASE_OF_CLAIM_WAITS : 0;
}

static void context_set(const struct ks_facts *f, unsigned bits, struct ks_status_context *context)
{
    if (f->is_of_claims) {
        context->waits_for_consumer = bits & CASE_OF_CLAIM_WAITS ? KS_FACT_YES : KS_FACT_UNKNOWN;
        return;
    }
    context->declares_status = bits & CASE_LACKS_STATUS ? KS_FACT_NO : KS_FACT_UNKNOWN;
    if (!f->is_blind && f->declares_status == KS_FACT_YES && !(bits & CASE_LACKS_STATUS))
        context->declares_status = KS_FACT_YES;
    context->siblings_have_ready = (bits & CASE_HAS_READY_SIBLINGS) != 0;
}

void ks_facts_fill(const struct ks_kind *kind, struct ks_json_value object,
                   struct ks_status_context *context)
{
    const struct ks_facts *f = kind->facts;

    context->may_lack_address = true;
    if (f)
        context_set(f, case_of(f, ks_json_lenient_str(object, "spec.storageClassName", "")),
                    context);
}

struct change {
    struct ks_object **objects; /* NULL: only count */
    size_t count;
};

static void collect_staked(void *ctx, struct ks_str key KS_UNUSED, void *value)
{
    struct change *c = ctx;

    for (struct ks_object *o = value; o; o = o->sibling) {
        if (!o->stake)
            continue;
        if (c->objects)
            c->objects[c->count] = o;
        c->count++;
    }
}

/* The facts have changed: who has a stake in them is shown anew. */
static bool apply(const struct ks_facts *f)
{
    struct ks_session *s = f->session;
    KS_CLEANUP(ks_freep) struct ks_object **objects = NULL;
    struct change c = {0};

    ks_map_foreach(f->kind->objects, collect_staked, &c);
    objects = ks_alloc_array(c.count + 1, sizeof(struct ks_object *));
    if (!objects)
        return ks_session_fail_nomem(s);
    c.objects = objects;
    c.count = 0;
    ks_map_foreach(f->kind->objects, collect_staked, &c);
    for (size_t i = 0; i < c.count; i++) {
        if (!ks_stake_show(s, objects[i], case_of(f, ks_stake_class(objects[i]))))
            return false;
    }
    return true;
}

/* What waited for the facts waits no more. */
static void settle(struct ks_facts *f)
{
    ks_timer_stop(&f->patience);
    if (f->is_settled)
        return;
    f->is_settled = true;
    KS_LIST_FOREACH(link, &f->session->watches)
    {
        struct ks_watch *w = KS_CONTAINER_OF(link, struct ks_watch, link);

        if (w->kind == f->kind)
            ks_watch_begin(w);
    }
}

static bool go_blind(struct ks_facts *f)
{
    bool is_news = !f->is_blind;

    f->is_blind = true;
    settle(f);
    return !is_news || apply(f);
}

static ks_fact read_declaration(const struct ks_facts *f, struct ks_json_value crd)
{
    struct ks_json_value list;
    struct ks_json_value status;

    if (ks_json_strict_list(crd, "spec.versions", &list) != KS_LOOKUP_FOUND)
        return KS_FACT_UNKNOWN;
    for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v); v = ks_json_next(v)) {
        if (ks_str_eq(ks_json_lenient_str(v, "name", ""), f->kind->resource->version))
            return ks_json_strict_map(v, "subresources.status", &status) == KS_LOOKUP_FOUND
                       ? KS_FACT_YES
                       : KS_FACT_NO;
    }
    return KS_FACT_UNKNOWN;
}

static bool source_seen(struct ks_facts *f, struct ks_record *record, struct ks_json_value object)
{
    const void *was = record->user;
    ks_fact declared = f->declares_status;
    struct ks_str mode = ks_json_lenient_str(object, "volumeBindingMode", "");

    if (f->is_of_claims)
        record->user = ks_str_is(mode, "WaitForFirstConsumer") ? f : NULL;
    else
        f->declares_status = read_declaration(f, object);
    return (was == record->user && declared == f->declares_status) || apply(f);
}

static void on_upsert(void *ctx, struct ks_record *record, struct ks_json_value object)
{
    struct ks_facts *f = ctx;
    struct ks_session *s = f->session;
    bool is_open;

    ks_session_enter(s);
    is_open = source_seen(f, record, object);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static void on_gone(void *ctx, struct ks_record *record, ks_gone how)
{
    struct ks_facts *f = ctx;
    struct ks_session *s = f->session;
    bool is_open;

    if (how == KS_GONE_REPLACED) /* the new one follows, and decides */
        return;
    ks_session_enter(s);
    record->user = NULL;
    f->declares_status = KS_FACT_UNKNOWN;
    is_open = apply(f);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static void on_bad_object(void *ctx, struct ks_record *record, struct ks_str ns KS_UNUSED,
                          struct ks_str name KS_UNUSED, const struct ks_error *err KS_UNUSED)
{
    if (record) /* without: it is there all the same, and may become readable */
        on_gone(ctx, record, KS_GONE_SEEN);
}

static void on_synced(void *ctx)
{
    struct ks_facts *f = ctx;
    struct ks_session *s = f->session;
    bool is_open = true;

    ks_session_enter(s);
    f->is_synced = true;
    if (f->is_blind) {
        f->is_blind = false;
        is_open = apply(f);
    }
    if (is_open)
        settle(f);
    ks_session_leave(s);
}

static bool state_changed(struct ks_facts *f, ks_source_state state)
{
    switch (state) {
    case KS_SOURCE_SYNCING:
    case KS_SOURCE_STALE:
        return true;
    case KS_SOURCE_FRESH:
        if (!f->is_blind || !f->is_synced)
            return true;
        f->is_blind = false;
        return apply(f);
    case KS_SOURCE_DENIED:
    case KS_SOURCE_ABSENT:
    case KS_SOURCE_UNAUTHENTICATED:
    case KS_SOURCE_FAILED:
        return go_blind(f);
    }
    return true;
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err KS_UNUSED)
{
    struct ks_facts *f = ctx;
    struct ks_session *s = f->session;
    bool is_open;

    ks_session_enter(s);
    is_open = state_changed(f, state);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* More classes than anybody has: those that were kept are known all the same. */
static void on_limit(void *ctx)
{
    struct ks_facts *f = ctx;

    ks_log(ks_kube_log(f->session->kube), KS_LOG_WARN, "storage classes over the limit",
           KS_F_INT("limit", KS_FACTS_CLASSES_MAX));
}

static const struct ks_informer_ops informer_ops = {
    .on_upsert = on_upsert,
    .on_gone = on_gone,
    .on_bad_object = on_bad_object,
    .on_synced = on_synced,
    .on_state = on_state,
    .on_limit = on_limit,
};

static ks_rc open_source(struct ks_facts *f, struct ks_resource *source, struct ks_error *err)
{
    const struct ks_resource *r = f->kind->resource;
    char name[CRD_NAME_MAX + 1];
    int len =
        snprintf(name, sizeof(name), "%.*s.%.*s", KS_STR_ARGS(r->plural), KS_STR_ARGS(r->group));
    struct ks_informer_config config = {
        .source = {.resource = source},
        .max_objects = f->is_of_claims ? KS_FACTS_CLASSES_MAX : 1,
    };
    ks_rc rc;

    if (!source->can_list || !source->can_watch || len < 0 || (size_t)len >= sizeof(name))
        return ks_fail(err, KS_RC_UNSUPPORTED, "%.*s cannot be watched",
                       KS_STR_ARGS(source->plural));
    if (!f->is_of_claims)
        config.source.name = ks_str_make(name, (size_t)len);
    rc = ks_informer_new(f->session->kube, &config, &informer_ops, f, &f->informer, err);
    if (!rc)
        ks_informer_start(f->informer);
    return rc;
}

static void on_resolved(void *ctx, ks_rc rc, struct ks_resource *resource,
                        const struct ks_error *err)
{
    struct ks_facts *f = ctx;
    struct ks_session *s = f->session;
    struct ks_error own = {0};
    bool is_open = true;

    ks_session_enter(s);
    f->resolve = NULL;
    if (!rc) {
        rc = open_source(f, resource, &own);
        err = &own;
    }
    if (rc == KS_RC_NOMEM)
        is_open = ks_session_fail(s, err);
    else if (rc)
        is_open = go_blind(f);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static void on_patience(struct ks_timer *timer)
{
    struct ks_facts *f = KS_CONTAINER_OF(timer, struct ks_facts, patience);
    struct ks_session *s = f->session;
    bool is_open;

    ks_session_enter(s);
    is_open = go_blind(f);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static bool facts_open(struct ks_session *s, struct ks_kind *kind)
{
    static const struct ks_mapper_query crds = {.group = {"apiextensions.k8s.io", 20},
                                                .kind = {"CustomResourceDefinition", 24},
                                                .has_group = true};
    static const struct ks_mapper_query classes = {
        .group = {"storage.k8s.io", 14}, .kind = {"StorageClass", 12}, .has_group = true};
    struct ks_facts *f = ks_alloc0(sizeof(*f));
    struct ks_error err = {0};

    if (!f)
        return ks_session_fail_nomem(s);
    kind->facts = f;
    f->session = s;
    f->kind = kind;
    f->is_of_claims = is_claim(kind->resource);
    ks_timer_init(&f->patience, s->loop, on_patience);
    if (ks_mapper_resolve(ks_kube_mapper(s->kube), f->is_of_claims ? &classes : &crds, on_resolved,
                          f, &f->resolve, &err))
        return ks_session_fail(s, &err);
    ks_timer_start(&f->patience, KS_FACTS_PATIENCE_MS < s->first_answer_ms / 2
                                     ? KS_FACTS_PATIENCE_MS
                                     : s->first_answer_ms / 2);
    return true;
}

bool ks_facts_use(struct ks_session *s, struct ks_kind *kind, bool *out_is_known)
{
    bool has_any = is_claim(kind->resource) || may_be_custom(kind->resource);

    if (s->profile == KS_PROFILE_STRICT && has_any && !kind->facts && !facts_open(s, kind))
        return false;
    *out_is_known = !kind->facts || kind->facts->is_settled;
    return true;
}

static void drop_stakes(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    for (struct ks_object *o = value; o; o = o->sibling)
        ks_stake_drop(o);
}

void ks_facts_free(struct ks_kind *kind)
{
    struct ks_facts *f = KS_TAKE(kind->facts);

    if (!f)
        return;
    ks_map_foreach(kind->objects, drop_stakes, NULL);
    ks_timer_stop(&f->patience);
    ks_resolve_cancel(f->resolve);
    f->informer = ks_informer_free(f->informer, NULL);
    ks_free(f);
}

static bool has_ready(struct ks_json_value object)
{
    struct ks_json_value list;

    if (ks_json_strict_list(object, "status.conditions", &list) != KS_LOOKUP_FOUND)
        return false;
    for (struct ks_json_value c = ks_json_first(list); !ks_json_is_absent(c); c = ks_json_next(c)) {
        if (ks_str_is(ks_json_lenient_str(c, "type", ""), "Ready"))
            return true;
    }
    return false;
}

bool ks_facts_weigh(struct ks_session *s, struct ks_object *first, const struct ks_record *record,
                    struct ks_json_value object)
{
    const struct ks_facts *f = first->kind->facts;
    const struct ks_status_kind kind = {first->kind->resource->group, first->kind->resource->kind};
    struct ks_stake_cases cases = {.count = KS_FACTS_CASES_MAX};

    if (!f)
        return true;
    if (f->is_of_claims)
        cases.count = 2;
    else if (has_ready(object)) { /* nothing beside it is asked, and others learn from it */
        if (first->has_carried_ready)
            return true;
        first->has_carried_ready = true;
        return ++first->kind->ready_count != READY_SIBLINGS || apply(f);
    }
    for (unsigned i = 0; i < cases.count; i++) {
        cases.contexts[i] = (struct ks_status_context){
            .kind = &kind, .first_seen_ms = first->first_seen_wall_ms, .may_lack_address = true};
        context_set(f, i, &cases.contexts[i]);
    }
    return ks_stakes_make(s, first, record, object, &cases);
}
