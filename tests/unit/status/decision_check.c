/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/path.h"
#include "status/decision.h"

/* Nothing in the object need be looked at: it exists. */
static bool is_judged_by_existence(const struct ks_verdict *verdict)
{
    static const struct ks_str endings[] = {{"is current as soon as it exists", 31},
                                            {"are in force as soon as they exist", 34}};

    for (size_t i = 0; i < KS_ARRAY_LEN(endings); i++) {
        if (ks_str_ends(verdict->message, endings[i]))
            return true;
    }
    return false;
}

/* Where a path is plain, what is told must stand there, or be what absent counts as. */
static void check_value(const struct ks_vector *v, struct ks_json_value object, const char *path,
                        const char *value)
{
    struct ks_json_value there;
    int64_t own;
    int64_t told;

    if (strpbrk(path, "[ ") || ks_json_walk(object, path, &there) != KS_LOOKUP_FOUND ||
        !ks_json_to_int(there, &own))
        return;
    if (!ks_str_to_int64(ks_str_from(value), &told) || own != told)
        fail_msg("%.*s: %s is not %s", KS_STR_ARGS(v->name), path, value);
}

static void check_comparison(const struct ks_vector *v, const struct ks_decision *d)
{
    int64_t left;
    int64_t right;
    bool is_true = true;

    if (!ks_str_to_int64(ks_str_from(d->value), &left) ||
        !ks_str_to_int64(ks_str_from(d->other_value), &right))
        return;
    if (strcmp(d->comparison, "<") == 0)
        is_true = left < right;
    else if (strcmp(d->comparison, ">") == 0)
        is_true = left > right;
    else if (strcmp(d->comparison, ">=") == 0)
        is_true = left >= right;
    else if (strcmp(d->comparison, "!=") == 0)
        is_true = left != right;
    if (!is_true)
        fail_msg("%.*s: %s %s %s %s %s", KS_STR_ARGS(v->name), d->field, d->value, d->comparison,
                 d->other_field, d->other_value);
}

void ks_decision_check(const struct ks_vector *v, ks_profile profile, struct ks_json_value object,
                       const struct ks_verdict *verdict)
{
    struct ks_status_kind kind = {.kind = ks_json_lenient_str(object, "kind", "")};
    struct ks_str failure = ks_json_lenient_str(v->root, "context.failure.reason", "");
    struct ks_decision d;
    bool is_known = ks_decision_read(object, &kind, profile, verdict, &d);

    if (is_known == (d.comparison[0] == '\0') || is_known == (d.field[0] == '\0'))
        fail_msg("%.*s: neither known nor unknown", KS_STR_ARGS(v->name));
    if (is_known && (d.value[0] == '\0' || (d.other_field[0] && d.other_value[0] == '\0')))
        fail_msg("%.*s: %s has no value", KS_STR_ARGS(v->name), d.field);
    check_value(v, object, d.field, d.value);
    check_value(v, object, d.other_field, d.other_value);
    check_comparison(v, &d);
    if (is_known || verdict->basis == KS_BASIS_ASSUMED || is_judged_by_existence(verdict) ||
        (failure.len > 0 && ks_str_eq(failure, verdict->reason)))
        return;
    fail_msg("%.*s: what decided %s %.*s: %.*s?", KS_STR_ARGS(v->name),
             ks_status_text(verdict->status), KS_STR_ARGS(verdict->reason),
             KS_STR_ARGS(verdict->message));
}
