/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and queries, built from parts that are encoded one by one: no byte of a name or selector
 * reaches the URL as it is.
 *
 * Combinations that the API server refuses or takes for something else (a limit with a resource
 * version and no match, a match together with a continue token) are the caller's to avoid: see
 * reflector_list.c.
 *
 * Thread: any.
 */
#include "kube/collection_path.h"

#include <stdio.h>

bool ks_path_segment_is_safe(struct ks_str text)
{
    return text.len > 0 && !ks_str_is(text, ".") && !ks_str_is(text, "..") &&
           ks_str_chr(text, '/') < 0 && ks_str_chr(text, '%') < 0 && ks_str_chr(text, '\0') < 0;
}

static ks_rc append_base(struct ks_buf *out, const struct ks_collection *c)
{
    const struct ks_resource *r = c->resource;
    ks_rc rc = ks_buf_append_str(out, r->group.len ? KS_LIT("/apis/") : KS_LIT("/api/"));

    if (!rc && r->group.len)
        rc = ks_buf_append_url(out, r->group);
    if (!rc && r->group.len)
        rc = ks_buf_append_byte(out, '/');
    if (!rc)
        rc = ks_buf_append_url(out, r->version);
    if (!rc && r->is_namespaced && c->ns.len)
        rc = ks_buf_append_str(out, KS_LIT("/namespaces/"));
    if (!rc && r->is_namespaced && c->ns.len)
        rc = ks_buf_append_url(out, c->ns);
    if (!rc)
        rc = ks_buf_append_byte(out, '/');
    return rc ? rc : ks_buf_append_url(out, r->plural);
}

/* Empty values are left out. */
static ks_rc append_param(struct ks_buf *out, const char *name, struct ks_str value)
{
    bool is_first = ks_str_chr(ks_buf_str(out), '?') < 0;
    ks_rc rc;

    if (value.len == 0)
        return KS_RC_OK;
    rc = ks_buf_appendf(out, "%c%s=", is_first ? '?' : '&', name);
    return rc ? rc : ks_buf_append_url(out, value);
}

static ks_rc append_number(struct ks_buf *out, const char *name, unsigned value)
{
    char digits[16];
    int len = snprintf(digits, sizeof(digits), "%u", value);

    return value ? append_param(out, name, ks_str_make(digits, (size_t)len)) : KS_RC_OK;
}

/* In a field selector's value, backslash, comma and equals sign stand for themselves only behind a
 * backslash. */
static ks_rc append_field_value(struct ks_buf *out, struct ks_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        ks_rc rc = KS_RC_OK;

        if (value.ptr[i] == '\\' || value.ptr[i] == ',' || value.ptr[i] == '=')
            rc = ks_buf_append_byte(out, '\\');
        if (!rc)
            rc = ks_buf_append_byte(out, value.ptr[i]);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

static ks_rc append_fields(struct ks_buf *out, const struct ks_collection *c)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf fields = KS_BUF(KS_COLLECTION_PATH_MAX_BYTES);
    ks_rc rc;

    rc = ks_buf_append_str(&fields, c->field_selector);
    if (!rc && c->name.len && fields.len)
        rc = ks_buf_append_byte(&fields, ',');
    if (!rc && c->name.len)
        rc = ks_buf_append_str(&fields, KS_LIT("metadata.name="));
    if (!rc && c->name.len)
        rc = append_field_value(&fields, c->name);
    return rc ? rc : append_param(out, "fieldSelector", ks_buf_str(&fields));
}

static ks_rc append_query(struct ks_buf *out, const struct ks_collection_query *q)
{
    ks_rc rc = append_number(out, "limit", q->limit);

    if (!rc)
        rc = append_param(out, "continue", q->continue_token);
    if (!rc)
        rc = append_param(out, "resourceVersion", q->resource_version);
    if (!rc && q->is_not_older_than)
        rc = append_param(out, "resourceVersionMatch", KS_LIT("NotOlderThan"));
    if (!rc && q->is_watch)
        rc = append_number(out, "watch", 1);
    if (!rc && q->wants_bookmarks)
        rc = append_param(out, "allowWatchBookmarks", KS_LIT("true"));
    if (!rc && q->wants_initial_events)
        rc = append_param(out, "sendInitialEvents", KS_LIT("true"));
    return rc ? rc : append_number(out, "timeoutSeconds", q->timeout_s);
}

ks_rc ks_collection_path(const struct ks_collection *collection,
                         const struct ks_collection_query *query, struct ks_buf *out,
                         struct ks_error *err)
{
    ks_rc rc = append_base(out, collection);

    if (!rc)
        rc = append_param(out, "labelSelector", collection->label_selector);
    if (!rc)
        rc = append_fields(out, collection);
    if (!rc)
        rc = append_query(out, query);
    if (rc)
        return ks_fail(err, rc, "the request for %.*s: %s",
                       KS_STR_ARGS(collection->resource->plural),
                       rc == KS_RC_LIMIT ? "its selectors are too long" : ks_rc_text(rc));
    return KS_RC_OK;
}
