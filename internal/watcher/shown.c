/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States as values: made from a verdict, compared, copied into one block.
 *
 * A condition mostly repeats the verdict's reason and message, and its type and status are always
 * the same few words: a copy shares the former with the verdict's and points to static text for the
 * latter. So a copy costs the struct and two or three strings.
 *
 * Thread: any.  It does not: know when a state was seen, or of what.
 */
#include "watcher/shown.h"

#include "base/alloc.h"

#define MESSAGE_MAX 4096
#define WORD_MAX 1024

void ks_shown_from_verdict(const struct ks_verdict *v, ks_rc rc, const struct ks_error *err,
                           struct ks_shown *out)
{
    *out = (struct ks_shown){
        .status = v->status,
        .basis = v->basis,
        .has_condition = v->has_condition,
        .has_generation = v->has_generation,
        .has_observed_generation = v->has_observed_generation,
        .has_progress = v->has_progress,
        .desired_count = v->desired_count,
        .ready_count = v->ready_count,
        .generation = v->generation,
        .observed_generation = v->observed_generation,
        .reason = ks_str_cut_utf8(v->reason, WORD_MAX),
        .message = ks_str_cut_utf8(v->message, MESSAGE_MAX),
    };
    if (v->has_condition)
        out->condition = (struct ks_condition){
            .type = ks_str_cut_utf8(v->condition.type, WORD_MAX),
            .status = ks_str_cut_utf8(v->condition.status, WORD_MAX),
            .reason = ks_str_cut_utf8(v->condition.reason, WORD_MAX),
            .message = ks_str_cut_utf8(v->condition.message, MESSAGE_MAX),
        };
    if (!rc && v->status == KS_STATUS_UNKNOWN) { /* profile strict found that out by a rule */
        out->error_rc = KS_RC_INVALID;
        out->error_message = out->message;
    }
    if (!rc)
        return;
    out->status = KS_STATUS_UNKNOWN;
    out->reason = KS_LIT("NotComputable");
    out->message = ks_str_from(err->msg);
    out->error_rc = rc;
    out->error_message = ks_str_from(err->msg);
}

struct ks_shown ks_shown_not_found(struct ks_str reason, struct ks_str message)
{
    return (struct ks_shown){
        .status = KS_STATUS_NOT_FOUND,
        .basis = KS_BASIS_KIND_RULE,
        .reason = reason,
        .message = message,
    };
}

struct ks_shown ks_shown_unknown(struct ks_str reason, ks_rc error_rc, struct ks_str message)
{
    return (struct ks_shown){
        .status = KS_STATUS_UNKNOWN,
        .error_rc = error_rc,
        .reason = reason,
        .message = message,
        .error_message = message,
    };
}

static bool condition_equal(const struct ks_condition *a, const struct ks_condition *b)
{
    return ks_str_eq(a->type, b->type) && ks_str_eq(a->status, b->status) &&
           ks_str_eq(a->reason, b->reason) && ks_str_eq(a->message, b->message);
}

static bool decision_equal(const struct ks_decision_view *a, const struct ks_decision_view *b)
{
    if (!a || !b)
        return a == b;
    return ks_str_eq(a->field, b->field) && ks_str_eq(a->value, b->value) &&
           ks_str_eq(a->comparison, b->comparison) && ks_str_eq(a->other_field, b->other_field) &&
           ks_str_eq(a->other_value, b->other_value);
}

/* What an absent member holds is nobody's business: the makers leave it zero. */
bool ks_shown_equal(const struct ks_shown *a, const struct ks_shown *b)
{
    return a->status == b->status && a->basis == b->basis && a->error_rc == b->error_rc &&
           a->has_condition == b->has_condition && a->has_generation == b->has_generation &&
           a->has_observed_generation == b->has_observed_generation &&
           a->has_progress == b->has_progress && a->desired_count == b->desired_count &&
           a->ready_count == b->ready_count && a->generation == b->generation &&
           a->observed_generation == b->observed_generation && ks_str_eq(a->reason, b->reason) &&
           ks_str_eq(a->message, b->message) && ks_str_eq(a->error_message, b->error_message) &&
           condition_equal(&a->condition, &b->condition) &&
           ks_causes_equal(a->causes, a->cause_count, b->causes, b->cause_count) &&
           decision_equal(a->decision, b->decision);
}

/* The static text that equals s, or nothing. */
static struct ks_str find_static(struct ks_str s)
{
    static const char *const words[] = {"Reconciling", "Stalled", "True"};

    for (size_t i = 0; i < KS_ARRAY_LEN(words); i++) {
        if (ks_str_is(s, words[i]))
            return ks_str_from(words[i]);
    }
    return (struct ks_str){0};
}

/* Moves a view into the block; what equals an earlier string, or a static one, takes no room. */
struct placer {
    char *at;
    struct ks_str earlier[2];
};

static size_t room_of(struct ks_str s, const struct ks_str earlier[2])
{
    if (ks_str_eq(s, earlier[0]) || ks_str_eq(s, earlier[1]) || find_static(s).len)
        return 0;
    return s.len;
}

static struct ks_str place(struct placer *p, struct ks_str s)
{
    struct ks_str known = find_static(s);
    char *at = p->at;

    if (known.len)
        return known;
    for (size_t i = 0; i < KS_ARRAY_LEN(p->earlier); i++) {
        if (ks_str_eq(s, p->earlier[i]))
            return p->earlier[i];
    }
    if (s.len)
        memcpy(at, s.ptr, s.len);
    p->at += s.len;
    return ks_str_make(at, s.len);
}

/* Such that causes may follow. */
static size_t decision_size(const struct ks_decision_view *d)
{
    const size_t unit = _Alignof(struct ks_cause);
    size_t size;

    if (!d)
        return 0;
    size = sizeof(*d) + d->field.len + d->value.len + d->comparison.len + d->other_field.len +
           d->other_value.len;
    return (size + unit - 1) / unit * unit;
}

static struct ks_str copy_text(char **at, struct ks_str text)
{
    struct ks_str copy = ks_str_make(*at, text.len);

    if (text.len)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

/* Into room of decision_size. */
static const struct ks_decision_view *place_decision(void *room, const struct ks_decision_view *d)
{
    struct ks_decision_view *copy = room;
    char *at = (char *)(copy + 1);

    copy->field = copy_text(&at, d->field);
    copy->value = copy_text(&at, d->value);
    copy->comparison = copy_text(&at, d->comparison);
    copy->other_field = copy_text(&at, d->other_field);
    copy->other_value = copy_text(&at, d->other_value);
    return copy;
}

struct ks_shown *ks_shown_dup(const struct ks_shown *s)
{
    const struct ks_str earlier[2] = {s->reason, s->message};
    size_t causes_size = ks_causes_size(s->causes, s->cause_count);
    size_t decided_size = decision_size(s->decision);
    struct placer p = {0};
    struct ks_shown *copy;
    size_t size = s->reason.len + s->message.len + room_of(s->error_message, earlier) +
                  room_of(s->condition.type, earlier) + room_of(s->condition.status, earlier) +
                  room_of(s->condition.reason, earlier) + room_of(s->condition.message, earlier);

    copy = ks_alloc(sizeof(*copy) + decided_size + causes_size + size);
    if (!copy)
        return NULL;
    *copy = *s;
    p.at = (char *)(copy + 1);
    copy->decision = s->decision ? place_decision(p.at, s->decision) : NULL;
    p.at += decided_size;
    copy->causes = causes_size ? ks_causes_place(p.at, s->causes, s->cause_count) : NULL;
    p.at += causes_size;
    copy->reason = place(&p, s->reason);
    p.earlier[0] = copy->reason;
    copy->message = place(&p, s->message);
    p.earlier[1] = copy->message;
    copy->error_message = place(&p, s->error_message);
    copy->condition.type = place(&p, s->condition.type);
    copy->condition.status = place(&p, s->condition.status);
    copy->condition.reason = place(&p, s->condition.reason);
    copy->condition.message = place(&p, s->condition.message);
    return copy;
}
