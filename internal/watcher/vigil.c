/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vigil stands between a session and its sink: each event passes through it, is noted for the
 * goal, and goes on; what the goal says is asked when its timer fires.
 *
 *   session ──event──> vigil ──event──> sink
 *                        └─> until ──wake──> timer ──decided──> OUTCOME ──> sink
 *
 * The question is put from the timer, never from within an event, even if the goal holds at once:
 * what one read of the connection brings is then all taken in, and no passing state between two of
 * its events decides.
 *
 * Invariants:
 *   1. the session's slot for an object is a record of ours, in which the sink's slot lies;
 *   2. after OUTCOME, or on_failed, the sink hears on_forget alone;
 *   3. the sink may free the vigil from within what it is told: then the session goes at once, and
 * only the struct waits until the callbacks on the stack have left.
 *
 * Thread: the loop's.  It does not: decide (until.c), or rank what is in the way (obstacles.c).
 */
#include "watcher/vigil.h"

#include <assert.h>

#include "base/alloc.h"
#include "loop/loop.h"
#include "kube/client.h"

#include "watcher/obstacles.h"

/* Between looks at whether all objects that are there have been told. */
#define AWAIT_MS 100

struct record {
    void *sink_slot;
    struct ks_until_object until;
};

struct ks_vigil {
    struct ks_session *session;
    struct ks_loop *loop;
    struct ks_session_ops ops;
    void *ctx;
    enum { VIGIL_OPEN, VIGIL_OVER, VIGIL_CLOSED } state;
    unsigned depth; /* callbacks that are on the stack */
    struct ks_until until;
    struct ks_timer timer;
    size_t target_count;
    struct ks_until_target *targets;
    struct ks_error *troubles; /* by target: what is the matter with it; OK: nothing */
};

static void vigil_destroy(struct ks_vigil *v)
{
    ks_free(v->targets);
    ks_free(v->troubles);
    ks_free(v);
}

static void leave(struct ks_vigil *v)
{
    assert(v->depth > 0);
    if (--v->depth == 0 && v->state == VIGIL_CLOSED)
        vigil_destroy(v);
}

static void arm(struct ks_vigil *v)
{
    int64_t wake_ms = ks_until_wake_ms(&v->until);
    int64_t left_ms = wake_ms - ks_loop_now_ms(v->loop);

    if (v->state != VIGIL_OPEN || wake_ms < 0)
        ks_timer_stop(&v->timer);
    else
        ks_timer_start(&v->timer, left_ms > 0 ? left_ms : 0);
}

static void give_up(struct ks_vigil *v, const struct ks_error *err)
{
    v->state = VIGIL_OVER;
    ks_timer_stop(&v->timer);
    v->ops.on_failed(v->ctx, err);
    /* Careful: the vigil may be closed here. */
}

static void note_trouble(struct ks_vigil *v, const struct ks_target_change *change)
{
    for (size_t i = 0; i < v->target_count; i++) {
        if (v->targets[i].target_id == change->target_id)
            (void)ks_fail(&v->troubles[i], change->cause_rc, "%.*s", /* kept for the outcome */
                          KS_STR_ARGS(change->cause_message));
    }
}

/* NULL when out of memory. */
static struct record *record_of(const struct ks_event *event)
{
    if (!*event->sink_slot)
        *event->sink_slot = ks_alloc0(sizeof(struct record));
    return *event->sink_slot;
}

static void note(struct ks_vigil *v, const struct ks_event *event, struct record *record)
{
    int64_t now_ms = ks_loop_now_ms(v->loop);

    switch (event->kind) {
    case KS_EVENT_UPDATE:
        ks_until_update(&v->until, &record->until, &event->update, now_ms);
        break;
    case KS_EVENT_REMOVED:
        ks_until_removed(&v->until, &record->until, &event->removed, now_ms);
        break;
    case KS_EVENT_TARGET_CHANGE:
        note_trouble(v, &event->target_change);
        ks_until_target_change(&v->until, &event->target_change, now_ms);
        break;
    case KS_EVENT_SYNCED:
        ks_until_synced(&v->until, now_ms);
        break;
    case KS_EVENT_OUTCOME:
        assert(0 && "a session has none");
        break;
    }
}

static void pass(struct ks_vigil *v, const struct ks_event *event)
{
    struct ks_event passed = *event;
    struct record *record = NULL;

    if (event->sink_slot) {
        record = record_of(event);
        if (!record) {
            struct ks_error err;

            (void)ks_fail(&err, KS_RC_NOMEM, /* passed on */
                          "no memory to follow one more object");
            give_up(v, &err);
            return;
        }
        passed.sink_slot = &record->sink_slot;
    }
    note(v, event, record);
    v->ops.on_event(v->ctx, &passed);
    /* Careful: the vigil may be closed here. */
    arm(v);
}

static void on_event(void *ctx, const struct ks_event *event)
{
    struct ks_vigil *v = ctx;

    if (v->state != VIGIL_OPEN)
        return;
    v->depth++;
    pass(v, event);
    leave(v);
}

static void on_forget(void *ctx, void *sink_slot)
{
    struct ks_vigil *v = ctx;
    struct record *record = sink_slot;

    v->depth++;
    ks_until_forget(&v->until, &record->until, ks_loop_now_ms(v->loop));
    if (record->sink_slot)
        v->ops.on_forget(v->ctx, record->sink_slot);
    ks_free(record);
    arm(v);
    leave(v);
}

static void on_failed(void *ctx, const struct ks_error *err)
{
    struct ks_vigil *v = ctx;

    if (v->state != VIGIL_OPEN)
        return;
    v->depth++;
    give_up(v, err);
    leave(v);
}

/* What is the matter with the first target of an update that has trouble; NULL: nothing. */
static const struct ks_error *trouble_of(const struct ks_vigil *v, const struct ks_update *update)
{
    for (size_t i = 0; i < v->target_count; i++) {
        for (size_t j = 0; v->troubles[i].rc && j < update->target_count; j++) {
            if (v->targets[i].target_id == update->target_ids[j])
                return &v->troubles[i];
        }
    }
    return NULL;
}

struct survey {
    const struct ks_vigil *vigil;
    struct ks_obstacles *list;
};

static void survey_object(void *ctx, const struct ks_event *event)
{
    struct survey *survey = ctx;
    const struct record *record = *event->sink_slot;

    if (record)
        ks_obstacles_add(survey->list, &event->update, &record->until,
                         trouble_of(survey->vigil, &event->update));
}

static void survey_all(const struct ks_vigil *v, struct ks_obstacles *list)
{
    struct survey survey = {.vigil = v, .list = list};

    ks_session_each(v->session, survey_object, &survey);
    for (size_t i = 0; i < v->target_count; i++)
        ks_obstacles_add_target(list, i, ks_session_target(v->session, i),
                                v->troubles[i].rc ? &v->troubles[i] : NULL);
}

/* Without memory for what is in the way, the verdict and the counts alone are told. */
static void tell_outcome(struct ks_vigil *v, ks_outcome_verdict verdict)
{
    struct ks_event event = {.kind = KS_EVENT_OUTCOME, .outcome = {.verdict = verdict}};
    struct ks_obstacles *list = verdict == KS_OUTCOME_REACHED ? NULL : ks_obstacles_new(&v->until);
    struct ks_synced tally;

    if (list) {
        survey_all(v, list);
        event.outcome.blocking = ks_obstacles_updates(list, &event.outcome.blocking_count,
                                                      &event.outcome.blocking_total);
    }
    ks_session_tally(v->session, &tally);
    event.outcome.counts = tally.counts;
    v->state = VIGIL_OVER;
    v->ops.on_event(v->ctx, &event);
    /* Careful: the vigil may be closed here. */
    ks_free(list);
}

static void on_timer(struct ks_timer *timer)
{
    struct ks_vigil *v = KS_CONTAINER_OF(timer, struct ks_vigil, timer);
    bool knows_all = !ks_session_awaits(v->session);
    ks_outcome_verdict verdict = ks_until_decide(&v->until, ks_loop_now_ms(v->loop), knows_all);

    v->depth++;
    if (verdict)
        tell_outcome(v, verdict);
    else if (knows_all)
        arm(v);
    else /* an update will come of it, unless it goes away untold */
        ks_timer_start(&v->timer, AWAIT_MS);
    leave(v);
}

static void begin(struct ks_vigil *v, const struct ks_until_config *until)
{
    for (size_t i = 0; i < v->target_count; i++) {
        const struct ks_target *t = ks_session_target(v->session, i);

        v->targets[i] = (struct ks_until_target){
            .target_id = t->target_id,
            .is_named = t->kind == KS_TARGET_OBJECT,
            .is_best_effort = t->is_best_effort,
            .min_generation = t->min_generation,
            .min_version = t->min_version,
        };
    }
    ks_until_init(&v->until, until, v->targets, v->target_count, ks_loop_now_ms(v->loop));
    arm(v);
}

ks_rc ks_vigil_new(struct ks_kube *kube, const struct ks_session_config *config,
                   const struct ks_session_ops *ops, void *ctx, struct ks_vigil **out,
                   struct ks_error *err)
{
    static const struct ks_session_ops own = {
        .on_event = on_event, .on_forget = on_forget, .on_failed = on_failed};
    struct ks_vigil *v = ks_alloc0(sizeof(*v));
    ks_rc rc;

    if (!v)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a session");
    v->loop = ks_kube_loop(kube);
    v->ops = *ops;
    v->ctx = ctx;
    v->target_count = config->target_count;
    ks_timer_init(&v->timer, v->loop, on_timer);
    rc = ks_session_new(kube, config, &own, v, &v->session, err);
    if (rc) {
        ks_free(v);
        return rc;
    }
    v->targets = ks_alloc_array(config->target_count, sizeof(v->targets[0]));
    v->troubles = ks_alloc_array(config->target_count, sizeof(v->troubles[0]));
    if (!v->targets || !v->troubles) {
        (void)ks_vigil_free(v); /* always NULL */
        return ks_fail(err, KS_RC_NOMEM, "no memory for a session of %zu targets",
                       config->target_count);
    }
    begin(v, config->until);
    *out = v;
    return KS_RC_OK;
}

struct ks_vigil *ks_vigil_free(struct ks_vigil *v)
{
    if (!v)
        return NULL;
    v->depth++;
    v->state = VIGIL_CLOSED;
    ks_timer_stop(&v->timer);
    v->session = ks_session_free(v->session);
    leave(v);
    return NULL;
}

struct passage {
    void (*fn)(void *ctx, const struct ks_event *update);
    void *ctx;
};

static void pass_each(void *ctx, const struct ks_event *event)
{
    const struct passage *passage = ctx;
    struct record *record = *event->sink_slot;
    struct ks_event passed = *event;

    if (!record)
        return;
    passed.sink_slot = &record->sink_slot;
    passage->fn(passage->ctx, &passed);
}

void ks_vigil_each(const struct ks_vigil *v, void (*fn)(void *ctx, const struct ks_event *update),
                   void *ctx)
{
    struct passage passage = {.fn = fn, .ctx = ctx};

    ks_session_each(v->session, pass_each, &passage);
}

const struct ks_session *ks_vigil_session(const struct ks_vigil *v)
{
    return v->session;
}
