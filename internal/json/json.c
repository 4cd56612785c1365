/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON view: scan, tokenize, link.
 *
 * jsmn is a tokenizer that accepts much that is no JSON, stops at a NUL byte and is quadratic in
 * nesting depth, so it never sees a text that has not been proved good. Three passes, each linear:
 *
 *   scan (scan.c)  the whole grammar with its limits: depth, tokens, bytes, number range;
 *   jsmn           the tokens, into an array that the scan has measured;
 *   link           for each token, where its subtree ends, so that a sibling is one step away.
 *
 * A verdict looks at a small part of an object: never at managedFields or the text of a ConfigMap,
 * seldom at a Pod template. So the last two passes leave out what is within the scan's parts (large
 * maps and lists), and are run over a part when somebody first looks into it. jsmn makes a token
 * for a part as for any list or map, but sees nothing between its brackets. The tokens of the part
 * are then made behind all others, beginning with one for its brackets again: the part's root,
 * which is never handed out.
 *
 * A jsmn token carries `parent` (JSMN_PARENT_LINKS) and `size`; the latter counts children, which
 * nobody needs once the grammar is proved, so link() keeps there what walking needs:
 *
 *   map, list  index of the first token behind the subtree; of a part, -1 - its number;
 *   string     where its decoded form is: TEXT_UNKNOWN, TEXT_PLAIN, or TEXT_DECODED + index in
 * `decoded`.
 *
 * Invariants:
 *   1. token_count is 0 unless the last parse succeeded, and every handle is checked against it.
 *   2. A token's parent has a smaller index; a member's value has its key as parent, a key its map.
 * The top-level token and the parts' roots have none.
 *   3. Decoded strings live until the next parse; each string is decoded at most once.
 *   4. The array has room for all tokens and all roots of parts: looking into a part cannot fail.
 *
 * Thread: one at a time.  It does not: convert numbers to double, build trees, or change the text.
 */
#include "json/json.h"

#include <assert.h>
#include <limits.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/scan.h"
#include "json/text.h"

enum { TEXT_UNKNOWN, TEXT_PLAIN, TEXT_DECODED };

#define NO_TOKEN (-1)

/* What ks_json_trim leaves: enough for a large Pod. */
#define USUAL_TOKENS 4096u

struct ks_json {
    struct ks_json_limits limits;
    struct ks_str text;
    jsmntok_t *tokens;
    size_t token_cap;
    size_t token_count;
    unsigned char *levels; /* the scan's stack, limits.max_depth long */
    struct ks_json_scan scan;
    int part_tokens[KS_JSON_PARTS_MAX]; /* each part's own token, or NO_TOKEN */
    int part_roots[KS_JSON_PARTS_MAX];  /* and its root; 0: not looked into */
    struct ks_str *decoded;
    size_t decoded_cap;
    size_t decoded_count;
    bool out_of_memory;
};

const struct ks_json_limits ks_json_limits_object = {
    .max_bytes = 16u << 20,
    .max_tokens = 256u << 10,
    .max_depth = 512,
};

ks_rc ks_json_new(const struct ks_json_limits *limits, struct ks_json **out, struct ks_error *err)
{
    struct ks_json *json;

    /* jsmn's offsets are int. */
    if (limits->max_bytes > INT_MAX || limits->max_tokens > INT_MAX - KS_JSON_PARTS_MAX ||
        limits->max_depth == 0)
        return ks_fail(err, KS_RC_INVALID, "JSON limits are out of range");
    json = ks_alloc0(sizeof(*json));
    if (!json)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a JSON parser");
    json->limits = *limits;
    json->levels = ks_alloc_array(limits->max_depth, sizeof(*json->levels));
    if (!json->levels) {
        ks_json_free(json);
        return ks_fail(err, KS_RC_NOMEM, "no memory for a JSON parser");
    }
    json->scan = (struct ks_json_scan){.levels = json->levels, .limits = &json->limits};
    *out = json;
    return KS_RC_OK;
}

static void drop_document(struct ks_json *json)
{
    for (size_t i = 0; i < json->decoded_count; i++)
        ks_free((void *)(uintptr_t)json->decoded[i].ptr);
    json->decoded_count = 0;
    json->token_count = 0;
    json->text = (struct ks_str){0};
    json->out_of_memory = false;
}

struct ks_json *ks_json_free(struct ks_json *json)
{
    if (!json)
        return NULL;
    drop_document(json);
    ks_free(json->decoded);
    ks_free(json->levels);
    ks_free(json->tokens);
    ks_free(json);
    return NULL;
}

void ks_json_trim(struct ks_json *json)
{
    drop_document(json);
    ks_free(json->decoded);
    json->decoded = NULL;
    json->decoded_cap = 0;
    if (json->token_cap <= USUAL_TOKENS)
        return;
    ks_free(json->tokens);
    json->tokens = NULL;
    json->token_cap = 0;
}

/* The old content is of no use, so this frees before it allocates: the peak is one array. */
static ks_rc reserve_tokens(struct ks_json *json, size_t count, struct ks_error *err)
{
    size_t cap = json->token_cap ? json->token_cap : 256;

    if (count <= json->token_cap)
        return KS_RC_OK;
    while (cap < count)
        cap *= 2;
    if (cap > json->limits.max_tokens + KS_JSON_PARTS_MAX)
        cap = json->limits.max_tokens + KS_JSON_PARTS_MAX;
    ks_free(json->tokens);
    json->token_cap = 0;
    json->tokens = ks_alloc_array(cap, sizeof(*json->tokens));
    if (!json->tokens)
        return ks_fail(err, KS_RC_NOMEM, "no memory for %zu JSON tokens", cap);
    json->token_cap = cap;
    return KS_RC_OK;
}

/*
 * Backwards, each subtree's end is known when it is passed up: children have larger indices than
 * parents. What jsmn left in `size` is the count of children, which is smaller than any end.
 * Parents come relative to base and become indices.
 */
static void link_tokens(jsmntok_t *tokens, size_t base, size_t count, int string_form)
{
    for (size_t i = base + count - 1; i > base; i--) {
        jsmntok_t *token = &tokens[i];
        int end = token->size > (int)i ? token->size : (int)i + 1;
        jsmntok_t *parent;

        token->parent += (int)base;
        parent = &tokens[token->parent];
        if (parent->size < end)
            parent->size = end;
        token->size = token->type == JSMN_STRING ? string_form : end;
    }
    if (tokens[base].size <= (int)base)
        tokens[base].size = (int)base + 1;
}

/*
 * Lets jsmn look at the text from start to end, which is one map or list, but not into the parts
 * from number `part` on; puts the tokens behind those that there are. A part's opening bracket is
 * where jsmn runs out of text; it goes on at the closing one. False when jsmn disagrees with the
 * scan.
 */
static bool tokenize(struct ks_json *json, const struct ks_json_part *range, size_t part)
{
    const struct ks_json_scan *scan = &json->scan;
    jsmntok_t *tokens = json->tokens + json->token_count;
    size_t first_part = part;
    unsigned expected = (unsigned)range->token_count;
    jsmn_parser parser;
    size_t base = json->token_count;

    jsmn_init(&parser);
    parser.pos = (unsigned)range->start;
    while (part < scan->part_count && scan->parts[part].start < range->end) {
        const struct ks_json_part *hidden = &scan->parts[part];

        if (jsmn_parse(&parser, json->text.ptr, hidden->start + 1, tokens, expected) !=
            JSMN_ERROR_PART)
            return false;
        json->part_tokens[part] = (int)(base + parser.toknext) - 1;
        parser.pos = (unsigned)hidden->end - 1;
        expected -= (unsigned)hidden->token_count - 1;
        json->part_roots[part] = 0;
        while (++part < scan->part_count && scan->parts[part].start < hidden->end)
            json->part_tokens[part] = NO_TOKEN;
    }
    if (jsmn_parse(&parser, json->text.ptr, range->end, tokens, expected) < 0 ||
        parser.toknext != expected)
        return false;
    link_tokens(json->tokens, base, expected, range->has_odd_text ? TEXT_UNKNOWN : TEXT_PLAIN);
    for (; first_part < part; first_part++) {
        if (json->part_tokens[first_part] != NO_TOKEN)
            json->tokens[json->part_tokens[first_part]].size = -1 - (int)first_part;
    }
    json->token_count += expected;
    return true;
}

ks_rc ks_json_parse(struct ks_json *json, struct ks_str text, struct ks_error *err)
{
    struct ks_json_part whole = {.end = text.len};
    ks_rc rc;

    drop_document(json);
    rc = ks_json_scan_run(&json->scan, text, err);
    if (rc)
        return rc;
    whole.token_count = json->scan.token_count;
    whole.has_odd_text = json->scan.has_odd_text;
    rc = reserve_tokens(json, whole.token_count + json->scan.part_count, err);
    if (rc)
        return rc;
    json->text = text;
    if (!tokenize(json, &whole, 0)) {
        drop_document(json);
        return ks_fail(err, KS_RC_PARSE, "JSON text and its tokens disagree");
    }
    return KS_RC_OK;
}

/* Handles are index + 1, so that the zero value is ABSENT. */
static struct ks_json_value value_at(struct ks_json *json, size_t index)
{
    return (struct ks_json_value){.doc = json, .at = (uint32_t)index + 1};
}

static const struct ks_json_value absent = {0};

static jsmntok_t *token_of(struct ks_json_value v)
{
    if (!v.doc || v.at == 0 || v.at > v.doc->token_count)
        return NULL;
    return &v.doc->tokens[v.at - 1];
}

static struct ks_str token_text(const struct ks_json *json, const jsmntok_t *token)
{
    return ks_str_make(json->text.ptr + token->start, (size_t)(token->end - token->start));
}

struct ks_json_value ks_json_root(struct ks_json *json)
{
    return json->token_count ? value_at(json, 0) : absent;
}

bool ks_json_out_of_memory(const struct ks_json *json)
{
    return json->out_of_memory;
}

static ks_json_type primitive_type(struct ks_str text)
{
    int64_t ignored;

    switch (text.ptr[0]) {
    case 'n':
        return KS_JSON_NULL;
    case 't':
    case 'f':
        return KS_JSON_BOOL;
    default:
        return ks_str_to_int64(text, &ignored) ? KS_JSON_INT : KS_JSON_DOUBLE;
    }
}

ks_json_type ks_json_type_of(struct ks_json_value v)
{
    const jsmntok_t *token = token_of(v);

    if (!token)
        return KS_JSON_ABSENT;
    switch (token->type) {
    case JSMN_OBJECT:
        return KS_JSON_MAP;
    case JSMN_ARRAY:
        return KS_JSON_LIST;
    case JSMN_STRING:
        return KS_JSON_STRING;
    case JSMN_PRIMITIVE:
        return primitive_type(token_text(v.doc, token));
    case JSMN_UNDEFINED:
        break;
    }
    return KS_JSON_ABSENT;
}

bool ks_json_is_absent(struct ks_json_value v)
{
    return !token_of(v);
}

/* Index of the first token behind the subtree at index. */
static size_t subtree_end(const struct ks_json *json, size_t index)
{
    const jsmntok_t *token = &json->tokens[index];

    if ((token->type == JSMN_OBJECT || token->type == JSMN_ARRAY) && token->size > 0)
        return (size_t)token->size;
    return index + 1;
}

/* Where the children of the map or list at index are: behind it, or behind the root of the part
 * that it is. */
static size_t opened(struct ks_json *json, size_t index)
{
    int size = json->tokens[index].size;
    size_t part;

    if (size >= 0)
        return index;
    part = (size_t)(-1 - size);
    if (json->part_roots[part] == 0) {
        size_t root = json->token_count;
        bool is_ok = tokenize(json, &json->scan.parts[part], part + 1);

        assert(is_ok);
        json->part_roots[part] = (int)root;
    }
    return (size_t)json->part_roots[part];
}

struct ks_json_value ks_json_first(struct ks_json_value v)
{
    const jsmntok_t *token = token_of(v);
    size_t at;

    if (!token || (token->type != JSMN_OBJECT && token->type != JSMN_ARRAY))
        return absent;
    at = opened(v.doc, v.at - 1) + 1;
    if (subtree_end(v.doc, at - 1) == at) /* it ends behind the token itself: empty */
        return absent;
    return value_at(v.doc, token->type == JSMN_OBJECT ? at + 1 : at);
}

struct ks_json_value ks_json_next(struct ks_json_value element)
{
    const jsmntok_t *token = token_of(element);
    struct ks_json *json = element.doc;
    const jsmntok_t *up;
    size_t next;

    if (!token || token->parent < 0)
        return absent;
    next = subtree_end(json, element.at - 1);
    up = &json->tokens[token->parent];
    if (up->type == JSMN_STRING) {
        up = &json->tokens[up->parent];
        if (next < (size_t)up->size)
            return value_at(json, next + 1);
    } else if (next < (size_t)up->size) {
        return value_at(json, next);
    }
    return absent;
}

size_t ks_json_count(struct ks_json_value v)
{
    size_t count = 0;

    for (struct ks_json_value e = ks_json_first(v); !ks_json_is_absent(e); e = ks_json_next(e))
        count++;
    return count;
}

/* An ASCII byte but the backslash stands for itself: most keys differ by their first one. */
static bool is_other_at_once(struct ks_str raw, struct ks_str key)
{
    return raw.len > 0 && key.len > 0 && raw.ptr[0] != key.ptr[0] && raw.ptr[0] != '\\' &&
           (unsigned char)raw.ptr[0] < 0x80;
}

static bool key_is(const struct ks_json *json, jsmntok_t *token, struct ks_str key)
{
    struct ks_str raw = token_text(json, token);

    assert(raw.ptr); /* tokens come from a text */
    if (token->size == TEXT_PLAIN)
        return raw.len == key.len && !is_other_at_once(raw, key) && ks_str_eq(raw, key);
    if (is_other_at_once(raw, key))
        return false;
    if (token->size == TEXT_UNKNOWN && ks_json_text_is_plain(raw)) {
        token->size = TEXT_PLAIN; /* keys are looked at again and again */
        return ks_str_eq(raw, key);
    }
    return ks_json_text_equals(raw, key);
}

struct ks_json_value ks_json_get_str(struct ks_json_value v, struct ks_str key)
{
    const jsmntok_t *map = token_of(v);
    struct ks_json_value found = absent;
    struct ks_json *json = v.doc;
    size_t at, end;

    if (!map || map->type != JSMN_OBJECT)
        return absent;
    at = opened(json, v.at - 1);
    end = subtree_end(json, at);
    /* To the end: of duplicate keys the last one wins. */
    for (at++; at < end; at = subtree_end(json, at + 1)) {
        if (key_is(json, &json->tokens[at], key))
            found = value_at(json, at + 1);
    }
    return found;
}

static bool grow_decoded(struct ks_json *json)
{
    size_t cap = json->decoded_cap ? json->decoded_cap * 2 : 16;
    struct ks_str *grown;

    if (json->decoded_count < json->decoded_cap)
        return true;
    grown = ks_realloc_array(json->decoded, cap, sizeof(*grown));
    if (!grown)
        return false;
    json->decoded = grown;
    json->decoded_cap = cap;
    return true;
}

static bool decode(struct ks_json *json, struct ks_str raw, struct ks_str *out)
{
    size_t len = ks_json_text_measure(raw);
    char *bytes;

    bytes = ks_alloc(len ? len : 1);
    if (!bytes || !grow_decoded(json)) {
        ks_free(bytes);
        json->out_of_memory = true;
        return false;
    }
    ks_json_text_decode(raw, bytes);
    *out = ks_str_make(bytes, len);
    json->decoded[json->decoded_count++] = *out;
    return true;
}

static bool token_string(struct ks_json *json, jsmntok_t *token, struct ks_str *out)
{
    struct ks_str raw = token_text(json, token);

    if (token->size >= TEXT_DECODED) {
        *out = json->decoded[token->size - TEXT_DECODED];
        return true;
    }
    if (token->size == TEXT_PLAIN || ks_json_text_is_plain(raw)) {
        token->size = TEXT_PLAIN;
        *out = raw;
        return true;
    }
    if (!decode(json, raw, out))
        return false;
    token->size = TEXT_DECODED + (int)json->decoded_count - 1;
    return true;
}

bool ks_json_to_str(struct ks_json_value v, struct ks_str *out)
{
    jsmntok_t *token = token_of(v);

    return token && token->type == JSMN_STRING && token_string(v.doc, token, out);
}

struct ks_str ks_json_key(struct ks_json_value member)
{
    const jsmntok_t *token = token_of(member);
    struct ks_json *json = member.doc;
    struct ks_str text = {0};

    if (!token || token->parent < 0 || json->tokens[token->parent].type != JSMN_STRING)
        return text;
    /* A failure is remembered in out_of_memory; text stays empty. */
    (void)token_string(json, &json->tokens[token->parent], &text);
    return text;
}

bool ks_json_to_int(struct ks_json_value v, int64_t *out)
{
    const jsmntok_t *token = token_of(v);

    return token && token->type == JSMN_PRIMITIVE && ks_str_to_int64(token_text(v.doc, token), out);
}

bool ks_json_to_bool(struct ks_json_value v, bool *out)
{
    if (ks_json_type_of(v) != KS_JSON_BOOL)
        return false;
    *out = v.doc->text.ptr[token_of(v)->start] == 't';
    return true;
}

struct ks_str ks_json_raw(struct ks_json_value v)
{
    const jsmntok_t *token = token_of(v);
    struct ks_str text;

    if (!token)
        return (struct ks_str){0};
    text = token_text(v.doc, token);
    if (token->type == JSMN_STRING)
        return ks_str_make(text.ptr - 1, text.len + 2);
    return text;
}
