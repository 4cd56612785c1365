/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 requests to one endpoint as one identity, over connections that we own one by one: libcurl
 * multi handles
 * ("shards", one connection each) on the thread's loop.
 *
 * Thread: the loop's.  Owns: shards, requests.  Limits: 64 watches and 8 unanswered ones a shard,
 * 192 watch shards; over HTTP/1.1 32 watches in all; one short request a shard, 8 such shards;
 * 16,384 requests in all. What does not fit waits here in order. Idle shards are closed: after
 * 0.5 s those of watches, after 5 s those of requests, at once when the last request was cancelled.
 *
 * Never: redirects, cookies, netrc, proxies from the environment, compression on watches, a scheme
 * but the endpoint's own, a connection shared between two struct ks_http. Why: shared/spec
 * informers 1.8, 1.9, 5.6, A.
 *
 * Death of a connection is found by TCP keepalive, TCP_USER_TIMEOUT and a probe (GET probe_path
 * when nothing was received for 30 s, 15 s to answer); then the shard is destroyed and all its
 * requests end with KS_RC_IO.
 */
#ifndef KS_HTTP_TRANSPORT_H
#define KS_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "loop/loop.h"

struct ks_http;
struct ks_http_request;

struct ks_http_config {
    const char *url; /* https://host:port[/prefix], no query; http:// only without credentials */
    const char *tls_server_name; /* NULL: the URL's host */
    const char *ca_pem;          /* NULL: the system's store; else this bundle alone */
    const char *cert_pem;        /* NULL: no client certificate */
    const char *key_pem;
    bool is_insecure;      /* verifies nothing; the operator asked for it */
    const char *proxy_url; /* NULL or "": none */
    const char *user_agent;
    const char *probe_path; /* e.g. "/version" */
    /* 0: the default. Tests shrink them. */
    int64_t connect_timeout_ms; /* 10 000 */
    int64_t probe_idle_ms;      /* 30 000 */
    int64_t probe_timeout_ms;   /* 15 000 */
};

typedef enum {
    KS_HTTP_LANE_REQUEST, /* short: lists, discovery, reviews; one shard */
    KS_HTTP_LANE_WATCH,   /* long: spread over watch shards */
} ks_http_lane;

struct ks_http_head {
    int status;                 /* 100-599 */
    struct ks_str content_type; /* lent */
    struct ks_str etag;         /* lent */
    int64_t retry_after_s;      /* -1: absent or no integer */
};

struct ks_http_result {
    ks_rc rc; /* OK: the transfer ended (the body may still be cut, see json/items.h); IO, TIMEOUT,
                 LIMIT, CONFIG (certificate or key unusable), NOMEM */
    bool is_before_head; /* nothing of the answer had arrived: the endpoint could not be reached or
                            did not answer */
    struct ks_error error;
};

struct ks_http_ops {
    /* Final headers; once. */
    void (*on_head)(void *ctx, const struct ks_http_head *head);
    /* Body bytes as they come, lent. */
    void (*on_data)(void *ctx, struct ks_str bytes);
    /* Last callback, once, never from within ks_http_start; the handle is dead after it. */
    void (*on_end)(void *ctx, const struct ks_http_result *result);
};

/* Both are checked like the others; neither may be empty. */
struct ks_http_header {
    const char *name;
    struct ks_str value;
};

struct ks_http_request_config {
    ks_http_lane lane;
    const char *method; /* "GET", "POST" */
    const char *path;   /* encoded path and query, begins with '/'; appended to the URL's prefix */
    const char *accept; /* NULL: application/json */
    struct ks_str authorization; /* whole header value, e.g. "Bearer ..."; empty: none. Copied,
                                    wiped at the end */
    const char *if_none_match;   /* NULL: none */
    const struct ks_http_header *extra; /* extra_count of them, copied: impersonation */
    size_t extra_count;
    const char *content_type; /* with a body */
    struct ks_str body;       /* copied */
    bool may_compress;        /* Accept-Encoding: gzip, decoded here; never on a watch */
    int64_t head_timeout_ms;  /* to the first header from sending; 0: 65 000 */
    int64_t timeout_ms;       /* whole transfer from sending; 0: 75 000 */
    const struct ks_http_ops *ops;
    void *ctx;
};

KS_MUST_USE ks_rc ks_http_new(struct ks_loop *loop, const struct ks_http_config *config,
                              struct ks_http **out, struct ks_error *err);
/* Ends every request without callbacks and frees everything at once; sockets are closed when it
 * returns. Must not be called from within a callback of this struct ks_http. NULL is allowed.
 * Returns NULL. */
struct ks_http *ks_http_free(struct ks_http *http);

/* KS_RC_INVALID when a value could not go into a header or URL unharmed (CR, LF, NUL, blanks in the
 * path). */
KS_MUST_USE ks_rc ks_http_start(struct ks_http *http, const struct ks_http_request_config *config,
                                struct ks_http_request **out, struct ks_error *err);
/* RST_STREAM, or the end of the connection; no callback after this returns; allowed inside the
 * request's own callbacks. NULL is allowed. */
void ks_http_cancel(struct ks_http_request *request);

struct ks_http_stats {
    uint32_t shards;
    uint32_t connections; /* open sockets */
    uint32_t requests;    /* started and not ended */
    uint32_t queued;      /* of these: waiting here for a place */
    uint64_t connects;    /* ever */
};
void ks_http_get_stats(const struct ks_http *http, struct ks_http_stats *out);

#endif
