/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are whole when they are given: JSON, text, problems, one object; and the call they
 * belong to.
 *
 * Thread: one.
 */
#ifndef KUBESIM_REPLY_H
#define KUBESIM_REPLY_H

#include <jansson.h>

#include "base/str.h"
#include "catalog.h"
#include "status_body.h"
#include "store.h"
#include "stream.h"
#include "url.h"

/* A request to a resource, taken apart by the router. */
struct sim_call {
    struct sim *sim;
    struct sim_request *req;
    const struct sim_url *url;
    const struct sim_resource *res;
    enum sim_verb verb;
    struct ks_str ns;
    struct ks_str name;
    struct ks_str sub; /* subresource */
};

/* Whole objects, or their metadata alone. */
enum sim_shape { SIM_SHAPE_FULL, SIM_SHAPE_METADATA };

/* The texts that make an object on the wire, in order. */
struct sim_pieces {
    struct ks_str part[4];
    size_t len;
};
enum sim_place { SIM_IN_LIST, SIM_ALONE };
void sim_pieces_of(const struct sim_resource *res, const struct sim_rev *rev, enum sim_shape shape,
                   enum sim_place place, struct sim_pieces *out);

/* What the Accept header asks for; false (and answered with 406) when nothing of it can be had. */
bool sim_accept_shape(struct sim_request *r, enum sim_shape *out);

/* JSON of any kind; value is taken, NULL gives 500. */
void sim_reply_json(struct sim_request *r, int status, json_t *value);
void sim_reply_text(struct sim_request *r, int status, const char *content_type,
                    struct ks_str text);
void sim_reply_problem(struct sim_request *r, const struct sim_problem *p);
/* An unknown resource of a known group. */
void sim_reply_404_resource(struct sim_request *r);
/* A path that nothing answers. */
void sim_reply_404_page(struct sim_request *r);
void sim_reply_rev(struct sim_request *r, int status, const struct sim_resource *res,
                   const struct sim_rev *rev);
/* The usual headers with that body (taken; NULL gives 500); length -1: not told. */
void sim_reply_body(struct sim_request *r, int status, struct sim_body *body, int64_t length);

#endif
