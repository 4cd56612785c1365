/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call has two batches at a time at most: the one that began it and ends with its status, and one
 * that reads the next message. A paused stream posts no read, so that flow control closes its
 * window: that is what a client looks like that has stopped reading.
 *
 * Thread: see stream.h.  Does not: keep objects.
 */
#include "tests/load/stream.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <kstatus/v1/status_service.pb-c.h>

/* Tags: the stream's address, and which batch in the lowest bit. */
#define UNKNOWN KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN
#define TAG_READ ((uintptr_t)1)

int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void start_batch(struct stream *s, const grpc_op *ops, size_t count, uintptr_t bit)
{
    grpc_call_error refused =
        grpc_call_start_batch(s->call, ops, count, (void *)((uintptr_t)s | bit), NULL);

    assert(refused == GRPC_CALL_OK);
    (void)refused;
    s->batches++;
}

static void read_on(struct stream *s)
{
    const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &s->message};

    if (s->is_reading || s->is_paused)
        return;
    s->is_reading = true;
    start_batch(s, &op, 1, TAG_READ);
}

static void call_new(struct stream *s, grpc_channel *channel)
{
    static const char method[] = "/kstatus.v1.StatusService/Watch";

    s->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, s->load->cq,
                                       grpc_slice_from_static_string(method), NULL,
                                       gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    s->details = grpc_empty_slice();
    s->is_open = true;
    s->is_synced = false;
    s->is_cancelled = false;
    s->messages = 0;
    s->next_sequence = 1;
    s->load->open++;
}

void stream_start(struct stream *s, grpc_channel *channel, struct ks_str request)
{
    grpc_slice bytes = grpc_slice_from_copied_buffer(request.ptr, request.len);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_op ops[5];

    memset(ops, 0, sizeof(ops));
    call_new(s, channel);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.status = &s->status;
    ops[4].data.recv_status_on_client.status_details = &s->details;
    ops[4].data.recv_status_on_client.trailing_metadata = &s->trailing;
    start_batch(s, ops, 5, 0);
    read_on(s);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(bytes);
}

void stream_cancel(struct stream *s)
{
    if (!s->is_open || s->is_cancelled)
        return;
    s->is_cancelled = true;
    (void)grpc_call_cancel(s->call, NULL); /* one that has ended does not mind */
}

void stream_resume(struct stream *s)
{
    s->is_paused = false;
    if (s->is_open)
        read_on(s);
}

static void take_sample(struct load *load, const char *text)
{
    const char *at = text ? strrchr(text, '@') : NULL;
    int64_t made_ms;

    if (!at || !ks_str_to_int64(ks_str_from(at + 1), &made_ms))
        return;
    load->late_us[load->late_count++ % load->late_max] = now_us() - made_ms * 1000;
}

static bool take_response(struct stream *s, const Kstatus__V1__WatchResponse *response)
{
    bool has_synced = false;

    s->counts.gaps += response->first_sequence != s->next_sequence;
    s->next_sequence = response->first_sequence + response->n_events;
    for (size_t i = 0; i < response->n_events; i++) {
        const Kstatus__V1__Event *event = response->events[i];

        if (event->event_case == KSTATUS__V1__EVENT__EVENT_UPDATE) {
            s->counts.updates++;
            s->counts.unknown += event->update->status == UNKNOWN;
            s->counts.coalesced += event->update->coalesced_count;
            if (s->is_synced)
                take_sample(s->load, event->update->message);
        }
        has_synced = has_synced || event->event_case == KSTATUS__V1__EVENT__EVENT_SYNCED;
    }
    return has_synced;
}

static void take_message(struct stream *s)
{
    Kstatus__V1__WatchResponse *response;
    grpc_byte_buffer_reader reader;
    bool has_synced = false;
    grpc_slice bytes;

    if (!grpc_byte_buffer_reader_init(&reader, s->message))
        return;
    bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    response = kstatus__v1__watch_response__unpack(NULL, GRPC_SLICE_LENGTH(bytes),
                                                   GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    if (!response) {
        s->counts.gaps++;
        return;
    }
    has_synced = take_response(s, response);
    kstatus__v1__watch_response__free_unpacked(response, NULL);
    if (has_synced && !s->is_synced) {
        s->is_synced = true;
        s->load->synced++;
    }
    s->messages++;
    s->ops->on_response(s, has_synced);
}

static void call_end(struct stream *s)
{
    struct load *load = s->load;

    if (s->status != GRPC_STATUS_OK && !s->is_cancelled) {
        char *text = grpc_slice_to_c_string(s->details);

        load->errors++;
        (void)snprintf(load->last_error, sizeof(load->last_error), "%d %s", (int)s->status, text);
        gpr_free(text);
    }
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_slice_unref(s->details);
    grpc_call_unref(s->call);
    s->is_open = false;
    load->open--;
    if (s->is_synced)
        load->synced--;
    s->ops->on_end(s);
}

static void on_read(struct stream *s)
{
    s->is_reading = false;
    if (!s->message)
        return; /* the status follows */
    take_message(s);
    grpc_byte_buffer_destroy(s->message);
    s->message = NULL;
    if (s->messages >= s->cancel_after)
        stream_cancel(s);
    read_on(s);
}

bool load_turn(struct load *load, int64_t wait_ms)
{
    grpc_event event = grpc_completion_queue_next(
        load->cq,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(wait_ms, GPR_TIMESPAN)),
        NULL);
    struct stream *s;

    if (event.type != GRPC_OP_COMPLETE)
        return false;
    s = (struct stream *)((uintptr_t)event.tag & ~TAG_READ);
    s->batches--;
    if ((uintptr_t)event.tag & TAG_READ)
        on_read(s);
    /* gRPC ends the status batch after all messages were read, so a paused stream's waits for that;
     * a cancelled one's does not. */
    if (s->batches == 0 && s->is_open)
        call_end(s);
    return true;
}
