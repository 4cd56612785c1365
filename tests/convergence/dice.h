/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dice: the numbers of a seed. SplitMix64; a part with dice of its own does not disturb the others.
 *
 * Thread: one.
 */
#ifndef CONVERGENCE_DICE_H
#define CONVERGENCE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
    uint64_t z = (d->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct dice dice_split(struct dice *d)
{
    return (struct dice){.state = dice_next(d)};
}

/* Uniform in [0, bound); 0 when bound is 0. */
static inline uint32_t dice_below(struct dice *d, uint32_t bound)
{
    return bound ? (uint32_t)(dice_next(d) % bound) : 0;
}

static inline int64_t dice_between(struct dice *d, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(dice_next(d) % (uint64_t)(hi - lo + 1));
}

static inline bool dice_permille(struct dice *d, uint32_t odds)
{
    return dice_below(d, 1000) < odds;
}

#endif
