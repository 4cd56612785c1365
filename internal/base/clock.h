/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time behind an interface, so that tests own it; jittered exponential backoff; random numbers for
 * jitter.
 *
 * Thread: the real clock: any; a test clock: the one that moves it.  Units: milliseconds; monotonic
 * time has no epoch, wall time is Unix time.
 */
#ifndef KS_BASE_CLOCK_H
#define KS_BASE_CLOCK_H

#include <stdint.h>

#include "base/base.h"

struct ks_clock {
    int64_t (*mono_ms)(const struct ks_clock *clock);
    int64_t (*wall_ms)(const struct ks_clock *clock);
};

extern const struct ks_clock ks_clock_real;

/* For who has no use for another clock. */
static inline int64_t ks_mono_ms(void)
{
    return ks_clock_real.mono_ms(&ks_clock_real);
}

/* A clock that stands still until the test moves it. */
struct ks_clock_test {
    struct ks_clock clock; /* first: a struct ks_clock_test * is a struct ks_clock * */
    int64_t now_mono_ms;
    int64_t now_wall_ms;
};
void ks_clock_test_init(struct ks_clock_test *c, int64_t wall_ms);
void ks_clock_test_advance(struct ks_clock_test *c, int64_t by_ms);

/* Uniform in [0, bound); 0 when bound is 0. Not for secrets. */
uint64_t ks_random_below(uint64_t bound);
/* Makes this thread's numbers the same in every run, so that a test can be replayed; 0: as they are
 * otherwise, different in every run. */
void ks_random_seed(uint64_t seed);

/*
 * Backoff as client-go's reflector has it: the n-th delay is base * 2^n up to cap, plus uniform [0,
 * that).
 */
struct ks_backoff {
    int64_t base_ms;
    int64_t cap_ms;
    /* private */
    unsigned failures;
};
#define KS_BACKOFF_DEFAULT ((struct ks_backoff){.base_ms = 800, .cap_ms = 30000})
/* The delay before the next try; counts one failure. */
int64_t ks_backoff_next_ms(struct ks_backoff *b);
void ks_backoff_reset(struct ks_backoff *b);

#endif
