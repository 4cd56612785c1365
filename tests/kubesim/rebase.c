/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over a tree, with a work list instead of recursion.
 *
 * The model: a text counts as a time when its member's name ends in "Time", "Timestamp", "At" or is
 * "time", and the text parses as RFC 3339. A time t becomes to + (t - from) / speed, cut to whole
 * seconds where it had been whole. Members called "uid" are varied by the round, everywhere alike,
 * so that references still fit.
 *
 * Thread: any.
 */
#include "rebase.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/rfc3339.h"
#include "base/str.h"

#define REBASE_DEPTH_MAX 4096
#define TIME_MIN_LEN 20
#define UID_LEN 36

struct walk {
    json_t *todo[REBASE_DEPTH_MAX];
    size_t len;
    const struct sim_rebase *rebase; /* NULL: only look */
    int64_t latest_ms;
};

static bool is_time_name(const char *name)
{
    struct ks_str s = ks_str_from(name);

    return ks_str_ends(s, KS_LIT("Time")) || ks_str_ends(s, KS_LIT("Timestamp")) ||
           ks_str_ends(s, KS_LIT("At")) || ks_str_is(s, "time");
}

static void time_visit(struct walk *w, json_t *value)
{
    struct ks_str text = ks_str_make(json_string_value(value), json_string_length(value));
    char moved[KS_RFC3339_MAX];
    int64_t t;

    if (text.len < TIME_MIN_LEN || !ks_rfc3339_parse(text, &t))
        return;
    if (t > w->latest_ms)
        w->latest_ms = t;
    if (!w->rebase || w->rebase->from_ms == INT64_MIN)
        return;
    t = w->rebase->to_ms + (int64_t)((double)(t - w->rebase->from_ms) / w->rebase->speed);
    if (ks_str_chr(text, '.') < 0)
        t -= t % 1000;
    ks_rfc3339_format(t, moved);
    (void)json_string_set(value, moved); /* without memory the old time stays */
}

static void uid_visit(const struct walk *w, json_t *value)
{
    char uid[UID_LEN + 1];
    unsigned head;

    if (!w->rebase || w->rebase->round == 0 || json_string_length(value) != UID_LEN)
        return;
    snprintf(uid, sizeof(uid), "%s", json_string_value(value));
    if (sscanf(uid, "%8x", &head) != 1)
        return;
    head ^= (unsigned)w->rebase->round;
    snprintf(uid, sizeof(uid), "%08x%s", head, json_string_value(value) + 8);
    (void)json_string_set(value, uid); /* without memory the old one stays */
}

static void visit(struct walk *w, const char *name, json_t *value)
{
    if (json_is_string(value)) {
        if (strcmp(name, "uid") == 0)
            uid_visit(w, value);
        else if (is_time_name(name))
            time_visit(w, value);
        return;
    }
    if ((json_is_object(value) || json_is_array(value)) && w->len < REBASE_DEPTH_MAX)
        w->todo[w->len++] = value;
}

static void walk_run(struct walk *w, json_t *root)
{
    visit(w, "", root);
    while (w->len > 0) {
        json_t *at = w->todo[--w->len];

        for (void *i = json_object_iter(at); i; i = json_object_iter_next(at, i))
            visit(w, json_object_iter_key(i), json_object_iter_value(i));
        for (size_t i = 0; i < json_array_size(at); i++)
            visit(w, "", json_array_get(at, i));
    }
}

void sim_rebase_apply(const struct sim_rebase *r, json_t *value)
{
    struct walk w = {.rebase = r, .latest_ms = INT64_MIN};

    walk_run(&w, value);
}

int64_t sim_rebase_latest(json_t *value)
{
    struct walk w = {.latest_ms = INT64_MIN};

    walk_run(&w, value);
    return w.latest_ms;
}
