/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the objects are made of. A kind is a row with its group versions and the fields of its spec
 * and status; a field has a form, which says how its value is made.
 *
 * An object has a mood, so that both are seen often: the plain cases, which a rule decides by one
 * number, and the hostile ones.
 *
 *   calm      (40 %)  nearly all counters agree: the last rows of the rules are reached
 *   skewed    (40 %)  counters and conditions at random, fields missing, but each of its type
 *   hostile   (15 %)  beside that, values of wrong types, keys misspelt and doubled, escapes,
 * blanks wild      ( 5 %)  the same, nearly everywhere; one in ten is no JSON any more
 *
 * Thread: any.  It does not: know what the verdict is.
 */
#include "object.h"

#include <assert.h>

#include "base/rfc3339.h"

enum form {
    FORM_ANY,
    FORM_BOOL,
    FORM_CONDITIONS, /* words: the kind's own condition types */
    FORM_COUNT,      /* the object's number of replicas, or near it */
    FORM_CREATED,
    FORM_GENERATION,
    FORM_LIST, /* of maps with the inner fields */
    FORM_MAP,
    FORM_NUMBER, /* one of words, as it stands */
    FORM_OBSERVED,
    FORM_WORD,
};

struct field {
    const char *key; /* NULL: the end of a table */
    enum form form;
    unsigned absent; /* chance in a thousand, beside the mood's */
    bool is_kept;    /* there, once, and as it should be: a family hangs together by it */
    const char *const *words;
    const struct field *inner;
};

struct shape {
    int64_t now_ms;
    int64_t generation;
    unsigned replicas;
    unsigned skew;   /* chance in a thousand that a number is another one */
    unsigned absent; /* chance in a thousand that a field is missing */
};

#define MAX_MEMBERS 32
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CONDITIONS(...)                                                                            \
    {                                                                                              \
        .key = "conditions", .form = FORM_CONDITIONS, .absent = 50, .words = WORDS(__VA_ARGS__)    \
    }
#define COUNT(name)                                                                                \
    {                                                                                              \
        .key = name, .form = FORM_COUNT                                                            \
    }
#define WORD(name, ...)                                                                            \
    {                                                                                              \
        .key = name, .form = FORM_WORD, .words = WORDS(__VA_ARGS__)                                \
    }
#define OBSERVED                                                                                   \
    {                                                                                              \
        .key = "observedGeneration", .form = FORM_OBSERVED, .absent = 100                          \
    }
#define MAP(name, table)                                                                           \
    {                                                                                              \
        .key = name, .form = FORM_MAP, .inner = table                                              \
    }
#define LIST(name, table)                                                                          \
    {                                                                                              \
        .key = name, .form = FORM_LIST, .inner = table                                             \
    }

static const struct field metadata[] = {
    WORD("name", "web", "db-0", "a_b"),
    WORD("namespace", "default", "kube-system"),
    WORD("uid", "b65fb579-44d0-402a-81b7-82232c1b33fb"),
    {.key = "generation", .form = FORM_GENERATION, .absent = 150},
    {.key = "creationTimestamp", .form = FORM_CREATED, .absent = 20},
    {.key = "deletionTimestamp",
     .form = FORM_WORD,
     .absent = 940,
     .words = WORDS("2026-01-01T00:00:00Z", "soon", "", "")},
    {.key = "labels", .form = FORM_ANY, .absent = 700},
    END,
};

static const struct field no_spec[] = {{.key = "data", .form = FORM_ANY}, END};

static const struct field service_spec[] = {
    WORD("type", "ClusterIP", "LoadBalancer", "LoadBalancer", "NodePort", "ExternalName"),
    {.key = "clusterIP", .form = FORM_WORD, .absent = 200, .words = WORDS("10.0.0.1", "None", "")},
    END,
};
static const struct field service_status[] = {
    OBSERVED, CONDITIONS("Ready"), {.key = "loadBalancer", .form = FORM_ANY}, END};

static const struct field claim_status[] = {
    OBSERVED,
    CONDITIONS("Resizing", "FileSystemResizePending"),
    WORD("phase", "Bound", "Bound", "Pending", "Lost", ""),
    END,
};

static const struct field rolling_update[] = {
    {.key = "partition",
     .form = FORM_NUMBER,
     .absent = 300,
     .words = WORDS("0", "0", "1", "2", "3", "5", "-1", "-2", "9223372036854775807")},
    {.key = "maxUnavailable", .form = FORM_ANY},
    END,
};
static const struct field update_strategy[] = {
    WORD("type", "RollingUpdate", "RollingUpdate", "RollingUpdate", "OnDelete"),
    {.key = "rollingUpdate", .form = FORM_MAP, .absent = 300, .inner = rolling_update},
    END,
};
static const struct field stateful_set_spec[] = {
    COUNT("replicas"),
    {.key = "updateStrategy", .form = FORM_MAP, .absent = 200, .inner = update_strategy},
    END,
};
static const struct field stateful_set_status[] = {
    OBSERVED,
    CONDITIONS("Ready"),
    COUNT("replicas"),
    COUNT("readyReplicas"),
    COUNT("currentReplicas"),
    {.key = "updatedReplicas", .form = FORM_COUNT, .absent = 100},
    WORD("currentRevision", "db-1", "db-1", "db-1", "db-2", ""),
    WORD("updateRevision", "db-1", "db-1", "db-1", "db-2", ""),
    END,
};

static const struct field daemon_set_spec[] = {MAP("updateStrategy", update_strategy), END};
static const struct field daemon_set_status[] = {
    OBSERVED,
    CONDITIONS("Ready"),
    COUNT("desiredNumberScheduled"),
    COUNT("currentNumberScheduled"),
    COUNT("updatedNumberScheduled"),
    COUNT("numberAvailable"),
    COUNT("numberReady"),
    END,
};

static const struct field deployment_spec[] = {
    COUNT("replicas"),
    {.key = "paused", .form = FORM_BOOL, .absent = 500},
    {.key = "progressDeadlineSeconds",
     .form = FORM_NUMBER,
     .absent = 300,
     .words = WORDS("600", "600", "0", "2147483647", "2147483646", "2147483648")},
    END,
};
static const struct field deployment_status[] = {
    OBSERVED,
    CONDITIONS("Available", "Available", "Progressing", "Progressing", "ReplicaFailure"),
    COUNT("replicas"),
    COUNT("updatedReplicas"),
    COUNT("readyReplicas"),
    COUNT("availableReplicas"),
    END,
};

static const struct field replica_set_spec[] = {COUNT("replicas"), END};
static const struct field replica_set_status[] = {
    OBSERVED,
    CONDITIONS("ReplicaFailure", "Ready", "Available"),
    COUNT("replicas"),
    COUNT("readyReplicas"),
    COUNT("availableReplicas"),
    COUNT("fullyLabeledReplicas"),
    END,
};

static const struct field budget_status[] = {OBSERVED, CONDITIONS("DisruptionAllowed"),
                                             COUNT("disruptionsAllowed"), END};

static const struct field job_spec[] = {
    COUNT("parallelism"),
    COUNT("completions"),
    {.key = "suspend", .form = FORM_BOOL, .absent = 700},
    END,
};
static const struct field job_status[] = {
    OBSERVED,
    CONDITIONS("Complete", "Failed", "Suspended", "SuccessCriteriaMet", "FailureTarget"),
    COUNT("succeeded"),
    COUNT("active"),
    COUNT("failed"),
    {.key = "startTime",
     .form = FORM_WORD,
     .absent = 300,
     .words = WORDS("2026-01-01T00:00:00Z", "now", "")},
    END,
};

static const struct field waiting[] = {
    WORD("reason", "CrashLoopBackOff", "CrashLoopBackOff", "ImagePullBackOff", "ContainerCreating",
         "ErrImagePull", ""),
    WORD("message", "back-off 5m0s restarting failed container", ""),
    END,
};
static const struct field container_state[] = {
    {.key = "waiting", .form = FORM_MAP, .absent = 400, .inner = waiting},
    {.key = "running", .form = FORM_ANY, .absent = 600},
    {.key = "terminated", .form = FORM_ANY, .absent = 800},
    END,
};
static const struct field container_status[] = {
    {.key = "name",
     .form = FORM_WORD,
     .absent = 20,
     .words = WORDS("app", "sidecar", "", "\xc3\xa9")},
    {.key = "state", .form = FORM_MAP, .absent = 20, .inner = container_state},
    {.key = "ready", .form = FORM_BOOL},
    COUNT("restartCount"),
    END,
};
static const struct field pod_status[] = {
    {.key = "observedGeneration", .form = FORM_OBSERVED, .absent = 500},
    CONDITIONS("PodScheduled", "PodScheduled", "PodScheduled", "Ready", "Ready", "Initialized",
               "ContainersReady"),
    WORD("phase", "Running", "Running", "Running", "Running", "Pending", "Pending", "Pending",
         "Pending", "Succeeded", "Failed", "Unknown", "Evicted", ""),
    {.key = "containerStatuses", .form = FORM_LIST, .absent = 100, .inner = container_status},
    {.key = "initContainerStatuses", .form = FORM_LIST, .absent = 600, .inner = container_status},
    END,
};

/* No node fits: the rule that looks at the clock. */
static const struct field unscheduled_condition[] = {
    {.key = "type", .form = FORM_WORD, .words = WORDS("PodScheduled", "PodScheduled", "Ready")},
    {.key = "status", .form = FORM_WORD, .words = WORDS("False", "False", "False", "True")},
    {.key = "reason",
     .form = FORM_WORD,
     .words = WORDS("Unschedulable", "Unschedulable", "Unschedulable", "SchedulingGated")},
    WORD("message", "0/3 nodes are available", ""),
    END,
};
static const struct field unscheduled_status[] = {
    WORD("phase", "Pending", "Pending", "Pending", "Running"),
    {.key = "conditions", .form = FORM_LIST, .inner = unscheduled_condition},
    END,
};

/* Of a family's plots: what its members are by design. */
#define CRASHES "{\"name\":\"app\",\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}"
#define RUNS "{\"name\":\"side\",\"state\":{\"running\":{}},\"ready\":true}"
#define CRASHING                                                                                   \
    {                                                                                              \
        .key = "containerStatuses", .form = FORM_NUMBER, .is_kept = true,                          \
        .words = WORDS("[" CRASHES "]", "[" RUNS "," CRASHES "]", "[{}," CRASHES "," RUNS "]")     \
    }
#define RUNNING                                                                                    \
    {                                                                                              \
        .key = "phase", .form = FORM_NUMBER, .is_kept = true, .words = WORDS("\"Running\"")        \
    }
#define NOT_READY "{\"type\":\"Ready\",\"status\":\"False\"}"
#define NO_NODE "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\"}"
static const struct field looping_status[] = {
    RUNNING,
    CRASHING,
    {.key = "conditions",
     .form = FORM_NUMBER,
     .is_kept = true,
     .words = WORDS("[]", "null", "[" NOT_READY "]",
                    "[" NOT_READY ",{\"type\":\"PodScheduled\",\"status\":\"True\"}]")},
    {.key = "initContainerStatuses", .form = FORM_LIST, .absent = 600, .inner = container_status},
    END,
};
static const struct field unschedulable_status[] = {
    RUNNING,
    CRASHING,
    {.key = "conditions",
     .form = FORM_NUMBER,
     .is_kept = true,
     .words = WORDS("[" NO_NODE "]", "[" NOT_READY "," NO_NODE "]",
                    "[{\"type\":\"PodScheduled\",\"status\":\"True\"}," NO_NODE "]")},
    END,
};

static const struct field definition_status[] = {
    OBSERVED,
    CONDITIONS("NamesAccepted", "Established", "Established", "Terminating"),
    {.key = "acceptedNames", .form = FORM_ANY},
    END,
};

static const struct field custom_status[] = {
    OBSERVED,
    CONDITIONS("Ready", "Ready", "Synced", "Available"),
    WORD("phase", "Running", "Failed", "Pending"),
    END,
};

struct kind {
    const char *name;
    const char *const *versions;
    const struct field *spec;
    const struct field *status;
};

/* Rows that stand twice are kinds with many branches. */
static const struct kind kinds[] = {
    {"Service", WORDS("v1"), service_spec, service_status},
    {"Pod", WORDS("v1"), no_spec, pod_status},
    {"Pod", WORDS("v1", "v2", ""), no_spec, pod_status},
    {"Pod", WORDS("v1"), no_spec, unscheduled_status},
    {"Secret", WORDS("v1"), no_spec, custom_status},
    {"ConfigMap", WORDS("v1"), no_spec, custom_status},
    {"PersistentVolumeClaim", WORDS("v1"), no_spec, claim_status},
    {"StatefulSet", WORDS("apps/v1"), stateful_set_spec, stateful_set_status},
    {"StatefulSet", WORDS("apps/v1", "apps/v1beta1", "extensions/v1"), stateful_set_spec,
     stateful_set_status},
    {"DaemonSet", WORDS("apps/v1", "apps/v1", "extensions/v1beta1"), daemon_set_spec,
     daemon_set_status},
    {"Deployment", WORDS("apps/v1"), deployment_spec, deployment_status},
    {"Deployment", WORDS("apps/v1", "extensions/v1beta1", "v1"), deployment_spec,
     deployment_status},
    {"ReplicaSet", WORDS("apps/v1", "apps/v1", "extensions/v1beta1"), replica_set_spec,
     replica_set_status},
    {"PodDisruptionBudget", WORDS("policy/v1", "policy/v1beta1"), no_spec, budget_status},
    {"Job", WORDS("batch/v1", "batch/v1", "extensions/v1beta1"), job_spec, job_status},
    {"CronJob", WORDS("batch/v1", "batch/v1beta1"), no_spec, custom_status},
    {"CustomResourceDefinition", WORDS("apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"),
     no_spec, definition_status},
    {"Node", WORDS("v1"), no_spec, custom_status},
    {"APIService", WORDS("apiregistration.k8s.io/v1"), no_spec, custom_status},
    {"Widget", WORDS("example.com/v1", "apps/v1", "v1"), no_spec, custom_status},
};

/* Keys of the rule table are "group/Kind": some of these end up with a rule all the same. */
static const char *const odd_versions[] = {
    "",       "/",       "v1",       "/v1",          "apps",     "apps/",       "apps/v1",
    "apps//", "APPS/v1", "batch/v1", "apps/v1/beta", "policy/x", "extensions/", NULL,
};
static const char *const odd_kinds[] = {
    "", "pod", "Pod/", "apps/Deployment", "/Pod", "batch/Job", "Deployments", "Kind", NULL,
};

static const char *const common_types[] = {"Reconciling", "Stalled", "Ready", "Progressing", NULL};
static const char *const statuses[] = {"True",    "True", "True",  "False", "False",
                                       "Unknown", "true", "FALSE", "",      NULL};
static const char *const reasons[] = {"NewReplicaSetAvailable",
                                      "NewReplicaSetAvailable",
                                      "ProgressDeadlineExceeded",
                                      "MinimumReplicasAvailable",
                                      "Unschedulable",
                                      "Unschedulable",
                                      "SchedulingGated",
                                      "Installing",
                                      "NoConflicts",
                                      "Because",
                                      "",
                                      "not a word, \"quoted\" \\ \xc3\xa9\t",
                                      NULL};
static const char *const messages[] = {"0/3 nodes are available: 3 Insufficient cpu.", "",
                                       "line\nline", "\xe2\x82\xac <b> & \x01", NULL};

static void write_value(struct text *t, const struct shape *s, const struct field *f);

static void write_word(struct text *t, const struct field *f)
{
    struct ks_str word = ks_str_from(text_pick(t, f->words));

    if (text_chance(t, t->spoil))
        text_near(t, word);
    else
        text_string(t, word);
}

/* The usual number, or with the mood's chance one beside it or anywhere. */
static void write_number(struct text *t, const struct shape *s, int64_t usual)
{
    static const char *const edges[] = {"2147483647",
                                        "2147483648",
                                        "9223372036854775807",
                                        "9223372036854775806",
                                        "-9223372036854775808",
                                        "-1",
                                        "-2",
                                        NULL};

    if (!text_chance(t, s->skew)) {
        text_int(t, usual);
        return;
    }
    switch (text_below(t, 8)) {
    case 0:
    case 1:
        text_int(t, usual - 1);
        return;
    case 2:
    case 3:
        text_int(t, usual + 1);
        return;
    case 4:
        text_int(t, 0);
        return;
    case 5:
        text_raw(t, text_pick(t, edges));
        return;
    default:
        text_int(t, text_below(t, 6));
    }
}

/* A time as Go accepts it, or nearly, around the end of the Pod's 15 s. */
static void write_created(struct text *t, const struct shape *s)
{
    static const char *const odd_times[] = {
        "",
        "null",
        "2026-01-01t00:00:00Z",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+0100",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "99999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-24:60",
        "9999-12-31T23:59:59-24:61",
        "2026-1-1T00:00:00Z",
        NULL,
    };
    static const char *const fractions[] = {
        "",           ".0",         ".5",        ".999",         ",001",        ".000001",
        ".000000001", ",123456789", ".99999999", ".00000000099", ".0010000001", NULL};
    static const struct {
        const char *text;
        int minutes;
    } zones[] = {{"Z", 0},         {"Z", 0},         {"Z", 0},         {"+00:00", 0},
                 {"-00:00", 0},    {"+01:00", 60},   {"-11:30", -690}, {"+14:00", 840},
                 {"+24:60", 1500}, {"-24:00", -1440}};
    static const int64_t steps_ms[] = {0, 1, 1000, 1000, 60000};
    size_t zone = text_below(t, KS_ARRAY_LEN(zones));
    char stamp[KS_RFC3339_MAX];
    int64_t step_ms = steps_ms[text_below(t, KS_ARRAY_LEN(steps_ms))];
    int64_t created_ms = s->now_ms - 15000 + ((int64_t)text_below(t, 41) - 20) * step_ms;
    char *end;

    if (text_chance(t, 100)) {
        text_string(t, ks_str_from(text_pick(t, odd_times)));
        return;
    }
    (void)ks_rfc3339_format(created_ms + zones[zone].minutes * 60000, stamp); /* returns stamp */
    end = strchr(stamp, 'Z');
    if (end)
        *end = '\0';
    text_raw(t, "\"");
    text_raw(t, stamp);
    if (!strchr(stamp, '.') && text_chance(t, 300))
        text_raw(t, text_pick(t, fractions));
    text_raw(t, zones[zone].text);
    text_raw(t, "\"");
}

static size_t choose_members(struct text *t, const struct shape *s, const struct field *fields,
                             const struct field *chosen[MAX_MEMBERS])
{
    size_t count = 0;

    for (const struct field *f = fields; f->key && count + 2 < MAX_MEMBERS; f++) {
        if (!f->is_kept && (text_chance(t, f->absent) || text_chance(t, s->absent)))
            continue;
        chosen[count++] = f;
        if (!f->is_kept && text_chance(t, t->spoil))
            chosen[count++] = f; /* doubled: the second has a value of its own */
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = text_below(t, (unsigned)i);
        const struct field *moved = chosen[i - 1];

        chosen[i - 1] = chosen[other];
        chosen[other] = moved;
    }
    return count;
}

/* Recursion: the tables bound it. */
static void write_map(struct text *t, const struct shape *s, const struct field *fields)
{
    const struct field *chosen[MAX_MEMBERS];
    size_t count = choose_members(t, s, fields, chosen);

    text_token(t, "{");
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_token(t, ",");
        if (!chosen[i]->is_kept && text_chance(t, t->spoil / 4))
            text_near(t, ks_str_from(chosen[i]->key));
        else
            text_string(t, ks_str_from(chosen[i]->key));
        text_token(t, ":");
        write_value(t, s, chosen[i]);
    }
    text_token(t, "}");
}

static void write_list(struct text *t, const struct shape *s, const struct field *f)
{
    unsigned count = text_below(t, 4);

    text_token(t, "[");
    for (unsigned i = 0; i < count; i++) {
        if (i)
            text_token(t, ",");
        if (text_chance(t, t->spoil))
            text_spoilt(t);
        else
            write_map(t, s, f->inner);
    }
    text_token(t, "]");
}

static void write_conditions(struct text *t, const struct shape *s, const struct field *f)
{
    unsigned count = text_below(t, 5);

    text_token(t, "[");
    for (unsigned i = 0; i < count; i++) {
        const struct field condition[] = {
            {.key = "type",
             .form = FORM_WORD,
             .words = text_chance(t, 100) ? common_types : f->words},
            {.key = "status", .form = FORM_WORD, .words = statuses},
            {.key = "reason", .form = FORM_WORD, .words = reasons},
            {.key = "message", .form = FORM_WORD, .words = messages},
            {.key = "observedGeneration", .form = FORM_OBSERVED, .absent = 700},
            {.key = "lastTransitionTime", .form = FORM_ANY, .absent = 700},
            END,
        };

        if (i)
            text_token(t, ",");
        if (text_chance(t, t->spoil))
            text_spoilt(t);
        else
            write_map(t, s, condition);
    }
    text_token(t, "]");
}

static void write_expected(struct text *t, const struct shape *s, const struct field *f)
{
    switch (f->form) {
    case FORM_ANY:
        text_any(t, 3);
        return;
    case FORM_BOOL:
        text_raw(t, text_chance(t, 500) ? "true" : "false");
        return;
    case FORM_CONDITIONS:
        write_conditions(t, s, f);
        return;
    case FORM_COUNT:
        write_number(t, s, s->replicas);
        return;
    case FORM_CREATED:
        write_created(t, s);
        return;
    case FORM_GENERATION:
        text_int(t, s->generation);
        return;
    case FORM_LIST:
        write_list(t, s, f);
        return;
    case FORM_MAP:
        write_map(t, s, f->inner);
        return;
    case FORM_NUMBER:
        text_raw(t, text_pick(t, f->words));
        return;
    case FORM_OBSERVED:
        write_number(t, &(struct shape){.skew = s->skew / 3}, s->generation);
        return;
    case FORM_WORD:
        write_word(t, f);
        return;
    }
}

static void write_value(struct text *t, const struct shape *s, const struct field *f)
{
    if (!f->is_kept && text_chance(t, t->spoil))
        text_spoilt(t);
    else
        write_expected(t, s, f);
}

static void set_mood(struct text *t, struct shape *s)
{
    unsigned mood = text_below(t, 100);

    t->spoil = mood < 80 ? 0 : mood < 95 ? 25 : 250;
    t->blanks = text_chance(t, 100) ? 100 : 0;
    t->escapes = mood < 80 ? 0 : text_chance(t, 300) ? 50 : 0;
    s->skew = mood < 40 ? 20 : 250;
    s->absent = mood < 40 ? 5 : 60;
}

int64_t object_choose_now(struct text *t)
{
    /* Around 2026, at whole seconds as often as not. */
    int64_t now_ms = INT64_C(1767225600000) + (int64_t)text_below(t, 366 * 86400) * 1000;

    return text_chance(t, 500) ? now_ms + text_below(t, 1000) : now_ms;
}

static void set_numbers(struct text *t, struct shape *s)
{
    static const int64_t edges[] = {0, -1, INT64_MAX - 1, INT64_MIN + 1, 2147483648};

    s->generation =
        text_chance(t, 50) ? edges[text_below(t, KS_ARRAY_LEN(edges))] : (int64_t)text_below(t, 20);
    s->replicas = text_below(t, 5);
}

void object_write(struct text *t, int64_t *out_now_ms)
{
    const struct kind *kind = &kinds[text_below(t, KS_ARRAY_LEN(kinds))];
    struct shape shape = {0};
    const char *name[] = {kind->name, NULL};

    set_mood(t, &shape);
    shape.now_ms = object_choose_now(t);
    set_numbers(t, &shape);
    {
        const struct field object[] = {
            {.key = "apiVersion",
             .form = FORM_WORD,
             .words = text_chance(t, 30) ? odd_versions : kind->versions},
            {.key = "kind", .form = FORM_WORD, .words = text_chance(t, 20) ? odd_kinds : name},
            MAP("metadata", metadata),
            MAP("spec", kind->spec),
            MAP("status", kind->status),
            {.key = "items", .form = FORM_ANY, .absent = 980},
            END,
        };

        write_map(t, &shape, object);
    }
    if (t->spoil > 100 && text_chance(t, 100))
        text_corrupt(t);
    *out_now_ms = shape.now_ms;
}

/* The rows of a kind take turns. */
static const struct kind *choose_row(struct text *t, const char *name)
{
    const struct kind *rows[KS_ARRAY_LEN(kinds)];
    unsigned count = 0;

    for (size_t i = 0; i < KS_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            rows[count++] = &kinds[i];
    }
    assert(count > 0);
    return rows[text_below(t, count)];
}

/* A value that is kept as it stands: JSON text, or with FORM_WORD a string. */
#define KEPT(name, how, value)                                                                     \
    {                                                                                              \
        .key = name, .form = how, .is_kept = true, .words = WORDS(value)                           \
    }
#define KEPT_MAP(name, table)                                                                      \
    {                                                                                              \
        .key = name, .form = FORM_MAP, .is_kept = true, .inner = table                             \
    }

static const struct field *status_of(const struct kind *kind, enum object_plot plot)
{
    switch (plot) {
    case PLOT_LOOP:
        return looping_status;
    case PLOT_UNSCHEDULABLE:
        return unschedulable_status;
    case PLOT_NONE:
    case PLOT_SHORT:
        break;
    }
    return kind->status;
}

/* Of an owner that is short: more replicas than there ever are. */
static const struct field short_of = KEPT("replicas", FORM_NUMBER, "7");

static void copy_spec(const struct kind *kind, enum object_plot plot, struct field out[])
{
    for (size_t i = 0; kind->spec[i].key; i++) {
        bool is_short = plot == PLOT_SHORT && strcmp(kind->spec[i].key, short_of.key) == 0;

        out[i] = is_short ? short_of : kind->spec[i];
    }
}

void object_write_member(struct text *t, int64_t now_ms, const struct object_ties *ties)
{
    const struct kind *kind = choose_row(t, ties->kind);
    struct shape shape = {.now_ms = now_ms};
    const struct field tied_metadata[] = {
        KEPT("name", FORM_NUMBER, ties->uid),
        KEPT("namespace", FORM_NUMBER, ties->space),
        KEPT("uid", FORM_NUMBER, ties->uid),
        KEPT("labels", FORM_NUMBER, ties->labels),
        KEPT("annotations", FORM_NUMBER, ties->annotations),
        KEPT("ownerReferences", FORM_NUMBER, ties->owners),
        {.key = "generation", .form = FORM_GENERATION, .absent = 150},
        {.key = "creationTimestamp", .form = FORM_CREATED, .absent = 20},
        {.key = "deletionTimestamp",
         .form = FORM_WORD,
         .absent = 940,
         .words = WORDS("2026-01-01T00:00:00Z", "soon", "", "")},
        END,
    };
    struct field spec[MAX_MEMBERS] = {KEPT("selector", FORM_NUMBER, ties->selector)};
    const struct field object[] = {
        KEPT("apiVersion", FORM_NUMBER, ties->version),
        {.key = "kind", .form = FORM_NUMBER, .is_kept = true, .words = WORDS(ties->quoted_kind)},
        KEPT_MAP("metadata", tied_metadata),
        KEPT_MAP("spec", spec),
        {.key = "status",
         .form = FORM_MAP,
         .is_kept = ties->plot != PLOT_NONE && ties->plot != PLOT_SHORT,
         .inner = status_of(kind, ties->plot)},
        END,
    };

    copy_spec(kind, ties->plot, spec + 1);
    set_mood(t, &shape);
    set_numbers(t, &shape);
    write_map(t, &shape, object);
}
