/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of decision_table.h: how each test looks at an object.
 *
 * Thread: the document's.
 */
#include "status/decision_tell.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rfc3339.h"
#include "json/path.h"
#include "status/decision_table.h"

typedef enum { LESS, GREATER, NOT_LESS, EQUALS, DIFFERS } comparison;
static const char *const comparison_texts[] = {
    [LESS] = "<", [GREATER] = ">", [NOT_LESS] = ">=", [EQUALS] = "=", [DIFFERS] = "!="};

typedef enum { BOTH, KSTATUS, STRICT } row_profile;

struct row;
/* Whether the row's comparison holds; then it is told. */
typedef bool (*test_fn)(const struct ks_asked *a, const struct row *row, struct ks_decision *out);

struct row {
    row_profile profile;
    const char *kind;
    const char *reason;
    test_fn test;
    const char *left; /* a path, or a condition's type */
    int64_t left_default;
    comparison comparison;
    const char *right; /* a path, or a text */
    int64_t right_default;
};

/* Profile strict takes a generation for a number that is written as a string. */
static int64_t number_of(const struct ks_asked *a, const char *path, int64_t otherwise)
{
    struct ks_json_value v = ks_asked_find(a, path);
    struct ks_str text;
    int64_t n;

    if (ks_json_to_int(v, &n))
        return n;
    return a->is_strict && ks_json_to_str(v, &text) && ks_str_to_int64(text, &n) ? n : otherwise;
}

static bool holds(int64_t left, comparison c, int64_t right)
{
    switch (c) {
    case LESS:
        return left < right;
    case GREATER:
        return left > right;
    case NOT_LESS:
        return left >= right;
    case EQUALS:
        return left == right;
    case DIFFERS:
        break;
    }
    return left != right;
}

static void copy(char to[KS_DECISION_FIELD_MAX], const char *path)
{
    (void)snprintf(to, KS_DECISION_FIELD_MAX, "%s", path); /* fits: the table's */
}

static bool tell_numbers(const struct row *row, int64_t left, int64_t right,
                         struct ks_decision *out)
{
    if (!holds(left, row->comparison, right))
        return false;
    copy(out->field, row->left);
    (void)snprintf(out->value, sizeof(out->value), "%" PRId64, left); /* fits */
    copy(out->other_field, row->right);
    (void)snprintf(out->other_value, sizeof(out->other_value), "%" PRId64, right); /* fits */
    out->comparison = comparison_texts[row->comparison];
    return true;
}

static bool test_numbers(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    return tell_numbers(row, number_of(a, row->left, row->left_default),
                        number_of(a, row->right, row->right_default), out);
}

static bool test_partition(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    int64_t replicas = number_of(a, "spec.replicas", 1);
    int64_t partition = number_of(a, "spec.updateStrategy.rollingUpdate.partition", 0);

    return tell_numbers(row, number_of(a, row->left, 0),
                        (int64_t)((uint64_t)replicas - (uint64_t)partition), out);
}

/* As they are written. */
static bool tell_values(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    copy(out->field, row->left);
    ks_decision_value(out->value, ks_asked_find(a, row->left));
    copy(out->other_field, row->right);
    ks_decision_value(out->other_value, ks_asked_find(a, row->right));
    out->comparison = comparison_texts[row->comparison];
    return true;
}

static bool test_texts(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    struct ks_str left = ks_json_lenient_str(a->object, row->left, "");
    struct ks_str right = ks_json_lenient_str(a->object, row->right, "");

    if (ks_str_eq(left, right))
        return false;
    return tell_values(a, row, out);
}

/* A time that is absent lies before all others. */
static int64_t time_of(const struct ks_asked *a, const char *path)
{
    int64_t ms;

    return ks_rfc3339_parse(ks_json_lenient_str(a->object, path, ""), &ms) ? ms : INT64_MIN;
}

static bool test_times(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    if (!holds(time_of(a, row->left), row->comparison, time_of(a, row->right)))
        return false;
    return tell_values(a, row, out);
}

static bool test_show(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    return ks_decision_tell(out, row->left[0] ? row->left : "the object",
                            ks_asked_find(a, row->left));
}

static bool is_text_of(struct ks_json_value v, const char *text)
{
    struct ks_str own = ks_json_raw(v);

    if (ks_json_type_of(v) == KS_JSON_STRING && !ks_json_to_str(v, &own))
        return false;
    return ks_str_is(own, text);
}

static bool test_is(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    return is_text_of(ks_asked_find(a, row->left), row->right) && test_show(a, row, out);
}

static bool test_other(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    return !is_text_of(ks_asked_find(a, row->left), row->right) && test_show(a, row, out);
}

static bool test_reason(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    static const char list[] = "status.conditions";
    struct ks_json_value at = ks_json_first(ks_asked_find(a, list));

    for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
        if (ks_str_is(ks_json_lenient_str(at, "type", ""), row->left) &&
            ks_str_eq(ks_json_lenient_str(at, "reason", ""), a->verdict->reason))
            return ks_decision_tell_element(out, list, ks_str_from(row->left), "reason",
                                            ks_json_get(at, "reason"));
    }
    return false;
}

static bool test_condition(const struct ks_asked *a, const struct row *row, struct ks_decision *out)
{
    static const char list[] = "status.conditions";
    struct ks_json_value at = ks_json_first(ks_asked_find(a, list));

    for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
        struct ks_json_value status = ks_json_get(at, "status");

        if (ks_str_is(ks_json_lenient_str(at, "type", ""), row->left) &&
            (!row->right || is_text_of(status, row->right)))
            return ks_decision_tell_element(out, list, ks_str_from(row->left), "status", status);
    }
    at = (struct ks_json_value){.doc = NULL};
    return !row->right && ks_decision_tell_element(out, list, ks_str_from(row->left), "status", at);
}

static bool tell_container(const char *list, struct ks_json_value container, const char *path,
                           struct ks_decision *out)
{
    struct ks_json_value v = {.doc = NULL};

    if (ks_json_walk(container, path, &v) != KS_LOOKUP_FOUND)
        return false;
    return ks_decision_tell_element(out, list, ks_json_lenient_str(container, "name", ""), path, v);
}

/* Of the first container, init containers first, for which is_it holds; what stands at the path. */
static bool find_container(const struct ks_asked *a, const char *path,
                           bool (*is_it)(struct ks_json_value container, struct ks_str reason),
                           struct ks_decision *out)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};

    for (size_t i = 0; i < KS_ARRAY_LEN(lists); i++) {
        struct ks_json_value at = ks_json_first(ks_asked_find(a, lists[i]));

        for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
            if (is_it(at, a->verdict->reason))
                return tell_container(lists[i], at, path, out);
        }
    }
    return false;
}

static bool is_waiting(struct ks_json_value container, struct ks_str reason)
{
    struct ks_str own = ks_json_lenient_str(container, "state.waiting.reason", "");

    return own.len > 0 && ks_str_eq(own, reason);
}

static bool is_in_loop(struct ks_json_value container, struct ks_str reason KS_UNUSED)
{
    return is_waiting(container, KS_LIT("CrashLoopBackOff"));
}

static bool has_ended_badly(struct ks_json_value container, struct ks_str reason KS_UNUSED)
{
    return ks_json_lenient_int(container, "state.terminated.exitCode", 0) != 0;
}

static bool test_waits(const struct ks_asked *a, const struct row *row KS_UNUSED,
                       struct ks_decision *out)
{
    return find_container(a, "state.waiting.reason", is_waiting, out);
}

static bool test_loops(const struct ks_asked *a, const struct row *row KS_UNUSED,
                       struct ks_decision *out)
{
    return find_container(a, "state.waiting.reason", is_in_loop, out) ||
           find_container(a, "state.terminated.exitCode", has_ended_badly, out);
}

static bool test_annotation(const struct ks_asked *a, const struct row *row,
                            struct ks_decision *out)
{
    struct ks_json_value v = ks_json_get(ks_asked_find(a, "metadata.annotations"), row->left);

    return !ks_json_is_absent(v) && ks_json_is_absent(ks_asked_find(a, "status.conditions")) &&
           ks_decision_tell_element(out, "metadata.annotations", ks_str_from(row->left), NULL, v);
}

#define NUMBERS(path, number, op, other, other_number)                                             \
    test_numbers, path, number, op, other, other_number
#define TEXTS(path, op, other) test_texts, path, 0, op, other, 0
#define TIMES(path, op, other) test_times, path, 0, op, other, 0
#define PARTITION(op)                                                                              \
    test_partition, "status.updatedReplicas", 0, op,                                               \
        "spec.replicas - spec.updateStrategy.rollingUpdate.partition", 0
#define IS(path, text) test_is, path, 0, LESS, text, 0
#define OTHER(path, text) test_other, path, 0, LESS, text, 0
#define SHOW(path) test_show, path, 0, LESS, NULL, 0
#define CONDITION(type, status) test_condition, type, 0, LESS, status, 0
#define REASON(type) test_reason, type, 0, LESS, NULL, 0
#define ANNOTATION(name) test_annotation, name, 0, LESS, NULL, 0
#define WAITS test_waits, "", 0, LESS, NULL, 0
#define LOOPS test_loops, "", 0, LESS, NULL, 0

static const struct row rows[] = {
#define X(profile, kind, reason, ...) {profile, kind, reason, __VA_ARGS__},
    KS_DECISIONS(X)
#undef X
};

/* The kind itself; in the reference "apps/Deployment" is one, too (shared/spec: kstatus 0.5). */
static bool is_kind(const struct ks_asked *a, const char *kind)
{
    struct ks_str own = a->kind->kind;

    for (ptrdiff_t at = ks_str_chr(own, '/'); at >= 0; at = ks_str_chr(own, '/'))
        own = ks_str_sub(own, (size_t)at + 1, own.len);
    return a->verdict->basis == KS_BASIS_KIND_RULE && ks_str_is(own, kind);
}

static bool applies(const struct ks_asked *a, const struct row *row)
{
    if (row->profile != BOTH && (row->profile == STRICT) != a->is_strict)
        return false;
    if (row->reason && !ks_str_is(a->verdict->reason, row->reason))
        return false;
    if (row->kind && !is_kind(a, row->kind))
        return false;
    return row->kind || !row->reason || row->reason[0] ||
           a->verdict->basis == KS_BASIS_GENERATION_ONLY;
}

bool ks_decision_from_row(const struct ks_asked *a, struct ks_decision *out)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (applies(a, &rows[i]) && rows[i].test(a, &rows[i], out))
            return true;
    }
    return false;
}
