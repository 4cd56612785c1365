/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libcurl's codes mean: the one table from CURLcode to ks_rc, and the sentence that tells an
 * operator what to do.
 *
 * The model: the code decides the result; where the sentence can be better than libcurl's own text,
 * it is made here from the errno of the connect or from OpenSSL's verdict on the certificate, else
 * libcurl's text is passed on.
 *
 * Invariants: 1. the sentence begins with host:port; 2. CURLE_OK is KS_RC_OK, even for a body that
 * was cut: libcurl 7.88.1 takes RST_STREAM(NO_ERROR) for an end, so completeness is asked of the
 * JSON text alone.
 *
 * Thread: the loop's.
 */
#include "http/transport_internal.h"

#include <errno.h>
#include <string.h>

/* OpenSSL's X509_V_ERR_*, as CURLINFO_SSL_VERIFYRESULT hands them on. */
enum {
    VERIFY_NOT_YET_VALID = 9,
    VERIFY_EXPIRED = 10,
    VERIFY_SELF_SIGNED = 18,
    VERIFY_SELF_SIGNED_IN_CHAIN = 19,
    VERIFY_UNKNOWN_ISSUER = 20,
    VERIFY_UNKNOWN_LEAF_ISSUER = 21,
    VERIFY_REVOKED = 23,
};

static const char *certificate_fault(long verdict)
{
    switch (verdict) {
    case 0:
        return "its certificate is not made out for this name; set tls-server-name, or correct the "
               "server's address";
    case VERIFY_NOT_YET_VALID:
        return "its certificate is not valid yet; check the clocks";
    case VERIFY_EXPIRED:
        return "its certificate, or one above it, has expired; renew it";
    case VERIFY_SELF_SIGNED:
    case VERIFY_SELF_SIGNED_IN_CHAIN:
    case VERIFY_UNKNOWN_ISSUER:
    case VERIFY_UNKNOWN_LEAF_ISSUER:
        return "its certificate is signed by an authority that is not trusted here; check the "
               "certificate authority in the configuration";
    case VERIFY_REVOKED:
        return "its certificate has been revoked";
    default:
        return NULL;
    }
}

static void explain_certificate(const char *where, CURL *easy, const char *text,
                                struct ks_error *err)
{
    long verdict = 0;
    const char *fault;

    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict); /* stays 0 */
    fault = certificate_fault(verdict);
    if (fault)
        (void)ks_fail(err, KS_RC_IO, "%s: TLS: %s", where, fault);
    else
        (void)ks_fail(err, KS_RC_IO, "%s: TLS: its certificate was refused: %s", where, text);
}

static void explain_connect(const char *where, CURL *easy, struct ks_error *err)
{
    long os_error = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error); /* stays 0 */
    if (os_error == ECONNREFUSED)
        (void)ks_fail(err, KS_RC_IO, "%s: connection refused: nothing listens there", where);
    else if (os_error)
        (void)ks_fail_errno(err, KS_RC_IO, (int)os_error, "%s: cannot connect", where);
    else
        (void)ks_fail(err, KS_RC_IO, "%s: cannot connect", where);
}

/* Where nobody answers when a proxy is in between; its URL without the credentials in it. */
static const char *where_of_connect(const struct ks_http *http, struct ks_error *room)
{
    const char *url = http->proxy_url;
    const char *host = strstr(url, "://");
    const char *at;

    if (!url[0])
        return http->where;
    host = host ? host + 3 : url;
    at = strrchr(host, '@');
    (void)ks_fail(room, KS_RC_IO, "%s: its proxy %.*s%s", http->where, (int)(host - url), url,
                  at ? at + 1 : host);
    return room->msg;
}

/* A server that demands a certificate refuses it when the handshake is over already (TLS 1.3): its
 * alert may arrive as a mere reset. */
static void explain_reset(const struct ks_http *http, bool is_before_head, const char *text,
                          struct ks_error *err)
{
    (void)ks_fail(err, KS_RC_IO, "%s: the connection was lost %s (%s)%s", http->where,
                  is_before_head ? "before an answer came" : "in the middle of the answer", text,
                  is_before_head && http->cert_pem
                      ? "; if it stays so, check that the client certificate has not expired"
                      : "");
}

/* Whether the proxy answered the CONNECT with something else than a tunnel. */
static bool explain_tunnel(const struct ks_http *http, CURL *easy, struct ks_error *err)
{
    struct ks_error room;
    long status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status); /* stays 0 */
    if (!http->proxy_url[0] || status < 300)
        return false;
    (void)ks_fail(err, KS_RC_IO,
                  "%s refuses to connect to it (HTTP %ld); check proxy-url and its credentials",
                  where_of_connect(http, &room), status);
    return true;
}

/* Codes with a sentence of our own; other codes get libcurl's. */
static bool explain_known(const struct ks_http *http, CURL *easy, CURLcode code, const char *text,
                          struct ks_http_result *out)
{
    const char *where = http->where;
    struct ks_error *err = &out->error;
    struct ks_error room;

    if (explain_tunnel(http, easy, err))
        return true;
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        (void)ks_fail(err, KS_RC_IO,
                      "%s: the name cannot be resolved; check the server's address "
                      "and DNS",
                      where);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        (void)ks_fail(err, KS_RC_IO, "%s: the name cannot be resolved; check proxy-url",
                      where_of_connect(http, &room));
    else if (code == CURLE_COULDNT_CONNECT)
        explain_connect(where_of_connect(http, &room), easy, err);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        (void)ks_fail(err, KS_RC_IO, "%s: no connection came about in time",
                      where_of_connect(http, &room));
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        explain_certificate(where, easy, text, err);
    else if (code == CURLE_SSL_CONNECT_ERROR)
        (void)ks_fail(err, KS_RC_IO,
                      "%s: TLS: the handshake failed (%s); check that it speaks TLS there, and "
                      "that the certificate authority is the right one",
                      where, text);
    else if (code == CURLE_SSL_CERTPROBLEM)
        (void)ks_fail(err, KS_RC_CONFIG,
                      "%s: the client certificate or its key cannot be used "
                      "(%s)",
                      where, text);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        (void)ks_fail(err, KS_RC_CONFIG,
                      "%s: the certificate authority cannot be used: it holds "
                      "no PEM certificate",
                      where);
    else if (code == CURLE_WRITE_ERROR || code == CURLE_BAD_CONTENT_ENCODING)
        (void)ks_fail(err, KS_RC_PROTOCOL,
                      "%s: the answer has an encoding that was not asked for "
                      "or cannot be undone",
                      where);
    else if (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE ||
             code == CURLE_GOT_NOTHING || code == CURLE_HTTP2)
        explain_reset(http, out->is_before_head, text, err);
    else
        return false;
    return true;
}

void ks_http_explain(const struct ks_http *http, CURL *easy, CURLcode code,
                     struct ks_http_result *out)
{
    const char *text = http->curl_error[0] ? http->curl_error : curl_easy_strerror(code);

    if (code == CURLE_OK) {
        out->rc = KS_RC_OK;
        out->error = (struct ks_error){.rc = KS_RC_OK};
        return;
    }
    if (code == CURLE_OUT_OF_MEMORY)
        (void)ks_fail(&out->error, KS_RC_NOMEM, "%s: out of memory", http->where);
    else if (!explain_known(http, easy, code, text, out))
        (void)ks_fail(&out->error, KS_RC_IO, "%s: %s", http->where, text);
    out->rc = out->error.rc;
}

bool ks_http_is_stream_fault(CURLcode code)
{
    return code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

bool ks_http_is_connection_fault(CURLcode code)
{
    return code != CURLE_OK && code != CURLE_OUT_OF_MEMORY && code != CURLE_WRITE_ERROR &&
           code != CURLE_BAD_CONTENT_ENCODING && code != CURLE_ABORTED_BY_CALLBACK &&
           !ks_http_is_stream_fault(code);
}
