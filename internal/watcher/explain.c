/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes of what a session shows, for sessions that were asked for them.
 *
 * The session has one set to work in: a state borrows its causes from there until it is copied,
 * which every state is that outlives the sighting.
 *
 * Invariants:
 *   1. what is Current has no causes;
 *   2. of a family, at most KS_CAUSES_MAX failing members are looked at, the earliest failures.
 *
 * Thread: the loop's.  It does not: read Events.
 */
#include "watcher/children.h"

#include "base/alloc.h"

bool ks_session_explain(struct ks_session *s, const struct ks_status_kind *kind,
                        struct ks_json_value json, struct ks_shown *now, struct ks_shown *later)
{
    struct ks_shown *const states[] = {now, later};
    bool is_needed = false;

    for (size_t i = 0; i < KS_ARRAY_LEN(states); i++)
        is_needed = is_needed || (states[i] && states[i]->status != KS_STATUS_CURRENT);
    if (!s->causes || !is_needed)
        return true;
    ks_causes_init(s->causes);
    if (ks_causes_read(json, kind, ks_loop_wall_ms(s->loop), s->causes))
        return ks_session_fail_nomem(s);
    for (size_t i = 0; i < KS_ARRAY_LEN(states); i++) {
        if (!states[i] || states[i]->status == KS_STATUS_CURRENT)
            continue;
        states[i]->causes = s->causes->items;
        states[i]->cause_count = s->causes->count;
    }
    return true;
}

void ks_family_explain(const struct ks_family *f, struct ks_shown *out)
{
    struct ks_causes *causes = f->nursery->session->causes;
    size_t looked = 0;

    if (!causes || out->status == KS_STATUS_CURRENT)
        return;
    ks_causes_init(causes);
    ks_causes_merge(causes, out->causes, out->cause_count);
    KS_LIST_FOREACH(link, &f->failing[KS_FAILING_NEW])
    {
        const struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_failing);

        if (looked++ == KS_CAUSES_MAX)
            break;
        if (c->digest.shown)
            ks_causes_merge(causes, c->digest.shown->causes, c->digest.shown->cause_count);
    }
    out->causes = causes->items;
    out->cause_count = causes->count;
}
