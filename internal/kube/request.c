/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: they wait for their turn, go out with the credential of that moment, and end once.
 *
 *   NEW ──start──> WAITING ──pump──> SENT ──answer, failure──> ENDED
 *                                     └──401 that a fresh credential may mend, once──> WAITING
 *   WAITING ──no credential to be had──> ENDED
 *   WAITING, SENT ──cancel──> freed
 *
 * Invariants:
 *   1. a request is in at most one list: its pace's waiting list, sent, or the pump's own;
 *   2. it holds a transport exactly while SENT, and a place in the gate's lane at most then;
 *   3. on_head and on_data come for success alone; of an error's body 64 KiB are collected here;
 *   4. on_end is the last callback and comes from the loop, never from ks_kube_request_start.
 *
 * Thread: the loop's.  It does not retry anything but a 401: that is the business of who asked.
 */
#include <assert.h>

#include "base/alloc.h"
#include "http/transport.h"
#include "kube/client_state.h"

#define MAX_ERROR_BODY ((size_t)64 << 10)
#define RETRY_AFTER_MAX_S 600
#define RETRY_AFTER_CAP_MS 60000

#define TO(name) (1u << STATE_##name)
#define REQUEST_STATES(X)                                                                          \
    X(NEW, "new", TO(WAITING))                                                                     \
    X(WAITING, "waiting", TO(SENT) | TO(ENDED))                                                    \
    X(SENT, "sent", TO(WAITING) | TO(ENDED))                                                       \
    X(ENDED, "ended", 0u)

enum request_state {
#define X(name, text, next) STATE_##name,
    REQUEST_STATES(X)
#undef X
};

static const struct {
    const char *text;
    unsigned next;
} state_table[] = {
#define X(name, text, next) [STATE_##name] = {text, next},
    REQUEST_STATES(X)
#undef X
};

struct ks_kube_request {
    struct ks_list link;
    struct ks_kube *kube;
    struct ks_kube_request_config config; /* its strings point behind the struct */
    enum request_state state;
    ks_kube_pace pace;
    bool has_place;
    bool is_told; /* that it waits */
    bool is_repeat;
    uint64_t generation; /* of the credential it was sent with */
    struct ks_transport *transport;
    struct ks_http_request *http;
    int http_status; /* 0: no answer yet */
    int64_t retry_after_s;
    struct ks_buf error_body;
};

static bool is_success(int http_status)
{
    return (http_status >= 200 && http_status < 300) || http_status == 304;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *place(char **at, const char *text)
{
    char *copy = *at;
    size_t size = size_of(text);

    if (!text)
        return NULL;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static ks_kube_pace pace_of(const struct ks_kube_request_config *config)
{
    if (config->pace == KS_KUBE_PACE_DEFAULT && config->kind == KS_KUBE_REQUEST_WATCH)
        return KS_KUBE_PACE_SINGLE;
    return config->pace;
}

static struct ks_kube_request *request_new(const struct ks_kube_request_config *config)
{
    size_t size = size_of(config->method) + size_of(config->path) + size_of(config->accept) +
                  size_of(config->if_none_match) + config->body.len;
    struct ks_kube_request *r = ks_alloc0(sizeof(*r) + size);
    char *at;

    if (!r)
        return NULL;
    at = (char *)(r + 1);
    ks_list_init(&r->link);
    ks_buf_init(&r->error_body, MAX_ERROR_BODY);
    r->config = *config;
    r->config.method = place(&at, config->method);
    r->config.path = place(&at, config->path);
    r->config.accept = place(&at, config->accept);
    r->config.if_none_match = place(&at, config->if_none_match);
    if (config->body.len)
        memcpy(at, config->body.ptr, config->body.len);
    r->config.body = ks_str_make(at, config->body.len);
    r->pace = pace_of(config);
    r->retry_after_s = -1;
    return r;
}

static void request_free(struct ks_kube_request *r)
{
    if (r->config.kind == KS_KUBE_REQUEST_WATCH)
        atomic_fetch_sub(&r->kube->stats.watches, 1);
    ks_list_remove(&r->link);
    ks_buf_fini(&r->error_body);
    ks_free(r);
}

static void request_set_state(struct ks_kube_request *r, enum request_state to)
{
    assert(state_table[r->state].next & (1u << to));
    ks_log(ks_kube_log(r->kube), KS_LOG_DEBUG, "request state", KS_F_STR("path", r->config.path),
           KS_F_STR("from", state_table[r->state].text), KS_F_STR("to", state_table[to].text));
    r->state = to;
}

static void request_wait(struct ks_kube_request *r)
{
    struct ks_list *list = &r->kube->waiting[r->pace];
    bool is_closed = ks_gate_state_of(&r->kube->gate) != KS_GATE_OPEN;

    ks_list_remove(&r->link);
    request_set_state(r, STATE_WAITING);
    /* After an outage nobody is always the last: what waits for the gate is put at either end by
     * chance. */
    ks_list_push(is_closed && ks_random_below(2) ? list->next : list, &r->link);
    ks_kube_pump_soon(r->kube);
}

static void place_give_back(struct ks_kube_request *r)
{
    if (!r->has_place)
        return;
    r->has_place = false;
    ks_gate_leave(&r->kube->gate, r->pace);
}

/* Lets go of what a sent request holds. */
static void request_unsend(struct ks_kube_request *r)
{
    place_give_back(r);
    if (r->transport)
        ks_endpoint_leave(r->kube->endpoint, r->transport);
    r->transport = NULL;
    r->http = NULL;
    ks_list_remove(&r->link);
    ks_kube_stats_refresh(r->kube);
}

static void request_end(struct ks_kube_request *r, const struct ks_kube_failure *failure)
{
    if (failure)
        atomic_fetch_add(&r->kube->stats.failures_total, 1);
    request_set_state(r, STATE_ENDED);
    ks_list_remove(&r->link);
    /* The owner may free all that is his now; the request itself stays until this returns. */
    r->config.ops->on_end(r->config.ctx, failure);
    request_free(r);
}

ks_rc ks_kube_request_start(struct ks_kube *kube, const struct ks_kube_request_config *config,
                            struct ks_kube_request **out, struct ks_error *err)
{
    struct ks_kube_request *r;

    ks_loop_assert_here(kube->loop);
    assert(config->path && config->ops && config->ops->on_end);
    r = request_new(config);
    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a request to the API server");
    r->kube = kube;
    if (config->kind == KS_KUBE_REQUEST_WATCH)
        atomic_fetch_add(&kube->stats.watches, 1);
    request_wait(r);
    *out = r;
    return KS_RC_OK;
}

void ks_kube_request_synced(struct ks_kube_request *r)
{
    place_give_back(r);
}

void ks_kube_request_cancel(struct ks_kube_request *r)
{
    if (!r || r->state == STATE_ENDED)
        return;
    if (r->http)
        ks_http_cancel(r->http);
    if (r->state == STATE_SENT)
        request_unsend(r);
    request_free(r);
}

static void on_head(void *ctx, const struct ks_http_head *head)
{
    struct ks_kube_request *r = ctx;
    KS_CLEANUP(ks_freep) char *content_type = NULL;
    KS_CLEANUP(ks_freep) char *etag = NULL;

    r->http_status = head->status;
    r->retry_after_s = head->retry_after_s;
    if (!is_success(head->status))
        return;
    ks_kube_note_reached(r->kube);
    ks_kube_note_credentials(r->kube, NULL);
    if (r->config.kind == KS_KUBE_REQUEST_WATCH) {
        atomic_fetch_add(&r->kube->stats.watch_opens_total, 1);
        if (r->pace == KS_KUBE_PACE_SINGLE)
            place_give_back(r);
    }
    if (!r->config.ops->on_head)
        return;
    content_type = ks_str_dup(head->content_type);
    etag = ks_str_dup(head->etag);
    /* Short of memory both read as absent, which costs a refetch at most. */
    r->config.ops->on_head(r->config.ctx, content_type ? content_type : "", etag ? etag : "",
                           head->status);
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct ks_kube_request *r = ctx;
    size_t room = MAX_ERROR_BODY - r->error_body.len;

    if (is_success(r->http_status)) {
        if (r->config.ops->on_data)
            r->config.ops->on_data(r->config.ctx, bytes);
        return;
    }
    if (ks_buf_append_str(&r->error_body, ks_str_sub(bytes, 0, room)))
        return; /* out of memory: only the message has to do without it */
}

static void retry_after_merge(struct ks_kube_failure *failure, int64_t header_s)
{
    if (header_s < 0 || header_s > RETRY_AFTER_MAX_S)
        return;
    failure->retry_after_ms = header_s * 1000;
    if (failure->retry_after_ms > RETRY_AFTER_CAP_MS)
        failure->retry_after_ms = RETRY_AFTER_CAP_MS;
}

/* No answer, or one that broke off. */
static void transport_failed(struct ks_kube_request *r, const struct ks_http_result *result)
{
    struct ks_kube_failure failure = {
        .rc = result->rc,
        .http_status = r->http_status,
        .retry_after_ms = -1,
        .is_before_head = result->is_before_head,
        .error = result->error,
    };

    if (result->rc == KS_RC_CONFIG)
        ks_endpoint_suspect(r->kube->endpoint);
    if (result->is_before_head && result->rc != KS_RC_NOMEM)
        ks_kube_note_unreached(r->kube, &result->error);
    request_end(r, &failure);
}

/* Whether the endpoint as a whole may be away: a balancer without servers, a server that shuts
 * down. A dead aggregated API answers 503 as well, therefore this only makes the gate look. */
static bool is_suspicious(const struct ks_kube_failure *failure)
{
    if (failure->http_status == 502 || failure->http_status == 503)
        return true;
    return failure->http_status == 429 && strstr(failure->error.msg, "shutting down");
}

static void answer_failed(struct ks_kube_request *r)
{
    struct ks_kube_failure failure;

    ks_kube_failure_from_body(r->http_status, ks_buf_str(&r->error_body), &failure);
    retry_after_merge(&failure, r->retry_after_s);
    if (is_suspicious(&failure))
        ks_gate_failed(&r->kube->gate, KS_GATE_REQUEST_FAILED);
    else
        ks_kube_note_reached(r->kube);
    if (r->http_status == 401 && ks_auth_refused(r->kube->auth, r->generation) && !r->is_repeat) {
        r->is_repeat = true;
        r->http_status = 0;
        r->retry_after_s = -1;
        ks_buf_clear(&r->error_body);
        request_wait(r);
        return;
    }
    if (r->http_status == 401) {
        ks_auth_refusal_explain(r->kube->auth, &failure.error);
        ks_kube_note_credentials(r->kube, &failure.error);
    } else if (r->http_status == 403) {
        ks_kube_note_credentials(r->kube, NULL); /* known, and not permitted */
    }
    request_end(r, &failure);
}

static void on_end(void *ctx, const struct ks_http_result *result)
{
    struct ks_kube_request *r = ctx;

    request_unsend(r);
    if (r->http_status && !is_success(r->http_status))
        answer_failed(r);
    else if (result->rc)
        transport_failed(r, result);
    else if (is_success(r->http_status))
        request_end(r, NULL);
    else
        request_end(r, &(struct ks_kube_failure){
                           .rc = KS_RC_PROTOCOL,
                           .retry_after_ms = -1,
                           .error = {KS_RC_PROTOCOL, "the server ended without an answer"}});
}

static const struct ks_http_ops http_ops = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end};

static ks_rc request_send(struct ks_kube_request *r, const struct ks_credential *credential,
                          struct ks_error *err)
{
    const struct ks_kube_request_config *c = &r->config;
    bool is_watch = c->kind == KS_KUBE_REQUEST_WATCH;
    const struct ks_http_header *extra;
    size_t extra_count;
    ks_rc rc;

    rc = ks_endpoint_enter(r->kube->endpoint, credential->cert_pem, credential->key_pem,
                           &r->transport, err);
    if (rc)
        return rc;
    r->generation = credential->generation;
    extra = ks_impersonation_headers(r->kube->impersonation, &extra_count);
    return ks_http_start(ks_transport_http(r->transport),
                         &(struct ks_http_request_config){
                             .lane = is_watch ? KS_HTTP_LANE_WATCH : KS_HTTP_LANE_REQUEST,
                             .method = c->method ? c->method : "GET",
                             .path = c->path,
                             .accept = c->accept,
                             .authorization = credential->authorization,
                             .if_none_match = c->if_none_match,
                             .extra = extra,
                             .extra_count = extra_count,
                             .content_type = c->body.len ? "application/json" : NULL,
                             .body = c->body,
                             .may_compress = !is_watch && !r->kube->config->no_compression &&
                                             !r->kube->config->is_in_cluster,
                             .head_timeout_ms = c->head_timeout_ms,
                             .timeout_ms = c->timeout_ms,
                             .ops = &http_ops,
                             .ctx = r,
                         },
                         &r->http, err);
}

static void request_fail(struct ks_kube_request *r, ks_rc rc, const struct ks_error *err)
{
    request_end(r, &(struct ks_kube_failure){.rc = rc, .retry_after_ms = -1, .error = *err});
}

/* The gate has let it in. */
static void request_go(struct ks_kube_request *r, const struct ks_credential *credential)
{
    struct ks_error failure = {0};
    ks_rc rc;

    ks_list_remove(&r->link);
    ks_list_push(&r->kube->sent, &r->link);
    request_set_state(r, STATE_SENT);
    r->has_place = r->pace != KS_KUBE_PACE_DEFAULT;
    atomic_fetch_add(&r->kube->stats.requests_total, 1);
    rc = request_send(r, credential, &failure);
    if (rc) {
        request_unsend(r);
        request_fail(r, rc, &failure);
    }
}

static struct ks_kube_request *request_of(struct ks_list *link)
{
    return KS_CONTAINER_OF(link, struct ks_kube_request, link);
}

/* Tells each that waits, once. */
static void waiting_tell(struct ks_kube *kube, struct ks_list *list)
{
    struct ks_list untold;
    struct ks_error why = {0};

    if (!ks_gate_is_outage(&kube->gate) || !ks_kube_last_error(kube, &why))
        return;
    ks_list_init(&untold);
    ks_list_splice(&untold, list);
    while (!ks_list_is_empty(&untold)) {
        struct ks_kube_request *r = request_of(ks_list_pop(&untold));

        ks_list_push(list, &r->link);
        if (r->is_told)
            continue;
        r->is_told = true;
        if (r->config.ops->on_waiting)
            r->config.ops->on_waiting(r->config.ctx, &why); /* may cancel any request */
    }
}

static void waiting_fail(struct ks_list *list, ks_rc rc, const struct ks_error *err)
{
    struct ks_list failing;

    ks_list_init(&failing);
    ks_list_splice(&failing, list);
    while (!ks_list_is_empty(&failing))
        request_fail(request_of(ks_list_pop(&failing)), rc, err);
}

/* One request at a time, as a credential is lent until the next look at it. Whether there may be
 * more to do. */
static bool waiting_send_one(struct ks_kube *kube, ks_kube_pace pace)
{
    struct ks_list *list = &kube->waiting[pace];
    struct ks_credential credential;
    struct ks_error failure = {0};
    ks_rc rc;

    if (ks_list_is_empty(list))
        return false;
    rc = ks_auth_get(kube->auth, &credential, &failure);
    if (rc == KS_RC_AGAIN)
        return false;
    if (rc) {
        ks_kube_note_credentials(kube, &failure);
        waiting_fail(list, rc, &failure);
        return false;
    }
    if (!ks_gate_enter(&kube->gate, pace))
        return false;
    request_go(request_of(list->next), &credential);
    return true;
}

void ks_kube_pump(struct ks_timer *timer)
{
    struct ks_kube *kube = KS_CONTAINER_OF(timer, struct ks_kube, pump);

    for (int pace = 0; pace < KS_KUBE_PACES; pace++) {
        if (ks_gate_state_of(&kube->gate) != KS_GATE_OPEN) {
            waiting_tell(kube, &kube->waiting[pace]);
            continue;
        }
        while (waiting_send_one(kube, (ks_kube_pace)pace))
            continue;
    }
}
