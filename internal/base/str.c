/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed string views: comparing, cutting, numbers, UTF-8. The owning buffer is in buf.c.
 *
 * Invariant: no function reads at or beyond ptr + len, and none needs a NUL.
 *
 * Thread: any.
 */
#include "base/str.h"

#include "base/alloc.h"

int ks_str_cmp(struct ks_str a, struct ks_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (order)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool ks_str_starts(struct ks_str s, struct ks_str prefix)
{
    return s.len >= prefix.len && ks_str_eq(ks_str_make(s.ptr, prefix.len), prefix);
}

bool ks_str_ends(struct ks_str s, struct ks_str suffix)
{
    return s.len >= suffix.len && ks_str_eq(ks_str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

ptrdiff_t ks_str_chr(struct ks_str s, char byte)
{
    const char *hit = s.len ? memchr(s.ptr, byte, s.len) : NULL;

    return hit ? hit - s.ptr : -1;
}

struct ks_str ks_str_sub(struct ks_str s, size_t from, size_t len)
{
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return ks_str_make(s.ptr ? s.ptr + from : NULL, len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct ks_str ks_str_trim(struct ks_str s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = ks_str_sub(s, 1, s.len);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool ks_str_split(struct ks_str *rest, char separator, struct ks_str *out_part)
{
    ptrdiff_t at;

    if (!rest->ptr)
        return false;
    at = ks_str_chr(*rest, separator);
    if (at < 0) {
        *out_part = *rest;
        *rest = (struct ks_str){.ptr = NULL};
        return true;
    }
    *out_part = ks_str_sub(*rest, 0, (size_t)at);
    *rest = ks_str_sub(*rest, (size_t)at + 1, rest->len);
    return true;
}

char *ks_str_dup(struct ks_str s)
{
    return ks_memdup0(s.ptr, s.len);
}

bool ks_str_to_int64(struct ks_str s, int64_t *out)
{
    bool negative = s.len && s.ptr[0] == '-';
    int64_t value = 0;
    size_t i = negative ? 1 : 0;

    if (i == s.len)
        return false;
    for (; i < s.len; i++) {
        int digit = s.ptr[i] - '0';

        if (digit < 0 || digit > 9)
            return false;
        /* Counted downwards, as INT64_MIN has no positive twin. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *out = value;
    return true;
}

/* Bytes of the well-formed UTF-8 sequence at s, or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, len;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(forms); i++) {
        if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
            continue;
        if (forms[i].len == 1)
            return 1;
        if (len < forms[i].len || s[1] < forms[i].second_min || s[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool ks_str_is_utf8(struct ks_str s)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;

    for (size_t i = 0; i < s.len;) {
        size_t n = bytes[i] < 0x80 ? 1 : utf8_sequence(bytes + i, s.len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

struct ks_str ks_str_cut_utf8(struct ks_str s, size_t max)
{
    size_t end = s.len < max ? s.len : max;
    size_t start = end;

    /* Step back over at most one unfinished sequence. */
    while (start > 0 && end - start < 4 && ((unsigned char)s.ptr[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)s.ptr[start - 1] >= 0xc0) {
        start--;
        if (utf8_sequence((const unsigned char *)s.ptr + start, end - start) != end - start)
            end = start;
    }
    return ks_str_make(s.ptr, end);
}
