/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport against a real TLS server that misbehaves on command (tests/support/h2server.h):
 * Which connection a request goes to, and when a connection is left.
 *
 * Thread: the test's, which is the loop's; the server has its own.
 */
#include "support/h2server_fixture.h"

static void spreads_watches_over_shards(void **state)
{
    struct fixture *f = fixture_new();
    struct h2server_counts counts;

    (void)state;
    for (int i = 0; i < 200; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 200);
    counts = h2server_count(f->server);
    assert_int_equal(counts.accepted, 4); /* 64 each at most */
    assert_true(counts.most_streams <= 64);
    assert_int_equal(counts.streams, 200);
    assert_int_equal(fixture_stats(f).shards, 4);
    assert_int_equal(fixture_stats(f).connections, 4);
    assert_int_equal(fixture_stats(f).requests, 200);
    assert_int_equal(fixture_stats(f).queued, 0);

    h2server_say(f->server, "{\"type\":\"ADDED\"}\n");
    fixture_run_until(f, all_have_data, 200);
    h2server_end(f->server);
    fixture_run_until(f, all_ended, 200);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
        assert_string_equal(f->many[i].body.data, "{\"type\":\"ADDED\"}\n");
    }
    fixture_run_until(f, has_shards, 0); /* idle ones go */
    fixture_run_until(f, server_has_connections, 0);
    assert_int_equal(h2server_count(f->server).accepted, 4);
    fixture_free(f);
}

static void keeps_requests_apart_from_watches(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 1);
    call_start(f, &f->many[0 + 1], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_have_heads, 2);
    assert_int_equal(h2server_count(f->server).accepted, 2);
    fixture_free(f);
}

static void limits_unanswered_requests(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    h2server_hold(f->server, true);
    for (int i = 0; i < 30; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, server_holds, 1);
    fixture_run_a_little(f);
    assert_int_equal(h2server_count(f->server).held, 1); /* alone until its head comes */
    assert_int_equal(fixture_stats(f).queued, 29);

    h2server_let_go(f->server, 1);
    fixture_run_until(f, server_holds, 8);
    fixture_run_a_little(f);
    assert_int_equal(h2server_count(f->server).held, 8);
    assert_int_equal(fixture_stats(f).queued, 21);

    h2server_let_go(f->server, 3);
    fixture_run_until(f, all_have_heads, 4);
    fixture_run_until(f, server_holds, 8);
    assert_int_equal(fixture_stats(f).queued, 18);
    h2server_hold(f->server, false);
    fixture_run_until(f, all_have_heads, 30);
    assert_int_equal(h2server_count(f->server).accepted, 1);
    fixture_free(f);
}

/* libcurl 7.88.1 would lose the ends of some if they shared a connection. */
static void ends_all_of_many_large_bodies(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 40; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_REQUEST, "/size/300000");
    fixture_run_until(f, all_ended, 40);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
        assert_int_equal(f->many[i].body.len, 300000);
    }
    assert_true(h2server_count(f->server).accepted <= 8);
    assert_int_equal(h2server_count(f->server).most_streams, 1);
    fixture_free(f);
}

static bool all_have_all_data(struct fixture *f, int64_t len)
{
    for (int i = 0; i < 40; i++) {
        if (f->many[i].body.len < (size_t)len)
            return false;
    }
    return true;
}

/* Watches do share one: whatever libcurl held back must come without the server saying more. */
static void holds_nothing_back_on_a_shared_connection(void **state)
{
    struct fixture *f = fixture_new();
    static char text[60001];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 40; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 40);
    for (int round = 1; round <= 5; round++) {
        h2server_say(f->server, text);
        fixture_run_until(f, all_have_all_data, round * 60000);
    }
    assert_int_equal(h2server_count(f->server).requests, 40); /* no probe helped */
    fixture_free(f);
}

static void answers_many_requests_at_once(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 300; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_REQUEST, "/size/1000");
    fixture_run_until(f, all_ended, 300);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
        assert_int_equal(f->many[i].body.len, 1000);
    }
    assert_true(h2server_count(f->server).accepted <= 16);
    fixture_free(f);
}

static void retires_a_connection_after_goaway(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 20; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 20);
    h2server_goaway(f->server, INT32_MAX);
    for (int i = 20; i < 30; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 30);
    /* The old streams live on, the new ones are elsewhere, on few connections. */
    assert_true(h2server_count(f->server).accepted <= 11);
    assert_int_equal(fixture_stats(f).requests, 30);
    for (int i = 0; i < 20; i++)
        assert_int_equal(f->many[i].ends, 0);
    h2server_say(f->server, "{}\n");
    fixture_run_until(f, all_have_data, 30);
    h2server_end(f->server);
    fixture_run_until(f, all_ended, 30);
    for (int i = 0; i < 30; i++)
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
    fixture_run_until(f, has_shards, 0);
    fixture_free(f);
}

/* Both old watches have been moved; until then the server speaks, so that it is not taken for dead.
 */
static bool old_ones_moved(struct fixture *f, int64_t arg)
{
    (void)arg; /* the form of a condition */
    h2server_say(f->server, "{}\n");
    return one_ended(f, 0) && one_ended(f, 1);
}

static void moves_watches_off_a_retiring_connection(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.probe_idle_ms = 300;
    fixture_open(f);
    for (int i = 0; i < 2; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 2);
    h2server_goaway(f->server, INT32_MAX);
    fixture_run_a_little(f); /* libcurl sees it, and tells nobody */
    call_start(f, &f->many[2], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 3);
    assert_int_equal(h2server_count(f->server).accepted, 2);
    fixture_run_until(f, old_ones_moved, 0);
    assert_int_equal(f->many[0].result.rc, KS_RC_OK);
    assert_int_equal(f->many[1].result.rc, KS_RC_OK);
    fixture_free(f);
}

static void destroys_a_silent_retiring_connection(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_H2});
    f->config.probe_idle_ms = 700;
    fixture_open(f);
    for (int i = 0; i < 3; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 3);
    h2server_goaway(f->server, INT32_MAX);
    fixture_run_a_little(f);
    call_start(f, &f->many[3], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 4);
    h2server_freeze(f->server, true);
    fixture_run_until(f, all_ended, 4);
    h2server_freeze(f->server, false);
    fixture_free(f);
}

static bool one_has_head_or_ended(struct fixture *f, int64_t index)
{
    return one_has_head(f, index) || one_ended(f, index);
}

static void retries_what_a_goaway_refused(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 1);
    h2server_hold(f->server, true);
    for (int i = 1; i < 6; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, server_holds, 5);
    h2server_goaway(f->server, 1); /* the first stream alone was taken */
    h2server_hold(f->server, false);
    for (int i = 0; i < 6; i++) {
        /* libcurl repeats them itself, or they end in a way that tells the owner to. */
        fixture_run_until(f, one_has_head_or_ended, i);
        assert_true(f->many[i].heads || f->many[i].result.rc == KS_RC_IO);
    }
    fixture_free(f);
}

static void finds_a_small_stream_limit(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.max_streams = 5});
    fixture_open(f);
    for (int i = 0; i < 24; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 24);
    assert_true(h2server_count(f->server).most_streams <= 5);
    fixture_free(f);
}

static void reconnects_after_the_server_closed_an_idle_connection(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    call_start(f, &f->many[0], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 1);
    h2server_cut(f->server);
    fixture_run_until(f, server_has_connections, 0);
    for (int i = 1; i < 5; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_REQUEST, "/echo");
    fixture_run_until(f, all_ended, 5);
    for (int i = 1; i < 5; i++)
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);
    assert_int_equal(fixture_stats(f).connections, fixture_stats(f).shards);
    assert_true(h2server_count(f->server).accepted <= 5);
    fixture_free(f);
}

static void falls_back_to_http1(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    (void)state;
    assert_non_null(f);
    fixture_init(f, &(struct h2server_config){.protocol = H2SERVER_HTTP1_TLS});
    f->config.probe_idle_ms = 50;
    fixture_open(f);
    for (int i = 0; i < 40; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 32);
    fixture_run_a_little(f);
    assert_int_equal(fixture_stats(f).queued, 8);
    assert_int_equal(fixture_stats(f).connections, 32);
    assert_int_equal(fixture_stats(f).shards, 1);
    call_cancel(&f->many[0]);
    fixture_run_until(f, all_have_heads, 33); /* its place is taken */
    for (int i = 33; i < 40; i++)
        call_cancel(&f->many[i]);
    h2server_say(f->server, "{}\n");
    fixture_run_until(f, one_has_data, 32);
    h2server_end(f->server);
    fixture_run_until(f, all_ended, 33);
    for (int i = 1; i < 33; i++)
        assert_int_equal(f->many[i].result.rc, KS_RC_OK);

    call_start(f, &f->many[100], KS_HTTP_LANE_REQUEST, "/rst/1");
    fixture_run_until(f, one_has_data, 100);
    h2server_reset(f->server);
    fixture_run_until(f, one_ended, 100);
    assert_int_equal(f->many[100].result.rc, KS_RC_IO);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_watches_over_shards),
        cmocka_unit_test(keeps_requests_apart_from_watches),
        cmocka_unit_test(limits_unanswered_requests),
        cmocka_unit_test(ends_all_of_many_large_bodies),
        cmocka_unit_test(holds_nothing_back_on_a_shared_connection),
        cmocka_unit_test(answers_many_requests_at_once),
        cmocka_unit_test(retires_a_connection_after_goaway),
        cmocka_unit_test(moves_watches_off_a_retiring_connection),
        cmocka_unit_test(destroys_a_silent_retiring_connection),
        cmocka_unit_test(retries_what_a_goaway_refused),
        cmocka_unit_test(finds_a_small_stream_limit),
        cmocka_unit_test(reconnects_after_the_server_closed_an_idle_connection),
        cmocka_unit_test(falls_back_to_http1),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
