/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes thread, and the one place that says in the log how things stand with the API
 * server: the layers below report, they do not speak.
 *
 * The model: once a second the worker looks whether the API server could be reached at the last
 * attempt, and writes a line when that has changed (another kind of trouble no sooner than 10 s
 * later), or when it has lasted for another five minutes; the same for the credentials, once a
 * change. A first request at the start makes sure that there has been an attempt.
 *
 * Invariants: 1. the client and the loop are touched by the worker's thread alone from start to
 * stop; 2. they are freed on the main thread after it was joined.
 *
 * Thread: see worker.h.  Does not: know what a session is.
 */
#include "server/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define LOOK_EVERY_MS 1000
#define REMIND_EVERY_MS 300000
#define SAY_AGAIN_AFTER_MS 10000
#define FIRST_REQUEST_TIMEOUT_MS 60000

struct ks_worker {
    unsigned number;
    const struct ks_log *log;
    const struct ks_kube_config *config;
    struct ks_loop *loop;
    struct ks_kube *kube;
    struct ks_feed_stats feed_stats;
    struct ks_task begin_task;
    struct ks_task end_task;
    struct ks_timer look_timer;
    struct ks_kube_request *first_request;
    bool was_reachable;
    bool was_refused; /* the credentials were in trouble at the last look */
    int64_t told_ms;  /* when trouble was last logged; 0: there is none */
    ks_rc trouble_rc; /* what was logged then */
    pthread_t thread;
    bool has_thread;
};

static void tell_trouble(struct ks_worker *w, const struct ks_error *err)
{
    w->told_ms = ks_loop_now_ms(w->loop);
    w->trouble_rc = err->rc;
    ks_log(w->log, KS_LOG_WARN, "API server cannot be reached; trying on",
           KS_F_STR("server", w->config->server), KS_F_STR("config", w->config->origin),
           KS_F_STR("error", err->msg), KS_F_INT("worker", w->number));
}

/* Once a change: whoever mends it needs no reminder, and sessions say it on their own. */
static bool look_at_credentials(struct ks_worker *w)
{
    struct ks_error err = {0};
    bool is_refused = ks_kube_credential_trouble(w->kube, &err);

    if (is_refused && !w->was_refused)
        ks_log(w->log, KS_LOG_WARN,
               "credentials for the API server fail; renew them, they are asked for again",
               KS_F_STR("server", w->config->server), KS_F_STR("config", w->config->origin),
               KS_F_STR("error", err.msg), KS_F_INT("worker", w->number));
    if (!is_refused && w->was_refused)
        ks_log(w->log, KS_LOG_INFO, "credentials for the API server are accepted again",
               KS_F_STR("server", w->config->server), KS_F_STR("config", w->config->origin),
               KS_F_INT("worker", w->number));
    w->was_refused = is_refused;
    return !is_refused;
}

static void on_look(struct ks_timer *timer)
{
    struct ks_worker *w = KS_CONTAINER_OF(timer, struct ks_worker, look_timer);
    const struct ks_kube_stats *stats = ks_kube_stats_of(w->kube);
    struct ks_error err = {0};
    bool is_accepted = look_at_credentials(w);

    ks_kube_stats_refresh(w->kube);
    if (ks_kube_last_error(w->kube, &err)) {
        int64_t silent_ms = err.rc == w->trouble_rc ? REMIND_EVERY_MS : SAY_AGAIN_AFTER_MS;

        w->was_reachable = false;
        if (w->told_ms == 0 || ks_loop_now_ms(w->loop) - w->told_ms >= silent_ms)
            tell_trouble(w, &err);
    } else if (is_accepted && !w->was_reachable && atomic_load(&stats->is_reachable)) {
        w->was_reachable = true;
        w->told_ms = 0;
        ks_log(w->log, KS_LOG_INFO, "API server reached", KS_F_STR("server", w->config->server),
               KS_F_STR("config", w->config->origin), KS_F_INT("worker", w->number));
    }
    ks_timer_start(&w->look_timer, LOOK_EVERY_MS);
}

static void on_first_end(void *ctx, const struct ks_kube_failure *failure)
{
    struct ks_worker *w = ctx;
    struct ks_error told_by_look;

    w->first_request = NULL;
    if (!failure || ks_kube_credential_trouble(w->kube, &told_by_look))
        return;
    if (failure->http_status)
        ks_log(w->log, KS_LOG_WARN, "API server refused the first request",
               KS_F_STR("server", w->config->server), KS_F_STR("config", w->config->origin),
               KS_F_INT("http_status", failure->http_status), KS_F_STR("error", failure->error.msg),
               KS_F_INT("worker", w->number));
}

static void on_begin(struct ks_task *task)
{
    struct ks_worker *w = KS_CONTAINER_OF(task, struct ks_worker, begin_task);
    static const struct ks_kube_request_ops ops = {.on_end = on_first_end};
    const struct ks_kube_request_config request = {
        .kind = KS_KUBE_REQUEST_SHORT,
        .path = "/api", /* asks for credentials, unlike /version */
        .timeout_ms = FIRST_REQUEST_TIMEOUT_MS,
        .ops = &ops,
        .ctx = w,
    };
    struct ks_error err = {0};

    if (ks_kube_request_start(w->kube, &request, &w->first_request, &err))
        tell_trouble(w, &err);
    ks_timer_start(&w->look_timer, LOOK_EVERY_MS);
}

static void on_end(struct ks_task *task)
{
    struct ks_worker *w = KS_CONTAINER_OF(task, struct ks_worker, end_task);

    ks_timer_stop(&w->look_timer);
    ks_kube_request_cancel(w->first_request);
    w->first_request = NULL;
    ks_loop_quit(w->loop);
}

static void *worker_main(void *arg)
{
    struct ks_worker *w = arg;
    char name[16];

    snprintf(name, sizeof(name), "kube-%u", w->number);
    (void)pthread_setname_np(pthread_self(), name); /* for people's eyes only */
    ks_loop_run(w->loop);
    w->kube = ks_kube_free(w->kube); /* it asserts its thread */
    return NULL;
}

static void worker_freep(struct ks_worker **w)
{
    *w = ks_worker_free(*w);
}

ks_rc ks_worker_new(unsigned number, const struct ks_kube_config *config, const struct ks_log *log,
                    struct ks_worker **out, struct ks_error *err)
{
    KS_CLEANUP(worker_freep) struct ks_worker *w = ks_alloc0(sizeof(*w));
    const struct ks_kube_options options = {.log = log};
    ks_rc rc;

    if (!w)
        return ks_fail(err, KS_RC_NOMEM, "worker %u: out of memory", number);
    w->number = number;
    w->log = log;
    w->config = config;
    rc = ks_loop_new(&ks_clock_real, &w->loop, err);
    if (rc)
        return rc;
    rc = ks_kube_new(w->loop, config, &options, &w->kube, err);
    if (rc)
        return rc;
    ks_task_init(&w->begin_task, on_begin);
    ks_task_init(&w->end_task, on_end);
    ks_timer_init(&w->look_timer, w->loop, on_look);
    *out = KS_TAKE(w);
    return KS_RC_OK;
}

ks_rc ks_worker_start(struct ks_worker *w, struct ks_error *err)
{
    int failed;

    ks_loop_post(w->loop, &w->begin_task);
    failed = pthread_create(&w->thread, NULL, worker_main, w);
    if (failed)
        return ks_fail_errno(err, KS_RC_LIMIT, failed, "thread of worker %u", w->number);
    w->has_thread = true;
    return KS_RC_OK;
}

struct ks_loop *ks_worker_loop(struct ks_worker *w)
{
    return w->loop;
}

struct ks_kube *ks_worker_kube(struct ks_worker *w)
{
    return w->kube;
}

struct ks_feed_stats *ks_worker_feed_stats(struct ks_worker *w)
{
    return &w->feed_stats;
}

void ks_worker_stop(struct ks_worker *w)
{
    if (!w->has_thread)
        return;
    ks_loop_post(w->loop, &w->end_task);
    (void)pthread_join(w->thread, NULL); /* fails only on a thread that is none */
    w->has_thread = false;
}

struct ks_worker *ks_worker_free(struct ks_worker *w)
{
    if (!w)
        return NULL;
    ks_worker_stop(w);
    w->kube = ks_kube_free(w->kube);
    w->loop = ks_loop_free(w->loop);
    ks_free(w);
    return NULL;
}
