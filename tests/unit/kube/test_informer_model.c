/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c */
/*
 * The informer against a model of an API server that misbehaves at random.
 *
 * The model keeps objects, a revision, and a short history of events; it answers lists (in pages of
 * one snapshot), streaming lists and watches truly, as far as it answers. Chaos cuts, refuses,
 * delays and garbles. Checked at every step: nothing is told gone that still lives, no object goes
 * back in version, no more than a few requests at one moment. Checked at the end, when the chaos
 * stops: the store equals the server.
 *
 * The chaos of a seed is fixed; the reflector's own jitter is not, so a seed that failed once may
 * have to be run more than once to fail again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kube/informer.h"
#include "fake_kube.h"

#define OBJECTS 6
#define HISTORY 24
#define PAGE 2
#define UIDS 4096
#define SEEDS 60
#define STEPS 250
#define MAX_REQUESTS_AT_ONCE 8

enum change { ADDED, MODIFIED, DELETED };

struct event {
    enum change change;
    unsigned object;
    unsigned uid;
    unsigned rv;
};

struct object {
    bool exists;
    unsigned uid;
    unsigned rv;
};

struct model {
    struct fake_kube f;
    struct ks_informer *informer;
    uint64_t random;
    unsigned seed;

    struct object objects[OBJECTS];
    unsigned rv;
    unsigned uids;
    bool is_dead[UIDS];
    unsigned last_rv[UIDS]; /* told for that uid */
    struct event history[HISTORY];
    unsigned events; /* ever; the last HISTORY of them are kept */

    struct fake_request *watch; /* the request that sent is about */
    unsigned sent;              /* events up to this one went out */
    struct object snapshot[OBJECTS];
    unsigned snapshot_rv;

    int64_t moment_ms;
    unsigned moment_requests;
    unsigned seen_requests;
    bool has_synced;
};

static unsigned roll(struct model *m, unsigned bound)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(m->random >> 33) % bound;
}

/* "u12" or "12". */
static unsigned number(struct ks_str text)
{
    int64_t value;

    if (text.len && text.ptr[0] == 'u')
        text = ks_str_sub(text, 1, text.len);
    assert_true(ks_str_to_int64(text, &value) && value >= 0 && value < UIDS);
    return (unsigned)value;
}

static void on_upsert(void *ctx, struct ks_record *record, struct ks_json_value object)
{
    struct model *m = ctx;
    unsigned uid = number(record->uid);
    unsigned rv = number(record->resource_version);

    (void)object;
    if (rv < m->last_rv[uid])
        fail_msg("seed %u: u%u went back from %u to %u", m->seed, uid, m->last_rv[uid], rv);
    m->last_rv[uid] = rv;
}

static void on_gone(void *ctx, struct ks_record *record, ks_gone how)
{
    struct model *m = ctx;
    unsigned uid = number(record->uid);

    if (!m->is_dead[uid])
        fail_msg("seed %u: u%u lives and was told gone (%d)", m->seed, uid, (int)how);
}

static void on_bad_object(void *ctx, struct ks_record *record, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err)
{
    (void)ctx; /* garbage is part of the game */
    (void)record;
    (void)ns;
    (void)name;
    (void)err;
}

static void on_synced(void *ctx)
{
    struct model *m = ctx;

    assert_false(m->has_synced);
    m->has_synced = true;
}

static void on_state(void *ctx, ks_source_state state, const struct ks_error *err)
{
    (void)ctx;
    assert_true(state == KS_SOURCE_FRESH || (err && err->msg[0]));
}

static void on_limit(void *ctx)
{
    (void)ctx;
    fail_msg("no limit can be met here");
}

static const struct ks_informer_ops ops = {
    .on_upsert = on_upsert,
    .on_gone = on_gone,
    .on_bad_object = on_bad_object,
    .on_synced = on_synced,
    .on_state = on_state,
    .on_limit = on_limit,
};

static void record_event(struct model *m, enum change change, unsigned i)
{
    m->objects[i].rv = ++m->rv;
    m->history[m->events++ % HISTORY] =
        (struct event){.change = change, .object = i, .uid = m->objects[i].uid, .rv = m->rv};
}

/* Someone changes something. */
static void mutate(struct model *m)
{
    unsigned i = roll(m, OBJECTS);
    struct object *o = &m->objects[i];

    if (!o->exists) {
        *o = (struct object){.exists = true, .uid = ++m->uids};
        assert_true(m->uids < UIDS);
        record_event(m, ADDED, i);
    } else if (roll(m, 3) == 0) {
        o->exists = false;
        m->is_dead[o->uid] = true;
        record_event(m, DELETED, i);
    } else {
        record_event(m, MODIFIED, i);
    }
}

static int format_object(char *out, size_t size, unsigned i, unsigned uid, unsigned rv)
{
    return snprintf(out, size,
                    "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"o%u\",\"namespace\":"
                    "\"default\",\"uid\":\"u%u\",\"resourceVersion\":\"%u\"}}",
                    i, uid, rv);
}

static void send_event(struct model *m, const struct event *e)
{
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    char object[256];
    char line[512];

    (void)format_object(object, sizeof(object), e->object, e->uid, e->rv);
    (void)snprintf(line, sizeof(line), "{\"type\":\"%s\",\"object\":%s}", types[e->change], object);
    fake_line(&m->f, line);
}

static void send_bookmark(struct model *m, unsigned rv, bool is_initial_end)
{
    char line[512];

    (void)snprintf(
        line, sizeof(line),
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"
        "\"resourceVersion\":\"%u\"%s}}}",
        rv, is_initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    fake_line(&m->f, line);
}

static unsigned number_in_path(struct model *m, const char *parameter)
{
    const char *at = strstr(fake_open(&m->f)->path, parameter);
    struct ks_str rest = ks_str_from(at ? at + strlen(parameter) : "");
    struct ks_str value = {0};

    (void)ks_str_split(&rest, '&', &value); /* nothing is no number */
    return value.len ? number(value) : 0;
}

/* What has happened since the watch was last given something. */
static void send_pending(struct model *m)
{
    while (fake_has_open(&m->f) && fake_open(&m->f) == m->watch && m->sent < m->events) {
        const struct event *e = &m->history[m->sent % HISTORY];

        m->sent++;
        send_event(m, e);
    }
}

static bool is_known(struct model *m)
{
    return fake_open(&m->f) == m->watch;
}

/* Puts the watch behind the event of that version; false when the history does not reach back to
 * it. */
static bool seek(struct model *m, unsigned rv)
{
    unsigned first = m->events > HISTORY ? m->events - HISTORY : 0;

    m->sent = first;
    while (m->sent < m->events && m->history[m->sent % HISTORY].rv <= rv)
        m->sent++;
    return m->sent > first || first == 0;
}

static void begin_watch(struct model *m)
{
    unsigned rv = number_in_path(m, "resourceVersion=");

    m->watch = fake_open(&m->f);
    fake_head(&m->f);
    if (!fake_has_open(&m->f) || !is_known(m))
        return;
    if (!seek(m, rv))
        fake_line(&m->f, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too "
                         "old\",\"reason\":\"Expired\",\"code\":410}}");
}

static void begin_stream(struct model *m, bool is_whole)
{
    unsigned rv = m->rv;

    m->watch = fake_open(&m->f);
    m->sent = m->events;
    fake_head(&m->f);
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (m->objects[i].exists && (is_whole || roll(m, 3)))
            send_event(
                m, &(struct event){.object = i, .uid = m->objects[i].uid, .rv = m->objects[i].rv});
    }
    if (is_whole)
        send_bookmark(m, rv, true);
    else
        fake_break(&m->f);
}

static void answer_list(struct model *m, bool is_whole)
{
    bool is_paged = strstr(fake_open(&m->f)->path, "limit=500");
    unsigned from = number_in_path(m, "continue=");
    unsigned to = from;
    unsigned items = 0;
    char body[4096];
    int len;

    if (!from) {
        memcpy(m->snapshot, m->objects, sizeof(m->snapshot));
        m->snapshot_rv = m->rv;
    }
    len = snprintf(body, sizeof(body), "{\"kind\":\"DeploymentList\",\"items\":[");
    for (; to < OBJECTS && (!is_paged || items < PAGE); to++) {
        if (!m->snapshot[to].exists)
            continue;
        len += snprintf(body + len, sizeof(body) - (size_t)len, "%s", items++ ? "," : "");
        len += format_object(body + len, sizeof(body) - (size_t)len, to, m->snapshot[to].uid,
                             m->snapshot[to].rv);
    }
    len += snprintf(body + len, sizeof(body) - (size_t)len,
                    "],\"metadata\":{\"resourceVersion\":"
                    "\"%u\"",
                    m->snapshot_rv);
    if (to < OBJECTS)
        len += snprintf(body + len, sizeof(body) - (size_t)len, ",\"continue\":\"%u\"", to);
    (void)snprintf(body + len, sizeof(body) - (size_t)len, "}}");
    if (!is_whole)
        body[roll(m, (unsigned)strlen(body))] = '\0';
    fake_answer(&m->f, body);
}

/* A true answer to whatever is being asked. */
static void serve(struct model *m)
{
    const char *path = fake_open(&m->f)->path;

    if (!strstr(path, "watch=1"))
        answer_list(m, true);
    else if (is_known(m))
        send_pending(m);
    else if (strstr(path, "sendInitialEvents"))
        begin_stream(m, true);
    else
        begin_watch(m);
}

static void refuse(struct model *m)
{
    static const int statuses[] = {500, 503, 429, 403, 410, 504, 401};

    fake_refuse(&m->f, statuses[roll(m, KS_ARRAY_LEN(statuses))], "");
}

static void disturb_watch(struct model *m)
{
    static const char *const lines[] = {
        "{\"type\":\"ERROR\",\"object\":{\"message\":\"old\",\"reason\":\"Expired\",\"code\":410}}",
        "{\"type\":\"ERROR\",\"object\":{\"message\":\"oops\",\"code\":500}}",
        "{\"type\":\"ERROR\",\"object\":{}}",
        "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"o1\"",
        "{\"type\":\"NEW\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"o1\"}}}",
        "garbage",
    };

    if (roll(m, 3) == 0 && m->events) {
        m->sent -= roll(m, 3) % (m->sent + 1); /* replays what went out before */
        if (m->events > HISTORY && m->sent < m->events - HISTORY)
            m->sent = m->events - HISTORY;
        send_pending(m);
    } else if (roll(m, 2)) {
        fake_line(&m->f, lines[roll(m, KS_ARRAY_LEN(lines))]);
    } else if (roll(m, 2)) {
        fake_break(&m->f);
    } else {
        fake_end(&m->f);
    }
}

static void disturb(struct model *m)
{
    const char *path = fake_open(&m->f)->path;

    if (!strstr(path, "watch=1") && roll(m, 2))
        answer_list(m, false);
    else if (strstr(path, "watch=1") && is_known(m))
        disturb_watch(m);
    else if (strstr(path, "sendInitialEvents") && roll(m, 2))
        begin_stream(m, false);
    else if (roll(m, 2))
        refuse(m);
    else
        fake_break(&m->f);
}

/* Requests are counted by moment of virtual time: a hot loop shows as many at one. */
static void count_requests(struct model *m)
{
    if (m->f.clock.now_mono_ms != m->moment_ms) {
        m->moment_ms = m->f.clock.now_mono_ms;
        m->moment_requests = 0;
    }
    m->moment_requests += m->f.count - m->seen_requests;
    if (m->moment_requests > MAX_REQUESTS_AT_ONCE)
        fail_msg("seed %u: %u requests at once", m->seed, m->moment_requests);
    /* The fixture holds a few hundred; what has ended may go. */
    if (m->f.count > FAKE_MAX_REQUESTS / 2 && !fake_has_open(&m->f))
        m->f.count = 0;
    m->seen_requests = m->f.count;
}

static void step(struct model *m, bool is_calm)
{
    if (!is_calm && roll(m, 2))
        mutate(m);
    if (!fake_has_open(&m->f))
        fake_advance(&m->f, 1 + roll(m, 20000));
    else if (!is_calm && roll(m, 3) == 0)
        disturb(m);
    else if (roll(m, 8) == 0 && m->watch && is_known(m) && fake_open(&m->f)->is_open &&
             m->sent == m->events)
        send_bookmark(m, m->rv, false);
    else
        serve(m);
    count_requests(m);
    if (roll(m, 4) == 0)
        fake_advance(&m->f, 1 + roll(m, 30000));
    count_requests(m);
}

static void check_store(struct model *m)
{
    unsigned alive = 0;

    for (unsigned i = 0; i < OBJECTS; i++) {
        char name[16];
        char rv[16];
        struct ks_record *record;

        (void)snprintf(name, sizeof(name), "o%u", i);
        (void)snprintf(rv, sizeof(rv), "%u", m->objects[i].rv);
        record = ks_informer_find(m->informer, KS_LIT("default"), ks_str_from(name));
        if (!record != !m->objects[i].exists)
            fail_msg("seed %u: %s is %s", m->seed, name, record ? "a ghost" : "missing");
        if (record && !ks_str_is(record->resource_version, rv))
            fail_msg("seed %u: %s is at %.*s, not %s", m->seed, name,
                     KS_STR_ARGS(record->resource_version), rv);
        alive += m->objects[i].exists;
    }
    assert_int_equal(ks_informer_count(m->informer), alive);
}

static void run_seed(struct model *m, unsigned seed)
{
    struct ks_informer_config config;

    memset(m, 0, sizeof(*m));
    m->seed = seed;
    m->random = seed;
    assert_true(fake_kube_init(&m->f));
    config = (struct ks_informer_config){
        .source = {.resource = m->f.resource, .ns = KS_LIT("default")}, .max_objects = OBJECTS};
    assert_int_equal(ks_informer_new(m->f.kube, &config, &ops, m, &m->informer, NULL), KS_RC_OK);
    ks_informer_start(m->informer);
    for (int i = 0; i < STEPS; i++)
        step(m, /* is_calm= */ false);
    for (int i = 0; i < 40; i++)
        step(m, /* is_calm= */ true);
    if (ks_informer_state(m->informer) != KS_SOURCE_FRESH)
        fail_msg("seed %u: still %s", seed, ks_source_state_text(ks_informer_state(m->informer)));
    assert_true(m->has_synced);
    check_store(m);
    m->informer = ks_informer_free(m->informer, NULL);
    fake_kube_fini(&m->f);
}

static void chaos_leaves_the_truth(void **state)
{
    struct model *m = ks_alloc0(sizeof(*m));

    (void)state;
    assert_non_null(m);
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        run_seed(m, seed);
    ks_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chaos_leaves_the_truth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
