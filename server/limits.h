/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this server bounds and its operator may set: one table of names, defaults and bounds. The
 * names are those of --limit, of the metrics, and of google.rpc.QuotaFailure.
 *
 * What a request may be (its bytes, targets, metadata) is no matter of taste: that is constant and
 * stands where it is checked.
 *
 * Thread: any; constant once the command line is read.  Owns: nothing.
 */
#ifndef KS_SERVER_LIMITS_H
#define KS_SERVER_LIMITS_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"

/* id, name, default, least, most, what it counts */
#define KS_LIMIT_TABLE(X)                                                                          \
    X(STREAMS, "streams", 2000, 1, 100000, "open calls of Watch, Get and Wait")                    \
    X(STREAMS_PER_CONNECTION, "streams-per-connection", 100, 1, 100000,                            \
      "open calls of one connection")                                                              \
    X(CONNECTIONS, "connections", 1024, 1, 100000, "open connections")                             \
    X(CONNECTIONS_PER_ADDRESS, "connections-per-address", 64, 1, 100000,                           \
      "open connections from one address of another machine")                                      \
    X(OBJECTS, "objects", 50000, 1, 1000000, "objects of one call")                                \
    X(STREAM_SECONDS, "stream-seconds", 3600, 1, 604800, "seconds that a stream lasts")            \
    X(CONNECTION_SECONDS, "connection-seconds", 3600, 1, 604800,                                   \
      "seconds that a connection lasts")                                                           \
    X(MEMORY_MIB, "memory-mib", 0, 0, 16777216, "MiB of memory; 0: as much as the system allows")

typedef enum {
#define X(id, name, normal, least, most, what) KS_LIMIT_##id,
    KS_LIMIT_TABLE(X)
#undef X
        KS_LIMIT_COUNT
} ks_limit;

struct ks_limits {
    int64_t values[KS_LIMIT_COUNT];
};

extern const struct ks_limits ks_limits_default;

const char *ks_limit_name(ks_limit limit);
/* "streams=500". KS_RC_INVALID: the sentence names the limits, or the bounds. */
KS_MUST_USE ks_rc ks_limits_parse(struct ks_limits *limits, const char *text, struct ks_error *err);

#endif
