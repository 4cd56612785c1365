/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labelled paragraphs of 80 columns: the label in one column, the text wrapped in another.
 *
 *       because     Deployment has less than the wanted replicas, and this sentence goes on in
 *                   the next line
 *
 * Thread: any.  Owns: nothing.  Limits: KS_PARAGRAPH_MAX_BYTES of a text; the rest is cut.
 */
#ifndef KS_CLIENT_CLI_PARAGRAPH_H
#define KS_CLIENT_CLI_PARAGRAPH_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define KS_PARAGRAPH_WIDTH 80
#define KS_PARAGRAPH_INDENT 14
#define KS_PARAGRAPH_MAX_BYTES ((size_t)64 << 10)

KS_MUST_USE ks_rc ks_paragraph_append(struct ks_buf *out, const char *label, struct ks_str text);

/* Its parts. */
KS_MUST_USE ks_rc ks_paragraph_append_label(struct ks_buf *out, const char *label);
KS_MUST_USE ks_rc ks_paragraph_append_blanks(struct ks_buf *out, size_t count);
/* The text in words from a column on; later lines begin in the same column. The line is at `column`
 * already. Ends the line. */
KS_MUST_USE ks_rc ks_paragraph_append_wrapped(struct ks_buf *out, struct ks_str text,
                                              size_t column);
/* Puts the label where the first line of a part, which begins at out's byte `part`, has blanks;
 * nothing when the part is empty. */
void ks_paragraph_set_label(struct ks_buf *out, size_t part, const char *label);

#endif
