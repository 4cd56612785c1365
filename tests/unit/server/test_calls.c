/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in a server of one lane, whose methods are the real ones, with each allocation failing
 * once: those of the lane's thread from the moment that the method is looked up, those of the kube
 * thread from the moment that the session is to be opened. The API server is one that nobody
 * answers for, so that a stream has its Accepted and no more.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "base/file.h"
#include "server/rpc/call.h"
#include "server/rpc/health.h"
#include "server/rpc/server.h"
#include "server/rpc/source.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_call.h"
#include "support/torture.h"

struct fixture {
    char kubeconfig[64];
    struct ks_kube_config *config;
    struct ks_worker *worker;
    struct ks_metrics metrics;
    struct ks_limits limits;
    struct ks_door *door; /* has let nobody in: calls are of no connection that it knows */
    struct ks_call_shared shared;
    struct ks_lane lane;
    struct ks_cq *poller;
    grpc_server *server;
    int port;
    int gone_fd; /* rings when a call has been freed */

    uint64_t fail_lane_at;
    uint64_t fail_kube_at;
    bool lane_failed;
    bool kube_failed;
    struct ks_task arm_kube;
    struct ks_task disarm_kube;
    int disarmed_fd;
    struct ks_tag shut_down;
    int shut_fd;
};

static struct fixture fixture;

static void ring(int fd)
{
    const uint64_t one = 1;

    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void wait_ring(int fd)
{
    uint64_t count;

    assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count)); /* blocks */
}

/* On the lane's thread, within the begin of the call. */
static const struct ks_call_ops *find_method(struct ks_str path)
{
    static const struct ks_call_ops *const methods[] = {&ks_watch_call_ops, &ks_get_call_ops,
                                                        &ks_wait_call_ops, &ks_health_check_ops};

    ks_alloc_fail_at(fixture.fail_lane_at);
    for (size_t i = 0; i < KS_ARRAY_LEN(methods); i++) {
        if (ks_str_is(path, ks_method_path(methods[i]->method)))
            return methods[i];
    }
    return NULL;
}

static void on_gone(struct ks_call_shared *shared)
{
    (void)shared;
    fixture.lane_failed = ks_alloc_failed();
    ks_alloc_fail_at(0);
    ring(fixture.gone_fd);
}

static void on_arm(struct ks_task *task)
{
    (void)task;
    ks_alloc_fail_at(fixture.fail_kube_at);
}

static void on_disarm(struct ks_task *task)
{
    (void)task;
    fixture.kube_failed = ks_alloc_failed();
    ks_alloc_fail_at(0);
    ring(fixture.disarmed_fd);
}

static void on_arrived(struct ks_lane *lane, struct ks_call *call, bool ok)
{
    (void)lane;
    if (ok)
        ks_call_hand_over(call);
}

static void on_shut_down(struct ks_tag *tag, bool ok)
{
    (void)tag;
    (void)ok;
    ring(fixture.shut_fd);
}

static void make_worker(struct fixture *f)
{
    static const char text[] =
        "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "
        "\"https://127.0.0.1:1\"}}], users: [{name: u, user: {token: t}}], contexts: [{name: c, "
        "context: {cluster: c, user: u}}]}";
    const struct ks_kube_config_options options = {.path = f->kubeconfig};
    struct ks_error err = {0};

    (void)snprintf(f->kubeconfig, sizeof(f->kubeconfig), "/tmp/ks-test-calls-%ld", (long)getpid());
    assert_int_equal(ks_file_write(f->kubeconfig, ks_str_from(text), &err), KS_RC_OK);
    if (ks_kube_config_load(&options, &f->config, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(ks_worker_new(0, f->config, NULL, &f->worker, &err), KS_RC_OK);
    assert_int_equal(ks_worker_start(f->worker, &err), KS_RC_OK);
}

static void make_server(struct fixture *f)
{
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    struct ks_error err = {0};

    assert_int_equal(ks_cq_new(KS_CQ_POLLING, "poll", &f->poller, &err), KS_RC_OK);
    assert_int_equal(ks_cq_new(KS_CQ_WORKING, "lane", &f->lane.cq, &err), KS_RC_OK);
    f->lane.shared = &f->shared;
    f->lane.worker = f->worker;
    ks_list_init(&f->lane.calls);
    f->server = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(f->server, ks_cq_raw(f->poller), NULL);
    f->port = grpc_server_add_http2_port(f->server, "127.0.0.1:0", credentials);
    assert_true(f->port > 0);
    grpc_server_credentials_release(credentials);
    grpc_server_start(f->server);
}

static int setup(void **state)
{
    struct fixture *f = &fixture;
    const struct ks_door_config door = {.limits = &f->limits, .metrics = &f->metrics};
    struct ks_error err = {0};

    (void)state;
    f->gone_fd = eventfd(0, EFD_CLOEXEC);
    f->disarmed_fd = eventfd(0, EFD_CLOEXEC);
    f->shut_fd = eventfd(0, EFD_CLOEXEC);
    f->limits = ks_limits_default;
    f->limits.values[KS_LIMIT_MEMORY_MIB] = 1000;
    f->shared.metrics = &f->metrics;
    f->shared.instance = "test";
    f->shared.limits = &f->limits;
    f->shared.find = find_method;
    f->shared.on_gone = on_gone;
    ks_task_init(&f->arm_kube, on_arm);
    ks_task_init(&f->disarm_kube, on_disarm);
    ks_tag_init(&f->shut_down, on_shut_down);
    assert_int_equal(ks_door_new(&door, &f->door, &err), KS_RC_OK);
    f->shared.door = f->door;
    make_worker(f);
    make_server(f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = &fixture;

    (void)state;
    ks_tag_arm(&f->shut_down);
    grpc_server_shutdown_and_notify(f->server, ks_cq_raw(f->poller), &f->shut_down);
    wait_ring(f->shut_fd);
    ks_worker_stop(f->worker);
    grpc_server_destroy(f->server);
    f->lane.cq = ks_cq_free(f->lane.cq);
    f->poller = ks_cq_free(f->poller);
    f->worker = ks_worker_free(f->worker);
    f->config = ks_kube_config_free(f->config);
    f->door = ks_door_free(f->door);
    (void)unlink(f->kubeconfig);
    close(f->gone_fd);
    close(f->disarmed_fd);
    close(f->shut_fd);
    return 0;
}

/* What a client is told. */
struct answer {
    grpc_status_code status;
    bool has_message;
};

struct client {
    grpc_channel *channel;
    grpc_completion_queue *cq;
    grpc_call *call;
    grpc_byte_buffer *message;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_slice text;
    struct answer answer;
};

static grpc_channel *connect_tcp(void)
{
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel;
    char address[32];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", fixture.port);
    channel = grpc_channel_create(address, credentials, NULL);
    grpc_channel_credentials_release(credentials);
    return channel;
}

/* Takes the channel. */
static void client_start_on(struct client *c, grpc_channel *channel, const char *path,
                            struct ks_str request, int timeout_ms)
{
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_slice bytes = grpc_slice_from_copied_buffer(request.ptr, request.len);
    grpc_byte_buffer *sent = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_op ops[5];
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE};

    *c = (struct client){.channel = channel, .text = grpc_empty_slice()};
    c->cq = grpc_completion_queue_create_for_next(NULL);
    c->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->cq, method,
                                       NULL, deadline, NULL);
    grpc_slice_unref(method);
    grpc_metadata_array_init(&c->initial);
    grpc_metadata_array_init(&c->trailing);
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = sent;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.status = &c->answer.status;
    ops[4].data.recv_status_on_client.status_details = &c->text;
    ops[4].data.recv_status_on_client.trailing_metadata = &c->trailing;
    receive.data.recv_message.recv_message = &c->message;
    assert_int_equal(grpc_call_start_batch(c->call, ops, 5, &c->answer, NULL), GRPC_CALL_OK);
    assert_int_equal(grpc_call_start_batch(c->call, &receive, 1, &c->message, NULL), GRPC_CALL_OK);
    grpc_byte_buffer_destroy(sent);
    grpc_slice_unref(bytes);
}

static void client_start(struct client *c, const char *path, struct ks_str request, int timeout_ms)
{
    client_start_on(c, connect_tcp(), path, request, timeout_ms);
}

static struct answer client_end(struct client *c)
{
    for (int i = 0; i < 2; i++) {
        grpc_event event =
            grpc_completion_queue_next(c->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

        assert_int_equal(event.type, GRPC_OP_COMPLETE);
        if (event.tag != &c->message || !c->message)
            continue;
        c->answer.has_message = true;
        (void)grpc_call_cancel(c->call, NULL); /* a stream would go on */
    }
    grpc_byte_buffer_destroy(c->message);
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    grpc_slice_unref(c->text);
    grpc_call_unref(c->call);
    grpc_channel_destroy(c->channel);
    grpc_completion_queue_shutdown(c->cq);
    (void)grpc_completion_queue_next(c->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(c->cq);
    return c->answer;
}

/* One call, from its begin until it is freed. */
static struct answer ask(const char *path, struct ks_str request, int timeout_ms)
{
    struct fixture *f = &fixture;
    struct client client;
    struct answer answer;
    struct ks_call *call = ks_call_new(&f->lane);

    assert_non_null(call);
    ks_call_await(call, f->server, f->poller, on_arrived);
    ks_loop_post(ks_worker_loop(f->worker), &f->arm_kube);
    client_start(&client, path, request, timeout_ms);
    answer = client_end(&client);
    wait_ring(f->gone_fd);
    ks_loop_post(ks_worker_loop(f->worker), &f->disarm_kube);
    wait_ring(f->disarmed_fd);
    assert_int_equal(ks_metrics_get(&f->metrics, KS_METRIC_CALLS_OPEN), 0);
    assert_int_equal(ks_metrics_get(&f->metrics, KS_METRIC_STREAMS_OPEN), 0);
    assert_int_equal(atomic_load(&f->shared.open[KS_CALL_STREAM]), 0);
    assert_int_equal(atomic_load(&ks_worker_feed_stats(f->worker)->sessions), 0);
    assert_int_equal(atomic_load(&f->lane.load), 0);
    return answer;
}

static struct ks_str request_bytes(uint8_t bytes[256], const char *selector)
{
    Kstatus__V1__WatchRequest m; /* a GetRequest has its targets in the same place */
    Kstatus__V1__Target targets[2];
    Kstatus__V1__Target *pointers[] = {&targets[0], &targets[1]};
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Selector pods;
    char cm[] = "cm";
    char pod[] = "po";
    char name[] = "x";
    char label[16];

    (void)snprintf(label, sizeof(label), "%s", selector);
    kstatus__v1__watch_request__init(&m);
    kstatus__v1__target__init(&targets[0]);
    kstatus__v1__target__init(&targets[1]);
    kstatus__v1__object_ref__init(&object);
    kstatus__v1__selector__init(&pods);
    object.resource = cm;
    object.name = name;
    pods.resource = pod;
    pods.label_selector = label;
    targets[0].selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    targets[0].object = &object;
    targets[1].target_id = 1;
    targets[1].selection_case = KSTATUS__V1__TARGET__SELECTION_SELECTOR;
    targets[1].selector = &pods;
    m.targets = pointers;
    m.n_targets = 2;
    return ks_str_make((const char *)bytes, kstatus__v1__watch_request__pack(&m, bytes));
}

static struct ks_str wait_bytes(uint8_t bytes[256])
{
    Kstatus__V1__WaitRequest m;
    Kstatus__V1__Target target;
    Kstatus__V1__Target *pointers[] = {&target};
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Until until;
    char cm[] = "cm";
    char name[] = "x";

    kstatus__v1__wait_request__init(&m);
    kstatus__v1__target__init(&target);
    kstatus__v1__object_ref__init(&object);
    kstatus__v1__until__init(&until);
    object.resource = cm;
    object.name = name;
    target.selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    target.object = &object;
    until.goal = KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT;
    m.targets = pointers;
    m.n_targets = 1;
    m.until = &until;
    return ks_str_make((const char *)bytes, kstatus__v1__wait_request__pack(&m, bytes));
}

static void expect(struct answer answer, bool has_failed, int fine)
{
    if (answer.has_message)
        return; /* what failed could be done without */
    if (has_failed)
        assert_true(answer.status == GRPC_STATUS_RESOURCE_EXHAUSTED || (int)answer.status == fine);
    else
        assert_int_equal(answer.status, fine);
}

/* Every allocation of the lane's thread, and then every one of the kube thread: returns how many
 * those were. */
static uint64_t torture(const char *path, struct ks_str request, int timeout_ms, int fine)
{
    struct fixture *f = &fixture;
    struct answer answer;
    uint64_t lane = 0;
    uint64_t kube = 0;

    do {
        f->fail_lane_at = ++lane;
        answer = ask(path, request, timeout_ms);
        expect(answer, f->lane_failed, fine);
    } while (f->lane_failed);
    f->fail_lane_at = 0;
    do {
        f->fail_kube_at = ++kube;
        answer = ask(path, request, timeout_ms);
        expect(answer, f->kube_failed, fine);
    } while (f->kube_failed && kube < 200); /* a client that is away makes timers without end */
    f->fail_kube_at = 0;
    assert_true(lane > 2);
    return kube - 1;
}

static void a_watch_survives_short_memory(void **state)
{
    uint8_t bytes[256];

    (void)state;
    assert_true(torture("/kstatus.v1.StatusService/Watch", request_bytes(bytes, "a=b"), 60000,
                        GRPC_STATUS_CANCELLED) > 5);
}

static void a_get_survives_short_memory(void **state)
{
    uint8_t bytes[256];

    (void)state;
    assert_true(torture("/kstatus.v1.StatusService/Get", request_bytes(bytes, "a=b"), 150,
                        GRPC_STATUS_DEADLINE_EXCEEDED) > 5);
}

static void a_wait_survives_short_memory(void **state)
{
    uint8_t bytes[256];

    (void)state;
    assert_true(torture("/kstatus.v1.StatusService/Wait", wait_bytes(bytes), 150,
                        GRPC_STATUS_DEADLINE_EXCEEDED) > 5);
}

static void a_refusal_survives_short_memory(void **state)
{
    uint8_t bytes[256];

    (void)state;
    (void)torture("/kstatus.v1.StatusService/Watch", request_bytes(bytes, "a=("), 60000,
                  GRPC_STATUS_INVALID_ARGUMENT);
    (void)torture("/kstatus.v1.StatusService/Wait", request_bytes(bytes, "a=b"), 60000,
                  GRPC_STATUS_INVALID_ARGUMENT);
}

static void a_met_limit_is_told_with_little_memory(void **state)
{
    struct fixture *f = &fixture;
    uint8_t bytes[256];

    (void)state;
    atomic_store(&f->shared.is_memory_short, true);
    (void)torture("/kstatus.v1.StatusService/Watch", request_bytes(bytes, "a=b"), 60000,
                  GRPC_STATUS_RESOURCE_EXHAUSTED);
    atomic_store(&f->shared.is_memory_short, false);
    assert_true(f->metrics.limit_hits[KS_LIMIT_MEMORY_MIB] > 0);
}

static void an_answer_needs_little(void **state)
{
    struct fixture *f = &fixture;

    (void)state;
    do {
        struct answer answer;

        f->fail_lane_at++;
        answer = ask("/grpc.health.v1.Health/Check", KS_LIT(""), 60000);
        assert_true(answer.has_message ||
                    (f->lane_failed && answer.status == GRPC_STATUS_RESOURCE_EXHAUSTED));
    } while (f->lane_failed);
    f->fail_lane_at = 0;
    assert_int_equal(ask("/none", KS_LIT(""), 60000).status, GRPC_STATUS_UNIMPLEMENTED);
}

static void on_shed(struct ks_tag *tag, bool ok)
{
    struct ks_call *call = ks_lane_next(&fixture.lane, NULL);

    (void)tag;
    (void)ok;
    assert_null(ks_lane_next(&fixture.lane, call));
    assert_int_equal(ks_call_weigh(call), 0); /* nothing has been told of its objects yet */
    ks_call_ops_of(call)->on_shed(call, "you are the largest");
}

/* Whatever kind of call holds the most when memory is out. */
static void a_call_can_be_shed(void **state)
{
    static const char *const paths[] = {"/kstatus.v1.StatusService/Watch",
                                        "/kstatus.v1.StatusService/Get",
                                        "/kstatus.v1.StatusService/Wait"};
    struct fixture *f = &fixture;
    uint8_t bytes[256];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(paths); i++) {
        bool is_wait = i == 2;
        struct ks_call *call = ks_call_new(&f->lane);
        uint64_t before = f->metrics.limit_hits[KS_LIMIT_MEMORY_MIB];
        struct client client;
        struct ks_tag tag;

        ks_call_await(call, f->server, f->poller, on_arrived);
        client_start(&client, paths[i], is_wait ? wait_bytes(bytes) : request_bytes(bytes, "a=b"),
                     60000);
        while (atomic_load(&ks_worker_feed_stats(f->worker)->sessions) == 0)
            (void)sched_yield();
        ks_tag_init(&tag, on_shed);
        ks_cq_post(f->lane.cq, &tag);
        (void)client_end(&client);
        wait_ring(f->gone_fd);
        assert_int_equal(f->metrics.limit_hits[KS_LIMIT_MEMORY_MIB], before + 1);
        assert_int_equal(atomic_load(&ks_worker_feed_stats(f->worker)->sessions), 0);
    }
}

/* gRPC names a connection by its file descriptor, and the door knows none of that number. */
static void a_call_of_a_connection_that_is_gone_is_refused(void **state)
{
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    grpc_channel_credentials *own = grpc_insecure_credentials_create();
    struct fixture *f = &fixture;
    struct ks_call *call = ks_call_new(&f->lane);
    struct client client;
    uint8_t bytes[256];
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ks_call_await(call, f->server, f->poller, on_arrived);
    grpc_server_add_channel_from_fd(f->server, fds[0], credentials);
    client_start_on(&client, grpc_channel_create_from_fd("peer", fds[1], own, NULL),
                    "/kstatus.v1.StatusService/Watch", request_bytes(bytes, "a=b"), 60000);
    assert_int_equal(client_end(&client).status, GRPC_STATUS_UNAVAILABLE);
    wait_ring(f->gone_fd);
    grpc_channel_credentials_release(own);
    grpc_server_credentials_release(credentials);
}

static void make_source(void *ctx)
{
    static const struct ks_source_ops ops = {.on_wake = NULL};
    struct ks_source *source = NULL;
    struct ks_error err = {0};
    ks_rc rc = ks_source_new(&fixture.lane, &ops, ctx, &source, &err);

    assert_true(rc == KS_RC_OK || (rc == KS_RC_NOMEM && ks_alloc_failed()));
    source = ks_source_free(source);
}

static void make_queue(void *ctx)
{
    struct ks_error err = {0};
    struct ks_cq *cq = NULL;
    ks_rc rc = ks_cq_new(KS_CQ_WORKING, "torture", &cq, &err);

    (void)ctx;
    assert_true(rc == KS_RC_OK || (rc == KS_RC_NOMEM && ks_alloc_failed()));
    cq = ks_cq_free(cq);
}

static void parts_say_that_memory_is_short(void **state)
{
    (void)state;
    assert_true(ks_torture(make_source, NULL) >= 2);
    assert_true(ks_torture(make_queue, NULL) >= 1);
    ks_alloc_fail_at(1);
    assert_null(ks_call_new(&fixture.lane));
    ks_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_survives_short_memory),
        cmocka_unit_test(a_get_survives_short_memory),
        cmocka_unit_test(a_wait_survives_short_memory),
        cmocka_unit_test(a_refusal_survives_short_memory),
        cmocka_unit_test(a_met_limit_is_told_with_little_memory),
        cmocka_unit_test(an_answer_needs_little),
        cmocka_unit_test(a_call_can_be_shed),
        cmocka_unit_test(a_call_of_a_connection_that_is_gone_is_refused),
        cmocka_unit_test(parts_say_that_memory_is_short),
    };
    int failed;

    ks_rpc_init(NULL);
    failed = cmocka_run_group_tests(tests, setup, teardown);
    ks_rpc_fini();
    return failed;
}
