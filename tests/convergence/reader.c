/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client: how its targets are drawn, how it reads, and the ledger of what it was told.
 *
 * Invariants:
 *   1. responses are taken as server/rpc does: one at a time, until the outbox is found empty;
 *   2. a fact is one target's view of one name: two targets never share one, so that what one of
 *      them was told cannot hide what the other was not.
 *
 * Thread: the loop's. It does not: judge (witness.c, oracle.c).
 */
#include "convergence/reader.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#include "kubesim/catalog.h"

#define RESPONSE_MAX_BYTES ((size_t)1 << 20)
#define TAKE_BYTES ((size_t)64 * 1024)
#define CONTROL_MAX 4096
#define CONTROL_SMALL 24
#define SLOW_MS_MAX 9000

static const char *const label_selectors[] = {
    "", "", "app=x", "app!=x", "tier in (a,b)", "tier notin (a)", "app", "!app", "app=x,tier=b"};

static void draw_collection(struct world *w, struct reader_target *t, bool is_common)
{
    const struct species *s;

    /* Targets of one kind meet. */
    t->species = is_common ? w->cast[0] : world_cast(w);
    s = &species[t->species];
    if (dice_permille(&w->dice, 300)) {
        t->target.resource = ks_str_from(s->plural);
        return;
    }
    t->target.group = ks_str_from(s->group);
    t->target.object_kind = ks_str_from(s->kind);
    if (dice_permille(&w->dice, 500))
        t->target.version = ks_str_from(s->version);
}

static void draw_object(struct world *w, struct reader_target *t)
{
    struct world_name n = world_pick(w, t->species);
    const struct sim_rev *rev = world_find(w, &n);

    t->target.kind = KS_TARGET_OBJECT;
    t->target.ns = ks_str_from(n.ns);
    t->target.name = ks_str_from(n.name);
    if (rev && dice_permille(&w->dice, 150)) {
        snprintf(t->pin, sizeof(t->pin), "%.*s", KS_STR_ARGS(rev->uid));
        t->target.uid = ks_str_from(t->pin);
    }
}

static bool draw_selector(struct world *w, struct reader_target *t)
{
    const struct species *s = &species[t->species];
    const struct sim_resource *res;
    struct ks_error err;

    t->target.kind = KS_TARGET_SELECTOR;
    if (s->is_namespaced && dice_permille(&w->dice, 600))
        t->target.ns = ks_str_from(world_namespaces[dice_below(&w->dice, WORLD_NAMESPACES)]);
    t->target.label_selector =
        ks_str_from(label_selectors[dice_below(&w->dice, KS_ARRAY_LEN(label_selectors))]);
    if (t->species == SPECIES_POD && dice_permille(&w->dice, 250))
        t->target.field_selector = KS_LIT("status.phase=Running");
    else if (dice_permille(&w->dice, 80))
        t->target.field_selector = KS_LIT("metadata.name!=a");
    /* Only labels and fields of Pods are looked at: the resource may not be served yet. */
    res = sim_catalog_find(w->sim.catalog, ks_str_from(""), ks_str_from("v1"), ks_str_from("pods"));
    if (!sim_selector_new(res, t->target.label_selector, t->target.field_selector, &t->selector,
                          &err))
        return true;
    world_fail(w, "the test is wrong: %s", err.msg);
    return false;
}

static bool draw_targets(struct reader *r, struct ks_target *targets)
{
    struct world *w = r->world;
    bool is_common = dice_permille(&w->dice, 400);

    r->target_count = 1 + dice_below(&w->dice, READER_TARGETS_MAX);
    for (size_t i = 0; i < r->target_count; i++) {
        struct reader_target *t = &r->targets[i];

        t->target.target_id = (uint32_t)i + 1;
        draw_collection(w, t, is_common);
        if (dice_permille(&w->dice, 500))
            draw_object(w, t);
        else if (!draw_selector(w, t))
            return false;
        targets[i] = t->target;
        world_say(w, "reader %u target %zu: %s %.*s/%.*s pin %.8s labels '%.*s' fields '%.*s'",
                  r->number, i + 1, species[t->species].kind, KS_STR_ARGS(t->target.ns),
                  KS_STR_ARGS(t->target.name), t->pin, KS_STR_ARGS(t->target.label_selector),
                  KS_STR_ARGS(t->target.field_selector));
    }
    return true;
}

static void on_failed(void *ctx, const struct ks_error *err)
{
    struct reader *r = ctx;
    struct ks_outbox_stats stats;

    ks_outbox_get_stats(r->outbox, &stats);
    if (err->rc != KS_RC_LIMIT || !r->may_overflow || !stats.is_full)
        world_fail(r->world, "reader %u: the stream failed: %s", r->number, err->msg);
    world_say(r->world, "reader %u: failed: %s", r->number, err->msg);
    r->feed = ks_feed_free(r->feed);
}

static void on_ring(void *ctx)
{
    struct reader *r = ctx;

    if (r->pace == READER_PROMPT)
        ks_timer_start(&r->timer, 0);
}

struct fact *reader_find(struct reader *r, size_t target, const struct history_name *name)
{
    for (size_t i = 0; i < r->fact_count; i++) {
        struct fact *f = &r->facts[i];

        if (f->target == target && f->species == name->species && ks_str_is(name->ns, f->ns) &&
            ks_str_is(name->name, f->name))
            return f;
    }
    return NULL;
}

static struct fact *fact_get(struct reader *r, size_t target, const struct history_name *name)
{
    struct fact *f = reader_find(r, target, name);

    if (f)
        return f;
    if (r->fact_count == r->fact_cap) {
        size_t cap = r->fact_cap ? r->fact_cap * 2 : 32;
        struct fact *grown = ks_realloc_array(r->facts, cap, sizeof(*grown));

        if (!grown)
            return NULL;
        r->facts = grown;
        r->fact_cap = cap;
    }
    f = &r->facts[r->fact_count++];
    *f = (struct fact){.target = target, .species = name->species};
    snprintf(f->ns, sizeof(f->ns), "%.*s", KS_STR_ARGS(name->ns));
    snprintf(f->name, sizeof(f->name), "%.*s", KS_STR_ARGS(name->name));
    return f;
}

/* A copy that outlives its response. */
static Kstatus__V1__ResourceStatus *status_dup(const Kstatus__V1__ResourceStatus *u)
{
    size_t len = kstatus__v1__resource_status__get_packed_size(u);
    uint8_t *bytes = ks_alloc(len + 1);
    Kstatus__V1__ResourceStatus *copy = NULL;

    if (bytes) {
        kstatus__v1__resource_status__pack(u, bytes);
        copy = kstatus__v1__resource_status__unpack(NULL, len, bytes);
    }
    ks_free(bytes);
    return copy;
}

static void fact_take(struct fact *f, const Kstatus__V1__ResourceStatus *u, uint64_t ordinal)
{
    int64_t rv = 0;

    (void)ks_str_to_int64(ks_str_from(u->resource_version), &rv); /* stays 0 */
    if (f->told)
        kstatus__v1__resource_status__free_unpacked(f->told, NULL);
    f->told = status_dup(u);
    f->is_held = true;
    f->was_told = true;
    snprintf(f->uid, sizeof(f->uid), "%s", u->object->uid);
    f->rv = (uint64_t)rv;
    f->ordinal = ordinal;
    if (strcmp(u->reason, "Deleted") == 0)
        snprintf(f->gone_uid, sizeof(f->gone_uid), "%s", u->object->uid);
}

/* Whether an earlier fact is about the same object: the same name, asked for with the same UID. */
static bool is_counted(const struct reader *r, size_t at)
{
    const struct fact *f = &r->facts[at];

    for (size_t i = 0; i < at; i++) {
        const struct fact *g = &r->facts[i];

        if (g->is_held && g->target < READER_GENERATED && g->species == f->species &&
            strcmp(g->ns, f->ns) == 0 && strcmp(g->name, f->name) == 0 &&
            strcmp(r->targets[g->target].pin, r->targets[f->target].pin) == 0)
            return true;
    }
    return false;
}

static void count(Kstatus__V1__Counts *c, Kstatus__V1__ReconcileStatus status)
{
    uint32_t *const places[KS_STATUS_COUNT] = {
        [KS_STATUS_IN_PROGRESS] = &c->in_progress, [KS_STATUS_FAILED] = &c->failed,
        [KS_STATUS_CURRENT] = &c->current,         [KS_STATUS_TERMINATING] = &c->terminating,
        [KS_STATUS_NOT_FOUND] = &c->not_found,     [KS_STATUS_UNKNOWN] = &c->unknown,
    };

    if (places[(int)status])
        (*places[(int)status])++;
}

bool reader_tally(const struct reader *r, Kstatus__V1__Counts *out)
{
    kstatus__v1__counts__init(out);
    for (size_t i = 0; i < r->fact_count; i++) {
        const struct fact *f = &r->facts[i];

        if (!f->is_held || f->target >= READER_GENERATED)
            continue;
        /* What stands for a target until its kind is known is counted once for each target. */
        if (f->told->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN &&
            strcmp(f->told->reason, "NotComputable") != 0)
            return false;
        if (!is_counted(r, i))
            count(out, f->told->status);
    }
    return true;
}

static bool name_of(struct reader *r, const Kstatus__V1__ObjectRef *o, struct history_name *out)
{
    *out = (struct history_name){
        .species = species_find(ks_str_from(o->group), ks_str_from(o->kind)),
        .ns = ks_str_from(o->namespace_),
        .name = ks_str_from(o->name),
    };
    /* Before its kind is known, a target's object is called as the target calls it. */
    for (size_t i = 0; i < r->target_count && out->species < 0; i++) {
        if (ks_str_is(ks_str_from(o->kind), species[r->targets[i].species].plural))
            out->species = r->targets[i].species;
    }
    if (out->species < 0)
        world_fail(r->world, "reader %u: an object of a kind that nobody asked for: %s %s",
                   r->number, o->group, o->kind);
    return out->species >= 0;
}

static bool target_of(struct reader *r, uint32_t id, size_t *out)
{
    *out = (size_t)id - 1;
    if (id >= 1 && id <= r->target_count)
        return true;
    world_fail(r->world, "reader %u: target %u is not one of ours", r->number, id);
    return false;
}

static const char *ids_text(const uint32_t *ids, size_t count)
{
    static char text[64];
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count && at + 12 < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u", i ? "," : "", ids[i]);
    return text;
}

size_t reader_key(const struct reader *r, size_t target, int its_species)
{
    return r->targets[target].species == its_species ? target : target + READER_GENERATED;
}

static bool has_id(const Kstatus__V1__ResourceStatus *u, size_t id)
{
    for (size_t i = 0; i < u->n_target_ids; i++) {
        if (u->target_ids[i] == id)
            return true;
    }
    return false;
}

/* Targets that ask for different UIDs are told of different objects, of one name or not. */
static bool is_pinned_alike(const struct reader *r, const struct fact *f,
                            const Kstatus__V1__ResourceStatus *u, size_t n)
{
    size_t at = u->target_ids[n] - 1;

    return at < r->target_count &&
           strcmp(r->targets[f->target % READER_GENERATED].pin, r->targets[at].pin) == 0;
}

/* Targets that were told together with one of these, and are no longer: it has left them. */
static void leave_others(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                         const struct history_name *name)
{
    for (size_t i = 0; i < r->fact_count; i++) {
        struct fact *f = &r->facts[i];
        bool is_together = false;

        if (!f->is_held || f->species != name->species || !ks_str_is(name->ns, f->ns) ||
            !ks_str_is(name->name, f->name) || strcmp(f->uid, u->object->uid) != 0 ||
            has_id(u, f->target % READER_GENERATED + 1))
            continue;
        for (size_t n = 0; n < u->n_target_ids; n++)
            is_together |= has_id(f->told, u->target_ids[n]) && is_pinned_alike(r, f, u, n);
        if (!is_together)
            continue;
        witness_left(r, f, u->object->uid);
        f->is_held = false;
    }
}

/* An owner is told of what nobody asked for. */
static void check_owner(struct reader *r, const Kstatus__V1__ResourceStatus *u, int its_species)
{
    bool is_asked = false;

    for (size_t i = 0; i < u->n_target_ids; i++)
        is_asked |= u->target_ids[i] >= 1 && u->target_ids[i] <= r->target_count &&
                    r->targets[u->target_ids[i] - 1].species == its_species;
    if (is_asked == (u->owner != NULL))
        world_fail(r->world, "reader %u: %s/%s has %s owner, for [%s]", r->number,
                   u->object->namespace_, u->object->name, u->owner ? "an" : "no",
                   ids_text(u->target_ids, u->n_target_ids));
}

static void on_update(struct reader *r, const Kstatus__V1__ResourceStatus *u)
{
    struct history_name name;

    r->updates++;
    r->merged += u->coalesced_count;
    world_say(r->world, "reader %u update [%s] %s %s/%s uid %.8s rv %s %s %s (%s) merged %u",
              r->number, ids_text(u->target_ids, u->n_target_ids), u->object->kind,
              u->object->namespace_, u->object->name, u->object->uid, u->resource_version,
              ks_status_text((ks_status)u->status), u->reason, u->message, u->coalesced_count);
    if (!name_of(r, u->object, &name))
        return;
    check_owner(r, u, name.species);
    witness_update(r, u, &name);
    for (size_t i = 0; i < u->n_target_ids; i++) {
        struct fact *f;
        size_t target;

        if (!target_of(r, u->target_ids[i], &target))
            return;
        f = fact_get(r, reader_key(r, target, name.species), &name);
        if (!f)
            return;
        witness_fact(r, f, u);
        fact_take(f, u, r->updates);
        /* What was selected and is gone is told once, and no concern any more. */
        if ((f->target >= READER_GENERATED || r->targets[target].selector) &&
            u->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_NOT_FOUND)
            f->is_held = false;
    }
    leave_others(r, u, &name);
}

static void on_removed(struct reader *r, const Kstatus__V1__Removed *removed)
{
    struct history_name name;

    world_say(r->world, "reader %u removed [%s] %s %s/%s uid %.8s", r->number,
              ids_text(removed->target_ids, removed->n_target_ids), removed->object->kind,
              removed->object->namespace_, removed->object->name, removed->object->uid);
    if (!name_of(r, removed->object, &name))
        return;
    for (size_t i = 0; i < removed->n_target_ids; i++) {
        struct fact *f;
        size_t target;

        if (!target_of(r, removed->target_ids[i], &target))
            return;
        f = reader_find(r, target, &name);
        if (!f || !f->is_held || strcmp(f->uid, removed->object->uid) != 0)
            f = reader_find(r, target + READER_GENERATED, &name);
        if (!f && r->config.generated_depth) /* its owner has come to the target since */
            continue;
        if (!f || !f->is_held) {
            world_fail(r->world, "reader %u: Removed from target %zu what it did not hold: %s/%s",
                       r->number, target + 1, removed->object->namespace_, removed->object->name);
            return;
        }
        witness_left(r, f, removed->object->uid);
        f->is_held = false;
    }
}

static void on_target_change(struct reader *r, const Kstatus__V1__TargetChange *c)
{
    size_t target;

    world_say(r->world, "reader %u target %u state %d: %s", r->number, c->target_id, (int)c->state,
              c->cause ? c->cause->message : "");
    if (target_of(r, c->target_id, &target))
        r->targets[target].state = (int)c->state;
}

static void on_heartbeat(struct reader *r, const Kstatus__V1__Event *e)
{
    size_t len = kstatus__v1__heartbeat__get_packed_size(e->heartbeat);
    uint8_t bytes[512];

    if (r->heartbeat)
        kstatus__v1__heartbeat__free_unpacked(r->heartbeat, NULL);
    r->heartbeat = NULL;
    if (len > sizeof(bytes))
        return;
    kstatus__v1__heartbeat__pack(e->heartbeat, bytes);
    r->heartbeat = kstatus__v1__heartbeat__unpack(NULL, len, bytes);
}

static void on_event(struct reader *r, const Kstatus__V1__Event *e)
{
    switch (e->event_case) {
    case KSTATUS__V1__EVENT__EVENT_UPDATE:
        on_update(r, e->update);
        return;
    case KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE:
        on_target_change(r, e->target_change);
        return;
    case KSTATUS__V1__EVENT__EVENT_REMOVED:
        on_removed(r, e->removed);
        return;
    case KSTATUS__V1__EVENT__EVENT_SYNCED:
        witness_synced(r, e->synced);
        r->is_synced = true;
        return;
    case KSTATUS__V1__EVENT__EVENT_HEARTBEAT:
        on_heartbeat(r, e);
        return;
    case KSTATUS__V1__EVENT__EVENT__NOT_SET:
    case KSTATUS__V1__EVENT__EVENT_ACCEPTED:
    case KSTATUS__V1__EVENT__EVENT_OUTCOME:
    case KSTATUS__V1__EVENT__EVENT_DRAINING:
    case _KSTATUS__V1__EVENT__EVENT__CASE_IS_INT_SIZE:
    default:
        world_fail(r->world, "reader %u: an event that was not asked for: %d", r->number,
                   (int)e->event_case);
    }
}

/* One response; false when there was none. */
static bool read_one(struct reader *r, uint32_t max_events)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf bytes = KS_BUF(RESPONSE_MAX_BYTES);
    struct ks_outbox_taken taken;
    Kstatus__V1__WatchResponse *m;

    if (ks_outbox_take(r->outbox, max_events, TAKE_BYTES, r->world->clock.now_wall_ms, &bytes,
                       &taken) ||
        !taken.events)
        return false;
    m = kstatus__v1__watch_response__unpack(NULL, bytes.len, (const uint8_t *)bytes.data);
    if (!m || m->n_events != taken.events || m->first_sequence != r->next_sequence)
        world_fail(r->world, "reader %u: response %llu does not follow on: %llu was to come",
                   r->number, m ? (unsigned long long)m->first_sequence : 0,
                   (unsigned long long)r->next_sequence);
    for (size_t i = 0; m && i < m->n_events && !r->world->has_trouble; i++)
        on_event(r, m->events[i]);
    r->next_sequence += taken.events;
    if (m)
        kstatus__v1__watch_response__free_unpacked(m, NULL);
    return true;
}

void reader_drain(struct reader *r)
{
    while (!r->world->has_trouble && read_one(r, 64))
        ;
}

static void on_timer(struct ks_timer *timer)
{
    struct reader *r = KS_CONTAINER_OF(timer, struct reader, timer);
    struct dice *d = &r->world->dice;

    if (r->pace == READER_PROMPT) {
        reader_drain(r);
        return;
    }
    (void)read_one(r, 1 + dice_below(d, 5)); /* there may be nothing */
    ks_timer_start(timer, dice_between(d, 1, SLOW_MS_MAX));
}

struct reader *reader_open(struct world *w, unsigned number)
{
    static const struct ks_feed_ops ops = {.on_failed = on_failed};
    struct ks_target targets[READER_TARGETS_MAX];
    struct reader *r = ks_alloc0(sizeof(*r));
    struct ks_feed_config config = {.kube = NULL};
    struct ks_error err;
    uint32_t pace = dice_below(&w->dice, 10);

    if (!r)
        return NULL;
    r->world = w;
    r->number = number;
    r->identity = dice_below(&w->dice, WORLD_IDENTITIES);
    r->pace = pace < 7 ? READER_PROMPT : pace < 9 ? READER_SLOW : READER_STALLED;
    r->may_overflow = r->pace != READER_PROMPT && dice_permille(&w->dice, 200);
    r->opened_wall_ms = w->clock.now_wall_ms;
    r->next_sequence = 1;
    ks_timer_init(&r->timer, w->loop, on_timer);
    if (!draw_targets(r, targets))
        return reader_close(r);
    r->config = (struct ks_session_config){
        .targets = targets,
        .target_count = r->target_count,
        .max_objects = 50000,
        .first_answer_ms = 30000,
        .include_causes = dice_permille(&w->dice, 300),
        .generated_depth = dice_permille(&w->dice, 200) ? 2 : 0,
    };
    config = (struct ks_feed_config){.kube = w->kubes[r->identity],
                                     .session = &r->config,
                                     .stats = &r->stats,
                                     .clock = &w->clock.clock};
    if (ks_outbox_new(r->may_overflow ? CONTROL_SMALL : CONTROL_MAX, on_ring, r, &r->outbox, &err))
        return reader_close(r);
    config.outbox = r->outbox;
    if (ks_feed_new(&config, &ops, r, &r->feed, &err)) {
        world_fail(w, "reader %u: %s", number, err.msg);
        return reader_close(r);
    }
    r->config.targets = NULL; /* they were borrowed */
    if (r->pace == READER_SLOW)
        ks_timer_start(&r->timer, SLOW_MS_MAX);
    return r;
}

struct reader *reader_close(struct reader *r)
{
    if (!r)
        return NULL;
    ks_timer_stop(&r->timer);
    r->feed = ks_feed_free(r->feed);
    if (r->outbox)
        ks_outbox_close(r->outbox);
    r->outbox = ks_outbox_unref(r->outbox);
    for (size_t i = 0; i < r->fact_count; i++)
        kstatus__v1__resource_status__free_unpacked(r->facts[i].told, NULL);
    if (r->heartbeat)
        kstatus__v1__heartbeat__free_unpacked(r->heartbeat, NULL);
    for (size_t i = 0; i < r->target_count; i++)
        r->targets[i].selector = sim_selector_free(r->targets[i].selector);
    ks_free(r->facts);
    ks_free(r);
    return NULL;
}
