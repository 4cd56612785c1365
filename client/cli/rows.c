/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by the identity that a user sees: group, kind, namespace and name. A re-created object goes
 * on in its row. An object whose kind the server does not know yet has no such identity: its row
 * goes by the target that names it, and ends when an object with a kind answers for that target.
 *
 * Invariants: 1. a row and its strings are one allocation, replaced whole by an update; 2.
 * by_status counts what the map holds; 3. a selected object that is gone leaves after GONE_MS, a
 * named one never.
 *
 * Thread: one at a time. Does not know columns or terminals.
 */
#include "client/cli/rows.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

#include "client/cli/chain.h"

#define GONE_MS 10000
#define CAUSE_MAX_BYTES ((size_t)1 << 20) /* the server cuts texts long before */

struct row_node {
    struct ks_row row; /* first: a row is its node */
    struct ks_str key;
    char text[];
};

struct target_state {
    Kstatus__V1__TargetChange__State state;
    char message[200];
};

struct ks_rows {
    const struct ks_targets *targets;
    struct ks_map *map;
    struct target_state *states; /* one a target */
    size_t by_status[KS_STATUS_COUNT];
    size_t dropped;
    size_t gone_count; /* rows that ks_rows_sweep may have to look at */
    bool is_synced;
    bool is_draining;
};

struct ks_rows *ks_rows_new(const struct ks_targets *targets)
{
    struct ks_rows *rows = ks_alloc0(sizeof(*rows));

    if (!rows)
        return NULL;
    rows->targets = targets;
    rows->map = ks_map_new(KS_ROWS_MAX);
    rows->states = ks_alloc_array(targets->count + 1, sizeof(*rows->states));
    if (!rows->map || !rows->states) {
        ks_map_free(rows->map);
        ks_free(rows->states);
        ks_free(rows);
        return NULL;
    }
    memset(rows->states, 0, (targets->count + 1) * sizeof(*rows->states));
    return rows;
}

static void node_free(void *ctx, struct ks_str key, void *value)
{
    (void)ctx; /* none */
    (void)key; /* lies in the node */
    ks_free(value);
}

struct ks_rows *ks_rows_free(struct ks_rows *rows)
{
    if (rows) {
        ks_map_foreach(rows->map, node_free, NULL);
        ks_map_free(rows->map);
        ks_free(rows->states);
        ks_free(rows);
    }
    return NULL;
}

#define KEY_MAX_BYTES 4096

/* No NUL occurs in the parts: they are C strings. */
static ks_rc key_make(struct ks_buf *out, const Kstatus__V1__ObjectRef *o)
{
    const char *parts[] = {o->group, o->kind, o->namespace_, o->name};
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(parts); i++)
        rc = ks_buf_append(out, parts[i], strlen(parts[i]) + 1);
    return rc;
}

/* A group with a blank does not exist. */
static ks_rc key_make_kindless(struct ks_buf *out, uint32_t target_id)
{
    return ks_buf_appendf(out, "target %u", (unsigned)target_id);
}

static struct ks_str text_put(char **at, struct ks_str text)
{
    struct ks_str copy = ks_str_make(*at, text.len);

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

/* cause: the first one in brief, of what is broken. */
static struct ks_str message_of(const Kstatus__V1__ResourceStatus *s, struct ks_str cause)
{
    if (cause.len > 0)
        return cause;
    if (s->message[0])
        return ks_str_from(s->message);
    if (s->error && s->error->message[0])
        return ks_str_from(s->error->message);
    return ks_str_from(s->reason);
}

/* The kind; where the server does not know it, the resource that was asked for. */
static struct ks_str kind_of(const struct ks_rows *rows, const Kstatus__V1__ResourceStatus *s)
{
    struct ks_str label;
    ptrdiff_t slash;

    if (s->object->kind[0] || s->n_target_ids == 0)
        return ks_str_from(s->object->kind);
    label = ks_str_from(ks_targets_label(rows->targets, s->target_ids[0]));
    slash = ks_str_chr(label, '/');
    return ks_str_sub(label, 0, slash < 0 ? label.len : (size_t)slash);
}

static bool is_named(const struct ks_rows *rows, const Kstatus__V1__ResourceStatus *s)
{
    for (size_t i = 0; i < s->n_target_ids; i++) {
        if (ks_targets_is_object(rows->targets, s->target_ids[i]))
            return true;
    }
    return false;
}

static ks_status status_of(const Kstatus__V1__ResourceStatus *s)
{
    int number = (int)s->status;

    return number > 0 && number < KS_STATUS_COUNT ? (ks_status)number : KS_STATUS_UNKNOWN;
}

static int64_t time_ms(const Google__Protobuf__Timestamp *t)
{
    return t ? t->seconds * 1000 + t->nanos / 1000000 : 0;
}

static struct row_node *node_new(const struct ks_rows *rows, const Kstatus__V1__ResourceStatus *s,
                                 struct ks_str key)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf cause = KS_BUF(CAUSE_MAX_BYTES);
    const Kstatus__V1__ObjectRef *o = s->object;
    struct ks_str kind = kind_of(rows, s);
    struct ks_str message;
    struct row_node *node;
    char *at;

    if (ks_chain_append_brief(&cause, s))
        return NULL;
    message = message_of(s, ks_buf_str(&cause));
    node = ks_alloc0(sizeof(*node) + key.len + kind.len + strlen(o->namespace_) + strlen(o->name) +
                     message.len);
    if (!node)
        return NULL;
    at = node->text;
    node->key = text_put(&at, key);
    node->row = (struct ks_row){
        .kind = text_put(&at, kind),
        .ns = text_put(&at, ks_str_from(o->namespace_)),
        .name = text_put(&at, ks_str_from(o->name)),
        .message = text_put(&at, message),
        .status = status_of(s),
        .target_id = s->n_target_ids > 0 ? s->target_ids[0] : 0,
        .is_named = is_named(rows, s),
        .has_progress = s->progress != NULL,
        .desired_count = s->progress ? s->progress->desired_count : 0,
        .ready_count = s->progress ? s->progress->ready_count : 0,
        .transition_ms = time_ms(s->transition_time),
    };
    return node;
}

static void rows_drop(struct ks_rows *rows, struct row_node *node)
{
    (void)ks_map_remove(rows->map, node->key); /* is the node */
    rows->by_status[node->row.status]--;
    rows->gone_count -= node->row.gone_ms != 0;
    ks_free(node);
}

/* Takes the node. */
static ks_rc rows_put(struct ks_rows *rows, struct row_node *node)
{
    ks_rc rc = ks_map_put(rows->map, node->key, node);

    if (rc) {
        ks_free(node);
        rows->dropped += rc == KS_RC_LIMIT;
        return rc == KS_RC_LIMIT ? KS_RC_OK : rc;
    }
    rows->by_status[node->row.status]++;
    rows->gone_count += node->row.gone_ms != 0;
    return KS_RC_OK;
}

static bool is_kindless(const Kstatus__V1__ResourceStatus *s)
{
    return !s->object->kind[0] && s->n_target_ids > 0;
}

static ks_rc drop_kindless(struct ks_rows *rows, const Kstatus__V1__ResourceStatus *s)
{
    for (size_t i = 0; i < s->n_target_ids; i++) {
        KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(KEY_MAX_BYTES);
        struct row_node *node;
        ks_rc rc;

        rc = key_make_kindless(&key, s->target_ids[i]);
        if (rc)
            return rc;
        node = ks_map_find(rows->map, ks_buf_str(&key));
        if (node)
            rows_drop(rows, node);
    }
    return KS_RC_OK;
}

ks_rc ks_rows_apply_status(struct ks_rows *rows, const Kstatus__V1__ResourceStatus *status,
                           int64_t mono_ms)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(KEY_MAX_BYTES);
    struct row_node *node;
    struct row_node *old;
    ks_rc rc;

    if (!status->object)
        return KS_RC_OK; /* a newer server's, or none of ours */
    rc = is_kindless(status) ? key_make_kindless(&key, status->target_ids[0])
                             : key_make(&key, status->object);
    if (!rc && !is_kindless(status))
        rc = drop_kindless(rows, status);
    if (rc)
        return rc;
    node = node_new(rows, status, ks_buf_str(&key));
    if (!node)
        return KS_RC_NOMEM;
    old = ks_map_find(rows->map, node->key);
    if (node->row.status == KS_STATUS_NOT_FOUND)
        node->row.gone_ms = old && old->row.gone_ms ? old->row.gone_ms : mono_ms + 1;
    if (old)
        rows_drop(rows, old);
    return rows_put(rows, node);
}

static ks_rc apply_removed(struct ks_rows *rows, const Kstatus__V1__Removed *removed)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf key = KS_BUF(KEY_MAX_BYTES);
    struct row_node *node;
    ks_rc rc;

    if (!removed->object)
        return KS_RC_OK;
    rc = key_make(&key, removed->object);
    if (rc)
        return rc;
    node = ks_map_find(rows->map, ks_buf_str(&key));
    if (node)
        rows_drop(rows, node);
    return KS_RC_OK;
}

ks_rc ks_rows_apply_target(struct ks_rows *rows, const Kstatus__V1__TargetChange *change)
{
    struct target_state *state;
    struct ks_str message;

    if (change->target_id < 1 || change->target_id > rows->targets->count)
        return KS_RC_OK;
    state = &rows->states[change->target_id - 1];
    state->state = change->state;
    message = ks_str_cut_utf8(ks_str_from(change->cause ? change->cause->message : ""),
                              sizeof(state->message) - 1);
    memcpy(state->message, message.ptr, message.len);
    state->message[message.len] = '\0';
    return KS_RC_OK;
}

ks_rc ks_rows_apply(struct ks_rows *rows, const Kstatus__V1__Event *event, int64_t mono_ms)
{
    switch (event->event_case) {
    case KSTATUS__V1__EVENT__EVENT_UPDATE:
        return ks_rows_apply_status(rows, event->update, mono_ms);
    case KSTATUS__V1__EVENT__EVENT_REMOVED:
        return apply_removed(rows, event->removed);
    case KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE:
        return ks_rows_apply_target(rows, event->target_change);
    case KSTATUS__V1__EVENT__EVENT_SYNCED:
        rows->is_synced = true;
        return KS_RC_OK;
    case KSTATUS__V1__EVENT__EVENT_DRAINING:
        rows->is_draining = true;
        return KS_RC_OK;
    case KSTATUS__V1__EVENT__EVENT_ACCEPTED:
    case KSTATUS__V1__EVENT__EVENT_HEARTBEAT:
    case KSTATUS__V1__EVENT__EVENT_OUTCOME:
    case KSTATUS__V1__EVENT__EVENT__NOT_SET:
    case _KSTATUS__V1__EVENT__EVENT__CASE_IS_INT_SIZE:
    default:
        return KS_RC_OK; /* nothing to show in a table */
    }
}

struct sweep {
    struct ks_rows *rows;
    int64_t before_ms;
};

static void sweep_one(void *ctx, struct ks_str key, void *value)
{
    const struct sweep *sweep = ctx;
    struct row_node *node = value;

    (void)key; /* lies in the node */
    if (node->row.gone_ms && !node->row.is_named && node->row.gone_ms <= sweep->before_ms)
        rows_drop(sweep->rows, node);
}

void ks_rows_sweep(struct ks_rows *rows, int64_t mono_ms)
{
    struct sweep sweep = {.rows = rows, .before_ms = mono_ms - GONE_MS};

    if (rows->gone_count > 0)
        ks_map_foreach(rows->map, sweep_one, &sweep);
}

bool ks_rows_is_synced(const struct ks_rows *rows)
{
    return rows->is_synced;
}

bool ks_rows_is_draining(const struct ks_rows *rows)
{
    return rows->is_draining;
}

size_t ks_rows_count(const struct ks_rows *rows)
{
    return ks_map_count(rows->map);
}

size_t ks_rows_dropped(const struct ks_rows *rows)
{
    return rows->dropped;
}

size_t ks_rows_count_of(const struct ks_rows *rows, ks_status status)
{
    return rows->by_status[status];
}

static void list_one(void *ctx, struct ks_str key, void *value)
{
    const struct ks_row ***at = ctx;

    (void)key; /* lies in the node */
    *(*at)++ = value;
}

void ks_rows_list(const struct ks_rows *rows, const struct ks_row **out)
{
    ks_map_foreach(rows->map, list_one, &out);
}

const char *ks_trouble_text(Kstatus__V1__TargetChange__State state)
{
    switch (state) {
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_DISCONNECTED:
        return "disconnected";
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_FORBIDDEN:
        return "forbidden";
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_KIND_MISSING:
        return "not served";
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SOURCE_MISSING:
        return "inventory missing";
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_REFUSED:
        return "refused";
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_UNSPECIFIED:
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_LISTING:
    case KSTATUS__V1__TARGET_CHANGE__STATE__STATE_SYNCED:
    case _KSTATUS__V1__TARGET_CHANGE__STATE_IS_INT_SIZE:
    default:
        return NULL;
    }
}

size_t ks_rows_troubles(const struct ks_rows *rows, struct ks_trouble *out, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->targets->count; i++) {
        const char *text = ks_trouble_text(rows->states[i].state);

        if (text && count < room)
            out[count] = (struct ks_trouble){.target_id = (uint32_t)i + 1,
                                             .state = text,
                                             .message = ks_str_from(rows->states[i].message)};
        count += text != NULL;
    }
    return count;
}

const struct ks_targets *ks_rows_targets(const struct ks_rows *rows)
{
    return rows->targets;
}
