/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session on the fake kube layer, under a clock that stands still, with a sink that writes down
 * what it hears, one line an event:
 *
 *   1 LISTING                       target 1; with its cause: "1 FORBIDDEN not permitted: no
 * rights" Pod demo/a u1 Current [1,2]     an update: kind, name, UID, status, targets Pod demo/a u1
 * Failed<-Current PodUnschedulable [1]     with the status before it, and the reason SYNCED Current
 * 3                the aggregate, and how many objects were counted REMOVED Pod demo/a u1 [2]
 *   forget Pod demo/a u1            the sink slot that was filled for it came back
 *   FAILED limit exceeded
 *   OUTCOME reached 3               how many objects were counted; what is in the way follows
 *
 * Thread: the test's.
 */
#ifndef KS_TESTS_UNIT_WATCHER_SESSION_FIXTURE_H
#define KS_TESTS_UNIT_WATCHER_SESSION_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#include "loop/loop.h"

#include "watcher/session.h"
#include "watcher/vigil.h"

#include "unit/watcher/fake_kube.h"

#define FIXTURE_NOW_MS 1790000000000 /* 2026-09-21T14:13:20Z */

struct fixture {
    struct ks_clock_test clock;
    struct ks_loop *loop;
    struct ks_kube *kube;
    struct ks_session *session; /* NULL once freed */
    struct ks_vigil *vigil;     /* instead, when config has an until */
    struct ks_session_config config;
    char log[16384];
    size_t log_len;
    size_t events;
    size_t free_at; /* the sink frees the session at its n-th call; 0: never */
    size_t slots;   /* filled and not given back */
    bool has_failed;
    struct ks_update last; /* its views are dead; its numbers are not */
    char last_message[512];
    char last_causes[512]; /* "CODE Kind/name, CODE Kind/name" */
};

/* Serves pods, deployments, configmaps and nodes. */
void fixture_init(struct fixture *f);
/* Frees the session if it still is there. */
void fixture_fini(struct fixture *f);
ks_rc fixture_try_open(struct fixture *f, const struct ks_target *targets, size_t count,
                       struct ks_error *err);
/* Opens, and lets the mapper answer. */
void fixture_open(struct fixture *f, const struct ks_target *targets, size_t count);
/* Moves the clock and lets come what is due. */
void fixture_wait(struct fixture *f, int64_t ms);
void fixture_run(struct fixture *f);
/* What was heard since the last time must be these lines, each ended by a newline. */
void fixture_expect(struct fixture *f, const char *lines);
/* What was heard is of no interest. */
void fixture_skip(struct fixture *f);

struct ks_target target_object(uint32_t id, const char *resource, const char *ns, const char *name);
struct ks_target target_selector(uint32_t id, const char *resource, const char *ns,
                                 const char *labels);

/* JSON of objects, in one of a few buffers that are used in turn. */
const char *pod(const char *name, const char *uid, unsigned version, const char *phase);
const char *config_map(const char *name, const char *uid, unsigned version);

#endif
