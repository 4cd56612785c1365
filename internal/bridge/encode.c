/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds protobuf-c messages on the stack and packs each into a packet of exactly its size.
 *
 * protobuf-c wants NUL-terminated strings and does not look into them, while a parser in another
 * language refuses a whole message over one bad byte. So every string goes through a pool that
 * copies, cuts and mends it: what is no UTF-8, and NUL, becomes U+FFFD.
 *
 * Invariants:
 *   1. what leaves here is valid UTF-8 in every string field;
 *   2. the pool holds every string of the largest message (see POOL_BYTES), so that encoding needs
 * one allocation, the packet, and one more where there are causes;
 *   3. no message is longer than EVENT_MAX, by the ceilings of its strings.
 *
 * Thread: any; about 30 KiB of stack.  It does not: frame (wire.c), number, or merge.
 */
#include "bridge/encode.h"

#include <assert.h>

#include <google/rpc/error_details.pb-c.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "base/plant.h"

#include "bridge/encode_cause.h"
#include "bridge/encode_outcome.h"

#define TEXT_MAX 4096
#define NAME_MAX_BYTES 1024
/* An object's JSON, and all the rest. */
#define EVENT_MAX (65536u + (256u << 10))
/* An update: message, condition's message, error and obstacle; 17 names (6 of the object, 6 of its
 * owner, reason, three of the condition, the obstacle's code) and the resource version; five of the
 * decision; a NUL each. */
#define POOL_BYTES (4 * (TEXT_MAX + 1) + 18 * (NAME_MAX_BYTES + 1) + 5 * KS_DECISION_FIELD_MAX)

static const char replacement[] = "\xef\xbf\xbd";
#define REPLACEMENT_LEN (sizeof(replacement) - 1)

struct pool {
    size_t used;
    char bytes[POOL_BYTES];
};

/* Length of the well-formed character at the front; 0 when there is none, or it is a NUL. */
static size_t character_len(struct ks_str s)
{
    if (s.len == 0 || s.ptr[0] == '\0')
        return 0;
    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        if (ks_str_is_utf8(ks_str_sub(s, 0, len)))
            return len;
    }
    return 0;
}

static size_t mend(char *out, size_t max, struct ks_str text)
{
    size_t used = 0;

    while (text.len > 0) {
        size_t len = character_len(text);
        const char *from = len ? text.ptr : replacement;
        size_t size = len ? len : REPLACEMENT_LEN;

        if (used + size > max)
            break;
        memcpy(out + used, from, size);
        used += size;
        text = ks_str_sub(text, len ? len : 1, text.len);
    }
    return used;
}

/* A NUL-terminated copy of at most max bytes that lives as long as the pool. */
static char *pool_add(struct pool *pool, struct ks_str text, size_t max)
{
    char *out = pool->bytes + pool->used;
    size_t len;

    assert(max < sizeof(pool->bytes) - pool->used);
    if (ks_str_is_utf8(text) && ks_str_chr(text, '\0') < 0) {
        struct ks_str cut = ks_str_cut_utf8(text, max);

        len = cut.len;
        if (len)
            memcpy(out, cut.ptr, len);
    } else {
        len = mend(out, max, text);
    }
    out[len] = '\0';
    pool->used += len + 1;
    return out;
}

static char *pool_name(struct pool *pool, struct ks_str text)
{
    return pool_add(pool, text, NAME_MAX_BYTES);
}

static ks_rc pack(const ProtobufCMessage *message, ks_packet_kind kind, struct ks_packet **out,
                  struct ks_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    struct ks_packet *p;

    if (size > EVENT_MAX)
        return ks_fail(err, KS_RC_LIMIT, "an event of %zu bytes is too long to be sent", size);
    p = ks_packet_new(kind, size);
    if (!p)
        return ks_fail(err, KS_RC_NOMEM, "no memory for an event of %zu bytes", size);
    (void)protobuf_c_message_pack(message, (uint8_t *)p->bytes); /* writes size bytes */
    *out = p;
    return KS_RC_OK;
}

static void set_object(Kstatus__V1__ObjectRef *ref, const struct ks_object_id *id,
                       struct pool *pool)
{
    kstatus__v1__object_ref__init(ref);
    ref->group = pool_name(pool, id->group);
    ref->version = pool_name(pool, id->version);
    ref->kind = pool_name(pool, id->kind);
    ref->namespace_ = pool_name(pool, id->ns);
    ref->name = pool_name(pool, id->name);
    ref->uid = pool_name(pool, id->uid);
}

static void set_error(Google__Rpc__Status *status, ks_rc rc, struct ks_str message,
                      struct pool *pool)
{
    google__rpc__status__init(status);
    status->code = ks_rpc_code(rc);
    status->message = pool_add(pool, message.len ? message : ks_str_from(ks_rc_text(rc)), TEXT_MAX);
}

static void set_condition(Kstatus__V1__Condition *to, const struct ks_condition *from,
                          struct pool *pool)
{
    kstatus__v1__condition__init(to);
    to->type = pool_name(pool, from->type);
    to->status = pool_name(pool, from->status);
    to->reason = pool_name(pool, from->reason);
    to->message = pool_add(pool, from->message, TEXT_MAX);
}

/* The submessages of an update, to be pointed to. */
struct update_parts {
    Kstatus__V1__ObjectRef object;
    Kstatus__V1__ObjectRef owner;
    Kstatus__V1__Condition condition;
    Kstatus__V1__Condition *conditions[1];
    Kstatus__V1__Progress progress;
    Google__Protobuf__Timestamp observe_time;
    Google__Protobuf__Timestamp transition_time;
    Google__Rpc__Status error;
    Kstatus__V1__Obstacle obstacle;
    Kstatus__V1__Decision decision;
};

static void set_decision(Kstatus__V1__Decision *to, const struct ks_decision_view *from,
                         struct pool *pool)
{
    const size_t max = KS_DECISION_FIELD_MAX - 1;

    kstatus__v1__decision__init(to);
    to->field = pool_add(pool, from->field, max);
    to->value = pool_add(pool, from->value, max);
    to->comparison = pool_add(pool, from->comparison, max);
    to->other_field = pool_add(pool, from->other_field, max);
    to->other_value = pool_add(pool, from->other_value, max);
}

static void set_update_parts(Kstatus__V1__ResourceStatus *m, struct update_parts *parts,
                             const struct ks_update *u, struct pool *pool)
{
    set_object(&parts->object, &u->object, pool);
    m->object = &parts->object;
    if (u->has_owner) {
        set_object(&parts->owner, &u->owner, pool);
        m->owner = &parts->owner;
    }
    ks_encode_time(&parts->observe_time, u->observe_time_ms);
    m->observe_time = &parts->observe_time;
    ks_encode_time(&parts->transition_time, u->transition_time_ms);
    m->transition_time = &parts->transition_time;
    if (u->has_condition) {
        set_condition(&parts->condition, &u->condition, pool);
        parts->conditions[0] = &parts->condition;
        m->conditions = parts->conditions;
        m->n_conditions = 1;
    }
    if (u->has_progress) {
        kstatus__v1__progress__init(&parts->progress);
        parts->progress.desired_count = u->desired_count;
        parts->progress.ready_count = u->ready_count;
        m->progress = &parts->progress;
    }
    if (u->error_rc) {
        set_error(&parts->error, u->error_rc, u->error_message, pool);
        m->error = &parts->error;
    }
    if (u->obstacle_code.len) {
        kstatus__v1__obstacle__init(&parts->obstacle);
        parts->obstacle.code = pool_name(pool, u->obstacle_code);
        parts->obstacle.message = pool_add(pool, u->obstacle_message, TEXT_MAX);
        m->obstacle = &parts->obstacle;
    }
    if (u->decision) {
        set_decision(&parts->decision, u->decision, pool);
        m->decision = &parts->decision;
    }
}

static ks_rc encode_update(const struct ks_update *u, struct ks_packet **out, struct ks_error *err)
{
    Kstatus__V1__ResourceStatus m;
    struct update_parts parts;
    struct pool pool = {.used = 0};
    KS_CLEANUP(ks_freep) struct ks_cause_block *causes = NULL;
    uint32_t ids[64];
    size_t id_count = u->target_count < KS_ARRAY_LEN(ids) ? u->target_count : KS_ARRAY_LEN(ids);

    kstatus__v1__resource_status__init(&m);
    if (u->cause_count) {
        causes = ks_cause_block_new(u->causes, u->cause_count);
        if (!causes)
            return ks_fail(err, KS_RC_NOMEM, "no memory for the causes of an event");
        m.causes = causes->list;
        m.n_causes = causes->count;
    }
    set_update_parts(&m, &parts, u, &pool);
    m.status = (Kstatus__V1__ReconcileStatus)u->status;
    m.previous_status =
        (Kstatus__V1__ReconcileStatus)(KS_PLANTED(27) ? u->status : u->previous_status);
    m.basis = (Kstatus__V1__StatusBasis)u->basis;
    m.reason = pool_name(&pool, u->reason);
    m.message = pool_add(&pool, u->message, TEXT_MAX);
    m.resource_version = pool_name(&pool, u->resource_version);
    m.generation = u->has_generation ? u->generation : 0;
    if (u->has_observed_generation) {
        m.observed_case = KSTATUS__V1__RESOURCE_STATUS__OBSERVED_OBSERVED_GENERATION;
        m.observed_generation = u->observed_generation;
    }
    if (id_count)
        memcpy(ids, u->target_ids, id_count * sizeof(ids[0]));
    m.target_ids = ids;
    m.n_target_ids = id_count;
    m.object_json.data = (uint8_t *)(uintptr_t)u->object_json.ptr; /* it only reads */
    m.object_json.len = u->object_json.len;
    return pack(&m.base, KS_PACKET_UPDATE, out, err);
}

static ks_rc encode_target_change(const struct ks_target_change *change, struct ks_packet **out,
                                  struct ks_error *err)
{
    Kstatus__V1__TargetChange m;
    Google__Rpc__Status cause;
    struct pool pool = {.used = 0};

    kstatus__v1__target_change__init(&m);
    m.target_id = change->target_id;
    m.state = (Kstatus__V1__TargetChange__State)change->state;
    if (change->cause_rc) {
        set_error(&cause, change->cause_rc, change->cause_message, &pool);
        m.cause = &cause;
    }
    return pack(&m.base, KS_PACKET_TARGET_CHANGE, out, err);
}

static void set_duration(Google__Protobuf__Duration *to, int64_t ms)
{
    google__protobuf__duration__init(to);
    to->seconds = ms / 1000;
    to->nanos = (int32_t)(ms % 1000) * 1000000;
}

/* NULL for 0. */
static Google__Protobuf__Duration *optional_duration(Google__Protobuf__Duration *to, int64_t ms)
{
    if (ms == 0)
        return NULL;
    set_duration(to, ms);
    return to;
}

static ks_rc encode_synced(const struct ks_synced *synced, struct ks_packet **out,
                           struct ks_error *err)
{
    Kstatus__V1__Synced m;
    Kstatus__V1__Counts counts;

    kstatus__v1__synced__init(&m);
    ks_encode_counts(&counts, &synced->counts);
    m.counts = &counts;
    m.aggregate_status = (Kstatus__V1__ReconcileStatus)synced->aggregate;
    return pack(&m.base, KS_PACKET_SYNCED, out, err);
}

static ks_rc encode_removed(const struct ks_removed *removed, struct ks_packet **out,
                            struct ks_error *err)
{
    Kstatus__V1__Removed m;
    Kstatus__V1__ObjectRef object;
    struct pool pool = {.used = 0};
    uint32_t ids[64];
    size_t id_count =
        removed->target_count < KS_ARRAY_LEN(ids) ? removed->target_count : KS_ARRAY_LEN(ids);

    kstatus__v1__removed__init(&m);
    set_object(&object, &removed->object, &pool);
    m.object = &object;
    if (id_count)
        memcpy(ids, removed->target_ids, id_count * sizeof(ids[0]));
    m.target_ids = ids;
    m.n_target_ids = id_count;
    return pack(&m.base, KS_PACKET_REMOVED, out, err);
}

ks_rc ks_encode_event(const struct ks_event *event, struct ks_packet **out, struct ks_error *err)
{
    switch (event->kind) {
    case KS_EVENT_UPDATE:
        return encode_update(&event->update, out, err);
    case KS_EVENT_TARGET_CHANGE:
        return encode_target_change(&event->target_change, out, err);
    case KS_EVENT_SYNCED:
        return encode_synced(&event->synced, out, err);
    case KS_EVENT_REMOVED:
        return encode_removed(&event->removed, out, err);
    case KS_EVENT_OUTCOME:
        return ks_encode_outcome(&event->outcome, out, err);
    }
    return ks_fail(err, KS_RC_INTERNAL, "an event of the unknown kind %d", (int)event->kind);
}

struct limits_message {
    Kstatus__V1__Limits m;
    Google__Protobuf__Duration stream_life;
    Google__Protobuf__Duration connection_life;
};

static void set_limits(struct limits_message *to, const struct ks_accepted_limits *from)
{
    kstatus__v1__limits__init(&to->m);
    to->m.streams = from->streams;
    to->m.streams_per_connection = from->streams_per_connection;
    to->m.connections = from->connections;
    to->m.connections_per_address = from->connections_per_address;
    to->m.objects_per_stream = from->objects_per_stream;
    to->m.targets = from->targets;
    to->m.request_bytes = from->request_bytes;
    to->m.metadata_bytes = from->metadata_bytes;
    to->m.selector_bytes = from->selector_bytes;
    to->m.response_bytes = from->response_bytes;
    to->m.object_bytes = from->object_bytes;
    set_duration(&to->stream_life, from->stream_life_ms);
    to->m.stream_life = &to->stream_life;
    set_duration(&to->connection_life, from->connection_life_ms);
    to->m.connection_life = &to->connection_life;
}

ks_rc ks_encode_accepted(const struct ks_accepted *accepted, struct ks_packet **out,
                         struct ks_error *err)
{
    Kstatus__V1__Accepted m;
    Kstatus__V1__WatchOptions options;
    struct limits_message limits;
    Google__Protobuf__Duration times[3];
    struct pool pool = {.used = 0};

    kstatus__v1__accepted__init(&m);
    kstatus__v1__watch_options__init(&options);
    m.server_instance = pool_name(&pool, ks_str_from(accepted->server_instance));
    m.server_version = pool_name(&pool, ks_str_from(accepted->server_version));
    options.profile = pool_name(&pool, ks_str_from(accepted->profile));
    options.generated_depth = accepted->generated_depth;
    options.include_causes = accepted->include_causes;
    options.include_object = accepted->include_objects;
    options.blind = accepted->is_blind;
    options.summary_only = accepted->is_summary;
    options.heartbeat_interval = optional_duration(&times[0], accepted->heartbeat_ms);
    options.min_update_interval = optional_duration(&times[1], accepted->min_update_ms);
    options.resync_period = optional_duration(&times[2], accepted->resync_ms);
    m.effective_options = &options;
    set_limits(&limits, &accepted->limits);
    m.limits = &limits.m;
    return pack(&m.base, KS_PACKET_ACCEPTED, out, err);
}

ks_rc ks_encode_heartbeat(const struct ks_heartbeat *heartbeat, struct ks_packet **out,
                          struct ks_error *err)
{
    Kstatus__V1__Heartbeat m;
    Kstatus__V1__Counts counts;
    Google__Protobuf__Duration staleness;

    kstatus__v1__heartbeat__init(&m);
    ks_encode_counts(&counts, &heartbeat->tally.counts);
    set_duration(&staleness, heartbeat->staleness_ms);
    m.coalesced_count = heartbeat->coalesced_total;
    m.staleness = &staleness;
    m.counts = &counts;
    m.aggregate_status = (Kstatus__V1__ReconcileStatus)heartbeat->tally.aggregate;
    return pack(&m.base, KS_PACKET_HEARTBEAT, out, err);
}

ks_rc ks_encode_draining(int64_t reconnect_after_ms, struct ks_packet **out, struct ks_error *err)
{
    Kstatus__V1__Draining m;
    Google__Protobuf__Duration after;

    kstatus__v1__draining__init(&m);
    set_duration(&after, reconnect_after_ms);
    m.reconnect_after = &after;
    return pack(&m.base, KS_PACKET_DRAINING, out, err);
}

#define VIOLATIONS_MAX 64

/* Field names and descriptions come from our own checks and quote the request: they are mended like
 * the rest, in a block of their own size. */
struct text_block {
    char *bytes;
    size_t used;
    size_t size;
};

static size_t mended_size(const char *text)
{
    size_t len = strlen(text);

    return (len < TEXT_MAX ? len : TEXT_MAX) * REPLACEMENT_LEN + 1;
}

static char *block_add(struct text_block *block, const char *text)
{
    char *out = block->bytes + block->used;
    size_t room = block->size - block->used;
    size_t len = mend(out, room - 1 < TEXT_MAX ? room - 1 : TEXT_MAX, ks_str_from(text));

    out[len] = '\0';
    block->used += len + 1;
    return out;
}

static size_t block_size(const char *message, const struct ks_field_violation *violations,
                         size_t count)
{
    size_t size = mended_size(message);

    for (size_t i = 0; i < count; i++)
        size += mended_size(violations[i].field) + mended_size(violations[i].description);
    return size;
}

static ks_rc append_packed(const ProtobufCMessage *message, struct ks_buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    ks_rc rc = ks_buf_reserve(out, size);

    if (rc)
        return rc;
    (void)protobuf_c_message_pack(message, (uint8_t *)out->data + out->len); /* writes size bytes */
    out->len += size;
    out->data[out->len] = '\0';
    return KS_RC_OK;
}

#define TYPE_URL(name) "type.googleapis.com/google.rpc." name
#define DETAILS_MAX 2

struct detail {
    const char *type_url;
    struct ks_str bytes; /* packed */
};

static ks_rc append_status(int grpc_code, char *message, const struct detail *from, size_t count,
                           struct ks_buf *out)
{
    Google__Rpc__Status status;
    Google__Protobuf__Any any[DETAILS_MAX];
    Google__Protobuf__Any *details[DETAILS_MAX];

    assert(count <= DETAILS_MAX);
    google__rpc__status__init(&status);
    for (size_t i = 0; i < count; i++) {
        google__protobuf__any__init(&any[i]);
        /* protobuf-c knows no const; it only reads */
        any[i].type_url = (char *)(uintptr_t)from[i].type_url;
        any[i].value.data = (uint8_t *)(uintptr_t)from[i].bytes.ptr;
        any[i].value.len = from[i].bytes.len;
        details[i] = &any[i];
    }
    status.code = grpc_code;
    status.message = message;
    status.details = details;
    status.n_details = count;
    return append_packed(&status.base, out);
}

ks_rc ks_encode_bad_request(int grpc_code, const char *message,
                            const struct ks_field_violation *violations, size_t count,
                            struct ks_buf *out)
{
    Google__Rpc__BadRequest request;
    Google__Rpc__BadRequest__FieldViolation fields[VIOLATIONS_MAX];
    Google__Rpc__BadRequest__FieldViolation *pointers[VIOLATIONS_MAX];
    KS_CLEANUP(ks_buf_fini) struct ks_buf detail = KS_BUF(EVENT_MAX);
    KS_CLEANUP(ks_freep) char *bytes = NULL;
    struct text_block block = {0};
    char *text;
    ks_rc rc;

    google__rpc__bad_request__init(&request);
    if (count > VIOLATIONS_MAX)
        count = VIOLATIONS_MAX;
    block.size = block_size(message, violations, count);
    bytes = ks_alloc(block.size);
    if (!bytes)
        return KS_RC_NOMEM;
    block.bytes = bytes;
    text = block_add(&block, message);
    for (size_t i = 0; i < count; i++) {
        google__rpc__bad_request__field_violation__init(&fields[i]);
        fields[i].field = block_add(&block, violations[i].field);
        fields[i].description = block_add(&block, violations[i].description);
        pointers[i] = &fields[i];
    }
    request.field_violations = pointers;
    request.n_field_violations = count;
    rc = append_packed(&request.base, &detail);
    if (rc)
        return rc;
    return append_status(grpc_code, text,
                         &(struct detail){TYPE_URL("BadRequest"), ks_buf_str(&detail)}, 1, out);
}

static ks_rc append_quota(char *limit, char *description, struct ks_buf *out)
{
    Google__Rpc__QuotaFailure quota;
    Google__Rpc__QuotaFailure__Violation violation;
    Google__Rpc__QuotaFailure__Violation *violations[1] = {&violation};

    google__rpc__quota_failure__init(&quota);
    google__rpc__quota_failure__violation__init(&violation);
    violation.subject = limit;
    violation.description = description;
    quota.violations = violations;
    quota.n_violations = 1;
    return append_packed(&quota.base, out);
}

static ks_rc append_retry(int64_t after_ms, struct ks_buf *out)
{
    Google__Rpc__RetryInfo retry;
    Google__Protobuf__Duration delay;

    google__rpc__retry_info__init(&retry);
    set_duration(&delay, after_ms);
    retry.retry_delay = &delay;
    return append_packed(&retry.base, out);
}

ks_rc ks_encode_quota_failure(int grpc_code, const char *message,
                              const struct ks_quota_failure *failure, struct ks_buf *out)
{
    const struct ks_field_violation texts = {failure->limit, failure->description};
    KS_CLEANUP(ks_buf_fini) struct ks_buf quota = KS_BUF(EVENT_MAX);
    KS_CLEANUP(ks_buf_fini) struct ks_buf retry = KS_BUF(EVENT_MAX);
    KS_CLEANUP(ks_freep) char *bytes = NULL;
    struct text_block block = {.size = block_size(message, &texts, 1)};
    char *text;
    char *limit;
    ks_rc rc;

    bytes = ks_alloc(block.size);
    if (!bytes)
        return KS_RC_NOMEM;
    block.bytes = bytes;
    text = block_add(&block, message);
    limit = block_add(&block, failure->limit);
    rc = append_quota(limit, block_add(&block, failure->description), &quota);
    if (rc == KS_RC_OK)
        rc = append_retry(failure->retry_after_ms, &retry);
    if (rc)
        return rc;
    return append_status(grpc_code, text,
                         (const struct detail[]){{TYPE_URL("QuotaFailure"), ks_buf_str(&quota)},
                                                 {TYPE_URL("RetryInfo"), ks_buf_str(&retry)}},
                         failure->retry_after_ms ? 2 : 1, out);
}

int ks_rpc_code(ks_rc rc)
{
    switch (rc) {
    case KS_RC_OK:
        return 0; /* OK */
    case KS_RC_CANCELLED:
        return 1; /* CANCELLED */
    case KS_RC_INVALID:
    case KS_RC_PARSE:
    case KS_RC_AMBIGUOUS:
        return 3; /* INVALID_ARGUMENT */
    case KS_RC_TIMEOUT:
        return 4; /* DEADLINE_EXCEEDED */
    case KS_RC_NOTFOUND:
        return 5; /* NOT_FOUND */
    case KS_RC_DENIED:
        return 7; /* PERMISSION_DENIED */
    case KS_RC_NOMEM:
    case KS_RC_LIMIT:
        return 8; /* RESOURCE_EXHAUSTED */
    case KS_RC_CONFIG:
        return 9; /* FAILED_PRECONDITION */
    case KS_RC_CONFLICT:
    case KS_RC_GONE:
        return 10; /* ABORTED */
    case KS_RC_UNSUPPORTED:
        return 12; /* UNIMPLEMENTED */
    case KS_RC_PROTOCOL:
    case KS_RC_INTERNAL:
        return 13; /* INTERNAL */
    case KS_RC_AGAIN:
    case KS_RC_IO:
    case KS_RC_UNAVAILABLE:
        return 14; /* UNAVAILABLE */
    case KS_RC_UNAUTHENTICATED:
        return 16; /* UNAUTHENTICATED */
    }
    return 2; /* UNKNOWN */
}
