/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of an exec credential plugin: environment, process, answer.
 *
 * The program's environment is ours, less what its stanza overrides, plus KUBERNETES_EXEC_INFO. It
 * never gets a terminal: we are a service, so interactive is false.
 *
 * Invariants: (1) our own environment is not changed; (2) a credential is taken only whole: a token
 * that can go into a header, or a certificate together with its key; (3) what a plugin wrote never
 * appears in a message: it is secret.
 *
 * Thread: the loop's.  It does not cache: that is auth.c's.
 */
#include "kube/exec.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "loop/process.h"
#include "json/json.h"
#include "json/path.h"
#include "kube/token.h"

#define MAX_OUTPUT_BYTES ((size_t)1 << 20)
#define DEADLINE_MS 60000
#define MAX_INFO_BYTES ((size_t)4 << 20)

static const struct ks_json_limits output_limits = {
    .max_bytes = MAX_OUTPUT_BYTES, .max_tokens = 4096, .max_depth = 32};

struct ks_exec {
    const struct ks_exec_config *config;
    ks_exec_done done;
    void *ctx;
    struct ks_process *process;
};

static ks_rc refuse(struct ks_error *err, const char *what)
{
    return ks_fail(err, KS_RC_UNAUTHENTICATED, "the credential plugin's answer %s", what);
}

ks_rc ks_exec_credential_parse(struct ks_json *json, struct ks_str text, const char *api_version,
                               struct ks_exec_credential *out, struct ks_error *err)
{
    struct ks_exec_credential c = {.expires_wall_ms = KS_EXEC_NO_EXPIRY};
    struct ks_json_value root;
    struct ks_str expiry;

    if (ks_json_parse(json, text, NULL))
        return refuse(err, "is not JSON");
    root = ks_json_root(json);
    if (!ks_str_is(ks_json_lenient_str(root, "kind", ""), "ExecCredential"))
        return refuse(err, "is not an ExecCredential");
    if (!ks_str_is(ks_json_lenient_str(root, "apiVersion", ""), api_version))
        return refuse(err, "has another apiVersion than the kubeconfig asks for");
    c.token = ks_json_lenient_str(root, "status.token", "");
    c.cert_pem = ks_json_lenient_str(root, "status.clientCertificateData", "");
    c.key_pem = ks_json_lenient_str(root, "status.clientKeyData", "");
    expiry = ks_json_lenient_str(root, "status.expirationTimestamp", "");
    if (ks_json_out_of_memory(json))
        return ks_fail(err, KS_RC_NOMEM, "no memory for the credential plugin's answer");
    if (expiry.len && !ks_rfc3339_parse(expiry, &c.expires_wall_ms))
        return refuse(err, "has an expirationTimestamp that is no RFC 3339 time");
    if (!c.cert_pem.len != !c.key_pem.len)
        return refuse(err, "has a certificate without its key, or a key alone");
    if (!c.token.len && !c.cert_pem.len)
        return refuse(err, "holds neither a token nor a certificate");
    if (c.token.len && !ks_token_is_valid(c.token))
        return refuse(err, "has a token with characters that no bearer token may have");
    *out = c;
    return KS_RC_OK;
}

static void json_freep(struct ks_json **json)
{
    ks_json_free(*json);
}

/* Frees the run, then tells: the owner may start another one from within done. */
static void exec_finish(struct ks_exec *exec, ks_rc rc, const struct ks_exec_credential *credential,
                        const struct ks_error *err)
{
    ks_exec_done done = exec->done;
    void *ctx = exec->ctx;

    ks_free(exec);
    done(ctx, rc, credential, err);
}

static void on_process_done(void *ctx, ks_rc rc, struct ks_str out, const struct ks_error *err)
{
    struct ks_exec *exec = ctx;
    KS_CLEANUP(json_freep) struct ks_json *json = NULL;
    struct ks_exec_credential credential = {0};
    struct ks_error failure = {0};

    if (rc) {
        ks_fail(&failure, KS_RC_UNAUTHENTICATED, "credential plugin: %s", err->msg);
        exec_finish(exec, KS_RC_UNAUTHENTICATED, NULL, &failure);
        return;
    }
    rc = ks_json_new(&output_limits, &json, &failure);
    if (!rc)
        rc = ks_exec_credential_parse(json, out, exec->config->api_version, &credential, &failure);
    if (rc)
        ks_wrap(&failure, rc, "%s", exec->config->command);
    exec_finish(exec, rc, rc ? NULL : &credential, rc ? &failure : NULL);
}

static struct ks_str name_of(const char *assignment)
{
    struct ks_str all = ks_str_from(assignment);
    ptrdiff_t equals = ks_str_chr(all, '=');

    return equals < 0 ? all : ks_str_sub(all, 0, (size_t)equals);
}

static bool has_name(char *const *env, size_t count, struct ks_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (ks_str_eq(name_of(env[i]), name))
            return true;
    }
    return false;
}

static ks_rc info_build(const struct ks_exec_config *config, struct ks_buf *out)
{
    ks_rc rc = ks_buf_appendf(out,
                              "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\","
                              "\"apiVersion\":\"%s\",\"spec\":{\"interactive\":false",
                              config->api_version);

    if (!rc && config->cluster_json)
        rc = ks_buf_appendf(out, ",\"cluster\":%s", config->cluster_json);
    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT("}}"));
    return rc;
}

static size_t count_of(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* The array is the caller's to free; its strings are borrowed from info, config and the process. */
static char **env_build(const struct ks_exec_config *config, char *info)
{
    size_t own = count_of(config->env);
    char **env = ks_alloc_array(own + count_of(environ) + 2, sizeof(*env));
    size_t n = 0;

    if (!env)
        return NULL;
    env[n++] = info;
    for (size_t i = 0; i < own; i++)
        env[n++] = config->env[i];
    own = n;
    for (size_t i = 0; environ && environ[i]; i++) {
        if (!has_name(env, own, name_of(environ[i])))
            env[n++] = environ[i];
    }
    return env;
}

static char **argv_build(const struct ks_exec_config *config)
{
    size_t count = count_of(config->args);
    char **argv = ks_alloc_array(count + 2, sizeof(*argv));

    if (!argv)
        return NULL;
    argv[0] = config->command;
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = config->args[i];
    return argv;
}

static ks_rc process_start(struct ks_loop *loop, struct ks_exec *exec, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf info = KS_BUF(MAX_INFO_BYTES);
    KS_CLEANUP(ks_freep) char **argv = argv_build(exec->config);
    KS_CLEANUP(ks_freep) char **env = NULL;
    ks_rc rc;

    rc = info_build(exec->config, &info);
    if (rc)
        return ks_fail(err, rc, "the credential plugin's environment is too large");
    env = env_build(exec->config, info.data);
    if (!argv || !env)
        return ks_fail(err, KS_RC_NOMEM, "no memory to run a credential plugin");
    return ks_process_start(loop,
                            &(struct ks_process_config){
                                .file = exec->config->command,
                                .argv = (const char *const *)argv,
                                .env = (const char *const *)env,
                                .max_stdout_bytes = MAX_OUTPUT_BYTES,
                                .deadline_ms = DEADLINE_MS,
                            },
                            on_process_done, exec, &exec->process, err);
}

ks_rc ks_exec_start(struct ks_loop *loop, const struct ks_exec_config *config, ks_exec_done done,
                    void *ctx, struct ks_exec **out, struct ks_error *err)
{
    KS_CLEANUP(ks_freep) struct ks_exec *exec = ks_alloc0(sizeof(*exec));
    struct ks_error failure = {0};
    ks_rc rc;

    if (!exec)
        return ks_fail(err, KS_RC_NOMEM, "no memory to run a credential plugin");
    exec->config = config;
    exec->done = done;
    exec->ctx = ctx;
    rc = process_start(loop, exec, &failure);
    if (rc == KS_RC_NOTFOUND)
        return ks_fail(err, KS_RC_UNAUTHENTICATED,
                       "the credential plugin %s that the kubeconfig names is not installed%s%s",
                       config->command, config->install_hint ? ": " : "",
                       config->install_hint ? config->install_hint : "");
    if (rc)
        return ks_fail(err, rc, "credential plugin: %s", failure.msg);
    *out = KS_TAKE(exec);
    return KS_RC_OK;
}

void ks_exec_cancel(struct ks_exec *exec)
{
    if (!exec)
        return;
    ks_process_cancel(exec->process);
    ks_free(exec);
}
