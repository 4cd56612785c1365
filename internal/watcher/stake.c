/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stakes: the verdicts that an object's JSON gives under each case of the facts, computed while the
 * JSON is there, for when only the facts change. Most objects have none: what they say themselves
 * decides in every case.
 *
 * Invariants:
 *   1. a stake is of the sighting that the object shows: it goes with any other
 * (ks_recheck_cancel);
 *   2. equal outlooks are kept once.
 *
 * Thread: the loop's.  It does not: know what a case means (facts.c).
 */
#include "watcher/facts.h"

#include "base/alloc.h"

#include "json/path.h"

struct ks_stake {
    struct ks_outlook outlooks[KS_FACTS_CASES_MAX]; /* the first `kept` are made */
    unsigned kept;
    uint8_t of_case[KS_FACTS_CASES_MAX];
    size_t class_len;
    char class_name[];
};

static void outlook_fini(struct ks_outlook *o)
{
    ks_free(o->now);
    ks_free(o->later);
    *o = (struct ks_outlook){0};
}

static void stake_free(struct ks_stake *stake)
{
    if (!stake)
        return;
    for (unsigned i = 0; i < stake->kept; i++)
        outlook_fini(&stake->outlooks[i]);
    ks_free(stake);
}

static void stake_freep(struct ks_stake **stake)
{
    stake_free(*stake);
}

void ks_stake_drop(struct ks_object *o)
{
    stake_free(KS_TAKE(o->stake));
}

struct ks_str ks_stake_class(const struct ks_object *o)
{
    return ks_str_make(o->stake->class_name, o->stake->class_len);
}

bool ks_stake_show(struct ks_session *s, struct ks_object *o, unsigned index)
{
    return ks_object_reshow(s, o, &o->stake->outlooks[o->stake->of_case[index]]);
}

static ks_rc judge_at(struct ks_session *s, struct ks_json_value object,
                      const struct ks_status_context *context, int64_t at_wall_ms,
                      struct ks_shown **out, int64_t *out_recheck_ms)
{
    struct ks_error err = {0};
    struct ks_verdict verdict;
    struct ks_decision_room decided;
    struct ks_shown shown;
    ks_rc rc = ks_status_compute_profile(s->profile, object, at_wall_ms, context, &verdict, &err);

    if (rc == KS_RC_NOMEM)
        return rc;
    ks_shown_from_verdict(&verdict, rc, &err, &shown);
    ks_session_decide(s, context->kind, object, &verdict, &decided, &shown);
    if (!ks_session_explain(s, context->kind, object, &shown, NULL))
        return KS_RC_NOMEM;
    *out = ks_shown_dup(&shown);
    if (!*out)
        return KS_RC_NOMEM;
    *out_recheck_ms = rc ? 0 : verdict.recheck_at_ms;
    return KS_RC_OK;
}

static ks_rc outlook_make(struct ks_session *s, struct ks_json_value object,
                          const struct ks_status_context *context, struct ks_outlook *out)
{
    struct ks_outlook made = {0};
    int64_t never;
    ks_rc rc =
        judge_at(s, object, context, ks_loop_wall_ms(s->loop), &made.now, &made.later_wall_ms);

    if (!rc && made.later_wall_ms)
        rc = judge_at(s, object, context, made.later_wall_ms, &made.later, &never);
    if (rc)
        outlook_fini(&made);
    else
        *out = made;
    return rc;
}

static bool is_same(const struct ks_outlook *a, const struct ks_outlook *b)
{
    return ks_shown_equal(a->now, b->now) && a->later_wall_ms == b->later_wall_ms &&
           (!a->later || ks_shown_equal(a->later, b->later));
}

/* Keeps the outlook unless there is one like it. */
static uint8_t keep(struct ks_stake *stake, struct ks_outlook *made)
{
    for (unsigned i = 0; i < stake->kept; i++) {
        if (is_same(&stake->outlooks[i], made)) {
            outlook_fini(made);
            return (uint8_t)i;
        }
    }
    stake->outlooks[stake->kept] = *made;
    return (uint8_t)stake->kept++;
}

static ks_rc stake_make(struct ks_session *s, struct ks_object *o, struct ks_json_value object,
                        const struct ks_stake_cases *cases)
{
    struct ks_str class_name = ks_json_lenient_str(object, "spec.storageClassName", "");
    KS_CLEANUP(stake_freep) struct ks_stake *stake = NULL;

    stake = ks_alloc0(sizeof(*stake) + class_name.len);
    if (!stake)
        return KS_RC_NOMEM;
    stake->class_len = class_name.len;
    if (class_name.len)
        memcpy(stake->class_name, class_name.ptr, class_name.len);
    for (unsigned i = 0; i < cases->count; i++) {
        struct ks_outlook made;
        ks_rc rc = outlook_make(s, object, &cases->contexts[i], &made);

        if (rc)
            return rc;
        stake->of_case[i] = keep(stake, &made);
    }
    if (stake->kept > 1)
        o->stake = KS_TAKE(stake);
    return KS_RC_OK;
}

static bool shows(const struct ks_object *o, const struct ks_record *record)
{
    return ks_object_targets(o) && !o->is_gone && ks_str_eq(ks_object_uid(o), record->uid) &&
           ks_str_eq(ks_text_str(&o->version), record->resource_version);
}

bool ks_stakes_make(struct ks_session *s, struct ks_object *first, const struct ks_record *record,
                    struct ks_json_value object, const struct ks_stake_cases *cases)
{
    for (struct ks_object *o = first; o; o = o->sibling) {
        if (!shows(o, record))
            continue;
        ks_stake_drop(o);
        if (stake_make(s, o, object, cases))
            return ks_session_fail_nomem(s);
    }
    return true;
}
