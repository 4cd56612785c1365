/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets: encoded once, shared by reference, never changed after they were filled.
 *
 * The maker fills `bytes` before anybody else gets a reference; from then on the packet is
 * immutable and may be read from any thread. The last reference frees it, on whichever thread drops
 * it.
 *
 * Thread: any.  It does not: know what the bytes mean.
 */
#include "bridge/packet.h"

#include <assert.h>

#include "base/alloc.h"

struct ks_packet *ks_packet_new(ks_packet_kind kind, size_t len)
{
    struct ks_packet *p;

    if (len > SIZE_MAX - sizeof(*p))
        return NULL;
    p = ks_alloc(sizeof(*p) + len);
    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    p->kind = kind;
    p->len = len;
    return p;
}

struct ks_packet *ks_packet_ref(struct ks_packet *p)
{
    uint32_t before = atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);

    assert(before > 0 && before < UINT32_MAX);
    return p;
}

struct ks_packet *ks_packet_unref(struct ks_packet *p)
{
    /* Release orders our last reads before the count, acquire orders the free after everybody
     * else's. */
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        ks_free(p);
    return NULL;
}
