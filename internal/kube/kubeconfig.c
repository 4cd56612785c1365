/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfig files: parsed, kept side by side, and searched in order. Nothing is merged into one
 * document: an entry is found by asking file after file, which is the same and keeps the file's
 * name for paths and messages.
 *
 * Invariants: (1) a file that cannot be parsed fails the whole, for another file's identity must
 * not be taken in its place; (2) texts are wiped when they are freed: they hold credentials.
 *
 * Thread: any.
 */
#include "kube/kubeconfig.h"

#include <stdio.h>

#include "base/alloc.h"
#include "json/json.h"
#include "json/path.h"
#include "yaml/yaml.h"
#include "kube/kubeconfig_form.h"
#include "kube/stanza.h"

static const struct ks_json_limits json_limits = {
    .max_bytes = (size_t)4 << 20, .max_tokens = (size_t)256 << 10, .max_depth = 40};

struct file {
    char *path;
    char *text; /* JSON; NULL for an empty file */
    size_t len;
    struct ks_json *json;
};

struct ks_kubeconfig {
    struct file files[KS_KUBECONFIG_MAX_FILES];
    size_t count;
};

/* What one kind of entry is called in the file. */
struct section {
    const char *list;   /* "clusters" */
    const char *member; /* "cluster" */
};
static const struct section clusters = {"clusters", "cluster"};
static const struct section users = {"users", "user"};
static const struct section contexts = {"contexts", "context"};

ks_rc ks_kubeconfig_new(struct ks_kubeconfig **out, struct ks_error *err)
{
    struct ks_kubeconfig *k = ks_alloc0(sizeof(*k));

    if (!k)
        return ks_stanza_no_memory(err);
    *out = k;
    return KS_RC_OK;
}

static void file_fini(struct file *f)
{
    ks_json_free(f->json);
    ks_free_secret(f->text, f->len);
    ks_free(f->path);
    *f = (struct file){0};
}

struct ks_kubeconfig *ks_kubeconfig_free(struct ks_kubeconfig *k)
{
    if (!k)
        return NULL;
    for (size_t i = 0; i < k->count; i++)
        file_fini(&k->files[i]);
    ks_free(k);
    return NULL;
}

/* Only the first document counts, as for kubectl. */
static ks_rc on_document(void *ctx, struct ks_str json, size_t line)
{
    struct file *f = ctx;

    (void)line; /* of no interest: there is one */
    if (f->text)
        return KS_RC_OK;
    f->text = ks_str_dup(json);
    f->len = json.len;
    return f->text ? KS_RC_OK : KS_RC_NOMEM;
}

/* YAML takes any text for a string; a kubeconfig is a map. */
static const char *form_of(struct ks_str json)
{
    return json.ptr[0] == '{' ? NULL : json.ptr[0] == '[' ? "it holds a list" : "it is plain text";
}

static ks_rc file_parse(struct file *f, struct ks_str text, struct ks_error *err)
{
    struct ks_error why = {0};
    const char *form;
    ks_rc rc = ks_kubeconfig_check_bytes(text, f->path, err);

    if (rc)
        return rc;
    rc = ks_yaml_to_json(text, &ks_yaml_limits_kubeconfig, on_document, f, &why);
    if (rc == KS_RC_NOMEM)
        return ks_stanza_no_memory(err);
    if (rc)
        return ks_fail(err, KS_RC_CONFIG, "%s is no kubeconfig: %s", f->path, why.msg);
    if (!f->text)
        return KS_RC_OK;
    form = form_of(ks_str_make(f->text, f->len));
    if (form)
        return ks_fail(err, KS_RC_CONFIG, "%s is no kubeconfig: %s", f->path, form);
    rc = ks_json_new(&json_limits, &f->json, err);
    if (rc)
        return rc;
    rc = ks_json_parse(f->json, ks_str_make(f->text, f->len), &why);
    if (rc == KS_RC_NOMEM)
        return ks_stanza_no_memory(err);
    if (rc)
        return ks_fail(err, KS_RC_CONFIG, "%s is no kubeconfig: %s", f->path, why.msg);
    return ks_kubeconfig_check_form(ks_json_root(f->json), f->path, err);
}

ks_rc ks_kubeconfig_add(struct ks_kubeconfig *k, struct ks_str text, const char *path,
                        struct ks_error *err)
{
    struct file f = {0};
    ks_rc rc;

    if (k->count >= KS_KUBECONFIG_MAX_FILES)
        return ks_fail(err, KS_RC_CONFIG, "KUBECONFIG names more than %d files",
                       KS_KUBECONFIG_MAX_FILES);
    f.path = ks_strdup(path);
    if (!f.path)
        return ks_stanza_no_memory(err);
    rc = file_parse(&f, text, err);
    if (rc) {
        file_fini(&f);
        return rc;
    }
    k->files[k->count++] = f;
    return KS_RC_OK;
}

/* An empty file has no root: every look-up in it is ABSENT. */
static struct ks_json_value root_of(const struct file *f)
{
    return f->json ? ks_json_root(f->json) : (struct ks_json_value){0};
}

static struct ks_str current_of(const struct ks_kubeconfig *k)
{
    for (size_t i = 0; i < k->count; i++) {
        struct ks_str name = ks_json_lenient_str(root_of(&k->files[i]), "current-context", "");

        if (name.len)
            return name;
    }
    return KS_LIT("");
}

bool ks_kubeconfig_has_current(const struct ks_kubeconfig *k)
{
    return current_of(k).len > 0;
}

/* The entry of that name in one file; KS_RC_NOTFOUND when there is none. */
static ks_rc file_find(const struct file *f, const struct section *section, struct ks_str name,
                       struct ks_stanza *out, struct ks_error *err)
{
    struct ks_json_value list = ks_json_get(root_of(f), section->list);
    bool is_found = false;

    for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v); v = ks_json_next(v)) {
        if (!ks_str_eq(ks_json_lenient_str(v, "name", ""), name))
            continue;
        if (is_found)
            return ks_fail(err, KS_RC_CONFIG, "%s names the %s \"%.*s\" twice", f->path,
                           section->member, KS_STR_ARGS(name));
        is_found = true;
        out->map = ks_json_get(v, section->member);
        out->file = f->path;
        out->section = section->member;
        out->name = name;
    }
    return is_found ? KS_RC_OK : KS_RC_NOTFOUND;
}

static ks_rc entry_find(const struct ks_kubeconfig *k, const struct section *section,
                        struct ks_str name, struct ks_stanza *out, struct ks_error *err)
{
    ks_rc rc = KS_RC_NOTFOUND;

    for (size_t i = 0; rc == KS_RC_NOTFOUND && i < k->count; i++)
        rc = file_find(&k->files[i], section, name, out, err);
    return rc;
}

/* "a, b": the names of all contexts; what does not fit is cut. */
static void append_contexts(const struct ks_kubeconfig *k, struct ks_buf *out)
{
    for (size_t i = 0; i < k->count; i++) {
        struct ks_json_value list = ks_json_get(root_of(&k->files[i]), contexts.list);

        for (struct ks_json_value v = ks_json_first(list); !ks_json_is_absent(v);
             v = ks_json_next(v)) {
            struct ks_str known = ks_json_lenient_str(v, "name", "");

            if (known.len &&
                ks_buf_appendf(out, "%s%.*s", out->len ? ", " : "", KS_STR_ARGS(known)))
                return;
        }
    }
}

/* Why a file has no context. */
static const char *lack_of(const struct file *f)
{
    if (!f->json)
        return "is empty";
    return ks_kubeconfig_has_members(ks_json_root(f->json))
               ? "has no contexts"
               : "has none of a kubeconfig's members (clusters, users, contexts, current-context)";
}

/* There is no context at all: nothing to choose from. */
static ks_rc fail_empty(const struct ks_kubeconfig *k, struct ks_str name, struct ks_error *err)
{
    char wanted[160] = "";

    if (name.len)
        (void)snprintf(wanted, sizeof(wanted), "there is no context \"%.*s\": ", /* fits */
                       KS_STR_ARGS(ks_str_cut_utf8(name, 100)));
    if (k->count == 0)
        return ks_fail(err, KS_RC_CONFIG, "%sthere is no kubeconfig; name one with --kubeconfig",
                       wanted);
    return ks_fail(err, KS_RC_CONFIG,
                   "%s%s %s%s, so it names no cluster: name another file with --kubeconfig or "
                   "KUBECONFIG",
                   wanted, k->files[0].path, lack_of(&k->files[0]),
                   k->count > 1 ? ", nor has another file of KUBECONFIG a context" : "");
}

/* Where it was looked for, and what there is: "a, b in /x and /y". */
static ks_rc fail_context(const struct ks_kubeconfig *k, struct ks_str name, struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf names = KS_BUF(300);
    const char *first = k->count ? k->files[0].path : "the kubeconfig";
    const char *others = k->count > 1 ? " and the other files" : "";

    append_contexts(k, &names);
    if (names.len == 0)
        return fail_empty(k, name, err);
    if (name.len)
        return ks_fail(err, KS_RC_CONFIG, "there is no context \"%.*s\" in %s%s; there is: %s",
                       KS_STR_ARGS(name), first, others, names.data);
    return ks_fail(err, KS_RC_CONFIG,
                   "%s%s %s no current-context: choose one with --context; there is: %s", first,
                   others, k->count > 1 ? "have" : "has", names.data);
}

/* The entry that the context names under that key; an absent user is anonymous, an absent cluster
 * an error. */
static ks_rc part_find(const struct ks_kubeconfig *k, const struct section *section,
                       const struct ks_stanza *context, struct ks_stanza *out, struct ks_error *err)
{
    struct ks_str name = ks_json_lenient_str(context->map, section->member, "");
    ks_rc rc;

    *out = *context;
    out->map = (struct ks_json_value){0};
    if (!name.len)
        return section == &users ? KS_RC_OK
                                 : ks_stanza_fail(context, err, "it names no %s", section->member);
    rc = entry_find(k, section, name, out, err);
    if (rc == KS_RC_NOTFOUND)
        return ks_stanza_fail(context, err, "it names the %s \"%.*s\", which does not exist",
                              section->member, KS_STR_ARGS(name));
    return rc;
}

static ks_rc context_read(const struct ks_stanza *context, struct ks_kube_config *config,
                          struct ks_error *err)
{
    struct ks_buf origin;
    ks_rc rc = ks_stanza_text(context, "namespace", &config->ns, err);

    if (rc)
        return rc;
    if (!config->ns)
        config->ns = ks_strdup("default");
    ks_buf_init(&origin, 8192);
    if (!ks_buf_appendf(&origin, "%s, context %.*s", context->file, KS_STR_ARGS(context->name)))
        config->origin = ks_buf_take(&origin);
    ks_buf_fini(&origin);
    return config->ns && config->origin ? KS_RC_OK : ks_stanza_no_memory(err);
}

static bool has_credentials(const struct ks_kube_config *c)
{
    return c->token || c->token_file || c->username || c->exec || c->cert_pem || c->cert_file;
}

static void config_freep(struct ks_kube_config **config)
{
    ks_kube_config_free(*config);
}

static ks_rc context_resolve(const struct ks_kubeconfig *k, const struct ks_stanza *context,
                             struct ks_kube_config *config, struct ks_error *err)
{
    struct ks_stanza cluster, user;
    ks_rc rc = context_read(context, config, err);

    if (!rc)
        rc = part_find(k, &clusters, context, &cluster, err);
    if (!rc)
        rc = part_find(k, &users, context, &user, err);
    if (!rc)
        rc = ks_stanza_read_cluster(&cluster, config, err);
    if (!rc)
        rc = ks_stanza_read_user(&user, config, err);
    if (!rc)
        rc = ks_stanza_read_exec(&user, &cluster, config, err);
    if (!rc && has_credentials(config) &&
        !ks_str_starts(ks_str_from(config->server), KS_LIT("https://")))
        rc = ks_stanza_fail(&cluster, err,
                            "%s is not encrypted, and the user has credentials: they are only sent "
                            "over https",
                            config->server);
    return rc;
}

static ks_rc resolve(const struct ks_kubeconfig *k, struct ks_str name, bool may_read_files,
                     struct ks_kube_config **out, struct ks_error *err)
{
    KS_CLEANUP(config_freep) struct ks_kube_config *config = NULL;
    struct ks_stanza context = {.may_read_files = may_read_files};
    ks_rc rc;

    if (!name.len)
        return fail_context(k, name, err);
    rc = entry_find(k, &contexts, name, &context, err);
    if (rc == KS_RC_NOTFOUND)
        return fail_context(k, name, err);
    if (rc)
        return rc;
    config = ks_alloc0(sizeof(*config));
    if (!config)
        return ks_stanza_no_memory(err);
    rc = context_resolve(k, &context, config, err);
    if (rc)
        return rc;
    *out = KS_TAKE(config);
    return KS_RC_OK;
}

/* Strings that could not be decoded look absent, so that no other result can be trusted. */
static bool is_out_of_memory(const struct ks_kubeconfig *k)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->files[i].json && ks_json_out_of_memory(k->files[i].json))
            return true;
    }
    return false;
}

ks_rc ks_kubeconfig_resolve(const struct ks_kubeconfig *k, const char *context, bool may_read_files,
                            struct ks_kube_config **out, struct ks_error *err)
{
    KS_CLEANUP(config_freep) struct ks_kube_config *config = NULL;
    struct ks_str name = context ? ks_str_from(context) : current_of(k);
    ks_rc rc = resolve(k, name, may_read_files, &config, err);

    if (is_out_of_memory(k))
        return ks_stanza_no_memory(err);
    if (!rc)
        *out = KS_TAKE(config);
    return rc;
}
