/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our verdicts on a family (family.h), tied as the watcher ties it: by the controller's UID. One
 * object is a family, too.
 *
 * Thread: one at a time.  Owns: a parser for each object.  Limits: FAMILY_MAX objects.
 */
#ifndef KS_TESTS_REFERENCE_OURS_FAMILY_H
#define KS_TESTS_REFERENCE_OURS_FAMILY_H

#include "status/status.h"
#include "family.h"

struct member {
    struct ks_json *json;
    bool is_readable;
    bool belongs;   /* to the first, as the reference sees it */
    int owner;      /* index, or -1: whom it may fail under the reference */
    int controller; /* index, or -1 */
    uint32_t failed;
    struct ks_status_kind kind;
    ks_rc rc;
    bool is_failed_by_members;
    struct ks_verdict verdict; /* of profile kstatus */
    struct ks_verdict strict;  /* profiles.c's */
};

struct family_judge {
    struct member members[FAMILY_MAX];
    int count;
};

KS_MUST_USE ks_rc family_judge_new(struct family_judge **out, struct ks_error *err);
struct family_judge *family_judge_free(struct family_judge *judge);
/* Appends a status for each object, in their order, tab-separated: "Failed/2" where two members
 * have made it so, "error" where there is no verdict, "unreadable" for what is no JSON, "-" for who
 * does not belong to the first. */
KS_MUST_USE ks_rc family_judge_line(struct family_judge *judge, int64_t now_ms, struct ks_str line,
                                    struct ks_buf *out);
/* The same without telling: the members of the line, judged. */
KS_MUST_USE ks_rc family_judge_read(struct family_judge *judge, int64_t now_ms, struct ks_str line);

struct ks_json_value family_root(const struct member *m);

struct family_times {
    int64_t now_ms;
    int64_t delay_ms; /* of the look under strict */
};

/* profiles.c: the line's objects under both profiles: for each that belongs group/kind, status and
 * ground under kstatus, status and reason under strict; percent-encoded, with tabs between,
 * FAMILY_SEPARATOR between objects. The ground is the reason, but Stalled for that condition,
 * whatever its reason, and OldPodsFailed where no Pod of the newest revision has. */
KS_MUST_USE ks_rc family_profiles_line(struct family_judge *judge, const struct family_times *times,
                                       struct ks_str line, struct ks_buf *out);

#endif
