/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests see and turn while kubesim runs.
 *
 *   POST /kubesim/scenario     NDJSON operations, at_ms from now; the answer comes after those that
 * are due GET  /kubesim/requests     the request log, one JSON object a line POST
 * /kubesim/reset-log    forgets it GET  /kubesim/stats        figures
 *
 * Thread: one. Requests to it stand in the log like any other.
 */
#include "control.h"

#include "auth.h"
#include "conn.h"
#include "fault.h"
#include "reply.h"
#include "reqlog.h"
#include "scenario.h"
#include "sim.h"
#include "store.h"
#include "url.h"
#include "watch.h"

#define LOG_MAX_BYTES ((size_t)256 * 1024 * 1024)

static void scenario_answer(struct sim_request *r)
{
    struct sim_scenario_stats stats;
    struct sim_problem p;
    struct ks_error err;
    size_t accepted;
    size_t failed;

    if (sim_scenario_add(r->sim->scenario, r->content, &accepted, &failed, &err)) {
        sim_problem_set(&p, 400, "scenario: %s", err.msg);
        sim_reply_problem(r, &p);
        return;
    }
    sim_scenario_stats(r->sim->scenario, &stats);
    if (failed > 0) {
        sim_problem_set(&p, 422, "scenario: %zu of %zu operations failed; the last: %s", failed,
                        accepted, stats.last_error);
        sim_reply_problem(r, &p);
        return;
    }
    sim_reply_json(r, 200,
                   json_pack("{s:I,s:I}", "accepted", (json_int_t)accepted, "resourceVersion",
                             (json_int_t)sim_store_rv(r->sim->store)));
}

static void requests_answer(struct sim_request *r)
{
    struct ks_buf text;

    ks_buf_init(&text, LOG_MAX_BYTES);
    if (sim_reqlog_print(r->sim->reqlog, &text))
        sim_reply_body(r, 500, NULL, -1);
    else
        sim_reply_text(r, 200, "application/x-ndjson", ks_buf_str(&text));
    ks_buf_fini(&text);
}

static void stats_answer(struct sim_request *r)
{
    struct sim *sim = r->sim;
    struct sim_server_stats server;
    struct sim_scenario_stats scenario;

    sim_server_stats(sim->server, &server);
    sim_scenario_stats(sim->scenario, &scenario);
    sim_reply_json(
        r, 200,
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}",
                  "connections_accepted", (json_int_t)server.accepted, "connections_open",
                  (json_int_t)server.open, "streams_open", (json_int_t)server.streams,
                  "watches_open", (json_int_t)sim_watch_count(sim), "bytes_in",
                  (json_int_t)server.bytes_in, "bytes_out", (json_int_t)server.bytes_out,
                  "requests", (json_int_t)sim_reqlog_total(sim->reqlog), "objects",
                  (json_int_t)sim_store_objects(sim->store), "resource_version",
                  (json_int_t)sim_store_rv(sim->store), "fault_rules",
                  (json_int_t)sim_faults_count(sim->faults), "scenario_done",
                  (json_int_t)scenario.done, "scenario_failed", (json_int_t)scenario.failed,
                  "scenario_waiting", (json_int_t)scenario.waiting, "scenario_rounds",
                  (json_int_t)scenario.rounds, "scenario_last_error", scenario.last_error));
}

static void reset_answer(struct sim_request *r)
{
    sim_reqlog_clear(r->sim->reqlog);
    sim_reply_json(r, 200, json_object());
}

static const struct {
    const char *method;
    const char *name;
    void (*answer)(struct sim_request *r);
} commands[] = {
    {"POST", "scenario", scenario_answer},
    {"GET", "requests", requests_answer},
    {"GET", "stats", stats_answer},
    {"POST", "reset-log", reset_answer},
};

void sim_control(struct sim_request *r, const struct sim_url *u)
{
    struct sim_problem p;

    if (!r->identity || !sim_identity_is_admin(r->identity)) {
        sim_problem_set(&p, 403, "/kubesim/ is for the token \"" SIM_ADMIN_TOKEN "\" alone");
        sim_reply_problem(r, &p);
        return;
    }
    r->stream->conn->is_control = true;
    for (size_t i = 0; i < KS_ARRAY_LEN(commands) && u->segments_len == 2; i++) {
        if (ks_str_is(u->segments[1], commands[i].name) &&
            ks_str_is(r->method, commands[i].method)) {
            commands[i].answer(r);
            return;
        }
    }
    sim_reply_404_page(r);
}
