/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for h2server: an authority and what it signs, made when a test begins, so that none
 * can expire in the tree.
 *
 * Thread: the test's.  Does not: fail softly; a test without certificates has nothing to say.
 */
#include "support/h2server.h"

#include <assert.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"

#define DAY_S 86400L

static char *bio_take(BIO *bio)
{
    char *data;
    const long len = BIO_get_mem_data(bio, &data);
    char *text = ks_memdup0(data, (size_t)len);

    assert(text);
    BIO_free(bio);
    return text;
}

static char *cert_to_pem(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert(bio && PEM_write_bio_X509(bio, cert) == 1);
    X509_free(cert);
    return bio_take(bio);
}

static char *key_to_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    return bio_take(bio);
}

static void cert_add(X509 *cert, X509 *issuer, int what, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, what, value);
    assert(extension && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *cert_new(EVP_PKEY *key, const char *name, long serial, long end_s)
{
    X509 *cert = X509_new();
    X509_NAME *subject;

    assert(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -10 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), end_s);
    X509_set_pubkey(cert, key);
    subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    return cert;
}

static void cert_sign(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key)
{
    assert(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
    assert(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
}

void h2server_cert_init(struct h2server_cert *out, const char *authority)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca;
    X509 *leaf;
    const struct {
        char **to;
        const char *names;
        long end_s;
    } leaves[] = {
        {&out->cert, "IP:127.0.0.1,DNS:localhost", 10 * DAY_S},
        {&out->expired_cert, "IP:127.0.0.1,DNS:localhost", -DAY_S},
        {&out->misnamed_cert, "DNS:api.example.test", 10 * DAY_S},
    };

    assert(ca_key && key);
    ca = cert_new(ca_key, authority, 1, 10 * DAY_S);
    cert_add(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    cert_add(ca, ca, NID_key_usage, "critical,keyCertSign");
    cert_sign(ca, ca, ca_key);
    for (size_t i = 0; i < KS_ARRAY_LEN(leaves); i++) {
        leaf = cert_new(key, "h2server", 2 + (long)i, leaves[i].end_s);
        cert_add(leaf, ca, NID_subject_alt_name, leaves[i].names);
        cert_add(leaf, ca, NID_ext_key_usage, "serverAuth,clientAuth");
        cert_sign(leaf, ca, ca_key);
        *leaves[i].to = cert_to_pem(leaf);
    }
    out->ca = cert_to_pem(ca);
    out->key = key_to_pem(key);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

void h2server_cert_fini(struct h2server_cert *cert)
{
    ks_free(cert->ca);
    ks_free(cert->cert);
    ks_free(cert->key);
    ks_free(cert->expired_cert);
    ks_free(cert->misnamed_cert);
}
