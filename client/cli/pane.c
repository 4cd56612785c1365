/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and screen, or lines: one of them is used, by the view. A frame is made anew each time, at
 * least each TICK_MS for the ages.
 *
 * Invariant: what was appended to out is printed by the next flush, or never.
 *
 * Thread: main. Does not: wait; the command's loop does, until paint_ms.
 */
#include "client/cli/pane.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

#include "client/cli/report.h"
#include "client/cli/text.h"

#define TICK_MS 1000
#define OUTPUT_MAX_BYTES ((size_t)1 << 28)

bool ks_pane_init(struct ks_pane *p, const struct ks_options *options,
                  const struct ks_targets *targets)
{
    if (options->output == KS_OUTPUT_JSON)
        p->view = KS_PANE_JSON;
    else
        p->view = isatty(STDOUT_FILENO) ? KS_PANE_TABLE : KS_PANE_LINES;
    p->lines.targets = targets;
    p->paint_ms = ks_mono_ms() + KS_PANE_PAINT_MS;
    ks_buf_init(&p->frame, OUTPUT_MAX_BYTES);
    ks_buf_init(&p->out, OUTPUT_MAX_BYTES);
    if (p->view != KS_PANE_TABLE)
        return true;
    ks_screen_init(&p->screen, STDOUT_FILENO);
    p->format.charset = ks_text_init_locale();
    p->format.has_colour = ks_screen_has_colour(STDOUT_FILENO);
    p->rows = ks_rows_new(targets);
    return p->rows != NULL;
}

void ks_pane_fini(struct ks_pane *p)
{
    ks_rows_free(p->rows);
    ks_buf_fini(&p->frame);
    ks_buf_fini(&p->out);
}

ks_rc ks_pane_show(struct ks_pane *p, const Kstatus__V1__Event *event, int64_t wall_ms)
{
    switch (p->view) {
    case KS_PANE_TABLE:
        return ks_rows_apply(p->rows, event, ks_mono_ms());
    case KS_PANE_LINES:
        return ks_lines_append_event(&p->lines, event, wall_ms, &p->out);
    case KS_PANE_JSON:
        return KS_RC_OK;
    }
    return KS_RC_INTERNAL;
}

void ks_pane_changed(struct ks_pane *p)
{
    if (p->paint_ms > ks_mono_ms() + KS_PANE_PAINT_MS)
        p->paint_ms = ks_mono_ms() + KS_PANE_PAINT_MS;
}

bool ks_pane_flush(struct ks_pane *p, ks_rc rc)
{
    bool is_printed = false;

    if (rc)
        ks_report_complain("cannot print: %s", ks_rc_text(rc));
    else
        is_printed = ks_report_write(ks_buf_str(&p->out));
    ks_buf_clear(&p->out);
    return is_printed;
}

bool ks_pane_paint(struct ks_pane *p, struct ks_str footer, size_t reserved_lines)
{
    ks_rc rc;

    ks_buf_clear(&p->frame);
    ks_rows_sweep(p->rows, ks_mono_ms());
    p->format.now_ms = ks_clock_real.wall_ms(&ks_clock_real);
    p->format.width = p->screen.width;
    p->format.height = p->screen.height > reserved_lines ? p->screen.height - reserved_lines : 1;
    rc = ks_table_render(p->rows, &p->format, &p->frame);
    if (!rc)
        rc = ks_buf_append_str(&p->frame, footer);
    if (!rc)
        rc = ks_screen_paint(&p->screen, ks_buf_str(&p->frame), &p->out);
    p->paint_ms = ks_mono_ms() + TICK_MS;
    return ks_pane_flush(p, rc);
}

bool ks_pane_on_signal(struct ks_pane *p, int signo)
{
    if (signo == SIGWINCH)
        ks_screen_on_resize(&p->screen);
    else if (signo == SIGCONT)
        ks_screen_on_continue(&p->screen);
    else
        return false;
    p->paint_ms = 0;
    return true;
}
