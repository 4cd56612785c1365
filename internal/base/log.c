/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line a call, built in a fixed buffer on the stack and written at once, so that lines of
 * several threads never mix. What does not fit is cut; a line is always whole JSON or whole logfmt.
 *
 * Thread: any.
 */
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "base/rfc3339.h"

#define LINE_MAX_BYTES 8192
#define VALUE_MAX_BYTES 1024

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t len;
};

/* False, and nothing added, when it does not fit. */
static bool line_add(struct line *l, const char *text, size_t len)
{
    if (len > sizeof(l->bytes) - 3 - l->len) /* room for the closing brace and the newline */
        return false;
    memcpy(l->bytes + l->len, text, len);
    l->len += len;
    return true;
}

/* A quoted string that is valid in JSON and in logfmt alike. */
static bool line_add_quoted(struct line *l, struct ks_str value)
{
    char quoted[VALUE_MAX_BYTES * 6 + 8];
    struct ks_str cut = ks_str_cut_utf8(value, VALUE_MAX_BYTES);
    size_t n = 0;

    quoted[n++] = '"';
    for (size_t i = 0; i < cut.len; i++) {
        unsigned char c = (unsigned char)cut.ptr[i];

        if (c == '"' || c == '\\')
            quoted[n++] = '\\';
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(quoted + n, 7, "\\u%04x", c);
        else
            quoted[n++] = (char)c;
    }
    quoted[n++] = '"';
    return line_add(l, quoted, n);
}

static bool line_add_value(struct line *l, struct ks_str value)
{
    static const char replaced[] = "\"(bytes that are no UTF-8)\"";

    if (ks_str_is_utf8(value))
        return line_add_quoted(l, value);
    return line_add(l, replaced, sizeof(replaced) - 1);
}

static bool line_add_name(struct line *l, enum ks_log_format format, const char *name)
{
    char text[64];
    int n = snprintf(text, sizeof(text), format == KS_LOG_JSON ? "%s\"%s\":" : "%s%s=",
                     l->len <= 1 ? "" : (format == KS_LOG_JSON ? "," : " "), name);

    return n > 0 && (size_t)n < sizeof(text) && line_add(l, text, (size_t)n);
}

static bool line_add_content(struct line *l, const struct ks_log_field *field)
{
    char number[24];
    int n;

    if (field->type == KS_LOG_FIELD_STR)
        return line_add_value(l, field->str);
    n = snprintf(number, sizeof(number), "%lld", (long long)field->num);
    return n > 0 && line_add(l, number, (size_t)n);
}

/* A field that does not fit is left out whole. */
static void line_add_field(struct line *l, enum ks_log_format format,
                           const struct ks_log_field *field)
{
    size_t before = l->len;

    if (!line_add_name(l, format, field->name) || !line_add_content(l, field))
        l->len = before;
}

void ks_log_write(const struct ks_log *log, enum ks_log_level level, const char *message,
                  const struct ks_log_field *fields)
{
    struct line l = {.len = 0};
    char time[KS_RFC3339_MAX];
    ssize_t written;

    if (!ks_log_is_on(log, level))
        return;
    ks_rfc3339_format(log->clock->wall_ms(log->clock), time);
    if (log->format == KS_LOG_JSON)
        l.bytes[l.len++] = '{';
    line_add_field(&l, log->format, &KS_F_STR("time", time));
    line_add_field(&l, log->format, &KS_F_STR("level", level_names[level]));
    line_add_field(&l, log->format, &KS_F_STR("msg", message));
    for (; fields->name; fields++)
        line_add_field(&l, log->format, fields);
    if (log->format == KS_LOG_JSON)
        l.bytes[l.len++] = '}';
    l.bytes[l.len++] = '\n';
    written = write(log->fd, l.bytes, l.len);
    (void)written; /* a log that cannot be written has nowhere to complain */
}

bool ks_log_level_parse(const char *text, enum ks_log_level *out)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum ks_log_level)i;
            return true;
        }
    }
    return false;
}

bool ks_log_limit_pass(struct ks_log_limit *l, int64_t now_mono_ms, unsigned *out_dropped)
{
    if (l->used == 0 || now_mono_ms - l->window_start_ms >= l->window_ms) {
        l->window_start_ms = now_mono_ms;
        l->used = 0;
    }
    if (l->used >= l->burst) {
        l->dropped++;
        return false;
    }
    l->used++;
    *out_dropped = l->dropped;
    l->dropped = 0;
    return true;
}
