/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: what is in a struct ks_limits lies within the table's bounds.
 *
 * Thread: any.  Does not: enforce anything.
 */
#include "server/limits.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct row {
    const char *name;
    int64_t least;
    int64_t most;
    const char *what;
};

static const struct row rows[KS_LIMIT_COUNT] = {
#define X(id, name, normal, least, most, what) [KS_LIMIT_##id] = {name, least, most, what},
    KS_LIMIT_TABLE(X)
#undef X
};

const struct ks_limits ks_limits_default = {.values = {
#define X(id, name, normal, least, most, what) [KS_LIMIT_##id] = (normal),
                                                KS_LIMIT_TABLE(X)
#undef X
                                            }};

#define X(id, name, normal, least, most, what) name " "
static const char all_names[] = KS_LIMIT_TABLE(X);
#undef X

const char *ks_limit_name(ks_limit limit)
{
    return rows[limit].name;
}

ks_rc ks_limits_parse(struct ks_limits *limits, const char *text, struct ks_error *err)
{
    const char *equals = strchr(text, '=');
    struct ks_str name = ks_str_make(text, equals ? (size_t)(equals - text) : strlen(text));
    size_t i = 0;
    int64_t n;

    while (i < KS_LIMIT_COUNT && !ks_str_is(name, rows[i].name))
        i++;
    if (!equals || i == KS_LIMIT_COUNT)
        return ks_fail(err, KS_RC_INVALID, "\"%s\" is not NAME=N with a NAME out of: %.*s", text,
                       (int)sizeof(all_names) - 2, all_names);
    if (!ks_str_to_int64(ks_str_from(equals + 1), &n) || n < rows[i].least || n > rows[i].most)
        return ks_fail(err, KS_RC_INVALID, "%s (%s) is a number from %lld to %lld", rows[i].name,
                       rows[i].what, (long long)rows[i].least, (long long)rows[i].most);
    limits->values[i] = n;
    return KS_RC_OK;
}
