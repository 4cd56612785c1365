/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options are rows of one table: name, whether a value follows, and the function that takes it.
 * "--name value" and "--name=value" mean the same. An option given twice is an error but for
 * --listen and --limit, so that a typo in a unit file does not pass unseen.
 *
 * Thread: any.  Does not: read files or the environment (the kubeconfig's places are kube/config's
 * matter).
 */
#include "server/config.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define WORKERS_MAX 64

const char ks_config_usage[] =
    "Usage: kstatusd [OPTION]...\n"
    "Streams the status of Kubernetes objects over gRPC.\n"
    "\n"
    "  --listen ADDR         gRPC address, HOST:PORT or unix:PATH; may be repeated\n"
    "                        (default 127.0.0.1:7443; port 0 picks a free one)\n"
    "  --http ADDR|off       address of /healthz, /readyz and /metrics\n"
    "                        (default 127.0.0.1:7480)\n"
    "  --kubeconfig FILE     default: $KUBECONFIG, ~/.kube/config, then the Pod's own account\n"
    "  --context NAME        context of the kubeconfig (default: its current one)\n"
    "  --workers N           workers, each with a Kubernetes thread of its own\n"
    "                        (default: one per two CPUs)\n"
    "  --log-format FORMAT   text (default) or json\n"
    "  --log-level LEVEL     debug, info (default), warn, error or off\n"
    "  --limit NAME=N        how much of something there may be (docs/api.md); may be repeated:\n"
    "                        streams (2000), streams-per-connection (100), connections (1024),\n"
    "                        connections-per-address (64), objects (50000 a call),\n"
    "                        stream-seconds (3600), connection-seconds (3600),\n"
    "                        memory-mib (0: what the system allows)\n"
    "  --listen-unsafely     allow gRPC addresses that other machines can reach although this\n"
    "                        gRPC library has known denial-of-service holes\n"
    "  --version             print the version and exit\n"
    "  --help                print this and exit\n"
    "\n"
    "Once ready it prints one line on standard output:\n"
    "  listening grpc=ADDR[,ADDR...] http=ADDR|off\n"
    "SIGTERM drains and ends it; a second SIGTERM hurries. Exit status: 0 after a drain,\n"
    "1 when it cannot run, 2 when the command line is wrong.\n";

struct option {
    const char *name;
    bool has_value;
    bool may_repeat;
    ks_rc (*take)(struct ks_config *config, const char *value, struct ks_error *err);
};

static ks_rc take_listen(struct ks_config *config, const char *value, struct ks_error *err)
{
    ks_rc rc;

    if (config->listen_count == KS_CONFIG_LISTEN_MAX)
        return ks_fail(err, KS_RC_INVALID, "at most %d addresses", KS_CONFIG_LISTEN_MAX);
    rc = ks_address_parse(value, &config->listen[config->listen_count], err);
    if (rc == KS_RC_OK)
        config->listen_count++;
    return rc;
}

static ks_rc take_http(struct ks_config *config, const char *value, struct ks_error *err)
{
    config->has_http = strcmp(value, "off") != 0;
    return config->has_http ? ks_address_parse(value, &config->http, err) : KS_RC_OK;
}

static ks_rc take_kubeconfig(struct ks_config *config, const char *value, struct ks_error *err)
{
    if (value[0] == '\0')
        return ks_fail(err, KS_RC_INVALID, "a file name is wanted");
    config->kubeconfig = value;
    return KS_RC_OK;
}

static ks_rc take_context(struct ks_config *config, const char *value, struct ks_error *err)
{
    if (value[0] == '\0')
        return ks_fail(err, KS_RC_INVALID, "the name of a context is wanted");
    config->context = value;
    return KS_RC_OK;
}

static ks_rc take_workers(struct ks_config *config, const char *value, struct ks_error *err)
{
    int64_t n;

    if (!ks_str_to_int64(ks_str_from(value), &n) || n < 1 || n > WORKERS_MAX)
        return ks_fail(err, KS_RC_INVALID, "\"%s\" is not a number from 1 to %d", value,
                       WORKERS_MAX);
    config->workers = (unsigned)n;
    return KS_RC_OK;
}

static ks_rc take_log_format(struct ks_config *config, const char *value, struct ks_error *err)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return ks_fail(err, KS_RC_INVALID, "\"%s\" is neither text nor json", value);
    config->log_format = value[0] == 'j' ? KS_LOG_JSON : KS_LOG_TEXT;
    return KS_RC_OK;
}

static ks_rc take_log_level(struct ks_config *config, const char *value, struct ks_error *err)
{
    if (!ks_log_level_parse(value, &config->log_level))
        return ks_fail(err, KS_RC_INVALID, "\"%s\" is none of debug, info, warn, error, off",
                       value);
    return KS_RC_OK;
}

static ks_rc take_limit(struct ks_config *config, const char *value, struct ks_error *err)
{
    return ks_limits_parse(&config->limits, value, err);
}

static ks_rc take_listen_unsafely(struct ks_config *config, const char *value, struct ks_error *err)
{
    (void)value;
    (void)err;
    config->may_listen_unsafely = true;
    return KS_RC_OK;
}

static ks_rc take_version(struct ks_config *config, const char *value, struct ks_error *err)
{
    (void)value;
    (void)err;
    config->action = KS_CONFIG_VERSION;
    return KS_RC_OK;
}

static ks_rc take_help(struct ks_config *config, const char *value, struct ks_error *err)
{
    (void)value;
    (void)err;
    config->action = KS_CONFIG_HELP;
    return KS_RC_OK;
}

static const struct option options[] = {
    {"--listen", true, true, take_listen},
    {"--http", true, false, take_http},
    {"--kubeconfig", true, false, take_kubeconfig},
    {"--context", true, false, take_context},
    {"--workers", true, false, take_workers},
    {"--log-format", true, false, take_log_format},
    {"--log-level", true, false, take_log_level},
    {"--limit", true, true, take_limit},
    {"--listen-unsafely", false, true, take_listen_unsafely},
    {"--version", false, true, take_version},
    {"--help", false, true, take_help},
};

static const struct option *option_find(struct ks_str name)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(options); i++) {
        if (ks_str_is(name, options[i].name))
            return &options[i];
    }
    return NULL;
}

/* Takes the option at argv[*index]; *index moves to its last word. */
static ks_rc option_take(char *const *argv, int *index, struct ks_config *config, unsigned *seen,
                         struct ks_error *err)
{
    const char *word = argv[*index];
    const char *value = strchr(word, '=');
    const struct option *o =
        option_find(ks_str_make(word, value ? (size_t)(value - word) : strlen(word)));
    unsigned bit;
    ks_rc rc;

    if (!o)
        return ks_fail(err, KS_RC_INVALID,
                       "unknown argument \"%s\"; kstatusd --help lists them all", word);
    bit = 1u << (o - options);
    if ((*seen & bit) && !o->may_repeat)
        return ks_fail(err, KS_RC_INVALID, "%s is given twice", o->name);
    *seen |= bit;
    if (!o->has_value && value)
        return ks_fail(err, KS_RC_INVALID, "%s takes no value", o->name);
    if (o->has_value && !value && !argv[++*index])
        return ks_fail(err, KS_RC_INVALID, "%s needs a value", o->name);
    rc = o->take(config, value ? value + 1 : argv[*index], err);
    return rc ? ks_wrap(err, rc, "%s", o->name) : KS_RC_OK;
}

static unsigned default_workers(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (cpus < 4)
        return 1;
    return cpus / 2 > WORKERS_MAX ? WORKERS_MAX : (unsigned)(cpus / 2);
}

ks_rc ks_config_parse(int argc, char *const *argv, struct ks_config *out, struct ks_error *err)
{
    struct ks_config config = {
        .action = KS_CONFIG_RUN,
        .http = {.kind = KS_ADDRESS_TCP, .host = "127.0.0.1", .port = 7480},
        .has_http = true,
        .workers = default_workers(),
        .log_format = KS_LOG_TEXT,
        .log_level = KS_LOG_INFO,
        .limits = ks_limits_default,
    };
    unsigned seen = 0;

    for (int i = 1; i < argc; i++) {
        ks_rc rc = option_take(argv, &i, &config, &seen, err);

        if (rc)
            return rc;
    }
    if (config.listen_count == 0) {
        config.listen[0] =
            (struct ks_address){.kind = KS_ADDRESS_TCP, .host = "127.0.0.1", .port = 7443};
        config.listen_count = 1;
    }
    *out = config;
    return KS_RC_OK;
}
