/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What refusals mean: the bodies of a real API server, those of older ones, and those of what
 * stands in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "kube/client.h"
#include "support/torture.h"

#define CORPUS KS_TESTS_DIR "/corpus/kube-1.36/error/"

struct row {
    const char *file;
    int http_status;
    ks_rc rc;
    const char *says; /* part of the message */
};

static void the_real_servers_refusals(void **state)
{
    static const struct row rows[] = {
        {"400.body.json", 400, KS_RC_INVALID, "unrecognized"},
        {"400.continue.json", 400, KS_RC_INVALID, "invalid continue token"},
        {"400.field-selector.json", 400, KS_RC_INVALID, "field label not supported"},
        {"400.label-selector.json", 400, KS_RC_INVALID, "unable to parse requirement"},
        {"401.token.json", 401, KS_RC_UNAUTHENTICATED, "Unauthorized"},
        {"403.anonymous.json", 403, KS_RC_DENIED, "system:anonymous"},
        {"403.get.json", 403, KS_RC_DENIED, "widgets.example.dev"},
        {"403.list.json", 403, KS_RC_DENIED, "secrets is forbidden"},
        {"403.watch.json", 403, KS_RC_DENIED, "cannot watch"},
        {"404.crd-deleted.txt", 404, KS_RC_NOTFOUND, "404 page not found"},
        {"404.group.txt", 404, KS_RC_NOTFOUND, "404 page not found"},
        {"404.namespace.json", 404, KS_RC_NOTFOUND, "namespaces \"absent\" not found"},
        {"404.object.json", 404, KS_RC_NOTFOUND, "pods \"absent\""},
        {"404.resource.json", 404, KS_RC_NOTFOUND, "could not find the requested resource"},
        {"405.method.json", 405, KS_RC_UNSUPPORTED, "does not allow this method"},
        {"406.accept.json", 406, KS_RC_UNSUPPORTED, "Not Acceptable Available"},
        {"409.conflict.json", 409, KS_RC_CONFLICT, "has been modified"},
        {"409.exists.json", 409, KS_RC_CONFLICT, "already exists"},
        {"410.continue.json", 410, KS_RC_GONE, "too old"},
        {"410.list.json", 410, KS_RC_GONE, "too old"},
        {"415.patch.json", 415, KS_RC_UNSUPPORTED, "Unsupported Media Type"},
        {"422.deployment.json", 422, KS_RC_INVALID, "does not match"},
        {"422.initial-events.json", 422, KS_RC_INVALID, "sendInitialEvents"},
        {"422.name.json", 422, KS_RC_INVALID, "RFC 1123"},
        {"429.eviction.json", 429, KS_RC_AGAIN, "disruption budget"},
        {"500.resource-version.json", 500, KS_RC_UNAVAILABLE, "Invalid value"},
        {"504.future-list.json", 504, KS_RC_UNAVAILABLE, "Too large resource version"},
    };

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        struct ks_kube_failure f;
        struct ks_buf body;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s%s", CORPUS, rows[i].file);
        ks_buf_init(&body, (size_t)64 << 10);
        assert_int_equal(ks_file_read(path, &body, NULL), KS_RC_OK);
        ks_kube_failure_from_body(rows[i].http_status, ks_buf_str(&body), &f);
        assert_int_equal(f.rc, rows[i].rc);
        assert_int_equal(f.error.rc, rows[i].rc);
        assert_int_equal(f.http_status, rows[i].http_status);
        assert_non_null(strstr(f.error.msg, rows[i].says));
        assert_int_equal(f.is_rv_too_large, strncmp(rows[i].file, "504", 3) == 0);
        assert_int_equal(f.retry_after_ms, strncmp(rows[i].file, "504", 3) ? -1 : 1000);
        ks_buf_fini(&body);
    }
}

static struct ks_kube_failure classify(int http_status, const char *body)
{
    struct ks_kube_failure f;

    ks_kube_failure_from_body(http_status, ks_str_from(body), &f);
    assert_int_not_equal(f.rc, KS_RC_OK);
    assert_true(f.error.msg[0] != '\0');
    return f;
}

static void bodies_of_older_servers(void **state)
{
    struct ks_kube_failure f;

    (void)state;
    /* The timeout filter leaves kind and apiVersion out. */
    f = classify(504, "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did "
                      "not complete within the allotted timeout\",\"reason\":\"Timeout\","
                      "\"details\":{},\"code\":504}");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    assert_false(f.is_rv_too_large);
    /* 1.20 says it in the message. */
    f = classify(504, "{\"kind\":\"Status\",\"message\":\"Timeout: Too large resource version: "
                      "99999999, current: 194\",\"reason\":\"Timeout\",\"code\":504}");
    assert_true(f.is_rv_too_large);
    f = classify(504, "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"details\":{\"causes\":[1,{"
                      "\"message\":\"Too large resource version\"}]},\"message\":\"x\"}");
    assert_true(f.is_rv_too_large);
    /* No reason: the code decides; an unknown reason: the same. */
    f = classify(500, "{\"code\":410,\"message\":\"gone\"}");
    assert_int_equal(f.rc, KS_RC_GONE);
    f = classify(403, "{\"reason\":\"SomethingNew\",\"message\":\"no\"}");
    assert_int_equal(f.rc, KS_RC_DENIED);
}

static void error_events_have_no_http_status(void **state)
{
    struct ks_kube_failure f;

    (void)state;
    f = classify(200, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                      "\"Failure\",\"message\":\"too old resource version: 1 (400)\","
                      "\"reason\":\"Expired\",\"code\":410}");
    assert_int_equal(f.rc, KS_RC_GONE);
    assert_int_equal(f.http_status, 410);
    f = classify(0, "{\"kind\":\"Status\",\"code\":0}");
    assert_int_equal(f.rc, KS_RC_PROTOCOL);
    assert_int_equal(f.http_status, 0);
    f = classify(200, "{\"message\":\"m\",\"reason\":\"TooManyRequests\",\"details\":{"
                      "\"retryAfterSeconds\":7},\"code\":429}");
    assert_int_equal(f.rc, KS_RC_AGAIN);
    assert_int_equal(f.retry_after_ms, 7000);
}

static void retry_after_has_limits(void **state)
{
    (void)state;
    assert_int_equal(
        classify(429, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":61}}").retry_after_ms,
        60000);
    assert_int_equal(
        classify(429, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":601}}").retry_after_ms,
        -1);
    assert_int_equal(
        classify(429, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":-5}}").retry_after_ms,
        -1);
    assert_int_equal(classify(429, "{\"message\":\"m\",\"details\":{\"retryAfterSeconds\":\"5\"}}")
                         .retry_after_ms,
                     -1);
}

static void bodies_of_proxies(void **state)
{
    struct ks_kube_failure f;

    (void)state;
    f = classify(503, "<html><body>503 Service Unavailable</body></html>");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(f.error.msg, "web page"));
    assert_null(strstr(f.error.msg, "<html>"));
    /* Not the API server's word on what it serves or takes. */
    f = classify(404, "<html><body>404 Not Found</body></html>");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    f = classify(404, "{\"error\":\"no such route\"}");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(f.error.msg, "no API server"));
    f = classify(404, "default backend - 404");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    f = classify(400, "<html>Bad Request</html>");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    f = classify(502, "");
    assert_int_equal(f.rc, KS_RC_UNAVAILABLE);
    assert_non_null(strstr(f.error.msg, "HTTP 502"));
    f = classify(302, "{\"message\":\"follow me\",\"code\":401,\"reason\":\"Unauthorized\"}");
    assert_int_equal(f.rc, KS_RC_PROTOCOL);
    assert_null(strstr(f.error.msg, "follow me"));
    f = classify(200, "[]");
    assert_int_equal(f.rc, KS_RC_PROTOCOL);
    f = classify(431, "x");
    assert_int_equal(f.rc, KS_RC_LIMIT);
    f = classify(418, "{\"kind\":\"Teapot\"}");
    assert_int_equal(f.rc, KS_RC_PROTOCOL);
}

static void foreign_text_is_cleaned(void **state)
{
    struct ks_kube_failure f;
    char flood[4096];

    (void)state;
    f = classify(500, "plain\x1b[31m\r\n\ttext");
    assert_string_equal(f.error.msg, "HTTP 500: plain [31m text");
    f = classify(500, "{\"message\":\"a\\u001b\\u0000\\nb\",\"code\":500}");
    assert_string_equal(f.error.msg, "a b");
    f = classify(500, "\xff\xfe not text");
    assert_non_null(strstr(f.error.msg, "HTTP 500: temporarily unavailable"));
    memset(flood, 'x', sizeof(flood) - 1);
    flood[sizeof(flood) - 1] = '\0';
    f = classify(500, flood);
    assert_true(strlen(f.error.msg) < 300);
}

static void tortured(void *ctx)
{
    struct ks_kube_failure f =
        classify(403, "{\"reason\":\"Forbidden\",\"message\":\"n\\u006f\",\"code\":403}");

    (void)ctx;
    assert_int_equal(f.rc, KS_RC_DENIED);
}

static void without_memory_the_status_decides(void **state)
{
    (void)state;
    assert_true(ks_torture(tortured, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_servers_refusals),
        cmocka_unit_test(bodies_of_older_servers),
        cmocka_unit_test(error_events_have_no_http_status),
        cmocka_unit_test(retry_after_has_limits),
        cmocka_unit_test(bodies_of_proxies),
        cmocka_unit_test(foreign_text_is_cleaned),
        cmocka_unit_test(without_memory_the_status_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
