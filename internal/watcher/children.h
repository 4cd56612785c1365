/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated objects: what a session knows of the ReplicaSets, Jobs and Pods that its objects
 * generate, and how that changes what is shown of those objects; and what Events say of both.
 * Private to the watcher.
 *
 *   nursery   the children of one namespace (or of all): their informers and families
 *   brood     one informer of a nursery: the children of one kind, or the Warning Events
 *   family    the children of one owner, by the owner's UID; it may be known before the owner is
 *   child     one generated object: a small record beside the informer's own
 *   parent    an object of the session whose verdict its children may change
 *   docket    what Events say of one object or child, by its UID; a note is what one of them says
 *   inquiry   an object of the session that is not Current, and is explained by Events
 *
 * Children are tied by the UID of their controller owner reference. A child that generates itself
 * (a ReplicaSet, a Job) is the owner of a family too.
 *
 * Thread: the loop's.  Owns: see each.  Limits: KS_NURSERIES_MAX namespaces, then one nursery for
 * all others; as many children of a kind and nursery as the session may have objects; of the
 * Events, KS_EVENTS_MAX in a nursery, KS_NOTES_MAX of an object, KS_NOTES_BYTES_MAX of a session.
 */
#ifndef KS_WATCHER_CHILDREN_H
#define KS_WATCHER_CHILDREN_H

#include "status/family.h"

#include "watcher/session_internal.h"

#define KS_NURSERIES_MAX 16
/* Levels below an object. */
#define KS_CHILD_LEVELS_MAX KS_SESSION_MAX_DEPTH
/* How long an informer that nobody needs is kept, in case that somebody will again. */
#define KS_BROOD_LINGER_MS 5000
#define KS_BLIND_TEXT_MAX 256
#define KS_PARENT_TEXT_MAX 8192
#define KS_EVENTS_MAX 8192
#define KS_NOTES_MAX 2
#define KS_NOTES_BYTES_MAX ((size_t)4 << 20)

/* Events are nobody's children, but come through a brood, too. */
typedef enum { KS_CHILD_REPLICA_SET, KS_CHILD_JOB, KS_CHILD_POD, KS_CHILD_EVENT } ks_child_kind;
#define KS_CHILD_KINDS 3
#define KS_BROOD_KINDS 4

/* What an owner needs to know of a child. */
struct ks_digest {
    ks_status status;
    bool fails;       /* has failed, and explains its owner */
    bool fails_owner; /* counts as failed for its owner, too */
    bool is_hindered; /* a Pod that has not failed, and has a cause that waiting does not mend */
    bool is_ready;    /* a Pod that is Ready */
    int64_t since_wall_ms;  /* of a failure; 0: not known */
    struct ks_shown *shown; /* NULL when nobody wants to read it */
};

struct ks_family;
struct ks_nursery;
struct ks_brood;

/* A digest that comes true by itself. */
struct ks_child_wait {
    struct ks_timer timer;
    struct ks_child *child;
    int64_t at_wall_ms;
    struct ks_digest then;
};

/* What the sink was told of a child. */
struct ks_tale {
    struct ks_shown *shown;
    ks_target_bits told;
    void *sink_slot;
    int64_t transition_wall_ms;
    bool is_inquired; /* a user of the brood of Events */
};

struct ks_docket;

struct ks_child {
    struct ks_list in_family;
    struct ks_list in_failing; /* in one of its family's lists, or in none */
    struct ks_brood *brood;
    const struct ks_record *record; /* its name, namespace, UID and version */
    struct ks_family *family;       /* its owner's */
    struct ks_family *own;          /* its children; NULL: of a kind without any */
    struct ks_digest digest;
    uint64_t revision; /* a hash; 0: it has none */
    int64_t rank;      /* the greatest of a family is the newest */
    int64_t first_seen_wall_ms;
    struct ks_child_wait *wait;
    struct ks_tale *tale;
    struct ks_docket *docket; /* NULL: no Event is about it */
    bool is_over;             /* what it was told as counts no more: gone, or has left its owner */
};

/* Of an old revision; of the wanted one, but its owner does not fail by it; of those that count;
 * hindered ones of the wanted revision. */
enum { KS_FAILING_OLD, KS_FAILING_BESIDE, KS_FAILING_NEW, KS_FAILING_HINDERED, KS_FAILING_LISTS };

struct ks_family {
    struct ks_nursery *nursery;
    /* Whose children these are; both NULL: not known (yet). */
    struct ks_parent *parent;
    struct ks_child *child;
    struct ks_list members;
    struct ks_list noted;                     /* dockets of members */
    struct ks_list failing[KS_FAILING_LISTS]; /* the earliest failure first */
    uint32_t failing_count;
    uint32_t ready_count;    /* of the wanted revision */
    uint64_t wanted;         /* the revision that its owner rolls out; 0: any */
    struct ks_child *newest; /* by rank; NULL: the kind has none */
    bool has_been_ready;     /* a member of the wanted revision has, since that is wanted */
    struct ks_str uid;
    char text[];
};

typedef enum {
    KS_BROOD_CLOSED,
    KS_BROOD_OPENING, /* not listed yet */
    KS_BROOD_KNOWN,
    KS_BROOD_BLIND, /* cannot be read: why_blind */
} ks_brood_state;

struct ks_brood {
    struct ks_nursery *nursery;
    ks_child_kind kind;
    ks_brood_state state;
    struct ks_resolve *resolve;
    struct ks_resource *resource;
    struct ks_informer *informer;
    struct ks_timer timer; /* linger, or ask again for the kind */
    uint32_t users;        /* parents that need it */
    bool is_listed;        /* its informer has synced once */
    char why_blind[KS_BLIND_TEXT_MAX];
};

struct ks_nursery {
    struct ks_list link; /* in session->nurseries */
    struct ks_session *session;
    struct ks_list parents;
    struct ks_map *families;
    struct ks_map *dockets;
    struct ks_list noted; /* dockets with notes */
    struct ks_list inquiries;
    struct ks_brood broods[KS_BROOD_KINDS];
    struct ks_timer patience; /* then its parents are answered without their children */
    bool is_late;
    struct ks_timer events_patience; /* then it is Synced without the Events */
    bool are_events_late;
    size_t ns_len;
    char ns[];
};

struct ks_note;

struct ks_docket {
    struct ks_nursery *nursery;
    struct ks_child *child; /* NULL: not known to be one */
    struct ks_list in_family;
    struct ks_list in_noted;
    struct ks_list inquiries;
    struct ks_note *notes[KS_NOTES_MAX];
    struct ks_str uid;
    char text[];
};

struct ks_inquiry {
    struct ks_list in_nursery;
    struct ks_list in_docket;
    struct ks_docket *docket;
    struct ks_object *object;
    struct ks_shown *base; /* what is shown, without what Events say */
};

/* What the parent's own JSON said, for when only its children change. */
struct ks_parent {
    struct ks_list link; /* in nursery->parents */
    struct ks_nursery *nursery;
    struct ks_object *first; /* of its name's chain */
    struct ks_family *family;
    struct ks_timer timer;
    struct ks_text version;
    struct ks_shown *now;
    struct ks_shown *later; /* NULL: its verdict does not change by itself */
    int64_t later_wall_ms;
    struct ks_shown *with_job; /* of a CronJob whose last Job is known; NULL: any other kind */
    ks_child_kind chain[KS_CHILD_LEVELS_MAX];
    uint8_t levels;      /* of the chain that are needed */
    bool can_fail;       /* profile strict: a failed child would decide */
    bool is_waiting;     /* its first answer waits for its children */
    ks_target_bits told; /* its children belong to these; 0: it was not shown yet */
};

/* parent.c */
struct ks_parent_sight {
    struct ks_json_value json;
    const struct ks_status_context *context;
    struct ks_sighting *seen; /* the verdict on the object alone */
    struct ks_shown *now;     /* what seen->now points to */
    struct ks_buf *text;      /* for what is said in it */
};
/* An object was seen. If it has children that count, the verdict on it is kept, and *seen becomes
 * what the children make of it; seen->now is NULL while it must wait for them. */
KS_MUST_USE bool ks_parent_see(struct ks_session *s, struct ks_object *first,
                               const struct ks_parent_sight *sight);
/* What ks_parent_see left has been shown. */
KS_MUST_USE bool ks_parent_was_shown(struct ks_object *first);
/* Its object is gone, or is no concern of the session any more. Nothing is told. */
void ks_parent_drop(struct ks_object *first);
/* ks_kind_reset. */
void ks_parent_forget_version(struct ks_object *first);
/* Its children have changed, or time has passed. */
KS_MUST_USE bool ks_parent_reconsider(struct ks_parent *p);
KS_MUST_USE bool ks_parents_reconsider(struct ks_nursery *n);
/* Whether a first answer of these targets waits for children. */
bool ks_parents_hold(const struct ks_session *s, ks_target_bits bits);
/* The same, or for the first list of Events. */
bool ks_parents_hold_sync(const struct ks_session *s, ks_target_bits bits);
/* Targets that waited for either only, and do no more, are settled. */
KS_MUST_USE bool ks_parents_settle(struct ks_session *s);
/* The targets that were told of it. */
ks_target_bits ks_parent_targets(const struct ks_parent *p);

/* children.c */
/* NULL: no memory. */
KS_MUST_USE struct ks_nursery *ks_nursery_get(struct ks_session *s, struct ks_str ns);
KS_MUST_USE bool ks_brood_use(struct ks_brood *b);
void ks_brood_unuse(struct ks_brood *b);
/* Everything that the parent needs is known, or will not be. */
bool ks_nursery_is_ready(const struct ks_nursery *n, const struct ks_parent *p);
/* All that still wait are answered without their children. */
KS_MUST_USE bool ks_nurseries_give_up(struct ks_session *s);
void ks_nurseries_free(struct ks_session *s);
struct ks_str ks_child_kind_plural(ks_child_kind kind);
const struct ks_status_kind *ks_child_kind_of(ks_child_kind kind);
/* False: it is no kind of children. */
bool ks_child_kind_find(const struct ks_status_kind *kind, ks_child_kind *out);

/* family.c */
/* The family of that owner; made if need be. NULL: no memory. */
KS_MUST_USE struct ks_family *ks_family_get(struct ks_nursery *n, struct ks_str owner_uid);
/* Frees it when nobody belongs to it. */
void ks_family_reap(struct ks_family *f);
/* Around every change of a member's digest or revision. */
void ks_family_uncount(struct ks_family *f, struct ks_child *c);
void ks_family_count(struct ks_family *f, struct ks_child *c);
/* A member's rank has changed, or a ranked member has come or gone. */
void ks_family_rank(struct ks_family *f);
/* The revision that its owner rolls out. */
void ks_family_want(struct ks_family *f, uint64_t revision);
/* The failing member of the wanted revision that failed first; NULL: none. */
const struct ks_child *ks_family_first_failure(const struct ks_family *f);
uint64_t ks_revision_hash(struct ks_str text);

/* explain.c: adds the causes of the failing members (of the family, NULL: none) and what Events say
 * of all that count to the causes of the parent, which may not lie in the session's set. */
void ks_parent_explain(const struct ks_parent *p, const struct ks_family *failing,
                       struct ks_shown *out);

/* child.c */
KS_MUST_USE bool ks_child_see(struct ks_brood *b, struct ks_record *record,
                              struct ks_json_value json);
KS_MUST_USE bool ks_child_lose(struct ks_record *record, ks_gone how);
/* Its family may be without members then: see ks_family_reap. */
void ks_child_free(struct ks_child *c);
/* To all that stand above. */
KS_MUST_USE bool ks_family_changed(struct ks_family *f);

/* tale.c: the children that the client asked to be told of (generated_depth). */
KS_MUST_USE bool ks_child_tell(struct ks_child *c);
KS_MUST_USE bool ks_child_tell_gone(struct ks_child *c, ks_gone how);
/* It is there, and is controlled by somebody else now, or by nobody. */
KS_MUST_USE bool ks_child_tell_disowned(struct ks_child *c);
/* No target asks for the object any more, which is this child: told from now on as that, in the
 * object's slot. */
KS_MUST_USE bool ks_child_resume(struct ks_child *c, struct ks_object *o);
/* The targets whose objects have generated it, as far down as is asked for. */
ks_target_bits ks_child_targets(const struct ks_child *c);
/* The family's, and theirs: their parent has become known, or has been told. */
KS_MUST_USE bool ks_family_tell(struct ks_family *f);
/* It is about to go, and its children are no concern of its targets any more. */
KS_MUST_USE bool ks_parent_tell_removed(struct ks_parent *p);
/* The sink's slot is given back. */
void ks_child_forget(struct ks_child *c);
/* Of all that no target is told of any more. */
void ks_family_forget(struct ks_family *f);

/* overlap.c: the object that is shown instead of the child, and the child that is told, or would
 * be, instead of the object; NULL: none. */
struct ks_object *ks_child_object(const struct ks_child *c);
struct ks_child *ks_object_child(struct ks_session *s, const struct ks_object *o);

/* docket.c: NULL: no memory. */
KS_MUST_USE struct ks_docket *ks_docket_get(struct ks_nursery *n, struct ks_str uid);
/* Frees it when nothing is in it. */
void ks_docket_reap(struct ks_docket *d);
/* A child has come, or goes. */
void ks_docket_bind(struct ks_child *c);
void ks_docket_unbind(struct ks_child *c);
/* What Events say, beside what there is already. */
void ks_docket_merge(const struct ks_docket *d, struct ks_causes *out);
/* The same for what is to be shown; the causes are borrowed until the next call. d may be NULL. */
void ks_docket_explain(const struct ks_docket *d, struct ks_shown *out);
/* All that have something to say: the Events are listed. */
KS_MUST_USE bool ks_dockets_tell(struct ks_nursery *n);
KS_MUST_USE bool ks_event_see(struct ks_nursery *n, struct ks_record *record,
                              struct ks_json_value event);
KS_MUST_USE bool ks_event_lose(struct ks_record *record);
/* Lost, and nobody is told. */
void ks_event_release(struct ks_record *record);

/* inquiry.c: whether Events would explain it. */
bool ks_status_is_inquired(ks_status status);
/* Its Events are tied by its name. */
bool ks_object_is_node(struct ks_str group, struct ks_str kind);
KS_MUST_USE bool ks_inquiry_tell(const struct ks_inquiry *q);
/* Targets of objects whose Events are being listed for the first time. */
ks_target_bits ks_inquiries_open(const struct ks_session *s);

#endif
