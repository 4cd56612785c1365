/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of h2server share: h2server.c (thread, sockets, TLS, commands), h2server_h2.c
 * (HTTP/2 through nghttp2), h2server_http1.c, h2server_route.c (which path gets what).
 *
 * Thread: the server's own.  Owns: see each struct.  Limits: enough for tests.
 */
#ifndef KS_TESTS_SUPPORT_H2SERVER_INTERNAL_H
#define KS_TESTS_SUPPORT_H2SERVER_INTERNAL_H

#include <pthread.h>

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "base/list.h"
#include "base/str.h"
#include "support/h2server.h"

struct stream {
    struct ks_list link;
    struct conn *conn;
    int32_t id;
    char path[256];
    struct ks_buf request; /* header lines and body, as /echo tells them */
    struct ks_buf body;    /* of the answer */
    size_t body_sent;
    char etag[16];
    char location[64];
    int status;
    bool is_held;
    bool is_answered;
    bool is_complete; /* nothing will be added to body */
    bool has_trailers;
    bool is_encoded;
    bool wants_retry;
    bool wants_interim;
    int64_t reset_code; /* -1: none; else sent at h2server_reset */
};

struct conn {
    struct ks_list link;
    struct h2server *server;
    int fd;
    SSL *ssl;      /* NULL: plain */
    bool is_ready; /* handshake done */
    bool is_dead;
    nghttp2_session *session; /* NULL: HTTP/1.1 */
    struct ks_list streams;
    struct ks_buf in;  /* HTTP/1.1: the request so far */
    struct ks_buf out; /* bytes for the socket */
    size_t out_sent;
};

struct h2server {
    struct h2server_config config;
    SSL_CTX *tls;
    int listener;
    int port;
    int wake_fd;
    pthread_t thread;
    struct ks_list conns;
    struct h2server_counts counts;
    bool is_held;
    bool is_frozen;
    bool is_stopping;
    pthread_mutex_t lock; /* guards command, text, number and is_done */
    pthread_cond_t done;
    enum {
        CMD_NONE,
        CMD_COUNT,
        CMD_HOLD,
        CMD_LET_GO,
        CMD_SAY,
        CMD_END,
        CMD_RESET,
        CMD_GOAWAY,
        CMD_CUT,
        CMD_FREEZE,
        CMD_STOP
    } command;
    const char *text;
    const char *path; /* NULL: all */
    int64_t number;
    struct h2server_counts answer;
};

/* h2server.c */
struct stream *h2server_stream_new(struct conn *conn, int32_t id);
void h2server_stream_free(struct stream *stream);

/* h2server_route.c: fills in status, body and so on from the path. */
void h2server_route(struct stream *stream);

/* h2server_h2.c */
void h2server_h2_open(struct conn *conn);
/* false: the peer broke the protocol */
bool h2server_h2_take(struct conn *conn, const uint8_t *data, size_t len);
/* Moves frames that are due into conn->out. */
void h2server_h2_pump(struct conn *conn);
void h2server_h2_answer(struct stream *stream);
void h2server_h2_resume(struct stream *stream);
void h2server_h2_reset(struct stream *stream);
void h2server_h2_goaway(struct conn *conn, int32_t last_stream_id);

/* h2server_http1.c */
void h2server_http1_take(struct conn *conn, const uint8_t *data, size_t len);
void h2server_http1_answer(struct stream *stream);
/* Writes what was added to the body. */
void h2server_http1_resume(struct stream *stream);

/* The request is whole: route it, and answer it unless held. */
void h2server_request(struct stream *stream);

#endif
