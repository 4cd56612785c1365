/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes that an object shows itself: deletion, a controller that lags behind, conditions, and what
 * its kind's reader finds.
 *
 * What a condition means is a row where the type alone says it (condition_rows); otherwise, for
 * kinds without a reader of their own, it is read from its words, as profile strict does. Where
 * nothing of this says anything, profile strict's own finding is the cause.
 *
 * Invariants:
 *   1. an object that is being deleted has causes of that only;
 *   2. reading takes time linear in the object's size.
 *
 * Thread: the document's.  It does not: decide whether the object is Current.
 */
#include "status/cause_read.h"

#include <inttypes.h>
#include <stdio.h>

#include "json/path.h"
#include "status/rules.h"
#include "status/strict_words.h"

#define FINALIZERS_MAX 64
#define MANAGERS_MAX 64

static const struct {
    const char *group;
    const char *kind;
    void (*read)(struct ks_cause_reader *r);
} cause_kinds[] = {
    {"", "Pod", ks_cause_pod},
    {"apps", "Deployment", ks_cause_workload},
    {"apps", "ReplicaSet", ks_cause_workload},
    {"apps", "StatefulSet", ks_cause_workload},
    {"apps", "DaemonSet", ks_cause_workload},
    {"", "ReplicationController", ks_cause_workload},
    {"batch", "Job", ks_cause_job},
    {"batch", "CronJob", ks_cause_cron_job},
    {"", "PersistentVolumeClaim", ks_cause_claim},
    {"", "PersistentVolume", ks_cause_volume},
    {"snapshot.storage.k8s.io", "VolumeSnapshot", ks_cause_snapshot},
    {"snapshot.storage.k8s.io", "VolumeSnapshotContent", ks_cause_snapshot},
    {"", "Service", ks_cause_service},
    {"networking.k8s.io", "Ingress", ks_cause_ingress},
};

struct condition_row {
    const char *group; /* NULL: of any kind */
    const char *kind;  /* NULL: of any kind of the group */
    const char *type;
    ks_truth truth;
    const char *reason; /* NULL: any */
    ks_cause_code code;
};

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define API_GROUP "apiextensions.k8s.io"

/* The first row that fits a condition decides. */
static const struct condition_row condition_rows[] = {
    {NULL, NULL, "Stalled", KS_TRUTH_TRUE, NULL, KS_CAUSE_STALLED},
    {"apps", NULL, "Progressing", KS_TRUTH_FALSE, "ProgressDeadlineExceeded",
     KS_CAUSE_PROGRESS_DEADLINE_EXCEEDED},
    {"batch", NULL, "Failed", KS_TRUTH_TRUE, "BackoffLimitExceeded",
     KS_CAUSE_BACKOFF_LIMIT_EXCEEDED},
    {"batch", NULL, "Failed", KS_TRUTH_TRUE, "DeadlineExceeded", KS_CAUSE_DEADLINE_EXCEEDED},
    {"batch", NULL, "Failed", KS_TRUTH_TRUE, NULL, KS_CAUSE_JOB_FAILED},
    {"batch", NULL, "FailureTarget", KS_TRUTH_TRUE, "BackoffLimitExceeded",
     KS_CAUSE_BACKOFF_LIMIT_EXCEEDED},
    {"batch", NULL, "FailureTarget", KS_TRUTH_TRUE, "DeadlineExceeded", KS_CAUSE_DEADLINE_EXCEEDED},
    {"batch", NULL, "FailureTarget", KS_TRUTH_TRUE, NULL, KS_CAUSE_JOB_FAILED},
    {"autoscaling", NULL, "AbleToScale", KS_TRUTH_FALSE, NULL, KS_CAUSE_SCALING_FAILED},
    {"autoscaling", NULL, "ScalingActive", KS_TRUTH_FALSE, "ScalingDisabled", KS_CAUSE_PAUSED},
    {"autoscaling", NULL, "ScalingActive", KS_TRUTH_FALSE, "InvalidSelector",
     KS_CAUSE_SCALING_FAILED},
    {"autoscaling", NULL, "ScalingActive", KS_TRUTH_FALSE, NULL, KS_CAUSE_METRICS_UNAVAILABLE},
    {"policy", NULL, "DisruptionAllowed", KS_TRUTH_FALSE, NULL, KS_CAUSE_DISRUPTION_BLOCKED},
    {API_GROUP, NULL, "NamesAccepted", KS_TRUTH_FALSE, NULL, KS_CAUSE_NAMES_CONFLICT},
    {API_GROUP, NULL, "Established", KS_TRUTH_FALSE, NULL, KS_CAUSE_DEFINITION_NOT_ESTABLISHED},
    {API_GROUP, NULL, "NonStructuralSchema", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_DEFINITION_NOT_ESTABLISHED},
    {"apiregistration.k8s.io", NULL, "Available", KS_TRUTH_FALSE, NULL,
     KS_CAUSE_API_SERVICE_UNAVAILABLE},
    {"", "Namespace", "NamespaceContentRemaining", KS_TRUTH_TRUE, NULL, KS_CAUSE_CONTENT_REMAINING},
    {"", "Namespace", "NamespaceFinalizersRemaining", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_CONTENT_REMAINING},
    {"", "Namespace", "NamespaceDeletionContentFailure", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_CONTENT_REMAINING},
    {"", "Namespace", "NamespaceDeletionDiscoveryFailure", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_DISCOVERY_FAILED},
    {"", "Namespace", "NamespaceDeletionGroupVersionParsingFailure", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_DISCOVERY_FAILED},
    {"", "Node", "Ready", KS_TRUTH_FALSE, NULL, KS_CAUSE_NODE_NOT_READY},
    {"", "Node", "Ready", KS_TRUTH_UNKNOWN, NULL, KS_CAUSE_NODE_NOT_READY},
    {"", "Node", "NetworkUnavailable", KS_TRUTH_TRUE, NULL, KS_CAUSE_NODE_NOT_READY},
    {"", "Node", "MemoryPressure", KS_TRUTH_TRUE, NULL, KS_CAUSE_NODE_PRESSURE},
    {"", "Node", "DiskPressure", KS_TRUTH_TRUE, NULL, KS_CAUSE_NODE_PRESSURE},
    {"", "Node", "PIDPressure", KS_TRUTH_TRUE, NULL, KS_CAUSE_NODE_PRESSURE},
    {"", "PersistentVolumeClaim", "Resizing", KS_TRUTH_TRUE, NULL, KS_CAUSE_VOLUME_RESIZE_PENDING},
    {"", "PersistentVolumeClaim", "FileSystemResizePending", KS_TRUTH_TRUE, NULL,
     KS_CAUSE_VOLUME_RESIZE_PENDING},
    {"certificates.k8s.io", NULL, "Denied", KS_TRUTH_TRUE, NULL, KS_CAUSE_REQUEST_DENIED},
    {"certificates.k8s.io", NULL, "Failed", KS_TRUTH_TRUE, NULL, KS_CAUSE_REQUEST_DENIED},
    {GATEWAY_GROUP, NULL, "Conflicted", KS_TRUTH_TRUE, NULL, KS_CAUSE_LISTENER_CONFLICT},
    {GATEWAY_GROUP, NULL, "ResolvedRefs", KS_TRUTH_FALSE, NULL, KS_CAUSE_REFERENCE_NOT_RESOLVED},
    {GATEWAY_GROUP, NULL, "Accepted", KS_TRUTH_FALSE, NULL, KS_CAUSE_NOT_ACCEPTED},
    {GATEWAY_GROUP, NULL, "Programmed", KS_TRUTH_FALSE, NULL, KS_CAUSE_NOT_PROGRAMMED},
};

void ks_cause_tell(struct ks_cause_reader *r, const struct ks_cause *cause)
{
    struct ks_cause full = *cause;

    full.source = r->source;
    ks_causes_add(r->out, &full);
}

void ks_cause_pass(struct ks_cause_reader *r, ks_cause_code code, int64_t since_ms,
                   struct ks_str message, const char *otherwise)
{
    const struct ks_cause cause = {
        .code = code,
        .message = message.len ? message : ks_str_from(otherwise),
        .first_seen_ms = since_ms,
    };

    ks_cause_tell(r, &cause);
}

void ks_cause_say(struct ks_cause_reader *r, ks_cause_code code, int64_t since_ms, const char *fmt,
                  ...)
{
    char text[KS_CAUSE_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* ours: short */
    va_end(args);
    ks_cause_pass(r, code, since_ms, ks_str_from(text), "");
}

struct ks_str ks_cause_join(char out[KS_CAUSE_MESSAGE_MAX], struct ks_str reason,
                            struct ks_str words)
{
    int len;

    reason = ks_str_cut_utf8(reason, 127);
    words = ks_str_cut_utf8(words, KS_CAUSE_MESSAGE_MAX - 130);
    len = snprintf(out, KS_CAUSE_MESSAGE_MAX, "%.*s%s%.*s", KS_STR_ARGS(reason),
                   reason.len && words.len ? ": " : "", KS_STR_ARGS(words));
    return ks_str_make(out, len > 0 ? (size_t)len : 0);
}

void ks_cause_pass_condition(struct ks_cause_reader *r, ks_cause_code code,
                             const struct ks_strict_condition *c)
{
    char text[KS_CAUSE_MESSAGE_MAX];
    struct ks_str message = ks_cause_join(text, c->reason, c->message);
    int64_t since_ms = ks_cause_time(c->value, "lastTransitionTime");

    if (message.len)
        ks_cause_pass(r, code, since_ms, message, "");
    else
        ks_cause_say(r, code, since_ms, "Condition %.*s is %s",
                     KS_STR_ARGS(ks_str_cut_utf8(c->type, 127)), ks_truth_text(c->truth));
}

int64_t ks_cause_time(struct ks_json_value root, const char *path)
{
    return ks_strict_time(ks_json_lenient_str(root, path, ""));
}

ks_rc ks_cause_rc(struct ks_json_value object)
{
    return object.doc && ks_json_out_of_memory(object.doc) ? KS_RC_NOMEM : KS_RC_OK;
}

static void read_deletion(struct ks_cause_reader *r)
{
    struct ks_json_value metadata = ks_json_get(r->strict.object, "metadata");
    struct ks_json_value at = ks_json_first(ks_json_get(metadata, "finalizers"));
    int64_t since_ms = ks_cause_time(metadata, "deletionTimestamp");
    int64_t grace_s = ks_json_lenient_int(metadata, "deletionGracePeriodSeconds", 0);
    struct ks_str name;

    /* A Pod's time of deletion is that at which its grace ends. */
    if (grace_s > 0 && grace_s < 1000000)
        since_ms -= grace_s * 1000;
    for (int i = 0; i < FINALIZERS_MAX && !ks_json_is_absent(at); i++) {
        if (ks_json_to_str(at, &name))
            ks_cause_say(r, KS_CAUSE_FINALIZER_PENDING, since_ms,
                         "Finalizer %.*s holds the deletion",
                         KS_STR_ARGS(ks_str_cut_utf8(name, 300)));
        at = ks_json_next(at);
    }
    if (r->out->count == 0)
        ks_cause_say(r, KS_CAUSE_DELETION_PENDING, since_ms, "The object is being deleted");
}

/* When the desired state was last written, as far as managedFields tells; 0: unknown. */
static int64_t desired_since(struct ks_json_value object)
{
    struct ks_json_value at =
        ks_json_first(ks_json_get(ks_json_get(object, "metadata"), "managedFields"));
    int64_t newest = 0;

    for (int i = 0; i < MANAGERS_MAX && !ks_json_is_absent(at); i++) {
        int64_t time = ks_cause_time(at, "time");

        if (ks_json_lenient_str(at, "subresource", "").len == 0 && time > newest)
            newest = time;
        at = ks_json_next(at);
    }
    return newest;
}

static void read_generation(struct ks_cause_reader *r)
{
    const struct ks_strict *s = &r->strict;
    int64_t observed;

    if (s->has_generation && ks_strict_int(s->object, "status.observedGeneration", &observed) &&
        observed < s->generation)
        ks_cause_say(r, KS_CAUSE_CONTROLLER_NOT_OBSERVING, desired_since(s->object),
                     "Its controller has seen generation %" PRId64 ", not yet %" PRId64, observed,
                     s->generation);
    if (ks_json_lenient_bool(s->object, "spec.paused", false) ||
        ks_json_lenient_bool(s->object, "spec.suspend", false))
        ks_cause_say(r, KS_CAUSE_PAUSED, 0, "The object is paused or suspended");
}

static bool row_fits(const struct condition_row *row, const struct ks_cause_reader *r,
                     const struct ks_strict_condition *c)
{
    if (row->truth != c->truth || !ks_str_is(c->type, row->type))
        return false;
    if (row->group && !ks_str_is(r->strict.kind.group, row->group))
        return false;
    if (row->kind && !ks_str_is(r->strict.kind.kind, row->kind))
        return false;
    return !row->reason || ks_str_is(c->reason, row->reason);
}

static bool is_dependency(const struct ks_strict_condition *c)
{
    return ks_cause_text_has(c->reason, "dependenc") ||
           ks_cause_text_has(c->message, "dependenc") ||
           ks_cause_text_has(c->message, "unready resources");
}

/* By its words: something bad that is True, or something good that is not. */
static void read_by_words(struct ks_cause_reader *r, const struct ks_strict_condition *c)
{
    struct ks_phrase type = ks_phrase_read(c->type);
    bool is_bad =
        ks_word_in(&type.first, KS_WORDS_BAD_FIRST) || ks_word_in(&type.last, KS_WORDS_BAD_LAST);
    bool is_good = !is_bad && ks_word_in(&type.last, KS_WORDS_POSITIVE_LAST);

    if (is_bad) {
        if (c->truth == KS_TRUTH_TRUE)
            ks_cause_pass_condition(r, KS_CAUSE_CONDITION_FAILING, c);
        return;
    }
    if (c->truth == KS_TRUTH_TRUE || (!is_good && !ks_strict_condition_fails(c)))
        return;
    if (is_dependency(c))
        ks_cause_pass_condition(r, KS_CAUSE_DEPENDENCY_NOT_READY, c);
    else
        ks_cause_pass_condition(r,
                                c->truth == KS_TRUTH_FALSE && ks_strict_condition_fails(c)
                                    ? KS_CAUSE_CONDITION_FAILING
                                    : KS_CAUSE_CONDITION_NOT_MET,
                                c);
}

static void read_condition(struct ks_cause_reader *r, const struct ks_strict_condition *c,
                           bool by_words)
{
    if (c->is_outdated) {
        ks_cause_say(r, KS_CAUSE_CONTROLLER_NOT_OBSERVING, 0,
                     "Condition %.*s was made for an older generation",
                     KS_STR_ARGS(ks_str_cut_utf8(c->type, 127)));
        return;
    }
    if (ks_str_is(c->type, "ReplicaFailure") && c->truth == KS_TRUTH_TRUE) {
        ks_cause_pass_condition(r, ks_cause_of_creation(c->message), c);
        return;
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(condition_rows); i++) {
        if (row_fits(&condition_rows[i], r, c)) {
            ks_cause_pass_condition(r, condition_rows[i].code, c);
            return;
        }
    }
    if (by_words)
        read_by_words(r, c);
}

static void read_conditions(struct ks_cause_reader *r, struct ks_json_value list, bool by_words)
{
    struct ks_json_value at = ks_json_first(list);
    struct ks_strict_condition c;

    if (ks_json_type_of(list) != KS_JSON_LIST)
        return;
    for (int i = 0; i < KS_STRICT_CONDITIONS_MAX && !ks_json_is_absent(at); i++) {
        if (ks_strict_condition_read(&r->strict, list, at, &c))
            read_condition(r, &c, by_words);
        at = ks_json_next(at);
    }
}

/* Gateway API and others: conditions a level down. */
static void read_nested(struct ks_cause_reader *r)
{
    static const char *const lists[] = {"listeners", "parents", "ancestors"};

    for (size_t i = 0; i < KS_ARRAY_LEN(lists); i++) {
        struct ks_json_value list = ks_json_get(r->strict.status, lists[i]);
        struct ks_json_value at = ks_json_first(list);

        if (ks_json_type_of(list) != KS_JSON_LIST)
            continue;
        for (int n = 0; n < KS_STRICT_CONDITIONS_MAX && !ks_json_is_absent(at); n++) {
            read_conditions(r, ks_json_get(at, "conditions"), true);
            at = ks_json_next(at);
        }
    }
}

static void read_kind(struct ks_cause_reader *r)
{
    const struct ks_status_kind *kind = &r->strict.kind;

    for (size_t i = 0; i < KS_ARRAY_LEN(cause_kinds); i++) {
        if (!ks_str_is(kind->kind, cause_kinds[i].kind) ||
            !ks_str_is(kind->group, cause_kinds[i].group))
            continue;
        read_conditions(r, r->strict.conditions, false);
        cause_kinds[i].read(r);
        return;
    }
    read_conditions(r, r->strict.conditions, !ks_str_is(kind->group, ""));
    read_nested(r);
    if (r->out->count == 0 && ks_json_count(r->strict.status) == 0)
        ks_cause_say(r, KS_CAUSE_STATUS_NOT_WRITTEN,
                     ks_cause_time(r->strict.object, "metadata.creationTimestamp"),
                     "The object has no status yet");
}

/* Phases, counters, errors: what profile strict finds in them, when nothing else says more. */
static ks_rc read_verdict(struct ks_cause_reader *r)
{
    const struct ks_status_context context = {.kind = &r->strict.kind};
    char text[KS_CAUSE_MESSAGE_MAX];
    struct ks_verdict verdict;
    struct ks_str message;
    ks_rc rc = ks_status_compute_profile(KS_PROFILE_STRICT, r->strict.object, r->now_ms, &context,
                                         &verdict, NULL);

    if (rc)
        return rc;
    message = ks_cause_join(text, verdict.reason, verdict.message);
    if (verdict.status == KS_STATUS_FAILED)
        ks_cause_pass(r, KS_CAUSE_CONDITION_FAILING, 0, message, "");
    else if (verdict.status == KS_STATUS_IN_PROGRESS)
        ks_cause_pass(r, KS_CAUSE_CONDITION_NOT_MET, 0, message, "");
    else if (verdict.status == KS_STATUS_TERMINATING)
        ks_cause_pass(r, KS_CAUSE_DELETION_PENDING, 0, message, "");
    return KS_RC_OK;
}

static struct ks_json_value of_type(struct ks_json_value v, ks_json_type type)
{
    return ks_json_type_of(v) == type ? v : (struct ks_json_value){0};
}

ks_rc ks_causes_read(struct ks_json_value object, const struct ks_status_kind *kind,
                     int64_t now_wall_ms, struct ks_causes *out)
{
    struct ks_strict_fresh fresh = {0};
    struct ks_causes own;
    struct ks_cause_reader r = {
        .strict = {.object = object,
                   .kind = kind ? *kind : ks_status_kind_of(object),
                   .status = of_type(ks_json_get(object, "status"), KS_JSON_MAP),
                   .fresh = &fresh},
        .now_ms = now_wall_ms,
        .out = &own,
    };
    struct ks_strict *s = &r.strict;
    ks_rc rc = KS_RC_OK;

    ks_causes_init(&own); /* readers ask whether the object itself has told anything */
    s->conditions = of_type(ks_json_get(s->status, "conditions"), KS_JSON_LIST);
    s->has_generation = ks_strict_int(object, "metadata.generation", &s->generation);
    r.source = (struct ks_cause_source){
        .group = s->kind.group,
        .kind = s->kind.kind,
        .ns = ks_json_lenient_str(object, "metadata.namespace", ""),
        .name = ks_json_lenient_str(object, "metadata.name", ""),
    };
    if (ks_json_lenient_str(object, "metadata.deletionTimestamp", "").len > 0) {
        read_conditions(&r, s->conditions, false);
        read_deletion(&r);
    } else {
        read_kind(&r);
        read_generation(&r);
        if (own.count == 0)
            rc = read_verdict(&r);
    }
    ks_causes_merge(out, own.items, own.count);
    return rc ? rc : ks_cause_rc(object);
}
