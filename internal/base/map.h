/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map from byte strings to pointers, on uthash with a keyed hash (SipHash-1-3, a random key per
 * process), so that names chosen by others cannot make it slow.
 *
 * Thread: one at a time.  Owns: its nodes only when made by ks_map_put; keys and values stay the
 * caller's. Limits: max_entries, set when it is made; beyond them ks_map_put fails with
 * KS_RC_LIMIT.
 */
#ifndef KS_BASE_MAP_H
#define KS_BASE_MAP_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct ks_map;

KS_MUST_USE struct ks_map *ks_map_new(size_t max_entries);
/* Frees the map, not the values. Returns NULL. NULL is allowed. */
struct ks_map *ks_map_free(struct ks_map *m);
/* The key's bytes are borrowed and must live as long as the entry (usually: inside the value).
 * Replaces. */
KS_MUST_USE ks_rc ks_map_put(struct ks_map *m, struct ks_str key, void *value);
/* NULL when absent. */
void *ks_map_find(const struct ks_map *m, struct ks_str key);
/* Returns the value that was there, or NULL. */
void *ks_map_remove(struct ks_map *m, struct ks_str key);
size_t ks_map_count(const struct ks_map *m);
/* Calls fn for each entry; fn may remove the entry it is called for, and nothing else. */
void ks_map_foreach(struct ks_map *m, void (*fn)(void *ctx, struct ks_str key, void *value),
                    void *ctx);

/* SipHash-1-3 with the process's random key; stable within one process. */
uint64_t ks_hash(const void *data, size_t len);
/* Makes the key, and so the order of what is kept by hash, the same in every run: for a test that
 * is to be replayed, before it keeps anything. */
void ks_hash_seed(uint64_t seed);

#endif
