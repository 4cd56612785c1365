/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the body of a Kubernetes LIST while it arrives: one item at a time is the most that is
 * held.
 *
 * Built-in lists have kind, apiVersion and metadata before items, custom resources' lists have
 * metadata after them; both orders work. Elements of "items" are handed out as raw text, in order;
 * what stands outside items is kept (it is small) and can be asked for at the end.
 *
 * Thread: one at a time.  Owns: the item in hand.  Limits: max_item_bytes for an item, 64 KiB for
 * what is outside items, 512 levels. An item over the limit is skipped and counted, not fatal; its
 * beginning can be had, to tell whose it was.
 *
 * An answer is whole only when ks_json_items_is_closed() says so: libcurl 7.88.1 reports some
 * truncated HTTP/2 bodies as success (shared/spec: informers 0.3).
 */
#ifndef KS_JSON_ITEMS_H
#define KS_JSON_ITEMS_H

#include "base/str.h"

struct ks_json_items;

/* text is lent for the call. A result other than OK stops the splitter and is returned by the feed
 * call. */
typedef ks_rc (*ks_json_item_fn)(void *ctx, struct ks_str text);

KS_MUST_USE ks_rc ks_json_items_new(size_t max_item_bytes, ks_json_item_fn on_item, void *ctx,
                                    struct ks_json_items **out, struct ks_error *err);
struct ks_json_items *ks_json_items_free(struct ks_json_items *s);
/* on_skipped gets the first max_item_bytes of each item over the limit, in its place among the
 * items; same ctx, same rules. */
void ks_json_items_set_on_skipped(struct ks_json_items *s, ks_json_item_fn on_skipped);
/* Takes the next bytes, cut anywhere. KS_RC_PARSE for what cannot become a JSON object. */
KS_MUST_USE ks_rc ks_json_items_feed(struct ks_json_items *s, struct ks_str bytes,
                                     struct ks_error *err);
/* Whether the top-level object has closed (and nothing but white space followed). */
bool ks_json_items_is_closed(const struct ks_json_items *s);
/* The document without the content of items, as JSON text ("items":[] in its place): for kind,
 * metadata.* and Status bodies. Valid until the next call. Only after closing. */
struct ks_str ks_json_items_envelope(const struct ks_json_items *s);
/* Whether the document has an "items" member that is a list or null. */
bool ks_json_items_has_items(const struct ks_json_items *s);
size_t ks_json_items_skipped(const struct ks_json_items *s);

#endif
