/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head is a Deployment, a ReplicaSet, a StatefulSet, or of a kind whose Pods the reference does
 * not look at. Each object has a mood of its own (object.c), so that a calm head stands over broken
 * members and the other way round; and most heads are short of Pods, half of which crash, or the
 * members would seldom matter.
 *
 *   uid      1 the head, then counted
 *   labels   app=web for what the head selects; set=<uid of the ReplicaSet> for a ReplicaSet's Pods
 *
 * Who is selected is the same in all the forms that a selector is written in.
 *
 * Thread: any.  It does not: know what the verdicts are.
 */
#include "family.h"

#include <stdio.h>

#include "object.h"

#define TIE_MAX 256

struct family {
    struct text *t;
    int64_t now_ms;
    unsigned count;
    bool has_neighbours; /* strangers in the same namespace */
};

/* Plain words; set: its own, or its Pod's ReplicaSet's number; 0: none. owner: 0 for the head. */
struct role {
    const char *kind;
    unsigned set;
    unsigned owner;
    const char *owner_kind; /* NULL for the head */
    enum object_plot plot;
};

static void begin_object(struct family *f)
{
    const char separator[] = {FAMILY_SEPARATOR, '\0'};

    if (f->count++)
        text_raw(f->t, separator);
}

static bool is_kind(const char *kind, const char *other)
{
    return strcmp(kind, other) == 0;
}

static const char *version_of(const char *kind)
{
    if (is_kind(kind, "Pod"))
        return "\"v1\"";
    return is_kind(kind, "Job") ? "\"batch/v1\"" : "\"apps/v1\"";
}

/* All of its members, and nobody else. */
static void write_head_selector(const struct family *f, char out[TIE_MAX])
{
    static const char *const forms[] = {
        "{\"matchLabels\":{\"app\":\"web\"}}",
        "{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":[\"x\",\"web\"]}]}",
        "{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"NotIn\",\"values\":[\"other\"]}]}",
        "{\"matchExpressions\":[{\"key\":\"set\",\"operator\":\"Exists\"}]}",
        "{\"matchExpressions\":[{\"key\":\"stranger\",\"operator\":\"DoesNotExist\"}]}",
        "{\"matchLabels\":{\"app\":\"web\"},\"matchExpressions\":[{\"key\":\"set\",\"operator\":"
        "\"Exists\"}]}",
        NULL,
    };
    bool is_whole = !f->has_neighbours && text_chance(f->t, 150);

    (void)snprintf(out, TIE_MAX, "%s", is_whole ? "{}" : text_pick(f->t, forms));
}

static void write_set_selector(const struct family *f, unsigned set, char out[TIE_MAX])
{
    if (text_chance(f->t, 500))
        (void)snprintf(out, TIE_MAX, "{\"matchLabels\":{\"set\":\"%u\"}}", set);
    else
        (void)snprintf(out, TIE_MAX,
                       "{\"matchExpressions\":[{\"key\":\"set\",\"operator\":\"In\",\"values\":["
                       "\"%u\"]}]}",
                       set);
}

/* Which revision it is, or is of: profile strict looks at the newest alone. */
static void write_revision(const struct family *f, unsigned number, char out[TIE_MAX])
{
    (void)snprintf(out, TIE_MAX,
                   "{\"deployment.kubernetes.io/revision\":\"%u\","
                   "\"deprecated.daemonset.template.generation\":\"%u\"}",
                   text_chance(f->t, 500) ? number : 100 - number, 1 + text_below(f->t, 2));
}

static void write_labels(const struct family *f, unsigned set, char out[TIE_MAX])
{
    (void)snprintf(out, TIE_MAX,
                   "{\"app\":\"web\",\"set\":\"%u\",\"controller-revision-hash\":\"db-%u\","
                   "\"pod-template-generation\":\"%u\"}",
                   set, 1 + text_below(f->t, 2), 1 + text_below(f->t, 2));
}

/* Returns its number. */
static unsigned write_one(struct family *f, const struct role *role)
{
    unsigned number = f->count + 1;
    bool is_set = is_kind(role->kind, "ReplicaSet");
    unsigned set = is_set ? number : role->set;
    char labels[TIE_MAX], owners[TIE_MAX], selector[TIE_MAX], uid[TIE_MAX], quoted[TIE_MAX];
    char annotations[TIE_MAX];

    begin_object(f);
    (void)snprintf(uid, sizeof(uid), "\"u%u\"", number);
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", role->kind);
    (void)snprintf(owners, sizeof(owners),
                   "[{\"kind\":\"Pod\",\"uid\":\"u77\"},{\"kind\":\"%s\",\"uid\":\"u%u\","
                   "\"controller\":true}]",
                   role->owner_kind ? role->owner_kind : "", role->owner);
    write_labels(f, set, labels);
    write_revision(f, number, annotations);
    if (is_set && role->owner)
        write_set_selector(f, set, selector);
    else
        write_head_selector(f, selector);
    object_write_member(f->t, f->now_ms,
                        &(struct object_ties){
                            .plot = role->plot,
                            .kind = role->kind,
                            .quoted_kind = quoted,
                            .version = version_of(role->kind),
                            .space = "\"default\"",
                            .uid = uid,
                            .labels = labels,
                            .annotations = annotations,
                            .owners = role->owner ? owners : "[]",
                            .selector = selector,
                        });
    return number;
}

static enum object_plot choose_pod_plot(struct text *t)
{
    unsigned choice = text_below(t, 100);

    if (choice < 45)
        return PLOT_LOOP;
    return choice < 60 ? PLOT_UNSCHEDULABLE : PLOT_NONE;
}

/* Of the owner's set, where it is one. */
static void write_pods(struct family *f, const char *owner_kind, unsigned owner)
{
    unsigned set = is_kind(owner_kind, "ReplicaSet") ? owner : 0;
    unsigned count = text_below(f->t, 5);

    for (unsigned i = 0; i < count; i++) {
        struct role role = {.kind = "Pod", .set = set, .owner = owner, .owner_kind = owner_kind};

        role.plot = choose_pod_plot(f->t);
        (void)write_one(f, &role);
    }
}

static enum object_plot choose_owner_plot(struct text *t)
{
    return text_chance(t, 650) ? PLOT_SHORT : PLOT_NONE;
}

static void write_sets(struct family *f, unsigned head)
{
    unsigned sets = text_below(f->t, 4);

    for (unsigned i = 0; i < sets; i++) {
        struct role role = {.kind = "ReplicaSet", .owner = head, .owner_kind = "Deployment"};
        unsigned set;

        role.plot = choose_owner_plot(f->t);
        set = write_one(f, &role);
        write_pods(f, "ReplicaSet", set);
    }
}

/* A Pod of somebody else, or one that would be selected were it not in another namespace. */
static void write_strangers(struct family *f)
{
    unsigned count = text_below(f->t, 3);

    for (unsigned i = 0; i < count; i++) {
        bool is_near = f->has_neighbours && text_chance(f->t, 700);
        char uid[TIE_MAX];

        begin_object(f);
        (void)snprintf(uid, sizeof(uid), "\"u%u\"", f->count);
        object_write_member(f->t, f->now_ms,
                            &(struct object_ties){
                                .plot = choose_pod_plot(f->t),
                                .kind = "Pod",
                                .quoted_kind = "\"Pod\"",
                                .version = "\"v1\"",
                                .space = is_near ? "\"default\"" : "\"other\"",
                                .uid = uid,
                                .labels = is_near ? "{\"app\":\"other\",\"stranger\":\"1\"}"
                                                  : "{\"app\":\"web\",\"set\":\"1\"}",
                                .annotations = "{}",
                                .owners = is_near ? "[{\"uid\":\"u1\"}]" : "[]",
                                .selector = "{}",
                            });
    }
}

void family_write(struct text *t, int64_t *out_now_ms)
{
    static const char *const heads[] = {"Deployment",  "ReplicaSet",  "ReplicaSet",
                                        "StatefulSet", "StatefulSet", "StatefulSet",
                                        "DaemonSet",   "Job",         NULL};
    struct family f = {.t = t};
    struct role role = {.kind = text_pick(t, heads)};
    unsigned head;

    f.now_ms = object_choose_now(t);
    f.has_neighbours = text_chance(t, 500);
    role.plot = choose_owner_plot(t);
    head = write_one(&f, &role);
    if (is_kind(role.kind, "Deployment"))
        write_sets(&f, head);
    else
        write_pods(&f, role.kind, head);
    write_strangers(&f);
    *out_now_ms = f.now_ms;
}
