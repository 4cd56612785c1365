/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster, without the door to it: its parts, bottom-up, and its dice.
 *
 * Thread: one.  It does not: listen, or run.
 */
#include "sim.h"

#include <stdio.h>

#include <nghttp2/nghttp2.h>

#include "base/rfc3339.h"

#include "auth.h"
#include "catalog.h"
#include "discovery.h"
#include "fault.h"
#include "registry.h"
#include "reqlog.h"
#include "store.h"
#include "stream.h"

uint64_t sim_random(struct sim *sim)
{
    uint64_t z = (sim->random_state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_uid_make(struct sim *sim, char out[SIM_UID_SIZE])
{
    uint64_t hi = sim_random(sim);
    uint64_t lo = sim_random(sim);

    snprintf(out, SIM_UID_SIZE, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(hi >> 32),
             (unsigned)(hi >> 16) & 0xffffu, (unsigned)hi & 0xfffu,
             0x8000u | ((unsigned)(lo >> 48) & 0x3fffu),
             (unsigned long long)(lo & 0xffffffffffffu));
}

void sim_time_now(const struct sim *sim, char out[SIM_TIME_SIZE])
{
    int64_t ms = sim->clock->wall_ms(sim->clock);

    ks_rfc3339_format(ms - ms % 1000, out);
}

static void on_store_change(void *ctx)
{
    struct sim *sim = ctx;

    KS_LIST_FOREACH(link, &sim->parked)
    {
        struct sim_stream *s = KS_CONTAINER_OF(link, struct sim_stream, parked);

        if (s->parked_for_rv <= sim_store_rv(sim->store)) {
            ks_list_remove(&s->parked);
            if (!sim_timer_start(sim->loop, &s->timer, 0))
                sim_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
        }
    }
}

ks_rc sim_cluster_new(struct sim *sim, struct ks_error *err)
{
    ks_rc rc = sim_store_new(sim->config.history, &sim->store, err);

    ks_list_init(&sim->watches);
    ks_list_init(&sim->parked);
    if (!rc)
        rc = sim_catalog_new(sim->store, &sim->catalog, err);
    if (!rc)
        rc = sim_discovery_new(&sim->discovery, err);
    if (!rc)
        rc = sim_auth_new(&sim->auth, err);
    if (!rc)
        rc = sim_faults_new(&sim->faults, err);
    if (!rc)
        rc = sim_reqlog_new(&sim->reqlog, err);
    if (!rc)
        rc = sim_registry_populate(sim, err);
    if (!rc)
        sim_store_set_hook(sim->store, on_store_change, sim);
    return rc;
}

void sim_cluster_free(struct sim *sim)
{
    sim->reqlog = sim_reqlog_free(sim->reqlog);
    sim->faults = sim_faults_free(sim->faults);
    sim->auth = sim_auth_free(sim->auth);
    sim->discovery = sim_discovery_free(sim->discovery);
    sim->catalog = sim_catalog_free(sim->catalog);
    sim->store = sim_store_free(sim->store);
}
