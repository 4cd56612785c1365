/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as canonical protobuf JSON; the expected texts are what Python's
 * google.protobuf.json_format writes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/cli/json_out.h"
#include "support/torture.h"

static void expect(const ProtobufCMessage *message, const char *json)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1u << 16);

    assert_int_equal(ks_json_out_append(&out, message), KS_RC_OK);
    assert_string_equal(out.data, json);
}

static void expect_rc(const ProtobufCMessage *message, ks_rc rc)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1u << 16);

    assert_int_equal(ks_json_out_append(&out, message), rc);
}

static void nothing_set_is_nothing_written(void **state)
{
    Kstatus__V1__ResourceStatus status;
    Kstatus__V1__Event event;
    Kstatus__V1__Synced synced;

    kstatus__v1__resource_status__init(&status);
    kstatus__v1__event__init(&event);
    kstatus__v1__synced__init(&synced);
    (void)state;
    expect(&status.base, "{}");
    event.event_case = KSTATUS__V1__EVENT__EVENT_SYNCED;
    event.synced = &synced;
    expect(&event.base, "{\"synced\":{}}");
}

static void a_chosen_zero_is_written(void **state)
{
    Kstatus__V1__Cause cause;

    kstatus__v1__cause__init(&cause);
    (void)state;
    cause.exit_case = KSTATUS__V1__CAUSE__EXIT_EXIT_CODE;
    expect(&cause.base, "{\"exitCode\":0}");
}

static void scalars(void **state)
{
    Kstatus__V1__WatchOptions options;
    Kstatus__V1__Heartbeat heartbeat;

    kstatus__v1__watch_options__init(&options);
    kstatus__v1__heartbeat__init(&heartbeat);
    (void)state;
    options.blind = true;
    options.generated_depth = UINT32_MAX;
    options.profile = (char *)(uintptr_t) "kstatus";
    options.scope_strategy = KSTATUS__V1__SCOPE_STRATEGY__SCOPE_STRATEGY_ROOT;
    expect(&options.base, "{\"generatedDepth\":4294967295,\"profile\":\"kstatus\","
                          "\"scopeStrategy\":\"SCOPE_STRATEGY_ROOT\",\"blind\":true}");
    heartbeat.coalesced_count = UINT64_MAX;
    heartbeat.aggregate_status = (Kstatus__V1__ReconcileStatus)77; /* a newer server's */
    expect(&heartbeat.base, "{\"coalescedCount\":\"18446744073709551615\",\"aggregateStatus\":77}");
}

static void strings_are_escaped(void **state)
{
    Kstatus__V1__Condition c;

    kstatus__v1__condition__init(&c);
    (void)state;
    c.type = (char *)(uintptr_t) "a\"b\\c\n\t\x1b[31m\x7f";
    c.status = (char *)(uintptr_t) "\xc2\x9b"
                                   "31m \xe2\x80\xae";
    c.reason = (char *)(uintptr_t) "h\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80";
    c.message = (char *)(uintptr_t) "\xff\xc3(";
    expect(&c.base, "{\"type\":\"a\\\"b\\\\c\\n\\u0009\\u001b[31m\\u007f\","
                    "\"status\":\"\\u009b31m \\u202e\","
                    "\"reason\":\"h\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80\","
                    "\"message\":\"\xef\xbf\xbd\xef\xbf\xbd(\"}");
}

static void timestamps(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        const char *json;
    } rows[] = {
        {0, 0, "\"1970-01-01T00:00:00Z\""},
        {1, 500000000, "\"1970-01-01T00:00:01.500Z\""},
        {-1, 1000, "\"1969-12-31T23:59:59.000001Z\""},
        {1795528011, 123456789, "\"2026-11-24T13:46:51.123456789Z\""},
        {253402300799, 999999999, "\"9999-12-31T23:59:59.999999999Z\""},
        {-62135596800, 0, "\"0001-01-01T00:00:00Z\""},
        {253402300800, 0, NULL},
        {-62135596801, 0, NULL},
        {0, -1, NULL},
        {0, 1000000000, NULL},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        Google__Protobuf__Timestamp t;

        google__protobuf__timestamp__init(&t);
        t.seconds = rows[i].seconds;
        t.nanos = rows[i].nanos;
        if (rows[i].json)
            expect(&t.base, rows[i].json);
        else
            expect_rc(&t.base, KS_RC_INVALID);
    }
}

static void durations(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        const char *json;
    } rows[] = {
        {0, 0, "\"0s\""},
        {1, 500000000, "\"1.500s\""},
        {3, 10000000, "\"3.010s\""},
        {-1, -1000, "\"-1.000001s\""},
        {0, -1, "\"-0.000000001s\""},
        {315576000000, 999999999, "\"315576000000.999999999s\""},
        {315576000001, 0, NULL},
        {-315576000001, 0, NULL},
        {1, -1, NULL},
        {-1, 1, NULL},
        {0, 1000000000, NULL},
        {0, INT32_MIN, NULL},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        Google__Protobuf__Duration d;

        google__protobuf__duration__init(&d);
        d.seconds = rows[i].seconds;
        d.nanos = rows[i].nanos;
        if (rows[i].json)
            expect(&d.base, rows[i].json);
        else
            expect_rc(&d.base, KS_RC_INVALID);
    }
}

/* Packs into memory that the caller frees with ks_free. */
static void any_pack(Google__Protobuf__Any *any, const char *url, const ProtobufCMessage *content)
{
    size_t len = protobuf_c_message_get_packed_size(content);

    google__protobuf__any__init(any);
    any->type_url = (char *)(uintptr_t)url;
    any->value.data = ks_alloc(len + 1);
    assert_non_null(any->value.data);
    any->value.len = protobuf_c_message_pack(content, any->value.data);
}

static void everything_at_once(void **state)
{
    Kstatus__V1__ResourceStatus s;
    Google__Rpc__Status error;
    Google__Rpc__BadRequest bad;
    Google__Rpc__BadRequest__FieldViolation violation;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Protobuf__Duration duration;
    Google__Protobuf__Any details[2];
    Google__Protobuf__Any *list[] = {&details[0], &details[1]};
    uint32_t ids[] = {1, UINT32_MAX};
    uint8_t bytes[] = {0, 0xff, '{', '}'};

    kstatus__v1__resource_status__init(&s);
    google__rpc__status__init(&error);
    google__rpc__bad_request__init(&bad);
    google__rpc__bad_request__field_violation__init(&violation);
    google__protobuf__duration__init(&duration);
    (void)state;
    violation.field = (char *)(uintptr_t) "targets[0]";
    violation.description = (char *)(uintptr_t) "none";
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    any_pack(&details[0], "type.googleapis.com/google.rpc.BadRequest", &bad.base);
    duration.seconds = 2;
    any_pack(&details[1], "type.googleapis.com/google.protobuf.Duration", &duration.base);
    error.code = 3;
    error.message = (char *)(uintptr_t) "bad";
    error.n_details = 2;
    error.details = list;
    s.status = KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT;
    s.generation = INT64_MIN;
    s.observed_case = KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION;
    s.n_target_ids = 2;
    s.target_ids = ids;
    s.error = &error;
    s.object_json = (ProtobufCBinaryData){.len = sizeof(bytes), .data = bytes};
    expect(
        &s.base,
        "{\"status\":\"RECONCILE_STATUS_CURRENT\",\"generation\":\"-9223372036854775808\","
        "\"observedGeneration\":\"0\",\"targetIds\":[1,4294967295],\"error\":{\"code\":3,"
        "\"message\":\"bad\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
        "\"fieldViolations\":[{\"field\":\"targets[0]\",\"description\":\"none\"}]},"
        "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"2s\"}]},"
        "\"objectJson\":\"AP97fQ==\"}");
    ks_free(details[0].value.data);
    ks_free(details[1].value.data);
}

static void an_unknown_any_keeps_its_bytes(void **state)
{
    Google__Protobuf__Any any;
    uint8_t bytes[] = {1, 2, 3};

    google__protobuf__any__init(&any);
    (void)state;
    any.value = (ProtobufCBinaryData){.len = sizeof(bytes), .data = bytes};
    any.type_url = (char *)(uintptr_t) "x.io/some.Thing";
    expect(&any.base, "{\"@type\":\"x.io/some.Thing\",\"value\":\"AQID\"}");
    /* A known type whose bytes cannot be read. */
    any.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.Status";
    bytes[0] = 0x12;
    bytes[1] = 0x7f;
    expect(&any.base, "{\"@type\":\"type.googleapis.com/google.rpc.Status\",\"value\":\"En8D\"}");
    any.type_url = (char *)(uintptr_t) "no slash";
    expect(&any.base, "{\"@type\":\"no slash\",\"value\":\"En8D\"}");
}

/* Status in Any in Status in Any ...: the only nesting that a peer controls. */
static void nesting_ends_somewhere(void **state)
{
    Google__Rpc__Status status;
    Google__Protobuf__Any anys[40];
    Google__Protobuf__Any *list[1];

    google__rpc__status__init(&status);
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(anys); i++) {
        any_pack(&anys[i], "type.googleapis.com/google.rpc.Status", &status.base);
        list[0] = &anys[i];
        status.n_details = 1;
        status.details = list;
    }
    expect_rc(&status.base, KS_RC_LIMIT);
    for (size_t i = 0; i < KS_ARRAY_LEN(anys); i++)
        ks_free(anys[i].value.data);
}

static void run_all(void *ctx)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1u << 16);
    Google__Protobuf__Any *any = ctx;
    ks_rc rc;

    rc = ks_json_out_append(&out, &any->base);
    assert_true(rc == KS_RC_OK || ks_alloc_failed());
}

static void survives_without_memory(void **state)
{
    Google__Rpc__Status status;
    Google__Protobuf__Any any;

    google__rpc__status__init(&status);
    (void)state;
    status.message = (char *)(uintptr_t) "a message that is longer than what fits anywhere at once";
    any_pack(&any, "type.googleapis.com/google.rpc.Status", &status.base);
    assert_true(ks_torture(run_all, &any) > 2);
    ks_free(any.value.data);
}

/* Types that our protos do not have: a message made by hand. */
struct numbers {
    ProtobufCMessage base;
    double d;
    float f;
    int32_t i;
};

static const ProtobufCFieldDescriptor number_fields[] = {
    {.name = "a_double",
     .id = 1,
     .label = PROTOBUF_C_LABEL_NONE,
     .type = PROTOBUF_C_TYPE_DOUBLE,
     .offset = offsetof(struct numbers, d)},
    {.name = "a_float",
     .id = 2,
     .label = PROTOBUF_C_LABEL_NONE,
     .type = PROTOBUF_C_TYPE_FLOAT,
     .offset = offsetof(struct numbers, f)},
    {.name = "an_int",
     .id = 3,
     .label = PROTOBUF_C_LABEL_NONE,
     .type = PROTOBUF_C_TYPE_SINT32,
     .offset = offsetof(struct numbers, i)},
};

static const ProtobufCMessageDescriptor number_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Numbers",
    .sizeof_message = sizeof(struct numbers),
    .n_fields = 3,
    .fields = number_fields,
};

static void floating_point(void **state)
{
    struct numbers n = {.base = {.descriptor = &number_type}, .d = 0.1, .f = 0.1f, .i = -5};

    (void)state;
    expect(&n.base, "{\"aDouble\":0.1,\"aFloat\":0.1,\"anInt\":-5}");
    n = (struct numbers){.base = {.descriptor = &number_type}, .d = 1.0 / 3, .f = 16777216.0f};
    expect(&n.base, "{\"aDouble\":0.3333333333333333,\"aFloat\":16777216}");
    n.d = (double)NAN;
    n.f = -INFINITY;
    expect(&n.base, "{\"aDouble\":\"NaN\",\"aFloat\":\"-Infinity\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_is_nothing_written),
        cmocka_unit_test(a_chosen_zero_is_written),
        cmocka_unit_test(scalars),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(durations),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(an_unknown_any_keeps_its_bytes),
        cmocka_unit_test(nesting_ends_somewhere),
        cmocka_unit_test(survives_without_memory),
        cmocka_unit_test(floating_point),
    };

    return cmocka_run_group_tests_name("json_out", tests, NULL, NULL);
}
