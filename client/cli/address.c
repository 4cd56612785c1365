/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address by its form: the scheme decides what must follow.
 *
 * Thread: any. Does not resolve names.
 */
#include "client/cli/address.h"

#include "base/str.h"

#define PORT_MAX 65535
/* sun_path holds so many bytes with its NUL. */
#define SOCKET_PATH_MAX 107

static const char form[] = "write HOST:PORT, [IPV6]:PORT or unix:PATH";

static ks_rc check_port(const char *text, struct ks_str port, struct ks_error *err)
{
    int64_t number = 0;
    bool is_number = port.len > 0 && port.len <= 5;

    for (size_t i = 0; i < port.len; i++)
        is_number = is_number && port.ptr[i] >= '0' && port.ptr[i] <= '9';
    if (is_number && ks_str_to_int64(port, &number) && number >= 1 && number <= PORT_MAX)
        return KS_RC_OK;
    return ks_fail(err, KS_RC_INVALID, "'%s' has no port from 1 to %d at its end; %s", text,
                   PORT_MAX, form);
}

static ks_rc check_host_port(const char *text, struct ks_str rest, struct ks_error *err)
{
    ptrdiff_t end = ks_str_chr(rest, ':');
    struct ks_str host;

    if (ks_str_chr(rest, '/') >= 0 || ks_str_chr(rest, ' ') >= 0)
        return ks_fail(err, KS_RC_INVALID, "'%s' is no address; %s", text, form);
    if (ks_str_starts(rest, KS_LIT("["))) {
        end = ks_str_chr(rest, ']') + 1;
        if (end < 4)
            return ks_fail(err, KS_RC_INVALID, "'%s' is no address; %s", text, form);
    }
    if (end >= 0 && rest.ptr[0] != '[' &&
        ks_str_chr(ks_str_sub(rest, (size_t)end + 1, rest.len), ':') >= 0)
        return ks_fail(err, KS_RC_INVALID,
                       "'%s' has too many colons: an IPv6 address stands in brackets, as in "
                       "[::1]:7443",
                       text);
    host = ks_str_sub(rest, 0, end < 0 ? rest.len : (size_t)end);
    if (host.len == 0)
        return ks_fail(err, KS_RC_INVALID, "'%s' is no address; %s", text, form);
    rest = ks_str_sub(rest, host.len, rest.len);
    if (rest.len > 0 && rest.ptr[0] != ':')
        return ks_fail(err, KS_RC_INVALID, "'%s' is no address; %s", text, form);
    return check_port(text, ks_str_sub(rest, 1, rest.len), err);
}

static ks_rc check_path(const char *text, struct ks_str path, struct ks_error *err)
{
    if (ks_str_starts(path, KS_LIT("//")))
        path = ks_str_sub(path, 2, path.len);
    if (path.len == 0)
        return ks_fail(err, KS_RC_INVALID, "'%s' has no path; write unix:/run/kstatusd.sock", text);
    if (path.len > SOCKET_PATH_MAX)
        return ks_fail(err, KS_RC_INVALID, "the path of the socket is longer than %d bytes",
                       SOCKET_PATH_MAX);
    return KS_RC_OK;
}

/* Several servers: gRPC takes the first that answers. */
static ks_rc check_list(const char *text, struct ks_str rest, struct ks_error *err)
{
    struct ks_str part;
    ks_rc rc = rest.len > 0 ? KS_RC_OK : check_host_port(text, rest, err);

    while (!rc && ks_str_split(&rest, ',', &part))
        rc = check_host_port(text, part, err);
    return rc;
}

ks_rc ks_address_check(const char *text, struct ks_error *err)
{
    struct ks_str all = ks_str_from(text);

    if (all.len == 0)
        return ks_fail(err, KS_RC_INVALID, "the server's address is empty; %s", form);
    if (ks_str_starts(all, KS_LIT("unix:")))
        return check_path(text, ks_str_sub(all, 5, all.len), err);
    if (ks_str_starts(all, KS_LIT("dns:"))) {
        all = ks_str_sub(all, 4, all.len);
        for (ptrdiff_t slash; (slash = ks_str_chr(all, '/')) >= 0;)
            all = ks_str_sub(all, (size_t)slash + 1, all.len);
        return check_host_port(text, all, err);
    }
    if (ks_str_starts(all, KS_LIT("ipv4:")) || ks_str_starts(all, KS_LIT("ipv6:")))
        return check_list(text, ks_str_sub(all, 5, all.len), err);
    return check_host_port(text, all, err);
}
