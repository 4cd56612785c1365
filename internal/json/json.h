/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-only view of one JSON text: bounded and validated (RFC 8259, with the leniencies that Go's
 * encoding/json has and the API server's clients rely on), then tokenized by jsmn, then walked by
 * value handles. The top-level value must be a map or a list.
 *
 * Thread: one at a time.  Owns: tokens and decoded strings; borrows the text, which must stay until
 * the next parse or free.  Limits: struct ks_json_limits.
 *
 * Guarantees: no recursion; time linear in the text's size for every input within the limits; no
 * handle reads outside the document; after a failed parse every lookup answers ABSENT.
 *
 * Values (shared/spec: kstatus 0.3): an integer token that fits int64 is INT ("-0" too), any other
 * number DOUBLE; a number beyond double's range (1e999) fails the document; of duplicate keys the
 * last one wins whole; keys are compared after unescaping; \u0000 is an ordinary character; a lone
 * surrogate and bytes that are no UTF-8 read as U+FFFD.
 */
#ifndef KS_JSON_JSON_H
#define KS_JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct ks_json;

struct ks_json_limits {
    size_t max_bytes;
    size_t max_tokens;
    unsigned max_depth;
};
/* One Kubernetes object: 16 MiB, 256 Ki tokens, 512 levels (shared/spec: informers C). */
extern const struct ks_json_limits ks_json_limits_object;

typedef enum {
    KS_JSON_ABSENT,
    KS_JSON_NULL,
    KS_JSON_BOOL,
    KS_JSON_INT,
    KS_JSON_DOUBLE,
    KS_JSON_STRING,
    KS_JSON_LIST,
    KS_JSON_MAP,
} ks_json_type;

/* A handle, passed by value; valid until the document is parsed again or freed. The zero value is
 * ABSENT. */
struct ks_json_value {
    struct ks_json *doc;
    uint32_t at; /* private */
};

/* A parser that is used again and again; its buffers grow and stay. */
KS_MUST_USE ks_rc ks_json_new(const struct ks_json_limits *limits, struct ks_json **out,
                              struct ks_error *err);
struct ks_json *ks_json_free(struct ks_json *json);
/* KS_RC_PARSE (says what and at which byte), KS_RC_LIMIT (depth, tokens, bytes), KS_RC_NOMEM. */
KS_MUST_USE ks_rc ks_json_parse(struct ks_json *json, struct ks_str text, struct ks_error *err);
/* Drops the document and gives back buffers above what a usual object needs. */
void ks_json_trim(struct ks_json *json);
/* The top-level value; ABSENT when the last parse failed. */
struct ks_json_value ks_json_root(struct ks_json *json);

ks_json_type ks_json_type_of(struct ks_json_value v);
bool ks_json_is_absent(struct ks_json_value v);
/* Member of a map; ABSENT when v is no map or has no such member. The key is compared after
 * unescaping. */
struct ks_json_value ks_json_get_str(struct ks_json_value v, struct ks_str key);
static inline struct ks_json_value ks_json_get(struct ks_json_value v, const char *key)
{
    return ks_json_get_str(v, ks_str_from(key));
}
/* Number of elements or of members as written; 0 for anything else. */
size_t ks_json_count(struct ks_json_value v);
/* First element of a list or first member's value of a map, then its right sibling; ABSENT at the
 * end. */
struct ks_json_value ks_json_first(struct ks_json_value v);
struct ks_json_value ks_json_next(struct ks_json_value element);
/* The decoded key of a map member's value as ks_json_first/next give it. */
struct ks_str ks_json_key(struct ks_json_value member);

/* Decoded string; false when v is no string. The bytes live as long as the document. May contain
 * NUL. Out of memory counts as false and is remembered: see ks_json_out_of_memory. */
bool ks_json_to_str(struct ks_json_value v, struct ks_str *out);
bool ks_json_to_int(struct ks_json_value v, int64_t *out);
bool ks_json_to_bool(struct ks_json_value v, bool *out);
/* Whether decoding ran out of memory since the last parse: the caller then drops what it computed.
 */
bool ks_json_out_of_memory(const struct ks_json *json);
/* The value's own bytes in the text, quotes and brackets included. */
struct ks_str ks_json_raw(struct ks_json_value v);

#endif
