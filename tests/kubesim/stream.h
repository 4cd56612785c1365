/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 request and its answer.
 *
 * Thread: one.  Owns: the request's bytes, the answer's body, its timer.  Limits:
 * STREAM_HEADERS_MAX_BYTES, STREAM_CONTENT_MAX_BYTES (beyond: 413).
 *
 * A handler gets a struct sim_request and answers it exactly once, now or later, with
 * sim_stream_reply. It may park the request instead: it is then routed again.
 */
#ifndef KUBESIM_STREAM_H
#define KUBESIM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "fault.h"
#include "loop.h"

struct sim;
struct sim_conn;
struct sim_identity;
struct sim_log_entry;
struct sim_stream;

/* What an answer sends, pulled as the client takes it. */
struct sim_body;
struct sim_body_ops {
    /* Writes up to len bytes and returns how many; 0 with *eof untouched = nothing now,
     * sim_stream_wake follows. */
    size_t (*read)(struct sim_body *b, uint8_t *out, size_t len, bool *eof);
    void (*free)(struct sim_body *b);
};
struct sim_body {
    const struct sim_body_ops *ops;
};
/* Takes bytes (may be NULL when len is 0); NULL when memory is short, bytes are then freed. */
struct sim_body *sim_body_bytes_new(char *bytes, size_t len);
void sim_body_free(struct sim_body *b);

struct sim_request {
    struct sim *sim;
    struct sim_stream *stream;
    struct ks_str method;
    struct ks_str path;  /* as sent, before the question mark */
    struct ks_str query; /* as sent, behind it */
    struct ks_str content;
    const struct sim_identity *identity; /* set by the router */
    bool has_waited;                     /* for a resourceVersion of the future */
    bool fault_decided;
};

struct sim_reply_header {
    const char *name; /* lower case; NULL ends the list */
    const char *value;
};
#define SIM_REPLY_HEADERS_MAX 12
struct sim_reply {
    int status;
    const char *content_type; /* NULL: none */
    struct sim_body *body;    /* taken; NULL: none */
    int64_t content_length;   /* -1: not told */
    struct sim_reply_header headers[SIM_REPLY_HEADERS_MAX];
};

struct sim_stream {
    struct ks_list link; /* in its connection */
    struct ks_list parked;
    struct sim_conn *conn;
    int32_t id;
    struct sim_request request;
    struct ks_buf headers; /* name NUL value NUL ... */
    struct ks_buf content;
    struct sim_body *body;
    struct sim_log_entry *entry;
    struct sim_timer timer; /* parking, then pacing */
    struct sim_fault_plan plan;
    uint64_t parked_for_rv; /* 0: parked for time alone */
    uint64_t sent_bytes;
    uint64_t sent_events;
    bool is_dispatched;
    bool is_replied;
    bool is_too_large;
    bool is_deferred;
};

struct sim_stream *sim_stream_new(struct sim_conn *conn, int32_t id);
/* The connection drops it: nothing is sent any more. */
void sim_stream_free(struct sim_stream *s);

/* From the connection. */
void sim_stream_on_header(struct sim_stream *s, struct ks_str name, struct ks_str value);
void sim_stream_on_content(struct sim_stream *s, const void *data, size_t len);
void sim_stream_on_complete(struct sim_stream *s);

/* The header's value, or the empty view. Names are lower case. */
struct ks_str sim_request_header(const struct sim_request *r, const char *name);
/* The n-th header of that name, for those that come repeatedly. */
bool sim_request_header_at(const struct sim_request *r, const char *name, size_t n,
                           struct ks_str *out);

void sim_stream_reply(struct sim_stream *s, struct sim_reply *reply);
/* The body has something again. */
void sim_stream_wake(struct sim_stream *s);
/* Routes the request again after that time, or as soon as the store has reached rv (0: time alone).
 */
void sim_stream_park(struct sim_stream *s, int64_t delay_ms, uint64_t rv);
/* Ends the stream with RST_STREAM. */
void sim_stream_reset(struct sim_stream *s, uint32_t h2_error_code);

#endif
