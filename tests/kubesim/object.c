/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From tree to revision and back.
 *
 * The model: a revision's body is the object's JSON without the part that differs between the
 * versions that serve it: kind and apiVersion for built-in kinds (which lists leave out anyway),
 * apiVersion alone for custom ones.
 *
 * 1. Built-in kinds: metadata first, its fields in the server's order, then the rest as it came,
 * status last. Custom kinds: all keys sorted.
 * 2. A revision is one block of memory: struct, labels, fields, texts, body.
 * 3. sim_rev_clone replaces the text of resourceVersion and copies the rest.
 *
 * Thread: one. It checks nothing: what may be stored is registry.c's decision.
 */
#include "object.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "catalog.h"

#define OBJECT_BODY_MAX_BYTES ((size_t)32 * 1024 * 1024)
#define OBJECT_LABELS_MAX 256
#define OBJECT_FIELDS_MAX 16
#define OBJECT_NUMBER_TEXT 24

static const char *const pod_fields[] = {"spec.nodeName",
                                         "spec.restartPolicy",
                                         "spec.schedulerName",
                                         "spec.serviceAccountName",
                                         "spec.hostNetwork",
                                         "status.phase",
                                         "status.podIP",
                                         "status.nominatedNodeName",
                                         NULL};
static const char *const event_fields[] = {"involvedObject.kind",
                                           "involvedObject.namespace",
                                           "involvedObject.name",
                                           "involvedObject.uid",
                                           "involvedObject.apiVersion",
                                           "involvedObject.resourceVersion",
                                           "involvedObject.fieldPath",
                                           "reason",
                                           "reportingComponent",
                                           "source.component",
                                           "type",
                                           NULL};
static const char *const phase_field[] = {"status.phase", NULL};
static const char *const node_fields[] = {"spec.unschedulable", NULL};
static const char *const secret_fields[] = {"type", NULL};
static const char *const replicas_field[] = {"status.replicas", NULL};
static const char *const job_fields[] = {"status.successful", NULL};
static const char *const csr_fields[] = {"spec.signerName", NULL};
static const char *const no_fields[] = {NULL};

static const struct {
    const char *plural;
    const char *const *fields;
} selectable[] = {
    {"pods", pod_fields},
    {"events", event_fields},
    {"namespaces", phase_field},
    {"nodes", node_fields},
    {"secrets", secret_fields},
    {"replicasets", replicas_field},
    {"replicationcontrollers", replicas_field},
    {"jobs", job_fields},
    {"certificatesigningrequests", csr_fields},
};

static const char *const *fields_of(const struct sim_resource *res)
{
    if (sim_resource_has(res, SIM_CUSTOM))
        return no_fields;
    for (size_t i = 0; i < KS_ARRAY_LEN(selectable); i++) {
        if (strcmp(selectable[i].plural, res->plural) == 0)
            return selectable[i].fields;
    }
    return no_fields;
}

bool sim_field_is_selectable(const struct sim_resource *res, struct ks_str field)
{
    const char *const *fields = fields_of(res);

    if (ks_str_is(field, "metadata.name") ||
        (ks_str_is(field, "metadata.namespace") && sim_resource_has(res, SIM_NAMESPACED)))
        return true;
    for (; *fields; fields++) {
        if (ks_str_is(field, *fields))
            return true;
    }
    return false;
}

struct ks_str sim_rev_field(const struct sim_rev *rev, struct ks_str field)
{
    if (ks_str_is(field, "metadata.name"))
        return rev->name;
    if (ks_str_is(field, "metadata.namespace"))
        return rev->ns;
    for (size_t i = 0; i < rev->fields_len; i++) {
        if (ks_str_eq(rev->fields[i].key, field))
            return rev->fields[i].value;
    }
    return KS_LIT("");
}

const char *sim_json_text(const json_t *obj, const char *key)
{
    const char *text = json_string_value(json_object_get(obj, key));

    return text ? text : "";
}

json_t *sim_object_metadata(const json_t *obj)
{
    json_t *meta = json_object_get(obj, "metadata");

    return json_is_object(meta) ? meta : NULL;
}

const char *sim_object_name(const json_t *obj)
{
    return sim_json_text(sim_object_metadata(obj), "name");
}

const char *sim_object_namespace(const json_t *obj)
{
    return sim_json_text(sim_object_metadata(obj), "namespace");
}

static bool metadata_set(json_t *obj, const char *key, json_t *value)
{
    if (!sim_object_metadata(obj) && json_object_set_new(obj, "metadata", json_object()) != 0) {
        json_decref(value);
        return false;
    }
    return json_object_set_new(sim_object_metadata(obj), key, value) == 0;
}

bool sim_object_set_text(json_t *obj, const char *key, const char *text)
{
    return metadata_set(obj, key, json_string(text));
}

bool sim_object_set_int(json_t *obj, const char *key, int64_t value)
{
    return metadata_set(obj, key, json_integer(value));
}

int64_t sim_object_int(const json_t *obj, const char *key)
{
    return json_integer_value(json_object_get(sim_object_metadata(obj), key));
}

static const char *html_escape(char c)
{
    switch (c) {
    case '<':
        return "\\u003c";
    case '>':
        return "\\u003e";
    case '&':
        return "\\u0026";
    default:
        return NULL;
    }
}

static int on_text(const char *text, size_t len, void *ctx)
{
    struct ks_buf *out = ctx;
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const char *escape = html_escape(text[i]);

        if (!escape)
            continue;
        if (ks_buf_append(out, text + from, i - from) ||
            ks_buf_append_str(out, ks_str_from(escape)))
            return -1;
        from = i + 1;
    }
    return ks_buf_append(out, text + from, len - from) ? -1 : 0;
}

ks_rc sim_json_print(const json_t *value, enum sim_order order, struct ks_buf *out)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | (order == SIM_SORTED ? JSON_SORT_KEYS : 0);

    return json_dump_callback(value, on_text, out, flags) == 0 ? KS_RC_OK : KS_RC_LIMIT;
}

json_t *sim_object_parse(const struct sim_resource *res, const struct sim_rev *rev)
{
    json_t *obj = json_object();
    json_t *body = json_loadb(rev->body.ptr, rev->body.len, JSON_ALLOW_NUL, NULL);

    if (obj && body && json_object_set_new(obj, "kind", json_string(res->kind)) == 0 &&
        json_object_set_new(obj, "apiVersion", json_string(res->group_version)) == 0 &&
        json_object_update_missing(obj, body) == 0) {
        json_decref(body);
        return obj;
    }
    json_decref(obj);
    json_decref(body);
    return NULL;
}

/* Moves the named members of `from` that exist to the end of `to`. */
static int members_move(json_t *to, json_t *from, const char *const *names)
{
    int rc = 0;

    for (; *names; names++) {
        json_t *value = json_object_get(from, *names);

        if (!value)
            continue;
        rc |= json_object_set(to, *names, value);
        rc |= json_object_del(from, *names);
    }
    return rc;
}

static json_t *metadata_ordered(json_t *meta)
{
    static const char *const order[] = {"name",
                                        "generateName",
                                        "namespace",
                                        "selfLink",
                                        "uid",
                                        "resourceVersion",
                                        "generation",
                                        "creationTimestamp",
                                        "deletionTimestamp",
                                        "deletionGracePeriodSeconds",
                                        "labels",
                                        "annotations",
                                        "ownerReferences",
                                        "finalizers",
                                        "managedFields",
                                        NULL};
    json_t *out = json_object();

    if (out && members_move(out, meta, order) == 0 && json_object_update(out, meta) == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* A tree in the order of a typed kind, without kind and apiVersion; NULL when memory is short. */
static json_t *typed_ordered(json_t *obj)
{
    json_t *out = json_object();
    json_t *meta = metadata_ordered(sim_object_metadata(obj));
    json_t *status = json_incref(json_object_get(obj, "status"));
    int rc = json_object_set_new(out, "metadata", meta);

    rc |= json_object_update_missing(out, obj);
    /* Their absence is as good. */
    (void)json_object_del(out, "kind");
    (void)json_object_del(out, "apiVersion");
    if (status) {
        rc |= json_object_del(out, "status");
        rc |= json_object_set_new(out, "status", status);
    }
    if (rc == 0)
        return out;
    json_decref(out);
    return NULL;
}

static ks_rc body_print(const struct sim_resource *res, json_t *obj, struct ks_buf *out)
{
    json_t *typed;
    ks_rc rc;

    if (sim_resource_has(res, SIM_CUSTOM)) {
        (void)json_object_del(obj, "apiVersion"); /* its absence is as good */
        return sim_json_print(obj, SIM_SORTED, out);
    }
    typed = typed_ordered(obj);
    if (!typed)
        return KS_RC_NOMEM;
    rc = sim_json_print(typed, SIM_AS_IS, out);
    json_decref(typed);
    return rc;
}

/* The position behind the JSON string that starts at i. */
static size_t string_end(struct ks_str s, size_t i)
{
    for (i++; i < s.len && s.ptr[i] != '"'; i++) {
        if (s.ptr[i] == '\\')
            i++;
    }
    return i + 1;
}

/* The value of the top-level member "metadata" in compact JSON of our own making. */
static struct ks_str metadata_view(struct ks_str body)
{
    const struct ks_str key = KS_LIT("\"metadata\":");
    size_t start = 0;
    int depth = 0;

    for (size_t i = 0; i < body.len;) {
        char c = body.ptr[i];

        if (c == '"') {
            if (depth == 1 && !start && ks_str_starts(ks_str_sub(body, i, body.len), key))
                start = i + key.len;
            i = string_end(body, i);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        i++;
        if (start && depth == 1 && i > start + 1)
            return ks_str_sub(body, start, i - start);
    }
    return KS_LIT("{}");
}

/* What goes into a revision, gathered before its size is known. */
struct draft {
    struct sim_pair labels[OBJECT_LABELS_MAX];
    size_t labels_len;
    struct sim_pair fields[OBJECT_FIELDS_MAX];
    size_t fields_len;
    char numbers[OBJECT_FIELDS_MAX][OBJECT_NUMBER_TEXT];
    size_t text_bytes;
};

static void pair_add(struct draft *d, struct sim_pair *pairs, size_t *len, struct ks_str key,
                     struct ks_str value)
{
    pairs[(*len)++] = (struct sim_pair){key, value};
    d->text_bytes += key.len + value.len + 2;
}

static ks_rc labels_gather(const json_t *obj, struct draft *d)
{
    json_t *labels = json_object_get(sim_object_metadata(obj), "labels");
    const char *key;
    json_t *value;

    json_object_foreach(labels, key, value)
    {
        if (d->labels_len == OBJECT_LABELS_MAX)
            return KS_RC_LIMIT;
        if (json_is_string(value))
            pair_add(d, d->labels, &d->labels_len, ks_str_from(key),
                     ks_str_make(json_string_value(value), json_string_length(value)));
    }
    return KS_RC_OK;
}

static const json_t *path_find(const json_t *obj, const char *path)
{
    char part[64];
    const char *dot;

    while ((dot = strchr(path, '.'))) {
        snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
        obj = json_object_get(obj, part);
        path = dot + 1;
    }
    return json_object_get(obj, path);
}

static void fields_gather(const struct sim_resource *res, const json_t *obj, struct draft *d)
{
    const char *const *fields = fields_of(res);

    for (; *fields && d->fields_len < OBJECT_FIELDS_MAX; fields++) {
        const json_t *value = path_find(obj, *fields);
        char *number = d->numbers[d->fields_len];

        if (json_is_string(value)) {
            pair_add(d, d->fields, &d->fields_len, ks_str_from(*fields),
                     ks_str_from(json_string_value(value)));
            continue;
        }
        if (json_is_integer(value))
            snprintf(number, OBJECT_NUMBER_TEXT, "%lld", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            snprintf(number, OBJECT_NUMBER_TEXT, "%s", json_is_true(value) ? "true" : "false");
        else
            continue;
        pair_add(d, d->fields, &d->fields_len, ks_str_from(*fields), ks_str_from(number));
    }
}

static struct ks_str text_put(char **at, struct ks_str text)
{
    char *start = *at;

    if (text.len > 0)
        memcpy(start, text.ptr, text.len);
    start[text.len] = '\0';
    *at = start + text.len + 1;
    return ks_str_make(start, text.len);
}

static void pairs_put(struct sim_pair *to, const struct sim_pair *from, size_t len, char **at)
{
    for (size_t i = 0; i < len; i++) {
        to[i].key = text_put(at, from[i].key);
        to[i].value = text_put(at, from[i].value);
    }
}

struct rev_texts {
    struct ks_str ns;
    struct ks_str name;
    struct ks_str uid;
    struct ks_str body;
};

static struct sim_rev *rev_new(const struct rev_texts *texts, const struct draft *d, uint64_t rv)
{
    size_t pairs = d->labels_len + d->fields_len;
    size_t key_len = texts->ns.len + (texts->ns.len ? 1 : 0) + texts->name.len;
    size_t size = sizeof(struct sim_rev) + pairs * sizeof(struct sim_pair) + d->text_bytes +
                  key_len + texts->uid.len + texts->body.len + 8;
    struct sim_rev *r = ks_alloc0(size);
    struct sim_pair *pair;
    char *at;
    char *key;

    if (!r)
        return NULL;
    pair = (struct sim_pair *)(r + 1);
    at = (char *)(pair + pairs);
    r->refs = 1;
    r->rv = rv;
    pairs_put(pair, d->labels, d->labels_len, &at);
    pairs_put(pair + d->labels_len, d->fields, d->fields_len, &at);
    r->labels = pair;
    r->labels_len = d->labels_len;
    r->fields = pair + d->labels_len;
    r->fields_len = d->fields_len;
    key = at;
    if (texts->ns.len) {
        r->ns = text_put(&at, texts->ns);
        at[-1] = '/';
    }
    r->name = text_put(&at, texts->name);
    r->key = ks_str_make(key, key_len);
    r->uid = text_put(&at, texts->uid);
    r->body = text_put(&at, texts->body);
    r->metadata = metadata_view(r->body);
    return r;
}

ks_rc sim_object_encode(const struct sim_resource *res, json_t *obj, uint64_t rv,
                        struct sim_rev **out)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf body = KS_BUF(OBJECT_BODY_MAX_BYTES);
    struct draft d = {.labels_len = 0};
    char rv_text[24];
    struct rev_texts texts;
    ks_rc rc;

    snprintf(rv_text, sizeof(rv_text), "%llu", (unsigned long long)rv);
    if (!sim_object_set_text(obj, "resourceVersion", rv_text))
        return KS_RC_NOMEM;
    rc = labels_gather(obj, &d);
    if (rc)
        return rc;
    fields_gather(res, obj, &d);
    texts.ns = ks_str_from(sim_object_namespace(obj));
    texts.name = ks_str_from(sim_object_name(obj));
    texts.uid = ks_str_from(sim_json_text(sim_object_metadata(obj), "uid"));
    {
        /* Printing reorders the tree, but the strings that the views point to stay referenced by
         * obj. */
        json_t *copy = json_copy(obj);
        json_t *meta = copy ? json_copy(sim_object_metadata(obj)) : NULL;

        rc = KS_RC_NOMEM;
        if (copy && json_object_set_new(copy, "metadata", meta) == 0)
            rc = body_print(res, copy, &body);
        json_decref(copy);
    }
    if (rc)
        return rc;
    texts.body = ks_buf_str(&body);
    *out = rev_new(&texts, &d, rv);
    return *out ? KS_RC_OK : KS_RC_NOMEM;
}

struct sim_rev *sim_rev_clone(const struct sim_rev *rev, uint64_t rv)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf body = KS_BUF(OBJECT_BODY_MAX_BYTES);
    struct draft d = {.labels_len = 0};
    char old_text[64];
    const char *found;
    size_t at;

    snprintf(old_text, sizeof(old_text), "\"resourceVersion\":\"%llu\"",
             (unsigned long long)rev->rv);
    found = memmem(rev->metadata.ptr, rev->metadata.len, old_text, strlen(old_text));
    at = found ? (size_t)(found - rev->body.ptr) : 0;
    if (!found || ks_buf_append(&body, rev->body.ptr, at) ||
        ks_buf_appendf(&body, "\"resourceVersion\":\"%llu\"", (unsigned long long)rv) ||
        ks_buf_append_str(&body, ks_str_sub(rev->body, at + strlen(old_text), rev->body.len)))
        return NULL;
    for (size_t i = 0; i < rev->labels_len; i++)
        pair_add(&d, d.labels, &d.labels_len, rev->labels[i].key, rev->labels[i].value);
    for (size_t i = 0; i < rev->fields_len; i++)
        pair_add(&d, d.fields, &d.fields_len, rev->fields[i].key, rev->fields[i].value);
    return rev_new(&(struct rev_texts){rev->ns, rev->name, rev->uid, ks_buf_str(&body)}, &d, rv);
}
