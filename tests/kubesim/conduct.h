/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a client's requests are those of a good client: what the server accepts, but should not
 * have been asked.
 *
 * Thread: any.
 */
#ifndef KUBESIM_CONDUCT_H
#define KUBESIM_CONDUCT_H

#include "base/str.h"

struct sim_request;

#define SIM_CONDUCT_MAX 8

/* Names of the rules that the request breaks, as literals; returns how many. */
size_t sim_conduct_check(const struct sim_request *r, const char *out[SIM_CONDUCT_MAX]);

#endif
