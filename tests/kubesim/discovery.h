/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery documents: /api, /apis and what lies below them, aggregated or legacy; /version;
 * /openapi.
 *
 * Thread: one.  Owns: the two aggregated documents, until the catalog changes.
 */
#ifndef KUBESIM_DISCOVERY_H
#define KUBESIM_DISCOVERY_H

#include "base/error.h"

struct sim_discovery;
struct sim_request;
struct sim_url;

KS_MUST_USE ks_rc sim_discovery_new(struct sim_discovery **out, struct ks_error *err);
struct sim_discovery *sim_discovery_free(struct sim_discovery *d);

/* A path of at most /apis/GROUP/VERSION. */
void sim_discovery_answer(struct sim_request *r, const struct sim_url *u);
void sim_discovery_version(struct sim_request *r);

#endif
