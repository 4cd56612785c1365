/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire: requests of internal/kube to kubesim's cluster and their answers, in memory. Stands in
 * for internal/http on one side and for kubesim's streams, connections and listener on the other.
 *
 * Every request draws its fate when it is sent: see struct wire_odds. Bytes arrive in pieces of any
 * size, after delays of their own, so that answers overtake each other.
 *
 * Thread: the loop's.  Owns: requests.  Limits: one wire at a time.
 */
#ifndef CONVERGENCE_WIRE_H
#define CONVERGENCE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"

#include "convergence/dice.h"

struct sim;

/* Chances in 1000 that it happens to a request; all 0: nothing goes wrong. */
struct wire_odds {
    uint32_t refuse;       /* no answer at all */
    uint32_t status;       /* 429, 500, 503, or 403 */
    uint32_t gone;         /* 410, or an ERROR event with 410 in a watch */
    uint32_t delay;        /* sent much later */
    uint32_t hang;         /* somewhere in it, nothing comes any more */
    uint32_t cut;          /* the connection breaks at any byte */
    uint32_t end;          /* the body ends cleanly at any byte */
    uint32_t slow;         /* a few bytes at a time */
    uint32_t no_bookmarks; /* none comes through */
    uint32_t short_pages;  /* of a list */
};

struct wire_stats {
    uint64_t requests;
    uint64_t lists;
    uint64_t watches;
    uint64_t faults;
    uint32_t open;
};

/* Makes the wire that ks_http_new will use. */
void wire_start(struct ks_loop *loop, struct sim *sim, struct dice dice);
/* Prints each request and how it ends. */
void wire_set_verbose(bool is_verbose);
void wire_set_odds(const struct wire_odds *odds);
/* What was to happen to requests that are under way does not; what has happened stays so. */
void wire_calm(void);
/* Down: every connection breaks, and none can be made. */
void wire_set_down(bool is_down);
/* Requests to the server arrive after up to that time. */
void wire_set_latency(int64_t max_ms);
void wire_drop_connections(void);
struct wire_stats wire_stats(void);

#endif
