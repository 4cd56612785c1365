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

/* What names a parent, with the defaults filled in. */
struct parent {
    struct ks_str name;
    struct ks_str ns;
    struct ks_str kind;
    struct ks_str section;
    int64_t port;
};

static struct ks_str text_of(struct ks_json_value v, const char *member, struct ks_str fallback)
{
    struct ks_str text = ks_json_lenient_str(v, member, "");

    return text.len > 0 ? text : fallback;
}

static struct parent parent_of(struct ks_json_value reference, struct ks_str own_namespace)
{
    return (struct parent){
        .name = ks_json_lenient_str(reference, "name", ""),
        .ns = text_of(reference, "namespace", own_namespace),
        .kind = text_of(reference, "kind", KS_LIT("Gateway")),
        .section = ks_json_lenient_str(reference, "sectionName", ""),
        .port = ks_json_lenient_int(reference, "port", 0),
    };
}

static bool is_same_parent(const struct parent *a, const struct parent *b)
{
    return ks_str_eq(a->name, b->name) && ks_str_eq(a->ns, b->ns) && ks_str_eq(a->kind, b->kind) &&
           ks_str_eq(a->section, b->section) && a->port == b->port;
}

/* Parents, read once: they are matched with each other. */
struct parents {
    struct ks_str own_namespace;
    size_t count;
    bool has_more; /* than were read */
    struct parent list[PARENTS_MAX];
};

/* Of each element of list, or of that member of each. */
static void read_parents(struct parents *p, struct ks_json_value list, const char *member)
{
    struct ks_json_value at = ks_json_first(list);

    while (p->count < PARENTS_MAX && !ks_json_is_absent(at)) {
        p->list[p->count++] = parent_of(member ? ks_json_get(at, member) : at, p->own_namespace);
        at = ks_json_next(at);
    }
    p->has_more = !ks_json_is_absent(at);
}

/* One that was not read counts as there: in favour of the answer. */
static bool has_parent(const struct parents *p, const struct parent *parent)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is_same_parent(&p->list[i], parent))
            return true;
    }
    return p->has_more;
}

static struct ks_json_value wishes_of(const struct ks_strict *s)
{
    struct ks_json_value list = ks_json_get(ks_json_get(s->object, "spec"), "parentRefs");

    return ks_json_type_of(list) == KS_JSON_LIST ? list : (struct ks_json_value){0};
}

static bool is_wanted(const struct parents *wishes, struct ks_json_value answer)
{
    struct parent parent = parent_of(ks_json_get(answer, "parentRef"), wishes->own_namespace);

    return has_parent(wishes, &parent);
}

/* wishes may be NULL: every answer counts. */
static void judge_answers(struct ks_strict *s, struct ks_json_value list,
                          const struct parents *wishes)
{
    for (struct ks_json_value at = ks_json_first(list); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (wishes && !is_wanted(wishes, at))
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
        judge_answers(s, list, NULL);
}

void ks_strict_route(struct ks_strict *s)
{
    struct ks_str own_namespace = ks_json_lenient_str(s->object, "metadata.namespace", "");
    struct ks_json_value list = ks_json_get(s->status, "parents");
    struct parents wishes = {.own_namespace = own_namespace};
    struct parents answers_to = {.own_namespace = own_namespace};

    if (ks_json_type_of(list) != KS_JSON_LIST)
        list = (struct ks_json_value){0};
    read_parents(&wishes, wishes_of(s), NULL);
    read_parents(&answers_to, list, "parentRef");
    judge_answers(s, list, wishes.count > 0 ? &wishes : NULL);
    for (size_t i = 0; i < wishes.count; i++) {
        if (!has_parent(&answers_to, &wishes.list[i]))
            tell_unanswered(s);
    }
    if (!ks_strict_is_decided(s))
        tell_unanswered(s);
}

void ks_strict_policy(struct ks_strict *s)
{
    ks_strict_parents(s, ks_json_get(s->status, "ancestors"));
}
