/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encoded event: the body of one member of kstatus.v1.Event's oneof, encoded once where it
 * arises, immutable, and shared by reference between threads.
 *
 * What is only known when it is sent (how many updates were merged into it) is added then: see
 * outbox.h.
 *
 * Thread: any (atomic reference count).  Owns: its bytes.
 */
#ifndef KS_BRIDGE_PACKET_H
#define KS_BRIDGE_PACKET_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "base/str.h"

/* Field numbers of kstatus.v1.Event. */
typedef enum {
    KS_PACKET_ACCEPTED = 1,
    KS_PACKET_UPDATE = 2,
    KS_PACKET_TARGET_CHANGE = 3,
    KS_PACKET_SYNCED = 4,
    KS_PACKET_HEARTBEAT = 5,
    KS_PACKET_OUTCOME = 6,
    KS_PACKET_DRAINING = 7,
    KS_PACKET_REMOVED = 8,
} ks_packet_kind;

struct ks_packet {
    _Atomic uint32_t refs;
    ks_packet_kind kind;
    size_t len;
    char bytes[];
};

KS_MUST_USE struct ks_packet *ks_packet_new(ks_packet_kind kind, size_t len);
struct ks_packet *ks_packet_ref(struct ks_packet *p);
/* Returns NULL; NULL is allowed. */
struct ks_packet *ks_packet_unref(struct ks_packet *p);

#endif
