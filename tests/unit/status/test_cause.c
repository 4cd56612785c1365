/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of causes: order, what is one cause, ceilings, untrusted text, the copy at rest; and that
 * docs/causes.md has the table's codes, in its order, with its sentences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "status/cause.h"
#include "support/torture.h"

static struct ks_causes set;
static struct ks_causes other;

static struct ks_cause make(ks_cause_code code, const char *name, const char *message)
{
    return (struct ks_cause){
        .code = code,
        .message = ks_str_from(message),
        .source = {.kind = KS_LIT("Pod"), .ns = KS_LIT("shop"), .name = ks_str_from(name)},
        .count = 1,
    };
}

static void add(ks_cause_code code, const char *name, const char *message)
{
    struct ks_cause cause = make(code, name, message);

    ks_causes_add(&set, &cause);
}

static void assert_str(struct ks_str s, const char *text)
{
    if (!ks_str_is(s, text))
        fail_msg("is \"%.*s\", not \"%s\"", KS_STR_ARGS(s), text);
}

static int setup(void **state)
{
    (void)state;
    ks_causes_init(&set);
    ks_causes_init(&other);
    return 0;
}

static void tells_most_first(void **state)
{
    (void)state;
    add(KS_CAUSE_REPLICAS_NOT_READY, "b", "1 of 3");
    add(KS_CAUSE_IMAGE_NOT_FOUND, "b", "x");
    add(KS_CAUSE_CRASH_LOOP, "b", "y");
    add(KS_CAUSE_CRASH_LOOP, "a", "z");
    assert_int_equal(set.count, 4);
    assert_int_equal(set.items[0].code, KS_CAUSE_IMAGE_NOT_FOUND);
    assert_str(set.items[1].message, "z");
    assert_str(set.items[2].message, "y");
    assert_str(set.items[3].message, "1 of 3");
}

static void adds_up_what_is_the_same(void **state)
{
    struct ks_cause cause = make(KS_CAUSE_CRASH_LOOP, "web-2", "Ended with code 1");

    (void)state;
    add(KS_CAUSE_IMAGE_NOT_FOUND, "web-1", "before");
    cause.container = KS_LIT("app");
    cause.first_seen_ms = 200;
    cause.last_seen_ms = 300;
    cause.restart_count = 4;
    ks_causes_add(&set, &cause);
    cause.source.name = KS_LIT("web-1");
    cause.first_seen_ms = 100;
    cause.last_seen_ms = 250;
    cause.restart_count = 9;
    cause.count = UINT32_MAX - 1;
    ks_causes_add(&set, &cause);
    ks_causes_add(&set, &cause);
    add(KS_CAUSE_REPLICAS_NOT_READY, "web-1", "behind");
    assert_int_equal(set.count, 3);
    assert_str(set.items[0].message, "before");
    assert_str(set.items[1].source.name, "web-1");
    assert_str(set.items[1].message, "Ended with code 1");
    assert_int_equal(set.items[1].count, UINT32_MAX);
    assert_int_equal(set.items[1].restart_count, 9);
    assert_int_equal(set.items[1].first_seen_ms, 100);
    assert_int_equal(set.items[1].last_seen_ms, 300);
    assert_str(set.items[2].message, "behind");
}

static void keeps_apart_what_differs(void **state)
{
    struct ks_cause cause = make(KS_CAUSE_CRASH_LOOP, "a", "x");

    (void)state;
    ks_causes_add(&set, &cause);
    cause.container = KS_LIT("app");
    ks_causes_add(&set, &cause);
    cause.source.ns = KS_LIT("other");
    ks_causes_add(&set, &cause);
    cause.source.kind = KS_LIT("Job");
    ks_causes_add(&set, &cause);
    cause.source.group = KS_LIT("batch");
    ks_causes_add(&set, &cause);
    add(KS_CAUSE_CRASH_LOOP, "a", "y");
    assert_int_equal(set.count, 6);
}

/* Of one container, the end with its code says more than a longer sentence. */
static void keeps_what_says_more(void **state)
{
    struct ks_cause cause = make(KS_CAUSE_CRASH_LOOP, "a", "short");

    (void)state;
    cause.container = KS_LIT("app");
    cause.has_exit = true;
    cause.exit_code = 7;
    ks_causes_add(&set, &cause);
    cause.has_exit = false;
    cause.message = KS_LIT("a much longer sentence");
    ks_causes_add(&set, &cause);
    assert_int_equal(set.count, 1);
    assert_true(set.items[0].has_exit && set.items[0].exit_code == 7);
    assert_str(set.items[0].message, "short");
}

static void holds_the_most_telling(void **state)
{
    (void)state;
    for (int i = KS_CAUSE_COUNT - 1; i >= 0; i -= 2)
        add((ks_cause_code)i, "a", "x");
    for (int i = 0; i < KS_CAUSE_COUNT; i += 2)
        add((ks_cause_code)i, "a", "x");
    for (int i = 1; i < KS_CAUSE_COUNT; i += 2)
        add((ks_cause_code)i, "a", "x");
    assert_int_equal(set.count, KS_CAUSES_MAX);
    for (size_t i = 0; i < set.count; i++) {
        assert_int_equal(set.items[i].code, i);
        assert_str(set.items[i].source.name, "a");
    }
}

static void cuts_what_tells_least(void **state)
{
    char name[400];
    char message[3000];
    size_t total = 0;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i + 3 < sizeof(message); i += 3)
        memcpy(message + i, "\xe2\x82\xac", 3);
    message[2997] = '\0';
    for (int i = 9; i >= 0; i--) {
        struct ks_cause cause = make((ks_cause_code)i, name, message);

        cause.container = ks_str_from(name);
        cause.source.group = ks_str_from(name);
        ks_causes_add(&set, &cause);
    }
    assert_true(set.count >= 4);
    for (size_t i = 0; i < set.count; i++) {
        const struct ks_cause *c = &set.items[i];

        assert_int_equal(c->code, i);
        assert_int_equal(c->source.name.len, 253);
        assert_true(c->message.len <= KS_CAUSE_MESSAGE_MAX && ks_str_is_utf8(c->message));
        total += c->message.len + 3 * 253 + 7;
    }
    assert_int_equal(set.items[0].message.len, 1023);
    assert_true(total <= KS_CAUSES_TEXT_MAX);
    add(KS_CAUSE_WARNING, name, message);
    assert_int_equal(set.items[0].message.len, 1023);
}

static void cleans_text(void **state)
{
    struct ks_cause cause = make(KS_CAUSE_WARNING, "a\nb", "");

    (void)state;
    cause.message = KS_LIT(" \t a\r\n\x1b[31m  b\x7f"
                           "c\xc2\x85"
                           "d\xe2\x80\xae"
                           "e\xe2\x80\xa8"
                           "f\xe2\x81\xa6g\xd8\x9ch\xff i\0j\xe2\x82 ");
    ks_causes_add(&set, &cause);
    assert_str(set.items[0].message,
               "a [31m b c d e f g h\xef\xbf\xbd i j\xef\xbf\xbd\xef\xbf\xbd");
    assert_str(set.items[0].source.name, "a b");
}

static void compares_what_is_news(void **state)
{
    struct ks_cause cause = make(KS_CAUSE_CRASH_LOOP, "a", "x");

    (void)state;
    assert_true(ks_causes_equal(NULL, 0, NULL, 0));
    ks_causes_add(&set, &cause);
    cause.count = 7;
    cause.last_seen_ms = 9;
    ks_causes_add(&other, &cause);
    assert_true(ks_causes_equal(set.items, set.count, other.items, other.count));
    assert_false(ks_causes_equal(set.items, set.count, other.items, 0));
    other.items[0].restart_count = 1;
    assert_false(ks_causes_equal(set.items, 1, other.items, 1));
    other.items[0].restart_count = 0;
    other.items[0].has_exit = true;
    assert_false(ks_causes_equal(set.items, 1, other.items, 1));
    other.items[0].has_exit = false;
    other.items[0].message = KS_LIT("y");
    assert_false(ks_causes_equal(set.items, 1, other.items, 1));
}

/* Children's causes become their owner's: in whatever order, with one line for what they share. */
static void merges_upwards(void **state)
{
    static const char *const names[] = {"web-3", "web-1", "web-2"};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        ks_causes_init(&other);
        for (size_t n = 0; n < 2; n++) {
            struct ks_cause cause =
                make(n ? KS_CAUSE_CRASH_LOOP : KS_CAUSE_CONTAINER_NOT_READY, names[i], "same");

            cause.container = n ? KS_LIT("app") : KS_LIT("side");
            ks_causes_add(&other, &cause);
        }
        ks_causes_merge(&set, other.items, other.count);
    }
    assert_int_equal(set.count, 2);
    for (size_t i = 0; i < set.count; i++) {
        assert_int_equal(set.items[i].count, 3);
        assert_str(set.items[i].source.name, "web-1");
    }
}

static void add_event(ks_cause_code code, const char *container, int64_t seen_ms)
{
    struct ks_cause cause = make(code, "web-1", "as an Event says");

    cause.container = ks_str_from(container);
    cause.last_seen_ms = seen_ms;
    cause.is_event = true;
    ks_causes_merge_events(&set, &cause, 1);
}

/* The container has ended at 1,000,000: what was before is no cause of how it is now. */
static void tells_last_what_is_past(void **state)
{
    struct ks_cause ended = make(KS_CAUSE_CRASH_LOOP, "web-2", "Ended with code 1");

    (void)state;
    ended.container = KS_LIT("app");
    ended.last_seen_ms = 1000000;
    ks_causes_add(&set, &ended);
    add_event(KS_CAUSE_IMAGE_PULL_ERROR, "app", 999999);
    add_event(KS_CAUSE_SECRET_MISSING, "", 999999);
    assert_int_equal(set.items[0].code, KS_CAUSE_CRASH_LOOP);
    assert_int_equal(set.items[1].code, KS_CAUSE_IMAGE_PULL_ERROR);
    assert_int_equal(set.items[2].code, KS_CAUSE_SECRET_MISSING);
    add_event(KS_CAUSE_IMAGE_NOT_FOUND, "app", 1000000);
    add_event(KS_CAUSE_IMAGE_NAME_INVALID, "other", 1);
    assert_int_equal(set.items[0].code, KS_CAUSE_IMAGE_NOT_FOUND);
    assert_int_equal(set.items[1].code, KS_CAUSE_IMAGE_NAME_INVALID);
    assert_int_equal(set.items[2].code, KS_CAUSE_CRASH_LOOP);
}

static void what_ends_a_container_is_seen_before_its_end(void **state)
{
    struct ks_cause runs = make(KS_CAUSE_CONTAINER_NOT_READY, "web-1", "The container runs");

    (void)state;
    runs.first_seen_ms = 1000000;
    ks_causes_add(&set, &runs);
    add_event(KS_CAUSE_LIVENESS_PROBE_FAILED, "", 700000);
    assert_int_equal(set.items[0].code, KS_CAUSE_LIVENESS_PROBE_FAILED);
    add_event(KS_CAUSE_STARTUP_PROBE_FAILED, "", 699999);
    assert_int_equal(set.items[1].code, KS_CAUSE_CONTAINER_NOT_READY);
    assert_int_equal(set.items[2].code, KS_CAUSE_STARTUP_PROBE_FAILED);
}

static void run_dup(void *ctx)
{
    struct ks_cause_list *list = ks_cause_list_dup(set.items, set.count);

    (void)ctx;
    if (ks_alloc_failed()) {
        assert_null(list);
        return;
    }
    assert_non_null(list);
    assert_true(ks_causes_equal(list->items, list->count, set.items, set.count));
    ks_causes_init(&other);
    ks_causes_merge(&other, list->items, list->count);
    assert_true(ks_causes_equal(list->items, list->count, other.items, other.count));
    ks_free(list);
}

static void keeps_a_copy(void **state)
{
    (void)state;
    assert_int_equal(ks_torture(run_dup, NULL), 1);
    add(KS_CAUSE_CRASH_LOOP, "a", "x");
    add(KS_CAUSE_WARNING, "", "");
    assert_int_equal(ks_torture(run_dup, NULL), 1);
}

/* docs/causes.md: "| `CODE` | meaning | read from | what mends it |". */
static void is_documented(void **state)
{
    struct ks_buf text = KS_BUF(1u << 20);
    struct ks_str rest;
    struct ks_str line;
    int at = 0;

    (void)state;
    assert_int_equal(ks_file_read(KS_TESTS_DIR "/../docs/causes.md", &text, NULL), KS_RC_OK);
    rest = ks_buf_str(&text);
    while (rest.len > 0 && ks_str_split(&rest, '\n', &line)) {
        char start[64];
        char end[256];

        if (!ks_str_starts(line, KS_LIT("| `")))
            continue;
        assert_true(at < KS_CAUSE_COUNT);
        (void)snprintf(start, sizeof(start), "| `%s` | ", ks_cause_code_text((ks_cause_code)at));
        (void)snprintf(end, sizeof(end), " | %s |", ks_cause_suggestion((ks_cause_code)at));
        if (!ks_str_starts(line, ks_str_from(start)) || !ks_str_ends(line, ks_str_from(end)))
            fail_msg("docs/causes.md: want a row \"%s...%s\", have %.*s", start, end,
                     KS_STR_ARGS(line));
        at++;
    }
    assert_int_equal(at, KS_CAUSE_COUNT);
    ks_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tells_most_first, setup),
        cmocka_unit_test_setup(adds_up_what_is_the_same, setup),
        cmocka_unit_test_setup(keeps_apart_what_differs, setup),
        cmocka_unit_test_setup(keeps_what_says_more, setup),
        cmocka_unit_test_setup(holds_the_most_telling, setup),
        cmocka_unit_test_setup(cuts_what_tells_least, setup),
        cmocka_unit_test_setup(cleans_text, setup),
        cmocka_unit_test_setup(compares_what_is_news, setup),
        cmocka_unit_test_setup(merges_upwards, setup),
        cmocka_unit_test_setup(tells_last_what_is_past, setup),
        cmocka_unit_test_setup(what_ends_a_container_is_seen_before_its_end, setup),
        cmocka_unit_test_setup(keeps_a_copy, setup),
        cmocka_unit_test(is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
