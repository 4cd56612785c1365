/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig's cluster entry: server, trust, proxy.
 *
 * Thread: any; reads the CA file.
 */
#include "base/alloc.h"
#include "kube/server_url.h"
#include "kube/stanza.h"

static const char *const proxy_schemes[] = {"http://", "https://", "socks5://", "socks5h://"};

static ks_rc proxy_check(const struct ks_stanza *s, const char *url, struct ks_error *err)
{
    struct ks_str text = ks_str_from(url);

    if (!url)
        return KS_RC_OK;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f)
            return ks_stanza_fail(s, err, "proxy-url has characters that no URL has");
    }
    for (size_t i = 0; i < KS_ARRAY_LEN(proxy_schemes); i++) {
        if (ks_str_starts(text, ks_str_from(proxy_schemes[i])))
            return KS_RC_OK;
    }
    return ks_stanza_fail(s, err, "proxy-url is none of http, https, socks5 and socks5h");
}

static ks_rc server_read(const struct ks_stanza *s, struct ks_kube_config *config,
                         struct ks_error *err)
{
    KS_CLEANUP(ks_freep) char *server = NULL;
    struct ks_error why = {0};
    bool has_tls =
        config->ca_pem || config->ca_file || config->tls_server_name || config->is_insecure;
    ks_rc rc = ks_stanza_text(s, "server", &server, err);

    if (rc)
        return rc;
    if (!server)
        return ks_stanza_fail(s, err, "server is missing: it needs the API server's URL");
    rc = ks_server_url_normalize(ks_str_from(server),
                                 has_tls ? KS_SERVER_URL_HTTPS : KS_SERVER_URL_HTTP,
                                 &config->server, &why);
    if (rc == KS_RC_NOMEM)
        return ks_stanza_no_memory(err);
    return rc ? ks_stanza_fail(s, err, "%s", why.msg) : KS_RC_OK;
}

ks_rc ks_stanza_read_cluster(const struct ks_stanza *s, struct ks_kube_config *config,
                             struct ks_error *err)
{
    ks_rc rc = ks_stanza_flag(s, "insecure-skip-tls-verify", &config->is_insecure, err);

    if (!rc)
        rc = ks_stanza_flag(s, "disable-compression", &config->no_compression, err);
    if (!rc)
        rc = ks_stanza_text(s, "tls-server-name", &config->tls_server_name, err);
    if (!rc)
        rc = ks_stanza_pem(s, "certificate-authority", &config->ca_file, &config->ca_pem, err);
    if (!rc)
        rc = ks_stanza_text(s, "proxy-url", &config->proxy_url, err);
    if (!rc)
        rc = proxy_check(s, config->proxy_url, err);
    if (!rc)
        rc = server_read(s, config, err);
    if (!rc && config->is_insecure && (config->ca_pem || config->ca_file))
        rc = ks_stanza_fail(s, err,
                            "insecure-skip-tls-verify and a certificate-authority are both given: "
                            "remove the first to verify the server");
    return rc;
}
