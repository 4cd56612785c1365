/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small whole files: read with a ceiling, written atomically.
 *
 * Thread: any; blocks on disk.
 */
#ifndef KS_BASE_FILE_H
#define KS_BASE_FILE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* Replaces the buffer's content. KS_RC_NOTFOUND, KS_RC_DENIED, KS_RC_LIMIT (over the buffer's
 * ceiling), KS_RC_IO; the message names the path. */
KS_MUST_USE ks_rc ks_file_read(const char *path, struct ks_buf *out, struct ks_error *err);
/* Writes a temporary file beside it (mode 0600) and renames it over path. */
KS_MUST_USE ks_rc ks_file_write(const char *path, struct ks_str data, struct ks_error *err);

#endif
