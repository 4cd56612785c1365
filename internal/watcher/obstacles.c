/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short list that is kept sorted while everything is walked past it, so that a goal over 50,000
 * objects costs a walk and no memory for them.
 *
 * Most telling first is: what has failed; what cannot be known; what has a cause; what is not
 * there; what is merely not ready. Among equals, what has been so for longest.
 *
 * When the status itself is in the way, it says all. Else the obstacle's code and message do.
 *
 * Thread: the caller's.  It does not: decide what is in the way (until.c).
 */
#include "watcher/obstacles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define TEXT_MAX 640

struct obstacle {
    struct ks_update update;
    unsigned rank;
    uint32_t ids[KS_UNTIL_TARGETS_MAX];
    char text[TEXT_MAX];
};

struct ks_obstacles {
    const struct ks_until *until;
    size_t count;
    uint32_t total;
    struct obstacle spare; /* is filled, and then finds its place or not */
    struct obstacle kept[KS_OBSTACLES_MAX];
    struct ks_update updates[KS_OBSTACLES_MAX];
};

struct ks_obstacles *ks_obstacles_new(const struct ks_until *until)
{
    struct ks_obstacles *list = ks_alloc0(sizeof(*list));

    if (!list)
        return NULL;
    list->until = until;
    return list;
}

static unsigned rank_of(ks_status status, size_t cause_count, ks_until_why why)
{
    if (why == KS_UNTIL_WEAK_BASIS || why == KS_UNTIL_UNCONFIRMED)
        return 7;
    switch (status) {
    case KS_STATUS_FAILED:
        return why == KS_UNTIL_STATUS ? 0 : 4; /* what was applied has not */
    case KS_STATUS_UNKNOWN:
        return 1;
    case KS_STATUS_NOT_FOUND:
        return 3;
    case KS_STATUS_IN_PROGRESS:
    case KS_STATUS_CURRENT:
    case KS_STATUS_UNSPECIFIED:
        return cause_count ? 2 : 5;
    case KS_STATUS_TERMINATING:
        return cause_count ? 2 : 6;
    }
    return 6;
}

static int compare(const struct obstacle *a, const struct obstacle *b)
{
    const struct ks_object_id *x = &a->update.object;
    const struct ks_object_id *y = &b->update.object;
    int order;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->update.transition_time_ms != b->update.transition_time_ms)
        return a->update.transition_time_ms < b->update.transition_time_ms ? -1 : 1;
    order = ks_str_cmp(x->kind, y->kind);
    if (!order)
        order = ks_str_cmp(x->ns, y->ns);
    return order ? order : ks_str_cmp(x->name, y->name);
}

/* The spare one's place is found, if it has one. */
static void keep(struct ks_obstacles *list)
{
    size_t at = list->count;

    list->total++;
    while (at > 0 && compare(&list->spare, &list->kept[at - 1]) < 0)
        at--;
    if (at == KS_OBSTACLES_MAX)
        return;
    if (list->count < KS_OBSTACLES_MAX)
        list->count++;
    memmove(&list->kept[at + 1], &list->kept[at], (list->count - at - 1) * sizeof(list->kept[0]));
    list->kept[at] = list->spare;
}

static const char *basis_text(ks_basis basis)
{
    static const char *const texts[] = {
        [KS_BASIS_UNSPECIFIED] = "nothing",
        [KS_BASIS_KIND_RULE] = "a rule for the kind",
        [KS_BASIS_STANDARD_CONDITION] = "a standard condition",
        [KS_BASIS_CUSTOM_RULE] = "a custom rule",
        [KS_BASIS_GENERATION_ONLY] = "an observed generation and nothing else",
        [KS_BASIS_ASSUMED] = "nothing that contradicts it",
    };

    return texts[basis];
}

/* The newest generation that a target of the object waits for. */
static int64_t awaited_generation(const struct ks_obstacles *list, const struct ks_update *u)
{
    int64_t awaited = 0;

    for (size_t i = 0; i < list->until->target_count; i++) {
        for (size_t j = 0; j < u->target_count; j++) {
            if (list->until->targets[i].target_id == u->target_ids[j] &&
                list->until->targets[i].min_generation > awaited)
                awaited = list->until->targets[i].min_generation;
        }
    }
    return awaited;
}

static struct ks_str awaited_version(const struct ks_obstacles *list, const struct ks_update *u)
{
    for (size_t i = 0; i < list->until->target_count; i++) {
        for (size_t j = 0; j < u->target_count; j++) {
            if (list->until->targets[i].target_id == u->target_ids[j] &&
                list->until->targets[i].min_version.len)
                return list->until->targets[i].min_version;
        }
    }
    return (struct ks_str){.ptr = NULL};
}

/* The message goes into the obstacle's text; it may be cut. */
static void write_message(const struct ks_obstacles *list, struct obstacle *o, ks_until_why why,
                          const struct ks_error *trouble)
{
    struct ks_update *u = &o->update;

    switch (why) {
    case KS_UNTIL_OLD_GENERATION:
        u->obstacle_code = KS_LIT("OLDER_GENERATION");
        (void)snprintf(o->text, sizeof(o->text),
                       "generation %" PRId64 " is there; %" PRId64 " or later is waited for",
                       u->has_generation ? u->generation : 0, awaited_generation(list, u));
        break;
    case KS_UNTIL_OLD_VERSION:
        u->obstacle_code = KS_LIT("OLDER_RESOURCE_VERSION");
        (void)snprintf(o->text, sizeof(o->text),
                       "resourceVersion %.*s is there; %.*s or later is waited for",
                       KS_STR_ARGS(ks_str_cut_utf8(u->resource_version, 128)),
                       KS_STR_ARGS(ks_str_cut_utf8(awaited_version(list, u), 128)));
        break;
    case KS_UNTIL_WEAK_BASIS:
        u->obstacle_code = KS_LIT("WEAK_BASIS");
        (void)snprintf(o->text, sizeof(o->text), "Current rests on %s; at least %s is waited for",
                       basis_text(u->basis), basis_text(list->until->config.min_basis));
        break;
    case KS_UNTIL_UNCONFIRMED:
        u->obstacle_code = KS_LIT("NOT_CONFIRMED");
        (void)snprintf(o->text, sizeof(o->text),
                       "this was last seen before it could not be read any more%s%s",
                       trouble ? ": " : "", trouble ? trouble->msg : "");
        break;
    case KS_UNTIL_STATUS:
    case KS_UNTIL_COUNTS:
        break;
    }
}

void ks_obstacles_add(struct ks_obstacles *list, const struct ks_update *update,
                      const struct ks_until_object *object, const struct ks_error *trouble)
{
    ks_until_why why = ks_until_object_why(list->until, object);
    struct obstacle *o = &list->spare;

    if (why == KS_UNTIL_COUNTS)
        return;
    o->update = *update;
    o->update.object_json = (struct ks_str){.ptr = NULL}; /* 16 of them would be too much */
    o->rank = rank_of(update->status, update->cause_count, why);
    o->text[0] = '\0';
    memcpy(o->ids, update->target_ids, update->target_count * sizeof(o->ids[0]));
    write_message(list, o, why, trouble);
    keep(list);
}

static struct ks_str reason_of(ks_target_state state)
{
    switch (state) {
    case KS_TARGET_FORBIDDEN:
        return KS_LIT("Forbidden");
    case KS_TARGET_KIND_MISSING:
        return KS_LIT("KindNotServed");
    case KS_TARGET_REFUSED:
        return KS_LIT("Refused");
    case KS_TARGET_LISTING:
    case KS_TARGET_DISCONNECTED:
    case KS_TARGET_SYNCED:
        break;
    }
    return KS_LIT("NotSynced");
}

void ks_obstacles_add_target(struct ks_obstacles *list, size_t index,
                             const struct ks_target *target, const struct ks_error *trouble)
{
    const struct ks_until_target *t = &list->until->targets[index];
    struct obstacle *o = &list->spare;
    struct ks_update *u = &o->update;

    if (!ks_until_target_is_in_way(list->until, index))
        return;
    *u = (struct ks_update){
        .object = {.group = target->group,
                   .version = target->version,
                   .kind = target->object_kind.len ? target->object_kind : target->resource,
                   .ns = target->ns,
                   .name = target->name},
        .target_ids = o->ids,
        .target_count = 1,
    };
    o->ids[0] = t->target_id;
    o->text[0] = '\0';
    if (t->state == KS_TARGET_SYNCED && !t->is_named) {
        u->status = KS_STATUS_NOT_FOUND;
        u->reason = KS_LIT("NothingSelected");
        u->message = KS_LIT("no object matches the selection");
    } else {
        u->status = KS_STATUS_UNKNOWN;
        u->reason = reason_of(t->state);
        u->error_rc = trouble ? trouble->rc : KS_RC_TIMEOUT;
        (void)snprintf(o->text, sizeof(o->text), "%s",
                       trouble ? trouble->msg : "the API server has not told of it yet");
    }
    o->rank = rank_of(u->status, 0, KS_UNTIL_STATUS);
    keep(list);
}

const struct ks_update *ks_obstacles_updates(struct ks_obstacles *list, size_t *out_count,
                                             uint32_t *out_total)
{
    for (size_t i = 0; i < list->count; i++) {
        struct obstacle *o = &list->kept[i];
        struct ks_str text = ks_str_from(o->text);

        o->update.target_ids = o->ids;
        if (o->update.obstacle_code.len)
            o->update.obstacle_message = text;
        else if (text.len)
            o->update.message = o->update.error_message = text;
        list->updates[i] = o->update;
    }
    *out_count = list->count;
    *out_total = list->total;
    return list->updates;
}
