/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_server.c */
/*
 * A watch that outlives its streams, against a server that loses them as told.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/str.h"

#include "fake_server.h"
#include "kstatus.h"

#define LIMIT_S 20
#define STATUS(name) KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_##name
#define EVENT(name) KSTATUS__V1__EVENT__EVENT_##name

/* Where a callback frees what called it. */
typedef enum { FREE_NOWHERE, FREE_IN_RESPONSE, FREE_IN_CONNECTION, FREE_IN_END } free_at;

struct fixture {
    struct fake_server *server;
    struct kstatus_client *client;
    struct kstatus_follow *follow;
    free_at free_at;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct ks_buf heard; /* "#1 accepted, #2 a 3<-0, lost 14, there, end 14, " */
    int64_t retry_ms;
};

static void hear(struct fixture *f, const char *fmt, ...) KS_PRINTF(2, 3);
static void hear(struct fixture *f, const char *fmt, ...)
{
    char text[128];
    va_list args;
    ks_rc rc;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pthread_mutex_lock(&f->lock);
    rc = ks_buf_append(&f->heard, text, strlen(text));
    (void)rc; /* a test's log has room */
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void free_here(struct fixture *f, free_at here)
{
    if (f->free_at != here)
        return;
    kstatus_follow_free(f->follow);
    hear(f, "freed, ");
}

static void on_response(void *ctx, const Kstatus__V1__WatchResponse *response)
{
    struct fixture *f = ctx;

    for (size_t i = 0; i < response->n_events; i++) {
        const Kstatus__V1__Event *event = response->events[i];
        unsigned sequence = (unsigned)(response->first_sequence + i);

        if (event->event_case == EVENT(UPDATE))
            hear(f, "#%u %s %d<-%d, ", sequence, event->update->object->name,
                 (int)event->update->status, (int)event->update->previous_status);
        else if (event->event_case == EVENT(REMOVED))
            hear(f, "#%u -%s, ", sequence, event->removed->object->name);
        else
            hear(f, "#%u event %d, ", sequence, (int)event->event_case);
    }
    free_here(f, FREE_IN_RESPONSE);
}

static void on_connection(void *ctx, const struct kstatus_error *error, int64_t retry_ms)
{
    struct fixture *f = ctx;

    pthread_mutex_lock(&f->lock);
    if (error)
        f->retry_ms = retry_ms;
    pthread_mutex_unlock(&f->lock);
    if (error)
        hear(f, "lost %d, ", error->code);
    else
        hear(f, "there, ");
    free_here(f, FREE_IN_CONNECTION);
}

static void on_end(void *ctx, const struct kstatus_error *error)
{
    struct fixture *f = ctx;

    hear(f, "end %d, ", error->code);
    free_here(f, FREE_IN_END);
}

static int setup(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    struct kstatus_client_config config = {.size = sizeof(config)};
    char address[32];
    struct kstatus_error error;

    if (!f)
        return -1;
    ks_buf_init(&f->heard, 1u << 16);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    f->server = fake_server_start(0);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", fake_server_port(f->server));
    config.address = address;
    assert_int_equal(kstatus_client_new(&config, &f->client, &error), KSTATUS_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kstatus_client_free(f->client);
    if (f->server)
        fake_server_stop(f->server);
    ks_buf_fini(&f->heard);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->lock);
    ks_free(f);
    return 0;
}

static void open_follow(struct fixture *f, int gives_up)
{
    const struct kstatus_follow_callbacks callbacks = {.size = sizeof(callbacks),
                                                       .on_response = on_response,
                                                       .on_end = on_end,
                                                       .on_connection = on_connection,
                                                       .gives_up = gives_up};
    Kstatus__V1__WatchRequest request;
    Kstatus__V1__Target target;
    Kstatus__V1__Target *targets[] = {&target};
    struct kstatus_error error;

    kstatus__v1__watch_request__init(&request);
    kstatus__v1__target__init(&target);
    target.target_id = 7;
    request.n_targets = 1;
    request.targets = targets;
    assert_int_equal(kstatus_follow_open(f->client, &request, &callbacks, f, &f->follow, &error),
                     KSTATUS_OK);
}

static struct timespec limit(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_S;
    return until;
}

/* Waits until all this and nothing else was heard, and forgets it. */
static void expect(struct fixture *f, const char *text)
{
    struct timespec until = limit();
    bool is_late = false;

    pthread_mutex_lock(&f->lock);
    while (!is_late && f->heard.len < strlen(text))
        is_late = pthread_cond_timedwait(&f->changed, &f->lock, &until) != 0;
    assert_string_equal(f->heard.data ? f->heard.data : "", text);
    ks_buf_clear(&f->heard);
    pthread_mutex_unlock(&f->lock);
}

/* The same, whatever else was heard, but for what must not be. */
static void expect_among(struct fixture *f, const char *text, const char *never)
{
    struct timespec until = limit();
    bool is_late = false;

    pthread_mutex_lock(&f->lock);
    while (!is_late && (!f->heard.data || !strstr(f->heard.data, text)))
        is_late = pthread_cond_timedwait(&f->changed, &f->lock, &until) != 0;
    assert_false(is_late);
    assert_null(strstr(f->heard.data, never));
    ks_buf_clear(&f->heard);
    pthread_mutex_unlock(&f->lock);
}

/* The request comes again with each stream. */
static struct fake_call *accept_watch(struct fixture *f)
{
    struct fake_call *call = fake_server_accept(f->server);
    const Kstatus__V1__WatchRequest *request =
        (const Kstatus__V1__WatchRequest *)(const void *)fake_call_request(
            call, &kstatus__v1__watch_request__descriptor);

    assert_int_equal(request->n_targets, 1);
    assert_int_equal(request->targets[0]->target_id, 7);
    return call;
}

struct sending {
    struct fake_call *call;
    uint64_t sequence;
};

static void send_event(struct sending *s, Kstatus__V1__Event *event)
{
    Kstatus__V1__Event *events[] = {event};
    Kstatus__V1__WatchResponse response;

    kstatus__v1__watch_response__init(&response);
    response.first_sequence = ++s->sequence;
    response.n_events = 1;
    response.events = events;
    fake_call_send(s->call, &response.base);
}

static void send_plain(struct sending *s, Kstatus__V1__Event__EventCase kind)
{
    Kstatus__V1__Accepted accepted;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Outcome outcome;
    Kstatus__V1__Draining draining;
    Google__Protobuf__Duration after;
    Kstatus__V1__Event event;

    kstatus__v1__accepted__init(&accepted);
    kstatus__v1__synced__init(&synced);
    kstatus__v1__outcome__init(&outcome);
    kstatus__v1__draining__init(&draining);
    google__protobuf__duration__init(&after);
    kstatus__v1__event__init(&event);
    after.nanos = 700 * 1000000;
    draining.reconnect_after = &after;
    event.event_case = kind;
    if (kind == EVENT(ACCEPTED))
        event.accepted = &accepted;
    else if (kind == EVENT(SYNCED))
        event.synced = &synced;
    else if (kind == EVENT(OUTCOME))
        event.outcome = &outcome;
    else
        event.draining = &draining;
    send_event(s, &event);
}

static void send_status(struct sending *s, const char *name, Kstatus__V1__ReconcileStatus status)
{
    Kstatus__V1__ResourceStatus update;
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Event event;
    uint32_t id = 7;

    kstatus__v1__resource_status__init(&update);
    kstatus__v1__object_ref__init(&object);
    kstatus__v1__event__init(&event);
    object.kind = (char *)(uintptr_t) "Pod";
    object.name = (char *)(uintptr_t)name;
    update.object = &object;
    update.status = status;
    update.target_ids = &id;
    update.n_target_ids = 1;
    event.event_case = EVENT(UPDATE);
    event.update = &update;
    send_event(s, &event);
}

static void send_target(struct sending *s)
{
    Kstatus__V1__TargetChange change;
    Kstatus__V1__Event event;

    kstatus__v1__target_change__init(&change);
    kstatus__v1__event__init(&event);
    change.target_id = 7;
    change.state = KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SYNCED;
    event.event_case = EVENT(TARGET_CHANGE);
    event.target_change = &change;
    send_event(s, &event);
}

/* Pods a and b, both Current. */
static struct sending first_stream(struct fixture *f)
{
    struct sending s = {.call = accept_watch(f)};

    send_plain(&s, EVENT(ACCEPTED));
    send_target(&s);
    send_status(&s, "a", STATUS(CURRENT));
    send_status(&s, "b", STATUS(CURRENT));
    send_plain(&s, EVENT(SYNCED));
    expect(f, "#1 event 1, #2 event 3, #3 a 3<-0, #4 b 3<-0, #5 event 4, ");
    return s;
}

static void lose(struct sending *s)
{
    fake_call_finish(s->call, KSTATUS_UNAVAILABLE, "going");
    fake_call_free(s->call);
}

static void a_lost_stream_is_opened_again(void **state)
{
    struct fixture *f = *state;
    struct sending s;

    open_follow(f, 0);
    s = first_stream(f);
    lose(&s);
    expect(f, "lost 14, ");
    s = (struct sending){.call = accept_watch(f)};
    send_plain(&s, EVENT(ACCEPTED));
    expect(f, "there, ");
    send_target(&s);
    send_status(&s, "a", STATUS(CURRENT)); /* as it was */
    send_status(&s, "c", STATUS(FAILED));
    send_plain(&s, EVENT(SYNCED));
    expect(f, "#6 c 2<-0, #7 -b, ");
    send_status(&s, "a", STATUS(FAILED));
    expect(f, "#8 a 2<-3, ");
    kstatus_follow_free(f->follow);
    fake_call_free(s.call);
}

static void a_server_may_be_gone_for_a_while(void **state)
{
    struct fixture *f = *state;
    int port = fake_server_port(f->server);
    struct sending s;

    open_follow(f, 0);
    s = first_stream(f);
    fake_server_cut(f->server);
    fake_call_free(s.call);
    fake_server_stop(KS_TAKE(f->server));
    expect_among(f, "lost 14, lost 14, ", "end"); /* nobody is there yet */
    f->server = fake_server_start(port);
    s = (struct sending){.call = accept_watch(f)};
    send_target(&s);
    send_status(&s, "a", STATUS(CURRENT));
    send_status(&s, "b", STATUS(IN_PROGRESS));
    send_plain(&s, EVENT(SYNCED));
    expect_among(f, "there, #6 b 1<-3, ", " a ");
    kstatus_follow_free(f->follow);
    fake_call_free(s.call);
}

static void what_the_server_asks_for_is_honoured(void **state)
{
    struct fixture *f = *state;
    struct sending s;

    open_follow(f, 0);
    s = first_stream(f);
    send_plain(&s, EVENT(DRAINING));
    lose(&s);
    expect(f, "lost 14, ");
    pthread_mutex_lock(&f->lock);
    assert_true(f->retry_ms >= 700);
    pthread_mutex_unlock(&f->lock);
    s = (struct sending){.call = accept_watch(f)};
    kstatus_follow_free(f->follow);
    fake_call_free(s.call);
}

static void who_is_not_there_at_all_is_told(void **state)
{
    struct fixture *f = *state;

    fake_server_stop(KS_TAKE(f->server));
    open_follow(f, 0);
    expect(f, "end 14, ");
    kstatus_follow_free(f->follow);
}

static void some_ends_are_final(void **state)
{
    static const int codes[] = {KSTATUS_OK, KSTATUS_INVALID_ARGUMENT, KSTATUS_UNIMPLEMENTED,
                                KSTATUS_PERMISSION_DENIED, KSTATUS_UNAUTHENTICATED};
    struct fixture *f = *state;

    for (size_t i = 0; i < KS_ARRAY_LEN(codes); i++) {
        struct sending s;
        char text[32];

        open_follow(f, 0);
        s = first_stream(f);
        fake_call_finish(s.call, codes[i], "so be it");
        fake_call_free(s.call);
        (void)snprintf(text, sizeof(text), "end %d, ", codes[i]);
        expect(f, text);
        kstatus_follow_free(f->follow);
    }
}

static void an_outcome_is_final(void **state)
{
    struct fixture *f = *state;
    struct sending s;

    open_follow(f, 0);
    s = first_stream(f);
    send_plain(&s, EVENT(OUTCOME));
    lose(&s);
    expect(f, "#6 event 6, end 14, ");
    kstatus_follow_free(f->follow);
}

static void who_gives_up_is_told_the_loss(void **state)
{
    struct fixture *f = *state;
    struct sending s;

    open_follow(f, 1);
    s = first_stream(f);
    lose(&s);
    expect(f, "end 14, ");
    kstatus_follow_free(f->follow);
}

static void it_is_freed_anywhere(void **state)
{
    struct fixture *f = *state;
    struct sending s;

    open_follow(f, 0); /* before anything came */
    s = (struct sending){.call = accept_watch(f)};
    kstatus_follow_free(f->follow);
    fake_call_free(s.call);

    open_follow(f, 0); /* while it waits */
    s = first_stream(f);
    lose(&s);
    expect(f, "lost 14, ");
    kstatus_follow_free(f->follow);

    f->free_at = FREE_IN_RESPONSE;
    open_follow(f, 0);
    s = (struct sending){.call = accept_watch(f)};
    send_plain(&s, EVENT(ACCEPTED));
    expect(f, "#1 event 1, freed, ");
    fake_call_free(s.call);

    f->free_at = FREE_IN_CONNECTION;
    open_follow(f, 0);
    s = first_stream(f);
    lose(&s);
    expect(f, "lost 14, freed, ");

    f->free_at = FREE_IN_END;
    open_follow(f, 1);
    s = first_stream(f);
    lose(&s);
    expect(f, "end 14, freed, ");
}

static void callbacks_are_checked(void **state)
{
    struct fixture *f = *state;
    struct kstatus_follow_callbacks callbacks = {.size = sizeof(callbacks)};
    Kstatus__V1__WatchRequest request;
    struct kstatus_error error;

    kstatus__v1__watch_request__init(&request);
    assert_int_equal(kstatus_follow_open(f->client, &request, NULL, f, &f->follow, &error),
                     KSTATUS_INVALID_ARGUMENT);
    assert_int_equal(kstatus_follow_open(f->client, &request, &callbacks, f, &f->follow, &error),
                     KSTATUS_INVALID_ARGUMENT);
    kstatus_follow_free(NULL);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_lost_stream_is_opened_again),
        EACH(a_server_may_be_gone_for_a_while),
        EACH(what_the_server_asks_for_is_honoured),
        EACH(who_is_not_there_at_all_is_told),
        EACH(some_ends_are_final),
        EACH(an_outcome_is_final),
        EACH(who_gives_up_is_told_the_loss),
        EACH(it_is_freed_anywhere),
        EACH(callbacks_are_checked),
    };

    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
