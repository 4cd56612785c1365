/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ks_kube whose server is the test: it stands in for kube/client.c and kube/mapper.c at link
 * time, keeps every request that is made, and answers when and what the test says, under a clock
 * that the test moves.
 *
 * Thread: the test's.  Limits: FAKE_MAX_REQUESTS requests a test.
 */
#ifndef KS_TESTS_UNIT_KUBE_FAKE_KUBE_H
#define KS_TESTS_UNIT_KUBE_FAKE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "kube/client.h"
#include "kube/gvk.h"
#include "kube/mapper.h"

#define FAKE_MAX_REQUESTS 512
#define FAKE_PATH_BYTES 1024

struct fake_request {
    char path[FAKE_PATH_BYTES];
    ks_kube_request_kind kind;
    ks_kube_pace pace;
    const struct ks_kube_request_ops *ops;
    void *ctx;
    int64_t sent_ms;
    bool is_open;
    bool is_synced;
};

struct fake_kube {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_kube *kube; /* what the code under test gets */
    struct fake_request requests[FAKE_MAX_REQUESTS];
    unsigned count;
    unsigned cancels;
    unsigned invalidations;
    unsigned closures; /* of the endpoint */
    unsigned resolves;
    struct ks_resource *resource; /* deployments.v1.apps */

    /* private */
    struct ks_kube_options options;
    struct ks_kube_stats stats;
    struct ks_fleet *fleet;
    ks_resolve_done resolve_done;
    void *resolve_ctx;
};

/* False when it was short of memory (torture). */
bool fake_kube_init(struct fake_kube *f);
void fake_kube_fini(struct fake_kube *f);

/* Moves time in steps of at most 100 ms and runs what comes due. */
void fake_advance(struct fake_kube *f, int64_t ms);
/* Moves time until one more request than now has been made; fails the test after max_ms. Returns
 * how long it took. */
int64_t fake_await_request(struct fake_kube *f, int64_t max_ms);

/* The one request that is open; fails the test when there is none. */
struct fake_request *fake_open(struct fake_kube *f);
bool fake_has_open(struct fake_kube *f);
/* Whether its path has this parameter: "limit=500"; or, ending in '=', any value of it. */
bool fake_asks(struct fake_kube *f, const char *parameter);

void fake_head(struct fake_kube *f);
void fake_data(struct fake_kube *f, const char *text);
void fake_bytes(struct fake_kube *f, struct ks_str bytes);
/* One newline more. */
void fake_line(struct fake_kube *f, const char *line);
void fake_end(struct fake_kube *f);
/* head, data, end */
void fake_answer(struct fake_kube *f, const char *body);
/* An error answer, classified as the client does it. */
void fake_refuse(struct fake_kube *f, int http_status, const char *body);
/* The connection breaks. */
void fake_break(struct fake_kube *f);
void fake_wait_for_endpoint(struct fake_kube *f);

/* Answers the resolve that is open. resource is NULL when rc is not OK. */
void fake_resolve(struct fake_kube *f, ks_rc rc, struct ks_resource *resource);
bool fake_is_resolving(const struct fake_kube *f);

#endif
