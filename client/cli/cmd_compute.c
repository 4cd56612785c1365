/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus compute`: verdicts of objects in files, without a server. Answers come as objects go in,
 * one line each, so that it can stand in a pipe of any length.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include "base/clock.h"
#include "json/path.h"
#include "status/status.h"

#include "client/cli/lines.h"
#include "client/cli/manifest.h"
#include "client/cli/report.h"
#include "client/cli/text.h"

#define LINE_MAX_BYTES ((size_t)4 << 20)

struct computing {
    const struct ks_options *options;
    struct ks_buf out;
    size_t counts[KS_STATUS_COUNT];
    size_t error_count;
};

static ks_rc append_member(struct ks_buf *out, const char *name, struct ks_str value)
{
    ks_rc rc = ks_buf_appendf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);

    return rc ? rc : ks_text_append_json(out, value);
}

static ks_rc append_identity(struct ks_buf *out, const struct ks_manifest_place *place,
                             struct ks_json_value object)
{
    ks_rc rc = append_member(out, "apiVersion", place->api_version);

    if (!rc)
        rc = append_member(out, "kind", place->kind);
    if (!rc)
        rc = append_member(out, "namespace", ks_json_lenient_str(object, "metadata.namespace", ""));
    return rc ? rc : append_member(out, "name", ks_json_lenient_str(object, "metadata.name", ""));
}

static ks_rc append_json_verdict(struct ks_buf *out, const struct ks_manifest_place *place,
                                 struct ks_json_value object, const struct ks_verdict *verdict)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc)
        rc = append_identity(out, place, object);
    if (!rc)
        rc = append_member(out, "status", ks_str_from(ks_status_text(verdict->status)));
    if (!rc)
        rc = append_member(out, "reason", verdict->reason);
    if (!rc)
        rc = append_member(out, "message", verdict->message);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

static ks_rc append_json_error(struct ks_buf *out, const struct ks_manifest_place *place,
                               struct ks_json_value object, const char *text)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc && !ks_json_is_absent(object))
        rc = append_identity(out, place, object);
    if (!rc)
        rc = append_member(out, "error", ks_str_from(text));
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

static ks_rc append_line(struct ks_buf *out, const struct ks_manifest_place *place,
                         struct ks_json_value object, const struct ks_verdict *verdict)
{
    const struct ks_line line = {
        .status = verdict->status,
        .kind = place->kind.len > 0 ? place->kind : KS_LIT("?"),
        .ns = ks_json_lenient_str(object, "metadata.namespace", ""),
        .name = ks_json_lenient_str(object, "metadata.name", "?"),
        .reason = verdict->reason,
        .message = verdict->message,
    };

    return ks_line_append(out, &line);
}

static ks_rc flush(struct computing *c, ks_rc rc, struct ks_error *err)
{
    if (rc)
        return ks_fail(err, rc, "cannot print a verdict: %s", ks_rc_text(rc));
    if (!ks_report_write(ks_buf_str(&c->out)))
        return ks_fail(err, KS_RC_IO, "stopped");
    ks_buf_clear(&c->out);
    return KS_RC_OK;
}

static ks_rc print_error(struct computing *c, const struct ks_manifest_place *place,
                         struct ks_json_value object, const char *why)
{
    const struct ks_verdict verdict = {
        .status = KS_STATUS_UNKNOWN, .reason = KS_LIT("Error"), .message = ks_str_from(why)};

    c->error_count++;
    return c->options->output == KS_OUTPUT_JSON ? append_json_error(&c->out, place, object, why)
                                                : append_line(&c->out, place, object, &verdict);
}

static ks_rc print_verdict(struct computing *c, const struct ks_manifest_place *place,
                           struct ks_json_value object, const struct ks_verdict *verdict)
{
    c->counts[verdict->status]++;
    return c->options->output == KS_OUTPUT_JSON
               ? append_json_verdict(&c->out, place, object, verdict)
               : append_line(&c->out, place, object, verdict);
}

/* The reference would call Current what is no Kubernetes object at all, as nothing in it says
 * otherwise; a person who gives such a file has made a mistake. */
static ks_rc judge(const struct ks_options *options, const struct ks_manifest_place *place,
                   struct ks_json_value object, struct ks_verdict *out, struct ks_error *why)
{
    ptrdiff_t slash = ks_str_chr(place->api_version, '/');
    const struct ks_status_kind kind = {
        .group = ks_str_sub(place->api_version, 0, slash < 0 ? 0 : (size_t)slash),
        .kind = place->kind,
    };
    struct ks_status_context context = {.kind = &kind};
    int64_t now_ms = options->has_now ? options->now_ms : ks_clock_real.wall_ms(&ks_clock_real);
    bool says_kind = !ks_json_is_absent(ks_json_get(object, "kind"));

    if (place->kind.len == 0)
        return ks_fail(why, KS_RC_INVALID, "this is no Kubernetes object: %s",
                       says_kind ? "its kind is no text" : "it has no kind");
    return ks_status_compute_profile(options->profile, object, now_ms, says_kind ? NULL : &context,
                                     out, why);
}

static ks_rc on_object(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err)
{
    struct computing *c = ctx;
    struct ks_verdict verdict;
    struct ks_error why = {0};
    ks_rc rc = judge(c->options, place, object, &verdict, &why);

    if (rc == KS_RC_NOMEM)
        return ks_fail(err, rc, "%s", why.msg);
    rc = rc ? print_error(c, place, object, why.msg) : print_verdict(c, place, object, &verdict);
    return flush(c, rc, err);
}

static ks_rc on_bad(void *ctx, const struct ks_manifest_place *place, const struct ks_error *why)
{
    const struct ks_json_value none = {.doc = NULL};
    struct ks_error err = {0};
    struct ks_error where = *why;

    (void)ks_wrap(&where, why->rc, "%s, line %zu", place->path, place->line); /* returns it */
    return flush(ctx, print_error(ctx, place, none, where.msg), &err);
}

static int read_files(struct computing *c)
{
    const struct ks_manifest_ops ops = {.on_object = on_object, .on_bad = on_bad};
    const struct ks_options *options = c->options;

    for (size_t i = 0; i < options->file_count; i++) {
        struct ks_error err = {0};
        ks_rc rc = ks_manifest_read(options->files[i], &ops, c, &err);

        if (rc) {
            ks_report_complain("%s", err.msg[0] ? err.msg : ks_rc_text(rc));
            return rc == KS_RC_NOTFOUND || rc == KS_RC_DENIED ? KS_EXIT_USAGE : KS_EXIT_BAD;
        }
    }
    return c->error_count > 0 || c->counts[KS_STATUS_FAILED] > 0 ? KS_EXIT_BAD : KS_EXIT_OK;
}

static int run(const struct ks_options *options)
{
    struct computing c = {.options = options};
    int code;

    if (options->file_count == 0) {
        ks_report_complain("compute needs objects: -f FILE, or -f - for standard input");
        return KS_EXIT_USAGE;
    }
    ks_buf_init(&c.out, LINE_MAX_BYTES);
    code = read_files(&c);
    ks_buf_fini(&c.out);
    return code;
}

const struct ks_command ks_cmd_compute = {
    .name = "compute",
    .summary = "compute the status of objects in files, without a server",
    .help = "Usage: kstatus compute [OPTION]... -f FILE\n"
            "\n"
            "Computes the status of the objects in a file, without server and cluster: the\n"
            "objects must bring their status, as `kubectl get -o json` prints it. The file may\n"
            "be YAML (many documents), JSON (one document after the other, one per line or not),\n"
            "or a list of any length. What is no Kubernetes object is an error in its place.\n"
            "\n"
            "  -f, --filename FILE       what to read; - is standard input; may be repeated\n"
            "  -o, --output table|json   json: one line per object, in order, with apiVersion,\n"
            "                            kind, namespace, name, and status, reason and message,\n"
            "                            or error\n"
            "      --profile NAME        the rules: kstatus (default), or strict, which also\n"
            "                            tells failures and waits that kstatus does not see\n"
            "      --now TIME            the time to compute for (RFC 3339; default: now)\n"
            "  -h, --help                show this\n"
            "\n"
            "Exit status: 0 when no object is Failed; 1 when one is, or one cannot be read;\n"
            "2 for a wrong command line.\n"
            "\n"
            "  kubectl get deploy,sts -A -o json | kstatus compute -f -\n"
            "  kstatus compute -f objects.ndjson -o json --now 2026-11-24T13:46:51Z\n",
    .options = KS_OPTION_FILE | KS_OPTION_OUTPUT | KS_OPTION_COMPUTE | KS_OPTION_PROFILE,
    .run = run,
};
