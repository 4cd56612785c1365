/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Newline framer for watch bodies: bytes cut anywhere in, whole lines out.
 *
 * Thread: one at a time.  Owns: the unfinished line.  Limits: a line over max_line_bytes is not
 * handed out; its first bytes are kept to tell whose it was, and the rest is skipped to the next
 * newline with bounded memory; more than max_skip_bytes without a newline is KS_RC_LIMIT. The
 * buffer shrinks again after a big line.
 */
#ifndef KS_HTTP_LINES_H
#define KS_HTTP_LINES_H

#include "base/str.h"

#define KS_LINES_DEFAULT_MAX_LINE ((size_t)16 << 20)
#define KS_LINES_DEFAULT_MAX_SKIP ((size_t)64 << 20)
#define KS_LINES_HEAD_BYTES ((size_t)64 << 10)

struct ks_lines_ops {
    /* Without the newline and a CR before it; blank lines are not reported. A result other than OK
     * stops and is returned by the feed call. */
    ks_rc (*on_line)(void *ctx, struct ks_str line);
    /* A line was over the limit: its first KS_LINES_HEAD_BYTES bytes and its whole length. */
    ks_rc (*on_too_long)(void *ctx, struct ks_str head, size_t len);
};

struct ks_lines {
    /* private */
    struct ks_buf part;
    const struct ks_lines_ops *ops;
    void *ctx;
    size_t max_line_bytes;
    size_t max_skip_bytes;
    size_t skipped; /* 0: not skipping; else bytes of the long line so far */
};

void ks_lines_init(struct ks_lines *l, size_t max_line_bytes, size_t max_skip_bytes,
                   const struct ks_lines_ops *ops, void *ctx);
void ks_lines_fini(struct ks_lines *l);
KS_MUST_USE ks_rc ks_lines_feed(struct ks_lines *l, struct ks_str bytes);
/* Whether an unfinished line is held: at the end of a stream it is dropped. */
bool ks_lines_has_part(const struct ks_lines *l);

#endif
