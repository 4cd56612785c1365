/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/config.h"

#define PARSE(config, err, ...)                                                                    \
    parse((const char *const[]){"kstatusd", __VA_ARGS__ __VA_OPT__(, ) NULL}, config, err)

static ks_rc parse(const char *const *argv, struct ks_config *out, struct ks_error *err)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return ks_config_parse(argc, (char *const *)(uintptr_t)argv, out, err);
}

static void has_defaults(void **state)
{
    struct ks_error err = {0};
    struct ks_config c;

    (void)state;
    assert_int_equal(PARSE(&c, &err), KS_RC_OK);
    assert_int_equal(c.action, KS_CONFIG_RUN);
    assert_int_equal(c.listen_count, 1);
    assert_string_equal(c.listen[0].host, "127.0.0.1");
    assert_int_equal(c.listen[0].port, 7443);
    assert_true(c.has_http);
    assert_string_equal(c.http.host, "127.0.0.1");
    assert_int_equal(c.http.port, 7480);
    assert_null(c.kubeconfig);
    assert_null(c.context);
    assert_true(c.workers >= 1);
    assert_int_equal(c.log_level, KS_LOG_INFO);
    assert_int_equal(c.log_format, KS_LOG_TEXT);
    assert_false(c.may_listen_unsafely);
    assert_memory_equal(&c.limits, &ks_limits_default, sizeof(c.limits));
}

static void takes_every_option(void **state)
{
    struct ks_error err = {0};
    struct ks_config c;

    (void)state;
    assert_int_equal(PARSE(&c, &err, "--listen", "127.0.0.1:0", "--listen=unix:/s", "--http=off",
                           "--kubeconfig", "/k", "--context=prod", "--workers", "3", "--log-format",
                           "json", "--log-level=debug", "--listen-unsafely", "--limit", "streams=7",
                           "--limit=objects=8"),
                     KS_RC_OK);
    assert_int_equal(c.listen_count, 2);
    assert_int_equal(c.listen[1].kind, KS_ADDRESS_UNIX);
    assert_false(c.has_http);
    assert_string_equal(c.kubeconfig, "/k");
    assert_string_equal(c.context, "prod");
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.log_format, KS_LOG_JSON);
    assert_int_equal(c.log_level, KS_LOG_DEBUG);
    assert_true(c.may_listen_unsafely);
    assert_int_equal(c.limits.values[KS_LIMIT_STREAMS], 7);
    assert_int_equal(c.limits.values[KS_LIMIT_OBJECTS], 8);
    assert_int_equal(c.limits.values[KS_LIMIT_CONNECTIONS], 1024);
    assert_int_equal(PARSE(&c, &err, "--version"), KS_RC_OK);
    assert_int_equal(c.action, KS_CONFIG_VERSION);
    assert_int_equal(PARSE(&c, &err, "--help"), KS_RC_OK);
    assert_int_equal(c.action, KS_CONFIG_HELP);
}

static void refuses(const char *says, const char *a, const char *b)
{
    struct ks_config c = {.workers = 4711};
    struct ks_error err = {0};

    if (PARSE(&c, &err, a, b) != KS_RC_INVALID)
        fail_msg("accepted: %s %s", a, b ? b : "");
    if (!strstr(err.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    assert_int_equal(c.workers, 4711);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    refuses("--listn", "--listn", "x");
    refuses("stray", "stray", NULL);
    refuses("--listen needs a value", "--listen", NULL);
    refuses("--listen: address \"x\"", "--listen", "x");
    refuses("--http: address", "--http", "nowhere");
    refuses("--kubeconfig: a file name", "--kubeconfig", "");
    refuses("--context: the name", "--context", "");
    refuses("--workers: \"0\"", "--workers", "0");
    refuses("--workers: \"65\"", "--workers", "65");
    refuses("--workers: \"2x\"", "--workers", "2x");
    refuses("neither text nor json", "--log-format", "xml");
    refuses("none of debug", "--log-level", "loud");
    refuses("--listen-unsafely takes no value", "--listen-unsafely=yes", NULL);
    refuses("--limit: \"streams\" is not NAME=N with a NAME out of: streams ", "--limit",
            "streams");
    refuses("connection-seconds memory-mib", "--limit", "nothing=1");
    refuses("is not NAME=N", "--limit", "=1");
    refuses("streams (open calls of Watch, Get and Wait) is a number from 1 to 100000", "--limit",
            "streams=0");
    refuses("objects (objects of one call) is a number", "--limit", "objects=1000001");
    refuses("objects (objects of one call) is a number", "--limit", "objects=5x");
    refuses("--workers is given twice", "--workers=1", "--workers=1");
}

static void bounds_the_addresses(void **state)
{
    const char *argv[2 * KS_CONFIG_LISTEN_MAX + 4] = {"kstatusd"};
    struct ks_error err = {0};
    struct ks_config c;
    size_t n = 1;

    (void)state;
    for (int i = 0; i < KS_CONFIG_LISTEN_MAX; i++) {
        argv[n++] = "--listen";
        argv[n++] = "127.0.0.1:0";
    }
    assert_int_equal(parse(argv, &c, &err), KS_RC_OK);
    argv[n++] = "--listen=127.0.0.1:0";
    assert_int_equal(parse(argv, &c, &err), KS_RC_INVALID);
}

static void help_names_every_option(void **state)
{
    static const char *const names[] = {
        "--listen ADDR", "--http ADDR|off", "--kubeconfig FILE", "--context NAME",
        "--workers N",   "--log-format",    "--log-level",       "--listen-unsafely",
        "--version",     "--help",          "--limit NAME=N",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++)
        assert_non_null(strstr(ks_config_usage, names[i]));
    for (int i = 0; i < KS_LIMIT_COUNT; i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s (%lld", ks_limit_name((ks_limit)i),
                 (long long)ks_limits_default.values[i]);
        if (!strstr(ks_config_usage, text))
            fail_msg("the usage does not say \"%s\"", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(takes_every_option),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(bounds_the_addresses),
        cmocka_unit_test(help_names_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
