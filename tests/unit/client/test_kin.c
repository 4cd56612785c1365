/* SPDX-License-Identifier: Apache-2.0 */
/* Families of a file: who heads one, what is cut, and what happens without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "client/cli/kin.h"
#include "support/torture.h"

static ks_rc add(struct ks_kin *kin, struct ks_json *json, const char *text)
{
    const struct ks_manifest_place place = {
        .path = "FILE", .number = 1, .kind = KS_LIT("ConfigMap"), .api_version = KS_LIT("v1")};
    struct ks_subject subject = {.place = &place};
    struct ks_judgement judgement;
    ks_rc rc = ks_json_parse(json, ks_str_from(text), NULL);

    subject.object = ks_json_root(json);
    if (!rc)
        rc = ks_judge(&subject, KS_PROFILE_KSTATUS, &judgement);
    return rc ? rc : ks_kin_add(kin, &subject, &judgement);
}

/* owner_number 0: none */
static ks_rc add_numbered(struct ks_kin *kin, struct ks_json *json, int number, int owner_number)
{
    char text[300];

    (void)snprintf(text, sizeof(text), /* fits */
                   "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"m%d\","
                   "\"uid\":\"u%d\",\"ownerReferences\":[{\"controller\":true,\"uid\":\"u%d\"}]}}",
                   number, number, owner_number);
    return add(kin, json, text);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static size_t tell_all(struct ks_kin *kin, struct ks_buf *out)
{
    size_t heads = 0;

    ks_kin_tie(kin);
    while (ks_kin_next(kin, out) == KS_RC_OK)
        heads++;
    return heads;
}

static void expect_heads(const int *owners, size_t objects, size_t heads)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1u << 20);
    struct ks_kin *kin = ks_kin_new(KS_KIN_TEXT, KS_PROFILE_KSTATUS);
    struct ks_json *json = NULL;

    assert_non_null(kin);
    assert_int_equal(ks_json_new(&ks_json_limits_object, &json, NULL), KS_RC_OK);
    for (size_t i = 0; i < objects; i++)
        assert_int_equal(add_numbered(kin, json, (int)i + 1, owners[i]), KS_RC_OK);
    assert_int_equal(tell_all(kin, &out), heads);
    assert_int_equal(count(out.data, "ConfigMap/m"), objects); /* each is told once */
    ks_json_free(json);
    ks_kin_free(kin);
}

static void families_have_heads(void **state)
{
    int chain[20];

    (void)state;
    expect_heads((const int[]){0, 1, 1, 2}, 4, 1);
    expect_heads((const int[]){2, 0}, 2, 1);
    expect_heads((const int[]){7, 8}, 2, 2); /* the owners are not in the file */
    expect_heads((const int[]){1}, 1, 1);
    expect_heads((const int[]){2, 3, 1}, 3, 1);
    for (int i = 0; i < 20; i++)
        chain[i] = i; /* too deep: cut */
    expect_heads(chain, 20, 20 / (KS_KIN_DEPTH_MAX + 1) + 1);
}

static void run_all(void *ctx)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(1u << 20);
    struct ks_kin *kin = ks_kin_new(KS_KIN_JSON, KS_PROFILE_STRICT);
    struct ks_json *json = NULL;
    ks_rc rc = ks_json_new(&ks_json_limits_object, &json, NULL);

    (void)ctx;
    if (kin && !rc)
        rc = add_numbered(kin, json, 1, 0);
    if (kin && !rc)
        rc = add_numbered(kin, json, 2, 1);
    if (kin && !rc)
        (void)tell_all(kin, &out);
    if (!ks_alloc_failed()) {
        assert_int_equal(rc, KS_RC_OK);
        assert_non_null(strstr(out.data, "\"children\":[{\"depth\":1,\"name\":\"ConfigMap/m2\""));
    }
    ks_json_free(json);
    ks_kin_free(kin);
}

static void survives_without_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(run_all, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_have_heads),
        cmocka_unit_test(survives_without_memory),
    };

    return cmocka_run_group_tests_name("kin", tests, NULL, NULL);
}
