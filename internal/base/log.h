/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: a constant message and typed fields, written as one line of logfmt or JSON.
 *
 *     ks_log(log, KS_LOG_WARN, "watch ended, retrying", KS_F_STR("resource", name),
 * KS_F_INT("retry_ms", delay));
 *
 * Code in internal/ logs at debug only; server/ decides what is worth a line. There is no field for
 * secrets.
 *
 * Thread: any; a line is one write(2).  Owns: nothing.  Limits: a line is cut at 8 KiB; control
 * bytes and bytes that are no UTF-8 are escaped.
 */
#ifndef KS_BASE_LOG_H
#define KS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/str.h"

enum ks_log_level { KS_LOG_DEBUG, KS_LOG_INFO, KS_LOG_WARN, KS_LOG_ERROR, KS_LOG_OFF };
enum ks_log_format { KS_LOG_TEXT, KS_LOG_JSON };

struct ks_log {
    int fd;
    enum ks_log_level level;
    enum ks_log_format format;
    const struct ks_clock *clock;
};

struct ks_log_field {
    const char *name; /* NULL ends the list */
    enum { KS_LOG_FIELD_STR, KS_LOG_FIELD_INT } type;
    struct ks_str str;
    int64_t num;
};

#define KS_F_STR(key, text)                                                                        \
    ((struct ks_log_field){.name = (key), .type = KS_LOG_FIELD_STR, .str = ks_str_from(text)})
#define KS_F_VIEW(key, view)                                                                       \
    ((struct ks_log_field){.name = (key), .type = KS_LOG_FIELD_STR, .str = (view)})
#define KS_F_INT(key, value)                                                                       \
    ((struct ks_log_field){.name = (key), .type = KS_LOG_FIELD_INT, .num = (int64_t)(value)})

/* log may be NULL: nothing is written. The message is a string literal. */
#define ks_log(log, level, message, ...)                                                           \
    ks_log_write((log), (level), "" message,                                                       \
                 (const struct ks_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})
void ks_log_write(const struct ks_log *log, enum ks_log_level level, const char *message,
                  const struct ks_log_field *fields);
static inline bool ks_log_is_on(const struct ks_log *log, enum ks_log_level level)
{
    return log && level >= log->level;
}
/* "debug", "info", "warn", "error", "off"; false for anything else. */
bool ks_log_level_parse(const char *text, enum ks_log_level *out);

/* At most `burst` lines per `window_ms`; the line that opens the next window can tell how many were
 * dropped. */
struct ks_log_limit {
    int64_t window_ms;
    unsigned burst;
    /* private */
    int64_t window_start_ms;
    unsigned used;
    unsigned dropped;
};
/* Whether to write now; *out_dropped = lines suppressed since the last one that was let through. */
bool ks_log_limit_pass(struct ks_log_limit *l, int64_t now_mono_ms, unsigned *out_dropped);

#endif
