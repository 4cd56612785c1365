/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation-failure injection: runs a piece of code again and again, with its first, second,
 * third... allocation failing, until a run needs none of the failures. Under ASan this shows leaks
 * and uses of what was never made.
 *
 * Thread: the caller's alone: only its allocations fail.
 */
#ifndef KS_TESTS_SUPPORT_TORTURE_H
#define KS_TESTS_SUPPORT_TORTURE_H

#include <stdint.h>

/* fn must clean up after itself whatever failed, and may assert that its result fits what happened
 * (ks_alloc_failed()). Returns how many allocations were made to fail; asserts that the run ended
 * within 100 000. */
uint64_t ks_torture(void (*fn)(void *ctx), void *ctx);

#endif
