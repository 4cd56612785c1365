/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport's tests have in common: an h2server, a loop, a struct ks_http and many calls
 * whose outcome is kept. Time is waited for nowhere: a test turns the loop until a condition holds,
 * and fails after PATIENCE_MS.
 *
 * Thread: the test's, which is the loop's.
 */
#ifndef KS_TESTS_SUPPORT_H2SERVER_FIXTURE_H
#define KS_TESTS_SUPPORT_H2SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/transport.h"
#include "support/h2server.h"
#include "support/torture.h"

#define PATIENCE_MS 30000
#define MANY 320

extern struct h2server_cert fixture_certs; /* made by fixture_set_up */

/* One request and what came of it. */
struct call {
    struct ks_http_request *request; /* NULL once ended or cancelled */
    int heads;
    int ends;
    int status;
    int64_t retry_after_s;
    char etag[16];
    char content_type[32];
    struct ks_buf body;
    struct ks_http_result result;
    /* What its callbacks do beside. */
    struct call *to_cancel_on_head;
    struct call *to_cancel_on_data;
    struct call *to_cancel_on_end;
    struct call *to_start_on_end;
    struct fixture *f;
};

struct fixture {
    struct ks_loop *loop;
    struct ks_http *http;
    struct h2server *server;
    struct ks_http_config config;
    char url[64];
    struct call many[MANY];
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* The server runs, the transport is not open yet: f->config may be changed before fixture_open.
 * cert and key of the server's configuration have defaults. */
void fixture_init(struct fixture *f, const struct h2server_config *server);
void fixture_open(struct fixture *f);
/* Both, with HTTP/2 and the defaults. */
struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);
struct ks_http_stats fixture_stats(struct fixture *f);
void fixture_run_until(struct fixture *f, bool (*holds)(struct fixture *f, int64_t arg),
                       int64_t arg);
/* Some turns in which nothing is expected. */
void fixture_run_a_little(struct fixture *f);
int fixture_count_fds(void);

struct ks_http_request_config call_config(struct call *c, ks_http_lane lane, const char *path);
void call_start_config(struct fixture *f, struct call *c,
                       const struct ks_http_request_config *config);
void call_start(struct fixture *f, struct call *c, ks_http_lane lane, const char *path);
void call_cancel(struct call *c);
bool call_has(const struct call *c, const char *text);

/* Conditions. Of the first so many calls: */
bool all_ended(struct fixture *f, int64_t count);
bool all_have_heads(struct fixture *f, int64_t count);
bool all_have_data(struct fixture *f, int64_t count);
/* Of the one with this number: */
bool one_has_head(struct fixture *f, int64_t index);
bool one_has_data(struct fixture *f, int64_t index);
bool one_ended(struct fixture *f, int64_t index);
bool server_holds(struct fixture *f, int64_t count);
bool server_has_streams(struct fixture *f, int64_t count);
bool server_has_resets(struct fixture *f, int64_t count);
bool server_has_connections(struct fixture *f, int64_t count);
bool server_saw_requests(struct fixture *f, int64_t count);
bool has_shards(struct fixture *f, int64_t count);

#endif
