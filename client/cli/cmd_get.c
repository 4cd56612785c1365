/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus get`: one snapshot, as a table or as the events that a watch would have sent for it.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include <unistd.h>

#include "base/clock.h"

#include "client/cli/dial.h"
#include "client/cli/json_out.h"
#include "client/cli/merge.h"
#include "client/cli/report.h"
#include "client/cli/rows.h"
#include "client/cli/screen.h"
#include "client/cli/table.h"

/* Longer than the server takes to give up on a target (30 s). */
#define TIMEOUT_MS 60000
#define OUTPUT_MAX_BYTES ((size_t)1 << 30)

static ks_rc append_event(struct ks_buf *out, const Kstatus__V1__Event *event)
{
    ks_rc rc = ks_json_out_append(out, &event->base);

    return rc ? rc : ks_buf_append_byte(out, '\n');
}

/* One for each call. */
struct answers {
    Kstatus__V1__GetResponse *at[KS_CALLS_MAX];
    size_t count;
};

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

static ks_rc append_json(struct ks_buf *out, const struct answers *answers)
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

static ks_rc rows_fill(struct ks_rows *rows, const struct answers *answers)
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

static bool is_bad(const struct ks_rows *rows)
{
    return ks_rows_count_of(rows, KS_STATUS_FAILED) > 0 ||
           ks_rows_count_of(rows, KS_STATUS_UNKNOWN) > 0 ||
           ks_rows_count_of(rows, KS_STATUS_NOT_FOUND) > 0 || ks_rows_troubles(rows, NULL, 0) > 0;
}

static int print_answer(const struct ks_options *options, const struct ks_targets *targets,
                        const struct answers *answers)
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
        code = is_bad(rows) ? KS_EXIT_BAD : KS_EXIT_OK;
    ks_rows_free(rows);
    return code;
}

/* One call after the other, all within the one time limit. Adds to the answers. */
static int ask_all(struct kstatus_client *client, const struct ks_options *options,
                   struct ks_targets *targets, struct answers *answers, struct kstatus_error *error)
{
    int64_t timeout_ms = options->timeout_ms >= 0 ? options->timeout_ms : TIMEOUT_MS;
    int64_t end_ms = ks_clock_real.mono_ms(&ks_clock_real) + timeout_ms;
    Kstatus__V1__WatchOptions wanted;
    int code = KSTATUS_OK;

    kstatus__v1__watch_options__init(&wanted);
    wanted.profile = (char *)(uintptr_t)ks_profile_text(options->profile); /* it only reads */
    for (size_t i = 0; code == KSTATUS_OK && i < ks_targets_calls(targets); i++) {
        struct ks_targets_part part = ks_targets_part(targets, i);
        int64_t left_ms = end_ms - ks_clock_real.mono_ms(&ks_clock_real);
        Kstatus__V1__GetRequest request;

        kstatus__v1__get_request__init(&request);
        request.options = &wanted;
        request.targets = part.list;
        request.n_targets = part.count;
        code = kstatus_get(client, &request, left_ms > 0 ? left_ms : 0, &answers->at[i], error);
        answers->count += code == KSTATUS_OK;
    }
    return code;
}

static int ask(const struct ks_options *options, struct ks_targets *targets)
{
    struct kstatus_client *client = ks_dial_open(options);
    struct answers answers = {.count = 0};
    struct kstatus_error error;
    int code;

    if (!client)
        return KS_EXIT_LOST;
    if (ask_all(client, options, targets, &answers, &error) == KSTATUS_OK)
        code = print_answer(options, targets, &answers);
    else
        code = ks_dial_explain(options, &error, KS_DIAL_CALL);
    while (answers.count > 0)
        kstatus_get_response_free(answers.at[--answers.count]);
    kstatus_client_free(client);
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
