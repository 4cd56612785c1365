/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server's validation of ListOptions.
 *
 * Thread: any.
 */
#include "params.h"

#include "sim.h"

#define MATCH "resourceVersionMatch"
#define FORBIDDEN "FieldValueForbidden"

static bool finish(struct sim_call *call, struct sim_problem *p)
{
    if (p->causes_len == 0)
        return true;
    sim_problem_invalid_finish(p);
    sim_reply_problem(call->req, p);
    return false;
}

static void match_known(struct sim_problem *p, struct ks_str match)
{
    if (ks_str_is(match, "Exact") || ks_str_is(match, "NotOlderThan"))
        return;
    sim_problem_cause(p, "FieldValueNotSupported", MATCH,
                      "Unsupported value: \"%.*s\": supported values: \"\", \"Exact\", "
                      "\"NotOlderThan\"",
                      KS_STR_ARGS(match));
}

bool sim_params_check_list(struct sim_call *call)
{
    struct ks_str match = sim_url_param(call->url, MATCH);
    struct ks_str rv = sim_url_param(call->url, "resourceVersion");
    struct sim_problem p;

    sim_problem_invalid(&p, "meta.k8s.io", "ListOptions", "");
    if (match.len > 0) {
        if (rv.len == 0)
            sim_problem_cause(&p, FORBIDDEN, MATCH,
                              "Forbidden: " MATCH
                              " is forbidden unless resourceVersion is provided");
        if (sim_url_param(call->url, "continue").len > 0)
            sim_problem_cause(&p, FORBIDDEN, MATCH,
                              "Forbidden: " MATCH " is forbidden when continue is provided");
        match_known(&p, match);
        if (ks_str_is(match, "Exact") && ks_str_is(rv, "0"))
            sim_problem_cause(&p, FORBIDDEN, MATCH,
                              "Forbidden: " MATCH
                              " \"exact\" is forbidden for resourceVersion \"0\"");
    }
    if (sim_url_has(call->url, "sendInitialEvents"))
        sim_problem_cause(&p, FORBIDDEN, "sendInitialEvents",
                          "Forbidden: sendInitialEvents is forbidden for list");
    return finish(call, &p);
}

bool sim_params_check_watch(struct sim_call *call)
{
    struct ks_str match = sim_url_param(call->url, MATCH);
    bool wants_initial = sim_url_has(call->url, "sendInitialEvents");
    struct sim_problem p;

    sim_problem_invalid(&p, "meta.k8s.io", "ListOptions", "");
    if (match.len > 0 && !wants_initial)
        sim_problem_cause(&p, FORBIDDEN, MATCH,
                          "Forbidden: " MATCH
                          " is forbidden for watch unless sendInitialEvents is provided");
    if (match.len > 0)
        match_known(&p, match);
    if (wants_initial && !ks_str_is(match, "NotOlderThan"))
        sim_problem_cause(&p, FORBIDDEN, MATCH,
                          "Forbidden: sendInitialEvents requires setting " MATCH
                          " to NotOlderThan");
    if (wants_initial && !call->sim->has_watch_list)
        sim_problem_cause(&p, FORBIDDEN, "sendInitialEvents",
                          "Forbidden: sendInitialEvents is forbidden for watch unless the "
                          "WatchList feature gate is enabled");
    return finish(call, &p);
}
