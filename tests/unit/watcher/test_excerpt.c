/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * What of an object's JSON is handed out, and what never is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

#include "watcher/excerpt.h"

#include "support/torture.h"
#include "unit/watcher/session_fixture.h"

static const struct ks_resource secrets = {
    .version = {"v1", 2}, .kind = {"Secret", 6}, .plural = {"secrets", 7}};
static const struct ks_resource deployments = {.group = {"apps", 4},
                                               .version = {"v1", 2},
                                               .kind = {"Deployment", 10},
                                               .plural = {"deployments", 11}};

static ks_rc excerpt(const char *text, const struct ks_resource *r, struct ks_buf *out)
{
    struct ks_json *json = NULL;
    ks_rc rc = ks_json_new(&ks_json_limits_object, &json, NULL);

    if (!rc)
        rc = ks_json_parse(json, ks_str_from(text), NULL);
    if (!rc)
        rc = ks_excerpt(ks_json_root(json), r, out);
    (void)ks_json_free(json); /* always NULL */
    return rc;
}

static void expect(const char *text, const struct ks_resource *r, const char *wanted)
{
    struct ks_buf out;

    ks_buf_init(&out, KS_EXCERPT_MAX);
    assert_int_equal(excerpt(text, r, &out), KS_RC_OK);
    assert_string_equal(out.data, wanted);
    ks_buf_fini(&out);
}

static void managed_fields_are_left_out(void **state)
{
    (void)state;
    expect("{\"metadata\":{\"name\":\"a\\\"b\",\"managedFields\":[{\"x\":1}],\"labels\":{\"k\": "
           "\"v\"}},"
           "\"spec\":{\"managedFields\":true},\"status\":null}",
           &deployments,
           "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\\\"b\","
           "\"labels\":{\"k\": \"v\"}},\"spec\":{\"managedFields\":true},\"status\":null}");
    expect("{\"kind\":\"Old\",\"apiVersion\":\"old\",\"metadata\":{}}", &deployments,
           "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{}}");
    expect("{\"metadata\":7,\"spec\":1}", &deployments,
           "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{},\"spec\":1}");
}

static void a_secrets_data_never_leaves(void **state)
{
    static const char *const texts[] = {
        "\"data\":{\"k\":\"SECRET\"}",
        "\"stringData\":{\"k\":\"SECRET\"}",
        "\"d\\u0061ta\":{\"k\":\"SECRET\"}",
        "\"Data\":{\"k\":\"SECRET\"}",
        "\"new\":{\"k\":\"SECRET\"}",
        "\"data\":{},\"data\":{\"k\":\"SECRET\"}",
        "\"metadata\":{\"annotations\":{\"last-applied-configuration\":\"SECRET\"}}",
        "\"metadata\":{\"managedFields\":[{\"SECRET\":1}]}",
        "\"metadata\":{\"selfLink\":\"SECRET\"}",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++) {
        struct ks_buf out;

        (void)snprintf(text, sizeof(text), "{%s,\"type\":\"Opaque\"}", texts[i]);
        ks_buf_init(&out, KS_EXCERPT_MAX);
        assert_int_equal(excerpt(text, &secrets, &out), KS_RC_OK);
        assert_null(strstr(out.data, "SECRET"));
        assert_non_null(strstr(out.data, "\"type\":\"Opaque\""));
        ks_buf_fini(&out);
    }
    expect(
        "{\"metadata\":{\"name\":\"s\",\"labels\":{\"a\":\"b\"}},\"immutable\":true}", &secrets,
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"labels\":{\"a\":"
        "\"b\"}}}");
}

static void what_is_too_long_is_left_out_whole(void **state)
{
    struct ks_buf out;

    (void)state;
    ks_buf_init(&out, 64);
    assert_int_equal(excerpt("{\"spec\":{\"a\":\"0123456789\"}}", &deployments, &out), KS_RC_OK);
    assert_int_equal(out.len, 0);
    ks_buf_fini(&out);
}

static void cut_short(void *ctx)
{
    struct ks_buf out;
    ks_rc rc;

    (void)ctx;
    ks_buf_init(&out, KS_EXCERPT_MAX);
    rc = excerpt("{\"d\\u0061ta\":{\"k\":\"SECRET\"},\"t\\u0079pe\":\"Opaque\"}", &secrets, &out);
    assert_int_equal(rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    if (out.data)
        assert_null(strstr(out.data, "SECRET"));
    ks_buf_fini(&out);
}

static void short_memory_hands_out_nothing(void **state)
{
    (void)state;
    assert_true(ks_torture(cut_short, NULL) >= 2);
}

static void updates_carry_it(void **state)
{
    const struct ks_target target = target_object(1, "pods", "demo", "a");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.config.include_objects = true;
    fixture_open(&f, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Pending"));
    assert_true(f.last.object_json.len > 100); /* its bytes are dead; its length is not */
    fake_synced(fake_find("pods@demo/a"));
    fake_gone(fake_find("pods@demo/a"), "demo", "a", KS_GONE_SEEN);
    assert_int_equal(f.last.object_json.len, 0);
    fixture_fini(&f);

    fixture_init(&f);
    fixture_open(&f, &target, 1);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Pending"));
    assert_int_equal(f.last.object_json.len, 0);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(managed_fields_are_left_out),
        cmocka_unit_test(a_secrets_data_never_leaves),
        cmocka_unit_test(what_is_too_long_is_left_out_whole),
        cmocka_unit_test(short_memory_hands_out_nothing),
        cmocka_unit_test(updates_carry_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
