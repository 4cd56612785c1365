/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of entries, the oldest first; the oldest falls out when there are too many.
 *
 * 1. An entry has two owners, the log and the running request, and goes when both have let go.
 * 2. Texts are copied into the entry's own block of memory when the request arrives.
 *
 * Thread: one.
 */
#include "reqlog.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"

#include "conduct.h"
#include "conn.h"
#include "sim.h"
#include "stream.h"

#define REQLOG_ENTRIES_MAX 100000
#define TEXTS 8

struct sim_log_entry {
    struct ks_list link;
    struct sim_reqlog *log;
    unsigned refs;
    uint64_t number;
    int64_t time_ms;
    int64_t end_ms; /* -1: still running */
    uint64_t conn;
    int32_t stream;
    int status;
    uint64_t bytes;
    uint64_t events;
    char *user;
    char *fault;
    const char *broken[SIM_CONDUCT_MAX];
    size_t broken_len;
    struct ks_str texts[TEXTS];
};

struct sim_reqlog {
    struct ks_list entries;
    size_t len;
    uint64_t total;
};

/* Where each text of an entry comes from, and what it is called in the log. */
static const struct {
    const char *name;
    const char *header; /* NULL: from the request line */
} sources[TEXTS] = {
    {"method", NULL},
    {"path", NULL},
    {"query", NULL},
    {"user_agent", "user-agent"},
    {"accept", "accept"},
    {"accept_encoding", "accept-encoding"},
    {"content_type", "content-type"},
    {"impersonate_user", "impersonate-user"},
};

ks_rc sim_reqlog_new(struct sim_reqlog **out, struct ks_error *err)
{
    struct sim_reqlog *log = ks_alloc0(sizeof(*log));

    if (!log)
        return ks_fail(err, KS_RC_NOMEM, "request log");
    ks_list_init(&log->entries);
    *out = log;
    return KS_RC_OK;
}

static void entry_unref(struct sim_log_entry *e)
{
    if (--e->refs > 0)
        return;
    ks_free(e->user);
    ks_free(e->fault);
    ks_free(e);
}

static void oldest_forget(struct sim_reqlog *log)
{
    struct ks_list *link = ks_list_pop(&log->entries);

    log->len--;
    entry_unref(KS_CONTAINER_OF(link, struct sim_log_entry, link));
}

void sim_reqlog_clear(struct sim_reqlog *log)
{
    while (log->len > 0)
        oldest_forget(log);
}

struct sim_reqlog *sim_reqlog_free(struct sim_reqlog *log)
{
    if (!log)
        return NULL;
    sim_reqlog_clear(log);
    ks_free(log);
    return NULL;
}

uint64_t sim_reqlog_total(const struct sim_reqlog *log)
{
    return log->total;
}

static void texts_view(const struct sim_request *r, struct ks_str out[TEXTS])
{
    out[0] = r->method;
    out[1] = r->path;
    out[2] = r->query;
    for (size_t i = 3; i < TEXTS; i++)
        out[i] = sim_request_header(r, sources[i].header);
}

struct sim_log_entry *sim_reqlog_add(struct sim_reqlog *log, const struct sim_request *r)
{
    struct ks_str texts[TEXTS];
    struct sim_log_entry *e;
    size_t size = 0;
    char *at;

    texts_view(r, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i].len;
    e = ks_alloc0(sizeof(*e) + size);
    if (!e)
        return NULL;
    at = (char *)(e + 1);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i].len > 0)
            memcpy(at, texts[i].ptr, texts[i].len);
        e->texts[i] = ks_str_make(at, texts[i].len);
        at += texts[i].len;
    }
    e->refs = 2;
    e->broken_len = sim_conduct_check(r, e->broken);
    e->number = ++log->total;
    e->time_ms = ks_clock_real.mono_ms(&ks_clock_real);
    e->end_ms = -1;
    e->conn = r->stream->conn->id;
    e->stream = r->stream->id;
    if (log->len >= REQLOG_ENTRIES_MAX)
        oldest_forget(log);
    ks_list_push(&log->entries, &e->link);
    log->len++;
    return e;
}

void sim_log_entry_set_user(struct sim_log_entry *e, const char *user)
{
    if (!e)
        return;
    ks_free(e->user);
    e->user = ks_strdup(user);
}

void sim_log_entry_set_status(struct sim_log_entry *e, int status)
{
    if (e)
        e->status = status;
}

void sim_log_entry_set_fault(struct sim_log_entry *e, const char *fault)
{
    if (!e)
        return;
    ks_free(e->fault);
    e->fault = ks_strdup(fault);
}

void sim_log_entry_end(struct sim_log_entry *e, uint64_t bytes, uint64_t events)
{
    if (!e)
        return;
    e->end_ms = ks_clock_real.mono_ms(&ks_clock_real);
    e->bytes = bytes;
    e->events = events;
    entry_unref(e);
}

/* Texts that need no escaping. */
static ks_rc broken_print(const struct sim_log_entry *e, struct ks_buf *out)
{
    ks_rc rc = KS_RC_OK;

    for (size_t i = 0; i < e->broken_len && !rc; i++)
        rc = ks_buf_appendf(out, "%s\"%s\"%s", i ? "," : ",\"warnings\":[", e->broken[i],
                            i + 1 == e->broken_len ? "]" : "");
    return rc;
}

static ks_rc entry_print(const struct sim_log_entry *e, struct ks_buf *out)
{
    ks_rc rc = ks_buf_appendf(out,
                              "{\"n\":%llu,\"time_ms\":%lld,\"conn\":%llu,\"stream\":%d,"
                              "\"status\":%d",
                              (unsigned long long)e->number, (long long)e->time_ms,
                              (unsigned long long)e->conn, (int)e->stream, e->status);

    if (!rc && e->end_ms >= 0)
        rc = ks_buf_appendf(out, ",\"end_ms\":%lld,\"bytes\":%llu,\"events\":%llu",
                            (long long)e->end_ms, (unsigned long long)e->bytes,
                            (unsigned long long)e->events);
    for (size_t i = 0; i < TEXTS && !rc; i++) {
        rc = ks_buf_appendf(out, ",\"%s\":", sources[i].name);
        if (!rc)
            rc = ks_buf_append_json(out, e->texts[i]);
    }
    if (!rc)
        rc = ks_buf_append_str(out, KS_LIT(",\"user\":"));
    if (!rc)
        rc = ks_buf_append_json(out, ks_str_from(e->user));
    if (!rc && e->fault) {
        rc = ks_buf_append_str(out, KS_LIT(",\"fault\":"));
        if (!rc)
            rc = ks_buf_append_json(out, ks_str_from(e->fault));
    }
    if (!rc)
        rc = broken_print(e, out);
    return rc ? rc : ks_buf_append_str(out, KS_LIT("}\n"));
}

ks_rc sim_reqlog_print(const struct sim_reqlog *log, struct ks_buf *out)
{
    ks_rc rc = KS_RC_OK;

    KS_LIST_FOREACH(link, &log->entries)
    {
        if (!rc)
            rc = entry_print(KS_CONTAINER_OF(link, struct sim_log_entry, link), out);
    }
    return rc;
}
