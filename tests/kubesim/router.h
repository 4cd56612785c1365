/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request's path to the code that answers it.
 *
 * Thread: one.
 */
#ifndef KUBESIM_ROUTER_H
#define KUBESIM_ROUTER_H

struct sim_request;

/* Answers the request, or parks it; called again when it was parked. */
void sim_route(struct sim_request *r);

#endif
