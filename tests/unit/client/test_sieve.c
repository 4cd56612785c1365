/* SPDX-License-Identifier: Apache-2.0 */
/* What is news of a later stream, and that nothing is lost between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <google/rpc/status.pb-c.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/sieve.h"
#include "support/torture.h"

#define STATUS(name) KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_##name
#define STATE(name) KSTATUS__V1__TARGET_CHANGE__STATE__STATE_##name
#define EVENT(name) KSTATUS__V1__EVENT__EVENT_##name

static struct ks_sieve *sieve;
static struct ks_buf heard; /* "web InProgress<-Current, -db, SYNCED, target 1 2, " */

static bool is_deaf; /* to hear takes memory */

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int setup(void **state)
{
    (void)state;
    ks_buf_init(&heard, 1u << 20);
    sieve = ks_sieve_new(KS_SIEVE_DROPS_DRAINING);
    return sieve ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sieve = ks_sieve_free(sieve);
    ks_buf_fini(&heard);
    return 0;
}

static void hear(const Kstatus__V1__Event *event)
{
    const Kstatus__V1__ResourceStatus *u = event->update;
    ks_rc rc = KS_RC_OK;

    if (event->event_case == EVENT(UPDATE))
        rc = ks_buf_appendf(&heard, "%s %d<-%d since %lld, ", u->object->name, (int)u->status,
                            (int)u->previous_status,
                            u->transition_time ? (long long)u->transition_time->seconds : 0);
    else if (event->event_case == EVENT(REMOVED))
        rc = ks_buf_appendf(&heard, "-%s of %u, ", event->removed->object->name,
                            event->removed->target_ids[0]);
    else if (event->event_case == EVENT(TARGET_CHANGE))
        rc = ks_buf_appendf(&heard, "target %u is %d, ", event->target_change->target_id,
                            (int)event->target_change->state);
    else
        rc = ks_buf_appendf(&heard, "event %d, ", (int)event->event_case);
    assert_int_equal(rc, KS_RC_OK);
}

static ks_rc pass(Kstatus__V1__Event *event)
{
    Kstatus__V1__Event *events[] = {event};
    Kstatus__V1__WatchResponse response;
    Kstatus__V1__WatchResponse news;
    ks_rc rc;

    kstatus__v1__watch_response__init(&response);
    response.events = events;
    response.n_events = 1;
    rc = ks_sieve_pass(sieve, &response, &news);
    for (size_t i = 0; !rc && !is_deaf && i < news.n_events; i++)
        hear(news.events[i]);
    return rc;
}

struct seen {
    const char *kind; /* NULL: Pod */
    const char *name;
    Kstatus__V1__ReconcileStatus status;
    const char *message;
    int64_t since_s;
    const char *version;
};

static ks_rc see(struct seen s)
{
    Kstatus__V1__ResourceStatus status;
    Kstatus__V1__ObjectRef object;
    Google__Protobuf__Timestamp since;
    Google__Protobuf__Timestamp now;
    Kstatus__V1__Event event;
    uint32_t id = 1;

    kstatus__v1__resource_status__init(&status);
    kstatus__v1__object_ref__init(&object);
    google__protobuf__timestamp__init(&since);
    google__protobuf__timestamp__init(&now);
    kstatus__v1__event__init(&event);
    object.kind = text_of(s.kind ? s.kind : "Pod");
    object.name = text_of(s.name);
    since.seconds = s.since_s;
    now.seconds = s.since_s + 7;
    status.object = &object;
    status.status = s.status;
    status.message = text_of(s.message ? s.message : "m");
    status.resource_version = text_of(s.version ? s.version : "1");
    status.transition_time = &since;
    status.observe_time = &now;
    status.target_ids = &id;
    status.n_target_ids = 1;
    event.event_case = EVENT(UPDATE);
    event.update = &status;
    return pass(&event);
}

static ks_rc target(Kstatus__V1__TargetChange__State state, const char *cause)
{
    Kstatus__V1__TargetChange change;
    Google__Rpc__Status status;
    Kstatus__V1__Event event;

    kstatus__v1__target_change__init(&change);
    google__rpc__status__init(&status);
    kstatus__v1__event__init(&event);
    status.message = text_of(cause);
    change.target_id = 1;
    change.state = state;
    change.cause = cause ? &status : NULL;
    event.event_case = EVENT(TARGET_CHANGE);
    event.target_change = &change;
    return pass(&event);
}

static ks_rc plain(Kstatus__V1__Event__EventCase kind)
{
    Kstatus__V1__Accepted accepted;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Draining draining;
    Kstatus__V1__Event event;

    kstatus__v1__accepted__init(&accepted);
    kstatus__v1__synced__init(&synced);
    kstatus__v1__draining__init(&draining);
    kstatus__v1__event__init(&event);
    event.event_case = kind;
    if (kind == EVENT(ACCEPTED))
        event.accepted = &accepted;
    else if (kind == EVENT(SYNCED))
        event.synced = &synced;
    else
        event.draining = &draining;
    return pass(&event);
}

#define OK(call) assert_int_equal(call, KS_RC_OK)

static void expect(const char *text)
{
    assert_string_equal(heard.data ? heard.data : "", text);
    ks_buf_clear(&heard);
}

/* Two Pods, read. */
static void first_stream(void)
{
    OK(plain(EVENT(ACCEPTED)));
    OK(target(STATE(LISTING), NULL));
    OK(target(STATE(SYNCED), NULL));
    OK(see((struct seen){.name = "a", .status = STATUS(CURRENT), .since_s = 100}));
    OK(see((struct seen){.name = "b", .status = STATUS(IN_PROGRESS), .since_s = 110}));
    OK(plain(EVENT(SYNCED)));
}

static void begin(void)
{
    first_stream();
    expect("event 1, target 1 is 1, target 1 is 2, a 3<-0 since 100, b 1<-0 since 110, event 4, ");
    OK(plain(EVENT(DRAINING)));
    ks_sieve_restart(sieve);
    OK(plain(EVENT(ACCEPTED)));
    OK(target(STATE(LISTING), NULL));
    OK(target(STATE(SYNCED), NULL));
    expect("");
}

static void what_is_the_same_is_no_news(void **state)
{
    (void)state;
    begin();
    OK(see((struct seen){.name = "a", .status = STATUS(CURRENT), .since_s = 200, .version = "9"}));
    OK(see((struct seen){.name = "b", .status = STATUS(IN_PROGRESS), .since_s = 200}));
    OK(plain(EVENT(SYNCED)));
    expect("");
}

static void what_changed_is_told_against_what_was_told(void **state)
{
    (void)state;
    begin();
    OK(see((struct seen){.name = "a", .status = STATUS(FAILED), .since_s = 200}));
    OK(see((struct seen){
        .name = "b", .status = STATUS(IN_PROGRESS), .message = "other", .since_s = 200}));
    OK(see((struct seen){.name = "c", .status = STATUS(CURRENT), .since_s = 200}));
    OK(plain(EVENT(SYNCED)));
    expect("a 2<-3 since 200, b 1<-1 since 110, c 3<-0 since 200, ");
    /* On and on. */
    OK(see((struct seen){.name = "b", .status = STATUS(CURRENT), .since_s = 210}));
    expect("b 3<-1 since 210, ");
    ks_sieve_restart(sieve);
    OK(target(STATE(SYNCED), NULL));
    OK(see((struct seen){.name = "b", .status = STATUS(CURRENT), .since_s = 300}));
    OK(see((struct seen){.name = "c", .status = STATUS(CURRENT), .since_s = 300}));
    OK(plain(EVENT(SYNCED)));
    expect("-a of 1, ");
}

static void what_is_gone_is_told_once(void **state)
{
    (void)state;
    begin();
    OK(see((struct seen){.name = "a", .status = STATUS(CURRENT)}));
    expect("");
    OK(plain(EVENT(SYNCED)));
    expect("-b of 1, ");
    OK(see((struct seen){.name = "a", .status = STATUS(NOT_FOUND), .since_s = 201}));
    expect("a 5<-3 since 201, ");
    ks_sieve_restart(sieve);
    OK(target(STATE(SYNCED), NULL));
    OK(plain(EVENT(SYNCED)));
    expect("");
}

static void a_target_that_is_not_read_misses_nothing(void **state)
{
    (void)state;
    first_stream();
    ks_buf_clear(&heard);
    ks_sieve_restart(sieve);
    OK(target(STATE(DISCONNECTED), "no route"));
    OK(plain(EVENT(SYNCED)));
    expect("target 1 is 3, ");
    OK(target(STATE(DISCONNECTED), "no route"));
    expect("");
    OK(target(STATE(DISCONNECTED), "refused"));
    expect("target 1 is 3, ");
    OK(see((struct seen){.name = "a", .status = STATUS(CURRENT)}));
    OK(target(STATE(SYNCED), NULL));
    expect("target 1 is 2, -b of 1, ");
}

static void a_kind_that_was_not_known_leaves_silently(void **state)
{
    (void)state;
    OK(see((struct seen){.kind = "", .name = "x", .status = STATUS(UNKNOWN)}));
    OK(plain(EVENT(SYNCED)));
    expect("x 6<-0 since 0, event 4, ");
    ks_sieve_restart(sieve);
    OK(target(STATE(SYNCED), NULL));
    OK(see((struct seen){.name = "x", .status = STATUS(CURRENT)}));
    OK(plain(EVENT(SYNCED)));
    expect("target 1 is 2, x 3<-0 since 0, ");
}

static void run_streams(void *ctx)
{
    ks_rc rc;

    (void)ctx;
    sieve = ks_sieve_free(sieve);
    sieve = ks_sieve_new(KS_SIEVE_DROPS_DRAINING);
    if (!sieve)
        return;
    rc = see((struct seen){.name = "a", .status = STATUS(CURRENT)});
    if (!rc)
        rc = target(STATE(SYNCED), NULL);
    ks_sieve_restart(sieve);
    if (!rc)
        rc = target(STATE(SYNCED), NULL);
    if (!rc)
        rc = see((struct seen){.name = "b", .status = STATUS(CURRENT)});
    if (!rc)
        rc = plain(EVENT(SYNCED));
    assert_true(rc == KS_RC_OK || rc == KS_RC_NOMEM);
    assert_true(rc == KS_RC_OK || ks_alloc_failed());
}

static void survives_without_memory(void **state)
{
    (void)state;
    is_deaf = true;
    (void)ks_torture(run_streams, NULL); /* as often as it takes */
    is_deaf = false;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(what_is_the_same_is_no_news),
        EACH(what_changed_is_told_against_what_was_told),
        EACH(what_is_gone_is_told_once),
        EACH(a_target_that_is_not_read_misses_nothing),
        EACH(a_kind_that_was_not_known_leaves_silently),
        EACH(survives_without_memory),
    };

    return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
