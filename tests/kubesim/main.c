/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubesim: a small simulated Kubernetes API server, for the demo and the tests.
 *
 * The model: arguments become a config, the parts are made bottom-up, the loop runs until SIGTERM
 * or SIGINT, the parts are freed in reverse. Exactly one line goes to stdout, when clients can
 * connect.
 *
 * Thread: one, for everything.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#include "auth.h"
#include "conn.h"
#include "loop.h"
#include "scenario.h"
#include "sim.h"
#include "tls.h"

#define EXIT_USAGE 2
#define HISTORY_DEFAULT 10000
#define HISTORY_MAX 10000000
#define BOOKMARK_DEFAULT_MS 60000

static const char usage[] =
    "usage: kubesim --listen HOST:PORT --kubeconfig FILE [--scenario FILE] [--speed X] [--loop]\n"
    "               [--seed N] [--history EVENTS] [--bookmark-ms MS] [--log-level LEVEL]\n"
    "A simulated Kubernetes API server. See tests/scenarios/README.md.\n";

struct signal_source {
    struct sim_source source;
    struct sim *sim;
};

enum { OPT_LOOP = 1000 };

static const struct option long_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"kubeconfig", required_argument, NULL, 'k'},
    {"scenario", required_argument, NULL, 's'},
    {"speed", required_argument, NULL, 'x'},
    {"loop", no_argument, NULL, OPT_LOOP},
    {"seed", required_argument, NULL, 'r'},
    {"history", required_argument, NULL, 'H'},
    {"bookmark-ms", required_argument, NULL, 'b'},
    {"log-level", required_argument, NULL, 'L'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool int_take(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return ks_str_to_int64(ks_str_from(text), out) && *out >= min && *out <= max;
}

/* One option into the config; false when its value is no good. */
static bool option_take(struct sim *sim, int option, const char *value)
{
    struct sim_config *c = &sim->config;
    int64_t number = 0;
    char *end = NULL;

    switch (option) {
    case 'l':
        c->listen_on = value;
        return true;
    case 'k':
        c->kubeconfig = value;
        return true;
    case 's':
        c->scenario = value;
        return true;
    case 'x':
        c->speed = strtod(value, &end);
        return end && !*end && c->speed > 0 && c->speed <= 1e6;
    case OPT_LOOP:
        c->loops = true;
        return true;
    case 'r':
        if (!int_take(value, 0, INT64_MAX, &number))
            return false;
        c->seed = (uint64_t)number;
        sim->random_state = c->seed;
        return true;
    case 'H':
        if (!int_take(value, 1, HISTORY_MAX, &number))
            return false;
        c->history = (size_t)number;
        return true;
    case 'b':
        return int_take(value, 1, INT32_MAX, &c->bookmark_ms);
    case 'L':
        return ks_log_level_parse(value, &sim->log.level);
    default:
        return false;
    }
}

/* -1: go on; otherwise the exit code. */
static int args_parse(struct sim *sim, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (option == '?')
            return EXIT_USAGE;
        if (!option_take(sim, option, optarg)) {
            fprintf(stderr, "kubesim: bad value \"%s\"\n%s", optarg ? optarg : "", usage);
            return EXIT_USAGE;
        }
    }
    if (optind == argc && sim->config.listen_on && sim->config.kubeconfig)
        return -1;
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/* As many descriptors as the system lets us have: a load test opens thousands of connections. */
static void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* then fewer must do */
}

static ks_rc host_of(const char *address, char *out, size_t size, struct ks_error *err)
{
    const char *colon = strrchr(address, ':');
    int n = snprintf(out, size, "%.*s", colon ? (int)(colon - address) : 0, address);

    if (n <= 0 || (size_t)n >= size)
        return ks_fail(err, KS_RC_INVALID, "--listen %s: HOST:PORT is wanted", address);
    return KS_RC_OK;
}

static ks_rc parts_make(struct sim *sim, struct ks_error *err)
{
    char host[128];
    ks_rc rc = host_of(sim->config.listen_on, host, sizeof(host), err);

    if (!rc)
        rc = sim_loop_new(&sim->loop, err);
    if (!rc)
        rc = sim_tls_new(host, &sim->tls, err);
    if (!rc)
        rc = sim_cluster_new(sim, err);
    if (!rc)
        rc = sim_server_new(sim, sim->config.listen_on, &sim->server, err);
    if (!rc)
        rc = sim_scenario_new(sim, &sim->scenario, err);
    return rc;
}

static void parts_free(struct sim *sim)
{
    sim->scenario = sim_scenario_free(sim->scenario);
    sim->server = sim_server_free(sim->server);
    sim_cluster_free(sim);
    sim->tls = sim_tls_free(sim->tls);
    sim->loop = sim_loop_free(sim->loop);
}

static void on_signal(struct sim_source *source, uint32_t events KS_UNUSED)
{
    struct signal_source *s = KS_CONTAINER_OF(source, struct signal_source, source);

    sim_loop_stop(s->sim->loop);
}

static ks_rc signals_watch(struct sim *sim, struct signal_source *s, struct ks_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return ks_fail_errno(err, KS_RC_INTERNAL, errno, "signals");
    s->sim = sim;
    s->source.on_ready = on_signal;
    s->source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->source.fd < 0)
        return ks_fail_errno(err, KS_RC_INTERNAL, errno, "signals");
    return sim_loop_add(sim->loop, &s->source, EPOLLIN);
}

static ks_rc doors_open(struct sim *sim, struct ks_error *err)
{
    char url[256];
    struct sim_kubeconfig k = {sim->config.kubeconfig, url, SIM_ADMIN_TOKEN};
    ks_rc rc;

    snprintf(url, sizeof(url), "https://%s", sim_server_address(sim->server));
    rc = sim_kubeconfig_write(sim->tls, &k, err);
    if (rc)
        return rc;
    if (sim->config.scenario) {
        rc = sim_scenario_load(sim->scenario, sim->config.scenario, err);
        if (rc)
            return rc;
    }
    printf("kubesim listening on %s kubeconfig=%s\n", url, sim->config.kubeconfig);
    fflush(stdout);
    return KS_RC_OK;
}

static bool flush(void *ctx)
{
    return sim_server_flush(ctx);
}

static ks_rc sim_run(struct sim *sim, struct ks_error *err)
{
    struct signal_source signals = {.source.fd = -1};
    ks_rc rc = parts_make(sim, err);

    if (!rc)
        rc = signals_watch(sim, &signals, err);
    if (!rc)
        rc = doors_open(sim, err);
    if (!rc)
        sim_loop_run(sim->loop, flush, sim->server);
    if (signals.source.fd >= 0)
        close(signals.source.fd);
    parts_free(sim);
    return rc;
}

int main(int argc, char **argv)
{
    struct sim sim = {
        .config = {.speed = 1, .history = HISTORY_DEFAULT, .bookmark_ms = BOOKMARK_DEFAULT_MS},
        .clock = &ks_clock_real,
        .log = {.fd = STDERR_FILENO,
                .level = KS_LOG_WARN,
                .format = KS_LOG_TEXT,
                .clock = &ks_clock_real},
        .has_watch_list = true,
        .has_aggregated_discovery = true,
    };
    struct ks_error err;
    int rc;

    if (getrandom(&sim.random_state, sizeof(sim.random_state), 0) < 0)
        sim.random_state = (uint64_t)time(NULL);
    rc = args_parse(&sim, argc, argv);
    if (rc >= 0)
        return rc;
    descriptors_raise();
    if (!sim_run(&sim, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "kubesim: %s\n", err.msg);
    return EXIT_FAILURE;
}
