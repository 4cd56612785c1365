/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's exec member: which program gives the credential, and what it is told. shared/spec:
 * informers 4.4.
 *
 * Thread: any.
 */
#include "base/alloc.h"
#include "base/base64.h"
#include "json/path.h"
#include "kube/stanza.h"

#define MAX_ARGS 256
#define MAX_ENV 256
#define MAX_CLUSTER_JSON ((size_t)3 << 20)
#define CLUSTER_EXTENSION "client.authentication.k8s.io/exec"

static const char v1[] = "client.authentication.k8s.io/v1";
static const char v1beta1[] = "client.authentication.k8s.io/v1beta1";

static ks_rc version_read(const struct ks_stanza *s, struct ks_exec_config *exec,
                          struct ks_error *err)
{
    ks_rc rc = ks_stanza_text(s, "apiVersion", &exec->api_version, err);

    if (rc)
        return rc;
    if (!exec->api_version ||
        (strcmp(exec->api_version, v1) != 0 && strcmp(exec->api_version, v1beta1) != 0))
        return ks_stanza_fail(s, err, "exec.apiVersion has to be %s or %s", v1, v1beta1);
    return KS_RC_OK;
}

static ks_rc mode_check(const struct ks_stanza *s, const struct ks_exec_config *exec,
                        struct ks_error *err)
{
    KS_CLEANUP(ks_freep) char *mode = NULL;
    ks_rc rc = ks_stanza_text(s, "interactiveMode", &mode, err);

    if (rc)
        return rc;
    if (!mode && strcmp(exec->api_version, v1) == 0)
        return ks_stanza_fail(s, err, "exec.interactiveMode is missing, which %s demands", v1);
    if (!mode || strcmp(mode, "Never") == 0 || strcmp(mode, "IfAvailable") == 0)
        return KS_RC_OK;
    if (strcmp(mode, "Always") == 0)
        return ks_stanza_fail(s, err,
                              "the exec plugin wants a terminal (interactiveMode Always), "
                              "which a service has not");
    return ks_stanza_fail(s, err, "exec.interactiveMode has to be Never, IfAvailable or Always");
}

/* A command without a slash is looked up in PATH; with one, it is relative to the file. */
static ks_rc command_read(const struct ks_stanza *s, struct ks_exec_config *exec,
                          struct ks_error *err)
{
    ks_rc rc = ks_stanza_text(s, "command", &exec->command, err);

    if (rc)
        return rc;
    if (!exec->command)
        return ks_stanza_fail(s, err, "exec.command is missing");
    if (!strchr(exec->command, '/'))
        return KS_RC_OK;
    ks_free(KS_TAKE(exec->command));
    return ks_stanza_path(s, "command", &exec->command, err);
}

static ks_rc variable_read(const struct ks_stanza *s, struct ks_json_value entry, char **out,
                           struct ks_error *err)
{
    struct ks_str name = ks_json_lenient_str(entry, "name", "");
    struct ks_str value = ks_json_lenient_str(entry, "value", "");
    struct ks_buf text;
    ks_rc rc;

    if (!name.len || ks_str_chr(name, '=') >= 0 || ks_str_chr(name, '\0') >= 0 ||
        ks_str_chr(value, '\0') >= 0)
        return ks_stanza_fail(s, err, "exec.env has an entry without a usable name and value");
    ks_buf_init(&text, KS_CONFIG_FILE_MAX);
    rc = ks_buf_appendf(&text, "%.*s=%.*s", KS_STR_ARGS(name), KS_STR_ARGS(value));
    if (!rc)
        *out = ks_buf_take(&text);
    ks_buf_fini(&text);
    return rc ? ks_stanza_no_memory(err) : KS_RC_OK;
}

static ks_rc env_read(const struct ks_stanza *s, struct ks_exec_config *exec, struct ks_error *err)
{
    struct ks_json_value list = ks_json_get(s->map, "env");
    size_t count = ks_json_type_of(list) == KS_JSON_LIST ? ks_json_count(list) : 0;
    size_t n = 0;
    ks_rc rc = KS_RC_OK;

    if (count > MAX_ENV)
        return ks_stanza_fail(s, err, "exec.env has more than %d entries", MAX_ENV);
    exec->env = ks_alloc_array(count + 1, sizeof(char *));
    if (!exec->env)
        return ks_stanza_no_memory(err);
    for (struct ks_json_value v = ks_json_first(list); !rc && n < count; v = ks_json_next(v))
        rc = variable_read(s, v, &exec->env[n++], err);
    return rc;
}

static ks_rc args_read(const struct ks_stanza *s, struct ks_exec_config *exec, struct ks_error *err)
{
    ks_rc rc = ks_stanza_texts(s, "args", MAX_ARGS, &exec->args, err);

    if (rc || exec->args)
        return rc;
    exec->args = ks_alloc_array(1, sizeof(char *));
    return exec->args ? KS_RC_OK : ks_stanza_no_memory(err);
}

/* The cluster's own word for its plugins, as it stands in the file. */
static struct ks_str extension_of(const struct ks_stanza *cluster)
{
    struct ks_json_value list = ks_json_get(cluster->map, "extensions");

    for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v); v = ks_json_next(v)) {
        if (ks_str_is(ks_json_lenient_str(v, "name", ""), CLUSTER_EXTENSION))
            return ks_json_raw(ks_json_get(v, "extension"));
    }
    return KS_LIT("");
}

static ks_rc text_add(struct ks_buf *out, const char *key, const char *value)
{
    ks_rc rc;

    if (!value)
        return KS_RC_OK;
    rc = ks_buf_appendf(out, ",\"%s\":", key);
    return rc ? rc : ks_buf_append_json(out, ks_str_from(value));
}

static ks_rc ca_add(struct ks_buf *out, const char *ca_pem)
{
    ks_rc rc;

    if (!ca_pem)
        return KS_RC_OK;
    rc = ks_buf_append_str(out, KS_LIT(",\"certificate-authority-data\":\""));
    if (!rc)
        rc = ks_base64_encode(ks_str_from(ca_pem), out);
    return rc ? rc : ks_buf_append_byte(out, '"');
}

static ks_rc cluster_build(const struct ks_stanza *cluster, const struct ks_kube_config *config,
                           struct ks_buf *out)
{
    struct ks_str extension = extension_of(cluster);
    ks_rc rc = ks_buf_append_str(out, KS_LIT("{\"server\":"));

    if (!rc)
        rc = ks_buf_append_json(out, ks_str_from(config->server));
    if (!rc)
        rc = text_add(out, "tls-server-name", config->tls_server_name);
    if (!rc && config->is_insecure)
        rc = ks_buf_append_str(out, KS_LIT(",\"insecure-skip-tls-verify\":true"));
    if (!rc)
        rc = ca_add(out, config->ca_pem);
    if (!rc)
        rc = text_add(out, "proxy-url", config->proxy_url);
    if (!rc && config->no_compression)
        rc = ks_buf_append_str(out, KS_LIT(",\"disable-compression\":true"));
    if (!rc && extension.len)
        rc = ks_buf_appendf(out, ",\"config\":%.*s", KS_STR_ARGS(extension));
    return rc ? rc : ks_buf_append_byte(out, '}');
}

static ks_rc cluster_info_read(const struct ks_stanza *s, const struct ks_stanza *cluster,
                               struct ks_kube_config *config, struct ks_error *err)
{
    struct ks_buf json;
    bool is_wanted;
    ks_rc rc = ks_stanza_flag(s, "provideClusterInfo", &is_wanted, err);

    if (rc || !is_wanted)
        return rc;
    ks_buf_init(&json, MAX_CLUSTER_JSON);
    rc = cluster_build(cluster, config, &json);
    if (!rc)
        config->exec->cluster_json = ks_buf_take(&json);
    ks_buf_fini(&json);
    if (rc == KS_RC_LIMIT)
        return ks_stanza_fail(s, err, "what provideClusterInfo would tell the plugin is too large");
    return rc ? ks_stanza_no_memory(err) : KS_RC_OK;
}

ks_rc ks_stanza_read_exec(const struct ks_stanza *user, const struct ks_stanza *cluster,
                          struct ks_kube_config *config, struct ks_error *err)
{
    struct ks_stanza s = *user;
    struct ks_exec_config *exec;
    ks_rc rc;

    s.map = ks_json_get(user->map, "exec");
    /* Another credential of the same user counts, and the plugin is not run. */
    if (ks_json_type_of(s.map) != KS_JSON_MAP || config->token || config->token_file ||
        config->username || config->cert_pem || config->cert_file)
        return KS_RC_OK;
    exec = ks_alloc0(sizeof(*exec));
    if (!exec)
        return ks_stanza_no_memory(err);
    config->exec = exec;
    rc = version_read(&s, exec, err);
    if (!rc)
        rc = mode_check(&s, exec, err);
    if (!rc)
        rc = command_read(&s, exec, err);
    if (!rc)
        rc = args_read(&s, exec, err);
    if (!rc)
        rc = env_read(&s, exec, err);
    if (!rc)
        rc = ks_stanza_text(&s, "installHint", &exec->install_hint, err);
    return rc ? rc : cluster_info_read(&s, cluster, config, err);
}
