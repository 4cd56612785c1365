/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peek: a cursor that walks the members of three known maps (event, object, metadata) and steps
 * over every other value, whatever its depth, by counting brackets outside strings.
 *
 * Invariants:
 *   1. The cursor never passes `end`; at `end` every read says "nothing more".
 *   2. No recursion: the three levels are three functions.
 *   3. is_complete is set by the closing bracket of a metadata that had a name, by nothing else.
 *
 * It stops behind the metadata, so that a usual object costs its head and no more. What the API
 * server writes behind it (spec, status) is of no use here; a type that follows the object is found
 * by parsing.
 *
 * Thread: any.
 */
#include "kube/peek.h"

struct cursor {
    const char *at;
    const char *end;
};

static bool skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
        c->at++;
    return c->at < c->end;
}

/* Steps over one byte if it is the next one after blanks. */
static bool take(struct cursor *c, char byte)
{
    if (!skip_blanks(c) || *c->at != byte)
        return false;
    c->at++;
    return true;
}

/* The cursor stands behind the opening quote. False when the string does not end here. */
static bool take_string_rest(struct cursor *c, struct ks_str *out)
{
    const char *from = c->at;
    bool is_plain = true;

    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\') {
            is_plain = false;
            if (++c->at == c->end)
                return false;
        }
        c->at++;
    }
    if (c->at == c->end)
        return false;
    *out = is_plain ? ks_str_make(from, (size_t)(c->at - from)) : (struct ks_str){0};
    c->at++;
    return true;
}

/* Steps over a map or list whose opening bracket is next. */
static bool skip_brackets(struct cursor *c)
{
    struct ks_str unused;
    size_t depth = 0;

    while (c->at < c->end) {
        char byte = *c->at++;

        if (byte == '"' && !take_string_rest(c, &unused))
            return false;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && --depth == 0)
            return true;
    }
    return false;
}

/* Steps over any value; gives its text when it is a plain string. */
static bool take_value(struct cursor *c, struct ks_str *out)
{
    *out = (struct ks_str){0};
    if (!skip_blanks(c))
        return false;
    if (*c->at == '"') {
        c->at++;
        return take_string_rest(c, out);
    }
    if (*c->at == '{' || *c->at == '[')
        return skip_brackets(c);
    while (c->at < c->end && *c->at != ',' && *c->at != '}' && *c->at != ']')
        c->at++;
    return c->at < c->end;
}

/* The next member's name, with the cursor behind its colon; false at the end of the map. */
static bool take_name(struct cursor *c, struct ks_str *out)
{
    (void)take(c, ','); /* none before the first member */
    return take(c, '"') && take_string_rest(c, out) && take(c, ':');
}

static void peek_metadata(struct cursor *c, struct ks_peek *out)
{
    struct ks_str name;
    struct ks_str value;

    while (take_name(c, &name)) {
        if (!take_value(c, &value))
            return;
        if (ks_str_is(name, "name"))
            out->name = value;
        else if (ks_str_is(name, "namespace"))
            out->ns = value;
        else if (ks_str_is(name, "resourceVersion"))
            out->resource_version = value;
    }
    out->is_complete = take(c, '}') && out->name.len > 0;
}

static void peek_members(struct cursor *c, struct ks_peek *out)
{
    struct ks_str name;
    struct ks_str value;

    while (take_name(c, &name)) {
        if (ks_str_is(name, "metadata") && take(c, '{')) {
            peek_metadata(c, out);
            return;
        }
        if (!take_value(c, &value))
            return;
        if (ks_str_is(name, "kind"))
            out->kind = value;
    }
}

void ks_peek_object(struct ks_str text, struct ks_peek *out)
{
    struct cursor c = {.at = text.ptr, .end = text.ptr + text.len};

    *out = (struct ks_peek){0};
    if (text.len > 0 && take(&c, '{'))
        peek_members(&c, out);
}

void ks_peek_event(struct ks_str line, struct ks_peek *out)
{
    struct cursor c = {.at = line.ptr, .end = line.ptr + line.len};
    struct ks_str name;
    struct ks_str value;

    *out = (struct ks_peek){0};
    if (line.len == 0 || !take(&c, '{'))
        return;
    while (take_name(&c, &name)) {
        if (ks_str_is(name, "object") && take(&c, '{')) {
            peek_members(&c, out);
            return;
        }
        if (!take_value(&c, &value))
            return;
        if (ks_str_is(name, "type"))
            out->type = value;
    }
}
