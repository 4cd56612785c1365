/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c mirror_fixture.c */
/*
 * How the reflector follows changes, resumes, and heals. shared/spec: informers 1.5 to 1.8, 3.6, 8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "mirror_fixture.h"
#include "support/torture.h"

#define TOO_LARGE                                                                                  \
    "{\"kind\":\"Status\",\"message\":\"Too large resource version: 10, current: 7\","             \
    "\"reason\":\"Timeout\",\"code\":504}"

/* Behind a lost connection the next request is a probe. */
static void pass_probe(struct fixture *fx)
{
    assert_true(fake_asks(&fx->f, "limit=1"));
    fake_answer(&fx->f, LIST("20", "", ""));
}

static void a_watch_resumes_from_the_last_event(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, EVENT("MODIFIED", "web", "12"));
    fake_advance(&fx->f, 31000);
    fake_data(&fx->f, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deploy");
    fake_break(&fx->f);
    fixture_expect(fx, "+web@12 stale ");
    assert_true(fake_await_request(&fx->f, 1100) <= 1100);
    pass_probe(fx);
    assert_true(fake_asks(&fx->f, "resourceVersion=12"));
    assert_false(fake_asks(&fx->f, "resourceVersionMatch="));
    assert_true(fake_asks(&fx->f, "allowWatchBookmarks=true"));
    assert_int_equal(fake_open(&fx->f)->kind, KS_KUBE_REQUEST_WATCH);
    /* An open stream may still begin with a refusal, so the first event or a second of peace makes
     * it fresh. */
    fake_head(&fx->f);
    fixture_expect(fx, "");
    fake_line(&fx->f, EVENT("MODIFIED", "web", "13"));
    fixture_expect(fx, "+web@13 fresh ");
}

static void a_routine_end_is_no_news(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    for (int i = 0; i < 5; i++) {
        fake_advance(&fx->f, 299 * 1000);
        fake_end(&fx->f);
        assert_true(fake_await_request(&fx->f, 1100) <= 1100);
        assert_true(fake_asks(&fx->f, "resourceVersion=10"));
        fake_head(&fx->f);
    }
    fixture_expect(fx, "");
}

static void peace_after_a_loss_is_fresh(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    pass_probe(fx);
    fake_head(&fx->f);
    fixture_expect(fx, "stale ");
    fake_advance(&fx->f, 1000);
    fixture_expect(fx, "fresh ");
}

/* Fault i33, i34: bookmarks that repeat a version, have none, or look like an object -> nothing. */
static void bookmarks_move_the_position_and_nothing_else(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, BOOKMARK("20"));
    fake_line(&fx->f, BOOKMARK("20"));
    fake_line(&fx->f, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Deployment\","
                      "\"metadata\":{}}}");
    fixture_expect(fx, "");
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=20"));
}

static void a_bookmark_from_the_past_brings_a_new_sync(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, BOOKMARK("8"));
    assert_false(fake_has_open(&fx->f));
    fixture_expect(fx, "reset ");
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_head(&fx->f);
    fake_line(&fx->f, INITIAL_END("8"));
    fixture_expect(fx, "begin end ");
}

static void a_position_that_is_no_number_only_moves(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, EVENT("MODIFIED", "web", "73/73"));
    fake_line(&fx->f, EVENT("MODIFIED", "web", "72/1"));
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=72%2F1"));
}

static void a_position_of_zero_means_a_sync(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, EVENT("MODIFIED", "web", "0"));
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
}

static void what_is_not_ours_is_ignored_and_does_not_advance(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Secret\",\"metadata\":{"
                      "\"name\":\"s\",\"namespace\":\"default\",\"resourceVersion\":\"50\"}}}");
    fake_line(&fx->f, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
                      "\"name\":\"s\",\"namespace\":\"other\",\"resourceVersion\":\"51\"}}}");
    fake_line(&fx->f, "{\"type\":\"EXPLODED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
                      "\"name\":\"s\",\"namespace\":\"default\",\"resourceVersion\":\"52\"}}}");
    fake_line(&fx->f, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
                      "\"namespace\":\"default\",\"resourceVersion\":\"53\"}}}");
    fixture_expect(fx, "");
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

static void the_type_may_stand_behind_the_object(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, "{\"object\":" OBJECT("web", "11") ",\"type\":\"DELETED\"}");
    fixture_expect(fx, "-web@11 ");
}

static void expired_history_costs_one_sync(void **state)
{
    struct fixture *fx = *state;
    unsigned requests;

    fixture_sync(fx);
    for (int i = 0; i < 100; i++)
        fake_line(&fx->f, EVENT("MODIFIED", "web", "11"));
    fx->len = 0;
    requests = fx->f.count;
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    assert_true(fake_asks(&fx->f, "resourceVersion=11"));
    fake_head(&fx->f);
    fake_line(&fx->f, INITIAL_END("90"));
    fake_advance(&fx->f, 60000);
    assert_int_equal(fx->f.count, requests + 1);
    fixture_expect(fx, "begin end ");
}

static void history_that_expires_each_time_is_waited_out(void **state)
{
    struct fixture *fx = *state;
    int64_t took_ms = 0;

    fixture_sync(fx);
    for (int i = 0; i < 5; i++) {
        fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
        took_ms = fake_await_request(&fx->f, 60000);
        fake_head(&fx->f);
        fake_line(&fx->f, INITIAL_END("90"));
    }
    assert_true(took_ms >= 6400);
}

/* Fault i13: 410 at the start of a watch -> nothing, as a list brings what changed. */
static void expired_history_may_be_told_by_the_status(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    pass_probe(fx);
    fake_refuse(&fx->f, 410, STATUS("Gone", "410"));
    (void)fake_await_request(&fx->f, 4000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

static void a_refused_position_is_given_up(void **state)
{
    static const char *const bodies[] = {
        TOO_LARGE,
        "{\"kind\":\"Status\",\"message\":\"resourceVersion: Invalid value: \\\"10\\\": odd\","
        "\"code\":500}",
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(bodies); i++) {
        struct fixture *fx;

        (void)fixture_setup(state);
        fx = *state;
        fixture_sync(fx);
        fake_break(&fx->f);
        (void)fake_await_request(&fx->f, 2000);
        pass_probe(fx);
        fake_refuse(&fx->f, i == 0 ? 504 : 500, bodies[i]);
        (void)fake_await_request(&fx->f, 4000);
        assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
        assert_false(fake_asks(&fx->f, "resourceVersion="));
        (void)fixture_teardown(state);
    }
}

static void server_errors_are_waited_out_and_then_doubted(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    for (int i = 0; i < 5; i++) {
        assert_true(fake_asks(&fx->f, i ? "resourceVersion=10" : "sendInitialEvents=true"));
        if (i)
            fake_head(&fx->f);
        fake_line(&fx->f, ERROR_EVENT("InternalError", "500"));
        (void)fake_await_request(&fx->f, 60000);
    }
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fixture_expect(fx, "stale ");
}

static void an_unknown_error_is_doubted_the_second_time(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, "{\"type\":\"ERROR\",\"object\":{\"message\":\"what?\"}}");
    (void)fake_await_request(&fx->f, 2000);
    assert_false(fake_asks(&fx->f, "sendInitialEvents="));
    fake_line(&fx->f, "{\"type\":\"ERROR\",\"object\":{\"message\":\"what?\"}}");
    (void)fake_await_request(&fx->f, 4000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
}

/* Fault i12: 429 as an event of the watch -> DISCONNECTED until the server takes it again. */
static void overload_in_the_stream_is_respected(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f,
              "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"slow down\","
              "\"reason\":\"TooManyRequests\",\"code\":429,\"details\":{\"retryAfterSeconds\":"
              "10}}}");
    assert_true(fake_await_request(&fx->f, 14000) >= 10000);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    assert_false(fake_asks(&fx->f, "sendInitialEvents="));
}

static void parameters_are_taken_out_when_a_watch_is_refused(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    pass_probe(fx);
    fake_refuse(&fx->f, 422, STATUS("Invalid", "422"));
    (void)fake_await_request(&fx->f, 4000);
    assert_false(fake_asks(&fx->f, "allowWatchBookmarks="));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fake_refuse(&fx->f, 422, STATUS("Invalid", "422"));
    (void)fake_await_request(&fx->f, 8000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
}

/* Fault i46, r9: watches that end at once, again and again -> DISCONNECTED; at most 18 requests in
 * 3 minutes. */
static void watches_that_close_at_once_are_probed_and_told(void **state)
{
    struct fixture *fx = *state;
    int64_t from_ms = fx->f.clock.now_mono_ms;
    unsigned probes = 0;
    unsigned syncs = 0;

    fixture_sync(fx);
    fake_end(&fx->f);
    while (fx->f.clock.now_mono_ms - from_ms < 180000) {
        (void)fake_await_request(&fx->f, 61000);
        if (fake_asks(&fx->f, "limit=1")) {
            probes++;
            assert_true(fake_asks(&fx->f, "resourceVersion=10"));
            assert_true(fake_asks(&fx->f, "resourceVersionMatch=NotOlderThan"));
            fake_answer(&fx->f, LIST("10", "", ""));
        }
        fake_head(&fx->f);
        if (fake_asks(&fx->f, "sendInitialEvents=true")) {
            syncs++;
            fake_line(&fx->f, INITIAL_END("10"));
        }
        fake_end(&fx->f);
    }
    assert_true(probes >= 1);
    assert_int_equal(syncs, 1);
    assert_true(fx->f.count < 18);
    assert_non_null(strstr(fx->log, "stale "));
}

/* Brings it to the probe behind a lost connection. */
static void lose_connection(struct fixture *fx)
{
    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    fixture_expect(fx, "stale ");
    assert_true(fake_asks(&fx->f, "limit=1"));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    assert_true(fake_asks(&fx->f, "resourceVersionMatch=NotOlderThan"));
    assert_int_equal(fake_open(&fx->f)->pace, KS_KUBE_PACE_SINGLE);
}

static void expect_whole_sync(struct fixture *fx)
{
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
}

/* Fault i16, i24: a probe behind a lost connection says "Too large resource version" ->
 * DISCONNECTED until all is listed anew. */
static void a_server_that_lost_its_state_is_found_behind_a_lost_connection(void **state)
{
    struct fixture *fx = *state;

    lose_connection(fx);
    fake_refuse(&fx->f, 504, TOO_LARGE);
    expect_whole_sync(fx);
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "3"));
    fake_line(&fx->f, INITIAL_END("7"));
    fixture_expect(fx, "begin +web@3 reset ");
    (void)fake_await_request(&fx->f, 2100);
    expect_whole_sync(fx);
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "3"));
    fake_line(&fx->f, INITIAL_END("7"));
    fixture_expect(fx, "begin +web@3 end fresh ");
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 4000);
    assert_true(fake_asks(&fx->f, "limit=1"));
    assert_true(fake_asks(&fx->f, "resourceVersion=7"));
}

/* Of several API servers one may only lag behind: then a consistent list is as far as we are. */
static void a_server_that_lags_is_no_other_world(void **state)
{
    struct fixture *fx = *state;

    lose_connection(fx);
    fake_refuse(&fx->f, 504, TOO_LARGE);
    expect_whole_sync(fx);
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "5"));
    fake_line(&fx->f, INITIAL_END("10"));
    fixture_expect(fx, "begin +web@5 end fresh ");
}

static void a_probe_that_is_answered_from_the_past_is_believed(void **state)
{
    struct fixture *fx = *state;

    lose_connection(fx);
    fake_answer(&fx->f, LIST("9", "more", OBJECT("web", "3")));
    expect_whole_sync(fx);
}

static void a_probe_that_says_nothing_of_versions_passes(void **state)
{
    static const char *const bodies[] = {"", "no json", "{\"kind\":\"Table\"}",
                                         LIST("odd/9", "", ""), "{\"metadata\":{},\"items\":null}"};

    for (size_t i = 0; i < KS_ARRAY_LEN(bodies); i++) {
        struct fixture *fx;

        (void)fixture_setup(state);
        fx = *state;
        lose_connection(fx);
        fake_answer(&fx->f, bodies[i]);
        assert_true(fake_asks(&fx->f, "watch="));
        assert_true(fake_asks(&fx->f, "resourceVersion=10"));
        (void)fixture_teardown(state);
    }
}

/* Each failure in its own way, and never a watch before a probe has passed. */
static void a_probe_that_fails_is_repeated(void **state)
{
    struct fixture *fx = *state;

    lose_connection(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 4000);
    assert_true(fake_asks(&fx->f, "limit=1"));
    fake_refuse(&fx->f, 503, "");
    (void)fake_await_request(&fx->f, 8000);
    assert_true(fake_asks(&fx->f, "limit=1"));
    fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    (void)fake_await_request(&fx->f, 2100);
    assert_true(fake_asks(&fx->f, "limit=1"));
    fake_refuse(&fx->f, 410, STATUS("Expired", "410"));
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    fixture_expect(fx, "stale stale ");
}

/* Who may list by a selector only is not asked for more than that. */
static void a_selector_that_alone_is_permitted_is_synced(void **state)
{
    struct fixture *fx = *state;
    struct ks_reflector_config config = fixture_config(fx);

    config.label_selector = KS_LIT("app=web");
    fixture_start(fx, &config);
    lose_connection(fx);
    assert_false(fake_asks(&fx->f, "labelSelector="));
    fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    (void)fake_await_request(&fx->f, 1100);
    assert_true(fake_asks(&fx->f, "labelSelector="));
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    fixture_expect(fx, "");
}

static void a_watch_that_waited_for_the_endpoint_is_probed(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_advance(&fx->f, 31000);
    fake_end(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_false(fake_asks(&fx->f, "limit="));
    fake_wait_for_endpoint(&fx->f);
    fixture_expect(fx, "stale ");
    /* The watch that waited is accepted, but by whom? */
    fake_head(&fx->f);
    pass_probe(fx);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fake_head(&fx->f);
    fake_advance(&fx->f, 1000);
    fixture_expect(fx, "fresh ");
}

static void a_probe_is_due_every_half_hour(void **state)
{
    struct fixture *fx = *state;
    unsigned probes = 0;

    fixture_sync(fx);
    for (int i = 0; i < 15; i++) {
        fake_advance(&fx->f, 299 * 1000);
        fake_end(&fx->f);
        (void)fake_await_request(&fx->f, 1100);
        if (fake_asks(&fx->f, "limit=1")) {
            probes++;
            fake_answer(&fx->f, LIST("10", "", ""));
        }
        fake_head(&fx->f);
    }
    assert_int_equal(probes, 2);
    fixture_expect(fx, "");
}

static void a_refusal_is_confirmed_before_it_is_told(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    fixture_expect(fx, "stale ");
    fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    assert_in_range(fake_await_request(&fx->f, 2100), 1000, 2100);
    fixture_expect(fx, "stale ");
    fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    fixture_expect(fx, "denied ");
    for (int i = 0; i < 6; i++) {
        assert_true(fake_await_request(&fx->f, 61000) <= 61000);
        fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    }
    fixture_expect(fx, "");
    (void)fake_await_request(&fx->f, 61000);
    pass_probe(fx);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fake_head(&fx->f);
    fake_advance(&fx->f, 1000);
    fixture_expect(fx, "fresh ");
}

static void a_refusal_before_the_first_sync_is_told_at_once(void **state)
{
    struct fixture *fx = *state;

    fake_refuse(&fx->f, 403, STATUS("Forbidden", "403"));
    fixture_expect(fx, "denied ");
    (void)fake_await_request(&fx->f, 2000);
    fixture_sync(fx);
}

static void bad_credentials_are_told_and_tried_slowly(void **state)
{
    struct fixture *fx = *state;

    fake_refuse(&fx->f, 401, STATUS("Unauthorized", "401"));
    fixture_expect(fx, "unauthenticated ");
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    fixture_sync(fx);
}

static void a_kind_that_is_gone_is_swept_and_asked_for_slowly(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    fake_refuse(&fx->f, 404, "404 page not found");
    assert_true(fake_is_resolving(&fx->f));
    assert_int_equal(fx->f.invalidations, 1);
    fixture_expect(fx, "stale stale ");
    fake_resolve(&fx->f, KS_RC_NOTFOUND, NULL);
    fixture_expect(fx, "begin end absent ");
    fake_advance(&fx->f, 29000);
    assert_false(fake_is_resolving(&fx->f));
    fake_advance(&fx->f, 1000);
    for (int i = 0; i < 6; i++) {
        assert_true(fake_is_resolving(&fx->f));
        fake_resolve(&fx->f, KS_RC_NOTFOUND, NULL);
        fake_advance(&fx->f, 300000);
    }
    fixture_expect(fx, "");
    fake_resolve(&fx->f, KS_RC_OK, fx->f.resource);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_head(&fx->f);
    fake_line(&fx->f, INITIAL_END("30"));
    fixture_expect(fx, "begin end fresh ");
}

static void a_404_of_a_kind_that_is_still_listed_is_a_race(void **state)
{
    struct fixture *fx = *state;

    fake_refuse(&fx->f, 404, "404 page not found");
    fake_resolve(&fx->f, KS_RC_OK, fx->f.resource);
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    fake_refuse(&fx->f, 404, "404 page not found");
    fake_resolve(&fx->f, KS_RC_UNAVAILABLE, NULL);
    assert_true(fake_await_request(&fx->f, 4000) >= 1600);
    assert_null(strstr(fx->log, "absent"));
}

static void a_kind_that_moved_is_followed(void **state)
{
    static const struct ks_resource moved = {
        .group = KS_LIT("apps"),
        .version = KS_LIT("v2"),
        .kind = KS_LIT("Deployment"),
        .plural = KS_LIT("deployments"),
        .can_list = true,
        .can_watch = true,
    };
    struct fixture *fx = *state;
    struct ks_resource *resource = ks_resource_new(&moved);

    fixture_sync(fx);
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    fake_refuse(&fx->f, 404, "404 page not found");
    fake_resolve(&fx->f, KS_RC_OK, resource);
    ks_resource_unref(resource);
    (void)fake_await_request(&fx->f, 4000);
    assert_non_null(strstr(fake_open(&fx->f)->path, "/apis/apps/v2/deployments?"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
}

static const char bad_line[] = "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\","
                               "\"metadata\":{\"name\":\"web\",\"namespace\":\"default\"},x}}";

static void a_bad_line_is_asked_for_again_and_then_listed(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    for (int i = 0; i < 3; i++) {
        fake_line(&fx->f, bad_line);
        /* What was damaged on its way says nothing of the object. */
        fixture_expect(fx, i ? "" : "stale ");
        assert_int_equal(fx->last_error.rc, KS_RC_PROTOCOL);
        assert_non_null(strstr(fx->last_error.msg, "the API server https://api, or a proxy"));
        (void)fake_await_request(&fx->f, 60000);
        assert_int_equal(fake_asks(&fx->f, "sendInitialEvents="), i == 2);
        if (i < 2)
            fake_head(&fx->f);
    }
}

/* However long the backoff has become. */
static void one_bad_line_heals_soon(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    for (int i = 0; i < 4; i++) {
        fake_break(&fx->f);
        (void)fake_await_request(&fx->f, 61000);
    }
    pass_probe(fx);
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("MODIFIED", "web", "12"));
    fake_line(&fx->f, bad_line);
    assert_true(fake_await_request(&fx->f, 2100) <= 2100);
    assert_true(fake_asks(&fx->f, "resourceVersion=12"));
    fake_head(&fx->f);
    fake_advance(&fx->f, 1000);
    fixture_expect(fx, "stale +web@12 fresh stale fresh ");
}

static void an_object_that_is_too_deep_spoils_itself_alone(void **state)
{
    struct fixture *fx = *state;
    struct ks_buf line;

    fixture_sync(fx);
    ks_buf_init(&line, (size_t)1 << 20);
    assert_int_equal(ks_buf_append_str(
                         &line, KS_LIT("{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\","
                                       "\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
                                       "\"resourceVersion\":\"12\"},\"spec\":")),
                     KS_RC_OK);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(ks_buf_append_byte(&line, '['), KS_RC_OK);
    for (int i = 0; i < 9000; i++)
        assert_int_equal(ks_buf_append_byte(&line, ']'), KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&line, KS_LIT("}}")), KS_RC_OK);
    fake_line(&fx->f, line.data);
    ks_buf_fini(&line);
    fake_line(&fx->f, EVENT("MODIFIED", "db", "13"));
    fixture_expect(fx, "!web +db@13 ");
}

/* One line of `bytes` bytes about the object "web". */
static void feed_long_line(struct fixture *fx, const char *type, size_t bytes, bool ends)
{
    static char filler[1 << 20];
    struct ks_buf head;

    memset(filler, 'x', sizeof(filler));
    ks_buf_init(&head, 4096);
    assert_int_equal(ks_buf_appendf(&head,
                                    "{\"type\":\"%s\",\"object\":{\"kind\":\"Deployment\","
                                    "\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
                                    "\"resourceVersion\":\"12\"},\"data\":\"",
                                    type),
                     KS_RC_OK);
    fake_bytes(&fx->f, ks_buf_str(&head));
    ks_buf_fini(&head);
    for (size_t n = 0; n < bytes && fake_has_open(&fx->f); n += sizeof(filler))
        fake_bytes(&fx->f, ks_str_make(filler, sizeof(filler)));
    if (ends)
        fake_data(&fx->f, "\"}}\n");
}

/* Fault i9, r13: an event of more than 16 MiB -> that object is Unknown Unreadable, the others go
 * on. */
static void an_object_that_is_too_large_spoils_itself_alone(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    feed_long_line(fx, "MODIFIED", (size_t)17 << 20, true);
    fake_line(&fx->f, EVENT("MODIFIED", "db", "13"));
    fixture_expect(fx, "!web +db@13 ");
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=13"));
}

static void a_deletion_that_is_too_large_is_told(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    feed_long_line(fx, "DELETED", (size_t)17 << 20, true);
    fixture_expect(fx, "-!web@12 ");
    fake_break(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=12"));
}

static void a_deletion_that_names_nobody_is_found_by_a_sync(void **state)
{
    static char filler[1 << 20];
    struct fixture *fx = *state;

    fixture_sync(fx);
    memset(filler, 'x', sizeof(filler));
    fake_data(&fx->f, "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
                      "\"annotations\":{\"a\":\"");
    for (int i = 0; i < 17; i++)
        fake_bytes(&fx->f, ks_str_make(filler, sizeof(filler)));
    fake_data(&fx->f, "\"},\"name\":\"web\"}}}\n");
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    fixture_expect(fx, "stale ");
}

static void a_line_without_an_end_ends_the_watch(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    feed_long_line(fx, "MODIFIED", (size_t)80 << 20, false);
    assert_false(fake_has_open(&fx->f));
    fixture_expect(fx, "stale ");
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

static void backoff_begins_anew_after_two_healthy_minutes(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    for (int i = 0; i < 6; i++) {
        fake_break(&fx->f);
        (void)fake_await_request(&fx->f, 61000);
    }
    pass_probe(fx);
    fake_head(&fx->f);
    fake_advance(&fx->f, 120000);
    fake_line(&fx->f, ERROR_EVENT("InternalError", "500"));
    assert_in_range(fake_await_request(&fx->f, 2000), 800, 1700);
}

/* A life with everything in it; every step allows for a reflector that was freed on the way. */
static void live(struct fixture *fx)
{
    static const char *const lines[] = {
        EVENT("ADDED", "web", "5"),
        INITIAL_END("10"),
        EVENT("MODIFIED", "web", "11"),
        "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{\"name\":7}}}",
    };
    static const char *const after[] = {
        EVENT("MODIFIED", "web", "12"),
        EVENT("DELETED", "web", "13"),
        ERROR_EVENT("Expired", "410"),
    };

    if (fake_has_open(&fx->f))
        fake_refuse(&fx->f, 403, "");
    fake_advance(&fx->f, 2000);
    if (fake_has_open(&fx->f))
        fake_head(&fx->f);
    for (size_t i = 0; i < KS_ARRAY_LEN(lines); i++) {
        if (fake_has_open(&fx->f))
            fake_line(&fx->f, lines[i]);
    }
    fake_advance(&fx->f, 10000);
    if (fake_has_open(&fx->f))
        fake_head(&fx->f);
    for (size_t i = 0; i < KS_ARRAY_LEN(after); i++) {
        if (fake_has_open(&fx->f))
            fake_line(&fx->f, after[i]);
    }
    fake_advance(&fx->f, 10000);
    if (fake_has_open(&fx->f))
        fake_refuse(&fx->f, 422, "");
    if (fake_has_open(&fx->f))
        fake_answer(&fx->f, LIST("20", "t", OBJECT("web", "15") ",{\"metadata\":7}"));
    if (fake_has_open(&fx->f))
        fake_answer(&fx->f, LIST("20", "", OBJECT("db", "15")));
    if (fake_has_open(&fx->f))
        fake_wait_for_endpoint(&fx->f);
    fake_advance(&fx->f, 70000);
    if (fake_has_open(&fx->f))
        fake_head(&fx->f);
    if (fake_has_open(&fx->f))
        fake_refuse(&fx->f, 404, "404 page not found");
    if (fake_is_resolving(&fx->f))
        fake_resolve(&fx->f, KS_RC_NOTFOUND, NULL);
    fake_advance(&fx->f, 31000);
}

static void it_may_be_freed_in_every_callback(void **state)
{
    unsigned calls = 0;

    for (unsigned at = 0; at <= calls; at++) {
        struct fixture *fx;

        (void)fixture_setup(state);
        fx = *state;
        fx->free_at = at;
        live(fx);
        if (at == 0) {
            calls = fx->calls;
            assert_true(calls > 18);
            assert_non_null(strstr(fx->log, "absent"));
        } else {
            assert_null(fx->reflector);
            assert_int_equal(fx->calls, at);
            assert_false(fake_has_open(&fx->f));
        }
        (void)fixture_teardown(state);
    }
}

/* The memory that fails is the reflector's: the fixture has its own before. */
static void live_short_of_memory(void *ctx)
{
    struct fixture *fx = ctx;
    struct ks_reflector_config config = fixture_config(fx);

    fx->len = 0;
    fx->f.count = 0;
    if (ks_reflector_new(fx->f.kube, &config, &fixture_ops, fx, &fx->reflector, NULL))
        return;
    ks_reflector_start(fx->reflector);
    fake_advance(&fx->f, 100);
    live(fx);
    fx->reflector = ks_reflector_free(fx->reflector);
    if (fake_is_resolving(&fx->f))
        ks_resolve_cancel((struct ks_resolve *)(void *)&fx->f);
    assert_false(fake_has_open(&fx->f));
}

static void no_failing_allocation_breaks_it(void **state)
{
    assert_true(ks_torture(live_short_of_memory, *state) > 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup_bare, fixture_teardown)

/* It was sent again by the client, or waited, while the endpoint was away; nothing has failed. */
static void a_watch_that_may_be_answered_by_another_server_is_probed(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_advance(&fx->f, 31000);
    fake_end(&fx->f);
    (void)fake_await_request(&fx->f, 2000);
    fx->f.closures++;
    fake_head(&fx->f);
    pass_probe(fx);
    fake_head(&fx->f);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fixture_expect(fx, "");
}

static void an_object_whose_watch_waited_is_listed_again(void **state)
{
    struct fixture *fx = *state;

    fake_answer(&fx->f, LIST("10", "", OBJECT("web", "5")));
    assert_true(fake_asks(&fx->f, "watch=true") || fake_asks(&fx->f, "watch=1"));
    fx->f.closures++;
    fake_head(&fx->f);
    assert_false(fake_asks(&fx->f, "watch="));
    fake_answer(&fx->f, LIST("17", "", OBJECT("web", "5")));
    assert_true(fake_asks(&fx->f, "resourceVersion=17"));
    fake_head(&fx->f);
    fixture_expect(fx, "begin +web@5 end begin +web@5 end fresh ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_resumes_from_the_last_event),
        TEST(a_routine_end_is_no_news),
        TEST(peace_after_a_loss_is_fresh),
        TEST(bookmarks_move_the_position_and_nothing_else),
        TEST(a_bookmark_from_the_past_brings_a_new_sync),
        TEST(a_position_that_is_no_number_only_moves),
        TEST(a_position_of_zero_means_a_sync),
        TEST(what_is_not_ours_is_ignored_and_does_not_advance),
        TEST(the_type_may_stand_behind_the_object),
        TEST(expired_history_costs_one_sync),
        TEST(history_that_expires_each_time_is_waited_out),
        TEST(expired_history_may_be_told_by_the_status),
        cmocka_unit_test(a_refused_position_is_given_up),
        TEST(server_errors_are_waited_out_and_then_doubted),
        TEST(an_unknown_error_is_doubted_the_second_time),
        TEST(overload_in_the_stream_is_respected),
        TEST(parameters_are_taken_out_when_a_watch_is_refused),
        TEST(watches_that_close_at_once_are_probed_and_told),
        TEST(a_server_that_lost_its_state_is_found_behind_a_lost_connection),
        TEST(a_server_that_lags_is_no_other_world),
        TEST(a_probe_that_is_answered_from_the_past_is_believed),
        cmocka_unit_test(a_probe_that_says_nothing_of_versions_passes),
        TEST(a_probe_that_fails_is_repeated),
        BARE(a_selector_that_alone_is_permitted_is_synced),
        TEST(a_watch_that_waited_for_the_endpoint_is_probed),
        TEST(a_watch_that_may_be_answered_by_another_server_is_probed),
        cmocka_unit_test_setup_teardown(an_object_whose_watch_waited_is_listed_again,
                                        fixture_setup_named, fixture_teardown),
        TEST(a_probe_is_due_every_half_hour),
        TEST(a_refusal_is_confirmed_before_it_is_told),
        TEST(a_refusal_before_the_first_sync_is_told_at_once),
        TEST(bad_credentials_are_told_and_tried_slowly),
        TEST(a_kind_that_is_gone_is_swept_and_asked_for_slowly),
        TEST(a_404_of_a_kind_that_is_still_listed_is_a_race),
        TEST(a_kind_that_moved_is_followed),
        TEST(a_bad_line_is_asked_for_again_and_then_listed),
        TEST(one_bad_line_heals_soon),
        TEST(an_object_that_is_too_deep_spoils_itself_alone),
        TEST(an_object_that_is_too_large_spoils_itself_alone),
        TEST(a_deletion_that_is_too_large_is_told),
        TEST(a_deletion_that_names_nobody_is_found_by_a_sync),
        TEST(a_line_without_an_end_ends_the_watch),
        TEST(backoff_begins_anew_after_two_healthy_minutes),
        cmocka_unit_test(it_may_be_freed_in_every_callback),
        BARE(no_failing_allocation_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
