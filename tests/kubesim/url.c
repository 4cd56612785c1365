/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percent-decoding into one block of memory that is as long as the input at most.
 *
 * The model: path and query are cut at '/', '&' and '=' before decoding, so an escaped slash stays
 * inside its segment. Each decoded piece gets a NUL, so that it can be used as a C string where the
 * format allows none inside.
 *
 * Thread: any. It knows no path of the API.
 */
#include "url.h"

#include "base/alloc.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into *at, moves it behind the NUL; false for a bad escape or an escaped NUL. */
static bool piece_decode(struct ks_str in, bool plus_is_blank, char **at, struct ks_str *out)
{
    char *start = *at;
    char *w = start;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];

        if (c == '%') {
            int hi = i + 2 < in.len ? hex_digit(in.ptr[i + 1]) : -1;
            int lo = i + 2 < in.len ? hex_digit(in.ptr[i + 2]) : -1;

            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        *w++ = c;
    }
    *w = '\0';
    *out = ks_str_make(start, (size_t)(w - start));
    *at = w + 1;
    return true;
}

static ks_rc segments_parse(struct ks_str path, char **at, struct sim_url *u)
{
    struct ks_str part;

    while (ks_str_split(&path, '/', &part)) {
        if (part.len == 0)
            continue;
        if (u->segments_len == URL_SEGMENTS_MAX)
            return KS_RC_LIMIT;
        if (!piece_decode(part, /* plus_is_blank= */ false, at, &u->segments[u->segments_len++]))
            return KS_RC_PARSE;
    }
    return KS_RC_OK;
}

static ks_rc params_parse(struct ks_str query, char **at, struct sim_url *u)
{
    struct ks_str part;

    while (ks_str_split(&query, '&', &part)) {
        ptrdiff_t eq = ks_str_chr(part, '=');
        size_t key_len = eq < 0 ? part.len : (size_t)eq;
        size_t i = u->params_len;

        if (part.len == 0)
            continue;
        if (i == URL_PARAMS_MAX)
            return KS_RC_LIMIT;
        if (!piece_decode(ks_str_sub(part, 0, key_len), /* plus_is_blank= */ true, at,
                          &u->keys[i]) ||
            !piece_decode(ks_str_sub(part, key_len + (eq < 0 ? 0 : 1), part.len),
                          /* plus_is_blank= */ true, at, &u->values[i]))
            return KS_RC_PARSE;
        u->params_len++;
    }
    return KS_RC_OK;
}

ks_rc sim_url_parse(struct ks_str path, struct ks_str query, struct sim_url *out)
{
    struct sim_url u = {.segments_len = 0};
    char *at;
    ks_rc rc;

    /* One NUL for each piece: there are at most as many as bytes, plus two. */
    u.bytes = ks_alloc_array(2, path.len + query.len + 2);
    if (!u.bytes)
        return KS_RC_NOMEM;
    at = u.bytes;
    rc = segments_parse(path, &at, &u);
    if (!rc)
        rc = params_parse(query, &at, &u);
    if (rc) {
        sim_url_fini(&u);
        return rc;
    }
    *out = u;
    return KS_RC_OK;
}

void sim_url_fini(struct sim_url *u)
{
    ks_free(u->bytes);
    u->bytes = NULL;
}

static ptrdiff_t param_find(const struct sim_url *u, const char *key)
{
    for (size_t i = 0; i < u->params_len; i++) {
        if (ks_str_is(u->keys[i], key))
            return (ptrdiff_t)i;
    }
    return -1;
}

struct ks_str sim_url_param(const struct sim_url *u, const char *key)
{
    ptrdiff_t i = param_find(u, key);

    return i < 0 ? ks_str_from(NULL) : u->values[i];
}

bool sim_url_has(const struct sim_url *u, const char *key)
{
    return param_find(u, key) >= 0;
}

bool sim_url_flag(const struct sim_url *u, const char *key)
{
    ptrdiff_t i = param_find(u, key);
    struct ks_str v;

    if (i < 0)
        return false;
    v = u->values[i];
    return v.len == 0 || !(ks_str_is(v, "0") || ks_str_is(v, "f") || ks_str_is(v, "F") ||
                           ks_str_is(v, "false") || ks_str_is(v, "False") || ks_str_is(v, "FALSE"));
}
