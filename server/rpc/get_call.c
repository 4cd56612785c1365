/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Get call.
 *
 *   NEW ──request is good──> GATHERING ──synced──> CLOSING ──feed gone──> ENDED
 *                                └──failed, drained, client gone──────────> ENDED
 *
 * The session promises a first answer for every named object within 30 s, and a little before the
 * client's deadline, so a Get ends by itself.
 *
 * Invariants:
 *   1. the snapshot is read after the feed has ended: nothing is added to it meanwhile;
 *   2. no session outlives its call's end.
 *
 * Thread: the lane's.
 */
#include "server/rpc/get_call.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"
#include "server/rpc/request.h"
#include "server/rpc/source.h"

#define ANSWER_MAX_BYTES (4u << 20)
#define NO_DETAILS ((struct ks_str){.ptr = NULL})

typedef enum { GET_NEW, GET_GATHERING, GET_CLOSING, GET_ENDED } get_state;

struct get {
    struct ks_call *call;
    struct ks_source *source;
    get_state state;
};

static void get_answer(struct get *g)
{
    struct ks_buf *bytes = ks_cq_scratch(ks_call_lane(g->call)->cq);
    ks_rc rc = ks_outbox_take_snapshot(ks_source_outbox(g->source), ANSWER_MAX_BYTES, bytes);

    g->state = GET_ENDED;
    if (rc == KS_RC_OK)
        ks_call_reply(g->call, ks_buf_str(bytes));
    else if (rc == KS_RC_LIMIT)
        ks_call_finish(g->call, ks_rpc_code(rc),
                       "the answer is larger than 4 MiB; select fewer objects, or use Watch",
                       NO_DETAILS);
    else
        ks_call_finish(g->call, ks_rpc_code(rc), ks_rc_text(rc), NO_DETAILS);
}

static void get_fail(struct get *g, ks_rc rc, const char *message)
{
    g->state = GET_ENDED;
    if (ks_source_has_too_many(g->source))
        ks_call_finish_limit(g->call, KS_LIMIT_OBJECTS, message);
    else
        ks_call_finish(g->call, ks_rpc_code(rc), message, NO_DETAILS);
    ks_source_close(g->source, KS_SOURCE_DROP, NULL);
}

static void on_wake(void *ctx)
{
    struct get *g = ctx;
    const struct ks_error *failure = ks_source_failure(g->source);

    if (g->state != GET_GATHERING)
        return;
    if (failure) {
        get_fail(g, failure->rc, failure->msg);
    } else if (ks_source_is_synced(g->source)) {
        g->state = GET_CLOSING;
        ks_source_close(g->source, KS_SOURCE_KEEP, NULL);
    }
}

static void on_source_closed(void *ctx)
{
    struct get *g = ctx;

    if (g->state == GET_CLOSING)
        get_answer(g);
    ks_call_unref(g->call); /* the source's; may free g */
}

static void on_request(struct ks_call *call, struct ks_str message)
{
    static const struct ks_source_ops ops = {.on_wake = on_wake, .on_closed = on_source_closed};
    struct get *g = ks_call_state(call);
    KS_CLEANUP(ks_refusal_fini) struct ks_refusal refusal = {0};
    struct ks_rpc_request *request = NULL;
    struct ks_error err = {0};
    ks_rc rc;

    g->call = call;
    ks_refusal_init(&refusal);
    rc = ks_rpc_request_decode(KS_RPC_REQUEST_GET, message, &request, &refusal);
    if (rc) {
        g->state = GET_ENDED;
        ks_call_finish(call, refusal.code, refusal.error.msg, ks_buf_str(&refusal.details));
        return;
    }
    rc = ks_source_new(ks_call_lane(call), &ops, g, &g->source, &err);
    if (rc) {
        (void)ks_rpc_request_free(request);
        g->state = GET_ENDED;
        ks_call_finish(call, ks_rpc_code(rc), err.msg, NO_DETAILS);
        return;
    }
    g->state = GET_GATHERING;
    (void)ks_call_ref(call);
    ks_source_want(g->source, KS_FEED_SNAPSHOT);
    ks_source_open(g->source, request, ks_call_left_ms(call));
}

static void on_drain(struct ks_call *call)
{
    struct get *g = ks_call_state(call);

    if (g->state == GET_GATHERING)
        get_fail(g, KS_RC_UNAVAILABLE, "server is shutting down; ask again");
}

static uint32_t weigh(struct ks_call *call)
{
    struct get *g = ks_call_state(call);

    return g->state == GET_GATHERING ? ks_source_weight(g->source) : 0;
}

static void on_shed(struct ks_call *call, const char *text)
{
    struct get *g = ks_call_state(call);

    g->state = GET_ENDED;
    ks_call_finish_limit(call, KS_LIMIT_MEMORY_MIB, text);
    ks_source_close(g->source, KS_SOURCE_DROP, NULL);
}

static void on_closed(struct ks_call *call)
{
    struct get *g = ks_call_state(call);

    if (g->state == GET_GATHERING)
        ks_source_close(g->source, KS_SOURCE_DROP, NULL);
    g->state = GET_ENDED;
}

static void on_free(struct ks_call *call)
{
    struct get *g = ks_call_state(call);

    g->source = ks_source_free(g->source);
}

const struct ks_call_ops ks_get_call_ops = {
    .method = KS_METHOD_GET,
    .state_bytes = sizeof(struct get),
    .on_request = on_request,
    .on_drain = on_drain,
    .weigh = weigh,
    .on_shed = on_shed,
    .on_closed = on_closed,
    .on_free = on_free,
};
