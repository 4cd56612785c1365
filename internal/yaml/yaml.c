/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From libyaml's events straight to JSON text, without a tree.
 *
 * The document is written as its events come. A stack of frames (one per open map or list) knows
 * what separator is due; an anchored node's JSON is copied aside when it is complete, and an alias
 * is a copy of that text. `<<` is handled on the text as well: its value is written, taken back,
 * and its members spliced into the map around it.
 *
 * libyaml is quadratic in the number of open brackets and in the number of %TAG directives. The
 * first is met by refusing depth at the event that opens it (the scanner runs at most 1 KiB ahead),
 * the second by counting before it is given the text. yaml_parser_load is not used.
 *
 * Invariants:
 *   1. out is valid JSON up to the point reached, with frames[0..depth) still open.
 *   2. Nothing grows beyond limits: out, the copies of all anchors together, frames; an alias
 * counts with the height of what it stands for.
 *   3. An anchor has its JSON only from the end of its node on, so no alias can contain itself.
 *
 * Thread: any.  It does not: drop duplicate keys; they stay in order, and JSON's reader takes the
 * last (internal/json).
 */
#include "yaml/yaml.h"

#include <yaml.h>

#include "base/alloc.h"
#include "base/map.h"
#include "yaml/scalar.h"

#define MAX_ANCHORS 10000
#define MAX_TAG_DIRECTIVES 64
#define MAX_MERGED 64

const struct ks_yaml_limits ks_yaml_limits_kubeconfig = {
    .max_bytes = 1u << 20,
    .max_json_bytes = 4u << 20,
    .max_depth = 32,
};
const struct ks_yaml_limits ks_yaml_limits_manifest = {
    .max_bytes = 16u << 20,
    .max_json_bytes = 64u << 20,
    .max_depth = 64,
};

struct anchor {
    struct anchor *next;
    char *name;
    struct ks_str json; /* owned; empty while the node is open */
    unsigned height;
};

struct frame {
    bool is_map;
    bool has_members;
    bool is_value_due; /* in a map: the key is written */
    bool is_merge;     /* the value due is that of << */
    unsigned height;   /* of the highest child so far */
    size_t start;      /* where the bracket stands in out */
    size_t value_start;
    struct anchor *anchor; /* the node's own, or NULL */
};

struct converter {
    const struct ks_yaml_limits *limits;
    yaml_parser_t parser;
    struct frame *frames;
    unsigned depth;
    struct ks_buf out;
    struct ks_buf scalar;
    struct ks_map *by_name;
    struct anchor *anchors;
    size_t anchor_bytes;
    size_t anchor_count;
    struct ks_error *err;
};

static ks_rc buffer_failure(struct converter *c, ks_rc rc)
{
    if (rc == KS_RC_LIMIT)
        return ks_fail(c->err, rc, "the document becomes more than %zu bytes of JSON",
                       c->limits->max_json_bytes);
    return rc ? ks_fail(c->err, rc, "no memory for a YAML document") : rc;
}

static ks_rc put(struct converter *c, struct ks_str text)
{
    return buffer_failure(c, ks_buf_append_str(&c->out, text));
}

static void cut_out(struct converter *c, size_t len)
{
    c->out.len = len;
    if (c->out.data)
        c->out.data[len] = '\0';
}

static struct frame *top(struct converter *c)
{
    return c->depth ? &c->frames[c->depth - 1] : NULL;
}

static void forget_anchors(struct converter *c)
{
    struct anchor *next;

    for (struct anchor *a = c->anchors; a; a = next) {
        next = a->next;
        if (a->name)
            (void)ks_map_remove(c->by_name, ks_str_from(a->name)); /* once a name is enough */
        ks_free((void *)(uintptr_t)a->json.ptr);
        ks_free(a->name);
        ks_free(a);
    }
    c->anchors = NULL;
    c->anchor_bytes = 0;
    c->anchor_count = 0;
}

/* From here on the name means this node, whatever it meant before. */
static ks_rc define_anchor(struct converter *c, const yaml_char_t *name, struct anchor **out)
{
    struct anchor *a;

    if (c->anchor_count++ == MAX_ANCHORS)
        return ks_fail(c->err, KS_RC_LIMIT, "the document has more than %d anchors", MAX_ANCHORS);
    a = ks_alloc0(sizeof(*a));
    if (!a)
        return buffer_failure(c, KS_RC_NOMEM);
    a->next = c->anchors;
    c->anchors = a;
    a->name = ks_strdup((const char *)name);
    if (!a->name)
        return buffer_failure(c, KS_RC_NOMEM);
    (void)ks_map_remove(c->by_name, ks_str_from(a->name)); /* an older one borrows its own name */
    *out = a;
    return buffer_failure(c, ks_map_put(c->by_name, ks_str_from(a->name), a));
}

static ks_rc complete_anchor(struct converter *c, struct anchor *a, struct ks_str json,
                             unsigned height)
{
    c->anchor_bytes += json.len;
    if (c->anchor_bytes > c->limits->max_json_bytes)
        return buffer_failure(c, KS_RC_LIMIT);
    a->height = height;
    a->json = ks_str_make(ks_memdup0(json.ptr, json.len), json.len);
    return buffer_failure(c, a->json.ptr ? KS_RC_OK : KS_RC_NOMEM);
}

/* What has to stand before a value, a list's element or the root. Not for keys. */
static ks_rc begin_value(struct converter *c)
{
    struct frame *f = top(c);

    if (!f)
        return KS_RC_OK;
    if (f->is_map) {
        f->value_start = c->out.len;
        return KS_RC_OK;
    }
    if (!f->has_members) {
        f->has_members = true;
        return KS_RC_OK;
    }
    return put(c, KS_LIT(","));
}

static size_t skip_string(struct ks_str json, size_t at)
{
    for (at++; json.ptr[at] != '"'; at++)
        at += json.ptr[at] == '\\';
    return at;
}

/* Finds the elements of a JSON list that must hold nothing but maps and lists. */
static ks_rc split_list(struct converter *c, struct ks_str list, struct ks_str *parts, size_t *out)
{
    unsigned depth = 0;
    size_t count = 0;
    size_t start = 0;

    for (size_t i = 0; i < list.len; i++) {
        char ch = list.ptr[i];

        if (depth == 1 && !memchr("[{,]", ch, 4))
            return ks_fail(c->err, KS_RC_PARSE, "<< wants a map or a list of maps");
        if (ch == '"') {
            i = skip_string(list, i);
        } else if (ch == '{' || ch == '[') {
            if (++depth == 2)
                start = i;
        } else if ((ch == '}' || ch == ']') && --depth == 1) {
            if (count == MAX_MERGED)
                return ks_fail(c->err, KS_RC_LIMIT, "<< merges more than %d maps", MAX_MERGED);
            parts[count++] = ks_str_sub(list, start, i + 1 - start);
        }
    }
    *out = count;
    return KS_RC_OK;
}

static ks_rc splice_map(struct converter *c, struct frame *f, struct ks_str map)
{
    struct ks_str members;
    ks_rc rc = KS_RC_OK;

    if (map.ptr[0] != '{')
        return ks_fail(c->err, KS_RC_PARSE, "<< wants a map or a list of maps");
    members = ks_str_sub(map, 1, map.len - 2);
    if (members.len == 0)
        return rc;
    if (f->has_members)
        rc = put(c, KS_LIT(","));
    f->has_members = true;
    return rc ? rc : put(c, members);
}

/* Replaces the value of <<, which stands at the end of out, by its members. Of a list of maps the
 * first wins, so it is written last. */
static ks_rc merge_value(struct converter *c, struct frame *f)
{
    struct ks_str maps[MAX_MERGED];
    size_t len = c->out.len - f->value_start;
    KS_CLEANUP(ks_freep) char *copy = ks_memdup0(c->out.data + f->value_start, len);
    struct ks_str value = ks_str_make(copy, len);
    size_t count = 0;
    ks_rc rc;

    if (!copy)
        return buffer_failure(c, KS_RC_NOMEM);
    f->is_merge = false;
    cut_out(c, f->value_start);
    if (copy[0] != '[')
        return splice_map(c, f, value);
    rc = split_list(c, value, maps, &count);
    while (!rc && count > 0)
        rc = splice_map(c, f, maps[--count]);
    return rc;
}

/* A whole node of that height has been written. */
static ks_rc end_value(struct converter *c, unsigned height)
{
    struct frame *f = top(c);

    if (!f)
        return KS_RC_OK;
    if (f->height < height)
        f->height = height;
    if (!f->is_map)
        return KS_RC_OK;
    f->is_value_due = false;
    return f->is_merge ? merge_value(c, f) : KS_RC_OK;
}

/* json is a scalar's JSON form; a key is its text, whatever type it has. */
static ks_rc put_key(struct converter *c, struct ks_str json)
{
    struct frame *f = top(c);
    bool is_string = json.ptr[0] == '"';
    ks_rc rc = KS_RC_OK;

    if (json.ptr[0] == '{' || json.ptr[0] == '[' || ks_str_is(json, "null"))
        return ks_fail(c->err, KS_RC_PARSE, "a map's key must be text, a number or a boolean");
    if (f->has_members)
        rc = put(c, KS_LIT(","));
    f->has_members = true;
    f->is_value_due = true;
    if (!rc && !is_string)
        rc = put(c, KS_LIT("\""));
    if (!rc)
        rc = put(c, json);
    if (!rc)
        rc = put(c, is_string ? KS_LIT(":") : KS_LIT("\":"));
    return rc;
}

static bool is_key_due(struct converter *c)
{
    const struct frame *f = top(c);

    return f && f->is_map && !f->is_value_due;
}

static ks_rc on_alias(struct converter *c, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *a = ks_map_find(c->by_name, ks_str_from(name));
    ks_rc rc;

    if (!a)
        return ks_fail(c->err, KS_RC_PARSE, "no node before *%.60s has that anchor", name);
    if (!a->json.ptr)
        return ks_fail(c->err, KS_RC_PARSE, "*%.60s stands inside the node that it means", name);
    if (c->depth && top(c)->is_merge && a->json.ptr[0] != '{')
        return ks_fail(c->err, KS_RC_PARSE, "<< wants a map, and *%.60s is none", name);
    if (is_key_due(c))
        return put_key(c, a->json);
    if (c->depth + a->height > c->limits->max_depth)
        return ks_fail(c->err, KS_RC_LIMIT, "*%.60s nests deeper than %u levels", name,
                       c->limits->max_depth);
    rc = begin_value(c);
    if (!rc)
        rc = put(c, a->json);
    return rc ? rc : end_value(c, a->height);
}

static ks_yaml_tag tag_of(const yaml_event_t *event)
{
    const char *uri = (const char *)event->data.scalar.tag;

    if (!uri && !event->data.scalar.plain_implicit)
        return KS_YAML_TAG_STR;
    return ks_yaml_tag_parse(uri);
}

static bool is_merge_key(const yaml_event_t *event, struct ks_str text)
{
    const char *uri = (const char *)event->data.scalar.tag;

    if (!ks_str_is(text, "<<"))
        return false;
    return event->data.scalar.plain_implicit ||
           (uri && strcmp(uri, "tag:yaml.org,2002:merge") == 0);
}

static ks_rc on_scalar(struct converter *c, const yaml_event_t *event)
{
    struct ks_str text =
        ks_str_make((const char *)event->data.scalar.value, event->data.scalar.length);
    struct anchor *anchor = NULL;
    bool is_key = is_key_due(c);
    ks_rc rc;

    if (is_key && is_merge_key(event, text)) {
        top(c)->is_merge = true;
        top(c)->is_value_due = true;
        return KS_RC_OK;
    }
    ks_buf_clear(&c->scalar);
    rc = ks_yaml_scalar_append(&c->scalar, text, tag_of(event), c->err);
    if (!rc && event->data.scalar.anchor)
        rc = define_anchor(c, event->data.scalar.anchor, &anchor);
    if (!rc && anchor)
        rc = complete_anchor(c, anchor, ks_buf_str(&c->scalar), 0);
    if (rc)
        return rc;
    if (is_key)
        return put_key(c, ks_buf_str(&c->scalar));
    rc = begin_value(c);
    if (!rc)
        rc = put(c, ks_buf_str(&c->scalar));
    return rc ? rc : end_value(c, 0);
}

static ks_rc on_open(struct converter *c, bool is_map, const yaml_char_t *name)
{
    struct anchor *anchor = NULL;
    ks_rc rc;

    if (is_key_due(c))
        return ks_fail(c->err, KS_RC_PARSE, "a map's key must be text, a number or a boolean");
    if (c->depth == c->limits->max_depth)
        return ks_fail(c->err, KS_RC_LIMIT, "YAML is nested deeper than %u levels",
                       c->limits->max_depth);
    rc = begin_value(c);
    if (!rc && name)
        rc = define_anchor(c, name, &anchor);
    if (rc)
        return rc;
    c->frames[c->depth++] = (struct frame){.is_map = is_map, .start = c->out.len, .anchor = anchor};
    return put(c, is_map ? KS_LIT("{") : KS_LIT("["));
}

static ks_rc on_close(struct converter *c)
{
    struct frame *f = top(c);
    unsigned height = f->height + 1;
    ks_rc rc;

    rc = put(c, f->is_map ? KS_LIT("}") : KS_LIT("]"));
    if (rc)
        return rc;
    c->depth--;
    if (f->anchor) {
        rc = complete_anchor(c, f->anchor,
                             ks_str_make(c->out.data + f->start, c->out.len - f->start), height);
        if (rc)
            return rc;
    }
    return end_value(c, height);
}

static ks_rc on_event(struct converter *c, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(c, event);
    case YAML_ALIAS_EVENT:
        return on_alias(c, event);
    case YAML_MAPPING_START_EVENT:
        return on_open(c, true, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(c, false, event->data.sequence_start.anchor);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_close(c);
    case YAML_DOCUMENT_START_EVENT:
        ks_buf_clear(&c->out);
        return KS_RC_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return KS_RC_OK;
}

static ks_rc parser_failure(struct converter *c)
{
    const yaml_parser_t *p = &c->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return ks_fail(c->err, KS_RC_NOMEM, "no memory for a YAML parser");
    if (p->error == YAML_READER_ERROR)
        return ks_fail(c->err, KS_RC_PARSE, "YAML byte %zu: %s", p->problem_offset, p->problem);
    return ks_fail(c->err, KS_RC_PARSE, "YAML line %zu, column %zu: %s%s%s",
                   p->problem_mark.line + 1, p->problem_mark.column + 1,
                   p->context ? p->context : "", p->context ? ": " : "",
                   p->problem ? p->problem : "not understood");
}

static ks_rc convert(struct converter *c, ks_yaml_document_fn on_document, void *ctx)
{
    bool is_ended = false;
    size_t line = 0;
    ks_rc rc = KS_RC_OK;

    while (!rc && !is_ended) {
        yaml_event_t event;

        if (!yaml_parser_parse(&c->parser, &event))
            return parser_failure(c);
        is_ended = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            line = event.start_mark.line + 1;
        rc = on_event(c, &event);
        if (rc)
            rc = ks_wrap(c->err, rc, "YAML line %zu, column %zu", event.start_mark.line + 1,
                         event.start_mark.column + 1);
        if (!rc && event.type == YAML_DOCUMENT_END_EVENT) {
            forget_anchors(c);
            if (!ks_str_is(ks_buf_str(&c->out), "null"))
                rc = on_document(ctx, ks_buf_str(&c->out), line);
        }
        yaml_event_delete(&event);
    }
    return rc;
}

/* %TAG at the start of a line, by any of YAML's line breaks, wherever it stands: libyaml compares
 * each directive with all before it. */
static size_t count_tag_directives(struct ks_str text)
{
    static const char line_ends[] = "\n\r\x85\xa8\xa9\xbf"; /* last bytes of NEL, LS, PS, BOM */
    size_t count = 0;

    for (size_t i = 0; i + 4 <= text.len; i++) {
        if (text.ptr[i] != '%' || memcmp(text.ptr + i, "%TAG", 4) != 0)
            continue;
        count += i == 0 || memchr(line_ends, text.ptr[i - 1], sizeof(line_ends) - 1) != NULL;
    }
    return count;
}

static void fini(struct converter *c)
{
    if (c->by_name)
        forget_anchors(c);
    c->by_name = ks_map_free(c->by_name);
    ks_free(c->frames);
    ks_buf_fini(&c->scalar);
    ks_buf_fini(&c->out);
}

ks_rc ks_yaml_to_json(struct ks_str text, const struct ks_yaml_limits *limits,
                      ks_yaml_document_fn on_document, void *ctx, struct ks_error *err)
{
    KS_CLEANUP(fini) struct converter c = {.limits = limits, .err = err};
    ks_rc rc;

    ks_buf_init(&c.out, limits->max_json_bytes);
    ks_buf_init(&c.scalar, limits->max_json_bytes);
    if (text.len > limits->max_bytes)
        return ks_fail(err, KS_RC_LIMIT, "YAML of %zu bytes is longer than the %zu allowed",
                       text.len, limits->max_bytes);
    if (count_tag_directives(text) > MAX_TAG_DIRECTIVES)
        return ks_fail(err, KS_RC_LIMIT, "YAML has more than %d %%TAG directives",
                       MAX_TAG_DIRECTIVES);
    c.frames = ks_alloc_array(limits->max_depth, sizeof(*c.frames));
    c.by_name = ks_map_new(MAX_ANCHORS);
    if (!c.frames || !c.by_name || !yaml_parser_initialize(&c.parser))
        return ks_fail(err, KS_RC_NOMEM, "no memory for a YAML parser");
    yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
    rc = convert(&c, on_document, ctx);
    yaml_parser_delete(&c.parser);
    return rc;
}
