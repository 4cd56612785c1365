/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system allows, as control groups of both versions tell it, and what follows from use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "server/memory.h"
#include "support/torture.h"

static const char *const folders[] = {"", "/a", "/a/b", "/memory", "/memory/a"};
static const struct {
    const char *path;
    const char *text;
} files[] = {
    {"/memory.max", "500\n"},
    {"/a/memory.max", "300\n"},
    {"/a/b/memory.max", "max\n"},
    {"/memory/memory.limit_in_bytes", "9223372036854771712\n"},
    {"/memory/a/memory.limit_in_bytes", "200\n"},
};

struct tree {
    char root[64];
};

static void path_in(const struct tree *t, const char *path, char out[128])
{
    (void)snprintf(out, 128, "%s%s", t->root, path);
}

static void setup(struct tree *t)
{
    char path[128];

    (void)snprintf(t->root, sizeof(t->root), "/tmp/ks-test-memory-%ld", (long)getpid());
    for (size_t i = 0; i < KS_ARRAY_LEN(folders); i++) {
        path_in(t, folders[i], path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(files); i++) {
        path_in(t, files[i].path, path);
        assert_int_equal(ks_file_write(path, ks_str_from(files[i].text), NULL), KS_RC_OK);
    }
}

static void teardown(const struct tree *t)
{
    char path[128];

    for (size_t i = 0; i < KS_ARRAY_LEN(files); i++) {
        path_in(t, files[i].path, path);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = KS_ARRAY_LEN(folders); i > 0; i--) {
        path_in(t, folders[i - 1], path);
        assert_int_equal(rmdir(path), 0);
    }
}

static void the_smallest_limit_on_the_way_counts(void **state)
{
    static const struct {
        const char *cgroup;
        int64_t bytes;
    } rows[] = {
        {"0::/\n", 500},
        {"0::/a\n", 300},
        {"0::/a/b\n", 300},
        {"0::/gone/away\n", 500},
        {"9:memory:/a\n8:cpu:/a\n", 200},
        {"9:memory:/\n", 9223372036854771712},
        {"8:cpu:/a\n", INT64_MAX},
        {"", INT64_MAX},
        {"nonsense", INT64_MAX},
    };
    struct tree t;

    (void)state;
    setup(&t);
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++)
        assert_int_equal(ks_memory_cgroup_bytes(t.root, ks_str_from(rows[i].cgroup)),
                         rows[i].bytes);
    teardown(&t);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    assert_true(ks_memory_allowed_bytes() > ks_memory_used_bytes());
    assert_true(ks_memory_used_bytes() > 0);
}

static void use_is_judged(void **state)
{
    (void)state;
    assert_int_equal(ks_memory_judge(0, 1000, KS_MEMORY_FINE), KS_MEMORY_FINE);
    assert_int_equal(ks_memory_judge(799, 1000, KS_MEMORY_FINE), KS_MEMORY_FINE);
    assert_int_equal(ks_memory_judge(800, 1000, KS_MEMORY_FINE), KS_MEMORY_SHORT);
    assert_int_equal(ks_memory_judge(899, 1000, KS_MEMORY_FINE), KS_MEMORY_SHORT);
    assert_int_equal(ks_memory_judge(900, 1000, KS_MEMORY_FINE), KS_MEMORY_OUT);
    assert_int_equal(ks_memory_judge(5000, 1000, KS_MEMORY_OUT), KS_MEMORY_OUT);
    assert_int_equal(ks_memory_judge(899, 1000, KS_MEMORY_OUT), KS_MEMORY_SHORT);
    assert_int_equal(ks_memory_judge(750, 1000, KS_MEMORY_SHORT), KS_MEMORY_SHORT);
    assert_int_equal(ks_memory_judge(749, 1000, KS_MEMORY_SHORT), KS_MEMORY_FINE);
}

static void tortured(void *ctx)
{
    (void)ctx;
    assert_true(ks_memory_allowed_bytes() > 0); /* what cannot be read sets no limit */
    assert_true(ks_memory_used_bytes() >= 0);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(tortured, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_limit_on_the_way_counts),
        cmocka_unit_test(this_machine_has_some),
        cmocka_unit_test(use_is_judged),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
