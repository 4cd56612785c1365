/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to listen: "HOST:PORT", "[IPV6]:PORT" or "unix:PATH".
 *
 * Thread: any.  Owns: nothing.  Limits: a host of 255 bytes, a path that fits a sockaddr_un.
 */
#ifndef KS_SERVER_ADDRESS_H
#define KS_SERVER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"

typedef enum { KS_ADDRESS_TCP, KS_ADDRESS_UNIX } ks_address_kind;

struct ks_address {
    ks_address_kind kind;
    char host[256]; /* TCP, without brackets */
    uint16_t port;  /* TCP; 0: any free one */
    char path[108]; /* UNIX */
};

/* KS_RC_INVALID with a sentence that quotes the text. */
KS_MUST_USE ks_rc ks_address_parse(const char *text, struct ks_address *out, struct ks_error *err);
/* Whether only this machine can reach it: a Unix socket, localhost, 127.0.0.0/8 or ::1. */
bool ks_address_is_local(const struct ks_address *address);

#define KS_ADDRESS_TEXT_MAX 280
/* As ks_address_parse takes it, with the port given here. Returns out. */
char *ks_address_format(const struct ks_address *address, uint16_t port,
                        char out[KS_ADDRESS_TEXT_MAX]);

/* A listening socket, not blocking, closed on exec. A Unix socket that nobody listens on any more
 * is replaced; *port is the port that was bound (0 for a Unix socket). KS_RC_IO, KS_RC_INVALID. */
KS_MUST_USE ks_rc ks_address_listen(const struct ks_address *address, int *out_fd,
                                    uint16_t *out_port, struct ks_error *err);

/* A connected, blocking socket on which nothing blocks for longer than timeout_ms. KS_RC_LIMIT:
 * this process has no file descriptor left; KS_RC_IO, KS_RC_INVALID. */
KS_MUST_USE ks_rc ks_address_connect(const struct ks_address *address, int64_t timeout_ms,
                                     int *out_fd, struct ks_error *err);

#endif
