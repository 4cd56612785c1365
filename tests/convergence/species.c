/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: a body is everything of an object but apiVersion, kind, and the metadata that says
 * which object it is: `"spec":...,"status":...`, and metadata.generation, which goes with them, as
 * `"g":N` in front for the world to put where it belongs.
 *
 * Thread: one. It does not: know the rules of status; numbers and conditions are drawn so that each
 * rule has something to say.
 */
#include "convergence/species.h"

#include <string.h>

#include "base/rfc3339.h"

#define TIME_SIZE 40

static const char *pick(struct dice *d, const char *const *texts, uint32_t count)
{
    return texts[dice_below(d, count)];
}

static const char *truth(struct dice *d)
{
    static const char *const texts[] = {"True", "True", "False", "Unknown"};

    return pick(d, texts, KS_ARRAY_LEN(texts));
}

static void time_text(int64_t wall_ms, char out[TIME_SIZE])
{
    ks_rfc3339_format(wall_ms - wall_ms % 1000, out);
}

static ks_rc body_config_map(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    return ks_buf_appendf(out, "\"g\":0,\"data\":{\"k\":\"%u\"}", dice_below(d, 1000));
}

static ks_rc pod_condition(struct dice *d, int64_t wall_ms, struct ks_buf *out)
{
    char now[TIME_SIZE];

    time_text(wall_ms, now);
    if (dice_permille(d, 250))
        return ks_buf_appendf(out,
                              "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":"
                              "\"Unschedulable\",\"message\":\"0/3 nodes\",\"lastTransitionTime\":"
                              "\"%s\"}",
                              now);
    return ks_buf_appendf(out,
                          "{\"type\":\"Ready\",\"status\":\"%s\",\"reason\":\"R%u\","
                          "\"lastTransitionTime\":\"%s\"}",
                          truth(d), dice_below(d, 3), now);
}

static ks_rc pod_container(struct dice *d, struct ks_buf *out)
{
    static const char *const reasons[] = {"CrashLoopBackOff", "ImagePullBackOff",
                                          "ContainerCreating"};

    if (dice_permille(d, 400))
        return ks_buf_appendf(out,
                              "{\"name\":\"c\",\"restartCount\":%u,\"state\":{\"waiting\":{"
                              "\"reason\":\"%s\",\"message\":\"m%u\"}}}",
                              dice_below(d, 5), pick(d, reasons, KS_ARRAY_LEN(reasons)),
                              dice_below(d, 3));
    return ks_buf_appendf(out, "{\"name\":\"c\",\"ready\":true,\"state\":{\"running\":{}}}");
}

/* A Pod that fails its owner. */
static ks_rc body_failing_pod(int64_t wall_ms, struct ks_buf *out)
{
    char now[TIME_SIZE];

    time_text(wall_ms, now);
    return ks_buf_appendf(out,
                          "\"g\":1,\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]},"
                          "\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
                          "\"status\":\"False\",\"lastTransitionTime\":\"%s\"}],"
                          "\"containerStatuses\":[{\"name\":\"c\",\"restartCount\":3,\"state\":{"
                          "\"waiting\":{\"reason\":\"CrashLoopBackOff\",\"message\":\"m\"}}}]}",
                          now);
}

static ks_rc body_pod(struct dice *d, int64_t wall_ms, struct ks_buf *out)
{
    static const char *const phases[] = {"Pending", "Pending", "Running",   "Running",
                                         "Running", "Failed",  "Succeeded", "Odd"};
    ks_rc rc;

    if (dice_permille(d, 350))
        return body_failing_pod(wall_ms, out);
    rc = ks_buf_appendf(out,
                        "\"g\":1,\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i%u\"}],"
                        "\"restartPolicy\":\"%s\"},\"status\":{\"phase\":\"%s\","
                        "\"conditions\":[",
                        dice_below(d, 3), dice_permille(d, 500) ? "Always" : "Never",
                        pick(d, phases, KS_ARRAY_LEN(phases)));
    rc = rc ? rc : pod_condition(d, wall_ms, out);
    rc = rc ? rc : ks_buf_append_str(out, KS_LIT("],\"containerStatuses\":["));
    rc = rc ? rc : pod_container(d, out);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("]}"));
}

/* What those with replicas have in common. */
static ks_rc replicas(struct dice *d, struct ks_buf *out)
{
    uint32_t wanted = dice_below(d, 4);
    uint32_t generation = 1 + dice_below(d, 3);
    uint32_t spread = dice_permille(d, 500) ? 0 : 2;

    return ks_buf_appendf(
        out,
        "\"g\":%u,\"spec\":{\"replicas\":%u,\"selector\":{\"matchLabels\":{\"app\":\"x\"}},"
        "\"updateStrategy\":{\"type\":\"RollingUpdate\"}},"
        "\"status\":{\"observedGeneration\":%u,\"replicas\":%u,\"readyReplicas\":%u,"
        "\"updatedReplicas\":%u,\"availableReplicas\":%u,\"currentReplicas\":%u,"
        "\"fullyLabeledReplicas\":%u,\"currentRevision\":\"r1\",\"updateRevision\":\"r1\"",
        generation, wanted, generation - dice_below(d, spread), wanted + dice_below(d, spread),
        wanted - dice_below(d, wanted ? spread : 0), wanted, wanted - (spread && wanted), wanted,
        wanted);
}

static ks_rc body_deployment(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    ks_rc rc = replicas(d, out);

    return rc ? rc
              : ks_buf_appendf(out,
                               ",\"conditions\":[{\"type\":\"Progressing\",\"status\":\"%s\","
                               "\"reason\":\"%s\"},{\"type\":\"Available\",\"status\":\"%s\"}]}",
                               truth(d),
                               dice_permille(d, 200) ? "ProgressDeadlineExceeded"
                                                     : "NewReplicaSetAvailable",
                               truth(d));
}

static ks_rc body_replica_set(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    ks_rc rc = replicas(d, out);

    if (!rc && dice_permille(d, 150))
        rc = ks_buf_appendf(out,
                            ",\"conditions\":[{\"type\":\"ReplicaFailure\",\"status\":\"%s\","
                            "\"reason\":\"FailedCreate\",\"message\":\"quota\"}]",
                            truth(d));
    return rc ? rc : ks_buf_append_byte(out, '}');
}

static ks_rc body_stateful_set(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    ks_rc rc = replicas(d, out);

    return rc ? rc : ks_buf_append_byte(out, '}');
}

static ks_rc body_job(struct dice *d, int64_t wall_ms, struct ks_buf *out)
{
    char now[TIME_SIZE];
    ks_rc rc;

    time_text(wall_ms, now);
    rc = ks_buf_appendf(out,
                        "\"g\":1,\"spec\":{\"parallelism\":1,\"completions\":%u},\"status\":{"
                        "\"succeeded\":%u,\"active\":%u,\"failed\":%u",
                        1 + dice_below(d, 3), dice_below(d, 3), dice_below(d, 2), dice_below(d, 2));
    if (!rc && dice_permille(d, 700))
        rc = ks_buf_appendf(out, ",\"startTime\":\"%s\"", now);
    if (!rc && dice_permille(d, 400))
        rc = ks_buf_appendf(
            out, ",\"conditions\":[{\"type\":\"%s\",\"status\":\"%s\",\"message\":\"m\"}]",
            dice_permille(d, 500) ? "Complete" : "Failed", truth(d));
    return rc ? rc : ks_buf_append_byte(out, '}');
}

static ks_rc body_claim(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    static const char *const phases[] = {"Bound", "Bound", "Pending", "Lost"};

    return ks_buf_appendf(out,
                          "\"g\":0,\"spec\":{\"accessModes\":[\"ReadWriteOnce\"]},\"status\":{"
                          "\"phase\":\"%s\"}",
                          pick(d, phases, KS_ARRAY_LEN(phases)));
}

static ks_rc body_custom(struct dice *d, int64_t wall_ms KS_UNUSED, struct ks_buf *out)
{
    static const char *const types[] = {"Ready", "Ready", "Reconciling", "Stalled", "Other"};
    uint32_t generation = 1 + dice_below(d, 4);
    ks_rc rc = ks_buf_appendf(out, "\"g\":%u,\"spec\":{\"n\":%u}", generation, dice_below(d, 9));

    if (rc || dice_permille(d, 150))
        return rc;
    rc = ks_buf_appendf(out, ",\"status\":{\"observedGeneration\":%u",
                        dice_permille(d, 300) ? generation - 1 : generation);
    if (!rc && dice_permille(d, 800))
        rc = ks_buf_appendf(
            out,
            ",\"conditions\":[{\"type\":\"%s\",\"status\":\"%s\",\"reason\":\"R%u\","
            "\"message\":\"message %u\"}]",
            pick(d, types, KS_ARRAY_LEN(types)), truth(d), dice_below(d, 3), dice_below(d, 5));
    return rc ? rc : ks_buf_append_byte(out, '}');
}

const struct species species[SPECIES_COUNT] = {
    [SPECIES_CONFIG_MAP] = {"", "v1", "v1", "ConfigMap", "configmaps", true, false, -1,
                            body_config_map},
    [SPECIES_POD] = {"", "v1", "v1", "Pod", "pods", true, false, SPECIES_REPLICA_SET, body_pod},
    [SPECIES_DEPLOYMENT] = {"apps", "v1", "apps/v1", "Deployment", "deployments", true, false, -1,
                            body_deployment},
    [SPECIES_REPLICA_SET] = {"apps", "v1", "apps/v1", "ReplicaSet", "replicasets", true, false,
                             SPECIES_DEPLOYMENT, body_replica_set},
    [SPECIES_STATEFUL_SET] = {"apps", "v1", "apps/v1", "StatefulSet", "statefulsets", true, false,
                              -1, body_stateful_set},
    [SPECIES_JOB] = {"batch", "v1", "batch/v1", "Job", "jobs", true, false, -1, body_job},
    [SPECIES_CLAIM] = {"", "v1", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true,
                       false, -1, body_claim},
    [SPECIES_WIDGET] = {"example.com", "v1", "example.com/v1", "Widget", "widgets", true, true, -1,
                        body_custom},
    [SPECIES_GADGET] = {"example.com", "v1", "example.com/v1", "Gadget", "gadgets", false, true, -1,
                        body_custom},
};

ks_rc species_crd(const struct species *s, struct ks_buf *out)
{
    return ks_buf_appendf(
        out,
        "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
        "\"metadata\":{\"name\":\"%s.%s\"},\"spec\":{\"group\":\"%s\",\"scope\":\"%s\",\"names\":{"
        "\"plural\":\"%s\",\"singular\":\"%.*s\",\"kind\":\"%s\"},\"versions\":[{\"name\":\"%s\","
        "\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},\"schema\":{"
        "\"openAPIV3Schema\":{\"type\":\"object\","
        "\"x-kubernetes-preserve-unknown-fields\":true}}}]}}",
        s->plural, s->group, s->group, s->is_namespaced ? "Namespaced" : "Cluster", s->plural,
        (int)strlen(s->plural) - 1, s->plural, s->kind, s->version);
}

int species_find(struct ks_str group, struct ks_str kind)
{
    for (int i = 0; i < SPECIES_COUNT; i++) {
        if (ks_str_is(group, species[i].group) && ks_str_is(kind, species[i].kind))
            return i;
    }
    return -1;
}
