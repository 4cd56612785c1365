/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes of what a session shows, and what decided it, for sessions that were asked for them.
 *
 * The session has one set to work in: a state borrows its causes from there until it is copied,
 * which every state is that outlives the sighting.
 *
 * Invariants:
 *   1. what is Current has no causes;
 *   2. of a family, at most KS_CAUSES_MAX failing members are looked at, the earliest failures,
 * as many of those by which their owner does not fail, and as many that are hindered;
 *   3. what Events say is merged into what is told, for an object by its inquiry (inquiry.c).
 *
 * Thread: the loop's.  It does not: read Events (docket.c).
 */
#include "watcher/children.h"

#include "base/alloc.h"

/* Dockets of children that are looked at, so that a great family costs no more than a small one. */
#define NOTED_LOOKED_MAX 32

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

void ks_session_decide(const struct ks_session *s, const struct ks_status_kind *kind,
                       struct ks_json_value json, const struct ks_verdict *verdict,
                       struct ks_decision_room *room, struct ks_shown *shown)
{
    if (!s->causes || shown->error_rc ||
        !ks_decision_read(json, kind, s->profile, verdict, &room->decision))
        return;
    room->view = ks_decision_view(&room->decision);
    shown->decision = &room->view;
}

static void merge_list(const struct ks_list *failing, struct ks_causes *causes)
{
    size_t looked = 0;

    KS_LIST_FOREACH(link, failing)
    {
        const struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_failing);

        if (looked++ == KS_CAUSES_MAX)
            break;
        if (c->digest.shown)
            ks_causes_merge(causes, c->digest.shown->causes, c->digest.shown->cause_count);
    }
}

static void merge_failing(const struct ks_family *f, struct ks_causes *causes)
{
    merge_list(&f->failing[KS_FAILING_NEW], causes);
    merge_list(&f->failing[KS_FAILING_BESIDE], causes);
    merge_list(&f->failing[KS_FAILING_HINDERED], causes);
}

/* Of the revision that its owner rolls out. */
static bool counts(const struct ks_family *f, const struct ks_child *c)
{
    if (f->newest)
        return c == f->newest;
    return !f->wanted || !c->revision || f->wanted == c->revision;
}

static void merge_noted(const struct ks_family *f, struct ks_causes *causes)
{
    size_t looked = 0;

    KS_LIST_FOREACH(link, &f->noted)
    {
        const struct ks_docket *d = KS_CONTAINER_OF(link, struct ks_docket, in_family);

        if (looked++ == NOTED_LOOKED_MAX)
            break;
        if (ks_status_is_inquired(d->child->digest.status) && counts(f, d->child))
            ks_docket_merge(d, causes);
    }
}

void ks_parent_explain(const struct ks_parent *p, const struct ks_family *failing,
                       struct ks_shown *out)
{
    const struct ks_family *const families[] = {p->family,
                                                p->family->newest ? p->family->newest->own : NULL};
    struct ks_causes *causes = p->nursery->session->causes;
    bool is_noted = false;

    for (size_t i = 0; i < KS_ARRAY_LEN(families); i++)
        is_noted = is_noted || (families[i] && !ks_list_is_empty(&families[i]->noted));
    if (!causes || out->status == KS_STATUS_CURRENT || (!failing && !is_noted))
        return;
    ks_causes_init(causes);
    ks_causes_merge(causes, out->causes, out->cause_count);
    if (failing)
        merge_failing(failing, causes);
    for (size_t i = 0; i < KS_ARRAY_LEN(families); i++) {
        if (families[i])
            merge_noted(families[i], causes);
    }
    out->causes = causes->items;
    out->cause_count = causes->count;
}
