/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a gRPC port still answers: asked as a client would ask.
 *
 * Thread: any; blocks up to KS_PULSE_TIMEOUT_MS three times over.  Owns: nothing.
 */
#ifndef KS_SERVER_PULSE_H
#define KS_SERVER_PULSE_H

#include "base/base.h"
#include "base/error.h"
#include "server/address.h"

#define KS_PULSE_TIMEOUT_MS 1000

/* KS_RC_OK: it does; KS_RC_LIMIT: there was no file descriptor to ask with, so nothing is known;
 * anything else: it does not, and err says how. */
KS_MUST_USE ks_rc ks_pulse_check(const struct ks_address *address, struct ks_error *err);

#endif
