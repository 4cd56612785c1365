/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields are a table by kind: those that the rules of both profiles look at. For kinds without
 * a row they are those that most controllers keep.
 *
 * Invariant: texts of the cluster pass through text.c.
 *
 * Thread: main. Does not decide anything.
 */
#include "client/cli/fields.h"

#include <string.h>

#include "json/path.h"

#include "client/cli/paragraph.h"
#include "client/cli/text.h"

#define FIELDS_MAX 8
#define VALUE_MAX_BYTES ((size_t)200)

struct kind_fields {
    const char *kind;
    const char *paths[FIELDS_MAX]; /* up to the first NULL */
};

static const struct kind_fields kinds[] = {
    {"Deployment",
     {"spec.paused", "spec.replicas", "status.replicas", "status.updatedReplicas",
      "status.readyReplicas", "status.availableReplicas"}},
    {"ReplicaSet",
     {"spec.replicas", "status.replicas", "status.fullyLabeledReplicas", "status.readyReplicas",
      "status.availableReplicas"}},
    {"StatefulSet",
     {"spec.updateStrategy.type", "spec.replicas", "status.replicas", "status.readyReplicas",
      "status.currentReplicas", "status.updatedReplicas", "status.currentRevision",
      "status.updateRevision"}},
    {"DaemonSet",
     {"spec.updateStrategy.type", "status.desiredNumberScheduled", "status.currentNumberScheduled",
      "status.updatedNumberScheduled", "status.numberAvailable", "status.numberReady"}},
    {"Job",
     {"spec.suspend", "spec.parallelism", "spec.completions", "status.startTime", "status.active",
      "status.succeeded", "status.failed", "status.completionTime"}},
    {"CronJob", {"spec.suspend", "status.lastScheduleTime", "status.lastSuccessfulTime"}},
    {"Pod", {"spec.nodeName", "status.phase", "status.reason"}},
    {"Service", {"spec.type", "spec.clusterIP", "status.loadBalancer.ingress"}},
    {"Ingress", {"status.loadBalancer.ingress"}},
    {"PersistentVolumeClaim", {"status.phase"}},
    {"PersistentVolume", {"status.phase"}},
    {"Namespace", {"status.phase"}},
    {"PodDisruptionBudget",
     {"status.currentHealthy", "status.desiredHealthy", "status.disruptionsAllowed"}},
    {"HorizontalPodAutoscaler",
     {"spec.minReplicas", "spec.maxReplicas", "status.currentReplicas", "status.desiredReplicas"}},
};

/* Shown only when the object has them. */
static const char *const common_paths[] = {"metadata.deletionTimestamp", "metadata.generation",
                                           "status.observedGeneration"};
static const struct kind_fields other_kinds = {NULL, {"status.phase", "status.state"}};

/* Where the fields go. */
struct field_list {
    struct ks_buf *out;
    const struct ks_decision *decision; /* text: these are told already */
};
typedef ks_rc (*field_fn)(const struct field_list *list, const char *path,
                          struct ks_json_value value);

/* Calls fn for each field to be shown; value may be absent. */
static ks_rc fields_each(const struct ks_subject *s, const struct field_list *list, field_fn fn)
{
    const struct kind_fields *row = NULL;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !row && i < KS_ARRAY_LEN(kinds); i++)
        row = ks_str_is(s->place->kind, kinds[i].kind) ? &kinds[i] : NULL;
    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(common_paths); i++) {
        struct ks_json_value value = {.doc = NULL};

        if (ks_json_walk(s->object, common_paths[i], &value) == KS_LOOKUP_FOUND)
            rc = fn(list, common_paths[i], value);
    }
    for (size_t i = 0; !rc && i < FIELDS_MAX; i++) {
        const char *path = row ? row->paths[i] : other_kinds.paths[i];
        struct ks_json_value value = {.doc = NULL};

        if (!path)
            break;
        if (ks_json_walk(s->object, path, &value) == KS_LOOKUP_FOUND || row)
            rc = fn(list, path, value);
    }
    return rc;
}

/* One value as plain text; of a list or a map its size. */
static ks_rc append_value(struct ks_buf *out, struct ks_json_value value)
{
    struct ks_str text = ks_json_raw(value);

    switch (ks_json_type_of(value)) {
    case KS_JSON_ABSENT:
        return ks_buf_append_str(out, KS_LIT("absent"));
    case KS_JSON_LIST:
    case KS_JSON_MAP:
        return ks_buf_appendf(out, "%zu %s", ks_json_count(value),
                              ks_json_count(value) == 1 ? "entry" : "entries");
    case KS_JSON_STRING:
        if (!ks_json_to_str(value, &text))
            return KS_RC_NOMEM;
        break;
    case KS_JSON_NULL:
    case KS_JSON_BOOL:
    case KS_JSON_INT:
    case KS_JSON_DOUBLE:
        break;
    }
    return ks_buf_append_str(out, ks_str_cut_utf8(text, VALUE_MAX_BYTES));
}

static ks_rc append_field(const struct field_list *list, const char *path,
                          struct ks_json_value value)
{
    ks_rc rc;

    if (strcmp(list->decision->field, path) == 0 || strcmp(list->decision->other_field, path) == 0)
        return KS_RC_OK;
    rc = ks_buf_appendf(list->out, "%s%s=", list->out->len > 0 ? ", " : "", path);
    return rc ? rc : append_value(list->out, value);
}

ks_rc ks_fields_append(struct ks_buf *out, const struct ks_subject *s,
                       const struct ks_decision *decision)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    const struct field_list list = {.out = &text, .decision = decision};
    ks_rc rc = fields_each(s, &list, append_field);

    if (rc || text.len == 0)
        return rc;
    return ks_paragraph_append(out, "fields", ks_buf_str(&text));
}

static ks_rc json_field(const struct field_list *list, const char *path, struct ks_json_value value)
{
    struct ks_buf *out = list->out;
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_json_type type = ks_json_type_of(value);
    ks_rc rc = ks_judge_append_key(out, path);

    if (rc)
        return rc;
    if (type == KS_JSON_ABSENT)
        return ks_buf_append_str(out, KS_LIT("null"));
    if (type == KS_JSON_INT || type == KS_JSON_BOOL || type == KS_JSON_NULL)
        return ks_buf_append_str(out, ks_json_raw(value));
    rc = append_value(&text, value);
    return rc ? rc : ks_text_append_json(out, ks_buf_str(&text));
}

ks_rc ks_fields_append_json(struct ks_buf *out, const struct ks_subject *s)
{
    const struct field_list list = {.out = out};
    ks_rc rc = ks_judge_append_key(out, "fields");

    if (!rc)
        rc = ks_buf_append_byte(out, '{');
    if (!rc)
        rc = fields_each(s, &list, json_field);
    return rc ? rc : ks_buf_append_byte(out, '}');
}
