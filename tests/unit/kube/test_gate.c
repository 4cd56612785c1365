/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint gate on a clock that the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "kube/gate.h"

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_gate gate;
    unsigned probes;
    unsigned changes;
};

static void on_probe(void *ctx)
{
    ((struct fixture *)ctx)->probes++;
}

static void on_change(void *ctx)
{
    ((struct fixture *)ctx)->changes++;
}

static const struct ks_gate_ops ops = {.on_probe = on_probe, .on_change = on_change};

static struct fixture fixture;

static int setup(void **state)
{
    fixture = (struct fixture){0};
    ks_clock_test_init(&fixture.clock, 0);
    assert_int_equal(ks_loop_new(&fixture.clock.clock, &fixture.loop, NULL), KS_RC_OK);
    ks_gate_init(&fixture.gate, fixture.loop, NULL, KS_BACKOFF_DEFAULT, &ops, &fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ks_gate_fini(&f->gate);
    ks_loop_free(f->loop);
    return 0;
}

static void pass(struct fixture *f, int64_t ms)
{
    ks_clock_test_advance(&f->clock, ms);
    ks_loop_turn(f->loop);
}

static unsigned enter_all(struct fixture *f, ks_kube_pace pace)
{
    unsigned n = 0;

    while (n < 1000 && ks_gate_enter(&f->gate, pace))
        n++;
    return n;
}

static void leave(struct fixture *f, ks_kube_pace pace, unsigned n)
{
    for (; n > 0; n--)
        ks_gate_leave(&f->gate, pace);
}

static void lanes_have_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(enter_all(f, KS_KUBE_PACE_SINGLE), 32);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_COLLECTION), 8);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_DEFAULT), 1000);
    assert_int_equal(f->changes, 0);
    leave(f, KS_KUBE_PACE_COLLECTION, 1);
    assert_int_equal(f->changes, 1);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_COLLECTION), 1);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_SINGLE), 0);
    leave(f, KS_KUBE_PACE_SINGLE, 32);
    leave(f, KS_KUBE_PACE_COLLECTION, 8);
}

static void one_failure_is_looked_into_at_once(void **state)
{
    struct fixture *f = *state;

    ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED);
    ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_DEFAULT), 0);
    assert_int_equal(f->probes, 0);
    pass(f, 0);
    assert_int_equal(f->probes, 1);
    assert_int_equal(ks_gate_state_of(&f->gate), KS_GATE_PROBING);
    assert_string_equal(ks_gate_state_text(KS_GATE_PROBING), "probing");
    assert_false(ks_gate_is_outage(&f->gate));
    ks_gate_succeeded(&f->gate);
    assert_int_equal(f->changes, 1);
    /* That was no outage: nothing is paced. */
    assert_int_equal(enter_all(f, KS_KUBE_PACE_SINGLE), 32);
    leave(f, KS_KUBE_PACE_SINGLE, 32);
}

static void probes_follow_the_backoff(void **state)
{
    struct fixture *f = *state;
    int64_t delay = 800;

    ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED);
    pass(f, 0);
    for (unsigned i = 1; i <= 8; i++) {
        assert_int_equal(f->probes, i);
        ks_gate_failed(&f->gate, KS_GATE_PROBE_FAILED);
        assert_true(ks_gate_is_outage(&f->gate));
        ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED); /* late ones change nothing */
        pass(f, delay - 1);
        assert_int_equal(f->probes, i);
        pass(f, delay + 1);
        delay = delay * 2 > 30000 ? 30000 : delay * 2;
    }
    ks_gate_succeeded(&f->gate);
    assert_false(ks_gate_is_outage(&f->gate));
    ks_gate_failed(&f->gate, KS_GATE_PROBE_FAILED); /* the answer of a probe that came too late */
    assert_int_equal(ks_gate_state_of(&f->gate), KS_GATE_OPEN);
}

static void after_an_outage_requests_are_paced(void **state)
{
    struct fixture *f = *state;
    unsigned singles = 0, collections = 0;

    ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED);
    pass(f, 0);
    ks_gate_failed(&f->gate, KS_GATE_PROBE_FAILED);
    ks_gate_succeeded(&f->gate);
    f->changes = 0;
    for (int i = 0; i < 100; i++) {
        unsigned n = enter_all(f, KS_KUBE_PACE_SINGLE);

        singles += n;
        leave(f, KS_KUBE_PACE_SINGLE, n);
        n = enter_all(f, KS_KUBE_PACE_COLLECTION);
        collections += n;
        leave(f, KS_KUBE_PACE_COLLECTION, n);
        pass(f, 10);
    }
    assert_in_range(singles, 190, 200);
    assert_in_range(collections, 18, 20);
    assert_true(f->changes > 50); /* it wakes us for tokens by itself */
    pass(f, 60000);
    assert_int_equal(enter_all(f, KS_KUBE_PACE_SINGLE), 32);
    leave(f, KS_KUBE_PACE_SINGLE, 32);
}

static void an_answer_to_a_request_opens_it_too(void **state)
{
    struct fixture *f = *state;

    ks_gate_failed(&f->gate, KS_GATE_REQUEST_FAILED);
    pass(f, 0);
    ks_gate_failed(&f->gate, KS_GATE_PROBE_FAILED);
    ks_gate_succeeded(&f->gate);
    assert_int_equal(ks_gate_state_of(&f->gate), KS_GATE_OPEN);
    pass(f, 60000);
    assert_int_equal(f->probes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lanes_have_places, setup, teardown),
        cmocka_unit_test_setup_teardown(one_failure_is_looked_into_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(probes_follow_the_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(after_an_outage_requests_are_paced, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_to_a_request_opens_it_too, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
