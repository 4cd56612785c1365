/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session events and answers -> protobuf bytes. The only file besides server/rpc and client that
 * knows protobuf-c.
 *
 * Thread: any.  Owns: nothing.  Limits: a message text is cut at 4 KiB, an encoded event at 64 KiB.
 * All strings are made valid UTF-8 here (protobuf-c does not check).
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

/* Accepted: who serves, and the options in effect (the profile is always named). */
struct ks_accepted {
    const char *server_instance;
    const char *server_version;
    const char *profile;
    uint32_t generated_depth;
    bool include_causes;
    int64_t heartbeat_ms; /* 0: none */
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

/* The google.rpc.Code (gRPC status code) that stands for a result code in messages. The server's
 * own table for ending calls is this one too. */
int ks_rpc_code(ks_rc rc);

#endif
