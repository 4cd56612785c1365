/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream has said so far: one row per object, the state of each target, whether the snapshot
 * is complete.
 *
 * Thread: one at a time.  Owns: rows (copies).  Borrows: the targets.  Limits: KS_ROWS_MAX objects;
 * objects beyond are counted, not kept.
 */
#ifndef KS_CLIENT_CLI_ROWS_H
#define KS_CLIENT_CLI_ROWS_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "status/status.h"

#include "client/cli/targets.h"

#define KS_ROWS_MAX 100000

struct ks_row {
    struct ks_str kind; /* the resource as asked for, when the kind is not known */
    struct ks_str ns;
    struct ks_str name;
    struct ks_str message; /* for people: first cause, else message, else error, else reason */
    ks_status status;
    uint32_t target_id; /* the first that it belongs to */
    bool is_named;      /* some target names it: it stays when it is gone */
    bool has_progress;
    uint32_t desired_count;
    uint32_t ready_count;
    int64_t transition_ms; /* wall time; 0: not known */
    int64_t gone_ms;       /* mono time of becoming NotFound; 0: it is there */
};

struct ks_trouble {
    uint32_t target_id;
    const char *state; /* "disconnected" */
    struct ks_str message;
};

struct ks_rows;

KS_MUST_USE struct ks_rows *ks_rows_new(const struct ks_targets *targets);
struct ks_rows *ks_rows_free(struct ks_rows *rows);
/* mono_ms: now, for ks_rows_sweep. */
KS_MUST_USE ks_rc ks_rows_apply(struct ks_rows *rows, const Kstatus__V1__Event *event,
                                int64_t mono_ms);
/* A status from a Get answer. */
KS_MUST_USE ks_rc ks_rows_apply_status(struct ks_rows *rows,
                                       const Kstatus__V1__ResourceStatus *status, int64_t mono_ms);
KS_MUST_USE ks_rc ks_rows_apply_target(struct ks_rows *rows,
                                       const Kstatus__V1__TargetChange *change);
/* Drops selected objects that have been gone for a while. */
void ks_rows_sweep(struct ks_rows *rows, int64_t mono_ms);

bool ks_rows_is_synced(const struct ks_rows *rows);
bool ks_rows_is_draining(const struct ks_rows *rows);
size_t ks_rows_count(const struct ks_rows *rows);
/* Objects beyond KS_ROWS_MAX. */
size_t ks_rows_dropped(const struct ks_rows *rows);
size_t ks_rows_count_of(const struct ks_rows *rows, ks_status status);
/* All rows, in no order; valid until the next change. The array has ks_rows_count places. */
void ks_rows_list(const struct ks_rows *rows, const struct ks_row **out);
/* Troubles of targets, by target; the array has `room` places. Returns how many there are, which
 * may be more. */
size_t ks_rows_troubles(const struct ks_rows *rows, struct ks_trouble *out, size_t room);
const struct ks_targets *ks_rows_targets(const struct ks_rows *rows);

/* "disconnected", "forbidden", ...; NULL for states that are no trouble. */
const char *ks_trouble_text(Kstatus__V1__TargetChange__State state);

#endif
