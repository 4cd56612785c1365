/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding: every field arrives, strings are valid UTF-8 whatever came in, and nothing grows beyond
 * its ceiling. Read back with protobuf-c, and once with protoc, which shares no code with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <google/rpc/error_details.pb-c.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "base/file.h"

#include "loop/process.h"

#include "bridge/encode.h"
#include "bridge/outbox.h"

#include "support/torture.h"

static const uint32_t ids[] = {3, 300};

static struct ks_event full_update(void)
{
    return (struct ks_event){
        .kind = KS_EVENT_UPDATE,
        .update =
            {
                .object = {.group = KS_LIT("apps"),
                           .version = KS_LIT("v1"),
                           .kind = KS_LIT("Deployment"),
                           .ns = KS_LIT("demo"),
                           .name = KS_LIT("web"),
                           .uid = KS_LIT("u-1")},
                .status = KS_STATUS_UNKNOWN,
                .previous_status = KS_STATUS_CURRENT,
                .basis = KS_BASIS_STANDARD_CONDITION,
                .reason = KS_LIT("Why"),
                .message = KS_LIT("because"),
                .has_condition = true,
                .condition = {.type = KS_LIT("Stalled"),
                              .status = KS_LIT("True"),
                              .reason = KS_LIT("CR"),
                              .message = KS_LIT("cm")},
                .has_generation = true,
                .generation = 7,
                .has_observed_generation = true,
                .observed_generation = 0,
                .resource_version = KS_LIT("12345678901234567890"),
                .observe_time_ms = 1790000000123,
                .transition_time_ms = -1,
                .has_progress = true,
                .desired_count = 4,
                .ready_count = 2,
                .target_ids = ids,
                .target_count = 2,
                .error_rc = KS_RC_DENIED,
                .error_message = KS_LIT("no rights"),
                .object_json = KS_LIT("{\"a\":1}"),
                .obstacle_code = KS_LIT("WEAK_BASIS"),
                .obstacle_message = KS_LIT("too weak"),
            },
    };
}

static Kstatus__V1__ResourceStatus *encode_update(const struct ks_event *event)
{
    struct ks_packet *p = NULL;
    Kstatus__V1__ResourceStatus *m;

    assert_int_equal(ks_encode_event(event, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_UPDATE);
    m = kstatus__v1__resource_status__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_non_null(m);
    p = ks_packet_unref(p);
    return m;
}

static void every_field_of_an_update_arrives(void **state)
{
    const struct ks_event event = full_update();
    Kstatus__V1__ResourceStatus *m = encode_update(&event);

    (void)state;
    assert_string_equal(m->object->group, "apps");
    assert_string_equal(m->object->version, "v1");
    assert_string_equal(m->object->kind, "Deployment");
    assert_string_equal(m->object->namespace_, "demo");
    assert_string_equal(m->object->name, "web");
    assert_string_equal(m->object->uid, "u-1");
    assert_int_equal(m->status, KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN);
    assert_int_equal(m->previous_status, KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT);
    assert_int_equal(m->basis, KSTATUS__V1__STATUS_BASIS__STATUS_BASIS_STANDARD_CONDITION);
    assert_string_equal(m->reason, "Why");
    assert_string_equal(m->message, "because");
    assert_int_equal(m->n_conditions, 1);
    assert_string_equal(m->conditions[0]->type, "Stalled");
    assert_string_equal(m->conditions[0]->status, "True");
    assert_string_equal(m->conditions[0]->reason, "CR");
    assert_string_equal(m->conditions[0]->message, "cm");
    assert_int_equal(m->generation, 7);
    assert_int_equal(m->observed_case, KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION);
    assert_int_equal(m->observed_generation, 0);
    assert_string_equal(m->resource_version, "12345678901234567890");
    assert_int_equal(m->observe_time->seconds, 1790000000);
    assert_int_equal(m->observe_time->nanos, 123000000);
    assert_int_equal(m->transition_time->seconds, -1);
    assert_int_equal(m->transition_time->nanos, 999000000);
    assert_int_equal(m->progress->desired_count, 4);
    assert_int_equal(m->progress->ready_count, 2);
    assert_int_equal(m->n_target_ids, 2);
    assert_int_equal(m->target_ids[1], 300);
    assert_int_equal(m->error->code, 7);
    assert_string_equal(m->error->message, "no rights");
    assert_int_equal(m->object_json.len, 7);
    assert_memory_equal(m->object_json.data, "{\"a\":1}", 7);
    assert_string_equal(m->obstacle->code, "WEAK_BASIS");
    assert_string_equal(m->obstacle->message, "too weak");
    kstatus__v1__resource_status__free_unpacked(m, NULL);
}

static void an_outcome_arrives(void **state)
{
    const struct ks_event update = full_update();
    struct ks_update blocking[3] = {update.update, update.update, update.update};
    const struct ks_event event = {.kind = KS_EVENT_OUTCOME,
                                   .outcome = {.verdict = KS_OUTCOME_TIMED_OUT,
                                               .counts = {{[KS_STATUS_FAILED] = 3}},
                                               .blocking = blocking,
                                               .blocking_count = 3,
                                               .blocking_total = 40}};
    static char long_json[200 << 10];
    struct ks_packet *p = NULL;
    Kstatus__V1__Outcome *m;

    (void)state;
    for (size_t room = 3; room >= 1; room -= 2) { /* and then two find no room */
        assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
        assert_int_equal(p->kind, KS_PACKET_OUTCOME);
        m = kstatus__v1__outcome__unpack(NULL, p->len, (const uint8_t *)p->bytes);
        assert_non_null(m);
        assert_int_equal(m->verdict, KSTATUS__V1__OUTCOME__VERDICT__VERDICT_TIMED_OUT);
        assert_int_equal(m->counts->failed, 3);
        assert_int_equal(m->blocking_count, 40);
        assert_int_equal(m->n_blocking, room);
        assert_string_equal(m->blocking[room - 1]->object->name, "web");
        kstatus__v1__outcome__free_unpacked(m, NULL);
        p = ks_packet_unref(p);
        if (room == 1)
            break;
        for (size_t i = 0; i < 3; i++)
            blocking[i].object_json = ks_str_make(long_json, sizeof(long_json));
    }
}

static const struct ks_cause full_causes[] = {
    {.code = KS_CAUSE_CRASH_LOOP,
     .message = {"it ends", 7},
     .source = {.kind = {"Pod", 3}, .ns = {"demo", 4}, .name = {"web-1", 5}},
     .container = {"main", 4},
     .has_exit = true,
     .exit_code = 0,
     .restart_count = 9,
     .count = 2,
     .first_seen_ms = 1790000000123,
     .last_seen_ms = 1790000001000},
    {.code = KS_CAUSE_IMAGE_NOT_FOUND,
     .source = {.group = {"apps", 4}, .kind = {"ReplicaSet", 10}, .name = {"web", 3}}},
};

static void causes_and_owner_arrive(void **state)
{
    const struct ks_decision_view decision = {.field = KS_LIT("status.conditions[\xff].status"),
                                              .value = KS_LIT("2"),
                                              .comparison = KS_LIT("<"),
                                              .other_field = KS_LIT("spec.replicas"),
                                              .other_value = KS_LIT("3")};
    struct ks_event event = full_update();
    struct ks_cause many[KS_CAUSES_MAX + 1];
    Kstatus__V1__ResourceStatus *m;

    (void)state;
    event.update.has_owner = true;
    event.update.owner = (struct ks_object_id){
        .group = KS_LIT("apps"), .kind = KS_LIT("ReplicaSet"), .name = KS_LIT("web-5d")};
    event.update.causes = full_causes;
    event.update.cause_count = KS_ARRAY_LEN(full_causes);
    event.update.decision = &decision;
    m = encode_update(&event);
    assert_string_equal(m->decision->field, "status.conditions[\xef\xbf\xbd].status");
    assert_string_equal(m->decision->value, "2");
    assert_string_equal(m->decision->comparison, "<");
    assert_string_equal(m->decision->other_field, "spec.replicas");
    assert_string_equal(m->decision->other_value, "3");
    assert_string_equal(m->owner->group, "apps");
    assert_string_equal(m->owner->kind, "ReplicaSet");
    assert_string_equal(m->owner->name, "web-5d");
    assert_int_equal(m->n_causes, 2);
    assert_string_equal(m->causes[0]->code, "CRASH_LOOP");
    assert_string_equal(m->causes[0]->message, "it ends");
    assert_string_equal(m->causes[0]->source->kind, "Pod");
    assert_string_equal(m->causes[0]->source->namespace_, "demo");
    assert_string_equal(m->causes[0]->source->name, "web-1");
    assert_string_equal(m->causes[0]->container, "main");
    assert_int_equal(m->causes[0]->exit_case, KSTATUS__V1__CAUSE__EXIT_EXIT_CODE);
    assert_int_equal(m->causes[0]->exit_code, 0);
    assert_int_equal(m->causes[0]->restart_count, 9);
    assert_int_equal(m->causes[0]->first_seen_time->nanos, 123000000);
    assert_int_equal(m->causes[0]->last_seen_time->seconds, 1790000001);
    assert_string_equal(m->causes[0]->suggestion, ks_cause_suggestion(KS_CAUSE_CRASH_LOOP));
    assert_string_equal(m->causes[1]->code, "IMAGE_NOT_FOUND");
    assert_string_equal(m->causes[1]->source->group, "apps");
    assert_int_equal(m->causes[1]->exit_case, KSTATUS__V1__CAUSE__EXIT__NOT_SET);
    assert_null(m->causes[1]->first_seen_time);
    assert_null(m->causes[1]->last_seen_time);
    kstatus__v1__resource_status__free_unpacked(m, NULL);

    for (size_t i = 0; i < KS_ARRAY_LEN(many); i++)
        many[i] = full_causes[0];
    event.update.causes = many;
    event.update.cause_count = KS_ARRAY_LEN(many);
    m = encode_update(&event);
    assert_int_equal(m->n_causes, KS_CAUSES_MAX);
    kstatus__v1__resource_status__free_unpacked(m, NULL);
}

static void absent_members_stay_absent(void **state)
{
    const struct ks_event event = {.kind = KS_EVENT_UPDATE};
    Kstatus__V1__ResourceStatus *m = encode_update(&event);

    (void)state;
    assert_int_equal(m->n_conditions, 0);
    assert_null(m->progress);
    assert_null(m->error);
    assert_int_equal(m->observed_case, KSTATUS__V1__RESOURCE_STATUS__OBSERVED__NOT_SET);
    assert_string_equal(m->object->uid, "");
    kstatus__v1__resource_status__free_unpacked(m, NULL);
}

static void strings_are_mended(void **state)
{
    static const struct {
        struct ks_str in;
        const char *out;
    } samples[] = {
        {KS_LIT("plain"), "plain"},
        {KS_LIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {KS_LIT("a\xff"
                "b"),
         "a\xef\xbf\xbd"
         "b"},
        {KS_LIT("a\0b"), "a\xef\xbf\xbd"
                         "b"},
        {KS_LIT("cut\xe2\x82"), "cut\xef\xbf\xbd\xef\xbf\xbd"},
        {KS_LIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {KS_LIT("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(samples); i++) {
        struct ks_event event = {.kind = KS_EVENT_UPDATE};
        Kstatus__V1__ResourceStatus *m;

        event.update.message = samples[i].in;
        event.update.object.name = samples[i].in;
        m = encode_update(&event);
        assert_string_equal(m->message, samples[i].out);
        assert_string_equal(m->object->name, samples[i].out);
        kstatus__v1__resource_status__free_unpacked(m, NULL);
    }
}

static void long_strings_are_cut_between_characters(void **state)
{
    enum { LONG = 200000 };
    static char text[LONG];
    struct ks_event event = full_update();
    struct ks_str *all[] = {
        &event.update.object.group,     &event.update.object.version,
        &event.update.object.kind,      &event.update.object.ns,
        &event.update.object.name,      &event.update.object.uid,
        &event.update.reason,           &event.update.message,
        &event.update.condition.type,   &event.update.condition.status,
        &event.update.condition.reason, &event.update.condition.message,
        &event.update.resource_version, &event.update.error_message,
        &event.update.owner.group,      &event.update.owner.version,
        &event.update.owner.kind,       &event.update.owner.ns,
        &event.update.owner.name,       &event.update.owner.uid,
    };
    Kstatus__V1__ResourceStatus *m;

    (void)state;
    event.update.has_owner = true;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < LONG; i++) /* well-formed in the first round, not in the second */
            text[i] = round ? '\xff' : "\xe2\x82\xac"[i % 3];
        for (size_t i = 0; i < KS_ARRAY_LEN(all); i++)
            *all[i] = ks_str_make(text, LONG);
        m = encode_update(&event);
        assert_int_equal(strlen(m->message), 4095);
        assert_int_equal(strlen(m->object->name), 1023);
        assert_true(ks_str_is_utf8(ks_str_from(m->message)));
        assert_true(ks_str_is_utf8(ks_str_from(m->error->message)));
        kstatus__v1__resource_status__free_unpacked(m, NULL);
    }
}

static void other_events_arrive(void **state)
{
    struct ks_event event = {
        .kind = KS_EVENT_REMOVED,
        .removed = {.object = {.name = KS_LIT("web")}, .target_ids = ids, .target_count = 2},
    };
    struct ks_packet *p = NULL;
    Kstatus__V1__Removed *removed;
    Kstatus__V1__TargetChange *change;
    Kstatus__V1__Synced *synced;

    (void)state;
    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_REMOVED);
    removed = kstatus__v1__removed__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_string_equal(removed->object->name, "web");
    assert_int_equal(removed->n_target_ids, 2);
    kstatus__v1__removed__free_unpacked(removed, NULL);
    p = ks_packet_unref(p);

    event = (struct ks_event){
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = 9,
                          .state = KS_TARGET_KIND_MISSING,
                          .cause_rc = KS_RC_NOTFOUND,
                          .cause_message = KS_LIT("no such kind")},
    };
    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_TARGET_CHANGE);
    change = kstatus__v1__target_change__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_int_equal(change->target_id, 9);
    assert_int_equal(change->state, KSTATUS__V1__TARGET_CHANGE__STATE__STATE_KIND_MISSING);
    assert_int_equal(change->cause->code, 5);
    assert_string_equal(change->cause->message, "no such kind");
    kstatus__v1__target_change__free_unpacked(change, NULL);
    p = ks_packet_unref(p);

    event = (struct ks_event){.kind = KS_EVENT_SYNCED};
    for (uint32_t i = 0; i < KS_STATUS_COUNT; i++)
        event.synced.counts.by_status[i] = i * 10;
    event.synced.aggregate = KS_STATUS_IN_PROGRESS;
    assert_int_equal(ks_encode_event(&event, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_SYNCED);
    synced = kstatus__v1__synced__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_int_equal(synced->counts->in_progress, 10);
    assert_int_equal(synced->counts->failed, 20);
    assert_int_equal(synced->counts->current, 30);
    assert_int_equal(synced->counts->terminating, 40);
    assert_int_equal(synced->counts->not_found, 50);
    assert_int_equal(synced->counts->unknown, 60);
    assert_int_equal(synced->aggregate_status,
                     KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS);
    kstatus__v1__synced__free_unpacked(synced, NULL);
    p = ks_packet_unref(p);
}

static void the_servers_own_messages_arrive(void **state)
{
    const struct ks_accepted accepted = {.server_instance = "pod-1",
                                         .server_version = "0.1.0",
                                         .profile = "strict",
                                         .generated_depth = 2,
                                         .include_causes = true,
                                         .heartbeat_ms = 2500,
                                         .limits = {.streams = 1,
                                                    .streams_per_connection = 2,
                                                    .connections = 3,
                                                    .connections_per_address = 4,
                                                    .objects_per_stream = 5,
                                                    .targets = 6,
                                                    .request_bytes = 7,
                                                    .metadata_bytes = 8,
                                                    .selector_bytes = 9,
                                                    .response_bytes = 10,
                                                    .object_bytes = 11,
                                                    .stream_life_ms = 12000,
                                                    .connection_life_ms = 13000}};
    struct ks_packet *p = NULL;
    Kstatus__V1__Accepted *a;
    Kstatus__V1__Draining *d;

    (void)state;
    assert_int_equal(ks_encode_accepted(&accepted, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_ACCEPTED);
    a = kstatus__v1__accepted__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_string_equal(a->server_instance, "pod-1");
    assert_string_equal(a->server_version, "0.1.0");
    assert_string_equal(a->effective_options->profile, "strict");
    assert_int_equal(a->effective_options->generated_depth, 2);
    assert_true(a->effective_options->include_causes);
    assert_int_equal(a->effective_options->heartbeat_interval->seconds, 2);
    assert_int_equal(a->effective_options->heartbeat_interval->nanos, 500000000);
    assert_int_equal(a->limits->streams, 1);
    assert_int_equal(a->limits->streams_per_connection, 2);
    assert_int_equal(a->limits->connections, 3);
    assert_int_equal(a->limits->connections_per_address, 4);
    assert_int_equal(a->limits->objects_per_stream, 5);
    assert_int_equal(a->limits->targets, 6);
    assert_int_equal(a->limits->request_bytes, 7);
    assert_int_equal(a->limits->metadata_bytes, 8);
    assert_int_equal(a->limits->selector_bytes, 9);
    assert_int_equal(a->limits->response_bytes, 10);
    assert_int_equal(a->limits->object_bytes, 11);
    assert_int_equal(a->limits->stream_life->seconds, 12);
    assert_int_equal(a->limits->connection_life->seconds, 13);
    kstatus__v1__accepted__free_unpacked(a, NULL);
    p = ks_packet_unref(p);

    assert_int_equal(ks_encode_draining(2500, &p, NULL), KS_RC_OK);
    assert_int_equal(p->kind, KS_PACKET_DRAINING);
    d = kstatus__v1__draining__unpack(NULL, p->len, (const uint8_t *)p->bytes);
    assert_int_equal(d->reconnect_after->seconds, 2);
    assert_int_equal(d->reconnect_after->nanos, 500000000);
    kstatus__v1__draining__free_unpacked(d, NULL);
    p = ks_packet_unref(p);
}

static void a_bad_request_carries_its_fields(void **state)
{
    const struct ks_field_violation violations[] = {
        {.field = "targets[0].object.name", .description = "is \xff empty"},
        {.field = "until", .description = "is not there yet"},
    };
    struct ks_buf out;
    Google__Rpc__Status *s;
    Google__Rpc__BadRequest *b;

    (void)state;
    ks_buf_init(&out, 1u << 16);
    assert_int_equal(ks_encode_bad_request(3, "two fields", violations, 2, &out), KS_RC_OK);
    s = google__rpc__status__unpack(NULL, out.len, (const uint8_t *)out.data);
    assert_non_null(s);
    assert_int_equal(s->code, 3);
    assert_string_equal(s->message, "two fields");
    assert_int_equal(s->n_details, 1);
    assert_string_equal(s->details[0]->type_url, "type.googleapis.com/google.rpc.BadRequest");
    b = google__rpc__bad_request__unpack(NULL, s->details[0]->value.len, s->details[0]->value.data);
    assert_non_null(b);
    assert_int_equal(b->n_field_violations, 2);
    assert_string_equal(b->field_violations[0]->field, "targets[0].object.name");
    assert_string_equal(b->field_violations[0]->description, "is \xef\xbf\xbd empty");
    google__rpc__bad_request__free_unpacked(b, NULL);
    google__rpc__status__free_unpacked(s, NULL);
    ks_buf_fini(&out);
    ks_buf_init(&out, 10);
    assert_int_equal(ks_encode_bad_request(3, "two fields", violations, 2, &out), KS_RC_LIMIT);
    assert_int_equal(out.len, 0);
    ks_buf_fini(&out);
}

static void a_met_limit_says_which_and_when_to_come_again(void **state)
{
    const struct ks_quota_failure failure = {"streams", "at most 2 \xff", 1500};
    struct ks_buf out = KS_BUF(4096);
    Google__Rpc__Status *s;
    Google__Rpc__QuotaFailure *q;
    Google__Rpc__RetryInfo *r;

    (void)state;
    assert_int_equal(ks_encode_quota_failure(8, "too many", &failure, &out), KS_RC_OK);
    s = google__rpc__status__unpack(NULL, out.len, (const uint8_t *)out.data);
    assert_non_null(s);
    assert_int_equal(s->code, 8);
    assert_string_equal(s->message, "too many");
    assert_int_equal(s->n_details, 2);
    assert_string_equal(s->details[0]->type_url, "type.googleapis.com/google.rpc.QuotaFailure");
    q = google__rpc__quota_failure__unpack(NULL, s->details[0]->value.len,
                                           s->details[0]->value.data);
    assert_int_equal(q->n_violations, 1);
    assert_string_equal(q->violations[0]->subject, "streams");
    assert_string_equal(q->violations[0]->description, "at most 2 \xef\xbf\xbd");
    google__rpc__quota_failure__free_unpacked(q, NULL);
    assert_string_equal(s->details[1]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    r = google__rpc__retry_info__unpack(NULL, s->details[1]->value.len, s->details[1]->value.data);
    assert_int_equal(r->retry_delay->seconds, 1);
    assert_int_equal(r->retry_delay->nanos, 500000000);
    google__rpc__retry_info__free_unpacked(r, NULL);
    google__rpc__status__free_unpacked(s, NULL);
    ks_buf_fini(&out);
}

static void codes_are_grpcs(void **state)
{
    (void)state;
#define X(name, text) assert_in_range(ks_rpc_code(KS_RC_##name), 0, 16);
    KS_RC_TABLE(X)
#undef X
    assert_int_equal(ks_rpc_code(KS_RC_OK), 0);
    assert_int_equal(ks_rpc_code(KS_RC_INVALID), 3);
    assert_int_equal(ks_rpc_code(KS_RC_LIMIT), 8);
    assert_int_equal(ks_rpc_code(KS_RC_UNAVAILABLE), 14);
    assert_int_equal(ks_rpc_code(KS_RC_UNAUTHENTICATED), 16);
}

static void quiet(void *ctx)
{
    (void)ctx;
}

/* A response with merged updates of one object and a target change. */
static void write_response(struct ks_buf *out)
{
    const struct ks_event update = full_update();
    const struct ks_event change = {.kind = KS_EVENT_TARGET_CHANGE,
                                    .target_change = {.target_id = 3, .state = KS_TARGET_SYNCED}};
    struct ks_outbox *outbox = NULL;
    struct ks_outbox_slot *slot;
    struct ks_packet *p = NULL;
    struct ks_outbox_taken taken;

    assert_int_equal(ks_outbox_new(4, quiet, NULL, &outbox, NULL), KS_RC_OK);
    slot = ks_outbox_slot_new(outbox);
    assert_int_equal(ks_encode_event(&update, &p, NULL), KS_RC_OK);
    for (unsigned i = 0; i < 201; i++)
        ks_outbox_put(outbox, slot, p);
    p = ks_packet_unref(p);
    assert_int_equal(ks_encode_event(&change, &p, NULL), KS_RC_OK);
    assert_int_equal(ks_outbox_push(outbox, p), KS_RC_OK);
    p = ks_packet_unref(p);
    assert_int_equal(ks_outbox_take(outbox, 64, 1u << 16, 1790000000123, out, &taken), KS_RC_OK);
    outbox = ks_outbox_unref(outbox);
}

/* What a child wrote, and how it ended. */
struct answer {
    struct ks_loop *loop;
    bool is_there;
    ks_rc rc;
    char text[8192];
};

static void on_done(void *ctx, ks_rc rc, struct ks_str out, const struct ks_error *err)
{
    struct answer *a = ctx;

    a->is_there = true;
    a->rc = rc;
    (void)snprintf(a->text, sizeof(a->text), "%.*s%s", KS_STR_ARGS(out), rc ? err->msg : "");
}

static void run_shell(const char *command, struct answer *a)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const struct ks_process_config config = {
        .file = "sh", .argv = argv, .env = env, .max_stdout_bytes = 1u << 16, .deadline_ms = 60000};
    struct ks_process *process;

    *a = (struct answer){0};
    assert_int_equal(ks_loop_new(&ks_clock_real, &a->loop, NULL), KS_RC_OK);
    assert_int_equal(ks_process_start(a->loop, &config, on_done, a, &process, NULL), KS_RC_OK);
    while (!a->is_there)
        (void)ks_loop_turn_wait(a->loop, 1000); /* what may still come is seen in the answer */
    a->loop = ks_loop_free(a->loop);
}

static void protoc_reads_the_same(void **state)
{
    static const char *const wanted[] = {
        "first_sequence: 1",
        "seconds: 1790000000",
        "kind: \"Deployment\"",
        "reason: \"Why\"",
        "observed_generation: 0",
        "coalesced_count: 200",
        "target_ids: 300",
        "state: STATE_SYNCED",
        "message: \"no rights\"",
        "ready_count: 2",
        "status: RECONCILE_STATUS_UNKNOWN",
    };
    struct ks_buf response;
    struct answer answer;
    char path[64];
    char command[1024];

    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/ks-test-encode-%ld", (long)getpid());
    ks_buf_init(&response, 1u << 16);
    write_response(&response);
    assert_int_equal(ks_file_write(path, ks_buf_str(&response), NULL), KS_RC_OK);
    ks_buf_fini(&response);
    (void)snprintf(command, sizeof(command),
                   "protoc --decode=kstatus.v1.WatchResponse -I %s/../proto -I /usr/include "
                   "kstatus/v1/status_service.proto < %s",
                   KS_TESTS_DIR, path);
    run_shell(command, &answer);
    assert_int_equal(unlink(path), 0);
    if (answer.rc)
        fail_msg("%s", answer.text);
    for (size_t i = 0; i < KS_ARRAY_LEN(wanted); i++) {
        if (!strstr(answer.text, wanted[i]))
            fail_msg("protoc does not see %s in:\n%s", wanted[i], answer.text);
    }
}

static void encode_all(void *ctx)
{
    const struct ks_quota_failure failure = {"streams", "at most 2", 1500};
    const struct ks_field_violation violation = {.field = "a", .description = "b"};
    struct ks_event event = full_update();
    struct ks_event outcome = {.kind = KS_EVENT_OUTCOME, .outcome = {.blocking_count = 1}};
    struct ks_error err = {0};
    struct ks_packet *p = NULL;
    struct ks_buf out;

    (void)ctx;
    event.update.causes = full_causes;
    event.update.cause_count = KS_ARRAY_LEN(full_causes);
    ks_buf_init(&out, 1u << 16);
    if (ks_encode_event(&event, &p, &err))
        assert_int_equal(err.rc, KS_RC_NOMEM);
    p = ks_packet_unref(p);
    outcome.outcome.blocking = &event.update;
    if (ks_encode_event(&outcome, &p, &err))
        assert_int_equal(err.rc, KS_RC_NOMEM);
    p = ks_packet_unref(p);
    if (ks_encode_bad_request(3, "m", &violation, 1, &out)) {
        assert_true(ks_alloc_failed());
        assert_int_equal(out.len, 0);
    }
    ks_buf_clear(&out);
    if (ks_encode_quota_failure(8, "m", &failure, &out)) {
        assert_true(ks_alloc_failed());
        assert_int_equal(out.len, 0);
    }
    ks_buf_fini(&out);
}

static void short_memory_is_told(void **state)
{
    (void)state;
    assert_true(ks_torture(encode_all, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_an_update_arrives),
        cmocka_unit_test(an_outcome_arrives),
        cmocka_unit_test(causes_and_owner_arrive),
        cmocka_unit_test(absent_members_stay_absent),
        cmocka_unit_test(strings_are_mended),
        cmocka_unit_test(long_strings_are_cut_between_characters),
        cmocka_unit_test(other_events_arrive),
        cmocka_unit_test(the_servers_own_messages_arrive),
        cmocka_unit_test(a_bad_request_carries_its_fields),
        cmocka_unit_test(a_met_limit_says_which_and_when_to_come_again),
        cmocka_unit_test(codes_are_grpcs),
        cmocka_unit_test(protoc_reads_the_same),
        cmocka_unit_test(short_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
