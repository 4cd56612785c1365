/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture's log and its short ways to a synced reflector.
 *
 * Thread: the test's.
 */
#include "mirror_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/path.h"

static void note(struct fixture *fx, const char *fmt, ...) KS_PRINTF(2, 3);

static void note(struct fixture *fx, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(fx->log + fx->len, FIXTURE_LOG_BYTES - fx->len, fmt, args);
    va_end(args);
    assert_true(len >= 0 && fx->len + (size_t)len < FIXTURE_LOG_BYTES);
    fx->len += (size_t)len;
    assert_non_null(fx->reflector); /* no callback after free */
    if (++fx->calls == fx->free_at)
        fx->reflector = ks_reflector_free(fx->reflector);
}

static void note_object(void *ctx, char sign, struct ks_json_value object)
{
    struct ks_str name = ks_json_lenient_str(object, "metadata.name", "");
    struct ks_str rv = ks_json_lenient_str(object, "metadata.resourceVersion", "");

    note(ctx, "%c%.*s@%.*s ", sign, KS_STR_ARGS(name), KS_STR_ARGS(rv));
}

static void on_object(void *ctx, struct ks_json_value object)
{
    note_object(ctx, '+', object);
}

static void on_deleted(void *ctx, struct ks_json_value object)
{
    note_object(ctx, '-', object);
}

static void on_bad_object(void *ctx, struct ks_str ns, struct ks_str name,
                          const struct ks_error *err)
{
    (void)ns;
    assert_true(err->msg[0] != '\0');
    note(ctx, "!%.*s ", KS_STR_ARGS(name));
}

static void on_bad_deleted(void *ctx, struct ks_str ns, struct ks_str name,
                           struct ks_str resource_version)
{
    (void)ns;
    note(ctx, "-!%.*s@%.*s ", KS_STR_ARGS(name), KS_STR_ARGS(resource_version));
}

static void on_sync_begin(void *ctx)
{
    note(ctx, "begin ");
}

static void on_sync_end(void *ctx)
{
    note(ctx, "end ");
}

static void on_state(void *ctx, ks_source_state source, const struct ks_error *err)
{
    struct fixture *fx = ctx;

    assert_true(source == KS_SOURCE_FRESH || (err && err->msg[0]));
    if (err)
        fx->last_error = *err;
    note(ctx, "%s ", ks_source_state_text(source));
}

static void on_reset(void *ctx)
{
    note(ctx, "reset ");
}

const struct ks_reflector_ops fixture_ops = {
    .on_object = on_object,
    .on_deleted = on_deleted,
    .on_bad_object = on_bad_object,
    .on_bad_deleted = on_bad_deleted,
    .on_sync_begin = on_sync_begin,
    .on_sync_end = on_sync_end,
    .on_reset = on_reset,
    .on_state = on_state,
};

int fixture_setup_bare(void **state)
{
    struct fixture *fx = ks_alloc0(sizeof(*fx));

    assert_non_null(fx);
    fx->log = ks_alloc0(FIXTURE_LOG_BYTES);
    assert_non_null(fx->log);
    assert_true(fake_kube_init(&fx->f));
    *state = fx;
    return 0;
}

struct ks_reflector_config fixture_config(struct fixture *fx)
{
    return (struct ks_reflector_config){.resource = fx->f.resource, .ns = KS_LIT("default")};
}

void fixture_start(struct fixture *fx, const struct ks_reflector_config *config)
{
    assert_int_equal(ks_reflector_new(fx->f.kube, config, &fixture_ops, fx, &fx->reflector, NULL),
                     KS_RC_OK);
    ks_reflector_start(fx->reflector);
    (void)fake_await_request(&fx->f, 0);
}

int fixture_setup(void **state)
{
    struct ks_reflector_config config;

    (void)fixture_setup_bare(state);
    config = fixture_config(*state);
    fixture_start(*state, &config);
    return 0;
}

int fixture_setup_named(void **state)
{
    struct ks_reflector_config config;

    (void)fixture_setup_bare(state);
    config = fixture_config(*state);
    config.name = KS_LIT("web");
    fixture_start(*state, &config);
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fx = *state;

    fx->reflector = ks_reflector_free(fx->reflector);
    assert_false(fake_has_open(&fx->f));
    assert_false(fake_is_resolving(&fx->f));
    fake_kube_fini(&fx->f);
    ks_free(fx->log);
    ks_free(fx);
    return 0;
}

void fixture_expect(struct fixture *fx, const char *log)
{
    assert_string_equal(fx->log, log);
    fx->len = 0;
    fx->log[0] = '\0';
}

void fixture_sync(struct fixture *fx)
{
    fake_head(&fx->f);
    fake_line(&fx->f, EVENT("ADDED", "web", "5"));
    fake_line(&fx->f, INITIAL_END("10"));
    fixture_expect(fx, "begin +web@5 end fresh ");
}

void fixture_sync_by_list(struct fixture *fx)
{
    fake_answer(&fx->f, LIST("10", "", OBJECT("web", "5")));
    fake_head(&fx->f);
    fixture_expect(fx, "begin +web@5 end fresh ");
}
