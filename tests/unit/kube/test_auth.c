/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: each source, rotation, expiry, refusal. Plugins are small shell scripts that the
 * tests write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rfc3339.h"
#include "json/json.h"
#include "kube/auth.h"
#include "kube/exec.h"
#include "support/torture.h"

#define API "client.authentication.k8s.io/v1"
#define START_WALL_MS 1790000000000

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_kube_config config;
    struct ks_exec_config exec;
    struct ks_auth *auth;
    char folder[64];
    char token_path[128];
    char script_path[128];
    char runs_path[128]; /* the plugin appends a byte at each run */
    char *no_texts[1];
    unsigned changes;
};

static struct fixture fixture;
static char api_version[] = API;

static void on_change(void *ctx)
{
    ((struct fixture *)ctx)->changes++;
}

static int setup(void **state)
{
    struct fixture *f = &fixture;

    *f = (struct fixture){.folder = "/tmp/ks-auth-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->token_path, sizeof(f->token_path), "%s/token", f->folder);
    (void)snprintf(f->script_path, sizeof(f->script_path), "%s/plugin", f->folder);
    (void)snprintf(f->runs_path, sizeof(f->runs_path), "%s/runs", f->folder);
    ks_clock_test_init(&f->clock, START_WALL_MS);
    assert_int_equal(ks_loop_new(&f->clock.clock, &f->loop, NULL), KS_RC_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->auth = ks_auth_free(f->auth);
    for (int i = 0; i < 20; i++)
        ks_loop_turn_wait(f->loop, 5); /* a cancelled plugin is reaped */
    ks_loop_free(f->loop);
    (void)unlink(f->token_path);
    (void)unlink(f->script_path);
    (void)unlink(f->runs_path);
    (void)rmdir(f->folder);
    return 0;
}

static void start(struct fixture *f)
{
    struct ks_error err = {0};

    if (ks_auth_new(f->loop, &f->config, on_change, f, &f->auth, &err))
        fail_msg("%s", err.msg);
}

static const char *token_of(const struct ks_credential *c)
{
    static char text[256];

    (void)snprintf(text, sizeof(text), "%.*s", KS_STR_ARGS(c->authorization));
    return text;
}

static const char *get(struct fixture *f)
{
    struct ks_credential c = {0};
    static struct ks_error err;

    err = (struct ks_error){0};
    switch ((int)ks_auth_get(f->auth, &c, &err)) {
    case KS_RC_OK:
        return token_of(&c);
    case KS_RC_AGAIN:
        return "again";
    default:
        assert_int_equal(err.rc, KS_RC_UNAUTHENTICATED);
        return err.msg;
    }
}

static uint64_t generation(struct fixture *f)
{
    struct ks_credential c = {0};

    assert_int_equal(ks_auth_get(f->auth, &c, NULL), KS_RC_OK);
    return c.generation;
}

static void text_put(const char *path, const char *text)
{
    assert_int_equal(ks_file_write(path, ks_str_from(text), NULL), KS_RC_OK);
}

static void nothing_static_and_basic(void **state)
{
    struct fixture *f = *state;
    struct ks_error err = {0};

    start(f);
    assert_string_equal(get(f), "");
    assert_false(ks_auth_refused(f->auth, generation(f)));
    ks_auth_free(f->auth);
    f->config.token = (char[]){"abc.def"};
    start(f);
    assert_string_equal(get(f), "Bearer abc.def");
    assert_false(ks_auth_refused(f->auth, generation(f)));
    f->auth = ks_auth_free(f->auth);
    f->config.token = (char[]){"a\r\nX: y"};
    assert_int_equal(ks_auth_new(f->loop, &f->config, on_change, f, &f->auth, &err), KS_RC_CONFIG);
    assert_null(f->auth);
    f->config.token = NULL;
    f->config.username = (char[]){"Aladdin"};
    f->config.password = (char[]){"open sesame"};
    start(f);
    assert_string_equal(get(f), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

static void a_token_file_is_read_again(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    text_put(f->token_path, " one\n");
    f->config.token_file = f->token_path;
    start(f);
    assert_string_equal(get(f), "Bearer one");
    first = generation(f);
    text_put(f->token_path, "two");
    ks_clock_test_advance(&f->clock, 59999);
    assert_string_equal(get(f), "Bearer one");
    assert_int_equal(generation(f), first);
    ks_clock_test_advance(&f->clock, 1);
    assert_string_equal(get(f), "Bearer two");
    assert_int_not_equal(generation(f), first);
    /* What cannot be used leaves the old one in use. */
    text_put(f->token_path, "bad token");
    ks_clock_test_advance(&f->clock, 60000);
    assert_string_equal(get(f), "Bearer two");
    text_put(f->token_path, "");
    ks_clock_test_advance(&f->clock, 60000);
    assert_string_equal(get(f), "Bearer two");
    (void)unlink(f->token_path);
    ks_clock_test_advance(&f->clock, 60000);
    assert_string_equal(get(f), "Bearer two");
    /* It still serves, but somebody ought to know. */
    assert_non_null(strstr(ks_auth_failure(f->auth)->msg, f->token_path));
    text_put(f->token_path, "three");
    ks_clock_test_advance(&f->clock, 60000);
    assert_string_equal(get(f), "Bearer three");
    assert_null(ks_auth_failure(f->auth));
}

static void a_refused_file_token_is_read_at_once(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    text_put(f->token_path, "one");
    f->config.token_file = f->token_path;
    start(f);
    first = generation(f);
    assert_false(ks_auth_refused(f->auth, first)); /* the file has the same */
    text_put(f->token_path, "two");
    assert_true(ks_auth_refused(f->auth, first));
    assert_string_equal(get(f), "Bearer two");
    assert_true(ks_auth_refused(f->auth, first)); /* a late one: it has been replaced already */
}

static void without_a_token_file_there_is_no_credential(void **state)
{
    struct fixture *f = *state;

    f->config.token_file = f->token_path;
    start(f);
    assert_non_null(strstr(get(f), "No such file"));
    text_put(f->token_path, "late");
    assert_non_null(strstr(get(f), "No such file")); /* not looked at again within a second */
    ks_clock_test_advance(&f->clock, 1000);
    assert_string_equal(get(f), "Bearer late");
}

static void a_token_stands_in_until_the_file_is_there(void **state)
{
    struct fixture *f = *state;

    f->config.token = (char[]){"first"};
    f->config.token_file = f->token_path;
    start(f);
    assert_string_equal(get(f), "Bearer first");
    text_put(f->token_path, "second");
    ks_clock_test_advance(&f->clock, 60000);
    assert_string_equal(get(f), "Bearer second");
}

/* A plugin that counts its runs and then does what is told. */
static void plugin_set(struct fixture *f, const char *commands)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "#!/bin/sh\nprintf x >>%s\n%s\n", f->runs_path, commands);
    text_put(f->script_path, text);
    assert_int_equal(chmod(f->script_path, 0700), 0);
    f->exec = (struct ks_exec_config){.api_version = api_version,
                                      .command = f->script_path,
                                      .args = f->no_texts,
                                      .env = f->no_texts};
    f->config.exec = &f->exec;
    f->config.server = (char *)(uintptr_t) "https://api";
}

/* Prints a credential; expiry "" for none. */
static void plugin_give(struct fixture *f, const char *token, const char *expiry)
{
    char commands[1024];

    (void)snprintf(commands, sizeof(commands),
                   "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" API
                   "\",\"status\":{\"token\":\"%s\",\"expirationTimestamp\":\"%s\"}}'",
                   token, expiry);
    plugin_set(f, commands);
}

static size_t runs(const struct fixture *f)
{
    struct stat st = {0};

    return stat(f->runs_path, &st) ? 0 : (size_t)st.st_size;
}

/* Lets the run that is under way end. */
static void plugin_wait(struct fixture *f)
{
    unsigned before = f->changes;

    for (int i = 0; i < 2000 && f->changes == before; i++)
        ks_loop_turn_wait(f->loop, 10);
    assert_int_equal(f->changes, before + 1);
}

static void plugins_run_once_for_all(void **state)
{
    struct fixture *f = *state;

    plugin_give(f, "one", "");
    start(f);
    assert_int_equal(runs(f), 0); /* not before somebody asks */
    assert_string_equal(get(f), "again");
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer one");
    ks_clock_test_advance(&f->clock, (int64_t)24 * 3600 * 1000);
    assert_string_equal(get(f), "Bearer one"); /* no expiry: until it is refused */
    assert_int_equal(runs(f), 1);
}

static void plugins_run_again_before_expiry(void **state)
{
    struct fixture *f = *state;
    char expiry[KS_RFC3339_MAX];

    plugin_give(f, "one", ks_rfc3339_format(START_WALL_MS + 600000, expiry));
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    plugin_give(f, "two", "");
    ks_clock_test_advance(&f->clock, 569999);
    assert_string_equal(get(f), "Bearer one");
    ks_clock_test_advance(&f->clock, 1); /* 30 s before the end */
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer two");
    assert_int_equal(runs(f), 2);
}

static void a_failed_refresh_leaves_what_still_works(void **state)
{
    struct fixture *f = *state;
    char expiry[KS_RFC3339_MAX];

    plugin_give(f, "one", ks_rfc3339_format(START_WALL_MS + 600000, expiry));
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    plugin_set(f, "echo the login has expired >&2; exit 3");
    ks_clock_test_advance(&f->clock, 580000);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer one");
    ks_clock_test_advance(&f->clock, 20000);
    assert_string_equal(get(f), "again"); /* expired now, and the backoff has passed */
    plugin_wait(f);
    assert_non_null(strstr(get(f), "the login has expired"));
    assert_int_equal(runs(f), 3);
}

static void failures_are_not_repeated_at_once(void **state)
{
    struct fixture *f = *state;

    plugin_set(f, "exit 1");
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_non_null(strstr(get(f), "plugin"));
    ks_clock_test_advance(&f->clock, 999);
    assert_non_null(strstr(get(f), "plugin"));
    assert_int_equal(runs(f), 1);
    ks_clock_test_advance(&f->clock, 1001);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_int_equal(runs(f), 2);
}

static void a_refused_credential_is_fetched_anew(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    plugin_give(f, "one", "");
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    first = generation(f);
    ks_clock_test_advance(&f->clock, 5000);
    plugin_give(f, "two", "");
    assert_true(ks_auth_refused(f->auth, first));
    assert_true(ks_auth_refused(f->auth, first));
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer two");
    /* That one is refused as well: no second run at once, and the value is not given out again. */
    assert_false(ks_auth_refused(f->auth, generation(f)));
    assert_non_null(strstr(get(f), "refused (Unauthorized) what the credential plugin"));
    ks_clock_test_advance(&f->clock, 2000);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_int_equal(runs(f), 3);
}

static void a_credential_that_came_expired_is_used(void **state)
{
    struct fixture *f = *state;
    char expiry[KS_RFC3339_MAX];

    plugin_give(f, "one", ks_rfc3339_format(START_WALL_MS - 3600000, expiry));
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer one");
    assert_int_equal(runs(f), 1);
}

static void a_missing_plugin_is_told_with_its_hint(void **state)
{
    struct fixture *f = *state;

    f->exec = (struct ks_exec_config){.api_version = api_version,
                                      .command = (char[]){"/nonexistent/get-token"},
                                      .args = f->no_texts,
                                      .env = f->no_texts,
                                      .install_hint = (char[]){"see https://example.test"}};
    f->config.exec = &f->exec;
    f->config.server = (char *)(uintptr_t) "https://api";
    start(f);
    assert_non_null(strstr(get(f), "/nonexistent/get-token"));
    assert_non_null(strstr(get(f), "see https://example.test"));
}

static void plugins_are_told_what_they_need(void **state)
{
    struct fixture *f = *state;
    char *env[] = {(char[]){"GIVEN=token"}, (char[]){"HOME=/overridden"}, NULL};
    char *args[] = {(char[]){"a b"}, NULL};

    plugin_set(f,
               "[ \"$1\" = 'a b' ] && [ \"$HOME\" = /overridden ] && "
               "[ \"$KUBERNETES_EXEC_INFO\" = '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" API
               "\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"s\"}}}' ] && "
               "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" API
               "\",\"status\":{\"token\":\"'$GIVEN'\"}}'");
    f->exec.env = env;
    f->exec.args = args;
    f->exec.cluster_json = (char[]){"{\"server\":\"s\"}"};
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_string_equal(get(f), "Bearer token");
}

static void certificates_come_from_plugins_too(void **state)
{
    struct fixture *f = *state;
    struct ks_credential c = {0};

    plugin_set(f, "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" API
                  "\",\"status\":{\"clientCertificateData\":\"CERT\",\"clientKeyData\":\"KEY\"}}'");
    start(f);
    assert_string_equal(get(f), "again");
    plugin_wait(f);
    assert_int_equal(ks_auth_get(f->auth, &c, NULL), KS_RC_OK);
    assert_int_equal(c.authorization.len, 0);
    assert_string_equal(c.cert_pem, "CERT");
    assert_string_equal(c.key_pem, "KEY");
}

static void freeing_ends_the_run(void **state)
{
    struct fixture *f = *state;

    plugin_set(f, "exec cat /dev/zero");
    start(f);
    assert_string_equal(get(f), "again");
    f->auth = ks_auth_free(f->auth);
    assert_int_equal(f->changes, 0);
}

#define CREDENTIAL(status)                                                                         \
    "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" API "\",\"status\":" status "}"

static void answers_of_plugins_are_checked(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* NULL: fine */
    } rows[] = {
        {CREDENTIAL("{\"token\":\"t\"}"), NULL},
        {CREDENTIAL("{\"token\":\"t\",\"expirationTimestamp\":\"2026-11-24T13:46:51Z\"}"), NULL},
        {CREDENTIAL("{\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\"}"), NULL},
        {"", "is not JSON"},
        {"Please log in", "is not JSON"},
        {"[]", "is not an ExecCredential"},
        {"{\"kind\":\"Token\"}", "is not an ExecCredential"},
        {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}",
         "another apiVersion"},
        {CREDENTIAL("null"), "neither a token"},
        {CREDENTIAL("{\"token\":\"a b\"}"), "no bearer token"},
        {CREDENTIAL("{\"token\":\"a\\r\\nX: y\"}"), "no bearer token"},
        {CREDENTIAL("{\"clientKeyData\":\"K\"}"), "a key alone"},
        {CREDENTIAL("{\"token\":\"t\",\"clientCertificateData\":\"C\"}"), "without its key"},
        {CREDENTIAL("{\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\"}"), "RFC 3339"},
    };
    struct ks_json *json = NULL;

    (void)state;
    assert_int_equal(ks_json_new(&ks_json_limits_object, &json, NULL), KS_RC_OK);
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_exec_credential c = {0};
        struct ks_error err = {0};
        ks_rc rc = ks_exec_credential_parse(json, ks_str_from(rows[i].text), API, &c, &err);

        assert_int_equal(rc, rows[i].says ? KS_RC_UNAUTHENTICATED : KS_RC_OK);
        if (rows[i].says)
            assert_non_null(strstr(err.msg, rows[i].says));
    }
    ks_json_free(json);
}

static void tortured(void *ctx)
{
    struct fixture *f = ctx;
    struct ks_auth *auth = NULL;
    struct ks_credential c = {0};
    ks_rc rc = ks_auth_new(f->loop, &f->config, on_change, f, &auth, NULL);

    if (!rc)
        rc = ks_auth_get(auth, &c, NULL);
    if (rc)
        assert_true(ks_alloc_failed());
    else
        assert_string_equal(token_of(&c), "Bearer one");
    ks_auth_free(auth);
}

static void no_memory_is_told(void **state)
{
    struct fixture *f = *state;

    text_put(f->token_path, "one");
    f->config.token_file = f->token_path;
    assert_true(ks_torture(tortured, f) > 2);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_static_and_basic),
        CASE(a_token_file_is_read_again),
        CASE(a_refused_file_token_is_read_at_once),
        CASE(without_a_token_file_there_is_no_credential),
        CASE(a_token_stands_in_until_the_file_is_there),
        CASE(plugins_run_once_for_all),
        CASE(plugins_run_again_before_expiry),
        CASE(a_failed_refresh_leaves_what_still_works),
        CASE(failures_are_not_repeated_at_once),
        CASE(a_refused_credential_is_fetched_anew),
        CASE(a_credential_that_came_expired_is_used),
        CASE(a_missing_plugin_is_told_with_its_hint),
        CASE(plugins_are_told_what_they_need),
        CASE(certificates_come_from_plugins_too),
        CASE(freeing_ends_the_run),
        CASE(answers_of_plugins_are_checked),
        CASE(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
