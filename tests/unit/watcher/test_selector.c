/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors and names: what the API server takes is taken, what it refuses is refused, with its
 * place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#include "watcher/selector.h"

struct sample {
    const char *text;
    const char *wrong; /* a part of the message; NULL: fine */
};

typedef ks_rc (*check_fn)(struct ks_str text, struct ks_error *err);

static void check_all(check_fn check, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ks_error err = {0};
        ks_rc rc = check(ks_str_from(samples[i].text), &err);

        if (!samples[i].wrong && rc)
            fail_msg("\"%s\": %s", samples[i].text, err.msg);
        if (samples[i].wrong && rc != KS_RC_INVALID)
            fail_msg("\"%s\" was taken", samples[i].text);
        if (samples[i].wrong && !strstr(err.msg, samples[i].wrong))
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", samples[i].text, err.msg,
                     samples[i].wrong);
    }
}

#define WORD_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void label_selectors(void **state)
{
    static const struct sample samples[] = {
        {"", NULL},
        {"   ", NULL},
        {"a", NULL},
        {"!a", NULL},
        {" ! a ", NULL},
        {"a=b", NULL},
        {"a==b", NULL},
        {"a!=b", NULL},
        {"a = b , c != d", NULL},
        {"a=", NULL},
        {"a=,b", NULL},
        {"a!=", NULL},
        {"app.kubernetes.io/name=web", NULL},
        {"a in (b)", NULL},
        {"a in (b,c , d)", NULL},
        {"a notin (b,)", NULL},
        {"a in (,)", NULL},
        {"a in(b)", NULL},
        {"in in (in)", NULL},
        {"notin", NULL},
        {"a>1", NULL},
        {"a<-7,b", NULL},
        {WORD_63 "=" WORD_63, NULL},
        {"A_b.c-d=X_y.z-0", NULL},
        {"a,", "ends where a label key"},
        {",a", "\",\" at byte 1"},
        {"a,,b", "\",\" at byte 3"},
        {"=b", "label key"},
        {"a=b=c", "','"},
        {"a b", "operator"},
        {"a in", "'('"},
        {"a in b", "'('"},
        {"a in ()", "at least one"},
        {"a in (b", "',' or ')'"},
        {"a in (b c)", "',' or ')'"},
        {"a in (b))", "','"},
        {"a in (=)", "label value"},
        {"a>b", "integer"},
        {"a>", "integer"},
        {"a=(", "label value"},
        {"!", "label key"},
        {"!!a", "label key"},
        {"!a=b", "','"},
        {"a!b", "operator"},
        {WORD_63 "4=x", "label key"},
        {"x=" WORD_63 "4", "label value"},
        {"-a=b", "label key"},
        {"a=b-", "label value"},
        {"a/b/c", "label key"},
        {"/b", "label key"},
        {"a/", "label key"},
        {"UPPER.example/b", "label key"},
        {"a..b/c", "label key"},
        {"a=b%26watch=1", "label value"},
        {"a=b&c", "label value"},
        {"a=\xc3\xa4", "label value"},
        {"a=b\ncd", "','"},
    };

    (void)state;
    check_all(ks_label_selector_check, samples, KS_ARRAY_LEN(samples));
}

static void field_selectors(void **state)
{
    static const struct sample samples[] = {
        {"", NULL},
        {"metadata.name=web", NULL},
        {"metadata.name==web", NULL},
        {"metadata.namespace!=kube-system", NULL},
        {"status.phase=Running,spec.nodeName=", NULL},
        {"a=b,,c=d,", NULL},
        {"spec.x=a\\,b\\=c\\\\d", NULL},
        {"a", "no FIELD=VALUE"},
        {"=b", "no FIELD=VALUE"},
        {"a!b", "no FIELD=VALUE"},
        {"a=b,c", "at byte 5"},
        {"a=b=c", "has an '='"},
        {"a=b\\x", "'\\'"},
        {"a=b\\", "'\\'"},
        {"a b=c", "no field"},
        {"a=\x01", "control"},
        {"a=\xff", "'\\'"},
    };

    (void)state;
    check_all(ks_field_selector_check, samples, KS_ARRAY_LEN(samples));
    assert_int_equal(ks_field_selector_check(KS_LIT("a=\\\0b"), NULL), KS_RC_INVALID);
}

static void lasting_fields(void **state)
{
    (void)state;
    assert_true(ks_field_selector_is_lasting(KS_LIT("")));
    assert_true(ks_field_selector_is_lasting(KS_LIT("metadata.name=a,metadata.namespace!=b")));
    assert_false(ks_field_selector_is_lasting(KS_LIT("metadata.name=a,status.phase=Running")));
    assert_false(ks_field_selector_is_lasting(KS_LIT("metadata.names=a")));
}

static void names(void **state)
{
    static const struct sample samples[] = {
        {"web", NULL},
        {"system:controller:job-controller", NULL},
        {"v1.apps", NULL},
        {"", "empty"},
        {".", "cannot be a name"},
        {"..", "cannot be a name"},
        {"a/b", "byte 2"},
        {"a%2fb", "byte 2"},
        {"a b", "byte 2"},
        {"a\n", "byte 2"},
        {"\xc3\xa4", "0xc3"},
    };
    char longest[254];

    (void)state;
    check_all(ks_object_name_check, samples, KS_ARRAY_LEN(samples));
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(ks_object_name_check(ks_str_make(longest, 253), NULL), KS_RC_OK);
    assert_int_equal(ks_object_name_check(ks_str_make(longest, 254), NULL), KS_RC_INVALID);
}

static void namespaces(void **state)
{
    static const struct sample samples[] = {
        {"default", NULL},    {"a-1", NULL},       {WORD_63, NULL},       {"", "no namespace"},
        {"-a", "\"-a\""},     {"a-", "\"a-\""},    {"A", "no namespace"}, {"a.b", "no namespace"},
        {"a/b", "namespace"}, {"..", "namespace"}, {WORD_63 "4", "63"},   {"a_b", "namespace"},
    };

    (void)state;
    check_all(ks_namespace_check, samples, KS_ARRAY_LEN(samples));
}

static void too_long_selectors(void **state)
{
    char text[4098];

    (void)state;
    memset(text, ' ', sizeof(text));
    assert_int_equal(ks_label_selector_check(ks_str_make(text, 4096), NULL), KS_RC_OK);
    assert_int_equal(ks_label_selector_check(ks_str_make(text, 4097), NULL), KS_RC_INVALID);
    memset(text, ',', sizeof(text));
    assert_int_equal(ks_field_selector_check(ks_str_make(text, 4096), NULL), KS_RC_OK);
    assert_int_equal(ks_field_selector_check(ks_str_make(text, 4097), NULL), KS_RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_selectors), cmocka_unit_test(field_selectors),
        cmocka_unit_test(lasting_fields),  cmocka_unit_test(names),
        cmocka_unit_test(namespaces),      cmocka_unit_test(too_long_selectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
