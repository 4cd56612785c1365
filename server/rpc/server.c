/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New calls arrive at the poller's queue, already bound to a lane: gRPC wants to know the lane when
 * a call is awaited, so AWAITED_CALLS slots are always out, each on the lane that had the least to
 * do at that moment. A slot that fills is replaced first and handed over second: without a slot
 * out, calls would hang until their deadline.
 *
 * The drain is a walk over the lanes, each on its own thread, twice:
 *
 *   drain ──> walk 1: health watches are told NOT_SERVING
 *   its last lane ──> the door shuts ──> shutdown_and_notify: GOAWAY; walk 2: every call drains
 *   the last call gone ──> on_quiet; shutdown's tag there too ──> on_drained
 *
 * `alive` counts what must end before on_drained: every slot and call, and the server itself.
 *
 * Invariants:
 *   1. until is_shut, AWAITED_CALLS slots are out, or memory is short; then every call that ends
 *      tries again;
 *   2. between is_draining and is_shut calls still arrive, and are told UNAVAILABLE; one that comes
 *      later, before its client has seen the GOAWAY, is reset by gRPC itself (CANCELLED);
 *   3. a call is in its lane's list from its begin to its end, so walk 2 meets all that began
 *      before the drain; one that begins later sees is_draining.
 *
 * Thread: see server.h.  Does not: speak TLS (a front does, see docs), nor authenticate.
 */
#include "server/rpc/server.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>

#include "base/alloc.h"
#include "server/rpc/call.h"
#include "server/rpc/cq.h"
#include "server/rpc/door.h"
#include "server/rpc/health.h"
#include "server/rpc/log.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_call.h"

#define AWAITED_CALLS 16
/* gRPC looks through all outstanding tags of a queue for each completion (Debian builds it so):
 * 0.45 us for 1,000 streams. So lanes are kept to some 500 streams, while threads are not many. */
#define CALLS_PER_LANE 500
#define LANES_MAX 32
/* gRPC's own answer to larger messages is RESOURCE_EXHAUSTED without a word on the field; ours,
 * with one, comes for what is above KS_RPC_REQUEST_MAX_BYTES and below this. */
#define RECEIVE_MAX_BYTES (1 << 20)
#define STRAGGLERS_MS 60000
#define SAFE_CORE_MAJOR 37 /* gRPC 1.60 */

struct ks_rpc_server {
    struct ks_call_shared shared;
    struct ks_rpc_server_config config;
    grpc_server *raw;
    grpc_server_credentials *credentials;
    struct ks_door *door;
    struct ks_cq *poller;
    struct ks_lane *lanes;
    size_t lane_count;
    struct ks_address *bound;
    size_t bound_count;
    char addresses[KS_ADDRESS_TEXT_MAX * 4];
    bool is_started;

    _Atomic bool is_shut; /* gRPC has been told to shut down */
    _Atomic uint32_t awaited;
    _Atomic uint32_t alive;
    _Atomic uint32_t lanes_to_walk;
    _Atomic uint32_t lanes_to_weigh;
    _Atomic bool is_shedding;
    struct ks_tag shut_down;
};

void ks_rpc_init(const struct ks_log *log)
{
    ks_grpc_log_install(log);
    grpc_init();
}

void ks_rpc_fini(void)
{
    grpc_shutdown_blocking();
}

const char *ks_rpc_core_version(void)
{
    return grpc_version_string();
}

bool ks_rpc_is_exposable(const char *core_version)
{
    struct ks_str rest = ks_str_from(core_version);
    struct ks_str major;
    int64_t n;

    return ks_str_split(&rest, '.', &major) && ks_str_to_int64(major, &n) && n >= SAFE_CORE_MAJOR;
}

/* Exact paths: "//kstatus.v1.StatusService/Watch" and its like are other methods, and there are
 * none. */
static const struct ks_call_ops *find_method(struct ks_str path)
{
    static const struct ks_call_ops *const methods[] = {
        &ks_watch_call_ops,   &ks_get_call_ops,     &ks_wait_call_ops,
        &ks_health_check_ops, &ks_health_watch_ops,
    };

    for (size_t i = 0; i < KS_ARRAY_LEN(methods); i++) {
        if (ks_str_is(path, ks_method_path(methods[i]->method)))
            return methods[i];
    }
    return NULL;
}

static struct ks_rpc_server *server_of(struct ks_call_shared *shared)
{
    return KS_CONTAINER_OF(shared, struct ks_rpc_server, shared);
}

static void server_drop_alive(struct ks_rpc_server *s)
{
    void (*on_quiet)(void *) = s->config.on_quiet;
    void (*on_drained)(void *) = s->config.on_drained;
    void *ctx = s->config.ctx;
    bool is_shut = atomic_load(&s->is_shut);
    uint32_t before = atomic_fetch_sub(&s->alive, 1);

    /* The server may be freed from now on, though not before this thread has been joined. */
    if (before == 1)
        on_drained(ctx);
    else if (before == 2 && is_shut)
        on_quiet(ctx);
}

static struct ks_lane *lane_with_least(struct ks_rpc_server *s)
{
    struct ks_lane *best = &s->lanes[0];

    for (size_t i = 1; i < s->lane_count; i++) {
        if (atomic_load(&s->lanes[i].load) < atomic_load(&best->load))
            best = &s->lanes[i];
    }
    return best;
}

static void on_arrived(struct ks_lane *lane, struct ks_call *call, bool ok);

/* Puts slots out until AWAITED_CALLS are, or memory is short. Thread: any. */
static void server_await(struct ks_rpc_server *s)
{
    while (!atomic_load(&s->is_shut)) {
        struct ks_call *call;

        if (atomic_fetch_add(&s->awaited, 1) >= AWAITED_CALLS) {
            (void)atomic_fetch_sub(&s->awaited, 1);
            return;
        }
        call = ks_call_new(lane_with_least(s));
        if (!call) {
            (void)atomic_fetch_sub(&s->awaited, 1);
            return;
        }
        (void)atomic_fetch_add(&s->alive, 1);
        ks_call_await(call, s->raw, s->poller, on_arrived);
    }
}

static void on_arrived(struct ks_lane *lane, struct ks_call *call, bool ok)
{
    struct ks_rpc_server *s = server_of(lane->shared);

    (void)atomic_fetch_sub(&s->awaited, 1);
    if (!ok)
        return; /* the server shuts down; the call goes */
    server_await(s);
    ks_call_hand_over(call);
}

static void on_call_gone(struct ks_call_shared *shared)
{
    struct ks_rpc_server *s = server_of(shared);

    server_await(s);
    server_drop_alive(s);
}

static void on_drain_walk(struct ks_tag *tag, bool ok)
{
    struct ks_lane *lane = KS_CONTAINER_OF(tag, struct ks_lane, walk);
    struct ks_rpc_server *s = server_of(lane->shared);

    (void)ok; /* posted, so it is */
    ks_lane_walk(lane, ks_call_drain);
    server_drop_alive(s);
}

static void on_health_walk(struct ks_tag *tag, bool ok)
{
    struct ks_lane *lane = KS_CONTAINER_OF(tag, struct ks_lane, walk);
    struct ks_rpc_server *s = server_of(lane->shared);

    (void)ok; /* posted, so it is */
    ks_lane_walk(lane, ks_health_tell);
    if (atomic_fetch_sub(&s->lanes_to_walk, 1) == 1)
        ks_door_shut(s->door);
}

/* Thread: the door's, like on_open: so no connection is added any more. */
static void on_door_shut(void *ctx)
{
    struct ks_rpc_server *s = ctx;

    atomic_store(&s->is_shut, true);
    ks_tag_arm(&s->shut_down);
    grpc_server_shutdown_and_notify(s->raw, ks_cq_raw(s->poller), &s->shut_down);
    for (size_t i = 0; i < s->lane_count; i++) {
        ks_tag_init(&s->lanes[i].walk, on_drain_walk);
        ks_cq_post(s->lanes[i].cq, &s->lanes[i].walk);
    }
}

static void on_shut_down(struct ks_tag *tag, bool ok)
{
    (void)ok; /* it comes when all connections are gone, and means that */
    server_drop_alive(KS_CONTAINER_OF(tag, struct ks_rpc_server, shut_down));
}

void ks_rpc_server_drain(struct ks_rpc_server *s)
{
    atomic_store(&s->shared.is_draining, true);
    ks_metrics_set(s->config.metrics, KS_METRIC_READY, 0);
    atomic_store(&s->lanes_to_walk, (uint32_t)s->lane_count);
    (void)atomic_fetch_add(&s->alive, (uint32_t)s->lane_count); /* for walk 2 */
    for (size_t i = 0; i < s->lane_count; i++) {
        ks_tag_init(&s->lanes[i].walk, on_health_walk);
        ks_cq_post(s->lanes[i].cq, &s->lanes[i].walk);
    }
}

void ks_rpc_server_hurry(struct ks_rpc_server *s)
{
    grpc_server_cancel_all_calls(s->raw);
}

void ks_rpc_server_set_memory_short(struct ks_rpc_server *s, bool is_short)
{
    atomic_store(&s->shared.is_memory_short, is_short);
}

static struct ks_call *lane_heaviest(struct ks_lane *lane, uint32_t *out_weight)
{
    struct ks_call *heaviest = NULL;

    *out_weight = 0;
    for (struct ks_call *call = ks_lane_next(lane, NULL); call; call = ks_lane_next(lane, call)) {
        uint32_t weight = ks_call_weigh(call);

        if (weight > *out_weight) {
            *out_weight = weight;
            heaviest = call;
        }
    }
    return heaviest;
}

static void on_shed(struct ks_tag *tag, bool ok)
{
    struct ks_lane *lane = KS_CONTAINER_OF(tag, struct ks_lane, weighing);
    struct ks_rpc_server *s = server_of(lane->shared);
    uint32_t weight;
    struct ks_call *call = lane_heaviest(lane, &weight);
    struct ks_error text;

    (void)ok; /* posted, so it is */
    (void)ks_fail(
        &text, KS_RC_LIMIT,
        "the server has used up its %lld MiB of memory, and this call, with %u objects, is "
        "the largest; select fewer, or try another replica",
        (long long)s->config.limits->values[KS_LIMIT_MEMORY_MIB], weight);
    if (call)
        ks_call_shed(call, text.msg);
    atomic_store(&s->is_shedding, false);
    server_drop_alive(s);
}

/* Each lane weighs its calls; the last one to do so asks the one that has the heaviest. */
static void on_weigh(struct ks_tag *tag, bool ok)
{
    struct ks_lane *lane = KS_CONTAINER_OF(tag, struct ks_lane, weighing);
    struct ks_rpc_server *s = server_of(lane->shared);
    struct ks_lane *heaviest = &s->lanes[0];
    uint32_t weight;

    (void)ok; /* posted, so it is */
    (void)lane_heaviest(lane, &weight);
    atomic_store(&lane->heaviest, weight);
    if (atomic_fetch_sub(&s->lanes_to_weigh, 1) > 1)
        return;
    for (size_t i = 1; i < s->lane_count; i++) {
        if (atomic_load(&s->lanes[i].heaviest) > atomic_load(&heaviest->heaviest))
            heaviest = &s->lanes[i];
    }
    ks_tag_init(&heaviest->weighing, on_shed);
    ks_cq_post(heaviest->cq, &heaviest->weighing);
}

void ks_rpc_server_shed(struct ks_rpc_server *s)
{
    assert(!atomic_load(&s->shared.is_draining));
    if (atomic_exchange(&s->is_shedding, true))
        return;
    (void)atomic_fetch_add(&s->alive, 1);
    atomic_store(&s->lanes_to_weigh, (uint32_t)s->lane_count);
    for (size_t i = 0; i < s->lane_count; i++) {
        ks_tag_init(&s->lanes[i].weighing, on_weigh);
        ks_cq_post(s->lanes[i].cq, &s->lanes[i].weighing);
    }
}

static grpc_server *server_make(const struct ks_limits *limits)
{
    const int64_t life_s = limits->values[KS_LIMIT_CONNECTION_SECONDS];
    const int64_t end_ms = ks_call_connection_max_ms(life_s);
    const struct {
        const char *name;
        int value;
    } settings[] = {
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)limits->values[KS_LIMIT_STREAMS_PER_CONNECTION]},
        {GRPC_ARG_MAX_CONNECTION_AGE_MS, (int)(life_s * 1000)},
        /* Calls end by themselves before, with a status that says so; this is for those that do not
         * because their client does not read. */
        {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, (int)(end_ms - life_s * 900 + STRAGGLERS_MS)},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RECEIVE_MAX_BYTES},
        {GRPC_ARG_MAX_METADATA_SIZE, 2 * (int)KS_CALL_METADATA_MAX},
        /* Identity alone: a compressed message could unpack to more than the receive limit. */
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1},
        {GRPC_ARG_KEEPALIVE_TIME_MS, 30000},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    grpc_arg args[KS_ARRAY_LEN(settings)];
    const grpc_channel_args all = {.num_args = KS_ARRAY_LEN(args), .args = args};

    for (size_t i = 0; i < KS_ARRAY_LEN(settings); i++) {
        /* gRPC copies the name; its type forgets to say const. */
        union {
            const char *in;
            char *out;
        } name = {.in = settings[i].name};

        args[i] = (grpc_arg){.type = GRPC_ARG_INTEGER, .key = name.out};
        args[i].value.integer = settings[i].value;
    }
    return grpc_server_create(&all, NULL);
}

static ks_rc address_check(const struct ks_rpc_server_config *config,
                           const struct ks_address *address, struct ks_error *err)
{
    char text[KS_ADDRESS_TEXT_MAX];

    if (ks_address_is_local(address) || config->may_listen_unsafely ||
        ks_rpc_is_exposable(ks_rpc_core_version()))
        return KS_RC_OK;
    return ks_fail(
        err, KS_RC_CONFIG,
        "--listen %s is refused: other machines could reach it, and this gRPC library (core "
        "%s, older than gRPC 1.60) has denial-of-service holes that anyone who reaches the "
        "port can use; listen on 127.0.0.1 or unix:PATH behind a proxy such as nginx, or add "
        "--listen-unsafely",
        ks_address_format(address, address->port, text), ks_rpc_core_version());
}

static void on_door_open(void *ctx, int fd)
{
    struct ks_rpc_server *s = ctx;

    grpc_server_add_channel_from_fd(s->raw, fd, s->credentials);
}

static ks_rc server_bind(struct ks_rpc_server *s, const struct ks_address *address,
                         struct ks_error *err)
{
    char text[KS_ADDRESS_TEXT_MAX];
    size_t used = strlen(s->addresses);
    uint16_t port = 0;
    ks_rc rc = address_check(&s->config, address, err);

    if (rc == KS_RC_OK)
        rc = ks_door_listen(s->door, address, &port, err);
    if (rc)
        return rc;
    s->bound[s->bound_count] = *address;
    s->bound[s->bound_count++].port = port;
    ks_address_format(address, port, text);
    snprintf(s->addresses + used, sizeof(s->addresses) - used, "%s%s", used > 0 ? "," : "", text);
    return KS_RC_OK;
}

static ks_rc door_make(struct ks_rpc_server *s, struct ks_error *err)
{
    const struct ks_door_config door = {
        .limits = s->config.limits,
        .metrics = s->config.metrics,
        .log = s->config.log,
        .on_open = on_door_open,
        .on_shut = on_door_shut,
        .ctx = s,
    };
    ks_rc rc = ks_door_new(&door, &s->door, err);

    s->shared.door = s->door;
    return rc;
}

static size_t lanes_per_worker(const struct ks_rpc_server_config *config)
{
    size_t calls = (size_t)config->limits->values[KS_LIMIT_STREAMS];
    size_t wanted = (calls + CALLS_PER_LANE - 1) / CALLS_PER_LANE;

    if (wanted > LANES_MAX)
        wanted = LANES_MAX;
    return (wanted + config->worker_count - 1) / config->worker_count;
}

static ks_rc lanes_make(struct ks_rpc_server *s, struct ks_error *err)
{
    size_t each = lanes_per_worker(&s->config);

    s->lanes = ks_alloc_array(s->config.worker_count * each, sizeof(*s->lanes));
    s->bound = ks_alloc_array(s->config.listen_count, sizeof(*s->bound));
    if (!s->lanes || !s->bound)
        return ks_fail(err, KS_RC_NOMEM, "gRPC server: out of memory");
    while (s->lane_count < s->config.worker_count * each) {
        struct ks_lane *lane = &s->lanes[s->lane_count];
        char name[16];
        ks_rc rc;

        snprintf(name, sizeof(name), "rpc-%u", (unsigned)s->lane_count);
        rc = ks_cq_new(KS_CQ_WORKING, name, &lane->cq, err);
        if (rc)
            return rc;
        lane->shared = &s->shared;
        lane->worker = s->config.workers[s->lane_count / each];
        lane->log_limit = (struct ks_log_limit){.window_ms = 10000, .burst = 3};
        ks_list_init(&lane->calls);
        s->lane_count++;
    }
    return KS_RC_OK;
}

static void server_freep(struct ks_rpc_server **s)
{
    *s = ks_rpc_server_free(*s);
}

ks_rc ks_rpc_server_new(const struct ks_rpc_server_config *config, struct ks_rpc_server **out,
                        struct ks_error *err)
{
    KS_CLEANUP(server_freep) struct ks_rpc_server *s = ks_alloc0(sizeof(*s));
    ks_rc rc;

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "gRPC server: out of memory");
    s->config = *config;
    s->shared.log = config->log;
    s->shared.metrics = config->metrics;
    s->shared.instance = config->instance;
    s->shared.limits = config->limits;
    s->shared.find = find_method;
    s->shared.on_gone = on_call_gone;
    ks_tag_init(&s->shut_down, on_shut_down);
    atomic_init(&s->alive, 1); /* until shut_down */
    rc = ks_cq_new(KS_CQ_POLLING, "rpc-poll", &s->poller, err);
    if (rc)
        return rc;
    rc = lanes_make(s, err);
    if (rc)
        return rc;
    rc = door_make(s, err);
    if (rc)
        return rc;
    s->credentials = grpc_insecure_server_credentials_create();
    s->raw = server_make(config->limits);
    grpc_server_register_completion_queue(s->raw, ks_cq_raw(s->poller), NULL);
    for (size_t i = 0; i < config->listen_count; i++) {
        rc = server_bind(s, &config->listen[i], err);
        if (rc)
            return rc;
    }
    *out = KS_TAKE(s);
    return KS_RC_OK;
}

ks_rc ks_rpc_server_start(struct ks_rpc_server *s, struct ks_error *err)
{
    ks_rc rc;

    grpc_server_start(s->raw);
    server_await(s);
    if (atomic_load(&s->awaited) == 0)
        return ks_fail(err, KS_RC_NOMEM, "gRPC server: out of memory");
    rc = ks_door_start(s->door, err);
    s->is_started = rc == KS_RC_OK;
    return rc;
}

const struct ks_address *ks_rpc_server_bound(const struct ks_rpc_server *s, size_t *out_count)
{
    *out_count = s->bound_count;
    return s->bound;
}

const char *ks_rpc_server_addresses(const struct ks_rpc_server *s)
{
    return s->addresses;
}

static void on_drained_unheard(void *ctx)
{
    (void)ctx; /* a server that did not get to start has nobody waiting */
}

struct ks_rpc_server *ks_rpc_server_free(struct ks_rpc_server *s)
{
    if (!s)
        return NULL;
    if (s->raw && !s->is_started) {
        s->config.on_quiet = on_drained_unheard;
        s->config.on_drained = on_drained_unheard;
        atomic_store(&s->is_shut, true);
        ks_tag_arm(&s->shut_down);
        grpc_server_shutdown_and_notify(s->raw, ks_cq_raw(s->poller), &s->shut_down);
        s->poller = ks_cq_free(s->poller); /* waits for the tag */
    }
    assert(!s->is_started || atomic_load(&s->alive) == 0);
    if (s->raw)
        grpc_server_destroy(s->raw);
    if (s->credentials)
        grpc_server_credentials_release(s->credentials);
    s->door = ks_door_free(s->door);
    for (size_t i = 0; i < s->lane_count; i++)
        s->lanes[i].cq = ks_cq_free(s->lanes[i].cq);
    s->poller = ks_cq_free(s->poller);
    ks_free(s->bound);
    ks_free(s->lanes);
    ks_free(s);
    return NULL;
}
