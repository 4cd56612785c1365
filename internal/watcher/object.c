/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that a session knows: found by kind and name, made, rebound, freed.
 *
 * All watches of one kind share its objects, so that what several targets want is one object with
 * several targets. A target that pins a UID has an object of its own beside the unpinned one of the
 * same name: they hang in a chain behind the first, which stands in the map.
 *
 * Invariants:
 *   1. the first of a chain is freed last: informers' records point to it;
 *   2. a chain goes when no record points to it and it concerns no target;
 *   3. an object without kind is in no map and belongs to exactly one target.
 *
 * Thread: the loop's.  It does not: decide what is shown (show.c).
 */
#include "watcher/session_internal.h"

#include <assert.h>

#include "base/alloc.h"

#include "watcher/children.h"
#include "watcher/excerpt.h"

#define KEY_MAX 320

struct ks_kind *ks_kind_get(struct ks_session *s, struct ks_resource *resource)
{
    struct ks_kind *kind;

    KS_LIST_FOREACH(link, &s->kinds)
    {
        const struct ks_resource *r;

        kind = KS_CONTAINER_OF(link, struct ks_kind, link);
        r = kind->resource;
        if (ks_str_eq(r->group, resource->group) && ks_str_eq(r->version, resource->version) &&
            ks_str_eq(r->plural, resource->plural))
            return kind;
    }
    kind = ks_alloc0(sizeof(*kind));
    if (!kind)
        return NULL;
    kind->objects = ks_map_new(s->max_objects + KS_SESSION_MAX_TARGETS);
    if (!kind->objects) {
        ks_free(kind);
        return NULL;
    }
    kind->resource = ks_resource_ref(resource);
    ks_list_push(&s->kinds, &kind->link);
    return kind;
}

static void free_chain(void *ctx, struct ks_str key KS_UNUSED, void *value)
{
    struct ks_object *o = value;

    while (o) {
        struct ks_object *next = o->sibling;

        ks_object_free(ctx, o);
        o = next;
    }
}

void ks_kind_free(struct ks_session *s, struct ks_kind *kind)
{
    ks_list_remove(&kind->link);
    ks_map_foreach(kind->objects, free_chain, s);
    kind->objects = ks_map_free(kind->objects);
    kind->resource = ks_resource_unref(kind->resource);
    ks_free(kind);
}

static void reset_chain(void *ctx KS_UNUSED, struct ks_str key KS_UNUSED, void *value)
{
    struct ks_object *first = value;

    ks_parent_forget_version(first);
    for (struct ks_object *o = first; o; o = o->sibling) {
        o->version.len = 0;
        o->is_gone = false;
    }
}

void ks_kind_reset(struct ks_kind *kind)
{
    ks_map_foreach(kind->objects, reset_chain, NULL);
}

static size_t write_key(char *out, struct ks_str ns, struct ks_str name)
{
    if (ns.len)
        memcpy(out, ns.ptr, ns.len);
    out[ns.len] = '/';
    memcpy(out + ns.len + 1, name.ptr, name.len);
    return ns.len + 1 + name.len;
}

struct ks_object *ks_object_find(const struct ks_kind *kind, struct ks_str ns, struct ks_str name)
{
    char key[KEY_MAX];

    assert(ns.len + 1 + name.len <= sizeof(key));
    return ks_map_find(kind->objects, ks_str_make(key, write_key(key, ns, name)));
}

static struct ks_object *object_new(struct ks_session *s, struct ks_str ns, struct ks_str name)
{
    size_t key_len = ns.len + 1 + name.len;
    struct ks_object *o;

    if (s->object_count >= s->max_objects) {
        struct ks_error err;

        (void)ks_fail(&err, KS_RC_LIMIT, /* passed on */
                      "more than %zu objects match the targets: select fewer", s->max_objects);
        (void)ks_session_fail(s, &err); /* false, and so is our NULL */
        return NULL;
    }
    o = ks_alloc0(sizeof(*o) + key_len);
    if (!o) {
        (void)ks_session_fail_nomem(s); /* false, and so is our NULL */
        return NULL;
    }
    o->key = ks_str_make(o->text, write_key(o->text, ns, name));
    o->ns_len = ns.len;
    s->object_count++;
    return o;
}

/* The object with that pin; NULL when there is none. *last is the end of the chain. */
static struct ks_object *find_pin(struct ks_object *first, struct ks_str pin,
                                  struct ks_object **last)
{
    for (struct ks_object *o = first; o; o = o->sibling) {
        *last = o;
        if (ks_str_eq(o->pin, pin))
            return o;
    }
    return NULL;
}

struct ks_object *ks_object_get(struct ks_session *s, struct ks_kind *kind, struct ks_str ns,
                                struct ks_str name, struct ks_str pin)
{
    struct ks_object *last = NULL;
    struct ks_object *o = find_pin(ks_object_find(kind, ns, name), pin, &last);

    if (o)
        return o;
    o = object_new(s, ns, name);
    if (!o)
        return NULL;
    o->kind = kind;
    o->pin = pin;
    if (last) {
        last->sibling = o;
    } else if (ks_map_put(kind->objects, o->key, o)) {
        ks_object_free(s, o);
        (void)ks_session_fail_nomem(s); /* false, and so is our NULL */
        return NULL;
    }
    return o;
}

struct ks_object *ks_object_get_unresolved(struct ks_session *s, const struct ks_pursuit *p)
{
    struct ks_object *o = object_new(s, p->target.ns, p->target.name);

    if (!o)
        return NULL;
    o->origin = p;
    o->pin = p->target.uid;
    return o;
}

static void move_text(struct ks_text *to, struct ks_text *from)
{
    ks_free(to->ptr);
    *to = *from;
    *from = (struct ks_text){0};
}

static void adopt(struct ks_object *to, struct ks_object *from)
{
    to->shown = KS_TAKE(from->shown);
    to->sink_slot = KS_TAKE(from->sink_slot);
    to->transition_wall_ms = from->transition_wall_ms;
    to->is_gone = from->is_gone;
    move_text(&to->uid, &from->uid);
    move_text(&to->version, &from->version);
    /* What it is called is news: the sink is told again, whatever its state. */
    to->told = 0;
}

void ks_object_rebind(struct ks_session *s, struct ks_pursuit *p, struct ks_object *to)
{
    struct ks_object *from = p->object;

    p->object = to;
    to->named |= ks_pursuit_bit(p);
    if (!from || from == to)
        return;
    from->named &= ~ks_pursuit_bit(p);
    if (ks_object_targets(from))
        return;
    if (!to->shown)
        adopt(to, from);
    ks_object_forget(s, from);
    if (from->kind)
        ks_object_reap(s, ks_object_find(from->kind, ks_object_ns(from), ks_object_name(from)));
    else
        ks_object_free(s, from);
}

void ks_object_reap(struct ks_session *s, struct ks_object *first)
{
    if (first->holders)
        return;
    for (const struct ks_object *o = first; o; o = o->sibling) {
        if (ks_object_targets(o))
            return;
    }
    (void)ks_map_remove(first->kind->objects, first->key); /* it is first itself */
    free_chain(s, first->key, first);
}

void ks_object_free(struct ks_session *s, struct ks_object *o)
{
    ks_recheck_cancel(o);
    ks_parent_drop(o);
    if (o->doubt)
        ks_doubt_withdraw(o, ~(ks_target_bits)0);
    ks_object_forget(s, o);
    ks_free(o->shown);
    ks_free(o->uid.ptr);
    ks_free(o->version.ptr);
    ks_object_drop_excerpt(s, o);
    ks_free(o);
    s->object_count--;
}

struct collection {
    ks_target_bits bits;
    struct ks_object **objects; /* NULL: only count */
    size_t count;
};

static void collect_chain(void *ctx, struct ks_str key KS_UNUSED, void *value)
{
    struct collection *c = ctx;

    for (struct ks_object *o = value; o; o = o->sibling) {
        if (!(o->selected & c->bits))
            continue;
        if (c->objects)
            c->objects[c->count] = o;
        c->count++;
    }
}

static void collect_all(const struct ks_session *s, struct collection *c)
{
    KS_LIST_FOREACH(link, &s->kinds)
    {
        ks_map_foreach(KS_CONTAINER_OF(link, struct ks_kind, link)->objects, collect_chain, c);
    }
}

bool ks_objects_collect(struct ks_session *s, ks_target_bits bits, struct ks_object ***out,
                        size_t *out_count)
{
    struct collection c = {.bits = bits};

    collect_all(s, &c);
    c.objects = ks_alloc_array(c.count + 1, sizeof(struct ks_object *));
    if (!c.objects)
        return ks_session_fail_nomem(s);
    c.count = 0;
    collect_all(s, &c);
    *out = c.objects;
    *out_count = c.count;
    return true;
}

struct ks_str ks_object_ns(const struct ks_object *o)
{
    return ks_str_sub(o->key, 0, o->ns_len);
}

struct ks_str ks_object_name(const struct ks_object *o)
{
    return ks_str_sub(o->key, o->ns_len + 1, o->key.len);
}

struct ks_str ks_object_uid(const struct ks_object *o)
{
    return ks_text_str(&o->uid);
}

void ks_object_id_of(const struct ks_object *o, struct ks_object_id *out)
{
    struct ks_object_id id = {
        .ns = ks_object_ns(o),
        .name = ks_object_name(o),
        .uid = o->pin.len ? o->pin : ks_object_uid(o),
    };

    if (o->kind) {
        id.group = o->kind->resource->group;
        id.version = o->kind->resource->version;
        id.kind = o->kind->resource->kind;
    } else {
        const struct ks_target *t = &o->origin->target;

        id.group = t->group;
        id.version = t->version;
        id.kind = t->object_kind.len ? t->object_kind : t->resource;
    }
    *out = id;
}
