/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus get`: one snapshot, as a table or as the events that a watch would have sent for it.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include <unistd.h>

#include "base/clock.h"

#include "client/cli/json_out.h"
#include "client/cli/merge.h"
#include "client/cli/report.h"
#include "client/cli/rows.h"
#include "client/cli/screen.h"
#include "client/cli/snapshot.h"
#include "client/cli/table.h"

#define OUTPUT_MAX_BYTES ((size_t)1 << 30)

static ks_rc append_event(struct ks_buf *out, const Kstatus__V1__Event *event)
{
    ks_rc rc = ks_json_out_append(out, &event->base);

    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc append_part(struct ks_buf *out, const Kstatus__V1__GetResponse *answer)
{
    Kstatus__V1__Event event;
    ks_rc rc = KS_RC_OK;

    kstatus__v1__event__init(&event);
    for (size_t i = 0; !rc && i < answer->n_target_errors; i++) {
        event.event_case = KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE;
        event.target_change = answer->target_errors[i];
        rc = append_event(out, &event);
    }
    for (size_t i = 0; !rc && i < answer->n_statuses; i++) {
        event.event_case = KSTATUS__V1__EVENT__EVENT_UPDATE;
        event.update = answer->statuses[i];
        rc = append_event(out, &event);
    }
    return rc;
}

static ks_rc append_json(struct ks_buf *out, const struct ks_snapshot *answers)
{
    Kstatus__V1__Counts counts;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Event event;
    ks_rc rc = KS_RC_OK;

    kstatus__v1__counts__init(&counts);
    kstatus__v1__synced__init(&synced);
    kstatus__v1__event__init(&event);
    synced.counts = &counts;
    for (size_t i = 0; !rc && i < answers->count; i++) {
        const Kstatus__V1__GetResponse *answer = answers->at[i];

        rc = append_part(out, answer);
        ks_counts_add(&counts, answer->counts);
        synced.aggregate_status =
            i == 0 ? answer->aggregate_status
                   : ks_aggregate_join(synced.aggregate_status, answer->aggregate_status);
    }
    event.event_case = KSTATUS__V1__EVENT__EVENT_SYNCED;
    event.synced = &synced;
    return rc ? rc : append_event(out, &event);
}

static ks_rc rows_add(struct ks_rows *rows, const Kstatus__V1__GetResponse *answer)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < answer->n_target_errors; i++)
        rc = ks_rows_apply_target(rows, answer->target_errors[i]);
    for (size_t i = 0; !rc && i < answer->n_statuses; i++)
        rc = ks_rows_apply_status(rows, answer->statuses[i], 0);
    return rc;
}

static ks_rc rows_fill(struct ks_rows *rows, const struct ks_snapshot *answers)
{
    Kstatus__V1__Event synced;
    ks_rc rc = KS_RC_OK;

    kstatus__v1__event__init(&synced);
    for (size_t i = 0; !rc && i < answers->count; i++)
        rc = rows_add(rows, answers->at[i]);
    synced.event_case = KSTATUS__V1__EVENT__EVENT_SYNCED;
    return rc ? rc : ks_rows_apply(rows, &synced, 0);
}

static ks_rc append_table(struct ks_buf *out, const struct ks_rows *rows)
{
    struct ks_table_format format = {
        .lacks_ages = true,
        .has_colour = ks_screen_has_colour(STDOUT_FILENO),
        .charset = ks_text_init_locale(),
        .now_ms = ks_clock_real.wall_ms(&ks_clock_real),
    };
    struct ks_screen screen;

    if (isatty(STDOUT_FILENO)) {
        ks_screen_init(&screen, STDOUT_FILENO);
        format.width = screen.width;
    }
    return ks_table_render(rows, &format, out);
}

static int print_answer(const struct ks_options *options, const struct ks_targets *targets,
                        const struct ks_snapshot *answers)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(OUTPUT_MAX_BYTES);
    struct ks_rows *rows = ks_rows_new(targets);
    int code = KS_EXIT_BAD;
    ks_rc rc = rows ? rows_fill(rows, answers) : KS_RC_NOMEM;

    if (!rc)
        rc = options->output == KS_OUTPUT_JSON ? append_json(&out, answers)
                                               : append_table(&out, rows);
    if (rc)
        ks_report_complain("cannot print the answer: %s", ks_rc_text(rc));
    else if (ks_report_write(ks_buf_str(&out)))
        code = ks_snapshot_is_bad(answers) ? KS_EXIT_BAD : KS_EXIT_OK;
    ks_rows_free(rows);
    return code;
}

static int ask(const struct ks_options *options, struct ks_targets *targets)
{
    struct ks_snapshot snapshot;
    int code = ks_snapshot_take(options, targets, &snapshot);

    if (code == KS_EXIT_OK)
        code = print_answer(options, targets, &snapshot);
    ks_snapshot_fini(&snapshot);
    return code;
}

static int run(const struct ks_options *options)
{
    struct ks_targets targets;
    struct ks_error err = {0};
    int code;

    if (ks_targets_init(&targets, options, &err)) {
        ks_report_complain("%s", err.msg);
        return KS_EXIT_USAGE;
    }
    code = ask(options, &targets);
    ks_targets_fini(&targets);
    return code;
}

const struct ks_command ks_cmd_get = {
    .name = "get",
    .summary = "show the status of objects once",
    .help =
        "Usage: kstatus get [OPTION]... TARGET...\n"
        "       kstatus get [OPTION]... -f FILE\n"
        "\n"
        "Shows once how objects are. Targets are written as for kubectl:\n"
        "\n" KS_TARGETS_HELP "  -o, --output table|json   json: one Event of kstatus.v1 per line\n"
        "  -s, --server ADDR         kstatusd's address (default: $KSTATUS_SERVER,\n"
        "                            else " KS_DEFAULT_SERVER ")\n"
        "      --profile NAME        whose rules decide: kstatus (default) or strict\n"
        "      --timeout DURATION    give up after this long (default 1m); what is not known\n"
        "                            a little before is Unknown, with the reason\n"
        "  -h, --help                show this\n"
        "\n"
        "Exit status: 0 when all is Current or on its way; 1 when an object is Failed,\n"
        "Unknown or NotFound, or a target cannot be read; 2 for a wrong command line;\n"
        "4 when kstatusd cannot be reached.\n"
        "\n"
        "  kstatus get -n shop deploy/web sts/db\n"
        "  kstatus get -A pods -l app=web -o json\n"
        "  kstatus get -f manifests.yaml\n",
    .options = KS_OPTION_SERVER | KS_OPTION_SCOPE | KS_OPTION_FILE | KS_OPTION_OUTPUT |
               KS_OPTION_TIMEOUT | KS_OPTION_PROFILE,
    .max_args = SIZE_MAX,
    .run = run,
};
