/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport against a real TLS server that misbehaves on command (tests/support/h2server.h):
 * Connections that die, loudly or not.
 *
 * Thread: the test's, which is the loop's; the server has its own.
 */
#include "support/h2server_fixture.h"

static void ends_with_io_when_the_server_dies(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 100; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 100);
    h2server_cut(f->server);
    fixture_run_until(f, all_ended, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_IO);
        assert_false(f->many[i].result.is_before_head);
        assert_non_null(strstr(f->many[i].result.error.msg, "lost"));
    }
    assert_int_equal(fixture_stats(f).shards, 0);
    assert_int_equal(fixture_stats(f).connections, 0);
    /* And the endpoint is usable again. */
    call_start(f, &f->many[100], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 101);
    fixture_free(f);
}

static void ends_one_stream_that_is_reset(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/rst/0"); /* NO_ERROR */
    call_start(f, &f->many[2], KS_HTTP_LANE_WATCH, "/rst/2"); /* INTERNAL_ERROR */
    fixture_run_until(f, all_have_heads, 3);
    fixture_run_until(f, one_has_data, 1);
    fixture_run_until(f, one_has_data, 2);
    h2server_reset(f->server);
    fixture_run_until(f, one_ended, 1);
    fixture_run_until(f, one_ended, 2);
    /* libcurl takes the first for an end: completeness is the JSON text's to tell. */
    assert_int_equal(f->many[1].result.rc, KS_RC_OK);
    assert_string_equal(f->many[1].body.data, "{\"half\":");
    assert_int_equal(f->many[2].result.rc, KS_RC_IO);
    assert_int_equal(f->many[0].ends, 0);

    /* The third within a minute takes the connection with it. */
    call_start(f, &f->many[3], KS_HTTP_LANE_WATCH, "/rst/2");
    call_start(f, &f->many[4], KS_HTTP_LANE_WATCH, "/rst/2");
    fixture_run_until(f, one_has_data, 3);
    fixture_run_until(f, one_has_data, 4);
    h2server_reset(f->server);
    fixture_run_until(f, all_ended, 5);
    assert_int_equal(f->many[0].result.rc, KS_RC_IO);
    fixture_free(f);
}

static void destroys_a_half_open_connection(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.probe_idle_ms = 100;
    f->config.probe_timeout_ms = 200;
    fixture_open(f);
    for (int i = 0; i < 10; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 10);
    h2server_freeze(f->server, true);
    fixture_run_until(f, all_ended, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_IO);
        assert_non_null(strstr(f->many[i].result.error.msg, "probe"));
    }
    h2server_freeze(f->server, false);
    fixture_free(f);
}

static void keeps_a_quiet_connection_that_answers(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.probe_idle_ms = 20;
    f->config.probe_timeout_ms = PATIENCE_MS;
    fixture_open(f);
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, server_saw_requests, 6); /* five probes */
    assert_int_equal(f->many[0].ends, 0);
    assert_int_equal(fixture_stats(f).requests, 1);
    assert_int_equal(h2server_count(f->server).accepted, 1);
    fixture_free(f);
}

static void times_out(void **state)
{
    struct fixture *f = fixture_new();
    struct ks_http_request_config config;

    (void)state;
    config = call_config(&f->many[0], KS_HTTP_LANE_REQUEST, "/silent");
    config.head_timeout_ms = 50;
    call_start_config(f, &f->many[0], &config);
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].result.rc, KS_RC_TIMEOUT);
    assert_true(f->many[0].result.is_before_head);

    config = call_config(&f->many[1], KS_HTTP_LANE_REQUEST, "/endless");
    config.timeout_ms = 1000;
    call_start_config(f, &f->many[1], &config);
    fixture_run_until(f, all_ended, 2);
    assert_int_equal(f->many[1].result.rc, KS_RC_TIMEOUT);
    assert_false(f->many[1].result.is_before_head);

    /* A watch that outlives its time tells that its connection is dead. */
    call_start(f, &f->many[2], KS_HTTP_LANE_WATCH, "/watch");
    config = call_config(&f->many[3], KS_HTTP_LANE_WATCH, "/watch");
    config.timeout_ms = 1000;
    call_start_config(f, &f->many[3], &config);
    fixture_run_until(f, all_ended, 4);
    assert_int_equal(f->many[3].result.rc, KS_RC_TIMEOUT);
    assert_int_equal(f->many[2].result.rc, KS_RC_IO);
    fixture_free(f);
}

static void probes_after_an_unanswered_request(void **state)
{
    struct fixture *f = fixture_new();
    struct ks_http_request_config config;

    (void)state;
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, server_saw_requests, 1);
    fixture_run_until(f, one_has_head, 1);
    config = call_config(&f->many[0], KS_HTTP_LANE_WATCH, "/silent");
    config.head_timeout_ms = 50;
    call_start_config(f, &f->many[0], &config);
    fixture_run_until(f, all_ended, 1);
    fixture_run_until(f, server_saw_requests, 3);
    fixture_run_a_little(f);
    assert_int_equal(f->many[1].ends, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_io_when_the_server_dies),
        cmocka_unit_test(ends_one_stream_that_is_reset),
        cmocka_unit_test(destroys_a_half_open_connection),
        cmocka_unit_test(keeps_a_quiet_connection_that_answers),
        cmocka_unit_test(times_out),
        cmocka_unit_test(probes_after_an_unanswered_request),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
