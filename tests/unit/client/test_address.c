/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of servers: which texts can be one, and what is said of those that cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/address.h"

static void what_can_be_an_address(void **state)
{
    static const char *const texts[] = {
        "ipv4:127.0.0.1:7443,127.0.0.1:7444",
        "127.0.0.1:7443",
        "localhost:1",
        "kstatusd.example:65535",
        "[::1]:7443",
        "unix:/run/k.sock",
        "unix:k.sock",
        "unix:///run/k.sock",
        "dns:k:7443",
        "dns:///kstatusd:7443",
        "dns://8.8.8.8/k:7443",
        "ipv4:127.0.0.1:80",
        "ipv6:[::1]:80",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        struct ks_error err = {0};

        if (ks_address_check(texts[i], &err))
            fail_msg("'%s': %s", texts[i], err.msg);
    }
}

static void what_cannot(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"", "is empty"},
        {"localhost", "no port from 1 to 65535"},
        {"localhost:", "no port"},
        {"localhost:0", "no port"},
        {"localhost:99999", "no port"},
        {"localhost:655360", "no port"},
        {"localhost:+80", "no port"},
        {"localhost:8o", "no port"},
        {":7443", "is no address"},
        {"http://localhost:7443", "is no address"},
        {"a b:7443", "is no address"},
        {"::1:7443", "in brackets"},
        {"[::1]", "no port"},
        {"[::1]7443", "is no address"},
        {"[]:7443", "is no address"},
        {"[::1:7443", "is no address"},
        {"unix:", "no path"},
        {"unix://", "no path"},
        {"dns:///k", "no port"},
        {"ipv4:127.0.0.1:1,127.0.0.2", "no port"},
        {"ipv4:", "is no address"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_error err = {0};

        assert_int_equal(ks_address_check(rows[i].text, &err), KS_RC_INVALID);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("'%s' says: %s", rows[i].text, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_an_address),
        cmocka_unit_test(what_cannot),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
