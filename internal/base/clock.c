/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real clock and the test clock, client-go's backoff, and random numbers for jitter (a
 * per-thread xorshift, seeded by the kernel: spreading load needs no secrecy).
 *
 * Thread: see clock.h.
 */
#include "base/clock.h"

#include <sys/random.h>
#include <time.h>

#include "base/error.h"

static int64_t read_ms(clockid_t id)
{
    struct timespec now = {0};

    (void)clock_gettime(id, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_mono_ms(const struct ks_clock *clock)
{
    (void)clock; /* the real clock has no state */
    return read_ms(CLOCK_MONOTONIC);
}

static int64_t real_wall_ms(const struct ks_clock *clock)
{
    (void)clock; /* the real clock has no state */
    return read_ms(CLOCK_REALTIME);
}

const struct ks_clock ks_clock_real = {.mono_ms = real_mono_ms, .wall_ms = real_wall_ms};

static const struct ks_clock_test *clock_test_of(const struct ks_clock *clock)
{
    return (const struct ks_clock_test *)(const void *)clock;
}

static int64_t test_mono_ms(const struct ks_clock *clock)
{
    return clock_test_of(clock)->now_mono_ms;
}

static int64_t test_wall_ms(const struct ks_clock *clock)
{
    return clock_test_of(clock)->now_wall_ms;
}

void ks_clock_test_init(struct ks_clock_test *c, int64_t wall_ms)
{
    *c = (struct ks_clock_test){
        .clock = {.mono_ms = test_mono_ms, .wall_ms = test_wall_ms},
        .now_mono_ms = 1000,
        .now_wall_ms = wall_ms,
    };
}

void ks_clock_test_advance(struct ks_clock_test *c, int64_t by_ms)
{
    c->now_mono_ms += by_ms;
    c->now_wall_ms += by_ms;
}

/* 0: not drawn yet. */
static _Thread_local uint64_t random_state;

void ks_random_seed(uint64_t seed)
{
    random_state = seed;
}

static uint64_t random_next(void)
{
    uint64_t state = random_state;

    if (state == 0 && getrandom(&state, sizeof(state), 0) != (ssize_t)sizeof(state))
        state = (uint64_t)read_ms(CLOCK_MONOTONIC);
    if (state == 0)
        state = 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    random_state = state;
    return state;
}

uint64_t ks_random_below(uint64_t bound)
{
    return bound ? random_next() % bound : 0;
}

int64_t ks_backoff_next_ms(struct ks_backoff *b)
{
    int64_t delay = b->base_ms;

    for (unsigned i = 0; i < b->failures && delay < b->cap_ms; i++)
        delay *= 2;
    if (delay > b->cap_ms)
        delay = b->cap_ms;
    if (b->failures < 64)
        b->failures++;
    return delay + (int64_t)ks_random_below((uint64_t)delay);
}

void ks_backoff_reset(struct ks_backoff *b)
{
    b->failures = 0;
}
