/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request target taken apart: percent-decoded path segments and query parameters.
 *
 * Thread: any.  Owns: the decoded bytes; views live until sim_url_fini.  Limits: URL_SEGMENTS_MAX,
 * URL_PARAMS_MAX; beyond them parsing fails.
 */
#ifndef KUBESIM_URL_H
#define KUBESIM_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

#define URL_SEGMENTS_MAX 12
#define URL_PARAMS_MAX 32

struct sim_url {
    /* Every view ends with a NUL behind it. */
    struct ks_str segments[URL_SEGMENTS_MAX];
    size_t segments_len;
    struct ks_str keys[URL_PARAMS_MAX];
    struct ks_str values[URL_PARAMS_MAX];
    size_t params_len;
    char *bytes; /* private */
};

/* KS_RC_PARSE for a bad escape, KS_RC_LIMIT, KS_RC_NOMEM. */
KS_MUST_USE ks_rc sim_url_parse(struct ks_str path, struct ks_str query, struct sim_url *out);
void sim_url_fini(struct sim_url *u);

/* The parameter's first value, or the empty view. */
struct ks_str sim_url_param(const struct sim_url *u, const char *key);
bool sim_url_has(const struct sim_url *u, const char *key);
/* Go's strconv.ParseBool as query parameters use it: "1", "t", "true", and an empty value that is
 * present. */
bool sim_url_flag(const struct sim_url *u, const char *key);

#endif
