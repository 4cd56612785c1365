/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcomes of several calls are one: lost if one is lost, else timed out if one is, else
 * reached. What is in the way of any is in the way of all.
 *
 * Thread: one at a time. Does not: rank what is in the way; the server has.
 */
#include "client/cli/ending.h"

#include "base/alloc.h"

#include "client/cli/chain.h"
#include "client/cli/json_out.h"
#include "client/cli/lines.h"
#include "client/cli/merge.h"
#include "client/cli/paragraph.h"
#include "client/cli/report.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/pb_alloc.h"

static const Kstatus__V1__Outcome__Verdict reached = KSTATUS__V1__OUTCOME__VERDICT__VERDICT_REACHED;
static const Kstatus__V1__Outcome__Verdict lost = KSTATUS__V1__OUTCOME__VERDICT__VERDICT_FAILED;

static Kstatus__V1__Outcome__Verdict join(Kstatus__V1__Outcome__Verdict a,
                                          Kstatus__V1__Outcome__Verdict b)
{
    if (a == lost || b == lost)
        return lost;
    return a == reached ? b : a;
}

ks_rc ks_ending_add(struct ks_ending *e, const Kstatus__V1__Outcome *lent)
{
    Kstatus__V1__Outcome *outcome;

    if (e->count == KS_CALLS_MAX)
        return KS_RC_LIMIT;
    outcome = (Kstatus__V1__Outcome *)(void *)ks_pb_copy(&lent->base);
    if (!outcome)
        return KS_RC_NOMEM;
    e->copies[e->count] = outcome;
    if (e->count++ == 0) {
        kstatus__v1__outcome__init(&e->outcome);
        kstatus__v1__counts__init(&e->counts);
        e->verdict = outcome->verdict;
    }
    e->verdict = join(e->verdict, outcome->verdict);
    ks_counts_add(&e->counts, outcome->counts);
    e->outcome.blocking_count += outcome->blocking_count;
    for (size_t i = 0; i < outcome->n_blocking && e->outcome.n_blocking < KS_ARRAY_LEN(e->blocking);
         i++)
        e->blocking[e->outcome.n_blocking++] = outcome->blocking[i];
    return KS_RC_OK;
}

void ks_ending_fini(struct ks_ending *e)
{
    while (e->count > 0)
        kstatus__v1__outcome__free_unpacked(e->copies[--e->count], &ks_pb_allocator);
}

int ks_ending_code(const struct ks_ending *e)
{
    if (e->verdict == reached)
        return KS_EXIT_OK;
    return e->verdict == lost ? KS_EXIT_BAD : KS_EXIT_TIME;
}

const char *ks_ending_goal_text(ks_wait_goal goal)
{
    switch (goal) {
    case KS_WAIT_FOR_NOT_FOUND:
        return "all are gone";
    case KS_WAIT_FOR_TERMINAL:
        return "all are Current or Failed";
    case KS_WAIT_FOR_CURRENT:
        break;
    }
    return "all are Current";
}

static ks_rc append_count(struct ks_buf *out, const char *separator, uint32_t n, const char *what)
{
    return n ? ks_buf_appendf(out, "%s%u %s", separator, n, what) : KS_RC_OK;
}

/* "3 objects: 1 Failed, 2 Current" */
static ks_rc append_counts(struct ks_buf *out, const Kstatus__V1__Counts *c)
{
    const struct {
        uint32_t n;
        const char *what;
    } parts[] = {{c->failed, "Failed"},           {c->unknown, "Unknown"},
                 {c->not_found, "NotFound"},      {c->in_progress, "InProgress"},
                 {c->terminating, "Terminating"}, {c->current, "Current"}};
    const char *separator = ": ";
    uint32_t total = 0;
    ks_rc rc;

    for (size_t i = 0; i < KS_ARRAY_LEN(parts); i++)
        total += parts[i].n;
    rc = ks_buf_appendf(out, "%u object%s", total, total == 1 ? "" : "s");
    for (size_t i = 0; !rc && i < KS_ARRAY_LEN(parts); i++) {
        rc = append_count(out, separator, parts[i].n, parts[i].what);
        if (parts[i].n)
            separator = ", ";
    }
    return rc;
}

static ks_rc append_verdict(struct ks_buf *out, const struct ks_ending *e,
                            const struct ks_options *options, int64_t took_ms)
{
    const char *goal = ks_ending_goal_text(options->wait_goal);
    char took[KS_AGE_MAX];
    ks_rc rc;

    (void)ks_age_format(took_ms, took); /* its result is took */
    if (e->verdict == reached)
        rc = ks_buf_appendf(out, "reached after %s: %s (", took, goal);
    else if (e->verdict == lost)
        rc = ks_buf_appendf(out, "given up after %s of waiting until %s (", took, goal);
    else
        rc = ks_buf_appendf(out, "timed out after %s of waiting until %s (", took, goal);
    if (!rc)
        rc = append_counts(out, &e->counts);
    return rc ? rc : ks_buf_append_str(out, KS_LIT(")\n"));
}

static ks_rc append_obstacle(struct ks_buf *out, const Kstatus__V1__Obstacle *obstacle)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(KS_PARAGRAPH_MAX_BYTES);
    ks_rc rc = ks_buf_appendf(&text, "%s: %s", obstacle->code, obstacle->message);

    return rc ? rc : ks_paragraph_append(out, "in the way", ks_buf_str(&text));
}

/* A target that selects: it has no name. */
static ks_rc append_selection(struct ks_buf *out, const struct ks_line *line, const char *label)
{
    ks_rc rc = ks_buf_appendf(out, "%-11s  ", ks_status_text(line->status));

    if (!rc)
        rc = ks_text_append(out, ks_str_from(label), KS_TEXT_UTF8);
    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT("  ["));
    if (!rc)
        rc = ks_text_append(out, line->reason, KS_TEXT_UTF8);
    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT("] "));
    if (!rc)
        rc = ks_text_append(out, line->message, KS_TEXT_UTF8);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc append_blocking(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                             const struct ks_targets *targets)
{
    struct ks_line line = ks_line_of(s, targets);
    struct ks_chain chain;
    ks_rc rc;

    if (line.name.len == 0 && s->n_target_ids > 0)
        rc = append_selection(out, &line, ks_targets_label(targets, s->target_ids[0]));
    else
        rc = ks_line_append(out, &line);
    if (!rc && s->obstacle)
        rc = append_obstacle(out, s->obstacle);
    ks_chain_from_status(&chain, s);
    return rc ? rc : ks_chain_append_text(out, &chain);
}

ks_rc ks_ending_append_text(struct ks_buf *out, const struct ks_ending *e,
                            const struct ks_options *options, const struct ks_targets *targets,
                            int64_t took_ms)
{
    size_t more = e->outcome.blocking_count > e->outcome.n_blocking
                      ? e->outcome.blocking_count - e->outcome.n_blocking
                      : 0;
    ks_rc rc = append_verdict(out, e, options, took_ms);

    for (size_t i = 0; !rc && i < e->outcome.n_blocking; i++)
        rc = append_blocking(out, e->blocking[i], targets);
    if (!rc && more)
        rc = ks_buf_appendf(out, "and %zu more\n", more);
    return rc;
}

ks_rc ks_ending_append_json(struct ks_buf *out, struct ks_ending *e)
{
    ks_rc rc;

    e->outcome.verdict = e->verdict;
    e->outcome.counts = &e->counts;
    e->outcome.blocking = e->blocking;
    rc = ks_json_out_append(out, &e->outcome.base);
    return rc ? rc : ks_buf_append_byte(out, '\n');
}
