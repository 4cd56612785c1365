/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map against a plain array as its model, its ceiling, and lack of memory; the intrusive list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "support/torture.h"

#define KEYS 500

struct item {
    char key[16];
    bool is_in;
};

static struct ks_str item_key(struct item *item)
{
    return ks_str_from(item->key);
}

static void agrees_with_an_array(void **state)
{
    static struct item items[KEYS];
    struct ks_map *m = ks_map_new(KEYS);
    size_t count = 0;
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        (void)snprintf(items[i].key, sizeof(items[i].key), "ns/%zu", i); /* fits */
    for (int step = 0; step < 20000; step++) {
        struct item *item = &items[(seed = seed * 1664525u + 1013904223u) % KEYS];

        assert_ptr_equal(ks_map_find(m, item_key(item)), item->is_in ? item : NULL);
        if ((seed >> 16) % 2) {
            assert_int_equal(ks_map_put(m, item_key(item), item), KS_RC_OK);
            count += !item->is_in;
            item->is_in = true;
        } else {
            assert_ptr_equal(ks_map_remove(m, item_key(item)), item->is_in ? item : NULL);
            count -= item->is_in;
            item->is_in = false;
        }
        assert_int_equal(ks_map_count(m), count);
    }
    ks_map_free(m);
}

static void remove_even(void *ctx, struct ks_str key, void *value)
{
    if ((key.ptr[key.len - 1] - '0') % 2 == 0)
        assert_ptr_equal(ks_map_remove(ctx, key), value);
}

static void an_entry_may_go_while_walking(void **state)
{
    const char *keys[] = {"1", "2", "3", "4"};
    struct ks_map *m = ks_map_new(4);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ks_map_put(m, ks_str_from(keys[i]), &keys[i]), KS_RC_OK);
    assert_int_equal(ks_map_put(m, KS_LIT("5"), m), KS_RC_LIMIT);
    assert_int_equal(ks_map_put(m, KS_LIT("1"), &keys[0]), KS_RC_OK); /* replacing is no growth */
    ks_map_foreach(m, remove_even, m);
    assert_int_equal(ks_map_count(m), 2);
    assert_non_null(ks_map_find(m, KS_LIT("3")));
    assert_null(ks_map_find(m, KS_LIT("")));
    ks_map_free(m);
}

static void use(void *ctx)
{
    struct ks_map *m = ks_map_new(10);
    size_t in = 0;

    (void)ctx;
    if (!m)
        return;
    in += ks_map_put(m, KS_LIT("a"), m) == KS_RC_OK;
    in += ks_map_put(m, KS_LIT("b"), m) == KS_RC_OK;
    assert_int_equal(ks_map_count(m), in);
    assert_int_equal(in, ks_alloc_failed() ? 1 : 2);
    ks_map_free(m);
}

static void a_refused_entry_changes_nothing(void **state)
{
    (void)state;
    assert_true(ks_torture(use, NULL) > 3);
}

static void lists_keep_order(void **state)
{
    struct ks_list a, b, links[4];

    (void)state;
    ks_list_init(&a);
    ks_list_init(&b);
    assert_null(ks_list_pop(&a));
    for (int i = 0; i < 4; i++) {
        ks_list_init(&links[i]);
        ks_list_push(i < 2 ? &a : &b, &links[i]);
    }
    ks_list_splice(&a, &b);
    assert_true(ks_list_is_empty(&b));
    ks_list_remove(&links[1]);
    ks_list_remove(&links[1]);
    assert_ptr_equal(ks_list_pop(&a), &links[0]);
    assert_ptr_equal(ks_list_pop(&a), &links[2]);
    KS_LIST_FOREACH(pos, &a)
    ks_list_remove(pos);
    assert_true(ks_list_is_empty(&a));
}

static void a_seed_repeats_its_hashes(void **state KS_UNUSED)
{
    uint64_t first;

    ks_hash_seed(42);
    first = ks_hash("a", 1);
    ks_hash_seed(43);
    assert_int_not_equal(ks_hash("a", 1), first);
    ks_hash_seed(42);
    assert_int_equal(ks_hash("a", 1), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_repeats_its_hashes),
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(an_entry_may_go_while_walking),
        cmocka_unit_test(a_refused_entry_changes_nothing),
        cmocka_unit_test(lists_keep_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
