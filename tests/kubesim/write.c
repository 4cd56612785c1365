/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that change something.
 *
 * The model: read the body, hand it to registry.c, answer with what comes back. What is a rule of
 * objects is there; what is a matter of HTTP (content types, status codes, what a delete answers)
 * is here.
 *
 * Thread: one. Subresources other than status are subresource.c's business.
 */
#include "write.h"

#include <stdio.h>

#include "object.h"
#include "patch.h"
#include "read.h"
#include "registry.h"
#include "selector.h"
#include "sim.h"

static struct sim_target target_of(const struct sim_call *call)
{
    return (struct sim_target){
        .sim = call->sim,
        .res = call->res,
        .ns = call->ns,
        .name = call->name,
        .mode = ks_str_is(sim_url_param(call->url, "dryRun"), "All") ? SIM_DRY_RUN : SIM_COMMIT,
    };
}

static struct ks_str content_type(const struct sim_call *call)
{
    struct ks_str type = sim_request_header(call->req, "content-type");
    ptrdiff_t semicolon = ks_str_chr(type, ';');

    return ks_str_trim(semicolon < 0 ? type : ks_str_sub(type, 0, (size_t)semicolon));
}

static json_t *json_read(struct sim_call *call)
{
    struct ks_str text = call->req->content;
    json_error_t where;
    struct sim_problem p;
    json_t *value = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_ALLOW_NUL, &where);

    if (json_is_object(value))
        return value;
    json_decref(value);
    sim_problem_set(&p, 400,
                    "the object provided is unrecognized (must be of type %s): couldn't get "
                    "version/kind; json parse error: %s (%.*s)",
                    call->res->kind, where.text, KS_STR_ARGS(ks_str_cut_utf8(text, 200)));
    sim_reply_problem(call->req, &p);
    return NULL;
}

json_t *sim_body_read(struct sim_call *call)
{
    struct ks_str type = content_type(call);
    struct sim_problem p;

    if (type.len == 0 || ks_str_is(type, "application/json"))
        return json_read(call);
    sim_problem_set(&p, 415,
                    "the body of the request was in an unknown format - accepted media types "
                    "include: application/json, application/yaml, "
                    "application/vnd.kubernetes.protobuf");
    sim_reply_problem(call->req, &p);
    return NULL;
}

/* Answers with the state (given up here), or with the problem when there is none. */
static void reply_state(struct sim_call *call, int status, struct sim_rev *rev,
                        const struct sim_problem *p)
{
    if (rev)
        sim_reply_rev(call->req, status, call->res, rev);
    else
        sim_reply_problem(call->req, p);
    sim_rev_unref(rev);
}

void sim_post(struct sim_call *call)
{
    struct sim_target t = target_of(call);
    struct sim_problem p;
    json_t *obj = sim_body_read(call);

    if (!obj)
        return;
    reply_state(call, 201, sim_create(&t, obj, &p), &p);
    json_decref(obj);
}

static enum sim_part part_of(const struct sim_call *call)
{
    return call->sub.len > 0 ? SIM_PART_STATUS : SIM_PART_MAIN;
}

void sim_put(struct sim_call *call)
{
    struct sim_target t = target_of(call);
    struct sim_problem p;
    json_t *obj = sim_body_read(call);

    if (!obj)
        return;
    reply_state(call, 200, sim_update(&t, obj, part_of(call), &p), &p);
    json_decref(obj);
}

static bool patch_kind_of(struct sim_call *call, enum sim_patch_kind *out)
{
    struct ks_str type = content_type(call);
    struct sim_problem p;

    if (ks_str_is(type, "application/merge-patch+json") || ks_str_is(type, "application/json")) {
        *out = SIM_PATCH_MERGE;
        return true;
    }
    if (ks_str_is(type, "application/strategic-merge-patch+json") &&
        !sim_resource_has(call->res, SIM_CUSTOM)) {
        *out = SIM_PATCH_STRATEGIC;
        return true;
    }
    sim_problem_set(&p, 415, "415: Unsupported Media Type");
    p.has_details = true;
    sim_reply_problem(call->req, &p);
    return false;
}

/* The current state with the patch over it; NULL with the problem filled. */
static json_t *patched_tree(struct sim_call *call, json_t *patch, enum sim_patch_kind kind,
                            struct sim_problem *p)
{
    char key[600];
    const struct sim_rev *rev = sim_table_find(
        call->res->table, sim_key_make(call->res, call->ns, call->name, key, sizeof(key)));
    json_t *obj;

    if (!rev) {
        sim_problem_not_found(p, call->res, call->name.ptr);
        return NULL;
    }
    obj = sim_object_parse(call->res, rev);
    if (obj && !sim_patch_apply(obj, patch, kind))
        return obj;
    json_decref(obj);
    sim_problem_set(p, 400, "the patch is nested too deeply");
    return NULL;
}

void sim_patch(struct sim_call *call)
{
    struct sim_target t = target_of(call);
    enum sim_patch_kind kind;
    struct sim_problem p;
    json_t *patch;
    json_t *obj;

    if (!patch_kind_of(call, &kind))
        return;
    patch = json_read(call);
    if (!patch)
        return;
    obj = patched_tree(call, patch, kind, &p);
    reply_state(call, 200, obj ? sim_update(&t, obj, part_of(call), &p) : NULL, &p);
    json_decref(obj);
    json_decref(patch);
}

/* "Success" with what was deleted. */
static void reply_deleted(struct sim_call *call, const struct sim_rev *rev)
{
    json_t *details = json_pack("{s:s%}", "name", rev->name.ptr, rev->name.len);

    if (call->res->group[0])
        (void)json_object_set_new(details, "group", json_string(call->res->group)); /* a courtesy */
    (void)json_object_set_new(details, "kind", json_string(call->res->plural));
    (void)json_object_set_new(details, "uid", json_stringn(rev->uid.ptr, rev->uid.len));
    sim_reply_json(call->req, 200,
                   json_pack("{s:s,s:s,s:{},s:s,s:o}", "kind", "Status", "apiVersion", "v1",
                             "metadata", "status", "Success", "details", details));
}

/* DeleteOptions from the body, if there is one; false when answered. *options points into *body. */
static bool delete_options_read(struct sim_call *call, json_t **body,
                                struct sim_delete_options *options)
{
    const json_t *pre;

    *options = (struct sim_delete_options){.uid = NULL};
    *body = NULL;
    if (call->req->content.len == 0)
        return true;
    *body = sim_body_read(call);
    if (!*body)
        return false;
    pre = json_object_get(*body, "preconditions");
    options->uid = json_string_value(json_object_get(pre, "uid"));
    options->rv = json_string_value(json_object_get(pre, "resourceVersion"));
    return true;
}

static bool body_is_dry_run(const json_t *body)
{
    return json_array_size(json_object_get(body, "dryRun")) > 0;
}

void sim_delete_one(struct sim_call *call)
{
    struct sim_target t = target_of(call);
    struct sim_delete_options options;
    struct sim_problem p;
    bool is_gone = false;
    struct sim_rev *rev;
    json_t *body;

    if (!delete_options_read(call, &body, &options))
        return;
    if (body_is_dry_run(body))
        t.mode = SIM_DRY_RUN;
    rev = sim_delete(&t, &options, &is_gone, &p);
    if (rev && is_gone) {
        reply_deleted(call, rev);
        sim_rev_unref(rev);
    } else {
        reply_state(call, 200, rev, &p);
    }
    json_decref(body);
}

void sim_delete_collection(struct sim_call *call)
{
    struct sim_delete_options none = {.uid = NULL};
    struct sim_selector *selector;
    struct sim_key_range range;
    struct sim_snapshot all;
    struct sim_problem p;

    if (!sim_selector_read(call, &selector))
        return;
    sim_key_range_of(call, selector, &range);
    if (sim_table_snapshot(call->res->table, sim_store_rv(call->sim->store),
                           ks_str_make(range.lo, range.lo_len), ks_str_make(range.hi, range.hi_len),
                           &all)) {
        sim_selector_free(selector);
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    for (size_t i = 0; i < all.len; i++) {
        struct sim_target t = target_of(call);
        bool is_gone;

        t.ns = all.revs[i]->ns;
        t.name = all.revs[i]->name;
        if (sim_selector_matches(selector, all.revs[i]))
            sim_rev_unref(sim_delete(&t, &none, &is_gone, &p));
    }
    sim_snapshot_fini(&all);
    sim_selector_free(selector);
    sim_reply_json(call->req, 200,
                   json_pack("{s:s,s:s,s:{},s:s,s:{s:s,s:s}}", "kind", "Status", "apiVersion", "v1",
                             "metadata", "status", "Success", "details", "group", call->res->group,
                             "kind", call->res->plural));
}
