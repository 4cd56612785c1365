/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mapper: answers questions from the catalog, and decides when the catalog has to be asked for
 * again.
 *
 * A question that the catalog answers is answered from the loop's next turn. One that it does not
 * (a miss), or any while there is no catalog, an old one, or an invalidated one, waits for the next
 * run of discovery: one run for all who wait, 5 s after the last one began at the earliest. A miss
 * is final when the catalog is younger than the question, or when the same question missed within
 * the last 10 s. Who asks for the first time takes whatever a catalog within the 5 s says, so that
 * nobody waits for the floor on account of another's question.
 *
 * When discovery fails, an existing catalog goes on serving hits; misses get the failure. While the
 * endpoint is known to be away the run waits in the client's gate, and questions are answered with
 * IO at once: who asks decides when to ask again.
 *
 * Invariants: (1) at most one run of discovery; (2) a question is answered once, from the loop,
 * never from within ks_mapper_resolve; (3) a document that could not be had never replaces one that
 * was.
 *
 * Thread: the loop's.
 */
#include "kube/mapper.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/plant.h"
#include "kube/catalog.h"
#include "kube/client.h"
#include "kube/discovery.h"

#define FLOOR_MS 5000
#define MAX_AGE_MS ((int64_t)10 * 60 * 1000)
#define MISS_MEMORY_MS 10000
#define MISSES 64

struct ks_resolve {
    struct ks_list link;
    struct ks_mapper *mapper;
    struct ks_mapper_query query; /* its strings stand behind the struct */
    ks_resolve_done done;
    void *ctx;
    int64_t asked_ms;
};

/* A question that was answered with NOTFOUND, by its hash. */
struct miss {
    uint64_t hash;
    int64_t until_ms;
};

struct ks_mapper {
    struct ks_kube *kube;
    struct ks_list asking; /* resolves */
    struct ks_timer step;
    struct ks_catalog *catalog; /* NULL: never had */
    char *etags[KS_DISCOVERY_HALVES];
    int64_t begun_ms;       /* the run that gave the catalog; it is as old as that */
    int64_t checked_ms;     /* the last run that was answered, well or not; INT64_MIN: none */
    uint64_t epoch;         /* how often the catalog was invalidated */
    uint64_t catalog_epoch; /* the epoch in which the catalog was asked for */
    struct ks_discovery *run;
    int64_t run_begun_ms;
    uint64_t run_epoch;
    struct ks_error waiting; /* why the run waits; rc OK: it does not */
    struct ks_error failure; /* of the last run; rc OK: it did not fail */
    struct miss misses[MISSES];
    size_t next_miss;
};

static int64_t now_of(const struct ks_mapper *m)
{
    return ks_loop_now_ms(ks_kube_loop(m->kube));
}

static uint64_t hash_of(const struct ks_mapper_query *q)
{
    const struct ks_str parts[] = {q->name, q->group, q->version, q->kind};
    uint64_t hash = q->has_group;

    for (size_t i = 0; i < KS_ARRAY_LEN(parts); i++) {
        uint64_t pair[2] = {hash, ks_hash(parts[i].ptr ? parts[i].ptr : "", parts[i].len)};

        hash = ks_hash(pair, sizeof(pair));
    }
    return hash;
}

static bool is_known_miss(const struct ks_mapper *m, const struct ks_mapper_query *q)
{
    uint64_t hash = hash_of(q);
    int64_t now_ms = now_of(m);

    for (size_t i = 0; i < MISSES; i++) {
        if (m->misses[i].hash == hash && now_ms < m->misses[i].until_ms)
            return true;
    }
    return false;
}

static void miss_remember(struct ks_mapper *m, const struct ks_mapper_query *q)
{
    m->misses[m->next_miss++ % MISSES] =
        (struct miss){.hash = hash_of(q), .until_ms = now_of(m) + MISS_MEMORY_MS};
}

static void misses_forget(struct ks_mapper *m)
{
    memset(m->misses, 0, sizeof(m->misses));
}

static void resolve_free(struct ks_resolve *r)
{
    ks_list_remove(&r->link);
    ks_free(r);
}

static void resolve_answer(struct ks_resolve *r, ks_rc rc, struct ks_resource *resource,
                           const struct ks_error *err)
{
    ks_resolve_done done = r->done;
    void *ctx = r->ctx;

    /* The owner may invalidate the catalog, or ask again, from within. */
    if (resource)
        ks_resource_ref(resource);
    resolve_free(r);
    done(ctx, rc, resource, rc ? err : NULL);
    ks_resource_unref(resource);
}

static bool is_catalog_due(const struct ks_mapper *m)
{
    return !m->catalog || m->catalog_epoch != m->epoch || now_of(m) - m->begun_ms >= MAX_AGE_MS;
}

static bool is_young_enough(const struct ks_mapper *m, const struct ks_mapper_query *q)
{
    return m->catalog && !q->is_repeat && now_of(m) - m->begun_ms < FLOOR_MS;
}

/* Answers from the catalog if that is final; false: discovery has to be asked. */
static bool resolve_try(struct ks_resolve *r)
{
    struct ks_mapper *m = r->mapper;
    struct ks_resource *found = NULL;
    struct ks_error error = {0};
    bool is_young = is_young_enough(m, &r->query);
    bool is_final;
    ks_rc rc;

    if (is_catalog_due(m) && !is_young)
        return false;
    rc = ks_catalog_find(m->catalog, &r->query, &found, &error);
    is_final = rc == KS_RC_OK || rc == KS_RC_AMBIGUOUS || is_young || m->begun_ms >= r->asked_ms;
    if (!is_final && rc == KS_RC_NOTFOUND)
        is_final = is_known_miss(m, &r->query);
    else if (rc == KS_RC_NOTFOUND && m->begun_ms >= r->asked_ms)
        miss_remember(m, &r->query);
    if (is_final)
        resolve_answer(r, rc, found, &error);
    return is_final;
}

static ks_rc rc_of_failure(ks_rc rc)
{
    bool is_told_as_is = rc == KS_RC_DENIED || rc == KS_RC_UNAUTHENTICATED || rc == KS_RC_IO ||
                         rc == KS_RC_NOMEM || rc == KS_RC_CONFIG;

    return is_told_as_is ? rc : KS_RC_UNAVAILABLE;
}

/* Discovery failed: a hit in the catalog, however old, is still better than no answer. */
static void resolve_fall_back(struct ks_resolve *r, const struct ks_error *why)
{
    struct ks_mapper *m = r->mapper;
    struct ks_resource *found = NULL;
    struct ks_error error = {0};

    if (m->catalog && !ks_catalog_find(m->catalog, &r->query, &found, NULL)) {
        resolve_answer(r, KS_RC_OK, found, NULL);
        return;
    }
    ks_fail(&error, rc_of_failure(why->rc), "cannot ask the API server what it serves: %s",
            why->msg);
    resolve_answer(r, error.rc, NULL, &error);
}

static struct ks_resolve *resolve_of(struct ks_list *link)
{
    return KS_CONTAINER_OF(link, struct ks_resolve, link);
}

/* Callbacks may add to and remove from the list while it is worked on. */
static void asking_fall_back(struct ks_mapper *m, const struct ks_error *why)
{
    struct ks_list failing;

    ks_list_init(&failing);
    ks_list_splice(&failing, &m->asking);
    while (!ks_list_is_empty(&failing))
        resolve_fall_back(resolve_of(failing.next), why);
}

/* Whether some are left that need discovery. */
static bool asking_try(struct ks_mapper *m)
{
    struct ks_list trying;

    ks_list_init(&trying);
    ks_list_splice(&trying, &m->asking);
    while (!ks_list_is_empty(&trying)) {
        struct ks_resolve *r = resolve_of(trying.next);

        if (resolve_try(r))
            continue;
        ks_list_remove(&r->link);
        ks_list_push(&m->asking, &r->link);
    }
    return !ks_list_is_empty(&m->asking);
}

static void on_run_waiting(void *ctx, const struct ks_error *err)
{
    struct ks_mapper *m = ctx;

    m->waiting = *err;
    if (!m->waiting.rc)
        m->waiting.rc = KS_RC_IO;
    ks_timer_start(&m->step, 0);
}

static ks_rc catalog_complete(struct ks_mapper *m, struct ks_discovery_result *result,
                              struct ks_error *err)
{
    ks_rc rc = KS_RC_OK;

    if (!m->catalog)
        return KS_RC_OK;
    rc = ks_catalog_keep_stale(result->catalog, m->catalog, err);
    for (int half = 0; !rc && half < KS_DISCOVERY_HALVES; half++) {
        if (result->is_unchanged[half])
            ks_catalog_move_half(result->catalog, m->catalog, (ks_catalog_half)half);
    }
    return rc;
}

static void catalog_replace(struct ks_mapper *m, struct ks_discovery_result *result)
{
    ks_catalog_free(m->catalog);
    m->catalog = KS_TAKE(result->catalog);
    m->begun_ms = m->run_begun_ms;
    m->catalog_epoch = m->run_epoch;
    for (size_t i = 0; i < KS_DISCOVERY_HALVES; i++) {
        if (result->is_unchanged[i] && !result->etags[i])
            continue; /* a 304 need not repeat it */
        ks_free(m->etags[i]);
        m->etags[i] = KS_TAKE(result->etags[i]);
    }
    m->failure = (struct ks_error){0};
}

static void on_run_done(void *ctx, struct ks_discovery_result *result)
{
    struct ks_mapper *m = ctx;
    struct ks_error error = {0};
    bool is_away = false;
    ks_rc rc = KS_RC_OK;

    m->run = NULL;
    m->waiting = (struct ks_error){0};
    if (result->failure) {
        rc = result->failure->rc;
        error = result->failure->error;
        is_away = result->failure->is_before_head;
    } else {
        rc = catalog_complete(m, result, &error);
    }
    error.rc = rc;
    /* The floor spares a server that answers; one that cannot be reached is spared by the gate. */
    m->checked_ms = is_away ? INT64_MIN : m->run_begun_ms;
    if (rc) {
        m->failure = error;
        asking_fall_back(m, &error);
    } else {
        catalog_replace(m, result);
        misses_forget(m);
    }
    ks_timer_start(&m->step, 0);
}

static const struct ks_discovery_ops run_ops = {.on_waiting = on_run_waiting,
                                                .on_done = on_run_done};

static void run_start(struct ks_mapper *m)
{
    static const char *const none[KS_DISCOVERY_HALVES] = {NULL, NULL};
    const char *const known[KS_DISCOVERY_HALVES] = {m->etags[0], m->etags[1]};
    struct ks_error error = {0};

    m->run_begun_ms = now_of(m);
    m->run_epoch = m->epoch;
    if (ks_discovery_start(m->kube, m->catalog ? known : none, &run_ops, m, &m->run, &error))
        asking_fall_back(m, &error);
}

static int64_t floor_left_ms(const struct ks_mapper *m)
{
    int64_t age_ms;

    if (m->checked_ms == INT64_MIN)
        return 0;
    age_ms = now_of(m) - m->checked_ms;
    return age_ms < FLOOR_MS ? FLOOR_MS - age_ms : 0;
}

static void on_step(struct ks_timer *timer)
{
    struct ks_mapper *m = KS_CONTAINER_OF(timer, struct ks_mapper, step);
    int64_t left_ms;

    if (!asking_try(m))
        return;
    if (ks_timer_is_pending(timer)) /* who asked from within an answer is looked at first */
        return;
    if (m->run && m->waiting.rc) {
        asking_fall_back(m, &m->waiting);
        return;
    }
    if (m->run)
        return;
    left_ms = floor_left_ms(m);
    if (!left_ms)
        run_start(m);
    else if (m->failure.rc)
        asking_fall_back(m, &m->failure);
    else
        ks_timer_start(&m->step, left_ms);
}

static struct ks_str place(char **at, struct ks_str s)
{
    struct ks_str copy = ks_str_make(*at, s.len);

    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

ks_rc ks_mapper_resolve(struct ks_mapper *m, const struct ks_mapper_query *query,
                        ks_resolve_done done, void *ctx, struct ks_resolve **out,
                        struct ks_error *err)
{
    size_t size = query->name.len + query->group.len + query->version.len + query->kind.len;
    struct ks_resolve *r = ks_alloc0(sizeof(*r) + size);
    char *at;

    if (!r)
        return ks_fail(err, KS_RC_NOMEM, "no memory to look up a kind");
    at = (char *)(r + 1);
    r->query.name = place(&at, query->name);
    r->query.group = place(&at, query->group);
    r->query.version = place(&at, query->version);
    r->query.kind = place(&at, query->kind);
    r->query.has_group = query->has_group;
    r->query.is_repeat = query->is_repeat;
    r->mapper = m;
    r->done = done;
    r->ctx = ctx;
    r->asked_ms = now_of(m);
    ks_list_init(&r->link);
    ks_list_push(&m->asking, &r->link);
    ks_timer_start(&m->step, 0);
    *out = r;
    return KS_RC_OK;
}

void ks_resolve_cancel(struct ks_resolve *r)
{
    if (r)
        resolve_free(r);
}

void ks_mapper_invalidate(struct ks_mapper *m)
{
    m->epoch += !KS_PLANTED(22);
    misses_forget(m);
}

ks_rc ks_mapper_new(struct ks_kube *kube, struct ks_mapper **out, struct ks_error *err)
{
    struct ks_mapper *m = ks_alloc0(sizeof(*m));

    if (!m)
        return ks_fail(err, KS_RC_NOMEM, "no memory for discovery");
    m->kube = kube;
    m->checked_ms = INT64_MIN;
    ks_list_init(&m->asking);
    ks_timer_init(&m->step, ks_kube_loop(kube), on_step);
    *out = m;
    return KS_RC_OK;
}

struct ks_mapper *ks_mapper_free(struct ks_mapper *m)
{
    if (!m)
        return NULL;
    assert(ks_list_is_empty(&m->asking));
    ks_discovery_cancel(m->run);
    ks_timer_stop(&m->step);
    ks_catalog_free(m->catalog);
    for (size_t i = 0; i < KS_DISCOVERY_HALVES; i++)
        ks_free(m->etags[i]);
    ks_free(m);
    return NULL;
}
