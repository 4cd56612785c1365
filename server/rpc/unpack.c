/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each piece carries its size in front. protobuf-c allocates a string's length plus one for its
 * terminator, so the size tells the length; a string that was not sent is the library's own
 * protobuf_c_empty_string.
 *
 * Invariant: the budget only shrinks. Freeing gives nothing back, so that work is bounded as well
 * as memory.
 *
 * Thread: one at a time.
 */
#include "server/rpc/unpack.h"

#include <stdint.h>

#include "base/alloc.h"

struct piece {
    _Alignas(16) size_t size;
    unsigned char bytes[];
};

static void *unpack_alloc(void *data, size_t size)
{
    struct ks_unpack *u = data;
    struct piece *p;

    if (size > u->left || u->left - size < sizeof(*p))
        return NULL;
    p = ks_alloc(sizeof(*p) + size);
    if (!p) {
        u->is_out_of_memory = true;
        return NULL;
    }
    u->left -= sizeof(*p) + size;
    p->size = size;
    return p->bytes;
}

static void unpack_free(void *data, void *bytes)
{
    (void)data;
    if (bytes)
        ks_free(KS_CONTAINER_OF(bytes, struct piece, bytes));
}

void ks_unpack_init(struct ks_unpack *u, size_t budget)
{
    *u = (struct ks_unpack){
        .allocator = {.alloc = unpack_alloc, .free = unpack_free, .allocator_data = u},
        .left = budget,
    };
}

bool ks_unpack_is_out_of_memory(const struct ks_unpack *u)
{
    return u->is_out_of_memory;
}

struct ks_str ks_unpack_str(const char *field)
{
    const struct piece *p;

    if (!field || field == protobuf_c_empty_string)
        return (struct ks_str){.ptr = NULL};
    p = (const struct piece *)(const void *)(field - offsetof(struct piece, bytes));
    return ks_str_make(field, p->size - 1);
}
