/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses to listen on. Names are not resolved here but for binding; "localhost" counts as this
 * machine because RFC 6761 says so.
 *
 * Invariants:
 *   1. what is_local says is decided from the text alone, never from a resolver of others;
 *   2. a Unix socket is taken over only when nobody answers on it.
 *
 * Thread: any.  Does not: accept.
 */
#include "server/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define BACKLOG 128

static ks_rc parse_unix(const char *text, const char *path, struct ks_address *out,
                        struct ks_error *err)
{
    size_t len = strlen(path);

    if (len == 0)
        return ks_fail(err, KS_RC_INVALID, "address \"%s\": the path after unix: is missing", text);
    if (len >= sizeof(out->path))
        return ks_fail(err, KS_RC_INVALID,
                       "address \"%s\": the path is longer than the %zu bytes a socket may have",
                       text, sizeof(out->path) - 1);
    out->kind = KS_ADDRESS_UNIX;
    memcpy(out->path, path, len + 1);
    return KS_RC_OK;
}

static bool host_is_plain(struct ks_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (c <= ' ' || c >= 0x7f || strchr("/,@[]\"\\", c))
            return false;
    }
    return host.len > 0;
}

/* Cuts the brackets off an IPv6 host; false when they do not match what is inside. */
static bool host_unwrap(struct ks_str *host)
{
    bool has_colon = ks_str_chr(*host, ':') >= 0;

    if (host->len >= 2 && host->ptr[0] == '[' && host->ptr[host->len - 1] == ']') {
        *host = ks_str_sub(*host, 1, host->len - 2);
        return ks_str_chr(*host, ':') >= 0;
    }
    return !has_colon;
}

ks_rc ks_address_parse(const char *text, struct ks_address *out, struct ks_error *err)
{
    struct ks_address address = {.kind = KS_ADDRESS_TCP};
    const char *colon = strrchr(text, ':');
    struct ks_str host;
    int64_t port;
    ks_rc rc;

    if (strncmp(text, "unix:", 5) == 0) {
        rc = parse_unix(text, text + 5, &address, err);
        if (rc == KS_RC_OK)
            *out = address;
        return rc;
    }
    if (!colon)
        return ks_fail(err, KS_RC_INVALID,
                       "address \"%s\" has no port: HOST:PORT or unix:PATH is wanted", text);
    host = ks_str_make(text, (size_t)(colon - text));
    if (!host_unwrap(&host) || !host_is_plain(host) || host.len >= sizeof(address.host))
        return ks_fail(err, KS_RC_INVALID,
                       "address \"%s\" has no usable host: HOST:PORT, [IPV6]:PORT or unix:PATH is "
                       "wanted",
                       text);
    if (!ks_str_to_int64(ks_str_from(colon + 1), &port) || port < 0 || port > 65535)
        return ks_fail(err, KS_RC_INVALID,
                       "address \"%s\": the port is not a number from 0 to 65535", text);
    memcpy(address.host, host.ptr, host.len);
    address.port = (uint16_t)port;
    *out = address;
    return KS_RC_OK;
}

bool ks_address_is_local(const struct ks_address *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (address->kind == KS_ADDRESS_UNIX || strcasecmp(address->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

char *ks_address_format(const struct ks_address *address, uint16_t port,
                        char out[KS_ADDRESS_TEXT_MAX])
{
    if (address->kind == KS_ADDRESS_UNIX)
        snprintf(out, KS_ADDRESS_TEXT_MAX, "unix:%s", address->path);
    else if (strchr(address->host, ':'))
        snprintf(out, KS_ADDRESS_TEXT_MAX, "[%s]:%u", address->host, port);
    else
        snprintf(out, KS_ADDRESS_TEXT_MAX, "%s:%u", address->host, port);
    return out;
}

/* Removes a socket file that nobody listens on, as a crash leaves it. */
static ks_rc unix_take_over(const struct sockaddr_un *un, struct ks_error *err)
{
    struct stat st;
    int fd;
    int rc;

    if (lstat(un->sun_path, &st) != 0)
        return KS_RC_OK;
    if (!S_ISSOCK(st.st_mode))
        return ks_fail(err, KS_RC_IO,
                       "%s exists and is no socket; remove it or choose another path",
                       un->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "socket for %s", un->sun_path);
    rc = connect(fd, (const struct sockaddr *)un, sizeof(*un));
    close(fd);
    if (rc == 0)
        return ks_fail(err, KS_RC_IO, "another process listens on %s", un->sun_path);
    if (unlink(un->sun_path) != 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "removing the stale socket %s", un->sun_path);
    return KS_RC_OK;
}

static ks_rc fd_listen(int fd, const struct sockaddr *addr, socklen_t len, const char *text,
                       struct ks_error *err)
{
    int on = 1;

    if (addr->sa_family != AF_UNIX &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "cannot listen on %s", text);
    if (bind(fd, addr, len) != 0 || listen(fd, BACKLOG) != 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "cannot listen on %s", text);
    return KS_RC_OK;
}

static ks_rc listen_on(const struct sockaddr *addr, socklen_t len, const char *text, int *out_fd,
                       struct ks_error *err)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ks_rc rc;

    if (fd < 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "socket for %s", text);
    rc = fd_listen(fd, addr, len, text, err);
    if (rc) {
        close(fd);
        return rc;
    }
    *out_fd = fd;
    return KS_RC_OK;
}

static ks_rc listen_unix(const struct ks_address *address, const char *text, int *out_fd,
                         struct ks_error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    mode_t before;
    ks_rc rc;

    memcpy(un.sun_path, address->path, sizeof(un.sun_path));
    rc = unix_take_over(&un, err);
    if (rc)
        return rc;
    before = umask(0117);
    rc = listen_on((const struct sockaddr *)&un, sizeof(un), text, out_fd, err);
    umask(before);
    return rc;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    if (addr.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&addr)->sin_port);
    return addr.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&addr)->sin6_port) : 0;
}

/* To be freed with freeaddrinfo. */
static ks_rc address_resolve(const struct ks_address *address, const char *text,
                             struct addrinfo **out, struct ks_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char port[8];
    int failed;

    snprintf(port, sizeof(port), "%u", address->port);
    failed = getaddrinfo(address->host, port, &hints, out);
    return failed ? ks_fail(err, KS_RC_INVALID, "address %s: %s", text, gai_strerror(failed))
                  : KS_RC_OK;
}

ks_rc ks_address_listen(const struct ks_address *address, int *out_fd, uint16_t *out_port,
                        struct ks_error *err)
{
    struct addrinfo *found = NULL;
    char text[KS_ADDRESS_TEXT_MAX];
    int fd = -1;
    ks_rc rc;

    ks_address_format(address, address->port, text);
    if (address->kind == KS_ADDRESS_UNIX) {
        rc = listen_unix(address, text, &fd, err);
    } else {
        rc = address_resolve(address, text, &found, err);
        if (rc)
            return rc;
        rc = listen_on(found->ai_addr, found->ai_addrlen, text, &fd, err);
        freeaddrinfo(found);
    }
    if (rc)
        return rc;
    *out_port = bound_port(fd);
    *out_fd = fd;
    return KS_RC_OK;
}

static ks_rc connect_to(const struct sockaddr *addr, socklen_t len, int64_t timeout_ms, int *out_fd,
                        struct ks_error *err)
{
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                                    .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ks_rc rc = KS_RC_IO;

    if (fd < 0)
        return ks_fail_errno(err, KS_RC_LIMIT, errno, "socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
        connect(fd, addr, len) == 0) {
        *out_fd = fd;
        return KS_RC_OK;
    }
    rc = ks_fail_errno(err, rc, errno, "connect");
    close(fd);
    return rc;
}

ks_rc ks_address_connect(const struct ks_address *address, int64_t timeout_ms, int *out_fd,
                         struct ks_error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addrinfo *found = NULL;
    char text[KS_ADDRESS_TEXT_MAX];
    ks_rc rc;

    ks_address_format(address, address->port, text);
    if (address->kind == KS_ADDRESS_UNIX) {
        memcpy(un.sun_path, address->path, sizeof(un.sun_path));
        rc = connect_to((const struct sockaddr *)&un, sizeof(un), timeout_ms, out_fd, err);
    } else {
        rc = address_resolve(address, text, &found, err);
        if (rc)
            return rc;
        rc = connect_to(found->ai_addr, found->ai_addrlen, timeout_ms, out_fd, err);
        freeaddrinfo(found);
    }
    return rc ? ks_wrap(err, rc, "%s", text) : KS_RC_OK;
}
