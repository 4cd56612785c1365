/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/yaml: what a YAML scalar means, as JSON text.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_YAML_SCALAR_H
#define KS_YAML_SCALAR_H

#include "base/str.h"

typedef enum {
    KS_YAML_TAG_NONE, /* plain and untagged: the text decides */
    KS_YAML_TAG_STR,  /* quoted, !!str, and every tag that is not ours */
    KS_YAML_TAG_BOOL,
    KS_YAML_TAG_INT,
    KS_YAML_TAG_FLOAT,
    KS_YAML_TAG_NULL,
    KS_YAML_TAG_BINARY,
} ks_yaml_tag;

/* From a tag's URI; NULL gives NONE. */
ks_yaml_tag ks_yaml_tag_parse(const char *uri);
/* Appends the scalar as JSON. KS_RC_PARSE when the text does not fit the tag, or for .inf and .nan.
 */
KS_MUST_USE ks_rc ks_yaml_scalar_append(struct ks_buf *out, struct ks_str text, ks_yaml_tag tag,
                                        struct ks_error *err);

#endif
