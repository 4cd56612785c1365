/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's life, its voice, and the moment of SYNCED.
 *
 *   SNAPSHOT ──each target has had an answer──> LIVE
 *       └──────────┬── limit, no memory ──> FAILED
 *   any ──ks_session_free──> CLOSED
 *
 * Invariants:
 *   1. the sink is spoken to in SNAPSHOT and LIVE only, but for on_failed, once, on entering
 * FAILED, and on_forget;
 *   2. the sink may free the session from within what it is told: then everything below is stopped
 * and freed at once, and only the struct waits until the callbacks on the stack have left;
 *   3. leaving SNAPSHOT is final: what happens to targets later does not take SYNCED back.
 *
 * Thread: the loop's.  It does not: know what a target becomes (pursuit.c) or an object is
 * (show.c).
 */
#include "watcher/session.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/plant.h"

#include "kube/client.h"

#include "watcher/children.h"
#include "watcher/session_internal.h"
#include "watcher/target_check.h"

#define MAX_OBJECTS_DEFAULT 50000
#define FIRST_ANSWER_MS_DEFAULT 30000
/* With its jitter a delay is at most twice this. */
#define RETRY_CAP_MS 5000

static const struct {
    const char *text;
    unsigned next;
} state_table[] = {
#define TO(name) (1u << KS_SESSION_##name)
#define X(name, text, next) {text, next},
    KS_SESSION_STATES(X)
#undef X
#undef TO
};

static void set_state(struct ks_session *s, ks_session_state to)
{
    assert(state_table[s->state].next & (1u << to));
    ks_log(ks_kube_log(s->kube), KS_LOG_DEBUG, "session state",
           KS_F_STR("from", state_table[s->state].text), KS_F_STR("to", state_table[to].text));
    s->state = to;
}

static void session_destroy(struct ks_session *s)
{
    ks_free(s->causes);
    ks_free(s->told_causes);
    ks_free(s->pursuits);
    ks_free(s->text);
    ks_free(s);
}

void ks_session_enter(struct ks_session *s)
{
    s->depth++;
}

void ks_session_leave(struct ks_session *s)
{
    assert(s->depth > 0);
    if (--s->depth == 0 && s->state == KS_SESSION_CLOSED)
        session_destroy(s);
}

bool ks_session_emit(struct ks_session *s, const struct ks_event *event)
{
    assert(ks_session_is_open(s) && s->depth > 0);
    s->ops.on_event(s->ctx, event);
    /* Careful: the session may be closed now, and all but its struct be gone. */
    return ks_session_is_open(s);
}

/* Nothing calls back any more. */
static void stop(struct ks_session *s)
{
    ks_timer_stop(&s->first_answer);
    ks_timer_stop(&s->retry);
    ks_timer_stop(&s->pulse);
    for (size_t i = 0; i < s->pursuit_count; i++)
        ks_pursuit_stop(&s->pursuits[i]);
    ks_rechecks_cancel(s);
    ks_nurseries_free(s);
    ks_doubts_free(s);
    while (!ks_list_is_empty(&s->watches))
        ks_watch_free(KS_CONTAINER_OF(s->watches.next, struct ks_watch, link));
}

bool ks_session_fail(struct ks_session *s, const struct ks_error *err)
{
    struct ks_error copy = *err; /* it may lie in what is freed now */

    if (!ks_session_is_open(s))
        return false;
    set_state(s, KS_SESSION_FAILED);
    stop(s);
    s->ops.on_failed(s->ctx, &copy);
    return false;
}

bool ks_session_fail_nomem(struct ks_session *s)
{
    struct ks_error err;

    (void)ks_fail(&err, KS_RC_NOMEM, /* passed on */
                  "no memory left to watch %zu objects", s->object_count);
    return ks_session_fail(s, &err);
}

size_t ks_session_ids(const struct ks_session *s, ks_target_bits bits, uint32_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (bits & ((ks_target_bits)1 << i))
            out[count++] = s->pursuits[i].target.target_id;
    }
    return count;
}

static void count_chain(void *ctx, struct ks_str key KS_UNUSED, void *value)
{
    struct ks_counts *counts = ctx;

    for (const struct ks_object *o = value; o; o = KS_PLANTED(23) ? NULL : o->sibling) {
        if (o->shown && ks_object_targets(o) && !(o->is_gone && !o->named))
            counts->by_status[o->shown->status]++;
    }
}

static void count_all(const struct ks_session *s, struct ks_counts *counts)
{
    KS_LIST_FOREACH(link, &s->kinds)
    {
        ks_map_foreach(KS_CONTAINER_OF(link, struct ks_kind, link)->objects, count_chain, counts);
    }
    for (size_t i = 0; i < s->pursuit_count; i++) {
        const struct ks_object *o = s->pursuits[i].object;

        if (o && !o->kind && o->shown)
            counts->by_status[o->shown->status]++;
    }
}

/* What a target that cannot be read would have brought is in no count, so it is not known either
 * that all is well. */
static ks_status aggregate_of(const struct ks_session *s, const struct ks_counts *counts)
{
    ks_status aggregate = ks_counts_aggregate(counts, KS_STATUS_CURRENT);

    if (aggregate == KS_STATUS_FAILED)
        return aggregate;
    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (s->pursuits[i].told != KS_TARGET_SYNCED)
            return KS_STATUS_UNKNOWN;
    }
    KS_LIST_FOREACH(link, &s->watches)
    {
        if (KS_CONTAINER_OF(link, struct ks_watch, link)->unnamed_rc)
            return KS_STATUS_UNKNOWN;
    }
    return aggregate;
}

bool ks_session_settle(struct ks_session *s, struct ks_pursuit *p)
{
    struct ks_event event = {.kind = KS_EVENT_SYNCED};

    p->is_settled = true;
    if (s->state != KS_SESSION_SNAPSHOT)
        return true;
    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (!s->pursuits[i].is_settled && !KS_PLANTED(10))
            return true;
    }
    ks_timer_stop(&s->first_answer);
    set_state(s, KS_SESSION_LIVE);
    count_all(s, &event.synced.counts);
    event.synced.aggregate = aggregate_of(s, &event.synced.counts);
    return ks_session_emit(s, &event);
}

/* "30 s", "1.7 s" */
static void write_seconds(char out[32], int64_t ms)
{
    long long tenths = (long long)(ms + 50) / 100;

    if (tenths % 10 == 0)
        (void)snprintf(out, 32, "%lld s", tenths / 10);
    else
        (void)snprintf(out, 32, "%lld.%lld s", tenths / 10, tenths % 10);
}

/* Why a target has no answer yet: what was told of it, else what keeps all of them. */
static void excuse_for(const struct ks_session *s, const struct ks_pursuit *p, struct ks_error *out)
{
    struct ks_error last;
    char waited[32];

    write_seconds(waited, s->first_answer_ms);
    if (p->told_why)
        (void)ks_fail(out, KS_RC_UNAVAILABLE, /* passed on */
                      "not known after %s: %s", waited, p->told_why);
    else if (ks_kube_last_error(s->kube, &last) || ks_kube_awaits_plugin(s->kube, &last))
        (void)ks_fail(out, KS_RC_UNAVAILABLE, /* passed on */
                      "not known after %s: %s", waited, last.msg);
    else
        (void)ks_fail(out, KS_RC_TIMEOUT, /* passed on */
                      "the API server has not listed it within %s", waited);
}

/* What has not been answered by now is answered by what keeps it. */
static bool answer_late(struct ks_session *s)
{
    struct ks_error err;

    if (!ks_nurseries_give_up(s))
        return false;
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if (p->is_settled)
            continue;
        excuse_for(s, p, &err);
        if (p->told != KS_TARGET_DISCONNECTED && !ks_pursuit_tell(p, KS_TARGET_DISCONNECTED, &err))
            return false;
        if (!ks_pursuit_excuse(p, KS_LIT("NotSynced"), &err))
            return false;
    }
    return true;
}

static void on_first_answer(struct ks_timer *timer)
{
    struct ks_session *s = KS_CONTAINER_OF(timer, struct ks_session, first_answer);
    bool is_open;

    ks_session_enter(s);
    is_open = answer_late(s);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* The members of a target that are strings. */
#define STRINGS 9
static void strings_of(struct ks_target *t, struct ks_str *out[STRINGS])
{
    out[0] = &t->resource;
    out[1] = &t->group;
    out[2] = &t->version;
    out[3] = &t->object_kind;
    out[4] = &t->ns;
    out[5] = &t->name;
    out[6] = &t->uid;
    out[7] = &t->label_selector;
    out[8] = &t->min_version;
}

static size_t text_size(const struct ks_target *target)
{
    struct ks_target t = *target;
    struct ks_str *strings[STRINGS];
    size_t size = t.field_selector.len;

    strings_of(&t, strings);
    for (size_t i = 0; i < STRINGS; i++)
        size += strings[i]->len;
    return size;
}

static char *move_string(char *at, struct ks_str *s)
{
    if (s->len)
        memcpy(at, s->ptr, s->len);
    s->ptr = at;
    return at + s->len;
}

static bool copy_targets(struct ks_session *s, const struct ks_target *targets, size_t count)
{
    size_t size = 0;
    char *at;

    for (size_t i = 0; i < count; i++)
        size += text_size(&targets[i]);
    s->text = ks_alloc(size + 1);
    s->pursuits = ks_alloc_array(count, sizeof(s->pursuits[0]));
    if (!s->text || !s->pursuits)
        return false;
    at = s->text;
    s->pursuit_count = count;
    for (size_t i = 0; i < count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];
        struct ks_str *strings[STRINGS];

        p->session = s;
        p->target = targets[i];
        strings_of(&p->target, strings);
        for (size_t j = 0; j < STRINGS; j++)
            at = move_string(at, strings[j]);
        at = move_string(at, &p->target.field_selector);
    }
    return true;
}

static void session_init(struct ks_session *s, struct ks_kube *kube,
                         const struct ks_session_config *config)
{
    s->kube = kube;
    s->loop = ks_kube_loop(kube);
    s->max_objects = config->max_objects ? config->max_objects : MAX_OBJECTS_DEFAULT;
    s->first_answer_ms =
        config->first_answer_ms ? config->first_answer_ms : FIRST_ANSWER_MS_DEFAULT;
    s->profile = config->profile;
    s->includes_objects = config->include_objects;
    s->generated_depth = config->generated_depth < KS_CHILD_LEVELS_MAX ? config->generated_depth
                                                                       : KS_CHILD_LEVELS_MAX;
    s->backoff = KS_BACKOFF_DEFAULT;
    s->backoff.cap_ms = RETRY_CAP_MS;
    ks_list_init(&s->kinds);
    ks_list_init(&s->watches);
    ks_list_init(&s->doubts);
    ks_list_init(&s->rechecks);
    ks_list_init(&s->nurseries);
    ks_timer_init(&s->first_answer, s->loop, on_first_answer);
    ks_timer_init(&s->retry, s->loop, ks_pursuit_on_retry);
    ks_timer_init(&s->pulse, s->loop, ks_pursuit_on_pulse);
}

static ks_rc session_start(struct ks_session *s, const struct ks_session_config *config,
                           struct ks_error *err)
{
    if (config->include_causes) {
        s->causes = ks_alloc0(sizeof(*s->causes));
        s->told_causes = ks_alloc0(sizeof(*s->told_causes));
        if (!s->causes || !s->told_causes)
            return ks_fail(err, KS_RC_NOMEM, "no memory for the causes of a session");
    }
    if (!copy_targets(s, config->targets, config->target_count))
        return ks_fail(err, KS_RC_NOMEM, "no memory for a session of %zu targets",
                       config->target_count);
    for (size_t i = 0; i < s->pursuit_count; i++) {
        ks_rc rc = ks_pursuit_start(&s->pursuits[i], err);

        if (rc)
            return rc;
    }
    ks_timer_start(&s->first_answer, s->first_answer_ms);
    return KS_RC_OK;
}

ks_rc ks_session_new(struct ks_kube *kube, const struct ks_session_config *config,
                     const struct ks_session_ops *ops, void *ctx, struct ks_session **out,
                     struct ks_error *err)
{
    ks_rc rc = ks_targets_check(config->targets, config->target_count, err);
    struct ks_session *s;

    if (rc)
        return rc;
    s = ks_alloc0(sizeof(*s));
    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a session");
    session_init(s, kube, config);
    s->ops = *ops;
    s->ctx = ctx;
    rc = session_start(s, config, err);
    if (rc) {
        (void)ks_session_free(s); /* always NULL */
        return rc;
    }
    *out = s;
    return KS_RC_OK;
}

struct ks_session *ks_session_free(struct ks_session *s)
{
    if (!s)
        return NULL;
    ks_loop_assert_here(s->loop);
    set_state(s, KS_SESSION_CLOSED);
    stop(s);
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_object *o = s->pursuits[i].object;

        if (o && !o->kind)
            ks_object_free(s, o);
    }
    while (!ks_list_is_empty(&s->kinds))
        ks_kind_free(s, KS_CONTAINER_OF(s->kinds.next, struct ks_kind, link));
    assert(s->object_count == 0);
    if (s->depth == 0)
        session_destroy(s);
    return NULL;
}

size_t ks_session_object_count(const struct ks_session *s)
{
    return s->object_count;
}

void ks_session_tally(const struct ks_session *s, struct ks_synced *out)
{
    struct ks_synced now = {.counts = {{0}}};

    count_all(s, &now.counts);
    now.aggregate = aggregate_of(s, &now.counts);
    *out = now;
}

struct walk {
    const struct ks_session *session;
    void (*fn)(void *ctx, const struct ks_event *update);
    void *ctx;
};

static void walk_object(const struct walk *walk, struct ks_object *o)
{
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event;

    if (!o->shown || !ks_object_targets(o))
        return;
    ks_object_event(walk->session, o, ids, &event);
    walk->fn(walk->ctx, &event);
}

static void walk_chain(void *ctx, struct ks_str key KS_UNUSED, void *value)
{
    for (struct ks_object *o = value; o; o = o->sibling)
        walk_object(ctx, o);
}

void ks_session_each(const struct ks_session *s,
                     void (*fn)(void *ctx, const struct ks_event *update), void *ctx)
{
    struct walk walk = {.session = s, .fn = fn, .ctx = ctx};

    KS_LIST_FOREACH(link, &s->kinds)
    {
        ks_map_foreach(KS_CONTAINER_OF(link, struct ks_kind, link)->objects, walk_chain, &walk);
    }
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_object *o = s->pursuits[i].object;

        if (o && !o->kind)
            walk_object(&walk, o);
    }
}

bool ks_session_awaits(const struct ks_session *s)
{
    ks_target_bits required = 0;

    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (!s->pursuits[i].target.is_best_effort)
            required |= ks_pursuit_bit(&s->pursuits[i]);
    }
    return ks_parents_hold(s, required);
}

const struct ks_target *ks_session_target(const struct ks_session *s, size_t index)
{
    assert(index < s->pursuit_count);
    return &s->pursuits[index].target;
}
