/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 3339 as Go reads it, the test clock, backoff, and the log's rate limiter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rfc3339.h"

static const struct {
    const char *text;
    int64_t ms;
} accepted[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"0001-01-01T00:00:00Z", KS_TIME_GO_ZERO_MS},
    {"2026-11-24T13:46:51Z", 1795528011000},
    {"2026-11-24T13:46:51.25Z", 1795528011250},
    {"2026-11-24T13:46:51,25Z", 1795528011250},
    {"2026-11-24T13:46:51.123456789Z", 1795528011123},
    {"2026-11-24T9:46:51Z", 1795513611000},
    {"2026-11-24T15:46:51+02:00", 1795528011000},
    {"2026-11-24T13:46:51-24:60", 1795618011000},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"9999-12-31T23:59:59Z", 253402300799000},
};

static const char *const refused[] = {
    "",
    "null",
    "2026-11-24t13:46:51Z",
    "2026-11-24T13:46:51z",
    "2026-11-24T13:46:60Z",
    "2026-11-24T24:00:00Z",
    "2026-11-24T13:46:51.Z",
    "2026-11-24T13:46:51+0100",
    "2026-11-24T13:46:51+25:00",
    "2026-11-24T13:46:51",
    "2026-11-24 13:46:51Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "26-01-01T00:00:00Z",
    "2026-01-01T00:00:00Zx",
};

static void reads_what_go_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(accepted); i++) {
        int64_t ms = 1;

        assert_true(ks_rfc3339_parse(ks_str_from(accepted[i].text), &ms));
        assert_int_equal(ms, accepted[i].ms);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(refused); i++) {
        int64_t ms = 1;

        assert_false(ks_rfc3339_parse(ks_str_from(refused[i]), &ms));
        assert_int_equal(ms, 1);
    }
}

static void rounds_up_what_lies_between_milliseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"1970-01-01T00:00:01.5Z", 1500},
        {"1970-01-01T00:00:01.001Z", 1001},
        {"1970-01-01T00:00:01.0010Z", 1001},
        {"1970-01-01T00:00:01.0010001Z", 1002},
        {"1970-01-01T00:00:01.000000001Z", 1001},
        {"1970-01-01T00:00:01.9999999Z", 2000},
        {"1969-12-31T23:59:59.0005Z", -999},
        {"1970-01-01T00:00:01.0000000009Z", 1000}, /* Go reads nine digits */
    };
    int64_t ms = 1;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(times); i++) {
        assert_true(ks_rfc3339_parse_up(ks_str_from(times[i].text), &ms));
        assert_int_equal(ms, times[i].ms);
    }
    assert_false(ks_rfc3339_parse_up(KS_LIT("now"), &ms));
}

static void what_it_writes_it_reads_back(void **state)
{
    char text[KS_RFC3339_MAX];

    (void)state;
    assert_string_equal(ks_rfc3339_format(0, text), "1970-01-01T00:00:00Z");
    assert_string_equal(ks_rfc3339_format(-1, text), "1969-12-31T23:59:59.999Z");
    for (int64_t ms = KS_TIME_GO_ZERO_MS; ms < 253402300799000; ms += INT64_C(86399999) * 37) {
        int64_t back = 0;

        assert_true(ks_rfc3339_parse(ks_str_from(ks_rfc3339_format(ms, text)), &back));
        assert_int_equal(back, ms);
    }
}

static void a_test_clock_stands_still(void **state)
{
    struct ks_clock_test c;

    (void)state;
    ks_clock_test_init(&c, 5000);
    assert_int_equal(c.clock.wall_ms(&c.clock), 5000);
    ks_clock_test_advance(&c, 250);
    assert_int_equal(c.clock.wall_ms(&c.clock), 5250);
    assert_int_equal(c.clock.mono_ms(&c.clock), 1250);
    assert_true(ks_clock_real.mono_ms(&ks_clock_real) > 0);
    assert_true(ks_clock_real.wall_ms(&ks_clock_real) > 1700000000000);
}

static void backoff_doubles_up_to_its_cap(void **state)
{
    struct ks_backoff b = KS_BACKOFF_DEFAULT;
    const int64_t base[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(base); i++)
        assert_in_range(ks_backoff_next_ms(&b), base[i], 2 * base[i] - 1);
    for (int i = 0; i < 200; i++)
        assert_in_range(ks_backoff_next_ms(&b), 30000, 59999);
    ks_backoff_reset(&b);
    assert_in_range(ks_backoff_next_ms(&b), 800, 1599);
    assert_int_equal(ks_random_below(0), 0);
    assert_int_equal(ks_random_below(1), 0);
}

static void a_flood_of_lines_is_counted(void **state)
{
    struct ks_log_limit l = {.window_ms = 1000, .burst = 2};
    unsigned dropped = 9;

    (void)state;
    assert_true(ks_log_limit_pass(&l, 10, &dropped));
    assert_int_equal(dropped, 0);
    assert_true(ks_log_limit_pass(&l, 11, &dropped));
    assert_false(ks_log_limit_pass(&l, 12, &dropped));
    assert_false(ks_log_limit_pass(&l, 1009, &dropped));
    assert_true(ks_log_limit_pass(&l, 1010, &dropped));
    assert_int_equal(dropped, 2);
}

static void a_seed_repeats_its_numbers(void **state KS_UNUSED)
{
    uint64_t first[3];

    ks_random_seed(42);
    for (size_t i = 0; i < KS_ARRAY_LEN(first); i++)
        first[i] = ks_random_below(1000000);
    ks_random_seed(42);
    for (size_t i = 0; i < KS_ARRAY_LEN(first); i++)
        assert_int_equal(ks_random_below(1000000), first[i]);
    assert_int_not_equal(first[0], first[1]);
    ks_random_seed(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_go_reads),
        cmocka_unit_test(rounds_up_what_lies_between_milliseconds),
        cmocka_unit_test(what_it_writes_it_reads_back),
        cmocka_unit_test(a_test_clock_stands_still),
        cmocka_unit_test(backoff_doubles_up_to_its_cap),
        cmocka_unit_test(a_seed_repeats_its_numbers),
        cmocka_unit_test(a_flood_of_lines_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
