/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mapper: when it asks the server, when it answers from what it has, and what it says when it
 * cannot ask.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "kube/client.h"
#include "kube/mapper.h"
#include "support/script_server.h"

#define CORPUS KS_TESTS_DIR "/corpus/kube-1.36/discovery/"
#define JSON_TYPE "Content-Type: application/json\r\n"

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_kube_config config;
    struct script_server *server;
    struct ks_kube *kube;
    char *bodies[8]; /* of the corpus, as long as the server may send them */
    size_t body_count;
};

static struct fixture fixture;

struct question {
    struct ks_resolve *resolve;
    unsigned answers;
    ks_rc rc;
    char found[128]; /* plural.version.group */
    struct ks_error err;
};

static void on_answer(void *ctx, ks_rc rc, struct ks_resource *r, const struct ks_error *err)
{
    struct question *q = ctx;

    q->resolve = NULL;
    q->answers++;
    q->rc = rc;
    assert_int_equal(rc == KS_RC_OK, r != NULL);
    if (rc)
        q->err = *err;
    else
        (void)snprintf(q->found, sizeof(q->found), "%.*s.%.*s.%.*s", KS_STR_ARGS(r->plural),
                       KS_STR_ARGS(r->version), KS_STR_ARGS(r->group));
}

static void put(struct fixture *f, struct question *q, const struct ks_mapper_query *query)
{
    unsigned before = q->answers;

    assert_int_equal(
        ks_mapper_resolve(ks_kube_mapper(f->kube), query, on_answer, q, &q->resolve, NULL),
        KS_RC_OK);
    assert_int_equal(q->answers, before);
}

static void ask(struct fixture *f, struct question *q, const char *name)
{
    put(f, q, &(struct ks_mapper_query){.name = ks_str_from(name)});
}

static void ask_again(struct fixture *f, struct question *q, const char *name)
{
    put(f, q, &(struct ks_mapper_query){.name = ks_str_from(name), .is_repeat = true});
}

static void turn_some(struct fixture *f)
{
    for (int i = 0; i < 10; i++)
        ks_loop_turn_wait(f->loop, 5);
}

static void wait_for(struct fixture *f, const struct question *q, unsigned answers)
{
    for (int i = 0; i < 1000 && q->answers < answers; i++)
        ks_loop_turn_wait(f->loop, 10);
    assert_int_equal(q->answers, answers);
}

/* Asks and waits; "OK: what" or the code's text. */
static const char *answer(struct fixture *f, const char *name)
{
    static struct question q;

    q = (struct question){0};
    ask(f, &q, name);
    wait_for(f, &q, 1);
    return q.rc ? ks_rc_text(q.rc) : q.found;
}

static void pass(struct fixture *f, int64_t ms)
{
    ks_clock_test_advance(&f->clock, ms);
    turn_some(f);
}

static void say(struct fixture *f, const char *path, int status, const char *body,
                const char *headers)
{
    script_server_set(
        f->server,
        &(struct script_answer){.path = path, .status = status, .body = body, .headers = headers});
}

static const char *corpus(struct fixture *f, const char *name)
{
    struct ks_buf text;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s%s", CORPUS, name);
    ks_buf_init(&text, (size_t)1 << 20);
    assert_int_equal(ks_file_read(path, &text, NULL), KS_RC_OK);
    f->bodies[f->body_count] = ks_buf_take(&text);
    return f->bodies[f->body_count++];
}

static int setup(void **state)
{
    struct fixture *f = &fixture;

    *f = (struct fixture){0};
    ks_clock_test_init(&f->clock, 1790000000000);
    assert_int_equal(ks_loop_new(&f->clock.clock, &f->loop, NULL), KS_RC_OK);
    f->server = script_server_start();
    f->config.server = (char *)(uintptr_t)script_server_url(f->server);
    assert_int_equal(ks_kube_new(f->loop, &f->config, NULL, &f->kube, NULL), KS_RC_OK);
    say(f, "/version", 200, "{}", JSON_TYPE);
    *state = f;
    return 0;
}

static int setup_aggregated(void **state)
{
    struct fixture *f;

    setup(state);
    f = *state;
    say(f, "/api", 200, corpus(f, "api.aggregated.json"), JSON_TYPE "ETag: \"core-1\"\r\n");
    say(f, "/apis", 200, corpus(f, "apis.aggregated.json"), JSON_TYPE "ETag: \"groups-1\"\r\n");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ks_kube_free(f->kube);
    turn_some(f);
    ks_loop_free(f->loop);
    script_server_stop(f->server);
    for (size_t i = 0; i < f->body_count; i++)
        ks_free(f->bodies[i]);
    return 0;
}

static unsigned runs(struct fixture *f)
{
    return script_server_count(f->server, "/apis");
}

static void one_run_answers_all(void **state)
{
    struct fixture *f = *state;
    struct question a = {0}, b = {0}, c = {0};

    ask(f, &a, "deploy");
    ask(f, &b, "po");
    ask(f, &c, "gizmos");
    wait_for(f, &a, 1);
    wait_for(f, &b, 1);
    wait_for(f, &c, 1);
    assert_string_equal(a.found, "deployments.v1.apps");
    assert_string_equal(b.found, "pods.v1.");
    assert_int_equal(c.rc, KS_RC_NOTFOUND);
    assert_string_equal(answer(f, "widgets"), "widgets.v1.example.dev");
    assert_int_equal(runs(f), 1);
    assert_true(script_server_had_header(
        f->server, "/apis",
        "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"));
    assert_false(script_server_had_header(f->server, "/apis", "If-None-Match"));
}

static void kinds_are_asked_for_too(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    assert_int_equal(ks_mapper_resolve(ks_kube_mapper(f->kube),
                                       &(struct ks_mapper_query){.group = KS_LIT("batch"),
                                                                 .kind = KS_LIT("CronJob"),
                                                                 .has_group = true},
                                       on_answer, &q, &q.resolve, NULL),
                     KS_RC_OK);
    wait_for(f, &q, 1);
    assert_string_equal(q.found, "cronjobs.v1.batch");
    q = (struct question){0};
    assert_int_equal(ks_mapper_resolve(ks_kube_mapper(f->kube),
                                       &(struct ks_mapper_query){.kind = KS_LIT("Event")},
                                       on_answer, &q, &q.resolve, NULL),
                     KS_RC_OK);
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_AMBIGUOUS);
}

static void a_miss_asks_again_but_not_often(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    assert_string_equal(answer(f, "po"), "pods.v1.");
    /* The catalog is younger than the floor: only who has been told so already waits for it. */
    pass(f, 1000);
    assert_string_equal(answer(f, "gizmos"), "not found");
    assert_string_equal(answer(f, "gadgets"), "not found");
    assert_int_equal(runs(f), 1);
    ask_again(f, &q, "gizmos");
    turn_some(f);
    assert_int_equal(q.answers, 0);
    assert_int_equal(runs(f), 1);
    pass(f, 4000);
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_NOTFOUND);
    assert_int_equal(runs(f), 2);
    assert_true(script_server_had_header(f->server, "/apis", "If-None-Match: \"groups-1\""));
    /* The same question is remembered, another one is not. */
    pass(f, 9000);
    assert_string_equal(answer(f, "gizmos"), "not found");
    assert_int_equal(runs(f), 2);
    assert_string_equal(answer(f, "gadgets"), "not found");
    assert_int_equal(runs(f), 3);
    pass(f, 10000);
    assert_string_equal(answer(f, "gizmos"), "not found");
    assert_int_equal(runs(f), 4);
    /* Hits never ask. */
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    assert_int_equal(runs(f), 4);
}

static void a_new_kind_is_found_by_asking_again(void **state)
{
    static const char gizmo[] =
        "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{\"name\":\"g.io\"},"
        "\"versions\":["
        "{\"version\":\"v1\",\"freshness\":\"Current\",\"resources\":[{\"resource\":\"gizmos\","
        "\"responseKind\":{\"kind\":\"Gizmo\"},\"scope\":\"Namespaced\",\"verbs\":[\"list\","
        "\"watch\"]}]}]}]}";
    struct fixture *f = *state;

    assert_string_equal(answer(f, "po"), "pods.v1.");
    say(f, "/api", 304, NULL, NULL);
    say(f, "/apis", 200, gizmo, JSON_TYPE);
    pass(f, 6000);
    assert_string_equal(answer(f, "gizmos"), "gizmos.v1.g.io");
    /* The half that had not changed is still there, the other is gone. */
    assert_string_equal(answer(f, "po"), "pods.v1.");
    pass(f, 6000);
    assert_string_equal(answer(f, "deploy"), "not found");
    /* Without an etag the next run does not compare. */
    assert_false(script_server_had_header(f->server, "/apis", "If-None-Match"));
    assert_true(script_server_had_header(f->server, "/api", "If-None-Match: \"core-1\""));
}

static void the_catalog_grows_old(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(answer(f, "po"), "pods.v1.");
    say(f, "/api", 304, NULL, NULL);
    say(f, "/apis", 304, NULL, NULL);
    pass(f, (int64_t)10 * 60 * 1000 - 1);
    assert_string_equal(answer(f, "po"), "pods.v1.");
    assert_int_equal(runs(f), 1);
    pass(f, 1);
    assert_string_equal(answer(f, "po"), "pods.v1.");
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    assert_int_equal(runs(f), 2);
}

static void invalidating_asks_again(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    assert_string_equal(answer(f, "po"), "pods.v1.");
    ks_mapper_invalidate(ks_kube_mapper(f->kube));
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    ask_again(f, &q, "po");
    turn_some(f);
    assert_int_equal(q.answers, 0); /* the floor */
    pass(f, 5000);
    wait_for(f, &q, 1);
    assert_string_equal(q.found, "pods.v1.");
    assert_int_equal(runs(f), 2);
}

static void a_failed_refresh_keeps_the_catalog(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    assert_string_equal(answer(f, "po"), "pods.v1.");
    say(f, "/apis", 500, "{\"message\":\"etcd is away\",\"code\":500}", JSON_TYPE);
    ks_mapper_invalidate(ks_kube_mapper(f->kube));
    pass(f, 5000);
    assert_string_equal(answer(f, "po"), "pods.v1.");
    assert_int_equal(runs(f), 2);
    ask(f, &q, "gizmos");
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(q.err.msg, "etcd is away"));
    assert_int_equal(runs(f), 2); /* within the floor the failure is remembered */
    say(f, "/apis", 200, f->bodies[1], JSON_TYPE);
    pass(f, 5000);
    assert_string_equal(answer(f, "gizmos"), "not found");
}

static void refusals_are_told_as_such(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    say(f, "/api", 403,
        "{\"reason\":\"Forbidden\",\"message\":\"no discovery for you\",\"code\":403}", JSON_TYPE);
    say(f, "/apis", 403,
        "{\"reason\":\"Forbidden\",\"message\":\"no discovery for you\",\"code\":403}", JSON_TYPE);
    ask(f, &q, "po");
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_DENIED);
    assert_non_null(strstr(q.err.msg, "no discovery for you"));
    assert_non_null(strstr(q.err.msg, "cannot ask the API server what it serves"));
}

static void something_else_than_an_api_server(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    say(f, "/api", 200, "<html>hello</html>", "Content-Type: text/html\r\n");
    say(f, "/apis", 200, "<html>hello</html>", "Content-Type: text/html\r\n");
    ask(f, &q, "po");
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(q.err.msg, "discovery document"));
}

static void no_core_group_is_legal(void **state)
{
    struct fixture *f = *state;

    say(f, "/api", 404, "404 page not found", NULL);
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    assert_string_equal(answer(f, "po"), "not found");
}

static void a_304_that_nobody_asked_for_is_no_catalog(void **state)
{
    struct fixture *f = *state;

    say(f, "/api", 304, NULL, NULL);
    say(f, "/apis", 304, NULL, NULL);
    assert_string_equal(answer(f, "po"), "temporarily unavailable");
}

static void legacy_say(struct fixture *f)
{
    say(f, "/api", 200, corpus(f, "api.legacy.json"), JSON_TYPE);
    say(f, "/apis", 200, corpus(f, "apis.legacy.json"), JSON_TYPE);
    say(f, "/api/v1", 200, corpus(f, "api.v1.json"), JSON_TYPE);
    say(f, "/apis/apps/v1", 200, corpus(f, "apis.apps.v1.json"), JSON_TYPE);
    say(f, "/apis/batch/v1", 503, "service unavailable", NULL);
    say(f, "/apis/example.dev/v1", 200, corpus(f, "apis.example.dev.v1.json"), JSON_TYPE);
    say(f, "/apis/policy/v1", 200, "no JSON", JSON_TYPE);
}

static void old_servers_are_asked_group_by_group(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    legacy_say(f);
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    assert_string_equal(answer(f, "po"), "pods.v1.");
    assert_string_equal(answer(f, "widget.example.dev"), "widgets.v1.example.dev");
    assert_int_equal(runs(f), 1);
    assert_int_equal(script_server_count(f->server, "/apis/storage.k8s.io/v1"), 1);
    /* What a group that did not answer may have is not said to be missing. */
    ask(f, &q, "cronjobs.batch");
    pass(f, 5000);
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(q.err.msg, "batch/v1"));
}

static void the_aggregated_form_may_be_refused(void **state)
{
    struct fixture *f = *state;

    legacy_say(f);
    script_server_set(
        f->server,
        &(struct script_answer){.path = "/api", .status = 406, .accept = "application/json;g="});
    script_server_set(
        f->server,
        &(struct script_answer){.path = "/apis", .status = 406, .accept = "application/json;g="});
    assert_string_equal(answer(f, "deploy"), "deployments.v1.apps");
    assert_int_equal(runs(f), 2);
}

static void while_the_server_is_away_answers_come_at_once(void **state)
{
    struct fixture *f = *state;
    struct question first = {0}, second = {0}, third = {0};

    script_server_set_up(f->server, false);
    ask(f, &first, "po");
    wait_for(f, &first, 1);
    assert_int_equal(first.rc, KS_RC_IO);
    assert_non_null(strstr(first.err.msg, "cannot ask the API server"));
    turn_some(f);
    ask(f, &second, "po");
    wait_for(f, &second, 1);
    assert_int_equal(second.rc, KS_RC_IO);
    script_server_set_up(f->server, true);
    pass(f, 60000);
    turn_some(f);
    /* The run that waited has ended, and its catalog is here. */
    ask(f, &third, "po");
    wait_for(f, &third, 1);
    assert_string_equal(third.found, "pods.v1.");
    assert_int_equal(runs(f), 1);
}

static void an_outage_does_not_take_the_catalog(void **state)
{
    struct fixture *f = *state;
    struct question miss = {0};

    assert_string_equal(answer(f, "po"), "pods.v1.");
    script_server_set_up(f->server, false);
    pass(f, (int64_t)11 * 60 * 1000);
    assert_string_equal(answer(f, "po"), "pods.v1.");
    ask(f, &miss, "gizmos");
    wait_for(f, &miss, 1);
    assert_int_equal(miss.rc, KS_RC_IO);
}

static void cancelled_questions_are_not_answered(void **state)
{
    struct fixture *f = *state;
    struct question a = {0}, b = {0};

    ask(f, &a, "po");
    ask(f, &b, "po");
    ks_resolve_cancel(a.resolve);
    wait_for(f, &b, 1);
    assert_int_equal(a.answers, 0);
    ks_resolve_cancel(NULL);
    /* And a client may go while a run is under way. */
    ks_mapper_invalidate(ks_kube_mapper(f->kube));
    ask(f, &a, "po");
    pass(f, 5000);
    ks_resolve_cancel(a.resolve);
}

/* Asks again from within the answer. */
static void on_answer_ask(void *ctx, ks_rc rc, struct ks_resource *r, const struct ks_error *err)
{
    struct question *q = ctx;

    on_answer(q, rc, r, err);
    ks_mapper_invalidate(ks_kube_mapper(fixture.kube));
    if (q->answers < 3)
        assert_int_equal(
            ks_mapper_resolve(ks_kube_mapper(fixture.kube),
                              &(struct ks_mapper_query){.name = KS_LIT("po"), .is_repeat = true},
                              on_answer_ask, q, &q->resolve, NULL),
            KS_RC_OK);
}

static void answers_may_lead_to_questions(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    assert_int_equal(ks_mapper_resolve(ks_kube_mapper(f->kube),
                                       &(struct ks_mapper_query){.name = KS_LIT("po")},
                                       on_answer_ask, &q, &q.resolve, NULL),
                     KS_RC_OK);
    wait_for(f, &q, 1);
    pass(f, 5000);
    wait_for(f, &q, 2);
    pass(f, 5000);
    wait_for(f, &q, 3);
    assert_string_equal(q.found, "pods.v1.");
    assert_int_equal(runs(f), 3);
}

static struct question second;

static void on_answer_ask_second(void *ctx, ks_rc rc, struct ks_resource *r,
                                 const struct ks_error *err)
{
    on_answer(ctx, rc, r, err);
    ask(&fixture, &second, "deploy");
}

static void a_question_from_an_answer_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    second = (struct question){0};
    assert_int_equal(ks_mapper_resolve(ks_kube_mapper(f->kube),
                                       &(struct ks_mapper_query){.name = KS_LIT("po")},
                                       on_answer_ask_second, &q, &q.resolve, NULL),
                     KS_RC_OK);
    wait_for(f, &second, 1); /* the clock stands still */
    assert_string_equal(second.found, "deployments.v1.apps");
}

static void no_memory_is_told(void **state)
{
    struct fixture *f = *state;
    struct question q = {0};

    ks_alloc_fail_at(1);
    assert_int_equal(ks_mapper_resolve(ks_kube_mapper(f->kube),
                                       &(struct ks_mapper_query){.name = KS_LIT("po")}, on_answer,
                                       &q, &q.resolve, NULL),
                     KS_RC_NOMEM);
    ask(f, &q, "po");
    ks_alloc_fail_at(1); /* the run */
    ks_loop_turn(f->loop);
    ks_alloc_fail_at(0);
    wait_for(f, &q, 1);
    assert_int_equal(q.rc, KS_RC_NOMEM);
    ask(f, &q, "po");
    ks_alloc_fail_at(3); /* one of its requests */
    ks_loop_turn(f->loop);
    ks_alloc_fail_at(0);
    wait_for(f, &q, 2);
    assert_int_equal(q.rc, KS_RC_NOMEM);
    assert_string_equal(answer(f, "po"), "pods.v1.");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup_aggregated, teardown)
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_run_answers_all),
        CASE(kinds_are_asked_for_too),
        CASE(a_miss_asks_again_but_not_often),
        CASE(a_new_kind_is_found_by_asking_again),
        CASE(the_catalog_grows_old),
        CASE(invalidating_asks_again),
        CASE(a_failed_refresh_keeps_the_catalog),
        BARE(refusals_are_told_as_such),
        BARE(something_else_than_an_api_server),
        CASE(no_core_group_is_legal),
        BARE(a_304_that_nobody_asked_for_is_no_catalog),
        BARE(old_servers_are_asked_group_by_group),
        BARE(the_aggregated_form_may_be_refused),
        CASE(while_the_server_is_away_answers_come_at_once),
        CASE(an_outage_does_not_take_the_catalog),
        CASE(cancelled_questions_are_not_answered),
        CASE(answers_may_lead_to_questions),
        CASE(a_question_from_an_answer_does_not_wait),
        CASE(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
