/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random JSON writer. Random numbers are splitmix64: one word of state, so that an object's
 * text follows from its seed alone.
 *
 * Thread: one at a time.  It does not: keep the text well-formed after text_corrupt.
 */
#include "text.h"

#include <inttypes.h>

#define WORD_MAX 256

/* Integers, and what looks like one: the ends of int64 and of what a double holds exactly,
 * fractions and exponents, and one number that is too large for either. */
static const char *const numbers[] = {
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "1.0",
    "1e0",
    "2E+0",
    "10e-1",
    "0.5",
    "-0.0",
    "2147483646",
    "2147483647",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1e308",
    "1e-999",
    "-1e400",
    NULL,
};

/* Strings as they stand in the text. */
static const char *const strings[] = {
    "\"\"",
    "\" \"",
    "\"1\"",
    "\"3\"",
    "\"0\"",
    "\"null\"",
    "\"true\"",
    "\"True\\u0000\"",
    "\"\\u0054rue\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ude00\\ud83d\"",
    "\"\\ud83d\\u0041\"",
    "\"\xf0\x9f\x98\x80 \xc3\xa9\"",
    "\"\xff\xfe\"",
    "\"\xed\xa0\x80\"",
    "\"\xc0\xaf\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x80\xa8\\u2029\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\x7f\"",
    "\"CrashLoopBackOff\"",
    "\"Unschedulable\"",
    NULL,
};

static const char *const literals[] = {"null", "null", "null", "true",      "false", "[]",
                                       "{}",   "[{}]", "[[]]", "{\"\":{}}", NULL};

static uint64_t next_random(struct text *t)
{
    uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void text_start(struct text *t, int64_t seed, int64_t number)
{
    ks_buf_clear(&t->out);
    t->rc = KS_RC_OK;
    t->random = (uint64_t)seed * UINT64_C(0xd1342543de82ef95) + (uint64_t)number;
    /* Neighbours have neighbouring states; one step spreads them. */
    t->random = next_random(t);
}

unsigned text_below(struct text *t, unsigned bound)
{
    return (unsigned)(((next_random(t) >> 32) * bound) >> 32);
}

bool text_chance(struct text *t, unsigned per_mille)
{
    return per_mille && text_below(t, 1000) < per_mille;
}

const char *text_pick(struct text *t, const char *const *words)
{
    unsigned count = 0;

    while (words[count])
        count++;
    return words[text_below(t, count)];
}

static void put(struct text *t, struct ks_str bytes)
{
    ks_rc rc = ks_buf_append_str(&t->out, bytes);

    if (rc && !t->rc)
        t->rc = rc;
}

void text_raw(struct text *t, const char *bytes)
{
    put(t, ks_str_from(bytes));
}

static void put_blanks(struct text *t)
{
    static const char *const blanks[] = {" ", "\t", "\r", "  ", " \t \r", NULL};

    if (text_chance(t, t->blanks))
        text_raw(t, text_pick(t, blanks));
}

void text_token(struct text *t, const char *token)
{
    put_blanks(t);
    text_raw(t, token);
    put_blanks(t);
}

void text_int(struct text *t, int64_t value)
{
    ks_rc rc = ks_buf_appendf(&t->out, "%" PRId64, value);

    if (rc && !t->rc)
        t->rc = rc;
}

static void put_escaped(struct text *t, unsigned char byte)
{
    ks_rc rc = ks_buf_appendf(&t->out, text_chance(t, 500) ? "\\u%04x" : "\\u%04X", byte);

    if (rc && !t->rc)
        t->rc = rc;
}

void text_string(struct text *t, struct ks_str value)
{
    text_raw(t, "\"");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        bool must = byte < 0x20 || byte == '"' || byte == '\\';

        if (must || (byte < 0x80 && text_chance(t, t->escapes)))
            put_escaped(t, byte);
        else
            put(t, ks_str_sub(value, i, 1));
    }
    text_raw(t, "\"");
}

void text_near(struct text *t, struct ks_str value)
{
    char word[WORD_MAX];
    size_t len = value.len < sizeof(word) - 2 ? value.len : sizeof(word) - 2;

    memcpy(word, value.ptr, len);
    switch (text_below(t, 5)) {
    case 0: /* other case */
        for (size_t i = 0; i < len; i++)
            word[i] = (char)(word[i] >= 'A' ? word[i] ^ 0x20 : word[i]);
        break;
    case 1: /* cut */
        len = text_below(t, (unsigned)len + 1);
        break;
    case 2: /* a NUL, a blank or a tab behind */
        word[len++] = "\0 \t"[text_below(t, 3)];
        break;
    case 3: /* a blank before */
        memmove(word + 1, word, len++);
        word[0] = ' ';
        break;
    default: /* one other byte */
        if (len)
            word[text_below(t, (unsigned)len)] = 'x';
        break;
    }
    text_string(t, ks_str_make(word, len));
}

void text_spoilt(struct text *t)
{
    switch (text_below(t, 8)) {
    case 0:
    case 1:
    case 2:
        text_raw(t, text_pick(t, literals));
        return;
    case 3:
    case 4:
        text_raw(t, text_pick(t, numbers));
        return;
    case 5:
    case 6:
        text_raw(t, text_pick(t, strings));
        return;
    default:
        text_any(t, 3);
    }
}

static void put_scalar(struct text *t)
{
    switch (text_below(t, 4)) {
    case 0:
        text_raw(t, text_pick(t, literals));
        return;
    case 1:
        text_raw(t, text_pick(t, numbers));
        return;
    case 2:
        text_raw(t, text_pick(t, strings));
        return;
    default:
        text_int(t, text_below(t, 100000));
    }
}

/* Recursion: levels bounds it. */
void text_any(struct text *t, unsigned levels)
{
    static const char *const keys[] = {"a",    "type",   "status", "reason",   "conditions",
                                       "name", "a.b\"c", "",       "\xc3\xa9", NULL};
    unsigned count = text_below(t, 4);
    bool is_map = text_chance(t, 600);

    if (levels == 0 || text_chance(t, 400)) {
        put_scalar(t);
        return;
    }
    text_token(t, is_map ? "{" : "[");
    for (unsigned i = 0; i < count; i++) {
        if (i)
            text_token(t, ",");
        if (is_map) {
            text_string(t, ks_str_from(text_pick(t, keys)));
            text_token(t, ":");
        }
        text_any(t, levels - 1);
    }
    text_token(t, is_map ? "}" : "]");
}

void text_corrupt(struct text *t)
{
    static const char bytes[] = "{}[]:,\"\\/ntfu0123456789.-+eE \t\x01\x7f\x80\xc3\xff";
    unsigned changes = 1 + text_below(t, 2);

    for (unsigned i = 0; i < changes && t->out.len > 1; i++) {
        size_t at = text_below(t, (unsigned)t->out.len);

        switch (text_below(t, 3)) {
        case 0:
            t->out.data[at] = bytes[text_below(t, sizeof(bytes) - 1)];
            break;
        case 1:
            memmove(t->out.data + at, t->out.data + at + 1, t->out.len - at);
            t->out.len--;
            break;
        default:
            t->out.len = at ? at : 1;
            t->out.data[t->out.len] = '\0';
            break;
        }
    }
}
