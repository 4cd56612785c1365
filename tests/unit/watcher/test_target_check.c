/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed targets: each is refused with the path of its field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watcher/target_check.h"

#define OBJECT(...)                                                                                \
    {                                                                                              \
        .kind = KS_TARGET_OBJECT, .name = {"web", 3}, __VA_ARGS__                                  \
    }
#define SELECTOR(...)                                                                              \
    {                                                                                              \
        .kind = KS_TARGET_SELECTOR, __VA_ARGS__                                                    \
    }
#define LIT(text)                                                                                  \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }

static const struct {
    struct ks_target target;
    const char *begins; /* NULL: fine */
} samples[] = {
    {OBJECT(.resource = LIT("deploy")), NULL},
    {OBJECT(.group = LIT("apps"), .object_kind = LIT("Deployment"), .version = LIT("v1")), NULL},
    {OBJECT(.object_kind = LIT("Pod"), .ns = LIT("demo"), .uid = LIT("u")), NULL},
    {SELECTOR(.object_kind = LIT("Pod"), .label_selector = LIT("a=b")), NULL},
    {OBJECT(.ns = LIT("demo")), "targets[0].object.kind: "},
    {SELECTOR(.ns = LIT("demo")), "targets[0].selector.kind: "},
    {OBJECT(.resource = LIT("po"), .object_kind = LIT("Pod")), "targets[0].object.resource: "},
    {OBJECT(.resource = LIT("p o")), "targets[0].object.resource: "},
    {OBJECT(.object_kind = LIT("P\n")), "targets[0].object.kind: "},
    {OBJECT(.object_kind = LIT("P"), .group = LIT("\xff")), "targets[0].object.group: "},
    {OBJECT(.object_kind = LIT("P"), .version = LIT("v 1")), "targets[0].object.version: "},
    {OBJECT(.object_kind = LIT("P"), .ns = LIT("../x")), "targets[0].object.namespace: "},
    {OBJECT(.object_kind = LIT("P"), .uid = LIT("u\t")), "targets[0].object.uid: "},
    {{.kind = KS_TARGET_OBJECT, .resource = LIT("po")}, "targets[0].object.name: "},
    {SELECTOR(.resource = LIT("po"), .label_selector = LIT("a in")),
     "targets[0].selector.label_selector: "},
    {SELECTOR(.resource = LIT("po"), .field_selector = LIT("a")),
     "targets[0].selector.field_selector: "},
};

static void each_field_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(samples); i++) {
        struct ks_error err = {0};
        ks_rc rc = ks_targets_check(&samples[i].target, 1, &err);

        assert_int_equal(rc, samples[i].begins ? KS_RC_INVALID : KS_RC_OK);
        if (rc && strncmp(err.msg, samples[i].begins, strlen(samples[i].begins)))
            fail_msg("\"%s\" does not begin with \"%s\"", err.msg, samples[i].begins);
    }
}

static void targets_are_counted_and_told_apart(void **state)
{
    struct ks_target many[KS_SESSION_MAX_TARGETS + 1];
    struct ks_error err = {0};

    (void)state;
    for (uint32_t i = 0; i < KS_SESSION_MAX_TARGETS + 1; i++) {
        many[i] = (struct ks_target)SELECTOR(.resource = LIT("po"));
        many[i].target_id = i;
    }
    assert_int_equal(ks_targets_check(many, KS_SESSION_MAX_TARGETS, &err), KS_RC_OK);
    assert_int_equal(ks_targets_check(many, KS_SESSION_MAX_TARGETS + 1, &err), KS_RC_INVALID);
    assert_int_equal(ks_targets_check(many, 0, &err), KS_RC_INVALID);
    many[5].target_id = 2;
    assert_int_equal(ks_targets_check(many, 6, &err), KS_RC_INVALID);
    assert_string_equal(err.msg, "targets[5].target_id: 2 is the id of targets[2] already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_named),
        cmocka_unit_test(targets_are_counted_and_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
