/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockets: what the Warning Events of a namespace say, by the UID of the object that they are
 * about.
 *
 * The Events come through a brood of the nursery, as children do, which is open only while an
 * object or a child that is told of is not Current. Of an Event, its causes stay and nothing else;
 * of an object, those of its two newest Events. What is told of an object is put together again
 * from what it said itself and its docket, so that an Event costs no request.
 *
 * Invariants:
 *   1. a record's `user` is its note, or NULL; a note lies in one docket;
 *   2. a docket exists while it has a note or an inquiry; it is in nursery->noted while it has a
 * note, the one that was noted longest ago first;
 *   3. the notes of a session take at most KS_NOTES_BYTES_MAX: what was noted longest ago makes
 * room;
 *   4. nothing is told before the first list of Events is complete.
 *
 * Thread: the loop's.  It does not: read an Event's words (status/cause_event.c).
 */
#include "watcher/children.h"

#include "base/alloc.h"

#define UID_BYTES_MAX 253 /* or a name */
/* Before this, an Event says how things were. */
#define NOTE_AGE_MAX_MS 3600000

struct ks_note {
    struct ks_docket *docket;
    struct ks_record *record;
    struct ks_cause_list *causes;
    size_t size;
    int64_t seen_wall_ms;
};

static struct ks_session *session_of(const struct ks_docket *d)
{
    return d->nursery->session;
}

static bool has_notes(const struct ks_docket *d)
{
    for (size_t i = 0; i < KS_NOTES_MAX; i++) {
        if (d->notes[i])
            return true;
    }
    return false;
}

/* Among those that explain the child's owner, the newest first. */
static void list_in_family(struct ks_docket *d)
{
    ks_list_remove(&d->in_family);
    if (d->child && has_notes(d))
        ks_list_push(d->child->family->noted.next, &d->in_family);
}

void ks_docket_bind(struct ks_child *c)
{
    struct ks_docket *d = ks_map_find(c->brood->nursery->dockets, c->record->uid);

    if (!d)
        return;
    d->child = c;
    c->docket = d;
    list_in_family(d);
}

void ks_docket_unbind(struct ks_child *c)
{
    struct ks_docket *d = KS_TAKE(c->docket);

    if (!d)
        return;
    d->child = NULL;
    ks_list_remove(&d->in_family);
}

struct ks_docket *ks_docket_get(struct ks_nursery *n, struct ks_str uid)
{
    struct ks_docket *d = ks_map_find(n->dockets, uid);

    if (d)
        return d;
    d = ks_alloc0(sizeof(*d) + uid.len);
    if (!d)
        return NULL;
    memcpy(d->text, uid.ptr, uid.len);
    d->uid = ks_str_make(d->text, uid.len);
    d->nursery = n;
    ks_list_init(&d->inquiries);
    ks_list_init(&d->in_noted);
    ks_list_init(&d->in_family);
    if (ks_map_put(n->dockets, d->uid, d)) {
        ks_free(d);
        return NULL;
    }
    return d;
}

void ks_docket_reap(struct ks_docket *d)
{
    if (has_notes(d) || !ks_list_is_empty(&d->inquiries))
        return;
    if (d->child)
        ks_docket_unbind(d->child);
    (void)ks_map_remove(d->nursery->dockets, d->uid); /* it is d itself */
    ks_free(d);
}

static void note_free(struct ks_note *note)
{
    struct ks_docket *d = note->docket;

    for (size_t i = 0; i < KS_NOTES_MAX; i++) {
        if (d->notes[i] == note)
            d->notes[i] = NULL;
    }
    session_of(d)->note_bytes -= note->size;
    note->record->user = NULL;
    ks_free(note->causes);
    ks_free(note);
    if (has_notes(d))
        return;
    ks_list_remove(&d->in_noted);
    ks_list_remove(&d->in_family);
}

/* What the record's Event said counts no more. The docket may be without notes then; NULL: it had
 * said nothing. */
static struct ks_docket *withdraw(struct ks_record *record)
{
    struct ks_note *note = record->user;
    struct ks_docket *d = note ? note->docket : NULL;

    if (note)
        note_free(note);
    return d;
}

static bool make_room(struct ks_docket *d, size_t size)
{
    struct ks_nursery *n = d->nursery;

    while (n->session->note_bytes + size > KS_NOTES_BYTES_MAX) {
        struct ks_docket *oldest;

        if (ks_list_is_empty(&n->noted))
            return false;
        oldest = KS_CONTAINER_OF(n->noted.next, struct ks_docket, in_noted);
        if (oldest == d)
            return false;
        for (size_t i = 0; i < KS_NOTES_MAX; i++) {
            if (oldest->notes[i])
                note_free(oldest->notes[i]);
        }
        ks_docket_reap(oldest);
    }
    return true;
}

/* The place for a note of that time; NULL: newer ones have taken all. */
static struct ks_note **place_for(struct ks_docket *d, int64_t seen_wall_ms)
{
    struct ks_note **oldest = &d->notes[0];

    for (size_t i = 0; i < KS_NOTES_MAX; i++) {
        if (!d->notes[i])
            return &d->notes[i];
        if (d->notes[i]->seen_wall_ms < (*oldest)->seen_wall_ms)
            oldest = &d->notes[i];
    }
    return (*oldest)->seen_wall_ms <= seen_wall_ms ? oldest : NULL;
}

/* Of the causes in the session's set. */
static bool note_new(struct ks_docket *d, struct ks_record *record, int64_t seen_wall_ms)
{
    struct ks_session *s = session_of(d);
    size_t size = ks_causes_size(s->causes->items, s->causes->count) + sizeof(struct ks_note) +
                  sizeof(struct ks_cause_list);
    struct ks_note **place = place_for(d, seen_wall_ms);
    struct ks_note *note;

    if (!place || !make_room(d, size))
        return true;
    note = ks_alloc0(sizeof(*note));
    if (!note)
        return false;
    note->causes = ks_cause_list_dup(s->causes->items, s->causes->count);
    if (!note->causes) {
        ks_free(note);
        return false;
    }
    if (*place)
        note_free(*place);
    note->docket = d;
    note->record = record;
    note->size = size;
    note->seen_wall_ms = seen_wall_ms;
    s->note_bytes += size;
    record->user = note;
    *place = note;
    ks_list_remove(&d->in_noted);
    ks_list_push(&d->nursery->noted, &d->in_noted);
    list_in_family(d);
    return true;
}

/* The child that the docket is of, if it is one. */
static void bind(struct ks_docket *d, const struct ks_cause_source *regarded)
{
    const struct ks_status_kind kind = {regarded->group, regarded->kind};
    const struct ks_record *record;
    struct ks_informer *informer;
    ks_child_kind child_kind;

    if (d->child || !ks_child_kind_find(&kind, &child_kind))
        return;
    informer = d->nursery->broods[child_kind].informer;
    record = informer ? ks_informer_find(informer, regarded->ns, regarded->name) : NULL;
    if (record && record->user && ks_str_eq(record->uid, d->uid))
        ks_docket_bind(record->user);
}

static int64_t last_seen(const struct ks_causes *causes, int64_t now_wall_ms)
{
    int64_t seen_ms = 0;

    for (size_t i = 0; i < causes->count; i++) {
        if (causes->items[i].last_seen_ms > seen_ms)
            seen_ms = causes->items[i].last_seen_ms;
    }
    return seen_ms ? seen_ms : now_wall_ms;
}

/* *out stays NULL when the Event says nothing that is kept. */
static ks_rc note_event(struct ks_nursery *n, struct ks_record *record, struct ks_json_value event,
                        struct ks_docket **out)
{
    struct ks_session *s = n->session;
    int64_t now_wall_ms = ks_loop_wall_ms(s->loop);
    struct ks_cause_source regarded;
    struct ks_docket *d;
    struct ks_str uid;
    int64_t seen_ms;

    if (!ks_cause_event_regards(event, &regarded, &uid))
        return KS_RC_OK;
    if (ks_object_is_node(regarded.group, regarded.kind))
        uid = regarded.name;
    if (uid.len == 0 || uid.len > UID_BYTES_MAX)
        return KS_RC_OK;
    ks_causes_init(s->causes);
    if (ks_causes_read_event(event, s->causes))
        return KS_RC_NOMEM;
    seen_ms = last_seen(s->causes, now_wall_ms);
    if (s->causes->count == 0 || seen_ms < now_wall_ms - NOTE_AGE_MAX_MS)
        return KS_RC_OK;
    d = ks_docket_get(n, uid);
    if (!d)
        return KS_RC_NOMEM;
    bind(d, &regarded);
    if (!note_new(d, record, seen_ms)) {
        ks_docket_reap(d);
        return KS_RC_NOMEM;
    }
    *out = d;
    return KS_RC_OK;
}

static bool docket_tell(const struct ks_docket *d)
{
    if (d->child && (!ks_child_tell(d->child) || !ks_family_changed(d->child->family)))
        return false;
    KS_LIST_FOREACH(link, &d->inquiries)
    {
        if (!ks_inquiry_tell(KS_CONTAINER_OF(link, struct ks_inquiry, in_docket)))
            return false;
    }
    return true;
}

static bool settle(struct ks_docket *d)
{
    if (d->nursery->broods[KS_CHILD_EVENT].is_listed && !docket_tell(d))
        return false;
    ks_docket_reap(d);
    return true;
}

bool ks_event_see(struct ks_nursery *n, struct ks_record *record, struct ks_json_value event)
{
    struct ks_docket *before = withdraw(record);
    struct ks_docket *d = NULL;

    if (note_event(n, record, event, &d))
        return ks_session_fail_nomem(n->session);
    if (before && before != d && !settle(before))
        return false;
    return !d || settle(d);
}

bool ks_event_lose(struct ks_record *record)
{
    struct ks_docket *d = withdraw(record);

    return !d || settle(d);
}

void ks_event_release(struct ks_record *record)
{
    struct ks_docket *d = withdraw(record);

    if (d)
        ks_docket_reap(d);
}

bool ks_dockets_tell(struct ks_nursery *n)
{
    KS_LIST_FOREACH(link, &n->noted)
    {
        if (!docket_tell(KS_CONTAINER_OF(link, struct ks_docket, in_noted)))
            return false;
    }
    return true;
}

void ks_docket_merge(const struct ks_docket *d, struct ks_causes *out)
{
    int64_t since_ms = ks_loop_wall_ms(session_of(d)->loop) - NOTE_AGE_MAX_MS;

    for (size_t i = 0; i < KS_NOTES_MAX; i++) {
        const struct ks_note *note = d->notes[i];

        if (note && note->seen_wall_ms >= since_ms)
            ks_causes_merge_events(out, note->causes->items, note->causes->count);
    }
}

void ks_docket_explain(const struct ks_docket *d, struct ks_shown *out)
{
    struct ks_causes *causes = d ? session_of(d)->told_causes : NULL;

    if (!d || !has_notes(d) || !ks_status_is_inquired(out->status))
        return;
    ks_causes_init(causes);
    ks_causes_merge(causes, out->causes, out->cause_count);
    ks_docket_merge(d, causes);
    out->causes = causes->items;
    out->cause_count = causes->count;
}
