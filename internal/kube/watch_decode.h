/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a watch, decoded.
 *
 * Thread: the loop's.  Owns: nothing; the object is a view into the parser's document.
 */
#ifndef KS_KUBE_WATCH_DECODE_H
#define KS_KUBE_WATCH_DECODE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "kube/client.h"

typedef enum {
    KS_WATCH_ADDED,
    KS_WATCH_MODIFIED,
    KS_WATCH_DELETED,
    KS_WATCH_BOOKMARK,
    KS_WATCH_ERROR,
    KS_WATCH_UNKNOWN, /* a type that does not exist today */
} ks_watch_type;

struct ks_watch_event {
    ks_watch_type type;
    struct ks_json_value object;
};

ks_watch_type ks_watch_type_parse(struct ks_str type);
/* KS_RC_PARSE: no JSON, or not of the form {"type":string,"object":map}; KS_RC_LIMIT: too deep, too
 * many tokens; KS_RC_NOMEM. */
KS_MUST_USE ks_rc ks_watch_decode(struct ks_json *parser, struct ks_str line,
                                  struct ks_watch_event *out, struct ks_error *err);

/* Who an object is; empty where it does not say. */
struct ks_identity {
    struct ks_str ns;
    struct ks_str name;
    struct ks_str uid;
    struct ks_str resource_version;
};
/* False when metadata is no map or one of the four is there and no string. */
bool ks_identity_of(struct ks_json_value object, struct ks_identity *out);

/* Whether a bookmark is the one that ends the initial events. */
bool ks_watch_is_initial_end(struct ks_json_value object);
/* The failure that an ERROR event carries. */
void ks_watch_failure_of(struct ks_json_value status, struct ks_kube_failure *out);

#endif
