/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c mirror_fixture.c */
/*
 * The informer: what becomes of lists, events, repeats and gaps. shared/spec: informers 2.
 *
 * The log has one word a call: +web@12 upsert, -web gone by an event, ~web missed, /web replaced,
 * !web unreadable
 * (!! with a record), synced, limit, and the states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/path.h"
#include "kube/informer.h"
#include "mirror_fixture.h"
#include "support/torture.h"

struct watcher {
    struct fake_kube f;
    struct ks_informer *informer;
    char log[8192];
    size_t len;
    unsigned calls;
    unsigned free_at;
    unsigned hung; /* records that carry something of ours */
};

static void on_release(void *ctx, struct ks_record *record)
{
    struct watcher *w = ctx;

    if (record->user)
        w->hung--;
}

static void note(struct watcher *w, const char *fmt, ...) KS_PRINTF(2, 3);

static void note(struct watcher *w, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(w->log + w->len, sizeof(w->log) - w->len, fmt, args);
    va_end(args);
    assert_true(len >= 0 && w->len + (size_t)len < sizeof(w->log));
    w->len += (size_t)len;
    assert_non_null(w->informer); /* no callback after free */
    if (++w->calls == w->free_at)
        w->informer = ks_informer_free(w->informer, on_release);
}

static void on_upsert(void *ctx, struct ks_record *record, struct ks_json_value object)
{
    struct watcher *w = ctx;

    assert_true(ks_str_eq(ks_json_lenient_str(object, "metadata.name", ""), record->name));
    if (!record->user)
        w->hung++;
    record->user = w;
    note(w, "+%.*s@%.*s ", KS_STR_ARGS(record->name), KS_STR_ARGS(record->resource_version));
}

static void on_gone(void *ctx, struct ks_record *record, ks_gone how)
{
    static const char signs[] = {
        [KS_GONE_SEEN] = '-', [KS_GONE_MISSED] = '~', [KS_GONE_REPLACED] = '/'};
    struct watcher *w = ctx;

    assert_ptr_equal(record->user, w);
    w->hung--;
    assert_null(ks_informer_find(w->informer, record->ns, record->name));
    note(w, "%c%.*s ", signs[how], KS_STR_ARGS(record->name));
}

static void on_bad_object(void *ctx, struct ks_record *record, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err)
{
    (void)ns;
    assert_true(err->msg[0] != '\0');
    note(ctx, "!%s%.*s ", record ? "!" : "", KS_STR_ARGS(name));
}

static void on_bad_gone(void *ctx, struct ks_str ns, struct ks_str name)
{
    (void)ns;
    note(ctx, "-!%.*s ", KS_STR_ARGS(name));
}

static void on_synced(void *ctx)
{
    note(ctx, "synced ");
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err)
{
    struct watcher *w = ctx;

    (void)err;
    assert_int_equal(ks_informer_state(w->informer), state);
    note(w, "%s ", ks_source_state_text(state));
}

static void on_limit(void *ctx)
{
    note(ctx, "limit ");
}

static void on_reset(void *ctx)
{
    note(ctx, "reset ");
}

static const struct ks_informer_ops ops = {
    .on_upsert = on_upsert,
    .on_gone = on_gone,
    .on_bad_object = on_bad_object,
    .on_bad_gone = on_bad_gone,
    .on_synced = on_synced,
    .on_state = on_state,
    .on_limit = on_limit,
    .on_reset = on_reset,
};

static struct ks_informer_config default_config(struct watcher *w)
{
    return (struct ks_informer_config){
        .source = {.resource = w->f.resource, .ns = KS_LIT("default")}, .max_objects = 1000};
}

static void start(struct watcher *w, const struct ks_informer_config *config)
{
    assert_int_equal(ks_informer_new(w->f.kube, config, &ops, w, &w->informer, NULL), KS_RC_OK);
    ks_informer_start(w->informer);
    (void)fake_await_request(&w->f, 0);
}

static int setup_bare(void **state)
{
    struct watcher *w = ks_alloc0(sizeof(*w));

    assert_non_null(w);
    assert_true(fake_kube_init(&w->f));
    *state = w;
    return 0;
}

static int setup(void **state)
{
    struct ks_informer_config config;

    (void)setup_bare(state);
    config = default_config(*state);
    start(*state, &config);
    return 0;
}

static int teardown(void **state)
{
    struct watcher *w = *state;

    w->informer = ks_informer_free(w->informer, on_release);
    assert_int_equal(w->hung, 0);
    assert_false(fake_has_open(&w->f));
    fake_kube_fini(&w->f);
    ks_free(w);
    return 0;
}

static void expect(struct watcher *w, const char *log)
{
    assert_string_equal(w->log, log);
    w->len = 0;
    w->log[0] = '\0';
}

/* web@5 and db@6, watching from 10. */
static void sync_two(struct watcher *w)
{
    fake_head(&w->f);
    fake_line(&w->f, EVENT("ADDED", "web", "5"));
    fake_line(&w->f, EVENT("ADDED", "db", "6"));
    assert_false(ks_informer_is_synced(w->informer));
    fake_line(&w->f, INITIAL_END("10"));
    assert_true(ks_informer_is_synced(w->informer));
    assert_int_equal(ks_informer_count(w->informer), 2);
    expect(w, "+web@5 +db@6 synced fresh ");
}

static void begin_resync(struct watcher *w)
{
    fake_line(&w->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&w->f, 60000);
    fake_head(&w->f);
    expect(w, "");
}

#define EVENT_UID(type, name, rv, uid)                                                             \
    "{\"type\":\"" type "\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"" name    \
    "\",\"namespace\":\"default\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}}}"

/* Fault i36: ADDED for a known object, MODIFIED or DELETED for an unknown one -> the object as it
 * is; the deletion of nobody is ignored. */
static void events_change_the_store(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_line(&w->f, EVENT("MODIFIED", "web", "11"));
    fake_line(&w->f, EVENT("MODIFIED", "new", "12"));
    fake_line(&w->f, EVENT("ADDED", "web", "13"));
    fake_line(&w->f, EVENT("DELETED", "db", "14"));
    fake_line(&w->f, EVENT("DELETED", "never", "15"));
    expect(w, "+web@11 +new@12 +web@13 -db ");
    assert_int_equal(ks_informer_count(w->informer), 2);
    assert_non_null(ks_informer_find(w->informer, KS_LIT("default"), KS_LIT("new")));
}

/* Fault i35, r6: events that repeat, or come from the past -> nothing. */
static void repeats_and_replays_are_dropped(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_line(&w->f, EVENT("MODIFIED", "web", "11"));
    fake_line(&w->f, EVENT("MODIFIED", "web", "11"));
    fake_line(&w->f, EVENT("MODIFIED", "web", "9"));
    fake_line(&w->f, EVENT("DELETED", "web", "10"));
    expect(w, "+web@11 ");
    /* What is no number is only the same or not. */
    fake_line(&w->f, EVENT("MODIFIED", "web", "b/1"));
    fake_line(&w->f, EVENT("MODIFIED", "web", "a/1"));
    fake_line(&w->f, EVENT("MODIFIED", "web", "a/1"));
    expect(w, "+web@b/1 +web@a/1 ");
}

/* Fault i37, r7: another UID under a known name -> NotFound for the old one, then the new one. */
static void another_uid_is_another_object(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_line(&w->f, EVENT_UID("MODIFIED", "web", "11", "second"));
    expect(w, "/web +web@11 ");
    /* The end of the first one is not the end of the second. */
    fake_line(&w->f, EVENT_UID("DELETED", "web", "12", "u-web"));
    expect(w, "");
    fake_line(&w->f, EVENT_UID("DELETED", "web", "13", "second"));
    fake_line(&w->f, EVENT_UID("ADDED", "web", "14", "third"));
    expect(w, "-web +web@14 ");
    /* Nor is a replay of the first one's life. */
    fake_line(&w->f, EVENT_UID("MODIFIED", "web", "6", "u-web"));
    expect(w, "");
}

static void a_complete_sync_sweeps_what_it_does_not_hold(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    begin_resync(w);
    fake_line(&w->f, EVENT("ADDED", "web", "5"));
    fake_line(&w->f, EVENT("ADDED", "new", "18"));
    expect(w, "+new@18 ");
    fake_line(&w->f, INITIAL_END("20"));
    expect(w, "~db ");
    assert_int_equal(ks_informer_count(w->informer), 2);
}

static void a_broken_sync_sweeps_nothing(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    begin_resync(w);
    fake_line(&w->f, EVENT("ADDED", "web", "5"));
    fake_break(&w->f);
    (void)fake_await_request(&w->f, 10000);
    fake_head(&w->f);
    fake_data(&w->f, "{\"items\":[" OBJECT("web", "5"));
    fake_end(&w->f);
    fake_answer(&w->f, "{\"kind\":\"Status\"}");
    assert_int_equal(ks_informer_count(w->informer), 2);
    assert_null(strstr(w->log, "~"));
}

static void a_retried_first_page_confirms_anew(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_line(&w->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&w->f, 10000);
    fake_refuse(&w->f, 422, "");
    fake_head(&w->f);
    fake_data(&w->f, "{\"items\":[" OBJECT("web", "5") "," OBJECT("db", "6") ",");
    fake_break(&w->f);
    /* Between the two answers db went. */
    fake_answer(&w->f, LIST("20", "", OBJECT("web", "5")));
    expect(w, "~db ");
}

static void a_sync_is_the_truth_even_with_smaller_versions(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    begin_resync(w);
    fake_line(&w->f, EVENT("ADDED", "web", "3"));
    fake_line(&w->f, EVENT_UID("ADDED", "db", "2", "other"));
    expect(w, "reset +web@3 /db +db@2 ");
    /* The list's own version proves it once more, for what was gone before and is back now. */
    fake_line(&w->f, INITIAL_END("4"));
    expect(w, "reset stale ");
    (void)fake_await_request(&w->f, 4000);
    assert_false(fake_asks(&w->f, "resourceVersion="));
    fake_head(&w->f);
    fake_line(&w->f, EVENT("ADDED", "web", "3"));
    fake_line(&w->f, INITIAL_END("4"));
    expect(w, "+web@3 ~db fresh ");
}

/* Its version is higher already, so the server's word is no help: the objects' own versions are. */
static void another_world_shows_by_its_objects(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    begin_resync(w);
    fake_line(&w->f, EVENT_UID("ADDED", "web", "3", "other"));
    expect(w, "reset /web +web@3 ");
    fake_line(&w->f, EVENT_UID("ADDED", "db", "2", "another"));
    fake_line(&w->f, INITIAL_END("400"));
    expect(w, "/db +db@2 ");
}

static void unreadable_objects_stay(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    begin_resync(w);
    fake_line(&w->f, "not json");
    (void)fake_await_request(&w->f, 10000);
    fake_answer(&w->f, LIST("20", "",
                            "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\"},"
                            "\"spec\":[1 2]}"));
    fake_head(&w->f);
    expect(w, "stale !!web ~db fresh ");
}

/* A watch event about an object that is too deep to be read. */
static void feed_deep(struct watcher *w, const char *type, const char *name, const char *version)
{
    enum { LEVELS = 9000 };
    static char deep[2 * LEVELS + 1];
    struct ks_buf line;

    memset(deep, '[', LEVELS);
    memset(deep + LEVELS, ']', LEVELS);
    ks_buf_init(&line, (size_t)1 << 20);
    assert_int_equal(ks_buf_appendf(&line,
                                    "{\"type\":\"%s\",\"object\":{\"kind\":\"Deployment\","
                                    "\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\","
                                    "\"resourceVersion\":\"%s\"},\"spec\":%s}}",
                                    type, name, version, deep),
                     KS_RC_OK);
    fake_line(&w->f, line.data);
    ks_buf_fini(&line);
}

static void the_end_of_what_cannot_be_read_is_told(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    feed_deep(w, "MODIFIED", "web", "21");
    feed_deep(w, "DELETED", "web", "1"); /* a replay */
    feed_deep(w, "DELETED", "web", "22");
    feed_deep(w, "DELETED", "web", "22");
    feed_deep(w, "ADDED", "big", "23");
    feed_deep(w, "DELETED", "big", "24");
    expect(w, "!!web -web -!web !big -!big ");
}

static void an_unnamed_object_stops_the_sweep(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_line(&w->f, ERROR_EVENT("Expired", "410"));
    (void)fake_await_request(&w->f, 10000);
    fake_refuse(&w->f, 422, "");
    fake_answer(&w->f, LIST("20", "", OBJECT("web", "12") ",{\"metadata\":7}"));
    fake_head(&w->f);
    expect(w, "+web@12 ! ");
    assert_int_equal(ks_informer_count(w->informer), 2);
}

static void a_kind_that_goes_takes_its_objects_along(void **state)
{
    struct watcher *w = *state;

    sync_two(w);
    fake_break(&w->f);
    (void)fake_await_request(&w->f, 2000);
    fake_refuse(&w->f, 404, "404 page not found");
    fake_resolve(&w->f, KS_RC_NOTFOUND, NULL);
    assert_int_equal(ks_informer_count(w->informer), 0);
    assert_non_null(strstr(w->log, "~web"));
    assert_non_null(strstr(w->log, "~db"));
    assert_null(strstr(w->log, "synced"));
    assert_non_null(strstr(w->log, "absent"));
}

static void a_kind_that_was_never_there_is_not_synced(void **state)
{
    struct watcher *w = *state;

    fake_refuse(&w->f, 404, "404 page not found");
    fake_resolve(&w->f, KS_RC_NOTFOUND, NULL);
    expect(w, "syncing absent ");
    assert_false(ks_informer_is_synced(w->informer));
}

static void the_ceiling_is_told_once_a_sync(void **state)
{
    struct watcher *w = *state;
    struct ks_informer_config config = default_config(w);

    config.max_objects = 1;
    start(w, &config);
    fake_head(&w->f);
    fake_line(&w->f, EVENT("ADDED", "web", "5"));
    fake_line(&w->f, EVENT("ADDED", "db", "6"));
    fake_line(&w->f, EVENT("ADDED", "new", "7"));
    fake_line(&w->f, INITIAL_END("10"));
    expect(w, "+web@5 limit synced fresh ");
    fake_line(&w->f, EVENT("MODIFIED", "db", "11"));
    fake_line(&w->f, EVENT("DELETED", "db", "12"));
    fake_line(&w->f, EVENT("MODIFIED", "web", "13"));
    expect(w, "+web@13 ");
}

static void only_wanted_names_are_kept(void **state)
{
    static const struct ks_str names[] = {KS_LIT("db"), KS_LIT("web")};
    struct watcher *w = *state;
    struct ks_informer_config config = default_config(w);

    config.names = names;
    config.name_count = KS_ARRAY_LEN(names);
    start(w, &config);
    fake_head(&w->f);
    fake_line(&w->f, EVENT("ADDED", "api", "4"));
    fake_line(&w->f, EVENT("ADDED", "web", "5"));
    fake_line(&w->f, INITIAL_END("10"));
    fake_line(&w->f, EVENT("ADDED", "db", "11"));
    fake_line(&w->f, EVENT("ADDED", "zoo", "12"));
    /* Not even looked at: this one is no JSON behind its metadata. */
    fake_line(&w->f, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
                     "\"name\":\"zoo\",\"namespace\":\"default\",\"resourceVersion\":\"13\"},x}}");
    expect(w, "+web@5 synced fresh +db@11 ");
    fake_break(&w->f);
    (void)fake_await_request(&w->f, 2000);
    assert_true(fake_asks(&w->f, "limit=1"));
    fake_answer(&w->f, LIST("13", "", ""));
    assert_true(fake_asks(&w->f, "resourceVersion=13"));
    fake_refuse(&w->f, 410, "");
    (void)fake_await_request(&w->f, 4000);
    fake_refuse(&w->f, 422, "");
    fake_answer(&w->f, LIST("20", "", OBJECT("api", "4") "," OBJECT("web", "5")));
    assert_int_equal(ks_informer_count(w->informer), 1);
}

static void count_record(void *ctx, struct ks_record *record)
{
    unsigned *count = ctx;

    assert_true(record->name.len > 0);
    (*count)++;
}

static void all_records_can_be_walked(void **state)
{
    struct watcher *w = *state;
    unsigned count = 0;

    sync_two(w);
    ks_informer_foreach(w->informer, count_record, &count);
    assert_int_equal(count, 2);
}

/* Names an object before it stops being JSON. */
/* A life with every callback in it; every step allows for an informer that was freed on the way. */
static void live(struct watcher *w)
{
    static const char *const steps[] = {
        EVENT("ADDED", "web", "5"),
        EVENT("ADDED", "db", "6"),
        EVENT("ADDED", "api", "7"),
        EVENT("ADDED", "too-many", "8"),
        INITIAL_END("10"),
        EVENT_UID("MODIFIED", "web", "11", "second"),
        EVENT("DELETED", "api", "12"),
    };

    if (fake_has_open(&w->f))
        fake_head(&w->f);
    for (size_t i = 0; i < KS_ARRAY_LEN(steps); i++) {
        if (fake_has_open(&w->f))
            fake_line(&w->f, steps[i]);
    }
    if (fake_has_open(&w->f))
        feed_deep(w, "MODIFIED", "db", "13");
    if (fake_has_open(&w->f))
        fake_line(&w->f, "no json");
    fake_advance(&w->f, 10000);
    if (fake_has_open(&w->f))
        fake_line(&w->f, ERROR_EVENT("Expired", "410"));
    fake_advance(&w->f, 10000);
    if (fake_has_open(&w->f))
        fake_refuse(&w->f, 422, "");
    if (fake_has_open(&w->f))
        fake_answer(&w->f, LIST("20", "", OBJECT("new", "15")));
}

static void it_may_be_freed_in_every_callback(void **state)
{
    unsigned calls = 0;

    for (unsigned at = 0; at <= calls; at++) {
        struct ks_informer_config config;
        struct watcher *w;

        (void)setup_bare(state);
        w = *state;
        config = default_config(w);
        config.max_objects = 3;
        w->free_at = at;
        start(w, &config);
        live(w);
        if (at == 0) {
            calls = w->calls;
            assert_true(calls > 12);
            assert_non_null(strstr(w->log, "limit"));
            assert_non_null(strstr(w->log, "/web"));
            assert_non_null(strstr(w->log, "~db"));
            assert_non_null(strstr(w->log, "-api"));
            assert_non_null(strstr(w->log, "!!db"));
        } else {
            assert_null(w->informer);
            assert_int_equal(w->calls, at);
        }
        (void)teardown(state);
    }
}

static void live_short_of_memory(void *ctx)
{
    struct watcher *w = ctx;
    struct ks_informer_config config = default_config(w);

    w->len = 0;
    w->f.count = 0;
    if (ks_informer_new(w->f.kube, &config, &ops, w, &w->informer, NULL))
        return;
    ks_informer_start(w->informer);
    fake_advance(&w->f, 100);
    live(w);
    w->informer = ks_informer_free(w->informer, on_release);
    assert_int_equal(w->hung, 0);
    assert_false(fake_has_open(&w->f));
}

/* Fault i56: any allocation fails -> one informer reports it; the process lives. */
static void no_failing_allocation_breaks_it(void **state)
{
    assert_true(ks_torture(live_short_of_memory, *state) > 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_change_the_store),
        TEST(repeats_and_replays_are_dropped),
        TEST(another_uid_is_another_object),
        TEST(a_complete_sync_sweeps_what_it_does_not_hold),
        TEST(a_broken_sync_sweeps_nothing),
        TEST(a_retried_first_page_confirms_anew),
        TEST(a_sync_is_the_truth_even_with_smaller_versions),
        TEST(another_world_shows_by_its_objects),
        TEST(unreadable_objects_stay),
        TEST(the_end_of_what_cannot_be_read_is_told),
        TEST(an_unnamed_object_stops_the_sweep),
        TEST(a_kind_that_goes_takes_its_objects_along),
        TEST(a_kind_that_was_never_there_is_not_synced),
        BARE(the_ceiling_is_told_once_a_sync),
        BARE(only_wanted_names_are_kept),
        TEST(all_records_can_be_walked),
        cmocka_unit_test(it_may_be_freed_in_every_callback),
        BARE(no_failing_allocation_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
