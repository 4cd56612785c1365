/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/status: profile `strict`. What its rules get, how they tell what they found,
 * and the rules themselves. docs/verdicts.md says what is decided and why.
 *
 * A rule looks at the object and tells each thing it finds with ks_strict_find; the worst one
 * becomes the verdict, whatever the order. A rule never fails: a member of a wrong type counts as
 * absent.
 *
 * Thread: the document's.  Owns: nothing.  Limits: KS_STRICT_CONDITIONS_MAX, KS_STRICT_MEMBERS_MAX.
 */
#ifndef KS_STATUS_STRICT_H
#define KS_STATUS_STRICT_H

#include "status/status.h"

/* A condition is outdated only if no fresh one of its type is among so many of its list. */
#define KS_STRICT_CONDITIONS_MAX 128
/* So many members of a map are looked at for words about the object's state. */
#define KS_STRICT_MEMBERS_MAX 64

/* The types of those conditions of a list that are not outdated: asked for by each that is. */
struct ks_strict_fresh {
    struct ks_json_value list;
    size_t count;
    struct ks_str types[KS_STRICT_CONDITIONS_MAX];
};

struct ks_strict {
    struct ks_json_value object;
    struct ks_json_value status;     /* a map, or ABSENT */
    struct ks_json_value conditions; /* status.conditions: a list, or ABSENT */
    struct ks_status_kind kind;
    bool has_generation;
    int64_t generation;
    int64_t now_ms;
    const struct ks_status_context *context; /* never NULL */
    struct ks_verdict *out;
    bool is_out_of_memory;
    /* private to strict.c */
    int worst;
    int64_t recheck_at_ms;
    struct ks_strict_fresh *fresh; /* strict_condition.c's memory of the list asked for last */
    ks_fact is_task;               /* strict_member.c's: whether the object runs to an end */
};

typedef void (*ks_strict_rule)(struct ks_strict *s);

KS_MUST_USE ks_rc ks_strict_compute(struct ks_json_value object, int64_t now_wall_ms,
                                    const struct ks_status_context *context, struct ks_verdict *out,
                                    struct ks_error *err);

#define KS_STRICT_GRACE_MS 60000
#define KS_STRICT_POD_GRACE_MS 30000
#define KS_STRICT_SCHEDULE_GRACE_MS 15000
#define KS_STRICT_ADDRESS_GRACE_MS 300000

/* The views live as long as the document, or are literals. */
struct ks_finding {
    ks_status status;
    ks_basis basis;
    struct ks_str reason;
    struct ks_str message; /* the object's own; empty: the words of the call */
    /* Failed only: InProgress until so long after since_ms (0: unknown, then after first_seen_ms).
     */
    int64_t grace_ms;
    int64_t since_ms;
    struct ks_str reason_until; /* the reason until then; empty: the same */
};

void ks_strict_find(struct ks_strict *s, const struct ks_finding *finding, const char *fmt, ...)
    KS_PRINTF(3, 4);
/* The usual ones: of the kind's own rule, with a literal reason ("" for none). */
void ks_strict_current(struct ks_strict *s, const char *reason, const char *fmt, ...)
    KS_PRINTF(3, 4);
void ks_strict_progress(struct ks_strict *s, const char *reason, const char *fmt, ...)
    KS_PRINTF(3, 4);
/* Whether anything worse than Current has been found. */
bool ks_strict_is_bad(const struct ks_strict *s);
/* Whether anything has been found. */
bool ks_strict_is_decided(const struct ks_strict *s);
/* Milliseconds of an RFC 3339 time; 0 when it is none. */
int64_t ks_strict_time(struct ks_str text);
/* Whether the member at the path is an integer, or a string that holds one. */
bool ks_strict_int(struct ks_json_value root, const char *path, int64_t *out);

typedef enum { KS_TRUTH_NONE, KS_TRUTH_TRUE, KS_TRUTH_FALSE, KS_TRUTH_UNKNOWN } ks_truth;

struct ks_strict_condition {
    struct ks_str type;
    struct ks_str reason;       /* as given; may be empty */
    struct ks_str message;      /* as given; may be empty */
    struct ks_str severity;     /* as given; may be empty */
    struct ks_json_value value; /* the condition itself */
    ks_truth truth;
    bool is_outdated; /* made for an older generation */
};

const char *ks_truth_text(ks_truth truth);
/* False when the element is no map or has no type. */
bool ks_strict_condition_read(const struct ks_strict *s, struct ks_json_value list,
                              struct ks_json_value element, struct ks_strict_condition *out);
/* The first one of that type in the list. */
bool ks_strict_condition_find(const struct ks_strict *s, struct ks_json_value list,
                              const char *type, struct ks_strict_condition *out);
/* A finding in the condition's own words. */
struct ks_finding ks_strict_condition_finding(const struct ks_strict_condition *c, ks_status status,
                                              ks_basis basis);
/* Tells what the condition says: "Condition Ready is False" unless it has a message. */
void ks_strict_condition_tell(struct ks_strict *s, const struct ks_strict_condition *c,
                              const struct ks_finding *finding);
/* InProgress/GenerationNotObserved, if it is outdated. */
bool ks_strict_condition_outdated(struct ks_strict *s, const struct ks_strict_condition *c);
/* Whether a positive condition that is False says that it will not become True by waiting. */
bool ks_strict_condition_fails(const struct ks_strict_condition *c);
/* True is good: Current, InProgress, or Failed with the usual grace. */
void ks_strict_condition_positive(struct ks_strict *s, const struct ks_strict_condition *c,
                                  ks_basis basis);

/* The families of conditions in one list. */
void ks_strict_conditions(struct ks_strict *s, struct ks_json_value list);
/* Phases, counters, booleans, errors of a status without rule. */
void ks_strict_members(struct ks_strict *s);
/* Gateway API: conditions of a list of parents or ancestors; no element: NotObserved. */
void ks_strict_parents(struct ks_strict *s, struct ks_json_value list);

/* What the context knows of a workload's failed Pod. */
void ks_strict_check_pods(struct ks_strict *s);

/* Rules of kinds: strict_kinds.h. */
void ks_strict_address_ingress(struct ks_strict *s);
void ks_strict_api_service(struct ks_strict *s);
void ks_strict_claim(struct ks_strict *s);
void ks_strict_cron_job(struct ks_strict *s);
void ks_strict_daemon_set(struct ks_strict *s);
void ks_strict_deployment(struct ks_strict *s);
void ks_strict_disruption_budget(struct ks_strict *s);
void ks_strict_flow_schema(struct ks_strict *s);
void ks_strict_gateway(struct ks_strict *s);
void ks_strict_gateway_class(struct ks_strict *s);
void ks_strict_horizontal_autoscaler(struct ks_strict *s);
void ks_strict_job(struct ks_strict *s);
void ks_strict_namespace(struct ks_strict *s);
void ks_strict_node(struct ks_strict *s);
void ks_strict_pod(struct ks_strict *s);
void ks_strict_policy(struct ks_strict *s);
void ks_strict_quota(struct ks_strict *s);
void ks_strict_replica_set(struct ks_strict *s);
void ks_strict_resource_definition(struct ks_strict *s);
void ks_strict_route(struct ks_strict *s);
void ks_strict_service(struct ks_strict *s);
void ks_strict_signing_request(struct ks_strict *s);
void ks_strict_snapshot(struct ks_strict *s);
void ks_strict_stateful_set(struct ks_strict *s);
void ks_strict_static(struct ks_strict *s);
void ks_strict_volume(struct ks_strict *s);

#endif
