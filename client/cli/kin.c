/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families from owner references. While the file is read, each object leaves a relative: its facts
 * as text, its causes, who it is and who owns it. When all are there, relatives are tied and heads
 * are told.
 *
 * Invariants: 1. relatives stand in the order of the file, and so do siblings; 2. after tying, from
 * every relative a head is reached in at most KS_KIN_DEPTH_MAX steps.
 *
 * Thread: main. Does not know revisions: what an old ReplicaSet's Pods suffer counts too.
 */
#include "client/cli/kin.h"

#include "base/alloc.h"
#include "base/map.h"
#include "json/path.h"
#include "status/cause.h"

#include "client/cli/explain.h"
#include "client/cli/text.h"

#define FACTS_MAX_BYTES ((size_t)4 << 20)
#define LABEL_WIDTH 14

struct relative {
    struct ks_buf facts;
    struct ks_buf name; /* "Pod/web-0 -n shop" */
    struct ks_buf uid;
    struct ks_buf owner_uid;
    ks_status status;
    bool is_error;
    struct ks_cause_list *causes;
    struct relative *next; /* in the file */
    struct relative *parent;
    struct relative *first_child;
    struct relative *last_child;
    struct relative *sibling;
};

struct ks_kin {
    ks_kin_form form;
    ks_profile profile;
    struct ks_map *by_uid;
    struct relative *first;
    struct relative *last;
    struct relative *at; /* for ks_kin_next */
    size_t count;
};

struct ks_kin *ks_kin_new(ks_kin_form form, ks_profile profile)
{
    struct ks_kin *kin = ks_alloc0(sizeof(*kin));

    if (!kin)
        return NULL;
    kin->form = form;
    kin->profile = profile;
    kin->by_uid = ks_map_new(KS_KIN_MAX);
    if (!kin->by_uid) {
        ks_free(kin);
        return NULL;
    }
    return kin;
}

static void relative_free(struct relative *r)
{
    ks_buf_fini(&r->facts);
    ks_buf_fini(&r->name);
    ks_buf_fini(&r->uid);
    ks_buf_fini(&r->owner_uid);
    ks_free(r->causes);
    ks_free(r);
}

struct ks_kin *ks_kin_free(struct ks_kin *kin)
{
    if (!kin)
        return NULL;
    ks_map_free(kin->by_uid);
    while (kin->first) {
        struct relative *r = kin->first;

        kin->first = r->next;
        relative_free(r);
    }
    ks_free(kin);
    return NULL;
}

static struct ks_str owner_of(struct ks_json_value object)
{
    struct ks_json_value list = {.doc = NULL};
    struct ks_json_value owner;

    if (ks_json_walk(object, "metadata.ownerReferences", &list) != KS_LOOKUP_FOUND ||
        ks_json_type_of(list) != KS_JSON_LIST)
        return KS_LIT("");
    for (owner = ks_json_first(list); !ks_json_is_absent(owner); owner = ks_json_next(owner)) {
        if (ks_json_lenient_bool(owner, "controller", false))
            return ks_json_lenient_str(owner, "uid", "");
    }
    return KS_LIT("");
}

static ks_rc relative_fill(struct ks_kin *kin, struct relative *r, const struct ks_subject *s,
                           const struct ks_judgement *j)
{
    struct ks_causes causes;
    ks_rc rc = ks_explain_read_causes(s, j, &causes);

    r->is_error = j->rc != KS_RC_OK;
    r->status = r->is_error ? KS_STATUS_UNKNOWN : j->verdict.status;
    if (!rc)
        rc = kin->form == KS_KIN_JSON ? ks_explain_append_json_facts(&r->facts, s, kin->profile, j)
                                      : ks_explain_append_facts(&r->facts, s, kin->profile, j);
    if (!rc)
        rc = ks_judge_append_name(&r->name, s);
    if (!rc)
        rc = ks_buf_append_str(&r->uid, ks_json_lenient_str(s->object, "metadata.uid", ""));
    if (!rc)
        rc = ks_buf_append_str(&r->owner_uid, owner_of(s->object));
    if (rc)
        return rc;
    r->causes = ks_cause_list_dup(causes.items, causes.count);
    return r->causes ? KS_RC_OK : KS_RC_NOMEM;
}

ks_rc ks_kin_add(struct ks_kin *kin, const struct ks_subject *s, const struct ks_judgement *j)
{
    struct relative *r;
    ks_rc rc;

    if (kin->count == KS_KIN_MAX)
        return KS_RC_LIMIT;
    r = ks_alloc0(sizeof(*r));
    if (!r)
        return KS_RC_NOMEM;
    ks_buf_init(&r->facts, FACTS_MAX_BYTES);
    ks_buf_init(&r->name, FACTS_MAX_BYTES);
    ks_buf_init(&r->uid, FACTS_MAX_BYTES);
    ks_buf_init(&r->owner_uid, FACTS_MAX_BYTES);
    rc = relative_fill(kin, r, s, j);
    if (!rc && r->uid.len > 0)
        rc = ks_map_put(kin->by_uid, ks_buf_str(&r->uid), r);
    if (rc) {
        relative_free(r);
        return rc;
    }
    if (kin->last)
        kin->last->next = r;
    else
        kin->first = r;
    kin->last = r;
    kin->count++;
    return KS_RC_OK;
}

static bool reaches_head(const struct relative *r)
{
    for (size_t steps = 0; steps <= KS_KIN_DEPTH_MAX; steps++) {
        if (!r->parent)
            return true;
        r = r->parent;
    }
    return false;
}

void ks_kin_tie(struct ks_kin *kin)
{
    for (struct relative *r = kin->first; r; r = r->next) {
        if (r->owner_uid.len > 0)
            r->parent = ks_map_find(kin->by_uid, ks_buf_str(&r->owner_uid));
    }
    for (struct relative *r = kin->first; r; r = r->next) {
        if (!reaches_head(r))
            r->parent = NULL; /* which opens a circle for all others in it */
    }
    for (struct relative *r = kin->first; r; r = r->next) {
        if (!r->parent)
            continue;
        if (r->parent->last_child)
            r->parent->last_child->sibling = r;
        else
            r->parent->first_child = r;
        r->parent->last_child = r;
    }
    kin->at = kin->first;
}

/* The one after r in the tree below the head, parents first; NULL at its end. */
static struct relative *walk(const struct relative *head, struct relative *r)
{
    if (r->first_child)
        return r->first_child;
    while (r != head && !r->sibling)
        r = r->parent;
    return r == head ? NULL : r->sibling;
}

static size_t depth_below(const struct relative *head, const struct relative *r)
{
    size_t depth = 0;

    for (; r != head; r = r->parent)
        depth++;
    return depth;
}

static void causes_gather(struct relative *head, struct ks_causes *out)
{
    ks_causes_init(out);
    if (head->status == KS_STATUS_CURRENT)
        return;
    for (struct relative *r = head; r; r = walk(head, r))
        ks_causes_merge(out, r->causes->items, r->causes->count);
}

static ks_rc text_children(struct ks_buf *out, struct relative *head)
{
    const char *label = "children";
    ks_rc rc = KS_RC_OK;

    for (struct relative *r = walk(head, head); !rc && r; r = walk(head, r)) {
        int indent = (int)(2 * (depth_below(head, r) - 1));

        rc = ks_buf_appendf(out, "  %-*s%*s%-11s  ", LABEL_WIDTH - 2, label, indent, "",
                            ks_status_text(r->status));
        if (!rc)
            rc = ks_buf_append_str(out, ks_buf_str(&r->name));
        if (!rc)
            rc = ks_buf_append_byte(out, '\n');
        label = "";
    }
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc json_children(struct ks_buf *out, struct relative *head)
{
    bool is_first = true;
    ks_rc rc = ks_buf_append_str(out, KS_LIT(",\"children\":["));

    for (struct relative *r = walk(head, head); !rc && r; r = walk(head, r)) {
        rc = ks_buf_appendf(out, "%s{\"depth\":%zu,\"name\":", is_first ? "" : ",",
                            depth_below(head, r));
        if (!rc)
            rc = ks_text_append_json(out, ks_buf_str(&r->name));
        if (!rc)
            rc = ks_buf_appendf(out, ",\"status\":\"%s\"}", ks_status_text(r->status));
        is_first = false;
    }
    return rc ? rc : ks_buf_append_str(out, KS_LIT("]}\n"));
}

static ks_rc tell(const struct ks_kin *kin, struct relative *head, struct ks_buf *out)
{
    struct ks_causes causes;
    ks_rc rc = ks_buf_append_str(out, ks_buf_str(&head->facts));

    causes_gather(head, &causes);
    if (kin->form == KS_KIN_JSON) {
        if (!rc && !head->is_error)
            rc = ks_explain_append_json_causes(out, &causes);
        return rc ? rc : json_children(out, head);
    }
    if (!rc)
        rc = ks_explain_append_causes(out, &causes);
    return rc ? rc : text_children(out, head);
}

ks_rc ks_kin_next(struct ks_kin *kin, struct ks_buf *out)
{
    struct relative *head = kin->at;

    while (head && head->parent)
        head = head->next;
    if (!head)
        return KS_RC_NOTFOUND;
    kin->at = head->next;
    return tell(kin, head, out);
}
