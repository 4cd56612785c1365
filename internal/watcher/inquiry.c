/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inquiries: objects that are not Current, of a session that was asked for causes, ask for the
 * Events about them.
 *
 * What an object says (and its children) is kept beside what is shown of it, so that the two can be
 * put together again when an Event comes or goes.
 *
 * Invariants:
 *   1. an object has an inquiry exactly while the sink was told that it is not Current, and why;
 *   2. each is one user of its nursery's brood of Events;
 *   3. the Events' causes are merged into what the object says, never into what was shown.
 *
 * Thread: the loop's.  It does not: read Events (docket.c).
 */
#include "watcher/children.h"

#include <assert.h>

#include "base/alloc.h"

#define UID_BYTES_MAX 128

bool ks_status_is_inquired(ks_status status)
{
    return status == KS_STATUS_IN_PROGRESS || status == KS_STATUS_FAILED ||
           status == KS_STATUS_TERMINATING;
}

/* Events about objects without a namespace are in `default`. */
static struct ks_nursery *nursery_of(struct ks_session *s, const struct ks_object *o)
{
    struct ks_str ns = ks_object_ns(o);
    const struct ks_object *first = ks_object_find(o->kind, ns, ks_object_name(o));

    if (first && first->parent)
        return first->parent->nursery;
    return ks_nursery_get(s, ns.len ? ns : KS_LIT("default"));
}

bool ks_object_is_node(struct ks_str group, struct ks_str kind)
{
    return group.len == 0 && ks_str_is(kind, "Node");
}

/* What its Events call it: its UID. A kubelet knows only the name of its Node, and gives that as
 * the UID, so a Node is called by its name. */
static struct ks_str called(const struct ks_object *o)
{
    return ks_object_is_node(o->kind->resource->group, o->kind->resource->kind) ? ks_object_name(o)
                                                                                : ks_object_uid(o);
}

/* Into the docket of the object. */
static bool file(struct ks_inquiry *q, struct ks_nursery *n)
{
    struct ks_docket *before = q->docket;
    struct ks_docket *d = ks_docket_get(n, called(q->object));

    if (!d)
        return false;
    ks_list_remove(&q->in_docket);
    ks_list_push(&d->inquiries, &q->in_docket);
    q->docket = d;
    if (before && before != d)
        ks_docket_reap(before);
    return true;
}

static bool begin(struct ks_session *s, struct ks_object *o)
{
    struct ks_nursery *n = nursery_of(s, o);
    struct ks_inquiry *q = n ? ks_alloc0(sizeof(*q)) : NULL;

    if (!q)
        return ks_session_fail_nomem(s);
    ks_list_init(&q->in_docket);
    q->object = o;
    if (!file(q, n)) {
        ks_free(q);
        return ks_session_fail_nomem(s);
    }
    o->inquiry = q;
    ks_list_push(&n->inquiries, &q->in_nursery);
    return ks_brood_use(&n->broods[KS_CHILD_EVENT]);
}

void ks_inquiry_end(struct ks_object *o)
{
    struct ks_inquiry *q = KS_TAKE(o->inquiry);
    struct ks_nursery *n;

    if (!q)
        return;
    n = q->docket->nursery;
    ks_list_remove(&q->in_docket);
    ks_list_remove(&q->in_nursery);
    ks_docket_reap(q->docket);
    ks_brood_unuse(&n->broods[KS_CHILD_EVENT]);
    ks_free(q->base);
    ks_free(q);
}

const struct ks_shown *ks_object_said(const struct ks_object *o)
{
    return o->inquiry && o->inquiry->base ? o->inquiry->base : o->shown;
}

/* What is kept already may be what now views into. */
static bool keep(struct ks_inquiry *q, const struct ks_shown *now)
{
    struct ks_shown *copy = ks_shown_dup(now);

    if (!copy)
        return false;
    ks_free(q->base);
    q->base = copy;
    return true;
}

bool ks_inquiry_see(struct ks_session *s, struct ks_object *o, struct ks_shown *now)
{
    struct ks_str uid = ks_object_uid(o);

    if (!s->causes || !o->kind || !uid.len || uid.len > UID_BYTES_MAX ||
        !ks_status_is_inquired(now->status)) {
        ks_inquiry_end(o);
        return true;
    }
    if (!o->inquiry && !begin(s, o))
        return false;
    assert(o->inquiry);
    if (!ks_str_eq(o->inquiry->docket->uid, called(o)) &&
        !file(o->inquiry, o->inquiry->docket->nursery))
        return ks_session_fail_nomem(s);
    if (!keep(o->inquiry, now))
        return ks_session_fail_nomem(s);
    *now = *o->inquiry->base;
    ks_docket_explain(o->inquiry->docket, now);
    return true;
}

static ks_target_bits inquired_in(const struct ks_nursery *n)
{
    ks_target_bits bits = 0;

    KS_LIST_FOREACH(link, &n->inquiries)
    {
        bits |= ks_object_targets(KS_CONTAINER_OF(link, struct ks_inquiry, in_nursery)->object);
    }
    return bits;
}

/* They come at once, or cannot be read: who asks once is not to miss them. */
ks_target_bits ks_inquiries_open(const struct ks_session *s)
{
    ks_target_bits bits = 0;

    KS_LIST_FOREACH(link, &s->nurseries)
    {
        const struct ks_nursery *n = KS_CONTAINER_OF(link, struct ks_nursery, link);

        if (n->broods[KS_CHILD_EVENT].state == KS_BROOD_OPENING && !n->are_events_late &&
            !n->is_late)
            bits |= inquired_in(n);
    }
    return bits;
}

bool ks_inquiry_tell(const struct ks_inquiry *q)
{
    struct ks_object *o = q->object;

    if (!q->base || !ks_object_targets(o) || o->is_gone || o->is_unreadable || o->doubt)
        return true;
    return ks_object_show(q->docket->nursery->session, o, q->base);
}
