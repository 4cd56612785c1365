/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport against a real TLS server that misbehaves on command (tests/support/h2server.h):
 * What one request sends and gets.
 *
 * Thread: the test's, which is the loop's; the server has its own.
 */
#include "support/h2server_fixture.h"

static void answers_a_request(void **state)
{
    struct fixture *f = fixture_new();
    struct call *p = &f->many[0];
    struct ks_http_request_config config = call_config(p, KS_HTTP_LANE_REQUEST, "/echo?a=%20b");

    (void)state;
    config.path = "/echo";
    config.if_none_match = "\"v0\"";
    call_start_config(f, p, &config);
    assert_int_equal(fixture_stats(f).queued, 1); /* never from within start */
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(p->result.rc, KS_RC_OK);
    assert_int_equal(p->status, 200);
    assert_string_equal(p->content_type, "application/json");
    assert_true(call_has(p, ":method: GET\n"));
    assert_true(call_has(p, "authorization: Bearer abc.def\n"));
    assert_true(call_has(p, "accept: application/json\n"));
    assert_true(call_has(p, "accept-encoding: identity\n"));
    assert_true(call_has(p, "user-agent: test/1\n"));
    assert_true(call_has(p, "if-none-match: \"v0\"\n"));
    assert_int_equal(fixture_stats(f).requests, 0);
    assert_int_equal(fixture_stats(f).connections, 1);
    fixture_free(f);
}

static void sends_a_body(void **state)
{
    struct fixture *f = fixture_new();
    struct call *p = &f->many[0];
    struct ks_http_request_config config = call_config(p, KS_HTTP_LANE_REQUEST, "/echo");
    char body[] = "{\"token\":\"t\"}";

    (void)state;
    config.method = "POST";
    config.content_type = "application/json";
    config.body = ks_str_from(body);
    call_start_config(f, p, &config);
    memset(body, 'x', sizeof(body) - 1); /* it has a copy */
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(p->result.rc, KS_RC_OK);
    assert_true(call_has(p, ":method: POST\n"));
    assert_true(call_has(p, "content-type: application/json\n"));
    assert_true(call_has(p, "{\"token\":\"t\"}"));
    assert_false(call_has(p, "expect:"));
    fixture_free(f);
}

static void reports_the_head(void **state)
{
    static const struct {
        const char *path;
        int status;
        int retry_after_s;
        const char *etag;
        const char *body;
    } rows[] = {
        {"/retry", 429, 7, "", "{}"},     {"/etag", 200, -1, "\"v1\"", "{}"},
        {"/interim", 200, -1, "", "{}"},  {"/trailers", 200, -1, "", "{}"},
        {"/status/204", 204, -1, "", ""}, {"/status/304", 304, -1, "", ""},
        {"/status/500", 500, -1, "", ""}, {"/status/301", 301, -1, "", ""},
        {"/status/307", 307, -1, "", ""}, {"/status/308", 308, -1, "", ""},
    };
    struct fixture *f = fixture_new();

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_REQUEST, rows[i].path);
    fixture_run_until(f, all_ended, KS_ARRAY_LEN(rows));
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        const struct call *p = &f->many[i];

        assert_int_equal(p->result.rc, KS_RC_OK);
        assert_int_equal(p->status, rows[i].status);
        assert_int_equal(p->retry_after_s, rows[i].retry_after_s);
        assert_string_equal(p->etag, rows[i].etag);
        assert_string_equal(p->body.data ? p->body.data : "", rows[i].body);
    }
    /* Redirects lead to /echo of the same server: nobody went there. */
    assert_int_equal(h2server_count(f->server).requests, KS_ARRAY_LEN(rows));
    fixture_free(f);
}

static void refuses_an_encoding_that_was_not_asked_for(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/encoded");
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/encoded");
    fixture_run_until(f, all_ended, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_PROTOCOL);
        assert_int_equal(f->many[i].heads, 0);
        assert_int_equal(f->many[i].body.len, 0);
    }
    fixture_free(f);
}

static void carries_a_large_body(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/size/4000000");
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/size/4000000");
    fixture_run_until(f, all_ended, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
        assert_int_equal(f->many[i].body.len, 4000000);
    }
    fixture_free(f);
}

static void refuses_what_could_end_a_header(void **state)
{
    static const char *const values[] = {"Bearer a\r\nImpersonate-Group: system:masters",
                                         "Bearer a\n",
                                         "Bearer \x7f",
                                         "Bearer \xc3\xa9",
                                         " lead",
                                         "trail "};
    static const char *const paths[] = {"", "nodes", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa9"};
    static const char *const methods[] = {"", "get", "GET /x", "G\r\nE"};
    struct fixture *f = fixture_new();
    struct ks_http_request *request = NULL;
    struct ks_http_request_config good = call_config(&f->many[0], KS_HTTP_LANE_REQUEST, "/x");
    struct ks_http_request_config config;
    struct ks_error err;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(values); i++) {
        config = good;
        config.authorization = ks_str_from(values[i]);
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
        config = good;
        config.accept = values[i];
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
        config = good;
        config.if_none_match = values[i];
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
        config = good;
        config.content_type = values[i];
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    }
    config = good;
    config.authorization = ks_str_make("a\0b", 3);
    assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    for (size_t i = 0; i < KS_ARRAY_LEN(paths); i++) {
        config = good;
        config.path = paths[i];
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(methods); i++) {
        config = good;
        config.method = methods[i];
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    }
    config = good;
    config.lane = KS_HTTP_LANE_WATCH;
    config.may_compress = true;
    assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    assert_null(request);
    assert_int_equal(fixture_stats(f).requests, 0);
    assert_int_equal(h2server_count(f->server).accepted, 0);
    fixture_free(f);
}

static void sends_extra_headers_as_they_are(void **state)
{
    static const struct ks_http_header good[] = {
        {"Impersonate-User", {"jane", 4}},
        {"Impersonate-Group", {"a", 1}},
        {"Impersonate-Group", {"b", 1}},
        {"Impersonate-Extra-Acme%2fProject", {"x", 1}},
    };
    static const struct ks_http_header bad[] = {
        {"Impersonate-User", {"", 0}},
        {"Impersonate-User", {"jane\r\nImpersonate-Group: system:masters", 40}},
        {"Impersonate-User", {"a\0b", 3}},
        {"Impersonate-User", {" jane", 5}},
        {"", {"jane", 4}},
        {"Impersonate-User: root\r\nX", {"jane", 4}},
        {"Impersonate User", {"jane", 4}},
    };
    struct fixture *f = fixture_new();
    struct call *c = &f->many[0];
    struct ks_http_request_config config = call_config(c, KS_HTTP_LANE_REQUEST, "/echo");
    struct ks_http_request *request = NULL;
    struct ks_error err;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(bad); i++) {
        config.extra = &bad[i];
        config.extra_count = 1;
        assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    }
    assert_null(request);
    config.extra = good;
    config.extra_count = KS_ARRAY_LEN(good);
    call_start_config(f, c, &config);
    fixture_run_until(f, all_ended, 1);
    assert_true(call_has(c, "impersonate-user: jane\n"));
    assert_true(call_has(c, "impersonate-group: a\n"));
    assert_true(call_has(c, "impersonate-group: b\n"));
    assert_true(call_has(c, "impersonate-extra-acme%2fproject: x\n"));
    assert_int_equal(h2server_count(f->server).requests, 1);
    fixture_free(f);
}

static void refuses_unusable_configurations(void **state)
{
    const struct ks_http_config good = {
        .url = "https://127.0.0.1:1", .user_agent = "test/1", .probe_path = "/version"};
    static const char *const urls[] = {"",
                                       "127.0.0.1",
                                       "ftp://127.0.0.1",
                                       "https://u:p@127.0.0.1",
                                       "https://127.0.0.1/?q",
                                       "https://127.0.0.1/#f",
                                       "https://127.0.0.1\r\nX: y",
                                       "https://"};
    struct ks_http_config config;
    struct ks_http *http = NULL;
    struct ks_loop *loop;
    struct ks_error err;

    (void)state;
    assert_int_equal(ks_loop_new(&ks_clock_real, &loop, NULL), KS_RC_OK);
    for (size_t i = 0; i < KS_ARRAY_LEN(urls); i++) {
        config = good;
        config.url = urls[i];
        assert_int_equal(ks_http_new(loop, &config, &http, &err), KS_RC_CONFIG);
    }
    config = good;
    config.cert_pem = fixture_certs.cert;
    assert_int_equal(ks_http_new(loop, &config, &http, &err), KS_RC_CONFIG);
    config.key_pem = fixture_certs.key;
    config.url = "http://127.0.0.1:1";
    assert_int_equal(ks_http_new(loop, &config, &http, &err), KS_RC_CONFIG);
    config = good;
    config.tls_server_name = "a\r\nb";
    assert_int_equal(ks_http_new(loop, &config, &http, &err), KS_RC_CONFIG);
    config = good;
    config.user_agent = "a\r\nb";
    assert_int_equal(ks_http_new(loop, &config, &http, &err), KS_RC_CONFIG);
    assert_null(http);
    loop = ks_loop_free(loop);
}

static void sends_no_credential_without_tls(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    struct ks_http_request *request = NULL;
    struct ks_http_request_config config;
    struct ks_error err;

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_HTTP1_PLAIN});
    fixture_open(f);
    config = call_config(&f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    assert_int_equal(ks_http_start(f->http, &config, &request, &err), KS_RC_INVALID);
    config.authorization = (struct ks_str){0};
    call_start_config(f, &f->many[0], &config);
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    fixture_free(f);
}

static void ignores_proxies_of_the_environment(void **state)
{
    struct fixture *f;

    (void)state;
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    f = fixture_new();
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    fixture_free(f);
    assert_int_equal(unsetenv("https_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

/* A request under failing allocations: it is refused, or ends in whatever way, once. */
static void torture_request(void *ctx)
{
    struct fixture *f = ctx;
    struct call *p = &f->many[0];
    struct ks_http_request_config config = call_config(p, KS_HTTP_LANE_WATCH, "/echo");
    struct ks_error err;
    struct ks_loop *loop = NULL;

    p->heads = 0;
    p->ends = 0;
    config.timeout_ms = 5000;
    ks_buf_clear(&p->body);
    if (ks_loop_new(&ks_clock_real, &loop, &err)) {
        assert_true(ks_alloc_failed());
        return;
    }
    if (ks_http_new(loop, &f->config, &f->http, &err)) {
        assert_int_equal(err.rc, KS_RC_NOMEM);
    } else if (ks_http_start(f->http, &config, &p->request, &err)) {
        assert_int_equal(err.rc, KS_RC_NOMEM);
    } else {
        while (p->request)
            (void)ks_loop_turn_wait(loop, 5);
        assert_int_equal(p->ends, 1);
        assert_true(p->result.rc == KS_RC_OK || ks_alloc_failed());
    }
    f->http = ks_http_free(f->http);
    loop = ks_loop_free(loop);
}

static void survives_lack_of_memory(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    /* The receiver must not be what fails. */
    assert_int_equal(ks_buf_reserve(&f->many[0].body, 4096), KS_RC_OK);
    assert_true(ks_torture(torture_request, f) > 5);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_request),
        cmocka_unit_test(sends_a_body),
        cmocka_unit_test(reports_the_head),
        cmocka_unit_test(refuses_an_encoding_that_was_not_asked_for),
        cmocka_unit_test(carries_a_large_body),
        cmocka_unit_test(refuses_what_could_end_a_header),
        cmocka_unit_test(sends_extra_headers_as_they_are),
        cmocka_unit_test(refuses_unusable_configurations),
        cmocka_unit_test(sends_no_credential_without_tls),
        cmocka_unit_test(ignores_proxies_of_the_environment),
        cmocka_unit_test(survives_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
