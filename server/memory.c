/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control group bounds its members together with all groups above it, so the smallest limit on
 * the way to the root counts. In a container the way is short: its own group is the root that it
 * sees.
 *
 * Thread: any.  Does not: act on what it finds (app.c does).
 */
#include "server/memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FINE_PERCENT 75
#define SHORT_PERCENT 80
#define OUT_PERCENT 90
#define PATH_MAX_BYTES 512

/* INT64_MAX: there is none. */
static int64_t limit_in(const char *root, const char *controller, struct ks_str group,
                        const char *name)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(64);
    char path[PATH_MAX_BYTES];
    struct ks_str rest;
    struct ks_str line;
    int64_t n;

    if (snprintf(path, sizeof(path), "%s%s%.*s/%s", root, controller, (int)group.len,
                 group.ptr ? group.ptr : "", name) >= (int)sizeof(path))
        return INT64_MAX;
    if (ks_file_read(path, &text, NULL))
        return INT64_MAX;
    rest = ks_buf_str(&text);
    /* "max", and in version 1 a number beyond any machine, stand for no limit */
    if (!ks_str_split(&rest, '\n', &line) || !ks_str_to_int64(line, &n) || n <= 0)
        return INT64_MAX;
    return n;
}

static int64_t limit_on_the_way(const char *root, const char *controller, struct ks_str group,
                                const char *name)
{
    int64_t least = INT64_MAX;

    for (;;) {
        int64_t n = limit_in(root, controller, group, name);
        size_t cut = group.len;

        least = n < least ? n : least;
        if (group.len == 0)
            return least;
        while (cut > 0 && group.ptr[cut - 1] != '/')
            cut--;
        group = ks_str_sub(group, 0, cut > 0 ? cut - 1 : 0);
    }
}

/* A line is "0::/path" in version 2, "9:memory:/path" in version 1. */
static int64_t limit_of_line(const char *root, struct ks_str line)
{
    struct ks_str number;
    struct ks_str controllers;

    if (!ks_str_split(&line, ':', &number) || !ks_str_split(&line, ':', &controllers))
        return INT64_MAX;
    if (ks_str_is(line, "/"))
        line = ks_str_sub(line, 0, 0);
    if (controllers.len == 0)
        return limit_on_the_way(root, "", line, "memory.max");
    if (ks_str_is(controllers, "memory"))
        return limit_on_the_way(root, "/memory", line, "memory.limit_in_bytes");
    return INT64_MAX;
}

int64_t ks_memory_cgroup_bytes(const char *root, struct ks_str cgroup)
{
    int64_t least = INT64_MAX;
    struct ks_str line;

    while (ks_str_split(&cgroup, '\n', &line)) {
        int64_t n = limit_of_line(root, line);

        least = n < least ? n : least;
    }
    return least;
}

int64_t ks_memory_allowed_bytes(void)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf cgroup = KS_BUF(16384);
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = INT64_MAX;

    if (ks_file_read("/proc/self/cgroup", &cgroup, NULL) == KS_RC_OK)
        group = ks_memory_cgroup_bytes("/sys/fs/cgroup", ks_buf_str(&cgroup));
    return group < machine ? group : machine;
}

int64_t ks_memory_used_bytes(void)
{
    KS_CLEANUP(ks_buf_fini) struct ks_buf text = KS_BUF(256);
    struct ks_str rest;
    struct ks_str part = {.ptr = NULL};
    int64_t pages = 0;

    if (ks_file_read("/proc/self/statm", &text, NULL))
        return 0;
    rest = ks_buf_str(&text);
    for (int i = 0; i < 2; i++) { /* the second number */
        if (!ks_str_split(&rest, ' ', &part))
            return 0;
    }
    return ks_str_to_int64(part, &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

ks_memory_level ks_memory_judge(int64_t used_bytes, int64_t allowed_bytes, ks_memory_level was)
{
    int64_t percent = allowed_bytes / 100;
    int64_t short_percent = was == KS_MEMORY_FINE ? SHORT_PERCENT : FINE_PERCENT;

    if (used_bytes >= percent * OUT_PERCENT)
        return KS_MEMORY_OUT;
    return used_bytes >= percent * short_percent ? KS_MEMORY_SHORT : KS_MEMORY_FINE;
}
