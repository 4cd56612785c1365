/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members are copied as they are written, but for those that are left out.
 *
 * Invariants:
 *   1. of a Secret only what is listed here gets out: a member that nobody knew of stays in;
 *   2. what is too long is left out whole: half an object is none;
 *   3. a session's copies never take more than KS_EXCERPTS_MAX bytes.
 *
 * Thread: the loop's.  It does not: decide who may see an object; the API server has.
 */
#include "watcher/excerpt.h"

#include "base/alloc.h"

typedef bool (*member_filter)(struct ks_str key);

static bool is_for_all(struct ks_str key)
{
    return !ks_str_is(key, "apiVersion") && !ks_str_is(key, "kind") && !ks_str_is(key, "metadata");
}

static bool is_in_secret(struct ks_str key)
{
    return ks_str_is(key, "type");
}

static bool is_in_metadata(struct ks_str key)
{
    return !ks_str_is(key, "managedFields");
}

static bool is_in_secret_metadata(struct ks_str key)
{
    static const char *const known[] = {"name",           "namespace",         "uid",
                                        "generation",     "resourceVersion",   "labels",
                                        "finalizers",     "creationTimestamp", "deletionTimestamp",
                                        "ownerReferences"};

    for (size_t i = 0; i < KS_ARRAY_LEN(known); i++) {
        if (ks_str_is(key, known[i]))
            return true;
    }
    return false;
}

static ks_rc append_member(struct ks_buf *out, struct ks_json_value member, bool *is_first)
{
    ks_rc rc = *is_first ? KS_RC_OK : ks_buf_append_byte(out, ',');

    *is_first = false;
    if (!rc)
        rc = ks_buf_append_json(out, ks_json_key(member));
    if (!rc)
        rc = ks_buf_append_byte(out, ':');
    return rc ? rc : ks_buf_append_str(out, ks_json_raw(member));
}

static ks_rc append_members(struct ks_buf *out, struct ks_json_value map, member_filter is_wanted,
                            bool is_first)
{
    struct ks_json_value member = ks_json_first(map);
    ks_rc rc = KS_RC_OK;

    for (; !rc && !ks_json_is_absent(member); member = ks_json_next(member)) {
        if (is_wanted(ks_json_key(member)))
            rc = append_member(out, member, &is_first);
    }
    return rc;
}

static bool is_secret(const struct ks_resource *r)
{
    return r->group.len == 0 && ks_str_is(r->kind, "Secret");
}

static ks_rc append_head(struct ks_buf *out, const struct ks_resource *r)
{
    ks_rc rc = ks_buf_append_str(out, KS_LIT("{\"apiVersion\":\""));

    if (!rc && r->group.len)
        rc = ks_buf_appendf(out, "%.*s/", KS_STR_ARGS(r->group));
    if (!rc)
        rc = ks_buf_appendf(out, "%.*s\",\"kind\":", KS_STR_ARGS(r->version));
    if (!rc)
        rc = ks_buf_append_json(out, r->kind);
    return rc ? rc : ks_buf_append_str(out, KS_LIT(",\"metadata\":{"));
}

static ks_rc append_object(struct ks_buf *out, struct ks_json_value object,
                           const struct ks_resource *r)
{
    ks_rc rc = append_head(out, r);

    if (!rc)
        rc = append_members(out, ks_json_get(object, "metadata"),
                            is_secret(r) ? is_in_secret_metadata : is_in_metadata,
                            /* is_first= */ true);
    if (!rc)
        rc = ks_buf_append_byte(out, '}');
    if (!rc)
        rc = append_members(out, object, is_secret(r) ? is_in_secret : is_for_all,
                            /* is_first= */ false);
    return rc ? rc : ks_buf_append_byte(out, '}');
}

ks_rc ks_excerpt(struct ks_json_value object, const struct ks_resource *resource,
                 struct ks_buf *out)
{
    ks_rc rc;

    ks_buf_clear(out);
    rc = append_object(out, object, resource);
    if (!rc && object.doc && ks_json_out_of_memory(object.doc))
        rc = KS_RC_NOMEM; /* a key could not be read: it may have been one to leave out */
    if (rc)
        ks_buf_clear(out);
    return rc == KS_RC_LIMIT ? KS_RC_OK : rc;
}

void ks_object_drop_excerpt(struct ks_session *s, struct ks_object *o)
{
    s->excerpt_bytes -= o->excerpt.len;
    ks_free(o->excerpt.ptr);
    o->excerpt = (struct ks_text){.ptr = NULL};
}

bool ks_object_keep_excerpt(struct ks_session *s, struct ks_object *o, struct ks_str excerpt)
{
    ks_object_drop_excerpt(s, o);
    if (excerpt.len == 0 || s->excerpt_bytes + excerpt.len > KS_EXCERPTS_MAX)
        return true;
    if (!ks_text_set(&o->excerpt, excerpt))
        return false;
    s->excerpt_bytes += excerpt.len;
    return true;
}
