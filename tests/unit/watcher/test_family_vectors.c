/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c session_fixture.c */
/*
 * Runs the families of tests/conformance/families.ndjson under profile strict, as a session sees
 * them: the head is asked for, its generated objects come from informers, and time passes. Each
 * step of a vector must be told at its time, and nothing before; the same whether causes are asked
 * for or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "json/path.h"

#include "support/vectors.h"
#include "unit/watcher/session_fixture.h"

#define LEAST_VECTORS 58
#define OBJECT_MAX 4096

static const struct served {
    const char *group;
    const char *kind;
    const char *plural;
} served[] = {
    {"apps", "ReplicaSet", "replicasets"},
    {"apps", "StatefulSet", "statefulsets"},
    {"apps", "DaemonSet", "daemonsets"},
    {"batch", "Job", "jobs"},
    {"batch", "CronJob", "cronjobs"},
    {"apps", "Deployment", "deployments"},
    {"", "Pod", "pods"},
};

static const char *plural_of(struct ks_json_value object)
{
    struct ks_str kind = ks_json_lenient_str(object, "kind", "");

    for (size_t i = 0; i < KS_ARRAY_LEN(served); i++) {
        if (ks_str_is(kind, served[i].kind))
            return served[i].plural;
    }
    fail_msg("a vector has a %.*s", KS_STR_ARGS(kind));
    return NULL;
}

static void begin(struct fixture *f, const struct ks_vector *v, bool has_causes)
{
    fixture_init(f);
    f->clock.now_wall_ms = v->now_ms;
    f->config.profile = KS_PROFILE_STRICT;
    f->config.include_causes = has_causes;
    for (size_t i = 0; i < KS_ARRAY_LEN(served) - 2; i++) /* the fixture serves the last two */
        fake_serve(served[i].group, "v1", served[i].kind, served[i].plural, true);
}

/* To the informer of its kind, if the session has one. */
static void put(const char *informer, struct ks_json_value object)
{
    char text[OBJECT_MAX];
    struct ks_str raw = ks_json_raw(object);
    struct ks_informer *inf = fake_find(informer);

    assert_true(raw.len < sizeof(text));
    (void)snprintf(text, sizeof(text), "%.*s", KS_STR_ARGS(raw));
    if (inf)
        fake_put(inf, text);
}

static void put_members(struct ks_json_value head)
{
    char name[64];

    for (struct ks_json_value o = ks_json_next(head); !ks_json_is_absent(o); o = ks_json_next(o)) {
        (void)snprintf(name, sizeof(name), "%s@default", plural_of(o));
        put(name, o);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(served); i++) {
        (void)snprintf(name, sizeof(name), "%s@default", served[i].plural);
        if (fake_find(name))
            fake_synced(fake_find(name));
    }
}

static void show_family(struct fixture *f, const struct ks_vector *v)
{
    struct ks_json_value head = ks_json_first(ks_json_get(v->root, "objects"));
    const char *plural = plural_of(head);
    struct ks_target target = {.target_id = 1,
                               .kind = KS_TARGET_OBJECT,
                               .resource = ks_str_from(plural),
                               .ns = KS_LIT("default"),
                               .name = KS_LIT("head")};
    char name[64];

    fixture_open(f, &target, 1);
    (void)snprintf(name, sizeof(name), "%s@default/head", plural);
    assert_non_null(fake_find(name));
    put(name, head);
    fixture_run(f);
    fake_synced(fake_find(name));
    fixture_run(f);
    put_members(head);
    fixture_run(f);
}

/* Code of the first cause; "" for none. */
static struct ks_str first_cause(const struct fixture *f)
{
    struct ks_str causes = ks_str_from(f->last_causes);
    ptrdiff_t blank = ks_str_chr(causes, ' ');

    return blank < 0 ? causes : ks_str_sub(causes, 0, (size_t)blank);
}

struct teller {
    struct fixture *f;
    const struct ks_vector *v;
    struct ks_str kind;
    struct ks_str before; /* the status told before; empty: none */
};

/* Whether the log's one word about the head is this step. */
static void expect_step(struct teller *t, struct ks_json_value step)
{
    struct ks_str status = ks_json_lenient_str(step, "status", "");
    struct ks_str reason = ks_json_lenient_str(step, "reason", "");
    struct ks_str cause = ks_json_lenient_str(step, "cause", "");
    char line[512];
    const char *at;

    (void)snprintf(line, sizeof(line), "%.*s default/head head %.*s%s%.*s%s%.*s [1]\n",
                   KS_STR_ARGS(t->kind), KS_STR_ARGS(status), t->before.len ? "<-" : "",
                   KS_STR_ARGS(t->before), reason.len ? " " : "", KS_STR_ARGS(reason));
    at = strstr(t->f->log, line);
    if (!at || strstr(at + strlen(line), " default/head "))
        fail_msg("%.*s: must hear %sheard %s", KS_STR_ARGS(t->v->name), line, t->f->log);
    if (cause.len && t->f->config.include_causes && !ks_str_eq(cause, first_cause(t->f)))
        fail_msg("%.*s: the causes are %s, not first %.*s", KS_STR_ARGS(t->v->name),
                 t->f->last_causes, KS_STR_ARGS(cause));
    t->before = status;
    fixture_skip(t->f);
}

static void run_steps(struct teller *t)
{
    struct ks_json_value step = ks_json_first(ks_json_get(t->v->root, "strict"));
    int64_t at_ms = ks_vector_time(step, "at");

    assert_int_equal(at_ms, t->v->now_ms);
    expect_step(t, step);
    for (step = ks_json_next(step); !ks_json_is_absent(step); step = ks_json_next(step)) {
        int64_t next_ms = ks_vector_time(step, "at");

        fixture_wait(t->f, next_ms - at_ms - 1);
        fixture_expect(t->f, "");
        fixture_wait(t->f, 1);
        expect_step(t, step);
        at_ms = next_ms;
    }
    fixture_wait(t->f, 600000);
    fixture_expect(t->f, "");
}

static void run_session(const struct ks_vector *v, bool has_causes)
{
    struct ks_json_value head = ks_json_first(ks_json_get(v->root, "objects"));
    struct fixture f;
    struct teller t = {.f = &f, .v = v, .kind = ks_json_lenient_str(head, "kind", "")};

    begin(&f, v, has_causes);
    show_family(&f, v);
    run_steps(&t);
    fixture_fini(&f);
}

static void run_vector(const struct ks_vector *v, struct ks_json *json)
{
    (void)json;
    run_session(v, true);
    run_session(v, false);
}

static void families_are_told_as_stated(void **state)
{
    (void)state;
    ks_vectors_run(KS_TESTS_DIR "/conformance/families.ndjson", LEAST_VECTORS, run_vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_told_as_stated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
