/* SPDX-License-Identifier: Apache-2.0 */
/* layer: http */
/*
 * The newline framer on arbitrary bytes, cut where the first bytes of the input say: the lines must
 * be those that a look at the whole text finds, long ones skipped, whatever the cuts.
 *
 * Thread: one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/lines.h"

#define CUTS 8
#define MAX_LINE 40
#define MAX_SKIP 300

struct check {
    struct ks_str rest; /* of the whole text: what has not been reported yet */
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The next line of the whole text that is not blank. */
static struct ks_str next_line(struct check *c)
{
    struct ks_str line = {0};

    while (line.len == 0) {
        const ptrdiff_t end = ks_str_chr(c->rest, '\n');

        require(end >= 0);
        line = ks_str_sub(c->rest, 0, (size_t)end);
        c->rest = ks_str_sub(c->rest, (size_t)end + 1, c->rest.len);
        if (line.len && line.len <= MAX_LINE && line.ptr[line.len - 1] == '\r')
            line.len--;
    }
    return line;
}

static ks_rc on_line(void *ctx, struct ks_str line)
{
    require(line.len > 0 && line.len <= MAX_LINE && ks_str_chr(line, '\n') < 0);
    require(ks_str_eq(line, next_line(ctx)));
    return KS_RC_OK;
}

static ks_rc on_too_long(void *ctx, struct ks_str head, size_t len)
{
    const struct ks_str line = next_line(ctx);

    require(len > MAX_LINE && line.len == len);
    require(ks_str_starts(line, head) && head.len == len); /* shorter than a head may be */
    return KS_RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_lines_ops ops = {.on_line = on_line, .on_too_long = on_too_long};
    struct ks_str text;
    struct check check;
    struct ks_lines lines;
    ks_rc rc = KS_RC_OK;

    if (size < CUTS)
        return 0;
    text = ks_str_make((const char *)data + CUTS, size - CUTS);
    check.rest = text;
    ks_lines_init(&lines, MAX_LINE, MAX_SKIP, &ops, &check);
    for (size_t i = 0; text.len && !rc; i++) {
        const size_t len = 1 + (size_t)data[i % CUTS];

        rc = ks_lines_feed(&lines, ks_str_sub(text, 0, len));
        text = ks_str_sub(text, len, text.len);
    }
    require(rc == KS_RC_OK || rc == KS_RC_LIMIT);
    if (!rc) {
        /* What is left has no whole line in it but blank ones. */
        require(ks_lines_has_part(&lines) ==
                (check.rest.len > 0 && check.rest.ptr[check.rest.len - 1] != '\n'));
    }
    ks_lines_fini(&lines);
    return 0;
}
