/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label and field selectors.
 *
 * Thread: any.  Owns: a copy of the selectors' texts.  Limits: SELECTOR_TEXT_MAX_BYTES of text,
 * which bounds terms and values.
 */
#ifndef KUBESIM_SELECTOR_H
#define KUBESIM_SELECTOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

struct sim_resource;
struct sim_rev;
struct sim_selector;

/* An empty text selects everything. KS_RC_INVALID with the API server's sentence in err. */
KS_MUST_USE ks_rc sim_selector_new(const struct sim_resource *res, struct ks_str labels,
                                   struct ks_str fields, struct sim_selector **out,
                                   struct ks_error *err);
struct sim_selector *sim_selector_free(struct sim_selector *s);

bool sim_selector_matches(const struct sim_selector *s, const struct sim_rev *rev);
bool sim_selector_is_empty(const struct sim_selector *s);
/* The name that metadata.name= asks for, or the empty view; the same for metadata.namespace=. */
struct ks_str sim_selector_name(const struct sim_selector *s);
struct ks_str sim_selector_namespace(const struct sim_selector *s);

#endif
