/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profile strict: the order of the steps, and how findings become a verdict.
 *
 *   deletion > malformed status > generation > Stalled > the kind's rule, or the families of
 *   conditions and members > suspended > nothing known
 *
 * Invariants:
 *   1. The worst finding wins: Failed, then Failed in its grace (which is InProgress), then
 * InProgress, then Current; among equals the first.
 *   2. Every verdict has a basis and a message; InProgress, Failed and Unknown have a reason.
 *   3. recheck_at_ms lies in the future, and is set exactly when a grace is running.
 *
 * Thread: the document's.  It does not: fail on any document; only memory can run out.
 */
#include "status/strict.h"

#include <assert.h>
#include <inttypes.h>

#include "base/rfc3339.h"
#include "json/path.h"
#include "status/rules.h"
#include "status/strict_kinds.h"

enum { RANK_NONE, RANK_CURRENT, RANK_IN_PROGRESS, RANK_WAITING, RANK_FAILED, RANK_FINAL };

struct strict_row {
    struct ks_str group;
    struct ks_str kind;
    ks_strict_rule rule;
};

static const struct strict_row kind_table[] = {
#define X(group, kind, rule)                                                                       \
    {{"" group, sizeof(group) - 1}, {"" kind, sizeof(kind) - 1}, ks_strict_##rule},
    KS_STRICT_KINDS(X)
#undef X
};

static ks_strict_rule rule_of(const struct ks_status_kind *kind)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(kind_table); i++) {
        if (ks_str_eq(kind_table[i].kind, kind->kind) &&
            ks_str_eq(kind_table[i].group, kind->group))
            return kind_table[i].rule;
    }
    return NULL;
}

bool ks_status_has_rule(const struct ks_status_kind *kind)
{
    return rule_of(kind) != NULL;
}

static int rank_of(ks_status status)
{
    switch (status) {
    case KS_STATUS_CURRENT:
        return RANK_CURRENT;
    case KS_STATUS_IN_PROGRESS:
        return RANK_IN_PROGRESS;
    case KS_STATUS_FAILED:
        return RANK_FAILED;
    case KS_STATUS_UNSPECIFIED:
    case KS_STATUS_TERMINATING:
    case KS_STATUS_NOT_FOUND:
    case KS_STATUS_UNKNOWN:
        break;
    }
    return RANK_FINAL;
}

/* Whether a failure is to be told later; then the time of that is noted. */
static bool is_in_grace(struct ks_strict *s, const struct ks_finding *finding)
{
    int64_t since_ms = finding->since_ms ? finding->since_ms : s->context->first_seen_ms;
    int64_t until_ms = since_ms + finding->grace_ms;

    if (finding->status != KS_STATUS_FAILED || since_ms == 0 || s->now_ms >= until_ms)
        return false;
    if (s->recheck_at_ms == 0 || until_ms < s->recheck_at_ms)
        s->recheck_at_ms = until_ms;
    return true;
}

static void find_args(struct ks_strict *s, const struct ks_finding *finding, const char *fmt,
                      va_list args) KS_PRINTF(3, 0);
static void find_args(struct ks_strict *s, const struct ks_finding *finding, const char *fmt,
                      va_list args)
{
    bool waits = is_in_grace(s, finding);
    int rank = waits ? RANK_WAITING : rank_of(finding->status);
    struct ks_str reason = finding->reason;

    if (rank <= s->worst)
        return;
    s->worst = rank;
    if (waits && finding->reason_until.len > 0)
        reason = finding->reason_until;
    if (finding->message.len == 0)
        ks_verdict_say_args(s->out, fmt, args);
    ks_verdict_set(s->out, waits ? KS_STATUS_IN_PROGRESS : finding->status, finding->basis, reason,
                   finding->message);
}

void ks_strict_find(struct ks_strict *s, const struct ks_finding *finding, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    find_args(s, finding, fmt, args);
    va_end(args);
}

void ks_strict_current(struct ks_strict *s, const char *reason, const char *fmt, ...)
{
    const struct ks_finding finding = {
        .status = KS_STATUS_CURRENT, .basis = KS_BASIS_KIND_RULE, .reason = ks_str_from(reason)};
    va_list args;

    va_start(args, fmt);
    find_args(s, &finding, fmt, args);
    va_end(args);
}

void ks_strict_progress(struct ks_strict *s, const char *reason, const char *fmt, ...)
{
    const struct ks_finding finding = {.status = KS_STATUS_IN_PROGRESS,
                                       .basis = KS_BASIS_KIND_RULE,
                                       .reason = ks_str_from(reason)};
    va_list args;

    va_start(args, fmt);
    find_args(s, &finding, fmt, args);
    va_end(args);
}

bool ks_strict_is_bad(const struct ks_strict *s)
{
    return s->worst > RANK_CURRENT;
}

bool ks_strict_is_decided(const struct ks_strict *s)
{
    return s->worst > RANK_NONE;
}

int64_t ks_strict_time(struct ks_str text)
{
    int64_t wall_ms;

    return ks_rfc3339_parse(text, &wall_ms) ? wall_ms : 0;
}

bool ks_strict_int(struct ks_json_value root, const char *path, int64_t *out)
{
    struct ks_json_value v;
    struct ks_str text;

    if (ks_json_walk(root, path, &v) != KS_LOOKUP_FOUND)
        return false;
    if (ks_json_to_int(v, out))
        return true;
    return ks_json_to_str(v, &text) && ks_str_to_int64(text, out);
}

static void check_deletion(struct ks_strict *s)
{
    struct ks_str since = ks_json_lenient_str(s->object, "metadata.deletionTimestamp", "");
    const struct ks_finding finding = {.status = KS_STATUS_TERMINATING,
                                       .basis = KS_BASIS_KIND_RULE};

    if (since.len > 0)
        ks_strict_find(s, &finding, "Deletion was requested at %.*s",
                       KS_STR_ARGS(ks_str_cut_utf8(since, 40)));
}

static void tell_malformed(struct ks_strict *s, const char *reason, const char *what)
{
    const struct ks_finding finding = {
        .status = KS_STATUS_UNKNOWN, .basis = KS_BASIS_ASSUMED, .reason = ks_str_from(reason)};

    ks_strict_find(s, &finding, "%s is not a map", what);
}

static void check_form(struct ks_strict *s)
{
    struct ks_json_value status = ks_json_get(s->object, "status");
    ks_json_type type = ks_json_type_of(status);

    if (ks_json_type_of(s->object) != KS_JSON_MAP) {
        tell_malformed(s, "ObjectMalformed", "What should be a Kubernetes object");
    } else if (type == KS_JSON_MAP) {
        s->status = status;
        if (ks_json_type_of(ks_json_get(status, "conditions")) == KS_JSON_LIST)
            s->conditions = ks_json_get(status, "conditions");
    } else if (type != KS_JSON_ABSENT && type != KS_JSON_NULL) {
        tell_malformed(s, "StatusMalformed", "The object's status");
    }
}

static void check_generation(struct ks_strict *s)
{
    const struct ks_finding finding = {.status = KS_STATUS_IN_PROGRESS,
                                       .basis = KS_BASIS_GENERATION_ONLY,
                                       .reason = KS_LIT("GenerationNotObserved")};
    int64_t observed;

    if (s->has_generation && ks_strict_int(s->status, "observedGeneration", &observed) &&
        observed < s->generation)
        ks_strict_find(s, &finding,
                       "The object is at generation %" PRId64
                       ", its controller has observed generation %" PRId64,
                       s->generation, observed);
}

static void check_stalled(struct ks_strict *s)
{
    struct ks_strict_condition c;
    struct ks_finding finding;

    if (!ks_strict_condition_find(s, s->conditions, "Stalled", &c) || c.is_outdated ||
        c.truth != KS_TRUTH_TRUE)
        return;
    finding = ks_strict_condition_finding(&c, KS_STATUS_FAILED, KS_BASIS_STANDARD_CONDITION);
    ks_strict_condition_tell(s, &c, &finding);
}

/* What the controller has not said at all, neither by its absence nor by an empty list. */
static void check_silence(struct ks_strict *s)
{
    struct ks_finding finding = {.status = KS_STATUS_IN_PROGRESS,
                                 .basis = KS_BASIS_ASSUMED,
                                 .reason = KS_LIT("NotYetObserved")};
    size_t members = ks_json_count(s->status);

    if (!ks_json_is_absent(ks_json_get(s->status, "observedGeneration")))
        members--;
    if (members > 0) {
        if (!ks_json_is_absent(s->conditions) && ks_json_count(s->conditions) == 0)
            ks_strict_find(s, &finding, "The object's list of conditions is still empty");
        return;
    }
    if (s->context->declares_status == KS_FACT_NO)
        finding = (struct ks_finding){.status = KS_STATUS_CURRENT, .basis = KS_BASIS_ASSUMED};
    ks_strict_find(s, &finding,
                   finding.status == KS_STATUS_CURRENT
                       ? "Assumed: the object's kind declares no status"
                       : "The object's controller has not reported any status yet");
}

/* Other objects of the kind carry Ready: this one will. */
static void check_siblings(struct ks_strict *s)
{
    const struct ks_finding finding = {.status = KS_STATUS_IN_PROGRESS,
                                       .basis = KS_BASIS_ASSUMED,
                                       .reason = KS_LIT("ReadyNotWritten")};
    struct ks_strict_condition c;

    if (s->context->siblings_have_ready && !ks_strict_condition_find(s, s->conditions, "Ready", &c))
        ks_strict_find(s, &finding,
                       "Other objects of this kind have a Ready condition, this one has none yet");
}

static void check_families(struct ks_strict *s)
{
    const struct ks_finding nothing = {
        .status = KS_STATUS_CURRENT,
        .basis = s->out->has_generation && s->out->has_observed_generation
                     ? KS_BASIS_GENERATION_ONLY
                     : KS_BASIS_ASSUMED,
    };

    ks_strict_conditions(s, s->conditions);
    ks_strict_members(s);
    check_silence(s);
    check_siblings(s);
    if (!ks_strict_is_decided(s))
        ks_strict_find(s, &nothing, "Assumed: the object's status says nothing that is understood");
}

/* A pause is what somebody wants, unless it hides a failure. Deployments and Jobs know better. */
static void check_suspended(struct ks_strict *s)
{
    const struct ks_finding finding = {
        .status = KS_STATUS_CURRENT, .basis = KS_BASIS_KIND_RULE, .reason = KS_LIT("Suspended")};
    bool is_suspended = ks_json_lenient_bool(s->object, "spec.suspend", false) ||
                        ks_json_lenient_bool(s->object, "spec.paused", false);

    if (!is_suspended || s->worst > RANK_IN_PROGRESS)
        return;
    s->worst = RANK_NONE;
    ks_strict_find(s, &finding, "Suspended by its spec");
}

static void decide(struct ks_strict *s)
{
    static void (*const steps[])(struct ks_strict *) = {check_deletion, check_form,
                                                        check_generation, check_stalled};
    ks_strict_rule rule = rule_of(&s->kind);

    for (size_t i = 0; i < KS_ARRAY_LEN(steps); i++) {
        steps[i](s);
        if (ks_strict_is_decided(s))
            return;
    }
    if (rule) {
        rule(s);
    } else {
        check_families(s);
        check_suspended(s);
    }
    assert(ks_strict_is_decided(s));
}

ks_rc ks_strict_compute(struct ks_json_value object, int64_t now_wall_ms,
                        const struct ks_status_context *context, struct ks_verdict *out,
                        struct ks_error *err)
{
    struct ks_strict_fresh fresh = {0};
    struct ks_strict s = {
        .object = object,
        .kind = context->kind ? *context->kind : ks_status_kind_of(object),
        .now_ms = now_wall_ms,
        .context = context,
        .out = out,
        .fresh = &fresh,
    };

    *out = (struct ks_verdict){0};
    ks_verdict_read_counts(out, object, &s.kind);
    s.has_generation = ks_strict_int(object, "metadata.generation", &s.generation);
    decide(&s);
    out->recheck_at_ms = s.recheck_at_ms;
    if (s.is_out_of_memory || ks_json_out_of_memory(object.doc)) {
        out->status = KS_STATUS_UNSPECIFIED;
        return ks_fail(err, KS_RC_NOMEM, "no memory for the strings of an object");
    }
    return KS_RC_OK;
}
