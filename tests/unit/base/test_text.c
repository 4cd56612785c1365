/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error messages, log lines, base64 and files.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

static void errors_carry_their_context(void **state)
{
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(ks_fail(&err, KS_RC_PARSE, "line %d", 3), KS_RC_PARSE);
    assert_int_equal(ks_wrap(&err, KS_RC_CONFIG, "file %s", "x"), KS_RC_CONFIG);
    assert_string_equal(err.msg, "file x: line 3");
    assert_int_equal(err.rc, KS_RC_CONFIG);
    (void)ks_fail_errno(&err, KS_RC_IO, ENOENT, "open"); /* looked at below */
    assert_string_equal(err.msg, "open: No such file or directory");
    assert_int_equal(ks_fail(NULL, KS_RC_IO, "x"), KS_RC_IO);
    assert_int_equal(ks_wrap(NULL, KS_RC_IO, "x"), KS_RC_IO);
    assert_string_equal(ks_rc_text(KS_RC_GONE), "resource version expired");
    assert_non_null(ks_rc_text((ks_rc)999));
}

static void a_long_message_ends_at_a_character(void **state)
{
    char text[KS_ERROR_MSG_MAX * 2 + 1];
    struct ks_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i += 2) {
        text[i] = (char)0xc3;
        text[i + 1] = (char)0xa9;
    }
    text[sizeof(text) - 1] = '\0';
    (void)ks_fail(&err, KS_RC_IO, "x%s", text); /* looked at below */
    assert_true(ks_str_is_utf8(ks_str_from(err.msg)));
    (void)ks_wrap(&err, KS_RC_IO, "context"); /* looked at below */
    assert_true(ks_str_is_utf8(ks_str_from(err.msg)));
    assert_true(strlen(err.msg) >= KS_ERROR_MSG_MAX - 4);
}

/* What one call of ks_log writes. */
static size_t logged(enum ks_log_format format, char *out, size_t size)
{
    struct ks_clock_test clock;
    struct ks_log log = {.level = KS_LOG_INFO, .format = format, .clock = &clock.clock};
    int fds[2];
    ssize_t n;

    ks_clock_test_init(&clock, 1795528011250);
    assert_int_equal(pipe(fds), 0);
    log.fd = fds[1];
    ks_log(&log, KS_LOG_DEBUG, "not written");
    ks_log(&log, KS_LOG_WARN, "watch ended", KS_F_STR("reason", "a \"b\"\n\x1b[31m"),
           KS_F_INT("retry_ms", -5), KS_F_STR("bad", "\xff"));
    n = read(fds[0], out, size - 1);
    assert_true(n > 0);
    out[n] = '\0';
    (void)close(fds[0]); /* test pipe */
    (void)close(fds[1]); /* test pipe */
    return (size_t)n;
}

static void log_lines_cannot_be_forged(void **state)
{
    char line[1024];
    json_t *json;

    (void)state;
    logged(KS_LOG_TEXT, line, sizeof(line));
    assert_string_equal(line,
                        "time=\"2026-11-24T13:46:51.250Z\" level=\"warn\" msg=\"watch ended\" "
                        "reason=\"a \\\"b\\\"\\u000a\\u001b[31m\" retry_ms=-5 "
                        "bad=\"(bytes that are no UTF-8)\"\n");
    logged(KS_LOG_JSON, line, sizeof(line));
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "msg")), "watch ended");
    assert_int_equal(json_integer_value(json_object_get(json, "retry_ms")), -5);
    json_decref(json);
    ks_log((const struct ks_log *)NULL, KS_LOG_ERROR, "nowhere to go");
}

static void a_huge_field_leaves_the_line_whole(void **state)
{
    struct ks_log log = {.level = KS_LOG_DEBUG, .format = KS_LOG_JSON, .clock = &ks_clock_real};
    char *big = ks_alloc0(100001);
    char line[16384];
    json_t *json;
    int fds[2];
    ssize_t n;

    (void)state;
    memset(big, '\x01', 100000);
    assert_int_equal(pipe(fds), 0);
    log.fd = fds[1];
    ks_log(&log, KS_LOG_ERROR, "m", KS_F_STR("a", big), KS_F_STR("b", big), KS_F_INT("c", 1));
    n = read(fds[0], line, sizeof(line) - 1);
    assert_in_range(n, 1, 8192);
    line[n] = '\0';
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    (void)close(fds[0]); /* test pipe */
    (void)close(fds[1]); /* test pipe */
    ks_free(big);
}

static void levels_have_names(void **state)
{
    enum ks_log_level level = KS_LOG_OFF;

    (void)state;
    assert_true(ks_log_level_parse("debug", &level));
    assert_int_equal(level, KS_LOG_DEBUG);
    assert_false(ks_log_level_parse("loud", &level));
}

static void base64_is_strict(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    static const char *const bad[] = {"Zg=", "Z", "Zg==Zg==", "Z===", "Zm9v!", "=Zg="};
    struct ks_buf b;

    (void)state;
    ks_buf_init(&b, 64);
    for (size_t i = 0; i < KS_ARRAY_LEN(pairs); i++) {
        ks_buf_clear(&b);
        assert_int_equal(ks_base64_encode(ks_str_from(pairs[i][0]), &b), KS_RC_OK);
        assert_true(ks_str_is(ks_buf_str(&b), pairs[i][1]));
        ks_buf_clear(&b);
        assert_int_equal(ks_base64_decode(ks_str_from(pairs[i][1]), &b), KS_RC_OK);
        assert_true(ks_str_is(ks_buf_str(&b), pairs[i][0]));
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(bad); i++)
        assert_int_equal(ks_base64_decode(ks_str_from(bad[i]), &b), KS_RC_PARSE);
    ks_buf_clear(&b);
    assert_int_equal(ks_base64_decode(KS_LIT("Zm9v\n Yg = ="), &b), KS_RC_OK);
    assert_true(ks_str_is(ks_buf_str(&b), "foob"));
    ks_buf_fini(&b);
}

static void files_are_written_whole(void **state)
{
    char dir[] = "/tmp/ks-test-XXXXXX";
    char path[64];
    struct ks_error err = {0};
    struct stat st;
    struct ks_buf b;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/f", dir); /* fits */
    ks_buf_init(&b, 10);
    assert_int_equal(ks_file_read(path, &b, &err), KS_RC_NOTFOUND);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(ks_file_write(path, KS_LIT("0123456789"), &err), KS_RC_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ks_file_read(path, &b, &err), KS_RC_OK);
    assert_true(ks_str_is(ks_buf_str(&b), "0123456789"));
    assert_int_equal(ks_file_write(path, KS_LIT("0123456789A"), &err), KS_RC_OK);
    assert_int_equal(ks_file_read(path, &b, &err), KS_RC_LIMIT);
    assert_int_equal(ks_file_read(dir, &b, &err), KS_RC_IO);
    assert_int_equal(ks_file_write("/nonexistent/f", KS_LIT("x"), &err), KS_RC_NOTFOUND);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    ks_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_carry_their_context),
        cmocka_unit_test(a_long_message_ends_at_a_character),
        cmocka_unit_test(log_lines_cannot_be_forged),
        cmocka_unit_test(a_huge_field_leaves_the_line_whole),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(files_are_written_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
