/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: RFC 1123 subdomains for almost everything, labels for namespaces and services, path
 * segments for RBAC.
 *
 * Thread: any.
 */
#include "names.h"

#include <string.h>

#include "catalog.h"
#include "status_body.h"

#define SUBDOMAIN_MAX 253
#define LABEL_MAX 63

static const char subdomain_rule[] =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
static const char label_rule[] =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
static const char segment_rule[] = "may not be '.' or '..', nor contain '/' or '%'";

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool label_is_good(const char *text, size_t len)
{
    if (len == 0 || !is_alphanumeric(text[0]) || !is_alphanumeric(text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_alphanumeric(text[i]) && text[i] != '-')
            return false;
    }
    return true;
}

static bool subdomain_is_good(const char *text)
{
    size_t len;

    if (strlen(text) > SUBDOMAIN_MAX)
        return false;
    for (;; text += len + 1) {
        len = strcspn(text, ".");
        if (!label_is_good(text, len))
            return false;
        if (!text[len])
            return true;
    }
}

static bool segment_is_good(const char *text)
{
    return strlen(text) <= SUBDOMAIN_MAX && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
           !strpbrk(text, "/%");
}

/* The rule that the name breaks; NULL when it is good. */
static const char *broken_rule(const struct sim_resource *res, const char *name)
{
    if (strcmp(res->group, "rbac.authorization.k8s.io") == 0)
        return segment_is_good(name) ? NULL : segment_rule;
    if (!res->group[0] && strcmp(res->plural, "namespaces") == 0)
        return strlen(name) <= LABEL_MAX && label_is_good(name, strlen(name)) ? NULL : label_rule;
    return subdomain_is_good(name) ? NULL : subdomain_rule;
}

bool sim_name_check(const struct sim_resource *res, const char *name, struct sim_problem *problem)
{
    const char *rule;

    sim_problem_invalid(problem, res->group, res->kind, name);
    if (!name[0]) {
        sim_problem_cause(problem, "FieldValueRequired", "metadata.name",
                          "Required value: name or generateName is required");
        sim_problem_invalid_finish(problem);
        return false;
    }
    rule = broken_rule(res, name);
    if (!rule)
        return true;
    sim_problem_cause(problem, "FieldValueInvalid", "metadata.name", "Invalid value: \"%s\": %s",
                      name, rule);
    sim_problem_invalid_finish(problem);
    return false;
}
