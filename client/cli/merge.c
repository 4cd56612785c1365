/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to an object or to a target passes as it is. What belongs to a stream shows once:
 * Accepted and Draining of the first that says so, Synced when the last one has synced, with the
 * counts of all.
 *
 * Invariant: a single stream passes unchanged.
 *
 * Thread: one at a time. An object that several calls have is counted in each.
 */
#include "client/cli/merge.h"

void ks_counts_add(Kstatus__V1__Counts *whole, const Kstatus__V1__Counts *part)
{
    if (!part)
        return;
    whole->in_progress += part->in_progress;
    whole->failed += part->failed;
    whole->current += part->current;
    whole->terminating += part->terminating;
    whole->not_found += part->not_found;
    whole->unknown += part->unknown;
}

Kstatus__V1__ReconcileStatus ks_aggregate_join(Kstatus__V1__ReconcileStatus a,
                                               Kstatus__V1__ReconcileStatus b)
{
    const Kstatus__V1__ReconcileStatus failed =
        KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED;
    const Kstatus__V1__ReconcileStatus unknown =
        KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN;

    if (a == b)
        return a;
    if (a == failed || b == failed)
        return failed;
    if (a == unknown || b == unknown)
        return unknown;
    return KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS;
}

static const Kstatus__V1__Event *take_synced(struct ks_merge *m, const Kstatus__V1__Synced *synced)
{
    if (m->synced_count == 0) {
        kstatus__v1__counts__init(&m->counts);
        kstatus__v1__synced__init(&m->synced);
        kstatus__v1__event__init(&m->event);
        m->synced.counts = &m->counts;
        m->synced.aggregate_status = synced->aggregate_status;
        m->event.event_case = KSTATUS__V1__EVENT__EVENT_SYNCED;
        m->event.synced = &m->synced;
    }
    m->synced_count++;
    ks_counts_add(&m->counts, synced->counts);
    m->synced.aggregate_status =
        ks_aggregate_join(m->synced.aggregate_status, synced->aggregate_status);
    return m->synced_count == m->call_count ? &m->event : NULL;
}

/* True the first time. */
static bool is_first(bool *flag)
{
    bool is = !*flag;

    *flag = true;
    return is;
}

const Kstatus__V1__Event *ks_merge_take(struct ks_merge *m, const Kstatus__V1__Event *event)
{
    if (m->call_count == 1)
        return event;
    switch (event->event_case) {
    case KSTATUS__V1__EVENT__EVENT_SYNCED:
        return take_synced(m, event->synced);
    case KSTATUS__V1__EVENT__EVENT_ACCEPTED:
        return is_first(&m->is_accepted) ? event : NULL;
    case KSTATUS__V1__EVENT__EVENT_DRAINING:
        return is_first(&m->is_draining) ? event : NULL;
    case KSTATUS__V1__EVENT__EVENT_UPDATE:
    case KSTATUS__V1__EVENT__EVENT_REMOVED:
    case KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE:
    case KSTATUS__V1__EVENT__EVENT_HEARTBEAT:
    case KSTATUS__V1__EVENT__EVENT_OUTCOME:
    case KSTATUS__V1__EVENT__EVENT__NOT_SET:
    case _KSTATUS__V1__EVENT__EVENT__CASE_IS_INT_SIZE:
    default:
        return event;
    }
}
