/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/json: the text between a JSON string's quotes, and the text it stands for.
 *
 * Decoding follows Go's encoding/json: a lone surrogate escape and each byte that is no UTF-8
 * become U+FFFD. The raw text must have passed the scan (escapes well-formed).
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_JSON_TEXT_H
#define KS_JSON_TEXT_H

#include "base/str.h"

/* Whether the raw text stands for itself. */
bool ks_json_text_is_plain(struct ks_str raw);
/* Bytes that decoding gives. */
size_t ks_json_text_measure(struct ks_str raw);
/* Writes exactly ks_json_text_measure(raw) bytes. */
void ks_json_text_decode(struct ks_str raw, char *out);
/* Whether the decoded text equals other; allocates nothing. */
bool ks_json_text_equals(struct ks_str raw, struct ks_str other);

/* Bytes that end a run of ordinary ones: quote, backslash, controls, and all above 0x7f. */
static inline bool ks_json_text_is_special(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

/* That byte in all eight places of a word. */
#define KS_JSON_TEXT_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes, the first one lowest, whatever the machine's order: compilers make one load of it.
 */
static inline uint64_t ks_json_text_load(const char *text)
{
    const unsigned char *b = (const unsigned char *)text;

    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* The top bit of each special byte of a word, up to the first one at least; 0 when none is.
 * Subtracting sets the top bit of a byte that was too small; a borrow may set more, but only behind
 * such a byte. */
static inline uint64_t ks_json_text_find(uint64_t word)
{
    uint64_t quote = word ^ KS_JSON_TEXT_EACH('"');
    uint64_t backslash = word ^ KS_JSON_TEXT_EACH('\\');

    return (word | (word - KS_JSON_TEXT_EACH(0x20)) | (quote - KS_JSON_TEXT_EACH(1)) |
            (backslash - KS_JSON_TEXT_EACH(1))) &
           KS_JSON_TEXT_EACH(0x80);
}

/* How many bytes of the word stand before the first that was found, which must be there. Below the
 * lowest bit set there is a low bit for each byte up to it: the multiplication sums them up in the
 * top byte. */
static inline size_t ks_json_text_before(uint64_t found)
{
    uint64_t below = (found - 1) & ~found & KS_JSON_TEXT_EACH(1);

    return (size_t)((below * KS_JSON_TEXT_EACH(1)) >> 56) - 1;
}

/* Bytes before the first special one, or to the end. */
static inline size_t ks_json_text_run(const char *text, size_t len)
{
    size_t at = 0;

    for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t found = ks_json_text_find(ks_json_text_load(text + at));

        if (found)
            return at + ks_json_text_before(found);
    }
    while (at < len && !ks_json_text_is_special((unsigned char)text[at]))
        at++;
    return at;
}

#endif
