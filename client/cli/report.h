/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program says: answers on standard output, complaints on standard error.
 *
 * Thread: main.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_REPORT_H
#define KS_CLIENT_CLI_REPORT_H

#include <stdbool.h>

#include "base/base.h"
#include "base/str.h"

/* Exit codes: scripts rely on them. */
enum {
    KS_EXIT_OK = 0,
    KS_EXIT_BAD = 1,   /* the answer is bad: some object Failed, or the command's own list */
    KS_EXIT_USAGE = 2, /* the command line or the request is wrong */
    KS_EXIT_TIME = 3,  /* what was waited for did not come in time */
    KS_EXIT_LOST = 4,  /* the server cannot be reached, or the stream was lost */
};

/* Writes all of it, now. False, after a complaint, when that fails. */
KS_MUST_USE bool ks_report_write(struct ks_str text);
/* "kstatus: TEXT", made safe for terminals. */
void ks_report_complain(const char *fmt, ...) KS_PRINTF(1, 2);

#endif
