/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What generated objects mean for the verdict of their owner, profile kstatus.
 *
 * Invariants:
 *   1. Only a verdict that is InProgress changes, and only to Failed: members never mend anything.
 *   2. What counts is direct members alone; a failed Pod of a Deployment changes its ReplicaSet.
 *   3. A member whose conditions cannot be read is not taken for one that waits for a node.
 *
 * Thread: the document's.  It does not: find members, keep them, or know revisions.
 */
#include "status/family.h"

#include <inttypes.h>

#include "base/rfc3339.h"
#include "json/path.h"
#include "status/rules.h"

struct generation {
    struct ks_status_kind owner;
    struct ks_status_kind member;
    bool fails_owner;
};

#define KIND(group_text, kind_text)                                                                \
    {                                                                                              \
        {"" group_text, sizeof(group_text) - 1},                                                   \
        {                                                                                          \
            "" kind_text, sizeof(kind_text) - 1                                                    \
        }                                                                                          \
    }

/* The reference's readers know the first three rows; the others are of use to whoever watches. */
static const struct generation generations[] = {
    {KIND("apps", "Deployment"), KIND("apps", "ReplicaSet"), false},
    {KIND("apps", "ReplicaSet"), KIND("", "Pod"), true},
    {KIND("apps", "StatefulSet"), KIND("", "Pod"), true},
    {KIND("apps", "DaemonSet"), KIND("", "Pod"), false},
    {KIND("batch", "Job"), KIND("", "Pod"), false},
    {KIND("batch", "CronJob"), KIND("batch", "Job"), false},
};

static const struct generation *find_generation(const struct ks_status_kind *owner)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(generations); i++) {
        if (ks_str_eq(generations[i].owner.kind, owner->kind) &&
            ks_str_eq(generations[i].owner.group, owner->group))
            return &generations[i];
    }
    return NULL;
}

const struct ks_status_kind *ks_status_member_kind(const struct ks_status_kind *owner)
{
    const struct generation *row = find_generation(owner);

    return row ? &row->member : NULL;
}

bool ks_status_fails_by_members(const struct ks_status_kind *owner)
{
    const struct generation *row = find_generation(owner);

    return row && row->fails_owner;
}

static bool is_being_deleted(struct ks_json_value member)
{
    struct ks_str text = ks_json_lenient_str(member, "metadata.deletionTimestamp", "");
    int64_t at_ms;

    return ks_rfc3339_parse(text, &at_ms) && at_ms != KS_TIME_GO_ZERO_MS;
}

/* Any such condition counts, not only the first as for the Pod's own verdict. */
static bool waits_for_node(struct ks_json_value member, const struct ks_status_kind *kind)
{
    struct ks_json_value list = {0};
    struct ks_condition c;

    if (kind->group.len > 0 || !ks_str_is(kind->kind, "Pod"))
        return false;
    if (ks_json_strict_list(member, "status.conditions", &list) != KS_LOOKUP_FOUND)
        return false;
    for (struct ks_json_value e = ks_json_first(list); ks_condition_read(e, &c);
         e = ks_json_next(e)) {
        if (ks_str_is(c.type, "PodScheduled") && ks_str_is(c.status, "False") &&
            ks_str_is(c.reason, "Unschedulable"))
            return true;
    }
    return false;
}

bool ks_member_fails_owner(struct ks_json_value member, const struct ks_status_kind *kind,
                           const struct ks_verdict *verdict)
{
    return verdict->status == KS_STATUS_FAILED && !is_being_deleted(member) &&
           !waits_for_node(member, kind);
}

void ks_status_count_failed(const struct ks_status_kind *owner, uint32_t failed,
                            struct ks_verdict *inout)
{
    if (failed == 0 || inout->status != KS_STATUS_IN_PROGRESS || !ks_status_fails_by_members(owner))
        return;
    (void)ks_verdict_failed(inout, "PodsFailed", "%" PRIu32 " of its Pods %s failed", failed,
                            failed == 1 ? "has" : "have");
    inout->recheck_at_ms = 0;
}
