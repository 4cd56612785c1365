/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peek: whose object a JSON text is about, read from its metadata without parsing the text.
 *
 * Serves two ends: an object that nobody asked for is put aside before it costs anything, and an
 * object that cannot be parsed (too long, too deep, cut off) can still be named. It proves nothing:
 * a text that peeks well may be no JSON. Strings with escapes are not reported.
 *
 * Thread: any.  Owns: nothing; results are views into the text.
 */
#ifndef KS_KUBE_PEEK_H
#define KS_KUBE_PEEK_H

#include <stdbool.h>

#include "base/base.h"
#include "base/str.h"

struct ks_peek {
    struct ks_str type; /* of a watch event; empty when it stands behind the object */
    struct ks_str kind; /* empty when it stands behind the metadata */
    struct ks_str ns;
    struct ks_str name;
    struct ks_str resource_version;
    bool is_complete; /* the metadata was seen whole, with a name: its fields can be relied on */
};

/* An object, or as much of its beginning as there is. */
void ks_peek_object(struct ks_str text, struct ks_peek *out);
/* A line of a watch: {"type":...,"object":{...}}, or as much of its beginning as there is. */
void ks_peek_event(struct ks_str line, struct ks_peek *out);

#endif
