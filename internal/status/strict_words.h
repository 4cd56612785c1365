/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/status: the words in a name ("ImagePullBackOff" is image, pull, back, off)
 * and what they tell: failing, moving, done. The lists stand in strict_words.c and, with their
 * reasons, in docs/verdicts.md.
 *
 * A word ends at a change of case and at everything that is no ASCII letter or digit.
 *
 * Thread: any.  Owns: nothing.  Limits: KS_PHRASE_MAX_BYTES of a text are read.
 */
#ifndef KS_STATUS_STRICT_WORDS_H
#define KS_STATUS_STRICT_WORDS_H

#include <stdbool.h>

#include "base/str.h"

/* Longer ones are cut: no list has any. */
#define KS_WORD_MAX 23
#define KS_PHRASE_MAX_BYTES 4096

struct ks_word {
    char text[KS_WORD_MAX + 1]; /* lower-case */
};

typedef enum {
    KS_WORDS_FAILING,       /* a reason with one of them is failing */
    KS_WORDS_EXCUSE_FIRST,  /* ... unless it begins with one of these */
    KS_WORDS_EXCUSE_LAST,   /* ... or ends with one of these */
    KS_WORDS_MOVING,        /* work is going on; every word in -ing is one, too */
    KS_WORDS_GOOD_LAST,     /* a phase that ends so is reached */
    KS_WORDS_TASK_LAST,     /* kinds that end so run to an end */
    KS_WORDS_STATE_NAME,    /* members whose name ends so hold a phase */
    KS_WORDS_STATE_MAP,     /* maps whose name ends so may hold one */
    KS_WORDS_OTHER_TIME,    /* members that begin so are not about now */
    KS_WORDS_ERROR_FIRST,   /* members that begin so hold an error */
    KS_WORDS_BAD_FIRST,     /* condition types that begin so are bad when True */
    KS_WORDS_BAD_LAST,      /* those that end so as well */
    KS_WORDS_MOTION_LAST,   /* condition types that end so are motion when True */
    KS_WORDS_MOTION_DONE,   /* ... unless their reason ends so */
    KS_WORDS_POSITIVE_LAST, /* condition types that end so are good when True */
    KS_WORDS_BAD_SPEECH,    /* a message that begins so tells a failure */
} ks_words;
#define KS_WORDS_COUNT 16

bool ks_word_is(const struct ks_word *word, const char *text);
bool ks_word_in(const struct ks_word *word, ks_words list);

struct ks_phrase {
    size_t count;
    struct ks_word first;
    struct ks_word second; /* empty when there is none */
    struct ks_word last;
    bool is_failing;
    bool is_excused; /* would be failing, or is not, by its first or last word */
    bool is_moving;  /* one of its words moves */
    bool is_first_moving;
    bool has_not;
    bool has_not_ready;
};

struct ks_phrase ks_phrase_read(struct ks_str text);

#endif
