/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents: objects whose verdict their children may change.
 *
 * The object's own JSON is gone when a child speaks. So what it said is kept as verdicts: the one
 * on the object alone, what that becomes by itself, and whether a failed child would decide. From
 * these and the family's few facts the verdict is put together again, as often as a child changes:
 *
 *   kstatus  InProgress and a Pod has failed: Failed, for ReplicaSets and StatefulSets
 *   strict   a Pod of the newest revision has failed: Failed, after a grace; for a Deployment only
 *            if no Pod of that revision has been Ready. The newest Job decides for a CronJob.
 *
 * Invariants:
 *   1. the first answer waits until the children are known, or will not be, or for too long;
 *   2. when they cannot be read, the verdict is the object's own, and says so;
 *   3. a parent ends with the last record of its object.
 *
 * Thread: the loop's.  It does not: read children (child.c).
 */
#include "watcher/children.h"

#include "base/alloc.h"

#include "json/path.h"

#include "kube/rv.h"

#define POD_GRACE_MS 30000
/* Of a message that something is added to. */
#define MESSAGE_ROOM 2048
#define NOTE_ROOM 160

static struct ks_session *session_of(const struct ks_parent *p)
{
    return p->nursery->session;
}

static struct ks_status_kind kind_of(const struct ks_object *o)
{
    return (struct ks_status_kind){o->kind->resource->group, o->kind->resource->kind};
}

/* How many levels of children can change the verdict. */
static unsigned levels_that_decide(ks_profile profile, const struct ks_status_kind *kind)
{
    static const char *const of_one[] = {"StatefulSet", "DaemonSet", "ReplicaSet", "Job",
                                         "CronJob"};

    if (profile == KS_PROFILE_KSTATUS)
        return ks_status_fails_by_members(kind) ? 1 : 0;
    if (ks_str_is(kind->kind, "Deployment"))
        return 2;
    for (size_t i = 0; i < KS_ARRAY_LEN(of_one); i++) {
        if (ks_str_is(kind->kind, of_one[i]))
            return 1;
    }
    return 0;
}

static uint8_t chain_of(const struct ks_session *s, const struct ks_status_kind *kind,
                        ks_child_kind chain[KS_CHILD_LEVELS_MAX])
{
    const struct ks_status_kind *member = ks_status_member_kind(kind);
    unsigned needed = levels_that_decide(s->profile, kind);
    uint8_t count = 0;

    /* A child that is told of is told with what its own children make of it. */
    if (s->generated_depth && needed < s->generated_depth + 1)
        needed = s->generated_depth + 1;
    if (s->causes) /* they lie in the Pods mostly */
        needed = KS_CHILD_LEVELS_MAX;
    while (member && count < needed && count < KS_CHILD_LEVELS_MAX &&
           ks_child_kind_find(member, &chain[count])) {
        count++;
        member = ks_status_member_kind(member);
    }
    return count;
}

static void on_timer(struct ks_timer *timer)
{
    struct ks_parent *p = KS_CONTAINER_OF(timer, struct ks_parent, timer);
    struct ks_session *s = session_of(p);
    bool goes_on;

    ks_session_enter(s);
    goes_on = ks_parent_reconsider(p);
    (void)goes_on; /* nothing follows */
    ks_session_leave(s);
}

static bool parent_begin(struct ks_session *s, struct ks_parent *p, struct ks_str uid)
{
    p->family = ks_family_get(p->nursery, uid);
    if (!p->family)
        return ks_session_fail_nomem(s);
    p->family->parent = p;
    for (size_t i = 0; i < p->levels; i++) {
        if (!ks_brood_use(&p->nursery->broods[p->chain[i]]))
            return false;
    }
    p->is_waiting = !ks_nursery_is_ready(p->nursery, p);
    return true;
}

static struct ks_parent *parent_new(struct ks_session *s, struct ks_object *first,
                                    const ks_child_kind *chain, uint8_t levels)
{
    struct ks_nursery *n = ks_nursery_get(s, ks_object_ns(first));
    struct ks_parent *p = n ? ks_alloc0(sizeof(*p)) : NULL;

    if (!p) {
        (void)ks_session_fail_nomem(s); /* false, and so is our NULL */
        return NULL;
    }
    memcpy(p->chain, chain, sizeof(p->chain));
    p->levels = levels;
    p->nursery = n;
    p->first = first;
    ks_timer_init(&p->timer, s->loop, on_timer);
    ks_list_push(&n->parents, &p->link);
    first->parent = p;
    return p;
}

static void verdicts_free(struct ks_parent *p)
{
    ks_free(p->now);
    ks_free(p->later);
    ks_free(p->with_job);
    p->now = NULL;
    p->later = NULL;
    p->with_job = NULL;
}

void ks_parent_drop(struct ks_object *first)
{
    struct ks_parent *p = KS_TAKE(first->parent);

    if (!p)
        return;
    ks_timer_stop(&p->timer);
    ks_list_remove(&p->link);
    for (size_t i = 0; i < p->levels; i++) {
        if (p->nursery->broods[p->chain[i]].users)
            ks_brood_unuse(&p->nursery->broods[p->chain[i]]);
    }
    p->told = 0;
    if (p->family && p->family->parent == p) {
        ks_family_forget(p->family);
        p->family->parent = NULL;
        ks_family_reap(p->family);
    }
    verdicts_free(p);
    ks_free(p->version.ptr);
    ks_free(p);
}

/* Whether a failed child would make the object Failed. */
static ks_rc probe(const struct ks_parent_sight *sight, int64_t now_ms, bool *out,
                   struct ks_error *err)
{
    const struct ks_status_evidence failure = {.reason = KS_LIT("(probe)"), .since_ms = 1};
    struct ks_status_context context = *sight->context;
    struct ks_verdict verdict;
    ks_rc rc;

    context.failure = &failure;
    rc = ks_status_compute_profile(KS_PROFILE_STRICT, sight->json, now_ms, &context, &verdict, err);
    *out = !rc && verdict.status == KS_STATUS_FAILED && ks_str_eq(verdict.reason, failure.reason);
    return rc;
}

static ks_rc probe_job(struct ks_parent *p, const struct ks_parent_sight *sight, int64_t now_ms,
                       struct ks_error *err)
{
    struct ks_status_context context = *sight->context;
    struct ks_decision_room decided;
    struct ks_verdict verdict;
    struct ks_shown shown;
    ks_rc rc;

    context.last_job_known = KS_FACT_YES;
    rc = ks_status_compute_profile(KS_PROFILE_STRICT, sight->json, now_ms, &context, &verdict, err);
    if (rc)
        return rc;
    ks_shown_from_verdict(&verdict, rc, err, &shown);
    ks_session_decide(session_of(p), context.kind, sight->json, &verdict, &decided, &shown);
    p->can_fail = verdict.status == KS_STATUS_CURRENT && !ks_str_is(verdict.reason, "Suspended");
    p->with_job = ks_shown_dup(&shown);
    return p->with_job ? KS_RC_OK : ks_fail(err, KS_RC_NOMEM, "no memory for a verdict");
}

static bool is_cron_job(const struct ks_parent *p)
{
    return p->chain[0] == KS_CHILD_JOB;
}

/* Profile strict: what the verdict would be, knew it of children. */
static ks_rc foresee(struct ks_parent *p, const struct ks_parent_sight *sight, struct ks_error *err)
{
    int64_t now_ms = ks_loop_wall_ms(session_of(p)->loop);

    p->can_fail = false;
    if (session_of(p)->profile != KS_PROFILE_STRICT)
        return KS_RC_OK;
    return is_cron_job(p) ? probe_job(p, sight, now_ms, err)
                          : probe(sight, now_ms, &p->can_fail, err);
}

/* The revision that the object's Pods are to be of. */
static uint64_t wanted_revision(const struct ks_object *first, struct ks_json_value json)
{
    struct ks_str kind = first->kind->resource->kind;
    struct ks_str text = {0};

    if (ks_str_is(kind, "StatefulSet"))
        text = ks_json_lenient_str(json, "status.updateRevision", "");
    else if (ks_str_is(kind, "DaemonSet") &&
             !ks_json_to_str(ks_json_get(ks_json_get(ks_json_get(json, "metadata"), "annotations"),
                                         "deprecated.daemonset.template.generation"),
                             &text))
        text = (struct ks_str){0};
    return text.len ? ks_revision_hash(text) : 0;
}

static bool keep(struct ks_parent *p, const struct ks_parent_sight *sight)
{
    const struct ks_sighting *seen = sight->seen;
    struct ks_session *s = session_of(p);
    struct ks_error err = {0};

    verdicts_free(p);
    p->now = ks_shown_dup(seen->now);
    p->later = seen->later ? ks_shown_dup(seen->later) : NULL;
    p->later_wall_ms = seen->later_wall_ms;
    if (!p->now || (seen->later && !p->later) || !ks_text_set(&p->version, seen->version))
        return ks_session_fail_nomem(s);
    if (foresee(p, sight, &err) == KS_RC_NOMEM)
        return ks_session_fail(s, &err);
    ks_family_want(p->family, wanted_revision(p->first, sight->json));
    return true;
}

static const struct ks_child *find_failure(const struct ks_parent *p)
{
    const struct ks_child *newest = p->family->newest;

    switch (p->chain[0]) {
    case KS_CHILD_POD:
        return ks_family_first_failure(p->family);
    case KS_CHILD_JOB:
        return newest && newest->digest.fails ? newest : NULL;
    case KS_CHILD_REPLICA_SET:
    case KS_CHILD_EVENT:
        break;
    }
    if (!newest || !newest->own || newest->own->has_been_ready)
        return NULL;
    return ks_family_first_failure(newest->own);
}

/* The family whose failing and hindered members explain the parent; NULL: there is none. */
static const struct ks_family *find_failing(const struct ks_parent *p)
{
    const struct ks_child *failure = find_failure(p);
    const struct ks_child *newest = p->family->newest;

    if (failure)
        return failure->family;
    if (p->chain[0] == KS_CHILD_REPLICA_SET)
        return newest ? newest->own : NULL;
    return p->chain[0] == KS_CHILD_POD ? p->family : NULL;
}

/* A child's words: no field of the object itself decided then. */
static void set_words(struct ks_shown *out, struct ks_str reason, struct ks_str message)
{
    out->decision = NULL;
    out->reason = reason;
    out->message = message;
    out->has_condition = true;
    out->condition = (struct ks_condition){
        .type = out->status == KS_STATUS_FAILED ? KS_LIT("Stalled") : KS_LIT("Reconciling"),
        .status = KS_LIT("True"),
        .reason = reason,
        .message = message,
    };
}

static ks_rc count_failed(const struct ks_parent *p, struct ks_shown *out, struct ks_buf *text)
{
    const struct ks_status_kind kind = kind_of(p->first);
    struct ks_verdict verdict = {.status = out->status};
    ks_rc rc;

    ks_status_count_failed(&kind, p->family->failing_count, &verdict);
    if (verdict.status == out->status)
        return KS_RC_OK;
    out->status = verdict.status;
    out->basis = verdict.basis;
    rc = ks_buf_append_str(text, verdict.message);
    set_words(out, KS_LIT("PodsFailed"), ks_buf_str(text));
    return rc;
}

/* A moment at which the verdict changes by itself: the first of all is kept. */
static void note_time(int64_t at_ms, int64_t *next_ms)
{
    if (at_ms && (!*next_ms || at_ms < *next_ms))
        *next_ms = at_ms;
}

static ks_rc blame_child(const struct ks_parent *p, int64_t now_ms, struct ks_shown *out,
                         struct ks_buf *text, int64_t *next_ms)
{
    const struct ks_child *child = p->can_fail ? find_failure(p) : NULL;
    int64_t until_ms;
    ks_rc rc;

    if (!child || (out->status != KS_STATUS_IN_PROGRESS && out->status != KS_STATUS_CURRENT))
        return KS_RC_OK;
    until_ms = is_cron_job(p) ? 0 : child->digest.since_wall_ms + POD_GRACE_MS;
    if (now_ms < until_ms)
        note_time(until_ms, next_ms);
    out->status = now_ms < until_ms ? KS_STATUS_IN_PROGRESS : KS_STATUS_FAILED;
    out->basis = KS_BASIS_KIND_RULE;
    rc = ks_buf_appendf(text, "%.*s %.*s: %.*s",
                        KS_STR_ARGS(ks_child_kind_of(child->brood->kind)->kind),
                        KS_STR_ARGS(child->record->name),
                        KS_STR_ARGS(ks_str_cut_utf8(child->digest.shown->message, MESSAGE_ROOM)));
    set_words(out, child->digest.shown->reason, ks_buf_str(text));
    return rc;
}

/* The kind of children that cannot be read; NULL: all can. */
static const struct ks_brood *find_blind(const struct ks_parent *p)
{
    for (size_t i = 0; i < p->levels; i++) {
        const struct ks_brood *b = &p->nursery->broods[p->chain[i]];

        if (b->state != KS_BROOD_KNOWN)
            return b;
    }
    return NULL;
}

static ks_rc excuse_blindness(const struct ks_brood *b, struct ks_shown *out, struct ks_buf *text)
{
    struct ks_str plural = ks_child_kind_plural(b->kind);
    struct ks_str message = ks_str_cut_utf8(out->message, MESSAGE_ROOM);
    const char *gap = message.len ? " " : "";
    ks_rc rc;

    if (out->status != KS_STATUS_IN_PROGRESS && out->status != KS_STATUS_CURRENT)
        return KS_RC_OK;
    rc = b->state == KS_BROOD_BLIND
             ? ks_buf_appendf(text, "%.*s%s(its %.*s may not be read: %.*s)", KS_STR_ARGS(message),
                              gap, KS_STR_ARGS(plural),
                              KS_STR_ARGS(ks_str_cut_utf8(ks_str_from(b->why_blind), NOTE_ROOM)))
             : ks_buf_appendf(text, "%.*s%s(its %.*s are not known yet)", KS_STR_ARGS(message), gap,
                              KS_STR_ARGS(plural));
    out->message = ks_buf_str(text);
    if (out->has_condition)
        out->condition.message = out->message;
    return rc;
}

/* *next_ms: when it is to be put together again; 0: when something happens. */
static ks_rc decide(const struct ks_parent *p, struct ks_shown *out, struct ks_buf *text,
                    int64_t *next_ms)
{
    const struct ks_status_kind kind = kind_of(p->first);
    const struct ks_brood *blind = find_blind(p);
    int64_t now_ms = ks_loop_wall_ms(session_of(p)->loop);

    *next_ms = 0;
    if (p->with_job && p->family->newest) {
        *out = *p->with_job;
    } else if (p->later && now_ms >= p->later_wall_ms) {
        *out = *p->later;
    } else {
        *out = *p->now;
        note_time(p->later ? p->later_wall_ms : 0, next_ms);
    }
    if (levels_that_decide(session_of(p)->profile, &kind) == 0)
        return KS_RC_OK;
    if (blind)
        return excuse_blindness(blind, out, text);
    if (session_of(p)->profile == KS_PROFILE_KSTATUS)
        return count_failed(p, out, text);
    return blame_child(p, now_ms, out, text, next_ms);
}

static ks_rc put_together(const struct ks_parent *p, struct ks_shown *out, struct ks_buf *text,
                          int64_t *next_ms)
{
    ks_rc rc = decide(p, out, text, next_ms);

    if (!rc)
        ks_parent_explain(p, find_failing(p), out);
    return rc;
}

static void arm(struct ks_parent *p, int64_t next_ms)
{
    int64_t left_ms = next_ms - ks_loop_wall_ms(session_of(p)->loop);

    ks_timer_stop(&p->timer);
    if (next_ms)
        ks_timer_start(&p->timer, left_ms > 0 ? left_ms : 0);
}

void ks_parent_forget_version(struct ks_object *first)
{
    if (first->parent)
        first->parent->version.len = 0;
}

static bool is_stale(const struct ks_parent *p, const struct ks_sighting *seen)
{
    return ks_rv_is_older(seen->version, ks_text_str(&p->version));
}

static bool see(struct ks_parent *p, const struct ks_parent_sight *sight)
{
    struct ks_session *s = session_of(p);
    int64_t next_ms;

    if (!keep(p, sight))
        return false;
    sight->seen->later = NULL;
    if (p->is_waiting) {
        sight->seen->now = NULL;
        return true;
    }
    if (put_together(p, sight->now, sight->text, &next_ms))
        return ks_session_fail_nomem(s);
    arm(p, next_ms);
    return true;
}

bool ks_parent_see(struct ks_session *s, struct ks_object *first,
                   const struct ks_parent_sight *sight)
{
    const struct ks_status_kind kind = kind_of(first);
    ks_child_kind chain[KS_CHILD_LEVELS_MAX] = {KS_CHILD_POD};
    uint8_t levels = chain_of(s, &kind, chain);
    struct ks_parent *p = first->parent;

    if (!levels || !sight->seen->uid.len)
        return true;
    if (p && is_stale(p, sight->seen))
        return true;
    if (p && !ks_str_eq(p->family->uid, sight->seen->uid)) {
        ks_parent_drop(first);
        p = NULL;
    }
    if (p)
        return see(p, sight);
    p = parent_new(s, first, chain, levels);
    return p && parent_begin(s, p, sight->seen->uid) && see(p, sight);
}

static bool was_shown(struct ks_parent *p)
{
    ks_target_bits bits = ks_parent_targets(p);

    if (p->is_waiting || p->told == bits)
        return true;
    p->told = bits;
    return ks_family_tell(p->family);
}

bool ks_parent_was_shown(struct ks_object *first)
{
    return !first->parent || was_shown(first->parent);
}

bool ks_parent_reconsider(struct ks_parent *p)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARENT_TEXT_MAX);
    struct ks_session *s = session_of(p);
    struct ks_sighting seen = {.uid = p->family->uid};
    struct ks_shown now;
    int64_t next_ms;

    if (!p->now || (p->is_waiting && !ks_nursery_is_ready(p->nursery, p)))
        return true;
    if (put_together(p, &now, &text, &next_ms))
        return ks_session_fail_nomem(s);
    p->is_waiting = false;
    arm(p, next_ms);
    seen.now = &now;
    for (struct ks_object *o = p->first; o; o = o->sibling) {
        if (!ks_object_reconsider(s, o, &seen))
            return false;
    }
    return was_shown(p);
}

bool ks_parents_reconsider(struct ks_nursery *n)
{
    struct ks_session *s = n->session;

    KS_LIST_FOREACH(link, &n->parents)
    {
        if (!ks_parent_reconsider(KS_CONTAINER_OF(link, struct ks_parent, link)))
            return false;
    }
    return ks_parents_settle(s);
}

static ks_target_bits waiting_in(const struct ks_nursery *n)
{
    ks_target_bits bits = 0;

    KS_LIST_FOREACH(link, &n->parents)
    {
        const struct ks_parent *p = KS_CONTAINER_OF(link, struct ks_parent, link);

        for (const struct ks_object *o = p->first; o && p->is_waiting; o = o->sibling)
            bits |= ks_object_targets(o);
    }
    return bits;
}

static ks_target_bits waiting_targets(const struct ks_session *s)
{
    ks_target_bits bits = 0;

    KS_LIST_FOREACH(link, &s->nurseries)
    {
        bits |= waiting_in(KS_CONTAINER_OF(link, struct ks_nursery, link));
    }
    return bits;
}

bool ks_parents_hold(const struct ks_session *s, ks_target_bits bits)
{
    return (waiting_targets(s) & bits) != 0;
}

bool ks_parents_hold_sync(const struct ks_session *s, ks_target_bits bits)
{
    return ((waiting_targets(s) | ks_inquiries_open(s)) & bits) != 0;
}

bool ks_parents_settle(struct ks_session *s)
{
    ks_target_bits awaiting = 0;

    for (size_t i = 0; i < s->pursuit_count; i++) {
        if (s->pursuits[i].awaits_children)
            awaiting |= ks_pursuit_bit(&s->pursuits[i]);
    }
    if (awaiting) /* seldom: and the parents are looked through then */
        awaiting &= ~(waiting_targets(s) | ks_inquiries_open(s));
    for (size_t i = 0; i < s->pursuit_count; i++) {
        struct ks_pursuit *p = &s->pursuits[i];

        if (!(awaiting & ks_pursuit_bit(p)))
            continue;
        p->awaits_children = false;
        if (!ks_session_settle(s, p))
            return false;
    }
    return true;
}

ks_target_bits ks_parent_targets(const struct ks_parent *p)
{
    ks_target_bits bits = 0;

    for (const struct ks_object *o = p->first; o; o = o->sibling) {
        if (ks_str_eq(ks_object_uid(o), p->family->uid))
            bits |= o->told & ks_object_targets(o);
    }
    return bits;
}
