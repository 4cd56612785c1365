/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin layer over libc's allocator: overflow checks, and a hook with which a test makes the n-th
 * allocation of its thread fail.
 *
 * Invariant: nothing here ends the process; the caller decides what lack of memory means.
 *
 * Thread: any; the hook's counter is the thread's own.
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t fail_countdown;
static _Thread_local bool has_failed;

void ks_alloc_fail_at(uint64_t n)
{
    fail_countdown = n;
    has_failed = false;
}

bool ks_alloc_failed(void)
{
    return has_failed;
}

static bool must_fail(void)
{
    if (fail_countdown == 0 || --fail_countdown != 0)
        return false;
    has_failed = true;
    return true;
}

void *ks_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *ks_alloc0(size_t size)
{
    return must_fail() ? NULL : calloc(1, size ? size : 1);
}

void *ks_alloc_array(size_t count, size_t size)
{
    if (must_fail())
        return NULL;
    return count && size ? calloc(count, size) : calloc(1, 1);
}

void *ks_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : realloc(ptr, size ? size : 1);
}

void *ks_realloc_array(void *ptr, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return ks_realloc(ptr, total);
}

char *ks_memdup0(const void *data, size_t len)
{
    char *copy;

    if (len == SIZE_MAX)
        return NULL;
    copy = ks_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *ks_strdup(const char *text)
{
    return ks_memdup0(text, strlen(text));
}

void ks_free(void *ptr)
{
    free(ptr);
}

void ks_free_secret(void *ptr, size_t len)
{
    if (!ptr)
        return;
    explicit_bzero(ptr, len);
    free(ptr);
}

void ks_freep(void *ptr_to_ptr)
{
    void *ptr;

    memcpy(&ptr, ptr_to_ptr, sizeof(ptr));
    free(ptr);
}
