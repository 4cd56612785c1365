/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reflector: life cycle and state machine (the drawing and the table are in reflector_internal.h).
 *
 * The model: at any time a reflector does one thing: it waits, lists, streams, watches, probes or
 * asks discovery. Whatever ends that thing is turned into facts, the policy turns facts into a plan
 * (what next, after which pause, how loud), and ks_reflector_follow is the only place that carries
 * plans out.
 *
 * Invariants:
 *   1. One request, or one resolve, or one pause at a time; none when CLOSED.
 *   2. rv_last moves only after what it stands for was handed to the owner; a sync that did not
 *      complete leaves it.
 *   3. on_sync_end follows on_sync_begin of the same, complete sync; nothing else can sweep.
 *   4. The owner may free the reflector in any callback: memory goes with the last pin.
 *   5. A pause comes between any two requests, but for at most two repeats in a row
 *      (reflector_policy.c), the pages of a list, and the watch that follows a sync or a probe.
 *
 * Thread: the loop's.  It does not: keep objects (informer.c), send more than one request, know
 * what a status is.
 */
#include "kube/reflector.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "json/json.h"
#include "kube/reflector_internal.h"
#include "kube/rv.h"
#include "kube/watch_decode.h"

#define SPREAD_MS 1000
#define SHORT_MS 1000
#define POLL_MS 30000
#define LONG_MS 300000
#define ABSENT_FIRST_MS 30000
#define ABSENT_LAST_MS 300000
#define NAME_SELECTOR_ABSENT_MS ((int64_t)3600 * 1000)
#define HEALTHY_WATCH_MS 120000

static const struct {
    const char *text;
    unsigned next;
} state_table[] = {
#define TO(name) (1u << KS_REFLECTOR_##name)
#define X(name, text_, next_) [KS_REFLECTOR_##name] = {.text = (text_), .next = (next_)},
    KS_REFLECTOR_STATES(X)
#undef X
#undef TO
};

static const char *const source_texts[] = {
    [KS_SOURCE_SYNCING] = "syncing", [KS_SOURCE_FRESH] = "fresh",
    [KS_SOURCE_STALE] = "stale",     [KS_SOURCE_DENIED] = "denied",
    [KS_SOURCE_ABSENT] = "absent",   [KS_SOURCE_UNAUTHENTICATED] = "unauthenticated",
    [KS_SOURCE_FAILED] = "failed",
};

const char *ks_source_state_text(ks_source_state state)
{
    return source_texts[state];
}

void ks_reflector_set_state(struct ks_reflector *r, ks_reflector_state to)
{
    assert(to == KS_REFLECTOR_CLOSED || state_table[r->state].next & (1u << to));
    ks_log(ks_kube_log(r->kube), KS_LOG_DEBUG, "reflector state",
           KS_F_VIEW("resource", r->resource->plural), KS_F_VIEW("namespace", r->collection.ns),
           KS_F_STR("from", state_table[r->state].text), KS_F_STR("to", state_table[to].text));
    r->state = to;
}

/* What is going on, without what the functions on the stack may still use. */
static void cancel_work(struct ks_reflector *r)
{
    ks_kube_request_cancel(KS_TAKE(r->request));
    ks_resolve_cancel(KS_TAKE(r->resolve));
    ks_timer_stop(&r->timer);
    ks_list_remove(&r->probing);
}

static void end_work(struct ks_reflector *r)
{
    cancel_work(r);
    ks_reflector_list_end(r);
    ks_reflector_probe_end(r);
    ks_reflector_watch_end(r);
}

static void destroy(struct ks_reflector *r)
{
    end_work(r);
    ks_buf_fini(&r->rv_last);
    ks_resource_unref(r->resource);
    ks_free(r);
}

void ks_reflector_pin(struct ks_reflector *r)
{
    ks_loop_assert_here(r->loop);
    r->pins++;
}

void ks_reflector_unpin(struct ks_reflector *r)
{
    assert(r->pins > 0);
    if (--r->pins == 0 && ks_reflector_is_closed(r))
        destroy(r);
}

struct ks_reflector *ks_reflector_free(struct ks_reflector *r)
{
    if (!r)
        return NULL;
    assert(!ks_reflector_is_closed(r));
    atomic_fetch_sub(&ks_kube_stats_of(r->kube)->informers, 1);
    cancel_work(r);
    ks_reflector_set_state(r, KS_REFLECTOR_CLOSED);
    if (r->pins == 0)
        destroy(r);
    return NULL;
}

void ks_reflector_tell(struct ks_reflector *r, ks_source_state source, const struct ks_error *err)
{
    struct ks_str reason = ks_str_from(err ? err->msg : NULL);
    uint64_t hash = reason.len ? ks_hash(reason.ptr, reason.len) : 0;

    if (source == r->source && hash == r->told_hash)
        return;
    r->source = source;
    r->told_hash = hash;
    r->ops->on_state(r->ctx, source, err);
}

static ks_source_state lost_source(const struct ks_reflector *r)
{
    return r->policy.has_synced ? KS_SOURCE_STALE : KS_SOURCE_SYNCING;
}

static void tell_plan(struct ks_reflector *r, ks_tell tell, const struct ks_error *err)
{
    switch (tell) {
    case KS_TELL_NOTHING:
        break;
    case KS_TELL_LOST:
        ks_reflector_tell(r, lost_source(r), err);
        break;
    case KS_TELL_DENIED:
        ks_reflector_tell(r, KS_SOURCE_DENIED, err);
        break;
    case KS_TELL_UNAUTHENTICATED:
        ks_reflector_tell(r, KS_SOURCE_UNAUTHENTICATED, err);
        break;
    case KS_TELL_FAILED:
        ks_reflector_tell(r, KS_SOURCE_FAILED, err);
        break;
    }
}

void ks_reflector_on_waiting(void *ctx, const struct ks_error *err)
{
    struct ks_reflector *r = ctx;

    ks_reflector_pin(r);
    ks_policy_severed(&r->policy);
    ks_reflector_tell(r, lost_source(r), err);
    ks_reflector_unpin(r);
}

static int64_t jitter(int64_t bound_ms)
{
    return (int64_t)ks_random_below((uint64_t)bound_ms);
}

static int64_t backoff_pause(struct ks_reflector *r, const struct ks_kube_failure *why)
{
    int64_t pause_ms = ks_backoff_next_ms(&r->backoff);
    int64_t asked_ms = why && why->retry_after_ms > 0 ? why->retry_after_ms : 0;

    /* Only upward, so that clients that were told the same do not come back in one burst. */
    asked_ms += jitter(asked_ms / 4);
    return asked_ms > pause_ms ? asked_ms : pause_ms;
}

static int64_t absent_pause(struct ks_reflector *r)
{
    r->absent_pause_ms = r->absent_pause_ms ? r->absent_pause_ms * 2 : ABSENT_FIRST_MS;
    if (r->absent_pause_ms > ABSENT_LAST_MS)
        r->absent_pause_ms = ABSENT_LAST_MS;
    return r->absent_pause_ms;
}

static int64_t pause_ms_of(struct ks_reflector *r, ks_pause pause,
                           const struct ks_kube_failure *why)
{
    switch (pause) {
    case KS_PAUSE_NONE:
        break;
    case KS_PAUSE_SPREAD:
        return jitter(SPREAD_MS);
    case KS_PAUSE_SHORT:
        return SHORT_MS + jitter(SHORT_MS);
    case KS_PAUSE_BACKOFF:
        return backoff_pause(r, why);
    case KS_PAUSE_POLL:
        return POLL_MS;
    case KS_PAUSE_ABSENT:
        return absent_pause(r);
    case KS_PAUSE_LONG:
        return LONG_MS + jitter(LONG_MS / 5);
    }
    return 0;
}

void ks_reflector_failure_of(struct ks_kube_failure *out, const struct ks_error *err)
{
    *out = (struct ks_kube_failure){.rc = err->rc, .retry_after_ms = -1, .error = *err};
}

ks_rc ks_reflector_send_for(struct ks_reflector *r, const struct ks_collection *collection,
                            const struct ks_collection_query *query,
                            struct ks_kube_request_config *config, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf path = KS_BUF(KS_COLLECTION_PATH_MAX_BYTES);
    ks_rc rc = ks_collection_path(collection, query, &path, err);

    if (rc)
        return rc;
    config->path = path.data;
    config->ctx = r;
    return ks_kube_request_start(r->kube, config, &r->request, err);
}

ks_rc ks_reflector_send(struct ks_reflector *r, const struct ks_collection_query *query,
                        struct ks_kube_request_config *config, struct ks_error *err)
{
    struct ks_collection collection = r->collection;

    if (r->policy.drops_name)
        collection.name = (struct ks_str){0};
    return ks_reflector_send_for(r, &collection, query, config, err);
}

/* How a watch that ends now has served, for the backoff. */
static void settle_backoff(struct ks_reflector *r)
{
    int64_t lived_ms = r->head_at_ms ? ks_loop_now_ms(r->loop) - r->head_at_ms : 0;

    if (lived_ms >= HEALTHY_WATCH_MS || (r->is_new_sync && lived_ms >= KS_WATCH_SHORT_MS))
        ks_backoff_reset(&r->backoff);
    r->is_new_sync = false;
}

bool ks_reflector_is_same(const struct ks_resource *a, const struct ks_resource *b)
{
    return ks_str_eq(a->group, b->group) && ks_str_eq(a->version, b->version) &&
           ks_str_eq(a->plural, b->plural) && a->is_namespaced == b->is_namespaced;
}

static void clear_rv(struct ks_reflector *r)
{
    ks_buf_clear(&r->rv_last);
    r->policy.can_resume = false;
}

static void take_resource(struct ks_reflector *r, struct ks_resource *resource)
{
    ks_resource_ref(resource);
    ks_resource_unref(r->resource);
    r->resource = resource;
    r->collection.resource = resource;
}

/* The collection is gone as a whole: an empty sync tells it for each object. */
static void become_absent(struct ks_reflector *r, const struct ks_error *err)
{
    struct ks_plan plan = {.next = KS_NEXT_LOCATE, .pause = KS_PAUSE_ABSENT};

    clear_rv(r);
    if (r->policy.has_synced && r->source != KS_SOURCE_ABSENT) {
        r->ops->on_sync_begin(r->ctx);
        if (!ks_reflector_is_closed(r))
            r->ops->on_sync_end(r->ctx);
    }
    if (!ks_reflector_is_closed(r))
        ks_reflector_tell(r, KS_SOURCE_ABSENT, err);
    if (!ks_reflector_is_closed(r))
        ks_reflector_follow(r, plan, NULL);
}

static void on_located(void *ctx, ks_rc rc, struct ks_resource *resource,
                       const struct ks_error *err)
{
    struct ks_reflector *r = ctx;
    struct ks_plan plan = {.next = KS_NEXT_SYNC};

    ks_reflector_pin(r);
    r->resolve = NULL;
    if (rc == KS_RC_NOTFOUND) {
        become_absent(r, err);
    } else {
        /* Still listed right after a 404: discovery runs ahead, or an aggregated server flaps. */
        if (r->has_just_missed || rc)
            plan.pause = KS_PAUSE_BACKOFF;
        if (!rc) {
            bool is_same = ks_reflector_is_same(r->resource, resource);

            take_resource(r, resource);
            /* A position from before the teardown means nothing to what came after it. */
            if (!is_same || !r->has_just_missed)
                clear_rv(r);
        } else {
            tell_plan(r, KS_TELL_LOST, err);
        }
        if (!ks_reflector_is_closed(r))
            ks_reflector_follow(r, plan, NULL);
    }
    ks_reflector_unpin(r);
}

static ks_rc locate_begin(struct ks_reflector *r, struct ks_error *err)
{
    struct ks_mapper *mapper = ks_kube_mapper(r->kube);
    struct ks_mapper_query query = {.group = r->resource->group,
                                    .kind = r->resource->kind,
                                    .has_group = true,
                                    .is_repeat = true};

    r->has_just_missed = r->state != KS_REFLECTOR_WAITING;
    ks_reflector_set_state(r, KS_REFLECTOR_LOCATING);
    ks_mapper_invalidate(mapper);
    return ks_mapper_resolve(mapper, &query, on_located, r, &r->resolve, err);
}

static bool may_stream(const struct ks_reflector *r)
{
    return !r->policy.is_single && !r->policy.must_list && r->resource->can_watch &&
           ks_fleet_may_use(r->fleet, r->resource, KS_FEATURE_STREAMING_LIST);
}

static ks_rc sync_begin(struct ks_reflector *r, struct ks_error *err)
{
    if (r->policy.is_single && !ks_fleet_may_use(r->fleet, r->resource, KS_FEATURE_NAME_SELECTOR))
        r->policy.drops_name = true;
    return may_stream(r) ? ks_reflector_watch_begin(r, KS_STREAM_INITIAL, err)
                         : ks_reflector_list_begin(r, err);
}

static ks_rc begin(struct ks_reflector *r, ks_next next, struct ks_error *err)
{
    switch (next) {
    case KS_NEXT_LOCATE:
        return locate_begin(r, err);
    case KS_NEXT_WATCH:
        if (!r->policy.can_resume || (r->policy.must_probe && !ks_reflector_can_probe(r)))
            return sync_begin(r, err);
        return ks_reflector_probe_is_due(r) ? ks_reflector_probe_begin(r, err)
                                            : ks_reflector_watch_begin(r, KS_STREAM_RESUMED, err);
    case KS_NEXT_SYNC:
        break;
    }
    return sync_begin(r, err);
}

/* What could not even be begun (memory, mostly) is begun again later. */
static void go(struct ks_reflector *r, ks_next next)
{
    struct ks_plan later = {.next = next, .pause = KS_PAUSE_BACKOFF, .tell = KS_TELL_LOST};
    struct ks_kube_failure failure;
    struct ks_error err;

    if (!begin(r, next, &err))
        return;
    ks_reflector_failure_of(&failure, &err);
    ks_reflector_follow(r, later, &failure);
}

void ks_reflector_follow(struct ks_reflector *r, struct ks_plan plan,
                         const struct ks_kube_failure *why)
{
    if (r->head_at_ms)
        settle_backoff(r);
    end_work(r);
    r->ended_at_ms = ks_loop_now_ms(r->loop);
    r->closures = ks_kube_closures(r->kube);
    if (plan.pause != KS_PAUSE_NONE) {
        ks_reflector_set_state(r, KS_REFLECTOR_WAITING);
        r->next = plan.next;
        ks_policy_paused(&r->policy);
        ks_timer_start(&r->timer, pause_ms_of(r, plan.pause, why));
    }
    tell_plan(r, plan.tell, why ? &why->error : NULL);
    if (!ks_reflector_is_closed(r) && plan.pause == KS_PAUSE_NONE)
        go(r, plan.next);
}

static void set_rv(struct ks_reflector *r, struct ks_str resource_version)
{
    ks_buf_clear(&r->rv_last);
    r->policy.can_resume = ks_rv_is_resumable(resource_version) &&
                           ks_buf_append_str(&r->rv_last, resource_version) == KS_RC_OK;
}

struct ks_str ks_reflector_version(const struct ks_reflector *r)
{
    return ks_buf_str(&r->rv_last);
}

void ks_reflector_advance(struct ks_reflector *r, struct ks_str resource_version)
{
    if (r->state != KS_REFLECTOR_WATCHING ||
        ks_rv_is_older(resource_version, ks_buf_str(&r->rv_last)))
        return;
    set_rv(r, resource_version);
    ks_policy_advanced(&r->policy);
}

/* What other versions meant is forgotten with the position: nothing is older than what comes. */
void ks_reflector_reset(struct ks_reflector *r)
{
    clear_rv(r);
    if (r->ops->on_reset)
        r->ops->on_reset(r->ctx);
}

void ks_reflector_went_back(struct ks_reflector *r, struct ks_str resource_version,
                            struct ks_kube_failure *out)
{
    struct ks_error err;

    ks_fail(&err, KS_RC_UNAVAILABLE,
            "the API server went back to resource version %.*s from %.*s (its state was restored "
            "or lost?): its objects are listed anew",
            KS_STR_ARGS(resource_version), KS_STR_ARGS(ks_buf_str(&r->rv_last)));
    ks_reflector_failure_of(out, &err);
}

bool ks_reflector_sync_done(struct ks_reflector *r, struct ks_str resource_version)
{
    if (ks_rv_is_older(resource_version, ks_buf_str(&r->rv_last)))
        return false;
    if (r->policy.streaming_absent_ms)
        ks_fleet_remember_absence(r->fleet, r->resource, KS_FEATURE_STREAMING_LIST,
                                  r->policy.streaming_absent_ms);
    if (r->policy.drops_name)
        ks_fleet_remember_absence(r->fleet, r->resource, KS_FEATURE_NAME_SELECTOR,
                                  NAME_SELECTOR_ABSENT_MS);
    set_rv(r, resource_version);
    r->probed_at_ms = ks_loop_now_ms(r->loop);
    r->absent_pause_ms = 0;
    r->is_new_sync = true;
    ks_policy_synced(&r->policy);
    r->ops->on_sync_end(r->ctx);
    return true;
}

bool ks_reflector_wants(const struct ks_reflector *r, struct ks_str ns, struct ks_str name)
{
    if (r->collection.name.len && !ks_str_eq(r->collection.name, name))
        return false;
    return !r->ops->wants || r->ops->wants(r->ctx, ns, name);
}

/* Items of built-in lists carry no kind. */
static bool is_of_kind(const struct ks_reflector *r, struct ks_json_value object)
{
    struct ks_json_value kind = ks_json_get(object, "kind");
    struct ks_str text;

    return ks_json_is_absent(kind) ||
           (ks_json_to_str(kind, &text) && ks_str_eq(text, r->resource->kind));
}

ks_rc ks_reflector_deliver(struct ks_reflector *r, struct ks_json_value object,
                           void (*handler)(void *ctx, struct ks_json_value object),
                           bool *out_is_ours)
{
    struct ks_identity id;

    if (!ks_identity_of(object, &id))
        return ks_json_out_of_memory(ks_fleet_parser(r->fleet)) ? KS_RC_NOMEM : KS_RC_PARSE;
    *out_is_ours = id.name.len > 0 && is_of_kind(r, object) &&
                   (!r->collection.ns.len || !r->resource->is_namespaced ||
                    ks_str_eq(id.ns, r->collection.ns));
    if (!*out_is_ours) {
        atomic_fetch_add(&ks_kube_stats_of(r->kube)->bad_lines_total, 1);
        ks_log(ks_kube_log(r->kube), KS_LOG_DEBUG, "object of another collection ignored",
               KS_F_VIEW("resource", r->resource->plural), KS_F_VIEW("namespace", id.ns),
               KS_F_VIEW("name", id.name));
        return KS_RC_OK;
    }
    if (!ks_reflector_wants(r, id.ns, id.name))
        return KS_RC_OK;
    handler(r->ctx, object);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : KS_RC_OK;
}

ks_rc ks_reflector_deliver_bad(struct ks_reflector *r, struct ks_str ns, struct ks_str name,
                               const struct ks_error *err)
{
    atomic_fetch_add(&ks_kube_stats_of(r->kube)->bad_lines_total, 1);
    if (name.len && !ks_reflector_wants(r, ns, name))
        return KS_RC_OK;
    r->ops->on_bad_object(r->ctx, ns, name, err);
    return ks_reflector_is_closed(r) ? KS_RC_CANCELLED : KS_RC_OK;
}

static void on_timer(struct ks_timer *timer)
{
    struct ks_reflector *r = KS_CONTAINER_OF(timer, struct ks_reflector, timer);

    ks_reflector_pin(r);
    if (r->state == KS_REFLECTOR_WAITING)
        go(r, r->next);
    else
        ks_reflector_watch_on_timer(r);
    ks_reflector_unpin(r);
}

static struct ks_str keep(char **at, struct ks_str s)
{
    struct ks_str kept = ks_str_make(*at, s.len);

    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static struct ks_reflector *reflector_alloc(const struct ks_reflector_config *config)
{
    size_t bytes =
        config->ns.len + config->name.len + config->label_selector.len + config->field_selector.len;
    struct ks_reflector *r = ks_alloc0(sizeof(*r) + bytes);
    char *at;

    if (!r)
        return NULL;
    at = (char *)(r + 1);
    r->resource = ks_resource_ref(config->resource);
    r->collection = (struct ks_collection){
        .resource = r->resource,
        .ns = keep(&at, config->ns),
        .name = keep(&at, config->name),
        .label_selector = keep(&at, config->label_selector),
        .field_selector = keep(&at, config->field_selector),
    };
    r->policy.is_single = config->name.len > 0;
    r->policy.is_filtered = config->label_selector.len || config->field_selector.len;
    ks_buf_init(&r->rv_last, KS_RV_MAX_BYTES + 1);
    ks_list_init(&r->probing);
    return r;
}

static struct ks_backoff backoff_of(const struct ks_kube_options *options)
{
    struct ks_backoff backoff = KS_BACKOFF_DEFAULT;

    if (options->backoff_base_ms)
        backoff.base_ms = options->backoff_base_ms;
    if (options->backoff_cap_ms)
        backoff.cap_ms = options->backoff_cap_ms;
    return backoff;
}

ks_rc ks_reflector_new(struct ks_kube *kube, const struct ks_reflector_config *config,
                       const struct ks_reflector_ops *ops, void *ctx, struct ks_reflector **out,
                       struct ks_error *err)
{
    struct ks_fleet *fleet;
    struct ks_reflector *r;
    ks_rc rc;

    if (config->ns.len && !ks_path_segment_is_safe(config->ns))
        return ks_fail(err, KS_RC_INVALID, "\"%.*s\" is no namespace", KS_STR_ARGS(config->ns));
    if (config->name.len && !ks_path_segment_is_safe(config->name))
        return ks_fail(err, KS_RC_INVALID, "\"%.*s\" is no name of an object",
                       KS_STR_ARGS(config->name));
    rc = ks_fleet_of(kube, &fleet, err);
    if (rc)
        return rc;
    r = reflector_alloc(config);
    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "no memory to watch %.*s",
                       KS_STR_ARGS(config->resource->plural));
    r->kube = kube;
    r->loop = ks_kube_loop(kube);
    r->fleet = fleet;
    r->ops = ops;
    r->ctx = ctx;
    r->state = KS_REFLECTOR_IDLE;
    r->source = KS_SOURCE_SYNCING;
    r->backoff = backoff_of(ks_kube_options_of(kube));
    ks_timer_init(&r->timer, r->loop, on_timer);
    atomic_fetch_add(&ks_kube_stats_of(kube)->informers, 1);
    *out = r;
    return KS_RC_OK;
}

void ks_reflector_start(struct ks_reflector *r)
{
    ks_reflector_set_state(r, KS_REFLECTOR_WAITING);
    r->next = KS_NEXT_SYNC;
    ks_timer_start(&r->timer, 0);
}
