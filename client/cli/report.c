/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output is written at once and whole: what is printed is there for whoever reads the
 * pipe.
 *
 * Thread: main.
 */
#include "client/cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

#include "client/cli/text.h"

#define COMPLAINT_MAX_BYTES 8192

bool ks_report_write(struct ks_str text)
{
    while (text.len > 0) {
        ssize_t n = write(STDOUT_FILENO, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            struct ks_error err = {0};

            (void)ks_fail_errno(&err, KS_RC_IO, errno, "standard output"); /* only records */
            ks_report_complain("%s", err.msg);
            return false;
        }
        text = ks_str_sub(text, (size_t)n, text.len);
    }
    return true;
}

void ks_report_complain(const char *fmt, ...)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf safe = KS_BUF(COMPLAINT_MAX_BYTES);
    char text[2048];
    va_list args;
    ks_rc rc;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* may be cut */
    va_end(args);
    rc = ks_text_append(&safe, ks_str_from(text), KS_TEXT_UTF8);
    fprintf(stderr, "kstatus: %s\n", rc ? "out of memory" : safe.data);
}
