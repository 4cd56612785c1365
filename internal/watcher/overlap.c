/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlaps: what a target asks for, and another target's object has generated. One object of the
 * cluster is one slot of the sink, so it is told once, with the targets of both: as the session's
 * object as long as a target asks for it, without an owner; else as a child.
 *
 *   child ──a target asks for it, too──> object ──it left the last selection──> child
 *
 * Nothing ties the two: each finds the other by name and UID when it is told, so that neither has
 * to know when the other goes.
 *
 * Invariants:
 *   1. an object that is shown, and a child of its UID: only the object has a slot;
 *   2. a slot goes over to the other with what was told in it, so that nothing is told in between;
 *   3. what was told gone as an object is not told as a child any more.
 *
 * Thread: the loop's.  It does not: emit.
 */
#include "watcher/children.h"

static struct ks_object *shown_of(struct ks_object *first, struct ks_str uid)
{
    for (struct ks_object *o = first; o; o = o->sibling) {
        if (o->shown && ks_object_targets(o) && ks_str_eq(ks_object_uid(o), uid))
            return o;
    }
    return NULL;
}

struct ks_object *ks_child_object(const struct ks_child *c)
{
    const struct ks_status_kind *kind = ks_child_kind_of(c->brood->kind);
    const struct ks_record *r = c->record;

    if (!ks_name_fits(r->ns, r->name))
        return NULL;
    KS_LIST_FOREACH(link, &c->brood->nursery->session->kinds)
    {
        const struct ks_kind *k = KS_CONTAINER_OF(link, struct ks_kind, link);
        struct ks_object *o;

        if (!ks_str_eq(k->resource->kind, kind->kind) ||
            !ks_str_eq(k->resource->group, kind->group))
            continue;
        o = shown_of(ks_object_find(k, r->ns, r->name), r->uid);
        if (o)
            return o;
    }
    return NULL;
}

static struct ks_child *child_in(const struct ks_nursery *n, ks_child_kind kind,
                                 const struct ks_object *o)
{
    const struct ks_informer *informer = n->broods[kind].informer;
    const struct ks_record *r;

    if (!informer || (n->ns_len && !ks_str_eq(ks_str_make(n->ns, n->ns_len), ks_object_ns(o))))
        return NULL;
    r = ks_informer_find(informer, ks_object_ns(o), ks_object_name(o));
    return r && ks_str_eq(r->uid, ks_object_uid(o)) ? r->user : NULL;
}

struct ks_child *ks_object_child(struct ks_session *s, const struct ks_object *o)
{
    struct ks_status_kind kind;
    ks_child_kind child_kind;

    if (s->generated_depth == 0 || !o->kind || o->uid.len == 0)
        return NULL;
    kind = (struct ks_status_kind){o->kind->resource->group, o->kind->resource->kind};
    if (!ks_child_kind_find(&kind, &child_kind))
        return NULL;
    KS_LIST_FOREACH(link, &s->nurseries)
    {
        struct ks_child *c =
            child_in(KS_CONTAINER_OF(link, struct ks_nursery, link), child_kind, o);

        if (c && !c->is_over &&
            (c->tale || ks_child_targets(c))) /* another nursery may know it as nobody's */
            return c;
    }
    return NULL;
}

void ks_object_meet_child(struct ks_session *s, struct ks_object *o, ks_status *previous)
{
    struct ks_child *c = ks_object_child(s, o);

    if (c)
        o->generated = ks_child_targets(c);
    else if (!o->is_gone) /* or else they hear of its end, too */
        o->generated = 0;
    if (!c || !c->tale)
        return;
    if (!o->sink_slot)
        o->sink_slot = KS_TAKE(c->tale->sink_slot);
    *previous = c->tale->shown->status;
    o->transition_wall_ms = c->tale->transition_wall_ms;
    o->told = 0; /* that it is told by another is news */
    ks_child_forget(c);
}

void ks_object_end_child(struct ks_session *s, const struct ks_object *o)
{
    struct ks_child *c = ks_object_child(s, o);

    if (c)
        c->is_over = true;
}
