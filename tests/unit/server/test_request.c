/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: what is accepted becomes targets; what is not is refused with the field's path, in the
 * message and in the details; hostile bytes are bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "watcher/until.h"

#include "server/rpc/request.h"
#include "support/torture.h"

enum { INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, UNIMPLEMENTED = 12 };

/* A good request to spoil: targets[0] an object, targets[1] a selector. */
struct fixture {
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__Selector selector;
    Kstatus__V1__Target targets[2];
    Kstatus__V1__Target *list[2];
    Kstatus__V1__WatchOptions options;
    Kstatus__V1__Until until;
    Google__Protobuf__Duration second;
    Kstatus__V1__WatchRequest watch;
    struct ks_buf bytes;
    struct ks_refusal refusal;
    struct ks_rpc_request *request;
};

static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal; /* protobuf-c does not write to what it packs */
}

static void setup(struct fixture *f)
{
    kstatus__v1__object_ref__init(&f->object);
    kstatus__v1__selector__init(&f->selector);
    kstatus__v1__watch_options__init(&f->options);
    kstatus__v1__until__init(&f->until);
    kstatus__v1__watch_request__init(&f->watch);
    google__protobuf__duration__init(&f->second);
    f->second.seconds = 1;
    f->object.group = text("apps");
    f->object.kind = text("Deployment");
    f->object.namespace_ = text("shop");
    f->object.name = text("web");
    f->selector.resource = text("po");
    f->selector.label_selector = text("app=web,tier in (a, b)");
    f->selector.field_selector = text("metadata.namespace!=kube-system");
    for (int i = 0; i < 2; i++) {
        kstatus__v1__target__init(&f->targets[i]);
        f->targets[i].target_id = (uint32_t)i + 1;
        f->list[i] = &f->targets[i];
    }
    f->targets[0].selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    f->targets[0].object = &f->object;
    f->targets[1].selection_case = KSTATUS__V1__TARGET__SELECTION_SELECTOR;
    f->targets[1].selector = &f->selector;
    f->watch.n_targets = 2;
    f->watch.targets = f->list;
    f->watch.options = &f->options;
    ks_buf_init(&f->bytes, 1 << 20);
    ks_refusal_init(&f->refusal);
    f->request = NULL;
}

static void teardown(struct fixture *f)
{
    f->request = ks_rpc_request_free(f->request);
    ks_refusal_fini(&f->refusal);
    ks_buf_fini(&f->bytes);
}

static void pack(struct fixture *f)
{
    size_t size = kstatus__v1__watch_request__get_packed_size(&f->watch);

    ks_buf_clear(&f->bytes);
    assert_int_equal(ks_buf_reserve(&f->bytes, size + 1), KS_RC_OK);
    kstatus__v1__watch_request__pack(&f->watch, (uint8_t *)f->bytes.data);
    f->bytes.len = size;
}

static ks_rc decode(struct fixture *f)
{
    return ks_rpc_request_decode(KS_RPC_REQUEST_WATCH, ks_buf_str(&f->bytes), &f->request,
                                 &f->refusal);
}

/* The details say the same as the message, in google.rpc's form. */
static void check_details(const struct fixture *f, const char *field)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(
        NULL, f->refusal.details.len, (const uint8_t *)f->refusal.details.data);
    Google__Rpc__BadRequest *bad;

    assert_non_null(status);
    assert_int_equal(status->code, f->refusal.code);
    assert_string_equal(status->message, f->refusal.error.msg);
    assert_int_equal(status->n_details, 1);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.BadRequest");
    bad = google__rpc__bad_request__unpack(NULL, status->details[0]->value.len,
                                           status->details[0]->value.data);
    assert_non_null(bad);
    assert_true(bad->n_field_violations >= 1);
    assert_string_equal(bad->field_violations[0]->field, field);
    assert_true(strlen(bad->field_violations[0]->description) > 0);
    google__rpc__bad_request__free_unpacked(bad, NULL);
    google__rpc__status__free_unpacked(status, NULL);
}

static void check_refusal(struct fixture *f, int code, const char *field)
{
    ks_rc rc = decode(f);

    if (rc != (code == UNIMPLEMENTED ? KS_RC_UNSUPPORTED : KS_RC_INVALID))
        fail_msg("%s: rc %d", field, (int)rc);
    assert_null(f->request);
    if (f->refusal.code != code)
        fail_msg("%s: code %d: %s", field, f->refusal.code, f->refusal.error.msg);
    if (strncmp(f->refusal.error.msg, field, strlen(field)) != 0)
        fail_msg("\"%s\" does not begin with %s", f->refusal.error.msg, field);
    check_details(f, field);
}

#define REFUSED(code, field, spoil)                                                                \
    do {                                                                                           \
        struct fixture f;                                                                          \
        setup(&f);                                                                                 \
        spoil;                                                                                     \
        pack(&f);                                                                                  \
        check_refusal(&f, code, field);                                                            \
        teardown(&f);                                                                              \
    } while (0)

static void makes_targets(void **state)
{
    const struct ks_target *t;
    struct fixture f;
    size_t n;

    (void)state;
    setup(&f);
    f.options.profile = text("kstatus");
    f.options.scope_strategy = KSTATUS__V1__SCOPE_STRATEGY__SCOPE_STRATEGY_AUTOMATIC;
    f.object.uid = text("0f0d3a7a-6b6a-4d5c-9f6e-000000000001");
    f.object.version = text("v1");
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    t = ks_rpc_request_targets(f.request, &n);
    assert_int_equal(n, 2);
    assert_int_equal(t[0].target_id, 1);
    assert_int_equal(t[0].kind, KS_TARGET_OBJECT);
    assert_true(ks_str_is(t[0].group, "apps"));
    assert_true(ks_str_is(t[0].version, "v1"));
    assert_true(ks_str_is(t[0].object_kind, "Deployment"));
    assert_true(ks_str_is(t[0].ns, "shop"));
    assert_true(ks_str_is(t[0].name, "web"));
    assert_int_equal(t[0].uid.len, 36);
    assert_int_equal(t[0].resource.len, 0);
    assert_int_equal(t[1].target_id, 2);
    assert_int_equal(t[1].kind, KS_TARGET_SELECTOR);
    assert_true(ks_str_is(t[1].resource, "po"));
    assert_int_equal(t[1].ns.len, 0);
    assert_true(ks_str_is(t[1].label_selector, "app=web,tier in (a, b)"));
    assert_true(ks_str_is(t[1].field_selector, "metadata.namespace!=kube-system"));
    teardown(&f);
}

static void serves_get_alike(void **state)
{
    Kstatus__V1__GetRequest get = KSTATUS__V1__GET_REQUEST__INIT;
    struct fixture f;
    uint8_t bytes[1024];
    size_t n;

    (void)state;
    setup(&f);
    get.n_targets = 1;
    get.targets = f.list;
    n = kstatus__v1__get_request__pack(&get, bytes);
    assert_int_equal(ks_rpc_request_decode(KS_RPC_REQUEST_GET, ks_str_make((const char *)bytes, n),
                                           &f.request, &f.refusal),
                     KS_RC_OK);
    (void)ks_rpc_request_targets(f.request, &n);
    assert_int_equal(n, 1);
    teardown(&f);
}

static int64_t heartbeat_of(int64_t seconds, int32_t nanos)
{
    Google__Protobuf__Duration interval = GOOGLE__PROTOBUF__DURATION__INIT;
    struct fixture f;
    int64_t ms;

    setup(&f);
    interval.seconds = seconds;
    interval.nanos = nanos;
    f.options.heartbeat_interval = &interval;
    pack(&f);
    ms = decode(&f) ? -1 : ks_rpc_request_pace(f.request)->heartbeat_ms;
    if (ms < 0)
        assert_non_null(strstr(f.refusal.error.msg, "options.heartbeat_interval"));
    teardown(&f);
    return ms;
}

static void heartbeats_are_kept_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(heartbeat_of(0, 0), 0);
    assert_int_equal(heartbeat_of(0, 1), 1000);
    assert_int_equal(heartbeat_of(2, 500000000), 2500);
    assert_int_equal(heartbeat_of(3600, 1), 3600000);
    assert_int_equal(heartbeat_of(INT64_MAX, 999999999), 3600000);
    assert_int_equal(heartbeat_of(-1, 0), -1);
    assert_int_equal(heartbeat_of(1, -1), -1);
    assert_int_equal(heartbeat_of(1, 1000000000), -1);
}

static void options_reach_the_session(void **state)
{
    struct ks_session_config config = {.first_answer_ms = 7};
    struct fixture f;

    (void)state;
    setup(&f);
    f.options.profile = text("strict");
    f.options.generated_depth = 7; /* what is in effect is told */
    f.options.include_causes = 1;
    f.options.include_object = 1;
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    ks_rpc_request_configure(f.request, &config);
    assert_int_equal(config.target_count, 2);
    assert_int_equal(config.targets[1].target_id, 2);
    assert_int_equal(config.profile, KS_PROFILE_STRICT);
    assert_int_equal(config.generated_depth, KS_SESSION_MAX_DEPTH);
    assert_true(config.include_causes && config.include_objects);
    assert_int_equal(config.first_answer_ms, 7);
    teardown(&f);
}

static void asking_for_nothing_more_is_fine(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.second.seconds = 0; /* zero: never */
    f.options.resync_period = &f.second;
    f.options.heartbeat_interval = &f.second;
    f.options.min_update_interval = &f.second;
    f.targets[0].target_id = 0; /* an id like others */
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    teardown(&f);
}

static void refuses_bad_targets(void **state)
{
    (void)state;
    REFUSED(INVALID_ARGUMENT, "targets", f.watch.n_targets = 0);
    REFUSED(INVALID_ARGUMENT, "targets[1].target_id", f.targets[1].target_id = 1);
    REFUSED(INVALID_ARGUMENT, "targets[1].selection",
            f.targets[1].selection_case = KSTATUS__V1__TARGET__SELECTION__NOT_SET);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.name", f.object.name = text(""));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.name", f.object.name = text("a/b"));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.name", f.object.name = text(".."));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.namespace", f.object.namespace_ = text("A_B"));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.kind", f.object.kind = text(""));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.kind", f.object.kind = text("Depl\r\noyment"));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.group", f.object.group = text("apps/v1"));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.resource", f.object.resource = text("deploy"));
    REFUSED(INVALID_ARGUMENT, "targets[1].selector.resource", f.selector.version = text("v1"));
    REFUSED(INVALID_ARGUMENT, "targets[1].selector.kind", f.selector.resource = text(""));
    REFUSED(INVALID_ARGUMENT, "targets[1].selector.label_selector",
            f.selector.label_selector = text("app in (a"));
    REFUSED(INVALID_ARGUMENT, "targets[1].selector.field_selector",
            f.selector.field_selector = text("metadata.name"));
    REFUSED(INVALID_ARGUMENT, "targets[1].selector.namespace", f.selector.namespace_ = text("a b"));
}

static void refuses_what_comes_later(void **state)
{
    Kstatus__V1__InventoryRef inventory;

    (void)state;
    kstatus__v1__inventory_ref__init(&inventory);
    REFUSED(UNIMPLEMENTED, "options.scope_strategy",
            f.options.scope_strategy = KSTATUS__V1__SCOPE_STRATEGY__SCOPE_STRATEGY_ROOT);
    REFUSED(UNIMPLEMENTED, "options.scope_strategy", f.options.scope_strategy = 99);
    REFUSED(UNIMPLEMENTED, "targets[0].cluster", f.targets[0].cluster = text("east"));
    REFUSED(UNIMPLEMENTED, "targets[0].inventory",
            f.targets[0].selection_case = KSTATUS__V1__TARGET__SELECTION_INVENTORY;
            f.targets[0].inventory = &inventory);
}

static void what_is_wrong_comes_before_what_comes_later(void **state)
{
    (void)state;
    REFUSED(INVALID_ARGUMENT, "targets[0].object.name", f.options.scope_strategy = 99;
            f.object.name = text(""));
}

static void the_pace_of_a_stream(void **state)
{
    const struct ks_rpc_pace *pace;
    Google__Protobuf__Duration moment;
    struct fixture f;

    (void)state;
    google__protobuf__duration__init(&moment);
    moment.nanos = 1000000;
    setup(&f);
    f.options.min_update_interval = &moment;
    f.options.resync_period = &moment;
    f.options.blind = 1;
    f.options.summary_only = 1;
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    pace = ks_rpc_request_pace(f.request);
    assert_int_equal(pace->min_update_ms, 100); /* brought within bounds */
    assert_int_equal(pace->resync_ms, 1000);
    assert_int_equal(pace->heartbeat_ms, 0);
    assert_true(pace->is_blind && pace->is_summary);
    teardown(&f);
}

static void refuses_a_bad_pace(void **state)
{
    (void)state;
    REFUSED(INVALID_ARGUMENT, "options.resync_period", f.second.nanos = -1;
            f.options.resync_period = &f.second);
    REFUSED(INVALID_ARGUMENT, "options.min_update_interval", f.second.seconds = -1;
            f.options.min_update_interval = &f.second);
    REFUSED(INVALID_ARGUMENT, "options.blind", f.options.blind = 1; f.watch.until = &f.until;
            f.until.goal = KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT);
}

static void a_goal_is_understood(void **state)
{
    const struct ks_until_config *until;
    const struct ks_target *targets;
    struct fixture f;
    size_t count;

    (void)state;
    setup(&f);
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    assert_null(ks_rpc_request_until(f.request));
    teardown(&f);

    setup(&f);
    f.watch.until = &f.until;
    f.until.goal = KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT;
    f.until.fail_fast = 1;
    f.until.min_basis = KSTATUS__V1__STATUS_BASIS__STATUS_BASIS_STANDARD_CONDITION;
    f.second.nanos = 1; /* what is no millisecond is one more */
    f.until.stable_for = &f.second;
    f.until.timeout = &f.second;
    f.targets[1].best_effort = 1;
    f.object.min_generation = 5;
    f.object.min_resource_version = text("123");
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    until = ks_rpc_request_until(f.request);
    assert_int_equal(until->goal, KS_GOAL_ALL_CURRENT);
    assert_true(until->fail_fast);
    assert_int_equal(until->min_basis, KS_BASIS_STANDARD_CONDITION);
    assert_int_equal(until->stable_for_ms, 1001);
    assert_int_equal(until->timeout_ms, 1001);
    targets = ks_rpc_request_targets(f.request, &count);
    assert_int_equal(targets[0].min_generation, 5);
    assert_true(ks_str_is(targets[0].min_version, "123"));
    assert_true(!targets[0].is_best_effort && targets[1].is_best_effort);
    teardown(&f);
}

/* A goal that is good, to be spoiled. */
static void aim(struct fixture *f)
{
    f->watch.until = &f->until;
    f->until.goal = KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_NOT_FOUND;
}

static void refuses_bad_goals(void **state)
{
    Google__Protobuf__Duration less;

    (void)state;
    google__protobuf__duration__init(&less);
    less.nanos = 1000000;
    REFUSED(INVALID_ARGUMENT, "until.goal", f.watch.until = &f.until);
    REFUSED(INVALID_ARGUMENT, "until.goal", aim(&f); f.until.goal = 4);
    REFUSED(INVALID_ARGUMENT, "until.fail_fast", aim(&f); f.until.fail_fast = 1);
    REFUSED(INVALID_ARGUMENT, "until.min_basis", aim(&f); f.until.min_basis = 1);
    REFUSED(INVALID_ARGUMENT, "until.min_basis", aim(&f); f.until.goal = 1; f.until.min_basis = 6);
    REFUSED(INVALID_ARGUMENT, "until.timeout", aim(&f); f.second.seconds = -1;
            f.until.timeout = &f.second);
    REFUSED(INVALID_ARGUMENT, "until.stable_for", aim(&f); f.until.stable_for = &f.second;
            f.until.timeout = &less);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.min_generation", f.object.min_generation = 1);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.min_generation", f.object.min_generation = -1);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.min_generation", aim(&f);
            f.object.min_generation = 1);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.min_resource_version",
            f.object.min_resource_version = text("0x10"));
    REFUSED(INVALID_ARGUMENT, "targets[0].object.min_resource_version",
            f.object.min_resource_version = text("10"));
}

static void refuse_wait(struct fixture *f, const char *field)
{
    /* A WaitRequest has the fields of a WatchRequest. */
    assert_int_equal(
        ks_rpc_request_decode(KS_RPC_REQUEST_WAIT, ks_buf_str(&f->bytes), &f->request, &f->refusal),
        KS_RC_INVALID);
    check_details(f, field);
    teardown(f);
}

static void a_wait_needs_a_goal_and_little_else(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    pack(&f);
    refuse_wait(&f, "until");
    setup(&f);
    aim(&f);
    f.options.heartbeat_interval = &f.second;
    pack(&f);
    refuse_wait(&f, "options.heartbeat_interval");
    setup(&f);
    aim(&f);
    f.options.generated_depth = 1;
    pack(&f);
    refuse_wait(&f, "options.generated_depth");
    setup(&f);
    aim(&f);
    f.options.min_update_interval = &f.second;
    f.options.resync_period = &f.second;
    pack(&f);
    refuse_wait(&f, "options.min_update_interval");
    setup(&f);
    aim(&f);
    f.options.summary_only = 1;
    pack(&f);
    refuse_wait(&f, "options.summary_only");
    setup(&f);
    aim(&f);
    f.options.include_object = 1;
    pack(&f);
    refuse_wait(&f, "options.include_object");
    setup(&f);
    aim(&f);
    pack(&f);
    assert_int_equal(
        ks_rpc_request_decode(KS_RPC_REQUEST_WAIT, ks_buf_str(&f.bytes), &f.request, &f.refusal),
        KS_RC_OK);
    teardown(&f);
}

static void counts_what_found_no_room(void **state)
{
    Kstatus__V1__Target *list[64];
    struct fixture f;

    (void)state;
    setup(&f);
    for (size_t i = 0; i < 64; i++)
        list[i] = &f.targets[0];
    f.watch.targets = list;
    f.watch.n_targets = 64;
    pack(&f);
    check_refusal(&f, INVALID_ARGUMENT, "targets[1].target_id");
    assert_non_null(strstr(f.refusal.error.msg, "(and 62 more)"));
    teardown(&f);
}

static void bounds_the_targets(void **state)
{
    Kstatus__V1__Target targets[65];
    Kstatus__V1__Target *list[65];
    struct fixture f;

    (void)state;
    setup(&f);
    for (size_t i = 0; i < 65; i++) {
        targets[i] = f.targets[0];
        targets[i].target_id = (uint32_t)i;
        list[i] = &targets[i];
    }
    f.watch.targets = list;
    f.watch.n_targets = 64;
    pack(&f);
    assert_int_equal(decode(&f), KS_RC_OK);
    f.request = ks_rpc_request_free(f.request);
    f.watch.n_targets = 65;
    pack(&f);
    check_refusal(&f, INVALID_ARGUMENT, "targets");
    teardown(&f);
}

static void refuses_strings_that_are_no_text(void **state)
{
    char long_uid[200];

    (void)state;
    memset(long_uid, 'u', sizeof(long_uid) - 1);
    long_uid[sizeof(long_uid) - 1] = '\0';
    REFUSED(INVALID_ARGUMENT, "targets[0].object.uid", f.object.uid = long_uid);
    REFUSED(INVALID_ARGUMENT, "targets[0].object.uid", f.object.uid = text("\xff"));
    REFUSED(INVALID_ARGUMENT, "options.profile", f.options.profile = text("kstatus\xc0\x80"));
    REFUSED(INVALID_ARGUMENT, "options.profile", f.options.profile = text("Strict"));
}

/* protobuf-c would show "web" for "web\0x". */
static void sees_nul_bytes_in_strings(void **state)
{
    static const char wire[] = "\x0a\x17"   /* targets, 23 bytes */
                               "\x12\x15"   /* object, 21 bytes */
                               "\x12\x0a"   /* kind */
                               "Deployment" /* */
                               "\x22\x05"   /* name */
                               "web\0x"     /* */
                               "\x1a";      /* namespace ... */
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(ks_buf_append(&f.bytes, wire, sizeof(wire) - 1), KS_RC_OK);
    assert_int_equal(ks_buf_append(&f.bytes, "\x00", 1), KS_RC_OK);
    check_refusal(&f, INVALID_ARGUMENT, "targets[0].object.name");
    assert_non_null(strstr(f.refusal.error.msg, "NUL"));
    teardown(&f);
}

static void a_field_it_does_not_know_is_asked_for(void **state)
{
    static const char *const paths[] = {"", "options", "targets[0]", "targets[0].object"};
    /* field 200, varint 1, within: the request, options, target, object */
    static const struct {
        const char *wire;
        size_t len;
    } rows[] = {
        {"\xc0\x0c\x01", 3},
        {"\x1a\x03\xc0\x0c\x01", 5},
        {"\x0a\x03\xc0\x0c\x01", 5},
        {"\x0a\x05\x12\x03\xc0\x0c\x01", 7},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct fixture f;
        ks_rc rc;

        setup(&f);
        if (i < 2)
            pack(&f);
        assert_int_equal(ks_buf_append(&f.bytes, rows[i].wire, rows[i].len), KS_RC_OK);
        rc = decode(&f);
        if (i < 2) { /* the others lack a selection, and that is worse */
            assert_int_equal(rc, KS_RC_UNSUPPORTED);
            assert_non_null(strstr(f.refusal.error.msg, "field number 200"));
            assert_int_equal(strncmp(f.refusal.error.msg, paths[i], strlen(paths[i])), 0);
        } else {
            assert_int_equal(rc, KS_RC_INVALID);
        }
        teardown(&f);
    }
}

static void refuses_what_does_not_decode(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(ks_buf_append(&f.bytes, "\xff\xff\xff", 3), KS_RC_OK);
    assert_int_equal(decode(&f), KS_RC_INVALID);
    assert_int_equal(f.refusal.code, INVALID_ARGUMENT);
    assert_non_null(strstr(f.refusal.error.msg, "no valid kstatus.v1.WatchRequest"));
    teardown(&f);
    setup(&f);
    assert_int_equal(decode(&f), KS_RC_INVALID); /* nothing at all is a request without targets */
    assert_non_null(strstr(f.refusal.error.msg, "targets"));
    teardown(&f);
}

static void bounds_the_bytes(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(ks_buf_reserve(&f.bytes, KS_RPC_REQUEST_MAX_BYTES + 1), KS_RC_OK);
    memset(f.bytes.data, 0, KS_RPC_REQUEST_MAX_BYTES + 1);
    f.bytes.len = KS_RPC_REQUEST_MAX_BYTES + 1;
    check_refusal(&f, INVALID_ARGUMENT, "targets");
    assert_non_null(strstr(f.refusal.error.msg, "65537 bytes"));
    teardown(&f);
}

/* 64 KiB of empty targets would unpack to 35 times their size. */
static void bounds_what_unpacking_takes(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    for (size_t i = 0; i < KS_RPC_REQUEST_MAX_BYTES / 2; i++)
        assert_int_equal(ks_buf_append(&f.bytes, "\x0a\x00", 2), KS_RC_OK);
    assert_int_equal(decode(&f), KS_RC_INVALID);
    assert_int_equal(f.refusal.code, INVALID_ARGUMENT);
    teardown(&f);
}

static void tortured(void *ctx)
{
    struct fixture *f = ctx;
    ks_rc rc;

    f->refusal.code = 0;
    ks_buf_fini(&f->refusal.details);
    ks_refusal_init(&f->refusal);
    rc = decode(f);
    if (rc == KS_RC_NOMEM) {
        assert_true(ks_alloc_failed());
        assert_int_equal(f->refusal.code, RESOURCE_EXHAUSTED);
    }
    f->request = ks_rpc_request_free(f->request);
}

static void survives_short_memory(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    pack(&f);
    assert_true(ks_torture(tortured, &f) > 5);
    f.object.name = text("");
    pack(&f);
    assert_true(ks_torture(tortured, &f) > 5);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_targets),
        cmocka_unit_test(serves_get_alike),
        cmocka_unit_test(heartbeats_are_kept_within_bounds),
        cmocka_unit_test(options_reach_the_session),
        cmocka_unit_test(asking_for_nothing_more_is_fine),
        cmocka_unit_test(refuses_bad_targets),
        cmocka_unit_test(refuses_what_comes_later),
        cmocka_unit_test(what_is_wrong_comes_before_what_comes_later),
        cmocka_unit_test(the_pace_of_a_stream),
        cmocka_unit_test(refuses_a_bad_pace),
        cmocka_unit_test(a_goal_is_understood),
        cmocka_unit_test(refuses_bad_goals),
        cmocka_unit_test(a_wait_needs_a_goal_and_little_else),
        cmocka_unit_test(counts_what_found_no_room),
        cmocka_unit_test(bounds_the_targets),
        cmocka_unit_test(refuses_strings_that_are_no_text),
        cmocka_unit_test(sees_nul_bytes_in_strings),
        cmocka_unit_test(a_field_it_does_not_know_is_asked_for),
        cmocka_unit_test(refuses_what_does_not_decode),
        cmocka_unit_test(bounds_the_bytes),
        cmocka_unit_test(bounds_what_unpacking_takes),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
