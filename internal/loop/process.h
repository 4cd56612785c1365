/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program without a shell and collects what it writes: for kubeconfig's exec credential
 * plugins.
 *
 * Thread: the loop's.  Owns: the child (own process group, stdin from /dev/null) and its output.
 * Limits: max_stdout_bytes, and 8 KiB of stderr kept for the error message; deadline_ms, then
 * SIGKILL to the group.
 */
#ifndef KS_LOOP_PROCESS_H
#define KS_LOOP_PROCESS_H

#include "base/str.h"
#include "loop/loop.h"

struct ks_process;

struct ks_process_config {
    const char *file;        /* with a '/': that path; without: looked up in PATH */
    const char *const *argv; /* argv[0] first, NULL ends it */
    const char *const *env;  /* whole environment as NAME=value, NULL ends it */
    const char *cwd;         /* NULL: ours */
    size_t max_stdout_bytes;
    int64_t deadline_ms;
};

/*
 * Called once, never from within ks_process_start. rc: OK (ended with exit status 0), IO (other
 * exit status or a signal; err says which, with the tail of stderr), LIMIT, TIMEOUT. out is lent
 * for the call.
 */
typedef void (*ks_process_done)(void *ctx, ks_rc rc, struct ks_str out, const struct ks_error *err);

/* KS_RC_NOTFOUND when there is no such program. All strings are copied. */
KS_MUST_USE ks_rc ks_process_start(struct ks_loop *loop, const struct ks_process_config *config,
                                   ks_process_done done, void *ctx, struct ks_process **out,
                                   struct ks_error *err);
/* Kills it; done is not called. The handle is dead after this, as it is after done. */
void ks_process_cancel(struct ks_process *process);

#endif
