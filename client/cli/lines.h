/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event, for logs and pipes:
 *
 *     2026-11-24T13:46:51Z  Failed       Deployment/web -n demo  [ProgressDeadlineExceeded] message
 *
 * Of a broken object the first cause follows: " <- IMAGE_NOT_FOUND at Pod/web-1, container app: …".
 *
 * Thread: one at a time.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_LINES_H
#define KS_CLIENT_CLI_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/str.h"
#include "status/status.h"

#include "client/cli/targets.h"

/* The part of a line that names an object and says how it is; without time, with '\n'. */
struct ks_line {
    ks_status status;
    struct ks_str kind;
    struct ks_str ns;
    struct ks_str name;
    struct ks_str reason;
    struct ks_str message;
};
KS_MUST_USE ks_rc ks_line_append(struct ks_buf *out, const struct ks_line *line);
/* "Deployment/web -n demo" */
KS_MUST_USE ks_rc ks_line_append_name(struct ks_buf *out, const struct ks_line *line);

/* Views into the status and the targets: these name the resource that was asked for, where the
 * server does not know the kind. */
struct ks_line ks_line_of(const Kstatus__V1__ResourceStatus *status,
                          const struct ks_targets *targets);

#define KS_LINES_REMEMBERED 1024

struct ks_lines {
    const struct ks_targets *targets;
    bool is_troubled[KS_TARGETS_MAX];
    /* What was said of an object last, as hashes, in the place that its name falls on: an object
     * that shares its place with another one may be said again. */
    struct {
        uint64_t object;
        uint64_t text;
    } said[KS_LINES_REMEMBERED];
};

/* Appends nothing for events that tell people nothing, as an update whose line would be the one
 * before of that object again (its ready count or generation changed, say). */
KS_MUST_USE ks_rc ks_lines_append_event(struct ks_lines *lines, const Kstatus__V1__Event *event,
                                        int64_t wall_ms, struct ks_buf *out);

#endif
