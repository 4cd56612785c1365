/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as Kubernetes writes them. The parser accepts what Go's time.Parse(time.RFC3339) accepts: a
 * comma as fraction mark, a one-digit hour, any fraction of at least one digit, offsets up to
 * 24:60; and refuses lower-case t and z, second 60, hour 24 and offsets without a colon (spec:
 * Go 1.26, package time).
 *
 * Thread: any.
 */
#ifndef KS_BASE_RFC3339_H
#define KS_BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Milliseconds of Go's zero time, 0001-01-01T00:00:00Z: what an absent creationTimestamp counts as.
 */
#define KS_TIME_GO_ZERO_MS (-62135596800000)

/* Unix time in milliseconds (fractions cut); false when Go would refuse the text. */
bool ks_rfc3339_parse(struct ks_str text, int64_t *out_wall_ms);
/* The first millisecond that is not before the time: a clock of milliseconds is before the time
 * exactly when it is before that. */
bool ks_rfc3339_parse_up(struct ks_str text, int64_t *out_wall_ms);

#define KS_RFC3339_MAX 32
/* "2026-11-24T13:46:51.123Z", without the fraction when it is zero; NUL-terminated. Returns out. */
char *ks_rfc3339_format(int64_t wall_ms, char out[KS_RFC3339_MAX]);

#endif
