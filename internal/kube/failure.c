/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer that is no success means: a Status body, or whatever a proxy put in its place,
 * becomes one code for programs and one sentence for people. shared/spec: informers 1.6.
 *
 * The order of evidence: the Status's reason, then its code, then the HTTP status. A body that is
 * no Status (plain text of an unknown path, a load balancer's page) leaves the HTTP status alone to
 * decide. The kind of the body is not asked: the timeout filter sends a Status without one.
 *
 * Invariants: (1) every result has an rc other than OK and a message; (2) no control byte of the
 * body reaches the message; (3) a redirect's body is not shown.
 *
 * Thread: any.  It does not decide what to do about a failure: that is the reflector's and the
 * mapper's.
 */
#include <string.h>

#include "base/base.h"
#include "json/json.h"
#include "json/path.h"
#include "kube/client.h"

#define PLAIN_TEXT_SHOWN 256
#define RETRY_AFTER_MAX_S 600
#define RETRY_AFTER_CAP_MS 60000

static const struct ks_json_limits status_limits = {
    .max_bytes = (size_t)64 << 10, .max_tokens = 8192, .max_depth = 64};

static const struct {
    const char *reason;
    ks_rc rc;
} reasons[] = {
    {"Unauthorized", KS_RC_UNAUTHENTICATED},
    {"Forbidden", KS_RC_DENIED},
    {"NotFound", KS_RC_NOTFOUND},
    {"AlreadyExists", KS_RC_CONFLICT},
    {"Conflict", KS_RC_CONFLICT},
    {"Gone", KS_RC_GONE},
    {"Expired", KS_RC_GONE},
    {"Invalid", KS_RC_INVALID},
    {"BadRequest", KS_RC_INVALID},
    {"MethodNotAllowed", KS_RC_UNSUPPORTED},
    {"NotAcceptable", KS_RC_UNSUPPORTED},
    {"UnsupportedMediaType", KS_RC_UNSUPPORTED},
    {"TooManyRequests", KS_RC_AGAIN},
    {"RequestEntityTooLarge", KS_RC_LIMIT},
    {"ServerTimeout", KS_RC_UNAVAILABLE},
    {"Timeout", KS_RC_UNAVAILABLE},
    {"ServiceUnavailable", KS_RC_UNAVAILABLE},
    {"InternalError", KS_RC_UNAVAILABLE},
    {"StorageReadError", KS_RC_UNAVAILABLE},
};

static ks_rc rc_of_code(int64_t code)
{
    switch (code) {
    case 400:
    case 422:
        return KS_RC_INVALID;
    case 401:
        return KS_RC_UNAUTHENTICATED;
    case 403:
        return KS_RC_DENIED;
    case 404:
        return KS_RC_NOTFOUND;
    case 405:
    case 406:
    case 415:
        return KS_RC_UNSUPPORTED;
    case 408:
        return KS_RC_UNAVAILABLE;
    case 409:
        return KS_RC_CONFLICT;
    case 410:
        return KS_RC_GONE;
    case 413:
    case 431:
        return KS_RC_LIMIT;
    case 429:
        return KS_RC_AGAIN;
    default:
        return code >= 500 && code <= 599 ? KS_RC_UNAVAILABLE : KS_RC_PROTOCOL;
    }
}

static ks_rc rc_of_status(struct ks_str reason, int64_t code, int http_status)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(reasons); i++) {
        if (ks_str_is(reason, reasons[i].reason))
            return reasons[i].rc;
    }
    return rc_of_code(code >= 300 ? code : http_status);
}

static bool mentions(struct ks_str text, struct ks_str part)
{
    return text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* Old servers say it in the message alone, newer ones by a cause's reason. */
static bool is_rv_too_large(struct ks_json_value status, struct ks_str message)
{
    static const struct ks_str phrase = KS_LIT("Too large resource version");
    struct ks_json_value causes = {0};

    if (mentions(message, phrase))
        return true;
    if (ks_json_walk(status, "details.causes", &causes) != KS_LOOKUP_FOUND)
        return false;
    for (struct ks_json_value c = ks_json_first(causes); !ks_json_is_absent(c);
         c = ks_json_next(c)) {
        if (ks_str_is(ks_json_lenient_str(c, "reason", ""), "ResourceVersionTooLarge") ||
            mentions(ks_json_lenient_str(c, "message", ""), phrase))
            return true;
    }
    return false;
}

/* Runs of blanks and control bytes become one blank: the text is foreign and goes to terminals and
 * logs. */
static void text_clean(struct ks_str text, char *out, size_t size)
{
    size_t n = 0;

    text = ks_str_trim(text);
    for (size_t i = 0; i < text.len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_blank = c <= ' ' || c == 0x7f;

        if (is_blank && n && out[n - 1] == ' ')
            continue;
        out[n++] = is_blank ? ' ' : (char)c;
    }
    n = ks_str_cut_utf8(ks_str_make(out, n), n).len;
    out[n] = '\0';
}

/* The API server words its refusals as a Status, or in Go's plain text for paths that it does not
 * know. Other refusals of this kind say nothing about what it serves or takes. */
static bool is_of_another(const struct ks_kube_failure *failure, const char *text)
{
    if (failure->rc == KS_RC_NOTFOUND)
        return strcmp(text, "404 page not found") != 0;
    return text[0] == '<' && (failure->rc == KS_RC_INVALID || failure->rc == KS_RC_UNSUPPORTED);
}

static void fail_plain(struct ks_str body, struct ks_kube_failure *out)
{
    char text[PLAIN_TEXT_SHOWN + 1];

    text_clean(ks_str_sub(body, 0, PLAIN_TEXT_SHOWN), text, sizeof(text));
    if (is_of_another(out, text))
        out->rc = KS_RC_UNAVAILABLE;
    if (out->http_status >= 300 && out->http_status < 400)
        ks_fail(&out->error, out->rc,
                "the server answers with a redirect (HTTP %d), which is never followed: check the "
                "server URL",
                out->http_status);
    else if (text[0] == '<')
        ks_fail(&out->error, out->rc,
                "HTTP %d with a web page instead of an API answer: is a proxy or load balancer in "
                "between?",
                out->http_status);
    else if (out->http_status == 404 && out->rc == KS_RC_UNAVAILABLE)
        ks_fail(&out->error, out->rc,
                "HTTP 404 from something that is no API server: is a proxy or load balancer in "
                "between, and is the server URL right?");
    else if (text[0] && ks_str_is_utf8(ks_str_from(text)))
        ks_fail(&out->error, out->rc, "HTTP %d: %s", out->http_status, text);
    else
        ks_fail(&out->error, out->rc, "HTTP %d: %s", out->http_status, ks_rc_text(out->rc));
}

static void fail_status(struct ks_json_value status, struct ks_kube_failure *out)
{
    struct ks_str message = ks_json_lenient_str(status, "message", "");
    int64_t code = ks_json_lenient_int(status, "code", 0);
    int64_t retry_after_s = ks_json_lenient_int(status, "details.retryAfterSeconds", 0);
    char text[KS_ERROR_MSG_MAX];

    if (out->http_status < 300)
        out->http_status = code >= 300 && code <= 599 ? (int)code : 0;
    out->rc = rc_of_status(ks_json_lenient_str(status, "reason", ""), code, out->http_status);
    out->is_rv_too_large = out->http_status == 504 && is_rv_too_large(status, message);
    if (retry_after_s > 0 && retry_after_s <= RETRY_AFTER_MAX_S)
        out->retry_after_ms = retry_after_s * 1000;
    if (out->retry_after_ms > RETRY_AFTER_CAP_MS)
        out->retry_after_ms = RETRY_AFTER_CAP_MS;
    text_clean(message, text, sizeof(text));
    if (text[0])
        ks_fail(&out->error, out->rc, "%s", text);
    else
        ks_fail(&out->error, out->rc, "HTTP %d: %s", out->http_status, ks_rc_text(out->rc));
}

static void json_freep(struct ks_json **json)
{
    ks_json_free(*json);
}

void ks_kube_failure_from_body(int http_status, struct ks_str body, struct ks_kube_failure *out)
{
    KS_CLEANUP(json_freep) struct ks_json *json = NULL;
    struct ks_kube_failure failure = {
        .rc = rc_of_code(http_status), .http_status = http_status, .retry_after_ms = -1};
    struct ks_json_value status;

    /* Short of memory, the HTTP status alone has to do. */
    if ((http_status >= 300 && http_status < 400) || ks_json_new(&status_limits, &json, NULL) ||
        ks_json_parse(json, body, NULL)) {
        fail_plain(body, &failure);
    } else {
        status = ks_json_root(json);
        if (ks_json_type_of(ks_json_get(status, "message")) == KS_JSON_STRING ||
            ks_json_type_of(ks_json_get(status, "code")) == KS_JSON_INT)
            fail_status(status, &failure);
        else
            fail_plain(KS_LIT(""), &failure);
    }
    *out = failure;
}
