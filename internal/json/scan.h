/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/json: proves that a text is one JSON document within its limits, without
 * allocating.
 *
 * Thread: any.  Owns: nothing; borrows the level stack.  Limits: those it is given.
 */
#ifndef KS_JSON_SCAN_H
#define KS_JSON_SCAN_H

#include "json/json.h"

/* Maps and lists that are large and not deep inside: few lookups ever look into them. */
#define KS_JSON_PARTS_MAX 64
#define KS_JSON_PART_DEPTH 3
#define KS_JSON_PART_MIN_BYTES 192

struct ks_json_part {
    size_t start;       /* of its opening bracket */
    size_t end;         /* behind its closing one */
    size_t token_count; /* the bracket pair's own and all inside */
    bool has_odd_text;  /* an escape or a byte above 0x7f in it, the parts within it left out */
};

struct ks_json_scan {
    const struct ks_json_limits *limits;
    unsigned char *levels; /* scratch, limits->max_depth bytes */
    /* Results. */
    struct ks_json_part parts[KS_JSON_PARTS_MAX]; /* by start; one may lie within another */
    size_t part_count;
    size_t token_count; /* exactly what jsmn will make of the text */
    bool has_odd_text;  /* as a part's: outside all parts */
};

/* KS_RC_PARSE or KS_RC_LIMIT. The top-level value must be a map or a list: nothing else is ever
 * sent to us. */
KS_MUST_USE ks_rc ks_json_scan_run(struct ks_json_scan *scan, struct ks_str text,
                                   struct ks_error *err);

#endif
