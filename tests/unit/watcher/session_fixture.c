/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of session_fixture.h.
 */
#include "unit/watcher/session_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

static void say(struct fixture *f, const char *fmt, ...) KS_PRINTF(2, 3);
static void say(struct fixture *f, const char *fmt, ...)
{
    size_t room = sizeof(f->log) - f->log_len;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(f->log + f->log_len, room, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < room);
    f->log_len += (size_t)n;
}

static void say_object(struct fixture *f, const struct ks_object_id *id)
{
    say(f, "%.*s %.*s%s%.*s %.*s", KS_STR_ARGS(id->kind), KS_STR_ARGS(id->ns),
        id->ns.len ? "/" : "", KS_STR_ARGS(id->name), KS_STR_ARGS(id->uid));
}

static void say_targets(struct fixture *f, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        say(f, "%s%u", i ? "," : " [", ids[i]);
    say(f, "]\n");
}

/* A slot holds what the object was called when it was first told. */
#define SLOTS 256
static char slots[SLOTS][128];

static void fill_slot(struct fixture *f, void **slot, const struct ks_object_id *id)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i][0])
            continue;
        (void)snprintf(slots[i], sizeof(slots[i]), "%.*s %.*s/%.*s %.*s", KS_STR_ARGS(id->kind),
                       KS_STR_ARGS(id->ns), KS_STR_ARGS(id->name), KS_STR_ARGS(id->uid));
        *slot = slots[i];
        f->slots++;
        return;
    }
    fail_msg("too many slots");
}

static void note_causes(struct fixture *f, const struct ks_update *u)
{
    size_t len = 0;

    f->last_causes[0] = '\0';
    for (size_t i = 0; i < u->cause_count; i++) {
        int more =
            snprintf(f->last_causes + len, sizeof(f->last_causes) - len, "%s%s %.*s/%.*s",
                     i ? ", " : "", ks_cause_code_text(u->causes[i].code),
                     KS_STR_ARGS(u->causes[i].source.kind), KS_STR_ARGS(u->causes[i].source.name));

        assert_true(more > 0 && (size_t)more < sizeof(f->last_causes) - len);
        len += (size_t)more;
    }
}

static void say_update(struct fixture *f, const struct ks_event *event)
{
    const struct ks_update *u = &event->update;

    if (!*event->sink_slot)
        fill_slot(f, event->sink_slot, &u->object);
    f->last = *u;
    (void)snprintf(f->last_message, sizeof(f->last_message), "%.*s", KS_STR_ARGS(u->message));
    note_causes(f, u);
    say_object(f, &u->object);
    say(f, "%s%s", u->object.uid.len ? " " : "", ks_status_text(u->status));
    if (u->previous_status)
        say(f, "<-%s", ks_status_text(u->previous_status));
    if (u->reason.len)
        say(f, " %.*s", KS_STR_ARGS(u->reason));
    say_targets(f, u->target_ids, u->target_count);
    assert_true(u->target_count > 0);
    assert_int_equal(u->error_rc != KS_RC_OK, u->status == KS_STATUS_UNKNOWN);
    assert_true(u->transition_time_ms > 0 && u->observe_time_ms >= u->transition_time_ms);
}

static void say_outcome(struct fixture *f, const struct ks_outcome *outcome)
{
    static const char *const verdicts[] = {"?", "reached", "failed", "timed out"};

    say(f, "OUTCOME %s %u\n", verdicts[outcome->verdict], ks_counts_total(&outcome->counts));
    assert_true(outcome->blocking_count <= outcome->blocking_total);
    for (size_t i = 0; i < outcome->blocking_count; i++) {
        const struct ks_update *u = &outcome->blocking[i];

        say(f, "  ");
        say_object(f, &u->object);
        say(f, "%s%s", u->object.uid.len ? " " : "", ks_status_text(u->status));
        if (u->obstacle_code.len)
            say(f, " %.*s: %.*s", KS_STR_ARGS(u->obstacle_code), KS_STR_ARGS(u->obstacle_message));
        else if (u->error_rc)
            say(f, " %s: %.*s", ks_rc_text(u->error_rc), KS_STR_ARGS(u->error_message));
        say_targets(f, u->target_ids, u->target_count);
    }
    if (outcome->blocking_total > outcome->blocking_count)
        say(f, "  and %zu more\n", outcome->blocking_total - outcome->blocking_count);
}

static void say_event(struct fixture *f, const struct ks_event *event)
{
    static const char *const states[] = {
        "",          "LISTING",      "SYNCED",         "DISCONNECTED",
        "FORBIDDEN", "KIND_MISSING", "SOURCE_MISSING", "REFUSED"};
    const struct ks_target_change *change = &event->target_change;

    switch (event->kind) {
    case KS_EVENT_UPDATE:
        say_update(f, event);
        break;
    case KS_EVENT_TARGET_CHANGE:
        say(f, "%u %s", change->target_id, states[change->state]);
        if (change->cause_rc)
            say(f, " %s: %.*s", ks_rc_text(change->cause_rc), KS_STR_ARGS(change->cause_message));
        say(f, "\n");
        break;
    case KS_EVENT_SYNCED:
        say(f, "SYNCED %s %u\n", ks_status_text(event->synced.aggregate),
            ks_counts_total(&event->synced.counts));
        break;
    case KS_EVENT_REMOVED:
        say(f, "REMOVED ");
        say_object(f, &event->removed.object);
        say_targets(f, event->removed.target_ids, event->removed.target_count);
        break;
    case KS_EVENT_OUTCOME:
        say_outcome(f, &event->outcome);
        break;
    }
}

static void free_when_due(struct fixture *f)
{
    f->events++;
    if (f->events != f->free_at)
        return;
    f->session = ks_session_free(f->session);
    f->vigil = ks_vigil_free(f->vigil);
}

static void on_event(void *ctx, const struct ks_event *event)
{
    struct fixture *f = ctx;

    assert_true(f->session || f->vigil); /* nothing comes after the end */
    assert_false(f->has_failed);
    say_event(f, event);
    free_when_due(f);
}

static void on_forget(void *ctx, void *sink_slot)
{
    struct fixture *f = ctx;
    char *slot = sink_slot;

    assert_true(slot && slot[0]);
    say(f, "forget %s\n", slot);
    slot[0] = '\0';
    f->slots--;
}

static void on_failed(void *ctx, const struct ks_error *err)
{
    struct fixture *f = ctx;

    assert_false(f->has_failed);
    f->has_failed = true;
    say(f, "FAILED %s\n", ks_rc_text(err->rc));
    free_when_due(f);
}

void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    memset(slots, 0, sizeof(slots));
    ks_clock_test_init(&f->clock, FIXTURE_NOW_MS);
    assert_int_equal(ks_loop_new(&f->clock.clock, &f->loop, NULL), KS_RC_OK);
    f->kube = fake_kube_start(f->loop);
    fake_serve("", "v1", "Pod", "pods", true);
    fake_serve("", "v1", "ConfigMap", "configmaps", true);
    fake_serve("", "v1", "Node", "nodes", false);
    fake_serve("apps", "v1", "Deployment", "deployments", true);
}

void fixture_fini(struct fixture *f)
{
    f->session = ks_session_free(f->session);
    f->vigil = ks_vigil_free(f->vigil);
    assert_int_equal(f->slots, 0);
    (void)ks_loop_turn(f->loop); /* what was cancelled leaves the queue */
    fake_kube_end(f->kube);
    f->loop = ks_loop_free(f->loop);
}

ks_rc fixture_try_open(struct fixture *f, const struct ks_target *targets, size_t count,
                       struct ks_error *err)
{
    static const struct ks_session_ops ops = {
        .on_event = on_event,
        .on_forget = on_forget,
        .on_failed = on_failed,
    };

    f->config.targets = targets;
    f->config.target_count = count;
    if (f->config.until)
        return ks_vigil_new(f->kube, &f->config, &ops, f, &f->vigil, err);
    return ks_session_new(f->kube, &f->config, &ops, f, &f->session, err);
}

void fixture_open(struct fixture *f, const struct ks_target *targets, size_t count)
{
    struct ks_error err = {0};

    if (fixture_try_open(f, targets, count, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(f->events, 0);
    fixture_run(f);
}

void fixture_run(struct fixture *f)
{
    for (unsigned i = 0; i < 4; i++)
        (void)ks_loop_turn(f->loop); /* whether more may come is of no interest */
}

void fixture_wait(struct fixture *f, int64_t ms)
{
    ks_clock_test_advance(&f->clock, ms);
    fixture_run(f);
}

void fixture_skip(struct fixture *f)
{
    f->log_len = 0;
    f->log[0] = '\0';
}

void fixture_expect(struct fixture *f, const char *lines)
{
    assert_string_equal(f->log, lines);
    fixture_skip(f);
}

struct ks_target target_object(uint32_t id, const char *resource, const char *ns, const char *name)
{
    return (struct ks_target){
        .target_id = id,
        .kind = KS_TARGET_OBJECT,
        .resource = ks_str_from(resource),
        .ns = ks_str_from(ns),
        .name = ks_str_from(name),
    };
}

struct ks_target target_selector(uint32_t id, const char *resource, const char *ns,
                                 const char *labels)
{
    return (struct ks_target){
        .target_id = id,
        .kind = KS_TARGET_SELECTOR,
        .resource = ks_str_from(resource),
        .ns = ks_str_from(ns),
        .label_selector = ks_str_from(labels),
    };
}

static char *next_text(void)
{
    static char texts[4][1024];
    static unsigned turn;

    return texts[turn++ % KS_ARRAY_LEN(texts)];
}

const char *pod(const char *name, const char *uid, unsigned version, const char *phase)
{
    char *out = next_text();
    const char *status = "";

    if (ks_str_is(ks_str_from(phase), "Terminating"))
        (void)snprintf(out, 1024,
                       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":"
                       "\"demo\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\","
                       "\"deletionTimestamp\":\"2026-09-21T14:13:00Z\"},\"status\":{\"phase\":"
                       "\"Running\"}}",
                       name, uid, version);
    else {
        if (ks_str_is(ks_str_from(phase), "Unschedulable")) {
            phase = "Pending";
            status = ",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
                     "\"reason\":\"Unschedulable\",\"message\":\"0/2 nodes\"}]";
        } else if (ks_str_is(ks_str_from(phase), "Running")) {
            status = ",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]";
        }
        (void)snprintf(out, 1024,
                       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":"
                       "\"demo\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\","
                       "\"creationTimestamp\":\"2026-09-21T14:13:20Z\"},\"status\":{\"phase\":"
                       "\"%s\"%s}}",
                       name, uid, version, phase, status);
    }
    return out;
}

const char *config_map(const char *name, const char *uid, unsigned version)
{
    char *out = next_text();

    (void)snprintf(out, 1024,
                   "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"namespace\":"
                   "\"demo\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%u\"}}",
                   name, uid, version);
    return out;
}
