/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server says of an object, explained as `kstatus compute --explain` explains what it finds
 * in a file.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_TOLD_H
#define KS_CLIENT_CLI_TOLD_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "status/status.h"

#include "client/cli/targets.h"

/* A paragraph of lines that fit in 80 columns, words permitting, and an empty line. */
KS_MUST_USE ks_rc ks_told_append_text(struct ks_buf *out, const Kstatus__V1__ResourceStatus *status,
                                      ks_profile profile, const struct ks_targets *targets);
/* The same as one line of JSON. */
KS_MUST_USE ks_rc ks_told_append_json(struct ks_buf *out, const Kstatus__V1__ResourceStatus *status,
                                      ks_profile profile, const struct ks_targets *targets);

/* A target that cannot be read; nothing when it can. */
KS_MUST_USE ks_rc ks_told_append_trouble_text(struct ks_buf *out,
                                              const Kstatus__V1__TargetChange *change,
                                              const struct ks_targets *targets);
KS_MUST_USE ks_rc ks_told_append_trouble_json(struct ks_buf *out,
                                              const Kstatus__V1__TargetChange *change,
                                              const struct ks_targets *targets);

#endif
