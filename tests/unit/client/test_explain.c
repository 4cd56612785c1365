/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of an object, explained: the tree of causes, the JSON, the cause in brief. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <google/rpc/status.pb-c.h>

#include "base/alloc.h"
#include "client/cli/chain.h"
#include "client/cli/lines.h"
#include "client/cli/rows.h"
#include "client/cli/text.h"
#include "client/cli/told.h"
#include "support/torture.h"

#define CAUSES 20

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* A StatefulSet that failed for what its Pods suffer. */
struct fixture {
    struct ks_targets targets;
    struct ks_buf out;
    Kstatus__V1__ResourceStatus status;
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Progress progress;
    Kstatus__V1__Condition conditions[2];
    Kstatus__V1__Condition *condition_list[2];
    Kstatus__V1__Cause causes[CAUSES];
    Kstatus__V1__ObjectRef sources[CAUSES];
    Kstatus__V1__Cause *cause_list[CAUSES];
    Google__Protobuf__Timestamp time;
    Google__Rpc__Status error;
    uint32_t id;
};

static Kstatus__V1__Cause *cause_add(struct fixture *f, const char *code, const char *name,
                                     const char *container)
{
    size_t i = f->status.n_causes++;
    Kstatus__V1__Cause *c = &f->causes[i];

    kstatus__v1__cause__init(c);
    kstatus__v1__object_ref__init(&f->sources[i]);
    f->sources[i].kind = text_of(strcmp(name, "db") == 0 ? "StatefulSet" : "Pod");
    f->sources[i].name = text_of(name);
    c->source = &f->sources[i];
    c->code = text_of(code);
    c->container = text_of(container);
    c->message = text_of("It is so");
    c->suggestion = text_of("Mend it.");
    f->cause_list[i] = c;
    return c;
}

static void condition_fill(struct fixture *f, size_t i, const char *type, const char *reason,
                           const char *message)
{
    kstatus__v1__condition__init(&f->conditions[i]);
    f->conditions[i].type = text_of(type);
    f->conditions[i].status = text_of("True");
    f->conditions[i].reason = text_of(reason);
    f->conditions[i].message = text_of(message);
    f->condition_list[i] = &f->conditions[i];
}

static void status_fill(struct fixture *f)
{
    Kstatus__V1__ResourceStatus *s = &f->status;

    kstatus__v1__resource_status__init(s);
    kstatus__v1__object_ref__init(&f->object);
    kstatus__v1__progress__init(&f->progress);
    google__protobuf__timestamp__init(&f->time);
    google__rpc__status__init(&f->error);
    f->object.group = text_of("apps");
    f->object.version = text_of("v1");
    f->object.kind = text_of("StatefulSet");
    f->object.namespace_ = text_of("shop");
    f->object.name = text_of("db");
    f->progress.ready_count = 1;
    f->progress.desired_count = 3;
    f->time.seconds = 1795528011;
    f->id = 1;
    condition_fill(f, 0, "Stalled", "PodsFailed", "2 Pods failed");
    condition_fill(f, 1, "Other", "Cond", "more");
    s->object = &f->object;
    s->status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED;
    s->basis = KSTATUS__V1__STATUS_BASIS__STATUS_BASIS_KIND_RULE;
    s->reason = text_of("PodsFailed");
    s->message = text_of("2 Pods failed");
    s->progress = &f->progress;
    s->generation = 7;
    s->observed_case = KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION;
    s->observed_generation = 6;
    s->conditions = f->condition_list;
    s->n_conditions = 2;
    s->causes = f->cause_list;
    s->target_ids = &f->id;
    s->n_target_ids = 1;
}

static int setup(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));
    char *args[] = {text_of("sts/db")};
    struct ks_options options = {.args = args, .arg_count = 1};
    struct ks_error err = {0};

    if (!f || ks_targets_init(&f->targets, &options, &err))
        return -1;
    ks_buf_init(&f->out, 1u << 20);
    status_fill(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ks_buf_fini(&f->out);
    ks_targets_fini(&f->targets);
    ks_free(f);
    return 0;
}

static void crash_fill(struct fixture *f)
{
    Kstatus__V1__Cause *c = cause_add(f, "CRASH_LOOP", "db-1", "main");

    c->exit_case = KSTATUS__V1__CAUSE__EXIT_EXIT_CODE;
    c->exit_code = 137;
    c->restart_count = 1;
    c->count = 2;
    c->last_seen_time = &f->time;
}

static void expect_text(struct fixture *f, const char *text)
{
    assert_int_equal(ks_told_append_text(&f->out, &f->status, KS_PROFILE_STRICT, &f->targets),
                     KS_RC_OK);
    assert_string_equal(f->out.data, text);
    ks_buf_clear(&f->out);
}

static void causes_are_a_tree(void **state)
{
    struct fixture *f = *state;

    crash_fill(f);
    cause_add(f, "FROM_A_NEWER_SERVER", "db", "");
    cause_add(f, "READINESS_PROBE_FAILED", "db-1", "side\x1b[2J")->suggestion = text_of("");
    cause_add(f, "EVICTED", "db-1", "main")->message = text_of("");
    expect_text(f, "StatefulSet/db -n shop\n"
                   "  verdict     Failed, under profile strict\n"
                   "  reason      PodsFailed\n"
                   "  because     2 Pods failed\n"
                   "  rests on    the rule for StatefulSet\n"
                   "  progress    1 of 3\n"
                   "  generation  7, observed 6\n"
                   "  conditions  Other=True Cond\n"
                   "                more\n"
                   "  causes      Pod/db-1\n"
                   "                container main\n"
                   "                  CRASH_LOOP, exit code 137, 1 restart, seen 2 times, last at\n"
                   "                  2026-11-24T13:46:51Z\n"
                   "                    It is so\n"
                   "                    -> Mend it.\n"
                   "                  EVICTED\n"
                   "                    -> Mend it.\n"
                   "                container side\xef\xbf\xbd[2J\n"
                   "                  READINESS_PROBE_FAILED\n"
                   "                    It is so\n"
                   "              StatefulSet/db\n"
                   "                FROM_A_NEWER_SERVER\n"
                   "                  It is so\n"
                   "                  -> Mend it.\n"
                   "\n");
}

static void little_is_told_of_what_is_not_known(void **state)
{
    struct fixture *f = *state;

    f->object.kind = text_of("");
    f->status.status = (Kstatus__V1__ReconcileStatus)99;
    f->status.basis = (Kstatus__V1__StatusBasis)99;
    f->status.reason = f->status.message = text_of("");
    f->status.progress = NULL;
    f->status.generation = 0;
    f->status.n_conditions = 0;
    f->status.error = &f->error;
    f->error.message = text_of("no\nrights");
    expect_text(f, "sts/db -n shop\n"
                   "  verdict     Unknown, under profile strict\n"
                   "  error       no rights\n"
                   "\n");
    f->status.status = (Kstatus__V1__ReconcileStatus)-1;
    f->status.basis = (Kstatus__V1__StatusBasis)-1;
    f->status.error = NULL;
    f->status.generation = 3;
    f->status.observed_case = KSTATUS__V1__RESOURCE_STATUS__OBSERVED__NOT_SET;
    f->status.object = NULL;
    expect_text(f, "sts/\n"
                   "  verdict     Unknown, under profile strict\n"
                   "  generation  3\n"
                   "\n");
}

static void json_has_the_same(void **state)
{
    struct fixture *f = *state;

    crash_fill(f);
    cause_add(f, "X", "", "")->source = NULL;
    assert_int_equal(ks_told_append_json(&f->out, &f->status, KS_PROFILE_KSTATUS, &f->targets),
                     KS_RC_OK);
    assert_string_equal(
        f->out.data,
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"StatefulSet\",\"namespace\":\"shop\",\"name\":\"db\","
        "\"profile\":\"kstatus\",\"status\":\"Failed\",\"reason\":\"PodsFailed\","
        "\"message\":\"2 Pods failed\",\"basis\":\"STATUS_BASIS_KIND_RULE\","
        "\"progress\":{\"readyCount\":1,\"desiredCount\":3},\"generation\":7,"
        "\"observedGeneration\":6,\"conditions\":["
        "{\"type\":\"Stalled\",\"status\":\"True\",\"reason\":\"PodsFailed\","
        "\"message\":\"2 Pods failed\"},"
        "{\"type\":\"Other\",\"status\":\"True\",\"reason\":\"Cond\",\"message\":\"more\"}],"
        "\"causes\":[{\"code\":\"CRASH_LOOP\",\"message\":\"It is so\",\"sourceKind\":\"Pod\","
        "\"sourceName\":\"db-1\",\"container\":\"main\",\"exitCode\":137,\"restartCount\":1,"
        "\"count\":2,\"lastSeenTime\":\"2026-11-24T13:46:51Z\",\"suggestion\":\"Mend it.\"},"
        "{\"code\":\"X\",\"message\":\"It is so\",\"suggestion\":\"Mend it.\"}]}\n");
}

static void more_causes_than_a_server_sends_are_cut(void **state)
{
    struct fixture *f = *state;
    struct ks_chain chain;

    for (size_t i = 0; i < CAUSES; i++)
        cause_add(f, "X", "db-1", "");
    ks_chain_from_status(&chain, &f->status);
    assert_int_equal(chain.count, KS_CHAIN_MAX);
}

static void expect_brief(struct fixture *f, int status, const char *text)
{
    f->status.status = (Kstatus__V1__ReconcileStatus)status;
    assert_int_equal(ks_chain_append_brief(&f->out, &f->status), KS_RC_OK);
    assert_string_equal(f->out.len ? f->out.data : "", text);
    ks_buf_clear(&f->out);
}

static void what_is_broken_has_a_brief_cause(void **state)
{
    struct fixture *f = *state;
    const char crash[] = "CRASH_LOOP at Pod/db-1, container main: It is so";

    expect_brief(f, KS_STATUS_FAILED, "");
    crash_fill(f);
    expect_brief(f, KS_STATUS_FAILED, crash);
    expect_brief(f, KS_STATUS_IN_PROGRESS, crash);
    expect_brief(f, KS_STATUS_TERMINATING, crash);
    expect_brief(f, KS_STATUS_CURRENT, "");
    expect_brief(f, KS_STATUS_UNKNOWN, "");
    expect_brief(f, 99, "");
    f->causes[0].message = text_of("");
    expect_brief(f, KS_STATUS_FAILED, "CRASH_LOOP at Pod/db-1, container main");
    f->status.n_causes = 0;
    cause_add(f, "REPLICAS_NOT_READY", "db", "");
    expect_brief(f, KS_STATUS_IN_PROGRESS, ""); /* it only waits */
    expect_brief(f, KS_STATUS_FAILED, "REPLICAS_NOT_READY: It is so");
}

static void rows_and_lines_show_it(void **state)
{
    static struct ks_lines lines;
    struct fixture *f = *state;
    struct ks_rows *rows = ks_rows_new(&f->targets);
    const struct ks_row *row = NULL;
    Kstatus__V1__Event event;

    crash_fill(f);
    f->causes[0].message = text_of("a\nb");
    assert_non_null(rows);
    assert_int_equal(ks_rows_apply_status(rows, &f->status, 0), KS_RC_OK);
    ks_rows_list(rows, &row);
    assert_true(ks_str_is(row->message, "CRASH_LOOP at Pod/db-1, container main: a\nb"));
    ks_rows_free(rows);
    kstatus__v1__event__init(&event);
    event.event_case = KSTATUS__V1__EVENT__EVENT_UPDATE;
    event.update = &f->status;
    lines.targets = &f->targets;
    assert_int_equal(ks_lines_append_event(&lines, &event, 0, &f->out), KS_RC_OK);
    assert_string_equal(f->out.data,
                        "1970-01-01T00:00:00Z  Failed       StatefulSet/db -n shop  [PodsFailed] "
                        "2 Pods failed <- CRASH_LOOP at Pod/db-1, container main: a b\n");
}

static void targets_in_trouble_are_told(void **state)
{
    struct fixture *f = *state;
    Kstatus__V1__TargetChange change;

    kstatus__v1__target_change__init(&change);
    change.target_id = 1;
    change.state = KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SYNCED;
    assert_int_equal(ks_told_append_trouble_text(&f->out, &change, &f->targets), KS_RC_OK);
    assert_int_equal(ks_told_append_trouble_json(&f->out, &change, &f->targets), KS_RC_OK);
    assert_int_equal(f->out.len, 0);
    change.state = KSTATUS__V1__TARGET_CHANGE__STATE__STATE_FORBIDDEN;
    change.cause = &f->error;
    f->error.message = text_of("may not list");
    assert_int_equal(ks_told_append_trouble_text(&f->out, &change, &f->targets), KS_RC_OK);
    assert_int_equal(ks_told_append_trouble_json(&f->out, &change, &f->targets), KS_RC_OK);
    assert_string_equal(f->out.data,
                        "sts/db\n"
                        "  target      forbidden\n"
                        "  because     may not list\n"
                        "\n"
                        "{\"target\":\"sts/db\",\"state\":\"forbidden\",\"message\":\"may not "
                        "list\"}\n");
}

static void run_all(void *ctx)
{
    struct fixture *f = ctx;
    ks_rc rc;

    ks_buf_fini(&f->out);
    ks_buf_init(&f->out, 1u << 20);
    rc = ks_told_append_text(&f->out, &f->status, KS_PROFILE_KSTATUS, &f->targets);
    if (!rc)
        rc = ks_told_append_json(&f->out, &f->status, KS_PROFILE_KSTATUS, &f->targets);
    if (!rc)
        rc = ks_chain_append_brief(&f->out, &f->status);
    assert_true(rc == KS_RC_OK || ks_alloc_failed());
}

static void survives_without_memory(void **state)
{
    struct fixture *f = *state;

    crash_fill(f);
    assert_true(ks_torture(run_all, f) > 5);
}

#define WITH_STATUS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void what_decided_is_told(void **state)
{
    struct fixture *f = *state;
    Kstatus__V1__Decision decision;

    kstatus__v1__decision__init(&decision);
    decision.field = text_of("status.readyReplicas");
    decision.value = text_of("1");
    decision.comparison = text_of("<");
    decision.other_field = text_of("spec.replicas");
    decision.other_value = text_of("3\x1b[2J");
    f->status.decision = &decision;
    assert_int_equal(ks_told_append_text(&f->out, &f->status, KS_PROFILE_STRICT, &f->targets),
                     KS_RC_OK);
    assert_non_null(strstr(f->out.data, "  decided by  status.readyReplicas 1 < spec.replicas 3"
                                        "\xef\xbf\xbd[2J, at generation 7\n  rests on "));
    ks_buf_clear(&f->out);
    assert_int_equal(ks_told_append_json(&f->out, &f->status, KS_PROFILE_STRICT, &f->targets),
                     KS_RC_OK);
    assert_non_null(strstr(f->out.data,
                           ",\"decidedBy\":{\"field\":\"status.readyReplicas\",\"value\":\"1\","
                           "\"comparison\":\"<\",\"otherField\":\"spec.replicas\","
                           "\"otherValue\":\"3\\u001b[2J\"},\"basis\":"));
    ks_buf_clear(&f->out);
    decision.comparison = text_of("is");
    decision.other_field = text_of("");
    decision.other_value = text_of("");
    assert_int_equal(ks_told_append_text(&f->out, &f->status, KS_PROFILE_STRICT, &f->targets),
                     KS_RC_OK);
    assert_non_null(
        strstr(f->out.data, "  decided by  status.readyReplicas is 1, at generation 7\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STATUS(causes_are_a_tree),
        WITH_STATUS(little_is_told_of_what_is_not_known),
        WITH_STATUS(json_has_the_same),
        WITH_STATUS(what_decided_is_told),
        WITH_STATUS(more_causes_than_a_server_sends_are_cut),
        WITH_STATUS(what_is_broken_has_a_brief_cause),
        WITH_STATUS(rows_and_lines_show_it),
        WITH_STATUS(targets_in_trouble_are_told),
        WITH_STATUS(survives_without_memory),
    };

    (void)setenv("LC_ALL", "C.UTF-8", 1); /* widths */
    (void)ks_text_init_locale();
    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
