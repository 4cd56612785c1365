/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Newline framer.
 *
 * The model: bytes are either handed out straight from the caller's chunk, when a line lies in it
 * whole, or gathered in `part` until their newline comes. A line that outgrows its limit is cut
 * down to its head and from there on only counted.
 *
 * Invariants:
 *   1. part never holds a newline, and never more than max_line_bytes or KS_LINES_HEAD_BYTES, the
 *      larger;
 *   2. skipped == 0, or part holds the head of a line of which `skipped` bytes have gone by;
 *   3. whatever a callback returns, the framer stands at the beginning of a line afterwards.
 *
 * Thread: one at a time.
 *
 * Does not: look into a line; a NUL is a byte like any other.
 */
#include "http/lines.h"

/* What is kept between lines: a common event fits, so that a busy watch does not allocate for each.
 */
#define KEEP_BYTES ((size_t)8 << 10)

void ks_lines_init(struct ks_lines *l, size_t max_line_bytes, size_t max_skip_bytes,
                   const struct ks_lines_ops *ops, void *ctx)
{
    *l = (struct ks_lines){
        .ops = ops,
        .ctx = ctx,
        .max_line_bytes = max_line_bytes,
        .max_skip_bytes = max_skip_bytes,
    };
    ks_buf_init(&l->part,
                max_line_bytes > KS_LINES_HEAD_BYTES ? max_line_bytes : KS_LINES_HEAD_BYTES);
}

void ks_lines_fini(struct ks_lines *l)
{
    ks_buf_fini(&l->part);
    l->skipped = 0;
}

bool ks_lines_has_part(const struct ks_lines *l)
{
    return l->part.len > 0 || l->skipped > 0;
}

static ks_rc lines_report(struct ks_lines *l, struct ks_str line)
{
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line.len ? l->ops->on_line(l->ctx, line) : KS_RC_OK;
}

/* More of a line that is too long: its head is completed, the rest is counted. */
static ks_rc lines_skip(struct ks_lines *l, struct ks_str bytes)
{
    const size_t room = l->part.len < KS_LINES_HEAD_BYTES ? KS_LINES_HEAD_BYTES - l->part.len : 0;

    if (bytes.len > l->max_skip_bytes - l->skipped)
        return KS_RC_LIMIT;
    l->skipped += bytes.len;
    return ks_buf_append_str(&l->part, ks_str_sub(bytes, 0, room));
}

/* More of the line at hand, without a newline in it. */
static ks_rc lines_gather(struct ks_lines *l, struct ks_str bytes)
{
    if (l->skipped)
        return lines_skip(l, bytes);
    if (l->part.len + bytes.len <= l->max_line_bytes)
        return ks_buf_append_str(&l->part, bytes);
    if (l->part.len > l->max_skip_bytes)
        return KS_RC_LIMIT;
    l->skipped = l->part.len;
    if (l->part.len > KS_LINES_HEAD_BYTES) {
        l->part.len = KS_LINES_HEAD_BYTES;
        l->part.data[l->part.len] = '\0';
    }
    return lines_skip(l, bytes);
}

/* The newline of a gathered line has come. */
static ks_rc lines_finish(struct ks_lines *l)
{
    const size_t len = l->skipped;
    const struct ks_str held = ks_buf_str(&l->part);
    ks_rc rc;

    if (len)
        rc = l->ops->on_too_long(l->ctx, held, len);
    else
        rc = lines_report(l, held);
    l->skipped = 0;
    ks_buf_shrink(&l->part, KEEP_BYTES);
    return rc;
}

ks_rc ks_lines_feed(struct ks_lines *l, struct ks_str bytes)
{
    while (bytes.len) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        const struct ks_str piece =
            ks_str_make(bytes.ptr, end ? (size_t)(end - bytes.ptr) : bytes.len);
        ks_rc rc;

        if (end && !ks_lines_has_part(l) && piece.len <= l->max_line_bytes) {
            rc = lines_report(l, piece);
        } else {
            rc = lines_gather(l, piece);
            if (!rc && end)
                rc = lines_finish(l);
        }
        if (rc)
            return rc;
        if (!end)
            return KS_RC_OK;
        bytes = ks_str_sub(bytes, piece.len + 1, bytes.len);
    }
    return KS_RC_OK;
}
