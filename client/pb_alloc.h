/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/alloc.h as protobuf-c wants it.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_PB_ALLOC_H
#define KS_CLIENT_PB_ALLOC_H

#include <protobuf-c/protobuf-c.h>

extern ProtobufCAllocator ks_pb_allocator;

/* From that allocator. NULL when out of memory. */
ProtobufCMessage *ks_pb_copy(const ProtobufCMessage *message);

#endif
