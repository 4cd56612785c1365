/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both profiles on the same objects: where they differ is to be on purpose (docs/verdicts.md).
 *
 * Of a workload's Pods, those of the newest revision are looked at, as the watcher does. The graces
 * of profile strict begin at the line's time, unless an object says since when; it is judged after
 * the delay.
 *
 * Thread: one at a time.  It does not: know what other objects of a kind carry, or its CRD.
 */
#include "ours_family.h"

#include "base/rfc3339.h"
#include "json/path.h"
#include "status/family.h"

struct look {
    struct family_judge *judge;
    int64_t now_ms;
    int64_t at_ms;
};

/* What is known of an owner's Pods. */
struct pods {
    bool has_ready;
    bool has_failure;
    struct ks_status_evidence failure;
};

static bool is_kind(const struct member *m, const char *kind)
{
    return ks_str_is(m->kind.kind, kind);
}

static struct ks_str text_at(const struct member *m, const char *map, const char *key)
{
    struct ks_json_value meta = ks_json_get(family_root(m), "metadata");
    struct ks_str text;

    return ks_json_to_str(ks_json_get(ks_json_get(meta, map), key), &text) ? text : KS_LIT("");
}

static struct ks_str condition_member(const struct member *m, const char *type, const char *member)
{
    struct ks_json_value list = ks_json_get(ks_json_get(family_root(m), "status"), "conditions");

    if (ks_json_type_of(list) != KS_JSON_LIST)
        return KS_LIT("");
    for (struct ks_json_value c = ks_json_first(list); !ks_json_is_absent(c); c = ks_json_next(c)) {
        if (ks_str_is(ks_json_lenient_str(c, "type", ""), type))
            return ks_json_lenient_str(c, member, "");
    }
    return KS_LIT("");
}

/* Whether the Pod is of the revision that its owner rolls out, where both say one. */
static bool is_of_revision(const struct member *owner, const struct member *pod)
{
    struct ks_str wanted = {0};
    struct ks_str has = {0};

    if (is_kind(owner, "StatefulSet")) {
        wanted = ks_json_lenient_str(family_root(owner), "status.updateRevision", "");
        has = text_at(pod, "labels", "controller-revision-hash");
    } else if (is_kind(owner, "DaemonSet")) {
        wanted = text_at(owner, "annotations", "deprecated.daemonset.template.generation");
        has = text_at(pod, "labels", "pod-template-generation");
    }
    return wanted.len == 0 || has.len == 0 || ks_str_eq(wanted, has);
}

static int find_newest_set(const struct family_judge *judge, int head)
{
    int64_t best = 0;
    int newest = -1;

    for (int i = head + 1; i < judge->count; i++) {
        const struct member *m = &judge->members[i];
        int64_t revision = 0;

        if (m->is_readable && m->controller == head &&
            ks_str_to_int64(text_at(m, "annotations", "deployment.kubernetes.io/revision"),
                            &revision) &&
            revision > best) {
            best = revision;
            newest = i;
        }
    }
    return newest;
}

static int64_t failed_since(const struct look *look, const struct member *pod)
{
    int64_t since_ms;

    return ks_rfc3339_parse(condition_member(pod, "Ready", "lastTransitionTime"), &since_ms)
               ? since_ms
               : look->now_ms;
}

static void look_at_pod(const struct look *look, const struct member *owner,
                        const struct member *pod, struct pods *out)
{
    int64_t since_ms = failed_since(look, pod);

    if (!is_of_revision(owner, pod))
        return;
    out->has_ready = out->has_ready || ks_str_is(condition_member(pod, "Ready", "status"), "True");
    if (!ks_strict_pod_fails_owner(family_root(pod), owner->kind.kind, &pod->strict))
        return;
    if (out->has_failure && out->failure.since_ms <= since_ms)
        return;
    out->has_failure = true;
    out->failure = (struct ks_status_evidence){
        .reason = pod->strict.reason, .message = pod->strict.message, .since_ms = since_ms};
}

static void look_at_pods(const struct look *look, int head, struct pods *out)
{
    const struct member *m = &look->judge->members[head];
    int owner = is_kind(m, "Deployment") ? find_newest_set(look->judge, head) : head;

    for (int i = head + 1; i < look->judge->count && owner >= 0; i++) {
        const struct member *pod = &look->judge->members[i];

        if (pod->is_readable && pod->controller == owner && is_kind(pod, "Pod"))
            look_at_pod(look, &look->judge->members[owner], pod, out);
    }
}

static ks_rc judge_strictly(const struct look *look)
{
    struct ks_error err = {0};
    ks_rc rc = KS_RC_OK;

    for (int i = look->judge->count - 1; i >= 0 && !rc; i--) {
        struct member *m = &look->judge->members[i];
        struct ks_status_context context = {.kind = &m->kind, .first_seen_ms = look->now_ms};
        struct pods pods = {0};

        if (!m->is_readable)
            continue;
        look_at_pods(look, i, &pods);
        context.failure = pods.has_failure ? &pods.failure : NULL;
        context.pod_ready_since_roll = pods.has_ready ? KS_FACT_YES : KS_FACT_UNKNOWN;
        rc = ks_status_compute_profile(KS_PROFILE_STRICT, family_root(m), look->at_ms, &context,
                                       &m->strict, &err);
    }
    return rc;
}

static ks_rc append_verdict(struct ks_buf *out, ks_status status, struct ks_str reason)
{
    ks_rc rc = ks_buf_append_byte(out, '\t');

    if (!rc)
        rc = ks_buf_append_url(out, ks_str_from(ks_status_text(status)));
    if (!rc)
        rc = ks_buf_append_byte(out, '\t');
    return rc ? rc : ks_buf_append_url(out, reason);
}

static bool fails_by_new(const struct family_judge *judge, int owner)
{
    for (int i = owner + 1; i < judge->count; i++) {
        const struct member *pod = &judge->members[i];

        if (pod->is_readable && pod->owner == owner && pod->rc == KS_RC_OK &&
            ks_member_fails_owner(family_root(pod), &pod->kind, &pod->verdict) &&
            is_of_revision(&judge->members[owner], pod))
            return true;
    }
    return false;
}

/* What profile kstatus goes by. */
static struct ks_str find_ground(const struct family_judge *judge, int index)
{
    const struct member *m = &judge->members[index];

    if (m->verdict.basis == KS_BASIS_STANDARD_CONDITION && m->verdict.status == KS_STATUS_FAILED)
        return KS_LIT("Stalled");
    if (m->is_failed_by_members && !fails_by_new(judge, index))
        return KS_LIT("OldPodsFailed");
    return m->verdict.reason;
}

static ks_rc append_member(const struct family_judge *judge, int index, struct ks_buf *out)
{
    const struct member *m = &judge->members[index];
    ks_rc rc = ks_buf_append_url(out, m->kind.group);

    if (!rc)
        rc = ks_buf_append_byte(out, '/');
    if (!rc)
        rc = ks_buf_append_url(out, m->kind.kind);
    if (!rc)
        rc = m->rc ? append_verdict(out, KS_STATUS_UNKNOWN, KS_LIT(""))
                   : append_verdict(out, m->verdict.status, find_ground(judge, index));
    return rc ? rc : append_verdict(out, m->strict.status, m->strict.reason);
}

ks_rc family_profiles_line(struct family_judge *judge, const struct family_times *times,
                           struct ks_str line, struct ks_buf *out)
{
    struct look look = {
        .judge = judge, .now_ms = times->now_ms, .at_ms = times->now_ms + times->delay_ms};
    ks_rc rc = family_judge_read(judge, look.now_ms, line);
    bool is_first = true;

    if (!rc)
        rc = judge_strictly(&look);
    for (int i = 0; i < judge->count && !rc; i++) {
        if (!judge->members[i].belongs || !judge->members[i].is_readable)
            continue;
        if (!is_first)
            rc = ks_buf_append_byte(out, FAMILY_SEPARATOR);
        is_first = false;
        if (!rc)
            rc = append_member(judge, i, out);
    }
    return rc;
}
