/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a stream: rows, the table of them, the screen, and lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <google/rpc/status.pb-c.h>

#include "base/alloc.h"
#include "client/cli/lines.h"
#include "client/cli/screen.h"
#include "client/cli/table.h"
#include "support/torture.h"

#define NOW_MS 1795528011000

/* Three targets: deploy/web, pods, widget/gadget. */
struct fixture {
    struct ks_targets targets;
    struct ks_rows *rows;
    struct ks_buf out;
};

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int setup(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    char *pairs[] = {text_of("deploy/web"), text_of("widget/gadget")};
    char *pods[] = {text_of("pods")};
    struct ks_options options = {.args = pairs, .arg_count = 2};
    struct ks_targets more;
    struct ks_error err = {0};

    if (!f || ks_targets_init(&f->targets, &options, &err))
        return -1;
    options.args = pods;
    options.arg_count = 1;
    if (ks_targets_init(&more, &options, &err))
        return -1;
    f->targets.list[2] = more.list[0];
    f->targets.list[2]->target_id = 3;
    f->targets.count = 3;
    f->rows = ks_rows_new(&f->targets);
    ks_buf_init(&f->out, 1u << 20);
    *state = f;
    return f->rows ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ks_buf_fini(&f->out);
    ks_rows_free(f->rows);
    ks_targets_fini(&f->targets);
    ks_free(f);
    return 0;
}

struct seen {
    const char *kind;
    const char *ns;
    const char *name;
    int status;
    const char *reason;
    const char *message;
    uint32_t target_id;
    const char *error;
    int ready;
    int desired; /* 0: no progress */
    int age_s;   /* 0: not known */
};

typedef ks_rc (*event_fn)(struct fixture *f, const Kstatus__V1__Event *event);

static ks_rc with_update(struct fixture *f, const struct seen *seen, event_fn fn)
{
    Kstatus__V1__Event event;
    Kstatus__V1__ResourceStatus s;
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Progress progress;
    Google__Protobuf__Timestamp time;
    Google__Rpc__Status error;
    uint32_t id = seen->target_id ? seen->target_id : 3;

    kstatus__v1__event__init(&event);
    kstatus__v1__resource_status__init(&s);
    kstatus__v1__object_ref__init(&object);
    kstatus__v1__progress__init(&progress);
    google__protobuf__timestamp__init(&time);
    google__rpc__status__init(&error);
    event.event_case = KSTATUS__V1__EVENT__EVENT_UPDATE;
    event.update = &s;
    s.object = &object;
    object.kind = text_of(seen->kind);
    object.namespace_ = text_of(seen->ns ? seen->ns : "shop");
    object.name = text_of(seen->name);
    s.status = (Kstatus__V1__ReconcileStatus)seen->status;
    s.reason = text_of(seen->reason ? seen->reason : "");
    s.message = text_of(seen->message ? seen->message : "");
    s.n_target_ids = 1;
    s.target_ids = &id;
    progress.ready_count = (uint32_t)seen->ready;
    progress.desired_count = (uint32_t)seen->desired;
    s.progress = seen->desired ? &progress : NULL;
    time.seconds = NOW_MS / 1000 - seen->age_s;
    s.transition_time = seen->age_s ? &time : NULL;
    error.message = text_of(seen->error ? seen->error : "");
    s.error = seen->error ? &error : NULL;
    return fn(f, &event);
}

static ks_rc apply(struct fixture *f, const Kstatus__V1__Event *event)
{
    return ks_rows_apply(f->rows, event, 1000);
}

static void see(struct fixture *f, struct seen seen)
{
    assert_int_equal(with_update(f, &seen, apply), KS_RC_OK);
}

static ks_rc with_target(struct fixture *f, uint32_t id, int to, const char *message, event_fn fn)
{
    Kstatus__V1__Event event;
    Kstatus__V1__TargetChange change;
    Google__Rpc__Status cause;

    kstatus__v1__event__init(&event);
    kstatus__v1__target_change__init(&change);
    google__rpc__status__init(&cause);
    event.event_case = KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE;
    event.target_change = &change;
    change.target_id = id;
    change.state = (Kstatus__V1__TargetChange__State)to;
    change.cause = message ? &cause : NULL;
    cause.message = text_of(message ? message : "");
    return fn(f, &event);
}

static void trouble(struct fixture *f, uint32_t id, int to, const char *message)
{
    assert_int_equal(with_target(f, id, to, message, apply), KS_RC_OK);
}

#define IN_PROGRESS KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS
#define FAILED KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED
#define CURRENT KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT
#define TERMINATING KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_TERMINATING
#define NOT_FOUND KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_NOT_FOUND
#define UNKNOWN KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN
#define STATE(name) KSTATUS__V1__TARGET_CHANGE__STATE__STATE_##name

static ks_rc with_simple(struct fixture *f, int event_case, event_fn fn)
{
    Kstatus__V1__Event event;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Counts counts;
    Kstatus__V1__Draining draining;

    kstatus__v1__event__init(&event);
    kstatus__v1__synced__init(&synced);
    kstatus__v1__counts__init(&counts);
    kstatus__v1__draining__init(&draining);
    event.event_case = (Kstatus__V1__Event__EventCase)event_case;
    if (event.event_case == KSTATUS__V1__EVENT__EVENT_SYNCED) {
        event.synced = &synced;
        synced.counts = &counts;
        counts.current = 2;
    } else {
        event.draining = &draining;
    }
    return fn(f, &event);
}

static const char *render(struct fixture *f, struct ks_table_format format)
{
    ks_buf_clear(&f->out);
    format.now_ms = NOW_MS;
    assert_int_equal(ks_table_render(f->rows, &format, &f->out), KS_RC_OK);
    return f->out.data;
}

static void fill(struct fixture *f)
{
    see(f, (struct seen){.kind = "Deployment",
                         .name = "web",
                         .status = IN_PROGRESS,
                         .target_id = 1,
                         .reason = "LessAvailable",
                         .message = "2 of 3 replicas are available",
                         .ready = 2,
                         .desired = 3,
                         .age_s = 5});
    see(f, (struct seen){.kind = "Widget",
                         .name = "gadget",
                         .status = NOT_FOUND,
                         .target_id = 2,
                         .reason = "NotFound"});
    see(f,
        (struct seen){
            .kind = "Pod", .name = "b", .status = FAILED, .age_s = 200, .message = "crash loop"});
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = CURRENT, .age_s = 90000});
    assert_int_equal(with_simple(f, KSTATUS__V1__EVENT__EVENT_SYNCED, apply), KS_RC_OK);
}

static void a_table(void **state)
{
    struct fixture *f = *state;

    fill(f);
    assert_string_equal(
        render(f, (struct ks_table_format){.width = 80}),
        "STATUS        KIND/NAME       READY  AGE    MESSAGE\n"
        "◌ InProgress  Deployment/web  2/3    5s     2 of 3 replicas are available\n"
        "∅ NotFound    Widget/gadget   -      -      NotFound\n"
        "✓ Current     Pod/a           -      25h\n"
        "✗ Failed      Pod/b           -      3m20s  crash loop\n"
        "4 objects: 1 Failed, 1 InProgress, 1 NotFound, 1 Current\n");
}

static void an_ascii_table(void **state)
{
    struct fixture *f = *state;

    fill(f);
    see(f, (struct seen){
               .kind = "Pod", .name = "a", .status = TERMINATING, .message = "Ade\xcc\x81u"});
    assert_string_equal(
        render(f, (struct ks_table_format){.charset = KS_TEXT_ASCII}),
        "STATUS         KIND/NAME       READY  AGE    MESSAGE\n"
        "~ InProgress   Deployment/web  2/3    5s     2 of 3 replicas are available\n"
        "0 NotFound     Widget/gadget   -      -      NotFound\n"
        "- Terminating  Pod/a           -      -      Ade?u\n"
        "! Failed       Pod/b           -      3m20s  crash loop\n"
        "4 objects: 1 Failed, 1 InProgress, 1 Terminating, 1 NotFound\n");
}

static void an_empty_table(void **state)
{
    assert_string_equal(render(*state, (struct ks_table_format){.width = 80, .height = 10}),
                        "STATUS  KIND/NAME  AGE  MESSAGE\n"
                        "0 objects; waiting for first answers\n");
}

static void namespaces_show_when_there_are_several(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "Pod", .name = "a", .ns = "blue", .status = CURRENT});
    see(f, (struct seen){.kind = "Pod", .name = "a", .ns = "green", .status = CURRENT});
    assert_string_equal(render(f, (struct ks_table_format){.width = 80}),
                        "STATUS     KIND/NAME  NAMESPACE  AGE  MESSAGE\n"
                        "✓ Current  Pod/a      blue       -\n"
                        "✓ Current  Pod/a      green      -\n"
                        "2 objects: 2 Current; waiting for first answers\n");
}

/* Columns of the widest line, without colour. */
static size_t widest(const char *text)
{
    struct ks_str rest = ks_str_from(text);
    struct ks_str line;
    size_t most = 0;

    while (ks_str_split(&rest, '\n', &line)) {
        size_t width = ks_text_width(line, KS_TEXT_UTF8);

        most = width > most ? width : most;
    }
    return most;
}

static void narrow_tables_lose_columns(void **state)
{
    struct fixture *f = *state;

    fill(f);
    assert_string_equal(render(f, (struct ks_table_format){.width = 62}),
                        "STATUS        KIND/NAME       READY  MESSAGE\n"
                        "◌ InProgress  Deployment/web  2/3    2 of 3 replicas are avai…\n"
                        "∅ NotFound    Widget/gadget   -      NotFound\n"
                        "✓ Current     Pod/a           -\n"
                        "✗ Failed      Pod/b           -      crash loop\n"
                        "4 objects: 1 Failed, 1 InProgress, 1 NotFound, 1 Current\n");
    assert_string_equal(render(f, (struct ks_table_format){.width = 44}),
                        "STATUS        KIND/NAME     MESSAGE\n"
                        "◌ InProgress  Deploym…/web  2 of 3 replicas…\n"
                        "∅ NotFound    Widg…/gadget  NotFound\n"
                        "✓ Current     Pod/a\n"
                        "✗ Failed      Pod/b         crash loop\n"
                        "4 objects: 1 Failed, 1 InProgress, 1 NotFou…\n");
}

static void no_line_is_too_wide(void **state)
{
    struct fixture *f = *state;

    fill(f);
    see(f, (struct seen){.kind = "Pod",
                         .ns = "another-namespace-with-a-name",
                         .status = UNKNOWN,
                         .name = "漢字漢字漢字漢字-with-a-very-long-name-0123456789-0123456789",
                         .error = "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 and so on"});
    trouble(f, 1, STATE(DISCONNECTED), "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字");
    for (size_t width = 40; width < 140; width++) {
        const char *text = render(f, (struct ks_table_format){.width = width});

        if (widest(text) > width)
            fail_msg("at width %zu:\n%s", width, text);
    }
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void low_tables_keep_what_matters(void **state)
{
    struct fixture *f = *state;

    fill(f);
    for (int i = 0; i < 50; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%02d", i);
        see(f, (struct seen){.kind = "Pod", .name = name, .status = CURRENT});
    }
    assert_string_equal(
        render(f, (struct ks_table_format){.width = 80, .height = 6}),
        "STATUS        KIND/NAME       READY  AGE    MESSAGE\n"
        "◌ InProgress  Deployment/web  2/3    5s     2 of 3 replicas are available\n"
        "∅ NotFound    Widget/gadget   -      -      NotFound\n"
        "✗ Failed      Pod/b           -      3m20s  crash loop\n"
        "... and 51 more\n"
        "54 objects: 1 Failed, 1 InProgress, 1 NotFound, 51 Current\n");
    trouble(f, 1, STATE(DISCONNECTED), NULL);
    trouble(f, 2, STATE(FORBIDDEN), NULL);
    trouble(f, 3, STATE(KIND_MISSING), NULL);
    for (size_t height = 6; height < 80; height++) {
        const char *text = render(f, (struct ks_table_format){.width = 80, .height = height});

        if (lines_of(text) > height)
            fail_msg("at height %zu:\n%s", height, text);
    }
}

static void troubles_stand_below(void **state)
{
    struct fixture *f = *state;

    fill(f);
    trouble(f, 1, STATE(DISCONNECTED), "connection refused");
    trouble(f, 2, STATE(KIND_MISSING), NULL);
    trouble(f, 3, STATE(FORBIDDEN), "pods is \x1b[31mforbidden");
    trouble(f, 99, STATE(FORBIDDEN), "not ours");
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}),
                           "1 Current\n"
                           "! deploy/web is disconnected: connection refused\n"
                           "! widget/gadget is not served\n"
                           "! pods is forbidden: pods is \xef\xbf\xbd[31mforbidden\n"));
    trouble(f, 1, STATE(SYNCED), NULL);
    assert_null(strstr(render(f, (struct ks_table_format){.width = 80}), "deploy/web is"));
}

static void colours_add_to_words(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "Pod", .name = "b", .status = FAILED});
    assert_string_equal(render(f, (struct ks_table_format){.width = 80, .has_colour = true}),
                        "\x1b[1mSTATUS    KIND/NAME  AGE  MESSAGE\x1b[0m\n"
                        "\x1b[1;31m✗ Failed\x1b[0m  Pod/b      -\n"
                        "1 object: 1 Failed; waiting for first answers\n");
}

static void cluster_text_is_harmless(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "Po\x1b]0;d",
                         .name = "a\nb",
                         .status = CURRENT,
                         .message = "x\x1b[2Jy\xc2\x9bz\xe2\x80\xae"});
    assert_string_equal(
        render(f, (struct ks_table_format){.width = 80}),
        "STATUS     KIND/NAME    AGE  MESSAGE\n"
        "✓ Current  Po\xef\xbf\xbd]0;d/a b  -    x\xef\xbf\xbd[2Jy\xef\xbf\xbdz\xef\xbf\xbd\n"
        "1 object: 1 Current; waiting for first answers\n");
}

static void the_message_falls_back(void **state)
{
    struct fixture *f = *state;

    see(f,
        (struct seen){.kind = "Pod", .name = "a", .status = UNKNOWN, .reason = "R", .error = "E"});
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}), "  E\n"));
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = UNKNOWN, .reason = "R"});
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}), "  R\n"));
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = 99}); /* a newer server's */
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}), "? Unknown"));
}

static void rows_go_by_identity(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "Pod", .name = "a", .status = CURRENT});
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = FAILED});
    see(f, (struct seen){.kind = "Pod", .ns = "x", .name = "a", .status = CURRENT});
    assert_int_equal(ks_rows_count(f->rows), 2);
    assert_int_equal(ks_rows_count_of(f->rows, KS_STATUS_FAILED), 1);
    assert_int_equal(ks_rows_count_of(f->rows, KS_STATUS_CURRENT), 1);
}

static void a_kind_that_becomes_known_takes_its_row(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "", .name = "gadget", .status = UNKNOWN, .target_id = 2});
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}), "widget/gadget"));
    see(f, (struct seen){.kind = "Widget", .name = "gadget", .status = CURRENT, .target_id = 2});
    assert_int_equal(ks_rows_count(f->rows), 1);
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 80}), "Widget/gadget"));
}

static ks_rc apply_removed(struct fixture *f, const Kstatus__V1__Event *event)
{
    Kstatus__V1__Event removed;
    Kstatus__V1__Removed body;

    kstatus__v1__event__init(&removed);
    kstatus__v1__removed__init(&body);
    body.object = event->update->object;
    removed.event_case = KSTATUS__V1__EVENT__EVENT_REMOVED;
    removed.removed = &body;
    return ks_rows_apply(f->rows, &removed, 1000);
}

static void removed_objects_leave(void **state)
{
    struct fixture *f = *state;
    const struct seen a = {.kind = "Pod", .name = "a", .status = CURRENT};

    see(f, a);
    assert_int_equal(with_update(f, &a, apply_removed), KS_RC_OK);
    assert_int_equal(with_update(f, &a, apply_removed), KS_RC_OK);
    assert_int_equal(ks_rows_count(f->rows), 0);
    assert_int_equal(ks_rows_count_of(f->rows, KS_STATUS_CURRENT), 0);
}

static void gone_objects_fade_unless_named(void **state)
{
    struct fixture *f = *state;

    see(f, (struct seen){.kind = "Pod", .name = "a", .status = NOT_FOUND});
    see(f, (struct seen){.kind = "Deployment", .name = "web", .status = NOT_FOUND, .target_id = 1});
    ks_rows_sweep(f->rows, 5000);
    assert_int_equal(ks_rows_count(f->rows), 2);
    ks_rows_sweep(f->rows, 20000);
    assert_int_equal(ks_rows_count(f->rows), 1);
    assert_int_equal(ks_rows_count_of(f->rows, KS_STATUS_NOT_FOUND), 1);
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = NOT_FOUND});
    see(f, (struct seen){.kind = "Pod", .name = "a", .status = CURRENT}); /* made anew in time */
    ks_rows_sweep(f->rows, 20000);
    assert_int_equal(ks_rows_count(f->rows), 2);
}

static void draining_is_told(void **state)
{
    struct fixture *f = *state;

    fill(f);
    assert_int_equal(with_simple(f, KSTATUS__V1__EVENT__EVENT_DRAINING, apply), KS_RC_OK);
    assert_true(ks_rows_is_draining(f->rows));
    assert_non_null(strstr(render(f, (struct ks_table_format){.width = 0}),
                           "1 Current; the server is shutting down\n"));
}

static void ages(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{-5, "0s"},         {999, "0s"},       {119999, "119s"},      {120000, "2m0s"},
                {599000, "9m59s"},  {600000, "10m"},   {10799000, "179m"},    {10800000, "3h"},
                {172799000, "47h"}, {172800000, "2d"}, {INT64_MAX, "991167d"}};
    char out[KS_AGE_MAX];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++)
        assert_string_equal(ks_age_format(rows[i].ms, out), rows[i].text);
}

static struct ks_lines lines;

static ks_rc append_line(struct fixture *f, const Kstatus__V1__Event *event)
{
    lines.targets = &f->targets;
    return ks_lines_append_event(&lines, event, NOW_MS + 999, &f->out);
}

static void expect_line(struct fixture *f, ks_rc rc, const char *line)
{
    assert_int_equal(rc, KS_RC_OK);
    if (line[0])
        assert_memory_equal(f->out.data, "2026-11-24T13:46:51Z  ", 22);
    assert_string_equal(f->out.len ? f->out.data + 22 : "", line);
    ks_buf_clear(&f->out);
}

static void lines_of_updates(void **state)
{
    struct fixture *f = *state;
    struct seen s = {.kind = "Deployment",
                     .name = "web",
                     .status = FAILED,
                     .reason = "Why",
                     .message = "because"};

    expect_line(f, with_update(f, &s, append_line),
                "Failed       Deployment/web -n shop  [Why] because\n");
    s.reason = NULL;
    expect_line(f, with_update(f, &s, append_line),
                "Failed       Deployment/web -n shop  because\n");
    s.message = NULL;
    s.ns = "";
    expect_line(f, with_update(f, &s, append_line), "Failed       Deployment/web\n");
    s.error = "no\nrights";
    s.status = UNKNOWN;
    expect_line(f, with_update(f, &s, append_line), "Unknown      Deployment/web  no rights\n");
    s.kind = "";
    s.target_id = 1;
    expect_line(f, with_update(f, &s, append_line), "Unknown      deploy/web  no rights\n");
    expect_line(f, with_simple(f, KSTATUS__V1__EVENT__EVENT_SYNCED, append_line),
                "synced       0 Failed, 0 Unknown, 0 InProgress, 0 Terminating, 0 NotFound, "
                "2 Current\n");
    expect_line(f, with_simple(f, KSTATUS__V1__EVENT__EVENT_DRAINING, append_line),
                "draining     the server is shutting down\n");
    expect_line(f, with_simple(f, KSTATUS__V1__EVENT__EVENT__NOT_SET, append_line), "");
}

static void a_line_is_not_said_twice_in_a_row(void **state)
{
    struct fixture *f = *state;
    struct seen s = {.kind = "Deployment", .name = "web", .status = FAILED, .reason = "Why"};

    memset(&lines, 0, sizeof(lines));
    expect_line(f, with_update(f, &s, append_line), "Failed       Deployment/web -n shop  [Why]\n");
    expect_line(f, with_update(f, &s, append_line), "");
    s.name = "api";
    expect_line(f, with_update(f, &s, append_line), "Failed       Deployment/api -n shop  [Why]\n");
    s.name = "web";
    expect_line(f, with_update(f, &s, append_line), "");
    s.reason = "Other";
    expect_line(f, with_update(f, &s, append_line),
                "Failed       Deployment/web -n shop  [Other]\n");
    s.reason = "Why";
    expect_line(f, with_update(f, &s, append_line), "Failed       Deployment/web -n shop  [Why]\n");
}

static void lines_of_targets_tell_trouble_and_its_end(void **state)
{
    struct fixture *f = *state;

    memset(&lines, 0, sizeof(lines));
    expect_line(f, with_target(f, 1, STATE(LISTING), NULL, append_line), "");
    expect_line(f, with_target(f, 1, STATE(SYNCED), NULL, append_line), "");
    expect_line(f, with_target(f, 1, STATE(DISCONNECTED), "refused", append_line),
                "target       deploy/web: disconnected: refused\n");
    expect_line(f, with_target(f, 1, STATE(LISTING), NULL, append_line), "");
    expect_line(f, with_target(f, 1, STATE(SYNCED), NULL, append_line),
                "target       deploy/web: answers again\n");
    expect_line(f, with_target(f, 1, STATE(SYNCED), NULL, append_line), "");
    expect_line(f, with_target(f, 99, STATE(FORBIDDEN), NULL, append_line), "");
}

static const char *paint(struct fixture *f, struct ks_screen *s, const char *frame)
{
    ks_buf_clear(&f->out);
    assert_int_equal(ks_screen_paint(s, ks_str_from(frame), &f->out), KS_RC_OK);
    return f->out.data;
}

static void frames_are_painted_over(void **state)
{
    struct fixture *f = *state;
    struct ks_screen s;

    ks_screen_init(&s, -1); /* no terminal: the usual size */
    assert_int_equal(s.width, 80);
    assert_int_equal(s.height, 24);
    assert_string_equal(paint(f, &s, "a\nb\n"), "\x1b[?7l\x1b[2Ka\n\x1b[2Kb\n\x1b[J\x1b[?7h");
    assert_string_equal(paint(f, &s, "c\n"), "\r\x1b[2A\x1b[?7l\x1b[2Kc\n\x1b[J\x1b[?7h");
    assert_string_equal(paint(f, &s, ""), "\r\x1b[1A\x1b[?7l\x1b[J\x1b[?7h");
    assert_string_equal(paint(f, &s, "d\n"), "\x1b[?7l\x1b[2Kd\n\x1b[J\x1b[?7h");
    s.width = 100; /* what it was before the resize that is told now */
    ks_screen_on_resize(&s);
    assert_string_equal(paint(f, &s, "e\n"), "\x1b[H\x1b[2J\x1b[?7l\x1b[2Ke\n\x1b[J\x1b[?7h");
    ks_screen_on_resize(&s); /* nothing changed */
    assert_string_equal(paint(f, &s, "f\n"), "\r\x1b[1A\x1b[?7l\x1b[2Kf\n\x1b[J\x1b[?7h");
    ks_screen_on_continue(&s);
    assert_string_equal(paint(f, &s, "g\n"), "\x1b[?7l\x1b[2Kg\n\x1b[J\x1b[?7h");
}

static ks_rc apply_tortured(struct fixture *f, const Kstatus__V1__Event *event)
{
    return ks_rows_apply(f->rows, event, 1000);
}

static void run_all(void *ctx)
{
    struct fixture *f = ctx;
    struct ks_rows *kept = f->rows;
    const struct seen a = {.kind = "Pod", .name = "a", .status = CURRENT};
    const struct seen b = {.kind = "Pod", .name = "a", .status = FAILED};
    struct ks_table_format format = {.width = 80, .now_ms = NOW_MS};
    ks_rc rc = KS_RC_NOMEM;

    ks_buf_fini(&f->out);
    ks_buf_init(&f->out, 1u << 20);
    f->rows = ks_rows_new(&f->targets);
    if (f->rows) {
        rc = with_update(f, &a, apply_tortured);
        if (!rc)
            rc = with_update(f, &b, apply_tortured);
        if (!rc)
            rc = with_update(f, &b, append_line);
        if (!rc)
            rc = ks_table_render(f->rows, &format, &f->out);
    }
    assert_true(rc == KS_RC_OK || ks_alloc_failed());
    ks_rows_free(f->rows);
    f->rows = kept;
}

static void survives_without_memory(void **state)
{
    assert_true(ks_torture(run_all, *state) > 5);
}

#define WITH_ROWS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROWS(a_table),
        WITH_ROWS(an_ascii_table),
        WITH_ROWS(an_empty_table),
        WITH_ROWS(namespaces_show_when_there_are_several),
        WITH_ROWS(narrow_tables_lose_columns),
        WITH_ROWS(no_line_is_too_wide),
        WITH_ROWS(low_tables_keep_what_matters),
        WITH_ROWS(troubles_stand_below),
        WITH_ROWS(colours_add_to_words),
        WITH_ROWS(cluster_text_is_harmless),
        WITH_ROWS(the_message_falls_back),
        WITH_ROWS(rows_go_by_identity),
        WITH_ROWS(a_kind_that_becomes_known_takes_its_row),
        WITH_ROWS(removed_objects_leave),
        WITH_ROWS(gone_objects_fade_unless_named),
        WITH_ROWS(draining_is_told),
        cmocka_unit_test(ages),
        WITH_ROWS(lines_of_updates),
        WITH_ROWS(a_line_is_not_said_twice_in_a_row),
        WITH_ROWS(lines_of_targets_tell_trouble_and_its_end),
        WITH_ROWS(frames_are_painted_over),
        WITH_ROWS(survives_without_memory),
    };

    (void)setenv("LC_ALL", "C.UTF-8", 1); /* widths */
    (void)ks_text_init_locale();          /* UTF-8 */
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
