/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint gate. Thousands of informers must not each find out for themselves that the server
 * is away, and must not all come back in its first second.
 *
 * The first failure is checked by a probe at once, because one broken connection is no outage; from
 * then on probes follow the backoff. After an outage (at least one probe failed) requests pass
 * through two token buckets for a minute; before any outage only the number in flight counts, so
 * that a usual start is not slowed down.
 *
 * Invariants: (1) at most one probe is out; (2) the timer runs in CLOSED, and in OPEN only when
 * somebody was refused for want of a token; (3) a lane's in_flight is what entered and has not
 * left.
 *
 * Thread: the loop's.  It does not send anything and does not hold requests: the client does.
 */
#include "kube/gate.h"

#include <assert.h>

#define MAX_SINGLE_IN_FLIGHT 32
#define MAX_COLLECTION_IN_FLIGHT 8
#define SINGLE_PER_SECOND 200
#define COLLECTION_PER_SECOND 20
#define PACED_MS 60000
#define MILLI 1000

const char *ks_gate_state_text(ks_gate_state state)
{
    static const char *const texts[] = {
#define X(name, text) [KS_GATE_##name] = text,
        KS_GATE_STATES(X)
#undef X
    };

    return texts[state];
}

static void gate_set_state(struct ks_gate *gate, ks_gate_state to)
{
    ks_log(gate->log, KS_LOG_DEBUG, "gate state", KS_F_STR("from", ks_gate_state_text(gate->state)),
           KS_F_STR("to", ks_gate_state_text(to)));
    ks_timer_stop(&gate->timer);
    gate->state = to;
}

static void on_timer(struct ks_timer *timer)
{
    struct ks_gate *gate = KS_CONTAINER_OF(timer, struct ks_gate, timer);

    if (gate->state == KS_GATE_OPEN) {
        gate->ops->on_change(gate->ctx);
        return;
    }
    gate_set_state(gate, KS_GATE_PROBING);
    gate->ops->on_probe(gate->ctx);
}

void ks_gate_init(struct ks_gate *gate, struct ks_loop *loop, const struct ks_log *log,
                  struct ks_backoff backoff, const struct ks_gate_ops *ops, void *ctx)
{
    *gate = (struct ks_gate){
        .loop = loop,
        .log = log,
        .ops = ops,
        .ctx = ctx,
        .state = KS_GATE_OPEN,
        .backoff = backoff,
        .single = {.max_in_flight = MAX_SINGLE_IN_FLIGHT, .per_second = SINGLE_PER_SECOND},
        .collection = {.max_in_flight = MAX_COLLECTION_IN_FLIGHT,
                       .per_second = COLLECTION_PER_SECOND},
    };
    ks_timer_init(&gate->timer, loop, on_timer);
}

void ks_gate_fini(struct ks_gate *gate)
{
    ks_timer_stop(&gate->timer);
}

ks_gate_state ks_gate_state_of(const struct ks_gate *gate)
{
    return gate->state;
}

bool ks_gate_is_outage(const struct ks_gate *gate)
{
    return gate->probes_failed > 0;
}

uint32_t ks_gate_closures(const struct ks_gate *gate)
{
    return gate->closures;
}

static struct ks_gate_lane *lane_of(struct ks_gate *gate, ks_kube_pace pace)
{
    if (pace == KS_KUBE_PACE_DEFAULT)
        return NULL;
    return pace == KS_KUBE_PACE_COLLECTION ? &gate->collection : &gate->single;
}

static void lane_refill(struct ks_gate_lane *lane, int64_t elapsed_ms)
{
    int64_t most = lane->per_second * MILLI / 10; /* a tenth of a second may go at once */

    lane->tokens_milli += elapsed_ms * lane->per_second;
    if (lane->tokens_milli > most)
        lane->tokens_milli = most;
}

static bool lane_take_token(struct ks_gate *gate, struct ks_gate_lane *lane)
{
    int64_t now_ms = ks_loop_now_ms(gate->loop);

    if (now_ms >= gate->paced_until_ms)
        return true;
    lane_refill(&gate->single, now_ms - gate->refilled_ms);
    lane_refill(&gate->collection, now_ms - gate->refilled_ms);
    gate->refilled_ms = now_ms;
    if (lane->tokens_milli >= MILLI) {
        lane->tokens_milli -= MILLI;
        return true;
    }
    if (!ks_timer_is_pending(&gate->timer))
        ks_timer_start(&gate->timer, MILLI / lane->per_second);
    return false;
}

bool ks_gate_enter(struct ks_gate *gate, ks_kube_pace pace)
{
    struct ks_gate_lane *lane = lane_of(gate, pace);

    if (gate->state != KS_GATE_OPEN)
        return false;
    if (!lane)
        return true;
    if (lane->in_flight >= lane->max_in_flight || !lane_take_token(gate, lane))
        return false;
    lane->in_flight++;
    return true;
}

void ks_gate_leave(struct ks_gate *gate, ks_kube_pace pace)
{
    struct ks_gate_lane *lane = lane_of(gate, pace);

    if (!lane)
        return;
    assert(lane->in_flight > 0);
    lane->in_flight--;
    gate->ops->on_change(gate->ctx);
}

void ks_gate_succeeded(struct ks_gate *gate)
{
    if (gate->state == KS_GATE_OPEN)
        return;
    if (gate->probes_failed) {
        gate->refilled_ms = ks_loop_now_ms(gate->loop);
        gate->paced_until_ms = gate->refilled_ms + PACED_MS;
    }
    gate->probes_failed = 0;
    ks_backoff_reset(&gate->backoff);
    gate_set_state(gate, KS_GATE_OPEN);
    gate->ops->on_change(gate->ctx);
}

void ks_gate_failed(struct ks_gate *gate, ks_gate_failure what)
{
    if (what == KS_GATE_REQUEST_FAILED && gate->state == KS_GATE_OPEN) {
        gate->closures++;
        gate_set_state(gate, KS_GATE_CLOSED);
        ks_timer_start(&gate->timer, 0);
    } else if (what == KS_GATE_PROBE_FAILED && gate->state == KS_GATE_PROBING) {
        gate->probes_failed++;
        gate_set_state(gate, KS_GATE_CLOSED);
        ks_timer_start(&gate->timer, ks_backoff_next_ms(&gate->backoff));
    }
}
