/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading names without parsing: what real objects show, and what damaged ones do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "json/json.h"
#include "json/path.h"
#include "kube/peek.h"

static void assert_str(struct ks_str s, const char *text)
{
    if (!ks_str_is(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", KS_STR_ARGS(s), text);
}

static void an_event_tells_whose_it_is(void **state)
{
    struct ks_peek peek;

    (void)state;
    ks_peek_event(
        KS_LIT("{ \"type\" : \"ADDED\", \"object\" : {\"kind\":\"Pod\",\"x\":[{\"metadata\":"
               "{\"name\":\"no\"}},\"}]\",\"\\\"}\"],\"metadata\":{\"labels\":{\"name\":"
               "\"no\"},\"name\":\"web\",\"n\":1.5e3,\"b\":true,\"namespace\":\"default\","
               "\"resourceVersion\":\"12\"},\"spec\":{"),
        &peek);
    assert_str(peek.type, "ADDED");
    assert_str(peek.kind, "Pod");
    assert_str(peek.name, "web");
    assert_str(peek.ns, "default");
    assert_str(peek.resource_version, "12");
    assert_true(peek.is_complete);
}

static void a_cut_beginning_tells_what_it_has(void **state)
{
    static const char text[] = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
                               "\"name\":\"web\",\"namespace\":\"default\",\"a\":\"\\\\\"}}}";
    struct ks_peek peek;

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *exact = ks_memdup0(text, len);

        assert_non_null(exact);
        ks_peek_event(ks_str_make(exact, len), &peek);
        assert_int_equal(peek.is_complete, len >= sizeof(text) - 3);
        assert_int_equal(peek.name.len, len >= (size_t)(strstr(text, ",\"namesp") - text) ? 3 : 0);
        ks_free(exact);
    }
}

static void what_is_not_plain_is_not_told(void **state)
{
    static const char *const objects[] = {
        "",
        "[]",
        "7",
        "{}",
        "{\"metadata\":7}",
        "{\"metadata\":{}}",
        "{\"metadata\":{\"name\":7}}",
        "{\"metadata\":{\"name\":null}}",
        "{\"metadata\":{\"name\":\"a\\u0062\"}}",
        "{\"metadata\":{\"name\":\"\"}}",
        "{\"metadata\":{\"name\":\"web\"",
        "{\"metadata\":{\"name\":\"web\",",
        "{\"meta\\u0064ata\":{\"name\":\"web\"}}",
        "{\"a\":[[[[[[",
        "{\"a\":\"\\",
        "{\"a\":]",
        "{,,,",
    };
    struct ks_peek peek;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(objects); i++) {
        ks_peek_object(ks_str_from(objects[i]), &peek);
        if (peek.is_complete)
            fail_msg("%s", objects[i]);
    }
}

/* Whatever an API server wrote, the peek agrees with the parser. */
static void real_events_agree_with_the_parser(void **state)
{
    static const char *const files[] = {
        "deployments.initial", "deployments.resumed", "pods.initial",         "pods.by-name",
        "widgets.initial",     "widgets.crd-deleted", "pods.leaves-selector",
    };
    struct ks_json *json;

    (void)state;
    assert_int_equal(ks_json_new(&ks_json_limits_object, &json, NULL), KS_RC_OK);
    for (size_t i = 0; i < KS_ARRAY_LEN(files); i++) {
        char path[512];
        struct ks_buf text;
        struct ks_str rest;
        struct ks_str line;

        (void)snprintf(path, sizeof(path), "%s/corpus/kube-1.36/watch/%s.ndjson", KS_TESTS_DIR,
                       files[i]);
        ks_buf_init(&text, (size_t)4 << 20);
        assert_int_equal(ks_file_read(path, &text, NULL), KS_RC_OK);
        rest = ks_buf_str(&text);
        while (ks_str_split(&rest, '\n', &line)) {
            struct ks_peek peek;
            struct ks_json_value root;

            if (line.len == 0)
                continue;
            ks_peek_event(line, &peek);
            assert_int_equal(ks_json_parse(json, line, NULL), KS_RC_OK);
            root = ks_json_root(json);
            assert_true(ks_str_eq(peek.type, ks_json_lenient_str(root, "type", "")));
            assert_true(ks_str_eq(peek.kind, ks_json_lenient_str(root, "object.kind", "")));
            assert_true(
                ks_str_eq(peek.name, ks_json_lenient_str(root, "object.metadata.name", "")));
            assert_true(
                ks_str_eq(peek.ns, ks_json_lenient_str(root, "object.metadata.namespace", "")));
            assert_true(
                ks_str_eq(peek.resource_version,
                          ks_json_lenient_str(root, "object.metadata.resourceVersion", "")));
            assert_int_equal(peek.is_complete, peek.name.len > 0);
        }
        ks_buf_fini(&text);
    }
    ks_json_free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_tells_whose_it_is),
        cmocka_unit_test(a_cut_beginning_tells_what_it_has),
        cmocka_unit_test(what_is_not_plain_is_not_told),
        cmocka_unit_test(real_events_agree_with_the_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
