/* SPDX-License-Identifier: Apache-2.0 */
/* layer: status */
/*
 * What decided a verdict, of any object under both profiles: whole texts that end, and a value
 * beside each field.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "json/path.h"
#include "status/decision.h"
#include "status/status.h"

#define NOW_MS INT64_C(1767225600000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void check_text(const char *text, size_t max)
{
    size_t len = strnlen(text, max);

    require(len < max);
    require(ks_str_cut_utf8(ks_str_make(text, len), len).len == len);
}

static void check(struct ks_json_value object, ks_profile profile)
{
    const struct ks_status_kind kind = {.kind = ks_json_lenient_str(object, "kind", "")};
    struct ks_verdict verdict;
    struct ks_error err = {0};
    struct ks_decision d;
    bool is_known;

    if (ks_status_compute_profile(profile, object, NOW_MS, NULL, &verdict, &err))
        return;
    is_known = ks_decision_read(object, &kind, profile, &verdict, &d);
    check_text(d.field, sizeof(d.field));
    check_text(d.value, sizeof(d.value));
    check_text(d.other_field, sizeof(d.other_field));
    check_text(d.other_value, sizeof(d.other_value));
    require(is_known == (d.comparison[0] != '\0') && is_known == (d.field[0] != '\0'));
    require(!is_known || d.value[0] != '\0');
    require((d.other_field[0] == '\0') == (d.other_value[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_json_limits limits = {
        .max_bytes = 1u << 20, .max_tokens = 1u << 18, .max_depth = 512};
    static struct ks_json *json;
    struct ks_error err = {0};

    if (!json && ks_json_new(&limits, &json, &err))
        return 0;
    if (size > 64u << 10 || ks_json_parse(json, ks_str_make((const char *)data, size), &err))
        return 0;
    for (int profile = 0; profile < KS_PROFILE_COUNT; profile++)
        check(ks_json_root(json), (ks_profile)profile);
    return 0;
}
