/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * The profile that a session asks for: whose rules decide, and graces that start when the object
 * was first seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

/* An image that cannot be pulled, and no time in it that says since when. */
static const char pulling[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"demo\",\"name\":\"a\","
    "\"uid\":\"u1\",\"resourceVersion\":\"1\"},\"status\":{\"phase\":\"Pending\","
    "\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"waiting\":{\"reason\":"
    "\"ImagePullBackOff\"}}}]}}";

static struct ks_informer *open_pulling(struct fixture *f, ks_profile profile)
{
    struct ks_target target = target_object(1, "pods", "demo", "a");
    struct ks_informer *pods;

    fixture_init(f);
    f->config.profile = profile;
    fixture_open(f, &target, 1);
    pods = fake_find("pods@demo/a");
    fake_put(pods, pulling);
    fake_synced(pods);
    return pods;
}

static void kstatus_waits_for_ever(void **state)
{
    struct fixture f;

    (void)state;
    (void)open_pulling(&f, KS_PROFILE_KSTATUS);
    fixture_skip(&f);
    fixture_wait(&f, 600000);
    fixture_expect(&f, "");
    assert_int_equal(f.last.status, KS_STATUS_IN_PROGRESS);
    fixture_fini(&f);
}

static void strict_loses_patience_from_the_first_sight(void **state)
{
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    pods = open_pulling(&f, KS_PROFILE_STRICT);
    fixture_expect(&f, "1 LISTING\nPod demo/a u1 InProgress ImagePullBackOff [1]\n1 SYNCED\n"
                       "SYNCED InProgress 1\n");
    fixture_wait(&f, 30000);
    fake_put(pods, pulling); /* seen again: the grace goes on */
    fixture_wait(&f, 29999);
    fixture_expect(&f, "");
    fixture_wait(&f, 1);
    fixture_expect(&f, "Pod demo/a u1 Failed<-InProgress ImagePullBackOff [1]\n");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kstatus_waits_for_ever),
        cmocka_unit_test(strict_loses_patience_from_the_first_sight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
