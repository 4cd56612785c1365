/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vigil: a session that ends by itself, with an outcome, when its goal is reached or lost, or
 * time is up (until.h).
 *
 * To its owner it is a session: it tells all that a session tells, with the same promises, and then
 * KS_EVENT_OUTCOME, once. After that nothing is told but on_forget.
 *
 * Thread: the loop's.  Owns: the session; a record for each object.  Limits: those of session and
 * until; KS_OBSTACLES_MAX objects in the outcome.
 */
#ifndef KS_WATCHER_VIGIL_H
#define KS_WATCHER_VIGIL_H

#include "base/base.h"
#include "base/error.h"
#include "watcher/session.h"
#include "watcher/until.h"

struct ks_vigil;

/* As ks_session_new; config->until must be set. */
KS_MUST_USE ks_rc ks_vigil_new(struct ks_kube *kube, const struct ks_session_config *config,
                               const struct ks_session_ops *ops, void *ctx, struct ks_vigil **out,
                               struct ks_error *err);
/* As ks_session_free: allowed within its own callbacks. */
struct ks_vigil *ks_vigil_free(struct ks_vigil *vigil);

/* As ks_session_each, of what the sink was told. */
void ks_vigil_each(const struct ks_vigil *vigil,
                   void (*fn)(void *ctx, const struct ks_event *update), void *ctx);
/* For what else can be asked of it. */
const struct ks_session *ks_vigil_session(const struct ks_vigil *vigil);

#endif
