/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings: ks_str borrows bytes with a length (NUL is an ordinary byte, nothing is owned), ks_buf
 * owns bytes and grows up to a ceiling that is set when it is made.
 *
 * Thread: one at a time.  Owns: ks_buf its bytes.  Limits: ks_buf its max_bytes; beyond them
 * appends fail with KS_RC_LIMIT and leave the buffer as it was.
 */
#ifndef KS_BASE_STR_H
#define KS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "base/error.h"

struct ks_str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* For printf's "%.*s". */
#define KS_STR_ARGS(s) (int)(s).len, (s).ptr ? (s).ptr : ""
/* A view of a string literal. */
#define KS_LIT(text) ((struct ks_str){.ptr = "" text, .len = sizeof(text) - 1})

static inline struct ks_str ks_str_make(const char *ptr, size_t len)
{
    return (struct ks_str){.ptr = ptr, .len = len};
}

/* View of a NUL-terminated string; NULL gives the empty view. */
static inline struct ks_str ks_str_from(const char *text)
{
    return (struct ks_str){.ptr = text, .len = text ? strlen(text) : 0};
}

static inline bool ks_str_eq(struct ks_str a, struct ks_str b)
{
    return a.len == b.len && (a.len == 0 || (a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0));
}

static inline bool ks_str_is(struct ks_str a, const char *text)
{
    return ks_str_eq(a, ks_str_from(text));
}

/* Byte-wise order; a prefix sorts first. */
int ks_str_cmp(struct ks_str a, struct ks_str b);
bool ks_str_starts(struct ks_str s, struct ks_str prefix);
bool ks_str_ends(struct ks_str s, struct ks_str suffix);
/* The byte's position, or -1. */
ptrdiff_t ks_str_chr(struct ks_str s, char byte);
/* The part with [from, from + len), clamped to the string. */
struct ks_str ks_str_sub(struct ks_str s, size_t from, size_t len);
/* Without blanks, tabs, CR and LF at both ends. */
struct ks_str ks_str_trim(struct ks_str s);
/* Cuts the part before the separator off *rest (all of it when there is none); false when *rest has
 * ended. */
bool ks_str_split(struct ks_str *rest, char separator, struct ks_str *out_part);
/* A NUL-terminated copy, to be freed with ks_free; NULL when out of memory. */
KS_MUST_USE char *ks_str_dup(struct ks_str s);
/* A decimal integer with optional '-', nothing else; false for anything else or on overflow. */
bool ks_str_to_int64(struct ks_str s, int64_t *out);
/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool ks_str_is_utf8(struct ks_str s);
/* The longest prefix of at most max bytes that ends at a UTF-8 boundary. */
struct ks_str ks_str_cut_utf8(struct ks_str s, size_t max);

struct ks_buf {
    char *data; /* NUL-terminated whenever not NULL */
    size_t len;
    /* private */
    size_t cap;
    size_t max_bytes;
};

/* An initialiser: a buffer under KS_CLEANUP is made where it is declared, so that no early return
 * frees what was never made. */
#define KS_BUF(max) ((struct ks_buf){.max_bytes = (max)})
void ks_buf_init(struct ks_buf *b, size_t max_bytes);
void ks_buf_fini(struct ks_buf *b);
/* Empties it, keeps the memory. */
void ks_buf_clear(struct ks_buf *b);
/* Empties it and gives back memory above keep_bytes. */
void ks_buf_shrink(struct ks_buf *b, size_t keep_bytes);
KS_MUST_USE ks_rc ks_buf_reserve(struct ks_buf *b, size_t more);
KS_MUST_USE ks_rc ks_buf_append(struct ks_buf *b, const void *data, size_t len);
KS_MUST_USE ks_rc ks_buf_append_str(struct ks_buf *b, struct ks_str s);
KS_MUST_USE ks_rc ks_buf_append_byte(struct ks_buf *b, char byte);
KS_MUST_USE ks_rc ks_buf_appendf(struct ks_buf *b, const char *fmt, ...) KS_PRINTF(2, 3);
/* Percent-encodes everything but RFC 3986's unreserved characters. */
KS_MUST_USE ks_rc ks_buf_append_url(struct ks_buf *b, struct ks_str s);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
KS_MUST_USE ks_rc ks_buf_append_json(struct ks_buf *b, struct ks_str s);
struct ks_str ks_buf_str(const struct ks_buf *b);
/* Hands the bytes (NUL-terminated, ks_free) to the caller and leaves the buffer empty; NULL when it
 * held none. */
KS_MUST_USE char *ks_buf_take(struct ks_buf *b);

#endif
