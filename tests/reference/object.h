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

/* What a member is to be, so that its family comes to where members decide. */
enum object_plot {
    PLOT_NONE,
    PLOT_SHORT,         /* an owner that wants more replicas than there are */
    PLOT_LOOP,          /* a Pod whose container crashes again and again */
    PLOT_UNSCHEDULABLE, /* the same, but a condition says that no node fits */
};

/* What ties a member to its family: JSON text that is written as it stands, and once. */
struct object_ties {
    enum object_plot plot;
    const char *kind; /* plain */
    const char *quoted_kind;
    const char *version;
    const char *space;
    const char *uid; /* its name, too */
    const char *labels;
    const char *annotations;
    const char *owners;
    const char *selector;
};

/* A time at which things may be judged. */
int64_t object_choose_now(struct text *t);
/* The same tables and moods as object_write, but for what ties it. */
void object_write_member(struct text *t, int64_t now_ms, const struct object_ties *ties);

#endif
