/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The composition root: builds everything bottom-up, runs until a signal, drains, takes everything
 * apart in reverse.
 *
 * Thread: main.  Owns: everything.
 */
#ifndef KS_SERVER_APP_H
#define KS_SERVER_APP_H

#include "base/base.h"
#include "base/error.h"
#include "server/config.h"

/* Returns after the drain that SIGTERM or SIGINT began: KS_RC_OK. Otherwise it could not start, and
 * err says what, and what to do. */
KS_MUST_USE ks_rc ks_app_run(const struct ks_config *config, struct ks_error *err);

#endif
