/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes, played by /bin/sh and friends.
 *
 * Thread: the test's, which is the loop's.
 */
#include "loop/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/torture.h"

#define PATIENCE_MS 20000

struct fixture {
    struct ks_loop *loop;
    struct ks_process *process;
    int answers;
    ks_rc rc;
    char out[256];
    size_t out_len;
    struct ks_error err;
};

static int set_up(void **state)
{
    struct fixture *f = ks_alloc0(sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ks_loop_new(&ks_clock_real, &f->loop, NULL), KS_RC_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->loop = ks_loop_free(f->loop);
    ks_free(f);
    return 0;
}

static void on_done(void *ctx, ks_rc rc, struct ks_str out, const struct ks_error *err)
{
    struct fixture *f = ctx;

    f->answers++;
    f->rc = rc;
    f->err = *err;
    f->out_len = out.len;
    (void)snprintf(f->out, sizeof(f->out), "%.*s", KS_STR_ARGS(out));
    ks_process_cancel(f->process); /* dead by now: no effect */
}

static const char *const env[] = {"PATH=/usr/bin:/bin", "GREETING=hello", NULL};

static ks_rc start(struct fixture *f, const char *file, const char *const *argv,
                   int64_t deadline_ms)
{
    const struct ks_process_config config = {
        .file = file,
        .argv = argv,
        .env = env,
        .max_stdout_bytes = 1000,
        .deadline_ms = deadline_ms,
    };

    f->answers = 0;
    return ks_process_start(f->loop, &config, on_done, f, &f->process, &f->err);
}

/* Starts `sh -c script` and waits for the answer. */
static void run(struct fixture *f, const char *script, int64_t deadline_ms)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    assert_int_equal(start(f, "sh", argv, deadline_ms), KS_RC_OK);
    assert_int_equal(f->answers, 0);
    while (!f->answers)
        (void)ks_loop_turn_wait(f->loop, 1000);
}

static void gives_the_output_of_a_success(void **state)
{
    struct fixture *f = *state;

    run(f, "printf \"$GREETING $(cat) $HOME\"; echo chatter >&2", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_OK);
    assert_string_equal(f->out, "hello  "); /* stdin is empty; the environment is ours alone */
    run(f, "exec >&-; exec 2>&-", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_OK);
    assert_int_equal(f->out_len, 0);
}

static void tells_how_it_failed(void **state)
{
    struct fixture *f = *state;

    run(f, "echo lost; echo 'no such account' >&2; exit 3", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_IO);
    assert_int_equal(f->out_len, 0);
    assert_string_equal(f->err.msg, "sh ended with exit status 3: no such account");
    run(f, "kill -9 $$", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_IO);
    assert_string_equal(f->err.msg, "sh was ended by signal 9");
}

static void keeps_the_end_of_a_long_complaint(void **state)
{
    struct fixture *f = *state;

    run(f,
        "i=0; while [ $i -lt 3000 ]; do echo noise-$i >&2; i=$((i+1)); done; "
        "echo the cause >&2; exit 1",
        PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_IO);
    assert_non_null(strstr(f->err.msg, "noise-2999"));
    assert_non_null(strstr(f->err.msg, "the cause"));
    assert_null(strstr(f->err.msg, "noise-100\n"));
}

static void knows_a_missing_program(void **state)
{
    struct fixture *f = *state;
    const char *const argv[] = {"x", NULL};
    struct ks_process *before = f->process;

    assert_int_equal(start(f, "no-such-program-here", argv, 1000), KS_RC_NOTFOUND);
    assert_non_null(strstr(f->err.msg, "no-such-program-here"));
    assert_non_null(strstr(f->err.msg, "PATH"));
    assert_int_equal(start(f, "/no/such/program", argv, 1000), KS_RC_NOTFOUND);
    assert_int_equal(start(f, "/etc/passwd", argv, 1000), KS_RC_DENIED);
    assert_ptr_equal(f->process, before);
    assert_int_equal(f->answers, 0);
}

static void limits_the_output(void **state)
{
    struct fixture *f = *state;

    run(f, "head -c 1000 /dev/zero | tr '\\0' x", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_OK);
    assert_int_equal(f->out_len, 1000);
    run(f, "exec cat /dev/zero", PATIENCE_MS);
    assert_int_equal(f->rc, KS_RC_LIMIT);
    assert_int_equal(f->out_len, 0);
}

static void limits_the_time(void **state)
{
    struct fixture *f = *state;

    run(f, "echo begun; exec tail -f /dev/null", 100);
    assert_int_equal(f->rc, KS_RC_TIMEOUT);
    assert_int_equal(f->out_len, 0);
}

static bool is_alive(long pid)
{
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* Orphans are reaped by whoever is init; where nobody is, they stay as zombies, which is dead
 * enough. */
static bool is_running(long pid)
{
    char path[64];
    char line[128] = "";
    char how = 'R';
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
        how = strrchr(line, ')')[2];
    (void)fclose(file);
    return is_alive(pid) && how != 'Z' && how != 'X';
}

static void kills_the_whole_group(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/ks-process-XXXXXX";
    const int fd = mkstemp(path);
    const char *const argv[] = {"sh", "-c", "tail -f /dev/null & echo $! > \"$0\"; wait", path,
                                NULL};
    char text[32] = "";
    int64_t pid = 0;
    FILE *file;

    assert_true(fd >= 0);
    assert_int_equal(start(f, "sh", argv, 300), KS_RC_OK);
    while (!f->answers)
        (void)ks_loop_turn_wait(f->loop, 1000);
    assert_int_equal(f->rc, KS_RC_TIMEOUT);
    file = fdopen(fd, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    (void)remove(path);
    assert_true(ks_str_to_int64(ks_str_trim(ks_str_from(text)), &pid));
    while (is_running((long)pid))
        (void)ks_loop_turn_wait(f->loop, 5);
}

static void does_not_wait_for_ever_for_what_it_left_behind(void **state)
{
    struct fixture *f = *state;

    run(f, "tail -f /dev/null & exit 0", 300);
    assert_int_equal(f->rc, KS_RC_TIMEOUT);
    assert_non_null(strstr(f->err.msg, "left a process behind"));
}

static void is_silent_after_cancel(void **state)
{
    struct fixture *f = *state;
    const char *const argv[] = {"tail", "-f", "/dev/null", NULL};

    assert_int_equal(start(f, "/usr/bin/tail", argv, PATIENCE_MS), KS_RC_OK);
    ks_process_cancel(f->process);
    assert_int_equal(start(f, "/usr/bin/tail", argv, PATIENCE_MS), KS_RC_OK);
    (void)ks_loop_turn(f->loop);
    ks_process_cancel(f->process);
    while (ks_loop_turn_wait(f->loop, 1000))
        continue;
    assert_int_equal(f->answers, 0);
    /* And the loop may be freed while one is still dying. */
    assert_int_equal(start(f, "/usr/bin/tail", argv, PATIENCE_MS), KS_RC_OK);
    ks_process_cancel(f->process);
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static void leaves_no_descriptor(void **state)
{
    struct fixture *f = *state;
    int fds;

    run(f, "true", PATIENCE_MS);
    while (ks_loop_turn_wait(f->loop, 100))
        continue;
    fds = count_fds();
    for (int i = 0; i < 20; i++)
        run(f, i % 2 ? "exit 1" : "echo x", PATIENCE_MS);
    while (ks_loop_turn_wait(f->loop, 100))
        continue;
    assert_int_equal(count_fds(), fds);
}

static void torture_run(void *ctx)
{
    struct fixture *f = ctx;
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
    const ks_rc rc = start(f, "sh", argv, PATIENCE_MS);

    if (rc) {
        assert_int_equal(rc, KS_RC_NOMEM);
        return;
    }
    while (!f->answers)
        (void)ks_loop_turn_wait(f->loop, 1000);
    assert_true(f->rc == KS_RC_OK || f->rc == KS_RC_NOMEM);
}

static void survives_lack_of_memory(void **state)
{
    struct fixture *f = *state;

    assert_true(ks_torture(torture_run, f) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        TEST(gives_the_output_of_a_success),
        TEST(tells_how_it_failed),
        TEST(keeps_the_end_of_a_long_complaint),
        TEST(knows_a_missing_program),
        TEST(limits_the_output),
        TEST(limits_the_time),
        TEST(kills_the_whole_group),
        TEST(does_not_wait_for_ever_for_what_it_left_behind),
        TEST(is_silent_after_cancel),
        TEST(leaves_no_descriptor),
        TEST(survives_lack_of_memory),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
