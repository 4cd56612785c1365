/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC server without workers' work: binding, refusing addresses, starting, draining, and
 * failing to be made. A client of the same process asks for its health; Kubernetes is never asked,
 * so the worker is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "base/alloc.h"
#include "server/pulse.h"
#include "server/rpc/server.h"
#include "support/torture.h"

struct fixture {
    struct ks_address address;
    struct ks_worker *workers[1];
    struct ks_metrics metrics;
    struct ks_rpc_server_config config;
    struct ks_rpc_server *server;
    struct ks_error err;
    int drained_fd;
    _Atomic int quiet;
};

static void on_drained(void *ctx)
{
    const uint64_t one = 1;

    assert_int_equal(write(((struct fixture *)ctx)->drained_fd, &one, sizeof(one)), sizeof(one));
}

static void on_quiet(void *ctx)
{
    (void)atomic_fetch_add(&((struct fixture *)ctx)->quiet, 1);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.address = {.kind = KS_ADDRESS_TCP, .host = "127.0.0.1"}};
    f->drained_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(f->drained_fd >= 0);
    f->config = (struct ks_rpc_server_config){
        .listen = &f->address,
        .listen_count = 1,
        .workers = f->workers,
        .worker_count = 1,
        .metrics = &f->metrics,
        .instance = "test",
        .limits = &ks_limits_default,
        .on_quiet = on_quiet,
        .on_drained = on_drained,
        .ctx = f,
    };
}

static void teardown(struct fixture *f)
{
    f->server = ks_rpc_server_free(f->server);
    close(f->drained_fd);
}

static void drain(struct fixture *f)
{
    uint64_t count = 0;

    ks_rpc_server_drain(f->server);
    assert_int_equal(read(f->drained_fd, &count, sizeof(count)), sizeof(count)); /* blocks */
    assert_int_equal(count, 1);
    assert_in_range(f->quiet, 0, 1); /* none when the connections went before the calls */
}

/* A unary call without metadata; returns its status. */
static grpc_status_code call(const char *address, const char *path)
{
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, credentials, NULL);
    grpc_completion_queue *cq = grpc_completion_queue_create_for_next(NULL);
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *c = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, cq, method,
                                            NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(NULL, 0);
    grpc_byte_buffer *answer = NULL;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status = GRPC_STATUS_UNKNOWN;
    grpc_slice text = grpc_empty_slice();
    grpc_op ops[6];

    memset(ops, 0, sizeof(ops));
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.status = &status;
    ops[5].data.recv_status_on_client.status_details = &text;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailing;
    assert_int_equal(grpc_call_start_batch(c, ops, 6, NULL, NULL), GRPC_CALL_OK);
    assert_int_equal(grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type,
                     GRPC_OP_COMPLETE);
    grpc_byte_buffer_destroy(request);
    grpc_byte_buffer_destroy(answer);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_slice_unref(text);
    grpc_slice_unref(method);
    grpc_call_unref(c);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(credentials);
    grpc_completion_queue_shutdown(cq);
    (void)grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(cq);
    return status;
}

static void serves_and_drains(void **state)
{
    const struct ks_address *bound;
    struct fixture f;
    size_t count;

    (void)state;
    setup(&f);
    assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_OK);
    assert_int_equal(strncmp(ks_rpc_server_addresses(f.server), "127.0.0.1:", 10), 0);
    assert_string_not_equal(ks_rpc_server_addresses(f.server), "127.0.0.1:0");
    assert_int_equal(ks_rpc_server_start(f.server, &f.err), KS_RC_OK);
    bound = ks_rpc_server_bound(f.server, &count);
    assert_int_equal(count, 1);
    assert_int_equal(ks_pulse_check(&bound[0], &f.err), KS_RC_OK);
    for (int i = 0; i < 50; i++) /* more than are awaited at a time */
        assert_int_equal(call(ks_rpc_server_addresses(f.server), "/grpc.health.v1.Health/Check"),
                         GRPC_STATUS_OK);
    assert_int_equal(call(ks_rpc_server_addresses(f.server), "/nope"), GRPC_STATUS_UNIMPLEMENTED);
    assert_int_equal(call(ks_rpc_server_addresses(f.server), "/kstatus.v1.StatusService/Watch"),
                     GRPC_STATUS_INVALID_ARGUMENT);
    drain(&f);
    assert_int_equal(ks_metrics_get(&f.metrics, KS_METRIC_CALLS_OPEN), 0);
    assert_int_equal(f.metrics.calls[KS_METHOD_HEALTH_CHECK][0], 50);
    teardown(&f);
}

static void drains_without_ever_having_had_a_call(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_OK);
    assert_int_equal(ks_rpc_server_start(f.server, &f.err), KS_RC_OK);
    ks_rpc_server_hurry(f.server); /* too early is no harm */
    drain(&f);
    ks_rpc_server_hurry(f.server);
    teardown(&f);
}

static void is_freed_unstarted(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_OK);
    teardown(&f);
}

static void refuses_addresses_that_others_reach(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    memcpy(f.address.host, "0.0.0.0", 8);
    if (ks_rpc_is_exposable(ks_rpc_core_version())) {
        assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_OK);
    } else {
        assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_CONFIG);
        assert_non_null(strstr(f.err.msg, "0.0.0.0:0"));
        assert_non_null(strstr(f.err.msg, "--listen-unsafely"));
        assert_non_null(strstr(f.err.msg, "nginx"));
        f.config.may_listen_unsafely = true;
        assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_OK);
    }
    teardown(&f);
}

static void says_why_it_cannot_listen(void **state)
{
    struct fixture f;
    uint16_t port = 0;
    int fd = -1;

    (void)state;
    setup(&f);
    assert_int_equal(ks_address_listen(&f.address, &fd, &port, &f.err), KS_RC_OK);
    f.address.port = port;
    assert_int_equal(ks_rpc_server_new(&f.config, &f.server, &f.err), KS_RC_IO);
    assert_non_null(strstr(f.err.msg, "in use"));
    close(fd);
    teardown(&f);
}

static void knows_safe_versions(void **state)
{
    (void)state;
    assert_false(ks_rpc_is_exposable("29.0.0")); /* gRPC 1.51 */
    assert_false(ks_rpc_is_exposable("36.0.0"));
    assert_true(ks_rpc_is_exposable("37.0.0")); /* gRPC 1.60 */
    assert_true(ks_rpc_is_exposable("52.1.0"));
    assert_false(ks_rpc_is_exposable(""));
    assert_false(ks_rpc_is_exposable("new"));
}

static void tortured(void *ctx)
{
    struct fixture *f = ctx;
    ks_rc rc = ks_rpc_server_new(&f->config, &f->server, &f->err);

    assert_true(rc == KS_RC_OK || (rc == KS_RC_NOMEM && ks_alloc_failed()));
    f->server = ks_rpc_server_free(f->server);
}

static void survives_short_memory(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_true(ks_torture(tortured, &f) >= 5);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_and_drains),
        cmocka_unit_test(drains_without_ever_having_had_a_call),
        cmocka_unit_test(is_freed_unstarted),
        cmocka_unit_test(refuses_addresses_that_others_reach),
        cmocka_unit_test(says_why_it_cannot_listen),
        cmocka_unit_test(knows_safe_versions),
        cmocka_unit_test(survives_short_memory),
    };
    int failed;

    ks_rpc_init(NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    ks_rpc_fini();
    return failed;
}
