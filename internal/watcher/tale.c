/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tales: what the sink is told of generated objects, when it asked for them (generated_depth).
 *
 * A child is told with its owner and with the targets of the objects that stand above it, after
 * these. It is in no target's counts: what was asked about are the objects at the top. One that a
 * target asks for by itself is told as that (overlap.c).
 *
 * Invariants:
 *   1. a tale is of one UID; the child's end is the tale's;
 *   2. nothing is told twice: the state and the targets together are the news;
 *   3. nothing is told before the object at the top.
 *
 * Thread: the loop's.
 */
#include "watcher/children.h"

#include "base/alloc.h"

static struct ks_session *session_of(const struct ks_child *c)
{
    return c->brood->nursery->session;
}

static void child_id(const struct ks_child *c, struct ks_object_id *out)
{
    const struct ks_resource *r = c->brood->resource;

    *out = (struct ks_object_id){.group = r->group,
                                 .version = r->version,
                                 .kind = r->kind,
                                 .ns = c->record->ns,
                                 .name = c->record->name,
                                 .uid = c->record->uid};
}

static void owner_id(const struct ks_family *f, struct ks_object_id *out)
{
    if (f->parent)
        ks_object_id_of(f->parent->first, out);
    else
        child_id(f->child, out);
    out->uid = f->uid;
}

ks_target_bits ks_child_targets(const struct ks_child *c)
{
    const struct ks_family *f = c->family;
    ks_target_bits bits = 0;

    for (unsigned level = 1; level <= session_of(c)->generated_depth; level++) {
        if (f->parent)
            bits |= f->parent->told;
        if (!f->child)
            break;
        f = f->child->family;
    }
    return bits;
}

/* What the child's own children make of it. */
static void count_in(const struct ks_child *c, struct ks_shown *out, struct ks_verdict *room)
{
    if (!c->own || session_of(c)->profile != KS_PROFILE_KSTATUS)
        return;
    *room = (struct ks_verdict){.status = out->status};
    ks_status_count_failed(ks_child_kind_of(c->brood->kind), c->own->failing_count, room);
    if (room->status == out->status)
        return;
    out->status = room->status;
    out->basis = room->basis;
    out->reason = room->reason;
    out->message = room->message;
    out->has_condition = room->has_condition;
    out->condition = room->condition;
}

static bool emit(struct ks_child *c, ks_status previous)
{
    struct ks_session *s = session_of(c);
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event = {.kind = KS_EVENT_UPDATE, .sink_slot = &c->tale->sink_slot};

    ks_update_of(c->tale->shown, &event.update);
    child_id(c, &event.update.object);
    owner_id(c->family, &event.update.owner);
    event.update.has_owner = true;
    event.update.previous_status = previous;
    event.update.resource_version = c->record->resource_version;
    event.update.observe_time_ms = ks_loop_wall_ms(s->loop);
    event.update.transition_time_ms = c->tale->transition_wall_ms;
    event.update.target_ids = ids;
    event.update.unasked = c->tale->told;
    event.update.target_count = ks_session_ids(s, c->tale->told, ids);
    return ks_session_emit(s, &event);
}

/* Events explain what is not Current. */
static bool inquire(struct ks_child *c, ks_status status)
{
    struct ks_brood *events = &c->brood->nursery->broods[KS_CHILD_EVENT];
    bool is_wanted = session_of(c)->causes && ks_status_is_inquired(status);

    if (is_wanted == c->tale->is_inquired)
        return true;
    c->tale->is_inquired = is_wanted;
    if (is_wanted)
        return ks_brood_use(events);
    ks_brood_unuse(events);
    return true;
}

static bool tell(struct ks_child *c, ks_target_bits bits, const struct ks_shown *now)
{
    struct ks_session *s = session_of(c);
    ks_status previous = KS_STATUS_UNSPECIFIED;
    struct ks_shown *copy;

    if (c->tale && c->tale->shown) {
        previous = c->tale->shown->status;
        if (c->tale->told == bits && ks_shown_equal(c->tale->shown, now))
            return true;
    }
    if (!c->tale)
        c->tale = ks_alloc0(sizeof(*c->tale));
    copy = c->tale ? ks_shown_dup(now) : NULL;
    if (!copy)
        return ks_session_fail_nomem(s);
    ks_free(c->tale->shown);
    c->tale->shown = copy;
    c->tale->told = bits;
    if (copy->status != previous)
        c->tale->transition_wall_ms = ks_loop_wall_ms(s->loop);
    return inquire(c, copy->status) && emit(c, previous);
}

/* It belongs to no target any more, but exists. */
static bool tell_removed(struct ks_child *c)
{
    struct ks_session *s = session_of(c);
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event = {.kind = KS_EVENT_REMOVED, .removed = {.target_ids = ids}};

    if (!c->tale)
        return true;
    event.sink_slot = &c->tale->sink_slot;
    child_id(c, &event.removed.object);
    event.removed.target_count = ks_session_ids(s, c->tale->told, ids);
    if (!ks_session_emit(s, &event))
        return false;
    ks_child_forget(c);
    return true;
}

/* The object that is shown instead has got other targets by it. */
static bool tell_object(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    return o->generated == bits || o->is_gone || o->doubt ||
           ks_object_show(s, o, ks_object_said(o));
}

bool ks_child_tell(struct ks_child *c)
{
    struct ks_session *s = session_of(c);
    ks_target_bits bits;
    struct ks_verdict room;
    struct ks_shown now;
    struct ks_object *o;

    if (s->generated_depth == 0 || c->is_over || !c->digest.shown)
        return true;
    bits = ks_child_targets(c);
    o = ks_child_object(c);
    if (o)
        return tell_object(s, o, bits);
    if (!bits)
        return tell_removed(c);
    now = *c->digest.shown;
    if (now.status == KS_STATUS_CURRENT) /* they explain its owner alone */
        now.cause_count = 0;
    count_in(c, &now, &room);
    ks_docket_explain(c->docket, &now);
    return tell(c, bits, &now);
}

bool ks_child_resume(struct ks_child *c, struct ks_object *o)
{
    c->tale = ks_alloc0(sizeof(*c->tale));
    if (!c->tale)
        return ks_session_fail_nomem(session_of(c));
    c->tale->sink_slot = KS_TAKE(o->sink_slot);
    c->tale->shown = KS_TAKE(o->shown);
    c->tale->transition_wall_ms = o->transition_wall_ms;
    return ks_child_tell(c);
}

static bool tell_members(struct ks_family *f)
{
    KS_LIST_FOREACH(link, &f->members)
    {
        if (!ks_child_tell(KS_CONTAINER_OF(link, struct ks_child, in_family)))
            return false;
    }
    return true;
}

/* Its members are no concern of those above it any more. */
static bool let_members_go(struct ks_child *c)
{
    if (!c->own)
        return true;
    c->own->child = NULL;
    return tell_members(c->own);
}

bool ks_child_tell_gone(struct ks_child *c, ks_gone how)
{
    struct ks_session *s = session_of(c);
    struct ks_shown gone = ks_shown_not_found(KS_LIT("Deleted"), KS_LIT("The object was deleted"));
    struct ks_object *o;

    if (s->generated_depth == 0)
        return true;
    if (!let_members_go(c))
        return false;
    o = ks_child_object(c);
    if (o) /* this watch sees all there are, so it is proof for the object, too */
        return o->is_gone || ks_object_show_gone(s, o, how);
    return !c->tale || tell(c, c->tale->told, &gone);
}

bool ks_child_tell_disowned(struct ks_child *c)
{
    struct ks_session *s = session_of(c);
    struct ks_object *o;

    if (s->generated_depth == 0)
        return true;
    if (!let_members_go(c))
        return false;
    c->is_over = true;
    o = ks_child_object(c);
    return o ? tell_object(s, o, 0) : tell_removed(c);
}

bool ks_family_tell(struct ks_family *f)
{
    if (f->nursery->session->generated_depth == 0)
        return true;
    KS_LIST_FOREACH(link, &f->members)
    {
        struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_family);

        if (!ks_child_tell(c) || (c->own && !tell_members(c->own)))
            return false;
    }
    return true;
}

bool ks_parent_tell_removed(struct ks_parent *p)
{
    p->told = 0;
    return ks_family_tell(p->family);
}

void ks_child_forget(struct ks_child *c)
{
    struct ks_session *s = session_of(c);
    struct ks_tale *tale = KS_TAKE(c->tale);

    if (!tale)
        return;
    if (tale->is_inquired)
        ks_brood_unuse(&c->brood->nursery->broods[KS_CHILD_EVENT]);
    if (tale->sink_slot)
        s->ops.on_forget(s->ctx, tale->sink_slot);
    ks_free(tale->shown);
    ks_free(tale);
}

static void forget_members(struct ks_family *f)
{
    KS_LIST_FOREACH(link, &f->members)
    {
        struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_family);

        if (!ks_child_targets(c))
            ks_child_forget(c);
    }
}

void ks_family_forget(struct ks_family *f)
{
    forget_members(f);
    KS_LIST_FOREACH(link, &f->members)
    {
        struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_family);

        if (c->own)
            forget_members(c->own);
    }
}
