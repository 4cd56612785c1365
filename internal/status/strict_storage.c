/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage under profile strict: claims, volumes, snapshots.
 *
 * Thread: the document's.  It does not: read StorageClasses; what one says about a claim is in the
 * context.
 */
#include "status/strict.h"

#include "json/path.h"

static bool is_true(const struct ks_strict *s, const char *type)
{
    struct ks_strict_condition c;

    return ks_strict_condition_find(s, s->conditions, type, &c) && c.truth == KS_TRUTH_TRUE;
}

static bool has_selected_node(const struct ks_strict *s)
{
    struct ks_json_value annotations =
        ks_json_get(ks_json_get(s->object, "metadata"), "annotations");

    return !ks_json_is_absent(ks_json_get(annotations, "volume.kubernetes.io/selected-node"));
}

/* One that names its volume is bound to it at once, whatever its class says. */
static bool waits_for_consumer(const struct ks_strict *s)
{
    return s->context->waits_for_consumer == KS_FACT_YES && !has_selected_node(s) &&
           ks_json_lenient_str(s->object, "spec.volumeName", "").len == 0;
}

void ks_strict_claim(struct ks_strict *s)
{
    static const struct ks_finding lost = {
        .status = KS_STATUS_FAILED, .basis = KS_BASIS_KIND_RULE, .reason = {"ClaimLost", 9}};
    struct ks_str phase = ks_json_lenient_str(s->status, "phase", "");
    bool is_bound = ks_str_is(phase, "Bound");

    if (is_bound && (is_true(s, "Resizing") || is_true(s, "FileSystemResizePending")))
        ks_strict_progress(s, "Resizing", "The claim's volume is being resized");
    else if (is_bound)
        ks_strict_current(s, "", "Claim is bound");
    else if (ks_str_is(phase, "Lost"))
        ks_strict_find(s, &lost, "The claim's volume does not exist any more");
    else if (ks_str_is(phase, "Pending") && waits_for_consumer(s))
        ks_strict_current(s, "WaitingForConsumer",
                          "Its class binds the claim when the first Pod uses it");
    else
        ks_strict_progress(s, "NotBound", "Claim is not bound yet");
}

void ks_strict_volume(struct ks_strict *s)
{
    struct ks_str phase = ks_json_lenient_str(s->status, "phase", "");
    struct ks_str policy = ks_json_lenient_str(s->object, "spec.persistentVolumeReclaimPolicy", "");
    struct ks_finding failed = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = ks_json_lenient_str(s->status, "reason", ""),
        .message = ks_json_lenient_str(s->status, "message", ""),
    };

    if (failed.reason.len == 0)
        failed.reason = KS_LIT("VolumeFailed");
    if (ks_str_is(phase, "Failed"))
        ks_strict_find(s, &failed, "The volume could not be reclaimed");
    else if (phase.len == 0 || ks_str_is(phase, "Pending"))
        ks_strict_progress(s, "VolumePending", "Volume is not available yet");
    else if (ks_str_is(phase, "Released") && ks_str_is(policy, "Delete"))
        ks_strict_progress(s, "VolumeReleased", "Volume is released and will be deleted");
    else
        ks_strict_current(s, "", "Volume is %.*s", KS_STR_ARGS(ks_str_cut_utf8(phase, 63)));
}

static bool is_something(struct ks_json_value v)
{
    struct ks_str text;

    if (ks_json_to_str(v, &text))
        return text.len > 0;
    return ks_json_type_of(v) == KS_JSON_MAP;
}

void ks_strict_snapshot(struct ks_strict *s)
{
    const struct ks_finding failed = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .reason = KS_LIT("SnapshotError"),
        .message = ks_json_lenient_str(s->status, "error.message", ""),
    };

    if (is_something(ks_json_get(s->status, "error")))
        ks_strict_find(s, &failed, "The snapshot could not be taken");
    else if (ks_json_lenient_bool(s->status, "readyToUse", false))
        ks_strict_current(s, "", "Snapshot is ready to use");
    else
        ks_strict_progress(s, "NotReadyToUse", "Snapshot is not ready to use yet");
}
