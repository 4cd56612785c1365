/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views, buffers, numbers, UTF-8, URL and JSON escapes of base/str.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "support/torture.h"

static void views_compare_and_cut(void **state)
{
    (void)state;
    assert_true(ks_str_cmp(KS_LIT("a"), KS_LIT("ab")) < 0);
    assert_true(ks_str_cmp(KS_LIT("b"), KS_LIT("ab")) > 0);
    assert_int_equal(ks_str_cmp(KS_LIT(""), ks_str_from(NULL)), 0);
    assert_true(ks_str_starts(KS_LIT("deployments.apps"), KS_LIT("deploy")));
    assert_false(ks_str_starts(KS_LIT("de"), KS_LIT("deploy")));
    assert_true(ks_str_ends(KS_LIT("deployments.apps"), KS_LIT(".apps")));
    assert_int_equal(ks_str_chr(KS_LIT("a/b"), '/'), 1);
    assert_int_equal(ks_str_chr(ks_str_from(NULL), '/'), -1);
    assert_true(ks_str_is(ks_str_sub(KS_LIT("abcdef"), 2, 3), "cde"));
    assert_int_equal(ks_str_sub(KS_LIT("abc"), 9, 9).len, 0);
    assert_true(ks_str_is(ks_str_trim(KS_LIT(" \t token\r\n")), "token"));
    assert_int_equal(ks_str_trim(KS_LIT("\n \n")).len, 0);
}

static void splitting_gives_every_part(void **state)
{
    struct ks_str rest = KS_LIT("a,,b,");
    struct ks_str part;
    const char *want[] = {"a", "", "b", ""};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(want); i++) {
        assert_true(ks_str_split(&rest, ',', &part));
        assert_true(ks_str_is(part, want[i]));
    }
    assert_false(ks_str_split(&rest, ',', &part));
}

static void integers_know_their_edges(void **state)
{
    int64_t n = 0;

    (void)state;
    assert_true(ks_str_to_int64(KS_LIT("9223372036854775807"), &n));
    assert_int_equal(n, INT64_MAX);
    assert_true(ks_str_to_int64(KS_LIT("-9223372036854775808"), &n));
    assert_int_equal(n, INT64_MIN);
    assert_true(ks_str_to_int64(KS_LIT("-0"), &n));
    assert_int_equal(n, 0);
    assert_false(ks_str_to_int64(KS_LIT("9223372036854775808"), &n));
    assert_false(ks_str_to_int64(KS_LIT("-9223372036854775809"), &n));
    assert_false(ks_str_to_int64(KS_LIT(""), &n));
    assert_false(ks_str_to_int64(KS_LIT("-"), &n));
    assert_false(ks_str_to_int64(KS_LIT("+1"), &n));
    assert_false(ks_str_to_int64(KS_LIT("1 "), &n));
}

static void utf8_is_judged_strictly(void **state)
{
    (void)state;
    assert_true(ks_str_is_utf8(KS_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(ks_str_is_utf8(KS_LIT("\xc0\x80")));         /* overlong NUL */
    assert_false(ks_str_is_utf8(KS_LIT("\xed\xa0\x80")));     /* surrogate */
    assert_false(ks_str_is_utf8(KS_LIT("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(ks_str_is_utf8(KS_LIT("\xe2\x82")));
    assert_false(ks_str_is_utf8(KS_LIT("\x80")));
    assert_int_equal(ks_str_cut_utf8(KS_LIT("ab\xe2\x82\xac"), 4).len, 2);
    assert_int_equal(ks_str_cut_utf8(KS_LIT("ab\xe2\x82\xac"), 5).len, 5);
    assert_int_equal(ks_str_cut_utf8(KS_LIT("\xf0\x9f\x98\x80"), 3).len, 0);
    assert_int_equal(ks_str_cut_utf8(KS_LIT("abc"), 9).len, 3);
}

static void a_buffer_keeps_to_its_ceiling(void **state)
{
    struct ks_buf b;

    (void)state;
    ks_buf_init(&b, 8);
    assert_int_equal(ks_buf_append(&b, "12345", 5), KS_RC_OK);
    assert_int_equal(ks_buf_append(&b, "6789", 4), KS_RC_LIMIT);
    assert_true(ks_str_is(ks_buf_str(&b), "12345"));
    assert_int_equal(ks_buf_appendf(&b, "%d", 678), KS_RC_OK);
    assert_string_equal(b.data, "12345678");
    assert_int_equal(ks_buf_append_byte(&b, 'x'), KS_RC_LIMIT);
    assert_int_equal(ks_buf_appendf(&b, "%s", "y"), KS_RC_LIMIT);
    ks_buf_clear(&b);
    assert_int_equal(ks_buf_append_url(&b, KS_LIT("aa//")), KS_RC_OK);
    assert_int_equal(ks_buf_append_url(&b, KS_LIT("/")), KS_RC_LIMIT);
    assert_string_equal(b.data, "aa%2F%2F");
    ks_buf_shrink(&b, 0);
    assert_null(b.data);
    ks_buf_fini(&b);
}

static void escapes_are_exact(void **state)
{
    struct ks_buf b;

    (void)state;
    ks_buf_init(&b, 1024);
    assert_int_equal(ks_buf_append_url(&b, KS_LIT("a b/%\xc3\xa9~-._")), KS_RC_OK);
    assert_string_equal(b.data, "a%20b%2F%25%C3%A9~-._");
    ks_buf_clear(&b);
    assert_int_equal(ks_buf_append_json(&b, KS_LIT("a\"\\\n\x01\x7f\xc3\xa9")), KS_RC_OK);
    assert_string_equal(b.data, "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\"");
    ks_buf_clear(&b);
    assert_int_equal(ks_buf_append_json(&b, KS_LIT("\xff"
                                                   "a\xe2\x82")),
                     KS_RC_OK);
    assert_string_equal(b.data, "\"\xef\xbf\xbd"
                                "a\xef\xbf\xbd\xef\xbf\xbd\"");
    ks_buf_fini(&b);
}

static void fill(void *ctx)
{
    struct ks_buf b;
    KS_CLEANUP(ks_freep) char *taken = NULL;
    ks_rc rc = KS_RC_OK;

    (void)ctx;
    ks_buf_init(&b, 4096);
    for (int i = 0; i < 100 && !rc; i++)
        rc = ks_buf_appendf(&b, "%d,", i);
    assert_int_equal(rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    taken = ks_buf_take(&b);
    assert_null(b.data);
    ks_buf_fini(&b);
}

static void a_buffer_survives_lack_of_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(fill, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_and_cut),
        cmocka_unit_test(splitting_gives_every_part),
        cmocka_unit_test(integers_know_their_edges),
        cmocka_unit_test(utf8_is_judged_strictly),
        cmocka_unit_test(a_buffer_keeps_to_its_ceiling),
        cmocka_unit_test(escapes_are_exact),
        cmocka_unit_test(a_buffer_survives_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
