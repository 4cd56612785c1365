/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one Kubernetes thread with its own loop and its own client of the API server. Sessions
 * live here.
 *
 * Thread: made, started, stopped and freed on the main one; loop and client belong to the worker's
 * thread; the stats are readable from any.  Owns: loop, client, thread.  Limits: what kube/client.h
 * says.
 */
#ifndef KS_SERVER_WORKER_H
#define KS_SERVER_WORKER_H

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "loop/loop.h"

#include "kube/client.h"
#include "kube/config.h"

#include "bridge/feed.h"

struct ks_worker;

/* config and log are borrowed and must outlive it. */
KS_MUST_USE ks_rc ks_worker_new(unsigned number, const struct ks_kube_config *config,
                                const struct ks_log *log, struct ks_worker **out,
                                struct ks_error *err);
/* Also sends a first request, so that an API server that cannot be reached is noticed, and told, at
 * once. */
KS_MUST_USE ks_rc ks_worker_start(struct ks_worker *w, struct ks_error *err);

struct ks_loop *ks_worker_loop(struct ks_worker *w);
struct ks_kube *ks_worker_kube(struct ks_worker *w);
struct ks_feed_stats *ks_worker_feed_stats(struct ks_worker *w);

/* All feeds have been freed. Ends and joins the thread; idempotent. The stats stay readable. */
void ks_worker_stop(struct ks_worker *w);
/* Returns NULL; NULL is allowed. */
struct ks_worker *ks_worker_free(struct ks_worker *w);

#endif
