/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages are written into the caller's fixed array. A message that does not fit is cut at a UTF-8
 * boundary, since it may end up in a protobuf string, where half a character is an error.
 *
 * Thread: any.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *ks_rc_text(ks_rc rc)
{
    static const char *const texts[] = {
#define X(name, text) [KS_RC_##name] = text,
        KS_RC_TABLE(X)
#undef X
    };

    if ((size_t)rc >= KS_ARRAY_LEN(texts))
        return "unknown result code";
    return texts[rc];
}

static void msg_cut(char *msg, size_t written)
{
    struct ks_str cut;

    if (written < KS_ERROR_MSG_MAX)
        return;
    cut = ks_str_cut_utf8(ks_str_make(msg, KS_ERROR_MSG_MAX - 1), KS_ERROR_MSG_MAX - 1);
    msg[cut.len] = '\0';
}

static void KS_PRINTF(2, 0) msg_vset(struct ks_error *err, const char *fmt, va_list args)
{
    int n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);

    if (n < 0)
        err->msg[0] = '\0';
    else
        msg_cut(err->msg, (size_t)n);
}

ks_rc ks_fail(struct ks_error *err, ks_rc rc, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return rc;
    err->rc = rc;
    va_start(args, fmt);
    msg_vset(err, fmt, args);
    va_end(args);
    return rc;
}

static void msg_join(struct ks_error *err, const char *tail)
{
    size_t len = strlen(err->msg);
    int n = snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", tail);

    if (n > 0)
        msg_cut(err->msg, len + (size_t)n);
}

ks_rc ks_wrap(struct ks_error *err, ks_rc rc, const char *fmt, ...)
{
    char inner[KS_ERROR_MSG_MAX];
    va_list args;

    if (!err)
        return rc;
    memcpy(inner, err->msg, sizeof(inner));
    err->rc = rc;
    va_start(args, fmt);
    msg_vset(err, fmt, args);
    va_end(args);
    msg_join(err, inner);
    return rc;
}

ks_rc ks_fail_errno(struct ks_error *err, ks_rc rc, int errnum, const char *fmt, ...)
{
    char text[128];
    va_list args;

    if (!err)
        return rc;
    err->rc = rc;
    va_start(args, fmt);
    msg_vset(err, fmt, args);
    va_end(args);
    msg_join(err, strerror_r(errnum, text, sizeof(text)));
    return rc;
}
