/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus compute`: verdicts of objects in files, without a server. Answers come as objects go in,
 * one line each, so that it can stand in a pipe of any length.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include "base/clock.h"
#include "status/status.h"

#include "client/cli/explain.h"
#include "client/cli/judge.h"
#include "client/cli/kin.h"
#include "client/cli/manifest.h"
#include "client/cli/report.h"

#define LINE_MAX_BYTES ((size_t)4 << 20)

struct computing {
    const struct ks_options *options;
    struct ks_buf out;
    struct ks_kin *kin; /* only for --children */
    size_t object_count;
    size_t failed_count;
    size_t error_count;
    size_t difference_count;
};

static ks_rc append_plain_json(struct ks_buf *out, const struct ks_subject *s,
                               const struct ks_judgement *j)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc)
        rc = ks_judge_append_identity(out, s);
    if (!rc)
        rc = ks_judge_append_verdict(out, j);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

static ks_rc append_judgement(struct computing *c, const struct ks_subject *s,
                              const struct ks_judgement *j)
{
    const struct ks_options *o = c->options;
    bool is_json = o->output == KS_OUTPUT_JSON;

    if (c->kin)
        return ks_kin_add(c->kin, s, j);
    if (o->wants_explanation)
        return is_json ? ks_explain_append_json(&c->out, s, o->profile, j)
                       : ks_explain_append_text(&c->out, s, o->profile, j);
    return is_json ? append_plain_json(&c->out, s, j) : ks_judge_append_line(&c->out, s, j);
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

static struct ks_subject subject_of(const struct computing *c,
                                    const struct ks_manifest_place *place,
                                    struct ks_json_value object)
{
    const struct ks_options *o = c->options;

    return (struct ks_subject){
        .place = place,
        .object = object,
        .now_ms = o->has_now ? o->now_ms : ks_clock_real.wall_ms(&ks_clock_real),
    };
}

static ks_rc on_object(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err)
{
    struct computing *c = ctx;
    struct ks_subject subject = subject_of(c, place, object);
    struct ks_judgement j;
    ks_rc rc = ks_judge(&subject, c->options->profile, &j);

    if (rc)
        return ks_fail(err, rc, "%s", j.why.msg);
    if (j.rc)
        c->error_count++;
    else if (j.verdict.status == KS_STATUS_FAILED)
        c->failed_count++;
    return flush(c, append_judgement(c, &subject, &j), err);
}

static ks_rc on_bad(void *ctx, const struct ks_manifest_place *place, const struct ks_error *why)
{
    const struct ks_json_value none = {.doc = NULL};
    struct computing *c = ctx;
    struct ks_subject subject = subject_of(c, place, none);
    struct ks_judgement j;
    struct ks_error err = {0};

    j.rc = why->rc;
    j.why = *why;
    (void)ks_wrap(&j.why, why->rc, "%s, line %zu", place->path, place->line); /* returns it */
    c->error_count++;
    return flush(c, append_judgement(c, &subject, &j), &err);
}

/* Two verdicts of one object, side by side. */
struct pair {
    struct ks_judgement of[2];
};

static bool pair_differs(const struct pair *p)
{
    if (p->of[0].rc || p->of[1].rc)
        return (p->of[0].rc == KS_RC_OK) != (p->of[1].rc == KS_RC_OK);
    return p->of[0].verdict.status != p->of[1].verdict.status;
}

static ks_rc append_pair_json(struct computing *c, const struct ks_subject *s, const struct pair *p)
{
    ks_rc rc = ks_buf_append_byte(&c->out, '{');

    if (!rc)
        rc = ks_judge_append_identity(&c->out, s);
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = ks_judge_append_key(&c->out, ks_profile_text(c->options->compared[i]));
        if (!rc)
            rc = ks_buf_append_byte(&c->out, '{');
        if (!rc)
            rc = ks_judge_append_verdict(&c->out, &p->of[i]);
        if (!rc)
            rc = ks_buf_append_byte(&c->out, '}');
    }
    return rc ? rc : ks_buf_append_str(&c->out, KS_LIT("}\n"));
}

static ks_rc append_pair(struct computing *c, const struct ks_subject *s, const struct pair *p)
{
    ks_rc rc = KS_RC_OK;

    if (c->options->output == KS_OUTPUT_JSON)
        return append_pair_json(c, s, p);
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = ks_buf_appendf(&c->out, "%-8s  ", ks_profile_text(c->options->compared[i]));
        if (!rc)
            rc = ks_judge_append_line(&c->out, s, &p->of[i]);
    }
    return rc;
}

static ks_rc on_compared(void *ctx, const struct ks_manifest_place *place,
                         struct ks_json_value object, struct ks_error *err)
{
    struct computing *c = ctx;
    struct ks_subject subject = subject_of(c, place, object);
    struct pair pair;

    c->object_count++;
    for (size_t i = 0; i < 2; i++) {
        ks_rc rc = ks_judge(&subject, c->options->compared[i], &pair.of[i]);

        if (rc)
            return ks_fail(err, rc, "%s", pair.of[i].why.msg);
    }
    if (pair.of[0].rc && pair.of[1].rc) {
        c->error_count++; /* neither has a verdict: told once, as without --compare */
        return flush(c, append_judgement(c, &subject, &pair.of[0]), err);
    }
    if (!pair_differs(&pair))
        return KS_RC_OK;
    c->difference_count++;
    return flush(c, append_pair(c, &subject, &pair), err);
}

static int end_comparison(struct computing *c)
{
    struct ks_error err = {0};

    if (c->options->output != KS_OUTPUT_JSON &&
        flush(c,
              ks_buf_appendf(&c->out, "%zu of %zu objects differ\n", c->difference_count,
                             c->object_count),
              &err))
        return KS_EXIT_BAD;
    return c->error_count > 0 || c->difference_count > 0 ? KS_EXIT_BAD : KS_EXIT_OK;
}

static ks_rc tell_families(struct computing *c)
{
    struct ks_error err = {0};
    ks_rc rc = KS_RC_OK;

    ks_kin_tie(c->kin);
    while (!rc) {
        rc = ks_kin_next(c->kin, &c->out);
        if (rc == KS_RC_NOTFOUND)
            return KS_RC_OK;
        rc = flush(c, rc, &err);
    }
    ks_report_complain("%s", err.msg);
    return rc;
}

static int read_files(struct computing *c)
{
    const struct ks_options *options = c->options;
    const struct ks_manifest_ops ops = {
        .on_object = options->wants_comparison ? on_compared : on_object, .on_bad = on_bad};

    for (size_t i = 0; i < options->file_count; i++) {
        struct ks_error err = {0};
        ks_rc rc = ks_manifest_read(options->files[i], &ops, c, &err);

        if (rc) {
            ks_report_complain("%s", err.msg[0] ? err.msg : ks_rc_text(rc));
            return rc == KS_RC_NOTFOUND || rc == KS_RC_DENIED ? KS_EXIT_USAGE : KS_EXIT_BAD;
        }
    }
    if (options->wants_comparison)
        return end_comparison(c);
    if (c->kin && tell_families(c))
        return KS_EXIT_BAD;
    return c->error_count > 0 || c->failed_count > 0 ? KS_EXIT_BAD : KS_EXIT_OK;
}

static int run(const struct ks_options *options)
{
    struct computing c = {.options = options};
    int code;

    if (options->file_count == 0) {
        ks_report_complain("compute needs objects: -f FILE, or -f - for standard input");
        return KS_EXIT_USAGE;
    }
    if (options->wants_comparison && (options->wants_explanation || options->has_profile)) {
        ks_report_complain("--compare names two profiles and shows only where they differ: it goes "
                           "without --%s",
                           options->has_profile ? "profile" : "explain");
        return KS_EXIT_USAGE;
    }
    if (options->wants_children) {
        c.kin = ks_kin_new(options->output == KS_OUTPUT_JSON ? KS_KIN_JSON : KS_KIN_TEXT,
                           options->profile);
        if (!c.kin) {
            ks_report_complain("out of memory");
            return KS_EXIT_BAD;
        }
    }
    ks_buf_init(&c.out, LINE_MAX_BYTES);
    code = read_files(&c);
    ks_kin_free(c.kin);
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
            "      --compare A,B             lists only the objects whose status differs between\n"
            "                            two profiles, as in --compare kstatus,strict\n"
            "      --explain             for each object: the verdict, the fields and values that\n"
            "                            decided it, the others that the rules look at, the\n"
            "                            conditions, and the causes with what usually mends them\n"
            "      --children            explains, and ties objects together by their controller\n"
            "                            owner references: those without an owner are told, with\n"
            "                            the causes of what is below them, and its tree\n"
            "      --now TIME            the time to compute for (RFC 3339; default: now)\n"
            "  -h, --help                show this\n"
            "\n"
            "Exit status: 0 when no object is Failed; 1 when one is, or one cannot be read;\n"
            "2 for a wrong command line. With --compare: 0 when no object differs, 1 when one\n"
            "does, or one cannot be read.\n"
            "\n"
            "  kubectl get deploy,sts -A -o json | kstatus compute -f -\n"
            "  kstatus compute -f objects.ndjson -o json --now 2026-11-24T13:46:51Z\n"
            "  kubectl get pod web-0 -o json | kstatus compute --profile strict --explain -f -\n",
    .options = KS_OPTION_FILE | KS_OPTION_OUTPUT | KS_OPTION_COMPUTE | KS_OPTION_PROFILE,
    .run = run,
};
