/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reflector over the fake client, and a log of what it calls, one word a call:
 *
 *     begin end           a sync
 *     +web@12  -web@12    an object, a deletion, with its resource version
 *     !web                an object that cannot be read ("!" alone: without a name)
 *     -!web@12            the deletion of such an object
 *     reset               the server is in another world
 *     stale denied ...    the state of the collection
 *
 * Thread: the test's.  Limits: FIXTURE_LOG_BYTES of log.
 */
#ifndef KS_TESTS_UNIT_KUBE_MIRROR_FIXTURE_H
#define KS_TESTS_UNIT_KUBE_MIRROR_FIXTURE_H

#include "kube/reflector.h"
#include "fake_kube.h"

#define FIXTURE_LOG_BYTES ((size_t)1 << 20)

struct fixture {
    struct fake_kube f;
    struct ks_reflector *reflector;
    char *log;
    size_t len;
    unsigned calls;
    unsigned free_at; /* frees the reflector in that call; 0: never */
    struct ks_error last_error;
};

/* For cmocka: a started reflector for Deployments of namespace "default"; of the object "web"; one
 * to be started by fixture_start with a configuration of the test's. */
int fixture_setup(void **state);
int fixture_setup_named(void **state);
int fixture_setup_bare(void **state);
int fixture_teardown(void **state);
void fixture_start(struct fixture *fx, const struct ks_reflector_config *config);
/* The whole configuration of fixture_setup, to be changed. */
struct ks_reflector_config fixture_config(struct fixture *fx);

/* Compares the log since the last call, then forgets it. */
void fixture_expect(struct fixture *fx, const char *log);

/* Brings it to WATCHING by a streaming list that holds web@5 at version 10. */
void fixture_sync(struct fixture *fx);
/* The same by a list. */
void fixture_sync_by_list(struct fixture *fx);

extern const struct ks_reflector_ops fixture_ops;

/* Texts. */
#define OBJECT(name, rv)                                                                           \
    "{\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":\"" name           \
    "\",\"namespace\":\"default\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, name, rv) "{\"type\":\"" type "\",\"object\":" OBJECT(name, rv) "}"
#define BOOKMARK(rv)                                                                               \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"                    \
    "\"resourceVersion\":\"" rv "\"},\"spec\":{}}}"
#define INITIAL_END(rv)                                                                            \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Deployment\",\"metadata\":{"                    \
    "\"resourceVersion\":\"" rv                                                                    \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}},\"spec\":{}}}"
#define ERROR_EVENT(reason, code)                                                                  \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"   \
    "\"status\":\"Failure\",\"message\":\"it failed\",\"reason\":\"" reason "\",\"code\":" code    \
    "}}"
#define STATUS(reason, code)                                                                       \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","           \
    "\"message\":\"it failed\",\"reason\":\"" reason "\",\"code\":" code "}"
#define LIST(rv, token, items)                                                                     \
    "{\"kind\":\"DeploymentList\",\"apiVersion\":\"apps/v1\",\"metadata\":{"                       \
    "\"resourceVersion\":\"" rv "\",\"continue\":\"" token "\"},\"items\":[" items "]}"

#endif
