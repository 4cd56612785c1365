/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, as the API server says it: the `Status` object.
 *
 * Thread: any.  Owns: nothing; a problem is a plain value with its texts inside.  Limits: texts are
 * cut at their arrays' ends.
 */
#ifndef KUBESIM_STATUS_BODY_H
#define KUBESIM_STATUS_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/base.h"

struct sim_resource;

#define SIM_CAUSES_MAX 4

struct sim_cause {
    char reason[64];
    char message[512];
    char field[128];
};

struct sim_problem {
    int code;
    const char *reason; /* a literal; NULL leaves it out */
    char message[1536];
    char name[256];
    char group[128];
    char kind[128]; /* a resource's plural for most reasons, a kind for Invalid */
    char uid[64];
    bool has_details; /* even when there is nothing to tell */
    struct sim_cause causes[SIM_CAUSES_MAX];
    size_t causes_len;
    int retry_after_s;
    char continue_token[512];
};

/* Each fills the whole problem. A resource may be NULL where the API server has none to name. */
void sim_problem_not_found(struct sim_problem *p, const struct sim_resource *res, const char *name);
void sim_problem_exists(struct sim_problem *p, const struct sim_resource *res, const char *name);
void sim_problem_conflict(struct sim_problem *p, const struct sim_resource *res, const char *name,
                          const char *why);
/* name may be NULL: the whole resource is meant. */
void sim_problem_forbidden(struct sim_problem *p, const struct sim_resource *res, const char *name,
                           const char *why);
/* Then add causes with sim_problem_cause, and close the sentence with sim_problem_invalid_finish.
 */
void sim_problem_invalid(struct sim_problem *p, const char *group, const char *kind,
                         const char *name);
void sim_problem_cause(struct sim_problem *p, const char *reason, const char *field,
                       const char *fmt, ...) KS_PRINTF(4, 5);
void sim_problem_invalid_finish(struct sim_problem *p);
void sim_problem_expired(struct sim_problem *p, uint64_t rv, uint64_t oldest);
void sim_problem_too_large_rv(struct sim_problem *p, uint64_t rv, uint64_t current);
void sim_problem_unauthorized(struct sim_problem *p);
void sim_problem_method(struct sim_problem *p);
/* Any other code: 400, 406, 413, 415, 429, 500, 503, ... with its usual reason. */
void sim_problem_set(struct sim_problem *p, int code, const char *fmt, ...) KS_PRINTF(3, 4);
/* The usual reason of a code; NULL when there is none. */
const char *sim_reason_of(int code);

/* A new reference; NULL when memory is short. */
json_t *sim_problem_json(const struct sim_problem *p);

#endif
