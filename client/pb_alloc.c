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
