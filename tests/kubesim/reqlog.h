/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of requests, for tests that assert what a client sent and how often.
 *
 * Thread: one.  Owns: its entries; an entry of a running request lives until that ends, even when
 * the log has forgotten it.  Limits: the latest REQLOG_ENTRIES_MAX requests.
 */
#ifndef KUBESIM_REQLOG_H
#define KUBESIM_REQLOG_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct sim_log_entry;
struct sim_reqlog;
struct sim_request;

KS_MUST_USE ks_rc sim_reqlog_new(struct sim_reqlog **out, struct ks_error *err);
struct sim_reqlog *sim_reqlog_free(struct sim_reqlog *log);
/* Forgets all entries; running requests are not logged again. */
void sim_reqlog_clear(struct sim_reqlog *log);
/* One JSON object a line, oldest first. */
KS_MUST_USE ks_rc sim_reqlog_print(const struct sim_reqlog *log, struct ks_buf *out);
uint64_t sim_reqlog_total(const struct sim_reqlog *log);

/* Returns a reference; NULL when memory is short (the request is then not logged). */
struct sim_log_entry *sim_reqlog_add(struct sim_reqlog *log, const struct sim_request *r);
/* All of these take NULL. */
void sim_log_entry_set_user(struct sim_log_entry *e, const char *user);
void sim_log_entry_set_status(struct sim_log_entry *e, int status);
void sim_log_entry_set_fault(struct sim_log_entry *e, const char *fault);
/* The stream has ended: drops the reference. */
void sim_log_entry_end(struct sim_log_entry *e, uint64_t bytes, uint64_t events);

#endif
