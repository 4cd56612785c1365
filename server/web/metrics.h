/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: one table of names, help texts and types; values are atomics that code changes through
 * an enum and never by name. Rendered as Prometheus text.
 *
 * Counters are added to where things happen; what other modules count for themselves, and what the
 * system knows, is set just before rendering by the collector that the composition root hands to
 * the HTTP port.
 *
 * Thread: any.  Owns: its values.  Limits: fixed size.
 */
#ifndef KS_SERVER_WEB_METRICS_H
#define KS_SERVER_WEB_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/limits.h"
#include "server/rpc/status_map.h"

/* name, type, metric, help */
#define KS_METRIC_TABLE(X)                                                                         \
    X(READY, gauge, "kstatusd_ready", "1 while the server takes new calls, 0 while it drains.")    \
    X(LISTENING, gauge, "kstatusd_listening",                                                      \
      "1 while the gRPC ports answer; 0: the process must be started anew.")                       \
    X(WORKERS, gauge, "kstatusd_workers", "Workers (one Kubernetes thread each).")                 \
    X(STREAMS_OPEN, gauge, "kstatusd_streams_open", "Watch streams open now.")                     \
    X(STREAMS_TOTAL, counter, "kstatusd_streams_total", "Watch streams opened.")                   \
    X(CALLS_OPEN, gauge, "kstatusd_calls_open", "gRPC calls open now, of any kind.")               \
    X(CONNECTIONS_OPEN, gauge, "kstatusd_connections_open", "Connections of clients open now.")    \
    X(CONNECTIONS_TOTAL, counter, "kstatusd_connections_total",                                    \
      "Connections of clients taken in.")                                                          \
    X(CONNECTIONS_REFUSED_TOTAL, counter, "kstatusd_connections_refused_total",                    \
      "Connections turned away: over a limit, no HTTP/2, or nothing sent in time.")                \
    X(REFUSED_TOTAL, counter, "kstatusd_refused_total",                                            \
      "Calls refused because of a limit: open calls, metadata size, no request in time.")          \
    X(RESPONSES_TOTAL, counter, "kstatusd_responses_total", "Watch responses sent.")               \
    X(EVENTS_SENT_TOTAL, counter, "kstatusd_events_sent_total",                                    \
      "Events sent on Watch streams; a response carries up to 64.")                                \
    X(BYTES_SENT_TOTAL, counter, "kstatusd_bytes_sent_total", "Bytes of Watch responses sent.")    \
    X(COALESCED_TOTAL, counter, "kstatusd_coalesced_total",                                        \
      "Updates merged into a newer one of the same object before they were sent.")                 \
    X(SESSIONS, gauge, "kstatusd_sessions", "Sessions open now: one for each Watch or Get.")       \
    X(OBJECTS, gauge, "kstatusd_objects", "Objects that the open sessions keep a record of.")      \
    X(EVENTS_TOTAL, counter, "kstatusd_events_total", "Events that sessions told, of any kind.")   \
    X(UPDATES_TOTAL, counter, "kstatusd_updates_total",                                            \
      "Of these: updates of an object's status.")                                                  \
    X(UP_REACHABLE, gauge, "kstatusd_upstream_reachable",                                          \
      "1 when the last attempt of every worker reached the API server.")                           \
    X(UP_CONNECTIONS, gauge, "kstatusd_upstream_connections", "Connections to the API server.")    \
    X(UP_INFORMERS, gauge, "kstatusd_upstream_informers", "Informers running.")                    \
    X(UP_WATCHES, gauge, "kstatusd_upstream_watches",                                              \
      "Watch requests to the API server, open or waiting to be opened.")                           \
    X(UP_CONNECTS_TOTAL, counter, "kstatusd_upstream_connects_total",                              \
      "Connections made to the API server.")                                                       \
    X(UP_REQUESTS_TOTAL, counter, "kstatusd_upstream_requests_total",                              \
      "Requests sent to the API server.")                                                          \
    X(UP_LISTS_TOTAL, counter, "kstatusd_upstream_lists_total", "Of these: lists.")                \
    X(UP_WATCH_OPENS_TOTAL, counter, "kstatusd_upstream_watch_opens_total", "Of these: watches.")  \
    X(UP_EVENTS_TOTAL, counter, "kstatusd_upstream_events_total",                                  \
      "Watch events received from the API server.")                                                \
    X(UP_BAD_LINES_TOTAL, counter, "kstatusd_upstream_bad_lines_total",                            \
      "Watch events that could not be read.")                                                      \
    X(UP_FAILURES_TOTAL, counter, "kstatusd_upstream_failures_total",                              \
      "Requests that ended without a success.")                                                    \
    X(HEAP_BYTES, gauge, "kstatusd_heap_bytes", "Heap bytes in use.")                              \
    X(HEAP_FREE_BYTES, gauge, "kstatusd_heap_free_bytes",                                          \
      "Heap bytes held for reuse by the C library.")                                               \
    X(RSS_BYTES, gauge, "process_resident_memory_bytes", "Resident memory.")                       \
    X(OPEN_FDS, gauge, "process_open_fds", "Open file descriptors.")                               \
    X(MAX_FDS, gauge, "process_max_fds", "Limit of open file descriptors.")                        \
    X(THREADS, gauge, "process_threads", "Threads.")                                               \
    X(START_SECONDS, gauge, "process_start_time_seconds", "Start time, Unix seconds.")

typedef enum {
#define X(name, type, metric, help) KS_METRIC_##name,
    KS_METRIC_TABLE(X)
#undef X
        KS_METRIC_COUNT
} ks_metric;

/* The methods that calls are counted by; what clients make up is one row. */
#define KS_METHOD_TABLE(X)                                                                         \
    X(WATCH, "/kstatus.v1.StatusService/Watch")                                                    \
    X(GET, "/kstatus.v1.StatusService/Get")                                                        \
    X(WAIT, "/kstatus.v1.StatusService/Wait")                                                      \
    X(HEALTH_CHECK, "/grpc.health.v1.Health/Check")                                                \
    X(HEALTH_WATCH, "/grpc.health.v1.Health/Watch")                                                \
    X(UNKNOWN, "unknown")

typedef enum {
#define X(name, path) KS_METHOD_##name,
    KS_METHOD_TABLE(X)
#undef X
        KS_METHOD_COUNT
} ks_method;

struct ks_metrics {
    _Atomic int64_t values[KS_METRIC_COUNT];
    _Atomic uint64_t calls[KS_METHOD_COUNT][KS_RPC_CODE_COUNT];
    _Atomic uint64_t limit_hits[KS_LIMIT_COUNT];
    const struct ks_limits *limits; /* set before the first rendering, or NULL */
    const char *grpc_version;       /* set before the first rendering */
};

/* The full path, as HTTP/2 carries it. */
const char *ks_method_path(ks_method method);

static inline void ks_metrics_add(struct ks_metrics *m, ks_metric metric, int64_t by)
{
    atomic_fetch_add_explicit(&m->values[metric], by, memory_order_relaxed);
}
static inline void ks_metrics_set(struct ks_metrics *m, ks_metric metric, int64_t value)
{
    atomic_store_explicit(&m->values[metric], value, memory_order_relaxed);
}
static inline int64_t ks_metrics_get(const struct ks_metrics *m, ks_metric metric)
{
    return atomic_load_explicit(&m->values[metric], memory_order_relaxed);
}
/* A call has ended with this code. */
void ks_metrics_count_call(struct ks_metrics *m, ks_method method, int code);
/* Something was refused or ended because of this limit. */
void ks_metrics_count_limit(struct ks_metrics *m, ks_limit limit);
/* Sets what the system knows: memory, file descriptors, threads. */
void ks_metrics_collect_process(struct ks_metrics *m);

/* Appends the Prometheus text exposition, format 0.0.4. */
KS_MUST_USE ks_rc ks_metrics_render(const struct ks_metrics *m, struct ks_buf *out);

#endif
