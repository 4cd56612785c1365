/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing buffer of str.h.
 *
 * Invariants: 1. len <= max_bytes; 2. data is NULL or has a NUL at data[len]; 3. a failed append
 * changes nothing.
 *
 * Thread: one at a time.
 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

void ks_buf_init(struct ks_buf *b, size_t max_bytes)
{
    *b = (struct ks_buf){.max_bytes = max_bytes};
}

void ks_buf_fini(struct ks_buf *b)
{
    ks_free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
}

void ks_buf_clear(struct ks_buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void ks_buf_shrink(struct ks_buf *b, size_t keep_bytes)
{
    ks_buf_clear(b);
    if (b->cap > keep_bytes)
        ks_buf_fini(b);
}

ks_rc ks_buf_reserve(struct ks_buf *b, size_t more)
{
    size_t want;
    char *data;

    if (more > b->max_bytes - b->len)
        return KS_RC_LIMIT;
    want = b->len + more + 1;
    if (want <= b->cap)
        return KS_RC_OK;
    if (want < 64)
        want = 64;
    if (want < b->cap + b->cap / 2)
        want = b->cap + b->cap / 2;
    data = ks_realloc(b->data, want);
    if (!data)
        return KS_RC_NOMEM;
    b->data = data;
    b->cap = want;
    b->data[b->len] = '\0';
    return KS_RC_OK;
}

ks_rc ks_buf_append(struct ks_buf *b, const void *data, size_t len)
{
    ks_rc rc = ks_buf_reserve(b, len);

    if (rc)
        return rc;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return KS_RC_OK;
}

ks_rc ks_buf_append_str(struct ks_buf *b, struct ks_str s)
{
    return ks_buf_append(b, s.ptr, s.len);
}

ks_rc ks_buf_append_byte(struct ks_buf *b, char byte)
{
    return ks_buf_append(b, &byte, 1);
}

ks_rc ks_buf_appendf(struct ks_buf *b, const char *fmt, ...)
{
    va_list args;
    ks_rc rc;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return KS_RC_INVALID;
    rc = ks_buf_reserve(b, (size_t)n);
    if (rc)
        return rc;
    va_start(args, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args); /* measured just now */
    va_end(args);
    b->len += (size_t)n;
    return KS_RC_OK;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

ks_rc ks_buf_append_url(struct ks_buf *b, struct ks_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t start = b->len;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; i < s.len && !rc; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

        rc = is_unreserved(c) ? ks_buf_append_byte(b, s.ptr[i]) : ks_buf_append(b, escape, 3);
    }
    if (rc && b->data) {
        b->len = start;
        b->data[start] = '\0';
    }
    return rc;
}

/* Appends one JSON string character; returns how many bytes of s it took in *out_used. */
static ks_rc append_json_char(struct ks_buf *b, struct ks_str s, size_t *out_used)
{
    unsigned char c = (unsigned char)s.ptr[0];
    size_t n = 1;

    *out_used = 1;
    if (c == '"' || c == '\\') {
        char escape[2] = {'\\', (char)c};

        return ks_buf_append(b, escape, 2);
    }
    if (c == '\n')
        return ks_buf_append(b, "\\n", 2);
    if (c < 0x20 || c == 0x7f)
        return ks_buf_appendf(b, "\\u%04x", c);
    if (c < 0x80)
        return ks_buf_append_byte(b, (char)c);
    while (n < 4 && n <= s.len && !ks_str_is_utf8(ks_str_make(s.ptr, n)))
        n++;
    if (n > s.len || !ks_str_is_utf8(ks_str_make(s.ptr, n)))
        return ks_buf_append(b, "\xef\xbf\xbd", 3);
    *out_used = n;
    return ks_buf_append(b, s.ptr, n);
}

ks_rc ks_buf_append_json(struct ks_buf *b, struct ks_str s)
{
    size_t start = b->len;
    ks_rc rc = ks_buf_append_byte(b, '"');

    while (s.len && !rc) {
        size_t used = 0;

        rc = append_json_char(b, s, &used);
        s = ks_str_sub(s, used, s.len);
    }
    if (!rc)
        rc = ks_buf_append_byte(b, '"');
    if (rc && b->data) {
        b->len = start;
        b->data[start] = '\0';
    }
    return rc;
}

struct ks_str ks_buf_str(const struct ks_buf *b)
{
    return ks_str_make(b->data, b->len);
}

char *ks_buf_take(struct ks_buf *b)
{
    char *data = b->data;

    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    return data;
}
