/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One identity at one API server, on one loop: HTTP connections, credentials, discovery, and
 * pacing. Informers and sessions borrow it.
 *
 * Thread: the loop's, except ks_kube_stats_of's figures and ks_kube_last_error (any).  Owns:
 * transport, credentials, mapper.  Limits: 8 collection syncs and 32 single-object syncs in flight;
 * see http/transport.h for connections.
 *
 * Credentials: the Authorization value is taken from the source anew for each request (token file
 * re-read at most once a minute, exec plugin run when its credential expires, single-flight). A 401
 * refreshes them once and repeats the request once when that can help (shared/spec: informers 4.6).
 *
 * The endpoint gate (informers 1.7): when the endpoint cannot be reached, requests wait while one
 * probe at a time goes out, 0.8 s to 30 s apart; the first success opens it. Requests that wait
 * have not failed. For a minute after an outage what waited is let through at 20 collection syncs
 * and 200 other paced requests a second, in random order.
 */
#ifndef KS_KUBE_CLIENT_H
#define KS_KUBE_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/loop.h"
#include "kube/config.h"

struct ks_kube;
struct ks_kube_request;
struct ks_mapper;

struct ks_kube_options {
    const struct ks_log *log; /* debug lines only; NULL: none */
    const char *user_agent;   /* NULL: "kstatusd/VERSION" */
    /* Tests shrink these; 0: the default of shared/spec informers C. */
    int64_t backoff_base_ms;    /* 800 */
    int64_t backoff_cap_ms;     /* 30 000; of an unreachable endpoint 2 000 */
    int64_t probe_idle_ms;      /* 30 000 */
    int64_t probe_timeout_ms;   /* 15 000 */
    int64_t connect_timeout_ms; /* 10 000 */
};

/* config is borrowed and must outlive it. Nothing is sent yet; KS_RC_CONFIG when URL or credential
 * are unusable. Certificates are looked at when the first request connects. */
KS_MUST_USE ks_rc ks_kube_new(struct ks_loop *loop, const struct ks_kube_config *config,
                              const struct ks_kube_options *options, struct ks_kube **out,
                              struct ks_error *err);
/* All informers, resolves and requests must have ended. Closes all sockets at once. Returns NULL;
 * NULL is allowed. */
struct ks_kube *ks_kube_free(struct ks_kube *kube);

struct ks_loop *ks_kube_loop(struct ks_kube *kube);
const struct ks_log *ks_kube_log(struct ks_kube *kube);
const struct ks_kube_config *ks_kube_config_of(struct ks_kube *kube);
const struct ks_kube_options *ks_kube_options_of(struct ks_kube *kube);
struct ks_mapper *ks_kube_mapper(struct ks_kube *kube);
/* How often the endpoint could not be reached so far: what waited meanwhile may be answered by
 * another server than what went before. */
uint32_t ks_kube_closures(const struct ks_kube *kube);
/* The slot of what this client's reflectors share (kube/fleet.h): NULL at first, filled by the
 * first reflector; ks_kube_free calls ks_fleet_free on it, before it frees the rest. */
struct ks_fleet;
struct ks_fleet **ks_kube_fleet_slot(struct ks_kube *kube);

/*
 * What an answer that is no success means. `rc` is what programs decide on:
 *   UNAUTHENTICATED 401, DENIED 403, NOTFOUND 404 (unknown paths, too), CONFLICT 409,
 *   GONE 410 or reason Expired, UNSUPPORTED 405/406/415, INVALID 400/422, AGAIN 429,
 *   LIMIT 413/431, UNAVAILABLE 5xx, PROTOCOL redirects and bodies that are not what was asked for,
 *   IO/TIMEOUT when no answer came.
 */
struct ks_kube_failure {
    ks_rc rc;
    int http_status;        /* 0: no answer */
    int64_t retry_after_ms; /* -1: not told; capped at 60 000 */
    bool is_rv_too_large;   /* 504 "Too large resource version" */
    bool is_before_head;    /* the endpoint could not be reached */
    struct ks_error error;  /* the server's own message where it sent one, for the caller's eyes */
};
/* Classifies a Status body (or any error body) with its HTTP code; body may be empty or no JSON. */
void ks_kube_failure_from_body(int http_status, struct ks_str body, struct ks_kube_failure *out);

typedef enum {
    KS_KUBE_REQUEST_SHORT, /* whole small body or streamed list: request lane */
    KS_KUBE_REQUEST_WATCH, /* endless body: watch lane, no compression */
} ks_kube_request_kind;

/* What a request costs the server, and so how many of its sort may run at once. */
typedef enum {
    KS_KUBE_PACE_DEFAULT, /* WATCH: as SINGLE; SHORT: not paced (discovery, reviews, probes) */
    KS_KUBE_PACE_SINGLE,  /* one object's list, or a watch resumed: 32 at once; a watch counts until
                             its head */
    KS_KUBE_PACE_COLLECTION, /* a list's page or a streaming list: 8 at once; a watch counts until
                                ks_kube_request_synced */
} ks_kube_pace;

struct ks_kube_request_ops {
    /* The request has to wait because the endpoint cannot be reached; err says why. It goes out
     * when it can. At most once; may be NULL. */
    void (*on_waiting)(void *ctx, const struct ks_error *err);
    /* A 2xx answer has begun. May be NULL. */
    void (*on_head)(void *ctx, const char *content_type, const char *etag, int http_status);
    /* Its body; lent. */
    void (*on_data)(void *ctx, struct ks_str bytes);
    /* Once, last. failure is NULL when a 2xx (or 304) answer ended cleanly. The handle is dead when
     * it returns. */
    void (*on_end)(void *ctx, const struct ks_kube_failure *failure);
};

struct ks_kube_request_config {
    ks_kube_request_kind kind;
    ks_kube_pace pace;
    const char *method; /* NULL: GET */
    const char *path;   /* encoded, begins with '/' */
    const char *accept; /* NULL: application/json */
    const char *if_none_match;
    struct ks_str body; /* JSON; empty: none */
    int64_t head_timeout_ms;
    int64_t timeout_ms;
    const struct ks_kube_request_ops *ops;
    void *ctx;
};
/* Callbacks never come from within the call. Error bodies are collected (64 KiB at most) and
 * classified here. */
KS_MUST_USE ks_rc ks_kube_request_start(struct ks_kube *kube,
                                        const struct ks_kube_request_config *config,
                                        struct ks_kube_request **out, struct ks_error *err);
/* A streaming list has brought its initial state: it gives its place to another sync and goes on as
 * a watch. */
void ks_kube_request_synced(struct ks_kube_request *request);
/* No callback after this returns. NULL is allowed. */
void ks_kube_request_cancel(struct ks_kube_request *request);

/* Gauges and counters, readable from any thread. */
struct ks_kube_stats {
    _Atomic uint32_t connections;
    _Atomic uint32_t watches; /* open or waiting to be opened */
    _Atomic uint32_t informers;
    _Atomic uint64_t requests_total;
    _Atomic uint64_t lists_total;
    _Atomic uint64_t watch_opens_total;
    _Atomic uint64_t events_total; /* watch events received */
    _Atomic uint64_t bad_lines_total;
    _Atomic uint64_t connects_total;
    _Atomic uint64_t failures_total; /* requests that ended without a 2xx */
    _Atomic bool is_reachable;       /* the last attempt reached the endpoint */
};
struct ks_kube_stats *ks_kube_stats_of(struct ks_kube *kube);
/* Looks up the figures of the connections, which come and go without telling. Thread: the loop's.
 */
void ks_kube_stats_refresh(struct ks_kube *kube);
/* Copies the last failure to reach the endpoint; false when it is reachable or was never tried.
 * Thread: any. */
bool ks_kube_last_error(struct ks_kube *kube, struct ks_error *out);
/* Whether the credentials are in trouble: refused, absent, or only still good because an older one
 * is in use. out says why. Thread: the loop's. */
bool ks_kube_credential_trouble(struct ks_kube *kube, struct ks_error *out);
/* Whether requests wait for an exec plugin that has not answered yet; out says so. */
bool ks_kube_awaits_plugin(struct ks_kube *kube, struct ks_error *out);

#endif
