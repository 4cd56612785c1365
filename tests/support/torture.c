/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of torture.h.
 */
#include "support/torture.h"

#include <assert.h>

#include "base/alloc.h"

uint64_t ks_torture(void (*fn)(void *ctx), void *ctx)
{
    for (uint64_t n = 1; n <= 100000; n++) {
        ks_alloc_fail_at(n);
        fn(ctx);
        if (!ks_alloc_failed()) {
            ks_alloc_fail_at(0);
            return n - 1;
        }
    }
    ks_alloc_fail_at(0);
    assert(false && "the tortured code never got through");
    return 0;
}
