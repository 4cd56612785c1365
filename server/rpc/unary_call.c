/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call with one answer: a Get, or a Wait.
 *
 *   NEW ──request is good──> GATHERING ──has its answer──> CLOSING ──feed gone──> ENDED
 *                                └──failed, drained, client gone────────────────> ENDED
 *
 * A Get has its answer when the session is synced, which it promises within 30 s and a little
 * before the client's deadline; so it ends by itself. A Wait has it when its goal is decided, also
 * when the goal was lost or time was up: what stood in the way is in the outcome, and the status is
 * OK. Without a timeout and without a deadline of the client a Wait lasts until it is decided.
 *
 * Invariants:
 *   1. the answer is read after the feed has ended: nothing is added to it meanwhile;
 *   2. no session outlives its call's end: a client that cancels ends it at once;
 *   3. a drain does not take back an outcome that is there.
 *
 * Thread: the lane's.
 */
#include "server/rpc/unary_call.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"
#include "server/rpc/request.h"
#include "server/rpc/source.h"

#define ANSWER_MAX_BYTES (4u << 20)
#define NO_DETAILS ((struct ks_str){.ptr = NULL})

typedef enum { UNARY_NEW, UNARY_GATHERING, UNARY_CLOSING, UNARY_ENDED } unary_state;

/* What one method does its own way. */
struct method {
    ks_rpc_request_kind request;
    ks_feed_want want;
    bool (*has_answer)(const struct ks_source *source);
    ks_rc (*take)(struct ks_outbox *outbox, struct ks_buf *out);
    const char *(*why_not)(ks_rc rc); /* it could not be taken */
    const char *drained;
    const char *aged;    /* NULL: its life has no limit, as it ends by itself */
    bool survives_drain; /* when it has its answer */
};

struct unary {
    struct ks_call *call;
    struct ks_source *source;
    const struct method *method;
    unary_state state;
};

static void unary_answer(struct unary *u)
{
    struct ks_buf *bytes = ks_cq_scratch(ks_call_lane(u->call)->cq);
    ks_rc rc = u->method->take(ks_source_outbox(u->source), bytes);

    u->state = UNARY_ENDED;
    if (rc)
        ks_call_finish(u->call, ks_rpc_code(rc), u->method->why_not(rc), NO_DETAILS);
    else
        ks_call_reply(u->call, ks_buf_str(bytes));
}

static void unary_fail(struct unary *u, ks_rc rc, const char *message)
{
    u->state = UNARY_ENDED;
    if (ks_source_has_too_many(u->source))
        ks_call_finish_limit(u->call, KS_LIMIT_OBJECTS, message);
    else
        ks_call_finish(u->call, ks_rpc_code(rc), message, NO_DETAILS);
    ks_source_close(u->source, KS_SOURCE_DROP, NULL);
}

static void unary_close(struct unary *u)
{
    u->state = UNARY_CLOSING;
    ks_source_close(u->source, KS_SOURCE_KEEP, NULL);
}

static void on_wake(void *ctx)
{
    struct unary *u = ctx;
    const struct ks_error *failure = ks_source_failure(u->source);

    if (u->state != UNARY_GATHERING)
        return;
    if (u->method->has_answer(u->source))
        unary_close(u);
    else if (failure)
        unary_fail(u, failure->rc, failure->msg);
    else if (ks_source_is_aged(u->source))
        unary_fail(u, KS_RC_UNAVAILABLE, u->method->aged);
}

static void on_source_closed(void *ctx)
{
    struct unary *u = ctx;

    if (u->state == UNARY_CLOSING)
        unary_answer(u);
    ks_call_unref(u->call); /* the source's; may free u */
}

static void unary_begin(struct ks_call *call, struct ks_str message, const struct method *method)
{
    static const struct ks_source_ops ops = {.on_wake = on_wake, .on_closed = on_source_closed};
    struct unary *u = ks_call_state(call);
    KS_CLEANUP(ks_refusal_fini) struct ks_refusal refusal = {0};
    struct ks_rpc_request *request = NULL;
    struct ks_error err = {0};
    ks_rc rc;

    u->call = call;
    u->method = method;
    ks_refusal_init(&refusal);
    rc = ks_rpc_request_decode(method->request, message, &request, &refusal);
    if (rc) {
        u->state = UNARY_ENDED;
        ks_call_finish(call, refusal.code, refusal.error.msg, ks_buf_str(&refusal.details));
        return;
    }
    rc = ks_source_new(ks_call_lane(call), &ops, u, &u->source, &err);
    if (rc) {
        (void)ks_rpc_request_free(request);
        u->state = UNARY_ENDED;
        ks_call_finish(call, ks_rpc_code(rc), err.msg, NO_DETAILS);
        return;
    }
    u->state = UNARY_GATHERING;
    (void)ks_call_ref(call);
    ks_source_want(u->source, method->want);
    if (method->aged)
        ks_source_limit_life(u->source, ks_call_life_ms(call));
    ks_source_open(u->source, request, ks_call_left_ms(call));
}

static void on_drain(struct ks_call *call)
{
    struct unary *u = ks_call_state(call);

    if (u->state != UNARY_GATHERING)
        return;
    if (u->method->survives_drain && u->method->has_answer(u->source))
        unary_close(u);
    else
        unary_fail(u, KS_RC_UNAVAILABLE, u->method->drained);
}

static uint32_t weigh(struct ks_call *call)
{
    struct unary *u = ks_call_state(call);

    return u->state == UNARY_GATHERING ? ks_source_weight(u->source) : 0;
}

static void on_shed(struct ks_call *call, const char *text)
{
    struct unary *u = ks_call_state(call);

    u->state = UNARY_ENDED;
    ks_call_finish_limit(call, KS_LIMIT_MEMORY_MIB, text);
    ks_source_close(u->source, KS_SOURCE_DROP, NULL);
}

static void on_closed(struct ks_call *call)
{
    struct unary *u = ks_call_state(call);

    if (u->state == UNARY_GATHERING)
        ks_source_close(u->source, KS_SOURCE_DROP, NULL);
    u->state = UNARY_ENDED;
}

static void on_free(struct ks_call *call)
{
    struct unary *u = ks_call_state(call);

    u->source = ks_source_free(u->source);
}

/* A failure may come between Synced and its being heard: then the snapshot is not trusted. */
static bool is_snapshot_there(const struct ks_source *source)
{
    return !ks_source_failure(source) && ks_source_is_synced(source);
}

static ks_rc take_snapshot(struct ks_outbox *outbox, struct ks_buf *out)
{
    return ks_outbox_take_snapshot(outbox, ANSWER_MAX_BYTES, out);
}

static const char *why_no_snapshot(ks_rc rc)
{
    return rc == KS_RC_LIMIT ? "the answer is larger than 4 MiB; select fewer objects, or use Watch"
                             : ks_rc_text(rc);
}

static void on_get(struct ks_call *call, struct ks_str message)
{
    static const struct method get = {
        .request = KS_RPC_REQUEST_GET,
        .want = KS_FEED_SNAPSHOT,
        .has_answer = is_snapshot_there,
        .take = take_snapshot,
        .why_not = why_no_snapshot,
        .drained = "server is shutting down; ask again",
    };

    unary_begin(call, message, &get);
}

static const char *why_no_outcome(ks_rc rc KS_UNUSED)
{
    return "the server is out of memory; wait again";
}

static void on_wait(struct ks_call *call, struct ks_str message)
{
    static const struct method wait = {
        .request = KS_RPC_REQUEST_WAIT,
        .want = KS_FEED_OUTCOME,
        .has_answer = ks_source_is_decided,
        .take = ks_outbox_take_outcome,
        .why_not = why_no_outcome,
        .drained = "server is shutting down; wait again",
        .aged = "the call has lasted as long as it may; wait again",
        .survives_drain = true,
    };

    unary_begin(call, message, &wait);
}

const struct ks_call_ops ks_get_call_ops = {
    .method = KS_METHOD_GET,
    .state_bytes = sizeof(struct unary),
    .on_request = on_get,
    .on_drain = on_drain,
    .weigh = weigh,
    .on_shed = on_shed,
    .on_closed = on_closed,
    .on_free = on_free,
};

const struct ks_call_ops ks_wait_call_ops = {
    .method = KS_METHOD_WAIT,
    .state_bytes = sizeof(struct unary),
    .on_request = on_wait,
    .on_drain = on_drain,
    .weigh = weigh,
    .on_shed = on_shed,
    .on_closed = on_closed,
    .on_free = on_free,
};
