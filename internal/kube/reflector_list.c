/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list: pages, items, and when it is whole. shared/spec: informers 1.3.
 *
 * Which resource version is asked for:
 *
 *     first sync, or the last version was refused   none: a consistent read, in pages
 *     again                                         not older than the last one, unpaged: the watch
 * cache serves it one object by name                            none, unpaged
 *
 * A limit together with a resource version and no match is never sent: the server takes that for
 * "exactly".
 *
 * Invariants:
 *   1. A page counts only when its answer ended in order and its JSON closed; libcurl 7.88.1
 *      reports some cut bodies as success.
 *   2. The list's resource version is the first page's; its token alone says whether there is more.
 *   3. on_sync_begin comes with the first page's head: a list that was never answered disturbs
 *      nothing. It comes again when that page is retried.
 *   4. A token that an expired list offers to continue with newer data is not used: the result
 *      would mix two states.
 *
 * Thread: the loop's.
 */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/plant.h"
#include "json/items.h"
#include "json/json.h"
#include "kube/peek.h"
#include "kube/reflector_internal.h"
#include "kube/rv.h"

#define PAGE_ITEMS 500
#define MAX_PAGES 100000
#define MAX_ITEM_BYTES ((size_t)16 << 20)
#define MAX_TOKEN_BYTES ((size_t)64 << 10)
#define HEAD_TIMEOUT_MS 75000
#define LIST_TIMEOUT_MS ((int64_t)10 * 60 * 1000)
/* The parser's buffers are given back after an item of this size. */
#define BIG_ITEM_BYTES ((size_t)64 << 10)

struct ks_list_run {
    struct ks_json_items *page;
    struct ks_buf token;
    struct ks_buf resource_version; /* of the first page */
    int64_t deadline_ms;
    unsigned pages; /* complete ones */
    unsigned page_items;
    bool is_begun;        /* on_sync_begin was called */
    bool is_head_seen;    /* of the page in hand */
    bool is_page_retried; /* the page in hand is being asked for again */
};

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status);
static void on_data(void *ctx, struct ks_str bytes);
static void on_end(void *ctx, const struct ks_kube_failure *failure);

static const struct ks_kube_request_ops list_ops = {
    .on_waiting = ks_reflector_on_waiting,
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
};

void ks_reflector_list_end(struct ks_reflector *r)
{
    struct ks_list_run *run = KS_TAKE(r->list);

    if (!run)
        return;
    ks_json_items_free(run->page);
    ks_buf_fini(&run->token);
    ks_buf_fini(&run->resource_version);
    ks_free(run);
}

static ks_rc deliver_bad_item(struct ks_reflector *r, struct ks_str text,
                              const struct ks_error *err)
{
    struct ks_peek peek;

    ks_peek_object(text, &peek);
    return ks_reflector_deliver_bad(r, peek.ns, peek.name, err);
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    struct ks_reflector *r = ctx;
    struct ks_json *parser = ks_fleet_parser(r->fleet);
    struct ks_error err;
    struct ks_peek peek;
    bool is_ours;
    ks_rc rc;

    r->list->page_items++;
    if (ks_reflector_has_filter(r)) {
        ks_peek_object(text, &peek);
        if (peek.is_complete && !ks_reflector_wants(r, peek.ns, peek.name))
            return KS_RC_OK;
    }
    rc = ks_json_parse(parser, text, &err);
    if (!rc)
        rc = ks_reflector_deliver(r, ks_json_root(parser), r->ops->on_object, &is_ours);
    if (rc == KS_RC_PARSE)
        ks_fail(&err, KS_RC_PROTOCOL, "the object's metadata cannot be read");
    if (rc == KS_RC_PARSE || rc == KS_RC_LIMIT)
        rc = deliver_bad_item(r, text, &err);
    if (text.len > BIG_ITEM_BYTES)
        ks_json_trim(parser);
    return rc;
}

/* Without a name nobody can tell whom a sweep would spare: the owner hears of that too. */
static ks_rc on_skipped(void *ctx, struct ks_str head)
{
    struct ks_reflector *r = ctx;
    struct ks_error err;

    r->list->page_items++;
    ks_fail(&err, KS_RC_LIMIT, "the object is too large (more than %zu MiB)", MAX_ITEM_BYTES >> 20);
    return deliver_bad_item(r, head, &err);
}

static struct ks_str list_rv(const struct ks_reflector *r)
{
    bool is_plain = r->policy.is_single || r->policy.is_rv_bad || r->policy.drops_match ||
                    !r->policy.can_resume;

    return is_plain ? (struct ks_str){0} : ks_buf_str(&r->rv_last);
}

static struct ks_collection_query page_query(struct ks_reflector *r)
{
    struct ks_str rv = list_rv(r);
    bool is_paged = rv.len == 0 && !ks_reflector_is_single(r) && !r->policy.is_unpaged;

    r->policy.is_later_page = r->list->pages > 0;
    r->policy.is_sync_told_rv = rv.len > 0;
    if (r->policy.is_later_page)
        return (struct ks_collection_query){.continue_token = ks_buf_str(&r->list->token),
                                            .limit = is_paged ? PAGE_ITEMS : 0};
    return (struct ks_collection_query){.resource_version = rv,
                                        .is_not_older_than = rv.len > 0,
                                        .limit = is_paged ? PAGE_ITEMS : 0};
}

static ks_rc send_page(struct ks_reflector *r, struct ks_error *err)
{
    struct ks_list_run *run = r->list;
    struct ks_collection_query query = page_query(r);
    struct ks_kube_request_config config = {
        .kind = KS_KUBE_REQUEST_SHORT,
        .pace = ks_reflector_is_single(r) ? KS_KUBE_PACE_SINGLE : KS_KUBE_PACE_COLLECTION,
        .head_timeout_ms = HEAD_TIMEOUT_MS,
        .timeout_ms = run->deadline_ms - ks_loop_now_ms(r->loop),
        .ops = &list_ops,
    };
    ks_rc rc;

    if (config.timeout_ms <= 0)
        return ks_fail(err, KS_RC_TIMEOUT, "the list took more than %d s",
                       (int)(LIST_TIMEOUT_MS / 1000));
    run->page = ks_json_items_free(run->page);
    run->page_items = 0;
    run->is_head_seen = false;
    rc = ks_json_items_new(MAX_ITEM_BYTES, on_item, r, &run->page, err);
    if (rc)
        return rc;
    ks_json_items_set_on_skipped(run->page, on_skipped);
    atomic_fetch_add(&ks_kube_stats_of(r->kube)->lists_total, 1);
    return ks_reflector_send(r, &query, &config, err);
}

ks_rc ks_reflector_list_begin(struct ks_reflector *r, struct ks_error *err)
{
    ks_reflector_set_state(r, KS_REFLECTOR_LISTING);
    r->list = ks_alloc0(sizeof(*r->list));
    if (!r->list)
        return ks_fail(err, KS_RC_NOMEM, "no memory to list %.*s",
                       KS_STR_ARGS(r->resource->plural));
    ks_buf_init(&r->list->token, MAX_TOKEN_BYTES);
    ks_buf_init(&r->list->resource_version, KS_RV_MAX_BYTES + 1);
    r->list->deadline_ms = ks_loop_now_ms(r->loop) + LIST_TIMEOUT_MS;
    return send_page(r, err);
}

static void fail_list(struct ks_reflector *r, const struct ks_kube_failure *failure)
{
    ks_reflector_follow(r, ks_policy_list_failed(&r->policy, failure), failure);
}

static void fail_with(struct ks_reflector *r, const struct ks_error *err)
{
    struct ks_kube_failure failure;

    ks_reflector_failure_of(&failure, err);
    fail_list(r, &failure);
}

/* The page in hand again (what it has brought already is only confirmed twice), or the next one. */
static void ask_page(struct ks_reflector *r)
{
    struct ks_error err;

    if (send_page(r, &err))
        fail_with(r, &err);
}

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status)
{
    struct ks_reflector *r = ctx;

    (void)content_type; /* the body decides */
    (void)etag;
    (void)http_status;
    ks_reflector_pin(r);
    r->list->is_head_seen = true;
    if (!r->list->is_begun) {
        r->list->is_begun = true;
        r->ops->on_sync_begin(r->ctx);
    }
    ks_reflector_unpin(r);
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct ks_reflector *r = ctx;
    struct ks_error err;
    ks_rc rc;

    ks_reflector_pin(r);
    rc = ks_json_items_feed(r->list->page, bytes, &err);
    if (rc && !ks_reflector_is_closed(r)) {
        if (rc == KS_RC_PARSE)
            err.rc = KS_RC_PROTOCOL;
        fail_with(r, &err);
    }
    ks_reflector_unpin(r);
}

static ks_rc copy_member(struct ks_json_value metadata, const char *key, struct ks_buf *out,
                         struct ks_error *err)
{
    struct ks_str text = {0};
    ks_rc rc;

    (void)ks_json_to_str(ks_json_get(metadata, key), &text); /* absent is empty */
    ks_buf_clear(out);
    rc = ks_buf_append_str(out, text);
    return rc ? ks_fail(err, rc, "the list's %s: %s", key, ks_rc_text(rc)) : KS_RC_OK;
}

/* Reads what stands around the items. */
static ks_rc read_envelope(struct ks_reflector *r, struct ks_error *err)
{
    struct ks_list_run *run = r->list;
    struct ks_json *parser = ks_fleet_parser(r->fleet);
    struct ks_str kind = {0};
    struct ks_json_value metadata;
    ks_rc rc = ks_json_parse(parser, ks_json_items_envelope(run->page), err);

    if (rc == KS_RC_PARSE)
        return ks_fail(err, KS_RC_PROTOCOL, "the answer to a list is no JSON");
    if (rc)
        return rc;
    (void)ks_json_to_str(ks_json_get(ks_json_root(parser), "kind"), &kind); /* may be absent */
    if (!ks_json_items_has_items(run->page) || ks_str_is(kind, "Table"))
        return ks_fail(err, KS_RC_PROTOCOL, "the answer to a list is no list but \"%.*s\"",
                       KS_STR_ARGS(kind));
    metadata = ks_json_get(ks_json_root(parser), "metadata");
    if (run->pages == 0)
        rc = copy_member(metadata, "resourceVersion", &run->resource_version, err);
    return rc;
}

/* The next page's token replaces the last one's; a server that gives the same one for nothing would
 * go on for ever. */
static ks_rc read_token(struct ks_reflector *r, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf last = r->list->token;
    struct ks_list_run *run = r->list;
    struct ks_json_value root = ks_json_root(ks_fleet_parser(r->fleet));
    ks_rc rc;

    ks_buf_init(&run->token, MAX_TOKEN_BYTES);
    rc = copy_member(ks_json_get(root, "metadata"), "continue", &run->token, err);
    if (rc)
        return rc;
    if ((run->token.len && run->page_items == 0 &&
         ks_str_eq(ks_buf_str(&run->token), ks_buf_str(&last))) ||
        run->pages >= MAX_PAGES)
        return ks_fail(err, KS_RC_PROTOCOL, "the list does not come to an end after %u pages",
                       run->pages + 1);
    return KS_RC_OK;
}

/* What came could be mistaken for the past of what came before: it is told again without that. */
static void list_anew(struct ks_reflector *r)
{
    struct ks_kube_failure why;

    ks_reflector_went_back(r, ks_buf_str(&r->list->resource_version), &why);
    ks_reflector_reset(r);
    if (!ks_reflector_is_closed(r))
        ks_reflector_follow(r, ks_policy_went_back(&r->policy), &why);
}

static void finish_list(struct ks_reflector *r)
{
    struct ks_plan poll = {.next = KS_NEXT_SYNC, .pause = KS_PAUSE_POLL};
    struct ks_plan watch = {.next = KS_NEXT_WATCH, .pause = KS_PAUSE_NONE};
    bool is_polled;

    if (!ks_reflector_sync_done(r, ks_buf_str(&r->list->resource_version))) {
        list_anew(r);
        return;
    }
    if (ks_reflector_is_closed(r))
        return;
    is_polled = !r->resource->can_watch || !r->policy.can_resume;
    if (is_polled)
        ks_reflector_tell(r, KS_SOURCE_FRESH, NULL);
    if (!ks_reflector_is_closed(r))
        ks_reflector_follow(r, is_polled ? poll : watch, NULL);
}

static void finish_page(struct ks_reflector *r)
{
    struct ks_error err;
    ks_rc rc;

    rc = read_envelope(r, &err);
    if (!rc)
        rc = read_token(r, &err);
    if (rc) {
        fail_with(r, &err);
        return;
    }
    r->list->pages++;
    r->list->is_page_retried = false;
    if (r->list->token.len && !KS_PLANTED(6))
        ask_page(r);
    else
        finish_list(r);
}

static bool is_worth_a_retry(const struct ks_list_run *run, const struct ks_kube_failure *failure)
{
    if (run->is_page_retried || !run->is_head_seen)
        return false;
    return failure->rc == KS_RC_IO || failure->rc == KS_RC_TIMEOUT;
}

static void on_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct ks_reflector *r = ctx;
    struct ks_kube_failure cut;
    struct ks_error err;

    ks_reflector_pin(r);
    r->request = NULL;
    if (!failure && !ks_json_items_is_closed(r->list->page)) {
        ks_fail(&err, KS_RC_IO, "the list was cut off");
        ks_reflector_failure_of(&cut, &err);
        r->list->is_head_seen = true;
        failure = &cut;
    }
    if (!failure) {
        finish_page(r);
    } else if (is_worth_a_retry(r->list, failure)) {
        r->list->is_page_retried = true;
        /* A first page is of a new state, and what the cut one confirmed may be gone in it; a later
         * page is of the state that its token names. */
        if (r->list->pages == 0 && !KS_PLANTED(7))
            r->list->is_begun = false;
        ask_page(r);
    } else {
        fail_list(r, failure);
    }
    ks_reflector_unpin(r);
}
