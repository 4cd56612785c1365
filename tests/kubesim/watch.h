/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WATCH.
 *
 * Thread: one.  Owns: its position in the table's history; its stream owns it.  Limits: nothing
 * queues for a watch; one that falls out of the history window is ended, as a slow consumer's is by
 * the real server.
 */
#ifndef KUBESIM_WATCH_H
#define KUBESIM_WATCH_H

#include <jansson.h>

#include "base/str.h"
#include "reply.h"

struct sim_table;

void sim_watch_start(struct sim_call *call);
/* Ends all watches of the table once they have sent what they have. */
void sim_watch_end_all(struct sim *sim, const struct sim_table *table);
/* Puts raw text into the streams of all watches whose path starts so; returns how many. */
size_t sim_watch_inject(struct sim *sim, struct ks_str path_prefix, struct ks_str text);
size_t sim_watch_count(const struct sim *sim);

#endif
