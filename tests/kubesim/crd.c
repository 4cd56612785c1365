/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a CRD's spec to rows of the catalog.
 *
 * 1. A CRD serves from the moment it has the condition Established=True; kubesim sets that itself
 * on a CRD that comes without any condition, at once, where a real cluster takes a moment.
 * 2. A changed spec tears the storage down and up: the watches end, the objects stay.
 * 3. Schemas are not looked at: nothing is pruned, defaulted or refused by them.
 *
 * Thread: one. When it is called is lifecycle.c's business.
 */
#include "crd.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "catalog.h"
#include "object.h"
#include "sim.h"
#include "status_body.h"
#include "store.h"
#include "watch.h"

#define LIST_TEXT_MAX 512

bool sim_crd_is(const struct sim_resource *res)
{
    return strcmp(res->plural, "customresourcedefinitions") == 0 &&
           strcmp(res->group, "apiextensions.k8s.io") == 0;
}

static const json_t *crd_spec(const json_t *crd)
{
    return json_object_get(crd, "spec");
}

static const json_t *crd_names(const json_t *crd)
{
    return json_object_get(crd_spec(crd), "names");
}

bool sim_crd_check(const json_t *crd, struct sim_problem *problem)
{
    const char *group = sim_json_text(crd_spec(crd), "group");
    const char *plural = sim_json_text(crd_names(crd), "plural");
    char expected[512];

    snprintf(expected, sizeof(expected), "%s.%s", plural, group);
    sim_problem_invalid(problem, "apiextensions.k8s.io", "CustomResourceDefinition",
                        sim_object_name(crd));
    if (!group[0])
        sim_problem_cause(problem, "FieldValueRequired", "spec.group", "Required value");
    if (!plural[0])
        sim_problem_cause(problem, "FieldValueRequired", "spec.names.plural", "Required value");
    if (!sim_json_text(crd_names(crd), "kind")[0])
        sim_problem_cause(problem, "FieldValueRequired", "spec.names.kind", "Required value");
    if (json_array_size(json_object_get(crd_spec(crd), "versions")) == 0)
        sim_problem_cause(problem, "FieldValueRequired", "spec.versions", "Required value");
    if (problem->causes_len == 0 && strcmp(expected, sim_object_name(crd)) != 0)
        sim_problem_cause(problem, "FieldValueInvalid", "metadata.name",
                          "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group",
                          sim_object_name(crd));
    if (problem->causes_len == 0)
        return true;
    sim_problem_invalid_finish(problem);
    return false;
}

bool sim_crd_is_established(const json_t *crd)
{
    const json_t *conditions = json_object_get(json_object_get(crd, "status"), "conditions");

    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *c = json_array_get(conditions, i);

        if (strcmp(sim_json_text(c, "type"), "Established") == 0)
            return strcmp(sim_json_text(c, "status"), "True") == 0;
    }
    return false;
}

static const char *storage_version(const json_t *crd)
{
    const json_t *versions = json_object_get(crd_spec(crd), "versions");

    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *v = json_array_get(versions, i);

        if (json_is_true(json_object_get(v, "storage")))
            return sim_json_text(v, "name");
    }
    return sim_json_text(json_array_get(versions, 0), "name");
}

bool sim_crd_accept(const struct sim *sim, json_t *crd)
{
    char now[SIM_TIME_SIZE];
    json_t *status;

    sim_time_now(sim, now);
    status = json_pack("{s:[{s:s,s:s,s:s,s:s,s:s},{s:s,s:s,s:s,s:s,s:s}],s:O,s:[s]}", "conditions",
                       "type", "NamesAccepted", "status", "True", "lastTransitionTime", now,
                       "reason", "NoConflicts", "message", "no conflicts found", "type",
                       "Established", "status", "True", "lastTransitionTime", now, "reason",
                       "InitialNamesAccepted", "message", "the initial names have been accepted",
                       "acceptedNames", crd_names(crd), "storedVersions", storage_version(crd));
    return status && json_object_set_new(crd, "status", status) == 0;
}

/* A JSON list of strings as comma separated text. */
static void list_text(const json_t *list, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int n = snprintf(out + at, size - at, "%s%s", at ? "," : "", text ? text : "");

        if (n < 0 || (size_t)n >= size - at) {
            out[at] = '\0';
            return;
        }
        at += (size_t)n;
    }
}

static void version_serve(struct sim *sim, const json_t *crd, const json_t *version)
{
    const json_t *names = crd_names(crd);
    const json_t *subresources = json_object_get(version, "subresources");
    bool has_status = json_object_get(subresources, "status") != NULL;
    bool has_scale = json_object_get(subresources, "scale") != NULL;
    char singular[256];
    char short_names[LIST_TEXT_MAX];
    char categories[LIST_TEXT_MAX];
    struct sim_kind row = {
        .group = sim_json_text(crd_spec(crd), "group"),
        .version = sim_json_text(version, "name"),
        .plural = sim_json_text(names, "plural"),
        .kind = sim_json_text(names, "kind"),
        .singular = singular,
        .short_names = short_names,
        .categories = categories,
        .flags = SIM_CUSTOM,
        .verbs = SIM_VERBS_ALL,
        .bookmark = "",
    };
    struct ks_error err;

    snprintf(singular, sizeof(singular), "%s", sim_json_text(names, "singular"));
    for (size_t i = 0; !sim_json_text(names, "singular")[0] && i < sizeof(singular) - 1 &&
                       (i == 0 || row.kind[i - 1]);
         i++)
        singular[i] =
            (char)(row.kind[i] >= 'A' && row.kind[i] <= 'Z' ? row.kind[i] + 32 : row.kind[i]);
    list_text(json_object_get(names, "shortNames"), short_names, sizeof(short_names));
    list_text(json_object_get(names, "categories"), categories, sizeof(categories));
    if (strcmp(sim_json_text(crd_spec(crd), "scope"), "Cluster") != 0)
        row.flags |= SIM_NAMESPACED;
    if (has_status)
        row.flags |= SIM_STATUS;
    row.subresources = has_status && has_scale ? "scale,status"
                       : has_status            ? "status"
                       : has_scale             ? "scale"
                                               : "";
    if (sim_catalog_add(sim->catalog, &row, &err))
        ks_log(&sim->log, KS_LOG_WARN, "resource not served", KS_F_STR("why", err.msg));
}

struct sim_resource *sim_crd_resource(const struct sim *sim, const json_t *crd)
{
    return sim_catalog_find_any(sim->catalog, ks_str_from(sim_json_text(crd_spec(crd), "group")),
                                ks_str_from(sim_json_text(crd_names(crd), "plural")));
}

void sim_crd_serve(struct sim *sim, const json_t *crd, const json_t *before)
{
    const struct sim_resource *served = sim_crd_resource(sim, crd);
    const json_t *versions = json_object_get(crd_spec(crd), "versions");

    if (served && before && json_equal(crd_spec(crd), crd_spec(before)))
        return;
    if (served) {
        sim_watch_end_all(sim, served->table);
        sim_catalog_remove(sim->catalog, ks_str_from(served->group), ks_str_from(served->plural));
    }
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *v = json_array_get(versions, i);

        if (json_is_true(json_object_get(v, "served")))
            version_serve(sim, crd, v);
    }
}

void sim_crd_unserve(struct sim *sim, const json_t *crd)
{
    const struct sim_resource *served = sim_crd_resource(sim, crd);

    if (!served || !sim_resource_has(served, SIM_CUSTOM))
        return;
    sim_watch_end_all(sim, served->table);
    sim_catalog_remove(sim->catalog, ks_str_from(served->group), ks_str_from(served->plural));
    /* Watches must still find the last events: only resumes from before are refused. */
    sim_table_seal(served->table);
}

void sim_crd_name(const struct sim_resource *res, char *out, size_t size)
{
    snprintf(out, size, "%s.%s", res->plural, res->group);
}
