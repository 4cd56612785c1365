/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets from words and manifests.
 *
 * Invariants: 1. a target is one allocation chain: the item and the strings it points to, freed
 * together; 2. nothing is guessed about resources: only their place in the line is understood
 * here; 3. an object without -n goes without a namespace (the server knows whether its kind has
 * any, and its own default), a selection without -n and -A means "default", as for kubectl.
 *
 * Thread: one at a time. Does not ask a server or a cluster.
 */
#include "client/cli/targets.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/path.h"

#include "client/cli/manifest.h"

#define LABEL_MAX_BYTES ((size_t)1024)
#define STRINGS_MAX 8

struct item {
    Kstatus__V1__Target target; /* first: a target is its item */
    union {
        Kstatus__V1__ObjectRef object;
        Kstatus__V1__Selector selector;
    };
    char *label;
    char *strings[STRINGS_MAX];
    size_t string_count;
};

static struct item *item_of(Kstatus__V1__Target *target)
{
    return KS_CONTAINER_OF(target, struct item, target);
}

static void item_free(struct item *item)
{
    if (!item)
        return;
    for (size_t i = 0; i < item->string_count; i++)
        ks_free(item->strings[i]);
    ks_free(item->label);
    ks_free(item);
}

static void item_freep(struct item **item)
{
    item_free(*item);
}

/* Puts a copy into a field; an empty text leaves the field's own empty string. */
static ks_rc item_set(struct item *item, char **field, struct ks_str text)
{
    char *copy;

    if (text.len == 0)
        return KS_RC_OK;
    copy = ks_str_dup(text);
    if (!copy)
        return KS_RC_NOMEM;
    item->strings[item->string_count++] = copy;
    *field = copy;
    return KS_RC_OK;
}

static struct item *item_new_object(void)
{
    struct item *item = ks_alloc0(sizeof(*item));

    if (!item)
        return NULL;
    kstatus__v1__target__init(&item->target);
    kstatus__v1__object_ref__init(&item->object);
    item->target.selection_case = KSTATUS__V1__TARGET__SELECTION_OBJECT;
    item->target.object = &item->object;
    return item;
}

static struct item *item_new_selector(void)
{
    struct item *item = ks_alloc0(sizeof(*item));

    if (!item)
        return NULL;
    kstatus__v1__target__init(&item->target);
    kstatus__v1__selector__init(&item->selector);
    item->target.selection_case = KSTATUS__V1__TARGET__SELECTION_SELECTOR;
    item->target.selector = &item->selector;
    return item;
}

/* Takes the item; it is freed when there is no room. */
static ks_rc targets_add(struct ks_targets *t, struct item *item, struct ks_error *err)
{
    if (t->count == KS_TARGETS_MAX) {
        item_free(item);
        return ks_fail(err, KS_RC_LIMIT,
                       "more than %d targets; select several objects at once, as in `pods -l "
                       "app=web`",
                       KS_TARGETS_MAX);
    }
    t->list[t->count++] = &item->target;
    item->target.target_id = (uint32_t)t->count;
    return KS_RC_OK;
}

static ks_rc fail_nomem(struct ks_error *err)
{
    return ks_fail(err, KS_RC_NOMEM, "out of memory");
}

static ks_rc label_set(struct item *item, struct ks_str resource, const char *separator,
                       const char *name)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(LABEL_MAX_BYTES);
    ks_rc rc;

    rc = ks_buf_appendf(&text, "%.*s%s%s", KS_STR_ARGS(resource), separator, name);
    if (rc)
        return rc;
    item->label = ks_buf_take(&text);
    return KS_RC_OK;
}

static ks_rc add_object(struct ks_targets *t, const struct ks_options *o, struct ks_str resource,
                        struct ks_str name, struct ks_error *err)
{
    KS_CLEANUP(item_freep) struct item *item = item_new_object();

    if (!item || item_set(item, &item->object.resource, resource) ||
        item_set(item, &item->object.name, name) ||
        item_set(item, &item->object.namespace_, ks_str_from(o->ns)))
        return fail_nomem(err);
    if (label_set(item, resource, "/", item->object.name))
        return ks_fail(err, KS_RC_LIMIT, "the name '%.40s...' is too long", item->object.name);
    return targets_add(t, KS_TAKE(item), err);
}

static ks_rc selector_label(struct item *item, const struct ks_options *o)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(2 * LABEL_MAX_BYTES);
    ks_rc rc;

    rc = ks_buf_appendf(&text, "%.256s", item->selector.resource);
    if (!rc && o->label_selector)
        rc = ks_buf_appendf(&text, " -l %.256s", o->label_selector);
    if (!rc && o->field_selector)
        rc = ks_buf_appendf(&text, " --field-selector %.256s", o->field_selector);
    item->label = ks_buf_take(&text);
    return rc;
}

static ks_rc add_selector(struct ks_targets *t, const struct ks_options *o, struct ks_str resource,
                          struct ks_error *err)
{
    KS_CLEANUP(item_freep) struct item *item = item_new_selector();
    const char *ns = o->ns ? o->ns : "default";

    if (!item || item_set(item, &item->selector.resource, resource) ||
        item_set(item, &item->selector.namespace_, ks_str_from(o->all_namespaces ? "" : ns)) ||
        item_set(item, &item->selector.label_selector, ks_str_from(o->label_selector)) ||
        item_set(item, &item->selector.field_selector, ks_str_from(o->field_selector)) ||
        selector_label(item, o))
        return fail_nomem(err);
    return targets_add(t, KS_TAKE(item), err);
}

/* "deploy/web": every word has its resource. */
static ks_rc add_pairs(struct ks_targets *t, const struct ks_options *o, struct ks_error *err)
{
    for (size_t i = 0; i < o->arg_count; i++) {
        struct ks_str word = ks_str_from(o->args[i]);
        ptrdiff_t slash = ks_str_chr(word, '/');
        struct ks_str resource = ks_str_sub(word, 0, slash < 0 ? 0 : (size_t)slash);
        struct ks_str name = ks_str_sub(word, resource.len + 1, word.len);
        ks_rc rc;

        if (ks_str_chr(word, ',') >= 0)
            return ks_fail(err, KS_RC_INVALID,
                           "'%s' has a comma: put a blank between objects, as in "
                           "`deploy/web sts/db`",
                           o->args[i]);
        if (slash < 0)
            return ks_fail(err, KS_RC_INVALID,
                           "'%s' has no resource: write %s/%s, or give the resource once, as in "
                           "`deploy web api`",
                           o->args[i], "deploy", o->args[i]);
        if (resource.len == 0 || name.len == 0 || ks_str_chr(name, '/') >= 0)
            return ks_fail(err, KS_RC_INVALID, "'%s' is not RESOURCE/NAME, as in deploy/web",
                           o->args[i]);
        rc = add_object(t, o, resource, name, err);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

/* "deploy web api": the first word is the resource of all others. */
static ks_rc add_names(struct ks_targets *t, const struct ks_options *o, struct ks_str resource,
                       struct ks_error *err)
{
    for (size_t i = 1; i < o->arg_count; i++) {
        ks_rc rc;

        if (strchr(o->args[i], '/'))
            return ks_fail(err, KS_RC_INVALID,
                           "'%s' has a resource, '%s' before it has none: write all as "
                           "RESOURCE/NAME, or one resource and then names",
                           o->args[i], o->args[0]);
        rc = add_object(t, o, resource, ks_str_from(o->args[i]), err);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

/* "deploy,sts web" or "deploy,sts". */
static ks_rc add_resources(struct ks_targets *t, const struct ks_options *o, struct ks_error *err)
{
    struct ks_str rest = ks_str_from(o->args[0]);
    struct ks_str resource;

    while (ks_str_split(&rest, ',', &resource)) {
        ks_rc rc;

        if (resource.len == 0)
            return ks_fail(err, KS_RC_INVALID, "'%s': a resource is missing at a comma",
                           o->args[0]);
        rc = o->arg_count == 1 ? add_selector(t, o, resource, err) : add_names(t, o, resource, err);
        if (rc)
            return rc;
    }
    return KS_RC_OK;
}

static ks_rc check_scope(const struct ks_options *o, struct ks_error *err)
{
    bool has_pairs = o->arg_count > 0 && strchr(o->args[0], '/');
    bool has_names = has_pairs || o->arg_count > 1;
    bool has_selector = o->label_selector || o->field_selector;

    if (o->arg_count == 0 && o->file_count == 0)
        return ks_fail(
            err, KS_RC_INVALID,
            "nothing to look at: name objects (deploy/web), a resource (pods -l app=web) "
            "or a manifest (-f FILE)");
    if (o->ns && o->all_namespaces)
        return ks_fail(err, KS_RC_INVALID, "-n and -A exclude each other");
    if (has_selector && (has_names || o->arg_count == 0))
        return ks_fail(err, KS_RC_INVALID,
                       "-l and --field-selector go with a resource alone, as in `pods -l app=web`");
    if (o->all_namespaces && (has_names || o->arg_count == 0))
        return ks_fail(err, KS_RC_INVALID,
                       "-A goes with a resource alone, as in `pods -A`: an object is named in one "
                       "namespace (-n)");
    return KS_RC_OK;
}

static ks_rc add_words(struct ks_targets *t, const struct ks_options *o, struct ks_error *err)
{
    if (o->arg_count == 0)
        return KS_RC_OK;
    return strchr(o->args[0], '/') ? add_pairs(t, o, err) : add_resources(t, o, err);
}

struct reading {
    struct ks_targets *targets;
    const struct ks_options *options;
};

static ks_rc check_manifest(const struct ks_options *o, struct ks_str kind,
                            struct ks_json_value object, struct ks_error *err)
{
    struct ks_str name = ks_json_lenient_str(object, "metadata.name", "");
    struct ks_str ns = ks_json_lenient_str(object, "metadata.namespace", "");
    struct ks_json_value metadata = ks_json_get(object, "metadata");

    if (kind.len == 0)
        return ks_fail(err, KS_RC_INVALID, "the object has no kind");
    if (ks_json_type_of(metadata) != KS_JSON_MAP && !ks_json_is_absent(metadata))
        return ks_fail(err, KS_RC_INVALID, "the metadata of the %.*s is no map", KS_STR_ARGS(kind));
    if (name.len == 0)
        return ks_fail(err, KS_RC_INVALID,
                       "the %.*s has no metadata.name (a generated name cannot be watched)",
                       KS_STR_ARGS(kind));
    if (o->ns && ns.len > 0 && !ks_str_is(ns, o->ns))
        return ks_fail(err, KS_RC_INVALID,
                       "%.*s/%.*s is in namespace '%.*s', and -n says '%s': leave -n out",
                       KS_STR_ARGS(kind), KS_STR_ARGS(name), KS_STR_ARGS(ns), o->ns);
    return KS_RC_OK;
}

/* "Deployment.v1.apps", "Pod.v1.": what a user would type to kubectl for exactly this kind. */
static ks_rc item_set_typed(struct item *item, struct ks_str kind, struct ks_str version,
                            struct ks_str group)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(LABEL_MAX_BYTES);
    ks_rc rc = ks_buf_append_str(&text, kind);

    if (!rc && version.len > 0)
        rc = ks_buf_appendf(&text, ".%.*s.%.*s", KS_STR_ARGS(version), KS_STR_ARGS(group));
    return rc ? rc : item_set(item, &item->object.resource, ks_buf_str(&text));
}

static ks_rc item_set_kind(struct item *item, struct ks_str kind, struct ks_str version,
                           struct ks_str group)
{
    if (item_set(item, &item->object.group, group) ||
        item_set(item, &item->object.version, version) || item_set(item, &item->object.kind, kind))
        return KS_RC_NOMEM;
    return KS_RC_OK;
}

/* -n must not reach a kind without namespaces, and only the server knows which those are: it
 * ignores a namespace beside a resource as typed, and refuses one beside a kind. */
static ks_rc item_set_identity(struct item *item, const struct ks_manifest_place *place,
                               struct ks_json_value object, const char *ns)
{
    struct ks_str version = place->api_version;
    struct ks_str kind = place->kind;
    ptrdiff_t slash = ks_str_chr(version, '/');
    struct ks_str group = ks_str_sub(version, 0, slash < 0 ? 0 : (size_t)slash);
    struct ks_str own_ns = ks_json_lenient_str(object, "metadata.namespace", "");
    ks_rc rc;

    if (slash >= 0)
        version = ks_str_sub(version, (size_t)slash + 1, version.len);
    if (ns && own_ns.len == 0)
        rc = item_set_typed(item, kind, version, group);
    else
        rc = item_set_kind(item, kind, version, group);
    if (rc)
        return rc;
    if (item_set(item, &item->object.name, ks_json_lenient_str(object, "metadata.name", "")))
        return KS_RC_NOMEM;
    return item_set(item, &item->object.namespace_, own_ns.len > 0 ? own_ns : ks_str_from(ns));
}

/* What the API server answered to an apply: this object, and no older state of it. */
static ks_rc item_set_applied(struct item *item, const struct ks_options *o,
                              struct ks_json_value object, struct ks_error *err)
{
    struct ks_str uid = ks_json_lenient_str(object, "metadata.uid", "");
    struct ks_str version = ks_json_lenient_str(object, "metadata.resourceVersion", "");
    int64_t generation = ks_json_lenient_int(object, "metadata.generation", 0);

    if (uid.len == 0 || version.len == 0)
        return ks_fail(err, KS_RC_INVALID,
                       "--applied needs what the API server answered, with uid and "
                       "resourceVersion: kubectl apply -f ... -o json | kstatus wait --applied -f "
                       "-");
    if (item_set(item, &item->object.uid, uid))
        return fail_nomem(err);
    if (o->wait_goal == KS_WAIT_FOR_NOT_FOUND)
        return KS_RC_OK;
    /* A status update makes a newer version too, so the generation tells more. */
    item->object.min_generation = generation;
    if (generation == 0 && item_set(item, &item->object.min_resource_version, version))
        return fail_nomem(err);
    return KS_RC_OK;
}

static ks_rc on_object(void *ctx, const struct ks_manifest_place *place,
                       struct ks_json_value object, struct ks_error *err)
{
    const struct reading *reading = ctx;
    KS_CLEANUP(item_freep) struct item *item = NULL;
    ks_rc rc = check_manifest(reading->options, place->kind, object, err);

    if (rc)
        return ks_wrap(err, rc, "%s, object %zu", place->path, place->number);
    item = item_new_object();
    if (!item)
        return fail_nomem(err);
    rc = item_set_identity(item, place, object, reading->options->ns);
    if (rc == KS_RC_NOMEM)
        return fail_nomem(err);
    if (rc || label_set(item, place->kind, "/", item->object.name))
        return ks_fail(err, KS_RC_LIMIT, "%s, object %zu: its name or its kind is too long",
                       place->path, place->number);
    if (reading->options->is_applied)
        rc = item_set_applied(item, reading->options, object, err);
    if (rc)
        return ks_wrap(err, rc, "%s, object %zu", place->path, place->number);
    return targets_add(reading->targets, KS_TAKE(item), err);
}

static ks_rc add_files(struct ks_targets *t, const struct ks_options *o, struct ks_error *err)
{
    struct reading reading = {.targets = t, .options = o};
    const struct ks_manifest_ops ops = {.on_object = on_object};

    for (size_t i = 0; i < o->file_count; i++) {
        size_t before = t->count;
        ks_rc rc = ks_manifest_read(o->files[i], &ops, &reading, err);

        if (rc)
            return rc;
        if (t->count == before)
            return ks_fail(err, KS_RC_INVALID, "%s: there is no object in it", o->files[i]);
    }
    return KS_RC_OK;
}

ks_rc ks_targets_init(struct ks_targets *t, const struct ks_options *options, struct ks_error *err)
{
    ks_rc rc = check_scope(options, err);

    t->count = 0;
    if (!rc && options->is_applied && options->arg_count > 0)
        rc = ks_fail(err, KS_RC_INVALID, "--applied goes with -f FILE alone");
    if (!rc)
        rc = add_words(t, options, err);
    if (!rc)
        rc = add_files(t, options, err);
    if (rc)
        ks_targets_fini(t);
    return rc;
}

void ks_targets_fini(struct ks_targets *t)
{
    while (t->count > 0)
        item_free(item_of(t->list[--t->count]));
}

size_t ks_targets_calls(const struct ks_targets *t)
{
    return (t->count + KS_CALL_TARGETS_MAX - 1) / KS_CALL_TARGETS_MAX;
}

struct ks_targets_part ks_targets_part(struct ks_targets *t, size_t call)
{
    size_t from = call * KS_CALL_TARGETS_MAX;
    size_t left = t->count - from;

    return (struct ks_targets_part){
        .list = t->list + from, .count = left < KS_CALL_TARGETS_MAX ? left : KS_CALL_TARGETS_MAX};
}

const char *ks_targets_label(const struct ks_targets *t, uint32_t target_id)
{
    if (target_id < 1 || target_id > t->count)
        return "?";
    return item_of(t->list[target_id - 1])->label;
}

bool ks_targets_is_object(const struct ks_targets *t, uint32_t target_id)
{
    return target_id >= 1 && target_id <= t->count &&
           t->list[target_id - 1]->selection_case == KSTATUS__V1__TARGET__SELECTION_OBJECT;
}
