/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts in an object's own words: the condition, or the member of the status, that they were
 * taken from.
 *
 * A verdict has a condition's reason, or its type where it has none, and its message; without a
 * message it names the type. Of a phase it has the text for its reason and names the member.
 *
 * Thread: the document's.
 */
#include "status/decision_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/path.h"

#define PATH_MAX_BYTES 96

typedef bool (*condition_fn)(const struct ks_asked *a, struct ks_json_value c);

/* The same words: of a condition without a message the verdict says "Condition TYPE is ...". */
static bool has_words_of(const struct ks_asked *a, struct ks_json_value c)
{
    struct ks_str type = ks_json_lenient_str(c, "type", "");
    struct ks_str reason = ks_json_lenient_str(c, "reason", "");
    struct ks_str message = ks_json_lenient_str(c, "message", "");
    char lead[80];

    if (reason.len == 0 && a->is_strict)
        reason = type;
    if (type.len == 0 || !ks_str_eq(a->verdict->reason, reason))
        return false;
    if (message.len > 0)
        return ks_str_eq(a->verdict->message, message);
    (void)snprintf(lead, sizeof(lead), "Condition %.*s is ", /* fits */
                   KS_STR_ARGS(ks_str_cut_utf8(type, 63)));
    return ks_str_starts(a->verdict->message, ks_str_from(lead));
}

static bool is_outdated(const struct ks_asked *a, struct ks_json_value c)
{
    return ks_json_lenient_int(c, "observedGeneration", INT64_MAX) <
           ks_json_lenient_int(a->object, "metadata.generation", INT64_MIN);
}

static bool tell(const struct ks_asked *a, const char *list, struct ks_json_value c,
                 condition_fn is_it, struct ks_decision *out)
{
    struct ks_str type = ks_json_lenient_str(c, "type", "");

    if (is_it != is_outdated)
        return ks_decision_tell_element(out, list, type, "status", ks_json_get(c, "status"));
    (void)ks_decision_tell_element(out, list, type, "observedGeneration", /* always true */
                                   ks_json_get(c, "observedGeneration"));
    out->comparison = "<";
    (void)snprintf(out->other_field, sizeof(out->other_field), "metadata.generation"); /* fits */
    ks_decision_value(out->other_value, ks_asked_find(a, "metadata.generation"));
    return true;
}

static bool from_list(const struct ks_asked *a, const char *name, struct ks_json_value list,
                      condition_fn is_it, struct ks_decision *out)
{
    for (struct ks_json_value c = ks_json_first(list); !ks_json_is_absent(c); c = ks_json_next(c)) {
        if (is_it(a, c))
            return tell(a, name, c, is_it, out);
    }
    return false;
}

/* Conditions of each element: a gateway's listeners, a route's parents. */
static bool from_elements(const struct ks_asked *a, const char *path, condition_fn is_it,
                          struct ks_decision *out)
{
    struct ks_json_value at = ks_json_first(ks_asked_find(a, path));

    for (size_t i = 0; !ks_json_is_absent(at); at = ks_json_next(at), i++) {
        char name[PATH_MAX_BYTES];

        (void)snprintf(name, sizeof(name), "%s[%zu].conditions", path, i); /* fits */
        if (from_list(a, name, ks_json_get(at, "conditions"), is_it, out))
            return true;
    }
    return false;
}

static bool from_lists(const struct ks_asked *a, condition_fn is_it, struct ks_decision *out)
{
    static const char *const lists[] = {"status.conditions", "status.conditionedStatus.conditions",
                                        "status.v1beta2.conditions"};
    static const char *const elements[] = {"status.listeners", "status.parents",
                                           "status.ancestors"};

    for (size_t i = 0; i < KS_ARRAY_LEN(lists); i++) {
        if (from_list(a, lists[i], ks_asked_find(a, lists[i]), is_it, out))
            return true;
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(elements); i++) {
        if (from_elements(a, elements[i], is_it, out))
            return true;
    }
    return false;
}

/* kstatus' fallback says of a Ready that is True neither reason nor message. */
static bool is_ready(const struct ks_asked *a, struct ks_json_value c)
{
    return a->verdict->status == KS_STATUS_CURRENT &&
           ks_str_is(ks_json_lenient_str(c, "type", ""), "Ready") &&
           ks_str_is(ks_json_lenient_str(c, "status", ""), "True");
}

bool ks_decision_from_condition(const struct ks_asked *a, struct ks_decision *out)
{
    static const char list[] = "status.conditions";
    bool is_standard = a->verdict->basis == KS_BASIS_STANDARD_CONDITION;

    if (is_standard && ks_str_is(a->verdict->reason, "GenerationNotObserved"))
        return from_lists(a, is_outdated, out);
    if (is_standard && !a->is_strict && a->verdict->status == KS_STATUS_CURRENT)
        return from_list(a, list, ks_asked_find(a, list), is_ready, out);
    return from_lists(a, has_words_of, out);
}

/* "readyReplicas is 2 of 3": what the three is. */
static bool tell_counter(const struct ks_asked *a, struct ks_str rest, struct ks_json_value have,
                         struct ks_decision *out)
{
    static const char *const paths[] = {"spec.replicas", "status.replicas",
                                        "status.desiredNumberScheduled"};
    int64_t wanted;
    int64_t count;

    if (!ks_str_starts(rest, KS_LIT(" of ")) ||
        !ks_str_to_int64(ks_str_sub(rest, 4, rest.len), &wanted) || !ks_json_to_int(have, &count))
        return false;
    for (size_t i = 0; i < KS_ARRAY_LEN(paths); i++) {
        int64_t n;

        if (!ks_json_to_int(ks_asked_find(a, paths[i]), &n) || n != wanted)
            continue;
        out->comparison = count < wanted ? "<" : ">=";
        (void)snprintf(out->other_field, sizeof(out->other_field), "%s", paths[i]); /* fits */
        ks_decision_value(out->other_value, ks_asked_find(a, paths[i]));
        return true;
    }
    return false;
}

/* Whether the message is "NAME is VALUE", then *out_rest what follows, or the value alone where
 * the name is the reason. */
static bool names_member(const struct ks_asked *a, struct ks_str name, struct ks_json_value v,
                         struct ks_str *out_rest)
{
    struct ks_str text = ks_json_raw(v);
    struct ks_str message = a->verdict->message;
    char lead[320];

    if (ks_json_type_of(v) == KS_JSON_STRING && !ks_json_to_str(v, &text))
        return false;
    if (ks_str_eq(a->verdict->reason, name) &&
        (ks_str_eq(message, text) || ks_str_eq(message, ks_json_lenient_str(v, "message", "\n"))))
        return true;
    (void)snprintf(lead, sizeof(lead), "%.*s is %.*s", /* fits */
                   KS_STR_ARGS(ks_str_cut_utf8(name, 63)), KS_STR_ARGS(ks_str_cut_utf8(text, 160)));
    *out_rest = ks_str_sub(message, strlen(lead), message.len);
    return ks_str_starts(message, ks_str_from(lead));
}

static bool from_map(const struct ks_asked *a, const char *path, struct ks_json_value map,
                     struct ks_decision *out)
{
    for (struct ks_json_value m = ks_json_first(map); !ks_json_is_absent(m); m = ks_json_next(m)) {
        struct ks_str name = ks_json_key(m);
        struct ks_str rest = {.len = 0};
        char field[KS_DECISION_FIELD_MAX];

        if (!names_member(a, name, m, &rest))
            continue;
        (void)snprintf(field, sizeof(field), "%s.%.*s", path, /* may be cut: for people */
                       KS_STR_ARGS(ks_str_cut_utf8(name, 63)));
        (void)ks_decision_tell(out, field, m); /* always true */
        if (rest.len == 0 || tell_counter(a, rest, m, out))
            return true;
        *out = (struct ks_decision){.comparison = ""}; /* the message only begins like this */
    }
    return false;
}

bool ks_decision_from_member(const struct ks_asked *a, struct ks_decision *out)
{
    struct ks_json_value status = ks_asked_find(a, "status");

    if (a->verdict->basis != KS_BASIS_CUSTOM_RULE)
        return false;
    if (from_map(a, "status", status, out))
        return true;
    for (struct ks_json_value m = ks_json_first(status); !ks_json_is_absent(m);
         m = ks_json_next(m)) {
        char path[PATH_MAX_BYTES];

        (void)snprintf(path, sizeof(path), "status.%.*s", /* fits */
                       KS_STR_ARGS(ks_str_cut_utf8(ks_json_key(m), 63)));
        if (ks_json_type_of(m) == KS_JSON_MAP && from_map(a, path, m, out))
            return true;
    }
    return false;
}
