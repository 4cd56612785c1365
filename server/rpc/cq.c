/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion queue threads. New calls arrive at one polling queue, which alone serves the sockets;
 * calls live on working queues, which do not poll: a queue that both polls and works returns
 * finished work before it ever looks at a socket, and one busy stream would keep everybody from
 * being accepted, read or cancelled.
 *
 * The doorbell is an empty batch on a call that was made once on a lame client channel: such a
 * batch completes at once and touches nothing but the queue, so any thread may ring at any time,
 * whether a stream lives or not.
 *
 * Invariants:
 *   1. a tag is outstanding at most once at a time;
 *   2. whatever a thread wrote before it handed a tag over is seen by the thread that runs it: the
 *      tag's own atomic says so, since gRPC's internals are not ours to rely on (nor visible to
 *      ThreadSanitizer);
 *   3. nothing is posted once the queue is being shut down (gRPC would abort).
 *
 * Thread: see cq.h.
 */
#include "server/rpc/cq.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define SCRATCH_MAX_BYTES (8u << 20)
#define SCRATCH_KEEP_BYTES (64u << 10)

struct ks_cq {
    grpc_completion_queue *raw;
    grpc_channel *lame;
    grpc_call *bell;
    pthread_t thread;
    struct ks_list timeouts; /* by due time, since all are equally long */
    struct ks_buf scratch;
    char name[16]; /* as long as the kernel allows */
};

static void cq_fire_timeouts(struct ks_cq *cq)
{
    const int64_t now_ms = ks_clock_real.mono_ms(&ks_clock_real);

    while (!ks_list_is_empty(&cq->timeouts)) {
        struct ks_cq_timeout *t = KS_CONTAINER_OF(cq->timeouts.next, struct ks_cq_timeout, link);

        if (t->due_ms > now_ms)
            return;
        ks_list_remove(&t->link);
        t->fn(t); /* may have freed it */
    }
}

static gpr_timespec cq_deadline(const struct ks_cq *cq)
{
    const struct ks_cq_timeout *t;
    int64_t wait_ms;

    if (ks_list_is_empty(&cq->timeouts))
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    t = KS_CONTAINER_OF(cq->timeouts.next, struct ks_cq_timeout, link);
    wait_ms = t->due_ms - ks_clock_real.mono_ms(&ks_clock_real);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(wait_ms > 0 ? wait_ms : 0, GPR_TIMESPAN));
}

static void *cq_main(void *arg)
{
    struct ks_cq *cq = arg;

    (void)pthread_setname_np(pthread_self(), cq->name); /* for people's eyes only */
    for (;;) {
        grpc_event event = grpc_completion_queue_next(cq->raw, cq_deadline(cq), NULL);

        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE) {
            struct ks_tag *tag = event.tag;

            (void)atomic_load_explicit(&tag->armed, memory_order_acquire);
            tag->fn(tag, event.success != 0); /* may have freed the tag */
        }
        if (!ks_list_is_empty(&cq->timeouts))
            cq_fire_timeouts(cq);
    }
}

static void bell_make(struct ks_cq *cq)
{
    cq->lame = grpc_lame_client_channel_create(NULL, GRPC_STATUS_UNAVAILABLE, "doorbell");
    cq->bell = grpc_channel_create_call(cq->lame, NULL, GRPC_PROPAGATE_DEFAULTS, cq->raw,
                                        grpc_slice_from_static_string("/doorbell"), NULL,
                                        gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
}

/* Takes apart what ks_cq_new made, thread aside. */
static void cq_destroy(struct ks_cq *cq)
{
    grpc_completion_queue_destroy(cq->raw);
    ks_buf_fini(&cq->scratch);
    ks_free(cq);
}

static void bell_drop(struct ks_cq *cq)
{
    grpc_call_unref(cq->bell);
    grpc_channel_destroy(cq->lame);
}

ks_rc ks_cq_new(ks_cq_kind kind, const char *thread_name, struct ks_cq **out, struct ks_error *err)
{
    const grpc_completion_queue_attributes attributes = {
        .version = GRPC_CQ_CURRENT_VERSION,
        .cq_completion_type = GRPC_CQ_NEXT,
        .cq_polling_type = kind == KS_CQ_POLLING ? GRPC_CQ_DEFAULT_POLLING : GRPC_CQ_NON_POLLING,
    };
    struct ks_cq *cq = ks_alloc0(sizeof(*cq));
    int failed;

    if (!cq)
        return ks_fail(err, KS_RC_NOMEM, "completion queue: out of memory");
    cq->raw = grpc_completion_queue_create(grpc_completion_queue_factory_lookup(&attributes),
                                           &attributes, NULL);
    ks_list_init(&cq->timeouts);
    ks_buf_init(&cq->scratch, SCRATCH_MAX_BYTES);
    strncpy(cq->name, thread_name, sizeof(cq->name) - 1);
    bell_make(cq);
    failed = pthread_create(&cq->thread, NULL, cq_main, cq);
    if (failed) {
        bell_drop(cq);
        grpc_completion_queue_shutdown(cq->raw);
        (void)grpc_completion_queue_next(cq->raw, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        cq_destroy(cq);
        return ks_fail_errno(err, KS_RC_LIMIT, failed, "thread %s", thread_name);
    }
    *out = cq;
    return KS_RC_OK;
}

grpc_completion_queue *ks_cq_raw(struct ks_cq *cq)
{
    return cq->raw;
}

bool ks_cq_is_here(const struct ks_cq *cq)
{
    return pthread_equal(cq->thread, pthread_self()) != 0;
}

void ks_tag_arm(struct ks_tag *tag)
{
    (void)atomic_fetch_add_explicit(&tag->armed, 1, memory_order_release);
}

void ks_cq_start(grpc_call *call, const grpc_op *ops, size_t count, struct ks_tag *tag)
{
    grpc_call_error refused;

    ks_tag_arm(tag);
    refused = grpc_call_start_batch(call, ops, count, tag, NULL);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
}

void ks_cq_post(struct ks_cq *cq, struct ks_tag *tag)
{
    ks_cq_start(cq->bell, NULL, 0, tag);
}

struct ks_buf *ks_cq_scratch(struct ks_cq *cq)
{
    ks_buf_shrink(&cq->scratch, SCRATCH_KEEP_BYTES);
    return &cq->scratch;
}

void ks_cq_timeout_start(struct ks_cq *cq, struct ks_cq_timeout *timeout,
                         void (*fn)(struct ks_cq_timeout *timeout))
{
    assert(ks_cq_is_here(cq));
    timeout->fn = fn;
    timeout->due_ms = ks_clock_real.mono_ms(&ks_clock_real) + KS_CQ_TIMEOUT_MS;
    ks_list_push(&cq->timeouts, &timeout->link);
}

void ks_cq_timeout_stop(struct ks_cq_timeout *timeout)
{
    ks_list_remove(&timeout->link);
}

struct ks_cq *ks_cq_free(struct ks_cq *cq)
{
    if (!cq)
        return NULL;
    bell_drop(cq);
    grpc_completion_queue_shutdown(cq->raw);
    (void)pthread_join(cq->thread, NULL); /* fails only on a thread that is none */
    assert(ks_list_is_empty(&cq->timeouts));
    cq_destroy(cq);
    return NULL;
}
