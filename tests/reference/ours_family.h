/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our verdicts on a family (family.h), tied as the watcher ties it: by the controller's UID.
 *
 * Thread: one at a time.  Owns: a parser for each object.  Limits: FAMILY_MAX objects.
 */
#ifndef KS_TESTS_REFERENCE_OURS_FAMILY_H
#define KS_TESTS_REFERENCE_OURS_FAMILY_H

#include "base/str.h"

struct family_judge;

KS_MUST_USE ks_rc family_judge_new(struct family_judge **out, struct ks_error *err);
struct family_judge *family_judge_free(struct family_judge *judge);
/* Appends a status for each object, in their order, tab-separated: "Failed/2" where two members
 * have made it so, "error" where there is no verdict, "unreadable" for what is no JSON, "-" for who
 * does not belong to the first. */
KS_MUST_USE ks_rc family_judge_line(struct family_judge *judge, int64_t now_ms, struct ks_str line,
                                    struct ks_buf *out);

#endif
