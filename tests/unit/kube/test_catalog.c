/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery documents of a real server, both forms, and of odd ones; looking up by name and by
 * kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "kube/catalog.h"
#include "support/torture.h"

#define CORPUS KS_TESTS_DIR "/corpus/kube-1.36/discovery/"

static void corpus_read(const char *name, struct ks_buf *out)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s%s", CORPUS, name);
    ks_buf_init(out, (size_t)1 << 20);
    assert_int_equal(ks_file_read(path, out, NULL), KS_RC_OK);
}

static struct ks_catalog *catalog_new(void)
{
    struct ks_catalog *c = NULL;

    assert_int_equal(ks_catalog_new(&c, NULL), KS_RC_OK);
    return c;
}

static void corpus_add(struct ks_catalog *c, ks_catalog_half half, const char *name)
{
    struct ks_error err = {0};
    struct ks_buf text;

    corpus_read(name, &text);
    if (ks_catalog_add_document(c, half, ks_buf_str(&text), &err))
        fail_msg("%s: %s", name, err.msg);
    ks_buf_fini(&text);
}

static void text_add(struct ks_catalog *c, ks_catalog_half half, const char *text)
{
    struct ks_error err = {0};

    if (ks_catalog_add_document(c, half, ks_str_from(text), &err))
        fail_msg("%s", err.msg);
}

static struct ks_catalog *aggregated_new(void)
{
    struct ks_catalog *c = catalog_new();

    corpus_add(c, KS_CATALOG_CORE, "api.aggregated.json");
    corpus_add(c, KS_CATALOG_GROUPS, "apis.aggregated.json");
    return c;
}

/* "plural.version.group namespaced", or the code's name. */
static const char *found(const struct ks_catalog *c, const struct ks_mapper_query *q)
{
    static char text[256];
    struct ks_resource *r = NULL;
    struct ks_error err = {0};
    ks_rc rc = ks_catalog_find(c, q, &r, &err);

    if (rc) {
        assert_int_equal(err.rc, rc);
        assert_true(err.msg[0]);
        return ks_rc_text(rc);
    }
    (void)snprintf(text, sizeof(text), "%.*s.%.*s.%.*s%s", KS_STR_ARGS(r->plural),
                   KS_STR_ARGS(r->version), KS_STR_ARGS(r->group),
                   r->is_namespaced ? "" : " cluster");
    return text;
}

static const char *by_name(const struct ks_catalog *c, const char *name)
{
    return found(c, &(struct ks_mapper_query){.name = ks_str_from(name)});
}

static const char *by_kind(const struct ks_catalog *c, const char *group, const char *version,
                           const char *kind)
{
    return found(c, &(struct ks_mapper_query){.group = ks_str_from(group),
                                              .version = ks_str_from(version),
                                              .kind = ks_str_from(kind),
                                              .has_group = group != NULL});
}

static const char *message(const struct ks_catalog *c, const char *name)
{
    static struct ks_error err;
    struct ks_resource *r = NULL;

    assert_int_not_equal(
        ks_catalog_find(c, &(struct ks_mapper_query){.name = ks_str_from(name)}, &r, &err),
        KS_RC_OK);
    return err.msg;
}

static void names_as_users_type_them(void **state)
{
    struct ks_catalog *c = aggregated_new();

    (void)state;
    assert_string_equal(by_name(c, "deploy"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "deployment"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "deployments"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "Deployment"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "deployment.apps"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "deploy.apps"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "deployments.v1.apps"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "Deployment.v1.apps"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "po"), "pods.v1.");
    assert_string_equal(by_name(c, "pods.v1."), "pods.v1.");
    assert_string_equal(by_name(c, "svc"), "services.v1.");
    assert_string_equal(by_name(c, "no"), "nodes.v1. cluster");
    assert_string_equal(by_name(c, "crd"),
                        "customresourcedefinitions.v1.apiextensions.k8s.io cluster");
    assert_string_equal(by_name(c, "widgets.example.dev"), "widgets.v1.example.dev");
    assert_string_equal(by_name(c, "widget.v1.example.dev"), "widgets.v1.example.dev");
    /* Events are in two groups, and the core group wins for names, as with kubectl. */
    assert_string_equal(by_name(c, "events"), "events.v1.");
    assert_string_equal(by_name(c, "ev.events.k8s.io"), "events.v1.events.k8s.io");
    assert_string_equal(by_name(c, "hpa"), "horizontalpodautoscalers.v2.autoscaling");
    assert_string_equal(by_name(c, "hpa.v1.autoscaling"),
                        "horizontalpodautoscalers.v1.autoscaling");
    ks_catalog_free(c);
}

static void names_that_are_not_served(void **state)
{
    struct ks_catalog *c = aggregated_new();

    (void)state;
    assert_string_equal(by_name(c, "gizmos"), "not found");
    assert_string_equal(by_name(c, "deployments.v9.apps"), "not found");
    assert_string_equal(by_name(c, "deployments.batch"), "not found");
    assert_string_equal(by_name(c, "deployments/scale"), "not found");
    assert_string_equal(by_name(c, ""), "not found");
    assert_string_equal(by_name(c, ".apps"), "not found");
    assert_string_equal(by_name(c, "."), "not found");
    assert_non_null(strstr(message(c, "deploymnets"), "did you mean deployments.apps?"));
    assert_non_null(strstr(message(c, "pdo"), "does not serve \"pdo\""));
    assert_null(strstr(message(c, "gizmos"), "did you mean"));
    assert_null(strstr(message(c, "Nope"), "did you mean"));
    assert_non_null(strstr(message(c, "Deploymnt"), "did you mean deployments.apps?"));
    ks_catalog_free(c);
}

static void kinds_with_group_and_version(void **state)
{
    struct ks_catalog *c = aggregated_new();
    struct ks_resource *r = NULL;
    struct ks_error err = {0};

    (void)state;
    assert_string_equal(by_kind(c, "apps", "v1", "Deployment"), "deployments.v1.apps");
    assert_string_equal(by_kind(c, "apps", NULL, "Deployment"), "deployments.v1.apps");
    assert_string_equal(by_kind(c, NULL, NULL, "Deployment"), "deployments.v1.apps");
    assert_string_equal(by_kind(c, "", "v1", "Pod"), "pods.v1.");
    assert_string_equal(by_kind(c, "", NULL, "Deployment"), "not found");
    assert_string_equal(by_kind(c, "apps", "v1", "deployment"), "not found");
    assert_string_equal(by_kind(c, "autoscaling", NULL, "HorizontalPodAutoscaler"),
                        "horizontalpodautoscalers.v2.autoscaling");
    assert_string_equal(by_kind(c, "", "v1", "Event"), "events.v1.");
    assert_string_equal(by_kind(c, NULL, NULL, "Event"), "ambiguous");
    assert_int_equal(ks_catalog_find(c,
                                     &(struct ks_mapper_query){.group = KS_LIT("apps"),
                                                               .version = KS_LIT("v1beta1"),
                                                               .kind = KS_LIT("Deployment")},
                                     &r, &err),
                     KS_RC_NOTFOUND);
    assert_non_null(strstr(err.msg, "in version v1, not in v1beta1"));
    ks_catalog_free(c);
}

static void verbs_are_known(void **state)
{
    struct ks_catalog *c = aggregated_new();
    struct ks_resource *r = NULL;

    (void)state;
    assert_int_equal(ks_catalog_find(c,
                                     &(struct ks_mapper_query){.name = KS_LIT("componentstatuses")},
                                     &r, NULL),
                     KS_RC_OK);
    assert_true(r->can_list);
    assert_false(r->can_watch);
    assert_int_equal(
        ks_catalog_find(c, &(struct ks_mapper_query){.name = KS_LIT("bindings")}, &r, NULL),
        KS_RC_OK);
    assert_false(r->can_list);
    ks_catalog_free(c);
}

/* The n-th version is asked for at its path; the corpus has some of them. */
static void legacy_fill(struct ks_catalog *c)
{
    static const struct {
        const char *path;
        const char *file;
    } files[] = {
        {"/api/v1", "api.v1.json"},
        {"/apis/apps/v1", "apis.apps.v1.json"},
        {"/apis/batch/v1", "apis.batch.v1.json"},
        {"/apis/example.dev/v1", "apis.example.dev.v1.json"},
        {"/apis/apiextensions.k8s.io/v1", "apis.apiextensions.k8s.io.v1.json"},
    };
    ks_catalog_freshness freshness;

    for (size_t n = 0; ks_catalog_version_at(c, n, &freshness); n++) {
        struct ks_buf path, text;
        const char *file = NULL;

        ks_buf_init(&path, 1024);
        assert_int_equal(freshness, KS_CATALOG_PENDING);
        assert_int_equal(ks_catalog_version_path(c, n, &path), KS_RC_OK);
        for (size_t i = 0; i < KS_ARRAY_LEN(files); i++)
            file = ks_str_is(ks_buf_str(&path), files[i].path) ? files[i].file : file;
        ks_buf_fini(&path);
        if (!file) {
            ks_catalog_set_stale(c, n);
            continue;
        }
        corpus_read(file, &text);
        assert_int_equal(ks_catalog_add_resources(c, n, ks_buf_str(&text), NULL), KS_RC_OK);
        ks_buf_fini(&text);
    }
}

static void the_legacy_form_says_the_same(void **state)
{
    struct ks_catalog *c = catalog_new();

    (void)state;
    corpus_add(c, KS_CATALOG_CORE, "api.legacy.json");
    corpus_add(c, KS_CATALOG_GROUPS, "apis.legacy.json");
    legacy_fill(c);
    assert_string_equal(by_name(c, "deploy"), "deployments.v1.apps");
    assert_string_equal(by_name(c, "po"), "pods.v1.");
    assert_string_equal(by_name(c, "no"), "nodes.v1. cluster");
    assert_string_equal(by_name(c, "cronjob"), "cronjobs.v1.batch");
    assert_string_equal(by_kind(c, "example.dev", NULL, "Widget"), "widgets.v1.example.dev");
    assert_string_equal(by_name(c, "deployments/status"), "temporarily unavailable");
    /* Groups that were not answered may have it. */
    assert_string_equal(by_name(c, "gizmos"), "temporarily unavailable");
    assert_string_equal(by_kind(c, "apps", NULL, "Gizmo"), "not found");
    assert_string_equal(by_kind(c, "policy", NULL, "Gizmo"), "temporarily unavailable");
    ks_catalog_free(c);
}

#define GROUP(name, versions) "{\"metadata\":{\"name\":\"" name "\"},\"versions\":[" versions "]}"
#define VERSION(name, freshness, resources)                                                        \
    "{\"version\":\"" name "\",\"freshness\":\"" freshness "\",\"resources\":[" resources "]}"
#define RESOURCE(plural, kind)                                                                     \
    "{\"resource\":\"" plural "\",\"responseKind\":{\"kind\":\"" kind                              \
    "\"},\"scope\":\"Namespaced\",\"verbs\":[\"list\",\"watch\"]}"
#define DOCUMENT(groups)                                                                           \
    "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"                    \
    "v2\",\"items\":[" groups "]}"

static void several_groups_are_ambiguous(void **state)
{
    struct ks_catalog *c = catalog_new();

    (void)state;
    text_add(c, KS_CATALOG_CORE,
             DOCUMENT(GROUP("", VERSION("v1", "Current", RESOURCE("services", "Service")))));
    text_add(
        c, KS_CATALOG_GROUPS,
        DOCUMENT(GROUP("a.io", VERSION("v1", "Current", RESOURCE("clusters", "Cluster"))) "," GROUP(
            "b.io",
            VERSION("v1", "Current",
                    RESOURCE("clusters", "Cluster"))) "," GROUP("k.dev",
                                                                VERSION("v1", "Current",
                                                                        RESOURCE("services",
                                                                                 "Service")))));
    assert_string_equal(by_name(c, "clusters"), "ambiguous");
    assert_non_null(strstr(message(c, "cluster"), "clusters.a.io, clusters.b.io"));
    assert_string_equal(by_name(c, "clusters.b.io"), "clusters.v1.b.io");
    assert_string_equal(by_kind(c, "a.io", NULL, "Cluster"), "clusters.v1.a.io");
    assert_string_equal(by_name(c, "service"), "services.v1.");
    assert_string_equal(by_kind(c, NULL, NULL, "Service"), "ambiguous");
    assert_string_equal(by_kind(c, "", NULL, "Service"), "services.v1.");
    ks_catalog_free(c);
}

static void what_can_be_watched_wins(void **state)
{
    struct ks_catalog *c = catalog_new();

    (void)state;
    text_add(
        c, KS_CATALOG_GROUPS,
        DOCUMENT(GROUP(
            "m.io",
            VERSION("v1", "Current",
                    "{\"resource\":\"pods\",\"responseKind\":{\"kind\":"
                    "\"PodMetrics\"},\"verbs\":[\"list\"]}")) "," GROUP("n.io",
                                                                        VERSION("v1", "Current",
                                                                                RESOURCE("pods",
                                                                                         "Pod")))));
    assert_string_equal(by_name(c, "pods"), "pods.v1.n.io");
    assert_string_equal(by_name(c, "PodMetrics"), "pods.v1.m.io cluster");
    ks_catalog_free(c);
}

static void versions_in_server_order(void **state)
{
    struct ks_catalog *c = catalog_new();

    (void)state;
    text_add(
        c, KS_CATALOG_GROUPS,
        DOCUMENT(GROUP("g.io", VERSION("v2", "Current", RESOURCE("as", "A")) "," VERSION(
                                   "v1", "Current", RESOURCE("as", "A") "," RESOURCE("bs", "B")))));
    assert_string_equal(by_kind(c, "g.io", NULL, "A"), "as.v2.g.io");
    assert_string_equal(by_kind(c, "g.io", "v1", "A"), "as.v1.g.io");
    assert_string_equal(by_kind(c, "g.io", NULL, "B"), "bs.v1.g.io");
    ks_catalog_free(c);
}

static void stale_groups_keep_what_was_known(void **state)
{
    struct ks_catalog *before = catalog_new(), *after = catalog_new();

    (void)state;
    text_add(before, KS_CATALOG_GROUPS,
             DOCUMENT(GROUP("g.io", VERSION("v1", "Current", RESOURCE("as", "A")))));
    text_add(after, KS_CATALOG_GROUPS, DOCUMENT(GROUP("g.io", VERSION("v1", "Stale", ""))));
    assert_string_equal(by_name(after, "as"), "temporarily unavailable");
    assert_non_null(strstr(message(after, "as"), "g.io/v1"));
    assert_int_equal(ks_catalog_keep_stale(after, before, NULL), KS_RC_OK);
    ks_catalog_free(before);
    assert_string_equal(by_name(after, "as"), "as.v1.g.io");
    assert_string_equal(by_kind(after, "g.io", NULL, "B"), "not found");
    ks_catalog_free(after);
}

static void a_version_that_answers_comes_before_a_stale_one(void **state)
{
    struct ks_catalog *c = catalog_new();

    (void)state;
    text_add(c, KS_CATALOG_GROUPS,
             DOCUMENT(GROUP("g.io", VERSION("v2", "Stale", RESOURCE("as", "A")) "," VERSION(
                                        "v1", "Current", RESOURCE("as", "A")))));
    assert_string_equal(by_name(c, "as"), "as.v1.g.io");
    assert_string_equal(by_name(c, "as.v2.g.io"), "as.v2.g.io");
    ks_catalog_free(c);
}

static void unchanged_halves_are_moved(void **state)
{
    struct ks_catalog *before = aggregated_new(), *after = catalog_new();

    (void)state;
    text_add(after, KS_CATALOG_GROUPS,
             DOCUMENT(GROUP("g.io", VERSION("v1", "Current", RESOURCE("as", "A")))));
    ks_catalog_move_half(after, before, KS_CATALOG_CORE);
    ks_catalog_free(before);
    assert_string_equal(by_name(after, "po"), "pods.v1.");
    assert_string_equal(by_name(after, "a"), "as.v1.g.io");
    assert_string_equal(by_name(after, "deploy"), "not found");
    ks_catalog_free(after);
}

static void odd_entries_are_left_out(void **state)
{
    static const char odd[] =
        DOCUMENT("1," GROUP("bad/group", VERSION("v1", "Current", RESOURCE("xs", "X"))) "," GROUP(
            "g.io",
            "[],{\"version\":\"v/1\"}," VERSION(
                "v1", "Current",
                "null,{},{\"resource\":\"only-subs\",\"responseKind\":null,\"verbs\":[]},"
                "{\"resource\":\"../x\",\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":\"..\",\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":\"a b\",\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":\"x?y\",\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":\"x\\u0000\",\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":7,\"responseKind\":{\"kind\":\"X\"}},"
                "{\"resource\":\"oks\",\"singularResource\":7,\"shortNames\":[1,\"o k\",\"ok\"],"
                "\"responseKind\":{\"kind\":\"Ok\"},\"verbs\":\"list\"}")));
    struct ks_catalog *c = catalog_new();

    (void)state;
    text_add(c, KS_CATALOG_GROUPS, odd);
    assert_int_equal(ks_catalog_count(c), 1);
    assert_string_equal(by_name(c, "ok"), "oks.v1.g.io cluster");
    ks_catalog_free(c);
}

static void other_documents_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "<html>",
        "{\"kind\":\"Status\",\"message\":\"no\"}",
        "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}",
        "{\"kind\":\"APIGroupDiscoveryList\"",
    };
    struct ks_catalog *c = catalog_new();
    struct ks_error err = {0};

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(texts); i++)
        assert_int_equal(ks_catalog_add_document(c, KS_CATALOG_GROUPS, ks_str_from(texts[i]), &err),
                         KS_RC_PROTOCOL);
    assert_int_equal(ks_catalog_count(c), 0);
    ks_catalog_free(c);
}

static void resources_have_a_ceiling(void **state)
{
    struct ks_catalog *c = catalog_new();
    struct ks_buf text;
    struct ks_error err = {0};

    (void)state;
    ks_buf_init(&text, (size_t)8 << 20);
    assert_int_equal(
        ks_buf_append_str(&text, KS_LIT("{\"kind\":\"APIGroupDiscoveryList\",\"items\":["
                                        "{\"metadata\":{\"name\":\"g\"},\"versions\":["
                                        "{\"version\":\"v1\",\"resources\":[{}")),
        KS_RC_OK);
    for (int i = 0; i <= KS_CATALOG_MAX_RESOURCES; i++)
        assert_int_equal(
            ks_buf_appendf(&text, ",{\"resource\":\"r%d\",\"responseKind\":{\"kind\":\"R\"}}", i),
            KS_RC_OK);
    assert_int_equal(ks_buf_append_str(&text, KS_LIT("]}]}]}")), KS_RC_OK);
    assert_int_equal(ks_catalog_add_document(c, KS_CATALOG_GROUPS, ks_buf_str(&text), &err),
                     KS_RC_LIMIT);
    assert_non_null(strstr(err.msg, "20000"));
    ks_buf_fini(&text);
    ks_catalog_free(c);
}

static void tortured(void *ctx)
{
    static const char old[] =
        DOCUMENT(GROUP("g.io", VERSION("v1", "Current", RESOURCE("as", "A"))));
    static const char new[] = DOCUMENT(GROUP("g.io", VERSION("v1", "Stale", "")));
    struct ks_catalog *before = NULL, *after = NULL;
    ks_rc rc = ks_catalog_new(&before, NULL);

    (void)ctx;
    if (!rc)
        rc = ks_catalog_new(&after, NULL);
    if (!rc)
        rc = ks_catalog_add_document(before, KS_CATALOG_GROUPS, ks_str_from(old), NULL);
    if (!rc)
        rc = ks_catalog_add_document(after, KS_CATALOG_GROUPS, ks_str_from(new), NULL);
    if (!rc)
        rc = ks_catalog_keep_stale(after, before, NULL);
    if (rc)
        assert_int_equal(rc, KS_RC_NOMEM);
    else
        assert_string_equal(by_name(after, "as"), "as.v1.g.io");
    ks_catalog_free(before);
    ks_catalog_free(after);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    assert_true(ks_torture(tortured, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_as_users_type_them),
        cmocka_unit_test(names_that_are_not_served),
        cmocka_unit_test(kinds_with_group_and_version),
        cmocka_unit_test(verbs_are_known),
        cmocka_unit_test(the_legacy_form_says_the_same),
        cmocka_unit_test(several_groups_are_ambiguous),
        cmocka_unit_test(what_can_be_watched_wins),
        cmocka_unit_test(versions_in_server_order),
        cmocka_unit_test(stale_groups_keep_what_was_known),
        cmocka_unit_test(a_version_that_answers_comes_before_a_stale_one),
        cmocka_unit_test(unchanged_halves_are_moved),
        cmocka_unit_test(odd_entries_are_left_out),
        cmocka_unit_test(other_documents_are_refused),
        cmocka_unit_test(resources_have_a_ceiling),
        cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
