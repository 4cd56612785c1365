/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Wait call.
 *
 *   NEW ──request is good──> WAITING ──decided──> CLOSING ──feed gone──> ENDED
 *                               └──failed, drained, client gone────────> ENDED
 *
 * An outcome is an answer with the status OK, also when the goal was lost or time was up: what
 * stood in the way is in it. Without a timeout and without a deadline of the client a Wait lasts
 * until it is decided.
 *
 * Invariants:
 *   1. the outcome is read after the feed has ended;
 *   2. no session outlives its call's end: a client that cancels ends it at once;
 *   3. a drain does not take back an outcome that is there.
 *
 * Thread: the lane's.
 */
#include "server/rpc/wait_call.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"
#include "server/rpc/request.h"
#include "server/rpc/source.h"

#define NO_DETAILS ((struct ks_str){.ptr = NULL})

typedef enum { WAIT_NEW, WAIT_WAITING, WAIT_CLOSING, WAIT_ENDED } wait_state;

struct wait {
    struct ks_call *call;
    struct ks_source *source;
    wait_state state;
};

static void wait_answer(struct wait *w)
{
    struct ks_buf *bytes = ks_cq_scratch(ks_call_lane(w->call)->cq);
    ks_rc rc = ks_outbox_take_outcome(ks_source_outbox(w->source), bytes);

    w->state = WAIT_ENDED;
    if (rc)
        ks_call_finish(w->call, ks_rpc_code(rc), "the server is out of memory; wait again",
                       NO_DETAILS);
    else
        ks_call_reply(w->call, ks_buf_str(bytes));
}

static void wait_fail(struct wait *w, ks_rc rc, const char *message)
{
    w->state = WAIT_ENDED;
    if (ks_source_has_too_many(w->source))
        ks_call_finish_limit(w->call, KS_LIMIT_OBJECTS, message);
    else
        ks_call_finish(w->call, ks_rpc_code(rc), message, NO_DETAILS);
    ks_source_close(w->source, KS_SOURCE_DROP, NULL);
}

static void wait_close(struct wait *w)
{
    w->state = WAIT_CLOSING;
    ks_source_close(w->source, KS_SOURCE_KEEP, NULL);
}

static void on_wake(void *ctx)
{
    struct wait *w = ctx;
    const struct ks_error *failure = ks_source_failure(w->source);

    if (w->state != WAIT_WAITING)
        return;
    if (ks_source_is_decided(w->source))
        wait_close(w);
    else if (failure)
        wait_fail(w, failure->rc, failure->msg);
    else if (ks_source_is_aged(w->source))
        wait_fail(w, KS_RC_UNAVAILABLE, "the call has lasted as long as it may; wait again");
}

static void on_source_closed(void *ctx)
{
    struct wait *w = ctx;

    if (w->state == WAIT_CLOSING)
        wait_answer(w);
    ks_call_unref(w->call); /* the source's; may free w */
}

static void on_request(struct ks_call *call, struct ks_str message)
{
    static const struct ks_source_ops ops = {.on_wake = on_wake, .on_closed = on_source_closed};
    struct wait *w = ks_call_state(call);
    KS_CLEANUP(ks_refusal_fini) struct ks_refusal refusal = {0};
    struct ks_rpc_request *request = NULL;
    struct ks_error err = {0};
    ks_rc rc;

    w->call = call;
    ks_refusal_init(&refusal);
    rc = ks_rpc_request_decode(KS_RPC_REQUEST_WAIT, message, &request, &refusal);
    if (rc) {
        w->state = WAIT_ENDED;
        ks_call_finish(call, refusal.code, refusal.error.msg, ks_buf_str(&refusal.details));
        return;
    }
    rc = ks_source_new(ks_call_lane(call), &ops, w, &w->source, &err);
    if (rc) {
        (void)ks_rpc_request_free(request);
        w->state = WAIT_ENDED;
        ks_call_finish(call, ks_rpc_code(rc), err.msg, NO_DETAILS);
        return;
    }
    w->state = WAIT_WAITING;
    (void)ks_call_ref(call);
    ks_source_want(w->source, KS_FEED_OUTCOME);
    ks_source_limit_life(w->source, ks_call_life_ms(call));
    ks_source_open(w->source, request, ks_call_left_ms(call));
}

static void on_drain(struct ks_call *call)
{
    struct wait *w = ks_call_state(call);

    if (w->state == WAIT_WAITING && ks_source_is_decided(w->source))
        wait_close(w);
    else if (w->state == WAIT_WAITING)
        wait_fail(w, KS_RC_UNAVAILABLE, "server is shutting down; wait again");
}

static uint32_t weigh(struct ks_call *call)
{
    struct wait *w = ks_call_state(call);

    return w->state == WAIT_WAITING ? ks_source_weight(w->source) : 0;
}

static void on_shed(struct ks_call *call, const char *text)
{
    struct wait *w = ks_call_state(call);

    w->state = WAIT_ENDED;
    ks_call_finish_limit(call, KS_LIMIT_MEMORY_MIB, text);
    ks_source_close(w->source, KS_SOURCE_DROP, NULL);
}

static void on_closed(struct ks_call *call)
{
    struct wait *w = ks_call_state(call);

    if (w->state == WAIT_WAITING)
        ks_source_close(w->source, KS_SOURCE_DROP, NULL);
    w->state = WAIT_ENDED;
}

static void on_free(struct ks_call *call)
{
    struct wait *w = ks_call_state(call);

    w->source = ks_source_free(w->source);
}

const struct ks_call_ops ks_wait_call_ops = {
    .method = KS_METHOD_WAIT,
    .state_bytes = sizeof(struct wait),
    .on_request = on_request,
    .on_drain = on_drain,
    .weigh = weigh,
    .on_shed = on_shed,
    .on_closed = on_closed,
    .on_free = on_free,
};
