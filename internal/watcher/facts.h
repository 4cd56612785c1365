/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts: what profile strict asks of the cluster beside an object and what that generates. Private
 * to the watcher.
 *
 *   facts   of a kind: from one small informer, open while objects of the kind are watched
 *   stake   of an object whose verdict depends on them: what it would be in each case
 *
 * Of a custom resource: whether its CRD declares a status (shared/spec: strict 6), and whether two
 * others of the kind carry Ready, or have. Of a claim: whether its StorageClass waits for a Pod;
 * the cluster's classes are few and watched together, as a claim's is known only once it is seen.
 *
 * Objects of such a kind are not listed before their facts are known, cannot be (no rights, not
 * served), or have not come in time: so no first answer is taken back a moment later.
 *
 * Thread: the loop's.  Owns: see each.  Limits: one CRD a kind; KS_FACTS_CLASSES_MAX classes,
 * beyond which a claim's is not known; a stake costs at most four verdicts.
 */
#ifndef KS_WATCHER_FACTS_H
#define KS_WATCHER_FACTS_H

#include "status/status.h"

#include "watcher/session_internal.h"

#define KS_FACTS_CLASSES_MAX 1024
/* How long objects wait for their facts. */
#define KS_FACTS_PATIENCE_MS 2000
/* The combinations of what facts may say. */
#define KS_FACTS_CASES_MAX 4

struct ks_facts;

/* Objects of the kind are about to be listed. *out_is_known: that can begin; else ks_watch_begin is
 * called when it can. False: the session has failed. */
KS_MUST_USE bool ks_facts_use(struct ks_session *s, struct ks_kind *kind, bool *out_is_known);
/* Nothing of the kind is watched any more. */
void ks_facts_free(struct ks_kind *kind);
/* What is known now; for all kinds. */
void ks_facts_fill(const struct ks_kind *kind, struct ks_json_value object,
                   struct ks_status_context *context);
/* The object was seen and has been shown: remembers what it would be if facts change, and learns
 * from it about its siblings. */
KS_MUST_USE bool ks_facts_weigh(struct ks_session *s, struct ks_object *first,
                                const struct ks_record *record, struct ks_json_value object);

/* stake.c */
struct ks_stake_cases {
    unsigned count;
    struct ks_status_context contexts[KS_FACTS_CASES_MAX];
};
/* For each of a name's chain that shows this version, unless all cases are the same. */
KS_MUST_USE bool ks_stakes_make(struct ks_session *s, struct ks_object *first,
                                const struct ks_record *record, struct ks_json_value object,
                                const struct ks_stake_cases *cases);
/* Shows the object's case. */
KS_MUST_USE bool ks_stake_show(struct ks_session *s, struct ks_object *o, unsigned index);
/* Of a claim: its class, copied when the stake was made. */
struct ks_str ks_stake_class(const struct ks_object *o);

#endif
