/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "continue" tokens of paged lists: base64url of
 * {"v":"meta.k8s.io/v1","rv":N,"start":"/KEY\u0000"}.
 *
 * Thread: any.
 */
#ifndef KUBESIM_PAGE_TOKEN_H
#define KUBESIM_PAGE_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* Goes on behind last_key. Leaves out empty when it does not fit or memory is short. */
void sim_page_token_make(uint64_t rv, struct ks_str last_key, char *out, size_t size);
/* One that goes on at `start` (as sim_page_token_read gave it) with whatever is there by then. */
void sim_page_token_renew(struct ks_str start, char *out, size_t size);
/* KS_RC_PARSE with the API server's sentence in err. rv -1: the present. */
KS_MUST_USE ks_rc sim_page_token_read(struct ks_str token, int64_t *out_rv,
                                      struct ks_buf *out_start, struct ks_error *err);

#endif
