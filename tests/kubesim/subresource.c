/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subresources.
 *
 * The model: /status goes through the same code as the object, with another part. /scale is a view
 * of spec.replicas. /eviction is a delete, /token makes a token that auth.c knows from then on.
 *
 * Thread: one.
 */
#include "subresource.h"

#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"

#include "auth.h"
#include "object.h"
#include "patch.h"
#include "read.h"
#include "registry.h"
#include "sim.h"
#include "write.h"

#define TOKEN_SECONDS 3600

static void reply_405(struct sim_call *call)
{
    struct sim_problem p;

    sim_problem_method(&p);
    sim_reply_problem(call->req, &p);
}

/* The parts that are read and written like the object itself. */
static void part_answer(struct sim_call *call)
{
    if (call->verb == SIM_VERB_GET)
        sim_get(call);
    else if (call->verb == SIM_VERB_UPDATE)
        sim_put(call);
    else if (call->verb == SIM_VERB_PATCH)
        sim_patch(call);
    else
        reply_405(call);
}

/* As part_answer, but for subresources that change the object's main part. */
static void main_part_answer(struct sim_call *call)
{
    call->sub = KS_LIT("");
    part_answer(call);
}

static struct sim_target target_of(const struct sim_call *call)
{
    return (struct sim_target){
        .sim = call->sim, .res = call->res, .ns = call->ns, .name = call->name};
}

static const struct sim_rev *rev_find(struct sim_call *call)
{
    char key[600];
    const struct sim_rev *rev = sim_table_find(
        call->res->table, sim_key_make(call->res, call->ns, call->name, key, sizeof(key)));
    struct sim_problem p;

    if (rev)
        return rev;
    sim_problem_not_found(&p, call->res, call->name.ptr);
    sim_reply_problem(call->req, &p);
    return NULL;
}

static json_t *scale_view(const json_t *obj)
{
    const json_t *meta = sim_object_metadata(obj);
    json_int_t wanted =
        json_integer_value(json_object_get(json_object_get(obj, "spec"), "replicas"));
    json_int_t have =
        json_integer_value(json_object_get(json_object_get(obj, "status"), "replicas"));

    return json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:{s:I},s:{s:I}}", "kind", "Scale",
                     "apiVersion", "autoscaling/v1", "metadata", "name",
                     sim_json_text(meta, "name"), "namespace", sim_json_text(meta, "namespace"),
                     "uid", sim_json_text(meta, "uid"), "resourceVersion",
                     sim_json_text(meta, "resourceVersion"), "creationTimestamp",
                     sim_json_text(meta, "creationTimestamp"), "spec", "replicas", wanted, "status",
                     "replicas", have);
}

/* Writes the scale's replicas into the object; false when answered. */
static bool scale_write(struct sim_call *call, json_t *obj)
{
    struct sim_target t = target_of(call);
    struct sim_problem p;
    struct sim_rev *rev;
    json_t *body;
    json_t *replicas;

    /* A patch of a scale is a merge patch in practice: its spec.replicas is all that counts. */
    body = json_loadb(call->req->content.ptr ? call->req->content.ptr : "", call->req->content.len,
                      0, NULL);
    replicas = json_object_get(json_object_get(body, "spec"), "replicas");
    if (!json_is_integer(replicas)) {
        json_decref(body);
        sim_problem_set(&p, 400, "a Scale with spec.replicas is wanted");
        sim_reply_problem(call->req, &p);
        return false;
    }
    (void)json_object_set(json_object_get(obj, "spec"), "replicas", replicas); /* checked below */
    json_decref(body);
    rev = sim_update(&t, obj, SIM_PART_MAIN, &p);
    if (!rev) {
        sim_reply_problem(call->req, &p);
        return false;
    }
    sim_rev_unref(rev);
    return true;
}

static void scale_answer(struct sim_call *call)
{
    const struct sim_rev *rev = rev_find(call);
    json_t *obj;

    if (!rev)
        return;
    obj = sim_object_parse(call->res, rev);
    if (!obj) {
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    if (call->verb == SIM_VERB_GET)
        sim_reply_json(call->req, 200, scale_view(obj));
    else if (call->verb != SIM_VERB_UPDATE && call->verb != SIM_VERB_PATCH)
        reply_405(call);
    else if (scale_write(call, obj))
        sim_reply_json(call->req, 200, scale_view(obj));
    json_decref(obj);
}

static void eviction_answer(struct sim_call *call)
{
    struct sim_target t = target_of(call);
    struct sim_delete_options none = {.uid = NULL};
    struct sim_problem p;
    bool is_gone;
    struct sim_rev *rev;

    if (call->verb != SIM_VERB_CREATE) {
        reply_405(call);
        return;
    }
    rev = sim_delete(&t, &none, &is_gone, &p);
    if (rev)
        sim_reply_json(call->req, 201,
                       json_pack("{s:s,s:s,s:{},s:s}", "kind", "Status", "apiVersion", "v1",
                                 "metadata", "status", "Success"));
    else
        sim_reply_problem(call->req, &p);
    sim_rev_unref(rev);
}

static void token_answer(struct sim_call *call)
{
    const struct sim_rev *rev = rev_find(call);
    char uid[SIM_UID_SIZE];
    char expires[KS_RFC3339_MAX];
    struct ks_error err;
    json_t *op;

    if (!rev)
        return;
    if (call->verb != SIM_VERB_CREATE) {
        reply_405(call);
        return;
    }
    sim_uid_make(call->sim, uid);
    ks_rfc3339_format((call->sim->clock->wall_ms(call->sim->clock) / 1000 + TOKEN_SECONDS) * 1000,
                      expires);
    op = json_pack("{s:s,s:o,s:[s,o]}", "token", uid, "user",
                   json_sprintf("system:serviceaccount:%.*s:%.*s", KS_STR_ARGS(call->ns),
                                KS_STR_ARGS(call->name)),
                   "groups", "system:serviceaccounts",
                   json_sprintf("system:serviceaccounts:%.*s", KS_STR_ARGS(call->ns)));
    if (!op || sim_auth_token_add(call->sim->auth, op, &err))
        sim_reply_body(call->req, 500, NULL, -1);
    else
        sim_reply_json(call->req, 201,
                       json_pack("{s:s,s:s,s:{s:s%,s:s%},s:{s:i},s:{s:s,s:s}}", "kind",
                                 "TokenRequest", "apiVersion", "authentication.k8s.io/v1",
                                 "metadata", "name", call->name.ptr, call->name.len, "namespace",
                                 call->ns.ptr, call->ns.len, "spec", "expirationSeconds",
                                 TOKEN_SECONDS, "status", "token", uid, "expirationTimestamp",
                                 expires));
    json_decref(op);
}

static const struct {
    const char *name;
    void (*answer)(struct sim_call *call);
} subresources[] = {
    {"status", part_answer},        {"scale", scale_answer},
    {"eviction", eviction_answer},  {"token", token_answer},
    {"finalize", main_part_answer}, {"approval", part_answer},
    {"resize", main_part_answer},   {"ephemeralcontainers", main_part_answer},
};

void sim_subresource(struct sim_call *call)
{
    if (sim_resource_has_subresource(call->res, call->sub)) {
        for (size_t i = 0; i < KS_ARRAY_LEN(subresources); i++) {
            if (ks_str_is(call->sub, subresources[i].name)) {
                subresources[i].answer(call);
                return;
            }
        }
    }
    sim_reply_404_resource(call->req);
}
