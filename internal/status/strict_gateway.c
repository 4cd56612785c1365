/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateway API under profile strict: what a gateway's controllers answer stands in conditions of the
 * object, of its listeners, and of each parent that a route wants.
 *
 * Thread: the document's.  Limits: PARENTS_MAX answers and wishes are matched with each other; the
 * API allows 32.
 */
#include "status/strict.h"

#include "json/path.h"
#include "status/strict_words.h"

#define PARENTS_MAX 64

static const char *const answers[] = {"Accepted", "Programmed", "ResolvedRefs"};

/* False is a refusal, unless the reason ends in a moving word (Pending, ProgrammingInProgress):
 * NoMatchingParent moves nothing. */
static void judge_answer(struct ks_strict *s, const struct ks_strict_condition *c)
{
    struct ks_phrase reason = ks_phrase_read(c->reason);
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_IN_PROGRESS, KS_BASIS_KIND_RULE);

    if (c->truth == KS_TRUTH_TRUE)
        finding.status = KS_STATUS_CURRENT;
    if (c->truth == KS_TRUTH_FALSE && !ks_word_in(&reason.last, KS_WORDS_MOVING)) {
        finding.status = KS_STATUS_FAILED;
        finding.grace_ms = KS_STRICT_GRACE_MS;
    }
    ks_strict_condition_tell(s, c, &finding);
}

static void judge_conflict(struct ks_strict *s, struct ks_json_value list)
{
    struct ks_strict_condition c;
    struct ks_finding finding;

    if (!ks_strict_condition_find(s, list, "Conflicted", &c) || c.truth != KS_TRUTH_TRUE)
        return;
    finding = ks_strict_condition_finding(&c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);
    ks_strict_condition_tell(s, &c, &finding);
}

/* False when the list has none of the answers. */
static bool judge_list(struct ks_strict *s, struct ks_json_value list)
{
    struct ks_strict_condition c;
    bool found = false;

    for (size_t i = 0; i < KS_ARRAY_LEN(answers); i++) {
        if (!ks_strict_condition_find(s, list, answers[i], &c))
            continue;
        found = true;
        if (!ks_strict_condition_outdated(s, &c))
            judge_answer(s, &c);
    }
    judge_conflict(s, list);
    return found;
}

static void tell_unanswered(struct ks_strict *s)
{
    ks_strict_progress(s, "NotObserved", "No controller has answered yet");
}

void ks_strict_gateway_class(struct ks_strict *s)
{
    if (!judge_list(s, s->conditions))
        tell_unanswered(s);
}

void ks_strict_gateway(struct ks_strict *s)
{
    struct ks_json_value listeners = ks_json_get(s->status, "listeners");

    if (!judge_list(s, s->conditions))
        tell_unanswered(s);
    if (ks_json_type_of(listeners) != KS_JSON_LIST)
        return;
    for (struct ks_json_value at = ks_json_first(listeners); !ks_json_is_absent(at);
         at = ks_json_next(at))
        (void)judge_list(s, ks_json_get(at, "conditions")); /* a listener need not answer */
}

/* Whether two members are the same, each with its default for absent. */
static bool is_same(struct ks_json_value a, struct ks_json_value b, const char *member,
                    struct ks_str fallback)
{
    struct ks_str left = ks_json_lenient_str(a, member, "");
    struct ks_str right = ks_json_lenient_str(b, member, "");

    return ks_str_eq(left.len ? left : fallback, right.len ? right : fallback);
}

static bool is_same_parent(const struct ks_strict *s, struct ks_json_value a,
                           struct ks_json_value b)
{
    struct ks_str ns = ks_json_lenient_str(s->object, "metadata.namespace", "");

    return is_same(a, b, "name", KS_LIT("")) && is_same(a, b, "namespace", ns) &&
           is_same(a, b, "kind", KS_LIT("Gateway")) && is_same(a, b, "sectionName", KS_LIT("")) &&
           ks_json_lenient_int(a, "port", 0) == ks_json_lenient_int(b, "port", 0);
}

static struct ks_json_value wishes_of(const struct ks_strict *s)
{
    struct ks_json_value list = ks_json_get(ks_json_get(s->object, "spec"), "parentRefs");

    return ks_json_type_of(list) == KS_JSON_LIST ? list : (struct ks_json_value){0};
}

static bool is_wanted(const struct ks_strict *s, struct ks_json_value parent)
{
    struct ks_json_value at = ks_json_first(wishes_of(s));

    for (int i = 0; i < PARENTS_MAX && !ks_json_is_absent(at); i++) {
        if (is_same_parent(s, at, parent))
            return true;
        at = ks_json_next(at);
    }
    return !ks_json_is_absent(at); /* not looked at: in favour of the answer */
}

static bool is_answered(const struct ks_strict *s, struct ks_json_value wish,
                        struct ks_json_value list)
{
    struct ks_json_value at = ks_json_first(list);

    for (int i = 0; i < PARENTS_MAX && !ks_json_is_absent(at); i++) {
        if (is_same_parent(s, wish, ks_json_get(at, "parentRef")))
            return true;
        at = ks_json_next(at);
    }
    return !ks_json_is_absent(at);
}

static void judge_answers(struct ks_strict *s, struct ks_json_value list, bool match)
{
    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (match && !is_wanted(s, ks_json_get(at, "parentRef")))
            continue;
        if (!judge_list(s, ks_json_get(at, "conditions")))
            tell_unanswered(s);
    }
}

void ks_strict_parents(struct ks_strict *s, struct ks_json_value list)
{
    if (ks_json_count(list) == 0)
        tell_unanswered(s);
    else
        judge_answers(s, list, false);
}

void ks_strict_route(struct ks_strict *s)
{
    struct ks_json_value list = ks_json_get(s->status, "parents");
    struct ks_json_value wish = ks_json_first(wishes_of(s));

    if (ks_json_type_of(list) != KS_JSON_LIST)
        list = (struct ks_json_value){0};
    judge_answers(s, list, !ks_json_is_absent(wish));
    for (int i = 0; i < PARENTS_MAX && !ks_json_is_absent(wish); i++) {
        if (!is_answered(s, wish, list))
            tell_unanswered(s);
        wish = ks_json_next(wish);
    }
    if (!ks_strict_is_decided(s))
        tell_unanswered(s);
}

void ks_strict_policy(struct ks_strict *s)
{
    ks_strict_parents(s, ks_json_get(s->status, "ancestors"));
}
