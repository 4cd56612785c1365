/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libkstatus share: the client, and small steps between protobuf-c, gRPC and our
 * error struct.
 *
 * Thread: any; struct kstatus_client is immutable once made.  Owns: channel and completion queue.
 * Limits: see kstatus.h.
 */
#ifndef KS_CLIENT_CLIENT_INTERNAL_H
#define KS_CLIENT_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include <grpc/grpc.h>

#include "client/timer.h"
#include "kstatus.h"

struct ks_client_tag;
typedef void (*ks_client_tag_fn)(struct ks_client_tag *tag, bool is_ok);

/* What a completion queue hands back. fn runs on the client's thread; atomic, because no sanitizer
 * sees how gRPC hands it from one thread to the other. */
struct ks_client_tag {
    _Atomic(ks_client_tag_fn) fn;
};

struct kstatus_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    pthread_t thread;
    struct ks_client_timers timers;
};

#define KS_CLIENT_WATCH_METHOD "/kstatus.v1.StatusService/Watch"

/* A call with one answer. */
struct ks_client_method {
    const char *path;
    const ProtobufCMessageDescriptor *answer_type;
};

/* Fills error (may be NULL) and returns code. */
int ks_client_fail(struct kstatus_error *error, int code, const char *message);
/* The same from what RECV_STATUS_ON_CLIENT brought. */
int ks_client_fail_slice(struct kstatus_error *error, grpc_status_code code, grpc_slice details);

/* A message packed into a byte buffer. gRPC ends the process when it finds no memory. */
grpc_byte_buffer *ks_client_pack(const ProtobufCMessage *message);
/* A message unpacked with our allocator; NULL when malformed or out of memory. */
ProtobufCMessage *ks_client_unpack(const ProtobufCMessageDescriptor *type,
                                   grpc_byte_buffer *buffer);
void ks_client_message_free(ProtobufCMessage *message);

/* One blocking call: request out, *out the answer (ks_client_message_free). */
int ks_client_call(struct kstatus_client *client, const struct ks_client_method *method,
                   const ProtobufCMessage *request, int64_t timeout_ms, ProtobufCMessage **out,
                   struct kstatus_error *error) __attribute__((warn_unused_result));

#endif
