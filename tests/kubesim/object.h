/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects between their two forms: a JSON tree that can be changed, and a revision that is stored
 * and sent.
 *
 * Thread: one.  Owns: nothing.  Limits: OBJECT_BODY_MAX_BYTES a body, OBJECT_LABELS_MAX labels.
 */
#ifndef KUBESIM_OBJECT_H
#define KUBESIM_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"
#include "store.h"

struct sim_resource;

/* Strings inside a tree; "" when absent or no string. */
const char *sim_json_text(const json_t *obj, const char *key);
json_t *sim_object_metadata(const json_t *obj); /* NULL when it is no object */
const char *sim_object_name(const json_t *obj);
const char *sim_object_namespace(const json_t *obj);
/* Sets metadata.KEY to a text, making metadata when needed; false when memory is short. */
bool sim_object_set_text(json_t *obj, const char *key, const char *text);
bool sim_object_set_int(json_t *obj, const char *key, int64_t value);
int64_t sim_object_int(const json_t *obj, const char *key);

/* Compact JSON as Go's encoder writes it (<, > and & escaped); keys sorted or in their order. */
enum sim_order { SIM_AS_IS, SIM_SORTED };
KS_MUST_USE ks_rc sim_json_print(const json_t *value, enum sim_order order, struct ks_buf *out);

/* A new tree, with kind and apiVersion as res has them; NULL when memory is short. */
json_t *sim_object_parse(const struct sim_resource *res, const struct sim_rev *rev);
/* The revision of obj (which is changed: rv and order of fields) with that rv. KS_RC_LIMIT,
 * KS_RC_NOMEM. */
KS_MUST_USE ks_rc sim_object_encode(const struct sim_resource *res, json_t *obj, uint64_t rv,
                                    struct sim_rev **out);
/* The same state under another rv; NULL when memory is short. */
struct sim_rev *sim_rev_clone(const struct sim_rev *rev, uint64_t rv);

/* Whether field selectors of the resource may use that field. */
bool sim_field_is_selectable(const struct sim_resource *res, struct ks_str field);
/* The field's value in that state; "" when unset. */
struct ks_str sim_rev_field(const struct sim_rev *rev, struct ks_str field);

#endif
