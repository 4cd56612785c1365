/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an object is not there yet: causes with stable codes, read from the object itself, from its
 * Events, and merged upwards from the objects that it generated. Pure, and without allocation but
 * for the copy that is kept at rest.
 *
 * What each code means and is read from stands in docs/causes.md.
 *
 * Thread: the document's.  Owns: ks_causes and ks_cause_list their texts.  Limits: KS_CAUSES_MAX
 * causes, KS_CAUSES_TEXT_MAX bytes of text for all, KS_CAUSE_MESSAGE_MAX for a message. What is too
 * much pushes out what tells least, or is cut at a character's end.
 *
 * Texts in a set are well-formed UTF-8 without control characters (and without marks that turn the
 * direction of text), whatever the cluster sent.
 */
#ifndef KS_STATUS_CAUSE_H
#define KS_STATUS_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "json/json.h"
#include "status/cause_table.h"
#include "status/status.h"

/* Most telling first. */
typedef enum {
#define X(code, suggestion) KS_CAUSE_##code,
    KS_CAUSES(X)
#undef X
        KS_CAUSE_COUNT
} ks_cause_code;

/* "CRASH_LOOP"; never NULL. */
const char *ks_cause_code_text(ks_cause_code code);
/* What usually mends it: one sentence; never NULL. */
const char *ks_cause_suggestion(ks_cause_code code);

#define KS_CAUSES_MAX 8
#define KS_CAUSES_TEXT_MAX 8192
#define KS_CAUSE_MESSAGE_MAX 1024

/* Which object shows the cause; the core group is empty. */
struct ks_cause_source {
    struct ks_str group;
    struct ks_str kind;
    struct ks_str ns;
    struct ks_str name;
};

struct ks_cause {
    ks_cause_code code;
    struct ks_str message;
    struct ks_cause_source source;
    struct ks_str container; /* empty: the object as a whole */
    bool has_exit;           /* the container has ended, with exit_code */
    int32_t exit_code;
    uint32_t restart_count;
    uint32_t count;        /* how often it was seen: Events, or objects with the same; at least 1 */
    int64_t first_seen_ms; /* wall time; 0: unknown */
    int64_t last_seen_ms;  /* wall time; 0: unknown */
    bool is_event;         /* nothing but Events show it */
    bool is_past;          /* ... and what they are about has got on since: told last */
};

/* Sorted, most telling first, what is past last. Do not copy by assignment: the views point into
 * it. About 10 KiB. */
struct ks_causes {
    struct ks_cause items[KS_CAUSES_MAX];
    size_t count;
    /* private */
    size_t text_len;
    char text[KS_CAUSES_TEXT_MAX];
};

/* Makes it empty; also on one that is in use. */
void ks_causes_init(struct ks_causes *c);

/*
 * Copies the cause in. One that says the same as one that is there (code, container, kind and
 * namespace of the source, and the message; for containers of one object whatever the message)
 * becomes one with it: the counts add up, the times widen, and the source whose name sorts first
 * stays. The most telling are kept, whatever the order of the calls.
 */
void ks_causes_add(struct ks_causes *c, const struct ks_cause *cause);
/* Adds each: what the children's causes are to their owner. */
void ks_causes_merge(struct ks_causes *into, const struct ks_cause *items, size_t count);
/* The same for what Events say, behind what the objects show themselves: what was seen last before
 * they came to be as they are is past. */
void ks_causes_merge_events(struct ks_causes *into, const struct ks_cause *items, size_t count);

/* Whether a client would be told nothing new: count and times do not matter. */
bool ks_causes_equal(const struct ks_cause *a, size_t a_count, const struct ks_cause *b,
                     size_t b_count);

/* Copies into a block of ks_causes_size bytes, aligned for a struct ks_cause; the copy has no other
 * memory. */
size_t ks_causes_size(const struct ks_cause *items, size_t count);
struct ks_cause *ks_causes_place(void *block, const struct ks_cause *items, size_t count);

/* At rest: one allocation of just the size, to be freed with ks_free. */
struct ks_cause_list {
    size_t count;
    struct ks_cause items[];
};
/* NULL when out of memory. An empty list is one, too. */
KS_MUST_USE struct ks_cause_list *ks_cause_list_dup(const struct ks_cause *items, size_t count);

/*
 * Adds what the object itself says about why it is not Current. For an object that is Current, what
 * it adds means little: ask only for others. kind: where it was read, NULL: as the object says.
 * KS_RC_NOMEM: a string could not be decoded, and what was added is not all.
 */
KS_MUST_USE ks_rc ks_causes_read(struct ks_json_value object, const struct ks_status_kind *kind,
                                 int64_t now_wall_ms, struct ks_causes *out);

/* The object that an Event (core/v1 or events.k8s.io/v1) is about; views into the Event. False when
 * it names none. */
bool ks_cause_event_regards(struct ks_json_value event, struct ks_cause_source *out,
                            struct ks_str *out_uid);
/* Adds what a Warning Event (or a claim's WaitForFirstConsumer) tells, as a cause of the object
 * that it is about; nothing for other Events. NOMEM as above. */
KS_MUST_USE ks_rc ks_causes_read_event(struct ks_json_value event, struct ks_causes *out);

#endif
