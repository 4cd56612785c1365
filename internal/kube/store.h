/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/kube: the records of one informer, by namespace and name.
 *
 * Thread: the loop's.  Owns: the records; one allocation each, and a second one only for a resource
 * version that outgrows its place.  Limits: max_records.
 */
#ifndef KS_KUBE_STORE_H
#define KS_KUBE_STORE_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "kube/informer.h"

struct ks_store {
    /* private */
    struct ks_store_node **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    size_t max_records;
};

void ks_store_init(struct ks_store *s, size_t max_records);
/* Frees all records. */
void ks_store_fini(struct ks_store *s);

size_t ks_store_count(const struct ks_store *s);
/* NULL when absent. */
struct ks_record *ks_store_find(const struct ks_store *s, struct ks_str ns, struct ks_str name);
/* There must be none of that name. KS_RC_LIMIT when max_records are there, KS_RC_NOMEM. */
KS_MUST_USE ks_rc ks_store_add(struct ks_store *s, struct ks_str ns, struct ks_str name,
                               struct ks_str uid, struct ks_record **out);
KS_MUST_USE ks_rc ks_store_set_rv(struct ks_record *record, struct ks_str resource_version);

/* The sync that last confirmed the record. */
uint32_t ks_store_generation(struct ks_record *record);
void ks_store_set_generation(struct ks_record *record, uint32_t generation);

/* Takes the record out; ks_store_release frees it. */
void ks_store_remove(struct ks_store *s, struct ks_record *record);
void ks_store_release(struct ks_record *record);

/*
 * Walks all records: begin with a zero cursor; NULL at the end. The record just returned may be
 * removed between two calls; nothing may be added and nothing else removed.
 */
struct ks_store_cursor {
    /* private */
    size_t bucket;
    struct ks_store_node *next;
};
struct ks_record *ks_store_next(const struct ks_store *s, struct ks_store_cursor *cursor);

#endif
