/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST, PUT, PATCH and DELETE of resources: from request to registry and back.
 *
 * Thread: one.
 */
#ifndef KUBESIM_WRITE_H
#define KUBESIM_WRITE_H

#include "reply.h"

void sim_post(struct sim_call *call);
void sim_put(struct sim_call *call);
void sim_patch(struct sim_call *call);
void sim_delete_one(struct sim_call *call);
void sim_delete_collection(struct sim_call *call);

/* The request's body as a JSON object; NULL when answered with 400 or 415. */
json_t *sim_body_read(struct sim_call *call);

#endif
