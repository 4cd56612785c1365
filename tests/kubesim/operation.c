/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each {"op":...} does.
 *
 * The model: a table from names to functions. Operations on objects go through registry.c in its
 * "record" form, which keeps what was recorded; all others turn a switch somewhere.
 *
 * 1. "count": N repeats an operation on objects with {i} replaced by "from", "from"+1, ... in all
 * its texts.
 *
 * Thread: one. When they run is scenario.c's business.
 */
#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#include "auth.h"
#include "conn.h"
#include "fault.h"
#include "object.h"
#include "patch.h"
#include "read.h"
#include "registry.h"
#include "sim.h"
#include "watch.h"

#define TEMPLATE_MAX_BYTES ((size_t)16 * 1024 * 1024)

static int64_t int_of(const json_t *op, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(op, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* The op's object and where it belongs. Views point into obj. */
static ks_rc target_of(struct sim *sim, const json_t *obj, struct sim_target *out,
                       struct ks_error *err)
{
    const char *version = sim_json_text(obj, "apiVersion");
    const char *kind = sim_json_text(obj, "kind");

    memset(out, 0, sizeof(*out));
    out->sim = sim;
    out->res = sim_catalog_find_kind(sim->catalog, ks_str_from(version), ks_str_from(kind));
    out->name = ks_str_from(sim_object_name(obj));
    if (!out->res || !out->res->table)
        return ks_fail(err, KS_RC_NOTFOUND, "no kind \"%s\" is served in \"%s\"", kind, version);
    if (out->name.len == 0 || out->name.len > SIM_NAME_MAX)
        return ks_fail(err, KS_RC_INVALID, "the %s has no metadata.name, or it is too long", kind);
    if (!sim_resource_has(out->res, SIM_NAMESPACED))
        return KS_RC_OK;
    out->ns = ks_str_from(sim_object_namespace(obj));
    if (out->ns.len == 0 || out->ns.len > SIM_NAME_MAX)
        return ks_fail(err, KS_RC_INVALID, "%s %s has no metadata.namespace, or it is too long",
                       kind, out->name.ptr);
    return KS_RC_OK;
}

/* A recorded object may be in a namespace that was there before the recording began. */
static void namespace_ensure(struct sim *sim, struct ks_str ns)
{
    struct sim_target t = {.sim = sim};
    struct sim_problem problem;
    json_t *obj;

    t.res = sim_catalog_find(sim->catalog, KS_LIT(""), KS_LIT("v1"), KS_LIT("namespaces"));
    if (ns.len == 0 || sim_table_find(t.res->table, ns))
        return;
    obj = json_pack("{s:{s:s%}}", "metadata", "name", ns.ptr, ns.len);
    if (obj)
        sim_rev_unref(sim_create(&t, obj, &problem));
    json_decref(obj);
}

static ks_rc put_run(struct sim *sim, json_t *obj, struct ks_error *err)
{
    struct sim_target t;
    struct sim_problem problem;
    struct sim_rev *rev;
    ks_rc rc = target_of(sim, obj, &t, err);

    if (rc)
        return rc;
    namespace_ensure(sim, t.ns);
    rev = sim_record(&t, obj, &problem);
    if (!rev)
        return ks_fail(err, KS_RC_INVALID, "%s %s: %s", t.res->kind, t.name.ptr, problem.message);
    sim_rev_unref(rev);
    return KS_RC_OK;
}

/* A recorded deletion comes with the object's last state; without one, the present state is the
 * last. */
static ks_rc delete_run(struct sim *sim, json_t *obj, struct ks_error *err)
{
    struct sim_target t;
    ks_rc rc = target_of(sim, obj, &t, err);
    bool is_whole = json_object_get(sim_object_metadata(obj), "uid") != NULL;

    if (rc)
        return rc;
    if (!sim_erase(&t, is_whole ? obj : NULL))
        return ks_fail(err, KS_RC_NOTFOUND, "%s %s is not there to be deleted", t.res->kind,
                       t.name.ptr);
    return KS_RC_OK;
}

static ks_rc patch_part(struct sim *sim, json_t *obj, enum sim_part part, struct ks_error *err)
{
    struct sim_target t;
    struct sim_problem problem;
    char key[600];
    const struct sim_rev *current;
    struct sim_rev *rev = NULL;
    json_t *tree;
    ks_rc rc = target_of(sim, obj, &t, err);

    if (rc)
        return rc;
    current = sim_table_find(t.res->table, sim_key_make(t.res, t.ns, t.name, key, sizeof(key)));
    if (!current)
        return ks_fail(err, KS_RC_NOTFOUND, "%s %s is not there to be patched", t.res->kind,
                       t.name.ptr);
    (void)json_object_del(sim_object_metadata(obj), "resourceVersion"); /* a recorded one is past */
    tree = sim_object_parse(t.res, current);
    sim_problem_set(&problem, 500, "out of memory, or nested too deeply");
    if (tree && !sim_patch_apply(tree, obj, SIM_PATCH_MERGE))
        rev = sim_update(&t, tree, part, &problem);
    json_decref(tree);
    if (!rev)
        return ks_fail(err, KS_RC_INVALID, "%s %s: %s", t.res->kind, t.name.ptr, problem.message);
    sim_rev_unref(rev);
    return KS_RC_OK;
}

static ks_rc patch_run(struct sim *sim, json_t *obj, struct ks_error *err)
{
    return patch_part(sim, obj, SIM_PART_MAIN, err);
}

static ks_rc patch_status_run(struct sim *sim, json_t *obj, struct ks_error *err)
{
    return patch_part(sim, obj, SIM_PART_STATUS, err);
}

static ks_rc token_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    return sim_auth_token_add(sim->auth, op, err);
}

static ks_rc token_revoke_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    sim_auth_token_revoke(sim->auth, sim_json_text(op, "token"));
    return KS_RC_OK;
}

static ks_rc rbac_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    return sim_auth_rule_add(sim->auth, op, err);
}

static ks_rc rbac_clear_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    sim_auth_rules_clear(sim->auth, json_string_value(json_object_get(op, "user")),
                         json_string_value(json_object_get(op, "group")));
    return KS_RC_OK;
}

static ks_rc fault_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    return sim_faults_add(sim->faults, op, err);
}

static ks_rc fault_clear_run(struct sim *sim, json_t *op KS_UNUSED, struct ks_error *err KS_UNUSED)
{
    sim_faults_clear(sim->faults);
    return KS_RC_OK;
}

static ks_rc compact_run(struct sim *sim, json_t *op KS_UNUSED, struct ks_error *err KS_UNUSED)
{
    sim_store_compact(sim->store);
    return KS_RC_OK;
}

static void goaway_send(void *ctx, struct sim_conn *c)
{
    const json_t *op = ctx;
    uint32_t code = NGHTTP2_NO_ERROR;

    (void)sim_h2_error_parse(sim_json_text(op, "error"), &code); /* else NO_ERROR */
    sim_conn_goaway(c, code, (int32_t)int_of(op, "last_stream", -1));
}

static ks_rc goaway_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    sim_server_foreach(sim->server, goaway_send, op);
    return KS_RC_OK;
}

static void conn_drop(void *ctx, struct sim_conn *c)
{
    bool is_fin = strcmp(sim_json_text(ctx, "how"), "fin") == 0;

    sim_conn_kill(c, is_fin ? SIM_CONN_DEAD_FIN : SIM_CONN_DEAD_RESET);
}

static ks_rc drop_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    sim_server_foreach(sim->server, conn_drop, op);
    return KS_RC_OK;
}

static void conn_stall(void *ctx, struct sim_conn *c)
{
    sim_conn_stall(c, int_of(ctx, "ms", 0));
}

static ks_rc stall_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    sim_server_foreach(sim->server, conn_stall, op);
    return KS_RC_OK;
}

static bool is_on(const json_t *op)
{
    return !json_is_false(json_object_get(op, "on"));
}

static ks_rc listen_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    if (is_on(op))
        return sim_server_listen(sim->server, err);
    sim_server_unlisten(sim->server);
    return KS_RC_OK;
}

static ks_rc accept_run(struct sim *sim, json_t *op, struct ks_error *err KS_UNUSED)
{
    if (is_on(op))
        sim_server_accept_resume(sim->server);
    else
        sim_server_accept_pause(sim->server);
    return KS_RC_OK;
}

static ks_rc max_streams_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    int64_t value = int_of(op, "value", -1);

    if (value < 0 || value > INT32_MAX)
        return ks_fail(err, KS_RC_INVALID, "op max-streams: a \"value\" of 0 or more is wanted");
    sim_server_set_max_streams(sim->server, (uint32_t)value);
    return KS_RC_OK;
}

static ks_rc feature_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    const char *name = sim_json_text(op, "name");

    if (strcmp(name, "watch-list") == 0)
        sim->has_watch_list = is_on(op);
    else if (strcmp(name, "aggregated-discovery") == 0)
        sim->has_aggregated_discovery = is_on(op);
    else
        return ks_fail(err, KS_RC_INVALID, "op feature: \"%s\" is not known", name);
    return KS_RC_OK;
}

static ks_rc inject_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    const json_t *text = json_object_get(op, "text");
    int64_t repeat = int_of(op, "repeat", 1);
    struct ks_buf all;
    ks_rc rc = KS_RC_OK;

    if (!json_is_string(text))
        return ks_fail(err, KS_RC_INVALID, "op inject: a \"text\" is wanted");
    ks_buf_init(&all, 4 * TEMPLATE_MAX_BYTES);
    for (int64_t i = 0; i < repeat && !rc; i++)
        rc = ks_buf_append(&all, json_string_value(text), json_string_length(text));
    if (!rc && !json_is_false(json_object_get(op, "newline")))
        rc = ks_buf_append_byte(&all, '\n');
    if (rc)
        rc = ks_fail(err, rc, "op inject: the text is too long");
    else
        (void)sim_watch_inject(sim, ks_str_from(sim_json_text(op, "path_prefix")),
                               ks_buf_str(&all)); /* no watch is no failure */
    ks_buf_fini(&all);
    return rc;
}

static ks_rc nothing_run(struct sim *sim KS_UNUSED, json_t *op KS_UNUSED,
                         struct ks_error *err KS_UNUSED)
{
    return KS_RC_OK;
}

/* The functions of the first kind get the op's object, those of the second the op. */
enum subject { ON_OBJECT, ON_OP };

static const struct operation {
    const char *name;
    enum subject subject;
    ks_rc (*run)(struct sim *sim, json_t *op, struct ks_error *err);
} operations[] = {
    {"create", ON_OBJECT, put_run},
    {"update", ON_OBJECT, put_run},
    {"delete", ON_OBJECT, delete_run},
    {"patch", ON_OBJECT, patch_run},
    {"patch-status", ON_OBJECT, patch_status_run},
    {"token", ON_OP, token_run},
    {"token-revoke", ON_OP, token_revoke_run},
    {"rbac", ON_OP, rbac_run},
    {"rbac-clear", ON_OP, rbac_clear_run},
    {"fault", ON_OP, fault_run},
    {"fault-clear", ON_OP, fault_clear_run},
    {"compact", ON_OP, compact_run},
    {"goaway", ON_OP, goaway_run},
    {"drop-connections", ON_OP, drop_run},
    {"stall", ON_OP, stall_run},
    {"listen", ON_OP, listen_run},
    {"accept", ON_OP, accept_run},
    {"max-streams", ON_OP, max_streams_run},
    {"feature", ON_OP, feature_run},
    {"inject", ON_OP, inject_run},
    {"recorded", ON_OP, nothing_run}, /* scenario.c reads them */
    {"end", ON_OP, nothing_run},
};

static const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; i < KS_ARRAY_LEN(operations); i++) {
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    }
    return NULL;
}

ks_rc sim_operation_check(const json_t *op, struct ks_error *err)
{
    const struct operation *o = operation_find(sim_json_text(op, "op"));

    if (!o)
        return ks_fail(err, KS_RC_INVALID, "\"op\":\"%s\" is not known", sim_json_text(op, "op"));
    if (o->subject == ON_OBJECT && !json_is_object(json_object_get(op, "object")))
        return ks_fail(err, KS_RC_INVALID, "op %s: an \"object\" is wanted", o->name);
    return KS_RC_OK;
}

/* The template's text with each {i} replaced; a new tree. */
static json_t *template_fill(struct ks_str template_text, int64_t i)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(TEMPLATE_MAX_BYTES);
    const struct ks_str mark = KS_LIT("{i}");
    ks_rc rc = KS_RC_OK;

    while (template_text.len > 0 && !rc) {
        const char *found = memmem(template_text.ptr, template_text.len, mark.ptr, mark.len);
        size_t n = found ? (size_t)(found - template_text.ptr) : template_text.len;

        rc = ks_buf_append(&text, template_text.ptr, n);
        if (!rc && found)
            rc = ks_buf_appendf(&text, "%lld", (long long)i);
        template_text = ks_str_sub(template_text, n + (found ? mark.len : 0), template_text.len);
    }
    return rc ? NULL : json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
}

static ks_rc many_run(struct sim *sim, const struct operation *o, const json_t *op,
                      struct ks_error *err)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(TEMPLATE_MAX_BYTES);
    int64_t from = int_of(op, "from", 0);
    int64_t count = int_of(op, "count", 1);
    ks_rc rc;

    rc = sim_json_print(json_object_get(op, "object"), SIM_AS_IS, &text);
    for (int64_t i = from; i < from + count && !rc; i++) {
        json_t *obj = template_fill(ks_buf_str(&text), i);

        rc = obj ? o->run(sim, obj, err) : ks_fail(err, KS_RC_NOMEM, "op %s", o->name);
        json_decref(obj);
    }
    return rc;
}

ks_rc sim_operation_run(struct sim *sim, json_t *op, struct ks_error *err)
{
    const struct operation *o = operation_find(sim_json_text(op, "op"));

    if (!o)
        return ks_fail(err, KS_RC_INVALID, "no such operation");
    if (o->subject == ON_OP)
        return o->run(sim, op, err);
    if (json_object_get(op, "count"))
        return many_run(sim, o, op, err);
    return o->run(sim, json_object_get(op, "object"), err);
}

void sim_operation_undo(struct sim *sim, const json_t *op)
{
    const char *name = sim_json_text(op, "op");
    struct sim_target t;

    if (strcmp(name, "create") != 0 && strcmp(name, "update") != 0)
        return;
    if (!target_of(sim, json_object_get(op, "object"), &t, NULL))
        (void)sim_erase(&t, NULL); /* often gone already */
}
