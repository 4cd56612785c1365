/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors are lists of terms, all of which must hold.
 *
 *   labels:  term { "," term }     term = key | "!" key | key op value | key in "(" values ")" |
 * key notin ... fields:  term { "," term }     term = path ("=" | "==" | "!=") value
 *
 * 1. Views point into the selector's own copy of the text.
 * 2. An absent label fails "=" and "in", and satisfies "!=" and "notin". An unset field is the
 * empty string.
 *
 * Thread: any.
 */
#include "selector.h"

#include <string.h>

#include "base/alloc.h"
#include "catalog.h"
#include "object.h"
#include "store.h"

#define SELECTOR_TEXT_MAX_BYTES ((size_t)64 * 1024)

enum term_op { OP_EXISTS, OP_ABSENT, OP_IN, OP_NOT_IN, OP_GREATER, OP_LESS };

struct term {
    enum term_op op;
    bool is_field;
    struct ks_str key;
    size_t first; /* its values: [first, first + len) */
    size_t len;
};

struct sim_selector {
    char *text;
    struct term *terms;
    size_t terms_len;
    size_t max; /* terms, and values: every one but the first follows a comma */
    struct ks_str *values;
    size_t values_len;
};

struct parser {
    struct sim_selector *s;
    struct ks_str rest;
    struct ks_error *err;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '<' || c == '>';
}

static void spaces_skip(struct parser *p)
{
    while (p->rest.len > 0 && is_space(p->rest.ptr[0]))
        p->rest = ks_str_sub(p->rest, 1, p->rest.len);
}

static bool char_take(struct parser *p, char c)
{
    spaces_skip(p);
    if (p->rest.len == 0 || p->rest.ptr[0] != c)
        return false;
    p->rest = ks_str_sub(p->rest, 1, p->rest.len);
    return true;
}

static struct ks_str word_take(struct parser *p)
{
    size_t n = 0;
    struct ks_str word;

    spaces_skip(p);
    while (n < p->rest.len && !is_space(p->rest.ptr[n]) && !is_special(p->rest.ptr[n]))
        n++;
    word = ks_str_sub(p->rest, 0, n);
    p->rest = ks_str_sub(p->rest, n, p->rest.len);
    return word;
}

/* The word or sign that comes next, for error sentences. */
static struct ks_str next_peek(struct parser *p)
{
    struct parser look = *p;
    struct ks_str word = word_take(&look);

    spaces_skip(p);
    return word.len > 0 ? word : ks_str_sub(p->rest, 0, 1);
}

static ks_rc parse_fail(struct parser *p, const char *expected)
{
    struct ks_str found = next_peek(p);

    return ks_fail(p->err, KS_RC_INVALID, "unable to parse requirement: found '%.*s', expected: %s",
                   KS_STR_ARGS(found), expected);
}

static ks_rc value_add(struct parser *p, struct term *t, struct ks_str value)
{
    if (p->s->values_len == p->s->max)
        return ks_fail(p->err, KS_RC_LIMIT, "the selector has too many values");
    p->s->values[p->s->values_len++] = value;
    t->len++;
    return KS_RC_OK;
}

static ks_rc values_parse(struct parser *p, struct term *t)
{
    if (!char_take(p, '('))
        return parse_fail(p, "'('");
    do {
        ks_rc rc = value_add(p, t, word_take(p));

        if (rc)
            return rc;
    } while (char_take(p, ','));
    return char_take(p, ')') ? KS_RC_OK : parse_fail(p, "',', or ')'");
}

static ks_rc operator_parse(struct parser *p, struct term *t)
{
    struct ks_str word;

    t->op = OP_IN;
    if (char_take(p, '=')) {
        (void)char_take(p, '='); /* "==" is "=" */
        return value_add(p, t, word_take(p));
    }
    if (char_take(p, '!')) {
        t->op = OP_NOT_IN;
        return char_take(p, '=') ? value_add(p, t, word_take(p))
                                 : parse_fail(p, "in, notin, =, ==, !=, gt, lt");
    }
    if (char_take(p, '>') || char_take(p, '<')) {
        t->op = p->rest.ptr[-1] == '>' ? OP_GREATER : OP_LESS;
        return value_add(p, t, word_take(p));
    }
    word = next_peek(p);
    if (!ks_str_is(word, "in") && !ks_str_is(word, "notin"))
        return parse_fail(p, "in, notin, =, ==, !=, gt, lt");
    t->op = ks_str_is(word, "in") ? OP_IN : OP_NOT_IN;
    (void)word_take(p); /* seen above */
    return values_parse(p, t);
}

static ks_rc label_term_parse(struct parser *p, struct term *t)
{
    bool is_negated = char_take(p, '!');

    t->key = word_take(p);
    if (t->key.len == 0)
        return parse_fail(p, "!, identifier, or 'end of string'");
    spaces_skip(p);
    if (is_negated || p->rest.len == 0 || p->rest.ptr[0] == ',') {
        t->op = is_negated ? OP_ABSENT : OP_EXISTS;
        return KS_RC_OK;
    }
    return operator_parse(p, t);
}

static ks_rc field_term_parse(struct parser *p, struct term *t)
{
    t->is_field = true;
    t->key = word_take(p);
    t->op = char_take(p, '!') ? OP_NOT_IN : OP_IN;
    if (t->key.len == 0 || !char_take(p, '='))
        return ks_fail(p->err, KS_RC_INVALID, "invalid selector: '%s'; can't understand '%.*s'",
                       p->s->text, KS_STR_ARGS(t->key));
    (void)char_take(p, '='); /* "==" is "=" */
    return value_add(p, t, word_take(p));
}

static ks_rc terms_parse(struct sim_selector *s, struct ks_str text, bool is_field,
                         struct ks_error *err)
{
    struct parser p = {.s = s, .rest = text, .err = err};

    for (;;) {
        struct term *t;
        ks_rc rc;

        spaces_skip(&p);
        if (p.rest.len == 0)
            return KS_RC_OK;
        if (s->terms_len == s->max)
            return ks_fail(err, KS_RC_LIMIT, "the selector has too many terms");
        t = &s->terms[s->terms_len];
        t->first = s->values_len;
        rc = is_field ? field_term_parse(&p, t) : label_term_parse(&p, t);
        if (rc)
            return rc;
        s->terms_len++;
        spaces_skip(&p);
        if (p.rest.len > 0 && !char_take(&p, ','))
            return parse_fail(&p, "',' or 'end of string'");
    }
}

static ks_rc fields_check(const struct sim_resource *res, const struct sim_selector *s,
                          struct ks_error *err)
{
    for (size_t i = 0; i < s->terms_len; i++) {
        const struct term *t = &s->terms[i];

        if (t->is_field && !sim_field_is_selectable(res, t->key))
            return ks_fail(err, KS_RC_INVALID, "field label not supported: %.*s",
                           KS_STR_ARGS(t->key));
    }
    return KS_RC_OK;
}

static size_t commas(struct ks_str text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',';
    return n;
}

static bool selector_fill(struct sim_selector *s, struct ks_str labels, struct ks_str fields)
{
    s->max = commas(labels) + commas(fields) + 2;
    s->terms = ks_alloc_array(s->max, sizeof(struct term));
    s->values = ks_alloc_array(s->max, sizeof(struct ks_str));
    s->text = ks_alloc0(labels.len + fields.len + 2);
    if (!s->terms || !s->values || !s->text)
        return false;
    if (labels.len > 0)
        memcpy(s->text + fields.len + 1, labels.ptr, labels.len);
    if (fields.len > 0)
        memcpy(s->text, fields.ptr, fields.len);
    return true;
}

ks_rc sim_selector_new(const struct sim_resource *res, struct ks_str labels, struct ks_str fields,
                       struct sim_selector **out, struct ks_error *err)
{
    struct sim_selector *s;
    ks_rc rc;

    if (labels.len > SELECTOR_TEXT_MAX_BYTES || fields.len > SELECTOR_TEXT_MAX_BYTES)
        return ks_fail(err, KS_RC_LIMIT, "the selector is too long");
    s = ks_alloc0(sizeof(*s));
    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "selector");
    if (labels.len + fields.len == 0) {
        *out = s;
        return KS_RC_OK;
    }
    if (!selector_fill(s, labels, fields)) {
        sim_selector_free(s);
        return ks_fail(err, KS_RC_NOMEM, "selector");
    }
    rc = terms_parse(s, ks_str_make(s->text + fields.len + 1, labels.len), /* is_field= */ false,
                     err);
    if (!rc)
        rc = terms_parse(s, ks_str_make(s->text, fields.len), /* is_field= */ true, err);
    if (!rc)
        rc = fields_check(res, s, err);
    if (rc) {
        sim_selector_free(s);
        return rc;
    }
    *out = s;
    return KS_RC_OK;
}

struct sim_selector *sim_selector_free(struct sim_selector *s)
{
    if (!s)
        return NULL;
    ks_free(s->terms);
    ks_free(s->values);
    ks_free(s->text);
    ks_free(s);
    return NULL;
}

static const struct ks_str *label_find(const struct sim_rev *rev, struct ks_str key)
{
    for (size_t i = 0; i < rev->labels_len; i++) {
        if (ks_str_eq(rev->labels[i].key, key))
            return &rev->labels[i].value;
    }
    return NULL;
}

static bool values_have(const struct sim_selector *s, const struct term *t, struct ks_str value)
{
    for (size_t i = 0; i < t->len; i++) {
        if (ks_str_eq(s->values[t->first + i], value))
            return true;
    }
    return false;
}

static bool number_holds(const struct sim_selector *s, const struct term *t, struct ks_str value)
{
    int64_t have;
    int64_t bound;

    if (!ks_str_to_int64(value, &have) || !ks_str_to_int64(s->values[t->first], &bound))
        return false;
    return t->op == OP_GREATER ? have > bound : have < bound;
}

static bool term_holds(const struct sim_selector *s, const struct term *t,
                       const struct ks_str *value)
{
    switch (t->op) {
    case OP_EXISTS:
        return value != NULL;
    case OP_ABSENT:
        return value == NULL;
    case OP_IN:
        return value && values_have(s, t, *value);
    case OP_NOT_IN:
        return !value || !values_have(s, t, *value);
    case OP_GREATER:
    case OP_LESS:
        return value && number_holds(s, t, *value);
    }
    return false;
}

bool sim_selector_matches(const struct sim_selector *s, const struct sim_rev *rev)
{
    for (size_t i = 0; i < s->terms_len; i++) {
        const struct term *t = &s->terms[i];
        struct ks_str field = t->is_field ? sim_rev_field(rev, t->key) : KS_LIT("");
        const struct ks_str *value = t->is_field ? &field : label_find(rev, t->key);

        if (!term_holds(s, t, value))
            return false;
    }
    return true;
}

bool sim_selector_is_empty(const struct sim_selector *s)
{
    return s->terms_len == 0;
}

static struct ks_str wanted_field(const struct sim_selector *s, const char *field)
{
    for (size_t i = 0; i < s->terms_len; i++) {
        const struct term *t = &s->terms[i];

        if (t->is_field && t->op == OP_IN && t->len == 1 && ks_str_is(t->key, field))
            return s->values[t->first];
    }
    return KS_LIT("");
}

struct ks_str sim_selector_name(const struct sim_selector *s)
{
    return wanted_field(s, "metadata.name");
}

struct ks_str sim_selector_namespace(const struct sim_selector *s)
{
    return wanted_field(s, "metadata.namespace");
}
