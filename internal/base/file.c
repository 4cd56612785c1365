/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files through plain system calls. A file that grows while it is read is read up to the
 * ceiling, never beyond.
 *
 * Thread: any.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static ks_rc rc_of_errno(int errnum)
{
    if (errnum == ENOENT || errnum == ENOTDIR)
        return KS_RC_NOTFOUND;
    if (errnum == EACCES || errnum == EPERM)
        return KS_RC_DENIED;
    return KS_RC_IO;
}

static void fd_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* read side, or already flushed: nothing left to lose */
}

ks_rc ks_file_read(const char *path, struct ks_buf *out, struct ks_error *err)
{
    KS_CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char chunk[4096];
    ks_rc rc;

    if (fd < 0)
        return ks_fail_errno(err, rc_of_errno(errno), errno, "cannot read %s", path);
    ks_buf_clear(out);
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ks_fail_errno(err, rc_of_errno(errno), errno, "cannot read %s", path);
        if (n == 0)
            return KS_RC_OK;
        rc = ks_buf_append(out, chunk, (size_t)n);
        if (rc == KS_RC_LIMIT)
            return ks_fail(err, rc, "%s is larger than %zu bytes", path, out->max_bytes);
        if (rc)
            return ks_fail(err, rc, "cannot read %s: out of memory", path);
    }
}

static ks_rc write_all(int fd, struct ks_str data)
{
    while (data.len) {
        ssize_t n = write(fd, data.ptr, data.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return KS_RC_IO;
        data = ks_str_sub(data, (size_t)n, data.len);
    }
    return KS_RC_OK;
}

ks_rc ks_file_write(const char *path, struct ks_str data, struct ks_error *err)
{
    KS_CLEANUP(fd_closep) int fd = -1;
    KS_CLEANUP(ks_freep) char *temp = NULL;
    struct ks_buf name;

    ks_buf_init(&name, 4096);
    if (ks_buf_appendf(&name, "%s.XXXXXX", path))
        return ks_fail(err, KS_RC_LIMIT, "cannot write %s: the path is too long", path);
    temp = ks_buf_take(&name);
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return ks_fail_errno(err, rc_of_errno(errno), errno, "cannot write %s", path);
    if (write_all(fd, data) || rename(temp, path)) {
        int saved = errno;

        (void)unlink(temp); /* best effort: the write has failed already */
        return ks_fail_errno(err, rc_of_errno(saved), saved, "cannot write %s", path);
    }
    return KS_RC_OK;
}
