/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Result codes for programs, and messages for people.
 *
 * A failing function returns a code other than KS_RC_OK and may fill the caller's struct ks_error
 * (which may be NULL) with a sentence that says what failed and what to do. Nobody parses the
 * sentence. The message is a fixed array, so that reporting "out of memory" needs no memory.
 *
 * Thread: any.  Limits: a message is cut at KS_ERROR_MSG_MAX bytes, at a UTF-8 boundary.
 */
#ifndef KS_BASE_ERROR_H
#define KS_BASE_ERROR_H

#include "base/base.h"

#define KS_RC_TABLE(X)                                                                             \
    X(OK, "ok")                                                                                    \
    X(AGAIN, "try again")                                                                          \
    X(NOMEM, "out of memory")                                                                      \
    X(INVALID, "invalid argument")                                                                 \
    X(PARSE, "malformed input")                                                                    \
    X(LIMIT, "limit exceeded")                                                                     \
    X(IO, "transport failure")                                                                     \
    X(TIMEOUT, "timed out")                                                                        \
    X(CANCELLED, "cancelled")                                                                      \
    X(UNAVAILABLE, "temporarily unavailable")                                                      \
    X(UNAUTHENTICATED, "credentials not accepted")                                                 \
    X(DENIED, "not permitted")                                                                     \
    X(NOTFOUND, "not found")                                                                       \
    X(AMBIGUOUS, "ambiguous")                                                                      \
    X(CONFLICT, "conflict")                                                                        \
    X(GONE, "resource version expired")                                                            \
    X(UNSUPPORTED, "not supported")                                                                \
    X(CONFIG, "bad configuration")                                                                 \
    X(PROTOCOL, "unexpected answer")                                                               \
    X(INTERNAL, "internal error")

typedef enum {
#define X(name, text) KS_RC_##name,
    KS_RC_TABLE(X)
#undef X
} ks_rc;

#define KS_ERROR_MSG_MAX 508

struct ks_error {
    ks_rc rc;
    char msg[KS_ERROR_MSG_MAX];
};

/* The fixed text of a code; never NULL. */
const char *ks_rc_text(ks_rc rc);

/* Records rc and a message in err (may be NULL) and returns rc: failing is one line. */
ks_rc ks_fail(struct ks_error *err, ks_rc rc, const char *fmt, ...) KS_PRINTF(3, 4);

/* Prefixes the message already in err (may be NULL) with "context: "; returns rc unchanged. */
ks_rc ks_wrap(struct ks_error *err, ks_rc rc, const char *fmt, ...) KS_PRINTF(3, 4);

/* The same for an errno value: "context: No such file or directory". */
ks_rc ks_fail_errno(struct ks_error *err, ks_rc rc, int errnum, const char *fmt, ...)
    KS_PRINTF(4, 5);

#endif
