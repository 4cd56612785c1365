/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only allocation calls of the tree. All return NULL when memory is short; nothing here ends
 * the process.
 *
 * Thread: any.  Limits: a size that overflows counts as "no memory".
 *
 * Tests can make the n-th allocation of the calling thread fail (see ks_alloc_fail_at).
 */
#ifndef KS_BASE_ALLOC_H
#define KS_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

KS_MUST_USE void *ks_alloc(size_t size);
/* Zeroed. */
KS_MUST_USE void *ks_alloc0(size_t size);
/* count * size bytes, zeroed, checked for overflow. */
KS_MUST_USE void *ks_alloc_array(size_t count, size_t size);
/* Leaves ptr as it was when it returns NULL. ptr may be NULL. */
KS_MUST_USE void *ks_realloc(void *ptr, size_t size);
KS_MUST_USE void *ks_realloc_array(void *ptr, size_t count, size_t size);
/* A copy of len bytes with a NUL behind them. */
KS_MUST_USE char *ks_memdup0(const void *data, size_t len);
KS_MUST_USE char *ks_strdup(const char *text);
/* NULL is allowed. */
void ks_free(void *ptr);
/* Wipes len bytes, then frees: for credentials. NULL is allowed. */
void ks_free_secret(void *ptr, size_t len);

/* For KS_CLEANUP on a char * or void *. */
void ks_freep(void *ptr_to_ptr);

/*
 * Test hook, per thread: the n-th call from now (1 = the next) fails, once; 0 switches it off.
 * ks_alloc_failed() tells whether that has happened since. Compiled in always; costs one
 * thread-local test a call.
 */
void ks_alloc_fail_at(uint64_t n);
bool ks_alloc_failed(void);

#endif
