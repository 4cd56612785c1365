/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens around a write for the kinds that need it.
 *
 * The model: registry.c calls in before and after each write; everything here is keyed by resource.
 *
 *   CRD:       put, no conditions --> conditions set --> put, Established --> served
 *              delete --> instances deleted --> none left: gone, unserved; some held by finalizers:
 * marked Namespace: delete --> content deleted --> none left: gone; some held: Terminating the last
 * held instance or object goes --> the marked CRD or Namespace goes
 *
 * 1. Deleting content happens before the container is marked or removed, so that its DELETED events
 * come first.
 * 2. Defaults are the few that status rules look at; real defaulting is not imitated.
 *
 * Thread: one.
 */
#include "lifecycle.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "crd.h"
#include "object.h"
#include "read.h"
#include "sim.h"

#define LABELS_TEXT_MAX_BYTES ((size_t)400)
#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

static const struct {
    const char *plural;
    const char *part;
    const char *member;
    const char *json;
} defaults[] = {
    {"namespaces", "spec", "finalizers", "[\"kubernetes\"]"},
    {"namespaces", "status", "phase", "\"Active\""},
    {"pods", "spec", "restartPolicy", "\"Always\""},
    {"pods", "status", "phase", "\"Pending\""},
    {"pods", "status", "qosClass", "\"BestEffort\""},
    {"deployments", "spec", "replicas", "1"},
    {"deployments", "spec", "revisionHistoryLimit", "10"},
    {"deployments", "spec", "progressDeadlineSeconds", "600"},
    {"replicasets", "spec", "replicas", "1"},
    {"replicasets", "status", "replicas", "0"},
    {"statefulsets", "spec", "replicas", "1"},
    {"statefulsets", "spec", "updateStrategy",
     "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}"},
    {"statefulsets", "status", "replicas", "0"},
    {"daemonsets", "spec", "updateStrategy",
     "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":1,\"maxSurge\":0}}"},
    {"daemonsets", "status", "currentNumberScheduled", "0"},
    {"daemonsets", "status", "numberMisscheduled", "0"},
    {"daemonsets", "status", "desiredNumberScheduled", "0"},
    {"daemonsets", "status", "numberReady", "0"},
    {"jobs", "spec", "completions", "1"},
    {"jobs", "spec", "parallelism", "1"},
    {"jobs", "spec", "backoffLimit", "6"},
    {"services", "spec", "type", "\"ClusterIP\""},
    {"services", "status", "loadBalancer", "{}"},
    {"persistentvolumeclaims", "status", "phase", "\"Pending\""},
};

static bool is_namespace(const struct sim_resource *res)
{
    return !res->group[0] && strcmp(res->plural, "namespaces") == 0;
}

static bool default_set(json_t *obj, const char *part, const char *member, const char *text)
{
    json_t *object = json_object_get(obj, part);
    json_t *value;

    if (!json_is_object(object)) {
        if (json_object_set_new(obj, part, json_object()) != 0)
            return false;
        object = json_object_get(obj, part);
    }
    if (json_object_get(object, member))
        return true;
    value = json_loads(text, JSON_DECODE_ANY, NULL);
    return value && json_object_set_new(object, member, value) == 0;
}

bool sim_lifecycle_defaults(const struct sim_resource *res, json_t *obj)
{
    if (sim_resource_has(res, SIM_CUSTOM))
        return true;
    for (size_t i = 0; i < KS_ARRAY_LEN(defaults); i++) {
        if (strcmp(defaults[i].plural, res->plural) == 0 &&
            !default_set(obj, defaults[i].part, defaults[i].member, defaults[i].json))
            return false;
    }
    if (sim_resource_has(res, SIM_STATUS) && !json_object_get(obj, "status"))
        return json_object_set_new(obj, "status", json_object()) == 0;
    return true;
}

/* The selector of a workload must choose the Pods that its template makes. */
static bool selector_check(const struct sim_resource *res, const json_t *obj,
                           struct sim_problem *problem)
{
    const json_t *spec = json_object_get(obj, "spec");
    json_t *wanted = json_object_get(json_object_get(spec, "selector"), "matchLabels");
    json_t *labels =
        json_object_get(sim_object_metadata(json_object_get(spec, "template")), "labels");
    const char *key;
    json_t *value;
    struct ks_buf text;

    json_object_foreach(wanted, key, value)
    {
        if (json_equal(json_object_get(labels, key), value))
            continue;
        ks_buf_init(&text, LABELS_TEXT_MAX_BYTES);
        if (!labels || sim_json_print(labels, SIM_AS_IS, &text))
            ks_buf_clear(&text);
        sim_problem_invalid(problem, res->group, res->kind, sim_object_name(obj));
        sim_problem_cause(problem, "FieldValueInvalid", "spec.template.metadata.labels",
                          "Invalid value: %.*s: `selector` does not match template `labels`",
                          KS_STR_ARGS(ks_buf_str(&text)));
        sim_problem_invalid_finish(problem);
        ks_buf_fini(&text);
        return false;
    }
    return true;
}

static bool replicas_check(const struct sim_resource *res, const json_t *obj,
                           struct sim_problem *problem)
{
    json_int_t replicas =
        json_integer_value(json_object_get(json_object_get(obj, "spec"), "replicas"));

    if (replicas >= 0)
        return true;
    sim_problem_invalid(problem, res->group, res->kind, sim_object_name(obj));
    sim_problem_cause(problem, "FieldValueInvalid", "spec.replicas",
                      "Invalid value: %lld: must be greater than or equal to 0",
                      (long long)replicas);
    sim_problem_invalid_finish(problem);
    return false;
}

bool sim_lifecycle_check(const struct sim_resource *res, const json_t *obj,
                         struct sim_problem *problem)
{
    if (sim_crd_is(res))
        return sim_crd_check(obj, problem);
    if (strcmp(res->group, "apps") != 0)
        return true;
    return replicas_check(res, obj, problem) && selector_check(res, obj, problem);
}

static const struct sim_resource *namespaces_resource(const struct sim *sim)
{
    return sim_catalog_find(sim->catalog, KS_LIT(""), KS_LIT("v1"), KS_LIT("namespaces"));
}

static bool is_marked(const struct sim_rev *rev)
{
    /* Our own encoding: the member is there or it is not. */
    return memmem(rev->metadata.ptr, rev->metadata.len, "\"deletionTimestamp\":\"", 21) != NULL;
}

bool sim_lifecycle_namespace_is_open(const struct sim_target *t, struct sim_problem *problem)
{
    const struct sim_resource *res = namespaces_resource(t->sim);
    const struct sim_rev *ns;
    char name[SIM_NAME_MAX + 1];
    char why[512];

    if (!sim_resource_has(t->res, SIM_NAMESPACED))
        return true;
    snprintf(name, sizeof(name), "%.*s", KS_STR_ARGS(t->ns));
    ns = sim_table_find(res->table, t->ns);
    if (!ns) {
        sim_problem_not_found(problem, res, name);
        return false;
    }
    if (!is_marked(ns))
        return true;
    snprintf(why, sizeof(why),
             "unable to create new content in namespace %s because it is being terminated", name);
    sim_problem_forbidden(problem, t->res, t->name.len ? t->name.ptr : NULL, why);
    return false;
}

static json_t *state_before(const struct sim_resource *res, const struct sim_rev *rev)
{
    uint64_t end = sim_table_events_end(res->table);
    const struct sim_event *e;

    if (end == sim_table_events_first(res->table))
        return NULL;
    e = sim_table_event(res->table, end - 1);
    return e->now == rev && e->before ? sim_object_parse(res, e->before) : NULL;
}

static void crd_on_put(struct sim *sim, const struct sim_resource *res, const struct sim_rev *rev)
{
    json_t *crd = sim_object_parse(res, rev);
    struct sim_target t = {.sim = sim, .res = res, .name = rev->name};
    struct sim_problem problem;
    json_t *before;
    struct sim_rev *accepted;

    if (!crd)
        return;
    if (sim_crd_is_established(crd)) {
        before = state_before(res, rev);
        sim_crd_serve(sim, crd, before);
        json_decref(before);
    } else if (!json_object_get(json_object_get(crd, "status"), "conditions") && !is_marked(rev) &&
               sim_crd_accept(sim, crd)) {
        accepted = sim_record(&t, crd, &problem);
        sim_rev_unref(accepted);
    }
    json_decref(crd);
}

void sim_lifecycle_on_put(struct sim *sim, const struct sim_resource *res, struct sim_rev *rev)
{
    if (sim_crd_is(res))
        crd_on_put(sim, res, rev);
}

/* Deletes all objects with lo <= key < hi; true when some are held. */
static bool content_delete(struct sim *sim, const struct sim_resource *res, struct ks_str lo,
                           struct ks_str hi)
{
    struct sim_snapshot all;
    struct sim_delete_options none = {.uid = NULL};
    struct sim_problem problem;
    bool is_held = false;

    if (sim_table_snapshot(res->table, sim_store_rv(sim->store), lo, hi, &all))
        return true;
    for (size_t i = 0; i < all.len; i++) {
        struct sim_target t = {
            .sim = sim, .res = res, .ns = all.revs[i]->ns, .name = all.revs[i]->name};
        bool is_gone = false;

        sim_rev_unref(sim_delete(&t, &none, &is_gone, &problem));
        is_held |= !is_gone;
    }
    sim_snapshot_fini(&all);
    return is_held;
}

/* Calls fn for each resource that keeps objects in namespaces; stops at, and returns, the first
 * true. */
static bool namespaced_any(struct sim *sim, struct ks_str ns,
                           bool (*fn)(struct sim *sim, const struct sim_resource *res,
                                      struct ks_str lo, struct ks_str hi),
                           bool stops)
{
    char lo[SIM_NAME_MAX + 2];
    char hi[SIM_NAME_MAX + 2];
    bool any = false;

    snprintf(lo, sizeof(lo), "%.*s/", KS_STR_ARGS(ns));
    snprintf(hi, sizeof(hi), "%.*s0", KS_STR_ARGS(ns));
    for (size_t i = 0; !(any && stops); i++) {
        const struct sim_resource *res = sim_catalog_nth(sim->catalog, i);

        if (!res)
            break;
        if (sim_resource_has(res, SIM_NAMESPACED) && res->table)
            any |= fn(sim, res, ks_str_from(lo), ks_str_from(hi));
    }
    return any;
}

static bool content_exists(struct sim *sim KS_UNUSED, const struct sim_resource *res,
                           struct ks_str lo, struct ks_str hi)
{
    return sim_table_lower_bound(res->table, lo) < sim_table_lower_bound(res->table, hi);
}

bool sim_lifecycle_holds(struct sim *sim, const struct sim_resource *res, struct sim_rev *rev)
{
    const struct sim_resource *custom;
    json_t *crd;

    if (is_namespace(res))
        return namespaced_any(sim, rev->name, content_delete, /* stops= */ false);
    if (!sim_crd_is(res))
        return false;
    crd = sim_object_parse(res, rev);
    custom = sim_crd_resource(sim, crd);
    json_decref(crd);
    return custom && custom->table && content_delete(sim, custom, KS_LIT(""), KS_LIT(""));
}

void sim_lifecycle_release(const struct sim_resource *res, json_t *obj)
{
    json_t *finalizers = json_object_get(sim_object_metadata(obj), "finalizers");

    if (!sim_crd_is(res))
        return;
    for (size_t i = json_array_size(finalizers); i-- > 0;) {
        const char *text = json_string_value(json_array_get(finalizers, i));

        if (text && strcmp(text, CRD_FINALIZER) == 0)
            (void)json_array_remove(finalizers, i); /* it was there a moment ago */
    }
}

void sim_lifecycle_on_deletion(const struct sim_resource *res, json_t *obj)
{
    json_t *meta = sim_object_metadata(obj);

    if (is_namespace(res)) {
        /* Without memory for it the phase stays Active: the mark is what counts. */
        (void)json_object_set_new(json_object_get(obj, "status"), "phase",
                                  json_string("Terminating"));
        return;
    }
    if (!sim_crd_is(res))
        return;
    if (!json_is_array(json_object_get(meta, "finalizers")))
        (void)json_object_set_new(meta, "finalizers", json_array()); /* as above */
    (void)json_array_append_new(json_object_get(meta, "finalizers"), json_string(CRD_FINALIZER));
}

/* A marked container whose last content has gone goes too. */
static void container_release(struct sim *sim, const struct sim_resource *res,
                              const struct sim_rev *last)
{
    struct sim_target t = {.sim = sim};
    const struct sim_rev *container;
    char name[512];

    if (sim_resource_has(res, SIM_CUSTOM) && sim_table_count(res->table) == 0) {
        t.res = sim_catalog_find(sim->catalog, KS_LIT("apiextensions.k8s.io"), KS_LIT("v1"),
                                 KS_LIT("customresourcedefinitions"));
        sim_crd_name(res, name, sizeof(name));
        t.name = ks_str_from(name);
        container = sim_table_find(t.res->table, t.name);
        if (container && is_marked(container))
            sim_erase(&t, NULL);
    }
    if (!sim_resource_has(res, SIM_NAMESPACED))
        return;
    t.res = namespaces_resource(sim);
    t.name = last->ns;
    container = sim_table_find(t.res->table, t.name);
    if (container && is_marked(container) &&
        !namespaced_any(sim, last->ns, content_exists, /* stops= */ true))
        sim_erase(&t, NULL);
}

/* For a CRD that goes whatever holds its instances: by a scenario. */
static void instances_erase(struct sim *sim, const struct sim_resource *res)
{
    struct sim_snapshot all;

    if (!res || !sim_resource_has(res, SIM_CUSTOM) ||
        sim_table_snapshot(res->table, sim_store_rv(sim->store), KS_LIT(""), KS_LIT(""), &all))
        return;
    for (size_t i = 0; i < all.len; i++) {
        struct sim_target t = {
            .sim = sim, .res = res, .ns = all.revs[i]->ns, .name = all.revs[i]->name};

        sim_erase(&t, NULL);
    }
    sim_snapshot_fini(&all);
}

void sim_lifecycle_on_removed(struct sim *sim, const struct sim_resource *res, struct sim_rev *last)
{
    json_t *crd;

    if (sim_crd_is(res)) {
        crd = sim_object_parse(res, last);
        instances_erase(sim, sim_crd_resource(sim, crd));
        sim_crd_unserve(sim, crd);
        json_decref(crd);
        return;
    }
    container_release(sim, res, last);
}
