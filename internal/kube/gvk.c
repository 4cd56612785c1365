/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of collections. A resource lies in one block: the struct, then its strings, each with a NUL
 * behind it, so that one unref gives everything back.
 *
 * Thread: see gvk.h.
 */
#include "kube/gvk.h"

#include <assert.h>

#include "base/alloc.h"

bool ks_api_version_split(struct ks_str api_version, struct ks_str *out_group,
                          struct ks_str *out_version)
{
    ptrdiff_t slash = ks_str_chr(api_version, '/');
    struct ks_str rest;

    if (slash < 0) {
        *out_group = KS_LIT("");
        *out_version = api_version;
        return true;
    }
    rest = ks_str_sub(api_version, (size_t)slash + 1, api_version.len);
    if (ks_str_chr(rest, '/') >= 0)
        return false;
    *out_group = ks_str_sub(api_version, 0, (size_t)slash);
    *out_version = rest;
    return true;
}

/* Copies s to *at, moves *at behind it and returns the copy's view. */
static struct ks_str place(char **at, struct ks_str s)
{
    struct ks_str copy = ks_str_make(*at, s.len);

    if (s.len)
        memcpy(*at, s.ptr, s.len);
    (*at)[s.len] = '\0';
    *at += s.len + 1;
    return copy;
}

struct ks_resource *ks_resource_new(const struct ks_resource *from)
{
    size_t text = from->group.len + from->version.len + from->kind.len + from->plural.len + 4;
    struct ks_resource *r = ks_alloc(sizeof(*r) + text);
    char *at;

    if (!r)
        return NULL;
    *r = *from;
    at = (char *)(r + 1);
    r->group = place(&at, from->group);
    r->version = place(&at, from->version);
    r->kind = place(&at, from->kind);
    r->plural = place(&at, from->plural);
    r->refs = 1;
    return r;
}

struct ks_resource *ks_resource_ref(struct ks_resource *r)
{
    assert(r->refs > 0);
    r->refs++;
    return r;
}

struct ks_resource *ks_resource_unref(struct ks_resource *r)
{
    if (!r)
        return NULL;
    assert(r->refs > 0);
    if (--r->refs == 0)
        ks_free(r);
    return NULL;
}
