/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP port. Pages are rows of a table; each fills a buffer and says the status.
 *
 * Invariants: 1. no request body is ever read; 2. nothing from a request is echoed or logged.
 *
 * Thread: pages run on libmicrohttpd's own thread, one at a time.
 */
#include "server/web/http.h"

#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/alloc.h"
#include "base/str.h"

#define PAGE_MAX_BYTES (1u << 20)
#define CONNECTIONS_MAX 64u
#define CONNECTIONS_PER_ADDRESS 8u
#define IDLE_TIMEOUT_S 10u
#define CONNECTION_MEMORY 16384

struct ks_http_port {
    struct ks_http_port_config config;
    struct MHD_Daemon *daemon;
    struct ks_log_limit limit;
    char address[KS_ADDRESS_TEXT_MAX];
};

struct page {
    const char *path;
    const char *content_type;
    unsigned (*fill)(struct ks_http_port *port, struct ks_buf *out);
};

#define TEXT_PLAIN "text/plain; charset=utf-8"

static unsigned fill_text(struct ks_buf *out, unsigned status, struct ks_str text)
{
    return ks_buf_append_str(out, text) ? MHD_HTTP_INTERNAL_SERVER_ERROR : status;
}

static unsigned fill_healthz(struct ks_http_port *port, struct ks_buf *out)
{
    if (ks_metrics_get(port->config.metrics, KS_METRIC_LISTENING))
        return fill_text(out, MHD_HTTP_OK, KS_LIT("ok\n"));
    return fill_text(out, MHD_HTTP_SERVICE_UNAVAILABLE,
                     KS_LIT("the gRPC port does not answer any more\n"));
}

static unsigned fill_readyz(struct ks_http_port *port, struct ks_buf *out)
{
    if (ks_metrics_get(port->config.metrics, KS_METRIC_READY))
        return fill_text(out, MHD_HTTP_OK, KS_LIT("ok\n"));
    return fill_text(out, MHD_HTTP_SERVICE_UNAVAILABLE, KS_LIT("shutting down\n"));
}

static unsigned fill_metrics(struct ks_http_port *port, struct ks_buf *out)
{
    port->config.collect(port->config.ctx);
    ks_metrics_collect_process(port->config.metrics);
    return ks_metrics_render(port->config.metrics, out) ? MHD_HTTP_INTERNAL_SERVER_ERROR
                                                        : MHD_HTTP_OK;
}

static unsigned fill_not_found(struct ks_http_port *port, struct ks_buf *out)
{
    (void)port;
    return fill_text(out, MHD_HTTP_NOT_FOUND,
                     KS_LIT("kstatusd serves /healthz, /readyz and /metrics here\n"));
}

static unsigned fill_not_allowed(struct ks_http_port *port, struct ks_buf *out)
{
    (void)port;
    return fill_text(out, MHD_HTTP_METHOD_NOT_ALLOWED, KS_LIT("only GET and HEAD\n"));
}

static const struct page pages[] = {
    {"/healthz", TEXT_PLAIN, fill_healthz},
    {"/readyz", TEXT_PLAIN, fill_readyz},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", fill_metrics},
};
static const struct page not_found = {NULL, TEXT_PLAIN, fill_not_found};
static const struct page not_allowed = {NULL, TEXT_PLAIN, fill_not_allowed};

static const struct page *page_find(const char *method, const char *path)
{
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return &not_allowed;
    for (size_t i = 0; i < KS_ARRAY_LEN(pages); i++) {
        if (strcmp(path, pages[i].path) == 0)
            return &pages[i];
    }
    return &not_found;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status,
                               const char *content_type, const struct ks_buf *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* libmicrohttpd's own signature. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct ks_http_port *port = ctx;
    const struct page *page = page_find(method, url);
    KS_CLEANUP(ks_buf_fini) struct ks_buf body = KS_BUF(PAGE_MAX_BYTES);
    unsigned status;

    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    status = page->fill(port, &body);
    if (status == MHD_HTTP_INTERNAL_SERVER_ERROR)
        ks_buf_clear(&body);
    return respond(connection, status, page->content_type, &body);
}

/* Its lines may quote a peer's bytes: only that there was one is told. */
static void on_line(void *ctx, const char *format, va_list args)
{
    struct ks_http_port *port = ctx;
    unsigned dropped = 0;

    (void)args;
    if (ks_log_limit_pass(&port->limit, ks_clock_real.mono_ms(&ks_clock_real), &dropped))
        ks_log(port->config.log, KS_LOG_DEBUG, "HTTP library", KS_F_STR("format", format),
               KS_F_INT("dropped", dropped));
}

static ks_rc port_start(struct ks_http_port *port, int fd, struct ks_error *err)
{
    port->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, port,
        MHD_OPTION_EXTERNAL_LOGGER, on_line, port, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (port->daemon)
        return KS_RC_OK;
    (void)close(fd); /* nothing was written */
    return ks_fail(err, KS_RC_IO, "the HTTP port %s cannot be served", port->address);
}

ks_rc ks_http_port_new(const struct ks_http_port_config *config, struct ks_http_port **out,
                       struct ks_error *err)
{
    struct ks_http_port *port = ks_alloc0(sizeof(*port));
    uint16_t number = 0;
    ks_rc rc;
    int fd;

    if (!port)
        return ks_fail(err, KS_RC_NOMEM, "HTTP port: out of memory");
    port->config = *config;
    port->limit = (struct ks_log_limit){.window_ms = 10000, .burst = 5};
    rc = ks_address_listen(config->address, &fd, &number, err);
    if (rc == KS_RC_OK) {
        ks_address_format(config->address, number, port->address);
        rc = port_start(port, fd, err);
    }
    if (rc) {
        ks_free(port);
        return ks_wrap(err, rc, "--http");
    }
    *out = port;
    return KS_RC_OK;
}

const char *ks_http_port_address(const struct ks_http_port *port)
{
    return port->address;
}

struct ks_http_port *ks_http_port_free(struct ks_http_port *port)
{
    if (!port)
        return NULL;
    MHD_stop_daemon(port->daemon); /* closes the listening socket too */
    if (port->config.address->kind == KS_ADDRESS_UNIX)
        (void)unlink(port->config.address->path); /* one that somebody removed is gone as well */
    ks_free(port);
    return NULL;
}
