/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against servers that do what the test says: answers, refusals, outages, credentials,
 * cancelling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "kube/client.h"
#include "support/h2server.h"
#include "support/script_server.h"
#include "support/torture.h"

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_kube_config config;
    struct script_server *server;
    struct ks_kube *kube;
    struct h2server *tls;
    struct h2server_cert cert;
    char url[64];
    char token_path[64];
    char ca_path[80];
};

static struct fixture fixture;

/* One request and what became of it. */
struct call {
    struct ks_kube_request *request;
    enum { CANCEL_NEVER, CANCEL_IN_HEAD, CANCEL_IN_DATA, CANCEL_IN_WAITING } cancel;
    unsigned waits;
    unsigned heads;
    unsigned ends;
    int http_status;
    char etag[64];
    char body[4096];
    size_t body_len;
    bool has_failed;
    struct ks_kube_failure failure;
};

static void call_cancel(struct call *c)
{
    ks_kube_request_cancel(c->request);
    c->request = NULL;
}

static void on_waiting(void *ctx, const struct ks_error *err)
{
    struct call *c = ctx;

    assert_true(err->msg[0]);
    c->waits++;
    if (c->cancel == CANCEL_IN_WAITING)
        call_cancel(c);
}

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status)
{
    struct call *c = ctx;

    assert_non_null(content_type);
    c->heads++;
    c->http_status = http_status;
    (void)snprintf(c->etag, sizeof(c->etag), "%s", etag);
    if (c->cancel == CANCEL_IN_HEAD)
        call_cancel(c);
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct call *c = ctx;

    assert_true(c->body_len + bytes.len < sizeof(c->body));
    memcpy(c->body + c->body_len, bytes.ptr, bytes.len);
    c->body_len += bytes.len;
    if (c->cancel == CANCEL_IN_DATA)
        call_cancel(c);
}

static void on_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct call *c = ctx;

    c->ends++;
    c->has_failed = failure != NULL;
    if (failure)
        c->failure = *failure;
    call_cancel(c); /* allowed, and does nothing any more */
}

static const struct ks_kube_request_ops ops = {
    .on_waiting = on_waiting, .on_head = on_head, .on_data = on_data, .on_end = on_end};

static void call_start(struct fixture *f, struct call *c, const char *path)
{
    struct ks_error err = {0};

    if (ks_kube_request_start(f->kube,
                              &(struct ks_kube_request_config){.path = path, .ops = &ops, .ctx = c},
                              &c->request, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(c->ends, 0);
}

/* Turns the loop until *count is at least want; fails after some seconds. */
static void turn_until(struct fixture *f, const unsigned *count, unsigned want)
{
    for (int i = 0; i < 1000 && *count < want; i++)
        ks_loop_turn_wait(f->loop, 10);
    assert_true(*count >= want);
}

static void turn_some(struct fixture *f)
{
    for (int i = 0; i < 10; i++)
        ks_loop_turn_wait(f->loop, 5);
}

static void pass(struct fixture *f, int64_t ms)
{
    ks_clock_test_advance(&f->clock, ms);
    turn_some(f);
}

static void kube_start(struct fixture *f)
{
    struct ks_error err = {0};

    if (ks_kube_new(f->loop, &f->config, NULL, &f->kube, &err))
        fail_msg("%s", err.msg);
}

static int setup_bare(void **state)
{
    struct fixture *f = &fixture;
    int fd;

    *f = (struct fixture){.token_path = "/tmp/ks-client-XXXXXX"};
    ks_clock_test_init(&f->clock, 1790000000000);
    assert_int_equal(ks_loop_new(&f->clock.clock, &f->loop, NULL), KS_RC_OK);
    fd = mkstemp(f->token_path);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(f->ca_path, sizeof(f->ca_path), "%s.ca", f->token_path);
    f->config.origin = (char *)(uintptr_t) "test";
    *state = f;
    return 0;
}

static int setup(void **state)
{
    struct fixture *f;

    setup_bare(state);
    f = *state;
    f->server = script_server_start();
    f->config.server = (char *)(uintptr_t)script_server_url(f->server);
    kube_start(f);
    return 0;
}

/* TLS, and a token from a file. */
static int setup_tls(void **state)
{
    struct fixture *f;

    setup_bare(state);
    f = *state;
    h2server_cert_init(&f->cert, "client test authority");
    f->tls = h2server_start(&(struct h2server_config){
        .protocol = H2SERVER_H2, .cert = f->cert.cert, .key = f->cert.key});
    (void)snprintf(f->url, sizeof(f->url), "https://127.0.0.1:%d", h2server_port(f->tls));
    f->config.server = f->url;
    f->config.ca_pem = f->cert.ca;
    f->config.token_file = f->token_path;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->kube = ks_kube_free(f->kube);
    turn_some(f);
    ks_loop_free(f->loop);
    if (f->server)
        script_server_stop(f->server);
    if (f->tls) {
        h2server_stop(f->tls);
        h2server_cert_fini(&f->cert);
    }
    (void)unlink(f->token_path);
    (void)unlink(f->ca_path);
    return 0;
}

static void token_put(struct fixture *f, const char *token)
{
    assert_int_equal(ks_file_write(f->token_path, ks_str_from(token), NULL), KS_RC_OK);
}

static void answers_arrive_whole(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    script_server_set(
        f->server,
        &(struct script_answer){.path = "/api",
                                .status = 200,
                                .body = "{\"kind\":\"X\"}",
                                .headers = "ETag: \"e1\"\r\nContent-Type: application/json\r\n"});
    call_start(f, &c, "/api");
    turn_until(f, &c.ends, 1);
    assert_false(c.has_failed);
    assert_int_equal(c.heads, 1);
    assert_int_equal(c.http_status, 200);
    assert_string_equal(c.etag, "\"e1\"");
    assert_string_equal(c.body, "{\"kind\":\"X\"}");
    assert_true(script_server_had_header(f->server, "/api", "Accept: application/json"));
    assert_true(script_server_had_header(f->server, "/api", "User-Agent: kstatusd/"));
    assert_false(script_server_had_header(f->server, "/api", "Authorization"));
    assert_true(atomic_load(&ks_kube_stats_of(f->kube)->is_reachable));
    assert_int_equal(atomic_load(&ks_kube_stats_of(f->kube)->requests_total), 1);
    assert_int_equal(atomic_load(&ks_kube_stats_of(f->kube)->failures_total), 0);
    assert_true(atomic_load(&ks_kube_stats_of(f->kube)->connects_total) >= 1);
    assert_int_equal(atomic_load(&ks_kube_stats_of(f->kube)->connections), 1);
    for (int i = 0; i < 100 && atomic_load(&ks_kube_stats_of(f->kube)->connections); i++)
        pass(f, 1000);
    assert_int_equal(atomic_load(&ks_kube_stats_of(f->kube)->connections), 0); /* idle ones close */
}

static void not_modified_is_no_failure(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    script_server_set(f->server, &(struct script_answer){.path = "/api", .status = 304});
    assert_int_equal(ks_kube_request_start(
                         f->kube,
                         &(struct ks_kube_request_config){
                             .path = "/api", .if_none_match = "\"e1\"", .ops = &ops, .ctx = &c},
                         &c.request, NULL),
                     KS_RC_OK);
    turn_until(f, &c.ends, 1);
    assert_false(c.has_failed);
    assert_int_equal(c.http_status, 304);
    assert_true(script_server_had_header(f->server, "/api", "If-None-Match: \"e1\""));
}

static void refusals_are_classified(void **state)
{
    struct fixture *f = *state;
    struct call c = {0}, d = {0}, e = {0};

    script_server_set(
        f->server, &(struct script_answer){.path = "/busy",
                                           .status = 429,
                                           .headers = "Retry-After: 90\r\n",
                                           .body = "{\"kind\":\"Status\",\"message\":\"slow down\","
                                                   "\"reason\":\"TooManyRequests\",\"code\":429}"});
    script_server_set(
        f->server,
        &(struct script_answer){.path = "/moved", .status = 301, .headers = "Location: /api\r\n"});
    call_start(f, &c, "/busy");
    call_start(f, &d, "/nothing");
    call_start(f, &e, "/moved");
    turn_until(f, &c.ends, 1);
    turn_until(f, &d.ends, 1);
    turn_until(f, &e.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_AGAIN);
    assert_int_equal(c.failure.retry_after_ms, 60000);
    assert_string_equal(c.failure.error.msg, "slow down");
    assert_int_equal(c.heads, 0);
    assert_int_equal(c.body_len, 0);
    assert_int_equal(d.failure.rc, KS_RC_NOTFOUND);
    assert_string_equal(d.failure.error.msg, "HTTP 404: 404 page not found");
    assert_int_equal(e.failure.rc, KS_RC_PROTOCOL);
    assert_int_equal(script_server_count(f->server, "/api"), 0);
    assert_int_equal(atomic_load(&ks_kube_stats_of(f->kube)->failures_total), 3);
}

static void paths_that_cannot_be_sent_end_the_request(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    call_start(f, &c, "/a b\r\nX: y");
    turn_until(f, &c.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_INVALID);
    assert_int_equal(script_server_count(f->server, NULL), 0);
}

static void cancelling_is_possible_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct call before = {0}, sent = {0};
    struct call head = {.cancel = CANCEL_IN_HEAD}, data = {.cancel = CANCEL_IN_DATA};

    script_server_set(f->server,
                      &(struct script_answer){.path = "/api", .status = 200, .body = "{}"});
    call_start(f, &before, "/api");
    call_cancel(&before);
    call_start(f, &sent, "/api");
    ks_loop_turn(f->loop);
    call_cancel(&sent);
    call_start(f, &head, "/api");
    call_start(f, &data, "/api");
    turn_until(f, &head.heads, 1);
    turn_until(f, &data.heads, 1);
    turn_some(f);
    assert_int_equal(before.ends + sent.ends + head.ends + data.ends, 0);
    assert_int_equal(before.heads + sent.heads, 0);
    assert_int_equal(head.body_len, 0);
    ks_kube_request_cancel(NULL);
}

/* The client learns of an outage from the first request; the others wait for its end. */
static void requests_wait_for_the_endpoint(void **state)
{
    struct fixture *f = *state;
    struct call first = {0}, second = {0}, leaver = {.cancel = CANCEL_IN_WAITING};
    struct ks_error err = {0};

    script_server_set(f->server,
                      &(struct script_answer){.path = "/api", .status = 200, .body = "{}"});
    script_server_set(f->server,
                      &(struct script_answer){.path = "/version", .status = 200, .body = "{}"});
    assert_false(ks_kube_last_error(f->kube, &err));
    script_server_set_up(f->server, false);
    call_start(f, &first, "/api");
    turn_until(f, &first.ends, 1);
    assert_true(first.failure.is_before_head);
    assert_int_equal(first.failure.http_status, 0);
    assert_true(ks_kube_last_error(f->kube, &err));
    assert_true(err.msg[0]);
    turn_some(f); /* the probe that follows at once fails too */
    call_start(f, &second, "/api");
    call_start(f, &leaver, "/api");
    turn_until(f, &second.waits, 1);
    pass(f, 2000);
    pass(f, 4000);
    assert_int_equal(second.ends, 0);
    assert_int_equal(second.waits, 1);
    assert_int_equal(leaver.waits, 1);
    assert_false(atomic_load(&ks_kube_stats_of(f->kube)->is_reachable));
    for (int i = 0; i < 6; i++)
        pass(f, 4000);
    script_server_set_up(f->server, true);
    pass(f, 4000); /* after an outage of whatever length */
    turn_until(f, &second.ends, 1);
    assert_false(second.has_failed);
    assert_int_equal(leaver.ends, 0);
    assert_int_equal(script_server_count(f->server, "/version"), 1);
    assert_true(atomic_load(&ks_kube_stats_of(f->kube)->is_reachable));
    assert_false(ks_kube_last_error(f->kube, &err));
}

static void one_dead_api_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    struct call dead = {0}, alive = {0};

    script_server_set(f->server, &(struct script_answer){.path = "/apis/dead/v1",
                                                         .status = 503,
                                                         .body = "service unavailable"});
    script_server_set(f->server,
                      &(struct script_answer){.path = "/api", .status = 200, .body = "{}"});
    script_server_set(f->server,
                      &(struct script_answer){.path = "/version", .status = 200, .body = "{}"});
    call_start(f, &dead, "/apis/dead/v1");
    turn_until(f, &dead.ends, 1);
    assert_int_equal(dead.failure.rc, KS_RC_UNAVAILABLE);
    call_start(f, &alive, "/api");
    turn_until(f, &alive.ends, 1);
    assert_false(alive.has_failed);
    assert_int_equal(alive.waits, 0);
    assert_int_equal(script_server_count(f->server, "/version"), 1);
}

static void a_balancer_without_servers_is_an_outage(void **state)
{
    struct fixture *f = *state;
    struct call first = {0}, second = {0};
    struct ks_error err = {0};

    script_server_set(f->server,
                      &(struct script_answer){.path = "/api", .status = 503, .body = "<h1>"});
    script_server_set(f->server,
                      &(struct script_answer){.path = "/version", .status = 503, .body = "<h1>"});
    call_start(f, &first, "/api");
    turn_until(f, &first.ends, 1);
    turn_some(f);
    call_start(f, &second, "/api");
    turn_until(f, &second.waits, 1);
    assert_true(ks_kube_last_error(f->kube, &err));
    assert_non_null(strstr(err.msg, "HTTP 503"));
    assert_int_equal(script_server_count(f->server, "/api"), 1);
    call_cancel(&second);
}

static void a_connection_that_closes_without_an_answer(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    script_server_set(f->server, &(struct script_answer){.path = "/cut", .status = 0});
    call_start(f, &c, "/cut");
    turn_until(f, &c.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_IO);
    assert_true(c.failure.is_before_head);
}

static void bodies_are_sent(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    script_server_set(f->server,
                      &(struct script_answer){.path = "/review", .status = 201, .body = "{}"});
    assert_int_equal(
        ks_kube_request_start(
            f->kube,
            &(struct ks_kube_request_config){
                .method = "POST", .path = "/review", .body = KS_LIT("{}"), .ops = &ops, .ctx = &c},
            &c.request, NULL),
        KS_RC_OK);
    turn_until(f, &c.ends, 1);
    assert_false(c.has_failed);
    assert_int_equal(c.http_status, 201);
    assert_true(script_server_had_header(f->server, "/review", "POST /review"));
    assert_true(script_server_had_header(f->server, "/review", "Content-Type: application/json"));
    assert_true(script_server_had_header(f->server, "/review", "Content-Length: 2"));
}

static void the_credential_of_the_moment_is_sent(void **state)
{
    struct fixture *f = *state;
    struct call c = {0}, d = {0};

    token_put(f, "one");
    kube_start(f);
    call_start(f, &c, "/echo");
    turn_until(f, &c.ends, 1);
    assert_false(c.has_failed);
    assert_non_null(strstr(c.body, "Bearer one"));
    token_put(f, "two");
    pass(f, 60000);
    call_start(f, &d, "/echo");
    turn_until(f, &d.ends, 1);
    assert_non_null(strstr(d.body, "Bearer two"));
}

static void a_refused_credential_is_tried_anew_once(void **state)
{
    struct fixture *f = *state;
    struct call same = {0}, rotated = {0}, taken = {0};
    struct ks_error trouble = {0};

    token_put(f, "one");
    kube_start(f);
    call_start(f, &same, "/status/401");
    turn_until(f, &same.ends, 1);
    assert_int_equal(same.failure.rc, KS_RC_UNAUTHENTICATED);
    assert_int_equal(h2server_count(f->tls).requests, 1);
    assert_true(ks_kube_credential_trouble(f->kube, &trouble));
    assert_non_null(strstr(trouble.msg, "401"));
    assert_non_null(strstr(trouble.msg, "the token in the file "));
    assert_non_null(strstr(trouble.msg, f->token_path));
    call_start(f, &taken, "/echo");
    turn_until(f, &taken.ends, 1);
    assert_false(ks_kube_credential_trouble(f->kube, &trouble));
    token_put(f, "two");
    call_start(f, &rotated, "/status/401");
    turn_until(f, &rotated.ends, 1);
    assert_int_equal(rotated.failure.rc, KS_RC_UNAUTHENTICATED);
    assert_int_equal(rotated.heads, 0);
    assert_int_equal(h2server_count(f->tls).requests, 4);
}

/* The certificate alone says who we are; an expired one is to the API server as none. */
static void a_certificate_that_is_refused_is_named(void **state)
{
    struct fixture *f = *state;
    struct ks_error trouble = {0};
    struct call c = {0};

    f->config.token_file = NULL;
    f->config.cert_pem = f->cert.expired_cert;
    f->config.key_pem = f->cert.key;
    kube_start(f);
    call_start(f, &c, "/status/401");
    turn_until(f, &c.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_UNAUTHENTICATED);
    assert_non_null(strstr(c.failure.error.msg, "the client certificate of "));
    assert_non_null(strstr(c.failure.error.msg, f->config.server));
    assert_non_null(strstr(c.failure.error.msg, "401"));
    assert_true(ks_kube_credential_trouble(f->kube, &trouble));
    assert_non_null(strstr(trouble.msg, "expired"));
}

/* Whatever was sent, the answer to a 401 names it, where it came from, and who refused it. */
static void a_refusal_names_what_was_refused(void **state)
{
    static const struct {
        const char *token, *username, *origin, *says;
    } cases[] = {
        {"t", NULL, "/k, context prod",
         "refused (HTTP 401: credentials not accepted) the token of /k, context prod: it may have"},
        {NULL, "ann", "/k, context prod", "the user name and password of /k, context prod"},
        {NULL, NULL, "/k, context prod", "without credentials: /k, context prod names none"},
    };
    struct fixture *f = *state;

    f->config.token_file = NULL;
    for (size_t i = 0; i < KS_ARRAY_LEN(cases); i++) {
        struct call c = {0};

        f->config.token = (char *)(uintptr_t)cases[i].token;
        f->config.username = (char *)(uintptr_t)cases[i].username;
        f->config.origin = (char *)(uintptr_t)cases[i].origin;
        kube_start(f);
        call_start(f, &c, "/status/401");
        turn_until(f, &c.ends, 1);
        assert_int_equal(c.failure.rc, KS_RC_UNAUTHENTICATED);
        assert_non_null(strstr(c.failure.error.msg, cases[i].says));
        f->kube = ks_kube_free(f->kube);
    }
    f->config.origin = NULL;
}

static void impersonation_goes_with_each_request(void **state)
{
    struct fixture *f = *state;
    char *groups[] = {(char *)(uintptr_t) "dev", (char *)(uintptr_t) "ops team", NULL};
    char *extra[] = {(char *)(uintptr_t) "acme.io/Scope", (char *)(uintptr_t) "all", NULL};
    struct call c = {0};

    token_put(f, "one");
    f->config.as_user = (char *)(uintptr_t) "ann";
    f->config.as_uid = (char *)(uintptr_t) "7";
    f->config.as_groups = groups;
    f->config.as_extra = extra;
    kube_start(f);
    call_start(f, &c, "/echo");
    turn_until(f, &c.ends, 1);
    assert_false(c.has_failed);
    assert_non_null(strstr(c.body, "impersonate-user: ann\n"));
    assert_non_null(strstr(c.body, "impersonate-uid: 7\n"));
    assert_non_null(strstr(c.body, "impersonate-group: dev\n"));
    assert_non_null(strstr(c.body, "impersonate-group: ops team\n"));
    assert_non_null(strstr(c.body, "impersonate-extra-acme.io%2f%53cope: all\n"));
}

static void impersonation_cannot_break_a_header(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    token_put(f, "one");
    f->config.as_user = (char *)(uintptr_t) "ann\r\nImpersonate-Group: system:masters";
    kube_start(f);
    call_start(f, &c, "/echo");
    turn_until(f, &c.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_INVALID);
    assert_int_equal(h2server_count(f->tls).requests, 0);
}

static void without_a_credential_nothing_is_sent(void **state)
{
    struct fixture *f = *state;
    struct call c = {0};

    kube_start(f); /* the file is empty */
    call_start(f, &c, "/echo");
    turn_until(f, &c.ends, 1);
    assert_int_equal(c.failure.rc, KS_RC_UNAUTHENTICATED);
    assert_non_null(strstr(c.failure.error.msg, "is empty"));
    assert_int_equal(h2server_count(f->tls).requests, 0);
}

static void a_changed_ca_file_makes_new_connections(void **state)
{
    struct fixture *f = *state;
    struct call c = {0}, open = {0}, d = {0};
    struct ks_buf changed;

    token_put(f, "one");
    assert_int_equal(ks_file_write(f->ca_path, ks_str_from(f->cert.ca), NULL), KS_RC_OK);
    f->config.ca_file = f->ca_path;
    kube_start(f);
    call_start(f, &c, "/echo");
    turn_until(f, &c.ends, 1);
    call_start(f, &open, "/watch");
    turn_until(f, &open.heads, 1);
    ks_buf_init(&changed, (size_t)1 << 16);
    assert_int_equal(ks_buf_appendf(&changed, "%s\n# rotated\n", f->cert.ca), KS_RC_OK);
    assert_int_equal(ks_file_write(f->ca_path, ks_buf_str(&changed), NULL), KS_RC_OK);
    ks_buf_fini(&changed);
    ks_clock_test_advance(&f->clock, (int64_t)5 * 60 * 1000);
    call_start(f, &d, "/echo");
    turn_until(f, &d.ends, 1);
    assert_false(d.has_failed);
    assert_int_equal(h2server_count(f->tls).accepted, 2);
    call_cancel(&open);
    turn_some(f);
    for (int i = 0; i < 200 && h2server_count(f->tls).connections > 1; i++)
        ks_loop_turn_wait(f->loop, 5);
    assert_int_equal(h2server_count(f->tls).connections,
                     1); /* the old one went with its last request */
}

static void unusable_configurations_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ks_kube *kube = NULL;
    struct ks_error err = {0};

    f->config.server = (char *)(uintptr_t) "gopher://127.0.0.1:1";
    assert_int_equal(ks_kube_new(f->loop, &f->config, NULL, &kube, &err), KS_RC_CONFIG);
    assert_int_equal(strncmp(err.msg, "test: ", 6), 0);
    f->config.server = (char *)(uintptr_t) "https://127.0.0.1:1";
    f->config.token = (char *)(uintptr_t) "a\nb";
    assert_int_equal(ks_kube_new(f->loop, &f->config, NULL, &kube, &err), KS_RC_CONFIG);
    assert_null(kube);
}

static void tortured(void *ctx)
{
    struct fixture *f = ctx;
    struct ks_kube *kube = NULL;
    struct ks_error err = {0};
    struct call c = {0};
    ks_rc rc = ks_kube_new(f->loop, &f->config, NULL, &kube, &err);

    if (!rc)
        rc = ks_kube_request_start(
            kube, &(struct ks_kube_request_config){.path = "/api", .ops = &ops, .ctx = &c},
            &c.request, &err);
    if (rc && rc != KS_RC_NOMEM)
        fail_msg("%s", err.msg);
    if (!rc)
        turn_until(f, &c.ends, 1);
    if (!rc && c.has_failed)
        assert_true(ks_alloc_failed());
    ks_kube_free(kube);
    turn_some(f);
}

static void no_memory_is_told(void **state)
{
    struct fixture *f = *state;

    script_server_set(f->server,
                      &(struct script_answer){.path = "/api", .status = 200, .body = "{}"});
    assert_true(ks_torture(tortured, f) > 5);
}

#define PLAIN(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TLS(fn) cmocka_unit_test_setup_teardown(fn, setup_tls, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(answers_arrive_whole),
        PLAIN(not_modified_is_no_failure),
        PLAIN(refusals_are_classified),
        PLAIN(paths_that_cannot_be_sent_end_the_request),
        PLAIN(cancelling_is_possible_at_any_time),
        PLAIN(requests_wait_for_the_endpoint),
        PLAIN(one_dead_api_does_not_stop_the_others),
        PLAIN(a_balancer_without_servers_is_an_outage),
        PLAIN(a_connection_that_closes_without_an_answer),
        PLAIN(bodies_are_sent),
        TLS(the_credential_of_the_moment_is_sent),
        TLS(a_refused_credential_is_tried_anew_once),
        TLS(a_certificate_that_is_refused_is_named),
        TLS(a_refusal_names_what_was_refused),
        TLS(impersonation_goes_with_each_request),
        TLS(impersonation_cannot_break_a_header),
        TLS(without_a_credential_nothing_is_sent),
        TLS(a_changed_ca_file_makes_new_connections),
        cmocka_unit_test_setup_teardown(unusable_configurations_are_refused, setup_bare, teardown),
        PLAIN(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
