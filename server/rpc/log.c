/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C core writes to stderr by itself, attackers' bytes included. Its lines are taken over here.
 *
 * Lines from the files that parse headers quote what a peer sent; of these only the place is kept.
 * The rest is escaped by ks_log and cut.
 *
 * gRPC's hook has no context pointer, so the log's address is the one thing in this program that is
 * kept in a static variable; it is set before gRPC starts and constant afterwards.
 *
 * Thread: any.
 */
#include "server/rpc/log.h"

#include <pthread.h>
#include <string.h>

#include <grpc/support/log.h>

#define TEXT_MAX_BYTES 240

static struct {
    const struct ks_log *log;
    pthread_mutex_t lock; /* guards limit */
    struct ks_log_limit limit;
} hook = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .limit = {.window_ms = 10000, .burst = 10},
};

static bool quotes_peers(const char *file)
{
    return strstr(file, "hpack") || strstr(file, "metadata") || strstr(file, "parsing") ||
           strstr(file, "frame_") || strstr(file, "bin_decoder");
}

static enum ks_log_level level_of(gpr_log_severity severity)
{
    return severity == GPR_LOG_SEVERITY_ERROR ? KS_LOG_WARN : KS_LOG_DEBUG;
}

static void on_line(gpr_log_func_args *args)
{
    const char *slash = strrchr(args->file, '/');
    const char *file = slash ? slash + 1 : args->file;
    struct ks_str text = ks_str_from(args->message);
    unsigned dropped = 0;
    bool may_pass;

    if (!ks_log_is_on(hook.log, level_of(args->severity)))
        return;
    pthread_mutex_lock(&hook.lock);
    may_pass = ks_log_limit_pass(&hook.limit, ks_clock_real.mono_ms(&ks_clock_real), &dropped);
    pthread_mutex_unlock(&hook.lock);
    if (!may_pass)
        return;
    if (quotes_peers(file))
        text = KS_LIT("(withheld: it may quote what a peer sent)");
    ks_log(hook.log, level_of(args->severity), "gRPC library",
           KS_F_VIEW("text", ks_str_cut_utf8(text, TEXT_MAX_BYTES)), KS_F_STR("file", file),
           KS_F_INT("line", args->line), KS_F_INT("dropped", dropped));
}

void ks_grpc_log_install(const struct ks_log *log)
{
    hook.log = log;
    gpr_set_log_function(on_line);
    gpr_set_log_verbosity(ks_log_is_on(log, KS_LOG_DEBUG) ? GPR_LOG_SEVERITY_INFO
                                                          : GPR_LOG_SEVERITY_ERROR);
}
