/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripted server: one thread polls the listening socket, a wake-up pipe and the connections.
 * What the test says goes through one lock; a request is answered under it, so that a count and an
 * answer always belong together.
 *
 * It does not: read bodies, keep more than one request of a connection, or speak HTTP/2.
 */
#include "support/script_server.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "base/base.h"

#define MAX_ANSWERS 64
#define MAX_REQUESTS 512
#define MAX_CONNECTIONS 64
#define MAX_HEAD 8192

struct connection {
    int fd;
    size_t len;
    char head[MAX_HEAD];
};

struct script_server {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    int listener;         /* -1: down */
    int wake[2];
    int port;
    bool is_ending;
    char url[64];
    struct script_answer answers[MAX_ANSWERS];
    size_t answer_count;
    char *requests[MAX_REQUESTS]; /* whole heads */
    size_t request_count;
    struct connection connections[MAX_CONNECTIONS];
    size_t connection_count;
};

static void listen_on(struct script_server *s, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int on = 1;
    int failed;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert(s->listener >= 0);
    failed = setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
             bind(s->listener, (struct sockaddr *)&address, len) || listen(s->listener, 64) ||
             getsockname(s->listener, (struct sockaddr *)&address, &len);
    assert(!failed);
    s->port = ntohs(address.sin_port);
}

static void connection_close(struct script_server *s, size_t i)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(s->connections[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(s->connections[i].fd);
    s->connections[i] = s->connections[--s->connection_count];
}

/* The n-th word of the request line. */
static size_t word_of(const char *head, int n, const char **out)
{
    for (; n > 0; n--)
        head += strcspn(head, " ") + 1;
    *out = head;
    return strcspn(head, " ");
}

static bool is_path(const char *head, const char *path)
{
    const char *word;
    size_t len = word_of(head, 1, &word);

    return strlen(path) == len && memcmp(word, path, len) == 0;
}

static const char *header_of(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2];
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 2 + len + 1 + strspn(line + 2 + len + 1, " ");
    }
    return "";
}

static bool answer_fits(const struct script_answer *a, const char *head)
{
    if (!is_path(head, a->path))
        return false;
    return !a->accept || strncmp(header_of(head, "Accept"), a->accept, strlen(a->accept)) == 0;
}

/* A later answer wins, so that one for an Accept can be added to one for any. */
static const struct script_answer *answer_find(const struct script_server *s, const char *head)
{
    for (size_t i = s->answer_count; i > 0; i--) {
        if (answer_fits(&s->answers[i - 1], head))
            return &s->answers[i - 1];
    }
    return NULL;
}

static void write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the client is gone, which its side of the test will tell */
        data += n;
        len -= (size_t)n;
    }
}

/* False: the connection is to be closed. */
static bool request_answer(struct script_server *s, struct connection *c)
{
    static const struct script_answer unknown = {.status = 404, .body = "404 page not found\n"};
    const struct script_answer *a = answer_find(s, c->head);
    char head[1024];
    size_t body_len;
    int n;

    if (s->request_count < MAX_REQUESTS)
        s->requests[s->request_count++] = ks_strdup(c->head);
    a = a ? a : &unknown;
    if (!a->status)
        return false;
    body_len = a->body && a->status != 304 ? strlen(a->body) : 0;
    n = snprintf(head, sizeof(head), "HTTP/1.1 %d Answer\r\n%sContent-Length: %zu\r\n\r\n",
                 a->status, a->headers ? a->headers : "", body_len);
    assert(n > 0 && (size_t)n < sizeof(head));
    write_all(c->fd, head, (size_t)n);
    write_all(c->fd, a->body, body_len);
    return true;
}

static bool connection_read(struct script_server *s, struct connection *c)
{
    ssize_t n = recv(c->fd, c->head + c->len, sizeof(c->head) - 1 - c->len, 0);

    if (n <= 0)
        return false;
    c->len += (size_t)n;
    c->head[c->len] = '\0';
    if (!strstr(c->head, "\r\n\r\n"))
        return c->len < sizeof(c->head) - 1;
    c->len = 0;
    return request_answer(s, c);
}

static void connection_accept(struct script_server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    assert(s->connection_count < MAX_CONNECTIONS);
    s->connections[s->connection_count++] = (struct connection){.fd = fd};
}

static size_t polls_fill(const struct script_server *s, struct pollfd *polls)
{
    size_t n = 0;

    polls[n++] = (struct pollfd){.fd = s->wake[0], .events = POLLIN};
    polls[n++] = (struct pollfd){.fd = s->listener, .events = POLLIN}; /* poll ignores -1 */
    for (size_t i = 0; i < s->connection_count; i++)
        polls[n++] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
    return n;
}

/* From the last to the first, as closing one moves the last into its place. Only those polled are
 * looked at. */
static void polls_serve(struct script_server *s, const struct pollfd *polls, size_t count)
{
    char byte;

    if (polls[0].revents)
        (void)!read(s->wake[0], &byte, 1); /* what it woke us for stands in the struct */
    for (size_t i = count; i > 2; i--) {
        size_t at = i - 3;

        if (!polls[i - 1].revents || at >= s->connection_count ||
            s->connections[at].fd != polls[i - 1].fd)
            continue;
        if (!connection_read(s, &s->connections[at]))
            connection_close(s, at);
    }
    if (polls[1].revents && s->listener == polls[1].fd)
        connection_accept(s);
}

static void *serve(void *arg)
{
    struct script_server *s = arg;
    struct pollfd polls[MAX_CONNECTIONS + 2];
    bool is_ending = false;

    while (!is_ending) {
        size_t count;

        pthread_mutex_lock(&s->lock);
        count = polls_fill(s, polls);
        pthread_mutex_unlock(&s->lock);
        (void)poll(polls, (nfds_t)count, -1); /* on EINTR no revents are set */
        pthread_mutex_lock(&s->lock);
        polls_serve(s, polls, count);
        is_ending = s->is_ending;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void wake(struct script_server *s)
{
    ssize_t n = write(s->wake[1], "", 1);

    assert(n == 1);
}

struct script_server *script_server_start(void)
{
    struct script_server *s = ks_alloc0(sizeof(*s));
    int failed;

    assert(s);
    pthread_mutex_init(&s->lock, NULL);
    listen_on(s, 0);
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port); /* fits */
    failed = pipe(s->wake) || pthread_create(&s->thread, NULL, serve, s);
    assert(!failed);
    return s;
}

void script_server_stop(struct script_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_ending = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    while (s->connection_count)
        connection_close(s, s->connection_count - 1);
    if (s->listener >= 0)
        (void)close(s->listener);
    (void)close(s->wake[0]);
    (void)close(s->wake[1]);
    for (size_t i = 0; i < s->request_count; i++)
        ks_free(s->requests[i]);
    pthread_mutex_destroy(&s->lock);
    ks_free(s);
}

const char *script_server_url(const struct script_server *s)
{
    return s->url;
}

static bool same_key(const struct script_answer *a, const struct script_answer *b)
{
    return strcmp(a->path, b->path) == 0 &&
           (a->accept == b->accept || (a->accept && b->accept && !strcmp(a->accept, b->accept)));
}

void script_server_set(struct script_server *s, const struct script_answer *answer)
{
    size_t i = 0;

    pthread_mutex_lock(&s->lock);
    while (i < s->answer_count && !same_key(&s->answers[i], answer))
        i++;
    assert(i < MAX_ANSWERS);
    s->answers[i] = *answer;
    if (i == s->answer_count)
        s->answer_count++;
    pthread_mutex_unlock(&s->lock);
}

void script_server_set_up(struct script_server *s, bool is_up)
{
    pthread_mutex_lock(&s->lock);
    if (is_up && s->listener < 0) {
        listen_on(s, s->port);
    } else if (!is_up && s->listener >= 0) {
        (void)close(s->listener);
        s->listener = -1;
        while (s->connection_count)
            connection_close(s, s->connection_count - 1);
    }
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

unsigned script_server_count(struct script_server *s, const char *path)
{
    unsigned n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->request_count; i++)
        n += !path || is_path(s->requests[i], path);
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool script_server_had_header(struct script_server *s, const char *path, const char *line)
{
    const char *last = NULL;
    bool had;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->request_count; i++) {
        if (is_path(s->requests[i], path))
            last = s->requests[i];
    }
    had = last && strcasestr(last, line);
    pthread_mutex_unlock(&s->lock);
    return had;
}
