/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: a chained hash table whose nodes are the records themselves.
 *
 * base/map.h would cost a node of about 90 bytes a record on top; this table is the one place in
 * the tree where there are a hundred thousand of something, so it has its own. A node and its
 * strings are one allocation:
 *
 *     | next | hash | generation | record | ns | name | uid | resource version, RV_ROOM bytes |
 *
 * Invariants:
 *   1. A node is in the bucket of its hash; (ns, name) occurs once.
 *   2. A record's address does not change from ks_store_add to ks_store_release.
 *   3. buckets is NULL as long as nothing was stored.
 *   4. The resource version lies behind the uid, or in an allocation of its own when it was longer
 *      than RV_ROOM; it never moves back.
 *
 * Names come from whoever may write to the cluster, so the hash is keyed (base/map.h).
 *
 * Thread: the loop's.  It does not: shrink, or order the records.
 */
#include "kube/store.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/map.h"

#define FIRST_BUCKETS 8
/* etcd revisions have up to 19 digits; most clusters never pass 12. */
#define RV_ROOM 20

struct ks_store_node {
    struct ks_store_node *next;
    uint32_t hash;
    uint32_t generation;
    char *long_rv;
    struct ks_record record;
    char bytes[];
};

static struct ks_store_node *node_of(struct ks_record *record)
{
    return KS_CONTAINER_OF(record, struct ks_store_node, record);
}

/* The two parts are hashed apart: ("a", "b/c") and ("a/b", "c") are different keys. */
static uint32_t key_hash(struct ks_str ns, struct ks_str name)
{
    return (uint32_t)(ks_hash(ns.ptr, ns.len) * 31 + ks_hash(name.ptr, name.len));
}

void ks_store_init(struct ks_store *s, size_t max_records)
{
    *s = (struct ks_store){.max_records = max_records};
}

void ks_store_fini(struct ks_store *s)
{
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;

    while ((record = ks_store_next(s, &cursor)))
        ks_store_release(record);
    ks_free(s->buckets);
    ks_store_init(s, s->max_records);
}

size_t ks_store_count(const struct ks_store *s)
{
    return s->count;
}

static struct ks_store_node **bucket_of(const struct ks_store *s, uint32_t hash)
{
    return &s->buckets[hash & (s->bucket_count - 1)];
}

struct ks_record *ks_store_find(const struct ks_store *s, struct ks_str ns, struct ks_str name)
{
    uint32_t hash;

    if (s->count == 0)
        return NULL;
    hash = key_hash(ns, name);
    for (struct ks_store_node *node = *bucket_of(s, hash); node; node = node->next) {
        if (node->hash == hash && ks_str_eq(node->record.name, name) &&
            ks_str_eq(node->record.ns, ns))
            return &node->record;
    }
    return NULL;
}

static void link_node(struct ks_store *s, struct ks_store_node *node)
{
    struct ks_store_node **bucket = bucket_of(s, node->hash);

    node->next = *bucket;
    *bucket = node;
}

/* Doubles the table when it is full: on average a chain has one record at most. */
static ks_rc reserve_bucket(struct ks_store *s)
{
    struct ks_store old = *s;
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;

    if (s->count < s->bucket_count)
        return KS_RC_OK;
    s->bucket_count = old.bucket_count ? old.bucket_count * 2 : FIRST_BUCKETS;
    s->buckets = ks_alloc_array(s->bucket_count, sizeof(struct ks_store_node *));
    if (!s->buckets) {
        *s = old;
        return KS_RC_NOMEM;
    }
    while ((record = ks_store_next(&old, &cursor)))
        link_node(s, node_of(record));
    ks_free(old.buckets);
    return KS_RC_OK;
}

static struct ks_str keep(char **at, struct ks_str s)
{
    struct ks_str kept = ks_str_make(*at, s.len);

    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

ks_rc ks_store_add(struct ks_store *s, struct ks_str ns, struct ks_str name, struct ks_str uid,
                   struct ks_record **out)
{
    struct ks_store_node *node;
    char *at;
    ks_rc rc;

    if (s->count >= s->max_records)
        return KS_RC_LIMIT;
    rc = reserve_bucket(s);
    if (rc)
        return rc;
    node = ks_alloc(sizeof(*node) + ns.len + name.len + uid.len + RV_ROOM);
    if (!node)
        return KS_RC_NOMEM;
    *node = (struct ks_store_node){.hash = key_hash(ns, name)};
    at = node->bytes;
    node->record.ns = keep(&at, ns);
    node->record.name = keep(&at, name);
    node->record.uid = keep(&at, uid);
    node->record.resource_version = ks_str_make(at, 0);
    link_node(s, node);
    s->count++;
    *out = &node->record;
    return KS_RC_OK;
}

ks_rc ks_store_set_rv(struct ks_record *record, struct ks_str resource_version)
{
    struct ks_store_node *node = node_of(record);
    char *place = node->bytes + record->ns.len + record->name.len + record->uid.len;

    if (node->long_rv || resource_version.len > RV_ROOM) {
        place = ks_realloc(node->long_rv, resource_version.len + 1);
        if (!place)
            return KS_RC_NOMEM;
        node->long_rv = place;
    }
    if (resource_version.len > 0)
        memcpy(place, resource_version.ptr, resource_version.len);
    record->resource_version = ks_str_make(place, resource_version.len);
    return KS_RC_OK;
}

uint32_t ks_store_generation(struct ks_record *record)
{
    return node_of(record)->generation;
}

void ks_store_set_generation(struct ks_record *record, uint32_t generation)
{
    node_of(record)->generation = generation;
}

void ks_store_remove(struct ks_store *s, struct ks_record *record)
{
    struct ks_store_node *node = node_of(record);
    struct ks_store_node **at = bucket_of(s, node->hash);

    while (*at != node) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    s->count--;
}

void ks_store_release(struct ks_record *record)
{
    struct ks_store_node *node = node_of(record);

    ks_free(node->long_rv);
    ks_free(node);
}

struct ks_record *ks_store_next(const struct ks_store *s, struct ks_store_cursor *cursor)
{
    struct ks_store_node *node = cursor->next;

    while (!node && cursor->bucket < s->bucket_count)
        node = s->buckets[cursor->bucket++];
    if (!node)
        return NULL;
    cursor->next = node->next;
    return &node->record;
}
