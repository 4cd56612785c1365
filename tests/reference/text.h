/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text made at random, from a seed: the same seed gives the same bytes everywhere.
 *
 * A spoilt value is one that nobody expects where it stands: another type, null, a number at an
 * edge, a string that is nearly the right one. How often values are spoilt is set by text.spoil.
 *
 * Thread: one at a time.  Owns: the bytes written.  Limits: TEXT_MAX bytes; what would go beyond
 * them sets rc.
 */
#ifndef KS_TESTS_REFERENCE_TEXT_H
#define KS_TESTS_REFERENCE_TEXT_H

#include "base/str.h"

#define TEXT_MAX (1u << 20)

struct text {
    struct ks_buf out;
    ks_rc rc; /* the first failure to write */
    uint64_t random;
    /* Chances in a thousand. */
    unsigned spoil;   /* that a value is spoilt */
    unsigned blanks;  /* that white space stands where it may */
    unsigned escapes; /* that a character of a string is escaped without need */
};

/* Empties the text; what follows depends on seed and number alone. */
void text_start(struct text *t, int64_t seed, int64_t number);

/* [0, bound), bound > 0. One in an expression: the order of two would be the compiler's. */
unsigned text_below(struct text *t, unsigned bound);
/* True with a chance of per_mille in a thousand. */
bool text_chance(struct text *t, unsigned per_mille);
/* One of a list that ends with NULL. */
const char *text_pick(struct text *t, const char *const *words);

void text_raw(struct text *t, const char *bytes);
/* A token with white space around, sometimes. */
void text_token(struct text *t, const char *token);
void text_int(struct text *t, int64_t value);
/* A string, escaped where it must be and sometimes where it need not. */
void text_string(struct text *t, struct ks_str value);
/* Any value but the expected one. */
void text_spoilt(struct text *t);
/* Any value, levels deep at most. */
void text_any(struct text *t, unsigned levels);
/* A string that is nearly the given one. */
void text_near(struct text *t, struct ks_str value);
/* Changes a few bytes of what is written: the result may be no JSON. Never makes a line end. */
void text_corrupt(struct text *t);

#endif
