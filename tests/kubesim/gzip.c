/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body that pulls another one through zlib.
 *
 * The model: as the API server has it, lists beyond 128 KiB go out as one gzip member at level 1
 * when the client's Accept-Encoding has gzip; everything else as it is.
 *
 * 1. One buffer of input at a time is taken from the inner body, which has no pauses.
 *
 * Thread: one.
 */
#include "gzip.h"

#include <zlib.h>

#include "base/alloc.h"
#include "reply.h"

#define GZIP_FROM_BYTES ((size_t)128 * 1024)
#define GZIP_INPUT_BYTES ((size_t)32 * 1024)
#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's header */

struct gzip_body {
    struct sim_body body;
    struct sim_body *inner;
    z_stream z;
    bool has_ended;
    uint8_t input[GZIP_INPUT_BYTES];
};

static size_t gzip_read(struct sim_body *b, uint8_t *out, size_t len, bool *eof)
{
    struct gzip_body *g = KS_CONTAINER_OF(b, struct gzip_body, body);

    g->z.next_out = out;
    g->z.avail_out = (uInt)len;
    while (g->z.avail_out > 0) {
        int rc;

        if (g->z.avail_in == 0 && !g->has_ended) {
            g->z.next_in = g->input;
            g->z.avail_in =
                (uInt)g->inner->ops->read(g->inner, g->input, sizeof(g->input), &g->has_ended);
        }
        rc = deflate(&g->z, g->has_ended ? Z_FINISH : Z_NO_FLUSH);
        if (rc == Z_STREAM_END) {
            *eof = true;
            break;
        }
    }
    return len - g->z.avail_out;
}

static void gzip_free(struct sim_body *b)
{
    struct gzip_body *g = KS_CONTAINER_OF(b, struct gzip_body, body);

    deflateEnd(&g->z);
    sim_body_free(g->inner);
    ks_free(g);
}

static struct sim_body *gzip_new(struct sim_body *inner)
{
    static const struct sim_body_ops ops = {.read = gzip_read, .free = gzip_free};
    struct gzip_body *g = ks_alloc0(sizeof(*g));

    if (!g)
        return NULL;
    g->body.ops = &ops;
    if (deflateInit2(&g->z, 1, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        ks_free(g);
        return NULL;
    }
    g->inner = inner;
    return &g->body;
}

static bool accepts_gzip(const struct sim_request *r)
{
    struct ks_str rest = sim_request_header(r, "accept-encoding");
    struct ks_str part;

    while (ks_str_split(&rest, ',', &part)) {
        if (ks_str_starts(ks_str_trim(part), KS_LIT("gzip")))
            return true;
    }
    return false;
}

void sim_reply_gzipped(struct sim_request *r, struct sim_body *body, size_t length)
{
    struct sim_reply reply = {
        .status = 200,
        .content_type = "application/json",
        .content_length = -1,
        .headers = {{"cache-control", "no-cache, private"},
                    {"content-encoding", "gzip"},
                    {"vary", "Accept-Encoding"}},
    };

    if (length > GZIP_FROM_BYTES && accepts_gzip(r))
        reply.body = gzip_new(body);
    if (reply.body)
        sim_stream_reply(r->stream, &reply);
    else
        sim_reply_body(r, 200, body, (int64_t)length);
}
