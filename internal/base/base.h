/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes and the few macros that every file may use.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_BASE_BASE_H
#define KS_BASE_BASE_H

#include <stddef.h>

#define KS_MUST_USE __attribute__((warn_unused_result))
#define KS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define KS_CLEANUP(fn) __attribute__((cleanup(fn)))
#define KS_UNUSED __attribute__((unused))
#define KS_PUBLIC __attribute__((visibility("default")))

#define KS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of the given type around one of its members. */
#define KS_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Moves a pointer out of a variable and leaves NULL, so that its cleanup has nothing to free. */
#define KS_TAKE(var)                                                                               \
    (__extension__({                                                                               \
        __typeof__(var) ks_taken_ = (var);                                                         \
        (var) = NULL;                                                                              \
        ks_taken_;                                                                                 \
    }))

#endif
