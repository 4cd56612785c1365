/* SPDX-License-Identifier: Apache-2.0 */
/* with: fake_kube.c mirror_fixture.c */
/*
 * Many reflectors behind one lost connection: one probe answers all whom it can. shared/spec:
 * informers 1.5, 1.7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mirror_fixture.h"

#define HERD 3

struct herd {
    struct fixture *fx;
    struct ks_reflector *members[HERD];
};

/* What that reflector asks at the moment. */
static struct fake_request *request_of(struct herd *h, unsigned member)
{
    struct fake_kube *f = &h->fx->f;

    for (unsigned i = 0; i < f->count; i++) {
        if (f->requests[i].is_open && f->requests[i].ctx == h->members[member])
            return &f->requests[i];
    }
    return NULL;
}

static bool is_probing(struct herd *h, unsigned member)
{
    struct fake_request *r = request_of(h, member);

    return r && strstr(r->path, "limit=1");
}

static bool is_watching(struct herd *h, unsigned member)
{
    struct fake_request *r = request_of(h, member);

    return r && strstr(r->path, "watch=") && strstr(r->path, "resourceVersion=") &&
           !strstr(r->path, "sendInitialEvents");
}

static void say(struct herd *h, unsigned member, const char *line)
{
    struct fake_request *r = request_of(h, member);

    assert_non_null(r);
    r->ops->on_data(r->ctx, ks_str_from(line));
    r->ops->on_data(r->ctx, KS_LIT("\n"));
}

static void answer(struct herd *h, unsigned member, const char *body)
{
    struct fake_request *r = request_of(h, member);

    assert_non_null(r);
    r->ops->on_data(r->ctx, ks_str_from(body));
    r->is_open = false;
    r->ops->on_end(r->ctx, NULL);
}

static void lose(struct herd *h, unsigned member)
{
    struct ks_kube_failure failure = {
        .rc = KS_RC_IO, .retry_after_ms = -1, .error = {KS_RC_IO, "reset"}};
    struct fake_request *r = request_of(h, member);

    assert_non_null(r);
    r->is_open = false;
    r->ops->on_end(r->ctx, &failure);
}

/* All are watching, the last one from a later version. */
static void begin(struct herd *h, void **state)
{
    struct ks_reflector_config config;

    (void)fixture_setup_bare(state);
    h->fx = *state;
    config = fixture_config(h->fx);
    for (unsigned i = 0; i < HERD; i++) {
        fixture_start(h->fx, &config);
        h->members[i] = h->fx->reflector;
        request_of(h, i)->ops->on_head(h->members[i], "", NULL, 200);
        say(h, i, i == HERD - 1 ? INITIAL_END("20") : INITIAL_END("10"));
    }
    fake_advance(&h->fx->f, 31000);
}

static void end(struct herd *h, void **state)
{
    for (unsigned i = 0; i < HERD; i++) {
        if (h->members[i] != h->fx->reflector)
            (void)ks_reflector_free(h->members[i]);
    }
    (void)fixture_teardown(state);
}

static void one_answer_serves_all_whom_it_can(void **state)
{
    struct herd h;

    begin(&h, state);
    for (unsigned i = 0; i < HERD; i++)
        lose(&h, i);
    fake_advance(&h.fx->f, 2000);
    for (unsigned i = 0; i < HERD; i++)
        assert_true(is_probing(&h, i));
    answer(&h, 0, LIST("12", "", ""));
    assert_true(is_watching(&h, 0));
    assert_true(is_watching(&h, 1));
    assert_true(is_probing(&h, 2)); /* it is further than that */
    answer(&h, 2, LIST("20", "", ""));
    assert_true(is_watching(&h, 2));
    end(&h, state);
}

static void an_answer_to_an_earlier_question_serves_nobody_else(void **state)
{
    struct herd h;

    begin(&h, state);
    lose(&h, 0);
    fake_advance(&h.fx->f, 2000);
    assert_true(is_probing(&h, 0));
    lose(&h, 1);
    fake_advance(&h.fx->f, 2000);
    assert_true(is_probing(&h, 1));
    answer(&h, 0, LIST("12", "", ""));
    assert_true(is_watching(&h, 0));
    assert_true(is_probing(&h, 1));
    end(&h, state);
}

static void a_server_that_is_behind_one_is_trusted_by_nobody(void **state)
{
    struct herd h;

    begin(&h, state);
    for (unsigned i = 0; i < HERD; i++)
        lose(&h, i);
    fake_advance(&h.fx->f, 2000);
    answer(&h, 2, LIST("12", "", ""));
    assert_non_null(strstr(request_of(&h, 2)->path, "sendInitialEvents=true"));
    assert_true(is_probing(&h, 0));
    assert_true(is_probing(&h, 1));
    end(&h, state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer_serves_all_whom_it_can),
        cmocka_unit_test(an_answer_to_an_earlier_question_serves_nobody_else),
        cmocka_unit_test(a_server_that_is_behind_one_is_trusted_by_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
