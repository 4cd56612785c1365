/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session that the test plays: it stands in for watcher/session.h at link time.
 *
 * Thread: the test's.  Limits: one session at a time, 16 objects.
 */
#ifndef KS_TESTS_UNIT_BRIDGE_FAKE_SESSION_H
#define KS_TESTS_UNIT_BRIDGE_FAKE_SESSION_H

#include <stdbool.h>

#include "watcher/session.h"

bool fake_session_is_open(void);
/* NULL: the next session can be made; else it is refused with this message. */
void fake_session_refuse(const char *message);
void fake_update(unsigned object, const char *message);
/* For so many targets: 1, 2, ... */
void fake_update_of(unsigned object, size_t target_count, const char *message);
void fake_forget(unsigned object);
void fake_removed(unsigned object);
void fake_target_change(uint32_t id);
void fake_target_synced(uint32_t id);
void fake_synced(void);
void fake_outcome(ks_outcome_verdict verdict);
void fake_failed(ks_rc rc, const char *message);

#endif
