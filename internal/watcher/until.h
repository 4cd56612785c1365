/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until: whether a set of objects has reached a goal, as a state machine that is fed with what a
 * session tells and with the time, and has neither timers nor objects of its own.
 *
 *     feed: update, removed, forget, target change, synced ──> ks_until_wake_ms: when to look again
 *     look: ks_until_decide ──> NONE, REACHED, FAILED or TIMED_OUT; the latter three are final
 *
 * When the goal holds: after SYNCED, every required target is confirmed at this moment (SYNCED:
 * what was seen before a connection broke proves nothing now), every object that a required target
 * names or selects counts, and, unless things are to be gone, there is at least one such object.
 *
 * What counts is said by ks_until_why. A target is required unless it is best_effort.
 *
 * Thread: the caller's.  Owns: nothing; targets and their strings are borrowed for its life.
 * Limits: KS_UNTIL_TARGETS_MAX targets.
 */
#ifndef KS_WATCHER_UNTIL_H
#define KS_WATCHER_UNTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "base/str.h"
#include "status/status.h"
#include "watcher/event.h"

#define KS_UNTIL_TARGETS_MAX 64

/* Numbers are those of kstatus.v1.Until.Goal. */
typedef enum {
    KS_GOAL_NONE = 0,
    KS_GOAL_ALL_CURRENT = 1,
    KS_GOAL_ALL_NOT_FOUND = 2,
    KS_GOAL_ALL_TERMINAL = 3, /* each object is Current or Failed */
} ks_goal;

struct ks_until_config {
    ks_goal goal;
    bool fail_fast; /* ends at the first Failed object */
    int64_t stable_for_ms;
    int64_t timeout_ms; /* 0: none */
    ks_basis min_basis; /* UNSPECIFIED: any will do */
};

/* Why an object does not count for the goal. */
typedef enum {
    KS_UNTIL_COUNTS,
    KS_UNTIL_STATUS,         /* its status is another one */
    KS_UNTIL_OLD_GENERATION, /* what is seen is older than what was asked for */
    KS_UNTIL_OLD_VERSION,    /* likewise, by resourceVersion */
    KS_UNTIL_WEAK_BASIS,     /* Current, but on less than min_basis */
    KS_UNTIL_UNCONFIRMED,    /* it did count, but its target cannot be read now */
} ks_until_why;

struct ks_until_target {
    uint32_t target_id;
    bool is_named; /* names one object */
    bool is_best_effort;
    int64_t min_generation;    /* of a named object; 0: any */
    struct ks_str min_version; /* of a named object: resourceVersion; empty: any */
    /* private */
    ks_target_state state; /* 0: not heard of yet */
    bool was_synced;
    bool has_baseline; /* it was read at SYNCED: what it selects first later was not there */
    bool was_absent;   /* nothing was under the name: what is there later was not there */
    bool is_unserved;  /* its kind has gone, with all that was of it */
    bool is_hopeless;  /* no answer of the cluster will mend it */
    uint32_t lives;    /* objects that are known to belong to it */
};

/* Kept with each object that is told of, from its first update until it is forgotten. Zero is
 * ready. */
struct ks_until_object {
    /* private */
    uint64_t required; /* required targets that it belongs to, by index */
    uint64_t targets;  /* all of them */
    ks_status status;
    ks_until_why why;
    bool is_newcomer; /* it came into being after its targets had been read */
    bool was_done;    /* a Job that had ended well enough for the goal: it may be deleted now */
};

struct ks_until {
    /* private */
    struct ks_until_config config;
    struct ks_until_target *targets;
    size_t target_count;
    size_t required_targets;
    size_t members; /* objects of required targets */
    size_t in_way;  /* of these: those that do not count */
    bool is_synced;
    bool has_failed;       /* an object has, and fail_fast is set */
    int64_t held_since_ms; /* -1: the goal does not hold */
    int64_t deadline_ms;   /* -1: none */
    ks_outcome_verdict verdict;
};

/* Times are monotonic. */
void ks_until_init(struct ks_until *u, const struct ks_until_config *config,
                   struct ks_until_target *targets, size_t target_count, int64_t now_ms);

void ks_until_update(struct ks_until *u, struct ks_until_object *o, const struct ks_update *update,
                     int64_t now_ms);
void ks_until_removed(struct ks_until *u, struct ks_until_object *o,
                      const struct ks_removed *removed, int64_t now_ms);
void ks_until_forget(struct ks_until *u, struct ks_until_object *o, int64_t now_ms);
void ks_until_target_change(struct ks_until *u, const struct ks_target_change *change,
                            int64_t now_ms);
void ks_until_synced(struct ks_until *u, int64_t now_ms);

/* The time at which to ask next, unless something is fed before; -1: never. It may be past. */
int64_t ks_until_wake_ms(const struct ks_until *u);
/* knows_all: false as long as some object is known to be there, and nothing else is known of it:
 * then the goal is not reached, and stable_for starts anew. */
ks_outcome_verdict ks_until_decide(struct ks_until *u, int64_t now_ms, bool knows_all);

/* For the outcome: what is in the way. An object that is in no required target is not. */
ks_until_why ks_until_object_why(const struct ks_until *u, const struct ks_until_object *o);
/* Whether the target itself is in the way, rather than an object of it: it has none, and is not
 * read, or is read and selects nothing. */
bool ks_until_target_is_in_way(const struct ks_until *u, size_t index);

#endif
