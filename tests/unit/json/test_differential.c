/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON view against a strict second parser (jansson), over real answers and seeded mutations of
 * small texts.
 *
 * Both must agree on what is JSON and on every value in it, but for what json.h says is let
 * through: bytes that are no UTF-8, lone surrogates, NUL in a key (which jansson cannot represent).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "json/json.h"

#define MUTATIONS 30000
#define TEXT_MAX 2048

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

static bool same_number(struct ks_json_value v, double want)
{
    struct ks_str raw = ks_json_raw(v);
    char text[TEXT_MAX + 1];
    int64_t number;

    if (ks_json_to_int(v, &number))
        return (double)number == want;
    if (raw.len > TEXT_MAX)
        return false;
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = '\0';
    return strtod(text, NULL) == want;
}

static bool same_scalar(struct ks_json_value v, const json_t *want)
{
    struct ks_str text;
    bool truth;

    switch (json_typeof(want)) {
    case JSON_STRING:
        return ks_json_to_str(v, &text) &&
               ks_str_eq(text, ks_str_make(json_string_value(want), json_string_length(want)));
    case JSON_INTEGER:
    case JSON_REAL:
        return same_number(v, json_number_value(want));
    case JSON_TRUE:
    case JSON_FALSE:
        return ks_json_to_bool(v, &truth) && truth == json_is_true(want);
    case JSON_NULL:
        return ks_json_type_of(v) == KS_JSON_NULL;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return false;
}

/* Recursion is bounded by the view's own depth limit: this runs only on what it accepted. */
static bool same_value(struct ks_json_value v, json_t *want)
{
    struct ks_json_value e = ks_json_first(v);
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_array(want)) {
        if (ks_json_type_of(v) != KS_JSON_LIST || ks_json_count(v) != json_array_size(want))
            return false;
        json_array_foreach(want, i, member)
        {
            if (!same_value(e, member))
                return false;
            e = ks_json_next(e);
        }
        return ks_json_is_absent(e);
    }
    if (!json_is_object(want))
        return same_scalar(v, want);
    if (ks_json_type_of(v) != KS_JSON_MAP || ks_json_count(v) < json_object_size(want))
        return false;
    json_object_foreach(want, key, member)
    {
        if (!same_value(ks_json_get(v, key), member))
            return false;
    }
    for (; !ks_json_is_absent(e); e = ks_json_next(e)) {
        char *name = ks_str_dup(ks_json_key(e));
        bool is_known = name && json_object_get(want, name);

        ks_free(name);
        if (!is_known)
            return false;
    }
    return true;
}

static bool is_let_through(const json_error_t *why)
{
    return json_error_code(why) == json_error_invalid_utf8 ||
           json_error_code(why) == json_error_null_byte_in_key ||
           strstr(why->text, "invalid Unicode") != NULL;
}

static void compare(struct ks_str text)
{
    struct ks_error err = {0};
    json_error_t why = {0};
    json_t *want = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    ks_rc rc = ks_json_parse(json, text, &err);
    bool is_same;

    if (rc == KS_RC_OK && want)
        is_same = same_value(ks_json_root(json), want);
    else if (rc == KS_RC_OK)
        is_same = is_let_through(&why);
    else
        is_same = !want || rc == KS_RC_LIMIT;
    if (!is_same)
        fail_msg("disagreement (ours: %s; jansson: %s) on: %.*s", rc ? err.msg : "accepted",
                 want ? "accepted" : why.text, KS_STR_ARGS(text));
    json_decref(want);
}

static const char *const seeds[] = {
    "{}",
    "[]",
    "[1,-2,3.5,1e5,-0,0.0,1E-3,12345678901234567890,1.7976931348623157e308]",
    "{\"a\":true,\"b\":false,\"c\":null,\"d\":\"x\",\"a\":[]}",
    "[\"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\\/\",\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]",
    "{\"k\":{\"k\":{\"k\":[[[{}]]]}},\"\\u006b\":0}",
    " { \"spaced\" : [ 1 , 2 , { } ] , \"t\" : \"\\t\" } ",
    "{\"kind\":\"Pod\",\"metadata\":{\"generation\":1},\"status\":{\"conditions\":[{\"type\":"
    "\"Ready\","
    "\"status\":\"True\",\"reason\":null}],\"observedGeneration\":1}}",
};

static void agrees_on_the_seeds(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(seeds); i++)
        compare(ks_str_from(seeds[i]));
}

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static size_t random_below(size_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % bound);
}

static const char *const pieces[] = {
    "{",          "}",        "[",
    "]",          ",",        ":",
    "\"",         "\\",       "\\u",
    "\\ud83d",    "\\ude00",  "\\u0000",
    "\\n",        "null",     "true",
    "false",      "0",        "1",
    "-",          "+",        ".",
    "e",          "E5",       "1e999",
    " ",          "\n",       "\t",
    "\x01",       "\x7f",     "\x80",
    "\xff",       "\xc3\xa9", "\xed\xa0\x80",
    "/",          "a",        "\"a\":",
    "[[",         "{}",       "1e-400",
    "9999999999",
};

static size_t mutate(char *text, size_t len)
{
    size_t at = random_below(len + 1);
    const char *piece = pieces[random_below(KS_ARRAY_LEN(pieces))];
    size_t piece_len = strlen(piece);
    size_t cut = at < len ? random_below(len - at < 6 ? len - at + 1 : 6) : 0;

    if (random_below(2) == 0) { /* remove */
        memmove(text + at, text + at + cut, len - at - cut);
        len -= cut;
    }
    if (at > len)
        at = len;
    if (random_below(3) != 0 && len + piece_len < TEXT_MAX) { /* insert */
        memmove(text + at + piece_len, text + at, len - at);
        memcpy(text + at, piece, piece_len);
        len += piece_len;
    }
    return len;
}

static void agrees_on_mutations(void **state)
{
    char text[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < MUTATIONS; i++) {
        const char *seed = seeds[random_below(KS_ARRAY_LEN(seeds))];
        size_t len = strlen(seed);

        memcpy(text, seed, len);
        for (size_t n = 1 + random_below(4); n > 0; n--)
            len = mutate(text, len);
        /* An exact copy, so that a read beyond the end is a read beyond an allocation. */
        char *exact = ks_alloc(len ? len : 1);

        assert_non_null(exact);

        memcpy(exact, text, len);

        compare(ks_str_make(exact, len));
        ks_free(exact);
    }
}

static void agrees_on_real_answers(void **state)
{
    static const char *const files[] = {
        "list/pods.page-1.json", "list/deployments.json", "list/crds.json",
        "list/widgets.json",     "list/nodes.json",       "discovery/api.aggregated.json",
        "error/403.get.json",
    };
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(16u << 20);
    struct ks_error err = {0};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(files); i++) {
        char path[512];

        (void)snprintf(path, sizeof(path), KS_TESTS_DIR "/corpus/kube-1.36/%s", files[i]);
        if (ks_file_read(path, &text, &err))
            fail_msg("%s", err.msg);
        compare(ks_buf_str(&text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_on_the_seeds),
        cmocka_unit_test(agrees_on_real_answers),
        cmocka_unit_test(agrees_on_mutations),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
