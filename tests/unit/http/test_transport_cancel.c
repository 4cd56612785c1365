/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport against a real TLS server that misbehaves on command (tests/support/h2server.h):
 * Cancelling and freeing, at any moment.
 *
 * Thread: the test's, which is the loop's; the server has its own.
 */
#include "support/h2server_fixture.h"

static void cancels_in_every_state(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    /* Queued. */
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    call_cancel(&f->many[0]);
    assert_int_equal(fixture_stats(f).requests, 0);
    /* Connecting. */
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    (void)ks_loop_turn(f->loop);
    (void)ks_loop_turn(f->loop);
    call_cancel(&f->many[0]);
    assert_int_equal(fixture_stats(f).requests, 0);
    /* Sent. */
    h2server_hold(f->server, true);
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, server_holds, 1);
    call_cancel(&f->many[0]);
    fixture_run_until(f, server_has_streams, 0);
    h2server_hold(f->server, false);
    /* Answered. */
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 1);
    call_cancel(&f->many[0]);
    fixture_run_until(f, server_has_connections, 0);
    assert_int_equal(f->many[0].ends, 0);
    ks_http_cancel(NULL);
    fixture_free(f);
}

/* The connection is kept for the others; the reset must not wait for one of them to say something.
 */
static void resets_the_stream_of_one_among_many(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 5; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 5);
    for (int i = 0; i < 4; i++) {
        call_cancel(&f->many[i]);
        fixture_run_until(f, server_has_resets, i + 1);
        assert_int_equal(h2server_count(f->server).streams, 4 - i);
    }
    assert_int_equal(h2server_count(f->server).connections, 1);
    assert_int_equal(h2server_count(f->server).requests, 5); /* no probe helped */
    fixture_free(f);
}

static void cancels_itself_from_its_callbacks(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    f->many[0].to_cancel_on_head = &f->many[0];
    call_start(f, &f->many[0], KS_HTTP_LANE_WATCH, "/size/1000000");
    fixture_run_until(f, all_ended, 1);
    assert_int_equal(f->many[0].body.len, 0);

    f->many[1].to_cancel_on_data = &f->many[1];
    call_start(f, &f->many[1], KS_HTTP_LANE_WATCH, "/size/1000000");
    fixture_run_until(f, all_ended, 2);
    assert_true(f->many[1].body.len > 0 && f->many[1].body.len < 1000000);

    f->many[2].to_cancel_on_end = &f->many[2]; /* no-op by then */
    call_start(f, &f->many[2], KS_HTTP_LANE_WATCH, "/size/100");
    fixture_run_until(f, all_ended, 3);
    fixture_run_until(f, server_has_streams, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(f->many[i].ends, 0);
    assert_int_equal(fixture_stats(f).requests, 0);
    fixture_free(f);
}

static void cancels_others_from_callbacks(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 6; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    fixture_run_until(f, all_have_heads, 6);
    f->many[0].to_cancel_on_data = &f->many[1];
    f->many[2].to_cancel_on_end = &f->many[3];
    f->many[4].to_start_on_end = &f->many[6];
    h2server_say(f->server, "{}\n");
    fixture_run_until(f, one_has_data, 0);
    fixture_run_until(f, one_has_data, 5);
    assert_int_equal(f->many[1].ends, 0);
    h2server_cut(f->server); /* all end together; some are cancelled meanwhile */
    fixture_run_until(f, all_ended, 6);
    assert_int_equal(f->many[0].ends, 1);
    assert_int_equal(f->many[2].ends, 1);
    fixture_run_until(f, all_ended, 7);
    assert_int_equal(f->many[6].result.rc, KS_RC_OK);
    fixture_free(f);
}

static void survives_random_cancels(void **state)
{
    static const char *const paths[] = {"/watch", "/echo",       "/size/20000", "/silent",
                                        "/rst/0", "/status/404", "/endless"};
    struct fixture *f = fixture_new();
    int cancelled = 0;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct call *p = &f->many[ks_random_below(100)];

        if (p->request) {
            call_cancel(p);
            cancelled++;
        } else {
            p->heads = 0;
            p->ends = 0;
            ks_buf_clear(&p->body);
            call_start(f, p, (ks_http_lane)(ks_random_below(2)),
                       paths[ks_random_below(KS_ARRAY_LEN(paths))]);
        }
        if (ks_random_below(500) == 0)
            h2server_goaway(f->server, INT32_MAX);
        if (ks_random_below(700) == 0)
            h2server_cut(f->server);
        if (round % 4 == 0)
            (void)ks_loop_turn(f->loop);
    }
    assert_true(cancelled > 100);
    for (int i = 0; i < 100; i++)
        call_cancel(&f->many[i]);
    for (int i = 0; i < 5; i++)
        (void)ks_loop_turn(f->loop);
    assert_int_equal(fixture_stats(f).requests, 0);
    fixture_run_until(f, server_has_streams, 0);
    fixture_free(f);
}

static void frees_all_at_once(void **state)
{
    const int fds = fixture_count_fds();
    struct fixture *f = fixture_new();
    const int fds_idle = fixture_count_fds();

    (void)state;
    for (int i = 0; i < 150; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    for (int i = 150; i < 250; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_REQUEST, "/silent");
    fixture_run_until(f, all_have_heads, 150);
    assert_true(fixture_count_fds() > fds_idle);
    f->http = ks_http_free(f->http);
    fixture_run_until(f, server_has_connections, 0); /* the server's ends are in this process too */
    assert_int_equal(fixture_count_fds(), fds_idle);
    for (int i = 0; i < 250; i++)
        assert_int_equal(f->many[i].ends, 0);
    fixture_free(f);
    assert_int_equal(fixture_count_fds(), fds);
}

static void frees_while_connecting(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    h2server_freeze(f->server, true);
    for (int i = 0; i < 20; i++)
        call_start(f, &f->many[i], KS_HTTP_LANE_WATCH, "/watch");
    for (int i = 0; i < 5; i++)
        (void)ks_loop_turn(f->loop);
    assert_int_equal(fixture_stats(f).connections, 1);
    f->http = ks_http_free(f->http);
    h2server_freeze(f->server, false);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancels_in_every_state),
        cmocka_unit_test(resets_the_stream_of_one_among_many),
        cmocka_unit_test(cancels_itself_from_its_callbacks),
        cmocka_unit_test(cancels_others_from_callbacks),
        cmocka_unit_test(survives_random_cancels),
        cmocka_unit_test(frees_all_at_once),
        cmocka_unit_test(frees_while_connecting),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
