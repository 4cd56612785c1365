/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded allocator for protobuf-c's unpacking of what clients send, and the true length of the
 * strings it made.
 *
 * protobuf-c bounds nothing: 1 MiB of empty submessages becomes 36 MB. And it copies strings
 * without looking at them, NUL bytes included, so that strlen() would see less than what the client
 * sent.
 *
 * Thread: one at a time.  Owns: nothing but what is unpacked with it.  Limits: budget bytes in all.
 */
#ifndef KS_SERVER_RPC_UNPACK_H
#define KS_SERVER_RPC_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"
#include "base/str.h"

struct ks_unpack {
    ProtobufCAllocator allocator; /* public: for protobuf_c_message_unpack and ..._free_unpacked */
    /* private */
    size_t left;
    bool is_out_of_memory;
};

/* It must not move afterwards. */
void ks_unpack_init(struct ks_unpack *u, size_t budget);
/* Whether memory was short, as opposed to the budget or the message itself being bad. */
bool ks_unpack_is_out_of_memory(const struct ks_unpack *u);
/* A string field as it was sent, embedded NUL bytes included. */
struct ks_str ks_unpack_str(const char *field);

#endif
