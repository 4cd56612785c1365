/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from a cluster, made safe to show: names and messages are written by whoever may write to
 * the cluster, and a terminal obeys what it is told.
 *
 * Safe means: no C0 or C1 control, no DEL, no bidirectional override or isolate; blanks for line
 * breaks and tabs; U+FFFD for bytes that are no UTF-8. Widths are columns, as wcwidth has them
 * (LC_CTYPE must be a UTF-8 locale).
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_TEXT_H
#define KS_CLIENT_CLI_TEXT_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef enum {
    KS_TEXT_UTF8,
    KS_TEXT_ASCII, /* for terminals that do not say they know UTF-8: '?' for all else */
} ks_text_charset;

/* Takes the user's LC_CTYPE (one that knows UTF-8, for widths) and tells what the terminal
 * understands. Once, in main. */
ks_text_charset ks_text_init_locale(void);

KS_MUST_USE ks_rc ks_text_append(struct ks_buf *out, struct ks_str text, ks_text_charset charset);
/* Columns that the safe form of the text takes. */
size_t ks_text_width(struct ks_str text, ks_text_charset charset);
/* Exactly `width` columns: filled up with blanks, or cut, which shows. */
KS_MUST_USE ks_rc ks_text_append_cell(struct ks_buf *out, struct ks_str text, size_t width,
                                      ks_text_charset charset);
/* The same without filling up: at most `width` columns. */
KS_MUST_USE ks_rc ks_text_append_cut(struct ks_buf *out, struct ks_str text, size_t width,
                                     ks_text_charset charset);
/* A JSON string with its quotes; unsafe characters are escaped, so that nothing is lost. */
KS_MUST_USE ks_rc ks_text_append_json(struct ks_buf *out, struct ks_str text);

#endif
