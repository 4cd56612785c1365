/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens: rounds of traffic with faults, each followed by quiet and the comparison.
 *
 * Each run has its own temper: which faults there are at all, how often, how fast things follow on
 * each other. Runs in which everything goes wrong at once find little: most of it then never gets
 * as far as to matter.
 *
 * Thread: the loop's. It does not: know what is right.
 */
#include "convergence/traffic.h"

#include <stdio.h>
#include <string.h>

#include "convergence/reader.h"
#include "convergence/wire.h"

#define RUN_READERS_MAX 5
#define QUIET_MS 200000
/* A request that may linger after its stream has ended: discovery, and what hangs. */
#define AFTERGLOW_MS 100000
/* In the last minute of quiet: what renewing watches and healing may take, of each target. */
#define REQUESTS_PER_TARGET_MAX 12

struct run {
    struct world *world;
    struct reader *readers[RUN_READERS_MAX];
    unsigned opened;
    uint32_t temper_faults; /* highest chance of a fault, in 1000 */
    int64_t pause_ms;
    uint64_t writes;
    uint64_t updates;
    uint32_t short_pages; /* no fault: it stays so when all is quiet */
    bool is_down;
};

static void odds_draw(struct run *run)
{
    struct dice *d = &run->world->dice;
    struct wire_odds odds = {.short_pages = run->short_pages};
    uint32_t *const all[] = {&odds.refuse, &odds.status, &odds.gone, &odds.delay,       &odds.hang,
                             &odds.cut,    &odds.end,    &odds.slow, &odds.no_bookmarks};

    for (size_t i = 0; i < KS_ARRAY_LEN(all); i++)
        *all[i] = dice_permille(d, 450) ? dice_below(d, run->temper_faults + 1) : 0;
    wire_set_odds(&odds);
}

static void reader_toggle(struct run *run)
{
    struct reader **place = &run->readers[dice_below(&run->world->dice, RUN_READERS_MAX)];

    if (*place) {
        run->updates += (*place)->updates;
        *place = reader_close(*place);
    } else {
        *place = reader_open(run->world, ++run->opened);
    }
}

static void rbac_draw(struct run *run)
{
    struct world *w = run->world;
    uint32_t user = dice_below(&w->dice, WORLD_IDENTITIES);
    int kept = (int)dice_below(&w->dice, SPECIES_COUNT);

    world_say(w, "rights of user-%u: %s only", user, species[kept].plural);
    if (dice_permille(&w->dice, 500))
        world_op(w, "{\"op\":\"rbac-clear\",\"user\":\"user-%u\"}", user);
    else
        world_op(w, "{\"op\":\"rbac\",\"user\":\"user-%u\",\"resources\":[\"%s\"]}", user,
                 species[kept].plural);
}

/* Sometimes nobody sees what goes with it. */
static void crd_toggle(struct run *run)
{
    struct world *w = run->world;

    if (dice_permille(&w->dice, 500))
        wire_drop_connections();
    world_crd(w, dice_permille(&w->dice, 500) ? SPECIES_WIDGET : SPECIES_GADGET,
              dice_permille(&w->dice, 600));
}

static void door_toggle(struct run *run)
{
    run->is_down = !run->is_down;
    world_say(run->world, "the server is %s", run->is_down ? "down" : "up");
    wire_set_down(run->is_down);
}

static void act_on_object(struct run *run)
{
    struct world *w = run->world;
    struct world_name n = world_pick(w, world_cast(w));
    uint32_t what = dice_below(&w->dice, 100);

    if (!world_serves(w, n.species))
        return;
    run->writes++;
    if (what < 44) {
        world_put(w, &n);
    } else if (what < 60) {
        world_relabel(w, &n);
    } else if (what < 72) {
        world_reown(w, &n);
    } else if (what < 78) {
        world_mark(w, &n);
    } else if (what < 93) {
        world_erase(w, &n);
    } else {
        world_erase(w, &n);
        world_put(w, &n);
    }
}

static void act(struct run *run)
{
    struct world *w = run->world;
    uint32_t what = dice_below(&w->dice, 1000);

    if (what < 880)
        act_on_object(run);
    else if (what < 910)
        reader_toggle(run);
    else if (what < 930)
        crd_toggle(run);
    else if (what < 945)
        rbac_draw(run);
    else if (what < 960)
        wire_drop_connections();
    else if (what < 970)
        door_toggle(run);
    else if (what < 985)
        world_op(w, "{\"op\":\"compact\"}");
    else
        odds_draw(run);
}

static void pass(struct run *run, int64_t for_ms)
{
    if (!world_run(run->world, for_ms))
        world_fail(run->world, "something keeps the loop busy without end");
}

static void stir(struct run *run)
{
    struct dice *d = &run->world->dice;
    uint32_t steps = 20 + dice_below(d, 150);

    for (uint32_t i = 0; i < steps && !run->world->has_trouble; i++) {
        act(run);
        if (dice_permille(d, 600))
            pass(run, dice_between(d, 0, run->pause_ms));
    }
}

static void still(struct run *run)
{
    const struct wire_odds none = {.short_pages = run->short_pages};
    struct world *w = run->world;

    wire_set_odds(&none);
    wire_calm();
    if (run->is_down)
        door_toggle(run);
    world_op(w, "{\"op\":\"rbac-clear\"}");
    for (int i = 0; i < SPECIES_COUNT; i++) {
        if (species[i].is_custom && dice_permille(&w->dice, 650))
            world_crd(w, i, true);
    }
    world_say(w, "quiet");
}

static uint64_t asked(void)
{
    return wire_stats().lists + wire_stats().watches;
}

/* A minute of quiet costs few requests. Asking for a kind that is not served is not counted: an old
 * server must be asked for each of its groups. */
static void check_restraint(struct run *run)
{
    uint64_t before = asked();
    uint64_t targets = 0;

    pass(run, 60000);
    for (size_t i = 0; i < RUN_READERS_MAX; i++)
        targets += run->readers[i] ? run->readers[i]->target_count : 0;
    if (asked() - before > targets * REQUESTS_PER_TARGET_MAX + 20)
        world_fail(run->world, "%llu requests in a minute of quiet, for %llu targets",
                   (unsigned long long)(asked() - before), (unsigned long long)targets);
}

static void check_all(struct run *run)
{
    for (size_t i = 0; i < RUN_READERS_MAX; i++) {
        if (run->readers[i])
            oracle_check(run->readers[i]);
    }
}

static void finish(struct run *run)
{
    for (size_t i = 0; i < RUN_READERS_MAX; i++) {
        if (run->readers[i])
            run->updates += run->readers[i]->updates;
        run->readers[i] = reader_close(run->readers[i]);
    }
    if (run->world->has_trouble)
        return;
    pass(run, AFTERGLOW_MS);
    if (wire_stats().open)
        world_fail(run->world, "%u requests are open, and nobody watches", wire_stats().open);
}

static void prepare(struct run *run)
{
    static const uint32_t tempers[] = {0, 60, 150, 400};
    static const int64_t pauses[] = {20, 300, 2000};
    static const int64_t latencies[] = {0, 5, 200, 3000};
    struct world *w = run->world;

    run->temper_faults = tempers[dice_below(&w->dice, KS_ARRAY_LEN(tempers))];
    run->short_pages = dice_permille(&w->dice, 400) ? 700 : 0;
    run->pause_ms = pauses[dice_below(&w->dice, KS_ARRAY_LEN(pauses))];
    wire_set_latency(latencies[dice_below(&w->dice, KS_ARRAY_LEN(latencies))]);
    for (int i = 0; i < SPECIES_COUNT; i++) {
        w->crd_absent_ms[i] = species[i].is_custom ? INT64_MAX : 0;
        if (species[i].is_custom && dice_permille(&w->dice, 700))
            world_crd(w, i, true);
    }
    for (uint32_t i = dice_below(&w->dice, 60); i > 0; i--)
        act_on_object(run);
    odds_draw(run);
    for (uint32_t i = 1 + dice_below(&w->dice, 3); i > 0; i--)
        reader_toggle(run);
}

void run_seed(uint64_t seed, bool is_verbose, struct run_result *out)
{
    struct run run = {.opened = 0};
    struct ks_error err = {0};
    uint32_t rounds;

    *out = (struct run_result){.is_good = false};
    if (world_new(seed, is_verbose, &run.world, &err)) {
        snprintf(out->trouble, sizeof(out->trouble), "the test is wrong: %s", err.msg);
        return;
    }
    prepare(&run);
    rounds = 1 + dice_below(&run.world->dice, 2);
    for (uint32_t i = 0; i < rounds && !run.world->has_trouble; i++) {
        stir(&run);
        still(&run);
        pass(&run, QUIET_MS);
        check_restraint(&run);
        check_all(&run);
    }
    finish(&run);
    out->is_good = !run.world->has_trouble;
    memcpy(out->trouble, run.world->trouble, sizeof(out->trouble));
    out->writes = run.writes;
    out->updates = run.updates;
    out->requests = wire_stats().requests;
    out->faults = wire_stats().faults;
    out->streams = run.opened;
    out->virtual_ms = world_now_ms(run.world);
    run.world = world_free(run.world);
}
