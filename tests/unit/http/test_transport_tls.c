/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport against a real TLS server that misbehaves on command (tests/support/h2server.h):
 * Connecting: certificates, names, and what is told when it fails.
 *
 * Thread: the test's, which is the loop's; the server has its own.
 */
#include "support/h2server_fixture.h"

/* What one request is told that cannot get through. */
static void expect_failure(const struct h2server_config *server, const char *ca, ks_rc rc,
                           const char *said)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    struct call *p;

    assert_non_null(f);
    fixture_init(f, server);
    f->config.ca_pem = ca;
    fixture_open(f);
    p = &f->many[0];
    call_start(f, p, KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(p->result.rc, rc);
    assert_true(p->result.is_before_head);
    if (!strstr(p->result.error.msg, said))
        fail_msg("'%s' is not in '%s'", said, p->result.error.msg);
    assert_non_null(strstr(p->result.error.msg, "127.0.0.1:"));
    assert_int_equal(h2server_count(f->server).requests, 0);
    fixture_free(f);
}

static void tells_what_is_wrong_with_a_certificate(void **state)
{
    struct h2server_cert other;

    (void)state;
    h2server_cert_init(&other, "another authority");
    expect_failure(&(struct h2server_config){.protocol = H2SERVER_H2}, other.ca, KS_RC_IO,
                   "not trusted");
    expect_failure(&(struct h2server_config){.protocol = H2SERVER_H2}, NULL, KS_RC_IO,
                   "not trusted");
    expect_failure(&(struct h2server_config){.cert = fixture_certs.expired_cert}, fixture_certs.ca,
                   KS_RC_IO, "expired");
    expect_failure(&(struct h2server_config){.cert = fixture_certs.misnamed_cert}, fixture_certs.ca,
                   KS_RC_IO, "name");
    expect_failure(&(struct h2server_config){.client_ca = fixture_certs.ca}, fixture_certs.ca,
                   KS_RC_IO, "connection was lost");
    expect_failure(&(struct h2server_config){.protocol = H2SERVER_H2}, "no pem", KS_RC_CONFIG,
                   "authority");
    h2server_cert_fini(&other);
}

static void connects_under_another_tls_name(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    char host[64];

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.cert = fixture_certs.misnamed_cert});
    f->config.tls_server_name = "api.example.test";
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    (void)snprintf(host, sizeof(host), ":authority: 127.0.0.1:%d\n", h2server_port(f->server));
    assert_true(call_has(&f->many[0], host));
    fixture_free(f);
}

static void skips_verification_when_told(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.cert = fixture_certs.expired_cert});
    f->config.ca_pem = NULL;
    f->config.is_insecure = true;
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    fixture_free(f);
}

static void shows_its_certificate(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.client_ca = fixture_certs.ca});
    f->config.cert_pem = fixture_certs.cert;
    f->config.key_pem = fixture_certs.key;
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    f->http = ks_http_free(f->http);

    f->config.key_pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fixture_open(f);
    call_start(f, &f->many[1], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 2);
    assert_int_equal(f->many[1].result.rc, KS_RC_CONFIG);
    assert_null(strstr(f->many[1].result.error.msg, "AAAA"));
    fixture_free(f);
}

static void suspects_its_certificate_that_has_expired(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    const struct ks_http_result *result;

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.client_ca = fixture_certs.ca});
    f->config.cert_pem = fixture_certs.expired_cert;
    f->config.key_pem = fixture_certs.key;
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    result = &f->many[0].result;
    assert_int_equal(result->rc, KS_RC_IO);
    if (!strstr(result->error.msg, "check that the client certificate has not expired"))
        fail_msg("it says '%s'", result->error.msg);
    assert_int_equal(h2server_count(f->server).requests, 0);
    fixture_free(f);
}

static void names_the_proxy_that_does_not_answer(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    f->http = ks_http_free(f->http);
    f->config.proxy_url = "http://user:s3cret@127.0.0.1:1";
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_IO);
    assert_non_null(
        strstr(f->many[0].result.error.msg, "its proxy http://127.0.0.1:1: connection refused"));
    assert_null(strstr(f->many[0].result.error.msg, "s3cret"));
    fixture_free(f);
}

static void tells_that_nothing_listens(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    h2server_stop(KS_TAKE(f->server));
    for (int i = 0; i < 50; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_ended, 50);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_IO);
        assert_true(f->many[i].result.is_before_head);
        assert_non_null(strstr(f->many[i].result.error.msg, "connection refused"));
    }
    assert_int_equal(fixture_stats(f).connects, 1); /* the others learned from it */
    assert_int_equal(fixture_stats(f).shards, 0);
    fixture_free(f);
}

static void tells_that_a_name_does_not_resolve(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.url = "https://no-such-host.invalid:6443";
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_IO);
    assert_non_null(strstr(f->many[0].result.error.msg, "resolve"));
    fixture_free(f);
}

static void gives_up_a_connect_that_hangs(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.connect_timeout_ms = 200;
    fixture_open(f);
    h2server_freeze(f->server, true); /* the kernel accepts, TLS does not begin */
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_ended, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_IO);
        assert_true(f->many[i].result.is_before_head);
    }
    h2server_freeze(f->server, false);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_wrong_with_a_certificate),
        cmocka_unit_test(connects_under_another_tls_name),
        cmocka_unit_test(skips_verification_when_told),
        cmocka_unit_test(shows_its_certificate),
        cmocka_unit_test(suspects_its_certificate_that_has_expired),
        cmocka_unit_test(tells_that_nothing_listens),
        cmocka_unit_test(names_the_proxy_that_does_not_answer),
        cmocka_unit_test(tells_that_a_name_does_not_resolve),
        cmocka_unit_test(gives_up_a_connect_that_hangs),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
