/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a status says outside its conditions: phases, counters, booleans and errors, found by the
 * names of the members and judged by their words.
 *
 * Invariants:
 *   1. A member that a later one of the same name shadows is not looked at.
 *   2. Time is linear in the status: of a map at most KS_STRICT_MEMBERS_MAX members that bear a
 * telling name are looked at.
 *   3. The order of members changes nothing: they are looked at in the order of their names.
 *
 * Thread: the document's.  It does not: look deeper than one level below status.
 */
#include "status/strict.h"

#include <inttypes.h>

#include "json/path.h"
#include "status/strict_words.h"

#define NAME_MAX 63

static struct ks_finding finding_of(ks_status status, struct ks_str reason)
{
    return (struct ks_finding){.status = status, .basis = KS_BASIS_CUSTOM_RULE, .reason = reason};
}

static bool look_for_task(const struct ks_strict *s)
{
    struct ks_phrase kind = ks_phrase_read(s->kind.kind);
    bool has_start = !ks_json_is_absent(ks_json_get(s->status, "startTime")) ||
                     !ks_json_is_absent(ks_json_get(s->status, "startedAt"));

    return ks_word_in(&kind.last, KS_WORDS_TASK_LAST) ||
           (has_start && ks_json_is_absent(ks_json_get(s->status, "replicas")));
}

/* Asked for by every phase that is Running, answered once. */
static bool is_task(struct ks_strict *s)
{
    if (s->is_task == KS_FACT_UNKNOWN)
        s->is_task = look_for_task(s) ? KS_FACT_YES : KS_FACT_NO;
    return s->is_task == KS_FACT_YES;
}

static ks_status judge_sentence(const struct ks_phrase *p)
{
    if (p->is_failing)
        return KS_STATUS_FAILED;
    if (p->is_first_moving || p->has_not)
        return KS_STATUS_IN_PROGRESS;
    return KS_STATUS_UNSPECIFIED;
}

/* UNSPECIFIED: it says nothing. */
static ks_status judge_phrase(struct ks_strict *s, const struct ks_phrase *p)
{
    if (p->count > 3)
        return judge_sentence(p);
    if (p->is_failing || ks_word_is(&p->last, "red"))
        return KS_STATUS_FAILED;
    if (ks_word_is(&p->first, "not") || p->has_not_ready)
        return KS_STATUS_IN_PROGRESS;
    if (p->count == 1 && ks_word_is(&p->first, "running"))
        return is_task(s) ? KS_STATUS_IN_PROGRESS : KS_STATUS_CURRENT;
    if (ks_word_in(&p->last, KS_WORDS_GOOD_LAST))
        return KS_STATUS_CURRENT;
    if (p->is_moving || ks_word_is(&p->last, "yellow"))
        return KS_STATUS_IN_PROGRESS;
    return KS_STATUS_UNSPECIFIED;
}

static void judge_text(struct ks_strict *s, struct ks_str name, struct ks_str text)
{
    struct ks_phrase p = ks_phrase_read(text);
    ks_status status = judge_phrase(s, &p);
    struct ks_finding finding = finding_of(status, p.count > 3 ? name : text);

    if (status != KS_STATUS_UNSPECIFIED)
        ks_strict_find(s, &finding, "%.*s is %.*s", KS_STR_ARGS(ks_str_cut_utf8(name, NAME_MAX)),
                       KS_STR_ARGS(ks_str_cut_utf8(text, 160)));
}

static bool is_about_now(const struct ks_phrase *name)
{
    return !ks_word_in(&name->first, KS_WORDS_OTHER_TIME) ||
           (ks_word_is(&name->first, "last") && ks_word_is(&name->second, "operation"));
}

static bool names_state(const struct ks_phrase *name)
{
    return ks_word_in(&name->last, KS_WORDS_STATE_NAME) && is_about_now(name);
}

static bool names_state_map(const struct ks_phrase *name)
{
    return ks_word_in(&name->last, KS_WORDS_STATE_MAP) && is_about_now(name);
}

static bool names_error(const struct ks_phrase *name)
{
    return ks_word_in(&name->first, KS_WORDS_ERROR_FIRST);
}

struct pick {
    struct ks_str name;
    struct ks_json_value value;
};

/* Members by name; of more than there is room for, those whose names sort first. */
struct picks {
    size_t count;
    struct pick list[KS_STRICT_MEMBERS_MAX];
};

static void put(struct picks *picks, const struct pick *pick)
{
    size_t at = picks->count;

    while (at > 0 && ks_str_cmp(picks->list[at - 1].name, pick->name) > 0)
        at--;
    if (at > 0 && ks_str_eq(picks->list[at - 1].name, pick->name)) {
        picks->list[at - 1] = *pick; /* of duplicates the last one counts */
        return;
    }
    if (at == KS_STRICT_MEMBERS_MAX)
        return;
    if (picks->count < KS_STRICT_MEMBERS_MAX)
        picks->count++;
    memmove(&picks->list[at + 1], &picks->list[at],
            (picks->count - 1 - at) * sizeof(picks->list[0]));
    picks->list[at] = *pick;
}

static void pick_members(struct ks_json_value map, bool (*is_telling)(const struct ks_phrase *),
                         struct picks *out)
{
    out->count = 0;
    for (struct ks_json_value m = ks_json_first(map); !ks_json_is_absent(m); m = ks_json_next(m)) {
        const struct pick pick = {.name = ks_json_key(m), .value = m};
        struct ks_phrase name = ks_phrase_read(pick.name);

        if (is_telling(&name))
            put(out, &pick);
    }
}

/* Strings with a telling name in one map. */
static void judge_strings(struct ks_strict *s, struct ks_json_value map)
{
    struct ks_str text;
    struct picks picks;

    pick_members(map, names_state, &picks);
    for (size_t i = 0; i < picks.count; i++) {
        if (ks_json_to_str(picks.list[i].value, &text))
            judge_text(s, picks.list[i].name, text);
    }
}

static void judge_maps(struct ks_strict *s)
{
    struct picks picks;

    pick_members(s->status, names_state_map, &picks);
    for (size_t i = 0; i < picks.count; i++) {
        if (ks_json_type_of(picks.list[i].value) == KS_JSON_MAP)
            judge_strings(s, picks.list[i].value);
    }
}

static void judge_errors(struct ks_strict *s)
{
    struct picks picks;

    pick_members(s->status, names_error, &picks);
    for (size_t i = 0; i < picks.count; i++) {
        struct ks_finding finding = finding_of(KS_STATUS_FAILED, picks.list[i].name);

        if (!ks_json_to_str(picks.list[i].value, &finding.message))
            finding.message = ks_json_lenient_str(picks.list[i].value, "message", "");
        if (finding.message.len > 0)
            ks_strict_find(s, &finding, "%s", "");
    }
}

struct counter {
    const char *name;
    const char *reason;
};

static const struct counter replica_counters[] = {
    {"updatedReplicas", "LessUpdated"},
    {"readyReplicas", "LessReady"},
    {"availableReplicas", "LessAvailable"},
    {"updatedReadyReplicas", "LessUpdatedReady"},
    {"updatedAvailableReplicas", "LessUpdatedAvailable"},
};

static const struct counter node_counters[] = {
    {"currentNumberScheduled", "LessScheduled"},
    {"updatedNumberScheduled", "LessUpdated"},
    {"numberReady", "LessReady"},
    {"numberAvailable", "LessAvailable"},
};

static void judge_counters(struct ks_strict *s, int64_t wanted, const struct counter *counters,
                           size_t count)
{
    struct ks_finding finding = finding_of(KS_STATUS_CURRENT, KS_LIT(""));
    int64_t have;

    for (size_t i = 0; i < count; i++) {
        if (ks_json_strict_int(s->status, counters[i].name, &have) != KS_LOOKUP_FOUND)
            continue;
        finding.status = have < wanted ? KS_STATUS_IN_PROGRESS : KS_STATUS_CURRENT;
        finding.reason = ks_str_from(have < wanted ? counters[i].reason : "");
        ks_strict_find(s, &finding, "%s is %" PRId64 " of %" PRId64, counters[i].name, have,
                       wanted);
    }
}

static void judge_counts(struct ks_strict *s)
{
    int64_t wanted;

    if (ks_json_strict_int(s->object, "spec.replicas", &wanted) == KS_LOOKUP_FOUND ||
        ks_json_strict_int(s->status, "replicas", &wanted) == KS_LOOKUP_FOUND)
        judge_counters(s, wanted, replica_counters, KS_ARRAY_LEN(replica_counters));
    if (ks_json_strict_int(s->status, "desiredNumberScheduled", &wanted) == KS_LOOKUP_FOUND)
        judge_counters(s, wanted, node_counters, KS_ARRAY_LEN(node_counters));
}

static void judge_booleans(struct ks_strict *s)
{
    static const struct {
        const char *name;
        ks_status otherwise;
        const char *reason;
    } rows[] = {
        {"ready", KS_STATUS_IN_PROGRESS, "NotReady"},
        {"readyToUse", KS_STATUS_IN_PROGRESS, "NotReady"},
        {"healthy", KS_STATUS_FAILED, "NotHealthy"},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_finding finding = finding_of(rows[i].otherwise, ks_str_from(rows[i].reason));
        bool truth;

        if (!ks_json_to_bool(ks_json_get(s->status, rows[i].name), &truth))
            continue;
        if (truth)
            finding = finding_of(KS_STATUS_CURRENT, ks_str_from(rows[i].name));
        ks_strict_find(s, &finding, "%s is %s", rows[i].name, truth ? "true" : "false");
    }
}

static void judge_compliance(struct ks_strict *s)
{
    struct ks_str text = ks_json_lenient_str(s->status, "compliant", "");
    struct ks_finding finding = finding_of(KS_STATUS_UNSPECIFIED, text);

    if (ks_str_is(text, "NonCompliant"))
        finding.status = KS_STATUS_FAILED;
    else if (ks_str_is(text, "Compliant"))
        finding.status = KS_STATUS_CURRENT;
    else if (ks_phrase_read(text).is_moving)
        finding.status = KS_STATUS_IN_PROGRESS;
    if (finding.status != KS_STATUS_UNSPECIFIED)
        ks_strict_find(s, &finding, "compliant is %.*s",
                       KS_STR_ARGS(ks_str_cut_utf8(text, NAME_MAX)));
}

static void judge_nested_conditions(struct ks_strict *s)
{
    static const char *const lists[] = {"parents", "ancestors"};
    static const char *const maps[] = {"conditionedStatus", "v1beta2"};

    for (size_t i = 0; i < KS_ARRAY_LEN(lists); i++) {
        struct ks_json_value list = ks_json_get(s->status, lists[i]);

        if (ks_json_type_of(list) == KS_JSON_LIST)
            ks_strict_parents(s, list);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(maps); i++)
        ks_strict_conditions(s, ks_json_get(ks_json_get(s->status, maps[i]), "conditions"));
}

void ks_strict_members(struct ks_strict *s)
{
    judge_nested_conditions(s);
    judge_strings(s, s->status);
    judge_maps(s);
    judge_errors(s);
    judge_compliance(s);
    judge_counts(s);
    judge_booleans(s);
}
