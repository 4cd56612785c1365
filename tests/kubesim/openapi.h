/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of /openapi/v3 as kubectl asks for before it applies: which resources can be patched with
 * which parameters. No schemas.
 *
 * Thread: one.
 */
#ifndef KUBESIM_OPENAPI_H
#define KUBESIM_OPENAPI_H

#include <stdbool.h>

struct sim_request;
struct sim_url;

/* false when the path is not below /openapi. */
bool sim_openapi_answer(struct sim_request *r, const struct sim_url *u);

#endif
