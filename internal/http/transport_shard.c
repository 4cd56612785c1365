/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One shard: a CURLM of its own, so that its connection can be known, watched over and destroyed as
 * one thing.
 *
 * The model: libcurl has no call to close one connection, no notice of GOAWAY and no PING. A CURLM
 * that holds one connection gives all three: destroying it closes the connection; a second socket
 * tells that libcurl has left the first; a small request on it is the PING. See
 * transport_internal.h for the states.
 *
 * Invariants:
 *   1. libcurl is entered in shard_enter only; while it is on the stack (is_in_action) no handle
 *      is added to or removed from this CURLM, and no shard is destroyed; what callbacks ask for
 *      waits in `cancelled` and in the kick timer;
 *   2. on_end callbacks run after libcurl has returned, one at a time; after each the shard may be
 *      DEAD;
 *   3. a probe runs only on an OPEN shard over HTTP/2: elsewhere libcurl would open a new
 *      connection for it and the answer would prove nothing;
 *   4. a RETIRING shard loses its watches one by one, as if the server had ended them, and is
 *      destroyed when it is empty or has been silent for the time after which another one would be
 *      probed;
 *   5. no timer runs for its own sake: `check` is set for the time at which something may have to
 *      be done.
 *
 * What libcurl 7.88.1 does to HTTP/2, and what is done about it here (each has a test):
 *   - it keeps received bytes to itself (shard_run_fed_again);
 *   - it does not send the RST_STREAM of a removed transfer (shard_flush);
 *   - it runs every transfer for each event (shard_read_briefly);
 *   - it never sees the end of a body whose last piece both overflowed the transfer's buffer and
 *     ended a TLS record, until the connection has more bytes. A buffer overflows when another
 *     transfer reads the socket: so requests with large bodies have a connection each
 *     (ks_http_max_requests), and a watch has room for a whole record.
 *
 * Over HTTP/1.1 each request has its own connection: no probe, no retirement, and a lost connection
 * ends its own request only. TCP keepalive, TCP_USER_TIMEOUT and the request's own deadline are
 * what is left there.
 *
 * Thread: the loop's.
 *
 * Does not: decide which shard a request goes to.
 */
#include "http/transport_internal.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

/* Spec informers 1.8: the dead peer is found within 30 s, and NAT entries stay warm. */
#define KEEPALIVE_IDLE_S 15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 3
#define USER_TIMEOUT_MS 30000
/* A watch may be resumed at once, on the same connection; requests come in bursts. */
#define WATCH_IDLE_MS 500
#define REQUEST_IDLE_MS 5000
/* The end of the connection is what tells the server of the cancel. */
#define CANCELLED_IDLE_MS 50
#define MOVE_EVERY_MS 500
#define STREAM_FAULTS_MAX 3
/* From so many requests on it pays to run one of them first. */
#define BRIEF_MIN_ACTIVE 4
/* The reader, then those for whom it has read. */
#define BRIEF_ROUNDS 3
#define STREAM_FAULTS_WINDOW_MS 60000

/* A socket that libcurl wants watched; lives on its own until libuv has let go of it. */
struct socket_watch {
    uv_poll_t poll;
    struct ks_shard *shard;
    curl_socket_t fd;
};

static const unsigned shard_successors[] = {
#define TO(name) (1u << KS_SHARD_##name)
#define X(name, next) [KS_SHARD_##name] = (next),
    KS_SHARD_STATES(X)
#undef X
#undef TO
};

static void shard_set_state(struct ks_shard *shard, enum ks_shard_state to)
{
    assert(shard_successors[shard->state] & (1u << to));
    shard->state = to;
    if (to == KS_SHARD_OPEN)
        shard->opened_ms = ks_loop_now_ms(shard->http->loop);
}

static void fail_dead(struct ks_http_result *result, const struct ks_shard *shard, const char *why)
{
    result->rc = KS_RC_IO;
    (void)ks_fail(&result->error, KS_RC_IO, "%s: the connection is dead: %s", shard->http->where,
                  why);
}

/* Whoever was cancelled while libcurl was on the stack, and whatever has ended. */
static void shard_settle(struct ks_shard *shard)
{
    struct ks_list *link;
    CURLMsg *msg;
    int left;

    while ((link = ks_list_pop(&shard->cancelled))) {
        struct ks_http_request *request = KS_CONTAINER_OF(link, struct ks_http_request, link);

        ks_shard_remove(shard, request);
        ks_request_free(request);
    }
    while (shard->state != KS_SHARD_DEAD && (msg = curl_multi_info_read(shard->multi, &left))) {
        const CURLcode code = msg->data.result;
        char *request = NULL;

        if (msg->msg == CURLMSG_DONE &&
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &request) == CURLE_OK)
            ks_request_end_transfer((struct ks_http_request *)(void *)request, code);
    }
}

/*
 * Makes libcurl look at the transfer soon, and send what lies in its connection's buffer at once.
 * There is no call for either; a change of the pause state does both, and pausing the sending of a
 * request that has been sent means nothing. False when the transfer has no connection: it has not
 * got one yet, or has ended.
 */
static bool shard_wake(struct ks_http_request *request)
{
    return curl_easy_pause(request->easy, CURLPAUSE_SEND) == CURLE_OK &&
           curl_easy_pause(request->easy, CURLPAUSE_CONT) == CURLE_OK;
}

/*
 * libcurl 7.88.1 can keep received bytes to itself: once a transfer has taken what had not fitted
 * into its buffer, what follows in the connection's own buffer is looked at only when the socket
 * has something again, which may be a minute later. So whoever got bytes is run once more, until it
 * gets none.
 */
static void shard_run_fed_again(struct ks_shard *shard)
{
    if (!shard->is_fed || shard->state == KS_SHARD_DEAD)
        return;
    shard->is_fed = false;
    KS_LIST_FOREACH(link, &shard->requests)
    {
        struct ks_http_request *request = KS_CONTAINER_OF(link, struct ks_http_request, link);

        if (request->is_fed)
            (void)shard_wake(request); /* one that has ended needs nothing more */
        request->is_fed = false;
    }
}

/* libcurl 7.88.1 leaves the RST_STREAM of a removed transfer lying until its connection sends
 * something else. */
static void shard_flush(struct ks_shard *shard)
{
    if (shard->state == KS_SHARD_DEAD || shard->http->is_http1)
        return;
    KS_LIST_FOREACH(link, &shard->requests)
    {
        const bool is_done = shard_wake(KS_CONTAINER_OF(link, struct ks_http_request, link));

        /* While there are two connections it is not known whose the transfer was. */
        if (is_done && shard->state != KS_SHARD_RETIRING)
            return;
    }
}

static CURLMcode shard_enter(struct ks_shard *shard, curl_socket_t fd, int events)
{
    CURLMcode code;
    int running;

    shard->is_in_action = true;
    code = curl_multi_socket_action(shard->multi, fd, events, &running);
    shard->is_in_action = false;
    return code;
}

/*
 * libcurl answers a ready socket by running all transfers on it, 64 for one event. One is enough to
 * read what has come and to find out for whom it is; those are run next. True when somebody got
 * bytes: whatever was not found this way must be looked for the usual way.
 */
static bool shard_read_briefly(struct ks_shard *shard)
{
    CURLMcode code = CURLM_OK;

    if (shard->state != KS_SHARD_OPEN || shard->http->is_http1 ||
        shard->active < BRIEF_MIN_ACTIVE ||
        !shard_wake(KS_CONTAINER_OF(shard->requests.next, struct ks_http_request, link)))
        return false;
    for (int i = 0; i < BRIEF_ROUNDS && !code && !shard->is_fed; i++)
        code = shard_enter(shard, CURL_SOCKET_TIMEOUT, 0);
    return shard->is_fed && !code;
}

static void shard_action(struct ks_shard *shard, curl_socket_t fd, int events)
{
    struct ks_http_result result = {.rc = KS_RC_IO};
    CURLMcode code = CURLM_OK;

    if (shard->state == KS_SHARD_DEAD)
        return;
    if (events != CURL_CSELECT_IN || !shard_read_briefly(shard))
        code = shard_enter(shard, fd, events);
    shard_settle(shard);
    if (code == CURLM_OK) {
        shard_run_fed_again(shard);
        return;
    }
    /* After this libcurl refuses the handle for good: memory, or a socket that could not be
     * watched. */
    (void)ks_fail(&result.error, result.rc, "%s: %s", shard->http->where,
                  curl_multi_strerror(code));
    ks_shard_destroy(shard, &result);
}

static void on_watch_closed(uv_handle_t *handle)
{
    ks_free(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const struct socket_watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    shard_action(watch->shard, watch->fd, flags); /* the watch may be closing afterwards */
}

static struct socket_watch *watch_new(struct ks_shard *shard, curl_socket_t fd)
{
    struct socket_watch *watch = ks_alloc0(sizeof(*watch));

    if (!watch)
        return NULL;
    watch->shard = shard;
    watch->fd = fd;
    watch->poll.data = watch;
    if (uv_poll_init_socket(ks_loop_uv(shard->http->loop), &watch->poll, fd) ||
        curl_multi_assign(shard->multi, fd, watch)) {
        /* A handle that was not initialised is in no queue of libuv, one that was must be closed.
         */
        if (uv_handle_get_loop((uv_handle_t *)&watch->poll))
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        else
            ks_free(watch);
        return NULL;
    }
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct ks_shard *shard = ctx;
    struct socket_watch *watch = socket_ctx;
    int events = 0;

    (void)easy; /* libcurl's form */
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return 0;
    }
    if (!watch)
        watch = watch_new(shard, fd);
    if (!watch)
        return -1;
    if (what != CURL_POLL_OUT)
        events |= UV_READABLE;
    if (what != CURL_POLL_IN)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_ready) ? -1 : 0;
}

static void on_curl_due(uv_timer_t *timer)
{
    shard_action(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long delay_ms, void *ctx)
{
    struct ks_shard *shard = ctx;

    (void)multi; /* libcurl's form */
    if (delay_ms < 0 || shard->state == KS_SHARD_DEAD)
        return uv_timer_stop(&shard->curl_timer);
    return uv_timer_start(&shard->curl_timer, on_curl_due, (uint64_t)delay_ms, 0);
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct ks_shard *shard = ctx;
    const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose; /* always a connection: there is no FTP here */
    if (fd < 0)
        return CURL_SOCKET_BAD;
    shard->http->connects++;
    shard->http->connections++;
    shard->open_sockets++;
    /* While a shard is NEW a second socket is another address of the same name being tried. */
    if (shard->state == KS_SHARD_OPEN && shard->open_sockets > 1 && !shard->http->is_http1) {
        shard_set_state(shard, KS_SHARD_RETIRING);
        ks_http_note_retired(shard->http, shard);
        ks_timer_start(&shard->check, MOVE_EVERY_MS);
        ks_http_kick(shard->http);
    }
    return fd;
}

/* libcurl closes a socket that never got connected without telling; so the count is put right when
 * it is known for certain. */
static void shard_set_sockets(struct ks_shard *shard, uint32_t count)
{
    shard->http->connections -= shard->open_sockets;
    shard->http->connections += count;
    shard->open_sockets = count;
}

static int on_close_socket(void *ctx, curl_socket_t fd)
{
    struct ks_shard *shard = ctx;

    if (shard->open_sockets > 0)
        shard_set_sockets(shard, shard->open_sockets - 1);
    /* The next request connects anew: alone again, until it has its answer. */
    if (shard->open_sockets == 0 && shard->state == KS_SHARD_OPEN)
        shard_set_state(shard, KS_SHARD_NEW);
    return close(fd);
}

static int on_socket_options(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
        {IPPROTO_TCP, TCP_NODELAY, 1},
    };

    (void)ctx; /* libcurl's form */
    (void)purpose;
    for (size_t i = 0; i < KS_ARRAY_LEN(options); i++) {
        /* A kernel that refuses one leaves the probe to find the dead peer. */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
    }
    return CURL_SOCKOPT_OK;
}

static void on_probe_head(void *ctx, const struct ks_http_head *head)
{
    (void)ctx; /* heard_ms tells all */
    (void)head;
}

static void on_probe_data(void *ctx, struct ks_str bytes)
{
    (void)ctx; /* what it says does not matter, that it speaks does */
    (void)bytes;
}

static void on_probe_end(void *ctx, const struct ks_http_result *result)
{
    struct ks_shard *shard = ctx;
    const int64_t sent_ms = shard->probe->sent_ms;
    struct ks_http_result dead = {.rc = KS_RC_IO};

    shard->probe = NULL;
    if (shard->state == KS_SHARD_DEAD)
        return;
    /* Any sign of life will do, also on another stream; other failures are judged like any
     * request's. */
    if (result->rc != KS_RC_TIMEOUT || !result->is_before_head || shard->heard_ms > sent_ms) {
        ks_timer_start(&shard->check, shard->http->probe_idle_ms);
        return;
    }
    fail_dead(&dead, shard, "a probe was not answered");
    ks_shard_destroy(shard, &dead);
}

static const struct ks_http_ops probe_ops = {
    .on_head = on_probe_head,
    .on_data = on_probe_data,
    .on_end = on_probe_end,
};

static void shard_probe(struct ks_shard *shard)
{
    const struct ks_http *http = shard->http;
    const struct ks_http_request_config config = {
        .lane = KS_HTTP_LANE_REQUEST,
        .method = "GET",
        .path = http->probe_path,
        .authorization = ks_str_from(http->authorization),
        .head_timeout_ms = http->probe_timeout_ms,
        .timeout_ms = http->probe_timeout_ms,
        .ops = &probe_ops,
        .ctx = shard,
    };
    struct ks_http_request *probe;

    if (ks_request_new(shard->http, &config, &probe, NULL)) {
        ks_timer_start(&shard->check, http->probe_idle_ms); /* no memory now; later perhaps */
        return;
    }
    if (ks_shard_add(shard, probe)) {
        ks_request_free(probe);
        ks_timer_start(&shard->check, http->probe_idle_ms);
        return;
    }
    shard->probe = probe;
}

/* The longest-lived watch, which has had its initial state; NULL when there is none. */
static struct ks_http_request *shard_find_watch(struct ks_shard *shard)
{
    KS_LIST_FOREACH(link, &shard->requests)
    {
        struct ks_http_request *request = KS_CONTAINER_OF(link, struct ks_http_request, link);

        if (request->lane == KS_HTTP_LANE_WATCH && request->state == KS_REQUEST_ANSWERED)
            return request;
    }
    return NULL;
}

static void shard_check_retiring(struct ks_shard *shard, int64_t now_ms)
{
    const struct ks_http_result moved = {.rc = KS_RC_OK};
    const int64_t patience_ms = shard->http->probe_idle_ms;
    int64_t next_ms = shard->heard_ms + patience_ms;
    struct ks_http_request *watch = shard_find_watch(shard);

    if (now_ms >= next_ms) {
        struct ks_http_result dead = {.rc = KS_RC_IO};

        fail_dead(&dead, shard, "nothing came any more after the server had left it");
        ks_shard_destroy(shard, &dead);
        return;
    }
    /* One that is younger would count as a failure of its own with its owner. */
    if (watch && now_ms >= watch->sent_ms + patience_ms) {
        next_ms = now_ms + MOVE_EVERY_MS;
        ks_request_end(watch, &moved);
    } else if (watch && watch->sent_ms + patience_ms < next_ms) {
        next_ms = watch->sent_ms + patience_ms;
    }
    if (shard->active > 0)
        ks_timer_start(&shard->check, next_ms - now_ms);
}

static void on_check(struct ks_timer *timer)
{
    struct ks_shard *shard = KS_CONTAINER_OF(timer, struct ks_shard, check);
    const int64_t now_ms = ks_loop_now_ms(shard->http->loop);
    const int64_t due_ms = shard->heard_ms + shard->http->probe_idle_ms;

    if (shard->active == 0)
        ks_shard_destroy(shard, NULL); /* idle */
    else if (shard->state == KS_SHARD_RETIRING)
        shard_check_retiring(shard, now_ms);
    else if (shard->state != KS_SHARD_OPEN || now_ms < due_ms)
        ks_timer_start(timer, now_ms < due_ms ? due_ms - now_ms : shard->http->probe_idle_ms);
    else if (!shard->http->is_http1 && !shard->probe)
        shard_probe(shard);
}

static void on_shard_closed(uv_handle_t *handle)
{
    ks_free(handle->data);
}

static ks_rc shard_set_up(struct ks_shard *shard)
{
    CURLMcode rc = CURLM_OK;

    shard->multi = curl_multi_init();
    if (!shard->multi)
        return KS_RC_NOMEM;
    rc = curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    rc = rc ? rc : curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, 8L);
    rc = rc ? rc : curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    rc = rc ? rc : curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    rc = rc ? rc : curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    return rc ? KS_RC_NOMEM : KS_RC_OK;
}

ks_rc ks_shard_new(struct ks_http *http, ks_http_lane lane, struct ks_shard **out)
{
    struct ks_shard *shard = ks_alloc0(sizeof(*shard));

    if (!shard)
        return KS_RC_NOMEM;
    shard->http = http;
    shard->lane = lane;
    if (shard_set_up(shard)) {
        if (shard->multi)
            (void)curl_multi_cleanup(shard->multi); /* empty: it cannot fail */
        ks_free(shard);
        return KS_RC_NOMEM;
    }
    ks_list_init(&shard->requests);
    ks_list_init(&shard->cancelled);
    ks_timer_init(&shard->check, http->loop, on_check);
    (void)uv_timer_init(ks_loop_uv(http->loop), &shard->curl_timer); /* documented to return 0 */
    shard->curl_timer.data = shard;
    ks_list_push(&http->lanes[lane].shards, &shard->link);
    *out = shard;
    return KS_RC_OK;
}

bool ks_shard_has_room(const struct ks_shard *shard)
{
    if (shard->state == KS_SHARD_NEW)
        return shard->active == 0;
    return shard->state == KS_SHARD_OPEN && shard->unanswered < KS_SHARD_MAX_UNANSWERED &&
           shard->active < ks_http_max_requests(shard->http, shard->lane);
}

ks_rc ks_shard_add(struct ks_shard *shard, struct ks_http_request *request)
{
    CURL *easy = request->easy;
    CURLcode rc = CURLE_OK;

    assert(!shard->is_in_action);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, shard);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, shard);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_options);
    if (rc || curl_multi_add_handle(shard->multi, easy))
        return KS_RC_NOMEM;
    ks_list_remove(&request->link);
    ks_list_push(&shard->requests, &request->link);
    request->shard = shard;
    ks_request_note_sent(request);
    if (shard->active++ == 0) {
        shard->heard_ms = request->sent_ms; /* silence is counted from here */
        ks_timer_start(&shard->check, shard->http->probe_idle_ms);
    }
    return KS_RC_OK;
}

/* How long a shard may be of use yet, after its last request has left. */
static int64_t shard_idle_ms(const struct ks_shard *shard, const struct ks_http_request *last)
{
    if (shard->state == KS_SHARD_RETIRING)
        return 0;
    if (last->state == KS_REQUEST_CANCELLED)
        return CANCELLED_IDLE_MS;
    return shard->lane == KS_HTTP_LANE_WATCH ? WATCH_IDLE_MS : REQUEST_IDLE_MS;
}

void ks_shard_remove(struct ks_shard *shard, struct ks_http_request *request)
{
    assert(!shard->is_in_action);
    /* Fails on a foreign handle only. */
    (void)curl_multi_remove_handle(shard->multi, request->easy);
    ks_list_remove(&request->link);
    request->shard = NULL;
    shard->active--;
    if (shard->active == 0)
        ks_timer_start(&shard->check, shard_idle_ms(shard, request));
    shard_flush(shard);
    ks_http_kick(shard->http);
}

void ks_shard_note_bytes(struct ks_shard *shard, struct ks_http_request *request)
{
    shard->heard_ms = ks_loop_now_ms(shard->http->loop);
    shard->is_fed = !shard->http->is_http1;
    request->is_fed = true;
}

void ks_shard_note_answer(struct ks_shard *shard, CURL *easy)
{
    long version = 0;

    if (shard->state == KS_SHARD_NEW) {
        (void)curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version); /* stays 0 */
        ks_http_note_version(shard->http, version);
        shard_set_state(shard, KS_SHARD_OPEN);
        shard_set_sockets(shard, 1); /* other addresses that were tried are gone */
    }
    ks_http_kick(shard->http);
}

void ks_shard_destroy(struct ks_shard *shard, const struct ks_http_result *result)
{
    struct ks_list orphans;
    struct ks_list *link;

    if (shard->state == KS_SHARD_DEAD)
        return;
    assert(!shard->is_in_action && ks_list_is_empty(&shard->cancelled));
    shard_set_state(shard, KS_SHARD_DEAD);
    ks_list_remove(&shard->link);
    ks_list_init(&orphans);
    KS_LIST_FOREACH(pos, &shard->requests)
    {
        struct ks_http_request *request = KS_CONTAINER_OF(pos, struct ks_http_request, link);

        ks_shard_remove(shard, request);
        ks_list_push(&orphans, &request->link);
    }
    (void)curl_multi_cleanup(shard->multi); /* no handle is left in it */
    shard->multi = NULL;
    shard_set_sockets(shard, 0);
    ks_timer_stop(&shard->check);
    uv_close((uv_handle_t *)&shard->curl_timer, on_shard_closed); /* frees it, in a later turn */

    while ((link = ks_list_pop(&orphans))) {
        struct ks_http_request *request = KS_CONTAINER_OF(link, struct ks_http_request, link);
        struct ks_http_result own;

        if (!result) {
            ks_request_free(request);
            continue;
        }
        own = *result;
        own.is_before_head = request->state == KS_REQUEST_SENT;
        ks_request_end(request, &own); /* may cancel others of the orphans, which takes them off */
    }
}

void ks_shard_suspect(struct ks_shard *shard)
{
    struct ks_http_result dead = {.rc = KS_RC_IO};

    if (shard->state == KS_SHARD_DEAD || shard->state == KS_SHARD_RETIRING)
        return;
    if (shard->state == KS_SHARD_OPEN && shard->http->is_http1)
        return;
    if (shard->state == KS_SHARD_OPEN && shard->active > 0) {
        if (!shard->probe)
            shard_probe(shard);
        return;
    }
    fail_dead(&dead, shard, "a request was not answered");
    ks_shard_destroy(shard, &dead);
}

static bool shard_is_worn(struct ks_shard *shard)
{
    const int64_t now_ms = ks_loop_now_ms(shard->http->loop);

    if (now_ms - shard->stream_faults_ms > STREAM_FAULTS_WINDOW_MS) {
        shard->stream_faults_ms = now_ms;
        shard->stream_faults = 0;
    }
    return ++shard->stream_faults >= STREAM_FAULTS_MAX;
}

void ks_shard_judge(struct ks_shard *shard, CURLcode code, const struct ks_http_result *result)
{
    const bool is_unproven = shard->state == KS_SHARD_NEW && result->is_before_head;
    struct ks_http *http = shard->http;
    const ks_http_lane lane = shard->lane;

    if (shard->state == KS_SHARD_DEAD || shard->state == KS_SHARD_RETIRING)
        return;
    if (shard->state == KS_SHARD_OPEN && http->is_http1)
        return;
    /* Of an unproven connection nothing speaks for it. */
    if (!ks_http_is_connection_fault(code) &&
        !(ks_http_is_stream_fault(code) && (is_unproven || shard_is_worn(shard))))
        return;
    ks_shard_destroy(shard, result);
    /* Those that wait would only find out the same, one connect after the other. */
    if (is_unproven)
        ks_http_fail_queue(http, lane, result);
}
