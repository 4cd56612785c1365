/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the first answers may take, by the time that the client still waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rpc/source.h"

static void an_answer_comes_before_its_deadline(void **state)
{
    static const struct {
        int64_t left_ms;
        int64_t expected_ms;
    } rows[] = {
        {INT64_MAX, 30000}, {60000, 30000}, {33334, 30000}, {30000, 27000}, {10000, 9000},
        {1000, 900},        {500, 400},     {101, 1},       {100, 1},       {0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ks_source_first_answer_ms(rows[i].left_ms), rows[i].expected_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_before_its_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
