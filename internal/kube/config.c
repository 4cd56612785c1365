/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a configuration comes from: an explicit file, else the files of $KUBECONFIG, else
 * ~/.kube/config, else the Pod's service account. The first of these that exists decides; a file
 * that is there but cannot be used is an error and never makes us somebody else.
 *
 * Thread: any.
 */
#include "kube/config.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "kube/incluster.h"
#include "kube/kubeconfig.h"
#include "kube/stanza.h"

static const char *process_getenv(const char *name)
{
    return getenv(name);
}

static void secret_free(char *text)
{
    if (text)
        ks_free_secret(text, strlen(text));
}

static void exec_free(struct ks_exec_config *exec)
{
    if (!exec)
        return;
    ks_free(exec->api_version);
    ks_free(exec->command);
    ks_texts_free(exec->args);
    ks_texts_free(exec->env);
    ks_free(exec->install_hint);
    ks_free(exec->cluster_json);
    ks_free(exec);
}

struct ks_kube_config *ks_kube_config_free(struct ks_kube_config *config)
{
    if (!config)
        return NULL;
    ks_free(config->origin);
    ks_free(config->server);
    ks_free(config->ns);
    ks_free(config->tls_server_name);
    ks_free(config->ca_pem);
    ks_free(config->cert_pem);
    secret_free(config->key_pem);
    ks_free(config->ca_file);
    ks_free(config->cert_file);
    ks_free(config->key_file);
    secret_free(config->token);
    ks_free(config->token_file);
    secret_free(config->username);
    secret_free(config->password);
    secret_free(config->proxy_url); /* may hold a password */
    exec_free(config->exec);
    ks_free(config->as_user);
    ks_free(config->as_uid);
    ks_texts_free(config->as_groups);
    ks_texts_free(config->as_extra);
    ks_free(config);
    return NULL;
}

static void kubeconfig_freep(struct ks_kubeconfig **k)
{
    ks_kubeconfig_free(*k);
}

ks_rc ks_kube_config_parse(struct ks_str text, const char *path, const char *context,
                           bool may_read_files, struct ks_kube_config **out, struct ks_error *err)
{
    KS_CLEANUP(kubeconfig_freep) struct ks_kubeconfig *k = NULL;
    ks_rc rc = ks_kubeconfig_new(&k, err);

    if (!rc)
        rc = ks_kubeconfig_add(k, text, path, err);
    return rc ? rc : ks_kubeconfig_resolve(k, context, may_read_files, out, err);
}

/* KS_RC_NOTFOUND when the file is not there, with the message of any other failure. */
static ks_rc file_add(struct ks_kubeconfig *k, const char *path, struct ks_error *err)
{
    struct ks_error why = {0};
    struct ks_buf content;
    ks_rc rc;

    ks_buf_init(&content, KS_CONFIG_FILE_MAX);
    rc = ks_file_read(path, &content, &why);
    if (!rc)
        rc = ks_kubeconfig_add(k, ks_buf_str(&content), path, err);
    else if (rc == KS_RC_NOMEM)
        rc = ks_stanza_no_memory(err);
    else
        rc = ks_fail(err, rc == KS_RC_NOTFOUND ? rc : KS_RC_CONFIG, "kubeconfig: %s", why.msg);
    if (content.data)
        explicit_bzero(content.data, content.len);
    ks_buf_fini(&content);
    return rc;
}

/* Whether the list names the same file further left. */
static bool is_repeated(struct ks_str list, struct ks_str part)
{
    struct ks_str rest = ks_str_make(list.ptr, (size_t)(part.ptr - list.ptr));
    struct ks_str earlier;

    while (ks_str_split(&rest, ':', &earlier)) {
        if (ks_str_eq(earlier, part))
            return true;
    }
    return false;
}

/* Files that are missing are passed over. */
static ks_rc files_add(struct ks_kubeconfig *k, struct ks_str list, size_t *found,
                       struct ks_error *err)
{
    struct ks_str rest = list;
    struct ks_str part;

    while (ks_str_split(&rest, ':', &part)) {
        KS_CLEANUP(ks_freep) char *path = NULL;
        ks_rc rc;

        if (!part.len || is_repeated(list, part))
            continue;
        path = ks_str_dup(part);
        if (!path)
            return ks_stanza_no_memory(err);
        rc = file_add(k, path, err);
        if (rc && rc != KS_RC_NOTFOUND)
            return rc;
        *found += !rc;
    }
    return KS_RC_OK;
}

/* The files of the environment, or of the home folder. */
static ks_rc usual_files_add(struct ks_kubeconfig *k, const char *(*getenv_fn)(const char *name),
                             size_t *found, struct ks_error *err)
{
    const char *list = getenv_fn("KUBECONFIG");
    const char *home = getenv_fn("HOME");
    struct ks_buf path;
    ks_rc rc;

    if (list && list[0])
        return files_add(k, ks_str_from(list), found, err);
    if (!home || !home[0])
        return KS_RC_OK;
    ks_buf_init(&path, 4096);
    rc = ks_buf_appendf(&path, "%s/.kube/config", home);
    rc = rc ? ks_stanza_no_memory(err) : file_add(k, path.data, err);
    *found += !rc;
    ks_buf_fini(&path);
    return rc == KS_RC_NOTFOUND ? KS_RC_OK : rc;
}

static ks_rc fail_nothing(const char *(*getenv_fn)(const char *name), struct ks_error *err)
{
    const char *list = getenv_fn("KUBECONFIG");

    if (list && list[0])
        return ks_fail(err, KS_RC_NOTFOUND,
                       "no cluster is configured: none of the files in KUBECONFIG (%s) exists, and "
                       "this is no Pod; name a file with --kubeconfig",
                       list);
    return ks_fail(
        err, KS_RC_NOTFOUND,
        "no cluster is configured: KUBECONFIG is not set, there is no ~/.kube/config, and "
        "this is no Pod; name a file with --kubeconfig");
}

static ks_rc explicit_load(const struct ks_kube_config_options *options,
                           struct ks_kube_config **out, struct ks_error *err)
{
    KS_CLEANUP(kubeconfig_freep) struct ks_kubeconfig *k = NULL;
    ks_rc rc = ks_kubeconfig_new(&k, err);

    if (!rc)
        rc = file_add(k, options->path, err);
    if (rc == KS_RC_NOTFOUND && err)
        err->rc = KS_RC_CONFIG;
    if (rc)
        return rc == KS_RC_NOTFOUND ? KS_RC_CONFIG : rc;
    return ks_kubeconfig_resolve(k, options->context, /* may_read_files= */ true, out, err);
}

ks_rc ks_kube_config_load(const struct ks_kube_config_options *options, struct ks_kube_config **out,
                          struct ks_error *err)
{
    KS_CLEANUP(kubeconfig_freep) struct ks_kubeconfig *k = NULL;
    const char *(*getenv_fn)(const char *name) =
        options->getenv_fn ? options->getenv_fn : process_getenv;
    const char *account =
        options->service_account_dir ? options->service_account_dir : KS_INCLUSTER_DIR;
    size_t found = 0;
    ks_rc rc;

    if (options->path)
        return explicit_load(options, out, err);
    rc = ks_kubeconfig_new(&k, err);
    if (!rc)
        rc = usual_files_add(k, getenv_fn, &found, err);
    if (rc)
        return rc;
    if (!options->context && !ks_kubeconfig_has_current(k)) {
        rc = ks_incluster_load(getenv_fn, account, out, err);
        if (rc != KS_RC_NOTFOUND)
            return rc;
    }
    if (!found)
        return fail_nothing(getenv_fn, err);
    return ks_kubeconfig_resolve(k, options->context, /* may_read_files= */ true, out, err);
}
