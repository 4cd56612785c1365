/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object: its verdict, or why it has none; as a line and as members of JSON.
 *
 * Thread: main. Does not write anywhere but into buffers.
 */
#include "client/cli/judge.h"

#include "json/path.h"

#include "client/cli/lines.h"
#include "client/cli/text.h"

struct ks_status_kind ks_judge_kind(const struct ks_manifest_place *place)
{
    ptrdiff_t slash = ks_str_chr(place->api_version, '/');

    return (struct ks_status_kind){
        .group = ks_str_sub(place->api_version, 0, slash < 0 ? 0 : (size_t)slash),
        .kind = place->kind,
    };
}

/* Why it is no Kubernetes object; NULL when it is one. The reference calls much of it Current, as
 * nothing in it says otherwise; a person who gives such a file has made a mistake. */
static const char *form_fault(const struct ks_subject *s)
{
    ks_json_type metadata = ks_json_type_of(ks_json_get(s->object, "metadata"));

    if (s->place->kind.len == 0)
        return ks_json_is_absent(ks_json_get(s->object, "kind")) ? "it has no kind"
                                                                 : "its kind is no text";
    if (metadata != KS_JSON_MAP && metadata != KS_JSON_ABSENT && metadata != KS_JSON_NULL)
        return "its metadata is no map";
    return NULL;
}

static ks_rc fail_form(const struct ks_subject *s, const char *fault, struct ks_error *err)
{
    (void)ks_fail(err, KS_RC_INVALID, "this is no Kubernetes object: %s", fault); /* wrapped */
    if (s->place->line == 0)
        return ks_wrap(err, KS_RC_INVALID, "%s, object %zu", s->place->path, s->place->number);
    return ks_wrap(err, KS_RC_INVALID, "%s, line %zu", s->place->path, s->place->line);
}

ks_rc ks_judge(const struct ks_subject *s, ks_profile profile, struct ks_judgement *out)
{
    const struct ks_status_kind kind = ks_judge_kind(s->place);
    struct ks_status_context context = {.kind = &kind};
    bool says_kind = !ks_json_is_absent(ks_json_get(s->object, "kind"));
    const char *fault = form_fault(s);

    out->why = (struct ks_error){.rc = KS_RC_OK};
    if (fault)
        out->rc = fail_form(s, fault, &out->why);
    else
        out->rc = ks_status_compute_profile(profile, s->object, s->now_ms,
                                            says_kind ? NULL : &context, &out->verdict, &out->why);
    return out->rc == KS_RC_NOMEM ? KS_RC_NOMEM : KS_RC_OK;
}

ks_rc ks_judge_append_line(struct ks_buf *out, const struct ks_subject *s,
                           const struct ks_judgement *j)
{
    struct ks_line line = {
        .status = KS_STATUS_UNKNOWN,
        .kind = s->place->kind.len > 0 ? s->place->kind : KS_LIT("?"),
        .ns = ks_json_lenient_str(s->object, "metadata.namespace", ""),
        .name = ks_json_lenient_str(s->object, "metadata.name", "?"),
        .reason = KS_LIT("Error"),
        .message = ks_str_from(j->why.msg),
    };

    if (j->rc == KS_RC_OK) {
        line.status = j->verdict.status;
        line.reason = j->verdict.reason;
        line.message = j->verdict.message;
    }
    return ks_line_append(out, &line);
}

ks_rc ks_judge_append_name(struct ks_buf *out, const struct ks_subject *s)
{
    struct ks_str ns = ks_json_lenient_str(s->object, "metadata.namespace", "");
    struct ks_str kind = s->place->kind.len > 0 ? s->place->kind : KS_LIT("?");
    ks_rc rc = ks_text_append(out, kind, KS_TEXT_UTF8);

    if (!rc)
        rc = ks_buf_append_byte(out, '/');
    if (!rc)
        rc =
            ks_text_append(out, ks_json_lenient_str(s->object, "metadata.name", "?"), KS_TEXT_UTF8);
    if (!rc && ns.len > 0)
        rc = ks_buf_append_str(out, KS_LIT(" -n "));
    return rc ? rc : ks_text_append(out, ns, KS_TEXT_UTF8);
}

ks_rc ks_judge_append_key(struct ks_buf *out, const char *name)
{
    bool is_first = out->len > 0 && out->data[out->len - 1] == '{';

    return ks_buf_appendf(out, "%s\"%s\":", is_first ? "" : ",", name);
}

ks_rc ks_judge_append_member(struct ks_buf *out, const char *name, struct ks_str text)
{
    ks_rc rc = ks_judge_append_key(out, name);

    return rc ? rc : ks_text_append_json(out, text);
}

ks_rc ks_judge_append_identity(struct ks_buf *out, const struct ks_subject *s)
{
    ks_rc rc;

    if (ks_json_is_absent(s->object))
        return KS_RC_OK;
    rc = ks_judge_append_member(out, "apiVersion", s->place->api_version);
    if (!rc)
        rc = ks_judge_append_member(out, "kind", s->place->kind);
    if (!rc)
        rc = ks_judge_append_member(out, "namespace",
                                    ks_json_lenient_str(s->object, "metadata.namespace", ""));
    return rc ? rc
              : ks_judge_append_member(out, "name",
                                       ks_json_lenient_str(s->object, "metadata.name", ""));
}

ks_rc ks_judge_append_verdict(struct ks_buf *out, const struct ks_judgement *j)
{
    ks_rc rc;

    if (j->rc)
        return ks_judge_append_member(out, "error", ks_str_from(j->why.msg));
    rc = ks_judge_append_member(out, "status", ks_str_from(ks_status_text(j->verdict.status)));
    if (!rc)
        rc = ks_judge_append_member(out, "reason", j->verdict.reason);
    return rc ? rc : ks_judge_append_member(out, "message", j->verdict.message);
}
