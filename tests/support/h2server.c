/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2server's thread: sockets, TLS and commands.
 *
 * The model: one poll loop. A command from the test's thread is put under the lock, the loop is
 * woken, carries it out and tells when it is done; so a test knows that what it asked for has
 * happened.
 *
 * Invariants: 1. everything but the command block belongs to the server's thread; 2. a connection
 * is freed only at the end of a round, when nothing points to it.
 *
 * Does not: care for speed.
 */
#include "support/h2server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/alloc.h"
#include "support/h2server_internal.h"

#define CONNS_MAX 1024
#define BODY_MAX ((size_t)64 << 20)

struct stream *h2server_stream_new(struct conn *conn, int32_t id)
{
    struct stream *stream = ks_alloc0(sizeof(*stream));
    unsigned open = 0;

    assert(stream);
    stream->conn = conn;
    stream->id = id;
    ks_buf_init(&stream->request, BODY_MAX);
    ks_buf_init(&stream->body, BODY_MAX);
    ks_list_push(&conn->streams, &stream->link);
    conn->server->counts.streams++;
    KS_LIST_FOREACH(link, &conn->streams)
    open++;
    if (open > conn->server->counts.most_streams)
        conn->server->counts.most_streams = open;
    return stream;
}

void h2server_stream_free(struct stream *stream)
{
    stream->conn->server->counts.streams--;
    if (stream->is_held)
        stream->conn->server->counts.held--;
    ks_list_remove(&stream->link);
    ks_buf_fini(&stream->request);
    ks_buf_fini(&stream->body);
    ks_free(stream);
}

static void stream_answer(struct stream *stream)
{
    stream->is_held = false;
    if (ks_str_is(ks_str_from(stream->path), "/silent"))
        return;
    stream->is_answered = true;
    if (stream->conn->session)
        h2server_h2_answer(stream);
    else
        h2server_http1_answer(stream); /* may have freed it */
}

void h2server_request(struct stream *stream)
{
    struct h2server *s = stream->conn->server;

    s->counts.requests++;
    h2server_route(stream);
    if (s->is_held) {
        stream->is_held = true;
        s->counts.held++;
        return;
    }
    stream_answer(stream);
}

static void conn_free(struct conn *conn)
{
    struct ks_list *link;

    while ((link = conn->streams.next) != &conn->streams)
        h2server_stream_free(KS_CONTAINER_OF(link, struct stream, link));
    if (conn->session)
        nghttp2_session_del(conn->session);
    SSL_free(conn->ssl);
    (void)close(conn->fd); /* nothing to do about an error */
    ks_buf_fini(&conn->in);
    ks_buf_fini(&conn->out);
    ks_list_remove(&conn->link);
    conn->server->counts.connections--;
    ks_free(conn);
}

/* With a reset instead of an orderly end. */
static void conn_cut(struct conn *conn)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); /* cannot fail */
    conn->is_dead = true;
}

static void conn_accept(struct h2server *s)
{
    struct conn *conn;
    const int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    conn = ks_alloc0(sizeof(*conn));
    assert(conn);
    conn->server = s;
    conn->fd = fd;
    ks_list_init(&conn->streams);
    ks_buf_init(&conn->in, BODY_MAX);
    ks_buf_init(&conn->out, 2 * BODY_MAX);
    ks_list_push(&s->conns, &conn->link);
    s->counts.accepted++;
    s->counts.connections++;
    if (!s->tls) {
        conn->is_ready = true;
        return;
    }
    conn->ssl = SSL_new(s->tls);
    assert(conn->ssl);
    SSL_set_fd(conn->ssl, fd);
    SSL_set_accept_state(conn->ssl);
}

static bool conn_must_wait(struct conn *conn, int rc)
{
    const int why = conn->ssl ? SSL_get_error(conn->ssl, rc) : SSL_ERROR_NONE;

    if (!conn->ssl)
        return rc < 0 && errno == EAGAIN;
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void conn_shake_hands(struct conn *conn)
{
    const int rc = SSL_do_handshake(conn->ssl);

    if (rc != 1) {
        conn->is_dead = !conn_must_wait(conn, rc);
        return;
    }
    conn->is_ready = true;
    if (conn->server->config.protocol == H2SERVER_H2)
        h2server_h2_open(conn);
}

static void conn_read(struct conn *conn)
{
    uint8_t bytes[16384];

    if (!conn->is_ready)
        conn_shake_hands(conn);
    while (conn->is_ready && !conn->is_dead) {
        const int rc = conn->ssl ? SSL_read(conn->ssl, bytes, sizeof(bytes))
                                 : (int)read(conn->fd, bytes, sizeof(bytes));

        if (rc <= 0) {
            conn->is_dead = !conn_must_wait(conn, rc);
            return;
        }
        if (!conn->session)
            h2server_http1_take(conn, bytes, (size_t)rc);
        else if (!h2server_h2_take(conn, bytes, (size_t)rc))
            conn->is_dead = true;
    }
}

static void conn_write(struct conn *conn)
{
    if (conn->session)
        h2server_h2_pump(conn);
    while (conn->is_ready && conn->out_sent < conn->out.len) {
        const char *from = conn->out.data + conn->out_sent;
        const size_t len = conn->out.len - conn->out_sent;
        const int rc = conn->ssl ? SSL_write(conn->ssl, from, len > 16384 ? 16384 : (int)len)
                                 : (int)send(conn->fd, from, len, MSG_NOSIGNAL);

        if (rc <= 0) {
            conn->is_dead = conn->is_dead || !conn_must_wait(conn, rc);
            return;
        }
        conn->out_sent += (size_t)rc;
    }
    ks_buf_clear(&conn->out);
    conn->out_sent = 0;
}

static void conn_settle(struct conn *conn)
{
    if (!conn->is_dead)
        conn_read(conn); /* TLS may hold bytes that poll does not see */
    conn_write(conn);
    if (conn->is_dead)
        conn_free(conn);
}

static void conn_each_stream(struct conn *conn,
                             void (*fn)(struct h2server *s, struct stream *stream))
{
    KS_LIST_FOREACH(link, &conn->streams)
    fn(conn->server, KS_CONTAINER_OF(link, struct stream, link)); /* may free it */
}

static void streams_each(struct h2server *s, void (*fn)(struct h2server *s, struct stream *stream))
{
    KS_LIST_FOREACH(link, &s->conns)
    conn_each_stream(KS_CONTAINER_OF(link, struct conn, link), fn);
}

static void stream_let_go(struct h2server *s, struct stream *stream)
{
    if (!stream->is_held || s->number == 0)
        return;
    s->number--;
    s->counts.held--;
    stream_answer(stream);
}

static void stream_add(struct h2server *s, struct stream *stream)
{
    if (!ks_str_starts(ks_str_from(stream->path), KS_LIT("/watch")) || !stream->is_answered)
        return;
    if (s->path && !ks_str_is(ks_str_from(stream->path), s->path))
        return;
    if (s->command == CMD_END)
        stream->is_complete = true;
    else if (ks_buf_append_str(&stream->body, ks_str_from(s->text)))
        stream->conn->is_dead = true;
    if (stream->conn->session)
        h2server_h2_resume(stream);
    else
        h2server_http1_resume(stream); /* may have freed it */
}

static void stream_reset(struct h2server *s, struct stream *stream)
{
    (void)s; /* the form of streams_each */
    if (stream->reset_code < 0 || !stream->is_answered)
        return;
    if (stream->conn->session)
        h2server_h2_reset(stream);
    else
        stream->conn->is_dead = true;
}

static void server_obey(struct h2server *s)
{
    if (s->command == CMD_HOLD)
        s->is_held = s->number != 0;
    if (s->command == CMD_HOLD && !s->is_held)
        s->number = INT64_MAX;
    if (s->command == CMD_LET_GO || (s->command == CMD_HOLD && !s->is_held))
        streams_each(s, stream_let_go);
    else if (s->command == CMD_SAY || s->command == CMD_END)
        streams_each(s, stream_add);
    else if (s->command == CMD_RESET)
        streams_each(s, stream_reset);
    else if (s->command == CMD_FREEZE)
        s->is_frozen = s->number != 0;
    else if (s->command == CMD_STOP)
        s->is_stopping = true;
    KS_LIST_FOREACH(link, &s->conns)
    {
        struct conn *conn = KS_CONTAINER_OF(link, struct conn, link);

        if (s->command == CMD_GOAWAY && conn->session)
            h2server_h2_goaway(conn, (int32_t)s->number);
        if (s->command == CMD_CUT || s->command == CMD_STOP)
            conn_cut(conn);
        if (conn->is_dead)
            conn_free(conn);
        else if (!s->is_frozen)
            conn_write(conn);
    }
    s->answer = s->counts;
}

static void server_take_command(struct h2server *s)
{
    uint64_t rings;

    (void)!read(s->wake_fd, &rings, sizeof(rings)); /* empty is fine */
    pthread_mutex_lock(&s->lock);
    if (s->command != CMD_NONE) {
        server_obey(s);
        s->command = CMD_NONE;
        pthread_cond_signal(&s->done);
    }
    pthread_mutex_unlock(&s->lock);
}

static void server_round(struct h2server *s)
{
    struct pollfd fds[2 + CONNS_MAX];
    nfds_t count = 0;

    fds[count++] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = s->is_frozen ? -1 : s->listener, .events = POLLIN};
    KS_LIST_FOREACH(link, &s->conns)
    {
        const struct conn *conn = KS_CONTAINER_OF(link, struct conn, link);

        assert(count < KS_ARRAY_LEN(fds));
        fds[count++] = (struct pollfd){
            .fd = s->is_frozen ? -1 : conn->fd,
            .events = (short)(POLLIN | (conn->out_sent < conn->out.len ? POLLOUT : 0)),
        };
    }
    (void)poll(fds, count, -1); /* EINTR: another round */
    if (fds[1].revents)
        conn_accept(s);
    if (!s->is_frozen) {
        KS_LIST_FOREACH(pos, &s->conns)
        conn_settle(KS_CONTAINER_OF(pos, struct conn, link)); /* may free it */
    }
    if (fds[0].revents)
        server_take_command(s);
}

static void *server_main(void *ctx)
{
    struct h2server *s = ctx;
    sigset_t pipe_signal;

    /* On this thread only: that the transport needs no such thing is tested along. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL); /* cannot fail with these arguments */
    while (!s->is_stopping)
        server_round(s);
    return NULL;
}

static struct h2server_counts command(struct h2server *s, int what, const char *text,
                                      int64_t number)
{
    const uint64_t one = 1;
    struct h2server_counts answer;

    pthread_mutex_lock(&s->lock);
    s->command = (unsigned)what;
    s->text = text;
    s->number = number;
    (void)!write(s->wake_fd, &one, sizeof(one)); /* cannot be full */
    while (s->command != CMD_NONE)
        pthread_cond_wait(&s->done, &s->lock);
    answer = s->answer;
    pthread_mutex_unlock(&s->lock);
    return answer;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *ctx)
{
    static const unsigned char h2[] = "\x02h2";
    static const unsigned char http1[] = "\x08http/1.1";
    const struct h2server *s = ctx;
    const bool is_h2 = s->config.protocol == H2SERVER_H2;
    unsigned char *chosen;

    (void)ssl; /* OpenSSL's form */
    if (SSL_select_next_proto(&chosen, out_len, is_h2 ? h2 : http1,
                              is_h2 ? sizeof(h2) - 1 : sizeof(http1) - 1, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static X509 *pem_cert(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert(cert);
    BIO_free(bio);
    return cert;
}

static void server_set_tls(struct h2server *s)
{
    BIO *bio = BIO_new_mem_buf(s->config.key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *cert = pem_cert(s->config.cert);

    s->tls = SSL_CTX_new(TLS_server_method());
    assert(s->tls && key);
    SSL_CTX_use_certificate(s->tls, cert);
    SSL_CTX_use_PrivateKey(s->tls, key);
    SSL_CTX_set_alpn_select_cb(s->tls, on_alpn, s);
    SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (s->config.client_ca) {
        X509 *ca = pem_cert(s->config.client_ca);

        X509_STORE_add_cert(SSL_CTX_get_cert_store(s->tls), ca);
        SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        X509_free(ca);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

struct h2server *h2server_start(const struct h2server_config *config)
{
    struct h2server *s = ks_alloc0(sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int rc;

    assert(s);
    s->config = *config;
    ks_list_init(&s->conns);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->done, NULL);
    if (config->protocol != H2SERVER_HTTP1_PLAIN)
        server_set_tls(s);
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc = bind(s->listener, (struct sockaddr *)&address, len);
    assert(s->wake_fd >= 0 && rc == 0);
    rc = listen(s->listener, 512);
    assert(rc == 0);
    rc = getsockname(s->listener, (struct sockaddr *)&address, &len);
    assert(rc == 0);
    s->port = ntohs(address.sin_port);
    rc = pthread_create(&s->thread, NULL, server_main, s);
    assert(rc == 0);
    (void)rc;
    return s;
}

void h2server_stop(struct h2server *s)
{
    (void)command(s, CMD_STOP, NULL, 0);
    (void)pthread_join(s->thread, NULL); /* it is there */
    (void)close(s->listener);            /* nothing to do about errors */
    (void)close(s->wake_fd);
    SSL_CTX_free(s->tls);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    ks_free(s);
}

int h2server_port(const struct h2server *s)
{
    return s->port;
}

struct h2server_counts h2server_count(struct h2server *s)
{
    return command(s, CMD_COUNT, NULL, 0);
}

void h2server_hold(struct h2server *s, bool is_held)
{
    (void)command(s, CMD_HOLD, NULL, is_held);
}

void h2server_let_go(struct h2server *s, unsigned count)
{
    (void)command(s, CMD_LET_GO, NULL, count);
}

void h2server_say(struct h2server *s, const char *text)
{
    (void)command(s, CMD_SAY, text, 0);
}

void h2server_say_to(struct h2server *s, const char *path, const char *text)
{
    s->path = path; /* read only while a command is carried out */
    (void)command(s, CMD_SAY, text, 0);
    s->path = NULL;
}

void h2server_end(struct h2server *s)
{
    (void)command(s, CMD_END, NULL, 0);
}

void h2server_reset(struct h2server *s)
{
    (void)command(s, CMD_RESET, NULL, 0);
}

void h2server_goaway(struct h2server *s, int32_t last_stream_id)
{
    (void)command(s, CMD_GOAWAY, NULL, last_stream_id);
}

void h2server_cut(struct h2server *s)
{
    (void)command(s, CMD_CUT, NULL, 0);
}

void h2server_freeze(struct h2server *s, bool is_frozen)
{
    (void)command(s, CMD_FREEZE, NULL, is_frozen);
}
