/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from a file, whatever its form.
 *
 *   first byte ──else──> YAML <──"---"────┐         ┌──over 16 MiB──> item by item
 *       └──'{'──> one line ──no JSON──> decide ──> document, to its closing bracket
 *                    └──whole: given       └──> a bad line: told, and on
 *
 * Each JSON value is read for itself, so that one layout may follow another. A line that is no JSON
 * either begins a document of several lines or is spoilt; the second, when the next line begins
 * another object.
 *
 * Invariants: 1. objects come in the file's order; 2. the document that a lent object lies in is
 * not parsed again before the callback returns; 3. a result from a callback ends everything and is
 * returned as it is.
 *
 * Thread: one at a time. Does not know what the objects are for.
 */
#include "client/cli/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "json/items.h"
#include "json/path.h"
#include "yaml/yaml.h"

#include "client/cli/extent.h"

#define OBJECT_MAX_BYTES ((size_t)16 << 20)
#define CHUNK_BYTES ((size_t)64 << 10)

struct reader {
    int fd;
    const char *path;
    bool is_eof;
    struct ks_buf window; /* what was read and not yet consumed, from `start` on */
    size_t start;
    size_t line; /* of the window's start */
    size_t count;
    struct ks_json *json;
    struct ks_json *head; /* of a large list, for item_kind and item_version */
    struct ks_buf head_text;
    struct ks_str item_kind; /* what the list in hand says of its items; empty: nothing */
    struct ks_str item_version;
    const struct ks_manifest_ops *ops;
    void *ctx;
    struct ks_error *err;
    bool has_ended; /* by a callback's result, and err says why */
};

static struct ks_str pending(const struct reader *r)
{
    return ks_str_sub(ks_buf_str(&r->window), r->start, r->window.len);
}

static void consume(struct reader *r, size_t len)
{
    const char *at = r->window.data + r->start;

    for (size_t i = 0; i < len; i++)
        r->line += at[i] == '\n';
    r->start += len;
}

/* Gives the consumed part's room back; views into the window end here. */
static void compact(struct reader *r)
{
    if (r->start == 0)
        return;
    r->window.len -= r->start;
    memmove(r->window.data, r->window.data + r->start, r->window.len);
    r->start = 0;
}

static ks_rc fill(struct reader *r)
{
    ks_rc rc;
    ssize_t n;

    compact(r);
    rc = ks_buf_reserve(&r->window, CHUNK_BYTES);
    if (rc)
        return ks_fail(r->err, rc, "%s: %s", r->path, ks_rc_text(rc));
    do
        n = read(r->fd, r->window.data + r->window.len, CHUNK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return ks_fail_errno(r->err, KS_RC_IO, errno, "%s", r->path);
    r->window.len += (size_t)n;
    r->is_eof = n == 0;
    return KS_RC_OK;
}

/* Reads on until the end, or until more is pending than one object may have. */
static ks_rc fill_object(struct reader *r)
{
    ks_rc rc = KS_RC_OK;

    while (!rc && !r->is_eof && pending(r).len <= OBJECT_MAX_BYTES)
        rc = fill(r);
    return rc;
}

static struct ks_manifest_place place_next(struct reader *r, size_t line)
{
    return (struct ks_manifest_place){.path = r->path, .number = ++r->count, .line = line};
}

static ks_rc give(struct reader *r, struct ks_json_value object, size_t line)
{
    struct ks_manifest_place place = place_next(r, line);
    bool is_silent = ks_json_is_absent(ks_json_get(object, "kind")) && r->item_kind.len > 0;
    ks_rc rc;

    place.kind = is_silent ? r->item_kind : ks_json_lenient_str(object, "kind", "");
    place.api_version = is_silent ? r->item_version : ks_json_lenient_str(object, "apiVersion", "");
    rc = r->ops->on_object(r->ctx, &place, object, r->err);
    r->has_ended = rc != KS_RC_OK;
    return rc;
}

static ks_rc give_bad(struct reader *r, const struct ks_error *why, size_t line)
{
    struct ks_manifest_place place = place_next(r, line);

    ks_rc rc = r->ops->on_bad
                   ? r->ops->on_bad(r->ctx, &place, why)
                   : ks_fail(r->err, why->rc, "%s, line %zu: %s", r->path, line, why->msg);

    r->has_ended = rc != KS_RC_OK;
    return rc;
}

#define LIST_SUFFIX KS_LIT("List")

static bool is_list(struct ks_json_value v)
{
    ks_json_type items = ks_json_type_of(ks_json_get(v, "items"));

    if (items != KS_JSON_LIST && items != KS_JSON_NULL)
        return false;
    return ks_str_ends(ks_json_lenient_str(v, "kind", items == KS_JSON_LIST ? "List" : ""),
                       LIST_SUFFIX);
}

/* What is wrong with a value that says it is a list and is none; NULL: it says no such thing. The
 * name of a custom resource's kind may end in List too: then the object has a name of its own. */
static const char *list_fault(struct ks_json_value v)
{
    struct ks_str kind = ks_json_lenient_str(v, "kind", "");
    bool is_named = ks_json_lenient_str(v, "metadata.name", "").len > 0;

    if (is_list(v) || !ks_str_ends(kind, LIST_SUFFIX) || (is_named && !ks_str_is(kind, "List")))
        return NULL;
    return ks_json_is_absent(ks_json_get(v, "items"))
               ? "it says that it is a list, and has no items"
               : "it says that it is a list, and its items are something else";
}

/* A PodList has Pods; a List has what its items say. */
static void note_list(struct reader *r, struct ks_json_value list)
{
    struct ks_str kind = ks_json_lenient_str(list, "kind", "List");
    bool is_typed = kind.len > LIST_SUFFIX.len && ks_str_ends(kind, LIST_SUFFIX);

    r->item_kind = ks_str_sub(kind, 0, is_typed ? kind.len - LIST_SUFFIX.len : 0);
    r->item_version = is_typed ? ks_json_lenient_str(list, "apiVersion", "") : KS_LIT("");
}

static void forget_list(struct reader *r)
{
    r->item_kind = KS_LIT("");
    r->item_version = KS_LIT("");
}

static ks_rc give_checked(struct reader *r, struct ks_json_value v, size_t line)
{
    const char *fault = list_fault(v);
    struct ks_error why = {0};

    if (is_list(v))
        fault = "a list within a list";
    else if (ks_json_type_of(v) != KS_JSON_MAP)
        fault = "this is no object";
    else if (!fault)
        return give(r, v, line);
    (void)ks_fail(&why, KS_RC_PARSE, "%s", fault); /* only records */
    return give_bad(r, &why, line);
}

static ks_rc give_root(struct reader *r, size_t line)
{
    struct ks_json_value root = ks_json_root(r->json);
    struct ks_json_value item;
    ks_rc rc = KS_RC_OK;

    if (!is_list(root))
        return give_checked(r, root, line);
    note_list(r, root);
    item = ks_json_first(ks_json_get(root, "items"));
    for (; !rc && !ks_json_is_absent(item); item = ks_json_next(item))
        rc = give_checked(r, item, line);
    forget_list(r);
    return rc;
}

/* A list that is not held as a whole: it is taken apart while it is read. */
struct splitter {
    struct reader *reader;
    struct ks_json_items *items;
    bool has_head;
    ks_rc rc; /* what it ended with, other than by a callback */
    struct ks_error why;
};

static void splitter_fini(struct splitter *s)
{
    ks_json_items_free(s->items);
}

/* What stands before the items, made whole: built-in lists say there what they are. */
static ks_rc note_head(struct splitter *s)
{
    struct reader *r = s->reader;
    struct ks_str head = ks_json_items_envelope(s->items);
    ks_rc rc = KS_RC_OK;

    s->has_head = true;
    ks_buf_clear(&r->head_text);
    if (!r->head)
        rc = ks_json_new(&ks_json_limits_object, &r->head, r->err);
    if (!rc)
        rc = ks_buf_append_str(&r->head_text, head);
    if (!rc)
        rc = ks_buf_append_byte(&r->head_text, '}');
    if (rc)
        return ks_fail(r->err, rc, "%s: %s", r->path, ks_rc_text(rc));
    if (ks_json_parse(r->head, ks_buf_str(&r->head_text), NULL) == KS_RC_OK)
        note_list(r, ks_json_root(r->head));
    return KS_RC_OK;
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    struct splitter *s = ctx;
    struct reader *r = s->reader;
    struct ks_error why = {0};
    ks_rc rc = s->has_head ? KS_RC_OK : note_head(s);

    if (rc) {
        r->has_ended = true;
        return rc;
    }
    rc = ks_json_parse(r->json, text, &why);
    if (rc)
        return give_bad(r, &why, r->line);
    return give_checked(r, ks_json_root(r->json), r->line);
}

static ks_rc splitter_init(struct splitter *s, struct reader *r)
{
    *s = (struct splitter){.reader = r};
    return ks_json_items_new(OBJECT_MAX_BYTES, on_item, s, &s->items, r->err);
}

/* False when a callback or memory ends all; what is wrong with the list itself is kept. */
static bool splitter_feed(struct splitter *s, struct ks_str text)
{
    if (s->rc)
        return true; /* the rest is skipped */
    s->rc = ks_json_items_feed(s->items, text, &s->why);
    if (s->rc == KS_RC_NOMEM && !s->reader->has_ended) {
        s->reader->has_ended = true;
        (void)ks_fail(s->reader->err, KS_RC_NOMEM, "%s: %s", s->reader->path, s->why.msg);
    }
    return !s->reader->has_ended;
}

static ks_rc splitter_end(struct splitter *s, size_t line)
{
    struct reader *r = s->reader;
    struct ks_error *why = &s->why;

    forget_list(r);
    if (s->rc == KS_RC_LIMIT && !ks_json_items_has_items(s->items))
        (void)ks_fail(why, KS_RC_LIMIT, "an object of more than 16 MiB"); /* only records */
    if (s->rc)
        return give_bad(r, why, line);
    if (!ks_json_items_is_closed(s->items))
        return ks_fail(r->err, KS_RC_PARSE, "%s: the list is cut off", r->path);
    if (!ks_json_items_has_items(s->items))
        (void)ks_fail(why, KS_RC_LIMIT, "an object of more than 16 MiB"); /* only records */
    else if (ks_json_items_skipped(s->items) > 0)
        (void)ks_fail(why, KS_RC_LIMIT, "%zu of the list's items have more than 16 MiB",
                      ks_json_items_skipped(s->items)); /* only records */
    return why->msg[0] ? give_bad(r, why, line) : KS_RC_OK;
}

/* A list in memory that has too many parts to be looked at as one. */
static ks_rc read_list(struct reader *r, struct ks_str text, size_t line)
{
    KS_CLEANUP(splitter_fini) struct splitter s = {.items = NULL};
    ks_rc rc = splitter_init(&s, r);

    if (rc)
        return rc;
    if (!splitter_feed(&s, text))
        return s.rc;
    return splitter_end(&s, line);
}

typedef enum { UNTIL_CLOSED, UNTIL_LINE_END } until;

/* How much of the text belongs to the value; *out_ends when it ends in it. */
static size_t measure(struct ks_extent *extent, struct ks_str text, until mode, bool *out_ends)
{
    size_t len = ks_extent_feed(extent, text);
    ptrdiff_t line_end = mode == UNTIL_LINE_END ? ks_str_chr(text, '\n') : -1;

    if (line_end >= 0 && (len == 0 || (size_t)line_end < len))
        len = (size_t)line_end + 1;
    *out_ends = len > 0;
    return len > 0 ? len : text.len;
}

/* A value that is too large to be held: fine when it is a list. */
static ks_rc read_large(struct reader *r, until mode)
{
    KS_CLEANUP(splitter_fini) struct splitter s = {.items = NULL};
    struct ks_extent extent = {.depth = 0};
    size_t line = r->line;
    bool ends = false;
    ks_rc rc = splitter_init(&s, r);

    while (!rc) {
        struct ks_str text = pending(r);
        size_t len = measure(&extent, text, mode, &ends);

        if (!splitter_feed(&s, ks_str_sub(text, 0, len)))
            return s.rc;
        consume(r, len);
        if (ends || r->is_eof)
            return splitter_end(&s, line);
        rc = fill(r);
    }
    return rc;
}

/* One document as JSON text. */
static ks_rc read_text(struct reader *r, struct ks_str text, size_t line)
{
    struct ks_error why = {0};
    ks_rc rc = ks_json_parse(r->json, text, &why);

    if (rc == KS_RC_LIMIT)
        return read_list(r, text, line);
    return rc ? give_bad(r, &why, line) : give_root(r, line);
}

static ks_rc on_document(void *ctx, struct ks_str json, size_t line)
{
    struct reader *r = ctx;
    struct ks_error why = {0};

    if (ks_str_chr(KS_LIT("{["), json.ptr[0]) >= 0)
        return read_text(r, json, r->line + line - 1);
    (void)ks_fail(&why, KS_RC_PARSE, "this is plain text, no object"); /* only records */
    return give_bad(r, &why, r->line + line - 1);
}

/* All that is left, as YAML; why is filled unless a callback has ended it. */
static ks_rc read_yaml(struct reader *r, struct ks_error *why)
{
    ks_rc rc = fill_object(r);

    if (rc) {
        r->has_ended = true;
        return rc;
    }
    if (!r->is_eof)
        return ks_fail(why, KS_RC_LIMIT,
                       "more than 16 MiB of YAML: split it, or write one JSON object per line");
    rc = ks_yaml_to_json(pending(r), &ks_yaml_limits_manifest, on_document, r, why);
    if (!rc)
        consume(r, pending(r).len);
    return rc;
}

static ks_rc end_yaml(struct reader *r, ks_rc rc, const struct ks_error *why)
{
    if (!rc || r->has_ended)
        return rc;
    return ks_fail(r->err, rc, "%s%s: %s", r->path, r->line > 1 ? ", after its JSON" : "",
                   why->msg);
}

static ks_rc read_yaml_only(struct reader *r)
{
    struct ks_error why = {0};
    ks_rc rc = read_yaml(r, &why);

    return end_yaml(r, rc, &why);
}

/* Reads on until the pending part has a whole line, which *out views, or as much of one as an
 * object may have. */
static ks_rc peek_line(struct reader *r, struct ks_str *out)
{
    size_t seen = 0;

    for (;;) {
        struct ks_str text = pending(r);
        ptrdiff_t end = ks_str_chr(ks_str_sub(text, seen, text.len), '\n');
        ks_rc rc;

        if (end >= 0 || r->is_eof || text.len > OBJECT_MAX_BYTES) {
            *out = end >= 0 ? ks_str_sub(text, 0, seen + (size_t)end + 1) : text;
            return KS_RC_OK;
        }
        seen = text.len;
        rc = fill(r);
        if (rc)
            return rc;
    }
}

/* Skips to the next line that begins as an object or a YAML document does. */
static ks_rc skip_spoilt(struct reader *r)
{
    struct ks_str line = {.len = 0};
    bool is_line_start = false;

    for (;;) {
        ks_rc rc = peek_line(r, &line);

        if (rc || line.len == 0)
            return rc;
        if (is_line_start && (line.ptr[0] == '{' || ks_str_starts(line, KS_LIT("---"))))
            return KS_RC_OK;
        is_line_start = ks_str_ends(line, KS_LIT("\n"));
        consume(r, line.len);
    }
}

/* Reads on until the value at the front closes; *out_len is 0 when it does not, within the limit
 * and the file. */
static ks_rc fill_value(struct reader *r, size_t *out_len)
{
    struct ks_extent extent = {.depth = 0};
    size_t seen = 0;

    for (;;) {
        struct ks_str text = pending(r);
        size_t len = ks_extent_feed(&extent, ks_str_sub(text, seen, text.len));
        ks_rc rc;

        if (len > 0 || r->is_eof || text.len > OBJECT_MAX_BYTES) {
            *out_len = len > 0 ? seen + len : 0;
            return KS_RC_OK;
        }
        seen = text.len;
        rc = fill(r);
        if (rc)
            return rc;
    }
}

/* Brackets that never close: YAML, or JSON that is cut off. */
static ks_rc read_unclosed(struct reader *r)
{
    struct ks_error json_why = {0};
    struct ks_error yaml_why = {0};
    size_t line = r->line;
    size_t before = r->count;
    ks_rc rc = ks_json_parse(r->json, pending(r), &json_why);

    if (!rc)
        (void)ks_fail(&json_why, KS_RC_PARSE, "the JSON is cut off"); /* only records */
    rc = read_yaml(r, &yaml_why);
    if (!rc || r->has_ended || before == 0 || r->count > before)
        return end_yaml(r, rc, &json_why);
    rc = give_bad(r, &json_why, line);
    return rc ? rc : skip_spoilt(r);
}

/* A value of several lines. */
static ks_rc read_document(struct reader *r)
{
    struct ks_error why = {0};
    struct ks_str text;
    size_t len;
    ks_rc rc = fill_value(r, &len);

    if (rc)
        return rc;
    if (len == 0)
        return r->is_eof ? read_unclosed(r) : read_large(r, UNTIL_CLOSED);
    text = ks_str_sub(pending(r), 0, len);
    rc = ks_json_parse(r->json, text, &why);
    if (rc == KS_RC_PARSE) {
        /* YAML's own maps may stand in braces; where both fail, JSON was meant. */
        rc = ks_yaml_to_json(text, &ks_yaml_limits_manifest, on_document, r, NULL);
        if (rc == KS_RC_NOMEM && !r->has_ended)
            return ks_fail(r->err, rc, "%s: %s", r->path, ks_rc_text(rc));
        if (rc && !r->has_ended)
            rc = give_bad(r, &why, r->line);
    } else {
        rc = rc ? read_list(r, text, r->line) : give_root(r, r->line);
    }
    consume(r, len);
    return rc;
}

/* Where the first byte is that is no blank, from an offset into the pending part on; *out_byte is 0
 * at the end. */
static ks_rc find_byte(struct reader *r, size_t from, size_t *out_at, char *out_byte)
{
    for (;;) {
        struct ks_str text = pending(r);
        ks_rc rc;

        while (from < text.len && ks_str_chr(KS_LIT(" \t\r\n"), text.ptr[from]) >= 0)
            from++;
        if (from < text.len || r->is_eof || from > OBJECT_MAX_BYTES) {
            *out_at = from;
            *out_byte = from < text.len ? text.ptr[from] : '\0';
            return KS_RC_OK;
        }
        rc = fill(r);
        if (rc)
            return rc;
    }
}

static ks_rc spoil_line(struct reader *r, size_t len, const struct ks_error *why)
{
    ks_rc rc = give_bad(r, why, r->line);

    consume(r, len);
    return rc;
}

/* A line that is no JSON: two values, a spoilt one, or the first of several. */
static ks_rc read_odd_line(struct reader *r, struct ks_str line, const struct ks_error *why)
{
    struct ks_extent extent = {.depth = 0};
    struct ks_str text = ks_str_trim(line);
    size_t len = ks_extent_feed(&extent, text);
    bool goes_on = len == 0 && ks_str_chr(KS_LIT("{[,:"), text.ptr[text.len - 1]) >= 0;
    bool ends_well = ks_str_ends(text, KS_LIT("}"));
    size_t at;
    char next;
    ks_rc rc;

    if (line.ptr[0] != '{')
        return spoil_line(r, line.len, why);
    if (len > 0 && len < text.len && !ks_json_parse(r->json, ks_str_sub(text, 0, len), NULL)) {
        rc = give_root(r, r->line);
        consume(r, len);
        return rc;
    }
    if (goes_on)
        return read_document(r);
    rc = find_byte(r, line.len, &at, &next); /* line may have moved */
    if (rc)
        return rc;
    if (len > 0 ? r->count > 0 || next == '{' : next == '{' && (r->count > 0 || ends_well))
        return spoil_line(r, line.len, why);
    return read_document(r);
}

static ks_rc read_line(struct reader *r, struct ks_str line)
{
    struct ks_error why = {0};
    struct ks_str text = ks_str_trim(line);
    ks_rc rc;

    if (line.len > OBJECT_MAX_BYTES)
        return read_large(r, UNTIL_LINE_END);
    rc = ks_json_parse(r->json, text, &why);
    if (rc == KS_RC_PARSE)
        return read_odd_line(r, line, &why);
    rc = rc ? read_list(r, text, r->line) : give_root(r, r->line);
    consume(r, line.len);
    return rc;
}

static ks_rc read_json(struct reader *r)
{
    struct ks_str line = {.len = 0};

    for (;;) {
        size_t at;
        char first;
        ks_rc rc = find_byte(r, 0, &at, &first);

        if (!rc) {
            consume(r, at);
            rc = peek_line(r, &line);
        }
        if (rc || (line.len == 0 && r->is_eof))
            return rc;
        if (ks_str_starts(line, KS_LIT("---")))
            return read_yaml_only(r);
        rc = line.len > 0 ? read_line(r, line) : KS_RC_OK;
        if (rc)
            return rc;
    }
}

static ks_rc read_any(struct reader *r)
{
    char first;
    size_t at;
    ks_rc rc = fill(r);

    if (!rc && ks_str_starts(pending(r), KS_LIT("\xef\xbb\xbf")))
        consume(r, 3);
    if (!rc)
        rc = find_byte(r, 0, &at, &first);
    if (rc || first == '\0')
        return rc;
    return first == '{' ? read_json(r) : read_yaml_only(r);
}

static void reader_fini(struct reader *r)
{
    ks_json_free(r->json);
    ks_json_free(r->head);
    ks_buf_fini(&r->head_text);
    ks_buf_fini(&r->window);
}

ks_rc ks_manifest_read_fd(int fd, const char *path, const struct ks_manifest_ops *ops, void *ctx,
                          struct ks_error *err)
{
    KS_CLEANUP(reader_fini)
    struct reader r = {.fd = fd, .path = path, .line = 1, .ops = ops, .ctx = ctx, .err = err};
    ks_rc rc;

    ks_buf_init(&r.window, OBJECT_MAX_BYTES + 4 * CHUNK_BYTES);
    ks_buf_init(&r.head_text, CHUNK_BYTES + 16);
    forget_list(&r);
    rc = ks_json_new(&ks_json_limits_object, &r.json, err);
    return rc ? rc : read_any(&r);
}

static ks_rc open_rc(int errnum)
{
    if (errnum == ENOENT)
        return KS_RC_NOTFOUND;
    return errnum == EACCES ? KS_RC_DENIED : KS_RC_IO;
}

ks_rc ks_manifest_read(const char *path, const struct ks_manifest_ops *ops, void *ctx,
                       struct ks_error *err)
{
    int fd;
    ks_rc rc;

    if (strcmp(path, "-") == 0)
        return ks_manifest_read_fd(STDIN_FILENO, "standard input", ops, ctx, err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ks_fail_errno(err, open_rc(errno), errno, "%s", path);
    rc = ks_manifest_read_fd(fd, path, ops, ctx, err);
    (void)close(fd); /* nothing was written */
    return rc;
}
