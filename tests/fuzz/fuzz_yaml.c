/* SPDX-License-Identifier: Apache-2.0 */
/* layer: yaml json */
/*
 * YAML on any bytes.
 *
 * Property: what comes out is JSON that our own strict reader takes (a map or list is parsed as it
 * is, a scalar inside a list), but for a number that is out of double's range, and its size and
 * depth hold the limits.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "json/json.h"
#include "yaml/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ks_yaml_limits limits = {
    .max_bytes = 1u << 16, .max_json_bytes = 1u << 18, .max_depth = 16};
static struct ks_json *json;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static ks_rc on_document(void *ctx, struct ks_str text, size_t line)
{
    static const char too_large[] = "no double can hold";
    struct ks_error err = {0};
    struct ks_buf list;
    ks_rc rc;

    (void)ctx;
    require(line > 0 && text.len > 0 && text.len <= limits.max_json_bytes);
    ks_buf_init(&list, limits.max_json_bytes + 2);
    require(ks_buf_append_byte(&list, '[') == KS_RC_OK);
    require(ks_buf_append_str(&list, text) == KS_RC_OK);
    require(ks_buf_append_byte(&list, ']') == KS_RC_OK);
    rc = ks_json_parse(json, ks_buf_str(&list), &err);
    require(rc == KS_RC_OK || (rc == KS_RC_PARSE && strstr(err.msg, too_large)));
    ks_buf_fini(&list);
    return KS_RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_json_limits json_limits = {
        .max_bytes = 1u << 19, .max_tokens = 1u << 19, .max_depth = 17};
    struct ks_error err = {0};
    ks_rc rc;

    if (!json && ks_json_new(&json_limits, &json, &err))
        return 0;
    rc = ks_yaml_to_json(ks_str_make((const char *)data, size), &limits, on_document, NULL, &err);
    require(rc == KS_RC_OK || rc == KS_RC_PARSE || rc == KS_RC_LIMIT);
    require(rc == KS_RC_OK || err.msg[0] != '\0');
    return 0;
}
