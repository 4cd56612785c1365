/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching discovery.
 *
 *   DOCUMENTS ──both answered──> RESOURCES ──none left, deadline──> done
 *       └──one failed──> done (failure)          └──nothing PENDING──> done
 *
 * DOCUMENTS asks /api and /apis for the aggregated form. A server that answers with the legacy form
 * leaves group versions PENDING, and RESOURCES asks for each, 8 at a time; one that does not answer
 * is STALE, no more: a dead aggregated API is everyday and must not hide the others.
 *
 * Invariants: (1) a catalog is handed out only when both documents were understood; (2) a run ends
 * once; (3) the run outlives its requests' callbacks, because it is freed as the last step of one.
 *
 * Thread: the loop's.  It does not decide when to ask: that is mapper.c's.
 */
#include "kube/discovery.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/str.h"

#define TIMEOUT_MS 32000
#define MAX_AT_ONCE 8
#define MAX_PATH_BYTES ((size_t)2048)

#define ACCEPT_LEGACY "application/json"
#define ACCEPT_AGGREGATED                                                                          \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                        \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," ACCEPT_LEGACY

static const char *const paths[KS_DISCOVERY_HALVES] = {"/api", "/apis"};

/* One request and what it brings; its place in the array tells what it is about. */
struct fetch {
    struct ks_discovery *run;
    struct ks_kube_request *request;
    struct ks_buf body;
    ks_rc body_rc;
    int http_status;
    size_t version; /* RESOURCES: the group version asked for */
};

enum stage { STAGE_DOCUMENTS, STAGE_RESOURCES };

struct ks_discovery {
    struct ks_kube *kube;
    const struct ks_discovery_ops *ops;
    void *ctx;
    enum stage stage;
    bool is_told; /* that it waits */
    struct ks_timer deadline;
    struct ks_catalog *catalog;
    char *etags[KS_DISCOVERY_HALVES];
    bool is_compared[KS_DISCOVERY_HALVES]; /* an etag was sent */
    bool is_unchanged[KS_DISCOVERY_HALVES];
    bool is_legacy[KS_DISCOVERY_HALVES]; /* the aggregated form was refused */
    struct fetch fetches[MAX_AT_ONCE];
    size_t next_version;
};

static void fetch_reset(struct fetch *f)
{
    ks_kube_request_cancel(f->request);
    f->request = NULL;
    ks_buf_fini(&f->body);
    ks_buf_init(&f->body, KS_CATALOG_MAX_DOCUMENT);
    f->body_rc = KS_RC_OK;
    f->http_status = 0;
}

static void run_free(struct ks_discovery *run)
{
    ks_timer_stop(&run->deadline);
    for (size_t i = 0; i < MAX_AT_ONCE; i++)
        fetch_reset(&run->fetches[i]);
    for (size_t i = 0; i < KS_DISCOVERY_HALVES; i++)
        ks_free(run->etags[i]);
    ks_catalog_free(run->catalog);
    ks_free(run);
}

static void run_finish(struct ks_discovery *run, const struct ks_kube_failure *failure)
{
    struct ks_discovery_result result = {.failure = failure, .catalog = KS_TAKE(run->catalog)};
    const struct ks_discovery_ops *ops = run->ops;
    void *ctx = run->ctx;

    for (size_t i = 0; i < KS_DISCOVERY_HALVES; i++) {
        result.is_unchanged[i] = run->is_unchanged[i];
        result.etags[i] = KS_TAKE(run->etags[i]);
    }
    /* What happened is kept on the stack, so that the owner may start the next run from within. */
    run_free(run);
    ops->on_done(ctx, &result);
    ks_catalog_free(result.catalog);
    for (size_t i = 0; i < KS_DISCOVERY_HALVES; i++)
        ks_free(result.etags[i]);
}

static void run_fail(struct ks_discovery *run, ks_rc rc, const struct ks_error *err)
{
    struct ks_kube_failure failure = {.rc = rc, .retry_after_ms = -1, .error = *err};

    run_finish(run, &failure);
}

static void on_waiting(void *ctx, const struct ks_error *err)
{
    struct fetch *f = ctx;

    if (f->run->is_told)
        return;
    f->run->is_told = true;
    f->run->ops->on_waiting(f->run->ctx, err);
}

static void on_head(void *ctx, const char *content_type, const char *etag, int http_status)
{
    struct fetch *f = ctx;
    size_t half = (size_t)(f - f->run->fetches);

    (void)content_type; /* the document tells its kind itself, and no proxy drops that */
    f->http_status = http_status;
    if (f->run->stage != STAGE_DOCUMENTS || !etag[0])
        return;
    ks_free(f->run->etags[half]);
    f->run->etags[half] = ks_strdup(etag); /* without one, the next run fetches anew */
}

static void on_data(void *ctx, struct ks_str bytes)
{
    struct fetch *f = ctx;

    if (!f->body_rc)
        f->body_rc = ks_buf_append_str(&f->body, bytes);
}

static void on_document_end(void *ctx, const struct ks_kube_failure *failure);
static void on_resources_end(void *ctx, const struct ks_kube_failure *failure);

static const struct ks_kube_request_ops document_ops = {
    .on_waiting = on_waiting, .on_head = on_head, .on_data = on_data, .on_end = on_document_end};
static const struct ks_kube_request_ops resources_ops = {
    .on_head = on_head, .on_data = on_data, .on_end = on_resources_end};

static ks_rc document_ask(struct ks_discovery *run, size_t half, const char *etag,
                          struct ks_error *err)
{
    struct fetch *f = &run->fetches[half];

    fetch_reset(f);
    run->is_compared[half] = etag != NULL;
    return ks_kube_request_start(
        run->kube,
        &(struct ks_kube_request_config){
            .kind = KS_KUBE_REQUEST_SHORT,
            .path = paths[half],
            .accept = run->is_legacy[half] ? ACCEPT_LEGACY : ACCEPT_AGGREGATED,
            .if_none_match = etag,
            .head_timeout_ms = TIMEOUT_MS,
            .timeout_ms = TIMEOUT_MS,
            .ops = &document_ops,
            .ctx = f,
        },
        &f->request, err);
}

static ks_rc resources_ask(struct ks_discovery *run, struct fetch *f, size_t version,
                           struct ks_error *err)
{
    struct ks_buf path;
    ks_rc rc;

    fetch_reset(f);
    f->version = version;
    ks_buf_init(&path, MAX_PATH_BYTES);
    rc = ks_catalog_version_path(run->catalog, version, &path);
    if (!rc)
        rc = ks_kube_request_start(run->kube,
                                   &(struct ks_kube_request_config){
                                       .kind = KS_KUBE_REQUEST_SHORT,
                                       .path = path.data,
                                       .accept = ACCEPT_LEGACY,
                                       .head_timeout_ms = TIMEOUT_MS,
                                       .timeout_ms = TIMEOUT_MS,
                                       .ops = &resources_ops,
                                       .ctx = f,
                                   },
                                   &f->request, err);
    ks_buf_fini(&path);
    return rc;
}

/* The next PENDING group version; false when there is none. */
static bool pending_take(struct ks_discovery *run, size_t *out)
{
    ks_catalog_freshness freshness;

    while (ks_catalog_version_at(run->catalog, run->next_version, &freshness)) {
        *out = run->next_version++;
        if (freshness == KS_CATALOG_PENDING)
            return true;
    }
    return false;
}

/* Keeps all places busy; ends the run when nothing is left. */
static void resources_step(struct ks_discovery *run)
{
    bool is_busy = false;
    size_t version;

    for (size_t i = 0; i < MAX_AT_ONCE; i++) {
        struct fetch *f = &run->fetches[i];

        while (!f->request && pending_take(run, &version)) {
            if (resources_ask(run, f, version, NULL))
                ks_catalog_set_stale(run->catalog, version);
        }
        is_busy = is_busy || f->request;
    }
    if (!is_busy)
        run_finish(run, NULL);
}

static void on_resources_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct fetch *f = ctx;
    struct ks_discovery *run = f->run;

    f->request = NULL;
    if (failure || f->body_rc ||
        ks_catalog_add_resources(run->catalog, f->version, ks_buf_str(&f->body), NULL))
        ks_catalog_set_stale(run->catalog, f->version);
    resources_step(run);
}

static void on_deadline(struct ks_timer *timer)
{
    struct ks_discovery *run = KS_CONTAINER_OF(timer, struct ks_discovery, deadline);
    size_t version;

    for (size_t i = 0; i < MAX_AT_ONCE; i++) {
        if (run->fetches[i].request)
            ks_catalog_set_stale(run->catalog, run->fetches[i].version);
        fetch_reset(&run->fetches[i]);
    }
    while (pending_take(run, &version))
        ks_catalog_set_stale(run->catalog, version);
    run_finish(run, NULL);
}

/* Both documents are here: 200 with a body, 304, or 404 for a server without a core group. */
static void documents_take(struct ks_discovery *run)
{
    struct ks_error failure = {0};
    ks_rc rc = ks_catalog_new(&run->catalog, &failure);

    for (int half = 0; !rc && half < KS_DISCOVERY_HALVES; half++) {
        struct fetch *f = &run->fetches[half];

        run->is_unchanged[half] = f->http_status == 304 && run->is_compared[half];
        if (f->http_status == 404 || run->is_unchanged[half])
            continue;
        rc = ks_catalog_add_document(run->catalog, (ks_catalog_half)half, ks_buf_str(&f->body),
                                     &failure);
    }
    if (rc) {
        run_fail(run, rc, &failure);
        return;
    }
    run->stage = STAGE_RESOURCES;
    ks_timer_start(&run->deadline, TIMEOUT_MS);
    resources_step(run);
}

static bool is_refused_form(const struct ks_kube_failure *failure)
{
    return failure && failure->http_status == 406;
}

static void on_document_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct fetch *f = ctx;
    struct ks_discovery *run = f->run;
    size_t half = (size_t)(f - run->fetches);
    struct ks_error error = {0};
    ks_rc rc;

    f->request = NULL;
    if (is_refused_form(failure) && !run->is_legacy[half]) {
        run->is_legacy[half] = true;
        rc = document_ask(run, half, NULL, &error);
        if (rc)
            run_fail(run, rc, &error);
        return;
    }
    if (failure && failure->rc == KS_RC_NOTFOUND && half == KS_CATALOG_CORE) {
        f->http_status = 404;
    } else if (failure) {
        run_finish(run, failure);
        return;
    } else if (f->body_rc) {
        ks_fail(&error, f->body_rc, "%s is larger than a discovery document can be", paths[half]);
        run_fail(run, f->body_rc, &error);
        return;
    }
    if (!run->fetches[1 - half].request)
        documents_take(run);
}

ks_rc ks_discovery_start(struct ks_kube *kube, const char *const etags[KS_DISCOVERY_HALVES],
                         const struct ks_discovery_ops *ops, void *ctx, struct ks_discovery **out,
                         struct ks_error *err)
{
    struct ks_discovery *run = ks_alloc0(sizeof(*run));
    ks_rc rc = KS_RC_OK;

    if (!run)
        return ks_fail(err, KS_RC_NOMEM, "no memory for discovery");
    run->kube = kube;
    run->ops = ops;
    run->ctx = ctx;
    ks_timer_init(&run->deadline, ks_kube_loop(kube), on_deadline);
    for (size_t i = 0; i < MAX_AT_ONCE; i++) {
        run->fetches[i].run = run;
        ks_buf_init(&run->fetches[i].body, KS_CATALOG_MAX_DOCUMENT);
    }
    for (size_t half = 0; !rc && half < KS_DISCOVERY_HALVES; half++)
        rc = document_ask(run, half, etags[half], err);
    if (rc) {
        run_free(run);
        return rc;
    }
    *out = run;
    return KS_RC_OK;
}

void ks_discovery_cancel(struct ks_discovery *run)
{
    if (run)
        run_free(run);
}
