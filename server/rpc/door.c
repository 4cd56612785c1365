/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's life:
 *
 *   accepted ──> PENDING ──HTTP/2's preface──> OPEN (gRPC's) ──gRPC shut it down──> gone
 *                   └──something else, 5 s of nothing, over a limit──> turned away
 *
 * What is handed to gRPC is watched through a duplicate of its file descriptor: gRPC tells nobody
 * that it closed a connection, but it always shuts the socket down first, and that is seen through
 * the duplicate as a hang-up.
 *
 * A connection over a limit is let in for a moment, so that its calls can be told why: a client
 * that is just closed on has no sentence, and one that gets a GOAWAY at once comes again at once,
 * without end.
 *
 * When file descriptors run out, the spare one is given up for a moment, so that the connection
 * that waits can be taken and closed: it would wait without end otherwise, and the loop would spin.
 *
 * Invariants:
 *   1. a connection is in one list: pending (by age), open, or dead until the batch of events that
 *      may still name it is done;
 *   2. the open list, its buckets, refs and calls change under the lock only;
 *   3. a PENDING connection belongs to the door's thread alone;
 *   4. after on_shut, on_open is not called.
 *
 * Thread: see door.h.  Does not: read more of a connection than a peek at its first 24 bytes.
 */
#include "server/rpc/door.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/str.h"

#define SOCKETS_MAX 16
#define BUCKETS 256u
#define EVENTS_MAX 64
/* At a time, so that those who are in get their turn. */
#define ACCEPT_MAX 64
#define PAUSE_MS 100
#define SEND_BUFFER_BYTES (256 << 10)
#define SILENCE_MAX_MS 20000
#define ADDRESS_BYTES 8

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_BYTES (sizeof(preface) - 1)

enum watched_type { WATCHED_BELL, WATCHED_SOCKET, WATCHED_CONN };

/* What epoll's pointer points to. */
struct watched {
    enum watched_type type;
    int fd; /* -1: closed, in this very batch of events */
};

struct socket {
    struct watched watched;
    struct ks_address address;
};

struct ks_conn {
    struct watched watched; /* PENDING: the connection; OPEN: our duplicate of it */
    int rpc_fd;             /* OPEN: as gRPC knows it */
    bool is_local;          /* from this machine */
    unsigned char from[ADDRESS_BYTES];
    int64_t since_ms;
    struct ks_list link;   /* pending, open or dead */
    struct ks_list bucket; /* OPEN */
    ks_limit over;         /* the limit that it is over, or KS_LIMIT_COUNT */
    int64_t over_ms;       /* since when */
    struct ks_list courtesy;
    uint32_t refs; /* the door's, and one for each call */
    uint32_t calls;
};

struct ks_door {
    struct ks_door_config config;
    int epoll;
    int spare;
    struct watched bell;
    struct socket sockets[SOCKETS_MAX];
    size_t socket_count;
    pthread_t thread;
    bool is_started;
    _Atomic bool must_shut;
    _Atomic bool must_end;

    /* door's thread */
    bool is_shut;
    int64_t paused_until_ms; /* 0: not paused */
    struct ks_list pending;  /* oldest first */
    size_t pending_count;
    struct ks_list dead;
    struct ks_list courtesy; /* OPEN and over a limit; oldest first */
    size_t courtesy_count;
    struct ks_log_limit log_limit;

    /* `lock` guards all below. */
    pthread_mutex_t lock;
    struct ks_list open;
    int64_t open_count;
    struct ks_list buckets[BUCKETS]; /* by rpc_fd, newest last */
};

static void fd_close(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* nothing that was written can be lost by us */
}

static bool door_watch(struct ks_door *d, struct watched *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};

    return epoll_ctl(d->epoll, EPOLL_CTL_ADD, w->fd, &event) == 0;
}

static void door_unwatch(struct ks_door *d, int fd)
{
    (void)epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL); /* one that is not there is fine */
}

/* Which network it comes from: an IPv4 address, or the 64 bits of an IPv6 one that a site is given.
 */
static void conn_set_from(struct ks_conn *c, const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

    c->is_local = true;
    if (peer->ss_family == AF_INET) {
        c->is_local = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
        memcpy(c->from, &v4->sin_addr, sizeof(v4->sin_addr));
    } else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        c->is_local = v6->sin6_addr.s6_addr[12] == 127;
        memcpy(c->from, v6->sin6_addr.s6_addr + 12, 4);
    } else if (peer->ss_family == AF_INET6) {
        c->is_local = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        memcpy(c->from, &v6->sin6_addr, sizeof(c->from));
    }
}

static void conn_unref(struct ks_conn *c)
{
    assert(c->refs > 0);
    if (--c->refs == 0)
        ks_free(c);
}

/* PENDING -> dead; freed after the batch. */
static void pending_drop(struct ks_door *d, struct ks_conn *c)
{
    door_unwatch(d, c->watched.fd); /* a child between fork and exec holds it open for a moment */
    fd_close(c->watched.fd);
    c->watched.fd = -1;
    ks_list_remove(&c->link);
    ks_list_push(&d->dead, &c->link);
    d->pending_count--;
}

static void tell_refused(struct ks_door *d, const char *why)
{
    unsigned dropped = 0;

    ks_metrics_add(d->config.metrics, KS_METRIC_CONNECTIONS_REFUSED_TOTAL, 1);
    if (ks_log_limit_pass(&d->log_limit, ks_mono_ms(), &dropped))
        ks_log(d->config.log, KS_LOG_WARN, "connection refused", KS_F_STR("reason", why),
               KS_F_INT("dropped", dropped));
}

static void conn_turn_away(struct ks_door *d, struct ks_conn *c, const char *why)
{
    tell_refused(d, why);
    pending_drop(d, c);
}

static int64_t count_from(const struct ks_door *d, const struct ks_conn *like)
{
    int64_t n = 0;

    KS_LIST_FOREACH(link, &d->open)
    {
        const struct ks_conn *c = KS_CONTAINER_OF(link, struct ks_conn, link);

        n += !c->is_local && memcmp(c->from, like->from, sizeof(c->from)) == 0;
    }
    return n;
}

/* KS_LIMIT_COUNT: none. The lists change on this thread only, so reading needs no lock. */
static ks_limit limit_met(const struct ks_door *d, const struct ks_conn *c)
{
    const int64_t *limits = d->config.limits->values;

    if (d->open_count >= limits[KS_LIMIT_CONNECTIONS])
        return KS_LIMIT_CONNECTIONS;
    if (!c->is_local && count_from(d, c) >= limits[KS_LIMIT_CONNECTIONS_PER_ADDRESS])
        return KS_LIMIT_CONNECTIONS_PER_ADDRESS;
    return KS_LIMIT_COUNT;
}

/* Whether there is room for it, be it for a moment only. */
static bool conn_fits(struct ks_door *d, struct ks_conn *c)
{
    c->over = limit_met(d, c);
    if (c->over == KS_LIMIT_COUNT)
        return true;
    ks_metrics_count_limit(d->config.metrics, c->over);
    if (d->courtesy_count >= KS_DOOR_COURTESY_MAX) {
        conn_turn_away(d, c, ks_limit_name(c->over));
        return false;
    }
    tell_refused(d, ks_limit_name(c->over));
    return true;
}

static void conn_set_options(int fd)
{
    const int on = 1;
    const int send_buffer = SEND_BUFFER_BYTES;
    const unsigned silence_ms = SILENCE_MAX_MS;

    /* None matters enough to refuse a connection for; a Unix socket knows but one of them. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
}

/* PENDING -> OPEN. */
static void conn_open(struct ks_door *d, struct ks_conn *c)
{
    int fd = c->watched.fd;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        conn_turn_away(d, c, "kstatusd has no file descriptor left; try later");
        return;
    }
    door_unwatch(d, fd);
    c->watched.fd = copy;
    if (!door_watch(d, &c->watched, 0)) { /* 0: hang-ups are always told */
        c->watched.fd = fd;
        fd_close(copy);
        conn_turn_away(d, c, "kstatusd has no memory left; try later");
        return;
    }
    conn_set_options(fd);
    d->pending_count--;
    pthread_mutex_lock(&d->lock);
    c->rpc_fd = fd;
    ks_list_remove(&c->link);
    ks_list_push(&d->open, &c->link);
    ks_list_push(&d->buckets[(unsigned)fd % BUCKETS], &c->bucket);
    d->open_count++;
    pthread_mutex_unlock(&d->lock);
    if (c->over != KS_LIMIT_COUNT) {
        c->over_ms = ks_mono_ms();
        ks_list_push(&d->courtesy, &c->courtesy);
        d->courtesy_count++;
    }
    ks_metrics_set(d->config.metrics, KS_METRIC_CONNECTIONS_OPEN, d->open_count);
    ks_metrics_add(d->config.metrics, KS_METRIC_CONNECTIONS_TOTAL, 1);
    d->config.on_open(d->config.ctx, fd);
}

static void courtesy_end(struct ks_door *d, struct ks_conn *c)
{
    ks_list_remove(&c->courtesy);
    d->courtesy_count--;
}

/* OPEN -> gone, but for its calls. */
static void conn_close(struct ks_door *d, struct ks_conn *c)
{
    if (!ks_list_is_empty(&c->courtesy))
        courtesy_end(d, c);
    door_unwatch(d, c->watched.fd); /* gRPC may not have closed the socket: epoll would go on */
    fd_close(c->watched.fd);
    c->watched.fd = -1;
    pthread_mutex_lock(&d->lock);
    ks_list_remove(&c->link);
    ks_list_remove(&c->bucket);
    d->open_count--;
    conn_unref(c);
    pthread_mutex_unlock(&d->lock);
    ks_metrics_set(d->config.metrics, KS_METRIC_CONNECTIONS_OPEN, d->open_count);
}

static void conn_on_first_bytes(struct ks_door *d, struct ks_conn *c)
{
    char bytes[PREFACE_BYTES];
    ssize_t n = recv(c->watched.fd, bytes, sizeof(bytes), MSG_PEEK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* somebody looked whether the port is open */
        pending_drop(d, c);
        return;
    }
    if (memcmp(bytes, preface, (size_t)n) != 0) {
        conn_turn_away(d, c, "what it sent is not HTTP/2; this port speaks gRPC");
        return;
    }
    if ((size_t)n == sizeof(bytes) && conn_fits(d, c))
        conn_open(d, c);
}

static void on_conn(struct ks_door *d, struct ks_conn *c)
{
    if (ks_list_is_empty(&c->bucket))
        conn_on_first_bytes(d, c);
    else
        conn_close(d, c);
}

/* Takes fd. */
static void door_admit(struct ks_door *d, int fd, const struct sockaddr_storage *peer)
{
    struct ks_conn *c = ks_alloc0(sizeof(*c));

    if (!c) {
        fd_close(fd);
        tell_refused(d, "kstatusd has no memory left");
        return;
    }
    c->watched = (struct watched){WATCHED_CONN, fd};
    c->refs = 1;
    c->since_ms = ks_mono_ms();
    ks_list_init(&c->bucket);
    ks_list_init(&c->courtesy);
    c->over = KS_LIMIT_COUNT;
    conn_set_from(c, peer);
    if (!door_watch(d, &c->watched, EPOLLIN | EPOLLET)) {
        fd_close(fd);
        ks_free(c);
        tell_refused(d, "kstatusd has no memory left");
        return;
    }
    if (d->pending_count == KS_DOOR_PENDING_MAX) /* the oldest has had the longest time */
        pending_drop(d, KS_CONTAINER_OF(d->pending.next, struct ks_conn, link));
    ks_list_push(&d->pending, &c->link);
    d->pending_count++;
}

/* Not before PAUSE_MS from now. */
static void door_pause(struct ks_door *d)
{
    d->paused_until_ms = ks_mono_ms() + PAUSE_MS;
    for (size_t i = 0; i < d->socket_count; i++)
        door_unwatch(d, d->sockets[i].watched.fd);
}

static void door_resume(struct ks_door *d)
{
    bool is_watching = true;

    for (size_t i = 0; i < d->socket_count; i++)
        is_watching = door_watch(d, &d->sockets[i].watched, EPOLLIN) && is_watching;
    d->paused_until_ms = 0;
    if (!is_watching) /* no memory for it now */
        door_pause(d);
}

static void door_use_spare(struct ks_door *d, const struct socket *s)
{
    if (d->spare >= 0) {
        fd_close(d->spare);
        fd_close(accept4(s->watched.fd, NULL, NULL, SOCK_CLOEXEC));
        tell_refused(d, "kstatusd has no file descriptor left");
    }
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (d->spare < 0)
        door_pause(d);
}

static void on_socket(struct ks_door *d, const struct socket *s)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof(peer);
        int fd =
            accept4(s->watched.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            door_admit(d, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            door_use_spare(d, s);
        else if (errno == ENOBUFS || errno == ENOMEM)
            door_pause(d);
        return; /* nobody waits any more; or the one who did gave up, and the next rings again */
    }
}

/* Closes the listening sockets, and what has not been handed on. */
static void door_shut_off(struct ks_door *d)
{
    for (size_t i = 0; i < d->socket_count; i++) {
        struct socket *s = &d->sockets[i];

        fd_close(s->watched.fd);
        s->watched.fd = -1;
        if (s->address.kind == KS_ADDRESS_UNIX)
            (void)unlink(s->address.path); /* one that somebody removed is gone as well */
    }
    d->socket_count = 0;
    while (!ks_list_is_empty(&d->pending))
        pending_drop(d, KS_CONTAINER_OF(d->pending.next, struct ks_conn, link));
}

static void on_bell(struct ks_door *d)
{
    uint64_t rings;
    ssize_t n = read(d->bell.fd, &rings, sizeof(rings));

    (void)n; /* it does not matter how often it rang */
    if (!atomic_load(&d->must_shut) || d->is_shut)
        return;
    d->is_shut = true;
    d->paused_until_ms = 0;
    door_shut_off(d);
    d->config.on_shut(d->config.ctx);
}

static void on_event(struct ks_door *d, struct watched *w)
{
    if (w->fd < 0)
        return;
    switch (w->type) {
    case WATCHED_BELL:
        on_bell(d);
        break;
    case WATCHED_SOCKET:
        on_socket(d, KS_CONTAINER_OF(w, struct socket, watched));
        break;
    case WATCHED_CONN:
    default:
        on_conn(d, KS_CONTAINER_OF(w, struct ks_conn, watched));
        break;
    }
}

static void door_expire(struct ks_door *d)
{
    const int64_t now = ks_mono_ms();

    while (!ks_list_is_empty(&d->pending)) {
        struct ks_conn *c = KS_CONTAINER_OF(d->pending.next, struct ks_conn, link);

        if (now - c->since_ms < KS_DOOR_PREFACE_MS)
            break;
        conn_turn_away(d, c, "it sent nothing in 5 s");
    }
    while (!ks_list_is_empty(&d->courtesy)) {
        struct ks_conn *c = KS_CONTAINER_OF(d->courtesy.next, struct ks_conn, courtesy);

        if (now - c->over_ms < KS_DOOR_COURTESY_MS)
            break;
        courtesy_end(d, c);
        (void)shutdown(c->watched.fd, SHUT_RDWR); /* gRPC closes it then, and the hang-up comes */
    }
    if (d->paused_until_ms && now >= d->paused_until_ms)
        door_resume(d);
}

static void door_bury(struct ks_door *d)
{
    struct ks_list *link;

    while ((link = ks_list_pop(&d->dead)) != NULL)
        ks_free(KS_CONTAINER_OF(link, struct ks_conn, link));
}

static int door_wait_ms(const struct ks_door *d)
{
    int64_t due = d->paused_until_ms ? d->paused_until_ms : INT64_MAX;
    int64_t wait;

    if (!ks_list_is_empty(&d->pending)) {
        const struct ks_conn *c = KS_CONTAINER_OF(d->pending.next, struct ks_conn, link);

        if (c->since_ms + KS_DOOR_PREFACE_MS < due)
            due = c->since_ms + KS_DOOR_PREFACE_MS;
    }
    if (!ks_list_is_empty(&d->courtesy)) {
        const struct ks_conn *c = KS_CONTAINER_OF(d->courtesy.next, struct ks_conn, courtesy);

        if (c->over_ms + KS_DOOR_COURTESY_MS < due)
            due = c->over_ms + KS_DOOR_COURTESY_MS;
    }
    if (due == INT64_MAX)
        return -1;
    wait = due - ks_mono_ms();
    return wait > 0 ? (int)wait : 0;
}

static void *door_main(void *arg)
{
    struct ks_door *d = arg;
    struct epoll_event events[EVENTS_MAX];

    (void)pthread_setname_np(pthread_self(), "rpc-door"); /* for people's eyes only */
    while (!atomic_load(&d->must_end)) {
        int n = epoll_wait(d->epoll, events, EVENTS_MAX, door_wait_ms(d));

        for (int i = 0; i < n; i++)
            on_event(d, events[i].data.ptr);
        door_expire(d);
        door_bury(d);
    }
    return NULL;
}

static void door_freep(struct ks_door **d)
{
    *d = ks_door_free(*d);
}

ks_rc ks_door_new(const struct ks_door_config *config, struct ks_door **out, struct ks_error *err)
{
    KS_CLEANUP(door_freep) struct ks_door *d = NULL;
    struct ks_door *made = ks_alloc0(sizeof(*made));

    if (!made)
        return ks_fail(err, KS_RC_NOMEM, "gRPC port: out of memory");
    if (pthread_mutex_init(&made->lock, NULL)) {
        ks_free(made);
        return ks_fail(err, KS_RC_NOMEM, "gRPC port: no memory for a lock");
    }
    d = made;
    d->config = *config;
    d->log_limit = (struct ks_log_limit){.window_ms = 10000, .burst = 3};
    ks_list_init(&d->pending);
    ks_list_init(&d->dead);
    ks_list_init(&d->courtesy);
    ks_list_init(&d->open);
    for (size_t i = 0; i < BUCKETS; i++)
        ks_list_init(&d->buckets[i]);
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    d->bell = (struct watched){WATCHED_BELL, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (d->epoll < 0 || d->spare < 0 || d->bell.fd < 0 || !door_watch(d, &d->bell, EPOLLIN))
        return ks_fail_errno(err, KS_RC_LIMIT, errno, "gRPC port");
    *out = KS_TAKE(d);
    return KS_RC_OK;
}

ks_rc ks_door_listen(struct ks_door *d, const struct ks_address *address, uint16_t *out_port,
                     struct ks_error *err)
{
    struct socket *s = &d->sockets[d->socket_count];
    int fd;
    ks_rc rc;

    assert(!d->is_started);
    if (d->socket_count == SOCKETS_MAX)
        return ks_fail(err, KS_RC_LIMIT, "at most %d addresses", SOCKETS_MAX);
    rc = ks_address_listen(address, &fd, out_port, err);
    if (rc)
        return rc;
    s->watched = (struct watched){WATCHED_SOCKET, fd};
    s->address = *address;
    d->socket_count++;
    return KS_RC_OK;
}

ks_rc ks_door_start(struct ks_door *d, struct ks_error *err)
{
    int failed;

    for (size_t i = 0; i < d->socket_count; i++) {
        if (!door_watch(d, &d->sockets[i].watched, EPOLLIN))
            return ks_fail_errno(err, KS_RC_LIMIT, errno, "gRPC port");
    }
    failed = pthread_create(&d->thread, NULL, door_main, d);
    if (failed)
        return ks_fail_errno(err, KS_RC_LIMIT, failed, "thread rpc-door");
    d->is_started = true;
    return KS_RC_OK;
}

static struct ks_conn *find(const struct ks_door *d, int fd)
{
    const struct ks_list *bucket = &d->buckets[(unsigned)fd % BUCKETS];

    /* Newest first: one that gRPC has closed may not have been seen to be, and its number be used
     * again. */
    for (struct ks_list *link = bucket->prev; link != bucket; link = link->prev) {
        struct ks_conn *c = KS_CONTAINER_OF(link, struct ks_conn, bucket);

        if (c->rpc_fd == fd)
            return c;
    }
    return NULL;
}

ks_rc ks_door_enter(struct ks_door *d, const char *peer, struct ks_conn **out_conn,
                    uint32_t *out_calls)
{
    struct ks_conn *c;
    int64_t fd;

    *out_conn = NULL;
    *out_calls = 0;
    if (strncmp(peer, "fd:", 3) != 0 || !ks_str_to_int64(ks_str_from(peer + 3), &fd))
        return KS_RC_OK;
    pthread_mutex_lock(&d->lock);
    c = find(d, (int)fd);
    if (c) {
        c->refs++;
        *out_calls = ++c->calls;
    }
    pthread_mutex_unlock(&d->lock);
    *out_conn = c;
    return c ? KS_RC_OK : KS_RC_NOTFOUND;
}

void ks_door_leave(struct ks_door *d, struct ks_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&d->lock);
    c->calls--;
    conn_unref(c);
    pthread_mutex_unlock(&d->lock);
}

ks_limit ks_conn_over(const struct ks_conn *c)
{
    return c->over;
}

int64_t ks_conn_age_ms(const struct ks_conn *c)
{
    return ks_mono_ms() - c->since_ms;
}

static void door_ring(struct ks_door *d)
{
    const uint64_t one = 1;
    ssize_t n = write(d->bell.fd, &one, sizeof(one));

    (void)n; /* an eventfd refuses only when it would overflow */
}

void ks_door_shut(struct ks_door *d)
{
    atomic_store(&d->must_shut, true);
    door_ring(d);
}

struct ks_door *ks_door_free(struct ks_door *d)
{
    if (!d)
        return NULL;
    if (d->is_started) {
        atomic_store(&d->must_end, true);
        door_ring(d);
        (void)pthread_join(d->thread, NULL); /* fails only on a thread that is none */
    }
    door_shut_off(d);
    while (!ks_list_is_empty(&d->open))
        conn_close(d, KS_CONTAINER_OF(d->open.next, struct ks_conn, link));
    door_bury(d);
    fd_close(d->bell.fd);
    fd_close(d->spare);
    fd_close(d->epoll);
    (void)pthread_mutex_destroy(&d->lock); /* nobody holds it */
    ks_free(d);
    return NULL;
}
