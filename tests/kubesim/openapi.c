/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI documents with paths alone.
 *
 * The model: kubectl validates objects itself unless the server says, in the document of a group
 * version, that the patch of the kind takes the parameter "fieldValidation"; then it leaves
 * validation to the server. So each resource has one path with a patch that takes it (and is never
 * looked at: kubesim checks no fields).
 *
 * Thread: one.
 */
#include "openapi.h"

#include <jansson.h>

#include "catalog.h"
#include "reply.h"
#include "sim.h"

/* "api/v1" or "apis/apps/v1". */
static json_t *version_path(const struct sim_group *g, const struct sim_version *v,
                            const char *before)
{
    return g->name[0] ? json_sprintf("%sapis/%s/%s", before, g->name, v->name)
                      : json_sprintf("%sapi/%s", before, v->name);
}

static void version_list(json_t *paths, const struct sim_group *g)
{
    KS_LIST_FOREACH(link, &g->versions)
    {
        const struct sim_version *v = KS_CONTAINER_OF(link, struct sim_version, link);
        json_t *path = version_path(g, v, "");

        /* A path that is left out for want of memory only makes kubectl validate by itself. */
        (void)json_object_set_new(
            paths, json_string_value(path) ? json_string_value(path) : "",
            json_pack("{s:o}", "serverRelativeURL", version_path(g, v, "/openapi/v3/")));
        json_decref(path);
    }
}

static void index_answer(struct sim_request *r)
{
    json_t *paths = json_object();

    KS_LIST_FOREACH(link, sim_catalog_groups(r->sim->catalog))
    version_list(paths, KS_CONTAINER_OF(link, struct sim_group, link));
    sim_reply_json(r, 200, json_pack("{s:o}", "paths", paths));
}

static json_t *patch_operation(const struct sim_resource *res)
{
    return json_pack("{s:{s:{s:s,s:s,s:s},s:s,s:[{s:s,s:s,s:{s:s}}],s:{}}}", "patch",
                     "x-kubernetes-group-version-kind", "group", res->group, "version",
                     res->version, "kind", res->kind, "x-kubernetes-action", "patch", "parameters",
                     "name", "fieldValidation", "in", "query", "schema", "type", "string",
                     "responses");
}

static void version_answer(struct sim_request *r, const struct sim_version *v)
{
    json_t *paths = json_object();

    KS_LIST_FOREACH(link, &v->resources)
    {
        const struct sim_resource *res = KS_CONTAINER_OF(link, struct sim_resource, link);
        bool is_namespaced = sim_resource_has(res, SIM_NAMESPACED);
        json_t *path =
            json_sprintf("/%s/%s/%s%s/{name}", res->group[0] ? "apis" : "api", res->group_version,
                         is_namespaced ? "namespaces/{namespace}/" : "", res->plural);

        (void)json_object_set_new(paths, json_string_value(path) ? json_string_value(path) : "",
                                  patch_operation(res)); /* as above */
        json_decref(path);
    }
    sim_reply_json(r, 200,
                   json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:{}}}", "openapi", "3.0.0", "info", "title",
                             "kubesim", "version", "unversioned", "paths", paths, "components",
                             "schemas"));
}

bool sim_openapi_answer(struct sim_request *r, const struct sim_url *u)
{
    bool is_core = u->segments_len == 4 && ks_str_is(u->segments[2], "api");
    const struct sim_version *v = NULL;

    if (u->segments_len < 2 || !ks_str_is(u->segments[0], "openapi") ||
        !ks_str_is(u->segments[1], "v3"))
        return false;
    if (u->segments_len == 2) {
        index_answer(r);
        return true;
    }
    if (is_core)
        v = sim_catalog_find_version(r->sim->catalog, KS_LIT(""), u->segments[3]);
    else if (u->segments_len == 5)
        v = sim_catalog_find_version(r->sim->catalog, u->segments[3], u->segments[4]);
    if (v)
        version_answer(r, v);
    else
        sim_reply_404_page(r);
    return true;
}
