/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the wire share.
 *
 * Thread: the loop's.  Owns: see wire.h.
 */
#ifndef CONVERGENCE_WIRE_INTERNAL_H
#define CONVERGENCE_WIRE_INTERNAL_H

#include "base/list.h"

#include "http/transport.h"

#include "kubesim/conn.h"
#include "kubesim/stream.h"

#include "convergence/wire.h"

struct wire {
    struct ks_loop *loop;
    struct sim *sim;
    struct dice dice;
    struct wire_odds odds;
    struct wire_stats stats;
    struct ks_list clients;
    int64_t latency_ms;
    bool is_down;
    bool is_verbose;
};
extern struct wire the_wire;

struct ks_http {
    struct sim_conn conn; /* first */
    struct ks_list link;
    struct ks_list requests;
    char user_agent[64];
};

/*
 *   SENT ──delay──> ROUTED ──sim_stream_reply──> REPLIED ──head──> BODY ──eof, cut──> freed
 *     └── BROKEN <──── refused, hung, dropped, from any ────────────┘
 */
enum wire_phase { WIRE_SENT, WIRE_ROUTED, WIRE_REPLIED, WIRE_BODY, WIRE_BROKEN };

struct wire_fate {
    int status; /* 0: the server's own */
    bool is_refused;
    bool is_gone_event;
    bool hides_bookmarks;
    bool is_slow;
    uint64_t cut_at; /* bytes of the body; UINT64_MAX: never */
    enum { WIRE_CUT, WIRE_END, WIRE_HANG } then;
};

struct ks_http_request {
    struct sim_stream stream; /* first */
    struct ks_list link;
    struct ks_http *http;
    const struct ks_http_ops *ops;
    void *ctx;
    struct ks_timer step;
    struct ks_timer deadline;
    int64_t total_ms;
    enum wire_phase phase;
    struct wire_fate fate;
    struct sim_reply reply;
    char content_type[64];
    char etag[160];
    int64_t retry_after_s;
    struct ks_buf body; /* read from the server, not arrived yet */
    size_t body_at;
    uint64_t arrived;
    bool has_head;
    bool is_eof;
    bool is_watch;
    bool is_in_callback;
    bool is_dead;
};

/* Its connection is gone; it ends from the loop. */
void wire_request_break(struct ks_http_request *r);

#endif
