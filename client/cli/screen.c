/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Painting is: up to the frame's first line, then line by line erase and write, then erase what is
 * below. Lines are not wrapped while painting, so that a frame takes as many screen lines as it
 * has, whatever the terminal thinks of a character's width.
 *
 * Invariant: between two frames the cursor is in the first column below the frame, wrapping is on,
 * and nothing else of the terminal was changed; so being killed at any moment between them leaves
 * it usable.
 *
 * Thread: main. Does not write: the caller does.
 */
#include "client/cli/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define DEFAULT_HEIGHT 24

static void measure(struct ks_screen *s)
{
    struct winsize size = {0};

    if (ioctl(s->fd, TIOCGWINSZ, &size) != 0) {
        size.ws_col = 0;
        size.ws_row = 0;
    }
    s->width = size.ws_col > 0 ? size.ws_col : DEFAULT_WIDTH;
    s->height = size.ws_row > 0 ? size.ws_row : DEFAULT_HEIGHT;
}

void ks_screen_init(struct ks_screen *s, int fd)
{
    *s = (struct ks_screen){.fd = fd};
    measure(s);
}

void ks_screen_on_resize(struct ks_screen *s)
{
    size_t width = s->width;

    measure(s);
    s->must_clear =
        s->must_clear || (s->width != width && s->painted > 0) || s->painted >= s->height;
}

void ks_screen_on_continue(struct ks_screen *s)
{
    s->painted = 0;
    s->must_clear = false;
}

static ks_rc go_to_start(struct ks_screen *s, struct ks_buf *out)
{
    if (s->must_clear)
        return ks_buf_append_str(out, KS_LIT("\x1b[H\x1b[2J"));
    return s->painted > 0 ? ks_buf_appendf(out, "\r\x1b[%zuA", s->painted) : KS_RC_OK;
}

ks_rc ks_screen_paint(struct ks_screen *s, struct ks_str frame, struct ks_buf *out)
{
    struct ks_str line;
    size_t lines = 0;
    ks_rc rc = go_to_start(s, out);

    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT("\x1b[?7l"));
    while (!rc && ks_str_split(&frame, '\n', &line)) {
        if (line.len == 0 && frame.len == 0)
            break; /* behind the last '\n' */
        rc = ks_buf_appendf(out, "\x1b[2K%.*s\n", KS_STR_ARGS(line));
        lines++;
    }
    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT("\x1b[J\x1b[?7h"));
    s->painted = lines;
    s->must_clear = false;
    return rc;
}

bool ks_screen_has_colour(int fd)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(fd) && !(no_colour && no_colour[0]) && !(term && strcmp(term, "dumb") == 0);
}
