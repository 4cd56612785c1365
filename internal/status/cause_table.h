/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codes of causes, most telling first: the order of the rows is the order in which causes are
 * told. A code is part of the API (docs/causes.md): rows may be added, never renamed.
 *
 * Thread: any.
 */
#ifndef KS_STATUS_CAUSE_TABLE_H
#define KS_STATUS_CAUSE_TABLE_H

/* X(code, what usually mends it): the sentence stands in docs/causes.md, too. */
/* clang-format off */
#define KS_CAUSES(X) \
    X(IMAGE_NOT_FOUND, \
      "Correct the image's name or tag, or push it to the registry.") \
    X(IMAGE_PULL_UNAUTHORIZED, \
      "Give the Pod an imagePullSecret whose credentials may read this repository.") \
    X(IMAGE_NAME_INVALID, \
      "Correct the image's name: it is not a valid reference.") \
    X(IMAGE_NEVER_PULLED, \
      "Put the image on the node, or set imagePullPolicy to IfNotPresent.") \
    X(IMAGE_PULL_ERROR, \
      "Check that the node reaches the registry and that the image exists there.") \
    X(SECRET_MISSING, \
      "Create the Secret in the Pod's namespace, or correct its name in the Pod template.") \
    X(CONFIG_MAP_MISSING, \
      "Create the ConfigMap in the Pod's namespace, or correct its name in the Pod template.") \
    X(CONFIG_KEY_MISSING, \
      "Add the key to the Secret or ConfigMap, or mark the reference as optional.") \
    X(CONTAINER_CONFIG_ERROR, \
      "Correct what the message names in the container's env, volumes or securityContext.") \
    X(CONTAINER_CREATE_ERROR, \
      "Correct the container's command, mounts or securityContext as the message says.") \
    X(OUT_OF_MEMORY, \
      "Raise the container's memory limit, or make the program use less.") \
    X(INIT_CONTAINER_FAILED, \
      "Read the init container's log; the other containers wait until it succeeds.") \
    X(CRASH_LOOP, \
      "Read the log of the container's last run (kubectl logs --previous).") \
    X(CONTAINER_FAILED, \
      "Read the container's log: its program ended with an error.") \
    X(LIVENESS_PROBE_FAILED, \
      "Make the program answer its liveness probe, or give the probe more time.") \
    X(STARTUP_PROBE_FAILED, \
      "Give the startup probe more attempts, or find out why the program starts slowly.") \
    X(READINESS_PROBE_FAILED, \
      "See the program's log, and the path and port of its readiness probe.") \
    X(HOOK_FAILED, \
      "Correct the container's lifecycle hook, whose command or request failed.") \
    X(EVICTED, \
      "Free what the node lacks, or set requests so that the Pod goes where there is enough.") \
    X(PREEMPTED, \
      "Give the Pod a higher priority class, or add room for the Pods that displace it.") \
    X(NODE_LOST, \
      "Bring the node back, or delete it so that its Pods start elsewhere.") \
    X(NODE_REJECTED, \
      "Delete the Pod so that it is scheduled anew, and see what the node lacks.") \
    X(SANDBOX_FAILED, \
      "Check the network plug-in and the container runtime on the Pod's node.") \
    X(RESOURCES_INSUFFICIENT, \
      "Add nodes, or lower the Pod's resource requests.") \
    X(TAINT_NOT_TOLERATED, \
      "Add a toleration to the Pod, or remove the taint from the nodes meant for it.") \
    X(AFFINITY_NOT_MET, \
      "Relax the Pod's node selector, affinity or spread, or label nodes to fit them.") \
    X(VOLUME_CONFLICT, \
      "Make the Pod's volumes and a fitting node be in one zone, with room for one more volume.") \
    X(UNSCHEDULABLE, \
      "See the scheduler's message for what each node lacks.") \
    X(SCHEDULING_GATED, \
      "Wait for the controller that removes the Pod's scheduling gates, or remove them.") \
    X(VOLUME_NOT_MOUNTED, \
      "Make available what the volume is made of, as the message says.") \
    X(VOLUME_NOT_ATTACHED, \
      "See whether another node still holds the volume, and whether its CSI driver runs.") \
    X(PROVISIONING_FAILED, \
      "Correct the StorageClass or the claim's size, and check the provisioner's log.") \
    X(CLAIM_LOST, \
      "Restore the PersistentVolume that the claim was bound to, or make the claim anew.") \
    X(CLAIM_MISSING, \
      "Create the PersistentVolumeClaim, or correct its name in the Pod template.") \
    X(VOLUME_NOT_BOUND, \
      "Make sure that the claim's StorageClass exists and can provide a volume, or offer one.") \
    X(WAITING_FOR_CONSUMER, \
      "Start a Pod that uses the claim: its StorageClass binds only then.") \
    X(VOLUME_RESIZE_PENDING, \
      "Restart the Pods that use the volume if the resize does not end by itself.") \
    X(VOLUME_FAILED, \
      "See the volume's message, and repair or remove what stands behind it.") \
    X(SNAPSHOT_FAILED, \
      "See the snapshot's error, and check the snapshot class and the CSI driver.") \
    X(QUOTA_EXCEEDED, \
      "Raise the namespace's ResourceQuota, or free some of what it counts.") \
    X(ADMISSION_DENIED, \
      "Change the object as the policy demands, or ask who keeps the policy for an exception.") \
    X(CREATION_FAILED, \
      "Correct the Pod template as the API server's message says.") \
    X(BACKOFF_LIMIT_EXCEEDED, \
      "Read the log of the Job's Pods, mend the cause, and make the Job anew.") \
    X(DEADLINE_EXCEEDED, \
      "Raise activeDeadlineSeconds, or find out why the work takes so long.") \
    X(JOB_FAILED, \
      "Read the log of the Job's Pods, mend the cause, and make the Job anew.") \
    X(LAST_RUN_FAILED, \
      "Read the log of the CronJob's last Job.") \
    X(POD_FAILED, \
      "See the Pod's message and the logs of its containers.") \
    X(PROGRESS_DEADLINE_EXCEEDED, \
      "Mend why the new Pods do not become available; the rollout then goes on by itself.") \
    X(METRICS_UNAVAILABLE, \
      "Check that the metrics API answers and that the Pods have resource requests.") \
    X(SCALING_FAILED, \
      "Check that the autoscaler's target exists and can be scaled.") \
    X(DISRUPTION_BLOCKED, \
      "Make the budget's selector match Pods whose controllers can be scaled.") \
    X(LOAD_BALANCER_FAILED, \
      "Correct the Service's annotations or the cloud's quota, as the message says.") \
    X(ADDRESS_PENDING, \
      "Check that a controller serves this load balancer or class.") \
    X(FINALIZER_PENDING, \
      "Check the controller that owns the finalizer: it must clean up and then remove it.") \
    X(CONTENT_REMAINING, \
      "Delete what remains in the namespace, and see which finalizers hold it.") \
    X(DISCOVERY_FAILED, \
      "Bring back the API that cannot be discovered, or remove its APIService.") \
    X(DELETION_PENDING, \
      "Wait for its containers to stop; if the node is gone, delete the node.") \
    X(API_SERVICE_UNAVAILABLE, \
      "Check the Service and the Pods that serve this API, and its certificate.") \
    X(NAMES_CONFLICT, \
      "Rename the definition's kind, plural or short names: another definition has them.") \
    X(DEFINITION_NOT_ESTABLISHED, \
      "Correct the definition's schema as its conditions say.") \
    X(NODE_PRESSURE, \
      "Free memory, disk or process numbers on the node.") \
    X(NODE_NOT_READY, \
      "Check the node's kubelet, container runtime and network.") \
    X(LISTENER_CONFLICT, \
      "Give the Gateway's listeners different ports, or different host names on one port.") \
    X(REFERENCE_NOT_RESOLVED, \
      "Correct the reference, or allow it by a ReferenceGrant.") \
    X(NOT_ACCEPTED, \
      "Correct the object as its controller's message says.") \
    X(NOT_PROGRAMMED, \
      "See the controller's log: it has accepted the object but not put it to work.") \
    X(REQUEST_DENIED, \
      "Ask who denied the request, and send a new one.") \
    X(STALLED, \
      "Mend what the condition names: the controller will not go on before.") \
    X(DEPENDENCY_NOT_READY, \
      "Look at the object it depends on: this one goes on once that one is ready.") \
    X(CONTROLLER_NOT_OBSERVING, \
      "Check that the controller of this kind runs and that it watches this namespace.") \
    X(CONDITION_FAILING, \
      "Mend what the condition's message names.") \
    X(CONDITION_NOT_MET, \
      "Wait, or see the log of the object's controller.") \
    X(STATUS_NOT_WRITTEN, \
      "Check that the controller of this kind runs: it has not yet written a status.") \
    X(PAUSED, \
      "Resume the object (spec.paused or spec.suspend) for the work to go on.") \
    X(CONTAINER_STARTING, \
      "Wait; if it lasts, see the Pod's Events.") \
    X(CONTAINER_NOT_READY, \
      "Wait; if it lasts, see the container's log and its readiness probe.") \
    X(NOT_FINISHED, \
      "Wait: it runs until its work is done.") \
    X(REPLICAS_NOT_READY, \
      "Wait; if it lasts, see the causes of its Pods.") \
    X(WARNING, \
      "See the message.")
/* clang-format on */

#endif
