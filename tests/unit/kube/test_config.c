/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfigs: precedence, merging, paths, every field, every way to get it wrong; the in-cluster
 * account.
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
#include "kube/config.h"
#include "support/torture.h"

/* The environment that a test gives. */
static const char *env_kubeconfig, *env_home, *env_host, *env_port, *env_namespace;

static const char *test_getenv(const char *name)
{
    if (strcmp(name, "KUBECONFIG") == 0)
        return env_kubeconfig;
    if (strcmp(name, "HOME") == 0)
        return env_home;
    if (strcmp(name, "KUBERNETES_SERVICE_HOST") == 0)
        return env_host;
    if (strcmp(name, "KUBERNETES_SERVICE_PORT") == 0)
        return env_port;
    if (strcmp(name, "POD_NAMESPACE") == 0)
        return env_namespace;
    return NULL;
}

struct folder {
    char path[64];
};

static int setup(void **state)
{
    struct folder *f = ks_alloc0(sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->path, sizeof(f->path), "/tmp/ks-config-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    env_kubeconfig = env_home = env_host = env_port = env_namespace = NULL;
    *state = f;
    return 0;
}

static const char *in_folder(const struct folder *f, const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, 256, "%s/%s", f->path, name);
    return path;
}

static const char *const names[] = {
    "config", "a",      "b",         "ca.pem",       "cert.pem",   "key.pem",
    "token",  "ca.crt", "namespace", ".kube/config", "sub/config", "sub/ca.pem"};

static int teardown(void **state)
{
    struct folder *f = *state;

    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++)
        (void)unlink(in_folder(f, names[i]));
    (void)rmdir(in_folder(f, ".kube"));
    (void)rmdir(in_folder(f, "sub"));
    (void)rmdir(f->path);
    ks_free(f);
    return 0;
}

static const char *file_put(const struct folder *f, const char *name, const char *text)
{
    const char *path = in_folder(f, name);
    struct ks_error err = {0};

    if (ks_file_write(path, ks_str_from(text), &err))
        fail_msg("%s", err.msg);
    return path;
}

static struct ks_kube_config *load(const char *path, const char *context)
{
    struct ks_kube_config *config = NULL;
    struct ks_error err = {0};

    if (ks_kube_config_load(&(struct ks_kube_config_options){.path = path,
                                                             .context = context,
                                                             .getenv_fn = test_getenv},
                            &config, &err))
        fail_msg("%s", err.msg);
    return config;
}

/* The message of a load that has to fail. */
static const char *refused(const char *path, const char *context, ks_rc want)
{
    static struct ks_error err;
    struct ks_kube_config *config = NULL;

    err = (struct ks_error){0};
    assert_int_equal(ks_kube_config_load(&(struct ks_kube_config_options){.path = path,
                                                                          .context = context,
                                                                          .getenv_fn = test_getenv},
                                         &config, &err),
                     want);
    assert_int_equal(err.rc, want);
    assert_null(config);
    return err.msg;
}

#define HEAD "apiVersion: v1\nkind: Config\n"
#define CONTEXT(name, cluster, user)                                                               \
    "- name: " name "\n  context: {cluster: " cluster ", user: " user "}\n"
#define ONE(cluster_fields, user_fields)                                                           \
    HEAD "current-context: here\ncontexts:\n" CONTEXT(                                             \
        "here", "c",                                                                               \
        "u") "clusters:\n- name: c\n  cluster: {server: \"https://h:6443\"" cluster_fields "}\n"   \
             "users:\n- name: u\n  user: {" user_fields "}\n"

static struct ks_kube_config *parse(const char *text)
{
    struct ks_kube_config *config = NULL;
    struct ks_error err = {0};

    if (ks_kube_config_parse(ks_str_from(text), "/etc/kube/config", NULL,
                             /* may_read_files= */ false, &config, &err))
        fail_msg("%s", err.msg);
    return config;
}

static const char *parse_refused(const char *text)
{
    static struct ks_error err;
    struct ks_kube_config *config = NULL;

    err = (struct ks_error){0};
    if (!ks_kube_config_parse(ks_str_from(text), "/etc/kube/config", NULL,
                              /* may_read_files= */ false, &config, &err))
        fail_msg("accepted: %s", text);
    assert_int_equal(err.rc, KS_RC_CONFIG);
    assert_non_null(strstr(err.msg, "/etc/kube/config"));
    return err.msg;
}

static void assert_says(const char *message, const char *part)
{
    if (!strstr(message, part))
        fail_msg("\"%s\" does not say \"%s\"", message, part);
}

static void the_usual_fields(void **state)
{
    struct ks_kube_config *c =
        parse(ONE(", tls-server-name: api.internal, certificate-authority-data: Q0E=, "
                  "proxy-url: \"socks5://p:1080\", disable-compression: true, unknown: 1",
                  "client-certificate-data: Q0VSVA==, client-key-data: S0VZ"));

    (void)state;
    assert_string_equal(c->origin, "/etc/kube/config, context here");
    assert_string_equal(c->server, "https://h:6443");
    assert_string_equal(c->ns, "default");
    assert_string_equal(c->tls_server_name, "api.internal");
    assert_string_equal(c->ca_pem, "CA");
    assert_null(c->ca_file);
    assert_string_equal(c->cert_pem, "CERT");
    assert_string_equal(c->key_pem, "KEY");
    assert_string_equal(c->proxy_url, "socks5://p:1080");
    assert_true(c->no_compression);
    assert_false(c->is_insecure);
    assert_false(c->is_in_cluster);
    assert_null(c->token);
    ks_kube_config_free(c);
}

static void json_is_yaml(void **state)
{
    struct ks_kube_config *c = parse(
        "{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\","
        "\"namespace\":\"team\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":"
        "\"http://127.0.0.1:8001\"}}],\"users\":null}");

    (void)state;
    assert_string_equal(c->server, "http://127.0.0.1:8001");
    assert_string_equal(c->ns, "team");
    assert_null(c->username);
    ks_kube_config_free(c);
}

static void bare_hosts_get_a_scheme(void **state)
{
    struct ks_kube_config *c;

    (void)state;
    c = parse(HEAD "current-context: x\ncontexts:\n- name: x\n  context: {cluster: c}\n"
                   "clusters:\n- name: c\n  cluster: {server: \"h:8001\"}\n");
    assert_string_equal(c->server, "http://h:8001");
    ks_kube_config_free(c);
    c = parse(HEAD "current-context: x\ncontexts:\n- name: x\n  context: {cluster: c}\n"
                   "clusters:\n- name: c\n  cluster: {server: \"h:8001/p/\", "
                   "insecure-skip-tls-verify: true}\n");
    assert_string_equal(c->server, "https://h:8001/p");
    assert_true(c->is_insecure);
    ks_kube_config_free(c);
}

static void tokens_and_passwords(void **state)
{
    struct ks_kube_config *c = parse(ONE("", "token: abc.def, tokenFile: run/token"));

    (void)state;
    assert_string_equal(c->token, "abc.def");
    assert_string_equal(c->token_file, "/etc/kube/run/token");
    ks_kube_config_free(c);
    c = parse(ONE("", "username: ann, password: \"p w\""));
    assert_string_equal(c->username, "ann");
    assert_string_equal(c->password, "p w");
    ks_kube_config_free(c);
}

static void impersonation(void **state)
{
    struct ks_kube_config *c =
        parse(ONE("", "token: t, as: ann, as-uid: \"7\", as-groups: [dev, ops], "
                      "as-user-extra: {scopes: [a, b], team: [x]}"));

    (void)state;
    assert_string_equal(c->as_user, "ann");
    assert_string_equal(c->as_uid, "7");
    assert_string_equal(c->as_groups[1], "ops");
    assert_null(c->as_groups[2]);
    assert_string_equal(c->as_extra[2], "scopes");
    assert_string_equal(c->as_extra[3], "b");
    assert_string_equal(c->as_extra[5], "x");
    assert_null(c->as_extra[6]);
    ks_kube_config_free(c);
}

static void exec_plugins(void **state)
{
    struct ks_kube_config *c = parse(
        ONE(", certificate-authority-data: Q0E=, extensions: [{name: "
            "client.authentication.k8s.io/exec, "
            "extension: {audience: me}}]",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/get-token, "
            "args: [-v, \"\"], env: [{name: A, value: \"1=2\"}], installHint: \"apt install it\", "
            "interactiveMode: IfAvailable, provideClusterInfo: true}"));

    (void)state;
    assert_non_null(c->exec);
    assert_string_equal(c->exec->command, "/etc/kube/./bin/get-token");
    assert_string_equal(c->exec->args[0], "-v");
    assert_string_equal(c->exec->args[1], "");
    assert_null(c->exec->args[2]);
    assert_string_equal(c->exec->env[0], "A=1=2");
    assert_null(c->exec->env[1]);
    assert_string_equal(c->exec->install_hint, "apt install it");
    assert_string_equal(c->exec->cluster_json,
                        "{\"server\":\"https://h:6443\",\"certificate-authority-data\":\"Q0E=\","
                        "\"config\":{\"audience\":\"me\"}}");
    ks_kube_config_free(c);
    c = parse(
        ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: get-token}"));
    assert_string_equal(c->exec->command, "get-token");
    assert_null(c->exec->args[0]);
    assert_null(c->exec->env[0]);
    assert_null(c->exec->cluster_json);
    ks_kube_config_free(c);
    /* Another credential of the user counts. */
    c = parse(ONE("", "token: t, exec: {apiVersion: nonsense}"));
    assert_null(c->exec);
    ks_kube_config_free(c);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {ONE(", certificate-authority: f, certificate-authority-data: Q0E=", ""), "both given"},
        {ONE("", "client-certificate: f, client-certificate-data: Q0E=, client-key-data: Q0E="),
         "both given"},
        {ONE(", certificate-authority-data: \"***\"", ""), "is not base64"},
        {ONE(", certificate-authority-data: AEEA", ""), "no PEM"},
        {ONE(", certificate-authority-data: Q0E=, insecure-skip-tls-verify: true", ""),
         "insecure-skip-tls-verify"},
        {ONE(", insecure-skip-tls-verify: maybe", ""), "neither true nor false"},
        {ONE(", proxy-url: \"ftp://p\"", ""), "proxy-url"},
        {ONE(", proxy-url: \"http://p\\r\\nX: y\"", ""), "proxy-url"},
        {ONE(", tls-server-name: [a]", ""), "tls-server-name is no string"},
        {ONE("", "client-key-data: Q0E="), "without client-certificate"},
        {ONE("", "client-certificate-data: Q0E="), "without client-key"},
        {ONE("", "token: 12345"), "token is no string: put quotes"},
        {ONE("", "token: \"a b\""), "no bearer token"},
        {ONE("", "token: \"a\\r\\nImpersonate-User: admin\""), "no bearer token"},
        {ONE("", "token: \"a\\0b\""), "zero byte"},
        {ONE("", "token: t, username: u"), "keep one"},
        {ONE("", "tokenFile: t, username: u"), "keep one"},
        {ONE("", "password: p"), "without username"},
        {ONE("", "username: \"a:b\""), "colon"},
        {ONE("", "auth-provider: {name: gcp}"), "removed from Kubernetes"},
        {ONE("", "as-uid: \"1\""), "without as"},
        {ONE("", "as-groups: [a]"), "without as"},
        {ONE("", "as-user-extra: {a: [b]}"), "without as"},
        {ONE("", "as: \"a\\nb\""), "header"},
        {ONE("", "as: a, as-groups: [\"b\\r\\n\"]"), "header"},
        {ONE("", "as: a, as-groups: b"), "as-groups is no list"},
        {ONE("", "as: a, as-user-extra: {a: b}"), "as-user-extra"},
        {ONE("", "exec: {}"), "exec.apiVersion"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}"),
         "exec.apiVersion"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1, command: x}"),
         "interactiveMode is missing"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always, "
                 "command: x}"),
         "wants a terminal"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}"),
         "exec.command is missing"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: x, env: "
                 "[{name: a=b}]}"),
         "exec.env"},
        {ONE("", "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: x, args: [1]}"),
         "args is no string"},
        {HEAD "contexts:\n" CONTEXT("a", "c", "u"),
         "/etc/kube/config has no current-context: choose one with --context; there is: a"},
        {HEAD, "/etc/kube/config has none of a kubeconfig's members (clusters, users, contexts, "
               "current-context), so it names no cluster: name another file with --kubeconfig"},
        {"", "/etc/kube/config is empty, so it names no cluster: name another file"},
        {"# nothing\n", "/etc/kube/config is empty"},
        {"metadata: []\n", "/etc/kube/config has none of a kubeconfig's members"},
        {HEAD "clusters: []\n", "/etc/kube/config has no contexts"},
        {HEAD "current-context: a\n",
         "there is no context \"a\": /etc/kube/config has no contexts"},
        {"clusters: 5\n", "/etc/kube/config is no kubeconfig: its clusters are no list; mend them"},
        {"users: \"x\"\n", "its users are no list"},
        {"contexts: {}\n", "its contexts are no list"},
        {"clusters: [5]\n", "clusters[0] is no map with a name and a cluster"},
        {"contexts: [{}, {name: a, context: x}]\n", "contexts[1].context is no map"},
        {"kind: Secret\n", "/etc/kube/config is no kubeconfig: its kind is Secret, where Config "
                           "belongs; name another file with --kubeconfig or KUBECONFIG"},
        {"kind: 5\n", "its kind is no text"},
        {"current-context: 5\n", "its current-context is no text"},
        {"[]", "it holds a list"},
        {"some words", "it is plain text"},
        {"\"a\"", "it is plain text"},
        {"7", "it is plain text"},
        {"a: [", "is no kubeconfig"},
        {HEAD "current-context: nowhere\ncontexts:\n" CONTEXT("a", "c", "u") CONTEXT("b", "c", "u"),
         "there is no context \"nowhere\" in /etc/kube/config; there is: a, b"},
        {HEAD "current-context: a\ncontexts:\n" CONTEXT("a", "c", "u"),
         "the cluster \"c\", which does not exist"},
        {HEAD "current-context: a\ncontexts:\n- name: a\n  context: {user: u}\n",
         "it names no cluster"},
        {HEAD "current-context: a\ncontexts:\n" CONTEXT("a", "c",
                                                        "u") "clusters:\n- name: c\n  cluster: "
                                                             "{server: \"https://h\"}\n",
         "the user \"u\", which does not exist"},
        {HEAD "current-context: a\ncontexts:\n- name: a\n  context: {cluster: c}\nclusters:\n- "
              "name: c\n  "
              "cluster: {}\n",
         "server is missing"},
        {HEAD "current-context: a\ncontexts:\n- name: a\n  context: {cluster: c}\nclusters:\n- "
              "name: c\n  "
              "cluster: {server: \"gopher://h\"}\n",
         "scheme"},
        {HEAD "current-context: a\ncontexts:\n" CONTEXT("a", "c", "u") CONTEXT("a", "d", "u"),
         "names the context \"a\" twice"},
        {HEAD "current-context: a\ncontexts:\n" CONTEXT(
             "a", "c", "u") "clusters:\n- name: c\n  cluster: "
                            "{server: \"http://h\"}\nusers:\n- name: u\n  user: {token: t}\n",
         "is not encrypted"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++)
        assert_says(parse_refused(rows[i].text), rows[i].says);
}

static const char *bytes_refused(struct ks_str text)
{
    static struct ks_error err;
    struct ks_kube_config *c = NULL;

    err = (struct ks_error){.rc = KS_RC_OK};
    assert_int_equal(ks_kube_config_parse(text, "/etc/kube/config", NULL, false, &c, &err),
                     KS_RC_CONFIG);
    return err.msg;
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    assert_says(bytes_refused(KS_LIT("\x7f"
                                     "ELF\x02\0\0")),
                "/etc/kube/config is no kubeconfig: it is a binary file; name another file");
    assert_says(bytes_refused(KS_LIT("\xff\xfek\0i\0")), "its text is UTF-16; save it as UTF-8");
}

static void secrets_stay_out_of_messages(void **state)
{
    (void)state;
    assert_null(strstr(parse_refused(ONE("", "token: \"hunter2 x\"")), "hunter2"));
    assert_null(
        strstr(parse_refused(ONE("", "username: a, password: hunter2, token: t")), "hunter2"));
    assert_null(strstr(parse_refused("token: hunter2\n\tx"), "hunter2"));
}

static void files_are_read_beside_the_kubeconfig(void **state)
{
    struct folder *f = *state;
    struct ks_kube_config *c;

    assert_int_equal(mkdir(in_folder(f, "sub"), 0700), 0);
    file_put(f, "sub/ca.pem", "the CA");
    file_put(f, "cert.pem", "the certificate");
    file_put(f, "key.pem", "the key");
    file_put(f, "sub/config",
             ONE(", certificate-authority: ca.pem",
                 "client-certificate: ../cert.pem, client-key: ../key.pem"));
    c = load(in_folder(f, "sub/config"), NULL);
    assert_string_equal(c->ca_pem, "the CA");
    assert_string_equal(c->ca_file, in_folder(f, "sub/ca.pem"));
    assert_string_equal(c->cert_pem, "the certificate");
    assert_string_equal(c->key_pem, "the key");
    assert_string_equal(c->key_file, in_folder(f, "sub/../key.pem"));
    ks_kube_config_free(c);
    (void)unlink(in_folder(f, "key.pem"));
    assert_says(refused(in_folder(f, "sub/config"), NULL, KS_RC_CONFIG), "key.pem: No such file");
}

static void an_explicit_file_has_to_be_there(void **state)
{
    struct folder *f = *state;
    const char *path = in_folder(f, "config");

    env_kubeconfig = file_put(f, "a", ONE("", "token: other"));
    assert_says(refused(path, NULL, KS_RC_CONFIG), "config: No such file");
    assert_says(refused(f->path, NULL, KS_RC_CONFIG), "Is a directory");
}

static void an_unreadable_file_is_an_error(void **state)
{
    struct folder *f = *state;

    env_kubeconfig = file_put(f, "a", ONE("", "token: t"));
    assert_int_equal(chmod(env_kubeconfig, 0), 0);
    if (access(env_kubeconfig, R_OK) == 0)
        return; /* root reads everything */
    assert_says(refused(NULL, NULL, KS_RC_CONFIG), "Permission denied");
}

static void an_unparsable_file_never_makes_us_somebody_else(void **state)
{
    struct folder *f = *state;
    char list[600];

    file_put(f, "a", "current-context: [\n");
    file_put(f, "b", ONE("", "token: b"));
    (void)snprintf(list, sizeof(list), "%s:%s", in_folder(f, "b"), in_folder(f, "a"));
    env_kubeconfig = list;
    assert_says(refused(NULL, NULL, KS_RC_CONFIG), "/a is no kubeconfig");
}

static void the_first_file_wins_whole_entries(void **state)
{
    struct folder *f = *state;
    struct ks_kube_config *c;
    char list[1200];

    file_put(f, "a",
             HEAD "contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: from-a}\n"
                  "clusters:\n- name: c\n  cluster: {server: \"https://a\"}\n");
    file_put(f, "b",
             HEAD "current-context: here\ncontexts:\n" CONTEXT("here", "zzz", "zzz") CONTEXT(
                 "there", "c", "u") "clusters:\n- name: c\n  cluster: {server: \"https://b\", "
                                    "tls-server-name: from-b}\n"
                                    "users:\n- name: u\n  user: {token: from-b, tokenFile: t}\n");
    (void)snprintf(list, sizeof(list), ":%s:%s::%s:%s", in_folder(f, "a"), in_folder(f, "missing"),
                   in_folder(f, "b"), in_folder(f, "a"));
    env_kubeconfig = list;
    c = load(NULL, NULL);
    assert_string_equal(c->server, "https://a");
    assert_null(c->tls_server_name);
    assert_string_equal(c->ns, "from-a");
    assert_string_equal(c->token, "from-b");
    assert_string_equal(c->token_file, in_folder(f, "t"));
    ks_kube_config_free(c);
    c = load(NULL, "there");
    assert_string_equal(c->ns, "default");
    assert_non_null(strstr(c->origin, "/b, context there"));
    ks_kube_config_free(c);
    assert_says(refused(NULL, "nowhere", KS_RC_CONFIG),
                "and the other files; there is: here, here, there");
}

static void the_home_folder_comes_after_the_environment(void **state)
{
    struct folder *f = *state;
    struct ks_kube_config *c;

    env_home = f->path;
    assert_int_equal(mkdir(in_folder(f, ".kube"), 0700), 0);
    file_put(f, ".kube/config", ONE("", "token: home"));
    c = load(NULL, NULL);
    assert_string_equal(c->token, "home");
    ks_kube_config_free(c);
    env_kubeconfig = file_put(f, "a", ONE("", "token: env"));
    c = load(NULL, NULL);
    assert_string_equal(c->token, "env");
    ks_kube_config_free(c);
}

static void nothing_configured_names_the_places(void **state)
{
    struct folder *f = *state;
    const char *message = refused(NULL, NULL, KS_RC_NOTFOUND);

    assert_says(message, "KUBECONFIG");
    assert_says(message, "~/.kube/config");
    assert_says(message, "no Pod");
    assert_says(message, "--kubeconfig");
    env_kubeconfig = in_folder(f, "missing");
    assert_says(refused(NULL, NULL, KS_RC_NOTFOUND), "missing");
}

static ks_rc in_cluster_load(struct folder *f, struct ks_kube_config **out, struct ks_error *err)
{
    return ks_kube_config_load(
        &(struct ks_kube_config_options){.getenv_fn = test_getenv, .service_account_dir = f->path},
        out, err);
}

static void a_pod_uses_its_service_account(void **state)
{
    struct folder *f = *state;
    struct ks_kube_config *c = NULL;
    struct ks_error err = {0};

    env_host = "fd00::1";
    env_port = "443";
    assert_int_equal(in_cluster_load(f, &c, &err), KS_RC_CONFIG);
    assert_says(err.msg, "automountServiceAccountToken");
    file_put(f, "token", "abc\n");
    file_put(f, "ca.crt", "CA");
    file_put(f, "namespace", "team-a\n");
    assert_int_equal(in_cluster_load(f, &c, &err), KS_RC_OK);
    assert_string_equal(c->origin, "in-cluster");
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->ns, "team-a");
    assert_string_equal(c->ca_pem, "CA");
    assert_string_equal(c->token_file, in_folder(f, "token"));
    assert_null(c->token);
    assert_true(c->is_in_cluster);
    ks_kube_config_free(c);
    env_namespace = "team-b";
    assert_int_equal(in_cluster_load(f, &c, &err), KS_RC_OK);
    assert_string_equal(c->ns, "team-b");
    ks_kube_config_free(c);
    c = NULL;
    file_put(f, "token", " \n");
    assert_int_equal(in_cluster_load(f, &c, &err), KS_RC_CONFIG);
    assert_says(err.msg, "token is empty");
    /* A kubeconfig comes first. */
    env_kubeconfig = file_put(f, "a", ONE("", "token: t"));
    assert_int_equal(in_cluster_load(f, &c, &err), KS_RC_OK);
    assert_false(c->is_in_cluster);
    ks_kube_config_free(c);
}

static void sizes_have_ceilings(void **state)
{
    struct folder *f = *state;
    size_t len = ((size_t)1 << 20) + 2;
    char *text = ks_alloc(len);
    struct ks_buf list;

    assert_non_null(text);
    memset(text, '#', len - 1);
    text[len - 1] = '\0';
    file_put(f, "config", text);
    ks_free(text);
    assert_says(refused(in_folder(f, "config"), NULL, KS_RC_CONFIG), "larger than");
    ks_buf_init(&list, (size_t)1 << 16);
    env_home = f->path;
    for (int i = 0; i < 17; i++) /* the same file under 17 names */
        assert_int_equal(ks_buf_appendf(&list, "%s/%.*s/a:", f->path, 2 * i + 1,
                                        "./././././././././././././././././"),
                         KS_RC_OK);
    file_put(f, "a", HEAD);
    env_kubeconfig = list.data;
    assert_says(refused(NULL, NULL, KS_RC_CONFIG), "more than 16 files");
    ks_buf_fini(&list);
}

static void tortured_parse(void *ctx)
{
    static const char text[] =
        ONE(", certificate-authority-data: Q0E=, proxy-url: \"http://p\"",
            "as: a, as-groups: [b], as-user-extra: {k: [v]}, exec: {apiVersion: "
            "client.authentication.k8s.io/v1beta1, command: ./x, args: [a], env: [{name: NAME, "
            "value: v}], "
            "provideClusterInfo: true}");
    struct ks_kube_config *config = NULL;
    struct ks_error err = {0};
    ks_rc rc = ks_kube_config_parse(ks_str_from(text), "/etc/config", NULL,
                                    /* may_read_files= */ false, &config, &err);

    (void)ctx;
    if (rc && rc != KS_RC_NOMEM)
        fail_msg("%s", err.msg);
    if (!rc)
        assert_string_equal(config->exec->command, "/etc/./x");
    ks_kube_config_free(config);
}

static void tortured_load(void *ctx)
{
    struct ks_kube_config *config = NULL;
    struct ks_error err = {0};
    ks_rc rc = in_cluster_load(ctx, &config, &err);

    if (rc && rc != KS_RC_NOMEM)
        fail_msg("%s", err.msg);
    ks_kube_config_free(config);
}

static void no_memory_is_told(void **state)
{
    struct folder *f = *state;

    assert_true(ks_torture(tortured_parse, NULL) > 20);
    env_host = "h";
    env_port = "1";
    file_put(f, "token", "t");
    file_put(f, "ca.crt", "CA");
    assert_true(ks_torture(tortured_load, f) > 5);
    env_kubeconfig = file_put(f, "a", ONE("", "token: t"));
    assert_true(ks_torture(tortured_load, f) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_fields),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(bare_hosts_get_a_scheme),
        cmocka_unit_test(tokens_and_passwords),
        cmocka_unit_test(impersonation),
        cmocka_unit_test(exec_plugins),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(secrets_stay_out_of_messages),
        cmocka_unit_test_setup_teardown(files_are_read_beside_the_kubeconfig, setup, teardown),
        cmocka_unit_test_setup_teardown(an_explicit_file_has_to_be_there, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unreadable_file_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unparsable_file_never_makes_us_somebody_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_first_file_wins_whole_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(the_home_folder_comes_after_the_environment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_configured_names_the_places, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pod_uses_its_service_account, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_have_ceilings, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
