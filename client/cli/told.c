/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A status of the API is turned into what the printers of explain.c and chain.c take: a verdict,
 * conditions, a chain. What it does not have (the fields of the object) is not told.
 *
 * Invariant: texts of the cluster pass through text.c.
 *
 * Thread: any.
 */
#include "client/cli/told.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/chain.h"
#include "client/cli/decided.h"
#include "client/cli/explain.h"
#include "client/cli/lines.h"
#include "client/cli/paragraph.h"
#include "client/cli/rows.h"
#include "client/cli/text.h"

#define VERSION_MAX_BYTES ((size_t)64 << 10)

static void verdict_fill(struct ks_verdict *v, const Kstatus__V1__ResourceStatus *s,
                         const struct ks_line *line)
{
    int basis = (int)s->basis;

    *v = (struct ks_verdict){
        .status = line->status,
        .basis = basis > 0 && basis <= KS_BASIS_ASSUMED ? (ks_basis)basis : KS_BASIS_UNSPECIFIED,
        .reason = ks_str_from(s->reason),
        .message = ks_str_from(s->message),
        .has_generation = s->generation != 0,
        .generation = s->generation,
        .has_observed_generation =
            s->observed_case == KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION,
    };
    if (v->has_observed_generation)
        v->observed_generation = s->observed_generation;
    if (s->progress) {
        v->has_progress = true;
        v->desired_count = s->progress->desired_count;
        v->ready_count = s->progress->ready_count;
    }
}

static void text_fill(char *to, size_t size, const char *from)
{
    struct ks_str text = ks_str_cut_utf8(ks_str_from(from), size - 1);

    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
}

/* A comparison that this program does not know is told as it comes. */
static void decision_fill(struct ks_decision *d, const Kstatus__V1__Decision *from)
{
    *d = (struct ks_decision){.comparison = from ? from->comparison : ""};
    if (!from)
        return;
    text_fill(d->field, sizeof(d->field), from->field);
    text_fill(d->value, sizeof(d->value), from->value);
    text_fill(d->other_field, sizeof(d->other_field), from->other_field);
    text_fill(d->other_value, sizeof(d->other_value), from->other_value);
}

static struct ks_condition condition_of(const Kstatus__V1__Condition *c)
{
    return (struct ks_condition){.type = ks_str_from(c->type),
                                 .status = ks_str_from(c->status),
                                 .reason = ks_str_from(c->reason),
                                 .message = ks_str_from(c->message)};
}

static ks_rc text_generation(struct ks_buf *out, const struct ks_verdict *v)
{
    char text[96];

    if (!v->has_generation)
        return KS_RC_OK;
    if (v->has_observed_generation)
        (void)snprintf(text, sizeof(text), "%" PRId64 ", observed %" PRId64, /* fits */
                       v->generation, v->observed_generation);
    else
        (void)snprintf(text, sizeof(text), "%" PRId64, v->generation); /* fits */
    return ks_paragraph_append(out, "generation", ks_str_from(text));
}

/* kstatus makes a condition of each verdict: then it says the same. */
static bool is_the_verdict(const Kstatus__V1__Condition *c, const Kstatus__V1__ResourceStatus *s)
{
    return strcmp(c->reason, s->reason) == 0 && strcmp(c->message, s->message) == 0;
}

static ks_rc text_conditions(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s)
{
    size_t part = out->len;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < s->n_conditions; i++) {
        struct ks_condition condition = condition_of(s->conditions[i]);

        if (!is_the_verdict(s->conditions[i], s))
            rc = ks_explain_append_condition(out, &condition);
    }
    if (!rc)
        ks_paragraph_set_label(out, part, "conditions");
    return rc;
}

ks_rc ks_told_append_text(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                          ks_profile profile, const struct ks_targets *targets)
{
    const struct ks_line line = ks_line_of(s, targets);
    struct ks_decision decision;
    struct ks_verdict verdict;
    const struct ks_told told = {
        .profile = profile, .kind = line.kind, .verdict = &verdict, .decision = &decision};
    struct ks_chain chain;
    ks_rc rc = ks_line_append_name(out, &line);

    verdict_fill(&verdict, s, &line);
    decision_fill(&decision, s->decision);
    ks_chain_from_status(&chain, s);
    if (!rc)
        rc = ks_buf_append_byte(out, '\n');
    if (!rc)
        rc = ks_explain_append_verdict(out, &told);
    if (!rc && s->error && s->error->message[0])
        rc = ks_paragraph_append(out, "error", ks_str_from(s->error->message));
    if (!rc)
        rc = text_generation(out, &verdict);
    if (!rc)
        rc = text_conditions(out, s);
    if (!rc)
        rc = ks_chain_append_text(out, &chain);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc json_identity(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                           const struct ks_line *line)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf version = KS_BUF(VERSION_MAX_BYTES);
    const char *group = s->object ? s->object->group : "";
    ks_rc rc = ks_buf_appendf(&version, "%s%s%s", group, group[0] ? "/" : "",
                              s->object ? s->object->version : "");

    if (!rc)
        rc = ks_judge_append_member(out, "apiVersion", ks_buf_str(&version));
    if (!rc)
        rc = ks_judge_append_member(out, "kind", line->kind);
    if (!rc)
        rc = ks_judge_append_member(out, "namespace", line->ns);
    return rc ? rc : ks_judge_append_member(out, "name", line->name);
}

static ks_rc json_verdict(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                          const struct ks_line *line)
{
    struct ks_decision decision;
    struct ks_verdict v;
    ks_rc rc;

    verdict_fill(&v, s, line);
    decision_fill(&decision, s->decision);
    rc = ks_judge_append_member(out, "status", ks_str_from(ks_status_text(v.status)));
    if (!rc)
        rc = ks_judge_append_member(out, "reason", v.reason);
    if (!rc)
        rc = ks_judge_append_member(out, "message", v.message);
    if (!rc && s->error && s->error->message[0])
        rc = ks_judge_append_member(out, "error", ks_str_from(s->error->message));
    if (!rc)
        rc = ks_decided_append_json(out, &decision);
    if (!rc)
        rc = ks_explain_append_json_numbers(out, &v);
    if (!rc && v.has_generation)
        rc = ks_buf_appendf(out, ",\"generation\":%" PRId64, v.generation);
    if (!rc && v.has_observed_generation)
        rc = ks_buf_appendf(out, ",\"observedGeneration\":%" PRId64, v.observed_generation);
    return rc;
}

static ks_rc json_conditions(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s)
{
    ks_rc rc = ks_judge_append_key(out, "conditions");

    if (!rc)
        rc = ks_buf_append_byte(out, '[');
    for (size_t i = 0; !rc && i < s->n_conditions; i++) {
        struct ks_condition condition = condition_of(s->conditions[i]);

        if (i > 0)
            rc = ks_buf_append_byte(out, ',');
        if (!rc)
            rc = ks_explain_append_json_condition(out, &condition);
    }
    return rc ? rc : ks_buf_append_byte(out, ']');
}

ks_rc ks_told_append_json(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                          ks_profile profile, const struct ks_targets *targets)
{
    const struct ks_line line = ks_line_of(s, targets);
    struct ks_chain chain;
    ks_rc rc = ks_buf_append_byte(out, '{');

    ks_chain_from_status(&chain, s);
    if (!rc)
        rc = json_identity(out, s, &line);
    if (!rc)
        rc = ks_judge_append_member(out, "profile", ks_str_from(ks_profile_text(profile)));
    if (!rc)
        rc = json_verdict(out, s, &line);
    if (!rc)
        rc = json_conditions(out, s);
    if (!rc)
        rc = ks_chain_append_json(out, &chain);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

ks_rc ks_told_append_trouble_text(struct ks_buf *out, const Kstatus__V1__TargetChange *change,
                                  const struct ks_targets *targets)
{
    const char *state = ks_trouble_text(change->state);
    struct ks_str message = ks_str_from(change->cause ? change->cause->message : "");
    ks_rc rc;

    if (!state)
        return KS_RC_OK;
    rc = ks_text_append(out, ks_str_from(ks_targets_label(targets, change->target_id)),
                        KS_TEXT_UTF8);
    if (!rc)
        rc = ks_buf_append_byte(out, '\n');
    if (!rc)
        rc = ks_paragraph_append(out, "target", ks_str_from(state));
    if (!rc && message.len > 0)
        rc = ks_paragraph_append(out, "because", message);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

ks_rc ks_told_append_trouble_json(struct ks_buf *out, const Kstatus__V1__TargetChange *change,
                                  const struct ks_targets *targets)
{
    const char *state = ks_trouble_text(change->state);
    ks_rc rc;

    if (!state)
        return KS_RC_OK;
    rc = ks_buf_append_byte(out, '{');
    if (!rc)
        rc = ks_judge_append_member(out, "target",
                                    ks_str_from(ks_targets_label(targets, change->target_id)));
    if (!rc)
        rc = ks_judge_append_member(out, "state", ks_str_from(state));
    if (!rc)
        rc = ks_judge_append_member(out, "message",
                                    ks_str_from(change->cause ? change->cause->message : ""));
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}
