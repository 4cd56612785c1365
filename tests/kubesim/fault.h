/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: rules that a scenario sets, and the plan that a matching request carries out.
 *
 * Thread: one.  Owns: the rules, with their texts.  Limits: FAULT_RULES_MAX rules at a time.
 */
#ifndef KUBESIM_FAULT_H
#define KUBESIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"

struct sim_faults;
struct sim_request;

/* What happens when the trigger point of an answer is reached. */
enum sim_fault_act {
    SIM_FAULT_NONE,
    SIM_FAULT_END,      /* the body ends cleanly, as if that had been all */
    SIM_FAULT_RESET,    /* RST_STREAM */
    SIM_FAULT_FIN,      /* the connection is closed */
    SIM_FAULT_RST,      /* the connection is reset */
    SIM_FAULT_GOAWAY,   /* GOAWAY; the stream itself goes on */
    SIM_FAULT_HANG,     /* nothing more comes */
    SIM_FAULT_TEXT,     /* text is put in, then the body goes on */
    SIM_FAULT_LAST_TEXT /* text is put in, then the body ends */
};

struct sim_fault_plan {
    enum sim_fault_act act;
    uint64_t after_events; /* the trigger point: so many watch events ... */
    uint64_t after_bytes;  /* ... and then so many bytes */
    uint64_t base_bytes;   /* what had been sent when the events were reached; UINT64_MAX before */
    int64_t wait_ms; /* at the trigger point, so that the client has seen what lies before it */
    uint32_t h2_error;
    int32_t last_stream_id; /* of GOAWAY; -1 = the last one seen */
    size_t pace_bytes;      /* 0 = as fast as it goes */
    int64_t pace_ms;
    bool drop_initial_end; /* no annotated bookmark */
    bool keep_length;      /* content-length although the body is cut */
    char *text;
    size_t text_len;
    size_t text_at;
};

KS_MUST_USE ks_rc sim_faults_new(struct sim_faults **out, struct ks_error *err);
struct sim_faults *sim_faults_free(struct sim_faults *f);
/* Adds the rule of one {"op":"fault"} line. */
KS_MUST_USE ks_rc sim_faults_add(struct sim_faults *f, const json_t *op, struct ks_error *err);
void sim_faults_clear(struct sim_faults *f);
size_t sim_faults_count(const struct sim_faults *f);

/*
 * Lets the first matching rule act on the request: it may answer, delay or swallow it (false: the
 * router has nothing more to do), or leave a plan in the stream (true: answer as usual).
 */
bool sim_faults_apply(struct sim_faults *f, struct sim_request *r);

void sim_fault_plan_fini(struct sim_fault_plan *p);
/* H2's number for "CANCEL", "NO_ERROR", ...; false when there is none of that name. */
bool sim_h2_error_parse(const char *name, uint32_t *out);

#endif
