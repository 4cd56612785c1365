/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of RFC 8259 as a loop: six states and a stack of bracket kinds.
 *
 *   VALUE ──scalar──────────────> AFTER ──,──> VALUE (list) | KEY (map)
 *     │ [ pushes: VALUE_OR_END      │ ] } pops: AFTER, or END below the last level
 *     │ { pushes: KEY_OR_END
 *   KEY ──string──> COLON ──:──> VALUE
 *
 * Invariants:
 *   1. at <= text.len at every step, and each step moves at forward: linear, whatever the text.
 *   2. depth <= limits->max_depth; levels[0..depth) are the open brackets.
 *   3. token_count counts what jsmn makes: one per bracket pair, string and scalar.
 *   4. parts are in the order of their starts, and all but those still open are large.
 *
 * Where Go's encoding/json (the API server's and every Go client's) is laxer than the RFC, this is
 * too: bytes that are no UTF-8 and lone surrogates pass. A number beyond double's range does not,
 * there as here.
 *
 * Thread: any.  It does not: build anything.
 */
#include "json/scan.h"

#include "base/str.h"
#include "json/number.h"
#include "json/text.h"

enum state { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, AFTER, END };

#define NO_PART SIZE_MAX

struct cursor {
    struct ks_json_scan *scan;
    struct ks_str text;
    size_t at;
    unsigned depth;
    enum state state;
    size_t open_parts[KS_JSON_PART_DEPTH + 1]; /* by depth: index in scan->parts, or NO_PART */
    struct ks_error *err;
};

static ks_rc malformed(const struct cursor *c, const char *expected)
{
    unsigned char found;

    if (c->at >= c->text.len)
        return ks_fail(c->err, KS_RC_PARSE, "JSON ends at byte %zu where %s should be", c->at,
                       expected);
    found = (unsigned char)c->text.ptr[c->at];
    if (found < 0x21 || found > 0x7e)
        return ks_fail(c->err, KS_RC_PARSE, "JSON has byte 0x%02x at %zu where %s should be", found,
                       c->at, expected);
    return ks_fail(c->err, KS_RC_PARSE, "JSON has '%c' at byte %zu where %s should be", found,
                   c->at, expected);
}

static ks_rc count_token(struct cursor *c)
{
    if (c->scan->token_count == c->scan->limits->max_tokens)
        return ks_fail(c->err, KS_RC_LIMIT, "JSON has more than %zu values (at byte %zu)",
                       c->scan->limits->max_tokens, c->at);
    c->scan->token_count++;
    return KS_RC_OK;
}

static bool is_hex(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

/* at is on the backslash; leaves it behind the escape. */
static ks_rc scan_escape(struct cursor *c)
{
    c->at++;
    if (c->at < c->text.len && c->text.ptr[c->at] == 'u') {
        for (int i = 0; i < 4; i++) {
            c->at++;
            if (c->at >= c->text.len || !is_hex(c->text.ptr[c->at]))
                return malformed(c, "a hexadecimal digit");
        }
    } else if (c->at >= c->text.len || !memchr("\"\\/bfnrt", c->text.ptr[c->at], 8)) {
        return malformed(c, "an escape character");
    }
    c->at++;
    return KS_RC_OK;
}

/* Tells the innermost part in hand. */
static void note_odd_text(struct cursor *c)
{
    for (size_t i = KS_JSON_PART_DEPTH; i > 0; i--) {
        if (i < c->depth && c->open_parts[i] != NO_PART) {
            c->scan->parts[c->open_parts[i]].has_odd_text = true;
            return;
        }
    }
    c->scan->has_odd_text = true;
}

/* at is on the first special byte of a string that is not its closing quote. */
static ks_rc scan_odd_string(struct cursor *c)
{
    note_odd_text(c);
    for (;;) {
        unsigned char byte = c->at < c->text.len ? (unsigned char)c->text.ptr[c->at] : 0;
        ks_rc rc;

        if (byte == '"')
            break;
        if (byte < 0x20)
            return malformed(c, "the rest of a string");
        if (byte == '\\') {
            rc = scan_escape(c);
            if (rc)
                return rc;
        } else {
            c->at++;
        }
        c->at += ks_json_text_run(c->text.ptr + c->at, c->text.len - c->at);
    }
    c->at++;
    return KS_RC_OK;
}

/* at is on the opening quote; leaves it behind the closing one. */
static inline ks_rc scan_string(struct cursor *c)
{
    ks_rc rc;

    rc = count_token(c);
    if (rc)
        return rc;
    c->at++;
    c->at += ks_json_text_run(c->text.ptr + c->at, c->text.len - c->at);
    if (c->at < c->text.len && c->text.ptr[c->at] == '"') {
        c->at++;
        return KS_RC_OK;
    }
    return scan_odd_string(c);
}

static ks_rc scan_number(struct cursor *c)
{
    struct ks_str rest = ks_str_make(c->text.ptr + c->at, c->text.len - c->at);
    size_t len = ks_json_number_measure(rest);

    if (len == 0) {
        c->at++; /* the sign: what follows it is wrong */
        return malformed(c, "a number");
    }
    if (!ks_json_number_fits_double(ks_str_make(rest.ptr, len)))
        return ks_fail(c->err, KS_RC_PARSE, "JSON has a number at byte %zu that no double can hold",
                       c->at);
    c->at += len;
    return KS_RC_OK;
}

static ks_rc scan_word(struct cursor *c, struct ks_str word)
{
    if (!ks_str_starts(ks_str_make(c->text.ptr + c->at, c->text.len - c->at), word))
        return malformed(c, "a value");
    c->at += word.len;
    return KS_RC_OK;
}

/* Notes a map or a list that may turn out to be a part. */
static void begin_part(struct cursor *c)
{
    struct ks_json_scan *scan = c->scan;

    c->open_parts[c->depth] = NO_PART;
    if (scan->part_count == KS_JSON_PARTS_MAX)
        return;
    c->open_parts[c->depth] = scan->part_count;
    scan->parts[scan->part_count++] =
        (struct ks_json_part){.start = c->at, .token_count = scan->token_count};
}

/* at is on the closing bracket. One that is too small is the last noted: what is inside is smaller
 * still. */
static void end_part(struct cursor *c)
{
    struct ks_json_scan *scan = c->scan;
    struct ks_json_part *part;

    if (c->open_parts[c->depth] == NO_PART)
        return;
    part = &scan->parts[c->open_parts[c->depth]];
    part->end = c->at + 1;
    part->token_count = scan->token_count - part->token_count + 1;
    if (part->end - part->start >= KS_JSON_PART_MIN_BYTES)
        return;
    scan->part_count--;
    if (part->has_odd_text)
        note_odd_text(c);
}

static bool may_be_part(unsigned depth)
{
    return depth > 0 && depth <= KS_JSON_PART_DEPTH;
}

static ks_rc open_bracket(struct cursor *c, char bracket)
{
    ks_rc rc;

    if (c->depth == c->scan->limits->max_depth)
        return ks_fail(c->err, KS_RC_LIMIT, "JSON is nested deeper than %u levels (at byte %zu)",
                       c->scan->limits->max_depth, c->at);
    rc = count_token(c);
    if (rc)
        return rc;
    if (may_be_part(c->depth))
        begin_part(c);
    c->scan->levels[c->depth++] = (unsigned char)bracket;
    c->state = bracket == '{' ? KEY_OR_END : VALUE_OR_END;
    c->at++;
    return KS_RC_OK;
}

static void close_bracket(struct cursor *c)
{
    c->depth--;
    if (may_be_part(c->depth))
        end_part(c);
    c->state = c->depth ? AFTER : END;
    c->at++;
}

static ks_rc scan_scalar(struct cursor *c, char first)
{
    ks_rc rc;

    if (c->depth == 0)
        return malformed(c, "a map or a list");
    c->state = AFTER;
    if (first == '"')
        return scan_string(c);
    rc = count_token(c);
    if (rc)
        return rc;
    if (first == '-' || (first >= '0' && first <= '9'))
        return scan_number(c);
    if (first == 't')
        return scan_word(c, KS_LIT("true"));
    if (first == 'f')
        return scan_word(c, KS_LIT("false"));
    return scan_word(c, KS_LIT("null"));
}

static ks_rc scan_value(struct cursor *c, char first)
{
    if (first == '{' || first == '[')
        return open_bracket(c, first);
    if (first == ']' && c->state == VALUE_OR_END) {
        close_bracket(c);
        return KS_RC_OK;
    }
    return scan_scalar(c, first);
}

static ks_rc scan_key(struct cursor *c, char first)
{
    ks_rc rc;

    if (first == '}' && c->state == KEY_OR_END) {
        close_bracket(c);
        return KS_RC_OK;
    }
    if (first != '"')
        return malformed(c, "a member's name");
    rc = scan_string(c);
    if (rc)
        return rc;
    c->state = COLON;
    if (c->at < c->text.len && c->text.ptr[c->at] == ':') { /* as good as always */
        c->state = VALUE;
        c->at++;
    }
    return KS_RC_OK;
}

static ks_rc scan_after(struct cursor *c, char first)
{
    bool in_map = c->scan->levels[c->depth - 1] == '{';

    if (first == (in_map ? '}' : ']')) {
        close_bracket(c);
        return KS_RC_OK;
    }
    if (first != ',')
        return malformed(c, in_map ? "',' or '}'" : "',' or ']'");
    c->state = in_map ? KEY : VALUE;
    c->at++;
    return KS_RC_OK;
}

static ks_rc scan_step(struct cursor *c, char first)
{
    switch (c->state) {
    case VALUE:
    case VALUE_OR_END:
        return scan_value(c, first);
    case KEY:
    case KEY_OR_END:
        return scan_key(c, first);
    case COLON:
        if (first != ':')
            return malformed(c, "':'");
        c->state = VALUE;
        c->at++;
        return KS_RC_OK;
    case AFTER:
        return scan_after(c, first);
    case END:
        break;
    }
    return malformed(c, "the end");
}

static bool is_white_space(char ch)
{
    return ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r';
}

ks_rc ks_json_scan_run(struct ks_json_scan *scan, struct ks_str text, struct ks_error *err)
{
    struct cursor c = {.scan = scan, .text = text, .state = VALUE, .err = err};
    ks_rc rc;

    scan->token_count = 0;
    scan->part_count = 0;
    scan->has_odd_text = false;
    if (text.len > scan->limits->max_bytes)
        return ks_fail(err, KS_RC_LIMIT, "JSON of %zu bytes is longer than the %zu allowed",
                       text.len, scan->limits->max_bytes);
    while (c.at < text.len) {
        char first = text.ptr[c.at];

        if (is_white_space(first)) {
            c.at++;
            continue;
        }
        rc = scan_step(&c, first);
        if (rc)
            return rc;
    }
    if (c.state != END)
        return malformed(&c, "more");
    return KS_RC_OK;
}
