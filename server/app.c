/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows every module. Start order: log, Kubernetes configuration, gRPC, workers,
 * HTTP port, gRPC server, and only then the line on standard output: whoever reads it can connect.
 *
 * The end: SIGTERM or SIGINT begins a drain (server.h says how it goes); after GRACE_MS, or at a
 * second signal, the calls that are left are broken off; when there are none, connections that are
 * still open after another LINGER_MS are closed, whoever holds them. Then all is freed in reverse,
 * but for one thing: the workers' threads end before the gRPC server's queues do, since they ring
 * its bells.
 *
 * Invariants: 1. signals are blocked before the first thread is made, so that they come to this
 * one; 2. the HTTP port answers (503 on /readyz) until the drain is over.
 *
 * Thread: main.
 */
#include "server/app.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/config.h"
#include "server/memory.h"
#include "server/pulse.h"
#include "server/rpc/server.h"
#include "server/web/http.h"
#include "server/web/metrics.h"
#include "server/worker.h"

#define GRACE_MS 8000
/* For connections without a call to close by themselves. */
#define LINGER_MS 500
/* Between one breaking off and the next. */
#define AGAIN_MS 1000
#define TICK_MS 1000
#define TICKS_PER_PULSE 10
#define SILENCES_MAX 2
/* What fewer leave behind is not worth the walk. */
#define TRIM_AFTER_STREAMS 100
/* A worker's: what is open from the start, and connections to the API server. */
#define OTHER_FDS 256
#define MIB (1 << 20)

struct app {
    const struct ks_config *config;
    struct ks_limits limits; /* config's, but no more than the system allows */
    struct ks_log log;
    struct ks_metrics metrics;
    char instance[48];
    int signal_fd;
    int drained_fd; /* rings when one of the two below has become true */
    atomic_bool is_quiet;
    atomic_bool is_drained;
    struct ks_kube_config *kube_config;
    bool has_rpc;
    struct ks_worker **workers;
    size_t worker_count;
    struct ks_http_port *http;
    struct ks_rpc_server *rpc;
    unsigned silences; /* checks in a row that a gRPC port did not answer */
    ks_memory_level memory;
    int64_t ended_at_trim; /* streams that had ended when memory was last given back */
};

static void app_ring(struct app *app)
{
    const uint64_t one = 1;
    ssize_t written = write(app->drained_fd, &one, sizeof(one));

    (void)written; /* an eventfd refuses only when it would overflow */
}

/* Thread: any. */
static void on_quiet(void *ctx)
{
    struct app *app = ctx;

    atomic_store(&app->is_quiet, true);
    app_ring(app);
}

/* Thread: any. */
static void on_drained(void *ctx)
{
    struct app *app = ctx;

    atomic_store(&app->is_drained, true);
    app_ring(app);
}

struct sums {
    bool is_reachable;
    int64_t values[KS_METRIC_COUNT];
};

static void sum_worker(struct sums *sums, struct ks_worker *w)
{
    const struct ks_kube_stats *k = ks_kube_stats_of(ks_worker_kube(w));
    const struct ks_feed_stats *f = ks_worker_feed_stats(w);

    sums->is_reachable = sums->is_reachable && atomic_load(&k->is_reachable);
    sums->values[KS_METRIC_SESSIONS] += atomic_load(&f->sessions);
    sums->values[KS_METRIC_OBJECTS] += atomic_load(&f->objects);
    sums->values[KS_METRIC_EVENTS_TOTAL] += (int64_t)atomic_load(&f->events_total);
    sums->values[KS_METRIC_UPDATES_TOTAL] += (int64_t)atomic_load(&f->updates_total);
    sums->values[KS_METRIC_UP_CONNECTIONS] += atomic_load(&k->connections);
    sums->values[KS_METRIC_UP_INFORMERS] += atomic_load(&k->informers);
    sums->values[KS_METRIC_UP_WATCHES] += atomic_load(&k->watches);
    sums->values[KS_METRIC_UP_CONNECTS_TOTAL] += (int64_t)atomic_load(&k->connects_total);
    sums->values[KS_METRIC_UP_REQUESTS_TOTAL] += (int64_t)atomic_load(&k->requests_total);
    sums->values[KS_METRIC_UP_LISTS_TOTAL] += (int64_t)atomic_load(&k->lists_total);
    sums->values[KS_METRIC_UP_WATCH_OPENS_TOTAL] += (int64_t)atomic_load(&k->watch_opens_total);
    sums->values[KS_METRIC_UP_EVENTS_TOTAL] += (int64_t)atomic_load(&k->events_total);
    sums->values[KS_METRIC_UP_BAD_LINES_TOTAL] += (int64_t)atomic_load(&k->bad_lines_total);
    sums->values[KS_METRIC_UP_FAILURES_TOTAL] += (int64_t)atomic_load(&k->failures_total);
}

/* Thread: the HTTP port's, which ends before the workers do. */
static void on_collect(void *ctx)
{
    static const ks_metric summed[] = {
        KS_METRIC_SESSIONS,
        KS_METRIC_OBJECTS,
        KS_METRIC_EVENTS_TOTAL,
        KS_METRIC_UPDATES_TOTAL,
        KS_METRIC_UP_CONNECTIONS,
        KS_METRIC_UP_INFORMERS,
        KS_METRIC_UP_WATCHES,
        KS_METRIC_UP_CONNECTS_TOTAL,
        KS_METRIC_UP_REQUESTS_TOTAL,
        KS_METRIC_UP_LISTS_TOTAL,
        KS_METRIC_UP_WATCH_OPENS_TOTAL,
        KS_METRIC_UP_EVENTS_TOTAL,
        KS_METRIC_UP_BAD_LINES_TOTAL,
        KS_METRIC_UP_FAILURES_TOTAL,
    };
    struct app *app = ctx;
    struct sums sums = {.is_reachable = true};

    for (size_t i = 0; i < app->worker_count; i++)
        sum_worker(&sums, app->workers[i]);
    for (size_t i = 0; i < KS_ARRAY_LEN(summed); i++)
        ks_metrics_set(&app->metrics, summed[i], sums.values[summed[i]]);
    ks_metrics_set(&app->metrics, KS_METRIC_UP_REACHABLE, sums.is_reachable);
}

static ks_rc app_take_signals(struct app *app, struct ks_error *err)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP,
                 SIG_IGN); /* nothing is read again on it; a lost terminal is no reason to end */
    app->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    app->drained_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (app->signal_fd < 0 || app->drained_fd < 0)
        return ks_fail_errno(err, KS_RC_LIMIT, errno, "signal handling");
    /* All threads inherit this; the loops' own take it back. The end of a child must not wait in a
     * thread of gRPC's. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return KS_RC_OK;
}

/* Each client behind a front is a connection: as many as the system allows. */
static void raise_fd_limit(const struct ks_log *log)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        ks_log(log, KS_LOG_WARN, "the limit of open files could not be raised",
               KS_F_INT("limit", limit.rlim_cur));
}

/* A connection takes two file descriptors; what is left is for the API server's. */
static void fit_connections(struct app *app)
{
    int64_t *connections = &app->limits.values[KS_LIMIT_CONNECTIONS];
    int64_t others = (int64_t)app->config->workers * OTHER_FDS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
        return;
    if (*connections * 2 + others <= (int64_t)limit.rlim_cur)
        return;
    *connections = ((int64_t)limit.rlim_cur - others) / 2;
    if (*connections < 1)
        *connections = 1;
    ks_log(&app->log, KS_LOG_WARN,
           "fewer connections than --limit says: the system allows too few open files",
           KS_F_INT("connections", *connections), KS_F_INT("open_files", limit.rlim_cur));
}

static ks_rc app_name_instance(struct app *app, struct ks_error *err)
{
    unsigned char bytes[8];
    int n;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return ks_fail_errno(err, KS_RC_IO, errno, "random bytes for the instance name");
    n = snprintf(app->instance, sizeof(app->instance), "kstatusd-");
    for (size_t i = 0; i < sizeof(bytes); i++)
        n += snprintf(app->instance + n, sizeof(app->instance) - (size_t)n, "%02x", bytes[i]);
    return KS_RC_OK;
}

static ks_rc app_start_workers(struct app *app, struct ks_error *err)
{
    app->workers = ks_alloc_array(app->config->workers, sizeof(struct ks_worker *));
    if (!app->workers)
        return ks_fail(err, KS_RC_NOMEM, "workers: out of memory");
    while (app->worker_count < app->config->workers) {
        struct ks_worker **w = &app->workers[app->worker_count];
        ks_rc rc = ks_worker_new((unsigned)app->worker_count, app->kube_config, &app->log, w, err);

        if (rc)
            return rc;
        app->worker_count++;
        rc = ks_worker_start(*w, err);
        if (rc)
            return rc;
    }
    ks_metrics_set(&app->metrics, KS_METRIC_WORKERS, (int64_t)app->worker_count);
    return KS_RC_OK;
}

static ks_rc app_start_http(struct app *app, struct ks_error *err)
{
    const struct ks_http_port_config http = {
        .address = &app->config->http,
        .metrics = &app->metrics,
        .collect = on_collect,
        .ctx = app,
        .log = &app->log,
    };

    return app->config->has_http ? ks_http_port_new(&http, &app->http, err) : KS_RC_OK;
}

static ks_rc app_start_rpc(struct app *app, struct ks_error *err)
{
    const struct ks_rpc_server_config rpc = {
        .listen = app->config->listen,
        .listen_count = app->config->listen_count,
        .may_listen_unsafely = app->config->may_listen_unsafely,
        .workers = app->workers,
        .worker_count = app->worker_count,
        .metrics = &app->metrics,
        .log = &app->log,
        .instance = app->instance,
        .limits = &app->limits,
        .on_quiet = on_quiet,
        .on_drained = on_drained,
        .ctx = app,
    };
    ks_rc rc = ks_rpc_server_new(&rpc, &app->rpc, err);

    return rc ? rc : ks_rpc_server_start(app->rpc, err);
}

static ks_rc app_start(struct app *app, struct ks_error *err)
{
    const struct ks_kube_config_options options = {
        .path = app->config->kubeconfig,
        .context = app->config->context,
    };
    ks_rc rc = app_take_signals(app, err);

    if (rc == KS_RC_OK)
        rc = app_name_instance(app, err);
    if (rc == KS_RC_OK)
        rc = ks_kube_config_load(&options, &app->kube_config, err);
    if (rc)
        return rc;
    raise_fd_limit(&app->log);
    fit_connections(app);
    if (app->limits.values[KS_LIMIT_MEMORY_MIB] == 0)
        app->limits.values[KS_LIMIT_MEMORY_MIB] = ks_memory_allowed_bytes() / MIB;
    ks_rpc_init(&app->log);
    app->has_rpc = true;
    app->metrics.limits = &app->limits;
    app->metrics.grpc_version = ks_rpc_core_version();
    ks_metrics_set(&app->metrics, KS_METRIC_START_SECONDS,
                   ks_clock_real.wall_ms(&ks_clock_real) / 1000);
    rc = app_start_workers(app, err);
    if (rc == KS_RC_OK)
        rc = app_start_http(app, err);
    if (rc == KS_RC_OK)
        rc = app_start_rpc(app, err);
    return rc;
}

static ks_rc app_announce(struct app *app, struct ks_error *err)
{
    const char *http = app->http ? ks_http_port_address(app->http) : "off";

    ks_metrics_set(&app->metrics, KS_METRIC_READY, 1);
    ks_metrics_set(&app->metrics, KS_METRIC_LISTENING, 1);
    ks_log(&app->log, KS_LOG_INFO, "ready", KS_F_STR("version", KS_VERSION),
           KS_F_STR("grpc", ks_rpc_server_addresses(app->rpc)), KS_F_STR("http", http),
           KS_F_STR("api_server", app->kube_config->server),
           KS_F_STR("config", app->kube_config->origin), KS_F_STR("instance", app->instance),
           KS_F_INT("workers", app->worker_count));
    if (printf("listening grpc=%s http=%s\n", ks_rpc_server_addresses(app->rpc), http) < 0 ||
        fflush(stdout) != 0)
        return ks_fail_errno(err, KS_RC_IO, errno, "standard output");
    return KS_RC_OK;
}

/* A port that does not answer once may be busy; twice, it is taken for dead. */
static void app_check_pulse(struct app *app)
{
    int64_t refused = ks_metrics_get(&app->metrics, KS_METRIC_CONNECTIONS_REFUSED_TOTAL);
    struct ks_error err = {0};
    ks_rc rc = KS_RC_OK;
    size_t count;
    const struct ks_address *bound = ks_rpc_server_bound(app->rpc, &count);

    for (size_t i = 0; i < count && rc == KS_RC_OK; i++)
        rc = ks_pulse_check(&bound[i], &err);
    if (rc == KS_RC_LIMIT)
        return; /* without a file descriptor nothing can be asked */
    if (rc && ks_metrics_get(&app->metrics, KS_METRIC_CONNECTIONS_REFUSED_TOTAL) != refused)
        return; /* it may be we who were turned away: a full house is no dead one */
    app->silences = rc ? app->silences + 1 : 0;
    ks_metrics_set(&app->metrics, KS_METRIC_LISTENING, app->silences < SILENCES_MAX);
    if (app->silences == SILENCES_MAX)
        ks_log(&app->log, KS_LOG_ERROR,
               "a gRPC port does not answer any more; /healthz says so, start this process anew",
               KS_F_STR("error", err.msg));
}

/* The C library keeps what streams that ended have set free, unless told otherwise. */
static void app_trim(struct app *app)
{
    int64_t ended = ks_metrics_get(&app->metrics, KS_METRIC_STREAMS_TOTAL) -
                    ks_metrics_get(&app->metrics, KS_METRIC_STREAMS_OPEN);

    if (ended - app->ended_at_trim < TRIM_AFTER_STREAMS)
        return;
    (void)malloc_trim(0); /* tells whether there was something */
    app->ended_at_trim = ended;
}

/* Waits until a signal came or the drain has got on, at most wait_ms. Returns whether it was a
 * signal. */
static bool app_wait(struct app *app, int wait_ms)
{
    struct pollfd fds[] = {
        {.fd = app->signal_fd, .events = POLLIN},
        {.fd = app->drained_fd, .events = POLLIN},
    };
    struct signalfd_siginfo info;
    uint64_t rings;
    ssize_t got;

    (void)poll(fds, KS_ARRAY_LEN(fds), wait_ms);        /* interrupted: the caller comes again */
    got = read(app->drained_fd, &rings, sizeof(rings)); /* so that it rings again */
    (void)got;                                          /* it does not matter how often it rang */
    if (!(fds[0].revents & POLLIN) || read(app->signal_fd, &info, sizeof(info)) <= 0)
        return false;
    ks_log(&app->log, KS_LOG_INFO, "signal received", KS_F_INT("signal", info.ssi_signo));
    return true;
}

/* Says so when it gets better or worse. */
static void app_tell_memory(struct app *app, ks_memory_level level, int64_t used)
{
    if (level == app->memory)
        return;
    ks_log(&app->log, level == KS_MEMORY_FINE ? KS_LOG_INFO : KS_LOG_WARN,
           "memory; --limit memory-mib sets how much there may be",
           KS_F_STR("state", level == KS_MEMORY_FINE    ? "fine: calls are taken again"
                             : level == KS_MEMORY_SHORT ? "short: new calls are refused"
                                                        : "out: the largest call is ended"),
           KS_F_INT("used_mib", used / MIB),
           KS_F_INT("limit_mib", app->limits.values[KS_LIMIT_MEMORY_MIB]));
    app->memory = level;
}

static void app_check_memory(struct app *app)
{
    int64_t allowed = app->limits.values[KS_LIMIT_MEMORY_MIB] * MIB;
    int64_t used = ks_memory_used_bytes();
    ks_memory_level level = ks_memory_judge(used, allowed, app->memory);

    if (level != KS_MEMORY_FINE) { /* what is free may be given back */
        (void)malloc_trim(0);
        used = ks_memory_used_bytes();
        level = ks_memory_judge(used, allowed, app->memory);
    }
    ks_rpc_server_set_memory_short(app->rpc, level != KS_MEMORY_FINE);
    if (level == KS_MEMORY_OUT)
        ks_rpc_server_shed(app->rpc);
    app_tell_memory(app, level, used);
}

static void app_wait_for_signal(struct app *app)
{
    for (unsigned tick = 1; !app_wait(app, TICK_MS); tick++) {
        app_check_memory(app);
        if (tick % TICKS_PER_PULSE > 0)
            continue;
        app_check_pulse(app);
        app_trim(app);
    }
}

static void app_break_off(struct app *app)
{
    int64_t calls = ks_metrics_get(&app->metrics, KS_METRIC_CALLS_OPEN);

    if (calls > 0)
        ks_log(&app->log, KS_LOG_WARN, "breaking off the calls that are left",
               KS_F_INT("calls", calls));
    else
        ks_log(&app->log, KS_LOG_INFO, "closing the connections that are left");
    ks_rpc_server_hurry(app->rpc);
}

static void app_drain(struct app *app)
{
    int64_t due_ms = ks_clock_real.mono_ms(&ks_clock_real) + GRACE_MS;
    bool was_quiet = false;

    ks_log(&app->log, KS_LOG_INFO, "draining", KS_F_INT("grace_ms", GRACE_MS),
           KS_F_INT("streams", ks_metrics_get(&app->metrics, KS_METRIC_STREAMS_OPEN)));
    ks_rpc_server_drain(app->rpc);
    while (!atomic_load(&app->is_drained)) {
        int64_t now_ms = ks_clock_real.mono_ms(&ks_clock_real);

        if (!was_quiet && atomic_load(&app->is_quiet)) {
            was_quiet = true;
            due_ms = due_ms < now_ms + LINGER_MS ? due_ms : now_ms + LINGER_MS;
        }
        if (!app_wait(app, due_ms > now_ms ? (int)(due_ms - now_ms) : 0) &&
            ks_clock_real.mono_ms(&ks_clock_real) < due_ms)
            continue;
        if (atomic_load(&app->is_drained))
            return;
        app_break_off(app);
        due_ms = ks_clock_real.mono_ms(&ks_clock_real) + AGAIN_MS;
    }
}

static void app_stop(struct app *app)
{
    app->http = ks_http_port_free(app->http);
    for (size_t i = 0; i < app->worker_count; i++)
        ks_worker_stop(app->workers[i]);
    app->rpc = ks_rpc_server_free(app->rpc);
    while (app->worker_count > 0)
        (void)ks_worker_free(app->workers[--app->worker_count]);
    ks_free(app->workers);
    if (app->has_rpc)
        ks_rpc_fini();
    app->kube_config = ks_kube_config_free(app->kube_config);
    if (app->drained_fd >= 0)
        (void)close(app->drained_fd);
    if (app->signal_fd >= 0)
        (void)close(app->signal_fd);
}

ks_rc ks_app_run(const struct ks_config *config, struct ks_error *err)
{
    struct app app = {
        .config = config,
        .limits = config->limits,
        .log = {.fd = STDERR_FILENO,
                .level = config->log_level,
                .format = config->log_format,
                .clock = &ks_clock_real},
        .signal_fd = -1,
        .drained_fd = -1,
    };
    ks_rc rc = app_start(&app, err);
    ks_rc said = KS_RC_OK;

    if (rc == KS_RC_OK) {
        said = app_announce(&app, err);
        if (said == KS_RC_OK)
            app_wait_for_signal(&app);
    }
    if (app.rpc && rc == KS_RC_OK)
        app_drain(&app);
    app_stop(&app);
    if (rc == KS_RC_OK)
        ks_log(&app.log, KS_LOG_INFO, "ended");
    return rc ? rc : said;
}
