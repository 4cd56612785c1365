/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of one API server: the current one, and those that retired with requests still on
 * them.
 *
 * libcurl compares certificates but not keys when it reuses a connection, and a live handle cannot
 * change its certificate; so each set of certificates has a transport of its own.
 *
 * Invariants: (1) `current` is never idle-freed, a retired transport is freed once nobody uses it;
 * (2) that never happens within a callback of the transport: a timer does it; (3) a file that
 * cannot be read leaves the old certificate in use.
 *
 * Thread: the loop's.
 */
#include "kube/endpoint.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/list.h"
#include "base/str.h"
#include "http/transport.h"

#define FILES_REREAD_MS ((int64_t)5 * 60 * 1000)
#define SUSPECT_REREAD_MS 10000
#define MAX_PEM_BYTES ((size_t)1 << 20)
#define MAX_TRANSPORTS 8

/* What a transport is bound to. */
struct identity {
    char *ca;
    char *cert;
    char *key;
};

struct identity_view {
    const char *ca;
    const char *cert;
    const char *key;
};

struct ks_transport {
    struct ks_list link;
    struct ks_http *http;
    struct identity identity;
    uint32_t users;
};

struct ks_endpoint {
    struct ks_loop *loop;
    const struct ks_kube_config *config;
    const struct ks_kube_options *options;
    struct identity
        files; /* as last read from the configuration's files; members are NULL for those without */
    int64_t read_ms;
    bool is_suspect; /* they did not work: look again sooner */
    struct ks_transport *current;
    struct ks_list retired;
    uint32_t retired_count;
    uint64_t past_connects;
    struct ks_timer sweep;
};

static void identity_fini(struct identity *id)
{
    ks_free(id->ca);
    ks_free(id->cert);
    if (id->key)
        ks_free_secret(id->key, strlen(id->key));
    *id = (struct identity){0};
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool text_copy(char **out, const char *text)
{
    *out = text ? ks_strdup(text) : NULL;
    return !text || *out;
}

static struct ks_transport *transport_free(struct ks_endpoint *ep, struct ks_transport *t)
{
    struct ks_http_stats stats = {0};

    if (!t)
        return NULL;
    assert(t->users == 0);
    if (t->http) {
        ks_http_get_stats(t->http, &stats);
        ep->past_connects += stats.connects;
    }
    ks_list_remove(&t->link);
    ks_http_free(t->http);
    identity_fini(&t->identity);
    ks_free(t);
    return NULL;
}

static ks_rc transport_new(struct ks_endpoint *ep, const struct identity_view *id,
                           struct ks_transport **out, struct ks_error *err)
{
    struct ks_transport *t = ks_alloc0(sizeof(*t));
    ks_rc rc;

    if (!t)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a transport");
    ks_list_init(&t->link);
    if (!text_copy(&t->identity.ca, id->ca) || !text_copy(&t->identity.cert, id->cert) ||
        !text_copy(&t->identity.key, id->key)) {
        transport_free(ep, t);
        return ks_fail(err, KS_RC_NOMEM, "no memory for certificates");
    }
    rc = ks_http_new(ep->loop,
                     &(struct ks_http_config){
                         .url = ep->config->server,
                         .tls_server_name = ep->config->tls_server_name,
                         .ca_pem = t->identity.ca,
                         .cert_pem = t->identity.cert,
                         .key_pem = t->identity.key,
                         .is_insecure = ep->config->is_insecure,
                         .proxy_url = ep->config->proxy_url,
                         .user_agent = ep->options->user_agent,
                         .probe_path = "/version",
                         .connect_timeout_ms = ep->options->connect_timeout_ms,
                         .probe_idle_ms = ep->options->probe_idle_ms,
                         .probe_timeout_ms = ep->options->probe_timeout_ms,
                     },
                     &t->http, err);
    if (rc) {
        transport_free(ep, t);
        return rc;
    }
    *out = t;
    return KS_RC_OK;
}

static void on_sweep(struct ks_timer *timer)
{
    struct ks_endpoint *ep = KS_CONTAINER_OF(timer, struct ks_endpoint, sweep);

    KS_LIST_FOREACH(pos, &ep->retired)
    {
        struct ks_transport *t = KS_CONTAINER_OF(pos, struct ks_transport, link);

        if (t->users)
            continue;
        transport_free(ep, t);
        ep->retired_count--;
    }
}

/* The view of what the configuration names now: file contents win over what was read when it was
 * loaded. */
static struct identity_view identity_of(const struct ks_endpoint *ep, const char *cert,
                                        const char *key)
{
    const struct ks_kube_config *config = ep->config;
    struct identity_view id = {
        .ca = ep->files.ca ? ep->files.ca : config->ca_pem,
        .cert = ep->files.cert ? ep->files.cert : config->cert_pem,
        .key = ep->files.key ? ep->files.key : config->key_pem,
    };

    if (cert) {
        id.cert = cert;
        id.key = key;
    }
    return id;
}

static void file_reread(const char *path, char **content)
{
    struct ks_buf text;

    if (!path)
        return;
    ks_buf_init(&text, MAX_PEM_BYTES);
    if (!ks_file_read(path, &text, NULL) && text.len) {
        if (*content)
            ks_free_secret(*content, strlen(*content));
        *content = ks_buf_take(&text);
    }
    ks_buf_fini(&text);
}

static void files_reread(struct ks_endpoint *ep)
{
    int64_t now_ms = ks_loop_now_ms(ep->loop);
    int64_t wait_ms = ep->is_suspect ? SUSPECT_REREAD_MS : FILES_REREAD_MS;

    if (now_ms - ep->read_ms < wait_ms)
        return;
    ep->read_ms = now_ms;
    ep->is_suspect = false;
    file_reread(ep->config->ca_file, &ep->files.ca);
    file_reread(ep->config->cert_file, &ep->files.cert);
    file_reread(ep->config->key_file, &ep->files.key);
}

ks_rc ks_endpoint_new(struct ks_loop *loop, const struct ks_kube_config *config,
                      const struct ks_kube_options *options, struct ks_endpoint **out,
                      struct ks_error *err)
{
    struct ks_endpoint *ep = ks_alloc0(sizeof(*ep));
    struct identity_view id;
    ks_rc rc;

    if (!ep)
        return ks_fail(err, KS_RC_NOMEM, "no memory for an endpoint");
    ep->loop = loop;
    ep->config = config;
    ep->options = options;
    ep->read_ms = ks_loop_now_ms(loop);
    ks_list_init(&ep->retired);
    ks_timer_init(&ep->sweep, loop, on_sweep);
    id = identity_of(ep, NULL, NULL);
    rc = transport_new(ep, &id, &ep->current, err);
    if (rc) {
        ks_endpoint_free(ep);
        return rc;
    }
    *out = ep;
    return KS_RC_OK;
}

struct ks_endpoint *ks_endpoint_free(struct ks_endpoint *ep)
{
    if (!ep)
        return NULL;
    ks_timer_stop(&ep->sweep);
    while (!ks_list_is_empty(&ep->retired))
        transport_free(ep, KS_CONTAINER_OF(ep->retired.next, struct ks_transport, link));
    transport_free(ep, ep->current);
    identity_fini(&ep->files);
    ks_free(ep);
    return NULL;
}

static bool identity_equals(const struct identity *a, const struct identity_view *b)
{
    return same_text(a->ca, b->ca) && same_text(a->cert, b->cert) && same_text(a->key, b->key);
}

static ks_rc transport_replace(struct ks_endpoint *ep, const struct identity_view *id,
                               struct ks_error *err)
{
    struct ks_transport *fresh = NULL;
    ks_rc rc;

    if (ep->retired_count >= MAX_TRANSPORTS)
        return ks_fail(err, KS_RC_LIMIT,
                       "the client certificate changes faster than requests with the old one end");
    rc = transport_new(ep, id, &fresh, err);
    if (rc)
        return rc;
    ks_list_push(&ep->retired, &ep->current->link);
    ep->retired_count++;
    ep->current = fresh;
    ks_timer_start(&ep->sweep, 0);
    return KS_RC_OK;
}

ks_rc ks_endpoint_enter(struct ks_endpoint *ep, const char *cert_pem, const char *key_pem,
                        struct ks_transport **out, struct ks_error *err)
{
    struct identity_view wanted;
    ks_rc rc = KS_RC_OK;

    files_reread(ep);
    wanted = identity_of(ep, cert_pem, key_pem);
    if (!identity_equals(&ep->current->identity, &wanted))
        rc = transport_replace(ep, &wanted, err);
    /* Files may be half replaced, the certificate but not yet its key: the old pair serves until
     * they match. */
    if (rc && cert_pem)
        return rc;
    ep->current->users++;
    *out = ep->current;
    return KS_RC_OK;
}

void ks_endpoint_leave(struct ks_endpoint *ep, struct ks_transport *t)
{
    assert(t->users > 0);
    t->users--;
    if (!t->users && t != ep->current)
        ks_timer_start(&ep->sweep, 0);
}

void ks_endpoint_suspect(struct ks_endpoint *ep)
{
    ep->is_suspect = true;
}

struct ks_http *ks_transport_http(struct ks_transport *t)
{
    return t->http;
}

static void stats_add(const struct ks_transport *t, struct ks_endpoint_stats *sum)
{
    struct ks_http_stats stats = {0};

    ks_http_get_stats(t->http, &stats);
    sum->connections += stats.connections;
    sum->connects += stats.connects;
}

void ks_endpoint_get_stats(const struct ks_endpoint *ep, struct ks_endpoint_stats *out)
{
    struct ks_endpoint_stats sum = {.connects = ep->past_connects};

    stats_add(ep->current, &sum);
    KS_LIST_FOREACH(pos, &ep->retired)
    stats_add(KS_CONTAINER_OF(pos, struct ks_transport, link), &sum);
    *out = sum;
}
