/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Watch stream. Responses are read one at a time: the next read is armed when the last one was
 * taken, by the callback's return or by kstatus_watch_next. So a slow user holds one response here,
 * and the rest waits at the server.
 *
 *   OPEN ──read armed──> READING ──message──> HELD ──taken──> OPEN
 *                           │ no more                            (callbacks: taken at once)
 *                           └──────────> DRAINED ──status came──> ENDED
 *
 * Invariants: 1. at most one read is armed; 2. the end is told once, after the last response; 3.
 * each armed batch holds a reference, and so does the user; 4. sequence numbers are checked here, a
 * gap ends the stream as DATA_LOSS.
 *
 * Thread: the mutex guards everything below it in the struct; callbacks run without it, on the
 * client's thread.
 */
#include "kstatus.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/base.h"

#include "client/client_internal.h"

enum watch_state { WATCH_OPEN, WATCH_READING, WATCH_HELD, WATCH_DRAINED, WATCH_ENDED };

struct kstatus_watch {
    struct kstatus_client *client;
    grpc_call *call;
    struct kstatus_watch_callbacks callbacks; /* on_response NULL: pulled */
    void *ctx;
    struct ks_client_tag start_tag;
    struct ks_client_tag read_tag;
    struct ks_client_tag end_tag;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *request;
    grpc_byte_buffer *incoming;
    grpc_status_code status;
    grpc_slice details;
    uint64_t next_sequence;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum watch_state state;
    Kstatus__V1__WatchResponse *held;
    struct kstatus_error end;
    bool has_status;
    bool is_free_wanted;
    bool is_in_callback;
    unsigned refs;
};

static void watch_destroy(struct kstatus_watch *w)
{
    grpc_call_unref(w->call);
    if (w->request)
        grpc_byte_buffer_destroy(w->request);
    if (w->incoming)
        grpc_byte_buffer_destroy(w->incoming);
    kstatus_watch_response_free(w->held);
    grpc_slice_unref(w->details);
    grpc_metadata_array_destroy(&w->initial);
    grpc_metadata_array_destroy(&w->trailing);
    (void)pthread_cond_destroy(&w->changed); /* nobody waits: no reference is left */
    (void)pthread_mutex_destroy(&w->lock);   /* nobody holds it: no reference is left */
    ks_free(w);
}

static void watch_unref(struct kstatus_watch *w)
{
    bool is_last;

    pthread_mutex_lock(&w->lock);
    is_last = --w->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (is_last)
        watch_destroy(w);
}

/* Holds the lock. The read's tag holds a reference. */
static void watch_arm_read(struct kstatus_watch *w)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    op.data.recv_message.recv_message = &w->incoming;
    w->refs++;
    w->state = WATCH_READING;
    if (grpc_call_start_batch(w->call, &op, 1, &w->read_tag, NULL) != GRPC_CALL_OK) {
        w->refs--;
        w->state = WATCH_DRAINED;
    }
}

/* Holds the lock. Whether the end is due now: nothing more to read, and the status has come. */
static bool watch_end_is_due(struct kstatus_watch *w)
{
    if (w->state != WATCH_DRAINED || !w->has_status)
        return false;
    w->state = WATCH_ENDED;
    if (w->end.code == KSTATUS_OK)
        (void)ks_client_fail_slice(&w->end, w->status, w->details); /* fills w->end */
    pthread_cond_broadcast(&w->changed);
    return w->callbacks.on_end && !w->is_free_wanted;
}

static void callback_begin(struct kstatus_watch *w)
{
    w->is_in_callback = true;
    pthread_mutex_unlock(&w->lock);
}

static void callback_finish(struct kstatus_watch *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_in_callback = false;
    pthread_cond_broadcast(&w->changed);
}

/* Holds the lock; gives it up around the callback. */
static void watch_tell_end(struct kstatus_watch *w)
{
    if (!watch_end_is_due(w))
        return;
    callback_begin(w);
    w->callbacks.on_end(w->ctx, &w->end);
    callback_finish(w);
}

static bool sequence_is_right(struct kstatus_watch *w, const Kstatus__V1__WatchResponse *response)
{
    if (response->first_sequence != w->next_sequence)
        return false;
    w->next_sequence += response->n_events;
    return true;
}

/* Holds the lock. The stream is broken from our side. */
static void watch_break(struct kstatus_watch *w, int code, const char *message)
{
    (void)ks_client_fail(&w->end, code, message); /* fills w->end */
    w->state = WATCH_DRAINED;
    (void)grpc_call_cancel(w->call, NULL); /* cannot fail on a live call */
}

/* Holds the lock; gives it up around the callback. */
static void watch_take_in(struct kstatus_watch *w, Kstatus__V1__WatchResponse *response)
{
    if (!w->callbacks.on_response && !w->is_free_wanted) {
        w->held = response;
        w->state = WATCH_HELD;
        pthread_cond_broadcast(&w->changed);
        return;
    }
    if (!w->is_free_wanted) {
        callback_begin(w);
        w->callbacks.on_response(w->ctx, response);
        callback_finish(w);
    }
    kstatus_watch_response_free(response);
    /* When freed, the client may be gone soon, and its queue takes no more batches. */
    if (w->is_free_wanted)
        w->state = WATCH_DRAINED;
    else
        watch_arm_read(w);
}

static void on_read(struct ks_client_tag *tag, bool is_ok)
{
    struct kstatus_watch *w = KS_CONTAINER_OF(tag, struct kstatus_watch, read_tag);
    grpc_byte_buffer *bytes = KS_TAKE(w->incoming);
    Kstatus__V1__WatchResponse *response = NULL;

    if (is_ok && bytes)
        response = (Kstatus__V1__WatchResponse *)(void *)ks_client_unpack(
            &kstatus__v1__watch_response__descriptor, bytes);
    pthread_mutex_lock(&w->lock);
    if (!bytes || !is_ok) {
        w->state = WATCH_DRAINED;
    } else if (!response) {
        watch_break(w, KSTATUS_INTERNAL, "a response cannot be read");
    } else if (!sequence_is_right(w, response)) {
        kstatus_watch_response_free(response);
        watch_break(w, KSTATUS_DATA_LOSS, "the stream's sequence numbers have a gap");
    } else {
        watch_take_in(w, response);
    }
    watch_tell_end(w);
    pthread_mutex_unlock(&w->lock);
    if (bytes)
        grpc_byte_buffer_destroy(bytes);
    watch_unref(w);
}

static void on_start(struct ks_client_tag *tag, bool is_ok)
{
    (void)is_ok; /* a failed start shows in the status */
    watch_unref(KS_CONTAINER_OF(tag, struct kstatus_watch, start_tag));
}

static void on_status(struct ks_client_tag *tag, bool is_ok)
{
    struct kstatus_watch *w = KS_CONTAINER_OF(tag, struct kstatus_watch, end_tag);

    (void)is_ok; /* this batch always succeeds on the client */
    pthread_mutex_lock(&w->lock);
    w->has_status = true;
    watch_tell_end(w);
    pthread_mutex_unlock(&w->lock);
    watch_unref(w);
}

static bool watch_start(struct kstatus_watch *w)
{
    grpc_op start[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA},
    };
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

    start[1].data.send_message.send_message = w->request;
    start[3].data.recv_initial_metadata.recv_initial_metadata = &w->initial;
    end.data.recv_status_on_client.trailing_metadata = &w->trailing;
    end.data.recv_status_on_client.status = &w->status;
    end.data.recv_status_on_client.status_details = &w->details;
    w->refs++;
    if (grpc_call_start_batch(w->call, &end, 1, &w->end_tag, NULL) != GRPC_CALL_OK) {
        w->refs--;
        return false;
    }
    w->refs++;
    if (grpc_call_start_batch(w->call, start, KS_ARRAY_LEN(start), &w->start_tag, NULL) !=
        GRPC_CALL_OK) {
        w->refs--;
        (void)grpc_call_cancel(w->call, NULL); /* cannot fail on a live call */
        return false;
    }
    watch_arm_read(w);
    return true;
}

static void watch_init(struct kstatus_watch *w, struct kstatus_client *client,
                       const Kstatus__V1__WatchRequest *request)
{
    pthread_condattr_t attr;

    w->client = client;
    atomic_store(&w->start_tag.fn, on_start);
    atomic_store(&w->read_tag.fn, on_read);
    atomic_store(&w->end_tag.fn, on_status);
    w->details = grpc_empty_slice();
    w->next_sequence = 1;
    w->refs = 1;
    grpc_metadata_array_init(&w->initial);
    grpc_metadata_array_init(&w->trailing);
    (void)pthread_mutex_init(&w->lock, NULL); /* default attributes do not fail on Linux */
    (void)pthread_condattr_init(&attr);       /* nor these */
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    w->request = ks_client_pack(&request->base);
    w->call =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                 grpc_slice_from_static_string(KS_CLIENT_WATCH_METHOD), NULL,
                                 gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

int kstatus_watch_open(struct kstatus_client *client, const Kstatus__V1__WatchRequest *request,
                       const struct kstatus_watch_callbacks *callbacks, void *ctx,
                       struct kstatus_watch **out, struct kstatus_error *error)
{
    struct kstatus_watch *w;
    bool has_started;

    if (callbacks && (callbacks->size < sizeof(*callbacks) || !callbacks->on_response))
        return ks_client_fail(error, KSTATUS_INVALID_ARGUMENT,
                              "the callbacks need their size and on_response");
    w = ks_alloc0(sizeof(*w));
    if (!w)
        return ks_client_fail(error, KSTATUS_RESOURCE_EXHAUSTED, "out of memory");
    watch_init(w, client, request);
    w->ctx = ctx;
    if (callbacks)
        w->callbacks = *callbacks;
    pthread_mutex_lock(&w->lock);
    has_started = watch_start(w);
    if (has_started)
        *out = w; /* before the lock lets the first callback through */
    pthread_mutex_unlock(&w->lock);
    if (has_started)
        return KSTATUS_OK;
    watch_unref(w);
    return ks_client_fail(error, KSTATUS_INTERNAL, "gRPC refused the call");
}

/* Holds the lock. False when the time is up. */
static bool watch_wait(struct kstatus_watch *w, const struct timespec *until)
{
    if (!until)
        return pthread_cond_wait(&w->changed, &w->lock) == 0;
    return pthread_cond_timedwait(&w->changed, &w->lock, until) != ETIMEDOUT;
}

static struct timespec time_after(int64_t timeout_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail for this clock */
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

int kstatus_watch_next(struct kstatus_watch *w, int64_t timeout_ms,
                       Kstatus__V1__WatchResponse **out, struct kstatus_error *error)
{
    struct timespec until = time_after(timeout_ms < 0 ? 0 : timeout_ms);
    int code = KSTATUS_OK;

    if (w->callbacks.on_response)
        return ks_client_fail(error, KSTATUS_INVALID_ARGUMENT,
                              "this watch was opened with callbacks");
    *out = NULL;
    pthread_mutex_lock(&w->lock);
    while (w->state != WATCH_HELD && w->state != WATCH_ENDED) {
        if (!watch_wait(w, timeout_ms < 0 ? NULL : &until)) {
            code = ks_client_fail(error, KSTATUS_DEADLINE_EXCEEDED, "");
            break;
        }
    }
    if (w->state == WATCH_HELD) {
        *out = KS_TAKE(w->held);
        code = KSTATUS_OK;
        watch_arm_read(w);
        watch_tell_end(w); /* when the read could not be armed and the status is here */
    } else if (w->state == WATCH_ENDED) {
        code = ks_client_fail(error, w->end.code, w->end.message);
    }
    pthread_mutex_unlock(&w->lock);
    return code;
}

/* Holds the lock; gives it up around the callback. */
static void watch_hang_up(struct kstatus_watch *w)
{
    if (w->state != WATCH_ENDED)
        (void)grpc_call_cancel(w->call, NULL); /* cannot fail on a live call */
    if (w->state == WATCH_HELD) {
        kstatus_watch_response_free(KS_TAKE(w->held));
        w->state = WATCH_DRAINED;
        watch_tell_end(w);
    }
}

void kstatus_watch_cancel(struct kstatus_watch *w)
{
    pthread_mutex_lock(&w->lock);
    watch_hang_up(w);
    pthread_mutex_unlock(&w->lock);
}

void kstatus_watch_free(struct kstatus_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_free_wanted = true; /* from here on no callback begins */
    watch_hang_up(w);
    while (w->is_in_callback && !pthread_equal(pthread_self(), w->client->thread))
        (void)pthread_cond_wait(&w->changed, &w->lock); /* only errors are misuse */
    pthread_mutex_unlock(&w->lock);
    watch_unref(w);
}
