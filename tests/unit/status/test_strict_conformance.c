/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the vectors of tests/conformance/strict.ndjson: status, reason and, where the vector names
 * them, basis and the time of the next look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rfc3339.h"
#include "json/json.h"
#include "json/path.h"
#include "status/status.h"

/* Fewer mean that the file has been cut. */
#define LEAST_VECTORS 580

struct vector {
    struct ks_str name;
    struct ks_str object;
    int64_t now_ms;
    struct ks_status_context context;
    struct ks_status_evidence failure;
    struct ks_str status;
    struct ks_str reason;
    int64_t basis;      /* 0: any */
    int64_t recheck_ms; /* 0: none */
};

static struct ks_json *line_doc;
static struct ks_json *object_doc;

static int setup(void **state)
{
    struct ks_error err = {0};

    (void)state;
    if (ks_json_new(&ks_json_limits_object, &line_doc, &err))
        return -1;
    return ks_json_new(&ks_json_limits_object, &object_doc, &err) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    line_doc = ks_json_free(line_doc);
    object_doc = ks_json_free(object_doc);
    return 0;
}

static int64_t read_time(struct ks_json_value root, const char *path)
{
    struct ks_str text = ks_json_lenient_str(root, path, "");
    int64_t wall_ms = 0;

    if (text.len > 0 && !ks_rfc3339_parse(text, &wall_ms))
        fail_msg("%s is no time: %.*s", path, KS_STR_ARGS(text));
    return wall_ms;
}

static ks_fact read_fact(struct ks_json_value context, const char *member)
{
    bool truth;

    if (!ks_json_to_bool(ks_json_get(context, member), &truth))
        return KS_FACT_UNKNOWN;
    return truth ? KS_FACT_YES : KS_FACT_NO;
}

static void read_context(struct ks_json_value context, struct vector *v)
{
    v->context = (struct ks_status_context){
        .first_seen_ms = read_time(context, "first_seen"),
        .unschedulable_grace_ms = ks_json_lenient_int(context, "unschedulable_grace_ms", 0),
        .declares_status = read_fact(context, "declares_status"),
        .siblings_have_ready = ks_json_lenient_bool(context, "siblings_have_ready", false),
        .pod_ready_since_roll = read_fact(context, "pod_ready_since_roll"),
        .last_job_known = read_fact(context, "last_job_known"),
        .waits_for_consumer = read_fact(context, "waits_for_consumer"),
        .may_lack_address = ks_json_lenient_bool(context, "may_lack_address", false),
    };
    if (ks_json_is_absent(ks_json_get(context, "failure")))
        return;
    v->failure = (struct ks_status_evidence){
        .reason = ks_json_lenient_str(context, "failure.reason", ""),
        .message = ks_json_lenient_str(context, "failure.message", ""),
        .since_ms = read_time(context, "failure.since"),
    };
    v->context.failure = &v->failure;
}

static void read_vector(struct ks_str line, struct vector *v)
{
    struct ks_error err = {0};
    struct ks_json_value root;

    if (ks_json_parse(line_doc, line, &err))
        fail_msg("%s: %.*s", err.msg, KS_STR_ARGS(line));
    root = ks_json_root(line_doc);
    v->name = ks_json_lenient_str(root, "name", "");
    v->object = ks_json_raw(ks_json_get(root, "object"));
    v->now_ms = read_time(root, "now");
    read_context(ks_json_get(root, "context"), v);
    v->status = ks_json_lenient_str(root, "strict.status", "");
    v->reason = ks_json_lenient_str(root, "strict.reason", "");
    v->basis = ks_json_lenient_int(root, "strict.basis", 0);
    v->recheck_ms = read_time(root, "strict.recheck");
    assert_true(v->name.len > 0 && v->object.len > 0 && v->now_ms > 0 && v->status.len > 0);
}

static void check_form(const struct vector *v, const struct ks_verdict *verdict)
{
    bool is_bad = verdict->status == KS_STATUS_FAILED || verdict->status == KS_STATUS_IN_PROGRESS;

    assert_true(verdict->message.len > 0);
    assert_int_not_equal(verdict->basis, KS_BASIS_UNSPECIFIED);
    if (verdict->has_condition != is_bad)
        fail_msg("%.*s: condition and status disagree", KS_STR_ARGS(v->name));
    if (is_bad)
        assert_true(ks_str_eq(verdict->reason, verdict->condition.reason));
    if (is_bad || verdict->status == KS_STATUS_UNKNOWN)
        assert_true(verdict->reason.len > 0);
}

static void run_vector(struct ks_str line)
{
    struct ks_error err = {0};
    struct ks_verdict verdict;
    struct vector v = {0};

    read_vector(line, &v);
    if (ks_json_parse(object_doc, v.object, &err) ||
        ks_status_compute_profile(KS_PROFILE_STRICT, ks_json_root(object_doc), v.now_ms, &v.context,
                                  &verdict, &err))
        fail_msg("%.*s: fails: %s", KS_STR_ARGS(v.name), err.msg);
    if (!ks_str_is(v.status, ks_status_text(verdict.status)) ||
        !ks_str_eq(v.reason, verdict.reason))
        fail_msg("%.*s: is %s/%.*s, must be %.*s/%.*s", KS_STR_ARGS(v.name),
                 ks_status_text(verdict.status), KS_STR_ARGS(verdict.reason), KS_STR_ARGS(v.status),
                 KS_STR_ARGS(v.reason));
    if (v.recheck_ms ? verdict.recheck_at_ms != v.recheck_ms
                     : verdict.recheck_at_ms != 0 && verdict.recheck_at_ms <= v.now_ms)
        fail_msg("%.*s: is to be looked at again at the wrong time", KS_STR_ARGS(v.name));
    if (v.basis && v.basis != (int64_t)verdict.basis)
        fail_msg("%.*s: rests on %d", KS_STR_ARGS(v.name), (int)verdict.basis);
    check_form(&v, &verdict);
}

static void says_what_a_user_would(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(4u << 20);
    struct ks_error err = {0};
    struct ks_str rest;
    struct ks_str line;
    size_t count = 0;

    (void)state;
    if (ks_file_read(KS_TESTS_DIR "/conformance/strict.ndjson", &text, &err))
        fail_msg("%s", err.msg);
    rest = ks_buf_str(&text);
    while (ks_str_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        run_vector(line);
        count++;
    }
    assert_true(count >= LEAST_VECTORS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_user_would),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
