/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC 1.51's listener never accepts again once accept() has failed, as it does when file
 * descriptors run out (CVE-2023-4785); the process lives on and looks well. The kernel still
 * completes connects meanwhile, so only an answer proves life: HTTP/2's preface is sent, and the
 * server's SETTINGS must come, which is the first frame of every HTTP/2 server.
 *
 * Thread: any; blocking.
 */
#include "server/pulse.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define FRAME_HEAD_BYTES 9
#define FRAME_TYPE_AT 3
#define FRAME_SETTINGS 4

/* The preface of a client, and its SETTINGS: an empty frame of type 4. */
static const struct ks_str preface = {
    .ptr = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
           "\0\0\0\4\0\0\0\0\0",
    .len = 24 + FRAME_HEAD_BYTES,
};

static ks_rc ask(int fd, struct ks_error *err)
{
    unsigned char head[FRAME_HEAD_BYTES];
    ssize_t n;

    if (send(fd, preface.ptr, preface.len, MSG_NOSIGNAL) != (ssize_t)preface.len)
        return ks_fail_errno(err, KS_RC_IO, errno, "sending");
    n = recv(fd, head, sizeof(head), MSG_WAITALL);
    if (n < 0 && errno == EAGAIN)
        return ks_fail(err, KS_RC_TIMEOUT, "no answer within %d ms", KS_PULSE_TIMEOUT_MS);
    if (n < 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "waiting for an answer");
    if (n < (ssize_t)sizeof(head) || head[FRAME_TYPE_AT] != FRAME_SETTINGS)
        return ks_fail(err, KS_RC_PROTOCOL, "the answer is not HTTP/2's");
    return KS_RC_OK;
}

ks_rc ks_pulse_check(const struct ks_address *address, struct ks_error *err)
{
    char text[KS_ADDRESS_TEXT_MAX];
    int fd = -1;
    ks_rc rc = ks_address_connect(address, KS_PULSE_TIMEOUT_MS, &fd, err);

    if (rc)
        return rc;
    rc = ask(fd, err);
    (void)close(fd); /* what was sent does not matter */
    return rc ? ks_wrap(err, rc, "%s", ks_address_format(address, address->port, text)) : KS_RC_OK;
}
