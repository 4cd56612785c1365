/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch that outlives its streams: one kstatus_watch after the other, and a sieve that lets
 * through what is news.
 *
 *   STREAMING ──lost──> WAITING ──time is up──> STREAMING
 *       └──ended, or not to be tried again──> ENDED
 *
 * Invariants: 1. a stream is only opened anew after a first one has answered: who is not there at
 * all is told at once; 2. watch and timer hold one reference between them, whichever is in use;
 * 3. after kstatus_follow_free no callback begins.
 *
 * Thread: the lock guards what stands below it; callbacks, sieve and counters are the client's
 * thread's.
 */
#include "kstatus.h"

#include <string.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/clock.h"

#include "client/client_internal.h"
#include "client/pb_alloc.h"
#include "client/sieve.h"

#define RETRY_BASE_MS 200
#define RETRY_CAP_MS 15000

struct kstatus_follow {
    struct kstatus_client *client;
    Kstatus__V1__WatchRequest *request; /* our copy */
    struct kstatus_follow_callbacks callbacks;
    void *ctx;
    struct ks_client_timer timer;
    struct ks_backoff backoff;
    struct ks_sieve *sieve;
    uint64_t next_sequence;
    int64_t reconnect_after_ms; /* what Draining has asked for */
    bool has_response;          /* of any stream */
    bool is_reconnecting;       /* and the new stream has not answered yet */
    bool has_outcome;
    struct kstatus_error fault; /* our own; it ends all */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct kstatus_watch *watch; /* NULL: waiting, or ended */
    bool is_free_wanted;
    bool is_in_callback;
    unsigned refs;
};

static void follow_destroy(struct kstatus_follow *f)
{
    ks_sieve_free(f->sieve);
    if (f->request)
        kstatus__v1__watch_request__free_unpacked(f->request, &ks_pb_allocator);
    (void)pthread_cond_destroy(&f->changed); /* nobody waits: no reference is left */
    (void)pthread_mutex_destroy(&f->lock);   /* nobody holds it: no reference is left */
    ks_free(f);
}

static void follow_unref(struct kstatus_follow *f)
{
    bool is_last;

    pthread_mutex_lock(&f->lock);
    is_last = --f->refs == 0;
    pthread_mutex_unlock(&f->lock);
    if (is_last)
        follow_destroy(f);
}

static void follow_ref(struct kstatus_follow *f)
{
    pthread_mutex_lock(&f->lock);
    f->refs++;
    pthread_mutex_unlock(&f->lock);
}

/* False when no callback may begin any more; else callback_finish is due. */
static bool callback_begin(struct kstatus_follow *f)
{
    bool may_begin;

    pthread_mutex_lock(&f->lock);
    may_begin = !f->is_free_wanted;
    f->is_in_callback = may_begin;
    pthread_mutex_unlock(&f->lock);
    return may_begin;
}

static void callback_finish(struct kstatus_follow *f)
{
    pthread_mutex_lock(&f->lock);
    f->is_in_callback = false;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void tell_connection(struct kstatus_follow *f, const struct kstatus_error *error,
                            int64_t retry_ms)
{
    if (!f->callbacks.on_connection || !callback_begin(f))
        return;
    f->callbacks.on_connection(f->ctx, error, retry_ms);
    callback_finish(f);
}

static void tell_response(struct kstatus_follow *f, Kstatus__V1__WatchResponse *response)
{
    if (response->n_events == 0 || !callback_begin(f))
        return;
    response->first_sequence = f->next_sequence;
    f->next_sequence += response->n_events;
    f->callbacks.on_response(f->ctx, response);
    callback_finish(f);
}

static void tell_end(struct kstatus_follow *f, const struct kstatus_error *error)
{
    if (!f->callbacks.on_end || !callback_begin(f))
        return;
    f->callbacks.on_end(f->ctx, error);
    callback_finish(f);
}

/* What the events mean for the stream, beside what the user makes of them. */
static void note_events(struct kstatus_follow *f, const Kstatus__V1__WatchResponse *response)
{
    for (size_t i = 0; i < response->n_events; i++) {
        const Kstatus__V1__Event *event = response->events[i];

        if (event->event_case == KSTATUS__V1__EVENT__EVENT_SYNCED)
            ks_backoff_reset(&f->backoff);
        if (event->event_case == KSTATUS__V1__EVENT__EVENT_OUTCOME)
            f->has_outcome = true;
        if (event->event_case == KSTATUS__V1__EVENT__EVENT_DRAINING) {
            const Google__Protobuf__Duration *after = event->draining->reconnect_after;

            f->reconnect_after_ms = after ? after->seconds * 1000 + after->nanos / 1000000 : 0;
        }
    }
}

static void take_in(struct kstatus_follow *f, const Kstatus__V1__WatchResponse *response)
{
    Kstatus__V1__WatchResponse news;

    if (f->fault.code != KSTATUS_OK)
        return;
    if (f->is_reconnecting)
        tell_connection(f, NULL, 0);
    f->is_reconnecting = false;
    f->has_response = true;
    note_events(f, response);
    if (ks_sieve_pass(f->sieve, response, &news)) {
        (void)ks_client_fail(&f->fault, KSTATUS_RESOURCE_EXHAUSTED, "out of memory"); /* fills it */
        pthread_mutex_lock(&f->lock);
        if (f->watch)
            kstatus_watch_cancel(f->watch);
        pthread_mutex_unlock(&f->lock);
        return;
    }
    tell_response(f, &news);
}

static void on_response(void *ctx, const Kstatus__V1__WatchResponse *response)
{
    struct kstatus_follow *f = ctx;

    follow_ref(f); /* a callback may free us */
    take_in(f, response);
    follow_unref(f);
}

/* Whether another stream may do better. */
static bool is_worth_trying(const struct kstatus_follow *f, const struct kstatus_error *error)
{
    if (f->fault.code != KSTATUS_OK || f->has_outcome || !f->has_response || f->callbacks.gives_up)
        return false;
    switch (error->code) {
    case KSTATUS_CANCELLED:
    case KSTATUS_UNKNOWN:
    case KSTATUS_RESOURCE_EXHAUSTED:
    case KSTATUS_ABORTED:
    case KSTATUS_INTERNAL:
    case KSTATUS_UNAVAILABLE:
    case KSTATUS_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

static void on_timer(struct ks_client_timer *timer);

/* Takes the reference that the stream had. */
static void try_later(struct kstatus_follow *f, const struct kstatus_error *error)
{
    int64_t delay_ms = ks_backoff_next_ms(&f->backoff);
    bool goes_on;

    if (delay_ms < f->reconnect_after_ms)
        delay_ms = f->reconnect_after_ms;
    f->reconnect_after_ms = 0;
    f->is_reconnecting = true;
    tell_connection(f, error, delay_ms); /* our reference keeps us */
    pthread_mutex_lock(&f->lock);
    goes_on = !f->is_free_wanted;
    if (goes_on)
        ks_client_timer_start(&f->client->timers, &f->timer, delay_ms);
    pthread_mutex_unlock(&f->lock);
    if (!goes_on)
        follow_unref(f);
}

static void on_end(void *ctx, const struct kstatus_error *error)
{
    struct kstatus_follow *f = ctx;
    struct kstatus_watch *ended;

    pthread_mutex_lock(&f->lock);
    ended = f->is_free_wanted ? NULL : KS_TAKE(f->watch);
    pthread_mutex_unlock(&f->lock);
    if (!ended)
        return;    /* whoever frees us has taken it, and its reference */
    follow_ref(f); /* a callback may free us */
    kstatus_watch_free(ended);
    if (is_worth_trying(f, error)) {
        try_later(f, error);
    } else {
        tell_end(f, f->fault.code != KSTATUS_OK ? &f->fault : error);
        follow_unref(f); /* the stream's */
    }
    follow_unref(f);
}

/* Holds the lock; a stream that is opened has a reference. */
static int open_stream(struct kstatus_follow *f, struct kstatus_error *error)
{
    static const struct kstatus_watch_callbacks callbacks = {
        .size = sizeof(callbacks), .on_response = on_response, .on_end = on_end};
    int code;

    f->refs++;
    code = kstatus_watch_open(f->client, f->request, &callbacks, f, &f->watch, error);
    if (code != KSTATUS_OK)
        f->refs--;
    return code;
}

static void on_timer(struct ks_client_timer *timer)
{
    struct kstatus_follow *f = KS_CONTAINER_OF(timer, struct kstatus_follow, timer);
    struct kstatus_error error = {.code = KSTATUS_OK};
    bool is_free_wanted;

    /* gRPC has a back-off of its own, which would fail the call without looking. */
    grpc_channel_reset_connect_backoff(f->client->channel);
    ks_sieve_restart(f->sieve);
    pthread_mutex_lock(&f->lock);
    is_free_wanted = f->is_free_wanted;
    if (!is_free_wanted)
        (void)open_stream(f, &error); /* fills error */
    pthread_mutex_unlock(&f->lock);
    if (!is_free_wanted && error.code != KSTATUS_OK)
        try_later(f, &error);
    else
        follow_unref(f); /* the timer's */
}

static struct kstatus_follow *follow_new(struct kstatus_client *client,
                                         const Kstatus__V1__WatchRequest *request,
                                         const struct kstatus_follow_callbacks *callbacks)
{
    struct kstatus_follow *f = ks_alloc0(sizeof(*f));

    if (!f)
        return NULL;
    f->client = client;
    f->callbacks = *callbacks;
    f->refs = 1;
    f->next_sequence = 1;
    f->backoff = (struct ks_backoff){.base_ms = RETRY_BASE_MS, .cap_ms = RETRY_CAP_MS};
    ks_list_init(&f->timer.link);
    f->timer.fn = on_timer;
    (void)pthread_mutex_init(&f->lock, NULL);   /* default attributes do not fail on Linux */
    (void)pthread_cond_init(&f->changed, NULL); /* nor these */
    f->sieve =
        ks_sieve_new(callbacks->gives_up ? KS_SIEVE_TELLS_DRAINING : KS_SIEVE_DROPS_DRAINING);
    f->request = (Kstatus__V1__WatchRequest *)(void *)ks_pb_copy(&request->base);
    if (f->sieve && f->request)
        return f;
    follow_destroy(f);
    return NULL;
}

int kstatus_follow_open(struct kstatus_client *client, const Kstatus__V1__WatchRequest *request,
                        const struct kstatus_follow_callbacks *callbacks, void *ctx,
                        struct kstatus_follow **out, struct kstatus_error *error)
{
    struct kstatus_follow *f;
    int code;

    if (!callbacks || callbacks->size < sizeof(*callbacks) || !callbacks->on_response)
        return ks_client_fail(error, KSTATUS_INVALID_ARGUMENT,
                              "the callbacks need their size and on_response");
    f = follow_new(client, request, callbacks);
    if (!f)
        return ks_client_fail(error, KSTATUS_RESOURCE_EXHAUSTED, "out of memory");
    f->ctx = ctx;
    pthread_mutex_lock(&f->lock);
    code = open_stream(f, error);
    if (code == KSTATUS_OK)
        *out = f; /* before the lock lets the first callback through */
    pthread_mutex_unlock(&f->lock);
    if (code != KSTATUS_OK)
        follow_unref(f);
    return code;
}

void kstatus_follow_free(struct kstatus_follow *f)
{
    struct kstatus_watch *watch;
    bool was_waiting;

    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->is_free_wanted = true; /* from here on no callback begins */
    watch = KS_TAKE(f->watch);
    was_waiting = ks_client_timer_stop(&f->client->timers, &f->timer);
    pthread_mutex_unlock(&f->lock);
    kstatus_watch_free(watch);
    pthread_mutex_lock(&f->lock);
    while (f->is_in_callback && !pthread_equal(pthread_self(), f->client->thread))
        (void)pthread_cond_wait(&f->changed, &f->lock); /* only errors are misuse */
    pthread_mutex_unlock(&f->lock);
    if (watch || was_waiting)
        follow_unref(f);
    follow_unref(f);
}
