/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rendezvous: the callback offers its response, rings, and waits until it was used or the relay
 * was closed.
 *
 * Invariants: 1. at most one response is offered; 2. after close no callback waits; 3. the end
 * comes after the last response was used, because callbacks come one at a time.
 *
 * Thread: callbacks on the client's thread, all else on one other.
 */
#include "client/cli/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"

struct ks_relay {
    int fd;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t used;
    const Kstatus__V1__WatchResponse *offered;
    bool has_ended;
    bool is_closed;
    struct kstatus_error end;
    struct ks_relay_loss loss;
    bool has_loss_changed;
};

struct ks_relay *ks_relay_new(struct ks_error *err)
{
    struct ks_relay *relay = ks_alloc0(sizeof(*relay));

    if (!relay) {
        (void)ks_fail(err, KS_RC_NOMEM, "out of memory"); /* only records */
        return NULL;
    }
    relay->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (relay->fd < 0) {
        (void)ks_fail_errno(err, KS_RC_IO, errno, "eventfd"); /* only records */
        ks_free(relay);
        return NULL;
    }
    (void)pthread_mutex_init(&relay->lock, NULL); /* default attributes do not fail on Linux */
    (void)pthread_cond_init(&relay->used, NULL);  /* nor these */
    return relay;
}

struct ks_relay *ks_relay_free(struct ks_relay *relay)
{
    if (relay) {
        (void)close(relay->fd);                   /* an eventfd */
        (void)pthread_cond_destroy(&relay->used); /* nobody waits: the watch is gone */
        (void)pthread_mutex_destroy(&relay->lock);
        ks_free(relay);
    }
    return NULL;
}

static void ring(const struct ks_relay *relay)
{
    uint64_t one = 1;
    ssize_t n = write(relay->fd, &one, sizeof(one));

    (void)n; /* full means that it has rung */
}

static void on_response(void *ctx, const Kstatus__V1__WatchResponse *response)
{
    struct ks_relay *relay = ctx;

    pthread_mutex_lock(&relay->lock);
    relay->offered = response;
    ring(relay);
    while (relay->offered && !relay->is_closed)
        (void)pthread_cond_wait(&relay->used, &relay->lock); /* only errors are misuse */
    relay->offered = NULL;
    pthread_mutex_unlock(&relay->lock);
}

static void on_end(void *ctx, const struct kstatus_error *error)
{
    struct ks_relay *relay = ctx;

    pthread_mutex_lock(&relay->lock);
    relay->end = *error;
    relay->has_ended = true;
    ring(relay);
    pthread_mutex_unlock(&relay->lock);
}

const struct kstatus_watch_callbacks ks_relay_callbacks = {
    .size = sizeof(ks_relay_callbacks), .on_response = on_response, .on_end = on_end};

static void on_connection(void *ctx, const struct kstatus_error *error, int64_t retry_ms)
{
    struct ks_relay *relay = ctx;
    bool is_lost = error != NULL;

    (void)retry_ms; /* it is not worth a line each time */
    pthread_mutex_lock(&relay->lock);
    if (relay->loss.is_lost != is_lost) {
        relay->loss.is_lost = is_lost;
        if (error)
            relay->loss.why = *error;
        relay->has_loss_changed = true;
        ring(relay);
    }
    pthread_mutex_unlock(&relay->lock);
}

struct kstatus_follow_callbacks ks_relay_following(bool gives_up)
{
    return (struct kstatus_follow_callbacks){.size = sizeof(struct kstatus_follow_callbacks),
                                             .on_response = on_response,
                                             .on_end = on_end,
                                             .on_connection = on_connection,
                                             .gives_up = gives_up};
}

int ks_relay_fd(const struct ks_relay *relay)
{
    return relay->fd;
}

const Kstatus__V1__WatchResponse *ks_relay_take(struct ks_relay *relay)
{
    const Kstatus__V1__WatchResponse *response;
    uint64_t rings;
    ssize_t n = read(relay->fd, &rings, sizeof(rings));

    (void)n; /* nothing rang: nothing is offered either */
    pthread_mutex_lock(&relay->lock);
    response = relay->offered;
    pthread_mutex_unlock(&relay->lock);
    return response;
}

void ks_relay_done(struct ks_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->offered = NULL;
    (void)pthread_cond_signal(&relay->used); /* cannot fail */
    pthread_mutex_unlock(&relay->lock);
}

bool ks_relay_end(struct ks_relay *relay, struct kstatus_error *out)
{
    bool has_ended;

    pthread_mutex_lock(&relay->lock);
    has_ended = relay->has_ended;
    if (has_ended)
        *out = relay->end;
    pthread_mutex_unlock(&relay->lock);
    return has_ended;
}

bool ks_relay_take_loss(struct ks_relay *relay, struct ks_relay_loss *out)
{
    bool has_changed;

    pthread_mutex_lock(&relay->lock);
    has_changed = relay->has_loss_changed;
    relay->has_loss_changed = false;
    if (has_changed)
        *out = relay->loss;
    pthread_mutex_unlock(&relay->lock);
    return has_changed;
}

void ks_relay_close(struct ks_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->is_closed = true;
    (void)pthread_cond_signal(&relay->used); /* cannot fail */
    pthread_mutex_unlock(&relay->lock);
}
