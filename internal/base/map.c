/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only user of uthash. Its hash function is replaced by SipHash-1-3 under a key drawn at the
 * first use, and its out-of-memory action by a flag, so that an insertion that finds no memory
 * leaves the map as it was.
 *
 * Thread: one at a time a map; the key is drawn once, guarded.
 */
#include "base/map.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) ks_alloc(size)
#define uthash_free(ptr, size) ks_free(ptr)
#define uthash_nonfatal_oom(node) ((node)->is_refused = true)
#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)ks_hash((key), (len)))
#include <uthash.h>

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint64_t hash_key[2];

struct node {
    UT_hash_handle hh;
    struct ks_str key;
    void *value;
    bool is_refused;
};

struct ks_map {
    struct node *nodes;
    size_t max_entries;
};

static void key_draw(void)
{
    if (getrandom(hash_key, sizeof(hash_key), 0) != (ssize_t)sizeof(hash_key)) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
        hash_key[0] = (uint64_t)now.tv_nsec;
        hash_key[1] = (uint64_t)getpid();
    }
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with 1 and 3 rounds. */
void ks_hash_seed(uint64_t seed)
{
    (void)pthread_once(&key_once, key_draw); /* as below; it must not come later */
    hash_key[0] = seed;
    hash_key[1] = ~seed;
}

uint64_t ks_hash(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t word;
    uint64_t v[4];

    (void)pthread_once(&key_once, key_draw); /* cannot fail with a valid argument */
    v[0] = hash_key[0] ^ 0x736f6d6570736575u;
    v[1] = hash_key[1] ^ 0x646f72616e646f6du;
    v[2] = hash_key[0] ^ 0x6c7967656e657261u;
    v[3] = hash_key[1] ^ 0x7465646279746573u;
    for (size_t left = len; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < len % 8; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct ks_map *ks_map_new(size_t max_entries)
{
    struct ks_map *m = ks_alloc0(sizeof(*m));

    if (m)
        m->max_entries = max_entries;
    return m;
}

struct ks_map *ks_map_free(struct ks_map *m)
{
    struct node *node, *next;

    if (!m)
        return NULL;
    HASH_ITER(hh, m->nodes, node, next)
    {
        HASH_DEL(m->nodes, node);
        ks_free(node);
    }
    ks_free(m);
    return NULL;
}

static struct node *node_find(const struct ks_map *m, struct ks_str key)
{
    struct node *node = NULL;

    HASH_FIND(hh, m->nodes, key.ptr, (unsigned)key.len, node);
    return node;
}

ks_rc ks_map_put(struct ks_map *m, struct ks_str key, void *value)
{
    struct node *node;

    /* A replaced entry is made anew, as its key may have lived inside the old value. */
    (void)ks_map_remove(m, key); /* the old value stays the caller's */
    if (ks_map_count(m) >= m->max_entries)
        return KS_RC_LIMIT;
    node = ks_alloc0(sizeof(*node));
    if (!node)
        return KS_RC_NOMEM;
    node->key = key;
    node->value = value;
    HASH_ADD_KEYPTR(hh, m->nodes, node->key.ptr, (unsigned)node->key.len, node);
    if (node->is_refused) {
        ks_free(node);
        return KS_RC_NOMEM;
    }
    return KS_RC_OK;
}

void *ks_map_find(const struct ks_map *m, struct ks_str key)
{
    struct node *node = node_find(m, key);

    return node ? node->value : NULL;
}

void *ks_map_remove(struct ks_map *m, struct ks_str key)
{
    struct node *node = node_find(m, key);
    void *value;

    if (!node)
        return NULL;
    value = node->value;
    HASH_DEL(m->nodes, node);
    ks_free(node);
    return value;
}

size_t ks_map_count(const struct ks_map *m)
{
    return HASH_COUNT(m->nodes);
}

void ks_map_foreach(struct ks_map *m, void (*fn)(void *ctx, struct ks_str key, void *value),
                    void *ctx)
{
    struct node *node, *next;

    HASH_ITER(hh, m->nodes, node, next)
    {
        fn(ctx, node->key, node->value);
    }
}
