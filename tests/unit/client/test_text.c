/* SPDX-License-Identifier: Apache-2.0 */
/* Text from a cluster: what a terminal must not see, and how wide the rest is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/text.h"

#define FFFD "\xef\xbf\xbd"

static void expect(struct ks_str text, ks_text_charset charset, const char *safe)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1000);

    assert_int_equal(ks_text_append(&out, text, charset), KS_RC_OK);
    assert_string_equal(out.data ? out.data : "", safe);
}

static void plain_text_stays(void **state)
{
    (void)state;
    expect(KS_LIT(""), KS_TEXT_UTF8, "");
    expect(KS_LIT("web-0 ~"), KS_TEXT_UTF8, "web-0 ~");
    expect(KS_LIT("h\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80"), KS_TEXT_UTF8,
           "h\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80");
    expect(KS_LIT("h\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80"), KS_TEXT_ASCII, "h? ? ?");
}

static void controls_go(void **state)
{
    (void)state;
    expect(KS_LIT("a\x1b[31mb\x07\x7f"), KS_TEXT_UTF8, "a" FFFD "[31mb" FFFD FFFD);
    expect(KS_LIT("a\0b"), KS_TEXT_UTF8, "a" FFFD "b");
    expect(KS_LIT("\xc2\x9b"
                  "31m"),
           KS_TEXT_UTF8, FFFD "31m"); /* C1's CSI */
    expect(KS_LIT("a\r\n\tb\xe2\x80\xa8"
                  "c"),
           KS_TEXT_UTF8, "a   b c");
    expect(KS_LIT("\xe2\x80\xae"
                  "evil\xe2\x81\xa6\xd8\x9c"),
           KS_TEXT_UTF8, FFFD "evil" FFFD FFFD);
    expect(KS_LIT("\x1b\xc2\x9b"), KS_TEXT_ASCII, "??");
}

static void broken_utf8_is_replaced(void **state)
{
    (void)state;
    expect(KS_LIT("\xff"), KS_TEXT_UTF8, FFFD);
    expect(KS_LIT("a\xc3"), KS_TEXT_UTF8, "a" FFFD);
    expect(KS_LIT("\xc3(\xe6\xbc"), KS_TEXT_UTF8, FFFD "(" FFFD FFFD);
    expect(KS_LIT("\xed\xa0\x80"), KS_TEXT_UTF8, FFFD FFFD FFFD); /* a surrogate */
    expect(KS_LIT("\xc0\xaf"), KS_TEXT_UTF8, FFFD FFFD);          /* overlong */
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(ks_text_width(KS_LIT("abc"), KS_TEXT_UTF8), 3);
    assert_int_equal(ks_text_width(KS_LIT("\xe6\xbc\xa2"), KS_TEXT_UTF8), 2);
    assert_int_equal(ks_text_width(KS_LIT("\xe6\xbc\xa2"), KS_TEXT_ASCII), 1);
    assert_int_equal(ks_text_width(KS_LIT("e\xcc\x81"), KS_TEXT_UTF8), 1); /* combining */
    assert_int_equal(ks_text_width(KS_LIT("\x1b[0m"), KS_TEXT_UTF8), 4);
}

static void expect_cell(const char *text, size_t width, ks_text_charset charset, const char *cell)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1000);

    assert_int_equal(ks_text_append_cell(&out, ks_str_from(text), width, charset), KS_RC_OK);
    assert_string_equal(out.data ? out.data : "", cell);
    assert_int_equal(ks_text_width(ks_buf_str(&out), charset), width);
}

static void cells_have_their_width(void **state)
{
    (void)state;
    expect_cell("abc", 5, KS_TEXT_UTF8, "abc  ");
    expect_cell("abc", 3, KS_TEXT_UTF8, "abc");
    expect_cell("abcd", 3, KS_TEXT_UTF8, "ab\xe2\x80\xa6");
    expect_cell("abcd", 3, KS_TEXT_ASCII, "ab~");
    expect_cell("abcd", 1, KS_TEXT_UTF8, "\xe2\x80\xa6");
    expect_cell("abcd", 0, KS_TEXT_UTF8, "");
    /* A wide character that does not fit leaves a blank. */
    expect_cell("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 4, KS_TEXT_UTF8,
                "\xe6\xbc\xa2\xe2\x80\xa6 ");
    expect_cell("\xe6\xbc\xa2\xe6\xbc\xa2", 4, KS_TEXT_UTF8, "\xe6\xbc\xa2\xe6\xbc\xa2");
}

static void the_buffers_limit_is_told(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(4);

    (void)state;
    assert_int_equal(ks_text_append(&out, KS_LIT("abcdefgh"), KS_TEXT_UTF8), KS_RC_LIMIT);
    ks_buf_clear(&out);
    assert_int_equal(ks_text_append_json(&out, KS_LIT("abcdefgh")), KS_RC_LIMIT);
    ks_buf_clear(&out);
    assert_int_equal(ks_text_append_cell(&out, KS_LIT("a"), 9, KS_TEXT_UTF8), KS_RC_LIMIT);
}

static void locales(void **state)
{
    (void)state;
    assert_int_equal(setenv("LC_ALL", "C", 1), 0);
    assert_int_equal(ks_text_init_locale(), KS_TEXT_ASCII);
    assert_int_equal(ks_text_width(KS_LIT("\xe6\xbc\xa2"), KS_TEXT_UTF8), 2); /* even so */
    assert_int_equal(setenv("LC_ALL", "no_SUCH.locale", 1), 0);
    assert_int_equal(ks_text_init_locale(), KS_TEXT_ASCII);
    assert_int_equal(setenv("LC_ALL", "C.UTF-8", 1), 0);
    assert_int_equal(ks_text_init_locale(), KS_TEXT_UTF8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locales),
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(controls_go),
        cmocka_unit_test(broken_utf8_is_replaced),
        cmocka_unit_test(widths),
        cmocka_unit_test(cells_have_their_width),
        cmocka_unit_test(the_buffers_limit_is_told),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
