/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of long lists for clients that ask for it.
 *
 * Thread: one.
 */
#ifndef KUBESIM_GZIP_H
#define KUBESIM_GZIP_H

#include "stream.h"

/* Answers 200 with the body (taken), through gzip when it is long and the client accepts that. */
void sim_reply_gzipped(struct sim_request *r, struct sim_body *body, size_t length);

#endif
