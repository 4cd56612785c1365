/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread: the loop's. It does not: look at anything that the watcher made.
 */
#include "convergence/judge.h"

#include <string.h>

#include "json/path.h"

#include "status/family.h"

static struct ks_status_kind kind_of(int id)
{
    return (struct ks_status_kind){ks_str_from(species[id].group), ks_str_from(species[id].kind)};
}

static void compute(struct ks_json *json, int id, const struct sim_rev *rev, int64_t wall_ms,
                    struct judgement *out)
{
    const struct ks_status_kind kind = kind_of(id);

    out->err = (struct ks_error){.rc = KS_RC_OK};
    out->rc = ks_json_parse(json, rev->body, &out->err);
    if (!out->rc)
        out->rc =
            ks_status_compute_as(ks_json_root(json), &kind, wall_ms, &out->verdict, &out->err);
}

void judge_alone(struct world *w, int id, const struct sim_rev *rev, int64_t wall_ms,
                 struct judgement *out)
{
    compute(w->json, id, rev, wall_ms, out);
}

static bool is_controlled_by(struct ks_json_value object, struct ks_str uid)
{
    struct ks_json_value refs = ks_json_get(ks_json_get(object, "metadata"), "ownerReferences");

    for (struct ks_json_value r = ks_json_first(refs); !ks_json_is_absent(r); r = ks_json_next(r)) {
        bool is_controller = false;

        (void)ks_json_to_bool(ks_json_get(r, "controller"), &is_controller); /* then it is not */
        if (is_controller && ks_str_eq(ks_json_lenient_str(r, "uid", ""), uid))
            return true;
    }
    return false;
}

static uint32_t count_failed(struct world *w, const struct sim_rev *owner)
{
    const struct ks_status_kind pod = kind_of(SPECIES_POD);
    const struct sim_table *t = sim_store_table(w->sim.store, "/pods");
    uint32_t failed = 0;

    for (size_t i = 0; i < sim_table_count(t); i++) {
        const struct sim_rev *rev = sim_table_at(t, i);
        struct judgement j;

        if (!ks_str_eq(rev->ns, owner->ns))
            continue;
        compute(w->json_member, SPECIES_POD, rev, w->clock.now_wall_ms, &j);
        if (!j.rc && is_controlled_by(ks_json_root(w->json_member), owner->uid) &&
            ks_member_fails_owner(ks_json_root(w->json_member), &pod, &j.verdict))
            failed++;
    }
    return failed;
}

void judge_now(struct world *w, int id, const struct sim_rev *rev, struct judgement *out)
{
    const struct ks_status_kind kind = kind_of(id);

    compute(w->json, id, rev, w->clock.now_wall_ms, out);
    if (!out->rc && ks_status_fails_by_members(&kind))
        ks_status_count_failed(&kind, count_failed(w, rev), &out->verdict);
}

static const char *condition_difference(const struct ks_verdict *v,
                                        const Kstatus__V1__ResourceStatus *told)
{
    const Kstatus__V1__Condition *c;

    if (told->n_conditions != (v->has_condition ? 1 : 0))
        return "the number of conditions";
    if (!v->has_condition)
        return NULL;
    c = told->conditions[0];
    if (!ks_str_is(v->condition.type, c->type) || !ks_str_is(v->condition.status, c->status))
        return "the condition";
    if (!ks_str_is(v->condition.reason, c->reason) || !ks_str_is(v->condition.message, c->message))
        return "the condition's text";
    return NULL;
}

static const char *count_difference(const struct ks_verdict *v,
                                    const Kstatus__V1__ResourceStatus *told)
{
    bool has_observed =
        told->observed_case == KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION;

    if (v->has_generation && told->generation != v->generation)
        return "the generation";
    if (v->has_observed_generation != has_observed ||
        (has_observed && told->observed_generation != v->observed_generation))
        return "the observed generation";
    if (v->has_progress != (told->progress != NULL))
        return "whether there is progress";
    if (v->has_progress && (told->progress->desired_count != v->desired_count ||
                            told->progress->ready_count != v->ready_count))
        return "the progress";
    return NULL;
}

const char *judge_difference(const struct judgement *j, const Kstatus__V1__ResourceStatus *told)
{
    const struct ks_verdict *v = &j->verdict;
    const char *what;

    if (j->rc)
        return told->status == KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN &&
                       strcmp(told->reason, "NotComputable") == 0
                   ? NULL
                   : "the status: it cannot be computed";
    if ((int)told->status != (int)v->status)
        return "the status";
    if ((int)told->basis != (int)v->basis)
        return "the basis";
    if (!ks_str_is(v->reason, told->reason))
        return "the reason";
    if (!ks_str_is(v->message, told->message))
        return "the message";
    what = condition_difference(v, told);
    return what ? what : count_difference(v, told);
}
