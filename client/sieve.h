/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user of several streams, one after the other, has been told; and of the next stream's
 * events those that are news to him.
 *
 * A stream begins with a snapshot. Of the first one all is news. Of a later one: an object whose
 * status is as it was told is not; one that differs is, with the status that was told as the
 * previous one; and one that is not in it, though its targets are read, is told as Removed: whether
 * it was deleted or has left its selector nobody saw.
 *
 * Thread: one at a time.  Owns: a copy of each object's last status.  Limits: KS_SIEVE_OBJECTS_MAX
 * objects.
 */
#ifndef KS_CLIENT_SIEVE_H
#define KS_CLIENT_SIEVE_H

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/error.h"

#define KS_SIEVE_OBJECTS_MAX ((size_t)1 << 20)

struct ks_sieve;

/* Draining is no news to a user whose stream goes on. */
typedef enum { KS_SIEVE_DROPS_DRAINING, KS_SIEVE_TELLS_DRAINING } ks_sieve_draining;

/* NULL when out of memory. */
struct ks_sieve *ks_sieve_new(ks_sieve_draining draining);
struct ks_sieve *ks_sieve_free(struct ks_sieve *sieve);

/* What comes from here on is of another stream. */
void ks_sieve_restart(struct ks_sieve *sieve);

/* A response of which only the news is left, lent until the next call; n_events may be 0.
 * KS_RC_NOMEM, KS_RC_LIMIT: the sieve is spoilt. */
KS_MUST_USE ks_rc ks_sieve_pass(struct ks_sieve *sieve, const Kstatus__V1__WatchResponse *response,
                                Kstatus__V1__WatchResponse *out);

#endif
