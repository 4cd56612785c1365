/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to subresources: status, scale, eviction, token, finalize, approval, resize,
 * ephemeralcontainers.
 *
 * Thread: one.  What needs a kubelet (log, exec, attach, portforward, proxy) answers 404.
 */
#ifndef KUBESIM_SUBRESOURCE_H
#define KUBESIM_SUBRESOURCE_H

#include "reply.h"

void sim_subresource(struct sim_call *call);

#endif
