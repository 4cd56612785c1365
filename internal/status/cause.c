/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded, sorted set of causes and its texts.
 *
 * The texts of one cause stand together in the set's text (a block): taking a cause out moves what
 * stands behind its block down, so that there are no holes and nothing to collect.
 *
 * Invariants:
 *   1. items are sorted by whether they are past, then by code, source, container and message, and
 * no two are the same;
 *   2. blocks cover text[0, text_len) without holes; a cause's group begins its block, its message
 * ends it;
 *   3. what tells less never costs anything that tells more its place or its text.
 *
 * Thread: the set's.  It does not: know where causes come from.
 */
#include "status/cause.h"

#include <assert.h>

#include "base/alloc.h"

#define NAME_MAX_BYTES 253
/* So long before its end, at most, a container is seen to fail. */
#define END_LEAD_MS 300000
/* Five names and a message. */
#define BLOCK_MAX (5 * NAME_MAX_BYTES + KS_CAUSE_MESSAGE_MAX)

static const struct {
    const char *text;
    const char *suggestion;
} rows[KS_CAUSE_COUNT] = {
#define X(code, suggestion) {#code, suggestion},
    KS_CAUSES(X)
#undef X
};

const char *ks_cause_code_text(ks_cause_code code)
{
    assert(code < KS_CAUSE_COUNT);
    return rows[code].text;
}

const char *ks_cause_suggestion(ks_cause_code code)
{
    assert(code < KS_CAUSE_COUNT);
    return rows[code].suggestion;
}

/* The six texts of a cause, in the order of a block. */
#define TEXT_COUNT 6
static struct ks_str *text_at(struct ks_cause *c, size_t at)
{
    struct ks_str *const texts[TEXT_COUNT] = {&c->source.group, &c->source.kind, &c->source.ns,
                                              &c->source.name,  &c->container,   &c->message};

    return texts[at];
}

static size_t block_len(const struct ks_cause *c)
{
    return c->source.group.len + c->source.kind.len + c->source.ns.len + c->source.name.len +
           c->container.len + c->message.len;
}

/* Copies the texts to out, which has room, and points the cause there. */
static void move_texts(struct ks_cause *c, char *out)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        struct ks_str *s = text_at(c, i);

        if (s->len)
            memcpy(out, s->ptr, s->len);
        s->ptr = out;
        out += s->len;
    }
}

/* Length of the well-formed character at the front; 0: there is none. */
static size_t character_len(struct ks_str s)
{
    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        if (ks_str_is_utf8(ks_str_sub(s, 0, len)))
            return len;
    }
    return 0;
}

/* Control characters, line separators, and marks that turn the direction of text. */
static bool is_unfit(struct ks_str c)
{
    const unsigned char *p = (const unsigned char *)c.ptr;

    if (c.len == 1)
        return p[0] < 0x20 || p[0] == 0x7f;
    if (c.len == 2)
        return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
    if (c.len != 3 || p[0] != 0xe2)
        return false;
    if (p[1] == 0x80)
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

/* Writes the text with every run of blanks and unfit characters as one blank, none at the ends. */
static struct ks_str clean(char *out, size_t max, struct ks_str text)
{
    bool is_blank = false;
    size_t used = 0;

    while (text.len > 0) {
        size_t len = character_len(text);
        struct ks_str c = len ? ks_str_sub(text, 0, len) : KS_LIT("\xef\xbf\xbd");

        text = ks_str_sub(text, len ? len : 1, text.len);
        if (is_unfit(c) || c.ptr[0] == ' ') {
            is_blank = used > 0;
            continue;
        }
        if (used + is_blank + c.len > max)
            break;
        if (is_blank)
            out[used++] = ' ';
        memcpy(out + used, c.ptr, c.len);
        used += c.len;
        is_blank = false;
    }
    return ks_str_make(out, used);
}

void ks_causes_init(struct ks_causes *c)
{
    c->count = 0;
    c->text_len = 0;
}

static int cmp_cause(const struct ks_cause *a, const struct ks_cause *b)
{
    const struct {
        struct ks_str a;
        struct ks_str b;
    } pairs[] = {
        {a->source.kind, b->source.kind}, {a->source.group, b->source.group},
        {a->source.ns, b->source.ns},     {a->source.name, b->source.name},
        {a->container, b->container},     {a->message, b->message},
    };

    if (a->is_past != b->is_past)
        return a->is_past ? 1 : -1;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    for (size_t i = 0; i < KS_ARRAY_LEN(pairs); i++) {
        int order = ks_str_cmp(pairs[i].a, pairs[i].b);

        if (order != 0)
            return order;
    }
    return 0;
}

static bool is_same(const struct ks_cause *a, const struct ks_cause *b)
{
    if (a->code != b->code || !ks_str_eq(a->container, b->container) ||
        !ks_str_eq(a->source.kind, b->source.kind) ||
        !ks_str_eq(a->source.group, b->source.group) || !ks_str_eq(a->source.ns, b->source.ns))
        return false;
    return ks_str_eq(a->message, b->message) ||
           (a->container.len > 0 && ks_str_eq(a->source.name, b->source.name));
}

/* Whether a tells more of the same cause than b. */
static bool tells_more(const struct ks_cause *a, const struct ks_cause *b)
{
    if (a->has_exit != b->has_exit)
        return a->has_exit;
    if (a->message.len != b->message.len)
        return a->message.len > b->message.len;
    return ks_str_cmp(a->message, b->message) < 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a ? a : b;
    return a < b ? a : b;
}

/* Makes *into both; its views stay those of the two. */
static void fold(struct ks_cause *into, const struct ks_cause *other)
{
    struct ks_cause sum = tells_more(into, other) ? *into : *other;

    if (into->restart_count > sum.restart_count)
        sum.restart_count = into->restart_count;
    if (other->restart_count > sum.restart_count)
        sum.restart_count = other->restart_count;
    sum.source =
        ks_str_cmp(into->source.name, other->source.name) <= 0 ? into->source : other->source;
    sum.count = into->count > UINT32_MAX - other->count ? UINT32_MAX : into->count + other->count;
    sum.first_seen_ms = earlier(into->first_seen_ms, other->first_seen_ms);
    sum.last_seen_ms =
        into->last_seen_ms > other->last_seen_ms ? into->last_seen_ms : other->last_seen_ms;
    sum.is_event = into->is_event && other->is_event;
    sum.is_past = into->is_past && other->is_past;
    *into = sum;
}

static void take_out(struct ks_causes *c, size_t at)
{
    const char *block = c->items[at].source.group.ptr;
    size_t start = (size_t)(block - c->text);
    size_t len = block_len(&c->items[at]);

    memmove(c->text + start, c->text + start + len, c->text_len - start - len);
    c->text_len -= len;
    memmove(&c->items[at], &c->items[at + 1], (c->count - at - 1) * sizeof(c->items[0]));
    c->count--;
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].source.group.ptr <= block)
            continue;
        for (size_t t = 0; t < TEXT_COUNT; t++)
            text_at(&c->items[i], t)->ptr -= len;
    }
}

/* Makes room for the cause, whose message may be cut for it; false when there is none. */
static bool make_room(struct ks_causes *c, struct ks_cause *cause)
{
    size_t names = block_len(cause) - cause->message.len;
    size_t room;

    while (c->count > 0 &&
           (c->count == KS_CAUSES_MAX || block_len(cause) > KS_CAUSES_TEXT_MAX - c->text_len)) {
        if (cmp_cause(&c->items[c->count - 1], cause) < 0)
            break;
        take_out(c, c->count - 1);
    }
    room = KS_CAUSES_TEXT_MAX - c->text_len;
    if (c->count == KS_CAUSES_MAX || names > room)
        return false;
    cause->message = ks_str_cut_utf8(cause->message, room - names);
    return true;
}

/* The cause's texts are not the set's. */
static void put_in(struct ks_causes *c, struct ks_cause *cause)
{
    size_t at = 0;

    if (!make_room(c, cause))
        return;
    while (at < c->count && cmp_cause(&c->items[at], cause) < 0)
        at++;
    memmove(&c->items[at + 1], &c->items[at], (c->count - at) * sizeof(c->items[0]));
    c->items[at] = *cause;
    move_texts(&c->items[at], c->text + c->text_len);
    c->text_len += block_len(cause);
    c->count++;
}

void ks_causes_add(struct ks_causes *c, const struct ks_cause *cause)
{
    struct ks_cause fit = *cause;
    char fit_text[BLOCK_MAX];
    char sum_text[BLOCK_MAX];
    size_t used = 0;

    assert(cause->code < KS_CAUSE_COUNT);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        struct ks_str *s = text_at(&fit, i);

        *s =
            clean(fit_text + used, i == TEXT_COUNT - 1 ? KS_CAUSE_MESSAGE_MAX : NAME_MAX_BYTES, *s);
        used += s->len;
    }
    if (fit.count == 0)
        fit.count = 1;
    for (size_t i = 0; i < c->count; i++) {
        if (!is_same(&c->items[i], &fit))
            continue;
        fold(&fit, &c->items[i]);
        move_texts(&fit, sum_text);
        take_out(c, i);
        break;
    }
    put_in(c, &fit);
}

void ks_causes_merge(struct ks_causes *into, const struct ks_cause *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ks_causes_add(into, &items[i]);
}

/* Whether the container, or all that the Event is about, shows the cause. */
static bool is_about(const struct ks_cause *shown, const struct ks_cause *event)
{
    return !shown->is_event && ks_str_eq(shown->source.kind, event->source.kind) &&
           ks_str_eq(shown->source.group, event->source.group) &&
           ks_str_eq(shown->source.ns, event->source.ns) &&
           (!shown->container.len || !event->container.len ||
            ks_str_eq(shown->container, event->container));
}

/* What ends a container is seen before that. */
static int64_t lead_ms(ks_cause_code code)
{
    switch ((int)code) {
    case KS_CAUSE_OUT_OF_MEMORY:
    case KS_CAUSE_LIVENESS_PROBE_FAILED:
    case KS_CAUSE_STARTUP_PROBE_FAILED:
    case KS_CAUSE_HOOK_FAILED:
        return END_LEAD_MS;
    default:
        return 0;
    }
}

static bool is_past(const struct ks_causes *shown, const struct ks_cause *event)
{
    int64_t since_ms = 0;

    for (size_t i = 0; i < shown->count; i++) {
        const struct ks_cause *c = &shown->items[i];
        int64_t at_ms = c->last_seen_ms ? c->last_seen_ms : c->first_seen_ms;

        if (at_ms > since_ms && is_about(c, event))
            since_ms = at_ms;
    }
    return event->last_seen_ms && event->last_seen_ms + lead_ms(event->code) < since_ms;
}

void ks_causes_merge_events(struct ks_causes *into, const struct ks_cause *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ks_cause event = items[i];

        event.is_past = is_past(into, &event);
        ks_causes_add(into, &event);
    }
}

bool ks_causes_equal(const struct ks_cause *a, size_t a_count, const struct ks_cause *b,
                     size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        if (cmp_cause(&a[i], &b[i]) != 0 || a[i].has_exit != b[i].has_exit ||
            (a[i].has_exit && a[i].exit_code != b[i].exit_code) ||
            a[i].restart_count != b[i].restart_count)
            return false;
    }
    return true;
}

size_t ks_causes_size(const struct ks_cause *items, size_t count)
{
    size_t size = count * sizeof(items[0]);

    for (size_t i = 0; i < count; i++)
        size += block_len(&items[i]);
    return size;
}

struct ks_cause *ks_causes_place(void *block, const struct ks_cause *items, size_t count)
{
    struct ks_cause *copies = block;
    char *text = (char *)(copies + count);

    for (size_t i = 0; i < count; i++) {
        copies[i] = items[i];
        move_texts(&copies[i], text);
        text += block_len(&items[i]);
    }
    return copies;
}

struct ks_cause_list *ks_cause_list_dup(const struct ks_cause *items, size_t count)
{
    struct ks_cause_list *list = ks_alloc0(sizeof(*list) + ks_causes_size(items, count));

    assert(count <= KS_CAUSES_MAX);
    if (!list)
        return NULL;
    list->count = count;
    (void)ks_causes_place(list->items, items, count); /* where they are */
    return list;
}
