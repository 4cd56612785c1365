/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects made at random for every rule of the verdict, its neighbourhood included: the
 * kinds, their fields and what stands in them are tables in object.c.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_TESTS_REFERENCE_OBJECT_H
#define KS_TESTS_REFERENCE_OBJECT_H

#include "text.h"

/* Writes one object, on one line, and says at which time it is to be judged. */
void object_write(struct text *t, int64_t *out_now_ms);

#endif
