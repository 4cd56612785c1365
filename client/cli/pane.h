/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where `watch` and `wait` show what happens: a live table on a terminal, else one line a change,
 * or what the command writes as JSON itself.
 *
 * Thread: main.  Owns: rows, buffers.  Borrows: the targets.  Limits: 256 MiB in a buffer.
 */
#ifndef KS_CLIENT_CLI_PANE_H
#define KS_CLIENT_CLI_PANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#include "client/cli/lines.h"
#include "client/cli/options.h"
#include "client/cli/rows.h"
#include "client/cli/screen.h"
#include "client/cli/table.h"
#include "client/cli/targets.h"

/* A change is painted no later than this. */
#define KS_PANE_PAINT_MS 100

typedef enum { KS_PANE_TABLE, KS_PANE_LINES, KS_PANE_JSON } ks_pane_view;

struct ks_pane {
    /* public */
    ks_pane_view view;
    struct ks_table_format format; /* its size and time are the pane's */
    struct ks_buf out;             /* what ks_pane_flush prints */
    int64_t paint_ms;              /* KS_PANE_TABLE: mono, when the next frame is due */
    /* private */
    struct ks_rows *rows;
    struct ks_lines lines;
    struct ks_screen screen;
    struct ks_buf frame;
};

/* False: out of memory. The pane is to be ended all the same. */
KS_MUST_USE bool ks_pane_init(struct ks_pane *p, const struct ks_options *options,
                              const struct ks_targets *targets);
void ks_pane_fini(struct ks_pane *p);

/* An event, to the rows or as a line; nothing for JSON. */
KS_MUST_USE ks_rc ks_pane_show(struct ks_pane *p, const Kstatus__V1__Event *event, int64_t wall_ms);
/* Something has changed: brings the next frame forward. */
void ks_pane_changed(struct ks_pane *p);
/* Prints what is in out; says why it cannot, or what rc says, and is false then. */
KS_MUST_USE bool ks_pane_flush(struct ks_pane *p, ks_rc rc);
/* A frame, with a last line of its own (with '\n'; empty: none) below which the cursor stays, in a
 * screen less this many lines. As ks_pane_flush. */
KS_MUST_USE bool ks_pane_paint(struct ks_pane *p, struct ks_str footer, size_t reserved_lines);
/* SIGWINCH, SIGCONT; others are not its business: false. */
bool ks_pane_on_signal(struct ks_pane *p, int signo);

#endif
