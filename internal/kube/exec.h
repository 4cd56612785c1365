/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec credential plugins: one run of the program that a kubeconfig names, and what it answered.
 * shared/spec: informers 4.4.
 *
 * Thread: the loop's.  Owns: the run.  Limits: 1 MiB of output, 60 s, then SIGKILL to its process
 * group.
 */
#ifndef KS_KUBE_EXEC_H
#define KS_KUBE_EXEC_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "loop/loop.h"
#include "kube/config.h"

struct ks_exec;
struct ks_json;

#define KS_EXEC_NO_EXPIRY INT64_MAX

/* A token, or a certificate with its key, or both. */
struct ks_exec_credential {
    struct ks_str token;
    struct ks_str cert_pem;
    struct ks_str key_pem;
    int64_t expires_wall_ms; /* or KS_EXEC_NO_EXPIRY */
};

/* Once, never from within ks_exec_start; credential is lent for the call and NULL unless rc is OK.
 * The handle is dead after it. */
typedef void (*ks_exec_done)(void *ctx, ks_rc rc, const struct ks_exec_credential *credential,
                             const struct ks_error *err);

/* KS_RC_UNAUTHENTICATED when the program is not there: the message carries the install hint. config
 * is borrowed and must outlive the run. */
KS_MUST_USE ks_rc ks_exec_start(struct ks_loop *loop, const struct ks_exec_config *config,
                                ks_exec_done done, void *ctx, struct ks_exec **out,
                                struct ks_error *err);
/* done is not called. NULL is allowed. */
void ks_exec_cancel(struct ks_exec *exec);

/* What the program wrote; the views are lent by json. KS_RC_UNAUTHENTICATED when it is no
 * credential of this apiVersion. */
KS_MUST_USE ks_rc ks_exec_credential_parse(struct ks_json *json, struct ks_str text,
                                           const char *api_version, struct ks_exec_credential *out,
                                           struct ks_error *err);

#endif
