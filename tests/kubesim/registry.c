/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of writing.
 *
 * The model: take the current state as a tree, make the new tree from it and from what was asked,
 * check, encode, put. What the client may not set (uid, timestamps, generation) is always taken
 * from the current state.
 *
 * 1. An update that changes nothing writes nothing: the resourceVersion stays.
 * 2. Main resource and /status leave each other's part alone, for kinds that have a /status.
 * 3. generation grows when anything but metadata and status changes, and when deletion begins.
 * 4. An object with finalizers is not deleted but marked; it goes when its last finalizer goes.
 * 5. After each change the kinds with a life of their own are told (lifecycle.c): CRDs and
 * namespaces.
 *
 * Thread: one. There is no kubelet and no garbage collector: grace periods and owner references
 * delete nothing.
 */
#include "registry.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "lifecycle.h"
#include "names.h"
#include "object.h"
#include "read.h"
#include "sim.h"

static struct sim_rev *fail_memory(struct sim_problem *problem)
{
    sim_problem_set(problem, 500, "Internal error occurred: out of memory");
    return NULL;
}

/* Encodes and, unless it is a dry run, puts. */
static struct sim_rev *commit(const struct sim_target *t, json_t *obj, struct sim_problem *problem)
{
    struct sim_rev *rev;
    ks_rc rc = sim_object_encode(t->res, obj, sim_store_next_rv(t->sim->store), &rev);

    if (rc == KS_RC_LIMIT) {
        sim_problem_set(problem, 413, "Request entity too large: limit is 3145728");
        return NULL;
    }
    if (rc)
        return fail_memory(problem);
    if (t->mode == SIM_DRY_RUN)
        return rev;
    sim_rev_ref(rev);
    rc = sim_table_put(t->res->table, rev);
    if (rc) {
        sim_rev_unref(rev);
        sim_problem_set(problem, 500, "Internal error occurred: etcdserver: no space");
        return NULL;
    }
    sim_lifecycle_on_put(t->sim, t->res, rev);
    return rev;
}

static struct sim_rev *current_find(const struct sim_target *t)
{
    char key[600];

    return sim_table_find(t->res->table, sim_key_make(t->res, t->ns, t->name, key, sizeof(key)));
}

static struct sim_rev *current_get(const struct sim_target *t, struct sim_problem *problem)
{
    struct sim_rev *rev = current_find(t);

    if (!rev)
        sim_problem_not_found(problem, t->res, t->name.ptr);
    return rev;
}

static bool type_check(const struct sim_target *t, const json_t *obj, struct sim_problem *problem)
{
    const char *kind = sim_json_text(obj, "kind");
    const char *version = sim_json_text(obj, "apiVersion");

    if ((!kind[0] || strcmp(kind, t->res->kind) == 0) &&
        (!version[0] || strcmp(version, t->res->group_version) == 0))
        return true;
    sim_problem_set(
        problem, 400,
        "the API version in the data (%s) does not match the expected API version (%s), "
        "or the kind (%s) is not %s",
        version, t->res->group_version, kind, t->res->kind);
    return false;
}

static bool namespace_check(const struct sim_target *t, json_t *obj, struct sim_problem *problem)
{
    const char *ns = sim_object_namespace(obj);
    char wanted[256];

    if (!sim_resource_has(t->res, SIM_NAMESPACED)) {
        (void)json_object_del(sim_object_metadata(obj), "namespace"); /* its absence is as good */
        return true;
    }
    if (ns[0] && !ks_str_is(t->ns, ns)) {
        sim_problem_set(problem, 400,
                        "the namespace of the provided object does not match the namespace sent on "
                        "the request");
        return false;
    }
    snprintf(wanted, sizeof(wanted), "%.*s", KS_STR_ARGS(t->ns));
    return sim_object_set_text(obj, "namespace", wanted);
}

/* A name of its own for an object that came with generateName. */
static bool name_generate(const struct sim_target *t, json_t *obj)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    const char *base = sim_json_text(sim_object_metadata(obj), "generateName");
    char name[SIM_NAME_MAX + 1];
    size_t at;
    int n;

    if (sim_object_name(obj)[0] || !base[0])
        return true;
    n = snprintf(name, sizeof(name) - 5, "%s", base);
    at = n < 0 ? 0 : strlen(name);
    for (int i = 0; i < 5; i++)
        name[at++] = letters[sim_random(t->sim) % (sizeof(letters) - 1)];
    name[at] = '\0';
    return sim_object_set_text(obj, "name", name);
}

/* What the server sets on a new object, whatever the client said. */
static bool birth_set(const struct sim_target *t, json_t *obj)
{
    static const char *const not_yours[] = {"deletionTimestamp", "deletionGracePeriodSeconds",
                                            "resourceVersion", "generation", "selfLink"};
    char uid[SIM_UID_SIZE];
    char now[SIM_TIME_SIZE];

    for (size_t i = 0; i < KS_ARRAY_LEN(not_yours); i++)
        (void)json_object_del(sim_object_metadata(obj), not_yours[i]); /* often absent */
    sim_uid_make(t->sim, uid);
    sim_time_now(t->sim, now);
    if (!sim_object_set_text(obj, "uid", uid) ||
        !sim_object_set_text(obj, "creationTimestamp", now))
        return false;
    if (sim_resource_has(t->res, SIM_GENERATION | SIM_CUSTOM) &&
        !sim_object_set_int(obj, "generation", 1))
        return false;
    if (sim_resource_has(t->res, SIM_STATUS))
        (void)json_object_del(obj, "status"); /* often absent */
    return sim_lifecycle_defaults(t->res, obj);
}

struct sim_rev *sim_create(const struct sim_target *t, json_t *obj, struct sim_problem *problem)
{
    struct sim_target named = *t;
    char name[SIM_NAME_MAX + 1];

    if (!type_check(t, obj, problem) || !namespace_check(t, obj, problem) ||
        !sim_lifecycle_namespace_is_open(t, problem))
        return NULL;
    if (!name_generate(t, obj))
        return fail_memory(problem);
    if (!sim_name_check(t->res, sim_object_name(obj), problem))
        return NULL;
    snprintf(name, sizeof(name), "%s", sim_object_name(obj));
    named.name = ks_str_from(name);
    if (current_find(&named)) {
        sim_problem_exists(problem, t->res, name);
        return NULL;
    }
    if (!sim_lifecycle_check(t->res, obj, problem))
        return NULL;
    if (!birth_set(t, obj))
        return fail_memory(problem);
    return commit(&named, obj, problem);
}

static const char *rv_text(const json_t *obj)
{
    return sim_json_text(sim_object_metadata(obj), "resourceVersion");
}

/* Optimistic locking, and that the object is the one that was meant. */
static bool lock_check(const struct sim_target *t, const json_t *obj, const struct sim_rev *current,
                       struct sim_problem *problem)
{
    const char *name = sim_object_name(obj);
    const char *uid = sim_json_text(sim_object_metadata(obj), "uid");
    char why[256];
    int64_t rv = 0;

    if (name[0] && !ks_str_is(t->name, name)) {
        sim_problem_set(problem, 400,
                        "the name of the object (%s) does not match the name on the URL (%.*s)",
                        name, KS_STR_ARGS(t->name));
        return false;
    }
    if (uid[0] && !ks_str_is(current->uid, uid)) {
        snprintf(why, sizeof(why),
                 "Precondition failed: UID in precondition: %s, UID in object meta: %.*s", uid,
                 KS_STR_ARGS(current->uid));
        sim_problem_conflict(problem, t->res, t->name.ptr, why);
        return false;
    }
    if (rv_text(obj)[0] &&
        (!ks_str_to_int64(ks_str_from(rv_text(obj)), &rv) || (uint64_t)rv != current->rv)) {
        sim_problem_conflict(problem, t->res, t->name.ptr,
                             "the object has been modified; please apply your changes to the "
                             "latest version and try again");
        return false;
    }
    if (!rv_text(obj)[0] && sim_resource_has(t->res, SIM_CUSTOM)) {
        sim_problem_invalid(problem, t->res->group, t->res->kind, t->name.ptr);
        sim_problem_cause(problem, "FieldValueInvalid", "metadata.resourceVersion",
                          "Invalid value: 0: must be specified for an update");
        sim_problem_invalid_finish(problem);
        return false;
    }
    return true;
}

/* Sets a member of `to` as `from` has it, or takes it away. */
static bool member_copy(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value)
        return json_object_set(to, key, value) == 0;
    (void)json_object_del(to, key); /* often absent */
    return true;
}

static bool immutables_keep(json_t *obj, const json_t *current)
{
    static const char *const kept[] = {"name",
                                       "namespace",
                                       "uid",
                                       "creationTimestamp",
                                       "deletionTimestamp",
                                       "deletionGracePeriodSeconds",
                                       "generation",
                                       "generateName",
                                       "resourceVersion"};

    if (!sim_object_metadata(obj) && json_object_set_new(obj, "metadata", json_object()) != 0)
        return false;
    for (size_t i = 0; i < KS_ARRAY_LEN(kept); i++) {
        if (!member_copy(sim_object_metadata(obj), sim_object_metadata(current), kept[i]))
            return false;
    }
    return member_copy(obj, current, "kind") && member_copy(obj, current, "apiVersion");
}

/* Whether anything but metadata and status differs. */
static bool spec_differs(json_t *a, json_t *b)
{
    json_t *x = json_copy(a);
    json_t *y = json_copy(b);
    bool differs;

    (void)json_object_del(x, "metadata");
    (void)json_object_del(y, "metadata");
    (void)json_object_del(x, "status");
    (void)json_object_del(y, "status");
    differs = !json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return differs;
}

/* The new tree: obj's part of it over the current state. A new reference; NULL when memory is
 * short. */
static json_t *tree_merge(const struct sim_target *t, json_t *obj, json_t *current,
                          enum sim_part part)
{
    json_t *next;

    if (part == SIM_PART_STATUS) {
        next = json_copy(current);
        if (next && member_copy(next, obj, "status"))
            return next;
        json_decref(next);
        return NULL;
    }
    if (sim_resource_has(t->res, SIM_STATUS) && !member_copy(obj, current, "status"))
        return NULL;
    if (!immutables_keep(obj, current))
        return NULL;
    if (sim_resource_has(t->res, SIM_GENERATION | SIM_CUSTOM) && spec_differs(obj, current) &&
        !sim_object_set_int(obj, "generation", sim_object_int(current, "generation") + 1))
        return NULL;
    return json_incref(obj);
}

static bool is_being_deleted(const json_t *obj)
{
    return json_object_get(sim_object_metadata(obj), "deletionTimestamp") != NULL;
}

static bool has_finalizers(const json_t *obj)
{
    return json_array_size(json_object_get(sim_object_metadata(obj), "finalizers")) > 0;
}

/* Removes the object; `last` is its last state, under a new rv. */
static bool take_out(const struct sim_target *t, json_t *last, struct sim_problem *problem)
{
    struct sim_rev *rev;

    if (sim_object_encode(t->res, last, sim_store_next_rv(t->sim->store), &rev)) {
        fail_memory(problem);
        return false;
    }
    sim_rev_ref(rev);
    if (sim_table_remove(t->res->table, rev)) {
        sim_rev_unref(rev);
        fail_memory(problem);
        return false;
    }
    sim_lifecycle_on_removed(t->sim, t->res, rev);
    sim_rev_unref(rev);
    return true;
}

/* The last finalizer has gone: the answer is the object a last time, with the resourceVersion it
 * had. */
static struct sim_rev *finalize(const struct sim_target *t, json_t *next,
                                const struct sim_rev *current, struct sim_problem *problem)
{
    struct sim_rev *shown;

    (void)json_object_del(sim_object_metadata(next), "finalizers"); /* may be absent */
    if (sim_object_encode(t->res, next, current->rv, &shown))
        return fail_memory(problem);
    if (t->mode == SIM_COMMIT && !take_out(t, next, problem)) {
        sim_rev_unref(shown);
        return NULL;
    }
    return shown;
}

static struct sim_rev *update_apply(const struct sim_target *t, json_t *next, const json_t *before,
                                    struct sim_rev *current, struct sim_problem *problem)
{
    if (json_equal(next, before))
        return sim_rev_ref(current);
    if (is_being_deleted(next) && !has_finalizers(next))
        return finalize(t, next, current, problem);
    return commit(t, next, problem);
}

struct sim_rev *sim_update(const struct sim_target *t, json_t *obj, enum sim_part part,
                           struct sim_problem *problem)
{
    struct sim_rev *current = current_get(t, problem);
    struct sim_rev *result;
    json_t *before;
    json_t *next;

    if (!current || !type_check(t, obj, problem) || !namespace_check(t, obj, problem) ||
        !lock_check(t, obj, current, problem) || !sim_lifecycle_check(t->res, obj, problem))
        return NULL;
    before = sim_object_parse(t->res, current);
    next = before ? tree_merge(t, obj, before, part) : NULL;
    if (next)
        result = update_apply(t, next, before, current, problem);
    else
        result = fail_memory(problem);
    json_decref(next);
    json_decref(before);
    return result;
}

static bool preconditions_check(const struct sim_target *t, const struct sim_delete_options *o,
                                const struct sim_rev *current, struct sim_problem *problem)
{
    char why[320];
    int64_t rv = 0;

    if (o->uid && !ks_str_is(current->uid, o->uid)) {
        snprintf(why, sizeof(why),
                 "the UID in the precondition (%s) does not match the UID in record (%.*s). The "
                 "object might have been deleted and then recreated",
                 o->uid, KS_STR_ARGS(current->uid));
        sim_problem_conflict(problem, t->res, t->name.ptr, why);
        return false;
    }
    if (o->rv && (!ks_str_to_int64(ks_str_from(o->rv), &rv) || (uint64_t)rv != current->rv)) {
        snprintf(why, sizeof(why),
                 "the ResourceVersion in the precondition (%s) does not match the ResourceVersion "
                 "in record (%llu). The object might have been modified",
                 o->rv, (unsigned long long)current->rv);
        sim_problem_conflict(problem, t->res, t->name.ptr, why);
        return false;
    }
    return true;
}

/* Finalizers hold it: marks it, once. */
static struct sim_rev *deletion_begin(const struct sim_target *t, json_t *obj,
                                      struct sim_rev *current, struct sim_problem *problem)
{
    char now[SIM_TIME_SIZE];

    if (is_being_deleted(obj))
        return sim_rev_ref(current);
    sim_time_now(t->sim, now);
    if (!sim_object_set_text(obj, "deletionTimestamp", now) ||
        !sim_object_set_int(obj, "deletionGracePeriodSeconds", 0))
        return fail_memory(problem);
    if (sim_resource_has(t->res, SIM_GENERATION | SIM_CUSTOM) &&
        !sim_object_set_int(obj, "generation", sim_object_int(obj, "generation") + 1))
        return fail_memory(problem);
    sim_lifecycle_on_deletion(t->res, obj);
    return commit(t, obj, problem);
}

struct sim_rev *sim_delete(const struct sim_target *t, const struct sim_delete_options *options,
                           bool *out_gone, struct sim_problem *problem)
{
    struct sim_rev *current = current_get(t, problem);
    struct sim_rev *result = NULL;
    bool is_held;
    json_t *obj;

    if (!current || !preconditions_check(t, options, current, problem))
        return NULL;
    obj = sim_object_parse(t->res, current);
    if (!obj)
        return fail_memory(problem);
    is_held = t->mode == SIM_COMMIT && sim_lifecycle_holds(t->sim, t->res, current);
    sim_lifecycle_release(t->res, obj);
    *out_gone = !is_held && !has_finalizers(obj);
    if (!*out_gone)
        result = deletion_begin(t, obj, current, problem);
    else if (t->mode == SIM_DRY_RUN)
        result = sim_rev_ref(current);
    else {
        result = sim_rev_ref(current);
        if (!take_out(t, obj, problem)) {
            sim_rev_unref(result);
            result = NULL;
        }
    }
    json_decref(obj);
    return result;
}

struct sim_rev *sim_record(const struct sim_target *t, json_t *obj, struct sim_problem *problem)
{
    char uid[SIM_UID_SIZE];
    char now[SIM_TIME_SIZE];
    const struct sim_rev *current = current_find(t);
    const json_t *meta = sim_object_metadata(obj);

    if (!meta || !sim_object_name(obj)[0]) {
        sim_problem_set(problem, 400, "the object has no metadata.name");
        return NULL;
    }
    if (!sim_json_text(meta, "uid")[0]) {
        if (current)
            snprintf(uid, sizeof(uid), "%.*s", KS_STR_ARGS(current->uid));
        else
            sim_uid_make(t->sim, uid);
        if (!sim_object_set_text(obj, "uid", uid))
            return fail_memory(problem);
    }
    sim_time_now(t->sim, now);
    if (!sim_json_text(meta, "creationTimestamp")[0] &&
        !sim_object_set_text(obj, "creationTimestamp", now))
        return fail_memory(problem);
    return commit(t, obj, problem);
}

bool sim_erase(const struct sim_target *t, json_t *last)
{
    struct sim_rev *current = current_find(t);
    struct sim_problem problem;
    json_t *obj;
    bool ok;

    if (!current)
        return false;
    obj = last ? json_incref(last) : sim_object_parse(t->res, current);
    ok = obj && take_out(t, obj, &problem);
    json_decref(obj);
    return ok;
}

ks_rc sim_registry_populate(struct sim *sim, struct ks_error *err)
{
    static const char *const names[] = {"default", "kube-node-lease", "kube-public", "kube-system"};
    struct sim_target t = {.sim = sim};
    struct sim_problem problem;

    t.res = sim_catalog_find(sim->catalog, KS_LIT(""), KS_LIT("v1"), KS_LIT("namespaces"));
    for (size_t i = 0; i < KS_ARRAY_LEN(names); i++) {
        json_t *obj = json_pack("{s:{s:s,s:{s:s}}}", "metadata", "name", names[i], "labels",
                                "kubernetes.io/metadata.name", names[i]);
        struct sim_rev *rev = obj ? sim_create(&t, obj, &problem) : NULL;

        json_decref(obj);
        if (!rev)
            return ks_fail(err, KS_RC_INTERNAL, "namespace %s could not be made", names[i]);
        sim_rev_unref(rev);
    }
    return KS_RC_OK;
}
