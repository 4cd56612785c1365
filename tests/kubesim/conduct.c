/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for clients, noted in the request log.
 *
 * The model: each rule is a line in a table; a request of the kind that it is about either keeps or
 * breaks it. kubesim answers as the real server would; a test that cares looks into the log.
 *
 * Thread: any.
 */
#include "conduct.h"

#include "stream.h"
#include "url.h"

struct look {
    const struct sim_request *r;
    struct sim_url url;
    struct ks_str rv;
    bool is_watch;
    bool is_list;
};

/* Such a list is pinned to exactly that version, and is 410 when it is compacted. */
static bool exact_by_accident(const struct look *l)
{
    return l->is_list && sim_url_has(&l->url, "limit") && l->rv.len > 0 && !ks_str_is(l->rv, "0") &&
           sim_url_param(&l->url, "resourceVersionMatch").len == 0;
}

/* Newer servers compress each event as a member of its own. */
static bool compressed_watch(const struct look *l)
{
    struct ks_str coding = sim_request_header(l->r, "accept-encoding");

    return l->is_watch && coding.len > 0 && !ks_str_is(coding, "identity");
}

static bool watch_without_bookmarks(const struct look *l)
{
    return l->is_watch && !sim_url_flag(&l->url, "allowWatchBookmarks");
}

static bool watch_without_timeout(const struct look *l)
{
    return l->is_watch && !sim_url_has(&l->url, "timeoutSeconds");
}

/* Lists for browsers and curl are pretty-printed by the real server. */
static bool browser_user_agent(const struct look *l)
{
    struct ks_str agent = sim_request_header(l->r, "user-agent");

    return agent.len == 0 || ks_str_starts(agent, KS_LIT("curl")) ||
           ks_str_starts(agent, KS_LIT("Wget")) || ks_str_starts(agent, KS_LIT("Mozilla/5.0"));
}

/* A token pins the version by itself. */
static bool continued_with_version(const struct look *l)
{
    return l->is_list && sim_url_has(&l->url, "continue") && l->rv.len > 0;
}

static bool no_accept(const struct look *l)
{
    return sim_request_header(l->r, "accept").len == 0;
}

static const struct {
    const char *name;
    bool (*is_broken)(const struct look *l);
} rules[] = {
    {"exact-by-accident", exact_by_accident},
    {"compressed-watch", compressed_watch},
    {"watch-without-bookmarks", watch_without_bookmarks},
    {"watch-without-timeout", watch_without_timeout},
    {"browser-user-agent", browser_user_agent},
    {"continued-with-version", continued_with_version},
    {"no-accept", no_accept},
};

size_t sim_conduct_check(const struct sim_request *r, const char *out[SIM_CONDUCT_MAX])
{
    struct look l = {.r = r};
    bool is_get = ks_str_is(r->method, "GET");
    size_t n = 0;

    if (sim_url_parse(r->path, r->query, &l.url))
        return 0;
    l.rv = sim_url_param(&l.url, "resourceVersion");
    l.is_watch = is_get && sim_url_flag(&l.url, "watch");
    l.is_list = is_get && !l.is_watch;
    for (size_t i = 0; i < KS_ARRAY_LEN(rules) && n < SIM_CONDUCT_MAX; i++) {
        if (rules[i].is_broken(&l))
            out[n++] = rules[i].name;
    }
    sim_url_fini(&l.url);
    return n;
}
