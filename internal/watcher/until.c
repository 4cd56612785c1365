/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The goal, kept up to date by counting: each object's stand is worked out when it is told of, so
 * that asking costs a walk over the targets and never one over the objects.
 *
 * Invariants:
 *   1. nothing is decided before SYNCED but by fail_fast, on the evidence of a Failed object, and
 * by the timeout;
 *   2. a break of the goal, however short, starts stable_for anew: it is noted when it is fed, not
 * when somebody asks;
 *   3. a verdict is final;
 *   4. what a required target named and no object stands for any more (one life has ended, and what
 * the next one is like is not known yet) is in the way, unless things are to be gone.
 *
 * What is decided here, and why, for the cases that are no matter of course:
 *   - An object that is older than what was asked for (min_generation, min_version) says nothing of
 * what was applied: it does not count, and if it Failed that is no reason to end.
 *   - When things are to be gone, it is those that were there at SYNCED, by UID: what is created
 * under the name later is another object, if it is certain that it was not there before. But with
 * stable_for the names are to stay free, so then newcomers are in the way too.
 *   - A kind that was served and no longer is has no objects: they are gone. One that has never
 * been served in this session may be a typing error, and proves nothing.
 *   - A Job that had ended and then is deleted (ttlSecondsAfterFinished) has done what it was for.
 *   - What a target cannot ever bring (the API server refuses the request, the target makes no
 * sense for the kind) loses the goal at SYNCED. What may heal (forbidden, not served, disconnected)
 * is waited for until the timeout.
 *
 * Thread: the caller's.  It does not: look at the clock, or keep what an object is called.
 */
#include "watcher/until.h"

#include <assert.h>

#include "kube/rv.h"

#define NEVER (-1)

static bool is_for_gone(const struct ks_until *u)
{
    return u->config.goal == KS_GOAL_ALL_NOT_FOUND;
}

static bool is_confirmed(const struct ks_until *u, const struct ks_until_target *t)
{
    return t->state == KS_TARGET_SYNCED || (is_for_gone(u) && t->is_unserved);
}

static bool targets_hold(const struct ks_until *u)
{
    for (size_t i = 0; i < u->target_count; i++) {
        const struct ks_until_target *t = &u->targets[i];

        if (t->is_best_effort)
            continue;
        if (!is_confirmed(u, t) || (t->is_named && !t->lives && !is_for_gone(u)))
            return false;
    }
    return true;
}

static bool is_hopeless(const struct ks_until *u)
{
    for (size_t i = 0; i < u->target_count; i++) {
        if (!u->targets[i].is_best_effort && u->targets[i].is_hopeless)
            return true;
    }
    return false;
}

static bool has_members(const struct ks_until *u)
{
    return u->members > 0 || u->required_targets == 0 || is_for_gone(u);
}

static void settle(struct ks_until *u, int64_t now_ms)
{
    bool holds = u->is_synced && u->in_way == 0 && has_members(u) && targets_hold(u);

    if (!holds)
        u->held_since_ms = NEVER;
    else if (u->held_since_ms == NEVER)
        u->held_since_ms = now_ms;
}

void ks_until_init(struct ks_until *u, const struct ks_until_config *config,
                   struct ks_until_target *targets, size_t target_count, int64_t now_ms)
{
    assert(config->goal != KS_GOAL_NONE && target_count <= KS_UNTIL_TARGETS_MAX);
    *u = (struct ks_until){
        .config = *config,
        .targets = targets,
        .target_count = target_count,
        .held_since_ms = NEVER,
        .deadline_ms = config->timeout_ms ? now_ms + config->timeout_ms : NEVER,
    };
    for (size_t i = 0; i < target_count; i++) {
        if (!targets[i].is_best_effort)
            u->required_targets++;
    }
}

static size_t index_of(const struct ks_until *u, uint32_t target_id)
{
    size_t i = 0;

    while (i < u->target_count && u->targets[i].target_id != target_id)
        i++;
    return i;
}

static uint64_t bits_of(const struct ks_until *u, const uint32_t *ids, size_t count)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = index_of(u, ids[i]);

        if (at < u->target_count)
            bits |= (uint64_t)1 << at;
    }
    return bits;
}

/* Sets the targets of an object, and whether it counts. */
static void place(struct ks_until *u, struct ks_until_object *o, uint64_t targets, ks_until_why why)
{
    bool was_member = o->required != 0;

    if (was_member && o->why != KS_UNTIL_COUNTS)
        u->in_way--;
    u->members -= was_member;
    o->required = 0;
    for (size_t i = 0; i < u->target_count; i++) {
        struct ks_until_target *t = &u->targets[i];
        uint64_t bit = (uint64_t)1 << i;

        t->lives += (targets & bit) != 0;
        t->lives -= (o->targets & bit) != 0;
        if ((targets & bit) && !t->is_best_effort)
            o->required |= bit;
    }
    o->targets = targets;
    o->why = why;
    u->members += o->required != 0;
    if (o->required && why != KS_UNTIL_COUNTS)
        u->in_way++;
}

static bool is_job(const struct ks_update *update)
{
    return ks_str_is(update->object.kind, "Job") && ks_str_is(update->object.group, "batch");
}

/* Under profile kstatus a Job that runs is Current, too: only its numbers tell the end. */
static bool has_ended(const struct ks_until *u, const struct ks_update *update)
{
    if (update->status == KS_STATUS_FAILED)
        return u->config.goal == KS_GOAL_ALL_TERMINAL;
    return update->status == KS_STATUS_CURRENT && update->has_progress &&
           update->ready_count >= update->desired_count;
}

static ks_until_why why_old(const struct ks_until *u, uint64_t targets,
                            const struct ks_update *update)
{
    for (size_t i = 0; i < u->target_count; i++) {
        const struct ks_until_target *t = &u->targets[i];

        if (!(targets & ((uint64_t)1 << i)) || t->is_best_effort)
            continue;
        if (t->min_generation &&
            (!update->has_generation || update->generation < t->min_generation))
            return KS_UNTIL_OLD_GENERATION;
        if (t->min_version.len && !ks_rv_reaches(update->resource_version, t->min_version))
            return KS_UNTIL_OLD_VERSION;
    }
    return KS_UNTIL_COUNTS;
}

static ks_until_why why_not_current(const struct ks_until *u, const struct ks_until_object *o,
                                    uint64_t targets, const struct ks_update *update)
{
    ks_basis basis = update->basis ? update->basis : KS_BASIS_ASSUMED;
    ks_until_why old;

    if (o->was_done)
        return KS_UNTIL_COUNTS;
    if (update->status == KS_STATUS_NOT_FOUND || update->status == KS_STATUS_UNKNOWN)
        return KS_UNTIL_STATUS;
    old = why_old(u, targets, update);
    if (old)
        return old;
    if (update->status == KS_STATUS_FAILED && u->config.goal == KS_GOAL_ALL_TERMINAL)
        return KS_UNTIL_COUNTS;
    if (update->status != KS_STATUS_CURRENT)
        return KS_UNTIL_STATUS;
    return u->config.min_basis && basis > u->config.min_basis ? KS_UNTIL_WEAK_BASIS
                                                              : KS_UNTIL_COUNTS;
}

static ks_until_why why_not_gone(const struct ks_until *u, const struct ks_until_object *o,
                                 const struct ks_update *update)
{
    bool is_gone = update->status == KS_STATUS_NOT_FOUND ||
                   /* It was there, and then its kind went. */
                   (update->status == KS_STATUS_UNKNOWN && update->error_rc == KS_RC_NOTFOUND &&
                    update->object.uid.len > 0);

    return is_gone || (o->is_newcomer && !u->config.stable_for_ms) ? KS_UNTIL_COUNTS
                                                                   : KS_UNTIL_STATUS;
}

static bool is_absent(ks_status status)
{
    return status == KS_STATUS_UNSPECIFIED || status == KS_STATUS_NOT_FOUND;
}

/* Whether it is certain that all these targets had nothing where something is now. */
static bool is_new_to(const struct ks_until *u, uint64_t targets)
{
    for (size_t i = 0; i < u->target_count; i++) {
        const struct ks_until_target *t = &u->targets[i];
        bool had_none = t->is_named ? t->was_absent : u->is_synced && t->has_baseline;

        if ((targets & ((uint64_t)1 << i)) && !had_none)
            return false;
    }
    return true;
}

static void note_absent(struct ks_until *u, uint64_t targets)
{
    for (size_t i = 0; i < u->target_count; i++)
        u->targets[i].was_absent |= (targets & ((uint64_t)1 << i)) != 0;
}

static uint64_t named_of(const struct ks_until *u, uint64_t targets)
{
    for (size_t i = 0; i < u->target_count; i++) {
        if (!u->targets[i].is_named)
            targets &= ~((uint64_t)1 << i);
    }
    return targets;
}

void ks_until_update(struct ks_until *u, struct ks_until_object *o, const struct ks_update *update,
                     int64_t now_ms)
{
    /* Of what was generated, the owner was asked for. */
    uint64_t targets = bits_of(u, update->target_ids, update->target_count) & ~update->unasked;
    ks_until_why why;

    if (!targets) { /* perhaps not any more */
        ks_until_forget(u, o, now_ms);
        return;
    }
    if (update->status == KS_STATUS_NOT_FOUND) {
        targets = named_of(u, targets); /* what is gone is selected by nobody */
        note_absent(u, targets);
    } else if (is_absent(o->status) && is_new_to(u, targets)) {
        o->is_newcomer = true;
    }
    if (is_job(update) && has_ended(u, update) && why_old(u, targets, update) == KS_UNTIL_COUNTS)
        o->was_done = true;
    else if (update->status == KS_STATUS_IN_PROGRESS)
        o->was_done = false;
    why = is_for_gone(u) ? why_not_gone(u, o, update) : why_not_current(u, o, targets, update);
    o->status = update->status;
    place(u, o, targets, why);
    if (u->config.fail_fast && o->required && update->status == KS_STATUS_FAILED &&
        (why == KS_UNTIL_STATUS || why == KS_UNTIL_COUNTS))
        u->has_failed = true;
    settle(u, now_ms);
}

void ks_until_removed(struct ks_until *u, struct ks_until_object *o,
                      const struct ks_removed *removed, int64_t now_ms)
{
    place(u, o, o->targets & ~bits_of(u, removed->target_ids, removed->target_count), o->why);
    settle(u, now_ms);
}

void ks_until_forget(struct ks_until *u, struct ks_until_object *o, int64_t now_ms)
{
    place(u, o, 0, KS_UNTIL_COUNTS);
    settle(u, now_ms);
}

void ks_until_target_change(struct ks_until *u, const struct ks_target_change *change,
                            int64_t now_ms)
{
    size_t at = index_of(u, change->target_id);
    struct ks_until_target *t = &u->targets[at];
    bool is_missing = change->state == KS_TARGET_KIND_MISSING;

    if (at == u->target_count)
        return;
    t->state = change->state;
    t->was_synced |= change->state == KS_TARGET_SYNCED;
    t->is_unserved = is_missing && t->was_synced && change->cause_rc == KS_RC_NOTFOUND;
    t->is_hopeless = change->state == KS_TARGET_REFUSED ||
                     (is_missing &&
                      (change->cause_rc == KS_RC_INVALID || change->cause_rc == KS_RC_UNSUPPORTED));
    settle(u, now_ms);
}

void ks_until_synced(struct ks_until *u, int64_t now_ms)
{
    u->is_synced = true;
    for (size_t i = 0; i < u->target_count; i++)
        u->targets[i].has_baseline = u->targets[i].state == KS_TARGET_SYNCED;
    settle(u, now_ms);
}

static bool is_lost(const struct ks_until *u)
{
    return u->has_failed || (u->is_synced && is_hopeless(u));
}

static bool has_expired(const struct ks_until *u, int64_t now_ms)
{
    return u->deadline_ms != NEVER && now_ms >= u->deadline_ms;
}

int64_t ks_until_wake_ms(const struct ks_until *u)
{
    int64_t wake_ms = u->deadline_ms;
    int64_t held_ms = u->held_since_ms + u->config.stable_for_ms;

    if (u->verdict)
        return NEVER;
    if (is_lost(u))
        return 0;
    if (u->held_since_ms != NEVER && (wake_ms == NEVER || held_ms < wake_ms))
        wake_ms = held_ms;
    return wake_ms;
}

ks_outcome_verdict ks_until_decide(struct ks_until *u, int64_t now_ms, bool knows_all)
{
    if (u->verdict)
        return u->verdict;
    if (u->held_since_ms != NEVER && !knows_all)
        u->held_since_ms = now_ms;
    if (is_lost(u))
        u->verdict = KS_OUTCOME_FAILED;
    else if (knows_all && u->held_since_ms != NEVER &&
             now_ms - u->held_since_ms >= u->config.stable_for_ms)
        u->verdict = KS_OUTCOME_REACHED;
    else if (has_expired(u, now_ms))
        u->verdict = KS_OUTCOME_TIMED_OUT;
    return u->verdict;
}

ks_until_why ks_until_object_why(const struct ks_until *u, const struct ks_until_object *o)
{
    if (!o->required)
        return KS_UNTIL_COUNTS;
    if (o->why != KS_UNTIL_COUNTS)
        return o->why;
    for (size_t i = 0; i < u->target_count; i++) {
        if ((o->required & ((uint64_t)1 << i)) && !is_confirmed(u, &u->targets[i]))
            return KS_UNTIL_UNCONFIRMED;
    }
    return KS_UNTIL_COUNTS;
}

bool ks_until_target_is_in_way(const struct ks_until *u, size_t index)
{
    const struct ks_until_target *t = &u->targets[index];

    if (t->is_best_effort || t->lives)
        return false;
    if (!is_confirmed(u, t))
        return true;
    if (is_for_gone(u))
        return false;
    return t->is_named || !has_members(u);
}
