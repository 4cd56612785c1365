/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection with its HTTP/2 session, and the listener that makes them.
 *
 * Thread: one.  Owns: socket, TLS session, HTTP/2 session, streams.  Limits: CONN_OUT_MAX_BYTES of
 * output waiting for the socket; CONNS_MAX connections.
 *
 * A connection is freed by sim_server_flush alone; everything else only marks it.
 */
#ifndef KUBESIM_CONN_H
#define KUBESIM_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>
#include <openssl/types.h>

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"
#include "loop.h"

struct sim;
struct sim_server;

enum sim_conn_state {
    SIM_CONN_HANDSHAKE,
    SIM_CONN_OPEN,
    SIM_CONN_FINISHING, /* what is queued is sent, then FIN */
    SIM_CONN_DEAD_FIN,
    SIM_CONN_DEAD_RESET, /* SO_LINGER 0: the peer sees RST */
};

struct sim_conn {
    struct ks_list link;
    struct ks_list dirty;
    struct sim_source source;
    struct sim_timer timer; /* handshake deadline, later the end of a stall */
    struct sim_server *server;
    uint64_t id;
    enum sim_conn_state state;
    bool resets;     /* FINISHING ends in a reset instead of FIN */
    bool is_control; /* has carried requests to /kubesim/: faults of the whole server spare it */
    bool is_stalled; /* neither reads nor writes: a peer that is half gone */
    SSL *ssl;
    nghttp2_session *h2;
    struct ks_list streams;
    struct ks_buf out;
    size_t out_at;
    uint32_t interest;
};

struct sim_server_stats {
    uint64_t accepted;
    uint64_t open;
    uint64_t streams;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* Listens on "HOST:PORT". */
KS_MUST_USE ks_rc sim_server_new(struct sim *sim, const char *listen_on, struct sim_server **out,
                                 struct ks_error *err);
/* Drops all connections. */
struct sim_server *sim_server_free(struct sim_server *s);
struct sim *sim_server_sim(const struct sim_server *s);
/* "HOST:PORT" with the port that was picked. */
const char *sim_server_address(const struct sim_server *s);
/* Writes what is to be written and buries the dead; whether there is more to do at once. */
bool sim_server_flush(struct sim_server *s);
void sim_server_stats(const struct sim_server *s, struct sim_server_stats *out);

/* Closes the listening socket (connects are refused), or opens it again on the same port. */
KS_MUST_USE ks_rc sim_server_listen(struct sim_server *s, struct ks_error *err);
void sim_server_unlisten(struct sim_server *s);
/* Connections are no longer taken from the backlog: connects succeed, TLS hangs. */
void sim_server_accept_pause(struct sim_server *s);
void sim_server_accept_resume(struct sim_server *s);
/* All but control connections. */
void sim_server_foreach(struct sim_server *s, void (*fn)(void *ctx, struct sim_conn *c), void *ctx);
/* MAX_CONCURRENT_STREAMS of this and all later connections. */
void sim_server_set_max_streams(struct sim_server *s, uint32_t max_streams);
uint32_t sim_server_max_streams(const struct sim_server *s);
void sim_server_count(struct sim_server *s, size_t bytes_in, size_t bytes_out);
void sim_server_count_stream(struct sim_server *s, int change);

/* Has something to write, or died. */
void sim_conn_touch(struct sim_conn *c);
void sim_conn_kill(struct sim_conn *c, enum sim_conn_state how);
/* last_stream_id -1: the last one seen. Then new streams are refused, running ones go on. */
void sim_conn_goaway(struct sim_conn *c, uint32_t h2_error_code, int32_t last_stream_id);
/* for_ms 0: for ever. */
void sim_conn_stall(struct sim_conn *c, int64_t for_ms);

/* For server.c. */
struct sim_conn *sim_conn_new(struct sim_server *server, int fd, uint64_t id);
struct sim_conn *sim_conn_free(struct sim_conn *c);
void sim_conn_flush(struct sim_conn *c);

#endif
