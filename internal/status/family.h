/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families: which kinds generate which, and how generated objects change the verdict of the one
 * that generated them, under profile `kstatus`. It equals the status readers of the reference
 * (shared/spec: kstatus 3.3 and 3.5): a ReplicaSet or StatefulSet that is InProgress becomes Failed
 * when one of its Pods has failed for good; a Deployment is judged by itself alone.
 *
 * Pure, and one number is all that must be kept of the members: how many of them fail their owner.
 * So a member's change costs the same in a family of any size. Who is a member is the caller's to
 * say: the reference asks the label selector, the watcher the controller owner reference.
 *
 * Under profile `strict` the owner's rule decides what a failed Pod means (ks_status_context); here
 * is only which Pods count.
 *
 * Thread: the document's.  Owns: nothing.
 */
#ifndef KS_STATUS_FAMILY_H
#define KS_STATUS_FAMILY_H

#include "status/status.h"

/* The kind of the objects that this kind generates; NULL: none that is known. The views are static.
 * It is one generation: a Deployment's Pods are its ReplicaSets'. */
const struct ks_status_kind *ks_status_member_kind(const struct ks_status_kind *owner);

/* Whether members of this kind can change its verdict at all. */
bool ks_status_fails_by_members(const struct ks_status_kind *owner);

/*
 * Whether a member counts as failed for its owner: its verdict is Failed, and it is neither being
 * deleted nor a Pod that no node fits, for which a node may still come. verdict is the member's own
 * under profile kstatus, with its members counted in; one that could not be computed does not
 * count.
 */
bool ks_member_fails_owner(struct ks_json_value member, const struct ks_status_kind *kind,
                           const struct ks_verdict *verdict);

/*
 * Counts the failed members in: makes the owner Failed, with reason PodsFailed, when its kind fails
 * by its members, it is InProgress and failed is not 0. A verdict that is a failed computation (see
 * ks_status_compute) stays one. Nothing that changes by itself is waited for any more then:
 * recheck_at_ms becomes 0.
 */
void ks_status_count_failed(const struct ks_status_kind *owner, uint32_t failed,
                            struct ks_verdict *inout);

/*
 * Profile `strict`: whether a Pod counts as failed for its controller, of that kind. verdict is the
 * Pod's own under that profile. A ReplicaSet and a Job have put another Pod in the place of one
 * that has ended; and a Job counts what ends badly itself, so that only a Pod that does not get as
 * far as to start counts for it.
 */
bool ks_strict_pod_fails_owner(struct ks_json_value pod, struct ks_str owner_kind,
                               const struct ks_verdict *verdict);

#endif
