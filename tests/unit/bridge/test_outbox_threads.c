/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox between two threads that hammer it. The producer counts what it says; the consumer
 * sleeps until the doorbell rings, takes, and reads everything back:
 *
 *   sequence numbers have no gap; each object's versions only grow and end at the last one put;
 * what was sent and what was merged add up to what was put, object by object; control packets come
 * all and in order; a retired slot's last packet comes; no ring is lost (the consumer would sleep
 * for ever) and none comes after close.
 *
 * Meant to be run under ThreadSanitizer, too.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "bridge/encode.h"
#include "bridge/outbox.h"

#define OBJECTS 50
#define ROUNDS 40000
#define LIVES 8 /* slots that an object has, one after the other */

struct bench {
    struct ks_outbox *outbox;
    pthread_mutex_t lock; /* guards rung and has_ended */
    pthread_cond_t bell;
    bool rung;
    bool has_ended; /* the producer */
    _Atomic bool is_closed;
    _Atomic uint32_t rings;

    /* Producer's, until it has ended. */
    uint64_t put[OBJECTS];
    uint64_t pushed;

    /* Consumer's. */
    uint64_t next_sequence;
    uint64_t last[OBJECTS];
    uint64_t accounted[OBJECTS];
    uint64_t last_control;
};

static void on_ring(void *ctx)
{
    struct bench *b = ctx;

    assert_false(atomic_load(&b->is_closed));
    atomic_fetch_add(&b->rings, 1);
    pthread_mutex_lock(&b->lock);
    b->rung = true;
    pthread_cond_signal(&b->bell);
    pthread_mutex_unlock(&b->lock);
}

/* The object's index travels as generation, its version as observed generation. */
static struct ks_packet *update_packet(unsigned object, uint64_t version)
{
    const struct ks_event event = {
        .kind = KS_EVENT_UPDATE,
        .update = {.has_generation = true,
                   .generation = (int64_t)object + 1,
                   .has_observed_generation = true,
                   .observed_generation = (int64_t)version},
    };
    struct ks_packet *p = NULL;

    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    return p;
}

static struct ks_packet *control_packet(uint64_t number)
{
    const struct ks_event event = {
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = (uint32_t)number, .state = KS_TARGET_LISTING},
    };
    struct ks_packet *p = NULL;

    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    return p;
}

static void push_control(struct bench *b)
{
    struct ks_packet *p = control_packet(b->pushed + 1);
    ks_rc rc = ks_outbox_push(b->outbox, p);

    assert_true(rc == KS_RC_OK || rc == KS_RC_LIMIT);
    if (rc == KS_RC_OK)
        b->pushed++;
    p = ks_packet_unref(p);
}

static void *produce(void *ctx)
{
    struct bench *b = ctx;
    struct ks_outbox_slot *slots[OBJECTS] = {0};

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned object = (unsigned)ks_random_below(OBJECTS);
        struct ks_packet *p;

        if (!slots[object]) {
            slots[object] = ks_outbox_slot_new(b->outbox);
            assert_non_null(slots[object]);
        }
        p = update_packet(object, ++b->put[object]);
        ks_outbox_put(b->outbox, slots[object], p);
        p = ks_packet_unref(p);
        if (b->put[object] % (ROUNDS / OBJECTS / LIVES) == 0) {
            ks_outbox_slot_retire(b->outbox, slots[object]);
            slots[object] = NULL;
        }
        if (i % 16 == 0)
            push_control(b);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (slots[i])
            ks_outbox_slot_retire(b->outbox, slots[i]);
    }
    pthread_mutex_lock(&b->lock);
    b->has_ended = true;
    pthread_cond_signal(&b->bell);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void account(struct bench *b, const Kstatus__V1__Event *e)
{
    if (e->event_case == KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE) {
        assert_int_equal(e->target_change->target_id, b->last_control + 1);
        b->last_control++;
        return;
    }
    assert_int_equal(e->event_case, KSTATUS__V1__EVENT__EVENT_UPDATE);
    size_t object = (size_t)e->update->generation - 1;
    uint64_t version = (uint64_t)e->update->observed_generation;

    assert_true(object < OBJECTS);
    assert_true(version > b->last[object]);
    b->last[object] = version;
    b->accounted[object] += 1 + (uint64_t)e->update->coalesced_count;
    /* What is sent and what was merged into it is everything up to here. */
    assert_int_equal(b->accounted[object], version);
}

/* Whether there was anything. */
static bool take(struct bench *b, struct ks_buf *buf)
{
    struct ks_outbox_taken taken;
    Kstatus__V1__WatchResponse *m;

    ks_buf_clear(buf);
    assert_int_equal(
        ks_outbox_take(b->outbox, 1 + (uint32_t)ks_random_below(64), 4096, 0, buf, &taken),
        KS_RC_OK);
    if (!taken.events)
        return false;
    m = kstatus__v1__watch_response__unpack(NULL, buf->len, (const uint8_t *)buf->data);
    assert_non_null(m);
    assert_int_equal(m->first_sequence, b->next_sequence);
    assert_int_equal(m->n_events, taken.events);
    b->next_sequence += taken.events;
    for (size_t i = 0; i < m->n_events; i++)
        account(b, m->events[i]);
    kstatus__v1__watch_response__free_unpacked(m, NULL);
    return true;
}

static bool is_complete(const struct bench *b)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < OBJECTS; i++)
        total += b->accounted[i];
    return total == ROUNDS;
}

/* False: no ring will come any more. */
static bool wait_for_ring(struct bench *b)
{
    bool was_rung;

    pthread_mutex_lock(&b->lock);
    while (!b->rung && !b->has_ended)
        pthread_cond_wait(&b->bell, &b->lock);
    was_rung = b->rung;
    b->rung = false;
    pthread_mutex_unlock(&b->lock);
    return was_rung;
}

static void bench_init(struct bench *b)
{
    *b = (struct bench){.next_sequence = 1};
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->bell, NULL);
    assert_int_equal(ks_outbox_new(1000, on_ring, b, &b->outbox, NULL), KS_RC_OK);
}

static void bench_fini(struct bench *b)
{
    b->outbox = ks_outbox_unref(b->outbox);
    pthread_cond_destroy(&b->bell);
    pthread_mutex_destroy(&b->lock);
}

static void nothing_is_lost_between_threads(void **state)
{
    struct bench b;
    struct ks_buf buf;
    pthread_t producer;

    (void)state;
    bench_init(&b);
    ks_buf_init(&buf, 1u << 20);
    assert_int_equal(pthread_create(&producer, NULL, produce, &b), 0);
    while (!is_complete(&b)) {
        assert_true(wait_for_ring(&b));
        while (take(&b, &buf)) {
        }
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    while (take(&b, &buf)) { /* control packets behind the last update */
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_int_equal(b.last[i], b.put[i]);
    assert_int_equal(b.last_control, b.pushed);
    ks_buf_fini(&buf);
    bench_fini(&b);
}

static void no_ring_comes_after_close(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct bench b;
        struct ks_buf buf;
        pthread_t producer;

        bench_init(&b);
        ks_buf_init(&buf, 1u << 20);
        assert_int_equal(pthread_create(&producer, NULL, produce, &b), 0);
        for (unsigned n = 0; n < 3 + i && wait_for_ring(&b); n++) {
            while (take(&b, &buf)) {
            }
        }
        ks_outbox_close(b.outbox);
        atomic_store(&b.is_closed, true); /* from here on the doorbell asserts */
        assert_int_equal(pthread_join(producer, NULL), 0);
        ks_buf_fini(&buf);
        bench_fini(&b);
    }
}

/* A doorbell that is still being rung when the outbox is closed from another thread. */
struct long_ring {
    struct ks_outbox *outbox;
    _Atomic bool has_begun;
    _Atomic bool is_closing;
    _Atomic bool is_closed;
};

static void on_long_ring(void *ctx)
{
    struct long_ring *r = ctx;

    atomic_store(&r->has_begun, true);
    while (!atomic_load(&r->is_closing))
        sched_yield();
    for (unsigned i = 0; i < 10000; i++) /* a close that does not wait would be through by now */
        sched_yield();
    assert_false(atomic_load(&r->is_closed));
}

static void *close_during_ring(void *ctx)
{
    struct long_ring *r = ctx;

    while (!atomic_load(&r->has_begun))
        sched_yield();
    atomic_store(&r->is_closing, true);
    ks_outbox_close(r->outbox);
    atomic_store(&r->is_closed, true);
    return NULL;
}

static void close_waits_for_the_ring_in_progress(void **state)
{
    struct long_ring r = {0};
    struct ks_packet *p = control_packet(1);
    pthread_t closer;

    (void)state;
    assert_int_equal(ks_outbox_new(10, on_long_ring, &r, &r.outbox, NULL), KS_RC_OK);
    assert_int_equal(pthread_create(&closer, NULL, close_during_ring, &r), 0);
    assert_int_equal(ks_outbox_push(r.outbox, p), KS_RC_OK);
    assert_int_equal(pthread_join(closer, NULL), 0);
    assert_true(atomic_load(&r.is_closed));
    p = ks_packet_unref(p);
    r.outbox = ks_outbox_unref(r.outbox);
}

static void on_closing_ring(void *ctx)
{
    struct ks_outbox **outbox = ctx;

    ks_outbox_close(*outbox);
}

static void the_doorbell_may_close(void **state)
{
    struct ks_outbox *outbox = NULL;
    struct ks_packet *p = control_packet(1);

    (void)state;
    assert_int_equal(ks_outbox_new(10, on_closing_ring, &outbox, &outbox, NULL), KS_RC_OK);
    assert_int_equal(ks_outbox_push(outbox, p), KS_RC_OK);
    p = ks_packet_unref(p);
    outbox = ks_outbox_unref(outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(no_ring_comes_after_close),
        cmocka_unit_test(close_waits_for_the_ring_in_progress),
        cmocka_unit_test(the_doorbell_may_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
