/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame of text that stays in place on a terminal: each frame is painted over the last one. No
 * alternate screen: the last frame stays when the program ends, and what stood above it is not
 * touched.
 *
 * Thread: main.  Owns: nothing; borrows the descriptor.
 */
#ifndef KS_CLIENT_CLI_SCREEN_H
#define KS_CLIENT_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct ks_screen {
    /* public */
    size_t width;
    size_t height;
    /* private */
    int fd;
    size_t painted; /* lines between the frame's first and the cursor's */
    bool must_clear;
};

void ks_screen_init(struct ks_screen *s, int fd);
/* After SIGWINCH: measures again. Old lines may have been wrapped anew, so the next frame starts on
 * a cleared screen. */
void ks_screen_on_resize(struct ks_screen *s);
/* After SIGCONT: others have written; the next frame starts where the cursor is. */
void ks_screen_on_continue(struct ks_screen *s);
/* frame: lines that each end with '\n', fewer than height. Appends what paints it. */
KS_MUST_USE ks_rc ks_screen_paint(struct ks_screen *s, struct ks_str frame, struct ks_buf *out);

/* Whether colours are wanted there: a terminal, and no NO_COLOR (https://no-color.org). */
bool ks_screen_has_colour(int fd);

#endif
