/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth: an input twice as long may cost twice the work, and not more.
 *
 * The layers under test are compiled with -fsanitize-coverage=trace-pc, which calls step_counter()
 * at every branch, jsmn included. So work is counted, the same on every machine, and a quadratic
 * path shows as a factor of four. (libyaml is not compiled here; what it must not be given is
 * refused before, see test_yaml.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/items.h"
#include "json/json.h"
#include "yaml/yaml.h"
#include "status/status.h"

/* Work for 2n may be this much of the work for n: buffers that grow by doubling, and what n does
 * not pay for. */
#define MAX_GROWTH_PERCENT 230
#define SMALL 4000

static uint64_t steps;

/* The name is the compiler's. */
void step_counter(void) __asm__("__sanitizer_cov_trace_pc");
void step_counter(void)
{
    steps++;
}

/* head, then `repeated` n times, then tail; '#' in repeated becomes its number. */
struct shape {
    const char *name;
    const char *head;
    const char *repeated;
    const char *tail;
};

static void repeat(const char *repeated, int n, struct ks_buf *out)
{
    for (int i = 0; i < n; i++) {
        for (const char *c = repeated; *c; c++) {
            ks_rc rc = *c == '#' ? ks_buf_appendf(out, "%06d", i) : ks_buf_append_byte(out, *c);

            assert_int_equal(rc, KS_RC_OK);
        }
    }
}

static void build(const struct shape *shape, int n, struct ks_buf *out)
{
    assert_int_equal(ks_buf_append_str(out, ks_str_from(shape->head)), KS_RC_OK);
    repeat(shape->repeated, n, out);
    assert_int_equal(ks_buf_append_str(out, ks_str_from(shape->tail)), KS_RC_OK);
}

typedef void (*work_fn)(struct ks_str text);

/* The text is that of `count` shapes, one behind the other. */
static uint64_t measure(const struct shape *shapes, size_t count, int n, work_fn work)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(64u << 20);

    for (size_t i = 0; i < count; i++)
        build(&shapes[i], n, &text);
    steps = 0;
    work(ks_buf_str(&text));
    return steps;
}

static void assert_all_linear(const struct shape *shapes, size_t count, work_fn work)
{
    uint64_t once = measure(shapes, count, SMALL, work);
    uint64_t twice = measure(shapes, count, 2 * SMALL, work);

    assert_true(once > SMALL); /* else nothing was counted */
    if (twice * 100 > once * MAX_GROWTH_PERCENT)
        fail_msg("%s: %llu steps become %llu", shapes[0].name, (unsigned long long)once,
                 (unsigned long long)twice);
}

static void assert_linear(const struct shape *shape, work_fn work)
{
    assert_all_linear(shape, 1, work);
}

static const struct ks_json_limits wide = {
    .max_bytes = 64u << 20, .max_tokens = 4u << 20, .max_depth = 512};

/* Parses, then visits every value twice over: by its siblings and, in the top-level map, by its
 * key. */
static void walk_json(struct ks_str text)
{
    struct ks_error err = {0};
    struct ks_json *json;
    struct ks_json_value v;
    struct ks_str decoded;

    assert_int_equal(ks_json_new(&wide, &json, &err), KS_RC_OK);
    if (ks_json_parse(json, text, &err))
        fail_msg("%s", err.msg);
    for (v = ks_json_first(ks_json_root(json)); !ks_json_is_absent(v); v = ks_json_next(v)) {
        (void)ks_json_to_str(v, &decoded); /* whatever it is */
        (void)ks_json_key(v);
        (void)ks_json_count(v);
    }
    for (int i = 0; i < 10; i++)
        (void)ks_json_get(ks_json_root(json), "status");
    ks_json_free(json);
}

static void json_grows_with_its_text(void **state)
{
    static const struct shape shapes[] = {
        {"flat list", "[0", ",1", "]"},
        {"flat map", "{\"a\":0", ",\"k#\":1", "}"},
        {"list of objects", "[0", ",{\"a\":{\"b\":[1,2]},\"c\":\"x\"}", "]"},
        {"map of objects", "{\"a\":0", ",\"k#\":{\"a\":[{}]}", "}"},
        {"escaped strings", "[0", ",\"\\u00e9\\n\\ud800\"", "]"},
        {"escaped keys", "{\"a\":0", ",\"\\u006b#\":1", "}"},
        {"one escaped string", "[\"", "\\n\\u0041", "\"]"},
        {"bytes that are no UTF-8", "[\"", "\xff\xc3", "\"]"},
        {"one key again and again", "{\"a\":0", ",\"status\":{}", "}"},
        {"one long number", "[1", "0", "e-9999]"},
        {"one long fraction", "[0.", "09", "]"},
        {"numbers at the bound", "[0", ",1.7976931348623157e308", "]"},
        {"white space", "[", " \n", "]"},
        {"deep, again and again", "[0", ",[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "]"},
        {"backslashes", "[\"", "\\\\", "\"]"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_linear(&shapes[i], walk_json);
}

static void refuse_json(struct ks_str text)
{
    struct ks_error err = {0};
    struct ks_json *json;

    assert_int_equal(ks_json_new(&wide, &json, &err), KS_RC_OK);
    assert_int_not_equal(ks_json_parse(json, text, &err), KS_RC_OK);
    ks_json_free(json);
    steps += SMALL; /* to be refused at once is no fault */
}

static void bad_json_is_refused_in_linear_time(void **state)
{
    static const struct shape shapes[] = {
        {"open lists", "", "[", ""},
        {"open maps", "", "{\"a\":", ""},
        {"an open string", "[\"", "a\\n", ""},
        {"an open list of objects", "[0", ",{\"a\":[]}", ""},
        {"a wrong bracket at the end", "[0", ",{}", "}"},
        {"keys without values", "{\"a\":0", ",\"k\"", "}"},
        {"half escapes", "[\"", "\\u12", "\"]"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_linear(&shapes[i], refuse_json);
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    (void)text;
    ++*(size_t *)ctx;
    return KS_RC_OK;
}

static void split_items(struct ks_str text)
{
    struct ks_error err = {0};
    struct ks_json_items *s;
    size_t count = 0;

    assert_int_equal(ks_json_items_new(1u << 20, on_item, &count, &s, &err), KS_RC_OK);
    for (size_t at = 0; at < text.len; at += 100) {
        if (ks_json_items_feed(s, ks_str_sub(text, at, 100), &err))
            fail_msg("%s", err.msg);
    }
    assert_true(ks_json_items_is_closed(s));
    ks_json_items_free(s);
}

static void lists_are_split_in_linear_time(void **state)
{
    static const struct shape shapes[] = {
        {"small items", "{\"items\":[0", ",{\"a\":[1,\"x\"]}", "]}"},
        {"one large item", "{\"items\":[[0", ",{\"a\":[1,\"x\"]}", "]]}"},
        {"an item over the limit", "{\"items\":[[0",
         ",\"0123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789\"",
         "]]}"},
        {"an envelope", "{\"items\":[],\"a\":[0", ",1", "]}"},
        {"white space between", "{\"items\":[", "  ", "]}"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_linear(&shapes[i], split_items);
}

static ks_rc on_document(void *ctx, struct ks_str json, size_t line)
{
    (void)ctx;
    (void)json;
    (void)line;
    return KS_RC_OK;
}

static void convert_yaml(struct ks_str text)
{
    struct ks_error err = {0};

    if (ks_yaml_to_json(text, &ks_yaml_limits_manifest, on_document, NULL, &err))
        fail_msg("%s", err.msg);
}

static void yaml_grows_with_its_text(void **state)
{
    static const struct shape shapes[] = {
        {"block list", "", "- a: 1\n  b: [x, 2.5, ~]\n", ""},
        {"flat map", "", "k#: v\n", ""},
        {"documents", "", "---\na: 1\n", ""},
        {"anchors and aliases", "", "- &a# x\n- *a#\n", ""},
        {"one alias again and again", "- &a {b: c}\n", "- *a\n", ""},
        {"merges", "a: &a {b: c}\nl:\n", "- <<: *a\n  d: e\n", ""},
        {"merges into one map", "a: &a {b: c}\nl:\n", "  <<: *a\n", ""},
        {"one long string", "a: \"", "x\\n", "\"\n"},
        {"numbers", "", "- 0x1f\n- 1_000.5e3\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_linear(&shapes[i], convert_yaml);
}

static void judge_as(ks_profile profile, struct ks_str text)
{
    const struct ks_status_context context = {.first_seen_ms = 1};
    struct ks_error err = {0};
    struct ks_verdict verdict;
    struct ks_json *json;

    assert_int_equal(ks_json_new(&wide, &json, &err), KS_RC_OK);
    if (ks_json_parse(json, text, &err) ||
        ks_status_compute_profile(profile, ks_json_root(json), 2, &context, &verdict, &err))
        fail_msg("%s", err.msg);
    ks_json_free(json);
}

static void judge(struct ks_str text)
{
    judge_as(KS_PROFILE_KSTATUS, text);
    judge_as(KS_PROFILE_STRICT, text);
}

static void verdicts_grow_with_the_object(void **state)
{
    static const struct shape shapes[] = {
        {"conditions", "{\"kind\":\"Widget\",\"status\":{\"conditions\":[null",
         ",{\"type\":\"R\\u0065\",\"status\":\"x\"}", "]}}"},
        {"a Deployment's conditions",
         "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"status\":{\"conditions\":[null",
         ",{\"type\":\"Available\",\"status\":\"x\"}", "]}}"},
        {"containers",
         "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"status\":{\"phase\":\"Running\","
         "\"containerStatuses\":[{}",
         ",{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}", "]}}"},
        {"what no rule reads",
         "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"labels\":{\"a\":1",
         ",\"k#\":\"v\"", "}}}"},
        {"members of status",
         "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"status\":{\"a\":1",
         ",\"k#\":\"v\"", "}}"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_linear(&shapes[i], judge);
}

/* Something wide that is looked at for each of something else that is many. */
static void verdicts_do_not_multiply(void **state)
{
    static const struct shape shapes[][2] = {
        {{"outdated conditions beside a wide one",
          "{\"kind\":\"Widget\",\"metadata\":{\"generation\":9},\"status\":{\"conditions\":[{\"a\":"
          "0",
          ",\"k#\":1", "}"},
         {"", "", ",{\"type\":\"T#\",\"status\":\"False\",\"observedGeneration\":1}", "]}}"}},
        {{"init containers, one with a wide spec",
          "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"initContainers\":[{\"a\":0",
          ",\"k#\":1", "}]},\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{}"},
         {"", "", ",{\"name\":\"c#\"}", "]}}"}},
        {{"init containers of a wide Pod", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"", ",\"k#\":1",
          ",\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{}"},
         {"", "", ",{\"name\":\"c#\"}", "]}}"}},
        {{"answers to a wide route",
          "{\"apiVersion\":\"gateway.networking.k8s.io/"
          "v1\",\"kind\":\"HTTPRoute\",\"spec\":{\"parentRefs\":[{\"name\":\"g\"}]}",
          ",\"k#\":1", ",\"status\":{\"parents\":[{}"},
         {"", "", ",{\"parentRef\":{\"name\":\"g\"},\"conditions\":[]}", "]}}"}},
        {{"answers to a wide wish",
          "{\"apiVersion\":\"gateway.networking.k8s.io/"
          "v1\",\"kind\":\"HTTPRoute\",\"spec\":{\"parentRefs\":[{\"name\":\"g\"",
          ",\"k#\":1", "}]},\"status\":{\"parents\":[{}"},
         {"", "", ",{\"parentRef\":{\"name\":\"x\"},\"conditions\":[]}", "]}}"}},
        {{"phases in a wide status",
          "{\"apiVersion\":\"example.dev/v1\",\"kind\":\"Widget\",\"status\":{\"a\":1", ",\"k#\":1",
          ""},
         {"", "", ",\"s#Status\":{\"phase\":\"Running\"}", "}}"}},
        {{"errors in a wide status",
          "{\"apiVersion\":\"example.dev/v1\",\"kind\":\"Widget\",\"status\":{\"a\":1", ",\"k#\":1",
          ""},
         {"", "", ",\"error#\":\"bad\"", "}}"}},
        {{"managers beside a wide one",
          "{\"apiVersion\":\"apps/"
          "v1\",\"kind\":\"Deployment\",\"metadata\":{\"managedFields\":[{\"a\":1",
          ",\"k#\":1", "}"},
         {"", "", ",{\"subresource\":\"scale\"}",
          "]},\"status\":{\"conditions\":[{\"type\":\"Progressing\",\"status\":\"True\",\"reason\":"
          "\"NewReplicaSetAvailable\"},{\"type\":\"Available\",\"status\":\"True\"}]}}"}},
        {{"a quota of many resources",
          "{\"apiVersion\":\"v1\",\"kind\":\"ResourceQuota\",\"spec\":{\"hard\":{\"a\":1",
          ",\"k#\":1", "}},\"status\":{\"hard\":{\"a\":1"},
         {"", "", ",\"k#\":1", "}}}"}},
        {{"states beside each other",
          "{\"apiVersion\":\"example.dev/v1\",\"kind\":\"Widget\",\"status\":{\"a\":1",
          ",\"phase\":\"Running\"", ""},
         {"", "", ",\"state\":{\"phase\":\"Running\"}", "}}"}},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(shapes); i++)
        assert_all_linear(shapes[i], 2, judge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_grows_with_its_text),
        cmocka_unit_test(bad_json_is_refused_in_linear_time),
        cmocka_unit_test(lists_are_split_in_linear_time),
        cmocka_unit_test(yaml_grows_with_its_text),
        cmocka_unit_test(verdicts_grow_with_the_object),
        cmocka_unit_test(verdicts_do_not_multiply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
