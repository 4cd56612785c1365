/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a call. States, and who moves between them:
 *
 *   AWAITED ──arrived──> READING ──message──> ACTIVE ──finish──> FINISHING ──closed──> CLOSED
 *                           └──────refused or too late────────────>┘
 *   READING, ACTIVE ──closed by the client──> CLOSED
 *
 * Whether a message is in flight is the one other fact (is_sending): it may outlive ACTIVE, since
 * gRPC takes the status while a message is still on its way, and sends them in order.
 *
 * Invariants:
 *   1. from hand_over on, only the lane's thread touches the call;
 *   2. RECV_CLOSE is the first batch of every call and always completes: it is the only sign of a
 *      client's end, and the last that holds the call when nothing else does;
 *   3. one operation of a kind is outstanding at most, so gRPC never refuses a batch;
 *   4. every outstanding tag holds a reference, and so does what the method has started elsewhere;
 *   5. after CLOSED nothing is sent.
 *
 * Admission is counted here: gRPC's own limits do not hold before a client has acknowledged
 * SETTINGS.
 */
#include "server/rpc/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bridge/encode.h"

#define NO_DETAILS ((struct ks_str){.ptr = NULL})
#define PATH_SHOWN_MAX 128
#define DETAILS_MAX_BYTES 4096
#define RETRY_AFTER_MS 5000
#define GRACE_SECONDS 60

#define TO(state) (1u << CALL_##state)
#define CALL_STATES(X)                                                                             \
    X(AWAITED, "awaited", TO(READING))                                                             \
    X(READING, "reading", TO(ACTIVE) | TO(FINISHING) | TO(CLOSED))                                 \
    X(ACTIVE, "active", TO(FINISHING) | TO(CLOSED))                                                \
    X(FINISHING, "finishing", TO(CLOSED))                                                          \
    X(CLOSED, "closed", 0)

typedef enum {
#define X(name, text, next) CALL_##name,
    CALL_STATES(X)
#undef X
} call_state;

static const struct {
    const char *text;
    unsigned next;
} call_states[] = {
#define X(name, text, next) [CALL_##name] = {text, next},
    CALL_STATES(X)
#undef X
};

struct ks_call {
    struct ks_lane *lane;
    const struct ks_call_ops *ops; /* NULL before it began, and for unknown methods */
    void *state_of_method;
    call_state state;
    bool is_sending;
    bool has_headers;
    struct ks_conn *conn; /* NULL before it began, and when its connection is gone already */
    bool is_counted;      /* in CALLS_OPEN and in shared->open */
    uint32_t refs;
    struct ks_list link; /* in lane->calls */

    grpc_call *raw;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    int was_cancelled;
    grpc_metadata trailer;
    bool has_trailer;

    void (*on_arrived)(struct ks_lane *lane, struct ks_call *call, bool ok);
    struct ks_tag arrived;
    struct ks_tag handed_over;
    struct ks_tag closed;
    struct ks_tag received;
    struct ks_tag headers_sent;
    struct ks_tag sent;
    struct ks_tag finished;
    struct ks_cq_timeout timeout;
};

static void call_set_state(struct ks_call *call, call_state to)
{
    assert(call_states[call->state].next & (1u << to));
    ks_log(call->lane->shared->log, KS_LOG_DEBUG, "call state",
           KS_F_STR("method", ks_method_path(call->ops ? call->ops->method : KS_METHOD_UNKNOWN)),
           KS_F_STR("from", call_states[call->state].text), KS_F_STR("to", call_states[to].text));
    call->state = to;
}

static void call_free(struct ks_call *call)
{
    struct ks_lane *lane = call->lane;

    if (call->ops && call->state_of_method && call->ops->on_free)
        call->ops->on_free(call);
    if (call->ops && call->is_counted) {
        ks_metrics_add(lane->shared->metrics, KS_METRIC_CALLS_OPEN, -1);
        (void)atomic_fetch_sub(&lane->shared->open[call->ops->kind], 1);
    }
    ks_list_remove(&call->link);
    ks_cq_timeout_stop(&call->timeout);
    ks_door_leave(lane->shared->door, call->conn);
    ks_free(call->state_of_method);
    grpc_byte_buffer_destroy(call->request);
    if (call->raw)
        grpc_call_unref(call->raw);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    if (call->has_trailer) {
        grpc_slice_unref(call->trailer.key);
        grpc_slice_unref(call->trailer.value);
    }
    ks_free(call);
    (void)atomic_fetch_sub(&lane->load, 1);
    lane->shared->on_gone(lane->shared);
}

const struct ks_call_ops *ks_call_ops_of(const struct ks_call *call)
{
    return call->ops;
}

struct ks_call *ks_call_ref(struct ks_call *call)
{
    call->refs++;
    return call;
}

void ks_call_unref(struct ks_call *call)
{
    assert(call->refs > 0);
    if (--call->refs == 0)
        call_free(call);
}

static void call_start(struct ks_call *call, const grpc_op *ops, size_t count, struct ks_tag *tag)
{
    call->refs++;
    ks_cq_start(call->raw, ops, count, tag);
}

static grpc_op op_headers(struct ks_call *call)
{
    call->has_headers = true;
    return (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
}

static grpc_op op_message(grpc_byte_buffer *message)
{
    return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
}

static grpc_byte_buffer *message_make(struct ks_str bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes.ptr ? bytes.ptr : "", bytes.len);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice); /* the buffer has a reference of its own */
    return message;
}

static void call_count_end(struct ks_call *call, int code)
{
    ks_metrics_count_call(call->lane->shared->metrics,
                          call->ops ? call->ops->method : KS_METHOD_UNKNOWN, code);
}

static void on_finished(struct ks_tag *tag, bool ok)
{
    (void)ok; /* a client that is gone got no status; closed tells */
    ks_call_unref(KS_CONTAINER_OF(tag, struct ks_call, finished));
}

bool ks_call_is_open(const struct ks_call *call)
{
    return call->state == CALL_READING || call->state == CALL_ACTIVE;
}

static grpc_op op_status(struct ks_call *call, int code, grpc_slice *message, struct ks_str details)
{
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};

    op.data.send_status_from_server.status = (grpc_status_code)code;
    op.data.send_status_from_server.status_details = message;
    if (details.len > 0) {
        call->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
        call->trailer.value = grpc_slice_from_copied_buffer(details.ptr, details.len);
        call->has_trailer = true;
        op.data.send_status_from_server.trailing_metadata_count = 1;
        op.data.send_status_from_server.trailing_metadata = &call->trailer;
    }
    return op;
}

void ks_call_finish(struct ks_call *call, int code, const char *message, struct ks_str details)
{
    grpc_slice text = grpc_slice_from_copied_string(message);
    grpc_op ops[2];
    size_t n = 0;

    assert(ks_call_is_open(call));
    ks_cq_timeout_stop(&call->timeout);
    call_set_state(call, CALL_FINISHING);
    call_count_end(call, code);
    if (!call->has_headers)
        ops[n++] = op_headers(call);
    ops[n++] = op_status(call, code, &text, details);
    call_start(call, ops, n, &call->finished);
    grpc_slice_unref(text);
}

void ks_call_reply(struct ks_call *call, struct ks_str bytes)
{
    grpc_byte_buffer *message = message_make(bytes);
    grpc_op ops[3];
    size_t n = 0;

    assert(call->state == CALL_ACTIVE && !call->is_sending);
    call_set_state(call, CALL_FINISHING);
    call_count_end(call, GRPC_STATUS_OK);
    if (!call->has_headers)
        ops[n++] = op_headers(call);
    ops[n++] = op_message(message);
    ops[n++] = op_status(call, GRPC_STATUS_OK, NULL, NO_DETAILS);
    call_start(call, ops, n, &call->finished);
    grpc_byte_buffer_destroy(message); /* the batch has taken the bytes */
}

static void on_headers_sent(struct ks_tag *tag, bool ok)
{
    (void)ok; /* closed tells */
    ks_call_unref(KS_CONTAINER_OF(tag, struct ks_call, headers_sent));
}

void ks_call_send_headers(struct ks_call *call)
{
    grpc_op op = op_headers(call);

    assert(call->state == CALL_ACTIVE);
    call_start(call, &op, 1, &call->headers_sent);
}

static void on_sent(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = KS_CONTAINER_OF(tag, struct ks_call, sent);

    call->is_sending = false;
    if (ok && call->state == CALL_ACTIVE && call->ops->on_sent)
        call->ops->on_sent(call);
    ks_call_unref(call);
}

bool ks_call_can_send(const struct ks_call *call)
{
    return call->state == CALL_ACTIVE && !call->is_sending;
}

void ks_call_send(struct ks_call *call, struct ks_str bytes)
{
    grpc_byte_buffer *message = message_make(bytes);
    grpc_op ops[2];
    size_t n = 0;

    assert(ks_call_can_send(call));
    if (!call->has_headers)
        ops[n++] = op_headers(call);
    ops[n++] = op_message(message);
    call->is_sending = true;
    call_start(call, ops, n, &call->sent);
    grpc_byte_buffer_destroy(message); /* the batch has taken the bytes */
}

static void call_refuse(struct ks_call *call, int code, const char *message)
{
    ks_metrics_add(call->lane->shared->metrics, KS_METRIC_REFUSED_TOTAL, 1);
    ks_call_finish(call, code, message, NO_DETAILS);
}

/* Ceilings are met many times in a row: not each is a line. */
static void log_limit(struct ks_lane *lane, ks_limit limit, const char *message)
{
    unsigned dropped = 0;

    if (ks_log_limit_pass(&lane->log_limit, ks_clock_real.mono_ms(&ks_clock_real), &dropped))
        ks_log(lane->shared->log, KS_LOG_WARN, "limit met; --limit sets another",
               KS_F_STR("limit", ks_limit_name(limit)),
               KS_F_INT("value", lane->shared->limits->values[limit]), KS_F_STR("told", message),
               KS_F_INT("dropped", dropped));
}

void ks_call_finish_limit(struct ks_call *call, ks_limit limit, const char *message)
{
    struct ks_lane *lane = call->lane;
    KS_CLEANUP(ks_buf_fini) struct ks_buf details = KS_BUF(DETAILS_MAX_BYTES);
    char allowed[40];
    const struct ks_quota_failure failure = {
        .limit = ks_limit_name(limit), .description = allowed, .retry_after_ms = RETRY_AFTER_MS};

    snprintf(allowed, sizeof(allowed), "at most %lld",
             (long long)lane->shared->limits->values[limit]);
    ks_metrics_count_limit(lane->shared->metrics, limit);
    log_limit(lane, limit, message);
    /* Details are an extra: without memory for them the message alone says which limit it was. */
    if (ks_encode_quota_failure(GRPC_STATUS_RESOURCE_EXHAUSTED, message, &failure, &details))
        ks_buf_clear(&details);
    ks_call_finish(call, GRPC_STATUS_RESOURCE_EXHAUSTED, message, ks_buf_str(&details));
}

static void on_closed(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = KS_CONTAINER_OF(tag, struct ks_call, closed);

    (void)ok; /* it always completes */
    ks_cq_timeout_stop(&call->timeout);
    if (call->state != CALL_FINISHING)
        call_count_end(call, GRPC_STATUS_CANCELLED);
    call_set_state(call, CALL_CLOSED);
    if (call->ops && call->state_of_method && call->ops->on_closed)
        call->ops->on_closed(call);
    ks_call_unref(call);
}

static void call_take_request(struct ks_call *call)
{
    grpc_byte_buffer_reader reader;
    grpc_slice bytes;

    if (!grpc_byte_buffer_reader_init(&reader, call->request)) {
        call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT, "the request message cannot be read");
        return;
    }
    bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    call_set_state(call, CALL_ACTIVE);
    call->ops->on_request(
        call, ks_str_make((const char *)GRPC_SLICE_START_PTR(bytes), GRPC_SLICE_LENGTH(bytes)));
    grpc_slice_unref(bytes);
}

static void on_received(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = KS_CONTAINER_OF(tag, struct ks_call, received);

    if (call->state == CALL_READING) {
        ks_cq_timeout_stop(&call->timeout);
        if (call->request)
            call_take_request(call);
        else if (ok)
            ks_call_finish(call, GRPC_STATUS_INVALID_ARGUMENT,
                           "the call ended before its request message came", NO_DETAILS);
        /* else: the message was too large or the client is gone; gRPC ends the call, and closed
         * tells */
    }
    grpc_byte_buffer_destroy(call->request);
    call->request = NULL;
    ks_call_unref(call);
}

static void on_timeout(struct ks_cq_timeout *timeout)
{
    struct ks_call *call = KS_CONTAINER_OF(timeout, struct ks_call, timeout);

    call_refuse(call, GRPC_STATUS_DEADLINE_EXCEEDED, "no request message came within 10 s");
}

static void call_read(struct ks_call *call)
{
    const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE,
                        .data.recv_message.recv_message = &call->request};

    ks_cq_timeout_start(call->lane->cq, &call->timeout, on_timeout);
    call_start(call, &op, 1, &call->received);
}

/* As HTTP/2 counts a header list (RFC 7540 6.5.2). */
static size_t metadata_bytes(const grpc_metadata_array *metadata)
{
    size_t n = 0;

    for (size_t i = 0; i < metadata->count; i++)
        n += GRPC_SLICE_LENGTH(metadata->metadata[i].key) +
             GRPC_SLICE_LENGTH(metadata->metadata[i].value) + 32;
    return n;
}

static bool path_is_plain(struct ks_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~')
            return false;
    }
    return path.len > 0 && path.len <= PATH_SHOWN_MAX;
}

static int64_t call_max(const struct ks_call *call)
{
    return call->ops->kind == KS_CALL_HEALTH ? KS_CALL_HEALTH_MAX
                                             : call->lane->shared->limits->values[KS_LIMIT_STREAMS];
}

static void call_refuse_method(struct ks_call *call, struct ks_str path)
{
    struct ks_error text;

    if (path_is_plain(path))
        (void)ks_fail(&text, KS_RC_UNSUPPORTED, "there is no method %.*s here", KS_STR_ARGS(path));
    else
        (void)ks_fail(&text, KS_RC_UNSUPPORTED, "there is no such method here");
    ks_call_finish(call, GRPC_STATUS_UNIMPLEMENTED, text.msg, NO_DETAILS);
}

/* Refused because of a limit: counted as such, too. */
static void KS_PRINTF(3, 4)
    call_refuse_limit(struct ks_call *call, ks_limit limit, const char *fmt, ...)
{
    char text[KS_ERROR_MSG_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* fits */
    va_end(args);
    ks_metrics_add(call->lane->shared->metrics, KS_METRIC_REFUSED_TOTAL, 1);
    ks_call_finish_limit(call, limit, text);
}

static void call_refuse_more(struct ks_call *call)
{
    struct ks_error text;

    if (call->ops->kind == KS_CALL_HEALTH) {
        (void)ks_fail(&text, KS_RC_LIMIT,
                      "%d health calls are open, as many as this server takes; try later",
                      KS_CALL_HEALTH_MAX);
        call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, text.msg);
        return;
    }
    call_refuse_limit(
        call, KS_LIMIT_STREAMS,
        "%lld calls are open, as many as this server takes; try another replica, or later",
        (long long)call_max(call));
}

static void call_refuse_connection(struct ks_call *call, ks_limit limit)
{
    call_refuse_limit(
        call, limit,
        "%lld connections%s are open, as many as this server takes; share a connection, try "
        "another replica, or later",
        (long long)call->lane->shared->limits->values[limit],
        limit == KS_LIMIT_CONNECTIONS ? "" : " from your address");
}

static void call_refuse_flood(struct ks_call *call)
{
    call_refuse_limit(
        call, KS_LIMIT_STREAMS_PER_CONNECTION,
        "this connection has twice the %lld open calls that it may have; open another connection",
        (long long)call->lane->shared->limits->values[KS_LIMIT_STREAMS_PER_CONNECTION]);
}

/* Whether its connection may have it; otherwise it is refused. gRPC's own MAX_CONCURRENT_STREAMS
 * binds who has acknowledged it, and lets a call in as soon as the end of another is on its way, so
 * that one who keeps to it may be counted twice here for a moment. */
static bool call_enter(struct ks_call *call)
{
    struct ks_call_shared *shared = call->lane->shared;
    char *peer = grpc_call_get_peer(call->raw);
    ks_limit over = KS_LIMIT_COUNT;
    uint32_t calls = 0;
    ks_rc rc = ks_door_enter(shared->door, peer, &call->conn, &calls);

    gpr_free(peer);
    if (rc) { /* there may be thousands of them, left by a client that resets what it opens */
        call_refuse(call, GRPC_STATUS_UNAVAILABLE, "the connection is gone");
        return false;
    }
    if (call->conn && call->ops->kind == KS_CALL_STREAM) /* a probe may know how things are */
        over = ks_conn_over(call->conn);
    if (over != KS_LIMIT_COUNT)
        call_refuse_connection(call, over);
    else if (calls > 2 * shared->limits->values[KS_LIMIT_STREAMS_PER_CONNECTION])
        call_refuse_flood(call);
    else
        return true;
    return false;
}

static bool has_memory(struct ks_call *call)
{
    struct ks_call_shared *shared = call->lane->shared;

    if (call->ops->kind != KS_CALL_STREAM || !atomic_load(&shared->is_memory_short))
        return true;
    call_refuse_limit(
        call, KS_LIMIT_MEMORY_MIB,
        "the server has used most of its %lld MiB of memory; try another replica, or later",
        (long long)shared->limits->values[KS_LIMIT_MEMORY_MIB]);
    return false;
}

/* Takes the place in the count of open calls that call_free gives back; false: it is refused. */
static bool call_admit(struct ks_call *call)
{
    struct ks_call_shared *shared = call->lane->shared;
    int64_t before = atomic_fetch_add(&shared->open[call->ops->kind], 1);

    ks_metrics_add(shared->metrics, KS_METRIC_CALLS_OPEN, 1);
    call->is_counted = true;
    if (before >= call_max(call))
        call_refuse_more(call);
    return before < call_max(call);
}

static void call_begin(struct ks_call *call)
{
    struct ks_str path = ks_str_make((const char *)GRPC_SLICE_START_PTR(call->details.method),
                                     GRPC_SLICE_LENGTH(call->details.method));
    struct ks_call_shared *shared = call->lane->shared;

    call->ops = shared->find(path);
    call_set_state(call, CALL_READING);
    if (atomic_load(&shared->is_draining)) {
        ks_call_finish(call, GRPC_STATUS_UNAVAILABLE, "server is shutting down; reconnect",
                       NO_DETAILS);
    } else if (metadata_bytes(&call->metadata) > KS_CALL_METADATA_MAX) {
        call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                    "the request's metadata are larger than 8 KiB");
    } else if (!call->ops) {
        call_refuse_method(call, path);
    } else if (call_enter(call) && has_memory(call) && call_admit(call)) {
        call->state_of_method = ks_alloc0(call->ops->state_bytes);
        if (call->state_of_method)
            call_read(call);
        else
            call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "the server is out of memory");
    }
}

static void on_handed_over(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = KS_CONTAINER_OF(tag, struct ks_call, handed_over);
    const grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                        .data.recv_close_on_server.cancelled = &call->was_cancelled};

    (void)ok; /* posted, so it is */
    ks_list_push(&call->lane->calls, &call->link);
    call_start(call, &op, 1, &call->closed);
    call_begin(call);
    ks_call_unref(call); /* the one that it was made with */
}

void ks_call_hand_over(struct ks_call *call)
{
    ks_cq_post(call->lane->cq, &call->handed_over);
}

static void on_arrived(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = KS_CONTAINER_OF(tag, struct ks_call, arrived);
    struct ks_lane *lane = call->lane;

    call->on_arrived(lane, call, ok);
    if (!ok)
        ks_call_unref(call);
}

struct ks_call *ks_call_new(struct ks_lane *lane)
{
    struct ks_call *call = ks_alloc0(sizeof(*call));

    if (!call)
        return NULL;
    call->lane = lane;
    call->refs = 1;
    ks_list_init(&call->link);
    ks_list_init(&call->timeout.link);
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    ks_tag_init(&call->arrived, on_arrived);
    ks_tag_init(&call->handed_over, on_handed_over);
    ks_tag_init(&call->closed, on_closed);
    ks_tag_init(&call->received, on_received);
    ks_tag_init(&call->headers_sent, on_headers_sent);
    ks_tag_init(&call->sent, on_sent);
    ks_tag_init(&call->finished, on_finished);
    (void)atomic_fetch_add(&lane->load, 1);
    return call;
}

void ks_call_await(struct ks_call *call, grpc_server *server, struct ks_cq *poller,
                   void (*on_arrived_fn)(struct ks_lane *lane, struct ks_call *call, bool ok))
{
    grpc_call_error refused;

    call->on_arrived = on_arrived_fn;
    ks_tag_arm(&call->arrived);
    refused =
        grpc_server_request_call(server, &call->raw, &call->details, &call->metadata,
                                 ks_cq_raw(call->lane->cq), ks_cq_raw(poller), &call->arrived);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
}

struct ks_lane *ks_call_lane(struct ks_call *call)
{
    return call->lane;
}

void *ks_call_state(struct ks_call *call)
{
    return call->state_of_method;
}

int64_t ks_call_left_ms(const struct ks_call *call)
{
    const gpr_timespec deadline = call->details.deadline;
    gpr_timespec left;

    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
        return INT64_MAX;
    left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    if (gpr_time_cmp(left, gpr_time_0(GPR_TIMESPAN)) <= 0)
        return 0;
    return left.tv_sec * 1000 + left.tv_nsec / 1000000;
}

void ks_lane_walk(struct ks_lane *lane, void (*fn)(struct ks_call *call))
{
    /* fn frees none of them: a call that is closed may be, but then by its last tag, later. */
    for (struct ks_list *link = lane->calls.next; link != &lane->calls; link = link->next)
        fn(KS_CONTAINER_OF(link, struct ks_call, link));
}

struct ks_call *ks_lane_next(struct ks_lane *lane, struct ks_call *call)
{
    struct ks_list *next = call ? call->link.next : lane->calls.next;

    return next == &lane->calls ? NULL : KS_CONTAINER_OF(next, struct ks_call, link);
}

void ks_call_drain(struct ks_call *call)
{
    if (call->state == CALL_READING)
        ks_call_finish(call, GRPC_STATUS_UNAVAILABLE, "server is shutting down; reconnect",
                       NO_DETAILS);
    else if (call->state == CALL_ACTIVE)
        call->ops->on_drain(call);
}

/* Within 10 %, so that clients that came together do not come again together. */
static int64_t jittered(int64_t ms)
{
    return ms * 9 / 10 + (int64_t)ks_random_below((uint64_t)ms / 5 + 1);
}

int64_t ks_call_connection_max_ms(int64_t seconds)
{
    int64_t grace_s = seconds < GRACE_SECONDS ? seconds : GRACE_SECONDS;

    return seconds * 1100 + grace_s * 1000;
}

int64_t ks_call_life_ms(const struct ks_call *call)
{
    const int64_t *limits = call->lane->shared->limits->values;
    int64_t life_ms = jittered(limits[KS_LIMIT_STREAM_SECONDS] * 1000);
    int64_t left_ms;

    if (!call->conn)
        return life_ms;
    left_ms =
        ks_call_connection_max_ms(limits[KS_LIMIT_CONNECTION_SECONDS]) - ks_conn_age_ms(call->conn);
    if (left_ms < 1)
        left_ms = 1;
    return left_ms < life_ms ? left_ms : life_ms;
}

uint32_t ks_call_weigh(struct ks_call *call)
{
    return call->state == CALL_ACTIVE && call->ops->weigh ? call->ops->weigh(call) : 0;
}

void ks_call_shed(struct ks_call *call, const char *text)
{
    assert(ks_call_weigh(call) > 0);
    call->ops->on_shed(call, text);
}
