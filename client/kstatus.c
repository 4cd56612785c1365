/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client itself: channel, completion queue and its thread; blocking calls; packing and
 * unpacking.
 *
 * Invariants: 1. the queue's thread only dispatches tags and timers, and ends when the queue has
 * been shut down and drained;
 * 2. a blocking call uses a queue of its own and needs no thread; 3. nothing is sent before the
 * first call.
 *
 * Thread: see kstatus.h. Streams are in watch.c.
 */
#include "kstatus.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/health/v1/health.pb-c.h>
#include <grpc/support/time.h>

#include "base/alloc.h"
#include "base/str.h"

#include "client/client_internal.h"
#include "client/pb_alloc.h"

#define MAX_MESSAGE_BYTES (64 << 20)
#define KEEPALIVE_TIME_MS 30000
#define KEEPALIVE_TIMEOUT_MS 20000

int ks_client_fail(struct kstatus_error *error, int code, const char *message)
{
    if (error) {
        struct ks_str cut = ks_str_cut_utf8(ks_str_from(message), sizeof(error->message) - 1);

        error->code = code;
        memcpy(error->message, cut.ptr, cut.len);
        error->message[cut.len] = '\0';
    }
    return code;
}

int ks_client_fail_slice(struct kstatus_error *error, grpc_status_code code, grpc_slice details)
{
    char text[sizeof(error->message)];
    size_t len = GRPC_SLICE_LENGTH(details);

    if (len > sizeof(text) - 1)
        len = sizeof(text) - 1;
    memcpy(text, GRPC_SLICE_START_PTR(details), len);
    text[len] = '\0';
    return ks_client_fail(error, (int)code, text);
}

grpc_byte_buffer *ks_client_pack(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    grpc_slice slice = grpc_slice_malloc(len);
    grpc_byte_buffer *buffer;

    (void)protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice)); /* exactly len bytes */
    buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

ProtobufCMessage *ks_client_unpack(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    ProtobufCMessage *message;
    grpc_slice bytes;

    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    bytes = grpc_byte_buffer_reader_readall(&reader);
    message = protobuf_c_message_unpack(type, &ks_pb_allocator, GRPC_SLICE_LENGTH(bytes),
                                        GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

void ks_client_message_free(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, &ks_pb_allocator);
}

static void *dispatch(void *arg)
{
    struct kstatus_client *client = arg;

    for (;;) {
        int64_t left_ms = ks_client_timers_run(&client->timers);
        gpr_timespec until = left_ms < 0
                                 ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                                 : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                                gpr_time_from_millis(left_ms, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(client->queue, until, NULL);

        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE) {
            struct ks_client_tag *tag = event.tag;

            atomic_load (&tag->fn)(tag, event.success != 0);
        }
    }
}

static grpc_channel *channel_open(const struct kstatus_client_config *config)
{
    grpc_channel_credentials *creds = grpc_insecure_credentials_create();
    char agent[256];
    grpc_arg args[] = {
        {.type = GRPC_ARG_STRING, .key = GRPC_ARG_PRIMARY_USER_AGENT_STRING},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_KEEPALIVE_TIME_MS},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_KEEPALIVE_TIMEOUT_MS},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_ENABLE_HTTP_PROXY},
    };
    grpc_channel_args channel_args = {.num_args = KS_ARRAY_LEN(args), .args = args};
    grpc_channel *channel;

    (void)snprintf(agent, sizeof(agent), "%s%slibkstatus/" KS_VERSION, /* may be cut */
                   config->user_agent ? config->user_agent : "", config->user_agent ? " " : "");
    args[0].value.string = agent;
    args[1].value.integer = MAX_MESSAGE_BYTES;
    args[2].value.integer = KEEPALIVE_TIME_MS;
    args[3].value.integer = KEEPALIVE_TIMEOUT_MS;
    args[4].value.integer = 0; /* no limit: a watch sends nothing after its request */
    args[5].value.integer = 0; /* http_proxy is for the web; the default address is loopback */
    channel = grpc_channel_create(config->address, creds, &channel_args);
    grpc_channel_credentials_release(creds);
    return channel;
}

static void queue_drop(grpc_completion_queue *queue)
{
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
}

int kstatus_client_new(const struct kstatus_client_config *config, struct kstatus_client **out,
                       struct kstatus_error *error)
{
    struct kstatus_client *client;

    if (!config || config->size < sizeof(*config) || !config->address || !config->address[0])
        return ks_client_fail(error, KSTATUS_INVALID_ARGUMENT,
                              "the client's configuration needs its size and an address");
    client = ks_alloc0(sizeof(*client));
    if (!client)
        return ks_client_fail(error, KSTATUS_RESOURCE_EXHAUSTED, "out of memory");
    grpc_init();
    ks_client_timers_init(&client->timers);
    client->channel = channel_open(config);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    if (pthread_create(&client->thread, NULL, dispatch, client)) {
        queue_drop(client->queue);
        grpc_channel_destroy(client->channel);
        grpc_shutdown();
        ks_client_timers_fini(&client->timers);
        ks_free(client);
        return ks_client_fail(error, KSTATUS_RESOURCE_EXHAUSTED, "cannot start a thread");
    }
    *out = client;
    return KSTATUS_OK;
}

void kstatus_client_free(struct kstatus_client *client)
{
    if (!client)
        return;
    grpc_completion_queue_shutdown(client->queue);
    (void)pthread_join(client->thread, NULL); /* ours, joined once */
    grpc_completion_queue_destroy(client->queue);
    grpc_channel_destroy(client->channel);
    grpc_shutdown();
    ks_client_timers_fini(&client->timers);
    ks_free(client);
}

/* What one blocking call needs while its only batch is under way. */
struct exchange {
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *request;
    grpc_byte_buffer *answer;
    grpc_status_code status;
    grpc_slice details;
};

static bool exchange_run(struct exchange *x, grpc_call *call, grpc_completion_queue *queue)
{
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
    };

    ops[1].data.send_message.send_message = x->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &x->initial;
    ops[4].data.recv_message.recv_message = &x->answer;
    ops[5].data.recv_status_on_client.trailing_metadata = &x->trailing;
    ops[5].data.recv_status_on_client.status = &x->status;
    ops[5].data.recv_status_on_client.status_details = &x->details;
    if (grpc_call_start_batch(call, ops, KS_ARRAY_LEN(ops), x, NULL) != GRPC_CALL_OK)
        return false;
    /* The call's own deadline ends the batch. */
    (void)grpc_completion_queue_pluck(queue, x, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    return true;
}

static int exchange_result(struct exchange *x, const ProtobufCMessageDescriptor *answer_type,
                           ProtobufCMessage **out, struct kstatus_error *error)
{
    if (x->status != GRPC_STATUS_OK)
        return ks_client_fail_slice(error, x->status, x->details);
    *out = x->answer ? ks_client_unpack(answer_type, x->answer) : NULL;
    if (!*out)
        return ks_client_fail(error, KSTATUS_INTERNAL, "the server's answer cannot be read");
    return KSTATUS_OK;
}

int ks_client_call(struct kstatus_client *client, const struct ks_client_method *method,
                   const ProtobufCMessage *request, int64_t timeout_ms, ProtobufCMessage **out,
                   struct kstatus_error *error)
{
    grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec deadline = timeout_ms < 0
                                ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                                : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                               gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    struct exchange x = {.details = grpc_empty_slice()};
    grpc_call *call;
    int code;

    grpc_metadata_array_init(&x.initial);
    grpc_metadata_array_init(&x.trailing);
    x.request = ks_client_pack(request);
    call =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 grpc_slice_from_static_string(method->path), NULL, deadline, NULL);
    if (exchange_run(&x, call, queue))
        code = exchange_result(&x, method->answer_type, out, error);
    else
        code = ks_client_fail(error, KSTATUS_INTERNAL, "gRPC refused the call");
    grpc_call_unref(call);
    grpc_byte_buffer_destroy(x.request);
    if (x.answer)
        grpc_byte_buffer_destroy(x.answer);
    grpc_slice_unref(x.details);
    grpc_metadata_array_destroy(&x.initial);
    grpc_metadata_array_destroy(&x.trailing);
    queue_drop(queue);
    return code;
}

int kstatus_get(struct kstatus_client *client, const Kstatus__V1__GetRequest *request,
                int64_t timeout_ms, Kstatus__V1__GetResponse **out, struct kstatus_error *error)
{
    const struct ks_client_method method = {.path = "/kstatus.v1.StatusService/Get",
                                            .answer_type = &kstatus__v1__get_response__descriptor};
    ProtobufCMessage *answer = NULL;
    int code = ks_client_call(client, &method, &request->base, timeout_ms, &answer, error);

    if (code == KSTATUS_OK)
        *out = (Kstatus__V1__GetResponse *)(void *)answer;
    return code;
}

int kstatus_wait(struct kstatus_client *client, const Kstatus__V1__WaitRequest *request,
                 int64_t timeout_ms, Kstatus__V1__WaitResponse **out, struct kstatus_error *error)
{
    const struct ks_client_method method = {.path = "/kstatus.v1.StatusService/Wait",
                                            .answer_type = &kstatus__v1__wait_response__descriptor};
    ProtobufCMessage *answer = NULL;
    int code = ks_client_call(client, &method, &request->base, timeout_ms, &answer, error);

    if (code == KSTATUS_OK)
        *out = (Kstatus__V1__WaitResponse *)(void *)answer;
    return code;
}

int kstatus_check_health(struct kstatus_client *client, int64_t timeout_ms,
                         struct kstatus_error *error)
{
    const struct ks_client_method method = {
        .path = "/grpc.health.v1.Health/Check",
        .answer_type = &grpc__health__v1__health_check_response__descriptor};
    Grpc__Health__V1__HealthCheckRequest request;
    const Grpc__Health__V1__HealthCheckResponse *health;
    ProtobufCMessage *answer = NULL;
    bool is_serving;
    int code;

    grpc__health__v1__health_check_request__init(&request);
    code = ks_client_call(client, &method, &request.base, timeout_ms, &answer, error);
    if (code != KSTATUS_OK)
        return code;
    health = (const Grpc__Health__V1__HealthCheckResponse *)(void *)answer;
    is_serving = health->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    ks_client_message_free(answer);
    if (!is_serving)
        return ks_client_fail(error, KSTATUS_UNAVAILABLE, "the server says that it is not serving");
    return KSTATUS_OK;
}

void kstatus_watch_response_free(Kstatus__V1__WatchResponse *response)
{
    if (response)
        ks_client_message_free(&response->base);
}

void kstatus_get_response_free(Kstatus__V1__GetResponse *response)
{
    if (response)
        ks_client_message_free(&response->base);
}

void kstatus_wait_response_free(Kstatus__V1__WaitResponse *response)
{
    if (response)
        ks_client_message_free(&response->base);
}

const char *kstatus_version(void)
{
    return KS_VERSION;
}
