/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `kstatus compute` finds out about one object of a file, and how it prints it.
 *
 * Thread: main.  Owns: nothing; all is lent while the object is.
 */
#ifndef KS_CLIENT_CLI_JUDGE_H
#define KS_CLIENT_CLI_JUDGE_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "status/status.h"

#include "client/cli/manifest.h"

struct ks_subject {
    const struct ks_manifest_place *place;
    struct ks_json_value object; /* absent: it could not be read */
    int64_t now_ms;
};

struct ks_judgement {
    struct ks_verdict verdict; /* only when rc is OK */
    ks_rc rc;
    struct ks_error why;
};

/* Fills out; do not copy it. KS_RC_NOMEM is returned too, as it is no answer. */
KS_MUST_USE ks_rc ks_judge(const struct ks_subject *subject, ks_profile profile,
                           struct ks_judgement *out);
/* The kind as the rules take it: views into the place. */
struct ks_status_kind ks_judge_kind(const struct ks_manifest_place *place);

/* "Current      Pod/web -n shop  [Reason] message" */
KS_MUST_USE ks_rc ks_judge_append_line(struct ks_buf *out, const struct ks_subject *subject,
                                       const struct ks_judgement *judgement);
/* "Pod/web -n shop" */
KS_MUST_USE ks_rc ks_judge_append_name(struct ks_buf *out, const struct ks_subject *subject);

/* Members of a JSON object that is open in out; the comma before one is written when needed. */
KS_MUST_USE ks_rc ks_judge_append_key(struct ks_buf *out, const char *name);
KS_MUST_USE ks_rc ks_judge_append_member(struct ks_buf *out, const char *name, struct ks_str text);
/* apiVersion, kind, namespace, name; nothing for what could not be read. */
KS_MUST_USE ks_rc ks_judge_append_identity(struct ks_buf *out, const struct ks_subject *subject);
/* status, reason, message; or error. */
KS_MUST_USE ks_rc ks_judge_append_verdict(struct ks_buf *out, const struct ks_judgement *judgement);

#endif
