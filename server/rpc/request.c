/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: unpack under a budget, check everything, collect what is wrong, and only then make
 * targets.
 *
 * The model: checks add to a list of violations and go on, so that one answer names all that is
 * wrong. A violation is either bad (the request can never be served) or beyond (a later version
 * will). Bad ones win: the call ends with INVALID_ARGUMENT and names them; when there are only ones
 * beyond us, with UNIMPLEMENTED.
 *
 * Invariants:
 *   1. every string is checked for length, UTF-8 and NUL bytes before anything else looks at it;
 *   2. a field that this version does not know counts as asked for: it is beyond us, not ignored;
 *   3. targets point into the unpacked message, which lives as long as the request.
 *
 * Thread: any.  Does not: ask the API server whether a kind exists (a target's state tells that).
 */
#include "server/rpc/request.h"

#include <stdarg.h>
#include <stdio.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "kube/rv.h"
#include "watcher/selector.h"
#include "watcher/until.h"

#include "bridge/encode.h"
#include "server/rpc/unpack.h"

/* A request of 64 KiB with 64 targets takes some 150 KB; empty submessages would take 35 times
 * their size. */
#define UNPACK_BUDGET (512u << 10)
#define VIOLATIONS_MAX 8
#define WORD_MAX 316 /* plural, version and group, each within its DNS limit */
#define UID_MAX 128
#define PERIOD_MIN_MS 1000
#define PERIOD_MAX_MS 3600000
#define UPDATE_MIN_MS 100
#define DETAILS_MAX (16u << 10)
#define UNTIL_MAX_MS (366ll * 24 * 3600 * 1000)

enum {
    CODE_INVALID_ARGUMENT = 3,
    CODE_RESOURCE_EXHAUSTED = 8,
    CODE_UNIMPLEMENTED = 12,
};

struct ks_rpc_request {
    ProtobufCMessage *message;
    ks_rpc_request_kind kind;
    ks_profile profile;
    uint32_t generated_depth;
    bool include_causes;
    bool include_objects;
    struct ks_rpc_pace pace;
    bool has_until;
    struct ks_until_config until;
    size_t target_count;
    struct ks_target targets[];
};

typedef enum { BAD, BEYOND } violation_kind;

struct violation {
    char field[96];
    char text[300];
};

struct checks {
    struct violation found[2][VIOLATIONS_MAX]; /* by kind */
    size_t counts[2];                          /* also those that found no room */
};

/* The part of a message that is being checked: "targets[3].object". */
struct place {
    struct checks *checks;
    char path[64];
};

static void KS_PRINTF(2, 0) violation_vset(struct violation *v, const char *fmt, va_list args)
{
    if (vsnprintf(v->text, sizeof(v->text), fmt, args) < 0) /* cut when long */
        v->text[0] = '\0';
}

static void KS_PRINTF(4, 5)
    violate(const struct place *at, violation_kind kind, const char *field, const char *fmt, ...)
{
    struct checks *c = at->checks;
    size_t n = c->counts[kind]++;
    struct violation *v;
    va_list args;

    if (n >= VIOLATIONS_MAX)
        return;
    v = &c->found[kind][n];
    snprintf(v->field, sizeof(v->field), "%s%s%s", at->path, at->path[0] && field[0] ? "." : "",
             field);
    va_start(args, fmt);
    violation_vset(v, fmt, args);
    va_end(args);
}

static void check_known(const struct place *at, const ProtobufCMessage *m)
{
    if (m->n_unknown_fields > 0)
        violate(at, BEYOND, "", "field number %u is not known to kstatusd " KS_VERSION,
                (unsigned)m->unknown_fields[0].tag);
}

/* Takes a string out of the message; an unusable one is reported and comes out empty. */
static struct ks_str check_text(const struct place *at, const char *field, const char *value,
                                size_t max_bytes)
{
    struct ks_str s = ks_unpack_str(value);

    if (s.len > max_bytes)
        violate(at, BAD, field, "is %zu bytes long; at most %zu are allowed", s.len, max_bytes);
    else if (ks_str_chr(s, '\0') >= 0)
        violate(at, BAD, field, "contains a NUL byte");
    else if (!ks_str_is_utf8(s))
        violate(at, BAD, field, "is not valid UTF-8");
    else
        return s;
    return (struct ks_str){.ptr = NULL};
}

/* A group, kind, version or resource: it is looked up, not put into a URL, but shows up in
 * messages. */
static struct ks_str check_word(const struct place *at, const char *field, const char *value)
{
    struct ks_str s = check_text(at, field, value, WORD_MAX);

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';

        if (!is_fine) {
            violate(at, BAD, field, "may hold letters, digits, '.' and '-' only");
            return (struct ks_str){.ptr = NULL};
        }
    }
    return s;
}

typedef ks_rc (*syntax_check)(struct ks_str text, struct ks_error *err);

static struct ks_str check_syntax(const struct place *at, const char *field, const char *value,
                                  syntax_check check)
{
    /* The syntax checks have tighter limits of their own; this one only bounds them. */
    struct ks_str s = check_text(at, field, value, KS_RPC_REQUEST_MAX_BYTES);
    struct ks_error err = {0};

    if (s.len == 0 || check(s, &err) == KS_RC_OK)
        return s;
    violate(at, BAD, field, "%s", err.msg);
    return (struct ks_str){.ptr = NULL};
}

/* What ObjectRef and Selector have in common: which collection. */
static void check_collection(const struct place *at, struct ks_target *t, bool has_resource,
                             bool has_kind)
{
    bool has_rest = t->group.len > 0 || t->version.len > 0;

    if (has_resource && (has_kind || has_rest))
        violate(at, BAD, "resource",
                "stands instead of group, version and kind: give one or the other");
    else if (!has_resource && !has_kind)
        violate(at, BAD, "kind", "must be given, with its group, or resource instead");
}

static bool is_sent(const char *field)
{
    return field && field[0] != '\0';
}

static void check_object(struct place *at, const Kstatus__V1__ObjectRef *o, struct ks_target *t)
{
    check_known(at, &o->base);
    t->kind = KS_TARGET_OBJECT;
    t->group = check_word(at, "group", o->group);
    t->version = check_word(at, "version", o->version);
    t->object_kind = check_word(at, "kind", o->kind);
    t->resource = check_word(at, "resource", o->resource);
    check_collection(at, t, is_sent(o->resource), is_sent(o->kind));
    t->ns = check_syntax(at, "namespace", o->namespace_, ks_namespace_check);
    t->uid = check_text(at, "uid", o->uid, UID_MAX);
    t->min_generation = o->min_generation;
    t->min_version =
        check_text(at, "min_resource_version", o->min_resource_version, KS_RV_MAX_BYTES);
    if (o->min_generation < 0)
        violate(at, BAD, "min_generation", "is negative");
    if (t->min_version.len && !ks_rv_is_well_formed(t->min_version))
        violate(at, BAD, "min_resource_version", "is no resourceVersion: these are digits");
    if (ks_unpack_str(o->name).len == 0)
        violate(at, BAD, "name", "must be given");
    else
        t->name = check_syntax(at, "name", o->name, ks_object_name_check);
}

static void check_selector(struct place *at, const Kstatus__V1__Selector *s, struct ks_target *t)
{
    check_known(at, &s->base);
    t->kind = KS_TARGET_SELECTOR;
    t->group = check_word(at, "group", s->group);
    t->version = check_word(at, "version", s->version);
    t->object_kind = check_word(at, "kind", s->kind);
    t->resource = check_word(at, "resource", s->resource);
    check_collection(at, t, is_sent(s->resource), is_sent(s->kind));
    t->ns = check_syntax(at, "namespace", s->namespace_, ks_namespace_check);
    t->label_selector =
        check_syntax(at, "label_selector", s->label_selector, ks_label_selector_check);
    t->field_selector =
        check_syntax(at, "field_selector", s->field_selector, ks_field_selector_check);
}

static void check_target(struct checks *c, size_t index, const Kstatus__V1__Target *target,
                         struct ks_target *t)
{
    struct place at = {.checks = c};
    struct place in = {.checks = c};

    snprintf(at.path, sizeof(at.path), "targets[%zu]", index);
    check_known(&at, &target->base);
    t->target_id = target->target_id;
    t->is_best_effort = target->best_effort;
    if (check_text(&at, "cluster", target->cluster, WORD_MAX).len > 0)
        violate(&at, BEYOND, "cluster",
                "is not served yet: leave it empty for the server's cluster");
    switch (target->selection_case) {
    case KSTATUS__V1__TARGET__SELECTION_OBJECT:
        snprintf(in.path, sizeof(in.path), "targets[%zu].object", index);
        check_object(&in, target->object, t);
        break;
    case KSTATUS__V1__TARGET__SELECTION_SELECTOR:
        snprintf(in.path, sizeof(in.path), "targets[%zu].selector", index);
        check_selector(&in, target->selector, t);
        break;
    case KSTATUS__V1__TARGET__SELECTION_INVENTORY:
        violate(&at, BEYOND, "inventory", "is not served yet: name the objects or select them");
        break;
    case KSTATUS__V1__TARGET__SELECTION__NOT_SET:
    case _KSTATUS__V1__TARGET__SELECTION__CASE_IS_INT_SIZE:
    default:
        violate(&at, BAD, "selection", "one of object and selector must be given");
        break;
    }
}

static void check_target_ids(struct checks *c, const struct ks_target *targets, size_t count)
{
    const struct place at = {.checks = c};
    char field[48];

    for (size_t i = 1; i < count; i++) {
        size_t j = 0;

        while (targets[j].target_id != targets[i].target_id)
            j++;
        if (j == i)
            continue;
        snprintf(field, sizeof(field), "targets[%zu].target_id", i);
        violate(&at, BAD, field, "%u is the id of targets[%zu] too: ids must differ",
                targets[i].target_id, j);
    }
}

/* Whether it can be used; otherwise it is refused. */
static bool check_duration(const struct place *at, const char *field,
                           const Google__Protobuf__Duration *d)
{
    if (d->seconds >= 0 && d->nanos >= 0 && d->nanos <= 999999999)
        return true;
    violate(at, BAD, field, "is no positive duration");
    return false;
}

/* What is out of bounds is brought within them: Accepted tells. */
static int64_t check_period(const struct place *at, const char *field,
                            const Google__Protobuf__Duration *d, int64_t min_ms)
{
    int64_t ms;

    if (!d || (d->seconds == 0 && d->nanos == 0) || !check_duration(at, field, d))
        return 0;
    if (d->seconds >= PERIOD_MAX_MS / 1000)
        return PERIOD_MAX_MS;
    ms = d->seconds * 1000 + d->nanos / 1000000;
    return ms < min_ms ? min_ms : ms;
}

/* What makes sense for a stream alone. */
static void check_pace(const struct place *at, const Kstatus__V1__WatchOptions *o,
                       struct ks_rpc_request *r)
{
    static const char one_answer[] = "is for Watch only: this call has one answer";
    struct ks_rpc_pace *pace = &r->pace;

    pace->heartbeat_ms =
        check_period(at, "heartbeat_interval", o->heartbeat_interval, PERIOD_MIN_MS);
    pace->min_update_ms =
        check_period(at, "min_update_interval", o->min_update_interval, UPDATE_MIN_MS);
    pace->resync_ms = check_period(at, "resync_period", o->resync_period, PERIOD_MIN_MS);
    pace->is_blind = o->blind;
    pace->is_summary = o->summary_only;
    if (r->kind == KS_RPC_REQUEST_WATCH)
        return;
    if (pace->heartbeat_ms)
        violate(at, BAD, "heartbeat_interval", one_answer);
    if (pace->min_update_ms)
        violate(at, BAD, "min_update_interval", one_answer);
    if (pace->resync_ms)
        violate(at, BAD, "resync_period", one_answer);
}

/* What is longer than a year means a year. */
static int64_t check_time(const struct place *at, const char *field,
                          const Google__Protobuf__Duration *d)
{
    if (!d || !check_duration(at, field, d))
        return 0;
    if (d->seconds >= UNTIL_MAX_MS / 1000)
        return UNTIL_MAX_MS;
    return d->seconds * 1000 + (d->nanos + 999999) / 1000000;
}

/* What is about Current objects, when they are to be gone. */
static void check_until_gone(const struct place *at, const Kstatus__V1__Until *until)
{
    if (until->fail_fast)
        violate(at, BAD, "fail_fast", "means nothing for GOAL_ALL_NOT_FOUND: what Failed can go");
    if (until->min_basis)
        violate(at, BAD, "min_basis", "means nothing for GOAL_ALL_NOT_FOUND");
}

static void check_until(struct checks *c, const Kstatus__V1__Until *until, struct ks_rpc_request *r)
{
    const struct place at = {.checks = c, .path = "until"};
    struct ks_until_config *config = &r->until;

    check_known(&at, &until->base);
    r->has_until = true;
    config->goal = (ks_goal)until->goal;
    config->fail_fast = until->fail_fast;
    config->min_basis = (ks_basis)until->min_basis;
    config->stable_for_ms = check_time(&at, "stable_for", until->stable_for);
    config->timeout_ms = check_time(&at, "timeout", until->timeout);
    if (until->goal < KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_CURRENT ||
        until->goal > KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_TERMINAL)
        violate(&at, BAD, "goal",
                "must be GOAL_ALL_CURRENT, GOAL_ALL_NOT_FOUND or GOAL_ALL_TERMINAL");
    if (until->goal == KSTATUS__V1__UNTIL__GOAL__GOAL_ALL_NOT_FOUND)
        check_until_gone(&at, until);
    if (until->min_basis > KSTATUS__V1__STATUS_BASIS__STATUS_BASIS_ASSUMED)
        violate(&at, BAD, "min_basis", "%d is no StatusBasis", (int)until->min_basis);
    if (config->timeout_ms && config->stable_for_ms > config->timeout_ms)
        violate(&at, BAD, "stable_for", "is longer than timeout: the goal could not be reached");
}

/* What only a goal gives a meaning to. */
static void check_versions(struct checks *c, const struct ks_rpc_request *r)
{
    const char *why = r->has_until ? "means nothing for GOAL_ALL_NOT_FOUND: pin the uid"
                                   : "is for calls with `until`: nothing waits here";
    const struct place at = {.checks = c};
    char field[64];

    if (r->has_until && r->until.goal != KS_GOAL_ALL_NOT_FOUND)
        return;
    for (size_t i = 0; i < r->target_count; i++) {
        if (!r->targets[i].min_generation && !r->targets[i].min_version.len)
            continue;
        snprintf(field, sizeof(field), "targets[%zu].object.%s", i,
                 r->targets[i].min_generation ? "min_generation" : "min_resource_version");
        violate(&at, BAD, field, "%s", why);
    }
}

static void check_options(struct checks *c, const Kstatus__V1__WatchOptions *o,
                          struct ks_rpc_request *r)
{
    const struct place at = {.checks = c, .path = "options"};
    struct ks_str profile;

    if (!o)
        return;
    check_known(&at, &o->base);
    check_pace(&at, o, r);
    r->generated_depth =
        o->generated_depth < KS_SESSION_MAX_DEPTH ? o->generated_depth : KS_SESSION_MAX_DEPTH;
    if (r->kind == KS_RPC_REQUEST_WAIT && o->generated_depth)
        violate(&at, BAD, "generated_depth", "is for Watch and Get: a Wait tells the outcome only");
    if (r->kind == KS_RPC_REQUEST_WAIT && o->summary_only)
        violate(&at, BAD, "summary_only", "is for Watch and Get: a Wait tells the outcome only");
    r->include_causes = o->include_causes;
    r->include_objects = o->include_object;
    if (r->kind == KS_RPC_REQUEST_WAIT && o->include_object)
        violate(&at, BAD, "include_object", "is for Watch and Get: a Wait tells the outcome only");
    profile = check_text(&at, "profile", o->profile, WORD_MAX);
    if (profile.len > 0 && !ks_profile_parse(profile, &r->profile))
        violate(&at, BAD, "profile", "there are the profiles \"kstatus\" and \"strict\"");
    if (o->scope_strategy != KSTATUS__V1__SCOPE_STRATEGY__SCOPE_STRATEGY_UNSPECIFIED &&
        o->scope_strategy != KSTATUS__V1__SCOPE_STRATEGY__SCOPE_STRATEGY_AUTOMATIC)
        violate(&at, BEYOND, "scope_strategy", "only SCOPE_STRATEGY_AUTOMATIC is served yet");
}

void ks_refusal_init(struct ks_refusal *r)
{
    *r = (struct ks_refusal){.code = CODE_INVALID_ARGUMENT};
    ks_buf_init(&r->details, DETAILS_MAX);
}

void ks_refusal_fini(struct ks_refusal *r)
{
    ks_buf_fini(&r->details);
}

/* Details are an extra: without memory for them the message alone still says what is wrong. */
static void refuse_details(struct ks_refusal *r, const struct ks_field_violation *fields, size_t n)
{
    if (ks_encode_bad_request(r->code, r->error.msg, fields, n, &r->details))
        ks_buf_clear(&r->details);
}

static ks_rc refuse_field(struct ks_refusal *r, const char *field, const char *text)
{
    const struct ks_field_violation v = {.field = field, .description = text};

    r->code = CODE_INVALID_ARGUMENT;
    (void)ks_fail(&r->error, KS_RC_INVALID, "%s%s%s", field, field[0] ? ": " : "", text);
    refuse_details(r, &v, 1);
    return KS_RC_INVALID;
}

static ks_rc refuse_memory(struct ks_refusal *r)
{
    r->code = CODE_RESOURCE_EXHAUSTED;
    return ks_fail(&r->error, KS_RC_NOMEM, "the server is out of memory; try again later");
}

static ks_rc refuse(struct ks_refusal *r, const struct checks *c)
{
    violation_kind kind = c->counts[BAD] > 0 ? BAD : BEYOND;
    ks_rc rc = kind == BAD ? KS_RC_INVALID : KS_RC_UNSUPPORTED;
    const struct violation *found = c->found[kind];
    struct ks_field_violation fields[VIOLATIONS_MAX];
    char more[40] = "";
    size_t n;

    for (n = 0; n < c->counts[kind] && n < VIOLATIONS_MAX; n++)
        fields[n] = (struct ks_field_violation){found[n].field, found[n].text};
    r->code = kind == BAD ? CODE_INVALID_ARGUMENT : CODE_UNIMPLEMENTED;
    if (c->counts[kind] > 1)
        snprintf(more, sizeof(more), " (and %zu more)", c->counts[kind] - 1);
    (void)ks_fail(&r->error, rc, "%s%s%s%s", found[0].field, found[0].field[0] ? ": " : "",
                  found[0].text, more);
    refuse_details(r, fields, n);
    return rc;
}

struct parts {
    size_t n_targets;
    Kstatus__V1__Target **targets;
    const Kstatus__V1__Until *until;
    const Kstatus__V1__WatchOptions *options;
};

static struct parts parts_of(ks_rpc_request_kind kind, const ProtobufCMessage *m)
{
    const Kstatus__V1__WatchRequest *w = (const Kstatus__V1__WatchRequest *)(const void *)m;
    const Kstatus__V1__GetRequest *g = (const Kstatus__V1__GetRequest *)(const void *)m;
    const Kstatus__V1__WaitRequest *t = (const Kstatus__V1__WaitRequest *)(const void *)m;

    switch (kind) {
    case KS_RPC_REQUEST_WATCH:
        return (struct parts){w->n_targets, w->targets, w->until, w->options};
    case KS_RPC_REQUEST_WAIT:
        return (struct parts){t->n_targets, t->targets, t->until, t->options};
    case KS_RPC_REQUEST_GET:
        break;
    }
    return (struct parts){g->n_targets, g->targets, NULL, g->options};
}

static void check_request(struct checks *c, const ProtobufCMessage *m, const struct parts *parts,
                          struct ks_rpc_request *r)
{
    const struct place at = {.checks = c};

    check_known(&at, m);
    if (parts->until)
        check_until(c, parts->until, r);
    if (parts->until && parts->options && parts->options->blind)
        violate(&at, BAD, "options.blind",
                "watches nothing, and so reaches no goal: leave until out");
    if (!parts->until && r->kind == KS_RPC_REQUEST_WAIT)
        violate(&at, BAD, "until", "must be given: what is to be waited for");
    check_options(c, parts->options, r);
    for (size_t i = 0; i < parts->n_targets; i++)
        check_target(c, i, parts->targets[i], &r->targets[i]);
    check_target_ids(c, r->targets, parts->n_targets);
    check_versions(c, r);
}

static const ProtobufCMessageDescriptor *const message_types[] = {
    [KS_RPC_REQUEST_WATCH] = &kstatus__v1__watch_request__descriptor,
    [KS_RPC_REQUEST_GET] = &kstatus__v1__get_request__descriptor,
    [KS_RPC_REQUEST_WAIT] = &kstatus__v1__wait_request__descriptor,
};

static ProtobufCMessage *request_unpack(ks_rpc_request_kind kind, struct ks_str bytes,
                                        struct ks_unpack *unpack)
{
    return protobuf_c_message_unpack(message_types[kind], &unpack->allocator, bytes.len,
                                     (const uint8_t *)(bytes.ptr ? bytes.ptr : ""));
}

static ks_rc check_target_count(size_t n, struct ks_refusal *refusal)
{
    char text[96];

    if (n == 0)
        return refuse_field(refusal, "targets", "at least one target must be given");
    if (n <= KS_SESSION_MAX_TARGETS)
        return KS_RC_OK;
    snprintf(text, sizeof(text), "%zu targets were given; at most %d are allowed", n,
             KS_SESSION_MAX_TARGETS);
    return refuse_field(refusal, "targets", text);
}

static void message_free(ProtobufCMessage *message)
{
    struct ks_unpack unpack;

    ks_unpack_init(&unpack, 0);
    protobuf_c_message_free_unpacked(message, &unpack.allocator);
}

static void request_freep(struct ks_rpc_request **r)
{
    *r = ks_rpc_request_free(*r);
}

/* Takes the message. Freeing needs no budget, so its pieces outlive the allocator that made them.
 */
static ks_rc request_make(ks_rpc_request_kind kind, ProtobufCMessage *message,
                          struct ks_rpc_request **out, struct ks_refusal *refusal)
{
    const struct parts parts = parts_of(kind, message);
    KS_CLEANUP(request_freep)
    struct ks_rpc_request *r = ks_alloc0(sizeof(*r) + parts.n_targets * sizeof(r->targets[0]));
    struct checks checks = {.counts = {0}};

    if (!r) {
        message_free(message);
        return refuse_memory(refusal);
    }
    r->message = message;
    r->kind = kind;
    r->target_count = parts.n_targets;
    check_request(&checks, message, &parts, r);
    if (checks.counts[BAD] + checks.counts[BEYOND] > 0)
        return refuse(refusal, &checks);
    *out = KS_TAKE(r);
    return KS_RC_OK;
}

ks_rc ks_rpc_request_decode(ks_rpc_request_kind kind, struct ks_str bytes,
                            struct ks_rpc_request **out, struct ks_refusal *refusal)
{
    ProtobufCMessage *message;
    struct ks_unpack unpack;
    char text[96];
    ks_rc rc;

    if (bytes.len > KS_RPC_REQUEST_MAX_BYTES) {
        snprintf(text, sizeof(text), "the request is %zu bytes long; at most %u are allowed",
                 bytes.len, KS_RPC_REQUEST_MAX_BYTES);
        return refuse_field(refusal, "targets", text); /* it is they that make a request long */
    }
    ks_unpack_init(&unpack, UNPACK_BUDGET);
    message = request_unpack(kind, bytes, &unpack);
    if (!message && ks_unpack_is_out_of_memory(&unpack))
        return refuse_memory(refusal);
    if (!message) {
        snprintf(text, sizeof(text), "the request is no valid %s", message_types[kind]->name);
        return refuse_field(refusal, "", text);
    }
    rc = check_target_count(parts_of(kind, message).n_targets, refusal);
    if (rc) {
        message_free(message);
        return rc;
    }
    return request_make(kind, message, out, refusal);
}

const struct ks_target *ks_rpc_request_targets(const struct ks_rpc_request *r, size_t *out_count)
{
    *out_count = r->target_count;
    return r->targets;
}

const struct ks_rpc_pace *ks_rpc_request_pace(const struct ks_rpc_request *r)
{
    return &r->pace;
}

const struct ks_until_config *ks_rpc_request_until(const struct ks_rpc_request *r)
{
    return r->has_until ? &r->until : NULL;
}

void ks_rpc_request_configure(const struct ks_rpc_request *r, struct ks_session_config *config)
{
    config->targets = ks_rpc_request_targets(r, &config->target_count);
    config->profile = r->profile;
    config->generated_depth = r->generated_depth;
    config->include_causes = r->include_causes;
    config->include_objects = r->include_objects;
}

struct ks_rpc_request *ks_rpc_request_free(struct ks_rpc_request *r)
{
    if (!r)
        return NULL;
    message_free(r->message);
    ks_free(r);
    return NULL;
}
