/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a text can be a server's address: HOST:PORT, [IPV6]:PORT, unix:PATH, or a gRPC name
 * as dns:///HOST:PORT; or several: ipv4:HOST:PORT,HOST:PORT.
 *
 * gRPC itself takes almost anything, fills in a port or cuts one down to 16 bits, and then says
 * that nobody answers.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_ADDRESS_H
#define KS_CLIENT_CLI_ADDRESS_H

#include "base/base.h"
#include "base/error.h"

/* KS_RC_INVALID with a sentence. */
KS_MUST_USE ks_rc ks_address_check(const char *text, struct ks_error *err);

#endif
