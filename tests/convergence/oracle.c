/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oracle: what each target's client must hold when the world is quiet: read from kubesim's store,
 * judged by the `status` layer, compared with what it was told.
 *
 * Thread: the loop's. It does not: know how anything got there.
 */
#include <stdio.h>
#include <string.h>

#include "convergence/judge.h"
#include "convergence/reader.h"

#define IS(u, name) ((u)->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_##name)

static void complain(struct reader *r, size_t target, const struct history_name *n,
                     const char *what)
{
    world_fail(r->world, "reader %u, target %zu, in the end: %s %.*s/%.*s: %s", r->number,
               target + 1, species[n->species].kind, KS_STR_ARGS(n->ns), KS_STR_ARGS(n->name),
               what);
}

/* The object must be known like this. */
static void check_present(struct reader *r, size_t target, const struct sim_rev *rev)
{
    const struct reader_target *t = &r->targets[target];
    const struct history_name n = {t->species, rev->ns, rev->name};
    const struct fact *f = reader_find(r, target, &n);
    struct judgement j;
    const char *difference;
    char text[256];

    if (!f || !f->is_held) {
        complain(r, target, &n, "the API server has it, the client was not told");
        return;
    }
    if (!ks_str_is(rev->uid, f->uid)) {
        complain(r, target, &n, "the client knows another UID");
        return;
    }
    judge_now(r->world, t->species, rev, &j);
    difference = judge_difference(&j, f->told);
    if (!difference)
        return;
    snprintf(text, sizeof(text), "%s differs: it is %s, told was %s (%s) of rv %s, now %llu",
             difference, j.rc ? "not computable" : ks_status_text(j.verdict.status),
             ks_status_text((ks_status)f->told->status), f->told->reason, f->told->resource_version,
             (unsigned long long)rev->rv);
    complain(r, target, &n, text);
}

static void check_absent(struct reader *r, size_t target, const struct history_name *n)
{
    const struct fact *f = reader_find(r, target, n);

    if (!f || !f->is_held)
        complain(r, target, n, "it was not answered");
    else if (!IS(f->told, NOT_FOUND))
        complain(r, target, n, "the API server does not have it, the client was told that it is");
}

static struct sim_table *table_of(const struct reader *r, int id)
{
    char name[128];

    snprintf(name, sizeof(name), "%s/%s", species[id].group, species[id].plural);
    return sim_store_table(r->world->sim.store, name);
}

static void check_named(struct reader *r, size_t target)
{
    const struct reader_target *t = &r->targets[target];
    const struct history_name n = {t->species, t->target.ns, t->target.name};
    const struct world_name w = {t->species, t->target.ns.len ? t->target.ns.ptr : "",
                                 t->target.name.ptr};
    const struct sim_rev *rev = world_find(r->world, &w);

    if (rev && (!t->pin[0] || ks_str_is(rev->uid, t->pin)))
        check_present(r, target, rev);
    else
        check_absent(r, target, &n);
}

static void check_selected(struct reader *r, size_t target)
{
    const struct reader_target *t = &r->targets[target];
    const struct sim_table *table = table_of(r, t->species);

    for (size_t i = 0; i < sim_table_count(table); i++) {
        const struct sim_rev *rev = sim_table_at(table, i);

        if ((!t->target.ns.len || ks_str_eq(t->target.ns, rev->ns)) &&
            sim_selector_matches(t->selector, rev))
            check_present(r, target, rev);
    }
    for (size_t i = 0; i < r->fact_count; i++) {
        const struct fact *f = &r->facts[i];
        const struct world_name w = {f->species, f->ns, f->name};
        const struct history_name n = {f->species, ks_str_from(f->ns), ks_str_from(f->name)};
        const struct sim_rev *rev;

        if (f->target != target || !f->is_held)
            continue;
        rev = world_find(r->world, &w);
        if (!rev || !sim_selector_matches(t->selector, rev))
            complain(r, target, &n, "the client holds what the target does not select");
    }
}

/* Nothing can be said of a kind that is not served. */
static void check_unserved(struct reader *r, size_t target)
{
    for (size_t i = 0; i < r->fact_count; i++) {
        const struct fact *f = &r->facts[i];
        const struct history_name n = {f->species, ks_str_from(f->ns), ks_str_from(f->name)};

        if (f->target == target && f->is_held && !IS(f->told, UNKNOWN) && !IS(f->told, NOT_FOUND))
            complain(r, target, &n, "its kind is not served, and it has a status");
    }
}

static void check_target(struct reader *r, size_t target)
{
    const struct reader_target *t = &r->targets[target];
    bool is_served = world_serves(r->world, t->species);
    int expected = is_served ? KS_TARGET_SYNCED : KS_TARGET_KIND_MISSING;

    if (t->state != expected)
        world_fail(r->world, "reader %u, target %zu, in the end: state %d, should be %d", r->number,
                   target + 1, t->state, expected);
    else if (!is_served)
        check_unserved(r, target);
    else if (t->selector)
        check_selected(r, target);
    else
        check_named(r, target);
}

static void check_beat(struct reader *r)
{
    ks_feed_beat(r->feed);
    reader_drain(r);
    if (r->world->has_trouble)
        return;
    if (!r->heartbeat)
        world_fail(r->world, "reader %u: no heartbeat came", r->number);
    else
        witness_counts(r, r->heartbeat->counts, "Heartbeat");
}

void oracle_check(struct reader *r)
{
    reader_drain(r);
    if (!r->feed || r->world->has_trouble)
        return;
    if (!r->is_synced) {
        world_fail(r->world, "reader %u: no Synced", r->number);
        return;
    }
    if (r->stats.updates_total != r->updates + r->merged)
        world_fail(r->world, "reader %u: %llu updates were made, told were %llu and %llu merged",
                   r->number, (unsigned long long)r->stats.updates_total,
                   (unsigned long long)r->updates, (unsigned long long)r->merged);
    for (size_t i = 0; i < r->target_count && !r->world->has_trouble; i++)
        check_target(r, i);
    if (!r->world->has_trouble)
        check_beat(r);
}
