/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds have a rule: one row per kind, as the reference spells its keys ("group/Kind", the
 * core group's alone). The version is never looked at. The third column says where the kind counts
 * its progress.
 *
 * Thread: any.
 */
#ifndef KS_STATUS_KINDS_H
#define KS_STATUS_KINDS_H

/* X(key, rule, progress): ks_rule_<rule>, progress_<progress> */
#define KS_STATUS_KINDS(X)                                                                         \
    X("Service", service, none)                                                                    \
    X("Pod", pod, none)                                                                            \
    X("Secret", always_current, none)                                                              \
    X("ConfigMap", always_current, none)                                                           \
    X("PersistentVolumeClaim", claim, none)                                                        \
    X("apps/StatefulSet", stateful_set, replicas)                                                  \
    X("apps/DaemonSet", daemon_set, nodes)                                                         \
    X("extensions/DaemonSet", daemon_set, nodes)                                                   \
    X("apps/Deployment", deployment, replicas)                                                     \
    X("extensions/Deployment", deployment, replicas)                                               \
    X("apps/ReplicaSet", replica_set, replicas)                                                    \
    X("extensions/ReplicaSet", replica_set, replicas)                                              \
    X("policy/PodDisruptionBudget", disruption_budget, none)                                       \
    X("batch/CronJob", always_current, none)                                                       \
    X("batch/Job", job, completions)                                                               \
    X("apiextensions.k8s.io/CustomResourceDefinition", resource_definition, none)

#endif
