/* SPDX-License-Identifier: Apache-2.0 */
/* How a wait ended: several outcomes as one, in words and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "client/cli/ending.h"
#include "client/cli/report.h"

#include "support/torture.h"

static const struct ks_options current = {.wait_goal = KS_WAIT_FOR_CURRENT};

static Kstatus__V1__Outcome outcome_of(Kstatus__V1__Outcome__Verdict verdict,
                                       Kstatus__V1__Counts *counts, uint32_t current_count)
{
    Kstatus__V1__Outcome outcome = KSTATUS__V1__OUTCOME__INIT;

    kstatus__v1__counts__init(counts);
    counts->current = current_count;
    outcome.verdict = verdict;
    outcome.counts = counts;
    return outcome;
}

#define REACHED KSTATUS__V1__OUTCOME__VERDICT__VERDICT_REACHED
#define FAILED KSTATUS__V1__OUTCOME__VERDICT__VERDICT_FAILED
#define TIMED_OUT KSTATUS__V1__OUTCOME__VERDICT__VERDICT_TIMED_OUT

static void the_worst_verdict_is_that_of_all(void **state)
{
    static const struct {
        Kstatus__V1__Outcome__Verdict a, b;
        int code;
    } rows[] = {
        {REACHED, REACHED, KS_EXIT_OK},     {REACHED, TIMED_OUT, KS_EXIT_TIME},
        {TIMED_OUT, REACHED, KS_EXIT_TIME}, {FAILED, TIMED_OUT, KS_EXIT_BAD},
        {TIMED_OUT, FAILED, KS_EXIT_BAD},   {REACHED, FAILED, KS_EXIT_BAD},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_ending *e = ks_alloc0(sizeof(*e));
        Kstatus__V1__Counts counts[2];
        Kstatus__V1__Outcome a = outcome_of(rows[i].a, &counts[0], 2);
        Kstatus__V1__Outcome b = outcome_of(rows[i].b, &counts[1], 3);

        assert_non_null(e);
        assert_int_equal(ks_ending_add(e, &a), KS_RC_OK);
        assert_int_equal(ks_ending_add(e, &b), KS_RC_OK);
        assert_int_equal(ks_ending_code(e), rows[i].code);
        assert_int_equal(e->count, 2);
        ks_ending_fini(e);
        ks_free(e);
    }
}

/* A selection that holds nothing, and an object with an obstacle, of ten in the way. */
struct scene {
    struct ks_ending ending;
    struct ks_ending spare;
    Kstatus__V1__Counts counts;
    Kstatus__V1__Outcome outcome;
    Kstatus__V1__ResourceStatus statuses[2];
    Kstatus__V1__ResourceStatus *list[2];
    Kstatus__V1__ObjectRef objects[2];
    Kstatus__V1__Obstacle obstacle;
    Kstatus__V1__Cause cause;
    Kstatus__V1__Cause *causes[1];
    uint32_t id;
    struct ks_targets targets;
};

static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal; /* nobody writes to it */
}

static void set_scene(struct scene *s)
{
    static const char *words[] = {"pods"};
    const struct ks_options options = {
        .args = (char **)(uintptr_t)words, .arg_count = 1, .ns = "shop", .label_selector = "app=x"};

    memset(s, 0, sizeof(*s));
    assert_int_equal(ks_targets_init(&s->targets, &options, NULL), KS_RC_OK);
    s->outcome = outcome_of(TIMED_OUT, &s->counts, 3);
    s->counts.failed = 1;
    s->id = 1;
    for (int i = 0; i < 2; i++) {
        kstatus__v1__resource_status__init(&s->statuses[i]);
        kstatus__v1__object_ref__init(&s->objects[i]);
        s->statuses[i].object = &s->objects[i];
        s->statuses[i].target_ids = &s->id;
        s->statuses[i].n_target_ids = 1;
        s->list[i] = &s->statuses[i];
    }
    s->objects[0].kind = text("Pod");
    s->objects[0].namespace_ = text("shop");
    s->objects[0].name = text("web-0");
    s->statuses[0].status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT;
    kstatus__v1__obstacle__init(&s->obstacle);
    s->obstacle.code = text("OLDER_GENERATION");
    s->obstacle.message = text("generation 1 is there\x1b[2J");
    s->statuses[0].obstacle = &s->obstacle;
    kstatus__v1__cause__init(&s->cause);
    s->cause.code = text("CRASH_LOOP");
    s->cause.container = text("main");
    s->cause.source = &s->objects[0];
    s->causes[0] = &s->cause;
    s->statuses[0].causes = s->causes;
    s->statuses[0].n_causes = 1;
    s->objects[1].kind = text("Pod");
    s->statuses[1].status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_NOT_FOUND;
    s->statuses[1].reason = text("NothingSelected");
    s->statuses[1].message = text("no object matches the selection");
    s->outcome.blocking = s->list;
    s->outcome.n_blocking = 2;
    s->outcome.blocking_count = 10;
    assert_int_equal(ks_ending_add(&s->ending, &s->outcome), KS_RC_OK);
}

static void what_was_in_the_way_is_said(void **state)
{
    struct scene *s = ks_alloc0(sizeof(*s));
    struct ks_buf out;

    (void)state;
    assert_non_null(s);
    set_scene(s);
    ks_buf_init(&out, 1u << 16);
    assert_int_equal(ks_ending_append_text(&out, &s->ending, &current, &s->targets, 61000),
                     KS_RC_OK);
    assert_string_equal(
        out.data,
        "timed out after 61s of waiting until all are Current (4 objects: 1 Failed, 3 Current)\n"
        "Current      Pod/web-0 -n shop\n"
        "  in the way  OLDER_GENERATION: generation 1 is there\xef\xbf\xbd[2J\n"
        "  causes      Pod/web-0\n"
        "                container main\n"
        "                  CRASH_LOOP\n"
        "NotFound     pods -l app=x  [NothingSelected] no object matches the selection\n"
        "and 8 more\n");
    ks_buf_fini(&out);
    ks_ending_fini(&s->ending);
    ks_targets_fini(&s->targets);
    ks_free(s);
}

static void each_ending_has_its_sentence(void **state)
{
    static const struct {
        Kstatus__V1__Outcome__Verdict verdict;
        ks_wait_goal goal;
        const char *says;
    } rows[] = {
        {REACHED, KS_WAIT_FOR_CURRENT, "reached after 5s: all are Current (1 object: 1 Current)\n"},
        {REACHED, KS_WAIT_FOR_NOT_FOUND, "reached after 5s: all are gone (1 object: 1 Current)\n"},
        {FAILED, KS_WAIT_FOR_TERMINAL,
         "given up after 5s of waiting until all are Current or Failed (1 object: 1 Current)\n"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_options options = {.wait_goal = rows[i].goal};
        struct ks_ending *e = ks_alloc0(sizeof(*e));
        struct ks_targets targets = {.count = 0};
        Kstatus__V1__Counts counts;
        Kstatus__V1__Outcome outcome = outcome_of(rows[i].verdict, &counts, 1);
        struct ks_buf out;

        assert_non_null(e);
        ks_buf_init(&out, 1u << 16);
        assert_int_equal(ks_ending_add(e, &outcome), KS_RC_OK);
        assert_int_equal(ks_ending_append_text(&out, e, &options, &targets, 5000), KS_RC_OK);
        assert_string_equal(out.data, rows[i].says);
        ks_buf_fini(&out);
        ks_ending_fini(e);
        ks_free(e);
    }
}

static void print_all(void *ctx)
{
    struct scene *s = ctx;
    struct ks_ending *e = &s->spare;
    struct ks_buf out;
    ks_rc rc;

    ks_buf_init(&out, 1u << 16);
    rc = ks_ending_add(e, &s->outcome);
    if (rc == KS_RC_OK)
        rc = ks_ending_append_text(&out, e, &current, &s->targets, 1000);
    if (rc == KS_RC_OK)
        rc = ks_ending_append_json(&out, e);
    ks_ending_fini(e);
    *e = (struct ks_ending){.count = 0};
    assert_int_equal(rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    if (rc == KS_RC_OK)
        assert_non_null(strstr(out.data,
                               "{\"verdict\":\"VERDICT_TIMED_OUT\",\"counts\":{\"failed\":"
                               "1,\"current\":3},\"blocking\":["));
    ks_buf_fini(&out);
}

static void short_memory_is_told(void **state)
{
    struct scene *s = ks_alloc0(sizeof(*s));

    (void)state;
    assert_non_null(s);
    set_scene(s);
    assert_true(ks_torture(print_all, s) >= 2);
    ks_ending_fini(&s->ending);
    ks_targets_fini(&s->targets);
    ks_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_verdict_is_that_of_all),
        cmocka_unit_test(what_was_in_the_way_is_said),
        cmocka_unit_test(each_ending_has_its_sentence),
        cmocka_unit_test(short_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
