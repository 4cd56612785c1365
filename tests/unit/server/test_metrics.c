/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: every row is rendered, once, well-formed; calls are counted by method and code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "server/rpc/status_map.h"
#include "server/web/metrics.h"
#include "support/torture.h"

static void renders_every_row_once(void **state)
{
    static const char *const names[] = {
#define X(name, type, metric, help) metric,
        KS_METRIC_TABLE(X)
#undef X
    };
    struct ks_metrics m = {.grpc_version = "29.0.0"};
    struct ks_buf out;

    (void)state;
    ks_buf_init(&out, 1 << 20);
    ks_metrics_add(&m, KS_METRIC_STREAMS_OPEN, 3);
    ks_metrics_add(&m, KS_METRIC_STREAMS_OPEN, -1);
    assert_int_equal(ks_metrics_render(&m, &out), KS_RC_OK);
    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        char line[160];
        const char *at;

        snprintf(line, sizeof(line), "\n# TYPE %s ", names[i]);
        at = strstr(out.data, line);
        assert_non_null(at);
        assert_null(strstr(at + 1, line));
    }
    assert_non_null(strstr(out.data, "\nkstatusd_streams_open 2\n"));
    assert_non_null(strstr(out.data, "grpc_core=\"29.0.0\"} 1\n"));
    assert_null(strstr(out.data, "{method="));
    assert_int_equal(out.data[out.len - 1], '\n');
    ks_buf_fini(&out);
}

static void counts_calls(void **state)
{
    struct ks_metrics m = {0};
    struct ks_buf out;

    (void)state;
    ks_buf_init(&out, 1 << 20);
    ks_metrics_count_call(&m, KS_METHOD_WATCH, 14);
    ks_metrics_count_call(&m, KS_METHOD_WATCH, 14);
    ks_metrics_count_call(&m, KS_METHOD_UNKNOWN, 12);
    ks_metrics_count_call(&m, KS_METHOD_GET, 99);
    ks_metrics_count_call(&m, KS_METHOD_GET, -1);
    assert_int_equal(ks_metrics_render(&m, &out), KS_RC_OK);
    assert_non_null(strstr(out.data, "kstatusd_grpc_calls_total{method=\"kstatus.v1.StatusService/"
                                     "Watch\",code=\"UNAVAILABLE\"} 2\n"));
    assert_non_null(strstr(out.data, "{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1\n"));
    assert_non_null(strstr(out.data, "StatusService/Get\",code=\"UNKNOWN\"} 2\n"));
    ks_buf_fini(&out);
}

static void tells_limits(void **state)
{
    struct ks_limits limits = ks_limits_default;
    struct ks_metrics m = {.limits = &limits};
    struct ks_buf out;

    (void)state;
    ks_buf_init(&out, 1 << 20);
    limits.values[KS_LIMIT_STREAMS] = 7;
    ks_metrics_count_limit(&m, KS_LIMIT_OBJECTS);
    ks_metrics_count_limit(&m, KS_LIMIT_OBJECTS);
    assert_int_equal(ks_metrics_render(&m, &out), KS_RC_OK);
    assert_non_null(strstr(out.data, "\nkstatusd_limit{limit=\"streams\"} 7\n"));
    assert_non_null(strstr(out.data, "\nkstatusd_limit{limit=\"connections\"} 1024\n"));
    assert_non_null(strstr(out.data, "\nkstatusd_limit_hits_total{limit=\"objects\"} 2\n"));
    assert_non_null(strstr(out.data, "\nkstatusd_limit_hits_total{limit=\"streams\"} 0\n"));
    ks_buf_fini(&out);
}

static void looks_at_the_process(void **state)
{
    struct ks_metrics m = {0};

    (void)state;
    ks_metrics_collect_process(&m);
    assert_true(ks_metrics_get(&m, KS_METRIC_RSS_BYTES) > 0);
    assert_true(ks_metrics_get(&m, KS_METRIC_OPEN_FDS) >= 3);
    assert_true(ks_metrics_get(&m, KS_METRIC_MAX_FDS) >= 3);
    assert_true(ks_metrics_get(&m, KS_METRIC_THREADS) >= 1);
}

static void names_codes(void **state)
{
    (void)state;
    assert_string_equal(ks_rpc_code_text(0), "OK");
    assert_string_equal(ks_rpc_code_text(16), "UNAUTHENTICATED");
    assert_string_equal(ks_rpc_code_text(17), "UNKNOWN");
    assert_string_equal(ks_rpc_code_text(-1), "UNKNOWN");
    assert_string_equal(ks_method_path(KS_METHOD_GET), "/kstatus.v1.StatusService/Get");
}

static void tortured(void *ctx)
{
    struct ks_metrics m = {0};
    struct ks_buf out;
    ks_rc rc;

    (void)ctx;
    ks_buf_init(&out, 1 << 20);
    ks_metrics_collect_process(&m);
    rc = ks_metrics_render(&m, &out);
    assert_true(rc == KS_RC_OK || (rc == KS_RC_NOMEM && ks_alloc_failed()));
    ks_buf_fini(&out);
}

static void survives_short_memory(void **state)
{
    (void)state;
    assert_true(ks_torture(tortured, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_every_row_once),
        cmocka_unit_test(counts_calls),
        cmocka_unit_test(tells_limits),
        cmocka_unit_test(looks_at_the_process),
        cmocka_unit_test(names_codes),
        cmocka_unit_test(survives_short_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
