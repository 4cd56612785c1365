/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one running kubesim consists of, handed to those that need several of its parts.
 *
 * Thread: one.  Owns: all its parts; main.c makes them bottom-up and frees them in reverse. Those
 * that need neither sockets nor time of their own are made here, for tests without a socket, too.
 */
#ifndef KUBESIM_SIM_H
#define KUBESIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"

struct sim_auth;
struct sim_catalog;
struct sim_discovery;
struct sim_faults;
struct sim_loop;
struct sim_reqlog;
struct sim_scenario;
struct sim_server;
struct sim_store;
struct sim_tls;

struct sim_config {
    const char *listen_on;
    const char *kubeconfig;
    const char *scenario;
    double speed;
    bool loops;
    uint64_t seed;
    int64_t bookmark_ms;
    size_t history;
};

struct sim {
    struct sim_config config;
    const struct ks_clock *clock;
    struct ks_log log;
    struct sim_loop *loop;
    struct sim_tls *tls;
    struct sim_store *store;
    struct sim_catalog *catalog;
    struct sim_discovery *discovery;
    struct sim_auth *auth;
    struct sim_faults *faults;
    struct sim_reqlog *reqlog;
    struct sim_server *server;
    struct sim_scenario *scenario;
    struct ks_list watches;
    struct ks_list parked; /* requests that wait for a resourceVersion */
    uint64_t random_state;
    /* What older servers lack, switched by {"op":"feature"}. */
    bool has_watch_list;
    bool has_aggregated_discovery;
};

/* Everything between store and reqlog. Needs config, clock and loop. What was made until it failed
 * is for sim_cluster_free, too. */
KS_MUST_USE ks_rc sim_cluster_new(struct sim *sim, struct ks_error *err);
/* All requests have ended. */
void sim_cluster_free(struct sim *sim);

/* SplitMix64, so that --seed gives the same uids again. */
uint64_t sim_random(struct sim *sim);
#define SIM_UID_SIZE 37
void sim_uid_make(struct sim *sim, char out[SIM_UID_SIZE]);
/* Now, as metadata.creationTimestamp has it: whole seconds. */
#define SIM_TIME_SIZE 32
void sim_time_now(const struct sim *sim, char out[SIM_TIME_SIZE]);

#endif
