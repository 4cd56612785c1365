/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a run tied together by controller owner reference, for `kstatus compute
 * --children`: who has no owner among them is explained, with the causes of those below it and
 * their tree.
 *
 * Thread: main.  Owns: what it needs of each object (texts and causes, not the object).  Limits:
 * KS_KIN_MAX objects; ties beyond KS_KIN_DEPTH_MAX levels, and circles, are cut.
 */
#ifndef KS_CLIENT_CLI_KIN_H
#define KS_CLIENT_CLI_KIN_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "status/status.h"

#include "client/cli/judge.h"

#define KS_KIN_MAX 100000
#define KS_KIN_DEPTH_MAX 8

typedef enum { KS_KIN_TEXT, KS_KIN_JSON } ks_kin_form;

struct ks_kin;

KS_MUST_USE struct ks_kin *ks_kin_new(ks_kin_form form, ks_profile profile);
struct ks_kin *ks_kin_free(struct ks_kin *kin);

/* After ks_judge, while the object is there. */
KS_MUST_USE ks_rc ks_kin_add(struct ks_kin *kin, const struct ks_subject *subject,
                             const struct ks_judgement *judgement);
/* Once, when all were added. */
void ks_kin_tie(struct ks_kin *kin);
/* Appends the next family, in the order of their heads. KS_RC_NOTFOUND: there is none left. */
KS_MUST_USE ks_rc ks_kin_next(struct ks_kin *kin, struct ks_buf *out);

#endif
