/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kube layer that the test plays: it stands in for kube/client.h, kube/mapper.h and
 * kube/informer.h at link time. What the session asks for is there to be looked at; what the
 * cluster says is said by the test, when it likes.
 *
 * An informer is called by what it watches: "pods@demo" (namespace), "pods" (all),
 * "pods@demo/web-1" (one name), "pods@demo[a,b]" (some names of a namespace), "pods@demo?app=web"
 * (labels), "pods@demo??spec.x=y" (fields).
 *
 * Thread: the test's.  Owns: nothing on the heap but JSON parsers: it works while allocations are
 * made to fail. Limits: 128 informers, 64 records each, 32 resources.
 */
#ifndef KS_TESTS_UNIT_WATCHER_FAKE_KUBE_H
#define KS_TESTS_UNIT_WATCHER_FAKE_KUBE_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/loop.h"

#include "kube/client.h"
#include "kube/informer.h"

/* One at a time. */
struct ks_kube *fake_kube_start(struct ks_loop *loop);
/* Asserts that nothing was left open. */
void fake_kube_end(struct ks_kube *kube);

void fake_serve(const char *group, const char *version, const char *kind, const char *plural,
                bool is_namespaced);
void fake_unserve(const char *plural);
/* Whether it can be listed and watched. */
void fake_set_watchable(const char *plural, bool is_watchable);
/* KS_RC_OK: discovery works again. */
void fake_fail_discovery(ks_rc rc, const char *message);
/* No answer until it is called again with false. */
void fake_hold_discovery(bool is_held);
/* NULL: reachable. */
void fake_set_unreachable(const char *message);
unsigned fake_invalidations(void);

/* NULL when there is none. */
struct ks_informer *fake_find(const char *name);
/* The names of all that are open, in order of opening, joined by blanks. */
const char *fake_open_informers(void);
/* All these may end the informer; they then return at once, as the real ones do. */
void fake_put(struct ks_informer *informer, const char *json);
/* The same with a record of the caller's, which the informer does not know: for who has many. The
 * caller loses it before the informer ends. */
void fake_upsert(struct ks_informer *informer, struct ks_record *record,
                 struct ks_json_value object);
void fake_lose(struct ks_informer *informer, struct ks_record *record);
void fake_gone(struct ks_informer *informer, const char *ns, const char *name, ks_gone how);
void fake_bad(struct ks_informer *informer, const char *ns, const char *name, const char *message);
/* Such an object, of which there is no record, is gone. */
void fake_bad_gone(struct ks_informer *informer, const char *ns, const char *name);
/* How far it has come; a literal. Not known at first. */
void fake_set_version(struct ks_informer *inf, const char *version);
void fake_synced(struct ks_informer *informer);
void fake_state(struct ks_informer *informer, ks_source_state state, ks_rc rc, const char *message);
void fake_limit(struct ks_informer *informer);
/* It has noticed that the API server is in another world. */
void fake_reset(struct ks_informer *informer);

#endif
