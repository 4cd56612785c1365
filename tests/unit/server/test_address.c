/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: what parses, what counts as this machine alone, and binding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/address.h"

static void parses_and_formats(void **state)
{
    static const struct {
        const char *text;
        ks_address_kind kind;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:7443", KS_ADDRESS_TCP, "127.0.0.1", 7443},
        {"localhost:0", KS_ADDRESS_TCP, "localhost", 0},
        {"[::1]:65535", KS_ADDRESS_TCP, "::1", 65535},
        {"unix:/run/kstatusd.sock", KS_ADDRESS_UNIX, "", 0},
        {"unix:relative.sock", KS_ADDRESS_UNIX, "", 0},
    };
    char text[KS_ADDRESS_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_error err = {0};
        struct ks_address a;

        assert_int_equal(ks_address_parse(rows[i].text, &a, &err), KS_RC_OK);
        assert_int_equal(a.kind, rows[i].kind);
        assert_string_equal(a.host, rows[i].host);
        assert_int_equal(a.port, rows[i].port);
        assert_string_equal(ks_address_format(&a, a.port, text), rows[i].text);
    }
}

static void refuses_what_is_no_address(void **state)
{
    static const char *const texts[] = {
        "",           ":",      ":80",      "host",    "host:",   "host:x",    "host:-1",
        "host:65536", "a b:80", "::1:80",   "[::1:80", "[]:80",   "[host]:80", "unix:",
        "a,b:80",     "a/b:80", "host:80 ", "\x01:80", "h\"x:80", "[::1]x:80", "host:0x50",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        struct ks_address a = {.port = 4711};
        struct ks_error err = {0};

        if (ks_address_parse(texts[i], &a, &err) != KS_RC_INVALID)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(a.port, 4711);
        assert_non_null(strstr(err.msg, texts[i]));
    }
}

static void refuses_what_is_too_long(void **state)
{
    struct ks_error err = {0};
    struct ks_address a;
    char text[400];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "unix:", 5);
    text[5 + 107] = '\0';
    assert_int_equal(ks_address_parse(text, &a, &err), KS_RC_OK);
    text[5 + 107] = 'a';
    text[5 + 108] = '\0';
    assert_int_equal(ks_address_parse(text, &a, &err), KS_RC_INVALID);
    memset(text, 'a', sizeof(text));
    memcpy(text + 300, ":80", 4);
    assert_int_equal(ks_address_parse(text, &a, &err), KS_RC_INVALID);
}

static void knows_what_is_local(void **state)
{
    static const struct {
        const char *text;
        bool is_local;
    } rows[] = {
        {"127.0.0.1:1", true},         {"127.255.0.9:1", true},     {"localhost:1", true},
        {"LOCALHOST:1", true},         {"[::1]:1", true},           {"unix:/x", true},
        {"0.0.0.0:1", false},          {"[::]:1", false},           {"10.0.0.1:1", false},
        {"128.0.0.1:1", false},        {"localhost.evil:1", false}, {"[::ffff:127.0.0.1]:1", false},
        {"127.0.0.1.nip.io:1", false},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_error err = {0};
        struct ks_address a;

        assert_int_equal(ks_address_parse(rows[i].text, &a, &err), KS_RC_OK);
        if (ks_address_is_local(&a) != rows[i].is_local)
            fail_msg("%s", rows[i].text);
    }
}

static void binds_a_free_port_and_not_one_in_use(void **state)
{
    struct ks_address a = {.kind = KS_ADDRESS_TCP, .host = "127.0.0.1"};
    struct ks_error err = {0};
    uint16_t port = 0;
    int other = -1;
    int fd = -1;

    (void)state;
    assert_int_equal(ks_address_listen(&a, &fd, &port, &err), KS_RC_OK);
    assert_true(port > 0);
    a.port = port;
    assert_int_equal(ks_address_listen(&a, &other, &port, &err), KS_RC_IO);
    assert_int_equal(other, -1);
    assert_non_null(strstr(err.msg, "in use"));
    close(fd);
}

static void takes_over_a_stale_socket_only(void **state)
{
    struct ks_address a = {.kind = KS_ADDRESS_UNIX};
    char dir[] = "/tmp/ks-address-XXXXXX";
    struct ks_error err = {0};
    struct stat st;
    uint16_t port = 9;
    int other = -1;
    int fd = -1;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a.path, sizeof(a.path), "%s/s", dir);
    assert_int_equal(ks_address_listen(&a, &fd, &port, &err), KS_RC_OK);
    assert_int_equal(port, 0);
    assert_int_equal(stat(a.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(ks_address_listen(&a, &other, &port, &err), KS_RC_IO);
    assert_non_null(strstr(err.msg, "another process"));
    close(fd);
    assert_int_equal(ks_address_listen(&a, &fd, &port, &err), KS_RC_OK);
    close(fd);
    unlink(a.path);
    file = fopen(a.path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(ks_address_listen(&a, &fd, &port, &err), KS_RC_IO);
    assert_non_null(strstr(err.msg, "is no socket"));
    unlink(a.path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(knows_what_is_local),
        cmocka_unit_test(binds_a_free_port_and_not_one_in_use),
        cmocka_unit_test(takes_over_a_stale_socket_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
