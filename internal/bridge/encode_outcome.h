/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome of a vigil as a packet. Private to the bridge.
 *
 * Thread: any.  Owns: nothing.  Limits: OUTCOME_MAX_BYTES; what is in the way and finds no room is
 * counted.
 */
#ifndef KS_BRIDGE_ENCODE_OUTCOME_H
#define KS_BRIDGE_ENCODE_OUTCOME_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"

#include "watcher/event.h"

#include "bridge/packet.h"

KS_MUST_USE ks_rc ks_encode_outcome(const struct ks_outcome *outcome, struct ks_packet **out,
                                    struct ks_error *err);

void ks_encode_counts(Kstatus__V1__Counts *to, const struct ks_counts *from);

#endif
