/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory this process may use and does, and what follows from that.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_SERVER_MEMORY_H
#define KS_SERVER_MEMORY_H

#include <stdint.h>

#include "base/base.h"
#include "base/str.h"

typedef enum {
    KS_MEMORY_FINE,
    KS_MEMORY_SHORT, /* no new calls: from 80 % on, until below 75 % */
    KS_MEMORY_OUT,   /* the largest call is ended: from 90 % on */
} ks_memory_level;

/* What the system allows: the control group's limit (version 2 or 1), or else the machine's memory.
 * Never 0. */
int64_t ks_memory_allowed_bytes(void);
/* The same from files below root, for tests; cgroup is the text of /proc/self/cgroup. */
int64_t ks_memory_cgroup_bytes(const char *root, struct ks_str cgroup);
/* Resident memory; 0 when it cannot be read. */
int64_t ks_memory_used_bytes(void);
ks_memory_level ks_memory_judge(int64_t used_bytes, int64_t allowed_bytes, ks_memory_level was);

#endif
