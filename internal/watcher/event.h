/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session tells: plain values, lent for the duration of the callback.
 *
 * Thread: the loop's.  Owns: nothing; all views are borrowed.
 */
#ifndef KS_WATCHER_EVENT_H
#define KS_WATCHER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "status/cause.h"
#include "status/decision.h"
#include "status/status.h"

struct ks_object_id {
    struct ks_str group;
    struct ks_str version;
    struct ks_str kind;
    struct ks_str ns;
    struct ks_str name;
    struct ks_str uid; /* empty: not known, e.g. never seen */
};

/* One object's status. Everything is as kstatus.v1.ResourceStatus describes it. */
struct ks_update {
    struct ks_object_id object;
    ks_status status;
    ks_status previous_status; /* UNSPECIFIED: the first answer */
    ks_basis basis;
    struct ks_str reason;
    struct ks_str message;
    bool has_condition;
    struct ks_condition condition;
    bool has_generation;
    int64_t generation;
    bool has_observed_generation;
    int64_t observed_generation;
    struct ks_str resource_version;
    int64_t observe_time_ms;    /* wall time */
    int64_t transition_time_ms; /* wall time of the last change of status seen by this session */
    bool has_progress;
    uint32_t desired_count;
    uint32_t ready_count;
    const uint32_t *target_ids;
    size_t target_count;
    uint64_t unasked; /* by index: of these targets, those that have it only as generated */
    ks_rc error_rc;   /* set when status is UNKNOWN */
    struct ks_str error_message;
    bool has_owner; /* for what was generated: what generated it */
    struct ks_object_id owner;
    const struct ks_cause *causes; /* most telling first; KS_CAUSES_MAX at most */
    size_t cause_count;
    const struct ks_decision_view *decision; /* NULL: none */
    struct ks_str obstacle_code; /* in an outcome alone: why it does not count; empty: its status */
    struct ks_str obstacle_message;
    struct ks_str object_json; /* empty: not asked for, too long, or not there */
};

/* Numbers are those of kstatus.v1.TargetChange.State. */
typedef enum {
    KS_TARGET_LISTING = 1,
    KS_TARGET_SYNCED = 2,
    KS_TARGET_DISCONNECTED = 3,
    KS_TARGET_FORBIDDEN = 4,
    KS_TARGET_KIND_MISSING = 5,
    KS_TARGET_REFUSED = 7,
} ks_target_state;

struct ks_target_change {
    uint32_t target_id;
    ks_target_state state;
    ks_rc cause_rc; /* OK: none */
    struct ks_str cause_message;
};

struct ks_counts {
    uint32_t by_status[KS_STATUS_COUNT]; /* index: ks_status */
};

struct ks_synced {
    struct ks_counts counts;
    /* shared/spec kstatus 5.3 with desired Current; Unknown at best while a target is not read */
    ks_status aggregate;
};

struct ks_removed {
    struct ks_object_id object;
    const uint32_t *target_ids;
    size_t target_count;
};

/* Numbers are those of kstatus.v1.Outcome.Verdict. */
typedef enum {
    KS_OUTCOME_NONE = 0,
    KS_OUTCOME_REACHED = 1,
    KS_OUTCOME_FAILED = 2,
    KS_OUTCOME_TIMED_OUT = 3,
} ks_outcome_verdict;

/* Told by a vigil (vigil.h), once and last. */
struct ks_outcome {
    ks_outcome_verdict verdict;
    struct ks_counts counts;
    const struct ks_update *blocking; /* what stood in the way, most telling first */
    size_t blocking_count;
    uint32_t blocking_total; /* also those that found no room */
};

typedef enum {
    KS_EVENT_UPDATE,
    KS_EVENT_TARGET_CHANGE,
    KS_EVENT_SYNCED,
    KS_EVENT_REMOVED,
    KS_EVENT_OUTCOME,
} ks_event_kind;

struct ks_event {
    ks_event_kind kind;
    union {
        struct ks_update update;
        struct ks_target_change target_change;
        struct ks_synced synced;
        struct ks_removed removed;
        struct ks_outcome outcome;
    };
    /*
     * UPDATE and REMOVED: the sink's own pointer for this object (one UID under one name), NULL at
     * first. The session keeps it and gives it back through on_forget when it drops the object.
     */
    void **sink_slot;
};

/* Numbers are those of kstatus.v1.ReconcileStatus. */
ks_status ks_counts_aggregate(const struct ks_counts *counts, ks_status desired);
uint32_t ks_counts_total(const struct ks_counts *counts);

#endif
