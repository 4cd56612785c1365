/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which comparison stands behind which reason. Rows are tried in order, and the first one whose
 * comparison holds on the object is told; so a row that can hold where another decided stands below
 * that one.
 *
 * What is not here speaks for itself: a verdict in the words of a condition, or of a phase that a
 * controller of its own kind has written, leads back to it (decision.c).
 *
 * Thread: any.
 */
#ifndef KS_STATUS_DECISION_TABLE_H
#define KS_STATUS_DECISION_TABLE_H

/*
 * X(profile, kind, reason, test): profile is BOTH, KSTATUS or STRICT; kind is that of a kind's own
 * rule, NULL any; reason "" is none, NULL any. Tests:
 *   NUMBERS(left, default, op, right, default)   TEXTS(left, op, right)   TIMES(left, op, right)
 *   PARTITION(op)            updated replicas against those above the partition
 *   IS(path, text)           OTHER(path, text): it is something else, or absent
 *   SHOW(path)               whatever it is, absent too
 *   CONDITION(type, status)  its status is that; NULL: whatever it is
 *   REASON(type)             a condition of that type has the verdict's reason
 *   ANNOTATION(name)         is there, in place of status.conditions
 *   WAITS                    a container waits with the verdict's reason
 *   LOOPS                    a container waits in CrashLoopBackOff, or has ended with a code
 */
/* clang-format off */
#define KS_DECISIONS(X) \
    X(KSTATUS, NULL, "LatestGenerationNotObserved", \
      NUMBERS("status.observedGeneration", 0, DIFFERS, "metadata.generation", 0)) \
    X(STRICT, NULL, "GenerationNotObserved", \
      NUMBERS("status.observedGeneration", INT64_MAX, LESS, "metadata.generation", 0)) \
    X(BOTH, NULL, "", \
      NUMBERS("status.observedGeneration", 0, EQUALS, "metadata.generation", 0)) \
    X(STRICT, NULL, "ObjectMalformed", SHOW("")) \
    X(STRICT, NULL, "StatusMalformed", SHOW("status")) \
    X(STRICT, NULL, "NotYetObserved", SHOW("status")) \
    X(STRICT, NULL, "ReadyNotWritten", CONDITION("Ready", NULL)) \
    X(STRICT, NULL, "Suspended", IS("spec.suspend", "true")) \
    X(STRICT, NULL, "Suspended", IS("spec.paused", "true")) \
    \
    X(BOTH, "Deployment", "ProgressDeadlineExceeded", REASON("Progressing")) \
    X(KSTATUS, "Deployment", "LessReplicas", \
      NUMBERS("status.replicas", 0, LESS, "spec.replicas", 1)) \
    X(BOTH, "Deployment", "LessUpdated", \
      NUMBERS("status.updatedReplicas", 0, LESS, "spec.replicas", 1)) \
    X(STRICT, "Deployment", "Paused", \
      NUMBERS("status.updatedReplicas", 0, LESS, "spec.replicas", 1)) \
    X(STRICT, "Deployment", "Paused", \
      NUMBERS("status.replicas", 0, GREATER, "status.updatedReplicas", 0)) \
    X(STRICT, "Deployment", "ExtraPods", \
      NUMBERS("status.replicas", 0, GREATER, "status.updatedReplicas", 0)) \
    X(BOTH, "Deployment", "ExtraPods", \
      NUMBERS("status.replicas", 0, GREATER, "spec.replicas", 1)) \
    X(KSTATUS, "Deployment", "LessAvailable", \
      NUMBERS("status.availableReplicas", 0, LESS, "status.updatedReplicas", 0)) \
    X(STRICT, "Deployment", "LessAvailable", \
      NUMBERS("status.availableReplicas", 0, LESS, "spec.replicas", 1)) \
    X(KSTATUS, "Deployment", "LessReady", \
      NUMBERS("status.readyReplicas", 0, LESS, "spec.replicas", 1)) \
    X(KSTATUS, "Deployment", "ReplicaSetNotAvailable", CONDITION("Progressing", NULL)) \
    X(KSTATUS, "Deployment", "DeploymentNotAvailable", CONDITION("Available", NULL)) \
    X(STRICT, "Deployment", "Scaling", \
      NUMBERS("status.availableReplicas", 0, LESS, "spec.replicas", 1)) \
    X(STRICT, "Deployment", "Scaling", \
      NUMBERS("status.replicas", 0, GREATER, "spec.replicas", 1)) \
    X(BOTH, "Deployment", "", \
      NUMBERS("status.availableReplicas", 0, NOT_LESS, "spec.replicas", 1)) \
    \
    X(KSTATUS, "ReplicaSet", "ReplicaFailure", CONDITION("ReplicaFailure", "True")) \
    X(KSTATUS, "ReplicaSet", "LessLabelled", \
      NUMBERS("status.fullyLabeledReplicas", 0, LESS, "spec.replicas", 1)) \
    X(BOTH, "ReplicaSet", "LessAvailable", \
      NUMBERS("status.availableReplicas", 0, LESS, "spec.replicas", 1)) \
    X(KSTATUS, "ReplicaSet", "LessReady", \
      NUMBERS("status.readyReplicas", 0, LESS, "spec.replicas", 1)) \
    X(BOTH, "ReplicaSet", "ExtraPods", \
      NUMBERS("status.replicas", 0, GREATER, "spec.replicas", 1)) \
    X(BOTH, "ReplicaSet", "", \
      NUMBERS("status.availableReplicas", 0, NOT_LESS, "spec.replicas", 1)) \
    X(STRICT, "ReplicationController", "LessAvailable", \
      NUMBERS("status.availableReplicas", 0, LESS, "spec.replicas", 1)) \
    X(STRICT, "ReplicationController", "ExtraPods", \
      NUMBERS("status.replicas", 0, GREATER, "spec.replicas", 1)) \
    X(STRICT, "ReplicationController", "", \
      NUMBERS("status.availableReplicas", 0, NOT_LESS, "spec.replicas", 1)) \
    \
    X(KSTATUS, "StatefulSet", "LessReplicas", \
      NUMBERS("status.replicas", 0, LESS, "spec.replicas", 1)) \
    X(BOTH, "StatefulSet", "LessReady", \
      NUMBERS("status.readyReplicas", 0, LESS, "spec.replicas", 1)) \
    X(STRICT, "StatefulSet", "LessReady", \
      NUMBERS("status.availableReplicas", 0, LESS, "spec.replicas", 1)) \
    X(BOTH, "StatefulSet", "ExtraPods", \
      NUMBERS("status.replicas", 0, GREATER, "spec.replicas", 1)) \
    X(BOTH, "StatefulSet", "PartitionRollout", PARTITION(LESS)) \
    X(STRICT, "StatefulSet", "LessUpdated", \
      NUMBERS("status.updatedReplicas", 0, LESS, "spec.replicas", 1)) \
    X(KSTATUS, "StatefulSet", "LessCurrent", \
      NUMBERS("status.currentReplicas", 0, LESS, "spec.replicas", 1)) \
    X(KSTATUS, "StatefulSet", "RevisionMismatch", \
      TEXTS("status.currentRevision", DIFFERS, "status.updateRevision")) \
    X(BOTH, "StatefulSet", "", IS("spec.updateStrategy.type", "OnDelete")) \
    X(BOTH, "StatefulSet", "", \
      NUMBERS("status.readyReplicas", 0, NOT_LESS, "spec.replicas", 1)) \
    \
    X(KSTATUS, "DaemonSet", "NoGeneration", SHOW("metadata.generation")) \
    X(KSTATUS, "DaemonSet", "NoObservedGeneration", SHOW("status.observedGeneration")) \
    X(BOTH, "DaemonSet", "NoDesiredNumber", SHOW("status.desiredNumberScheduled")) \
    X(KSTATUS, "DaemonSet", "LessCurrent", \
      NUMBERS("status.currentNumberScheduled", 0, LESS, "status.desiredNumberScheduled", 0)) \
    X(BOTH, "DaemonSet", "LessUpdated", \
      NUMBERS("status.updatedNumberScheduled", 0, LESS, "status.desiredNumberScheduled", 0)) \
    X(BOTH, "DaemonSet", "LessAvailable", \
      NUMBERS("status.numberAvailable", 0, LESS, "status.desiredNumberScheduled", 0)) \
    X(KSTATUS, "DaemonSet", "LessReady", \
      NUMBERS("status.numberReady", 0, LESS, "status.desiredNumberScheduled", 0)) \
    X(BOTH, "DaemonSet", "", \
      NUMBERS("status.numberAvailable", 0, NOT_LESS, "status.desiredNumberScheduled", 0)) \
    \
    X(BOTH, "Job", "JobFailed", CONDITION("Failed", "True")) \
    X(STRICT, "Job", "JobFailed", CONDITION("FailureTarget", "True")) \
    X(BOTH, "Job", "JobNotStarted", SHOW("status.startTime")) \
    X(STRICT, "Job", "JobRunning", CONDITION("Complete", NULL)) \
    X(BOTH, "Job", "", CONDITION("Complete", "True")) \
    X(KSTATUS, "Job", "", SHOW("status.startTime")) \
    X(STRICT, "CronJob", "LastRunFailed", \
      TIMES("status.lastSuccessfulTime", LESS, "status.lastScheduleTime")) \
    X(STRICT, "CronJob", "", \
      TIMES("status.lastSuccessfulTime", NOT_LESS, "status.lastScheduleTime")) \
    X(STRICT, "CronJob", "", SHOW("status.lastScheduleTime")) \
    \
    X(BOTH, "Pod", NULL, WAITS) \
    X(BOTH, "Pod", "ContainerCrashLooping", LOOPS) \
    X(BOTH, "Pod", "PodUnschedulable", CONDITION("PodScheduled", "False")) \
    X(BOTH, "Pod", "PodNotScheduled", CONDITION("PodScheduled", "False")) \
    X(STRICT, "Pod", "SchedulingGated", CONDITION("PodScheduled", "False")) \
    X(BOTH, "Pod", "PodRunningNotReady", CONDITION("Ready", NULL)) \
    X(KSTATUS, "Pod", "PodPending", CONDITION("PodScheduled", "False")) \
    X(STRICT, "Pod", "PodRunning", SHOW("spec.restartPolicy")) \
    X(STRICT, "Pod", NULL, IS("status.phase", "Failed")) \
    X(STRICT, "Pod", "PodFailed", LOOPS) \
    X(BOTH, "Pod", "", IS("status.phase", "Succeeded")) \
    X(KSTATUS, "Pod", "", IS("status.phase", "Failed")) \
    X(BOTH, "Pod", "", CONDITION("Ready", "True")) \
    X(BOTH, "Pod", "PodPending", SHOW("status.phase")) \
    X(BOTH, "Pod", "PodNotObserved", SHOW("status.phase")) \
    X(STRICT, "Pod", "PodUnknown", SHOW("status.phase")) \
    \
    X(KSTATUS, "Service", "NoIPAssigned", SHOW("spec.clusterIP")) \
    X(STRICT, "Service", "LoadBalancerPending", SHOW("status.loadBalancer.ingress")) \
    X(STRICT, "Service", "", OTHER("spec.type", "LoadBalancer")) \
    X(STRICT, "Service", "", SHOW("status.loadBalancer.ingress")) \
    X(KSTATUS, "Service", "", OTHER("spec.type", "LoadBalancer")) \
    X(KSTATUS, "Service", "", SHOW("spec.clusterIP")) \
    X(STRICT, "Ingress", NULL, SHOW("status.loadBalancer.ingress")) \
    \
    X(STRICT, "PersistentVolumeClaim", "Resizing", CONDITION("Resizing", "True")) \
    X(STRICT, "PersistentVolumeClaim", "Resizing", CONDITION("FileSystemResizePending", "True")) \
    X(BOTH, "PersistentVolumeClaim", NULL, SHOW("status.phase")) \
    X(STRICT, "PersistentVolume", NULL, SHOW("status.phase")) \
    X(STRICT, "VolumeSnapshot", "SnapshotError", SHOW("status.error.message")) \
    X(STRICT, "VolumeSnapshot", NULL, SHOW("status.readyToUse")) \
    X(STRICT, "VolumeSnapshotContent", "SnapshotError", SHOW("status.error.message")) \
    X(STRICT, "VolumeSnapshotContent", NULL, SHOW("status.readyToUse")) \
    \
    X(KSTATUS, "PodDisruptionBudget", "", SHOW("status.observedGeneration")) \
    X(STRICT, "PodDisruptionBudget", "NotObserved", SHOW("status")) \
    X(STRICT, "PodDisruptionBudget", "", CONDITION("DisruptionAllowed", NULL)) \
    X(KSTATUS, "CustomResourceDefinition", "Installing", CONDITION("Established", NULL)) \
    X(STRICT, "CustomResourceDefinition", "Installing", CONDITION("Established", NULL)) \
    X(STRICT, "CustomResourceDefinition", "", CONDITION("Terminating", "True")) \
    X(BOTH, "CustomResourceDefinition", "", CONDITION("Established", "True")) \
    X(STRICT, "APIService", NULL, CONDITION("Available", NULL)) \
    X(STRICT, "Namespace", NULL, SHOW("status.phase")) \
    X(STRICT, "Node", "Cordoned", SHOW("spec.unschedulable")) \
    X(STRICT, "Node", NULL, CONDITION("Ready", NULL)) \
    X(STRICT, "ResourceQuota", NULL, SHOW("status.hard")) \
    X(STRICT, "CertificateSigningRequest", "NotApproved", CONDITION("Approved", NULL)) \
    X(STRICT, "CertificateSigningRequest", "NotIssued", SHOW("status.certificate")) \
    X(STRICT, "CertificateSigningRequest", "", CONDITION("Approved", "True")) \
    X(STRICT, "FlowSchema", NULL, CONDITION("Dangling", NULL)) \
    X(STRICT, "HorizontalPodAutoscaler", NULL, \
      ANNOTATION("autoscaling.alpha.kubernetes.io/conditions")) \
    X(STRICT, "HorizontalPodAutoscaler", "NotObserved", CONDITION("AbleToScale", NULL)) \
    X(STRICT, "HorizontalPodAutoscaler", "", CONDITION("AbleToScale", NULL)) \
    X(STRICT, "GatewayClass", "NotObserved", SHOW("status.conditions")) \
    X(STRICT, "Gateway", "NotObserved", SHOW("status.conditions")) \
    X(STRICT, "BackendTLSPolicy", "NotObserved", SHOW("status.ancestors")) \
    X(STRICT, NULL, "NotObserved", SHOW("status.parents"))
/* clang-format on */

#endif
