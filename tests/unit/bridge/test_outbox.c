/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox with one thread: what is told, in which order, under which number; what is merged;
 * when the doorbell rings; what happens at the ceilings. Responses are read back with protobuf-c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"

#include "support/torture.h"

#define EMIT_MS 1790000000123

struct fixture {
    struct ks_outbox *outbox;
    struct ks_buf buf;
    unsigned rings;
};

static void on_ring(void *ctx)
{
    struct fixture *f = ctx;

    f->rings++;
}

static void fixture_init(struct fixture *f, size_t max_control)
{
    *f = (struct fixture){0};
    ks_buf_init(&f->buf, 1u << 20);
    assert_int_equal(ks_outbox_new(max_control, on_ring, f, &f->outbox, NULL), KS_RC_OK);
}

static void fixture_fini(struct fixture *f)
{
    f->outbox = ks_outbox_unref(f->outbox);
    ks_buf_fini(&f->buf);
}

/* An update whose message tells it apart. */
static struct ks_packet *update_packet(const char *name, const char *message)
{
    const struct ks_event event = {
        .kind = KS_EVENT_UPDATE,
        .update = {.object = {.name = ks_str_from(name)}, .message = ks_str_from(message)},
    };
    struct ks_packet *p = NULL;

    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    return p;
}

static void put(struct fixture *f, struct ks_outbox_slot *slot, const char *message)
{
    struct ks_packet *p = update_packet("o", message);

    ks_outbox_put(f->outbox, slot, p);
    p = ks_packet_unref(p);
}

static struct ks_packet *change_packet(uint32_t id, ks_target_state state)
{
    const struct ks_event event = {
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = id, .state = state},
    };
    struct ks_packet *p = NULL;

    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    return p;
}

static ks_rc push_change(struct fixture *f, uint32_t id, ks_target_state state)
{
    struct ks_packet *p = change_packet(id, state);
    ks_rc rc = ks_outbox_push(f->outbox, p);

    p = ks_packet_unref(p);
    return rc;
}

/* Writes a response's events as "message*coalesced" or "T<id>=<state>", joined by blanks. */
static void describe(const Kstatus__V1__WatchResponse *m, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < m->n_events; i++) {
        const Kstatus__V1__Event *e = m->events[i];
        int n;

        if (e->event_case == KSTATUS__V1__EVENT__EVENT_UPDATE)
            n = snprintf(out + at, size - at, "%s%s*%u", i ? " " : "", e->update->message,
                         e->update->coalesced_count);
        else
            n = snprintf(out + at, size - at, "%sT%u=%d", i ? " " : "", e->target_change->target_id,
                         (int)e->target_change->state);
        assert_true(n > 0 && (size_t)n < size - at);
        at += (size_t)n;
    }
}

static void expect_take(struct fixture *f, uint32_t max_events, uint64_t sequence,
                        const char *events)
{
    struct ks_outbox_taken taken;
    Kstatus__V1__WatchResponse *m;
    char text[512];

    ks_buf_clear(&f->buf);
    assert_int_equal(ks_outbox_take(f->outbox, max_events, 1u << 16, EMIT_MS, &f->buf, &taken),
                     KS_RC_OK);
    m = kstatus__v1__watch_response__unpack(NULL, f->buf.len, (const uint8_t *)f->buf.data);
    assert_non_null(m);
    describe(m, text, sizeof(text));
    assert_string_equal(text, events);
    assert_int_equal(taken.events, m->n_events);
    if (taken.events) {
        assert_int_equal(taken.first_sequence, sequence);
        assert_int_equal(m->first_sequence, sequence);
        assert_int_equal(m->emit_time->seconds, EMIT_MS / 1000);
        assert_int_equal(m->emit_time->nanos, 123000000);
    } else {
        assert_int_equal(f->buf.len, 0);
    }
    kstatus__v1__watch_response__free_unpacked(m, NULL);
}

static void first_come_first_sent_and_the_latest_wins(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *a, *b;

    (void)state;
    fixture_init(&f, 10);
    a = ks_outbox_slot_new(f.outbox);
    b = ks_outbox_slot_new(f.outbox);
    put(&f, a, "a1");
    assert_int_equal(push_change(&f, 7, KS_TARGET_SYNCED), KS_RC_OK);
    put(&f, b, "b1");
    put(&f, a, "a2");
    put(&f, a, "a3");
    expect_take(&f, 64, 1, "a3*2 T7=2 b1*0");
    expect_take(&f, 64, 4, "");
    put(&f, a, "a4");
    expect_take(&f, 64, 4, "a4*0");
    fixture_fini(&f);
}

static void the_doorbell_rings_on_the_edge(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *a;

    (void)state;
    fixture_init(&f, 10);
    a = ks_outbox_slot_new(f.outbox);
    put(&f, a, "1");
    put(&f, a, "2");
    assert_int_equal(push_change(&f, 1, KS_TARGET_LISTING), KS_RC_OK);
    assert_int_equal(f.rings, 1);
    expect_take(&f, 64, 1, "2*1 T1=1");
    put(&f, a, "3");
    assert_int_equal(f.rings, 1); /* the consumer has not found it empty yet */
    expect_take(&f, 64, 3, "3*0");
    expect_take(&f, 64, 4, "");
    put(&f, a, "4");
    assert_int_equal(f.rings, 2);
    ks_outbox_close(f.outbox);
    expect_take(&f, 64, 4, "4*0");
    expect_take(&f, 64, 5, "");
    put(&f, a, "5");
    assert_int_equal(push_change(&f, 1, KS_TARGET_SYNCED), KS_RC_OK);
    assert_int_equal(f.rings, 2);
    expect_take(&f, 64, 5, "");
    ks_outbox_slot_retire(f.outbox, a);
    fixture_fini(&f);
}

static void takes_are_bounded(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *slots[100];
    struct ks_outbox_taken taken;
    char name[8];

    (void)state;
    fixture_init(&f, 10);
    for (unsigned i = 0; i < 100; i++) {
        slots[i] = ks_outbox_slot_new(f.outbox);
        (void)snprintf(name, sizeof(name), "%u", i);
        put(&f, slots[i], name);
    }
    expect_take(&f, 2, 1, "0*0 1*0");
    assert_int_equal(ks_outbox_take(f.outbox, 1000, 1u << 20, EMIT_MS, &f.buf, &taken), KS_RC_OK);
    assert_int_equal(taken.first_sequence, 3);
    assert_int_equal(taken.events, 64); /* whatever is allowed */
    ks_buf_clear(&f.buf);
    /* One at least, even if it is too long; then as many as fit. */
    assert_int_equal(ks_outbox_take(f.outbox, 1000, 1, EMIT_MS, &f.buf, &taken), KS_RC_OK);
    assert_int_equal(taken.events, 1);
    ks_buf_clear(&f.buf);
    assert_int_equal(ks_outbox_take(f.outbox, 1000, 100, EMIT_MS, &f.buf, &taken), KS_RC_OK);
    assert_true(taken.events > 1 && taken.events < 10);
    assert_true(f.buf.len <= 100 + 40);
    fixture_fini(&f);
}

static void a_failed_take_loses_nothing(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *a;
    struct ks_outbox_taken taken;
    struct ks_buf small;

    (void)state;
    fixture_init(&f, 10);
    a = ks_outbox_slot_new(f.outbox);
    put(&f, a, "1");
    ks_buf_init(&small, 16);
    assert_int_equal(ks_outbox_take(f.outbox, 64, 1u << 16, EMIT_MS, &small, &taken), KS_RC_LIMIT);
    assert_int_equal(small.len, 0);
    ks_buf_fini(&small);
    ks_buf_init(&small, 1u << 16);
    ks_alloc_fail_at(1);
    assert_int_equal(ks_outbox_take(f.outbox, 64, 1u << 16, EMIT_MS, &small, &taken), KS_RC_NOMEM);
    ks_alloc_fail_at(0);
    ks_buf_fini(&small);
    expect_take(&f, 64, 1, "1*0");
    fixture_fini(&f);
}

static void retired_slots_give_their_last_packet(void **state)
{
    struct ks_outbox_stats stats;
    struct fixture f;
    struct ks_outbox_slot *a, *b;

    (void)state;
    fixture_init(&f, 10);
    a = ks_outbox_slot_new(f.outbox);
    b = ks_outbox_slot_new(f.outbox);
    put(&f, a, "last");
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.slots, 2);
    ks_outbox_slot_retire(f.outbox, a);
    ks_outbox_slot_retire(f.outbox, b);
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.slots, 0);
    a = ks_outbox_slot_new(f.outbox); /* the next life under that name */
    put(&f, a, "first");
    expect_take(&f, 64, 1, "last*0 first*0");
    put(&f, a, "never taken");
    ks_outbox_slot_retire(f.outbox, a);
    fixture_fini(&f); /* the sanitizer sees that all went */
}

static void control_packets_have_a_ceiling(void **state)
{
    struct fixture f;
    struct ks_outbox_stats stats;

    (void)state;
    fixture_init(&f, 2);
    assert_int_equal(push_change(&f, 1, KS_TARGET_LISTING), KS_RC_OK);
    assert_int_equal(push_change(&f, 2, KS_TARGET_LISTING), KS_RC_OK);
    ks_outbox_get_stats(f.outbox, &stats);
    assert_true(stats.is_full);
    assert_int_equal(push_change(&f, 3, KS_TARGET_LISTING), KS_RC_LIMIT);
    expect_take(&f, 1, 1, "T1=1");
    ks_outbox_get_stats(f.outbox, &stats);
    assert_false(stats.is_full);
    assert_int_equal(push_change(&f, 4, KS_TARGET_LISTING), KS_RC_OK);
    expect_take(&f, 64, 2, "T2=1 T4=1");
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.taken_total, 3);
    fixture_fini(&f);
}

static void statistics_tell_what_waits(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *a;
    struct ks_outbox_stats stats;

    (void)state;
    fixture_init(&f, 2);
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.oldest_waiting_ms, 0);
    a = ks_outbox_slot_new(f.outbox);
    put(&f, a, "1");
    put(&f, a, "2");
    assert_int_equal(push_change(&f, 1, KS_TARGET_LISTING), KS_RC_OK);
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.waiting, 2);
    assert_int_equal(stats.coalesced_total, 1);
    assert_int_equal(stats.taken_total, 0);
    assert_true(stats.oldest_waiting_ms > 0);
    expect_take(&f, 64, 1, "2*1 T1=1");
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.taken_total, 2);
    assert_int_equal(stats.oldest_waiting_ms, 0);
    fixture_fini(&f);
}

/* Lengths at which a varint grows, and a counter that does. */
static void frames_of_every_size_can_be_read(void **state)
{
    static char message[5000];
    struct fixture f;
    struct ks_outbox_slot *a;

    (void)state;
    fixture_init(&f, 2);
    a = ks_outbox_slot_new(f.outbox);
    for (size_t len = 1; len < 4096; len += len < 300 ? 1 : 97) {
        struct ks_outbox_taken taken;
        Kstatus__V1__WatchResponse *m;

        memset(message, 'x', len);
        message[len] = '\0';
        for (size_t i = 0; i < len % 200 + 1; i++)
            put(&f, a, message);
        ks_buf_clear(&f.buf);
        assert_int_equal(ks_outbox_take(f.outbox, 1, 1u << 16, EMIT_MS, &f.buf, &taken), KS_RC_OK);
        m = kstatus__v1__watch_response__unpack(NULL, f.buf.len, (const uint8_t *)f.buf.data);
        assert_non_null(m);
        assert_int_equal(m->n_events, 1);
        assert_string_equal(m->events[0]->update->message, message);
        assert_int_equal(m->events[0]->update->coalesced_count, len % 200);
        kstatus__v1__watch_response__free_unpacked(m, NULL);
    }
    fixture_fini(&f);
}

static void push_synced(struct fixture *f)
{
    const struct ks_event event = {
        .kind = KS_EVENT_SYNCED,
        .synced = {.counts = {.by_status = {[KS_STATUS_CURRENT] = 70, [KS_STATUS_FAILED] = 1}},
                   .aggregate = KS_STATUS_FAILED},
    };
    struct ks_packet *p = NULL;

    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    assert_int_equal(ks_outbox_push(f->outbox, p), KS_RC_OK);
    p = ks_packet_unref(p);
}

static void a_snapshot_is_a_get_response(void **state)
{
    struct fixture f;
    struct ks_outbox_slot *slots[70];
    struct ks_outbox_taken taken;
    Kstatus__V1__GetResponse *m;

    (void)state;
    fixture_init(&f, 10);
    assert_int_equal(push_change(&f, 1, KS_TARGET_LISTING), KS_RC_OK);
    assert_int_equal(push_change(&f, 2, KS_TARGET_LISTING), KS_RC_OK);
    assert_int_equal(push_change(&f, 1, KS_TARGET_FORBIDDEN), KS_RC_OK);
    assert_int_equal(push_change(&f, 2, KS_TARGET_DISCONNECTED), KS_RC_OK);
    for (unsigned i = 0; i < 70; i++) {
        slots[i] = ks_outbox_slot_new(f.outbox);
        put(&f, slots[i], "x");
    }
    put(&f, slots[0], "y");
    assert_int_equal(push_change(&f, 2, KS_TARGET_SYNCED), KS_RC_OK); /* it has healed */
    push_synced(&f);

    assert_int_equal(ks_outbox_take_snapshot(f.outbox, 1u << 20, &f.buf), KS_RC_OK);
    m = kstatus__v1__get_response__unpack(NULL, f.buf.len, (const uint8_t *)f.buf.data);
    assert_non_null(m);
    assert_int_equal(m->n_statuses, 70);
    assert_string_equal(m->statuses[0]->message, "y");
    assert_int_equal(m->statuses[0]->coalesced_count, 1);
    assert_int_equal(m->counts->current, 70);
    assert_int_equal(m->counts->failed, 1);
    assert_int_equal(m->aggregate_status, KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED);
    assert_int_equal(m->n_target_errors, 1);
    assert_int_equal(m->target_errors[0]->target_id, 1);
    kstatus__v1__get_response__free_unpacked(m, NULL);
    assert_int_equal(ks_outbox_take(f.outbox, 1, 1u << 16, EMIT_MS, &f.buf, &taken), KS_RC_OK);
    assert_int_equal(taken.events, 0);
    fixture_fini(&f);
}

#define HOUR_MS 3600000

static void an_interval_is_kept(void **state)
{
    struct ks_outbox_slot *a;
    struct ks_outbox_slot *b;
    struct ks_outbox_stats stats;
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    ks_outbox_set_interval(f.outbox, HOUR_MS);
    a = ks_outbox_slot_new(f.outbox);
    b = ks_outbox_slot_new(f.outbox);
    put(&f, a, "first");
    expect_take(&f, 64, 1, "first*0");
    expect_take(&f, 64, 0, "");
    put(&f, a, "second");
    put(&f, a, "third");
    put(&f, b, "another's first"); /* each object has its own time */
    expect_take(&f, 64, 2, "another's first*0");
    ks_outbox_release(f.outbox); /* no hour has passed */
    expect_take(&f, 64, 0, "");
    ks_outbox_get_stats(f.outbox, &stats);
    assert_int_equal(stats.waiting, 0);
    f.rings = 0;
    assert_int_equal(push_change(&f, 7, KS_TARGET_SYNCED), KS_RC_OK); /* must not overtake it */
    assert_int_equal(f.rings, 1);
    expect_take(&f, 64, 3, "third*1 T7=2");
    expect_take(&f, 64, 0, "");
    put(&f, a, "last");
    f.rings = 0;
    ks_outbox_slot_retire(f.outbox, a); /* what is said last is not lost */
    assert_int_equal(f.rings, 1);
    expect_take(&f, 64, 5, "last*0");
    put(&f, b, "held to the end");
    fixture_fini(&f);
}

/* Both bounds of the interval, without a wait: at 0 everything is late enough. */
static void what_was_held_for_long_enough_goes(void **state)
{
    struct ks_outbox_slot *a;
    struct fixture f;

    (void)state;
    fixture_init(&f, 10);
    ks_outbox_set_interval(f.outbox, HOUR_MS);
    a = ks_outbox_slot_new(f.outbox);
    put(&f, a, "first");
    expect_take(&f, 64, 1, "first*0");
    expect_take(&f, 64, 0, "");
    put(&f, a, "second");
    ks_outbox_set_interval(f.outbox, 0);
    f.rings = 0;
    ks_outbox_release(f.outbox);
    assert_int_equal(f.rings, 1);
    expect_take(&f, 64, 2, "second*0");
    fixture_fini(&f);
}

static void an_outcome_is_a_wait_response(void **state)
{
    const struct ks_event event = {.kind = KS_EVENT_OUTCOME,
                                   .outcome = {.verdict = KS_OUTCOME_FAILED}};
    struct ks_packet *packet = NULL;
    Kstatus__V1__WaitResponse *m;
    struct fixture f;
    struct ks_buf buf;

    (void)state;
    fixture_init(&f, 200);
    ks_buf_init(&buf, 1u << 16);
    assert_int_equal(ks_outbox_take_outcome(f.outbox, &buf), KS_RC_INTERNAL);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(push_change(&f, i, KS_TARGET_LISTING), KS_RC_OK);
    assert_int_equal(ks_encode_event(&event, &packet, NULL), KS_RC_OK);
    assert_int_equal(ks_outbox_push(f.outbox, packet), KS_RC_OK);
    packet = ks_packet_unref(packet);
    assert_int_equal(ks_outbox_take_outcome(f.outbox, &buf), KS_RC_OK);
    m = kstatus__v1__wait_response__unpack(NULL, buf.len, (const uint8_t *)buf.data);
    assert_non_null(m);
    assert_int_equal(m->outcome->verdict, KSTATUS__V1__OUTCOME__VERDICT__VERDICT_FAILED);
    kstatus__v1__wait_response__free_unpacked(m, NULL);
    ks_buf_fini(&buf);
    fixture_fini(&f);
}

static void a_snapshot_has_a_ceiling(void **state)
{
    struct fixture f;
    struct ks_outbox_taken taken;

    (void)state;
    fixture_init(&f, 10);
    put(&f, ks_outbox_slot_new(f.outbox), "a message of some length");
    put(&f, ks_outbox_slot_new(f.outbox), "a message of some length");
    assert_int_equal(push_change(&f, 1, KS_TARGET_FORBIDDEN), KS_RC_OK);
    assert_int_equal(ks_outbox_take_snapshot(f.outbox, 40, &f.buf), KS_RC_LIMIT);
    assert_int_equal(ks_outbox_take(f.outbox, 1, 1u << 16, EMIT_MS, &f.buf, &taken), KS_RC_OK);
    assert_int_equal(taken.events, 0); /* it is empty nevertheless */
    fixture_fini(&f);
}

/* Everything once, with each allocation failing in turn: nothing leaks, and what is told is in
 * order. */
static void life(void *ctx)
{
    struct fixture f = {0};
    struct ks_outbox_slot *slot;
    struct ks_packet *p = NULL;
    struct ks_outbox_taken taken;

    (void)ctx;
    ks_buf_init(&f.buf, 1u << 16);
    if (ks_outbox_new(4, on_ring, &f, &f.outbox, NULL)) {
        assert_true(ks_alloc_failed());
        return;
    }
    slot = ks_outbox_slot_new(f.outbox);
    p = ks_packet_new(KS_PACKET_UPDATE, 0);
    if (slot && p) {
        ks_outbox_put(f.outbox, slot, p);
        ks_outbox_put(f.outbox, slot, p);
    }
    p = ks_packet_unref(p);
    p = ks_packet_new(KS_PACKET_REMOVED, 0);
    if (p && ks_outbox_push(f.outbox, p))
        assert_true(ks_alloc_failed());
    p = ks_packet_unref(p);
    if (ks_outbox_take(f.outbox, 1, 1000, EMIT_MS, &f.buf, &taken))
        assert_true(ks_alloc_failed());
    fixture_fini(&f);
}

static void short_memory_is_survived(void **state)
{
    (void)state;
    assert_true(ks_torture(life, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_sent_and_the_latest_wins),
        cmocka_unit_test(the_doorbell_rings_on_the_edge),
        cmocka_unit_test(takes_are_bounded),
        cmocka_unit_test(a_failed_take_loses_nothing),
        cmocka_unit_test(retired_slots_give_their_last_packet),
        cmocka_unit_test(control_packets_have_a_ceiling),
        cmocka_unit_test(statistics_tell_what_waits),
        cmocka_unit_test(frames_of_every_size_can_be_read),
        cmocka_unit_test(a_snapshot_is_a_get_response),
        cmocka_unit_test(a_snapshot_has_a_ceiling),
        cmocka_unit_test(an_outcome_is_a_wait_response),
        cmocka_unit_test(an_interval_is_kept),
        cmocka_unit_test(what_was_held_for_long_enough_goes),
        cmocka_unit_test(short_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
