/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario is a sorted list of operations and a clock.
 *
 * The model: each batch (a file, or lines that came in at run time) has its own start. One timer
 * waits for the operation that is due first among all batches.
 *
 * 1. Operations of equal time keep the order of their lines.
 * 2. A batch from a file is moved to the present (rebase.h); lines of run time are taken as they
 * are, unless they begin with {"op":"recorded"}. When the recording began is told by that op's
 * "at", or found: the latest time in any object less that operation's at_ms, at most.
 * 3. With --loop the file starts over when its last operation is done: what it made is taken away
 * first.
 * 4. An operation that fails is counted and logged; the scenario goes on.
 *
 * Thread: one.
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/list.h"
#include "base/rfc3339.h"

#include "loop.h"
#include "object.h"
#include "operation.h"
#include "rebase.h"
#include "sim.h"

#define SCENARIO_MAX_BYTES ((size_t)512 * 1024 * 1024)
#define SCENARIO_OPS_MAX 1000000

struct item {
    int64_t at_ms;
    size_t line;
    json_t *op;
};

struct batch {
    struct ks_list link;
    struct item *items;
    size_t len;
    size_t cap;
    size_t next;
    int64_t started_ms; /* monotonic */
    bool is_recorded;
    bool loops;
    struct sim_rebase rebase;
};

struct sim_scenario {
    struct sim *sim;
    struct ks_list batches;
    struct sim_timer timer;
    struct sim_scenario_stats stats;
};

static struct batch *batch_free(struct batch *b)
{
    if (!b)
        return NULL;
    ks_list_remove(&b->link);
    for (size_t i = 0; i < b->len; i++)
        json_decref(b->items[i].op);
    ks_free(b->items);
    ks_free(b);
    return NULL;
}

static ks_rc item_add(struct batch *b, json_t *op, size_t line)
{
    size_t cap = b->cap ? b->cap * 2 : 64;
    struct item *grown;

    if (b->len == SCENARIO_OPS_MAX)
        return KS_RC_LIMIT;
    if (b->len == b->cap) {
        grown = ks_realloc_array(b->items, cap, sizeof(*grown));
        if (!grown)
            return KS_RC_NOMEM;
        b->items = grown;
        b->cap = cap;
    }
    b->items[b->len++] = (struct item){json_integer_value(json_object_get(op, "at_ms")), line, op};
    return KS_RC_OK;
}

static ks_rc line_parse(struct batch *b, struct ks_str text, size_t line, struct ks_error *err)
{
    json_error_t where;
    json_t *op = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, &where);
    ks_rc rc;

    if (!json_is_object(op)) {
        json_decref(op);
        return ks_fail(err, KS_RC_PARSE, "line %zu: %s", line, op ? "no object" : where.text);
    }
    rc = sim_operation_check(op, err);
    if (!rc && item_add(b, op, line))
        rc = ks_fail(err, KS_RC_LIMIT, "there are more than %d operations", SCENARIO_OPS_MAX);
    if (rc) {
        json_decref(op);
        return ks_wrap(err, rc, "line %zu", line);
    }
    return KS_RC_OK;
}

/* Merge sort would be stable by itself; qsort is not, so lines break ties. */
static int item_compare(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static ks_rc batch_parse(struct ks_str lines, struct batch **out, struct ks_error *err)
{
    struct batch *b = ks_alloc0(sizeof(*b));
    struct ks_str line;
    size_t number = 0;

    if (!b)
        return ks_fail(err, KS_RC_NOMEM, "scenario");
    ks_list_init(&b->link);
    while (lines.len > 0 && ks_str_split(&lines, '\n', &line)) {
        ks_rc rc;

        number++;
        line = ks_str_trim(line);
        if (line.len == 0)
            continue;
        rc = line_parse(b, line, number, err);
        if (rc) {
            batch_free(b);
            return rc;
        }
    }
    qsort(b->items, b->len, sizeof(struct item), item_compare);
    *out = b;
    return KS_RC_OK;
}

/* Finds when the recording began. */
static void batch_date(struct batch *b)
{
    int64_t found = INT64_MIN;

    for (size_t i = 0; i < b->len; i++) {
        const json_t *op = b->items[i].op;
        int64_t latest = sim_rebase_latest(json_object_get(op, "object"));
        int64_t at;

        if (strcmp(sim_json_text(op, "op"), "recorded") == 0) {
            b->is_recorded = !json_is_false(json_object_get(op, "on"));
            if (ks_rfc3339_parse(ks_str_from(sim_json_text(op, "at")), &at)) {
                b->rebase.from_ms = at;
                return;
            }
        }
        if (latest != INT64_MIN && latest - b->items[i].at_ms > found)
            found = latest - b->items[i].at_ms;
    }
    b->rebase.from_ms = found;
}

static void batch_start(struct sim_scenario *s, struct batch *b)
{
    b->started_ms = sim_loop_now_ms(s->sim->loop);
    b->next = 0;
    b->rebase.to_ms = s->sim->clock->wall_ms(s->sim->clock);
    b->rebase.speed = s->sim->config.speed;
}

static int64_t item_due_ms(const struct sim_scenario *s, const struct batch *b)
{
    return b->started_ms + (int64_t)((double)b->items[b->next].at_ms / s->sim->config.speed);
}

static bool item_run(struct sim_scenario *s, const struct batch *b, const struct item *item)
{
    json_t *op = json_deep_copy(item->op);
    struct ks_error err;
    ks_rc rc;

    if (!op)
        return false;
    if (b->is_recorded)
        sim_rebase_apply(&b->rebase, op);
    rc = sim_operation_run(s->sim, op, &err);
    json_decref(op);
    if (!rc) {
        s->stats.done++;
        return true;
    }
    s->stats.failed++;
    snprintf(s->stats.last_error, sizeof(s->stats.last_error), "line %zu: %.480s", item->line,
             err.msg);
    ks_log(&s->sim->log, KS_LOG_WARN, "scenario operation failed", KS_F_INT("line", item->line),
           KS_F_STR("why", err.msg));
    return false;
}

static void batch_undo(struct sim_scenario *s, struct batch *b)
{
    for (size_t i = b->len; i-- > 0;)
        sim_operation_undo(s->sim, b->items[i].op);
}

/* Carries out what is due; returns how many of it failed. */
static size_t batch_run(struct sim_scenario *s, struct batch *b)
{
    int64_t now_ms = sim_loop_now_ms(s->sim->loop);
    size_t failed = 0;

    while (b->next < b->len && item_due_ms(s, b) <= now_ms)
        failed += !item_run(s, b, &b->items[b->next++]);
    if (b->next < b->len || !b->loops || b->len == 0 || b->items[b->len - 1].at_ms <= 0)
        return failed;
    batch_undo(s, b);
    s->stats.rounds++;
    b->rebase.round++;
    batch_start(s, b);
    return failed;
}

static void timer_set(struct sim_scenario *s)
{
    int64_t due_ms = INT64_MAX;

    KS_LIST_FOREACH(link, &s->batches)
    {
        struct batch *b = KS_CONTAINER_OF(link, struct batch, link);

        if (b->next == b->len)
            batch_free(b);
        else if (item_due_ms(s, b) < due_ms)
            due_ms = item_due_ms(s, b);
    }
    if (due_ms == INT64_MAX)
        sim_timer_stop(s->sim->loop, &s->timer);
    else if (!sim_timer_start(s->sim->loop, &s->timer, due_ms - sim_loop_now_ms(s->sim->loop)))
        ks_log(&s->sim->log, KS_LOG_ERROR, "scenario stopped: no memory for its timer");
}

static void on_timer(struct sim_timer *timer)
{
    struct sim_scenario *s = KS_CONTAINER_OF(timer, struct sim_scenario, timer);

    KS_LIST_FOREACH(link, &s->batches)
    batch_run(s, KS_CONTAINER_OF(link, struct batch, link));
    timer_set(s);
}

ks_rc sim_scenario_new(struct sim *sim, struct sim_scenario **out, struct ks_error *err)
{
    struct sim_scenario *s = ks_alloc0(sizeof(*s));

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "scenario");
    s->sim = sim;
    s->timer.on_due = on_timer;
    ks_list_init(&s->batches);
    *out = s;
    return KS_RC_OK;
}

struct sim_scenario *sim_scenario_free(struct sim_scenario *s)
{
    if (!s)
        return NULL;
    sim_timer_stop(s->sim->loop, &s->timer);
    KS_LIST_FOREACH(link, &s->batches)
    batch_free(KS_CONTAINER_OF(link, struct batch, link));
    ks_free(s);
    return NULL;
}

ks_rc sim_scenario_load(struct sim_scenario *s, const char *path, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(SCENARIO_MAX_BYTES);
    struct batch *b;
    ks_rc rc;

    rc = ks_file_read(path, &text, err);
    if (rc)
        return rc;
    rc = batch_parse(ks_buf_str(&text), &b, err);
    if (rc)
        return ks_wrap(err, rc, "scenario %s", path);
    b->is_recorded = true;
    b->loops = s->sim->config.loops;
    batch_date(b);
    batch_start(s, b);
    ks_list_push(&s->batches, &b->link);
    batch_run(s, b);
    timer_set(s);
    return KS_RC_OK;
}

ks_rc sim_scenario_add(struct sim_scenario *s, struct ks_str lines, size_t *out_accepted,
                       size_t *out_failed, struct ks_error *err)
{
    struct batch *b;
    ks_rc rc = batch_parse(lines, &b, err);

    if (rc)
        return rc;
    batch_date(b);
    batch_start(s, b);
    ks_list_push(&s->batches, &b->link);
    *out_accepted = b->len;
    *out_failed = batch_run(s, b);
    timer_set(s);
    return KS_RC_OK;
}

void sim_scenario_stats(const struct sim_scenario *s, struct sim_scenario_stats *out)
{
    *out = s->stats;
    out->waiting = 0;
    KS_LIST_FOREACH(link, &s->batches)
    {
        const struct batch *b = KS_CONTAINER_OF(link, struct batch, link);

        out->waiting += b->len - b->next;
    }
}
