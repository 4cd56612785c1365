/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry: which rule, in what order, and what surrounds the verdict (generations, progress).
 *
 *   generic steps ──undecided──> the kind's rule, if there is one ──none──> Ready condition,
 * benefit of the doubt
 *
 * Invariants:
 *   1. On KS_RC_OK the status is one of InProgress, Failed, Current, Terminating.
 *   2. The key is group and kind; the version is never looked at.
 *   3. A verdict that was computed while memory was short is not given out.
 *
 * Thread: the document's.  It does not: keep anything between calls.
 */
#include "status/status.h"

#include "json/path.h"
#include "status/kinds.h"
#include "status/rules.h"
#include "status/strict.h"

static const char *const status_names[KS_STATUS_COUNT] = {
    [KS_STATUS_UNSPECIFIED] = "Unspecified", [KS_STATUS_IN_PROGRESS] = "InProgress",
    [KS_STATUS_FAILED] = "Failed",           [KS_STATUS_CURRENT] = "Current",
    [KS_STATUS_TERMINATING] = "Terminating", [KS_STATUS_NOT_FOUND] = "NotFound",
    [KS_STATUS_UNKNOWN] = "Unknown",
};

const char *ks_status_text(ks_status status)
{
    if ((unsigned)status >= KS_STATUS_COUNT)
        return status_names[KS_STATUS_UNSPECIFIED];
    return status_names[status];
}

bool ks_status_parse(struct ks_str text, ks_status *out)
{
    for (unsigned i = KS_STATUS_IN_PROGRESS; i < KS_STATUS_COUNT; i++) {
        if (ks_str_is(text, status_names[i])) {
            *out = (ks_status)i;
            return true;
        }
    }
    return false;
}

typedef void (*progress_fn)(struct ks_json_value object, struct ks_verdict *out);

static uint32_t to_count(int64_t n)
{
    if (n < 0)
        return 0;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void set_progress(struct ks_verdict *out, int64_t desired, int64_t ready)
{
    out->has_progress = true;
    out->desired_count = to_count(desired);
    out->ready_count = to_count(ready);
}

static void progress_none(struct ks_json_value object KS_UNUSED, struct ks_verdict *out KS_UNUSED)
{
}

static void progress_replicas(struct ks_json_value object, struct ks_verdict *out)
{
    set_progress(out, ks_json_lenient_int(object, "spec.replicas", 1),
                 ks_json_lenient_int(object, "status.readyReplicas", 0));
}

static void progress_nodes(struct ks_json_value object, struct ks_verdict *out)
{
    int64_t desired = ks_json_lenient_int(object, "status.desiredNumberScheduled", -1);

    if (desired >= 0)
        set_progress(out, desired, ks_json_lenient_int(object, "status.numberReady", 0));
}

static void progress_completions(struct ks_json_value object, struct ks_verdict *out)
{
    int64_t parallelism = ks_json_lenient_int(object, "spec.parallelism", 1);

    set_progress(out, ks_json_lenient_int(object, "spec.completions", parallelism),
                 ks_json_lenient_int(object, "status.succeeded", 0));
}

struct kind_row {
    struct ks_str key;
    ks_rule rule;
    progress_fn progress;
};

static const struct kind_row kind_table[] = {
#define X(key, rule, progress) {{"" key, sizeof(key) - 1}, ks_rule_##rule, progress_##progress},
    KS_STATUS_KINDS(X)
#undef X
};

/* Whether key is group + "/" + kind, or kind alone when group is empty: the reference joins them,
 * too, so that a core kind named "apps/Deployment" gets the Deployment rule there and here. */
static bool key_is(struct ks_str key, struct ks_str group, struct ks_str kind)
{
    if (group.len == 0)
        return ks_str_eq(key, kind);
    return key.len == group.len + 1 + kind.len && ks_str_starts(key, group) &&
           key.ptr[group.len] == '/' && ks_str_ends(key, kind);
}

static const struct kind_row *find_row(struct ks_str group, struct ks_str kind)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(kind_table); i++) {
        if (key_is(kind_table[i].key, group, kind))
            return &kind_table[i];
    }
    return NULL;
}

/* An apiVersion with two slashes or more makes the whole identity empty, kind included
 * (shared/spec: kstatus 0.5). */
struct ks_status_kind ks_status_kind_of(struct ks_json_value object)
{
    struct ks_str rest = ks_json_lenient_str(object, "apiVersion", "");
    struct ks_status_kind kind = {0};

    if (ks_str_chr(rest, '/') >= 0)
        (void)ks_str_split(&rest, '/', &kind.group); /* there is a slash, so it splits */
    if (ks_str_chr(rest, '/') >= 0)
        return (struct ks_status_kind){0};
    kind.kind = ks_json_lenient_str(object, "kind", "");
    return kind;
}

static const struct kind_row *row_of(struct ks_json_value object)
{
    struct ks_status_kind kind = ks_status_kind_of(object);

    return find_row(kind.group, kind.kind);
}

static void read_generations(struct ks_json_value object, struct ks_verdict *out)
{
    out->has_generation =
        ks_json_strict_int(object, "metadata.generation", &out->generation) == KS_LOOKUP_FOUND;
    out->has_observed_generation = ks_json_strict_int(object, "status.observedGeneration",
                                                      &out->observed_generation) == KS_LOOKUP_FOUND;
}

void ks_verdict_read_counts(struct ks_verdict *v, struct ks_json_value object,
                            const struct ks_status_kind *kind)
{
    const struct kind_row *row = find_row(kind->group, kind->kind);

    read_generations(object, v);
    if (row)
        row->progress(object, v);
}

static ks_rc decide(struct ks_subject *subject, const struct kind_row *row, struct ks_verdict *out,
                    struct ks_error *err)
{
    ks_rc rc;

    if (row)
        row->progress(subject->object, out);
    rc = ks_rule_generic(subject, out, err);
    if (rc || out->status != KS_STATUS_UNSPECIFIED)
        return rc;
    if (row)
        return row->rule(subject, out, err);
    return ks_rule_fallback(subject, out, err);
}

static ks_rc compute(struct ks_subject *subject, const struct kind_row *row, struct ks_verdict *out,
                     struct ks_error *err)
{
    ks_rc rc;

    *out = (struct ks_verdict){0};
    if (ks_json_type_of(subject->object) != KS_JSON_MAP)
        return ks_fail(err, KS_RC_INVALID, "what should be a Kubernetes object is not a map");
    read_generations(subject->object, out);
    rc = decide(subject, row, out, err);
    if (ks_json_out_of_memory(subject->object.doc))
        rc = ks_fail(err, KS_RC_NOMEM, "no memory for the strings of an object");
    if (rc)
        out->status = KS_STATUS_UNSPECIFIED;
    return rc;
}

ks_rc ks_status_compute(struct ks_json_value object, int64_t now_wall_ms, struct ks_verdict *out,
                        struct ks_error *err)
{
    struct ks_subject subject = {
        .object = object,
        .kind = ks_json_lenient_str(object, "kind", ""),
        .now_wall_ms = now_wall_ms,
    };

    return compute(&subject, row_of(object), out, err);
}

ks_rc ks_status_compute_as(struct ks_json_value object, const struct ks_status_kind *kind,
                           int64_t now_wall_ms, struct ks_verdict *out, struct ks_error *err)
{
    struct ks_subject subject = {
        .object = object,
        .kind = kind->kind,
        .now_wall_ms = now_wall_ms,
    };

    return compute(&subject, find_row(kind->group, kind->kind), out, err);
}

const char *ks_profile_text(ks_profile profile)
{
    return profile == KS_PROFILE_STRICT ? "strict" : "kstatus";
}

bool ks_profile_parse(struct ks_str text, ks_profile *out)
{
    for (unsigned i = 0; i < KS_PROFILE_COUNT; i++) {
        if (ks_str_is(text, ks_profile_text((ks_profile)i))) {
            *out = (ks_profile)i;
            return true;
        }
    }
    return false;
}

ks_rc ks_status_compute_profile(ks_profile profile, struct ks_json_value object,
                                int64_t now_wall_ms, const struct ks_status_context *context,
                                struct ks_verdict *out, struct ks_error *err)
{
    static const struct ks_status_context nothing;

    if (profile == KS_PROFILE_STRICT)
        return ks_strict_compute(object, now_wall_ms, context ? context : &nothing, out, err);
    if (context && context->kind)
        return ks_status_compute_as(object, context->kind, now_wall_ms, out, err);
    return ks_status_compute(object, now_wall_ms, out, err);
}
