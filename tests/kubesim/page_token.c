/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tokens.
 *
 * The model: stateless, as the API server's: all that a next page needs is inside the token.
 * Clients must treat them as opaque; tests may look.
 *
 * Thread: any.
 */
#include "page_token.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/base64.h"

#define TOKEN_MAX_BYTES ((size_t)8 * 1024)

static void token_print(int64_t rv, struct ks_str start, char *out, size_t size)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(TOKEN_MAX_BYTES);
    KS_CLEANUP(ks_buf_fini) struct ks_buf coded = KS_BUF(2 * TOKEN_MAX_BYTES);
    size_t n;

    out[0] = '\0';
    if (ks_buf_appendf(&text, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":", (long long)rv) ||
        ks_buf_append_json(&text, start) || ks_buf_append_byte(&text, '}') ||
        ks_base64_encode(ks_buf_str(&text), &coded))
        return;
    n = coded.len;
    while (n > 0 && coded.data[n - 1] == '=')
        n--;
    if (n >= size)
        return;
    for (size_t i = 0; i < n; i++) {
        char c = coded.data[i];

        out[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    out[n] = '\0';
}

void sim_page_token_make(uint64_t rv, struct ks_str last_key, char *out, size_t size)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf start = KS_BUF(TOKEN_MAX_BYTES);

    out[0] = '\0';
    if (ks_buf_append_byte(&start, '/') || ks_buf_append_str(&start, last_key) ||
        ks_buf_append_byte(&start, '\0'))
        return;
    token_print((int64_t)rv, ks_buf_str(&start), out, size);
}

void sim_page_token_renew(struct ks_str start, char *out, size_t size)
{
    token_print(-1, start, out, size);
}

static ks_rc token_decode(struct ks_str token, struct ks_buf *out)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf coded = KS_BUF(TOKEN_MAX_BYTES);

    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];

        if (ks_buf_append_byte(&coded, (char)(c == '-' ? '+' : c == '_' ? '/' : c)))
            return KS_RC_LIMIT;
    }
    while (coded.len % 4 != 0) {
        if (ks_buf_append_byte(&coded, '='))
            return KS_RC_LIMIT;
    }
    return ks_base64_decode(ks_buf_str(&coded), out);
}

ks_rc sim_page_token_read(struct ks_str token, int64_t *out_rv, struct ks_buf *out_start,
                          struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(TOKEN_MAX_BYTES);
    json_t *value;
    const json_t *start;
    struct ks_str key;
    ks_rc rc = KS_RC_OK;

    if (token_decode(token, &text))
        return ks_fail(err, KS_RC_PARSE, "continue key is not valid: illegal base64 data");
    value = json_loadb(text.data ? text.data : "", text.len, JSON_ALLOW_NUL, NULL);
    start = json_object_get(value, "start");
    key = ks_str_make(json_string_value(start), json_string_length(start));
    if (!value || !json_is_string(start) || !json_is_integer(json_object_get(value, "rv")))
        rc = ks_fail(err, KS_RC_PARSE, "continue key is not valid: it is no token of this server");
    else if (strcmp(json_string_value(json_object_get(value, "v"))
                        ? json_string_value(json_object_get(value, "v"))
                        : "",
                    "meta.k8s.io/v1") != 0)
        rc = ks_fail(err, KS_RC_PARSE,
                     "continue key is not valid: server does not recognize this encoded version");
    if (!rc && key.len > 0 && key.ptr[0] == '/')
        key = ks_str_sub(key, 1, key.len);
    if (!rc && ks_buf_append_str(out_start, key))
        rc = ks_fail(err, KS_RC_PARSE, "continue key is not valid: it is too long");
    if (!rc)
        *out_rv = json_integer_value(json_object_get(value, "rv"));
    json_decref(value);
    return rc;
}
