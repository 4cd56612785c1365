/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes are rare and long, so they are no part of what each update has on its stack: they go into
 * a block of their own, of just the size. Their texts are clean already (status/cause.h).
 *
 * Thread: any.  It does not: pack.
 */
#include "bridge/encode_cause.h"

#include <string.h>

#include "base/alloc.h"

void ks_encode_time(Google__Protobuf__Timestamp *time, int64_t wall_ms)
{
    int64_t rest_ms = wall_ms % 1000;

    google__protobuf__timestamp__init(time);
    time->seconds = wall_ms / 1000;
    if (rest_ms < 0) {
        rest_ms += 1000;
        time->seconds--;
    }
    time->nanos = (int32_t)(rest_ms * 1000000);
}

static size_t text_size(const struct ks_cause *c)
{
    const struct ks_cause_source *s = &c->source;

    return c->message.len + c->container.len + s->group.len + s->kind.len + s->ns.len +
           s->name.len + 6; /* a NUL each */
}

static char *put_text(struct ks_cause_block *block, struct ks_str text)
{
    char *out = block->at;

    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    block->at += text.len + 1;
    return out;
}

/* protobuf-c knows no const; it only reads. */
static char *put_static(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void put_source(struct ks_cause_block *block, size_t i, const struct ks_cause_source *from)
{
    Kstatus__V1__ObjectRef *to = &block->sources[i];

    kstatus__v1__object_ref__init(to);
    to->group = put_text(block, from->group);
    to->kind = put_text(block, from->kind);
    to->namespace_ = put_text(block, from->ns);
    to->name = put_text(block, from->name);
    block->items[i].source = to;
}

static void put_cause(struct ks_cause_block *block, size_t i, const struct ks_cause *from)
{
    Kstatus__V1__Cause *to = &block->items[i];

    kstatus__v1__cause__init(to);
    to->code = put_static(ks_cause_code_text(from->code));
    to->suggestion = put_static(ks_cause_suggestion(from->code));
    to->message = put_text(block, from->message);
    to->container = put_text(block, from->container);
    put_source(block, i, &from->source);
    to->restart_count = from->restart_count;
    to->count = from->count;
    if (from->has_exit) {
        to->exit_case = KSTATUS__V1__CAUSE__EXIT_EXIT_CODE;
        to->exit_code = from->exit_code;
    }
    if (from->first_seen_ms) {
        to->first_seen_time = &block->times[2 * i];
        ks_encode_time(to->first_seen_time, from->first_seen_ms);
    }
    if (from->last_seen_ms) {
        to->last_seen_time = &block->times[2 * i + 1];
        ks_encode_time(to->last_seen_time, from->last_seen_ms);
    }
    block->list[i] = to;
}

struct ks_cause_block *ks_cause_block_new(const struct ks_cause *causes, size_t count)
{
    struct ks_cause_block *block;
    size_t size = 0;

    if (count > KS_CAUSES_MAX)
        count = KS_CAUSES_MAX;
    for (size_t i = 0; i < count; i++)
        size += text_size(&causes[i]);
    block = ks_alloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->count = count;
    block->at = block->text;
    for (size_t i = 0; i < count; i++)
        put_cause(block, i, &causes[i]);
    return block;
}
