/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of statuses, and the one status that stands for many (shared/spec: kstatus 5.3).
 *
 * Thread: any.  It does not: decide which objects are counted.
 */
#include "watcher/event.h"

uint32_t ks_counts_total(const struct ks_counts *counts)
{
    uint32_t total = 0;

    for (unsigned i = 0; i < KS_STATUS_COUNT; i++)
        total += counts->by_status[i];
    return total;
}

ks_status ks_counts_aggregate(const struct ks_counts *counts, ks_status desired)
{
    uint32_t total = ks_counts_total(counts);

    if (total == 0)
        return desired;
    if (counts->by_status[KS_STATUS_FAILED])
        return KS_STATUS_FAILED;
    if (counts->by_status[KS_STATUS_UNKNOWN])
        return KS_STATUS_UNKNOWN;
    return counts->by_status[desired] == total ? desired : KS_STATUS_IN_PROGRESS;
}
