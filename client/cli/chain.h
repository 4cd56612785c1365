/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of causes behind a verdict, wherever it was read: in a file by ourselves, or by a
 * server, which may know codes that we do not.
 *
 * As a tree it is: objects, their containers, the causes of each with what usually mends them. The
 * first object is the one with the most telling cause, and so on down.
 *
 * Thread: any.  Owns: nothing; a chain holds views into what it was made from.  Limits:
 * KS_CHAIN_MAX causes, which is more than a server sends; the first ones stay.
 */
#ifndef KS_CLIENT_CLI_CHAIN_H
#define KS_CLIENT_CLI_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "status/cause.h"

#define KS_CHAIN_MAX 16

struct ks_chain_link {
    struct ks_str code;
    struct ks_str message;
    struct ks_str kind; /* of the object that shows it; with its name */
    struct ks_str name;
    struct ks_str container; /* empty: the object as a whole */
    struct ks_str suggestion;
    bool has_exit;
    int32_t exit_code;
    uint32_t restart_count;
    uint32_t count;       /* how often it was seen; 0: not told */
    int64_t last_seen_ms; /* wall time; 0: not known */
};

struct ks_chain {
    struct ks_chain_link links[KS_CHAIN_MAX]; /* most telling first */
    size_t count;
};

void ks_chain_from_causes(struct ks_chain *out, const struct ks_causes *causes);
void ks_chain_from_status(struct ks_chain *out, const Kstatus__V1__ResourceStatus *status);

/* The paragraph "causes", as a tree; nothing for an empty chain. */
KS_MUST_USE ks_rc ks_chain_append_text(struct ks_buf *out, const struct ks_chain *chain);
/* The member "causes" of a JSON object that is open in out. */
KS_MUST_USE ks_rc ks_chain_append_json(struct ks_buf *out, const struct ks_chain *chain);

/*
 * The first cause of a broken object in a few words: "CRASH_LOOP at Pod/web-0, container app:
 * message". Raw text of the cluster: not yet safe. Nothing for an object that is not broken: one
 * that has no causes, or only waits for what is under way.
 */
KS_MUST_USE ks_rc ks_chain_append_brief(struct ks_buf *out,
                                        const Kstatus__V1__ResourceStatus *status);

#endif
