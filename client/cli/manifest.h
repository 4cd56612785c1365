/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects in a file: YAML (many documents), JSON documents one after the other in any layout
 * (one a line, say), lists (flattened).
 *
 * What it is shows in its first byte. JSON, and a list in it whatever its layout, may be of any
 * size: one document, or one item of a large list, is held at a time.
 *
 * Thread: one at a time; blocks on the file.  Owns: nothing after a call.  Limits: 16 MiB an
 * object, 16 MiB a YAML file.
 */
#ifndef KS_CLIENT_CLI_MANIFEST_H
#define KS_CLIENT_CLI_MANIFEST_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"

struct ks_manifest_place {
    const char *path; /* "standard input" for "-" */
    size_t number;    /* of the object, 1 = first */
    size_t line;      /* where its document starts, 1 = first; 0: not known */
    /* What the object is; the API server leaves it out of a list's items: then as the list says.
     * Empty when neither says it in a string. Lent like the object. */
    struct ks_str kind;
    struct ks_str api_version;
};

struct ks_manifest_ops {
    /* object is lent for the call. A result other than OK ends the run and is returned. */
    ks_rc (*on_object)(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err);
    /* Something that should have been an object cannot be read, and what follows it can. NULL: that
     * ends the run. */
    ks_rc (*on_bad)(void *ctx, const struct ks_manifest_place *place, const struct ks_error *why);
};

/* path "-" is standard input. Errors name the file. */
KS_MUST_USE ks_rc ks_manifest_read(const char *path, const struct ks_manifest_ops *ops, void *ctx,
                                   struct ks_error *err);
/* The same from an open file, which stays open; for tests and pipes. */
KS_MUST_USE ks_rc ks_manifest_read_fd(int fd, const char *path, const struct ks_manifest_ops *ops,
                                      void *ctx, struct ks_error *err);

#endif
