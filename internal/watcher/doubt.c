/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubt: an object has vanished from a watch with a label or field selector. Was it deleted, or did
 * it only stop matching? The watch event is the same, and carries the object as it was while it
 * still matched; a list that does not contain it says no more. So one more question is put, to the
 * name itself.
 *
 *   raise ──> waiting ──a place is free──> looking ──listed──> same UID there: REMOVED; else:
 * NotFound └── refused ──> REMOVED: that it left is certain, deletion is not
 *
 * Invariants:
 *   1. an object has at most one doubt, which knows the targets that wait for the answer;
 *   2. at most KS_DOUBTS_MAX are looked into at once, so that a mass deletion is no burst of
 * requests;
 *   3. while in doubt, an object still belongs to its targets, and nothing new is told of it.
 *
 * Thread: the loop's.  It does not: trust that an object which is being deleted vanishes by being
 * deleted: it may change its labels and fields before.
 */
#include "watcher/session_internal.h"

#include "base/alloc.h"
#include "base/plant.h"

#include "watcher/children.h"

struct ks_doubt {
    struct ks_list link; /* in session->doubts, in order of raising */
    struct ks_session *session;
    struct ks_object *object;
    ks_target_bits bits;
    struct ks_informer *informer; /* NULL while it waits */
};

static void doubt_free(struct ks_doubt *d)
{
    if (d->informer)
        d->session->doubts_running--;
    d->informer = ks_informer_free(d->informer, NULL);
    ks_list_remove(&d->link);
    d->object->doubt = NULL;
    ks_free(d);
}

void ks_doubt_withdraw(struct ks_object *o, ks_target_bits bits)
{
    o->doubt->bits &= ~bits;
    if (!o->doubt->bits)
        doubt_free(o->doubt);
}

static bool conclude(struct ks_session *s, struct ks_object *o, ks_target_bits bits, bool is_gone)
{
    struct ks_object *first;

    if (!is_gone && !ks_object_leave(s, o, bits))
        return false;
    if (is_gone) {
        if (!ks_object_show_gone(s, o, KS_GONE_SEEN))
            return false;
        ks_object_deselect(s, o, bits);
    }
    first = ks_object_find(o->kind, ks_object_ns(o), ks_object_name(o));
    /* What its children have done meanwhile was not told. */
    if (first->parent && !ks_parent_reconsider(first->parent))
        return false;
    ks_object_reap(s, first);
    return true;
}

static bool pump(struct ks_session *s);

/* The answer is there. The doubt is gone afterwards. */
static void resolve(struct ks_doubt *d, bool is_gone)
{
    struct ks_session *s = d->session;
    struct ks_object *o = d->object;
    ks_target_bits bits = d->bits;
    bool is_open;

    ks_session_enter(s);
    doubt_free(d);
    is_open = conclude(s, o, bits, is_gone) && pump(s);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static void on_upsert(void *ctx KS_UNUSED, struct ks_record *record KS_UNUSED,
                      struct ks_json_value object KS_UNUSED)
{
    /* The record is looked for when the list is complete. */
}

static void on_gone(void *ctx KS_UNUSED, struct ks_record *record KS_UNUSED, ks_gone how KS_UNUSED)
{
    /* Nothing hangs on the record. */
}

static void on_bad_object(void *ctx, struct ks_record *record KS_UNUSED, struct ks_str ns KS_UNUSED,
                          struct ks_str name KS_UNUSED, const struct ks_error *err KS_UNUSED)
{
    resolve(ctx, /* is_gone= */ false); /* something is there */
}

static void on_synced(void *ctx)
{
    struct ks_doubt *d = ctx;
    const struct ks_object *o = d->object;
    const struct ks_record *r = ks_informer_find(d->informer, ks_object_ns(o), ks_object_name(o));

    resolve(d, /* is_gone= */ !r || !ks_str_eq(r->uid, ks_object_uid(o)));
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err KS_UNUSED)
{
    if (state == KS_SOURCE_DENIED || state == KS_SOURCE_ABSENT || state == KS_SOURCE_FAILED ||
        state == KS_SOURCE_UNAUTHENTICATED)
        resolve(ctx, /* is_gone= */ KS_PLANTED(9));
}

static void on_limit(void *ctx KS_UNUSED)
{
    /* One name has at most one object. */
}

static bool look(struct ks_doubt *d)
{
    static const struct ks_informer_ops ops = {
        .on_upsert = on_upsert,
        .on_gone = on_gone,
        .on_bad_object = on_bad_object,
        .on_synced = on_synced,
        .on_state = on_state,
        .on_limit = on_limit,
    };
    struct ks_session *s = d->session;
    struct ks_informer_config config = {
        .source =
            {
                .resource = d->object->kind->resource,
                .ns = ks_object_ns(d->object),
                .name = ks_object_name(d->object),
            },
        .max_objects = 1,
    };
    struct ks_error err = {0};

    if (ks_informer_new(s->kube, &config, &ops, d, &d->informer, &err))
        return ks_session_fail(s, &err);
    s->doubts_running++;
    ks_informer_start(d->informer);
    return true;
}

static bool pump(struct ks_session *s)
{
    KS_LIST_FOREACH(link, &s->doubts)
    {
        struct ks_doubt *d = KS_CONTAINER_OF(link, struct ks_doubt, link);

        if (s->doubts_running >= KS_DOUBTS_MAX)
            break;
        if (!d->informer && !look(d))
            return false;
    }
    return true;
}

bool ks_doubt_raise(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    struct ks_doubt *d = o->doubt;

    if (d) {
        d->bits |= bits;
        return true;
    }
    d = ks_alloc0(sizeof(*d));
    if (!d)
        return ks_session_fail_nomem(s);
    d->session = s;
    d->object = o;
    d->bits = bits;
    o->doubt = d;
    ks_list_push(&s->doubts, &d->link);
    return pump(s);
}

void ks_doubts_free(struct ks_session *s)
{
    while (!ks_list_is_empty(&s->doubts))
        doubt_free(KS_CONTAINER_OF(s->doubts.next, struct ks_doubt, link));
}
