/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safe text, one character at a time: decode, decide what stands for it, measure that.
 *
 * Invariants: 1. every byte of the input belongs to exactly one decoded character, a byte that fits
 * nowhere being one of its own; 2. what is appended is well-formed UTF-8 (ASCII: below 0x80) and
 * holds no control character.
 *
 * Thread: any. Does not know columns of a table or colours.
 */
#include "client/cli/text.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#define REPLACEMENT 0xfffdu

struct glyph {
    uint32_t code;
    size_t len; /* bytes of the input */
};

ks_text_charset ks_text_init_locale(void)
{
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
        return KS_TEXT_UTF8;
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* without it, wide characters count as one column */
    return KS_TEXT_ASCII;
}

static unsigned sequence_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static struct glyph decode(struct ks_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned len = sequence_length(p[0]);
    uint32_t code;

    if (len == 1)
        return (struct glyph){.code = p[0], .len = 1};
    if (len == 0 || len > s.len || !ks_str_is_utf8(ks_str_sub(s, 0, len)))
        return (struct glyph){.code = REPLACEMENT, .len = 1};
    code = p[0] & (0x7fu >> len);
    for (unsigned i = 1; i < len; i++)
        code = code << 6 | (p[i] & 0x3fu);
    return (struct glyph){.code = code, .len = len};
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/* Marks that turn the direction of what follows, so that text shows in another order than it is. */
static bool is_direction(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static bool is_blank(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || code == 0x2028 || code == 0x2029;
}

static uint32_t safe_code(uint32_t code, ks_text_charset charset)
{
    if (is_blank(code))
        return ' ';
    if (is_control(code) || is_direction(code))
        code = REPLACEMENT;
    return charset == KS_TEXT_ASCII && code >= 0x80 ? '?' : code;
}

static size_t code_width(uint32_t code)
{
    int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);

    return width < 0 ? 1 : (size_t)width; /* unassigned: terminals show a box */
}

static ks_rc append_code(struct ks_buf *out, uint32_t code)
{
    char bytes[4];
    size_t len;

    if (code < 0x80) {
        bytes[0] = (char)code;
        len = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        len = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        len = 3;
    } else {
        bytes[0] = (char)(0xf0 | code >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        bytes[i] = (char)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3f));
    return ks_buf_append(out, bytes, len);
}

/* Takes one character off the text and gives what stands for it. */
static uint32_t next_safe(struct ks_str *text, ks_text_charset charset)
{
    struct glyph g = decode(*text);

    *text = ks_str_sub(*text, g.len, text->len);
    return safe_code(g.code, charset);
}

ks_rc ks_text_append(struct ks_buf *out, struct ks_str text, ks_text_charset charset)
{
    while (text.len > 0) {
        ks_rc rc = append_code(out, next_safe(&text, charset));

        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

size_t ks_text_width(struct ks_str text, ks_text_charset charset)
{
    size_t width = 0;

    while (text.len > 0)
        width += code_width(next_safe(&text, charset));
    return width;
}

static ks_rc append_some(struct ks_buf *out, struct ks_str text, size_t width,
                         ks_text_charset charset, size_t *out_used)
{
    size_t used = 0;

    while (text.len > 0) {
        uint32_t code = next_safe(&text, charset);
        size_t more = code_width(code);
        ks_rc rc;

        if (used + more > width)
            break;
        rc = append_code(out, code);
        if (rc)
            return rc;
        used += more;
    }
    *out_used = used;
    return KS_RC_OK;
}

static ks_rc append_fit(struct ks_buf *out, struct ks_str text, size_t width,
                        ks_text_charset charset, size_t *out_used)
{
    ks_rc rc;

    if (width == 0 || ks_text_width(text, charset) <= width)
        return append_some(out, text, width, charset, out_used);
    rc = append_some(out, text, width - 1, charset, out_used);
    if (rc)
        return rc;
    ++*out_used;
    return append_code(out, charset == KS_TEXT_ASCII ? '~' : 0x2026);
}

ks_rc ks_text_append_cut(struct ks_buf *out, struct ks_str text, size_t width,
                         ks_text_charset charset)
{
    size_t used = 0;

    return append_fit(out, text, width, charset, &used);
}

ks_rc ks_text_append_cell(struct ks_buf *out, struct ks_str text, size_t width,
                          ks_text_charset charset)
{
    size_t used = 0;
    ks_rc rc = append_fit(out, text, width, charset, &used);

    while (!rc && used++ < width)
        rc = ks_buf_append_byte(out, ' ');
    return rc;
}

static ks_rc append_json_code(struct ks_buf *out, uint32_t code)
{
    if (code == '"' || code == '\\') {
        ks_rc rc = ks_buf_append_byte(out, '\\');

        return rc ? rc : append_code(out, code);
    }
    if (code == '\n')
        return ks_buf_append_str(out, KS_LIT("\\n"));
    if (is_control(code) || is_direction(code) || is_blank(code))
        return ks_buf_appendf(out, "\\u%04x", (unsigned)code);
    return append_code(out, code);
}

ks_rc ks_text_append_json(struct ks_buf *out, struct ks_str text)
{
    ks_rc rc = ks_buf_append_byte(out, '"');

    while (!rc && text.len > 0) {
        struct glyph g = decode(text);

        text = ks_str_sub(text, g.len, text.len);
        rc = append_json_code(out, g.code);
    }
    return rc ? rc : ks_buf_append_byte(out, '"');
}
