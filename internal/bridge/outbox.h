/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbox: what waits to be sent on one stream. One slot per object, latest wins, merged updates are
 * counted; control packets (Accepted, target changes, Synced, Removed, Draining) are never merged.
 * First come, first sent, but for updates that are held to keep an interval.
 *
 * Two threads: the producer (kube thread) puts and pushes; the consumer (rpc thread) takes. One
 * mutex, held for pointer moves; no callback and no allocation under it. The doorbell rings on the
 * edge from empty to not empty, on the producer's thread, outside the lock, at most once until the
 * consumer has found the outbox empty.
 *
 * Invariants: 1. sequence numbers are 1, 2, 3, ... in the order of taking, without gaps; 2. a
 * slot's packet is newer than anything sent for that object; 3. a retired slot lives until its last
 * packet was taken; 4. after ks_outbox_close no doorbell rings.
 *
 * Owns: slots and packets.  Limits: max_control packets waiting; the bytes of one take.  Reference
 * counted, atomic.
 */
#ifndef KS_BRIDGE_OUTBOX_H
#define KS_BRIDGE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "bridge/packet.h"

struct ks_outbox;
struct ks_outbox_slot;

typedef void (*ks_outbox_doorbell)(void *ctx);

KS_MUST_USE ks_rc ks_outbox_new(size_t max_control, ks_outbox_doorbell doorbell, void *ctx,
                                struct ks_outbox **out, struct ks_error *err);
/* Before the first put. An update of a slot that comes sooner than this after its last one is held,
 * where later ones are merged into it, until ks_outbox_release or a control packet that must not
 * overtake it. 0: none is. */
void ks_outbox_set_interval(struct ks_outbox *o, int64_t interval_ms);
/* Producer, every now and then. Lets go what has been held for long enough. */
void ks_outbox_release(struct ks_outbox *o);
struct ks_outbox *ks_outbox_ref(struct ks_outbox *o);
/* Returns NULL; NULL is allowed. The last one frees slots and packets that were not taken. */
struct ks_outbox *ks_outbox_unref(struct ks_outbox *o);
/* Thread: any. No doorbell from now on; puts and pushes are dropped. */
void ks_outbox_close(struct ks_outbox *o);

/* Producer. A slot for one object; NULL when out of memory. */
KS_MUST_USE struct ks_outbox_slot *ks_outbox_slot_new(struct ks_outbox *o);
/* Producer. A number of the producer's own, kept with the slot; 0 at first. */
void ks_outbox_slot_set_tag(struct ks_outbox_slot *slot, uint64_t tag);
uint64_t ks_outbox_slot_tag(const struct ks_outbox_slot *slot);
/* Producer. Takes its own reference to the packet. Never allocates, never fails. */
void ks_outbox_put(struct ks_outbox *o, struct ks_outbox_slot *slot, struct ks_packet *packet);
/* Producer. The object is dropped: the slot goes when its pending packet (if any) was taken. */
void ks_outbox_slot_retire(struct ks_outbox *o, struct ks_outbox_slot *slot);
/* Producer. A control packet; takes its own reference. KS_RC_LIMIT: max_control are waiting
 * already; KS_RC_NOMEM. */
KS_MUST_USE ks_rc ks_outbox_push(struct ks_outbox *o, struct ks_packet *packet);

struct ks_outbox_taken {
    uint64_t first_sequence;
    uint32_t events; /* 0: the outbox was empty, and the next put rings */
};
/*
 * Consumer. Appends one encoded kstatus.v1.WatchResponse (first_sequence, emit_time, at most
 * max_events events, and no more than max_bytes unless the first alone is larger) to out. On
 * failure nothing is lost and nothing was numbered.
 */
KS_MUST_USE ks_rc ks_outbox_take(struct ks_outbox *o, uint32_t max_events, size_t max_bytes,
                                 int64_t emit_wall_ms, struct ks_buf *out,
                                 struct ks_outbox_taken *out_taken);
/* Consumer, for Get: appends everything that waits as a kstatus.v1.GetResponse: updates as
 * statuses, target changes that are not SYNCED as target_errors, counts and aggregate from the
 * Synced packet. Leaves the outbox empty. */
KS_MUST_USE ks_rc ks_outbox_take_snapshot(struct ks_outbox *o, size_t max_bytes,
                                          struct ks_buf *out);

/* Consumer, for Wait: appends the outcome that waits as a kstatus.v1.WaitResponse; KS_RC_INTERNAL
 * when none does. Leaves the outbox empty. */
KS_MUST_USE ks_rc ks_outbox_take_outcome(struct ks_outbox *o, struct ks_buf *out);

struct ks_outbox_stats {
    uint64_t taken_total;     /* events */
    uint64_t coalesced_total; /* updates merged away */
    uint32_t waiting;         /* events */
    uint32_t slots;           /* objects that are followed */
    bool is_full;             /* no control packet can be pushed */
    int64_t
        oldest_waiting_ms; /* 0: none; monotonic time at which the oldest waiting event was put */
};
void ks_outbox_get_stats(struct ks_outbox *o, struct ks_outbox_stats *out);

#endif
