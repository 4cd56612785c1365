/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML 1.1 core as Kubernetes' manifests are read (sigs.k8s.io/yaml over go.yaml.in/yaml/v2): a
 * table of words, then numbers, else a string.
 *
 * Numbers are converted as text: an integer to its decimal form, a float to its shortest plain form
 * with all of its digits, so 1.0 and 1e0 become 1, as they do there. No double is made, so no
 * locale and no rounding come in.
 *
 * Invariants:
 *   1. What is appended is one JSON scalar, or nothing.
 *   2. A number that is out of its type's range is a string, as there.
 *
 * Thread: any.  It does not: know timestamps (they stay strings) or base 60.
 */
#include "yaml/scalar.h"

#include <assert.h>

#include "base/base64.h"

/* Longer numbers stay strings. */
#define NUMBER_MAX 512
/* A decimal exponent beyond these is no finite double, or zero. */
#define POINT_MAX 309
#define POINT_MIN (-330)

static const struct {
    const char *text;
    const char *json; /* NULL: no JSON for it */
    ks_yaml_tag tag;
} words[] = {
    {"", "null", KS_YAML_TAG_NULL},       {"~", "null", KS_YAML_TAG_NULL},
    {"null", "null", KS_YAML_TAG_NULL},   {"Null", "null", KS_YAML_TAG_NULL},
    {"NULL", "null", KS_YAML_TAG_NULL},   {"y", "true", KS_YAML_TAG_BOOL},
    {"Y", "true", KS_YAML_TAG_BOOL},      {"yes", "true", KS_YAML_TAG_BOOL},
    {"Yes", "true", KS_YAML_TAG_BOOL},    {"YES", "true", KS_YAML_TAG_BOOL},
    {"true", "true", KS_YAML_TAG_BOOL},   {"True", "true", KS_YAML_TAG_BOOL},
    {"TRUE", "true", KS_YAML_TAG_BOOL},   {"on", "true", KS_YAML_TAG_BOOL},
    {"On", "true", KS_YAML_TAG_BOOL},     {"ON", "true", KS_YAML_TAG_BOOL},
    {"n", "false", KS_YAML_TAG_BOOL},     {"N", "false", KS_YAML_TAG_BOOL},
    {"no", "false", KS_YAML_TAG_BOOL},    {"No", "false", KS_YAML_TAG_BOOL},
    {"NO", "false", KS_YAML_TAG_BOOL},    {"false", "false", KS_YAML_TAG_BOOL},
    {"False", "false", KS_YAML_TAG_BOOL}, {"FALSE", "false", KS_YAML_TAG_BOOL},
    {"off", "false", KS_YAML_TAG_BOOL},   {"Off", "false", KS_YAML_TAG_BOOL},
    {"OFF", "false", KS_YAML_TAG_BOOL},   {".nan", NULL, KS_YAML_TAG_FLOAT},
    {".NaN", NULL, KS_YAML_TAG_FLOAT},    {".NAN", NULL, KS_YAML_TAG_FLOAT},
    {".inf", NULL, KS_YAML_TAG_FLOAT},    {".Inf", NULL, KS_YAML_TAG_FLOAT},
    {".INF", NULL, KS_YAML_TAG_FLOAT},    {"+.inf", NULL, KS_YAML_TAG_FLOAT},
    {"+.Inf", NULL, KS_YAML_TAG_FLOAT},   {"+.INF", NULL, KS_YAML_TAG_FLOAT},
    {"-.inf", NULL, KS_YAML_TAG_FLOAT},   {"-.Inf", NULL, KS_YAML_TAG_FLOAT},
    {"-.INF", NULL, KS_YAML_TAG_FLOAT},
};

/* What a text was found to be. */
struct resolved {
    ks_yaml_tag tag;
    bool has_json;
    char json[2 * NUMBER_MAX];
};

ks_yaml_tag ks_yaml_tag_parse(const char *uri)
{
    static const struct {
        const char *name;
        ks_yaml_tag tag;
    } known[] = {
        {"bool", KS_YAML_TAG_BOOL}, {"int", KS_YAML_TAG_INT},       {"float", KS_YAML_TAG_FLOAT},
        {"null", KS_YAML_TAG_NULL}, {"binary", KS_YAML_TAG_BINARY},
    };
    struct ks_str prefix = KS_LIT("tag:yaml.org,2002:");
    struct ks_str tag = ks_str_from(uri);

    if (!uri)
        return KS_YAML_TAG_NONE;
    if (!ks_str_starts(tag, prefix))
        return KS_YAML_TAG_STR;
    tag = ks_str_sub(tag, prefix.len, tag.len);
    for (size_t i = 0; i < KS_ARRAY_LEN(known); i++) {
        if (ks_str_is(tag, known[i].name))
            return known[i].tag;
    }
    return KS_YAML_TAG_STR;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

static unsigned base_of(struct ks_str *digits)
{
    char mark;

    if (digits->len < 2 || digits->ptr[0] != '0')
        return 10;
    mark = (char)(digits->ptr[1] | 0x20);
    if (mark != 'x' && mark != 'o' && mark != 'b') {
        *digits = ks_str_sub(*digits, 1, digits->len);
        return 8;
    }
    *digits = ks_str_sub(*digits, 2, digits->len);
    return mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
}

static void write_decimal(char *out, bool is_negative, uint64_t value)
{
    char reversed[24];
    size_t len = 0;

    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (is_negative)
        *out++ = '-';
    while (len)
        *out++ = reversed[--len];
    *out = '\0';
}

static bool resolve_int(struct ks_str text, char *out)
{
    bool is_negative;
    uint64_t value = 0;
    unsigned base;

    assert(text.len);
    is_negative = text.ptr[0] == '-';
    if (is_negative || text.ptr[0] == '+')
        text = ks_str_sub(text, 1, text.len);
    base = base_of(&text);
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_value(text.ptr[i]);

        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (is_negative && value > (uint64_t)INT64_MAX + 1)
        return false;
    write_decimal(out, is_negative && value, value);
    return true;
}

/* A decimal float taken apart: 0.DIGITS * 10^point. */
struct decimal {
    bool is_negative;
    char digits[NUMBER_MAX];
    int len;
    int64_t point;
};

static void add_digit(struct decimal *d, char digit, bool is_integer)
{
    if (d->len == 0 && digit == '0') {
        d->point -= !is_integer;
        return;
    }
    d->digits[d->len++] = digit;
    d->point += is_integer;
}

/* [-+]? (.D+ | D+ (.D*)?) ([eE][-+]?D+)?, all of the text. */
static bool parse_decimal(struct ks_str text, struct decimal *d)
{
    bool is_exponent_negative = false;
    int64_t exponent = 0;
    size_t digits = 0;
    size_t at = 0;

    if (text.ptr[0] == '-' || text.ptr[0] == '+')
        d->is_negative = text.ptr[at++] == '-';
    for (; at < text.len && digit_value(text.ptr[at]) < 10; at++, digits++)
        add_digit(d, text.ptr[at], true);
    if (at < text.len && text.ptr[at] == '.') {
        for (at++; at < text.len && digit_value(text.ptr[at]) < 10; at++, digits++)
            add_digit(d, text.ptr[at], false);
    }
    if (digits == 0)
        return false;
    if (at == text.len)
        return true;
    if ((text.ptr[at++] | 0x20) != 'e')
        return false;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        is_exponent_negative = text.ptr[at++] == '-';
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (digit_value(text.ptr[at]) >= 10)
            return false;
        if (exponent < 1000000)
            exponent = exponent * 10 + (text.ptr[at] - '0');
    }
    d->point += is_exponent_negative ? -exponent : exponent;
    return true;
}

static char *put_digits(char *out, const char *digits, int64_t count)
{
    memcpy(out, digits, (size_t)count);
    return out + count;
}

static char *put_zeros(char *out, int64_t count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

/* Go's choice between plain and exponent form: plain from 1e-6 up to 1e21. */
static void write_plain(char *out, const struct decimal *d)
{
    if (d->point <= 0) {
        out = put_digits(out, "0.", 2);
        out = put_zeros(out, -d->point);
        out = put_digits(out, d->digits, d->len);
    } else if (d->len <= d->point) {
        out = put_digits(out, d->digits, d->len);
        out = put_zeros(out, d->point - d->len);
    } else {
        out = put_digits(out, d->digits, d->point);
        *out++ = '.';
        out = put_digits(out, d->digits + d->point, d->len - d->point);
    }
    *out = '\0';
}

static void write_exponent(char *out, const struct decimal *d)
{
    int64_t exponent = d->point - 1;

    *out++ = d->digits[0];
    if (d->len > 1) {
        *out++ = '.';
        out = put_digits(out, d->digits + 1, d->len - 1);
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    write_decimal(out, false, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

static bool resolve_float(struct ks_str text, char *out)
{
    struct decimal d = {0};

    if (!parse_decimal(text, &d))
        return false;
    while (d.len > 0 && d.digits[d.len - 1] == '0')
        d.len--;
    if (d.len == 0 || d.point < POINT_MIN) {
        write_decimal(out, false, 0);
        return true;
    }
    if (d.point > POINT_MAX)
        return false;
    if (d.is_negative)
        *out++ = '-';
    if (d.point > -6 && d.point <= 21)
        write_plain(out, &d);
    else
        write_exponent(out, &d);
    return true;
}

static bool resolve_word(struct ks_str text, struct resolved *r)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(words); i++) {
        if (!ks_str_is(text, words[i].text))
            continue;
        r->tag = words[i].tag;
        r->has_json = words[i].json != NULL;
        if (words[i].json)
            memcpy(r->json, words[i].json, strlen(words[i].json) + 1);
        return true;
    }
    return false;
}

static bool is_digit_at(struct ks_str text, size_t at)
{
    return at < text.len && digit_value(text.ptr[at]) < 10;
}

/* The text without its underscores. Behind a leading point they must separate digits, elsewhere
 * they may be anywhere: so it is there. */
static bool strip_underscores(struct ks_str text, char *out, size_t *out_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_')
            out[len++] = text.ptr[i];
        else if (text.ptr[0] == '.' && !(is_digit_at(text, i - 1) && is_digit_at(text, i + 1)))
            return false;
    }
    *out_len = len;
    return true;
}

static void resolve(struct ks_str text, struct resolved *r)
{
    char stripped[NUMBER_MAX];
    size_t len = 0;

    *r = (struct resolved){.tag = KS_YAML_TAG_STR};
    if (resolve_word(text, r) || text.len > NUMBER_MAX)
        return;
    if (!memchr("+-.0123456789", text.ptr[0], 13) || !strip_underscores(text, stripped, &len))
        return;
    r->has_json = true;
    if (resolve_int(ks_str_make(stripped, len), r->json))
        r->tag = KS_YAML_TAG_INT;
    else if (resolve_float(ks_str_make(stripped, len), r->json))
        r->tag = KS_YAML_TAG_FLOAT;
    else
        r->has_json = false;
}

static ks_rc append_failure(ks_rc rc, struct ks_error *err)
{
    return ks_fail(err, rc,
                   rc == KS_RC_LIMIT ? "a value is longer than allowed" : "no memory for a value");
}

static ks_rc append_binary(struct ks_buf *out, struct ks_str text, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf bytes = KS_BUF(text.len + 1);
    ks_rc rc;

    rc = ks_base64_decode(text, &bytes);
    if (rc == KS_RC_PARSE)
        return ks_fail(err, rc, "a !!binary value is no base64");
    if (!rc)
        rc = ks_buf_append_json(out, ks_buf_str(&bytes));
    return rc ? append_failure(rc, err) : rc;
}

ks_rc ks_yaml_scalar_append(struct ks_buf *out, struct ks_str text, ks_yaml_tag tag,
                            struct ks_error *err)
{
    struct ks_str shown = ks_str_cut_utf8(text, 40);
    struct resolved r = {.tag = KS_YAML_TAG_STR};
    ks_rc rc;

    if (tag == KS_YAML_TAG_BINARY)
        return append_binary(out, text, err);
    if (tag != KS_YAML_TAG_STR) {
        resolve(text, &r);
        if (tag == KS_YAML_TAG_FLOAT && r.tag == KS_YAML_TAG_INT)
            r.tag = tag;
        if (tag != KS_YAML_TAG_NONE && tag != r.tag)
            return ks_fail(err, KS_RC_PARSE, "\"%.*s\" does not fit its tag", KS_STR_ARGS(shown));
    }
    if (r.tag == KS_YAML_TAG_FLOAT && !r.has_json)
        return ks_fail(err, KS_RC_PARSE, "\"%.*s\" has no JSON form; quote it if text is meant",
                       KS_STR_ARGS(shown));
    rc = r.has_json ? ks_buf_append_str(out, ks_str_from(r.json)) : ks_buf_append_json(out, text);
    return rc ? append_failure(rc, err) : rc;
}
