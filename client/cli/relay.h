/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands a watch's responses from the client's thread to a thread that waits in poll(), one at a
 * time: the client's thread stands still until a response was used, so a slow user is felt by the
 * server and not by memory.
 *
 * Thread: as each function says.  Owns: its event descriptor.  Limits: one response.
 */
#ifndef KS_CLIENT_CLI_RELAY_H
#define KS_CLIENT_CLI_RELAY_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

#include "kstatus.h"

struct ks_relay;

KS_MUST_USE struct ks_relay *ks_relay_new(struct ks_error *err);
/* After the watch has been freed. NULL is allowed. */
struct ks_relay *ks_relay_free(struct ks_relay *relay);

/* For kstatus_watch_open; the context is the relay. */
extern const struct kstatus_watch_callbacks ks_relay_callbacks;

/* The same for kstatus_follow_open. */
struct kstatus_follow_callbacks ks_relay_following(bool gives_up);

/* Readable when there is something to take. */
int ks_relay_fd(const struct ks_relay *relay);
/* The response that waits, lent until ks_relay_done; NULL when none does. */
const Kstatus__V1__WatchResponse *ks_relay_take(struct ks_relay *relay);
void ks_relay_done(struct ks_relay *relay);
/* Whether the stream has ended, and how. */
KS_MUST_USE bool ks_relay_end(struct ks_relay *relay, struct kstatus_error *out);
/* What has become of the stream, of one that is followed. */
struct ks_relay_loss {
    bool is_lost; /* and tried again */
    struct kstatus_error why;
};
/* Whether that has changed since the last call. */
bool ks_relay_take_loss(struct ks_relay *relay, struct ks_relay_loss *out);
/* Nothing is taken any more: lets the client's thread go, so that the watch can be freed. */
void ks_relay_close(struct ks_relay *relay);

#endif
