/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the transport share: transport.c (endpoint, queue, placement),
 * transport_shard.c (one CURLM and its connection), transport_request.c (one transfer),
 * transport_error.c (what libcurl's codes mean).
 *
 * Thread: the loop's.  Owns: see each struct.  Limits: the constants below.
 */
#ifndef KS_HTTP_TRANSPORT_INTERNAL_H
#define KS_HTTP_TRANSPORT_INTERNAL_H

#include <curl/curl.h>
#include <uv.h>

#include "base/list.h"
#include "http/transport.h"

#define KS_LANES 2
/* Spec informers 1.9: below libcurl's own limit of 100 streams, with room for the probe. */
#define KS_SHARD_MAX_REQUESTS 64u
/* A refused stream opens a connection of its own: so many can be refused at once. */
#define KS_SHARD_MAX_UNANSWERED 8u
/* Places for KS_HTTP_MAX_REQUESTS less a quarter: 2,000 streams of a few watches each, or 10,000
 * informers; what finds none waits, and is answered late or never. */
#define KS_LANE_MAX_SHARDS 192u
/* Short requests have a connection each while they last: libcurl 7.88.1 loses the end of a body
 * when several large ones share a connection (transport_shard.c says how). */
#define KS_REQUEST_MAX_SHARDS 8u
/* Retiring shards beside them, until they have run empty. */
#define KS_LANE_MAX_RETIRING 16u
/* Over HTTP/1.1 each request needs a socket of its own. */
#define KS_HTTP1_MAX_REQUESTS 32u
/* All requests of one struct ks_http, waiting ones included. */
#define KS_HTTP_MAX_REQUESTS 16384u

/*
 *   NEW ──first answer──> OPEN ──second socket──> RETIRING
 *    ^                     │                         │
 *    └──last socket gone───┤                         │
 *                          │                         │
 *   any ──dead, idle───────┴──> DEAD <──dead, empty──┘
 *
 * NEW: one request at a time, the connection is not proven yet. OPEN: requests are placed here.
 * RETIRING: libcurl has left the connection (GOAWAY, or its streams are used up): nothing new goes
 * here. DEAD: taken apart.
 */
#define KS_SHARD_STATES(X)                                                                         \
    X(NEW, TO(OPEN) | TO(DEAD))                                                                    \
    X(OPEN, TO(NEW) | TO(RETIRING) | TO(DEAD))                                                     \
    X(RETIRING, TO(DEAD))                                                                          \
    X(DEAD, 0)

enum ks_shard_state {
#define X(name, next) KS_SHARD_##name,
    KS_SHARD_STATES(X)
#undef X
};

/*
 *   MADE ──> QUEUED ──placed──> SENT ──head──> ANSWERED ──end──> ENDED        any ──end──> ENDED
 *   any but ENDED ──cancel──> CANCELLED
 *
 * MADE: of nobody's business yet; a probe goes from here to SENT. ENDED: on_end is running.
 * CANCELLED: no callback any more; waits for its shard to be out of libcurl.
 */
#define KS_REQUEST_STATES(X)                                                                       \
    X(MADE, TO(QUEUED) | TO(SENT))                                                                 \
    X(QUEUED, TO(SENT) | TO(ENDED) | TO(CANCELLED))                                                \
    X(SENT, TO(ANSWERED) | TO(ENDED) | TO(CANCELLED))                                              \
    X(ANSWERED, TO(ENDED) | TO(CANCELLED))                                                         \
    X(ENDED, 0)                                                                                    \
    X(CANCELLED, 0)

enum ks_request_state {
#define X(name, next) KS_REQUEST_##name,
    KS_REQUEST_STATES(X)
#undef X
};

/* One CURLM: one connection, as long as all is well. Freed when libuv has let go of curl_timer. */
struct ks_shard {
    struct ks_http *http;
    struct ks_list link; /* in its lane's shards, until it is dead */
    ks_http_lane lane;
    enum ks_shard_state state;
    CURLM *multi;
    uv_timer_t curl_timer;         /* libcurl's own wishes, in real time */
    struct ks_timer check;         /* idle, silent, or next watch to move */
    struct ks_list requests;       /* in order of placement */
    struct ks_list cancelled;      /* in CURLM still; removed after the action */
    struct ks_http_request *probe; /* NULL: none under way */
    uint32_t active;     /* requests in the CURLM, cancelled ones and the probe included */
    uint32_t unanswered; /* of these: without a head */
    uint32_t open_sockets;
    unsigned stream_faults; /* since stream_faults_ms */
    int64_t stream_faults_ms;
    int64_t opened_ms;
    int64_t heard_ms;  /* when the last byte came */
    bool is_fed;       /* one of its requests is */
    bool is_in_action; /* libcurl is on the stack: its handles must be left alone */
};

struct ks_http_request {
    struct ks_http *http;
    struct ks_shard *shard; /* NULL: none (yet, or any more) */
    struct ks_list link;    /* in its lane's queue, or one of its shard's lists */
    enum ks_request_state state;
    ks_http_lane lane;
    CURL *easy;
    struct curl_slist *headers;
    char *body; /* NULL: none */
    size_t body_len;
    const struct ks_http_ops *ops;
    void *ctx;
    struct ks_timer timer; /* to the head, then to the end */
    int64_t head_timeout_ms;
    int64_t timeout_ms;
    int64_t sent_ms;
    bool may_compress;
    bool is_fed; /* got bytes in this action: libcurl may hold more of them */
};

struct ks_lane {
    struct ks_list shards;
    struct ks_list queue;
    uint32_t queued;
};

struct ks_http {
    struct ks_loop *loop;
    struct ks_lane lanes[KS_LANES];
    struct ks_timer kick; /* places what is queued, out of everybody's callbacks */
    uint32_t requests;
    uint64_t connects;
    uint32_t connections;
    uint32_t max_watches; /* a shard's; learned downwards from early second sockets */
    unsigned early_ends;  /* shards that retired young, in quick succession */
    int64_t early_end_ms; /* when the last of them did */
    bool is_http1;        /* the endpoint does not speak HTTP/2 */
    /* Immutable from here on, but for authorization. */
    bool is_tls;
    bool is_insecure;
    char *base_url; /* what libcurl is told: scheme, TLS name, port, prefix; no slash at the end */
    char *host_header; /* "Host: ..." when the TLS name is not the real host, or NULL */
    struct curl_slist *connect_to;
    char *where; /* "host:port", for messages */
    char *ca_pem;
    char *cert_pem;
    char *key_pem;
    char *proxy_url; /* "": none */
    char *user_agent;
    char *probe_path;
    char *authorization; /* the last one used, for probes; NULL: none */
    int64_t connect_timeout_ms;
    int64_t probe_idle_ms;
    int64_t probe_timeout_ms;
    char curl_error[CURL_ERROR_SIZE]; /* of the transfer that ended last */
};

/* transport.c */

/* Soon, from the loop: place what is queued. */
void ks_http_kick(struct ks_http *http);
/* How many requests a shard of the lane takes. */
uint32_t ks_http_max_requests(const struct ks_http *http, ks_http_lane lane);
/* Ends all that is queued in the lane. */
void ks_http_fail_queue(struct ks_http *http, ks_http_lane lane,
                        const struct ks_http_result *result);
/* A shard got a second socket at so many requests. */
void ks_http_note_retired(struct ks_http *http, const struct ks_shard *shard);
/* The first answer tells which protocol the endpoint speaks. */
void ks_http_note_version(struct ks_http *http, long curl_http_version);

/* transport_shard.c */

KS_MUST_USE ks_rc ks_shard_new(struct ks_http *http, ks_http_lane lane, struct ks_shard **out);
bool ks_shard_has_room(const struct ks_shard *shard);
/* Takes the request on success; it leaves its lane's queue. Not within an action. */
KS_MUST_USE ks_rc ks_shard_add(struct ks_shard *shard, struct ks_http_request *request);
/* Not within an action. The shard may be dead afterwards only through its check timer. */
void ks_shard_remove(struct ks_shard *shard, struct ks_http_request *request);
/* Bytes came for a request. */
void ks_shard_note_bytes(struct ks_shard *shard, struct ks_http_request *request);
/* A request got its head. */
void ks_shard_note_answer(struct ks_shard *shard, CURL *easy);
/* Ends all its requests with result, or without callbacks when that is NULL; closes its sockets.
 * Not within an action. No-op on a dead shard. */
void ks_shard_destroy(struct ks_shard *shard, const struct ks_http_result *result);
/* A deadline of one of its requests has passed: is the connection alive? */
void ks_shard_suspect(struct ks_shard *shard);
/* After one of its requests ended with this code, and was told so. */
void ks_shard_judge(struct ks_shard *shard, CURLcode code, const struct ks_http_result *result);

/* transport_request.c */

KS_MUST_USE ks_rc ks_request_new(struct ks_http *http, const struct ks_http_request_config *config,
                                 struct ks_http_request **out, struct ks_error *err);
void ks_request_set_state(struct ks_http_request *request, enum ks_request_state to);
/* In no list and no CURLM any more. */
void ks_request_free(struct ks_http_request *request);
/* Takes it off whatever holds it, tells the owner, frees it. Not within an action. */
void ks_request_end(struct ks_http_request *request, const struct ks_http_result *result);
/* The same after a transfer that libcurl says has ended; the shard may be dead afterwards. */
void ks_request_end_transfer(struct ks_http_request *request, CURLcode code);
/* It is on the wire from now on. */
void ks_request_note_sent(struct ks_http_request *request);

/* transport_error.c */

/* What a transfer's code means, as ks_rc and as a sentence. */
void ks_http_explain(const struct ks_http *http, CURL *easy, CURLcode code,
                     struct ks_http_result *out);
/* The connection is no good any more, not only this transfer. */
bool ks_http_is_connection_fault(CURLcode code);
bool ks_http_is_stream_fault(CURLcode code);

#endif
