/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator that all unpacked messages of the client come from, so that failing it can be
 * tested.
 *
 * Thread: any.
 */
#include "client/pb_alloc.h"

#include "base/alloc.h"

static void *pb_alloc(void *ctx, size_t size)
{
    (void)ctx; /* no state */
    return ks_alloc(size);
}

static void pb_free(void *ctx, void *ptr)
{
    (void)ctx; /* no state */
    ks_free(ptr);
}

/* protobuf-c wants it writable; it is never written. */
ProtobufCAllocator ks_pb_allocator = {.alloc = pb_alloc, .free = pb_free};

ProtobufCMessage *ks_pb_copy(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    KS_CLEANUP(ks_freep) uint8_t *bytes = ks_alloc(len + 1); /* len may be 0 */

    if (!bytes)
        return NULL;
    (void)protobuf_c_message_pack(message, bytes); /* exactly len bytes */
    return protobuf_c_message_unpack(message->descriptor, &ks_pb_allocator, len, bytes);
}
