/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard health service. A Watch has at most two things to say: how it is, and that a drain
 * has begun; so its state is what was said last and what is to be said.
 *
 * Invariant: NOT_SERVING is sent before the call ends in a drain.
 *
 * Thread: the lane's.
 */
#include "server/rpc/health.h"

#include <stdatomic.h>

#include <grpc/health/v1/health.pb-c.h>

#include "server/rpc/unpack.h"

#define UNPACK_BUDGET 4096
#define NO_DETAILS ((struct ks_str){.ptr = NULL})

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;
#define UNKNOWN_YET GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN
#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct health_watch {
    bool is_started;
    bool is_known; /* the service's name */
    bool is_ending;
    serving_status said;
};

static serving_status status_now(struct ks_call *call)
{
    return atomic_load(&ks_call_lane(call)->shared->is_draining) ? NOT_SERVING : SERVING;
}

/* KS_RC_PARSE when it is no HealthCheckRequest; KS_RC_NOMEM. */
static ks_rc read_service(struct ks_str message, bool *out_is_known)
{
    Grpc__Health__V1__HealthCheckRequest *request;
    struct ks_unpack unpack;
    struct ks_str name;

    ks_unpack_init(&unpack, UNPACK_BUDGET);
    request = grpc__health__v1__health_check_request__unpack(
        &unpack.allocator, message.len, (const uint8_t *)(message.ptr ? message.ptr : ""));
    if (!request)
        return ks_unpack_is_out_of_memory(&unpack) ? KS_RC_NOMEM : KS_RC_PARSE;
    name = ks_unpack_str(request->service);
    *out_is_known = name.len == 0 || ks_str_is(name, "kstatus.v1.StatusService") ||
                    ks_str_is(name, "grpc.health.v1.Health");
    grpc__health__v1__health_check_request__free_unpacked(request, &unpack.allocator);
    return KS_RC_OK;
}

/* Its packed size is two bytes at most. */
static struct ks_str pack(serving_status status, uint8_t out[16])
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = status;
    return ks_str_make((const char *)out,
                       grpc__health__v1__health_check_response__pack(&response, out));
}

static void refuse_message(struct ks_call *call, ks_rc rc)
{
    if (rc == KS_RC_NOMEM)
        ks_call_finish(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "the server is out of memory",
                       NO_DETAILS);
    else
        ks_call_finish(call, GRPC_STATUS_INVALID_ARGUMENT,
                       "the request is no valid grpc.health.v1.HealthCheckRequest", NO_DETAILS);
}

static void check_on_request(struct ks_call *call, struct ks_str message)
{
    uint8_t bytes[16];
    bool is_known;
    ks_rc rc = read_service(message, &is_known);

    if (rc)
        refuse_message(call, rc);
    else if (!is_known)
        ks_call_finish(call, GRPC_STATUS_NOT_FOUND, "this server has no service of that name",
                       NO_DETAILS);
    else
        ks_call_reply(call, pack(status_now(call), bytes));
}

static void check_on_drain(struct ks_call *call)
{
    (void)call; /* it was answered within on_request */
}

/* Says what has not been said yet, then ends if it is to end. */
static void watch_step(struct ks_call *call)
{
    struct health_watch *w = ks_call_state(call);
    serving_status now = w->is_known ? status_now(call) : SERVICE_UNKNOWN;
    uint8_t bytes[16];

    if (!w->is_started || !ks_call_can_send(call))
        return;
    if (now != w->said) {
        w->said = now;
        ks_call_send(call, pack(now, bytes));
    } else if (w->is_ending) {
        ks_call_finish(call, GRPC_STATUS_UNAVAILABLE, "server is shutting down; reconnect",
                       NO_DETAILS);
    }
}

static void watch_on_request(struct ks_call *call, struct ks_str message)
{
    struct health_watch *w = ks_call_state(call);
    ks_rc rc = read_service(message, &w->is_known);

    if (rc) {
        refuse_message(call, rc);
        return;
    }
    w->is_started = true;
    w->said = UNKNOWN_YET;
    watch_step(call);
}

static void watch_on_drain(struct ks_call *call)
{
    struct health_watch *w = ks_call_state(call);

    w->is_ending = true;
    watch_step(call);
}

void ks_health_tell(struct ks_call *call)
{
    if (ks_call_ops_of(call) == &ks_health_watch_ops && ks_call_state(call))
        watch_step(call);
}

const struct ks_call_ops ks_health_check_ops = {
    .method = KS_METHOD_HEALTH_CHECK,
    .kind = KS_CALL_HEALTH,
    .state_bytes = 1,
    .on_request = check_on_request,
    .on_drain = check_on_drain,
};

const struct ks_call_ops ks_health_watch_ops = {
    .method = KS_METHOD_HEALTH_WATCH,
    .kind = KS_CALL_HEALTH,
    .state_bytes = sizeof(struct health_watch),
    .on_request = watch_on_request,
    .on_sent = watch_step,
    .on_drain = watch_on_drain,
};
