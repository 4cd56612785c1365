/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus watch`: a stream, shown as a live table (on a terminal), as lines, or as JSON, until a
 * signal, the time that
 * --for gives, or the end of the stream.
 *
 * The model: one loop in poll() over the relay and the signals. Events change the rows at once; the
 * table is painted as the pane says.
 *
 * Invariants: 1. signals are blocked before the first thread is made, so they come to the loop
 * alone; 2. the watch is freed after the relay was closed; 3. the last frame shows all that was
 * received.
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

#include "client/cli/ask.h"
#include "client/cli/dial.h"
#include "client/cli/json_out.h"
#include "client/cli/merge.h"
#include "client/cli/pane.h"
#include "client/cli/relay.h"
#include "client/cli/report.h"

#define CURSOR_LINES 1

struct watching {
    const struct ks_options *options;
    struct ks_targets targets;
    struct ks_pane pane;
    struct kstatus_client *client;
    struct kstatus_follow *follows[KS_CALLS_MAX];
    bool is_lost[KS_CALLS_MAX];
    struct ks_relay *relays[KS_CALLS_MAX]; /* one a call */
    struct ks_ask ask;
    struct ks_ask asked[KS_CALLS_MAX]; /* of each call */
    struct ks_merge merge;
    int signal_fd;
    int64_t end_ms; /* mono; -1: none */
    bool has_response;
    bool is_done;
    int code;
};

static void stop(struct watching *w, int code)
{
    w->is_done = true;
    w->code = code;
}

static void flush(struct watching *w, ks_rc rc)
{
    if (!ks_pane_flush(&w->pane, rc))
        stop(w, KS_EXIT_BAD);
}

static void paint(struct watching *w)
{
    if (!ks_pane_paint(&w->pane, (struct ks_str){0}, CURSOR_LINES))
        stop(w, KS_EXIT_BAD);
}

static ks_rc show_event(struct watching *w, const Kstatus__V1__Event *event, int64_t wall_ms)
{
    ks_rc rc;

    if (w->pane.view != KS_PANE_JSON)
        return ks_pane_show(&w->pane, event, wall_ms);
    rc = ks_json_out_append(&w->pane.out, &event->base);
    return rc ? rc : ks_buf_append_byte(&w->pane.out, '\n');
}

static int64_t emit_time(const Kstatus__V1__WatchResponse *response)
{
    const Google__Protobuf__Timestamp *t = response->emit_time;

    return t ? t->seconds * 1000 : ks_clock_real.wall_ms(&ks_clock_real);
}

static void show(struct watching *w, const Kstatus__V1__WatchResponse *response)
{
    int64_t wall_ms = emit_time(response);
    ks_rc rc = KS_RC_OK;

    w->has_response = true;
    for (size_t i = 0; !rc && i < response->n_events; i++) {
        const Kstatus__V1__Event *event = ks_merge_take(&w->merge, response->events[i]);

        rc = event ? show_event(w, event, wall_ms) : KS_RC_OK;
    }
    flush(w, rc);
}

static bool open_stream(struct watching *w, size_t call)
{
    const struct kstatus_follow_callbacks callbacks = ks_relay_following(w->options->no_reconnect);
    struct ks_targets_part part = ks_targets_part(&w->targets, call);
    Kstatus__V1__WatchRequest request;
    Kstatus__V1__WatchOptions wanted;
    struct kstatus_error error;
    struct ks_error err = {0};

    kstatus__v1__watch_request__init(&request);
    w->asked[call] = w->ask;
    ks_ask_options(&w->ask, w->options, &wanted);
    request.options = &wanted;
    w->relays[call] = ks_relay_new(&err);
    if (!w->relays[call]) {
        ks_report_complain("%s", err.msg);
        return false;
    }
    request.targets = part.list;
    request.n_targets = part.count;
    if (kstatus_follow_open(w->client, &request, &callbacks, w->relays[call], &w->follows[call],
                            &error) == KSTATUS_OK)
        return true;
    ks_report_complain("%s", error.message);
    return false;
}

static void close_stream(struct watching *w, size_t call)
{
    if (w->relays[call])
        ks_relay_close(w->relays[call]); /* the client's thread may wait in it */
    kstatus_follow_free(w->follows[call]);
    ks_relay_free(w->relays[call]);
    w->follows[call] = NULL;
    w->is_lost[call] = false;
    w->relays[call] = NULL;
}

static void on_end(struct watching *w, size_t call, const struct kstatus_error *end)
{
    if (ks_ask_less(&w->ask, &w->asked[call], w->options, end)) {
        close_stream(w, call);
        if (!open_stream(w, call))
            stop(w, KS_EXIT_LOST);
        return;
    }
    if (w->pane.view == KS_PANE_TABLE && w->has_response)
        paint(w);
    stop(w, ks_dial_explain(w->options, end, w->has_response ? KS_DIAL_STREAM : KS_DIAL_CALL));
}

static bool is_any_lost(const struct watching *w)
{
    for (size_t i = 0; i < KS_CALLS_MAX; i++) {
        if (w->is_lost[i])
            return true;
    }
    return false;
}

/* Said once for all calls: they go to one server. The table shows it instead. */
static void on_loss(struct watching *w, size_t call, const struct ks_relay_loss *loss)
{
    bool was_lost = is_any_lost(w);

    w->is_lost[call] = loss->is_lost;
    w->pane.format.is_lost = is_any_lost(w);
    w->pane.paint_ms = 0;
    if (w->pane.view == KS_PANE_TABLE || was_lost == w->pane.format.is_lost)
        return;
    if (loss->is_lost)
        ks_report_complain("lost the stream from kstatusd at %s: %s; trying again",
                           w->options->server, loss->why.message);
    else
        ks_report_complain("connected to kstatusd at %s again", w->options->server);
}

static void on_relay(struct watching *w, size_t call)
{
    struct ks_relay *relay = w->relays[call];
    const Kstatus__V1__WatchResponse *response = ks_relay_take(relay);
    struct ks_relay_loss loss;
    struct kstatus_error end;

    if (ks_relay_take_loss(relay, &loss))
        on_loss(w, call, &loss);

    if (response) {
        show(w, response);
        ks_relay_done(relay);
        ks_pane_changed(&w->pane);
    }
    if (ks_relay_end(relay, &end))
        on_end(w, call, &end);
}

static void on_signal(struct watching *w)
{
    struct signalfd_siginfo info;

    if (read(w->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (!ks_pane_on_signal(&w->pane, (int)info.ssi_signo))
        stop(w, KS_EXIT_OK);
}

static int poll_timeout(const struct watching *w)
{
    int64_t until = w->pane.view == KS_PANE_TABLE ? w->pane.paint_ms : -1;
    int64_t left;

    if (w->end_ms >= 0 && (until < 0 || w->end_ms < until))
        until = w->end_ms;
    if (until < 0)
        return -1;
    left = until - ks_mono_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void loop(struct watching *w)
{
    struct pollfd fds[1 + KS_CALLS_MAX] = {{.fd = w->signal_fd, .events = POLLIN}};
    size_t calls = w->merge.call_count;

    while (!w->is_done) {
        for (size_t i = 0; i < calls; i++)
            fds[1 + i] = (struct pollfd){.fd = ks_relay_fd(w->relays[i]), .events = POLLIN};
        if (poll(fds, 1 + calls, poll_timeout(w)) < 0 && errno != EINTR) {
            ks_report_complain("poll failed");
            stop(w, KS_EXIT_LOST);
            return;
        }
        if (fds[0].revents & POLLIN)
            on_signal(w);
        for (size_t i = 0; !w->is_done && i < calls; i++) {
            if (fds[1 + i].revents & POLLIN)
                on_relay(w, i);
        }
        if (!w->is_done && w->end_ms >= 0 && ks_mono_ms() >= w->end_ms)
            stop(w, KS_EXIT_OK);
        if (w->pane.view == KS_PANE_TABLE &&
            (w->is_done ? w->code == KS_EXIT_OK : ks_mono_ms() >= w->pane.paint_ms))
            paint(w);
    }
}

static bool block_signals(struct watching *w)
{
    sigset_t set;

    (void)sigemptyset(&set); /* these cannot fail for these signals */
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    if (w->pane.view == KS_PANE_TABLE) {
        (void)sigaddset(&set, SIGWINCH);
        (void)sigaddset(&set, SIGCONT);
    }
    if (pthread_sigmask(SIG_BLOCK, &set, NULL))
        return false;
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return w->signal_fd >= 0;
}

static bool open_streams(struct watching *w)
{
    bool is_open;

    w->client = ks_dial_open(w->options);
    is_open = w->client != NULL;
    w->merge.call_count = ks_targets_calls(&w->targets);
    for (size_t i = 0; is_open && i < w->merge.call_count; i++)
        is_open = open_stream(w, i);
    return is_open;
}

static void close_all(struct watching *w)
{
    /* All relays first: the client's thread may wait in any of them. */
    for (size_t i = 0; i < KS_CALLS_MAX; i++) {
        if (w->relays[i])
            ks_relay_close(w->relays[i]);
    }
    for (size_t i = 0; i < KS_CALLS_MAX; i++)
        kstatus_follow_free(w->follows[i]);
    kstatus_client_free(w->client);
    for (size_t i = 0; i < KS_CALLS_MAX; i++)
        ks_relay_free(w->relays[i]);
    ks_pane_fini(&w->pane);
    if (w->signal_fd >= 0)
        (void)close(w->signal_fd); /* a signalfd */
    ks_targets_fini(&w->targets);
}

static int run(const struct ks_options *options)
{
    struct watching w = {.options = options, .signal_fd = -1, .code = KS_EXIT_LOST};
    struct ks_error err = {0};

    if (ks_targets_init(&w.targets, options, &err)) {
        ks_report_complain("%s", err.msg);
        return KS_EXIT_USAGE;
    }
    w.end_ms = options->for_ms >= 0 ? ks_mono_ms() + options->for_ms : -1;
    if (!ks_pane_init(&w.pane, options, &w.targets) || !block_signals(&w))
        ks_report_complain("cannot start: out of memory or of descriptors");
    else if (open_streams(&w))
        loop(&w);
    close_all(&w);
    return w.code;
}

const struct ks_command ks_cmd_watch = {
    .name = "watch",
    .summary = "follow the status of objects",
    .help =
        "Usage: kstatus watch [OPTION]... TARGET...\n"
        "       kstatus watch [OPTION]... -f FILE\n"
        "\n"
        "Shows how objects are and what becomes of them, until Ctrl-C: as a live table on\n"
        "a terminal, else one line per change. An object that does not exist is shown as\n"
        "NotFound, until it does. Targets are written as for kubectl:\n"
        "\n" KS_TARGETS_HELP "  -o, --output table|json   json: one Event of kstatus.v1 per line\n"
        "      --for DURATION        end after this long: 90s, 5m\n"
        "      --profile NAME        whose rules decide: kstatus (default) or strict\n"
        "      --no-reconnect        end when the stream is lost; else it is opened again,\n"
        "                            and what changed meanwhile is shown\n"
        "  -s, --server ADDR         kstatusd's address (default: $KSTATUS_SERVER,\n"
        "                            else " KS_DEFAULT_SERVER ")\n"
        "  -h, --help                show this\n"
        "\n"
        "Exit status: 0 after Ctrl-C, SIGTERM or --for; 2 for a wrong command line;\n"
        "4 when kstatusd cannot be reached at first, or, with --no-reconnect, the stream\n"
        "is lost.\n"
        "\n"
        "  kstatus watch -n shop deploy/web sts/db job/migrate\n"
        "  kstatus watch -A pods -l app=web\n"
        "  kstatus watch -f manifests.yaml -o json --for 5m\n",
    .options = KS_OPTION_SERVER | KS_OPTION_SCOPE | KS_OPTION_FILE | KS_OPTION_OUTPUT |
               KS_OPTION_FOR | KS_OPTION_PROFILE | KS_OPTION_RECONNECT,
    .max_args = SIZE_MAX,
    .run = run,
};
