/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors and names as the API server reads them, checked before they go into a URL, so that a
 * mistake is told with its place instead of coming back as somebody else's "400 Bad Request".
 *
 * A label selector is cut into tokens (a word, or one of ( ) , = == != ! > <); each requirement is
 * then one short function. A field selector has no words: it is cut at commas and operators, and a
 * backslash protects the next byte.
 *
 *   label:  [!]KEY | KEY (= | == | != | > | <) VALUE | KEY (in | notin) "(" VALUE {"," VALUE} ")"
 * joined by commas field:  PATH (= | == | !=) VALUE joined by commas
 *
 * Invariants: 1. time is linear in the text; 2. every error names the byte at which it was seen.
 *
 * Thread: any.  It does not: match objects. The API server sends an object that leaves a selector
 * as it was before it left, so that matching on our side could not tell leaving from deletion.
 */
#include "watcher/selector.h"

#define NAME_BYTES_MAX 253
#define LABEL_BYTES_MAX 63

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* RFC 1123 label: lower-case letters, digits and inner dashes. */
static bool is_dns_label(struct ks_str s)
{
    if (s.len == 0 || s.len > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_lower_alnum(s.ptr[i]) && s.ptr[i] != '-')
            return false;
    }
    return is_lower_alnum(s.ptr[0]) && is_lower_alnum(s.ptr[s.len - 1]);
}

static bool is_dns_subdomain(struct ks_str s)
{
    struct ks_str label;

    if (s.len == 0 || s.len > NAME_BYTES_MAX || ks_str_ends(s, KS_LIT(".")))
        return false;
    while (ks_str_split(&s, '.', &label)) {
        if (!is_dns_label(label))
            return false;
    }
    return true;
}

/* The name of a label, and its value: letters, digits, and inner '-', '_' and '.'. */
static bool is_label_word(struct ks_str s)
{
    if (s.len == 0 || s.len > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return is_alnum(s.ptr[0]) && is_alnum(s.ptr[s.len - 1]);
}

static bool is_label_key(struct ks_str s)
{
    ptrdiff_t slash = ks_str_chr(s, '/');

    if (slash < 0)
        return is_label_word(s);
    return is_dns_subdomain(ks_str_sub(s, 0, (size_t)slash)) &&
           is_label_word(ks_str_sub(s, (size_t)slash + 1, s.len));
}

typedef enum {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_NOT,
    TOKEN_GREATER,
    TOKEN_LESS,
} token_type;

struct scanner {
    struct ks_str text;
    size_t at; /* behind the current token */
    token_type type;
    struct ks_str token;
    struct ks_error *err;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
    return c == '(' || c == ')' || c == ',' || c == '=' || c == '!' || c == '>' || c == '<';
}

static token_type special_type(struct ks_str token)
{
    if (token.len == 2)
        return token.ptr[0] == '!' ? TOKEN_NOT_EQUAL : TOKEN_EQUAL;
    switch (token.ptr[0]) {
    case '(':
        return TOKEN_OPEN;
    case ')':
        return TOKEN_CLOSE;
    case ',':
        return TOKEN_COMMA;
    case '=':
        return TOKEN_EQUAL;
    case '!':
        return TOKEN_NOT;
    case '>':
        return TOKEN_GREATER;
    default:
        return TOKEN_LESS;
    }
}

static void next_token(struct scanner *s)
{
    size_t start;

    while (s->at < s->text.len && is_blank(s->text.ptr[s->at]))
        s->at++;
    start = s->at;
    if (start == s->text.len) {
        s->type = TOKEN_END;
        s->token = (struct ks_str){0};
        return;
    }
    if (is_special(s->text.ptr[start])) {
        char first = s->text.ptr[start];

        s->at++;
        if ((first == '=' || first == '!') && s->at < s->text.len && s->text.ptr[s->at] == '=')
            s->at++;
        s->token = ks_str_sub(s->text, start, s->at - start);
        s->type = special_type(s->token);
        return;
    }
    while (s->at < s->text.len && !is_special(s->text.ptr[s->at]) && !is_blank(s->text.ptr[s->at]))
        s->at++;
    s->token = ks_str_sub(s->text, start, s->at - start);
    s->type = TOKEN_WORD;
}

static ks_rc unexpected(const struct scanner *s, const char *wanted)
{
    if (s->type == TOKEN_END)
        return ks_fail(s->err, KS_RC_INVALID, "the selector ends where %s is expected", wanted);
    return ks_fail(s->err, KS_RC_INVALID, "\"%.*s\" at byte %zu of the selector is not %s",
                   KS_STR_ARGS(ks_str_cut_utf8(s->token, 100)), s->at - s->token.len + 1, wanted);
}

static ks_rc check_value(const struct scanner *s)
{
    if (s->token.len && !is_label_word(s->token))
        return unexpected(s, "a label value (at most 63 letters, digits, '-', '_' and '.', "
                             "beginning and ending with a letter or digit)");
    return KS_RC_OK;
}

/* VALUE, which may be empty. */
static ks_rc read_value(struct scanner *s)
{
    ks_rc rc;

    if (s->type == TOKEN_END || s->type == TOKEN_COMMA)
        return KS_RC_OK;
    if (s->type != TOKEN_WORD)
        return unexpected(s, "a label value");
    rc = check_value(s);
    next_token(s);
    return rc;
}

static ks_rc read_integer(struct scanner *s)
{
    int64_t value;

    if (s->type != TOKEN_WORD || !ks_str_to_int64(s->token, &value))
        return unexpected(s, "an integer, which '>' and '<' compare with");
    next_token(s);
    return KS_RC_OK;
}

/* "(" VALUE {"," VALUE} ")", values may be empty, but not the whole list. */
static ks_rc read_set(struct scanner *s)
{
    ks_rc rc;

    if (s->type != TOKEN_OPEN)
        return unexpected(s, "'(', which opens the list of values");
    next_token(s);
    if (s->type == TOKEN_CLOSE)
        return unexpected(s, "a label value: the list must have at least one");
    while (s->type != TOKEN_CLOSE) {
        if (s->type == TOKEN_WORD) {
            rc = check_value(s);
            if (rc)
                return rc;
            next_token(s);
        }
        if (s->type == TOKEN_COMMA)
            next_token(s);
        else if (s->type != TOKEN_CLOSE)
            return unexpected(s, "a label value, ',' or ')'");
    }
    next_token(s);
    return KS_RC_OK;
}

static ks_rc read_key(struct scanner *s)
{
    if (s->type != TOKEN_WORD || !is_label_key(s->token))
        return unexpected(s, "a label key ([DOMAIN/]NAME)");
    next_token(s);
    return KS_RC_OK;
}

static ks_rc read_requirement(struct scanner *s)
{
    ks_rc rc;

    if (s->type == TOKEN_NOT) {
        next_token(s);
        return read_key(s);
    }
    rc = read_key(s);
    if (rc || s->type == TOKEN_END || s->type == TOKEN_COMMA)
        return rc;
    if (s->type == TOKEN_EQUAL || s->type == TOKEN_NOT_EQUAL) {
        next_token(s);
        return read_value(s);
    }
    if (s->type == TOKEN_GREATER || s->type == TOKEN_LESS) {
        next_token(s);
        return read_integer(s);
    }
    if (s->type == TOKEN_WORD && (ks_str_is(s->token, "in") || ks_str_is(s->token, "notin"))) {
        next_token(s);
        return read_set(s);
    }
    return unexpected(s, "an operator (=, ==, !=, in, notin, > or <)");
}

static ks_rc check_length(struct ks_str text, struct ks_error *err)
{
    if (text.len > KS_SELECTOR_MAX_BYTES)
        return ks_fail(err, KS_RC_INVALID, "the selector has %zu bytes, at most %d are allowed",
                       text.len, KS_SELECTOR_MAX_BYTES);
    return KS_RC_OK;
}

ks_rc ks_label_selector_check(struct ks_str text, struct ks_error *err)
{
    struct scanner s = {.text = text, .err = err};
    ks_rc rc = check_length(text, err);

    if (rc)
        return rc;
    next_token(&s);
    if (s.type == TOKEN_END)
        return KS_RC_OK;
    for (;;) {
        rc = read_requirement(&s);
        if (rc)
            return rc;
        if (s.type == TOKEN_END)
            return KS_RC_OK;
        if (s.type != TOKEN_COMMA)
            return unexpected(&s, "','");
        next_token(&s);
    }
}

/* One part between commas of a field selector. */
struct term {
    struct ks_str path;
    struct ks_str value; /* still escaped */
};

/* The position of the first unprotected byte of the set at or after from; the text's length when
 * there is none. */
static size_t find_bare(struct ks_str text, size_t from, const char *set)
{
    for (size_t i = from; i < text.len; i++) {
        if (text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] != '\0' && strchr(set, text.ptr[i]))
            return i;
    }
    return text.len;
}

static bool split_term(struct ks_str part, struct term *out)
{
    size_t op = find_bare(part, 0, "=!");
    size_t op_len = 1;

    if (op == 0 || op == part.len)
        return false;
    if (op + 1 < part.len && part.ptr[op + 1] == '=')
        op_len = 2;
    else if (part.ptr[op] == '!')
        return false;
    out->path = ks_str_sub(part, 0, op);
    out->value = ks_str_sub(part, op + op_len, part.len);
    return true;
}

/* A backslash may protect itself, a comma and an equals sign. */
static bool is_escaped_well(struct ks_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '=' || (unsigned char)value.ptr[i] < ' ')
            return false;
        if (value.ptr[i] != '\\')
            continue;
        i++;
        if (i == value.len || (value.ptr[i] != '\\' && value.ptr[i] != ',' && value.ptr[i] != '='))
            return false;
    }
    return ks_str_is_utf8(value);
}

static bool is_field_path(struct ks_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];

        if (!is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '[' && c != ']' && c != '/')
            return false;
    }
    return path.len > 0;
}

/* Cuts the next part off; false at the end. Empty parts are skipped, as the API server does. */
static bool next_part(struct ks_str text, size_t *at, struct ks_str *out)
{
    while (*at < text.len) {
        size_t end = find_bare(text, *at, ",");

        *out = ks_str_sub(text, *at, end - *at);
        *at = end + 1;
        if (out->len)
            return true;
    }
    return false;
}

ks_rc ks_field_selector_check(struct ks_str text, struct ks_error *err)
{
    struct ks_str part;
    struct term term;
    size_t at = 0;
    ks_rc rc = check_length(text, err);

    while (!rc && next_part(text, &at, &part)) {
        size_t from = (size_t)(part.ptr - text.ptr) + 1;

        if (!split_term(part, &term))
            rc = ks_fail(err, KS_RC_INVALID,
                         "\"%.*s\" at byte %zu of the selector is no FIELD=VALUE or FIELD!=VALUE",
                         KS_STR_ARGS(ks_str_cut_utf8(part, 100)), from);
        else if (!is_field_path(term.path))
            rc = ks_fail(err, KS_RC_INVALID, "\"%.*s\" at byte %zu of the selector is no field",
                         KS_STR_ARGS(ks_str_cut_utf8(term.path, 100)), from);
        else if (!is_escaped_well(term.value))
            rc = ks_fail(err, KS_RC_INVALID,
                         "the value of %.*s, at byte %zu of the selector, has an '=' or a control "
                         "character in it, or a '\\' before something else than '\\', ',' and '='",
                         KS_STR_ARGS(term.path), from);
    }
    return rc;
}

bool ks_field_selector_is_lasting(struct ks_str text)
{
    struct ks_str part;
    struct term term;
    size_t at = 0;

    while (next_part(text, &at, &part)) {
        if (!split_term(part, &term) ||
            (!ks_str_is(term.path, "metadata.name") && !ks_str_is(term.path, "metadata.namespace")))
            return false;
    }
    return true;
}

ks_rc ks_object_name_check(struct ks_str text, struct ks_error *err)
{
    if (text.len == 0)
        return ks_fail(err, KS_RC_INVALID, "the name is empty");
    if (text.len > NAME_BYTES_MAX)
        return ks_fail(err, KS_RC_INVALID, "the name has %zu bytes, at most %d are allowed",
                       text.len, NAME_BYTES_MAX);
    if (ks_str_is(text, ".") || ks_str_is(text, ".."))
        return ks_fail(err, KS_RC_INVALID, "\"%.*s\" cannot be a name", KS_STR_ARGS(text));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '/' || c == '%' || c <= ' ' || c >= 0x7f)
            return ks_fail(err, KS_RC_INVALID,
                           "byte %zu of the name, 0x%02x, cannot stand in a name", i + 1, c);
    }
    return KS_RC_OK;
}

ks_rc ks_namespace_check(struct ks_str text, struct ks_error *err)
{
    if (!is_dns_label(text))
        return ks_fail(err, KS_RC_INVALID,
                       "\"%.*s\" is no namespace: at most 63 lower-case letters, digits and "
                       "dashes, beginning and ending with a letter or digit",
                       KS_STR_ARGS(ks_str_cut_utf8(text, 100)));
    return KS_RC_OK;
}
