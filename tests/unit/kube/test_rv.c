/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing resource versions. shared/spec: informers 2.6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kube/rv.h"

static void numbers_compare_whatever_their_length(void **state)
{
    static const char *const ascending[] = {
        "1",
        "2",
        "10",
        "11",
        "99",
        "100",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(ascending); i++) {
        for (size_t j = 0; j < KS_ARRAY_LEN(ascending); j++)
            assert_int_equal(ks_rv_is_older(ks_str_from(ascending[i]), ks_str_from(ascending[j])),
                             i < j);
    }
}

static void others_are_never_older(void **state)
{
    static const char *const odd[] = {"", "0", "01", "-1", "1a", "73417144/73417144", " 1", "1.5"};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(odd); i++) {
        assert_false(ks_rv_is_well_formed(ks_str_from(odd[i])));
        assert_false(ks_rv_is_older(ks_str_from(odd[i]), KS_LIT("5")));
        assert_false(ks_rv_is_older(KS_LIT("5"), ks_str_from(odd[i])));
    }
    assert_false(ks_rv_is_well_formed((struct ks_str){0}));
}

static void only_real_positions_can_be_resumed(void **state)
{
    char longest[KS_RV_MAX_BYTES + 1];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    assert_true(ks_rv_is_resumable(KS_LIT("5")));
    assert_true(ks_rv_is_resumable(KS_LIT("a/b")));
    assert_true(ks_rv_is_resumable(ks_str_make(longest, KS_RV_MAX_BYTES)));
    assert_false(ks_rv_is_resumable(ks_str_make(longest, sizeof(longest))));
    assert_false(ks_rv_is_resumable(KS_LIT("")));
    assert_false(ks_rv_is_resumable(KS_LIT("0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_whatever_their_length),
        cmocka_unit_test(others_are_never_older),
        cmocka_unit_test(only_real_positions_can_be_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
