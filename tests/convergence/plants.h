/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planted bugs: what each number of KS_PLANTED (base/plant.h) stands for.
 *
 * Thread: any.
 */
#ifndef CONVERGENCE_PLANTS_H
#define CONVERGENCE_PLANTS_H

#include <stddef.h>

struct plant {
    unsigned number;
    const char *what;
};
extern const struct plant plants[];
extern const size_t plants_len;

#endif
