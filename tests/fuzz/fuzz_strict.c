/* SPDX-License-Identifier: Apache-2.0 */
/* layer: status json */
/*
 * Object to verdict under profile strict, on any JSON.
 *
 * Properties: it never fails; a verdict keeps its promises (status.h); blanks between change
 * nothing; when the verdict has waited for the time that it names, it is not waiting for that time
 * any more; and once every grace is over, a failure that had waited is told or is outdone.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "status/status.h"

#define NOW_MS INT64_C(1767225660000)
#define MAX_DEPTH 32
/* Graces end within so many looks: one for each condition that the input has room for. */
#define MAX_LOOKS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void judge(struct ks_json *json, int64_t now_ms, struct ks_verdict *out)
{
    const struct ks_status_context context = {.first_seen_ms = NOW_MS - 10000};
    struct ks_error err = {0};

    require(ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(json), now_ms, &context, out,
                                      &err) == KS_RC_OK);
}

static void check_verdict(const struct ks_verdict *v, int64_t now_ms)
{
    bool is_bad = v->status == KS_STATUS_IN_PROGRESS || v->status == KS_STATUS_FAILED;

    require(is_bad || v->status == KS_STATUS_CURRENT || v->status == KS_STATUS_TERMINATING ||
            v->status == KS_STATUS_UNKNOWN);
    require(v->has_condition == is_bad);
    require(v->basis != KS_BASIS_UNSPECIFIED);
    require(v->reason.len > 0 || (!is_bad && v->status != KS_STATUS_UNKNOWN));
    require(v->message.len > 0 && ks_str_is_utf8(v->message) && ks_str_is_utf8(v->reason));
    require(v->recheck_at_ms == 0 || v->recheck_at_ms > now_ms);
    require(!is_bad || ks_str_eq(v->reason, v->condition.reason));
}

/* The input with blanks after each bracket, comma and colon that stands outside strings. */
static void write_spaced(struct ks_buf *out, struct ks_str text)
{
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        require(ks_buf_append_byte(out, c) == KS_RC_OK);
        if (in_string && c == '\\' && i + 1 < text.len)
            require(ks_buf_append_byte(out, text.ptr[++i]) == KS_RC_OK);
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[' || c == ',' || c == ':'))
            require(ks_buf_append_str(out, KS_LIT(" \n")) == KS_RC_OK);
    }
}

static void check_blanks(struct ks_json *second, struct ks_str text, const struct ks_verdict *v)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf spaced = KS_BUF(1u << 20);
    struct ks_error err = {0};
    struct ks_verdict other;

    write_spaced(&spaced, text);
    require(ks_json_parse(second, ks_buf_str(&spaced), &err) == KS_RC_OK);
    judge(second, NOW_MS, &other);
    require(v->status == other.status && v->basis == other.basis);
    require(ks_str_eq(v->reason, other.reason) && ks_str_eq(v->message, other.message));
    require(v->recheck_at_ms == other.recheck_at_ms);
}

static void check_time(struct ks_json *json, const struct ks_verdict *first)
{
    int64_t at_ms = first->recheck_at_ms;
    struct ks_verdict later;

    for (int i = 0; i < MAX_LOOKS && at_ms; i++) {
        judge(json, at_ms, &later);
        check_verdict(&later, at_ms);
        at_ms = later.recheck_at_ms;
    }
    require(at_ms == 0);
    judge(json, INT64_MAX, &later);
    require(first->status != KS_STATUS_FAILED || later.status == KS_STATUS_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_json_limits limits = {
        .max_bytes = 1u << 20, .max_tokens = 1u << 18, .max_depth = MAX_DEPTH};
    static struct ks_json *second;
    static struct ks_json *json;
    struct ks_str text = ks_str_make((const char *)data, size);
    struct ks_error err = {0};
    struct ks_verdict verdict;

    if ((!json && ks_json_new(&limits, &json, &err)) ||
        (!second && ks_json_new(&limits, &second, &err)))
        return 0;
    if (size > 64u << 10 || ks_json_parse(json, text, &err))
        return 0;
    judge(json, NOW_MS, &verdict);
    check_verdict(&verdict, NOW_MS);
    check_blanks(second, text, &verdict);
    check_time(json, &verdict);
    return 0;
}
