/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand in a credential's header. Header bytes are checked nowhere else on the way out:
 * libcurl passes CR and LF on, and a second header could impersonate anybody (shared/spec:
 * informers 5.6).
 *
 * Thread: any.
 */
#ifndef KS_KUBE_TOKEN_H
#define KS_KUBE_TOKEN_H

#include <stdbool.h>

#include "base/str.h"

#define KS_TOKEN_MAX ((size_t)16 << 10)

/* RFC 6750's b64token, at most KS_TOKEN_MAX bytes, not empty. */
bool ks_token_is_valid(struct ks_str token);
/* A user, group or UID as a header's value: visible ASCII and inner blanks, 1 to 1024 bytes. */
bool ks_identity_is_valid(struct ks_str name);

#endif
