/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake session. As the real one, it gives slots back when it is freed, and may be freed from
 * within a callback.
 */
#include "unit/bridge/fake_session.h"

#include <assert.h>

#include "watcher/vigil.h"

#define OBJECTS_MAX 16

struct ks_session {
    bool is_open;
    const struct ks_session_ops *ops;
    void *ctx;
    void *slots[OBJECTS_MAX];
    const char *refusal;
};

static struct ks_session fake;

bool fake_session_is_open(void)
{
    return fake.is_open;
}

void fake_session_refuse(const char *message)
{
    fake.refusal = message;
}

ks_rc ks_session_new(struct ks_kube *kube KS_UNUSED, const struct ks_session_config *config,
                     const struct ks_session_ops *ops, void *ctx, struct ks_session **out,
                     struct ks_error *err)
{
    assert(!fake.is_open && config);
    if (fake.refusal)
        return ks_fail(err, KS_RC_INVALID, "%s", fake.refusal);
    fake = (struct ks_session){.is_open = true, .ops = ops, .ctx = ctx};
    *out = &fake;
    return KS_RC_OK;
}

struct ks_session *ks_session_free(struct ks_session *s)
{
    if (!s)
        return NULL;
    assert(s->is_open);
    s->is_open = false;
    for (unsigned i = 0; i < OBJECTS_MAX; i++)
        fake_forget(i);
    return NULL;
}

void ks_session_each(const struct ks_session *s,
                     void (*fn)(void *ctx, const struct ks_event *event), void *ctx)
{
    assert(s == &fake);
    for (unsigned i = 0; i < OBJECTS_MAX; i++) {
        const struct ks_event event = {.kind = KS_EVENT_UPDATE,
                                       .update = {.message = KS_LIT("again")},
                                       .sink_slot = &fake.slots[i]};

        if (fake.slots[i])
            fn(ctx, &event);
    }
}

void ks_vigil_each(const struct ks_vigil *v, void (*fn)(void *ctx, const struct ks_event *event),
                   void *ctx)
{
    ks_session_each(ks_vigil_session(v), fn, ctx);
}

/* A vigil is the same session, with a goal that the test decides. */
ks_rc ks_vigil_new(struct ks_kube *kube, const struct ks_session_config *config,
                   const struct ks_session_ops *ops, void *ctx, struct ks_vigil **out,
                   struct ks_error *err)
{
    struct ks_session *session;
    ks_rc rc = ks_session_new(kube, config, ops, ctx, &session, err);

    if (!rc)
        *out = (struct ks_vigil *)(void *)session;
    return rc;
}

struct ks_vigil *ks_vigil_free(struct ks_vigil *v)
{
    (void)ks_session_free((struct ks_session *)(void *)v); /* always NULL */
    return NULL;
}

const struct ks_session *ks_vigil_session(const struct ks_vigil *v)
{
    return (const struct ks_session *)(const void *)v;
}

void fake_outcome(ks_outcome_verdict verdict)
{
    const struct ks_event event = {.kind = KS_EVENT_OUTCOME, .outcome = {.verdict = verdict}};

    fake.ops->on_event(fake.ctx, &event);
}

size_t ks_session_object_count(const struct ks_session *s KS_UNUSED)
{
    return 0;
}

void ks_session_tally(const struct ks_session *s KS_UNUSED, struct ks_synced *out)
{
    *out = (struct ks_synced){.counts = {{[KS_STATUS_FAILED] = 2}}, .aggregate = KS_STATUS_FAILED};
}

void fake_update(unsigned object, const char *message)
{
    fake_update_of(object, 1, message);
}

void fake_update_of(unsigned object, size_t target_count, const char *message)
{
    static const uint32_t ids[] = {1, 2, 3, 4};
    const struct ks_event event = {
        .kind = KS_EVENT_UPDATE,
        .update = {.message = ks_str_from(message),
                   .target_ids = ids,
                   .target_count = target_count},
        .sink_slot = &fake.slots[object],
    };

    fake.ops->on_event(fake.ctx, &event);
}

void fake_forget(unsigned object)
{
    void *slot = fake.slots[object];

    fake.slots[object] = NULL;
    if (slot)
        fake.ops->on_forget(fake.ctx, slot);
}

void fake_removed(unsigned object)
{
    const struct ks_event event = {.kind = KS_EVENT_REMOVED, .sink_slot = &fake.slots[object]};

    fake.ops->on_event(fake.ctx, &event);
}

void fake_target_change(uint32_t id)
{
    const struct ks_event event = {
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = id, .state = KS_TARGET_LISTING},
    };

    fake.ops->on_event(fake.ctx, &event);
}

void fake_target_synced(uint32_t id)
{
    const struct ks_event event = {
        .kind = KS_EVENT_TARGET_CHANGE,
        .target_change = {.target_id = id, .state = KS_TARGET_SYNCED},
    };

    fake.ops->on_event(fake.ctx, &event);
}

void fake_synced(void)
{
    const struct ks_event event = {.kind = KS_EVENT_SYNCED};

    fake.ops->on_event(fake.ctx, &event);
}

void fake_failed(ks_rc rc, const char *message)
{
    struct ks_error err;

    (void)ks_fail(&err, rc, "%s", message); /* passed on */
    fake.ops->on_failed(fake.ctx, &err);
}
