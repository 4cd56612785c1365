/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard base64 (RFC 4648 section 4), as kubeconfig's *-data fields and protobuf's JSON bytes use
 * it.
 *
 * Thread: any.
 */
#ifndef KS_BASE_BASE64_H
#define KS_BASE_BASE64_H

#include "base/error.h"
#include "base/str.h"

/* Appends the decoded bytes; line breaks and blanks between groups are skipped. KS_RC_PARSE
 * otherwise. */
KS_MUST_USE ks_rc ks_base64_decode(struct ks_str text, struct ks_buf *out);
KS_MUST_USE ks_rc ks_base64_encode(struct ks_str data, struct ks_buf *out);

#endif
