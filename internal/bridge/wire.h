/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few pieces of protobuf's wire format that frame packets: tags, varints and their sizes.
 * Private to the bridge.
 *
 * A packet is the body of one member of Event's oneof; around it stand two length prefixes, and
 * behind it, for an update, how many others were merged into it. Written by hand so that a packet's
 * bytes are encoded once and copied once; the tests decode the result with protobuf-c and with
 * protoc.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_BRIDGE_WIRE_H
#define KS_BRIDGE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "bridge/packet.h"

/* Bytes of one Event with its field tag in WatchResponse.events. */
size_t ks_wire_event_size(const struct ks_packet *p, uint32_t coalesced);
KS_MUST_USE ks_rc ks_wire_event(struct ks_buf *out, const struct ks_packet *p, uint32_t coalesced);
/* first_sequence and emit_time of a WatchResponse: at most KS_WIRE_HEAD_MAX bytes. */
#define KS_WIRE_HEAD_MAX 64
KS_MUST_USE ks_rc ks_wire_head(struct ks_buf *out, uint64_t first_sequence, int64_t emit_wall_ms);
/* A packet as a member of GetResponse. */
KS_MUST_USE ks_rc ks_wire_status(struct ks_buf *out, const struct ks_packet *p, uint32_t coalesced);
KS_MUST_USE ks_rc ks_wire_target_error(struct ks_buf *out, const struct ks_packet *p);
/* An update as a member of Outcome: all of it or, on failure, nothing. */
KS_MUST_USE ks_rc ks_wire_blocking(struct ks_buf *out, const struct ks_packet *p);
/* A packet as the one member of WaitResponse. */
KS_MUST_USE ks_rc ks_wire_outcome(struct ks_buf *out, const struct ks_packet *p);
/* Synced's fields counts and aggregate_status, renumbered for GetResponse; KS_RC_INTERNAL when the
 * packet is none. */
KS_MUST_USE ks_rc ks_wire_totals(struct ks_buf *out, const struct ks_packet *synced);
/* The value of a varint field of the packet's message; 0 when it has none (protobuf's default). */
uint64_t ks_wire_get_varint(const struct ks_packet *p, uint32_t field);

#endif
