/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convergence_plants: whether the convergence test finds bugs. For each planted bug a child runs
 * seeds until one fails; a crash and a hang are found, too.
 *
 * Thread: one; one child at a time.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/plant.h"
#include "base/str.h"

#include "convergence/plants.h"
#include "convergence/traffic.h"

#define SEEDS 300
#define HANG_S 60
/* Of 100. */
#define WANTED 95

/* What the child has got to, in memory that both see. */
struct progress {
    uint64_t seed;
    char trouble[WORLD_TEXT_MAX];
};

static void run_child(unsigned number, struct progress *progress)
{
    const struct rlimit no_core = {0, 0};
    struct run_result result;

    (void)setrlimit(RLIMIT_CORE, &no_core); /* a crash is expected now and then */
    (void)alarm(HANG_S);
    ks_plant = number;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        progress->seed = seed;
        run_seed(seed, false, &result);
        if (result.is_good)
            continue;
        snprintf(progress->trouble, sizeof(progress->trouble), "%s", result.trouble);
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

/* Whether it was found. */
static bool try_plant(const struct plant *plant, struct progress *progress)
{
    pid_t child;
    int status = 0;

    *progress = (struct progress){.seed = 0};
    fflush(stdout);
    child = fork();
    if (child == 0)
        run_child(plant->number, progress);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("convergence_plants");
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
        if (plant->number)
            printf("%2u NOT FOUND in %d seeds: %s\n", plant->number, SEEDS, plant->what);
        return false;
    }
    printf("%2u seed %3" PRIu64 ": %s\n              %s\n", plant->number, progress->seed,
           plant->what,
           !WIFSIGNALED(status)          ? progress->trouble
           : WTERMSIG(status) == SIGALRM ? "it hangs"
                                         : "it crashes");
    return true;
}

static bool without_any(struct progress *progress)
{
    const struct plant none = {0, "none is planted"};

    return !try_plant(&none, progress);
}

int main(int argc, char **argv)
{
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t only = 0;
    size_t tried = 0;
    size_t found = 0;

    if (progress == MAP_FAILED || (argc == 2 && !ks_str_to_int64(ks_str_from(argv[1]), &only))) {
        fputs("usage: convergence_plants [NUMBER]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < plants_len; i++) {
        if (only && only != plants[i].number)
            continue;
        tried++;
        found += try_plant(&plants[i], progress);
    }
    printf("%zu of %zu planted bugs found within %d seeds\n", found, tried, SEEDS);
    if (found * 100 < tried * WANTED)
        return EXIT_FAILURE;
    return without_any(progress) ? EXIT_SUCCESS : EXIT_FAILURE;
}
