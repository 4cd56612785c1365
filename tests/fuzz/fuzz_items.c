/* SPDX-License-Identifier: Apache-2.0 */
/* layer: json */
/*
 * The list splitter on any bytes.
 *
 * Property: however the bytes are cut, the outcome, the items and the envelope are the same. The
 * first byte of the input picks how they are cut.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "json/items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    ks_rc rc;
    bool is_closed;
    bool has_items;
    size_t skipped;
    size_t count;
    struct ks_buf items;
    struct ks_buf envelope;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static ks_rc on_item(void *ctx, struct ks_str text)
{
    struct outcome *o = ctx;

    o->count++;
    require(text.len <= 64);
    require(ks_buf_append_str(&o->items, text) == KS_RC_OK);
    return ks_buf_append_byte(&o->items, '\n');
}

static ks_rc on_skipped(void *ctx, struct ks_str head)
{
    require(head.len <= 64);
    return on_item(ctx, head);
}

static void split(struct ks_str text, size_t piece, struct outcome *o)
{
    struct ks_error err = {0};
    struct ks_json_items *s;

    *o = (struct outcome){0};
    ks_buf_init(&o->items, 16u << 20);
    ks_buf_init(&o->envelope, 1u << 20);
    require(ks_json_items_new(64, on_item, o, &s, &err) == KS_RC_OK);
    ks_json_items_set_on_skipped(s, on_skipped);
    for (size_t at = 0; at < text.len && !o->rc; at += piece) {
        struct ks_str part = ks_str_sub(text, at, piece);
        /* Each piece in an allocation of its own, so that nothing can be read beyond it or after
         * it. */
        char *copy = ks_memdup0(part.ptr, part.len);

        require(copy != NULL);
        o->rc = ks_json_items_feed(s, ks_str_make(copy, part.len), &err);
        ks_free(copy);
    }
    o->is_closed = ks_json_items_is_closed(s);
    o->has_items = ks_json_items_has_items(s);
    o->skipped = ks_json_items_skipped(s);
    require(ks_buf_append_str(&o->envelope, ks_json_items_envelope(s)) == KS_RC_OK);
    ks_json_items_free(s);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    require(a->rc == b->rc && a->is_closed == b->is_closed);
    require(a->count == b->count);
    require(ks_str_eq(ks_buf_str(&a->items), ks_buf_str(&b->items)));
    if (a->rc) /* what had been taken in of the item and the envelope in hand is nobody's business
                  then */
        return;
    require(a->has_items == b->has_items && a->skipped == b->skipped);
    require(ks_str_eq(ks_buf_str(&a->envelope), ks_buf_str(&b->envelope)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole;
    struct outcome cut;
    struct ks_str text;

    if (size < 2)
        return 0;
    text = ks_str_make((const char *)data + 1, size - 1);
    split(text, text.len, &whole);
    split(text, 1 + data[0] % 37, &cut);
    compare(&whole, &cut);
    ks_buf_fini(&whole.items);
    ks_buf_fini(&whole.envelope);
    ks_buf_fini(&cut.items);
    ks_buf_fini(&cut.envelope);
    return 0;
}
