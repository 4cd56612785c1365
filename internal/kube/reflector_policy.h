/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/kube: what a reflector does next when something ended, as pure functions:
 * facts in, plan out. shared/spec: informers 1.3 to 1.7.
 *
 * Thread: any.  Owns: nothing; no I/O, no clock, no randomness.
 */
#ifndef KS_KUBE_REFLECTOR_POLICY_H
#define KS_KUBE_REFLECTOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "kube/client.h"
#include "kube/reflector.h"

/* A watch that lived shorter counts as a failure; a longer one was healthy. */
#define KS_WATCH_SHORT_MS 30000
/* So many short watches without an event in a row, and the resume position is in doubt. */
#define KS_WATCH_STRIKES 5

typedef enum {
    KS_NEXT_WATCH,  /* resume from the last resource version */
    KS_NEXT_SYNC,   /* bring the whole state again */
    KS_NEXT_LOCATE, /* ask discovery whether the collection is still served */
} ks_next;

typedef enum {
    KS_PAUSE_NONE,
    KS_PAUSE_SPREAD,  /* up to 1 s: so that watches that ended together do not come back together */
    KS_PAUSE_SHORT,   /* 1 to 2 s, whatever went before: the server answers, and healing is near */
    KS_PAUSE_BACKOFF, /* the reflector's backoff, or Retry-After when that is longer */
    KS_PAUSE_POLL,    /* 30 s: between lists of what cannot be watched */
    KS_PAUSE_ABSENT,  /* 30 s to 5 min */
    KS_PAUSE_LONG,    /* 5 min: repeating sooner would not mend it */
} ks_pause;

/* How loud the plan is: what to tell about the collection as a whole. */
typedef enum {
    KS_TELL_NOTHING, /* routine */
    KS_TELL_LOST,    /* STALE when it had synced, else SYNCING with the error */
    KS_TELL_DENIED,
    KS_TELL_UNAUTHENTICATED,
    KS_TELL_FAILED,
} ks_tell;

struct ks_plan {
    ks_next next;
    ks_pause pause;
    ks_tell tell;
};

/* The memory of one reflector: counters of things in a row, and what the server was found not to
 * take. */
struct ks_policy {
    /* Set by the reflector. */
    bool is_single;       /* one object by name: each reconnect is a list and a watch */
    bool can_resume;      /* a resource version to resume from is known */
    bool is_sync_told_rv; /* the sync in hand was sent a resource version */
    bool is_later_page;   /* the list in hand is past its first page */
    bool is_filtered;     /* by selectors, without which the probe asks */

    /* Read by the reflector. */
    bool has_synced;
    bool is_rv_bad;              /* the last one was refused: the next sync sends none */
    bool is_unpaged;             /* pages expired under us: this list is one page */
    bool must_list;              /* streaming failed for this sync */
    bool must_probe;             /* before the next watch, and a sync after it */
    bool was_severed;            /* a connection was lost: a probe before the next watch */
    bool is_doubted;             /* watches close at once: an open one alone proves nothing */
    bool drops_name;             /* the server may not take metadata.name=... */
    bool drops_match;            /* ... resourceVersionMatch */
    bool drops_bookmarks;        /* ... allowWatchBookmarks */
    int64_t streaming_absent_ms; /* when the list succeeds: for how long the server counts as unable
                                    to stream */

    /* private: in a row */
    uint8_t repeats; /* spent since the last pause */
    uint8_t stream_ends;
    uint8_t server_errors;
    uint8_t unknown_errors;
    uint8_t refusals;
    uint8_t denials;
    uint8_t expirations;
    uint8_t short_watches;
    uint8_t bad_lines;
};

/* A list's page, or the stream of initial events before its bookmark, was refused or broke. */
struct ks_plan ks_policy_list_failed(struct ks_policy *p, const struct ks_kube_failure *failure);
struct ks_plan ks_policy_stream_failed(struct ks_policy *p, const struct ks_kube_failure *failure,
                                       bool is_event);
/* The stream ended in order, before its bookmark. */
struct ks_plan ks_policy_stream_ended(struct ks_policy *p);
/* The bookmark did not come. */
struct ks_plan ks_policy_stream_silent(struct ks_policy *p);
/* A sync is complete. */
void ks_policy_synced(struct ks_policy *p);

/* lived_ms: from the answer's head to its end, 0 when there was no answer. */
struct ks_plan ks_policy_watch_failed(struct ks_policy *p, const struct ks_kube_failure *failure,
                                      int64_t lived_ms);
struct ks_plan ks_policy_watch_ended(struct ks_policy *p, int64_t lived_ms, bool had_event);
/* An event was applied, or the watch has lived for KS_WATCH_SHORT_MS: what went wrong before does
 * not count. */
void ks_policy_watch_healthy(struct ks_policy *p);
/* The resume position moved. */
void ks_policy_advanced(struct ks_policy *p);
/* A line that is no JSON: it may have been damaged on the way, so the same is asked for again. */
struct ks_plan ks_policy_bad_line(struct ks_policy *p);

/* The server is behind the resume position: its state was replaced by an older one. */
struct ks_plan ks_policy_went_back(struct ks_policy *p);

/* The server could not be reached, or lost the connection: who answers next may be another one. */
void ks_policy_severed(struct ks_policy *p);
struct ks_plan ks_policy_probe_passed(struct ks_policy *p);
/* Its answer is of a version before the resume position. */
struct ks_plan ks_policy_probe_behind(struct ks_policy *p);
struct ks_plan ks_policy_probe_failed(struct ks_policy *p, const struct ks_kube_failure *failure);

/* The plan's pause begins. */
void ks_policy_paused(struct ks_policy *p);

#endif
