/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families: who belongs to which owner, and the few facts about them that change the owner's
 * verdict. Kept so that a member's change costs the same in a family of any size: what is asked is
 * counted or stands first in a list.
 *
 * Invariants:
 *   1. a member that fails, or is hindered, is in exactly one of the lists, any other in none;
 *   2. a family exists while it has members, or an owner that the session knows;
 *   3. only a change of the owner (another revision) or of a ranked member (a ReplicaSet, a Job)
 * looks at all members.
 *
 * Thread: the loop's.  It does not: read JSON (child.c, parent.c), or tell anybody.
 */
#include "watcher/children.h"

#include "base/alloc.h"
#include "base/plant.h"

/* Never 0. */
uint64_t ks_revision_hash(struct ks_str text)
{
    return ks_hash(text.ptr, text.len) | 1;
}

struct ks_family *ks_family_get(struct ks_nursery *n, struct ks_str owner_uid)
{
    struct ks_family *f = ks_map_find(n->families, owner_uid);

    if (f)
        return f;
    f = ks_alloc0(sizeof(*f) + owner_uid.len);
    if (!f)
        return NULL;
    memcpy(f->text, owner_uid.ptr, owner_uid.len);
    f->uid = ks_str_make(f->text, owner_uid.len);
    f->nursery = n;
    ks_list_init(&f->members);
    ks_list_init(&f->noted);
    for (size_t i = 0; i < KS_FAILING_LISTS; i++)
        ks_list_init(&f->failing[i]);
    if (ks_map_put(n->families, f->uid, f)) {
        ks_free(f);
        return NULL;
    }
    return f;
}

void ks_family_reap(struct ks_family *f)
{
    if (f->parent || f->child || !ks_list_is_empty(&f->members))
        return;
    (void)ks_map_remove(f->nursery->families, f->uid); /* it is f itself */
    ks_free(f);
}

static bool is_wanted(const struct ks_family *f, const struct ks_child *c)
{
    return f->wanted == 0 || c->revision == 0 || f->wanted == c->revision;
}

static int list_of(const struct ks_family *f, const struct ks_child *c)
{
    if (!is_wanted(f, c))
        return KS_FAILING_OLD;
    if (!c->digest.fails)
        return KS_FAILING_HINDERED;
    return c->digest.fails_owner ? KS_FAILING_NEW : KS_FAILING_BESIDE;
}

void ks_family_count(struct ks_family *f, struct ks_child *c)
{
    struct ks_list *list;

    if (c->digest.is_ready && is_wanted(f, c)) {
        f->ready_count++;
        f->has_been_ready = true;
    }
    if (!c->digest.fails && !c->digest.is_hindered)
        return;
    f->failing_count += c->digest.fails;
    list = &f->failing[list_of(f, c)];
    if (!ks_list_is_empty(list) &&
        c->digest.since_wall_ms <
            KS_CONTAINER_OF(list->next, struct ks_child, in_failing)->digest.since_wall_ms)
        ks_list_push(list->next, &c->in_failing);
    else
        ks_list_push(list, &c->in_failing);
}

void ks_family_uncount(struct ks_family *f, struct ks_child *c)
{
    if (c->digest.is_ready && is_wanted(f, c))
        f->ready_count--;
    if (c->digest.fails && !KS_PLANTED(18))
        f->failing_count--;
    ks_list_remove(&c->in_failing);
}

static struct ks_child *find_newest(const struct ks_family *f)
{
    struct ks_child *newest = NULL;

    KS_LIST_FOREACH(link, &f->members)
    {
        struct ks_child *c = KS_CONTAINER_OF(link, struct ks_child, in_family);

        if (c->rank && (!newest || c->rank > newest->rank))
            newest = c;
    }
    return newest;
}

/* The rank of a member has changed, or a ranked member has come or gone. */
void ks_family_rank(struct ks_family *f)
{
    struct ks_child *newest = find_newest(f);

    if (newest == f->newest)
        return;
    f->newest = newest;
    if (newest && newest->own) /* a roll begins */
        newest->own->has_been_ready = newest->own->ready_count > 0;
}

void ks_family_want(struct ks_family *f, uint64_t revision)
{
    if (f->wanted == revision)
        return;
    KS_LIST_FOREACH(link, &f->members)
    {
        ks_family_uncount(f, KS_CONTAINER_OF(link, struct ks_child, in_family));
    }
    f->wanted = revision;
    f->has_been_ready = false;
    KS_LIST_FOREACH(link, &f->members)
    {
        ks_family_count(f, KS_CONTAINER_OF(link, struct ks_child, in_family));
    }
}

const struct ks_child *ks_family_first_failure(const struct ks_family *f)
{
    const struct ks_list *list = &f->failing[KS_FAILING_NEW];

    return ks_list_is_empty(list) ? NULL : KS_CONTAINER_OF(list->next, struct ks_child, in_failing);
}
