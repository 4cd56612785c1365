/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as lines. The column of the status is aligned, the rest is not: a line is written before
 * the next one is known.
 *
 * Invariant: every text from the cluster passes through text.c, so an event is one line and nothing
 * else.
 *
 * Thread: any.
 */
#include "client/cli/lines.h"

#include <string.h>

#include "base/map.h"
#include "base/rfc3339.h"

#include "client/cli/chain.h"
#include "client/cli/rows.h"
#include "client/cli/text.h"

/* The server cuts texts long before. */
#define LINE_MAX_BYTES (1u << 20)

static ks_rc append_safe(struct ks_buf *out, struct ks_str text)
{
    return ks_text_append(out, text, KS_TEXT_UTF8);
}

ks_rc ks_line_append_name(struct ks_buf *out, const struct ks_line *line)
{
    ks_rc rc = append_safe(out, line->kind);

    if (!rc)
        rc = ks_buf_append_byte(out, '/');
    if (!rc)
        rc = append_safe(out, line->name);
    if (!rc && line->ns.len > 0)
        rc = ks_buf_append_str(out, KS_LIT(" -n "));
    return rc ? rc : append_safe(out, line->ns);
}

static ks_rc append_why(struct ks_buf *out, const struct ks_line *line)
{
    ks_rc rc = KS_RC_OK;

    if (line->reason.len > 0 || line->message.len > 0)
        rc = ks_buf_append_byte(out, ' ');
    if (!rc && line->reason.len > 0) {
        rc = ks_buf_append_str(out, KS_LIT(" ["));
        if (!rc)
            rc = append_safe(out, line->reason);
        if (!rc)
            rc = ks_buf_append_byte(out, ']');
    }
    if (!rc && line->message.len > 0)
        rc = ks_buf_append_byte(out, ' ');
    return rc ? rc : append_safe(out, line->message);
}

/* Without '\n'. */
static ks_rc line_append_open(struct ks_buf *out, const struct ks_line *line)
{
    ks_rc rc = ks_buf_appendf(out, "%-11s  ", ks_status_text(line->status));

    if (!rc)
        rc = ks_line_append_name(out, line);
    return rc ? rc : append_why(out, line);
}

ks_rc ks_line_append(struct ks_buf *out, const struct ks_line *line)
{
    ks_rc rc = line_append_open(out, line);

    return rc ? rc : ks_buf_append_byte(out, '\n');
}

struct ks_line ks_line_of(const Kstatus__V1__ResourceStatus *s, const struct ks_targets *targets)
{
    int number = (int)s->status;
    struct ks_line line = {
        .status = number > 0 && number < KS_STATUS_COUNT ? (ks_status)number : KS_STATUS_UNKNOWN,
        .reason = ks_str_from(s->reason),
        .message = ks_str_from(s->message),
    };

    if (s->object) {
        line.kind = ks_str_from(s->object->kind);
        line.ns = ks_str_from(s->object->namespace_);
        line.name = ks_str_from(s->object->name);
    }
    if (line.kind.len == 0 && s->n_target_ids > 0) {
        struct ks_str label = ks_str_from(ks_targets_label(targets, s->target_ids[0]));
        ptrdiff_t slash = ks_str_chr(label, '/');

        line.kind = ks_str_sub(label, 0, slash < 0 ? label.len : (size_t)slash);
    }
    if (line.message.len == 0 && s->error)
        line.message = ks_str_from(s->error->message);
    return line;
}

static ks_rc append_update(struct ks_buf *out, const Kstatus__V1__ResourceStatus *s,
                           const struct ks_targets *targets)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf cause = KS_BUF(LINE_MAX_BYTES);
    const struct ks_line line = ks_line_of(s, targets);
    ks_rc rc = ks_chain_append_brief(&cause, s);

    if (!rc)
        rc = line_append_open(out, &line);
    if (!rc && cause.len > 0)
        rc = ks_buf_append_str(out, KS_LIT(" <- "));
    if (!rc)
        rc = append_safe(out, ks_buf_str(&cause));
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc append_target(struct ks_buf *out, const Kstatus__V1__TargetChange *change,
                           const struct ks_targets *targets)
{
    const char *trouble = ks_trouble_text(change->state);
    const char *message = change->cause ? change->cause->message : "";
    ks_rc rc = ks_buf_appendf(out, "%-11s  ", "target");

    if (!rc)
        rc = append_safe(out, ks_str_from(ks_targets_label(targets, change->target_id)));
    if (!rc)
        rc = ks_buf_appendf(out, ": %s", trouble ? trouble : "answers again");
    if (!rc && message[0])
        rc = ks_buf_append_str(out, KS_LIT(": "));
    if (!rc)
        rc = append_safe(out, ks_str_from(message));
    return rc ? rc : ks_buf_append_byte(out, '\n');
}

static ks_rc append_removed(struct ks_buf *out, const Kstatus__V1__Removed *removed)
{
    const Kstatus__V1__ObjectRef *o = removed->object;
    struct ks_line line = {.kind = ks_str_from(o ? o->kind : ""),
                           .ns = ks_str_from(o ? o->namespace_ : ""),
                           .name = ks_str_from(o ? o->name : "")};
    ks_rc rc = ks_buf_appendf(out, "%-11s  ", "removed");

    if (!rc)
        rc = ks_line_append_name(out, &line);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("  no longer selected\n"));
}

static ks_rc append_synced(struct ks_buf *out, const Kstatus__V1__Synced *synced)
{
    const Kstatus__V1__Counts *c = synced->counts;

    if (!c)
        return ks_buf_appendf(out, "%-11s\n", "synced");
    return ks_buf_appendf(out,
                          "%-11s  %u Failed, %u Unknown, %u InProgress, %u Terminating, "
                          "%u NotFound, %u Current\n",
                          "synced", c->failed, c->unknown, c->in_progress, c->terminating,
                          c->not_found, c->current);
}

static ks_rc append_event(struct ks_buf *out, const Kstatus__V1__Event *event,
                          const struct ks_targets *targets)
{
    switch (event->event_case) {
    case KSTATUS__V1__EVENT__EVENT_UPDATE:
        return append_update(out, event->update, targets);
    case KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE:
        return append_target(out, event->target_change, targets);
    case KSTATUS__V1__EVENT__EVENT_REMOVED:
        return append_removed(out, event->removed);
    case KSTATUS__V1__EVENT__EVENT_SYNCED:
        return append_synced(out, event->synced);
    case KSTATUS__V1__EVENT__EVENT_DRAINING:
        return ks_buf_append_str(out, KS_LIT("draining     the server is shutting down\n"));
    case KSTATUS__V1__EVENT__EVENT_ACCEPTED:
    case KSTATUS__V1__EVENT__EVENT_HEARTBEAT:
    case KSTATUS__V1__EVENT__EVENT_OUTCOME:
    case KSTATUS__V1__EVENT__EVENT__NOT_SET:
    case _KSTATUS__V1__EVENT__EVENT__CASE_IS_INT_SIZE:
    default:
        return KS_RC_OK;
    }
}

/* A target is news when it has trouble, or had some and has none now. */
static bool target_is_news(struct ks_lines *lines, const Kstatus__V1__TargetChange *change)
{
    bool is_troubled = ks_trouble_text(change->state) != NULL;
    bool *was_troubled;
    bool is_news;

    if (change->target_id < 1 || change->target_id > lines->targets->count)
        return false;
    was_troubled = &lines->is_troubled[change->target_id - 1];
    if (change->state == KSTATUS__V1__TARGET_CHANGE__STATE__STATE_LISTING)
        return false;
    is_news = is_troubled || *was_troubled;
    *was_troubled = is_troubled;
    return is_news;
}

static uint64_t hash_of(const char *text)
{
    return ks_hash(text, strlen(text));
}

static bool is_said_again(struct ks_lines *lines, const Kstatus__V1__ObjectRef *object,
                          struct ks_str text)
{
    uint64_t id =
        hash_of(object->kind) + 3 * hash_of(object->namespace_) + 5 * hash_of(object->name);
    uint64_t hash = ks_hash(text.ptr, text.len);
    size_t place = (size_t)(id % KS_LINES_REMEMBERED);
    bool is_again = lines->said[place].object == id && lines->said[place].text == hash;

    lines->said[place].object = id;
    lines->said[place].text = hash;
    return is_again;
}

ks_rc ks_lines_append_event(struct ks_lines *lines, const Kstatus__V1__Event *event,
                            int64_t wall_ms, struct ks_buf *out)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf line = KS_BUF(LINE_MAX_BYTES);
    char time[KS_RFC3339_MAX];
    ks_rc rc;

    if (event->event_case == KSTATUS__V1__EVENT__EVENT_TARGET_CHANGE &&
        !target_is_news(lines, event->target_change))
        return KS_RC_OK;
    rc = append_event(&line, event, lines->targets);
    if (rc || line.len == 0)
        return rc;
    if (event->event_case == KSTATUS__V1__EVENT__EVENT_UPDATE && event->update->object &&
        is_said_again(lines, event->update->object, ks_buf_str(&line)))
        return KS_RC_OK;
    rc = ks_buf_appendf(out, "%s  ", ks_rfc3339_format(wall_ms - wall_ms % 1000, time));
    return rc ? rc : ks_buf_append_str(out, ks_buf_str(&line));
}
