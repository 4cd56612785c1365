/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/json: the text between a JSON string's quotes, and the text it stands for.
 *
 * Decoding follows Go's encoding/json: a lone surrogate escape and each byte that is no UTF-8
 * become U+FFFD. The raw text must have passed the scan (escapes well-formed).
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_JSON_TEXT_H
#define KS_JSON_TEXT_H

#include "base/str.h"

/* Whether the raw text stands for itself. */
bool ks_json_text_is_plain(struct ks_str raw);
/* Bytes that decoding gives. */
size_t ks_json_text_measure(struct ks_str raw);
/* Writes exactly ks_json_text_measure(raw) bytes. */
void ks_json_text_decode(struct ks_str raw, char *out);
/* Whether the decoded text equals other; allocates nothing. */
bool ks_json_text_equals(struct ks_str raw, struct ks_str other);

#endif
