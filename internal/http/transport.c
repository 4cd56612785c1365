/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport's front: the endpoint as configured, the queue, and which shard a request goes to.
 *
 * The model: a request is queued when it is started, always, and placed from the loop soon after.
 * So a caller may start and cancel from anywhere, libcurl's callbacks included, and many requests
 * started together are placed together. Placement takes the least loaded shard that has room; a
 * further shard is opened when all together have too few places for what waits, but not before the
 * endpoint has answered at all: a server that is down costs one connect, whose failure all that
 * wait share.
 *
 * Invariants:
 *   1. order: of one lane's queue, the request started first is placed first;
 *   2. callbacks of the owner are called with nothing half-done: a request is off all lists when
 *      on_end runs;
 *   3. a credential goes out over TLS only;
 *   4. the endpoint's own scheme, host and port are the only ones ever contacted (or its proxy's).
 *
 * max_watches shrinks for good when shards get their second socket soon after they opened, several
 * times in quick succession: such an endpoint allows fewer streams than we would put on a
 * connection. libcurl does not tell the limit itself.
 *
 * Thread: the loop's.
 *
 * Does not: retry, back off or gate; that needs to know what a request is for.
 */
#include "http/transport.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "http/transport_internal.h"

#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define PROBE_IDLE_DEFAULT_MS 30000
#define PROBE_TIMEOUT_DEFAULT_MS 15000
#define URL_MAX_BYTES ((size_t)4 << 10)
#define YOUNG_MS 30000
#define EARLY_ENDS_MAX 3
#define EARLY_ENDS_WINDOW_MS 60000

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready; /* written under curl_once */

static void on_curl_once(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void secret_free(char *text)
{
    ks_free_secret(text, text ? strlen(text) : 0);
}

static struct ks_shard *shard_of(struct ks_list *link)
{
    return KS_CONTAINER_OF(link, struct ks_shard, link);
}

static struct ks_http_request *request_of(struct ks_list *link)
{
    return KS_CONTAINER_OF(link, struct ks_http_request, link);
}

void ks_http_kick(struct ks_http *http)
{
    if (!ks_timer_is_pending(&http->kick) &&
        (http->lanes[KS_HTTP_LANE_REQUEST].queued || http->lanes[KS_HTTP_LANE_WATCH].queued))
        ks_timer_start(&http->kick, 0);
}

uint32_t ks_http_max_requests(const struct ks_http *http, ks_http_lane lane)
{
    return lane == KS_HTTP_LANE_WATCH ? http->max_watches : 1;
}

void ks_http_note_version(struct ks_http *http, long curl_http_version)
{
    http->is_http1 = curl_http_version < CURL_HTTP_VERSION_2_0;
    if (http->is_http1 && http->max_watches > KS_HTTP1_MAX_REQUESTS)
        http->max_watches = KS_HTTP1_MAX_REQUESTS;
}

void ks_http_note_retired(struct ks_http *http, const struct ks_shard *shard)
{
    const int64_t now_ms = ks_loop_now_ms(http->loop);

    if (now_ms - shard->opened_ms > YOUNG_MS)
        return;
    if (now_ms - http->early_end_ms > EARLY_ENDS_WINDOW_MS)
        http->early_ends = 0;
    http->early_end_ms = now_ms;
    if (++http->early_ends < EARLY_ENDS_MAX)
        return;
    http->early_ends = 0;
    if (shard->active / 2 < http->max_watches)
        http->max_watches = shard->active / 2 ? shard->active / 2 : 1;
}

static uint32_t lane_max_shards(const struct ks_http *http, ks_http_lane which)
{
    if (which == KS_HTTP_LANE_REQUEST)
        return KS_REQUEST_MAX_SHARDS;
    return http->is_http1 ? 1 : KS_LANE_MAX_SHARDS;
}

static bool lane_may_grow(const struct ks_http *http, ks_http_lane which)
{
    const struct ks_lane *lane = &http->lanes[which];
    const uint32_t max_requests = ks_http_max_requests(http, which);
    uint32_t live = 0;
    uint32_t retiring = 0;
    uint32_t places = 0;
    bool is_proven = false;

    KS_LIST_FOREACH(link, &lane->shards)
    {
        const struct ks_shard *shard = shard_of(link);

        is_proven = is_proven || shard->state == KS_SHARD_OPEN;
        if (shard->state == KS_SHARD_RETIRING) {
            retiring++;
            continue;
        }
        live++;
        if (shard->active < max_requests)
            places += max_requests - shard->active;
    }
    if (live == 0)
        return retiring < KS_LANE_MAX_RETIRING;
    return is_proven && lane->queued > places && live < lane_max_shards(http, which) &&
           retiring < KS_LANE_MAX_RETIRING;
}

static struct ks_shard *lane_pick(const struct ks_lane *lane)
{
    struct ks_shard *best = NULL;

    KS_LIST_FOREACH(link, &lane->shards)
    {
        struct ks_shard *shard = shard_of(link);

        if (ks_shard_has_room(shard) && (!best || shard->active < best->active))
            best = shard;
    }
    return best;
}

static void lane_place(struct ks_http *http, ks_http_lane which)
{
    struct ks_lane *lane = &http->lanes[which];
    struct ks_http_result nomem = {.rc = KS_RC_NOMEM, .is_before_head = true};

    (void)ks_fail(&nomem.error, nomem.rc, "request to %s: out of memory", http->where);
    while (!ks_list_is_empty(&lane->queue)) {
        struct ks_http_request *request = request_of(lane->queue.next);
        struct ks_shard *shard = lane_pick(lane);
        ks_rc rc = KS_RC_OK;

        if (!shard && !lane_may_grow(http, which))
            return;
        if (!shard)
            rc = ks_shard_new(http, which, &shard);
        rc = rc ? rc : ks_shard_add(shard, request);
        if (rc)
            ks_request_end(request, &nomem);
    }
}

static void on_kick(struct ks_timer *timer)
{
    struct ks_http *http = KS_CONTAINER_OF(timer, struct ks_http, kick);

    lane_place(http, KS_HTTP_LANE_REQUEST);
    lane_place(http, KS_HTTP_LANE_WATCH);
}

void ks_http_fail_queue(struct ks_http *http, ks_http_lane lane,
                        const struct ks_http_result *result)
{
    struct ks_http_result own = *result;
    struct ks_list waiting;

    KS_LIST_FOREACH(link, &http->lanes[lane].shards)
    {
        if (shard_of(link)->state == KS_SHARD_OPEN)
            return;
    }
    own.is_before_head = true;
    /* What is started from within a callback is a new attempt and has its own connect. */
    ks_list_init(&waiting);
    ks_list_splice(&waiting, &http->lanes[lane].queue);
    while (!ks_list_is_empty(&waiting))
        ks_request_end(request_of(waiting.next), &own);
}

/* One part of the URL as text to be freed with curl_free; NULL when absent or out of memory. */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

struct endpoint {
    char *scheme;
    char *host;
    char *port;
    char *path;
};

static void endpoint_fini(struct endpoint *e)
{
    curl_free(e->scheme);
    curl_free(e->host);
    curl_free(e->port);
    curl_free(e->path);
}

static bool text_is_name(const char *text)
{
    return text[0] &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
                        ":[]") == strlen(text);
}

static bool text_is_visible(const char *text, char first)
{
    for (const char *c = text; *c; c++) {
        if (*c < first || *c > '~')
            return false;
    }
    return true;
}

static bool url_has(CURLU *url, CURLUPart part)
{
    char *text = url_part(url, part, 0);
    const bool has = text != NULL;

    curl_free(text);
    return has;
}

/* Takes the URL apart, and refuses what does not belong into one of ours. */
static ks_rc endpoint_parse(const char *text, struct endpoint *out, struct ks_error *err)
{
    CURLU *url = curl_url();
    ks_rc rc = KS_RC_OK;

    if (!url)
        return ks_fail(err, KS_RC_NOMEM, "server address: out of memory");
    if (strlen(text) > URL_MAX_BYTES || !text_is_visible(text, '!') ||
        curl_url_set(url, CURLUPART_URL, text, 0))
        rc = ks_fail(err, KS_RC_CONFIG, "the server address must be a URL like https://host:6443");
    else if (url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT) ||
             url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
        rc = ks_fail(err, KS_RC_CONFIG,
                     "the server address must have no user, query or fragment in it");
    if (!rc) {
        *out = (struct endpoint){
            .scheme = url_part(url, CURLUPART_SCHEME, 0),
            .host = url_part(url, CURLUPART_HOST, 0),
            .port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT),
            .path = url_part(url, CURLUPART_PATH, 0),
        };
        if (!out->scheme || !out->host || !out->port || !out->path)
            rc = ks_fail(err, KS_RC_NOMEM, "server address: out of memory");
        else if (strcmp(out->scheme, "https") != 0 && strcmp(out->scheme, "http") != 0)
            rc = ks_fail(err, KS_RC_CONFIG,
                         "the server address begins with %s://, but only "
                         "https:// and http:// are possible",
                         out->scheme);
    }
    curl_url_cleanup(url);
    return rc;
}

/* All parts (NULL ends them) as one string; NULL when out of memory. */
static char *text_join(const char *const *parts)
{
    struct ks_buf b;
    ks_rc rc = KS_RC_OK;

    ks_buf_init(&b, 4 * URL_MAX_BYTES);
    for (; *parts && !rc; parts++)
        rc = ks_buf_append_str(&b, ks_str_from(*parts));
    if (rc) {
        ks_buf_fini(&b);
        return NULL;
    }
    return ks_buf_take(&b);
}

/* libcurl has no option for a TLS name: the URL carries it, and connects are led to the real host.
 */
static ks_rc http_set_tls_name(struct ks_http *http, const struct endpoint *e, const char *name)
{
    char *route;

    http->host_header = text_join((const char *const[]){"Host: ", http->where, NULL});
    route = text_join((const char *const[]){name, ":", e->port, ":", e->host, ":", e->port, NULL});
    if (route)
        http->connect_to = curl_slist_append(NULL, route);
    ks_free(route);
    return http->host_header && http->connect_to ? KS_RC_OK : KS_RC_NOMEM;
}

static ks_rc http_set_endpoint(struct ks_http *http, const struct endpoint *e, const char *tls_name,
                               struct ks_error *err)
{
    const char *name = tls_name ? tls_name : e->host;
    size_t path_len;

    assert(e->scheme && e->host && e->path); /* endpoint_parse gave them all */
    path_len = strlen(e->path);
    if (tls_name && !text_is_name(tls_name))
        return ks_fail(err, KS_RC_CONFIG, "tls-server-name is not a host name");
    while (path_len && e->path[path_len - 1] == '/')
        e->path[--path_len] = '\0';
    http->is_tls = strcmp(e->scheme, "https") == 0;
    http->where = text_join((const char *const[]){e->host, ":", e->port, NULL});
    http->base_url =
        text_join((const char *const[]){e->scheme, "://", name, ":", e->port, e->path, NULL});
    if (!http->where || !http->base_url || (tls_name && http_set_tls_name(http, e, tls_name)))
        return ks_fail(err, KS_RC_NOMEM, "server address: out of memory");
    return KS_RC_OK;
}

static ks_rc http_copy(const char *from, char **to, struct ks_error *err)
{
    if (!from)
        return KS_RC_OK;
    *to = ks_strdup(from);
    return *to ? KS_RC_OK : ks_fail(err, KS_RC_NOMEM, "transport: out of memory");
}

static ks_rc http_configure(struct ks_http *http, const struct ks_http_config *config,
                            struct ks_error *err)
{
    struct endpoint e = {0};
    ks_rc rc = endpoint_parse(config->url, &e, err);

    rc = rc ? rc : http_set_endpoint(http, &e, config->tls_server_name, err);
    endpoint_fini(&e);
    rc = rc ? rc : http_copy(config->ca_pem, &http->ca_pem, err);
    rc = rc ? rc : http_copy(config->cert_pem, &http->cert_pem, err);
    rc = rc ? rc : http_copy(config->key_pem, &http->key_pem, err);
    rc = rc ? rc : http_copy(config->proxy_url ? config->proxy_url : "", &http->proxy_url, err);
    rc = rc ? rc : http_copy(config->user_agent, &http->user_agent, err);
    rc = rc ? rc : http_copy(config->probe_path, &http->probe_path, err);
    if (rc)
        return rc;
    if (!http->cert_pem != !http->key_pem)
        return ks_fail(err, KS_RC_CONFIG, "%s: a client certificate and its key go together",
                       http->where);
    if (http->cert_pem && !http->is_tls)
        return ks_fail(err, KS_RC_CONFIG, "%s: a client certificate needs https://", http->where);
    if (!http->user_agent || !text_is_visible(http->user_agent, ' '))
        return ks_fail(err, KS_RC_CONFIG, "%s: the user agent is not visible ASCII", http->where);
    if (!http->probe_path || http->probe_path[0] != '/')
        return ks_fail(err, KS_RC_CONFIG, "%s: the probe path must begin with '/'", http->where);
    http->is_insecure = config->is_insecure;
    http->connect_timeout_ms =
        config->connect_timeout_ms ? config->connect_timeout_ms : CONNECT_TIMEOUT_DEFAULT_MS;
    http->probe_idle_ms = config->probe_idle_ms ? config->probe_idle_ms : PROBE_IDLE_DEFAULT_MS;
    http->probe_timeout_ms =
        config->probe_timeout_ms ? config->probe_timeout_ms : PROBE_TIMEOUT_DEFAULT_MS;
    return KS_RC_OK;
}

ks_rc ks_http_new(struct ks_loop *loop, const struct ks_http_config *config, struct ks_http **out,
                  struct ks_error *err)
{
    struct ks_http *http;
    ks_rc rc;

    ks_loop_assert_here(loop);
    (void)pthread_once(&curl_once, on_curl_once); /* fails on a bad argument only */
    if (curl_ready != CURLE_OK)
        return ks_fail(err, KS_RC_INTERNAL, "libcurl: %s", curl_easy_strerror(curl_ready));
    http = ks_alloc0(sizeof(*http));
    if (!http)
        return ks_fail(err, KS_RC_NOMEM, "transport: out of memory");
    http->loop = loop;
    http->max_watches = KS_SHARD_MAX_REQUESTS;
    ks_timer_init(&http->kick, loop, on_kick);
    for (int i = 0; i < KS_LANES; i++) {
        ks_list_init(&http->lanes[i].shards);
        ks_list_init(&http->lanes[i].queue);
    }
    rc = http_configure(http, config, err);
    if (rc) {
        (void)ks_http_free(http); /* NULL always */
        return rc;
    }
    *out = http;
    return KS_RC_OK;
}

struct ks_http *ks_http_free(struct ks_http *http)
{
    struct ks_list *link;

    if (!http)
        return NULL;
    for (int i = 0; i < KS_LANES; i++) {
        while (!ks_list_is_empty(&http->lanes[i].shards))
            ks_shard_destroy(shard_of(http->lanes[i].shards.next), NULL);
        while ((link = ks_list_pop(&http->lanes[i].queue)))
            ks_request_free(request_of(link));
    }
    assert(http->requests == 0 && http->connections == 0);
    ks_timer_stop(&http->kick);
    curl_slist_free_all(http->connect_to);
    ks_free(http->base_url);
    ks_free(http->host_header);
    ks_free(http->where);
    ks_free(http->ca_pem);
    ks_free(http->cert_pem);
    secret_free(http->key_pem);
    secret_free(http->proxy_url);
    ks_free(http->user_agent);
    ks_free(http->probe_path);
    secret_free(http->authorization);
    ks_free(http);
    return NULL;
}

/* The probe goes out with what the last request went out with. */
static ks_rc http_remember(struct ks_http *http, struct ks_str authorization)
{
    char *copy;

    if (ks_str_eq(authorization, ks_str_from(http->authorization)))
        return KS_RC_OK;
    copy = ks_str_dup(authorization);
    if (!copy)
        return KS_RC_NOMEM;
    secret_free(http->authorization);
    http->authorization = copy;
    return KS_RC_OK;
}

ks_rc ks_http_start(struct ks_http *http, const struct ks_http_request_config *config,
                    struct ks_http_request **out, struct ks_error *err)
{
    struct ks_http_request *request;
    ks_rc rc;

    ks_loop_assert_here(http->loop);
    if (http->requests >= KS_HTTP_MAX_REQUESTS)
        return ks_fail(err, KS_RC_LIMIT, "%s: more than %u requests at once", http->where,
                       KS_HTTP_MAX_REQUESTS);
    rc = ks_request_new(http, config, &request, err);
    if (rc)
        return rc;
    rc = http_remember(http, config->authorization);
    if (rc) {
        ks_request_free(request);
        return ks_fail(err, rc, "request to %s: out of memory", http->where);
    }
    ks_list_push(&http->lanes[config->lane].queue, &request->link);
    ks_request_set_state(request, KS_REQUEST_QUEUED);
    ks_http_kick(http);
    *out = request;
    return KS_RC_OK;
}

void ks_http_cancel(struct ks_http_request *request)
{
    struct ks_shard *shard;

    if (!request || request->state == KS_REQUEST_ENDED || request->state == KS_REQUEST_CANCELLED)
        return;
    ks_loop_assert_here(request->http->loop);
    shard = request->shard;
    ks_request_set_state(request, KS_REQUEST_CANCELLED);
    ks_timer_stop(&request->timer);
    ks_list_remove(&request->link);
    if (shard && shard->is_in_action) {
        ks_list_push(&shard->cancelled, &request->link);
        return;
    }
    if (shard)
        ks_shard_remove(shard, request);
    ks_request_free(request);
}

void ks_http_get_stats(const struct ks_http *http, struct ks_http_stats *out)
{
    *out = (struct ks_http_stats){
        .connections = http->connections,
        .requests = http->requests,
        .connects = http->connects,
    };
    for (int i = 0; i < KS_LANES; i++) {
        out->queued += http->lanes[i].queued;
        KS_LIST_FOREACH(link, &http->lanes[i].shards)
        {
            out->shards++;
            if (shard_of(link)->probe)
                out->requests--; /* ours, not the caller's */
        }
    }
}
