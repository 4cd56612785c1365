/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules are looked at in the order in which they were made; the first that matches and is not used
 * up decides.
 *
 * The model: a rule is the JSON that made it, with a counter. Acting means either answering (or not
 * answering) here and now, or leaving a plan in the stream that stream.c carries out while the body
 * is sent.
 *
 * 1. "nth" skips matches before it, "times" (default 1, 0 = for ever) ends the rule.
 * 2. A request meets at most one rule, once: parked requests are not asked again.
 *
 * Thread: one. tests/scenarios/README.md says what a rule may hold.
 */
#include "fault.h"

#include <stdio.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/list.h"

#include "auth.h"
#include "conn.h"
#include "object.h"
#include "reply.h"
#include "reqlog.h"
#include "sim.h"
#include "stream.h"

#define FAULT_RULES_MAX 4096
#define FAULT_TEXT_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct rule {
    struct ks_list link;
    json_t *op;
    int64_t seen;
    int64_t used;
};

struct sim_faults {
    struct ks_list rules;
    size_t len;
};

ks_rc sim_faults_new(struct sim_faults **out, struct ks_error *err)
{
    struct sim_faults *f = ks_alloc0(sizeof(*f));

    if (!f)
        return ks_fail(err, KS_RC_NOMEM, "faults");
    ks_list_init(&f->rules);
    *out = f;
    return KS_RC_OK;
}

static void rule_free(struct sim_faults *f, struct rule *r)
{
    ks_list_remove(&r->link);
    f->len--;
    json_decref(r->op);
    ks_free(r);
}

void sim_faults_clear(struct sim_faults *f)
{
    KS_LIST_FOREACH(link, &f->rules)
    rule_free(f, KS_CONTAINER_OF(link, struct rule, link));
}

struct sim_faults *sim_faults_free(struct sim_faults *f)
{
    if (!f)
        return NULL;
    sim_faults_clear(f);
    ks_free(f);
    return NULL;
}

size_t sim_faults_count(const struct sim_faults *f)
{
    return f->len;
}

void sim_fault_plan_fini(struct sim_fault_plan *p)
{
    ks_free(p->text);
    p->text = NULL;
}

bool sim_h2_error_parse(const char *name, uint32_t *out)
{
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};

    for (uint32_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static int64_t int_of(const json_t *obj, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static uint32_t h2_error_of(const json_t *op, uint32_t otherwise)
{
    uint32_t code = otherwise;

    (void)sim_h2_error_parse(sim_json_text(op, "error"),
                             &code); /* checked when the rule was made */
    return code;
}

/* The text that a fault sends: "text", or "base64", "repeat" times over. */
static ks_rc text_make(const json_t *op, struct ks_buf *out)
{
    const json_t *text = json_object_get(op, "text");
    const char *coded = json_string_value(json_object_get(op, "base64"));
    int64_t repeat = int_of(op, "repeat", 1);
    ks_rc rc = KS_RC_OK;

    for (int64_t i = 0; i < repeat && !rc; i++) {
        if (coded)
            rc = ks_base64_decode(ks_str_from(coded), out);
        else
            rc = ks_buf_append(out, json_string_value(text), json_string_length(text));
    }
    return rc;
}

/* The Status that the op describes, behind `before`. */
static ks_rc status_make(const json_t *op, int code, struct ks_str before, struct ks_buf *out)
{
    struct sim_problem p;
    json_t *status;
    ks_rc rc;

    sim_problem_set(&p, code, "%s", sim_json_text(op, "message"));
    if (json_is_string(json_object_get(op, "reason")))
        p.reason = sim_json_text(op, "reason");
    p.retry_after_s = (int)int_of(op, "retry_after", 0);
    if (json_is_string(json_object_get(op, "cause")))
        sim_problem_cause(&p, sim_json_text(op, "cause"), "", "%s", p.message);
    status = sim_problem_json(&p);
    rc = ks_buf_append_str(out, before);
    if (!rc)
        rc = status ? sim_json_print(status, SIM_AS_IS, out) : KS_RC_NOMEM;
    json_decref(status);
    return rc;
}

static ks_rc error_event_make(const json_t *op, struct ks_buf *out)
{
    ks_rc rc = status_make(op, (int)int_of(op, "code", 410),
                           KS_LIT("{\"type\":\"ERROR\",\"object\":"), out);

    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

/* Fills the plan's text with what the maker makes. */
static bool plan_text(struct sim_fault_plan *plan, const json_t *op,
                      ks_rc (*make)(const json_t *op, struct ks_buf *out))
{
    struct ks_buf text;

    ks_buf_init(&text, FAULT_TEXT_MAX_BYTES);
    if (make(op, &text)) {
        ks_buf_fini(&text);
        return false;
    }
    plan->text_len = text.len;
    plan->text = ks_buf_take(&text);
    return true;
}

/* The op's headers into the reply, retry-after among them; `retry` keeps that one's text. */
static void status_headers(const json_t *op, struct sim_reply *reply, char *retry, size_t size)
{
    const json_t *after = json_object_get(op, "retry_after");
    json_t *headers = json_object_get(op, "headers");
    size_t n = 0;

    if (json_is_integer(after))
        snprintf(retry, size, "%lld", (long long)json_integer_value(after));
    else
        snprintf(retry, size, "%s", sim_json_text(op, "retry_after"));
    if (after)
        reply->headers[n++] = (struct sim_reply_header){"retry-after", retry};
    for (void *i = json_object_iter(headers); i && n < SIM_REPLY_HEADERS_MAX;
         i = json_object_iter_next(headers, i)) {
        const char *text = json_string_value(json_object_iter_value(i));

        reply->headers[n++] = (struct sim_reply_header){json_object_iter_key(i), text ? text : ""};
    }
}

/* An answer of its own making. */
static bool do_status(struct sim_request *r, const json_t *op)
{
    struct sim_reply reply = {.status = (int)int_of(op, "code", 500)};
    const char *type = json_string_value(json_object_get(op, "content_type"));
    struct ks_buf body;
    char retry[64];
    ks_rc rc;

    ks_buf_init(&body, FAULT_TEXT_MAX_BYTES);
    reply.content_type = type ? type : "application/json";
    status_headers(op, &reply, retry, sizeof(retry));
    if (json_object_get(op, "text") || json_object_get(op, "base64")) {
        rc = text_make(op, &body);
    } else {
        rc = status_make(op, reply.status, KS_LIT(""), &body);
        if (!rc)
            rc = ks_buf_append_byte(&body, '\n');
    }
    if (rc)
        ks_buf_clear(&body);
    reply.content_length = (int64_t)body.len;
    reply.body = sim_body_bytes_new(ks_buf_take(&body), (size_t)reply.content_length);
    sim_stream_reply(r->stream, &reply);
    return false;
}

static bool do_gone(struct sim_request *r, const json_t *op KS_UNUSED)
{
    struct sim_problem p;

    sim_problem_expired(&p, 1, sim_store_rv(r->sim->store));
    sim_reply_problem(r, &p);
    return false;
}

/* Sets the trigger point that the op names. */
static void plan_trigger(struct sim_request *r, const json_t *op, enum sim_fault_act act)
{
    struct sim_fault_plan *p = &r->stream->plan;

    p->act = act;
    p->after_events = (uint64_t)int_of(op, "after_events", 0);
    p->after_bytes = (uint64_t)int_of(op, "after_bytes", 0);
    p->wait_ms = int_of(op, "wait_ms", 0);
    p->keep_length = json_is_true(json_object_get(op, "keep_length"));
}

static bool do_reset(struct sim_request *r, const json_t *op)
{
    plan_trigger(r, op, SIM_FAULT_RESET);
    r->stream->plan.h2_error = h2_error_of(op, NGHTTP2_INTERNAL_ERROR);
    if (json_object_get(op, "after_events") || json_object_get(op, "after_bytes"))
        return true;
    sim_stream_reset(r->stream, r->stream->plan.h2_error);
    return false;
}

static bool do_close(struct sim_request *r, const json_t *op)
{
    bool is_fin = strcmp(sim_json_text(op, "how"), "fin") == 0;

    plan_trigger(r, op, is_fin ? SIM_FAULT_FIN : SIM_FAULT_RST);
    if (json_object_get(op, "after_events") || json_object_get(op, "after_bytes"))
        return true;
    sim_conn_kill(r->stream->conn, is_fin ? SIM_CONN_DEAD_FIN : SIM_CONN_DEAD_RESET);
    return false;
}

static bool do_goaway(struct sim_request *r, const json_t *op)
{
    int32_t last = (int32_t)int_of(op, "last_stream", -1);

    if (json_object_get(op, "after_events") || json_object_get(op, "after_bytes")) {
        plan_trigger(r, op, SIM_FAULT_GOAWAY);
        r->stream->plan.h2_error = h2_error_of(op, NGHTTP2_NO_ERROR);
        r->stream->plan.last_stream_id = last;
        return true;
    }
    sim_conn_goaway(r->stream->conn, h2_error_of(op, NGHTTP2_NO_ERROR), last);
    return true;
}

static bool do_hang(struct sim_request *r, const json_t *op)
{
    if (!json_object_get(op, "after_events") && !json_object_get(op, "after_bytes"))
        return false;
    plan_trigger(r, op, SIM_FAULT_HANG);
    return true;
}

static bool do_delay(struct sim_request *r, const json_t *op)
{
    sim_stream_park(r->stream, int_of(op, "ms", 1000), 0);
    return false;
}

static bool do_slow(struct sim_request *r, const json_t *op)
{
    int64_t bytes = int_of(op, "bytes", 1);

    r->stream->plan.pace_bytes = bytes > 0 ? (size_t)bytes : 1;
    r->stream->plan.pace_ms = int_of(op, "every_ms", 1);
    return true;
}

static bool do_truncate(struct sim_request *r, const json_t *op)
{
    plan_trigger(r, op, SIM_FAULT_END);
    return true;
}

static bool do_garbage(struct sim_request *r, const json_t *op)
{
    bool ends = strcmp(sim_json_text(op, "then"), "end") == 0;

    plan_trigger(r, op, ends ? SIM_FAULT_LAST_TEXT : SIM_FAULT_TEXT);
    if (!plan_text(&r->stream->plan, op, text_make))
        r->stream->plan.act = SIM_FAULT_NONE;
    return true;
}

static bool do_error_event(struct sim_request *r, const json_t *op)
{
    plan_trigger(r, op, SIM_FAULT_LAST_TEXT);
    if (!plan_text(&r->stream->plan, op, error_event_make))
        r->stream->plan.act = SIM_FAULT_NONE;
    return true;
}

static bool do_drop_initial_end(struct sim_request *r, const json_t *op KS_UNUSED)
{
    r->stream->plan.drop_initial_end = true;
    return true;
}

static bool do_stall(struct sim_request *r, const json_t *op)
{
    sim_conn_stall(r->stream->conn, int_of(op, "ms", 0));
    return true;
}

static const struct {
    const char *name;
    bool (*act)(struct sim_request *r, const json_t *op);
} deeds[] = {
    {"status", do_status},
    {"gone", do_gone},
    {"reset", do_reset},
    {"close", do_close},
    {"goaway", do_goaway},
    {"hang", do_hang},
    {"delay", do_delay},
    {"slow", do_slow},
    {"truncate", do_truncate},
    {"garbage", do_garbage},
    {"error-event", do_error_event},
    {"drop-initial-end", do_drop_initial_end},
    {"stall", do_stall},
};

ks_rc sim_faults_add(struct sim_faults *f, const json_t *op, struct ks_error *err)
{
    const char *deed = sim_json_text(op, "do");
    const char *h2_error = json_string_value(json_object_get(op, "error"));
    bool is_known = false;
    uint32_t code;
    struct rule *r;

    for (size_t i = 0; i < KS_ARRAY_LEN(deeds); i++)
        is_known |= strcmp(deeds[i].name, deed) == 0;
    if (!is_known)
        return ks_fail(err, KS_RC_INVALID, "op fault: \"do\":\"%s\" is not known", deed);
    if (h2_error && !sim_h2_error_parse(h2_error, &code))
        return ks_fail(err, KS_RC_INVALID, "op fault: \"error\":\"%s\" is no HTTP/2 error",
                       h2_error);
    if (f->len >= FAULT_RULES_MAX)
        return ks_fail(err, KS_RC_LIMIT, "op fault: there are %d rules already", FAULT_RULES_MAX);
    r = ks_alloc0(sizeof(*r));
    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "op fault");
    r->op = json_deep_copy(op);
    ks_list_push(&f->rules, &r->link);
    f->len++;
    if (r->op)
        return KS_RC_OK;
    rule_free(f, r);
    return ks_fail(err, KS_RC_NOMEM, "op fault");
}

static bool text_contains(struct ks_str text, const char *part)
{
    return memmem(text.ptr ? text.ptr : "", text.len, part, strlen(part)) != NULL;
}

static bool query_has_watch(struct ks_str query)
{
    return text_contains(query, "watch=1") || text_contains(query, "watch=true");
}

static bool rule_matches(const struct rule *rule, const struct sim_request *r)
{
    const json_t *m = json_object_get(rule->op, "match");
    const char *method = json_string_value(json_object_get(m, "method"));
    const char *path = json_string_value(json_object_get(m, "path"));
    const char *user = json_string_value(json_object_get(m, "user"));
    const json_t *watch = json_object_get(m, "watch");

    if ((method && !ks_str_is(r->method, method)) || (path && !ks_str_is(r->path, path)))
        return false;
    if (user && (!r->identity || strcmp(r->identity->user, user) != 0))
        return false;
    if (watch && json_is_true(watch) != query_has_watch(r->query))
        return false;
    return ks_str_starts(r->path, ks_str_from(sim_json_text(m, "path_prefix"))) &&
           text_contains(r->path, sim_json_text(m, "path_contains")) &&
           text_contains(r->query, sim_json_text(m, "query_contains"));
}

/* Counts the match; whether the rule acts this time. */
static bool rule_takes(struct rule *rule)
{
    const json_t *m = json_object_get(rule->op, "match");
    int64_t times = int_of(m, "times", 1);

    rule->seen++;
    if (rule->seen < int_of(m, "nth", 1) || (times > 0 && rule->used >= times))
        return false;
    rule->used++;
    return true;
}

static bool rule_act(struct rule *rule, struct sim_request *r)
{
    const char *deed = sim_json_text(rule->op, "do");

    sim_log_entry_set_fault(r->stream->entry, deed);
    for (size_t i = 0; i < KS_ARRAY_LEN(deeds); i++) {
        if (strcmp(deeds[i].name, deed) == 0)
            return deeds[i].act(r, rule->op);
    }
    return true;
}

bool sim_faults_apply(struct sim_faults *f, struct sim_request *r)
{
    r->fault_decided = true;
    KS_LIST_FOREACH(link, &f->rules)
    {
        struct rule *rule = KS_CONTAINER_OF(link, struct rule, link);

        if (rule_matches(rule, r) && rule_takes(rule))
            return rule_act(rule, r);
    }
    return true;
}
