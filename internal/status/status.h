/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict on one object: has it reached its desired state, and if not, why not. Pure: a
 * document and a time in, a value out; no I/O, no clock, and but for one case no allocation of its
 * own: profile `strict` parses the annotation in which an autoscaler of autoscaling/v1 has its
 * conditions.
 *
 * Profile `kstatus`: status, and the emitted condition's type, status and reason equal the
 * reference's (fluxcd/cli-utils v1.3.0, pkg/kstatus/status) for every object; shared/spec kstatus 1
 * is the description. Message texts are our own.
 *
 * Thread: the document's.  Owns: nothing.  Limits: messages of our own are at most
 * KS_VERDICT_TEXT_MAX bytes.
 */
#ifndef KS_STATUS_STATUS_H
#define KS_STATUS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"

/* Numbers are those of kstatus.v1.ReconcileStatus. */
typedef enum {
    KS_STATUS_UNSPECIFIED = 0,
    KS_STATUS_IN_PROGRESS = 1,
    KS_STATUS_FAILED = 2,
    KS_STATUS_CURRENT = 3,
    KS_STATUS_TERMINATING = 4,
    KS_STATUS_NOT_FOUND = 5, /* never computed here: told by who looked */
    KS_STATUS_UNKNOWN = 6, /* what a failed computation becomes; computed by profile strict only */
} ks_status;
#define KS_STATUS_COUNT 7

/* "InProgress", "Failed", ... as kstatus prints them; never NULL. */
const char *ks_status_text(ks_status status);
/* All six names are accepted, also "NotFound"; false for anything else. */
bool ks_status_parse(struct ks_str text, ks_status *out);

/* Numbers are those of kstatus.v1.StatusBasis: what a verdict rests on, strongest first. Deletion
 * counts as a rule of the kind: every kind has it. */
typedef enum {
    KS_BASIS_UNSPECIFIED = 0,
    KS_BASIS_KIND_RULE = 1,
    KS_BASIS_STANDARD_CONDITION = 2,
    KS_BASIS_CUSTOM_RULE = 3,
    KS_BASIS_GENERATION_ONLY = 4,
    KS_BASIS_ASSUMED = 5,
} ks_basis;

struct ks_condition {
    struct ks_str type;
    struct ks_str status;
    struct ks_str reason;
    struct ks_str message;
};

/* Whose rules decide. `kstatus` equals the reference; `strict` says what a user would say who looks
 * at the object (docs/verdicts.md). */
typedef enum { KS_PROFILE_KSTATUS, KS_PROFILE_STRICT } ks_profile;
#define KS_PROFILE_COUNT 2

/* "kstatus", "strict"; never NULL. */
const char *ks_profile_text(ks_profile profile);
bool ks_profile_parse(struct ks_str text, ks_profile *out);

#define KS_VERDICT_TEXT_MAX 256

/* Views point into static text, into the document, or into `text`: copy them before the document
 * goes, and do not copy the struct by assignment (use it where it was filled). */
struct ks_verdict {
    ks_status status;
    ks_basis basis;
    struct ks_str reason;  /* stable identifier; empty for Terminating, and for kstatus' Current */
    struct ks_str message; /* for people; UTF-8, may be untrusted text from the cluster */
    bool has_condition;
    struct ks_condition condition; /* Reconciling=True or Stalled=True, as kstatus emits it */
    int64_t recheck_at_ms;         /* wall time at which the verdict changes by itself; 0: never */
    bool has_generation;
    int64_t generation;
    bool has_observed_generation;
    int64_t observed_generation;
    bool has_progress; /* kinds that count replicas, pods or completions */
    uint32_t desired_count;
    uint32_t ready_count;
    char text[KS_VERDICT_TEXT_MAX];
};

/*
 * object is the whole Kubernetes object with apiVersion and kind. now_wall_ms is Unix time.
 *
 * KS_RC_INVALID: the reference fails on this object too (a member of a wrong type where it insists
 * on one, an unknown Pod phase); err says which. A watcher reports such an object as Unknown.
 * KS_RC_NOMEM: a string could not be decoded. After either, out holds no verdict (UNSPECIFIED), but
 * the generations and the progress that could be read.
 */
KS_MUST_USE ks_rc ks_status_compute(struct ks_json_value object, int64_t now_wall_ms,
                                    struct ks_verdict *out, struct ks_error *err);

/* Borrowed views; the core group is empty. */
struct ks_status_kind {
    struct ks_str group;
    struct ks_str kind;
};
/* The same for an object whose kind is known from where it was read. The API server leaves
 * apiVersion and kind out of a list's items, so a watcher must use this one. */
KS_MUST_USE ks_rc ks_status_compute_as(struct ks_json_value object,
                                       const struct ks_status_kind *kind, int64_t now_wall_ms,
                                       struct ks_verdict *out, struct ks_error *err);

/* What may be known, or not. */
typedef enum { KS_FACT_UNKNOWN, KS_FACT_NO, KS_FACT_YES } ks_fact;

/* Something bad that stands beside the object: borrowed views. */
struct ks_status_evidence {
    struct ks_str reason;
    struct ks_str message; /* may be empty */
    int64_t since_ms;      /* 0: unknown */
};

/*
 * What profile strict would like to know and the object does not say. The zero value knows nothing:
 * that is how it is offline. Profile kstatus looks at `kind` alone.
 */
struct ks_status_context {
    const struct ks_status_kind *kind; /* where it was read; NULL: as the object says */
    int64_t first_seen_ms;          /* graces without a time of their own start here; 0: unknown */
    int64_t unschedulable_grace_ms; /* 0: 15 s, as the reference */
    ks_fact declares_status;        /* whether its CRD has the status subresource */
    bool siblings_have_ready;       /* two others of the kind or more carry Ready, or have */
    /* The Pod of the newest revision that failed first, of a workload; the Warning event of a
     * Service's load balancer; NULL: none, or not known. */
    const struct ks_status_evidence *failure;
    ks_fact pod_ready_since_roll; /* whether any Pod of the newest revision has been Ready */
    ks_fact last_job_known;       /* of a CronJob */
    ks_fact waits_for_consumer;   /* a claim's class binds late, and no Pod uses the claim */
    bool may_lack_address;        /* an Ingress without address counts as Current after 5 min */
};

/* Whether profile strict has a rule for the kind: then what its CRD declares and its siblings carry
 * does not matter. */
bool ks_status_has_rule(const struct ks_status_kind *kind);

/* The same under any profile. context may be NULL. Profile strict fails with KS_RC_NOMEM only; its
 * recheck_at_ms is the time at which the first of its graces is over. */
KS_MUST_USE ks_rc ks_status_compute_profile(ks_profile profile, struct ks_json_value object,
                                            int64_t now_wall_ms,
                                            const struct ks_status_context *context,
                                            struct ks_verdict *out, struct ks_error *err);

#endif
