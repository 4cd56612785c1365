/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control interface under /kubesim/, for tests: for the admin alone.
 *
 * Thread: one.
 */
#ifndef KUBESIM_CONTROL_H
#define KUBESIM_CONTROL_H

struct sim_request;
struct sim_url;

void sim_control(struct sim_request *r, const struct sim_url *u);

#endif
