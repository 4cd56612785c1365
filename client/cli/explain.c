/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An explanation is a list of labelled paragraphs: the label in one column, the text wrapped in
 * another. What the JSON has is the same, member by member.
 *
 * Invariant: texts of the cluster pass through text.c.
 *
 * Thread: main. Does not decide anything.
 */
#include "client/cli/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"
#include "json/path.h"
#include "status/cause.h"

#include "client/cli/chain.h"
#include "client/cli/decided.h"
#include "client/cli/fields.h"
#include "client/cli/paragraph.h"
#include "client/cli/text.h"

#define VALUE_MAX_BYTES ((size_t)200)

static const char *const basis_texts[] = {
    [KS_BASIS_UNSPECIFIED] = "nothing that is told",
    [KS_BASIS_KIND_RULE] = "what holds for every kind", /* deletion; else append_basis names it */
    [KS_BASIS_STANDARD_CONDITION] = "a standard condition",
    [KS_BASIS_CUSTOM_RULE] = "a rule of the caller's",
    [KS_BASIS_GENERATION_ONLY] = "the observed generation alone",
    [KS_BASIS_ASSUMED] = "no evidence: it is assumed",
};

/* As the API has them. */
static const char *const basis_names[] = {
    [KS_BASIS_UNSPECIFIED] = "STATUS_BASIS_UNSPECIFIED",
    [KS_BASIS_KIND_RULE] = "STATUS_BASIS_KIND_RULE",
    [KS_BASIS_STANDARD_CONDITION] = "STATUS_BASIS_STANDARD_CONDITION",
    [KS_BASIS_CUSTOM_RULE] = "STATUS_BASIS_CUSTOM_RULE",
    [KS_BASIS_GENERATION_ONLY] = "STATUS_BASIS_GENERATION_ONLY",
    [KS_BASIS_ASSUMED] = "STATUS_BASIS_ASSUMED",
};

static struct ks_str member(struct ks_json_value v, const char *name)
{
    return ks_json_lenient_str(v, name, "");
}

ks_rc ks_explain_append_condition(struct ks_buf *out, const struct ks_condition *c)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_rc rc = ks_paragraph_append_label(out, "");

    if (!rc)
        rc = ks_buf_append_str(&text, ks_str_cut_utf8(c->type, VALUE_MAX_BYTES));
    if (!rc)
        rc = ks_buf_append_byte(&text, '=');
    if (!rc)
        rc = ks_buf_append_str(&text, ks_str_cut_utf8(c->status, VALUE_MAX_BYTES));
    if (!rc && c->reason.len > 0)
        rc = ks_buf_append_byte(&text, ' ');
    if (!rc)
        rc = ks_buf_append_str(&text, ks_str_cut_utf8(c->reason, VALUE_MAX_BYTES));
    if (!rc)
        rc = ks_paragraph_append_wrapped(out, ks_buf_str(&text), KS_PARAGRAPH_INDENT);
    if (rc || c->message.len == 0)
        return rc;
    rc = ks_paragraph_append_blanks(out, KS_PARAGRAPH_INDENT + 2);
    return rc ? rc : ks_paragraph_append_wrapped(out, c->message, KS_PARAGRAPH_INDENT + 2);
}

static struct ks_condition condition_of(struct ks_json_value c)
{
    return (struct ks_condition){.type = member(c, "type"),
                                 .status = member(c, "status"),
                                 .reason = member(c, "reason"),
                                 .message = member(c, "message")};
}

static struct ks_json_value conditions_of(const struct ks_subject *s)
{
    struct ks_json_value list = {.doc = NULL};

    if (ks_json_walk(s->object, "status.conditions", &list) != KS_LOOKUP_FOUND ||
        ks_json_type_of(list) != KS_JSON_LIST)
        list = (struct ks_json_value){.doc = NULL};
    return ks_json_first(list);
}

static ks_rc append_conditions(struct ks_buf *out, const struct ks_subject *s)
{
    struct ks_json_value c = conditions_of(s);
    size_t part = out->len;
    ks_rc rc = KS_RC_OK;

    for (; !rc && !ks_json_is_absent(c); c = ks_json_next(c)) {
        struct ks_condition told = condition_of(c);

        rc = ks_explain_append_condition(out, &told);
    }
    ks_paragraph_set_label(out, part, "conditions");
    return rc;
}

ks_rc ks_explain_read_causes(const struct ks_subject *s, const struct ks_judgement *j,
                             struct ks_causes *out)
{
    const struct ks_status_kind kind = ks_judge_kind(s->place);

    ks_causes_init(out);
    if (j->rc || j->verdict.status == KS_STATUS_CURRENT)
        return KS_RC_OK;
    return ks_causes_read(s->object, &kind, s->now_ms, out);
}

ks_rc ks_explain_append_causes(struct ks_buf *out, const struct ks_causes *causes)
{
    struct ks_chain chain;

    ks_chain_from_causes(&chain, causes);
    return ks_chain_append_text(out, &chain);
}

/* What the verdict says beside itself. */
static ks_rc append_numbers(struct ks_buf *out, const struct ks_verdict *v)
{
    char text[KS_RFC3339_MAX + 32];
    char time[KS_RFC3339_MAX];
    ks_rc rc = KS_RC_OK;

    if (v->has_progress) {
        (void)snprintf(text, sizeof(text), "%" PRIu32 " of %" PRIu32, /* fits */
                       v->ready_count, v->desired_count);
        rc = ks_paragraph_append(out, "progress", ks_str_from(text));
    }
    if (!rc && v->recheck_at_ms) {
        (void)snprintf(text, sizeof(text), "by itself at %s", /* fits */
                       ks_rfc3339_format(v->recheck_at_ms, time));
        rc = ks_paragraph_append(out, "changes", ks_str_from(text));
    }
    return rc;
}

/* "the rule for Pod" */
static ks_rc append_basis(struct ks_buf *out, const struct ks_told *told)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_basis basis = told->verdict->basis;
    ks_rc rc;

    if (told->verdict->status == KS_STATUS_NOT_FOUND)
        return KS_RC_OK; /* no rule looked at it */
    if (basis != KS_BASIS_KIND_RULE || told->verdict->status == KS_STATUS_TERMINATING)
        return ks_paragraph_append(out, "rests on", ks_str_from(basis_texts[basis]));
    rc = ks_buf_appendf(&text, "the rule for %.*s", KS_STR_ARGS(told->kind));
    return rc ? rc : ks_paragraph_append(out, "rests on", ks_buf_str(&text));
}

ks_rc ks_explain_append_verdict(struct ks_buf *out, const struct ks_told *told)
{
    const struct ks_verdict *v = told->verdict;
    char text[64];
    ks_rc rc;

    (void)snprintf(text, sizeof(text), "%s, under profile %s", /* fits */
                   ks_status_text(v->status), ks_profile_text(told->profile));
    rc = ks_paragraph_append(out, "verdict", ks_str_from(text));
    if (!rc && v->reason.len > 0)
        rc = ks_paragraph_append(out, "reason", v->reason);
    if (!rc && v->message.len > 0)
        rc = ks_paragraph_append(out, "because", v->message);
    if (!rc)
        rc = ks_decided_append(out, told->decision, v);
    if (!rc && v->basis != KS_BASIS_UNSPECIFIED)
        rc = append_basis(out, told);
    return rc ? rc : append_numbers(out, v);
}

static void read_decision(const struct ks_subject *s, ks_profile profile,
                          const struct ks_judgement *j, struct ks_decision *out)
{
    const struct ks_status_kind kind = ks_judge_kind(s->place);

    (void)ks_decision_read(s->object, &kind, profile, &j->verdict, out); /* none: it is empty */
}

static ks_rc append_error(struct ks_buf *out, const struct ks_subject *s,
                          const struct ks_judgement *j)
{
    ks_rc rc = ks_judge_append_name(out, s);

    if (!rc)
        rc = ks_buf_append_byte(out, '\n');
    return rc ? rc : ks_paragraph_append(out, "error", ks_str_from(j->why.msg));
}

ks_rc ks_explain_append_facts(struct ks_buf *out, const struct ks_subject *s, ks_profile profile,
                              const struct ks_judgement *j)
{
    struct ks_decision decision;
    struct ks_told told = {.profile = profile, .kind = s->place->kind, .decision = &decision};
    ks_rc rc;

    if (j->rc)
        return append_error(out, s, j);
    told.verdict = &j->verdict;
    read_decision(s, profile, j, &decision);
    rc = ks_judge_append_name(out, s);
    if (!rc)
        rc = ks_buf_append_byte(out, '\n');
    if (!rc)
        rc = ks_explain_append_verdict(out, &told);
    if (!rc)
        rc = ks_fields_append(out, s, &decision);
    return rc ? rc : append_conditions(out, s);
}

ks_rc ks_explain_append_text(struct ks_buf *out, const struct ks_subject *s, ks_profile profile,
                             const struct ks_judgement *j)
{
    struct ks_causes causes;
    ks_rc rc = ks_explain_read_causes(s, j, &causes);

    if (!rc)
        rc = ks_explain_append_facts(out, s, profile, j);
    if (!rc)
        rc = ks_explain_append_causes(out, &causes);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

ks_rc ks_explain_append_json_condition(struct ks_buf *out, const struct ks_condition *c)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc)
        rc = ks_judge_append_member(out, "type", c->type);
    if (!rc)
        rc = ks_judge_append_member(out, "status", c->status);
    if (!rc)
        rc = ks_judge_append_member(out, "reason", c->reason);
    if (!rc)
        rc = ks_judge_append_member(out, "message", c->message);
    return rc ? rc : ks_buf_append_byte(out, '}');
}

static ks_rc json_conditions(struct ks_buf *out, const struct ks_subject *s)
{
    struct ks_json_value c = conditions_of(s);
    ks_rc rc = ks_judge_append_key(out, "conditions");

    if (!rc)
        rc = ks_buf_append_byte(out, '[');
    for (size_t i = 0; !rc && !ks_json_is_absent(c); c = ks_json_next(c), i++) {
        struct ks_condition told = condition_of(c);

        if (i > 0)
            rc = ks_buf_append_byte(out, ',');
        if (!rc)
            rc = ks_explain_append_json_condition(out, &told);
    }
    return rc ? rc : ks_buf_append_byte(out, ']');
}

ks_rc ks_explain_append_json_causes(struct ks_buf *out, const struct ks_causes *causes)
{
    struct ks_chain chain;

    ks_chain_from_causes(&chain, causes);
    return ks_chain_append_json(out, &chain);
}

ks_rc ks_explain_append_json_numbers(struct ks_buf *out, const struct ks_verdict *v)
{
    char time[KS_RFC3339_MAX];
    ks_rc rc = ks_judge_append_member(out, "basis", ks_str_from(basis_names[v->basis]));

    if (!rc && v->has_progress)
        rc = ks_buf_appendf(
            out, ",\"progress\":{\"readyCount\":%" PRIu32 ",\"desiredCount\":%" PRIu32 "}",
            v->ready_count, v->desired_count);
    if (!rc && v->recheck_at_ms)
        rc = ks_judge_append_member(out, "changesAt",
                                    ks_str_from(ks_rfc3339_format(v->recheck_at_ms, time)));
    return rc;
}

static ks_rc json_details(struct ks_buf *out, const struct ks_subject *s, ks_profile profile,
                          const struct ks_judgement *j)
{
    struct ks_decision decision;
    ks_rc rc;

    read_decision(s, profile, j, &decision);
    rc = ks_decided_append_json(out, &decision);
    if (!rc)
        rc = ks_explain_append_json_numbers(out, &j->verdict);
    if (!rc)
        rc = ks_fields_append_json(out, s);
    return rc ? rc : json_conditions(out, s);
}

ks_rc ks_explain_append_json_facts(struct ks_buf *out, const struct ks_subject *s,
                                   ks_profile profile, const struct ks_judgement *j)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc)
        rc = ks_judge_append_identity(out, s);
    if (!rc)
        rc = ks_judge_append_member(out, "profile", ks_str_from(ks_profile_text(profile)));
    if (!rc)
        rc = ks_judge_append_verdict(out, j);
    return rc || j->rc ? rc : json_details(out, s, profile, j);
}

ks_rc ks_explain_append_json(struct ks_buf *out, const struct ks_subject *s, ks_profile profile,
                             const struct ks_judgement *j)
{
    struct ks_causes causes;
    ks_rc rc = ks_explain_read_causes(s, j, &causes);

    if (!rc)
        rc = ks_explain_append_json_facts(out, s, profile, j);
    if (!rc && !j->rc)
        rc = ks_explain_append_json_causes(out, &causes);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}
