/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path lookups: one walk, and thin typed ends on it.
 *
 * The strict accessors tell a wrong type from an absent value, the lenient ones answer a default
 * for both. Which rule uses which is part of the reference's behaviour (shared/spec: kstatus 0.4),
 * so neither is a special case here.
 *
 * Thread: the document's.  It does not: copy, or reach keys that contain a dot.
 */
#include "json/path.h"

#include "base/str.h"

static struct ks_str name_at(const char *path)
{
    size_t len = 0;

    while (path[len] != '\0' && path[len] != '.')
        len++;
    return ks_str_make(path, len);
}

ks_lookup ks_json_walk(struct ks_json_value root, const char *path, struct ks_json_value *out)
{
    struct ks_json_value at = root;
    struct ks_str name;

    for (;; path = name.ptr + name.len + 1) {
        name = name_at(path);
        switch (ks_json_type_of(at)) {
        case KS_JSON_ABSENT:
        case KS_JSON_NULL:
            return KS_LOOKUP_ABSENT;
        case KS_JSON_MAP:
            at = ks_json_get_str(at, name);
            break;
        case KS_JSON_BOOL:
        case KS_JSON_INT:
        case KS_JSON_DOUBLE:
        case KS_JSON_STRING:
        case KS_JSON_LIST:
            return KS_LOOKUP_ERROR;
        }
        if (name.ptr[name.len] == '\0')
            break;
    }
    if (ks_json_is_absent(at))
        return KS_LOOKUP_ABSENT;
    *out = at;
    return KS_LOOKUP_FOUND;
}

ks_lookup ks_json_strict_str(struct ks_json_value root, const char *path, struct ks_str *out)
{
    struct ks_json_value v;
    ks_lookup found = ks_json_walk(root, path, &v);

    if (found != KS_LOOKUP_FOUND)
        return found;
    return ks_json_to_str(v, out) ? KS_LOOKUP_FOUND : KS_LOOKUP_ERROR;
}

ks_lookup ks_json_strict_int(struct ks_json_value root, const char *path, int64_t *out)
{
    struct ks_json_value v;
    ks_lookup found = ks_json_walk(root, path, &v);

    if (found != KS_LOOKUP_FOUND)
        return found;
    return ks_json_to_int(v, out) ? KS_LOOKUP_FOUND : KS_LOOKUP_ERROR;
}

static ks_lookup strict_type(struct ks_json_value root, const char *path, ks_json_type type,
                             struct ks_json_value *out)
{
    struct ks_json_value v;
    ks_lookup found = ks_json_walk(root, path, &v);

    if (found != KS_LOOKUP_FOUND)
        return found;
    if (ks_json_type_of(v) != type)
        return KS_LOOKUP_ERROR;
    *out = v;
    return KS_LOOKUP_FOUND;
}

ks_lookup ks_json_strict_list(struct ks_json_value root, const char *path,
                              struct ks_json_value *out)
{
    return strict_type(root, path, KS_JSON_LIST, out);
}

ks_lookup ks_json_strict_map(struct ks_json_value root, const char *path, struct ks_json_value *out)
{
    return strict_type(root, path, KS_JSON_MAP, out);
}

struct ks_str ks_json_lenient_str(struct ks_json_value root, const char *path, const char *fallback)
{
    struct ks_str text;

    if (ks_json_strict_str(root, path, &text) == KS_LOOKUP_FOUND)
        return text;
    return ks_str_from(fallback);
}

int64_t ks_json_lenient_int(struct ks_json_value root, const char *path, int64_t fallback)
{
    int64_t number;

    return ks_json_strict_int(root, path, &number) == KS_LOOKUP_FOUND ? number : fallback;
}

bool ks_json_lenient_bool(struct ks_json_value root, const char *path, bool fallback)
{
    struct ks_json_value v;
    bool truth;

    if (ks_json_walk(root, path, &v) == KS_LOOKUP_FOUND && ks_json_to_bool(v, &truth))
        return truth;
    return fallback;
}
