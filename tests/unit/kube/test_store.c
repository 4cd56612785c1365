/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of records: many of them, growing, shrinking, and short of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "kube/store.h"
#include "support/torture.h"

#define MANY 5000

static struct ks_str number(char *buf, size_t size, unsigned n)
{
    int len = snprintf(buf, size, "object-%u", n);

    return ks_str_make(buf, (size_t)len);
}

static void many_come_and_go(void **state)
{
    struct ks_store s;
    struct ks_store_cursor cursor = {0};
    struct ks_record *record;
    char name[32];
    unsigned seen = 0;

    (void)state;
    ks_store_init(&s, MANY);
    assert_null(ks_store_find(&s, KS_LIT("ns"), KS_LIT("x")));
    assert_null(ks_store_next(&s, &cursor));
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(
            ks_store_add(&s, KS_LIT("ns"), number(name, sizeof(name), i), KS_LIT("uid"), &record),
            KS_RC_OK);
        ks_store_set_generation(record, i);
    }
    assert_int_equal(ks_store_add(&s, KS_LIT("ns"), KS_LIT("more"), KS_LIT("u"), &record),
                     KS_RC_LIMIT);
    assert_int_equal(ks_store_count(&s), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        record = ks_store_find(&s, KS_LIT("ns"), number(name, sizeof(name), i));
        assert_non_null(record);
        assert_int_equal(ks_store_generation(record), i);
        assert_true(ks_str_is(record->uid, "uid"));
        assert_null(record->user);
        assert_null(ks_store_find(&s, KS_LIT(""), record->name));
    }
    cursor = (struct ks_store_cursor){0};
    while ((record = ks_store_next(&s, &cursor))) {
        seen++;
        if (ks_store_generation(record) % 2) {
            ks_store_remove(&s, record);
            ks_store_release(record);
        }
    }
    assert_int_equal(seen, MANY);
    assert_int_equal(ks_store_count(&s), MANY / 2);
    assert_null(ks_store_find(&s, KS_LIT("ns"), KS_LIT("object-1")));
    assert_non_null(ks_store_find(&s, KS_LIT("ns"), KS_LIT("object-2")));
    ks_store_fini(&s);
    assert_int_equal(ks_store_count(&s), 0);
}

static void a_key_is_its_two_parts(void **state)
{
    struct ks_store s;
    struct ks_record *record;

    (void)state;
    ks_store_init(&s, 4);
    assert_int_equal(ks_store_add(&s, KS_LIT("a"), KS_LIT("bc"), KS_LIT(""), &record), KS_RC_OK);
    assert_null(ks_store_find(&s, KS_LIT("ab"), KS_LIT("c")));
    assert_null(ks_store_find(&s, KS_LIT("bc"), KS_LIT("a")));
    assert_null(ks_store_find(&s, KS_LIT(""), KS_LIT("abc")));
    assert_ptr_equal(ks_store_find(&s, KS_LIT("a"), KS_LIT("bc")), record);
    ks_store_fini(&s);
}

static void a_version_may_outgrow_its_place(void **state)
{
    static const char *const versions[] = {
        "1",
        "12345678901234567890",
        "123456789012345678901",
        "1",
        "73417144/73417144/73417144/73417144",
        "",
        "7",
    };
    struct ks_store s;
    struct ks_record *record;

    (void)state;
    ks_store_init(&s, 1);
    assert_int_equal(ks_store_add(&s, KS_LIT("ns"), KS_LIT("web"), KS_LIT("u"), &record), KS_RC_OK);
    assert_int_equal(record->resource_version.len, 0);
    for (size_t i = 0; i < KS_ARRAY_LEN(versions); i++) {
        assert_int_equal(ks_store_set_rv(record, ks_str_from(versions[i])), KS_RC_OK);
        assert_true(ks_str_is(record->resource_version, versions[i]));
        assert_true(ks_str_is(record->name, "web"));
    }
    ks_store_fini(&s);
}

static void fill(void *ctx)
{
    struct ks_store s;
    struct ks_record *record;
    size_t added = 0;
    char name[32];

    (void)ctx;
    ks_store_init(&s, 100);
    for (unsigned i = 0; i < 40; i++) {
        if (ks_store_add(&s, KS_LIT("ns"), number(name, sizeof(name), i), KS_LIT("u"), &record))
            continue;
        added++;
        if (ks_store_set_rv(record, KS_LIT("a version that does not fit")))
            assert_int_equal(record->resource_version.len, 0);
    }
    assert_int_equal(ks_store_count(&s), added);
    assert_true(added >= 39);
    ks_store_fini(&s);
}

static void no_failing_allocation_loses_a_record(void **state)
{
    (void)state;
    assert_true(ks_torture(fill, NULL) > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(a_key_is_its_two_parts),
        cmocka_unit_test(a_version_may_outgrow_its_place),
        cmocka_unit_test(no_failing_allocation_loses_a_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
