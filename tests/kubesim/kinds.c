/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in kinds, as a Kubernetes 1.36 API server lists them: one row a group version and
 * resource, in the order in which its discovery documents have them.
 *
 * The model: data and nothing else. tests/corpus/kube-1.36/discovery is what the rows are checked
 * against. The last column is the zero value that typed kinds show in bookmarks.
 *
 * Thread: any.
 */
#include "catalog.h"

#define NS_VERBS (SIM_VERBS_ALL & ~SIM_VERB_BIT(DELETECOLLECTION))

const struct sim_kind sim_kinds[] = {
    {"", "v1", "bindings", "binding", "Binding", "", "", SIM_NAMESPACED | SIM_VIRTUAL,
     SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"", "v1", "componentstatuses", "componentstatus", "ComponentStatus", "cs", "", 0,
     SIM_VERB_BIT(GET) | SIM_VERB_BIT(LIST), "", "\"spec\":{}"},
    {"", "v1", "configmaps", "configmap", "ConfigMap", "cm", "", SIM_NAMESPACED, SIM_VERBS_ALL, "",
     ""},
    {"", "v1", "endpoints", "endpoints", "Endpoints", "ep", "", SIM_NAMESPACED, SIM_VERBS_ALL, "",
     ""},
    {"", "v1", "events", "event", "Event", "ev", "", SIM_NAMESPACED, SIM_VERBS_ALL, "",
     "\"involvedObject\":{},\"source\":{},\"firstTimestamp\":null,\"lastTimestamp\":null,"
     "\"eventTime\":null,\"reportingComponent\":\"\",\"reportingInstance\":\"\""},
    {"", "v1", "limitranges", "limitrange", "LimitRange", "limits", "", SIM_NAMESPACED,
     SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"", "v1", "namespaces", "namespace", "Namespace", "ns", "", SIM_STATUS, NS_VERBS,
     "finalize,status", "\"spec\":{},\"status\":{}"},
    {"", "v1", "nodes", "node", "Node", "no", "", SIM_STATUS, SIM_VERBS_ALL, "proxy,status",
     "\"spec\":{},\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"nodeInfo\":{"
     "}}"},
    {"", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", "pvc",
     "", SIM_NAMESPACED | SIM_STATUS, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", "pv", "", SIM_STATUS,
     SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"", "v1", "pods", "pod", "Pod", "po", "all", SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION,
     SIM_VERBS_ALL,
     "attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status",
     "\"spec\":{\"containers\":null},\"status\":{}"},
    {"", "v1", "podtemplates", "podtemplate", "PodTemplate", "", "", SIM_NAMESPACED, SIM_VERBS_ALL,
     "", ""},
    {"", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController", "rc",
     "all", SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "scale,status",
     "\"spec\":{},\"status\":{}"},
    {"", "v1", "resourcequotas", "resourcequota", "ResourceQuota", "quota", "",
     SIM_NAMESPACED | SIM_STATUS, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"", "v1", "secrets", "secret", "Secret", "", "", SIM_NAMESPACED, SIM_VERBS_ALL, "", ""},
    {"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", "sa", "", SIM_NAMESPACED,
     SIM_VERBS_ALL, "token", ""},
    {"", "v1", "services", "service", "Service", "svc", "all", SIM_NAMESPACED | SIM_STATUS,
     SIM_VERBS_ALL, "proxy,status", "\"spec\":{},\"status\":{\"loadBalancer\":{}}"},
    {"apiregistration.k8s.io", "v1", "apiservices", "apiservice", "APIService", "",
     "api-extensions", SIM_STATUS, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", "", "",
     SIM_NAMESPACED, SIM_VERBS_ALL, "", ""},
    {"apps", "v1", "daemonsets", "daemonset", "DaemonSet", "ds", "all",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status",
     "\"spec\":{\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}},"
     "\"updateStrategy\":{}},\"status\":{\"currentNumberScheduled\":0,\"numberMisscheduled\":0,"
     "\"desiredNumberScheduled\":0,\"numberReady\":0}"},
    {"apps", "v1", "deployments", "deployment", "Deployment", "deploy", "all",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "scale,status",
     "\"spec\":{\"replicas\":0,\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{"
     "\"containers\":null}},\"strategy\":{}},\"status\":{}"},
    {"apps", "v1", "replicasets", "replicaset", "ReplicaSet", "rs", "all",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "scale,status",
     "\"spec\":{\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}}},"
     "\"status\":{\"replicas\":0}"},
    {"apps", "v1", "statefulsets", "statefulset", "StatefulSet", "sts", "all",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "scale,status",
     "\"spec\":{\"replicas\":0,\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{"
     "\"containers\":null}},\"serviceName\":\"\",\"updateStrategy\":{}},\"status\":{\"replicas\":0,"
     "\"availableReplicas\":0}"},
    {"events.k8s.io", "v1", "events", "event", "Event", "ev", "", SIM_NAMESPACED, SIM_VERBS_ALL, "",
     ""},
    {"authentication.k8s.io", "v1", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview",
     "", "", SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"authentication.k8s.io", "v1", "tokenreviews", "tokenreview", "TokenReview", "", "",
     SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "localsubjectaccessreview",
     "LocalSubjectAccessReview", "", "", SIM_NAMESPACED | SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "",
     "\"spec\":{}"},
    {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview",
     "SelfSubjectAccessReview", "", "", SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview",
     "SelfSubjectRulesReview", "", "", SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"authorization.k8s.io", "v1", "subjectaccessreviews", "subjectaccessreview",
     "SubjectAccessReview", "", "", SIM_VIRTUAL, SIM_VERB_BIT(CREATE), "", "\"spec\":{}"},
    {"autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler",
     "HorizontalPodAutoscaler", "hpa", "all", SIM_NAMESPACED | SIM_STATUS, SIM_VERBS_ALL, "status",
     "\"spec\":{},\"status\":{}"},
    {"autoscaling", "v1", "horizontalpodautoscalers", "horizontalpodautoscaler",
     "HorizontalPodAutoscaler", "hpa", "all", SIM_NAMESPACED | SIM_STATUS, SIM_VERBS_ALL, "status",
     "\"spec\":{},\"status\":{}"},
    {"batch", "v1", "cronjobs", "cronjob", "CronJob", "cj", "all",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status",
     "\"spec\":{\"schedule\":\"\",\"concurrencyPolicy\":\"\",\"suspend\":null,\"jobTemplate\":{"
     "\"metadata\":{},\"spec\":{\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}}}}},"
     "\"status\":{}"},
    {"batch", "v1", "jobs", "job", "Job", "", "all", SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION,
     SIM_VERBS_ALL, "status",
     "\"spec\":{\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}}},\"status\":{}"},
    {"certificates.k8s.io", "v1", "certificatesigningrequests", "certificatesigningrequest",
     "CertificateSigningRequest", "csr", "", SIM_STATUS, SIM_VERBS_ALL, "approval,status",
     "\"spec\":{},\"status\":{}"},
    {"networking.k8s.io", "v1", "ingressclasses", "ingressclass", "IngressClass", "", "",
     SIM_GENERATION, SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", "ing", "",
     SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status",
     "\"spec\":{},\"status\":{}"},
    {"networking.k8s.io", "v1", "ipaddresses", "ipaddress", "IPAddress", "ip", "", 0, SIM_VERBS_ALL,
     "", "\"spec\":{}"},
    {"networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy", "netpol", "",
     SIM_NAMESPACED | SIM_GENERATION, SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"networking.k8s.io", "v1", "servicecidrs", "servicecidr", "ServiceCIDR", "", "", SIM_STATUS,
     SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", "pdb",
     "", SIM_NAMESPACED | SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status",
     "\"spec\":{},\"status\":{\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":0,"
     "\"expectedPods\":0}"},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "clusterrolebinding",
     "ClusterRoleBinding", "", "", 0, SIM_VERBS_ALL, "", ""},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole", "", "", 0,
     SIM_VERBS_ALL, "", ""},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding", "", "",
     SIM_NAMESPACED, SIM_VERBS_ALL, "", ""},
    {"rbac.authorization.k8s.io", "v1", "roles", "role", "Role", "", "", SIM_NAMESPACED,
     SIM_VERBS_ALL, "", ""},
    {"storage.k8s.io", "v1", "csidrivers", "csidriver", "CSIDriver", "", "", 0, SIM_VERBS_ALL, "",
     "\"spec\":{}"},
    {"storage.k8s.io", "v1", "csinodes", "csinode", "CSINode", "", "", 0, SIM_VERBS_ALL, "",
     "\"spec\":{}"},
    {"storage.k8s.io", "v1", "csistoragecapacities", "csistoragecapacity", "CSIStorageCapacity", "",
     "", SIM_NAMESPACED, SIM_VERBS_ALL, "", ""},
    {"storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", "sc", "", 0,
     SIM_VERBS_ALL, "", ""},
    {"storage.k8s.io", "v1", "volumeattachments", "volumeattachment", "VolumeAttachment", "", "",
     SIM_STATUS, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"storage.k8s.io", "v1", "volumeattributesclasses", "volumeattributesclass",
     "VolumeAttributesClass", "vac", "", 0, SIM_VERBS_ALL, "", ""},
    {"admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies", "mutatingadmissionpolicy",
     "MutatingAdmissionPolicy", "", "api-extensions", SIM_GENERATION, SIM_VERBS_ALL, "",
     "\"spec\":{}"},
    {"admissionregistration.k8s.io", "v1", "mutatingadmissionpolicybindings",
     "mutatingadmissionpolicybinding", "MutatingAdmissionPolicyBinding", "", "api-extensions",
     SIM_GENERATION, SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations",
     "mutatingwebhookconfiguration", "MutatingWebhookConfiguration", "", "api-extensions",
     SIM_GENERATION, SIM_VERBS_ALL, "", ""},
    {"admissionregistration.k8s.io", "v1", "validatingadmissionpolicies",
     "validatingadmissionpolicy", "ValidatingAdmissionPolicy", "", "api-extensions",
     SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings",
     "validatingadmissionpolicybinding", "ValidatingAdmissionPolicyBinding", "", "api-extensions",
     SIM_GENERATION, SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations",
     "validatingwebhookconfiguration", "ValidatingWebhookConfiguration", "", "api-extensions",
     SIM_GENERATION, SIM_VERBS_ALL, "", ""},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition",
     "CustomResourceDefinition", "crd,crds", "api-extensions", SIM_STATUS | SIM_GENERATION,
     SIM_VERBS_ALL, "status",
     "\"spec\":{\"group\":\"\",\"names\":{\"plural\":\"\",\"kind\":\"\"},\"scope\":\"\","
     "\"versions\":null},\"status\":{\"conditions\":null,\"acceptedNames\":{\"plural\":\"\","
     "\"kind\":\"\"},\"storedVersions\":null}"},
    {"scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass", "pc", "",
     SIM_GENERATION, SIM_VERBS_ALL, "", ""},
    {"coordination.k8s.io", "v1", "leases", "lease", "Lease", "", "", SIM_NAMESPACED, SIM_VERBS_ALL,
     "", "\"spec\":{}"},
    {"node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass", "", "", 0,
     SIM_VERBS_ALL, "", ""},
    {"discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", "", "",
     SIM_NAMESPACED | SIM_GENERATION, SIM_VERBS_ALL, "", ""},
    {"resource.k8s.io", "v1", "deviceclasses", "deviceclass", "DeviceClass", "", "", 0,
     SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"resource.k8s.io", "v1", "resourceclaims", "resourceclaim", "ResourceClaim", "", "",
     SIM_NAMESPACED | SIM_STATUS, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"resource.k8s.io", "v1", "resourceclaimtemplates", "resourceclaimtemplate",
     "ResourceClaimTemplate", "", "", SIM_NAMESPACED, SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"resource.k8s.io", "v1", "resourceslices", "resourceslice", "ResourceSlice", "", "", 0,
     SIM_VERBS_ALL, "", "\"spec\":{}"},
    {"flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "flowschema", "FlowSchema", "", "",
     SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
    {"flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations",
     "prioritylevelconfiguration", "PriorityLevelConfiguration", "", "",
     SIM_STATUS | SIM_GENERATION, SIM_VERBS_ALL, "status", "\"spec\":{},\"status\":{}"},
};
const size_t sim_kinds_len = KS_ARRAY_LEN(sim_kinds);

#define OBJECT_VERBS (SIM_VERB_BIT(GET) | SIM_VERB_BIT(PATCH) | SIM_VERB_BIT(UPDATE))
#define STREAM_VERBS (SIM_VERB_BIT(CREATE) | SIM_VERB_BIT(GET))

#define OBJECT_VERBS (SIM_VERB_BIT(GET) | SIM_VERB_BIT(PATCH) | SIM_VERB_BIT(UPDATE))
#define STREAM_VERBS (SIM_VERB_BIT(CREATE) | SIM_VERB_BIT(GET))
#define PROXY_VERBS (OBJECT_VERBS | SIM_VERB_BIT(CREATE) | SIM_VERB_BIT(DELETE))

static const struct {
    const char *plural; /* NULL: any */
    struct sim_subresource sub;
} subresources[] = {
    {NULL, {"approval", NULL, NULL, NULL, OBJECT_VERBS}},
    {NULL, {"attach", "", "", "PodAttachOptions", STREAM_VERBS}},
    {NULL, {"binding", "", "", "Binding", SIM_VERB_BIT(CREATE)}},
    {NULL, {"ephemeralcontainers", NULL, NULL, NULL, OBJECT_VERBS}},
    {NULL, {"eviction", "policy", "v1", "Eviction", SIM_VERB_BIT(CREATE)}},
    {NULL, {"exec", "", "", "PodExecOptions", STREAM_VERBS}},
    {NULL, {"finalize", NULL, NULL, NULL, SIM_VERB_BIT(UPDATE)}},
    {NULL, {"log", NULL, NULL, NULL, SIM_VERB_BIT(GET)}},
    {NULL, {"portforward", "", "", "PodPortForwardOptions", STREAM_VERBS}},
    {"nodes", {"proxy", "", "", "NodeProxyOptions", PROXY_VERBS}},
    {"pods", {"proxy", "", "", "PodProxyOptions", PROXY_VERBS}},
    {"services", {"proxy", "", "", "ServiceProxyOptions", PROXY_VERBS}},
    {NULL, {"resize", NULL, NULL, NULL, OBJECT_VERBS}},
    {NULL, {"scale", "autoscaling", "v1", "Scale", OBJECT_VERBS}},
    {NULL, {"status", NULL, NULL, NULL, OBJECT_VERBS}},
    {NULL, {"token", "authentication.k8s.io", "v1", "TokenRequest", SIM_VERB_BIT(CREATE)}},
};

const struct sim_subresource *sim_subresource_find(struct ks_str plural, struct ks_str name)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(subresources); i++) {
        if (ks_str_is(name, subresources[i].sub.name) &&
            (!subresources[i].plural || ks_str_is(plural, subresources[i].plural)))
            return &subresources[i].sub;
    }
    return NULL;
}
