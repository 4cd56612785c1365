/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is shown of one object's state: the part of an update that makes it news. Private
 * to the watcher.
 *
 * Thread: any.  Owns: a ks_shown made by ks_shown_dup owns its strings, causes and decision, any
 * other borrows them.  Limits: messages are cut at 4 KiB, identifiers at 1 KiB.
 */
#ifndef KS_WATCHER_SHOWN_H
#define KS_WATCHER_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "status/cause.h"
#include "status/decision.h"
#include "status/status.h"

struct ks_shown {
    ks_status status;
    ks_basis basis;
    ks_rc error_rc; /* set when status is UNKNOWN */
    bool has_condition;
    bool has_generation;
    bool has_observed_generation;
    bool has_progress;
    uint32_t desired_count;
    uint32_t ready_count;
    int64_t generation;
    int64_t observed_generation;
    struct ks_str reason;
    struct ks_str message;
    struct ks_str error_message;
    struct ks_condition condition;
    const struct ks_cause *causes; /* most telling first; none unless they were asked for */
    size_t cause_count;
    const struct ks_decision_view *decision; /* NULL: none, or causes were not asked for */
};

/* What ks_status_compute gave. Views into the verdict, and into err's message when rc is not OK. */
void ks_shown_from_verdict(const struct ks_verdict *verdict, ks_rc rc, const struct ks_error *err,
                           struct ks_shown *out);
struct ks_shown ks_shown_not_found(struct ks_str reason, struct ks_str message);
struct ks_shown ks_shown_unknown(struct ks_str reason, ks_rc error_rc, struct ks_str message);

bool ks_shown_equal(const struct ks_shown *a, const struct ks_shown *b);
/* One allocation, to be freed with ks_free. NULL when out of memory. */
KS_MUST_USE struct ks_shown *ks_shown_dup(const struct ks_shown *s);

#endif
