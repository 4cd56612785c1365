/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list splitter: same items however the text is cut, both member orders, limits, and trouble.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "json/items.h"
#include "json/json.h"
#include "support/torture.h"

#define MAX_ITEM 4096

/* Items joined by '|'. */
struct sink {
    struct ks_buf seen;
    size_t count;
    ks_rc answer;
};

static ks_rc on_item(void *ctx, struct ks_str text)
{
    struct sink *sink = ctx;

    sink->count++;
    if (sink->answer)
        return sink->answer;
    if (ks_buf_append_str(&sink->seen, text))
        return KS_RC_NOMEM;
    return ks_buf_append_byte(&sink->seen, '|');
}

static ks_rc on_skipped(void *ctx, struct ks_str head)
{
    struct sink *sink = ctx;

    return ks_buf_append_byte(&sink->seen, '!') ? KS_RC_NOMEM : on_item(sink, head);
}

static ks_rc feed_in_pieces(struct ks_json_items *s, struct ks_str text, size_t piece)
{
    struct ks_error err = {0};
    ks_rc rc = KS_RC_OK;

    for (size_t at = 0; at < text.len && !rc; at += piece)
        rc = ks_json_items_feed(s, ks_str_sub(text, at, piece), &err);
    if (rc)
        assert_true(err.msg[0] != '\0');
    return rc;
}

struct outcome {
    ks_rc rc;
    bool is_closed;
    bool has_items;
    size_t skipped;
    struct sink sink;
    struct ks_buf envelope;
};

static void outcome_fini(struct outcome *o)
{
    ks_buf_fini(&o->sink.seen);
    ks_buf_fini(&o->envelope);
}

static void split(struct ks_str text, size_t piece, size_t max_item, struct outcome *o)
{
    struct ks_error err = {0};
    struct ks_json_items *s;

    *o = (struct outcome){0};
    ks_buf_init(&o->sink.seen, 16u << 20);
    ks_buf_init(&o->envelope, 1u << 20);
    assert_int_equal(ks_json_items_new(max_item, on_item, &o->sink, &s, &err), KS_RC_OK);
    ks_json_items_set_on_skipped(s, on_skipped);
    o->rc = feed_in_pieces(s, text, piece);
    o->is_closed = ks_json_items_is_closed(s);
    o->has_items = ks_json_items_has_items(s);
    o->skipped = ks_json_items_skipped(s);
    assert_int_equal(ks_buf_append_str(&o->envelope, ks_json_items_envelope(s)), KS_RC_OK);
    s = ks_json_items_free(s);
    assert_null(s);
}

static void assert_split(const char *text, const char *items, const char *envelope)
{
    size_t len = strlen(text);

    for (size_t piece = 1; piece <= len; piece++) {
        struct outcome o;

        split(ks_str_from(text), piece, MAX_ITEM, &o);
        if (o.rc || !o.is_closed || !ks_str_is(ks_buf_str(&o.sink.seen), items) ||
            !ks_str_is(ks_buf_str(&o.envelope), envelope))
            fail_msg("%s in pieces of %zu: rc %d, items %.*s, envelope %.*s", text, piece,
                     (int)o.rc, KS_STR_ARGS(ks_buf_str(&o.sink.seen)),
                     KS_STR_ARGS(ks_buf_str(&o.envelope)));
        assert_true(o.has_items);
        outcome_fini(&o);
    }
}

static void splits_lists_of_built_in_kinds(void **state)
{
    (void)state;
    assert_split(
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1},"
        "{\"b\":[2,{\"c\":\"}]\\\"\"}]}]}",
        "{\"a\":1}|{\"b\":[2,{\"c\":\"}]\\\"\"}]}|",
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}");
}

static void splits_lists_of_custom_resources(void **state)
{
    (void)state;
    assert_split(
        "{\"apiVersion\":\"v1\",\"items\":[{\"a\":1}],\"kind\":\"L\",\"metadata\":{\"continue\":"
        "\"x\"}}",
        "{\"a\":1}|",
        "{\"apiVersion\":\"v1\",\"items\":[],\"kind\":\"L\",\"metadata\":{\"continue\":\"x\"}}");
}

static void keeps_white_space_out_of_items(void **state)
{
    (void)state;
    assert_split(" \n{ \"items\" : [ {\"a\": 1 } , { } \n, 5 ,\"x\", null] } \n",
                 "{\"a\": 1 }|{ }|5|\"x\"|null|", "{ \"items\" : [] }");
    assert_split("{\"items\":[ ]}", "", "{\"items\":[]}");
}

static void takes_null_for_an_empty_list(void **state)
{
    (void)state;
    assert_split("{\"items\":null,\"metadata\":{}}", "", "{\"items\":null,\"metadata\":{}}");
}

static void looks_at_the_top_level_alone(void **state)
{
    static const char *const texts[] = {
        "{\"a\":{\"items\":[1,2]},\"b\":\"items\",\"c\":[\"items\",[1]]}",
        "{\"items2\":[1],\"item\":[2],\"xitems\":[3],\"\":[4]}",
        "{\"items\":{\"items\":[1]}}",
        "{\"items\":\"x\"}",
        "{\"kind\":\"Status\",\"items\\\\\":[1]}",
        "{}",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
            struct outcome o;

            split(ks_str_from(texts[i]), piece, MAX_ITEM, &o);
            assert_int_equal(o.rc, KS_RC_OK);
            assert_true(o.is_closed);
            assert_false(o.has_items);
            assert_int_equal(o.sink.count, 0);
            assert_true(ks_str_is(ks_buf_str(&o.envelope), texts[i]));
            outcome_fini(&o);
        }
    }
}

static void refuses_what_cannot_become_an_object(void **state)
{
    static const char *const texts[] = {
        "[",
        "x",
        "\"a\"",
        "404 page not found",
        "<html>",
        "{}}",
        "{} {",
        "{}x",
        "{\"a\":[}",
        "{\"a\":{]",
        "{\"items\":[1}}",
        "{\"items\":[1,]}",
        "{\"items\":[,1]}",
        "{\"items\":[1,,2]}",
        "{\"items\":[{]}]}",
        "{\"items\":[],\"items\":[]}",
        "{\"items\":[1],\"a\":1,\"items\":[2]}",
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
            struct outcome o;

            split(ks_str_from(texts[i]), piece, MAX_ITEM, &o);
            if (o.rc != KS_RC_PARSE)
                fail_msg("accepted: %s", texts[i]);
            assert_false(o.is_closed);
            outcome_fini(&o);
        }
    }
}

static void a_truncated_answer_is_not_closed(void **state)
{
    struct ks_str whole = KS_LIT("{\"items\":[{\"a\":\"}\"},{}],\"metadata\":{}}");

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        struct outcome o;

        split(ks_str_sub(whole, 0, len), 3, MAX_ITEM, &o);
        assert_int_equal(o.rc, KS_RC_OK);
        assert_false(o.is_closed);
        outcome_fini(&o);
    }
}

static void skips_items_over_the_limit(void **state)
{
    struct ks_str text = KS_LIT("{\"items\":[12345678,123456789,\"x\",{\"aaaa\":[1,2,3]},9]}");

    (void)state;
    for (size_t piece = 1; piece <= text.len; piece++) {
        struct outcome o;

        split(text, piece, 8, &o);
        assert_int_equal(o.rc, KS_RC_OK);
        assert_true(o.is_closed);
        assert_int_equal(o.skipped, 2);
        assert_true(ks_str_is(ks_buf_str(&o.sink.seen), "12345678|!12345678|\"x\"|!{\"aaaa\":|9|"));
        outcome_fini(&o);
    }
}

static void bounds_the_envelope(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(1u << 20);
    struct outcome o;

    (void)state;
    assert_int_equal(ks_buf_append_str(&text, KS_LIT("{\"items\":[")), KS_RC_OK);
    for (int i = 0; i < 70000; i++)
        assert_int_equal(ks_buf_append_byte(&text, ' '), KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&text, KS_LIT("],\"a\":\"")), KS_RC_OK);
    split(ks_buf_str(&text), 16384, MAX_ITEM, &o);
    assert_int_equal(o.rc, KS_RC_OK); /* white space inside items is no envelope */
    outcome_fini(&o);
    for (int i = 0; i < 70000; i++)
        assert_int_equal(ks_buf_append_byte(&text, 'x'), KS_RC_OK);
    split(ks_buf_str(&text), 16384, MAX_ITEM, &o);
    assert_int_equal(o.rc, KS_RC_LIMIT);
    outcome_fini(&o);
}

static void bounds_depth(void **state)
{
    char text[1200];
    struct outcome o;

    (void)state;
    memset(text, '[', sizeof(text));
    memcpy(text, "{\"a\":", 5);
    split(ks_str_make(text, 5 + 511), 7, MAX_ITEM, &o);
    assert_int_equal(o.rc, KS_RC_OK);
    outcome_fini(&o);
    split(ks_str_make(text, 5 + 512), 7, MAX_ITEM, &o);
    assert_int_equal(o.rc, KS_RC_LIMIT);
    outcome_fini(&o);
}

static void a_deep_item_is_its_parsers_business(void **state)
{
    enum { LEVELS = 9000 };
    static char text[2 * LEVELS + 64];
    struct outcome o;
    int head;

    (void)state;
    head = snprintf(text, sizeof(text), "{\"items\":[1,");
    memset(text + head, '[', LEVELS);
    memset(text + head + LEVELS, ']', LEVELS);
    (void)snprintf(text + head + 2 * LEVELS, 16, ",{}]}");
    split(ks_str_from(text), 100, sizeof(text), &o);
    assert_int_equal(o.rc, KS_RC_OK);
    assert_int_equal(o.sink.count, 3);
    outcome_fini(&o);
}

static void a_refused_item_stops_it(void **state)
{
    struct sink sink = {.answer = KS_RC_CANCELLED};
    struct ks_error err = {0};
    struct ks_json_items *s;

    (void)state;
    assert_int_equal(ks_json_items_new(MAX_ITEM, on_item, &sink, &s, &err), KS_RC_OK);
    assert_int_equal(ks_json_items_feed(s, KS_LIT("{\"items\":[1,2,3]}"), &err), KS_RC_CANCELLED);
    assert_int_equal(sink.count, 1);
    assert_int_equal(ks_json_items_feed(s, KS_LIT(" "), &err), KS_RC_CANCELLED);
    assert_false(ks_json_items_is_closed(s));
    ks_json_items_free(s);
}

static void splits_real_answers(void **state)
{
    static const char *const files[] = {"pods.page-1", "pods.empty", "deployments", "replicasets",
                                        "widgets"};
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(16u << 20);
    struct ks_error err = {0};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(files); i++) {
        char path[512];
        struct outcome whole;

        (void)snprintf(path, sizeof(path), KS_TESTS_DIR "/corpus/kube-1.36/list/%s.json", files[i]);
        if (ks_file_read(path, &text, &err))
            fail_msg("%s", err.msg);
        split(ks_buf_str(&text), text.len, 1u << 20, &whole);
        assert_int_equal(whole.rc, KS_RC_OK);
        assert_true(whole.is_closed);
        for (size_t piece = 1; piece < 5000; piece = piece * 3 + 1) {
            struct outcome o;

            split(ks_buf_str(&text), piece, 1u << 20, &o);
            assert_true(ks_str_eq(ks_buf_str(&o.sink.seen), ks_buf_str(&whole.sink.seen)));
            assert_true(ks_str_eq(ks_buf_str(&o.envelope), ks_buf_str(&whole.envelope)));
            outcome_fini(&o);
        }
        outcome_fini(&whole);
    }
}

static void short_memory(void *ctx)
{
    struct sink sink = {0};
    struct ks_error err = {0};
    struct ks_json_items *s;
    ks_rc rc;

    (void)ctx;
    ks_buf_init(&sink.seen, 1024);
    rc = ks_json_items_new(MAX_ITEM, on_item, &sink, &s, &err);
    if (!rc) {
        rc = feed_in_pieces(s, KS_LIT("{\"items\":[{\"abc\":1},{\"d\":2}],\"k\":1}"), 4);
        assert_true(rc == KS_RC_NOMEM || ks_json_items_is_closed(s));
        ks_json_items_free(s);
    }
    assert_true(rc == KS_RC_OK || rc == KS_RC_NOMEM);
    ks_buf_fini(&sink.seen);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(short_memory, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_lists_of_built_in_kinds),
        cmocka_unit_test(splits_lists_of_custom_resources),
        cmocka_unit_test(keeps_white_space_out_of_items),
        cmocka_unit_test(takes_null_for_an_empty_list),
        cmocka_unit_test(looks_at_the_top_level_alone),
        cmocka_unit_test(refuses_what_cannot_become_an_object),
        cmocka_unit_test(a_truncated_answer_is_not_closed),
        cmocka_unit_test(skips_items_over_the_limit),
        cmocka_unit_test(bounds_the_envelope),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(a_deep_item_is_its_parsers_business),
        cmocka_unit_test(a_refused_item_stops_it),
        cmocka_unit_test(splits_real_answers),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
