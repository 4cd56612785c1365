/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to JSON: scalars, structure, anchors and merges as sigs.k8s.io/yaml has them, limits, and
 * trouble.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "yaml/yaml.h"
#include "support/torture.h"

/* Documents joined by '|', each with its line before it. */
struct sink {
    struct ks_buf text;
    bool wants_lines;
    ks_rc answer;
};

static ks_rc on_document(void *ctx, struct ks_str json, size_t line)
{
    struct sink *sink = ctx;
    ks_rc rc = KS_RC_OK;

    if (sink->answer)
        return sink->answer;
    if (sink->text.len)
        rc = ks_buf_append_byte(&sink->text, '|');
    if (!rc && sink->wants_lines)
        rc = ks_buf_appendf(&sink->text, "%zu:", line);
    return rc ? rc : ks_buf_append_str(&sink->text, json);
}

static ks_rc convert(const char *yaml, struct sink *sink, struct ks_error *err)
{
    return ks_yaml_to_json(ks_str_from(yaml), &ks_yaml_limits_manifest, on_document, sink, err);
}

static void assert_converts(const char *yaml, const char *json)
{
    struct sink sink = {0};
    struct ks_error err = {0};

    ks_buf_init(&sink.text, 1u << 20);
    if (convert(yaml, &sink, &err))
        fail_msg("%s: %s", yaml, err.msg);
    if (!ks_str_is(ks_buf_str(&sink.text), json))
        fail_msg("%s: is %.*s, must be %s", yaml, KS_STR_ARGS(ks_buf_str(&sink.text)), json);
    ks_buf_fini(&sink.text);
}

static void assert_refuses(const char *yaml, ks_rc rc, const char *message)
{
    struct sink sink = {0};
    struct ks_error err = {0};
    ks_rc got;

    ks_buf_init(&sink.text, 1u << 20);
    got = convert(yaml, &sink, &err);
    if (got != rc)
        fail_msg("%s: gives %d (%s)", yaml, (int)got, err.msg);
    if (message)
        assert_string_equal(err.msg, message);
    ks_buf_fini(&sink.text);
}

static void resolves_plain_scalars(void **state)
{
    static const struct {
        const char *yaml;
        const char *json;
    } rows[] = {
        {"~", "null"},
        {"null", "null"},
        {"Null", "null"},
        {"NULL", "null"},
        {"", "null"},
        {"nULL", "\"nULL\""},
        {"true", "true"},
        {"True", "true"},
        {"TRUE", "true"},
        {"tRUE", "\"tRUE\""},
        {"yes", "true"},
        {"Yes", "true"},
        {"YES", "true"},
        {"y", "true"},
        {"Y", "true"},
        {"on", "true"},
        {"On", "true"},
        {"ON", "true"},
        {"false", "false"},
        {"no", "false"},
        {"No", "false"},
        {"NO", "false"},
        {"n", "false"},
        {"N", "false"},
        {"off", "false"},
        {"Off", "false"},
        {"OFF", "false"},
        {"yEs", "\"yEs\""},
        {"0", "0"},
        {"-0", "0"},
        {"12", "12"},
        {"-12", "-12"},
        {"+12", "12"},
        {"1_000", "1000"},
        {"1__", "1"},
        {"_1", "\"_1\""},
        {"0x1F", "31"},
        {"0XfF", "255"},
        {"-0x10", "-16"},
        {"0o17", "15"},
        {"017", "15"},
        {"-017", "-15"},
        {"0b101", "5"},
        {"-0b11", "-3"},
        {"00", "0"},
        {"08", "8"},
        {"09.5", "9.5"},
        {"0x", "\"0x\""},
        {"0o8", "\"0o8\""},
        {"0b2", "\"0b2\""},
        {"0xg", "\"0xg\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"0xFFFFFFFFFFFFFFFF", "18446744073709551615"},
        {"0x1FFFFFFFFFFFFFFFF", "\"0x1FFFFFFFFFFFFFFFF\""},
        {"1.0", "1"},
        {"1.50", "1.5"},
        {"-1.5", "-1.5"},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"+.5", "0.5"},
        {"5.", "5"},
        {"1e3", "1000"},
        {"1E3", "1000"},
        {"1e-3", "0.001"},
        {"12e03", "12000"},
        {"0.1e1", "1"},
        {"1_000.5", "1000.5"},
        {".5_0", "0.5"},
        {"._5", "\"._5\""},
        {".5_", "\".5_\""},
        {"1e20", "100000000000000000000"},
        {"1e21", "1e+21"},
        {"1.25e21", "1.25e+21"},
        {"123e19", "1.23e+21"},
        {"0.000001", "0.000001"},
        {"0.0000001", "1e-7"},
        {"1.25e-7", "1.25e-7"},
        {"0.0", "0"},
        {"-0.0", "0"},
        {"0e999", "0"},
        {"1e-999", "0"},
        {"1e999", "\"1e999\""},
        {"-1e999", "\"-1e999\""},
        {"1e", "\"1e\""},
        {"1e+", "\"1e+\""},
        {"e1", "\"e1\""},
        {"1.2.3", "\"1.2.3\""},
        {".", "\".\""},
        {"+", "\"+\""},
        {"-x", "\"-x\""},
        {"..", "\"..\""},
        {"1x", "\"1x\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\""},
        {"12:30", "\"12:30\""},
        {"190:20:30", "\"190:20:30\""},
        {"10.0.0.1", "\"10.0.0.1\""},
        {"v1", "\"v1\""},
        {"a b", "\"a b\""},
        {"<<", "\"<<\""},
        {"inf", "\"inf\""},
        {"nan", "\"nan\""},
    };
    char yaml[128];
    char json[128];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        (void)snprintf(yaml, sizeof(yaml), "a: %s\n", rows[i].yaml);
        (void)snprintf(json, sizeof(json), "{\"a\":%s}", rows[i].json);
        assert_converts(yaml, json);
    }
}

static void resolves_quotes_and_tags(void **state)
{
    static const struct {
        const char *yaml;
        const char *json;
    } rows[] = {
        {"\"1\"", "\"1\""},
        {"'true'", "\"true\""},
        {"''", "\"\""},
        {"'it''s'", "\"it's\""},
        {"\"\\x41\\u00e9\\n\\\"\"", "\"A\xc3\xa9\\n\\\"\""},
        {"!!str 123", "\"123\""},
        {"!!str", "\"\""},
        {"! 12", "\"12\""},
        {"!!int \"5\"", "5"},
        {"!!int 0x10", "16"},
        {"!!float 5", "5"},
        {"!!bool \"yes\"", "true"},
        {"!!null \"\"", "null"},
        {"!foo 123", "\"123\""},
        {"!!timestamp 2001-01-01", "\"2001-01-01\""},
        {"!!binary aGVsbG8=", "\"hello\""},
        {"!!map {b: !!seq [1]}", "{\"b\":[1]}"},
    };
    char yaml[128];
    char json[128];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        (void)snprintf(yaml, sizeof(yaml), "a: %s\n", rows[i].yaml);
        (void)snprintf(json, sizeof(json), "{\"a\":%s}", rows[i].json);
        assert_converts(yaml, json);
    }
    assert_refuses("a: !!int abc", KS_RC_PARSE,
                   "YAML line 1, column 4: \"abc\" does not fit its tag");
    assert_refuses("a: !!float abc", KS_RC_PARSE, NULL);
    assert_refuses("a: !!bool 1", KS_RC_PARSE, NULL);
    assert_refuses("a: !!null x", KS_RC_PARSE, NULL);
    assert_refuses("a: !!int 1.5", KS_RC_PARSE, NULL);
    assert_refuses("a: !!binary \"a b\"", KS_RC_PARSE, NULL);
    assert_refuses("a:\n- .inf", KS_RC_PARSE,
                   "YAML line 2, column 3: \".inf\" has no JSON form; quote it if text is meant");
    assert_refuses("a: -.INF", KS_RC_PARSE, NULL);
    assert_refuses("a: .NaN", KS_RC_PARSE, NULL);
}

static void converts_structure(void **state)
{
    (void)state;
    assert_converts("a: 1\nb:\n- x\n- k: [1, {z: w}]\n  q: {}\nc: []\n",
                    "{\"a\":1,\"b\":[\"x\",{\"k\":[1,{\"z\":\"w\"}],\"q\":{}}],\"c\":[]}");
    assert_converts("{\"json\": [1, 2.5, \"x\", null, true, {\"a\": {}}]}",
                    "{\"json\":[1,2.5,\"x\",null,true,{\"a\":{}}]}");
    assert_converts("a: |\n  one\n  two\nb: >-\n  three\n  four\n",
                    "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}");
    assert_converts("a:\nb: # nothing\nc: x\n", "{\"a\":null,\"b\":null,\"c\":\"x\"}");
    assert_converts("- 1\n-\n- - 2\n  - 3\n", "[1,null,[2,3]]");
    assert_converts("just text", "\"just text\"");
}

static void turns_keys_into_text(void **state)
{
    (void)state;
    assert_converts(
        "1: a\ntrue: b\nno: c\n1.5: d\n0x10: e\n'q': f\n2001-01-01: g\n",
        "{\"1\":\"a\",\"true\":\"b\",\"false\":\"c\",\"1.5\":\"d\",\"16\":\"e\",\"q\":\"f\","
        "\"2001-01-01\":\"g\"}");
    assert_refuses("~: x", KS_RC_PARSE,
                   "YAML line 1, column 1: a map's key must be text, a number or a boolean");
    assert_refuses("? [a]\n: x", KS_RC_PARSE, NULL);
    assert_refuses("? {a: b}\n: x", KS_RC_PARSE, NULL);
}

static void keeps_duplicates_in_order(void **state)
{
    (void)state;
    assert_converts("a: 1\nb: 2\na: 3\n", "{\"a\":1,\"b\":2,\"a\":3}");
}

static void expands_aliases(void **state)
{
    (void)state;
    assert_converts("a: &x {p: 1}\nb: *x\nc: [*x, *x]\n",
                    "{\"a\":{\"p\":1},\"b\":{\"p\":1},\"c\":[{\"p\":1},{\"p\":1}]}");
    assert_converts("a: &x 5\n*x : 6\nb: *x\n", "{\"a\":5,\"5\":6,\"b\":5}");
    assert_converts("&k key: 1\nb: *k\n", "{\"key\":1,\"b\":\"key\"}");
    assert_converts("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    assert_converts("a: &x {b: &x 1}\nc: *x\n", "{\"a\":{\"b\":1},\"c\":1}");
    assert_converts("a: &x 1\n---\na: &x 2\nb: *x\n", "{\"a\":1}|{\"a\":2,\"b\":2}");
    assert_refuses("a: *x", KS_RC_PARSE,
                   "YAML line 1, column 4: no node before *x has that anchor");
    assert_refuses("a: &x 1\n---\nb: *x\n", KS_RC_PARSE, NULL);
    assert_refuses("a: &x [*x]", KS_RC_PARSE,
                   "YAML line 1, column 8: *x stands inside the node that it means");
    assert_refuses("a: &x 1\nb: &x [*x]", KS_RC_PARSE, NULL);
    assert_refuses("a: &x [1]\n*x : 1", KS_RC_PARSE, NULL);
    assert_refuses("a: &x ~\n*x : 1", KS_RC_PARSE, NULL);
}

static void merges(void **state)
{
    (void)state;
    assert_converts("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n",
                    "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"p\":1,\"q\":2,\"q\":3}}");
    assert_converts("a: &x {p: 1}\nb: {r: 0, <<: *x}\n",
                    "{\"a\":{\"p\":1},\"b\":{\"r\":0,\"p\":1}}");
    /* Of several, the first wins, so it stands last. */
    assert_converts("- &x {p: 1}\n- &y {p: 2}\n- <<: [*x, *y]\n  z: 0\n",
                    "[{\"p\":1},{\"p\":2},{\"p\":2,\"p\":1,\"z\":0}]");
    assert_converts("<<: {a: \"}]\\\"\", b: [1]}\nc: 1\n", "{\"a\":\"}]\\\"\",\"b\":[1],\"c\":1}");
    assert_converts("<<: [{a: \"[{\\\\\"}, {b: {c: []}}]\n", "{\"b\":{\"c\":[]},\"a\":\"[{\\\\\"}");
    assert_converts("<<: {}\na: 1\n", "{\"a\":1}");
    assert_converts("<<: []\n", "{}");
    assert_converts("a: &x {}\nb: {<<: *x}\n", "{\"a\":{},\"b\":{}}");
    assert_converts("\"<<\": 1\n", "{\"<<\":1}");
    assert_converts("!!merge <<: {a: 1}\n", "{\"a\":1}");
    assert_converts("a: &x {<<: {p: 1}, q: 2}\nb: *x\n",
                    "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"p\":1,\"q\":2}}");
    assert_refuses("<<: 1", KS_RC_PARSE, "YAML line 1, column 5: << wants a map or a list of maps");
    assert_refuses("<<: [1]", KS_RC_PARSE, NULL);
    assert_refuses("<<: [\"x\"]", KS_RC_PARSE, NULL);
    assert_refuses("<<: [[{}]]", KS_RC_PARSE, NULL);
    assert_refuses("<<:", KS_RC_PARSE, NULL);
    assert_refuses("a: &x [{b: 1}]\n<<: *x\n", KS_RC_PARSE, NULL);
}

static void tells_documents_and_lines(void **state)
{
    struct sink sink = {.wants_lines = true};
    struct ks_error err = {0};

    (void)state;
    ks_buf_init(&sink.text, 4096);
    assert_int_equal(
        convert("# comment\na: 1\n---\n---\n# nothing\n---\nnull\n---\nb: 2\n...\n---\n\nc: 3\n",
                &sink, &err),
        KS_RC_OK);
    assert_true(ks_str_is(ks_buf_str(&sink.text), "2:{\"a\":1}|8:{\"b\":2}|11:{\"c\":3}"));
    ks_buf_clear(&sink.text);
    assert_int_equal(convert("", &sink, &err), KS_RC_OK);
    assert_int_equal(convert("# only a comment\n", &sink, &err), KS_RC_OK);
    assert_int_equal(convert("---\n", &sink, &err), KS_RC_OK);
    assert_int_equal(sink.text.len, 0);
    ks_buf_fini(&sink.text);
    assert_int_equal(
        ks_yaml_to_json((struct ks_str){0}, &ks_yaml_limits_manifest, on_document, &sink, &err),
        KS_RC_OK);
}

static void a_refused_document_stops_it(void **state)
{
    struct sink sink = {.answer = KS_RC_CANCELLED};
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(convert("a: 1\n---\nb: 2\n", &sink, &err), KS_RC_CANCELLED);
}

static void refuses_bad_yaml(void **state)
{
    (void)state;
    assert_refuses("a: [1", KS_RC_PARSE, NULL);
    assert_refuses("a: b: c", KS_RC_PARSE, NULL);
    assert_refuses("\ta: 1", KS_RC_PARSE, NULL);
    assert_refuses("a: \"x", KS_RC_PARSE, NULL);
    assert_refuses("a: @x", KS_RC_PARSE, NULL);
    assert_refuses("a: \x01", KS_RC_PARSE, NULL);
    assert_refuses("a: \xff", KS_RC_PARSE, NULL);
    assert_refuses("%TAG ! a\n%TAG ! b\n---\na", KS_RC_PARSE, NULL);
}

static void holds_its_limits(void **state)
{
    static const struct ks_yaml_limits small = {
        .max_bytes = 200, .max_json_bytes = 100, .max_depth = 3};
    struct sink sink = {0};
    struct ks_error err = {0};
    struct ks_str bomb =
        KS_LIT("a: &a [xxxxxxxxxx,xxxxxxxxxx]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n");
    char text[256];

    (void)state;
    ks_buf_init(&sink.text, 4096);
    memset(text, 'x', sizeof(text));
    assert_int_equal(ks_yaml_to_json(ks_str_make(text, 90), &small, on_document, &sink, &err),
                     KS_RC_OK);
    assert_int_equal(ks_yaml_to_json(ks_str_make(text, 150), &small, on_document, &sink, &err),
                     KS_RC_LIMIT);
    assert_int_equal(ks_yaml_to_json(ks_str_make(text, 201), &small, on_document, &sink, &err),
                     KS_RC_LIMIT);
    assert_int_equal(ks_yaml_to_json(KS_LIT("[[[]]]"), &small, on_document, &sink, &err), KS_RC_OK);
    assert_int_equal(ks_yaml_to_json(KS_LIT("[[[[]]]]"), &small, on_document, &sink, &err),
                     KS_RC_LIMIT);
    assert_int_equal(ks_yaml_to_json(KS_LIT("- - - - 1"), &small, on_document, &sink, &err),
                     KS_RC_LIMIT);
    assert_int_equal(ks_yaml_to_json(bomb, &small, on_document, &sink, &err), KS_RC_LIMIT);
    /* An alias counts with what it stands for. */
    assert_int_equal(
        ks_yaml_to_json(KS_LIT("- &a [[1]]\n- *a\n"), &small, on_document, &sink, &err), KS_RC_OK);
    assert_int_equal(
        ks_yaml_to_json(KS_LIT("- &a [[1]]\n- [*a]\n"), &small, on_document, &sink, &err),
        KS_RC_LIMIT);
    ks_buf_fini(&sink.text);
}

static void repeat(struct ks_buf *out, const char *text, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(ks_buf_append_str(out, ks_str_from(text)), KS_RC_OK);
}

/* Each of these keeps libyaml, or an ordinary reader, busy for minutes or fills the memory; the
 * test's time limit is the judge. */
static void gives_up_early_on_hostile_text(void **state)
{
    static const struct {
        const char *head;
        const char *repeated;
        int count;
        ks_rc rc;
    } rows[] = {
        {"", "[", 1000000, KS_RC_LIMIT},           {"", "{a: ", 500000, KS_RC_LIMIT},
        {"", "- ", 500000, KS_RC_LIMIT},           {"", "? ", 500000, KS_RC_PARSE},
        {"", "[\n", 500000, KS_RC_LIMIT},          {"", "%TAG !a! b\n", 100000, KS_RC_LIMIT},
        {"", "%TAG !a! b\r", 100000, KS_RC_LIMIT}, {"a:\n", "- &a x\n", 200000, KS_RC_LIMIT},
        {"<<: [", "{},", 100000, KS_RC_PARSE},
    };
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(16u << 20);
    struct sink sink = {0};
    struct ks_error err = {0};

    (void)state;
    ks_buf_init(&sink.text, 1u << 20);
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        ks_rc rc;

        ks_buf_clear(&text);
        repeat(&text, rows[i].head, 1);
        repeat(&text, rows[i].repeated, rows[i].count);
        rc = ks_yaml_to_json(ks_buf_str(&text), &ks_yaml_limits_manifest, on_document, &sink, &err);
        if (rc != rows[i].rc)
            fail_msg("%s: %d, %s", rows[i].repeated, (int)rc, err.msg);
    }
    ks_buf_fini(&sink.text);
}

static void bounds_merges_and_anchors(void **state)
{
    static const struct ks_yaml_limits small = {
        .max_bytes = 200, .max_json_bytes = 60, .max_depth = 8};
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(4096);
    struct sink sink = {0};
    struct ks_error err = {0};

    (void)state;
    ks_buf_init(&sink.text, 4096);
    repeat(&text, "<<: [{}", 1);
    repeat(&text, ",{}", 63);
    repeat(&text, "]", 1);
    assert_converts(text.data, "{}");
    text.data[text.len - 1] = ',';
    repeat(&text, "{}]", 1);
    assert_refuses(text.data, KS_RC_LIMIT, "YAML line 1, column 200: << merges more than 64 maps");
    /* The copies of nested anchors count together. */
    assert_int_equal(
        ks_yaml_to_json(KS_LIT("[[[xxxxxxxxxxxxxxxxxxxx]]]"), &small, on_document, &sink, &err),
        KS_RC_OK);
    assert_int_equal(ks_yaml_to_json(KS_LIT("&a [&b [&c [xxxxxxxxxxxxxxxxxxxx]]]"), &small,
                                     on_document, &sink, &err),
                     KS_RC_LIMIT);
    ks_buf_fini(&sink.text);
}

static void the_laughs_end(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);

    (void)state;
    repeat(&text, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n", 1);
    for (int i = 1; i < 10; i++)
        assert_int_equal(
            ks_buf_appendf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i,
                           i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
            KS_RC_OK);
    assert_refuses(text.data, KS_RC_LIMIT, NULL);
}

static void short_memory(void *ctx)
{
    struct sink sink = {0};
    struct ks_error err = {0};
    ks_rc rc;

    (void)ctx;
    ks_buf_init(&sink.text, 4096);
    rc = convert("a: &x {p: [1, !!binary aGk=], q: &s t}\nb:\n  <<: [*x, {r: *s}]\n&x c: *x\n",
                 &sink, &err);
    assert_true(rc == KS_RC_OK || rc == KS_RC_NOMEM);
    ks_buf_fini(&sink.text);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(short_memory, NULL) >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_plain_scalars),
        cmocka_unit_test(resolves_quotes_and_tags),
        cmocka_unit_test(converts_structure),
        cmocka_unit_test(turns_keys_into_text),
        cmocka_unit_test(keeps_duplicates_in_order),
        cmocka_unit_test(expands_aliases),
        cmocka_unit_test(merges),
        cmocka_unit_test(tells_documents_and_lines),
        cmocka_unit_test(a_refused_document_stops_it),
        cmocka_unit_test(refuses_bad_yaml),
        cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(gives_up_early_on_hostile_text),
        cmocka_unit_test(bounds_merges_and_anchors),
        cmocka_unit_test(the_laughs_end),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
