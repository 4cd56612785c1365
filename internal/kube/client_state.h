/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to client.c and request.c: what a client is made of, and how the two halves talk.
 * client.c owns its life, the gate's probe and the figures; request.c owns requests and decides
 * which may go out.
 *
 * Thread: the loop's, but for last_error.
 */
#ifndef KS_KUBE_CLIENT_STATE_H
#define KS_KUBE_CLIENT_STATE_H

#include <pthread.h>

#include "base/list.h"
#include "loop/loop.h"
#include "kube/auth.h"
#include "kube/client.h"
#include "kube/endpoint.h"
#include "kube/gate.h"
#include "kube/impersonation.h"
#include "kube/mapper.h"

struct ks_http_request;

#define KS_KUBE_PACES 3

struct ks_kube {
    struct ks_loop *loop;
    const struct ks_kube_config *config;
    struct ks_kube_options options;
    char *user_agent;
    struct ks_endpoint *endpoint;
    struct ks_auth *auth;
    struct ks_impersonation *impersonation; /* NULL: none */
    struct ks_mapper *mapper;
    struct ks_fleet *fleet; /* made by the first reflector */
    struct ks_gate gate;

    struct ks_list waiting[KS_KUBE_PACES]; /* by pace, in order */
    struct ks_list sent;
    struct ks_timer pump; /* due when something waiting may be able to go */

    struct {
        struct ks_transport *transport;
        struct ks_http_request *request; /* NULL: none is out */
        int status;
    } probe;

    struct ks_kube_stats stats;
    struct ks_timer settle; /* due when idle connections may have closed, which nobody tells us */
    pthread_mutex_t error_lock; /* guards last_error and has_error */
    struct ks_error last_error;
    bool has_error;
    struct ks_error credential_error; /* rc OK: none. The loop's alone */
};

/* request.c: the pump timer's function. */
void ks_kube_pump(struct ks_timer *timer);
/* client.c */
void ks_kube_pump_soon(struct ks_kube *kube);
/* An answer came; it need not be a good one. */
void ks_kube_note_reached(struct ks_kube *kube);
/* The endpoint could not be reached. */
void ks_kube_note_unreached(struct ks_kube *kube, const struct ks_error *err);
/* What became of the credentials: NULL, they were accepted; else they are refused, or there are
 * none. */
void ks_kube_note_credentials(struct ks_kube *kube, const struct ks_error *err);

#endif
