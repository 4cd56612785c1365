/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SelfSubjectReview, TokenReview, and the access reviews, answered from auth.c.
 *
 * The model: the answer is the question with a status. Access reviews build the struct sim_access
 * that the router builds for a request, and ask the same function.
 *
 * Thread: one. SelfSubjectRulesReview answers with incomplete rules: it is for display only.
 */
#include "review.h"

#include <string.h>

#include "base/alloc.h"

#include "auth.h"
#include "object.h"
#include "sim.h"
#include "write.h"

static json_t *groups_array(const struct sim_identity *id)
{
    json_t *list = json_array();

    for (size_t i = 0; i < id->groups_len; i++)
        (void)json_array_append_new(list, json_string(id->groups[i])); /* NULL shows in json_pack */
    return list;
}

static json_t *user_info(const struct sim_identity *id)
{
    return json_pack("{s:s,s:s,s:o}", "username", id->user, "uid", id->uid, "groups",
                     groups_array(id));
}

static json_t *self_subject(struct sim_call *call, const json_t *asked KS_UNUSED)
{
    return json_pack("{s:o}", "userInfo", user_info(call->req->identity));
}

static json_t *token_review(struct sim_call *call, const json_t *asked)
{
    const json_t *spec = json_object_get(asked, "spec");
    const struct sim_identity *id =
        sim_auth_find_token(call->sim->auth, ks_str_from(sim_json_text(spec, "token")));
    json_t *audiences = json_object_get(spec, "audiences");

    if (!id)
        return json_pack("{s:{},s:s}", "user", "error",
                         "[invalid bearer token, token lookup failed]");
    if (!audiences)
        return json_pack("{s:b,s:o}", "authenticated", 1, "user", user_info(id));
    return json_pack("{s:b,s:o,s:O}", "authenticated", 1, "user", user_info(id), "audiences",
                     audiences);
}

static json_t *decision(struct sim_call *call, const struct sim_identity *id, const json_t *asked)
{
    const json_t *spec = json_object_get(asked, "spec");
    const json_t *resource = json_object_get(spec, "resourceAttributes");
    const json_t *path = json_object_get(spec, "nonResourceAttributes");
    struct sim_access access = {
        .verb = sim_json_text(resource ? resource : path, "verb"),
        .group = ks_str_from(sim_json_text(resource, "group")),
        .resource = ks_str_from(sim_json_text(resource, "resource")),
        .sub = ks_str_from(sim_json_text(resource, "subresource")),
        .ns = ks_str_from(sim_json_text(resource, "namespace")),
        .name = ks_str_from(sim_json_text(resource, "name")),
        .path = ks_str_from(sim_json_text(path, "path")),
    };

    if (sim_auth_allows(call->sim->auth, id, &access))
        return json_pack("{s:b,s:s}", "allowed", 1, "reason", "allowed by the scenario");
    return json_pack("{s:b}", "allowed", 0);
}

static json_t *self_access(struct sim_call *call, const json_t *asked)
{
    return decision(call, call->req->identity, asked);
}

static json_t *subject_access(struct sim_call *call, const json_t *asked)
{
    const json_t *spec = json_object_get(asked, "spec");
    const json_t *list = json_object_get(spec, "groups");
    struct ks_str texts[SIM_GROUPS_MAX];
    char *groups[SIM_GROUPS_MAX];
    const struct sim_identity *id;
    size_t n = 0;
    bool ok = true;

    for (size_t i = 0; i < json_array_size(list) && n < SIM_GROUPS_MAX; i++) {
        texts[n] = ks_str_from(json_string_value(json_array_get(list, i)));
        groups[n] = ks_str_dup(texts[n]);
        ok = ok && groups[n];
        n++;
    }
    id = ok ? sim_auth_identity(call->sim->auth, sim_json_text(spec, "user"), groups, n) : NULL;
    for (size_t i = 0; i < n; i++)
        ks_free(groups[i]);
    return id ? decision(call, id, asked) : NULL;
}

static json_t *self_rules(struct sim_call *call KS_UNUSED, const json_t *asked KS_UNUSED)
{
    return json_pack("{s:[],s:[],s:b}", "resourceRules", "nonResourceRules", "incomplete", 1);
}

static const struct {
    const char *plural;
    json_t *(*answer)(struct sim_call *call, const json_t *asked);
} reviews[] = {
    {"selfsubjectreviews", self_subject},          {"tokenreviews", token_review},
    {"selfsubjectaccessreviews", self_access},     {"subjectaccessreviews", subject_access},
    {"localsubjectaccessreviews", subject_access}, {"selfsubjectrulesreviews", self_rules},
};

void sim_review(struct sim_call *call)
{
    struct sim_problem p;
    json_t *asked;
    json_t *answer;

    if (call->verb != SIM_VERB_CREATE) {
        sim_problem_method(&p);
        sim_reply_problem(call->req, &p);
        return;
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(reviews); i++) {
        if (strcmp(reviews[i].plural, call->res->plural) != 0)
            continue;
        asked = sim_body_read(call);
        if (!asked)
            return;
        answer = json_pack("{s:s,s:s,s:{}}", "kind", call->res->kind, "apiVersion",
                           call->res->group_version, "metadata");
        if (json_object_get(asked, "spec"))
            (void)json_object_set(answer, "spec", json_object_get(asked, "spec")); /* a courtesy */
        if (json_object_set_new(answer, "status", reviews[i].answer(call, asked)) != 0) {
            json_decref(answer);
            answer = NULL;
        }
        json_decref(asked);
        sim_reply_json(call->req, 201, answer);
        return;
    }
    sim_reply_404_resource(call->req);
}
