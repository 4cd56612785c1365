/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families made at random: an object that generates others, what it generated, and strangers beside
 * them. Who belongs to whom is the same by label selector and by controller owner reference.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_TESTS_REFERENCE_FAMILY_H
#define KS_TESTS_REFERENCE_FAMILY_H

#include "text.h"

/* Ends an object of a family: no JSON text has it. */
#define FAMILY_SEPARATOR '\x1e'
#define FAMILY_MAX 64

/* Writes the objects, each after its owner, the head first, on one line. */
void family_write(struct text *t, int64_t *out_now_ms);

#endif
