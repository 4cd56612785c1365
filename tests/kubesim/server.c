/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket and the set of connections.
 *
 * 1. A connection is in `conns` from accept to burial, and in `dirty` while it has something to
 * write or is dead.
 * 2. Burial happens in sim_server_flush alone, after all handlers of a round have run.
 * 3. When descriptors run out, accepting pauses for a moment instead of spinning on a ready
 * listener.
 *
 * Thread: one. It knows nothing of HTTP.
 */
#include "conn.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sim.h"

#define CONNS_MAX 20000
#define ACCEPTS_PER_ROUND 64
#define ACCEPT_PAUSE_MS 100
#define LISTEN_BACKLOG 4096
#define MAX_STREAMS_DEFAULT 100

struct sim_server {
    struct sim_source source; /* first: on_ready gets it */
    struct sim_timer accept_timer;
    struct sim *sim;
    struct ks_list conns;
    struct ks_list dirty;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char address[160];
    uint64_t next_id;
    uint32_t max_streams;
    struct sim_server_stats stats;
};

struct sim *sim_server_sim(const struct sim_server *s)
{
    return s->sim;
}

const char *sim_server_address(const struct sim_server *s)
{
    return s->address;
}

static void conn_admit(struct sim_server *s, int fd)
{
    struct sim_conn *c;

    if (s->stats.open >= CONNS_MAX) {
        close(fd);
        return;
    }
    c = sim_conn_new(s, fd, s->next_id);
    if (!c)
        return;
    s->next_id++;
    s->stats.accepted++;
    s->stats.open++;
    ks_list_push(&s->conns, &c->link);
}

static void on_acceptable(struct sim_source *source, uint32_t events KS_UNUSED)
{
    struct sim_server *s = KS_CONTAINER_OF(source, struct sim_server, source);

    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            conn_admit(s, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            sim_server_accept_pause(s);
            (void)sim_timer_start(s->sim->loop, &s->accept_timer,
                                  ACCEPT_PAUSE_MS); /* best effort */
        }
        return;
    }
}

static void on_accept_again(struct sim_timer *timer)
{
    sim_server_accept_resume(KS_CONTAINER_OF(timer, struct sim_server, accept_timer));
}

static ks_rc address_parse(struct sim_server *s, const char *text, struct ks_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[128];
    const char *colon = strrchr(text, ':');
    size_t host_len = colon ? (size_t)(colon - text) : 0;

    if (!colon || host_len == 0 || host_len >= sizeof(host))
        return ks_fail(err, KS_RC_INVALID, "--listen %s: HOST:PORT is wanted", text);
    if (text[0] == '[' && text[host_len - 1] == ']')
        snprintf(host, sizeof(host), "%.*s", (int)host_len - 2, text + 1);
    else
        snprintf(host, sizeof(host), "%.*s", (int)host_len, text);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0 || !found)
        return ks_fail(err, KS_RC_INVALID, "--listen %s: no such address or port", text);
    memcpy(&s->addr, found->ai_addr, found->ai_addrlen);
    s->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    return KS_RC_OK;
}

static void address_print(struct sim_server *s)
{
    char host[128];
    char port[16];

    s->addr_len = sizeof(s->addr);
    if (getsockname(s->source.fd, (struct sockaddr *)&s->addr, &s->addr_len) != 0 ||
        getnameinfo((struct sockaddr *)&s->addr, s->addr_len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    if (strchr(host, ':'))
        snprintf(s->address, sizeof(s->address), "[%s]:%s", host, port);
    else
        snprintf(s->address, sizeof(s->address), "%s:%s", host, port);
}

ks_rc sim_server_listen(struct sim_server *s, struct ks_error *err)
{
    int on = 1;
    int fd;

    if (s->source.fd >= 0)
        return KS_RC_OK;
    fd = socket(s->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "listening socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&s->addr, s->addr_len) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        ks_rc rc = ks_fail_errno(err, KS_RC_IO, errno, "listening on %s", s->address);

        close(fd);
        return rc;
    }
    s->source.fd = fd;
    if (sim_loop_add(s->sim->loop, &s->source, EPOLLIN)) {
        close(fd);
        s->source.fd = -1;
        return ks_fail(err, KS_RC_IO, "listening on %s: epoll refused the socket", s->address);
    }
    address_print(s);
    return KS_RC_OK;
}

void sim_server_unlisten(struct sim_server *s)
{
    sim_timer_stop(s->sim->loop, &s->accept_timer);
    if (s->source.fd < 0)
        return;
    sim_loop_remove(s->sim->loop, &s->source);
    close(s->source.fd);
    s->source.fd = -1;
}

void sim_server_accept_pause(struct sim_server *s)
{
    if (s->source.fd >= 0)
        sim_loop_change(s->sim->loop, &s->source, 0);
}

void sim_server_accept_resume(struct sim_server *s)
{
    if (s->source.fd >= 0)
        sim_loop_change(s->sim->loop, &s->source, EPOLLIN);
}

ks_rc sim_server_new(struct sim *sim, const char *listen_on, struct sim_server **out,
                     struct ks_error *err)
{
    struct sim_server *s = ks_alloc0(sizeof(*s));
    ks_rc rc;

    if (!s)
        return ks_fail(err, KS_RC_NOMEM, "server");
    s->sim = sim;
    s->source.fd = -1;
    s->source.on_ready = on_acceptable;
    s->accept_timer.on_due = on_accept_again;
    s->next_id = 1;
    s->max_streams = MAX_STREAMS_DEFAULT;
    ks_list_init(&s->conns);
    ks_list_init(&s->dirty);
    snprintf(s->address, sizeof(s->address), "%s", listen_on);
    rc = address_parse(s, listen_on, err);
    if (!rc)
        rc = sim_server_listen(s, err);
    if (rc) {
        sim_server_free(s);
        return rc;
    }
    *out = s;
    return KS_RC_OK;
}

static void conn_bury(struct sim_server *s, struct sim_conn *c)
{
    s->stats.open--;
    sim_conn_free(c);
}

struct sim_server *sim_server_free(struct sim_server *s)
{
    if (!s)
        return NULL;
    sim_server_unlisten(s);
    KS_LIST_FOREACH(link, &s->conns)
    conn_bury(s, KS_CONTAINER_OF(link, struct sim_conn, link));
    ks_free(s);
    return NULL;
}

bool sim_server_flush(struct sim_server *s)
{
    struct ks_list round;
    struct ks_list *link;

    ks_list_init(&round);
    ks_list_splice(&round, &s->dirty);
    while ((link = ks_list_pop(&round))) {
        struct sim_conn *c = KS_CONTAINER_OF(link, struct sim_conn, dirty);

        sim_conn_flush(c);
        if (c->state == SIM_CONN_DEAD_FIN || c->state == SIM_CONN_DEAD_RESET)
            conn_bury(s, c);
    }
    return !ks_list_is_empty(&s->dirty);
}

void sim_conn_touch(struct sim_conn *c)
{
    ks_list_remove(&c->dirty);
    ks_list_push(&c->server->dirty, &c->dirty);
}

void sim_server_stats(const struct sim_server *s, struct sim_server_stats *out)
{
    *out = s->stats;
}

void sim_server_count(struct sim_server *s, size_t bytes_in, size_t bytes_out)
{
    s->stats.bytes_in += bytes_in;
    s->stats.bytes_out += bytes_out;
}

void sim_server_count_stream(struct sim_server *s, int change)
{
    s->stats.streams += (uint64_t)(int64_t)change;
}

void sim_server_foreach(struct sim_server *s, void (*fn)(void *ctx, struct sim_conn *c), void *ctx)
{
    KS_LIST_FOREACH(link, &s->conns)
    {
        struct sim_conn *c = KS_CONTAINER_OF(link, struct sim_conn, link);

        if (!c->is_control)
            fn(ctx, c);
    }
}

static void max_streams_tell(void *ctx, struct sim_conn *c)
{
    struct sim_server *s = ctx;
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->max_streams};

    if (!c->h2)
        return;
    /* A connection that cannot be told keeps its old limit. */
    (void)nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, &entry, 1);
    sim_conn_touch(c);
}

void sim_server_set_max_streams(struct sim_server *s, uint32_t max_streams)
{
    s->max_streams = max_streams;
    sim_server_foreach(s, max_streams_tell, s);
}

uint32_t sim_server_max_streams(const struct sim_server *s)
{
    return s->max_streams;
}
