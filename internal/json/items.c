/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list splitter: a byte machine that knows strings and brackets, and routes bytes.
 *
 * It follows the text far enough to know where an element of the top-level "items" begins and ends;
 * whether what stands between is JSON is judged by whoever parses the item or the envelope. Bytes
 * are routed in runs, not one by one: `run` marks where the bytes begin that have not been given to
 * `sink` yet, and an item that lies within one chunk is handed out in place, without a copy.
 *
 *   sink      takes
 *   NOTHING   white space before the document, between items, after the end
 *   ENVELOPE  what stands outside items
 *   ITEM      the element in hand
 *   SKIPPED   the rest of an element that is over the limit; its beginning stays in item
 *
 * Invariants:
 *   1. What is handed out depends on the bytes alone, not on how they were cut.
 *   2. depth is the number of open brackets, levels[0..depth) which they are; the elements of items
 * have depth 2. Brackets of an item beyond MAX_DEPTH are counted and no more: an item that is too
 * deep is handed out like any other, for its parser to refuse, and spoils no list.
 *   3. item is empty unless an element spans chunks; run is inside the chunk in hand or NULL
 * between calls.
 *   4. After a failure nothing is handed out any more.
 *
 * Thread: one at a time.  It does not: unescape the top level's names ("\u0069tems" is not items).
 */
#include "json/items.h"

#include "base/alloc.h"
#include "base/str.h"

#define MAX_DEPTH 512
#define MAX_ENVELOPE_BYTES ((size_t)64 << 10)
/* What an item's buffer may keep between items. */
#define KEEP_ITEM_BYTES ((size_t)64 << 10)
#define ITEMS_DEPTH 2

enum sink { SINK_NOTHING, SINK_ENVELOPE, SINK_ITEM, SINK_SKIPPED };
enum lexeme { LEX_BETWEEN, LEX_STRING, LEX_ESCAPE };
/* Where the top-level map stands. */
enum member { MEMBER_NAME, MEMBER_COLON, MEMBER_VALUE, MEMBER_AFTER };

static const char items_name[] = "items";
#define NAME_KEEP sizeof(items_name)

struct ks_json_items {
    size_t max_item_bytes;
    ks_json_item_fn on_item;
    ks_json_item_fn on_skipped; /* or NULL */
    void *ctx;
    ks_rc failed;

    enum lexeme lexeme;
    enum member member;
    enum sink sink;
    const char *run;
    unsigned depth;
    char levels[MAX_DEPTH];
    char name[NAME_KEEP]; /* the first bytes of the top-level name in hand */
    size_t name_len;

    bool is_begun;
    bool has_items;
    bool is_in_items;
    bool wants_element; /* after a comma in items */
    size_t skipped;
    struct ks_buf item;
    struct ks_buf envelope;
};

ks_rc ks_json_items_new(size_t max_item_bytes, ks_json_item_fn on_item, void *ctx,
                        struct ks_json_items **out, struct ks_error *err)
{
    struct ks_json_items *s = ks_alloc0(sizeof(*s));

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a list splitter");
    s->max_item_bytes = max_item_bytes;
    s->on_item = on_item;
    s->ctx = ctx;
    ks_buf_init(&s->item, max_item_bytes);
    ks_buf_init(&s->envelope, MAX_ENVELOPE_BYTES);
    *out = s;
    return KS_RC_OK;
}

struct ks_json_items *ks_json_items_free(struct ks_json_items *s)
{
    if (!s)
        return NULL;
    ks_buf_fini(&s->item);
    ks_buf_fini(&s->envelope);
    ks_free(s);
    return NULL;
}

void ks_json_items_set_on_skipped(struct ks_json_items *s, ks_json_item_fn on_skipped)
{
    s->on_skipped = on_skipped;
}

bool ks_json_items_is_closed(const struct ks_json_items *s)
{
    return !s->failed && s->is_begun && s->depth == 0;
}

struct ks_str ks_json_items_envelope(const struct ks_json_items *s)
{
    return ks_buf_str(&s->envelope);
}

bool ks_json_items_has_items(const struct ks_json_items *s)
{
    return s->has_items;
}

size_t ks_json_items_skipped(const struct ks_json_items *s)
{
    return s->skipped;
}

static ks_rc append_envelope(struct ks_json_items *s, struct ks_str part, struct ks_error *err)
{
    ks_rc rc = ks_buf_append_str(&s->envelope, part);

    if (rc == KS_RC_LIMIT)
        return ks_fail(err, rc, "the list has more than %zu bytes outside its items",
                       MAX_ENVELOPE_BYTES);
    if (rc)
        return ks_fail(err, rc, "no memory for the list's metadata");
    return rc;
}

static ks_rc append_item(struct ks_json_items *s, struct ks_str part, struct ks_error *err)
{
    size_t room = s->max_item_bytes - s->item.len;
    ks_rc rc = ks_buf_append_str(&s->item, ks_str_sub(part, 0, room));

    if (rc)
        return ks_fail(err, rc, "no memory for a list item");
    if (part.len > room)
        s->sink = SINK_SKIPPED;
    return KS_RC_OK;
}

/* Gives [run, to) to the sink in force. */
static ks_rc flush(struct ks_json_items *s, const char *to, struct ks_error *err)
{
    struct ks_str part = ks_str_make(s->run, (size_t)(to - s->run));

    s->run = to;
    switch (s->sink) {
    case SINK_ENVELOPE:
        return append_envelope(s, part, err);
    case SINK_ITEM:
        return append_item(s, part, err);
    case SINK_NOTHING:
    case SINK_SKIPPED:
        break;
    }
    return KS_RC_OK;
}

static ks_rc switch_sink(struct ks_json_items *s, enum sink sink, const char *at,
                         struct ks_error *err)
{
    ks_rc rc = flush(s, at, err);

    s->sink = sink;
    return rc;
}

static ks_rc malformed(struct ks_error *err, const char *what)
{
    return ks_fail(err, KS_RC_PARSE, "the list is no JSON document: %s", what);
}

/* The element in hand ends before `at`. */
static ks_rc finish_element(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    struct ks_str text = ks_str_make(s->run, (size_t)(at - s->run));
    ks_json_item_fn tell = s->on_item;
    ks_rc rc = KS_RC_OK;

    if (s->item.len > 0) {
        rc = flush(s, at, err);
        if (rc)
            return rc;
        text = ks_buf_str(&s->item);
    } else if (text.len > s->max_item_bytes) {
        text = ks_str_sub(text, 0, s->max_item_bytes);
        s->sink = SINK_SKIPPED;
    }
    s->run = at;
    if (s->sink == SINK_SKIPPED) {
        s->skipped++;
        tell = s->on_skipped;
    }
    s->sink = SINK_NOTHING;
    if (tell)
        rc = tell(s->ctx, ks_str_trim(text));
    ks_buf_shrink(&s->item, KEEP_ITEM_BYTES);
    return rc ? ks_fail(err, rc, "a list item was refused") : KS_RC_OK;
}

static ks_rc open_items(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    ks_rc rc;

    if (s->has_items)
        return malformed(err, "items stands in it twice");
    s->has_items = true;
    s->is_in_items = true;
    s->wants_element = false;
    rc = switch_sink(s, SINK_NOTHING, at, err);
    return rc ? rc : append_envelope(s, KS_LIT("[]"), err);
}

static ks_rc open_bracket(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    if (s->depth >= MAX_DEPTH && !s->is_in_items)
        return ks_fail(err, KS_RC_LIMIT, "the list is nested deeper than %d levels", MAX_DEPTH);
    if (s->depth < MAX_DEPTH)
        s->levels[s->depth] = *at;
    s->depth++;
    if (s->depth == 1)
        s->member = MEMBER_NAME;
    return KS_RC_OK;
}

static ks_rc close_bracket(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    bool is_known = s->depth > 0 && s->depth <= MAX_DEPTH;

    if (s->depth == 0 || (is_known && s->levels[s->depth - 1] != (*at == '}' ? '{' : '[')))
        return malformed(err, "a bracket does not match");
    s->depth--;
    if (s->depth == 0)
        return switch_sink(s, SINK_NOTHING, at + 1, err);
    return KS_RC_OK;
}

static ks_rc close_items(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    ks_rc rc = KS_RC_OK;

    if (s->sink != SINK_NOTHING)
        rc = finish_element(s, at, err);
    else if (s->wants_element)
        rc = malformed(err, "an item is missing after a comma");
    if (rc)
        return rc;
    s->is_in_items = false;
    s->depth--;
    return switch_sink(s, SINK_ENVELOPE, at + 1, err);
}

/* A comma or a closing bracket between the elements of items. */
static ks_rc on_separator(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    if (*at == ']')
        return close_items(s, at, err);
    if (s->sink == SINK_NOTHING)
        return malformed(err, "an item is missing before a comma");
    s->wants_element = true;
    return finish_element(s, at, err);
}

static void begin_element(struct ks_json_items *s, const char *at)
{
    s->wants_element = false;
    s->sink = SINK_ITEM;
    s->run = at;
}

/* A byte of the top-level map, between strings. */
static ks_rc on_member_byte(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    bool is_items = s->name_len == NAME_KEEP - 1 && memcmp(s->name, items_name, s->name_len) == 0;
    enum member was = s->member;

    if (*at == ',') {
        s->member = MEMBER_NAME;
        return KS_RC_OK;
    }
    if (was == MEMBER_COLON && *at == ':') {
        s->member = MEMBER_VALUE;
        return KS_RC_OK;
    }
    if (was != MEMBER_VALUE)
        return KS_RC_OK;
    s->member = MEMBER_AFTER;
    if (!is_items)
        return KS_RC_OK;
    if (*at == 'n')
        s->has_items = true;
    if (*at == '[')
        return open_items(s, at, err);
    return KS_RC_OK;
}

static void begin_string(struct ks_json_items *s)
{
    s->lexeme = LEX_STRING;
    if (s->depth == 1 && s->member == MEMBER_NAME)
        s->name_len = 0;
}

static void end_string(struct ks_json_items *s)
{
    s->lexeme = LEX_BETWEEN;
    if (s->depth == 1 && s->member == MEMBER_NAME)
        s->member = MEMBER_COLON;
}

static void keep_name(struct ks_json_items *s, struct ks_str part)
{
    size_t room = NAME_KEEP - s->name_len;
    size_t take = part.len < room ? part.len : room;

    if (s->depth != 1 || s->member != MEMBER_NAME || take == 0)
        return;
    memcpy(s->name + s->name_len, part.ptr, take);
    s->name_len += take;
}

static bool is_white_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* One byte that is no white space, outside strings. */
static ks_rc on_byte(struct ks_json_items *s, const char *at, struct ks_error *err)
{
    ks_rc rc = KS_RC_OK;

    if (s->depth == 0) {
        if (s->is_begun)
            return malformed(err, "something follows its end");
        if (*at != '{')
            return malformed(err, "it does not begin with '{'");
        s->is_begun = true;
        rc = switch_sink(s, SINK_ENVELOPE, at, err);
    } else if (s->depth == 1) {
        rc = on_member_byte(s, at, err);
    } else if (s->depth == ITEMS_DEPTH && s->is_in_items) {
        if (*at == ',' || *at == ']')
            return on_separator(s, at, err);
        if (s->sink == SINK_NOTHING)
            begin_element(s, at);
    }
    if (rc)
        return rc;
    if (*at == '"')
        begin_string(s);
    else if (*at == '{' || *at == '[')
        return open_bracket(s, at, err);
    else if (*at == '}' || *at == ']')
        return close_bracket(s, at, err);
    return KS_RC_OK;
}

/* Consumes bytes of a string, up to and with its closing quote. */
static const char *skip_string(struct ks_json_items *s, const char *at, const char *end)
{
    const char *from = at;

    if (s->lexeme == LEX_ESCAPE) {
        s->lexeme = LEX_STRING;
        keep_name(s, ks_str_make(at, 1));
        return at + 1;
    }
    while (at < end && *at != '"' && *at != '\\')
        at++;
    keep_name(s, ks_str_make(from, (size_t)(at - from)));
    if (at == end)
        return at;
    if (*at == '"') {
        end_string(s);
    } else {
        keep_name(s, ks_str_make(at, 1));
        s->lexeme = LEX_ESCAPE;
    }
    return at + 1;
}

static ks_rc feed(struct ks_json_items *s, struct ks_str bytes, struct ks_error *err)
{
    const char *end = bytes.ptr + bytes.len;
    const char *at = bytes.ptr;
    ks_rc rc;

    s->run = at;
    while (at < end) {
        if (s->lexeme != LEX_BETWEEN) {
            at = skip_string(s, at, end);
            continue;
        }
        if (!is_white_space(*at)) {
            rc = on_byte(s, at, err);
            if (rc)
                return rc;
        }
        at++;
    }
    rc = flush(s, end, err);
    s->run = NULL;
    return rc;
}

ks_rc ks_json_items_feed(struct ks_json_items *s, struct ks_str bytes, struct ks_error *err)
{
    if (s->failed)
        return ks_fail(err, s->failed, "the list had failed before");
    if (bytes.len == 0)
        return KS_RC_OK;
    s->failed = feed(s, bytes, err);
    return s->failed;
}
