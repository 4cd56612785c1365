/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each status that goes through is kept packed, without what every stream sees for itself (times of
 * observation, the previous status, counters of the stream), so that sameness is that of bytes.
 *
 * Invariants:
 *   1. of the first stream everything passes, but for Draining where that is not wanted;
 *   2. of a later one nothing passes that was told before, and nothing that was told is forgotten
 * without being told gone;
 *   3. an object is only missed by a target that is read: absence is evidence then.
 *
 * Thread: one at a time.
 */
#include "client/sieve.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include "client/pb_alloc.h"

#define KEY_MAX_BYTES 8192
#define TARGETS_MAX 4096

typedef Kstatus__V1__ResourceStatus status_message;
typedef Kstatus__V1__TargetChange target_message;

/* An object's status, as it was told. */
struct told {
    struct ks_str key;
    uint64_t turn; /* the last stream that had it */
    Kstatus__V1__ReconcileStatus status;
    int64_t since_s; /* of the transition; 0: unknown */
    int32_t since_ns;
    bool is_kindless;
    size_t len;
    uint8_t bytes[]; /* the packed status, then the key */
};

struct target {
    uint32_t id;
    Kstatus__V1__TargetChange__State told; /* UNSPECIFIED: nothing yet */
    uint64_t told_cause;                   /* a hash of its message */
    Kstatus__V1__TargetChange__State now;  /* on this stream */
};

/* Something that this sieve says, not the stream. */
struct saying {
    struct ks_list link;
    Kstatus__V1__Event event;
    Kstatus__V1__Removed removed;
    status_message status;
    Google__Protobuf__Timestamp since;
    status_message *gone; /* what removed points into */
};

struct ks_sieve {
    ks_sieve_draining draining;
    struct ks_map *objects;
    struct target *targets;
    size_t target_count;
    uint64_t turn; /* 1: the first stream */
    bool is_synced;
    bool has_told_accepted;
    bool has_told_synced;
    struct ks_list sayings; /* of the last pass */
    Kstatus__V1__Event **events;
    size_t event_count;
    size_t event_cap;
    ks_rc rc; /* of a sweep */
};

struct ks_sieve *ks_sieve_new(ks_sieve_draining draining)
{
    struct ks_sieve *s = ks_alloc0(sizeof(*s));

    if (!s)
        return NULL;
    ks_list_init(&s->sayings);
    s->turn = 1;
    s->draining = draining;
    s->objects = ks_map_new(KS_SIEVE_OBJECTS_MAX);
    if (!s->objects) {
        ks_free(s);
        return NULL;
    }
    return s;
}

static void sayings_clear(struct ks_sieve *s)
{
    struct ks_list *link;

    while ((link = ks_list_pop(&s->sayings))) {
        struct saying *saying = KS_CONTAINER_OF(link, struct saying, link);

        if (saying->gone)
            kstatus__v1__resource_status__free_unpacked(saying->gone, &ks_pb_allocator);
        ks_free(saying);
    }
}

static void told_drop(void *ctx, struct ks_str key, void *value)
{
    struct ks_sieve *s = ctx;

    (void)ks_map_remove(s->objects, key); /* it is value */
    ks_free(value);
}

struct ks_sieve *ks_sieve_free(struct ks_sieve *s)
{
    if (!s)
        return NULL;
    ks_map_foreach(s->objects, told_drop, s);
    ks_map_free(s->objects);
    sayings_clear(s);
    ks_free(s->targets);
    ks_free(s->events);
    ks_free(s);
    return NULL;
}

void ks_sieve_restart(struct ks_sieve *s)
{
    s->turn++;
    s->is_synced = false;
    for (size_t i = 0; i < s->target_count; i++)
        s->targets[i].now = KSTATUS__V1__TARGET_CHANGE__STATE__STATE_UNSPECIFIED;
}

static ks_rc emit(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    if (s->event_count == s->event_cap) {
        size_t cap = s->event_cap ? 2 * s->event_cap : 64;
        Kstatus__V1__Event **events = ks_realloc(s->events, cap * sizeof(Kstatus__V1__Event *));

        if (!events)
            return KS_RC_NOMEM;
        s->events = events;
        s->event_cap = cap;
    }
    s->events[s->event_count++] = event;
    return KS_RC_OK;
}

static struct saying *saying_new(struct ks_sieve *s)
{
    struct saying *saying = ks_alloc0(sizeof(*saying));

    if (!saying)
        return NULL;
    kstatus__v1__event__init(&saying->event);
    ks_list_push(&s->sayings, &saying->link);
    return saying;
}

static bool is_kindless(const status_message *m)
{
    return !m->object || m->object->kind[0] == '\0';
}

/* No NUL occurs in the parts: they are C strings. */
static ks_rc key_make(struct ks_buf *out, const Kstatus__V1__ObjectRef *o)
{
    const char *parts[] = {o->group, o->kind, o->namespace_, o->name};
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(parts); i++)
        rc = ks_buf_append(out, parts[i], strlen(parts[i]) + 1);
    return rc;
}

static ks_rc key_of(struct ks_buf *out, const status_message *m)
{
    if (is_kindless(m))
        return ks_buf_appendf(out, "target %u", m->n_target_ids ? (unsigned)m->target_ids[0] : 0);
    return key_make(out, m->object);
}

static struct told *told_new(const status_message *m, struct ks_str key)
{
    status_message bare = *m;
    struct told *told;
    size_t len;

    bare.observe_time = NULL;
    bare.transition_time = NULL;
    bare.previous_status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNSPECIFIED;
    bare.coalesced_count = 0;
    bare.resource_version = (char *)(uintptr_t)protobuf_c_empty_string; /* it is only read */
    len = protobuf_c_message_get_packed_size(&bare.base);
    told = ks_alloc0(sizeof(*told) + len + key.len);
    if (!told)
        return NULL;
    told->len = protobuf_c_message_pack(&bare.base, told->bytes);
    memcpy(told->bytes + len, key.ptr, key.len);
    told->key = ks_str_make((char *)told->bytes + len, key.len);
    told->status = m->status;
    told->is_kindless = is_kindless(m);
    if (m->transition_time) {
        told->since_s = m->transition_time->seconds;
        told->since_ns = m->transition_time->nanos;
    }
    return told;
}

/* What this stream cannot know: what was told before it. */
static ks_rc emit_corrected(struct ks_sieve *s, const Kstatus__V1__Event *event,
                            const struct told *old, struct told *now)
{
    struct saying *saying = saying_new(s);

    if (!saying)
        return KS_RC_NOMEM;
    saying->status = *event->update;
    saying->status.previous_status = old->status;
    if (old->status == now->status && old->since_s) {
        google__protobuf__timestamp__init(&saying->since);
        saying->since.seconds = now->since_s = old->since_s;
        saying->since.nanos = now->since_ns = old->since_ns;
        saying->status.transition_time = &saying->since;
    }
    saying->event.event_case = KSTATUS__V1__EVENT__EVENT_UPDATE;
    saying->event.update = &saying->status;
    return emit(s, &saying->event);
}

static ks_rc told_put(struct ks_sieve *s, struct told *old, struct told *now)
{
    ks_rc rc;

    if (old)
        (void)ks_map_remove(s->objects, old->key); /* it is old */
    rc = ks_map_put(s->objects, now->key, now);
    ks_free(old);
    if (rc)
        ks_free(now);
    return rc;
}

static ks_rc pass_update(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(KEY_MAX_BYTES);
    struct told *old;
    struct told *now;
    ks_rc rc = key_of(&key, event->update);

    if (rc)
        return rc;
    old = ks_map_find(s->objects, ks_buf_str(&key));
    now = told_new(event->update, ks_buf_str(&key));
    if (!now)
        return KS_RC_NOMEM;
    now->turn = s->turn;
    if (s->turn > 1 && old && old->len == now->len && !memcmp(old->bytes, now->bytes, now->len)) {
        old->turn = s->turn;
        ks_free(now);
        return KS_RC_OK;
    }
    rc = s->turn > 1 && old ? emit_corrected(s, event, old, now) : emit(s, event);
    if (rc) {
        ks_free(now);
        return rc;
    }
    return told_put(s, old, now);
}

static ks_rc pass_removed(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(KEY_MAX_BYTES);
    const Kstatus__V1__ObjectRef *object = event->removed->object;
    ks_rc rc = object ? key_make(&key, object) : KS_RC_OK;

    if (!rc && object)
        ks_free(ks_map_remove(s->objects, ks_buf_str(&key)));
    return rc ? rc : emit(s, event);
}

static struct target *target_get(struct ks_sieve *s, uint32_t id)
{
    struct target *targets;

    for (size_t i = 0; i < s->target_count; i++) {
        if (s->targets[i].id == id)
            return &s->targets[i];
    }
    if (s->target_count == TARGETS_MAX)
        return NULL;
    targets = ks_realloc(s->targets, (s->target_count + 1) * sizeof(*targets));
    if (!targets)
        return NULL;
    s->targets = targets;
    targets[s->target_count] = (struct target){.id = id};
    return &targets[s->target_count++];
}

/* Whether all of an object's targets are read on this stream. */
static bool is_read(struct ks_sieve *s, const status_message *m)
{
    for (size_t i = 0; i < m->n_target_ids; i++) {
        const struct target *t = target_get(s, m->target_ids[i]);

        if (!t || t->now != KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SYNCED)
            return false;
    }
    return m->n_target_ids > 0;
}

static ks_rc emit_gone(struct ks_sieve *s, status_message *gone)
{
    struct saying *saying = saying_new(s);

    if (!saying) {
        kstatus__v1__resource_status__free_unpacked(gone, &ks_pb_allocator);
        return KS_RC_NOMEM;
    }
    saying->gone = gone;
    kstatus__v1__removed__init(&saying->removed);
    saying->removed.object = gone->object;
    saying->removed.target_ids = gone->target_ids;
    saying->removed.n_target_ids = gone->n_target_ids;
    saying->event.event_case = KSTATUS__V1__EVENT__EVENT_REMOVED;
    saying->event.removed = &saying->removed;
    return emit(s, &saying->event);
}

/* What was told gone, or stood for a kind that was not known, leaves without a word. */
static void sweep_one(void *ctx, struct ks_str key, void *value)
{
    struct ks_sieve *s = ctx;
    struct told *told = value;
    status_message *gone;
    bool is_silent = told->is_kindless ||
                     told->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_NOT_FOUND;

    if (s->rc || told->turn == s->turn)
        return;
    gone = kstatus__v1__resource_status__unpack(&ks_pb_allocator, told->len, told->bytes);
    if (!gone) {
        s->rc = KS_RC_NOMEM;
        return;
    }
    if (!is_read(s, gone)) {
        kstatus__v1__resource_status__free_unpacked(gone, &ks_pb_allocator);
        return;
    }
    if (is_silent)
        kstatus__v1__resource_status__free_unpacked(gone, &ks_pb_allocator);
    else
        s->rc = emit_gone(s, gone);
    told_drop(s, key, told);
}

static ks_rc sweep(struct ks_sieve *s)
{
    if (s->turn > 1)
        ks_map_foreach(s->objects, sweep_one, s);
    return s->rc;
}

/* LISTING passes by on every stream. */
static bool is_told(const struct ks_sieve *s, const struct target *t, uint64_t cause)
{
    if (s->turn == 1)
        return false;
    return t->now == KSTATUS__V1__TARGET_CHANGE__STATE__STATE_LISTING ||
           (t->now == t->told && cause == t->told_cause);
}

static ks_rc pass_target(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    const target_message *change = event->target_change;
    const char *message = change->cause ? change->cause->message : "";
    uint64_t cause = ks_hash(message, strlen(message));
    struct target *t = target_get(s, change->target_id);
    ks_rc rc = KS_RC_OK;

    if (!t)
        return KS_RC_NOMEM;
    t->now = change->state;
    if (!is_told(s, t, cause)) {
        t->told = change->state;
        t->told_cause = cause;
        rc = emit(s, event);
    }
    if (!rc && s->is_synced && t->now == KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SYNCED)
        rc = sweep(s); /* it could not be read before */
    return rc;
}

static ks_rc pass_synced(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    ks_rc rc = sweep(s);

    s->is_synced = true;
    if (rc || s->has_told_synced)
        return rc;
    s->has_told_synced = true;
    return emit(s, event);
}

static ks_rc pass_accepted(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    if (s->has_told_accepted)
        return KS_RC_OK;
    s->has_told_accepted = true;
    return emit(s, event);
}

static ks_rc pass_draining(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    return s->draining == KS_SIEVE_TELLS_DRAINING ? emit(s, event) : KS_RC_OK;
}

/* The others pass, those of a newer server too. */
static ks_rc pass(struct ks_sieve *s, Kstatus__V1__Event *event)
{
    static const struct {
        Kstatus__V1__Event__EventCase kind;
        ks_rc (*fn)(struct ks_sieve *s, Kstatus__V1__Event *event);
    } rows[] = {
        {KSTATUS__V1__EVENT__EVENT_UPDATE, pass_update},
        {KSTATUS__V1__EVENT__EVENT_REMOVED, pass_removed},
        {KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE, pass_target},
        {KSTATUS__V1__EVENT__EVENT_ACCEPTED, pass_accepted},
        {KSTATUS__V1__EVENT__EVENT_SYNCED, pass_synced},
        {KSTATUS__V1__EVENT__EVENT_DRAINING, pass_draining},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (rows[i].kind == event->event_case)
            return rows[i].fn(s, event);
    }
    return emit(s, event);
}

ks_rc ks_sieve_pass(struct ks_sieve *s, const Kstatus__V1__WatchResponse *response,
                    Kstatus__V1__WatchResponse *out)
{
    ks_rc rc = KS_RC_OK;

    sayings_clear(s);
    s->event_count = 0;
    for (size_t i = 0; !rc && i < response->n_events; i++)
        rc = pass(s, response->events[i]);
    *out = *response;
    out->events = s->events;
    out->n_events = s->event_count;
    return rc;
}
