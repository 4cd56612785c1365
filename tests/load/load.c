/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load client. One thread, one completion queue, as many streams as asked for.
 *
 *   kstatus_load watch SERVER CONNECTIONS STREAMS STALLED TARGETS
 *       Opens the streams and obeys lines on standard input, each answered by one line of JSON:
 *         synced SECONDS   waits until all streams are synced (or some ended, or time is up)
 *         report           counts since the start; how late updates were since the last report
 *         resume           the stalled streams read on
 *         close            cancels all streams, and waits until they have ended
 *   kstatus_load cycle SERVER CONNECTIONS PARALLEL COUNT TARGETS [random]
 *       Opens and closes COUNT streams, PARALLEL at a time: after Synced, or (random) at any point
 *       from before the first message on; says how it went and ends.
 *
 * TARGETS is objects:K:POOL (stream S watches K ConfigMaps "o<n>" out of POOL, from S*K on),
 * kinds:K:POOL (stream S selects name=o<S mod POOL> of K kinds: an informer each), or
 * group:G:RESOURCE (stream S selects group=g<S mod G>), all in the namespace "load". The first
 * STALLED streams stop reading once they are synced.
 *
 * Thread: one.  Does not: judge; scripts do.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <kstatus/v1/status_service.pb-c.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/load/stream.h"

#define TARGETS_MAX 64
#define REQUEST_MAX 65536
#define LATE_MAX (1u << 20)

struct targets {
    bool is_group;
    bool is_by_kind;
    unsigned per_stream; /* or groups */
    unsigned pool;
    const char *resource;
};

struct client {
    struct load load;
    grpc_channel **channels;
    unsigned connections;
    unsigned stream_count;
    unsigned stalled;
    struct stream *streams;
    struct targets targets;
    unsigned cycles_left;
    unsigned cycles_done;
    bool is_random;
    bool is_wrong; /* the command line */
};

static struct client client;

/* 0 for what is none, and then is_wrong. */
static unsigned number_of(const char *text)
{
    int64_t n = 0;

    if (!text || !ks_str_to_int64(ks_str_from(text), &n) || n < 0 || n > 10000000) {
        client.is_wrong = true;
        return 0;
    }
    return (unsigned)n;
}

static void targets_parse(char *text, struct targets *out)
{
    char *kind = strsep(&text, ":");
    char *count = strsep(&text, ":");

    if (!kind || !count || !text) {
        client.is_wrong = true;
        return;
    }
    out->is_group = strcmp(kind, "group") == 0;
    out->is_by_kind = strcmp(kind, "kinds") == 0;
    out->per_stream = number_of(count);
    if (out->is_group)
        out->resource = text;
    else
        out->pool = number_of(text);
}

struct request {
    Kstatus__V1__WatchRequest m;
    Kstatus__V1__Target targets[TARGETS_MAX];
    Kstatus__V1__Target *pointers[TARGETS_MAX];
    Kstatus__V1__ObjectRef objects[TARGETS_MAX];
    char names[TARGETS_MAX][32];
    Kstatus__V1__Selector selectors[TARGETS_MAX];
    uint8_t bytes[REQUEST_MAX];
};

static char *text(const char *s)
{
    return (char *)(uintptr_t)s; /* protobuf-c knows no const; it only reads */
}

static void select_by(struct request *r, unsigned i, const char *resource)
{
    Kstatus__V1__Selector *selector = &r->selectors[i];

    kstatus__v1__selector__init(selector);
    selector->resource = text(resource);
    selector->namespace_ = text("load");
    selector->label_selector = r->names[i];
    r->targets[i].selection_case = KSTATUS__V1__TARGET__SELECTION_SELECTOR;
    r->targets[i].selector = selector;
}

static void name_object(struct request *r, const struct targets *t, unsigned number, unsigned i)
{
    (void)snprintf(r->names[i], sizeof(r->names[i]), "o%u", (number * t->per_stream + i) % t->pool);
    kstatus__v1__object_ref__init(&r->objects[i]);
    r->objects[i].resource = text("cm");
    r->objects[i].namespace_ = text("load");
    r->objects[i].name = r->names[i];
    r->targets[i].selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    r->targets[i].object = &r->objects[i];
}

static void target_make(struct request *r, const struct targets *t, unsigned number, unsigned i)
{
    static const char *const kinds[] = {"cm", "po", "svc", "pvc", "sa"};

    if (t->is_group) {
        (void)snprintf(r->names[i], sizeof(r->names[i]), "group=g%u", number % t->per_stream);
        select_by(r, i, t->resource);
    } else if (t->is_by_kind) {
        (void)snprintf(r->names[i], sizeof(r->names[i]), "name=o%u", number % t->pool);
        select_by(r, i, kinds[i % KS_ARRAY_LEN(kinds)]);
    } else {
        name_object(r, t, number, i);
    }
}

static struct ks_str request_make(struct request *r, const struct targets *t, unsigned number)
{
    size_t count = t->is_group ? 1 : t->per_stream;

    kstatus__v1__watch_request__init(&r->m);
    for (unsigned i = 0; i < count; i++) {
        kstatus__v1__target__init(&r->targets[i]);
        r->targets[i].target_id = i;
        r->pointers[i] = &r->targets[i];
        target_make(r, t, number, i);
    }
    r->m.targets = r->pointers;
    r->m.n_targets = count;
    return ks_str_make((const char *)r->bytes, kstatus__v1__watch_request__pack(&r->m, r->bytes));
}

static void open_stream(struct stream *s)
{
    static struct request request;

    stream_start(s, client.channels[s->number % client.connections],
                 request_make(&request, &client.targets, s->number));
}

static void watch_on_response(struct stream *s, bool has_synced)
{
    if (has_synced && s->number < client.stalled)
        s->is_paused = true;
}

static void watch_on_end(struct stream *s)
{
    (void)s; /* counted */
}

static const struct stream_ops watch_ops = {watch_on_response, watch_on_end};

static void cycle_next(struct stream *s)
{
    if (client.cycles_left == 0)
        return;
    client.cycles_left--;
    s->cancel_after = client.is_random ? (unsigned)ks_random_below(4) : UINT32_MAX;
    open_stream(s);
    if (s->cancel_after == 0 && ks_random_below(2))
        stream_cancel(s); /* otherwise with the first message, whichever that is */
}

static void cycle_on_response(struct stream *s, bool has_synced)
{
    if (has_synced)
        stream_cancel(s);
}

static void cycle_on_end(struct stream *s)
{
    client.cycles_done++;
    cycle_next(s);
}

static const struct stream_ops cycle_ops = {cycle_on_response, cycle_on_end};

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void report(void)
{
    struct counts readers = {0};
    struct counts stalled = {0};
    size_t samples = client.load.late_count < LATE_MAX ? client.load.late_count : LATE_MAX;
    int64_t *late = client.load.late_us;

    for (unsigned i = 0; i < client.stream_count; i++) {
        struct counts *sum = i < client.stalled ? &stalled : &readers;

        sum->updates += client.streams[i].counts.updates;
        sum->coalesced += client.streams[i].counts.coalesced;
        sum->unknown += client.streams[i].counts.unknown;
        sum->gaps += client.streams[i].counts.gaps;
    }
    qsort(late, samples, sizeof(*late), by_value);
    (void)printf("{\"open\":%u,\"synced\":%u,\"errors\":%u,\"last_error\":\"%s\","
                 "\"updates\":%" PRIu64 ",\"coalesced\":%" PRIu64 ",\"unknown\":%" PRIu64
                 ",\"gaps\":%" PRIu64 ",\"stalled_updates\":%" PRIu64
                 ",\"stalled_coalesced\":%" PRIu64 ",\"samples\":%zu,\"p50_us\":%" PRId64
                 ",\"p99_us\":%" PRId64 "}\n",
                 client.load.open, client.load.synced, client.load.errors, client.load.last_error,
                 readers.updates, readers.coalesced, readers.unknown + stalled.unknown,
                 readers.gaps + stalled.gaps, stalled.updates, stalled.coalesced, samples,
                 samples ? late[samples / 2] : 0, samples ? late[samples * 99 / 100] : 0);
    (void)fflush(stdout);
    client.load.late_count = 0;
}

static void wait_synced(unsigned seconds)
{
    const int64_t until_us = now_us() + (int64_t)seconds * 1000000;

    while (client.load.synced < client.stream_count && client.load.open == client.stream_count &&
           now_us() < until_us)
        (void)load_turn(&client.load, 100);
}

static void close_all(void)
{
    for (unsigned i = 0; i < client.stream_count; i++) {
        client.streams[i].is_paused = false;
        stream_cancel(&client.streams[i]);
    }
    while (client.load.open > 0)
        (void)load_turn(&client.load, 1000);
}

static void resume_all(void)
{
    for (unsigned i = 0; i < client.stalled; i++)
        stream_resume(&client.streams[i]);
}

static void obey(char *line)
{
    char *word = strsep(&line, " \n");

    if (strcmp(word, "synced") == 0)
        wait_synced(number_of(strsep(&line, " \n")));
    else if (strcmp(word, "close") == 0)
        close_all();
    else if (strcmp(word, "resume") == 0)
        resume_all();
    report();
}

/* Whether there is more to come. */
static bool obey_waiting_line(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[128];
    ssize_t n;

    if (poll(&in, 1, 0) <= 0)
        return true;
    n = read(STDIN_FILENO, line, sizeof(line) - 1); /* one line at a time: each is answered */
    if (n <= 0)
        return false;
    line[n] = '\0';
    obey(line);
    return true;
}

static void watch(void)
{
    for (unsigned i = 0; i < client.stream_count; i++) {
        open_stream(&client.streams[i]);
        while (load_turn(&client.load, 0))
            continue;
    }
    while (obey_waiting_line()) {
        if (!load_turn(&client.load, 10))
            continue;
        for (int i = 0; i < 1000 && load_turn(&client.load, 0); i++)
            continue;
    }
    close_all();
}

static void cycle(void)
{
    const int64_t began_us = now_us();

    for (unsigned i = 0; i < client.stream_count; i++)
        cycle_next(&client.streams[i]);
    while (client.load.open > 0)
        (void)load_turn(&client.load, 1000);
    (void)printf("{\"cycles\":%u,\"errors\":%u,\"last_error\":\"%s\",\"seconds\":%.3f}\n",
                 client.cycles_done, client.load.errors, client.load.last_error,
                 (double)(now_us() - began_us) / 1e6);
}

static bool setup(const char *server, const struct stream_ops *ops)
{
    char own[] = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL;
    char probe[] = GRPC_ARG_HTTP2_BDP_PROBE; /* windows that do not grow: who stalls, stalls */
    grpc_arg values[] = {{.type = GRPC_ARG_INTEGER, .key = own, .value.integer = 1},
                         {.type = GRPC_ARG_INTEGER, .key = probe, .value.integer = 0}};
    const grpc_channel_args args = {.num_args = KS_ARRAY_LEN(values), .args = values};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();

    client.load.cq = grpc_completion_queue_create_for_next(NULL);
    client.load.late_max = LATE_MAX;
    client.load.late_us = ks_alloc_array(LATE_MAX, sizeof(int64_t));
    client.channels = ks_alloc_array(client.connections, sizeof(grpc_channel *));
    client.streams = ks_alloc_array(client.stream_count, sizeof(struct stream));
    if (!client.load.late_us || !client.channels || !client.streams)
        return false;
    for (unsigned i = 0; i < client.connections; i++)
        client.channels[i] = grpc_channel_create(server, credentials, &args);
    grpc_channel_credentials_release(credentials);
    for (unsigned i = 0; i < client.stream_count; i++)
        client.streams[i] = (struct stream){
            .ops = ops, .load = &client.load, .number = i, .cancel_after = UINT32_MAX};
    return true;
}

static void teardown(void)
{
    for (unsigned i = 0; i < client.connections; i++)
        grpc_channel_destroy(client.channels[i]);
    grpc_completion_queue_shutdown(client.load.cq);
    while (
        grpc_completion_queue_next(client.load.cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
        GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(client.load.cq);
    ks_free(client.load.late_us);
    ks_free(client.channels);
    ks_free(client.streams);
}

static bool parse(int argc, char **argv, bool is_cycle)
{
    if (argc < 7 || (!is_cycle && strcmp(argv[1], "watch") != 0))
        return false;
    client.connections = number_of(argv[3]);
    client.stream_count = number_of(argv[4]);
    client.stalled = is_cycle ? 0 : number_of(argv[5]);
    client.cycles_left = is_cycle ? number_of(argv[5]) : 0;
    client.is_random = is_cycle && argc > 7;
    targets_parse(argv[6], &client.targets);
    return !client.is_wrong && client.connections > 0 && client.targets.per_stream > 0;
}

int main(int argc, char **argv)
{
    bool is_cycle = argc > 1 && strcmp(argv[1], "cycle") == 0;
    bool is_set_up;

    if (!parse(argc, argv, is_cycle)) {
        (void)fprintf(stderr, "usage: see the head of tests/load/load.c\n");
        return 2;
    }
    grpc_init();
    is_set_up = setup(argv[2], is_cycle ? &cycle_ops : &watch_ops);
    if (is_set_up && is_cycle)
        cycle();
    else if (is_set_up)
        watch();
    if (is_set_up)
        teardown();
    grpc_shutdown_blocking();
    return is_set_up ? 0 : 1;
}
