/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every kind: deletion, generation, the standard conditions before the kind's rule
 * (steps 1 to 3), Ready and the benefit of the doubt after it (steps 5 and 6). shared/spec:
 * kstatus 1.2.
 *
 * Invariants:
 *   1. The steps run in this order, and the first that decides ends the computation: a later step's
 * malformed input is then never noticed, as in the reference.
 *   2. After ks_rule_generic has passed, every element of subject->conditions is readable.
 *
 * Thread: the document's.  It does not: parse deletionTimestamp; any text but "" counts.
 */
#include "status/rules.h"

#include <inttypes.h>

#include "json/path.h"

static ks_rc wrong_type(struct ks_error *err, const char *path, const char *wanted)
{
    return ks_fail(err, KS_RC_INVALID, "%s is not %s, so no status can be computed", path, wanted);
}

/* What is in the way of the first field that is looked for. */
static ks_rc wrong_deletion(const struct ks_subject *subject, struct ks_error *err)
{
    if (ks_json_type_of(ks_json_get(subject->object, "metadata")) != KS_JSON_MAP)
        return wrong_type(err, "metadata", "a map");
    return wrong_type(err, "metadata.deletionTimestamp", "a string");
}

static ks_rc check_deletion(const struct ks_subject *subject, struct ks_verdict *out,
                            struct ks_error *err)
{
    struct ks_str since;

    switch (ks_json_strict_str(subject->object, "metadata.deletionTimestamp", &since)) {
    case KS_LOOKUP_ERROR:
        return wrong_deletion(subject, err);
    case KS_LOOKUP_ABSENT:
        return KS_RC_OK;
    case KS_LOOKUP_FOUND:
        break;
    }
    if (since.len == 0)
        return KS_RC_OK;
    out->status = KS_STATUS_TERMINATING;
    out->basis = KS_BASIS_KIND_RULE;
    ks_verdict_say(out, "Deletion was requested at %.*s", KS_STR_ARGS(ks_str_cut_utf8(since, 40)));
    return KS_RC_OK;
}

/* One of the two has not been read: why not. */
static ks_rc check_missing_generation(const struct ks_subject *subject,
                                      const struct ks_verdict *read, struct ks_error *err)
{
    const char *path = read->has_generation ? "status.observedGeneration" : "metadata.generation";
    int64_t ignored;

    if (ks_json_strict_int(subject->object, path, &ignored) == KS_LOOKUP_ERROR)
        return wrong_type(err, path, "an integer");
    return KS_RC_OK;
}

/* The verdict has the generations that could be read. */
static ks_rc check_generation(const struct ks_subject *subject, struct ks_verdict *out,
                              struct ks_error *err)
{
    struct ks_str kind = ks_str_cut_utf8(subject->kind, 63);

    if (!out->has_generation || !out->has_observed_generation)
        return check_missing_generation(subject, out, err);
    if (out->observed_generation == out->generation)
        return KS_RC_OK;
    (void)ks_verdict_in_progress(out, "LatestGenerationNotObserved",
                                 "%.*s is at generation %" PRId64
                                 ", its controller has observed generation %" PRId64,
                                 KS_STR_ARGS(kind), out->generation, out->observed_generation);
    out->basis = KS_BASIS_GENERATION_ONLY;
    return KS_RC_OK;
}

static bool is_text_or_nothing(struct ks_json_value v)
{
    ks_json_type type = ks_json_type_of(v);

    return type == KS_JSON_ABSENT || type == KS_JSON_NULL || type == KS_JSON_STRING;
}

static bool has_only_text(struct ks_json_value map)
{
    for (struct ks_json_value m = ks_json_first(map); !ks_json_is_absent(m); m = ks_json_next(m)) {
        if (!is_text_or_nothing(m))
            return false;
    }
    return true;
}

static ks_rc check_condition(struct ks_json_value v, size_t index, struct ks_error *err)
{
    static const char *const fields[] = {"type", "status", "reason", "message"};
    ks_json_type type = ks_json_type_of(v);

    if (type == KS_JSON_NULL)
        return KS_RC_OK;
    if (type != KS_JSON_MAP)
        return ks_fail(err, KS_RC_INVALID,
                       "status.conditions[%zu] is not a map, so no status can be computed", index);
    if (has_only_text(v)) /* as good as always: then there is nothing to look up */
        return KS_RC_OK;
    for (size_t i = 0; i < KS_ARRAY_LEN(fields); i++) {
        if (!is_text_or_nothing(ks_json_get(v, fields[i])))
            return ks_fail(
                err, KS_RC_INVALID,
                "status.conditions[%zu].%s is not a string, so no status can be computed", index,
                fields[i]);
    }
    return KS_RC_OK;
}

static ks_rc read_conditions(struct ks_subject *subject, struct ks_error *err)
{
    struct ks_json_value status = ks_json_get(subject->object, "status");
    ks_json_type status_type = ks_json_type_of(status);
    struct ks_json_value list = ks_json_get(status, "conditions");
    size_t index = 0;
    ks_rc rc;

    if (status_type == KS_JSON_ABSENT || status_type == KS_JSON_NULL)
        return KS_RC_OK;
    if (status_type != KS_JSON_MAP)
        return wrong_type(err, "status", "a map");
    if (ks_json_is_absent(list) || ks_json_type_of(list) == KS_JSON_NULL)
        return KS_RC_OK;
    if (ks_json_type_of(list) != KS_JSON_LIST)
        return wrong_type(err, "status.conditions", "a list");
    for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v); v = ks_json_next(v)) {
        rc = check_condition(v, index++, err);
        if (rc)
            return rc;
    }
    subject->conditions = list;
    return KS_RC_OK;
}

struct ks_str ks_condition_text(struct ks_json_value condition, const char *name)
{
    struct ks_str text = {0};

    (void)ks_json_to_str(ks_json_get(condition, name), &text); /* absent and null stay empty */
    return text;
}

bool ks_condition_read(struct ks_json_value v, struct ks_condition *out)
{
    if (ks_json_is_absent(v))
        return false;
    *out = (struct ks_condition){
        .type = ks_condition_text(v, "type"),
        .status = ks_condition_text(v, "status"),
        .reason = ks_condition_text(v, "reason"),
        .message = ks_condition_text(v, "message"),
    };
    return true;
}

bool ks_condition_find(const struct ks_subject *subject, const char *type, const char *status,
                       struct ks_condition *out)
{
    struct ks_json_value at = ks_json_first(subject->conditions);

    for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
        if (ks_str_is(ks_condition_text(at, "type"), type) &&
            ks_str_is(ks_condition_text(at, "status"), status))
            return ks_condition_read(at, out);
    }
    return false;
}

static void check_standard_conditions(const struct ks_subject *subject, struct ks_verdict *out)
{
    struct ks_json_value at = ks_json_first(subject->conditions);
    struct ks_condition c;

    for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
        struct ks_str type = ks_condition_text(at, "type");
        ks_status status = KS_STATUS_UNSPECIFIED;

        if (ks_str_is(type, "Reconciling"))
            status = KS_STATUS_IN_PROGRESS;
        else if (ks_str_is(type, "Stalled"))
            status = KS_STATUS_FAILED;
        if (status == KS_STATUS_UNSPECIFIED || !ks_condition_read(at, &c) ||
            !ks_str_is(c.status, "True"))
            continue;
        (void)ks_verdict_pass(out, status, KS_BASIS_STANDARD_CONDITION, &c);
        return;
    }
}

ks_rc ks_rule_generic(struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err)
{
    ks_rc rc;

    rc = check_deletion(subject, out, err);
    if (rc || out->status != KS_STATUS_UNSPECIFIED)
        return rc;
    rc = check_generation(subject, out, err);
    if (rc || out->status != KS_STATUS_UNSPECIFIED)
        return rc;
    rc = read_conditions(subject, err);
    if (rc)
        return rc;
    check_standard_conditions(subject, out);
    return KS_RC_OK;
}

ks_rc ks_rule_fallback(const struct ks_subject *subject, struct ks_verdict *out,
                       struct ks_error *err KS_UNUSED)
{
    struct ks_json_value at = ks_json_first(subject->conditions);
    struct ks_str kind = ks_str_cut_utf8(subject->kind, 63);
    struct ks_condition c;

    for (; ks_condition_read(at, &c); at = ks_json_next(at)) {
        if (!ks_str_is(c.type, "Ready"))
            continue;
        if (ks_str_is(c.status, "True"))
            return ks_verdict_current(out, KS_BASIS_STANDARD_CONDITION, "Condition Ready is True");
        if (ks_str_is(c.status, "False") || ks_str_is(c.status, "Unknown"))
            return ks_verdict_pass(out, KS_STATUS_IN_PROGRESS, KS_BASIS_STANDARD_CONDITION, &c);
    }
    if (out->has_generation && out->has_observed_generation)
        return ks_verdict_current(out, KS_BASIS_GENERATION_ONLY,
                                  "%.*s's controller has observed generation %" PRId64
                                  "; it reports no Ready condition",
                                  KS_STR_ARGS(kind), out->generation);
    return ks_verdict_current(
        out, KS_BASIS_ASSUMED,
        "Assumed: %.*s has no rule, no Ready condition and no observed generation",
        KS_STR_ARGS(kind));
}
