/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In-cluster configuration. The token is a projected file that the kubelet replaces: it is named
 * here and read by auth.c. It has to be readable now, so that a Pod without one hears so at its
 * start.
 *
 * Thread: any.
 */
#include "kube/incluster.h"

#include "base/alloc.h"
#include "base/file.h"
#include "kube/server_url.h"
#include "kube/stanza.h"

static ks_rc path_join(const char *dir, const char *name, char **out, struct ks_error *err)
{
    struct ks_buf path;
    ks_rc rc;

    ks_buf_init(&path, 4096);
    rc = ks_buf_appendf(&path, "%s/%s", dir, name);
    if (!rc)
        *out = ks_buf_take(&path);
    ks_buf_fini(&path);
    return rc ? ks_stanza_no_memory(err) : KS_RC_OK;
}

static ks_rc content_read(const char *path, char **out, struct ks_error *err)
{
    struct ks_error why = {0};
    struct ks_buf content;
    ks_rc rc;

    ks_buf_init(&content, KS_CONFIG_FILE_MAX);
    rc = ks_file_read(path, &content, &why);
    if (!rc && !ks_str_trim(ks_buf_str(&content)).len)
        rc = ks_fail(&why, KS_RC_CONFIG, "%s is empty", path);
    if (!rc)
        *out = ks_buf_take(&content);
    ks_buf_fini(&content);
    if (rc == KS_RC_NOMEM)
        return ks_stanza_no_memory(err);
    return rc ? ks_fail(err, KS_RC_CONFIG,
                        "this is a Pod, but its service account cannot be used: %s; does it set "
                        "automountServiceAccountToken: false?",
                        why.msg)
              : KS_RC_OK;
}

/* The token's file is read once to see that it can be. */
static ks_rc account_read(const char *dir, struct ks_kube_config *config, struct ks_error *err)
{
    char *token = NULL;
    ks_rc rc = path_join(dir, "token", &config->token_file, err);

    if (!rc)
        rc = path_join(dir, "ca.crt", &config->ca_file, err);
    if (!rc)
        rc = content_read(config->token_file, &token, err);
    if (token)
        ks_free_secret(token, strlen(token));
    return rc ? rc : content_read(config->ca_file, &config->ca_pem, err);
}

static ks_rc namespace_read(const char *dir, const char *from_env, struct ks_kube_config *config,
                            struct ks_error *err)
{
    KS_CLEANUP(ks_freep) char *path = NULL;
    struct ks_buf content;
    struct ks_str ns = ks_str_from(from_env);
    ks_rc rc = path_join(dir, "namespace", &path, err);

    if (rc)
        return rc;
    ks_buf_init(&content, 256);
    if (!ns.len && !ks_file_read(path, &content, NULL))
        ns = ks_str_trim(ks_buf_str(&content));
    config->ns = ks_str_dup(ns.len ? ns : KS_LIT("default"));
    ks_buf_fini(&content);
    return config->ns ? KS_RC_OK : ks_stanza_no_memory(err);
}

static ks_rc server_build(const char *host, const char *port, struct ks_kube_config *config,
                          struct ks_error *err)
{
    bool is_v6 = strchr(host, ':') != NULL;
    struct ks_buf url;
    ks_rc rc;

    ks_buf_init(&url, 1024);
    rc = ks_buf_appendf(&url, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
    if (!rc)
        rc = ks_server_url_normalize(ks_buf_str(&url), KS_SERVER_URL_HTTPS, &config->server, err);
    else
        rc = rc == KS_RC_NOMEM ? ks_stanza_no_memory(err)
                               : ks_fail(err, KS_RC_CONFIG, "KUBERNETES_SERVICE_HOST is too long");
    ks_buf_fini(&url);
    return rc;
}

static void config_freep(struct ks_kube_config **config)
{
    ks_kube_config_free(*config);
}

ks_rc ks_incluster_load(const char *(*getenv_fn)(const char *name), const char *dir,
                        struct ks_kube_config **out, struct ks_error *err)
{
    KS_CLEANUP(config_freep) struct ks_kube_config *config = NULL;
    const char *host = getenv_fn("KUBERNETES_SERVICE_HOST");
    const char *port = getenv_fn("KUBERNETES_SERVICE_PORT");
    ks_rc rc;

    if (!host || !host[0] || !port || !port[0])
        return ks_fail(err, KS_RC_NOTFOUND, "this is no Pod of a cluster");
    config = ks_alloc0(sizeof(*config));
    if (!config)
        return ks_stanza_no_memory(err);
    config->is_in_cluster = true;
    config->origin = ks_strdup("in-cluster");
    rc = config->origin ? server_build(host, port, config, err) : ks_stanza_no_memory(err);
    if (!rc)
        rc = account_read(dir, config, err);
    if (!rc)
        rc = namespace_read(dir, getenv_fn("POD_NAMESPACE"), config, err);
    if (rc)
        return rc;
    *out = KS_TAKE(config);
    return KS_RC_OK;
}
