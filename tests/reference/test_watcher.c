/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated families in a session of the watcher, beside the same families judged at once
 * (ours_family.c, profiles.c): what is put together from informers' events, and kept of children,
 * must come to the same. The reference is compared with the latter (scripts/verdicts).
 *
 *   kstatus  the head and all that it generated, now and a day later
 *   strict   the head, in its graces and when they are over
 *
 * Thread: one.  It does not: take families of which an object cannot be parsed: an informer tells
 * those in another way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "json/path.h"
#include "unit/watcher/session_fixture.h"

#include "family.h"
#include "ours_family.h"

#define FAMILIES 1500
#define SEED 1
#define DAY_MS ((int64_t)86400 * 1000)
#define WORD_MAX 64

static const struct served {
    const char *group;
    const char *kind;
    const char *plural;
} served[] = {
    {"apps", "ReplicaSet", "replicasets"}, {"apps", "StatefulSet", "statefulsets"},
    {"apps", "DaemonSet", "daemonsets"},   {"batch", "Job", "jobs"},
    {"apps", "Deployment", "deployments"}, {"", "Pod", "pods"},
};
#define SERVED_BY_FIXTURE 2

struct run {
    struct fixture f;
    struct family_judge *judge;
    struct text text;
    int64_t number;
    int64_t now_ms;
    ks_profile profile;
    char told[FAMILY_MAX][WORD_MAX]; /* the status told last of each object; "" for none */
};

static const char *plural_of(const struct member *m)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(served); i++) {
        if (ks_str_is(m->kind.kind, served[i].kind))
            return served[i].plural;
    }
    fail_msg("a family has a %.*s", KS_STR_ARGS(m->kind.kind));
    return NULL;
}

static bool is_near(const struct member *m)
{
    return ks_str_is(ks_json_lenient_str(family_root(m), "metadata.namespace", ""), "default");
}

static void begin(struct run *r)
{
    struct ks_target target = {.target_id = 1,
                               .kind = KS_TARGET_OBJECT,
                               .resource = ks_str_from(plural_of(&r->judge->members[0])),
                               .ns = KS_LIT("default"),
                               .name = KS_LIT("u1")};

    fixture_init(&r->f);
    r->f.clock.now_wall_ms = r->now_ms;
    r->f.config.profile = r->profile;
    r->f.config.generated_depth = r->profile == KS_PROFILE_KSTATUS ? 2 : 0;
    for (size_t i = 0; i < KS_ARRAY_LEN(served) - SERVED_BY_FIXTURE; i++)
        fake_serve(served[i].group, "v1", served[i].kind, served[i].plural, true);
    fixture_open(&r->f, &target, 1);
}

static void put(struct run *r, const struct member *m, const char *informer)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf copy = KS_BUF(TEXT_MAX);
    struct ks_informer *inf = fake_find(informer);

    assert_int_equal(ks_buf_append_str(&copy, ks_json_raw(family_root(m))), KS_RC_OK);
    if (inf)
        fake_put(inf, copy.data);
    fixture_run(&r->f);
}

static void show_family(struct run *r)
{
    struct member *head = &r->judge->members[0];
    char name[WORD_MAX];

    (void)snprintf(name, sizeof(name), "%s@default/u1", plural_of(head));
    put(r, head, name);
    fake_synced(fake_find(name));
    fixture_run(&r->f);
    for (int i = 1; i < r->judge->count; i++) {
        (void)snprintf(name, sizeof(name), "%s@default", plural_of(&r->judge->members[i]));
        if (is_near(&r->judge->members[i]))
            put(r, &r->judge->members[i], name);
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(served); i++) {
        (void)snprintf(name, sizeof(name), "%s@default", served[i].plural);
        if (fake_find(name))
            fake_synced(fake_find(name));
    }
    fixture_run(&r->f);
}

/* What the log says last of an object, if it says anything. */
static void note_told(struct run *r, int index)
{
    const char *last = NULL;
    char id[WORD_MAX];

    (void)snprintf(id, sizeof(id), " default/u%d u%d ", index + 1, index + 1);
    for (const char *at = strstr(r->f.log, id); at; at = strstr(at + 1, id))
        last = at + strlen(id);
    if (last)
        (void)snprintf(r->told[index], WORD_MAX, "%.*s", (int)strcspn(last, "< \n"), last);
}

static void expect(const struct run *r, int index, const char *when, ks_status wanted)
{
    if (!ks_str_is(ks_str_from(ks_status_text(wanted)), r->told[index]))
        fail_msg("family %d, %s, %s: u%d is told %s, and judged %s", (int)r->number,
                 ks_profile_text(r->profile), when, index + 1, r->told[index],
                 ks_status_text(wanted));
}

static void judge_all(struct run *r, int64_t now_ms, int64_t delay_ms)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf scratch = KS_BUF(TEXT_MAX);
    const struct family_times times = {.now_ms = now_ms, .delay_ms = delay_ms};

    assert_int_equal(family_profiles_line(r->judge, &times, ks_buf_str(&r->text.out), &scratch),
                     KS_RC_OK);
}

static ks_status wanted_of(const struct run *r, const struct member *m)
{
    if (r->profile == KS_PROFILE_STRICT)
        return m->strict.status;
    return m->rc ? KS_STATUS_UNKNOWN : m->verdict.status;
}

static void compare(struct run *r, const char *when)
{
    for (int i = 0; i < r->judge->count; i++) {
        const struct member *m = &r->judge->members[i];

        note_told(r, i);
        if (i == 0 || (r->profile == KS_PROFILE_KSTATUS && m->belongs && is_near(m)))
            expect(r, i, when, wanted_of(r, m));
    }
    fixture_skip(&r->f);
}

static bool is_readable(const struct family_judge *judge)
{
    for (int i = 0; i < judge->count; i++) {
        if (!judge->members[i].is_readable)
            return false;
    }
    return true;
}

static void run_family(struct run *r)
{
    text_start(&r->text, SEED, r->number);
    family_write(&r->text, &r->now_ms);
    judge_all(r, r->now_ms, 0);
    if (!is_readable(r->judge))
        return;
    begin(r);
    show_family(r);
    memset(r->told, 0, sizeof(r->told));
    compare(r, "now");
    fixture_wait(&r->f, DAY_MS);
    if (r->profile == KS_PROFILE_STRICT)
        judge_all(r, r->now_ms, DAY_MS);
    else
        judge_all(r, r->now_ms + DAY_MS, 0);
    compare(r, "a day later");
    fixture_fini(&r->f);
}

static void run_families(ks_profile profile)
{
    struct run *r = ks_alloc0(sizeof(*r));

    assert_non_null(r);
    r->profile = profile;
    r->text.out = KS_BUF(TEXT_MAX);
    assert_int_equal(family_judge_new(&r->judge, NULL), KS_RC_OK);
    for (r->number = 0; r->number < FAMILIES; r->number++)
        run_family(r);
    family_judge_free(r->judge);
    ks_buf_fini(&r->text.out);
    ks_free(r);
}

static void under_kstatus(void **state)
{
    (void)state;
    run_families(KS_PROFILE_KSTATUS);
}

static void under_strict(void **state)
{
    (void)state;
    run_families(KS_PROFILE_STRICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_kstatus),
        cmocka_unit_test(under_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
