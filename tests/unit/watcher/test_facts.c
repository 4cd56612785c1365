/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * What profile strict asks of the cluster beside an object: what a custom resource's CRD declares,
 * whether its siblings carry Ready, whether a claim's class waits for a Pod.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/torture.h"

#include "unit/watcher/session_fixture.h"

#define CRD "customresourcedefinitions/widgets.example.com"

static const char *widget(const char *name, unsigned version, const char *status)
{
    static char texts[4][512];
    static unsigned turn;
    char *out = texts[turn++ % KS_ARRAY_LEN(texts)];

    (void)snprintf(out, sizeof(texts[0]),
                   "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"%s\",\"uid\":\"u-%s\","
                   "\"resourceVersion\":\"%u\",\"generation\":1}%s%s}",
                   name, name, version, status[0] ? ",\"status\":" : "", status);
    return out;
}

#define READY "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}"
#define PLAIN "{\"observedGeneration\":1,\"color\":\"blue\"}"

static const char crd_with_status[] =
    "{\"metadata\":{\"name\":\"widgets.example.com\",\"uid\":\"c\",\"resourceVersion\":\"1\"},"
    "\"spec\":{\"versions\":[{\"name\":\"v1beta1\"},{\"name\":\"v1\",\"subresources\":{\"status\":"
    "{}}}]}}";
static const char crd_without_status[] =
    "{\"metadata\":{\"name\":\"widgets.example.com\",\"uid\":\"c\",\"resourceVersion\":\"2\"},"
    "\"spec\":{\"versions\":[{\"name\":\"v1beta1\",\"subresources\":{\"status\":{}}},{\"name\":"
    "\"v1\"}]}}";

static void serve_crds(void)
{
    fake_serve("example.com", "v1", "Widget", "widgets", true);
    fake_serve("apiextensions.k8s.io", "v1", "CustomResourceDefinition",
               "customresourcedefinitions", false);
}

static void open_widgets(struct fixture *f, ks_profile profile)
{
    static struct ks_target target;

    target = target_selector(1, "widgets", "demo", "");
    fixture_init(f);
    serve_crds();
    f->config.profile = profile;
    fixture_open(f, &target, 1);
}

static void put_widget(const char *name, unsigned version, const char *status)
{
    fake_put(fake_find("widgets@demo"), widget(name, version, status));
}

static void kstatus_asks_for_nothing(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_KSTATUS);
    assert_string_equal(fake_open_informers(), "widgets@demo");
    fixture_fini(&f);
}

static void strict_waits_for_a_controller(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    assert_null(fake_find("widgets@demo")); /* not before the CRD is known */
    fake_put(fake_find(CRD), crd_with_status);
    assert_null(fake_find("widgets@demo"));
    fake_synced(fake_find(CRD));
    put_widget("a", 1, "");
    fake_synced(fake_find("widgets@demo"));
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a InProgress NotYetObserved [1]\n1 SYNCED\n"
                       "SYNCED InProgress 1\n");
    put_widget("a", 2, READY);
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress Ready [1]\n");
    fixture_fini(&f);
}

static void strict_follows_the_crd(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_put(fake_find(CRD), crd_without_status);
    fake_synced(fake_find(CRD));
    put_widget("a", 1, "");
    put_widget("b", 1, READY);
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a Current [1]\n"
                       "Widget demo/b u-b Current Ready [1]\n");
    fake_put(fake_find(CRD), crd_with_status);
    fixture_expect(&f, "Widget demo/a u-a InProgress<-Current NotYetObserved [1]\n");
    fake_put(fake_find(CRD), crd_without_status);
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress [1]\n");
    fake_gone(fake_find(CRD), "", "widgets.example.com", KS_GONE_REPLACED);
    fixture_expect(&f, "");
    fake_put(fake_find(CRD), crd_without_status);
    fake_gone(fake_find("widgets@demo"), "demo", "a", KS_GONE_SEEN);
    fixture_skip(&f);
    fake_put(fake_find(CRD), crd_with_status); /* the dead stay dead */
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void strict_does_without_rights(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_state(fake_find(CRD), KS_SOURCE_DENIED, KS_RC_DENIED, "not yours");
    put_widget("a", 1, "");
    fake_synced(fake_find("widgets@demo"));
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a InProgress NotYetObserved [1]\n1 SYNCED\n"
                       "SYNCED InProgress 1\n");
    fake_put(fake_find(CRD), crd_without_status); /* the rights are given */
    fake_synced(fake_find(CRD));
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress [1]\n");
    fake_state(fake_find(CRD), KS_SOURCE_DENIED, KS_RC_DENIED, "not yours");
    fixture_expect(&f, "Widget demo/a u-a InProgress<-Current NotYetObserved [1]\n");
    fake_state(fake_find(CRD), KS_SOURCE_FRESH, KS_RC_OK, NULL);
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress [1]\n");
    fixture_fini(&f);
}

static void strict_does_not_wait_for_ever(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fixture_wait(&f, 1999);
    assert_null(fake_find("widgets@demo"));
    fixture_wait(&f, 1);
    assert_non_null(fake_find("widgets@demo"));
    fixture_fini(&f);
}

static void a_crd_may_come_later(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_synced(fake_find(CRD)); /* there is none: another server serves the kind */
    put_widget("a", 1, "");
    fake_synced(fake_find("widgets@demo"));
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a InProgress NotYetObserved [1]\n1 SYNCED\n"
                       "SYNCED InProgress 1\n");
    fake_put(fake_find(CRD), crd_without_status);
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress [1]\n");
    fixture_fini(&f);
}

static void a_crd_that_cannot_be_read(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_bad(fake_find(CRD), "", "widgets.example.com", "too large");
    fake_limit(fake_find(CRD));
    fake_synced(fake_find(CRD));
    put_widget("a", 1, "");
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a InProgress NotYetObserved [1]\n");
    fake_put(fake_find(CRD), crd_without_status); /* it was made smaller */
    fixture_expect(&f, "Widget demo/a u-a Current<-InProgress [1]\n");
    fake_bad(fake_find(CRD), "", "widgets.example.com", "too large");
    fixture_expect(&f, "Widget demo/a u-a InProgress<-Current NotYetObserved [1]\n");
    fixture_fini(&f);
}

static void crds_that_are_not_served(void **state)
{
    struct ks_target target = target_selector(1, "widgets", "demo", "");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("example.com", "v1", "Widget", "widgets", true);
    f.config.profile = KS_PROFILE_STRICT;
    fixture_open(&f, &target, 1);
    assert_string_equal(fake_open_informers(), "widgets@demo");
    fixture_fini(&f);
}

static void a_crd_is_watched_as_long_as_its_objects(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_put(fake_find(CRD), crd_with_status);
    fake_synced(fake_find(CRD));
    put_widget("a", 1, "");
    fake_unserve("widgets");
    fake_state(fake_find("widgets@demo"), KS_SOURCE_ABSENT, KS_RC_NOTFOUND, "gone");
    assert_string_equal(fake_open_informers(), "");
    fixture_fini(&f);
}

static void siblings_tell_that_ready_is_written(void **state)
{
    struct fixture f;

    (void)state;
    open_widgets(&f, KS_PROFILE_STRICT);
    fake_put(fake_find(CRD), crd_with_status);
    fake_synced(fake_find(CRD));
    put_widget("a", 1, PLAIN);
    put_widget("b", 1, READY);
    put_widget("b", 2, READY); /* the same one again */
    fixture_expect(&f, "1 LISTING\nWidget demo/a u-a Current [1]\n"
                       "Widget demo/b u-b Current Ready [1]\n");
    put_widget("c", 1, READY);
    fixture_expect(&f, "Widget demo/c u-c Current Ready [1]\n"
                       "Widget demo/a u-a InProgress<-Current ReadyNotWritten [1]\n");
    put_widget("d", 1, PLAIN);
    fixture_expect(&f, "Widget demo/d u-d InProgress ReadyNotWritten [1]\n");
    fixture_fini(&f);
}

static const char *storage_class(const char *mode, unsigned version)
{
    static char out[256];

    (void)snprintf(out, sizeof(out),
                   "{\"metadata\":{\"name\":\"late\",\"uid\":\"s\",\"resourceVersion\":\"%u\"},"
                   "\"volumeBindingMode\":\"%s\"}",
                   version, mode);
    return out;
}

static void a_class_tells_that_a_claim_waits(void **state)
{
    static const char claim[] =
        "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\",\"uid\":\"u1\",\"resourceVersion\":"
        "\"1\"},\"spec\":{\"storageClassName\":\"late\"},\"status\":{\"phase\":\"Pending\"}}";
    struct ks_target target = target_object(1, "persistentvolumeclaims", "demo", "a");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true);
    fake_serve("storage.k8s.io", "v1", "StorageClass", "storageclasses", false);
    f.config.profile = KS_PROFILE_STRICT;
    f.config.include_causes = true;
    fixture_open(&f, &target, 1);
    fake_put(fake_find("storageclasses"), storage_class("WaitForFirstConsumer", 1));
    fake_synced(fake_find("storageclasses"));
    fake_put(fake_find("persistentvolumeclaims@demo/a"), claim);
    fixture_expect(&f, "1 LISTING\nPersistentVolumeClaim demo/a u1 Current WaitingForConsumer "
                       "[1]\n");
    fake_put(fake_find("storageclasses"), storage_class("Immediate", 2));
    fixture_expect(&f, "PersistentVolumeClaim demo/a u1 InProgress<-Current NotBound [1]\n");
    assert_string_equal(f.last_causes, "VOLUME_NOT_BOUND PersistentVolumeClaim/a");
    fake_put(fake_find("storageclasses"), storage_class("WaitForFirstConsumer", 3));
    fixture_skip(&f);
    fake_gone(fake_find("storageclasses"), "", "late", KS_GONE_SEEN);
    fixture_expect(&f, "PersistentVolumeClaim demo/a u1 InProgress<-Current NotBound [1]\n");
    fixture_fini(&f);
}

/* An Ingress whose controller writes no address is let go after a while. */
static void an_ingress_may_lack_an_address(void **state)
{
    static const char ingress[] =
        "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\",\"uid\":\"u1\",\"resourceVersion\":"
        "\"1\",\"creationTimestamp\":\"2026-09-21T14:13:20Z\"},\"status\":{}}";
    struct ks_target target = target_object(1, "ingresses", "demo", "a");
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_serve("networking.k8s.io", "v1", "Ingress", "ingresses", true);
    fake_serve("apiextensions.k8s.io", "v1", "CustomResourceDefinition",
               "customresourcedefinitions", false);
    f.config.profile = KS_PROFILE_STRICT;
    fixture_open(&f, &target, 1);
    assert_string_equal(fake_open_informers(), "ingresses@demo/a"); /* it has a rule */
    fake_put(fake_find("ingresses@demo/a"), ingress);
    fake_synced(fake_find("ingresses@demo/a"));
    fixture_expect(&f, "1 LISTING\nIngress demo/a u1 InProgress AddressPending [1]\n1 SYNCED\n"
                       "SYNCED InProgress 1\n");
    fixture_wait(&f, 299999);
    fixture_expect(&f, "");
    fixture_wait(&f, 1);
    fixture_expect(&f, "Ingress demo/a u1 Current<-InProgress [1]\n");
    fixture_fini(&f);
}

/* The sink may end the session at any of its events. */
static void ends_at_any_event(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 5; at++) {
        struct ks_target target = target_selector(1, "widgets", "demo", "");
        struct fixture f;

        fixture_init(&f);
        serve_crds();
        f.config.profile = KS_PROFILE_STRICT;
        f.free_at = at;
        fixture_open(&f, &target, 1);
        if (f.session)
            fake_put(fake_find(CRD), crd_without_status);
        if (f.session)
            fake_synced(fake_find(CRD));
        if (f.session)
            put_widget("a", 1, "");
        if (f.session)
            put_widget("b", 1, "");
        if (f.session)
            fake_put(fake_find(CRD), crd_with_status);
        assert_null(f.session);
        fixture_fini(&f);
    }
}

static void run_without_memory(void *ctx)
{
    struct ks_target target = target_selector(1, "widgets", "demo", "");
    struct ks_error err = {0};
    struct fixture *f = ctx;

    f->has_failed = false;
    f->session = NULL;
    if (fixture_try_open(f, &target, 1, &err))
        return;
    fixture_run(f);
    if (!f->has_failed && fake_find(CRD))
        fake_put(fake_find(CRD), crd_without_status);
    if (!f->has_failed && fake_find(CRD))
        fake_synced(fake_find(CRD));
    if (!f->has_failed && fake_find("widgets@demo"))
        put_widget("a", 1, "");
    if (!f->has_failed && fake_find(CRD))
        fake_put(fake_find(CRD), crd_with_status);
    f->session = ks_session_free(f->session);
    fixture_skip(f);
}

static void survives_without_memory(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    serve_crds();
    f.config.profile = KS_PROFILE_STRICT;
    assert_true(ks_torture(run_without_memory, &f) > 10);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kstatus_asks_for_nothing),
        cmocka_unit_test(strict_waits_for_a_controller),
        cmocka_unit_test(strict_follows_the_crd),
        cmocka_unit_test(strict_does_without_rights),
        cmocka_unit_test(strict_does_not_wait_for_ever),
        cmocka_unit_test(a_crd_may_come_later),
        cmocka_unit_test(a_crd_that_cannot_be_read),
        cmocka_unit_test(crds_that_are_not_served),
        cmocka_unit_test(a_crd_is_watched_as_long_as_its_objects),
        cmocka_unit_test(siblings_tell_that_ready_is_written),
        cmocka_unit_test(a_class_tells_that_a_claim_waits),
        cmocka_unit_test(an_ingress_may_lack_an_address),
        cmocka_unit_test(ends_at_any_event),
        cmocka_unit_test(survives_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
