/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newline framer: whatever way the bytes are cut, the lines are the same.
 *
 * Thread: the test's.
 */
#include "http/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/torture.h"

/* What was reported: lines in brackets, long ones as (head length/whole length). */
struct sink {
    struct ks_buf said;
    ks_rc answer; /* of the callbacks */
    bool tells_heads;
};

static ks_rc on_line(void *ctx, struct ks_str line)
{
    struct sink *s = ctx;
    ks_rc rc;

    if (s->answer)
        return s->answer;
    rc = ks_buf_append_byte(&s->said, '[');
    rc = rc ? rc : ks_buf_append_str(&s->said, line);
    return rc ? rc : ks_buf_append_byte(&s->said, ']');
}

static ks_rc on_too_long(void *ctx, struct ks_str head, size_t len)
{
    struct sink *s = ctx;

    if (s->answer)
        return s->answer;
    return ks_buf_appendf(&s->said, "(%zu/%zu)", head.len, len);
}

static const struct ks_lines_ops ops = {.on_line = on_line, .on_too_long = on_too_long};

/* Feeds the text in pieces of so many bytes (0: at random). */
static ks_rc feed(struct ks_lines *l, struct ks_str text, size_t piece)
{
    while (text.len) {
        const size_t len = piece ? piece : 1 + (size_t)ks_random_below(20);
        const ks_rc rc = ks_lines_feed(l, ks_str_sub(text, 0, len));

        if (rc)
            return rc;
        text = ks_str_sub(text, len, text.len);
    }
    return KS_RC_OK;
}

static void expect(struct ks_str text, size_t max_line, size_t max_skip, const char *said)
{
    for (size_t piece = 0; piece <= text.len + 1; piece++) {
        struct sink s = {.answer = KS_RC_OK};
        struct ks_lines l;

        ks_buf_init(&s.said, 1 << 20);
        ks_lines_init(&l, max_line, max_skip, &ops, &s);
        assert_int_equal(feed(&l, text, piece), KS_RC_OK);
        assert_string_equal(s.said.data ? s.said.data : "", said);
        ks_lines_fini(&l);
        ks_buf_fini(&s.said);
    }
}

static void cuts_lines_at_any_chunk_boundary(void **state)
{
    (void)state;
    expect(KS_LIT(""), 100, 1000, "");
    expect(KS_LIT("\n"), 100, 1000, "");
    expect(KS_LIT("\r\n\n\r\n"), 100, 1000, "");
    expect(KS_LIT("a\n"), 100, 1000, "[a]");
    expect(KS_LIT("a"), 100, 1000, "");
    expect(KS_LIT("a\r\nbb\n\nccc\r\nrest"), 100, 1000, "[a][bb][ccc]");
    expect(KS_LIT("a\rb\n\r\r\n"), 100, 1000, "[a\rb][\r]");
    expect(KS_LIT("0123456789\n012345678\n"), 10, 1000, "[0123456789][012345678]");
}

static void keeps_nul_bytes(void **state)
{
    struct sink s = {.answer = KS_RC_OK};
    struct ks_lines l;

    (void)state;
    ks_buf_init(&s.said, 1000);
    ks_lines_init(&l, 100, 1000, &ops, &s);
    assert_int_equal(ks_lines_feed(&l, ks_str_make("a\0b\n\0\n", 6)), KS_RC_OK);
    assert_int_equal(s.said.len, 8);
    assert_memory_equal(s.said.data, "[a\0b][\0]", 8);
    ks_lines_fini(&l);
    ks_buf_fini(&s.said);
}

static void skips_a_line_that_is_too_long(void **state)
{
    (void)state;
    expect(KS_LIT("0123456789x\nok\n"), 10, 1000, "(11/11)[ok]");
    expect(KS_LIT("ok\n0123456789abcdefghijklmn\nok\n"), 10, 1000, "[ok](24/24)[ok]");
    expect(KS_LIT("0123456789x\n0123456789y\n"), 10, 1000, "(11/11)(11/11)");
}

static void keeps_the_head_of_a_long_line_alone(void **state)
{
    const size_t len = 3 * KS_LINES_HEAD_BYTES;
    struct sink s = {.answer = KS_RC_OK};
    struct ks_buf text;
    struct ks_lines l;
    char expected[64];

    (void)state;
    ks_buf_init(&text, len + 10);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(ks_buf_append_byte(&text, 'x'), KS_RC_OK);
    assert_int_equal(ks_buf_append(&text, "\nok\n", 4), KS_RC_OK);
    (void)snprintf(expected, sizeof(expected), "(%zu/%zu)[ok]", KS_LINES_HEAD_BYTES, len);
    for (size_t max_line = 2 * KS_LINES_HEAD_BYTES; max_line > 10; max_line /= 3) {
        ks_buf_init(&s.said, 1000);
        ks_lines_init(&l, max_line, len, &ops, &s);
        assert_int_equal(feed(&l, ks_buf_str(&text), 1000), KS_RC_OK);
        assert_string_equal(s.said.data, expected);
        assert_true(l.part.cap <= 16384); /* the memory of the long line is given back */
        assert_false(ks_lines_has_part(&l));
        ks_lines_fini(&l);
        ks_buf_fini(&s.said);
    }
    ks_buf_fini(&text);
}

static void gives_up_an_endless_line(void **state)
{
    struct sink s = {.answer = KS_RC_OK};
    struct ks_lines l;
    size_t fed = 0;
    ks_rc rc = KS_RC_OK;

    (void)state;
    ks_lines_init(&l, 1000, 100000, &ops, &s);
    while (!rc && fed < 1000000) {
        rc = ks_lines_feed(&l, KS_LIT("0123456789"));
        fed += 10;
    }
    assert_int_equal(rc, KS_RC_LIMIT);
    assert_int_equal(fed, 100010);
    assert_true(l.part.cap <= 2 * KS_LINES_HEAD_BYTES);
    ks_lines_fini(&l);
}

static void tells_whether_a_line_is_unfinished(void **state)
{
    struct sink s = {.answer = KS_RC_OK};
    struct ks_lines l;

    (void)state;
    ks_buf_init(&s.said, 1000);
    ks_lines_init(&l, 10, 1000, &ops, &s);
    assert_false(ks_lines_has_part(&l));
    assert_int_equal(ks_lines_feed(&l, KS_LIT("a\nb")), KS_RC_OK);
    assert_true(ks_lines_has_part(&l));
    assert_int_equal(ks_lines_feed(&l, KS_LIT("\n")), KS_RC_OK);
    assert_false(ks_lines_has_part(&l));
    assert_int_equal(ks_lines_feed(&l, KS_LIT("0123456789abc")), KS_RC_OK);
    assert_true(ks_lines_has_part(&l));
    ks_lines_fini(&l);
    assert_false(ks_lines_has_part(&l));
    ks_buf_fini(&s.said);
}

static void hands_on_what_the_owner_answers(void **state)
{
    struct sink s = {.answer = KS_RC_PARSE};
    struct ks_lines l;

    (void)state;
    ks_buf_init(&s.said, 1000);
    ks_lines_init(&l, 10, 1000, &ops, &s);
    assert_int_equal(ks_lines_feed(&l, KS_LIT("a\nb\n")), KS_RC_PARSE); /* from the chunk */
    assert_int_equal(ks_lines_feed(&l, KS_LIT("c")), KS_RC_OK);
    assert_int_equal(ks_lines_feed(&l, KS_LIT("\n")), KS_RC_PARSE); /* gathered */
    assert_int_equal(ks_lines_feed(&l, KS_LIT("0123456789abc\n")), KS_RC_PARSE);
    s.answer = KS_RC_OK;
    assert_int_equal(ks_lines_feed(&l, KS_LIT("d\n")), KS_RC_OK);
    assert_string_equal(s.said.data, "[d]");
    ks_lines_fini(&l);
    ks_buf_fini(&s.said);
}

static void torture_feed(void *ctx)
{
    struct sink *s = ctx;
    struct ks_lines l;
    ks_rc rc;

    ks_buf_clear(&s->said);
    ks_lines_init(&l, 100, 1000, &ops, s);
    rc = feed(&l, KS_LIT("first line\nsecond line, longer\n"), 3);
    assert_int_equal(rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    ks_lines_fini(&l);
}

static void survives_lack_of_memory(void **state)
{
    struct sink s = {.answer = KS_RC_OK};

    (void)state;
    ks_buf_init(&s.said, 1000);
    assert_int_equal(ks_buf_reserve(&s.said, 500), KS_RC_OK);
    assert_true(ks_torture(torture_feed, &s) >= 1);
    ks_buf_fini(&s.said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines_at_any_chunk_boundary),
        cmocka_unit_test(keeps_nul_bytes),
        cmocka_unit_test(skips_a_line_that_is_too_long),
        cmocka_unit_test(keeps_the_head_of_a_long_line_alone),
        cmocka_unit_test(gives_up_an_endless_line),
        cmocka_unit_test(tells_whether_a_line_is_unfinished),
        cmocka_unit_test(hands_on_what_the_owner_answers),
        cmocka_unit_test(survives_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
