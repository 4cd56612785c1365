/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the vectors of tests/conformance: status, and the emitted condition's type, status and
 * reason, must be the reference's; where it fails, we fail too.
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
#define LEAST_VECTORS 370

struct vector {
    struct ks_str name;
    struct ks_str object;
    int64_t now_ms;
    bool is_error;
    struct ks_str status;
    struct ks_str reason;
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

static void read_vector(struct ks_str line, struct vector *v)
{
    struct ks_error err = {0};
    struct ks_json_value root;
    struct ks_json_value object;

    if (ks_json_parse(line_doc, line, &err))
        fail_msg("%s: %.*s", err.msg, KS_STR_ARGS(line));
    root = ks_json_root(line_doc);
    object = ks_json_get(root, "object");
    v->name = ks_json_lenient_str(root, "name", "");
    v->object =
        ks_json_is_absent(object) ? ks_json_lenient_str(root, "text", "") : ks_json_raw(object);
    v->is_error = ks_json_lenient_bool(root, "kstatus.error", false);
    v->status = ks_json_lenient_str(root, "kstatus.status", "");
    v->reason = ks_json_lenient_str(root, "kstatus.reason", "");
    if (!ks_rfc3339_parse(ks_json_lenient_str(root, "now", ""), &v->now_ms))
        fail_msg("%.*s: now is no time", KS_STR_ARGS(v->name));
    assert_true(v->name.len > 0 && v->object.len > 0 && (v->is_error || v->status.len > 0));
}

static void check_condition(const struct vector *v, const struct ks_verdict *verdict)
{
    bool is_failed = verdict->status == KS_STATUS_FAILED;

    if (!is_failed && verdict->status != KS_STATUS_IN_PROGRESS) {
        if (verdict->has_condition || verdict->reason.len)
            fail_msg("%.*s: emits a condition", KS_STR_ARGS(v->name));
        return;
    }
    if (!verdict->has_condition ||
        !ks_str_is(verdict->condition.type, is_failed ? "Stalled" : "Reconciling") ||
        !ks_str_is(verdict->condition.status, "True") ||
        !ks_str_eq(verdict->condition.reason, verdict->reason))
        fail_msg("%.*s: emits the wrong condition", KS_STR_ARGS(v->name));
}

static void run_vector(struct ks_str line)
{
    struct ks_error err = {0};
    struct ks_verdict verdict;
    struct vector v = {0};
    ks_rc rc;

    read_vector(line, &v);
    rc = ks_json_parse(object_doc, v.object, &err);
    if (!rc)
        rc = ks_status_compute(ks_json_root(object_doc), v.now_ms, &verdict, &err);
    if (rc) {
        if (!v.is_error)
            fail_msg("%.*s: fails: %s", KS_STR_ARGS(v.name), err.msg);
        assert_true(rc == KS_RC_INVALID || rc == KS_RC_PARSE);
        assert_true(err.msg[0] != '\0');
        return;
    }
    if (v.is_error)
        fail_msg("%.*s: must fail, is %s", KS_STR_ARGS(v.name), ks_status_text(verdict.status));
    if (!ks_str_is(v.status, ks_status_text(verdict.status)) ||
        !ks_str_eq(v.reason, verdict.reason))
        fail_msg("%.*s: is %s/%.*s, must be %.*s/%.*s", KS_STR_ARGS(v.name),
                 ks_status_text(verdict.status), KS_STR_ARGS(verdict.reason), KS_STR_ARGS(v.status),
                 KS_STR_ARGS(v.reason));
    check_condition(&v, &verdict);
    assert_true(verdict.message.len > 0);
    assert_int_not_equal(verdict.basis, KS_BASIS_UNSPECIFIED);
}

static void equals_the_reference(void **state)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(4u << 20);
    struct ks_error err = {0};
    struct ks_str rest;
    struct ks_str line;
    size_t count = 0;

    (void)state;
    if (ks_file_read(KS_TESTS_DIR "/conformance/kstatus.ndjson", &text, &err))
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
        cmocka_unit_test(equals_the_reference),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
