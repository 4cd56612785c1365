/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_server.c */
/*
 * The library against a server that does as told: streams by callback and by asking, slow users,
 * cancelling and freeing from everywhere, broken streams, blocking calls.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <grpc/health/v1/health.pb-c.h>

#include "base/alloc.h"
#include "base/base.h"

#include "fake_server.h"
#include "kstatus.h"

/* More than HTTP/2's windows and a socket's buffers hold. */
#define BIG_BYTES (1u << 20)
#define BIG_COUNT 256
#define STEP_MS 20000

struct fixture {
    struct fake_server *server;
    struct kstatus_client *client;
};

static struct kstatus_client *client_for(int port)
{
    char address[32];
    struct kstatus_client_config config = {.size = sizeof(config), .address = address};
    struct kstatus_client *client = NULL;
    struct kstatus_error error;

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    assert_int_equal(kstatus_client_new(&config, &client, &error), KSTATUS_OK);
    return client;
}

static int setup(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    if (!f)
        return -1;
    f->server = fake_server_start(0);
    f->client = client_for(fake_server_port(f->server));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kstatus_client_free(f->client);
    fake_server_stop(f->server);
    ks_free(f);
    return 0;
}

static struct kstatus_watch *open_pulled(struct fixture *f)
{
    Kstatus__V1__WatchRequest request;
    struct kstatus_watch *watch = NULL;
    struct kstatus_error error;

    kstatus__v1__watch_request__init(&request);
    assert_int_equal(kstatus_watch_open(f->client, &request, NULL, NULL, &watch, &error),
                     KSTATUS_OK);
    return watch;
}

static void send_sync(struct fake_call *call, uint64_t sequence)
{
    Kstatus__V1__WatchResponse response;
    Kstatus__V1__Event event;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Event *events[] = {&event};

    kstatus__v1__watch_response__init(&response);
    kstatus__v1__event__init(&event);
    kstatus__v1__synced__init(&synced);
    event.event_case = KSTATUS__V1__EVENT__EVENT_SYNCED;
    event.synced = &synced;
    response.first_sequence = sequence;
    response.n_events = 1;
    response.events = events;
    fake_call_send(call, &response.base);
}

static void expect_sequence(struct kstatus_watch *watch, uint64_t sequence)
{
    Kstatus__V1__WatchResponse *response = NULL;
    struct kstatus_error error = {.message = ""};

    assert_int_equal(kstatus_watch_next(watch, STEP_MS, &response, &error), KSTATUS_OK);
    assert_non_null(response);
    assert_int_equal(response->first_sequence, sequence);
    kstatus_watch_response_free(response);
}

static void expect_end(struct kstatus_watch *watch, int code, const char *message)
{
    Kstatus__V1__WatchResponse *response = NULL;
    struct kstatus_error error = {.message = ""};

    assert_int_equal(kstatus_watch_next(watch, STEP_MS, &response, &error), code);
    assert_null(response);
    assert_int_equal(error.code, code);
    if (message)
        assert_string_equal(error.message, message);
}

static void sends_the_request_and_reads_in_order(void **state)
{
    struct fixture *f = *state;
    Kstatus__V1__WatchRequest request;
    Kstatus__V1__Target target;
    Kstatus__V1__Target *targets[] = {&target};
    const Kstatus__V1__WatchRequest *seen;
    struct kstatus_watch *watch = NULL;
    struct fake_call *call;

    kstatus__v1__watch_request__init(&request);
    kstatus__v1__target__init(&target);
    target.target_id = 7;
    request.n_targets = 1;
    request.targets = targets;
    assert_int_equal(kstatus_watch_open(f->client, &request, NULL, NULL, &watch, NULL), KSTATUS_OK);
    call = fake_server_accept(f->server);
    assert_string_equal(fake_call_method(call), "/kstatus.v1.StatusService/Watch");
    seen = (const Kstatus__V1__WatchRequest *)(const void *)fake_call_request(
        call, &kstatus__v1__watch_request__descriptor);
    assert_non_null(seen);
    assert_int_equal(seen->n_targets, 1);
    assert_int_equal(seen->targets[0]->target_id, 7);
    for (uint64_t i = 1; i <= 3; i++)
        send_sync(call, i);
    fake_call_finish(call, KSTATUS_OK, "");
    for (uint64_t i = 1; i <= 3; i++)
        expect_sequence(watch, i);
    expect_end(watch, KSTATUS_OK, "");
    expect_end(watch, KSTATUS_OK, ""); /* it stays ended */
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void next_gives_up_after_its_time(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);
    Kstatus__V1__WatchResponse *response = NULL;
    struct kstatus_error error;

    assert_int_equal(kstatus_watch_next(watch, 0, &response, &error), KSTATUS_DEADLINE_EXCEEDED);
    assert_int_equal(kstatus_watch_next(watch, 1001, &response, &error), KSTATUS_DEADLINE_EXCEEDED);
    assert_string_equal(error.message, "");
    send_sync(call, 1);
    assert_int_equal(kstatus_watch_next(watch, -1, &response, NULL), KSTATUS_OK);
    assert_non_null(response);
    kstatus_watch_response_free(response);
    kstatus_watch_free(watch);
    assert_true(fake_call_wait_end(call));
    fake_call_free(call);
}

static void tells_the_servers_error(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);

    fake_call_finish(call, KSTATUS_INVALID_ARGUMENT, "targets: there are none");
    expect_end(watch, KSTATUS_INVALID_ARGUMENT, "targets: there are none");
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void cuts_a_long_error(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);
    struct kstatus_error error;
    Kstatus__V1__WatchResponse *response = NULL;
    char message[3001];

    memset(message, 'x', 3000);
    message[3000] = '\0';
    fake_call_finish(call, KSTATUS_INTERNAL, message);
    assert_int_equal(kstatus_watch_next(watch, STEP_MS, &response, &error), KSTATUS_INTERNAL);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void a_gap_is_data_loss(void **state)
{
    static const uint64_t wrong[] = {0, 1, 3};

    for (size_t i = 0; i < KS_ARRAY_LEN(wrong); i++) {
        struct fixture *f = *state;
        struct kstatus_watch *watch = open_pulled(f);
        struct fake_call *call = fake_server_accept(f->server);

        send_sync(call, 1);
        send_sync(call, wrong[i]);
        expect_sequence(watch, 1);
        expect_end(watch, KSTATUS_DATA_LOSS, "the stream's sequence numbers have a gap");
        assert_true(fake_call_wait_end(call)); /* the library has hung up */
        kstatus_watch_free(watch);
        fake_call_free(call);
    }
}

static void counts_events_not_responses(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);
    Kstatus__V1__WatchResponse response;
    Kstatus__V1__Event event;
    Kstatus__V1__Event *events[] = {&event, &event, &event};

    kstatus__v1__watch_response__init(&response);
    kstatus__v1__event__init(&event);
    response.first_sequence = 1;
    response.n_events = 3;
    response.events = events;
    fake_call_send(call, &response.base);
    send_sync(call, 4);
    expect_sequence(watch, 1);
    expect_sequence(watch, 4);
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void an_unreadable_response_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);

    fake_call_send_bytes(call, "\x1a\xff\xff\xff\x0f", 5);
    expect_end(watch, KSTATUS_INTERNAL, "a response cannot be read");
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void a_dying_server_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);

    send_sync(call, 1);
    expect_sequence(watch, 1);
    fake_server_cut(f->server);
    expect_end(watch, KSTATUS_UNAVAILABLE, NULL);
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void nobody_listening_is_unavailable(void **state)
{
    struct fake_server *server = fake_server_start(0);
    struct kstatus_client *client = client_for(fake_server_port(server));
    Kstatus__V1__GetRequest get;
    Kstatus__V1__GetResponse *answer = NULL;
    struct fixture f = {.client = client};
    struct kstatus_error error = {.message = ""};
    struct kstatus_watch *watch;

    kstatus__v1__get_request__init(&get);
    (void)state;
    fake_server_stop(server);
    watch = open_pulled(&f);
    expect_end(watch, KSTATUS_UNAVAILABLE, NULL);
    kstatus_watch_free(watch);
    assert_int_equal(kstatus_get(client, &get, STEP_MS, &answer, &error), KSTATUS_UNAVAILABLE);
    assert_null(answer);
    assert_non_null(strstr(error.message, "onnect")); /* gRPC's words: "connections", "connect" */
    assert_int_equal(kstatus_check_health(client, STEP_MS, NULL), KSTATUS_UNAVAILABLE);
    kstatus_client_free(client);
}

static void cancel_ends_as_cancelled(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);

    kstatus_watch_cancel(watch);
    kstatus_watch_cancel(watch);
    expect_end(watch, KSTATUS_CANCELLED, NULL);
    kstatus_watch_cancel(watch);
    assert_true(fake_call_wait_end(call));
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void cancel_drops_what_was_not_taken(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);
    Kstatus__V1__WatchResponse *response = NULL;
    int code;

    send_sync(call, 1);
    send_sync(call, 2);
    kstatus_watch_cancel(watch);
    do { /* the first may have been on its way when we cancelled */
        code = kstatus_watch_next(watch, STEP_MS, &response, NULL);
        kstatus_watch_response_free(response);
    } while (code == KSTATUS_OK && response);
    assert_int_equal(code, KSTATUS_CANCELLED);
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void freeing_an_open_watch_hangs_up(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);

    send_sync(call, 1);
    kstatus_watch_free(watch);
    assert_true(fake_call_wait_end(call));
    fake_call_free(call);
}

static void the_client_can_go_right_after_its_watches(void **state)
{
    struct fake_server *server = fake_server_start(0);

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct fixture f = {.client = client_for(fake_server_port(server))};
        struct kstatus_watch *watches[4];

        for (size_t i = 0; i < KS_ARRAY_LEN(watches); i++)
            watches[i] = open_pulled(&f);
        for (size_t i = 0; i < KS_ARRAY_LEN(watches); i++)
            kstatus_watch_free(watches[i]);
        kstatus_client_free(f.client);
    }
    fake_server_stop(server);
}

enum manner { HEAR_ALL, HEAR_HOLD, HEAR_CANCEL, HEAR_FREE };

/* What a watch with callbacks has told. */
struct hearing {
    struct kstatus_watch *watch;
    sem_t heard; /* once per response */
    sem_t ended;
    sem_t go; /* lets a held callback go */
    unsigned responses;
    struct kstatus_error end;
    enum manner manner;
};

static void hearing_init(struct hearing *h, enum manner manner)
{
    memset(h, 0, sizeof(*h));
    h->manner = manner;
    assert_int_equal(sem_init(&h->heard, 0, 0), 0);
    assert_int_equal(sem_init(&h->ended, 0, 0), 0);
    assert_int_equal(sem_init(&h->go, 0, 0), 0);
}

static void hearing_fini(struct hearing *h)
{
    sem_destroy(&h->heard);
    sem_destroy(&h->ended);
    sem_destroy(&h->go);
}

static void on_response(void *ctx, const Kstatus__V1__WatchResponse *response)
{
    struct hearing *h = ctx;

    assert_non_null(response);
    h->responses++;
    if (h->manner != HEAR_ALL && h->responses == 1) {
        if (h->manner == HEAR_CANCEL)
            kstatus_watch_cancel(h->watch);
        if (h->manner == HEAR_FREE)
            kstatus_watch_free(h->watch);
    }
    sem_post(&h->heard);
    if (h->manner == HEAR_HOLD)
        sem_wait(&h->go);
}

static void on_end(void *ctx, const struct kstatus_error *error)
{
    struct hearing *h = ctx;

    h->end = *error;
    sem_post(&h->ended);
}

static void hearing_open(struct hearing *h, struct fixture *f)
{
    const struct kstatus_watch_callbacks callbacks = {
        .size = sizeof(callbacks), .on_response = on_response, .on_end = on_end};
    Kstatus__V1__WatchRequest request;
    struct kstatus_error error;

    kstatus__v1__watch_request__init(&request);
    assert_int_equal(kstatus_watch_open(f->client, &request, &callbacks, h, &h->watch, &error),
                     KSTATUS_OK);
}

static void callbacks_come_in_order_and_end_once(void **state)
{
    struct fixture *f = *state;
    struct hearing h;
    struct fake_call *call;

    hearing_init(&h, HEAR_ALL);
    hearing_open(&h, f);
    call = fake_server_accept(f->server);
    for (uint64_t i = 1; i <= 100; i++)
        send_sync(call, i);
    fake_call_finish(call, KSTATUS_UNAVAILABLE, "draining");
    sem_wait(&h.ended);
    assert_int_equal(h.responses, 100);
    assert_int_equal(h.end.code, KSTATUS_UNAVAILABLE);
    assert_string_equal(h.end.message, "draining");
    kstatus_watch_free(h.watch);
    assert_int_equal(sem_trywait(&h.ended), -1);
    fake_call_free(call);
    hearing_fini(&h);
}

static void cancelling_within_a_callback(void **state)
{
    struct fixture *f = *state;
    struct hearing h;
    struct fake_call *call;

    hearing_init(&h, HEAR_CANCEL);
    hearing_open(&h, f);
    call = fake_server_accept(f->server);
    send_sync(call, 1);
    sem_wait(&h.ended);
    assert_int_equal(h.end.code, KSTATUS_CANCELLED);
    kstatus_watch_free(h.watch);
    fake_call_free(call);
    hearing_fini(&h);
}

static void freeing_within_a_callback(void **state)
{
    struct fixture *f = *state;
    struct hearing h;
    struct fake_call *call;

    hearing_init(&h, HEAR_FREE);
    hearing_open(&h, f);
    call = fake_server_accept(f->server);
    send_sync(call, 1);
    sem_wait(&h.heard);
    assert_true(fake_call_wait_end(call));
    kstatus_client_free(f->client); /* drains the queue: nothing may come any more */
    f->client = NULL;
    assert_int_equal(h.responses, 1);
    assert_int_equal(sem_trywait(&h.ended), -1);
    fake_call_free(call);
    hearing_fini(&h);
}

static void *free_watch(void *arg)
{
    struct hearing *h = arg;

    kstatus_watch_free(h->watch);
    h->responses = 1000; /* allowed: no callback runs any more */
    return NULL;
}

static void freeing_waits_for_a_running_callback(void **state)
{
    struct fixture *f = *state;
    struct hearing h;
    struct fake_call *call;
    pthread_t thread;

    hearing_init(&h, HEAR_HOLD);
    hearing_open(&h, f);
    call = fake_server_accept(f->server);
    send_sync(call, 1);
    sem_wait(&h.heard);
    assert_int_equal(pthread_create(&thread, NULL, free_watch, &h), 0);
    assert_true(fake_call_wait_end(call)); /* it has cancelled, and now waits */
    sem_post(&h.go);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(h.responses, 1000);
    assert_int_equal(sem_trywait(&h.ended), -1);
    fake_call_free(call);
    hearing_fini(&h);
}

/* Fills Accepted's text, so that few messages fill all windows. */
static bool try_send_big(struct fake_call *call, char *text, uint64_t sequence)
{
    Kstatus__V1__WatchResponse response;
    Kstatus__V1__Event event;
    Kstatus__V1__Accepted accepted;
    Kstatus__V1__Event *events[] = {&event};

    kstatus__v1__watch_response__init(&response);
    kstatus__v1__event__init(&event);
    kstatus__v1__accepted__init(&accepted);
    accepted.server_instance = text;
    event.event_case = KSTATUS__V1__EVENT__EVENT_ACCEPTED;
    event.accepted = &accepted;
    response.first_sequence = sequence;
    response.n_events = 1;
    response.events = events;
    return fake_call_try_send(call, &response.base, 500);
}

static void a_slow_user_stops_the_server(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *watch = open_pulled(f);
    struct fake_call *call = fake_server_accept(f->server);
    KS_CLEANUP(ks_freep) char *text = ks_alloc(BIG_BYTES + 1);
    uint64_t sent = 1;

    assert_non_null(text);
    memset(text, 'x', BIG_BYTES);
    text[BIG_BYTES] = '\0';
    while (try_send_big(call, text, sent)) {
        sent++;
        assert_true(sent < BIG_COUNT); /* nothing held it up: all lies in our memory */
    }
    for (uint64_t i = 1; i <= sent; i++)
        expect_sequence(watch, i);
    fake_call_wait_sent(call);
    kstatus_watch_free(watch);
    fake_call_free(call);
}

static void one_slow_watch_does_not_hold_up_others(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch *slow = open_pulled(f);
    struct fake_call *slow_call = fake_server_accept(f->server);
    struct kstatus_watch *quick;
    struct fake_call *quick_call;

    send_sync(slow_call, 1);
    send_sync(slow_call, 2);
    quick = open_pulled(f);
    quick_call = fake_server_accept(f->server);
    for (uint64_t i = 1; i <= 10; i++) {
        send_sync(quick_call, i);
        expect_sequence(quick, i);
    }
    expect_sequence(slow, 1);
    expect_sequence(slow, 2);
    kstatus_watch_free(slow);
    kstatus_watch_free(quick);
    fake_call_free(slow_call);
    fake_call_free(quick_call);
}

static void misuse_is_told(void **state)
{
    struct fixture *f = *state;
    struct kstatus_watch_callbacks callbacks = {.size = 1, .on_response = on_response};
    Kstatus__V1__WatchRequest request;
    Kstatus__V1__WatchResponse *response = NULL;
    struct kstatus_client_config config = {.size = sizeof(config)};
    struct kstatus_client *client = NULL;
    struct kstatus_error error;
    struct hearing h;
    struct fake_call *call;

    kstatus__v1__watch_request__init(&request);
    assert_int_equal(kstatus_client_new(&config, &client, &error), KSTATUS_INVALID_ARGUMENT);
    assert_int_equal(kstatus_client_new(NULL, &client, NULL), KSTATUS_INVALID_ARGUMENT);
    config.address = "localhost:1";
    config.size = 1;
    assert_int_equal(kstatus_client_new(&config, &client, &error), KSTATUS_INVALID_ARGUMENT);
    assert_null(client);
    assert_int_equal(kstatus_watch_open(f->client, &request, &callbacks, NULL, &h.watch, &error),
                     KSTATUS_INVALID_ARGUMENT);
    hearing_init(&h, HEAR_ALL);
    hearing_open(&h, f);
    assert_int_equal(kstatus_watch_next(h.watch, 0, &response, &error), KSTATUS_INVALID_ARGUMENT);
    call = fake_server_accept(f->server);
    kstatus_watch_free(h.watch);
    fake_call_free(call);
    hearing_fini(&h);
    kstatus_watch_free(NULL);
    kstatus_client_free(NULL);
    kstatus_watch_response_free(NULL);
    kstatus_get_response_free(NULL);
    kstatus_wait_response_free(NULL);
    assert_string_equal(kstatus_version(), KS_VERSION);
}

/* Blocking calls need a thread of their own here: the server's steps are this one's. */
struct getting {
    struct kstatus_client *client;
    int64_t timeout_ms;
    Kstatus__V1__GetResponse *answer;
    struct kstatus_error error;
    int code;
};

static void *get(void *arg)
{
    struct getting *g = arg;
    Kstatus__V1__GetRequest request;

    kstatus__v1__get_request__init(&request);
    g->code = kstatus_get(g->client, &request, g->timeout_ms, &g->answer, &g->error);
    return NULL;
}

static void *check_health(void *arg)
{
    struct getting *g = arg;

    g->code = kstatus_check_health(g->client, g->timeout_ms, &g->error);
    return NULL;
}

static void get_returns_the_answer(void **state)
{
    struct fixture *f = *state;
    struct getting g = {.client = f->client, .timeout_ms = -1};
    Kstatus__V1__GetResponse answer;
    struct fake_call *call;
    pthread_t thread;

    kstatus__v1__get_response__init(&answer);
    assert_int_equal(pthread_create(&thread, NULL, get, &g), 0);
    call = fake_server_accept(f->server);
    assert_string_equal(fake_call_method(call), "/kstatus.v1.StatusService/Get");
    answer.aggregate_status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED;
    fake_call_send(call, &answer.base);
    fake_call_finish(call, KSTATUS_OK, "");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(g.code, KSTATUS_OK);
    assert_int_equal(g.answer->aggregate_status,
                     KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED);
    kstatus_get_response_free(g.answer);
    fake_call_free(call);
}

static void get_without_an_answer_fails(void **state)
{
    struct fixture *f = *state;
    struct getting g = {.client = f->client, .timeout_ms = STEP_MS};
    struct fake_call *call;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, get, &g), 0);
    call = fake_server_accept(f->server);
    fake_call_send_bytes(call, "\x0a\xff\xff\xff\x0f", 5);
    fake_call_finish(call, KSTATUS_OK, "");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(g.code, KSTATUS_INTERNAL);
    assert_null(g.answer);
    fake_call_free(call);
}

static void get_keeps_its_time(void **state)
{
    struct fixture *f = *state;
    struct getting g = {.client = f->client, .timeout_ms = 200};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, get, &g), 0);
    assert_int_equal(pthread_join(thread, NULL), 0); /* nobody answers */
    assert_int_equal(g.code, KSTATUS_DEADLINE_EXCEEDED);
}

struct waiting {
    struct kstatus_client *client;
    Kstatus__V1__WaitResponse *answer;
    struct kstatus_error error;
    int code;
};

static void *wait_for_all(void *arg)
{
    struct waiting *w = arg;
    Kstatus__V1__WaitRequest request;
    Kstatus__V1__Until until;

    kstatus__v1__wait_request__init(&request);
    kstatus__v1__until__init(&until);
    until.goal = KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT;
    request.until = &until;
    w->code = kstatus_wait(w->client, &request, STEP_MS, &w->answer, &w->error);
    return NULL;
}

static void wait_returns_the_outcome(void **state)
{
    struct fixture *f = *state;
    struct waiting w = {.client = f->client};
    const Kstatus__V1__WaitRequest *request;
    Kstatus__V1__WaitResponse answer;
    Kstatus__V1__Outcome outcome;
    struct fake_call *call;
    pthread_t thread;

    kstatus__v1__wait_response__init(&answer);
    kstatus__v1__outcome__init(&outcome);
    outcome.verdict = KSTATUS__V1__OUTCOME__VERDICT__VERDICT_TIMED_OUT;
    answer.outcome = &outcome;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_all, &w), 0);
    call = fake_server_accept(f->server);
    assert_string_equal(fake_call_method(call), "/kstatus.v1.StatusService/Wait");
    request = (const Kstatus__V1__WaitRequest *)(const void *)fake_call_request(
        call, &kstatus__v1__wait_request__descriptor);
    assert_non_null(request);
    assert_int_equal(request->until->goal, KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT);
    fake_call_send(call, &answer.base);
    fake_call_finish(call, KSTATUS_OK, "");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.code, KSTATUS_OK);
    assert_int_equal(w.answer->outcome->verdict, KSTATUS__V1__OUTCOME__VERDICT__VERDICT_TIMED_OUT);
    kstatus_wait_response_free(w.answer);
    fake_call_free(call);
}

static void health_is_serving_or_not(void **state)
{
    static const struct {
        int status;
        int code;
    } rows[] = {
        {GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING, KSTATUS_OK},
        {GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING, KSTATUS_UNAVAILABLE},
        {GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN, KSTATUS_UNAVAILABLE},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        Grpc__Health__V1__HealthCheckResponse answer;
        struct getting g = {.client = f->client, .timeout_ms = STEP_MS};
        struct fake_call *call;
        pthread_t thread;

        grpc__health__v1__health_check_response__init(&answer);
        assert_int_equal(pthread_create(&thread, NULL, check_health, &g), 0);
        call = fake_server_accept(f->server);
        assert_string_equal(fake_call_method(call), "/grpc.health.v1.Health/Check");
        answer.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)rows[i].status;
        fake_call_send(call, &answer.base);
        fake_call_finish(call, KSTATUS_OK, "");
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(g.code, rows[i].code);
        fake_call_free(call);
    }
}

/* While gRPC waits before it connects anew, calls fail at once: whoever wants the stream opens it
 * again. */
static struct kstatus_watch *open_until_connected(struct fixture *f)
{
    for (;;) {
        struct kstatus_watch *watch = open_pulled(f);
        Kstatus__V1__WatchResponse *response = NULL;
        int code = kstatus_watch_next(watch, 200, &response, NULL);

        if (code == KSTATUS_DEADLINE_EXCEEDED)
            return watch;
        assert_int_equal(code, KSTATUS_UNAVAILABLE);
        kstatus_watch_free(watch);
    }
}

static void a_server_that_comes_back_is_found(void **state)
{
    struct fake_server *server = fake_server_start(0);
    int port = fake_server_port(server);
    struct fixture f = {.client = client_for(port)};
    struct kstatus_watch *watch = open_pulled(&f);
    struct fake_call *call = fake_server_accept(server);

    (void)state;
    fake_call_finish(call, KSTATUS_UNAVAILABLE, "draining");
    expect_end(watch, KSTATUS_UNAVAILABLE, "draining");
    kstatus_watch_free(watch);
    fake_call_free(call);
    fake_server_stop(server);
    f.server = fake_server_start(port);
    watch = open_until_connected(&f);
    call = fake_server_accept(f.server);
    send_sync(call, 1);
    expect_sequence(watch, 1);
    kstatus_watch_free(watch);
    fake_call_free(call);
    kstatus_client_free(f.client);
    fake_server_stop(f.server);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(sends_the_request_and_reads_in_order),
        WITH_SERVER(next_gives_up_after_its_time),
        WITH_SERVER(tells_the_servers_error),
        WITH_SERVER(cuts_a_long_error),
        WITH_SERVER(a_gap_is_data_loss),
        WITH_SERVER(counts_events_not_responses),
        WITH_SERVER(an_unreadable_response_ends_the_stream),
        WITH_SERVER(a_dying_server_is_unavailable),
        cmocka_unit_test(nobody_listening_is_unavailable),
        WITH_SERVER(cancel_ends_as_cancelled),
        WITH_SERVER(cancel_drops_what_was_not_taken),
        WITH_SERVER(freeing_an_open_watch_hangs_up),
        cmocka_unit_test(the_client_can_go_right_after_its_watches),
        WITH_SERVER(callbacks_come_in_order_and_end_once),
        WITH_SERVER(cancelling_within_a_callback),
        WITH_SERVER(freeing_within_a_callback),
        WITH_SERVER(freeing_waits_for_a_running_callback),
        WITH_SERVER(a_slow_user_stops_the_server),
        WITH_SERVER(one_slow_watch_does_not_hold_up_others),
        WITH_SERVER(misuse_is_told),
        WITH_SERVER(get_returns_the_answer),
        WITH_SERVER(get_without_an_answer_fails),
        WITH_SERVER(get_keeps_its_time),
        WITH_SERVER(wait_returns_the_outcome),
        WITH_SERVER(health_is_serving_or_not),
        cmocka_unit_test(a_server_that_comes_back_is_found),
    };

    (void)setenv("GRPC_VERBOSITY", "NONE", 0); /* refused connections are wanted here */
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
