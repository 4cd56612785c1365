/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of states, filled by one listener for each species' table.
 *
 * Thread: one. It does not: know what anybody was told.
 */
#include "convergence/history.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

struct ear {
    struct sim_listener listener;
    struct history *history;
    int species;
};

struct history {
    const struct ks_clock *clock;
    struct ear ears[SPECIES_COUNT];
    struct history_state *states;
    size_t len;
    size_t cap;
};

static void on_event(struct sim_listener *l, struct sim_table *t KS_UNUSED,
                     const struct sim_event *e)
{
    struct ear *ear = KS_CONTAINER_OF(l, struct ear, listener);
    struct history *h = ear->history;

    if (h->len == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 256;
        struct history_state *grown = ks_realloc_array(h->states, cap, sizeof(*grown));

        if (!grown)
            return;
        h->states = grown;
        h->cap = cap;
    }
    h->states[h->len++] = (struct history_state){
        .rev = sim_rev_ref(e->now),
        .wall_ms = h->clock->wall_ms(h->clock),
        .species = ear->species,
        .is_deletion = e->change == SIM_DELETED,
    };
}

struct history *history_new(struct sim_store *store, const struct ks_clock *clock)
{
    struct history *h = ks_alloc0(sizeof(*h));

    if (!h)
        return NULL;
    h->clock = clock;
    for (int i = 0; i < SPECIES_COUNT; i++) {
        struct ear *ear = &h->ears[i];
        struct sim_table *t;
        char name[128];

        snprintf(name, sizeof(name), "%s/%s", species[i].group, species[i].plural);
        t = sim_store_table(store, name);
        ear->history = h;
        ear->species = i;
        ear->listener.on_event = on_event;
        ks_list_init(&ear->listener.link);
        if (!t)
            return history_free(h);
        sim_table_listen(t, &ear->listener);
    }
    return h;
}

struct history *history_free(struct history *h)
{
    if (!h)
        return NULL;
    for (size_t i = 0; i < h->len; i++)
        sim_rev_unref(h->states[i].rev);
    for (int i = 0; i < SPECIES_COUNT; i++) {
        if (h->ears[i].listener.table)
            sim_listener_stop(&h->ears[i].listener);
    }
    ks_free(h->states);
    ks_free(h);
    return NULL;
}

static bool is_of(const struct history_state *s, const struct history_name *name)
{
    return s->species == name->species && ks_str_eq(s->rev->name, name->name) &&
           ks_str_eq(s->rev->ns, name->ns);
}

const struct history_state *history_find(const struct history *h, const struct history_name *name,
                                         struct ks_str uid, uint64_t rv)
{
    for (size_t i = h->len; i-- > 0;) {
        const struct history_state *s = &h->states[i];

        if (s->rev->rv == rv && is_of(s, name) && ks_str_eq(s->rev->uid, uid))
            return s;
    }
    return NULL;
}

bool history_was_absent(const struct history *h, const struct history_name *name, int64_t since_ms)
{
    bool is_there = false;

    for (size_t i = 0; i < h->len; i++) {
        const struct history_state *s = &h->states[i];

        if (!is_of(s, name))
            continue;
        if (!is_there && s->wall_ms > since_ms)
            return true;
        is_there = !s->is_deletion;
        if (!is_there && s->wall_ms >= since_ms)
            return true;
    }
    return !is_there;
}

bool history_was_deleted(const struct history *h, const struct history_name *name,
                         struct ks_str uid)
{
    for (size_t i = h->len; i-- > 0;) {
        const struct history_state *s = &h->states[i];

        if (s->is_deletion && is_of(s, name) && ks_str_eq(s->rev->uid, uid))
            return true;
    }
    return false;
}

bool history_was_other(const struct history *h, const struct history_name *name, struct ks_str uid,
                       int64_t since_ms)
{
    bool is_other = false;

    for (size_t i = 0; i < h->len; i++) {
        const struct history_state *s = &h->states[i];

        if (!is_of(s, name))
            continue;
        is_other = !s->is_deletion && !ks_str_eq(s->rev->uid, uid);
        if (is_other && s->wall_ms >= since_ms)
            return true;
    }
    return is_other;
}

bool history_has_left(const struct history *h, const struct history_name *name, struct ks_str uid,
                      uint64_t rv, const struct sim_selector *selector)
{
    for (size_t i = h->len; i-- > 0;) {
        const struct history_state *s = &h->states[i];

        if (!is_of(s, name) || !ks_str_eq(s->rev->uid, uid) || s->rev->rv <= rv)
            continue;
        if (s->is_deletion || !sim_selector_matches(selector, s->rev))
            return true;
    }
    return false;
}
