/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convergence: runs seeds. See README.md.
 *
 * Thread: one.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"

#include "convergence/traffic.h"

static const char usage[] = "usage: convergence [--seeds N] [--from N] [--for-seconds N]\n"
                            "       convergence --seed N [--quiet]\n"
                            "Runs seeds FROM (1) to FROM + SEEDS (300) - 1, until one fails; or "
                            "one, and tells all of it.\n";

struct options {
    int64_t from;
    int64_t count;
    int64_t for_ms; /* 0: until all are done */
    bool is_verbose;
};

static const struct option long_options[] = {
    {"seeds", required_argument, NULL, 'n'},
    {"from", required_argument, NULL, 'f'},
    {"for-seconds", required_argument, NULL, 't'},
    {"seed", required_argument, NULL, 's'},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

static bool options_take(struct options *o, int argc, char **argv)
{
    bool is_good = true;
    int64_t seconds = 0;
    int option;

    while (is_good && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'n':
            is_good = ks_str_to_int64(ks_str_from(optarg), &o->count) && o->count > 0;
            break;
        case 'f':
            is_good = ks_str_to_int64(ks_str_from(optarg), &o->from);
            break;
        case 't':
            is_good = ks_str_to_int64(ks_str_from(optarg), &seconds);
            o->for_ms = seconds * 1000;
            break;
        case 's':
            is_good = ks_str_to_int64(ks_str_from(optarg), &o->from);
            o->count = 1;
            o->is_verbose = true;
            break;
        case 'q':
            o->is_verbose = false;
            break;
        default:
            is_good = false;
        }
    }
    return is_good && optind == argc;
}

static void add(struct run_result *sum, const struct run_result *one)
{
    sum->writes += one->writes;
    sum->updates += one->updates;
    sum->requests += one->requests;
    sum->faults += one->faults;
    sum->streams += one->streams;
    sum->virtual_ms += one->virtual_ms;
}

int main(int argc, char **argv)
{
    struct options o = {.from = 1, .count = 300};
    const struct ks_clock *clock = &ks_clock_real;
    int64_t start_ms = clock->mono_ms(clock);
    struct run_result sum = {.is_good = true};
    struct run_result one;
    int64_t done = 0;

    if (!options_take(&o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    while (sum.is_good && done < o.count) {
        run_seed((uint64_t)(o.from + done), o.is_verbose, &one);
        done++;
        add(&sum, &one);
        sum.is_good = one.is_good;
        if (o.for_ms && clock->mono_ms(clock) - start_ms >= o.for_ms)
            break;
    }
    printf("%" PRId64 " seeds, %d mismatches: %" PRIu64 " writes, %" PRIu64 " streams, %" PRIu64
           " updates, %" PRIu64 " requests, %" PRIu64 " faults, %" PRId64
           " virtual minutes in %" PRId64 " ms\n",
           done, sum.is_good ? 0 : 1, sum.writes, sum.streams, sum.updates, sum.requests,
           sum.faults, sum.virtual_ms / 60000, clock->mono_ms(clock) - start_ms);
    if (!sum.is_good)
        printf("seed %" PRId64 ": %s\nagain: convergence --seed %" PRId64 "\n", o.from + done - 1,
               one.trouble, o.from + done - 1);
    return sum.is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
