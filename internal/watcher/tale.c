/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tales: what the sink is told of generated objects, when it asked for them (generated_depth).
 *
 * A child is told with its owner and with the targets of the object at the top, after that object.
 * It is in no target's counts: what was asked about is the object at the top.
 *
 * Invariants:
 *   1. a tale is of one UID; the child's end is the tale's;
 *   2. nothing is told twice;
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

/* The object at the top, if this child is to be told of now. */
static const struct ks_parent *teller_of(const struct ks_child *c)
{
    unsigned levels;
    const struct ks_parent *p = ks_family_parent(c->family, &levels);

    return p && p->has_been_told && levels <= session_of(c)->generated_depth ? p : NULL;
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

static bool emit(struct ks_child *c, const struct ks_parent *p, ks_status previous)
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
    event.update.target_count = ks_session_ids(s, ks_parent_targets(p), ids);
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

static bool tell(struct ks_child *c, const struct ks_parent *p, const struct ks_shown *now)
{
    struct ks_session *s = session_of(c);
    ks_status previous = KS_STATUS_UNSPECIFIED;
    struct ks_shown *copy;

    if (c->tale && c->tale->shown) {
        previous = c->tale->shown->status;
        if (ks_shown_equal(c->tale->shown, now))
            return true;
    }
    if (!c->tale)
        c->tale = ks_alloc0(sizeof(*c->tale));
    copy = c->tale ? ks_shown_dup(now) : NULL;
    if (!copy)
        return ks_session_fail_nomem(s);
    ks_free(c->tale->shown);
    c->tale->shown = copy;
    if (copy->status != previous)
        c->tale->transition_wall_ms = ks_loop_wall_ms(s->loop);
    return inquire(c, copy->status) && emit(c, p, previous);
}

bool ks_child_tell(struct ks_child *c)
{
    const struct ks_parent *p = teller_of(c);
    struct ks_verdict room;
    struct ks_shown now;

    if (!p || !c->digest.shown)
        return true;
    now = *c->digest.shown;
    count_in(c, &now, &room);
    ks_docket_explain(c->docket, &now);
    return tell(c, p, &now);
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

static bool tell_removed(struct ks_child *c, const struct ks_parent *p)
{
    struct ks_session *s = session_of(c);
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event = {.kind = KS_EVENT_REMOVED, .removed = {.target_ids = ids}};

    if (!c->tale || !c->tale->shown)
        return true;
    event.sink_slot = &c->tale->sink_slot;
    child_id(c, &event.removed.object);
    event.removed.target_count = ks_session_ids(s, ks_parent_targets(p), ids);
    return ks_session_emit(s, &event);
}

static bool tell_members_removed(const struct ks_family *f, const struct ks_parent *p)
{
    KS_LIST_FOREACH(link, &f->members)
    {
        if (!tell_removed(KS_CONTAINER_OF(link, struct ks_child, in_family), p))
            return false;
    }
    return true;
}

bool ks_parent_tell_removed(const struct ks_parent *p)
{
    if (p->nursery->session->generated_depth == 0 || !ks_parent_targets(p))
        return true;
    KS_LIST_FOREACH(link, &p->family->members)
    {
        struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_family);

        if ((c->own && !tell_members_removed(c->own, p)) || !tell_removed(c, p))
            return false;
    }
    return true;
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
        ks_child_forget(KS_CONTAINER_OF(link, struct ks_child, in_family));
    }
}

/* Its members are no concern of the one at the top any more: it goes, or has another owner. */
static bool let_members_go(struct ks_child *c, const struct ks_parent *p)
{
    if (!c->own)
        return true;
    if (!tell_members_removed(c->own, p))
        return false;
    forget_members(c->own);
    return true;
}

bool ks_child_tell_gone(struct ks_child *c)
{
    const struct ks_parent *p = teller_of(c);
    struct ks_shown gone = ks_shown_not_found(KS_LIT("Deleted"), KS_LIT("The object was deleted"));

    return !p || (let_members_go(c, p) && (!c->tale || tell(c, p, &gone)));
}

bool ks_child_tell_disowned(struct ks_child *c)
{
    const struct ks_parent *p = teller_of(c);

    return !p || (let_members_go(c, p) && tell_removed(c, p));
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
