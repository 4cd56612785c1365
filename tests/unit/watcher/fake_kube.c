/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake kube layer. Its rules are those of the real headers: no callback from within a call, a
 * resolve answers from the loop, another UID under a known name is a replacement, and an informer
 * may be freed by its own callback.
 */
#include "unit/watcher/fake_kube.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"

#include "json/path.h"

#include "kube/mapper.h"

#define RESOURCES_MAX 32
#define INFORMERS_MAX 128
#define RECORDS_MAX 64
#define RESOLVES_MAX 64
#define TEXT_MAX 128

struct served {
    struct ks_resource resource;
    bool is_served;
};

struct fake_record {
    struct ks_record record; /* first */
    bool is_used;
    char ns[TEXT_MAX];
    char name[TEXT_MAX];
    char uid[TEXT_MAX];
    char version[TEXT_MAX];
};

struct ks_informer {
    bool is_open;
    bool is_started;
    bool is_synced;
    unsigned life; /* which of its users, as places are used again */
    size_t order;
    char name[1024];
    ks_source_state state;
    struct ks_informer_ops ops;
    void *ctx;
    size_t max_objects;
    const char *version;
    struct fake_record records[RECORDS_MAX];
};

struct ks_resolve {
    struct ks_task task; /* first */
    bool is_used;
    bool is_queued;
    ks_resolve_done done;
    void *ctx;
    char name[TEXT_MAX];
    char group[TEXT_MAX];
    char version[TEXT_MAX];
    char kind[TEXT_MAX];
};

struct ks_kube {
    struct ks_loop *loop;
    struct ks_kube_config config;
    char ns[16];
    struct served resources[RESOURCES_MAX];
    struct ks_informer informers[INFORMERS_MAX];
    size_t opened;
    struct ks_resolve resolves[RESOLVES_MAX];
    ks_rc discovery_rc;
    char discovery_message[TEXT_MAX];
    char unreachable[TEXT_MAX];
    bool is_held;
    unsigned invalidations;
};

static struct ks_kube fake;

static void copy_text(char *out, size_t size, struct ks_str s)
{
    assert(s.len < size);
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
}

struct ks_kube *fake_kube_start(struct ks_loop *loop)
{
    fake = (struct ks_kube){.loop = loop, .ns = "default"};
    fake.config.ns = fake.ns;
    return &fake;
}

void fake_kube_end(struct ks_kube *kube)
{
    assert(kube == &fake);
    for (size_t i = 0; i < INFORMERS_MAX; i++)
        assert(!fake.informers[i].is_open);
    for (size_t i = 0; i < RESOLVES_MAX; i++)
        assert(!fake.resolves[i].is_used);
    for (size_t i = 0; i < RESOURCES_MAX; i++)
        assert(fake.resources[i].resource.refs == 0);
}

void fake_serve(const char *group, const char *version, const char *kind, const char *plural,
                bool is_namespaced)
{
    for (size_t i = 0; i < RESOURCES_MAX; i++) {
        struct served *s = &fake.resources[i];

        if (s->is_served || s->resource.refs)
            continue;
        s->is_served = true;
        s->resource = (struct ks_resource){
            .group = ks_str_from(group),
            .version = ks_str_from(version),
            .kind = ks_str_from(kind),
            .plural = ks_str_from(plural),
            .is_namespaced = is_namespaced,
            .can_list = true,
            .can_watch = true,
        };
        return;
    }
    assert(false && "too many resources");
}

static struct served *find_served(const char *plural)
{
    for (size_t i = 0; i < RESOURCES_MAX; i++) {
        if (fake.resources[i].is_served && ks_str_is(fake.resources[i].resource.plural, plural))
            return &fake.resources[i];
    }
    return NULL;
}

void fake_unserve(const char *plural)
{
    find_served(plural)->is_served = false;
}

void fake_set_watchable(const char *plural, bool is_watchable)
{
    find_served(plural)->resource.can_watch = is_watchable;
}

void fake_fail_discovery(ks_rc rc, const char *message)
{
    fake.discovery_rc = rc;
    copy_text(fake.discovery_message, TEXT_MAX, ks_str_from(message));
}

static void queue_resolves(void)
{
    for (size_t i = 0; i < RESOLVES_MAX; i++) {
        struct ks_resolve *r = &fake.resolves[i];

        if (r->is_used && !r->is_queued && !fake.is_held) {
            r->is_queued = true;
            if (!r->task.is_queued)
                ks_loop_post(fake.loop, &r->task);
        }
    }
}

void fake_hold_discovery(bool is_held)
{
    fake.is_held = is_held;
    queue_resolves();
}

void fake_set_unreachable(const char *message)
{
    copy_text(fake.unreachable, TEXT_MAX, ks_str_from(message));
}

unsigned fake_invalidations(void)
{
    return fake.invalidations;
}

struct ks_loop *ks_kube_loop(struct ks_kube *kube)
{
    return kube->loop;
}

const struct ks_log *ks_kube_log(struct ks_kube *kube KS_UNUSED)
{
    return NULL;
}

const struct ks_kube_config *ks_kube_config_of(struct ks_kube *kube)
{
    return &kube->config;
}

struct ks_mapper *ks_kube_mapper(struct ks_kube *kube KS_UNUSED)
{
    return NULL; /* there is only one */
}

bool ks_kube_last_error(struct ks_kube *kube, struct ks_error *out)
{
    if (!kube->unreachable[0])
        return false;
    (void)ks_fail(out, KS_RC_IO, "%s", kube->unreachable); /* only the text is wanted */
    return true;
}

bool ks_kube_awaits_plugin(struct ks_kube *kube KS_UNUSED, struct ks_error *out KS_UNUSED)
{
    return false;
}

struct ks_resource *ks_resource_ref(struct ks_resource *r)
{
    r->refs++;
    return r;
}

struct ks_resource *ks_resource_unref(struct ks_resource *r)
{
    if (r) {
        assert(r->refs > 0);
        r->refs--;
    }
    return NULL;
}

static bool is_match(const struct served *s, const struct ks_resolve *r)
{
    if (!s->is_served)
        return false;
    if (r->name[0])
        return ks_str_is(s->resource.plural, r->name);
    return ks_str_is(s->resource.kind, r->kind) && ks_str_is(s->resource.group, r->group) &&
           (!r->version[0] || ks_str_is(s->resource.version, r->version));
}

static void answer(struct ks_resolve *r)
{
    ks_resolve_done done = r->done;
    struct ks_error err = {0};
    ks_rc rc;

    r->is_used = false;
    if (fake.discovery_rc) {
        rc = ks_fail(&err, fake.discovery_rc, "%s", fake.discovery_message);
        done(r->ctx, rc, NULL, &err);
        return;
    }
    for (size_t i = 0; i < RESOURCES_MAX; i++) {
        if (!is_match(&fake.resources[i], r))
            continue;
        (void)ks_resource_ref(&fake.resources[i].resource); /* while it is lent */
        done(r->ctx, KS_RC_OK, &fake.resources[i].resource, NULL);
        (void)ks_resource_unref(&fake.resources[i].resource); /* always NULL */
        return;
    }
    rc = ks_fail(&err, KS_RC_NOTFOUND, "the cluster does not serve %s%s", r->name, r->kind);
    done(r->ctx, rc, NULL, &err);
}

static void on_answer(struct ks_task *task)
{
    struct ks_resolve *r = KS_CONTAINER_OF(task, struct ks_resolve, task);

    if (r->is_used && r->is_queued) /* not cancelled meanwhile */
        answer(r);
}

ks_rc ks_mapper_resolve(struct ks_mapper *mapper KS_UNUSED, const struct ks_mapper_query *query,
                        ks_resolve_done done, void *ctx, struct ks_resolve **out,
                        struct ks_error *err KS_UNUSED)
{
    for (size_t i = 0; i < RESOLVES_MAX; i++) {
        struct ks_resolve *r = &fake.resolves[i];

        if (r->is_used || r->task.is_queued)
            continue;
        *r = (struct ks_resolve){.is_used = true, .done = done, .ctx = ctx};
        ks_task_init(&r->task, on_answer);
        copy_text(r->name, TEXT_MAX, query->name);
        copy_text(r->group, TEXT_MAX, query->group);
        copy_text(r->version, TEXT_MAX, query->version);
        copy_text(r->kind, TEXT_MAX, query->kind);
        *out = r;
        queue_resolves();
        return KS_RC_OK;
    }
    assert(false && "too many resolves");
    return KS_RC_LIMIT;
}

void ks_resolve_cancel(struct ks_resolve *r)
{
    if (r)
        r->is_used = false;
}

void ks_mapper_invalidate(struct ks_mapper *mapper KS_UNUSED)
{
    fake.invalidations++;
}

static size_t add_text(char *out, size_t size, size_t at, const char *mark, struct ks_str s)
{
    int n =
        s.len || mark[0] == '?' ? snprintf(out + at, size - at, "%s%.*s", mark, KS_STR_ARGS(s)) : 0;

    assert(n >= 0 && (size_t)n < size - at);
    return at + (size_t)n;
}

static void name_informer(struct ks_informer *inf, const struct ks_informer_config *config)
{
    const struct ks_reflector_config *source = &config->source;
    size_t size = sizeof(inf->name);
    size_t at = add_text(inf->name, size, 0, "", source->resource->plural);

    at = add_text(inf->name, size, at, "@", source->ns);
    at = add_text(inf->name, size, at, "/", source->name);
    for (size_t i = 0; i < config->name_count; i++)
        at = add_text(inf->name, size, at, i ? "," : "[", config->names[i]);
    if (config->name_count)
        at = add_text(inf->name, size, at, "]", KS_LIT("\0"));
    if (source->label_selector.len || source->field_selector.len)
        at = add_text(inf->name, size, at, "?", source->label_selector);
    (void)add_text(inf->name, size, at, source->field_selector.len ? "?" : "",
                   source->field_selector); /* the end */
}

ks_rc ks_informer_new(struct ks_kube *kube, const struct ks_informer_config *config,
                      const struct ks_informer_ops *ops, void *ctx, struct ks_informer **out,
                      struct ks_error *err)
{
    void *probe = ks_alloc(1); /* the real one allocates, and may fail */

    if (!probe)
        return ks_fail(err, KS_RC_NOMEM, "no memory for an informer");
    ks_free(probe);
    for (size_t i = 0; i < INFORMERS_MAX; i++) {
        struct ks_informer *inf = &kube->informers[i];
        unsigned life = inf->life + 1;

        if (inf->is_open)
            continue;
        *inf = (struct ks_informer){
            .is_open = true,
            .life = life,
            .order = kube->opened++,
            .ops = *ops,
            .ctx = ctx,
            .max_objects = config->max_objects,
        };
        name_informer(inf, config);
        *out = inf;
        return KS_RC_OK;
    }
    assert(false && "too many informers");
    return KS_RC_LIMIT;
}

void ks_informer_start(struct ks_informer *inf)
{
    inf->is_started = true;
}

struct ks_informer *ks_informer_free(struct ks_informer *inf,
                                     void (*on_release)(void *ctx, struct ks_record *record))
{
    if (!inf)
        return NULL;
    assert(inf->is_open);
    inf->is_open = false;
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        if (inf->records[i].is_used && on_release)
            on_release(inf->ctx, &inf->records[i].record);
        inf->records[i].is_used = false;
    }
    return NULL;
}

static struct fake_record *find_record(struct ks_informer *inf, struct ks_str ns,
                                       struct ks_str name)
{
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        struct fake_record *r = &inf->records[i];

        if (r->is_used && ks_str_eq(r->record.ns, ns) && ks_str_eq(r->record.name, name))
            return r;
    }
    return NULL;
}

struct ks_record *ks_informer_find(const struct ks_informer *inf, struct ks_str ns,
                                   struct ks_str name)
{
    struct fake_record *r = find_record((struct ks_informer *)(uintptr_t)inf, ns, name);

    return r ? &r->record : NULL;
}

struct ks_informer *fake_find(const char *name)
{
    for (size_t i = 0; i < INFORMERS_MAX; i++) {
        struct ks_informer *inf = &fake.informers[i];

        if (inf->is_open && inf->is_started && ks_str_is(ks_str_from(inf->name), name))
            return inf;
    }
    return NULL;
}

const char *fake_open_informers(void)
{
    static char text[8192];
    size_t at = 0;

    text[0] = '\0';
    for (size_t order = 0; order < fake.opened; order++) {
        for (size_t i = 0; i < INFORMERS_MAX; i++) {
            const struct ks_informer *inf = &fake.informers[i];

            if (inf->is_open && inf->order == order)
                at = add_text(text, sizeof(text), at, at ? " " : "", ks_str_from(inf->name));
        }
    }
    return text;
}

static struct fake_record *record_new(struct ks_informer *inf)
{
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        if (inf->records[i].is_used)
            continue;
        inf->records[i] = (struct fake_record){.is_used = true};
        return &inf->records[i];
    }
    assert(false && "too many records");
    return NULL;
}

static void record_fill(struct fake_record *r, struct ks_json_value object)
{
    copy_text(r->ns, TEXT_MAX, ks_json_lenient_str(object, "metadata.namespace", ""));
    copy_text(r->name, TEXT_MAX, ks_json_lenient_str(object, "metadata.name", ""));
    copy_text(r->uid, TEXT_MAX, ks_json_lenient_str(object, "metadata.uid", ""));
    copy_text(r->version, TEXT_MAX, ks_json_lenient_str(object, "metadata.resourceVersion", ""));
    r->record.ns = ks_str_from(r->ns);
    r->record.name = ks_str_from(r->name);
    r->record.uid = ks_str_from(r->uid);
    r->record.resource_version = ks_str_from(r->version);
}

static void put_object(struct ks_informer *inf, struct ks_json_value object)
{
    struct ks_str ns = ks_json_lenient_str(object, "metadata.namespace", "");
    struct ks_str name = ks_json_lenient_str(object, "metadata.name", "");
    struct ks_str uid = ks_json_lenient_str(object, "metadata.uid", "");
    struct fake_record *r = find_record(inf, ns, name);
    unsigned life = inf->life;

    if (r && !ks_str_eq(r->record.uid, uid)) {
        inf->ops.on_gone(inf->ctx, &r->record, KS_GONE_REPLACED);
        if (!inf->is_open || inf->life != life)
            return;
        r->is_used = false;
        r = NULL;
    }
    if (!r)
        r = record_new(inf);
    record_fill(r, object);
    inf->ops.on_upsert(inf->ctx, &r->record, object);
}

void fake_put(struct ks_informer *inf, const char *json)
{
    struct ks_json *doc = NULL;

    assert(inf);
    if (ks_json_new(&ks_json_limits_object, &doc, NULL))
        return; /* an allocation was made to fail: then this did not happen */
    if (!ks_json_parse(doc, ks_str_from(json), NULL))
        put_object(inf, ks_json_root(doc));
    else
        assert(ks_alloc_failed());
    doc = ks_json_free(doc);
}

void fake_upsert(struct ks_informer *inf, struct ks_record *record, struct ks_json_value object)
{
    assert(inf && inf->is_open);
    inf->ops.on_upsert(inf->ctx, record, object);
}

void fake_lose(struct ks_informer *inf, struct ks_record *record)
{
    assert(inf && inf->is_open);
    inf->ops.on_gone(inf->ctx, record, KS_GONE_SEEN);
}

void fake_gone(struct ks_informer *inf, const char *ns, const char *name, ks_gone how)
{
    struct fake_record *r;
    unsigned life;

    assert(inf);
    r = find_record(inf, ks_str_from(ns), ks_str_from(name));
    if (!r) {
        assert(ks_alloc_failed()); /* it was never put */
        return;
    }
    life = inf->life;
    inf->ops.on_gone(inf->ctx, &r->record, how);
    if (inf->is_open && inf->life == life)
        r->is_used = false;
}

void fake_bad(struct ks_informer *inf, const char *ns, const char *name, const char *message)
{
    struct ks_error err;
    struct fake_record *r = find_record(inf, ks_str_from(ns), ks_str_from(name));

    (void)ks_fail(&err, KS_RC_PARSE, "%s", message); /* passed on */
    inf->ops.on_bad_object(inf->ctx, r ? &r->record : NULL, ks_str_from(ns), ks_str_from(name),
                           &err);
}

void fake_set_version(struct ks_informer *inf, const char *version)
{
    assert(inf);
    inf->version = version;
}

struct ks_str ks_informer_version(const struct ks_informer *inf)
{
    return ks_str_from(inf->version);
}

void fake_synced(struct ks_informer *inf)
{
    assert(inf && !inf->is_synced);
    inf->is_synced = true;
    inf->ops.on_synced(inf->ctx);
}

void fake_state(struct ks_informer *inf, ks_source_state state, ks_rc rc, const char *message)
{
    struct ks_error err = {0};

    assert(inf);
    if (rc)
        (void)ks_fail(&err, rc, "%s", message); /* passed on */
    inf->state = state;
    inf->ops.on_state(inf->ctx, state, rc ? &err : NULL);
}

void fake_bad_gone(struct ks_informer *inf, const char *ns, const char *name)
{
    inf->ops.on_bad_gone(inf->ctx, ks_str_from(ns), ks_str_from(name));
}

void fake_reset(struct ks_informer *inf)
{
    inf->ops.on_reset(inf->ctx);
}

void fake_limit(struct ks_informer *inf)
{
    inf->ops.on_limit(inf->ctx);
}
