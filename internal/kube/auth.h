/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credential of one identity: what goes into the Authorization header now, and when it is
 * fetched anew. shared/spec: informers 4.3, 4.4, 4.6.
 *
 * Sources: none (or a client certificate alone), a static token, a token file (read again at most
 * once a minute), user and password, an exec plugin (run when its credential expires or was
 * refused; one run at a time, for all).
 *
 * Thread: the loop's.  Owns: the credential, wiped when it is replaced.  Limits: a plugin runs at
 * most once a second, and after failures or refusals 1 s to 60 s apart.
 */
#ifndef KS_KUBE_AUTH_H
#define KS_KUBE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "loop/loop.h"
#include "kube/config.h"

struct ks_auth;

/* Lent until the next call that takes the ks_auth. */
struct ks_credential {
    struct ks_str authorization; /* the whole header value; empty: none */
    const char *cert_pem;        /* from a plugin, in place of the configuration's; or NULL */
    const char *key_pem;
    uint64_t generation; /* another one for each new value */
};

/* config is borrowed. on_change comes when a credential that was AGAIN is there, or has failed;
 * never from within a call. */
KS_MUST_USE ks_rc ks_auth_new(struct ks_loop *loop, const struct ks_kube_config *config,
                              void (*on_change)(void *ctx), void *ctx, struct ks_auth **out,
                              struct ks_error *err);
struct ks_auth *ks_auth_free(struct ks_auth *auth);

/* KS_RC_AGAIN: being fetched, on_change will come. KS_RC_UNAUTHENTICATED: there is none, err says
 * why. */
KS_MUST_USE ks_rc ks_auth_get(struct ks_auth *auth, struct ks_credential *out,
                              struct ks_error *err);
/* The server refused that generation (401). Whether asking again can help: ks_auth_get then gives
 * another one. */
bool ks_auth_refused(struct ks_auth *auth, uint64_t generation);
/* Adds to what the server said with a 401: who refused what, and what to look at. Short of memory
 * it stays as it is. */
void ks_auth_refusal_explain(const struct ks_auth *auth, struct ks_error *err);
/* Why the last attempt to fetch a credential failed, though an older one may still be in use; NULL
 * when it did not fail. Lent like a credential. */
const struct ks_error *ks_auth_failure(const struct ks_auth *auth);

#endif
