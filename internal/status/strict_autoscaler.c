/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Horizontal autoscalers under profile strict. In autoscaling/v1 their conditions are JSON text in
 * an annotation: that is parsed beside the object, and what it says is copied into the verdict.
 *
 * Thread: the document's.  Limits: an annotation of ANNOTATION_MAX_BYTES; a larger one counts as
 * absent.
 */
#include "status/strict.h"

#include "json/path.h"
#include "status/rules.h"
#include "status/strict_words.h"

#define ANNOTATION_MAX_BYTES 65536
#define ANNOTATION "autoscaling.alpha.kubernetes.io/conditions"
/* What a reason may have of the verdict's text; the message has the rest. */
#define REASON_MAX 100

static void check_active(struct ks_strict *s, struct ks_json_value list, const char *type)
{
    struct ks_strict_condition c;
    struct ks_finding finding;

    if (!ks_strict_condition_find(s, list, type, &c) || c.truth != KS_TRUTH_FALSE)
        return;
    finding = ks_strict_condition_finding(&c, KS_STATUS_IN_PROGRESS, KS_BASIS_KIND_RULE);
    if (ks_str_is(c.reason, "ScalingDisabled")) {
        finding.status = KS_STATUS_CURRENT;
    } else if (ks_phrase_read(c.reason).is_failing) {
        finding.status = KS_STATUS_FAILED;
        finding.grace_ms = KS_STRICT_GRACE_MS;
    }
    ks_strict_condition_tell(s, &c, &finding);
}

static void judge(struct ks_strict *s, struct ks_json_value list)
{
    struct ks_strict_condition c;

    if (!ks_strict_condition_find(s, list, "AbleToScale", &c)) {
        ks_strict_progress(s, "NotObserved", "The autoscaler has not looked at its target yet");
        return;
    }
    check_active(s, list, "AbleToScale");
    check_active(s, list, "ScalingActive");
    if (!ks_strict_is_decided(s))
        ks_strict_current(s, "", "The autoscaler can scale its target");
}

/* Moves what the verdict borrows into its own text: "reason message". */
static void keep(struct ks_verdict *v)
{
    struct ks_str reason = ks_str_cut_utf8(v->reason, REASON_MAX);
    char text[KS_VERDICT_TEXT_MAX];
    struct ks_str message = ks_str_cut_utf8(v->message, sizeof(text) - REASON_MAX - 2);

    memcpy(text, message.ptr, message.len);
    text[message.len] = '\0';
    ks_verdict_say(v, "%.*s %.*s", KS_STR_ARGS(reason), (int)message.len, text);
    message = ks_str_sub(v->message, reason.len + 1, message.len);
    reason = ks_str_sub(v->message, 0, reason.len);
    ks_verdict_set(v, v->status, v->basis, reason, message);
}

static struct ks_str annotation_of(const struct ks_strict *s)
{
    struct ks_json_value annotations =
        ks_json_get(ks_json_get(s->object, "metadata"), "annotations");
    struct ks_str text = {0};

    (void)ks_json_to_str(ks_json_get(annotations, ANNOTATION), &text); /* absent stays empty */
    return text;
}

static void judge_annotation(struct ks_strict *s, struct ks_str text)
{
    static const struct ks_json_limits limits = {
        .max_bytes = ANNOTATION_MAX_BYTES, .max_tokens = 8192, .max_depth = 16};
    struct ks_json *json = NULL;
    ks_rc rc = ks_json_new(&limits, &json, NULL);

    if (!rc)
        rc = ks_json_parse(json, text, NULL);
    if (rc == KS_RC_NOMEM)
        s->is_out_of_memory = true;
    judge(s, rc ? (struct ks_json_value){0} : ks_json_root(json));
    if (!rc && ks_json_out_of_memory(json))
        s->is_out_of_memory = true;
    keep(s->out);
    ks_json_free(json);
}

void ks_strict_horizontal_autoscaler(struct ks_strict *s)
{
    struct ks_str text = annotation_of(s);

    if (ks_json_is_absent(s->conditions) && text.len > 0)
        judge_annotation(s, text);
    else
        judge(s, s->conditions);
}
