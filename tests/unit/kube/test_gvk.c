/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of groups, versions and resources; what may stand in an identity's header; server URLs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kube/gvk.h"
#include "kube/server_url.h"
#include "kube/token.h"
#include "support/torture.h"

static void api_versions_split(void **state)
{
    struct ks_str group, version;

    (void)state;
    assert_true(ks_api_version_split(KS_LIT("v1"), &group, &version));
    assert_int_equal(group.len, 0);
    assert_true(ks_str_is(version, "v1"));
    assert_true(ks_api_version_split(KS_LIT("apps/v1"), &group, &version));
    assert_true(ks_str_is(group, "apps"));
    assert_true(ks_str_is(version, "v1"));
    assert_false(ks_api_version_split(KS_LIT("a/b/c"), &group, &version));
    assert_true(ks_api_version_split(KS_LIT(""), &group, &version));
    assert_int_equal(version.len, 0);
}

static void resources_are_shared_by_reference(void **state)
{
    struct ks_resource from = {.group = KS_LIT("apps"),
                               .version = KS_LIT("v1"),
                               .kind = KS_LIT("Deployment"),
                               .plural = KS_LIT("deployments"),
                               .is_namespaced = true};
    struct ks_resource *r = ks_resource_new(&from);

    (void)state;
    assert_non_null(r);
    assert_ptr_not_equal(r->kind.ptr, from.kind.ptr);
    assert_string_equal(r->plural.ptr, "deployments");
    assert_ptr_equal(ks_resource_ref(r), r);
    assert_null(ks_resource_unref(r));
    assert_true(ks_str_is(r->group, "apps"));
    ks_resource_unref(r);
    assert_null(ks_resource_unref(NULL));
    ks_alloc_fail_at(1);
    assert_null(ks_resource_new(&from));
    ks_alloc_fail_at(0);
}

static void tokens_have_an_alphabet(void **state)
{
    char longest[KS_TOKEN_MAX + 1];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(ks_token_is_valid(KS_LIT("eyJhbGciOi.abc-_~+/1==")));
    assert_true(ks_token_is_valid(ks_str_make(longest, KS_TOKEN_MAX)));
    assert_false(ks_token_is_valid(ks_str_make(longest, KS_TOKEN_MAX + 1)));
    assert_false(ks_token_is_valid(KS_LIT("")));
    assert_false(ks_token_is_valid(KS_LIT("==")));
    assert_false(ks_token_is_valid(KS_LIT("a=b")));
    assert_false(ks_token_is_valid(KS_LIT("a b")));
    assert_false(ks_token_is_valid(KS_LIT("a\r\nImpersonate-User: admin")));
    assert_false(ks_token_is_valid(KS_LIT("a\0b")));
    assert_false(ks_token_is_valid(KS_LIT("t\xc3\xb6ken")));
}

static void identities_cannot_break_a_header(void **state)
{
    (void)state;
    assert_true(ks_identity_is_valid(KS_LIT("system:serviceaccount:ns:name")));
    assert_true(ks_identity_is_valid(KS_LIT("Jane Doe")));
    assert_false(ks_identity_is_valid(KS_LIT("J\xc3\xb6rg")));
    assert_false(ks_identity_is_valid(KS_LIT("")));
    assert_false(ks_identity_is_valid(KS_LIT(" a")));
    assert_false(ks_identity_is_valid(KS_LIT("a ")));
    assert_false(ks_identity_is_valid(KS_LIT("a\nb")));
    assert_false(ks_identity_is_valid(KS_LIT("a\x7f")));
    assert_false(ks_identity_is_valid(KS_LIT("a\xff")));
}

static void server_urls_are_brought_into_form(void **state)
{
    static const struct {
        const char *text;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"https://h:6443", "https://h:6443"},
        {" HTTPS://h:6443/ ", "https://h:6443"},
        {"https://h/k8s/clusters/c-1//", "https://h/k8s/clusters/c-1"},
        {"https://h?x=1#y", "https://h"},
        {"http://h", "http://h"},
        {"h:6443", "https://h:6443"},
        {"[::1]:6443", "https://[::1]:6443"},
        {"https://[fe80::1]", "https://[fe80::1]"},
        {"", NULL},
        {"https://", NULL},
        {"https:///path", NULL},
        {"ftp://h", NULL},
        {"https://user:secret@h", NULL},
        {"https://h:0", NULL},
        {"https://h:65536", NULL},
        {"https://h:port", NULL},
        {"https://h:", NULL},
        {"https://[]:1", NULL},
        {"https://[::1", NULL},
        {"https://[::1]x", NULL},
        {"https://h/a b", NULL},
        {"https://h\r\nX: y", NULL},
        {"https://h/\xc3\xb6", NULL},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_error err = {0};
        char *url = NULL;
        ks_rc rc =
            ks_server_url_normalize(ks_str_from(rows[i].text), KS_SERVER_URL_HTTPS, &url, &err);

        assert_int_equal(rc, rows[i].want ? KS_RC_OK : KS_RC_CONFIG);
        if (rows[i].want)
            assert_string_equal(url, rows[i].want);
        else
            assert_null(strstr(err.msg, "secret"));
        ks_free(url);
    }
}

static void url_tortured(void *ctx)
{
    char *url = NULL;

    (void)ctx;
    if (ks_server_url_normalize(KS_LIT("h"), KS_SERVER_URL_HTTP, &url, NULL))
        assert_true(ks_alloc_failed());
    ks_free(url);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    assert_true(ks_torture(url_tortured, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(api_versions_split),
        cmocka_unit_test(resources_are_shared_by_reference),
        cmocka_unit_test(tokens_have_an_alphabet),
        cmocka_unit_test(identities_cannot_break_a_header),
        cmocka_unit_test(server_urls_are_brought_into_form),
        cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
