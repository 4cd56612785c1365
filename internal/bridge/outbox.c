/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: a list of items in order of first appearance. An item is a slot (one object, latest
 * wins) or a control packet (kept as it is); both are taken from the front.
 *
 *   producer: put, push ──> ready: [item]─[item]─[item] ──> take: consumer
 *                             └ empty to not empty: doorbell
 *
 * The numbered invariants stand in outbox.h. How they are kept:
 *   1. only the consumer numbers, and only what it has room for: room is made outside the lock for
 * what was counted under it, and then as much is taken as fits, so that nothing can fail after an
 * item left the list;
 *   2. a put replaces a waiting packet in place;
 *   3. a slot that is retired while it waits is freed by whoever takes it from the list, otherwise
 * at once;
 *   4. no item is in ready and in held; what is held enters ready before it can be overtaken by
 * what must follow it, and before its slot goes;
 *   5. the producer marks that it is ringing; ks_outbox_close waits for that to end, unless it is
 * called by the doorbell itself.
 *
 * Thread: producer and consumer, see outbox.h.  It does not: know what is in a packet, but for its
 * kind.
 */
#include "bridge/outbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/plant.h"
#include "bridge/wire.h"

/* One take's ceiling, whatever the caller allows: the packets of a take lie on the stack. */
#define BATCH_MAX 64

struct item {
    struct ks_list link;      /* in ready, in held, or in none */
    struct ks_packet *packet; /* not NULL exactly while it is in one of them */
    int64_t put_mono_ms;      /* when it entered ready */
    uint32_t merged;          /* updates that the waiting packet has replaced */
    enum { ITEM_SLOT, ITEM_RETIRED_SLOT, ITEM_CONTROL } type;
};

struct ks_outbox_slot {
    struct item item;
    struct ks_list all; /* in the outbox's slots, until it is freed */
    bool is_held;
    bool has_entered; /* ready, ever */
    uint64_t tag;     /* the producer's */
};

struct ks_outbox {
    _Atomic uint32_t refs;
    ks_outbox_doorbell doorbell;
    void *ctx;
    size_t max_control;
    int64_t interval_ms;    /* constant from the first put on */
    uint64_t next_sequence; /* consumer's */

    /* `lock` guards all below. */
    pthread_mutex_t lock;
    pthread_cond_t rung_out; /* is_ringing became false */
    struct ks_list ready;
    struct ks_list held; /* slots whose time has not come */
    struct ks_list slots;
    uint32_t slot_count; /* not retired */
    size_t control_waiting;
    uint32_t waiting;
    bool is_rung;    /* the consumer knows, or is being told; cleared when it finds nothing */
    bool is_ringing; /* the doorbell is being called, by `ringer` */
    bool is_closed;
    pthread_t ringer;
    uint64_t taken_total;
    uint64_t coalesced_total;
};

/* What was taken from the list and is ours alone. */
struct batch {
    size_t count;
    struct {
        struct ks_packet *packet;
        uint32_t merged;
    } entries[BATCH_MAX];
    struct ks_list dead; /* links of items to be freed */
};

ks_rc ks_outbox_new(size_t max_control, ks_outbox_doorbell doorbell, void *ctx,
                    struct ks_outbox **out, struct ks_error *err)
{
    struct ks_outbox *o = ks_alloc0(sizeof(*o));

    if (!o)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a stream's outbox");
    if (pthread_mutex_init(&o->lock, NULL)) {
        ks_free(o);
        return ks_fail(err, KS_RC_NOMEM, "no mutex for a stream's outbox");
    }
    if (pthread_cond_init(&o->rung_out, NULL)) {
        (void)pthread_mutex_destroy(&o->lock); /* nobody holds it */
        ks_free(o);
        return ks_fail(err, KS_RC_NOMEM, "no condition variable for a stream's outbox");
    }
    atomic_init(&o->refs, 1);
    o->doorbell = doorbell;
    o->ctx = ctx;
    o->max_control = max_control;
    o->next_sequence = 1;
    ks_list_init(&o->ready);
    ks_list_init(&o->held);
    ks_list_init(&o->slots);
    *out = o;
    return KS_RC_OK;
}

static void lock(struct ks_outbox *o)
{
    int rc = pthread_mutex_lock(&o->lock);

    assert(rc == 0);
    (void)rc; /* only asserted */
}

static void unlock(struct ks_outbox *o)
{
    int rc = pthread_mutex_unlock(&o->lock);

    assert(rc == 0);
    (void)rc; /* only asserted */
}

struct ks_outbox *ks_outbox_ref(struct ks_outbox *o)
{
    (void)atomic_fetch_add_explicit(&o->refs, 1,
                                    memory_order_relaxed); /* the old value is of no use */
    return o;
}

static void outbox_free(struct ks_outbox *o)
{
    struct ks_list *link;

    while ((link = ks_list_pop(&o->ready)) != NULL) {
        struct item *item = KS_CONTAINER_OF(link, struct item, link);

        (void)ks_packet_unref(item->packet); /* always NULL */
        if (item->type == ITEM_CONTROL)
            ks_free(item);
    }
    while ((link = ks_list_pop(&o->held)) != NULL)
        (void)ks_packet_unref(KS_CONTAINER_OF(link, struct item, link)->packet); /* likewise */
    while ((link = ks_list_pop(&o->slots)) != NULL)
        ks_free(KS_CONTAINER_OF(link, struct ks_outbox_slot, all));
    (void)pthread_cond_destroy(&o->rung_out); /* nobody waits: this was the last reference */
    (void)pthread_mutex_destroy(&o->lock);    /* nobody holds it */
    ks_free(o);
}

struct ks_outbox *ks_outbox_unref(struct ks_outbox *o)
{
    if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
        outbox_free(o);
    return NULL;
}

void ks_outbox_close(struct ks_outbox *o)
{
    lock(o);
    o->is_closed = true;
    while (o->is_ringing && !pthread_equal(o->ringer, pthread_self()))
        (void)pthread_cond_wait(&o->rung_out, &o->lock); /* cannot fail: the lock is ours */
    unlock(o);
}

struct ks_outbox_slot *ks_outbox_slot_new(struct ks_outbox *o)
{
    struct ks_outbox_slot *slot = ks_alloc0(sizeof(*slot));

    if (!slot)
        return NULL;
    slot->item.type = ITEM_SLOT;
    ks_list_init(&slot->item.link);
    lock(o);
    ks_list_push(&o->slots, &slot->all);
    o->slot_count++;
    unlock(o);
    return slot;
}

void ks_outbox_slot_set_tag(struct ks_outbox_slot *slot, uint64_t tag)
{
    slot->tag = tag;
}

uint64_t ks_outbox_slot_tag(const struct ks_outbox_slot *slot)
{
    return slot->tag;
}

/* Called with the lock held, before it is given back. Whether the caller has to ring. */
static bool begin_ring(struct ks_outbox *o)
{
    if (o->is_rung)
        return false;
    o->is_rung = true;
    o->is_ringing = true;
    o->ringer = pthread_self();
    return true;
}

static void ring(struct ks_outbox *o)
{
    o->doorbell(o->ctx);
    lock(o);
    o->is_ringing = false;
    (void)pthread_cond_broadcast(&o->rung_out); /* cannot fail */
    unlock(o);
}

static void enqueue(struct ks_outbox *o, struct item *item, int64_t now_mono_ms)
{
    item->put_mono_ms = now_mono_ms;
    ks_list_push(&o->ready, &item->link);
    o->waiting++;
}

void ks_outbox_set_interval(struct ks_outbox *o, int64_t interval_ms)
{
    o->interval_ms = interval_ms;
}

static void enter(struct ks_outbox *o, struct ks_outbox_slot *slot, int64_t now_mono_ms)
{
    slot->is_held = false;
    slot->has_entered = true;
    enqueue(o, &slot->item, now_mono_ms);
}

static bool is_early(const struct ks_outbox *o, const struct ks_outbox_slot *slot,
                     int64_t now_mono_ms)
{
    return o->interval_ms && slot->has_entered &&
           now_mono_ms - slot->item.put_mono_ms < o->interval_ms;
}

/* Called with the lock held: all that is held, or what is held no longer than it must be. */
static void let_go(struct ks_outbox *o, bool must_all, int64_t now_mono_ms)
{
    KS_LIST_FOREACH(link, &o->held)
    {
        struct ks_outbox_slot *slot = KS_CONTAINER_OF(link, struct ks_outbox_slot, item.link);

        if (!must_all && is_early(o, slot, now_mono_ms))
            continue;
        ks_list_remove(link);
        enter(o, slot, now_mono_ms);
    }
}

void ks_outbox_release(struct ks_outbox *o)
{
    int64_t now_mono_ms = ks_clock_real.mono_ms(&ks_clock_real);
    bool must_ring;

    lock(o);
    if (!o->is_closed)
        let_go(o, false, now_mono_ms);
    must_ring = !o->is_closed && o->waiting > 0 && begin_ring(o);
    unlock(o);
    if (must_ring)
        ring(o);
}

void ks_outbox_put(struct ks_outbox *o, struct ks_outbox_slot *slot, struct ks_packet *packet)
{
    struct ks_packet *stale = ks_packet_ref(packet);
    int64_t now_mono_ms = ks_clock_real.mono_ms(&ks_clock_real);
    bool must_ring = false;

    lock(o);
    assert(slot->item.type == ITEM_SLOT);
    if (!o->is_closed) {
        stale = slot->item.packet;
        slot->item.packet = packet;
        if (stale) {
            if (KS_PLANTED(15)) {
                slot->item.packet = stale;
                stale = packet;
            }
            slot->item.merged +=
                !KS_PLANTED(14); /* latest wins; the order of first appearance stays */
            o->coalesced_total++;
        } else if (is_early(o, slot, now_mono_ms)) {
            slot->is_held = true;
            ks_list_push(&o->held, &slot->item.link);
        } else {
            enter(o, slot, now_mono_ms);
        }
        must_ring = !slot->is_held && begin_ring(o);
    }
    unlock(o);

    (void)ks_packet_unref(stale); /* always NULL */
    if (must_ring)
        ring(o);
}

void ks_outbox_slot_retire(struct ks_outbox *o, struct ks_outbox_slot *slot)
{
    int64_t now_mono_ms = ks_clock_real.mono_ms(&ks_clock_real);
    bool must_ring = false;
    bool is_waiting;

    lock(o);
    assert(slot->item.type == ITEM_SLOT);
    is_waiting = slot->item.packet != NULL;
    o->slot_count--;
    if (slot->is_held) { /* it is the last there will be */
        ks_list_remove(&slot->item.link);
        enter(o, slot, now_mono_ms);
        must_ring = !o->is_closed && begin_ring(o);
    }
    if (is_waiting)
        slot->item.type = ITEM_RETIRED_SLOT;
    else
        ks_list_remove(&slot->all);
    unlock(o);

    if (!is_waiting)
        ks_free(slot);
    if (must_ring)
        ring(o);
}

ks_rc ks_outbox_push(struct ks_outbox *o, struct ks_packet *packet)
{
    struct item *item = ks_alloc0(sizeof(*item));
    int64_t now_mono_ms = ks_clock_real.mono_ms(&ks_clock_real);
    bool must_ring = false;
    ks_rc rc = KS_RC_OK;

    if (!item)
        return KS_RC_NOMEM;
    item->type = ITEM_CONTROL;
    item->packet = ks_packet_ref(packet);

    lock(o);
    if (o->is_closed) {
        rc = KS_RC_CANCELLED;
    } else if (o->control_waiting >= o->max_control) {
        rc = KS_RC_LIMIT;
    } else {
        if (packet->kind != KS_PACKET_HEARTBEAT) /* that tells of no object */
            let_go(o, true, now_mono_ms);
        enqueue(o, item, now_mono_ms);
        o->control_waiting++;
        must_ring = begin_ring(o);
    }
    unlock(o);

    if (rc) {
        (void)ks_packet_unref(item->packet); /* always NULL */
        ks_free(item);
    }
    if (must_ring)
        ring(o);
    return rc == KS_RC_CANCELLED ? KS_RC_OK : rc; /* closed: dropped, as a put is */
}

/* Called with the lock held: moves the first item's packet into the batch. */
static void take_first(struct ks_outbox *o, struct batch *batch)
{
    struct item *item = KS_CONTAINER_OF(o->ready.next, struct item, link);

    batch->entries[batch->count].packet = KS_TAKE(item->packet);
    batch->entries[batch->count].merged = item->merged;
    batch->count++;
    item->merged = 0;
    ks_list_remove(&item->link);
    o->waiting--;
    if (item->type == ITEM_CONTROL)
        o->control_waiting--;
    if (item->type == ITEM_RETIRED_SLOT)
        ks_list_remove(&KS_CONTAINER_OF(item, struct ks_outbox_slot, item)->all);
    if (item->type != ITEM_SLOT)
        ks_list_push(&batch->dead, &item->link);
}

static void batch_free_items(struct batch *batch)
{
    struct ks_list *link;

    while ((link = ks_list_pop(&batch->dead)) != NULL) {
        struct item *item = KS_CONTAINER_OF(link, struct item, link);

        if (item->type == ITEM_CONTROL)
            ks_free(item);
        else
            ks_free(KS_CONTAINER_OF(item, struct ks_outbox_slot, item));
    }
}

/* Called with the lock held: the bytes of the first items, at most max_events of them, that fit
 * max_bytes; at least the first one's. 0 when there is none. */
static size_t measure(const struct ks_outbox *o, uint32_t max_events, size_t max_bytes)
{
    size_t total = 0;
    uint32_t count = 0;

    KS_LIST_FOREACH(link, &o->ready)
    {
        const struct item *item = KS_CONTAINER_OF(link, struct item, link);
        size_t size = ks_wire_event_size(item->packet, item->merged);

        if (count == max_events || (count > 0 && total + size > max_bytes))
            break;
        total += size;
        count++;
    }
    return total;
}

/* Called with the lock held: takes what fits the room. */
static void take_fitting(struct ks_outbox *o, uint32_t max_events, size_t room, struct batch *batch)
{
    while (!ks_list_is_empty(&o->ready) && batch->count < max_events) {
        const struct item *item = KS_CONTAINER_OF(o->ready.next, struct item, link);
        size_t size = ks_wire_event_size(item->packet, item->merged);

        if (size > room)
            return;
        room -= size;
        take_first(o, batch);
    }
}

/* Room in out and items in batch; batch->count is 0 when the outbox is empty, and then the next put
 * rings. */
static ks_rc take_batch(struct ks_outbox *o, uint32_t max_events, size_t max_bytes,
                        struct ks_buf *out, struct batch *batch)
{
    size_t room = 0;
    size_t want;

    batch->count = 0;
    ks_list_init(&batch->dead);
    for (;;) {
        lock(o);
        take_fitting(o, max_events, room, batch);
        want = batch->count ? 0 : measure(o, max_events, max_bytes);
        if (batch->count == 0 && want == 0)
            o->is_rung = false;
        o->taken_total += batch->count;
        unlock(o);
        if (want == 0)
            return KS_RC_OK;
        /* The first item may grow again before the next round: then this repeats, with more room.
         */
        if (ks_buf_reserve(out, KS_WIRE_HEAD_MAX + want)) {
            size_t free_bytes = out->max_bytes - out->len;

            return free_bytes < KS_WIRE_HEAD_MAX + want ? KS_RC_LIMIT : KS_RC_NOMEM;
        }
        room = want;
    }
}

ks_rc ks_outbox_take(struct ks_outbox *o, uint32_t max_events, size_t max_bytes,
                     int64_t emit_wall_ms, struct ks_buf *out, struct ks_outbox_taken *out_taken)
{
    struct ks_outbox_taken taken = {.first_sequence = o->next_sequence};
    struct batch batch;
    ks_rc rc;

    assert(max_events > 0);
    rc = take_batch(o, max_events < BATCH_MAX ? max_events : BATCH_MAX, max_bytes, out, &batch);
    if (rc)
        return rc;
    taken.events = (uint32_t)batch.count;
    if (batch.count > 0)
        rc = ks_wire_head(out, taken.first_sequence, emit_wall_ms);
    for (size_t i = 0; i < batch.count; i++) {
        if (!rc)
            rc = ks_wire_event(out, batch.entries[i].packet, batch.entries[i].merged);
        (void)ks_packet_unref(batch.entries[i].packet); /* always NULL */
    }
    assert(!rc); /* room was made before */
    o->next_sequence += batch.count + (KS_PLANTED(16) && batch.count > 4);
    batch_free_items(&batch);
    *out_taken = taken;
    return KS_RC_OK;
}

/* The last state of each target, by the order in which targets spoke first. */
struct target_states {
    size_t count;
    struct ks_packet *last[BATCH_MAX];
};

/* kstatus.v1.TargetChange. */
#define CHANGE_TARGET_ID 1u
#define CHANGE_STATE 2u
#define STATE_LISTING 1u
#define STATE_SYNCED 2u

static ks_rc remember_target(struct target_states *states, struct ks_packet *p)
{
    uint64_t id = ks_wire_get_varint(p, CHANGE_TARGET_ID);

    for (size_t i = 0; i < states->count; i++) {
        if (ks_wire_get_varint(states->last[i], CHANGE_TARGET_ID) == id) {
            (void)ks_packet_unref(states->last[i]); /* always NULL */
            states->last[i] = ks_packet_ref(p);
            return KS_RC_OK;
        }
    }
    if (states->count == KS_ARRAY_LEN(states->last))
        return KS_RC_LIMIT;
    states->last[states->count++] = ks_packet_ref(p);
    return KS_RC_OK;
}

static ks_rc append_targets(struct target_states *states, struct ks_buf *out)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; i < states->count; i++) {
        uint64_t state = ks_wire_get_varint(states->last[i], CHANGE_STATE);

        if (!rc && state != STATE_LISTING && state != STATE_SYNCED)
            rc = ks_wire_target_error(out, states->last[i]);
        (void)ks_packet_unref(states->last[i]); /* always NULL */
    }
    return rc;
}

static ks_rc append_snapshot_member(struct ks_buf *out, struct ks_packet *p, uint32_t merged,
                                    struct target_states *states)
{
    switch (p->kind) {
    case KS_PACKET_UPDATE:
        return ks_wire_status(out, p, merged);
    case KS_PACKET_TARGET_CHANGE:
        return remember_target(states, p);
    case KS_PACKET_SYNCED:
        return ks_wire_totals(out, p);
    case KS_PACKET_ACCEPTED:
    case KS_PACKET_HEARTBEAT:
    case KS_PACKET_OUTCOME:
    case KS_PACKET_DRAINING:
    case KS_PACKET_REMOVED:
        return KS_RC_OK; /* a snapshot has no place for them */
    }
    return KS_RC_INTERNAL;
}

/* The first BATCH_MAX items, whatever their size. */
static void take_any(struct ks_outbox *o, struct batch *batch)
{
    batch->count = 0;
    ks_list_init(&batch->dead);
    lock(o);
    while (!ks_list_is_empty(&o->ready) && batch->count < BATCH_MAX)
        take_first(o, batch);
    o->taken_total += batch->count;
    if (batch->count == 0)
        o->is_rung = false;
    unlock(o);
}

ks_rc ks_outbox_take_outcome(struct ks_outbox *o, struct ks_buf *out)
{
    struct batch batch;
    ks_rc rc = KS_RC_INTERNAL;

    do {
        take_any(o, &batch);
        for (size_t i = 0; i < batch.count; i++) {
            struct ks_packet *p = batch.entries[i].packet;

            if (p->kind == KS_PACKET_OUTCOME)
                rc = ks_wire_outcome(out, p);
            (void)ks_packet_unref(p); /* always NULL */
        }
        batch_free_items(&batch);
    } while (batch.count > 0);
    return rc;
}

ks_rc ks_outbox_take_snapshot(struct ks_outbox *o, size_t max_bytes, struct ks_buf *out)
{
    struct target_states states = {0};
    size_t start = out->len;
    struct batch batch;
    ks_rc rc = KS_RC_OK;
    ks_rc rc_targets;

    do {
        take_any(o, &batch);
        for (size_t i = 0; i < batch.count; i++) {
            struct ks_packet *p = batch.entries[i].packet;

            if (!rc)
                rc = append_snapshot_member(out, p, batch.entries[i].merged, &states);
            if (!rc && out->len - start > max_bytes)
                rc = KS_RC_LIMIT;
            (void)ks_packet_unref(p); /* always NULL */
        }
        batch_free_items(&batch);
    } while (batch.count > 0);
    rc_targets = append_targets(&states, out);
    return rc ? rc : rc_targets;
}

void ks_outbox_get_stats(struct ks_outbox *o, struct ks_outbox_stats *out)
{
    struct ks_outbox_stats stats = {0};

    lock(o);
    stats.taken_total = o->taken_total;
    stats.coalesced_total = o->coalesced_total;
    stats.waiting = o->waiting;
    stats.slots = o->slot_count;
    stats.is_full = o->control_waiting >= o->max_control;
    if (!ks_list_is_empty(&o->ready))
        stats.oldest_waiting_ms = KS_CONTAINER_OF(o->ready.next, struct item, link)->put_mono_ms;
    unlock(o);
    *out = stats;
}
