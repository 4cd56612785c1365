/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The causes of an update as protobuf-c messages. Private to the bridge.
 *
 * Thread: any.  Owns: a block owns all that its messages point to.  Limits: KS_CAUSES_MAX causes.
 */
#ifndef KS_BRIDGE_ENCODE_CAUSE_H
#define KS_BRIDGE_ENCODE_CAUSE_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"

#include "watcher/event.h"

struct ks_cause_block {
    size_t count;
    Kstatus__V1__Cause *list[KS_CAUSES_MAX];
    /* private */
    Kstatus__V1__Cause items[KS_CAUSES_MAX];
    Kstatus__V1__ObjectRef sources[KS_CAUSES_MAX];
    Google__Protobuf__Timestamp times[2 * KS_CAUSES_MAX];
    char *at;
    char text[];
};

/* One allocation, to be freed with ks_free; NULL when out of memory. */
KS_MUST_USE struct ks_cause_block *ks_cause_block_new(const struct ks_cause *causes, size_t count);

void ks_encode_time(Google__Protobuf__Timestamp *time, int64_t wall_ms);

#endif
