/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe: is the server still in the world that the resume position is from? shared/spec:
 * informers 1.5.
 *
 * A watch from a version that the server has not reached is accepted and stays silent, for ever
 * when etcd was restored from a backup or lost (k8s#107457). So before a watch goes on behind a
 * lost connection, and every half hour, one object is listed, not older than the position. A
 * server that is behind says so ("Too large resource version"); one that does not know the
 * parameter shows it by the version of its answer.
 *
 * Being behind is no proof yet: of several API servers one may lag. The sync that follows gets a
 * consistent list, and the version of that proves it (ks_reflector_sync_done). What was an orderly
 * end of a watch is not probed, and neither is a single object, which is listed at each reconnect.
 *
 * After an outage thousands ask at once, and wait for their turn. The first answer that is at or
 * past the position of others, and was asked for after they lost their connection, answers them as
 * well.
 *
 * What cannot be seen, until something else brings a sync (410, half an hour):
 *   - another world whose version has passed ours, and whose history reaches back to it. An API
 *     server that has just been started has no history and answers 410; the sync that follows finds
 *     the other UIDs and the smaller versions (informer.c);
 *   - a server that took another one's place while no request and no watch of ours failed;
 *   - etcd restored under a running API server, whose cache goes on answering from before;
 *   - all of it for resources whose versions are no numbers.
 *
 * Thread: the loop's.  It does not: ask with the selectors (the version is the collection's, and a
 * selector that matches little makes old servers read all of it), or look at the object.
 */
#include "json/items.h"
#include "json/json.h"
#include "kube/reflector_internal.h"
#include "kube/rv.h"

#define EVERY_MS ((int64_t)30 * 60 * 1000)
#define HEAD_TIMEOUT_MS 15000
#define TIMEOUT_MS 30000
#define KEPT_ITEM_BYTES ((size_t)256)

bool ks_reflector_can_probe(const struct ks_reflector *r)
{
    return !r->policy.is_single && ks_rv_is_well_formed(ks_buf_str(&r->rv_last));
}

bool ks_reflector_probe_is_due(const struct ks_reflector *r)
{
    if (!ks_reflector_can_probe(r))
        return false;
    return r->policy.must_probe || r->policy.was_severed ||
           ks_loop_now_ms(r->loop) - r->probed_at_ms > EVERY_MS;
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    (void)ctx; /* only what stands around it counts */
    (void)text;
    return KS_RC_OK;
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct ks_reflector *r = ctx;
    struct ks_error err;

    /* An answer that is no list says nothing of versions; that it came is an answer all the same.
     */
    if (r->probe && ks_json_items_feed(r->probe, bytes, &err))
        r->probe = ks_json_items_free(r->probe);
}

/* The version of the answer, copied; empty when it says none. */
static void read_version(const struct ks_reflector *r, struct ks_buf *out)
{
    struct ks_json *parser = ks_fleet_parser(r->fleet);
    struct ks_str version = {0};
    struct ks_error err;

    if (!r->probe || !ks_json_items_is_closed(r->probe) ||
        ks_json_parse(parser, ks_json_items_envelope(r->probe), &err))
        return;
    if (!ks_json_to_str(
            ks_json_get(ks_json_get(ks_json_root(parser), "metadata"), "resourceVersion"),
            &version) ||
        !ks_rv_is_well_formed(version) || ks_buf_append_str(out, version))
        ks_buf_clear(out);
}

static struct ks_plan plan_of(struct ks_reflector *r, const struct ks_kube_failure *failure,
                              struct ks_str version)
{
    if (failure)
        return ks_policy_probe_failed(&r->policy, failure);
    return ks_rv_is_older(version, ks_buf_str(&r->rv_last)) ? ks_policy_probe_behind(&r->policy)
                                                            : ks_policy_probe_passed(&r->policy);
}

/* Whether the answer to r answers another one too. */
static bool is_answered(const struct ks_reflector *other, const struct ks_reflector *r,
                        struct ks_str version)
{
    return r->probe_begun_ms >= other->ended_at_ms && !other->policy.must_probe &&
           ks_reflector_is_same(other->resource, r->resource) &&
           !ks_rv_is_older(version, ks_buf_str(&other->rv_last));
}

static void pass(struct ks_reflector *r)
{
    ks_reflector_pin(r);
    r->probed_at_ms = ks_loop_now_ms(r->loop);
    ks_reflector_follow(r, ks_policy_probe_passed(&r->policy), NULL);
    ks_reflector_unpin(r);
}

/* Owners may free any of them on the way: each is taken from a list that it leaves by itself. */
static void share(struct ks_reflector *r, struct ks_str version)
{
    struct ks_list *probing = ks_fleet_probing(r->fleet);
    struct ks_list asking;

    ks_list_init(&asking);
    ks_list_splice(&asking, probing);
    while (!ks_list_is_empty(&asking)) {
        struct ks_reflector *other =
            KS_CONTAINER_OF(ks_list_pop(&asking), struct ks_reflector, probing);

        if (is_answered(other, r, version))
            pass(other);
        else
            ks_list_push(probing, &other->probing);
    }
}

static void on_end(void *ctx, const struct ks_kube_failure *failure)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf version = KS_BUF(KS_RV_MAX_BYTES + 1);
    struct ks_reflector *r = ctx;
    struct ks_plan plan;
    bool has_passed;

    ks_reflector_pin(r);
    r->request = NULL;
    if (!failure || failure->rc == KS_RC_INVALID)
        r->probed_at_ms = ks_loop_now_ms(r->loop);
    if (!failure)
        read_version(r, &version);
    plan = plan_of(r, failure, ks_buf_str(&version));
    has_passed = version.len && plan.next == KS_NEXT_WATCH;
    ks_reflector_follow(r, plan, failure);
    if (has_passed)
        share(r, ks_buf_str(&version));
    ks_reflector_unpin(r);
}

ks_rc ks_reflector_probe_begin(struct ks_reflector *r, struct ks_error *err)
{
    static const struct ks_kube_request_ops ops = {
        .on_waiting = ks_reflector_on_waiting, .on_data = on_data, .on_end = on_end};
    struct ks_collection whole = {.resource = r->collection.resource, .ns = r->collection.ns};
    struct ks_collection_query query = {
        .resource_version = ks_buf_str(&r->rv_last), .is_not_older_than = true, .limit = 1};
    struct ks_kube_request_config config = {
        .kind = KS_KUBE_REQUEST_SHORT,
        .pace = KS_KUBE_PACE_SINGLE,
        .head_timeout_ms = HEAD_TIMEOUT_MS,
        .timeout_ms = TIMEOUT_MS,
        .ops = &ops,
    };
    ks_rc rc;

    ks_reflector_set_state(r, KS_REFLECTOR_PROBING);
    r->probe_begun_ms = ks_loop_now_ms(r->loop);
    ks_list_push(ks_fleet_probing(r->fleet), &r->probing);
    rc = ks_json_items_new(KEPT_ITEM_BYTES, on_item, r, &r->probe, err);
    return rc ? rc : ks_reflector_send_for(r, &whole, &query, &config, err);
}

void ks_reflector_probe_end(struct ks_reflector *r)
{
    r->probe = ks_json_items_free(r->probe);
}
