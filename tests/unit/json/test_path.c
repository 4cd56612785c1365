/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path lookups: one row per cell of the accessor table in shared/spec (kstatus 0.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/path.h"
#include "support/torture.h"

#define DOCUMENT                                                                                   \
    "{\"m\":{\"s\":\"text\",\"e\":\"\",\"i\":7,\"d\":7.0,\"b\":true,\"l\":[1],\"o\":{},\"n\":"     \
    "null},"                                                                                       \
    "\"n\":null,\"l\":[{\"s\":1}],\"s\":\"x\",\"\":{\"\":5}}"

static struct ks_json *json;

static int setup(void **state)
{
    struct ks_error err = {0};

    (void)state;
    if (ks_json_new(&ks_json_limits_object, &json, &err))
        return -1;
    return ks_json_parse(json, KS_LIT(DOCUMENT), &err) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    json = ks_json_free(json);
    return 0;
}

static void walks(void **state)
{
    static const struct {
        const char *path;
        ks_lookup found;
        ks_json_type type;
    } rows[] = {
        {"m", KS_LOOKUP_FOUND, KS_JSON_MAP},           {"m.s", KS_LOOKUP_FOUND, KS_JSON_STRING},
        {"m.n", KS_LOOKUP_FOUND, KS_JSON_NULL},        {"m.n.x", KS_LOOKUP_ABSENT, KS_JSON_ABSENT},
        {"m.n.x.y", KS_LOOKUP_ABSENT, KS_JSON_ABSENT}, {"x", KS_LOOKUP_ABSENT, KS_JSON_ABSENT},
        {"x.y.z", KS_LOOKUP_ABSENT, KS_JSON_ABSENT},   {"m.x", KS_LOOKUP_ABSENT, KS_JSON_ABSENT},
        {"m.s.x", KS_LOOKUP_ERROR, KS_JSON_ABSENT},    {"m.i.x", KS_LOOKUP_ERROR, KS_JSON_ABSENT},
        {"m.d.x", KS_LOOKUP_ERROR, KS_JSON_ABSENT},    {"m.b.x", KS_LOOKUP_ERROR, KS_JSON_ABSENT},
        {"l.s", KS_LOOKUP_ERROR, KS_JSON_ABSENT},      {"s.x", KS_LOOKUP_ERROR, KS_JSON_ABSENT},
        {".", KS_LOOKUP_FOUND, KS_JSON_INT},
    };
    struct ks_json_value root = ks_json_root(json);

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_json_value v = {0};

        if (ks_json_walk(root, rows[i].path, &v) != rows[i].found ||
            ks_json_type_of(v) != rows[i].type)
            fail_msg("%s", rows[i].path);
    }
    assert_int_equal(ks_json_walk((struct ks_json_value){0}, "m", &root), KS_LOOKUP_ABSENT);
}

static void strict_lookups_insist_on_their_type(void **state)
{
    static const struct {
        const char *path;
        ks_lookup str;
        ks_lookup num;
        ks_lookup list;
        ks_lookup map;
    } rows[] = {
        {"m.s", KS_LOOKUP_FOUND, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.e", KS_LOOKUP_FOUND, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.i", KS_LOOKUP_ERROR, KS_LOOKUP_FOUND, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.d", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.b", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.l", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_FOUND, KS_LOOKUP_ERROR},
        {"m.o", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_FOUND},
        {"m.n", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"n", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
        {"m.x", KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT},
        {"n.x", KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT, KS_LOOKUP_ABSENT},
        {"s.x", KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR, KS_LOOKUP_ERROR},
    };
    struct ks_json_value root = ks_json_root(json);

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_json_value v;
        struct ks_str text;
        int64_t number;

        if (ks_json_strict_str(root, rows[i].path, &text) != rows[i].str ||
            ks_json_strict_int(root, rows[i].path, &number) != rows[i].num ||
            ks_json_strict_list(root, rows[i].path, &v) != rows[i].list ||
            ks_json_strict_map(root, rows[i].path, &v) != rows[i].map)
            fail_msg("%s", rows[i].path);
    }
}

static void lenient_lookups_fall_back(void **state)
{
    static const char *const fallbacks[] = {"m.x", "m.n", "m.o", "m.l", "s.x", "n.x"};
    struct ks_json_value root = ks_json_root(json);

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(fallbacks); i++) {
        assert_true(ks_str_is(ks_json_lenient_str(root, fallbacks[i], "dflt"), "dflt"));
        assert_int_equal(ks_json_lenient_int(root, fallbacks[i], -3), -3);
        assert_true(ks_json_lenient_bool(root, fallbacks[i], true));
        assert_false(ks_json_lenient_bool(root, fallbacks[i], false));
    }
    assert_true(ks_str_is(ks_json_lenient_str(root, "m.s", "dflt"), "text"));
    assert_true(ks_str_is(ks_json_lenient_str(root, "m.e", "dflt"), ""));
    assert_true(ks_str_is(ks_json_lenient_str(root, "m.i", "dflt"), "dflt"));
    assert_int_equal(ks_json_lenient_int(root, "m.i", -3), 7);
    assert_int_equal(ks_json_lenient_int(root, "m.d", -3), -3);
    assert_int_equal(ks_json_lenient_int(root, "m.s", -3), -3);
    assert_true(ks_json_lenient_bool(root, "m.b", false));
    assert_false(ks_json_lenient_bool(root, "m.i", false));
}

static void short_memory(void *ctx)
{
    struct ks_error err = {0};
    struct ks_json *doc;
    struct ks_str text;

    (void)ctx;
    if (ks_json_new(&ks_json_limits_object, &doc, &err))
        return;
    if (!ks_json_parse(doc, KS_LIT("{\"a\":\"\\n\"}"), &err)) {
        text = ks_json_lenient_str(ks_json_root(doc), "a", "none");
        assert_true(ks_str_is(text, "\n") || ks_json_out_of_memory(doc));
    }
    ks_json_free(doc);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(short_memory, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks),
        cmocka_unit_test(strict_lookups_insist_on_their_type),
        cmocka_unit_test(lenient_lookups_fall_back),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
