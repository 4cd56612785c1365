/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch: one informer, and the targets of the session that it serves. How many there are is
 * decided here.
 *
 *   selector targets: one watch per collection and selectors, shared by targets that ask for the
 * same named targets:    up to KS_WATCH_NAMES_MAX names of one collection: one watch each, by field
 * selector, which costs the server and us least; more: one for the collection, that keeps the
 * wanted names. When that is forbidden, one each after all: rights may be given name by name
 *
 * What the informer says is translated to facts about objects:
 *   upsert  the object was seen: its verdict is computed now, and for the moment at which it
 * changes by itself gone    it is gone, if the watch is exact, or another UID stands there; else a
 * doubt synced  what is named and was not listed is NotFound, and the
 * targets are settled state   the targets are told; what keeps a first answer from coming is the
 * answer
 *
 * Invariants:
 *   1. a record's `user` is the first object of its name, and is counted there, or is NULL;
 *   2. a watch serves named targets or selectors, never both;
 *   3. no verdict outlives the JSON that it was computed from but as a copy.
 *
 * Thread: the loop's.  It does not: retry; the informer does, or, when its collection is absent,
 * the pursuit.
 */
#include "watcher/session_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/plant.h"

#include "status/status.h"

#include "kube/rv.h"

#include "watcher/children.h"
#include "watcher/excerpt.h"
#include "watcher/facts.h"
#include "watcher/selector.h"

static struct ks_object *unpinned_of(struct ks_object *first)
{
    while (first && first->pin.len)
        first = first->sibling;
    return first;
}

/* Ties a record to its object; NULL when nobody wants it, or the session has failed. */
static struct ks_object *link_record(struct ks_watch *w, struct ks_record *record)
{
    struct ks_object *first;

    if (!ks_name_fits(record->ns, record->name))
        return NULL;
    if (w->selecting &&
        !ks_object_get(w->session, w->kind, record->ns, record->name, (struct ks_str){0}))
        return NULL;
    first = ks_object_find(w->kind, record->ns, record->name);
    if (first) {
        record->user = first;
        if (first->holders++ == 0)
            first->first_seen_wall_ms = ks_loop_wall_ms(w->session->loop);
    }
    return first;
}

static void select_object(struct ks_watch *w, struct ks_object *first)
{
    struct ks_object *o = unpinned_of(first);

    o->selected |= w->selecting;
    o->held |= w->selecting;
    if (o->doubt)
        ks_doubt_withdraw(o, w->selecting);
}

static bool see_all(struct ks_watch *w, struct ks_object *first, const struct ks_sighting *seen)
{
    struct ks_session *s = w->session;

    for (struct ks_object *o = first; o; o = o->sibling) {
        if (!ks_object_see(s, o, seen))
            return false;
    }
    return true;
}

static bool judge(struct ks_watch *w, struct ks_object *first, const struct ks_record *record,
                  struct ks_json_value json)
{
    const struct ks_status_kind kind = {w->kind->resource->group, w->kind->resource->kind};
    struct ks_status_context context = {.kind = &kind, .first_seen_ms = first->first_seen_wall_ms};
    struct ks_session *s = w->session;
    struct ks_error err = {0};
    struct ks_error later_err = {0};
    struct ks_verdict verdict;
    struct ks_verdict later;
    struct ks_shown now_shown;
    struct ks_shown later_shown;
    struct ks_decision_room decided;
    struct ks_decision_room later_decided;
    struct ks_sighting seen = {
        .uid = record->uid,
        .version = record->resource_version,
        .now = &now_shown,
        .via = w->selecting,
    };
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARENT_TEXT_MAX);
    KS_CLEANUP(ks_buf_fini) struct ks_buf excerpt = KS_BUF(KS_EXCERPT_MAX);
    struct ks_parent_sight sight = {
        .json = json, .context = &context, .now = &now_shown, .text = &text};
    ks_rc rc;

    ks_facts_fill(w->kind, json, &context);
    rc = ks_status_compute_profile(s->profile, json, ks_loop_wall_ms(s->loop), &context, &verdict,
                                   &err);
    if (rc == KS_RC_NOMEM)
        return ks_session_fail(s, &err);
    ks_shown_from_verdict(&verdict, rc, &err, &now_shown);
    ks_session_decide(s, &kind, json, &verdict, &decided, &now_shown);
    if (!rc && verdict.recheck_at_ms) {
        rc = ks_status_compute_profile(s->profile, json, verdict.recheck_at_ms, &context, &later,
                                       &later_err);
        if (rc == KS_RC_NOMEM)
            return ks_session_fail(s, &later_err);
        ks_shown_from_verdict(&later, rc, &later_err, &later_shown);
        ks_session_decide(s, &kind, json, &later, &later_decided, &later_shown);
        seen.later = &later_shown;
        seen.later_wall_ms = verdict.recheck_at_ms;
    }
    if (!ks_session_explain(s, &kind, json, &now_shown, seen.later ? &later_shown : NULL))
        return false;
    if (s->includes_objects && ks_excerpt(json, w->kind->resource, &excerpt))
        return ks_session_fail_nomem(s);
    seen.excerpt = ks_buf_str(&excerpt);
    sight.seen = &seen;
    if (w->selecting)
        select_object(w, first);
    return ks_parent_see(s, first, &sight) && see_all(w, first, &seen) &&
           ks_facts_weigh(s, first, record, json) && ks_parent_was_shown(first);
}

static bool upsert(struct ks_watch *w, struct ks_record *record, struct ks_json_value json)
{
    struct ks_session *s = w->session;
    struct ks_object *first = record->user ? record->user : link_record(w, record);

    if (!first) /* nobody's, or the session has failed and w is gone */
        return ks_session_is_open(s);
    return judge(w, first, record, json);
}

static void on_upsert(void *ctx, struct ks_record *record, struct ks_json_value object)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool is_open;

    ks_session_enter(s);
    is_open = upsert(w, record, object);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* That it was being deleted proves nothing: a Pod that ends leaves status.phase=Running, and is
 * there until its finalizers are. */
static bool is_certain(const struct ks_watch *w, ks_gone how)
{
    return w->is_exact || how == KS_GONE_REPLACED || KS_PLANTED(8);
}

static bool lose_object(struct ks_watch *w, struct ks_object *o, struct ks_str uid, ks_gone how)
{
    struct ks_session *s = w->session;

    if (!o->pin.len)
        o->held &= ~w->selecting;
    if (!ks_object_targets(o) || !ks_str_eq(ks_object_uid(o), uid))
        return true;
    if (!o->is_gone && !is_certain(w, how))
        return ks_doubt_raise(s, o, w->selecting & o->selected);
    if (!o->is_gone && !ks_object_show_gone(s, o, how))
        return false;
    if (o->doubt) /* the answer has come by another way */
        ks_doubt_withdraw(o, ~(ks_target_bits)0);
    ks_object_deselect(s, o, o->selected & ~o->held);
    return true;
}

static bool gone(struct ks_watch *w, struct ks_record *record, ks_gone how)
{
    struct ks_session *s = w->session;
    struct ks_object *first = KS_TAKE(record->user);

    if (!first)
        return true;
    first->holders--;
    if (!first->holders && first->parent && !ks_parent_tell_removed(first->parent))
        return false;
    if (!first->holders)
        ks_parent_drop(first);
    for (struct ks_object *o = first; o; o = o->sibling) {
        if (!lose_object(w, o, record->uid, how))
            return false;
    }
    ks_object_reap(s, first);
    return ks_parents_settle(s);
}

static void on_gone(void *ctx, struct ks_record *record, ks_gone how)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool is_open;

    ks_session_enter(s);
    is_open = gone(w, record, how);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static bool bad_object(struct ks_watch *w, struct ks_str ns, struct ks_str name,
                       const struct ks_error *err)
{
    struct ks_session *s = w->session;
    struct ks_shown shown = ks_shown_unknown(KS_LIT("Unreadable"), err->rc, ks_str_from(err->msg));
    struct ks_object *first;

    if (name.len == 0)
        w->unnamed_rc = err->rc;
    if (name.len == 0 || !ks_name_fits(ns, name))
        return true;
    if (w->selecting && !ks_object_get(s, w->kind, ns, name, (struct ks_str){0}))
        return false;
    first = ks_object_find(w->kind, ns, name);
    if (first && w->selecting)
        select_object(w, first);
    for (struct ks_object *o = first; o; o = o->sibling) {
        if (!ks_object_targets(o))
            continue;
        ks_recheck_cancel(o);
        o->is_unreadable = true;
        if (!ks_object_show(s, o, &shown))
            return false;
    }
    return true;
}

static void on_bad_object(void *ctx, struct ks_record *record KS_UNUSED, struct ks_str ns,
                          struct ks_str name, const struct ks_error *err)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool is_open;

    ks_session_enter(s);
    is_open = bad_object(w, ns, name, err);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* Its name is all that is known. Whether it was deleted or only left the selectors cannot be asked
 * either. */
static bool lose_unreadable(struct ks_watch *w, struct ks_object *o)
{
    struct ks_session *s = w->session;

    if (!o->is_unreadable || !ks_object_targets(o))
        return true;
    if (!w->is_exact)
        return ks_object_leave(s, o, w->selecting);
    if (!ks_object_show_gone(s, o, KS_GONE_SEEN))
        return false;
    o->is_gone = o->is_gone && o->uid.len > 0; /* without a UID the next one is not told apart */
    ks_object_deselect(s, o, w->selecting);
    return true;
}

static bool bad_gone(struct ks_watch *w, struct ks_str ns, struct ks_str name)
{
    struct ks_object *first = NULL;

    if (ks_name_fits(ns, name))
        first = ks_object_find(w->kind, ns, name);
    for (struct ks_object *o = first; o; o = o->sibling) {
        if (!lose_unreadable(w, o))
            return false;
    }
    if (first)
        ks_object_reap(w->session, first);
    return true;
}

static void on_bad_gone(void *ctx, struct ks_str ns, struct ks_str name)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool is_open;

    ks_session_enter(s);
    is_open = bad_gone(w, ns, name);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* The n-th target of the set, by index; NULL behind the last. */
static struct ks_pursuit *next_of(struct ks_session *s, ks_target_bits *bits)
{
    ks_target_bits rest = *bits;
    size_t i = 0;

    if (!rest)
        return NULL;
    while (!(rest & 1)) {
        rest >>= 1;
        i++;
    }
    *bits &= *bits - 1;
    return &s->pursuits[i];
}

static bool tell_all(struct ks_watch *w, ks_target_state state, const struct ks_error *cause)
{
    struct ks_session *s = w->session;
    ks_target_bits bits = w->named | w->selecting;
    struct ks_pursuit *p;

    while ((p = next_of(s, &bits)) != NULL) {
        if (!ks_pursuit_tell(p, state, cause))
            return false;
    }
    return true;
}

static bool excuse_all(struct ks_watch *w, struct ks_str reason, const struct ks_error *err)
{
    struct ks_session *s = w->session;
    ks_target_bits bits = w->named | w->selecting;
    struct ks_pursuit *p;

    while ((p = next_of(s, &bits)) != NULL) {
        if (!ks_pursuit_excuse(p, reason, err))
            return false;
    }
    return true;
}

/* Another watch has seen it in a state that is newer than the list. */
static bool is_newer_than_list(const struct ks_watch *w, const struct ks_object *o)
{
    return o->uid.len && !o->is_gone &&
           ks_rv_is_older(ks_informer_version(w->informer), ks_text_str(&o->version));
}

/* The list is complete: what it does not contain is not there, unless it is one of those that could
 * not even be told apart. */
static bool answer_named(struct ks_watch *w)
{
    struct ks_session *s = w->session;
    struct ks_shown absent =
        ks_shown_not_found(KS_LIT("NotFound"), KS_LIT("There is no object of this name"));
    struct ks_shown unsure = ks_shown_unknown(
        KS_LIT("Unreadable"), w->unnamed_rc,
        KS_LIT(
            "the list has objects too large or too broken to tell their names: this may be one"));
    const struct ks_shown *missing = w->unnamed_rc ? &unsure : &absent;
    ks_target_bits bits = w->named;
    struct ks_pursuit *p;

    while ((p = next_of(s, &bits)) != NULL) {
        struct ks_object *o = p->object;
        bool is_newer = is_newer_than_list(w, o);
        bool is_known = (o->is_gone || is_newer) && o->shown;

        if (o->is_unreadable || ks_informer_find(w->informer, p->ns, p->target.name))
            continue;
        if (KS_PLANTED(26) && o->shown)
            continue;
        if (is_newer && ks_object_is_untold(o)) /* it waits for its children */
            continue;
        /* A deletion that was told stays what it is, and so does what was seen since. */
        if (!ks_object_show(s, o, is_known ? ks_object_said(o) : missing))
            return false;
    }
    return true;
}

static bool synced(struct ks_watch *w)
{
    struct ks_session *s = w->session;
    ks_target_bits bits = w->named | w->selecting;
    struct ks_pursuit *p;

    w->is_synced = true;
    if (!answer_named(w) || !ks_objects_sweep(s, w->selecting) ||
        !tell_all(w, KS_TARGET_SYNCED, NULL))
        return false;
    while ((p = next_of(s, &bits)) != NULL) {
        p->awaits_children = ks_parents_hold_sync(s, ks_pursuit_bit(p));
        if (!p->awaits_children && !ks_session_settle(s, p))
            return false;
    }
    return true;
}

static void on_synced(void *ctx)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool is_open;

    ks_session_enter(s);
    is_open = synced(w);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static bool plan_names(struct ks_session *s, ks_target_bits bits, size_t max_single);

/* The collection is forbidden as a whole: its names may be allowed. */
static bool split(struct ks_watch *w)
{
    struct ks_session *s = w->session;
    ks_target_bits bits = w->named;

    ks_watch_free(w);
    return plan_names(s, bits, KS_SESSION_MAX_TARGETS);
}

static bool absent(struct ks_watch *w, const struct ks_error *err)
{
    struct ks_session *s = w->session;
    ks_target_bits bits = w->named | w->selecting;
    struct ks_error copy = *err;
    struct ks_pursuit *p;

    ks_watch_free(w);
    while ((p = next_of(s, &bits)) != NULL) {
        if (!ks_pursuit_lose(p, &copy))
            return false;
    }
    return true;
}

static bool state_changed(struct ks_watch *w, ks_source_state state, const struct ks_error *err)
{
    switch (state) {
    case KS_SOURCE_SYNCING:
        return !err || tell_all(w, KS_TARGET_DISCONNECTED, err);
    case KS_SOURCE_FRESH:
        return !w->is_synced || tell_all(w, KS_TARGET_SYNCED, NULL);
    case KS_SOURCE_STALE:
        return tell_all(w, KS_TARGET_DISCONNECTED, err);
    case KS_SOURCE_DENIED:
        if (w->names && !w->is_synced)
            return split(w);
        return tell_all(w, KS_TARGET_FORBIDDEN, err) && excuse_all(w, KS_LIT("Forbidden"), err);
    case KS_SOURCE_ABSENT:
        return absent(w, err);
    case KS_SOURCE_UNAUTHENTICATED:
        return tell_all(w, KS_TARGET_DISCONNECTED, err) &&
               excuse_all(w, KS_LIT("Unauthenticated"), err);
    case KS_SOURCE_FAILED:
        return tell_all(w, KS_TARGET_REFUSED, err) && excuse_all(w, KS_LIT("Refused"), err);
    }
    return true;
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err)
{
    static const struct ks_error untold = {.rc = KS_RC_UNAVAILABLE,
                                           .msg = "the API server gave no reason"};
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    bool needs_cause = state != KS_SOURCE_SYNCING && state != KS_SOURCE_FRESH;
    bool is_open;

    ks_session_enter(s);
    is_open = state_changed(w, state, !err && needs_cause ? &untold : err);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static void on_limit(void *ctx)
{
    struct ks_watch *w = ctx;
    struct ks_session *s = w->session;
    struct ks_error err;

    ks_session_enter(s);
    (void)ks_fail(&err, KS_RC_LIMIT, /* passed on */
                  "more than %zu objects match the targets: select fewer", s->max_objects);
    (void)ks_session_fail(s, &err); /* nothing follows */
    ks_session_leave(s);
}

static void on_reset(void *ctx)
{
    struct ks_watch *w = ctx;

    ks_kind_reset(w->kind);
}

static const struct ks_informer_ops informer_ops = {
    .on_upsert = on_upsert,
    .on_gone = on_gone,
    .on_bad_object = on_bad_object,
    .on_bad_gone = on_bad_gone,
    .on_synced = on_synced,
    .on_state = on_state,
    .on_limit = on_limit,
    .on_reset = on_reset,
};

/* For a pursuit's collection, without targets and without informer yet. NULL: the session has
 * failed. */
static struct ks_watch *watch_new(const struct ks_pursuit *p)
{
    struct ks_session *s = p->session;
    struct ks_kind *kind = ks_kind_get(s, p->resource);
    struct ks_watch *w = kind ? ks_alloc0(sizeof(*w)) : NULL;

    if (!w) {
        (void)ks_session_fail_nomem(s); /* false, and so is our NULL */
        return NULL;
    }
    w->session = s;
    w->kind = kind;
    ks_list_push(&s->watches, &w->link);
    return w;
}

static bool attach(struct ks_watch *w, struct ks_pursuit *p)
{
    p->watch = w;
    ks_pursuit_is_watched(p);
    if (p->target.kind == KS_TARGET_OBJECT) {
        struct ks_object *o =
            ks_object_get(p->session, w->kind, p->ns, p->target.name, p->target.uid);

        if (!o)
            return false;
        w->named |= ks_pursuit_bit(p);
        ks_object_rebind(p->session, p, o);
    } else {
        w->selecting |= ks_pursuit_bit(p);
    }
    return true;
}

static bool open_informer(struct ks_watch *w, const struct ks_informer_config *config)
{
    struct ks_session *s = w->session;
    struct ks_error err = {0};
    bool is_known;

    if (ks_informer_new(s->kube, config, &informer_ops, w, &w->informer, &err))
        return ks_session_fail(s, &err);
    if (!ks_facts_use(s, w->kind, &is_known))
        return false;
    if (is_known)
        ks_watch_begin(w);
    return true;
}

void ks_watch_begin(struct ks_watch *w)
{
    ks_informer_start(w->informer);
}

static bool is_same_collection(const struct ks_pursuit *a, const struct ks_pursuit *b)
{
    return a->target.kind == b->target.kind && ks_str_eq(a->ns, b->ns) &&
           ks_str_eq(a->resource->group, b->resource->group) &&
           ks_str_eq(a->resource->version, b->resource->version) &&
           ks_str_eq(a->resource->plural, b->resource->plural);
}

static bool is_same_selection(const struct ks_pursuit *a, const struct ks_pursuit *b)
{
    return is_same_collection(a, b) &&
           ks_str_eq(a->target.label_selector, b->target.label_selector) &&
           (ks_str_eq(a->target.field_selector, b->target.field_selector) || KS_PLANTED(24));
}

static bool plan_selector(struct ks_session *s, struct ks_pursuit *p)
{
    struct ks_watch *w = watch_new(p);
    struct ks_informer_config config = {
        .source = {.resource = p->resource,
                   .ns = p->ns,
                   .label_selector = p->target.label_selector,
                   .field_selector = p->target.field_selector},
        .max_objects = s->max_objects,
    };

    if (!w)
        return false;
    w->is_exact =
        p->target.label_selector.len == 0 && ks_field_selector_is_lasting(p->target.field_selector);
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *other = &s->pursuits[i];

        if (other == p || (other->phase == KS_PURSUIT_RESOLVED && is_same_selection(p, other))) {
            if (!attach(w, other))
                return false;
        }
    }
    return open_informer(w, &config);
}

/* One name, for all targets of the set that name it; these leave the set. */
static bool plan_name(struct ks_session *s, ks_target_bits *bits)
{
    ks_target_bits rest = *bits;
    struct ks_pursuit *first = next_of(s, &rest);
    struct ks_watch *w = watch_new(first);
    struct ks_informer_config config = {
        .source = {.resource = first->resource, .ns = first->ns, .name = first->target.name},
        .max_objects = 1,
    };
    struct ks_pursuit *p;

    if (!w)
        return false;
    w->is_exact = true;
    rest = *bits;
    while ((p = next_of(s, &rest)) != NULL) {
        if (!ks_str_eq(p->target.name, first->target.name))
            continue;
        *bits &= ~ks_pursuit_bit(p);
        if (!attach(w, p))
            return false;
    }
    return open_informer(w, &config);
}

static int compare_names(const void *a, const void *b)
{
    return ks_str_cmp(*(const struct ks_str *)a, *(const struct ks_str *)b);
}

/* The distinct names of the set, sorted; the array has a place for each target. Returns their
 * number. */
static size_t names_of(struct ks_session *s, ks_target_bits bits, struct ks_str *out)
{
    struct ks_pursuit *p;
    size_t count = 0;
    size_t kept = 0;

    while ((p = next_of(s, &bits)) != NULL)
        out[count++] = p->target.name;
    qsort(out, count, sizeof(out[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !ks_str_eq(out[kept - 1], out[i]))
            out[kept++] = out[i];
    }
    return kept;
}

static bool plan_collection(struct ks_session *s, ks_target_bits bits, const struct ks_str *names,
                            size_t name_count)
{
    ks_target_bits rest = bits;
    struct ks_pursuit *p = next_of(s, &rest);
    struct ks_watch *w = watch_new(p);
    struct ks_informer_config config = {
        .source = {.resource = p->resource, .ns = p->ns},
        .max_objects = name_count,
        .name_count = name_count,
    };

    if (!w)
        return false;
    w->is_exact = true;
    w->names = ks_alloc_array(name_count, sizeof(names[0]));
    if (!w->names)
        return ks_session_fail_nomem(s);
    memcpy(w->names, names, name_count * sizeof(names[0]));
    w->name_count = name_count;
    config.names = w->names;
    while ((p = next_of(s, &bits)) != NULL) {
        if (!attach(w, p))
            return false;
    }
    return open_informer(w, &config);
}

/* Named targets of one collection. */
static bool plan_names(struct ks_session *s, ks_target_bits bits, size_t max_single)
{
    struct ks_str names[KS_SESSION_MAX_TARGETS];
    size_t count = names_of(s, bits, names);

    if (count > max_single)
        return plan_collection(s, bits, names, count);
    while (bits) {
        if (!plan_name(s, &bits))
            return false;
    }
    return true;
}

static bool plan_objects(struct ks_session *s, const struct ks_pursuit *first)
{
    ks_target_bits bits = 0;

    for (size_t i = 0; i < s->pursuit_count; i++) {
        const struct ks_pursuit *p = &s->pursuits[i];

        if (p->phase == KS_PURSUIT_RESOLVED && is_same_collection(first, p))
            bits |= ks_pursuit_bit(p);
    }
    return plan_names(s, bits, KS_WATCH_NAMES_MAX);
}

bool ks_watches_plan(struct ks_session *s)
{
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if (p->phase != KS_PURSUIT_RESOLVED)
            continue;
        if (p->target.kind == KS_TARGET_SELECTOR ? !plan_selector(s, p) : !plan_objects(s, p))
            return false;
    }
    return true;
}

static void on_release(void *ctx, struct ks_record *record)
{
    struct ks_watch *w = ctx;
    struct ks_object *first = KS_TAKE(record->user);
    struct ks_object *o = unpinned_of(first);

    if (!first)
        return;
    first->holders--;
    if (o)
        o->held &= ~w->selecting;
    if (!first->holders)
        ks_parent_drop(first);
    ks_object_reap(w->session, first);
}

static bool is_watched(const struct ks_session *s, const struct ks_kind *kind)
{
    KS_LIST_FOREACH(link, &s->watches)
    {
        if (KS_CONTAINER_OF(link, struct ks_watch, link)->kind == kind)
            return true;
    }
    return false;
}

void ks_watch_free(struct ks_watch *w)
{
    struct ks_session *s = w->session;
    struct ks_kind *kind = w->kind;
    ks_target_bits bits = w->named | w->selecting;
    struct ks_pursuit *p;

    while ((p = next_of(s, &bits)) != NULL) {
        p->watch = NULL;
        p->awaits_children = false;
    }
    w->informer = ks_informer_free(w->informer, on_release);
    ks_list_remove(&w->link);
    ks_free(w->names);
    ks_free(w);
    if (!is_watched(s, kind))
        ks_facts_free(kind);
}
