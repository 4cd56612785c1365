/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority in memory: P-256 keys, a CA certificate, one server certificate signed by
 * it.
 *
 * The model: everything is made anew at each start, so there is no file to protect, to rotate or to
 * forget. Clients trust the CA through the kubeconfig. ALPN speaks h2 alone; a client that offers
 * nothing is let in and will be told by nghttp2's preface check.
 *
 * Thread: one. It does no I/O of its own beyond the kubeconfig: sessions are pumped by conn.c.
 */
#include "tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/file.h"

#define TLS_VALID_SECONDS (10L * 365 * 24 * 3600)
#define TLS_BACKDATED_SECONDS 3600L
#define TLS_KUBECONFIG_MAX_BYTES ((size_t)64 * 1024)

struct sim_tls {
    EVP_PKEY *ca_key;
    X509 *ca;
    EVP_PKEY *key;
    X509 *cert;
    SSL_CTX *ctx;
};

void sim_tls_error_take(char *out, size_t size)
{
    unsigned long code = ERR_get_error();

    if (code)
        ERR_error_string_n(code, out, size);
    else
        snprintf(out, size, "no detail");
    ERR_clear_error();
}

static ks_rc tls_fail(struct ks_error *err, const char *what)
{
    char detail[256];

    sim_tls_error_take(detail, sizeof(detail));
    return ks_fail(err, KS_RC_INTERNAL, "%s: %s", what, detail);
}

static bool name_set(X509_NAME *name, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1;
}

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!ext)
        return false;
    ok = X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool serial_set(X509 *cert)
{
    unsigned char bytes[8];
    uint64_t serial;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    memcpy(&serial, bytes, sizeof(serial));
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1;
}

/* A certificate with everything but its extensions and its signature; NULL on failure. */
static X509 *cert_draft(EVP_PKEY *key, const char *common_name, const X509 *issuer)
{
    X509 *cert = X509_new();
    bool ok;

    if (!cert)
        return NULL;
    ok = X509_set_version(cert, X509_VERSION_3) && serial_set(cert) &&
         X509_gmtime_adj(X509_getm_notBefore(cert), -TLS_BACKDATED_SECONDS) &&
         X509_gmtime_adj(X509_getm_notAfter(cert), TLS_VALID_SECONDS) &&
         X509_set_pubkey(cert, key) && name_set(X509_get_subject_name(cert), common_name) &&
         X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static bool ca_make(struct sim_tls *t)
{
    t->ca_key = EVP_EC_gen("P-256");
    if (!t->ca_key)
        return false;
    t->ca = cert_draft(t->ca_key, "kubesim-ca", NULL);
    return t->ca && extension_add(t->ca, t->ca, NID_basic_constraints, "critical,CA:TRUE") &&
           extension_add(t->ca, t->ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           extension_add(t->ca, t->ca, NID_subject_key_identifier, "hash") &&
           X509_sign(t->ca, t->ca_key, EVP_sha256()) != 0;
}

static void alt_names(const char *host, char *out, size_t size)
{
    struct in6_addr any;
    const char *kind = "DNS";

    snprintf(out, size, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (!host || strpbrk(host, ",:\n") || strcmp(host, "localhost") == 0)
        return;
    if (inet_pton(AF_INET, host, &any) == 1)
        kind = "IP";
    snprintf(out, size, "DNS:localhost,IP:127.0.0.1,IP:::1,%s:%s", kind, host);
}

static bool cert_make(struct sim_tls *t, const char *host)
{
    char names[512];

    alt_names(host, names, sizeof(names));
    t->key = EVP_EC_gen("P-256");
    if (!t->key)
        return false;
    t->cert = cert_draft(t->key, "kubesim", t->ca);
    return t->cert && extension_add(t->cert, t->ca, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(t->cert, t->ca, NID_key_usage, "critical,digitalSignature") &&
           extension_add(t->cert, t->ca, NID_ext_key_usage, "serverAuth") &&
           extension_add(t->cert, t->ca, NID_subject_key_identifier, "hash") &&
           extension_add(t->cert, t->ca, NID_authority_key_identifier, "keyid") &&
           extension_add(t->cert, t->ca, NID_subject_alt_name, names) &&
           X509_sign(t->cert, t->ca_key, EVP_sha256()) != 0;
}

static int on_alpn(SSL *ssl KS_UNUSED, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg KS_UNUSED)
{
    static const unsigned char h2[] = {2, 'h', '2'};

    for (unsigned int i = 0; i < in_len; i += 1u + in[i]) {
        if (in[i] == 2 && i + 2 < in_len && memcmp(in + i, h2, sizeof(h2)) == 0) {
            *out = in + i + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool context_make(struct sim_tls *t)
{
    t->ctx = SSL_CTX_new(TLS_server_method());
    if (!t->ctx)
        return false;
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, NULL);
    return SSL_CTX_use_certificate(t->ctx, t->cert) == 1 &&
           SSL_CTX_use_PrivateKey(t->ctx, t->key) == 1;
}

ks_rc sim_tls_new(const char *host, struct sim_tls **out, struct ks_error *err)
{
    struct sim_tls *t = ks_alloc0(sizeof(*t));

    if (!t)
        return ks_fail(err, KS_RC_NOMEM, "TLS");
    if (!ca_make(t) || !cert_make(t, host) || !context_make(t)) {
        sim_tls_free(t);
        return tls_fail(err, "making the server's certificate");
    }
    *out = t;
    return KS_RC_OK;
}

struct sim_tls *sim_tls_free(struct sim_tls *t)
{
    if (!t)
        return NULL;
    SSL_CTX_free(t->ctx);
    X509_free(t->cert);
    EVP_PKEY_free(t->key);
    X509_free(t->ca);
    EVP_PKEY_free(t->ca_key);
    ks_free(t);
    return NULL;
}

SSL *sim_tls_session_new(struct sim_tls *t, int fd)
{
    SSL *ssl = SSL_new(t->ctx);

    if (!ssl)
        return NULL;
    if (SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

static ks_rc kubeconfig_text(const struct sim_kubeconfig *k, struct ks_str ca_pem,
                             struct ks_buf *out)
{
    ks_rc rc;

    rc = ks_buf_appendf(out,
                        "apiVersion: v1\nkind: Config\ncurrent-context: kubesim\n"
                        "clusters:\n- name: kubesim\n  cluster:\n    server: %s\n"
                        "    certificate-authority-data: ",
                        k->url);
    if (rc)
        return rc;
    rc = ks_base64_encode(ca_pem, out);
    if (rc)
        return rc;
    return ks_buf_appendf(out,
                          "\nusers:\n- name: admin\n  user:\n    token: %s\n"
                          "contexts:\n- name: kubesim\n  context:\n    cluster: kubesim\n"
                          "    user: admin\n    namespace: default\n",
                          k->token);
}

ks_rc sim_kubeconfig_write(const struct sim_tls *t, const struct sim_kubeconfig *k,
                           struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(TLS_KUBECONFIG_MAX_BYTES);
    BIO *pem = BIO_new(BIO_s_mem());
    char *bytes;
    long len;
    ks_rc rc = KS_RC_NOMEM;

    if (pem && PEM_write_bio_X509(pem, t->ca) == 1) {
        len = BIO_get_mem_data(pem, &bytes);
        rc = kubeconfig_text(k, ks_str_make(bytes, (size_t)len), &text);
    }
    BIO_free(pem);
    if (rc)
        return ks_fail(err, rc, "kubeconfig %s: its text could not be made", k->path);
    return ks_file_write(k->path, ks_buf_str(&text), err);
}
