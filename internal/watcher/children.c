/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nurseries and broods: the informers for generated objects and for Events, opened when the first
 * parent or inquiry needs them, and closed a while after the last one went.
 *
 *   CLOSED ──first user──> OPENING ──listed──> KNOWN <──heals── BLIND
 *      ^                      └────not permitted, not served──────^
 *      └── nobody needs it for KS_BROOD_LINGER_MS
 *
 * Nothing is asked of the API server but by these informers, so a child's event costs no request,
 * nor does an Event. Only a first Synced waits for the Events.
 *
 * Invariants:
 *   1. a brood has users, or lingers, or is closed;
 *   2. a nursery exists while it has a parent, an inquiry, or a brood that is not closed;
 *   3. a parent waits for its children at most first_answer_ms, and nobody longer for Events than
 * EVENTS_PATIENCE_MS: they are a detail.
 *
 * Thread: the loop's.  It does not: understand children (child.c), parents (parent.c) or Events
 * (docket.c).
 */
#include "watcher/children.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"

#include "kube/client.h"

#define ASK_AGAIN_MS 30000
#define EVENTS_PATIENCE_MS 2000

static const struct {
    struct ks_status_kind kind;
    struct ks_str plural;
} kind_table[KS_BROOD_KINDS] = {
    [KS_CHILD_REPLICA_SET] = {{{"apps", 4}, {"ReplicaSet", 10}}, {"ReplicaSets", 11}},
    [KS_CHILD_JOB] = {{{"batch", 5}, {"Job", 3}}, {"Jobs", 4}},
    [KS_CHILD_POD] = {{{"", 0}, {"Pod", 3}}, {"Pods", 4}},
    [KS_CHILD_EVENT] = {{{"", 0}, {"Event", 5}}, {"Events", 6}},
};

struct ks_str ks_child_kind_plural(ks_child_kind kind)
{
    return kind_table[kind].plural;
}

const struct ks_status_kind *ks_child_kind_of(ks_child_kind kind)
{
    return &kind_table[kind].kind;
}

bool ks_child_kind_find(const struct ks_status_kind *kind, ks_child_kind *out)
{
    for (size_t i = 0; i < KS_CHILD_KINDS; i++) {
        if (ks_str_eq(kind_table[i].kind.kind, kind->kind) &&
            ks_str_eq(kind_table[i].kind.group, kind->group)) {
            *out = (ks_child_kind)i;
            return true;
        }
    }
    return false;
}

static bool is_open(const struct ks_brood *b)
{
    return b->state != KS_BROOD_CLOSED;
}

static void release_event(void *ctx KS_UNUSED, struct ks_record *record)
{
    ks_event_release(record);
}

static void release_child(void *ctx KS_UNUSED, struct ks_record *record)
{
    struct ks_child *c = KS_TAKE(record->user);
    struct ks_family *f;

    if (!c)
        return;
    f = c->family;
    ks_child_free(c);
    ks_family_reap(f);
}

static void brood_close(struct ks_brood *b)
{
    ks_timer_stop(&b->timer);
    ks_resolve_cancel(b->resolve);
    b->resolve = NULL;
    b->informer =
        ks_informer_free(b->informer, b->kind == KS_CHILD_EVENT ? release_event : release_child);
    b->resource = ks_resource_unref(b->resource);
    b->state = KS_BROOD_CLOSED;
    b->is_listed = false;
}

static void free_family(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    ks_free(value);
}

static void nursery_free(struct ks_nursery *n)
{
    while (!ks_list_is_empty(&n->parents))
        ks_parent_drop(KS_CONTAINER_OF(n->parents.next, struct ks_parent, link)->first);
    while (!ks_list_is_empty(&n->inquiries))
        ks_inquiry_end(KS_CONTAINER_OF(n->inquiries.next, struct ks_inquiry, in_nursery)->object);
    for (size_t i = 0; i < KS_BROOD_KINDS; i++) /* Events last: the others let go of them */
        brood_close(&n->broods[i]);
    ks_timer_stop(&n->patience);
    ks_timer_stop(&n->events_patience);
    ks_map_foreach(n->families, free_family, NULL);
    n->families = ks_map_free(n->families);
    n->dockets = ks_map_free(n->dockets);
    ks_list_remove(&n->link);
    ks_free(n);
}

static void nursery_reap(struct ks_nursery *n)
{
    for (size_t i = 0; i < KS_BROOD_KINDS; i++) {
        if (is_open(&n->broods[i]))
            return;
    }
    if (ks_list_is_empty(&n->parents) && ks_list_is_empty(&n->inquiries))
        nursery_free(n);
}

void ks_nurseries_free(struct ks_session *s)
{
    while (!ks_list_is_empty(&s->nurseries))
        nursery_free(KS_CONTAINER_OF(s->nurseries.next, struct ks_nursery, link));
}

static bool blind(struct ks_brood *b, const struct ks_error *err)
{
    b->state = KS_BROOD_BLIND;
    (void)snprintf(b->why_blind, sizeof(b->why_blind), "%.*s",
                   KS_STR_ARGS(ks_str_cut_utf8(ks_str_from(err->msg), KS_BLIND_TEXT_MAX - 1)));
    ks_log(ks_kube_log(b->nursery->session->kube), KS_LOG_INFO, "children or events cannot be read",
           KS_F_STR("kind", kind_table[b->kind].kind.kind.ptr), KS_F_STR("error", err->msg));
    return b->kind == KS_CHILD_EVENT ? ks_parents_settle(b->nursery->session)
                                     : ks_parents_reconsider(b->nursery);
}

static bool known(struct ks_brood *b)
{
    b->state = KS_BROOD_KNOWN;
    if (b->kind == KS_CHILD_EVENT)
        return ks_dockets_tell(b->nursery) && ks_parents_settle(b->nursery->session);
    return ks_parents_reconsider(b->nursery);
}

static void on_upsert(void *ctx, struct ks_record *record, struct ks_json_value object)
{
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    bool goes_on;

    ks_session_enter(s);
    goes_on = b->kind == KS_CHILD_EVENT ? ks_event_see(b->nursery, record, object)
                                        : ks_child_see(b, record, object);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static void on_gone(void *ctx, struct ks_record *record, ks_gone how)
{
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    bool goes_on;

    ks_session_enter(s);
    goes_on = b->kind == KS_CHILD_EVENT ? ks_event_lose(record) : ks_child_lose(record, how);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static void on_bad_object(void *ctx KS_UNUSED, struct ks_record *record KS_UNUSED,
                          struct ks_str ns KS_UNUSED, struct ks_str name KS_UNUSED,
                          const struct ks_error *err KS_UNUSED)
{
    /* What was known of it stays; of one that was never read, its owner knows nothing. */
}

static void on_synced(void *ctx)
{
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    bool goes_on;

    ks_session_enter(s);
    b->is_listed = true;
    goes_on = known(b);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static bool state_changed(struct ks_brood *b, ks_source_state state, const struct ks_error *err)
{
    switch (state) {
    case KS_SOURCE_SYNCING:
    case KS_SOURCE_STALE: /* what is known of the children stays: the targets are told enough */
        return true;
    case KS_SOURCE_FRESH:
        return b->state != KS_BROOD_BLIND || !b->is_listed || known(b);
    case KS_SOURCE_DENIED:
    case KS_SOURCE_ABSENT:
    case KS_SOURCE_UNAUTHENTICATED:
    case KS_SOURCE_FAILED:
        break;
    }
    return blind(b, err);
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err)
{
    static const struct ks_error untold = {.rc = KS_RC_UNAVAILABLE,
                                           .msg = "the API server gave no reason"};
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    bool goes_on;

    ks_session_enter(s);
    goes_on = state_changed(b, state, err ? err : &untold);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static size_t limit_of(const struct ks_brood *b)
{
    return b->kind == KS_CHILD_EVENT ? KS_EVENTS_MAX : b->nursery->session->max_objects;
}

static void on_limit(void *ctx)
{
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    struct ks_error err;
    bool goes_on;

    ks_session_enter(s);
    (void)ks_fail(&err, KS_RC_LIMIT, /* passed on */
                  "there are more than %zu", limit_of(b));
    goes_on = blind(b, &err);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static bool brood_watch(struct ks_brood *b, struct ks_resource *resource)
{
    static const struct ks_informer_ops ops = {
        .on_upsert = on_upsert,
        .on_gone = on_gone,
        .on_bad_object = on_bad_object,
        .on_synced = on_synced,
        .on_state = on_state,
        .on_limit = on_limit,
    };
    struct ks_nursery *n = b->nursery;
    struct ks_informer_config config = {
        .source = {.resource = resource, .ns = ks_str_make(n->ns, n->ns_len)},
        .max_objects = limit_of(b),
    };
    struct ks_error err = {0};

    if (b->kind == KS_CHILD_EVENT)
        config.source.field_selector = KS_LIT("type=Warning");
    b->resource = ks_resource_ref(resource);
    if (ks_informer_new(n->session->kube, &config, &ops, b, &b->informer, &err))
        return ks_session_fail(n->session, &err);
    ks_informer_start(b->informer);
    return true;
}

static bool resolved(struct ks_brood *b, ks_rc rc, struct ks_resource *resource,
                     const struct ks_error *err)
{
    if (rc == KS_RC_NOMEM)
        return ks_session_fail(b->nursery->session, err);
    if (!rc)
        return brood_watch(b, resource);
    if (b->users)
        ks_timer_start(&b->timer, ASK_AGAIN_MS);
    return blind(b, err);
}

static void on_resolved(void *ctx, ks_rc rc, struct ks_resource *resource,
                        const struct ks_error *err)
{
    struct ks_brood *b = ctx;
    struct ks_session *s = b->nursery->session;
    bool goes_on;

    ks_session_enter(s);
    b->resolve = NULL;
    goes_on = resolved(b, rc, resource, err);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static bool brood_ask(struct ks_brood *b)
{
    const struct ks_status_kind *kind = ks_child_kind_of(b->kind);
    struct ks_session *s = b->nursery->session;
    struct ks_mapper_query query = {.group = kind->group, .kind = kind->kind, .has_group = true};
    struct ks_error err = {0};

    if (ks_mapper_resolve(ks_kube_mapper(s->kube), &query, on_resolved, b, &b->resolve, &err))
        return ks_session_fail(s, &err);
    return true;
}

static void on_brood_timer(struct ks_timer *timer)
{
    struct ks_brood *b = KS_CONTAINER_OF(timer, struct ks_brood, timer);
    struct ks_session *s = b->nursery->session;
    bool goes_on = true;

    ks_session_enter(s);
    if (!b->users) {
        brood_close(b);
        nursery_reap(b->nursery);
    } else if (!b->informer && !b->resolve) {
        goes_on = brood_ask(b);
    }
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

bool ks_brood_use(struct ks_brood *b)
{
    struct ks_nursery *n = b->nursery;

    if (b->users++ > 0)
        return true;
    ks_timer_stop(&b->timer);
    if (is_open(b))
        return b->informer || b->resolve || brood_ask(b);
    b->state = KS_BROOD_OPENING;
    if (b->kind == KS_CHILD_EVENT) {
        n->are_events_late = false;
        ks_timer_start(&n->events_patience, EVENTS_PATIENCE_MS);
    } else {
        n->is_late = false;
        ks_timer_start(&n->patience, n->session->first_answer_ms);
    }
    return brood_ask(b);
}

void ks_brood_unuse(struct ks_brood *b)
{
    assert(b->users > 0);
    if (--b->users == 0)
        ks_timer_start(&b->timer, KS_BROOD_LINGER_MS);
}

bool ks_nursery_is_ready(const struct ks_nursery *n, const struct ks_parent *p)
{
    for (size_t i = 0; i < p->levels && !n->is_late; i++) {
        if (n->broods[p->chain[i]].state == KS_BROOD_OPENING)
            return false;
    }
    return true;
}

static void on_patience(struct ks_timer *timer)
{
    struct ks_nursery *n = KS_CONTAINER_OF(timer, struct ks_nursery, patience);
    struct ks_session *s = n->session;
    bool goes_on;

    ks_session_enter(s);
    n->is_late = true;
    goes_on = ks_parents_reconsider(n);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static void on_events_patience(struct ks_timer *timer)
{
    struct ks_nursery *n = KS_CONTAINER_OF(timer, struct ks_nursery, events_patience);
    struct ks_session *s = n->session;
    bool goes_on;

    ks_session_enter(s);
    n->are_events_late = true;
    goes_on = ks_parents_settle(s);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

bool ks_nurseries_give_up(struct ks_session *s)
{
    KS_LIST_FOREACH(link, &s->nurseries)
    {
        struct ks_nursery *n = KS_CONTAINER_OF(link, struct ks_nursery, link);

        n->is_late = true;
        if (!ks_parents_reconsider(n))
            return false;
    }
    return true;
}

static struct ks_nursery *nursery_new(struct ks_session *s, struct ks_str ns)
{
    struct ks_nursery *n = ks_alloc0(sizeof(*n) + ns.len);

    if (!n)
        return NULL;
    /* Each child has one owner, and each child or object may be one. */
    n->families = ks_map_new((KS_CHILD_KINDS + 1) * (s->max_objects + KS_SESSION_MAX_TARGETS));
    n->dockets = ks_map_new(KS_EVENTS_MAX + s->max_objects + KS_SESSION_MAX_TARGETS);
    if (!n->families || !n->dockets) {
        n->families = ks_map_free(n->families);
        n->dockets = ks_map_free(n->dockets);
        ks_free(n);
        return NULL;
    }
    if (ns.len)
        memcpy(n->ns, ns.ptr, ns.len);
    n->ns_len = ns.len;
    n->session = s;
    ks_list_init(&n->parents);
    ks_list_init(&n->noted);
    ks_list_init(&n->inquiries);
    ks_timer_init(&n->patience, s->loop, on_patience);
    ks_timer_init(&n->events_patience, s->loop, on_events_patience);
    for (size_t i = 0; i < KS_BROOD_KINDS; i++) {
        n->broods[i].nursery = n;
        n->broods[i].kind = (ks_child_kind)i;
        ks_timer_init(&n->broods[i].timer, s->loop, on_brood_timer);
    }
    ks_list_push(&s->nurseries, &n->link);
    return n;
}

struct ks_nursery *ks_nursery_get(struct ks_session *s, struct ks_str ns)
{
    struct ks_nursery *all = NULL;
    size_t count = 0;

    KS_LIST_FOREACH(link, &s->nurseries)
    {
        struct ks_nursery *n = KS_CONTAINER_OF(link, struct ks_nursery, link);

        if (ks_str_eq(ks_str_make(n->ns, n->ns_len), ns))
            return n;
        if (n->ns_len)
            count++;
        else
            all = n;
    }
    if (count < KS_NURSERIES_MAX)
        return nursery_new(s, ns);
    return all ? all : nursery_new(s, (struct ks_str){0});
}
