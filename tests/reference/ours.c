/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict_ours FILE: our verdicts on the objects of a file, one a line, in the form that the
 * reference's program writes (main.go): status, then the condition's type, status, reason and
 * message, with tabs between, percent-encoded; or "error" and why. A message in our own words is
 * left out: it is not to be compared.
 *
 * verdict_ours --families FILE: the same with a family in the place of an object: see
 * ours_family.h.
 *
 * verdict_ours --profiles DELAY FILE: objects or families under both profiles (ours_family.h),
 * under strict so many milliseconds later.
 *
 * verdict_ours --bench FILE: parses and judges the one object in FILE for some seconds, and prints
 * objects per second of CPU time.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "json/json.h"
#include "status/status.h"
#include "ours_family.h"

#define FILE_MAX_BYTES ((size_t)1 << 30)
#define LINE_MAX_BYTES ((size_t)64 << 20)
#define BENCH_SECONDS 2
#define BENCH_NOW_MS INT64_C(1767225660000)

static ks_rc judge(struct ks_json *json, struct ks_str object, int64_t now_ms,
                   struct ks_verdict *out, struct ks_error *err)
{
    ks_rc rc = ks_json_parse(json, object, err);

    if (rc)
        return rc;
    return ks_status_compute(ks_json_root(json), now_ms, out, err);
}

static ks_rc append_field(struct ks_buf *line, struct ks_str field)
{
    ks_rc rc = ks_buf_append_byte(line, '\t');

    return rc ? rc : ks_buf_append_url(line, field);
}

static ks_rc append_verdict(struct ks_buf *line, const struct ks_verdict *v)
{
    const struct ks_condition *c = &v->condition;
    ks_rc rc = ks_buf_append_str(line, ks_str_from(ks_status_text(v->status)));

    if (rc || !v->has_condition)
        return rc;
    rc = append_field(line, c->type);
    if (!rc)
        rc = append_field(line, c->status);
    if (!rc)
        rc = append_field(line, c->reason);
    if (!rc && c->message.ptr != v->text)
        rc = append_field(line, c->message);
    return rc;
}

/* Being out of memory or limits is no verdict: it must not pass for the reference's error. */
static ks_rc append_failure(struct ks_buf *line, ks_rc why, const struct ks_error *err)
{
    bool is_verdict = why == KS_RC_INVALID || why == KS_RC_PARSE;
    ks_rc rc = ks_buf_append_str(line, is_verdict ? KS_LIT("error") : KS_LIT("failure"));

    return rc ? rc : append_field(line, ks_str_from(err->msg));
}

static ks_rc append_object(struct ks_json *json, int64_t now_ms, struct ks_str object,
                           struct ks_buf *out)
{
    struct ks_error err = {0};
    struct ks_verdict verdict;
    ks_rc rc = judge(json, object, now_ms, &verdict, &err);

    return rc ? append_failure(out, rc, &err) : append_verdict(out, &verdict);
}

/* One of the two; the other is NULL. */
struct judges {
    struct ks_json *json;
    struct family_judge *family;
    const int64_t *delay_ms; /* NULL: profile kstatus alone */
};

static ks_rc append_family(const struct judges *judges, int64_t now_ms, struct ks_str line,
                           struct ks_buf *out)
{
    if (!judges->delay_ms)
        return family_judge_line(judges->family, now_ms, line, out);
    return family_profiles_line(
        judges->family, &(struct family_times){.now_ms = now_ms, .delay_ms = *judges->delay_ms},
        line, out);
}

static ks_rc judge_line(const struct judges *judges, struct ks_str line, struct ks_buf *out)
{
    struct ks_str clock;
    int64_t now_ms;
    ks_rc rc;

    if (!ks_str_split(&line, ' ', &clock) || !ks_str_to_int64(clock, &now_ms))
        return KS_RC_INVALID;
    ks_buf_clear(out);
    rc = judges->family ? append_family(judges, now_ms, line, out)
                        : append_object(judges->json, now_ms, line, out);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc judge_lines(const struct judges *judges, struct ks_str text, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf out = KS_BUF(LINE_MAX_BYTES);
    size_t number = 0;
    struct ks_str line;

    while (ks_str_split(&text, '\n', &line)) {
        ks_rc rc;

        number++;
        if (line.len == 0)
            continue;
        rc = judge_line(judges, line, &out);
        if (rc)
            return ks_fail(err, rc, "line %zu: it must be a time in milliseconds and an object",
                           number);
        (void)fwrite(out.data, 1, out.len, stdout); /* failure is seen at the end */
    }
    if (fflush(stdout) || ferror(stdout))
        return ks_fail(err, KS_RC_IO, "cannot write");
    return KS_RC_OK;
}

static double cpu_seconds(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* zero would only never end the bench */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static ks_rc bench(struct ks_json *json, struct ks_str object, struct ks_error *err)
{
    double start = cpu_seconds();
    struct ks_verdict verdict;
    size_t count = 0;
    double spent;

    do {
        for (unsigned i = 0; i < 256; i++) {
            ks_rc rc = judge(json, object, BENCH_NOW_MS, &verdict, err);

            if (rc)
                return rc;
        }
        count += 256;
        spent = cpu_seconds() - start;
    } while (spent < BENCH_SECONDS);
    printf("%.0f\n", (double)count / spent);
    return KS_RC_OK;
}

static ks_rc run_families(struct ks_str text, const int64_t *delay_ms, struct ks_error *err)
{
    struct judges judges = {.delay_ms = delay_ms};
    ks_rc rc = family_judge_new(&judges.family, err);

    if (rc)
        return rc;
    rc = judge_lines(&judges, text, err);
    family_judge_free(judges.family);
    return rc;
}

static ks_rc run_objects(struct ks_str text, bool is_bench, struct ks_error *err)
{
    struct judges judges = {0};
    ks_rc rc = ks_json_new(&ks_json_limits_object, &judges.json, err);

    if (rc)
        return rc;
    rc = is_bench ? bench(judges.json, text, err) : judge_lines(&judges, text, err);
    ks_json_free(judges.json);
    return rc;
}

static ks_rc run(int argc, char **argv, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(FILE_MAX_BYTES);
    bool is_bench = argc == 3 && ks_str_is(ks_str_from(argv[1]), "--bench");
    bool is_family = argc == 3 && ks_str_is(ks_str_from(argv[1]), "--families");
    bool is_both = argc == 4 && ks_str_is(ks_str_from(argv[1]), "--profiles");
    int64_t delay_ms = 0;
    ks_rc rc;

    if ((!is_bench && !is_family && !is_both && argc != 2) ||
        (is_both && !ks_str_to_int64(ks_str_from(argv[2]), &delay_ms)))
        return ks_fail(err, KS_RC_INVALID,
                       "usage: verdict_ours [--families | --profiles MILLISECONDS | --bench] FILE");
    rc = ks_file_read(argv[argc - 1], &text, err);
    if (rc)
        return rc;
    if (is_family || is_both)
        return run_families(ks_buf_str(&text), is_both ? &delay_ms : NULL, err);
    return run_objects(ks_buf_str(&text), is_bench, err);
}

int main(int argc, char **argv)
{
    struct ks_error err = {0};

    if (run(argc, argv, &err) == KS_RC_OK)
        return 0;
    fprintf(stderr, "verdict_ours: %s\n", err.msg);
    return 1;
}
