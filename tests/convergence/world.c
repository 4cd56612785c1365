/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world is made bottom-up and taken apart in reverse. Time stands still while anything is due;
 * then the clock is moved to what is due next.
 *
 * Thread: the loop's. It does not: decide what happens (traffic.c).
 */
#include "convergence/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

#include "kubesim/catalog.h"
#include "kubesim/loop.h"
#include "kubesim/object.h"
#include "kubesim/operation.h"
#include "kubesim/store.h"

#include "convergence/simloop.h"
#include "convergence/wire.h"

#define WALL_START_MS 1800000000000
#define TURNS_PER_MOMENT_MAX 200000
#define OBJECT_TEXT_MAX ((size_t)64 * 1024)

const char *const world_namespaces[WORLD_NAMESPACES] = {"default", "red", "blue"};
const char *const world_names[WORLD_NAMES] = {"a", "b", "c", "d", "e", "f"};

static char *identity_tokens[WORLD_IDENTITIES] = {(char[]){"user-0"}, (char[]){"user-1"},
                                                  (char[]){"user-2"}};

static ks_rc identities_make(struct world *w, struct ks_error *err)
{
    static char server[] = "https://wire";
    static char origin[] = "the wire";
    static char ns[] = "default";
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; i < WORLD_IDENTITIES && !rc; i++) {
        world_op(w, "{\"op\":\"token\",\"token\":\"%s\",\"user\":\"%s\"}", identity_tokens[i],
                 identity_tokens[i]);
        w->configs[i] = (struct ks_kube_config){
            .origin = origin, .server = server, .ns = ns, .token = identity_tokens[i]};
        rc = ks_kube_new(w->loop, &w->configs[i], &(struct ks_kube_options){0}, &w->kubes[i], err);
    }
    return rc;
}

static ks_rc parts_make(struct world *w, struct ks_error *err)
{
    ks_rc rc = ks_loop_new(&w->clock.clock, &w->loop, err);

    if (rc)
        return rc;
    w->sim.loop = simloop_new(w->loop);
    rc = w->sim.loop ? sim_cluster_new(&w->sim, err) : KS_RC_NOMEM;
    if (rc)
        return rc;
    wire_start(w->loop, &w->sim, dice_split(&w->dice));
    wire_set_verbose(w->is_verbose);
    w->history = history_new(w->sim.store, &w->clock.clock);
    rc = w->history ? ks_json_new(&ks_json_limits_object, &w->json, err) : KS_RC_NOMEM;
    rc = rc ? rc : ks_json_new(&ks_json_limits_object, &w->json_member, err);
    return rc ? rc : identities_make(w, err);
}

int world_cast(struct world *w)
{
    return w->cast[dice_below(&w->dice, w->cast_size)];
}

/* Now and then a family, or all. */
static void cast_draw(struct world *w)
{
    static const int families[][3] = {{SPECIES_DEPLOYMENT, SPECIES_REPLICA_SET, SPECIES_POD},
                                      {SPECIES_STATEFUL_SET, SPECIES_POD, SPECIES_POD},
                                      {SPECIES_REPLICA_SET, SPECIES_JOB, SPECIES_POD}};
    const int *family = families[dice_below(&w->dice, KS_ARRAY_LEN(families))];
    uint32_t more = dice_below(&w->dice, 4);

    if (dice_permille(&w->dice, 650)) {
        for (int i = 0; i < 3; i++)
            w->cast[w->cast_size++] = family[i];
    } else {
        more++;
    }
    for (uint32_t i = 0; i < more; i++)
        w->cast[w->cast_size++] = (int)dice_below(&w->dice, SPECIES_COUNT);
}

ks_rc world_new(uint64_t seed, bool is_verbose, struct world **out, struct ks_error *err)
{
    struct world *w = ks_alloc0(sizeof(*w));
    ks_rc rc;

    if (!w)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a world");
    w->seed = seed;
    w->is_verbose = is_verbose;
    w->dice.state = seed;
    ks_random_seed(dice_next(&w->dice) | 1);
    ks_hash_seed(seed);
    ks_clock_test_init(&w->clock, WALL_START_MS);
    w->sim = (struct sim){
        .config = {.speed = 1, .history = 0, .bookmark_ms = dice_between(&w->dice, 16000, 60000)},
        .clock = &w->clock.clock,
        .log = {.fd = -1, .level = KS_LOG_ERROR, .format = KS_LOG_TEXT, .clock = &w->clock.clock},
        .random_state = dice_next(&w->dice),
        .has_watch_list = dice_permille(&w->dice, 500),
        .has_aggregated_discovery = dice_permille(&w->dice, 700),
    };
    cast_draw(w);
    w->sim.config.history = (size_t)dice_between(&w->dice, 5, 200);
    rc = parts_make(w, err);
    if (rc) {
        world_free(w);
        return rc;
    }
    *out = w;
    return KS_RC_OK;
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    for (size_t i = 0; i < WORLD_IDENTITIES; i++)
        w->kubes[i] = ks_kube_free(w->kubes[i]);
    w->json_member = ks_json_free(w->json_member);
    w->json = ks_json_free(w->json);
    w->history = history_free(w->history);
    if (w->sim.store)
        sim_cluster_free(&w->sim);
    w->sim.loop = sim_loop_free(w->sim.loop);
    w->loop = ks_loop_free(w->loop);
    ks_free(w);
    return NULL;
}

int64_t world_now_ms(const struct world *w)
{
    return w->clock.now_mono_ms;
}

bool world_run(struct world *w, int64_t for_ms)
{
    int64_t end_ms = w->clock.now_mono_ms + for_ms;
    unsigned turns = 0;

    for (;;) {
        int64_t due_ms = ks_loop_due_ms(w->loop);

        if (due_ms > w->clock.now_mono_ms) {
            int64_t to_ms = due_ms < end_ms ? due_ms : end_ms;

            if (w->clock.now_mono_ms == end_ms)
                return true;
            ks_clock_test_advance(&w->clock, to_ms - w->clock.now_mono_ms);
            turns = 0;
            continue;
        }
        if (++turns > TURNS_PER_MOMENT_MAX)
            return false;
        (void)ks_loop_turn(w->loop); /* whether more comes is asked above */
    }
}

void world_fail(struct world *w, const char *fmt, ...)
{
    va_list args;
    int n;

    if (!w->has_trouble) {
        n = snprintf(w->trouble, sizeof(w->trouble),
                     "at %lld ms: ", (long long)w->clock.now_mono_ms);
        va_start(args, fmt);
        vsnprintf(w->trouble + n, sizeof(w->trouble) - (size_t)n, fmt, args);
        va_end(args);
        world_say(w, "FINDING %s", w->trouble);
    }
    w->has_trouble = true;
}

void world_say(const struct world *w, const char *fmt, ...)
{
    va_list args;

    if (!w->is_verbose)
        return;
    printf("%8lld ", (long long)w->clock.now_mono_ms);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

void world_op(struct world *w, const char *fmt, ...)
{
    char text[4096];
    struct ks_error err = {0};
    va_list args;
    json_t *op;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    op = json_loads(text, 0, NULL);
    if (!op || sim_operation_run(&w->sim, op, &err))
        world_fail(w, "the test is wrong: %s: %s", text, err.msg);
    json_decref(op);
}

struct world_name world_pick(struct world *w, int id)
{
    return (struct world_name){
        .species = id,
        .ns = species[id].is_namespaced ? world_namespaces[dice_below(&w->dice, WORLD_NAMESPACES)]
                                        : "",
        .name = world_names[dice_below(&w->dice, WORLD_NAMES)],
    };
}

static struct sim_target target_of(const struct world *w, const struct world_name *n)
{
    const struct species *s = &species[n->species];

    return (struct sim_target){
        .sim = (struct sim *)(uintptr_t)&w->sim,
        .res = sim_catalog_find(w->sim.catalog, ks_str_from(s->group), ks_str_from(s->version),
                                ks_str_from(s->plural)),
        .ns = ks_str_from(n->ns),
        .name = ks_str_from(n->name),
    };
}

bool world_serves(const struct world *w, int id)
{
    struct world_name n = {.species = id, .ns = "", .name = ""};
    struct sim_target t = target_of(w, &n);

    return t.res && t.res->is_served;
}

struct sim_rev *world_find(const struct world *w, const struct world_name *n)
{
    const struct species *s = &species[n->species];
    char key[256];
    char table[128];

    snprintf(table, sizeof(table), "%s/%s", s->group, s->plural);
    snprintf(key, sizeof(key), s->is_namespaced ? "%s/%s" : "%s%s", n->ns, n->name);
    return sim_table_find(sim_store_table(w->sim.store, table), ks_str_from(key));
}

/* The present state as a tree; NULL: there is none. */
static json_t *tree_of(const struct world *w, const struct world_name *n)
{
    struct sim_target t = target_of(w, n);
    const struct sim_rev *rev = world_find(w, n);

    return rev && t.res ? sim_object_parse(t.res, rev) : NULL;
}

/* Takes the tree. */
static void record(struct world *w, const struct world_name *n, json_t *tree)
{
    struct sim_target t = target_of(w, n);
    struct sim_problem problem;
    struct sim_rev *rev;

    if (!t.res || !tree) {
        json_decref(tree);
        return;
    }
    rev = sim_record(&t, tree, &problem);
    if (rev)
        world_say(w, "write %s %s/%s uid %.8s rv %llu: %.*s", species[n->species].kind, n->ns,
                  n->name, rev->uid.ptr, (unsigned long long)rev->rv, KS_STR_ARGS(rev->body));
    else
        world_fail(w, "the test is wrong: %s", problem.message);
    sim_rev_unref(rev);
    json_decref(tree);
}

static void labels_draw(struct dice *d, json_t *meta)
{
    static const char *const apps[] = {"x", "y", NULL};
    static const char *const tiers[] = {"a", "b", "c", NULL};
    const char *app = apps[dice_below(d, KS_ARRAY_LEN(apps))];
    const char *tier = tiers[dice_below(d, KS_ARRAY_LEN(tiers))];
    json_t *labels = json_object();

    if (app)
        (void)json_object_set_new(labels, "app", json_string(app)); /* then without */
    if (tier)
        (void)json_object_set_new(labels, "tier", json_string(tier)); /* likewise */
    (void)json_object_set_new(meta, "labels", labels);                /* likewise */
}

/* Somebody of the right kind in the same namespace, or nobody. */
static void owner_draw(struct world *w, const struct world_name *n, json_t *meta)
{
    static const int pod_owners[] = {SPECIES_REPLICA_SET, SPECIES_STATEFUL_SET, SPECIES_JOB};
    struct world_name owner = {.ns = n->ns, .name = world_names[dice_below(&w->dice, WORLD_NAMES)]};
    const struct sim_rev *rev;

    (void)json_object_del(meta, "ownerReferences"); /* there may be none */
    owner.species = species[n->species].owner;
    if (n->species == SPECIES_POD)
        owner.species = pod_owners[dice_below(&w->dice, KS_ARRAY_LEN(pod_owners))];
    if (owner.species < 0 || dice_permille(&w->dice, 200))
        return;
    rev = world_find(w, &owner);
    if (!rev)
        return;
    (void)json_object_set_new(
        meta, "ownerReferences",
        json_pack("[{s:s,s:s,s:s,s:s%,s:b}]", "apiVersion", species[owner.species].api_version,
                  "kind", species[owner.species].kind, "name", owner.name, "uid", rev->uid.ptr,
                  rev->uid.len, "controller", 1)); /* then without */
}

static json_t *body_draw(struct world *w, const struct world_name *n)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(OBJECT_TEXT_MAX);
    const struct species *s = &species[n->species];
    ks_rc rc = ks_buf_appendf(&text, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{},",
                              s->api_version, s->kind);

    rc = rc ? rc : s->body(&w->dice, w->clock.now_wall_ms, &text);
    rc = rc ? rc : ks_buf_append_byte(&text, '}');
    return rc ? NULL : json_loadb(text.data, text.len, 0, NULL);
}

void world_put(struct world *w, const struct world_name *n)
{
    json_t *old = tree_of(w, n);
    json_t *tree = body_draw(w, n);
    json_t *meta;
    int64_t generation = json_integer_value(json_object_get(tree, "g"));

    if (!tree) {
        json_decref(old);
        world_fail(w, "the test is wrong: no body for a %s", species[n->species].kind);
        return;
    }
    (void)json_object_del(tree, "g"); /* it is there */
    if (old)
        (void)json_object_set(tree, "metadata", json_object_get(old, "metadata")); /* or fails */
    meta = json_object_get(tree, "metadata");
    if (!old) {
        labels_draw(&w->dice, meta);
        owner_draw(w, n, meta);
    }
    (void)sim_object_set_text(tree, "name", n->name); /* record complains */
    if (n->ns[0])
        (void)sim_object_set_text(tree, "namespace", n->ns); /* likewise */
    if (generation)
        (void)sim_object_set_int(tree, "generation", generation); /* likewise */
    json_decref(old);
    record(w, n, tree);
}

void world_relabel(struct world *w, const struct world_name *n)
{
    json_t *tree = tree_of(w, n);

    if (tree)
        labels_draw(&w->dice, json_object_get(tree, "metadata"));
    record(w, n, tree);
}

void world_reown(struct world *w, const struct world_name *n)
{
    json_t *tree = tree_of(w, n);

    if (tree)
        owner_draw(w, n, json_object_get(tree, "metadata"));
    record(w, n, tree);
}

void world_mark(struct world *w, const struct world_name *n)
{
    json_t *tree = tree_of(w, n);
    char now[SIM_TIME_SIZE];

    sim_time_now(&w->sim, now);
    if (tree) {
        (void)sim_object_set_text(tree, "deletionTimestamp", now); /* then it is not marked */
        (void)json_object_set_new(json_object_get(tree, "metadata"), "finalizers",
                                  json_pack("[s]", "example.com/hold")); /* likewise */
    }
    record(w, n, tree);
}

void world_erase(struct world *w, const struct world_name *n)
{
    struct sim_target t = target_of(w, n);

    if (t.res && sim_erase(&t, NULL))
        world_say(w, "erase %s %s/%s", species[n->species].kind, n->ns, n->name);
}

void world_crd(struct world *w, int id, bool is_there)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(OBJECT_TEXT_MAX);

    if (world_serves(w, id) == is_there)
        return;
    if (species_crd(&species[id], &text)) {
        world_fail(w, "the test is wrong: no CRD");
        return;
    }
    world_say(w, "CRD of %s %s", species[id].kind, is_there ? "comes" : "goes");
    world_op(w, "{\"op\":\"%s\",\"object\":%s}", is_there ? "create" : "delete", text.data);
    w->crd_absent_ms[id] = is_there ? w->clock.now_wall_ms : INT64_MAX;
}
