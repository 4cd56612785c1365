/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table: choose the rows, choose the columns, write cells.
 *
 * The message takes what the other columns leave of the width. When that is too little to be read,
 * columns go, the least telling first: AGE, then READY, then NAMESPACE; then names are cut.
 *
 * Invariants: 1. every text from the cluster passes through text.c; 2. a status shows by its word
 * and its symbol, colour only adds to them; 3. widths are of what is shown, so that a row that
 * scrolled out of reach does not widen it.
 *
 * Thread: any. Does not move a cursor.
 */
#include "client/cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MESSAGE_MIN_WIDTH 24
#define NAME_MIN_WIDTH 12
#define KIND_MIN_WIDTH 3
#define GAP 2
#define MINUTE_S ((int64_t)60)
#define HOUR_S (60 * MINUTE_S)
#define DAY_S (24 * HOUR_S)
#define WIDTH_MIN 40
/* Lines about targets in trouble: one on a screen lower than this, else so many. */
#define TROUBLE_HEIGHT 12
#define TROUBLES_MAX 4
/* Where there is no height. */
#define TROUBLES_UNLIMITED_MAX 64

enum column {
    COLUMN_STATUS,
    COLUMN_NAME,
    COLUMN_NAMESPACE,
    COLUMN_READY,
    COLUMN_AGE,
    COLUMN_MESSAGE
};
#define COLUMN_COUNT 6

static const char *const headings[COLUMN_COUNT] = {"STATUS", "KIND/NAME", "NAMESPACE",
                                                   "READY",  "AGE",       "MESSAGE"};

struct look {
    const char *symbol;
    const char *ascii;
    const char *colour; /* SGR parameters */
    int weight;         /* how much it matters, for choosing rows */
};

static const struct look looks[KS_STATUS_COUNT] = {
    [KS_STATUS_UNSPECIFIED] = {"?", "?", "0", 0},  [KS_STATUS_IN_PROGRESS] = {"◌", "~", "33", 3},
    [KS_STATUS_FAILED] = {"✗", "!", "1;31", 5},    [KS_STATUS_CURRENT] = {"✓", "+", "32", 0},
    [KS_STATUS_TERMINATING] = {"↓", "-", "35", 2}, [KS_STATUS_NOT_FOUND] = {"∅", "0", "36", 1},
    [KS_STATUS_UNKNOWN] = {"?", "?", "1;35", 4},
};

/* In the order of the counts line. */
static const ks_status status_order[] = {KS_STATUS_FAILED,      KS_STATUS_UNKNOWN,
                                         KS_STATUS_IN_PROGRESS, KS_STATUS_TERMINATING,
                                         KS_STATUS_NOT_FOUND,   KS_STATUS_CURRENT};

struct table {
    const struct ks_rows *rows;
    const struct ks_table_format *format;
    struct ks_buf *out;
    const struct ks_row **list;
    size_t count; /* rows shown */
    size_t total;
    size_t width;                /* of all; 0: no limit */
    size_t widths[COLUMN_COUNT]; /* 0: not shown; MESSAGE: SIZE_MAX without limit */
};

char *ks_age_format(int64_t age_ms, char out[KS_AGE_MAX])
{
    int64_t s = age_ms < 0 ? 0 : age_ms / 1000;

    if (s < 2 * MINUTE_S)
        (void)snprintf(out, KS_AGE_MAX, "%" PRId64 "s", s); /* fits, as the others do */
    else if (s < 10 * MINUTE_S)
        (void)snprintf(out, KS_AGE_MAX, "%" PRId64 "m%" PRId64 "s", s / MINUTE_S, s % MINUTE_S);
    else if (s < 3 * HOUR_S)
        (void)snprintf(out, KS_AGE_MAX, "%" PRId64 "m", s / MINUTE_S);
    else if (s < 2 * DAY_S)
        (void)snprintf(out, KS_AGE_MAX, "%" PRId64 "h", s / HOUR_S);
    else
        (void)snprintf(out, KS_AGE_MAX, "%" PRId64 "d", s / DAY_S % 1000000);
    return out;
}

static int compare_places(const struct ks_row *a, const struct ks_row *b)
{
    int order;

    if (a->target_id != b->target_id)
        return a->target_id < b->target_id ? -1 : 1;
    order = ks_str_cmp(a->ns, b->ns);
    if (!order)
        order = ks_str_cmp(a->kind, b->kind);
    return order ? order : ks_str_cmp(a->name, b->name);
}

static int compare_by_place(const void *a, const void *b)
{
    return compare_places(*(const struct ks_row *const *)a, *(const struct ks_row *const *)b);
}

static int compare_by_weight(const void *a, const void *b)
{
    const struct ks_row *x = *(const struct ks_row *const *)a;
    const struct ks_row *y = *(const struct ks_row *const *)b;
    int order = looks[y->status].weight - looks[x->status].weight;

    return order ? order : compare_places(x, y);
}

/* Chooses what there is room for, and puts it in the order that was asked for. */
static void choose_rows(struct table *t, size_t room)
{
    t->count = t->total;
    if (room > 0 && t->total > room) {
        qsort(t->list, t->total, sizeof(const void *), compare_by_weight);
        t->count = room - 1; /* one line tells of the rest */
    }
    if (t->count > 0)
        qsort(t->list, t->count, sizeof(const void *), compare_by_place);
}

static void ready_format(const struct ks_row *row, char *out, size_t size)
{
    if (row->has_progress)
        (void)snprintf(out, size, "%u/%u", row->ready_count, row->desired_count); /* fits */
    else
        (void)snprintf(out, size, "-"); /* fits */
}

static char *age_of(const struct table *t, const struct ks_row *row, char out[KS_AGE_MAX])
{
    if (row->transition_ms)
        return ks_age_format(t->format->now_ms - row->transition_ms, out);
    (void)snprintf(out, KS_AGE_MAX, "-"); /* fits */
    return out;
}

static void widen(size_t *width, size_t to)
{
    if (*width < to)
        *width = to;
}

static void measure_row(struct table *t, const struct ks_row *row)
{
    ks_text_charset charset = t->format->charset;
    char text[40];

    widen(&t->widths[COLUMN_STATUS], 2 + strlen(ks_status_text(row->status)));
    widen(&t->widths[COLUMN_NAME],
          ks_text_width(row->kind, charset) + 1 + ks_text_width(row->name, charset));
    widen(&t->widths[COLUMN_NAMESPACE], ks_text_width(row->ns, charset));
    ready_format(row, text, sizeof(text));
    widen(&t->widths[COLUMN_READY], strlen(text));
    widen(&t->widths[COLUMN_AGE], strlen(age_of(t, row, text)));
}

static bool has_several_namespaces(const struct table *t)
{
    for (size_t i = 1; i < t->count; i++) {
        if (!ks_str_eq(t->list[i]->ns, t->list[0]->ns))
            return true;
    }
    return false;
}

static bool has_progress(const struct table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i]->has_progress)
            return true;
    }
    return false;
}

static size_t width_before_message(const struct table *t)
{
    size_t width = 0;

    for (size_t i = 0; i < COLUMN_MESSAGE; i++)
        width += t->widths[i] ? t->widths[i] + GAP : 0;
    return width;
}

static void choose_columns(struct table *t)
{
    static const enum column to_drop[] = {COLUMN_AGE, COLUMN_READY, COLUMN_NAMESPACE};
    size_t width = t->width;
    size_t others;

    for (size_t i = 0; i < COLUMN_MESSAGE; i++)
        t->widths[i] = strlen(headings[i]);
    for (size_t i = 0; i < t->count; i++)
        measure_row(t, t->list[i]);
    if (!has_several_namespaces(t))
        t->widths[COLUMN_NAMESPACE] = 0;
    if (!has_progress(t))
        t->widths[COLUMN_READY] = 0;
    if (t->format->lacks_ages)
        t->widths[COLUMN_AGE] = 0;
    t->widths[COLUMN_MESSAGE] = SIZE_MAX;
    if (width == 0)
        return;
    for (size_t i = 0; i < KS_ARRAY_LEN(to_drop); i++) {
        if (width_before_message(t) + MESSAGE_MIN_WIDTH > width)
            t->widths[to_drop[i]] = 0;
    }
    others = t->widths[COLUMN_STATUS] + GAP + GAP + MESSAGE_MIN_WIDTH;
    if (width_before_message(t) + MESSAGE_MIN_WIDTH > width)
        t->widths[COLUMN_NAME] = width > others + NAME_MIN_WIDTH ? width - others : NAME_MIN_WIDTH;
    others = width_before_message(t);
    t->widths[COLUMN_MESSAGE] = width > others ? width - others : 0;
}

static ks_rc append_gap(struct table *t)
{
    return ks_buf_append_str(t->out, KS_LIT("  "));
}

/* Blanks at a line's end would only be copied into mails. */
static ks_rc end_line(struct table *t)
{
    while (t->out->len > 0 && t->out->data[t->out->len - 1] == ' ')
        t->out->data[--t->out->len] = '\0';
    return ks_buf_append_byte(t->out, '\n');
}

static ks_rc append_cell(struct table *t, enum column column, struct ks_str text)
{
    ks_rc rc;

    if (t->widths[column] == 0)
        return KS_RC_OK;
    if (column == COLUMN_MESSAGE)
        return ks_text_append_cut(t->out, text, t->widths[column], t->format->charset);
    rc = ks_text_append_cell(t->out, text, t->widths[column], t->format->charset);
    return rc ? rc : append_gap(t);
}

static ks_rc append_colour(struct table *t, const char *sgr)
{
    return t->format->has_colour ? ks_buf_appendf(t->out, "\x1b[%sm", sgr) : KS_RC_OK;
}

static ks_rc append_status(struct table *t, ks_status status)
{
    const struct look *look = &looks[status];
    const char *symbol = t->format->charset == KS_TEXT_ASCII ? look->ascii : look->symbol;
    const char *word = ks_status_text(status);
    size_t padding = t->widths[COLUMN_STATUS] - 2 - strlen(word);
    ks_rc rc = append_colour(t, look->colour);

    if (!rc)
        rc = ks_buf_appendf(t->out, "%s %s", symbol, word);
    if (!rc)
        rc = append_colour(t, "0");
    return rc ? rc : ks_buf_appendf(t->out, "%*s", (int)(padding + GAP), "");
}

/* Where not all fits the kind is cut first, for names tell objects apart: "Depl.../web". */
static ks_rc append_name(struct table *t, const struct ks_row *row)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(4096);
    ks_text_charset charset = t->format->charset;
    size_t needed = ks_text_width(row->name, charset) + 1;
    size_t width = t->widths[COLUMN_NAME];
    size_t left = width > needed ? width - needed : 0;
    ks_rc rc;

    rc = left < KIND_MIN_WIDTH ? ks_buf_append_str(&text, row->kind)
                               : ks_text_append_cut(&text, row->kind, left, charset);
    if (!rc)
        rc = ks_buf_append_byte(&text, '/');
    if (!rc)
        rc = ks_buf_append_str(&text, row->name);
    return rc ? rc : append_cell(t, COLUMN_NAME, ks_buf_str(&text));
}

static ks_rc append_row(struct table *t, const struct ks_row *row)
{
    char ready[32];
    char age[KS_AGE_MAX];
    ks_rc rc = append_status(t, row->status);

    ready_format(row, ready, sizeof(ready));
    if (!rc)
        rc = append_name(t, row);
    if (!rc)
        rc = append_cell(t, COLUMN_NAMESPACE, row->ns);
    if (!rc)
        rc = append_cell(t, COLUMN_READY, ks_str_from(ready));
    if (!rc)
        rc = append_cell(t, COLUMN_AGE, ks_str_from(age_of(t, row, age)));
    if (!rc)
        rc = append_cell(t, COLUMN_MESSAGE, row->message);
    return rc ? rc : end_line(t);
}

static ks_rc append_header(struct table *t)
{
    ks_rc rc = append_colour(t, "1");

    for (int i = 0; !rc && i < COLUMN_COUNT; i++)
        rc = append_cell(t, (enum column)i, ks_str_from(headings[i]));
    if (!rc)
        rc = append_colour(t, "0");
    return rc ? rc : end_line(t);
}

static ks_rc append_text_line(struct table *t, struct ks_str text)
{
    size_t width = t->width;
    ks_rc rc = ks_text_append_cut(t->out, text, width ? width : SIZE_MAX, t->format->charset);

    return rc ? rc : end_line(t);
}

ks_rc ks_table_append_counts(const struct ks_rows *rows, struct ks_buf *out)
{
    size_t total = ks_rows_count(rows);
    const char *separator = ": ";
    ks_rc rc = ks_buf_appendf(out, "%zu object%s", total, total == 1 ? "" : "s");

    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(status_order); i++) {
        size_t count = ks_rows_count_of(rows, status_order[i]);

        if (count == 0)
            continue;
        rc = ks_buf_appendf(out, "%s%zu %s", separator, count, ks_status_text(status_order[i]));
        separator = ", ";
    }
    return rc;
}

static ks_rc append_summary(struct table *t)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1024);
    ks_rc rc;

    rc = ks_table_append_counts(t->rows, &text);
    if (!rc && ks_rows_dropped(t->rows) > 0)
        rc = ks_buf_append_str(&text, KS_LIT("; there are more than can be shown"));
    if (!rc && t->format->is_lost)
        rc = ks_buf_append_str(&text, KS_LIT("; lost kstatusd, trying again"));
    else if (!rc && ks_rows_is_draining(t->rows))
        rc = ks_buf_append_str(&text, KS_LIT("; the server is shutting down"));
    else if (!rc && !ks_rows_is_synced(t->rows))
        rc = ks_buf_append_str(&text, KS_LIT("; waiting for first answers"));
    return rc ? rc : append_text_line(t, ks_buf_str(&text));
}

static ks_rc append_trouble(struct table *t, const struct ks_trouble *trouble)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(4096);
    ks_rc rc;

    rc = ks_buf_appendf(
        &text, "! %s is %s%s%.*s", ks_targets_label(ks_rows_targets(t->rows), trouble->target_id),
        trouble->state, trouble->message.len ? ": " : "", KS_STR_ARGS(trouble->message));
    return rc ? rc : append_text_line(t, ks_buf_str(&text));
}

static ks_rc append_troubles(struct table *t, const struct ks_trouble *troubles, size_t count,
                             size_t room)
{
    size_t shown = count > room ? room - 1 : count;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < shown; i++)
        rc = append_trouble(t, &troubles[i]);
    if (!rc && shown < count)
        rc = ks_buf_appendf(t->out, "! %zu more targets in trouble\n", count - shown);
    return rc;
}

static ks_rc append_rows(struct table *t)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < t->count; i++)
        rc = append_row(t, t->list[i]);
    if (!rc && t->count < t->total) {
        char text[64];

        (void)snprintf(text, sizeof(text), "... and %zu more", t->total - t->count); /* fits */
        rc = append_text_line(t, ks_str_from(text));
    }
    return rc;
}

/* How many lines are for rows, the one that tells of more included; 0: no limit. */
static size_t row_room(const struct ks_table_format *format, size_t trouble_lines)
{
    size_t others = 2 + trouble_lines; /* header and counts */

    if (format->height == 0)
        return 0;
    return format->height > others + 2 ? format->height - others : 2;
}

static ks_rc render(struct table *t)
{
    struct ks_trouble troubles[TROUBLES_UNLIMITED_MAX];
    size_t count = ks_rows_troubles(t->rows, troubles, TROUBLES_UNLIMITED_MAX);
    size_t height = t->format->height;
    size_t room = height == 0 ? TROUBLES_UNLIMITED_MAX : height < TROUBLE_HEIGHT ? 1 : TROUBLES_MAX;
    ks_rc rc;

    ks_rows_list(t->rows, t->list);
    choose_rows(t, row_room(t->format, count < room ? count : room));
    choose_columns(t);
    rc = append_header(t);
    if (!rc)
        rc = append_rows(t);
    if (!rc)
        rc = append_summary(t);
    return rc ? rc : append_troubles(t, troubles, count, room);
}

ks_rc ks_table_render(const struct ks_rows *rows, const struct ks_table_format *format,
                      struct ks_buf *out)
{
    struct table t = {.rows = rows, .format = format, .out = out, .total = ks_rows_count(rows)};
    KS_CLEANUP(ks_freep) void *list = ks_alloc_array(t.total + 1, sizeof(const void *));

    if (!list)
        return KS_RC_NOMEM;
    t.list = list;
    t.width = format->width > 0 && format->width < WIDTH_MIN ? WIDTH_MIN : format->width;
    return render(&t);
}
