/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake client. Its requests live in the fixture, so that a use after cancel is seen here
 * (is_open), and a use of freed memory of the code under test by the sanitizers.
 *
 * Thread: the test's.
 */
#include "fake_kube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kube/fleet.h"

static struct fake_kube *fake_of(struct ks_kube *kube)
{
    return (struct fake_kube *)(void *)kube;
}

struct ks_loop *ks_kube_loop(struct ks_kube *kube)
{
    return fake_of(kube)->loop;
}

const struct ks_log *ks_kube_log(struct ks_kube *kube)
{
    (void)kube;
    return NULL;
}

uint32_t ks_kube_closures(const struct ks_kube *kube)
{
    return ((const struct fake_kube *)(const void *)kube)->closures;
}

const struct ks_kube_config *ks_kube_config_of(struct ks_kube *kube)
{
    static const struct ks_kube_config config = {.server = (char *)(uintptr_t) "https://api"};

    (void)kube;
    return &config;
}

const struct ks_kube_options *ks_kube_options_of(struct ks_kube *kube)
{
    return &fake_of(kube)->options;
}

struct ks_mapper *ks_kube_mapper(struct ks_kube *kube)
{
    return (struct ks_mapper *)(void *)kube;
}

struct ks_fleet **ks_kube_fleet_slot(struct ks_kube *kube)
{
    return &fake_of(kube)->fleet;
}

struct ks_kube_stats *ks_kube_stats_of(struct ks_kube *kube)
{
    return &fake_of(kube)->stats;
}

ks_rc ks_kube_request_start(struct ks_kube *kube, const struct ks_kube_request_config *config,
                            struct ks_kube_request **out, struct ks_error *err)
{
    struct fake_kube *f = fake_of(kube);
    struct fake_request *request = &f->requests[f->count];
    KS_CLEANUP(ks_freep) void *probe = ks_alloc(1); /* a real request allocates, and so may fail */

    if (!probe)
        return ks_fail(err, KS_RC_NOMEM, "no memory for a request");
    assert_true(f->count < FAKE_MAX_REQUESTS);
    assert_true(strlen(config->path) < sizeof(request->path));
    f->count++;
    *request = (struct fake_request){
        .kind = config->kind,
        .pace = config->pace,
        .ops = config->ops,
        .ctx = config->ctx,
        .sent_ms = f->clock.now_mono_ms,
        .is_open = true,
    };
    memcpy(request->path, config->path, strlen(config->path) + 1);
    *out = (struct ks_kube_request *)(void *)request;
    return KS_RC_OK;
}

void ks_kube_request_synced(struct ks_kube_request *request)
{
    ((struct fake_request *)(void *)request)->is_synced = true;
}

void ks_kube_request_cancel(struct ks_kube_request *request)
{
    struct fake_request *r = (struct fake_request *)(void *)request;

    if (!r)
        return;
    assert_true(r->is_open);
    r->is_open = false;
}

ks_rc ks_mapper_resolve(struct ks_mapper *mapper, const struct ks_mapper_query *query,
                        ks_resolve_done done, void *ctx, struct ks_resolve **out,
                        struct ks_error *err)
{
    struct fake_kube *f = (struct fake_kube *)(void *)mapper;

    (void)err;
    assert_true(query->has_group && query->kind.len > 0);
    assert_null(f->resolve_done);
    f->resolve_done = done;
    f->resolve_ctx = ctx;
    f->resolves++;
    *out = (struct ks_resolve *)(void *)f;
    return KS_RC_OK;
}

void ks_resolve_cancel(struct ks_resolve *resolve)
{
    if (resolve)
        ((struct fake_kube *)(void *)resolve)->resolve_done = NULL;
}

void ks_mapper_invalidate(struct ks_mapper *mapper)
{
    ((struct fake_kube *)(void *)mapper)->invalidations++;
}

bool fake_kube_init(struct fake_kube *f)
{
    static const struct ks_resource deployments = {
        .group = KS_LIT("apps"),
        .version = KS_LIT("v1"),
        .kind = KS_LIT("Deployment"),
        .plural = KS_LIT("deployments"),
        .is_namespaced = true,
        .can_list = true,
        .can_watch = true,
    };

    memset(f, 0, sizeof(*f));
    ks_clock_test_init(&f->clock, 1000000);
    f->kube = (struct ks_kube *)(void *)f;
    f->resource = ks_resource_new(&deployments);
    if (!f->resource || ks_loop_new(&f->clock.clock, &f->loop, NULL)) {
        fake_kube_fini(f);
        return false;
    }
    return true;
}

void fake_kube_fini(struct fake_kube *f)
{
    ks_fleet_free(f->fleet);
    ks_resource_unref(f->resource);
    ks_loop_free(f->loop);
    f->fleet = NULL;
    f->resource = NULL;
    f->loop = NULL;
}

static void run_due(struct fake_kube *f)
{
    for (int i = 0; i < 8; i++)
        (void)ks_loop_turn(f->loop); /* what may still come, comes with time */
}

void fake_advance(struct fake_kube *f, int64_t ms)
{
    while (ms > 0) {
        int64_t step_ms = ms < 100 ? ms : 100;

        ks_clock_test_advance(&f->clock, step_ms);
        ms -= step_ms;
        (void)ks_loop_turn(f->loop); /* as above */
    }
    run_due(f);
}

int64_t fake_await_request(struct fake_kube *f, int64_t max_ms)
{
    unsigned before = f->count;
    int64_t from_ms = f->clock.now_mono_ms;

    run_due(f);
    while (f->count == before && f->clock.now_mono_ms - from_ms <= max_ms)
        fake_advance(f, 50);
    assert_int_equal(f->count, before + 1);
    return f->clock.now_mono_ms - from_ms;
}

static struct fake_request *find_open(struct fake_kube *f)
{
    struct fake_request *open = NULL;

    for (unsigned i = 0; i < f->count; i++) {
        if (!f->requests[i].is_open)
            continue;
        assert_null(open);
        open = &f->requests[i];
    }
    return open;
}

bool fake_has_open(struct fake_kube *f)
{
    return find_open(f) != NULL;
}

struct fake_request *fake_open(struct fake_kube *f)
{
    struct fake_request *open = find_open(f);

    assert_non_null(open);
    return open;
}

bool fake_asks(struct fake_kube *f, const char *parameter)
{
    const char *query = strchr(fake_open(f)->path, '?');
    struct ks_str rest = ks_str_from(query ? query + 1 : "");
    struct ks_str wanted = ks_str_from(parameter);
    struct ks_str part;

    while (ks_str_split(&rest, '&', &part)) {
        if (ks_str_eq(part, wanted))
            return true;
        if (parameter[wanted.len - 1] == '=' && ks_str_starts(part, wanted))
            return true;
    }
    return false;
}

void fake_head(struct fake_kube *f)
{
    struct fake_request *r = fake_open(f);

    if (r->ops->on_head)
        r->ops->on_head(r->ctx, "application/json", NULL, 200);
}

void fake_bytes(struct fake_kube *f, struct ks_str bytes)
{
    struct fake_request *r = fake_open(f);

    r->ops->on_data(r->ctx, bytes);
}

void fake_data(struct fake_kube *f, const char *text)
{
    fake_bytes(f, ks_str_from(text));
}

/* Without allocations, which belong to the code under test. */
void fake_line(struct fake_kube *f, const char *line)
{
    char whole[4096];
    int len = snprintf(whole, sizeof(whole), "%s\n", line);

    if (len > 0 && (size_t)len < sizeof(whole)) {
        fake_bytes(f, ks_str_make(whole, (size_t)len));
    } else {
        fake_data(f, line);
        fake_data(f, "\n");
    }
}

static void end_with(struct fake_kube *f, const struct ks_kube_failure *failure)
{
    struct fake_request *r = fake_open(f);

    r->is_open = false;
    r->ops->on_end(r->ctx, failure);
}

void fake_end(struct fake_kube *f)
{
    end_with(f, NULL);
}

void fake_answer(struct fake_kube *f, const char *body)
{
    struct fake_request *r = fake_open(f);

    if (r->ops->on_head)
        fake_head(f);
    if (r->is_open)
        fake_data(f, body);
    if (r->is_open)
        fake_end(f);
}

void fake_refuse(struct fake_kube *f, int http_status, const char *body)
{
    struct ks_kube_failure failure;

    ks_kube_failure_from_body(http_status, ks_str_from(body), &failure);
    end_with(f, &failure);
}

void fake_break(struct fake_kube *f)
{
    struct ks_kube_failure failure = {.rc = KS_RC_IO, .retry_after_ms = -1};

    ks_fail(&failure.error, KS_RC_IO, "connection reset");
    end_with(f, &failure);
}

void fake_wait_for_endpoint(struct fake_kube *f)
{
    struct fake_request *r = fake_open(f);
    struct ks_error err;

    ks_fail(&err, KS_RC_IO, "connection refused");
    r->ops->on_waiting(r->ctx, &err);
}

bool fake_is_resolving(const struct fake_kube *f)
{
    return f->resolve_done != NULL;
}

void fake_resolve(struct fake_kube *f, ks_rc rc, struct ks_resource *resource)
{
    ks_resolve_done done = f->resolve_done;
    struct ks_error err = {.rc = KS_RC_OK};

    assert_non_null(done);
    if (rc)
        ks_fail(&err, rc, "the cluster serves no such kind");
    f->resolve_done = NULL;
    done(f->resolve_ctx, rc, resource, rc ? &err : NULL);
}
