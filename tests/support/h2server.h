/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for the transport's tests: HTTP/2 over TLS at the level of frames, on a thread of its
 * own, made to misbehave on command. It knows nothing of Kubernetes.
 *
 * What a request gets is decided by its path:
 *
 *   /echo        200, the request's header lines and body as text
 *   /status/N    status N (3xx with a Location elsewhere)
 *   /size/N      200, N bytes of 'x'
 *   /watch...    200, an open body; h2server_say adds to it, h2server_end ends it
 *   /endless     200, then nothing
 *   /silent      nothing, ever
 *   /rst/N       200, half a body; at h2server_reset RST_STREAM with code N (HTTP/1.1: a cut)
 *   /interim     103, then 200
 *   /trailers    200, a body, trailers
 *   /encoded     200, Content-Encoding: gzip, a body that is none
 *   /retry       429 with Retry-After: 7
 *   /etag        200 with an ETag
 *   else         200, "{}"
 *
 * Thread: functions are called from the test's thread, and have taken effect when they return.
 */
#ifndef KS_TESTS_SUPPORT_H2SERVER_H
#define KS_TESTS_SUPPORT_H2SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2server;

/* PEM texts, to be freed with h2server_cert_fini. All made anew: P-256, for 127.0.0.1 and
 * localhost. */
struct h2server_cert {
    char *ca;
    char *cert;
    char *key;
    char *expired_cert;  /* by the same authority and for the same key, out of date */
    char *misnamed_cert; /* likewise, for api.example.test alone */
};
void h2server_cert_init(struct h2server_cert *cert, const char *authority);
void h2server_cert_fini(struct h2server_cert *cert);

enum h2server_protocol { H2SERVER_H2, H2SERVER_HTTP1_TLS, H2SERVER_HTTP1_PLAIN };

struct h2server_config {
    enum h2server_protocol protocol;
    const char *cert;
    const char *key;
    const char *client_ca; /* NULL: no client certificate is asked for */
    uint32_t max_streams;  /* SETTINGS_MAX_CONCURRENT_STREAMS; 0: 250 */
};

/* Listens on 127.0.0.1; fails the test when it cannot. */
struct h2server *h2server_start(const struct h2server_config *config);
/* Cuts what is open. */
void h2server_stop(struct h2server *s);
int h2server_port(const struct h2server *s);

struct h2server_counts {
    unsigned accepted;     /* connections ever */
    unsigned connections;  /* open ones, with a finished handshake or not */
    unsigned requests;     /* ever */
    unsigned streams;      /* open ones */
    unsigned most_streams; /* on one connection, ever */
    unsigned held;         /* unanswered because of h2server_hold */
    unsigned resets;       /* RST_STREAM received, ever */
};
struct h2server_counts h2server_count(struct h2server *s);

/* While held, requests are taken and not answered. Letting go answers them. */
void h2server_hold(struct h2server *s, bool is_held);
/* The same, but lets so many go and holds on. */
void h2server_let_go(struct h2server *s, unsigned count);
void h2server_say(struct h2server *s, const char *text);
/* The same for those whose path is exactly this. */
void h2server_say_to(struct h2server *s, const char *path, const char *text);
void h2server_end(struct h2server *s);
void h2server_reset(struct h2server *s);
/* GOAWAY(NO_ERROR) on all connections; streams in flight go on, as far as their id is at most
 * last_stream_id. With INT32_MAX it is the notice before that: new streams are answered too. */
void h2server_goaway(struct h2server *s, int32_t last_stream_id);
/* RST on all connections. */
void h2server_cut(struct h2server *s);
/* While frozen it reads and writes nothing; the kernel goes on acknowledging. New connections wait.
 */
void h2server_freeze(struct h2server *s, bool is_frozen);

#endif
