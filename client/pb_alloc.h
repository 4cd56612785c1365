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

#endif
