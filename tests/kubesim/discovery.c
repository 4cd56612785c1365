/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog as clients read it.
 *
 * The model: documents are made from the catalog. The two aggregated ones, which every client
 * fetches, are kept with their ETag (SHA-512 of the text, in capitals, in quotes) until the
 * catalog's generation changes. A client that sends the ETag back gets 304 and nothing else.
 *
 * 1. An aggregated document is given only to a client whose Accept header has it before plain JSON,
 * with the parameters g, v and as; the answer's Content-Type repeats them.
 * 2. Where memory is short a document comes out smaller, or as 500: members are set without looking
 * at each result.
 *
 * Thread: one.
 */
#include "discovery.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "catalog.h"
#include "conn.h"
#include "object.h"
#include "reply.h"
#include "sim.h"

#define DOCUMENT_MAX_BYTES ((size_t)32 * 1024 * 1024)
#define AGGREGATED_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
#define VERSION_MAJOR "1"
#define VERSION_MINOR "36"

struct document {
    char *text;
    size_t len;
    char etag[2 * EVP_MAX_MD_SIZE + 3];
    uint64_t generation;
};

struct sim_discovery {
    struct document api;
    struct document apis;
};

ks_rc sim_discovery_new(struct sim_discovery **out, struct ks_error *err)
{
    struct sim_discovery *d = ks_alloc0(sizeof(*d));

    if (!d)
        return ks_fail(err, KS_RC_NOMEM, "discovery");
    *out = d;
    return KS_RC_OK;
}

struct sim_discovery *sim_discovery_free(struct sim_discovery *d)
{
    if (!d)
        return NULL;
    ks_free(d->api.text);
    ks_free(d->apis.text);
    ks_free(d);
    return NULL;
}

static json_t *texts_array(const char *comma_separated)
{
    json_t *list = json_array();
    struct ks_str rest = ks_str_from(comma_separated);
    struct ks_str part;

    while (rest.len > 0 && ks_str_split(&rest, ',', &part))
        (void)json_array_append_new(list, json_stringn(part.ptr, part.len)); /* NULL shows below */
    return list;
}

static json_t *verbs_array(const struct sim_resource *res, unsigned verbs)
{
    static const char custom[] = "delete,deletecollection,get,list,patch,create,update,watch";
    json_t *list;

    if (res && sim_resource_has(res, SIM_CUSTOM))
        return texts_array(custom);
    list = json_array();
    for (size_t i = 0; i < SIM_VERB_COUNT; i++) {
        if (verbs & (1u << i))
            (void)json_array_append_new(list, json_string(sim_verb_texts[i])); /* as above */
    }
    return list;
}

/* What a subresource answers with: its own kind, or its resource's. */
static struct sim_subresource subresource_of(const struct sim_resource *res, struct ks_str name)
{
    const struct sim_subresource *found = sim_subresource_find(ks_str_from(res->plural), name);
    struct sim_subresource sub = {.kind = res->kind, .group = "", .version = ""};
    bool is_custom = sim_resource_has(res, SIM_CUSTOM);

    if (found)
        sub = *found;
    if (!sub.kind || !found) {
        sub.kind = res->kind;
        sub.group = is_custom ? res->group : "";
        sub.version = is_custom ? res->version : "";
    }
    return sub;
}

static json_t *aggregated_subresources(const struct sim_resource *res)
{
    json_t *list = json_array();
    struct ks_str rest = ks_str_from(res->subresources);
    struct ks_str name;

    while (rest.len > 0 && ks_str_split(&rest, ',', &name)) {
        struct sim_subresource sub = subresource_of(res, name);

        (void)json_array_append_new(
            list, json_pack("{s:s%,s:{s:s,s:s,s:s},s:o}", "subresource", name.ptr, name.len,
                            "responseKind", "group", sub.group, "version", sub.version, "kind",
                            sub.kind, "verbs", verbs_array(NULL, sub.verbs)));
    }
    return list;
}

/* Adds a list unless it is empty. */
static void list_add(json_t *obj, const char *key, json_t *list)
{
    if (json_array_size(list) > 0)
        (void)json_object_set_new(obj, key, list); /* a smaller document is all that can happen */
    else
        json_decref(list);
}

static json_t *aggregated_resource(const struct sim_resource *res)
{
    bool is_custom = sim_resource_has(res, SIM_CUSTOM);
    json_t *obj = json_pack(
        "{s:s,s:{s:s,s:s,s:s},s:s,s:s,s:o}", "resource", res->plural, "responseKind", "group",
        is_custom ? res->group : "", "version", is_custom ? res->version : "", "kind", res->kind,
        "scope", sim_resource_has(res, SIM_NAMESPACED) ? "Namespaced" : "Cluster",
        "singularResource", res->singular, "verbs", verbs_array(res, res->verbs));

    list_add(obj, "shortNames", texts_array(res->short_names));
    list_add(obj, "categories", texts_array(res->categories));
    list_add(obj, "subresources", aggregated_subresources(res));
    return obj;
}

static json_t *aggregated_version(const struct sim_version *v)
{
    json_t *resources = json_array();

    KS_LIST_FOREACH(link, &v->resources)
    (void)json_array_append_new(
        resources, aggregated_resource(KS_CONTAINER_OF(link, struct sim_resource, link)));
    return json_pack("{s:s,s:o,s:s}", "version", v->name, "resources", resources, "freshness",
                     "Current");
}

static json_t *aggregated_group(const struct sim_group *g)
{
    json_t *versions = json_array();

    KS_LIST_FOREACH(link, &g->versions)
    (void)json_array_append_new(
        versions, aggregated_version(KS_CONTAINER_OF(link, struct sim_version, link)));
    if (!g->name[0])
        return json_pack("{s:{},s:o}", "metadata", "versions", versions);
    return json_pack("{s:{s:s},s:o}", "metadata", "name", g->name, "versions", versions);
}

static json_t *aggregated_list(const struct sim_catalog *c, bool is_core)
{
    json_t *items = json_array();

    KS_LIST_FOREACH(link, sim_catalog_groups(c))
    {
        const struct sim_group *g = KS_CONTAINER_OF(link, struct sim_group, link);

        if ((g->name[0] == '\0') == is_core)
            (void)json_array_append_new(items, aggregated_group(g));
    }
    return json_pack("{s:s,s:s,s:{},s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                     "apidiscovery.k8s.io/v2", "metadata", "items", items);
}

static void etag_make(struct document *d)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    size_t at = 0;

    if (EVP_Digest(d->text, d->len, digest, &n, EVP_sha512(), NULL) != 1)
        n = 0;
    d->etag[at++] = '"';
    for (unsigned int i = 0; i < n; i++) {
        snprintf(d->etag + at, 3, "%02X", digest[i]);
        at += 2;
    }
    d->etag[at++] = '"';
    d->etag[at] = '\0';
}

/* Brings a kept document up to date; false when memory is short. */
static bool document_refresh(const struct sim *sim, struct document *d, bool is_core)
{
    uint64_t generation = sim_catalog_generation(sim->catalog);
    json_t *value;
    struct ks_buf text;
    bool ok;

    if (d->text && d->generation == generation)
        return true;
    value = aggregated_list(sim->catalog, is_core);
    ks_buf_init(&text, DOCUMENT_MAX_BYTES);
    ok = value && !sim_json_print(value, SIM_AS_IS, &text) && !ks_buf_append_byte(&text, '\n');
    json_decref(value);
    if (!ok) {
        ks_buf_fini(&text);
        return false;
    }
    ks_free(d->text);
    d->len = text.len;
    d->text = ks_buf_take(&text);
    d->generation = generation;
    etag_make(d);
    return true;
}

static void aggregated_answer(struct sim_request *r, struct document *d, bool is_core)
{
    struct sim_reply reply = {.status = 200, .content_length = -1};

    if (!document_refresh(r->sim, d, is_core)) {
        sim_reply_body(r, 500, NULL, -1);
        return;
    }
    reply.headers[0] = (struct sim_reply_header){"cache-control", "public"};
    reply.headers[1] = (struct sim_reply_header){"etag", d->etag};
    reply.headers[2] = (struct sim_reply_header){"vary", "Accept"};
    if (ks_str_is(sim_request_header(r, "if-none-match"), d->etag)) {
        reply.status = 304;
        sim_stream_reply(r->stream, &reply);
        return;
    }
    reply.content_type = AGGREGATED_TYPE;
    reply.content_length = (int64_t)d->len;
    reply.body = sim_body_bytes_new(ks_memdup0(d->text, d->len), d->len);
    sim_stream_reply(r->stream, &reply);
}

static bool has_param(struct ks_str entry, const char *param)
{
    struct ks_str part;

    while (ks_str_split(&entry, ';', &part)) {
        if (ks_str_is(ks_str_trim(part), param))
            return true;
    }
    return false;
}

/* Whether the client would rather have the aggregated document than anything else we have. */
static bool wants_aggregated(const struct sim_request *r)
{
    struct ks_str rest = sim_request_header(r, "accept");
    struct ks_str entry;

    if (!r->sim->has_aggregated_discovery)
        return false;
    while (rest.len > 0 && ks_str_split(&rest, ',', &entry)) {
        if (!ks_str_starts(ks_str_trim(entry), KS_LIT("application/json")))
            continue;
        if (ks_str_chr(entry, ';') < 0)
            return false;
        if (has_param(entry, "as=APIGroupDiscoveryList") && has_param(entry, "v=v2") &&
            has_param(entry, "g=apidiscovery.k8s.io"))
            return true;
    }
    return false;
}

static json_t *legacy_versions(const struct sim_group *g)
{
    json_t *list = json_array();

    KS_LIST_FOREACH(link, &g->versions)
    {
        const struct sim_version *v = KS_CONTAINER_OF(link, struct sim_version, link);

        (void)json_array_append_new(list, json_pack("{s:o,s:s}", "groupVersion",
                                                    json_sprintf("%s/%s", g->name, v->name),
                                                    "version", v->name));
    }
    return list;
}

/* kind and apiVersion only when the group stands alone. */
static json_t *legacy_group(const struct sim_group *g, bool is_alone)
{
    json_t *obj =
        is_alone ? json_pack("{s:s,s:s}", "kind", "APIGroup", "apiVersion", "v1") : json_object();
    json_t *versions = legacy_versions(g);

    (void)json_object_set_new(obj, "name", json_string(g->name));
    (void)json_object_set(obj, "versions",
                          versions); /* a smaller document is all that can happen */
    (void)json_object_set_new(obj, "preferredVersion", json_deep_copy(json_array_get(versions, 0)));
    json_decref(versions);
    return obj;
}

static void legacy_groups_answer(struct sim_request *r)
{
    json_t *groups = json_array();

    KS_LIST_FOREACH(link, sim_catalog_groups(r->sim->catalog))
    {
        const struct sim_group *g = KS_CONTAINER_OF(link, struct sim_group, link);

        if (g->name[0])
            (void)json_array_append_new(groups, legacy_group(g, /* is_alone= */ false));
    }
    sim_reply_json(
        r, 200,
        json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups));
}

static void legacy_core_answer(struct sim_request *r)
{
    sim_reply_json(r, 200,
                   json_pack("{s:s,s:[s],s:[{s:s,s:s}]}", "kind", "APIVersions", "versions", "v1",
                             "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0",
                             "serverAddress", sim_server_address(r->sim->server)));
}

/* The version in which a real server stores it, where that is not the one that is asked for. */
static const char *stored_version(const struct sim_resource *res)
{
    if (strcmp(res->plural, "horizontalpodautoscalers") == 0)
        return "v2";
    return strcmp(res->plural, "customresourcedefinitions") == 0 ? "v1beta1" : res->version;
}

/* base64 of the first 8 bytes of SHA-256 of "group/version/kind" of what is stored. */
static json_t *storage_hash(const struct sim_resource *res)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    char text[768];
    struct ks_buf coded;
    json_t *value = NULL;

    snprintf(text, sizeof(text), "%s/%s/%s", res->group, stored_version(res), res->kind);
    ks_buf_init(&coded, 64);
    if (EVP_Digest(text, strlen(text), digest, &n, EVP_sha256(), NULL) == 1 &&
        !ks_base64_encode(ks_str_make((const char *)digest, 8), &coded))
        value = json_stringn(coded.data, coded.len);
    ks_buf_fini(&coded);
    return value;
}

static void legacy_resource_add(json_t *list, const struct sim_resource *res)
{
    json_t *obj = json_pack("{s:s,s:s,s:b,s:s,s:o}", "name", res->plural, "singularName",
                            res->singular, "namespaced", (int)sim_resource_has(res, SIM_NAMESPACED),
                            "kind", res->kind, "verbs", verbs_array(res, res->verbs));

    list_add(obj, "shortNames", texts_array(res->short_names));
    list_add(obj, "categories", texts_array(res->categories));
    if (res->table && (res->verbs & SIM_VERB_BIT(WATCH)))
        (void)json_object_set_new(obj, "storageVersionHash", storage_hash(res));
    (void)json_array_append_new(list, obj);
}

static void legacy_subresources_add(json_t *list, const struct sim_resource *res)
{
    struct ks_str rest = ks_str_from(res->subresources);
    struct ks_str name;

    while (rest.len > 0 && ks_str_split(&rest, ',', &name)) {
        struct sim_subresource sub = subresource_of(res, name);
        json_t *obj = json_pack(
            "{s:o,s:s,s:b}", "name", json_sprintf("%s/%.*s", res->plural, KS_STR_ARGS(name)),
            "singularName", "", "namespaced", (int)sim_resource_has(res, SIM_NAMESPACED));

        if (sub.version[0] && !sim_resource_has(res, SIM_CUSTOM)) {
            (void)json_object_set_new(obj, "group", json_string(sub.group));
            (void)json_object_set_new(obj, "version", json_string(sub.version));
        }
        (void)json_object_set_new(obj, "kind", json_string(sub.kind));
        (void)json_object_set_new(obj, "verbs", verbs_array(NULL, sub.verbs));
        (void)json_array_append_new(list, obj);
    }
}

static void legacy_resources_answer(struct sim_request *r, const struct sim_version *v,
                                    struct ks_str group)
{
    json_t *list = json_array();
    json_t *obj;
    char group_version[640];

    KS_LIST_FOREACH(link, &v->resources)
    {
        const struct sim_resource *res = KS_CONTAINER_OF(link, struct sim_resource, link);

        legacy_resource_add(list, res);
        legacy_subresources_add(list, res);
    }
    snprintf(group_version, sizeof(group_version), "%.*s%s%s", KS_STR_ARGS(group),
             group.len ? "/" : "", v->name);
    obj = json_pack("{s:s}", "kind", "APIResourceList");
    if (group.len)
        (void)json_object_set_new(obj, "apiVersion", json_string("v1"));
    (void)json_object_set_new(obj, "groupVersion", json_string(group_version));
    (void)json_object_set_new(obj, "resources", list);
    sim_reply_json(r, 200, obj);
}

static void group_answer(struct sim_request *r, const struct sim_url *u, size_t version_at)
{
    struct ks_str group = version_at == 2 ? u->segments[1] : KS_LIT("");
    const struct sim_version *v;
    const struct sim_group *g;

    if (u->segments_len == version_at) {
        g = sim_catalog_find_group(r->sim->catalog, group);
        if (g && g->name[0])
            sim_reply_json(r, 200, legacy_group(g, /* is_alone= */ true));
        else
            sim_reply_404_page(r);
        return;
    }
    v = sim_catalog_find_version(r->sim->catalog, group, u->segments[version_at]);
    if (v)
        legacy_resources_answer(r, v, group);
    else
        sim_reply_404_page(r);
}

void sim_discovery_answer(struct sim_request *r, const struct sim_url *u)
{
    bool is_core = ks_str_is(u->segments[0], "api");
    struct sim_discovery *d = r->sim->discovery;

    if (!ks_str_is(r->method, "GET")) {
        struct sim_problem p;

        sim_problem_method(&p);
        sim_reply_problem(r, &p);
    } else if (u->segments_len > 1) {
        group_answer(r, u, is_core ? 1 : 2);
    } else if (wants_aggregated(r)) {
        aggregated_answer(r, is_core ? &d->api : &d->apis, is_core);
    } else if (is_core) {
        legacy_core_answer(r);
    } else {
        legacy_groups_answer(r);
    }
}

void sim_discovery_version(struct sim_request *r)
{
    sim_reply_text(r, 200, "application/json",
                   KS_LIT("{\n  \"major\": \"" VERSION_MAJOR "\",\n  \"minor\": \"" VERSION_MINOR
                          "\",\n  \"gitVersion\": \"v" VERSION_MAJOR "." VERSION_MINOR
                          ".0-kubesim\",\n  \"gitCommit\": \"\",\n  \"gitTreeState\": \"clean\",\n"
                          "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n  \"goVersion\": \"none\",\n"
                          "  \"compiler\": \"none\",\n  \"platform\": \"linux/amd64\"\n}"));
}
