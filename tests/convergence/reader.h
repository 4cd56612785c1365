/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader: one client of one stream. It has a session of its own behind a feed and an outbox, as a
 * Watch call has, decodes what comes out, and keeps of each target what it was told last.
 *
 * Thread: the loop's.  Owns: feed, outbox, facts.  Limits: READER_TARGETS_MAX targets.
 */
#ifndef CONVERGENCE_READER_H
#define CONVERGENCE_READER_H

#include <kstatus/v1/status_service.pb-c.h>

#include "bridge/feed.h"

#include "watcher/session.h"

#include "convergence/world.h"

#define READER_TARGETS_MAX 8
/* Added to a target's number: what its objects generate. */
#define READER_GENERATED 1000
#define READER_UID_SIZE 64

struct reader_target {
    struct ks_target target;
    int species;
    char pin[READER_UID_SIZE];
    struct sim_selector *selector; /* of a selecting one */
    int state;                     /* as told last; 0: nothing */
};

/* What is known of one name through one target. */
struct fact {
    size_t target;
    int species;
    char ns[64];
    char name[64];
    bool is_held; /* told, and not Removed since */
    bool was_told;
    char uid[READER_UID_SIZE];
    char gone_uid[READER_UID_SIZE]; /* told NotFound last */
    uint64_t rv;
    uint64_t ordinal;                  /* of the update that told it last */
    Kstatus__V1__ResourceStatus *told; /* owned; the latest */
};

enum reader_pace { READER_PROMPT, READER_SLOW, READER_STALLED };

struct reader {
    struct world *world;
    unsigned number;
    size_t identity;
    enum reader_pace pace;
    struct reader_target targets[READER_TARGETS_MAX];
    size_t target_count;
    struct ks_session_config config;
    struct ks_feed *feed;
    struct ks_outbox *outbox;
    struct ks_feed_stats stats;
    struct ks_timer timer;
    int64_t opened_wall_ms;
    uint64_t next_sequence;
    uint64_t updates;
    uint64_t merged;
    bool is_synced;
    bool may_overflow;
    Kstatus__V1__Heartbeat *heartbeat; /* owned; the latest */
    struct fact *facts;
    size_t fact_count;
    size_t fact_cap;
};

/* With targets, pace and identity drawn from the world's dice. NULL: a finding was made. */
KS_MUST_USE struct reader *reader_open(struct world *w, unsigned number);
struct reader *reader_close(struct reader *r);
/* Reads until there is nothing more. */
void reader_drain(struct reader *r);
/* The fact of that target and name; NULL: none. */
struct fact *reader_find(struct reader *r, size_t target, const struct history_name *name);

/* How many objects it holds, as Synced and Heartbeat count them; false: it cannot tell. */
bool reader_tally(const struct reader *r, Kstatus__V1__Counts *out);

/* witness.c: before the fact is changed. name is the update's. */
void witness_update(struct reader *r, const Kstatus__V1__ResourceStatus *u,
                    const struct history_name *name);
void witness_fact(struct reader *r, const struct fact *f, const Kstatus__V1__ResourceStatus *u);
/* It is Removed, or told for other targets only. */
void witness_left(struct reader *r, const struct fact *f, const char *uid);
/* What a target is told of: an object that it asked for, or one that its objects have generated. */
size_t reader_key(const struct reader *r, size_t target, int its_species);
void witness_synced(struct reader *r, const Kstatus__V1__Synced *synced);
/* where: for the finding. */
void witness_counts(struct reader *r, const Kstatus__V1__Counts *told, const char *where);

/* oracle.c: the world is quiet, and everything was read. */
void oracle_check(struct reader *r);

#endif
