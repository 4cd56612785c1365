/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a file of tests/conformance: one vector a line, in the form that its README describes.
 *
 * Thread: one at a time.  Owns: nothing beyond the call.
 */
#ifndef KS_SUPPORT_VECTORS_H
#define KS_SUPPORT_VECTORS_H

#include "json/json.h"

struct ks_vector {
    struct ks_str name;
    struct ks_str object; /* its JSON, byte for byte; a family's: the list of them */
    int64_t now_ms;
    struct ks_json_value root; /* the whole line, for what else it says */
};

/* json is a parser for the object, to be used again and again. */
typedef void (*ks_vector_fn)(const struct ks_vector *v, struct ks_json *json);

/* Calls run for each vector of the file; fails the test when there are fewer than least: the file
 * has been cut. */
void ks_vectors_run(const char *path, size_t least, ks_vector_fn run);

/* 0 when there is no such member; fails the test when it is no time. */
int64_t ks_vector_time(struct ks_json_value root, const char *path);

/* Fails the test unless the vector's member `profile` states this status and reason. */
void ks_vector_expect(const struct ks_vector *v, const char *profile, const char *status,
                      struct ks_str reason);

#endif
