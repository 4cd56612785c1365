/* SPDX-License-Identifier: Apache-2.0 */
/* Targets as kubectl takes them: what goes into the request, and what is said when a line makes no
 * sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/cli/targets.h"
#include "support/torture.h"

#define WORDS_MAX 8

struct line {
    struct ks_options options;
    char *words[WORDS_MAX];
};

/* args: separated by blanks, at most WORDS_MAX; the text must outlive the line. */
static struct ks_options *line_make(struct line *line, char *args)
{
    line->options.for_ms = -1;
    line->options.args = line->words;
    line->options.arg_count = 0;
    for (char *word = args; *word;) {
        assert_true(line->options.arg_count < WORDS_MAX);
        line->words[line->options.arg_count++] = word;
        word += strcspn(word, " ");
        if (*word)
            *word++ = '\0';
    }
    return &line->options;
}

static const Kstatus__V1__ObjectRef *object_at(const struct ks_targets *t, size_t index)
{
    assert_true(index < t->count);
    assert_int_equal(t->list[index]->selection_case, KSTATUS__V1__TARGET__SELECTION_OBJECT);
    assert_int_equal(t->list[index]->target_id, index + 1);
    return t->list[index]->object;
}

static const Kstatus__V1__Selector *selector_at(const struct ks_targets *t, size_t index)
{
    assert_true(index < t->count);
    assert_int_equal(t->list[index]->selection_case, KSTATUS__V1__TARGET__SELECTION_SELECTOR);
    assert_int_equal(t->list[index]->target_id, index + 1);
    return t->list[index]->selector;
}

static void make(struct ks_targets *t, const struct ks_options *options)
{
    struct ks_error err = {0};

    if (ks_targets_init(t, options, &err))
        fail_msg("%s", err.msg);
}

static void pairs(void **state)
{
    char args[] = "deploy/web statefulset.apps/db";
    struct line line = {.words = {NULL}};
    struct ks_targets t;

    (void)state;
    make(&t, line_make(&line, args));
    assert_int_equal(t.count, 2);
    assert_string_equal(object_at(&t, 0)->resource, "deploy");
    assert_string_equal(object_at(&t, 0)->name, "web");
    assert_string_equal(object_at(&t, 0)->namespace_, ""); /* the server knows */
    assert_string_equal(object_at(&t, 0)->kind, "");
    assert_string_equal(object_at(&t, 1)->resource, "statefulset.apps");
    assert_string_equal(ks_targets_label(&t, 1), "deploy/web");
    assert_string_equal(ks_targets_label(&t, 2), "statefulset.apps/db");
    assert_string_equal(ks_targets_label(&t, 3), "?");
    assert_true(ks_targets_is_object(&t, 1));
    assert_false(ks_targets_is_object(&t, 0));
    ks_targets_fini(&t);
}

static void one_resource_and_names(void **state)
{
    char args[] = "deploy web api";
    struct line line = {.options = {.ns = "shop"}};
    struct ks_targets t;

    (void)state;
    make(&t, line_make(&line, args));
    assert_int_equal(t.count, 2);
    assert_string_equal(object_at(&t, 1)->resource, "deploy");
    assert_string_equal(object_at(&t, 1)->name, "api");
    assert_string_equal(object_at(&t, 1)->namespace_, "shop");
    ks_targets_fini(&t);
}

static void several_resources_and_a_name(void **state)
{
    char args[] = "deploy,sts web";
    struct line line = {.words = {NULL}};
    struct ks_targets t;

    (void)state;
    make(&t, line_make(&line, args));
    assert_int_equal(t.count, 2);
    assert_string_equal(ks_targets_label(&t, 1), "deploy/web");
    assert_string_equal(ks_targets_label(&t, 2), "sts/web");
    ks_targets_fini(&t);
}

static void selections(void **state)
{
    char args[] = "deploy,sts,job";
    struct line line = {.words = {NULL}};
    struct ks_targets t;

    (void)state;
    make(&t, line_make(&line, args));
    assert_int_equal(t.count, 3);
    assert_string_equal(selector_at(&t, 2)->resource, "job");
    assert_string_equal(selector_at(&t, 2)->namespace_, "default");
    assert_string_equal(selector_at(&t, 2)->label_selector, "");
    assert_string_equal(ks_targets_label(&t, 3), "job");
    assert_false(ks_targets_is_object(&t, 3));
    ks_targets_fini(&t);
}

static void selectors_narrow(void **state)
{
    char args[] = "pods";
    struct line line = {.options = {.all_namespaces = true,
                                    .label_selector = "app in (a,b)",
                                    .field_selector = "spec.nodeName=n"}};
    struct ks_targets t;

    (void)state;
    make(&t, line_make(&line, args));
    assert_string_equal(selector_at(&t, 0)->namespace_, "");
    assert_string_equal(selector_at(&t, 0)->label_selector, "app in (a,b)");
    assert_string_equal(selector_at(&t, 0)->field_selector, "spec.nodeName=n");
    assert_string_equal(ks_targets_label(&t, 1),
                        "pods -l app in (a,b) --field-selector spec.nodeName=n");
    ks_targets_fini(&t);
}

static void what_makes_no_sense_is_said(void **state)
{
    static const struct {
        const char *args;
        struct ks_options options;
        const char *says;
    } rows[] = {
        {"", {.ns = "x"}, "nothing to look at: name objects"},
        {"deploy/web api", {.ns = "x"}, "'api' has no resource: write deploy/api"},
        {"deploy web sts/db", {.ns = "x"}, "'sts/db' has a resource, 'deploy' before it has none"},
        {"deploy/", {.ns = "x"}, "'deploy/' is not RESOURCE/NAME"},
        {"/web", {.ns = "x"}, "'/web' is not RESOURCE/NAME"},
        {"a/b/c", {.ns = "x"}, "is not RESOURCE/NAME"},
        {"deploy/web,sts/db", {.ns = "x"}, "has a comma"},
        {"deploy,,sts", {.ns = "x"}, "a resource is missing at a comma"},
        {",", {.ns = "x"}, "a resource is missing at a comma"},
        {"pods", {.ns = "x", .all_namespaces = true}, "-n and -A exclude each other"},
        {"deploy/web", {.all_namespaces = true}, "-A goes with a resource alone"},
        {"deploy web", {.all_namespaces = true}, "-A goes with a resource alone"},
        {"deploy web", {.label_selector = "a=b"}, "-l and --field-selector go with a resource"},
        {"deploy/web", {.field_selector = "a=b"}, "-l and --field-selector go with a resource"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct line line = {.options = rows[i].options};
        struct ks_targets t = {.count = 99};
        struct ks_error err = {0};
        char args[64];

        (void)snprintf(args, sizeof(args), "%s", rows[i].args);
        assert_int_equal(ks_targets_init(&t, line_make(&line, args), &err), KS_RC_INVALID);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("'%s' says: %s", rows[i].args, err.msg);
        assert_int_equal(t.count, 0);
    }
}

static void at_most_so_many(void **state)
{
    char *args[KS_TARGETS_MAX + 2];
    struct ks_options options = {.args = args, .arg_count = KS_TARGETS_MAX + 1};
    struct ks_error err = {0};
    struct ks_targets t;

    (void)state;
    args[0] = (char *)(uintptr_t) "pod";
    for (size_t i = 1; i < KS_ARRAY_LEN(args); i++)
        args[i] = (char *)(uintptr_t) "web";
    make(&t, &options);
    assert_int_equal(t.count, KS_TARGETS_MAX);
    assert_int_equal(ks_targets_calls(&t), KS_CALLS_MAX);
    assert_int_equal(ks_targets_part(&t, KS_CALLS_MAX - 1).count, KS_CALL_TARGETS_MAX);
    assert_int_equal(ks_targets_part(&t, 1).list[0]->target_id, KS_CALL_TARGETS_MAX + 1);
    ks_targets_fini(&t);
    options.arg_count++;
    assert_int_equal(ks_targets_init(&t, &options, &err), KS_RC_LIMIT);
    assert_non_null(strstr(err.msg, "more than 4096 targets"));
    assert_non_null(strstr(err.msg, "pods -l app=web"));
}

static char path[] = "/tmp/ks-targets-XXXXXX";

static void file_write(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char manifests[] =
    "apiVersion: apps/v1\n"
    "kind: Deployment\n"
    "metadata: {name: web, namespace: shop}\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: List\n"
    "items:\n"
    "- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}\n"
    "- {apiVersion: example.dev/v1alpha1, kind: Widget, metadata: {name: g}}\n";

static void manifests_name_objects(void **state)
{
    char args[] = "pod/extra";
    struct line line = {.options = {.files = {path}, .file_count = 1}};
    struct ks_targets t;

    (void)state;
    file_write(manifests);
    make(&t, line_make(&line, args));
    assert_int_equal(t.count, 4);
    assert_string_equal(object_at(&t, 0)->resource, "pod");
    assert_string_equal(object_at(&t, 1)->group, "apps");
    assert_string_equal(object_at(&t, 1)->version, "v1");
    assert_string_equal(object_at(&t, 1)->kind, "Deployment");
    assert_string_equal(object_at(&t, 1)->namespace_, "shop");
    assert_string_equal(object_at(&t, 1)->resource, "");
    assert_string_equal(object_at(&t, 2)->group, "");
    assert_string_equal(object_at(&t, 2)->version, "v1");
    assert_string_equal(object_at(&t, 2)->namespace_, "");
    assert_string_equal(object_at(&t, 3)->group, "example.dev");
    assert_string_equal(ks_targets_label(&t, 4), "Widget/g");
    ks_targets_fini(&t);
}

static void a_namespace_fills_in_and_must_agree(void **state)
{
    struct ks_options options = {.files = {path}, .file_count = 1, .ns = "shop"};
    struct ks_error err = {0};
    struct ks_targets t;

    (void)state;
    file_write(manifests);
    make(&t, &options);
    assert_string_equal(object_at(&t, 0)->kind, "Deployment");
    assert_string_equal(object_at(&t, 0)->namespace_, "shop");
    /* As typed, because the kind may have no namespaces: the server ignores it there. */
    assert_string_equal(object_at(&t, 1)->resource, "ConfigMap.v1.");
    assert_string_equal(object_at(&t, 1)->kind, "");
    assert_string_equal(object_at(&t, 1)->version, "");
    assert_string_equal(object_at(&t, 1)->namespace_, "shop");
    assert_string_equal(object_at(&t, 2)->resource, "Widget.v1alpha1.example.dev");
    assert_string_equal(object_at(&t, 2)->group, "");
    assert_string_equal(ks_targets_label(&t, 2), "ConfigMap/settings");
    ks_targets_fini(&t);
    options.ns = "other";
    assert_int_equal(ks_targets_init(&t, &options, &err), KS_RC_INVALID);
    assert_non_null(strstr(err.msg, "is in namespace 'shop', and -n says 'other'"));
}

static void what_was_applied_is_meant(void **state)
{
    struct ks_options options = {
        .files = {path}, .file_count = 1, .is_applied = true, .wait_goal = KS_WAIT_FOR_CURRENT};
    struct ks_error err = {0};
    struct ks_targets t;

    (void)state;
    file_write(
        "{kind: Deployment, apiVersion: apps/v1, metadata: {name: web, namespace: shop, uid: u1,"
        " generation: 3, resourceVersion: \"17\"}}\n---\n"
        "{kind: ConfigMap, apiVersion: v1, metadata: {name: c, namespace: shop, uid: u2,"
        " resourceVersion: \"18\"}}\n");
    make(&t, &options);
    assert_string_equal(object_at(&t, 0)->uid, "u1");
    assert_int_equal(object_at(&t, 0)->min_generation, 3);
    assert_string_equal(object_at(&t, 0)->min_resource_version, "");
    assert_string_equal(object_at(&t, 1)->uid, "u2");
    assert_int_equal(object_at(&t, 1)->min_generation, 0);
    assert_string_equal(object_at(&t, 1)->min_resource_version, "18");
    ks_targets_fini(&t);
    options.wait_goal = KS_WAIT_FOR_NOT_FOUND; /* any state of it has to go */
    make(&t, &options);
    assert_string_equal(object_at(&t, 0)->uid, "u1");
    assert_int_equal(object_at(&t, 0)->min_generation, 0);
    ks_targets_fini(&t);
    file_write(manifests);
    assert_int_equal(ks_targets_init(&t, &options, &err), KS_RC_INVALID);
    assert_non_null(strstr(err.msg, "--applied needs what the API server answered"));
}

static void manifests_that_name_nothing(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"kind: Pod\nmetadata: {generateName: x-}\n", "the Pod has no metadata.name"},
        {"metadata: {name: x}\n", "the object has no kind"},
        {"kind: Pod\nmetadata: []\n", "the metadata of the Pod is no map"},
        {"# nothing\n", "there is no object in it"},
        {"- a\n", "this is no object"},
        {"kind: List\nitems: {}\n", "its items are something else"},
        {"{\"kind\": \"Pod\",\n", "JSON ends at byte 16"},
        {"a: [\n", "line"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_options options = {.files = {path}, .file_count = 1};
        struct ks_error err = {0};
        struct ks_targets t;

        file_write(rows[i].text);
        assert_int_not_equal(ks_targets_init(&t, &options, &err), KS_RC_OK);
        if (!strstr(err.msg, rows[i].says) || !strstr(err.msg, path))
            fail_msg("'%s' says: %s", rows[i].text, err.msg);
    }
}

static void a_missing_file(void **state)
{
    struct ks_options options = {.files = {"/nonexistent/x.yaml"}, .file_count = 1};
    struct ks_error err = {0};
    struct ks_targets t;

    (void)state;
    assert_int_equal(ks_targets_init(&t, &options, &err), KS_RC_NOTFOUND);
    assert_string_equal(err.msg, "/nonexistent/x.yaml: No such file or directory");
}

static void run_all(void *ctx)
{
    char args[] = "deploy,sts web db";
    struct line line = {.options = {.files = {path}, .file_count = 1, .ns = "shop"}};
    struct ks_targets t;
    struct ks_error err = {0};

    (void)ctx;
    if (ks_targets_init(&t, line_make(&line, args), &err)) {
        assert_true(ks_alloc_failed());
        assert_int_equal(t.count, 0);
        return;
    }
    assert_int_equal(t.count, 7);
    ks_targets_fini(&t);
}

static void survives_without_memory(void **state)
{
    (void)state;
    file_write(manifests);
    assert_true(ks_torture(run_all, NULL) > 20);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(one_resource_and_names),
        cmocka_unit_test(several_resources_and_a_name),
        cmocka_unit_test(selections),
        cmocka_unit_test(selectors_narrow),
        cmocka_unit_test(what_makes_no_sense_is_said),
        cmocka_unit_test(at_most_so_many),
        cmocka_unit_test(manifests_name_objects),
        cmocka_unit_test(a_namespace_fills_in_and_must_agree),
        cmocka_unit_test(manifests_that_name_nothing),
        cmocka_unit_test(what_was_applied_is_meant),
        cmocka_unit_test(a_missing_file),
        cmocka_unit_test(survives_without_memory),
    };

    return cmocka_run_group_tests_name("targets", tests, make_file, remove_file);
}
