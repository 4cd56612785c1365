/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of JSON strings, one code point at a time.
 *
 * One step function knows escapes and UTF-8; measuring, decoding and comparing are loops around it,
 * so they cannot disagree about what a text stands for.
 *
 * Invariants:
 *   1. A step consumes at least one byte and yields one to four bytes of well-formed UTF-8.
 *   2. Nothing is read beyond the raw text: escapes were proved whole by the scan.
 *
 * Thread: any.  It does not: judge. What the scan let through has a decoded form.
 */
#include "json/text.h"

#define REPLACEMENT 0xFFFDu

struct step {
    size_t consumed;
    unsigned char len;
    char bytes[4];
};

static void encode(struct step *s, uint32_t code)
{
    unsigned char b[4];

    if (code < 0x80) {
        b[0] = (unsigned char)code;
        s->len = 1;
    } else if (code < 0x800) {
        b[0] = (unsigned char)(0xC0 | (code >> 6));
        b[1] = (unsigned char)(0x80 | (code & 0x3F));
        s->len = 2;
    } else if (code < 0x10000) {
        b[0] = (unsigned char)(0xE0 | (code >> 12));
        b[1] = (unsigned char)(0x80 | ((code >> 6) & 0x3F));
        b[2] = (unsigned char)(0x80 | (code & 0x3F));
        s->len = 3;
    } else {
        b[0] = (unsigned char)(0xF0 | (code >> 18));
        b[1] = (unsigned char)(0x80 | ((code >> 12) & 0x3F));
        b[2] = (unsigned char)(0x80 | ((code >> 6) & 0x3F));
        b[3] = (unsigned char)(0x80 | (code & 0x3F));
        s->len = 4;
    }
    memcpy(s->bytes, b, s->len);
}

static uint32_t hex_digit(char c)
{
    if (c <= '9')
        return (uint32_t)(c - '0');
    return (uint32_t)((c | 0x20) - 'a' + 10);
}

/* The four digits of a \u escape that starts at text[0]; false when there is no such escape. */
static bool unicode_escape(struct ks_str text, uint32_t *out)
{
    uint32_t code = 0;

    if (text.len < 6 || text.ptr[0] != '\\' || text.ptr[1] != 'u')
        return false;
    for (size_t i = 2; i < 6; i++)
        code = code << 4 | hex_digit(text.ptr[i]);
    *out = code;
    return true;
}

static void step_unicode(struct step *s, struct ks_str rest)
{
    uint32_t high = REPLACEMENT;
    uint32_t low;

    (void)unicode_escape(rest, &high); /* cannot fail: the scan has seen it */
    s->consumed = 6;
    if (high < 0xD800 || high > 0xDFFF) {
        encode(s, high);
        return;
    }
    if (high < 0xDC00 && unicode_escape(ks_str_sub(rest, 6, 6), &low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
        s->consumed = 12;
        encode(s, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        return;
    }
    encode(s, REPLACEMENT);
}

static void step_escape(struct step *s, struct ks_str rest)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    const char *hit;

    if (rest.ptr[1] == 'u') {
        step_unicode(s, rest);
        return;
    }
    hit = memchr(from, rest.ptr[1], sizeof(from) - 1);
    s->bytes[0] = hit ? to[hit - from] : rest.ptr[1];
    s->len = 1;
    s->consumed = 2;
}

/* Length of the well-formed sequence of two to four bytes at the start, or 0. */
static size_t utf8_sequence(struct ks_str rest)
{
    unsigned char lead = (unsigned char)rest.ptr[0];
    size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

    if (lead < 0xC2 || lead > 0xF4 || len > rest.len)
        return 0;
    return ks_str_is_utf8(ks_str_make(rest.ptr, len)) ? len : 0;
}

static void step_at(struct step *s, struct ks_str rest)
{
    size_t len;

    if (rest.ptr[0] == '\\') {
        step_escape(s, rest);
        return;
    }
    len = (unsigned char)rest.ptr[0] < 0x80 ? 1 : utf8_sequence(rest);
    if (len == 0) {
        encode(s, REPLACEMENT);
        s->consumed = 1;
        return;
    }
    memcpy(s->bytes, rest.ptr, len);
    s->len = (unsigned char)len;
    s->consumed = len;
}

bool ks_json_text_is_plain(struct ks_str raw)
{
    return ks_json_text_run(raw.ptr, raw.len) == raw.len ||
           (!memchr(raw.ptr, '\\', raw.len) && ks_str_is_utf8(raw));
}

size_t ks_json_text_measure(struct ks_str raw)
{
    size_t len = ks_json_text_run(raw.ptr, raw.len);

    for (size_t at = len; at < raw.len;) {
        struct step s;
        size_t run;

        step_at(&s, ks_str_make(raw.ptr + at, raw.len - at));
        at += s.consumed;
        run = ks_json_text_run(raw.ptr + at, raw.len - at);
        at += run;
        len += s.len + run;
    }
    return len;
}

void ks_json_text_decode(struct ks_str raw, char *out)
{
    size_t at = 0;

    for (;;) {
        size_t run = ks_json_text_run(raw.ptr + at, raw.len - at);
        struct step s;

        memcpy(out, raw.ptr + at, run);
        out += run;
        at += run;
        if (at == raw.len)
            return;
        step_at(&s, ks_str_make(raw.ptr + at, raw.len - at));
        memcpy(out, s.bytes, s.len);
        out += s.len;
        at += s.consumed;
    }
}

bool ks_json_text_equals(struct ks_str raw, struct ks_str other)
{
    size_t done = 0;
    size_t at = 0;

    while (at < raw.len) {
        struct step s;

        /* Nearly every byte stands for itself, and nearly every text differs early: managedFields
         * has escaped keys, so that all keys of an ordinary object come here. */
        if (raw.ptr[at] != '\\' && (unsigned char)raw.ptr[at] < 0x80) {
            if (done == other.len || raw.ptr[at++] != other.ptr[done++])
                return false;
            continue;
        }
        step_at(&s, ks_str_make(raw.ptr + at, raw.len - at));
        if (other.len - done < s.len || memcmp(other.ptr + done, s.bytes, s.len) != 0)
            return false;
        done += s.len;
        at += s.consumed;
    }
    return done == other.len;
}
