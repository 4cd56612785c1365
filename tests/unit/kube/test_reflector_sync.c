/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c mirror_fixture.c */
/*
 * How the reflector brings the whole state: streaming, lists, pages, and what it does when they
 * break. shared/spec: informers 1.3, 1.4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "mirror_fixture.h"

static void first_sync_streams_without_a_version(void **state)
{
    struct fixture *fx = *state;

    assert_non_null(
        strstr(fake_open(&fx->f)->path, "/apis/apps/v1/namespaces/default/deployments?"));
    assert_true(fake_asks(&fx->f, "watch=1"));
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_true(fake_asks(&fx->f, "resourceVersionMatch=NotOlderThan"));
    assert_true(fake_asks(&fx->f, "allowWatchBookmarks=true"));
    assert_true(fake_asks(&fx->f, "timeoutSeconds="));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    assert_int_equal(fake_open(&fx->f)->kind, KS_KUBE_REQUEST_WATCH);
    assert_int_equal(fake_open(&fx->f)->pace, KS_KUBE_PACE_COLLECTION);

    fixture_expect(fx, "");
    fake_head(&fx->f);
    fixture_expect(fx, "begin ");
    fake_line(&fx->f, EVENT("ADDED", "web", "5"));
    fake_line(&fx->f, BOOKMARK("7"));
    assert_false(fake_open(&fx->f)->is_synced);
    fake_line(&fx->f, INITIAL_END("10"));
    assert_true(fake_open(&fx->f)->is_synced);
    fake_line(&fx->f, EVENT("MODIFIED", "web", "11"));
    fixture_expect(fx, "+web@5 end fresh +web@11 ");
}

static void streamed_events_may_be_cut_anywhere(void **state)
{
    struct fixture *fx = *state;
    const char *text = EVENT("ADDED", "web", "5") "\r\n\n" INITIAL_END("10") "\n" EVENT(
        "DELETED", "web", "11") "\n";

    fake_head(&fx->f);
    for (size_t i = 0; text[i]; i++)
        fake_bytes(&fx->f, ks_str_make(text + i, 1));
    fixture_expect(fx, "begin +web@5 end fresh -web@11 ");
}

static void refused_streaming_falls_back_at_once_and_is_remembered(void **state)
{
    static const int statuses[] = {422, 400, 405};
    struct fixture *fx = *state;
    int status = statuses[fx->f.count % KS_ARRAY_LEN(statuses)];

    fake_refuse(&fx->f, status, "");
    fixture_expect(fx, "");
    assert_true(fake_asks(&fx->f, "limit=500"));
    assert_false(fake_asks(&fx->f, "watch="));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_answer(&fx->f, LIST("10", "", OBJECT("web", "5")));
    assert_true(fake_asks(&fx->f, "watch=1"));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    assert_false(fake_asks(&fx->f, "sendInitialEvents="));
    fixture_expect(fx, "begin +web@5 end ");
    fake_head(&fx->f);
    fixture_expect(fx, "fresh ");

    /* The next sync does not even try, for an hour. */
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&fx->f, 2000);
    assert_false(fake_asks(&fx->f, "sendInitialEvents="));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    assert_true(fake_asks(&fx->f, "resourceVersionMatch=NotOlderThan"));
    assert_false(fake_asks(&fx->f, "limit="));
    fake_answer(&fx->f, LIST("20", "", ""));
    fake_head(&fx->f);
    fake_advance(&fx->f, 3600 * 1000);
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_true(fake_asks(&fx->f, "resourceVersion=20"));
}

static void a_bad_selector_does_not_count_against_streaming(void **state)
{
    struct fixture *fx = *state;
    struct ks_reflector_config config = fixture_config(fx);

    fake_refuse(&fx->f, 400, STATUS("BadRequest", "400"));
    fake_refuse(&fx->f, 400, STATUS("BadRequest", "400"));
    fixture_expect(fx, "failed ");
    assert_true(fake_await_request(&fx->f, 400 * 1000) >= 300 * 1000);
    fx->reflector = ks_reflector_free(fx->reflector);
    fixture_start(fx, &config);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
}

static void streaming_broken_on_the_server_is_remembered_for_minutes(void **state)
{
    struct fixture *fx = *state;

    fake_head(&fx->f);
    fake_line(&fx->f, ERROR_EVENT("InternalError", "500"));
    fixture_expect(fx, "begin ");
    assert_true(fake_asks(&fx->f, "limit=500"));
    fixture_sync_by_list(fx);
    fake_advance(&fx->f, 300 * 1000);
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
}

/* Fault i45: the bookmark that ends the initial events does not come -> Synced comes after half a
 * minute, by a list. */
static void a_missing_bookmark_is_noticed_by_silence(void **state)
{
    struct fixture *fx = *state;

    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "5"));
    fake_advance(&fx->f, 20 * 1000);
    fake_line(&fx->f, EVENT("ADDED", "db", "6"));
    fake_advance(&fx->f, 14 * 1000);
    assert_int_equal(fx->f.count, 1);
    assert_int_equal(fake_await_request(&fx->f, 2000) / 1000, 1);
    assert_true(fake_asks(&fx->f, "limit=500"));
    fake_answer(&fx->f, LIST("10", "", OBJECT("web", "5")));
    fixture_expect(fx, "begin +web@5 +db@6 begin +web@5 end ");
}

static void a_stream_that_closes_early_is_repeated_then_given_up(void **state)
{
    struct fixture *fx = *state;

    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "5"));
    fake_end(&fx->f);
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    fake_head(&fx->f);
    fake_end(&fx->f);
    assert_true(fake_await_request(&fx->f, 4000) >= 1600);
    assert_true(fake_asks(&fx->f, "limit=500"));
    fake_answer(&fx->f, LIST("10", "", ""));
    fixture_expect(fx, "begin +web@5 syncing begin begin end ");
}

static void a_broken_stream_becomes_a_list_after_a_pause(void **state)
{
    struct fixture *fx = *state;

    fake_head(&fx->f);
    fake_data(&fx->f, "{\"type\":\"ADDED\",\"obj");
    fake_break(&fx->f);
    fixture_expect(fx, "begin syncing ");
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    assert_true(fake_asks(&fx->f, "limit=500"));
}

static void an_overloaded_server_is_given_its_time(void **state)
{
    struct fixture *fx = *state;

    fake_refuse(&fx->f, 429,
                "{\"kind\":\"Status\",\"message\":\"slow down\",\"reason\":\"TooManyRequests\","
                "\"code\":429,\"details\":{\"retryAfterSeconds\":20}}");
    fixture_expect(fx, "syncing ");
    assert_true(fake_await_request(&fx->f, 26 * 1000) >= 20 * 1000);
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
}

static void an_expired_version_is_dropped_at_once_when_streaming(void **state)
{
    struct fixture *fx = *state;

    fixture_sync(fx);
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    fixture_expect(fx, "");
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    fake_head(&fx->f);
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    assert_true(fake_asks(&fx->f, "sendInitialEvents=true"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    assert_int_equal(fx->f.count, 3);
    fake_head(&fx->f);
    fake_line(&fx->f, INITIAL_END("30"));
    fixture_expect(fx, "begin begin end ");
}

/* From here on: lists. A name selector never streams, so its fixture lists at once. */

static void refuse_streaming(struct fixture *fx)
{
    fake_refuse(&fx->f, 422, "");
}

static void pages_are_read_to_the_last(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, LIST("10", "t1%&", OBJECT("a", "1")));
    assert_true(fake_asks(&fx->f, "continue=t1%25%26"));
    assert_true(fake_asks(&fx->f, "limit=500"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    assert_false(fake_asks(&fx->f, "resourceVersionMatch="));
    /* An empty page with a token is no end, whatever it says about what remains. */
    fake_answer(&fx->f, "{\"kind\":\"DeploymentList\",\"metadata\":{\"resourceVersion\":\"11\","
                        "\"continue\":\"t2\",\"remainingItemCount\":-3},\"items\":null}");
    assert_true(fake_asks(&fx->f, "continue=t2"));
    fixture_expect(fx, "begin +a@1 ");
    fake_answer(&fx->f, LIST("12", "", OBJECT("b", "2")));
    fixture_expect(fx, "+b@2 end ");
    /* The first page's version counts. */
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

/* Fault i39: a list whose metadata stand behind its items -> nothing. */
static void a_custom_resources_list_has_its_metadata_last(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, "{\"apiVersion\":\"apps/v1\",\"items\":[" OBJECT(
                            "a", "1") "],\"kind\":\"DeploymentList\",\"metadata\":{\"continue\":"
                                      "\"\",\"resourceVersion\":\"10\"}}");
    fixture_expect(fx, "begin +a@1 end ");
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

/* Fault i2, i3: a list that is cut off -> nothing is told gone; the page is asked for again. */
static void a_cut_list_sweeps_nothing_and_its_page_is_retried_once(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, LIST("10", "t1", OBJECT("a", "1")));
    fake_head(&fx->f);
    fake_data(&fx->f, "{\"kind\":\"DeploymentList\",\"items\":[" OBJECT("b", "2"));
    fake_end(&fx->f); /* libcurl 7.88.1 calls this a success */
    assert_true(fake_asks(&fx->f, "continue=t1"));
    assert_int_equal(fx->f.count, 4);
    fake_head(&fx->f);
    fake_break(&fx->f);
    fixture_expect(fx, "begin +a@1 syncing ");
    assert_true(fake_await_request(&fx->f, 2000) >= 800);
    assert_false(fake_asks(&fx->f, "continue="));
    fake_answer(&fx->f, LIST("12", "", OBJECT("a", "1")));
    fixture_expect(fx, "begin +a@1 end ");
}

static void answers_that_are_no_list_are_refused(void **state)
{
    static const char *const bodies[] = {
        "<html><body>Welcome</body></html>",
        "{\"kind\":\"Table\",\"items\":[]}",
        "{\"kind\":\"Deployment\",\"metadata\":{\"resourceVersion\":\"1\"}}",
        "[]",
    };
    struct fixture *fx = *state;

    refuse_streaming(fx);
    for (size_t i = 0; i < KS_ARRAY_LEN(bodies); i++) {
        fake_answer(&fx->f, bodies[i]);
        assert_true(fake_await_request(&fx->f, 60 * 1000) >= 800);
    }
    assert_int_equal(fx->last_error.rc, KS_RC_PROTOCOL);
    assert_null(strstr(fx->log, "end "));
    /* An empty success is a list that was cut before it began: once more at once, then later. */
    fake_head(&fx->f);
    fake_end(&fx->f);
    fake_head(&fx->f);
    fake_end(&fx->f);
    assert_false(fake_has_open(&fx->f));
    assert_null(strstr(fx->log, "end "));
}

/* Fault i15, r5: 410 for a later page of a list -> nothing: what came is dropped and listed again
 * in one page. */
static void an_expired_page_leads_to_one_unpaged_list(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, LIST("10", "t1", OBJECT("a", "1")));
    /* The fresh token it offers would mix two states. */
    fake_refuse(
        &fx->f, 410,
        "{\"kind\":\"Status\",\"metadata\":{\"continue\":\"newer\"},\"message\":\"too old\","
        "\"reason\":\"Expired\",\"code\":410}");
    assert_false(fake_asks(&fx->f, "continue="));
    assert_false(fake_asks(&fx->f, "limit="));
    assert_int_equal(fx->f.count, 4);
    fixture_expect(fx, "begin +a@1 ");
    fake_refuse(&fx->f, 410, STATUS("Expired", "410"));
    assert_true(fake_asks(&fx->f, "limit=500"));
    fake_refuse(&fx->f, 410, STATUS("Expired", "410"));
    assert_false(fake_has_open(&fx->f));
    fixture_expect(fx, "syncing ");
}

static void an_item_that_is_too_large_is_named(void **state)
{
    static char filler[1 << 20];
    struct fixture *fx = *state;

    memset(filler, 'x', sizeof(filler));
    refuse_streaming(fx);
    fake_head(&fx->f);
    fake_data(&fx->f,
              "{\"kind\":\"DeploymentList\",\"metadata\":{\"resourceVersion\":\"10\"},"
              "\"items\":[" OBJECT(
                  "db", "3") ",{\"metadata\":{\"name\":\"web\","
                             "\"namespace\":\"default\",\"resourceVersion\":\"9\"},\"data\":\"");
    for (int i = 0; i < 17; i++)
        fake_bytes(&fx->f, ks_str_make(filler, sizeof(filler)));
    fake_data(&fx->f, "\"}]}");
    fixture_expect(fx, "begin +db@3 !web ");
    fake_end(&fx->f);
    fixture_expect(fx, "end ");
}

static void sync_then_lose_history(struct fixture *fx)
{
    refuse_streaming(fx);
    fixture_sync_by_list(fx);
    fake_line(&fx->f, ERROR_EVENT("Expired", "410"));
    fixture_expect(fx, "");
    (void)fake_await_request(&fx->f, 2000);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

/* Fault i14: 410 for a list at the last version -> nothing, as a list without a version follows at
 * once. */
static void a_list_at_an_expired_version_is_repeated_without(void **state)
{
    struct fixture *fx = *state;

    sync_then_lose_history(fx);
    fake_refuse(&fx->f, 410, STATUS("Expired", "410"));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_refuse(&fx->f, 410, STATUS("Expired", "410"));
    assert_false(fake_has_open(&fx->f));
    (void)fake_await_request(&fx->f, 10000);
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_answer(&fx->f, LIST("40", "", ""));
    assert_true(fake_asks(&fx->f, "resourceVersion=40"));
}

/* Fault i16: "Too large resource version" for a list -> nothing, as a list without a version
 * follows at once. */
static void a_version_that_is_too_large_is_dropped_at_once(void **state)
{
    struct fixture *fx = *state;

    sync_then_lose_history(fx);
    fake_refuse(&fx->f, 504,
                "{\"kind\":\"Status\",\"message\":\"Timeout: Too large resource version: 99, "
                "current: 7\",\"reason\":\"Timeout\",\"code\":504}");
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_answer(&fx->f, LIST("17", "", OBJECT("web", "3")));
    assert_true(fake_asks(&fx->f, "resourceVersion=17"));
    fixture_expect(fx, "begin +web@3 end ");
}

static void a_list_from_the_past_is_repeated_without_memory(void **state)
{
    struct fixture *fx = *state;

    sync_then_lose_history(fx);
    fake_answer(&fx->f, LIST("7", "", OBJECT("web", "3")));
    fixture_expect(fx, "begin +web@3 reset stale ");
    assert_non_null(strstr(fx->last_error.msg, "went back to resource version 7 from 10"));
    (void)fake_await_request(&fx->f, 4000);
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_answer(&fx->f, LIST("7", "", OBJECT("web", "3")));
    assert_true(fake_asks(&fx->f, "resourceVersion=7"));
    fixture_expect(fx, "begin +web@3 end ");
}

static void a_plain_timeout_repeats_the_same_list_later(void **state)
{
    struct fixture *fx = *state;

    sync_then_lose_history(fx);
    fake_refuse(&fx->f, 504, STATUS("Timeout", "504"));
    assert_false(fake_has_open(&fx->f));
    assert_true(fake_await_request(&fx->f, 5000) >= 800);
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
}

static void a_server_that_knows_no_match_is_asked_without(void **state)
{
    struct fixture *fx = *state;

    sync_then_lose_history(fx);
    fake_refuse(&fx->f, 422, STATUS("Invalid", "422"));
    assert_false(fake_asks(&fx->f, "resourceVersionMatch="));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    assert_true(fake_asks(&fx->f, "limit=500"));
}

/* Fault i38: pages without items and with the same token -> DISCONNECTED: the list does not come to
 * an end. */
static void a_token_that_repeats_for_nothing_ends_the_list(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, LIST("10", "t1", OBJECT("a", "1")));
    fake_answer(&fx->f, LIST("10", "t1", OBJECT("b", "1")));
    fake_answer(&fx->f, LIST("10", "t1", ""));
    assert_false(fake_has_open(&fx->f));
    assert_int_equal(fx->last_error.rc, KS_RC_PROTOCOL);
    fixture_expect(fx, "begin +a@1 +b@1 syncing ");
}

static void bad_items_spoil_themselves_alone(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(
        &fx->f,
        LIST("10", "",
             OBJECT("a", "1") ",{\"metadata\":{\"name\":\"odd\",\"namespace\":\"default\"},"
                              "\"spec\":{\"x\":01}},{\"metadata\":{\"namespace\":7}},7,"
                              "{\"metadata\":{\"uid\":\"nameless\"}},"
                              "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"}},"
                              "{\"metadata\":{\"name\":\"x\",\"namespace\":\"other\"}}," OBJECT(
                                  "b", "2")));
    fixture_expect(fx, "begin +a@1 !odd ! ! +b@2 end ");
}

static void a_deep_item_spoils_itself_alone(void **state)
{
    enum { LEVELS = 9000 };
    static const char head[] =
        "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[{\"metadata\":"
        "{\"name\":\"deep\",\"namespace\":\"default\"},\"x\":";
    static char text[sizeof(head) + 2 * LEVELS + 1024];
    struct fixture *fx = *state;

    memcpy(text, head, sizeof(head));
    memset(text + sizeof(head) - 1, '[', LEVELS);
    memset(text + sizeof(head) - 1 + LEVELS, ']', LEVELS);
    (void)snprintf(text + sizeof(head) - 1 + 2 * LEVELS, 1024, "},%s]}", OBJECT("a", "1"));
    refuse_streaming(fx);
    fake_answer(&fx->f, text);
    fixture_expect(fx, "begin !deep +a@1 end ");
}

static void errors_of_the_server_are_spread_by_backoff(void **state)
{
    struct fixture *fx = *state;
    int64_t least_ms = 800;

    refuse_streaming(fx);
    for (int i = 0; i < 8; i++) {
        int64_t took_ms;

        fake_refuse(&fx->f, 500, "<html>oops</html>");
        took_ms = fake_await_request(&fx->f, 61 * 1000);
        assert_in_range(took_ms, least_ms, 2 * least_ms + 100);
        least_ms = least_ms * 2 > 30000 ? 30000 : least_ms * 2;
    }
    fixture_expect(fx, "syncing ");
}

static void what_cannot_be_watched_is_listed_again_and_again(void **state)
{
    struct fixture *fx = *state;
    struct ks_reflector_config config = fixture_config(fx);

    fx->f.resource->can_watch = false;
    fixture_start(fx, &config);
    assert_true(fake_asks(&fx->f, "limit=500"));
    fake_answer(&fx->f, LIST("10", "", OBJECT("web", "5")));
    fixture_expect(fx, "begin +web@5 end fresh ");
    assert_int_equal(fake_await_request(&fx->f, 31000) / 1000, 30);
    fake_answer(&fx->f, LIST("12", "", ""));
    fixture_expect(fx, "begin end ");
}

static void a_list_without_a_version_is_polled(void **state)
{
    struct fixture *fx = *state;

    refuse_streaming(fx);
    fake_answer(&fx->f, LIST("0", "", OBJECT("web", "5")));
    fixture_expect(fx, "begin +web@5 end fresh ");
    assert_int_equal(fake_await_request(&fx->f, 31000) / 1000, 30);
    assert_false(fake_asks(&fx->f, "watch="));
}

static void one_object_is_listed_and_watched_by_name(void **state)
{
    struct fixture *fx = *state;

    assert_true(fake_asks(&fx->f, "fieldSelector=metadata.name%3Dweb"));
    assert_false(fake_asks(&fx->f, "watch="));
    assert_false(fake_asks(&fx->f, "limit="));
    assert_int_equal(fake_open(&fx->f)->pace, KS_KUBE_PACE_SINGLE);
    fixture_sync_by_list(fx);
    assert_true(fake_asks(&fx->f, "fieldSelector=metadata.name%3Dweb"));
    assert_true(fake_asks(&fx->f, "resourceVersion=10"));
    /* Each reconnect is a list: expiry, future versions and missed deletions are no questions
     * then. */
    fake_advance(&fx->f, 40000);
    fake_end(&fx->f);
    assert_true(fake_await_request(&fx->f, 1100) <= 1100);
    assert_false(fake_asks(&fx->f, "watch="));
    assert_false(fake_asks(&fx->f, "resourceVersion="));
    fake_answer(&fx->f, LIST("20", "", ""));
    fixture_expect(fx, "begin end ");
}

static void a_server_that_takes_no_name_selector_is_filtered_here(void **state)
{
    struct fixture *fx = *state;
    struct ks_reflector_config config = fixture_config(fx);

    fake_refuse(&fx->f, 400, STATUS("BadRequest", "400"));
    assert_false(fake_asks(&fx->f, "fieldSelector="));
    fake_answer(&fx->f, LIST("10", "", OBJECT("db", "4") "," OBJECT("web", "5")));
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("MODIFIED", "db", "11"));
    fake_line(&fx->f, EVENT("MODIFIED", "web", "12"));
    fixture_expect(fx, "begin +web@5 end fresh +web@12 ");

    /* The next one knows. */
    fx->reflector = ks_reflector_free(fx->reflector);
    config.name = KS_LIT("db");
    fixture_start(fx, &config);
    assert_false(fake_asks(&fx->f, "fieldSelector="));
}

static void selectors_and_names_are_encoded(void **state)
{
    struct fixture *fx = *state;
    struct ks_reflector_config config = fixture_config(fx);

    config.ns = KS_LIT("a b");
    config.name = KS_LIT("system:x=1,y");
    config.label_selector = KS_LIT("app in (a,b)");
    config.field_selector = KS_LIT("status.phase!=Failed");
    fixture_start(fx, &config);
    assert_string_equal(fake_open(&fx->f)->path,
                        "/apis/apps/v1/namespaces/a%20b/deployments"
                        "?labelSelector=app%20in%20%28a%2Cb%29"
                        "&fieldSelector=status.phase%21%3DFailed%2Cmetadata.name%3Dsystem%3Ax"
                        "%5C%3D1%5C%2Cy");
}

static void unsafe_names_are_refused(void **state)
{
    static const struct ks_str names[] = {KS_LIT(".."), KS_LIT("."), KS_LIT("a/b"), KS_LIT("%2e")};
    struct fixture *fx = *state;

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        struct ks_reflector_config config = fixture_config(fx);
        struct ks_error err;

        config.name = names[i];
        assert_int_equal(
            ks_reflector_new(fx->f.kube, &config, &fixture_ops, fx, &fx->reflector, &err),
            KS_RC_INVALID);
        config = fixture_config(fx);
        config.ns = names[i];
        assert_int_equal(
            ks_reflector_new(fx->f.kube, &config, &fixture_ops, fx, &fx->reflector, &err),
            KS_RC_INVALID);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
#define NAMED(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup_named, fixture_teardown)
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup_bare, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_sync_streams_without_a_version),
        TEST(streamed_events_may_be_cut_anywhere),
        TEST(refused_streaming_falls_back_at_once_and_is_remembered),
        TEST(a_bad_selector_does_not_count_against_streaming),
        TEST(streaming_broken_on_the_server_is_remembered_for_minutes),
        TEST(a_missing_bookmark_is_noticed_by_silence),
        TEST(a_stream_that_closes_early_is_repeated_then_given_up),
        TEST(a_broken_stream_becomes_a_list_after_a_pause),
        TEST(an_overloaded_server_is_given_its_time),
        TEST(an_expired_version_is_dropped_at_once_when_streaming),
        TEST(pages_are_read_to_the_last),
        TEST(a_custom_resources_list_has_its_metadata_last),
        TEST(a_cut_list_sweeps_nothing_and_its_page_is_retried_once),
        TEST(answers_that_are_no_list_are_refused),
        TEST(an_expired_page_leads_to_one_unpaged_list),
        TEST(a_list_at_an_expired_version_is_repeated_without),
        TEST(an_item_that_is_too_large_is_named),
        TEST(a_version_that_is_too_large_is_dropped_at_once),
        TEST(a_list_from_the_past_is_repeated_without_memory),
        TEST(a_plain_timeout_repeats_the_same_list_later),
        TEST(a_server_that_knows_no_match_is_asked_without),
        TEST(a_token_that_repeats_for_nothing_ends_the_list),
        TEST(bad_items_spoil_themselves_alone),
        TEST(a_deep_item_spoils_itself_alone),
        TEST(errors_of_the_server_are_spread_by_backoff),
        BARE(what_cannot_be_watched_is_listed_again_and_again),
        TEST(a_list_without_a_version_is_polled),
        NAMED(one_object_is_listed_and_watched_by_name),
        NAMED(a_server_that_takes_no_name_selector_is_filtered_here),
        BARE(selectors_and_names_are_encoded),
        BARE(unsafe_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
