/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pursuit: one target on its way from words to a watch, and what is said of it as a whole.
 *
 * The kind is asked from the mapper. When the cluster does not serve it (yet), or the question
 * itself fails, the target waits in MISSING and all that wait there are asked again together; so a
 * kind that appears later is found within KS_RETRY_CAP_MS. Targets are planned (watch.c) when none
 * is being asked, so that names of one collection find together.
 *
 * Invariants:
 *   1. the phase changes in set_phase alone, along the drawing in session_internal.h;
 *   2. a target whose kind is not served, or that may not be watched, is settled: it does not hold
 * up SYNCED;
 *   3. what is said of a target is said once, until it changes.
 *
 * Thread: the loop's.  It does not: open watches, or look at objects.
 */
#include "watcher/session_internal.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/plant.h"

#include "kube/client.h"

#define PULSE_MS 1000

static const struct {
    const char *text;
    unsigned next;
} phase_table[] = {
#define TO(name) (1u << KS_PURSUIT_##name)
#define X(name, text, next) {text, next},
    KS_PURSUIT_PHASES(X)
#undef X
#undef TO
};

static void set_phase(struct ks_pursuit *p, ks_pursuit_phase to)
{
    assert(phase_table[p->phase].next & (1u << to));
    ks_log(ks_kube_log(p->session->kube), KS_LOG_DEBUG, "target phase",
           KS_F_INT("target_id", p->target.target_id), KS_F_STR("from", phase_table[p->phase].text),
           KS_F_STR("to", phase_table[to].text));
    p->phase = to;
}

void ks_pursuit_is_watched(struct ks_pursuit *p)
{
    if (p->phase != KS_PURSUIT_WATCHING) /* a collection that was split is watched still */
        set_phase(p, KS_PURSUIT_WATCHING);
}

bool ks_pursuit_tell(struct ks_pursuit *p, ks_target_state state, const struct ks_error *cause)
{
    struct ks_event event = {
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = p->target.target_id, .state = state},
    };
    uint64_t hash = 0;

    if (cause) {
        event.target_change.cause_rc = cause->rc;
        event.target_change.cause_message = ks_str_from(cause->msg);
        hash = ks_hash(cause->msg, strlen(cause->msg));
    }
    if (p->told == state && p->told_rc == event.target_change.cause_rc && p->told_hash == hash)
        return true;
    p->told = state;
    p->told_rc = event.target_change.cause_rc;
    p->told_hash = hash;
    /* Short of memory the reason is only missing later. */
    ks_free(p->told_why);
    p->told_why = cause && !p->is_settled ? ks_strdup(cause->msg) : NULL;
    return ks_session_emit(p->session, &event);
}

/* Whether anything but excuses is known of the object. */
static bool is_known(const struct ks_object *o)
{
    return o->shown && (o->shown->status != KS_STATUS_UNKNOWN || o->uid.len || o->is_unreadable);
}

bool ks_pursuit_excuse(struct ks_pursuit *p, struct ks_str reason, const struct ks_error *err)
{
    struct ks_session *s = p->session;
    struct ks_shown unknown = ks_shown_unknown(reason, err->rc, ks_str_from(err->msg));

    if (p->target.kind == KS_TARGET_OBJECT) {
        if (!p->object) {
            struct ks_object *o = ks_object_get_unresolved(s, p);

            if (!o)
                return false;
            ks_object_rebind(s, p, o);
        }
        if (!is_known(p->object) && !ks_object_show(s, p->object, &unknown))
            return false;
    }
    return ks_session_settle(s, p);
}

static void arm_retry(struct ks_session *s)
{
    if (!ks_timer_is_pending(&s->retry) && !KS_PLANTED(20))
        ks_timer_start(&s->retry, ks_backoff_next_ms(&s->backoff));
}

/* The question failed, or the answer was no. Asked again later. */
static bool miss(struct ks_pursuit *p, const struct ks_error *err)
{
    bool is_served = true;
    ks_target_state state = KS_TARGET_DISCONNECTED;
    struct ks_str reason = KS_LIT("Unauthenticated");

    set_phase(p, KS_PURSUIT_MISSING);
    arm_retry(p->session);
    if (err->rc == KS_RC_NOTFOUND || err->rc == KS_RC_AMBIGUOUS) {
        is_served = false;
        state = KS_TARGET_KIND_MISSING;
        reason = KS_LIT("KindNotServed");
    } else if (err->rc == KS_RC_DENIED) {
        state = KS_TARGET_FORBIDDEN;
        reason = KS_LIT("Forbidden");
    }
    if (!ks_pursuit_tell(p, state, err))
        return false;
    if (!is_served || err->rc == KS_RC_DENIED || err->rc == KS_RC_UNAUTHENTICATED)
        return ks_pursuit_excuse(p, reason, err);
    return true;
}

/* What was asked for cannot be: no answer of the cluster will mend it. */
static bool refuse(struct ks_pursuit *p, const struct ks_error *err)
{
    set_phase(p, KS_PURSUIT_REFUSED);
    return ks_pursuit_tell(p, KS_TARGET_KIND_MISSING, err) &&
           ks_pursuit_excuse(p, KS_LIT("InvalidTarget"), err);
}

static bool accept(struct ks_pursuit *p, struct ks_resource *r)
{
    struct ks_error err;

    /* Who types a resource's name as to kubectl may have a namespace set, as there: it is ignored.
     */
    if (!r->is_namespaced && p->target.ns.len && !p->target.resource.len) {
        (void)ks_fail(&err, KS_RC_INVALID, /* passed on */
                      "%.*s has no namespaces, but the target names one (%.*s): leave it empty",
                      KS_STR_ARGS(r->kind), KS_STR_ARGS(p->target.ns));
        return refuse(p, &err);
    }
    if (!r->can_list || !r->can_watch) {
        (void)ks_fail(&err, KS_RC_UNSUPPORTED, /* passed on */
                      "the cluster does not let %.*s be listed and watched",
                      KS_STR_ARGS(r->plural));
        return refuse(p, &err);
    }
    p->resource = ks_resource_unref(p->resource);
    p->resource = ks_resource_ref(r);
    p->ns = r->is_namespaced ? p->target.ns : (struct ks_str){.ptr = NULL};
    if (r->is_namespaced && !p->ns.len && p->target.kind == KS_TARGET_OBJECT)
        p->ns = ks_str_from(ks_kube_config_of(p->session->kube)->ns);
    set_phase(p, KS_PURSUIT_RESOLVED);
    return true;
}

/* When no target is being asked any more, those that have an answer get their watches. */
static bool plan_when_ready(struct ks_session *s)
{
    ks_target_bits fresh = 0;
    bool is_any_missing = false;

    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (s->pursuits[i].phase == KS_PURSUIT_RESOLVING)
            return true;
        if (s->pursuits[i].phase == KS_PURSUIT_MISSING)
            is_any_missing = true;
        if (s->pursuits[i].phase == KS_PURSUIT_RESOLVED && !s->pursuits[i].told)
            fresh |= ks_pursuit_bit(&s->pursuits[i]);
    }
    ks_timer_stop(&s->pulse);
    if (!is_any_missing)
        ks_backoff_reset(&s->backoff);
    if (!ks_watches_plan(s))
        return false;
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if ((fresh & ks_pursuit_bit(p)) && !ks_pursuit_tell(p, KS_TARGET_LISTING, NULL))
            return false;
    }
    return true;
}

static bool resolved(struct ks_pursuit *p, ks_rc rc, struct ks_resource *r,
                     const struct ks_error *err)
{
    struct ks_session *s = p->session;

    if (rc == KS_RC_NOMEM)
        return ks_session_fail(s, err);
    return (rc ? miss(p, err) : accept(p, r)) && plan_when_ready(s);
}

static void on_resolved(void *ctx, ks_rc rc, struct ks_resource *resource,
                        const struct ks_error *err)
{
    struct ks_pursuit *p = ctx;
    struct ks_session *s = p->session;
    bool is_open;

    ks_session_enter(s);
    p->resolve = NULL;
    is_open = resolved(p, rc, resource, err);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

ks_rc ks_pursuit_start(struct ks_pursuit *p, struct ks_error *err)
{
    struct ks_mapper_query query = {
        .name = p->target.resource,
        .group = p->target.group,
        .version = p->target.version,
        .kind = p->target.object_kind,
        .has_group = p->target.object_kind.len > 0,
        .is_repeat = p->told != 0,
    };

    if (!ks_timer_is_pending(&p->session->pulse))
        ks_timer_start(&p->session->pulse, PULSE_MS);
    return ks_mapper_resolve(ks_kube_mapper(p->session->kube), &query, on_resolved, p, &p->resolve,
                             err);
}

void ks_pursuit_stop(struct ks_pursuit *p)
{
    ks_resolve_cancel(p->resolve);
    p->resolve = NULL;
    p->resource = ks_resource_unref(p->resource);
    ks_free(p->told_why);
    p->told_why = NULL;
}

static bool ask_again(struct ks_session *s)
{
    struct ks_error err = {0};

    ks_mapper_invalidate(ks_kube_mapper(s->kube));
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if (p->phase != KS_PURSUIT_MISSING)
            continue;
        set_phase(p, KS_PURSUIT_RESOLVING);
        if (ks_pursuit_start(p, &err))
            return ks_session_fail(s, &err);
    }
    return true;
}

void ks_pursuit_on_retry(struct ks_timer *timer)
{
    struct ks_session *s = KS_CONTAINER_OF(timer, struct ks_session, retry);
    bool is_open;

    ks_session_enter(s);
    is_open = ask_again(s);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* A question may wait long for an API server that is not reachable: its targets hear why. */
static bool tell_waiting(struct ks_session *s)
{
    struct ks_error err;

    if (!ks_kube_last_error(s->kube, &err))
        return true;
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if (p->phase == KS_PURSUIT_RESOLVING && !ks_pursuit_tell(p, KS_TARGET_DISCONNECTED, &err))
            return false;
    }
    return true;
}

void ks_pursuit_on_pulse(struct ks_timer *timer)
{
    struct ks_session *s = KS_CONTAINER_OF(timer, struct ks_session, pulse);
    bool is_open;

    ks_session_enter(s);
    ks_timer_start(timer, PULSE_MS);
    is_open = tell_waiting(s);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

/* What the target names or selects was last seen in a collection that is gone; that it was
 * deleted is not known. */
static bool disown_object(struct ks_pursuit *p, struct ks_object *o, const struct ks_error *err)
{
    struct ks_shown unknown =
        ks_shown_unknown(KS_LIT("KindNotServed"), err->rc, ks_str_from(err->msg));

    if (KS_PLANTED(21) || (o->shown && o->shown->status == KS_STATUS_NOT_FOUND))
        return true;
    ks_recheck_cancel(o);
    return ks_object_show(p->session, o, &unknown);
}

static bool disown(struct ks_pursuit *p, const struct ks_error *err)
{
    KS_CLEANUP(ks_freep) struct ks_object **objects = NULL;
    size_t count = 0;

    if (p->object)
        return disown_object(p, p->object, err);
    if (!ks_objects_collect(p->session, ks_pursuit_bit(p), &objects, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!disown_object(p, objects[i], err))
            return false;
    }
    return true;
}

bool ks_pursuit_lose(struct ks_pursuit *p, const struct ks_error *err)
{
    struct ks_error cause = *err;

    if (!cause.rc)
        cause.rc = KS_RC_NOTFOUND;
    set_phase(p, KS_PURSUIT_MISSING);
    arm_retry(p->session);
    p->session->lost |= ks_pursuit_bit(p);
    return ks_pursuit_tell(p, KS_TARGET_KIND_MISSING, &cause) && disown(p, &cause) &&
           ks_session_settle(p->session, p);
}
