/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_family [--causes] [--once] FILE: how long a session takes for one event of a Pod in a
 * family, from the Pod's JSON text to the update that its sink hears: parse, verdict, the family's
 * counts, the Deployment's verdict anew, and what is said of it.
 *
 * FILE has the family, with a record separator (0x1e) between: a Deployment, its ReplicaSet, its
 * Pods, and at the end the last Pod once more, in another state. The Pod goes from one state to the
 * other and back for some seconds of CPU time. Printed are events per second, and how many bytes
 * the session has allocated for each Pod (as the C library counts them; the informer's own record
 * is not among them). --once has two events and prints of how many the sink was told: of none
 * without causes, as the Deployment is InProgress before and after.
 *
 * The kube layer is the unit tests' (fake_kube.c), so no byte goes over a wire. Profile strict:
 * under kstatus Pods never change what is said of their Deployment.
 *
 * Thread: one.
 */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"

#include "json/path.h"

#include "watcher/session.h"

#include "unit/watcher/fake_kube.h"

#define FILE_MAX_BYTES ((size_t)256 << 20)
#define OBJECTS_MAX 65536
#define BENCH_SECONDS 2
#define NOW_MS INT64_C(1795564800000)

struct family {
    struct ks_loop *loop;
    struct ks_json *json;
    struct ks_session *session;
    struct ks_str *texts; /* Deployment, ReplicaSet, Pods, the last Pod's other state */
    struct ks_record *records;
    size_t count; /* of the texts */
    size_t told;
    bool has_causes;
};

static void on_event(void *ctx, const struct ks_event *event)
{
    struct family *f = ctx;

    f->told += event->kind == KS_EVENT_UPDATE;
}

static void on_forget(void *ctx KS_UNUSED, void *sink_slot KS_UNUSED)
{
}

static void on_failed(void *ctx KS_UNUSED, const struct ks_error *err)
{
    fprintf(stderr, "bench_family: the session failed: %s\n", err->msg);
}

static void turn(struct family *f)
{
    for (unsigned i = 0; i < 4; i++)
        (void)ks_loop_turn(f->loop); /* whether more may come is of no interest */
}

/* The texts stay, and so may the record's strings. */
static ks_rc put(struct family *f, const char *informer, size_t text, struct ks_record *record,
                 struct ks_error *err)
{
    struct ks_json_value object;
    ks_rc rc = ks_json_parse(f->json, f->texts[text], err);

    if (rc)
        return rc;
    object = ks_json_root(f->json);
    if (!record->uid.ptr) {
        record->ns = ks_json_lenient_str(object, "metadata.namespace", "");
        record->name = ks_json_lenient_str(object, "metadata.name", "");
        record->uid = ks_json_lenient_str(object, "metadata.uid", "");
        record->resource_version = ks_json_lenient_str(object, "metadata.resourceVersion", "");
    }
    fake_upsert(fake_find(informer), record, object);
    return KS_RC_OK;
}

static ks_rc open_session(struct family *f, struct ks_error *err)
{
    static const struct ks_session_ops ops = {
        .on_event = on_event, .on_forget = on_forget, .on_failed = on_failed};
    const struct ks_target target = {.target_id = 1,
                                     .kind = KS_TARGET_OBJECT,
                                     .resource = KS_LIT("deployments"),
                                     .ns = KS_LIT("demo"),
                                     .name = KS_LIT("web")};
    const struct ks_session_config config = {.targets = &target,
                                             .target_count = 1,
                                             .max_objects = OBJECTS_MAX,
                                             .first_answer_ms = 30000,
                                             .profile = KS_PROFILE_STRICT,
                                             .include_causes = f->has_causes};
    struct ks_kube *kube = fake_kube_start(f->loop);
    ks_rc rc;

    fake_serve("", "v1", "Pod", "pods", true);
    fake_serve("", "v1", "Event", "events", true);
    fake_serve("apps", "v1", "ReplicaSet", "replicasets", true);
    fake_serve("apps", "v1", "Deployment", "deployments", true);
    rc = ks_session_new(kube, &config, &ops, f, &f->session, err);
    if (rc)
        return rc;
    turn(f);
    rc = put(f, "deployments@demo/web", 0, &f->records[0], err);
    turn(f);
    if (!rc)
        fake_synced(fake_find("deployments@demo/web"));
    return rc;
}

/* All but the last text are an object each. */
static ks_rc add_members(struct family *f, size_t *out_bytes_each, struct ks_error *err)
{
    size_t pods = f->count - 3;
    size_t before;
    ks_rc rc = put(f, "replicasets@demo", 1, &f->records[1], err);

    if (rc)
        return rc;
    fake_synced(fake_find("replicasets@demo"));
    before = mallinfo2().uordblks;
    for (size_t i = 2; i < f->count - 1; i++) {
        rc = put(f, "pods@demo", i, &f->records[i], err);
        if (rc)
            return rc;
    }
    *out_bytes_each = (mallinfo2().uordblks - before) / pods;
    fake_synced(fake_find("pods@demo"));
    turn(f);
    return KS_RC_OK;
}

static double cpu_seconds(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* zero would only never end the bench */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static ks_rc bench(struct family *f, bool is_once, double *out_rate, struct ks_error *err)
{
    struct ks_record *last = &f->records[f->count - 2];
    double start = cpu_seconds();
    size_t count = 0;
    double spent;

    f->told = 0;
    do {
        for (unsigned i = 0; i < (is_once ? 2u : 256u); i++) {
            ks_rc rc = put(f, "pods@demo", f->count - 1 - (count & 1), last, err);

            if (rc)
                return rc;
            count++;
        }
        spent = cpu_seconds() - start;
    } while (!is_once && spent < BENCH_SECONDS);
    *out_rate = (double)count / spent;
    return KS_RC_OK;
}

static ks_rc split(struct family *f, struct ks_str text, struct ks_error *err)
{
    struct ks_str part;

    f->texts = ks_alloc_array(OBJECTS_MAX, sizeof(*f->texts));
    f->records = ks_alloc_array(OBJECTS_MAX, sizeof(*f->records));
    if (!f->texts || !f->records)
        return ks_fail(err, KS_RC_NOMEM, "no memory for the family");
    while (f->count < OBJECTS_MAX && ks_str_split(&text, '\x1e', &part))
        f->texts[f->count++] = part;
    if (f->count < 4)
        return ks_fail(err, KS_RC_INVALID, "a family has at least four objects");
    return KS_RC_OK;
}

static ks_rc run(struct family *f, bool is_once, struct ks_error *err)
{
    size_t bytes_each = 0;
    double rate = 0;
    ks_rc rc = open_session(f, err);

    if (!rc)
        rc = add_members(f, &bytes_each, err);
    if (!rc)
        rc = bench(f, is_once, &rate, err);
    if (!rc && is_once)
        printf("%zu\n", f->told);
    else if (!rc)
        printf("%.0f %zu\n", rate, bytes_each);
    for (size_t i = f->count - 1; i-- > 0;) {
        if (f->records[i].user)
            fake_lose(fake_find(i > 1 ? "pods@demo"
                                : i   ? "replicasets@demo"
                                      : "deployments@demo/web"),
                      &f->records[i]);
    }
    return rc;
}

static ks_rc bench_file(const char *path, bool with_causes, bool is_once, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(FILE_MAX_BYTES);
    struct ks_clock_test clock;
    struct family f = {.has_causes = with_causes};
    ks_rc rc = ks_file_read(path, &text, err);

    ks_clock_test_init(&clock, NOW_MS);
    if (!rc)
        rc = ks_loop_new(&clock.clock, &f.loop, err);
    if (!rc)
        rc = ks_json_new(&ks_json_limits_object, &f.json, err);
    if (!rc)
        rc = split(&f, ks_str_trim(ks_buf_str(&text)), err);
    if (!rc)
        rc = run(&f, is_once, err);
    ks_session_free(f.session);
    ks_json_free(f.json);
    ks_free(f.texts);
    ks_free(f.records);
    if (f.loop)
        (void)ks_loop_turn(f.loop); /* what was cancelled leaves the queue */
    ks_loop_free(f.loop);
    return rc;
}

int main(int argc, char **argv)
{
    struct ks_error err = {0};
    bool with_causes = false;
    bool is_once = false;

    for (int i = 1; i < argc - 1; i++) {
        with_causes |= ks_str_is(ks_str_from(argv[i]), "--causes");
        is_once |= ks_str_is(ks_str_from(argv[i]), "--once");
    }
    if (argc < 2 || argc != 2 + with_causes + is_once) {
        fprintf(stderr, "usage: bench_family [--causes] [--once] FILE\n");
        return 2;
    }
    if (bench_file(argv[argc - 1], with_causes, is_once, &err) == KS_RC_OK)
        return 0;
    fprintf(stderr, "bench_family: %s\n", err.msg);
    return 1;
}
