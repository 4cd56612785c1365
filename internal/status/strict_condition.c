/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions: how they are read, and the families by which profile strict judges those of a kind
 * that it has no rule for.
 *
 * What a condition's type means is read from its words: Ready alone decides where it is; without it
 * come first the types that mean the whole object (Available, Healthy, ...), then those that mean a
 * step. Types that name something bad, or a motion, count beside them.
 *
 * Invariants:
 *   1. A condition that its controller wrote for an older generation says nothing but that.
 *   2. False means Failed only where the condition itself says so: by its reason, its severity, or
 * the beginning of its message; and only after the grace.
 *
 * Thread: the document's.  It does not: know any kind.
 */
#include "status/strict.h"

#include "json/path.h"
#include "status/strict_words.h"

typedef enum {
    FAMILY_READY,
    FAMILY_WHOLE,  /* positive, about the whole object */
    FAMILY_STEP,   /* positive, about a part of it */
    FAMILY_BAD,    /* True is bad */
    FAMILY_MOTION, /* True is work going on */
    FAMILY_OTHER,
} family;

static const char *const whole_types[] = {"Available", "Healthy",     "Succeeded", "Complete",
                                          "Completed", "Established", NULL};
static const char *const motion_types[] = {"Progressing", "Reconciling", "Running", NULL};

static bool is_one_of(struct ks_str text, const char *const *list)
{
    for (; *list; list++) {
        if (ks_str_is(text, *list))
            return true;
    }
    return false;
}

static bool equals_in_any_case(struct ks_str text, const char *lower)
{
    if (text.len != strlen(lower))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != lower[i])
            return false;
    }
    return true;
}

static ks_truth truth_of(struct ks_json_value status)
{
    struct ks_str text;
    bool truth;

    if (ks_json_to_bool(status, &truth))
        return truth ? KS_TRUTH_TRUE : KS_TRUTH_FALSE;
    if (!ks_json_to_str(status, &text))
        return KS_TRUTH_NONE;
    if (equals_in_any_case(text, "true"))
        return KS_TRUTH_TRUE;
    if (equals_in_any_case(text, "false"))
        return KS_TRUTH_FALSE;
    return equals_in_any_case(text, "unknown") ? KS_TRUTH_UNKNOWN : KS_TRUTH_NONE;
}

const char *ks_truth_text(ks_truth truth)
{
    switch (truth) {
    case KS_TRUTH_TRUE:
        return "True";
    case KS_TRUTH_FALSE:
        return "False";
    case KS_TRUTH_UNKNOWN:
        return "Unknown";
    case KS_TRUTH_NONE:
        break;
    }
    return "neither True nor False";
}

static bool is_old(const struct ks_strict *s, struct ks_json_value condition)
{
    int64_t observed;

    return s->has_generation && ks_strict_int(condition, "observedGeneration", &observed) &&
           observed < s->generation;
}

static void read_fresh(const struct ks_strict *s, struct ks_json_value list)
{
    struct ks_json_value at = ks_json_first(list);

    s->fresh->list = list;
    s->fresh->count = 0;
    for (int i = 0; i < KS_STRICT_CONDITIONS_MAX && !ks_json_is_absent(at); i++) {
        if (!is_old(s, at))
            s->fresh->types[s->fresh->count++] = ks_json_lenient_str(at, "type", "");
        at = ks_json_next(at);
    }
}

/* A list is read once, however many of its conditions are outdated. */
static bool has_fresh(const struct ks_strict *s, struct ks_json_value list, struct ks_str type)
{
    if (s->fresh->list.doc != list.doc || s->fresh->list.at != list.at)
        read_fresh(s, list);
    for (size_t i = 0; i < s->fresh->count; i++) {
        if (ks_str_eq(s->fresh->types[i], type))
            return true;
    }
    return false;
}

bool ks_strict_condition_read(const struct ks_strict *s, struct ks_json_value list,
                              struct ks_json_value element, struct ks_strict_condition *out)
{
    struct ks_strict_condition c = {
        .type = ks_json_lenient_str(element, "type", ""),
        .value = element,
    };

    if (c.type.len == 0)
        return false;
    c.truth = truth_of(ks_json_get(element, "status"));
    c.reason = ks_json_lenient_str(element, "reason", "");
    c.message = ks_json_lenient_str(element, "message", "");
    c.severity = ks_json_lenient_str(element, "severity", "");
    if (is_old(s, element)) {
        if (has_fresh(s, list, c.type))
            return false;
        c.is_outdated = true;
    }
    *out = c;
    return true;
}

bool ks_strict_condition_find(const struct ks_strict *s, struct ks_json_value list,
                              const char *type, struct ks_strict_condition *out)
{
    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (ks_str_is(ks_json_lenient_str(at, "type", ""), type) &&
            ks_strict_condition_read(s, list, at, out))
            return true;
    }
    return false;
}

static int64_t since_of(const struct ks_strict_condition *c)
{
    return ks_strict_time(ks_json_lenient_str(c->value, "lastTransitionTime", ""));
}

struct ks_finding ks_strict_condition_finding(const struct ks_strict_condition *c, ks_status status,
                                              ks_basis basis)
{
    return (struct ks_finding){
        .status = status,
        .basis = basis,
        .reason = c->reason.len > 0 ? c->reason : c->type,
        .message = c->message,
        .since_ms = since_of(c),
    };
}

void ks_strict_condition_tell(struct ks_strict *s, const struct ks_strict_condition *c,
                              const struct ks_finding *finding)
{
    ks_strict_find(s, finding, "Condition %.*s is %s", KS_STR_ARGS(ks_str_cut_utf8(c->type, 63)),
                   ks_truth_text(c->truth));
}

bool ks_strict_condition_outdated(struct ks_strict *s, const struct ks_strict_condition *c)
{
    const struct ks_finding finding = {.status = KS_STATUS_IN_PROGRESS,
                                       .basis = KS_BASIS_STANDARD_CONDITION,
                                       .reason = KS_LIT("GenerationNotObserved")};

    if (c->is_outdated)
        ks_strict_find(s, &finding, "Condition %.*s was written for an older generation",
                       KS_STR_ARGS(ks_str_cut_utf8(c->type, 63)));
    return c->is_outdated;
}

static bool speaks_of_failure(struct ks_str message)
{
    struct ks_phrase p = ks_phrase_read(ks_str_sub(message, 0, 64));

    return ks_word_in(&p.first, KS_WORDS_BAD_SPEECH) ||
           (ks_word_is(&p.first, "unable") && ks_word_is(&p.second, "to")) ||
           (ks_word_is(&p.first, "could") && ks_word_is(&p.second, "not"));
}

bool ks_strict_condition_fails(const struct ks_strict_condition *c)
{
    struct ks_phrase reason = ks_phrase_read(c->reason);

    if (reason.is_failing || ks_str_is(c->severity, "Error"))
        return true;
    return !reason.is_excused && speaks_of_failure(c->message);
}

void ks_strict_condition_positive(struct ks_strict *s, const struct ks_strict_condition *c,
                                  ks_basis basis)
{
    struct ks_finding finding = ks_strict_condition_finding(c, KS_STATUS_CURRENT, basis);

    if (c->truth == KS_TRUTH_UNKNOWN || c->truth == KS_TRUTH_NONE)
        finding.status = KS_STATUS_IN_PROGRESS;
    if (c->truth == KS_TRUTH_FALSE) {
        finding.status = ks_strict_condition_fails(c) ? KS_STATUS_FAILED : KS_STATUS_IN_PROGRESS;
        finding.grace_ms = KS_STRICT_GRACE_MS;
    }
    ks_strict_condition_tell(s, c, &finding);
}

static family family_of(struct ks_str type)
{
    struct ks_phrase p;

    if (ks_str_is(type, "Ready"))
        return FAMILY_READY;
    if (is_one_of(type, whole_types))
        return FAMILY_WHOLE;
    p = ks_phrase_read(type);
    if (is_one_of(type, motion_types) || ks_word_in(&p.last, KS_WORDS_MOTION_LAST))
        return FAMILY_MOTION;
    if (ks_word_is(&p.first, "no"))
        return FAMILY_OTHER;
    if (ks_word_in(&p.first, KS_WORDS_BAD_FIRST) || ks_word_in(&p.last, KS_WORDS_BAD_LAST))
        return FAMILY_BAD;
    return ks_word_in(&p.last, KS_WORDS_POSITIVE_LAST) ? FAMILY_STEP : FAMILY_OTHER;
}

/* What the list holds, before its conditions are judged. */
struct survey {
    bool has_ready;
    bool is_ready;
    bool has_whole;
};

static struct survey survey_of(const struct ks_strict *s, struct ks_json_value list)
{
    struct survey survey = {0};
    struct ks_strict_condition c;

    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (!ks_strict_condition_read(s, list, at, &c))
            continue;
        if (ks_str_is(c.type, "Ready")) {
            survey.has_ready = true;
            survey.is_ready = survey.is_ready || (c.truth == KS_TRUTH_TRUE && !c.is_outdated);
        } else if (is_one_of(c.type, whole_types)) {
            survey.has_whole = true;
        }
    }
    return survey;
}

static void judge_bad(struct ks_strict *s, const struct ks_strict_condition *c)
{
    const struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);

    if (c->truth == KS_TRUTH_TRUE)
        ks_strict_condition_tell(s, c, &finding);
}

/* False: any condition may say why. */
static void judge_other(struct ks_strict *s, const struct ks_strict_condition *c,
                        const struct survey *survey)
{
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);

    finding.grace_ms = KS_STRICT_GRACE_MS;
    if (c->truth == KS_TRUTH_FALSE && !survey->is_ready && ks_phrase_read(c->reason).is_failing)
        ks_strict_condition_tell(s, c, &finding);
}

static void judge_motion(struct ks_strict *s, const struct ks_strict_condition *c,
                         const struct survey *survey)
{
    struct ks_phrase reason = ks_phrase_read(c->reason);
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_IN_PROGRESS, KS_BASIS_STANDARD_CONDITION);

    if (c->truth != KS_TRUTH_TRUE) {
        judge_other(s, c, survey);
        return;
    }
    if (ks_word_in(&reason.last, KS_WORDS_MOTION_DONE))
        return;
    if (ks_str_is(c->type, "Progressing") && reason.is_failing)
        finding.status = KS_STATUS_FAILED;
    ks_strict_condition_tell(s, c, &finding);
}

/* Synced (Crossplane), *.ResourceSynced (ACK) count beside Ready. */
static bool is_sync(struct ks_str type)
{
    return ks_str_is(type, "Synced") || ks_str_ends(type, KS_LIT("ResourceSynced"));
}

static void judge_sync(struct ks_strict *s, const struct ks_strict_condition *c)
{
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);

    finding.grace_ms = KS_STRICT_GRACE_MS;
    if (ks_phrase_read(c->reason).is_moving)
        finding.status = KS_STATUS_IN_PROGRESS;
    if (c->truth == KS_TRUTH_FALSE)
        ks_strict_condition_tell(s, c, &finding);
}

static void judge_step(struct ks_strict *s, const struct ks_strict_condition *c)
{
    bool is_verdict = ks_str_is(c->type, "Valid") || ks_str_is(c->type, "Accepted");
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);

    finding.grace_ms = KS_STRICT_GRACE_MS;
    if (is_verdict && c->truth == KS_TRUTH_FALSE && !ks_phrase_read(c->reason).is_first_moving)
        ks_strict_condition_tell(s, c, &finding);
    else
        ks_strict_condition_positive(s, c, KS_BASIS_STANDARD_CONDITION);
}

static void judge_whole(struct ks_strict *s, const struct ks_strict_condition *c)
{
    bool is_end = ks_str_starts(c->type, KS_LIT("Complete"));
    const struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);

    if (is_end && c->truth == KS_TRUTH_TRUE && ks_phrase_read(c->reason).is_failing)
        ks_strict_condition_tell(s, c, &finding);
    else
        ks_strict_condition_positive(s, c, KS_BASIS_STANDARD_CONDITION);
}

static void judge(struct ks_strict *s, const struct ks_strict_condition *c,
                  const struct survey *survey)
{
    family f = family_of(c->type);

    if (f == FAMILY_READY)
        ks_strict_condition_positive(s, c, KS_BASIS_STANDARD_CONDITION);
    else if (f == FAMILY_BAD)
        judge_bad(s, c);
    else if (f == FAMILY_MOTION)
        judge_motion(s, c, survey);
    else if (survey->has_ready && is_sync(c->type))
        judge_sync(s, c);
    else if (f == FAMILY_WHOLE && !survey->has_ready)
        judge_whole(s, c);
    else if (f == FAMILY_STEP && !survey->has_ready && !survey->has_whole)
        judge_step(s, c);
    else
        judge_other(s, c, survey);
}

void ks_strict_conditions(struct ks_strict *s, struct ks_json_value list)
{
    struct survey survey = survey_of(s, list);
    struct ks_strict_condition c;

    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (ks_strict_condition_read(s, list, at, &c) && !ks_strict_condition_outdated(s, &c))
            judge(s, &c, &survey);
    }
}
