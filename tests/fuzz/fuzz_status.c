/* SPDX-License-Identifier: Apache-2.0 */
/* layer: status json */
/*
 * Object to verdict, on any JSON.
 *
 * Properties: a verdict keeps its promises (status.h), and does not depend on white space or on the
 * order of keys, under either profile. For the second, the object is written anew with every map
 * backwards and blanks between, and computed again; of duplicate keys only the last is written, for
 * order decides between them.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "status/status.h"

#define NOW_MS INT64_C(1767225660000)
#define MAX_DEPTH 32
#define MAX_MEMBERS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void put(struct ks_buf *out, struct ks_str text)
{
    require(ks_buf_append_str(out, text) == KS_RC_OK);
}

static bool write_backwards(struct ks_buf *out, struct ks_json_value v);

static bool write_map(struct ks_buf *out, struct ks_json_value map)
{
    struct ks_json_value members[MAX_MEMBERS];
    size_t count = 0;

    for (struct ks_json_value m = ks_json_first(map); !ks_json_is_absent(m); m = ks_json_next(m)) {
        if (ks_json_get_str(map, ks_json_key(m)).at != m.at)
            continue;
        if (count == MAX_MEMBERS)
            return false;
        members[count++] = m;
    }
    put(out, KS_LIT("{"));
    while (count > 0) {
        struct ks_json_value m = members[--count];

        require(ks_buf_append_json(out, ks_json_key(m)) == KS_RC_OK);
        put(out, KS_LIT(" :\t"));
        if (!write_backwards(out, m))
            return false;
        put(out, count ? KS_LIT("\n,") : KS_LIT(" "));
    }
    put(out, KS_LIT("} "));
    return true;
}

/* Recursion: the parser's limit of MAX_DEPTH bounds it. */
static bool write_backwards(struct ks_buf *out, struct ks_json_value v)
{
    const char *separator = "";

    if (ks_json_type_of(v) == KS_JSON_MAP)
        return write_map(out, v);
    if (ks_json_type_of(v) != KS_JSON_LIST) {
        put(out, ks_json_raw(v));
        return true;
    }
    put(out, KS_LIT("[ "));
    for (struct ks_json_value e = ks_json_first(v); !ks_json_is_absent(e); e = ks_json_next(e)) {
        put(out, ks_str_from(separator));
        if (!write_backwards(out, e))
            return false;
        separator = " , ";
    }
    put(out, KS_LIT("]"));
    return true;
}

static void check_verdict(const struct ks_verdict *v)
{
    bool is_bad = v->status == KS_STATUS_IN_PROGRESS || v->status == KS_STATUS_FAILED;

    require(is_bad || v->status == KS_STATUS_CURRENT || v->status == KS_STATUS_TERMINATING);
    require(v->has_condition == is_bad);
    require(is_bad || v->reason.len == 0);
    require(v->basis != KS_BASIS_UNSPECIFIED);
    require(v->message.len > 0 && ks_str_is_utf8(v->message));
    require(v->recheck_at_ms == 0 || v->recheck_at_ms > NOW_MS);
    require(!is_bad || ks_str_eq(v->reason, v->condition.reason));
}

static void compare(const struct ks_verdict *a, const struct ks_verdict *b)
{
    require(a->status == b->status && a->basis == b->basis);
    require(ks_str_eq(a->reason, b->reason) && ks_str_eq(a->message, b->message));
    require(a->recheck_at_ms == b->recheck_at_ms);
    require(a->desired_count == b->desired_count && a->ready_count == b->ready_count);
    require(ks_str_eq(a->condition.message, b->condition.message));
}

static void check_strict(struct ks_json *json, struct ks_json *second)
{
    const struct ks_status_context context = {.first_seen_ms = NOW_MS - 10000};
    struct ks_error err = {0};
    struct ks_verdict a, b;

    require(ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(json), NOW_MS, &context, &a,
                                      &err) == KS_RC_OK);
    require(ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(second), NOW_MS, &context, &b,
                                      &err) == KS_RC_OK);
    compare(&a, &b);
}

static void check_order(struct ks_json *json, struct ks_json *second, ks_rc rc,
                        const struct ks_verdict *verdict)
{
    struct ks_error err = {0};
    struct ks_verdict other;
    struct ks_buf text;

    ks_buf_init(&text, 64u << 20);
    if (write_backwards(&text, ks_json_root(json))) {
        require(ks_json_parse(second, ks_buf_str(&text), &err) == KS_RC_OK);
        require(ks_status_compute(ks_json_root(second), NOW_MS, &other, &err) == rc);
        if (!rc)
            compare(verdict, &other);
        check_strict(json, second);
    }
    ks_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_json_limits limits = {
        .max_bytes = 8u << 20, .max_tokens = 1u << 18, .max_depth = MAX_DEPTH};
    static struct ks_json *second;
    static struct ks_json *json;
    struct ks_error err = {0};
    struct ks_verdict verdict;
    ks_rc rc;

    if ((!json && ks_json_new(&limits, &json, &err)) ||
        (!second && ks_json_new(&limits, &second, &err)))
        return 0;
    if (size > 64u << 10 || ks_json_parse(json, ks_str_make((const char *)data, size), &err))
        return 0;
    rc = ks_status_compute(ks_json_root(json), NOW_MS, &verdict, &err);
    require(rc == KS_RC_OK || rc == KS_RC_INVALID);
    if (rc)
        require(verdict.status == KS_STATUS_UNSPECIFIED && err.msg[0] != '\0');
    else
        check_verdict(&verdict);
    if (ks_json_type_of(ks_json_root(json)) == KS_JSON_MAP)
        check_order(json, second, rc, &verdict);
    return 0;
}
