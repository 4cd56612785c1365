/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-check against peers that this test plays: one that answers as HTTP/2 does, one that does
 * not, one that says nothing, and none. (A real gRPC server answers in test_rpc_server.)
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/pulse.h"

struct peer {
    struct ks_address address;
    int fd;
    const char *answer;
    size_t answer_len;
    char heard[64];
    pthread_t thread;
};

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    ssize_t n;
    int fd;

    do /* the listening socket does not block */
        fd = accept(p->fd, (struct sockaddr *)&from, &len);
    while (fd < 0);
    n = recv(fd, p->heard, 33, MSG_WAITALL);
    if (n == 33)
        n = send(fd, p->answer, p->answer_len, MSG_NOSIGNAL);
    (void)n; /* the check tells */
    close(fd);
    return NULL;
}

static void peer_start(struct peer *p)
{
    struct ks_error err = {0};
    uint16_t port = 0;

    p->address = (struct ks_address){.kind = KS_ADDRESS_TCP, .host = "127.0.0.1"};
    assert_int_equal(ks_address_listen(&p->address, &p->fd, &port, &err), KS_RC_OK);
    p->address.port = port;
    if (p->answer)
        assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static ks_rc peer_check(struct peer *p, struct ks_error *err)
{
    ks_rc rc = ks_pulse_check(&p->address, err);

    if (p->answer)
        pthread_join(p->thread, NULL);
    close(p->fd);
    return rc;
}

static void settings_are_life(void **state)
{
    struct peer p = {.answer = "\0\0\0\4\0\0\0\0\0", .answer_len = 9};
    struct ks_error err = {0};

    (void)state;
    peer_start(&p);
    assert_int_equal(peer_check(&p, &err), KS_RC_OK);
    assert_memory_equal(p.heard, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    assert_memory_equal(p.heard + 24, "\0\0\0\4\0\0\0\0\0", 9);
}

static void another_answer_is_not(void **state)
{
    struct peer p = {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n", .answer_len = 28};
    struct ks_error err = {0};

    (void)state;
    peer_start(&p);
    assert_int_equal(peer_check(&p, &err), KS_RC_PROTOCOL);
    p.answer_len = 3; /* and the end */
    peer_start(&p);
    assert_int_equal(peer_check(&p, &err), KS_RC_PROTOCOL);
}

static void silence_is_not(void **state)
{
    struct peer p = {.answer = NULL};
    struct ks_error err = {0};

    (void)state;
    peer_start(&p); /* connects wait in the backlog */
    assert_int_equal(peer_check(&p, &err), KS_RC_TIMEOUT);
    assert_non_null(strstr(err.msg, "no answer within 1000 ms"));
    assert_non_null(strstr(err.msg, "127.0.0.1:"));
}

static void nobody_is_not(void **state)
{
    struct peer p = {.answer = NULL};
    struct ks_error err = {0};

    (void)state;
    peer_start(&p);
    close(p.fd);
    assert_int_equal(ks_pulse_check(&p.address, &err), KS_RC_IO);
    p.address = (struct ks_address){.kind = KS_ADDRESS_UNIX, .path = "/nonexistent/socket"};
    assert_int_equal(ks_pulse_check(&p.address, &err), KS_RC_IO);
    assert_non_null(strstr(err.msg, "unix:/nonexistent/socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_life),
        cmocka_unit_test(another_answer_is_not),
        cmocka_unit_test(silence_is_not),
        cmocka_unit_test(nobody_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
