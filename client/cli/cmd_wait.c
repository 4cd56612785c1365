/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus wait`: follows objects until what is waited for is so, is lost, or time is up; says how
 * it ended, and what was in the way, with its causes.
 *
 * The server decides (until); this shows what happens meanwhile, as a live table on a terminal,
 * else one line a change, and nothing for JSON. More targets than a call takes are several calls:
 * each must reach the goal, and the first that loses it ends them all. A server that says that it
 * goes is asked again, it or the one in its place, for the time that is left; a stream that is lost
 * without a word is the end.
 *
 * Invariants: 1. the exit code is the outcome's, or says that there is none; 2. a call that has its
 * outcome is not listened to any more, so that its regular end is no lost stream; 3. signals that a
 * terminal sends are blocked before the first thread is made; others end the program, and leave the
 * terminal as it is between two frames.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

#include "client/cli/dial.h"
#include "client/cli/ending.h"
#include "client/cli/merge.h"
#include "client/cli/pane.h"
#include "client/cli/relay.h"
#include "client/cli/report.h"

#define TIMEOUT_MS ((int64_t)5 * 60 * 1000)
/* A server that does not tell the outcome when it is due. */
#define PATIENCE_MS 15000
/* After a server has said that it goes: how long the next one may take, and how often it is asked.
 */
#define RETURN_MS 30000
#define REOPEN_MS 1000
#define LEGEND_LINES 2
#define LEGEND_MAX_BYTES 1024

struct call {
    struct kstatus_watch *watch; /* NULL: between two streams */
    struct ks_relay *relay;      /* likewise */
    bool is_decided;
    int64_t drained_ms; /* mono: when its server said that it goes; 0: it has not */
    int64_t reopen_ms;  /* mono: when the next stream is due; 0: it is open */
};

struct waiting {
    const struct ks_options *options;
    struct ks_targets targets;
    struct ks_pane pane;
    struct kstatus_client *client;
    struct call calls[KS_CALLS_MAX];
    size_t call_count;
    struct ks_merge merge;
    struct ks_ending ending;
    int signal_fd; /* -1: none */
    int64_t timeout_ms;
    int64_t start_ms; /* mono */
    bool has_response;
    bool is_done;
    int code;
};

static void stop(struct waiting *w, int code)
{
    w->is_done = true;
    w->code = code;
}

static void flush(struct waiting *w, ks_rc rc)
{
    if (!ks_pane_flush(&w->pane, rc))
        stop(w, KS_EXIT_BAD);
}

static ks_rc append_legend(const struct waiting *w, struct ks_buf *to)
{
    char took[KS_AGE_MAX];
    char all[KS_AGE_MAX];

    return ks_buf_appendf(to, "waiting until %s: %s of %s\n",
                          ks_ending_goal_text(w->options->wait_goal),
                          ks_age_format(ks_mono_ms() - w->start_ms, took),
                          w->timeout_ms ? ks_age_format(w->timeout_ms, all) : "any time");
}

static void paint(struct waiting *w)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf legend = KS_BUF(LEGEND_MAX_BYTES);
    ks_rc rc = w->is_done ? KS_RC_OK : append_legend(w, &legend);

    if (rc)
        flush(w, rc);
    else if (!ks_pane_paint(&w->pane, ks_buf_str(&legend), LEGEND_LINES))
        stop(w, KS_EXIT_BAD);
}

static void tell_ending(struct waiting *w)
{
    ks_rc rc;

    stop(w, ks_ending_code(&w->ending));
    if (w->pane.view == KS_PANE_TABLE)
        paint(w);
    if (w->pane.view == KS_PANE_JSON)
        rc = ks_ending_append_json(&w->pane.out, &w->ending);
    else
        rc = ks_ending_append_text(&w->pane.out, &w->ending, w->options, &w->targets,
                                   ks_mono_ms() - w->start_ms);
    flush(w, rc);
}

static void decide(struct waiting *w, struct call *call, const Kstatus__V1__Outcome *outcome)
{
    ks_rc rc = ks_ending_add(&w->ending, outcome);

    call->is_decided = true;
    if (rc)
        flush(w, rc);
    else if (w->ending.count == w->call_count ||
             outcome->verdict == KSTATUS__V1__OUTCOME__VERDICT__VERDICT_FAILED)
        tell_ending(w);
}

static void take(struct waiting *w, struct call *call, const Kstatus__V1__WatchResponse *response)
{
    int64_t wall_ms = response->emit_time ? response->emit_time->seconds * 1000
                                          : ks_clock_real.wall_ms(&ks_clock_real);
    const Kstatus__V1__Outcome *outcome = NULL;
    ks_rc rc = KS_RC_OK;

    w->has_response = true;
    call->drained_ms = 0;
    for (size_t i = 0; !rc && i < response->n_events; i++) {
        const Kstatus__V1__Event *event = ks_merge_take(&w->merge, response->events[i]);

        if (response->events[i]->event_case == KSTATUS__V1__EVENT__EVENT_DRAINING)
            call->drained_ms = ks_mono_ms();
        if (!event)
            continue;
        if (event->event_case == KSTATUS__V1__EVENT__EVENT_OUTCOME)
            outcome = event->outcome;
        else
            rc = ks_pane_show(&w->pane, event, wall_ms);
    }
    ks_pane_changed(&w->pane);
    flush(w, rc);
    if (outcome && !w->is_done)
        decide(w, call, outcome);
}

static void close_stream(struct call *call)
{
    if (call->relay)
        ks_relay_close(call->relay); /* the client's thread may wait in it */
    kstatus_watch_free(call->watch);
    ks_relay_free(call->relay);
    call->watch = NULL;
    call->relay = NULL;
}

static void on_end(struct waiting *w, struct call *call, const struct kstatus_error *end)
{
    if (end->code == KSTATUS_UNAVAILABLE && call->drained_ms &&
        ks_mono_ms() < call->drained_ms + RETURN_MS) {
        close_stream(call);
        call->reopen_ms = ks_mono_ms() + REOPEN_MS;
        return;
    }
    if (w->pane.view == KS_PANE_TABLE && w->has_response)
        paint(w);
    stop(w, ks_dial_explain(w->options, end, w->has_response ? KS_DIAL_STREAM : KS_DIAL_CALL));
}

static void on_relay(struct waiting *w, struct call *call)
{
    const Kstatus__V1__WatchResponse *response = ks_relay_take(call->relay);
    struct kstatus_error end;

    if (response) {
        take(w, call, response);
        ks_relay_done(call->relay);
    }
    if (!w->is_done && !call->is_decided && ks_relay_end(call->relay, &end))
        on_end(w, call, &end);
}

static void on_signal(struct waiting *w)
{
    struct signalfd_siginfo info;

    if (read(w->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    (void)ks_pane_on_signal(&w->pane, (int)info.ssi_signo); /* no other is blocked */
}

static int poll_timeout(const struct waiting *w)
{
    int64_t until = w->timeout_ms ? w->start_ms + w->timeout_ms + PATIENCE_MS : INT64_MAX;
    int64_t left;

    if (w->pane.view == KS_PANE_TABLE && w->pane.paint_ms < until)
        until = w->pane.paint_ms;
    for (size_t i = 0; i < w->call_count; i++) {
        if (w->calls[i].reopen_ms && w->calls[i].reopen_ms < until)
            until = w->calls[i].reopen_ms;
    }
    if (until == INT64_MAX)
        return -1;
    left = until - ks_mono_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void check_patience(struct waiting *w)
{
    if (w->is_done || !w->timeout_ms || ks_mono_ms() < w->start_ms + w->timeout_ms + PATIENCE_MS)
        return;
    ks_report_complain("kstatusd at %s did not tell the outcome in time", w->options->server);
    stop(w, KS_EXIT_LOST);
}

/* Of those that a table needs; others end the program. */
static bool block_signals(struct waiting *w)
{
    sigset_t set;

    if (w->pane.view != KS_PANE_TABLE)
        return true;
    (void)sigemptyset(&set); /* these cannot fail for these signals */
    (void)sigaddset(&set, SIGWINCH);
    (void)sigaddset(&set, SIGCONT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL))
        return false;
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return w->signal_fd >= 0;
}

static void set_duration(Google__Protobuf__Duration *to, int64_t ms)
{
    google__protobuf__duration__init(to);
    to->seconds = ms / 1000;
    to->nanos = (int32_t)(ms % 1000) * 1000000;
}

/* 0: there is no limit. No less than what it must be so without a break: the server would refuse
 * that. */
static int64_t time_left(const struct waiting *w)
{
    int64_t left = w->start_ms + w->timeout_ms - ks_mono_ms();
    int64_t least = w->options->stable_ms ? w->options->stable_ms : 1;

    if (!w->timeout_ms)
        return 0;
    return left > least ? left : least;
}

static bool open_stream(struct waiting *w, struct call *call, struct ks_targets_part part)
{
    const struct ks_options *o = w->options;
    Kstatus__V1__WatchRequest request;
    Kstatus__V1__WatchOptions wanted;
    Kstatus__V1__Until until;
    Google__Protobuf__Duration timeout;
    Google__Protobuf__Duration stable_for;
    struct kstatus_error error;
    struct ks_error err = {0};

    kstatus__v1__watch_request__init(&request);
    kstatus__v1__watch_options__init(&wanted);
    kstatus__v1__until__init(&until);
    wanted.profile = (char *)(uintptr_t)ks_profile_text(o->profile); /* it only reads */
    wanted.include_causes = true;
    until.goal = (Kstatus__V1__Until__Goal)o->wait_goal;
    until.fail_fast = o->fail_fast;
    until.min_basis = (Kstatus__V1__StatusBasis)o->min_basis;
    set_duration(&timeout, time_left(w));
    set_duration(&stable_for, o->stable_ms);
    until.timeout = &timeout;
    until.stable_for = &stable_for;
    request.options = &wanted;
    request.until = &until;
    request.targets = part.list;
    request.n_targets = part.count;
    call->relay = ks_relay_new(&err);
    if (!call->relay) {
        ks_report_complain("%s", err.msg);
        return false;
    }
    if (kstatus_watch_open(w->client, &request, &ks_relay_callbacks, call->relay, &call->watch,
                           &error) == KSTATUS_OK)
        return true;
    ks_report_complain("%s", error.message);
    return false;
}

static void reopen_due(struct waiting *w)
{
    for (size_t i = 0; !w->is_done && i < w->call_count; i++) {
        struct call *call = &w->calls[i];

        if (!call->reopen_ms || ks_mono_ms() < call->reopen_ms)
            continue;
        call->reopen_ms = 0;
        if (!open_stream(w, call, ks_targets_part(&w->targets, i)))
            stop(w, KS_EXIT_LOST);
    }
}

static void listen_to(const struct waiting *w, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = w->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < w->call_count; i++) {
        const struct call *call = &w->calls[i];
        bool is_heard = call->relay && !call->is_decided;

        fds[1 + i] =
            (struct pollfd){.fd = is_heard ? ks_relay_fd(call->relay) : -1, .events = POLLIN};
    }
}

static void loop(struct waiting *w)
{
    struct pollfd fds[1 + KS_CALLS_MAX];

    while (!w->is_done) {
        int n;

        listen_to(w, fds);
        n = poll(fds, 1 + w->call_count, poll_timeout(w));
        if (n < 0 && errno != EINTR) {
            ks_report_complain("poll failed");
            stop(w, KS_EXIT_LOST);
            return;
        }
        if (n > 0 && (fds[0].revents & POLLIN))
            on_signal(w);
        for (size_t i = 0; n > 0 && !w->is_done && i < w->call_count; i++) {
            if (fds[1 + i].revents & POLLIN)
                on_relay(w, &w->calls[i]);
        }
        reopen_due(w);
        if (!w->is_done && w->pane.view == KS_PANE_TABLE && ks_mono_ms() >= w->pane.paint_ms)
            paint(w);
        check_patience(w);
    }
}

static bool open_streams(struct waiting *w)
{
    bool is_open;

    w->client = ks_dial_open(w->options);
    is_open = w->client != NULL;
    w->call_count = ks_targets_calls(&w->targets);
    w->merge.call_count = w->call_count;
    for (size_t i = 0; is_open && i < w->call_count; i++)
        is_open = open_stream(w, &w->calls[i], ks_targets_part(&w->targets, i));
    return is_open;
}

static void close_all(struct waiting *w)
{
    /* All relays first: the client's thread may wait in any of them. */
    for (size_t i = 0; i < KS_CALLS_MAX; i++) {
        if (w->calls[i].relay)
            ks_relay_close(w->calls[i].relay);
    }
    for (size_t i = 0; i < KS_CALLS_MAX; i++)
        close_stream(&w->calls[i]);
    kstatus_client_free(w->client);
    ks_ending_fini(&w->ending);
    ks_pane_fini(&w->pane);
    if (w->signal_fd >= 0)
        (void)close(w->signal_fd); /* a signalfd */
    ks_targets_fini(&w->targets);
}

static int run(const struct ks_options *options)
{
    struct waiting w = {.options = options, .signal_fd = -1, .code = KS_EXIT_LOST};
    struct ks_error err = {0};

    w.timeout_ms = options->timeout_ms >= 0 ? options->timeout_ms : TIMEOUT_MS;
    if (w.timeout_ms && options->stable_ms > w.timeout_ms) {
        ks_report_complain("--stable-for is longer than --timeout: that could not be reached");
        return KS_EXIT_USAGE;
    }
    if (ks_targets_init(&w.targets, options, &err)) {
        ks_report_complain("%s", err.msg);
        return KS_EXIT_USAGE;
    }
    w.start_ms = ks_mono_ms();
    if (!ks_pane_init(&w.pane, options, &w.targets) || !block_signals(&w))
        ks_report_complain("cannot start: out of memory or of descriptors");
    else if (open_streams(&w))
        loop(&w);
    close_all(&w);
    return w.code;
}

const struct ks_command ks_cmd_wait = {
    .name = "wait",
    .summary = "wait until objects are as they should be",
    .help = "Usage: kstatus wait [OPTION]... TARGET...\n"
            "       kstatus wait [OPTION]... -f FILE\n"
            "\n"
            "Waits until all objects are Current, and shows what happens meanwhile: a live\n"
            "table on a terminal, else one line per change. At the end it says what was in\n"
            "the way, and why. An object that does not exist is waited for. Targets are\n"
            "written as for kubectl:\n"
            "\n" KS_TARGETS_HELP
            "      --for GOAL            current (default); not-found: until all are gone;\n"
            "                            terminal: until each is Current or Failed\n"
            "      --timeout DURATION    give up after this long (default 5m; 0s: never)\n"
            "      --fail-fast           give up as soon as an object is Failed\n"
            "      --stable-for DURATION it must be so for this long without a break\n"
            "      --min-basis BASIS     what Current must rest on at least: rule, condition,\n"
            "                            generation or assumed (any)\n"
            "      --applied             the objects in -f are what the API server answered to\n"
            "                            an apply: wait for these, not for older states\n"
            "      --profile NAME        whose rules decide: kstatus (default) or strict\n"
            "  -o, --output table|json   json: the Outcome of kstatus.v1, and nothing before\n"
            "  -s, --server ADDR         kstatusd's address (default: $KSTATUS_SERVER,\n"
            "                            else " KS_DEFAULT_SERVER ")\n"
            "  -h, --help                show this\n"
            "\n"
            "Exit status: 0 reached; 1 lost: an object is Failed (--fail-fast), or a target\n"
            "can never be read; 2 for a wrong command line; 3 timed out; 4 when kstatusd\n"
            "cannot be reached or the stream is lost.\n"
            "\n"
            "  kstatus wait -n shop deploy/web sts/db --timeout 2m --fail-fast\n"
            "  kstatus wait -n shop job/migrate --for terminal --profile strict\n"
            "  kubectl apply -f app.yaml -o json | kstatus wait --applied -f -\n",
    .options = KS_OPTION_SERVER | KS_OPTION_SCOPE | KS_OPTION_FILE | KS_OPTION_OUTPUT |
               KS_OPTION_TIMEOUT | KS_OPTION_PROFILE | KS_OPTION_WAIT,
    .max_args = SIZE_MAX,
    .run = run,
};
