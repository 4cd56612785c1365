/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's life, its gate's probe, and its figures. Requests are in request.c.
 *
 * Two things hold requests back: the gate (can the endpoint be reached, is there room) and the
 * credential (is it there). Whenever either changes, the pump is made due; it runs from the loop,
 * so that nobody's callback comes from within his own call.
 *
 * Invariants: (1) one probe at most is out; (2) last_error is what ks_kube_last_error tells exactly
 * as long as the last thing known is that the endpoint cannot be reached; (3) everything is freed
 * in the reverse order of making.
 *
 * Thread: see client.h.
 */
#include "kube/client.h"

#include <assert.h>

#include "base/alloc.h"
#include "http/transport.h"
#include "kube/client_state.h"
#include "kube/fleet.h"

#define PROBE_TIMEOUT_MS 15000
#define PROBE_CAP_MS 2000
#define SETTLE_MS 1000

void ks_kube_pump_soon(struct ks_kube *kube)
{
    ks_timer_start(&kube->pump, 0);
}

static void error_set(struct ks_kube *kube, const struct ks_error *err)
{
    pthread_mutex_lock(&kube->error_lock);
    kube->has_error = err != NULL;
    if (err)
        kube->last_error = *err;
    pthread_mutex_unlock(&kube->error_lock);
    atomic_store(&kube->stats.is_reachable, err == NULL);
}

void ks_kube_note_reached(struct ks_kube *kube)
{
    if (!atomic_load(&kube->stats.is_reachable))
        error_set(kube, NULL);
    ks_gate_succeeded(&kube->gate);
}

void ks_kube_note_unreached(struct ks_kube *kube, const struct ks_error *err)
{
    error_set(kube, err);
    ks_gate_failed(&kube->gate, KS_GATE_REQUEST_FAILED);
}

void ks_kube_note_credentials(struct ks_kube *kube, const struct ks_error *err)
{
    if (err)
        kube->credential_error = *err;
    else
        kube->credential_error.rc = KS_RC_OK;
}

static void on_probe_head(void *ctx, const struct ks_http_head *head)
{
    struct ks_kube *kube = ctx;

    kube->probe.status = head->status;
}

static void on_probe_data(void *ctx, struct ks_str bytes)
{
    (void)ctx; /* what it says does not matter, only that it answers */
    (void)bytes;
}

/* A load balancer in front of no server answers, too. */
static bool is_alive(int status)
{
    return status && (status < 502 || status > 504);
}

static void on_probe_end(void *ctx, const struct ks_http_result *result)
{
    struct ks_kube *kube = ctx;
    struct ks_error failure = result->error;
    int status = kube->probe.status;

    ks_endpoint_leave(kube->endpoint, kube->probe.transport);
    kube->probe.transport = NULL;
    kube->probe.request = NULL;
    ks_kube_stats_refresh(kube);
    if (is_alive(status)) {
        ks_kube_note_reached(kube);
        return;
    }
    if (status)
        ks_fail(&failure, KS_RC_UNAVAILABLE, "%s answers HTTP %d to everything",
                kube->config->server, status);
    error_set(kube, &failure);
    ks_gate_failed(&kube->gate, KS_GATE_PROBE_FAILED);
    ks_kube_pump_soon(kube); /* those that wait are told */
}

static const struct ks_http_ops probe_ops = {
    .on_head = on_probe_head, .on_data = on_probe_data, .on_end = on_probe_end};

static ks_rc probe_send(struct ks_kube *kube, struct ks_error *err)
{
    struct ks_credential credential = {0};
    int64_t timeout_ms = kube->options.probe_timeout_ms;
    ks_rc rc;

    /* Without a credential the probe still tells what it is for: 401 is an answer. */
    if (ks_auth_get(kube->auth, &credential, NULL))
        credential = (struct ks_credential){0};
    rc = ks_endpoint_enter(kube->endpoint, credential.cert_pem, credential.key_pem,
                           &kube->probe.transport, err);
    if (rc)
        return rc;
    kube->probe.status = 0;
    timeout_ms = timeout_ms ? timeout_ms : PROBE_TIMEOUT_MS;
    rc = ks_http_start(ks_transport_http(kube->probe.transport),
                       &(struct ks_http_request_config){
                           .lane = KS_HTTP_LANE_REQUEST,
                           .method = "GET",
                           .path = "/version",
                           .authorization = credential.authorization,
                           .head_timeout_ms = timeout_ms,
                           .timeout_ms = timeout_ms,
                           .ops = &probe_ops,
                           .ctx = kube,
                       },
                       &kube->probe.request, err);
    if (rc) {
        ks_endpoint_leave(kube->endpoint, kube->probe.transport);
        kube->probe.transport = NULL;
    }
    return rc;
}

static void on_gate_probe(void *ctx)
{
    struct ks_kube *kube = ctx;
    struct ks_error failure = {0};

    if (kube->probe.request)
        return;
    if (probe_send(kube, &failure)) {
        error_set(kube, &failure);
        ks_gate_failed(&kube->gate, KS_GATE_PROBE_FAILED);
    }
}

static void on_gate_change(void *ctx)
{
    ks_kube_pump_soon(ctx);
}

static const struct ks_gate_ops gate_ops = {.on_probe = on_gate_probe, .on_change = on_gate_change};

static void on_auth_change(void *ctx)
{
    ks_kube_pump_soon(ctx);
}

void ks_kube_stats_refresh(struct ks_kube *kube)
{
    struct ks_endpoint_stats stats;

    ks_endpoint_get_stats(kube->endpoint, &stats);
    atomic_store(&kube->stats.connections, stats.connections);
    atomic_store(&kube->stats.connects_total, stats.connects);
    if (stats.connections && ks_list_is_empty(&kube->sent) && !kube->probe.request)
        ks_timer_start(&kube->settle, SETTLE_MS);
}

static void on_settle(struct ks_timer *timer)
{
    ks_kube_stats_refresh(KS_CONTAINER_OF(timer, struct ks_kube, settle));
}

/* One probe for all who wait is no burden, and how soon all learn that the server is back depends
 * on it; the herd that then comes is the gate's to pace. */
static struct ks_backoff backoff_of(const struct ks_kube_options *options)
{
    struct ks_backoff backoff = {.base_ms = 800, .cap_ms = PROBE_CAP_MS};

    if (options->backoff_base_ms)
        backoff.base_ms = options->backoff_base_ms;
    if (options->backoff_cap_ms)
        backoff.cap_ms = options->backoff_cap_ms;
    return backoff;
}

static ks_rc parts_new(struct ks_kube *kube, struct ks_error *err)
{
    const char *agent = kube->options.user_agent;
    ks_rc rc;

    kube->user_agent = ks_strdup(agent ? agent : "kstatusd/" KS_VERSION);
    if (!kube->user_agent)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a client");
    kube->options.user_agent = kube->user_agent;
    rc = ks_auth_new(kube->loop, kube->config, on_auth_change, kube, &kube->auth, err);
    if (!rc)
        rc = ks_impersonation_new(kube->config, &kube->impersonation, err);
    if (!rc)
        rc = ks_endpoint_new(kube->loop, kube->config, &kube->options, &kube->endpoint, err);
    if (!rc)
        rc = ks_mapper_new(kube, &kube->mapper, err);
    return rc;
}

ks_rc ks_kube_new(struct ks_loop *loop, const struct ks_kube_config *config,
                  const struct ks_kube_options *options, struct ks_kube **out, struct ks_error *err)
{
    struct ks_kube *kube = ks_alloc0(sizeof(*kube));
    ks_rc rc;

    if (!kube)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a client");
    kube->loop = loop;
    kube->config = config;
    if (options)
        kube->options = *options;
    for (size_t i = 0; i < KS_KUBE_PACES; i++)
        ks_list_init(&kube->waiting[i]);
    ks_list_init(&kube->sent);
    ks_timer_init(&kube->pump, loop, ks_kube_pump);
    ks_timer_init(&kube->settle, loop, on_settle);
    ks_gate_init(&kube->gate, loop, kube->options.log, backoff_of(&kube->options), &gate_ops, kube);
    pthread_mutex_init(&kube->error_lock, NULL);
    rc = parts_new(kube, err);
    if (rc) {
        ks_kube_free(kube);
        return ks_wrap(err, rc, "%s", config->origin ? config->origin : "kube client");
    }
    *out = kube;
    return KS_RC_OK;
}

struct ks_kube *ks_kube_free(struct ks_kube *kube)
{
    if (!kube)
        return NULL;
    ks_fleet_free(kube->fleet);
    ks_mapper_free(kube->mapper);
    for (size_t i = 0; i < KS_KUBE_PACES; i++)
        assert(ks_list_is_empty(&kube->waiting[i]));
    assert(ks_list_is_empty(&kube->sent));
    if (kube->probe.request) {
        ks_http_cancel(kube->probe.request);
        ks_endpoint_leave(kube->endpoint, kube->probe.transport);
    }
    ks_timer_stop(&kube->pump);
    ks_timer_stop(&kube->settle);
    ks_gate_fini(&kube->gate);
    ks_endpoint_free(kube->endpoint);
    ks_impersonation_free(kube->impersonation);
    ks_auth_free(kube->auth);
    pthread_mutex_destroy(&kube->error_lock);
    ks_free(kube->user_agent);
    ks_free(kube);
    return NULL;
}

struct ks_loop *ks_kube_loop(struct ks_kube *kube)
{
    return kube->loop;
}

const struct ks_log *ks_kube_log(struct ks_kube *kube)
{
    return kube->options.log;
}

const struct ks_kube_config *ks_kube_config_of(struct ks_kube *kube)
{
    return kube->config;
}

const struct ks_kube_options *ks_kube_options_of(struct ks_kube *kube)
{
    return &kube->options;
}

uint32_t ks_kube_closures(const struct ks_kube *kube)
{
    return ks_gate_closures(&kube->gate);
}

struct ks_mapper *ks_kube_mapper(struct ks_kube *kube)
{
    return kube->mapper;
}

struct ks_fleet **ks_kube_fleet_slot(struct ks_kube *kube)
{
    return &kube->fleet;
}

struct ks_kube_stats *ks_kube_stats_of(struct ks_kube *kube)
{
    return &kube->stats;
}

bool ks_kube_last_error(struct ks_kube *kube, struct ks_error *out)
{
    bool has_error;

    pthread_mutex_lock(&kube->error_lock);
    has_error = kube->has_error;
    if (has_error)
        *out = kube->last_error;
    pthread_mutex_unlock(&kube->error_lock);
    return has_error;
}

bool ks_kube_credential_trouble(struct ks_kube *kube, struct ks_error *out)
{
    const struct ks_error *failure = ks_auth_failure(kube->auth);

    if (!failure && kube->credential_error.rc)
        failure = &kube->credential_error;
    if (failure)
        *out = *failure;
    return failure != NULL;
}

bool ks_kube_awaits_plugin(struct ks_kube *kube, struct ks_error *out)
{
    struct ks_credential credential;

    if (!kube->config->exec || ks_auth_get(kube->auth, &credential, NULL) != KS_RC_AGAIN)
        return false;
    (void)ks_fail(out, KS_RC_TIMEOUT, /* only the text is wanted */
                  "the credential plugin %s has not answered; run it by hand to see what it waits "
                  "for",
                  kube->config->exec->command);
    return true;
}
