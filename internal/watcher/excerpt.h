/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An excerpt: what of an object's JSON may be handed to a client, and the copies of it that a
 * session keeps when its client asked for objects. Private to the watcher.
 *
 * Thread: the loop's.  Owns: the copies, with their objects.  Limits: KS_EXCERPT_MAX bytes an
 * object, KS_EXCERPTS_MAX a session; what is beyond is not handed out.
 */
#ifndef KS_WATCHER_EXCERPT_H
#define KS_WATCHER_EXCERPT_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "kube/mapper.h"

#include "watcher/session_internal.h"

#define KS_EXCERPT_MAX ((size_t)256 << 10)
#define KS_EXCERPTS_MAX ((size_t)64 << 20)

/*
 * The object without metadata.managedFields, with the apiVersion and kind of the collection (a
 * list's items have none). Of a Secret only metadata without annotations, and type: kubectl writes
 * a Secret's data into an annotation, too. Empty when it is longer than the buffer may be.
 * KS_RC_NOMEM.
 */
KS_MUST_USE ks_rc ks_excerpt(struct ks_json_value object, const struct ks_resource *resource,
                             struct ks_buf *out);

/* The newest excerpt of an object; empty: none. False: out of memory. */
KS_MUST_USE bool ks_object_keep_excerpt(struct ks_session *s, struct ks_object *o,
                                        struct ks_str excerpt);
void ks_object_drop_excerpt(struct ks_session *s, struct ks_object *o);

#endif
