/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed lookups along a path, with the accessor semantics of the reference (shared/spec: kstatus
 * 0.4).
 *
 * A path is member names joined by '.', as "status.observedGeneration"; keys with dots cannot be
 * named. Walking: at null the rest is absent; at a map its member; at anything else a type error.
 *
 * Thread: the document's.
 */
#ifndef KS_JSON_PATH_H
#define KS_JSON_PATH_H

#include "json/json.h"

typedef enum {
    KS_LOOKUP_FOUND,
    KS_LOOKUP_ABSENT,
    KS_LOOKUP_ERROR, /* wrong type at the end or on the way, or null at the end of a strict lookup
                      */
} ks_lookup;

/* The value at the path; it may be null. */
ks_lookup ks_json_walk(struct ks_json_value root, const char *path, struct ks_json_value *out);

ks_lookup ks_json_strict_str(struct ks_json_value root, const char *path, struct ks_str *out);
/* INT only; a DOUBLE is an error. */
ks_lookup ks_json_strict_int(struct ks_json_value root, const char *path, int64_t *out);
ks_lookup ks_json_strict_list(struct ks_json_value root, const char *path,
                              struct ks_json_value *out);
ks_lookup ks_json_strict_map(struct ks_json_value root, const char *path,
                             struct ks_json_value *out);

/* The default for absent, null and wrong types alike. */
struct ks_str ks_json_lenient_str(struct ks_json_value root, const char *path,
                                  const char *fallback);
int64_t ks_json_lenient_int(struct ks_json_value root, const char *path, int64_t fallback);
bool ks_json_lenient_bool(struct ks_json_value root, const char *path, bool fallback);

#endif
