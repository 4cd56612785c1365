/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Witness: whether what a client is told was so, at some time that it may be told of. It looks at
 * each event alone, beside the history of all states and what the client was told before.
 *
 * What it cannot know it does not ask: which state a slow client is told of, or which of several
 * watches saw an object last.
 *
 * Thread: the loop's. It does not: ask whether that is all (oracle.c).
 */
#include <string.h>

#include "status/family.h"

#include "convergence/judge.h"
#include "convergence/reader.h"

#define REMEMBERED_MS 10000

#define IS(u, name) ((u)->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_##name)

static void complain(struct reader *r, const Kstatus__V1__ResourceStatus *u, const char *what)
{
    world_fail(r->world, "reader %u: %s %s/%s uid %.8s rv %s %s (%s): %s", r->number,
               u->object->kind, u->object->namespace_, u->object->name, u->object->uid,
               u->resource_version, ks_status_text((ks_status)u->status), u->reason, what);
}

static int64_t wall_ms(const Google__Protobuf__Timestamp *t)
{
    return t ? t->seconds * 1000 + t->nanos / 1000000 : 0;
}

static uint64_t version_of(const Kstatus__V1__ResourceStatus *u)
{
    int64_t rv = 0;

    (void)ks_str_to_int64(ks_str_from(u->resource_version), &rv); /* stays 0 */
    return (uint64_t)rv;
}

/* Whether the members of a ReplicaSet or StatefulSet explain what its own state does not: they make
 * Failed what is InProgress, and while they are not known that is said. */
static bool is_told_with_members(int id, const Kstatus__V1__ResourceStatus *u,
                                 const struct judgement *alone)
{
    const struct ks_status_kind kind = {ks_str_from(species[id].group),
                                        ks_str_from(species[id].kind)};

    if (alone->rc || !ks_status_fails_by_members(&kind))
        return false;
    if ((int)u->status == (int)alone->verdict.status)
        return ks_str_starts(ks_str_from(u->message), alone->verdict.message) &&
               strstr(u->message, "(its Pods ");
    return alone->verdict.status == KS_STATUS_IN_PROGRESS && IS(u, FAILED) &&
           strcmp(u->reason, "PodsFailed") == 0;
}

/* A status was computed from a state: from this one? */
static void check_computed(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                           const struct history_name *name)
{
    const struct history_state *s =
        history_find(r->world->history, name, ks_str_from(u->object->uid), version_of(u));
    struct judgement j;
    const char *difference;

    if (!s || s->is_deletion) {
        complain(r, u, s ? "a status of what was deleted" : "it never was in that state");
        return;
    }
    judge_alone(r->world, name->species, s->rev, wall_ms(u->observe_time), &j);
    difference = judge_difference(&j, u);
    if (!difference || is_told_with_members(name->species, u, &j))
        return;
    judge_alone(r->world, name->species, s->rev, s->wall_ms, &j);
    if (judge_difference(&j, u))
        complain(r, u, difference);
}

static void check_not_found(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                            const struct history_name *name)
{
    const struct history *h = r->world->history;
    struct ks_str uid = ks_str_from(u->object->uid);

    if (strcmp(u->reason, "Deleted") == 0 && !history_was_deleted(h, name, uid))
        complain(r, u, "it was not deleted");
    if (strcmp(u->reason, "NotFound") == 0 && !history_was_absent(h, name, r->opened_wall_ms))
        complain(r, u, "it was there all the time");
    if (strcmp(u->reason, "OtherUID") == 0 && !history_was_other(h, name, uid, r->opened_wall_ms))
        complain(r, u, "no other object had the name");
}

static void check_unknown(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                          const struct history_name *name)
{
    const struct species *s = &species[name->species];

    if (!u->error)
        complain(r, u, "Unknown without an error");
    if (strcmp(u->reason, "NotComputable") == 0)
        check_computed(r, u, name);
    /* What the server serves is remembered for a moment, for all streams of an identity; and a
     * group whose document could never be read is not told apart from one without the kind. */
    if (strcmp(u->reason, "KindNotServed") == 0 && r->world->sim.has_aggregated_discovery &&
        (!s->is_custom ||
         r->world->crd_absent_ms[name->species] < r->opened_wall_ms - REMEMBERED_MS))
        complain(r, u, "its kind was served all the time");
    if (strcmp(u->reason, "Unreadable") == 0)
        complain(r, u, "every object can be read");
}

/* What the update says came before is what the client was told before. */
static void check_previous(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                           const struct history_name *name)
{
    const struct fact *latest = NULL;
    int expected;

    /* What is generated and asked for is one object that is told from two sides. */
    if (u->coalesced_count || r->config.generated_depth)
        return;
    for (size_t i = 0; i < u->n_target_ids; i++) {
        size_t key = reader_key(r, u->target_ids[i] - 1, name->species);
        const struct fact *f = reader_find(r, key, name);

        if (f && f->is_held && (!latest || f->ordinal > latest->ordinal))
            latest = f;
    }
    expected = latest ? (int)latest->told->status : 0;
    if ((int)u->previous_status != expected)
        complain(r, u, "the previous status is not the one told before");
}

void witness_update(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                    const struct history_name *name)
{
    if (!u->n_target_ids)
        complain(r, u, "it concerns no target");
    if (wall_ms(u->transition_time) > wall_ms(u->observe_time))
        complain(r, u, "its transition is after its observation");
    check_previous(r, u, name);
    if (IS(u, NOT_FOUND))
        check_not_found(r, u, name);
    else if (IS(u, UNKNOWN))
        check_unknown(r, u, name);
    else
        check_computed(r, u, name);
}

/* Whether another target is about the same kind: its watch may be ahead. */
static bool has_company(const struct reader *r, size_t target)
{
    for (size_t i = 0; i < r->target_count; i++) {
        if (i != target && r->targets[i].species == r->targets[target].species)
            return true;
    }
    return r->config.generated_depth > 0; /* its owner's */
}

static void check_belongs(struct reader *r, const struct fact *f,
                          const Kstatus__V1__ResourceStatus *u)
{
    const struct history_name name = {f->species, ks_str_from(f->ns), ks_str_from(f->name)};
    const struct reader_target *t;
    const struct history_state *s;

    if (f->target >= READER_GENERATED)
        return;
    t = &r->targets[f->target];
    if (t->species != f->species || (t->target.ns.len && !ks_str_is(t->target.ns, f->ns)) ||
        (!t->selector && !ks_str_is(t->target.name, f->name))) {
        complain(r, u, "the target is about something else");
        return;
    }
    if (!t->selector || has_company(r, f->target) || IS(u, NOT_FOUND) || IS(u, UNKNOWN))
        return;
    s = history_find(r->world->history, &name, ks_str_from(u->object->uid), version_of(u));
    if (s && !sim_selector_matches(t->selector, s->rev))
        complain(r, u, "the target does not select it");
}

void witness_fact(struct reader *r, const struct fact *f, const Kstatus__V1__ResourceStatus *u)
{
    const struct history_name name = {f->species, ks_str_from(f->ns), ks_str_from(f->name)};
    const char *uid = u->object->uid;
    bool is_same = f->uid[0] && strcmp(f->uid, uid) == 0;
    bool was_alive = f->is_held && f->uid[0] && !IS(f->told, NOT_FOUND);

    check_belongs(r, f, u);
    if (!f->was_told)
        return;
    if (IS(u, NOT_FOUND)) {
        if (was_alive && strcmp(u->reason, "OtherUID") != 0 &&
            !history_was_deleted(r->world->history, &name, ks_str_from(f->uid)))
            complain(r, u, "it has not been deleted since it was told of");
        return;
    }
    if (u->owner)
        return;
    /* A watch that lags behind may bring it once more, when nothing of it is kept any more. */
    if (uid[0] && strcmp(f->gone_uid, uid) == 0 && !has_company(r, f->target))
        complain(r, u, "its end has been told before");
    if (is_same && version_of(u) < f->rv && !r->config.generated_depth)
        complain(r, u, "a newer state has been told before");
    if (is_same && !f->is_held && version_of(u) <= f->rv && !IS(u, UNKNOWN) &&
        !has_company(r, f->target))
        complain(r, u, "nothing is new since it was Removed");
    if (was_alive && !is_same && uid[0])
        complain(r, u, "another UID, and the end of the one before was not told");
}

void witness_left(struct reader *r, const struct fact *f, const char *uid)
{
    const struct history_name name = {f->species, ks_str_from(f->ns), ks_str_from(f->name)};
    const struct reader_target *t;
    uint64_t since = 0;

    if (f->target >= READER_GENERATED) /* what generated it went, or disowned it */
        return;
    t = &r->targets[f->target];
    if (!t->selector) {
        world_fail(r->world, "reader %u: it has left target %zu, which names it", r->number,
                   f->target + 1);
        return;
    }
    if (strcmp(uid, f->uid) != 0)
        world_fail(r->world, "reader %u: Removed %s/%s with another UID than it was told with",
                   r->number, f->ns, f->name);
    /* The target's own watch may be behind what was told. */
    if (f->rv && !has_company(r, f->target))
        since = f->rv - 1;
    if (!history_has_left(r->world->history, &name, ks_str_from(f->uid), since, t->selector))
        world_fail(r->world, "reader %u: Removed %s/%s from target %zu, which it did not leave",
                   r->number, f->ns, f->name, f->target + 1);
}

static bool counts_equal(const Kstatus__V1__Counts *a, const Kstatus__V1__Counts *b)
{
    return a->in_progress == b->in_progress && a->failed == b->failed && a->current == b->current &&
           a->terminating == b->terminating && a->not_found == b->not_found &&
           a->unknown == b->unknown;
}

void witness_counts(struct reader *r, const Kstatus__V1__Counts *told, const char *where)
{
    Kstatus__V1__Counts held;

    if (!told || !reader_tally(r, &held) || counts_equal(told, &held))
        return;
    world_fail(r->world,
               "reader %u: %s counts in progress %u failed %u current %u terminating %u not found "
               "%u unknown %u; told were %u %u %u %u %u %u",
               r->number, where, told->in_progress, told->failed, told->current, told->terminating,
               told->not_found, told->unknown, held.in_progress, held.failed, held.current,
               held.terminating, held.not_found, held.unknown);
}

void witness_synced(struct reader *r, const Kstatus__V1__Synced *synced)
{
    world_say(r->world, "reader %u synced", r->number);
    if (r->is_synced)
        world_fail(r->world, "reader %u: Synced twice", r->number);
    for (size_t i = 0; i < r->target_count; i++) {
        const struct reader_target *t = &r->targets[i];
        const struct history_name name = {t->species, t->target.ns, t->target.name};

        if (!t->selector && !reader_find(r, i, &name))
            world_fail(r->world, "reader %u: Synced, and target %zu was not answered", r->number,
                       i + 1);
    }
    if (r->pace == READER_PROMPT && !r->merged)
        witness_counts(r, synced->counts, "Synced");
}
