/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET and LIST.
 *
 * The model: a list is a snapshot of references at one resourceVersion. Its text is never
 * assembled: the body walks the references and hands out their shared bodies as the client takes
 * them, so 50,000 objects cost one array.
 *
 * 1. The answer's resourceVersion is the snapshot's, on every page.
 * 2. A page token holds that version and the key to go on from; the next page is made from history,
 * and is 410 with a fresh token when history no longer reaches back.
 * 3. A version of the future parks the request for SIM_FRESH_WAIT_MS, then answers 504.
 *
 * Thread: one. Watches are watch.c's business, parameter rules params.c's.
 */
#include "read.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "gzip.h"
#include "object.h"
#include "page_token.h"
#include "params.h"
#include "selector.h"
#include "sim.h"

#define LIST_FRAME_MAX_BYTES ((size_t)4096)

struct ks_str sim_key_make(const struct sim_resource *res, struct ks_str ns, struct ks_str name,
                           char *out, size_t size)
{
    int n;

    if (sim_resource_has(res, SIM_NAMESPACED))
        n = snprintf(out, size, "%.*s/%.*s", KS_STR_ARGS(ns), KS_STR_ARGS(name));
    else
        n = snprintf(out, size, "%.*s", KS_STR_ARGS(name));
    return ks_str_make(out, n < 0 || (size_t)n >= size ? 0 : (size_t)n);
}

void sim_key_range_of(const struct sim_call *call, const struct sim_selector *s,
                      struct sim_key_range *out)
{
    struct ks_str ns = call->ns.len ? call->ns : sim_selector_namespace(s);
    struct ks_str name = sim_selector_name(s);
    bool is_namespaced = sim_resource_has(call->res, SIM_NAMESPACED);

    memset(out, 0, sizeof(*out));
    if (ns.len > SIM_NAME_MAX || name.len > SIM_NAME_MAX) {
        /* No object is called that: an empty range. */
        out->lo[0] = out->hi[0] = '\x01';
        out->lo_len = out->hi_len = 1;
        return;
    }
    if (is_namespaced && ns.len > 0) {
        out->ns_len = (size_t)snprintf(out->lo, sizeof(out->lo), "%.*s/", KS_STR_ARGS(ns));
        /* '0' is the byte behind '/': all keys of the namespace lie before it. */
        snprintf(out->hi, sizeof(out->hi), "%.*s0", KS_STR_ARGS(ns));
    }
    if (name.len > 0 && (out->ns_len > 0 || !is_namespaced)) {
        struct ks_str key = sim_key_make(call->res, ns, name, out->lo, sizeof(out->lo));

        memcpy(out->hi, key.ptr, key.len);
        out->hi[key.len] = '\x01';
    }
    out->lo_len = strlen(out->lo);
    out->hi_len = strlen(out->hi);
}

bool sim_rv_param_read(struct sim_call *call, struct sim_rv_param *out)
{
    struct ks_str text = sim_url_param(call->url, "resourceVersion");
    struct sim_problem p;
    int64_t value = 0;

    memset(out, 0, sizeof(*out));
    if (text.len == 0)
        return true;
    if (!ks_str_to_int64(text, &value) || value < 0) {
        sim_problem_set(&p, 500,
                        "resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing "
                        "\"%.*s\": invalid syntax",
                        KS_STR_ARGS(text), KS_STR_ARGS(text));
        p.reason = NULL;
        sim_reply_problem(call->req, &p);
        return false;
    }
    out->is_set = true;
    out->is_zero = value == 0;
    out->value = (uint64_t)value;
    return true;
}

bool sim_selector_read(struct sim_call *call, struct sim_selector **out)
{
    struct ks_error err;
    struct sim_problem p;
    ks_rc rc = sim_selector_new(call->res, sim_url_param(call->url, "labelSelector"),
                                sim_url_param(call->url, "fieldSelector"), out, &err);

    if (!rc)
        return true;
    sim_problem_set(&p, rc == KS_RC_NOMEM ? 500 : 400, "%s", err.msg);
    sim_reply_problem(call->req, &p);
    return false;
}

void sim_get(struct sim_call *call)
{
    char key[512];
    const struct sim_rev *rev = sim_table_find(
        call->res->table, sim_key_make(call->res, call->ns, call->name, key, sizeof(key)));
    struct sim_problem p;

    if (rev) {
        sim_reply_rev(call->req, 200, call->res, rev);
        return;
    }
    sim_problem_not_found(&p, call->res, call->name.ptr);
    sim_reply_problem(call->req, &p);
}

struct list_body {
    struct sim_body body;
    const struct sim_resource *res;
    enum sim_shape shape;
    struct sim_snapshot items;
    size_t next; /* item */
    char *head;
    char *tail;
    struct sim_pieces pieces;
    size_t piece;
    size_t offset; /* in the piece */
    enum { LIST_HEAD, LIST_ITEMS, LIST_TAIL } at;
};

/* Sets the pieces of what comes next; false at the end. */
static bool list_advance(struct list_body *l)
{
    l->piece = 0;
    l->offset = 0;
    if (l->at == LIST_HEAD && l->pieces.len == 0) {
        l->pieces = (struct sim_pieces){.part = {ks_str_from(l->head)}, .len = 1};
        return true;
    }
    if (l->at != LIST_TAIL && l->next < l->items.len) {
        bool needs_comma = l->next > 0;
        struct sim_pieces *p = &l->pieces;

        l->at = LIST_ITEMS;
        sim_pieces_of(l->res, l->items.revs[l->next++], l->shape, SIM_IN_LIST, p);
        if (needs_comma) {
            memmove(p->part + 1, p->part, p->len * sizeof(p->part[0]));
            p->part[0] = KS_LIT(",");
            p->len++;
        }
        return true;
    }
    if (l->at == LIST_TAIL)
        return false;
    l->at = LIST_TAIL;
    l->pieces = (struct sim_pieces){.part = {ks_str_from(l->tail)}, .len = 1};
    return true;
}

static size_t list_read(struct sim_body *b, uint8_t *out, size_t len, bool *eof)
{
    struct list_body *l = KS_CONTAINER_OF(b, struct list_body, body);
    size_t done = 0;

    while (done < len) {
        struct ks_str part;
        size_t n;

        if (l->piece == l->pieces.len && !list_advance(l)) {
            *eof = true;
            break;
        }
        part = ks_str_sub(l->pieces.part[l->piece], l->offset, len - done);
        if (part.len > 0)
            memcpy(out + done, part.ptr, part.len);
        n = part.len;
        done += n;
        l->offset += n;
        if (l->offset == l->pieces.part[l->piece].len) {
            l->piece++;
            l->offset = 0;
        }
    }
    return done;
}

static void list_free(struct sim_body *b)
{
    struct list_body *l = KS_CONTAINER_OF(b, struct list_body, body);

    sim_snapshot_fini(&l->items);
    ks_free(l->head);
    ks_free(l->tail);
    ks_free(l);
}

static size_t list_length(const struct list_body *l)
{
    size_t total = strlen(l->head) + strlen(l->tail) + (l->items.len ? l->items.len - 1 : 0);
    struct sim_pieces p;

    for (size_t i = 0; i < l->items.len; i++) {
        sim_pieces_of(l->res, l->items.revs[i], l->shape, SIM_IN_LIST, &p);
        for (size_t k = 0; k < p.len; k++)
            total += p.part[k].len;
    }
    return total;
}

/* What a list says about itself. */
struct list_meta {
    uint64_t rv;
    char token[1024];
    int64_t remaining; /* -1: not told */
};

static ks_rc typed_frame(const struct list_body *l, const struct list_meta *m, struct ks_buf *head,
                         struct ks_buf *tail)
{
    bool is_whole = l->shape == SIM_SHAPE_FULL;
    ks_rc rc = ks_buf_appendf(
        head, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\"",
        is_whole ? l->res->list_kind : "PartialObjectMetadataList",
        is_whole ? l->res->group_version : "meta.k8s.io/v1", (unsigned long long)m->rv);

    if (!rc && m->token[0])
        rc = ks_buf_appendf(head, ",\"continue\":\"%s\"", m->token);
    if (!rc && m->remaining >= 0)
        rc = ks_buf_appendf(head, ",\"remainingItemCount\":%lld", (long long)m->remaining);
    if (!rc)
        rc = ks_buf_append_str(head, KS_LIT("},\"items\":["));
    return rc ? rc : ks_buf_append_str(tail, KS_LIT("]}\n"));
}

static ks_rc custom_frame(const struct list_body *l, const struct list_meta *m, struct ks_buf *head,
                          struct ks_buf *tail)
{
    ks_rc rc = ks_buf_appendf(head, "{\"apiVersion\":\"%s\",\"items\":[", l->res->group_version);

    if (!rc)
        rc = ks_buf_appendf(tail, "],\"kind\":\"%s\",\"metadata\":{\"continue\":\"%s\"",
                            l->res->list_kind, m->token);
    if (!rc && m->remaining >= 0)
        rc = ks_buf_appendf(tail, ",\"remainingItemCount\":%lld", (long long)m->remaining);
    if (!rc)
        rc = ks_buf_appendf(tail, ",\"resourceVersion\":\"%llu\"}}\n", (unsigned long long)m->rv);
    return rc;
}

static bool frame_make(struct list_body *l, const struct list_meta *m)
{
    struct ks_buf head;
    struct ks_buf tail;
    ks_rc rc;

    ks_buf_init(&head, LIST_FRAME_MAX_BYTES);
    ks_buf_init(&tail, LIST_FRAME_MAX_BYTES);
    if (sim_resource_has(l->res, SIM_CUSTOM) && l->shape == SIM_SHAPE_FULL)
        rc = custom_frame(l, m, &head, &tail);
    else
        rc = typed_frame(l, m, &head, &tail);
    l->head = ks_buf_take(&head);
    l->tail = ks_buf_take(&tail);
    return !rc && l->head && l->tail;
}

/* Everything a list is made from. */
struct list_plan {
    struct sim_selector *selector;
    struct sim_key_range range;
    uint64_t rv;
    uint64_t limit; /* 0: none */
    bool is_continued;
    enum sim_shape shape;
};

static void snapshot_filter(struct sim_snapshot *s, const struct list_plan *plan,
                            struct list_meta *meta)
{
    size_t kept = 0;
    size_t i = 0;

    for (; i < s->len && (plan->limit == 0 || kept < plan->limit); i++) {
        if (sim_selector_matches(plan->selector, s->revs[i]))
            s->revs[kept++] = s->revs[i];
        else
            sim_rev_unref(s->revs[i]);
    }
    meta->remaining = -1;
    if (i < s->len) {
        struct ks_str last = s->revs[kept - 1]->key;

        sim_page_token_make(meta->rv, ks_str_sub(last, plan->range.ns_len, last.len), meta->token,
                            sizeof(meta->token));
        if (sim_selector_is_empty(plan->selector))
            meta->remaining = (int64_t)(s->len - i);
    }
    for (; i < s->len; i++)
        sim_rev_unref(s->revs[i]);
    s->len = kept;
}

static void list_reply(struct sim_call *call, const struct list_plan *plan,
                       struct sim_snapshot *items)
{
    static const struct sim_body_ops ops = {.read = list_read, .free = list_free};
    struct list_meta meta = {.rv = plan->rv};
    struct list_body *l = ks_alloc0(sizeof(*l));

    snapshot_filter(items, plan, &meta);
    if (!l) {
        sim_snapshot_fini(items);
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    l->body.ops = &ops;
    l->res = call->res;
    l->shape = plan->shape;
    l->items = *items;
    if (!frame_make(l, &meta)) {
        list_free(&l->body);
        sim_reply_body(call->req, 500, NULL, -1);
        return;
    }
    sim_reply_gzipped(call->req, &l->body, list_length(l));
}

static void reply_gone(struct sim_call *call, const struct list_plan *plan)
{
    struct sim_problem p;

    if (!plan->is_continued) {
        sim_problem_set(&p, 410, "The resourceVersion for the provided list is too old.");
        sim_reply_problem(call->req, &p);
        return;
    }
    sim_problem_set(&p, 410,
                    "The provided continue parameter is too old to display a consistent list "
                    "result. You can start a new list without the continue parameter, or use the "
                    "continue token in this response to retrieve the remainder of the results. "
                    "Continuing with the provided token results in an inconsistent list - objects "
                    "that were created, modified, or deleted between the time the first chunk was "
                    "returned and now may show up in the list.");
    sim_page_token_renew(
        ks_str_make(plan->range.lo + plan->range.ns_len, plan->range.lo_len - plan->range.ns_len),
        p.continue_token, sizeof(p.continue_token));
    sim_reply_problem(call->req, &p);
}

static void list_run(struct sim_call *call, const struct list_plan *plan)
{
    struct sim_snapshot items;
    struct sim_problem p;
    ks_rc rc = sim_table_snapshot(call->res->table, plan->rv,
                                  ks_str_make(plan->range.lo, plan->range.lo_len),
                                  ks_str_make(plan->range.hi, plan->range.hi_len), &items);

    if (rc == KS_RC_GONE) {
        reply_gone(call, plan);
        return;
    }
    if (rc) {
        sim_problem_set(&p, 500, "Internal error occurred: out of memory");
        sim_reply_problem(call->req, &p);
        return;
    }
    list_reply(call, plan, &items);
}

/* Goes on from a page token; false when answered. */
static bool plan_continue(struct sim_call *call, struct list_plan *plan)
{
    struct ks_str token = sim_url_param(call->url, "continue");
    struct sim_problem p;
    struct ks_error err;
    struct ks_buf start;
    int64_t rv;

    if (token.len == 0)
        return true;
    ks_buf_init(&start, sizeof(plan->range.lo) - plan->range.ns_len - 1);
    if (sim_page_token_read(token, &rv, &start, &err)) {
        ks_buf_fini(&start);
        sim_problem_set(&p, 400, "invalid continue token: %s", err.msg);
        sim_reply_problem(call->req, &p);
        return false;
    }
    plan->is_continued = true;
    plan->rv = rv < 0 ? sim_store_rv(call->sim->store) : (uint64_t)rv;
    /* The last key's own bytes and a NUL: the smallest key behind it. */
    memcpy(plan->range.lo + plan->range.ns_len, start.data, start.len);
    plan->range.lo_len = plan->range.ns_len + start.len;
    ks_buf_fini(&start);
    return true;
}

/* Which version to show; false when answered or parked. */
static bool plan_version(struct sim_call *call, struct list_plan *plan)
{
    struct ks_str match = sim_url_param(call->url, "resourceVersionMatch");
    uint64_t now = sim_store_rv(call->sim->store);
    struct sim_rv_param rv;
    struct sim_problem p;

    plan->rv = now;
    if (!sim_rv_param_read(call, &rv))
        return false;
    if (rv.value > now) {
        if (!call->req->has_waited) {
            call->req->has_waited = true;
            sim_stream_park(call->req->stream, SIM_FRESH_WAIT_MS, rv.value);
            return false;
        }
        sim_problem_too_large_rv(&p, rv.value, now);
        sim_reply_problem(call->req, &p);
        return false;
    }
    if (ks_str_is(match, "Exact") || (plan->limit > 0 && rv.value > 0 && match.len == 0))
        plan->rv = rv.value;
    if (rv.is_zero)
        plan->limit = 0; /* served from the cache, which does not page */
    return true;
}

void sim_list(struct sim_call *call)
{
    struct list_plan plan = {.limit = 0};
    int64_t limit = 0;

    if (!sim_accept_shape(call->req, &plan.shape) || !sim_params_check_list(call))
        return;
    if (ks_str_to_int64(sim_url_param(call->url, "limit"), &limit) && limit > 0)
        plan.limit = (uint64_t)limit;
    if (!sim_selector_read(call, &plan.selector))
        return;
    sim_key_range_of(call, plan.selector, &plan.range);
    if (plan_version(call, &plan) && plan_continue(call, &plan))
        list_run(call, &plan);
    sim_selector_free(plan.selector);
}
