/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint gate: whether requests may go out, and how fast. shared/spec: informers 1.7.
 *
 * Thread: the loop's.  Owns: its timer and figures.  Limits: 8 collection syncs and 32
 * single-object requests in flight; for a minute after an outage also 20 and 200 a second.
 *
 *   OPEN ──failed──> PROBING ──probe failed──> CLOSED ──timer──> PROBING
 *     ^                 │                        │
 *     └──any success────┴────────────────────────┘
 */
#ifndef KS_KUBE_GATE_H
#define KS_KUBE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"
#include "kube/client.h"

#define KS_GATE_STATES(X)                                                                          \
    X(OPEN, "open")                                                                                \
    X(PROBING, "probing")                                                                          \
    X(CLOSED, "closed")

typedef enum {
#define X(name, text) KS_GATE_##name,
    KS_GATE_STATES(X)
#undef X
} ks_gate_state;
const char *ks_gate_state_text(ks_gate_state state);

struct ks_gate_ops {
    /* Send one request now and answer with ks_gate_succeeded or ks_gate_failed; not called from
     * within either. */
    void (*on_probe)(void *ctx);
    /* More may go out than before: it opened, or a token came. */
    void (*on_change)(void *ctx);
};

struct ks_gate_lane {
    uint32_t in_flight;
    uint32_t max_in_flight;
    int64_t per_second;
    int64_t tokens_milli; /* thousandths of a request */
};

struct ks_gate {
    /* private */
    struct ks_loop *loop;
    const struct ks_log *log;
    const struct ks_gate_ops *ops;
    void *ctx;
    ks_gate_state state;
    struct ks_backoff backoff;
    uint32_t closures;      /* so far */
    uint32_t probes_failed; /* in a row: 0 means that this is no outage (yet) */
    struct ks_timer timer;  /* CLOSED: the next probe; OPEN: the next token */
    struct ks_gate_lane single;
    struct ks_gate_lane collection;
    int64_t paced_until_ms;
    int64_t refilled_ms;
};

void ks_gate_init(struct ks_gate *gate, struct ks_loop *loop, const struct ks_log *log,
                  struct ks_backoff backoff, const struct ks_gate_ops *ops, void *ctx);
void ks_gate_fini(struct ks_gate *gate);

ks_gate_state ks_gate_state_of(const struct ks_gate *gate);
/* Whether the endpoint is known to be away: a probe has failed. */
bool ks_gate_is_outage(const struct ks_gate *gate);
/* How often it was closed: what was answered before the last time may have been another server. */
uint32_t ks_gate_closures(const struct ks_gate *gate);
/* Whether a request of that pace (SINGLE, COLLECTION; DEFAULT is not paced) may go out now. True
 * takes its place, which ks_gate_leave gives back. False: on_change will come. */
bool ks_gate_enter(struct ks_gate *gate, ks_kube_pace pace);
void ks_gate_leave(struct ks_gate *gate, ks_kube_pace pace);
/* An answer came, so the endpoint can be reached. */
void ks_gate_succeeded(struct ks_gate *gate);
/* A request, or the probe, did not reach it. */
typedef enum { KS_GATE_REQUEST_FAILED, KS_GATE_PROBE_FAILED } ks_gate_failure;
void ks_gate_failed(struct ks_gate *gate, ks_gate_failure what);

#endif
