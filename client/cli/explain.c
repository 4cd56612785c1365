/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An explanation is a list of labelled paragraphs: the label in one column, the text wrapped in
 * another. What the JSON has is the same, member by member.
 *
 * The fields are a table by kind: those that the rules of both profiles look at. For kinds without
 * a row they are those that most controllers keep.
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
#include "client/cli/paragraph.h"
#include "client/cli/text.h"

#define FIELD_WIDTH 38
#define FIELDS_MAX 8
#define VALUE_MAX_BYTES ((size_t)200)

struct kind_fields {
    const char *kind;
    const char *paths[FIELDS_MAX]; /* up to the first NULL */
};

static const struct kind_fields kinds[] = {
    {"Deployment",
     {"spec.paused", "spec.replicas", "status.replicas", "status.updatedReplicas",
      "status.readyReplicas", "status.availableReplicas"}},
    {"ReplicaSet",
     {"spec.replicas", "status.replicas", "status.fullyLabeledReplicas", "status.readyReplicas",
      "status.availableReplicas"}},
    {"StatefulSet",
     {"spec.updateStrategy.type", "spec.replicas", "status.replicas", "status.readyReplicas",
      "status.currentReplicas", "status.updatedReplicas", "status.currentRevision",
      "status.updateRevision"}},
    {"DaemonSet",
     {"spec.updateStrategy.type", "status.desiredNumberScheduled", "status.currentNumberScheduled",
      "status.updatedNumberScheduled", "status.numberAvailable", "status.numberReady"}},
    {"Job",
     {"spec.suspend", "spec.parallelism", "spec.completions", "status.startTime", "status.active",
      "status.succeeded", "status.failed", "status.completionTime"}},
    {"CronJob", {"spec.suspend", "status.lastScheduleTime", "status.lastSuccessfulTime"}},
    {"Pod", {"spec.nodeName", "status.phase", "status.reason"}},
    {"Service", {"spec.type", "spec.clusterIP", "status.loadBalancer.ingress"}},
    {"Ingress", {"status.loadBalancer.ingress"}},
    {"PersistentVolumeClaim", {"status.phase"}},
    {"PersistentVolume", {"status.phase"}},
    {"Namespace", {"status.phase"}},
    {"PodDisruptionBudget",
     {"status.currentHealthy", "status.desiredHealthy", "status.disruptionsAllowed"}},
    {"HorizontalPodAutoscaler",
     {"spec.minReplicas", "spec.maxReplicas", "status.currentReplicas", "status.desiredReplicas"}},
};

/* Shown only when the object has them. */
static const char *const common_paths[] = {"metadata.deletionTimestamp", "metadata.generation",
                                           "status.observedGeneration"};
static const struct kind_fields other_kinds = {NULL, {"status.phase", "status.state"}};

static const char *const basis_texts[] = {
    [KS_BASIS_UNSPECIFIED] = "nothing that is told",
    [KS_BASIS_KIND_RULE] = "a rule for the kind",
    [KS_BASIS_STANDARD_CONDITION] = "a standard condition",
    [KS_BASIS_CUSTOM_RULE] = "a rule of the caller's",
    [KS_BASIS_GENERATION_ONLY] = "the observed generation alone",
    [KS_BASIS_ASSUMED] = "nothing: assumed, as nothing contradicts it",
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

typedef ks_rc (*field_fn)(struct ks_buf *out, const char *path, struct ks_json_value value);

/* Calls fn for each field to be shown; value may be absent. */
static ks_rc fields_each(const struct ks_subject *s, struct ks_buf *out, field_fn fn)
{
    const struct kind_fields *row = NULL;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !row && i < KS_ARRAY_LEN(kinds); i++)
        row = ks_str_is(s->place->kind, kinds[i].kind) ? &kinds[i] : NULL;
    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(common_paths); i++) {
        struct ks_json_value value = {.doc = NULL};

        if (ks_json_walk(s->object, common_paths[i], &value) == KS_LOOKUP_FOUND)
            rc = fn(out, common_paths[i], value);
    }
    for (size_t i = 0; !rc && i < FIELDS_MAX; i++) {
        const char *path = row ? row->paths[i] : other_kinds.paths[i];
        struct ks_json_value value = {.doc = NULL};

        if (!path)
            break;
        if (ks_json_walk(s->object, path, &value) == KS_LOOKUP_FOUND || row)
            rc = fn(out, path, value);
    }
    return rc;
}

/* One value as plain text; of a list or a map its size. */
static ks_rc append_value(struct ks_buf *out, struct ks_json_value value)
{
    struct ks_str text = ks_json_raw(value);

    switch (ks_json_type_of(value)) {
    case KS_JSON_ABSENT:
        return ks_buf_append_str(out, KS_LIT("absent"));
    case KS_JSON_LIST:
    case KS_JSON_MAP:
        return ks_buf_appendf(out, "%zu entries", ks_json_count(value));
    case KS_JSON_STRING:
        if (!ks_json_to_str(value, &text))
            return KS_RC_NOMEM;
        break;
    case KS_JSON_NULL:
    case KS_JSON_BOOL:
    case KS_JSON_INT:
    case KS_JSON_DOUBLE:
        break;
    }
    return ks_buf_append_str(out, ks_str_cut_utf8(text, VALUE_MAX_BYTES));
}

static ks_rc append_field(struct ks_buf *out, const char *path, struct ks_json_value value)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_rc rc = append_value(&text, value);

    if (!rc)
        rc = ks_paragraph_append_label(out, "");
    if (!rc)
        rc = ks_buf_appendf(out, "%-*s", FIELD_WIDTH, path);
    return rc ? rc
              : ks_paragraph_append_wrapped(out, ks_buf_str(&text),
                                            KS_PARAGRAPH_INDENT + FIELD_WIDTH);
}

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

ks_rc ks_explain_append_verdict(struct ks_buf *out, ks_profile profile, const struct ks_verdict *v)
{
    char text[64];
    ks_rc rc;

    (void)snprintf(text, sizeof(text), "%s, under profile %s", /* fits */
                   ks_status_text(v->status), ks_profile_text(profile));
    rc = ks_paragraph_append(out, "verdict", ks_str_from(text));
    if (!rc && v->reason.len > 0)
        rc = ks_paragraph_append(out, "reason", v->reason);
    if (!rc && v->message.len > 0)
        rc = ks_paragraph_append(out, "because", v->message);
    if (!rc && v->basis != KS_BASIS_UNSPECIFIED)
        rc = ks_paragraph_append(out, "rests on", ks_str_from(basis_texts[v->basis]));
    return rc ? rc : append_numbers(out, v);
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
    size_t part;
    ks_rc rc;

    if (j->rc)
        return append_error(out, s, j);
    rc = ks_judge_append_name(out, s);
    if (!rc)
        rc = ks_buf_append_byte(out, '\n');
    if (!rc)
        rc = ks_explain_append_verdict(out, profile, &j->verdict);
    part = out->len;
    if (!rc)
        rc = fields_each(s, out, append_field);
    ks_paragraph_set_label(out, part, "fields");
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

static ks_rc json_field(struct ks_buf *out, const char *path, struct ks_json_value value)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_json_type type = ks_json_type_of(value);
    ks_rc rc = ks_judge_append_key(out, path);

    if (rc)
        return rc;
    if (type == KS_JSON_ABSENT)
        return ks_buf_append_str(out, KS_LIT("null"));
    if (type == KS_JSON_INT || type == KS_JSON_BOOL || type == KS_JSON_NULL)
        return ks_buf_append_str(out, ks_json_raw(value));
    rc = append_value(&text, value);
    return rc ? rc : ks_text_append_json(out, ks_buf_str(&text));
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

static ks_rc json_details(struct ks_buf *out, const struct ks_subject *s,
                          const struct ks_judgement *j)
{
    ks_rc rc = ks_explain_append_json_numbers(out, &j->verdict);

    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT(",\"fields\":{"));
    if (!rc)
        rc = fields_each(s, out, json_field);
    if (!rc)
        rc = ks_buf_append_byte(out, '}');
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
    return rc || j->rc ? rc : json_details(out, s, j);
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
