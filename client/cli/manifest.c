/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from a file, whatever its form.
 *
 *   first byte that is no blank ──'{'──> does the first line hold a whole object? ──yes──> LINES
 *               │                                          │no                            │ "---"
 *               └──else──> YAML <──no JSON──── DOCUMENT <──┘                              └──> YAML
 *                                                 └── over 16 MiB, or too many parts ──> LIST
 *
 * LINES holds one line, LIST one item, the others the whole file within the limit.
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

    ks_rc rc = r->ops->on_object(r->ctx, &place, object, r->err);

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

static bool is_list(struct ks_json_value v)
{
    return ks_json_type_of(ks_json_get(v, "items")) == KS_JSON_LIST &&
           ks_str_ends(ks_json_lenient_str(v, "kind", "List"), KS_LIT("List"));
}

static ks_rc give_checked(struct reader *r, struct ks_json_value v, size_t line)
{
    struct ks_error why = {0};

    if (ks_json_type_of(v) == KS_JSON_MAP && !is_list(v))
        return give(r, v, line);
    (void)ks_fail(&why, KS_RC_PARSE, /* only records */
                  is_list(v) ? "a list within a list" : "this is no object");
    return give_bad(r, &why, line);
}

static ks_rc give_root(struct reader *r, size_t line)
{
    struct ks_json_value root = ks_json_root(r->json);
    struct ks_json_value item;
    ks_rc rc = KS_RC_OK;

    if (!is_list(root))
        return give_checked(r, root, line);
    item = ks_json_first(ks_json_get(root, "items"));
    for (; !rc && !ks_json_is_absent(item); item = ks_json_next(item))
        rc = give_checked(r, item, line);
    return rc;
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    struct reader *r = ctx;
    struct ks_error why = {0};

    if (ks_json_parse(r->json, text, &why))
        return give_bad(r, &why, r->line);
    return give_checked(r, ks_json_root(r->json), r->line);
}

struct splitter {
    struct ks_json_items *items;
};

static void splitter_fini(struct splitter *s)
{
    ks_json_items_free(s->items);
}

static ks_rc splitter_end(struct reader *r, const struct splitter *s)
{
    if (!ks_json_items_is_closed(s->items))
        return ks_fail(r->err, KS_RC_PARSE, "%s: the list is cut off", r->path);
    if (!ks_json_items_has_items(s->items))
        return ks_fail(r->err, KS_RC_LIMIT, "%s: an object of more than 16 MiB", r->path);
    if (ks_json_items_skipped(s->items) > 0)
        return ks_fail(r->err, KS_RC_LIMIT, "%s: %zu of the list's items have more than 16 MiB",
                       r->path, ks_json_items_skipped(s->items));
    return KS_RC_OK;
}

static ks_rc splitter_feed(struct reader *r, struct splitter *s, struct ks_str text)
{
    struct ks_error why = {0};
    ks_rc rc = ks_json_items_feed(s->items, text, &why);

    return !rc || r->has_ended ? rc : ks_fail(r->err, rc, "%s: %s", r->path, why.msg);
}

/* A list too large to be held: item by item. With rest: what is still to be read follows the text.
 */
static ks_rc read_list(struct reader *r, struct ks_str text, bool has_rest)
{
    KS_CLEANUP(splitter_fini) struct splitter s = {.items = NULL};
    ks_rc rc = ks_json_items_new(OBJECT_MAX_BYTES, on_item, r, &s.items, r->err);

    if (!rc)
        rc = splitter_feed(r, &s, text);
    while (!rc && has_rest && !r->is_eof) {
        consume(r, pending(r).len);
        rc = fill(r);
        if (!rc)
            rc = splitter_feed(r, &s, pending(r));
    }
    return rc ? rc : splitter_end(r, &s);
}

/* One document as JSON text. */
static ks_rc read_text(struct reader *r, struct ks_str text, size_t line)
{
    struct ks_error why = {0};
    ks_rc rc = ks_json_parse(r->json, text, &why);

    if (rc == KS_RC_LIMIT)
        return read_list(r, text, false);
    return rc ? give_bad(r, &why, line) : give_root(r, line);
}

static ks_rc on_document(void *ctx, struct ks_str json, size_t line)
{
    struct reader *r = ctx;

    return read_text(r, json, r->line + line - 1);
}

/* why is filled unless a callback has ended it. */
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
    return ks_yaml_to_json(pending(r), &ks_yaml_limits_manifest, on_document, r, why);
}

static ks_rc end_yaml(struct reader *r, ks_rc rc, const struct ks_error *why)
{
    if (!rc || r->has_ended)
        return rc;
    return ks_fail(r->err, rc, "%s%s: %s", r->path, r->line > 1 ? ", after its JSON lines" : "",
                   why->msg);
}

static ks_rc read_yaml_only(struct reader *r)
{
    struct ks_error why = {0};
    ks_rc rc = read_yaml(r, &why);

    return end_yaml(r, rc, &why);
}

static ks_rc read_document(struct reader *r)
{
    struct ks_error json_why = {0};
    struct ks_error yaml_why = {0};
    ks_rc rc = fill_object(r);

    if (rc)
        return rc;
    if (!r->is_eof)
        return read_list(r, pending(r), true);
    rc = ks_json_parse(r->json, pending(r), &json_why);
    if (!rc)
        return give_root(r, r->line);
    if (rc == KS_RC_LIMIT)
        return read_list(r, pending(r), false);
    /* YAML's own maps may stand in braces; where both fail, JSON was meant. */
    rc = read_yaml(r, &yaml_why);
    return end_yaml(r, rc, &json_why);
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

static ks_rc skip_long_line(struct reader *r)
{
    struct ks_error why = {0};
    size_t line = r->line;
    struct ks_str part;
    ks_rc rc;

    do {
        consume(r, pending(r).len);
        rc = peek_line(r, &part);
    } while (!rc && !r->is_eof && !ks_str_ends(part, KS_LIT("\n")));
    if (rc)
        return rc;
    consume(r, part.len);
    (void)ks_fail(&why, KS_RC_LIMIT, "an object of more than 16 MiB"); /* only records */
    return give_bad(r, &why, line);
}

static ks_rc read_line(struct reader *r, struct ks_str line)
{
    struct ks_str text = ks_str_trim(line);
    ks_rc rc;

    if (line.len > OBJECT_MAX_BYTES)
        return skip_long_line(r);
    rc = text.len > 0 ? read_text(r, text, r->line) : KS_RC_OK;
    consume(r, line.len);
    return rc;
}

static ks_rc read_lines(struct reader *r)
{
    struct ks_str line = {.len = 0};
    ks_rc rc;

    for (;;) {
        rc = peek_line(r, &line);
        if (rc || line.len == 0)
            return rc;
        if (ks_str_starts(line, KS_LIT("---")))
            return read_yaml_only(r);
        rc = read_line(r, line);
        if (rc)
            return rc;
    }
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

/* Whether the file has one object per line: the first line looks like one and is one, or is
 * followed by another. */
static ks_rc detect_lines(struct reader *r, bool *out)
{
    struct ks_str line;
    char next;
    size_t at;
    ks_rc rc = peek_line(r, &line);

    if (rc)
        return rc;
    *out = false;
    if (line.len > OBJECT_MAX_BYTES || !ks_str_ends(ks_str_trim(line), KS_LIT("}")))
        return KS_RC_OK;
    rc = ks_json_parse(r->json, ks_str_trim(line), NULL);
    *out = rc == KS_RC_OK || rc == KS_RC_LIMIT;
    if (*out)
        return KS_RC_OK;
    rc = find_byte(r, line.len, &at, &next);
    if (!rc)
        *out = next == '{';
    return rc;
}

static ks_rc read_any(struct reader *r)
{
    bool is_lines = false;
    char first;
    size_t at;
    ks_rc rc = fill(r);

    if (!rc && ks_str_starts(pending(r), KS_LIT("\xef\xbb\xbf")))
        consume(r, 3);
    if (!rc)
        rc = find_byte(r, 0, &at, &first);
    if (rc || first == '\0')
        return rc;
    if (first != '{')
        return read_yaml_only(r);
    consume(r, at);
    rc = detect_lines(r, &is_lines);
    if (rc)
        return rc;
    return is_lines ? read_lines(r) : read_document(r);
}

static void reader_fini(struct reader *r)
{
    ks_json_free(r->json);
    ks_buf_fini(&r->window);
}

ks_rc ks_manifest_read_fd(int fd, const char *path, const struct ks_manifest_ops *ops, void *ctx,
                          struct ks_error *err)
{
    KS_CLEANUP(reader_fini)
    struct reader r = {.fd = fd, .path = path, .line = 1, .ops = ops, .ctx = ctx, .err = err};
    ks_rc rc;

    ks_buf_init(&r.window, OBJECT_MAX_BYTES + 4 * CHUNK_BYTES);
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
