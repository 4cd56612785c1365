/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a watch saw of an object to what the sink is shown: the order of lives under one name,
 * sameness, and verdicts that change by themselves.
 *
 * Invariants:
 *   1. one sink slot is one UID: a new UID is shown only after the old one was shown NotFound, and
 * in a new slot;
 *   2. a UID that was shown gone is never shown again: another watch that lags behind may still
 * bring it;
 *   3. nothing is shown twice: the state and the targets together are the news;
 *   4. a recheck never outlives the sighting that it was made for.
 *
 * Thread: the loop's.  It does not: judge deletions (watch.c, doubt.c).
 */
#include "watcher/session_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/plant.h"
#include "kube/rv.h"

#include "watcher/children.h"
#include "watcher/excerpt.h"

struct ks_recheck {
    struct ks_list link; /* in session->rechecks */
    struct ks_timer timer;
    struct ks_session *session;
    struct ks_object *object;
    int64_t at_wall_ms;
    struct ks_shown *then;
};

bool ks_text_set(struct ks_text *t, struct ks_str s)
{
    if (s.len > UINT32_MAX)
        return false;
    if (s.len > t->cap || !t->ptr) {
        size_t cap = s.len < 16 ? 16 : s.len;
        char *ptr = ks_realloc(t->ptr, cap);

        if (!ptr)
            return false;
        t->ptr = ptr;
        t->cap = (uint32_t)cap;
    }
    if (s.len)
        memmove(t->ptr, s.ptr, s.len);
    t->len = (uint32_t)s.len;
    return true;
}

void ks_update_of(const struct ks_shown *shown, struct ks_update *out)
{
    *out = (struct ks_update){
        .status = shown->status,
        .basis = shown->basis,
        .reason = shown->reason,
        .message = shown->message,
        .has_condition = shown->has_condition,
        .condition = shown->condition,
        .has_generation = shown->has_generation,
        .generation = shown->generation,
        .has_observed_generation = shown->has_observed_generation,
        .observed_generation = shown->observed_generation,
        .has_progress = shown->has_progress,
        .desired_count = shown->desired_count,
        .ready_count = shown->ready_count,
        .error_rc = shown->error_rc,
        .error_message = shown->error_message,
        .causes = shown->causes,
        .cause_count = shown->cause_count,
        .decision = shown->decision,
    };
}

void ks_object_event(const struct ks_session *s, struct ks_object *o, uint32_t *ids,
                     struct ks_event *out)
{
    *out = (struct ks_event){.kind = KS_EVENT_UPDATE, .sink_slot = &o->sink_slot};
    ks_update_of(o->shown, &out->update);
    ks_object_id_of(o, &out->update.object);
    out->update.resource_version = ks_text_str(&o->version);
    out->update.observe_time_ms = ks_loop_wall_ms(s->loop);
    out->update.transition_time_ms = o->transition_wall_ms;
    out->update.target_ids = ids;
    out->update.target_count = ks_session_ids(s, o->told, ids);
    out->update.unasked = o->told & ~ks_object_targets(o);
    if (o->shown->status != KS_STATUS_NOT_FOUND)
        out->update.object_json = ks_str_make(o->excerpt.ptr, o->excerpt.len);
}

static bool tell_update(struct ks_session *s, struct ks_object *o, ks_status previous)
{
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event;

    ks_object_event(s, o, ids, &event);
    event.update.previous_status = previous;
    return ks_session_emit(s, &event);
}

bool ks_object_show(struct ks_session *s, struct ks_object *o, const struct ks_shown *now)
{
    struct ks_shown told = *now;
    ks_target_bits targets;
    ks_status previous;
    struct ks_shown *copy;

    if (!ks_inquiry_see(s, o, &told))
        return false;
    previous = o->shown ? o->shown->status : KS_STATUS_UNSPECIFIED;
    ks_object_meet_child(s, o, &previous);
    targets = ks_object_targets(o) | o->generated;
    if (o->shown && (o->told == targets || KS_PLANTED(12)) && ks_shown_equal(o->shown, &told))
        return true;
    copy = ks_shown_dup(&told);
    if (!copy)
        return ks_session_fail_nomem(s);
    ks_free(o->shown);
    o->shown = copy;
    o->told = targets;
    if (copy->status != previous || !o->transition_wall_ms)
        o->transition_wall_ms = ks_loop_wall_ms(s->loop);
    return tell_update(s, o, previous);
}

void ks_object_forget(struct ks_session *s, struct ks_object *o)
{
    void *slot = KS_TAKE(o->sink_slot);

    o->told = 0;
    o->generated = 0;
    ks_inquiry_end(o);
    if (slot)
        s->ops.on_forget(s->ctx, slot);
}

void ks_object_deselect(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    o->selected &= ~bits;
    o->held &= ~bits;
    o->told &= ~bits;
    if (ks_object_targets(o))
        return;
    ks_recheck_cancel(o);
    ks_object_forget(s, o);
    /* Should it come back to a target, that is a first answer again. */
    ks_free(o->shown);
    o->shown = NULL;
    o->transition_wall_ms = 0;
}

static struct ks_str gone_message(ks_gone how)
{
    switch (how) {
    case KS_GONE_SEEN:
        return KS_LIT("The object was deleted");
    case KS_GONE_MISSED:
        return KS_LIT("The object was deleted while the API server could not be watched");
    case KS_GONE_REPLACED:
        return KS_LIT("The object was deleted, and another one was created under its name");
    }
    return KS_LIT("The object is gone");
}

bool ks_object_show_gone(struct ks_session *s, struct ks_object *o, ks_gone how)
{
    struct ks_shown gone = ks_shown_not_found(KS_LIT("Deleted"), gone_message(how));

    ks_recheck_cancel(o);
    o->is_gone = !KS_PLANTED(13);
    o->is_unreadable = false;
    ks_object_end_child(s, o);
    return ks_object_show(s, o, &gone);
}

static bool tell_removed(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    uint32_t ids[KS_SESSION_MAX_TARGETS];
    struct ks_event event = {
        .kind = KS_EVENT_REMOVED,
        .sink_slot = &o->sink_slot,
        .removed = {.target_ids = ids},
    };

    bits &= o->told;
    if (!bits)
        return true;
    ks_object_id_of(o, &event.removed.object);
    event.removed.target_count = ks_session_ids(s, bits, ids);
    return ks_session_emit(s, &event);
}

/* The targets have changed, or it is told by another from now on. */
static bool tell_left(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    struct ks_child *c;

    if (o->is_gone || !o->shown) /* that has been told, or nothing was */
        return true;
    if (ks_object_targets(o))
        return ks_object_show(s, o, ks_object_said(o));
    c = ks_object_child(s, o);
    if (c && (ks_child_targets(c) & o->told))
        return ks_child_resume(c, o);
    return tell_removed(s, o, bits);
}

bool ks_object_leave(struct ks_session *s, struct ks_object *o, ks_target_bits bits)
{
    struct ks_child *c;

    bits &= o->selected;
    o->selected &= ~bits;
    if (!tell_left(s, o, bits))
        return false;
    ks_object_deselect(s, o, bits);
    c = ks_object_child(s, o);
    return !c || ks_child_tell(c);
}

bool ks_objects_sweep(struct ks_session *s, ks_target_bits bits)
{
    KS_CLEANUP(ks_freep) struct ks_object **objects = NULL;
    size_t count = 0;

    bits &= s->lost;
    s->lost &= ~bits;
    if (!bits)
        return true;
    if (!ks_objects_collect(s, bits, &objects, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct ks_object *o = objects[i];
        ks_target_bits missed = o->selected & bits & ~o->held;

        if (!missed || o->doubt)
            continue;
        if (!o->is_gone && !ks_object_show_gone(s, o, KS_GONE_MISSED))
            return false;
        ks_object_deselect(s, o, missed);
        ks_object_reap(s, ks_object_find(o->kind, ks_object_ns(o), ks_object_name(o)));
    }
    return true;
}

/* Another UID stands under the name: the old one is told gone, unless it was, and its slot is given
 * back. */
static bool begin_new_life(struct ks_session *s, struct ks_object *o,
                           const struct ks_sighting *seen)
{
    /* A watch that brings the newcomer first speaks of the newcomer alone. */
    o->selected &= ~(seen->via & ~o->told);
    if (ks_object_targets(o) && o->shown && o->shown->status != KS_STATUS_NOT_FOUND &&
        !KS_PLANTED(25) && !ks_object_show_gone(s, o, KS_GONE_REPLACED))
        return false;
    if (o->doubt)
        ks_doubt_withdraw(o, ~(ks_target_bits)0);
    ks_object_forget(s, o);
    if (!o->named && o->shown) {
        /* Nobody asked for the name: this is another object, and its first answer. */
        ks_free(o->shown);
        o->shown = NULL;
        o->transition_wall_ms = 0;
    }
    o->is_gone = false;
    o->selected = seen->via;
    o->held = seen->via;
    return true;
}

static bool show_other_uid(struct ks_session *s, struct ks_object *o, struct ks_str uid)
{
    struct ks_error text;
    struct ks_shown absent;

    (void)ks_fail(&text, KS_RC_NOTFOUND, /* only the text is wanted */
                  "The name is taken by another object, with UID %.*s",
                  KS_STR_ARGS(ks_str_cut_utf8(uid, 128)));
    absent = ks_shown_not_found(KS_LIT("OtherUID"), ks_str_from(text.msg));
    ks_recheck_cancel(o);
    o->is_unreadable = false;
    return ks_object_show(s, o, &absent);
}

/* Another watch sees it too, or has seen it, and was ahead. (ks_kind_reset forgets the versions of
 * another world.) */
static bool is_stale(const struct ks_object *o, const struct ks_sighting *seen)
{
    return ks_rv_is_older(seen->version, ks_text_str(&o->version));
}

/* A target waits for this version: then that it is there is news, whatever the state. */
static bool is_awaited(const struct ks_session *s, const struct ks_object *o, struct ks_str version)
{
    struct ks_str known = ks_text_str(&o->version);

    for (size_t i = 0; o->named && i < s->pursuit_count; i++) {
        struct ks_str min = s->pursuits[i].target.min_version;

        if (min.len && (o->named & ks_pursuit_bit(&s->pursuits[i])) && !ks_rv_reaches(known, min) &&
            ks_rv_reaches(version, min))
            return true;
    }
    return false;
}

static void recheck_free(struct ks_recheck *r)
{
    ks_timer_stop(&r->timer);
    ks_list_remove(&r->link);
    ks_free(r->then);
    ks_free(r);
}

static void recheck_stop(struct ks_object *o)
{
    struct ks_recheck *r = KS_TAKE(o->recheck);

    if (r)
        recheck_free(r);
}

void ks_recheck_cancel(struct ks_object *o)
{
    recheck_stop(o);
    ks_stake_drop(o);
}

void ks_rechecks_cancel(struct ks_session *s)
{
    while (!ks_list_is_empty(&s->rechecks))
        ks_recheck_cancel(KS_CONTAINER_OF(s->rechecks.next, struct ks_recheck, link)->object);
}

static void on_recheck(struct ks_timer *timer)
{
    struct ks_recheck *r = KS_CONTAINER_OF(timer, struct ks_recheck, timer);
    struct ks_session *s = r->session;
    int64_t left_ms = r->at_wall_ms - ks_loop_wall_ms(s->loop);
    bool is_open;

    if (left_ms > 0) { /* the wall clock was set back, or runs slower */
        ks_timer_start(&r->timer, left_ms);
        return;
    }
    ks_session_enter(s);
    r->object->recheck = NULL; /* from here on it is ours alone */
    ks_list_remove(&r->link);
    is_open = ks_object_show(s, r->object, r->then);
    (void)is_open; /* nothing follows */
    recheck_free(r);
    ks_session_leave(s);
}

static bool recheck_arm(struct ks_session *s, struct ks_object *o, const struct ks_shown *later,
                        int64_t at_wall_ms)
{
    int64_t left_ms = at_wall_ms - ks_loop_wall_ms(s->loop);
    struct ks_recheck *r = ks_alloc0(sizeof(*r));

    if (!r)
        return ks_session_fail_nomem(s);
    ks_timer_init(&r->timer, s->loop, on_recheck);
    r->session = s;
    r->object = o;
    r->at_wall_ms = at_wall_ms;
    r->then = ks_shown_dup(later);
    if (!r->then) {
        ks_free(r);
        return ks_session_fail_nomem(s);
    }
    o->recheck = r;
    ks_list_push(&s->rechecks, &r->link);
    ks_timer_start(&r->timer, left_ms > 0 ? left_ms : 0);
    return true;
}

bool ks_object_is_untold(const struct ks_object *o)
{
    return !o->shown || (o->shown->status == KS_STATUS_NOT_FOUND && !o->is_gone);
}

/* A watch that lags behind has brought what stood under the name before: it was of its target; what
 * stands there now need not be. */
static void disregard_old_life(struct ks_object *o, const struct ks_sighting *seen)
{
    o->selected &= ~(seen->via & ~o->told);
    o->held &= ~(seen->via & ~o->told);
}

bool ks_object_see(struct ks_session *s, struct ks_object *o, const struct ks_sighting *seen)
{
    bool is_other = o->uid.len && !ks_str_eq(ks_object_uid(o), seen->uid);

    if (!ks_object_targets(o))
        return true;
    if (o->pin.len && !ks_str_eq(o->pin, seen->uid))
        return show_other_uid(s, o, seen->uid);
    if (!is_other && o->is_gone)
        return true;
    if (is_other && is_stale(o, seen)) {
        disregard_old_life(o, seen);
        return true;
    }
    if (is_stale(o, seen)) /* its state is old news, but that it belongs to a target may be new */
        return ks_object_is_untold(o) || ks_object_show(s, o, ks_object_said(o));
    if (is_other && !begin_new_life(s, o, seen))
        return false;
    ks_recheck_cancel(o);
    o->is_unreadable = false;
    if (is_awaited(s, o, seen->version))
        o->told = 0;
    if (!ks_text_set(&o->uid, seen->uid) || !ks_text_set(&o->version, seen->version) ||
        !ks_object_keep_excerpt(s, o, seen->excerpt))
        return ks_session_fail_nomem(s);
    /* A new life that a target's own watch has not brought yet concerns nobody yet. */
    if (!seen->now || !ks_object_targets(o))
        return true;
    if (seen->later && !KS_PLANTED(11) && !recheck_arm(s, o, seen->later, seen->later_wall_ms))
        return false;
    return ks_object_show(s, o, seen->now);
}

bool ks_object_reconsider(struct ks_session *s, struct ks_object *o, const struct ks_sighting *seen)
{
    /* In doubt nothing new is told, unless nothing was told at all: some target may wait for it. */
    if (!ks_object_targets(o) || o->is_gone || o->is_unreadable || (o->doubt && o->shown) ||
        !ks_str_eq(ks_object_uid(o), seen->uid))
        return true;
    return ks_object_show(s, o, seen->now);
}

bool ks_object_reshow(struct ks_session *s, struct ks_object *o, const struct ks_outlook *outlook)
{
    recheck_stop(o);
    if (outlook->later && !recheck_arm(s, o, outlook->later, outlook->later_wall_ms))
        return false;
    return ks_object_show(s, o, outlook->now);
}
