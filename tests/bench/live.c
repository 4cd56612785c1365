/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program that is measured: writes ten times a second, as text, to the file that
 * KS_LIVE_FILE names, how many bytes the C library has given out. So what a program has allocated
 * can be told from what it keeps resident, without a change of the program.
 *
 * Thread: one of its own, which ends with the program.  Limits: bytes that were given back and that
 * a thread's cache of the C library keeps count as given out; those are some KiB a thread.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 100000000L

static void *watch(void *ctx)
{
    const struct timespec period = {.tv_nsec = PERIOD_NS};
    const char *path = ctx;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    while (fd >= 0) {
        struct mallinfo2 now = mallinfo2();
        char text[32];
        int len = snprintf(text, sizeof(text), "%20zu\n", now.uordblks + now.hblkhd);

        if (pwrite(fd, text, (size_t)len, 0) != len)
            break;
        (void)nanosleep(&period, NULL); /* a shorter period does no harm */
    }
    return NULL;
}

static void begin(void) __attribute__((constructor));
static void begin(void)
{
    char *path = getenv("KS_LIVE_FILE");
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all); /* cannot fail; signals are the program's to take, not this thread's */
    if (pthread_sigmask(SIG_SETMASK, &all, &before))
        return;
    if (path && pthread_create(&thread, NULL, watch, path) == 0)
        (void)pthread_detach(thread); /* then nobody waits for it */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
