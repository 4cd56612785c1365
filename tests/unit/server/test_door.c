/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door by itself: what it hands on, what it turns away, and what it knows of who is in. What is
 * handed on is closed as gRPC closes it: shut down first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "server/rpc/door.h"
#include "support/torture.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct fixture {
    struct ks_limits limits;
    struct ks_metrics metrics;
    struct ks_address address;
    struct ks_door *door;
    int opened[2]; /* a pipe of the file descriptors that were handed on */
    int shut_fd;
    _Atomic bool next_fails;
};

static void on_open(void *ctx, int fd)
{
    struct fixture *f = ctx;

    if (f->next_fails)
        ks_alloc_fail_at(1); /* on the door's own thread */
    assert_int_equal(write(f->opened[1], &fd, sizeof(fd)), sizeof(fd));
}

static void on_shut(void *ctx)
{
    const uint64_t one = 1;

    assert_int_equal(write(((struct fixture *)ctx)->shut_fd, &one, sizeof(one)), sizeof(one));
}

static ks_rc door_new(struct fixture *f)
{
    const struct ks_door_config config = {.limits = &f->limits,
                                          .metrics = &f->metrics,
                                          .on_open = on_open,
                                          .on_shut = on_shut,
                                          .ctx = f};
    struct ks_error err = {0};
    ks_rc rc = ks_door_new(&config, &f->door, &err);

    if (rc == KS_RC_OK)
        rc = ks_door_listen(f->door, &f->address, &f->address.port, &err);
    return rc;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.limits = ks_limits_default,
                          .address = {.kind = KS_ADDRESS_TCP, .host = "127.0.0.1"}};
    assert_int_equal(pipe(f->opened), 0);
    f->shut_fd = eventfd(0, EFD_CLOEXEC);
}

static void start(struct fixture *f)
{
    struct ks_error err = {0};

    assert_int_equal(door_new(f), KS_RC_OK);
    assert_int_equal(ks_door_start(f->door, &err), KS_RC_OK);
}

static void teardown(struct fixture *f)
{
    f->door = ks_door_free(f->door);
    assert_int_equal(ks_metrics_get(&f->metrics, KS_METRIC_CONNECTIONS_OPEN), 0);
    close(f->opened[0]);
    close(f->opened[1]);
    close(f->shut_fd);
}

static int client(const struct fixture *f, const char *bytes, size_t len)
{
    struct ks_error err = {0};
    int fd = -1;

    assert_int_equal(ks_address_connect(&f->address, 60000, &fd, &err), KS_RC_OK);
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
    return fd;
}

static int guest(const struct fixture *f)
{
    return client(f, preface, sizeof(preface) - 1);
}

/* What gRPC would have got. */
static int opened(const struct fixture *f)
{
    int fd = -1;

    assert_int_equal(read(f->opened[0], &fd, sizeof(fd)), sizeof(fd)); /* blocks */
    return fd;
}

static void rpc_close(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
    close(fd);
}

static struct ks_conn *enter(struct fixture *f, int fd, uint32_t *out_calls)
{
    struct ks_conn *c = NULL;
    char peer[32];

    snprintf(peer, sizeof(peer), "fd:%d", fd);
    return ks_door_enter(f->door, peer, &c, out_calls) ? NULL : c;
}

/* The door has seen that it is closed. */
static void wait_gone(struct fixture *f, int fd)
{
    uint32_t calls;
    struct ks_conn *c;

    while ((c = enter(f, fd, &calls)) != NULL)
        ks_door_leave(f->door, c);
}

static void expect_end(int fd)
{
    char byte;

    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

static void hands_on_who_speaks_http2(void **state)
{
    struct fixture f;
    uint32_t calls = 0;
    struct ks_conn *a;
    struct ks_conn *b;
    int mine;
    int fd;

    (void)state;
    setup(&f);
    start(&f);
    mine = client(&f, preface, 10);
    assert_int_equal(send(mine, preface + 10, sizeof(preface) - 1 - 10, MSG_NOSIGNAL),
                     sizeof(preface) - 1 - 10);
    fd = opened(&f);
    a = enter(&f, fd, &calls);
    assert_non_null(a);
    assert_int_equal(calls, 1);
    b = enter(&f, fd, &calls);
    assert_ptr_equal(a, b);
    assert_int_equal(calls, 2);
    assert_true(ks_conn_age_ms(a) >= 0);
    ks_door_leave(f.door, b);
    ks_door_leave(f.door, NULL);
    assert_int_equal(ks_door_enter(f.door, "fd:999999", &b, &calls), KS_RC_NOTFOUND);
    assert_null(b);
    assert_int_equal(ks_door_enter(f.door, "ipv4:127.0.0.1:1", &b, &calls), KS_RC_OK);
    assert_null(b);
    assert_int_equal(ks_door_enter(f.door, "fd:x", &b, &calls), KS_RC_OK);
    assert_null(b);
    rpc_close(fd);
    wait_gone(&f, fd);
    ks_door_leave(f.door, a); /* a call may outlive its connection */
    close(mine);
    teardown(&f);
}

static void turns_away_what_is_no_http2(void **state)
{
    static const char http1[] = "GET / HTTP/1.1\r\n\r\n";
    struct fixture f;
    int fd;

    (void)state;
    setup(&f);
    start(&f);
    expect_end(client(&f, http1, sizeof(http1) - 1));
    expect_end(client(&f, "\x16\x03\x01\x02\x00", 5));
    expect_end(client(&f, "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", 24));
    assert_int_equal(ks_metrics_get(&f.metrics, KS_METRIC_CONNECTIONS_REFUSED_TOTAL), 3);
    fd = client(&f, "", 0);
    close(fd); /* a look at the port is no offence */
    fd = guest(&f);
    rpc_close(opened(&f));
    close(fd);
    assert_int_equal(ks_metrics_get(&f.metrics, KS_METRIC_CONNECTIONS_REFUSED_TOTAL), 3);
    teardown(&f);
}

static void has_a_ceiling(void **state)
{
    struct fixture f;
    int crowd[KS_DOOR_COURTESY_MAX];
    int inside[KS_DOOR_COURTESY_MAX];
    struct ks_conn *c;
    uint32_t calls;
    int fds[3];
    int first;
    int second;
    int third;

    (void)state;
    setup(&f);
    f.limits.values[KS_LIMIT_CONNECTIONS] = 2;
    f.limits.values[KS_LIMIT_CONNECTIONS_PER_ADDRESS] = 1; /* not for this machine's own */
    start(&f);
    fds[0] = guest(&f);
    first = opened(&f);
    fds[1] = guest(&f);
    second = opened(&f);
    c = enter(&f, second, &calls);
    assert_int_equal(ks_conn_over(c), KS_LIMIT_COUNT);
    ks_door_leave(f.door, c);

    fds[2] = guest(&f);
    third = opened(&f);
    c = enter(&f, third, &calls);
    assert_int_equal(ks_conn_over(c), KS_LIMIT_CONNECTIONS);
    ks_door_leave(f.door, c);
    assert_int_equal(f.metrics.limit_hits[KS_LIMIT_CONNECTIONS], 1);
    expect_end(fds[2]); /* in a moment, by the door: gRPC would close it then */
    rpc_close(third);
    wait_gone(&f, third);

    for (int i = 0; i < KS_DOOR_COURTESY_MAX; i++) {
        crowd[i] = guest(&f);
        inside[i] = opened(&f);
    }
    expect_end(guest(&f));
    for (int i = 0; i < KS_DOOR_COURTESY_MAX; i++) {
        rpc_close(inside[i]);
        wait_gone(&f, inside[i]);
        close(crowd[i]);
    }
    rpc_close(first);
    wait_gone(&f, first);
    fds[2] = guest(&f);
    third = opened(&f);
    c = enter(&f, third, &calls);
    assert_int_equal(ks_conn_over(c), KS_LIMIT_COUNT);
    ks_door_leave(f.door, c);
    rpc_close(third);
    rpc_close(second);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    teardown(&f);
}

static void keeps_those_who_say_nothing_few(void **state)
{
    struct fixture f;
    int fds[KS_DOOR_PENDING_MAX];

    (void)state;
    setup(&f);
    start(&f);
    for (int i = 0; i < KS_DOOR_PENDING_MAX; i++)
        fds[i] = client(&f, "", 0);
    close(guest(&f));
    rpc_close(opened(&f)); /* one who speaks comes in all the same */
    expect_end(fds[0]);
    for (int i = 1; i < KS_DOOR_PENDING_MAX; i++)
        close(fds[i]);
    teardown(&f);
}

static void closes_on_demand(void **state)
{
    struct ks_error err = {0};
    struct fixture f;
    uint64_t count;
    int silent;
    int mine;
    int fd = -1;
    int inside;

    (void)state;
    setup(&f);
    start(&f);
    mine = guest(&f);
    inside = opened(&f);
    silent = client(&f, "PRI", 3);
    ks_door_shut(f.door);
    assert_int_equal(read(f.shut_fd, &count, sizeof(count)), sizeof(count)); /* blocks */
    expect_end(silent);
    assert_int_equal(ks_address_connect(&f.address, 60000, &fd, &err), KS_RC_IO);
    rpc_close(inside); /* it is still seen */
    wait_gone(&f, inside);
    close(mine);
    teardown(&f);
}

static void listens_on_a_unix_socket(void **state)
{
    struct fixture f;
    int mine;

    (void)state;
    setup(&f);
    f.address.kind = KS_ADDRESS_UNIX;
    snprintf(f.address.path, sizeof(f.address.path), "/tmp/ks-test-door-%ld", (long)getpid());
    f.limits.values[KS_LIMIT_CONNECTIONS_PER_ADDRESS] = 1;
    start(&f);
    for (int i = 0; i < 2; i++) {
        mine = guest(&f);
        rpc_close(opened(&f));
        close(mine);
    }
    teardown(&f);
    assert_int_not_equal(access(f.address.path, F_OK), 0);
}

/* Each of them counts as this machine's own. */
static void knows_its_own_machine(void **state)
{
    static const struct {
        const char *listen;
        const char *connect;
    } rows[] = {{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"::", "127.0.0.1"}};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        int mine[2];
        int inside[2];

        setup(&f);
        f.limits.values[KS_LIMIT_CONNECTIONS_PER_ADDRESS] = 1;
        (void)snprintf(f.address.host, sizeof(f.address.host), "%s", rows[i].listen);
        if (door_new(&f) == KS_RC_OK) { /* there may be no IPv6 here */
            assert_int_equal(ks_door_start(f.door, NULL), KS_RC_OK);
            (void)snprintf(f.address.host, sizeof(f.address.host), "%s", rows[i].connect);
            for (int n = 0; n < 2; n++) {
                uint32_t calls;
                struct ks_conn *c;

                mine[n] = guest(&f);
                inside[n] = opened(&f);
                c = enter(&f, inside[n], &calls);
                assert_int_equal(ks_conn_over(c), KS_LIMIT_COUNT);
                ks_door_leave(f.door, c);
            }
            for (int n = 0; n < 2; n++) {
                rpc_close(inside[n]);
                close(mine[n]);
            }
        }
        teardown(&f);
    }
}

static void goes_on_when_memory_was_short(void **state)
{
    struct fixture f;
    int mine;
    int inside;

    (void)state;
    setup(&f);
    start(&f);
    f.next_fails = true;
    mine = guest(&f);
    inside = opened(&f);
    f.next_fails = false;
    expect_end(guest(&f));
    close(guest(&f));
    rpc_close(opened(&f));
    rpc_close(inside);
    close(mine);
    teardown(&f);
}

static void tortured(void *ctx)
{
    struct fixture *f = ctx;
    ks_rc rc = door_new(f);

    assert_true(rc == KS_RC_OK || (rc == KS_RC_NOMEM && ks_alloc_failed()));
    f->door = ks_door_free(f->door);
}

static void survives_short_memory(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_true(ks_torture(tortured, &f) >= 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_on_who_speaks_http2),
        cmocka_unit_test(turns_away_what_is_no_http2),
        cmocka_unit_test(has_a_ceiling),
        cmocka_unit_test(keeps_those_who_say_nothing_few),
        cmocka_unit_test(closes_on_demand),
        cmocka_unit_test(listens_on_a_unix_socket),
        cmocka_unit_test(knows_its_own_machine),
        cmocka_unit_test(goes_on_when_memory_was_short),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
