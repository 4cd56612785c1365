/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain is a short list, sorted. The tree is made while it is printed: a place (an object, or a
 * container in it) is told where its first cause stands, with all the causes that it has.
 *
 * Invariant: texts of the cluster pass through text.c, but for ks_chain_append_brief, whose text
 * goes on to a table or a line that does so.
 *
 * Thread: any. Does not decide what is a cause, or which tells most.
 */
#include "client/cli/chain.h"

#include <inttypes.h>
#include <string.h>

#include "base/rfc3339.h"

#include "client/cli/judge.h"
#include "client/cli/paragraph.h"

#define STEP 2 /* columns of a level of the tree */

void ks_chain_from_causes(struct ks_chain *out, const struct ks_causes *causes)
{
    out->count = 0;
    for (size_t i = 0; i < causes->count && i < KS_CHAIN_MAX; i++) {
        const struct ks_cause *c = &causes->items[i];

        out->links[out->count++] = (struct ks_chain_link){
            .code = ks_str_from(ks_cause_code_text(c->code)),
            .message = c->message,
            .kind = c->source.kind,
            .name = c->source.name,
            .container = c->container,
            .suggestion = ks_str_from(ks_cause_suggestion(c->code)),
            .has_exit = c->has_exit,
            .exit_code = c->exit_code,
            .restart_count = c->restart_count,
            .count = c->count,
            .last_seen_ms = c->last_seen_ms,
        };
    }
}

static struct ks_chain_link link_of(const Kstatus__V1__Cause *c)
{
    return (struct ks_chain_link){
        .code = ks_str_from(c->code),
        .message = ks_str_from(c->message),
        .kind = ks_str_from(c->source ? c->source->kind : ""),
        .name = ks_str_from(c->source ? c->source->name : ""),
        .container = ks_str_from(c->container),
        .suggestion = ks_str_from(c->suggestion),
        .has_exit = c->exit_case == KSTATUS__V1__CAUSE__EXIT_EXIT_CODE,
        .exit_code = c->exit_case == KSTATUS__V1__CAUSE__EXIT_EXIT_CODE ? c->exit_code : 0,
        .restart_count = c->restart_count,
        .count = c->count,
        .last_seen_ms = c->last_seen_time ? c->last_seen_time->seconds * 1000 : 0,
    };
}

void ks_chain_from_status(struct ks_chain *out, const Kstatus__V1__ResourceStatus *status)
{
    out->count = 0;
    for (size_t i = 0; i < status->n_causes && i < KS_CHAIN_MAX; i++)
        out->links[out->count++] = link_of(status->causes[i]);
}

static bool is_same_object(const struct ks_chain_link *a, const struct ks_chain_link *b)
{
    return ks_str_eq(a->kind, b->kind) && ks_str_eq(a->name, b->name);
}

static bool is_same_container(const struct ks_chain_link *a, const struct ks_chain_link *b)
{
    return is_same_object(a, b) && ks_str_eq(a->container, b->container);
}

typedef bool (*same_fn)(const struct ks_chain_link *a, const struct ks_chain_link *b);

static bool is_first(const struct ks_chain *chain, size_t index, same_fn is_same)
{
    for (size_t i = 0; i < index; i++) {
        if (is_same(&chain->links[i], &chain->links[index]))
            return false;
    }
    return true;
}

static ks_rc append_at(struct ks_buf *out, struct ks_str text, size_t column)
{
    ks_rc rc = ks_paragraph_append_blanks(out, column);

    return rc ? rc : ks_paragraph_append_wrapped(out, text, column);
}

static const struct ks_str arrow = {"-> ", 3};

/* The code, how it ended, how often. */
static ks_rc link_head(struct ks_buf *text, const struct ks_chain_link *link)
{
    char time[KS_RFC3339_MAX];
    ks_rc rc = ks_buf_append_str(text, link->code);

    if (!rc && link->has_exit)
        rc = ks_buf_appendf(text, ", exit code %" PRId32, link->exit_code);
    if (!rc && link->restart_count > 0)
        rc = ks_buf_appendf(text, ", %" PRIu32 " restart%s", link->restart_count,
                            link->restart_count == 1 ? "" : "s");
    if (!rc && link->count > 1)
        rc = ks_buf_appendf(text, ", seen %" PRIu32 " times", link->count);
    if (!rc && link->last_seen_ms > 0)
        rc = ks_buf_appendf(text, ", last at %s", ks_rfc3339_format(link->last_seen_ms, time));
    return rc;
}

static ks_rc append_link(struct ks_buf *out, const struct ks_chain_link *link, size_t column)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_rc rc = link_head(&text, link);

    if (!rc)
        rc = append_at(out, ks_buf_str(&text), column);
    if (!rc && link->message.len > 0)
        rc = append_at(out, link->message, column + STEP);
    if (rc || link->suggestion.len == 0)
        return rc;
    rc = ks_paragraph_append_blanks(out, column + STEP);
    if (!rc)
        rc = ks_buf_append_str(out, arrow);
    return rc ? rc : ks_paragraph_append_wrapped(out, link->suggestion, column + STEP + arrow.len);
}

/* The causes of one container, or of the object as a whole. */
static ks_rc append_container(struct ks_buf *out, const struct ks_chain *chain, size_t first,
                              size_t column)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    const struct ks_chain_link *head = &chain->links[first];
    ks_rc rc = KS_RC_OK;

    if (head->container.len > 0) {
        rc = ks_buf_append_str(&text, KS_LIT("container "));
        if (!rc)
            rc = ks_buf_append_str(&text, head->container);
        if (!rc)
            rc = append_at(out, ks_buf_str(&text), column);
        column += STEP;
    }
    for (size_t i = first; !rc && i < chain->count; i++) {
        if (is_same_container(&chain->links[i], head))
            rc = append_link(out, &chain->links[i], column);
    }
    return rc;
}

static ks_rc append_object(struct ks_buf *out, const struct ks_chain *chain, size_t first)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    const struct ks_chain_link *head = &chain->links[first];
    size_t column = KS_PARAGRAPH_INDENT;
    ks_rc rc = KS_RC_OK;

    if (head->name.len > 0) {
        rc = ks_buf_append_str(&text, head->kind);
        if (!rc)
            rc = ks_buf_append_byte(&text, '/');
        if (!rc)
            rc = ks_buf_append_str(&text, head->name);
        if (!rc)
            rc = append_at(out, ks_buf_str(&text), column);
        column += STEP;
    }
    for (size_t i = first; !rc && i < chain->count; i++) {
        if (is_same_object(&chain->links[i], head) && is_first(chain, i, is_same_container))
            rc = append_container(out, chain, i, column);
    }
    return rc;
}

ks_rc ks_chain_append_text(struct ks_buf *out, const struct ks_chain *chain)
{
    size_t part = out->len;
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; !rc && i < chain->count; i++) {
        if (is_first(chain, i, is_same_object))
            rc = append_object(out, chain, i);
    }
    if (!rc)
        ks_paragraph_set_label(out, part, "causes");
    return rc;
}

static ks_rc json_numbers(struct ks_buf *out, const struct ks_chain_link *link)
{
    char time[KS_RFC3339_MAX];
    ks_rc rc = KS_RC_OK;

    if (link->has_exit)
        rc = ks_buf_appendf(out, ",\"exitCode\":%" PRId32, link->exit_code);
    if (!rc && link->restart_count > 0)
        rc = ks_buf_appendf(out, ",\"restartCount\":%" PRIu32, link->restart_count);
    if (!rc && link->count > 0)
        rc = ks_buf_appendf(out, ",\"count\":%" PRIu32, link->count);
    if (!rc && link->last_seen_ms > 0)
        rc = ks_judge_append_member(out, "lastSeenTime",
                                    ks_str_from(ks_rfc3339_format(link->last_seen_ms, time)));
    return rc;
}

static ks_rc json_link(struct ks_buf *out, const struct ks_chain_link *link)
{
    ks_rc rc = ks_buf_append_byte(out, '{');

    if (!rc)
        rc = ks_judge_append_member(out, "code", link->code);
    if (!rc)
        rc = ks_judge_append_member(out, "message", link->message);
    if (!rc && link->name.len > 0) {
        rc = ks_judge_append_member(out, "sourceKind", link->kind);
        if (!rc)
            rc = ks_judge_append_member(out, "sourceName", link->name);
    }
    if (!rc && link->container.len > 0)
        rc = ks_judge_append_member(out, "container", link->container);
    if (!rc)
        rc = json_numbers(out, link);
    if (!rc)
        rc = ks_judge_append_member(out, "suggestion", link->suggestion);
    return rc ? rc : ks_buf_append_byte(out, '}');
}

ks_rc ks_chain_append_json(struct ks_buf *out, const struct ks_chain *chain)
{
    ks_rc rc = ks_judge_append_key(out, "causes");

    if (!rc)
        rc = ks_buf_append_byte(out, '[');
    for (size_t i = 0; !rc && i < chain->count; i++) {
        if (i > 0)
            rc = ks_buf_append_byte(out, ',');
        if (!rc)
            rc = json_link(out, &chain->links[i]);
    }
    return rc ? rc : ks_buf_append_byte(out, ']');
}

/* Codes that only tell what is waited for; a verdict's own message says that better. */
static bool is_waiting(struct ks_str code)
{
    static const ks_cause_code waits[] = {KS_CAUSE_DELETION_PENDING,   KS_CAUSE_CONDITION_NOT_MET,
                                          KS_CAUSE_CONTAINER_STARTING, KS_CAUSE_CONTAINER_NOT_READY,
                                          KS_CAUSE_NOT_FINISHED,       KS_CAUSE_REPLICAS_NOT_READY};

    for (size_t i = 0; i < KS_ARRAY_LEN(waits); i++) {
        if (ks_str_is(code, ks_cause_code_text(waits[i])))
            return true;
    }
    return false;
}

static bool is_broken(const Kstatus__V1__ResourceStatus *status)
{
    if (status->n_causes == 0)
        return false;
    switch (status->status) {
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_FAILED:
        return true;
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_IN_PROGRESS:
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_TERMINATING:
        return !is_waiting(ks_str_from(status->causes[0]->code));
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNSPECIFIED:
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_CURRENT:
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_NOT_FOUND:
    case KSTATUS__V1__RECONCILE_STATUS__RECONCILE_STATUS_UNKNOWN:
    case _KSTATUS__V1__RECONCILE_STATUS_IS_INT_SIZE:
    default:
        return false;
    }
}

/* An object's own cause needs no name: it stands beside it. */
static bool is_own(const Kstatus__V1__ResourceStatus *status, const struct ks_chain_link *link)
{
    return !status->object || (ks_str_is(link->kind, status->object->kind) &&
                               ks_str_is(link->name, status->object->name));
}

ks_rc ks_chain_append_brief(struct ks_buf *out, const Kstatus__V1__ResourceStatus *status)
{
    struct ks_chain_link link;
    ks_rc rc;

    if (!is_broken(status))
        return KS_RC_OK;
    link = link_of(status->causes[0]);
    rc = ks_buf_append_str(out, link.code);
    if (!rc && link.name.len > 0 && !is_own(status, &link))
        rc = ks_buf_appendf(out, " at %.*s/%.*s", KS_STR_ARGS(link.kind), KS_STR_ARGS(link.name));
    if (!rc && link.container.len > 0)
        rc = ks_buf_appendf(out, ", container %.*s", KS_STR_ARGS(link.container));
    if (!rc && link.message.len > 0)
        rc = ks_buf_append_str(out, KS_LIT(": "));
    return rc ? rc : ks_buf_append_str(out, link.message);
}
