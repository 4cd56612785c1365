/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET of one object, LIST, and the parameters that LIST and WATCH share.
 *
 * Thread: one.
 */
#ifndef KUBESIM_READ_H
#define KUBESIM_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "reply.h"

struct sim_selector;

/* A resourceVersion parameter. */
struct sim_rv_param {
    bool is_set;  /* present and not empty */
    bool is_zero; /* "0" */
    uint64_t value;
};
/* false (and answered with 500, as the API server does) when it is no number. */
bool sim_rv_param_read(struct sim_call *call, struct sim_rv_param *out);
/* false and answered with 400 when the selectors cannot be read. */
bool sim_selector_read(struct sim_call *call, struct sim_selector **out);
/* How long the server waits for a resourceVersion of the future before it says 504. */
#define SIM_FRESH_WAIT_MS 3000

/* As long as a name or a namespace can be. */
#define SIM_NAME_MAX 253

/* The range of keys a call is about: [lo, hi). Views point into the two buffers. */
struct sim_key_range {
    char lo[512];
    char hi[512];
    size_t lo_len;
    size_t hi_len;
    size_t ns_len; /* of "namespace/" at the front of both */
};
void sim_key_range_of(const struct sim_call *call, const struct sim_selector *s,
                      struct sim_key_range *out);
/* "namespace/name", or "name". */
struct ks_str sim_key_make(const struct sim_resource *res, struct ks_str ns, struct ks_str name,
                           char *out, size_t size);

void sim_get(struct sim_call *call);
void sim_list(struct sim_call *call);

#endif
