/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Sessions: first answers, SYNCED, changes, deletions, shared objects, the order of everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/watcher/session_fixture.h"

static void answers_for_each_named_object_then_synced(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "here"),
        target_object(2, "pods", "demo", "absent"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fixture_expect(&f, "1 LISTING\n2 LISTING\n");
    assert_string_equal(fake_open_informers(), "pods@demo/here pods@demo/absent");

    fake_put(fake_find("pods@demo/here"), pod("here", "u1", 5, "Running"));
    fixture_expect(&f, "Pod demo/here u1 Current [1]\n");
    fake_synced(fake_find("pods@demo/absent"));
    fixture_expect(&f, "Pod demo/absent NotFound NotFound [2]\n2 SYNCED\n");
    fake_synced(fake_find("pods@demo/here"));
    fixture_expect(&f, "1 SYNCED\nSYNCED InProgress 2\n");
    assert_int_equal(ks_session_object_count(f.session), 2);

    fake_put(fake_find("pods@demo/absent"), pod("absent", "u2", 9, "Pending"));
    fixture_expect(&f, "Pod demo/absent u2 InProgress<-NotFound PodPending [2]\n");
    fake_put(fake_find("pods@demo/absent"), pod("absent", "u2", 10, "Pending"));
    fixture_expect(&f, ""); /* the same verdict */
    fixture_fini(&f);
}

static void selects_and_forgets(void **state)
{
    const struct ks_target targets[] = {target_selector(7, "pods", "demo", "")};
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    pods = fake_find("pods@demo");
    fake_put(pods, pod("a", "u1", 1, "Running"));
    fake_put(pods, pod("b", "u2", 2, "Running"));
    fake_synced(pods);
    fixture_expect(&f, "7 LISTING\nPod demo/a u1 Current [7]\nPod demo/b u2 Current [7]\n"
                       "7 SYNCED\nSYNCED Current 2\n");
    fake_gone(pods, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [7]\nforget Pod demo/a u1\n");
    assert_int_equal(ks_session_object_count(f.session), 1);
    fake_put(pods, pod("b", "u3", 5, "Pending"));
    fixture_expect(&f, "Pod demo/b u2 NotFound<-Current Deleted [7]\nforget Pod demo/b u2\n"
                       "Pod demo/b u3 InProgress PodPending [7]\n");
    fixture_fini(&f);
}

/* The API server leaves apiVersion and kind out of a list's items. */
static void list_items_are_of_the_lists_kind(void **state)
{
    const struct ks_target targets[] = {target_object(1, "deployments", "demo", "d")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fixture_skip(&f);
    fake_put(fake_find("deployments@demo/d"),
             "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"d\",\"uid\":\"u1\"},"
             "\"spec\":{\"replicas\":2},\"status\":{}}");
    fixture_expect(&f, "Deployment demo/d u1 InProgress LessReplicas [1]\n");
    fixture_fini(&f);
}

static void a_named_object_has_several_lives(void **state)
{
    const struct ks_target targets[] = {target_object(1, "pods", "demo", "a")};
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    pods = fake_find("pods@demo/a");
    fake_put(pods, pod("a", "u1", 1, "Running"));
    fake_synced(pods);
    fixture_skip(&f);
    fake_put(pods, pod("a", "u2", 3, "Running")); /* replaced while we looked away */
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\nforget Pod demo/a u1\n"
                       "Pod demo/a u2 Current<-NotFound [1]\n");
    fake_gone(pods, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u2 NotFound<-Current Deleted [1]\n");
    assert_int_equal(ks_session_object_count(f.session), 1);
    fake_put(pods, pod("a", "u3", 9, "Running"));
    fixture_expect(&f, "forget Pod demo/a u2\nPod demo/a u3 Current<-NotFound [1]\n");
    fixture_fini(&f);
}

static void few_names_are_watched_singly_many_together(void **state)
{
    struct ks_target targets[6];
    const char *names[] = {"a", "b", "c", "d", "e", "a"};
    struct fixture f;

    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        targets[i] = target_object(i + 1, "pods", "demo", names[i]);
    fixture_init(&f);
    fixture_open(&f, targets, 4);
    assert_string_equal(fake_open_informers(), "pods@demo/a pods@demo/b pods@demo/c pods@demo/d");
    fixture_fini(&f);

    fixture_init(&f);
    fixture_open(&f, targets, 6);
    assert_string_equal(fake_open_informers(), "pods@demo[a,b,c,d,e]");
    fixture_skip(&f);
    fake_put(fake_find("pods@demo[a,b,c,d,e]"), pod("a", "u1", 1, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current [1,6]\n");
    fake_synced(fake_find("pods@demo[a,b,c,d,e]"));
    fixture_expect(&f, "Pod demo/b NotFound NotFound [2]\nPod demo/c NotFound NotFound [3]\n"
                       "Pod demo/d NotFound NotFound [4]\nPod demo/e NotFound NotFound [5]\n"
                       "1 SYNCED\n2 SYNCED\n3 SYNCED\n4 SYNCED\n5 SYNCED\n6 SYNCED\n"
                       "SYNCED InProgress 5\n");
    fixture_fini(&f);
}

static void a_forbidden_collection_is_split_into_names(void **state)
{
    struct ks_target targets[5];
    const char *names[] = {"a", "b", "c", "d", "e"};
    struct fixture f;

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        targets[i] = target_object(i + 1, "pods", "demo", names[i]);
    fixture_init(&f);
    fixture_open(&f, targets, 5);
    fixture_skip(&f);
    fake_state(fake_find("pods@demo[a,b,c,d,e]"), KS_SOURCE_DENIED, KS_RC_DENIED, "no");
    fixture_expect(&f, "");
    assert_string_equal(fake_open_informers(),
                        "pods@demo/a pods@demo/b pods@demo/c pods@demo/d pods@demo/e");
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_synced(fake_find("pods@demo/a"));
    fake_state(fake_find("pods@demo/b"), KS_SOURCE_DENIED, KS_RC_DENIED, "not b");
    fixture_expect(&f, "Pod demo/a u1 Current [1]\n1 SYNCED\n2 FORBIDDEN not permitted: not b\n"
                       "Pod demo/b Unknown Forbidden [2]\n");
    fixture_fini(&f);
}

static void one_forbidden_target_does_not_hold_up_the_rest(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "configmaps", "demo", ""),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_DENIED, KS_RC_DENIED,
               "pods is forbidden: User \"u\" cannot list");
    fake_synced(fake_find("configmaps@demo"));
    fixture_expect(&f, "1 LISTING\n2 LISTING\n"
                       "1 FORBIDDEN not permitted: pods is forbidden: User \"u\" cannot list\n"
                       "Pod demo/a Unknown Forbidden [1]\n"
                       "2 SYNCED\nSYNCED Unknown 1\n");
    assert_string_equal(f.last_message, "pods is forbidden: User \"u\" cannot list");
    /* It heals. */
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_FRESH, KS_RC_OK, "");
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f, "Pod demo/a u1 Current<-Unknown [1]\n1 SYNCED\n");
    /* And is forbidden again: what is known stays. */
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_DENIED, KS_RC_DENIED, "no more");
    fake_state(fake_find("pods@demo/a"), KS_SOURCE_FRESH, KS_RC_OK, "");
    fixture_expect(&f, "1 FORBIDDEN not permitted: no more\n1 SYNCED\n");
    fixture_fini(&f);
}

static void disconnection_is_told_and_healed(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    pods = fake_find("pods@demo");
    fake_state(pods, KS_SOURCE_SYNCING, KS_RC_OK, "");
    fake_state(pods, KS_SOURCE_SYNCING, KS_RC_IO, "refused");
    fake_state(pods, KS_SOURCE_SYNCING, KS_RC_IO, "refused");
    fixture_expect(&f, "1 LISTING\n1 DISCONNECTED transport failure: refused\n");
    fake_state(pods, KS_SOURCE_FRESH, KS_RC_OK, "");
    fixture_expect(&f, ""); /* SYNCED comes with the state */
    fake_synced(pods);
    fixture_expect(&f, "1 SYNCED\nSYNCED Current 0\n");
    fake_state(pods, KS_SOURCE_STALE, KS_RC_UNAVAILABLE, "overloaded");
    fake_state(pods, KS_SOURCE_STALE, KS_RC_IO, "reset");
    fake_state(pods, KS_SOURCE_FRESH, KS_RC_OK, "");
    fixture_expect(&f, "1 DISCONNECTED temporarily unavailable: overloaded\n"
                       "1 DISCONNECTED transport failure: reset\n1 SYNCED\n");
    fake_state(pods, KS_SOURCE_FAILED, KS_RC_INVALID, "field label not supported");
    fake_state(pods, KS_SOURCE_UNAUTHENTICATED, KS_RC_UNAUTHENTICATED, "expired");
    fixture_expect(&f, "1 REFUSED invalid argument: field label not supported\n"
                       "1 DISCONNECTED credentials not accepted: expired\n");
    fixture_fini(&f);
}

static void a_refused_selector_is_settled(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    fake_state(fake_find("pods@demo"), KS_SOURCE_FAILED, KS_RC_INVALID, "no such field");
    fixture_expect(&f, "1 LISTING\n1 REFUSED invalid argument: no such field\n"
                       "SYNCED Unknown 0\n");
    fixture_fini(&f);
}

static void what_cannot_be_read_leaves_the_aggregate_unknown(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "configmaps", "demo", ""),
    };
    static const char crashing[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
                                   "\"namespace\":\"demo\",\"name\":\"a\","
                                   "\"uid\":\"u1\",\"resourceVersion\":\"1\"},\"status\":{"
                                   "\"phase\":\"Running\",\"conditions\":["
                                   "{\"type\":\"Ready\",\"status\":\"False\"}],"
                                   "\"containerStatuses\":[{\"name\":\"c\",\"state\":"
                                   "{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}}";

    (void)state;
    for (int is_failed = 0; is_failed < 2; is_failed++) {
        struct fixture f;

        fixture_init(&f);
        fixture_open(&f, targets, 2);
        fake_state(fake_find("configmaps@demo"), KS_SOURCE_DENIED, KS_RC_DENIED, "no");
        fixture_skip(&f);
        fake_put(fake_find("pods@demo/a"), is_failed ? crashing : pod("a", "u1", 1, "Running"));
        fake_synced(fake_find("pods@demo/a"));
        fixture_expect(&f, is_failed ? "Pod demo/a u1 Failed ContainerCrashLooping [1]\n1 SYNCED\n"
                                       "SYNCED Failed 1\n"
                                     : "Pod demo/a u1 Current [1]\n1 SYNCED\nSYNCED Unknown 1\n");
        fixture_fini(&f);
    }
}

static void objects_are_shared_between_targets(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", "app=web"),
        target_selector(3, "pods", "demo", "app=web"),
        target_selector(4, "pods", "demo", ""),
    };
    struct fixture f;
    struct ks_informer *named, *web, *all;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 4);
    assert_string_equal(fake_open_informers(), "pods@demo/a pods@demo?app=web pods@demo");
    named = fake_find("pods@demo/a");
    web = fake_find("pods@demo?app=web");
    all = fake_find("pods@demo");
    fixture_skip(&f);
    fake_put(named, pod("a", "u1", 5, "Running"));
    fake_put(web, pod("a", "u1", 5, "Running"));
    fake_put(all, pod("a", "u1", 4, "Pending")); /* lags behind: only its target is news */
    fixture_expect(&f, "Pod demo/a u1 Current [1]\nPod demo/a u1 Current<-Current [1,2,3]\n"
                       "Pod demo/a u1 Current<-Current [1,2,3,4]\n");
    assert_int_equal(ks_session_object_count(f.session), 1);
    fake_synced(named);
    fake_synced(web);
    fake_synced(all);
    fixture_skip(&f);
    /* Each watch tells the deletion; it is told once. */
    fake_gone(all, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1,2,3,4]\n");
    fake_put(web, pod("a", "u1", 6, "Running")); /* late news of the dead */
    fake_gone(web, "demo", "a", KS_GONE_SEEN);
    fake_gone(named, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "");
    fake_put(named, pod("a", "u2", 9, "Running"));
    fixture_expect(&f, "forget Pod demo/a u1\nPod demo/a u2 Current<-NotFound [1]\n");
    fixture_fini(&f);
}

static void a_lagging_watch_does_not_bring_the_old_life_back(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", ""),
    };
    struct fixture f;
    struct ks_informer *named, *all;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    named = fake_find("pods@demo/a");
    all = fake_find("pods@demo");
    fake_put(named, pod("a", "u1", 5, "Running"));
    fake_put(all, pod("a", "u1", 5, "Running"));
    fixture_skip(&f);
    fake_put(named, pod("a", "u2", 9, "Running"));
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1,2]\n"
                       "forget Pod demo/a u1\nPod demo/a u2 Current<-NotFound [1]\n");
    fake_put(all, pod("a", "u1", 6, "Pending"));
    fixture_expect(&f, "");
    fake_put(all, pod("a", "u2", 9, "Running"));
    fixture_expect(&f, "Pod demo/a u2 Current<-Current [1,2]\n");
    fake_gone(named, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u2 NotFound<-Current Deleted [1,2]\n");
    fixture_fini(&f);
}

static void a_pinned_uid_is_the_only_one_that_counts(void **state)
{
    struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_object(2, "pods", "demo", "a"),
    };
    struct fixture f;
    struct ks_informer *pods;

    (void)state;
    targets[1].uid = KS_LIT("u1");
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    assert_string_equal(fake_open_informers(), "pods@demo/a");
    pods = fake_find("pods@demo/a");
    fixture_skip(&f);
    fake_put(pods, pod("a", "u0", 1, "Running"));
    fixture_expect(&f, "Pod demo/a u0 Current [1]\nPod demo/a u1 NotFound OtherUID [2]\n");
    assert_string_equal(f.last_message, "The name is taken by another object, with UID u0");
    fake_synced(pods);
    fixture_expect(&f, "1 SYNCED\n2 SYNCED\nSYNCED InProgress 2\n");
    fake_put(pods, pod("a", "u1", 4, "Running"));
    fixture_expect(&f,
                   "Pod demo/a u0 NotFound<-Current Deleted [1]\nforget Pod demo/a u0\n"
                   "Pod demo/a u1 Current<-NotFound [1]\nPod demo/a u1 Current<-NotFound [2]\n");
    fake_gone(pods, "demo", "a", KS_GONE_SEEN);
    fixture_expect(&f, "Pod demo/a u1 NotFound<-Current Deleted [1]\n"
                       "Pod demo/a u1 NotFound<-Current Deleted [2]\n");
    fixture_fini(&f);
}

/* The same target, named by its kind. */
static struct ks_target by_kind(struct ks_target target, const char *kind)
{
    target.resource = (struct ks_str){.ptr = NULL};
    target.object_kind = ks_str_from(kind);
    return target;
}

static void scope_is_the_kinds_not_the_callers(void **state)
{
    const struct ks_target targets[] = {
        by_kind(target_object(1, "nodes", "demo", "n"), "Node"),
        target_object(2, "pods", "", "p"), /* the configuration's namespace */
        target_object(3, "nodes", "", "n"),
        by_kind(target_selector(4, "nodes", "demo", ""), "Node"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 4);
    assert_string_equal(fake_open_informers(), "pods@default/p nodes/n");
    fixture_expect(
        &f, "1 KIND_MISSING invalid argument: Node has no namespaces, but the target names one "
            "(demo): leave it empty\n"
            "Node demo/n Unknown InvalidTarget [1]\n"
            "4 KIND_MISSING invalid argument: Node has no namespaces, but the target names one "
            "(demo): leave it empty\n"
            "2 LISTING\n3 LISTING\n");
    fake_synced(fake_find("pods@default/p"));
    fake_synced(fake_find("nodes/n"));
    fixture_expect(&f, "Pod default/p NotFound NotFound [2]\n2 SYNCED\n"
                       "Node n NotFound NotFound [3]\n3 SYNCED\nSYNCED Unknown 3\n");
    fixture_fini(&f);
}

static void a_typed_name_may_have_a_namespace_too_many(void **state)
{
    const struct ks_target targets[] = {target_object(1, "nodes", "demo", "n")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 1);
    assert_string_equal(fake_open_informers(), "nodes/n");
    fixture_expect(&f, "1 LISTING\n");
    fake_synced(fake_find("nodes/n"));
    fixture_expect(&f, "Node n NotFound NotFound [1]\n1 SYNCED\nSYNCED InProgress 1\n");
    fixture_fini(&f);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fake_set_watchable("pods", false);
    fixture_open(&f, targets, 1);
    fixture_expect(&f, "1 KIND_MISSING not supported: the cluster does not let pods be listed and "
                       "watched\nSYNCED Unknown 0\n");
    fixture_wait(&f, 60000);
    fixture_expect(&f, "");
    fixture_fini(&f);
}

static void unreadable_objects_spoil_themselves_alone(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", ""),
    };
    struct fixture f;
    struct ks_informer *named, *all;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 2);
    named = fake_find("pods@demo/a");
    all = fake_find("pods@demo");
    fixture_skip(&f);
    fake_bad(named, "demo", "a", "too deep");
    fake_bad(named, "", "", "nobody knows whose");
    fake_synced(named);
    fixture_expect(&f, "Pod demo/a Unknown Unreadable [1]\n1 SYNCED\n");
    fake_bad(all, "demo", "b", "too long");
    fake_put(all, pod("c", "u3", 1, "Running"));
    fake_put(all, pod("d", "u4", 1, "Nonsense"));
    fake_synced(all);
    fixture_expect(&f, "Pod demo/b Unknown Unreadable [2]\nPod demo/c u3 Current [2]\n"
                       "Pod demo/d u4 Unknown NotComputable [2]\n2 SYNCED\nSYNCED Unknown 4\n");
    assert_int_equal(f.last.error_rc, KS_RC_INVALID);
    fake_put(all, pod("d", "u4", 2, "Running"));
    fake_bad(all, "demo", "d", "broken again");
    fake_put(all, pod("b", "u2", 2, "Running"));
    fixture_expect(&f, "Pod demo/d u4 Current<-Unknown [2]\n"
                       "Pod demo/d u4 Unknown<-Current Unreadable [2]\n"
                       "Pod demo/b u2 Current<-Unknown [2]\n");
    fixture_fini(&f);
}

static void the_end_of_what_was_never_readable_is_told(void **state)
{
    const struct ks_target targets[] = {
        target_object(1, "pods", "demo", "a"),
        target_selector(2, "pods", "demo", ""),
        target_selector(3, "pods", "demo", "app=web"),
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, targets, 3);
    fake_bad(fake_find("pods@demo/a"), "demo", "a", "too deep");
    fake_bad(fake_find("pods@demo"), "demo", "b", "too deep");
    fake_bad(fake_find("pods@demo?app=web"), "demo", "c", "too deep");
    fixture_skip(&f);
    fake_bad_gone(fake_find("pods@demo/a"), "demo", "a");
    fixture_expect(&f, "Pod demo/a NotFound<-Unknown Deleted [1]\n");
    assert_string_equal(f.last_message, "The object was deleted");
    fake_bad_gone(fake_find("pods@demo"), "demo", "b");
    fixture_expect(&f, "Pod demo/b NotFound<-Unknown Deleted [2]\nforget Pod demo/b \n");
    fake_bad_gone(fake_find("pods@demo?app=web"), "demo", "c");
    fixture_expect(&f, "REMOVED Pod demo/c  [3]\nforget Pod demo/c \n");
    fake_bad_gone(fake_find("pods@demo"), "demo", "nobody");
    fixture_expect(&f, "");
    /* Who comes next under the name is not taken for the one that is gone. */
    fake_put(fake_find("pods@demo/a"), pod("a", "u9", 9, "Running"));
    fixture_expect(&f, "Pod demo/a u9 Current<-NotFound [1]\n");
    fixture_fini(&f);
}

static void absence_is_not_told_while_objects_without_a_name_were_met(void **state)
{
    const struct ks_target named[] = {target_object(1, "pods", "demo", "a")};
    const struct ks_target selecting[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    fixture_open(&f, named, 1);
    fake_bad(fake_find("pods@demo/a"), "", "", "1 objects are larger than 16777216 bytes");
    fake_synced(fake_find("pods@demo/a"));
    fixture_expect(&f,
                   "1 LISTING\nPod demo/a Unknown Unreadable [1]\n1 SYNCED\nSYNCED Unknown 1\n");
    assert_int_equal(f.last.error_rc, KS_RC_PARSE);
    fake_put(fake_find("pods@demo/a"), pod("a", "u1", 1, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current<-Unknown [1]\n");
    fixture_fini(&f);

    fixture_init(&f);
    fixture_open(&f, selecting, 1);
    fake_bad(fake_find("pods@demo"), "", "", "1 objects are larger than 16777216 bytes");
    fake_synced(fake_find("pods@demo"));
    fixture_expect(&f, "1 LISTING\n1 SYNCED\nSYNCED Unknown 0\n");
    fixture_fini(&f);
}

static void beyond_the_limit_the_session_ends(void **state)
{
    const struct ks_target targets[] = {target_selector(1, "pods", "demo", "")};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    f.config.max_objects = 2;
    fixture_open(&f, targets, 1);
    fixture_skip(&f);
    fake_put(fake_find("pods@demo"), pod("a", "u1", 1, "Running"));
    fake_put(fake_find("pods@demo"), pod("b", "u2", 1, "Running"));
    fake_put(fake_find("pods@demo"), pod("c", "u3", 1, "Running"));
    fixture_expect(&f, "Pod demo/a u1 Current [1]\nPod demo/b u2 Current [1]\n"
                       "FAILED limit exceeded\n");
    assert_string_equal(fake_open_informers(), "");
    fixture_wait(&f, 60000);
    fixture_expect(&f, "");
    fixture_fini(&f);

    fixture_init(&f);
    fixture_open(&f, targets, 1);
    f.free_at = 2; /* from within on_failed */
    fake_limit(fake_find("pods@demo"));
    assert_null(f.session);
    fixture_fini(&f);
}

static void counts_aggregate_as_the_reference_does(void **state)
{
    struct ks_counts c = {{0}};

    (void)state;
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_CURRENT), KS_STATUS_CURRENT);
    c.by_status[KS_STATUS_CURRENT] = 2;
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_CURRENT), KS_STATUS_CURRENT);
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_NOT_FOUND), KS_STATUS_IN_PROGRESS);
    c.by_status[KS_STATUS_TERMINATING] = 1;
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_CURRENT), KS_STATUS_IN_PROGRESS);
    c.by_status[KS_STATUS_UNKNOWN] = 1;
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_CURRENT), KS_STATUS_UNKNOWN);
    c.by_status[KS_STATUS_FAILED] = 1;
    assert_int_equal(ks_counts_aggregate(&c, KS_STATUS_CURRENT), KS_STATUS_FAILED);
    assert_int_equal(ks_counts_total(&c), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_for_each_named_object_then_synced),
        cmocka_unit_test(selects_and_forgets),
        cmocka_unit_test(list_items_are_of_the_lists_kind),
        cmocka_unit_test(a_named_object_has_several_lives),
        cmocka_unit_test(few_names_are_watched_singly_many_together),
        cmocka_unit_test(a_forbidden_collection_is_split_into_names),
        cmocka_unit_test(one_forbidden_target_does_not_hold_up_the_rest),
        cmocka_unit_test(disconnection_is_told_and_healed),
        cmocka_unit_test(a_refused_selector_is_settled),
        cmocka_unit_test(what_cannot_be_read_leaves_the_aggregate_unknown),
        cmocka_unit_test(objects_are_shared_between_targets),
        cmocka_unit_test(a_lagging_watch_does_not_bring_the_old_life_back),
        cmocka_unit_test(a_pinned_uid_is_the_only_one_that_counts),
        cmocka_unit_test(scope_is_the_kinds_not_the_callers),
        cmocka_unit_test(a_typed_name_may_have_a_namespace_too_many),
        cmocka_unit_test(what_cannot_be_watched_is_refused),
        cmocka_unit_test(unreadable_objects_spoil_themselves_alone),
        cmocka_unit_test(the_end_of_what_was_never_readable_is_told),
        cmocka_unit_test(absence_is_not_told_while_objects_without_a_name_were_met),
        cmocka_unit_test(beyond_the_limit_the_session_ends),
        cmocka_unit_test(counts_aggregate_as_the_reference_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
