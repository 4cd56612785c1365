/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering walks the tables of metrics.h; nothing else in the tree knows a metric's name.
 *
 * Invariants:
 *   1. every row is rendered every time, also at zero, so that rates exist from the first scrape;
 *   2. a call row appears once it has counted something: 6 methods by 17 codes are mostly zeros.
 *
 * Thread: any; a scrape reads each value once, they are not a consistent cut.
 */
#include "server/web/metrics.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/memory.h"

struct row {
    const char *name;
    const char *type;
    const char *help;
};

static const struct row rows[KS_METRIC_COUNT] = {
#define X(name, type, metric, help) [KS_METRIC_##name] = {metric, #type, help},
    KS_METRIC_TABLE(X)
#undef X
};

static const char *const method_paths[KS_METHOD_COUNT] = {
#define X(name, path) [KS_METHOD_##name] = path,
    KS_METHOD_TABLE(X)
#undef X
};

const char *ks_method_path(ks_method method)
{
    return method_paths[method];
}

void ks_metrics_count_call(struct ks_metrics *m, ks_method method, int code)
{
    if (code < 0 || code >= KS_RPC_CODE_COUNT)
        code = 2; /* UNKNOWN */
    atomic_fetch_add_explicit(&m->calls[method][code], 1, memory_order_relaxed);
}

void ks_metrics_count_limit(struct ks_metrics *m, ks_limit limit)
{
    atomic_fetch_add_explicit(&m->limit_hits[limit], 1, memory_order_relaxed);
}

static int64_t count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int64_t n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    (void)closedir(dir); /* read only */
    return n > 2 ? n - 2 : 0;
}

void ks_metrics_collect_process(struct ks_metrics *m)
{
    struct mallinfo2 heap = mallinfo2();
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_NOFILE, &limit); /* zero when it fails, which it does not */
    ks_metrics_set(m, KS_METRIC_HEAP_BYTES, (int64_t)(heap.uordblks + heap.hblkhd));
    ks_metrics_set(m, KS_METRIC_HEAP_FREE_BYTES, (int64_t)heap.fordblks);
    ks_metrics_set(m, KS_METRIC_RSS_BYTES, ks_memory_used_bytes());
    /* less the directory that is being read */
    ks_metrics_set(m, KS_METRIC_OPEN_FDS, count_entries("/proc/self/fd") - 1);
    ks_metrics_set(m, KS_METRIC_MAX_FDS, (int64_t)limit.rlim_cur);
    ks_metrics_set(m, KS_METRIC_THREADS, count_entries("/proc/self/task"));
}

static ks_rc render_calls(const struct ks_metrics *m, struct ks_buf *out)
{
    ks_rc rc =
        ks_buf_append_str(out, KS_LIT("# HELP kstatusd_grpc_calls_total gRPC calls that have "
                                      "ended, by method and status code.\n"
                                      "# TYPE kstatusd_grpc_calls_total counter\n"));

    for (int i = 0; rc == KS_RC_OK && i < KS_METHOD_COUNT * KS_RPC_CODE_COUNT; i++) {
        int method = i / KS_RPC_CODE_COUNT;
        int code = i % KS_RPC_CODE_COUNT;
        uint64_t n = atomic_load_explicit(&m->calls[method][code], memory_order_relaxed);

        if (n > 0)
            rc = ks_buf_appendf(out, "kstatusd_grpc_calls_total{method=\"%s\",code=\"%s\"} %llu\n",
                                method_paths[method] + (method_paths[method][0] == '/'),
                                ks_rpc_code_text(code), (unsigned long long)n);
    }
    return rc;
}

static ks_rc render_limits(const struct ks_metrics *m, struct ks_buf *out)
{
    ks_rc rc = ks_buf_append_str(out, KS_LIT("# HELP kstatusd_limit What --limit sets.\n"
                                             "# TYPE kstatusd_limit gauge\n"));

    for (int i = 0; rc == KS_RC_OK && m->limits && i < KS_LIMIT_COUNT; i++)
        rc = ks_buf_appendf(out, "kstatusd_limit{limit=\"%s\"} %lld\n", ks_limit_name((ks_limit)i),
                            (long long)m->limits->values[i]);
    if (rc == KS_RC_OK)
        rc = ks_buf_append_str(out, KS_LIT("# HELP kstatusd_limit_hits_total Calls and connections "
                                           "that were refused or ended because of a limit.\n"
                                           "# TYPE kstatusd_limit_hits_total counter\n"));
    for (int i = 0; rc == KS_RC_OK && i < KS_LIMIT_COUNT; i++)
        rc = ks_buf_appendf(
            out, "kstatusd_limit_hits_total{limit=\"%s\"} %llu\n", ks_limit_name((ks_limit)i),
            (unsigned long long)atomic_load_explicit(&m->limit_hits[i], memory_order_relaxed));
    return rc;
}

ks_rc ks_metrics_render(const struct ks_metrics *m, struct ks_buf *out)
{
    ks_rc rc = ks_buf_appendf(out,
                              "# HELP kstatusd_build_info Versions; always 1.\n"
                              "# TYPE kstatusd_build_info gauge\n"
                              "kstatusd_build_info{version=\"%s\",grpc_core=\"%s\"} 1\n",
                              KS_VERSION, m->grpc_version ? m->grpc_version : "");

    for (size_t i = 0; rc == KS_RC_OK && i < KS_METRIC_COUNT; i++)
        rc = ks_buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", rows[i].name,
                            rows[i].help, rows[i].name, rows[i].type, rows[i].name,
                            (long long)ks_metrics_get(m, (ks_metric)i));
    if (rc == KS_RC_OK)
        rc = render_limits(m, out);
    return rc ? rc : render_calls(m, out);
}
