/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus explain`: why objects are as they are, with the causes down to the container.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include "client/cli/report.h"
#include "client/cli/snapshot.h"
#include "client/cli/told.h"

#define OUTPUT_MAX_BYTES ((size_t)1 << 30)

static ks_rc append_text(struct ks_buf *out, const Kstatus__V1__GetResponse *answer,
                         ks_profile profile, const struct ks_targets *targets)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < answer->n_target_errors; i++)
        rc = ks_told_append_trouble_text(out, answer->target_errors[i], targets);
    for (size_t i = 0; !rc && i < answer->n_statuses; i++)
        rc = ks_told_append_text(out, answer->statuses[i], profile, targets);
    return rc;
}

static ks_rc append_json(struct ks_buf *out, const Kstatus__V1__GetResponse *answer,
                         ks_profile profile, const struct ks_targets *targets)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < answer->n_target_errors; i++)
        rc = ks_told_append_trouble_json(out, answer->target_errors[i], targets);
    for (size_t i = 0; !rc && i < answer->n_statuses; i++)
        rc = ks_told_append_json(out, answer->statuses[i], profile, targets);
    return rc;
}

static int print(const struct ks_options *options, const struct ks_targets *targets,
                 const struct ks_snapshot *snapshot)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(OUTPUT_MAX_BYTES);
    bool is_json = options->output == KS_OUTPUT_JSON;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < snapshot->count; i++)
        rc = is_json ? append_json(&out, snapshot->at[i], options->profile, targets)
                     : append_text(&out, snapshot->at[i], options->profile, targets);
    if (rc)
        ks_report_complain("cannot print the answer: %s", ks_rc_text(rc));
    else if (ks_report_write(ks_buf_str(&out)))
        return ks_snapshot_is_bad(snapshot) ? KS_EXIT_BAD : KS_EXIT_OK;
    return KS_EXIT_BAD;
}

static int run(const struct ks_options *options)
{
    struct ks_snapshot snapshot;
    struct ks_targets targets;
    struct ks_error err = {0};
    int code;

    if (ks_targets_init(&targets, options, &err)) {
        ks_report_complain("%s", err.msg);
        return KS_EXIT_USAGE;
    }
    code = ks_snapshot_take(options, &targets, &snapshot);
    if (code == KS_EXIT_OK)
        code = print(options, &targets, &snapshot);
    ks_snapshot_fini(&snapshot);
    ks_targets_fini(&targets);
    return code;
}

const struct ks_command ks_cmd_explain = {
    .name = "explain",
    .summary = "tell why objects are as they are",
    .help = "Usage: kstatus explain [OPTION]... TARGET...\n"
            "       kstatus explain [OPTION]... -f FILE\n"
            "\n"
            "Tells once for each object the verdict, what it rests on, how far it is, and the\n"
            "causes of what is wrong, as a tree from the object that has them to the container,\n"
            "with what usually mends them. Targets are written as for kubectl:\n"
            "\n" KS_TARGETS_HELP
            "  -o, --output table|json   json: one line per object, with what the text tells\n"
            "      --profile NAME        whose rules decide: kstatus (default) or strict\n"
            "  -s, --server ADDR         kstatusd's address (default: $KSTATUS_SERVER,\n"
            "                            else " KS_DEFAULT_SERVER ")\n"
            "      --timeout DURATION    give up after this long (default 1m); what is not known\n"
            "                            a little before is Unknown, with the reason\n"
            "  -h, --help                show this\n"
            "\n"
            "Exit status, as of `kstatus get`: 0 when all is Current or on its way; 1 when an\n"
            "object is Failed, Unknown or NotFound, or a target cannot be read; 2 for a wrong\n"
            "command line; 4 when kstatusd cannot be reached.\n"
            "\n"
            "  kstatus explain -n shop deploy/web\n"
            "  kstatus explain -n shop pods -l app=web --profile strict\n"
            "  kstatus explain -f manifests.yaml -o json\n",
    .options = KS_OPTION_SERVER | KS_OPTION_SCOPE | KS_OPTION_FILE | KS_OPTION_OUTPUT |
               KS_OPTION_TIMEOUT | KS_OPTION_PROFILE,
    .max_args = SIZE_MAX,
    .run = run,
};
