/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children: from the JSON of a generated object to the few facts that its owner needs.
 *
 * A child belongs to the family of its controller; one without a controller is nobody's, and
 * nothing is kept of it. It borrows its names from the informer's record, so that a healthy Pod
 * costs the struct alone.
 *
 * Invariants:
 *   1. a record's `user` is its child, or NULL;
 *   2. a child is counted in its family with exactly the digest that it has;
 *   3. what is kept of a child's JSON are copies.
 *
 * Thread: the loop's.  It does not: know what an owner makes of it (parent.c).
 */
#include "watcher/children.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "base/rfc3339.h"

#include "json/path.h"

#define UID_BYTES_MAX 128

static struct ks_session *session_of(const struct ks_child *c)
{
    return c->brood->nursery->session;
}

static void digest_fini(struct ks_digest *d)
{
    ks_free(d->shown);
    *d = (struct ks_digest){0};
}

/* The reference to the object that controls this one; ABSENT: none. */
static struct ks_json_value controller_of(struct ks_json_value json)
{
    struct ks_json_value list = ks_json_get(ks_json_get(json, "metadata"), "ownerReferences");

    if (ks_json_type_of(list) != KS_JSON_LIST)
        return (struct ks_json_value){0};
    for (struct ks_json_value r = ks_json_first(list); !ks_json_is_absent(r); r = ks_json_next(r)) {
        if (ks_json_lenient_bool(r, "controller", false))
            return r;
    }
    return (struct ks_json_value){0};
}

static struct ks_str meta_str(struct ks_json_value json, const char *map, const char *key)
{
    struct ks_json_value v = ks_json_get(ks_json_get(ks_json_get(json, "metadata"), map), key);
    struct ks_str text;

    return ks_json_to_str(v, &text) ? text : (struct ks_str){0};
}

/* What an owner calls the revision that its Pods are of. A ReplicaSet is a revision itself. */
static uint64_t revision_of(struct ks_json_value json, struct ks_str owner_kind)
{
    struct ks_str text = {0};

    if (ks_str_is(owner_kind, "StatefulSet"))
        text = meta_str(json, "labels", "controller-revision-hash");
    else if (ks_str_is(owner_kind, "DaemonSet"))
        text = meta_str(json, "labels", "pod-template-generation");
    return text.len ? ks_revision_hash(text) : 0;
}

static int64_t time_at(struct ks_json_value json, const char *path)
{
    int64_t wall_ms;

    return ks_rfc3339_parse(ks_json_lenient_str(json, path, ""), &wall_ms) ? wall_ms : 0;
}

static int64_t rank_of(struct ks_json_value json, ks_child_kind kind)
{
    int64_t rank = 0;

    switch (kind) {
    case KS_CHILD_REPLICA_SET:
        (void)ks_str_to_int64(/* stays 0 */
                              meta_str(json, "annotations", "deployment.kubernetes.io/revision"),
                              &rank);
        return rank;
    case KS_CHILD_JOB:
        return time_at(json, "metadata.creationTimestamp");
    case KS_CHILD_POD:
    case KS_CHILD_EVENT:
        break;
    }
    return 0;
}

/* ABSENT when there is no such condition. */
static struct ks_json_value condition_of(struct ks_json_value json, const char *type)
{
    struct ks_json_value list;

    if (ks_json_walk(json, "status.conditions", &list) != KS_LOOKUP_FOUND ||
        ks_json_type_of(list) != KS_JSON_LIST)
        return (struct ks_json_value){0};
    for (struct ks_json_value c = ks_json_first(list); !ks_json_is_absent(c); c = ks_json_next(c)) {
        if (ks_str_is(ks_json_lenient_str(c, "type", ""), type))
            return c;
    }
    return (struct ks_json_value){0};
}

/* Since when a Pod is not as it should be. */
static int64_t failed_since(struct ks_json_value json)
{
    static const char *const types[] = {"Ready", "PodScheduled"};

    for (size_t i = 0; i < KS_ARRAY_LEN(types); i++) {
        struct ks_json_value c = condition_of(json, types[i]);

        if (ks_str_is(ks_json_lenient_str(c, "status", ""), "False"))
            return time_at(c, "lastTransitionTime");
    }
    return 0;
}

struct reading {
    struct ks_json_value json;
    struct ks_digest *digest;
    int64_t at_wall_ms;
    int64_t recheck_at_ms; /* out */
};

static void judge_failure(const struct ks_child *c, struct ks_json_value json,
                          const struct ks_verdict *verdict, struct ks_digest *out)
{
    const struct ks_status_kind *kind = ks_child_kind_of(c->brood->kind);

    if (session_of(c)->profile == KS_PROFILE_KSTATUS) {
        out->fails = ks_member_fails_owner(json, kind, verdict);
        out->fails_owner = out->fails;
        return;
    }
    out->fails = verdict->status == KS_STATUS_FAILED;
    out->fails_owner =
        c->brood->kind == KS_CHILD_POD
            ? ks_strict_pod_fails_owner(json, ks_json_lenient_str(controller_of(json), "kind", ""),
                                        verdict)
            : out->fails;
}

/* What explains it to its owner. Under kstatus a Pod that has ended is Current, however it has. */
static bool explain(const struct ks_child *c, struct ks_json_value json, struct ks_shown *out)
{
    struct ks_shown ended = {.status = KS_STATUS_FAILED};

    if (c->brood->kind != KS_CHILD_POD || out->status != KS_STATUS_CURRENT ||
        !ks_str_is(ks_json_lenient_str(json, "status.phase", ""), "Failed"))
        return ks_session_explain(session_of(c), ks_child_kind_of(c->brood->kind), json, out, NULL);
    if (!ks_session_explain(session_of(c), ks_child_kind_of(c->brood->kind), json, &ended, NULL))
        return false;
    out->causes = ended.causes;
    out->cause_count = ended.cause_count;
    return true;
}

/* What a rollout passes through comes last among the causes. */
static bool is_hindered(const struct ks_child *c, const struct ks_shown *shown)
{
    return c->brood->kind == KS_CHILD_POD && shown->cause_count > 0 &&
           shown->causes[0].code < KS_CAUSE_CONTAINER_STARTING;
}

/* A failure is not as old as what hindered the Pod before. */
static int64_t known_since(const struct ks_child *c, const struct ks_digest *now, int64_t at_ms)
{
    bool goes_on = c->digest.since_wall_ms && c->digest.fails == now->fails;

    return goes_on ? c->digest.since_wall_ms : at_ms;
}

static bool digest_read(struct ks_child *c, struct reading *r)
{
    const struct ks_status_kind *kind = ks_child_kind_of(c->brood->kind);
    const struct ks_status_context context = {.kind = kind, .first_seen_ms = c->first_seen_wall_ms};
    struct ks_session *s = session_of(c);
    struct ks_error err = {0};
    struct ks_verdict verdict;
    struct ks_decision_room decided;
    struct ks_shown shown;
    struct ks_digest d = {0};
    ks_rc rc =
        ks_status_compute_profile(s->profile, r->json, r->at_wall_ms, &context, &verdict, &err);

    if (rc == KS_RC_NOMEM)
        return ks_session_fail(s, &err);
    ks_shown_from_verdict(&verdict, rc, &err, &shown);
    d.status = shown.status;
    if (!rc)
        judge_failure(c, r->json, &verdict, &d);
    d.is_ready =
        c->brood->kind == KS_CHILD_POD &&
        ks_str_is(ks_json_lenient_str(condition_of(r->json, "Ready"), "status", ""), "True");
    if ((c->brood->kind == KS_CHILD_POD || d.fails || s->generated_depth > 0) &&
        !explain(c, r->json, &shown))
        return false;
    d.is_hindered = !d.fails && is_hindered(c, &shown);
    if (d.fails || d.is_hindered)
        d.since_wall_ms = failed_since(r->json);
    if ((d.fails || d.is_hindered) && !d.since_wall_ms)
        d.since_wall_ms = known_since(c, &d, r->at_wall_ms);
    if (d.fails || d.is_hindered || s->generated_depth > 0) {
        ks_session_decide(s, kind, r->json, &verdict, &decided, &shown);
        d.shown = ks_shown_dup(&shown);
        if (!d.shown)
            return ks_session_fail_nomem(s);
    }
    r->recheck_at_ms = rc ? 0 : verdict.recheck_at_ms;
    *r->digest = d;
    return true;
}

static void wait_free(struct ks_child *c)
{
    struct ks_child_wait *w = KS_TAKE(c->wait);

    if (!w)
        return;
    ks_timer_stop(&w->timer);
    digest_fini(&w->then);
    ks_free(w);
}

/* Counted with another digest from now on. */
static void digest_set(struct ks_child *c, struct ks_digest *d)
{
    ks_family_uncount(c->family, c);
    digest_fini(&c->digest);
    c->digest = *d;
    *d = (struct ks_digest){0};
    ks_family_count(c->family, c);
}

static void on_wait(struct ks_timer *timer)
{
    struct ks_child_wait *w = KS_CONTAINER_OF(timer, struct ks_child_wait, timer);
    struct ks_child *c = w->child;
    struct ks_session *s = session_of(c);
    int64_t left_ms = w->at_wall_ms - ks_loop_wall_ms(s->loop);
    bool is_open;

    if (left_ms > 0) { /* the wall clock was set back, or runs slower */
        ks_timer_start(&w->timer, left_ms);
        return;
    }
    ks_session_enter(s);
    digest_set(c, &w->then);
    wait_free(c);
    is_open = ks_child_tell(c) && ks_family_changed(c->family);
    (void)is_open; /* nothing follows */
    ks_session_leave(s);
}

static bool wait_arm(struct ks_child *c, struct ks_json_value json, int64_t at_wall_ms)
{
    struct ks_session *s = session_of(c);
    struct reading r = {.json = json, .at_wall_ms = at_wall_ms};
    int64_t left_ms = at_wall_ms - ks_loop_wall_ms(s->loop);
    struct ks_child_wait *w = ks_alloc0(sizeof(*w));

    if (!w)
        return ks_session_fail_nomem(s);
    ks_timer_init(&w->timer, s->loop, on_wait);
    w->child = c;
    w->at_wall_ms = at_wall_ms;
    c->wait = w;
    r.digest = &w->then;
    if (!digest_read(c, &r))
        return false;
    ks_timer_start(&w->timer, left_ms > 0 ? left_ms : 0);
    return true;
}

static struct ks_child *child_new(struct ks_brood *b, struct ks_record *record, struct ks_str owner)
{
    struct ks_family *f = ks_family_get(b->nursery, owner);
    struct ks_child *c = f ? ks_alloc0(sizeof(*c)) : NULL;

    if (!c) {
        if (f)
            ks_family_reap(f);
        return NULL;
    }
    ks_list_init(&c->in_failing);
    ks_list_push(&f->members, &c->in_family);
    c->family = f;
    c->brood = b;
    c->record = record;
    c->first_seen_wall_ms = ks_loop_wall_ms(b->nursery->session->loop);
    if (ks_status_member_kind(ks_child_kind_of(b->kind))) {
        c->own = ks_family_get(b->nursery, record->uid);
        if (!c->own) {
            ks_child_free(c);
            return NULL;
        }
        c->own->child = c;
    }
    ks_docket_bind(c);
    record->user = c;
    return c;
}

void ks_child_free(struct ks_child *c)
{
    struct ks_family *f = c->family;

    wait_free(c);
    ks_child_forget(c);
    ks_docket_unbind(c);
    ks_family_uncount(f, c);
    ks_list_remove(&c->in_family);
    if (f->newest == c) {
        f->newest = NULL;
        ks_family_rank(f);
    }
    if (c->own) {
        c->own->child = NULL;
        ks_family_reap(c->own);
    }
    digest_fini(&c->digest);
    ks_free(c);
}

static bool take_facts(struct ks_child *c, struct ks_json_value json, struct ks_str owner_kind)
{
    struct ks_digest digest = {0};
    struct reading r = {
        .json = json, .digest = &digest, .at_wall_ms = ks_loop_wall_ms(session_of(c)->loop)};
    int64_t rank = rank_of(json, c->brood->kind);

    wait_free(c);
    if (!digest_read(c, &r))
        return false;
    ks_family_uncount(c->family, c);
    digest_fini(&c->digest);
    c->revision = revision_of(json, owner_kind);
    c->digest = digest;
    ks_family_count(c->family, c);
    if (rank != c->rank) {
        c->rank = rank;
        ks_family_rank(c->family);
    }
    return !r.recheck_at_ms || wait_arm(c, json, r.recheck_at_ms);
}

/* What is to be told of it has been. (Until then it is the record's: the sink may end all.) */
static bool part(struct ks_record *record)
{
    struct ks_child *c = KS_TAKE(record->user);
    struct ks_family *f = c->family;

    ks_child_free(c);
    if (!ks_family_changed(f))
        return false;
    ks_family_reap(f);
    return true;
}

bool ks_child_see(struct ks_brood *b, struct ks_record *record, struct ks_json_value json)
{
    struct ks_json_value controller = controller_of(json);
    struct ks_str owner = ks_json_lenient_str(controller, "uid", "");
    struct ks_child *c = record->user;

    if (c && !ks_str_eq(c->family->uid, owner) && !KS_PLANTED(19)) {
        if (!ks_child_tell_disowned(c) || !part(record))
            return false;
        c = NULL;
    }
    if (owner.len == 0 || owner.len > UID_BYTES_MAX || record->uid.len > UID_BYTES_MAX)
        return true;
    if (!c)
        c = child_new(b, record, owner);
    if (!c)
        return ks_session_fail_nomem(b->nursery->session);
    if (!take_facts(c, json, ks_json_lenient_str(controller, "kind", "")))
        return false;
    return ks_family_changed(c->family) && ks_child_tell(c);
}

bool ks_child_lose(struct ks_record *record, ks_gone how)
{
    struct ks_child *c = record->user;

    return !c || (ks_child_tell_gone(c, how) && part(record));
}

bool ks_family_changed(struct ks_family *f)
{
    for (unsigned level = 0; level < KS_CHILD_LEVELS_MAX; level++) {
        if (f->parent && !KS_PLANTED(28) && !ks_parent_reconsider(f->parent))
            return false;
        if (!f->child)
            break;
        if (!ks_child_tell(f->child))
            return false;
        f = f->child->family;
    }
    return true;
}
