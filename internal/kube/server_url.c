/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server URLs: cut into scheme, authority and prefix, each checked, then put together again.
 *
 * Invariant: what comes out has no byte that could end a header or a request line, and no user
 * name: credentials come from the user's stanza alone.
 *
 * Thread: any.  It does not resolve names.
 */
#include "kube/server_url.h"

#include <strings.h>

#define MAX_URL 2048

static ks_rc refuse(struct ks_str text, struct ks_error *err, const char *why)
{
    return ks_fail(err, KS_RC_CONFIG, "the server URL \"%.*s\" %s", KS_STR_ARGS(text), why);
}

static bool has_odd_byte(struct ks_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            return true;
    }
    return false;
}

/* Cuts at the first of the bytes; all of it when there is none. */
static struct ks_str before(struct ks_str s, const char *bytes)
{
    size_t n = 0;

    while (n < s.len && !strchr(bytes, s.ptr[n]))
        n++;
    return ks_str_sub(s, 0, n);
}

static bool starts_with_scheme(struct ks_str s, struct ks_str scheme)
{
    return s.len >= scheme.len && strncasecmp(s.ptr, scheme.ptr, scheme.len) == 0;
}

/* host, host:port, [v6], [v6]:port */
static bool is_authority(struct ks_str a)
{
    ptrdiff_t colon;
    struct ks_str host = a;
    int64_t port = 443;

    if (a.len && a.ptr[0] == '[') {
        ptrdiff_t close = ks_str_chr(a, ']');

        if (close < 2)
            return false;
        a = ks_str_sub(a, (size_t)close + 1, a.len);
        if (a.len && a.ptr[0] != ':')
            return false;
        return !a.len ||
               (ks_str_to_int64(ks_str_sub(a, 1, a.len), &port) && port > 0 && port <= 65535);
    }
    colon = ks_str_chr(a, ':');
    if (colon >= 0) {
        host = ks_str_sub(a, 0, (size_t)colon);
        if (!ks_str_to_int64(ks_str_sub(a, (size_t)colon + 1, a.len), &port))
            return false;
    }
    return host.len && port > 0 && port <= 65535;
}

ks_rc ks_server_url_normalize(struct ks_str text, ks_server_url_scheme fallback, char **out,
                              struct ks_error *err)
{
    struct ks_str rest = before(ks_str_trim(text), "?#");
    struct ks_str authority, prefix;
    struct ks_buf url;
    bool is_https = fallback == KS_SERVER_URL_HTTPS;
    ks_rc rc;

    if (!rest.len || rest.len > MAX_URL || has_odd_byte(rest))
        return refuse(text, err, "is empty, too long, or has characters that no URL has");
    if (starts_with_scheme(rest, KS_LIT("https://"))) {
        is_https = true;
        rest = ks_str_sub(rest, 8, rest.len);
    } else if (starts_with_scheme(rest, KS_LIT("http://"))) {
        is_https = false;
        rest = ks_str_sub(rest, 7, rest.len);
    } else if (memmem(rest.ptr, rest.len, "://", 3)) {
        return refuse(text, err, "has a scheme other than https and http");
    }
    authority = before(rest, "/");
    prefix = ks_str_sub(rest, authority.len, rest.len);
    while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    if (ks_str_chr(authority, '@') >= 0)
        return refuse(KS_LIT("..."), err, "has a user name in it: credentials belong to a user");
    if (!is_authority(authority))
        return refuse(text, err, "has no valid host and port");
    ks_buf_init(&url, MAX_URL + 16);
    rc = ks_buf_appendf(&url, "http%s://%.*s%.*s", is_https ? "s" : "", KS_STR_ARGS(authority),
                        KS_STR_ARGS(prefix));
    if (rc) {
        ks_buf_fini(&url);
        return ks_fail(err, rc, "no memory for a server URL");
    }
    *out = ks_buf_take(&url);
    return KS_RC_OK;
}
