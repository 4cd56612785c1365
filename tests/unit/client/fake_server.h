/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC server that does what the test says, step by step, and nothing else.
 *
 * Thread: the test's; the client under test has threads of its own. A step that does not end within
 * 20 s fails the test.
 */
#ifndef KS_TESTS_UNIT_CLIENT_FAKE_SERVER_H
#define KS_TESTS_UNIT_CLIENT_FAKE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct fake_server;
struct fake_call;

/* Listens on 127.0.0.1, port 0: a free one. */
struct fake_server *fake_server_start(int port);
int fake_server_port(const struct fake_server *s);
/* Cuts all calls and ends; all calls must have been freed. */
void fake_server_stop(struct fake_server *s);
/* Cuts all calls as a dying process does. */
void fake_server_cut(struct fake_server *s);

/* The next call, with its request read. */
struct fake_call *fake_server_accept(struct fake_server *s);
const char *fake_call_method(const struct fake_call *c);
/* Unpacked; NULL when it cannot be. Freed with the call. */
const ProtobufCMessage *fake_call_request(struct fake_call *c,
                                          const ProtobufCMessageDescriptor *type);
void fake_call_send(struct fake_call *c, const ProtobufCMessage *message);
void fake_call_send_bytes(struct fake_call *c, const void *data, size_t len);
/* Starts a send and waits so long for its end; false: it is still under way (and no other may be
 * started). */
bool fake_call_try_send(struct fake_call *c, const ProtobufCMessage *message, int64_t wait_ms);
/* Whether the send under way has ended. */
void fake_call_wait_sent(struct fake_call *c);
void fake_call_finish(struct fake_call *c, int code, const char *message);
/* Waits until the client has gone or the call has ended; whether it was cancelled. */
bool fake_call_wait_end(struct fake_call *c);
void fake_call_free(struct fake_call *c);

#endif
