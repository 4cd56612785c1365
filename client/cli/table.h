/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as text for people: a header, the rows, a line of counts, and what troubles the targets.
 *
 * Nothing is longer than the given width (40 columns at least), and there are no more lines than
 * the given height: what matters most is kept (failed before unknown before unfinished before
 * done), and a line tells how many more there are.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_TABLE_H
#define KS_CLIENT_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/str.h"

#include "client/cli/rows.h"
#include "client/cli/text.h"

struct ks_table_format {
    size_t width;  /* columns; 0: no limit */
    size_t height; /* lines; 0: no limit */
    bool has_colour;
    bool lacks_ages; /* a snapshot: nobody knows since when it is so */
    bool is_lost;    /* no stream: what is shown is what was known last */
    ks_text_charset charset;
    int64_t now_ms; /* wall time, for ages */
};

/* Lines that each end with '\n'. */
KS_MUST_USE ks_rc ks_table_render(const struct ks_rows *rows, const struct ks_table_format *format,
                                  struct ks_buf *out);

/* "5 objects: 1 Failed, 4 Current" */
KS_MUST_USE ks_rc ks_table_append_counts(const struct ks_rows *rows, struct ks_buf *out);

/* "5s", "3m20s", "4d"; "-" for times that are not known. */
#define KS_AGE_MAX 16
char *ks_age_format(int64_t age_ms, char out[KS_AGE_MAX]);

#endif
