/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a rule ends: the verdict's fields are set here and nowhere else, so that they cannot
 * contradict each other.
 *
 * Invariants:
 *   1. InProgress has exactly the condition Reconciling=True, Failed exactly Stalled=True, Current
 * and Terminating none; the condition's reason is the verdict's.
 *   2. message is well-formed UTF-8 if what it quotes is.
 *
 * Thread: the document's.  It does not: decide.
 */
#include "status/rules.h"

#include <stdarg.h>
#include <stdio.h>

static void write_text(struct ks_verdict *v, const char *fmt, va_list args) KS_PRINTF(2, 0);
static void write_text(struct ks_verdict *v, const char *fmt, va_list args)
{
    int written = vsnprintf(v->text, sizeof(v->text), fmt, args);
    size_t len = written < 0 ? 0 : (size_t)written;

    if (len >= sizeof(v->text))
        len = ks_str_cut_utf8(ks_str_make(v->text, sizeof(v->text) - 1), sizeof(v->text) - 1).len;
    v->message = ks_str_make(v->text, len);
}

static void set_condition(struct ks_verdict *v, struct ks_str reason, struct ks_str message)
{
    v->reason = reason;
    v->has_condition = true;
    v->condition = (struct ks_condition){
        .type = v->status == KS_STATUS_FAILED ? KS_LIT("Stalled") : KS_LIT("Reconciling"),
        .status = KS_LIT("True"),
        .reason = reason,
        .message = message,
    };
}

ks_rc ks_verdict_current(struct ks_verdict *v, ks_basis basis, const char *fmt, ...)
{
    va_list args;

    v->status = KS_STATUS_CURRENT;
    v->basis = basis;
    va_start(args, fmt);
    write_text(v, fmt, args);
    va_end(args);
    return KS_RC_OK;
}

ks_rc ks_verdict_in_progress(struct ks_verdict *v, const char *reason, const char *fmt, ...)
{
    va_list args;

    v->status = KS_STATUS_IN_PROGRESS;
    v->basis = KS_BASIS_KIND_RULE;
    va_start(args, fmt);
    write_text(v, fmt, args);
    va_end(args);
    set_condition(v, ks_str_from(reason), v->message);
    return KS_RC_OK;
}

ks_rc ks_verdict_failed(struct ks_verdict *v, const char *reason, const char *fmt, ...)
{
    va_list args;

    v->status = KS_STATUS_FAILED;
    v->basis = KS_BASIS_KIND_RULE;
    va_start(args, fmt);
    write_text(v, fmt, args);
    va_end(args);
    set_condition(v, ks_str_from(reason), v->message);
    return KS_RC_OK;
}

ks_rc ks_verdict_pass(struct ks_verdict *v, ks_status status, ks_basis basis,
                      const struct ks_condition *from)
{
    v->status = status;
    v->basis = basis;
    v->message = from->message;
    set_condition(v, from->reason, from->message);
    if (from->message.len == 0)
        ks_verdict_say(v, "Condition %.*s is %.*s; it gives no message", KS_STR_ARGS(from->type),
                       KS_STR_ARGS(from->status));
    return KS_RC_OK;
}

void ks_verdict_say(struct ks_verdict *v, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    write_text(v, fmt, args);
    va_end(args);
}

void ks_verdict_say_args(struct ks_verdict *v, const char *fmt, va_list args)
{
    write_text(v, fmt, args);
}

void ks_verdict_set(struct ks_verdict *v, ks_status status, ks_basis basis, struct ks_str reason,
                    struct ks_str message)
{
    v->status = status;
    v->basis = basis;
    v->reason = reason;
    v->has_condition = false;
    if (message.len > 0)
        v->message = message;
    if (status == KS_STATUS_IN_PROGRESS || status == KS_STATUS_FAILED)
        set_condition(v, reason, v->message);
}
