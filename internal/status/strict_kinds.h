/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kinds profile strict has a rule for: one row per kind. The version is never looked at.
 * Every other kind is judged by its conditions, phases and counters (strict_condition.c,
 * strict_member.c).
 *
 * Thread: any.
 */
#ifndef KS_STATUS_STRICT_KINDS_H
#define KS_STATUS_STRICT_KINDS_H

/* X(group, kind, rule): ks_strict_<rule> */
#define KS_STRICT_KINDS(X)                                                                         \
    X("", "Pod", pod)                                                                              \
    X("apps", "Deployment", deployment)                                                            \
    X("extensions", "Deployment", deployment)                                                      \
    X("apps", "ReplicaSet", replica_set)                                                           \
    X("extensions", "ReplicaSet", replica_set)                                                     \
    X("", "ReplicationController", replica_set)                                                    \
    X("apps", "StatefulSet", stateful_set)                                                         \
    X("apps", "DaemonSet", daemon_set)                                                             \
    X("extensions", "DaemonSet", daemon_set)                                                       \
    X("batch", "Job", job)                                                                         \
    X("batch", "CronJob", cron_job)                                                                \
    X("", "PersistentVolumeClaim", claim)                                                          \
    X("", "PersistentVolume", volume)                                                              \
    X("snapshot.storage.k8s.io", "VolumeSnapshot", snapshot)                                       \
    X("snapshot.storage.k8s.io", "VolumeSnapshotContent", snapshot)                                \
    X("", "Service", service)                                                                      \
    X("networking.k8s.io", "Ingress", address_ingress)                                             \
    X("extensions", "Ingress", address_ingress)                                                    \
    X("autoscaling", "HorizontalPodAutoscaler", horizontal_autoscaler)                             \
    X("policy", "PodDisruptionBudget", disruption_budget)                                          \
    X("apiextensions.k8s.io", "CustomResourceDefinition", resource_definition)                     \
    X("apiregistration.k8s.io", "APIService", api_service)                                         \
    X("", "Namespace", namespace)                                                                  \
    X("", "Node", node)                                                                            \
    X("", "ResourceQuota", quota)                                                                  \
    X("certificates.k8s.io", "CertificateSigningRequest", signing_request)                         \
    X("flowcontrol.apiserver.k8s.io", "FlowSchema", flow_schema)                                   \
    X("gateway.networking.k8s.io", "GatewayClass", gateway_class)                                  \
    X("gateway.networking.k8s.io", "Gateway", gateway)                                             \
    X("gateway.networking.k8s.io", "HTTPRoute", route)                                             \
    X("gateway.networking.k8s.io", "GRPCRoute", route)                                             \
    X("gateway.networking.k8s.io", "TLSRoute", route)                                              \
    X("gateway.networking.k8s.io", "TCPRoute", route)                                              \
    X("gateway.networking.k8s.io", "UDPRoute", route)                                              \
    X("gateway.networking.k8s.io", "BackendTLSPolicy", policy)                                     \
    X("", "ConfigMap", static)                                                                     \
    X("", "Secret", static)                                                                        \
    X("", "ServiceAccount", static)                                                                \
    X("", "Endpoints", static)                                                                     \
    X("", "Event", static)                                                                         \
    X("", "LimitRange", static)                                                                    \
    X("", "PodTemplate", static)                                                                   \
    X("apps", "ControllerRevision", static)                                                        \
    X("events.k8s.io", "Event", static)                                                            \
    X("discovery.k8s.io", "EndpointSlice", static)                                                 \
    X("rbac.authorization.k8s.io", "Role", static)                                                 \
    X("rbac.authorization.k8s.io", "RoleBinding", static)                                          \
    X("rbac.authorization.k8s.io", "ClusterRole", static)                                          \
    X("rbac.authorization.k8s.io", "ClusterRoleBinding", static)                                   \
    X("storage.k8s.io", "StorageClass", static)                                                    \
    X("storage.k8s.io", "CSIDriver", static)                                                       \
    X("storage.k8s.io", "CSINode", static)                                                         \
    X("storage.k8s.io", "CSIStorageCapacity", static)                                              \
    X("storage.k8s.io", "VolumeAttributesClass", static)                                           \
    X("snapshot.storage.k8s.io", "VolumeSnapshotClass", static)                                    \
    X("scheduling.k8s.io", "PriorityClass", static)                                                \
    X("node.k8s.io", "RuntimeClass", static)                                                       \
    X("networking.k8s.io", "IngressClass", static)                                                 \
    X("networking.k8s.io", "NetworkPolicy", static)                                                \
    X("networking.k8s.io", "IPAddress", static)                                                    \
    X("extensions", "NetworkPolicy", static)                                                       \
    X("gateway.networking.k8s.io", "ReferenceGrant", static)                                       \
    X("coordination.k8s.io", "Lease", static)                                                      \
    X("admissionregistration.k8s.io", "MutatingWebhookConfiguration", static)                      \
    X("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", static)                    \
    X("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", static)                         \
    X("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", static)                  \
    X("admissionregistration.k8s.io", "MutatingAdmissionPolicy", static)                           \
    X("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", static)                    \
    X("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", static)                        \
    X("resource.k8s.io", "DeviceClass", static)                                                    \
    X("resource.k8s.io", "ResourceSlice", static)                                                  \
    X("resource.k8s.io", "ResourceClaimTemplate", static)

#endif
