/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "base/alloc.h"
#include "base/base.h"

#define STEP_MS 20000

struct op {
    bool is_done;
    bool is_ok;
};

struct fake_server {
    grpc_server *raw;
    grpc_completion_queue *queue;
    int port;
};

struct fake_call {
    struct fake_server *server;
    grpc_call *raw;
    grpc_call_details details;
    grpc_metadata_array metadata;
    char method[128];
    grpc_byte_buffer *request;
    ProtobufCMessage *unpacked;
    bool has_headers;
    int is_cancelled;
    struct op accept;
    struct op read;
    struct op close;
    struct op send;
    struct op finish;
};

static gpr_timespec after_ms(int64_t ms)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

/* False when the time is up. */
static bool queue_run(struct fake_server *s, const struct op *until, int64_t wait_ms)
{
    gpr_timespec deadline = after_ms(wait_ms);

    while (!until->is_done) {
        grpc_event event = grpc_completion_queue_next(s->queue, deadline, NULL);
        struct op *op = event.tag;

        if (event.type != GRPC_OP_COMPLETE)
            return false;
        op->is_done = true;
        op->is_ok = event.success != 0;
    }
    return true;
}

static void wait_op(struct fake_server *s, const struct op *op, const char *what)
{
    if (!queue_run(s, op, STEP_MS))
        fail_msg("waited too long for: %s", what);
}

struct fake_server *fake_server_start(int port)
{
    struct fake_server *s = ks_alloc0(sizeof(*s));
    grpc_server_credentials *creds;
    grpc_arg reuse = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ALLOW_REUSEPORT};
    grpc_channel_args args = {.num_args = 1, .args = &reuse};
    char address[32];

    assert_non_null(s);
    grpc_init();
    creds = grpc_insecure_server_credentials_create();
    s->raw = grpc_server_create(&args, NULL);
    s->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(s->raw, s->queue, NULL);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    s->port = grpc_server_add_http2_port(s->raw, address, creds);
    grpc_server_credentials_release(creds);
    assert_true(s->port > 0);
    grpc_server_start(s->raw);
    return s;
}

int fake_server_port(const struct fake_server *s)
{
    return s->port;
}

void fake_server_cut(struct fake_server *s)
{
    grpc_server_cancel_all_calls(s->raw);
}

void fake_server_stop(struct fake_server *s)
{
    struct op shutdown = {.is_done = false};

    grpc_server_shutdown_and_notify(s->raw, s->queue, &shutdown);
    grpc_server_cancel_all_calls(s->raw);
    wait_op(s, &shutdown, "the server's end");
    grpc_server_destroy(s->raw);
    grpc_completion_queue_shutdown(s->queue);
    while (grpc_completion_queue_next(s->queue, after_ms(STEP_MS), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(s->queue);
    grpc_shutdown();
    ks_free(s);
}

static void start(struct fake_call *c, const grpc_op *ops, size_t count, struct op *op)
{
    op->is_done = false;
    assert_int_equal(grpc_call_start_batch(c->raw, ops, count, op, NULL), GRPC_CALL_OK);
}

static void take_method(struct fake_call *c)
{
    size_t len = GRPC_SLICE_LENGTH(c->details.method);

    assert_true(len < sizeof(c->method));
    memcpy(c->method, GRPC_SLICE_START_PTR(c->details.method), len);
}

struct fake_call *fake_server_accept(struct fake_server *s)
{
    struct fake_call *c = ks_alloc0(sizeof(*c));
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    grpc_op read = {.op = GRPC_OP_RECV_MESSAGE};

    assert_non_null(c);
    c->server = s;
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->metadata);
    assert_int_equal(grpc_server_request_call(s->raw, &c->raw, &c->details, &c->metadata, s->queue,
                                              s->queue, &c->accept),
                     GRPC_CALL_OK);
    wait_op(s, &c->accept, "a call");
    take_method(c);
    close.data.recv_close_on_server.cancelled = &c->is_cancelled;
    start(c, &close, 1, &c->close);
    read.data.recv_message.recv_message = &c->request;
    start(c, &read, 1, &c->read);
    wait_op(s, &c->read, "a request");
    return c;
}

const char *fake_call_method(const struct fake_call *c)
{
    return c->method;
}

const ProtobufCMessage *fake_call_request(struct fake_call *c,
                                          const ProtobufCMessageDescriptor *type)
{
    grpc_byte_buffer_reader reader;
    grpc_slice bytes;

    assert_non_null(c->request);
    assert_true(grpc_byte_buffer_reader_init(&reader, c->request));
    bytes = grpc_byte_buffer_reader_readall(&reader);
    c->unpacked = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(bytes),
                                            GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
    return c->unpacked;
}

static void start_send(struct fake_call *c, const void *data, size_t len)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(data, len);
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[] = {{.op = GRPC_OP_SEND_MESSAGE}, {.op = GRPC_OP_SEND_INITIAL_METADATA}};

    ops[0].data.send_message.send_message = bytes;
    start(c, ops, c->has_headers ? 1 : 2, &c->send);
    c->has_headers = true;
    grpc_byte_buffer_destroy(bytes);
    grpc_slice_unref(slice);
}

static void start_send_message(struct fake_call *c, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    KS_CLEANUP(ks_freep) uint8_t *data = ks_alloc(len + 1);

    assert_non_null(data);
    assert_int_equal(protobuf_c_message_pack(message, data), len);
    start_send(c, data, len);
}

void fake_call_send_bytes(struct fake_call *c, const void *data, size_t len)
{
    start_send(c, data, len);
    fake_call_wait_sent(c);
}

void fake_call_send(struct fake_call *c, const ProtobufCMessage *message)
{
    start_send_message(c, message);
    fake_call_wait_sent(c);
}

bool fake_call_try_send(struct fake_call *c, const ProtobufCMessage *message, int64_t wait_ms)
{
    start_send_message(c, message);
    return queue_run(c->server, &c->send, wait_ms);
}

void fake_call_wait_sent(struct fake_call *c)
{
    wait_op(c->server, &c->send, "a send");
}

void fake_call_finish(struct fake_call *c, int code, const char *message)
{
    grpc_slice details = grpc_slice_from_copied_string(message);
    grpc_op ops[] = {{.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                     {.op = GRPC_OP_SEND_INITIAL_METADATA}};

    ops[0].data.send_status_from_server.status = (grpc_status_code)code;
    ops[0].data.send_status_from_server.status_details = &details;
    start(c, ops, c->has_headers ? 1 : 2, &c->finish);
    c->has_headers = true;
    grpc_slice_unref(details);
    wait_op(c->server, &c->finish, "the end of a call");
}

bool fake_call_wait_end(struct fake_call *c)
{
    wait_op(c->server, &c->close, "the client's going");
    return c->is_cancelled != 0;
}

void fake_call_free(struct fake_call *c)
{
    (void)fake_call_wait_end(c); /* ends either way */
    grpc_call_unref(c->raw);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    if (c->request)
        grpc_byte_buffer_destroy(c->request);
    if (c->unpacked)
        protobuf_c_message_free_unpacked(c->unpacked, NULL);
    ks_free(c);
}
