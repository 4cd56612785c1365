/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session events and answers -> protobuf bytes. The only file besides server/rpc and client that
 * knows protobuf-c.
 *
 * Thread: any.  Owns: nothing.  Limits: a message text is cut at 4 KiB,
 * an encoded event at 320 KiB. All strings are made valid UTF-8 here (protobuf-c does not check).
 */
#ifndef KS_BRIDGE_ENCODE_H
#define KS_BRIDGE_ENCODE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#include "watcher/event.h"

#include "bridge/packet.h"

KS_MUST_USE ks_rc ks_encode_event(const struct ks_event *event, struct ks_packet **out,
                                  struct ks_error *err);

/* As kstatus.v1.Limits has them. */
struct ks_accepted_limits {
    uint32_t streams;
    uint32_t streams_per_connection;
    uint32_t connections;
    uint32_t connections_per_address;
    uint32_t objects_per_stream;
    uint32_t targets;
    uint32_t request_bytes;
    uint32_t metadata_bytes;
    uint32_t selector_bytes;
    uint32_t response_bytes;
    uint32_t object_bytes;
    int64_t stream_life_ms;
    int64_t connection_life_ms;
};

/* Accepted: who serves, and the options in effect (the profile is always named). */
struct ks_accepted {
    const char *server_instance;
    const char *server_version;
    const char *profile;
    uint32_t generated_depth;
    bool include_causes;
    bool include_objects;
    int64_t heartbeat_ms; /* 0: none, as the next two */
    int64_t min_update_ms;
    int64_t resync_ms;
    bool is_blind;
    bool is_summary;
    struct ks_accepted_limits limits;
};
KS_MUST_USE ks_rc ks_encode_accepted(const struct ks_accepted *accepted, struct ks_packet **out,
                                     struct ks_error *err);
struct ks_heartbeat {
    uint64_t coalesced_total;
    int64_t staleness_ms;
    struct ks_synced tally;
};
KS_MUST_USE ks_rc ks_encode_heartbeat(const struct ks_heartbeat *heartbeat, struct ks_packet **out,
                                      struct ks_error *err);
KS_MUST_USE ks_rc ks_encode_draining(int64_t reconnect_after_ms, struct ks_packet **out,
                                     struct ks_error *err);

/* A google.rpc.Status with a BadRequest detail, for the grpc-status-details-bin trailer. */
struct ks_field_violation {
    const char *field;
    const char *description;
};
KS_MUST_USE ks_rc ks_encode_bad_request(int grpc_code, const char *message,
                                        const struct ks_field_violation *violations, size_t count,
                                        struct ks_buf *out);

/* A google.rpc.Status with a QuotaFailure detail, and RetryInfo when trying again may help: a limit
 * was met. */
struct ks_quota_failure {
    const char *limit;       /* its name */
    const char *description; /* how much it allows */
    int64_t retry_after_ms;  /* 0: never */
};
KS_MUST_USE ks_rc ks_encode_quota_failure(int grpc_code, const char *message,
                                          const struct ks_quota_failure *failure,
                                          struct ks_buf *out);

/* The google.rpc.Code (gRPC status code) that stands for a result code in messages. The server's
 * own table for ending calls is this one too. */
int ks_rpc_code(ks_rc rc);

#endif
