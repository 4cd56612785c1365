/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Watch stream of the load client: a call that reads on or stops reading, and counts what came.
 *
 * Thread: the one that serves the completion queue.  Owns: its call.  Limits: the caller's number
 * of streams.
 */
#ifndef KS_TESTS_LOAD_STREAM_H
#define KS_TESTS_LOAD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <grpc/grpc.h>

#include "base/str.h"

struct stream;

/* What happens to a stream; each may start or cancel streams. */
struct stream_ops {
    void (*on_response)(struct stream *s, bool has_synced);
    void (*on_end)(struct stream *s);
};

struct counts {
    uint64_t updates;
    uint64_t coalesced;
    uint64_t unknown; /* updates with that status */
    uint64_t gaps;    /* sequence numbers that did not follow */
};

struct stream {
    const struct stream_ops *ops;
    struct load *load;
    unsigned number;
    bool is_open;
    bool is_synced;
    bool is_paused; /* reads no more for now */
    bool is_cancelled;
    unsigned messages;     /* of this call */
    unsigned cancel_after; /* messages; UINT32_MAX: not */
    struct counts counts;
    uint64_t next_sequence;
    grpc_status_code status;

    grpc_call *call;
    grpc_byte_buffer *message;
    grpc_slice details;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    unsigned batches; /* outstanding */
    bool is_reading;
};

/* What all share. */
struct load {
    grpc_completion_queue *cq;
    unsigned open;
    unsigned synced;
    unsigned errors; /* streams that ended with neither OK nor our own CANCELLED */
    char last_error[256];
    /* How late updates came whose message ends in "@MS", the time on CLOCK_MONOTONIC when they were
     * made. A ring. */
    int64_t *late_us;
    size_t late_max;
    size_t late_count; /* since the last report */
};

void stream_start(struct stream *s, grpc_channel *channel, struct ks_str request);
void stream_cancel(struct stream *s);
/* Goes on reading. */
void stream_resume(struct stream *s);
/* Waits for something at most wait_ms; whether anything came. */
bool load_turn(struct load *load, int64_t wait_ms);
int64_t now_us(void);

#endif
