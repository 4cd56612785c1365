/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON view: what is accepted and refused, how values read, limits, and what memory shortage
 * leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/json.h"
#include "support/torture.h"

static struct ks_json *json;

static int setup(void **state)
{
    struct ks_error err = {0};

    (void)state;
    return ks_json_new(&ks_json_limits_object, &json, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    json = ks_json_free(json);
    return 0;
}

static ks_rc parse_bytes(const char *text, size_t len)
{
    struct ks_error err = {0};
    ks_rc rc = ks_json_parse(json, ks_str_make(text, len), &err);

    if (rc)
        assert_true(err.msg[0] != '\0');
    return rc;
}

static struct ks_json_value parsed(const char *text)
{
    struct ks_error err = {0};

    if (ks_json_parse(json, ks_str_from(text), &err))
        fail_msg("%s: %s", text, err.msg);
    return ks_json_root(json);
}

static void assert_text(struct ks_json_value v, const char *bytes, size_t len)
{
    struct ks_str text;

    assert_true(ks_json_to_str(v, &text));
    assert_int_equal(text.len, len);
    assert_memory_equal(text.ptr, bytes, len);
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" \"b\"}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{a:1}",
        "{:::}",
        "[1 2]",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[01]",
        "[-]",
        "[+1]",
        "[1.]",
        "[.5]",
        "[1e]",
        "[1e+]",
        "[0x1]",
        "[tru]",
        "[truee]",
        "[nul]",
        "[nope]",
        "[True]",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[\"a]",
        "[\"a",
        "[\"\\\"]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "['a']",
        "{}{}",
        "[] []",
        "[]x",
        "[1e999]",
        "[-1e999]",
        "{\"a\":1}}",
        "[\"\t\"]",
        "[\"\n\"]",
        "[\"\x01\"]",
        "1",
        "\"a\"",
        "null",
        "true",
        "/**/{}",
        "\xEF\xBB\xBF{}",
        "[1]\v",
        "[1\f]",
        "{\"a\":[}]",
        "[\"\\",
        "[\"\\u",
        "[\"\\u0",
        "[-a]",
        "{\"a\":tru}",
        "{\"a\":1e}",
        ":,{},",
        "[\"a\"\"b\"]",
        "[--1]",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        if (parse_bytes(texts[i], strlen(texts[i])) != KS_RC_PARSE)
            fail_msg("accepted: %s", texts[i]);
        assert_true(ks_json_is_absent(ks_json_root(json)));
    }
}

static void refuses_nul_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse_bytes("{}\0", 3), KS_RC_PARSE);
    assert_int_equal(parse_bytes("[\0]", 3), KS_RC_PARSE);
    assert_int_equal(parse_bytes("[\"\0\"]", 5), KS_RC_PARSE);
    assert_int_equal(parse_bytes("[1\0]", 4), KS_RC_PARSE);
    assert_int_equal(parse_bytes("\0", 1), KS_RC_PARSE);
}

static void accepts_json(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        " { } ",
        "\r\n\t [ ] ",
        "[[],{}]",
        "{\"\":0}",
        "[0,-0,1,-1,0.5,1e5,1E+5,1e-5]",
        "[true,false,null]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\"]",
        "[1.7976931348623157e308]",
        "[1e-999]",
        "[\"\x7f\"]",
        "[0e999999999999999999999]",
        "[\"\xff\"]",
        "[\"\\ud800\"]",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        if (parse_bytes(texts[i], strlen(texts[i])))
            fail_msg("refused: %s", texts[i]);
    }
}

static void says_where_it_went_wrong(void **state)
{
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(ks_json_parse(json, KS_LIT("{\"a\" 1}"), &err), KS_RC_PARSE);
    assert_string_equal(err.msg, "JSON has '1' at byte 5 where ':' should be");
    assert_int_equal(ks_json_parse(json, KS_LIT("[1"), &err), KS_RC_PARSE);
    assert_string_equal(err.msg, "JSON ends at byte 2 where more should be");
    assert_int_equal(ks_json_parse(json, KS_LIT("[\"\x02\"]"), &err), KS_RC_PARSE);
    assert_string_equal(err.msg, "JSON has byte 0x02 at 2 where the rest of a string should be");
}

static void tells_types(void **state)
{
    static const struct {
        const char *text;
        ks_json_type type;
    } rows[] = {
        {"[null]", KS_JSON_NULL},
        {"[true]", KS_JSON_BOOL},
        {"[false]", KS_JSON_BOOL},
        {"[0]", KS_JSON_INT},
        {"[-0]", KS_JSON_INT},
        {"[9223372036854775807]", KS_JSON_INT},
        {"[-9223372036854775808]", KS_JSON_INT},
        {"[9223372036854775808]", KS_JSON_DOUBLE},
        {"[-9223372036854775809]", KS_JSON_DOUBLE},
        {"[1.0]", KS_JSON_DOUBLE},
        {"[1e0]", KS_JSON_DOUBLE},
        {"[\"\"]", KS_JSON_STRING},
        {"[[]]", KS_JSON_LIST},
        {"[{}]", KS_JSON_MAP},
        {"[]", KS_JSON_ABSENT},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (ks_json_type_of(ks_json_first(parsed(rows[i].text))) != rows[i].type)
            fail_msg("%s", rows[i].text);
    }
}

static void reads_scalars(void **state)
{
    struct ks_json_value root = parsed("{\"i\":-12,\"t\":true,\"f\":false,\"s\":\"x\",\"d\":1.0}");
    struct ks_str text = KS_LIT("untouched");
    int64_t number = 77;
    bool truth = false;

    (void)state;
    assert_true(ks_json_to_int(ks_json_get(root, "i"), &number));
    assert_int_equal(number, -12);
    assert_false(ks_json_to_int(ks_json_get(root, "d"), &number));
    assert_false(ks_json_to_int(ks_json_get(root, "s"), &number));
    assert_int_equal(number, -12);
    assert_true(ks_json_to_bool(ks_json_get(root, "t"), &truth));
    assert_true(truth);
    assert_true(ks_json_to_bool(ks_json_get(root, "f"), &truth));
    assert_false(truth);
    assert_false(ks_json_to_bool(ks_json_get(root, "i"), &truth));
    assert_false(ks_json_to_str(ks_json_get(root, "i"), &text));
    assert_true(ks_str_is(text, "untouched"));
    assert_text(ks_json_get(root, "s"), "x", 1);
    assert_true(ks_json_is_absent(ks_json_get(root, "nothing")));
    assert_true(ks_json_is_absent(ks_json_get(ks_json_get(root, "i"), "x")));
}

static void judges_the_range_of_numbers(void **state)
{
    /* The least number that overflows, its neighbours, and ways to write them. */
#define BOUND_HEAD "1797693134862315807937289714053034150799341327100378269361737789804449682927"
#define BOUND_MIDDLE "64750946649017977587207096330286416692887910946555547851940402630657488671"
#define BOUND_TAIL                                                                                 \
    "50582068190890200070838367627385484581771153176447573027006985557136695962284291"             \
    "4819860834936475292719074168444365510704342711559699508093042880177904174497792"
    static const struct {
        const char *number;
        bool fits;
    } rows[] = {
        {BOUND_HEAD BOUND_MIDDLE BOUND_TAIL, false},
        {BOUND_HEAD BOUND_MIDDLE BOUND_TAIL ".0", false},
        {"-" BOUND_HEAD BOUND_MIDDLE BOUND_TAIL "e0", false},
        {"1.7976931348623158e308", true},
        {"1.7976931348623159e308", false},
        {"0.00017976931348623158e312", true},
        {"0.00017976931348623159e312", false},
        {"17976931348623158e292", true},
        {"17976931348623159e292", false},
        {"1e308", true},
        {"1e309", false},
        {"10e308", false},
        {"0.1e309", true},
        {"0.1e310", false},
        {"0e309", true},
        {"0.0e99999999999999999999999", true},
        {"1e99999999999999999999999", false},
        {"1e-99999999999999999999999", true},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        int len = snprintf(text, sizeof(text), "[%s]", rows[i].number);

        if ((parse_bytes(text, (size_t)len) == KS_RC_OK) != rows[i].fits)
            fail_msg("%s", rows[i].number);
    }
}

static void judges_the_bound_exactly(void **state)
{
    char text[] = "[" BOUND_HEAD BOUND_MIDDLE BOUND_TAIL "]";
    size_t len = sizeof(text) - 1;

    (void)state;
    assert_int_equal(len, 309 + 2);
    assert_int_equal(parse_bytes(text, len), KS_RC_PARSE);
    text[len - 2]--; /* one less */
    assert_int_equal(parse_bytes(text, len), KS_RC_OK);
    text[len - 2] += 2;
    assert_int_equal(parse_bytes(text, len), KS_RC_PARSE);
}

static void decodes_strings(void **state)
{
    static const struct {
        const char *raw;
        const char *bytes;
        size_t len;
    } rows[] = {
        {"plain", "plain", 5},
        {"", "", 0},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\\uD83D\\uDE00", "\xf0\x9f\x98\x80", 4},
        {"\\ud83d", "\xef\xbf\xbd", 3},
        {"\\ude00", "\xef\xbf\xbd", 3},
        {"\\ud83dx", "\xef\xbf\xbdx", 4},
        {"\\ud83d\\u0041", "\xef\xbf\xbd\x41", 4},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
        {"\\ud83d\\n", "\xef\xbf\xbd\n", 4},
        {"a\\u0000b", "a\0b", 3},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80", 6},
        {"\xff", "\xef\xbf\xbd", 3},
        {"\xc3", "\xef\xbf\xbd", 3},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"\xf5\x80", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"x\xe2\x82\xacy\xffz", "x\xe2\x82\xacy\xef\xbf\xbdz", 9},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_json_value v;

        (void)snprintf(text, sizeof(text), "{\"%s\":\"%s\"}", rows[i].raw, rows[i].raw);
        v = ks_json_first(parsed(text));
        assert_text(v, rows[i].bytes, rows[i].len);
        assert_text(v, rows[i].bytes, rows[i].len); /* the second time from memory */
        assert_true(ks_str_eq(ks_json_key(v), ks_str_make(rows[i].bytes, rows[i].len)));
        v = ks_json_get_str(ks_json_root(json), ks_str_make(rows[i].bytes, rows[i].len));
        assert_false(ks_json_is_absent(v));
    }
}

static void finds_keys_after_unescaping(void **state)
{
    struct ks_json_value root = parsed("{\"\\u0061\":1,\"a\\\\\":2,\"b\":3,\"\\ud800\":4}");

    (void)state;
    assert_true(ks_str_is(ks_json_raw(ks_json_get(root, "a")), "1"));
    assert_true(ks_str_is(ks_json_raw(ks_json_get(root, "a\\")), "2"));
    assert_true(ks_json_is_absent(ks_json_get(root, "a\\\\")));
    assert_true(ks_json_is_absent(ks_json_get(root, "\\u0061")));
    assert_true(ks_str_is(ks_json_raw(ks_json_get(root, "b")), "3"));
    assert_true(ks_str_is(ks_json_raw(ks_json_get(root, "\xef\xbf\xbd")), "4"));
    assert_true(ks_json_is_absent(ks_json_get(root, "B")));
    assert_true(ks_json_is_absent(ks_json_get(root, "")));
}

static void the_last_duplicate_wins(void **state)
{
    struct ks_json_value root = parsed("{\"a\":{\"x\":1},\"b\":0,\"\\u0061\":{\"y\":2}}");

    (void)state;
    assert_true(ks_json_is_absent(ks_json_get(ks_json_get(root, "a"), "x")));
    assert_false(ks_json_is_absent(ks_json_get(ks_json_get(root, "a"), "y")));
    assert_int_equal(ks_json_count(root), 3);
}

static void walks_siblings(void **state)
{
    struct ks_json_value root =
        parsed("{\"a\":[1,[2,{\"x\":[3]}],\"s\",{}],\"b\":{},\"c\":[],\"d\":4}");
    static const char *const keys[] = {"a", "b", "c", "d"};
    static const char *const raws[] = {"[1,[2,{\"x\":[3]}],\"s\",{}]", "{}", "[]", "4"};
    static const char *const elements[] = {"1", "[2,{\"x\":[3]}]", "\"s\"", "{}"};
    struct ks_json_value v = ks_json_first(root);
    struct ks_json_value list = v;

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(keys); i++) {
        assert_true(ks_str_is(ks_json_key(v), keys[i]));
        assert_true(ks_str_is(ks_json_raw(v), raws[i]));
        v = ks_json_next(v);
    }
    assert_true(ks_json_is_absent(v));
    assert_true(ks_json_is_absent(ks_json_next(v)));
    v = ks_json_first(list);
    for (size_t i = 0; i < KS_ARRAY_LEN(elements); i++) {
        assert_true(ks_str_is(ks_json_raw(v), elements[i]));
        assert_int_equal(ks_json_key(v).len, 0);
        v = ks_json_next(v);
    }
    assert_true(ks_json_is_absent(v));
    assert_int_equal(ks_json_count(list), 4);
    assert_int_equal(ks_json_count(root), 4);
    assert_int_equal(ks_json_count(ks_json_get(root, "b")), 0);
    assert_int_equal(ks_json_count(ks_json_get(root, "d")), 0);
    assert_true(ks_json_is_absent(ks_json_first(ks_json_get(root, "c"))));
    assert_true(ks_json_is_absent(ks_json_first(ks_json_get(root, "d"))));
    assert_true(ks_json_is_absent(ks_json_next(root)));
    assert_int_equal(ks_json_key(root).len, 0);
}

static void append(struct ks_buf *text, const char *more)
{
    assert_int_equal(ks_buf_append_str(text, ks_str_from(more)), KS_RC_OK);
}

/* {"<key>":{"a":[{"n":1,"pad":...},{"n":2,"pad":...}],"b":7}}, large enough to be left for later.
 */
static void append_large(struct ks_buf *text, const char *key)
{
    assert_int_equal(ks_buf_appendf(text, "\"%s\":{\"a\":[", key), KS_RC_OK);
    for (int i = 1; i <= 2; i++)
        assert_int_equal(
            ks_buf_appendf(text, "%s{\"n\":%d,\"pad\":\"%0250d\"}", i > 1 ? "," : "", i, 0),
            KS_RC_OK);
    append(text, "],\"b\":7}");
}

static void assert_large(struct ks_json_value v)
{
    struct ks_json_value list = ks_json_get(v, "a");
    struct ks_json_value second = ks_json_next(ks_json_first(list));

    assert_int_equal(ks_json_count(v), 2);
    assert_int_equal(ks_json_count(list), 2);
    assert_true(ks_str_is(ks_json_raw(ks_json_get(second, "n")), "2"));
    assert_true(ks_json_is_absent(ks_json_next(second)));
    assert_true(ks_str_is(ks_json_raw(ks_json_next(list)), "7"));
    assert_true(ks_str_is(ks_json_key(list), "a"));
    assert_true(ks_str_is(ks_json_raw(ks_json_get(v, "b")), "7"));
    assert_true(ks_json_raw(v).len > 500);
}

static void looks_into_large_parts_later(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);
    struct ks_json_value root;

    (void)state;
    append(&text, "{\"first\":1,");
    append_large(&text, "x");
    append(&text, ",\"empty\":{},");
    append_large(&text, "y");
    append(&text, ",\"last\":[3]}");
    root = parsed(text.data);
    assert_int_equal(ks_json_count(root), 5);
    assert_true(ks_str_is(ks_json_raw(ks_json_get(root, "last")), "[3]"));
    assert_large(ks_json_get(root, "y")); /* in another order than the text's, and twice */
    assert_large(ks_json_get(root, "x"));
    assert_large(ks_json_get(root, "y"));
    assert_true(ks_str_is(ks_json_key(ks_json_next(ks_json_get(root, "x"))), "empty"));
    assert_true(ks_str_is(ks_json_raw(ks_json_next(ks_json_get(root, "y"))), "[3]"));
}

/* In each document one member's name and text are escaped, and nothing else is. */
static void finds_escaped_text_wherever_it_is(void **state)
{
#define ODD "\"\\u006b\":\"\\u0076\""
    static const struct {
        const char *before; /* a large text */
        const char *behind; /* it */
        const char *path[4];
    } places[] = {
        {"{" ODD ",\"l\":{\"a\":\"", "\"}}", {"k"}},
        {"{\"s\":{" ODD "},\"l\":{\"a\":\"", "\"}}", {"s", "k"}},
        {"{\"l\":{\"a\":\"", "\"," ODD "}}", {"l", "k"}},
        {"{\"l\":{\"s\":{" ODD "},\"a\":\"", "\"}}", {"l", "s", "k"}},
        {"{\"l\":{\"m\":{\"a\":\"", "\"}," ODD "}}", {"l", "k"}},
        {"{\"l\":{\"m\":{" ODD ",\"a\":\"", "\"}}}", {"l", "m", "k"}},
        {"{\"l\":{\"m\":{\"s\":{" ODD "},\"a\":\"", "\"}}}", {"l", "m", "s", "k"}},
    };
#undef ODD

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(places); i++) {
        KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);
        struct ks_json_value v;

        assert_int_equal(ks_buf_appendf(&text, "%s%0300d%s", places[i].before, 0, places[i].behind),
                         KS_RC_OK);
        v = parsed(text.data);
        for (size_t k = 0; k < KS_ARRAY_LEN(places[i].path) && places[i].path[k]; k++)
            v = ks_json_get(v, places[i].path[k]);
        assert_text(v, "v", 1);
        assert_true(ks_str_is(ks_json_key(v), "k"));
    }
}

static void looks_into_more_parts_than_are_left(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);
    struct ks_json_value v;
    size_t count = 0;

    (void)state;
    append(&text, "[");
    for (int i = 0; i < 300; i++) {
        append(&text, i > 0 ? ",{" : "{");
        append_large(&text, "x");
        append(&text, "}");
    }
    append(&text, "]");
    for (v = ks_json_first(parsed(text.data)); !ks_json_is_absent(v); v = ks_json_next(v)) {
        assert_large(ks_json_get(v, "x"));
        count++;
    }
    assert_int_equal(count, 300);
}

static void the_zero_handle_is_absent(void **state)
{
    struct ks_json_value zero = {0};
    struct ks_str text;

    (void)state;
    assert_int_equal(ks_json_type_of(zero), KS_JSON_ABSENT);
    assert_true(ks_json_is_absent(ks_json_get(zero, "a")));
    assert_true(ks_json_is_absent(ks_json_first(zero)));
    assert_true(ks_json_is_absent(ks_json_next(zero)));
    assert_int_equal(ks_json_count(zero), 0);
    assert_int_equal(ks_json_key(zero).len, 0);
    assert_int_equal(ks_json_raw(zero).len, 0);
    assert_false(ks_json_to_str(zero, &text));
}

static void handles_of_a_failed_parse_are_absent(void **state)
{
    struct ks_json_value old = ks_json_first(parsed("[[1,2],3]"));

    (void)state;
    assert_int_equal(parse_bytes("[", 1), KS_RC_PARSE);
    assert_true(ks_json_is_absent(old));
    assert_true(ks_json_is_absent(ks_json_root(json)));
    (void)parsed("[5]");
    ks_json_trim(json);
    assert_true(ks_json_is_absent(ks_json_root(json)));
    (void)parsed("[6]");
    assert_true(ks_str_is(ks_json_raw(ks_json_root(json)), "[6]"));
}

static void parse_repeated(char *text, size_t count, char open, char close)
{
    memset(text, open, count);
    memset(text + count, close, count);
}

static void holds_its_limits(void **state)
{
    static const struct ks_json_limits small = {.max_bytes = 64, .max_tokens = 5, .max_depth = 4};
    struct ks_json *bounded;
    struct ks_error err = {0};
    char text[128];

    (void)state;
    assert_int_equal(ks_json_new(&small, &bounded, &err), KS_RC_OK);
    parse_repeated(text, 4, '[', ']');
    assert_int_equal(ks_json_parse(bounded, ks_str_make(text, 8), &err), KS_RC_OK);
    parse_repeated(text, 5, '[', ']');
    assert_int_equal(ks_json_parse(bounded, ks_str_make(text, 10), &err), KS_RC_LIMIT);
    assert_int_equal(ks_json_parse(bounded, KS_LIT("[1,2,3,4]"), &err), KS_RC_OK);
    assert_int_equal(ks_json_parse(bounded, KS_LIT("[1,2,3,4,5]"), &err), KS_RC_LIMIT);
    assert_int_equal(ks_json_parse(bounded, KS_LIT("{\"a\":1,\"b\":2}"), &err), KS_RC_OK);
    assert_int_equal(ks_json_parse(bounded, KS_LIT("{\"a\":1,\"b\":[]}"), &err), KS_RC_OK);
    assert_int_equal(ks_json_parse(bounded, KS_LIT("{\"a\":1,\"b\":[0]}"), &err), KS_RC_LIMIT);
    memset(text, ' ', sizeof(text));
    memcpy(text, "[]", 2);
    assert_int_equal(ks_json_parse(bounded, ks_str_make(text, 64), &err), KS_RC_OK);
    assert_int_equal(ks_json_parse(bounded, ks_str_make(text, 65), &err), KS_RC_LIMIT);
    bounded = ks_json_free(bounded);
    assert_null(bounded);
}

static void refuses_limits_that_cannot_be_held(void **state)
{
    static const struct ks_json_limits no_depth = {.max_bytes = 64, .max_tokens = 5};
    static const struct ks_json_limits too_long = {
        .max_bytes = (size_t)1 << 31, .max_tokens = 5, .max_depth = 1};
    struct ks_json *unused = NULL;
    struct ks_error err = {0};

    (void)state;
    assert_int_equal(ks_json_new(&no_depth, &unused, &err), KS_RC_INVALID);
    assert_int_equal(ks_json_new(&too_long, &unused, &err), KS_RC_INVALID);
    assert_null(unused);
    assert_null(ks_json_free(NULL));
}

static void gives_back_what_a_large_document_took(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);

    (void)state;
    assert_int_equal(ks_buf_append_str(&text, KS_LIT("[0")), KS_RC_OK);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(ks_buf_append_str(&text, KS_LIT(",1")), KS_RC_OK);
    assert_int_equal(ks_buf_append_byte(&text, ']'), KS_RC_OK);
    assert_int_equal(ks_json_count(parsed(text.data)), 20001);
    ks_json_trim(json);
    assert_true(ks_json_is_absent(ks_json_root(json)));
    assert_int_equal(ks_json_count(parsed("[1,2]")), 2);
    ks_json_trim(json);
}

static void takes_512_levels(void **state)
{
    char text[1026];

    (void)state;
    parse_repeated(text, 512, '[', ']');
    assert_int_equal(parse_bytes(text, 1024), KS_RC_OK);
    parse_repeated(text, 513, '[', ']');
    assert_int_equal(parse_bytes(text, 1026), KS_RC_LIMIT);
}

static void short_memory(void *ctx)
{
    struct ks_error err = {0};
    struct ks_json *doc = NULL;
    struct ks_str text;
    ks_rc rc;

    (void)ctx;
    rc = ks_json_new(&ks_json_limits_object, &doc, &err);
    if (rc) {
        assert_int_equal(rc, KS_RC_NOMEM);
        return;
    }
    rc = ks_json_parse(doc, KS_LIT("{\"\\u0061\":\"\\u0062\",\"c\":\"\\u0063\"}"), &err);
    if (rc) {
        assert_int_equal(rc, KS_RC_NOMEM);
        assert_true(ks_json_is_absent(ks_json_root(doc)));
    } else {
        struct ks_json_value v = ks_json_first(ks_json_root(doc));

        if (ks_json_to_str(v, &text) && ks_json_key(v).len &&
            ks_json_to_str(ks_json_next(v), &text))
            assert_false(ks_json_out_of_memory(doc));
        else
            assert_true(ks_json_out_of_memory(doc));
    }
    ks_json_free(doc);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(short_memory, NULL) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_nul_bytes),
        cmocka_unit_test(accepts_json),
        cmocka_unit_test(says_where_it_went_wrong),
        cmocka_unit_test(tells_types),
        cmocka_unit_test(reads_scalars),
        cmocka_unit_test(judges_the_range_of_numbers),
        cmocka_unit_test(judges_the_bound_exactly),
        cmocka_unit_test(decodes_strings),
        cmocka_unit_test(finds_keys_after_unescaping),
        cmocka_unit_test(the_last_duplicate_wins),
        cmocka_unit_test(walks_siblings),
        cmocka_unit_test(looks_into_large_parts_later),
        cmocka_unit_test(finds_escaped_text_wherever_it_is),
        cmocka_unit_test(looks_into_more_parts_than_are_left),
        cmocka_unit_test(the_zero_handle_is_absent),
        cmocka_unit_test(handles_of_a_failed_parse_are_absent),
        cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(refuses_limits_that_cannot_be_held),
        cmocka_unit_test(gives_back_what_a_large_document_took),
        cmocka_unit_test(takes_512_levels),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
