/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status objects with the API server's wording, so that what clients match on (and what people
 * read) is what they will meet in a cluster.
 *
 * The model: a problem is a value; constructors fill it, sim_problem_json prints it. Fields come in
 * the order in which the server's encoder writes them.
 *
 * Thread: any. Sending it is the router's business.
 */
#include "status_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "catalog.h"

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {400, "BadRequest"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "NotFound"},
    {405, "MethodNotAllowed"},
    {406, "NotAcceptable"},
    {409, "Conflict"},
    {410, "Expired"},
    {413, "RequestEntityTooLarge"},
    {415, "UnsupportedMediaType"},
    {422, "Invalid"},
    {429, "TooManyRequests"},
    {500, "InternalError"},
    {503, "ServiceUnavailable"},
    {504, "Timeout"},
};

const char *sim_reason_of(int code)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(reasons); i++) {
        if (reasons[i].code == code)
            return reasons[i].reason;
    }
    return NULL;
}

static void problem_start(struct sim_problem *p, int code, const struct sim_resource *res,
                          const char *name)
{
    memset(p, 0, sizeof(*p));
    p->code = code;
    p->reason = sim_reason_of(code);
    if (name)
        snprintf(p->name, sizeof(p->name), "%s", name);
    if (!res)
        return;
    snprintf(p->group, sizeof(p->group), "%s", res->group);
    snprintf(p->kind, sizeof(p->kind), "%s", res->plural);
}

/* "deployments.apps", or "pods" in the core group. */
static const char *qualified(const struct sim_resource *res, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", res->plural, res->group[0] ? "." : "", res->group);
    return out;
}

void sim_problem_not_found(struct sim_problem *p, const struct sim_resource *res, const char *name)
{
    char what[384];

    problem_start(p, 404, res, name);
    snprintf(p->message, sizeof(p->message), "%s \"%s\" not found",
             qualified(res, what, sizeof(what)), name);
}

void sim_problem_exists(struct sim_problem *p, const struct sim_resource *res, const char *name)
{
    char what[384];

    problem_start(p, 409, res, name);
    p->reason = "AlreadyExists";
    snprintf(p->message, sizeof(p->message), "%s \"%s\" already exists",
             qualified(res, what, sizeof(what)), name);
}

void sim_problem_conflict(struct sim_problem *p, const struct sim_resource *res, const char *name,
                          const char *why)
{
    char what[384];

    problem_start(p, 409, res, name);
    snprintf(p->message, sizeof(p->message), "Operation cannot be fulfilled on %s \"%s\": %s",
             qualified(res, what, sizeof(what)), name, why);
}

void sim_problem_forbidden(struct sim_problem *p, const struct sim_resource *res, const char *name,
                           const char *why)
{
    char what[384];

    problem_start(p, 403, res, name);
    p->has_details = true;
    if (!res)
        snprintf(p->message, sizeof(p->message), "forbidden: %s", why);
    else if (name)
        snprintf(p->message, sizeof(p->message), "%s \"%s\" is forbidden: %s",
                 qualified(res, what, sizeof(what)), name, why);
    else
        snprintf(p->message, sizeof(p->message), "%s is forbidden: %s",
                 qualified(res, what, sizeof(what)), why);
}

void sim_problem_invalid(struct sim_problem *p, const char *group, const char *kind,
                         const char *name)
{
    problem_start(p, 422, NULL, name);
    snprintf(p->group, sizeof(p->group), "%s", group);
    snprintf(p->kind, sizeof(p->kind), "%s", kind);
}

void sim_problem_cause(struct sim_problem *p, const char *reason, const char *field,
                       const char *fmt, ...)
{
    struct sim_cause *c = &p->causes[p->causes_len];
    va_list args;

    if (p->causes_len == SIM_CAUSES_MAX)
        return;
    p->causes_len++;
    snprintf(c->reason, sizeof(c->reason), "%s", reason);
    snprintf(c->field, sizeof(c->field), "%s", field);
    va_start(args, fmt);
    vsnprintf(c->message, sizeof(c->message), fmt, args);
    va_end(args);
}

void sim_problem_invalid_finish(struct sim_problem *p)
{
    size_t at;
    int n = snprintf(p->message, sizeof(p->message), "%s%s%s \"%s\" is invalid: %s", p->kind,
                     p->group[0] ? "." : "", p->group, p->name, p->causes_len > 1 ? "[" : "");

    at = n < 0 ? 0 : (size_t)n;
    for (size_t i = 0; i < p->causes_len && at < sizeof(p->message); i++) {
        n = snprintf(p->message + at, sizeof(p->message) - at, "%s%s: %s", i ? ", " : "",
                     p->causes[i].field, p->causes[i].message);
        at += n < 0 ? 0 : (size_t)n;
    }
    if (p->causes_len > 1 && at + 1 < sizeof(p->message))
        snprintf(p->message + at, sizeof(p->message) - at, "]");
}

void sim_problem_expired(struct sim_problem *p, uint64_t rv, uint64_t oldest)
{
    problem_start(p, 410, NULL, NULL);
    snprintf(p->message, sizeof(p->message), "too old resource version: %llu (%llu)",
             (unsigned long long)rv, (unsigned long long)oldest);
}

void sim_problem_too_large_rv(struct sim_problem *p, uint64_t rv, uint64_t current)
{
    problem_start(p, 504, NULL, NULL);
    snprintf(p->message, sizeof(p->message),
             "Timeout: Too large resource version: %llu, current: %llu", (unsigned long long)rv,
             (unsigned long long)current);
    sim_problem_cause(p, "ResourceVersionTooLarge", "", "Too large resource version");
    p->retry_after_s = 1;
}

void sim_problem_unauthorized(struct sim_problem *p)
{
    problem_start(p, 401, NULL, NULL);
    snprintf(p->message, sizeof(p->message), "Unauthorized");
}

void sim_problem_method(struct sim_problem *p)
{
    problem_start(p, 405, NULL, NULL);
    snprintf(p->message, sizeof(p->message),
             "the server does not allow this method on the requested resource");
    p->has_details = true;
}

void sim_problem_set(struct sim_problem *p, int code, const char *fmt, ...)
{
    va_list args;

    problem_start(p, code, NULL, NULL);
    va_start(args, fmt);
    vsnprintf(p->message, sizeof(p->message), fmt, args);
    va_end(args);
}

/* 0, or -1 when memory is short; an empty text is left out. */
static int text_set(json_t *obj, const char *key, const char *text)
{
    if (!text || !text[0])
        return 0;
    return json_object_set_new(obj, key, json_string(text));
}

static int causes_set(json_t *details, const struct sim_problem *p)
{
    json_t *list;
    int rc = 0;

    if (p->causes_len == 0)
        return 0;
    list = json_array();
    for (size_t i = 0; i < p->causes_len; i++) {
        json_t *cause = json_object();

        rc |= text_set(cause, "reason", p->causes[i].reason);
        rc |= text_set(cause, "message", p->causes[i].message);
        rc |= text_set(cause, "field", p->causes[i].field);
        rc |= json_array_append_new(list, cause);
    }
    return rc | json_object_set_new(details, "causes", list);
}

static int details_set(json_t *obj, const struct sim_problem *p)
{
    json_t *details;
    int rc = 0;

    if (!p->name[0] && !p->kind[0] && p->causes_len == 0 && !p->retry_after_s && !p->has_details)
        return 0;
    details = json_object();
    rc |= text_set(details, "name", p->name);
    rc |= text_set(details, "group", p->group);
    rc |= text_set(details, "kind", p->kind);
    rc |= text_set(details, "uid", p->uid);
    rc |= causes_set(details, p);
    if (p->retry_after_s)
        rc |= json_object_set_new(details, "retryAfterSeconds", json_integer(p->retry_after_s));
    return rc | json_object_set_new(obj, "details", details);
}

json_t *sim_problem_json(const struct sim_problem *p)
{
    json_t *obj = json_object();
    json_t *meta = json_object();
    int rc = 0;

    rc |= text_set(meta, "continue", p->continue_token);
    rc |= text_set(obj, "kind", "Status");
    rc |= text_set(obj, "apiVersion", "v1");
    rc |= json_object_set_new(obj, "metadata", meta);
    rc |= text_set(obj, "status", "Failure");
    rc |= text_set(obj, "message", p->message);
    rc |= text_set(obj, "reason", p->reason);
    rc |= details_set(obj, p);
    rc |= json_object_set_new(obj, "code", json_integer(p->code));
    if (rc == 0)
        return obj;
    json_decref(obj);
    return NULL;
}
