/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is taken, in which order, and what is said when it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/commands.h"
#include "client/cli/options.h"

#define WORDS_MAX 16

/* Splits at blanks, for lines that are easy to read; the words stay until the next call. */
static ks_rc parse(const char *line, unsigned allowed, struct ks_options *out, struct ks_error *err)
{
    static char text[512];
    static char *words[WORDS_MAX + 1];
    int count = 0;

    assert_true(strlen(line) < sizeof(text));
    memcpy(text, line, strlen(line) + 1);
    for (char *at = text; *at;) {
        assert_true(count < WORDS_MAX);
        words[count++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    words[count] = NULL;
    return ks_options_parse(count, words, allowed, NULL, out, err);
}

static void a_wait_has_its_own(void **state)
{
    const unsigned wait = ks_cmd_wait.options;
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("wait deploy/web", wait, &o, &err), KS_RC_OK);
    assert_int_equal(o.wait_goal, KS_WAIT_FOR_CURRENT);
    assert_int_equal(o.min_basis, KS_BASIS_UNSPECIFIED);
    assert_true(!o.fail_fast && !o.is_applied && o.stable_ms == 0 && o.timeout_ms == -1);
    assert_int_equal(parse("wait -f x --for not-found --fail-fast --stable-for 2s --applied"
                           " --min-basis condition --timeout 0s",
                           wait, &o, &err),
                     KS_RC_OK);
    assert_int_equal(o.wait_goal, KS_WAIT_FOR_NOT_FOUND);
    assert_int_equal(o.min_basis, KS_BASIS_STANDARD_CONDITION);
    assert_true(o.fail_fast && o.is_applied && o.stable_ms == 2000 && o.timeout_ms == 0);
    assert_int_equal(parse("wait x --for terminal --min-basis generation", wait, &o, &err),
                     KS_RC_OK);
    assert_int_equal(o.wait_goal, KS_WAIT_FOR_TERMINAL);
    assert_int_equal(o.min_basis, KS_BASIS_GENERATION_ONLY);
    assert_int_equal(parse("wait x --for 5m", wait, &o, &err), KS_RC_INVALID);
    assert_string_equal(err.msg, "--for: '5m' is none of current, not-found, terminal");
    assert_int_equal(parse("watch x --fail-fast", ks_cmd_watch.options, &o, &err), KS_RC_INVALID);
}

static void options_and_arguments_mix(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(
        parse("watch deploy/web -n shop sts/db -o json --for 1m30s -f a -f b --server=h:1", ~0u, &o,
              &err),
        KS_RC_OK);
    assert_string_equal(o.ns, "shop");
    assert_int_equal(o.output, KS_OUTPUT_JSON);
    assert_int_equal(o.for_ms, 90000);
    assert_int_equal(o.file_count, 2);
    assert_string_equal(o.files[1], "b");
    assert_string_equal(o.server, "h:1");
    assert_int_equal(o.arg_count, 2);
    assert_string_equal(o.args[0], "deploy/web");
    assert_string_equal(o.args[1], "sts/db");
    assert_false(o.wants_help);
}

static void short_forms(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("get pods -Al app=web -ojson -fx", ~0u, &o, &err), KS_RC_OK);
    assert_true(o.all_namespaces);
    assert_string_equal(o.label_selector, "app=web");
    assert_int_equal(o.output, KS_OUTPUT_JSON);
    assert_string_equal(o.files[0], "x");
}

static void defaults(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("get", ~0u, &o, &err), KS_RC_OK);
    assert_string_equal(o.server, KS_DEFAULT_SERVER);
    assert_null(o.ns);
    assert_null(o.label_selector);
    assert_int_equal(o.output, KS_OUTPUT_TABLE);
    assert_int_equal(o.for_ms, -1);
    assert_int_equal(o.timeout_ms, -1);
    assert_false(o.has_now);
    assert_int_equal(o.arg_count, 0);
}

static void two_dashes_end_the_options(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("get -- -n", ~0u, &o, &err), KS_RC_OK);
    assert_int_equal(o.arg_count, 1);
    assert_string_equal(o.args[0], "-n");
}

static void a_time_is_read(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("compute --now 2026-11-24T13:46:51Z --profile kstatus", ~0u, &o, &err),
                     KS_RC_OK);
    assert_true(o.has_now);
    assert_int_equal(o.now_ms, 1795528011000);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } rows[] = {
        {"watch --foo", "`--foo` is not an option of `kstatus watch`; see `kstatus watch --help`"},
        {"watch --foo=1", "`--foo=1` is not an option"},
        {"watch -x", "`-x` is not an option of `kstatus watch`"},
        {"watch -n", "-n needs a value"},
        {"watch --for", "--for needs a value"},
        {"watch --all-namespaces=yes", "takes no value"},
        {"watch -o yaml", "--output: 'yaml' is neither table nor json"},
        {"watch --for soon", "--for: 'soon' is no duration"},
        {"compute --now today", "--now: 'today' is no time"},
        {"compute --profile other", "there is no profile 'other'"},
        {"get --namespace=", "--namespace: the value is empty"},
        {"get --se x", "`--se` is not an option"},
    };
    struct ks_options o;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_error err = {0};

        assert_int_not_equal(parse(rows[i].line, ~0u, &o, &err), KS_RC_OK);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("'%s' says: %s", rows[i].line, err.msg);
    }
}

static void each_command_takes_its_own(void **state)
{
    struct ks_options o;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(parse("health -n x", ks_cmd_health.options, &o, &err), KS_RC_INVALID);
    assert_int_equal(parse("compute --server x", ks_cmd_compute.options, &o, &err), KS_RC_INVALID);
    assert_int_equal(parse("get --for 1s", ks_cmd_get.options, &o, &err), KS_RC_INVALID);
    assert_int_equal(parse("watch --timeout 1s", ks_cmd_watch.options, &o, &err), KS_RC_INVALID);
    assert_int_equal(parse("version --help", ks_cmd_version.options, &o, &err), KS_RC_OK);
    assert_true(o.wants_help);
}

static void too_many_files(void **state)
{
    static char *words[2 * KS_OPTIONS_FILES_MAX + 4];
    struct ks_options o;
    struct ks_error err = {0};
    int count = 0;

    (void)state;
    words[count++] = (char *)(uintptr_t) "get";
    for (size_t i = 0; i <= KS_OPTIONS_FILES_MAX; i++)
        words[count++] = (char *)(uintptr_t) "-fx";
    assert_int_equal(ks_options_parse(count, words, ~0u, NULL, &o, &err), KS_RC_LIMIT);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"26s", 26000},         {"500ms", 500}, {"1m30s", 90000},
        {"2h", 7200000},        {"1.5s", 1500}, {"0s", 0},
        {"1h1m1s1ms", 3661001}, {"0.001s", 1},  {"1.25m", 75000},
        {"8784h", 31622400000},
    };
    static const char *const bad[] = {"",      "26",           "s",    "1.s", ".5s",
                                      "-1s",   "1 s",          "1s ",  "1d",  "1.2345s",
                                      "8785h", "99999999999s", "1e3s", "1s2", "1,5s"};
    struct ks_error err = {0};
    int64_t ms = -1;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(good); i++) {
        assert_int_equal(ks_duration_parse(good[i].text, &ms, &err), KS_RC_OK);
        assert_int_equal(ms, good[i].ms);
    }
    ms = -1;
    for (size_t i = 0; i < KS_ARRAY_LEN(bad); i++) {
        if (ks_duration_parse(bad[i], &ms, &err) == KS_RC_OK)
            fail_msg("'%s' is taken as %lld ms", bad[i], (long long)ms);
        assert_int_equal(ms, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_mix),
        cmocka_unit_test(a_wait_has_its_own),
        cmocka_unit_test(short_forms),
        cmocka_unit_test(defaults),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_time_is_read),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(each_command_takes_its_own),
        cmocka_unit_test(too_many_files),
        cmocka_unit_test(durations),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
