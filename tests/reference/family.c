/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head is a Deployment, a ReplicaSet, a StatefulSet, or a DaemonSet whose Pods nobody must look
 * at. Each object has a mood of its own (object.c), so that a calm head stands over broken members
 * and the other way round.
 *
 *   uid      1 the head, then counted
 *   labels   app=web for what the head selects; set=<uid of the ReplicaSet> for a ReplicaSet's Pods
 *
 * Thread: any.  It does not: know what the verdicts are.
 */
#include "family.h"

#include <stdio.h>

#include "object.h"

#define TIE_MAX 160

struct family {
    struct text *t;
    int64_t now_ms;
    unsigned count;
};

static void begin_object(struct family *f)
{
    const char separator[] = {FAMILY_SEPARATOR, '\0'};

    if (f->count++)
        text_raw(f->t, separator);
}

/* set: the ReplicaSet whose own it is or whose Pod it is; 0: none. owner: 0 for the head. Returns
 * its number. */
static unsigned write_one(struct family *f, const char *kind, unsigned set, unsigned owner)
{
    unsigned number = f->count + 1;
    bool is_set = strcmp(kind, "ReplicaSet") == 0;
    char labels[TIE_MAX], owners[TIE_MAX], selector[TIE_MAX], uid[TIE_MAX], quoted[TIE_MAX];

    begin_object(f);
    if (is_set)
        set = number;
    (void)snprintf(uid, sizeof(uid), "\"u%u\"", number);
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", kind);
    (void)snprintf(labels, sizeof(labels), "{\"app\":\"web\",\"set\":\"%u\"}", set);
    (void)snprintf(owners, sizeof(owners),
                   "[{\"uid\":\"u77\"},{\"uid\":\"u%u\",\"controller\":true}]", owner);
    if (is_set)
        (void)snprintf(selector, sizeof(selector), "{\"matchLabels\":{\"set\":\"%u\"}}", set);
    else
        (void)snprintf(selector, sizeof(selector),
                       "{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":["
                       "\"web\"]}]}");
    object_write_member(f->t, f->now_ms,
                        &(struct object_ties){
                            .kind = kind,
                            .quoted_kind = quoted,
                            .version = strcmp(kind, "Pod") == 0 ? "\"v1\"" : "\"apps/v1\"",
                            .space = "\"default\"",
                            .uid = uid,
                            .labels = labels,
                            .owners = owner ? owners : "[]",
                            .selector = selector,
                        });
    return number;
}

static void write_pods(struct family *f, unsigned set, unsigned owner)
{
    unsigned count = text_below(f->t, 5);

    for (unsigned i = 0; i < count; i++)
        (void)write_one(f, "Pod", set, owner);
}

/* A Pod of somebody else, and one that would be selected were it not in another namespace. */
static void write_strangers(struct family *f)
{
    static const char *const spaces[] = {"\"default\"", "\"other\"", NULL};
    unsigned count = text_below(f->t, 3);

    for (unsigned i = 0; i < count; i++) {
        bool is_near = text_chance(f->t, 500);
        char uid[TIE_MAX];

        begin_object(f);
        (void)snprintf(uid, sizeof(uid), "\"u%u\"", f->count);
        object_write_member(
            f->t, f->now_ms,
            &(struct object_ties){
                .kind = "Pod",
                .quoted_kind = "\"Pod\"",
                .version = "\"v1\"",
                .space = spaces[is_near ? 0 : 1],
                .uid = uid,
                .labels = is_near ? "{\"app\":\"other\"}" : "{\"app\":\"web\",\"set\":\"1\"}",
                .owners = is_near ? "[{\"uid\":\"u1\"}]" : "[]",
                .selector = "{}",
            });
    }
}

void family_write(struct text *t, int64_t *out_now_ms)
{
    static const char *const heads[] = {"Deployment",  "ReplicaSet",  "ReplicaSet", "StatefulSet",
                                        "StatefulSet", "StatefulSet", "DaemonSet",  NULL};
    const char *kind = text_pick(t, heads);
    struct family f = {.t = t, .now_ms = object_choose_now(t)};
    unsigned head = write_one(&f, kind, 0, 0);

    if (strcmp(kind, "Deployment") == 0) {
        unsigned sets = text_below(t, 4);

        for (unsigned i = 0; i < sets; i++) {
            unsigned set = write_one(&f, "ReplicaSet", 0, head);

            write_pods(&f, set, set);
        }
    } else {
        write_pods(&f, strcmp(kind, "ReplicaSet") == 0 ? head : 0, head);
    }
    write_strangers(&f);
    *out_now_ms = f.now_ms;
}
