/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things for each request: take the path apart, find out who asks, let faults act,
 * refuse, answer.
 *
 * 1. /kubesim/ is the control interface: for the admin alone, and out of reach of faults.
 * 2. Faults come before authentication: they imitate a server that is in trouble, whoever asks.
 * 3. As in the API server, a request is authorized before anybody looks whether its resource
 * exists.
 * 4. A 401 takes the connection with it (GOAWAY): the mitigation that servers from 1.29 on have.
 *
 * Thread: one. What the answer says is the handlers' business.
 */
#include "router.h"

#include <stdio.h>

#include "auth.h"
#include "conn.h"
#include "control.h"
#include "discovery.h"
#include "fault.h"
#include "openapi.h"
#include "read.h"
#include "reply.h"
#include "reqlog.h"
#include "review.h"
#include "selector.h"
#include "sim.h"
#include "subresource.h"
#include "watch.h"
#include "write.h"

static bool segment_is(const struct sim_url *u, size_t i, const char *text)
{
    return i < u->segments_len && ks_str_is(u->segments[i], text);
}

static struct ks_str segment(const struct sim_url *u, size_t i)
{
    return i < u->segments_len ? u->segments[i] : KS_LIT("");
}

static bool method_is(const struct sim_call *call, const char *text)
{
    return ks_str_is(call->req->method, text);
}

/* /healthz and its kin, and /version: open to everybody. */
static bool open_path_answer(struct sim_request *r, const struct sim_url *u)
{
    static const char *const health[] = {"healthz", "livez", "readyz"};

    if (u->segments_len == 0)
        return false;
    for (size_t i = 0; i < KS_ARRAY_LEN(health); i++) {
        if (segment_is(u, 0, health[i])) {
            sim_reply_text(r, 200, "text/plain; charset=utf-8", KS_LIT("ok"));
            return true;
        }
    }
    if (u->segments_len != 1 || !segment_is(u, 0, "version"))
        return false;
    sim_discovery_version(r);
    return true;
}

/* The resource part of the path, which begins at segment `from`:
 * [namespaces/NS/]PLURAL[/NAME[/SUB]]. */
static bool resource_path_parse(const struct sim_url *u, size_t from, struct sim_call *call,
                                struct ks_str *plural)
{
    size_t n = u->segments_len - from;
    bool is_in_namespace = segment_is(u, from, "namespaces") && n >= 3 &&
                           !ks_str_is(segment(u, from + 2), "status") &&
                           !ks_str_is(segment(u, from + 2), "finalize");

    if (is_in_namespace) {
        call->ns = segment(u, from + 1);
        from += 2;
        n -= 2;
    }
    *plural = segment(u, from);
    call->name = segment(u, from + 1);
    call->sub = segment(u, from + 2);
    return n <= 3 && call->ns.len <= SIM_NAME_MAX && call->name.len <= SIM_NAME_MAX;
}

static bool wants_watch(const struct sim_call *call)
{
    return sim_url_flag(call->url, "watch");
}

/* The verb of a method on that path; SIM_VERB_COUNT when there is none. */
static enum sim_verb verb_of(const struct sim_call *call)
{
    bool has_name = call->name.len > 0;

    if (method_is(call, "GET"))
        return has_name ? SIM_VERB_GET : wants_watch(call) ? SIM_VERB_WATCH : SIM_VERB_LIST;
    if (method_is(call, "POST"))
        return has_name && call->sub.len == 0 ? SIM_VERB_COUNT : SIM_VERB_CREATE;
    if (method_is(call, "PUT"))
        return has_name ? SIM_VERB_UPDATE : SIM_VERB_COUNT;
    if (method_is(call, "PATCH"))
        return has_name ? SIM_VERB_PATCH : SIM_VERB_COUNT;
    if (method_is(call, "DELETE"))
        return has_name ? SIM_VERB_DELETE : SIM_VERB_DELETECOLLECTION;
    return SIM_VERB_COUNT;
}

/* The name that a list or watch asks for by field selector: authorization looks at it. */
static struct ks_str selected_name(const struct sim_call *call, char *out, size_t size)
{
    struct ks_str rest = sim_url_param(call->url, "fieldSelector");
    const struct ks_str key = KS_LIT("metadata.name=");
    struct ks_str term;

    while (ks_str_split(&rest, ',', &term)) {
        if (!ks_str_starts(term, key))
            continue;
        snprintf(out, size, "%.*s", KS_STR_ARGS(ks_str_sub(term, key.len, term.len)));
        return ks_str_from(out[0] == '=' ? out + 1 : out);
    }
    return KS_LIT("");
}

static bool resource_authorize(struct sim_call *call, struct ks_str group, struct ks_str plural)
{
    struct sim_resource asked = {.group = NULL};
    char name[SIM_NAME_MAX + 2];
    char group_text[SIM_NAME_MAX + 2];
    char plural_text[SIM_NAME_MAX + 2];
    char why[2048];
    struct sim_problem p;
    struct sim_access access = {
        .verb = call->verb == SIM_VERB_COUNT ? "create" : sim_verb_texts[call->verb],
        .group = group,
        .resource = plural,
        .sub = call->sub,
        .ns = call->ns,
        .name = call->name,
    };

    if (access.name.len == 0 && method_is(call, "GET"))
        access.name = selected_name(call, name, sizeof(name));
    if (sim_auth_allows(call->sim->auth, call->req->identity, &access))
        return true;
    sim_access_sentence(call->req->identity, &access, why, sizeof(why));
    snprintf(group_text, sizeof(group_text), "%.*s", KS_STR_ARGS(group));
    snprintf(plural_text, sizeof(plural_text), "%.*s", KS_STR_ARGS(plural));
    asked.group = group_text;
    asked.plural = plural_text;
    sim_problem_forbidden(&p, &asked, access.name.len ? access.name.ptr : NULL, why);
    sim_reply_problem(call->req, &p);
    return false;
}

static void reply_405(struct sim_call *call)
{
    struct sim_problem p;

    sim_problem_method(&p);
    sim_reply_problem(call->req, &p);
}

static void verb_run(struct sim_call *call)
{
    switch (call->verb) {
    case SIM_VERB_GET:
        sim_get(call);
        return;
    case SIM_VERB_LIST:
        sim_list(call);
        return;
    case SIM_VERB_WATCH:
        sim_watch_start(call);
        return;
    case SIM_VERB_CREATE:
        sim_post(call);
        return;
    case SIM_VERB_UPDATE:
        sim_put(call);
        return;
    case SIM_VERB_PATCH:
        sim_patch(call);
        return;
    case SIM_VERB_DELETE:
        sim_delete_one(call);
        return;
    case SIM_VERB_DELETECOLLECTION:
        sim_delete_collection(call);
        return;
    case SIM_VERB_COUNT:
        break;
    }
    reply_405(call);
}

/* Namespaced objects are reached through their namespace; creating at the cluster scope is no path
 * either. */
static bool scope_fits(const struct sim_call *call)
{
    bool is_namespaced = sim_resource_has(call->res, SIM_NAMESPACED);

    if (call->ns.len > 0)
        return is_namespaced;
    return !is_namespaced || (call->name.len == 0 && call->verb != SIM_VERB_CREATE);
}

static void resource_answer(struct sim_call *call)
{
    if (sim_resource_has(call->res, SIM_VIRTUAL)) {
        sim_review(call);
        return;
    }
    if (!scope_fits(call)) {
        sim_reply_404_resource(call->req);
        return;
    }
    if (call->sub.len > 0) {
        sim_subresource(call);
        return;
    }
    if (call->verb == SIM_VERB_COUNT || !(call->res->verbs & (1u << call->verb))) {
        reply_405(call);
        return;
    }
    verb_run(call);
}

/* Paths of no resource: authorized by path. */
static bool path_authorize(struct sim_request *r)
{
    struct sim_access access = {.verb = "get", .path = r->path};
    struct sim_problem p;
    char why[2048];

    if (sim_auth_allows(r->sim->auth, r->identity, &access))
        return true;
    sim_access_sentence(r->identity, &access, why, sizeof(why));
    sim_problem_forbidden(&p, NULL, NULL, why);
    sim_reply_problem(r, &p);
    return false;
}

static void resource_route(struct sim_request *r, const struct sim_url *u, size_t version_at)
{
    struct sim_call call = {.sim = r->sim, .req = r, .url = u};
    struct ks_str group = version_at == 2 ? segment(u, 1) : KS_LIT("");
    struct ks_str version = segment(u, version_at);
    struct ks_str plural;

    if (!resource_path_parse(u, version_at + 1, &call, &plural)) {
        sim_reply_404_page(r);
        return;
    }
    call.verb = verb_of(&call);
    if (!resource_authorize(&call, group, plural))
        return;
    call.res = sim_catalog_find(r->sim->catalog, group, version, plural);
    if (call.res)
        resource_answer(&call);
    else if (sim_catalog_is_builtin(group, version))
        sim_reply_404_resource(r);
    else
        sim_reply_404_page(r);
}

static void path_route(struct sim_request *r, const struct sim_url *u)
{
    size_t version_at = segment_is(u, 0, "api") ? 1 : 2;
    bool is_api = segment_is(u, 0, "api") || segment_is(u, 0, "apis");

    if (is_api && u->segments_len > version_at + 1) {
        resource_route(r, u, version_at);
        return;
    }
    if (!path_authorize(r))
        return;
    if (is_api)
        sim_discovery_answer(r, u);
    else if (!sim_openapi_answer(r, u))
        sim_reply_404_page(r);
}

/* Finds out who asks; false when answered with 401 or another refusal. */
static bool identify(struct sim_request *r, struct sim_problem *p)
{
    r->identity = sim_auth_identify(r->sim->auth, r, p);
    sim_log_entry_set_user(r->stream->entry, r->identity ? r->identity->user : "");
    return r->identity != NULL;
}

static void refuse(struct sim_request *r, const struct sim_problem *p)
{
    sim_reply_problem(r, p);
    if (p->code == 401)
        sim_conn_goaway(r->stream->conn, NGHTTP2_NO_ERROR, -1);
}

static void url_route(struct sim_request *r, const struct sim_url *u)
{
    struct sim_problem p;
    bool is_known = identify(r, &p);

    if (segment_is(u, 0, "kubesim")) {
        sim_control(r, u);
        return;
    }
    if (!r->fault_decided && !sim_faults_apply(r->sim->faults, r))
        return;
    if (open_path_answer(r, u))
        return;
    if (!is_known) {
        refuse(r, &p);
        return;
    }
    if (r->stream->is_too_large) {
        sim_problem_set(&p, 413, "Request entity too large: limit is 3145728");
        sim_reply_problem(r, &p);
        return;
    }
    path_route(r, u);
}

void sim_route(struct sim_request *r)
{
    struct sim_url u;
    struct sim_problem p;

    if (sim_url_parse(r->path, r->query, &u)) {
        sim_problem_set(&p, 400, "the request's path or query cannot be read");
        sim_reply_problem(r, &p);
        return;
    }
    url_route(r, &u);
    sim_url_fini(&u);
}
